/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "tests/support/faulty_vfs.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness.h"

#define FILES  16u
#define SECTOR 512u

/* A change the disk may or may not have; no bytes: cut to `offset`. */
struct change {
    struct change *next;
    int64_t offset;
    size_t size;
    uint8_t bytes[];
};

struct disk_file {
    char path[256];
    bool sure;        /* the name itself is on the disk */
    bool removed;     /* since the last sync */
    uint8_t *content; /* what is surely there */
    size_t size;
    struct change *first, **last; /* since, in order */
    struct change *lost;          /* of failed syncs */
};

struct faulty_file {
    sqlite3_file base;
    struct disk_file *disk;
    sqlite3_file *real; /* behind it */
};

static sqlite3_vfs *below;
static struct disk_file files[FILES];
static uint32_t file_count;
static enum vd_fault fault;
static uint32_t fault_at, operation;
static bool fired;

static void free_changes(struct change **list)
{
    while (*list != NULL) {
        struct change *next = (*list)->next;
        free(*list);
        *list = next;
    }
}

/* Nothing of it is on the disk. */
static void forget(struct disk_file *f)
{
    free(f->content);
    free_changes(&f->first);
    free_changes(&f->lost);
    f->content = NULL;
    f->size = 0;
    f->last = &f->first;
    f->sure = false;
}

void vd_faulty_arm(enum vd_fault what, uint32_t at)
{
    for (uint32_t i = 0; i < file_count; i++) {
        free(files[i].content);
        free_changes(&files[i].first);
        free_changes(&files[i].lost);
    }
    memset(files, 0, sizeof(files));
    file_count = 0;
    fault = what;
    fault_at = at;
    operation = 0;
    fired = false;
}

void vd_faulty_arm_cut(void)
{
    fault = VD_FAULT_CUT;
    fault_at = 0;
    fired = true;
}

void vd_faulty_disarm(void)
{
    fault = VD_FAULT_NONE;
}

bool vd_faulty_fired(void)
{
    return fired;
}

enum kind { READ, WRITE, OTHER };

/* Counts, and says whether this one fails. */
static bool fails(enum kind kind)
{
    bool counts = fault == VD_FAULT_FULL       ? kind == WRITE
                  : fault == VD_FAULT_EIO_READ ? kind == READ
                                               : kind != READ;
    bool on = fault == VD_FAULT_FULL || fault == VD_FAULT_CUT;

    if (fault == VD_FAULT_NONE)
        return false;
    if (counts)
        operation++;
    if (fault == VD_FAULT_CUT && operation >= fault_at) {
        fired = true;
        return true;
    }
    if (!counts || (on ? operation < fault_at : operation != fault_at))
        return false;
    fired = true;
    return true;
}

static void apply(uint8_t **content, size_t *size, const struct change *c)
{
    size_t end = (size_t)c->offset + c->size;

    if (c->size == 0) {
        *size = *size < (size_t)c->offset ? *size : (size_t)c->offset;
        return;
    }
    if (end > *size) {
        *content = realloc(*content, end);
        if (*content == NULL)
            abort();
        memset(*content + *size, 0, end - *size);
        *size = end;
    }
    memcpy(*content + c->offset, c->bytes, c->size);
}

static void note(struct disk_file *f, const void *bytes, size_t size, int64_t offset)
{
    struct change *c = malloc(sizeof(*c) + size);

    if (c == NULL)
        abort();
    *c = (struct change){.offset = offset, .size = size};
    if (size != 0)
        memcpy(c->bytes, bytes, size);
    *f->last = c;
    f->last = &c->next;
}

static struct faulty_file *faulty(sqlite3_file *file)
{
    return (struct faulty_file *)file;
}

static int f_close(sqlite3_file *file)
{
    sqlite3_file *real = faulty(file)->real;

    return real->pMethods != NULL ? real->pMethods->xClose(real) : SQLITE_OK;
}

static int f_read(sqlite3_file *file, void *buf, int size, sqlite3_int64 offset)
{
    sqlite3_file *real = faulty(file)->real;

    return fails(READ) ? SQLITE_IOERR_READ : real->pMethods->xRead(real, buf, size, offset);
}

static int f_write(sqlite3_file *file, const void *buf, int size, sqlite3_int64 offset)
{
    sqlite3_file *real = faulty(file)->real;

    if (fails(WRITE))
        return fault == VD_FAULT_FULL ? SQLITE_FULL : SQLITE_IOERR_WRITE;
    note(faulty(file)->disk, buf, (size_t)size, offset);
    return real->pMethods->xWrite(real, buf, size, offset);
}

