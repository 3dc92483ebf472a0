/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * veridian-securityd: options, start-up order, readiness. The work is server.c's.
 *
 * Order: listen, become the user, open the store, load the policy in force,
 * confine, say "ready", take the first connection.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <malloc.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cli/cli.h"
#include "lib/confine.h"
#include "lib/daemon.h"
#include "lib/diagf.h"
#include "lib/sys.h"
#include "services/security/server.h"

#define LARGE_BYTES (1 << 20)

struct args {
    const char *store;
    const char *socket;
    const char *policy;
    const char *peers;
    const char *kernel;
    const char *audit;
    const char *user;
    const char *socket_mode;
    struct vd_cli_list admins;
    uint32_t ready_fd;
    bool foreground;
};

static const struct vd_cli_option options[] = {
    {"store", 0, VD_CLI_TEXT, offsetof(struct args, store), "directory of the policies", "DIR",
     NULL, true},
    {"socket", 0, VD_CLI_TEXT, offsetof(struct args, socket), "where clients connect", "PATH",
     VD_SEC_SOCKET, false},
    {"socket-mode", 0, VD_CLI_TEXT, offsetof(struct args, socket_mode),
     "file mode of the socket, octal", "MODE", "0666", false},
    {"policy", 0, VD_CLI_TEXT, offsetof(struct args, policy),
     "the first policy, for a store that has none", "POLICY.vpol", NULL, false},
    {"peers", 0, VD_CLI_TEXT, offsetof(struct args, peers),
     "contexts of clients by user id; then the policy decides who may do what", "FILE", NULL,
     false},
    {"kernel", 0, VD_CLI_TEXT, offsetof(struct args, kernel),
     "pinned maps of the kernel's enforcement, which says the clients' contexts (default: " VD_KERNEL_PIN_DIR
     ", if it is there)",
     "DIR", NULL, false},
    {"admin", 0, VD_CLI_LIST, offsetof(struct args, admins),
     "user that may change the policy (default: 0 alone)", "UID", NULL, false},
    {"audit", 0, VD_CLI_TEXT, offsetof(struct args, audit),
     "socket of the audit daemon; without it nothing is recorded", "PATH", NULL, false},
    {"user", 0, VD_CLI_TEXT, offsetof(struct args, user), "user and group to become", "UID:GID",
     NULL, false},
    {"ready-fd", 0, VD_CLI_U32, offsetof(struct args, ready_fd),
     "descriptor to which \"ready\" is written, with --foreground", "FD", NULL, false},
    {"foreground", 0, VD_CLI_FLAG, offsetof(struct args, foreground),
     "stay in the foreground; else return once the daemon is ready", NULL, NULL, false},
    {},
};

#define CALL(name)           \
    {                        \
        SYS_##name, -1, 0, 0 \
    }
static const struct vd_confine_call calls[] = {
    CALL(read),
    CALL(pread64),
    CALL(write),
    CALL(writev),
    CALL(close),
    CALL(openat),
    CALL(fstat),
    CALL(newfstatat),
    CALL(lseek),
    CALL(fcntl),
    CALL(getdents64),
    CALL(faccessat),
    CALL(faccessat2),
    CALL(fsync),
    CALL(renameat),
    CALL(unlinkat),
    CALL(mmap),
    CALL(munmap),
    CALL(mremap),
    CALL(mprotect),
    CALL(madvise),
    CALL(brk),
    CALL(epoll_wait),
    CALL(epoll_pwait),
    CALL(epoll_ctl),
    CALL(poll),
    CALL(ppoll),
    CALL(accept4),
    CALL(recvmsg),
    CALL(sendmsg),
    CALL(connect),
    CALL(getsockopt),
    CALL(futex),
    CALL(rt_sigreturn),
    CALL(rt_sigprocmask),
    CALL(rt_sigaction),
    CALL(clock_gettime),
    CALL(clock_nanosleep),
    CALL(nanosleep),
    CALL(getrandom),
    CALL(getpid),
    CALL(gettid),
    CALL(getuid),
    CALL(sched_getaffinity),
    CALL(sysinfo),
    CALL(getgid),
    CALL(tgkill),
    CALL(set_robust_list),
    CALL(rseq),
    CALL(exit),
    CALL(exit_group),
    CALL(restart_syscall),
    /* To the audit daemon. */
    {SYS_socket, 0, 0, AF_UNIX},
    /* The thread of a change of policy, never another process. */
    {SYS_clone, 0, CLONE_THREAD, CLONE_THREAD},
    /* Labels of clients: reading maps, nothing else of bpf(2). */
    {SYS_bpf, 0, 0, BPF_MAP_LOOKUP_ELEM},
    /* isatty(), asked before a message gets colours. */
    {SYS_ioctl, 1, 0, TCGETS},
};

static vd_status parse_admins(const struct args *args, struct vd_secd *s, struct vd_diag *diag)
{
    if (args->admins.count > VD_SECD_ADMINS_MAX)
        return vd_diagf(diag, VD_E_LIMIT, "at most %u --admin", VD_SECD_ADMINS_MAX);
    s->admin_count = args->admins.count;
    for (uint32_t i = 0; i < args->admins.count; i++) {
        const char *word = args->admins.item[i];
        char *end;
        unsigned long uid = strtoul(word, &end, 10);
        if (word[0] < '0' || word[0] > '9' || *end != '\0' || uid >= UINT32_MAX)
            return vd_diagf(diag, VD_E_USAGE, "--admin %s: expected a user id", word);
        s->admins[i] = (uint32_t)uid;
    }
    if (s->admin_count == 0)
        s->admins[s->admin_count++] = 0;
    return VD_OK;
}

