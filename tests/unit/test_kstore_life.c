/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The life of a key: grace, undo, destroying, uses, another root, and threads beside it. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tests/support/kstore.h"

#define OK(call) VD_KST_OK(t, call)

static struct vd_kst t;

static void start(bool with_counter)
{
    vd_kst_init(&t, with_counter);
    OK(vd_kst_open(&t));
}

/* The blob of a version as it was written last; the log is behind the file. */
static void blob_of(const uint8_t id[VD_KSTORE_ID_SIZE], uint32_t version, uint8_t ret[48])
{
    struct vd_kst_files files;
    uint8_t head[18] = {1, 2};
    bool found = false;

    memcpy(head + 2, id, VD_KSTORE_ID_SIZE);
    vd_kst_save(&t, &files);
    for (int i = 0; i < 2; i++) {
        const struct vd_bytes *b = i == 0 ? &files.db : &files.wal;
        for (const uint8_t *p = b->data, *end = p + b->size;
             p != NULL && (p = memmem(p, (size_t)(end - p), head, sizeof(head))) != NULL; p++) {
            if (p[26] != version)
                continue;
            /* Head, tag; the public part is the name of 8 bytes. */
            memcpy(ret, p + 47 + 32 + 8, 48);
            found = true;
        }
    }
    vd_kst_files_free(&files);
    if (!found)
        vd_test_fail(__FILE__, __LINE__, "version %u is not in the file", version);
}

VD_TEST(destroyed_material_is_gone)
{
    enum { KEYS = 60 };
    uint8_t ids[KEYS][VD_KSTORE_ID_SIZE], blobs[KEYS][2][48];
    size_t count;
    uint64_t seed = 7;
    struct vd_kstore_key key;

    start(true);
    /* Names are 8 bytes; neighbours are rotated and changed in between. */
    for (int i = 0; i < KEYS; i++) {
        char name[16];
        snprintf(name, sizeof(name), "key-%04d", i);
        vd_kst_create(&t, name, ids[i]);
        for (uint64_t n = vd_test_random(&seed) % 3 + 1; n > 0; n--) {
            snprintf(name, sizeof(name), "key-%04d", (int)(vd_test_random(&seed) % (i + 1u)));
            OK(vd_kst_rotate(&t, name));
        }
        struct vd_kstore_attributes a = vd_kst_attributes("");
        snprintf(a.name, sizeof(a.name), "key-%04d", i);
        blob_of(ids[i], 1, blobs[i][0]);
        memset(a.label, 'l', vd_test_random(&seed) % 250);
        OK(vd_kstore_set(t.store, ids[i], &a, t.now, &t.diag));
        blob_of(ids[i], 1, blobs[i][1]);
        VD_EXPECT(memcmp(blobs[i][0], blobs[i][1], 48) != 0);
    }
    for (int i = 0; i < KEYS; i += 2) {
        VD_EXPECT(vd_kst_count(&t, blobs[i][1], 48) != 0); /* the search finds what is there */
        OK(vd_kstore_schedule(t.store, ids[i], t.now + 5, t.now, &t.diag));
    }
    OK(vd_kstore_purge(t.store, t.now + 4, &count, &t.diag));
    VD_EXPECT_EQ(count, 0);
    OK(vd_kstore_purge(t.store, t.now + 5, &count, &t.diag));
    VD_EXPECT_EQ(count, KEYS / 2);
    for (int i = 0; i < KEYS; i++) {
        VD_EXPECT_EQ(vd_kst_count(&t, blobs[i][0], 48), 0);
        VD_EXPECT_EQ(vd_kst_count(&t, blobs[i][0] + 16, 16), 0);
        VD_EXPECT_EQ(vd_kst_count(&t, blobs[i][1], 48) != 0, i % 2 == 1);
        VD_EXPECT_EQ(vd_kst_count(&t, blobs[i][1] + 32, 16) != 0, i % 2 == 1);
    }
    OK(vd_kst_open(&t));
    for (int i = 0; i < KEYS; i++) {
        OK(vd_kstore_get(t.store, ids[i], &key));
        VD_EXPECT_EQ(key.state == VD_KSTORE_DESTROYED, i % 2 == 0);
        VD_EXPECT(vd_kst_check(&t, key.attributes.name) == (i % 2 == 0 ? VD_E_REVOKED : VD_OK));
    }
    vd_kst_done(&t);
}

