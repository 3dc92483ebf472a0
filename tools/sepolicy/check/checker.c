/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/sepolicy/check/checker.h"

static void check_defaults(struct vd_sp_checked *c)
{
    static const uint32_t shifts[] = {
        [VD_SP_DEFAULT_USER] = VD_PDB_CLASS_USER_SHIFT,
        [VD_SP_DEFAULT_ROLE] = VD_PDB_CLASS_ROLE_SHIFT,
        [VD_SP_DEFAULT_TYPE] = VD_PDB_CLASS_TYPE_SHIFT,
        [VD_SP_DEFAULT_RANGE] = VD_PDB_CLASS_RANGE_SHIFT,
    };
    struct vd_sp *sp = c->sp;
    uint32_t words = VD_BITMAP_WORDS(c->classes.count);
    uint64_t *classes = vd_sp_alloc_array(&sp->arena, words, sizeof(*classes));

    for (uint32_t i = 0; i < sp->defaults.count; i++) {
        const struct vd_sp_default *row = &sp->defaults.data[i];
        uint32_t mask = row->kind == VD_SP_DEFAULT_RANGE ? 7 : 3;

        if (!vd_sp_on(sp, row->block) ||
            !vd_sp_resolve_plain(c, VD_SP_CLASS, &row->classes, classes))
            continue;
        VD_SP_FOR_EACH_BIT (classes, words, number) {
            struct vd_sp_class *class = vd_sp_class_of(c, number);
            uint32_t before = class->flags >> shifts[row->kind] & mask;

            if (before != 0 && before != row->value)
                vd_sp_error(&sp->messages, row->place, "class '%s' has another default already",
                            vd_sp_str(sp, sp->symbols.data[class->symbol].name));
            class->flags |= row->value << shifts[row->kind];
        }
    }
}

static void check_conditions(struct vd_sp_checked *c)
{
    struct vd_sp *sp = c->sp;

    for (uint32_t i = 0; i < sp->cond_nodes.count; i++) {
        if (sp->cond_nodes.data[i].op == VD_COND_BOOL)
            (void)vd_sp_find(sp, VD_SP_BOOL, &sp->cond_nodes.data[i].name);
    }
}

void vd_sp_check(struct vd_sp *sp, struct vd_sp_checked *ret)
{
    *ret = (struct vd_sp_checked){.sp = sp};
    vd_sp_check_blocks(sp);
    if (!sp->options->keep_cache)
        VD_SP_VEC_RELEASE(&sp->arena, &sp->requires);
    vd_sp_check_symbols(ret);
    vd_sp_check_attributes(ret);
    ret->scratch = vd_sp_alloc_array(&sp->arena, 2 * (size_t)ret->type_words, sizeof(uint64_t));
    ret->set_of = vd_sp_alloc_array(&sp->arena, ret->types.count, sizeof(uint32_t));
    (void)vd_sp_intern_types(ret, ret->scratch); /* set 0: the empty one */
    vd_sp_check_levels(ret);
    vd_sp_check_roles(ret);
    vd_sp_check_users(ret);
    vd_sp_check_sids(ret);
    vd_sp_check_labels(ret);
    vd_sp_check_bounds(ret);
    check_defaults(ret);
    check_conditions(ret);
    vd_sp_check_tunables(ret);
    vd_sp_check_rules(ret);
    if (!sp->messages.binary)
        vd_sp_warn_shadowed(ret);
    if (ret->type_count == 1)
        vd_sp_warning(&sp->messages, 0,
                      "declare types and rules: type a_t; allow a_t a_t:file read;",
                      "the sources declare no type: this policy allows nothing");
    vd_sp_check_xperms(ret);
}
