/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A compiled policy in memory: opened (checked whole) once, then read in place.
 *
 * The handle is two words and may be copied. The blob is borrowed, constant
 * and shared by any number of threads. The same accessors compile to BPF,
 * where `base` is a map value and `size` the map's capacity, a constant the
 * verifier knows; there the blob was opened by the loader before it was put in
 * the map, and each access is checked again.
 */
#ifndef VD_CORE_POLICYDB_POLICYDB_H
#define VD_CORE_POLICYDB_POLICYDB_H

#include "core/policydb/format.h"

#ifndef __VMLINUX_H__
#include "core/base/diag.h"
#endif

struct vd_policydb {
    const uint8_t *base;
    uint32_t size; /* bytes readable at base */
};

/*
 * `len` (constant) bytes at `offset`, or NULL if they are not all inside.
 * The only way to reach the blob; cost: one comparison.
 */
VD_INLINE const void *vd_pdb_at(const struct vd_policydb *db, uint64_t offset, uint32_t len)
{
#ifdef __BPF__
    /*
     * The verifier must see the very register that was compared being added:
     * this keeps the compiler from computing the sum in another way.
     */
    __asm__ volatile("" : "+r"(offset));
#endif
    if (offset > (uint64_t)(db->size - len))
        return NULL;
    return db->base + offset;
}

/* Row `index` of a section whose rows have `row_size` bytes; NULL if there is none. */
VD_INLINE const void *vd_pdb_row(const struct vd_policydb *db, enum vd_pdb_section section,
                                 uint32_t index, uint32_t row_size)
{
    const struct vd_pdb_section_row *row =
        vd_pdb_at(db, (uint32_t)(offsetof(struct vd_pdb_header, sections) + section * sizeof(*row)),
                  sizeof(*row));

    if (row == NULL || index >= row->count)
        return NULL;
    return vd_pdb_at(db, row->offset + (uint64_t)index * row_size, row_size);
}

/* The header, NULL if the blob is too short to have one. */
VD_INLINE const struct vd_pdb_header *vd_pdb_head(const struct vd_policydb *db)
{
    return vd_pdb_at(db, 0, sizeof(struct vd_pdb_header));
}

/* Bit `bit` of the set whose first word is row `first` of BITMAPS; false outside. */
VD_INLINE bool vd_pdb_bit(const struct vd_policydb *db, uint32_t first, uint32_t bit)
{
    const uint64_t *word = vd_pdb_row(db, VD_PDB_BITMAPS, first + bit / 64, sizeof(*word));

    return word != NULL && (*word >> (bit % 64) & 1) != 0;
}

#ifndef __VMLINUX_H__

/*
 * How many of the `size` bytes at `data`, a policy file, are the blob: a rulebook
 * (tools/rulebook) may follow it, which enforcement passes over. Everything else
 * counts as the blob, so that vd_policydb_open refuses what does not belong.
 */
size_t vd_policydb_extent(const void *data, size_t size);

/*
 * Checks the blob of `size` bytes at `data` whole (checksum, every table, every
 * index, every string) and lends a handle to it. `data` must be aligned to 8.
 * On failure `diag` says what is wrong at which offset. Cost: linear in size.
 */
vd_status vd_policydb_open(struct vd_policydb *ret, const void *data, size_t size,
                           struct vd_diag *diag);

/* The header; valid for an opened policy. */
const struct vd_pdb_header *vd_policydb_header(const struct vd_policydb *db);

/* A name by its offset; "?" for an offset outside the strings. */
const char *vd_policydb_string(const struct vd_policydb *db, uint32_t offset);

/* A symbol's number by its name of `len` bytes; 0 and VD_E_NOT_FOUND if unknown. Binary search. */
vd_status vd_policydb_find(const struct vd_policydb *db, enum vd_pdb_symbol_kind kind,
                           const char *name, size_t len, uint32_t *ret);

/* The name of a symbol; "?" if there is no such number. Types, roles, users, classes, … */
const char *vd_policydb_name(const struct vd_policydb *db, enum vd_pdb_symbol_kind kind,
                             uint32_t value);

/* The name of permission `bit` of a class, NULL if it has none there. */
const char *vd_policydb_perm_name(const struct vd_policydb *db, uint32_t class, uint32_t bit);

/* The bit mask of a class's permission; VD_E_NOT_FOUND if it has none of that name. */
vd_status vd_policydb_find_perm(const struct vd_policydb *db, uint32_t class, const char *name,
                                size_t len, uint32_t *ret_mask);

/* The initial context of that name (VD_E_NOT_FOUND if the policy declares none). */
vd_status vd_policydb_initial(const struct vd_policydb *db, const char *name,
                              struct vd_context *ret);

#endif
#endif
