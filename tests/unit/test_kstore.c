/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The key store: what it keeps and what it refuses. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/kstore.h"

#define OK(call) VD_KST_OK(t, call)

static struct vd_kst t;

static void start(bool with_counter)
{
    vd_kst_init(&t, with_counter);
    OK(vd_kst_open(&t));
}

VD_TEST(kept_over_a_restart)
{
    uint8_t id[VD_KSTORE_ID_SIZE];
    struct vd_kstore_key key;

    start(true);
    vd_kst_create(&t, "disk/home", id);
    for (int i = 0; i < 3; i++)
        OK(vd_kst_rotate(&t, "disk/home"));
    for (int round = 0; round < 2; round++) {
        OK(vd_kst_check(&t, "disk/home"));
        OK(vd_kstore_find(t.store, "disk/home", &key));
        VD_EXPECT_EQ(key.versions, 4);
        VD_EXPECT_MEM(key.id, id, sizeof(id));
        VD_EXPECT_STR(key.attributes.label, "system_u:object_r:key_t:s0");
        VD_EXPECT_EQ(key.created, VD_KST_NOW);
        VD_EXPECT_EQ(key.state, VD_KSTORE_ACTIVE);
        OK(vd_kst_open(&t));
    }
    VD_EXPECT(vd_kstore_find(t.store, "disk/hom", &key) == VD_E_NOT_FOUND);
    id[0] ^= 1;
    VD_EXPECT(vd_kstore_get(t.store, id, &key) == VD_E_NOT_FOUND);
    vd_kst_done(&t);
}

VD_TEST(sizes)
{
    static const size_t sizes[] = {0, 1, 32, 400, 472, 473, 4096, VD_KSTORE_MATERIAL_MAX};
    static uint8_t public_part[VD_KSTORE_PUBLIC_MAX];
    uint8_t ids[VD_COUNT(sizes)][2][VD_KSTORE_ID_SIZE];

    start(false);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < 2 * VD_COUNT(sizes); i++) {
            VD_AUTO(vd_secret_done) struct vd_secret material = {}, loaded = {};
            VD_AUTO(vd_bytes_free) struct vd_bytes public_loaded = {};
            char name[32];
            snprintf(name, sizeof(name), "size-%zu", i);
            struct vd_kstore_attributes a = vd_kst_attributes(name);
            struct vd_kstore_new new = {.attributes = &a,
                                        .material = &material,
                                        .public_part = public_part,
                                        .public_size = i % 2 ? sizeof(public_part) : 0};
            vd_kst_material(name, 1, &material, sizes[i / 2]);
            memset(public_part, (int)i, sizeof(public_part));
            if (round == 0)
                OK(vd_kstore_create(t.store, &new, 1, &ids[i / 2][i % 2], &t.diag));
            OK(vd_kstore_load(t.store, ids[i / 2][i % 2], 0, &loaded, &t.diag));
            OK(vd_kstore_public(t.store, ids[i / 2][i % 2], 1, &public_loaded, &t.diag));
            VD_EXPECT(vd_secret_equal(&loaded, &material));
            VD_EXPECT_EQ(public_loaded.size, new.public_size);
            VD_EXPECT_MEM(public_loaded.data, public_part, public_loaded.size);
        }
        OK(vd_kst_open(&t));
    }
    vd_kst_done(&t);
}

static vd_status try_attributes(const struct vd_kstore_attributes *a, size_t material_size)
{
    VD_AUTO(vd_secret_done) struct vd_secret material = {};
    struct vd_kstore_new new = {.attributes = a, .material = &material};
    uint8_t id[1][VD_KSTORE_ID_SIZE];

    vd_kst_material("x", 1, &material, material_size);
    t.diag = (struct vd_diag){};
    return vd_kstore_create(t.store, &new, 1, id, &t.diag);
}

