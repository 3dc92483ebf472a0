/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * veridian-securityd as its clients see it: decisions, who may do what, and what
 * becomes of a client when the server ends.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/mac/decide.h"
#include "core/mac/transition.h"
#include "lib/file.h"
#include "lib/ipc/socket.h"
#include "lib/sys.h"
#include "tests/integration/securityd_client.h"

VD_TEST(allows_and_refuses)
{
    start("allow admin_t secret_t:file { read write };");
    VD_EXPECT(vd_secclient_check(client, admin, secret, class, READ));
    VD_EXPECT(vd_secclient_check(client, admin, secret, class, READ | WRITE));
    VD_EXPECT(!vd_secclient_check(client, admin, secret, class, READ | 1u << 2));
    VD_EXPECT(!vd_secclient_check(client, user, secret, class, READ));
    VD_EXPECT(!vd_secclient_check(client, admin, secret, class, 0));
    VD_EXPECT(!vd_secclient_check(client, secret, admin, class, READ));
    VD_EXPECT(!vd_secclient_check(client, 99, secret, class, READ));
    VD_EXPECT(!vd_secclient_check(client, admin, secret, 99, READ));
    VD_EXPECT(!vd_secclient_check(client, admin, secret, class, 1u << 3));
}

VD_TEST(kept_decisions_ask_nobody)
{
    uint64_t before;

    start("allow admin_t secret_t:file read; dontaudit user_t secret_t:file read;");
    VD_EXPECT(vd_secclient_check(client, admin, secret, class, READ));
    VD_EXPECT(!vd_secclient_check(client, user, secret, class, READ));
    before = vd_secclient_requests(client);
    for (uint32_t i = 0; i < 1000; i++) {
        VD_EXPECT(vd_secclient_check(client, admin, secret, class, READ));
        VD_EXPECT(!vd_secclient_check(client, user, secret, class, READ));
    }
    VD_EXPECT_EQ(vd_secclient_requests(client), before);
    /* What is recorded is asked of the server each time. */
    VD_EXPECT(!vd_secclient_check(client, user, secret, class, WRITE));
    VD_EXPECT(!vd_secclient_check(client, user, secret, class, WRITE));
    VD_EXPECT_EQ(vd_secclient_requests(client), before + 2);
}

/* Every pair of types and every class: the engine's own answer, bit by bit. */
VD_TEST(decisions_are_the_engines)
{
    static const char *const contexts[] = {ADMIN, USER, SECRET, PUBLIC};
    const char *more = "allow admin_t { secret_t public_t }:file { read write };"
                       "allow user_t public_t:file { read open }; auditallow user_t public_t:file "
                       "read; dontaudit user_t secret_t:file *;"
                       "constrain file write ( u1 == u2 );"
                       "permissive user_t;";
    struct vd_secadmin_load load = securityd_compile(securityd_policy(more));
    struct vd_policydb db;
    uint32_t number, bits;

    start(more);
    VD_EXPECT_EQ(vd_policydb_open(&db, load.data, vd_policydb_extent(load.data, load.size), NULL),
                 VD_OK);
    VD_EXPECT_EQ(vd_policydb_find(&db, VD_SYM_CLASS, "file", 4, &number), VD_OK);
    VD_EXPECT_EQ(vd_policydb_find_perm(&db, number, "read", 4, &bits), VD_OK);
    VD_EXPECT_EQ(bits, READ); /* so the client's bits are the policy's */
    for (uint32_t i = 0; i < VD_COUNT(contexts) * VD_COUNT(contexts); i++) {
        const char *source = contexts[i / VD_COUNT(contexts)];
        const char *target = contexts[i % VD_COUNT(contexts)];
        struct vd_secclient_question q = {.class = class, .requested = READ};
        struct vd_secclient_answer answer = {};
        struct vd_context a, b;
        struct vd_decision d;
        VD_EXPECT_EQ(vd_mac_context_parse(&db, source, strlen(source), &a, NULL), VD_OK);
        VD_EXPECT_EQ(vd_mac_context_parse(&db, target, strlen(target), &b, NULL), VD_OK);
        vd_mac_decide(&db, &a, &b, number, &d);
        VD_EXPECT_EQ(vd_secclient_subject(client, source, &q.subject, NULL), VD_OK);
        VD_EXPECT_EQ(vd_secclient_object(client, target, &q.object, NULL), VD_OK);
        for (uint32_t j = 0; j < 2; j++) { /* decided, and from the server's cache */
            VD_EXPECT_EQ(vd_secclient_ask(client, &q, &answer, NULL), VD_OK);
            VD_EXPECT_EQ(answer.permitted, d.allowed & 7);
            VD_EXPECT_EQ(answer.auditallow, d.auditallow & 7);
            VD_EXPECT_EQ(answer.auditdeny, d.auditdeny & 7);
            VD_EXPECT_EQ(answer.flags, d.flags);
            VD_EXPECT_EQ(answer.without_te, d.without_te & 7);
            VD_EXPECT_EQ(answer.without_constraint, d.without_constraint & 7);
            VD_EXPECT_EQ(answer.allowed,
                         (d.allowed & READ) != 0 || (d.flags & VD_DECISION_PERMISSIVE) != 0);
        }
    }
    VD_EXPECT(securityd_count(VD_SEC_STAT_AVC_HITS) >= VD_COUNT(contexts) * VD_COUNT(contexts));
    free((void *)(uintptr_t)load.data);
}

