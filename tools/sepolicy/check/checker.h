/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The checker: resolves what the parser read. Names become numbers, sets become
 * bitmaps, and every statement that means nothing is reported at its place.
 *
 * Sets of types are kept once each and known by a number: rules name few
 * different sets (mostly one type or one attribute), so that a policy of a
 * hundred thousand rules has a few thousand sets.
 */
#ifndef VD_TOOLS_SEPOLICY_CHECK_CHECKER_H
#define VD_TOOLS_SEPOLICY_CHECK_CHECKER_H

#include "tools/sepolicy/model.h"

struct vd_sp_types {
    uint64_t *words;
    uint32_t weight; /* types in it */
    uint32_t hash;
};

#define VD_SP_AV_SELF     (1u << 0) /* the target includes the source itself */
#define VD_SP_AV_NOT_SELF (1u << 1) /* the target excludes the source itself */

/* One class of a rule, resolved. */
struct vd_sp_av {
    uint32_t source, target; /* numbers of type sets */
    uint32_t perms;
    uint32_t rule; /* row of the model's rules */
    uint16_t class;
    uint8_t kind;  /* enum vd_sp_rule_kind */
    uint8_t flags; /* VD_SP_AV_… */
};

/* One class of a rule of extended permissions, resolved. */
struct vd_sp_xav {
    uint32_t source, target; /* numbers of type sets */
    uint32_t rule;           /* row of the model's xperm_rules */
    uint16_t class;
    uint8_t kind;  /* enum vd_sp_rule_kind */
    uint8_t flags; /* VD_SP_AV_… */
};

struct vd_sp_checked_user {
    uint64_t *roles;
    struct vd_mls_level low, high, level;
    bool has_level;
};

struct vd_sp_checked_sid {
    uint32_t name;
    struct vd_context context;
};

/* A labelling statement in force; the rows of a kind stand as the kernel tries them. */
struct vd_sp_checked_label {
    const struct vd_sp_label *label;
    uint32_t class; /* genfscon: of the file; 0: any */
    struct vd_context contexts[2];
};

/* Symbols of one kind by number; [0] unused. */
struct vd_sp_numbers {
    uint32_t *symbols; /* index of the symbol */
    uint32_t count;    /* highest number + 1 */
};

struct vd_sp_checked {
    struct vd_sp *sp;
    struct vd_sp_numbers classes, roles, role_attributes, users, bools, sens, cats;
    struct vd_sp_numbers types; /* types, then attributes */
    uint32_t type_count;        /* highest number of a type + 1: attributes begin here */
    uint32_t type_words, role_words, user_words;
    uint64_t **attributes;     /* types of attribute type_count + i */
    uint64_t **role_attribute; /* roles by number of the role attribute */
    uint64_t *all_types;

    VD_SP_VEC(struct vd_sp_types) sets; /* [0] is the empty set */
    uint32_t *set_table, set_mask;
    uint64_t *scratch; /* two sets of types */
    uint32_t *set_of;  /* number of the set of a type or attribute; 0: not made yet */

    uint64_t **role_types, **role_dominates; /* by role */
    uint64_t *role_allow;                    /* role_words a row, by old role */
    struct vd_sp_checked_user *user;         /* by number */
    uint32_t *bounds;                        /* by type: its bounding type, or 0 */
    uint64_t (*sens_cats)[VD_MLS_CAT_WORDS]; /* by sensitivity */
    VD_SP_VEC(struct vd_sp_checked_sid) sids;
    VD_SP_VEC(struct vd_sp_checked_label) labels;
    uint32_t label_first[VD_SP_LABEL_KINDS + 1]; /* row of labels where a kind begins */
    uint64_t policycaps;                         /* a bit for each capability */
    bool *expanded; /* by attribute, from the first one: SELinux's rules name its types */
    VD_SP_VEC(struct vd_sp_av) avs;
    VD_SP_VEC(struct vd_sp_xav) xavs; /* by class */
};