static vd_status parse_mode(const struct args *args, struct vd_secd *s, struct vd_diag *diag)
{
    char *end;
    unsigned long mode = strtoul(args->socket_mode, &end, 8);

    if (args->socket_mode[0] < '0' || args->socket_mode[0] > '7' || *end != '\0' || mode > 0777)
        return vd_diagf(diag, VD_E_USAGE, "--socket-mode %s: expected an octal file mode",
                        args->socket_mode);
    s->socket_mode = (uint32_t)mode;
    return VD_OK;
}

/* The store must belong to the user that will write there. */
static vd_status prepare_store(const struct args *args, struct vd_diag *diag)
{
    uint32_t uid, gid;

    if (mkdir(args->store, 0700) != 0 && errno != EEXIST)
        return vd_sys_errno(diag, errno, "cannot make the store's directory", args->store);
    if (args->user == NULL)
        return VD_OK;
    VD_TRY(vd_confine_user_parse(args->user, &uid, &gid, diag));
    if (lchown(args->store, uid, gid) != 0)
        return vd_sys_errno(diag, errno, "cannot give the store to the user", args->store);
    return VD_OK;
}

static vd_status confine(const struct vd_secd *s, struct vd_diag *diag)
{
    const struct vd_confine_dir dirs[] = {
        {s->store.dir, true}, {open("/proc/sys/kernel/random", O_PATH | O_CLOEXEC), false}};
    int proc VD_AUTO(vd_fd_close) = dirs[1].fd;
    bool landlock;

    VD_TRY(vd_confine_files(dirs, VD_COUNT(dirs), &landlock, diag));
    if (!landlock)
        fputs("veridian-securityd: this kernel has no Landlock: files are not confined\n", stderr);
    return vd_confine_calls(calls, VD_COUNT(calls), diag);
}

static vd_status serve(struct vd_secd *s, const struct args *args, struct vd_diag *diag)
{
    int notify VD_AUTO(vd_fd_close) = vd_daemon_notify_socket();

    VD_TRY(vd_daemon_signals(&s->signals, diag));
    if (args->peers != NULL)
        VD_TRY(vd_peers_load(args->peers, &s->peers, diag));
    VD_TRY(vd_secd_kernel_open(args->kernel, &s->kernel, diag));
    VD_TRY(prepare_store(args, diag));
    VD_TRY(vd_secd_start(s, diag));
    VD_TRY(vd_confine_user(args->user, diag));
    VD_TRY(vd_secd_open(s, args->store, args->policy, diag));
    VD_TRY(confine(s, diag));
    VD_TRY(vd_daemon_ready(notify, args->ready_fd, diag));
    return vd_secd_run(s, diag);
}

static int run_daemon(void *ctx, uint32_t ready_fd)
{
    struct args *args = ctx;
    struct vd_diag diag = {};
    struct vd_secd *s;
    vd_status status;

    /* A policy that is given up goes back to the system, however often one is loaded. */
    mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
    s = calloc(1, sizeof(*s));
    if (s == NULL)
        return vd_cli_report(VD_E_NO_MEMORY, NULL);
    args->ready_fd = ready_fd;
    s->listener = s->epoll = s->signals = s->store.dir = s->page.fd = s->audit.fd = -1;
    s->kernel.tasks = s->kernel.contexts = -1;
    s->socket_path = args->socket;
    s->audit_path = args->audit;
    status = parse_admins(args, s, &diag);
    if (status == VD_OK)
        status = parse_mode(args, s, &diag);
    if (status == VD_OK)
        status = serve(s, args, &diag);
    vd_secd_done(s);
    free(s);
    return vd_cli_report(status, &diag);
}

static vd_status check_call(const struct args *args, struct vd_diag *diag)
{
    uint32_t uid, gid;

    if (args->user != NULL)
        VD_TRY(vd_confine_user_parse(args->user, &uid, &gid, diag));
    return vd_daemon_check_ready_fd(args->ready_fd, args->foreground, diag);
}

static int run(const struct vd_cli_call *call)
{
    struct args args = *(const struct args *)call->args;
    struct vd_diag diag = {};

    if (check_call(&args, &diag) != VD_OK)
        return vd_cli_report(VD_E_USAGE, &diag);
    return args.foreground ? run_daemon(&args, args.ready_fd)
                           : vd_daemon_background(run_daemon, &args);
}

static const struct vd_cli_command securityd = {
    .name = "veridian-securityd",
    .usage = "--store DIR [OPTION]...",
    .summary = "decides for user-space object managers under the policy in force",
    .details =
        "Clients register subjects and objects with their contexts and ask what the policy\n"
        "allows (lib/secclient). The policy in force is kept in the store; it is changed with\n"
        "veridian policy load, rollback and booleans, by administrators alone, and where clients\n"
        "have contexts only as the policy in force allows it (class security). What was acknowledged\n"
        "survives a kill; a policy that does not verify is refused and changes nothing.\n"
        "\n"
        "Exit codes: 0 stopped in order, or ready in the background; 2 the call, a policy or the\n"
        "store is wrong; 4 a fault.\n"
        "\n"
        "Example: veridian-securityd --store /var/lib/veridian/security \\\n"
        "             --policy /etc/veridian/policy.vpol",
    .options = options,
    .args_size = sizeof(struct args),
    .run = run,
};

int main(int argc, char **argv)
{
    return vd_cli_run(&securityd, VD_VERSION, argc, argv);
}
