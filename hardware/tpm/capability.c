/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hardware/tpm/capability.h"

#include <string.h>

#define PT_FAMILY       0x100u
#define PT_REVISION     0x102u
#define PT_MANUFACTURER 0x105u
#define PT_VENDOR_1     0x106u
#define PT_VENDOR_4     0x109u
#define PT_FIRMWARE_1   0x10bu
#define PT_FIRMWARE_2   0x10cu
#define PT_PERMANENT    0x200u
#define PT_LOCKOUT      0x20eu /* counter, allowed failures, interval, recovery */
#define IN_LOCKOUT      (1u << 9)
#define PROPERTIES      16u /* asked for at once, from PT_FAMILY on */
#define ALGORITHMS      64u

vd_status vd_tpm_capability(struct vd_tpm *tpm, const struct vd_tpm_question *question,
                            struct vd_tpm_response *ret, bool *ret_more, struct vd_diag *diag)
{
    struct vd_tpm_command command;
    uint32_t answered;
    uint8_t more;

    vd_tpm_begin(&command, VD_TPM_CC_GET_CAPABILITY);
    vd_write_be32(&command.w, question->capability);
    vd_write_be32(&command.w, question->property);
    vd_write_be32(&command.w, question->count);
    VD_TRY(vd_tpm_run(tpm, &command, ret, diag));
    if (vd_read_u8(&ret->parameters, &more) != VD_OK ||
        vd_read_be32(&ret->parameters, &answered) != VD_OK || answered != question->capability)
        return vd_tpm_malformed(diag, "TPM2_GetCapability");
    if (ret_more != NULL)
        *ret_more = more != 0;
    return VD_OK;
}

/* Four characters in a number, most significant first; anything unprintable becomes a space. */
static void put_chars(char *at, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        char c = (char)(value >> (24 - 8 * i));
        at[i] = c == '\0' || (c >= 0x20 && c <= 0x7e) ? c : ' ';
    }
}

static void put_property(struct vd_tpm_info *info, uint32_t property, uint32_t value)
{
    if (property == PT_FAMILY)
        put_chars(info->family, value);
    else if (property == PT_REVISION)
        info->revision = value;
    else if (property == PT_MANUFACTURER)
        put_chars(info->manufacturer, value);
    else if (property >= PT_VENDOR_1 && property <= PT_VENDOR_4)
        put_chars(info->vendor + strlen(info->vendor), value);
    else if (property == PT_FIRMWARE_1)
        info->firmware[0] = value;
    else if (property == PT_FIRMWARE_2)
        info->firmware[1] = value;
}

static vd_status read_properties(struct vd_tpm *tpm, struct vd_tpm_info *info, struct vd_diag *diag)
{
    struct vd_tpm_response response;
    const struct vd_tpm_question question = {VD_TPM_CAP_TPM_PROPERTIES, PT_FAMILY, PROPERTIES};
    uint32_t count, property, value;

    VD_TRY(vd_tpm_capability(tpm, &question, &response, NULL, diag));
    if (vd_read_be32(&response.parameters, &count) != VD_OK || count > PROPERTIES)
        return vd_tpm_malformed(diag, "list of properties");
    for (uint32_t i = 0; i < count; i++) {
        if (vd_read_be32(&response.parameters, &property) != VD_OK ||
            vd_read_be32(&response.parameters, &value) != VD_OK)
            return vd_tpm_malformed(diag, "list of properties");
        /* `vendor` has room for four numbers: no more are taken. */
        if (property < PT_VENDOR_1 || property > PT_VENDOR_4 || strlen(info->vendor) <= 12)
            put_property(info, property, value);
    }
    return vd_read_done(&response.parameters) == VD_OK
               ? VD_OK
               : vd_tpm_malformed(diag, "list of properties");
}

