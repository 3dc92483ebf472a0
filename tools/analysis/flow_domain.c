/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Domain transitions.
 */
#include "tools/analysis/flow_domain.h"

#include <stdlib.h>
#include <string.h>

#include "tools/analysis/reach.h"

/* The permissions that make a transition, as masks; 0: the policy has none of that name. */
struct perms {
    uint32_t process, file; /* classes, 0: none */
    uint32_t transition, dyntransition, setexec, setcurrent, execute, entrypoint;
};

static uint32_t perm(const struct vd_policydb *db, uint32_t class, const char *name)
{
    uint32_t mask = 0;

    (void)!vd_policydb_find_perm(db, class, name, strlen(name), &mask);
    return mask;
}

static struct perms find_perms(const struct vd_policydb *db)
{
    struct perms p = {};

    (void)!vd_policydb_find(db, VD_SYM_CLASS, "process", 7, &p.process);
    (void)!vd_policydb_find(db, VD_SYM_CLASS, "file", 4, &p.file);
    p.transition = perm(db, p.process, "transition");
    p.dyntransition = perm(db, p.process, "dyntransition");
    p.setexec = perm(db, p.process, "setexec");
    p.setcurrent = perm(db, p.process, "setcurrent");
    p.execute = perm(db, p.file, "execute");
    p.entrypoint = perm(db, p.file, "entrypoint");
    return p;
}

struct domains {
    const struct vd_rules *rules;
    const struct vd_flow_options *options;
    struct perms perms;
    struct vd_reach reach;
    struct vd_graph transition, dynamic, execute, entry;
    struct vd_graph edges;
    uint64_t *sources, *programs; /* scratch */
};

static void domains_done(struct domains *d)
{
    vd_reach_done(&d->reach);
    vd_graph_done(&d->transition);
    vd_graph_done(&d->dynamic);
    vd_graph_done(&d->execute);
    vd_graph_done(&d->entry);
    vd_graph_done(&d->edges);
    free(d->sources);
    free(d->programs);
}

static vd_status domains_init(struct domains *d, struct vd_diag *diag)
{
    const struct vd_policydb *db = &d->rules->db;
    uint32_t types = vd_policydb_header(db)->types;
    struct vd_graph *graphs[] = {&d->transition, &d->dynamic, &d->execute, &d->entry, &d->edges};

    for (size_t i = 0; i < VD_COUNT(graphs); i++)
        VD_TRY(vd_graph_init(graphs[i], types, diag));
    d->sources = calloc(VD_BITMAP_WORDS(types), 8);
    d->programs = calloc(VD_BITMAP_WORDS(types), 8);
    if (d->sources == NULL || d->programs == NULL ||
        vd_reach_init(&d->reach, db, d->options->any_booleans) != VD_OK)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    d->perms = find_perms(db);
    vd_reach_add(&d->reach, d->perms.process, d->perms.transition, &d->transition);
    vd_reach_add(&d->reach, d->perms.process, d->perms.dyntransition, &d->dynamic);
    vd_reach_add(&d->reach, d->perms.file, d->perms.execute, &d->execute);
    vd_reach_add(&d->reach, d->perms.file, d->perms.entrypoint, &d->entry);
    return VD_OK;
}

static bool may_self(const struct domains *d, uint32_t type, uint32_t mask)
{
    return (vd_reach_allowed(&d->reach, type, type, d->perms.process) & mask) != 0;
}

static bool meet(const uint64_t *a, const uint64_t *b, uint32_t words)
{
    uint64_t both = 0;

    for (uint32_t i = 0; i < words; i++)
        both |= a[i] & b[i];
    return both != 0;
}

/* Edges that need no type_transition: by setexec, and dynamic ones. */
static void add_chosen(struct domains *d)
{
    for (uint32_t from = 1; from < d->edges.types; from++) {
        uint64_t *row = vd_graph_row(&d->edges, from);
        const uint64_t *by = vd_graph_row(&d->transition, from);
        const uint64_t *execute = vd_graph_row(&d->execute, from);

        if (may_self(d, from, d->perms.setcurrent))
            memcpy(row, vd_graph_row(&d->dynamic, from), d->edges.words * sizeof(*row));
        if (!may_self(d, from, d->perms.setexec))
            continue;
        for (uint32_t to = 1; to < d->edges.types; to++) {
            if (vd_bitmap_get(by, to) && meet(execute, vd_graph_row(&d->entry, to), d->edges.words))
                vd_bitmap_set(row, to);
        }
    }
}

