/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The area `boot`: keys, images, the firmware's variables. Options only; the
 * work is in boot/.
 */
#include "tools/veridian/areas.h"

#include "lib/diagf.h"
#include "lib/json.h"
#include "tools/veridian/boot/build.h"
#include "tools/veridian/boot/defaults.h"
#include "tools/veridian/boot/inspect.h"
#include "tools/veridian/boot/judge_file.h"
#include "tools/veridian/boot/keys.h"
#include "tools/veridian/boot/predict.h"

#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct keys_args {
    const char *out;
};

static const struct vd_cli_option keys_options[] = {
    {.name = "out",
     .letter = 'o',
     .kind = VD_CLI_TEXT,
     .store = offsetof(struct keys_args, out),
     .help = "where to put them; made if need be",
     .argument = "DIR",
     .required = true},
    {},
};

static int keys(const struct vd_cli_call *call)
{
    const struct keys_args *args = call->args;
    struct vd_diag diag = {};

    return vd_cli_report(vd_boot_keys(args->out, &diag), &diag);
}

static const struct vd_cli_command keys_command = {
    .name = "keys",
    .usage = "--out DIR",
    .summary = "makes the keys and certificates of a boot chain",
    .details = "PK, KEK and db for the firmware (db signs the bootloader); root and image for\n"
               "images. One file each: NAME.key (private, mode 0600), NAME.crt (PEM), NAME.der.\n"
               "Existing keys are never overwritten.",
    .options = keys_options,
    .args_size = sizeof(struct keys_args),
    .run = keys,
};

struct build_args {
    struct vd_boot_build build;
};

#define BUILD_OPTION(name_, kind_, member, help_, argument_)                              \
    {                                                                                     \
        .name = name_, .kind = kind_, .store = offsetof(struct build_args, build.member), \
        .help = help_, .argument = argument_                                              \
    }
#define BUILD_REQUIRED(name_, member, help_, argument_)                                         \
    {                                                                                           \
        .name = name_, .kind = VD_CLI_TEXT, .store = offsetof(struct build_args, build.member), \
        .help = help_, .argument = argument_, .required = true                                  \
    }

static const struct vd_cli_option build_options[] = {
    BUILD_REQUIRED("keys", keys_dir, "the directory of `boot keys`", "DIR"),
    BUILD_REQUIRED("kernel", kernel, "the kernel, an EFI program; stored as it is", "FILE"),
    BUILD_OPTION("initrd", VD_CLI_TEXT, initrd, "the initrd; stored as it is", "FILE"),
    {.name = "cmdline",
     .kind = VD_CLI_TEXT,
     .store = offsetof(struct build_args, build.cmdline),
     .help = "the kernel's command line, printable ASCII",
     .argument = "TEXT",
     .standard = ""},
    BUILD_OPTION("root-hash", VD_CLI_TEXT, root_hash, "dm-verity root hash, 64 digits", "HEX"),
    {.name = "security-version",
     .kind = VD_CLI_U32,
     .store = offsetof(struct build_args, build.security_version),
     .help = "what boot policies compare",
     .argument = "N",
     .standard = "1"},
    {.name = "signer-generation",
     .kind = VD_CLI_U32,
     .store = offsetof(struct build_args, build.signer_generation),
     .help = "raised with each new image signer",
     .argument = "N",
     .standard = "1"},
    BUILD_OPTION("policy", VD_CLI_TEXT, policy, "boot policy for the bootloader's trust block",
                 "FILE"),
    BUILD_OPTION("image-policy", VD_CLI_TEXT, image_policy, "boot policy for the image", "FILE"),
    BUILD_OPTION("bootloader", VD_CLI_TEXT, bootloader, "the bootloader without trust", "FILE"),
    BUILD_OPTION("vars-template", VD_CLI_TEXT, vars, "the firmware's empty variable store", "FILE"),
    BUILD_OPTION("virt-fw-vars", VD_CLI_TEXT, virt_fw_vars, "the program virt-fw-vars", "FILE"),
    BUILD_REQUIRED("out", out, "where to put the files; made if need be", "DIR"),
    {},
};

