/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "tools/veridian/boot/files.h"

#include "lib/diagf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Notes a failed system call: "WHAT: reason", with the file's name. */
static vd_status fail_errno(struct vd_diag *diag, const char *path, const char *what)
{
    int error = errno;
    vd_status status = error == ENOENT || error == ENOTDIR ? VD_E_NOT_FOUND
                       : error == EEXIST                   ? VD_E_EXISTS
                       : error == ENOSPC                   ? VD_E_NO_SPACE
                       : error == EACCES || error == EPERM ? VD_E_USAGE
                                                           : VD_E_IO;

    vd_diag_file(diag, path);
    return vd_diagf_errno(diag, status, error, "%s", what);
}

vd_status vd_boot_file_store_new(const char *path, mode_t mode, const void *data, size_t size,
                                 struct vd_diag *diag)
{
    VD_AUTO(vd_fd_close) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return fail_errno(diag, path, "cannot make the file");
    if (vd_fd_write(fd, data, size) != VD_OK || fchmod(fd, mode) != 0 || fsync(fd) != 0)
        return fail_errno(diag, path, "cannot write the file");
    return VD_OK;
}

vd_status vd_boot_path(char ret[PATH_MAX], const char *dir, const char *name, struct vd_diag *diag)
{
    int n = snprintf(ret, PATH_MAX, "%s/%s", dir, name);

    if (n < 0 || n >= PATH_MAX)
        return vd_diag_fail(diag, VD_E_LIMIT, "a path is too long");
    return VD_OK;
}

vd_status vd_boot_stage_init(struct vd_boot_stage *stage, const char *final, struct vd_diag *diag)
{
    *stage = (struct vd_boot_stage){};
    if (strlen(final) >= sizeof(stage->final) - 32)
        return vd_diag_fail(diag, VD_E_LIMIT, "the output directory's path is too long");
    strcpy(stage->final, final);
    if (mkdir(final, 0700) == 0)
        stage->made_final = true;
    else if (errno != EEXIST)
        return fail_errno(diag, final, "cannot make the directory");
    VD_TRY(vd_boot_path(stage->dir, final, ".veridian-XXXXXX", diag));
    if (mkdtemp(stage->dir) == NULL) {
        vd_status status = fail_errno(diag, final, "cannot write into the directory");
        stage->dir[0] = '\0';
        vd_boot_stage_done(stage);
        return status;
    }
    return VD_OK;
}

typedef int move_function(const char *from, const char *to);

/* Where the file system cannot do it in one step, whoever called has looked before. */
static int move_new(const char *from, const char *to)
{
    int result = renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);

    return result != 0 && errno == EINVAL ? rename(from, to) : result;
}

static vd_status commit(struct vd_boot_stage *stage, const char *const *names, move_function *move,
                        struct vd_diag *diag)
{
    char from[PATH_MAX];
    char to[PATH_MAX];

    for (; *names != NULL; names++) {
        VD_TRY(vd_boot_path(from, stage->dir, *names, diag));
        VD_TRY(vd_boot_path(to, stage->final, *names, diag));
        if (move(from, to) != 0)
            return fail_errno(diag, to, "cannot move the file into place");
        stage->made_final = false;
    }
    return VD_OK;
}

vd_status vd_boot_stage_commit(struct vd_boot_stage *stage, const char *const *names,
                               struct vd_diag *diag)
{
    return commit(stage, names, rename, diag);
}

vd_status vd_boot_stage_commit_new(struct vd_boot_stage *stage, const char *const *names,
                                   struct vd_diag *diag)
{
    return commit(stage, names, move_new, diag);
}

/* The stage is flat: only files that this program or its children made. */
static void remove_flat(const char *path)
{
    DIR *dir = opendir(path);

    if (dir == NULL)
        return;
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        unlinkat(dirfd(dir), e->d_name, 0);
    closedir(dir);
    rmdir(path);
}

void vd_boot_stage_done(struct vd_boot_stage *stage)
{
    if (stage->dir[0] != '\0')
        remove_flat(stage->dir);
    if (stage->made_final)
        rmdir(stage->final);
    *stage = (struct vd_boot_stage){};
}

/* What a failed child said, its first line, into the diagnostic. */
static vd_status fail_child(const char *name, int messages, struct vd_diag *diag)
{
    char line[200];
    ssize_t n = pread(messages, line, sizeof(line) - 1, 0);

    line[n > 0 ? n : 0] = '\0';
    line[strcspn(line, "\n")] = '\0';
    return vd_diagf(diag, VD_E_SYSTEM, "%s failed: %s", name, line);
}

vd_status vd_boot_spawn(const char *const *argv, const char *package, struct vd_diag *diag)
{
    VD_AUTO(vd_fd_close) int messages = memfd_create("messages", MFD_CLOEXEC);
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int error;
    int state;

    if (messages < 0 || posix_spawn_file_actions_init(&actions) != 0)
        return vd_diag_fail(diag, VD_E_SYSTEM, "cannot prepare to run a program");
    error = setenv("SOURCE_DATE_EPOCH", "0", 0);
    if (error == 0)
        error = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    if (error == 0)
        error = posix_spawn_file_actions_adddup2(&actions, messages, 1);
    if (error == 0)
        error = posix_spawn_file_actions_adddup2(&actions, messages, 2);
    if (error == 0)
        error = posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error == ENOENT)
        return vd_diagf(diag, VD_E_MISSING, "the program %s is needed; package %s has it", argv[0],
                        package);
    if (error != 0)
        return vd_diag_fail(diag, VD_E_SYSTEM, "cannot run a program");
    while (waitpid(pid, &state, 0) < 0) {
        if (errno != EINTR)
            return vd_diag_fail(diag, VD_E_SYSTEM, "cannot wait for a program");
    }
    if (!WIFEXITED(state) || WEXITSTATUS(state) != 0)
        return fail_child(argv[0], messages, diag);
    return VD_OK;
}
