/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The key store on a disk that fails or loses power at every single operation: what was
 * acknowledged is there, what was not is there whole or not at all, and a disk that failed is never
 * trusted again.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/faulty_vfs.h"
#include "tests/support/kstore.h"

#define TEXT_SIZE 8192u
#define SEEDS     3u
#define NO_STORE  "none"

static struct vd_kst t;
static struct vd_secret other_root;

static vd_status create_two(void)
{
    VD_AUTO(vd_secret_done) struct vd_secret b = {}, c = {};
    struct vd_kstore_attributes a[2] = {vd_kst_attributes("b"), vd_kst_attributes("c")};
    struct vd_kstore_new new[2] = {
        {.attributes = &a[0], .material = &b, .public_part = "b", .public_size = 1, .now = t.now},
        {.attributes = &a[1], .material = &c, .public_part = "c", .public_size = 1, .now = t.now}};
    uint8_t ids[2][VD_KSTORE_ID_SIZE];

    vd_kst_material("b", 1, &b, 3000); /* over several pages */
    vd_kst_material("c", 1, &c, 32);
    return vd_kstore_create(t.store, new, 2, ids, &t.diag);
}

static struct vd_kstore_key find(const char *name)
{
    struct vd_kstore_key key = {};

    VD_EXPECT(vd_kstore_find(t.store, name, &key) == VD_OK);
    return key;
}

static vd_status step_open(void)
{
    return vd_kst_open(&t);
}

static vd_status step_create(void)
{
    uint8_t id[VD_KSTORE_ID_SIZE];

    return vd_kst_try_create(&t, "a", id);
}

static vd_status step_rotate(void)
{
    return vd_kst_rotate(&t, "a");
}

static vd_status step_attach(void)
{
    static uint8_t value[5000] = {7};
    struct vd_kstore_attach list[2] = {
        vd_kst_attachment(VD_KSTORE_PUT, 1, "serial", value, 8),
        vd_kst_attachment(VD_KSTORE_PUT, 2, "certificate", value, sizeof(value))};

    return vd_kst_attach(&t, find("a").id, list, 2);
}

static vd_status step_set(void)
{
    struct vd_kstore_attributes a = vd_kst_attributes("a");

    a.usage_limit = 10;
    memset(a.label, 'x', 200);
    return vd_kstore_set(t.store, find("a").id, &a, t.now, &t.diag);
}

static vd_status step_reserve(void)
{
    uint64_t granted;

    return vd_kstore_reserve(t.store, find("a").id, 4, &granted, &t.diag);
}

static vd_status step_erase(void)
{
    return vd_kstore_destroy_version(t.store, find("a").id, 1, t.now, &t.diag);
}

static vd_status step_schedule(void)
{
    return vd_kstore_schedule(t.store, find("b").id, t.now + 10, t.now, &t.diag);
}

static vd_status step_undo(void)
{
    return vd_kstore_undo(t.store, find("b").id, t.now + 5, &t.diag);
}

static vd_status step_purge(void)
{
    size_t count;

    return vd_kstore_purge(t.store, t.now + 10, &count, &t.diag);
}

static vd_status step_root(void)
{
    return vd_kstore_change_root(t.store, &other_root, t.now, &t.diag);
}

static vd_status step_remove(void)
{
    struct vd_kstore_attach list[2] = {
        vd_kst_attachment(VD_KSTORE_PUT, 1, "serial", "new", 3),
        vd_kst_attachment(VD_KSTORE_REMOVE, 2, "certificate", NULL, 0)};

    return vd_kst_attach(&t, find("a").id, list, 2);
}

static const struct {
    vd_status (*run)(void);
    bool again; /* may be called again after it has half failed */
} steps[] = {
    {step_open, true},     {step_create, false}, {create_two, false},   {step_rotate, false},
    {step_attach, true},   {step_set, true},     {step_reserve, false}, {step_erase, false},
    {step_schedule, true}, {step_undo, false},   {step_schedule, true}, {step_purge, true},
    {step_open, true},     {step_root, true},    {step_remove, false},  {step_rotate, false},
};

static char expected[VD_COUNT(steps) + 1][TEXT_SIZE];

static void describe_attachments(const struct vd_kstore_key *key, FILE *out)
{
    struct vd_kstore_attachment list[8];
    struct vd_kstore_attach_page page = {.list = list, .max = 8};
    size_t count = 0;

    VD_EXPECT(vd_kstore_attachments(t.store, key->id, &page, &count) == VD_OK);
    for (size_t i = 0; i < count; i++) {
        VD_AUTO(vd_bytes_free) struct vd_bytes value = {};
        VD_EXPECT(vd_kstore_attached(t.store, key->id, &list[i], &value, NULL) == VD_OK);
        fprintf(out, " %u/%.*s=%zu:%d", list[i].kind, list[i].name_size, (char *)list[i].name,
                value.size, value.data[0]);
    }
}

