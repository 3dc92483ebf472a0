/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One attempt, and how the kernel answered it.
 *
 *     probe ACTION [ARG…]
 *
 * Exit code 0: the kernel let it through; else the errno with which it refused
 * (125: no such action). In its confined domain nearly everything must be
 * refused, though it runs as root with every capability; the same attempts in a
 * trusted domain, and without a policy, are let through.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

/* linux/fs.h and older versions of sys/mount.h exclude each other. */
#define FS_IOC_SETFLAGS _IOW('f', 2, long)
#define FS_IOC_GETFLAGS _IOR('f', 1, long)
#define FS_NODUMP_FL    0x40

struct attempt {
    const char *name;
    int (*run)(char **arg); /* 0 or an errno */
    int args;
    const char *usage;
};

static int result(long ret)
{
    return ret < 0 ? errno : 0;
}

static int open_as(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0644);

    if (fd < 0)
        return errno;
    close(fd);
    return 0;
}

static int try_read(char **arg)
{
    char byte;
    int fd = open(arg[0], O_RDONLY | O_CLOEXEC);
    int ret;

    if (fd < 0)
        return errno;
    ret = result(read(fd, &byte, 1));
    close(fd);
    return ret;
}

static int try_write(char **arg)
{
    return open_as(arg[0], O_WRONLY);
}

static int try_append(char **arg)
{
    return open_as(arg[0], O_WRONLY | O_APPEND);
}

static int try_create(char **arg)
{
    return open_as(arg[0], O_WRONLY | O_CREAT | O_EXCL);
}

static int try_truncate(char **arg)
{
    return result(truncate(arg[0], 0));
}

/* Empties the file although the descriptor is for reading. */
static int try_open_truncate(char **arg)
{
    return open_as(arg[0], O_RDONLY | O_TRUNC);
}

/* Neither for reading nor for writing: for ioctl. */
static int try_open_neither(char **arg)
{
    return open_as(arg[0], O_ACCMODE);
}

static int try_chmod(char **arg)
{
    return result(chmod(arg[0], 0640));
}

static int command_on(const char *path, unsigned long command, int flags)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), ret;

    if (fd < 0)
        return errno;
    ret = result(ioctl(fd, command, &flags));
    close(fd);
    return ret;
}

static int try_chattr(char **arg)
{
    return command_on(arg[0], FS_IOC_SETFLAGS, FS_NODUMP_FL);
}

static int try_ioctl(char **arg)
{
    return command_on(arg[0], FS_IOC_GETFLAGS, 0);
}

static int try_watch(char **arg)
{
    return result(inotify_add_watch(inotify_init1(IN_CLOEXEC), arg[0], IN_OPEN));
}

/* Standard input as the caller left it. */
static int try_stdin(char **arg)
{
    (void)arg;
    return result(write(0, "\n", 1));
}

static int try_mkdir(char **arg)
{
    return result(mkdir(arg[0], 0755));
}

static int try_rmdir(char **arg)
{
    return result(rmdir(arg[0]));
}

static int try_symlink(char **arg)
{
    return result(symlink("target", arg[0]));
}

static int try_mknod(char **arg)
{
    return result(mknod(arg[0], S_IFIFO | 0644, 0));
}

static int try_link(char **arg)
{
    return result(link(arg[0], arg[1]));
}

static int try_unlink(char **arg)
{
    return result(unlink(arg[0]));
}

static int try_rename(char **arg)
{
    return result(rename(arg[0], arg[1]));
}

/* Runs a program to its end; the exec's own failure, not the program's, counts. */
static int try_exec(char **arg)
{
    int pipes[2], number = 0;
    pid_t pid;

    if (pipe2(pipes, O_CLOEXEC) != 0)
        return errno;
    pid = fork();
    if (pid < 0)
        return errno;
    if (pid == 0) {
        execl(arg[0], arg[0], "nothing", (char *)NULL);
        number = errno;
        _exit(write(pipes[1], &number, sizeof(number)) < 0 ? 1 : 0);
    }
    close(pipes[1]);
    if (read(pipes[0], &number, sizeof(number)) <= 0)
        number = 0;
    close(pipes[0]);
    waitpid(pid, NULL, 0);
    return number;
}

