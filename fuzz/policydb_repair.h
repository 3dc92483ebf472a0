/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A policy out of any bytes, so that the checks behind the checksum are reached. */
#ifndef VD_FUZZ_POLICYDB_REPAIR_H
#define VD_FUZZ_POLICYDB_REPAIR_H

#include "core/policydb/conditional.h"
#include "fuzz/fuzz.h"

#include <string.h>

/* A copy of the input as a policy with a head and checksum that hold; NULL: no memory. */
VD_INLINE uint8_t *repaired_policy(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size);
    struct vd_pdb_header head;

    if (copy == NULL)
        return NULL;
    memcpy(copy, data, size);
    memcpy(&head, copy, sizeof(head));
    memcpy(head.magic, VD_PDB_MAGIC, sizeof(head.magic));
    head.version = VD_PDB_VERSION;
    head.total_size = (uint32_t)size;
    memcpy(copy, &head, sizeof(head));
    head.checksum = vd_policydb_checksum(copy, (uint32_t)size);
    memcpy(copy, &head, sizeof(head));
    return copy;
}

#endif
