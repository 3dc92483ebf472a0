/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What one compilation leaves for the next (docs/formats/compile-cache.md): for each source
 * type and class a key of the rules that made its row of the compiled policy, and for each
 * source text its rules as read. Where a key is still the same, the row is taken from the
 * former policy instead of being built again; where a text is, its rules are not read again.
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

/* A source text, by what it says, and its rules. */
struct vd_sp_cache_source {
    struct vd_sp_row_key key; /* vd_sp_cache_key of its bytes */
    uint32_t size;
    uint32_t rule_first, rule_count;
    uint32_t marked; /* 1: it has #line marks */
};

#define VD_SP_CACHE_REQUIRE 255u /* not a rule but a require statement */

/*
 * A rule of a source, as the parser reads it: rows of the sets below, offsets in the text. Or
 * a require statement: its rows are source + 65536 × target, as many as classes + 65536 × perms.
 */
struct vd_sp_cache_rule {
    uint16_t source, target, classes, perms;
    uint32_t start; /* of its first word */
    uint32_t line;  /* 0: not known, nor is the rest */
    uint16_t size;  /* up to what stands behind it; 0: that is far, or in the next text */
    uint16_t file;  /* name of the #line mark that counts for it; 0: none */
    uint16_t column;
    uint8_t kind; /* enum vd_sp_rule_kind, or VD_SP_CACHE_REQUIRE */
    uint8_t reserved;
};

/* One name that a require statement demands. */
struct vd_sp_cache_require {
    uint32_t name, perm; /* perm 0: none */
    uint32_t start;      /* of the name, from the text's start */
    uint16_t space;      /* enum vd_sp_space */
    uint16_t attribute;  /* 0 or 1 */
};

#define VD_SP_CACHE_STAR       (1u << 0)
#define VD_SP_CACHE_COMPLEMENT (1u << 1)
#define VD_SP_CACHE_MINUS      (1u << 31) /* of an item */

struct vd_sp_cache_set {
    uint32_t first, count; /* of its items: names, some with VD_SP_CACHE_MINUS */
    uint32_t flags;
};

/* Parts of a cache behind its header, in their order. */
enum vd_sp_cache_part {
    VD_SP_CACHE_ENTRIES,  /* struct vd_sp_cache_entry */
    VD_SP_CACHE_SOURCES,  /* struct vd_sp_cache_source */
    VD_SP_CACHE_RULES,    /* struct vd_sp_cache_rule */
    VD_SP_CACHE_REQUIRES, /* struct vd_sp_cache_require */
    VD_SP_CACHE_SETS,     /* struct vd_sp_cache_set */
    VD_SP_CACHE_ITEMS,    /* uint32_t */
    VD_SP_CACHE_NAMES,    /* uint32_t: where the name's text begins in the last part */
    VD_SP_CACHE_TEXT,     /* names with NUL, one after another; 0: "" */
    VD_SP_CACHE_PARTS,
};

struct vd_sp_cache_rows {
    void *rows; /* of a former compilation: not to be written */
    uint32_t count;
};

/* The cache of a former compilation and its policy. Borrows both. */
struct vd_sp_cache {
    struct vd_policydb policy;
    struct vd_sp_row_key secret;
    struct vd_sp_cache_rows parts[VD_SP_CACHE_PARTS];
};

/*
 * False: not to be used, for whatever reason. What it opens is whole, but its rows may say
 * anything: whoever uses one checks its numbers.
 */
bool vd_sp_cache_open(struct vd_sp_cache *ret, const struct vd_sepolicy_former *former);

/* What the keys of this compilation begin with: the cache's secret, else (NULL) a new one. */
struct vd_sp_row_key vd_sp_cache_secret(const struct vd_sp_cache *cache,
                                        const struct vd_sepolicy_former *former);

/* The key of a text: nobody who does not know the secret can write another with the same. */
struct vd_sp_row_key vd_sp_cache_key(struct vd_sp_row_key secret, const char *text, size_t size);

/*
 * Room for a cache, malloc'ed; NULL: no memory. The counts of `cache` say how many rows its parts
 * have; it gets where they go, as zeros.
 */
uint8_t *vd_sp_cache_begin(struct vd_sp_cache *cache, size_t *ret_size);

/* Makes the bytes, whose rows are there now, the cache of the policy `blob`. */
void vd_sp_cache_end(uint8_t *data, size_t size, const struct vd_sp_cache *cache, uint64_t compiler,
                     const void *blob);

#endif
