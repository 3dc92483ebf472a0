/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/policy/flow.h"

#include <stdlib.h>
#include <string.h>

#include "lib/diagf.h"
#include "lib/json.h"
#include "tools/analysis/flow.h"
#include "tools/analysis/lookup.h"
#include "tools/veridian/policy/open.h"

#define MAX_PROGRAMS 10u /* entry points shown for one step */

struct flow_args {
    bool domain, any, json;
    const char *map;
    uint32_t min_weight, limit, max_length, rules;
    struct vd_cli_list exclude, bools;
};

static const struct vd_cli_option options[] = {
    {"domain", 'd', VD_CLI_FLAG, offsetof(struct flow_args, domain),
     "paths of domain transitions, not of information", NULL, NULL, false},
    {"map", 'm', VD_CLI_TEXT, offsetof(struct flow_args, map),
     "which permissions carry information, in setools' form", "FILE", NULL, false},
    {"min-weight", 'w', VD_CLI_U32, offsetof(struct flow_args, min_weight),
     "weight that a permission must have, 1 to 10", "N", "3", false},
    {"limit", 'l', VD_CLI_U32, offsetof(struct flow_args, limit), "paths shown; 0: all", "N", "10",
     false},
    {"max-length", 0, VD_CLI_U32, offsetof(struct flow_args, max_length),
     "steps of the longest path shown (default: as the shortest)", "N", NULL, false},
    {"rules", 0, VD_CLI_U32, offsetof(struct flow_args, rules), "rules shown for one step; 0: all",
     "N", "8", false},
    {"exclude", 'x', VD_CLI_LIST, offsetof(struct flow_args, exclude),
     "no path through this type, or a type of this attribute", "TYPE", NULL, false},
    {"any-booleans", 0, VD_CLI_FLAG, offsetof(struct flow_args, any),
     "both branches of every condition are in force", NULL, NULL, false},
    {"bool", 0, VD_CLI_LIST, offsetof(struct flow_args, bools), "as if the boolean had this value",
     "NAME=0|1", NULL, false},
    {"json", 0, VD_CLI_FLAG, offsetof(struct flow_args, json), "print JSON", NULL, NULL, false},
    {},
};

struct flow {
    const struct flow_args *args;
    struct vd_policy_file file;
    struct vd_rules rules;
    struct vd_bytes map_text;
    struct vd_perm_map map;
    struct vd_flow_options options;
    struct vd_graph graph;
    uint64_t paths;
    uint32_t *through;         /* by attribute: paths that lead through a type of it */
    uint32_t step_rules;       /* of the step at hand */
    json_t *list, *rules_list; /* NULL: text */
    vd_status status;
};

static void flow_done(struct flow *f)
{
    free(f->through);
    vd_graph_done(&f->graph);
    vd_perm_map_done(&f->map);
    vd_bytes_free(&f->map_text);
    vd_policy_file_done(&f->file);
}

static const char *type_name(const struct flow *f, uint32_t type)
{
    return vd_policydb_name(&f->rules.db, VD_SYM_TYPE, type);
}

static void tell_rule(void *arg, const struct vd_rule *rule, uint32_t via)
{
    struct flow *f = arg;
    struct vd_rule_view view = vd_rule_whole(rule);

    f->step_rules++;
    if (f->args->rules != 0 && f->step_rules > f->args->rules)
        return;
    if (f->rules_list != NULL) {
        json_t *object = vd_rule_json(&f->rules, &view);

        if (via != 0)
            json_object_set_new(object, "program", json_string(type_name(f, via)));
        json_array_append_new(f->rules_list, object);
        return;
    }
    fputs("    ", stdout);
    vd_rule_write(&f->rules, &view, stdout);
    vd_rule_write_place(&f->rules, rule, stdout);
    putchar('\n');
}

static void tell_step(struct flow *f, uint32_t from, uint32_t to, json_t *steps)
{
    struct vd_flow_step step = {.from = from, .to = to, .max_programs = MAX_PROGRAMS};

    f->step_rules = 0;
    if (steps != NULL)
        f->rules_list = json_array();
    else
        printf("  %s -> %s\n", type_name(f, from), type_name(f, to));
    if (f->status == VD_OK && f->args->domain)
        f->status = vd_flow_domain_rules(&f->rules, &f->options, &step, tell_rule, f);
    else if (f->status == VD_OK)
        f->status = vd_flow_information_rules(&f->rules, &f->options, &step, tell_rule, f);
    if (steps == NULL && f->args->rules != 0 && f->step_rules > f->args->rules)
        printf("    # and %u more rules\n", f->step_rules - f->args->rules);
    if (steps == NULL && step.programs > MAX_PROGRAMS)
        printf("    # and %u more entry points\n", step.programs - MAX_PROGRAMS);
    if (steps != NULL) {
        json_t *object = json_pack("{s:s, s:s, s:o}", "from", type_name(f, from), "to",
                                   type_name(f, to), "rules", f->rules_list);

        json_object_set_new(object, "rule_count", json_integer(f->step_rules));
        if (f->args->domain)
            json_object_set_new(object, "programs", json_integer(step.programs));
        json_array_append_new(steps, object);
        f->rules_list = NULL;
    }
}

