/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Rules of extended permissions: their names become numbers, a row for each
 * class, ordered by class.
 */
#include "tools/sepolicy/check/checker.h"

#include <stdlib.h>
#include <string.h>

/* The permission that numbers of this kind belong to; 0: the class has none. */
uint32_t vd_sp_xperm_perm(const struct vd_sp_checked *c, uint32_t class, bool nlmsg)
{
    const struct vd_sp_class *row = vd_sp_class_of(c, class);
    uint32_t name = nlmsg ? VD_SP_KW_NLMSG : VD_SP_KW_IOCTL;

    for (uint32_t i = 0; i < row->count; i++) {
        if (row->perms[i] == name)
            return 1u << i;
    }
    return 0;
}

static void warn_empty(struct vd_sp *sp, uint32_t place, const char *what)
{
    vd_sp_warning(&sp->messages, place, NULL, "this rule does nothing: %s", what);
}

static void resolve(struct vd_sp_checked *c, uint32_t index, uint64_t *classes)
{
    struct vd_sp *sp = c->sp;
    const struct vd_sp_xperm_rule *rule = &sp->xperm_rules.data[index];
    uint32_t words = VD_BITMAP_WORDS(c->classes.count), source, target;
    uint8_t flags;
    bool good = vd_sp_resolve_types(c, &rule->source, &source, NULL);

    good &= vd_sp_resolve_types(c, &rule->target, &target, &flags);
    good &= vd_sp_resolve_plain(c, VD_SP_CLASS, &rule->classes, classes);
    if (!good)
        return;
    if (c->sets.data[source].weight == 0)
        warn_empty(sp, rule->source.place, "no type is in its source");
    else if (c->sets.data[target].weight == 0 && (flags & VD_SP_AV_SELF) == 0)
        warn_empty(sp, rule->target.place, "no type is in its target");
    else if (rule->range_count == 0)
        warn_empty(sp, rule->place, "no number is left");
    if (rule->range_count == 0)
        return;
    VD_SP_FOR_EACH_BIT (classes, words, class) {
        if (vd_sp_xperm_perm(c, class, rule->nlmsg) == 0)
            vd_sp_warning(&sp->messages, rule->classes.place, NULL,
                          "class '%s' has no permission '%s'",
                          vd_sp_str(sp, sp->symbols.data[c->classes.symbols[class]].name),
                          rule->nlmsg ? "nlmsg" : "ioctl");
        *VD_SP_PUSH(&sp->arena, &c->xavs) = (struct vd_sp_xav){.source = source,
                                                               .target = target,
                                                               .rule = index,
                                                               .class = (uint16_t) class,
                                                               .kind = rule->kind,
                                                               .flags = flags};
    }
}

static int compare(const void *pa, const void *pb)
{
    const struct vd_sp_xav *a = pa, *b = pb;

    if (a->class != b->class)
        return a->class < b->class ? -1 : 1;
    return a->rule != b->rule ? (a->rule < b->rule ? -1 : 1) : 0;
}

void vd_sp_check_xperms(struct vd_sp_checked *c)
{
    struct vd_sp *sp = c->sp;
    uint64_t *classes =
        vd_sp_alloc_array(&sp->arena, VD_BITMAP_WORDS(c->classes.count), sizeof(*classes));

    for (uint32_t i = 0; i < sp->xperm_rules.count; i++) {
        if (vd_sp_on(sp, sp->xperm_rules.data[i].block))
            resolve(c, i, classes);
    }
    if (c->xavs.count > 0)
        qsort(c->xavs.data, c->xavs.count, sizeof(*c->xavs.data), compare);
}
