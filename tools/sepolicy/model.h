/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The parsed policy: what the sources say, in the order they say it.
 *
 * Declarations enter the symbol tables while the text is read; everything else
 * keeps names and places and is resolved when all of the text is known, so that
 * a name may be used before its declaration. A statement belongs to a block
 * (0: the policy itself, else an `optional` or its `else`); statements of
 * blocks that are out of force do not exist for what follows.
 */
#ifndef VD_TOOLS_SEPOLICY_MODEL_H
#define VD_TOOLS_SEPOLICY_MODEL_H

#include "core/policydb/format.h"
#include "tools/sepolicy/cache.h"
#include "tools/sepolicy/keywords.h"
#include "tools/sepolicy/message.h"
#include "tools/sepolicy/names.h"
#include "tools/sepolicy/sets.h"

#define VD_SP_MAX_NESTING 64u /* sets in sets, blocks in blocks, parentheses */

enum vd_sp_symbol_kind {
    VD_SP_PLAIN,     /* class, common, type, role, user, … */
    VD_SP_ATTRIBUTE, /* of types or roles */
    VD_SP_ALIAS,     /* `target` names the symbol meant */
};

struct vd_sp_symbol {
    uint32_t name;
    uint32_t place; /* of its declaration; 0: built in */
    uint32_t block;
    uint32_t number; /* in the blob; 0 until numbered or if not in force */
    uint32_t target; /* alias: name of what it stands for */
    uint32_t row;    /* of the table of its kind */
    uint8_t space;   /* enum vd_sp_space */
    uint8_t kind;    /* enum vd_sp_symbol_kind */
    bool permissive, neveraudit;
    bool tunable; /* a boolean whose value the compiler takes */
};

struct vd_sp_common {
    struct vd_sp_item perms[VD_PDB_MAX_PERMS];
    uint32_t count;
};

struct vd_sp_class {
    uint32_t symbol;
    uint32_t inherits;                /* name of a common, 0: none */
    uint32_t place;                   /* of its permissions, 0: none were declared */
    uint32_t perms[VD_PDB_MAX_PERMS]; /* names, in bit order */
    uint32_t count;
    struct vd_sp_common own; /* as written */
    uint32_t flags;          /* default_*: bits of vd_pdb_class */
};

/* "a belongs to b": attributes of types and roles, alias, bounds, dominance. */
struct vd_sp_pair {
    struct vd_sp_item left, right;
    uint32_t block;
};

enum vd_sp_level_part { VD_SP_LEVEL_NONE, VD_SP_LEVEL_ONE, VD_SP_LEVEL_RANGE };

struct vd_sp_level {
    struct vd_sp_item sens;
    struct vd_sp_set cats; /* an item "c0.c3" is a run of categories */
};

struct vd_sp_range {
    enum vd_sp_level_part part;
    struct vd_sp_level low, high;
};

struct vd_sp_context {
    struct vd_sp_item user, role, type;
    struct vd_sp_range range;
};

struct vd_sp_user {
    struct vd_sp_item name;
    struct vd_sp_set roles;
    bool has_level; /* `level` and `range` were given */
    struct vd_sp_level level;
    struct vd_sp_range range;
    uint32_t block;
};

struct vd_sp_role_types {
    struct vd_sp_item role;
    struct vd_sp_set types;
    uint32_t block;
};

enum vd_sp_rule_kind {
    VD_SP_ALLOW,
    VD_SP_AUDITALLOW,
    VD_SP_DONTAUDIT,
    VD_SP_DENY,
    VD_SP_NEVERALLOW,
};

/*
 * allow, auditallow, dontaudit, deny, neverallow: most of a policy, so that their
 * sets are shared (sets.h) and know no places. A rule with an error is read again
 * from its text to say where (vd_sp_reread_rule).
 */
struct vd_sp_rule {
    uint32_t source, target, classes, perms; /* rows of the shared sets */
    uint32_t place;
    uint32_t block;
    uint32_t cond; /* row of conds + 1; 0: always */
    uint8_t kind;
    bool otherwise; /* in the condition's else branch */
};

/* Of a rule for the next compilation: where it ends and which line it stands on. */
struct vd_sp_rule_note {
    uint32_t end;  /* place of what follows; 0: in another source */
    uint32_t line; /* 0: not known */
    uint32_t file; /* name of the #line mark that counts; 0: none */
    uint16_t column;
};

/* Of a require statement for the next compilation. */
struct vd_sp_require_note {
    uint32_t start, end;   /* places, as above */
    uint32_t first, count; /* rows of requires */
};

/* Numbers of commands or messages, both ends among them. */
struct vd_sp_xperm_range {
    uint16_t low, high;
};

