/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "services/crypto/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "lib/confine.h"
#include "lib/file.h"
#include "lib/sys.h"

#define CALL(name)           \
    {                        \
        SYS_##name, -1, 0, 0 \
    }
static const struct vd_confine_call calls[] = {
    CALL(read),
    CALL(pread64),
    CALL(write),
    CALL(pwrite64),
    CALL(writev),
    CALL(close),
    CALL(openat),
    CALL(open),
    CALL(fstat),
    CALL(newfstatat),
    CALL(stat),
    CALL(lstat),
    CALL(fstatfs),
    CALL(lseek),
    CALL(fcntl),
    CALL(getdents64),
    CALL(access),
    CALL(faccessat),
    CALL(faccessat2),
    CALL(readlink),
    CALL(readlinkat),
    CALL(getcwd),
    CALL(fsync),
    CALL(fdatasync),
    CALL(ftruncate),
    CALL(fallocate),
    CALL(flock),
    CALL(fchmod),
    CALL(fchown),
    CALL(utimensat),
    CALL(rename),
    CALL(renameat),
    CALL(renameat2),
    CALL(unlink),
    CALL(unlinkat),
    CALL(munmap),
    CALL(mremap),
    CALL(madvise),
    CALL(mlock),
    CALL(mlock2),
    CALL(munlock),
    CALL(memfd_create),
    CALL(memfd_secret),
    CALL(brk),
    CALL(poll),
    CALL(ppoll),
    CALL(accept4),
    /* A front process' connection, and where systemd connects from. */
    {SYS_socketpair, 0, 0, AF_UNIX},
    CALL(getpeername),
    CALL(recvmsg),
    CALL(sendmsg),
    CALL(connect),
    CALL(shutdown),
    CALL(getsockopt),
    CALL(futex),
    CALL(rt_sigreturn),
    CALL(rt_sigprocmask),
    CALL(rt_sigaction),
    CALL(sigaltstack),
    CALL(clock_gettime),
    CALL(clock_nanosleep),
    CALL(nanosleep),
    CALL(gettimeofday),
    CALL(getrandom),
    CALL(getpid),
    CALL(gettid),
    CALL(getuid),
    CALL(geteuid),
    CALL(getgid),
    CALL(getegid),
    CALL(sched_getaffinity),
    CALL(sched_yield),
    CALL(sysinfo),
    CALL(uname),
    CALL(tgkill),
    CALL(set_robust_list),
    CALL(rseq),
    CALL(exit),
    CALL(exit_group),
    CALL(restart_syscall),
    /* To a TPM behind a socket, or a device that is asked whether it is one; to nobody by address. */
    {SYS_sendto, 4, 0, 0},
    /* To the audit daemon and the security server. */
    {SYS_socket, 0, 0, AF_UNIX},
    /* Memory, but no new code in it: what is to run has been mapped. */
    {SYS_mmap, 2, PROT_EXEC, 0},
    {SYS_mprotect, 2, PROT_EXEC, 0},
    /* A thread for each connection, never another process. */
    {SYS_clone, 0, CLONE_THREAD, CLONE_THREAD},
    /* isatty(), asked before a message gets colours. */
    {SYS_ioctl, 1, 0, TCGETS},
};

/* The device of a TPM, which is opened again when it is needed; -1: it is none, or not there. */
static int open_device(const char *tpm)
{
    if (tpm == NULL || (strncmp(tpm, "device:", 7) != 0 && tpm[0] != '/'))
        return -1;
    return open(tpm[0] == '/' ? tpm : tpm + 7, O_PATH | O_CLOEXEC);
}

/* A simulator of a TPM is reached over a socket. */
static vd_status confine_calls(const char *tpm, struct vd_diag *diag)
{
    static const struct vd_confine_call more[] = {
        CALL(sendto), CALL(recvfrom), CALL(setsockopt), {SYS_socket, 0, 0, AF_INET}};
    struct vd_confine_call all[VD_COUNT(calls) + VD_COUNT(more)];
    uint32_t count = VD_COUNT(calls);

    vd_copy(all, calls, sizeof(calls));
    if (tpm != NULL && strncmp(tpm, "swtpm:", 6) == 0) {
        vd_copy(all + count, more, sizeof(more));
        count +=
            (uint32_t)(strncmp(tpm, "swtpm:path=", 11) == 0 ? VD_COUNT(more) - 1 : VD_COUNT(more));
    }
    return vd_confine_calls(all, count, diag);
}

vd_status vd_keyd_confine(const char *store, const char *tpm, struct vd_diag *diag)
{
    int dir VD_AUTO(vd_fd_close) = open(store, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int random VD_AUTO(vd_fd_close) = open("/proc/sys/kernel/random", O_PATH | O_CLOEXEC);
    int device VD_AUTO(vd_fd_close) = open_device(tpm);
    const struct vd_confine_dir dirs[] = {{dir, true}, {random, false}, {device, true}};
    bool landlock;

    if (dir < 0)
        return vd_sys_errno(diag, errno, "cannot open the store's directory", store);
    VD_TRY(vd_confine_files(dirs, VD_COUNT(dirs), &landlock, diag));
    if (!landlock)
        fputs("veridian-cryptod: this kernel has no Landlock: files are not confined\n", stderr);
    return confine_calls(tpm, diag);
}
