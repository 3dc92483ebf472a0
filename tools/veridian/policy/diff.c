/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/policy/diff.h"

#include <string.h>

#include "lib/diagf.h"
#include "lib/json.h"
#include "tools/analysis/diff.h"
#include "tools/veridian/policy/open.h"

struct diff_args {
    bool stats, json;
    struct vd_cli_list only;
};

static const struct vd_cli_option options[] = {
    {"stats", 0, VD_CLI_FLAG, offsetof(struct diff_args, stats),
     "only how many differences there are", NULL, NULL, false},
    {"only", 0, VD_CLI_LIST, offsetof(struct diff_args, only), "compare this part alone", "PART",
     NULL, false},
    {"json", 0, VD_CLI_FLAG, offsetof(struct diff_args, json), "print JSON", NULL, NULL, false},
    {},
};

struct printer {
    const struct diff_args *args;
    uint64_t counts[VD_DIFF_COUNT][2];
    uint64_t total;
};

/* JSON is written as it comes: the list may be longer than memory. */
static void print_json(const struct printer *p, const struct vd_difference *d)
{
    json_t *object = json_pack("{s:s, s:s, s:s}", "part", vd_diff_name(d->category), "change",
                               d->added ? "added" : "removed", "text", d->text);

    fputs(p->total == 1 ? "\n    " : ",\n    ", stdout);
    if (object != NULL)
        (void)json_dumpf(object, stdout, 0);
    json_decref(object);
}

static void print(void *arg, const struct vd_difference *d)
{
    struct printer *p = arg;

    p->total++;
    if (p->counts[d->category][0]++ + p->counts[d->category][1] == 0 && !p->args->stats &&
        !p->args->json)
        printf("# %s\n", vd_diff_name(d->category));
    p->counts[d->category][0] -= d->added;
    p->counts[d->category][1] += d->added;
    if (p->args->stats)
        return;
    if (p->args->json)
        print_json(p, d);
    else
        printf("%c %s\n", d->added ? '+' : '-', d->text);
}

static void print_stats(const struct printer *p, uint32_t mask)
{
    for (uint32_t i = 0; i < VD_DIFF_COUNT; i++) {
        if ((mask >> i & 1) != 0)
            printf("%-12s %8llu removed %8llu added\n", vd_diff_name((enum vd_diff_category)i),
                   (unsigned long long)p->counts[i][0], (unsigned long long)p->counts[i][1]);
    }
}

static json_t *stats_json(const struct printer *p, uint32_t mask)
{
    json_t *object = json_object();

    for (uint32_t i = 0; i < VD_DIFF_COUNT; i++) {
        if ((mask >> i & 1) != 0)
            json_object_set_new(object, vd_diff_name((enum vd_diff_category)i),
                                json_pack("{s:I, s:I}", "removed", (json_int_t)p->counts[i][0],
                                          "added", (json_int_t)p->counts[i][1]));
    }
    return object;
}

static vd_status mask_of(const struct diff_args *args, uint32_t *ret, struct vd_diag *diag)
{
    *ret = args->only.count == 0 ? (1u << VD_DIFF_COUNT) - 1 : 0;
    for (uint32_t i = 0; i < args->only.count; i++) {
        uint32_t part = 0;

        while (part < VD_DIFF_COUNT &&
               strcmp(vd_diff_name((enum vd_diff_category)part), args->only.item[i]) != 0)
            part++;
        if (part == VD_DIFF_COUNT) {
            vd_diag_hint(diag, "properties, classes, types, attributes, roles, users, booleans, "
                               "levels, constraints, transitions, labels, rules");
            return vd_diagf(diag, VD_E_USAGE, "--only: there is no part \"%s\"",
                            args->only.item[i]);
        }
        *ret |= 1u << part;
    }
    return VD_OK;
}

static vd_status compare(struct printer *p, const struct vd_policy_file *files,
                         struct vd_diag *diag)
{
    uint32_t mask;
    vd_status status;

    VD_TRY(mask_of(p->args, &mask, diag));
    if (p->args->json && !p->args->stats)
        fputs("{\n  \"differences\": [", stdout);
    status = vd_diff_run(&files[0].db, &files[1].db, mask, print, p);
    if (status != VD_OK)
        return vd_diag_fail(diag, status, "out of memory");
    if (p->args->json && !p->args->stats)
        printf("%s],\n  \"equal\": %s\n}\n", p->total == 0 ? "" : "\n  ",
               p->total == 0 ? "true" : "false");
    else if (p->args->json)
        return vd_json_print(
            json_pack("{s:o, s:b}", "counts", stats_json(p, mask), "equal", p->total == 0), diag);
    else if (p->args->stats)
        print_stats(p, mask);
    return VD_OK;
}

static int diff(const struct vd_cli_call *call)
{
    static const struct vd_cli_list none;
    struct printer printer = {.args = call->args};
    struct vd_policy_file files[2] = {};
    struct vd_diag diag = {};
    vd_status status = VD_OK;

    for (int i = 0; status == VD_OK && i < 2; i++)
        status =
            vd_policy_file_open(call->operands[i], VD_POLICY_OPEN_BLOB, &none, &files[i], &diag);
    if (status == VD_OK)
        status = compare(&printer, files, &diag);
    vd_policy_file_done(&files[0]);
    vd_policy_file_done(&files[1]);
    if (status != VD_OK)
        return vd_cli_report(status, &diag);
    return printer.total == 0 ? VD_EXIT_YES : VD_EXIT_NO;
}

const struct vd_cli_command vd_policy_diff_command = {
    .name = "diff",
    .usage = "[--stats] [--only PART]... [--json] POLICY POLICY",
    .summary = "compares what two policies say",
    .details =
        "By name, whatever the order of the sources: - only the first says it, + only the second.\n"
        "Rules are compared for each source and target type, class and condition, attributes\n"
        "expanded; targets that differ alike stand in one line. Policies compiled with --strip\n"
        "can be compared too. The parts: properties, classes, types, attributes, roles, users,\n"
        "booleans, levels, constraints, transitions, labels, rules.\n"
        "\n"
        "Exit codes: 0 they say the same; 1 they differ; 2 a policy or the call is wrong.\n"
        "\n"
        "Example: veridian policy diff --only rules old.vpol new.vpol",
    .options = options,
    .args_size = sizeof(struct diff_args),
    .operands_min = 2,
    .operands_max = 2,
    .run = diff,
};
