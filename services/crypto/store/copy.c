/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The whole store: copied, or put under another root key. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "lib/sys.h"
#include "services/crypto/store/internal.h"

/* SQLite has the store's file open: replacing it would pull it away from under the log. */
static vd_status not_itself(const struct vd_kstore *store, const char *path, struct vd_diag *diag)
{
    struct stat own, other;

    if (fstatat(store->dir_fd, VD_KSTORE_FILE, &own, 0) == 0 && stat(path, &other) == 0 &&
        own.st_dev == other.st_dev && own.st_ino == other.st_ino)
        return vd_diag_fail(diag, VD_E_USAGE, "a copy of the store is another file than the store");
    return VD_OK;
}

static vd_status sync_path(const char *path, int flags, struct vd_diag *diag)
{
    int fd VD_AUTO(vd_fd_close) = open(path, flags | O_CLOEXEC);

    return fd >= 0 && fsync(fd) == 0
               ? VD_OK
               : vd_sys_errno(diag, errno, "cannot bring the copy to the disk", path);
}

static vd_status copy_to(struct vd_kstore *store, const char *path, const char *unfinished,
                         struct vd_diag *diag)
{
    char *folder = strdup(path);
    vd_status status;

    if (folder == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for a path");
    pthread_mutex_lock(&store->db.copy_lock);
    status = vd_kdb_copy(store->path, store->vfs, unfinished, diag);
    pthread_mutex_unlock(&store->db.copy_lock);
    if (status == VD_OK)
        status = sync_path(unfinished, O_RDONLY, diag);
    if (status == VD_OK && rename(unfinished, path) != 0)
        status = vd_sys_errno(diag, errno, "cannot put the copy in its place", path);
    if (status == VD_OK)
        status = sync_path(dirname(folder), O_RDONLY | O_DIRECTORY, diag);
    free(folder);
    return status;
}

vd_status vd_kstore_backup(struct vd_kstore *store, const char *path, struct vd_diag *diag)
{
    char *unfinished = NULL;
    vd_status status;
    int fd;

    VD_TRY(not_itself(store, path, diag));
    if (asprintf(&unfinished, "%s.XXXXXX", path) < 0)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for a path");
    fd = mkostemp(unfinished, O_CLOEXEC);
    if (fd < 0) {
        status = vd_sys_errno(diag, errno, "cannot make the copy", path);
        free(unfinished);
        return status;
    }
    vd_fd_close(&fd);
    status = copy_to(store, path, unfinished, diag);
    if (status != VD_OK)
        unlink(unfinished);
    free(unfinished);
    return status;
}

/* A row that hides nothing, or an attachment, with its tag under the new root. */
static vd_status put_again(struct vd_ktxn *txn, struct vd_kentry *entry, struct vd_krow *old,
                           struct vd_diag *diag)
{
    VD_AUTO(vd_bytes_free) struct vd_bytes body = {};
    struct vd_krec record;
    struct vd_kput put = {.entry = entry, .old = old, .record = &record};
    bool stale;
    vd_status status;

    vd_krow_record(old, &record);
    status = vd_krow_body(txn->store, old, &body, &stale, diag);
    if (status != VD_OK)
        return status == VD_E_SIGNATURE ? vd_kstore_changed(txn->store, diag) : status;
    put.body = body.data;
    return vd_ktxn_put(txn, &put, diag);
}

static vd_status put_entry(struct vd_ktxn *txn, struct vd_kentry *entry, struct vd_diag *diag)
{
    struct vd_krec key;

    vd_krow_record(entry->key, &key);
    VD_TRY(vd_ktxn_rewrap(txn, entry, &key.key.attributes, diag));
    VD_TRY(put_again(txn, entry, entry->key, diag));
    for (size_t i = 0; i < entry->attached_count; i++)
        VD_TRY(put_again(txn, entry, entry->attached[i], diag));
    return entry->usage != NULL ? put_again(txn, entry, entry->usage, diag) : VD_OK;
}

static vd_status put_everything(struct vd_ktxn *txn, struct vd_diag *diag)
{
    struct vd_kindex *index = &txn->store->index;
    vd_status status = VD_OK;

    memset(txn->header.set, 0, sizeof(txn->header.set));
    txn->rebuild = true;
    txn->raise = true;
    pthread_mutex_lock(&txn->store->list); /* the order stands still */
    for (size_t i = 0; i < index->count && status == VD_OK; i++)
        status = put_entry(txn, index->order[i], diag);
    pthread_mutex_unlock(&txn->store->list);
    return status;
}

vd_status vd_kstore_change_root(struct vd_kstore *store, const struct vd_secret *root, uint64_t now,
                                struct vd_diag *diag)
{
    uint8_t id[VD_KSTORE_ID_SIZE];
    struct vd_kcrypt *crypt;
    struct vd_ktxn txn;
    vd_status status;

    pthread_rwlock_rdlock(&store->index_lock);
    vd_copy(id, store->crypt->store_id, sizeof(id));
    pthread_rwlock_unlock(&store->index_lock);
    VD_TRY(vd_kcrypt_new(root, id, &crypt, diag));
    status = vd_ktxn_begin(&txn, store, now, diag);
    if (status != VD_OK) {
        vd_kcrypt_free(crypt);
        return status;
    }
    txn.crypt = crypt;
    VD_TRY(vd_ktxn_end(&txn, put_everything(&txn, diag), diag));
    return vd_kstore_empty_log(store, diag);
}
