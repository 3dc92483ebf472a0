/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the store's files share: the store itself and one change of it.
 *
 * Locks, in the order in which they are taken: `db.copy_lock`, `writer` (a change, from its start
 * to its answer), `list` (the index's order), `index_lock` (whoever reads the index or the header
 * holds it shared; a change holds it alone only to put its rows in place, never while the disk
 * works). Who holds `writer` reads the index without it.
 */
#ifndef VD_SERVICES_CRYPTO_STORE_INTERNAL_H
#define VD_SERVICES_CRYPTO_STORE_INTERNAL_H

#include "services/crypto/store/db.h"
#include "services/crypto/store/index.h"

struct vd_kstore {
    pthread_mutex_t writer;
    pthread_mutex_t list;
    pthread_rwlock_t index_lock;
    struct vd_kdb db;
    struct vd_kcrypt *crypt;
    struct vd_kindex index;
    struct vd_krec_header header; /* the last one that was committed */
    int64_t next_seq[VD_KREC_TABLES];
    uint64_t generation;  /* the highest that was tried */
    uint64_t latest_seen; /* atomic: the latest `now` */
    size_t scheduled;     /* keys to be destroyed */
    const struct vd_kstore_counter *counter;
    bool unanchored;
    bool must_empty; /* the log holds what was overwritten */
    vd_status failed;
    int lock_fd;
    int dir_fd;
    char *path; /* of the file */
    char *vfs;  /* NULL: SQLite's default */
};

/* One row's change. */
struct vd_kchange {
    enum vd_krec_table table;
    struct vd_kentry *entry;
    struct vd_krow *old; /* NULL: it is new */
    struct vd_krow *new; /* NULL: it is removed */
    uint8_t *body;       /* of `new`, where it is too large to stay in memory; owned */
};

/* All rows of one change. Between begin and end the writer's lock is held. */
struct vd_ktxn {
    struct vd_kstore *store;
    struct vd_kcrypt *crypt; /* of the new rows; owned if it is not the store's */
    struct vd_krec_header header;
    int64_t next_seq[VD_KREC_TABLES];
    struct vd_kchange *changes;
    size_t count;
    size_t room;
    size_t new_keys;
    size_t scheduled;
    bool raise;   /* the counter */
    bool erases;  /* material, of which nothing may stay in the log */
    bool rebuild; /* every row is written anew: the set starts empty, `crypt` becomes the store's */
};

/* Takes the lock; on failure it is not held and there is nothing to end. */
vd_status vd_ktxn_begin(struct vd_ktxn *txn, struct vd_kstore *store, uint64_t now,
                        struct vd_diag *diag);

/* Ends it: with VD_OK the change is committed, put in place, and the counter raised. */
vd_status vd_ktxn_end(struct vd_ktxn *txn, vd_status status, struct vd_diag *diag);

/* Ends it with nothing changed. */
void vd_ktxn_cancel(struct vd_ktxn *txn);

/* A row to be written: `record` says all but the generation, `body` is borrowed. */
struct vd_kput {
    struct vd_kentry *entry;
    struct vd_krow *old; /* NULL: a new row */
    struct vd_krec *record;
    const uint8_t *body;
};
vd_status vd_ktxn_put(struct vd_ktxn *txn, const struct vd_kput *put, struct vd_diag *diag);
vd_status vd_ktxn_remove(struct vd_ktxn *txn, struct vd_kentry *entry, struct vd_krow *old,
                         struct vd_diag *diag);

/* A key that is not destroyed and what its row says. */
vd_status vd_ktxn_key(struct vd_ktxn *txn, const uint8_t *id, struct vd_kentry **ret_entry,
                      struct vd_krec *ret_key, struct vd_diag *diag);

/* Writes the material of `put`'s version row (id and version set) bound to these attributes. */
struct vd_kmaterial {
    const struct vd_kstore_attributes *attributes;
    const struct vd_secret *material;
    const uint8_t *public_part;
};
vd_status vd_ktxn_put_version(struct vd_ktxn *txn, const struct vd_kput *put,
                              const struct vd_kmaterial *from, struct vd_diag *diag);

/* Writes every version of the key anew, under other attributes or another root. */
vd_status vd_ktxn_rewrap(struct vd_ktxn *txn, struct vd_kentry *entry,
                         const struct vd_kstore_attributes *attributes, struct vd_diag *diag);

/*
 * A row's body, its tag checked. The caller holds `index_lock` or `writer`. `ret_stale`: it came
 * from the disk and does not fit, which a change under way explains as well as an attack: then it
 * is read again while none is.
 */
vd_status vd_krow_body(struct vd_kstore *store, const struct vd_krow *row, struct vd_bytes *ret,
                       bool *ret_stale, struct vd_diag *diag);

/* The index stands still until the other is called; with `still`, so does the disk. */
void vd_kstore_lock_reading(struct vd_kstore *store, bool still);
void vd_kstore_unlock_reading(struct vd_kstore *store, bool still);

/* What a read means that does not fit although no change is under way. */
vd_status vd_kstore_changed(const struct vd_kstore *store, struct vd_diag *diag);

/* Empties the log, so that nothing overwritten is left in it. */
vd_status vd_kstore_empty_log(struct vd_kstore *store, struct vd_diag *diag);

/* From now on no change is taken. */
void vd_kstore_fail(struct vd_kstore *store, vd_status status);

void vd_kentry_describe(const struct vd_kentry *entry, struct vd_kstore_key *ret);

/* Reads all rows and checks them against the header. */
vd_status vd_kload(struct vd_kstore *store, struct vd_diag *diag);

/* Compares header and counter at the start; `ret_changed` if the header must be written. */
vd_status vd_kcounter_check(struct vd_kstore *store, uint32_t flags, bool *ret_changed,
                            struct vd_diag *diag);
/* Before a change that raises: brings the counter to the expected value if that failed before. */
vd_status vd_kcounter_settle(struct vd_kstore *store, struct vd_diag *diag);
/* After it. */
vd_status vd_kcounter_raise(struct vd_kstore *store, struct vd_diag *diag);

#endif
