/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "services/crypto/store/db.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "lib/diagf.h"

#define APPLICATION_ID "1447316307" /* "VDKS" */
#define APPLICATION    1447316307
#define USER_VERSION   1
#define BUSY_MS        10000

#define ROWS(name)                                                                           \
    "CREATE TABLE " name "(seq INTEGER PRIMARY KEY, head BLOB NOT NULL, tag BLOB NOT NULL, " \
    "body BLOB NOT NULL)"

static const char *const names[VD_KREC_TABLES] = {NULL, "keys", "versions", "attachments",
                                                  "usages"};
/* As sqlite_schema lists them, in this order. */
static const char *const schema[] = {
    "CREATE TABLE header(one INTEGER PRIMARY KEY, body BLOB NOT NULL)",
    ROWS("keys"),
    ROWS("versions"),
    ROWS("attachments"),
    ROWS("usages"),
};

static vd_status status_of(int code)
{
    if (code == SQLITE_IOERR_NOMEM)
        return VD_E_NO_MEMORY;
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_DONE:
    case SQLITE_ROW:
        return VD_OK;
    case SQLITE_FULL:
        return VD_E_NO_SPACE;
    case SQLITE_NOMEM:
        return VD_E_NO_MEMORY;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return VD_E_BUSY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return VD_E_CHECKSUM;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return VD_E_IO;
    default:
        return VD_E_SYSTEM;
    }
}

static vd_status check(sqlite3 *db, int code, const char *what, struct vd_diag *diag)
{
    vd_status status = status_of(code);

    if (status == VD_OK)
        return VD_OK;
    return vd_diagf(diag, status, "%s: %s (SQLite %d)", what,
                    db != NULL ? sqlite3_errmsg(db) : sqlite3_errstr(code), code);
}

static vd_status run(sqlite3 *db, const char *sql, struct vd_diag *diag)
{
    return check(db, sqlite3_exec(db, sql, NULL, NULL, NULL), sql, diag);
}

static void close_db(sqlite3 **db)
{
    sqlite3_close(*db);
    *db = NULL;
}

static void end_stmt(sqlite3_stmt **stmt)
{
    sqlite3_finalize(*stmt);
}

static vd_status prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret, struct vd_diag *diag)
{
    return check(db, sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL), sql,
                 diag);
}

static vd_status use_wal(sqlite3 *db, struct vd_diag *diag)
{
    sqlite3_stmt *stmt VD_AUTO(end_stmt) = NULL;
    const char *mode;
    int code;

    VD_TRY(prepare(db, "PRAGMA journal_mode=WAL", &stmt, diag));
    code = sqlite3_step(stmt);
    if (code != SQLITE_ROW)
        return check(db, code, "cannot use a write-ahead log", diag);
    mode = (const char *)sqlite3_column_text(stmt, 0);
    return mode != NULL && strcmp(mode, "wal") == 0
               ? VD_OK
               : vd_diag_fail(diag, VD_E_UNSUPPORTED,
                              "SQLite cannot use a write-ahead log on this file system");
}

/* A connection that believes nothing the file says about code to run. */
static vd_status connect(const char *path, const char *vfs, sqlite3 **ret, struct vd_diag *diag)
{
    sqlite3 *db VD_AUTO(close_db) = NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX | SQLITE_OPEN_EXRESCODE;

    VD_TRY(check(db, sqlite3_open_v2(path, &db, flags, vfs), "cannot open the store", diag));
    sqlite3_busy_timeout(db, BUSY_MS);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 1 << 20);
    sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 1); /* VACUUM INTO attaches its output */
    VD_TRY(run(db, "PRAGMA cell_size_check=ON", diag));
    VD_TRY(run(db, "PRAGMA temp_store=MEMORY", diag));
    VD_TRY(run(db, "PRAGMA secure_delete=ON", diag));
    VD_TRY(use_wal(db, diag));
    VD_TRY(run(db, "PRAGMA synchronous=FULL", diag));
    VD_TRY(run(db, "PRAGMA wal_autocheckpoint=0", diag));
    *ret = db;
    db = NULL;
    return VD_OK;
}

static vd_status integer(sqlite3 *db, const char *sql, int64_t *ret, struct vd_diag *diag)
{
    sqlite3_stmt *stmt VD_AUTO(end_stmt) = NULL;
    int code;

    VD_TRY(prepare(db, sql, &stmt, diag));
    code = sqlite3_step(stmt);
    if (code != SQLITE_ROW)
        return check(db, code == SQLITE_DONE ? SQLITE_CORRUPT : code, sql, diag);
    *ret = sqlite3_column_int64(stmt, 0);
    return VD_OK;
}

