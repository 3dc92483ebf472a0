/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Roles, users, initial contexts.
 */
#include "tools/sepolicy/check/checker.h"

#include <string.h>

/* The roles that a role or a role attribute stands for are added; true if one was new. */
static bool join_role(struct vd_sp_checked *c, const struct vd_sp_symbol *role,
                      const struct vd_sp_symbol *attribute)
{
    uint64_t *to = c->role_attribute[attribute->number];
    const uint64_t *from;
    bool changed = false;

    if (role->kind != VD_SP_ATTRIBUTE) {
        changed = !vd_bitmap_get(to, role->number);
        vd_bitmap_set(to, role->number);
        return changed;
    }
    from = c->role_attribute[role->number];
    if (!vd_bitmap_covers(to, from, c->role_words)) {
        for (uint32_t w = 0; w < c->role_words; w++)
            to[w] |= from[w];
        changed = true;
    }
    return changed;
}

/* A role attribute may belong to another one: passes until nothing is new. */
static void join_role_attributes(struct vd_sp_checked *c)
{
    struct vd_sp *sp = c->sp;
    bool changed = true;

    c->role_attribute =
        vd_sp_alloc_array(&sp->arena, c->role_attributes.count, sizeof(*c->role_attribute));
    for (uint32_t i = 0; i < c->role_attributes.count; i++)
        c->role_attribute[i] = vd_sp_alloc_array(&sp->arena, c->role_words, sizeof(uint64_t));
    for (bool first = true; changed; first = false) {
        changed = false;
        for (uint32_t i = 0; i < sp->role_attributes.count; i++) {
            struct vd_sp_pair *pair = &sp->role_attributes.data[i];
            struct vd_sp_symbol *role, *attribute;

            if (pair->left.name == 0 || !vd_sp_on(sp, pair->block))
                continue;
            role = vd_sp_find(sp, VD_SP_ROLE, &pair->left);
            attribute = vd_sp_find(sp, VD_SP_ROLE, &pair->right);
            if (role != NULL && attribute != NULL && attribute->kind == VD_SP_ATTRIBUTE) {
                changed |= join_role(c, role, attribute);
                continue;
            }
            if (first && role != NULL && attribute != NULL)
                vd_sp_error(&sp->messages, pair->right.place,
                            "'%s' is a role, not a role attribute",
                            vd_sp_str(sp, pair->right.name));
            pair->left.name = 0; /* reported once */
        }
    }
}

/* A block's place among the optional blocks, an else block having that of its rival. */
static uint32_t order_of(const struct vd_sp *sp, uint32_t block)
{
    uint32_t rival = sp->blocks.data[block].rival;

    return rival == 0 ? block : rival;
}

/* The types that an attribute has from the policy itself and the blocks up to one. */
static uint64_t *members_until(struct vd_sp_checked *c, uint32_t name, uint32_t order)
{
    struct vd_sp *sp = c->sp;
    uint64_t *words = vd_sp_alloc_array(&sp->arena, c->type_words, sizeof(*words));

    for (uint32_t i = 0; i < sp->type_attributes.count; i++) {
        const struct vd_sp_pair *pair = &sp->type_attributes.data[i];

        if (pair->right.name == name && vd_sp_on(sp, pair->block) &&
            order_of(sp, pair->block) <= order)
            vd_bitmap_set(words, vd_sp_find(sp, VD_SP_TYPE, &pair->left)->number);
    }
    return words;
}

/* What stands for an attribute while one statement is resolved. */
struct stand_in {
    uint32_t number; /* 0: the item is no attribute */
    uint32_t set;
    uint64_t *words;
};

static void swap(struct vd_sp_checked *c, struct stand_in *in)
{
    uint64_t *words = c->attributes[in->number - c->type_count];
    uint32_t set = c->set_of[in->number];

    c->attributes[in->number - c->type_count] = in->words;
    c->set_of[in->number] = in->set;
    in->words = words;
    in->set = set;
}

/*
 * The types of a `role … types` statement. As libsepol expands it, before the blocks
 * that follow: an attribute has not yet the types that join it there.
 */
