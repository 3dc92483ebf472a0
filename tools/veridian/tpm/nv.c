/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/mem.h"
#include "hardware/tpm/nv.h"
#include "hardware/tpm/seal.h"
#include "lib/diagf.h"
#include "lib/file.h"
#include "lib/json.h"
#include "tools/veridian/tpm/memory.h"

struct nv_args {
    const char *tpm;
    const char *in;
    const char *out;
    uint32_t size;
    bool counter;
    bool json;
};

/* What one run holds. */
struct run {
    struct vd_tpm tpm;
    struct vd_tpm_link link;
    struct vd_tpm_session session;
    uint32_t index;
    struct vd_tpm_nv nv;
};

static void run_done(struct run *run)
{
    vd_tpm_session_end(&run->link, &run->session);
    vd_tpm_crypto_free(run->link.crypto);
    vd_tpm_close(&run->tpm);
}

/* "0x01800010", or the part behind the handle's first byte: "0x800010". */
static vd_status parse_index(const char *text, uint32_t *ret, struct vd_diag *diag)
{
    char *end;
    unsigned long value = strtoul(text, &end, 0);

    if (end == text || *end != '\0' || text[0] == '-' || value > VD_TPM_NV_LAST ||
        (value > 0xffffff && value < VD_TPM_NV_FIRST))
        return vd_diagf(diag, VD_E_USAGE, "\"%s\" is no index: expected 0x01000000 to 0x01ffffff",
                        text);
    *ret = VD_TPM_NV_FIRST | (uint32_t)value;
    return VD_OK;
}

static vd_status begin(struct run *run, const struct nv_args *args, struct vd_diag *diag)
{
    VD_TRY(vd_tpm_open(&run->tpm, args->tpm, diag));
    run->link.tpm = &run->tpm;
    return vd_tpm_crypto_new(&run->link.crypto, diag);
}

/* With the index that the call names, which must be defined. */
static vd_status begin_at(struct run *run, const struct vd_cli_call *call, struct vd_diag *diag)
{
    VD_TRY(parse_index(call->operands[0], &run->index, diag));
    VD_TRY(begin(run, call->args, diag));
    return vd_tpm_nv_public(&run->link, run->index, &run->nv, diag);
}

static bool is_counter(const struct vd_tpm_nv *nv)
{
    return (nv->attributes & VD_TPM_NV_TYPE) == VD_TPM_NV_COUNTER;
}

static const char *type_name(const struct vd_tpm_nv *nv)
{
    if (is_counter(nv))
        return "counter";
    return (nv->attributes & VD_TPM_NV_TYPE) == 0 ? "ordinary" : "other";
}

static vd_status list_in(struct run *run, const struct vd_cli_call *call, struct vd_diag *diag)
{
    const struct nv_args *args = call->args;
    uint32_t index[VD_TPM_NV_LIST_MAX], count;

    VD_TRY(begin(run, args, diag));
    VD_TRY(vd_tpm_nv_list(&run->tpm, index, &count, diag));
    for (uint32_t i = 0; i < count; i++) {
        vd_status status = vd_tpm_nv_public(&run->link, index[i], &run->nv, NULL);
        bool known = status == VD_OK;
        bool written = known && (run->nv.attributes & VD_TPM_NV_WRITTEN) != 0;

        if (!args->json) {
            printf("0x%08x  %-8s  %4u bytes%s\n", index[i], known ? type_name(&run->nv) : "other",
                   known ? run->nv.size : 0, written ? "" : "  not written");
            continue;
        }
        VD_TRY(vd_json_print_line(json_pack("{s:I, s:s, s:i, s:b}", "index", (json_int_t)index[i],
                                            "type", known ? type_name(&run->nv) : "other", "size",
                                            known ? run->nv.size : 0, "written", written),
                                  diag));
    }
    return VD_OK;
}

static vd_status define_in(struct run *run, const struct vd_cli_call *call, struct vd_diag *diag)
{
    const struct nv_args *args = call->args;

    if ((args->size == 0) == !args->counter || args->size > VD_TPM_NV_SIZE_MAX)
        return vd_diagf(diag, VD_E_USAGE, "give --counter, or --size of 1 to %u bytes",
                        VD_TPM_NV_SIZE_MAX);
    VD_TRY(parse_index(call->operands[0], &run->index, diag));
    VD_TRY(begin(run, args, diag));
    return vd_tpm_nv_define(&run->link, run->index, (uint16_t)args->size, args->counter, diag);
}

static vd_status undefine_in(struct run *run, const struct vd_cli_call *call, struct vd_diag *diag)
{
    VD_TRY(begin_at(run, call, diag));
    return vd_tpm_nv_undefine(&run->link, &run->nv, diag);
}

static vd_status write_in(struct run *run, const struct vd_cli_call *call, struct vd_diag *diag)
{
    const struct nv_args *args = call->args;
    struct vd_bytes data VD_AUTO(vd_bytes_free) = {};

    VD_TRY(vd_file_load(args->in, VD_TPM_NV_SIZE_MAX, &data, diag));
    VD_TRY(begin_at(run, call, diag));
    return vd_tpm_nv_write(&run->link, &run->nv, data.data, data.size, diag);
}

