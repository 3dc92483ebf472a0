/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/mac/decide.h"

#include "core/policydb/conditional.h"
#include "tests/harness.h"
#include "tests/support/policy_builder.h"
#include "tests/support/small_policy.h"

#include <stdlib.h>

static uint8_t *blob;
static struct vd_policydb db;

static void setup(void)
{
    free(blob);
    db = small_policy_open(&blob);
}

static struct vd_decision ask(struct vd_context source, struct vd_context target, uint32_t class)
{
    struct vd_decision decision;

    memset(&decision, 0xa5, sizeof(decision));
    vd_mac_decide(&db, &source, &target, class, &decision);
    return decision;
}

static struct vd_context process(uint32_t type)
{
    return sp_plain(SP_SYSTEM_U, SP_SYSTEM_R, type);
}

static struct vd_context file(uint32_t type)
{
    return sp_plain(SP_SYSTEM_U, SP_OBJECT_R, type);
}

VD_TEST(decide_te_allows_only_what_a_rule_says)
{
    struct vd_decision d;

    setup();
    d = ask(process(SP_APP_T), file(SP_PUBLIC_T), SP_FILE);
    VD_EXPECT_EQ(d.allowed, SP_READ | SP_OPEN);
    VD_EXPECT_EQ(d.without_te, SP_WRITE | SP_EXECUTE | SP_RELABEL);
    VD_EXPECT_EQ(d.auditallow, SP_READ);
    VD_EXPECT_EQ(d.auditdeny, ~(uint32_t)SP_WRITE);
    VD_EXPECT_EQ(d.flags, 0);
    d = ask(process(SP_PUBLIC_T), file(SP_APP_T), SP_FILE);
    VD_EXPECT_EQ(d.allowed, 0);
    VD_EXPECT_EQ(d.auditdeny, UINT32_MAX);
}

VD_TEST(decide_refuses_what_the_policy_does_not_have)
{
    const struct vd_context good = process(SP_APP_T);
    struct vd_context bad;

    setup();
    for (uint32_t number = 0; number < 1000; number = number == 0 ? 8 : number * 3) {
        bad = good;
        bad.type = number;
        VD_EXPECT_EQ(ask(bad, file(SP_PUBLIC_T), SP_FILE).allowed, 0);
        VD_EXPECT_EQ(ask(good, bad, SP_FILE).allowed, 0);
        bad = good;
        bad.user = number;
        VD_EXPECT_EQ(ask(bad, file(SP_PUBLIC_T), SP_FILE).allowed, 0);
        bad = good;
        bad.role = number;
        VD_EXPECT_EQ(ask(bad, file(SP_PUBLIC_T), SP_FILE).allowed, 0);
        VD_EXPECT_EQ(ask(good, file(SP_PUBLIC_T), number).allowed, 0);
    }
    VD_EXPECT_EQ(ask(good, file(SP_PUBLIC_T), UINT32_MAX).allowed, 0);
}

VD_TEST(decide_constraints_compare_levels)
{
    /* target's level, source's range: what of read, write, open is left to init_t on secret_t */
    static const struct {
        uint32_t low_sens, low_cats, high_sens, high_cats, sens, cats, allowed, taken;
    } rows[] = {
        {SP_S0, 0, SP_S0, 0, SP_S0, 0, SP_READ | SP_WRITE, 0},
        {SP_S0, 0, SP_S0, 0, SP_S1, 0, 0, SP_READ | SP_WRITE},
        {SP_S0, 0, SP_S1, 0, SP_S1, 0, SP_READ, SP_WRITE},
        {SP_S0, 0, SP_S1, 1, SP_S1, 2, 0, SP_READ | SP_WRITE},
        {SP_S0, 0, SP_S1, 3, SP_S1, 2, SP_READ, SP_WRITE},
        {SP_S1, 2, SP_S1, 3, SP_S1, 2, SP_READ | SP_WRITE, 0},
        {SP_S1, 2, SP_S1, 3, SP_S0, 2, SP_READ, SP_WRITE},
        {SP_S1, 2, SP_S1, 3, SP_S0, 4, 0, SP_READ | SP_WRITE},
    };

    setup();
    for (size_t i = 0; i < VD_COUNT(rows); i++) {
        struct vd_context s = sp_context(SP_SYSTEM_U, SP_SYSTEM_R, SP_INIT_T,
                                         SP_LEVEL(rows[i].low_sens, rows[i].low_cats),
                                         SP_LEVEL(rows[i].high_sens, rows[i].high_cats));
        struct vd_context t =
            sp_context(SP_SYSTEM_U, SP_OBJECT_R, SP_SECRET_T, SP_LEVEL(rows[i].sens, rows[i].cats),
                       SP_LEVEL(rows[i].sens, rows[i].cats));
        struct vd_decision d = ask(s, t, SP_FILE);
        VD_EXPECT_EQ(d.allowed, rows[i].allowed | SP_OPEN | SP_RELABEL);
        VD_EXPECT_EQ(d.without_constraint, rows[i].taken);
    }
}

