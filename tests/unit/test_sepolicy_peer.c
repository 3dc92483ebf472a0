/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The compiler and the engine against checkpolicy and libsepol: random policies
 * in the language both understand, compiled by both, then asked the same
 * questions: which contexts are valid, every access vector between the chosen
 * contexts, every new context.
 */
#include "tests/harness.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/mac/decide.h"
#include "core/mac/transition.h"
#include "tests/support/random_policy.h"
#include "tools/sepolicy/sepolicy.h"

#ifdef VD_HAVE_LIBSEPOL
#include <sepol/debug.h>
#include <sepol/policydb/policydb.h>
#include <sepol/policydb/services.h>

#define CONTEXTS_MAX 24u
#define POLICIES     40u

extern char **environ;

/* Both compiled policies. */
struct pair {
    struct vd_policydb db;
    uint8_t *blob;
    policydb_t peer;
    sidtab_t sids;
};

static void print_message(void *arg, const struct vd_sepolicy_message *message)
{
    char text[4096];

    (void)arg;
    if (message->level != VD_SEPOLICY_ERROR)
        return;
    (void)vd_sepolicy_format(message, text, sizeof(text));
    printf("# %s", text);
}

static void compile_ours(const struct vd_random_policy *w, struct pair *pair)
{
    struct vd_sepolicy_source source = {.name = "random.te", .text = w->text, .size = w->len};
    struct vd_sepolicy_options options = {.message = print_message};
    struct vd_sepolicy_result result = {};
    struct vd_diag diag = {};

    VD_EXPECT_EQ(vd_sepolicy_compile(&source, 1, &options, &result), VD_OK);
    pair->blob = result.blob;
    if (vd_policydb_open(&pair->db, result.blob, result.size, &diag) != VD_OK)
        vd_test_fail(__FILE__, __LINE__, "open: %s", diag.text);
}

static void compile_peer(const struct vd_random_policy *w, struct pair *pair)
{
    char in[512], out[512];
    char *argv[] = {(char[]){"checkpolicy"},
                    (char[]){"-U"},
                    (char[]){"deny"},
                    (char[]){"-o"},
                    out,
                    in,
                    w->mls ? (char[]){"-M"} : NULL,
                    NULL};
    struct policy_file file = {};
    posix_spawn_file_actions_t actions;
    int status;
    pid_t pid;
    FILE *stream;

    snprintf(in, sizeof(in), "%s/policy.conf", vd_test_tmpdir());
    snprintf(out, sizeof(out), "%s/policy.bin", vd_test_tmpdir());
    stream = fopen(in, "w");
    VD_EXPECT(stream != NULL && fwrite(w->text, 1, w->len, stream) == w->len);
    VD_EXPECT(fclose(stream) == 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", 1, 0);
    if (posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ) != 0)
        vd_test_skip("checkpolicy is not installed");
    posix_spawn_file_actions_destroy(&actions);
    VD_EXPECT(waitpid(pid, &status, 0) == pid);
    VD_EXPECT_EQ(status, 0);
    stream = fopen(out, "r");
    VD_EXPECT(stream != NULL);
    policy_file_init(&file);
    file.type = PF_USE_STDIO;
    file.fp = stream;
    VD_EXPECT(policydb_init(&pair->peer) == 0);
    VD_EXPECT(policydb_read(&pair->peer, &file, 0) == 0);
    fclose(stream);
    VD_EXPECT(policydb_load_isids(&pair->peer, &pair->sids) == 0);
    sepol_set_policydb(&pair->peer);
    sepol_set_sidtab(&pair->sids);
}

struct chosen {
    char text[128];
    struct vd_context ours;
    sepol_security_id_t peer;
};

static uint32_t choose(struct vd_random_policy *w, const struct pair *pair, struct chosen *ret)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < 4000 && count < CONTEXTS_MAX; i++) {
        struct chosen *c = &ret[count];
        bool ours, peer;

        vd_random_context(w, c->text, sizeof(c->text));
        ours = vd_mac_context_parse(&pair->db, c->text, strlen(c->text), &c->ours, NULL) == VD_OK;
        peer = sepol_context_to_sid(c->text, strlen(c->text) + 1, &c->peer) == 0;
        if (ours != peer)
            vd_test_fail(__FILE__, __LINE__, "%s: valid here %d, there %d", c->text, ours, peer);
        count += ours;
    }
    return count;
}

static uint32_t our_class(const struct pair *pair, const char *name)
{
    uint32_t class = 0;

    VD_EXPECT_EQ(vd_policydb_find(&pair->db, VD_SYM_CLASS, name, strlen(name), &class), VD_OK);
    return class;
}

