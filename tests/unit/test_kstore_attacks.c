/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Whoever can write the key store's file: bytes, rows and whole files changed, exchanged, removed,
 * put back. Each attack has a control that does the same writing without the change, so that it is
 * the change that is refused.
 */
#define _GNU_SOURCE
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/kstore.h"

#define OK(call) VD_KST_OK(t, call)

static const char *const tables[] = {"header", "keys", "versions", "attachments", "usages"};

static struct vd_kst t;
static struct vd_kst_files good;

static void attach_both(const uint8_t *id)
{
    static uint8_t value[700] = {9, 8, 7};
    struct vd_kstore_attach list[2] = {vd_kst_attachment(VD_KSTORE_PUT, 1, "serial", "1", 1),
                                       vd_kst_attachment(VD_KSTORE_PUT, 2, "cert", value, 700)};

    OK(vd_kst_attach(&t, id, list, 2));
}

/* Two keys of two versions each, attachments, uses. */
static void make_store(bool with_counter)
{
    uint8_t id[VD_KSTORE_ID_SIZE];
    struct vd_kstore_attributes a = vd_kst_attributes("a");
    uint64_t granted;

    vd_kst_files_free(&good);
    vd_kst_init(&t, with_counter);
    OK(vd_kst_open(&t));
    vd_kst_create(&t, "b", id);
    vd_kst_create(&t, "a", id);
    OK(vd_kst_rotate(&t, "a"));
    OK(vd_kst_rotate(&t, "b"));
    attach_both(id);
    a.usage_limit = 50;
    OK(vd_kstore_set(t.store, id, &a, t.now, &t.diag));
    OK(vd_kstore_reserve(t.store, id, 5, &granted, &t.diag));
    vd_kst_close(&t);
    vd_kst_save(&t, &good);
}

/* Opens and uses everything: the first refusal. */
static vd_status use_all(void)
{
    static const char *const names[] = {"serial", "cert"};
    struct vd_kstore_key key;

    VD_TRY(vd_kst_open(&t));
    VD_TRY(vd_kst_check(&t, "a"));
    VD_TRY(vd_kst_check(&t, "b"));
    VD_TRY(vd_kstore_find(t.store, "a", &key));
    for (uint16_t i = 0; i < 2; i++) {
        struct vd_kstore_attach what =
            vd_kst_attachment(VD_KSTORE_PUT, (uint16_t)(i + 1), names[i], NULL, 0);
        VD_AUTO(vd_bytes_free) struct vd_bytes value = {};
        VD_TRY(vd_kstore_attached(t.store, key.id, &what.what, &value, &t.diag));
    }
    return VD_OK;
}

static vd_status use_and_close(void)
{
    vd_status status = use_all();

    vd_kst_close(&t);
    return status;
}

static sqlite3 *open_file(void)
{
    sqlite3 *db = NULL;

    VD_EXPECT(sqlite3_open(vd_kst_path(&t, "keys.db"), &db) == SQLITE_OK);
    return db;
}

/* Flips a bit of one byte of a column; false if the column has no such byte. */
static bool flip(const char *table, int64_t row, const char *column, int at, uint8_t mask)
{
    sqlite3 *db = open_file();
    sqlite3_blob *blob = NULL;
    uint8_t byte;
    bool there = sqlite3_blob_open(db, "main", table, column, row, 1, &blob) == SQLITE_OK &&
                 at < sqlite3_blob_bytes(blob);

    if (there) {
        VD_EXPECT(sqlite3_blob_read(blob, &byte, 1, at) == SQLITE_OK);
        byte ^= mask;
        VD_EXPECT(sqlite3_blob_write(blob, &byte, 1, at) == SQLITE_OK);
    }
    sqlite3_blob_close(blob);
    VD_EXPECT(sqlite3_close(db) == SQLITE_OK);
    return there;
}