/* True if the number is an attribute's; gives the bitmap of its types. */
static bool attribute_types(const struct flow *f, uint32_t attribute, uint32_t *ret)
{
    const struct vd_pdb_type *row = vd_pdb_row(&f->rules.db, VD_PDB_TYPES, attribute, sizeof(*row));

    if (row == NULL || (row->flags & VD_PDB_TYPE_ATTRIBUTE) == 0)
        return false;
    *ret = row->bitmap;
    return true;
}

/* Counts the path for each attribute that has a type between its ends. */
static void count_through(const struct flow *f, const uint32_t *types, uint32_t length)
{
    const struct vd_pdb_header *head = vd_policydb_header(&f->rules.db);

    for (uint32_t i = head->types; i < head->sections[VD_PDB_TYPES].count; i++) {
        uint32_t bitmap, k = 1;

        if (!attribute_types(f, i, &bitmap))
            continue;
        while (k < length && !vd_pdb_bit(&f->rules.db, bitmap, types[k]))
            k++;
        f->through[i] += k < length;
    }
}

static bool tell_path(void *arg, const uint32_t *types, uint32_t length)
{
    struct flow *f = arg;
    json_t *steps = f->list == NULL ? NULL : json_array();

    f->paths++;
    if (f->through != NULL)
        count_through(f, types, length);
    if (steps == NULL)
        printf("path %llu: %u step%s\n", (unsigned long long)f->paths, length,
               length == 1 ? "" : "s");
    for (uint32_t i = 0; i < length; i++)
        tell_step(f, types[i], types[i + 1], steps);
    if (steps != NULL)
        json_array_append_new(f->list,
                              json_pack("{s:i, s:o}", "length", (int)length, "steps", steps));
    return f->status == VD_OK;
}

static vd_status find_type(const struct flow *f, const char *text, uint32_t *ret,
                           struct vd_diag *diag)
{
    VD_TRY(vd_lookup(&f->rules.db, VD_SYM_TYPE, text, ret, diag));
    if (*ret >= vd_policydb_header(&f->rules.db)->types)
        return vd_diagf(diag, VD_E_INVALID,
                        "\"%s\" is an attribute; a path leads from a type to a type", text);
    return VD_OK;
}

static vd_status exclude(struct flow *f, struct vd_diag *diag)
{
    uint32_t types = vd_policydb_header(&f->rules.db)->types;

    for (uint32_t i = 0; i < f->args->exclude.count; i++) {
        const struct vd_pdb_type *row;
        uint32_t number;

        VD_TRY(vd_lookup(&f->rules.db, VD_SYM_TYPE, f->args->exclude.item[i], &number, diag));
        row = vd_pdb_row(&f->rules.db, VD_PDB_TYPES, number, sizeof(*row));
        if (number < types)
            vd_graph_exclude(&f->graph, number);
        for (uint32_t k = 1; number >= types && row != NULL && k < types; k++) {
            if (vd_pdb_bit(&f->rules.db, row->bitmap, k))
                vd_graph_exclude(&f->graph, k);
        }
    }
    return VD_OK;
}

/* The permission map and the graph. */
static vd_status prepare(struct flow *f, struct vd_diag *diag)
{
    const struct flow_args *args = f->args;

    if (args->min_weight < 1 || args->min_weight > VD_PERM_MAP_MAX)
        return vd_diagf(diag, VD_E_USAGE, "--min-weight is 1 to %u, not %u", VD_PERM_MAP_MAX,
                        args->min_weight);
    if (args->max_length > VD_GRAPH_MAX_LENGTH)
        return vd_diagf(diag, VD_E_USAGE, "--max-length is at most %u, not %u", VD_GRAPH_MAX_LENGTH,
                        args->max_length);
    if (args->domain && args->map != NULL)
        return vd_diag_fail(diag, VD_E_USAGE, "--map does not go with --domain");
    f->options = (struct vd_flow_options){
        .map = &f->map, .min_weight = args->min_weight, .any_booleans = args->any};
    if (args->domain)
        return vd_flow_domains(&f->rules, &f->options, &f->graph, diag);
    if (args->map == NULL) {
        if (vd_perm_map_standard(&f->rules.db, &f->map) != VD_OK)
            return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    } else {
        vd_status status;

        VD_TRY(vd_file_load(args->map, VD_PERM_MAP_MAX_FILE, &f->map_text, diag));
        status = vd_perm_map_parse(&f->rules.db, (const char *)f->map_text.data, f->map_text.size,
                                   &f->map, diag);
        if (status != VD_OK) {
            vd_diag_file(diag, args->map);
            return status;
        }
    }
    return vd_flow_information(&f->rules.db, &f->options, &f->graph, diag);
}