VD_TEST(decide_constraints_know_roles_users_and_types)
{
    struct vd_context high =
        sp_context(SP_SYSTEM_U, SP_APP_R, SP_SECRET_T, SP_LEVEL(SP_S0, 0), SP_LEVEL(SP_S0, 0));
    struct vd_context admin =
        sp_context(SP_SYSTEM_U, SP_ADMIN_R, SP_INIT_T, SP_LEVEL(SP_S1, 0), SP_LEVEL(SP_S1, 0));
    struct vd_context user = sp_plain(SP_APP_U, SP_APP_R, SP_APP_T);

    setup();
    /* An administrator, whose role dominates the target's, may write down. */
    VD_EXPECT_EQ(ask(admin, high, SP_FILE).without_constraint, 0);
    admin.role = SP_SYSTEM_R;
    VD_EXPECT_EQ(ask(admin, high, SP_FILE).without_constraint, SP_WRITE);
    admin.role = SP_ADMIN_R;
    high.role = SP_SYSTEM_R;
    VD_EXPECT_EQ(ask(admin, high, SP_FILE).without_constraint, SP_WRITE);
    /* Sockets: the same user, or init_t. */
    VD_EXPECT_EQ(ask(user, user, SP_SOCKET).allowed, SP_READ | SP_WRITE);
    VD_EXPECT_EQ(ask(user, process(SP_APP_T), SP_SOCKET).allowed, SP_READ);
    VD_EXPECT_EQ(ask(user, process(SP_APP_T), SP_SOCKET).without_constraint, SP_WRITE);
}

VD_TEST(decide_role_allow_governs_transitions)
{
    struct vd_context app = sp_plain(SP_SYSTEM_U, SP_APP_R, SP_APP_T);
    struct vd_decision d;

    setup();
    VD_EXPECT_EQ(ask(process(SP_INIT_T), process(SP_APP_T), SP_PROCESS).allowed,
                 SP_TRANSITION | SP_DYNTRANSITION);
    VD_EXPECT_EQ(ask(process(SP_INIT_T), app, SP_PROCESS).allowed,
                 SP_TRANSITION | SP_DYNTRANSITION);
    app.role = SP_ADMIN_R;
    d = ask(process(SP_INIT_T), app, SP_PROCESS);
    VD_EXPECT_EQ(d.allowed, 0);
    VD_EXPECT_EQ(d.without_role, SP_TRANSITION | SP_DYNTRANSITION);
    VD_EXPECT_EQ(d.without_te, SP_FORK | SP_SIGCHLD);
}

VD_TEST(decide_bounds_keep_a_type_within_its_parent)
{
    struct vd_decision d;

    setup();
    d = ask(process(SP_CHILD_T), file(SP_PUBLIC_T), SP_FILE);
    VD_EXPECT_EQ(d.allowed, SP_READ | SP_OPEN);
    VD_EXPECT_EQ(d.without_bounds, SP_WRITE);
}

VD_TEST(decide_permissive_is_only_a_flag)
{
    struct vd_decision d;

    setup();
    d = ask(process(SP_TMP_T), file(SP_PUBLIC_T), SP_FILE);
    VD_EXPECT_EQ(d.flags, VD_DECISION_PERMISSIVE);
    VD_EXPECT_EQ(d.allowed, 0);
}

VD_TEST(decide_booleans_change_a_copy)
{
    struct vd_decision d;

    setup();
    d = ask(process(SP_APP_T), file(SP_SECRET_T), SP_FILE);
    VD_EXPECT_EQ(d.allowed, SP_OPEN);
    VD_EXPECT_EQ(d.auditdeny, ~(uint32_t)SP_READ);
    VD_EXPECT_EQ(vd_policydb_set_bool(blob, SP_BOOL_DEBUG, true), VD_OK);
    vd_policydb_recompute(blob);
    VD_EXPECT_EQ(vd_policydb_open(&db, blob, db.size, NULL), VD_OK);
    d = ask(process(SP_APP_T), file(SP_SECRET_T), SP_FILE);
    VD_EXPECT_EQ(d.allowed, SP_READ);
    VD_EXPECT_EQ(d.auditdeny, UINT32_MAX);
    VD_EXPECT_EQ(vd_policydb_set_bool(blob, 0, true), VD_E_NOT_FOUND);
    VD_EXPECT_EQ(vd_policydb_set_bool(blob, 2, true), VD_E_NOT_FOUND);
}

