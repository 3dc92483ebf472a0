/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/policy/compile.h"

#include <stdlib.h>
#include <string.h>

#include "core/policydb/policydb.h"
#include "lib/diagf.h"
#include "lib/file.h"
#include "tools/rulebook/rulebook.h"
#include "tools/veridian/policy/former.h"
#include "tools/veridian/policy/inputs.h"
#include "tools/sepolicy/sepolicy.h"

#define MAX_FILES   4096u
#define MESSAGE_MAX 4096u

struct compile_args {
    const char *out;
    uint32_t format;
    uint32_t selinux_version;
    uint32_t target;
    uint32_t mls;
    uint32_t unknown;
    bool strip;
    uint32_t cache;
};

/* Rows in the order of the enumerations of tools/sepolicy/sepolicy.h. */
static const struct vd_cli_option options[] = {
    {"out", 'o', VD_CLI_TEXT, offsetof(struct compile_args, out),
     "where to write (default: policy.vpol, or policy.N for SELinux)", "FILE", NULL, false},
    {"format", 0, VD_CLI_CHOICE, offsetof(struct compile_args, format), "what to write",
     "veridian|selinux", "veridian", false},
    {"selinux-version", 0, VD_CLI_U32, offsetof(struct compile_args, selinux_version),
     "version of SELinux's binary policy, 30 to 35", "N", NULL, false},
    {"target", 0, VD_CLI_CHOICE, offsetof(struct compile_args, target),
     "whose initial contexts and statements; only selinux is supported yet", "selinux|xen",
     "selinux", false},
    {"mls", 0, VD_CLI_CHOICE, offsetof(struct compile_args, mls),
     "multi-level security; auto: if the sources use levels", "auto|yes|no", "auto", false},
    {"handle-unknown", 0, VD_CLI_CHOICE, offsetof(struct compile_args, unknown),
     "what of the kernel's classes and permissions that the policy does not have",
     "deny|reject|allow", "deny", false},
    {"strip", 0, VD_CLI_FLAG, offsetof(struct compile_args, strip),
     "leave out the rules as written, which explain, search, flow and suggest need", NULL, NULL,
     false},
    {"cache", 0, VD_CLI_CHOICE, offsetof(struct compile_args, cache),
     "keep OUT.cache, which makes compiling changed sources again quick; auto: for large ones",
     "auto|yes|no", "auto", false},
    {},
};

static void print_message(void *arg, const struct vd_sepolicy_message *message)
{
    char text[MESSAGE_MAX];

    (void)arg;
    (void)vd_sepolicy_format(message, text, sizeof(text));
    (void)fputs(text, stderr);
}

/* What the compiler wrote must pass the check that every reader makes. */
static vd_status check_result(const struct vd_sepolicy_result *result, bool strip)
{
    struct vd_diag diag = {};
    struct vd_policydb db;
    struct vd_rulebook book;

    vd_status status =
        vd_policydb_open(&db, result->blob, vd_policydb_extent(result->blob, result->size), &diag);
    if (status == VD_OK && !strip)
        status = vd_rulebook_open(&book, &db, result->blob, result->size, &diag);
    if (status == VD_OK)
        return VD_OK;
    (void)vd_cli_report(VD_E_BUG, &diag);
    return VD_E_BUG;
}

/* The output as given, else the form's customary name. */
static const char *out_path(const struct compile_args *args, char *buf, size_t size)
{
    if (args->out != NULL)
        return args->out;
    if (args->format == VD_SEPOLICY_VERIDIAN)
        return "policy.vpol";
    (void)snprintf(buf, size, "policy.%u", args->selinux_version);
    return buf;
}

/* Options that contradict each other, or ask for what cannot be written. */
static vd_status check_args(struct compile_args *args, struct vd_diag *diag)
{
    if (args->target != 0)
        return vd_diag_fail(diag, VD_E_UNSUPPORTED, "only --target selinux is supported yet");
    if (args->format == VD_SEPOLICY_VERIDIAN)
        return args->selinux_version == 0
                   ? VD_OK
                   : vd_diag_fail(diag, VD_E_USAGE, "--selinux-version goes with --format selinux");
    if (args->selinux_version == 0)
        args->selinux_version = VD_SEPOLICY_SELINUX_DEFAULT;
    if (args->selinux_version < VD_SEPOLICY_SELINUX_MIN ||
        args->selinux_version > VD_SEPOLICY_SELINUX_MAX)
        return vd_diagf(diag, VD_E_USAGE, "--selinux-version is %u to %u, not %u",
                        VD_SEPOLICY_SELINUX_MIN, VD_SEPOLICY_SELINUX_MAX, args->selinux_version);
    return VD_OK;
}

enum { CACHE_AUTO, CACHE_YES, CACHE_NO };

/* Compiling less than this costs no more than reading a cache. */
#define CACHE_FROM ((size_t)1 << 20)