VD_TEST(refused_input)
{
    static const char *const names[] = {"", "a b", "a\n", "\xc3\xa9", "a*", "a:b"};
    struct vd_kstore_attributes a;
    struct vd_kstore_status status;

    start(false);
    for (size_t i = 0; i < VD_COUNT(names); i++) {
        a = vd_kst_attributes(names[i]);
        VD_EXPECT(try_attributes(&a, 32) == VD_E_INVALID && t.diag.text[0] != '\0');
        a = vd_kst_attributes("ok");
        snprintf(a.domain, sizeof(a.domain), "%s", names[i]);
        VD_EXPECT(try_attributes(&a, 32) == VD_E_INVALID);
        a = vd_kst_attributes("ok");
        snprintf(a.service, sizeof(a.service), "%s", names[i]);
        VD_EXPECT(try_attributes(&a, 32) == VD_E_INVALID);
    }
    a = vd_kst_attributes("ok");
    memset(a.name, 'x', sizeof(a.name)); /* no end */
    VD_EXPECT(try_attributes(&a, 32) == VD_E_INVALID);
    a = vd_kst_attributes("ok");
    strcpy(a.label, "two\nlines");
    VD_EXPECT(try_attributes(&a, 32) == VD_E_INVALID);
    memset(a.label, 'x', sizeof(a.label));
    VD_EXPECT(try_attributes(&a, 32) == VD_E_INVALID);
    a = vd_kst_attributes("ok");
    a.not_before = 10, a.not_after = 9;
    VD_EXPECT(try_attributes(&a, 32) == VD_E_INVALID);
    a.not_after = VD_KSTORE_TIME_MAX + 1;
    VD_EXPECT(try_attributes(&a, 32) == VD_E_INVALID);
    a = vd_kst_attributes("ok");
    a.min_decrypt_version = 0;
    VD_EXPECT(try_attributes(&a, 32) == VD_E_INVALID);
    a.min_decrypt_version = 2;
    VD_EXPECT(try_attributes(&a, 32) == VD_E_RANGE);
    a.min_decrypt_version = 1;
    VD_EXPECT(try_attributes(&a, VD_KSTORE_MATERIAL_MAX + 1) == VD_E_LIMIT);
    vd_kstore_status(t.store, &status);
    VD_EXPECT_EQ(status.keys, 0);
    OK(try_attributes(&a, 32));
    VD_EXPECT(try_attributes(&a, 32) == VD_E_EXISTS);
    memset(a.name, 'y', sizeof(a.name) - 1);
    OK(try_attributes(&a, 32));
    vd_kst_done(&t);
}

VD_TEST(batch_is_all_or_none)
{
    VD_AUTO(vd_secret_done) struct vd_secret material = {};
    struct vd_kstore_attributes a[3] = {vd_kst_attributes("a"), vd_kst_attributes("b"),
                                        vd_kst_attributes("a")};
    struct vd_kstore_new new[3];
    uint8_t ids[3][VD_KSTORE_ID_SIZE] = {};
    struct vd_kstore_key key;

    start(false);
    vd_kst_material("a", 1, &material, 32);
    for (int i = 0; i < 3; i++)
        new[i] = (struct vd_kstore_new){.attributes = &a[i], .material = &material};
    VD_EXPECT(vd_kstore_create(t.store, new, 3, ids, NULL) == VD_E_EXISTS);
    VD_EXPECT(vd_kstore_find(t.store, "b", &key) == VD_E_NOT_FOUND);
    VD_EXPECT(vd_kstore_create(t.store, new, 0, ids, NULL) == VD_E_LIMIT);
    strcpy(a[2].name, "c");
    OK(vd_kstore_create(t.store, new, 3, ids, &t.diag));
    OK(vd_kst_open(&t));
    for (int i = 0; i < 3; i++) {
        OK(vd_kstore_find(t.store, a[i].name, &key));
        VD_EXPECT_MEM(key.id, ids[i], sizeof(ids[i]));
    }
    vd_kst_done(&t);
}

