/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the store holds in memory: every row's head and small body, found by the key's id or name.
 *
 * Threads: the caller locks. Functions that take a const index may run side by side; names are
 * found by a keyed hash, since callers choose them.
 */
#ifndef VD_SERVICES_CRYPTO_STORE_INDEX_H
#define VD_SERVICES_CRYPTO_STORE_INDEX_H

#include "services/crypto/store/crypt.h"

/* A row in memory. */
struct vd_krow {
    int64_t seq;
    uint8_t entry[VD_KREC_MAC_SIZE]; /* in the set */
    uint8_t tag[VD_KREC_MAC_SIZE];   /* zero where there is no body */
    uint32_t head_size;
    uint32_t body_size;
    bool has_body; /* in `data` behind the head; else on the disk */
    uint8_t data[];
};

/* Copies `from` and takes its entry; a body of more than VD_KDB_INLINE bytes is not kept. */
vd_status vd_krow_new(struct vd_kcrypt *crypt, const struct vd_krec_row *from, struct vd_krow **ret,
                      struct vd_diag *diag);
/* The row as it is on the disk; `body` is NULL where it is not in memory. */
struct vd_krec_row vd_krow_view(const struct vd_krow *row);
/* What the head says; it was parsed before the row was made. */
void vd_krow_record(const struct vd_krow *row, struct vd_krec *ret);

struct vd_kentry {
    uint8_t id[VD_KSTORE_ID_SIZE];
    struct vd_krow *key;
    struct vd_krow **versions; /* number n at n - 1 */
    size_t version_count;
    size_t version_room;
    struct vd_krow **attached; /* by kind and name */
    size_t attached_count;
    size_t attached_room;
    uint64_t attached_at;  /* generation in which the attachments last changed */
    struct vd_krow *usage; /* NULL: nothing was reserved */
};

void vd_kentry_free(struct vd_kentry *entry);

/* Place of the first attachment that is not before `what`; `ret_same` if it is that one. */
size_t vd_kentry_place(const struct vd_kentry *entry, const struct vd_kstore_attachment *what,
                       bool *ret_same);
/* Brings attachments that were appended into order. */
void vd_kentry_sort(struct vd_kentry *entry);

/* The hash stands beside the pointer, so that looking past others costs no look at them. */
struct vd_kslot {
    uint64_t hash;
    struct vd_kentry *entry; /* NULL: free */
};

struct vd_kindex {
    struct vd_kslot *ids; /* two open hash tables of `mask` + 1 places */
    struct vd_kslot *names;
    size_t mask;
    struct vd_kentry **order; /* `count` of them, the first `ordered` by name and id */
    size_t ordered;
    size_t count;
    uint64_t seed;
};

vd_status vd_kindex_init(struct vd_kindex *index, struct vd_diag *diag);
void vd_kindex_done(struct vd_kindex *index);

/*
 * An index with the same entries and room for `more`; the caller puts it in the place of the old
 * one, of which vd_kindex_drop then frees the tables alone. VD_E_NO_MEMORY.
 */
bool vd_kindex_has_room(const struct vd_kindex *index, size_t more);
vd_status vd_kindex_grow(const struct vd_kindex *index, size_t more, struct vd_kindex *ret,
                         struct vd_diag *diag);
void vd_kindex_drop(struct vd_kindex *index);

/* Adds an entry for which there is room. Under a name that has an entry it takes its place. */
void vd_kindex_add(struct vd_kindex *index, struct vd_kentry *entry);
/* Puts it in its name's place again. */
void vd_kindex_name(struct vd_kindex *index, struct vd_kentry *entry);

/* NULL: there is none. */
struct vd_kentry *vd_kindex_get(const struct vd_kindex *index, const uint8_t *id);
struct vd_kentry *vd_kindex_find(const struct vd_kindex *index, const char *name, size_t size);

/* Sorts what was added since; `order` is nobody else's meanwhile. */
vd_status vd_kindex_sort(struct vd_kindex *index, struct vd_diag *diag);
/* Place in `order` of the first entry that is behind this name and id (NULL: not before it). */
size_t vd_kindex_place(const struct vd_kindex *index, const char *name, const uint8_t *id);

#endif
