/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Transitions by file name and with conditions, extended permissions: what an
 * opened policy answers, and that each damage to their tables is refused.
 */
#include "core/mac/transition.h"
#include "core/mac/xperm.h"
#include "core/policydb/conditional.h"
#include "tests/harness.h"
#include "tests/support/policy_text.h"

#include <stdio.h>
#include <stdlib.h>

static uint8_t *blob;

/* A copy of the compiled policy that may be changed. */
static void copy(void)
{
    free(blob);
    blob = malloc(pt_size);
    memcpy(blob, pt_db.base, pt_size);
}

static struct vd_pdb_header *head(void)
{
    return (struct vd_pdb_header *)(void *)blob;
}

static uint32_t number(enum vd_pdb_symbol_kind kind, const char *name)
{
    uint32_t ret = 0;

    if (vd_policydb_find(&pt_db, kind, name, strlen(name), &ret) != VD_OK)
        vd_test_fail(__FILE__, __LINE__, "no %s", name);
    return ret;
}

static const char *named(const char *source, const char *target, const char *class,
                         const char *name, size_t len)
{
    struct vd_file_name file = {.text = name, .len = len};
    uint32_t type =
        vd_mac_named_type(&pt_db, number(VD_SYM_TYPE, source), number(VD_SYM_TYPE, target),
                          number(VD_SYM_CLASS, class), &file);

    return type == 0 ? "" : vd_policydb_name(&pt_db, VD_SYM_TYPE, type);
}

static const char named_text[] = "type_transition domain f_t:file b_t \"resolv.conf\";\n"
                                 "type_transition a_t f_t:file a_t \"x\";\n"
                                 "type_transition b_t f_t:file f_t x;\n"
                                 "type_transition domain self:dir f_t \"a b:c\";\n";

VD_TEST(named_transitions_need_source_target_class_and_the_whole_name)
{
    pt_compiled(named_text);
    VD_EXPECT_STR(named("a_t", "f_t", "file", "resolv.conf", 11), "b_t");
    VD_EXPECT_STR(named("b_t", "f_t", "file", "resolv.conf", 11), "b_t");
    VD_EXPECT_STR(named("f_t", "f_t", "file", "resolv.conf", 11), "");
    VD_EXPECT_STR(named("a_t", "f_t", "dir", "resolv.conf", 11), "");
    VD_EXPECT_STR(named("a_t", "a_t", "file", "resolv.conf", 11), "");
    VD_EXPECT_STR(named("a_t", "f_t", "file", "resolv.conf", 10), "");
    VD_EXPECT_STR(named("a_t", "f_t", "file", "resolv.conf", 12), "");
    VD_EXPECT_STR(named("a_t", "f_t", "file", "x", 1), "a_t");
    VD_EXPECT_STR(named("b_t", "f_t", "file", "x", 1), "f_t");
    VD_EXPECT_STR(named("a_t", "f_t", "file", "", 0), "");
    VD_EXPECT_STR(named("a_t", "a_t", "dir", "a b:c", 5), "f_t");
    VD_EXPECT_STR(named("a_t", "b_t", "dir", "a b:c", 5), "");
}

VD_TEST(named_transitions_go_before_plain_ones)
{
    struct vd_context source, target, made;
    struct vd_making making = {.kind = VD_TRANS_TYPE, .creators = VD_MAKING_KERNEL};

    pt_compiled("type_transition a_t f_t:file f_t; type_transition a_t f_t:file b_t \"n\";\n");
    VD_EXPECT_EQ(vd_mac_context_parse(&pt_db, "u:r:a_t", 7, &source, NULL), VD_OK);
    VD_EXPECT_EQ(vd_mac_context_parse(&pt_db, "u:object_r:f_t", 14, &target, NULL), VD_OK);
    making.class = number(VD_SYM_CLASS, "file");
    VD_EXPECT_EQ(vd_mac_create(&pt_db, &source, &target, &making, &made), VD_OK);
    VD_EXPECT_EQ(made.type, number(VD_SYM_TYPE, "f_t"));
    making.named = vd_mac_named_type(&pt_db, source.type, target.type, making.class,
                                     &(struct vd_file_name){"n", 1});
    VD_EXPECT_EQ(vd_mac_create(&pt_db, &source, &target, &making, &made), VD_OK);
    VD_EXPECT_EQ(made.type, number(VD_SYM_TYPE, "b_t"));
}

