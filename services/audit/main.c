/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * veridian-auditd: options, start-up order, readiness. The work is daemon.c's.
 *
 * Order: open what needs privileges (ring, maps, policy), become the user, open
 * the log, confine, write the first record, say "ready", read the first event.
 */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cli/cli.h"
#include "lib/confine.h"
#include "lib/daemon.h"
#include "lib/diagf.h"
#include "lib/file.h"
#include "services/audit/confine.h"
#include "services/audit/daemon.h"
#include "services/audit/sys.h"

#define PIN_DIR "/sys/fs/bpf/veridian/"
#define NO_RING "none"

struct args {
    const char *ring;
    const char *contexts;
    const char *counters;
    const char *log;
    const char *names;
    const char *user;
    const char *socket;
    struct vd_cli_list producers;
    uint64_t segment_size;
    uint32_t ready_fd;
    bool foreground;
};

static const struct vd_cli_option options[] = {
    {"ring", 0, VD_CLI_TEXT, offsetof(struct args, ring),
     "pinned ring buffer of events; none: there is no kernel side", "PATH",
     PIN_DIR VD_EVENT_RING_PIN, false},
    {"contexts", 0, VD_CLI_TEXT, offsetof(struct args, contexts),
     "pinned map of contexts (default: contexts beside the ring, if it is there)", "PATH", NULL,
     false},
    {"counters", 0, VD_CLI_TEXT, offsetof(struct args, counters),
     "pinned map of counters (default: event_counters beside the ring, if it is there)", "PATH",
     NULL, false},
    {"log", 0, VD_CLI_TEXT, offsetof(struct args, log), "directory of the log", "DIR", NULL, true},
    {"names", 0, VD_CLI_TEXT, offsetof(struct args, names),
     "compiled policy for the names of classes, permissions and contexts", "POLICY.vpol", NULL,
     false},
    {"user", 0, VD_CLI_TEXT, offsetof(struct args, user), "user and group to become", "UID:GID",
     NULL, false},
    {"socket", 0, VD_CLI_TEXT, offsetof(struct args, socket), "where other services send records",
     "PATH", NULL, false},
    {"producer", 0, VD_CLI_LIST, offsetof(struct args, producers),
     "user beside root whose records are taken at the socket", "UID", NULL, false},
    {"segment-size", 0, VD_CLI_U64, offsetof(struct args, segment_size),
     "bytes after which a new segment starts", "BYTES", "67108864", false},
    {"ready-fd", 0, VD_CLI_U32, offsetof(struct args, ready_fd),
     "descriptor to which \"ready\" is written, with --foreground", "FD", NULL, false},
    {"foreground", 0, VD_CLI_FLAG, offsetof(struct args, foreground),
     "stay in the foreground; else return once the daemon is ready", NULL, NULL, false},
    {},
};

/* A map's path: as named, else beside the ring if it is there, else empty. */
static vd_status path_beside(const struct args *args, const char *named, const char *name,
                             char ret[PATH_MAX], struct vd_diag *diag)
{
    const char *slash = strrchr(args->ring, '/');
    int len = slash == NULL ? 0 : (int)(slash - args->ring + 1);
    int size = named != NULL ? snprintf(ret, PATH_MAX, "%s", named)
                             : snprintf(ret, PATH_MAX, "%.*s%s", len, args->ring, name);

    if (size >= PATH_MAX)
        return vd_diag_fail(diag, VD_E_LIMIT, "the path of a map is too long");
    if (named == NULL && access(ret, F_OK) != 0)
        ret[0] = '\0';
    return VD_OK;
}

static vd_status open_kernel_side(struct vd_audit_daemon *d, const struct args *args)
{
    char contexts[PATH_MAX], counters[PATH_MAX];

    if (strcmp(args->ring, NO_RING) == 0)
        return vd_audit_names_init(&d->names, args->names, args->contexts, d->diag);
    VD_TRY(path_beside(args, args->contexts, "contexts", contexts, d->diag));
    VD_TRY(path_beside(args, args->counters, VD_EVENT_COUNTERS_PIN, counters, d->diag));
    VD_TRY(vd_audit_ring_open(&d->ring, args->ring, d->diag));
    if (counters[0] != '\0') {
        d->counters_fd = bpf_obj_get(counters);
        if (d->counters_fd < 0)
            return vd_audit_errno(d->diag, errno, "cannot open the counters", counters);
    }
    return vd_audit_names_init(&d->names, args->names, contexts[0] != '\0' ? contexts : NULL,
                               d->diag);
}