VD_TEST(decide_conditions_have_every_operator)
{
    static const struct {
        enum vd_pdb_cond_op op;
        uint32_t when; /* bit 2a+b: the result for a, b */
    } rows[] = {{VD_COND_OR, 0xe},
                {VD_COND_AND, 0x8},
                {VD_COND_XOR, 0x6},
                {VD_COND_EQ, 0x9},
                {VD_COND_NEQ, 0x6}};

    for (size_t i = 0; i < VD_COUNT(rows); i++) {
        for (uint32_t values = 0; values < 4; values++) {
            const struct vd_pdb_cond_node nodes[] = {{VD_COND_BOOL, 1},
                                                     {VD_COND_BOOL, 2},
                                                     {VD_COND_NOT, 0},
                                                     {VD_COND_NOT, 0},
                                                     {rows[i].op, 0}};
            struct pb *pb = pb_new(0);
            size_t size;
            pb_class(pb, "file", "read write", 0);
            pb_type(pb, "a_t");
            pb_role(pb, "r");
            pb_user(pb, "u", 0, 0);
            pb_bool(pb, "a", values >> 1);
            pb_bool(pb, "b", values & 1);
            pb_rule(pb, &(struct pb_rule){1, 1, 1, .allowed = 1, .branch = 1,
                                          .cond = pb_cond(pb, nodes, VD_COUNT(nodes))});
            free(blob);
            blob = pb_finish(pb, &size);
            VD_EXPECT_EQ(vd_policydb_open(&db, blob, size, NULL), VD_OK);
            VD_EXPECT_EQ(ask(sp_context(1, 2, 1, SP_LEVEL(0, 0), SP_LEVEL(0, 0)),
                             sp_context(1, 1, 1, SP_LEVEL(0, 0), SP_LEVEL(0, 0)), 1)
                             .allowed,
                         rows[i].when >> values & 1);
        }
    }
}

VD_TEST(decide_validatetrans)
{
    struct vd_context old = file(SP_SECRET_T);
    struct vd_context new = file(SP_PUBLIC_T);
    struct vd_context init = process(SP_INIT_T);
    struct vd_context app = process(SP_APP_T);

    setup();
    VD_EXPECT(vd_mac_validatetrans(&db, &old, &new, &init, SP_FILE));
    VD_EXPECT(!vd_mac_validatetrans(&db, &old, &new, &app, SP_FILE));
    VD_EXPECT(vd_mac_validatetrans(&db, &old, &new, &app, SP_SOCKET));
    VD_EXPECT(!vd_mac_validatetrans(&db, &old, &new, &init, 0));
    VD_EXPECT(!vd_mac_validatetrans(&db, &old, &new, &init, 5));
    old.low.cats[0] = 1;
    new.low.cats[0] = 2;
    new.high.cats[0] = 2;
    VD_EXPECT(!vd_mac_validatetrans(&db, &old, &new, &init, SP_FILE));
}

VD_TEST(verdict_denies_unless_everything_asked_is_allowed)
{
    const struct vd_decision d = {.allowed = 3, .auditallow = 1, .auditdeny = ~8u};

    VD_EXPECT(vd_verdict_allows(vd_decision_apply(&d, 3)));
    VD_EXPECT_EQ(vd_decision_apply(&d, 3).audited, 1);
    VD_EXPECT(!vd_verdict_allows(vd_decision_apply(&d, 0)));
    VD_EXPECT(!vd_verdict_allows(vd_decision_apply(&d, 4 | 1)));
    VD_EXPECT_EQ(vd_decision_apply(&d, 4 | 8 | 1).denied, 4 | 8);
    VD_EXPECT_EQ(vd_decision_apply(&d, 4 | 8 | 1).audited, 4);
    VD_EXPECT(!vd_verdict_allows((struct vd_verdict){}));
    VD_EXPECT(!vd_verdict_allows((struct vd_verdict){.value = 1}));
}

/*
 * Two types, two classes, two permissions: every combination of rules is
 * compared with the obvious computation, for every question.
 */
VD_TEST(decide_exhaustive_tiny_policy)
{
    for (uint32_t rules = 0; rules < 1u << 16; rules += 7) {
        struct pb *pb = pb_new(0);
        size_t size;
        pb_class(pb, "a", "x y", 0);
        pb_class(pb, "b", "x y", 0);
        pb_type(pb, "s_t");
        pb_type(pb, "t_t");
        pb_role(pb, "r");
        pb_user(pb, "u", 0, 0);
        for (uint32_t i = 0; i < 8; i++)
            pb_allow(pb, 1 + (i & 1), 1 + (i >> 1 & 1), 1 + (i >> 2), rules >> (2 * i) & 3);
        free(blob);
        blob = pb_finish(pb, &size);
        VD_EXPECT_EQ(vd_policydb_open(&db, blob, size, NULL), VD_OK);
        for (uint32_t i = 0; i < 8; i++) {
            struct vd_context s = sp_context(1, 2, 1 + (i & 1), SP_LEVEL(0, 0), SP_LEVEL(0, 0));
            struct vd_context t =
                sp_context(1, 1, 1 + (i >> 1 & 1), SP_LEVEL(0, 0), SP_LEVEL(0, 0));
            VD_EXPECT_EQ(ask(s, t, 1 + (i >> 2)).allowed, rules >> (2 * i) & 3);
        }
    }
}