VD_TEST(a_version_is_destroyed_alone)
{
    VD_AUTO(vd_secret_done) struct vd_secret none = {};
    uint8_t id[VD_KSTORE_ID_SIZE], blob[48];
    struct vd_kstore_version v;

    start(true);
    vd_kst_create(&t, "key-0001", id);
    OK(vd_kst_rotate(&t, "key-0001"));
    blob_of(id, 1, blob);
    VD_EXPECT(vd_kstore_destroy_version(t.store, id, 2, t.now, NULL) == VD_E_USAGE);
    VD_EXPECT(vd_kstore_destroy_version(t.store, id, 3, t.now, NULL) == VD_E_NOT_FOUND);
    OK(vd_kstore_destroy_version(t.store, id, 1, t.now, &t.diag));
    VD_EXPECT_EQ(vd_kst_count(&t, blob, sizeof(blob)), 0);
    VD_EXPECT(vd_kstore_destroy_version(t.store, id, 1, t.now, NULL) == VD_E_REVOKED);
    OK(vd_kst_open(&t));
    OK(vd_kstore_version(t.store, id, 1, &v));
    VD_EXPECT(v.destroyed && v.material_size == 0);
    VD_EXPECT(vd_kstore_load(t.store, id, 1, &none, NULL) == VD_E_REVOKED);
    VD_EXPECT(vd_kstore_load(t.store, id, 3, &none, NULL) == VD_E_NOT_FOUND);
    OK(vd_kst_check(&t, "key-0001"));
    struct vd_kstore_attributes a = vd_kst_attributes("key-0001");
    a.usages = 7;
    OK(vd_kstore_set(t.store, id, &a, t.now, &t.diag));
    OK(vd_kst_check(&t, "key-0001"));
    vd_kst_done(&t);
}

VD_TEST(destroyed_although_the_counter_failed)
{
    uint8_t id[VD_KSTORE_ID_SIZE], blob[48];
    size_t count;

    start(true);
    vd_kst_create(&t, "key-0001", id);
    blob_of(id, 1, blob);
    OK(vd_kstore_schedule(t.store, id, t.now, t.now, &t.diag));
    t.memory.increment_fails = VD_E_MISSING;
    VD_EXPECT(vd_kstore_purge(t.store, t.now, &count, NULL) == VD_E_MISSING);
    VD_EXPECT_EQ(vd_kst_count(&t, blob, sizeof(blob)), 0);
    VD_EXPECT(vd_kst_check(&t, "key-0001") == VD_E_REVOKED);
    vd_kst_done(&t);
}