static bool wants_cache(const struct compile_args *args, const struct vd_policy_inputs *inputs)
{
    size_t size = 0;

    for (uint32_t i = 0; i < inputs->count; i++)
        size += inputs->sources[i].size;
    return args->format == VD_SEPOLICY_VERIDIAN && args->cache != CACHE_NO &&
           (args->cache == CACHE_YES || size >= CACHE_FROM);
}

/* A cache knows texts that are in memory whole; one file that changes is another text anyway. */
static bool wants_mapped(const struct compile_args *args, uint32_t files)
{
    return files > 1 && args->format == VD_SEPOLICY_VERIDIAN && args->cache != CACHE_NO;
}

/* The policy, then its cache: one without the other is of no harm. */
static vd_status store(const char *path, const struct vd_policy_former *former,
                       const struct vd_sepolicy_result *result, struct vd_diag *diag)
{
    struct vd_diag trouble = {};

    VD_TRY(vd_file_store(path, result->blob, result->size, 0644, diag));
    if (result->cache != NULL && vd_policy_former_store(former, result, &trouble) != VD_OK)
        fprintf(stderr, "warning: %s is not written: %s\n", former->path, trouble.text);
    return VD_OK;
}

static vd_status explain_status(vd_status status, struct vd_diag *diag)
{
    if (status == VD_E_INVALID)
        return vd_diag_fail(diag, status, "the policy has errors; nothing was written");
    if (status == VD_E_IO)
        return vd_diag_fail(diag, status, "a source cannot be read, or changes while it is read");
    return vd_diag_fail(diag, status,
                        "the policy is too large for this machine's memory or for the format");
}

static vd_status compile_to(const struct compile_args *args, const struct vd_policy_inputs *inputs,
                            struct vd_diag *diag)
{
    struct vd_sepolicy_options how = {.mls = (enum vd_sepolicy_mls)args->mls,
                                      .unknown = (enum vd_sepolicy_unknown)args->unknown,
                                      .form = (enum vd_sepolicy_form)args->format,
                                      .selinux_version = args->selinux_version,
                                      .rulebook = !args->strip,
                                      .message = print_message};
    struct vd_sepolicy_result result = {};
    VD_AUTO(vd_policy_former_done) struct vd_policy_former former = {};
    char buf[32];
    const char *path = out_path(args, buf, sizeof(buf));
    bool binary = inputs->count == 1 && inputs->sources->text != NULL &&
                  vd_sepolicy_is_selinux(inputs->sources->text, inputs->sources->size);
    vd_status status;

    if (!binary && wants_cache(args, inputs))
        how.keep_cache = vd_policy_former_open(&former, path);
    how.former = former.found;
    status = binary ? vd_sepolicy_read_selinux(inputs->sources, &how, &result)
                    : vd_sepolicy_compile(inputs->sources, inputs->count, &how, &result);
    if (status == VD_OK && !vd_policy_inputs_unchanged(inputs))
        status = VD_E_IO;
    if (status != VD_OK) {
        free(result.blob);
        free(result.cache);
        return explain_status(status, diag);
    }
    if (args->format == VD_SEPOLICY_VERIDIAN)
        status = check_result(&result, args->strip);
    if (status == VD_OK)
        status = store(path, &former, &result, diag);
    free(result.blob);
    free(result.cache);
    return status;
}

static int compile(const struct vd_cli_call *call)
{
    struct compile_args args = *(const struct compile_args *)call->args;
    struct vd_policy_inputs inputs = {};
    struct vd_diag diag = {};
    vd_status status = check_args(&args, &diag);

    if (status == VD_OK)
        status = vd_policy_inputs_load(&inputs, call->operands, call->operand_count,
                                       wants_mapped(&args, call->operand_count), &diag);
    if (status == VD_OK)
        status = compile_to(&args, &inputs, &diag);
    vd_policy_inputs_done(&inputs);
    return vd_cli_report(status, &diag);
}

const struct vd_cli_command vd_policy_compile_command = {
    .name = "compile",
    .usage = "[-o OUT] [--format veridian|selinux] [--selinux-version N] [--strip]\n"
             "    [--cache auto|yes|no] [--mls auto|yes|no]\n"
             "    [--handle-unknown deny|reject|allow] FILE...",
    .summary = "compiles policy sources",
    .details =
        "Several files are read as one text in the order given. Messages have the form\n"
        "FILE:LINE:COL: error: TEXT; #line marks are followed. The output is written as a\n"
        "whole, or not at all. With --format selinux it is the binary policy of SELinux's\n"
        "kernel, in version N: 30 to 35, by default 33. Such a binary policy, of version 30 to\n"
        "35, may also be the one FILE; it says itself whether it has multi-level security\n"
        "and what becomes of unknown classes. Without --strip the output keeps,\n"
        "behind what enforcement reads, the rules as written with their places.\n"
        "\n"
        "Exit codes: 0 written; 2 the sources or the call are wrong; 3 not supported yet.\n"
        "\n"
        "Example: veridian policy compile -o policy.vpol policy/image/image.te",
    .options = options,
    .args_size = sizeof(struct compile_args),
    .operands_min = 1,
    .operands_max = MAX_FILES,
    .run = compile,
};
