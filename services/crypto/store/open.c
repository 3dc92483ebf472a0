/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The store's directory and file: made, locked, opened, checked, closed. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "lib/sys.h"
#include "services/crypto/store/internal.h"

#define LOCK_NAME "keys.lock"
#define NEW_NAME  "keys.db.new"

/* Whoever may write here can delete every key: only the store's user and root. */
static vd_status check_owner(int dir, const char *path, struct vd_diag *diag)
{
    struct stat st;

    if (fstat(dir, &st) != 0)
        return vd_sys_errno(diag, errno, "cannot look at the store's directory", path);
    if ((st.st_uid == geteuid() || st.st_uid == 0) && (st.st_mode & (S_IWGRP | S_IWOTH)) == 0)
        return VD_OK;
    vd_diag_file(diag, path);
    return vd_diag_fail(diag, VD_E_INVALID,
                        "others may write to the store's directory: it must belong to its user or "
                        "to root, with mode 0700 or 0755");
}

/* Made and named on the disk. */
static vd_status make_directory(const char *path, struct vd_diag *diag)
{
    char *copy = strdup(path);
    int fd VD_AUTO(vd_fd_close) = -1;
    vd_status status = VD_OK;

    if (copy == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for a path");
    if (mkdir(path, 0700) == 0) {
        fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || fsync(fd) != 0)
            status =
                vd_sys_errno(diag, errno, "cannot bring the store's directory to the disk", path);
    } else if (errno != EEXIST) {
        status = vd_sys_errno(diag, errno, "cannot make the store's directory", path);
    }
    free(copy);
    return status;
}