static bool is_process_transition(const struct vd_rules *rules,
                                  const struct vd_flow_options *options, const struct vd_rule *rule,
                                  uint32_t process)
{
    return rule->kind == VD_RULE_TYPE_TRANSITION && rule->class == process && rule->name == 0 &&
           vd_flow_in_force(rules, options, rule);
}

/* Edges that a type_transition makes. */
static void add_ruled(struct domains *d)
{
    const struct vd_rules *r = d->rules;

    for (uint32_t i = 0; i < r->book.rule_count; i++) {
        const struct vd_rule *rule = &r->book.rules[i];
        uint32_t to = rule->perms;

        if (!is_process_transition(r, d->options, rule, d->perms.process))
            continue;
        vd_rulebook_expand(&r->book, &r->db, rule->source, d->sources);
        vd_rulebook_expand(&r->book, &r->db, rule->target, d->programs);
        for (uint32_t from = 1; from < d->edges.types; from++) {
            const uint64_t *execute = vd_graph_row(&d->execute, from);
            const uint64_t *entry = vd_graph_row(&d->entry, to);
            bool runs = false;

            if (!vd_bitmap_get(d->sources, from) ||
                !vd_bitmap_get(vd_graph_row(&d->transition, from), to))
                continue;
            for (uint32_t w = 0; w < d->edges.words; w++)
                runs |= (execute[w] & entry[w] & d->programs[w]) != 0;
            if ((rule->flags & VD_RULE_SELF) != 0)
                runs |= vd_bitmap_get(execute, from) && vd_bitmap_get(entry, from);
            if (runs)
                vd_bitmap_set(vd_graph_row(&d->edges, from), to);
        }
    }
}

vd_status vd_flow_domains(const struct vd_rules *rules, const struct vd_flow_options *options,
                          struct vd_graph *ret, struct vd_diag *diag)
{
    struct domains d = {.rules = rules, .options = options};
    vd_status status = domains_init(&d, diag);

    if (status == VD_OK && d.perms.process != 0) {
        add_chosen(&d);
        if (d.perms.file != 0)
            add_ruled(&d);
    }
    for (uint32_t i = 0; status == VD_OK && i < d.edges.types; i++)
        vd_bitmap_clear(vd_graph_row(&d.edges, i), i);
    if (status == VD_OK) {
        *ret = d.edges;
        d.edges = (struct vd_graph){};
    }
    domains_done(&d);
    return status;
}

/* ------------------------------------------------------------------ rules of a step */

struct tell {
    const struct vd_rules *rules;
    const struct vd_flow_options *options;
    struct vd_flow_step *step;
    struct perms perms;
    struct vd_reach reach;
    bool *from, *to; /* by set */
    bool *program;   /* by set: of the program at hand */
    vd_flow_rule_fn found;
    void *arg;
};

/* What a rule must give, and of which program it is told. */
struct want {
    uint32_t class, mask, via;
};

/* Tells the allow rules of these sets that give some of the permissions. */
static void tell_allow(struct tell *t, const bool *source, const bool *target, struct want want)
{
    for (uint32_t i = 0; i < t->rules->book.rule_count; i++) {
        const struct vd_rule *rule = &t->rules->book.rules[i];
        bool self = source == target && (rule->flags & VD_RULE_SELF) != 0;

        if (rule->kind == VD_RULE_ALLOW && rule->class == want.class &&
            (rule->perms & want.mask) != 0 && source[rule->source] &&
            (target[rule->target] || self) && vd_flow_in_force(t->rules, t->options, rule))
            t->found(t->arg, rule, want.via);
    }
}

/* True if the rule is a type_transition from the step's start to its end. */
static bool is_ruled(const struct tell *t, const struct vd_rule *rule)
{
    return rule->perms == t->step->to &&
           is_process_transition(t->rules, t->options, rule, t->perms.process) &&
           t->from[rule->source];
}

static void tell_transitions(struct tell *t, uint32_t via)
{
    for (uint32_t i = 0; i < t->rules->book.rule_count; i++) {
        const struct vd_rule *rule = &t->rules->book.rules[i];

        if (is_ruled(t, rule) && (t->program[rule->target] ||
                                  (via == t->step->from && (rule->flags & VD_RULE_SELF) != 0)))
            t->found(t->arg, rule, via);
    }
}