VD_TEST(attributes_change)
{
    uint8_t id[VD_KSTORE_ID_SIZE];
    struct vd_kstore_attributes a;
    struct vd_kstore_key key;

    start(true);
    vd_kst_create(&t, "k", id);
    OK(vd_kst_rotate(&t, "k"));
    a = vd_kst_attributes("k");
    a.usages = 1;
    a.flags = VD_KSTORE_NON_EXPORTABLE | 1u << 20;
    a.min_decrypt_version = 2;
    strcpy(a.label, "system_u:object_r:other_t:s0:c1");
    OK(vd_kstore_set(t.store, id, &a, t.now, &t.diag));
    for (int round = 0; round < 2; round++) {
        OK(vd_kstore_get(t.store, id, &key));
        VD_EXPECT_MEM(&key.attributes, &a, sizeof(a));
        OK(vd_kst_check(&t, "k"));
        OK(vd_kst_open(&t));
    }
    a.min_decrypt_version = 3;
    VD_EXPECT(vd_kstore_set(t.store, id, &a, t.now, NULL) == VD_E_RANGE);
    a.min_decrypt_version = 1;
    a.flags = 0;
    VD_EXPECT(vd_kstore_set(t.store, id, &a, t.now, NULL) == VD_E_USAGE);
    a.flags = VD_KSTORE_NON_EXPORTABLE; /* the caller's own flag may go */
    OK(vd_kstore_set(t.store, id, &a, t.now, &t.diag));
    struct vd_kstore_attributes fixed[4] = {a, a, a, a};
    strcpy(fixed[0].name, "l");
    strcpy(fixed[1].domain, "l");
    strcpy(fixed[2].service, "l");
    fixed[3].type = 2;
    for (int i = 0; i < 4; i++)
        VD_EXPECT(vd_kstore_set(t.store, id, &fixed[i], t.now, NULL) == VD_E_USAGE);
    vd_kst_done(&t);
}

VD_TEST(listing)
{
    enum { KEYS = 300, PAGE = 7 };
    struct vd_kstore_key keys[PAGE], last;
    struct vd_kstore_page page = {.prefix = "", .keys = keys, .max = PAGE};
    uint8_t id[VD_KSTORE_ID_SIZE];
    uint64_t seed = 3;
    size_t count, total = 0;
    char name[32], before[32] = "";

    start(false);
    for (int i = 0; i < KEYS; i++) {
        snprintf(name, sizeof(name), "%c/%llx", "abc"[i % 3],
                 (unsigned long long)vd_test_random(&seed));
        vd_kst_create(&t, name, id);
        if (i % 50 == 0) {
            OK(vd_kstore_list(t.store, &page, &count)); /* sorted in between */
            VD_EXPECT_EQ(count, i < PAGE ? (size_t)i + 1 : PAGE);
        }
    }
    do {
        OK(vd_kstore_list(t.store, &page, &count));
        for (size_t i = 0; i < count; i++) {
            VD_EXPECT(strcmp(before, keys[i].attributes.name) < 0);
            strcpy(before, keys[i].attributes.name);
        }
        total += count;
        if (count > 0)
            last = keys[count - 1];
        page.after = &last;
    } while (count == PAGE);
    VD_EXPECT_EQ(total, KEYS);
    page = (struct vd_kstore_page){.prefix = "b/", .keys = keys, .max = PAGE};
    for (total = 0, count = PAGE; count == PAGE; total += count) {
        OK(vd_kstore_list(t.store, &page, &count));
        for (size_t i = 0; i < count; i++)
            VD_EXPECT(keys[i].attributes.name[0] == 'b');
        if (count > 0)
            last = keys[count - 1];
        page.after = &last;
    }
    VD_EXPECT_EQ(total, KEYS / 3);
    page = (struct vd_kstore_page){.prefix = "d", .keys = keys, .max = PAGE};
    OK(vd_kstore_list(t.store, &page, &count));
    VD_EXPECT_EQ(count, 0);
    vd_kst_done(&t);
}

