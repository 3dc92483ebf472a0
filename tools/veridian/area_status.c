/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "lib/json.h"
#include "tools/veridian/areas.h"
#include "tools/veridian/status_facts.h"

#include <sys/stat.h>
#include <sys/utsname.h>

struct status_args {
    bool json;
    const char *log_dir;
    const char *sysroot;
};

static const struct vd_cli_option status_options[] = {
    {.name = "json",
     .kind = VD_CLI_FLAG,
     .store = offsetof(struct status_args, json),
     .help = "print JSON"},
    {.name = "log-dir",
     .kind = VD_CLI_TEXT,
     .store = offsetof(struct status_args, log_dir),
     .help = "where the audit daemon writes",
     .argument = "DIR",
     .standard = "/var/log/veridian"},
    {.name = "sysroot",
     .kind = VD_CLI_TEXT,
     .store = offsetof(struct status_args, sysroot),
     .help = "read the kernel's files below DIR instead of /",
     .argument = "DIR",
     .standard = ""},
    {},
};

static json_t *to_json(const struct utsname *os, const struct vd_fact *facts)
{
    json_t *rows = json_object();
    json_t *missing = json_array();

    for (uint32_t i = 0; i < VD_FACT_COUNT; i++) {
        json_object_set_new(rows, vd_fact_name(i),
                            json_pack("{s:s, s:s}", "state", vd_fact_state_name(facts[i].state),
                                      "text", facts[i].text));
        if (facts[i].state != VD_FACT_YES)
            json_array_append_new(missing, json_pack("{s:s, s:s}", "fact", vd_fact_name(i), "what",
                                                     vd_fact_without(i)));
    }
    return json_pack("{s:s, s:s, s:s, s:o, s:o}", "system", os->sysname, "release", os->release,
                     "machine", os->machine, "facts", rows, "not_enforced", missing);
}

static void print_page(const struct utsname *os, const struct vd_fact *facts)
{
    bool complete = true;

    printf("%-17s %s %s %s\n", "system", os->sysname, os->release, os->machine);
    for (uint32_t i = 0; i < VD_FACT_COUNT; i++) {
        printf("%-17s %s%s\n", vd_fact_title(i),
               facts[i].state == VD_FACT_UNKNOWN ? "unknown: " : "", facts[i].text);
        complete = complete && facts[i].state == VD_FACT_YES;
    }
    if (complete)
        return;
    printf("\nnot enforced, or not known to be:\n");
    for (uint32_t i = 0; i < VD_FACT_COUNT; i++) {
        if (facts[i].state != VD_FACT_YES)
            printf("  %-15s %s\n", vd_fact_title(i), vd_fact_without(i));
    }
}

static int status(const struct vd_cli_call *call)
{
    const struct status_args *args = call->args;
    struct vd_fact facts[VD_FACT_COUNT];
    struct vd_diag diag = {};
    struct utsname os;
    struct stat st;

    if (args->sysroot[0] != '\0' && (stat(args->sysroot, &st) != 0 || !S_ISDIR(st.st_mode))) {
        vd_diag_file(&diag, args->sysroot);
        return vd_cli_report(
            vd_diag_fail(&diag, VD_E_NOT_FOUND, "--sysroot needs a directory that exists"), &diag);
    }
    if (uname(&os) != 0)
        return vd_cli_report(VD_E_SYSTEM, NULL);
    vd_facts_read(args->sysroot, args->log_dir, facts);
    if (args->json)
        return vd_cli_report(vd_json_print(to_json(&os, facts), &diag), &diag);
    print_page(&os, facts);
    return VD_EXIT_YES;
}

const struct vd_cli_command vd_area_status = {
    .name = "status",
    .usage = "[--json] [--log-dir DIR] [--sysroot DIR]",
    .summary = "shows what this machine enforces, what it does not, and why",
    .details =
        "Reads what the kernel and the firmware say; needs no rights beyond those to read it.\n"
        "Exit code 0 whatever it finds: the lines under \"not enforced\" say what is missing.",
    .options = status_options,
    .args_size = sizeof(struct status_args),
    .run = status,
};
