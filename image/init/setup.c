/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The first steps of the boot: mounts, console, policy, modules.
 */
#define _GNU_SOURCE
#include "image/init/init.h"

#include "kernel/loader/loader.h"
#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct mount_row {
    const char *type;
    const char *path;
    unsigned long flags;
    const char *options;
};

static const struct mount_row mounts[] = {
    {"proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL},
    {"sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL},
    {"devtmpfs", "/dev", MS_NOSUID | MS_NOEXEC, "mode=0755"},
    {"securityfs", "/sys/kernel/security", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL},
    {"bpf", "/sys/fs/bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700"},
    {"tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=0755,size=64m"},
    {"tmpfs", "/tmp", MS_NOSUID | MS_NODEV, "mode=1777,size=64m"},
};

static void make_directory(const char *path, mode_t mode)
{
    if (mkdir(path, mode) != 0 && errno != EEXIST)
        vd_init_refuse("init-mount", path);
}

void vd_init_mount(void)
{
    int console;

    (void)umask(022);
    for (size_t i = 0; i < VD_COUNT(mounts); i++) {
        const struct mount_row *m = &mounts[i];
        /* The kernel's own file systems bring their mount points with them. */
        if (strncmp(m->path, "/sys/", 5) != 0)
            make_directory(m->path, 0755);
        if (mount(m->type, m->path, m->type, m->flags, m->options) != 0 && errno != EBUSY)
            vd_init_refuse("init-mount", m->path);
        if (strcmp(m->path, "/dev") != 0)
            continue;
        console = open("/dev/console", O_RDWR | O_NOCTTY);
        for (int fd = 0; console >= 0 && fd < 3; fd++)
            (void)dup2(console, fd);
        if (console > 2)
            (void)close(console);
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    make_directory("/run/veridian", 0755);
    make_directory(VD_INIT_EXPORT_DIR, 0755);
    make_directory(VD_INIT_LOG_DIR, 0700);
}

/* True if no module was inserted yet. */
static bool no_modules(void)
{
    VD_AUTO(vd_bytes_free) struct vd_bytes modules = {};

    return vd_file_load("/proc/modules", 1 << 20, &modules, NULL) == VD_OK && modules.size == 0;
}

void vd_init_policy(struct vd_init *init)
{
    struct vd_loader_options options = {
        .policy = VD_INIT_POLICY,
        .file_contexts = VD_INIT_FILE_CONTEXTS,
        .fs_contexts = VD_INIT_FS_CONTEXTS,
        .permissive = init->mode == VD_INIT_PERMISSIVE,
    };
    const struct vd_loader_facts *facts;
    struct vd_loader *loader = NULL;
    struct vd_diag diag = {};

    if (init->mode == VD_INIT_OFF) {
        printf("VERIDIAN: the policy is switched off on the signed command line\n");
        return;
    }
    if (vd_loader_open(&options, &loader, &diag) != VD_OK ||
        vd_loader_label(loader, "/", &diag) != VD_OK || vd_loader_attach(loader, &diag) != VD_OK)
        vd_init_refuse_diag("init-policy", &diag);
    facts = vd_loader_facts(loader);
    vd_init_step(init, "policy-first", facts->user_processes == 0 && no_modules(),
                 "%u programs enforce %llu bytes of policy, %s; %llu files labelled, %llu without "
                 "a label; before that %u other processes and %s",
                 facts->programs, (unsigned long long)facts->policy_size,
                 options.permissive ? "permissive" : "enforcing",
                 (unsigned long long)(facts->files - facts->unmatched),
                 (unsigned long long)facts->unmatched, facts->user_processes,
                 no_modules() ? "no module" : "a module");
    vd_loader_free(loader);
}

void vd_init_module(const char *path)
{
    VD_AUTO(vd_fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    if (syscall(SYS_finit_module, fd, "", 0) != 0 && errno != EEXIST) {
        printf("VERIDIAN: module %s: %s\n", path, strerror(errno));
        return;
    }
    if (access("/sys/firmware/efi/efivars", F_OK) == 0 &&
        mount("efivarfs", "/sys/firmware/efi/efivars", "efivarfs",
              MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, NULL) != 0)
        printf("VERIDIAN: efivarfs: %s\n", strerror(errno));
}
