/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/mac/transition.h"

#include "tests/harness.h"
#include "tests/support/small_policy.h"

#include <stdlib.h>

static uint8_t *blob;
static struct vd_policydb db;

static void setup(void)
{
    free(blob);
    db = small_policy_open(&blob);
}

static const char *text_of(const struct vd_context *context)
{
    static char buf[256];
    struct vd_text text;

    vd_text_init(&text, buf, sizeof(buf));
    vd_mac_context_text(&db, context, &text);
    return buf;
}

static struct vd_context parsed(const char *text)
{
    struct vd_context context;
    struct vd_diag diag = {};

    if (vd_mac_context_parse(&db, text, strlen(text), &context, &diag) != VD_OK)
        vd_test_fail(__FILE__, __LINE__, "%s: %s", text, diag.text);
    return context;
}

VD_TEST(transition_gives_new_contexts)
{
    static const struct {
        uint32_t kind, class;
        const char *source, *target, *expected;
    } rows[] = {
        /* type and role transition of a process; its range stays */
        {VD_TRANS_TYPE, SP_PROCESS, "system_u:system_r:init_t:s0-s1:c0",
         "system_u:object_r:app_exec_t:s0", "system_u:app_r:app_t:s0-s1:c0"},
        /* no rule: a process keeps everything */
        {VD_TRANS_TYPE, SP_PROCESS, "system_u:system_r:app_t:s0-s1",
         "system_u:object_r:public_t:s0", "system_u:system_r:app_t:s0-s1"},
        /* range transition */
        {VD_TRANS_TYPE, SP_PROCESS, "system_u:system_r:init_t:s0", "system_u:object_r:tmp_t:s0",
         "system_u:system_r:init_t:s0-s1:c0.c4"},
        /* objects: source's user, object_r, target's type, source's low level */
        {VD_TRANS_TYPE, SP_FILE, "app_u:app_r:app_t:s0-s0:c1", "system_u:object_r:secret_t:s1",
         "app_u:object_r:secret_t:s0"},
        {VD_TRANS_TYPE, SP_FILE, "system_u:system_r:app_t:s0:c1-s1:c1",
         "system_u:object_r:public_t:s0", "system_u:object_r:tmp_t:s0:c1"},
        {VD_TRANS_MEMBER, SP_FILE, "system_u:system_r:app_t:s0:c1-s1:c1",
         "app_u:object_r:public_t:s0", "app_u:object_r:secret_t:s0:c1"},
        {VD_TRANS_CHANGE, SP_FILE, "system_u:system_r:app_t:s0:c1-s1:c1", "app_u:object_r:tmp_t:s0",
         "system_u:object_r:public_t:s0:c1"},
        /* a role transition needs the kind "type": change and member leave the role alone */
        {VD_TRANS_CHANGE, SP_PROCESS, "system_u:system_r:init_t:s0-s1",
         "system_u:object_r:app_exec_t:s0", "system_u:system_r:init_t:s0-s1"},
        {VD_TRANS_MEMBER, SP_PROCESS, "system_u:system_r:init_t:s0-s1",
         "system_u:object_r:app_exec_t:s0", "system_u:system_r:init_t:s0"},
        /* sockets are objects like others: libsepol's rule */
        {VD_TRANS_TYPE, SP_SOCKET, "system_u:system_r:app_t:s0-s1", "system_u:object_r:tmp_t:s0",
         "system_u:object_r:tmp_t:s0"},
        /* default_user target, default_role target, default_type source, default_range glblub */
        {VD_TRANS_TYPE, SP_NODE, "system_u:system_r:app_t:s0:c0,c1-s1:c0,c1,c4",
         "app_u:object_r:tmp_t:s0:c1-s0:c1.c3", "app_u:object_r:app_t:s0:c1"},
        {VD_TRANS_TYPE, SP_NODE, "system_u:system_r:app_t:s0", "system_u:app_r:app_t:s0",
         "system_u:app_r:app_t:s0"},
    };

    setup();
    for (size_t i = 0; i < VD_COUNT(rows); i++) {
        struct vd_context source = parsed(rows[i].source);
        struct vd_context target = parsed(rows[i].target);
        struct vd_context created;
        VD_EXPECT_EQ(
            vd_mac_transition(&db, &source, &target, rows[i].class, rows[i].kind, &created), VD_OK);
        VD_EXPECT_STR(text_of(&created), rows[i].expected);
    }
}