static bool resolve_role_types(struct vd_sp_checked *c, const struct vd_sp_role_types *row,
                               uint32_t *ret)
{
    struct vd_sp *sp = c->sp;
    const struct vd_sp_set *set = &row->types;
    struct stand_in *in = vd_sp_alloc_array(&sp->arena, set->count, sizeof(*in));
    bool good;

    for (uint32_t i = 0; i < set->count && sp->messages.errors == 0; i++) {
        const struct vd_sp_symbol *symbol = vd_sp_symbol_of(sp, VD_SP_TYPE, set->items[i].name);

        if (symbol == NULL || symbol->kind != VD_SP_ATTRIBUTE || symbol->number == 0)
            continue;
        in[i].number = symbol->number;
        in[i].words = members_until(c, set->items[i].name, order_of(sp, row->block));
        swap(c, &in[i]);
    }
    good = vd_sp_resolve_types(c, set, ret, NULL);
    for (uint32_t i = set->count; i > 0; i--) {
        if (in[i - 1].number != 0)
            swap(c, &in[i - 1]);
    }
    return good;
}

static void add_role_types(struct vd_sp_checked *c, const struct vd_sp_role_types *row)
{
    struct vd_sp_symbol *role = vd_sp_find(c->sp, VD_SP_ROLE, &row->role);
    uint32_t set;

    if (role == NULL || !resolve_role_types(c, row, &set))
        return;
    for (uint32_t r = 1; r < c->roles.count; r++) {
        bool meant = role->kind == VD_SP_ATTRIBUTE
                         ? vd_bitmap_get(c->role_attribute[role->number], r)
                         : r == role->number;

        for (uint32_t i = 0; meant && i < c->type_words; i++)
            c->role_types[r][i] |= c->sets.data[set].words[i];
    }
}

/* A binary policy says all: the roles that each role dominates, and no type more than it has. */
static void take_dominance(struct vd_sp_checked *c)
{
    struct vd_sp *sp = c->sp;

    for (uint32_t i = 0; i < sp->dominates.count; i++) {
        const struct vd_sp_symbol *above = vd_sp_find(sp, VD_SP_ROLE, &sp->dominates.data[i].left);
        const struct vd_sp_symbol *below = vd_sp_find(sp, VD_SP_ROLE, &sp->dominates.data[i].right);

        if (above != NULL && below != NULL)
            vd_bitmap_set(c->role_dominates[above->number], below->number);
    }
}

/* A role that dominates another has its types too, through any number of steps. */
static void spread_dominance(struct vd_sp_checked *c)
{
    struct vd_sp *sp = c->sp;
    bool changed = sp->dominates.count > 0;

    while (changed) {
        changed = false;
        for (uint32_t i = 0; i < sp->dominates.count; i++) {
            struct vd_sp_symbol *above = vd_sp_find(sp, VD_SP_ROLE, &sp->dominates.data[i].left);
            struct vd_sp_symbol *below = vd_sp_find(sp, VD_SP_ROLE, &sp->dominates.data[i].right);
            uint64_t *to, *from;

            if (above == NULL || below == NULL)
                continue;
            to = c->role_dominates[above->number];
            from = c->role_dominates[below->number];
            if (vd_bitmap_covers(to, from, c->role_words))
                continue;
            for (uint32_t w = 0; w < c->role_words; w++)
                to[w] |= from[w];
            changed = true;
        }
    }
    for (uint32_t r = 1; r < c->roles.count && sp->dominates.count > 0; r++) {
        VD_SP_FOR_EACH_BIT (c->role_dominates[r], c->role_words, other) {
            for (uint32_t w = 0; other != r && w < c->type_words; w++)
                c->role_types[r][w] |= c->role_types[other][w];
        }
    }
}