static int integer(const char *sql)
{
    sqlite3 *db = open_file();
    sqlite3_stmt *stmt = NULL;
    int value = -1;

    VD_EXPECT(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK);
    if (sqlite3_step(stmt) == SQLITE_ROW)
        value = sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return value;
}

static int flip_column(const char *table, int64_t row, const char *column, uint64_t *seed)
{
    int count = 0;

    for (int at = 0;; at++) {
        uint8_t mask = (uint8_t)(1u << vd_test_random(seed) % 8);
        vd_status status;
        if (!flip(table, row, column, at, mask))
            return count;
        status = use_and_close();
        if (status != VD_E_SIGNATURE && status != VD_E_MAGIC && status != VD_E_VERSION)
            vd_test_fail(__FILE__, __LINE__, "byte %d of %s of row %d of %s: %s", at, column,
                         (int)row, table, vd_status_name(status));
        vd_kst_restore(&t, &good);
        count++;
    }
}

VD_TEST(any_byte_of_any_column)
{
    static const char *const columns[] = {"head", "tag", "body"};
    uint64_t seed = 1;
    int count = 0, rows = 0;
    char sql[80];

    make_store(false);
    OK(use_and_close());
    VD_EXPECT(flip("keys", 1, "head", 30, 0)); /* the control: written, the same */
    OK(use_and_close());
    for (size_t i = 0; i < VD_COUNT(tables); i++) {
        int last;
        snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", tables[i]);
        last = integer(sql);
        VD_EXPECT(last > 0);
        for (int row = 1; row <= last; row++, rows++) {
            for (size_t c = i == 0 ? 2 : 0; c < VD_COUNT(columns); c++)
                count += flip_column(tables[i], row, columns[c], &seed);
        }
    }
    OK(use_and_close());
    printf("# %d bytes of %d rows\n", count, rows);
    VD_EXPECT(rows == 10 && count > 1900);
    vd_kst_done(&t);
}

static void expect_refused(const char *sql, const char *back)
{
    vd_status status;

    vd_kst_restore(&t, &good);
    vd_kst_sql(&t, sql);
    status = use_and_close();
    if (status != VD_E_SIGNATURE)
        vd_test_fail(__FILE__, __LINE__, "%s: %s", sql, vd_status_name(status));
    if (back == NULL)
        return;
    vd_kst_sql(&t, back); /* the control: what was there again */
    OK(use_and_close());
}

#define EXCHANGE(table, column)                                                               \
    "CREATE TEMP TABLE x AS SELECT * FROM " table " WHERE seq<3; "                            \
    "UPDATE " table " SET " column "=(SELECT " column " FROM x WHERE x.seq=3-" table ".seq) " \
    "WHERE seq<3"

VD_TEST(rows_exchanged)
{
    static const char *const attacks[] = {
        EXCHANGE("keys", "head"),
        EXCHANGE("versions", "head"),
        EXCHANGE("versions", "tag"),
        EXCHANGE("versions", "body"),
        EXCHANGE("attachments", "body"),
        EXCHANGE("attachments", "head"),
        /* Whole rows, each as it was, under the other's number. */
        "UPDATE versions SET seq=-seq WHERE seq<3; UPDATE versions SET seq=3+seq WHERE seq<0",
        "UPDATE keys SET seq=-seq WHERE seq<3; UPDATE keys SET seq=3+seq WHERE seq<0",
    };

    make_store(false);
    for (size_t i = 0; i < VD_COUNT(attacks); i++)
        expect_refused(attacks[i], attacks[i]);
    vd_kst_done(&t);
}

