/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The store's SQLite file: rows in four tables and one header, nothing about what they mean.
 *
 * WAL with synchronous=FULL: a commit that returned is on the disk. Rows of versions are only
 * appended and then overwritten in place with as many bytes, so SQLite never moves them to another
 * page: no copy of a wrapped key stays behind in the free space of a page.
 *
 * Threads: one at a time may write (the caller sees to that), any may read bodies and copy.
 */
#ifndef VD_SERVICES_CRYPTO_STORE_DB_H
#define VD_SERVICES_CRYPTO_STORE_DB_H

#include <pthread.h>

#include "lib/file.h"
#include "services/crypto/store/record.h"

#define VD_KDB_INLINE 512u /* bodies of more bytes are left on the disk by a scan */

struct sqlite3;
struct sqlite3_stmt;

struct vd_kdb_table {
    struct sqlite3_stmt *insert;
    struct sqlite3_stmt *update;
    struct sqlite3_stmt *remove;
    struct sqlite3_stmt *body; /* of the reading connection */
};

struct vd_kdb {
    struct sqlite3 *write;
    struct sqlite3 *read;
    pthread_mutex_t read_lock; /* of `read` */
    pthread_mutex_t copy_lock; /* a copy is being made, or the log emptied */
    struct vd_kdb_table tables[VD_KREC_TABLES];
    struct sqlite3_stmt *header;
    int wal_pages; /* of the log after the last commit */
};

/* Makes `path`, which must be an empty file, an empty store with that header. */
vd_status vd_kdb_create(const char *path, const char *vfs,
                        const uint8_t header[VD_KREC_HEADER_SIZE], struct vd_diag *diag);

/*
 * Opens and reads the header, whose size is not checked. VD_E_MAGIC, VD_E_VERSION; VD_E_CHECKSUM
 * if SQLite finds it damaged; VD_E_SIGNATURE if it has other tables or triggers than the store's.
 */
vd_status vd_kdb_open(struct vd_kdb *ret, const char *path, const char *vfs,
                      struct vd_bytes *ret_header, struct vd_diag *diag);
void vd_kdb_close(struct vd_kdb *db);

/* Gives every row of a table to `take`, in order; `body` is NULL where it is too large. */
typedef vd_status vd_kdb_take(void *ctx, const struct vd_krec_row *row, struct vd_diag *diag);
vd_status vd_kdb_scan(struct vd_kdb *db, enum vd_krec_table table, vd_kdb_take *take, void *ctx,
                      struct vd_diag *diag);

/* A row's body as it is on the disk; VD_E_NOT_FOUND. */
vd_status vd_kdb_body(struct vd_kdb *db, enum vd_krec_table table, int64_t seq,
                      struct vd_bytes *ret, struct vd_diag *diag);

/*
 * One change: begin, then rows, then commit with the new header. After a failure
 * vd_kdb_rollback; what a commit that failed left on the disk is not known, unless it is
 * VD_E_NO_SPACE or VD_E_NO_MEMORY and the rollback succeeds.
 */
vd_status vd_kdb_begin(struct vd_kdb *db, struct vd_diag *diag);
vd_status vd_kdb_insert(struct vd_kdb *db, enum vd_krec_table table, const struct vd_krec_row *row,
                        struct vd_diag *diag);
vd_status vd_kdb_update(struct vd_kdb *db, enum vd_krec_table table, const struct vd_krec_row *row,
                        struct vd_diag *diag);
vd_status vd_kdb_remove(struct vd_kdb *db, enum vd_krec_table table, int64_t seq,
                        struct vd_diag *diag);
vd_status vd_kdb_commit(struct vd_kdb *db, const uint8_t header[VD_KREC_HEADER_SIZE],
                        struct vd_diag *diag);
vd_status vd_kdb_rollback(struct vd_kdb *db);

/* Brings the log into the file; the rest may stay in the log if a reader needs it. */
vd_status vd_kdb_checkpoint(struct vd_kdb *db, struct vd_diag *diag);

/* The same until nothing is left, and cuts the log to no bytes. `copy_lock` is held. */
vd_status vd_kdb_empty_log(struct vd_kdb *db, struct vd_diag *diag);

/* A consistent copy into `path`, which must not exist or be empty, by a connection of its own. */
vd_status vd_kdb_copy(const char *from, const char *vfs, const char *path, struct vd_diag *diag);

#endif
