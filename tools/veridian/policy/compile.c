/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/policy/compile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/policydb/policydb.h"
#include "lib/diagf.h"
#include "lib/file.h"
#include "tools/rulebook/rulebook.h"
#include "tools/veridian/policy/former.h"
#include "tools/sepolicy/sepolicy.h"

#define MAX_FILES   4096u
#define MESSAGE_MAX 4096u
#define STREAM_FROM (1 << 20) /* bytes: larger files are not held in memory */

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
     "version of SELinux's binary policy, 30 to 34", "N", NULL, false},
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

/* A source: a small one, or what is no regular file, in memory; a large one read when wanted. */
struct input {
    struct vd_bytes bytes;
    int fd; /* -1: it is in memory */
};

struct inputs {
    struct input *list;
    struct vd_sepolicy_source *sources;
    uint32_t count;
};

static void inputs_done(struct inputs *inputs)
{
    for (uint32_t i = 0; i < inputs->count; i++) {
        vd_bytes_free(&inputs->list[i].bytes);
        vd_fd_close(&inputs->list[i].fd);
    }
    free(inputs->list);
    free(inputs->sources);
}

/* Short files and files that shrink while they are read give false. */
static bool read_input(void *arg, size_t offset, char *buf, size_t size)
{
    const struct input *input = arg;

    while (size > 0) {
        ssize_t n = pread(input->fd, buf, size, (off_t)offset);

        if (n <= 0 && !(n < 0 && errno == EINTR))
            return false;
        if (n > 0) {
            buf += n;
            offset += (size_t)n;
            size -= (size_t)n;
        }
    }
    return true;
}

/* SELinux's binary policy is read as a whole. */
static bool is_binary(int fd)
{
    uint8_t start[4];

    return pread(fd, start, sizeof(start), 0) == sizeof(start) &&
           vd_sepolicy_is_selinux(start, sizeof(start));
}

static vd_status input_load(struct input *input, const char *path,
                            struct vd_sepolicy_source *source, struct vd_diag *diag)
{
    struct stat st;

    *source = (struct vd_sepolicy_source){.name = path};
    input->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (input->fd >= 0 && fstat(input->fd, &st) == 0 && S_ISREG(st.st_mode) &&
        st.st_size > STREAM_FROM && st.st_size <= (off_t)VD_SEPOLICY_MAX_SOURCE &&
        !is_binary(input->fd)) {
        source->size = (size_t)st.st_size;
        source->read = read_input;
        source->read_arg = input;
        return VD_OK;
    }
    if (input->fd < 0)
        return vd_file_load(path, VD_SEPOLICY_MAX_SOURCE, &input->bytes, diag); /* says why */
    VD_TRY(vd_file_load_fd(input->fd, path, VD_SEPOLICY_MAX_SOURCE, &input->bytes, diag));
    vd_fd_close(&input->fd);
    source->text = (const char *)input->bytes.data;
    source->size = input->bytes.size;
    return VD_OK;
}

/* Said once, where the reader of sources would stumble over each byte. */
static vd_status refuse_compiled(struct input *input, const struct vd_sepolicy_source *source,
                                 struct vd_diag *diag)
{
    uint8_t start[sizeof(VD_PDB_MAGIC) - 1];

    if (source->size < sizeof(start))
        return VD_OK;
    if (source->text != NULL)
        memcpy(start, source->text, sizeof(start));
    else if (!read_input(input, 0, (char *)start, sizeof(start)))
        return VD_OK;
    if (memcmp(start, VD_PDB_MAGIC, sizeof(start)) != 0)
        return VD_OK;
    (void)vd_diag_fail(diag, VD_E_INVALID, "this is a compiled policy, not a source");
    vd_diag_file(diag, source->name);
    return VD_E_INVALID;
}

static vd_status inputs_load(struct inputs *inputs, uint32_t count, char **paths,
                             struct vd_diag *diag)
{
    inputs->list = calloc(count, sizeof(*inputs->list));
    inputs->sources = calloc(count, sizeof(*inputs->sources));
    if (inputs->list == NULL || inputs->sources == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < count; i++)
        inputs->list[i].fd = -1;
    inputs->count = count;
    for (uint32_t i = 0; i < count; i++) {
        VD_TRY(input_load(&inputs->list[i], paths[i], &inputs->sources[i], diag));
        VD_TRY(refuse_compiled(&inputs->list[i], &inputs->sources[i], diag));
    }
    return VD_OK;
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

static bool wants_cache(const struct compile_args *args, const struct inputs *inputs)
{
    size_t size = 0;

    for (uint32_t i = 0; i < inputs->count; i++)
        size += inputs->sources[i].size;
    return args->format == VD_SEPOLICY_VERIDIAN && args->cache != CACHE_NO &&
           (args->cache == CACHE_YES || size >= CACHE_FROM);
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

static vd_status compile_to(const struct compile_args *args, const struct inputs *inputs,
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
    if (status != VD_OK)
        return explain_status(status, diag);
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
    struct inputs inputs = {};
    struct vd_diag diag = {};
    vd_status status = check_args(&args, &diag);

    if (status == VD_OK)
        status = inputs_load(&inputs, call->operand_count, call->operands, &diag);
    if (status == VD_OK)
        status = compile_to(&args, &inputs, &diag);
    inputs_done(&inputs);
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
        "kernel, in version N: 30 to 34, by default 33. Such a binary policy, of version 30 to\n"
        "34, may also be the one FILE; it says itself whether it has multi-level security\n"
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
