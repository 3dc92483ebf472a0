/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "services/audit/confine.h"

#include <linux/bpf.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "lib/confine.h"

static const struct vd_confine_call calls[] = {
    {SYS_read, -1, 0, 0},
    {SYS_write, -1, 0, 0},
    {SYS_writev, -1, 0, 0},
    {SYS_close, -1, 0, 0},
    {SYS_openat, -1, 0, 0},
    {SYS_fstat, -1, 0, 0},
    {SYS_newfstatat, -1, 0, 0},
    {SYS_lseek, -1, 0, 0},
    {SYS_fcntl, -1, 0, 0},
    {SYS_getdents64, -1, 0, 0},
    {SYS_flock, -1, 0, 0},
    {SYS_fsync, -1, 0, 0},
    {SYS_fdatasync, -1, 0, 0},
    {SYS_renameat2, -1, 0, 0},
    {SYS_unlinkat, -1, 0, 0},
    {SYS_mmap, -1, 0, 0},
    {SYS_munmap, -1, 0, 0},
    {SYS_mremap, -1, 0, 0},
    {SYS_madvise, -1, 0, 0},
    {SYS_brk, -1, 0, 0},
    /* Rings of the services. */
    {SYS_memfd_create, -1, 0, 0},
    {SYS_fallocate, -1, 0, 0},
    {SYS_fstatfs, -1, 0, 0},
    {SYS_mprotect, 2, PROT_EXEC, 0},
    {SYS_set_robust_list, -1, 0, 0},
    {SYS_epoll_create1, -1, 0, 0},
    {SYS_epoll_wait, -1, 0, 0},
    {SYS_epoll_pwait, -1, 0, 0},
    {SYS_epoll_ctl, -1, 0, 0},
    {SYS_accept4, -1, 0, 0},
    {SYS_getsockopt, -1, 0, 0},
    {SYS_recvmsg, -1, 0, 0},
    {SYS_sendmsg, -1, 0, 0},
    {SYS_futex, -1, 0, 0},
    {SYS_rt_sigreturn, -1, 0, 0},
    {SYS_rt_sigprocmask, -1, 0, 0},
    {SYS_clock_gettime, -1, 0, 0},
    {SYS_getrandom, -1, 0, 0},
    {SYS_getpid, -1, 0, 0},
    {SYS_gettid, -1, 0, 0},
    {SYS_tgkill, -1, 0, 0},
    {SYS_exit, -1, 0, 0},
    {SYS_exit_group, -1, 0, 0},
    {SYS_restart_syscall, -1, 0, 0},
    /* Names of contexts and the counters: reading maps, nothing else of bpf(2). */
    {SYS_bpf, 0, 0, BPF_MAP_LOOKUP_ELEM},
    /* isatty(), asked before a message gets colours. */
    {SYS_ioctl, 1, 0, TCGETS},
};

vd_status vd_audit_confine(const struct vd_audit_confinement *c, char *ret_missing, size_t size,
                           struct vd_diag *diag)
{
    const struct vd_confine_dir dirs[] = {{c->log_dir, true}, {c->policy_dir, false}};
    struct vd_text missing;
    bool landlock;

    vd_text_init(&missing, ret_missing, size);
    VD_TRY(vd_confine_files(dirs, VD_COUNT(dirs), &landlock, diag));
    if (!landlock)
        vd_text_str(&missing, "Landlock");
    return vd_confine_calls(calls, VD_COUNT(calls), diag);
}
