/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * veridian-cryptod: options, start-up order, readiness. The work is server.c's.
 *
 * Order: no core dumps, listen, become the user, root key, store, audit daemon, security server,
 * confine, say "ready", take the first connection.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cli/cli.h"
#include "lib/confine.h"
#include "lib/daemon.h"
#include "lib/diagf.h"
#include "lib/file.h"
#include "lib/sys.h"
#include "services/crypto/confine.h"
#include "services/crypto/front.h"
#include "services/crypto/rootkey.h"
#include "services/crypto/server.h"

#define LOCKED_BYTES (256u << 20) /* secrets in memory, where the limit may be raised */
#define FILES        65536u

enum root { ROOT_TPM, ROOT_HSM, ROOT_PASSPHRASE };
enum choice { CHOICE_BY_ROOT, CHOICE_OFF, CHOICE_ON };

struct args {
    const char *store;
    const char *socket;
    const char *socket_mode;
    const char *passphrase_file;
    const char *tpm, *pcrs, *authority, *approval, *pin_file;
    const char *hsm_module, *hsm_key;
    const char *peers;
    const char *security_socket;
    const char *audit_socket;
    const char *label;
    const char *user;
    const char *rest, *rest_user;
    const char *credentials, *credentials_key;
    uint32_t rest_timeout;
    uint32_t root, mac, audit, counter;
    uint32_t cache_seconds, max_clients, ready_fd;
    bool accept_restored, accept_clock, foreground;
};

static const struct vd_cli_option options[] = {
    {"store", 0, VD_CLI_TEXT, offsetof(struct args, store), "directory of the keys", "DIR", NULL,
     true},
    {"socket", 0, VD_CLI_TEXT, offsetof(struct args, socket), "where clients connect", "PATH",
     VD_KEY_SOCKET, false},
    {"socket-mode", 0, VD_CLI_TEXT, offsetof(struct args, socket_mode),
     "file mode of the socket, octal", "MODE", "0666", false},
    {"root", 0, VD_CLI_CHOICE, offsetof(struct args, root), "what the root key hangs on",
     "tpm|hsm|passphrase", "tpm", false},
    {"passphrase-file", 0, VD_CLI_TEXT, offsetof(struct args, passphrase_file),
     "file with the passphrase on its first line", "FILE", NULL, false},
    {"tpm", 0, VD_CLI_TEXT, offsetof(struct args, tpm), "the TPM (default: the machine's)", "NAME",
     NULL, false},
    {"pcrs", 0, VD_CLI_TEXT, offsetof(struct args, pcrs),
     "PCRs whose state a new root key is sealed to", "LIST", NULL, false},
    {"authority", 0, VD_CLI_TEXT, offsetof(struct args, authority),
     "public key whose owner approves the states of a new root key", "PEM", NULL, false},
    {"approval", 0, VD_CLI_TEXT, offsetof(struct args, approval),
     "the authority's approval of this state", "FILE", NULL, false},
    {"counter", 0, VD_CLI_U32, offsetof(struct args, counter),
     "NV index of a new root key's counter", "INDEX", NULL, false},
    {"pin-file", 0, VD_CLI_TEXT, offsetof(struct args, pin_file),
     "file with the PIN of the TPM's object or of the token", "FILE", NULL, false},
    {"hsm-module", 0, VD_CLI_TEXT, offsetof(struct args, hsm_module), "PKCS #11 module", "PATH",
     NULL, false},
    {"hsm-key", 0, VD_CLI_TEXT, offsetof(struct args, hsm_key),
     "key in a token that wraps the root key", "URI", NULL, false},
    {"mac", 0, VD_CLI_CHOICE, offsetof(struct args, mac),
     "whether the policy in force decides who may do what (by-root: required, unless the root is "
     "a passphrase)",
     "by-root|off|require", "by-root", false},
    {"peers", 0, VD_CLI_TEXT, offsetof(struct args, peers),
     "contexts of clients by user id, where the kernel tells none", "FILE", NULL, false},
    {"security-socket", 0, VD_CLI_TEXT, offsetof(struct args, security_socket),
     "socket of the security server (default: the usual one)", "PATH", NULL, false},
    {"audit", 0, VD_CLI_CHOICE, offsetof(struct args, audit),
     "whether every operation is recorded (by-root: required, unless the root is a passphrase)",
     "by-root|off|required", "by-root", false},
    {"audit-socket", 0, VD_CLI_TEXT, offsetof(struct args, audit_socket),
     "socket of the audit daemon (default: the usual one)", "PATH", NULL, false},
    {"label", 0, VD_CLI_TEXT, offsetof(struct args, label), "label of keys that name none",
     "CONTEXT", "system_u:object_r:key_t:s0", false},
    {"cache-seconds", 0, VD_CLI_U32, offsetof(struct args, cache_seconds),
     "how long a key stays in memory after its last use", "N", "300", false},
    {"max-clients", 0, VD_CLI_U32, offsetof(struct args, max_clients), "connections at a time", "N",
     "256", false},
    {"accept-restored-store", 0, VD_CLI_FLAG, offsetof(struct args, accept_restored),
     "start although the store is older than its last change", NULL, NULL, false},
    {"accept-clock", 0, VD_CLI_FLAG, offsetof(struct args, accept_clock),
     "start although the clock is behind the store's latest time", NULL, NULL, false},
    {"user", 0, VD_CLI_TEXT, offsetof(struct args, user), "user and group to become", "UID:GID",
     NULL, false},
    {"rest", 0, VD_CLI_TEXT, offsetof(struct args, rest),
     "where the web interface listens (default: nowhere)", "PATH", NULL, false},
    {"rest-user", 0, VD_CLI_TEXT, offsetof(struct args, rest_user),
     "user and group of the web interface's process (default: those of --user)", "UID:GID", NULL,
     false},
    {"rest-timeout", 0, VD_CLI_U32, offsetof(struct args, rest_timeout),
     "seconds that a web request may take to come", "N", "30", false},
    {"credentials", 0, VD_CLI_TEXT, offsetof(struct args, credentials),
     "where the service manager asks for units' secrets (default: nowhere)", "PATH", NULL, false},
    {"credentials-key", 0, VD_CLI_TEXT, offsetof(struct args, credentials_key),
     "the key that has them", "NAME", "credentials", false},
    {"ready-fd", 0, VD_CLI_U32, offsetof(struct args, ready_fd),
     "descriptor to which \"ready\" is written, with --foreground", "FD", NULL, false},
    {"foreground", 0, VD_CLI_FLAG, offsetof(struct args, foreground),
     "stay in the foreground; else return once the daemon is ready", NULL, NULL, false},
    {},
};

