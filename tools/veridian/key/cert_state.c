/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/key/cert_state.h"

#include <string.h>

#include "core/base/mem.h"
#include "core/base/reader.h"
#include "lib/cli/cli.h"
#include "lib/diagf.h"

#define MAGIC       "VDCA"
#define VERSION     1u
#define STATE       1u
#define REVOCATION  2u
#define LIST        3u
#define PKCS1       1u
#define ALTERNATIVE 2u

static const struct {
    uint8_t number;
    const char *name;
} reasons[] = {
    {0, "unspecified"},        {1, "keyCompromise"}, {2, "cACompromise"},
    {3, "affiliationChanged"}, {4, "superseded"},    {5, "cessationOfOperation"},
    {9, "privilegeWithdrawn"}, {10, "aACompromise"},
};
#define REASONS (sizeof(reasons) / sizeof(reasons[0]))

static void begin(struct vd_writer *w, uint8_t kind)
{
    vd_write_bytes(w, MAGIC, 4);
    vd_write_u8(w, VERSION);
    vd_write_u8(w, kind);
}

static vd_status short_of(const struct vd_reader *r, struct vd_diag *diag)
{
    return vd_diag_fail_at(diag, VD_E_TRUNCATED, vd_reader_offset(r),
                           "the authority's record ends too early");
}

static vd_status expect(struct vd_reader *r, uint8_t kind, struct vd_diag *diag)
{
    const uint8_t *magic;
    uint8_t version, got;

    if (vd_read_bytes(r, 4, &magic) != VD_OK)
        return short_of(r, diag);
    if (memcmp(magic, MAGIC, 4) != 0)
        return vd_diag_fail_at(diag, VD_E_MAGIC, 0, "this is no record of an authority");
    if (vd_read_u8(r, &version) != VD_OK || vd_read_u8(r, &got) != VD_OK)
        return short_of(r, diag);
    if (version != VERSION)
        return vd_diag_fail_at(diag, VD_E_VERSION, 4, "the record's version is not known");
    return got == kind ? VD_OK
                       : vd_diag_fail_at(diag, VD_E_RANGE, 5, "the record is of another kind");
}

static vd_status done(const struct vd_reader *r, struct vd_diag *diag)
{
    return vd_read_done(r) == VD_OK
               ? VD_OK
               : vd_diag_fail_at(diag, VD_E_TRAILING, vd_reader_offset(r),
                                 "the authority's record goes on behind its end");
}

void vd_cert_state_write(const struct vd_cert_state *state, struct vd_writer *w)
{
    begin(w, STATE);
    vd_write_u8(w,
                (uint8_t)((state->pkcs1 ? PKCS1 : 0) | (state->has_alternative ? ALTERNATIVE : 0)));
    vd_write_bytes(w, state->alternative, VD_KEY_ID_SIZE);
}

vd_status vd_cert_state_read(const void *data, size_t size, struct vd_cert_state *ret,
                             struct vd_diag *diag)
{
    struct vd_cert_state state = {};
    struct vd_reader r;
    uint8_t flags;

    vd_reader_init(&r, data, size);
    VD_TRY(expect(&r, STATE, diag));
    if (vd_read_u8(&r, &flags) != VD_OK ||
        vd_read_copy(&r, state.alternative, VD_KEY_ID_SIZE) != VD_OK)
        return short_of(&r, diag);
    if ((flags & ~(PKCS1 | ALTERNATIVE)) != 0)
        return vd_diag_fail_at(diag, VD_E_RANGE, 6, "a flag is not known");
    VD_TRY(done(&r, diag));
    state.pkcs1 = (flags & PKCS1) != 0;
    state.has_alternative = (flags & ALTERNATIVE) != 0;
    *ret = state;
    return VD_OK;
}

void vd_cert_revocation_write(const struct vd_cert_revocation *revocation, struct vd_writer *w)
{
    begin(w, REVOCATION);
    vd_write_u8(w, revocation->reason);
    vd_write_le64(w, revocation->at);
}

vd_status vd_cert_revocation_read(const void *data, size_t size, struct vd_cert_revocation *ret,
                                  struct vd_diag *diag)
{
    struct vd_cert_revocation revocation = {};
    struct vd_reader r;

    vd_reader_init(&r, data, size);
    VD_TRY(expect(&r, REVOCATION, diag));
    if (vd_read_u8(&r, &revocation.reason) != VD_OK || vd_read_le64(&r, &revocation.at) != VD_OK)
        return short_of(&r, diag);
    VD_TRY(done(&r, diag));
    if (vd_cert_reason_name(revocation.reason) == NULL)
        return vd_diag_fail_at(diag, VD_E_RANGE, 6, "there is no such reason");
    *ret = revocation;
    return VD_OK;
}

void vd_cert_list_write(const struct vd_cert_list *list, struct vd_writer *w)
{
    begin(w, LIST);
    vd_write_le64(w, list->this_update);
    vd_write_le64(w, list->next_update);
    vd_write_bytes(w, list->digest, sizeof(list->digest));
}

vd_status vd_cert_list_read(const void *data, size_t size, struct vd_cert_list *ret,
                            struct vd_diag *diag)
{
    struct vd_cert_list list = {};
    struct vd_reader r;

    vd_reader_init(&r, data, size);
    VD_TRY(expect(&r, LIST, diag));
    if (vd_read_le64(&r, &list.this_update) != VD_OK ||
        vd_read_le64(&r, &list.next_update) != VD_OK ||
        vd_read_copy(&r, list.digest, sizeof(list.digest)) != VD_OK)
        return short_of(&r, diag);
    VD_TRY(done(&r, diag));
    *ret = list;
    return VD_OK;
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

vd_status vd_cert_list_number(const char *name, uint64_t *ret, struct vd_diag *diag)
{
    size_t head = sizeof(VD_CERT_LIST) - 1;
    uint64_t number = 0;

    if (strlen(name) != head + 16 || memcmp(name, VD_CERT_LIST, head) != 0)
        return vd_diag_fail(diag, VD_E_INVALID, "this names no revocation list");
    for (const char *c = name + head; *c != '\0'; c++) {
        if (digit(*c) < 0)
            return vd_diag_fail(diag, VD_E_INVALID, "a revocation list's number has other digits");
        number = number << 4 | (uint64_t)digit(*c);
    }
    *ret = number;
    return VD_OK;
}

bool vd_cert_serial_valid(const char *hex)
{
    if (strlen(hex) != VD_CERT_SERIAL_HEX - 1)
        return false;
    for (; *hex != '\0'; hex++)
        if (digit(*hex) < 0)
            return false;
    return true;
}

const char *vd_cert_reason_name(uint8_t reason)
{
    for (size_t i = 0; i < REASONS; i++)
        if (reasons[i].number == reason)
            return reasons[i].name;
    return NULL;
}

static const char *next_reason(const void *ctx, uint32_t i)
{
    (void)ctx;
    return i < REASONS ? reasons[i].name : NULL;
}

vd_status vd_cert_reason_find(const char *name, uint8_t *ret, struct vd_diag *diag)
{
    const char *near;

    for (size_t i = 0; i < REASONS; i++) {
        if (strcmp(reasons[i].name, name) == 0) {
            *ret = reasons[i].number;
            return VD_OK;
        }
    }
    near = vd_cli_nearest(name, next_reason, NULL);
    vd_diagf_hint(diag, "did you mean '%s'?", near != NULL ? near : "keyCompromise");
    return vd_diagf(diag, VD_E_USAGE, "there is no reason '%s'", name);
}