/* All that callers see of the store; the test fails if a key does not open to its bytes. */
static void describe(char ret[TEXT_SIZE])
{
    struct vd_kstore_key keys[8];
    struct vd_kstore_page page = {.prefix = "", .keys = keys, .max = 8};
    size_t count = 0;
    FILE *out = fmemopen(ret, TEXT_SIZE, "w");

    VD_EXPECT(out != NULL && vd_kstore_list(t.store, &page, &count) == VD_OK);
    for (size_t i = 0; i < count; i++) {
        const struct vd_kstore_key *k = &keys[i];
        vd_status status = vd_kst_check(&t, k->attributes.name);
        if (k->state != VD_KSTORE_DESTROYED && status != VD_OK)
            vd_test_fail(__FILE__, __LINE__, "key %s: %s", k->attributes.name,
                         vd_status_name(status));
        fprintf(out, "%s %d %u %llu %llu %s", k->attributes.name, k->state, k->versions,
                (unsigned long long)k->used, (unsigned long long)k->attributes.usage_limit,
                k->attributes.label);
        for (uint32_t v = 1; v <= k->versions; v++) {
            struct vd_kstore_version version = {};
            VD_EXPECT(vd_kstore_version(t.store, k->id, v, &version) == VD_OK);
            fprintf(out, " %d", version.destroyed);
        }
        describe_attachments(k, out);
        fprintf(out, "\n");
    }
    fclose(out);
}

static void begin(enum vd_fault fault, uint32_t at)
{
    static bool registered;
    uint8_t bytes[32];

    if (!registered) {
        vd_faulty_register();
        registered = true;
    }
    vd_kst_init(&t, true);
    t.vfs = VD_FAULTY_VFS;
    memset(bytes, 0x77, sizeof(bytes));
    vd_secret_done(&other_root);
    VD_EXPECT(vd_secret_set(&other_root, bytes, sizeof(bytes), NULL) == VD_OK);
    vd_faulty_arm(fault, at);
}

static void end(void)
{
    char command[200];

    vd_faulty_disarm();
    vd_kst_done(&t);
    snprintf(command, sizeof(command), "rm -rf %s", t.directory);
    VD_EXPECT(system(command) == 0);
}

/* After the root was changed, or perhaps. */
static vd_status reopen(void)
{
    vd_status status = vd_kst_open(&t);

    if (status == VD_E_SIGNATURE) {
        struct vd_secret swap = t.root;
        t.root = other_root;
        other_root = swap;
        status = vd_kst_open(&t);
    }
    return status;
}

static vd_status run_step(size_t i)
{
    vd_status status;

    t.diag = (struct vd_diag){};
    if (steps[i].run == step_open && i > 0)
        return reopen();
    status = steps[i].run();
    return status;
}

/* The state after each step of a run without faults. */
static void learn(void)
{
    if (expected[VD_COUNT(steps)][0] != '\0')
        return;
    begin(VD_FAULT_NONE, 0);
    for (size_t i = 0; i < VD_COUNT(steps); i++) {
        VD_KST_OK(t, run_step(i));
        describe(expected[i + 1]);
    }
    end();
}

/* How many steps went well before one did not. */
static size_t run_until_failure(vd_status *ret)
{
    for (size_t i = 0; i < VD_COUNT(steps); i++) {
        *ret = run_step(i);
        if (*ret != VD_OK)
            return i;
    }
    return VD_COUNT(steps);
}

/* The store must be as after `done` steps, or one more. */
static void expect_state(size_t done, enum vd_fault fault, uint32_t at)
{
    char now[TEXT_SIZE] = "";
    vd_status status = reopen();

    if (status != VD_OK)
        vd_test_fail(__FILE__, __LINE__, "fault %d at %u, after %zu steps: %s: %s", fault, at, done,
                     vd_status_name(status), t.diag.text);
    describe(now);
    if (strcmp(now, expected[done]) != 0 &&
        (done == VD_COUNT(steps) || strcmp(now, expected[done + 1]) != 0))
        vd_test_fail(__FILE__, __LINE__, "fault %d at %u, after %zu steps:\n%s\nexpected\n%s",
                     fault, at, done, now, expected[done]);
}

