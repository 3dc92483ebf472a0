/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One decision taken apart, so that it can be asked under any setting of the
 * booleans without a new policy each time.
 *
 * What is allowed is what every layer allows: the type rules of the types, and of
 * each step of their bounding types, constraints and role allow. Only the type
 * rules depend on booleans. So the rest is computed once, with the engine's own
 * functions (core/mac), and the type rules are evaluated for each setting.
 */
#ifndef VD_TOOLS_ANALYSIS_LAYERS_H
#define VD_TOOLS_ANALYSIS_LAYERS_H

#include "core/mac/decide.h"
#include "core/mac/xperm.h"

#define VD_LAYERS_PAIRS     (VD_PDB_MAX_BOUNDS + 1u)
#define VD_LAYERS_MAX_BOOLS 20u /* booleans that bear on one decision: 2^20 settings */

/* The values of all booleans, by number; rows of the policy's BOOLS. */
struct vd_setting {
    const uint8_t *values;
};

struct vd_layers {
    const struct vd_policydb *db;
    uint32_t class;
    uint32_t perms; /* all of the class */
    uint32_t fixed; /* what all but the type rules leave of them */
    uint32_t count; /* pairs; 0: the question has unknown numbers, nothing is allowed */
    struct {
        uint32_t source, target;
        const struct vd_pdb_leaf *leaf;
    } pairs[VD_LAYERS_PAIRS]; /* the question's own types, then bounding ones */
};

/* The values that the policy's booleans have; an array of at least one, to be freed, or NULL. */
uint8_t *vd_setting_current(const struct vd_policydb *db);

/* The question by types alone: constraints and roles are left out. */
void vd_layers_types(struct vd_layers *ret, const struct vd_policydb *db, uint32_t source,
                     uint32_t target, uint32_t class);

/* The question by contexts, with every layer. */
void vd_layers_contexts(struct vd_layers *ret, const struct vd_policydb *db,
                        const struct vd_context *source, const struct vd_context *target,
                        uint32_t class);

/* What the type rules of one leaf allow under the setting. */
uint32_t vd_layers_leaf(const struct vd_policydb *db, const struct vd_pdb_leaf *leaf,
                        const uint8_t *values);

/* What is allowed under the setting. */
uint32_t vd_layers_allowed(const struct vd_layers *layers, const uint8_t *values);

/* What is allowed over all settings. */
struct vd_layers_span {
    uint32_t ever;   /* under at least one */
    uint32_t always; /* under every one */
};

/*
 * What is allowed over all settings. Booleans that do not bear on the question keep `values`. A
 * setting that allows a permission of `seek`, or, with `deny`, one that does
 * not, is left in `values`, which is changed only if there is one.
 * VD_E_LIMIT: more than VD_LAYERS_MAX_BOOLS bear on it.
 */
vd_status vd_layers_settings(const struct vd_layers *layers, uint8_t *values, uint32_t seek,
                             bool deny, struct vd_layers_span *ret);

/* The value of a condition, postfix, under the setting. */
bool vd_layers_condition(const struct vd_pdb_cond_node *nodes, uint32_t count,
                         const uint8_t *values);

/* True if the conditional rule's branch is in force. */
bool vd_layers_in_force(const struct vd_policydb *db, const struct vd_pdb_cond_rule *rule,
                        const uint8_t *values);

/* As vd_xperm_said, under the setting. `key`: vd_xperm_key. */
uint32_t vd_layers_xperm(const struct vd_policydb *db, const struct vd_pdb_leaf *leaf,
                         const uint8_t *values, uint32_t key);

/* Adds the booleans of the leaf's conditions to `list`; false if it would exceed `max`. */
bool vd_layers_bools(const struct vd_policydb *db, const struct vd_pdb_leaf *leaf, uint32_t *list,
                     uint32_t *count, uint32_t max);

/* The same for the conditions of its extended permissions. */
bool vd_layers_xperm_bools(const struct vd_policydb *db, const struct vd_pdb_leaf *leaf,
                           uint32_t *list, uint32_t *count, uint32_t max);

#endif
