/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "tests/support/kstore.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "lib/hash.h"

static vd_status counter_read(void *ctx, uint64_t *ret, struct vd_diag *diag)
{
    struct vd_kst_counter *c = ctx;

    if (c->read_fails != VD_OK)
        return vd_diag_fail(diag, c->read_fails, "the counter does not answer");
    *ret = c->value;
    return VD_OK;
}

static vd_status counter_increment(void *ctx, uint64_t *ret, struct vd_diag *diag)
{
    struct vd_kst_counter *c = ctx;

    if (c->lost)
        c->value++;
    if (c->increment_fails != VD_OK || c->lost)
        return vd_diag_fail(diag, c->lost ? VD_E_TIMEOUT : c->increment_fails,
                            "the counter does not answer");
    *ret = ++c->value;
    return VD_OK;
}

void vd_kst_init(struct vd_kst *t, bool with_counter)
{
    static unsigned number;
    uint8_t root[VD_KSTORE_ROOT_SIZE];

    *t =
        (struct vd_kst){.with_counter = with_counter, .now = VD_KST_NOW, .flags = VD_KSTORE_CREATE};
    snprintf(t->directory, sizeof(t->directory), "%s/store-%d-%u", vd_test_tmpdir(), (int)getpid(),
             number++);
    memset(root, 0x5a, sizeof(root));
    VD_EXPECT(vd_secret_set(&t->root, root, sizeof(root), NULL) == VD_OK);
    t->memory.value = 41;
    t->counter = (struct vd_kstore_counter){.read = counter_read, .increment = counter_increment};
}

vd_status vd_kst_open(struct vd_kst *t)
{
    struct vd_kstore_options o = {.directory = t->directory,
                                  .root = &t->root,
                                  .now = t->now,
                                  .flags = t->flags,
                                  .vfs = t->vfs};

    vd_kst_close(t);
    t->counter.ctx = t->shared_counter != NULL ? t->shared_counter : &t->memory;
    if (t->with_counter)
        o.counter = &t->counter;
    t->diag = (struct vd_diag){};
    return vd_kstore_open(&o, &t->store, &t->diag);
}

void vd_kst_close(struct vd_kst *t)
{
    vd_kstore_close(t->store);
    t->store = NULL;
}

void vd_kst_done(struct vd_kst *t)
{
    vd_kst_close(t);
    vd_secret_done(&t->root);
}

struct vd_kstore_attributes vd_kst_attributes(const char *name)
{
    struct vd_kstore_attributes a = {.domain = "default",
                                     .service = "test",
                                     .label = "system_u:object_r:key_t:s0",
                                     .type = 1,
                                     .min_decrypt_version = 1,
                                     .usages = 3};

    snprintf(a.name, sizeof(a.name), "%s", name);
    return a;
}

void vd_kst_material(const char *name, uint32_t version, struct vd_secret *ret, size_t size)
{
    uint8_t digest[VD_SHA256_SIZE];
    char text[160];

    VD_EXPECT(vd_secret_init(ret, size, NULL) == VD_OK);
    for (size_t at = 0; at < size; at += sizeof(digest)) {
        size_t part = size - at < sizeof(digest) ? size - at : sizeof(digest);
        snprintf(text, sizeof(text), "%s %u %zu", name, version, at);
        VD_EXPECT(vd_hash(VD_HASH_SHA256, text, strlen(text), digest, NULL) == VD_OK);
        vd_copy(ret->data + at, digest, part);
    }
}

vd_status vd_kst_try_create(struct vd_kst *t, const char *name, uint8_t id[VD_KSTORE_ID_SIZE])
{
    VD_AUTO(vd_secret_done) struct vd_secret material = {};
    struct vd_kstore_attributes a = vd_kst_attributes(name);
    struct vd_kstore_new new = {.attributes = &a,
                                .material = &material,
                                .public_part = name,
                                .public_size = strlen(name),
                                .now = t->now};

    vd_kst_material(name, 1, &material, 32);
    t->diag = (struct vd_diag){};
    return vd_kstore_create(t->store, &new, 1, (uint8_t(*)[VD_KSTORE_ID_SIZE])id, &t->diag);
}

void vd_kst_create(struct vd_kst *t, const char *name, uint8_t id[VD_KSTORE_ID_SIZE])
{
    vd_status status = vd_kst_try_create(t, name, id);

    if (status != VD_OK)
        vd_test_fail(__FILE__, __LINE__, "create %s: %s: %s", name, vd_status_name(status),
                     t->diag.text);
}

vd_status vd_kst_rotate(struct vd_kst *t, const char *name)
{
    VD_AUTO(vd_secret_done) struct vd_secret material = {};
    struct vd_kstore_new new = {
        .material = &material, .public_part = name, .public_size = strlen(name), .now = t->now};
    struct vd_kstore_key key;
    uint32_t version;

    t->diag = (struct vd_diag){};
    VD_TRY(vd_kstore_find(t->store, name, &key));
    vd_kst_material(name, key.versions + 1, &material, 32);
    return vd_kstore_rotate(t->store, key.id, &new, &version, &t->diag);
}

