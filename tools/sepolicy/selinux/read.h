/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * SELinux's binary policy as the model: the reader of what write.h writes and
 * of what checkpolicy, secilc and SELinux's kernel write.
 * docs/formats/selinux-policy.md has the layout, and what is refused.
 *
 * Nothing is resolved here: numbers become the names they stand for, and the
 * checker and the generator then do with the model what they do with a text.
 * Every part says where the bytes are wrong and leaves the compilation through
 * the arena's escape, so that no value is used that was not read and checked.
 */
#ifndef VD_TOOLS_SEPOLICY_SELINUX_READ_H
#define VD_TOOLS_SEPOLICY_SELINUX_READ_H

#include "core/base/reader.h"
#include "tools/sepolicy/model.h"
#include "tools/sepolicy/selinux/write.h"

#define VD_SR_MAP_NODE 12u /* bytes of a bitmap's node */

/* 64 bits of a bitmap; `first` is a multiple of 64. */
struct vd_sp_sr_node {
    uint32_t first;
    uint64_t bits;
};

struct vd_sp_sr_map {
    struct vd_sp_sr_node *nodes; /* ascending */
    uint32_t count;
    uint32_t place;
};

/* The symbols of one kind by number; [0] unused, name 0: no symbol has the number. */
struct vd_sp_sr_table {
    struct vd_sp_item *items;
    uint32_t count; /* highest number + 1 */
};

struct vd_sp_sr_level {
    uint32_t sens;
    uint32_t place;
    struct vd_sp_sr_map cats;
};

struct vd_sp_sr_range {
    struct vd_sp_sr_level low, high;
    bool one; /* high is low */
};

/* Keys seen, and a value for each. */
struct vd_sp_sr_seen {
    struct vd_sp_sr_pair {
        uint64_t key;
        uint32_t value;
    } * slots;
    uint32_t mask, count;
};

/* What a constraint's node names. */
struct vd_sp_sr_names {
    uint8_t part; /* enum vd_pdb_node_part */
    struct vd_sp_sr_map meant;
    struct vd_sp_sr_map written, minus; /* types and attributes, as the source had them */
    uint32_t flags;                     /* VD_SE_SET_… */
};

/* A type and one of its attributes. */
struct vd_sp_sr_member {
    uint32_t type, attribute;
};

struct vd_sp_sr_role {
    struct vd_sp_sr_map dominates, types;
    uint32_t bounds;
};

struct vd_sp_sr_user {
    struct vd_sp_sr_map roles;
    struct vd_sp_sr_range range;
    struct vd_sp_sr_level level;
    uint32_t bounds;
};

struct vd_sp_sr {
    struct vd_sp *sp;
    struct vd_sepolicy_options *options; /* those of `sp`: the file says what to do with unknowns */
    struct vd_reader in;
    uint32_t version;
    struct vd_sp_sr_map permissive, neveraudit;
    struct vd_sp_sr_table commons, classes, roles, types, users, bools, sens, cats;
    bool *attribute;                    /* by number of a type */
    struct vd_sp_sr_role *role;         /* by number */
    struct vd_sp_sr_user *user;         /* by number */
    struct vd_sp_sr_level *sens_levels; /* by number of a sensitivity */
    VD_SP_VEC(struct vd_sp_sr_names) names;
    VD_SP_VEC(struct vd_sp_sr_member) members;
    uint32_t *member_first, *member; /* types of the attributes, grouped by attribute */
    uint32_t *number_of;             /* of a type, by name */
    uint32_t *type_set, *class_set;  /* by number: row of the shared sets + 1 */
    uint32_t initial;                /* initial contexts declared */
    struct vd_sp_sr_seen rules;      /* unconditional */
    struct vd_sp_sr_seen type_rules; /* conditional: list + 1 */
};

/* Reads the whole file into the model; leaves through the escape (VD_E_INVALID) if it is wrong. */
void vd_sp_sr_read(struct vd_sp *sp, struct vd_sepolicy_options *options, const void *data,
                   size_t size);

