/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A cached decision against libselinux's access vector cache, without and with
 * its entry references, over a few pairs and over many. Both caches are asked
 * for what they hold; in the peer's place of the kernel stands a function of
 * this program, so that no SELinux need run here.
 */
#define _GNU_SOURCE
#include "bench/bench.h"

#include "core/mac/avc.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_PAIRS 400u
#define SLOTS     8192u
#define PAGE      4096
#define ORDER     4096u

/* What of <selinux/avc.h> and <selinux/selinux.h> the peer needs: its headers may be missing. */
struct peer_decision {
    uint32_t allowed, decided, auditallow, auditdeny;
    unsigned seqno, flags;
};
struct peer_ref {
    void *entry;
};
struct peer {
    void (*set_selinuxmnt)(const char *);
    int (*avc_open)(const void *, unsigned);
    int (*avc_context_to_sid_raw)(const char *, void **);
    int (*avc_has_perm_noaudit)(void *, void *, uint16_t, uint32_t, struct peer_ref *,
                                struct peer_decision *);
};

struct state {
    uint16_t order[ORDER]; /* random: the pairs that are asked, one after another */
    bool by_reference;
    struct vd_avc avc;
    struct peer peer;
    struct vd_mac_key keys[MAX_PAIRS];
    void *sources[MAX_PAIRS], *targets[MAX_PAIRS];
    struct peer_ref refs[MAX_PAIRS];
};

static uint32_t kernel_asked;

/* Found before libselinux's own: the kernel's answer to a miss. */
int security_compute_av_flags_raw(const char *source, const char *target, uint16_t class,
                                  uint32_t requested, struct peer_decision *avd);
int security_compute_av_flags_raw(const char *source, const char *target, uint16_t class,
                                  uint32_t requested, struct peer_decision *avd)
{
    (void)source, (void)target, (void)class;
    kernel_asked++;
    *avd = (struct peer_decision){.allowed = requested | 1, .decided = UINT32_MAX, .seqno = 1};
    return 0;
}

static void run_own(void *ctx, uint64_t ops)
{
    struct state *s = ctx;
    struct vd_avc_stats stats = {};
    struct vd_decision d;

    for (uint64_t i = 0; i < ops; i++) {
        uint32_t at = s->order[i % ORDER];
        if (!vd_avc_lookup(&s->avc, s->keys[at], &stats, &d))
            abort();
        VD_BENCH_KEEP(d.allowed);
    }
}

static void run_peer(void *ctx, uint64_t ops)
{
    struct state *s = ctx;
    struct peer_decision d;

    for (uint64_t i = 0; i < ops; i++) {
        uint32_t at = s->order[i % ORDER];
        if (s->peer.avc_has_perm_noaudit(s->sources[at], s->targets[at],
                                         (uint16_t)s->keys[at].class, 1,
                                         s->by_reference ? &s->refs[at] : NULL, &d) != 0)
            abort();
        VD_BENCH_KEEP(d.allowed);
    }
}

static bool write_file(const char *directory, const char *name, const void *data, size_t size)
{
    char path[256];
    int fd;
    bool good;

    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    good = fd >= 0 && write(fd, data, size) == (ssize_t)size;
    if (fd >= 0)
        close(fd);
    return good;
}

/* The files of selinuxfs that libselinux opens at its start: version 1, enforcing. */
static bool peer_start(struct state *s, const char *directory)
{
    static const uint32_t status[PAGE / 4] = {1, 0, 1};
    char source[64], target[64];

    if (!write_file(directory, "status", status, sizeof(status)) ||
        !write_file(directory, "enforce", "1", 1))
        return false;
    s->peer.set_selinuxmnt(directory);
    if (s->peer.avc_open(NULL, 0) != 0)
        return false;
    for (uint32_t i = 0; i < MAX_PAIRS; i++) {
        (void)snprintf(source, sizeof(source), "system_u:system_r:source%u_t:s0", i);
        (void)snprintf(target, sizeof(target), "system_u:object_r:target%u_t:s0", i);
        if (s->peer.avc_context_to_sid_raw(source, &s->sources[i]) != 0 ||
            s->peer.avc_context_to_sid_raw(target, &s->targets[i]) != 0)
            return false;
    }
    return true;
}

static bool peer_open(struct state *s)
{
    void *library = dlopen("libselinux.so.1", RTLD_NOW);
    char directory[] = "/tmp/bench-avc-XXXXXX";
    const struct {
        const char *name;
        void *at;
    } symbols[] = {{"set_selinuxmnt", &s->peer.set_selinuxmnt},
                   {"avc_open", &s->peer.avc_open},
                   {"avc_context_to_sid_raw", &s->peer.avc_context_to_sid_raw},
                   {"avc_has_perm_noaudit", &s->peer.avc_has_perm_noaudit}};
    char path[64];
    bool good;

    for (size_t i = 0; i < VD_COUNT(symbols); i++) {
        void *found = library == NULL ? NULL : dlsym(library, symbols[i].name);
        if (found == NULL)
            return false;
        memcpy(symbols[i].at, &found, sizeof(found));
    }
    if (mkdtemp(directory) == NULL)
        return false;
    good = peer_start(s, directory);
    (void)snprintf(path, sizeof(path), "%s/status", directory);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s/enforce", directory);
    (void)unlink(path);
    (void)rmdir(directory);
    return good;
}

static void fill_own(struct state *s)
{
    static struct vd_avc_slot slots[SLOTS];
    const struct vd_decision d = {.allowed = 1};

    if (vd_avc_init(&s->avc, slots, SLOTS, 1) != VD_OK)
        abort();
    for (uint32_t i = 0; i < MAX_PAIRS; i++) {
        s->keys[i] = (struct vd_mac_key){i + 1, 1000 + i, i % 7 + 1};
        vd_avc_insert(&s->avc, s->keys[i], 1, &d, NULL);
    }
}

int main(void)
{
    static const struct {
        const char *name;
        uint32_t pairs;
        bool by_reference;
    } cases[] = {{"mac.avc.10pairs", 10, false},
                 {"mac.avc.400pairs", 400, false},
                 {"mac.avc.10pairs.reference", 10, true},
                 {"mac.avc.400pairs.reference", 400, true}};
    static struct state s;
    bool peer = peer_open(&s);

    fill_own(&s);
    if (!peer)
        printf("# libselinux is not here, or does not start: no peer\n");
    for (size_t i = 0; i < VD_COUNT(cases); i++) {
        struct vd_bench bench = {.name = cases[i].name, .unit = "ns/op", .run = run_own, .ctx = &s};

        for (uint32_t n = 0; n < ORDER; n++)
            s.order[n] = (uint16_t)(random() % cases[i].pairs);
        s.by_reference = cases[i].by_reference;
        if (peer) {
            bench.peer_name = s.by_reference ? "libselinux, entry reference" : "libselinux";
            bench.peer_run = run_peer;
            bench.peer_ctx = &s;
        }
        vd_bench_run(&bench);
    }
    /* Each pair once: else the peer was not answering from its cache. */
    if (peer && kernel_asked != MAX_PAIRS) {
        fprintf(stderr, "libselinux asked %u times for %u pairs\n", kernel_asked, MAX_PAIRS);
        return 1;
    }
    return 0;
}