static int f_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    sqlite3_file *real = faulty(file)->real;

    if (fails(OTHER))
        return SQLITE_IOERR_TRUNCATE;
    note(faulty(file)->disk, NULL, 0, size);
    return real->pMethods->xTruncate(real, size);
}

static int f_sync(sqlite3_file *file, int flags)
{
    struct disk_file *f = faulty(file)->disk;

    (void)flags;
    if (fails(OTHER)) {
        /* The kernel says so once and then takes what it could not write for written. */
        struct change **end = &f->lost;
        while (*end != NULL)
            end = &(*end)->next;
        *end = f->first;
        f->first = NULL;
        f->last = &f->first;
        return SQLITE_IOERR_FSYNC;
    }
    for (const struct change *c = f->first; c != NULL; c = c->next)
        apply(&f->content, &f->size, c);
    free_changes(&f->first);
    f->last = &f->first;
    f->sure = true;
    return SQLITE_OK;
}

static int f_size(sqlite3_file *file, sqlite3_int64 *ret)
{
    sqlite3_file *real = faulty(file)->real;

    return real->pMethods->xFileSize(real, ret);
}

static int f_lock(sqlite3_file *file, int level)
{
    sqlite3_file *real = faulty(file)->real;

    return real->pMethods->xLock(real, level);
}

static int f_unlock(sqlite3_file *file, int level)
{
    sqlite3_file *real = faulty(file)->real;

    return real->pMethods->xUnlock(real, level);
}

static int f_reserved(sqlite3_file *file, int *ret)
{
    sqlite3_file *real = faulty(file)->real;

    return real->pMethods->xCheckReservedLock(real, ret);
}

static int f_control(sqlite3_file *file, int op, void *arg)
{
    sqlite3_file *real = faulty(file)->real;

    return real->pMethods->xFileControl(real, op, arg);
}

static int f_sector(sqlite3_file *file)
{
    sqlite3_file *real = faulty(file)->real;

    return real->pMethods->xSectorSize(real);
}

static int f_traits(sqlite3_file *file)
{
    sqlite3_file *real = faulty(file)->real;

    return real->pMethods->xDeviceCharacteristics(real);
}

static int f_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **ret)
{
    sqlite3_file *real = faulty(file)->real;

    return real->pMethods->xShmMap(real, page, size, extend, ret);
}

static int f_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    sqlite3_file *real = faulty(file)->real;

    return real->pMethods->xShmLock(real, offset, n, flags);
}

static void f_shm_barrier(sqlite3_file *file)
{
    sqlite3_file *real = faulty(file)->real;

    real->pMethods->xShmBarrier(real);
}

static int f_shm_unmap(sqlite3_file *file, int remove)
{
    sqlite3_file *real = faulty(file)->real;

    return real->pMethods->xShmUnmap(real, remove);
}

/* Version 2: no memory mapping past the shim. */
static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = f_close,
    .xRead = f_read,
    .xWrite = f_write,
    .xTruncate = f_truncate,
    .xSync = f_sync,
    .xFileSize = f_size,
    .xLock = f_lock,
    .xUnlock = f_unlock,
    .xCheckReservedLock = f_reserved,
    .xFileControl = f_control,
    .xSectorSize = f_sector,
    .xDeviceCharacteristics = f_traits,
    .xShmMap = f_shm_map,
    .xShmLock = f_shm_lock,
    .xShmBarrier = f_shm_barrier,
    .xShmUnmap = f_shm_unmap,
};

/* What lies there when it is first seen is taken for synced. */
static struct disk_file *disk_file(const char *path, bool existed)
{
    struct disk_file *f = NULL;
    FILE *in;

    for (uint32_t i = 0; i < file_count && f == NULL; i++) {
        if (strcmp(files[i].path, path) == 0)
            f = &files[i];
    }
    if (f != NULL) {
        if (f->removed) {
            forget(f);
            f->removed = false;
        }
        return f;
    }
    if (file_count == FILES)
        abort();
    f = &files[file_count++];
    snprintf(f->path, sizeof(f->path), "%s", path);
    f->last = &f->first;
    f->sure = existed;
    in = existed ? fopen(path, "rb") : NULL;
    if (in != NULL) {
        uint8_t part[4096];
        size_t n;
        while ((n = fread(part, 1, sizeof(part), in)) > 0) {
            f->content = realloc(f->content, f->size + n);
            if (f->content == NULL)
                abort();
            memcpy(f->content + f->size, part, n);
            f->size += n;
        }
        fclose(in);
    }
    return f;
}

