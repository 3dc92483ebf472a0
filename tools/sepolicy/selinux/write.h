/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * SELinux's binary policy, as its kernel loads it: the other thing that the
 * checked policy can be written as. docs/formats/selinux-policy.md has the
 * layout and its sources.
 *
 * Everything that can fail is done by vd_sp_se_prepare; writing only encodes,
 * once into nothing to know the size and once into memory.
 */
#ifndef VD_TOOLS_SEPOLICY_SELINUX_WRITE_H
#define VD_TOOLS_SEPOLICY_SELINUX_WRITE_H

#include "core/base/writer.h"
#include "tools/sepolicy/gen/codegen.h"

/* What a rule of the access vector table says, in its key's last 16 bits. */
enum vd_sp_se_spec {
    VD_SE_ALLOWED = 0x1,
    VD_SE_AUDITALLOW = 0x2,
    VD_SE_AUDITDENY = 0x4, /* the complement of dontaudit */
    VD_SE_TRANSITION = 0x10,
    VD_SE_MEMBER = 0x20,
    VD_SE_CHANGE = 0x40,
    VD_SE_XPERMS_ALLOWED = 0x100,
    VD_SE_XPERMS_AUDITALLOW = 0x200,
    VD_SE_XPERMS_DONTAUDIT = 0x400,
    VD_SE_ENABLED = 0x8000, /* conditional rule that holds under the default booleans */
};

/* Kinds of a constraint's nodes; the relations have the numbers of enum vd_pdb_node_rel. */
enum vd_sp_se_node {
    VD_SE_CX_NOT = 1,
    VD_SE_CX_AND,
    VD_SE_CX_OR,
    VD_SE_CX_ATTR,  /* two parts of the contexts */
    VD_SE_CX_NAMES, /* a part and names */
};

/* The parts: of the source unless said otherwise; pairs of levels. */
enum vd_sp_se_part {
    VD_SE_CX_USER = 0x1,
    VD_SE_CX_ROLE = 0x2,
    VD_SE_CX_TYPE = 0x4,
    VD_SE_CX_TARGET = 0x8,
    VD_SE_CX_XTARGET = 0x10, /* the third one, in validatetrans */
    VD_SE_CX_L1L2 = 0x20,
    VD_SE_CX_L1H2 = 0x40,
    VD_SE_CX_H1L2 = 0x80,
    VD_SE_CX_H1H2 = 0x100,
    VD_SE_CX_L1H1 = 0x200,
    VD_SE_CX_L2H2 = 0x400,
};

/* A constraint's set of types as written. */
#define VD_SE_SET_STAR       1u
#define VD_SE_SET_COMPLEMENT 2u

/* What the bits of an extended permission are. */
enum vd_sp_se_xperm {
    VD_SE_XPERM_FUNCTION = 1, /* ioctl commands of one driver */
    VD_SE_XPERM_DRIVER,       /* whole drivers */
    VD_SE_XPERM_NLMSG,        /* netlink messages, the high byte as the driver */
};

#define VD_SE_MAGIC               0xf97cff8cu
#define VD_SE_COND_XPERMS_VERSION 34u     /* first that has conditional extended permissions */
#define VD_SE_NEVERAUDIT_VERSION  35u     /* first that has neveraudit types */
#define VD_SE_NAMED_VERSION       33u     /* first that joins the sources of transitions by name */
#define VD_SE_GLBLUB_VERSION      32u     /* first that has default_range glblub */
#define VD_SE_INFINIBAND_VERSION  31u     /* first that has InfiniBand's contexts */
#define VD_SE_MAX_TYPES           0xffffu /* types and attributes: 16 bits of a rule's key */
#define VD_SE_MAX_DEPTH           5u      /* values at once in a constraint */
#define VD_SE_MAX_COND_DEPTH      10u     /* and in a condition */
#define VD_SE_TABLE_BOOLS         5u /* conditions of so many booleans are compared by meaning */

/* A rule: `key` is source, target, class, specification in 16 bits each, lowest first. */
struct vd_sp_se_rule {
    uint64_t key;
    uint32_t list; /* 0: always; 1 + 2 i: condition i holds; 2 + 2 i: it does not */
    uint32_t datum;
};

/* A rule of extended permissions: the functions of one driver, or whole drivers. */
struct vd_sp_se_xrule {
    uint64_t key;
    uint32_t list;
    uint8_t kind, driver;
    uint64_t bits[4];
};