static void add_role_allows(struct vd_sp_checked *c)
{
    struct vd_sp *sp = c->sp;
    uint64_t *from = vd_sp_alloc_array(&sp->arena, 2 * (size_t)c->role_words, sizeof(*from));
    uint64_t *to = from + c->role_words;

    c->role_allow = vd_sp_alloc_array(&sp->arena, (size_t)c->roles.count * c->role_words,
                                      sizeof(*c->role_allow));
    for (uint32_t i = 0; i < sp->role_allows.count; i++) {
        const struct vd_sp_role_allow *row = &sp->role_allows.data[i];

        if (!vd_sp_on(sp, row->block) || !vd_sp_resolve_plain(c, VD_SP_ROLE, &row->from, from) ||
            !vd_sp_resolve_plain(c, VD_SP_ROLE, &row->to, to))
            continue;
        VD_SP_FOR_EACH_BIT (from, c->role_words, role) {
            for (uint32_t w = 0; w < c->role_words; w++)
                c->role_allow[(size_t)role * c->role_words + w] |= to[w];
        }
    }
}

void vd_sp_check_roles(struct vd_sp_checked *c)
{
    struct vd_sp *sp = c->sp;

    join_role_attributes(c);
    c->role_types = vd_sp_alloc_array(&sp->arena, c->roles.count, sizeof(*c->role_types));
    c->role_dominates = vd_sp_alloc_array(&sp->arena, c->roles.count, sizeof(*c->role_dominates));
    for (uint32_t r = 0; r < c->roles.count; r++) {
        c->role_types[r] = vd_sp_alloc_array(&sp->arena, c->type_words, sizeof(uint64_t));
        c->role_dominates[r] = vd_sp_alloc_array(&sp->arena, c->role_words, sizeof(uint64_t));
        /* object_r dominates nothing, not even itself: libsepol, roles_init. */
        if (r > VD_PDB_ROLE_OBJECT && !sp->messages.binary)
            vd_bitmap_set(c->role_dominates[r], r);
    }
    for (uint32_t i = 0; i < sp->role_types.count; i++) {
        if (vd_sp_on(sp, sp->role_types.data[i].block))
            add_role_types(c, &sp->role_types.data[i]);
    }
    if (sp->messages.binary)
        take_dominance(c);
    else
        spread_dominance(c);
    add_role_allows(c);
}

static bool level_inside(const struct vd_mls_level *low, const struct vd_mls_level *level,
                         const struct vd_mls_level *high)
{
    return low->sens <= level->sens && level->sens <= high->sens &&
           vd_bitmap_covers(level->cats, low->cats, VD_MLS_CAT_WORDS) &&
           vd_bitmap_covers(high->cats, level->cats, VD_MLS_CAT_WORDS);
}

static void user_levels(struct vd_sp_checked *c, const struct vd_sp_user *row,
                        struct vd_sp_checked_user *user)
{
    struct vd_sp *sp = c->sp;

    if (!sp->mls)
        return;
    if (!row->has_level) {
        if (!user->has_level)
            vd_sp_error_hint(&sp->messages, row->name.place,
                             "write: user NAME roles { … } level LEVEL range LOW - HIGH;",
                             "user '%s' has no level, but the policy has multi-level security",
                             vd_sp_str(sp, row->name.name));
        return;
    }
    user->has_level = true;
    if (!vd_sp_resolve_level(c, &row->level, &user->level) ||
        !vd_sp_resolve_range(c, &row->range, &user->low, &user->high))
        return;
    if (!level_inside(&user->low, &user->level, &user->high))
        vd_sp_error(&sp->messages, row->level.sens.place,
                    "the default level of user '%s' is outside of the range",
                    vd_sp_str(sp, row->name.name));
}

void vd_sp_check_users(struct vd_sp_checked *c)
{
    struct vd_sp *sp = c->sp;
    uint64_t *roles = vd_sp_alloc_array(&sp->arena, c->role_words, sizeof(*roles));

    c->user = vd_sp_alloc_array(&sp->arena, c->users.count, sizeof(*c->user));
    for (uint32_t i = 0; i < c->users.count; i++)
        c->user[i].roles = vd_sp_alloc_array(&sp->arena, c->role_words, sizeof(uint64_t));
    for (uint32_t i = 0; i < sp->users.count; i++) {
        const struct vd_sp_user *row = &sp->users.data[i];
        struct vd_sp_symbol *symbol;

        if (!vd_sp_on(sp, row->block))
            continue;
        symbol = vd_sp_find(sp, VD_SP_USER, &row->name);
        if (symbol == NULL || !vd_sp_resolve_plain(c, VD_SP_ROLE, &row->roles, roles))
            continue;
        for (uint32_t w = 0; w < c->role_words; w++)
            c->user[symbol->number].roles[w] |= roles[w];
        user_levels(c, row, &c->user[symbol->number]);
    }
}

