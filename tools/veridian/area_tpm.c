/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The area `tpm`: what the TPM is, its PCRs, the event log that explains them; tpm/ has the rest. */
#include "tools/veridian/areas.h"

#include <stdio.h>

#include "hardware/tpm/capability.h"
#include "lib/tpm_hash.h"
#include "hardware/tpm/pcr.h"
#include "lib/diagf.h"
#include "lib/file.h"
#include "lib/hash.h"
#include "lib/json.h"
#include "tools/veridian/attest/make.h"
#include "tools/veridian/tpm/memory.h"
#include "tools/veridian/tpm/seal.h"

struct tpm_args {
    const char *tpm;
    const char *pcrs;
    bool json;
};

#define TPM_OPTION                                                                        \
    {                                                                                     \
        .name = "tpm", .kind = VD_CLI_TEXT, .store = offsetof(struct tpm_args, tpm),      \
        .help = "device:PATH, swtpm:path=PATH or swtpm:host=A,port=N", .argument = "NAME" \
    }
#define JSON_OPTION                                                                    \
    {                                                                                  \
        .name = "json", .kind = VD_CLI_FLAG, .store = offsetof(struct tpm_args, json), \
        .help = "print JSON"                                                           \
    }

static const struct vd_cli_option info_options[] = {TPM_OPTION, JSON_OPTION, {}};

static json_t *algorithms_json(const struct vd_tpm_info *info)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < info->algorithm_count; i++) {
        const char *name = vd_tpm_algorithm_name(info->algorithm[i]);
        json_array_append_new(list,
                              name != NULL ? json_string(name) : json_integer(info->algorithm[i]));
    }
    return list;
}

static json_t *banks_json(const struct vd_tpm_selection *banks)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < banks->count; i++) {
        const char *name = vd_tpm_alg_name(banks->bank[i].algorithm);
        json_array_append_new(list, name != NULL ? json_string(name)
                                                 : json_integer(banks->bank[i].algorithm));
    }
    return list;
}

static void print_info(const struct vd_tpm_info *info, const struct vd_tpm_selection *banks)
{
    printf("manufacturer  %s\nvendor        %s\n", info->manufacturer, info->vendor);
    printf("firmware      %u.%u.%u.%u\n", info->firmware[0] >> 16, info->firmware[0] & 0xffff,
           info->firmware[1] >> 16, info->firmware[1] & 0xffff);
    printf("TPM           %s, specification %u.%02u\n", info->family, info->revision / 100,
           info->revision % 100);
    fputs("PCR banks    ", stdout);
    for (uint32_t i = 0; i < banks->count; i++) {
        const char *name = vd_tpm_alg_name(banks->bank[i].algorithm);
        printf(" %s", name != NULL ? name : "?");
    }
    fputs("\nalgorithms   ", stdout);
    for (uint32_t i = 0; i < info->algorithm_count; i++) {
        const char *name = vd_tpm_algorithm_name(info->algorithm[i]);
        if (name != NULL)
            printf(" %s", name);
        else
            printf(" 0x%04x", info->algorithm[i]);
    }
    putchar('\n');
}

static void print_lockout(const struct vd_tpm_lockout *lockout)
{
    printf("passwords     %s, %u of %u wrong ones", lockout->locked ? "locked" : "accepted",
           lockout->failed, lockout->allowed);
    if (lockout->interval_s > 0)
        printf("; one is forgiven every %u s", lockout->interval_s);
    putchar('\n');
}

static json_t *lockout_json(const struct vd_tpm_lockout *lockout)
{
    return json_pack("{s:b, s:I, s:I, s:I}", "locked", lockout->locked, "failed",
                     (json_int_t)lockout->failed, "allowed", (json_int_t)lockout->allowed,
                     "interval_s", (json_int_t)lockout->interval_s);
}

static vd_status show_info(const struct tpm_args *args, struct vd_diag *diag)
{
    struct vd_tpm tpm VD_AUTO(vd_tpm_close) = {.fd = -1};
    struct vd_tpm_selection banks;
    struct vd_tpm_lockout lockout;
    struct vd_tpm_info info;

    VD_TRY(vd_tpm_open(&tpm, args->tpm, diag));
    VD_TRY(vd_tpm_lockout(&tpm, &lockout, diag));
    VD_TRY(vd_tpm_info(&tpm, &info, diag));
    VD_TRY(vd_tpm_pcr_banks(&tpm, &banks, diag));
    if (!args->json) {
        print_info(&info, &banks);
        print_lockout(&lockout);
        return VD_OK;
    }
    return vd_json_print(json_pack("{s:s, s:s, s:s, s:i, s:[I, I], s:o, s:o, s:o}", "manufacturer",
                                   info.manufacturer, "vendor", info.vendor, "family", info.family,
                                   "revision", (int)info.revision, "firmware",
                                   (json_int_t)info.firmware[0], (json_int_t)info.firmware[1],
                                   "pcr_banks", banks_json(&banks), "algorithms",
                                   algorithms_json(&info), "lockout", lockout_json(&lockout)),
                         diag);
}

static int info(const struct vd_cli_call *call)
{
    struct vd_diag diag = {};

    return vd_cli_report(show_info(call->args, &diag), &diag);
}

static const struct vd_cli_command info_command = {
    .name = "info",
    .usage = "[--tpm NAME] [--json]",
    .summary = "what the TPM is and which banks and algorithms it has",
    .options = info_options,
    .args_size = sizeof(struct tpm_args),
    .run = info,
};

