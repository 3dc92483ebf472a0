/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Names of a policy that a caller gave: found, or refused with the nearest one.
 */
#ifndef VD_TOOLS_ANALYSIS_LOOKUP_H
#define VD_TOOLS_ANALYSIS_LOOKUP_H

#include "core/policydb/policydb.h"

/* A word of a list, which does not end with NUL. */
struct vd_word {
    const char *text;
    size_t len;
};

/* The symbol's number; VD_E_NOT_FOUND with a hint. */
vd_status vd_lookup_word(const struct vd_policydb *db, enum vd_pdb_symbol_kind kind,
                         const struct vd_word *word, uint32_t *ret, struct vd_diag *diag);
vd_status vd_lookup(const struct vd_policydb *db, enum vd_pdb_symbol_kind kind, const char *text,
                    uint32_t *ret, struct vd_diag *diag);

/* "type", "class", … for messages. */
const char *vd_lookup_kind(enum vd_pdb_symbol_kind kind);

/* The name of a number, NULL if it is not used. */
const char *vd_lookup_name(const struct vd_policydb *db, enum vd_pdb_symbol_kind kind,
                           uint32_t number);

#endif