static void compare_vectors(const struct pair *pair, const struct chosen *s, const struct chosen *t,
                            uint32_t index, uint64_t seed)
{
    uint32_t class = our_class(pair, vd_random_classes[index]), mask = 0;
    struct sepol_av_decision peer = {};
    sepol_security_class_t peer_class;
    struct vd_decision ours;

    for (uint32_t i = 0; i < 9 && vd_random_perms[index][i] != NULL; i++)
        mask |= 1u << i;
    VD_EXPECT(sepol_string_to_security_class(vd_random_classes[index], &peer_class) == 0);
    VD_EXPECT(sepol_compute_av(s->peer, t->peer, peer_class, 0, &peer) == 0);
    vd_mac_decide(&pair->db, &s->ours, &t->ours, class, &ours);
    if ((ours.allowed & mask) != (peer.allowed & mask) ||
        (ours.auditallow & mask) != (peer.auditallow & mask) ||
        (ours.auditdeny & mask) != (peer.auditdeny & mask))
        vd_test_fail(__FILE__, __LINE__,
                     "policy %llu: %s %s %s: allowed %x/%x auditallow %x/%x auditdeny %x/%x",
                     (unsigned long long)seed, s->text, t->text, vd_random_classes[index],
                     ours.allowed & mask, peer.allowed & mask, ours.auditallow & mask,
                     peer.auditallow & mask, ours.auditdeny & mask, peer.auditdeny & mask);
}

static void compare_contexts(const struct pair *pair, const struct chosen *s,
                             const struct chosen *t, uint32_t index, uint64_t seed)
{
    static int (*const peers[])(sepol_security_id_t, sepol_security_id_t, sepol_security_class_t,
                                sepol_security_id_t *) = {[VD_TRANS_TYPE] = sepol_transition_sid,
                                                          [VD_TRANS_MEMBER] = sepol_member_sid,
                                                          [VD_TRANS_CHANGE] = sepol_change_sid};
    uint32_t class = our_class(pair, vd_random_classes[index]);
    sepol_security_class_t peer_class;

    VD_EXPECT(sepol_string_to_security_class(vd_random_classes[index], &peer_class) == 0);
    for (uint32_t kind = VD_TRANS_TYPE; kind <= VD_TRANS_CHANGE; kind++) {
        struct vd_context made;
        char buf[512] = "invalid";
        struct vd_text text;
        char *peer_text = NULL;
        sepol_security_id_t sid;
        size_t len;

        vd_text_init(&text, buf, sizeof(buf));
        if (vd_mac_transition(&pair->db, &s->ours, &t->ours, class, kind, &made) == VD_OK)
            vd_mac_context_text(&pair->db, &made, &text);
        else
            vd_text_str(&text, "invalid");
        if (peers[kind](s->peer, t->peer, peer_class, &sid) != 0)
            peer_text = strdup("invalid");
        else
            VD_EXPECT(sepol_sid_to_context(sid, &peer_text, &len) == 0);
        if (strcmp(buf, peer_text) != 0)
            vd_test_fail(__FILE__, __LINE__, "policy %llu: kind %u %s %s %s: %s, there %s",
                         (unsigned long long)seed, kind, s->text, t->text, vd_random_classes[index],
                         buf, peer_text);
        free(peer_text);
    }
}

static void compare_change(const struct pair *pair, const struct chosen *old,
                           const struct chosen *new, const struct chosen *task, uint64_t seed)
{
    sepol_security_class_t peer_class;
    char *reason = NULL;
    bool ours, peer;

    VD_EXPECT(sepol_string_to_security_class("file", &peer_class) == 0);
    peer = sepol_validate_transition_reason_buffer(old->peer, new->peer, task->peer, peer_class,
                                                   &reason, 0) == 0;
    free(reason);
    ours = vd_mac_validatetrans(&pair->db, &old->ours, &new->ours, &task->ours,
                                our_class(pair, "file"));
    if (ours != peer)
        vd_test_fail(__FILE__, __LINE__, "policy %llu: validatetrans %s %s %s: %d, there %d",
                     (unsigned long long)seed, old->text, new->text, task->text, ours, peer);
}

static uint64_t compare_policy(struct vd_random_policy *w, uint64_t seed)
{
    static struct chosen chosen[CONTEXTS_MAX];
    struct pair pair = {};
    uint64_t questions = 0;
    uint32_t count;

    vd_random_policy(w, seed);
    compile_ours(w, &pair);
    compile_peer(w, &pair);
    count = choose(w, &pair, chosen);
    VD_EXPECT(count > 0);
    for (uint32_t s = 0; s < count; s++) {
        for (uint32_t t = 0; t < count; t++) {
            for (uint32_t class = 0; class < VD_COUNT(vd_random_classes); class ++) {
                compare_vectors(&pair, &chosen[s], &chosen[t], class, seed);
                compare_contexts(&pair, &chosen[s], &chosen[t], class, seed);
                questions++;
            }
            for (uint32_t i = 0; i < 3; i++)
                compare_change(&pair, &chosen[s], &chosen[t], &chosen[vd_random_pick(w, count)],
                               seed);
        }
    }
    sepol_sidtab_destroy(&pair.sids);
    policydb_destroy(&pair.peer);
    free(pair.blob);
    return questions;
}

VD_TEST(sepolicy_answers_as_libsepol)
{
    struct vd_random_policy *w = malloc(sizeof(*w));
    uint64_t questions = 0;

    VD_EXPECT(w != NULL);
    sepol_debug(0);
    for (uint64_t seed = 1; seed <= POLICIES; seed++)
        questions += compare_policy(w, seed);
    printf("# %llu questions in %u policies\n", (unsigned long long)questions, POLICIES);
    VD_EXPECT(questions > 10000);
    free(w);
}

#else

VD_TEST(sepolicy_answers_as_libsepol)
{
    vd_test_skip("built without libsepol-dev");
}

#endif