VD_TEST(named_transitions_of_many_names_are_all_found)
{
    static char text[200000];
    struct vd_policydb db;
    size_t used = 0;

    for (uint32_t i = 0; i < 3000; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used,
                                 "type_transition a_t f_t:file b_t \"file%u\";\n", i);
    pt_compiled(text);
    for (uint32_t i = 0; i < 3000; i++) {
        char name[16];
        int len = snprintf(name, sizeof(name), "file%u", i);

        VD_EXPECT_STR(named("a_t", "f_t", "file", name, (size_t)len), "b_t");
    }
    VD_EXPECT_STR(named("a_t", "f_t", "file", "file3000", 8), "");
    /* Another name belongs into another bucket. */
    copy();
    blob[head()->sections[VD_PDB_FILE_NAMES].offset + 1] = 'q';
    head()->checksum = vd_policydb_checksum(blob, (uint32_t)pt_size);
    VD_EXPECT_EQ(vd_policydb_open(&db, blob, pt_size, NULL), VD_E_RANGE);
}

static const char conditional_text[] =
    "type_transition a_t f_t:file a_t;\n"
    "if (on && !off) { type_transition b_t f_t:file b_t; type_member a_t f_t:dir a_t; }\n"
    "else { type_transition b_t f_t:file a_t; type_change a_t f_t:dir b_t; }\n"
    "if (off && on) { type_change b_t f_t:dir a_t; } if (!off) { type_change b_t f_t:dir b_t; }\n"
    "if (on) { type_transition a_t f_t:file a_t; }\n";

static uint32_t found(const struct vd_policydb *db, enum vd_pdb_trans_kind kind, const char *source,
                      const char *class)
{
    return vd_transition_find(db, kind, number(VD_SYM_TYPE, source), number(VD_SYM_TYPE, "f_t"),
                              number(VD_SYM_CLASS, class));
}

VD_TEST(conditional_transitions_follow_the_booleans)
{
    struct vd_policydb db;
    uint32_t a, b, on, off;

    pt_compiled(conditional_text);
    VD_EXPECT_EQ(pt_messages.errors, 0u);
    a = number(VD_SYM_TYPE, "a_t");
    b = number(VD_SYM_TYPE, "b_t");
    on = number(VD_SYM_BOOL, "on");
    off = number(VD_SYM_BOOL, "off");
    VD_EXPECT_EQ(found(&pt_db, VD_TRANS_TYPE, "b_t", "file"), b);
    for (uint32_t setting = 0; setting < 4; setting++) {
        bool x = (setting & 1) != 0, y = (setting & 2) != 0;

        copy();
        VD_EXPECT_EQ(vd_policydb_set_bool(blob, on, x), VD_OK);
        VD_EXPECT_EQ(vd_policydb_set_bool(blob, off, y), VD_OK);
        vd_policydb_recompute(blob);
        VD_EXPECT_EQ(vd_policydb_open(&db, blob, pt_size, NULL), VD_OK);
        VD_EXPECT_EQ(found(&db, VD_TRANS_TYPE, "a_t", "file"), a);
        VD_EXPECT_EQ(found(&db, VD_TRANS_TYPE, "b_t", "file"), x && !y ? b : a);
        VD_EXPECT_EQ(found(&db, VD_TRANS_MEMBER, "a_t", "dir"), x && !y ? a : 0);
        VD_EXPECT_EQ(found(&db, VD_TRANS_CHANGE, "a_t", "dir"), x && !y ? 0 : b);
        VD_EXPECT_EQ(found(&db, VD_TRANS_CHANGE, "b_t", "dir"), !y ? b : x ? a : 0);
    }
}