VD_TEST(permissions_are_the_clients_own_bits)
{
    static const char *const turned[] = {"open", "nonsense", "write", "read"};
    uint32_t other;

    start("allow admin_t secret_t:file read;");
    VD_EXPECT_EQ(
        vd_secclient_class(client, &(struct vd_secclient_names){"file", turned, 4}, &other, NULL),
        VD_OK);
    VD_EXPECT(vd_secclient_check(client, admin, secret, other, 1u << 3));
    VD_EXPECT(!vd_secclient_check(client, admin, secret, other, 1u << 0));
    VD_EXPECT(!vd_secclient_check(client, admin, secret, other, 1u << 1));
    VD_EXPECT(!vd_secclient_check(client, admin, secret, other, 1u << 2));
    VD_EXPECT_EQ(
        vd_secclient_class(client, &(struct vd_secclient_names){"window", turned, 4}, &other, NULL),
        VD_OK);
    VD_EXPECT(!vd_secclient_check(client, admin, secret, other, 1u << 3));
}

VD_TEST(transitions_and_labels)
{
    struct vd_secclient_creation creation;
    struct vd_diag diag = {};
    char *text;
    bool valid;

    start("type_transition admin_t secret_t:file public_t;"
          "type_transition admin_t secret_t:file security_t \"special\";"
          "type_change admin_t secret_t:file public_t; type_member admin_t secret_t:file user_t;");
    creation = (struct vd_secclient_creation){VD_SECCLIENT_TRANSITION, admin, secret, class, NULL};
    VD_EXPECT_EQ(vd_secclient_create(client, &creation, &text, NULL), VD_OK);
    VD_EXPECT_STR(text, "system_u:object_r:public_t");
    free(text);
    creation.name = "special";
    VD_EXPECT_EQ(vd_secclient_create(client, &creation, &text, NULL), VD_OK);
    VD_EXPECT_STR(text, "system_u:object_r:security_t");
    free(text);
    creation.kind = VD_SECCLIENT_CHANGE;
    VD_EXPECT_EQ(vd_secclient_create(client, &creation, &text, NULL), VD_OK);
    VD_EXPECT_STR(text, "system_u:object_r:public_t");
    free(text);
    VD_EXPECT_EQ(vd_secclient_validate(client, USER, &text, NULL), VD_OK);
    VD_EXPECT_STR(text, USER);
    free(text);
    VD_EXPECT_EQ(vd_secclient_validate(client, "user_u:system_r:admin_t", &text, &diag),
                 VD_E_INVALID);
    VD_EXPECT(diag.text[0] != '\0');
    VD_EXPECT_EQ(vd_secclient_context(client, secret, &text, &valid, NULL), VD_OK);
    VD_EXPECT_STR(text, SECRET);
    VD_EXPECT(valid);
    free(text);
}

