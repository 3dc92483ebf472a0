/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * neverallowxperm: a number is allowed under some setting of the booleans if
 * its permission is, and either a rule names it or there may be no rule of
 * extended permissions in force at all.
 */
#include "tools/sepolicy/gen/rules.h"

#include <string.h>

#define WORDS 1024u

/* What the rules of one target come to. */
struct cell {
    uint64_t allowed[WORDS]; /* by allowxperm, under some setting */
    bool defined;            /* a rule is in force under every setting */
    uint32_t place;          /* of an allowxperm; 0: there is none */
};

/* True if the rule is one part of an `if` whose other part has a rule for the target too. */
static bool has_counterpart(const struct vd_sp_te *te, const struct vd_sp_xperm_rule *rule,
                            uint32_t target)
{
    const struct vd_sp_checked *c = te->image->c;
    const struct vd_sp_xperm_part *parts = te->xperms.parts.data;

    for (uint32_t i = te->xperms.of[target]; i != 0; i = parts[i - 1].next) {
        const struct vd_sp_xperm_rule *other =
            &c->sp->xperm_rules.data[c->xavs.data[parts[i - 1].xav].rule];

        if (other->cond == rule->cond && other->otherwise != rule->otherwise)
            return true;
    }
    return false;
}

static void sum_up(const struct vd_sp_te *te, uint32_t target, bool nlmsg, struct cell *ret)
{
    const struct vd_sp_checked *c = te->image->c;
    const struct vd_sp_xperm_part *parts = te->xperms.parts.data;

    memset(ret, 0, sizeof(*ret));
    for (uint32_t i = te->xperms.of[target]; i != 0; i = parts[i - 1].next) {
        const struct vd_sp_xperm_rule *rule =
            &c->sp->xperm_rules.data[c->xavs.data[parts[i - 1].xav].rule];

        ret->defined |= rule->cond == 0 || has_counterpart(te, rule, target);
        if (rule->kind != VD_SP_ALLOW || rule->nlmsg != nlmsg)
            continue;
        vd_sp_xperm_numbers(c->sp, rule, ret->allowed);
        ret->place = rule->place;
    }
}

/* The place of a rule that gives the permission itself; 0: none. */
static uint32_t find_allow(const struct vd_sp_te *te, uint32_t source, uint32_t target,
                           uint32_t class, uint32_t perm)
{
    const struct vd_sp_checked *c = te->image->c;

    for (uint32_t i = te->class_first[class]; i < te->class_first[class + 1]; i++) {
        const struct vd_sp_av *av = &c->avs.data[te->list.data[i]];

        if (av->kind == VD_SP_ALLOW && (av->perms & perm) != 0 &&
            vd_sp_av_reaches(c, av, source, target))
            return c->sp->rules.data[av->rule].place;
    }
    return 0;
}

/* What a neverallowxperm found, and the place of the rule that gives it. */
struct violation {
    uint32_t source, target, number, place;
};

static void report(struct vd_sp_te *te, const struct vd_sp_xav *av, const struct violation *v)
{
    struct vd_sp_checked *c = te->image->c;
    struct vd_sp *sp = c->sp;
    const struct vd_sp_xperm_rule *rule = &sp->xperm_rules.data[av->rule];
    const struct vd_sp_symbol *symbols = sp->symbols.data;

    te->xperms.reported[av->rule] = true;
    vd_sp_error_hint(&sp->messages, rule->place,
                     vd_sp_text(&sp->arena, "the rule at %s gives it",
                                vd_sp_place_text(&sp->messages, v->place)),
                     "this neverallowxperm is violated: %s %s:%s %s 0x%x is allowed",
                     vd_sp_str(sp, symbols[c->types.symbols[v->source]].name),
                     vd_sp_str(sp, symbols[c->types.symbols[v->target]].name),
                     vd_sp_str(sp, symbols[c->classes.symbols[av->class]].name),
                     rule->nlmsg ? "nlmsg" : "ioctl", v->number);
}

static void check_target(struct vd_sp_te *te, const struct vd_sp_xav *av, uint32_t source,
                         uint32_t target)
{
    struct vd_sp_checked *c = te->image->c;
    const struct vd_sp_xperm_rule *rule = &c->sp->xperm_rules.data[av->rule];
    uint32_t perm = vd_sp_xperm_perm(c, av->class, rule->nlmsg);
    struct cell cell;

    if (te->xperms.reported[av->rule] || (te->row.possible[target] & perm) == 0)
        return;
    sum_up(te, target, rule->nlmsg, &cell);
    for (uint32_t i = 0; i < rule->range_count; i++) {
        const struct vd_sp_xperm_range *range = &c->sp->xperm_ranges.data[rule->range_first + i];

        for (uint32_t n = range->low; n <= range->high; n++) {
            if (cell.defined && !vd_bitmap_get(cell.allowed, n))
                continue;
            report(te, av,
                   &(struct violation){source, target, n,
                                       vd_bitmap_get(cell.allowed, n)
                                           ? cell.place
                                           : find_allow(te, source, target, av->class, perm)});
            return;
        }
    }
}

void vd_sp_check_neverallow_xperm(struct vd_sp_te *te, uint32_t source)
{
    const struct vd_sp_checked *c = te->image->c;

    for (uint32_t i = te->xperms.first; i < te->xperms.last; i++) {
        const struct vd_sp_xav *av = &c->xavs.data[te->xperms.list[i]];

        if (av->kind != VD_SP_NEVERALLOW)
            continue;
        VD_SP_FOR_EACH_BIT (c->sets.data[av->target].words, c->type_words, target) {
            if (target != source || (av->flags & VD_SP_AV_NOT_SELF) == 0)
                check_target(te, av, source, target);
        }
        if ((av->flags & VD_SP_AV_SELF) != 0)
            check_target(te, av, source, source);
    }
}
