/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Booleans: a decision never evaluates a condition; a changed boolean gives a
 * new policy, in which the leaves hold what the conditional rules now say.
 *
 * Use: copy an opened policy into memory of one's own, set booleans in the
 * copy, recompute, open the copy. The bytes are those that the compiler would
 * have written for these values.
 */
#ifndef VD_CORE_POLICYDB_CONDITIONAL_H
#define VD_CORE_POLICYDB_CONDITIONAL_H

#include "core/policydb/policydb.h"

/*
 * Sets boolean `number` of the opened policy copied to `blob`; VD_E_NOT_FOUND if
 * there is none. The copy is not whole until vd_policydb_recompute.
 */
vd_status vd_policydb_set_bool(void *blob, uint32_t number, bool value);

/* What a checked condition of `count` nodes says under the booleans of `db`. */
bool vd_policydb_condition(const struct vd_policydb *db, const struct vd_pdb_cond_node *nodes,
                           uint32_t count);

/* Recomputes the leaves and the checksum of the copy. Cost: linear in the conditional rules. */
void vd_policydb_recompute(void *blob);

/* CRC-64/XZ of the blob with its checksum field taken as zero; `size` at least the header's. */
uint64_t vd_policydb_checksum(const void *blob, uint32_t size);

#endif
