/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Sets as the policy language writes them, resolved against a compiled policy:
 * for the texts that speak about a policy, not of it.
 *
 * A resolving function returns false after it reported, at its place, a name that
 * the policy does not have. Memory: the arena of `sp`.
 */
#ifndef VD_TOOLS_ANALYSIS_SETS_H
#define VD_TOOLS_ANALYSIS_SETS_H

#include "core/policydb/policydb.h"
#include "tools/sepolicy/model.h"

struct vd_sets {
    struct vd_sp *sp; /* borrowed: arena, names, messages */
    struct vd_policydb db;
    uint32_t words; /* of a set of types */
};

struct vd_type_set {
    uint64_t *types; /* VD_BITMAP_WORDS(types) words */
    bool self, not_self;
};

void vd_sets_init(struct vd_sets *sets, struct vd_sp *sp, const struct vd_policydb *db);

/* The symbol's number; `what` names the kind in messages. */
bool vd_sets_symbol(struct vd_sets *sets, enum vd_pdb_symbol_kind kind,
                    const struct vd_sp_item *item, const char *what, uint32_t *ret);

/* A set of one type. */
uint64_t *vd_sets_one(struct vd_sets *sets, uint32_t type);

/* Types, attributes taken as their types; `self` only where it may stand. */
bool vd_sets_types(struct vd_sets *sets, const struct vd_sp_set *set, bool may_self,
                   struct vd_type_set *ret);

/* True if the set of classes has this one; unknown names are passed over. */
bool vd_sets_has_class(const struct vd_sets *sets, const struct vd_sp_set *set, uint32_t class);

/* Reports class names that the policy does not have. */
bool vd_sets_classes_known(struct vd_sets *sets, const struct vd_sp_set *set);

/* The class's permissions in the set; a name that the class does not have is an error. */
bool vd_sets_perms(struct vd_sets *sets, const struct vd_sp_set *set, uint32_t class,
                   uint32_t *ret);

#endif
