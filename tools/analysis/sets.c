/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/analysis/sets.h"

#include <string.h>

#include "tools/sepolicy/suggest.h"

void vd_sets_init(struct vd_sets *sets, struct vd_sp *sp, const struct vd_policydb *db)
{
    *sets = (struct vd_sets){
        .sp = sp, .db = *db, .words = VD_BITMAP_WORDS(vd_policydb_header(db)->types)};
}

static const char *name_of(const struct vd_sets *sets, const struct vd_sp_item *item)
{
    return vd_sp_str(sets->sp, item->name);
}

static bool find(const struct vd_sets *sets, enum vd_pdb_symbol_kind kind,
                 const struct vd_sp_item *item, uint32_t *ret)
{
    const char *name = name_of(sets, item);

    return vd_policydb_find(&sets->db, kind, name, strlen(name), ret) == VD_OK;
}

bool vd_sets_symbol(struct vd_sets *sets, enum vd_pdb_symbol_kind kind,
                    const struct vd_sp_item *item, const char *what, uint32_t *ret)
{
    uint32_t count = vd_policydb_header(&sets->db)->sections[VD_PDB_SYMBOLS].count;
    struct vd_sp_suggestion s;

    if (find(sets, kind, item, ret))
        return true;
    vd_sp_suggest_init(&s, name_of(sets, item));
    for (uint32_t i = 0; i < count; i++) {
        const struct vd_pdb_symbol *row = vd_pdb_row(&sets->db, VD_PDB_SYMBOLS, i, sizeof(*row));
        if (row != NULL && row->kind == (uint32_t)kind)
            vd_sp_suggest(&s, vd_policydb_string(&sets->db, row->name));
    }
    vd_sp_error_hint(&sets->sp->messages, item->place, vd_sp_suggest_hint(&s, &sets->sp->arena),
                     "the policy has no %s '%s'", what, s.wanted);
    return false;
}

uint64_t *vd_sets_one(struct vd_sets *sets, uint32_t type)
{
    uint64_t *types = vd_sp_alloc_array(&sets->sp->arena, sets->words, sizeof(*types));

    vd_bitmap_set(types, type);
    return types;
}

/* Adds a type, or an attribute's types. */
static void add(const struct vd_sets *sets, uint32_t number, uint64_t *types)
{
    const struct vd_pdb_type *row = vd_pdb_row(&sets->db, VD_PDB_TYPES, number, sizeof(*row));

    if (row == NULL)
        return;
    if ((row->flags & VD_PDB_TYPE_ATTRIBUTE) == 0) {
        vd_bitmap_set(types, number);
        return;
    }
    for (uint32_t i = 0; i < sets->words; i++) {
        const uint64_t *word =
            vd_pdb_row(&sets->db, VD_PDB_BITMAPS, row->bitmap + i, sizeof(*word));
        types[i] |= word == NULL ? 0 : *word;
    }
}

static void add_all(const struct vd_sets *sets, uint64_t *types)
{
    for (uint32_t i = 1; i < vd_policydb_header(&sets->db)->types; i++) {
        const struct vd_pdb_type *row = vd_pdb_row(&sets->db, VD_PDB_TYPES, i, sizeof(*row));
        if (row != NULL && row->name != 0)
            vd_bitmap_set(types, i);
    }
}

static bool take_self(struct vd_sets *sets, const struct vd_sp_item *item, bool may_self,
                      struct vd_type_set *ret)
{
    if (!may_self) {
        vd_sp_error(&sets->sp->messages, item->place, "'self' stands for the source, in a target");
        return false;
    }
    *(item->minus ? &ret->not_self : &ret->self) = true;
    return true;
}

bool vd_sets_types(struct vd_sets *sets, const struct vd_sp_set *set, bool may_self,
                   struct vd_type_set *ret)
{
    struct vd_type_set result = {
        .types = vd_sp_alloc_array(&sets->sp->arena, sets->words, sizeof(uint64_t))};
    uint64_t *all = vd_sp_alloc_array(&sets->sp->arena, sets->words, sizeof(uint64_t));
    uint64_t *minus = vd_sp_alloc_array(&sets->sp->arena, sets->words, sizeof(uint64_t));

    add_all(sets, all);
    for (uint32_t i = 0; i < set->count; i++) {
        const struct vd_sp_item *item = &set->items[i];
        uint32_t number;
        if (item->name == VD_SP_KW_SELF) {
            if (!take_self(sets, item, may_self && !set->complement, &result))
                return false;
            continue;
        }
        if (!vd_sets_symbol(sets, VD_SYM_TYPE, item, "type or attribute", &number))
            return false;
        add(sets, number, item->minus ? minus : result.types);
    }
    for (uint32_t i = 0; i < sets->words; i++) {
        uint64_t word = (set->star ? all[i] : result.types[i]) & ~minus[i];
        result.types[i] = set->complement ? all[i] & ~word : word;
    }
    *ret = result;
    return true;
}

bool vd_sets_has_class(const struct vd_sets *sets, const struct vd_sp_set *set, uint32_t class)
{
    bool in = set->star;

    for (uint32_t i = 0; i < set->count; i++) {
        uint32_t number;
        if (find(sets, VD_SYM_CLASS, &set->items[i], &number) && number == class)
            in = true;
    }
    for (uint32_t i = 0; i < set->count; i++) {
        uint32_t number;
        if (set->items[i].minus && find(sets, VD_SYM_CLASS, &set->items[i], &number) &&
            number == class)
            in = false;
    }
    return in != set->complement;
}

bool vd_sets_classes_known(struct vd_sets *sets, const struct vd_sp_set *set)
{
    bool good = true;

    for (uint32_t i = 0; i < set->count; i++) {
        uint32_t number;
        good = vd_sets_symbol(sets, VD_SYM_CLASS, &set->items[i], "class", &number) && good;
    }
    return good;
}

static void unknown_perm(struct vd_sets *sets, const struct vd_sp_item *item, uint32_t class)
{
    struct vd_sp_suggestion s;

    vd_sp_suggest_init(&s, name_of(sets, item));
    for (uint32_t bit = 0; bit < VD_PDB_MAX_PERMS; bit++) {
        const char *name = vd_policydb_perm_name(&sets->db, class, bit);
        if (name != NULL)
            vd_sp_suggest(&s, name);
    }
    vd_sp_error_hint(&sets->sp->messages, item->place, vd_sp_suggest_hint(&s, &sets->sp->arena),
                     "class '%s' has no permission '%s'",
                     vd_policydb_name(&sets->db, VD_SYM_CLASS, class), s.wanted);
}

bool vd_sets_perms(struct vd_sets *sets, const struct vd_sp_set *set, uint32_t class, uint32_t *ret)
{
    const struct vd_pdb_class *row = vd_pdb_row(&sets->db, VD_PDB_CLASSES, class, sizeof(*row));
    uint32_t all = row == NULL                           ? 0
                   : row->perm_count >= VD_PDB_MAX_PERMS ? UINT32_MAX
                                                         : (1u << row->perm_count) - 1;
    uint32_t plus = set->star ? all : 0, minus = 0;

    for (uint32_t i = 0; i < set->count; i++) {
        const char *name = name_of(sets, &set->items[i]);
        uint32_t mask;
        if (vd_policydb_find_perm(&sets->db, class, name, strlen(name), &mask) != VD_OK) {
            unknown_perm(sets, &set->items[i], class);
            return false;
        }
        *(set->items[i].minus ? &minus : &plus) |= mask;
    }
    plus &= ~minus;
    *ret = set->complement ? all & ~plus : plus;
    return true;
}