/* Numbers of a context's names; false: reported. */
static bool resolve_context(struct vd_sp_checked *c, const struct vd_sp_context *from,
                            struct vd_context *ret)
{
    struct vd_sp *sp = c->sp;
    struct vd_sp_symbol *user = vd_sp_find(sp, VD_SP_USER, &from->user);
    struct vd_sp_symbol *role = vd_sp_find(sp, VD_SP_ROLE, &from->role);
    struct vd_sp_symbol *type = vd_sp_find(sp, VD_SP_TYPE, &from->type);

    *ret = (struct vd_context){};
    if (user == NULL || role == NULL || type == NULL)
        return false;
    if (type->kind == VD_SP_ATTRIBUTE || role->kind == VD_SP_ATTRIBUTE) {
        vd_sp_error(&sp->messages, from->type.place, "an attribute cannot be part of a context");
        return false;
    }
    ret->user = user->number;
    ret->role = role->number;
    ret->type = type->number;
    if (!sp->mls)
        return true;
    if (from->range.part == VD_SP_LEVEL_NONE) {
        vd_sp_error_hint(&sp->messages, from->user.place, "write user:role:type:level",
                         "this context has no level, but the policy has multi-level security");
        return false;
    }
    return vd_sp_resolve_range(c, &from->range, &ret->low, &ret->high);
}

static bool context_valid(const struct vd_sp_checked *c, const struct vd_context *context,
                          const char **ret_why)
{
    const struct vd_sp_checked_user *user = &c->user[context->user];

    if (context->role != VD_PDB_ROLE_OBJECT) {
        *ret_why = "the user does not have the role";
        if (!vd_bitmap_get(user->roles, context->role))
            return false;
        *ret_why = "the role does not have the type";
        if (!vd_bitmap_get(c->role_types[context->role], context->type))
            return false;
    }
    *ret_why = "the range is outside of the user's";
    return !c->sp->mls || context->role == VD_PDB_ROLE_OBJECT ||
           (level_inside(&user->low, &context->low, &user->high) &&
            level_inside(&user->low, &context->high, &user->high));
}

bool vd_sp_resolve_context(struct vd_sp_checked *c, const struct vd_sp_context *from,
                           struct vd_context *ret)
{
    const char *why;

    if (!resolve_context(c, from, ret))
        return false;
    if (context_valid(c, ret, &why))
        return true;
    vd_sp_error(&c->sp->messages, from->user.place, "this context is not valid: %s", why);
    return false;
}

void vd_sp_check_sids(struct vd_sp_checked *c)
{
    struct vd_sp *sp = c->sp;

    for (uint32_t i = 0; i < sp->sids.count; i++) {
        const struct vd_sp_sid *sid = &sp->sids.data[i];
        struct vd_sp_checked_sid *row;
        struct vd_context context;

        if (vd_sp_find(sp, VD_SP_SID, &sid->name) == NULL ||
            !vd_sp_resolve_context(c, &sid->context, &context))
            continue;
        row = VD_SP_PUSH(&sp->arena, &c->sids);
        row->name = sid->name.name;
        row->context = context;
    }
    for (uint32_t i = 1; i < sp->symbols.count; i++) {
        const struct vd_sp_symbol *symbol = &sp->symbols.data[i];
        bool given = false;

        for (uint32_t j = 0; symbol->space == VD_SP_SID && j < sp->sids.count; j++)
            given |= sp->sids.data[j].name.name == symbol->name;
        if (symbol->space == VD_SP_SID && !given)
            vd_sp_warning(&sp->messages, symbol->place, NULL,
                          "initial context '%s' is declared but never given",
                          vd_sp_str(sp, symbol->name));
    }
}
