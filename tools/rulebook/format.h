/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The rulebook's byte format (docs/formats/rulebook.md): what the policy's
 * sources say, rule by rule with places, for whoever explains, searches or
 * compares a compiled policy. Enforcement never reads it.
 *
 * It stands behind the enforcement blob in the same file, starting where the
 * blob ends (a multiple of 8), little-endian, flat tables again. Numbers of
 * classes, types, roles, booleans, permissions, ranges and constraint nodes are
 * the blob's; strings that the blob does not have are its own. Offsets count
 * from the rulebook's start. Padding is zero.
 */
#ifndef VD_TOOLS_RULEBOOK_FORMAT_H
#define VD_TOOLS_RULEBOOK_FORMAT_H

#include "core/policydb/format.h"

#define VD_RULEBOOK_VERSION     1u
#define VD_RULEBOOK_HEADER_SIZE 304u
#define VD_RULEBOOK_MAX_SIZE    VD_PDB_MAX_SIZE
#define VD_RULEBOOK_MAX_RULES   (1u << 23)
#define VD_RULEBOOK_MAX_SETS    (1u << 22)
#define VD_RULEBOOK_MAX_TEXT    4096u /* bytes of one string, without the NUL */

enum vd_rulebook_section {
    VD_BOOK_STRINGS,    /* bytes; offset 0: the empty string */
    VD_BOOK_FILES,      /* u32 string; row 0 is the empty one: no place */
    VD_BOOK_SETS,       /* struct vd_rule_set; row 0 is the empty set */
    VD_BOOK_ITEMS,      /* u32: number of a type, attribute or role, VD_RULE_MINUS */
    VD_BOOK_CONDS,      /* struct vd_rule_cond */
    VD_BOOK_COND_NODES, /* struct vd_pdb_cond_node */
    VD_BOOK_SPANS,      /* struct vd_rule_span: extended permissions */
    VD_BOOK_RULES,      /* struct vd_rule, in the order of the sources */
    VD_BOOK_SECTIONS,
    VD_BOOK_SECTION_MAX = 15,
};

struct vd_rulebook_header {
    uint8_t magic[8]; /* VD_PDB_RULEBOOK_MAGIC */
    uint32_t version;
    uint32_t header_size;
    uint32_t total_size; /* of the rulebook, bytes, a multiple of 8 */
    uint32_t reserved;
    uint64_t checksum;      /* CRC-64/XZ of the rulebook with this field zero */
    uint64_t blob_checksum; /* of the blob it belongs to, as the compiler wrote it */
    uint32_t blob_size;
    uint32_t reserved2;
    uint32_t reserved3[4];
    struct vd_pdb_section_row sections[VD_BOOK_SECTION_MAX];
};

enum vd_rule_kind {
    /* source and target types, class, perms */
    VD_RULE_ALLOW = 1,
    VD_RULE_AUDITALLOW,
    VD_RULE_DONTAUDIT,
    VD_RULE_DENY,
    VD_RULE_NEVERALLOW,
    /* the same; perms is the one permission whose calls are meant, spans the calls */
    VD_RULE_ALLOWXPERM,
    VD_RULE_AUDITALLOWXPERM,
    VD_RULE_DONTAUDITXPERM,
    VD_RULE_NEVERALLOWXPERM,
    /* source and target types, class; perms is the new type, name a file's name or 0 */
    VD_RULE_TYPE_TRANSITION,
    VD_RULE_TYPE_MEMBER,
    VD_RULE_TYPE_CHANGE,
    /* source and target types, class; perms is the row of the blob's RANGES */
    VD_RULE_RANGE_TRANSITION,
    /* source roles, target types, class; perms is the new role */
    VD_RULE_ROLE_TRANSITION,
    /* source and target roles; no class */
    VD_RULE_ROLE_ALLOW,
    /* class, perms; first: row of the blob's NODES (VD_CX_BEGIN); name: the text as written */
    VD_RULE_CONSTRAIN,
    VD_RULE_MLSCONSTRAIN,
    VD_RULE_VALIDATETRANS,
    VD_RULE_MLSVALIDATETRANS,
    /* typebounds: source the bounding type, target the bounded one */
    VD_RULE_TYPEBOUNDS,
    VD_RULE_KIND_END,
};

#define VD_RULE_SELF     (1u << 0) /* the target includes the source itself */
#define VD_RULE_NOT_SELF (1u << 1) /* the target excludes the source itself */
#define VD_RULE_ELSE     (1u << 2) /* in the condition's else branch */
#define VD_RULE_SAME     (1u << 3) /* the same statement as the row before, for another class */
#define VD_RULE_FLAGS    15u

/* One class of one rule as written. */
struct vd_rule {
    uint8_t kind; /* enum vd_rule_kind */
    uint8_t flags;
    uint16_t class;          /* 0 where the kind has none */
    uint32_t source, target; /* rows of SETS */
    uint32_t perms;          /* what the kind says */
    uint32_t first;          /* xperm kinds: row of SPANS; constraints: row of NODES; else 0 */
    uint32_t name;           /* string: what the kind says; xperm kinds: count of SPANS; else 0 */
    uint32_t cond;           /* row of CONDS + 1; 0: always */
    uint32_t file;           /* row of FILES, #line marks followed; 0: no place */
    uint32_t line;           /* from 1; 0: no place */
};

#define VD_RULE_MINUS (1u << 31) /* of an item: taken away, as in { a -b } */

#define VD_RULE_SET_ROLES      (1u << 0) /* items are roles; else types and attributes */
#define VD_RULE_SET_STAR       (1u << 1) /* everything, then the items with a minus */
#define VD_RULE_SET_COMPLEMENT (1u << 2) /* everything but what the items say */
#define VD_RULE_SET_FLAGS      7u

struct vd_rule_set {
    uint32_t first, count; /* of ITEMS */
    uint32_t flags;
};

struct vd_rule_cond {
    uint32_t first, count; /* of COND_NODES, postfix */
};

/* Calls from `low` to `high` of an ioctl or nlmsg rule. */
struct vd_rule_span {
    uint16_t low, high;
};

_Static_assert(sizeof(struct vd_rulebook_header) == VD_RULEBOOK_HEADER_SIZE, "header");
_Static_assert(sizeof(struct vd_rule) == 36, "rule");

#endif