/*
 * Few types that may do everything hide all other paths: names the attribute with
 * the fewest types, not of the ends, through which three quarters of the paths or more lead.
 */
static void hint_exclude(const struct flow *f, const struct vd_graph_search *search)
{
    const struct vd_pdb_header *head = vd_policydb_header(&f->rules.db);
    uint32_t best = 0, fewest = UINT32_MAX;

    for (uint32_t i = head->types; i < head->sections[VD_PDB_TYPES].count; i++) {
        uint32_t bitmap, size = 0;

        if (!attribute_types(f, i, &bitmap) || f->through[i] < 2 ||
            f->through[i] < (f->paths * 3 + 3) / 4 ||
            vd_pdb_bit(&f->rules.db, bitmap, search->from) ||
            vd_pdb_bit(&f->rules.db, bitmap, search->to))
            continue;
        for (uint32_t k = 1; k < head->types; k++)
            size += vd_pdb_bit(&f->rules.db, bitmap, k);
        if (size < fewest || (size == fewest && f->through[i] > f->through[best])) {
            best = i;
            fewest = size;
        }
    }
    if (best != 0)
        printf("# %u of these %llu paths lead through the %u types of %s: --exclude %s leaves"
               " them out\n",
               f->through[best], (unsigned long long)f->paths, fewest, type_name(f, best),
               type_name(f, best));
}

static vd_status run(struct flow *f, char **operands, struct vd_diag *diag)
{
    struct vd_graph_search search = {.max_length = f->args->max_length, .limit = f->args->limit};
    bool stopped = false;

    VD_TRY(vd_policy_file_open(operands[0], VD_POLICY_OPEN_RULES, &f->args->bools, &f->file, diag));
    f->rules = (struct vd_rules){.db = f->file.db, .book = f->file.book};
    VD_TRY(find_type(f, operands[1], &search.from, diag));
    VD_TRY(find_type(f, operands[2], &search.to, diag));
    VD_TRY(prepare(f, diag));
    VD_TRY(exclude(f, diag));
    f->list = f->args->json ? json_array() : NULL;
    if (f->list == NULL) /* without memory: without a hint */
        f->through = calloc(vd_policydb_header(&f->rules.db)->sections[VD_PDB_TYPES].count,
                            sizeof(*f->through));
    f->status = vd_graph_paths(&f->graph, &search, tell_path, f, &stopped) == VD_OK
                    ? f->status
                    : VD_E_NO_MEMORY;
    if (f->list != NULL && f->status == VD_OK)
        return vd_json_print(json_pack("{s:s, s:s, s:o, s:b}", "source", operands[1], "target",
                                       operands[2], "paths", f->list, "complete", !stopped),
                             diag);
    json_decref(f->list);
    if (f->status != VD_OK)
        return vd_diag_fail(diag, f->status, "out of memory");
    if (f->paths == 0)
        printf("no path from %s to %s\n", operands[1], operands[2]);
    if (f->paths > 0 && f->through != NULL)
        hint_exclude(f, &search);
    if (stopped)
        printf("# %u types were entered: there may be more paths\n", VD_GRAPH_MAX_TRIED);
    return VD_OK;
}

static int flow(const struct vd_cli_call *call)
{
    struct flow f = {.args = call->args};
    struct vd_diag diag = {};
    vd_status status = run(&f, call->operands, &diag);

    flow_done(&f);
    if (status != VD_OK)
        return vd_cli_report(status, &diag);
    return f.paths > 0 ? VD_EXIT_YES : VD_EXIT_NO;
}

const struct vd_cli_command vd_policy_flow_command = {
    .name = "flow",
    .usage = "[--domain | --map FILE] [--min-weight N] [--limit N] [--max-length N]\n"
             "    [--rules N] [--exclude TYPE]... [--any-booleans] [--bool NAME=0|1]... [--json]\n"
             "    POLICY SOURCE TARGET",
    .summary = "finds paths of information, or of domain transitions, between two types",
    .details =
        "Shortest paths first, each step with the rules that make it and their places.\n"
        "Information flows from A to B if A may write to B or B read from A by a permission of\n"
        "enough weight. A domain follows another if it may be entered by a program that the other\n"
        "may execute, and a type_transition says so or the other may choose (setexec), or by\n"
        "dyntransition. Type rules are asked only; constraints may forbid a step.\n"
        "Types that may do everything make short paths: --exclude with their attribute, in the\n"
        "reference policy unconfined_domain_type and files_unconfined_type, shows others.\n"
        "\n"
        "Exit codes: 0 there is a path; 1 there is none; 2 the policy or the call is wrong.\n"
        "\n"
        "Example: veridian policy flow --domain policy.vpol init_t sshd_t",
    .options = options,
    .args_size = sizeof(struct flow_args),
    .operands_min = 3,
    .operands_max = 3,
    .run = flow,
};