static const char xperm_text[] =
    "class file class netlink_route_socket class dir\n"
    "class file { read ioctl } class netlink_route_socket { nlmsg ioctl } class dir { ioctl }\n"
    "type a_t; type b_t; type f_t; role r; role r types { a_t b_t }; user u roles r;\n"
    "bool on true; bool off false;\n"
    "allow { a_t b_t } f_t:file ioctl; auditallow a_t f_t:file ioctl; allow b_t f_t:dir ioctl;\n"
    "allowxperm a_t f_t:file ioctl { 0x8910-0x8912 0x1200-0x13ff 0xffff };\n"
    "auditallowxperm a_t f_t:file ioctl 0x8911; dontauditxperm a_t f_t:file ioctl { 0x5401 };\n"
    "allow a_t f_t:netlink_route_socket nlmsg;\n"
    "allowxperm a_t f_t:netlink_route_socket nlmsg ~{ 0x0-0x10 0x20 };\n"
    "if (on) { allowxperm b_t f_t:file ioctl 7; } else { dontauditxperm b_t f_t:file ioctl 8; }\n"
    "if (off) { allowxperm b_t f_t:dir ioctl 9; }\n";

/* "a" allowed, "l" its use is logged, "q" its refusal is not. */
static const char *xperm(const struct vd_policydb *db, const char *source, const char *class,
                         enum vd_pdb_xperm_kind kind, uint32_t n)
{
    static char buf[8];
    const char *perm = kind == VD_XPERM_IOCTL ? "ioctl" : "nlmsg";
    struct vd_context from = {.user = number(VD_SYM_USER, "u"),
                              .role = number(VD_SYM_ROLE, "r"),
                              .type = number(VD_SYM_TYPE, source)};
    struct vd_context to = {.user = from.user, .role = 1, .type = number(VD_SYM_TYPE, "f_t")};
    struct vd_xperm_question q = {.class = number(VD_SYM_CLASS, class), .kind = kind, .number = n};
    struct vd_decision d;

    VD_EXPECT_EQ(vd_policydb_find_perm(db, q.class, perm, 5, &q.perms), VD_OK);
    VD_EXPECT_EQ(vd_mac_decide_xperm(db, &from, &to, &q, &d),
                 n > VD_XPERM_NUMBER_MAX ? VD_E_RANGE : VD_OK);
    snprintf(buf, sizeof(buf), "%s%s%s", (d.allowed & q.perms) != 0 ? "a" : "",
             (d.auditallow & q.perms) != 0 ? "l" : "", (d.auditdeny & q.perms) == 0 ? "q" : "");
    return buf;
}