static vd_status read_algorithms(struct vd_tpm *tpm, struct vd_tpm_info *info, struct vd_diag *diag)
{
    struct vd_tpm_response response;
    uint32_t count, attributes, next = 0;
    bool more = true;

    while (more) {
        const struct vd_tpm_question question = {VD_TPM_CAP_ALGS, next, ALGORITHMS};
        VD_TRY(vd_tpm_capability(tpm, &question, &response, &more, diag));
        if (vd_read_be32(&response.parameters, &count) != VD_OK || count > ALGORITHMS ||
            info->algorithm_count + count > VD_TPM_ALGORITHMS_MAX)
            return vd_tpm_malformed(diag, "list of algorithms");
        for (uint32_t i = 0; i < count; i++) {
            uint16_t *id = &info->algorithm[info->algorithm_count++];
            if (vd_read_be16(&response.parameters, id) != VD_OK ||
                vd_read_be32(&response.parameters, &attributes) != VD_OK || *id < next)
                return vd_tpm_malformed(diag, "list of algorithms");
            next = *id + 1u;
        }
        more = more && count != 0;
    }
    return VD_OK;
}

vd_status vd_tpm_info(struct vd_tpm *tpm, struct vd_tpm_info *ret, struct vd_diag *diag)
{
    struct vd_tpm_info info = {};

    VD_TRY(read_properties(tpm, &info, diag));
    VD_TRY(read_algorithms(tpm, &info, diag));
    *ret = info;
    return VD_OK;
}

/* `count` properties from `first` on, all of which every TPM has. */
static vd_status read_values(struct vd_tpm *tpm, uint32_t first, uint32_t count, uint32_t *ret,
                             struct vd_diag *diag)
{
    const struct vd_tpm_question question = {VD_TPM_CAP_TPM_PROPERTIES, first, count};
    struct vd_tpm_response response;
    uint32_t found, property;

    VD_TRY(vd_tpm_capability(tpm, &question, &response, NULL, diag));
    if (vd_read_be32(&response.parameters, &found) != VD_OK || found != count)
        return vd_tpm_malformed(diag, "list of properties");
    for (uint32_t i = 0; i < count; i++) {
        if (vd_read_be32(&response.parameters, &property) != VD_OK || property != first + i ||
            vd_read_be32(&response.parameters, &ret[i]) != VD_OK)
            return vd_tpm_malformed(diag, "list of properties");
    }
    return VD_OK;
}

vd_status vd_tpm_lockout(struct vd_tpm *tpm, struct vd_tpm_lockout *ret, struct vd_diag *diag)
{
    uint32_t permanent, values[4];

    VD_TRY(read_values(tpm, PT_PERMANENT, 1, &permanent, diag));
    VD_TRY(read_values(tpm, PT_LOCKOUT, VD_COUNT(values), values, diag));
    *ret = (struct vd_tpm_lockout){.locked = (permanent & IN_LOCKOUT) != 0,
                                   .failed = values[0],
                                   .allowed = values[1],
                                   .interval_s = values[2],
                                   .recovery_s = values[3]};
    return VD_OK;
}

const char *vd_tpm_algorithm_name(uint16_t algorithm)
{
    static const struct {
        uint16_t id;
        const char *name;
    } names[] = {
        {0x0001, "rsa"},       {0x0003, "tdes"},
        {0x0004, "sha1"},      {0x0005, "hmac"},
        {0x0006, "aes"},       {0x0007, "mgf1"},
        {0x0008, "keyedhash"}, {0x000a, "xor"},
        {0x000b, "sha256"},    {0x000c, "sha384"},
        {0x000d, "sha512"},    {0x0012, "sm3-256"},
        {0x0013, "sm4"},       {0x0014, "rsassa"},
        {0x0015, "rsaes"},     {0x0016, "rsapss"},
        {0x0017, "oaep"},      {0x0018, "ecdsa"},
        {0x0019, "ecdh"},      {0x001a, "ecdaa"},
        {0x001b, "sm2"},       {0x001c, "ecschnorr"},
        {0x001d, "ecmqv"},     {0x0020, "kdf1-sp800-56a"},
        {0x0021, "kdf2"},      {0x0022, "kdf1-sp800-108"},
        {0x0023, "ecc"},       {0x0025, "symcipher"},
        {0x0026, "camellia"},  {0x0027, "sha3-256"},
        {0x0028, "sha3-384"},  {0x0029, "sha3-512"},
        {0x003f, "cmac"},      {0x0040, "ctr"},
        {0x0041, "ofb"},       {0x0042, "cbc"},
        {0x0043, "cfb"},       {0x0044, "ecb"},
    };

    for (size_t i = 0; i < VD_COUNT(names); i++) {
        if (names[i].id == algorithm)
            return names[i].name;
    }
    return NULL;
}
