/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "hardware/tpm/pcr.h"
#include "lib/diagf.h"
#include "lib/file.h"
#include "lib/hash.h"
#include "lib/tpm_hash.h"
#include "tools/veridian/tpm/memory.h"

#define INPUT_MAX (64u << 20) /* bytes of a file that is measured */

struct extend_args {
    const char *tpm;
    const char *in;
    const char *digest;
    const char *bank;
};

static vd_status parse_pcr(const char *text, uint32_t *ret, struct vd_diag *diag)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (*end != '\0' || end == text || strlen(text) > 2 || value >= VD_PCR_COUNT)
        return vd_diagf(diag, VD_E_USAGE, "\"%s\" is no PCR: expected 0 to 23", text);
    *ret = (uint32_t)value;
    return VD_OK;
}

/* One digest as given, for one bank. */
static vd_status take_digest(const struct extend_args *args, struct vd_tpm_digest *ret,
                             struct vd_diag *diag)
{
    ret->algorithm = vd_tpm_alg_find(args->bank, strlen(args->bank));
    if (ret->algorithm == 0)
        return vd_diagf(diag, VD_E_USAGE, "\"%s\" is no bank: expected sha256, sha384, …",
                        args->bank);
    return vd_hex_decode(args->digest, ret->bytes, vd_tpm_alg_size(ret->algorithm), diag);
}

/* The file's digest for each bank that the TPM has and this program can hash for. */
static vd_status hash_file(struct vd_tpm *tpm, const struct vd_bytes *data,
                           struct vd_tpm_digest *ret, uint32_t *ret_count, struct vd_diag *diag)
{
    struct vd_tpm_selection banks;

    VD_TRY(vd_tpm_pcr_banks(tpm, &banks, diag));
    *ret_count = 0;
    for (uint32_t i = 0; i < banks.count; i++) {
        struct vd_tpm_digest *digest = &ret[*ret_count];

        if (banks.bank[i].pcrs == 0)
            continue;
        digest->algorithm = banks.bank[i].algorithm;
        if (vd_tpm_hash_ops.hash(NULL, digest->algorithm, data->data, data->size, digest->bytes) !=
            VD_OK)
            return vd_diagf(diag, VD_E_UNSUPPORTED,
                            "the TPM has a bank (0x%04x) that cannot be hashed for here: it "
                            "would miss the event",
                            digest->algorithm);
        (*ret_count)++;
    }
    return VD_OK;
}

static vd_status extend_in(const struct extend_args *args, const char *pcr_text,
                           struct vd_diag *diag)
{
    struct vd_tpm tpm VD_AUTO(vd_tpm_close) = {.fd = -1};
    struct vd_bytes data VD_AUTO(vd_bytes_free) = {};
    struct vd_tpm_digest digests[VD_TPM_BANKS_MAX];
    uint32_t pcr, count = 1;

    if ((args->in == NULL) == (args->digest == NULL))
        return vd_diag_fail(diag, VD_E_USAGE, "give --in or --digest, one of the two");
    VD_TRY(parse_pcr(pcr_text, &pcr, diag));
    if (args->digest != NULL)
        VD_TRY(take_digest(args, &digests[0], diag));
    else
        VD_TRY(vd_file_load(args->in, INPUT_MAX, &data, diag));
    VD_TRY(vd_tpm_open(&tpm, args->tpm, diag));
    if (args->in != NULL)
        VD_TRY(hash_file(&tpm, &data, digests, &count, diag));
    return vd_tpm_pcr_extend(&tpm, pcr, digests, count, diag);
}

static int extend(const struct vd_cli_call *call)
{
    struct vd_diag diag = {};

    return vd_cli_report(extend_in(call->args, call->operands[0], &diag), &diag);
}

#define TEXT(name_, field_, help_, argument_, standard_)                                   \
    {                                                                                      \
        .name = name_, .kind = VD_CLI_TEXT, .store = offsetof(struct extend_args, field_), \
        .help = help_, .argument = argument_, .standard = standard_                        \
    }

static const struct vd_cli_option options[] = {
    TEXT("in", in, "a file, at most 64 MiB: its digest goes into every bank", "FILE", NULL),
    TEXT("digest", digest, "a digest, for one bank", "HEX", NULL),
    TEXT("bank", bank, "the bank of --digest", "NAME", "sha256"),
    TEXT("tpm", tpm, "device:PATH, swtpm:path=PATH or swtpm:host=A,port=N", "NAME", NULL),
    {},
};

const struct vd_cli_command vd_tpm_extend_command = {
    .name = "extend",
    .usage = "(--in FILE | --digest HEX [--bank NAME]) [--tpm NAME] PCR",
    .summary = "extends a PCR",
    .details = "PCR = H(PCR || digest): it cannot be undone but by a reset.\n"
               "\n"
               "Example: veridian tpm extend --in /etc/appliance.conf 15",
    .options = options,
    .args_size = sizeof(struct extend_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = extend,
};