/*
 * allowxperm, auditallowxperm, dontauditxperm, neverallowxperm. The ranges are
 * sorted and do not touch each other; a complement has been worked out.
 */
struct vd_sp_xperm_rule {
    struct vd_sp_set source, target, classes;
    uint32_t range_first, range_count; /* rows of xperm_ranges */
    uint32_t place;
    uint32_t block;
    uint32_t cond; /* row of conds + 1; 0: always */
    uint8_t kind;  /* enum vd_sp_rule_kind */
    bool nlmsg;    /* netlink messages; else ioctl commands */
    bool otherwise;
};

/* type_transition, type_member, type_change, range_transition. */
struct vd_sp_transition {
    struct vd_sp_set source, target, classes; /* no class: process */
    struct vd_sp_item result;                 /* a type */
    struct vd_sp_item name;                   /* of the new file; no name: any */
    struct vd_sp_range range;                 /* of range_transition */
    uint32_t place, block;
    uint32_t cond; /* row of conds + 1; 0: always; never with a name */
    uint8_t kind;  /* enum vd_pdb_trans_kind */
    bool otherwise;
};

struct vd_sp_role_transition {
    struct vd_sp_set roles, types, classes;
    struct vd_sp_item result;
    uint32_t place, block;
};

struct vd_sp_role_allow {
    struct vd_sp_set from, to;
    uint32_t place, block;
};

/* One node of a constraint in postfix order; `names`: row of constraint_sets. */
struct vd_sp_node {
    struct vd_pdb_node node;
    uint32_t names;
};

struct vd_sp_constraint {
    struct vd_sp_set classes, perms; /* no permissions: validatetrans */
    uint32_t node_first, node_count;
    uint32_t place, block;
    bool mls;        /* mlsconstrain, mlsvalidatetrans */
    bool transition; /* validatetrans */
};

struct vd_sp_cond_node {
    uint32_t op; /* enum vd_pdb_cond_op */
    struct vd_sp_item name;
};

struct vd_sp_cond {
    uint32_t node_first, node_count;
    uint32_t place;
    bool fixed; /* made of tunables: its rules are unconditional or gone */
};

/* A name that a `require` demands. */
struct vd_sp_require {
    struct vd_sp_item item;
    uint32_t perm; /* name of a permission of the class `item`; 0: none */
    uint32_t block;
    uint8_t space;
    bool attribute;
};

struct vd_sp_block {
    uint32_t place;
    uint32_t parent;
    uint32_t otherwise; /* the else block, 0: none */
    uint32_t rival;     /* else block: the block it stands in for */
    bool on;
};

enum vd_sp_default_kind {
    VD_SP_DEFAULT_USER,
    VD_SP_DEFAULT_ROLE,
    VD_SP_DEFAULT_TYPE,
    VD_SP_DEFAULT_RANGE,
};

struct vd_sp_default {
    struct vd_sp_set classes;
    uint32_t value; /* as in the class's flags */
    uint32_t place, block;
    uint8_t kind;
};

struct vd_sp_sid {
    struct vd_sp_item name;
    struct vd_sp_context context;
};

/* permissive, neveraudit */
struct vd_sp_permissive {
    struct vd_sp_item type;
    uint32_t block;
    bool neveraudit;
};

struct vd_sp_expand {
    struct vd_sp_item attribute;
    uint32_t block;
    bool value;
};

struct vd_sp_policycap {
    struct vd_sp_item name;
    uint32_t block;
};

/* Labelling statements, in the order in which tables of them are laid out. */
enum vd_sp_label_kind {
    VD_SP_LABEL_FSCON,  /* obsolete: the format has room for it, no kernel reads it */
    VD_SP_LABEL_FS_USE, /* detail: enum vd_pdb_fs_use_kind */
    VD_SP_LABEL_GENFS,  /* detail: enum vd_sp_file_kind */
    VD_SP_LABEL_PORT,   /* detail: the protocol's number */
    VD_SP_LABEL_NETIF,  /* contexts: interface, packets */
    VD_SP_LABEL_NODE,   /* detail: 4 or 6 */
    VD_SP_LABEL_IBPKEY,
    VD_SP_LABEL_IBENDPORT, /* low: the port */
    VD_SP_LABEL_PIRQ,      /* Xen's, from here on */
    VD_SP_LABEL_IOMEM,
    VD_SP_LABEL_IOPORT,
    VD_SP_LABEL_PCIDEVICE,
    VD_SP_LABEL_DEVICETREE, /* path: the device's */
    VD_SP_LABEL_KINDS,
};