static uint32_t ioctls; /* class file with its one permission ioctl */

static bool number_allowed(uint32_t subject, uint32_t object, uint16_t number)
{
    const struct vd_secclient_question q = {subject, object, ioctls, 1};
    const struct vd_secclient_number n = {.kind = VD_SECCLIENT_IOCTL, .number = number};
    struct vd_secclient_answer answer = {};

    VD_EXPECT_EQ(vd_secclient_ask_number(client, &q, &n, &answer, NULL), VD_OK);
    VD_EXPECT_EQ(answer.denied, answer.allowed ? 0 : 1);
    return answer.allowed;
}

VD_TEST(extended_permissions_narrow)
{
    static const char *const names[] = {"ioctl"};
    struct vd_secclient_number n = {.kind = VD_SECCLIENT_NLMSG, .number = 0x10};
    struct vd_secclient_question q;
    struct vd_secclient_answer answer = {};
    uint32_t public;

    start("allow admin_t { secret_t public_t }:file ioctl;"
          "allowxperm admin_t secret_t:file ioctl { 0x10 0x8900-0x89ff };"
          "allowxperm user_t secret_t:file ioctl 0x10;");
    VD_EXPECT_EQ(vd_secclient_object(client, PUBLIC, &public, NULL), VD_OK);
    VD_EXPECT_EQ(
        vd_secclient_class(client, &(struct vd_secclient_names){"file", names, 1}, &ioctls, NULL),
        VD_OK);
    VD_EXPECT(number_allowed(admin, secret, 0x10));
    VD_EXPECT(!number_allowed(admin, secret, 0x11));
    VD_EXPECT(number_allowed(admin, secret, 0x8912));
    VD_EXPECT(!number_allowed(admin, secret, 0xffff));
    /* The permission is needed all the same, and alone decides where no rule has numbers. */
    VD_EXPECT(!number_allowed(user, secret, 0x10));
    VD_EXPECT(number_allowed(admin, public, 0x11));
    /* Numbers of one kind are not those of the other. */
    q = (struct vd_secclient_question){admin, secret, ioctls, 1};
    VD_EXPECT_EQ(vd_secclient_ask_number(client, &q, &n, &answer, NULL), VD_OK);
    VD_EXPECT(!answer.allowed);
    /* A kept answer without a number stays what it is. */
    VD_EXPECT(vd_secclient_check(client, admin, secret, ioctls, 1));
    q = (struct vd_secclient_question){admin, secret, class, READ | WRITE};
    VD_EXPECT_EQ(vd_secclient_ask_number(client, &q, &n, &answer, NULL), VD_E_RANGE);
    n.kind = 3;
    q.requested = READ;
    VD_EXPECT_EQ(vd_secclient_ask_number(client, &q, &n, &answer, NULL), VD_E_INVALID);
}

VD_TEST(wrong_contexts_are_refused_with_their_place)
{
    struct vd_diag diag = {};
    uint32_t id;

    start("");
    VD_EXPECT_EQ(vd_secclient_subject(client, "system_u:system_r:nobody_t", &id, &diag),
                 VD_E_NOT_FOUND);
    VD_EXPECT(diag.has_offset);
    VD_EXPECT_EQ(diag.offset, 18);
    VD_EXPECT_EQ(vd_secclient_subject(client, "", &id, NULL), VD_E_SYNTAX);
}