static vd_status open_directory(struct vd_kstore *store, const struct vd_kstore_options *o,
                                struct vd_diag *diag)
{
    if ((o->flags & VD_KSTORE_CREATE) != 0)
        VD_TRY(make_directory(o->directory, diag));
    store->dir_fd = open(o->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->dir_fd < 0)
        return vd_sys_errno(diag, errno, "cannot open the store's directory", o->directory);
    VD_TRY(check_owner(store->dir_fd, o->directory, diag));
    store->lock_fd =
        openat(store->dir_fd, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (store->lock_fd < 0)
        return vd_sys_errno(diag, errno, "cannot open the store's lock", o->directory);
    if (flock(store->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return VD_OK;
    vd_diag_file(diag, o->directory);
    return vd_diag_fail(diag, VD_E_BUSY, "another process uses this store");
}

static vd_status unlink_all(int dir, const char *name, struct vd_diag *diag)
{
    static const char *const tails[] = {"", "-wal", "-shm", "-journal"};

    for (size_t i = 0; i < VD_COUNT(tails); i++) {
        char path[64];
        snprintf(path, sizeof(path), "%s%s", name, tails[i]);
        if (unlinkat(dir, path, 0) != 0 && errno != ENOENT)
            return vd_sys_errno(diag, errno, "cannot remove an unfinished store", path);
    }
    return VD_OK;
}

static vd_status first_header(const struct vd_kstore_options *o, uint8_t *ret, struct vd_diag *diag)
{
    struct vd_krec_header header = {
        .generation = 1, .has_counter = o->counter != NULL, .created = o->now};
    uint8_t id[VD_KSTORE_ID_SIZE];
    struct vd_kcrypt *crypt;
    vd_status status;

    header.latest_time = o->now;
    if (o->counter != NULL)
        VD_TRY(o->counter->read(o->counter->ctx, &header.expected, diag));
    VD_TRY(vd_kcrypt_random(id, sizeof(id), diag));
    VD_TRY(vd_kcrypt_new(o->root, id, &crypt, diag));
    status = vd_kcrypt_seal_header(crypt, &header, ret, diag);
    vd_kcrypt_free(crypt);
    return status;
}

/*
 * A new store is made under another name and renamed when it is whole, so that a file under the
 * store's name without a header is never a store that was just begun, but a damaged one.
 */
static vd_status create(const struct vd_kstore *store, const struct vd_kstore_options *o,
                        struct vd_diag *diag)
{
    uint8_t header[VD_KREC_HEADER_SIZE];
    char path[PATH_MAX];
    int fd VD_AUTO(vd_fd_close) = -1;

    VD_TRY(first_header(o, header, diag));
    /* A log that lies there would be taken for the new file's. */
    VD_TRY(unlink_all(store->dir_fd, VD_KSTORE_FILE, diag));
    fd = openat(store->dir_fd, NEW_NAME, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return vd_sys_errno(diag, errno, "cannot make the store", o->directory);
    vd_fd_close(&fd);
    snprintf(path, sizeof(path), "%s/%s", o->directory, NEW_NAME);
    VD_TRY(vd_kdb_create(path, o->vfs, header, diag));
    VD_TRY(unlink_all(store->dir_fd, VD_KSTORE_FILE, diag));
    if (renameat(store->dir_fd, NEW_NAME, store->dir_fd, VD_KSTORE_FILE) != 0 ||
        fsync(store->dir_fd) != 0)
        return vd_sys_errno(diag, errno, "cannot bring the new store to the disk", o->directory);
    return VD_OK;
}

static vd_status find_or_create(struct vd_kstore *store, const struct vd_kstore_options *o,
                                struct vd_diag *diag)
{
    struct stat st;

    VD_TRY(unlink_all(store->dir_fd, NEW_NAME, diag));
    if (fstatat(store->dir_fd, VD_KSTORE_FILE, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        if (S_ISREG(st.st_mode))
            return VD_OK;
        vd_diag_file(diag, o->directory);
        return vd_diag_fail(diag, VD_E_INVALID, "the store is no regular file");
    }
    if (errno != ENOENT)
        return vd_sys_errno(diag, errno, "cannot look at the store", o->directory);
    if ((o->flags & VD_KSTORE_CREATE) != 0)
        return create(store, o, diag);
    vd_diag_file(diag, o->directory);
    return vd_diag_fail(diag, VD_E_NOT_FOUND, "there is no key store in this directory");
}

static vd_status open_file(struct vd_kstore *store, const struct vd_kstore_options *o,
                           struct vd_diag *diag)
{
    VD_AUTO(vd_bytes_free) struct vd_bytes header = {};
    uint8_t id[VD_KSTORE_ID_SIZE];

    if (asprintf(&store->path, "%s/%s", o->directory, VD_KSTORE_FILE) < 0) {
        store->path = NULL;
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for the store's path");
    }
    if (o->vfs != NULL && (store->vfs = strdup(o->vfs)) == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for the store's path");
    VD_TRY(vd_kdb_open(&store->db, store->path, store->vfs, &header, diag));
    VD_TRY(vd_kcrypt_store_id(header.data, header.size, id, diag));
    VD_TRY(vd_kcrypt_new(o->root, id, &store->crypt, diag));
    VD_TRY(vd_kcrypt_open_header(store->crypt, header.data, &store->header, diag));
    store->generation = store->header.generation;
    return vd_kload(store, diag);
}

/* What the start itself changes: the counter, and what the caller accepts. */
static vd_status start(struct vd_kstore *store, const struct vd_kstore_options *o,
                       struct vd_diag *diag)
{
    bool changed;
    struct vd_ktxn txn;

    VD_TRY(vd_kcounter_check(store, o->flags, &changed, diag));
    if ((o->flags & VD_KSTORE_ACCEPT_CLOCK) != 0) {
        store->header.latest_time = o->now;
        changed = true;
    }
    store->latest_seen = store->header.latest_time;
    if (!changed)
        return VD_OK;
    VD_TRY(vd_ktxn_begin(&txn, store, o->now, diag));
    txn.raise = true;
    return vd_ktxn_end(&txn, VD_OK, diag);
}

static vd_status open_all(struct vd_kstore *store, const struct vd_kstore_options *o,
                          struct vd_diag *diag)
{
    vd_status status;

    if (o->now > VD_KSTORE_TIME_MAX)
        return vd_diag_fail(diag, VD_E_INVALID, "the time is out of its range");
    VD_TRY(vd_kindex_init(&store->index, diag));
    VD_TRY(open_directory(store, o, diag));
    VD_TRY(find_or_create(store, o, diag));
    status = open_file(store, o, diag);
    if (status != VD_OK) {
        vd_diag_file(diag, o->directory);
        return status;
    }
    VD_TRY(start(store, o, diag));
    /* A purge that was cut off may have left what it overwrote in the log. */
    return vd_kstore_empty_log(store, diag);
}

vd_status vd_kstore_open(const struct vd_kstore_options *options, struct vd_kstore **ret,
                         struct vd_diag *diag)
{
    struct vd_kstore *store = calloc(1, sizeof(*store));
    pthread_rwlockattr_t attr;
    vd_status status;

    if (store == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for the store");
    store->lock_fd = store->dir_fd = -1;
    store->counter = options->counter;
    pthread_mutex_init(&store->writer, NULL);
    pthread_mutex_init(&store->list, NULL);
    /* Readers come without end: the ordinary kind would let a change wait for ever. */
    pthread_rwlockattr_init(&attr);
    pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&store->index_lock, &attr);
    pthread_rwlockattr_destroy(&attr);
    status = open_all(store, options, diag);
    if (status != VD_OK) {
        vd_kstore_close(store);
        return status;
    }
    *ret = store;
    return VD_OK;
}

void vd_kstore_close(struct vd_kstore *store)
{
    if (store == NULL)
        return;
    if (store->db.write != NULL)
        vd_kdb_close(&store->db);
    vd_kindex_done(&store->index);
    vd_kcrypt_free(store->crypt);
    pthread_rwlock_destroy(&store->index_lock);
    pthread_mutex_destroy(&store->list);
    pthread_mutex_destroy(&store->writer);
    vd_fd_close(&store->lock_fd);
    vd_fd_close(&store->dir_fd);
    free(store->path);
    free(store->vfs);
    free(store);
}
