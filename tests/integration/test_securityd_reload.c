/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Changes of policy in a running veridian-securityd: under load, killed at many
 * points, staged, unconfirmed, refused; booleans; what is left of all that after
 * a restart.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/file.h"
#include "lib/sys.h"
#include "services/security/state.h"
#include "tests/harness.h"
#include "tests/support/securityd.h"

#define READ    (1u << 0)
#define WRITE   (1u << 1)
#define OPEN    (1u << 2)
#define THREADS 3

static const char *const perms[] = {"read", "write", "open"};

/* Policy A allows read and open, B allows write: an answer of both or neither is mixed. */
static const char rules_a[] = "allow admin_t secret_t:file { read open };";
static const char rules_b[] = "allow admin_t secret_t:file write;";

static struct vd_secadmin_load policies[2];

static void compile_both(void)
{
    policies[0] = securityd_compile(securityd_policy(rules_a));
    policies[1] = securityd_compile(securityd_policy(rules_b));
}

static void free_both(void)
{
    free((void *)(uintptr_t)policies[0].data);
    free((void *)(uintptr_t)policies[1].data);
}

struct asker {
    struct vd_secclient *client;
    uint32_t subject, object, class;
};

static struct asker new_asker(void)
{
    struct vd_secclient_options options = {.socket = securityd.socket};
    struct asker a;

    VD_EXPECT_EQ(vd_secclient_new(&options, &a.client, NULL), VD_OK);
    VD_EXPECT_EQ(vd_secclient_subject(a.client, ADMIN, &a.subject, NULL), VD_OK);
    VD_EXPECT_EQ(vd_secclient_object(a.client, SECRET, &a.object, NULL), VD_OK);
    VD_EXPECT_EQ(vd_secclient_class(a.client, &(struct vd_secclient_names){"file", perms, 3},
                                    &a.class, NULL),
                 VD_OK);
    return a;
}

static bool may(const struct asker *a, uint32_t requested)
{
    return vd_secclient_check(a->client, a->subject, a->object, a->class, requested);
}

static uint32_t permitted(const struct asker *a)
{
    struct vd_secclient_question q = {a->subject, a->object, a->class, READ};
    struct vd_secclient_answer answer = {};

    VD_EXPECT_EQ(vd_secclient_ask(a->client, &q, &answer, NULL), VD_OK);
    return answer.permitted;
}

/* --- under load */

struct load_run {
    struct asker asker; /* shared by all threads */
    bool stop;
    uint64_t answers;
    uint64_t mixed;
    uint64_t failed;
};

