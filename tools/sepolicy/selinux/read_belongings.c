/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What belongs to the symbols of SELinux's binary policy and names symbols of
 * other tables: roles' types, users' roles and levels, attributes of types.
 */
#include "tools/sepolicy/selinux/read.h"

#define SR_MAX_BOUNDS 3u /* steps to the outermost bound: the kernel's limit */

/* True if `outer` has every bit of `inner`. */
static bool covers(const struct vd_sp_sr_map *outer, const struct vd_sp_sr_map *inner)
{
    uint32_t at = 0;

    for (uint32_t i = 0; i < inner->count; i++) {
        while (at < outer->count && outer->nodes[at].first < inner->nodes[i].first)
            at++;
        if (at == outer->count || outer->nodes[at].first != inner->nodes[i].first ||
            (inner->nodes[i].bits & ~outer->nodes[at].bits) != 0)
            return false;
    }
    return true;
}

/* As the kernel's role_bounds_sanity_check: a bound has all types of what it bounds. */
static void check_role_bounds(struct vd_sp_sr *sr, uint32_t number)
{
    uint32_t steps = 0;

    for (uint32_t up = sr->role[number].bounds; up != 0; up = sr->role[up].bounds) {
        if (++steps > SR_MAX_BOUNDS)
            vd_sp_sr_fail(sr, sr->roles.items[number].place,
                          "the bounds of role '%s' form a ring or more than %u steps",
                          vd_sp_str(sr->sp, sr->roles.items[number].name), SR_MAX_BOUNDS);
        if (!covers(&sr->role[up].types, &sr->role[number].types))
            vd_sp_sr_fail(sr, sr->roles.items[number].place,
                          "role '%s' has types that its bound '%s' does not have",
                          vd_sp_str(sr->sp, sr->roles.items[number].name),
                          vd_sp_str(sr->sp, sr->roles.items[up].name));
    }
}

static void check_user_bounds(struct vd_sp_sr *sr, uint32_t number)
{
    uint32_t steps = 0;

    for (uint32_t up = sr->user[number].bounds; up != 0; up = sr->user[up].bounds) {
        if (++steps > SR_MAX_BOUNDS)
            vd_sp_sr_fail(sr, sr->users.items[number].place,
                          "the bounds of user '%s' form a ring or more than %u steps",
                          vd_sp_str(sr->sp, sr->users.items[number].name), SR_MAX_BOUNDS);
        if (!covers(&sr->user[up].roles, &sr->user[number].roles))
            vd_sp_sr_fail(sr, sr->users.items[number].place,
                          "user '%s' has roles that the bound '%s' does not have",
                          vd_sp_str(sr->sp, sr->users.items[number].name),
                          vd_sp_str(sr->sp, sr->users.items[up].name));
    }
}

/* What the file says of object_r means nothing to the kernel either. */
static void add_roles(struct vd_sp_sr *sr)
{
    struct vd_sp *sp = sr->sp;

    if (sr->roles.count > VD_PDB_ROLE_OBJECT)
        sr->role[VD_PDB_ROLE_OBJECT] = (struct vd_sp_sr_role){};
    for (uint32_t i = VD_PDB_ROLE_OBJECT + 1; i < sr->roles.count; i++) {
        struct vd_sp_set below, types;
        struct vd_sp_role_types *row;

        if (sr->roles.items[i].name == 0)
            continue;
        below = vd_sp_sr_members(sr, &sr->role[i].dominates, &sr->roles, 1, "dominated role");
        types = vd_sp_sr_members(sr, &sr->role[i].types, &sr->types, 1, "type");
        vd_sp_sr_only_types(sr, &types, "a role's type");
        row = VD_SP_PUSH(&sp->arena, &sp->role_types);
        row->role = sr->roles.items[i];
        row->types = types;
        for (uint32_t n = 0; n < below.count; n++) {
            struct vd_sp_pair *pair = VD_SP_PUSH(&sp->arena, &sp->dominates);

            pair->left = sr->roles.items[i];
            pair->right = below.items[n];
        }
        check_role_bounds(sr, i);
    }
}

static void add_users(struct vd_sp_sr *sr)
{
    struct vd_sp *sp = sr->sp;

    for (uint32_t i = 1; i < sr->users.count; i++) {
        struct vd_sp_user row = {.name = sr->users.items[i]};

        if (row.name.name == 0)
            continue;
        row.roles = vd_sp_sr_members(sr, &sr->user[i].roles, &sr->roles, 1, "role");
        row.has_level = sp->mls;
        if (sp->mls) {
            row.level = vd_sp_sr_make_level(sr, &sr->user[i].level);
            row.range = vd_sp_sr_make_range(sr, &sr->user[i].range);
        }
        *VD_SP_PUSH(&sp->arena, &sp->users) = row;
        check_user_bounds(sr, i);
    }
}

void vd_sp_sr_belongings(struct vd_sp_sr *sr)
{
    add_roles(sr);
    add_users(sr);
}

/* A type's map: itself, which goes without saying, and its attributes. */
static void add_attributes(struct vd_sp_sr *sr, uint32_t number, const struct vd_sp_sr_map *map)
{
    struct vd_sp *sp = sr->sp;

    for (uint32_t i = 0; i < map->count; i++) {
        VD_SP_FOR_EACH_BIT (&map->nodes[i].bits, 1, bit) {
            uint32_t other = map->nodes[i].first + bit + 1;
            const struct vd_sp_item *item;
            struct vd_sp_pair *pair;

            if (other == number)
                continue;
            item = vd_sp_sr_number(sr, &sr->types, other, map->place, "attribute");
            if (sr->types.items[number].name == 0 || sr->attribute[number] || !sr->attribute[other])
                vd_sp_sr_fail(
                    sr, map->place,
                    "'%s' cannot be an attribute of '%s'; expected an attribute of a type",
                    vd_sp_str(sp, item->name), vd_sp_str(sp, sr->types.items[number].name));
            pair = VD_SP_PUSH(&sp->arena, &sp->type_attributes);
            pair->left = sr->types.items[number];
            pair->right = *item;
            *VD_SP_PUSH(&sp->arena, &sr->members) =
                (struct vd_sp_sr_member){.type = number, .attribute = other};
        }
    }
}

/* Groups the pairs by attribute: counts, then starts, then the types. */
static void group_members(struct vd_sp_sr *sr)
{
    struct vd_sp *sp = sr->sp;
    const struct vd_sp_sr_member *list = sr->members.data;
    uint32_t *at = vd_sp_alloc_array(&sp->arena, sr->types.count + 1, sizeof(*at));

    sr->member_first = vd_sp_alloc_array(&sp->arena, sr->types.count + 1, sizeof(uint32_t));
    sr->member = vd_sp_alloc_array(&sp->arena, sr->members.count, sizeof(uint32_t));
    for (uint32_t i = 0; i < sr->members.count; i++)
        sr->member_first[list[i].attribute + 1]++;
    for (uint32_t i = 0; i < sr->types.count; i++) {
        sr->member_first[i + 1] += sr->member_first[i];
        at[i + 1] = sr->member_first[i + 1];
    }
    for (uint32_t i = 0; i < sr->members.count; i++)
        sr->member[at[list[i].attribute]++] = list[i].type;
}

void vd_sp_sr_type_attributes(struct vd_sp_sr *sr)
{
    for (uint32_t i = 1; i < sr->types.count; i++) {
        struct vd_sp_sr_map map;

        vd_sp_sr_map(sr, &map, "the attributes of a type");
        add_attributes(sr, i, &map);
    }
    group_members(sr);
}