VD_TEST(transition_by_the_kernels_rule_gives_sockets_their_creators_context)
{
    static const struct {
        uint32_t kind, class;
        const char *expected;
    } rows[] = {{VD_TRANS_TYPE, SP_SOCKET, "system_u:system_r:app_t:s0-s1"},
                {VD_TRANS_CHANGE, SP_SOCKET, "system_u:system_r:app_t:s0-s1"},
                {VD_TRANS_MEMBER, SP_SOCKET, "system_u:system_r:app_t:s0"},
                {VD_TRANS_TYPE, SP_FILE, "system_u:object_r:tmp_t:s0"}};

    setup();
    for (size_t i = 0; i < VD_COUNT(rows); i++) {
        struct vd_context source = parsed("system_u:system_r:app_t:s0-s1");
        struct vd_context target = parsed("system_u:object_r:tmp_t:s0");
        struct vd_making making = {
            .class = rows[i].class, .kind = rows[i].kind, .creators = VD_MAKING_KERNEL};
        struct vd_context created;

        VD_EXPECT_EQ(vd_mac_create(&db, &source, &target, &making, &created), VD_OK);
        VD_EXPECT_STR(text_of(&created), rows[i].expected);
    }
}

VD_TEST(transition_refuses_invalid_results)
{
    struct vd_context before = sp_plain(1, 1, 1);
    struct vd_context created = before;
    struct vd_context source, target;

    setup();
    source = parsed("system_u:system_r:app_t:s0");
    target = parsed("system_u:object_r:public_t:s0");
    /* app_u with system_r: the class takes user and role of the target, the type of the source */
    target.user = SP_APP_U;
    target.role = SP_SYSTEM_R;
    VD_EXPECT_EQ(vd_mac_transition(&db, &source, &target, SP_NODE, VD_TRANS_TYPE, &created),
                 VD_E_INVALID);
    VD_EXPECT(vd_context_equal(&created, &before));
    for (uint32_t class = 0; class < 100; class = class == 0 ? 5 : class * 4)
        VD_EXPECT_EQ(vd_mac_transition(&db, &source, &target, class, VD_TRANS_TYPE, &created),
                     VD_E_RANGE);
    for (uint32_t kind = 0; kind < 100; kind = kind == 0 ? VD_TRANS_ROLE : kind * 2)
        VD_EXPECT_EQ(vd_mac_transition(&db, &source, &target, SP_FILE, kind, &created), VD_E_RANGE);
    for (uint32_t type = 0; type < 100; type = type == 0 ? 8 : type * 2) {
        target.type = type;
        VD_EXPECT_EQ(vd_mac_transition(&db, &source, &target, SP_FILE, VD_TRANS_TYPE, &created),
                     VD_E_RANGE);
        VD_EXPECT_EQ(vd_mac_transition(&db, &target, &source, SP_FILE, VD_TRANS_TYPE, &created),
                     VD_E_RANGE);
    }
    VD_EXPECT(vd_context_equal(&created, &before));
}

VD_TEST(context_text_and_parse_agree)
{
    static const char *const texts[] = {
        "system_u:system_r:init_t:s0",
        "system_u:system_r:init_t:s0-s1:c0.c4",
        "system_u:object_r:secret_t:s0:c0,c1-s1:c0.c2,c4",
        "system_u:object_r:secret_t:s1:c0,c2,c4",
        "app_u:app_r:app_t:s0-s0:c1",
    };

    setup();
    for (size_t i = 0; i < VD_COUNT(texts); i++) {
        struct vd_context context = parsed(texts[i]);
        VD_EXPECT_STR(text_of(&context), texts[i]);
    }
    VD_EXPECT_EQ(parsed("app_u:app_r:application_t:s0").type, SP_APP_T);
}