vd_status vd_kdb_create(const char *path, const char *vfs,
                        const uint8_t header[VD_KREC_HEADER_SIZE], struct vd_diag *diag)
{
    sqlite3 *db VD_AUTO(close_db) = NULL;
    sqlite3_stmt *stmt = NULL;
    vd_status status;

    VD_TRY(connect(path, vfs, &db, diag));
    VD_TRY(run(db, "BEGIN IMMEDIATE", diag));
    VD_TRY(run(db, "PRAGMA application_id=" APPLICATION_ID, diag));
    VD_TRY(run(db, "PRAGMA user_version=1", diag));
    for (size_t i = 0; i < VD_COUNT(schema); i++)
        VD_TRY(run(db, schema[i], diag));
    VD_TRY(prepare(db, "INSERT INTO header VALUES(1,?1)", &stmt, diag));
    sqlite3_bind_blob(stmt, 1, header, VD_KREC_HEADER_SIZE, SQLITE_STATIC);
    status = check(db, sqlite3_step(stmt), "cannot write the header", diag);
    sqlite3_finalize(stmt);
    VD_TRY(status);
    VD_TRY(run(db, "COMMIT", diag));
    return check(db, sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL),
                 "cannot bring the new store to the disk", diag);
}

/* Other tables, indexes, views or triggers could make a harmless statement do anything. */
static vd_status check_schema(sqlite3 *db, struct vd_diag *diag)
{
    sqlite3_stmt *stmt VD_AUTO(end_stmt) = NULL;
    size_t n = 0;
    int code;

    VD_TRY(prepare(db, "SELECT sql FROM sqlite_schema ORDER BY rowid", &stmt, diag));
    while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
        const char *sql = (const char *)sqlite3_column_text(stmt, 0);
        if (n >= VD_COUNT(schema) || sql == NULL || strcmp(sql, schema[n]) != 0)
            break;
        n++;
    }
    if (code == SQLITE_ROW || (code == SQLITE_DONE && n != VD_COUNT(schema)))
        return vd_diag_fail(diag, VD_E_SIGNATURE,
                            "the store's file has other tables than a store has");
    return check(db, code, "cannot read the store's tables", diag);
}

static vd_status check_kind(sqlite3 *db, struct vd_diag *diag)
{
    int64_t application, version;

    VD_TRY(integer(db, "PRAGMA application_id", &application, diag));
    VD_TRY(integer(db, "PRAGMA user_version", &version, diag));
    if (application != APPLICATION)
        return vd_diag_fail(diag, VD_E_MAGIC, "this SQLite file is no key store");
    if (version != USER_VERSION)
        return vd_diag_fail(diag, VD_E_VERSION, "this version of the key store is not known");
    return check_schema(db, diag);
}