/* Every EFI program begins with the mark of a DOS program. */
static bool is_dos_program(const char *path)
{
    VD_AUTO(vd_fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    char mark[2];

    return fd >= 0 && pread(fd, mark, sizeof(mark), 0) == sizeof(mark) &&
           memcmp(mark, "MZ", sizeof(mark)) == 0;
}

static int build(const struct vd_cli_call *call)
{
    struct vd_boot_build request = ((const struct build_args *)call->args)->build;
    struct vd_diag diag = {};
    char bootloader[PATH_MAX];
    char vars[PATH_MAX];
    char program[PATH_MAX];
    vd_status status;

    if (request.bootloader == NULL)
        request.bootloader = vd_boot_default_bootloader(bootloader);
    if (request.vars == NULL)
        request.vars = vd_boot_default_vars(vars);
    if (request.virt_fw_vars == NULL)
        request.virt_fw_vars = vd_boot_default_virt_fw_vars(program);
    status = vd_boot_build(&request, &diag);
    if (status == VD_OK && !is_dos_program(request.kernel))
        fprintf(stderr, "warning: %s is no EFI program: the firmware will not start it\n",
                request.kernel);
    return vd_cli_report(status, &diag);
}

static const struct vd_cli_command build_command = {
    .name = "build",
    .usage = "--keys DIR --kernel FILE [--initrd FILE] [--cmdline TEXT] --out DIR",
    .summary = "builds image, bootloader, EFI system partition and firmware variables",
    .details =
        "Writes veridian.img, BOOTX64.EFI (trust block filled, signed with db), esp.img and\n"
        "vars.fd (secure boot on, our keys enrolled) into DIR. Without --policy the\n"
        "bootloader requires secure boot and measured boot.\n"
        "\n"
        "Example: veridian boot build --keys keys --kernel vmlinuz --initrd initrd.img \\\n"
        "             --cmdline 'console=ttyS0' --security-version 3 --out boot",
    .options = build_options,
    .args_size = sizeof(struct build_args),
    .run = build,
};

struct enroll_args {
    const char *keys;
    const char *out;
    const char *vars;
    const char *virt_fw_vars;
    struct vd_cli_list dbx;
};

static const struct vd_cli_option enroll_options[] = {
    {.name = "keys",
     .kind = VD_CLI_TEXT,
     .store = offsetof(struct enroll_args, keys),
     .help = "the directory of `boot keys`",
     .argument = "DIR",
     .required = true},
    {.name = "out",
     .letter = 'o',
     .kind = VD_CLI_TEXT,
     .store = offsetof(struct enroll_args, out),
     .help = "the variable store to write",
     .argument = "FILE",
     .required = true},
    {.name = "dbx",
     .kind = VD_CLI_LIST,
     .store = offsetof(struct enroll_args, dbx),
     .help = "forbid a digest (64 digits), an image, an EFI program or a certificate",
     .argument = "HEX|FILE"},
    {.name = "vars-template",
     .kind = VD_CLI_TEXT,
     .store = offsetof(struct enroll_args, vars),
     .help = "the firmware's empty variable store",
     .argument = "FILE"},
    {.name = "virt-fw-vars",
     .kind = VD_CLI_TEXT,
     .store = offsetof(struct enroll_args, virt_fw_vars),
     .help = "the program virt-fw-vars",
     .argument = "FILE"},
    {},
};

/* Built in a stage beside the output and moved over it. */
static vd_status enroll_to(const struct enroll_args *args, struct vd_boot_enroll *request,
                           struct vd_diag *diag)
{
    VD_AUTO(vd_boot_stage_done) struct vd_boot_stage stage = {};
    char dir[PATH_MAX];
    char base[PATH_MAX];
    char staged[PATH_MAX];
    const char *names[2] = {};

    if (strlen(args->out) >= PATH_MAX)
        return vd_diag_fail(diag, VD_E_LIMIT, "a path is too long");
    strcpy(dir, args->out);
    strcpy(base, args->out);
    names[0] = basename(base);
    VD_TRY(vd_boot_stage_init(&stage, dirname(dir), diag));
    VD_TRY(vd_boot_path(staged, stage.dir, names[0], diag));
    VD_TRY(vd_boot_enroll(request, stage.dir, staged, diag));
    return vd_boot_stage_commit(&stage, names, diag);
}

static int enroll(const struct vd_cli_call *call)
{
    const struct enroll_args *args = call->args;
    struct vd_diag diag = {};
    char vars[PATH_MAX];
    char program[PATH_MAX];
    struct vd_boot_enroll request = {
        .keys_dir = args->keys,
        .base = args->vars != NULL ? args->vars : vd_boot_default_vars(vars),
        .virt_fw_vars =
            args->virt_fw_vars != NULL ? args->virt_fw_vars : vd_boot_default_virt_fw_vars(program),
        .forbidden = args->dbx.item,
        .forbidden_count = args->dbx.count,
    };

    return vd_cli_report(enroll_to(args, &request, &diag), &diag);
}

static const struct vd_cli_command enroll_command = {
    .name = "enroll",
    .usage = "--keys DIR --out FILE [--dbx HEX|FILE]...",
    .summary = "writes firmware variables with our keys and a forbidden list",
    .options = enroll_options,
    .args_size = sizeof(struct enroll_args),
    .run = enroll,
};

struct verify_args {
    const char *root;
    const char *policy;
    struct vd_cli_list dbx;
    bool json;
};

static const struct vd_cli_option verify_options[] = {
    {.name = "root",
     .kind = VD_CLI_TEXT,
     .store = offsetof(struct verify_args, root),
     .help = "certificate of the image root, PEM or DER",
     .argument = "FILE",
     .required = true},
    {.name = "policy",
     .kind = VD_CLI_TEXT,
     .store = offsetof(struct verify_args, policy),
     .help = "the bootloader's boot policy",
     .argument = "FILE"},
    {.name = "dbx",
     .kind = VD_CLI_LIST,
     .store = offsetof(struct verify_args, dbx),
     .help = "forbid a digest (64 digits), an image, an EFI program or a certificate",
     .argument = "HEX|FILE"},
    {.name = "json",
     .kind = VD_CLI_FLAG,
     .store = offsetof(struct verify_args, json),
     .help = "print the verdict as JSON"},
    {},
};

static void print_verdict(const struct vd_boot_verdict *verdict, const struct vd_diag *diag)
{
    if (vd_boot_allowed(verdict)) {
        printf("verified security-version %u\n", verdict->image.header.security_version);
        return;
    }
    printf("refused %s\n", vd_boot_reason_name(verdict->reason));
    fprintf(stderr, "%s", diag->text);
    if (diag->has_offset)
        fprintf(stderr, ", at byte %llu", (unsigned long long)diag->offset);
    if (verdict->required != 0 || verdict->actual != 0)
        fprintf(stderr, ", required %u, found %u", verdict->required, verdict->actual);
    fprintf(stderr, "\n");
}

static vd_status print_verdict_json(const struct vd_boot_verdict *verdict,
                                    const struct vd_diag *diag, struct vd_diag *ret_diag)
{
    bool allowed = vd_boot_allowed(verdict);
    json_t *root =
        json_pack("{s:b, s:s, s:s}", "verified", allowed, "reason",
                  vd_boot_reason_name(verdict->reason), "text", allowed ? "" : diag->text);

    if (root != NULL && !allowed && diag->has_offset)
        json_object_set_new(root, "offset", json_integer((json_int_t)diag->offset));
    if (root != NULL && (verdict->required != 0 || verdict->actual != 0)) {
        json_object_set_new(root, "required", json_integer(verdict->required));
        json_object_set_new(root, "actual", json_integer(verdict->actual));
    }
    return vd_json_print(root, ret_diag);
}

static int verify(const struct vd_cli_call *call)
{
    const struct verify_args *args = call->args;
    VD_AUTO(vd_bytes_free) struct vd_bytes file = {};
    struct vd_boot_verdict verdict = {};
    struct vd_diag diag = {};
    struct vd_diag print_diag = {};
    struct vd_boot_verify request = {
        .image = call->operands[0],
        .root = args->root,
        .policy = args->policy,
        .forbidden = args->dbx.item,
        .forbidden_count = args->dbx.count,
    };
    vd_status status = vd_boot_verify(&request, &file, &verdict, &diag);

    if (status != VD_OK)
        return vd_cli_report(status, &diag);
    /* What is no image at all is a wrong call, not a refused image. */
    if (verdict.reason == VD_BOOT_REASON_MAGIC || file.size < VD_IMAGE_MAGIC_SIZE ||
        verdict.reason == VD_BOOT_REASON_FAULT)
        return vd_cli_report(diag.status, &diag);
    if (!args->json)
        print_verdict(&verdict, &diag);
    else if (print_verdict_json(&verdict, &diag, &print_diag) != VD_OK)
        return vd_cli_report(print_diag.status, &print_diag);
    return vd_boot_allowed(&verdict) ? VD_EXIT_YES : VD_EXIT_NO;
}

static const struct vd_cli_command verify_command = {
    .name = "verify",
    .usage = "--root FILE [--policy FILE] [--json] IMAGE",
    .summary = "judges an image as the bootloader would",
    .details =
        "Prints `verified …` (exit 0) or `refused REASON` (exit 1); exit 2 if the file is no\n"
        "VERIDIAN image. The machine's capabilities are taken as given.\n"
        "\n"
        "Example: veridian boot verify --root keys/root.crt boot/veridian.img",
    .options = verify_options,
    .args_size = sizeof(struct verify_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = verify,
};

struct json_args {
    bool json;
};

static const struct vd_cli_option json_options[] = {
    {.name = "json",
     .kind = VD_CLI_FLAG,
     .store = offsetof(struct json_args, json),
     .help = "print JSON"},
    {},
};

static int inspect(const struct vd_cli_call *call)
{
    const struct json_args *args = call->args;
    struct vd_diag diag = {};

    return vd_cli_report(vd_boot_inspect(call->operands[0], args->json, &diag), &diag);
}

static const struct vd_cli_command inspect_command = {
    .name = "inspect",
    .usage = "[--json] IMAGE",
    .summary = "shows every header field of an image with its offset and size",
    .options = json_options,
    .args_size = sizeof(struct json_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = inspect,
};

static void print_prediction(const json_t *root)
{
    const char *pcr;
    json_t *value;
    size_t i;

    json_object_foreach(json_object_get(json_object_get(root, "pcrs"), "sha256"), pcr, value)
        printf("pcr %-2s sha256 %s\n", pcr, json_string_value(value));
    json_array_foreach(json_object_get(root, "events"), i, value)
        printf("event pcr %-2d %s %s %s\n", (int)json_integer_value(json_object_get(value, "pcr")),
               json_string_value(json_object_get(value, "digest")),
               json_string_value(json_object_get(value, "type")),
               json_string_value(json_object_get(value, "text")));
}

static int predict(const struct vd_cli_call *call)
{
    const struct json_args *args = call->args;
    struct vd_diag diag = {};
    json_t *root = NULL;
    vd_status status = vd_boot_predict(call->operands[0], &root, &diag);

    if (status == VD_OK && args->json)
        status = vd_json_print(json_incref(root), &diag);
    else if (status == VD_OK)
        print_prediction(root);
    json_decref(root);
    return vd_cli_report(status, &diag);
}

static const struct vd_cli_command predict_command = {
    .name = "predict",
    .usage = "[--json] DIR",
    .summary = "computes the PCR values of a boot of what `boot build` made",
    .details =
        "PCRs 4, 8, 9 and 11, in the sha256 and sha384 banks. PCR 4 includes the firmware's\n"
        "own events for a boot straight into BOOTX64.EFI.",
    .options = json_options,
    .args_size = sizeof(struct json_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = predict,
};

static const struct vd_cli_command *const verbs[] = {
    &keys_command,    &build_command, &enroll_command, &verify_command, &inspect_command,
    &predict_command, NULL,
};

const struct vd_cli_command vd_area_boot = {
    .name = "boot",
    .summary = "keys, images and firmware variables of the boot chain",
    .commands = verbs,
};