static int map_file(const char *path, int prot, int flags)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    void *at;
    int ret = 0;

    if (fd < 0)
        return errno;
    at = mmap(NULL, 4096, prot, flags, fd, 0);
    if (at == MAP_FAILED)
        ret = errno;
    close(fd);
    return ret;
}

static int try_map_exec(char **arg)
{
    return map_file(arg[0], PROT_READ | PROT_EXEC, MAP_PRIVATE);
}

static int try_execmem(char **arg)
{
    (void)arg;
    return result((long)mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == -1
                      ? -1
                      : 0);
}

static int try_mprotect(char **arg)
{
    void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)arg;
    if (at == MAP_FAILED)
        return errno;
    memset(at, 0xc3, 16);
    return result(mprotect(at, 4096, PROT_READ | PROT_EXEC));
}

/* A program that was never a file anyone labelled: from memory alone. */
static int try_memfd_exec(char **arg)
{
    char path[64];
    char *next[1] = {path};
    int from = open(arg[0], O_RDONLY | O_CLOEXEC);
    int fd = memfd_create("program", 0);
    char block[65536];
    ssize_t got;

    if (from < 0 || fd < 0)
        return errno;
    while ((got = read(from, block, sizeof(block))) > 0) {
        if (write(fd, block, (size_t)got) != got)
            return errno;
    }
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return try_exec(next);
}

static int try_relabel(char **arg)
{
    return result(setxattr(arg[0], "security.bpf.veridian", arg[1], strlen(arg[1]), 0));
}

static int try_unlabel(char **arg)
{
    return result(removexattr(arg[0], "security.bpf.veridian"));
}

static int try_umount(char **arg)
{
    return result(umount2(arg[0], MNT_DETACH));
}

static int try_mount(char **arg)
{
    return result(mount("tmpfs", arg[0], "tmpfs", 0, NULL));
}

static int try_mount_disk(char **arg)
{
    return result(mount(arg[1], arg[2], arg[0], 0, NULL));
}

static int try_bind(char **arg)
{
    return result(mount(arg[0], arg[1], NULL, MS_BIND, NULL));
}

static int try_remount(char **arg)
{
    return result(mount(NULL, arg[0], NULL, MS_REMOUNT | MS_RDONLY, NULL));
}

/* A mount that never gets a place in the tree: reachable by its descriptor. */
static int try_fsmount(char **arg)
{
    int fs = (int)syscall(SYS_fsopen, arg[0], 0u);

    if (fs < 0 || syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) != 0)
        return errno;
    return result(syscall(SYS_fsmount, fs, 0u, 0u));
}

static int try_reconfigure(char **arg)
{
    int fs = (int)syscall(SYS_fspick, AT_FDCWD, arg[0], 0u);

    if (fs < 0)
        return errno;
    return result(syscall(SYS_fsconfig, fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
}

static int try_pivot(char **arg)
{
    return result(syscall(SYS_pivot_root, arg[0], arg[0]));
}

static int bpf_call(int command, union bpf_attr *attr)
{
    long fd = syscall(SYS_bpf, command, attr, sizeof(*attr));

    if (fd < 0)
        return errno;
    if (fd > 2)
        close((int)fd);
    return 0;
}

static int try_bpf_map(char **arg)
{
    union bpf_attr attr = {
        .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};

    (void)arg;
    return bpf_call(BPF_MAP_CREATE, &attr);
}

static int try_bpf_prog(char **arg)
{
    struct bpf_insn program[] = {
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0},
        {.code = BPF_JMP | BPF_EXIT},
    };
    union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
                           .insn_cnt = 2,
                           .insns = (uintptr_t)program,
                           .license = (uintptr_t) "GPL"};

    (void)arg;
    return bpf_call(BPF_PROG_LOAD, &attr);
}

static int try_bpf_get(char **arg)
{
    union bpf_attr attr = {.pathname = (uintptr_t)arg[0]};

    return bpf_call(BPF_OBJ_GET, &attr);
}

static int by_id(char **arg, int next, int get)
{
    union bpf_attr attr = {};
    int ret = bpf_call(next, &attr);

    (void)arg;
    if (ret != 0)
        return ret;
    attr.start_id = attr.next_id;
    attr.next_id = 0;
    return bpf_call(get, &attr);
}