static int v_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
    struct faulty_file *f = faulty(file);
    bool existed = name != NULL && access(name, F_OK) == 0;
    int code;

    (void)vfs;
    *f = (struct faulty_file){.real = (sqlite3_file *)(f + 1)};
    if (fault == VD_FAULT_CUT && fired)
        return SQLITE_CANTOPEN;
    code = below->xOpen(below, name, f->real, flags, ret_flags);
    if (code != SQLITE_OK)
        return code;
    if (name != NULL)
        f->disk = disk_file(name, existed);
    f->base.pMethods = name != NULL ? &methods : f->real->pMethods;
    return name != NULL ? SQLITE_OK : SQLITE_CANTOPEN; /* no temporary files on a disk */
}

static int v_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    (void)vfs;
    if (fails(OTHER))
        return SQLITE_IOERR_DELETE;
    for (uint32_t i = 0; i < file_count; i++) {
        struct disk_file *f = &files[i];
        if (strcmp(f->path, name) != 0)
            continue;
        f->removed = true;
        if (sync != 0 || !f->sure)
            forget(f);
    }
    return below->xDelete(below, name, 0);
}

static int v_access(sqlite3_vfs *vfs, const char *name, int flags, int *ret)
{
    (void)vfs;
    return below->xAccess(below, name, flags, ret);
}

static int v_path(sqlite3_vfs *vfs, const char *name, int size, char *ret)
{
    (void)vfs;
    return below->xFullPathname(below, name, size, ret);
}

void vd_faulty_register(void)
{
    static sqlite3_vfs vfs;

    below = sqlite3_vfs_find(NULL);
    vfs = *below;
    vfs.szOsFile = (int)sizeof(struct faulty_file) + below->szOsFile;
    vfs.zName = VD_FAULTY_VFS;
    vfs.pNext = NULL;
    vfs.xOpen = v_open;
    vfs.xDelete = v_delete;
    vfs.xAccess = v_access;
    vfs.xFullPathname = v_path;
    if (sqlite3_vfs_register(&vfs, 0) != SQLITE_OK)
        abort();
}

/* Some of the changes, each whole or by sectors. */
static void apply_some(struct disk_file *f, const struct change *list, uint64_t *seed)
{
    for (const struct change *c = list; c != NULL; c = c->next) {
        uint64_t luck = vd_test_random(seed) % 4;
        if (luck == 0)
            continue;
        if (luck < 3 || c->size <= SECTOR) {
            apply(&f->content, &f->size, c);
            continue;
        }
        for (size_t at = 0; at < c->size; at += SECTOR) {
            size_t part = c->size - at < SECTOR ? c->size - at : SECTOR;
            struct change *torn = malloc(sizeof(*torn) + part);
            if (torn == NULL)
                abort();
            *torn = (struct change){.offset = c->offset + (int64_t)at, .size = part};
            memcpy(torn->bytes, c->bytes + at, part);
            if (vd_test_random(seed) % 2 == 0)
                apply(&f->content, &f->size, torn);
            free(torn);
        }
    }
}

void vd_faulty_cut(uint64_t seed)
{
    vd_faulty_disarm();
    for (uint32_t i = 0; i < file_count; i++) {
        struct disk_file *f = &files[i];
        FILE *out;
        /* Nobody renamed it away (the store puts its first file in place so). */
        if (access(f->path, F_OK) != 0 && !f->removed)
            continue;
        unlink(f->path);
        if (!f->sure && (f->removed || vd_test_random(&seed) % 2 == 0))
            continue;
        if (f->removed && vd_test_random(&seed) % 2 == 0)
            continue;
        apply_some(f, f->lost, &seed);
        apply_some(f, f->first, &seed);
        out = fopen(f->path, "wb");
        if (out == NULL || (f->size != 0 && fwrite(f->content, 1, f->size, out) != f->size) ||
            fclose(out) != 0)
            abort();
    }
    for (uint32_t i = 0; i < file_count; i++) {
        char shm[300];
        snprintf(shm, sizeof(shm), "%s-shm", files[i].path);
        unlink(shm);
    }
    vd_faulty_arm(VD_FAULT_NONE, 0);
}