#define VD_SP_FOR_EACH_BIT(words, count, bit)                                                      \
    for (uint32_t bit##_w_ = 0; bit##_w_ < (count); bit##_w_++)                                    \
        for (uint64_t bit##_v_ = (words)[bit##_w_], bit##_l_ = 1; bit##_l_ && bit##_v_;            \
             bit##_v_ &= bit##_v_ - 1)                                                             \
            for (uint32_t bit = bit##_w_ * 64 + (uint32_t)__builtin_ctzll(bit##_v_), bit##_o_ = 1; \
                 bit##_o_; bit##_o_ = 0)

/* Checks the whole model and fills `ret`. Errors are reported and counted in the messages. */
void vd_sp_check(struct vd_sp *sp, struct vd_sp_checked *ret);

/* The parts, in their order. */
void vd_sp_check_blocks(struct vd_sp *sp);
void vd_sp_check_symbols(struct vd_sp_checked *c);
void vd_sp_check_attributes(struct vd_sp_checked *c);
void vd_sp_check_levels(struct vd_sp_checked *c);
void vd_sp_check_roles(struct vd_sp_checked *c);
void vd_sp_check_users(struct vd_sp_checked *c);
void vd_sp_check_sids(struct vd_sp_checked *c);
void vd_sp_check_labels(struct vd_sp_checked *c);
void vd_sp_check_bounds(struct vd_sp_checked *c);
void vd_sp_check_tunables(struct vd_sp_checked *c);
void vd_sp_check_rules(struct vd_sp_checked *c);
void vd_sp_warn_shadowed(struct vd_sp_checked *c);
void vd_sp_check_xperms(struct vd_sp_checked *c);

/* Services for the checker and the code generator. */

/* The symbol in force that a name means, aliases followed; NULL: an error has been reported. */
struct vd_sp_symbol *vd_sp_find(struct vd_sp *sp, enum vd_sp_space space,
                                const struct vd_sp_item *item);

/* True if the statements of this block are in force. */
VD_INLINE bool vd_sp_on(const struct vd_sp *sp, uint32_t block)
{
    return sp->blocks.data[block].on;
}

/*
 * Resolves a set of types to the number of a type set. `ret_flags` (may be NULL
 * where `self` is not allowed) gets VD_SP_AV_…. False: reported.
 */
bool vd_sp_resolve_types(struct vd_sp_checked *c, const struct vd_sp_set *set, uint32_t *ret,
                         uint8_t *ret_flags);

/*
 * Resolves a set of classes, roles or users into a bitmap, whose words
 * vd_sp_plain_words counts. False: reported.
 */
bool vd_sp_resolve_plain(struct vd_sp_checked *c, enum vd_sp_space space,
                         const struct vd_sp_set *set, uint64_t *ret);
uint32_t vd_sp_plain_words(const struct vd_sp_checked *c, enum vd_sp_space space);

/* The mask of a set of permissions for a class. False: reported. */
bool vd_sp_resolve_perms(struct vd_sp_checked *c, const struct vd_sp_set *set, uint32_t class,
                         uint32_t *ret);

/* The number of the set with these words, which are copied. */
uint32_t vd_sp_intern_types(struct vd_sp_checked *c, const uint64_t *words);

/* A level, a range; false: reported. */
bool vd_sp_resolve_level(struct vd_sp_checked *c, const struct vd_sp_level *level,
                         struct vd_mls_level *ret);
bool vd_sp_resolve_range(struct vd_sp_checked *c, const struct vd_sp_range *range,
                         struct vd_mls_level *ret_low, struct vd_mls_level *ret_high);

/* A context, which must be one that the policy allows to exist; false: reported. */
bool vd_sp_resolve_context(struct vd_sp_checked *c, const struct vd_sp_context *from,
                           struct vd_context *ret);

/* The bit of a class's permission `nlmsg` or `ioctl`; 0: it has none. */
uint32_t vd_sp_xperm_perm(const struct vd_sp_checked *c, uint32_t class, bool nlmsg);

/* A class's permissions for a message: "{ read write }". */
const char *vd_sp_perms_text(const struct vd_sp_checked *c, uint32_t class, uint32_t mask);

/* "type", "class", … for messages. */
const char *vd_sp_space_text(enum vd_sp_space space);

/* The class (row of the model) with this number. */
VD_INLINE struct vd_sp_class *vd_sp_class_of(const struct vd_sp_checked *c, uint32_t number)
{
    return &c->sp->classes.data[c->sp->symbols.data[c->classes.symbols[number]].row];
}

#endif