static vd_status check_version(struct vd_kst *t, const struct vd_kstore_key *key, uint32_t version)
{
    VD_AUTO(vd_secret_done) struct vd_secret material = {};
    VD_AUTO(vd_secret_done) struct vd_secret wanted = {};
    VD_AUTO(vd_bytes_free) struct vd_bytes public_part = {};
    const char *name = key->attributes.name;
    struct vd_kstore_version v;

    VD_TRY(vd_kstore_version(t->store, key->id, version, &v));
    if (v.destroyed)
        return vd_kstore_load(t->store, key->id, version, &material, NULL) == VD_E_REVOKED
                   ? VD_OK
                   : VD_E_BUG;
    VD_TRY(vd_kstore_load(t->store, key->id, version, &material, &t->diag));
    VD_TRY(vd_kstore_public(t->store, key->id, version, &public_part, &t->diag));
    vd_kst_material(name, version, &wanted, v.material_size);
    return vd_secret_equal(&material, &wanted) && public_part.size == strlen(name) &&
                   memcmp(public_part.data, name, public_part.size) == 0
               ? VD_OK
               : VD_E_DIFFERS;
}

vd_status vd_kst_check(struct vd_kst *t, const char *name)
{
    struct vd_kstore_key key;

    t->diag = (struct vd_diag){};
    VD_TRY(vd_kstore_find(t->store, name, &key));
    if (key.state == VD_KSTORE_DESTROYED)
        return VD_E_REVOKED;
    for (uint32_t v = 1; v <= key.versions; v++)
        VD_TRY(check_version(t, &key, v));
    return VD_OK;
}

const char *vd_kst_path(const struct vd_kst *t, const char *file)
{
    static char path[256];

    snprintf(path, sizeof(path), "%s/%s", t->directory, file);
    return path;
}

void vd_kst_save(const struct vd_kst *t, struct vd_kst_files *ret)
{
    *ret = (struct vd_kst_files){};
    VD_EXPECT(vd_file_load(vd_kst_path(t, "keys.db"), 1u << 28, &ret->db, NULL) == VD_OK);
    if (access(vd_kst_path(t, "keys.db-wal"), F_OK) == 0)
        VD_EXPECT(vd_file_load(vd_kst_path(t, "keys.db-wal"), 1u << 28, &ret->wal, NULL) == VD_OK);
}

static void write_file(const char *path, const struct vd_bytes *bytes)
{
    int fd VD_AUTO(vd_fd_close) = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    VD_EXPECT(fd >= 0 && vd_fd_write(fd, bytes->data, bytes->size) == VD_OK);
}

void vd_kst_restore(const struct vd_kst *t, const struct vd_kst_files *files)
{
    unlink(vd_kst_path(t, "keys.db-shm"));
    unlink(vd_kst_path(t, "keys.db-wal"));
    if (files->wal.size != 0)
        write_file(vd_kst_path(t, "keys.db-wal"), &files->wal);
    write_file(vd_kst_path(t, "keys.db"), &files->db);
}

void vd_kst_files_free(struct vd_kst_files *files)
{
    vd_bytes_free(&files->db);
    vd_bytes_free(&files->wal);
}

void vd_kst_sql(const struct vd_kst *t, const char *sql)
{
    sqlite3 *db = NULL;
    char *why = NULL;

    VD_EXPECT(sqlite3_open(vd_kst_path(t, "keys.db"), &db) == SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
        vd_test_fail(__FILE__, __LINE__, "%s: %s", sql, why);
    sqlite3_close(db);
}

struct vd_kstore_attach vd_kst_attachment(enum vd_kstore_attach_action action, uint16_t kind,
                                          const char *name, const void *value, size_t size)
{
    struct vd_kstore_attach a = {.action = action, .value = value, .size = size};

    a.what.kind = kind;
    a.what.name_size = (uint8_t)strlen(name);
    memcpy(a.what.name, name, strlen(name));
    return a;
}

vd_status vd_kst_attach(struct vd_kst *t, const uint8_t *id, const struct vd_kstore_attach *list,
                        size_t count)
{
    struct vd_kstore_attach_change change = {.list = list, .count = count, .now = t->now};

    t->diag = (struct vd_diag){};
    return vd_kstore_attach(t->store, id, &change, &t->diag);
}

size_t vd_kst_count(const struct vd_kst *t, const void *what, size_t size)
{
    struct vd_kst_files files;
    size_t count = 0;

    vd_kst_save(t, &files);
    for (int i = 0; i < 2; i++) {
        const struct vd_bytes *b = i == 0 ? &files.db : &files.wal;
        for (const uint8_t *p = b->data, *end = p + b->size;
             p != NULL && (p = memmem(p, (size_t)(end - p), what, size)) != NULL; p++)
            count++;
    }
    vd_kst_files_free(&files);
    return count;
}