/* Numbers of types and attributes. */
struct vd_sp_se_numbers {
    uint32_t *data;
    uint32_t count, room;
};

struct vd_sp_se_cond {
    uint32_t first, count; /* nodes of the model */
    uint32_t bools[VD_SE_TABLE_BOOLS];
    uint32_t bool_count; /* more than VD_SE_TABLE_BOOLS: `bools` and `table` say nothing */
    uint32_t table;      /* a bit for each setting of `bools` */
    bool state;          /* under the default booleans */
};

struct vd_sp_se {
    struct vd_sp_image *image;
    struct vd_sp_checked *c;
    uint32_t version;
    VD_SP_VEC(struct vd_sp_se_rule) rules;
    uint32_t *table, mask;      /* rows of rules + 1, by key and list */
    VD_SP_VEC(uint32_t) denies; /* rows of avs: the deny rules */
    VD_SP_VEC(struct vd_sp_se_cond) conds;
    uint32_t *list_of[2]; /* by row of the model's conditions: list of its else and its if part */
    uint32_t *list_first; /* by list: where its rules begin in `order` */
    uint32_t *order;      /* rows of rules, grouped by list */
    VD_SP_VEC(struct vd_sp_se_xrule) xrules; /* by list */
    uint32_t *xlist_first;                   /* by list: where its rules begin in xrules */
    uint64_t *words;                         /* scratch: a set of types and attributes */
    struct vd_writer out;
};

/*
 * Gathers what will be written; what the format or SELinux's kernel cannot
 * take is reported as an error. The policy has been generated without errors.
 */
void vd_sp_se_prepare(struct vd_sp_image *image, struct vd_sp_se *ret);

/* The binary policy, malloc'ed; VD_E_NO_MEMORY. */
vd_status vd_sp_se_write(struct vd_sp_se *se, uint8_t **ret, size_t *ret_size);

/* The parts of vd_sp_se_prepare. */
void vd_sp_se_check(struct vd_sp_se *se);
void vd_sp_se_gather_conds(struct vd_sp_se *se);
void vd_sp_se_gather_rules(struct vd_sp_se *se);
void vd_sp_se_gather_xperms(struct vd_sp_se *se);
/* The numbers that stand in the rules for a set whose types are the set `types`. */
void vd_sp_se_list_numbers(struct vd_sp_se *se, const struct vd_sp_set *set, uint32_t types,
                           struct vd_sp_se_numbers *list);

/* The parts of the file, in its order. */
void vd_sp_se_put_symbols(struct vd_sp_se *se);
void vd_sp_se_put_constraints(struct vd_sp_se *se, uint32_t class, bool transition);
void vd_sp_se_put_rules(struct vd_sp_se *se);
void vd_sp_se_put_xperms(struct vd_sp_se *se, uint32_t list, uint32_t flags);
void vd_sp_se_put_role_rules(struct vd_sp_se *se);
void vd_sp_se_put_named(struct vd_sp_se *se);
void vd_sp_se_put_contexts(struct vd_sp_se *se);
void vd_sp_se_put_labels(struct vd_sp_se *se);
void vd_sp_se_put_range_transitions(struct vd_sp_se *se);

/* Pieces: a number, bytes of a name without its length, bits `first`… as bits 0…, a range. */
VD_INLINE void vd_sp_se_u32(struct vd_sp_se *se, uint32_t value)
{
    vd_write_le32(&se->out, value);
}
void vd_sp_se_text(struct vd_sp_se *se, const char *text);
void vd_sp_se_bitmap(struct vd_sp_se *se, const uint64_t *words, uint32_t count, uint32_t first);
void vd_sp_se_level(struct vd_sp_se *se, const struct vd_mls_level *level);
void vd_sp_se_context(struct vd_sp_se *se, const struct vd_context *context);
void vd_sp_se_range(struct vd_sp_se *se, const struct vd_mls_level *low,
                    const struct vd_mls_level *high);

/* Lists of contexts that a version has. */
VD_INLINE uint32_t vd_sp_se_context_lists(uint32_t version)
{
    return version >= VD_SE_INFINIBAND_VERSION ? 9 : 7;
}

/* The symbol with a number of its kind. */
VD_INLINE const struct vd_sp_symbol *
vd_sp_se_symbol(const struct vd_sp_se *se, const struct vd_sp_numbers *numbers, uint32_t number)
{
    return &se->c->sp->symbols.data[numbers->symbols[number]];
}

#endif
