/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The host build and the BPF build of the engine answer alike: decisions and
 * transitions on random questions, valid and not. Linked statically, so that
 * the same program runs inside the VM.
 *
 * VD_MAC_QUERIES: questions for each policy, 100,000 unless given.
 * VD_MAC_POLICIES: a directory of further *.vpol files, here the shipped ones.
 */
#include "core/mac/decide.h"
#include "core/mac/transition.h"
#include "tests/harness.h"
#include "tests/integration/mac_bpf.h"
#include "tests/support/large_policy.h"
#include "tests/support/small_policy.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t queries(void)
{
    const char *text = getenv("VD_MAC_QUERIES");

    return text == NULL ? 100000 : (uint32_t)strtoul(text, NULL, 10);
}

static struct mac_bpf *load(uint32_t size)
{
    struct mac_bpf *bpf = mac_bpf_new(size);

    if (bpf == NULL && (errno == EPERM || errno == ENOSYS))
        vd_test_skip("bpf() is refused here: it needs CAP_BPF and CAP_NET_ADMIN");
    if (bpf == NULL)
        vd_test_fail(__FILE__, __LINE__, "the programs do not load: %s", strerror(errno));
    return bpf;
}

static void fail_pair(const char *what, const struct mac_query *q, const struct vd_decision *host)
{
    printf("# source %u:%u:%u target %u:%u:%u class %u kind %u; host allowed %x, bpf %x\n",
           q->source.user, q->source.role, q->source.type, q->target.user, q->target.role,
           q->target.type, q->class, q->kind, host->allowed, q->decision.allowed);
    vd_test_fail(__FILE__, __LINE__, "the %s differs", what);
}

/* What the answers were, so that a test in which nothing is ever allowed does not pass. */
struct tally {
    uint32_t allowed, constrained, bounded, created, invalid;
};

/* A question that fits the policy `chooser`, asked of `db` on the host and of the kernel. */
static void ask(struct mac_bpf *bpf, const struct vd_policydb *chooser,
                const struct vd_policydb *db, uint64_t *state, struct tally *tally)
{
    struct mac_query *q = mac_bpf_query(bpf);
    struct vd_decision decision;
    struct vd_context created = {};
    struct vd_making making;
    vd_status status;

    memset(q, 0xa5, sizeof(*q));
    random_question(chooser, state, &q->source, &q->target, &q->class);
    q->kind = VD_TRANS_TYPE + (uint32_t)(vd_test_random(state) % 4);
    vd_mac_decide(db, &q->source, &q->target, q->class, &decision);
    making = (struct vd_making){.class = q->class, .kind = q->kind, .creators = VD_MAKING_KERNEL};
    status = vd_mac_create(db, &q->source, &q->target, &making, &created);
    if (mac_bpf_decide(bpf, 1) < 0 || mac_bpf_transition(bpf, 1) < 0)
        vd_test_fail(__FILE__, __LINE__, "BPF_PROG_RUN: %s", strerror(errno));
    if (q->decide_status != 0 || memcmp(&q->decision, &decision, sizeof(decision)) != 0)
        fail_pair("decision", q, &decision);
    if (q->transition_status != (int)status || memcmp(&q->created, &created, sizeof(created)) != 0)
        fail_pair("transition", q, &decision);
    tally->allowed += decision.allowed != 0;
    tally->constrained += decision.without_constraint != 0;
    tally->bounded += decision.without_bounds != 0;
    tally->created += status == VD_OK;
    tally->invalid += status == VD_E_INVALID;
}

static struct tally compare(const void *blob, size_t size)
{
    struct tally tally = {};
    struct vd_policydb db;
    struct vd_diag diag = {};
    struct mac_bpf *bpf;
    uint64_t state = 7;

    size = vd_policydb_extent(blob, size);
    if (vd_policydb_open(&db, blob, size, &diag) != VD_OK)
        vd_test_fail(__FILE__, __LINE__, "%s at %llu", diag.text, (unsigned long long)diag.offset);
    bpf = load((uint32_t)size + 4096);
    if (!mac_bpf_policy(bpf, blob, size))
        vd_test_fail(__FILE__, __LINE__, "the policy cannot be put into the map: %s",
                     strerror(errno));
    for (uint32_t i = 0; i < queries(); i++)
        ask(bpf, &db, &db, &state, &tally);
    mac_bpf_free(bpf);
    printf("# %u questions, %zu bytes of policy: %u allow something, constraints took from %u, "
           "bounds from %u; %u new contexts, %u invalid\n",
           queries(), size, tally.allowed, tally.constrained, tally.bounded, tally.created,
           tally.invalid);
    return tally;
}

/* Every layer had its say. */
static void expect_variety(const struct tally *tally)
{
    VD_EXPECT(tally->allowed > queries() / 20);
    VD_EXPECT(tally->constrained > queries() / 200);
    VD_EXPECT(tally->bounded > queries() / 1000);
    VD_EXPECT(tally->created > queries() / 20);
}

VD_TEST(mac_bpf_small_policy)
{
    size_t size;
    uint8_t *blob = small_policy(&size);
    struct tally tally = compare(blob, size);

    free(blob);
    expect_variety(&tally);
    VD_EXPECT(tally.invalid > queries() / 10);
}

VD_TEST(mac_bpf_large_policy)
{
    size_t size;
    uint8_t *blob = large_policy(&size);
    struct tally tally = compare(blob, size);

    free(blob);
    expect_variety(&tally);
}