static void *ask_whole(void *arg)
{
    struct load_run *run = arg;
    struct asker *a = &run->asker;

    while (!__atomic_load_n(&run->stop, __ATOMIC_RELAXED)) {
        struct vd_secclient_question q = {a->subject, a->object, a->class, READ};
        struct vd_secclient_answer answer = {};
        if (vd_secclient_ask(a->client, &q, &answer, NULL) != VD_OK)
            __atomic_fetch_add(&run->failed, 1, __ATOMIC_RELAXED);
        else if (answer.permitted != (READ | OPEN) && answer.permitted != WRITE)
            __atomic_fetch_add(&run->mixed, 1, __ATOMIC_RELAXED);
        __atomic_fetch_add(&run->answers, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

/* From the kept decisions: read and open come together, under A alone. */
static void *ask_kept(void *arg)
{
    struct load_run *run = arg;
    uint64_t count = 0;

    while (!__atomic_load_n(&run->stop, __ATOMIC_RELAXED)) {
        /* Neither policy allows these together, at any time. */
        if (may(&run->asker, READ | WRITE) || may(&run->asker, WRITE | OPEN))
            __atomic_fetch_add(&run->mixed, 1, __ATOMIC_RELAXED);
        count += 2;
    }
    __atomic_fetch_add(&run->answers, count, __ATOMIC_RELAXED);
    return NULL;
}

VD_TEST(reload_under_load)
{
    struct load_run run = {};
    pthread_t threads[2 * THREADS];
    struct vd_secadmin_result result;
    struct asker mine;

    compile_both();
    securityd_prepare(securityd_policy(rules_a));
    securityd_start();
    run.asker = new_asker();
    mine = new_asker();
    for (uint32_t i = 0; i < 2 * THREADS; i++)
        VD_EXPECT(pthread_create(&threads[i], NULL, i < THREADS ? ask_whole : ask_kept, &run) == 0);
    for (uint32_t i = 0; i < 60; i++) {
        uint32_t which = (i + 1) % 2;
        VD_EXPECT_EQ(vd_secadmin_load(securityd.socket, &policies[which], &result, NULL), VD_OK);
        /* From the acknowledgement on the new policy answers, whatever was kept. */
        VD_EXPECT_EQ(may(&mine, READ), which == 0);
        VD_EXPECT_EQ(may(&mine, WRITE), which == 1);
        VD_EXPECT_EQ(may(&run.asker, OPEN), which == 0);
    }
    __atomic_store_n(&run.stop, true, __ATOMIC_RELAXED);
    for (uint32_t i = 0; i < 2 * THREADS; i++)
        pthread_join(threads[i], NULL);
    VD_EXPECT(run.answers > 1000);
    VD_EXPECT_EQ(run.mixed, 0);
    VD_EXPECT_EQ(run.failed, 0);
    vd_secclient_free(run.asker.client);
    vd_secclient_free(mine.client);
    securityd_stop();
    free_both();
}

/* Whatever was kept: the first question after a reload makes all of it old. */
VD_TEST(a_reload_reaches_every_kept_decision)
{
    struct asker a;
    uint32_t other;

    securityd_prepare(securityd_policy("allow admin_t { secret_t public_t }:file read;"));
    securityd_start();
    a = new_asker();
    VD_EXPECT_EQ(vd_secclient_object(a.client, PUBLIC, &other, NULL), VD_OK);
    VD_EXPECT(may(&a, READ) && vd_secclient_check(a.client, a.subject, other, a.class, READ));
    VD_EXPECT_EQ(securityd_load(securityd_policy("allow admin_t secret_t:file read;"), NULL),
                 VD_OK);
    VD_EXPECT(may(&a, READ));
    VD_EXPECT(!vd_secclient_check(a.client, a.subject, other, a.class, READ));
    vd_secclient_free(a.client);
}

/* --- killed at many points */

/* A child that changes the policy without pause; it tells each acknowledged sequence number. */
static pid_t start_changer(int *ret_fd)
{
    int ends[2];
    pid_t pid;

    VD_EXPECT(pipe2(ends, O_CLOEXEC) == 0);
    pid = fork();
    VD_EXPECT(pid >= 0);
    if (pid == 0) {
        for (uint32_t i = 0;; i++) {
            struct vd_secadmin_result result;
            uint64_t told;
            if (vd_secadmin_load(securityd.socket, &policies[i % 2], &result, NULL) != VD_OK)
                _exit(0);
            told = (uint64_t)result.sequence << 1 | i % 2;
            if (write(ends[1], &told, sizeof(told)) != sizeof(told))
                _exit(1);
        }
    }
    close(ends[1]);
    *ret_fd = ends[0];
    return pid;
}

/*
 * After a kill the policy in force is the last acknowledged one, or the one
 * whose acknowledgement was on its way; and its content fits its number.
 */
VD_TEST(killed_at_many_points)
{
    uint64_t random = 7;
    uint32_t changes = 0;
    uint32_t last = 1; /* the first policy, which is A */
    uint32_t which = 0;

    compile_both();
    securityd_prepare(securityd_policy(rules_a));
    for (uint32_t round = 0; round < 80; round++) {
        struct timespec pause = {.tv_nsec = (long)(vd_test_random(&random) % 5'000'000)};
        uint64_t seen = vd_test_random(&random) % 3;
        struct asker asker;
        uint64_t told;
        uint32_t now, allowed;
        int fd, status;
        pid_t changer;
        securityd_start();
        changer = start_changer(&fd);
        while (seen-- > 0) {
            VD_EXPECT(read(fd, &told, sizeof(told)) == sizeof(told));
            last = (uint32_t)(told >> 1);
            which = told & 1;
            changes++;
        }
        nanosleep(&pause, NULL); /* where the kill comes, not something to wait for */
        securityd_kill();
        VD_EXPECT(waitpid(changer, &status, 0) == changer && status == 0);
        while (read(fd, &told, sizeof(told)) == sizeof(told)) {
            last = (uint32_t)(told >> 1);
            which = told & 1;
            changes++;
        }
        close(fd);
        securityd_start();
        now = (uint32_t)securityd_count(VD_SEC_STAT_SEQUENCE);
        VD_EXPECT(now == last || now == last + 1);
        asker = new_asker();
        allowed = permitted(&asker);
        VD_EXPECT(allowed == (READ | OPEN) || allowed == WRITE);
        if (now == last)
            VD_EXPECT_EQ(allowed, which == 0 ? (READ | OPEN) : WRITE);
        last = now;
        which = allowed == WRITE;
        vd_secclient_free(asker.client);
        securityd_kill();
    }
    VD_EXPECT(changes > 20);
    free_both();
}

/* The same for booleans that are to stay. */
VD_TEST(booleans_survive_a_kill)
{
    struct vd_secadmin_bool leak = {.name = "leak"};
    struct vd_secadmin_set set = {.bools = &leak, .count = 1, .persistent = true};
    struct vd_secadmin_result result;

    securityd_prepare(securityd_policy("if (leak) { allow admin_t secret_t:file read; }"));
    for (uint32_t i = 0; i < 10; i++) {
        struct asker asker;
        securityd_start();
        leak.value = i % 2 == 0;
        VD_EXPECT_EQ(vd_secadmin_set_bools(securityd.socket, &set, &result, NULL), VD_OK);
        securityd_kill();
        securityd_start();
        asker = new_asker();
        VD_EXPECT_EQ(may(&asker, READ), leak.value);
        vd_secclient_free(asker.client);
        securityd_kill();
    }
}

/* --- booleans */

VD_TEST(booleans_change_decisions_at_once)
{
    struct vd_secadmin_bool bools[2] = {{.name = "leak", .value = true},
                                        {.name = "other", .value = false}};
    struct vd_secadmin_set set = {.bools = bools, .count = 2};
    struct vd_secadmin_bool *list;
    struct vd_secadmin_result result;
    struct vd_diag diag = {};
    struct asker a;
    uint32_t count;

    securityd_prepare(
        securityd_policy("if (leak && !other) { allow admin_t secret_t:file read; }"));
    securityd_start();
    a = new_asker();
    VD_EXPECT(!may(&a, READ));
    VD_EXPECT_EQ(vd_secadmin_set_bools(securityd.socket, &set, &result, NULL), VD_OK);
    VD_EXPECT_EQ(result.sequence, 2);
    VD_EXPECT(may(&a, READ));
    VD_EXPECT_EQ(vd_secadmin_bools(securityd.socket, &list, &count, NULL), VD_OK);
    VD_EXPECT_EQ(count, 2);
    for (uint32_t i = 0; i < count; i++) {
        VD_EXPECT_EQ(list[i].value, strcmp(list[i].name, "leak") == 0);
        VD_EXPECT(!list[i].persistent);
    }
    free(list);
    /* All or none. */
    strcpy(bools[1].name, "nonsense");
    bools[0].value = false;
    VD_EXPECT_EQ(vd_secadmin_set_bools(securityd.socket, &set, &result, &diag), VD_E_NOT_FOUND);
    VD_EXPECT(strstr(diag.text, "nonsense") != NULL);
    VD_EXPECT(may(&a, READ));
    /* The values outlast a load of the same policy, but not the server. */
    VD_EXPECT_EQ(
        securityd_load(
            securityd_policy("if (leak && !other) { allow admin_t secret_t:file read; }"), NULL),
        VD_OK);
    VD_EXPECT(may(&a, READ));
    securityd_stop();
    securityd_start();
    VD_EXPECT(!may(&a, READ));
    vd_secclient_free(a.client);
}

/* --- staged, unconfirmed, refused */

VD_TEST(a_bad_policy_changes_nothing)
{
    struct vd_secadmin_load bad = securityd_compile(securityd_policy(rules_b));
    uint8_t *bytes = (uint8_t *)(uintptr_t)bad.data;
    struct vd_secadmin_result result;
    struct vd_diag diag = {};
    struct asker a;
    char path[256];
    struct stat st;

    securityd_prepare(securityd_policy(rules_a));
    securityd_start();
    a = new_asker();
    VD_EXPECT(may(&a, READ));
    for (size_t at = 8; at < bad.size; at += bad.size / 40) {
        bytes[at] ^= 0x10;
        if (at < vd_policydb_extent(bad.data, bad.size))
            VD_EXPECT(vd_secadmin_load(securityd.socket, &bad, &result, NULL) != VD_OK);
        bytes[at] ^= 0x10;
    }
    bad.size = 100;
    VD_EXPECT(vd_secadmin_load(securityd.socket, &bad, &result, &diag) != VD_OK);
    VD_EXPECT(diag.text[0] != '\0');
    VD_EXPECT(securityd_count(VD_SEC_STAT_BAD_LOADS) > 20);
    VD_EXPECT_EQ(securityd_count(VD_SEC_STAT_SEQUENCE), 1);
    VD_EXPECT(may(&a, READ) && !may(&a, WRITE));
    /* Nothing of it is left on the disk. */
    snprintf(path, sizeof(path), "%s/policy-0000000002.vpol", securityd.store);
    VD_EXPECT(stat(path, &st) != 0);
    vd_secclient_free(a.client);
    free(bytes);
}

VD_TEST(staged_policies_wait_for_commit)
{
    struct vd_secadmin_result result;
    struct asker a;

    compile_both();
    securityd_prepare(securityd_policy(rules_a));
    securityd_start();
    a = new_asker();
    VD_EXPECT_EQ(vd_secadmin_commit(securityd.socket, 0, &result, NULL), VD_E_NOT_FOUND);
    policies[1].stage = true;
    VD_EXPECT_EQ(vd_secadmin_load(securityd.socket, &policies[1], &result, NULL), VD_OK);
    VD_EXPECT_EQ(result.sequence, 1);
    VD_EXPECT(may(&a, READ));
    /* It is still staged after a kill. */
    securityd_kill();
    securityd_start();
    VD_EXPECT_EQ(securityd_count(VD_SEC_STAT_STAGED), 1);
    VD_EXPECT_EQ(vd_secadmin_commit(securityd.socket, 0, &result, NULL), VD_OK);
    VD_EXPECT(!may(&a, READ) && may(&a, WRITE));
    VD_EXPECT_EQ(vd_secadmin_commit(securityd.socket, 0, &result, NULL), VD_E_NOT_FOUND);
    VD_EXPECT_EQ(vd_secadmin_simple(securityd.socket, VD_SEC_ROLLBACK, &result, NULL), VD_OK);
    VD_EXPECT(may(&a, READ) && !may(&a, WRITE));
    VD_EXPECT_EQ(vd_secadmin_simple(securityd.socket, VD_SEC_ROLLBACK, &result, NULL),
                 VD_E_NOT_FOUND);
    vd_secclient_free(a.client);
    free_both();
}

/* Waits, by asking, until the policy allows reading. */
static bool becomes_readable(const struct asker *a, uint32_t ms)
{
    uint64_t end = vd_sys_monotonic_ns() + (uint64_t)ms * 1'000'000;

    while (vd_sys_monotonic_ns() < end) {
        struct timespec pause = {.tv_nsec = 5'000'000};
        if (may(a, READ))
            return true;
        nanosleep(&pause, NULL);
    }
    return false;
}

VD_TEST(an_unconfirmed_policy_goes_back_by_itself)
{
    struct vd_secadmin_result result;
    struct vd_diag diag = {};
    struct asker a;

    compile_both();
    securityd_prepare(securityd_policy(rules_a));
    securityd_start();
    a = new_asker();
    policies[1].confirm_s = 1;
    VD_EXPECT_EQ(vd_secadmin_load(securityd.socket, &policies[1], &result, NULL), VD_OK);
    VD_EXPECT(!may(&a, READ) && may(&a, WRITE));
    VD_EXPECT(securityd_count(VD_SEC_STAT_CONFIRM_MS) > 0);
    /* No second one on top of it. */
    VD_EXPECT_EQ(vd_secadmin_load(securityd.socket, &policies[0], &result, &diag), VD_E_BUSY);
    VD_EXPECT(becomes_readable(&a, 20'000));
    VD_EXPECT_EQ(securityd_count(VD_SEC_STAT_CONFIRM_MS), 0);
    VD_EXPECT_EQ(securityd_count(VD_SEC_STAT_SEQUENCE), 3);
    VD_EXPECT_EQ(vd_secadmin_simple(securityd.socket, VD_SEC_CONFIRM, &result, NULL),
                 VD_E_NOT_FOUND);
    vd_secclient_free(a.client);
    free_both();
}

/* The policy to go back to is lost: the server goes on serving, and the administrator decides. */
VD_TEST(an_unconfirmed_policy_without_one_before)
{
    struct vd_secadmin_result result;
    char path[256];
    uint32_t calm = 0;

    compile_both();
    securityd_prepare(securityd_policy(rules_a));
    securityd_start();
    policies[1].confirm_s = 1;
    VD_EXPECT_EQ(vd_secadmin_load(securityd.socket, &policies[1], &result, NULL), VD_OK);
    snprintf(path, sizeof(path), "%s/policy-0000000001.vpol", securityd.store);
    VD_EXPECT_EQ(unlink(path), 0);
    while (securityd_count(VD_SEC_STAT_CONFIRM_MS) > 1 ||
           vd_secadmin_simple(securityd.socket, VD_SEC_ROLLBACK, &result, NULL) == VD_E_BUSY) {
        struct timespec pause = {.tv_nsec = 5'000'000};
        nanosleep(&pause, NULL);
    }
    /* The server's one attempt may meet some requests; then none is in the way for long. */
    for (uint32_t i = 0; i < 1000 && calm < 50; i++)
        calm = vd_secadmin_simple(securityd.socket, VD_SEC_ROLLBACK, &result, NULL) == VD_E_BUSY
                   ? 0
                   : calm + 1;
    VD_EXPECT_EQ(calm, 50);
    VD_EXPECT_EQ(vd_secadmin_simple(securityd.socket, VD_SEC_CONFIRM, &result, NULL), VD_OK);
    VD_EXPECT_EQ(securityd_count(VD_SEC_STAT_CONFIRM_MS), 0);
    free_both();
}

VD_TEST(a_confirmed_policy_stays)
{
    struct vd_secadmin_result result;
    struct asker a;

    compile_both();
    securityd_prepare(securityd_policy(rules_a));
    securityd_start();
    a = new_asker();
    policies[1].confirm_s = 600;
    VD_EXPECT_EQ(vd_secadmin_load(securityd.socket, &policies[1], &result, NULL), VD_OK);
    /* A restart of the server in time does not end the wait. */
    securityd_kill();
    securityd_start();
    VD_EXPECT(may(&a, WRITE));
    VD_EXPECT(securityd_count(VD_SEC_STAT_CONFIRM_MS) > 0);
    VD_EXPECT_EQ(vd_secadmin_simple(securityd.socket, VD_SEC_CONFIRM, &result, NULL), VD_OK);
    VD_EXPECT_EQ(securityd_count(VD_SEC_STAT_CONFIRM_MS), 0);
    VD_EXPECT(may(&a, WRITE));
    vd_secclient_free(a.client);
    free_both();
}

/* The state as it would be if the machine had been started anew before the confirmation. */
VD_TEST(an_unconfirmed_policy_does_not_outlast_the_boot)
{
    static uint8_t bytes[VD_SECD_STATE_MAX];
    struct vd_secadmin_result result;
    struct vd_secd_state state;
    struct vd_bytes file;
    struct vd_writer w;
    struct asker a;
    char path[256];

    compile_both();
    securityd_prepare(securityd_policy(rules_a));
    securityd_start();
    policies[1].confirm_s = 600;
    VD_EXPECT_EQ(vd_secadmin_load(securityd.socket, &policies[1], &result, NULL), VD_OK);
    securityd_kill();
    snprintf(path, sizeof(path), "%s/state", securityd.store);
    VD_EXPECT_EQ(vd_file_load(path, sizeof(bytes), &file, NULL), VD_OK);
    VD_EXPECT_EQ(vd_secd_state_parse(file.data, file.size, &state, NULL), VD_OK);
    state.boot_id[3] ^= 0xff;
    vd_writer_init(&w, bytes, sizeof(bytes));
    vd_secd_state_encode(&state, &w);
    VD_EXPECT_EQ(vd_file_store(path, bytes, w.len, 0600, NULL), VD_OK);
    securityd_start();
    a = new_asker();
    VD_EXPECT(may(&a, READ) && !may(&a, WRITE));
    vd_secclient_free(a.client);
    vd_secd_state_done(&state);
    vd_bytes_free(&file);
    free_both();
}

/* A context that the new policy does not have allows nothing, and is back after the rollback. */
VD_TEST(contexts_that_the_policy_lost)
{
    static const char other[] =
        "class file\nsid kernel\nclass file { read write open }\ntype other_t;\nrole system_r types "
        "other_t;\nuser system_u roles system_r;\nsid kernel system_u:system_r:other_t\n";
    struct vd_secclient_question q;
    struct vd_secclient_answer answer = {};
    struct vd_secadmin_result result;
    struct asker a;
    bool valid;
    char *text;

    securityd_prepare(securityd_policy(rules_a));
    securityd_start();
    a = new_asker();
    VD_EXPECT(may(&a, READ));
    VD_EXPECT_EQ(securityd_load(other, NULL), VD_OK);
    VD_EXPECT(!may(&a, READ));
    q = (struct vd_secclient_question){a.subject, a.object, a.class, READ};
    VD_EXPECT_EQ(vd_secclient_ask(a.client, &q, &answer, NULL), VD_OK);
    VD_EXPECT((answer.flags & VD_SECCLIENT_INVALID) != 0 && !answer.allowed);
    VD_EXPECT_EQ(answer.permitted, 0);
    VD_EXPECT_EQ(vd_secclient_context(a.client, a.subject, &text, &valid, NULL), VD_OK);
    VD_EXPECT(!valid);
    free(text);
    VD_EXPECT_EQ(vd_secadmin_simple(securityd.socket, VD_SEC_ROLLBACK, &result, NULL), VD_OK);
    VD_EXPECT(may(&a, READ));
    vd_secclient_free(a.client);
}

/* The numbers of types, classes and permissions change; what the client holds does not. */
VD_TEST(a_policy_with_other_numbers)
{
    struct asker a;

    securityd_prepare(securityd_policy(rules_a));
    securityd_start();
    a = new_asker();
    VD_EXPECT(may(&a, READ) && !may(&a, WRITE));
    VD_EXPECT_EQ(
        securityd_load("class zero\nclass security\nclass file\nsid kernel\n"
                       "class zero { a b c }\nclass security { load_policy }\n"
                       "class file { x open y write read }\n"
                       "type zero_t; type secret_t; type admin_t; role r types zero_t;\n"
                       "role system_r types admin_t;\n"
                       "allow admin_t secret_t:file write;\nuser zero_u roles r;\n"
                       "user system_u roles system_r;\nsid kernel system_u:system_r:admin_t\n",
                       NULL),
        VD_OK);
    VD_EXPECT(!may(&a, READ) && may(&a, WRITE) && !may(&a, OPEN));
    vd_secclient_free(a.client);
}

VD_TEST(a_full_disk_refuses_the_load)
{
    struct vd_diag diag = {};
    struct asker a;

    securityd_prepare(securityd_policy(rules_a));
    securityd_start();
    a = new_asker();
    securityd_limit_files(300);
    VD_EXPECT_EQ(securityd_load(securityd_policy(rules_b), &diag), VD_E_NO_SPACE);
    VD_EXPECT(may(&a, READ) && !may(&a, WRITE));
    securityd_limit_files(UINT64_MAX);
    VD_EXPECT_EQ(securityd_load(securityd_policy(rules_b), NULL), VD_OK);
    VD_EXPECT(!may(&a, READ) && may(&a, WRITE));
    vd_secclient_free(a.client);
}
