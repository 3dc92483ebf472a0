/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "tests/support/cryptod.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/file.h"
#include "services/crypto/root/root.h"
#include "tests/harness.h"

#define ASK_MS 30000u

struct cryptod cryptod;
struct vd_ipc_frame cryptod_answer;
static struct vd_ipc_buffer spare;
static uint32_t runs;

/* A root key whose passphrase costs little: daemons start by the hundred. */
static void make_root(const char *passphrase, size_t size)
{
    VD_AUTO(vd_secret_done) struct vd_secret secret = {};
    VD_AUTO(vd_secret_done) struct vd_secret key = {};
    struct vd_root_options options = {
        .kind = VD_ROOT_PASSPHRASE, .passphrase = &secret, .scrypt_log_n = 10};
    struct vd_root *root = NULL;
    char path[192];

    snprintf(path, sizeof(path), "%s/root.key", cryptod.store);
    options.path = path;
    VD_EXPECT(mkdir(cryptod.store, 0700) == 0);
    VD_EXPECT_EQ(vd_secret_set(&secret, passphrase, size, NULL), VD_OK);
    VD_EXPECT_EQ(vd_root_create(&options, &key, &root, NULL), VD_OK);
    vd_root_free(root);
}

void cryptod_prepare(void)
{
    static const char passphrase[] = "correct horse battery staple\n";

    if (cryptod.pid != 0)
        cryptod_kill();
    cryptod = (struct cryptod){};
    snprintf(cryptod.dir, sizeof(cryptod.dir), "%s/keys%u", vd_test_tmpdir(), runs++);
    VD_EXPECT(mkdir(cryptod.dir, 0755) == 0);
    VD_EXPECT(chmod(cryptod.dir, 0755) == 0 && chmod(vd_test_tmpdir(), 0755) == 0);
    snprintf(cryptod.store, sizeof(cryptod.store), "%s/store", cryptod.dir);
    snprintf(cryptod.socket, sizeof(cryptod.socket), "%s/socket", cryptod.dir);
    snprintf(cryptod.passphrase, sizeof(cryptod.passphrase), "%s/passphrase", cryptod.dir);
    VD_EXPECT_EQ(vd_file_store(cryptod.passphrase, passphrase, sizeof(passphrase) - 1, 0644, NULL),
                 VD_OK);
    make_root(passphrase, sizeof(passphrase) - 2);
}

static void run_daemon(int ready)
{
    const char *build = getenv("VD_BUILD_ROOT");
    char path[512], number[16];
    const char *words[32] = {"veridian-cryptod",  "--foreground",     "--store",    cryptod.store,
                             "--socket",          cryptod.socket,     "--root",     "passphrase",
                             "--passphrase-file", cryptod.passphrase, "--ready-fd", number};
    size_t count = 12;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    snprintf(path, sizeof(path), "%s/bin/veridian-cryptod", build != NULL ? build : "build");
    snprintf(number, sizeof(number), "%d", ready);
    for (size_t i = 0; cryptod.options[i] != NULL; i++)
        words[count++] = cryptod.options[i];
    execv(path, (char *const *)(uintptr_t)words);
    _exit(126);
}