static vd_status listen_for_services(struct vd_audit_daemon *d, const struct args *args)
{
    struct vd_audit_producers *p = &d->producers;

    if (args->socket == NULL && (args->producers.count != 0 || d->ring.fd < 0))
        return vd_diagf(d->diag, VD_E_USAGE, "--producer and --ring none need --socket");
    if (args->producers.count > VD_AUDIT_PRODUCER_UIDS_MAX)
        return vd_diagf(d->diag, VD_E_LIMIT, "at most %u --producer", VD_AUDIT_PRODUCER_UIDS_MAX);
    for (p->uid_count = 0; p->uid_count < args->producers.count; p->uid_count++) {
        const char *word = args->producers.item[p->uid_count];
        char *end;
        unsigned long uid = strtoul(word, &end, 10);
        if (word[0] < '0' || word[0] > '9' || *end != '\0' || uid >= UINT32_MAX)
            return vd_diagf(d->diag, VD_E_USAGE, "--producer %s: expected a user id", word);
        p->uids[p->uid_count] = (uint32_t)uid;
    }
    /* Anybody may knock; who is not a producer is sent away. */
    return args->socket == NULL ? VD_OK : vd_audit_producers_listen(p, args->socket, 0666, d->diag);
}

/* The directory must belong to the user that will write there. */
static vd_status prepare_log_dir(const struct args *args, struct vd_diag *diag)
{
    uint32_t uid, gid;

    if (mkdir(args->log, 0700) != 0 && errno != EEXIST)
        return vd_audit_errno(diag, errno, "cannot make the log's directory", args->log);
    if (args->user == NULL)
        return VD_OK;
    VD_TRY(vd_confine_user_parse(args->user, &uid, &gid, diag));
    if (lchown(args->log, uid, gid) != 0)
        return vd_audit_errno(diag, errno, "cannot give the log's directory to the user",
                              args->log);
    return VD_OK;
}

static vd_status serve(struct vd_audit_daemon *d, const struct args *args)
{
    struct vd_hasher hasher VD_AUTO(vd_hasher_done) = {};
    struct vd_audit_hash hash = vd_audit_sha256(&hasher);
    struct vd_audit_confinement confinement = {};
    int notify VD_AUTO(vd_fd_close) = vd_daemon_notify_socket();
    char missing[64];

    VD_TRY(open_kernel_side(d, args));
    VD_TRY(listen_for_services(d, args));
    VD_TRY(vd_daemon_signals(&d->signals, d->diag));
    VD_TRY(prepare_log_dir(args, d->diag));
    VD_TRY(vd_confine_user(args->user, d->diag));
    vd_audit_daemon_restore(d, args->log, &hash);
    VD_TRY(vd_audit_log_open(&d->log, args->log, args->segment_size, &hash, d->diag));
    confinement.log_dir = vd_audit_log_dir(d->log);
    confinement.policy_dir = d->names.policy_dir;
    VD_TRY(vd_audit_confine(&confinement, missing, sizeof(missing), d->diag));
    VD_TRY(vd_audit_daemon_start(d, missing));
    VD_TRY(vd_daemon_ready(notify, args->ready_fd, d->diag));
    return vd_audit_daemon_run(d);
}

static int run_daemon(const struct args *args)
{
    struct vd_diag diag = {};
    struct vd_audit_daemon *d = calloc(1, sizeof(*d));
    vd_status status;

    if (d == NULL)
        return vd_cli_report(VD_E_NO_MEMORY, NULL);
    d->ring.fd = d->counters_fd = d->signals = d->producers.listener = -1;
    d->names.policy_dir = d->names.contexts_fd = -1;
    d->diag = &diag;
    status = serve(d, args);
    vd_audit_log_free(d->log);
    vd_audit_names_done(&d->names);
    vd_audit_ring_close(&d->ring);
    vd_audit_producers_done(&d->producers);
    vd_fd_close(&d->counters_fd);
    vd_fd_close(&d->signals);
    free(d);
    /* A ring or policy that is not there is missing on this machine, not bad input. */
    if (status == VD_E_NOT_FOUND)
        status = VD_E_MISSING;
    return vd_cli_report(status, &diag);
}

static int run_child(void *ctx, uint32_t ready_fd)
{
    struct args *args = ctx;

    args->ready_fd = ready_fd;
    return run_daemon(args);
}

/* What is wrong whatever the machine has, before anything is opened. */
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
    return args.foreground ? run_daemon(&args) : vd_daemon_background(run_child, &args);
}

static const struct vd_cli_command auditd = {
    .name = "veridian-auditd",
    .usage = "--log DIR [OPTION]...",
    .summary = "writes the kernel's security events into a hash-chained log",
    .details =
        "Every event is on the disk before its room in the ring is given back. Lost events are\n"
        "counted exactly and recorded. SIGTERM drains the ring and closes the segment.\n"
        "Before it reads the first event it drops every capability, sets no_new_privs, and\n"
        "limits itself to the log's directory (Landlock) and to the system calls it needs\n"
        "(seccomp). It becomes another user only with --user. A failed write to the log ends\n"
        "it with exit code 4; nothing is given back to the ring then.\n"
        "\n"
        "Exit codes: 0 stopped in order, or ready in the background; 2 the call, the policy or\n"
        "the log is wrong; 3 the ring is not there; 4 a fault.\n"
        "\n"
        "Example: veridian-auditd --log /var/log/veridian --names /etc/veridian/policy.vpol",
    .options = options,
    .args_size = sizeof(struct args),
    .run = run,
};

int main(int argc, char **argv)
{
    return vd_cli_run(&auditd, VD_VERSION, argc, argv);
}