VD_TEST(relabel_and_forget)
{
    uint32_t again;

    start("allow admin_t public_t:file read;");
    VD_EXPECT(!vd_secclient_check(client, admin, secret, class, READ));
    VD_EXPECT_EQ(vd_secclient_relabel(client, secret, PUBLIC, NULL), VD_OK);
    VD_EXPECT(vd_secclient_check(client, admin, secret, class, READ));
    VD_EXPECT_EQ(vd_secclient_relabel(client, secret, SECRET, NULL), VD_OK);
    VD_EXPECT(!vd_secclient_check(client, admin, secret, class, READ));
    VD_EXPECT_EQ(vd_secclient_relabel(client, secret, PUBLIC, NULL), VD_OK);
    VD_EXPECT(vd_secclient_check(client, admin, secret, class, READ));
    /* The next one gets the number, and none of its decisions. */
    vd_secclient_forget(client, secret);
    VD_EXPECT(!vd_secclient_check(client, admin, secret, class, READ));
    VD_EXPECT_EQ(vd_secclient_object(client, SECRET, &again, NULL), VD_OK);
    VD_EXPECT_EQ(again, secret);
    VD_EXPECT(!vd_secclient_check(client, admin, secret, class, READ));
}

VD_TEST(without_a_policy_nothing_is_allowed)
{
    struct vd_secclient_options options = {};
    uint32_t id;

    securityd_prepare(NULL);
    securityd_start();
    options.socket = securityd.socket;
    vd_secclient_free(client);
    VD_EXPECT_EQ(vd_secclient_new(&options, &client, NULL), VD_OK);
    VD_EXPECT_EQ(vd_secclient_subject(client, ADMIN, &id, NULL), VD_E_DENIED);
    VD_EXPECT_EQ(securityd_count(VD_SEC_STAT_SEQUENCE), 0);
}

/* --- the server's end */

VD_TEST(a_killed_server_allows_nothing)
{
    start("allow admin_t secret_t:file read;");
    VD_EXPECT(vd_secclient_check(client, admin, secret, class, READ));
    securityd_kill();
    VD_EXPECT(!vd_secclient_check(client, admin, secret, class, READ));
    /* Back again: the same numbers, without a word of the program. */
    securityd_start();
    VD_EXPECT(vd_secclient_check(client, admin, secret, class, READ));
    securityd_stop();
    VD_EXPECT(!vd_secclient_check(client, admin, secret, class, READ));
}

VD_TEST(a_server_with_another_policy_is_believed_at_once)
{
    char dir[sizeof(securityd.store)];

    start("allow admin_t secret_t:file read;");
    VD_EXPECT(vd_secclient_check(client, admin, secret, class, READ));
    securityd_kill();
    /* Another store, whose sequence numbers begin anew, and another policy. */
    snprintf(dir, sizeof(dir), "%s/second", securityd.dir);
    snprintf(securityd.store, sizeof(securityd.store), "%s", dir);
    struct vd_secadmin_load load =
        securityd_compile(securityd_policy("allow admin_t secret_t:file write;"));
    VD_EXPECT_EQ(vd_file_store(securityd.policy, load.data, load.size, 0644, NULL), VD_OK);
    free((void *)(uintptr_t)load.data);
    securityd_start();
    VD_EXPECT(!vd_secclient_check(client, admin, secret, class, READ));
    VD_EXPECT(vd_secclient_check(client, admin, secret, class, WRITE));
}

