/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Changes of a policy that are only thought of: what would be allowed after one,
 * how much it opens, and what forbids it.
 *
 * The type rules after a change are worked out from the rulebook (tools/rulebook):
 * its sets keep the attributes as written, so that a type's new attribute counts
 * wherever the attribute stands, with a minus or a complement too. What was allowed
 * before is the engine's answer.
 */
#ifndef VD_TOOLS_ANALYSIS_CHANGE_H
#define VD_TOOLS_ANALYSIS_CHANGE_H

#include "tools/analysis/layers.h"
#include "tools/rulebook/rulebook.h"

#define VD_CHANGE_EDITS 32u

/* Kinds of edits, in the order in which they are preferred where they open equally much. */
enum vd_edit_kind {
    VD_EDIT_BOOLEAN = 1, /* source: boolean; target: its value */
    VD_EDIT_ROLE_ALLOW,  /* source, target: roles */
    VD_EDIT_ALLOWXPERM,  /* as ALLOW; perms: the one of its kind; key: vd_xperm_key */
    VD_EDIT_ATTRIBUTE,   /* source: type; target: attribute that it gets */
    VD_EDIT_ALLOW,       /* source, target: types; class; perms */
};

struct vd_edit {
    enum vd_edit_kind kind;
    uint32_t source, target, class, perms;
    uint32_t key;
};

/* A rule that forbids a change, and for what. */
struct vd_refusal {
    const struct vd_rule *rule;     /* NULL: nothing forbids it */
    uint32_t source, target, perms; /* types, and permissions of the rule's class */
};

struct vd_change {
    struct vd_edit edits[VD_CHANGE_EDITS];
    uint32_t count;
    uint64_t opens; /* accesses (source type, target type, class, permission) that become allowed */
    struct vd_refusal refusal;
};

/* A policy under question. Everything but the index is borrowed. */
struct vd_inquiry {
    const struct vd_policydb *db;
    const struct vd_rulebook *book;
    const uint8_t *values; /* of the booleans */
    uint32_t *rules;       /* rules of access vectors (VD_RULE_ALLOW …), by class */
    uint32_t *class_first; /* where a class's begin; one more than there are classes */
    uint32_t *constraints; /* rules that are constraints */
    uint32_t constraint_count;
    uint32_t *xperms; /* rules of extended permissions */
    uint32_t xperm_count;
    uint32_t *denies; /* deny rules */
    uint32_t deny_count;
    /* What names an attribute: found without a look at all rules, as there may be many of both. */
    uint32_t *item_first, *item_sets; /* by type or attribute: the sets that name it */
    uint32_t *set_first, *set_rules;  /* by set: the allow rules that have it */
};

/* VD_E_NO_MEMORY. End with vd_inquiry_done. */
vd_status vd_inquiry_init(struct vd_inquiry *ret, const struct vd_policydb *db,
                          const struct vd_rulebook *book, const uint8_t *values);
void vd_inquiry_done(struct vd_inquiry *inquiry);

/* True if the set holds the type or role once the change is made; `change` may be NULL. */
bool vd_change_holds(const struct vd_inquiry *inquiry, const struct vd_change *change, uint32_t set,
                     uint32_t number);

/* True if the rule reaches the pair once the change is made. */
bool vd_change_reaches(const struct vd_inquiry *inquiry, const struct vd_change *change,
                       const struct vd_rule *rule, uint32_t source, uint32_t target);

/* True if the rule is in force once the change is made. */
bool vd_change_in_force(const struct vd_inquiry *inquiry, const struct vd_change *change,
                        const struct vd_rule *rule);

/* What the type rules allow to the pair once the change is made. */
uint32_t vd_change_te(const struct vd_inquiry *inquiry, const struct vd_change *change,
                      uint32_t source, uint32_t target, uint32_t class);

/* The permissions of `perms` that a `deny` rule takes from the pair; `ret_rule` names one. */
uint32_t vd_change_denied(const struct vd_inquiry *inquiry, const struct vd_change *change,
                          const struct vd_edit *pair, const struct vd_rule **ret_rule);

/*
 * True if the `neverallowxperm` rule, which reaches the pair, forbids what is left
 * of the permission of its kind after the change: a number that an allowxperm
 * gives, or all of them where no rule narrows the permission always.
 */
bool vd_change_breaks_xperm(const struct vd_inquiry *inquiry, const struct vd_change *change,
                            const struct vd_rule *rule, uint32_t source, uint32_t target);

/* Works out what the change opens, and what forbids it. VD_E_NO_MEMORY. */
vd_status vd_change_measure(const struct vd_inquiry *inquiry, struct vd_change *change);

#endif
