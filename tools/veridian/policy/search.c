/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/policy/search.h"

#include <string.h>

#include "lib/diagf.h"
#include "lib/json.h"
#include "tools/analysis/search.h"
#include "tools/veridian/policy/open.h"

struct search_args {
    bool a, t;
    bool kind[VD_RULE_KIND_END]; /* by enum vd_rule_kind */
    const char *source, *target, *result;
    const char *classes, *perms, *calls, *bools;
    struct vd_cli_list direct, regex, exact, subset;
    struct vd_cli_list set;
    bool json;
};

#define KIND(name_, kind_, help_)                                                                  \
    {                                                                                              \
        name_, 0, VD_CLI_FLAG, offsetof(struct search_args, kind[kind_]), help_, NULL, NULL, false \
    }
#define TEXT(name_, letter_, field_, argument_, help_)                                             \
    {                                                                                              \
        name_, letter_, VD_CLI_TEXT, offsetof(struct search_args, field_), help_, argument_, NULL, \
            false                                                                                  \
    }

static const struct vd_cli_option options[] = {
    {"access", 'A', VD_CLI_FLAG, offsetof(struct search_args, a), "allow and allowxperm rules",
     NULL, NULL, false},
    KIND("allow", VD_RULE_ALLOW, "allow rules"),
    KIND("auditallow", VD_RULE_AUDITALLOW, "auditallow rules"),
    KIND("dontaudit", VD_RULE_DONTAUDIT, "dontaudit rules"),
    KIND("deny", VD_RULE_DENY, "deny rules"),
    KIND("neverallow", VD_RULE_NEVERALLOW, "neverallow rules"),
    KIND("allowxperm", VD_RULE_ALLOWXPERM, "allowxperm rules"),
    KIND("auditallowxperm", VD_RULE_AUDITALLOWXPERM, "auditallowxperm rules"),
    KIND("dontauditxperm", VD_RULE_DONTAUDITXPERM, "dontauditxperm rules"),
    KIND("neverallowxperm", VD_RULE_NEVERALLOWXPERM, "neverallowxperm rules"),
    {"type_trans", 'T', VD_CLI_FLAG, offsetof(struct search_args, t), "type_transition rules", NULL,
     NULL, false},
    KIND("type_member", VD_RULE_TYPE_MEMBER, "type_member rules"),
    KIND("type_change", VD_RULE_TYPE_CHANGE, "type_change rules"),
    KIND("range_trans", VD_RULE_RANGE_TRANSITION, "range_transition rules"),
    KIND("role_trans", VD_RULE_ROLE_TRANSITION, "role_transition rules"),
    KIND("role_allow", VD_RULE_ROLE_ALLOW, "allow rules of roles"),
    KIND("constrain", VD_RULE_CONSTRAIN, "constraints of permissions, levels among them"),
    KIND("validatetrans", VD_RULE_VALIDATETRANS, "constraints of relabelling"),
    KIND("typebounds", VD_RULE_TYPEBOUNDS, "type bounds"),
    TEXT("source", 's', source, "NAME", "type, attribute or role of the source"),
    TEXT("target", 't', target, "NAME", "type, attribute or role of the target"),
    TEXT("class", 'c', classes, "CLASS,...", "one of these classes"),
    TEXT("perms", 'p', perms, "PERM,...", "one of these permissions"),
    TEXT("xperms", 'x', calls, "N[-N],...", "one of these calls of an extended rule"),
    TEXT("default", 'D', result, "NAME", "what a transition gives"),
    TEXT("bool", 'b', bools, "NAME,...", "one of these booleans in the condition"),
    {"direct", 'd', VD_CLI_LIST, offsetof(struct search_args, direct),
     "match the source (s), target (t) as it is written", "s|t", NULL, false},
    {"regex", 'r', VD_CLI_LIST, offsetof(struct search_args, regex),
     "source, target, class, default, bool is a regular expression", "s|t|c|d|b", NULL, false},
    {"exact", 'e', VD_CLI_LIST, offsetof(struct search_args, exact),
     "all booleans (b), permissions (p), calls (x), and no other", "b|p|x", NULL, false},
    {"subset", 'S', VD_CLI_LIST, offsetof(struct search_args, subset),
     "all permissions (p), perhaps others too", "p", NULL, false},
    {"set", 0, VD_CLI_LIST, offsetof(struct search_args, set),
     "a boolean has this value (for in_force of --json)", "NAME=0|1", NULL, false},
    {"json", 0, VD_CLI_FLAG, offsetof(struct search_args, json), "print JSON", NULL, NULL, false},
    {},
};

static bool has(const struct vd_cli_list *list, char letter)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->item[i][0] == letter)
            return true;
    }
    return false;
}

