/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "kernel/loader/internal.h"

#include "lib/diagf.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define VD_PIDFD_THREAD O_EXCL

static vd_status label_task(struct vd_loader *loader, pid_t tid, uint32_t sid, struct vd_diag *diag)
{
    struct vd_task_label label = {.sid = sid};
    VD_AUTO(vd_fd_close) int fd = (int)syscall(SYS_pidfd_open, tid, VD_PIDFD_THREAD);

    if (fd < 0 && errno == EINVAL)
        fd = (int)syscall(SYS_pidfd_open, tid, 0); /* before threads had descriptors */
    if (fd < 0 && errno == ESRCH)
        return VD_OK;
    if (fd < 0)
        return vd_diagf_errno(diag, VD_E_SYSTEM, errno, "cannot open task %d", (int)tid);
    return vd_loader_put(loader->kernel->maps.vd_tasks, &fd, &label, diag);
}

/* True for a thread of the kernel: it has no program. */
static bool is_kernel_thread(const char *pid)
{
    char path[64];
    char target[2];

    snprintf(path, sizeof(path), "/proc/%.20s/exe", pid);
    return readlink(path, target, sizeof(target)) < 0 && errno == ENOENT;
}

static vd_status label_threads(struct vd_loader *loader, const char *pid, struct vd_diag *diag)
{
    char path[64];
    struct dirent *entry;
    vd_status status = VD_OK;
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%.20s/task", pid);
    dir = opendir(path);
    if (dir == NULL)
        return VD_OK; /* ended meanwhile */
    while (status == VD_OK && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9')
            status = label_task(loader, (pid_t)strtol(entry->d_name, NULL, 10), VD_SID_INIT, diag);
    }
    closedir(dir);
    return status;
}

/*
 * The kernel's threads are known to the programs by their flag. Whatever else
 * runs already gets the initial context of PID 1, as it was started by it.
 */
vd_status vd_loader_tasks(struct vd_loader *loader, struct vd_diag *diag)
{
    DIR *proc = opendir("/proc");
    vd_status status = VD_OK;
    struct dirent *entry;

    if (proc == NULL)
        return vd_diagf_errno(diag, VD_E_MISSING, errno, "cannot read /proc");
    loader->facts.user_processes = 0;
    while (status == VD_OK && (entry = readdir(proc)) != NULL) {
        if (entry->d_name[0] < '0' || entry->d_name[0] > '9' || is_kernel_thread(entry->d_name))
            continue;
        status = label_threads(loader, entry->d_name, diag);
        if (strtol(entry->d_name, NULL, 10) != getpid())
            loader->facts.user_processes++;
    }
    closedir(proc);
    return status;
}

static vd_status guard_id(struct vd_loader *loader, uint32_t kind, uint32_t id, uint32_t value,
                          struct vd_diag *diag)
{
    struct vd_guard_key key = {.kind = kind, .id = id};

    return vd_loader_put(loader->kernel->maps.vd_guarded, &key, &value, diag);
}

vd_status vd_loader_guard(struct vd_loader *loader, struct vd_diag *diag)
{
    struct bpf_program *program;
    struct bpf_map *map;

    bpf_object__for_each_map(map, loader->kernel->obj)
    {
        struct bpf_map_info info = {};
        uint32_t size = sizeof(info);
        bool events =
            map == loader->kernel->maps.vd_events || map == loader->kernel->maps.vd_event_counters;
        if (bpf_obj_get_info_by_fd(bpf_map__fd(map), &info, &size) != 0)
            return vd_diagf_errno(diag, VD_E_SYSTEM, errno, "cannot ask for the map %s",
                                  bpf_map__name(map));
        VD_TRY(guard_id(loader, VD_GUARD_MAP, info.id, events ? VD_GUARD_EVENTS : VD_GUARD_CORE,
                        diag));
    }
    bpf_object__for_each_program(program, loader->kernel->obj)
    {
        struct bpf_prog_info info = {};
        uint32_t size = sizeof(info);
        if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size) != 0)
            return vd_diagf_errno(diag, VD_E_SYSTEM, errno, "cannot ask for the program %s",
                                  bpf_program__name(program));
        VD_TRY(guard_id(loader, VD_GUARD_PROGRAM, info.id, VD_GUARD_CORE, diag));
    }
    return VD_OK;
}
