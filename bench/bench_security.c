/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The client library against libselinux's access vector cache, as a user-space
 * object manager uses both: a check whose answer is kept, over a few pairs and
 * over many. Then a check that is asked of the server, and a reload.
 */
#define _GNU_SOURCE
#include "bench/bench.h"

#include "bench/selinux_avc.h"
#include "lib/file.h"
#include "lib/secclient/admin.h"
#include "lib/secclient/secclient.h"
#include "tools/sepolicy/sepolicy.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAIRS   SELINUX_AVC_PAIRS
#define ORDER   4096u
#define RELOADS 15u

struct state {
    uint16_t order[ORDER]; /* random: the pairs that are asked, one after another */
    struct vd_secclient *client;
    uint32_t subjects[PAIRS], objects[PAIRS], class;
    struct selinux_avc peer;
    char directory[64], store[96], socket[96], policy[96];
    uint8_t *blob;
    size_t size;
    pid_t server;
};

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "bench_security: %s\n", what);
    exit(1);
}

/* PAIRS source and target types, each source allowed to read its target. */
static void make_policy(struct state *s)
{
    static char text[PAIRS * 256 + 4096];
    const struct vd_sepolicy_options options = {};
    struct vd_sepolicy_source source = {.name = "bench", .text = text};
    struct vd_sepolicy_result result;
    size_t at = 0;

    at += (size_t)snprintf(text, sizeof(text),
                           "class file\nsid kernel\nclass file { read write }\nrole r;\n");
    for (uint32_t i = 0; i < PAIRS; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at,
                               "type s%u_t; type t%u_t; role r types s%u_t;\n"
                               "allow s%u_t t%u_t:file read;\n",
                               i, i, i, i, i);
    at += (size_t)snprintf(text + at, sizeof(text) - at, "user u roles r;\nsid kernel u:r:s0_t\n");
    source.size = at;
    if (vd_sepolicy_compile(&source, 1, &options, &result) != VD_OK ||
        vd_file_store(s->policy, result.blob, result.size, 0600, NULL) != VD_OK)
        give_up("the policy does not compile");
    s->blob = result.blob;
    s->size = result.size;
}

