/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Rules of roles, transitions by file name and of ranges, and the contexts of
 * SELinux's binary policy.
 */
#include "tools/sepolicy/selinux/read.h"

#include <string.h>

static void read_role_transitions(struct vd_sp_sr *sr)
{
    struct vd_sp *sp = sr->sp;
    uint32_t count = vd_sp_sr_count(sr, 16, "the role transitions");
    struct vd_sp_sr_seen seen = {};

    for (uint32_t i = 0; i < count; i++) {
        struct vd_sp_role_transition row = {.place = vd_sp_sr_place(sr)};
        const struct vd_sp_item *role = vd_sp_sr_symbol(sr, &sr->roles, "role");
        const struct vd_sp_item *type = vd_sp_sr_type(sr, "type");
        const struct vd_sp_item *result = vd_sp_sr_symbol(sr, &sr->roles, "new role");
        const struct vd_sp_item *class = vd_sp_sr_symbol(sr, &sr->classes, "class");
        bool is_new;

        (void)vd_sp_sr_keep(sr, &seen,
                            vd_pdb_trans_key(VD_TRANS_ROLE, (uint32_t)(role - sr->roles.items),
                                             (uint32_t)(type - sr->types.items),
                                             (uint32_t)(class - sr->classes.items)),
                            &is_new);
        if (!is_new)
            vd_sp_sr_fail(sr, row.place,
                          "another role transition has the same role, type and class");
        row.roles = vd_sp_sr_one(role);
        row.types = vd_sp_sr_one(type);
        row.classes = vd_sp_sr_one(class);
        row.result = *result;
        *VD_SP_PUSH(&sp->arena, &sp->role_transitions) = row;
    }
}

void vd_sp_sr_role_rules(struct vd_sp_sr *sr)
{
    struct vd_sp *sp = sr->sp;
    uint32_t count;

    read_role_transitions(sr);
    count = vd_sp_sr_count(sr, 8, "the role allows");
    for (uint32_t i = 0; i < count; i++) {
        struct vd_sp_role_allow row = {.place = vd_sp_sr_place(sr)};

        row.from = vd_sp_sr_one(vd_sp_sr_symbol(sr, &sr->roles, "role"));
        row.to = vd_sp_sr_one(vd_sp_sr_symbol(sr, &sr->roles, "new role"));
        *VD_SP_PUSH(&sp->arena, &sp->role_allows) = row;
    }
}

/* The name of a new file: any bytes but NUL and '/'. */
static struct vd_sp_item read_file_name(struct vd_sp_sr *sr)
{
    uint32_t size = vd_sp_sr_u32(sr, "a file name"), place = vd_sp_sr_place(sr);
    const uint8_t *text;

    if (size == 0 || size > VD_PDB_MAX_NAME)
        vd_sp_sr_fail(sr, place, "a file name of %u bytes; expected 1 to %u", size,
                      VD_PDB_MAX_NAME);
    if (vd_read_bytes(&sr->in, size, &text) != VD_OK)
        vd_sp_sr_fail(sr, place, "the file ends here; expected a file name of %u bytes", size);
    if (memchr(text, '\0', size) != NULL || memchr(text, '/', size) != NULL)
        vd_sp_sr_fail(sr, place, "a file name with a NUL or a '/'");
    return (struct vd_sp_item){.name = vd_sp_name(&sr->sp->names, (const char *)text, size),
                               .place = place & VD_SP_PLACE_MASK};
}

/* Up to version 32: a row for each source. */
static void read_named_singly(struct vd_sp_sr *sr)
{
    struct vd_sp *sp = sr->sp;
    uint32_t count = vd_sp_sr_count(sr, 21, "the transitions by file name");

    for (uint32_t i = 0; i < count; i++) {
        struct vd_sp_transition row = {.place = vd_sp_sr_place(sr), .kind = VD_TRANS_TYPE};

        row.name = read_file_name(sr);
        row.source = vd_sp_sr_one(vd_sp_sr_type(sr, "source type"));
        row.target = vd_sp_sr_one(vd_sp_sr_type(sr, "target type"));
        row.classes = vd_sp_sr_one(vd_sp_sr_symbol(sr, &sr->classes, "class"));
        row.result = *vd_sp_sr_type(sr, "new type");
        *VD_SP_PUSH(&sp->arena, &sp->transitions) = row;
    }
}

/* From version 33 on: a name, target and class, and the sources of each result. */
static void read_named_jointly(struct vd_sp_sr *sr)
{
    struct vd_sp *sp = sr->sp;
    uint32_t count = vd_sp_sr_count(sr, 33, "the transitions by file name");

    for (uint32_t i = 0; i < count; i++) {
        struct vd_sp_transition row = {.place = vd_sp_sr_place(sr), .kind = VD_TRANS_TYPE};
        uint32_t results;

        row.name = read_file_name(sr);
        row.target = vd_sp_sr_one(vd_sp_sr_type(sr, "target type"));
        row.classes = vd_sp_sr_one(vd_sp_sr_symbol(sr, &sr->classes, "class"));
        results = vd_sp_sr_count(sr, 16, "the results of a transition by file name");
        if (results == 0)
            vd_sp_sr_fail(sr, row.place, "a transition by file name without a result");
        for (uint32_t r = 0; r < results; r++) {
            struct vd_sp_sr_map sources;

            vd_sp_sr_map(sr, &sources, "the sources of a transition by file name");
            row.source = vd_sp_sr_members(sr, &sources, &sr->types, 1, "source type");
            vd_sp_sr_only_types(sr, &row.source, "a source");
            row.result = *vd_sp_sr_type(sr, "new type");
            *VD_SP_PUSH(&sp->arena, &sp->transitions) = row;
        }
    }
}

void vd_sp_sr_named(struct vd_sp_sr *sr)
{
    if (sr->version < VD_SE_NAMED_VERSION)
        read_named_singly(sr);
    else
        read_named_jointly(sr);
}

void vd_sp_sr_range_transitions(struct vd_sp_sr *sr)
{
    struct vd_sp *sp = sr->sp;
    uint32_t count = vd_sp_sr_count(sr, 32, "the range transitions");
    struct vd_sp_sr_seen seen = {};

    for (uint32_t i = 0; i < count; i++) {
        struct vd_sp_transition row = {.place = vd_sp_sr_place(sr), .kind = VD_TRANS_RANGE};
        const struct vd_sp_item *source = vd_sp_sr_type(sr, "source type");
        const struct vd_sp_item *target = vd_sp_sr_type(sr, "target type");
        const struct vd_sp_item *class = vd_sp_sr_symbol(sr, &sr->classes, "class");
        struct vd_sp_sr_range range;
        bool is_new;

        (void)vd_sp_sr_keep(sr, &seen,
                            vd_pdb_trans_key(VD_TRANS_RANGE, (uint32_t)(source - sr->types.items),
                                             (uint32_t)(target - sr->types.items),
                                             (uint32_t)(class - sr->classes.items)),
                            &is_new);
        if (!is_new)
            vd_sp_sr_fail(sr, row.place,
                          "another range transition has the same source, target and class");
        vd_sp_sr_range(sr, &range);
        if (!sp->mls)
            vd_sp_sr_fail(sr, row.place,
                          "a range transition in a policy without multi-level security");
        row.source = vd_sp_sr_one(source);
        row.target = vd_sp_sr_one(target);
        row.classes = vd_sp_sr_one(class);
        row.range = vd_sp_sr_make_range(sr, &range);
        *VD_SP_PUSH(&sp->arena, &sp->transitions) = row;
    }
}