static void compare_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *blob;
    long size;

    if (f == NULL || fseek(f, 0, SEEK_END) != 0 || (size = ftell(f)) < 0 ||
        (blob = malloc((size_t)size + 1)) == NULL)
        vd_test_fail(__FILE__, __LINE__, "%s cannot be read", path);
    rewind(f);
    if (fread(blob, 1, (size_t)size, f) != (size_t)size)
        vd_test_fail(__FILE__, __LINE__, "%s cannot be read", path);
    fclose(f);
    printf("# %s\n", path);
    compare(blob, (size_t)size);
    free(blob);
}

VD_TEST(mac_bpf_shipped_policies)
{
    const char *dir = getenv("VD_MAC_POLICIES");
    char pattern[4096];
    glob_t found;

    if (dir == NULL)
        vd_test_skip("VD_MAC_POLICIES names no directory of compiled policies");
    snprintf(pattern, sizeof(pattern), "%s/*.vpol", dir);
    if (glob(pattern, 0, NULL, &found) != 0)
        vd_test_fail(__FILE__, __LINE__, "no *.vpol in %s", dir);
    for (size_t i = 0; i < found.gl_pathc; i++)
        compare_file(found.gl_pathv[i]);
    globfree(&found);
}

/* A decision sees the old policy or the new one; before the first, nothing is allowed. */
VD_TEST(mac_bpf_reload_swaps_the_policy)
{
    size_t size;
    uint8_t *blob = small_policy(&size);
    struct vd_policydb db = {.base = blob, .size = (uint32_t)size};
    struct mac_bpf *bpf = load((uint32_t)size);
    struct mac_query *q = mac_bpf_query(bpf);
    struct vd_pdb_type *app =
        (void *)(blob + vd_policydb_header(&db)->sections[VD_PDB_TYPES].offset);

    q->source = sp_plain(SP_SYSTEM_U, SP_SYSTEM_R, SP_APP_T);
    q->target = sp_plain(SP_SYSTEM_U, SP_OBJECT_R, SP_PUBLIC_T);
    q->class = SP_FILE;
    q->kind = VD_TRANS_TYPE;
    q->decision.allowed = UINT32_MAX;
    VD_EXPECT(mac_bpf_decide(bpf, 1) >= 0);
    VD_EXPECT_EQ(q->decision.allowed, 0); /* the map is all zero: no policy */
    VD_EXPECT(mac_bpf_transition(bpf, 1) >= 0);
    VD_EXPECT(q->transition_status != 0);
    VD_EXPECT_EQ(q->created.type, 0);
    VD_EXPECT(mac_bpf_policy(bpf, blob, size));
    VD_EXPECT(mac_bpf_decide(bpf, 1) >= 0);
    VD_EXPECT_EQ(q->decision.allowed, SP_READ | SP_OPEN);
    app[SP_APP_T].flags = VD_PDB_TYPE_PERMISSIVE;
    VD_EXPECT(mac_bpf_policy(bpf, blob, size));
    VD_EXPECT(mac_bpf_decide(bpf, 1) >= 0);
    VD_EXPECT_EQ(q->decision.flags, VD_DECISION_PERMISSIVE);
    mac_bpf_free(bpf);
    free(blob);
}

/* The cache answers for its key alone, and only under the policy that it was filled with. */
VD_TEST(mac_bpf_cache_ends_with_its_policy)
{
    size_t size;
    uint8_t *blob = small_policy(&size);
    struct mac_bpf *bpf = load((uint32_t)size);
    struct mac_query *q = mac_bpf_query(bpf);

    VD_EXPECT(mac_bpf_policy(bpf, blob, size));
    q->source = sp_plain(SP_SYSTEM_U, SP_SYSTEM_R, SP_APP_T);
    q->target = sp_plain(SP_SYSTEM_U, SP_OBJECT_R, SP_PUBLIC_T);
    q->class = SP_FILE;
    q->source_sid = 7;
    q->target_sid = 8;
    q->seqno = 1;
    VD_EXPECT(mac_bpf_cached(bpf, 1) >= 0);
    VD_EXPECT_EQ(q->cached_allowed, SP_READ | SP_OPEN);
    q->target.type = SP_APP_T; /* the question changes, its key does not */
    VD_EXPECT(mac_bpf_cached(bpf, 1) >= 0);
    VD_EXPECT_EQ(q->cached_allowed, SP_READ | SP_OPEN);
    q->seqno = 2;
    VD_EXPECT(mac_bpf_cached(bpf, 1) >= 0);
    VD_EXPECT_EQ(q->cached_allowed, q->decision.allowed);
    VD_EXPECT(q->cached_allowed != (SP_READ | SP_OPEN));
    mac_bpf_free(bpf);
    free(blob);
}

/* Whatever bytes are in the map: the programs end, and the host gives the same answer. */
VD_TEST(mac_bpf_damaged_policies)
{
    size_t size;
    uint8_t *good = small_policy(&size);
    uint8_t *bad = malloc(size);
    struct vd_policydb whole = {.base = good, .size = (uint32_t)size};
    struct mac_bpf *bpf = load((uint32_t)size);
    struct tally tally = {};
    uint64_t state = 11;

    for (uint32_t round = 0; round < 300; round++) {
        struct vd_policydb db = {.base = bad, .size = (uint32_t)size};
        memcpy(bad, good, size);
        for (uint32_t i = 0; i < 1 + round % 16; i++) {
            size_t at = vd_test_random(&state) % size;
            bad[at] = (uint8_t)vd_test_random(&state);
        }
        VD_EXPECT(mac_bpf_policy(bpf, bad, size));
        for (uint32_t i = 0; i < 50; i++)
            ask(bpf, &whole, &db, &state, &tally);
    }
    mac_bpf_free(bpf);
    free(good);
    free(bad);
}