/* The types by which a type_transition leads to the step's end. */
static void find_ruled(struct tell *t, uint64_t *ruled, uint64_t *scratch)
{
    uint32_t words = VD_BITMAP_WORDS(vd_policydb_header(&t->rules->db)->types);

    for (uint32_t i = 0; i < t->rules->book.rule_count; i++) {
        const struct vd_rule *rule = &t->rules->book.rules[i];

        if (!is_ruled(t, rule))
            continue;
        vd_rulebook_expand(&t->rules->book, &t->rules->db, rule->target, scratch);
        if ((rule->flags & VD_RULE_SELF) != 0)
            vd_bitmap_set(scratch, t->step->from);
        for (uint32_t w = 0; w < words; w++)
            ruled[w] |= scratch[w];
    }
}

static bool is_program(const struct tell *t, uint32_t via)
{
    const struct perms *p = &t->perms;

    return (vd_reach_allowed(&t->reach, t->step->from, via, p->file) & p->execute) != 0 &&
           (vd_reach_allowed(&t->reach, t->step->to, via, p->file) & p->entrypoint) != 0;
}

static vd_status tell_program(struct tell *t, uint32_t via)
{
    VD_TRY(vd_flow_holders(t->rules, via, &t->program));
    tell_transitions(t, via);
    tell_allow(t, t->from, t->program, (struct want){t->perms.file, t->perms.execute, via});
    tell_allow(t, t->to, t->program, (struct want){t->perms.file, t->perms.entrypoint, via});
    free(t->program);
    t->program = NULL;
    return VD_OK;
}

/* The programs of the step, those with a type_transition first; `setexec`: all count. */
static vd_status tell_programs(struct tell *t, bool setexec)
{
    uint32_t types = vd_policydb_header(&t->rules->db)->types, words = VD_BITMAP_WORDS(types);
    uint64_t *ruled = calloc(2 * (size_t)words, sizeof(*ruled));
    vd_status status = ruled == NULL ? VD_E_NO_MEMORY : VD_OK;

    if (ruled != NULL)
        find_ruled(t, ruled, ruled + words);
    for (int pass = 1; pass >= (setexec ? 0 : 1); pass--) {
        for (uint32_t via = 1; status == VD_OK && via < types; via++) {
            if (vd_bitmap_get(ruled, via) == (pass != 0) && is_program(t, via) &&
                t->step->programs++ < t->step->max_programs)
                status = tell_program(t, via);
        }
    }
    free(ruled);
    return status;
}

static vd_status tell(struct tell *t)
{
    const struct vd_flow_step *step = t->step;
    const struct perms *p = &t->perms;
    uint32_t pair, own;

    VD_TRY(vd_reach_init(&t->reach, &t->rules->db, t->options->any_booleans));
    VD_TRY(vd_flow_holders(t->rules, step->from, &t->from));
    VD_TRY(vd_flow_holders(t->rules, step->to, &t->to));
    pair = vd_reach_allowed(&t->reach, step->from, step->to, p->process);
    own = vd_reach_allowed(&t->reach, step->from, step->from, p->process);
    if ((pair & p->dyntransition) != 0 && (own & p->setcurrent) != 0) {
        tell_allow(t, t->from, t->to, (struct want){p->process, p->dyntransition, 0});
        tell_allow(t, t->from, t->from, (struct want){p->process, p->setcurrent, 0});
    }
    if ((pair & p->transition) == 0)
        return VD_OK;
    tell_allow(t, t->from, t->to, (struct want){p->process, p->transition, 0});
    if ((own & p->setexec) != 0)
        tell_allow(t, t->from, t->from, (struct want){p->process, p->setexec, 0});
    return tell_programs(t, (own & p->setexec) != 0);
}

vd_status vd_flow_domain_rules(const struct vd_rules *rules, const struct vd_flow_options *options,
                               struct vd_flow_step *step, vd_flow_rule_fn found, void *arg)
{
    struct tell t = {.rules = rules,
                     .options = options,
                     .step = step,
                     .perms = find_perms(&rules->db),
                     .found = found,
                     .arg = arg};
    vd_status status;

    step->programs = 0;
    status = tell(&t);
    vd_reach_done(&t.reach);
    free(t.from);
    free(t.to);
    free(t.program);
    return status;
}