/* Only the store itself and its lock; SQLite's companions while it is open. */
static void expect_no_litter(void)
{
    VD_EXPECT(access(vd_kst_path(&t, "keys.db.new"), F_OK) != 0);
    vd_kst_close(&t);
    VD_EXPECT(access(vd_kst_path(&t, "keys.db-wal"), F_OK) != 0);
    VD_EXPECT(access(vd_kst_path(&t, "keys.db-journal"), F_OK) != 0);
}

VD_TEST(power_cut_at_every_operation)
{
    uint32_t cuts = 0;

    learn();
    for (uint32_t at = 1;; at++) {
        bool over = false;
        for (uint32_t seed = 0; seed < SEEDS && !over; seed++) {
            vd_status status;
            size_t done;
            begin(VD_FAULT_CUT, at);
            done = run_until_failure(&status);
            vd_kst_close(&t); /* which writes too */
            over = !vd_faulty_fired();
            cuts += !over;
            if (!over)
                vd_faulty_cut(at * 31 + seed);
            vd_faulty_disarm();
            expect_state(done, VD_FAULT_CUT, at);
            expect_no_litter();
            end();
        }
        if (over)
            break;
    }
    printf("# %u power cuts\n", cuts);
    VD_EXPECT(cuts > 300);
}

/* A disk error once; afterwards the power goes too, since what a failed sync left is not sure. */
static void disk_error(uint32_t at, bool cut, bool *ret_over)
{
    uint8_t id[VD_KSTORE_ID_SIZE];
    vd_status status;
    size_t done;

    begin(VD_FAULT_EIO, at);
    done = run_until_failure(&status);
    *ret_over = !vd_faulty_fired();
    if (status != VD_OK && t.store != NULL) {
        struct vd_kstore_status s;
        vd_kstore_status(t.store, &s);
        VD_EXPECT(status == VD_E_IO && s.failed == VD_E_IO);
        VD_EXPECT(vd_kst_try_create(&t, "more", id) == VD_E_IO);
        VD_EXPECT(vd_kstore_schedule(t.store, id, t.now, t.now, NULL) == VD_E_IO);
    }
    vd_kst_close(&t);
    if (cut && !*ret_over)
        vd_faulty_cut(at);
    vd_faulty_disarm();
    expect_state(done, VD_FAULT_EIO, at);
    expect_no_litter();
    end();
}

VD_TEST(disk_error_at_every_operation)
{
    bool over = false;
    uint32_t at;

    learn();
    for (at = 1; !over; at++) {
        disk_error(at, false, &over);
        disk_error(at, true, &over);
    }
    printf("# %u disk errors\n", 2 * (at - 2));
    VD_EXPECT(at > 100);
}

VD_TEST(read_error_at_every_operation)
{
    bool over = false;
    uint32_t at;

    learn();
    for (at = 1; !over; at++) {
        vd_status status;
        size_t done;
        begin(VD_FAULT_EIO_READ, at);
        done = run_until_failure(&status);
        over = !vd_faulty_fired();
        vd_kst_close(&t);
        vd_faulty_disarm();
        expect_state(done, VD_FAULT_EIO_READ, at);
        end();
    }
    VD_EXPECT(at > 20);
}

/* A full disk is no failure: what failed is tried again when there is room, and all goes on. */
VD_TEST(full_disk_at_every_write)
{
    bool over = false;
    uint32_t at;

    learn();
    for (at = 1; !over; at++) {
        char now[TEXT_SIZE] = "";
        vd_status status;
        size_t done;
        begin(VD_FAULT_FULL, at);
        done = run_until_failure(&status);
        over = !vd_faulty_fired();
        vd_faulty_disarm();
        if (done < VD_COUNT(steps)) {
            if (status != VD_E_NO_SPACE)
                vd_test_fail(__FILE__, __LINE__, "full at %u, step %zu: %s: %s", at, done,
                             vd_status_name(status), t.diag.text);
            /* What failed while the log was emptied has been committed before. */
            status = run_step(done);
            if (status != VD_OK && !(steps[done].run == step_erase && status == VD_E_REVOKED))
                vd_test_fail(__FILE__, __LINE__, "again after full at %u, step %zu: %s: %s", at,
                             done, vd_status_name(status), t.diag.text);
            describe(now);
            VD_EXPECT_STR(now, expected[done + 1]);
            for (size_t i = done + 1; i < VD_COUNT(steps); i++)
                VD_KST_OK(t, run_step(i));
        }
        vd_kst_close(&t);
        expect_state(VD_COUNT(steps), VD_FAULT_FULL, at);
        end();
    }
    printf("# %u times full\n", at - 2);
    VD_EXPECT(at > 50);
}

