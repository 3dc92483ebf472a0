/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "services/security/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/diagf.h"
#include "lib/sys.h"

#define STATE_NAME  "state"
#define NEW_NAME    "new"
#define NAME_SIZE   32u
#define NAME_PREFIX "policy-"

static void name_of(uint64_t number, char ret[NAME_SIZE])
{
    snprintf(ret, NAME_SIZE, NAME_PREFIX "%010" PRIu64 ".vpol", number);
}

static vd_status fail(struct vd_secd_store *store, struct vd_diag *diag, const char *what,
                      const char *name)
{
    store->failed = vd_sys_errno(diag, errno, what, name);
    return store->failed;
}

/* A new file under a name of its own, renamed to `name` when the disk has it. */
static vd_status put(struct vd_secd_store *store, const char *name, const struct vd_bytes *bytes,
                     struct vd_diag *diag)
{
    int fd VD_AUTO(vd_fd_close) = -1;

    if (store->failed != VD_OK)
        return vd_diag_fail(diag, store->failed, "the store failed before and takes no more");
    if (unlinkat(store->dir, NEW_NAME, 0) != 0 && errno != ENOENT)
        return fail(store, diag, "cannot remove an unfinished file", NEW_NAME);
    fd = openat(store->dir, NEW_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return vd_sys_errno(diag, errno, "cannot make a file in the store", name);
    /* Up to here, and while the new file is being filled, the store is as it was. */
    if (vd_fd_write(fd, bytes->data, bytes->size) != VD_OK)
        return vd_sys_errno(diag, errno, "cannot write to the store", name);
    if (fsync(fd) != 0 || renameat(store->dir, NEW_NAME, store->dir, name) != 0 ||
        fsync(store->dir) != 0)
        return fail(store, diag, "cannot bring a file of the store to the disk", name);
    return VD_OK;
}

static vd_status get(int dir, const char *name, size_t max, struct vd_bytes *ret,
                     struct vd_diag *diag)
{
    int fd VD_AUTO(vd_fd_close) = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    struct stat st;

    if (fd < 0)
        return vd_sys_errno(diag, errno, "cannot open a file of the store", name);
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        vd_diag_file(diag, name);
        return vd_diag_fail(diag, VD_E_INVALID, "this is no regular file");
    }
    return vd_file_load_fd(fd, name, max, ret, diag);
}

static vd_status read_state(const struct vd_secd_store *store, struct vd_secd_state *ret,
                            struct vd_diag *diag)
{
    VD_AUTO(vd_bytes_free) struct vd_bytes bytes = {};
    vd_status status;

    if (faccessat(store->dir, STATE_NAME, F_OK, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT) {
        *ret = (struct vd_secd_state){.next = 1};
        return VD_OK;
    }
    VD_TRY(get(store->dir, STATE_NAME, VD_SECD_STATE_MAX, &bytes, diag));
    status = vd_secd_state_parse(bytes.data, bytes.size, ret, diag);
    if (status != VD_OK)
        vd_diag_file(diag, STATE_NAME);
    return status;
}

/* Whoever may write here says what every client may do: only the server's user and root. */
static vd_status check_owner(int dir, const char *path, struct vd_diag *diag)
{
    struct stat st;

    if (fstat(dir, &st) != 0)
        return vd_sys_errno(diag, errno, "cannot look at the store's directory", path);
    if ((st.st_uid == geteuid() || st.st_uid == 0) && (st.st_mode & (S_IWGRP | S_IWOTH)) == 0)
        return VD_OK;
    vd_diag_file(diag, path);
    return vd_diag_fail(diag, VD_E_INVALID,
                        "others may write to the store: it must belong to the server's user or to "
                        "root, with mode 0700 or 0755");
}

vd_status vd_secd_store_open(struct vd_secd_store *ret, const char *path,
                             struct vd_secd_state *ret_state, struct vd_diag *diag)
{
    struct vd_secd_store store = {.dir = -1};
    vd_status status;

    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return vd_sys_errno(diag, errno, "cannot make the store's directory", path);
    store.dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store.dir < 0)
        return vd_sys_errno(diag, errno, "cannot open the store's directory", path);
    status = check_owner(store.dir, path, diag);
    if (status == VD_OK && flock(store.dir, LOCK_EX | LOCK_NB) != 0) {
        vd_diag_file(diag, path);
        status = vd_diag_fail(diag, VD_E_BUSY, "another security server uses this store");
    }
    if (status == VD_OK)
        status = read_state(&store, ret_state, diag);
    if (status != VD_OK) {
        vd_secd_store_close(&store);
        return status;
    }
    vd_secd_store_clean(&store, ret_state);
    *ret = store;
    return VD_OK;
}

void vd_secd_store_close(struct vd_secd_store *store)
{
    vd_fd_close(&store->dir);
}

vd_status vd_secd_store_load(const struct vd_secd_store *store, uint64_t number,
                             struct vd_secd_policy *ret, struct vd_diag *diag)
{
    VD_AUTO(vd_bytes_free) struct vd_bytes bytes = {};
    char name[NAME_SIZE];
    vd_status status;

    name_of(number, name);
    VD_TRY(get(store->dir, name, VD_PDB_MAX_SIZE, &bytes, diag));
    status = vd_secd_policy_open(&bytes, ret, diag);
    if (status != VD_OK)
        vd_diag_file(diag, name);
    return status;
}

vd_status vd_secd_store_add(struct vd_secd_store *store, uint64_t number,
                            const struct vd_bytes *blob, struct vd_diag *diag)
{
    char name[NAME_SIZE];

    name_of(number, name);
    return put(store, name, blob, diag);
}

vd_status vd_secd_store_commit(struct vd_secd_store *store, const struct vd_secd_state *state,
                               struct vd_diag *diag)
{
    VD_AUTO(vd_bytes_free) struct vd_bytes bytes = {};
    struct vd_writer w;

    bytes.data = malloc(VD_SECD_STATE_MAX);
    if (bytes.data == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for the state");
    vd_writer_init(&w, bytes.data, VD_SECD_STATE_MAX);
    vd_secd_state_encode(state, &w);
    if (vd_write_done(&w) != VD_OK)
        return vd_diag_fail(diag, VD_E_LIMIT, "the state is too large");
    bytes.size = w.len;
    return put(store, STATE_NAME, &bytes, diag);
}

/* The number of a policy's file name; 0 for any other name. */
static uint64_t number_of(const char *name)
{
    const char *digits = name + sizeof(NAME_PREFIX) - 1;
    char same[NAME_SIZE];
    uint64_t number;

    if (strncmp(name, NAME_PREFIX, sizeof(NAME_PREFIX) - 1) != 0)
        return 0;
    number = strtoull(digits, NULL, 10);
    name_of(number, same);
    return strcmp(same, name) == 0 ? number : 0;
}

void vd_secd_store_clean(const struct vd_secd_store *store, const struct vd_secd_state *state)
{
    int copy = openat(store->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    const struct dirent *entry;

    if (dir == NULL) {
        vd_fd_close(&copy);
        return;
    }
    while ((entry = readdir(dir)) != NULL) {
        uint64_t number = number_of(entry->d_name);
        bool stale = number != 0 && !vd_secd_state_refers(state, number);
        if (stale || strcmp(entry->d_name, NEW_NAME) == 0)
            unlinkat(store->dir, entry->d_name, 0);
    }
    closedir(dir);
}