/* Each letter of the list is one of `known`. */
static vd_status check_letters(const struct vd_cli_list *list, const char *option,
                               const char *known, struct vd_diag *diag)
{
    for (uint32_t i = 0; i < list->count; i++) {
        const char *word = list->item[i];

        if (word[0] == '\0' || word[1] != '\0' || strchr(known, word[0]) == NULL)
            return vd_diagf(diag, VD_E_USAGE, "--%s: expected one letter of \"%s\", not \"%s\"",
                            option, known, word);
    }
    return VD_OK;
}

static uint32_t kinds_of(const struct search_args *args)
{
    uint32_t kinds = 0;

    for (uint32_t i = 0; i < VD_RULE_KIND_END; i++)
        kinds |= (uint32_t)args->kind[i] << i;
    if (args->a)
        kinds |= 1u << VD_RULE_ALLOW | 1u << VD_RULE_ALLOWXPERM;
    if (args->t)
        kinds |= 1u << VD_RULE_TYPE_TRANSITION;
    if (args->kind[VD_RULE_CONSTRAIN])
        kinds |= 1u << VD_RULE_MLSCONSTRAIN;
    if (args->kind[VD_RULE_VALIDATETRANS])
        kinds |= 1u << VD_RULE_MLSVALIDATETRANS;
    return kinds;
}

static vd_status ask_of(const struct search_args *args, struct vd_search *ret, struct vd_diag *diag)
{
    VD_TRY(check_letters(&args->direct, "direct", "st", diag));
    VD_TRY(check_letters(&args->regex, "regex", "stcdb", diag));
    VD_TRY(check_letters(&args->exact, "exact", "bpx", diag));
    VD_TRY(check_letters(&args->subset, "subset", "p", diag));
    *ret = (struct vd_search){
        .kinds = kinds_of(args),
        .source = {args->source, has(&args->direct, 's'), has(&args->regex, 's')},
        .target = {args->target, has(&args->direct, 't'), has(&args->regex, 't')},
        .result = {args->result, false, has(&args->regex, 'd')},
        .classes = {.text = args->classes, .regex = has(&args->regex, 'c')},
        .perms = {.text = args->perms,
                  .exact = has(&args->exact, 'p'),
                  .subset = has(&args->subset, 'p')},
        .bools = {.text = args->bools,
                  .exact = has(&args->exact, 'b'),
                  .regex = has(&args->regex, 'b')},
        .calls = {.text = args->calls, .exact = has(&args->exact, 'x')},
    };
    return VD_OK;
}

struct printer {
    const struct vd_rules *rules;
    json_t *list; /* NULL: text */
    uint64_t count;
};

static void print(void *arg, const struct vd_rule_view *view)
{
    struct printer *p = arg;

    p->count++;
    if (p->list != NULL) {
        json_array_append_new(p->list, vd_rule_json(p->rules, view));
        return;
    }
    vd_rule_write(p->rules, view, stdout);
    vd_rule_write_place(p->rules, view->rule, stdout);
    putchar('\n');
}

static int search(const struct vd_cli_call *call)
{
    const struct search_args *args = call->args;
    struct vd_policy_file file = {};
    struct vd_diag diag = {};
    struct vd_search ask;
    struct vd_rules rules;
    struct printer printer = {.rules = &rules};
    vd_status status = ask_of(args, &ask, &diag);

    if (status == VD_OK)
        status =
            vd_policy_file_open(call->operands[0], VD_POLICY_OPEN_RULES, &args->set, &file, &diag);
    if (status == VD_OK) {
        rules = (struct vd_rules){.db = file.db, .book = file.book};
        printer.list = args->json ? json_array() : NULL;
        status = vd_search_run(&rules, &ask, print, &printer, &diag);
    }
    if (status == VD_OK && args->json)
        status = vd_json_print(printer.list, &diag);
    else
        json_decref(printer.list);
    vd_policy_file_done(&file);
    if (status != VD_OK)
        return vd_cli_report(status, &diag);
    return printer.count > 0 ? VD_EXIT_YES : VD_EXIT_NO;
}

const struct vd_cli_command vd_policy_search_command = {
    .name = "search",
    .usage = "[-A] [-T] [--KIND]... [-s NAME] [-t NAME] [-c CLASSES] [-p PERMS]\n"
             "    [-b BOOLS] [-D NAME] [-ds] [-dt] [-r LETTER]... [-e LETTER]... [--json] POLICY",
    .summary = "finds rules, as they are written",
    .details =
        "As sesearch of setools; without a kind all kinds are searched. A type is found under the\n"
        "attributes it has too, unless -ds or -dt asks for what is written. Regular expressions\n"
        "(-rs, -rt, -rc, -rd, -rb) are POSIX extended ones and match anywhere in the name.\n"
        "Prints the rules with the words that match, then # FILE:LINE and the condition.\n"
        "\n"
        "Exit codes: 0 something was found; 1 nothing; 2 the policy or the call is wrong.\n"
        "\n"
        "Example: veridian policy search -A -s init_t -t etc_t -c file -p write policy.vpol",
    .options = options,
    .args_size = sizeof(struct search_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = search,
};