static const struct vd_cli_option pcr_options[] = {
    TPM_OPTION,
    {.name = "pcrs",
     .kind = VD_CLI_TEXT,
     .store = offsetof(struct tpm_args, pcrs),
     .help = "PCRs of one bank, as in 0-7,11 or sha384:4",
     .argument = "LIST",
     .standard = "0-23"},
    JSON_OPTION,
    {},
};

static vd_status show_pcrs(const struct tpm_args *args, struct vd_diag *diag)
{
    struct vd_tpm tpm VD_AUTO(vd_tpm_close) = {.fd = -1};
    struct vd_tpm_selection selection;
    struct vd_pcr_bank bank;
    char hex[2 * VD_DIGEST_MAX_SIZE + 1];

    VD_TRY(vd_tpm_selection_parse(args->pcrs, &selection, diag));
    VD_TRY(vd_tpm_open(&tpm, args->tpm, diag));
    VD_TRY(vd_tpm_pcr_read(&tpm, &selection.bank[0], &bank, diag));
    if (args->json)
        return vd_json_print(vd_attest_pcrs_json(&bank, 1), diag);
    for (uint32_t pcr = 0; pcr < VD_PCR_COUNT; pcr++) {
        if ((bank.extended >> pcr & 1) == 0)
            continue;
        vd_hex_encode(bank.value[pcr], bank.digest_size, hex);
        printf("%s:%-2u %s\n", vd_tpm_alg_name(bank.algorithm), pcr, hex);
    }
    return VD_OK;
}

static int pcr(const struct vd_cli_call *call)
{
    struct vd_diag diag = {};

    return vd_cli_report(show_pcrs(call->args, &diag), &diag);
}

static const struct vd_cli_command pcr_command = {
    .name = "pcr",
    .usage = "[--pcrs LIST] [--tpm NAME] [--json]",
    .summary = "prints PCR values",
    .options = pcr_options,
    .args_size = sizeof(struct tpm_args),
    .run = pcr,
};

struct log_args {
    bool json;
};

static const struct vd_cli_option eventlog_options[] = {
    {.name = "json",
     .kind = VD_CLI_FLAG,
     .store = offsetof(struct log_args, json),
     .help = "one JSON object a line"},
    {},
};

static vd_status show_event(const struct vd_eventlog *log, const struct vd_logged_event *event,
                            uint32_t number, bool json, struct vd_diag *diag)
{
    const char *type = vd_event_type_name(event->type);
    json_t *digests = json ? json_object() : NULL;
    char hex[2 * VD_DIGEST_MAX_SIZE + 1], name[16];

    snprintf(name, sizeof(name), "0x%08x", event->type);
    if (!json)
        printf("%4u  PCR %-2u  %s  %zu bytes\n", number, event->pcr, type != NULL ? type : name,
               event->data.size);
    for (uint32_t i = 0; i < log->algorithm_count; i++) {
        const char *bank = vd_tpm_alg_name(log->algorithm[i].id);
        vd_hex_encode(event->digest[i].data, event->digest[i].size, hex);
        if (json)
            json_object_set_new(digests, bank != NULL ? bank : "?", json_string(hex));
        else
            printf("      %s %s\n", bank != NULL ? bank : "?", hex);
    }
    if (!json)
        return VD_OK;
    return vd_json_print_line(json_pack("{s:i, s:I, s:i, s:s, s:I, s:o}", "event", (int)number,
                                        "offset", (json_int_t)event->offset, "pcr", (int)event->pcr,
                                        "type", type != NULL ? type : name, "size",
                                        (json_int_t)event->data.size, "digests", digests),
                              diag);
}

static vd_status show_log(const char *path, bool json, struct vd_diag *diag)
{
    struct vd_bytes bytes VD_AUTO(vd_bytes_free) = {};
    struct vd_eventlog log;
    struct vd_logged_event event;
    vd_status status = vd_file_load(path != NULL ? path : VD_ATTEST_KERNEL_LOG,
                                    VD_EVENTLOG_MAX_BYTES, &bytes, diag);

    if (status == VD_E_NOT_FOUND && path == NULL) {
        vd_diag_hint(diag, "the kernel has a log only where firmware with a TPM wrote one; "
                           "name a FILE for another machine's");
        return VD_E_MISSING;
    }
    VD_TRY(status);
    vd_diag_file(diag, path != NULL ? path : VD_ATTEST_KERNEL_LOG);
    VD_TRY(vd_eventlog_open(bytes.data, bytes.size, &log, diag));
    for (uint32_t number = 1; vd_eventlog_more(&log); number++) {
        VD_TRY(vd_eventlog_next(&log, &event, diag));
        VD_TRY(show_event(&log, &event, number, json, diag));
    }
    return VD_OK;
}

static int eventlog(const struct vd_cli_call *call)
{
    const struct log_args *args = call->args;
    struct vd_diag diag = {};

    return vd_cli_report(show_log(call->operands[0], args->json, &diag), &diag);
}

static const struct vd_cli_command eventlog_command = {
    .name = "eventlog",
    .usage = "[--json] [FILE]",
    .summary = "prints the events of the firmware and bootloader (default: the kernel's copy)",
    .options = eventlog_options,
    .args_size = sizeof(struct log_args),
    .operands_max = 1,
    .run = eventlog,
};

static const struct vd_cli_command *const verbs[] = {
    &info_command,          &pcr_command,           &eventlog_command,
    &vd_tpm_extend_command, &vd_tpm_nv_command,     &vd_tpm_seal_command,
    &vd_tpm_unseal_command, &vd_tpm_policy_command, NULL,
};

const struct vd_cli_command vd_area_tpm = {
    .name = "tpm",
    .summary = "the TPM: PCRs, event log, non-volatile memory, sealing",
    .commands = verbs,
};