VD_TEST(grace_and_undo)
{
    uint8_t id[VD_KSTORE_ID_SIZE], again[VD_KSTORE_ID_SIZE];
    struct vd_kstore_key key;
    size_t count;

    start(false);
    vd_kst_create(&t, "k", id);
    VD_EXPECT(vd_kstore_undo(t.store, id, t.now, NULL) == VD_E_USAGE);
    VD_EXPECT(vd_kstore_schedule(t.store, id, t.now - 1, t.now, NULL) == VD_E_INVALID);
    OK(vd_kstore_schedule(t.store, id, t.now + 100, t.now, &t.diag));
    VD_EXPECT(vd_kst_rotate(&t, "k") == VD_E_USAGE);
    OK(vd_kst_open(&t));
    OK(vd_kst_check(&t, "k"));
    OK(vd_kstore_undo(t.store, id, t.now + 99, &t.diag));
    OK(vd_kst_rotate(&t, "k"));
    OK(vd_kstore_schedule(t.store, id, t.now + 200, t.now + 99, &t.diag));
    VD_EXPECT(vd_kstore_undo(t.store, id, t.now + 200, NULL) == VD_E_REVOKED);
    VD_EXPECT(vd_kst_try_create(&t, "k", again) == VD_E_EXISTS);
    OK(vd_kstore_purge(t.store, t.now + 200, &count, &t.diag));
    VD_EXPECT_EQ(count, 1);
    VD_EXPECT(vd_kstore_undo(t.store, id, t.now, NULL) == VD_E_REVOKED);
    OK(vd_kstore_find(t.store, "k", &key));
    VD_EXPECT(key.state == VD_KSTORE_DESTROYED && key.destroy_at == t.now + 200);
    vd_kst_create(&t, "k", again); /* the name is free again */
    for (int round = 0; round < 2; round++) {
        OK(vd_kstore_find(t.store, "k", &key));
        VD_EXPECT_MEM(key.id, again, sizeof(again));
        OK(vd_kstore_get(t.store, id, &key));
        VD_EXPECT_EQ(key.state, VD_KSTORE_DESTROYED);
        OK(vd_kst_open(&t));
    }
    vd_kst_done(&t);
}

VD_TEST(clock_set_back)
{
    uint8_t id[VD_KSTORE_ID_SIZE], other[VD_KSTORE_ID_SIZE];
    struct vd_kstore_status status;
    size_t count;

    start(false);
    vd_kst_create(&t, "k", id);
    OK(vd_kstore_schedule(t.store, id, t.now + 100, t.now, &t.diag));
    /* Another key's change tells the store that the time has come; the purge is missing. */
    t.now += 150;
    vd_kst_create(&t, "other", other);
    t.now -= 10000;
    OK(vd_kst_open(&t));
    VD_EXPECT(vd_kstore_undo(t.store, id, t.now, NULL) == VD_E_REVOKED);
    VD_EXPECT(vd_kstore_schedule(t.store, id, t.now + 20000, t.now, NULL) == VD_E_REVOKED);
    VD_EXPECT_EQ(vd_kstore_now(t.store, t.now), VD_KST_NOW + 150);
    VD_EXPECT_EQ(vd_kstore_now(t.store, VD_KST_NOW + 151), VD_KST_NOW + 151);
    /* What is not due stays, however often the clock is set back and asked. */
    OK(vd_kstore_schedule(t.store, other, VD_KST_NOW + 1000, t.now, &t.diag));
    OK(vd_kstore_purge(t.store, 0, &count, &t.diag));
    VD_EXPECT_EQ(count, 1);
    OK(vd_kstore_undo(t.store, other, t.now, &t.diag));
    OK(vd_kst_check(&t, "other"));
    /* A clock that ran wildly ahead is only forgotten when told so. */
    OK(vd_kstore_purge(t.store, VD_KST_NOW + 500000, &count, &t.diag));
    OK(vd_kstore_schedule(t.store, other, VD_KST_NOW + 600000, VD_KST_NOW + 500000, &t.diag));
    OK(vd_kst_open(&t));
    vd_kstore_status(t.store, &status);
    VD_EXPECT_EQ(status.latest_time, VD_KST_NOW + 500000);
    t.flags |= VD_KSTORE_ACCEPT_CLOCK;
    OK(vd_kst_open(&t));
    vd_kstore_status(t.store, &status);
    VD_EXPECT_EQ(status.latest_time, t.now);
    vd_kst_done(&t);
}