/* The value, through a session salted for the storage root key. */
static vd_status read_value(struct run *run, uint8_t *ret, struct vd_diag *diag)
{
    struct vd_tpm_storage_key key;

    if (run->nv.size > VD_TPM_NV_SIZE_MAX)
        return vd_diagf(diag, VD_E_LIMIT, "index 0x%08x has %u bytes; at most %u are read",
                        run->index, run->nv.size, VD_TPM_NV_SIZE_MAX);
    VD_TRY(vd_tpm_srk(&run->link, &key, diag));
    VD_TRY(vd_tpm_session_start(&run->link, VD_TPM_SESSION_HMAC, &key, &run->session, diag));
    return vd_tpm_nv_read(&run->link, &run->session, &run->nv, ret, diag);
}

static uint64_t count_of(const uint8_t value[8])
{
    struct vd_reader r;
    uint64_t count = 0;

    vd_reader_init(&r, value, 8);
    (void)!vd_read_be64(&r, &count);
    return count;
}

static vd_status read_in(struct run *run, const struct vd_cli_call *call, struct vd_diag *diag)
{
    const struct nv_args *args = call->args;
    uint8_t value[VD_TPM_NV_SIZE_MAX];

    VD_TRY(begin_at(run, call, diag));
    VD_TRY(read_value(run, value, diag));
    if (args->out != NULL)
        return vd_file_store(args->out, value, run->nv.size, 0600, diag);
    if (is_counter(&run->nv) && run->nv.size == 8)
        printf("%" PRIu64 "\n", count_of(value));
    else if (fwrite(value, 1, run->nv.size, stdout) != run->nv.size)
        return vd_diag_fail(diag, VD_E_IO, "cannot write the value");
    return VD_OK;
}

static vd_status increment_in(struct run *run, const struct vd_cli_call *call, struct vd_diag *diag)
{
    uint8_t value[VD_TPM_NV_SIZE_MAX];

    VD_TRY(begin_at(run, call, diag));
    VD_TRY(vd_tpm_nv_increment(&run->link, &run->nv, diag));
    VD_TRY(
        vd_tpm_nv_public(&run->link, run->index, &run->nv, diag)); /* written now: another name */
    VD_TRY(read_value(run, value, diag));
    printf("%" PRIu64 "\n", count_of(value));
    return VD_OK;
}

#define VERB(name_)                                                 \
    static int name_(const struct vd_cli_call *call)                \
    {                                                               \
        struct run run VD_AUTO(run_done) = {.tpm = {.fd = -1}};     \
        struct vd_diag diag = {};                                   \
                                                                    \
        return vd_cli_report(name_##_in(&run, call, &diag), &diag); \
    }

VERB(list)
VERB(define)
VERB(undefine)
VERB(write)
VERB(read)
VERB(increment)

#define TPM_OPTION                                                                        \
    {                                                                                     \
        .name = "tpm", .kind = VD_CLI_TEXT, .store = offsetof(struct nv_args, tpm),       \
        .help = "device:PATH, swtpm:path=PATH or swtpm:host=A,port=N", .argument = "NAME" \
    }

static const struct vd_cli_option plain_options[] = {TPM_OPTION, {}};

static const struct vd_cli_option list_options[] = {
    {.name = "json",
     .kind = VD_CLI_FLAG,
     .store = offsetof(struct nv_args, json),
     .help = "one JSON object a line"},
    TPM_OPTION,
    {},
};

static const struct vd_cli_option define_options[] = {
    {.name = "size",
     .kind = VD_CLI_U32,
     .store = offsetof(struct nv_args, size),
     .help = "bytes of an ordinary index",
     .argument = "N"},
    {.name = "counter",
     .kind = VD_CLI_FLAG,
     .store = offsetof(struct nv_args, counter),
     .help = "a counter, which only rises"},
    TPM_OPTION,
    {},
};

static const struct vd_cli_option write_options[] = {
    {.name = "in",
     .kind = VD_CLI_TEXT,
     .store = offsetof(struct nv_args, in),
     .help = "what to write",
     .argument = "FILE",
     .required = true},
    TPM_OPTION,
    {},
};

static const struct vd_cli_option read_options[] = {
    {.name = "out",
     .kind = VD_CLI_TEXT,
     .store = offsetof(struct nv_args, out),
     .help = "where the bytes go, mode 0600 (default: standard output; a counter as a number)",
     .argument = "FILE"},
    TPM_OPTION,
    {},
};

#define COMMAND(verb_, usage_, summary_, options_, operands_)                                  \
    static const struct vd_cli_command verb_##_command = {.name = #verb_,                      \
                                                          .usage = usage_,                     \
                                                          .summary = summary_,                 \
                                                          .options = options_,                 \
                                                          .args_size = sizeof(struct nv_args), \
                                                          .operands_min = operands_,           \
                                                          .operands_max = operands_,           \
                                                          .run = verb_}

COMMAND(list, "[--json] [--tpm NAME]", "lists the indices", list_options, 0);
COMMAND(define, "(--size N | --counter) [--tpm NAME] INDEX", "makes an index", define_options, 1);
COMMAND(undefine, "[--tpm NAME] INDEX", "removes an index and what it holds", plain_options, 1);
COMMAND(write, "--in FILE [--tpm NAME] INDEX", "writes an ordinary index", write_options, 1);
COMMAND(read, "[--out FILE] [--tpm NAME] INDEX", "reads an index", read_options, 1);
COMMAND(increment, "[--tpm NAME] INDEX", "adds one to a counter and prints it", plain_options, 1);

static const struct vd_cli_command *const verbs[] = {
    &list_command,      &define_command,   &read_command, &write_command,
    &increment_command, &undefine_command, NULL,
};

const struct vd_cli_command vd_tpm_nv_command = {
    .name = "nv",
    .summary = "indices in the TPM's non-volatile memory, and counters",
    .commands = verbs,
};
