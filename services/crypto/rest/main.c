/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * veridian-cryptod-rest: the front process of the key service's web interface. The key process
 * starts it and gives it clients through a control connection; it ends with that.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <malloc.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/abi/crypto.h"
#include "lib/cli/cli.h"
#include "lib/confine.h"
#include "lib/diagf.h"
#include "lib/file.h"
#include "lib/ipc/socket.h"
#include "lib/sys.h"
#include "services/crypto/rest/http.h"

#define LOOK_MS 1000u
#define ARENAS  4

struct args {
    uint32_t control, timeout;
};

static const struct vd_cli_option options[] = {
    {"control", 0, VD_CLI_U32, offsetof(struct args, control),
     "descriptor of the connection to the key process", "FD", NULL, true},
    {"timeout", 0, VD_CLI_U32, offsetof(struct args, timeout),
     "seconds that a request may take to come", "N", "30", false},
    {},
};

#define CALL(name)           \
    {                        \
        SYS_##name, -1, 0, 0 \
    }
/* No call that makes a connection or opens a file: what there is came by descriptor. */
static const struct vd_confine_call calls[] = {
    CALL(read),
    CALL(write),
    CALL(writev),
    CALL(recvfrom),
    CALL(sendto),
    CALL(recvmsg),
    CALL(sendmsg),
    CALL(poll),
    CALL(ppoll),
    CALL(close),
    CALL(shutdown),
    CALL(fcntl),
    CALL(getsockopt),
    CALL(setsockopt),
    CALL(getsockname),
    CALL(getpeername),
    CALL(eventfd2),
    CALL(fstat),
    CALL(lseek),
    CALL(memfd_create),
    CALL(ftruncate),
    CALL(mmap),
    CALL(munmap),
    CALL(mremap),
    CALL(mprotect),
    CALL(madvise),
    CALL(brk),
    CALL(futex),
    CALL(rt_sigreturn),
    CALL(rt_sigprocmask),
    CALL(rt_sigaction),
    CALL(sigaltstack),
    CALL(clock_gettime),
    CALL(gettimeofday),
    CALL(clock_nanosleep),
    CALL(nanosleep),
    CALL(getrandom),
    CALL(getpid),
    CALL(gettid),
    CALL(getuid),
    CALL(geteuid),
    CALL(sched_yield),
    CALL(sched_getaffinity),
    CALL(tgkill),
    CALL(set_robust_list),
    CALL(rseq),
    CALL(exit),
    CALL(exit_group),
    CALL(restart_syscall),
    {SYS_clone, 0, CLONE_THREAD, CLONE_THREAD},
    {SYS_openat, VD_CONFINE_REFUSED, 0, 0}, /* libc looks how memory is accounted */
    {SYS_newfstatat, 3, 0, AT_EMPTY_PATH},  /* fstat() */
    {SYS_prctl, 0, 0, PR_SET_NAME},
    {SYS_ioctl, 1, 0, 0x5401}, /* TCGETS: isatty(), before a message gets colours */
    {SYS_ioctl, 1, 0, 0x5421}, /* FIONBIO */
};

static vd_status confine(struct vd_diag *diag)
{
    const struct rlimit none = {};
    bool landlock;

    tzset();                      /* what it reads cannot be read later */
    json_object_seed(0);          /* nor this from /dev/urandom */
    mallopt(M_ARENA_MAX, ARENAS); /* nor how many processors there are */
    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return vd_sys_errno(diag, errno, "cannot forbid core dumps", NULL);
    VD_TRY(vd_confine_user(NULL, diag));
    VD_TRY(vd_confine_files(NULL, 0, &landlock, diag));
    if (!landlock)
        fputs("veridian-cryptod-rest: this kernel has no Landlock\n", stderr);
    return vd_confine_calls(calls, VD_COUNT(calls), diag);
}

/* A client comes in two frames of one number. */
struct arrival {
    uint32_t id;
    int client;
};

static void take(struct vd_rest_http *http, struct arrival *a, struct vd_ipc_frame *frame)
{
    struct vd_diag why = {};

    if (frame->service != VD_IPC_SERVICE_KEY || frame->verb != VD_KEY_ADOPT) {
        vd_fd_close(&frame->fd);
        return;
    }
    if (a->client < 0 || frame->id != a->id) {
        vd_fd_close(&a->client); /* its second frame was lost */
        *a = (struct arrival){frame->id, frame->fd};
        return;
    }
    if (frame->status != VD_OK && vd_ipc_diag_parse(frame, &why) != VD_OK && why.status == VD_OK)
        why.status = VD_E_MISSING;
    if (frame->fd < 0 && why.status == VD_OK)
        why.status = VD_E_MISSING;
    vd_rest_http_add(http, a->client, frame->fd, &why);
    a->client = -1;
}

static vd_status serve(struct vd_rest_http *http, int control, struct vd_diag *diag)
{
    static struct vd_ipc_buffer buffer;
    struct arrival a = {.client = -1};
    struct vd_ipc_frame frame;
    vd_status status;

    for (;;) {
        status = vd_ipc_receive(control, &buffer, vd_ipc_deadline(LOOK_MS), &frame, diag);
        if (status == VD_OK)
            take(http, &a, &frame);
        else if (status != VD_E_TIMEOUT)
            break;
        vd_rest_http_tend(http);
    }
    vd_fd_close(&a.client);
    return status == VD_E_MISSING ? VD_OK : status;
}

static int run(const struct vd_cli_call *call)
{
    const struct args *args = call->args;
    struct vd_rest_http *http = NULL;
    struct vd_diag diag = {}, ignored = {};
    vd_status status = confine(&diag);

    if (status == VD_OK)
        status = vd_rest_http_new(args->timeout, &http, &diag);
    if (status == VD_OK)
        status = serve(http, (int)args->control, &ignored);
    vd_rest_http_free(http);
    return vd_cli_report(status, &diag);
}

static const struct vd_cli_command rest = {
    .name = "veridian-cryptod-rest",
    .usage = "--control FD [--timeout N]",
    .summary = "reads HTTP and JSON for veridian-cryptod, which starts it",
    .details = "It is of no use alone: veridian-cryptod --rest PATH.",
    .options = options,
    .args_size = sizeof(struct args),
    .run = run,
};

int main(int argc, char **argv)
{
    return vd_cli_run(&rest, VD_VERSION, argc, argv);
}
