/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What one compilation leaves for the next (docs/formats/compile-cache.md): for each source
 * type and class a key of the rules that made its row of the compiled policy. Where the key
 * is still the same, the row is taken from the former policy instead of being built again.
 *
 * A cache belongs to one compiler, by the checksum of its program, and to one compiled
 * policy, by that policy's checksum. One that belongs to another, is damaged or is
 * missing is no error: everything is built. The result is the same bytes either way.
 */
#ifndef VD_TOOLS_SEPOLICY_CACHE_H
#define VD_TOOLS_SEPOLICY_CACHE_H

#include "core/policydb/policydb.h"
#include "tools/sepolicy/memory.h"
#include "tools/sepolicy/sepolicy.h"

/*
 * The rules that bear on a row: a sum over them, so that their order does not count. The
 * hash begins with a secret of the cache, so that no source can be written for a key.
 */
struct vd_sp_row_key {
    uint64_t low, high;
};

/* `cell`: source type × classes + class; in rising order. */
struct vd_sp_cache_entry {
    uint32_t cell;
    uint32_t reserved;
    struct vd_sp_row_key key;
};

/* The cache of a former compilation and its policy. Borrows both. */
struct vd_sp_cache {
    struct vd_policydb policy;
    const struct vd_sp_cache_entry *entries;
    uint32_t count;
    struct vd_sp_row_key secret;
};

/* False: not to be used, for whatever reason. */
bool vd_sp_cache_open(struct vd_sp_cache *ret, const struct vd_sepolicy_former *former);

/* What the keys of this compilation begin with: the cache's secret, else (NULL) a new one. */
struct vd_sp_row_key vd_sp_cache_secret(const struct vd_sp_cache *cache,
                                        const struct vd_sepolicy_former *former);

/* The bytes of `cache`, its `policy` left aside, for the policy `blob`, malloc'ed. NULL: no memory. */
uint8_t *vd_sp_cache_make(uint64_t compiler, const struct vd_sp_cache *cache, const void *blob,
                          size_t *ret_size);

#endif