static int try_bpf_map_id(char **arg)
{
    return by_id(arg, BPF_MAP_GET_NEXT_ID, BPF_MAP_GET_FD_BY_ID);
}

static int try_bpf_prog_id(char **arg)
{
    return by_id(arg, BPF_PROG_GET_NEXT_ID, BPF_PROG_GET_FD_BY_ID);
}

static int try_bpf_link_id(char **arg)
{
    return by_id(arg, BPF_LINK_GET_NEXT_ID, BPF_LINK_GET_FD_BY_ID);
}

static int try_ptrace(char **arg)
{
    return result(ptrace(PTRACE_SEIZE, (pid_t)atoi(arg[0]), NULL, NULL));
}

static int try_traceme(char **arg)
{
    (void)arg;
    return result(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int try_kill(char **arg)
{
    return result(kill((pid_t)atoi(arg[0]), atoi(arg[1])));
}

/* Leaves a process named "sleeper" behind, the aim of what follows. */
static int try_sleeper(char **arg)
{
    pid_t pid = fork();

    (void)arg;
    if (pid < 0)
        return errno;
    if (pid > 0)
        return 0;
    (void)prctl(PR_SET_NAME, "sleeper");
    for (int fd = 0; fd < 3; fd++)
        close(fd);
    for (;;)
        pause();
}

/* The first process with that name; 0: there is none. */
static pid_t find_process(const char *name)
{
    char path[64], text[64];

    for (pid_t pid = 1; pid < 32768; pid++) {
        ssize_t got;
        int fd;
        snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            continue;
        got = read(fd, text, sizeof(text));
        close(fd);
        if (got == (ssize_t)strlen(name) + 1 && strncmp(text, name, strlen(name)) == 0)
            return pid;
    }
    return 0;
}

static int try_setrlimit(char **arg)
{
    struct rlimit limit = {.rlim_cur = 1 << 20, .rlim_max = RLIM_INFINITY};
    pid_t pid = find_process(arg[0]);

    return pid == 0 ? ESRCH : result(prlimit(pid, RLIMIT_FSIZE, &limit, NULL));
}

static int try_setsched(char **arg)
{
    struct sched_param param = {};
    pid_t pid = find_process(arg[0]);

    return pid == 0 ? ESRCH : result(sched_setscheduler(pid, SCHED_IDLE, &param));
}

static int try_setnice(char **arg)
{
    pid_t pid = find_process(arg[0]);

    return pid == 0 ? ESRCH : result(setpriority(PRIO_PROCESS, (id_t)pid, 10));
}

/* Kills without kill(): as the signal of an input that has come. EACCES: it lives on. */
static int try_sigio(char **arg)
{
    pid_t pid = find_process(arg[0]);
    struct pollfd p = {.fd = (int)syscall(SYS_pidfd_open, pid, 0u), .events = POLLIN};
    int pipes[2];

    if (pid == 0 || p.fd < 0 || pipe2(pipes, O_CLOEXEC) != 0)
        return ESRCH;
    if (fcntl(pipes[0], F_SETOWN, pid) != 0 || fcntl(pipes[0], F_SETSIG, SIGKILL) != 0 ||
        fcntl(pipes[0], F_SETFL, O_ASYNC) != 0 || write(pipes[1], "x", 1) != 1)
        return errno;
    return poll(&p, 1, 1000) == 1 ? 0 : EACCES;
}

static int try_ports(char **arg)
{
    (void)arg;
    return result(ioperm(0x80, 1, 1));
}

static int try_fork(char **arg)
{
    pid_t pid = fork();

    (void)arg;
    if (pid == 0)
        _exit(0);
    if (pid < 0)
        return errno;
    waitpid(pid, NULL, 0);
    return 0;
}

/* ENOEXEC means that the policy let it come to the module's own bytes. */
static int try_module(char **arg)
{
    char junk[64] = {};
    int ret = result(syscall(SYS_init_module, junk, sizeof(junk), ""));

    (void)arg;
    return ret == ENOEXEC ? 0 : ret;
}

static int try_module_file(char **arg)
{
    int fd = open(arg[0], O_RDONLY | O_CLOEXEC);
    int ret;

    if (fd < 0)
        return errno;
    ret = result(syscall(SYS_finit_module, fd, "", 0));
    close(fd);
    return ret == ENOEXEC || ret == EEXIST ? 0 : ret;
}

static const struct attempt attempts[] = {
    {"nothing", try_fork, 0, ""},
    {"read", try_read, 1, "FILE"},
    {"write", try_write, 1, "FILE"},
    {"append", try_append, 1, "FILE"},
    {"create", try_create, 1, "FILE"},
    {"truncate", try_truncate, 1, "FILE"},
    {"open-truncate", try_open_truncate, 1, "FILE"},
    {"open-neither", try_open_neither, 1, "FILE"},
    {"chmod", try_chmod, 1, "FILE"},
    {"chattr", try_chattr, 1, "FILE"},
    {"ioctl", try_ioctl, 1, "FILE"},
    {"watch", try_watch, 1, "FILE"},
    {"stdin", try_stdin, 0, ""},
    {"mkdir", try_mkdir, 1, "DIR"},
    {"rmdir", try_rmdir, 1, "DIR"},
    {"symlink", try_symlink, 1, "PATH"},
    {"mknod", try_mknod, 1, "PATH"},
    {"link", try_link, 2, "OLD NEW"},
    {"unlink", try_unlink, 1, "FILE"},
    {"rename", try_rename, 2, "OLD NEW"},
    {"exec", try_exec, 1, "PROGRAM"},
    {"map-exec", try_map_exec, 1, "FILE"},
    {"execmem", try_execmem, 0, ""},
    {"mprotect", try_mprotect, 0, ""},
    {"memfd-exec", try_memfd_exec, 1, "PROGRAM"},
    {"relabel", try_relabel, 2, "FILE CONTEXT"},
    {"unlabel", try_unlabel, 1, "FILE"},
    {"umount", try_umount, 1, "DIR"},
    {"mount", try_mount, 1, "DIR"},
    {"mount-disk", try_mount_disk, 3, "TYPE DEVICE DIR"},
    {"bind", try_bind, 2, "FROM TO"},
    {"remount", try_remount, 1, "DIR"},
    {"fsmount", try_fsmount, 1, "TYPE"},
    {"reconfigure", try_reconfigure, 1, "DIR"},
    {"pivot", try_pivot, 1, "DIR"},
    {"bpf-map", try_bpf_map, 0, ""},
    {"bpf-prog", try_bpf_prog, 0, ""},
    {"bpf-get", try_bpf_get, 1, "PIN"},
    {"bpf-map-id", try_bpf_map_id, 0, ""},
    {"bpf-prog-id", try_bpf_prog_id, 0, ""},
    {"bpf-link-id", try_bpf_link_id, 0, ""},
    {"ptrace", try_ptrace, 1, "PID"},
    {"traceme", try_traceme, 0, ""},
    {"kill", try_kill, 2, "PID SIGNAL"},
    {"sleeper", try_sleeper, 0, ""},
    {"setrlimit", try_setrlimit, 1, "NAME"},
    {"setsched", try_setsched, 1, "NAME"},
    {"setnice", try_setnice, 1, "NAME"},
    {"sigio", try_sigio, 1, "NAME"},
    {"ports", try_ports, 0, ""},
    {"fork", try_fork, 0, ""},
    {"module", try_module, 0, ""},
    {"module-file", try_module_file, 1, "FILE"},
};

int main(int argc, char **argv)
{
    bool no_new_privs = argc > 1 && strcmp(argv[1], "--no-new-privs") == 0;
    char **args = argv + 1 + no_new_privs;
    int count = argc - 1 - no_new_privs;

    if (no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return errno;
    for (size_t i = 0; count > 0 && i < sizeof(attempts) / sizeof(attempts[0]); i++) {
        if (strcmp(args[0], attempts[i].name) == 0 && count == 1 + attempts[i].args)
            return attempts[i].run(args + 1);
    }
    fprintf(stderr, "usage: probe [--no-new-privs] ACTION [ARG]\n");
    for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++)
        fprintf(stderr, "  %s %s\n", attempts[i].name, attempts[i].usage);
    return 125;
}
