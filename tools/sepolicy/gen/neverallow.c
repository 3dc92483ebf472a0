/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/sepolicy/gen/rules.h"

/* The place of an allow rule that gives some of these permissions; 0: none. */
static uint32_t find_allow(const struct vd_sp_te *te, uint32_t source, uint32_t target,
                           uint32_t class, uint32_t perms)
{
    const struct vd_sp_checked *c = te->image->c;

    for (uint32_t i = te->class_first[class]; i < te->class_first[class + 1]; i++) {
        const struct vd_sp_av *av = &c->avs.data[te->list.data[i]];

        if (av->kind == VD_SP_ALLOW && (av->perms & perms) != 0 &&
            vd_sp_av_reaches(c, av, source, target))
            return c->sp->rules.data[av->rule].place;
    }
    return 0;
}

static void report(struct vd_sp_te *te, const struct vd_sp_av *av, uint32_t source, uint32_t target)
{
    struct vd_sp_checked *c = te->image->c;
    struct vd_sp *sp = c->sp;
    uint32_t broken = te->row.possible[target] & av->perms;
    uint32_t allow = find_allow(te, source, target, av->class, broken);
    const struct vd_sp_symbol *symbols = sp->symbols.data;

    if (te->reported[av->rule])
        return;
    te->reported[av->rule] = true;
    vd_sp_error_hint(&sp->messages, sp->rules.data[av->rule].place,
                     vd_sp_text(&sp->arena, "the allow rule at %s gives it",
                                vd_sp_place_text(&sp->messages, allow)),
                     "this neverallow is violated: %s %s:%s %s is allowed",
                     vd_sp_str(sp, symbols[c->types.symbols[source]].name),
                     vd_sp_str(sp, symbols[c->types.symbols[target]].name),
                     vd_sp_str(sp, symbols[c->classes.symbols[av->class]].name),
                     vd_sp_perms_text(c, av->class, broken));
}

void vd_sp_check_neverallow(struct vd_sp_te *te, uint32_t source, uint32_t class)
{
    struct vd_sp_checked *c = te->image->c;

    for (uint32_t i = te->class_first[class]; i < te->class_first[class + 1]; i++) {
        const struct vd_sp_av *av = &c->avs.data[te->list.data[i]];

        if (av->kind != VD_SP_NEVERALLOW)
            continue;
        VD_SP_FOR_EACH_BIT (c->sets.data[av->target].words, c->type_words, target) {
            if ((te->row.possible[target] & av->perms) != 0 &&
                (target != source || (av->flags & VD_SP_AV_NOT_SELF) == 0))
                report(te, av, source, target);
        }
        if ((av->flags & VD_SP_AV_SELF) != 0 && (te->row.possible[source] & av->perms) != 0)
            report(te, av, source, source);
    }
}