VD_TEST(rows_removed_and_added)
{
    char sql[400], back[400];

    make_store(false);
    for (size_t i = 1; i < VD_COUNT(tables); i++) {
        snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", tables[i]);
        for (int row = integer(sql); row > 0; row--) {
            snprintf(sql, sizeof(sql),
                     "ATTACH '%s/kept' AS kept; CREATE TABLE kept.x AS SELECT * FROM %s; "
                     "DELETE FROM %s WHERE seq=%d",
                     t.directory, tables[i], tables[i], row);
            snprintf(back, sizeof(back),
                     "ATTACH '%s/kept' AS kept; INSERT INTO %s SELECT * FROM kept.x WHERE seq=%d; "
                     "DROP TABLE kept.x",
                     t.directory, tables[i], row);
            expect_refused(sql, back);
        }
        snprintf(sql, sizeof(sql),
                 "INSERT INTO %s SELECT seq+100,head,tag,body FROM %s WHERE seq=1", tables[i],
                 tables[i]);
        snprintf(back, sizeof(back), "DELETE FROM %s WHERE seq=101", tables[i]);
        expect_refused(sql, back);
    }
    expect_refused("DELETE FROM header", NULL);
    vd_kst_done(&t);
}

/* An older state of the same store, as a second file. */
static char older[200];

static void keep_older(void)
{
    snprintf(older, sizeof(older), "%s/older-%d", vd_test_tmpdir(), (int)getpid());
    unlink(older);
    VD_EXPECT(link(vd_kst_path(&t, "keys.db"), older) == 0);
    vd_kst_files_free(&good);
    vd_kst_save(&t, &good);
    VD_EXPECT(unlink(vd_kst_path(&t, "keys.db")) == 0);
    vd_kst_restore(&t, &good);
}

static void replay(const char *table, bool with_header)
{
    char sql[600];

    snprintf(sql, sizeof(sql),
             "ATTACH '%s' AS o; DELETE FROM main.%s; INSERT INTO main.%s SELECT * FROM o.%s", older,
             table, table, table);
    if (with_header)
        strcat(sql, "; UPDATE main.header SET body=(SELECT body FROM o.header)");
    vd_kst_sql(&t, sql);
}

VD_TEST(older_rows_put_back)
{
    struct vd_kstore_attributes a = vd_kst_attributes("a");
    struct vd_kstore_key key;
    uint64_t granted;

    make_store(false);
    keep_older();
    OK(vd_kst_open(&t));
    OK(vd_kstore_find(t.store, "a", &key));
    a.usage_limit = 50;
    a.usages = 1; /* a right less */
    OK(vd_kstore_set(t.store, key.id, &a, t.now, &t.diag));
    OK(vd_kstore_destroy_version(t.store, key.id, 1, t.now, &t.diag));
    OK(vd_kstore_reserve(t.store, key.id, 45, &granted, &t.diag));
    attach_both(key.id);
    vd_kst_close(&t);
    vd_kst_files_free(&good);
    vd_kst_save(&t, &good);
    for (size_t i = 1; i < VD_COUNT(tables); i++) {
        replay(tables[i], false);
        VD_EXPECT(use_and_close() == VD_E_SIGNATURE);
        vd_kst_restore(&t, &good);
    }
    /* The header alone, and everything but one table. */
    replay("usages", true);
    VD_EXPECT(use_and_close() == VD_E_SIGNATURE);
    replay("versions", false);
    VD_EXPECT(use_and_close() == VD_E_SIGNATURE);
    replay("keys", false);
    VD_EXPECT(use_and_close() == VD_E_SIGNATURE);
    /* The control: with the last table it is the older store as it was, and opens. */
    replay("attachments", false);
    OK(use_and_close());
    vd_kst_done(&t);
}