VD_TEST(xperms_narrow_their_permission)
{
    static const struct {
        const char *source, *class;
        enum vd_pdb_xperm_kind kind;
        uint32_t number;
        const char *answer;
    } rows[] = {
        {"a_t", "file", VD_XPERM_IOCTL, 0x890f, ""},
        {"a_t", "file", VD_XPERM_IOCTL, 0x8910, "a"},
        {"a_t", "file", VD_XPERM_IOCTL, 0x8911, "al"},
        {"a_t", "file", VD_XPERM_IOCTL, 0x8912, "a"},
        {"a_t", "file", VD_XPERM_IOCTL, 0x8913, ""},
        {"a_t", "file", VD_XPERM_IOCTL, 0x11ff, ""},
        {"a_t", "file", VD_XPERM_IOCTL, 0x1200, "a"},
        {"a_t", "file", VD_XPERM_IOCTL, 0x13ff, "a"},
        {"a_t", "file", VD_XPERM_IOCTL, 0x1400, ""},
        {"a_t", "file", VD_XPERM_IOCTL, 0xffff, "a"},
        {"a_t", "file", VD_XPERM_IOCTL, 0x1ffff, ""},
        {"a_t", "file", VD_XPERM_IOCTL, 0x5401, "q"},
        {"a_t", "netlink_route_socket", VD_XPERM_NLMSG, 0x10, ""},
        {"a_t", "netlink_route_socket", VD_XPERM_NLMSG, 0x11, "a"},
        {"a_t", "netlink_route_socket", VD_XPERM_NLMSG, 0x20, ""},
        {"a_t", "netlink_route_socket", VD_XPERM_NLMSG, 0xfffe, "a"},
        /* The permission itself is missing. */
        {"a_t", "netlink_route_socket", VD_XPERM_IOCTL, 0x11, ""},
        /* No rule of extended permissions: the permission alone. */
        {"b_t", "netlink_route_socket", VD_XPERM_IOCTL, 0x11, ""},
        {"b_t", "dir", VD_XPERM_IOCTL, 0x11, "a"},
    };

    VD_EXPECT_EQ(pt_compile(xperm_text), VD_OK);
    for (size_t i = 0; i < VD_COUNT(rows); i++) {
        const char *answer =
            xperm(&pt_db, rows[i].source, rows[i].class, rows[i].kind, rows[i].number);

        if (strcmp(answer, rows[i].answer) != 0)
            vd_test_fail(__FILE__, __LINE__, "row %zu: \"%s\", expected \"%s\"", i, answer,
                         rows[i].answer);
    }
}

VD_TEST(xperms_follow_the_booleans)
{
    struct vd_policydb db;

    VD_EXPECT_EQ(pt_compile(xperm_text), VD_OK);
    for (uint32_t setting = 0; setting < 4; setting++) {
        bool x = (setting & 1) != 0, y = (setting & 2) != 0;

        copy();
        VD_EXPECT_EQ(vd_policydb_set_bool(blob, number(VD_SYM_BOOL, "on"), x), VD_OK);
        VD_EXPECT_EQ(vd_policydb_set_bool(blob, number(VD_SYM_BOOL, "off"), y), VD_OK);
        vd_policydb_recompute(blob);
        VD_EXPECT_EQ(vd_policydb_open(&db, blob, pt_size, NULL), VD_OK);
        VD_EXPECT_STR(xperm(&db, "b_t", "file", VD_XPERM_IOCTL, 7), x ? "a" : "");
        VD_EXPECT_STR(xperm(&db, "b_t", "file", VD_XPERM_IOCTL, 8), x ? "" : "q");
        VD_EXPECT_STR(xperm(&db, "b_t", "dir", VD_XPERM_IOCTL, 9), "a");
        VD_EXPECT_STR(xperm(&db, "b_t", "dir", VD_XPERM_IOCTL, 10), y ? "" : "a");
    }
}

VD_TEST(neverallowxperm_knows_what_the_booleans_can_do)
{
    /* One part of the `if` is always in force: 3 is never allowed. */
    pt_compiled(
        "allow a_t f_t:file ioctl;\n"
        "if (on) { allowxperm a_t f_t:file ioctl 1; } else { allowxperm a_t f_t:file ioctl 2; }\n"
        "neverallowxperm a_t f_t:file ioctl 3;");
    VD_EXPECT_EQ(pt_compile_on_base(
                     "allow a_t f_t:file ioctl; if (on) { allowxperm a_t f_t:file ioctl 1; }\n"
                     "neverallowxperm a_t f_t:file ioctl 3;"),
                 VD_E_INVALID);
    /* Without the permission no number is allowed. */
    pt_compiled("allowxperm a_t f_t:file ioctl 3; neverallowxperm a_t f_t:file ioctl 3;");
    pt_compiled("allow a_t f_t:file ioctl; deny a_t f_t:file ioctl;\n"
                "neverallowxperm * *:file ioctl 3;");
}