static bool is_on(const struct args *args, uint32_t choice)
{
    return choice == CHOICE_BY_ROOT ? args->root != ROOT_PASSPHRASE : choice == CHOICE_ON;
}

static void say(const char *text)
{
    fprintf(stderr, "veridian-cryptod: %s\n", text);
}

/* Nothing of the process' memory ever reaches a disk. */
static vd_status forbid_dumps(struct vd_diag *diag)
{
    const struct rlimit none = {};

    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return vd_sys_errno(diag, errno, "cannot forbid core dumps", NULL);
    return VD_OK;
}

/* As much as is allowed; what is missing shows when it is needed. */
static void raise_limit(__rlimit_resource_t what, rlim_t wanted)
{
    struct rlimit limit;

    if (getrlimit(what, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    if (limit.rlim_max < wanted) {
        const struct rlimit both = {wanted, wanted};
        if (setrlimit(what, &both) == 0)
            return;
        wanted = limit.rlim_max;
    }
    limit.rlim_cur = wanted;
    (void)!setrlimit(what, &limit);
}

static vd_status parse_mode(const struct args *args, mode_t *ret, struct vd_diag *diag)
{
    char *end;
    unsigned long mode = strtoul(args->socket_mode, &end, 8);

    if (args->socket_mode[0] < '0' || args->socket_mode[0] > '7' || *end != '\0' || mode > 0777)
        return vd_diagf(diag, VD_E_USAGE, "--socket-mode %s: expected an octal file mode",
                        args->socket_mode);
    *ret = (mode_t)mode;
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

/* What helps if the status is `which` and nobody gave better advice. */
static vd_status advise(vd_status status, vd_status which, const char *hint, struct vd_diag *diag)
{
    if (status == which && hint != NULL)
        vd_diagf_hint(diag, "%s", hint);
    return status;
}

static vd_status open_root(struct vd_keyd *s, const struct args *args, struct vd_diag *diag)
{
    static const struct {
        enum vd_root_kind kind;
        enum vd_key_root told;
    } roots[] = {
        [ROOT_TPM] = {VD_ROOT_TPM, VD_KEY_ROOT_TPM},
        [ROOT_HSM] = {VD_ROOT_HSM, VD_KEY_ROOT_HSM},
        [ROOT_PASSPHRASE] = {VD_ROOT_PASSPHRASE, VD_KEY_ROOT_PASSPHRASE},
    };
    const struct vd_keyd_root_options o = {.kind = roots[args->root].kind,
                                           .store = args->store,
                                           .passphrase_file = args->passphrase_file,
                                           .tpm = args->tpm,
                                           .pcrs = args->pcrs,
                                           .authority = args->authority,
                                           .approval = args->approval,
                                           .pin_file = args->pin_file,
                                           .counter = args->counter,
                                           .hsm_module = args->hsm_module,
                                           .hsm_key = args->hsm_key};

    s->root_kind = roots[args->root].told;
    return advise(
        vd_keyd_root_key(&o, &s->root_key, &s->root, diag), VD_E_DENIED,
        args->root == ROOT_TPM
            ? "the root key opens in the state it was sealed to alone: boot that one; with "
              "--authority its owner could approve this one"
            : NULL,
        diag);
}

/* A wrong --store, or keys that somebody removed, should not pass unnoticed. */
static bool is_empty(const char *directory)
{
    char path[PATH_MAX];

    return snprintf(path, sizeof(path), "%s/keys.db", directory) < (int)sizeof(path) &&
           access(path, F_OK) != 0;
}

static vd_status open_store(struct vd_keyd *s, const struct args *args, struct vd_diag *diag)
{
    struct vd_kstore_options o = {.directory = args->store,
                                  .root = &s->root_key,
                                  .now = vd_keyd_now(),
                                  .flags = VD_KSTORE_CREATE};

    if (is_empty(args->store))
        say("there are no keys in the store's directory: a new store is made");
    s->counter =
        (struct vd_kstore_counter){s->root, vd_root_counter_read, vd_root_counter_increment};
    if (vd_root_has_counter(s->root))
        o.counter = &s->counter;
    else
        say("without a counter an older copy of the store would not be noticed");
    if (args->accept_restored)
        o.flags |= VD_KSTORE_ACCEPT_RESTORED;
    if (args->accept_clock)
        o.flags |= VD_KSTORE_ACCEPT_CLOCK;
    return vd_kstore_open(&o, &s->store, diag);
}

static vd_status open_audit(struct vd_keyd *s, const struct args *args, struct vd_diag *diag)
{
    if (!is_on(args, args->audit)) {
        say("--audit off: NOTHING THAT IS DONE WITH KEYS IS RECORDED");
        return VD_OK;
    }
    s->audit.options = (struct vd_auditring_options){.socket = args->audit_socket,
                                                     .server_uid = VD_AUDITRING_ANY_UID};
    return advise(
        vd_keyd_audit_open(&s->audit, diag), VD_E_MISSING,
        "start veridian-auditd first (--log DIR --socket PATH; --ring none where there is "
        "no kernel side), or say --audit off",
        diag);
}

static vd_status open_policy(struct vd_keyd *s, const struct args *args, struct vd_diag *diag)
{
    const struct vd_secclient_options o = {.socket = args->security_socket,
                                           .server_uid = VD_SECCLIENT_ANY_UID};

    if (!is_on(args, args->mac)) {
        say("--mac off: NO POLICY DECIDES; only root and the service's own user may connect");
        return VD_OK;
    }
    if (args->peers != NULL)
        VD_TRY(vd_peers_load(args->peers, &s->peers, diag));
    VD_TRY(vd_secclient_new(&o, &s->policy, diag));
    return advise(vd_secclient_connect(s->policy, diag), VD_E_MISSING,
                  "start veridian-securityd first (--store DIR --policy POLICY.vpol), or say --mac "
                  "off",
                  diag);
}

/* The TPM as it was opened: for the sandbox. */
static const char *tpm_of(const struct args *args)
{
    const char *name = args->tpm != NULL ? args->tpm : getenv("VERIDIAN_TPM");

    return name != NULL && name[0] != '\0' ? name : "device:/dev/tpmrm0";
}

/* The front process starts before there is anything that it must not have. */
static vd_status open_web(struct vd_keyd *s, const struct args *args, mode_t mode,
                          struct vd_diag *diag)
{
    const struct vd_keyd_front_options o = {
        .user = args->rest_user != NULL ? args->rest_user : args->user,
        .timeout_s = args->rest_timeout,
    };

    s->credentials_key = args->credentials_key;
    if (args->credentials != NULL)
        VD_TRY(vd_ipc_listen_stream(args->credentials, 0600, &s->credentials, diag));
    if (args->rest == NULL)
        return VD_OK;
    VD_TRY(vd_ipc_listen_stream(args->rest, mode, &s->web, diag));
    return vd_keyd_front_start(&o, &s->front, diag);
}

static vd_status serve(struct vd_keyd *s, const struct args *args, struct vd_diag *diag)
{
    int notify VD_AUTO(vd_fd_close) = vd_daemon_notify_socket();
    mode_t mode = 0;

    raise_limit(RLIMIT_MEMLOCK, LOCKED_BYTES);
    raise_limit(RLIMIT_NOFILE, FILES);
    VD_TRY(parse_mode(args, &mode, diag));
    VD_TRY(vd_daemon_signals(&s->signals, diag));
    VD_TRY(prepare_store(args, diag));
    VD_TRY(vd_ipc_listen(args->socket, mode, &s->listener, diag));
    VD_TRY(open_web(s, args, mode, diag));
    VD_TRY(vd_confine_user(args->user, diag));
    VD_TRY(forbid_dumps(diag)); /* once more: another user starts with what the system says */
    VD_TRY(vd_alg_new(&s->alg, diag));
    VD_TRY(open_root(s, args, diag));
    VD_TRY(open_store(s, args, diag));
    VD_TRY(open_audit(s, args, diag));
    VD_TRY(open_policy(s, args, diag));
    VD_TRY(vd_keyd_prepare(s, diag));
    VD_TRY(vd_keyd_confine(args->store, vd_root_has_counter(s->root) ? tpm_of(args) : NULL, diag));
    VD_TRY(vd_daemon_ready(notify, args->ready_fd, diag));
    return vd_keyd_run(s, diag);
}

static int run_daemon(void *ctx, uint32_t ready_fd)
{
    struct args *args = ctx;
    struct vd_diag diag = {};
    struct vd_keyd *s;
    vd_status status;

    s = calloc(1, sizeof(*s));
    if (s == NULL)
        return vd_cli_report(VD_E_NO_MEMORY, NULL);
    args->ready_fd = ready_fd;
    s->listener = s->signals = s->web = s->front = s->credentials = -1;
    s->label = args->label;
    s->max_clients = args->max_clients;
    s->keys.cache_s = args->cache_seconds;
    if (args->root == ROOT_PASSPHRASE)
        say("--root passphrase: FOR DEVELOPMENT; whoever has the file and the passphrase has all "
            "keys");
    status = serve(s, args, &diag);
    vd_keyd_done(s);
    free(s);
    return vd_cli_report(status, &diag);
}

static vd_status check_call(const struct args *args, struct vd_diag *diag)
{
    uint32_t uid, gid;

    if (args->user != NULL)
        VD_TRY(vd_confine_user_parse(args->user, &uid, &gid, diag));
    if (args->rest_user != NULL)
        VD_TRY(vd_confine_user_parse(args->rest_user, &uid, &gid, diag));
    if (args->rest_timeout == 0 || args->rest_timeout > 3600)
        return vd_diag_fail(diag, VD_E_USAGE, "--rest-timeout: 1 to 3600");
    if (args->max_clients == 0 || args->max_clients > VD_KEYD_CLIENTS_MAX)
        return vd_diagf(diag, VD_E_USAGE, "--max-clients: 1 to %u", VD_KEYD_CLIENTS_MAX);
    if (args->label[0] == '\0' || strlen(args->label) > VD_KEY_LABEL_MAX)
        return vd_diagf(diag, VD_E_USAGE, "--label: 1 to %u bytes", VD_KEY_LABEL_MAX);
    return vd_daemon_check_ready_fd(args->ready_fd, args->foreground, diag);
}

static int run(const struct vd_cli_call *call)
{
    struct args args = *(const struct args *)call->args;
    struct vd_diag diag = {};
    vd_status status = check_call(&args, &diag);

    /* Before OpenSSL has taken any memory. */
    if (status == VD_OK)
        status = vd_alg_wipe_openssl(&diag);
    if (status == VD_OK)
        status = forbid_dumps(&diag);
    if (status != VD_OK)
        return vd_cli_report(status, &diag);
    return args.foreground ? run_daemon(&args, args.ready_fd)
                           : vd_daemon_background(run_daemon, &args);
}

static const struct vd_cli_command cryptod = {
    .name = "veridian-cryptod",
    .usage = "--store DIR [OPTION]...",
    .summary = "keeps keys and works with them for programs that never see them",
    .details =
        "Clients (veridian key, PKCS #11, the web interface) name keys; the service encrypts,\n"
        "decrypts, signs, verifies, derives and wraps with them, if the policy in force allows\n"
        "it to the caller and the operation can be recorded. The keys lie encrypted in the store,\n"
        "under a root key that a TPM, an HSM or a passphrase protects.\n"
        "\n"
        "Exit codes: 0 stopped in order, or ready in the background; 1 the store is an older one,\n"
        "or its root key cannot be opened here; 2 the call or the store is wrong; 3 the audit\n"
        "daemon, the security server or the TPM is missing; 4 a fault.\n"
        "\n"
        "Example: veridian-cryptod --store /var/lib/veridian/keys --root tpm",
    .options = options,
    .args_size = sizeof(struct args),
    .run = run,
};

int main(int argc, char **argv)
{
    return vd_cli_run(&cryptod, VD_VERSION, argc, argv);
}