/* genfscon's kinds of files. */
enum vd_sp_file_kind {
    VD_SP_FILE_ANY,
    VD_SP_FILE_BLOCK,
    VD_SP_FILE_CHAR,
    VD_SP_FILE_DIR,
    VD_SP_FILE_FIFO,
    VD_SP_FILE_LINK,
    VD_SP_FILE_SOCKET,
    VD_SP_FILE_REGULAR,
};

/* One labelling statement; which members mean something depends on its kind. */
struct vd_sp_label {
    uint8_t kind; /* enum vd_sp_label_kind */
    uint8_t detail;
    struct vd_sp_item name; /* file system, interface, device */
    struct vd_sp_item path; /* under the file system */
    uint64_t low, high;     /* ports, keys, interrupts, addresses, both ends among them */
    uint8_t address[16];    /* as on the network; IPv4: the first four bytes; ibpkeycon: prefix */
    uint8_t mask[16];
    struct vd_sp_context contexts[2];
    uint32_t place, block;
};

/* Everything one compilation knows. */
struct vd_sp {
    struct vd_sp_arena arena;
    struct vd_sp_names names;
    struct vd_sp_messages messages;
    const struct vd_sepolicy_options *options;
    const struct vd_sp_cache *cache; /* of a former compilation; NULL: none */

    VD_SP_VEC(struct vd_sp_symbol) symbols; /* [0] is empty */
    VD_SP_VEC(struct vd_sp_class) classes;
    VD_SP_VEC(struct vd_sp_common) commons;
    VD_SP_VEC(struct vd_sp_block) blocks; /* [0] is the policy itself */
    VD_SP_VEC(struct vd_sp_require) requires;
    VD_SP_VEC(struct vd_sp_pair) type_attributes;
    VD_SP_VEC(struct vd_sp_pair) role_attributes;
    VD_SP_VEC(struct vd_sp_pair) bounds; /* left bounds right */
    VD_SP_VEC(struct vd_sp_pair) dominates;
    VD_SP_VEC(struct vd_sp_permissive) permissives;
    VD_SP_VEC(struct vd_sp_role_types) role_types;
    VD_SP_VEC(struct vd_sp_user) users;
    struct vd_sp_sets sets; /* of the rules */
    VD_SP_VEC(struct vd_sp_rule) rules;
    VD_SP_VEC(struct vd_sp_rule_note) rule_notes; /* by rule, if a cache is kept */
    VD_SP_VEC(struct vd_sp_require_note) require_notes;
    VD_SP_VEC(struct vd_sp_xperm_rule) xperm_rules;
    VD_SP_VEC(struct vd_sp_xperm_range) xperm_ranges;
    VD_SP_VEC(struct vd_sp_transition) transitions;
    VD_SP_VEC(struct vd_sp_role_transition) role_transitions;
    VD_SP_VEC(struct vd_sp_role_allow) role_allows;
    VD_SP_VEC(struct vd_sp_constraint) constraints;
    VD_SP_VEC(struct vd_sp_node) nodes;
    VD_SP_VEC(struct vd_sp_set) constraint_sets;
    VD_SP_VEC(struct vd_sp_cond) conds;
    VD_SP_VEC(struct vd_sp_cond_node) cond_nodes;
    VD_SP_VEC(struct vd_sp_default) defaults;
    VD_SP_VEC(struct vd_sp_sid) sids;
    VD_SP_VEC(struct vd_sp_policycap) policycaps;
    VD_SP_VEC(struct vd_sp_expand) expands; /* expandattribute */
    VD_SP_VEC(struct vd_sp_label) labels;
    VD_SP_VEC(struct vd_sp_level) levels;   /* `level` statements */
    VD_SP_VEC(struct vd_sp_item) dominance; /* sensitivities, lowest first */
    VD_SP_VEC(uint32_t) bool_values;        /* by row of the symbol */

    uint32_t replayed;  /* statements taken from the cache */
    uint32_t mls_place; /* where a level is used first; 0: nowhere */
    bool mls;           /* decided after parsing */
    bool has_class, has_sens, has_mlsconstrain;
};

/* The symbol a name stands for in a space (aliases are not followed); NULL: none. */
VD_INLINE struct vd_sp_symbol *vd_sp_symbol_of(const struct vd_sp *sp, enum vd_sp_space space,
                                               uint32_t name)
{
    uint32_t index = sp->names.list.data[name].symbols[space];

    return index == 0 ? NULL : &sp->symbols.data[index];
}

VD_INLINE const char *vd_sp_str(const struct vd_sp *sp, uint32_t name)
{
    return vd_sp_name_text(&sp->names, name);
}

#endif
