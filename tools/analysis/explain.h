/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Why an access is allowed or denied: by layer, with the rules that say so.
 *
 * Every layer is asked for itself. So a request that the type rules deny is told,
 * too, which constraint would forbid it once they allowed it: what has to change
 * is known as a whole. Whether it is allowed is the engine's answer (core/mac).
 */
#ifndef VD_TOOLS_ANALYSIS_EXPLAIN_H
#define VD_TOOLS_ANALYSIS_EXPLAIN_H

#include "tools/analysis/change.h"
#include "tools/analysis/trace.h"

struct vd_why_question {
    struct vd_context source, target;
    uint32_t class, perms; /* what is asked; not 0 */
    uint32_t key;          /* vd_xperm_key of the ioctl command or netlink message; 0: none */
    uint32_t key_perm;     /* the permission of its kind, of those asked */
};

/* A constraint that is false for the question. */
struct vd_why_constraint {
    uint32_t first; /* row of NODES of its VD_CX_BEGIN */
    uint32_t perms; /* what it forbids of what was asked */
    uint32_t pair;  /* of the question's layers: 0 its own types, else bounding ones */
};

/* A rule that bears on the question, and for which of its permissions. */
struct vd_why_rule {
    const struct vd_rule *rule;
    uint32_t perms;
    bool in_force; /* under the booleans */
};

struct vd_why {
    struct vd_why_question question;
    struct vd_decision decision;     /* of the engine */
    uint32_t denied;                 /* of what was asked */
    struct vd_layers layers;         /* the pairs of types that must all be allowed it */
    uint32_t lacks[VD_LAYERS_PAIRS]; /* by pair: what no allow rule in force gives */
    const struct vd_rule *taken[VD_LAYERS_PAIRS]; /* by pair: a `deny` rule, or NULL */
    uint32_t extended; /* what the rules of extended permissions do not give for the key */
    uint32_t role;     /* what needs a role allow that is missing */
    struct vd_why_constraint *constraints;
    uint32_t constraint_count;
    struct vd_why_rule *rules; /* allow, dontaudit and, with a key, extended ones */
    uint32_t rule_count;
};

/*
 * Explains the question. VD_E_NO_MEMORY; VD_E_RANGE: numbers that the policy does
 * not have. End with vd_why_done.
 */
vd_status vd_why_explain(const struct vd_inquiry *inquiry, const struct vd_why_question *question,
                         struct vd_why *ret);
void vd_why_done(struct vd_why *why);

/* The same without `rules`, whose search costs most. */
vd_status vd_why_judge(const struct vd_inquiry *inquiry, const struct vd_why_question *question,
                       struct vd_why *ret);

/* The constraint as written: its rule, or NULL if the rulebook has none. */
const struct vd_rule *vd_why_constraint_rule(const struct vd_inquiry *inquiry, uint32_t first);

/* The values that a constraint on pair `pair` compares. */
struct vd_cx vd_why_values(const struct vd_why *why, uint32_t pair);

/*
 * The name through which the rule's source (or target) holds the type: the type
 * itself, or an attribute; 0: through a `*` or a complement, or `self`.
 */
uint32_t vd_why_through(const struct vd_inquiry *inquiry, uint32_t set, uint32_t type);

/* Changes that would allow what is denied. */
struct vd_changes {
    struct vd_change *list; /* allowed ones first, each kind by what it opens */
    uint32_t count;
};

#define VD_CHANGES_MAX 256u /* that are measured; more are not looked for */

/* Which changes are looked for. */
#define VD_CHANGES_BOOLEANS   (1u << 0)
#define VD_CHANGES_RULES      (1u << 1) /* and the attributes that constraints ask for */
#define VD_CHANGES_ATTRIBUTES (1u << 2) /* by which other rules reach the types */
#define VD_CHANGES_ALL        7u

/*
 * Finds changes of the kinds in `which` that allow all that was asked, measures them and sorts them: those
 * that nothing forbids before the refused ones, then by how little they open.
 * Nothing is found for what is allowed already, and where only other contexts would
 * help. VD_E_NO_MEMORY. End with vd_changes_done.
 */
vd_status vd_changes_find(const struct vd_inquiry *inquiry, const struct vd_why *why,
                          uint32_t which, struct vd_changes *ret);
void vd_changes_done(struct vd_changes *changes);

#endif