VD_TEST(uses_are_reserved)
{
    uint8_t id[VD_KSTORE_ID_SIZE];
    struct vd_kstore_attributes a = vd_kst_attributes("k");
    struct vd_kstore_key key;
    uint64_t granted;

    start(true);
    vd_kst_create(&t, "k", id);
    VD_EXPECT(vd_kstore_reserve(t.store, id, 1, &granted, NULL) == VD_E_USAGE);
    a.usage_limit = 100;
    OK(vd_kstore_set(t.store, id, &a, t.now, &t.diag));
    VD_EXPECT(vd_kstore_reserve(t.store, id, 0, &granted, NULL) == VD_E_RANGE);
    OK(vd_kstore_reserve(t.store, id, 64, &granted, &t.diag));
    VD_EXPECT_EQ(granted, 64);
    OK(vd_kst_open(&t)); /* what was not used is lost */
    OK(vd_kstore_get(t.store, id, &key));
    VD_EXPECT_EQ(key.used, 64);
    OK(vd_kstore_reserve(t.store, id, 64, &granted, &t.diag));
    VD_EXPECT_EQ(granted, 36);
    VD_EXPECT(vd_kstore_reserve(t.store, id, 1, &granted, NULL) == VD_E_LIMIT);
    OK(vd_kstore_release(t.store, id, 10, &t.diag));
    VD_EXPECT(vd_kstore_release(t.store, id, 91, NULL) == VD_E_RANGE);
    OK(vd_kst_open(&t));
    OK(vd_kstore_reserve(t.store, id, UINT64_MAX, &granted, &t.diag));
    VD_EXPECT_EQ(granted, 10);
    vd_kst_done(&t);
}