VD_TEST(whole_older_store)
{
    uint8_t id[VD_KSTORE_ID_SIZE];
    struct vd_kstore_status status;

    /* With a counter it is refused, unless on purpose, which is counted. */
    make_store(true);
    OK(use_all());
    vd_kst_create(&t, "later", id);
    vd_kst_close(&t);
    vd_kst_restore(&t, &good);
    VD_EXPECT(use_and_close() == VD_E_ROLLBACK && t.diag.hint[0] != '\0');
    t.flags |= VD_KSTORE_ACCEPT_RESTORED;
    OK(use_all());
    vd_kstore_status(t.store, &status);
    VD_EXPECT_EQ(status.restored, 1);
    t.flags = 0;
    OK(use_all());
    vd_kstore_status(t.store, &status);
    VD_EXPECT_EQ(status.restored, 1);
    vd_kst_done(&t);

    /* The control: without a counter nobody notices. */
    make_store(false);
    OK(use_all());
    vd_kst_create(&t, "later", id);
    vd_kst_close(&t);
    vd_kst_restore(&t, &good);
    OK(use_all());
    VD_EXPECT(vd_kst_check(&t, "later") == VD_E_NOT_FOUND);
    vd_kst_done(&t);
}

/* What SQLite would run by itself. */
VD_TEST(foreign_tables_and_triggers)
{
    static const char *const attacks[][2] = {
        {"CREATE TRIGGER x AFTER UPDATE ON header BEGIN DELETE FROM keys; END", "DROP TRIGGER x"},
        {"CREATE TABLE x(a)", "DROP TABLE x"},
        {"CREATE INDEX x ON keys(head)", "DROP INDEX x"},
        {"CREATE VIEW x AS SELECT 1", "DROP VIEW x"},
    };

    make_store(false);
    for (size_t i = 0; i < VD_COUNT(attacks); i++)
        expect_refused(attacks[i][0], attacks[i][1]);
    vd_kst_restore(&t, &good);
    vd_kst_sql(&t, "PRAGMA application_id=5");
    VD_EXPECT(use_and_close() == VD_E_MAGIC);
    vd_kst_restore(&t, &good);
    vd_kst_sql(&t, "PRAGMA user_version=2");
    VD_EXPECT(use_and_close() == VD_E_VERSION);
    vd_kst_done(&t);
}

/* The file itself at random: refused, or nothing that matters was there. */
VD_TEST(bytes_of_the_file)
{
    uint64_t seed = 5;
    int refused = 0;

    make_store(false);
    for (int i = 0; i < 400; i++) {
        struct vd_kst_files bad = {.db.size = good.db.size};
        bad.db.data = malloc(good.db.size);
        VD_EXPECT(bad.db.data != NULL);
        memcpy(bad.db.data, good.db.data, good.db.size);
        for (uint64_t n = vd_test_random(&seed) % 4 + 1; n > 0; n--)
            bad.db.data[vd_test_random(&seed) % bad.db.size] ^=
                (uint8_t)(1 + vd_test_random(&seed) % 255);
        vd_kst_restore(&t, &bad);
        refused += use_and_close() != VD_OK;
        vd_kst_files_free(&bad);
    }
    printf("# %d of 400 refused\n", refused);
    VD_EXPECT(refused > 20);
    for (size_t size = 0; size < good.db.size; size += 509) {
        struct vd_kst_files cut = {.db = {.data = good.db.data, .size = size}};
        vd_kst_restore(&t, &cut);
        VD_EXPECT(use_and_close() != VD_OK); /* never taken for a new store */
    }
    vd_kst_done(&t);
}