/* Rows that stay of twenty acknowledged ones after a power cut. */
static int rows_after_cut(const char *synchronous, uint64_t seed)
{
    char path[200], sql[100];
    sqlite3_stmt *stmt = NULL;
    sqlite3 *db = NULL;
    int rows = -1;

    vd_faulty_arm(VD_FAULT_NONE, 0);
    snprintf(path, sizeof(path), "%s/bare-%llu-%s.db", vd_test_tmpdir(), (unsigned long long)seed,
             synchronous);
    VD_EXPECT(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                              VD_FAULTY_VFS) == SQLITE_OK);
    VD_EXPECT(
        sqlite3_exec(
            db,
            "PRAGMA synchronous=EXTRA; PRAGMA journal_mode=WAL; CREATE TABLE t(n); PRAGMA wal_checkpoint",
            NULL, NULL, NULL) == SQLITE_OK);
    snprintf(sql, sizeof(sql), "PRAGMA synchronous=%s", synchronous);
    VD_EXPECT(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK);
    for (int i = 0; i < 20; i++)
        VD_EXPECT(sqlite3_exec(db, "INSERT INTO t VALUES(1)", NULL, NULL, NULL) == SQLITE_OK);
    vd_faulty_arm_cut();
    sqlite3_close(db);
    vd_faulty_cut(seed);
    VD_EXPECT(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, VD_FAULTY_VFS) == SQLITE_OK);
    if (sqlite3_prepare_v2(db, "SELECT count(*) FROM t", -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        rows = sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return rows;
}

/* The control: the same cuts lose what was not synced. */
VD_TEST(power_cut_finds_what_was_not_synced)
{
    int lost = 0;

    begin(VD_FAULT_NONE, 0);
    end();
    for (uint64_t seed = 1; seed <= 10; seed++) {
        VD_EXPECT_EQ(rows_after_cut("FULL", seed), 20);
        lost += rows_after_cut("NORMAL", seed) < 20;
    }
    VD_EXPECT(lost > 5);
}

/* The store's own system calls, linked in their place. */
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __real_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to);

static int call_number, failing_call;

static bool call_fails(void)
{
    if (++call_number != failing_call)
        return false;
    errno = EIO;
    return true;
}

int __wrap_fsync(int fd)
{
    return call_fails() ? -1 : __real_fsync(fd);
}

int __wrap_rename(const char *from, const char *to)
{
    return call_fails() ? -1 : __real_rename(from, to);
}

int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    return call_fails() ? -1 : __real_renameat(from_dir, from, to_dir, to);
}

static void fail_call(int number)
{
    call_number = 0;
    failing_call = number;
}

VD_TEST(creation_with_failing_calls)
{
    int at;

    for (at = 1;; at++) {
        uint8_t id[VD_KSTORE_ID_SIZE];
        vd_status status;

        vd_kst_init(&t, true);
        fail_call(at);
        status = vd_kst_open(&t);
        fail_call(0);
        VD_EXPECT(status == VD_OK || status == VD_E_IO);
        vd_kst_close(&t);
        VD_KST_OK(t, vd_kst_open(&t));
        vd_kst_create(&t, "a", id);
        expect_no_litter();
        end();
        if (status == VD_OK)
            break;
    }
    VD_EXPECT_EQ(at, 4); /* parent's sync, rename, directory's sync */
}

static int files_of(const char *directory)
{
    DIR *dir = opendir(directory);
    int count = 0;

    VD_EXPECT(dir != NULL);
    for (const struct dirent *e; (e = readdir(dir)) != NULL;)
        count += e->d_name[0] != '.';
    closedir(dir);
    return count;
}

VD_TEST(backup_with_failing_calls)
{
    char folder[200], path[220];
    vd_status status = VD_E_BUG;
    int at;

    snprintf(folder, sizeof(folder), "%s/copies", vd_test_tmpdir());
    snprintf(path, sizeof(path), "%s/copy", folder);
    VD_EXPECT(mkdir(folder, 0700) == 0);
    begin(VD_FAULT_NONE, 0);
    t.vfs = NULL;
    VD_KST_OK(t, vd_kst_open(&t));
    for (at = 1; status != VD_OK; at++) {
        fail_call(at);
        status = vd_kstore_backup(t.store, path, NULL);
        fail_call(0);
        VD_EXPECT(status == VD_OK || status == VD_E_IO);
        /* The copy whole, or nothing: its last failure is the directory's sync. */
        VD_EXPECT(files_of(folder) <= 1 && (files_of(folder) == 0 || access(path, F_OK) == 0));
    }
    VD_EXPECT_EQ(at - 1, 4);
    end();
}