VD_TEST(attachments)
{
    static uint8_t large[VD_KSTORE_VALUE_MAX];
    uint8_t id[VD_KSTORE_ID_SIZE];
    struct vd_kstore_attach list[3];
    struct vd_kstore_attachment page[4];
    struct vd_kstore_attach_page ask = {.list = page, .max = 4};
    size_t count;

    start(true);
    memset(large, 'L', sizeof(large));
    vd_kst_create(&t, "ca", id);
    list[0] = vd_kst_attachment(VD_KSTORE_PUT, 1, "serial", "\x01", 1);
    list[1] = vd_kst_attachment(VD_KSTORE_ADD, 2, "cert", large, sizeof(large));
    list[2] = vd_kst_attachment(VD_KSTORE_ADD, 1, "empty", NULL, 0);
    OK(vd_kst_attach(&t, id, list, 3));
    VD_EXPECT(vd_kst_attach(&t, id, list, 3) == VD_E_EXISTS);
    list[1] = vd_kst_attachment(VD_KSTORE_PUT, 1, "serial", "\x02", 1);
    VD_EXPECT(vd_kst_attach(&t, id, list, 2) == VD_E_USAGE); /* the same one twice */
    list[0] = vd_kst_attachment(VD_KSTORE_REMOVE, 9, "serial", NULL, 0);
    VD_EXPECT(vd_kst_attach(&t, id, list, 2) == VD_E_NOT_FOUND);
    for (int round = 0; round < 2; round++) {
        VD_AUTO(vd_bytes_free) struct vd_bytes a = {}, b = {}, c = {};
        OK(vd_kstore_attached(t.store, id, &list[1].what, &a, &t.diag));
        VD_EXPECT(a.size == 1 && a.data[0] == 1);
        struct vd_kstore_attach w = vd_kst_attachment(VD_KSTORE_PUT, 2, "cert", NULL, 0);
        OK(vd_kstore_attached(t.store, id, &w.what, &b, &t.diag));
        VD_EXPECT(b.size == sizeof(large));
        VD_EXPECT_MEM(b.data, large, sizeof(large));
        w = vd_kst_attachment(VD_KSTORE_PUT, 1, "empty", NULL, 0);
        OK(vd_kstore_attached(t.store, id, &w.what, &c, &t.diag));
        VD_EXPECT_EQ(c.size, 0);
        w = vd_kst_attachment(VD_KSTORE_PUT, 1, "empt", NULL, 0);
        VD_EXPECT(vd_kstore_attached(t.store, id, &w.what, &c, NULL) == VD_E_NOT_FOUND);
        OK(vd_kst_open(&t));
    }
    OK(vd_kstore_attachments(t.store, id, &ask, &count));
    VD_EXPECT_EQ(count, 3);
    VD_EXPECT(page[0].kind == 1 && page[0].name[0] == 'e' && page[1].kind == 1 &&
              page[2].kind == 2);
    struct vd_kstore_attachment after = page[0];
    ask.after = &after;
    OK(vd_kstore_attachments(t.store, id, &ask, &count));
    VD_EXPECT_EQ(count, 2);
    list[0] = vd_kst_attachment(VD_KSTORE_REMOVE, 1, "empty", NULL, 0);
    list[1] = vd_kst_attachment(VD_KSTORE_PUT, 1, "serial", large, 600);
    list[2] = vd_kst_attachment(VD_KSTORE_REMOVE, 2, "cert", NULL, 0);
    OK(vd_kst_attach(&t, id, list, 3));
    OK(vd_kst_open(&t));
    ask.after = NULL;
    OK(vd_kstore_attachments(t.store, id, &ask, &count));
    VD_EXPECT_EQ(count, 1);
    list[0] = vd_kst_attachment(VD_KSTORE_PUT, 1, "x", large, sizeof(large));
    list[0].size++;
    VD_EXPECT(vd_kst_attach(&t, id, list, 1) == VD_E_LIMIT);
    OK(vd_kstore_schedule(t.store, id, t.now, t.now, &t.diag));
    OK(vd_kstore_purge(t.store, t.now, &count, &t.diag));
    VD_AUTO(vd_bytes_free) struct vd_bytes gone = {};
    VD_EXPECT(vd_kstore_attached(t.store, id, &list[1].what, &gone, NULL) == VD_E_REVOKED);
    OK(vd_kst_open(&t));
    vd_kst_done(&t);
}