/* A field of the `row`th used row that gets a value which must be refused. */
struct damage {
    const char *what, *text;
    enum vd_pdb_section section;
    uint32_t row_size, row, field, width;
    uint64_t value;
    vd_status status;
};

#define D(text_, section_, type_, row_, field_, value_, status_)                                 \
    {                                                                                            \
#section_ " " #field_, text_, VD_PDB_##section_, sizeof(struct type_), row_,             \
            offsetof(struct type_, field_), sizeof(((struct type_ *)0)->field_), value_, status_ \
    }
#define B(text_, section_, row_, size_, value_, status_)                            \
    {                                                                               \
#section_, text_, VD_PDB_##section_, size_, row_, 0, size_, value_, status_ \
    }

static const struct damage damages[] = {
    B(named_text, FILE_NAMES, 0, 1, 'x', VD_E_RANGE),
    B(named_text, FILE_NAMES, 1, 1, '/', VD_E_SYNTAX),
    B(named_text, FILE_NAMES, 1, 1, 0, VD_E_RANGE),
    B(named_text, NAMED_TARGETS, 0, 8, 0, VD_E_RANGE),
    D(named_text, NAMED, vd_pdb_named, 0, name, 9999, VD_E_RANGE),
    D(named_text, NAMED, vd_pdb_named, 0, name, 0, VD_E_RESERVED),
    D(named_text, NAMED, vd_pdb_named, 0, target, 0, VD_E_RANGE),
    D(named_text, NAMED, vd_pdb_named, 0, target, 4, VD_E_RANGE),
    D(named_text, NAMED, vd_pdb_named, 0, class, 0, VD_E_RANGE),
    D(named_text, NAMED, vd_pdb_named, 0, class, 9999, VD_E_RANGE),
    D(named_text, NAMED, vd_pdb_named, 0, row_count, 0, VD_E_RANGE),
    D(named_text, NAMED, vd_pdb_named, 0, row_count, VD_PDB_MAX_NAMED + 1, VD_E_RANGE),
    D(named_text, NAMED, vd_pdb_named, 0, row_first, 9999, VD_E_RANGE),
    D(named_text, NAMED, vd_pdb_named, 0, reserved, 1, VD_E_RANGE),
    D(named_text, NAMED_ROWS, vd_pdb_named_row, 0, sources, 9999, VD_E_RANGE),
    D(named_text, NAMED_ROWS, vd_pdb_named_row, 0, type, 0, VD_E_RANGE),
    D(named_text, NAMED_ROWS, vd_pdb_named_row, 0, type, 4, VD_E_RANGE),
    D(conditional_text, COND_TRANS, vd_pdb_cond_trans, 0, cond_first, 9999, VD_E_INVALID),
    D(conditional_text, COND_TRANS, vd_pdb_cond_trans, 0, cond_count, 0, VD_E_INVALID),
    D(conditional_text, COND_TRANS, vd_pdb_cond_trans, 0, branch, 2, VD_E_INVALID),
    D(conditional_text, COND_TRANS, vd_pdb_cond_trans, 0, reserved, 1, VD_E_INVALID),
    D(conditional_text, COND_TRANS, vd_pdb_cond_trans, 0, slot, 9999, VD_E_RANGE),
    D(conditional_text, COND_TRANS, vd_pdb_cond_trans, 5, slot, 0, VD_E_RANGE),
    D(conditional_text, COND_TRANS, vd_pdb_cond_trans, 0, value, 0, VD_E_RANGE),
    D(conditional_text, COND_TRANS, vd_pdb_cond_trans, 0, value, 4, VD_E_RANGE),
    D(xperm_text, XPERMS, vd_pdb_xperm, 0, rule, 0, VD_E_INVALID),
    D(xperm_text, XPERMS, vd_pdb_xperm, 0, rule, 4, VD_E_INVALID),
    D(xperm_text, XPERMS, vd_pdb_xperm, 0, kind, 3, VD_E_INVALID),
    D(xperm_text, XPERMS, vd_pdb_xperm, 0, driver, 1, VD_E_INVALID), /* of whole drivers */
    D(xperm_text, XPERMS, vd_pdb_xperm, 0, flags, 8, VD_E_INVALID),
    D(xperm_text, XPERMS, vd_pdb_xperm, 0, flags, VD_XPERM_WHOLE, VD_E_INVALID),
    D(xperm_text, XPERMS, vd_pdb_xperm, 0, branch, 1, VD_E_INVALID),
    D(xperm_text, XPERMS, vd_pdb_xperm, 0, cond_first, 1, VD_E_INVALID),
    D(xperm_text, XPERMS, vd_pdb_xperm, 0, cond_count, 9999, VD_E_INVALID),
    D(xperm_text, XPERMS, vd_pdb_xperm, 0, bits[0], 0, VD_E_INVALID), /* none is left */
    D(xperm_text, TE_LEAVES, vd_pdb_leaf, 0, xperm_count, 1, VD_E_RANGE),
    D(xperm_text, TE_LEAVES, vd_pdb_leaf, 1, xperm_count, VD_PDB_MAX_XPERMS + 1, VD_E_RANGE),
    D(xperm_text, TE_LEAVES, vd_pdb_leaf, 1, xperm_count, 999, VD_E_RANGE),
    D(conditional_text, TE_LEAVES, vd_pdb_leaf, 0, xperm_first, 1, VD_E_RANGE),
    D(xperm_text, TE_LEAVES, vd_pdb_leaf, 1, xperm_first, 9999, VD_E_RANGE),
};