VD_TEST(a_hanging_server_allows_nothing_new)
{
    struct vd_secclient_options options = {.socket = securityd.socket, .timeout_ms = 1000};
    struct vd_secclient *second;
    uint64_t begin;
    uint32_t id;

    start("allow admin_t secret_t:file read;");
    options.socket = securityd.socket;
    VD_EXPECT_EQ(vd_secclient_new(&options, &second, NULL), VD_OK);
    VD_EXPECT_EQ(vd_secclient_subject(second, ADMIN, &id, NULL), VD_OK);
    VD_EXPECT(kill(securityd.pid, SIGSTOP) == 0);
    begin = vd_sys_monotonic_ns();
    VD_EXPECT_EQ(vd_secclient_subject(second, USER, &id, NULL), VD_E_TIMEOUT);
    VD_EXPECT(vd_sys_monotonic_ns() - begin < 30'000'000'000u);
    VD_EXPECT(kill(securityd.pid, SIGCONT) == 0);
    VD_EXPECT_EQ(vd_secclient_subject(second, USER, &id, NULL), VD_OK);
    vd_secclient_free(second);
}

VD_TEST(a_child_has_a_connection_of_its_own)
{
    int status;
    pid_t pid;

    start("allow admin_t secret_t:file read; allow user_t secret_t:file write;");
    VD_EXPECT(vd_secclient_check(client, admin, secret, class, READ));
    pid = fork();
    VD_EXPECT(pid >= 0);
    if (pid == 0) {
        bool good = true;
        for (uint32_t i = 0; i < 200; i++)
            good = good && !vd_secclient_check(client, user, secret, class, READ) &&
                   vd_secclient_check(client, admin, secret, class, READ);
        _exit(good ? 0 : 1);
    }
    for (uint32_t i = 0; i < 200; i++)
        VD_EXPECT(!vd_secclient_check(client, admin, secret, class, WRITE));
    VD_EXPECT(waitpid(pid, &status, 0) == pid);
    VD_EXPECT_EQ(status, 0);
}

static int try_fake_server(void)
{
    struct vd_secclient_options options = {.socket = securityd.socket};
    struct vd_secclient *mine;
    struct vd_diag diag = {};

    if (vd_secclient_new(&options, &mine, NULL) != VD_OK)
        return 1;
    return vd_secclient_connect(mine, &diag) == VD_E_UNTRUSTED ? 0 : 2;
}

static int listen_as_nobody(void)
{
    int fd;

    return vd_ipc_listen(securityd.socket, 0666, &fd, NULL) == VD_OK ? try_fake_server() : 3;
}

VD_TEST(a_server_of_another_user_is_not_believed)
{
    securityd_prepare(NULL);
    if (geteuid() != 0)
        vd_test_skip("needs root, to become another user");
    VD_EXPECT(chown(securityd.dir, NOBODY, NOBODY) == 0);
    VD_EXPECT_EQ(securityd_as_user(NOBODY, listen_as_nobody), 0);
}

/* --- who may change the policy */

static int load_as_is(void)
{
    struct vd_secadmin_load load = {.data = "x", .size = 1};
    struct vd_secadmin_result result;

    /* Denied before the bytes are looked at; bytes that are no policy if allowed. */
    switch (vd_secadmin_load(securityd.socket, &load, &result, NULL)) {
    case VD_E_DENIED:
        return 1;
    case VD_E_TRUNCATED:
    case VD_E_MAGIC:
        return 0;
    default:
        return 9;
    }
}

static int set_bool_as_is(void)
{
    struct vd_secadmin_bool leak = {.name = "leak", .value = true};
    struct vd_secadmin_set set = {.bools = &leak, .count = 1};
    struct vd_secadmin_result result;

    return vd_secadmin_set_bools(securityd.socket, &set, &result, NULL) == VD_OK ? 0 : 1;
}

static int rollback_as_is(void)
{
    struct vd_secadmin_result result;

    return vd_secadmin_simple(securityd.socket, VD_SEC_ROLLBACK, &result, NULL) == VD_E_DENIED;
}

VD_TEST(only_administrators_change_the_policy)
{
    static const char more[] = "allow admin_t secret_t:file read;";

    start(more);
    if (geteuid() != 0)
        vd_test_skip("needs root, to become another user");
    VD_EXPECT_EQ(securityd_as_user(NOBODY, load_as_is), 1);
    VD_EXPECT_EQ(securityd_as_user(NOBODY, set_bool_as_is), 1);
    VD_EXPECT_EQ(securityd_as_user(NOBODY, rollback_as_is), 1);
    VD_EXPECT_EQ(securityd_count(VD_SEC_STAT_SEQUENCE), 1);
    VD_EXPECT_EQ(load_as_is(), 0);
    /* The protection taken away: now the same attack goes through. */
    securityd_stop();
    securityd.options[0] = "--admin";
    securityd.options[1] = "65534";
    securityd_start();
    VD_EXPECT_EQ(securityd_as_user(NOBODY, load_as_is), 0);
    VD_EXPECT_EQ(securityd_as_user(NOBODY, set_bool_as_is), 0);
    VD_EXPECT_EQ(securityd_count(VD_SEC_STAT_SEQUENCE), 2);
    VD_EXPECT_EQ(load_as_is(), 1); /* root is no administrator then */
}

/* With contexts the policy in force decides, for root too. */
VD_TEST(the_policy_decides_where_clients_have_contexts)
{
    static const char rule[] =
        "allow admin_t security_t:security { load_policy setbool compute_av };";
    static const struct {
        const char *peers;
        const char *more;
        int load;
        int set;
    } rows[] = {
        {"0 " ADMIN "\n", rule, 0, 0},
        {"0 " USER "\n", rule, 1, 1},
        {"0 " ADMIN "\n", "", 1, 1},
        {"0 " ADMIN "\n", "allow admin_t security_t:security load_policy;", 0, 1},
        {"0 " ADMIN "\n", "allow admin_t security_t:security setbool;", 1, 0},
        {"* " ADMIN "\n", rule, 0, 0},
        {"7 " ADMIN "\n", rule, 1, 1},
        {"0 system_u:system_r:nobody_t\n", rule, 1, 1},
        {"# nobody\n", rule, 1, 1},
        {"0 " ADMIN "\n", "permissive admin_t;", 0, 0},
    };

    for (size_t i = 0; i < VD_COUNT(rows); i++) {
        securityd_prepare(securityd_policy(rows[i].more));
        securityd_peers(rows[i].peers);
        securityd_start();
        if (load_as_is() != rows[i].load || set_bool_as_is() != rows[i].set)
            vd_test_fail(__FILE__, __LINE__, "row %zu: %s", i, rows[i].peers);
    }
}

static const char *const no_perms[] = {
    /* a policy without class security, one without the permission, one without the context */
    "class file\nsid kernel\nsid security\nclass file { read }\ntype admin_t;\nrole system_r types "
    "admin_t;\nuser system_u roles system_r;\nsid kernel system_u:system_r:admin_t\nsid security "
    "system_u:object_r:admin_t\n",
    "class security\nsid kernel\nsid security\nclass security { setbool }\ntype admin_t;\n"
    "role system_r types admin_t;\nallow admin_t self:security *;\nuser system_u roles system_r;\n"
    "sid kernel system_u:system_r:admin_t\nsid security system_u:system_r:admin_t\n",
    "class security\nsid kernel\nclass security { load_policy }\ntype admin_t;\n"
    "role system_r types admin_t;\nallow admin_t self:security *;\nuser system_u roles system_r;\n"
    "sid kernel system_u:system_r:admin_t\n",
};

VD_TEST(what_the_policy_does_not_know_is_refused)
{
    for (size_t i = 0; i < VD_COUNT(no_perms); i++) {
        securityd_prepare(no_perms[i]);
        securityd_peers("* " ADMIN "\n");
        securityd_start();
        if (load_as_is() != 1)
            vd_test_fail(__FILE__, __LINE__, "policy %zu lets a load through", i);
    }
}

VD_TEST(compute_av_is_a_right_too)
{
    struct vd_secclient_options options = {};
    uint32_t id;

    securityd_prepare(securityd_policy("allow user_t security_t:security compute_av;"));
    securityd_peers("* " USER "\n");
    securityd_start();
    open_client();
    securityd_prepare(securityd_policy(""));
    securityd_peers("* " USER "\n");
    securityd_start();
    options.socket = securityd.socket;
    vd_secclient_free(client);
    VD_EXPECT_EQ(vd_secclient_new(&options, &client, NULL), VD_OK);
    VD_EXPECT_EQ(vd_secclient_subject(client, USER, &id, NULL), VD_E_DENIED);
}

VD_TEST(wrong_peers_file_does_not_start)
{
    static const char *const texts[] = {"0",        "x " ADMIN,     "0 a b", "0 a\n0 b",
                                        "* a\n* b", "4294967295 a", "-1 a",  "0 \n"};

    for (size_t i = 0; i < VD_COUNT(texts); i++) {
        securityd_prepare(securityd_policy(""));
        securityd_peers(texts[i]);
        VD_EXPECT_EQ(securityd_try_start(), 2);
    }
}
