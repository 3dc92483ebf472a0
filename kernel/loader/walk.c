/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "kernel/loader/labels.h"

#include "lib/diagf.h"
#include "lib/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#define DEPTH_MAX 64u

static vd_status fail(struct vd_diag *diag, const char *path, const char *text)
{
    int number = errno;

    vd_diag_file(diag, path);
    return vd_diagf_errno(diag, VD_E_IO, number, "%s", text);
}

/* True if the file system labels all its files alike: nothing to do there. */
static bool is_shared(const struct vd_label_walk *walk, uint64_t magic)
{
    for (size_t i = 0; i < walk->fs->count; i++) {
        if (walk->fs->rows[i].key.magic == magic && walk->fs->rows[i].key.kernel_mount == 0)
            return true;
    }
    return false;
}

static vd_status walk_entry(struct vd_label_walk *walk, int parent, const char *name,
                            const char *path, struct vd_diag *diag);

static vd_status walk_names(struct vd_label_walk *walk, DIR *dir, const char *path,
                            struct vd_diag *diag)
{
    char child[PATH_MAX];

    for (;;) {
        struct dirent *entry;

        errno = 0;
        entry = readdir(dir);
        if (entry == NULL)
            return errno == 0 ? VD_OK : fail(diag, path, "cannot read the directory");
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (snprintf(child, sizeof(child), "%s%s%s", path, strcmp(path, "/") == 0 ? "" : "/",
                     entry->d_name) >= (int)sizeof(child)) {
            vd_diag_file(diag, path);
            return vd_diag_fail(diag, VD_E_LIMIT, "a path in this directory is too long");
        }
        VD_TRY(walk_entry(walk, dirfd(dir), entry->d_name, child, diag));
    }
}

static vd_status walk_directory(struct vd_label_walk *walk, int fd, const char *path,
                                struct vd_diag *diag)
{
    int readable = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir;
    vd_status status;

    if (readable < 0)
        return fail(diag, path, "cannot open the directory");
    dir = fdopendir(readable);
    if (dir == NULL) {
        close(readable);
        return fail(diag, path, "cannot open the directory");
    }
    status = walk_names(walk, dir, path, diag);
    closedir(dir);
    return status;
}

static vd_status walk_entry(struct vd_label_walk *walk, int parent, const char *name,
                            const char *path, struct vd_diag *diag)
{
    VD_AUTO(vd_fd_close) int fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    const char *context;
    struct statfs fs;
    struct stat st;

    if (fd < 0 && errno == ENOENT)
        return VD_OK; /* gone meanwhile */
    if (fd < 0)
        return fail(diag, path, "cannot open");
    if (fstat(fd, &st) != 0 || fstatfs(fd, &fs) != 0)
        return fail(diag, path, "cannot look at the file");
    if (is_shared(walk, (uint64_t)fs.f_type & UINT32_MAX))
        return VD_OK;
    if (walk->depth > DEPTH_MAX) {
        vd_diag_file(diag, path);
        return vd_diag_fail(diag, VD_E_LIMIT, "directories are nested too deep");
    }
    context = vd_label_rules_match(walk->rules, path, st.st_mode);
    walk->files++;
    if (context == NULL)
        walk->unmatched++;
    else
        VD_TRY(walk->apply(walk->arg, fd, path, context, diag));
    if (!S_ISDIR(st.st_mode))
        return VD_OK;
    walk->depth++;
    VD_TRY(walk_directory(walk, fd, path, diag));
    walk->depth--;
    return VD_OK;
}

vd_status vd_label_tree(struct vd_label_walk *walk, const char *path, struct vd_diag *diag)
{
    return walk_entry(walk, AT_FDCWD, path, path, diag);
}