static vd_status read_header(sqlite3 *db, struct vd_bytes *ret, struct vd_diag *diag)
{
    sqlite3_stmt *stmt VD_AUTO(end_stmt) = NULL;
    VD_AUTO(vd_bytes_free) struct vd_bytes bytes = {};
    int code;

    VD_TRY(prepare(db, "SELECT body FROM header WHERE one=1", &stmt, diag));
    code = sqlite3_step(stmt);
    if (code == SQLITE_DONE)
        return vd_diag_fail(diag, VD_E_SIGNATURE, "the store has no header");
    if (code != SQLITE_ROW)
        return check(db, code, "cannot read the store's header", diag);
    bytes.size = (size_t)sqlite3_column_bytes(stmt, 0);
    bytes.data = malloc(bytes.size + 1);
    if (bytes.data == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for the header");
    if (bytes.size != 0)
        vd_copy(bytes.data, sqlite3_column_blob(stmt, 0), bytes.size);
    *ret = bytes;
    bytes = (struct vd_bytes){};
    return VD_OK;
}

static vd_status prepare_table(struct vd_kdb *db, enum vd_krec_table table, struct vd_diag *diag)
{
    struct vd_kdb_table *t = &db->tables[table];
    char sql[128];

    snprintf(sql, sizeof(sql), "INSERT INTO %s VALUES(?1,?2,?3,?4)", names[table]);
    VD_TRY(prepare(db->write, sql, &t->insert, diag));
    snprintf(sql, sizeof(sql), "UPDATE %s SET head=?2, tag=?3, body=?4 WHERE seq=?1", names[table]);
    VD_TRY(prepare(db->write, sql, &t->update, diag));
    snprintf(sql, sizeof(sql), "DELETE FROM %s WHERE seq=?1", names[table]);
    VD_TRY(prepare(db->write, sql, &t->remove, diag));
    snprintf(sql, sizeof(sql), "SELECT body FROM %s WHERE seq=?1", names[table]);
    return prepare(db->read, sql, &t->body, diag);
}

static int note_pages(void *ctx, sqlite3 *db, const char *name, int pages)
{
    (void)db, (void)name;
    ((struct vd_kdb *)ctx)->wal_pages = pages;
    return SQLITE_OK;
}

static vd_status open_all(struct vd_kdb *db, const char *path, const char *vfs,
                          struct vd_bytes *ret_header, struct vd_diag *diag)
{
    VD_TRY(connect(path, vfs, &db->write, diag));
    VD_TRY(check_kind(db->write, diag));
    VD_TRY(connect(path, vfs, &db->read, diag));
    for (uint32_t i = VD_KREC_KEY; i < VD_KREC_TABLES; i++)
        VD_TRY(prepare_table(db, (enum vd_krec_table)i, diag));
    VD_TRY(prepare(db->write, "UPDATE header SET body=?1 WHERE one=1", &db->header, diag));
    sqlite3_wal_hook(db->write, note_pages, db);
    return read_header(db->write, ret_header, diag);
}

vd_status vd_kdb_open(struct vd_kdb *ret, const char *path, const char *vfs,
                      struct vd_bytes *ret_header, struct vd_diag *diag)
{
    vd_status status;

    *ret = (struct vd_kdb){};
    pthread_mutex_init(&ret->read_lock, NULL);
    pthread_mutex_init(&ret->copy_lock, NULL);
    status = open_all(ret, path, vfs, ret_header, diag);
    if (status != VD_OK)
        vd_kdb_close(ret);
    return status;
}

void vd_kdb_close(struct vd_kdb *db)
{
    for (uint32_t i = 0; i < VD_KREC_TABLES; i++) {
        sqlite3_finalize(db->tables[i].insert);
        sqlite3_finalize(db->tables[i].update);
        sqlite3_finalize(db->tables[i].remove);
        sqlite3_finalize(db->tables[i].body);
    }
    sqlite3_finalize(db->header);
    close_db(&db->read);
    close_db(&db->write);
    pthread_mutex_destroy(&db->read_lock);
    pthread_mutex_destroy(&db->copy_lock);
}

/* The columns seq, head, tag, length(body), body or NULL. */
static vd_status take_row(sqlite3_stmt *stmt, struct vd_krec_row *ret, struct vd_diag *diag)
{
    int tag_size = sqlite3_column_bytes(stmt, 2);

    if (sqlite3_column_type(stmt, 1) != SQLITE_BLOB ||
        sqlite3_column_type(stmt, 2) != SQLITE_BLOB ||
        (tag_size != 0 && tag_size != VD_KREC_MAC_SIZE))
        return vd_diagf(diag, VD_E_SIGNATURE, "row %lld of the store was changed",
                        (long long)sqlite3_column_int64(stmt, 0));
    *ret = (struct vd_krec_row){
        .seq = sqlite3_column_int64(stmt, 0),
        .head = sqlite3_column_blob(stmt, 1),
        .head_size = (size_t)sqlite3_column_bytes(stmt, 1),
        .tag = tag_size == 0 ? NULL : sqlite3_column_blob(stmt, 2),
        .body = sqlite3_column_blob(stmt, 4),
        .body_size = (size_t)sqlite3_column_int64(stmt, 3),
    };
    return VD_OK;
}

vd_status vd_kdb_scan(struct vd_kdb *db, enum vd_krec_table table, vd_kdb_take *take, void *ctx,
                      struct vd_diag *diag)
{
    sqlite3_stmt *stmt VD_AUTO(end_stmt) = NULL;
    struct vd_krec_row row;
    char sql[192];
    int code;

    snprintf(sql, sizeof(sql),
             "SELECT seq, head, tag, length(body), CASE WHEN length(body)<=%u THEN body END "
             "FROM %s ORDER BY seq",
             VD_KDB_INLINE, names[table]);
    VD_TRY(prepare(db->write, sql, &stmt, diag));
    while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
        VD_TRY(take_row(stmt, &row, diag));
        VD_TRY(take(ctx, &row, diag));
    }
    return check(db->write, code, "cannot read the store", diag);
}

vd_status vd_kdb_body(struct vd_kdb *db, enum vd_krec_table table, int64_t seq,
                      struct vd_bytes *ret, struct vd_diag *diag)
{
    sqlite3_stmt *stmt = db->tables[table].body;
    vd_status status;
    int code;