int cryptod_try_start(void)
{
    int ends[2], status;
    char word[8];
    ssize_t got;

    VD_EXPECT(pipe2(ends, O_CLOEXEC) == 0);
    cryptod.pid = fork();
    VD_EXPECT(cryptod.pid >= 0);
    if (cryptod.pid == 0) {
        fcntl(ends[1], F_SETFD, 0);
        run_daemon(ends[1]);
    }
    close(ends[1]);
    got = read(ends[0], word, sizeof(word));
    close(ends[0]);
    if (got > 0)
        return -1;
    VD_EXPECT(waitpid(cryptod.pid, &status, 0) == cryptod.pid);
    cryptod.pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void cryptod_start(void)
{
    VD_EXPECT_EQ(cryptod_try_start(), -1);
}

static int end(int signal)
{
    int status;
    pid_t pid = cryptod.pid;

    cryptod.pid = 0;
    VD_EXPECT(pid > 0 && kill(pid, signal) == 0 && waitpid(pid, &status, 0) == pid);
    return status;
}

void cryptod_stop(void)
{
    int status = end(SIGTERM);

    VD_EXPECT(WIFEXITED(status));
    VD_EXPECT_EQ(WEXITSTATUS(status), 0);
}

void cryptod_kill(void)
{
    (void)end(SIGKILL);
}

void cryptod_limit_files(uint64_t bytes)
{
    struct rlimit limit;

    VD_EXPECT(prlimit(cryptod.pid, RLIMIT_FSIZE, NULL, &limit) == 0);
    limit.rlim_cur = bytes > limit.rlim_max ? limit.rlim_max : (rlim_t)bytes;
    VD_EXPECT(prlimit(cryptod.pid, RLIMIT_FSIZE, &limit, NULL) == 0);
}

struct vd_keyclient *cryptod_client(void)
{
    const struct vd_keyclient_options options = {.socket = cryptod.socket,
                                                 .server_uid = VD_KEYCLIENT_ANY_UID};
    struct vd_keyclient *client = NULL;
    struct vd_diag diag = {};

    if (vd_keyclient_new(&options, &client, &diag) != VD_OK)
        vd_test_fail(__FILE__, __LINE__, "no client: %s", diag.text);
    return client;
}

struct vd_keyclient_key *cryptod_key(struct vd_keyclient *client, const char *name, uint16_t type,
                                     uint32_t usages)
{
    struct vd_key_attributes attributes = {.type = type, .usages = usages};
    struct vd_keyclient_key *key = NULL;
    uint8_t id[VD_KEY_ID_SIZE];
    struct vd_diag diag = {};
    vd_status status;

    snprintf(attributes.name, sizeof(attributes.name), "%s", name);
    status = vd_keyclient_create(client, &attributes, id, &diag);
    if (status == VD_OK)
        status = vd_keyclient_open(client, name, &key, &diag);
    if (status != VD_OK)
        vd_test_fail(__FILE__, __LINE__, "no key %s: %s: %s", name, vd_status_name(status),
                     diag.text);
    return key;
}

int cryptod_connect(void)
{
    int fd = -1;

    VD_EXPECT_EQ(vd_ipc_connect(cryptod.socket, vd_ipc_deadline(ASK_MS), &fd, NULL), VD_OK);
    return fd;
}

static vd_status ask(int fd, const struct vd_ipc_frame *request, struct vd_ipc_buffer *answer,
                     struct vd_diag *diag)
{
    struct vd_ipc_line line = {.fd = fd, .buffer = answer, .deadline_ns = vd_ipc_deadline(ASK_MS)};

    return vd_ipc_call(&line, request, &cryptod_answer, diag);
}

vd_status cryptod_ask(int fd, uint16_t verb, const struct vd_writer *payload,
                      struct vd_ipc_buffer *answer, struct vd_diag *diag)
{
    static uint32_t id;
    const struct vd_ipc_frame request = {.service = VD_IPC_SERVICE_KEY,
                                         .verb = verb,
                                         .id = ++id,
                                         .payload = payload != NULL ? payload->buf : NULL,
                                         .size = payload != NULL ? payload->len : 0,
                                         .fd = -1};

    return ask(fd, &request, answer != NULL ? answer : &spare, diag);
}

vd_status cryptod_ask_with(int fd, uint16_t verb, const struct vd_writer *payload, int passed,
                           struct vd_diag *diag)
{
    const struct vd_ipc_frame request = {.service = VD_IPC_SERVICE_KEY,
                                         .verb = verb,
                                         .id = 7,
                                         .payload = payload->buf,
                                         .size = payload->len,
                                         .fd = passed};

    return ask(fd, &request, &spare, diag);
}