VD_TEST(backup_and_other_root)
{
    enum { KEYS = 40 };
    uint8_t id[VD_KSTORE_ID_SIZE];
    VD_AUTO(vd_secret_done) struct vd_secret other = {}, old = {};
    struct vd_kstore_attach w;
    char name[16], path[256];
    struct stat st;

    start(true);
    for (int i = 0; i < KEYS; i++) {
        snprintf(name, sizeof(name), "key-%04d", i);
        vd_kst_create(&t, name, id);
        if (i % 3 == 0)
            OK(vd_kst_rotate(&t, name));
    }
    OK(vd_kstore_destroy_version(t.store, id, 1, t.now, &t.diag));
    w = vd_kst_attachment(VD_KSTORE_PUT, 1, "large", path, 0);
    static uint8_t value[5000] = {1, 2, 3};
    w.value = value, w.size = sizeof(value);
    OK(vd_kst_attach(&t, id, &w, 1));
    snprintf(path, sizeof(path), "%s", vd_kst_path(&t, "keys.db"));
    VD_EXPECT(vd_kstore_backup(t.store, path, NULL) == VD_E_USAGE);
    snprintf(path, sizeof(path), "%s/copy", vd_test_tmpdir());
    OK(vd_kstore_backup(t.store, path, &t.diag));
    VD_EXPECT(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
    OK(vd_kstore_backup(t.store, path, &t.diag)); /* again, over the old one */

    memset(value, 0x33, 32);
    OK(vd_secret_set(&other, value, 32, &t.diag));
    OK(vd_secret_set(&old, t.root.data, 32, &t.diag));
    memset(value, 0, 32), value[0] = 1, value[1] = 2, value[2] = 3;
    OK(vd_kstore_change_root(t.store, &other, t.now, &t.diag));
    vd_kst_create(&t, "later", id);
    VD_EXPECT(vd_kst_open(&t) == VD_E_SIGNATURE); /* the old root */
    memset(t.root.data, 0x33, 32);
    OK(vd_kst_open(&t));
    for (int i = 0; i < KEYS; i++) {
        snprintf(name, sizeof(name), "key-%04d", i);
        OK(vd_kst_check(&t, name));
    }
    struct vd_kstore_key key;
    VD_AUTO(vd_bytes_free) struct vd_bytes loaded = {};
    OK(vd_kstore_find(t.store, "key-0039", &key));
    OK(vd_kstore_attached(t.store, key.id, &w.what, &loaded, &t.diag));
    VD_EXPECT(loaded.size == sizeof(value));
    VD_EXPECT_MEM(loaded.data, value, sizeof(value));
    vd_kst_close(&t);

    /* The copy opens with the old root, as an older store. */
    VD_EXPECT(rename(path, vd_kst_path(&t, "keys.db")) == 0);
    memset(t.root.data, 0x5a, 32);
    VD_EXPECT(vd_kst_open(&t) == VD_E_ROLLBACK);
    t.flags |= VD_KSTORE_ACCEPT_RESTORED;
    OK(vd_kst_open(&t));
    OK(vd_kst_check(&t, "key-0007"));
    VD_EXPECT(vd_kst_check(&t, "later") == VD_E_NOT_FOUND);
    vd_kst_done(&t);
}

/* Threads that read while one writes: nobody ever sees a key that does not open. */
enum { THREADS = 3, ROUNDS = 150 };
static int stop, wrong;

static void *read_on(void *arg)
{
    uint64_t seed = (uintptr_t)arg;

    while (__atomic_load_n(&stop, __ATOMIC_RELAXED) == 0) {
        VD_AUTO(vd_secret_done) struct vd_secret material = {}, wanted = {};
        VD_AUTO(vd_bytes_free) struct vd_bytes value = {};
        struct vd_kstore_attach w = vd_kst_attachment(VD_KSTORE_PUT, 1, "v", NULL, 0);
        struct vd_kstore_key keys[4];
        struct vd_kstore_page page = {.prefix = "k", .keys = keys, .max = 4};
        uint32_t version;
        size_t n;

        if (vd_kstore_list(t.store, &page, &n) != VD_OK || n < 1)
            __atomic_store_n(&wrong, 1, __ATOMIC_RELAXED);
        version = (uint32_t)(vd_test_random(&seed) % keys[0].versions) + 1;
        if (vd_kstore_load(t.store, keys[0].id, version, &material, NULL) != VD_OK)
            __atomic_store_n(&wrong, 2, __ATOMIC_RELAXED);
        if (vd_kstore_attached(t.store, keys[0].id, &w.what, &value, NULL) != VD_OK ||
            value.size < 2000 || value.data[0] != value.data[value.size - 1])
            __atomic_store_n(&wrong, 3, __ATOMIC_RELAXED);
    }
    return NULL;
}

VD_TEST(readers_beside_a_writer)
{
    static uint8_t value[4000];
    VD_AUTO(vd_secret_done) struct vd_secret large = {};
    uint8_t id[VD_KSTORE_ID_SIZE];
    pthread_t threads[THREADS];
    struct vd_kstore_attributes a = vd_kst_attributes("k");
    struct vd_kstore_new new = {.attributes = &a, .material = &large};
    struct vd_kstore_attach w;

    start(true);
    vd_kst_material("k", 1, &large, 2000); /* stays on the disk */
    OK(vd_kstore_create(t.store, &new, 1, (uint8_t(*)[VD_KSTORE_ID_SIZE])id, &t.diag));
    w = vd_kst_attachment(VD_KSTORE_PUT, 1, "v", value, sizeof(value));
    OK(vd_kst_attach(&t, id, &w, 1));
    for (uintptr_t i = 0; i < THREADS; i++)
        VD_EXPECT(pthread_create(&threads[i], NULL, read_on, (void *)(i + 1)) == 0);
    for (int i = 0; i < ROUNDS; i++) {
        uint32_t version;
        a.label[0] = (char)('a' + i % 26);
        OK(vd_kstore_set(t.store, id, &a, t.now, &t.diag));
        memset(value, i, sizeof(value));
        w.size = sizeof(value) - (size_t)i;
        OK(vd_kst_attach(&t, id, &w, 1));
        if (i % 25 == 0)
            OK(vd_kstore_rotate(t.store, id, &new, &version, &t.diag));
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    VD_EXPECT_EQ(wrong, 0);
    OK(vd_kst_open(&t));
    vd_kst_done(&t);
}