    pthread_mutex_lock(&db->read_lock);
    sqlite3_bind_int64(stmt, 1, seq);
    code = sqlite3_step(stmt);
    if (code == SQLITE_ROW) {
        size_t size = (size_t)sqlite3_column_bytes(stmt, 0);
        uint8_t *data = malloc(size + 1);
        status = data == NULL ? vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for a row") : VD_OK;
        if (status == VD_OK) {
            if (size != 0)
                vd_copy(data, sqlite3_column_blob(stmt, 0), size);
            data[size] = 0;
            *ret = (struct vd_bytes){.data = data, .size = size};
        }
    } else {
        status = code == SQLITE_DONE ? VD_E_NOT_FOUND
                                     : check(db->read, code, "cannot read the store", diag);
    }
    sqlite3_reset(stmt);
    pthread_mutex_unlock(&db->read_lock);
    return status;
}

static vd_status once(struct vd_kdb *db, sqlite3_stmt *stmt, struct vd_diag *diag)
{
    int code = sqlite3_step(stmt);
    vd_status status = check(db->write, code, "cannot write to the store", diag);

    sqlite3_reset(stmt);
    if (status == VD_OK && sqlite3_changes(db->write) != 1)
        return vd_diag_fail(diag, VD_E_SIGNATURE, "a row of the store has gone");
    return status;
}

static void bind_row(sqlite3_stmt *stmt, const struct vd_krec_row *row)
{
    sqlite3_bind_int64(stmt, 1, row->seq);
    sqlite3_bind_blob(stmt, 2, row->head, (int)row->head_size, SQLITE_STATIC);
    if (row->tag == NULL)
        sqlite3_bind_zeroblob(stmt, 3, 0);
    else
        sqlite3_bind_blob(stmt, 3, row->tag, VD_KREC_MAC_SIZE, SQLITE_STATIC);
    if (row->body_size == 0)
        sqlite3_bind_zeroblob(stmt, 4, 0);
    else
        sqlite3_bind_blob(stmt, 4, row->body, (int)row->body_size, SQLITE_STATIC);
}

vd_status vd_kdb_begin(struct vd_kdb *db, struct vd_diag *diag)
{
    return run(db->write, "BEGIN IMMEDIATE", diag);
}

vd_status vd_kdb_insert(struct vd_kdb *db, enum vd_krec_table table, const struct vd_krec_row *row,
                        struct vd_diag *diag)
{
    bind_row(db->tables[table].insert, row);
    return once(db, db->tables[table].insert, diag);
}

vd_status vd_kdb_update(struct vd_kdb *db, enum vd_krec_table table, const struct vd_krec_row *row,
                        struct vd_diag *diag)
{
    bind_row(db->tables[table].update, row);
    return once(db, db->tables[table].update, diag);
}

vd_status vd_kdb_remove(struct vd_kdb *db, enum vd_krec_table table, int64_t seq,
                        struct vd_diag *diag)
{
    sqlite3_bind_int64(db->tables[table].remove, 1, seq);
    return once(db, db->tables[table].remove, diag);
}

vd_status vd_kdb_commit(struct vd_kdb *db, const uint8_t header[VD_KREC_HEADER_SIZE],
                        struct vd_diag *diag)
{
    sqlite3_bind_blob(db->header, 1, header, VD_KREC_HEADER_SIZE, SQLITE_STATIC);
    VD_TRY(once(db, db->header, diag));
    return run(db->write, "COMMIT", diag);
}

vd_status vd_kdb_rollback(struct vd_kdb *db)
{
    /* Some errors have ended the transaction already. */
    return sqlite3_get_autocommit(db->write) != 0 ? VD_OK : run(db->write, "ROLLBACK", NULL);
}

vd_status vd_kdb_checkpoint(struct vd_kdb *db, struct vd_diag *diag)
{
    int code = sqlite3_wal_checkpoint_v2(db->write, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);

    return code == SQLITE_BUSY ? VD_OK
                               : check(db->write, code, "cannot bring the log to the store", diag);
}

vd_status vd_kdb_empty_log(struct vd_kdb *db, struct vd_diag *diag)
{
    vd_status status;

    pthread_mutex_lock(&db->read_lock);
    status =
        check(db->write,
              sqlite3_wal_checkpoint_v2(db->write, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL),
              "cannot empty the store's log", diag);
    pthread_mutex_unlock(&db->read_lock);
    return status;
}

vd_status vd_kdb_copy(const char *from, const char *vfs, const char *path, struct vd_diag *diag)
{
    sqlite3 *db VD_AUTO(close_db) = NULL;
    sqlite3_stmt *stmt VD_AUTO(end_stmt) = NULL;

    VD_TRY(connect(from, vfs, &db, diag));
    VD_TRY(prepare(db, "VACUUM INTO ?1", &stmt, diag));
    sqlite3_bind_text(stmt, 1, path, -1, SQLITE_STATIC);
    return check(db, sqlite3_step(stmt), "cannot copy the store", diag);
}