/* The parts, in the file's order. */
void vd_sp_sr_symbols(struct vd_sp_sr *sr);
void vd_sp_sr_belongings(struct vd_sp_sr *sr);
void vd_sp_sr_constraints(struct vd_sp_sr *sr, uint32_t class, uint32_t count, bool transition);
void vd_sp_sr_constraint_names(struct vd_sp_sr *sr);
void vd_sp_sr_rules(struct vd_sp_sr *sr);
void vd_sp_sr_role_rules(struct vd_sp_sr *sr);
void vd_sp_sr_named(struct vd_sp_sr *sr);
void vd_sp_sr_contexts(struct vd_sp_sr *sr);
void vd_sp_sr_range_transitions(struct vd_sp_sr *sr);
void vd_sp_sr_type_attributes(struct vd_sp_sr *sr);

/* Pieces. `what` names what is expected, for the message. */

/* Reports that the bytes at a place are wrong, and escapes. */
_Noreturn void vd_sp_sr_fail(struct vd_sp_sr *sr, uint32_t place, const char *format, ...)
    VD_PRINTF(3, 4);

/* The place of the next byte. */
VD_INLINE uint32_t vd_sp_sr_place(const struct vd_sp_sr *sr)
{
    return (uint32_t)vd_reader_offset(&sr->in) + 1;
}

uint8_t vd_sp_sr_u8(struct vd_sp_sr *sr, const char *what);
uint16_t vd_sp_sr_u16(struct vd_sp_sr *sr, const char *what);
uint32_t vd_sp_sr_u32(struct vd_sp_sr *sr, const char *what);

/* A count of things of at least `size` bytes each, which must fit in what is left. */
uint32_t vd_sp_sr_count(struct vd_sp_sr *sr, size_t size, const char *what);

/* A symbol's name of `size` bytes. */
struct vd_sp_item vd_sp_sr_name(struct vd_sp_sr *sr, uint32_t size, const char *what);

/* The symbol with a number that has just been read: `place` is the number's. */
const struct vd_sp_item *vd_sp_sr_number(struct vd_sp_sr *sr, const struct vd_sp_sr_table *table,
                                         uint32_t number, uint32_t place, const char *what);

/* The same, read here; a type, not an attribute. */
const struct vd_sp_item *vd_sp_sr_symbol(struct vd_sp_sr *sr, const struct vd_sp_sr_table *table,
                                         const char *what);
const struct vd_sp_item *vd_sp_sr_type(struct vd_sp_sr *sr, const char *what);

void vd_sp_sr_map(struct vd_sp_sr *sr, struct vd_sp_sr_map *ret, const char *what);

/* The symbols that the map's bits 0… stand for: number 1…; or, with `first` 0, number 0…. */
struct vd_sp_set vd_sp_sr_members(struct vd_sp_sr *sr, const struct vd_sp_sr_map *map,
                                  const struct vd_sp_sr_table *table, uint32_t first,
                                  const char *what);

/* Refuses a set with an attribute: the kernel never looks for one there. */
void vd_sp_sr_only_types(struct vd_sp_sr *sr, const struct vd_sp_set *set, const char *what);

/* The set of one symbol. */
VD_INLINE struct vd_sp_set vd_sp_sr_one(const struct vd_sp_item *item)
{
    return (struct vd_sp_set){.items = (struct vd_sp_item *)item, .count = 1, .place = item->place};
}

/*
 * A class's permissions as items, whose count is returned. Bits that the class does
 * not have mean nothing: checkpolicy sets them all for `*`. Room: VD_PDB_MAX_PERMS.
 */
uint32_t vd_sp_sr_perms(struct vd_sp_sr *sr, uint32_t class, uint32_t mask, struct vd_sp_item *ret);

void vd_sp_sr_level(struct vd_sp_sr *sr, struct vd_sp_sr_level *ret);
void vd_sp_sr_range(struct vd_sp_sr *sr, struct vd_sp_sr_range *ret);

/* A level, a range as the model has them, once sensitivities and categories are known. */
struct vd_sp_level vd_sp_sr_make_level(struct vd_sp_sr *sr, const struct vd_sp_sr_level *level);
struct vd_sp_range vd_sp_sr_make_range(struct vd_sp_sr *sr, const struct vd_sp_sr_range *range);

/* Keeps a key (not 0); a pointer to its value, and in `ret_new` whether it is new. */
uint32_t *vd_sp_sr_keep(struct vd_sp_sr *sr, struct vd_sp_sr_seen *seen, uint64_t key,
                        bool *ret_new);
bool vd_sp_sr_has(const struct vd_sp_sr_seen *seen, uint64_t key);

#endif