/* The row as counted in the damage: of hash tables only used rows count. */
static uint8_t *row_of(const struct damage *d)
{
    uint8_t *row = blob + head()->sections[d->section].offset;
    uint32_t left = d->row;

    for (uint32_t i = 0; i < head()->sections[d->section].count; i++, row += d->row_size) {
        uint32_t first;

        memcpy(&first, row, sizeof(first) < d->row_size ? sizeof(first) : d->row_size);
        if (d->section == VD_PDB_NAMED && first == 0)
            continue;
        if (left-- == 0)
            return row;
    }
    vd_test_fail(__FILE__, __LINE__, "%s has no row %u", d->what, d->row);
    return NULL;
}

VD_TEST(policydb_refuses_damaged_rules)
{
    for (size_t i = 0; i < VD_COUNT(damages); i++) {
        const struct damage *d = &damages[i];
        struct vd_diag diag = {};
        struct vd_policydb db;
        vd_status status;

        if (d->text == xperm_text)
            VD_EXPECT_EQ(pt_compile(d->text), VD_OK);
        else
            pt_compiled(d->text);
        copy();
        memcpy(row_of(d) + d->field, &d->value, d->width);
        head()->checksum = vd_policydb_checksum(blob, (uint32_t)pt_size);
        status = vd_policydb_open(&db, blob, pt_size, &diag);
        if (status != d->status || !diag.has_offset || diag.text[0] == '\0')
            vd_test_fail(__FILE__, __LINE__, "damage %zu, %s = %llu: %s (%s), expected %s", i,
                         d->what, (unsigned long long)d->value, vd_status_name(status), diag.text,
                         vd_status_name(d->status));
    }
}

VD_TEST(policydb_refuses_named_tables_of_the_wrong_size)
{
    struct vd_pdb_section_row *rows;
    struct vd_policydb db;
    struct vd_diag diag = {};

    pt_compiled(named_text);
    copy();
    /* Half a bucket less: what follows the section moves into it. */
    rows = head()->sections;
    rows[VD_PDB_NAMED].count -= 4;
    rows[VD_PDB_NAMED].size -= 4 * (uint32_t)sizeof(struct vd_pdb_named);
    head()->checksum = vd_policydb_checksum(blob, (uint32_t)pt_size);
    VD_EXPECT(vd_policydb_open(&db, blob, pt_size, &diag) != VD_OK);
}