static void start_server(struct state *s)
{
    const char *build = getenv("VD_BUILD_ROOT");
    char path[512], fd[16], word[8];
    int ends[2];

    snprintf(path, sizeof(path), "%s/bin/veridian-securityd", build != NULL ? build : "build");
    if (pipe2(ends, O_CLOEXEC) != 0 || (s->server = fork()) < 0)
        give_up("no process");
    if (s->server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        fcntl(ends[1], F_SETFD, 0);
        snprintf(fd, sizeof(fd), "%d", ends[1]);
        execl(path, path, "--foreground", "--ready-fd", fd, "--store", s->store, "--socket",
              s->socket, "--policy", s->policy, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    if (read(ends[0], word, sizeof(word)) <= 0)
        give_up("the server does not start");
    close(ends[0]);
}

static void open_client(struct state *s)
{
    static const char *const perms[] = {"read", "write"};
    const struct vd_secclient_names names = {"file", perms, 2};
    struct vd_secclient_options options = {.socket = s->socket, .server_uid = VD_SECCLIENT_ANY_UID};
    char context[64];

    if (vd_secclient_new(&options, &s->client, NULL) != VD_OK ||
        vd_secclient_class(s->client, &names, &s->class, NULL) != VD_OK)
        give_up("no client");
    for (uint32_t i = 0; i < PAIRS; i++) {
        snprintf(context, sizeof(context), "u:r:s%u_t", i);
        if (vd_secclient_subject(s->client, context, &s->subjects[i], NULL) != VD_OK)
            give_up("no subject");
        snprintf(context, sizeof(context), "u:object_r:t%u_t", i);
        if (vd_secclient_object(s->client, context, &s->objects[i], NULL) != VD_OK)
            give_up("no object");
        if (!vd_secclient_check(s->client, s->subjects[i], s->objects[i], s->class, 1))
            give_up("a check is refused");
    }
}

static void run_kept(void *ctx, uint64_t ops)
{
    struct state *s = ctx;

    for (uint64_t i = 0; i < ops; i++) {
        uint32_t at = s->order[i % ORDER];
        bool allowed = vd_secclient_check(s->client, s->subjects[at], s->objects[at], s->class, 1);
        if (!allowed)
            give_up("a check is refused");
        VD_BENCH_KEEP(allowed);
    }
}

static void run_peer(void *ctx, uint64_t ops)
{
    struct state *s = ctx;
    struct selinux_decision d;

    for (uint64_t i = 0; i < ops; i++) {
        uint32_t at = s->order[i % ORDER];
        if (s->peer.avc_has_perm_noaudit(s->peer.sources[at], s->peer.targets[at], 1, 1, NULL,
                                         &d) != 0)
            give_up("the peer refuses a check");
        VD_BENCH_KEEP(d.allowed);
    }
}

static void run_asked(void *ctx, uint64_t ops)
{
    struct state *s = ctx;
    struct vd_secclient_answer answer = {};

    for (uint64_t i = 0; i < ops; i++) {
        uint32_t at = s->order[i % ORDER];
        struct vd_secclient_question q = {s->subjects[at], s->objects[at], s->class, 1};
        if (vd_secclient_ask(s->client, &q, &answer, NULL) != VD_OK || !answer.allowed)
            give_up("a check is refused");
    }
}

static double now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Times that include another process: by the clock, the median. */
static void report_wall(struct state *s)
{
    struct vd_secadmin_load load = {.data = s->blob, .size = s->size};
    struct vd_secadmin_result result;
    double times[RELOADS];
    double start;

    start = now_us();
    run_asked(s, 20'000);
    vd_bench_report("security.check.asked", (now_us() - start) / 20'000, "us/op by the clock", NULL,
                    0, 0, 1);
    for (uint32_t i = 0; i < RELOADS; i++) {
        start = now_us();
        if (vd_secadmin_load(s->socket, &load, &result, NULL) != VD_OK)
            give_up("a reload is refused");
        times[i] = now_us() - start;
    }
    qsort(times, RELOADS, sizeof(times[0]), by_value);
    vd_bench_report("security.reload.acknowledged", times[RELOADS / 2], "us by the clock", NULL, 0,
                    0, RELOADS);
}

static void clean_up(struct state *s)
{
    char command[256];

    vd_secclient_free(s->client);
    kill(s->server, SIGTERM);
    waitpid(s->server, NULL, 0);
    free(s->blob);
    snprintf(command, sizeof(command), "rm -rf '%s'", s->directory);
    (void)!system(command);
}

int main(void)
{
    static const struct {
        const char *name;
        uint32_t pairs;
    } cases[] = {{"security.check.kept.10pairs", 10}, {"security.check.kept.400pairs", PAIRS}};
    static struct state s = {.directory = "/tmp/bench-security-XXXXXX"};
    bool peer = selinux_avc_open(&s.peer);

    if (mkdtemp(s.directory) == NULL)
        give_up("no directory");
    snprintf(s.store, sizeof(s.store), "%s/store", s.directory);
    snprintf(s.socket, sizeof(s.socket), "%s/socket", s.directory);
    snprintf(s.policy, sizeof(s.policy), "%s/policy.vpol", s.directory);
    make_policy(&s);
    start_server(&s);
    open_client(&s);
    if (!peer)
        printf("# libselinux is not here, or does not start: no peer\n");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct vd_bench bench = {
            .name = cases[i].name, .unit = "ns/op", .run = run_kept, .ctx = &s};

        for (uint32_t n = 0; n < ORDER; n++)
            s.order[n] = (uint16_t)(random() % cases[i].pairs);
        if (peer) {
            bench.peer_name = "libselinux";
            bench.peer_run = run_peer;
            bench.peer_ctx = &s;
        }
        vd_bench_run(&bench);
    }
    report_wall(&s);
    clean_up(&s);
    return 0;
}