/* Another process writes while the store is open: what is read from the disk is checked again. */
VD_TEST(changed_while_it_is_open)
{
    VD_AUTO(vd_bytes_free) struct vd_bytes value = {};
    struct vd_kstore_attach what = vd_kst_attachment(VD_KSTORE_PUT, 2, "cert", NULL, 0);
    struct vd_kstore_key key;
    int status;
    pid_t pid;

    make_store(false);
    OK(use_all());
    OK(vd_kstore_find(t.store, "a", &key));
    pid = fork();
    VD_EXPECT(pid >= 0);
    if (pid == 0) {
        sqlite3 *db = NULL;
        bool done = sqlite3_open(vd_kst_path(&t, "keys.db"), &db) == SQLITE_OK &&
                    sqlite3_exec(db,
                                 "UPDATE attachments SET body=zeroblob(700) WHERE seq=2;"
                                 "UPDATE versions SET body=zeroblob(81)",
                                 NULL, NULL, NULL) == SQLITE_OK;
        _exit(done ? 0 : 1);
    }
    VD_EXPECT(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    VD_EXPECT(vd_kstore_attached(t.store, key.id, &what.what, &value, NULL) == VD_E_SIGNATURE);
    OK(vd_kst_check(&t, "a")); /* small keys are in memory */
    VD_EXPECT(use_and_close() == VD_E_SIGNATURE);
    vd_kst_done(&t);
}

VD_TEST(another_root_or_counter)
{
    make_store(true);
    t.root.data[31] ^= 1;
    VD_EXPECT(use_and_close() == VD_E_SIGNATURE);
    t.root.data[31] ^= 1;
    t.memory.value -= 2; /* another TPM */
    VD_EXPECT(use_and_close() == VD_E_DIFFERS);
    t.memory.value += 2;
    t.with_counter = false;
    VD_EXPECT(use_and_close() == VD_E_DIFFERS);
    t.with_counter = true;
    OK(use_and_close());
    vd_kst_done(&t);

    make_store(false);
    t.with_counter = true; /* the old one from before there was a counter */
    VD_EXPECT(use_and_close() == VD_E_DIFFERS);
    t.flags |= VD_KSTORE_ACCEPT_RESTORED;
    OK(use_and_close());
    t.flags = 0;
    OK(use_and_close());
    vd_kst_done(&t);
}

VD_TEST(counter_fails_in_the_middle)
{
    uint8_t id[VD_KSTORE_ID_SIZE];
    struct vd_kstore_status status;
    struct vd_kstore_key key;
    uint64_t before;

    vd_kst_init(&t, true);
    OK(vd_kst_open(&t));
    before = t.memory.value;
    vd_kst_create(&t, "k", id);
    VD_EXPECT_EQ(t.memory.value, before); /* making keys wears nothing */
    t.memory.increment_fails = VD_E_MISSING;
    VD_EXPECT(vd_kstore_schedule(t.store, id, t.now + 9, t.now, &t.diag) == VD_E_MISSING);
    VD_EXPECT(strstr(t.diag.text, "is on the disk") != NULL);
    vd_kstore_status(t.store, &status);
    VD_EXPECT(status.unanchored && status.failed == VD_OK && status.counter == before + 1);
    vd_kst_create(&t, "other", id);
    VD_EXPECT(vd_kstore_schedule(t.store, id, t.now + 9, t.now, NULL) == VD_E_MISSING);
    OK(vd_kstore_find(t.store, "other", &key));
    VD_EXPECT_EQ(key.state, VD_KSTORE_ACTIVE); /* that one was not begun */
    OK(vd_kstore_find(t.store, "k", &key));
    VD_EXPECT_EQ(key.state, VD_KSTORE_SCHEDULED);
    VD_EXPECT(vd_kst_open(&t) == VD_E_MISSING);
    t.memory.increment_fails = VD_OK;
    OK(vd_kst_open(&t)); /* one behind: a crash between commit and increment */
    vd_kstore_status(t.store, &status);
    VD_EXPECT(!status.unanchored && status.counter == t.memory.value);
    t.memory.lost = true; /* it counted, and the answer was lost */
    VD_EXPECT(vd_kstore_schedule(t.store, id, t.now + 9, t.now, NULL) == VD_E_TIMEOUT);
    t.memory.lost = false;
    OK(vd_kstore_schedule(t.store, id, t.now + 10, t.now, &t.diag));
    vd_kstore_status(t.store, &status);
    VD_EXPECT(!status.unanchored && status.counter == t.memory.value);
    OK(vd_kst_open(&t));
    t.memory.read_fails = VD_E_MISSING;
    VD_EXPECT(vd_kst_open(&t) == VD_E_MISSING);
    vd_kst_done(&t);
}