VD_TEST(one_process_at_a_time)
{
    struct vd_kst other;

    start(false);
    other = t;
    other.store = NULL;
    VD_EXPECT(vd_kst_open(&other) == VD_E_BUSY);
    vd_kst_close(&t);
    OK(vd_kst_open(&other));
    vd_kst_close(&other);
    VD_EXPECT(chmod(t.directory, 0777) == 0);
    VD_EXPECT(vd_kst_open(&t) == VD_E_INVALID);
    VD_EXPECT(chmod(t.directory, 0700) == 0);
    vd_kst_done(&t);
}

VD_TEST(no_store_there)
{
    vd_kst_init(&t, false);
    t.flags = 0;
    VD_EXPECT(vd_kst_open(&t) == VD_E_NOT_FOUND);
    VD_EXPECT(access(t.directory, F_OK) != 0);
    VD_EXPECT(mkdir(t.directory, 0700) == 0);
    VD_EXPECT(vd_kst_open(&t) == VD_E_NOT_FOUND);
    VD_EXPECT(access(vd_kst_path(&t, "keys.db"), F_OK) != 0);
    vd_kst_done(&t);
}

static uint64_t revision(struct vd_kst *of, const uint8_t *id, uint32_t attached)
{
    struct vd_kstore_key key;

    VD_EXPECT_EQ(vd_kstore_get(of->store, id, &key), VD_OK);
    VD_EXPECT_EQ(key.attached, attached);
    return key.revision;
}

/* Who knows a key's revision knows its attachments too: every change of either shows. */
VD_TEST(kstore_revision)
{
    uint8_t id[VD_KSTORE_ID_SIZE], other[VD_KSTORE_ID_SIZE];
    struct vd_kstore_attach put = vd_kst_attachment(VD_KSTORE_PUT, 1, "a", "1", 1);
    struct vd_kstore_attach again = vd_kst_attachment(VD_KSTORE_PUT, 1, "a", "2", 1);
    struct vd_kstore_attach more = vd_kst_attachment(VD_KSTORE_PUT, 1, "b", "2", 1);
    struct vd_kstore_attach no_more = vd_kst_attachment(VD_KSTORE_REMOVE, 1, "b", "", 0);
    uint64_t seen[5], others;

    start(true);
    vd_kst_create(&t, "one", id);
    vd_kst_create(&t, "other", other);
    seen[0] = revision(&t, id, 0);
    others = revision(&t, other, 0);
    VD_EXPECT_EQ(vd_kst_attach(&t, id, &put, 1), VD_OK);
    seen[1] = revision(&t, id, 1);
    VD_EXPECT_EQ(vd_kst_attach(&t, id, &again, 1), VD_OK);
    seen[2] = revision(&t, id, 1);
    VD_EXPECT_EQ(vd_kst_attach(&t, id, &more, 1), VD_OK);
    seen[3] = revision(&t, id, 2);
    VD_EXPECT_EQ(vd_kst_attach(&t, id, &no_more, 1), VD_OK);
    seen[4] = revision(&t, id, 1);
    for (unsigned i = 1; i < 5; i++)
        VD_EXPECT(seen[i] > seen[i - 1]);
    VD_EXPECT_EQ(revision(&t, other, 0), others);
    /* What was removed is not remembered, but the number of those that are left is another. */
    vd_kst_close(&t);
    VD_EXPECT_EQ(vd_kst_open(&t), VD_OK);
    VD_EXPECT_EQ(revision(&t, id, 1), seen[2]);
    VD_EXPECT_EQ(vd_kst_rotate(&t, "one"), VD_OK);
    VD_EXPECT(revision(&t, id, 1) > seen[4]);
    vd_kst_done(&t);
}