VD_TEST(context_parse_names_the_place)
{
    static const struct {
        const char *text;
        vd_status status;
        uint64_t offset;
    } rows[] = {
        {"", VD_E_SYNTAX, 0},
        {":r", VD_E_SYNTAX, 0},
        {"system_u", VD_E_SYNTAX, 8},
        {"system_u:", VD_E_SYNTAX, 9},
        {"nobody_u:system_r:init_t:s0", VD_E_NOT_FOUND, 0},
        {"system_u:nobody_r:init_t:s0", VD_E_NOT_FOUND, 9},
        {"system_u:system_r:none_t:s0", VD_E_NOT_FOUND, 18},
        {"system_u:system_r:init_t", VD_E_SYNTAX, 24},
        {"system_u:system_r:init_t:", VD_E_SYNTAX, 25},
        {"system_u:system_r:init_t:s9", VD_E_NOT_FOUND, 25},
        {"system_u:system_r:init_t:s0:", VD_E_SYNTAX, 28},
        {"system_u:system_r:init_t:s0:c9", VD_E_NOT_FOUND, 28},
        {"system_u:system_r:init_t:s0:c3.c1", VD_E_SYNTAX, 28},
        {"system_u:system_r:init_t:s0:c0.", VD_E_SYNTAX, 31},
        {"system_u:system_r:init_t:s0:c0,", VD_E_SYNTAX, 31},
        {"system_u:system_r:init_t:s0-", VD_E_SYNTAX, 28},
        {"system_u:system_r:init_t:s0-s1-s1", VD_E_SYNTAX, 30},
        {"system_u:system_r:init_t:s1-s0", VD_E_INVALID, 0},
        {"system_u:system_r:init_t:s0:c1-s0", VD_E_INVALID, 0},
        {"system_u:system_r:secret_t:s0", VD_E_INVALID, 0},
        {"app_u:system_r:app_t:s0", VD_E_INVALID, 0},
        {"app_u:app_r:app_t:s0-s1", VD_E_INVALID, 0},
        {"app_u:app_r:app_t:s0:c2", VD_E_INVALID, 0},
    };

    setup();
    for (size_t i = 0; i < VD_COUNT(rows); i++) {
        struct vd_context context = sp_plain(7, 7, 7);
        struct vd_diag diag = {};
        vd_status status =
            vd_mac_context_parse(&db, rows[i].text, strlen(rows[i].text), &context, &diag);
        if (status != rows[i].status || diag.offset != rows[i].offset || diag.text[0] == '\0')
            vd_test_fail(__FILE__, __LINE__, "%s: %s at %llu (%s)", rows[i].text,
                         vd_status_name(status), (unsigned long long)diag.offset, diag.text);
        VD_EXPECT_EQ(context.user, 7);
    }
}

VD_TEST(context_valid_needs_every_part)
{
    struct vd_context good, bad;

    setup();
    good = parsed("system_u:system_r:init_t:s0-s1:c0");
    VD_EXPECT(vd_mac_context_valid(&db, &good));
    bad = good;
    bad.reserved = 1;
    VD_EXPECT(!vd_mac_context_valid(&db, &bad));
    bad = good;
    bad.low.reserved = 1;
    VD_EXPECT(!vd_mac_context_valid(&db, &bad));
    bad = good;
    bad.high.sens = 3;
    VD_EXPECT(!vd_mac_context_valid(&db, &bad));
    bad = good;
    bad.low.sens = 0;
    VD_EXPECT(!vd_mac_context_valid(&db, &bad));
    bad = good;
    bad.high.cats[1] = 1; /* a category that no sensitivity has */
    VD_EXPECT(!vd_mac_context_valid(&db, &bad));
    bad = (struct vd_context){};
    VD_EXPECT(!vd_mac_context_valid(&db, &bad));
    /* object_r is for every user and type, but not for every range */
    bad = sp_context(SP_APP_U, SP_OBJECT_R, SP_SECRET_T, SP_LEVEL(SP_S1, 4), SP_LEVEL(SP_S1, 4));
    VD_EXPECT(vd_mac_context_valid(&db, &bad));
    bad.low.sens = 3;
    VD_EXPECT(!vd_mac_context_valid(&db, &bad));
}
