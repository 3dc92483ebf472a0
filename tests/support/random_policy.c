/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tests/support/random_policy.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/base/types.h"
#include "tests/harness.h"

const char *const vd_random_classes[VD_RANDOM_POLICY_CLASSES] = {"file", "dir", "process",
                                                                 "tcp_socket", "key"};

static const char header[] = "class file\nclass dir\nclass process\nclass tcp_socket\nclass key\n"
                             "sid kernel\nsid unlabeled\n"
                             "common file { ioctl read write create getattr setattr lock }\n"
                             "class file inherits file { execute entrypoint }\n"
                             "class dir inherits file { add_name search }\n"
                             "class process { fork transition sigchld dyntransition ptrace }\n"
                             "class tcp_socket { connect bind accept }\n"
                             "class key { view read write search link setattr create }\n";

const char *const vd_random_perms[VD_RANDOM_POLICY_CLASSES][VD_RANDOM_POLICY_PERMS] = {
    {"ioctl", "read", "write", "create", "getattr", "setattr", "lock", "execute", "entrypoint"},
    {"ioctl", "read", "write", "create", "getattr", "setattr", "lock", "add_name", "search"},
    {"fork", "transition", "sigchld", "dyntransition", "ptrace"},
    {"connect", "bind", "accept"},
    {"view", "read", "write", "search", "link", "setattr", "create"},
};

uint32_t vd_random_pick(struct vd_random_policy *w, uint32_t n)
{
    return (uint32_t)(vd_test_random(&w->seed) % n);
}

__attribute__((format(printf, 2, 3))) static void put(struct vd_random_policy *w,
                                                      const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(w->text + w->len, VD_RANDOM_POLICY_TEXT - w->len, format, args);
    va_end(args);
    VD_EXPECT(n >= 0 && (size_t)n < VD_RANDOM_POLICY_TEXT - w->len);
    w->len += (size_t)n;
}

/* A type or an attribute. */
static void put_name(struct vd_random_policy *w)
{
    if (vd_random_pick(w, 3) == 0)
        put(w, "a%u", vd_random_pick(w, w->attributes));
    else
        put(w, "ty%u", vd_random_pick(w, w->types));
}

static void put_types(struct vd_random_policy *w, bool self)
{
    uint32_t n = 1 + vd_random_pick(w, 3);

    if (self && vd_random_pick(w, 6) == 0) {
        put(w, "self");
        return;
    }
    if (n == 1 && vd_random_pick(w, 2) == 0) {
        put_name(w);
        return;
    }
    put(w, "{ ");
    for (uint32_t i = 0; i < n; i++) {
        put_name(w);
        put(w, " ");
    }
    if (self && vd_random_pick(w, 6) == 0)
        put(w, "self ");
    if (vd_random_pick(w, 3) == 0) {
        put(w, "-");
        put_name(w);
        put(w, " ");
    }
    put(w, "}");
}

static void put_perms(struct vd_random_policy *w, uint32_t class, bool tilde)
{
    uint32_t count = 0;

    while (count < 9 && vd_random_perms[class][count] != NULL)
        count++;
    if (vd_random_pick(w, 12) == 0) {
        put(w, "*");
        return;
    }
    put(w, "%s{", tilde && vd_random_pick(w, 10) == 0 ? "~" : "");
    for (uint32_t i = 0; i <= vd_random_pick(w, 4); i++)
        put(w, " %s", vd_random_perms[class][vd_random_pick(w, count)]);
    put(w, " }");
}

static void put_rule(struct vd_random_policy *w)
{
    static const char *const kinds[] = {"allow", "allow",      "allow",
                                        "allow", "auditallow", "dontaudit"};
    uint32_t class = vd_random_pick(w, VD_COUNT(vd_random_classes)),
             kind = vd_random_pick(w, VD_COUNT(kinds));

    put(w, "%s ", kinds[kind]);
    put_types(w, false);
    put(w, " ");
    put_types(w, true);
    if (class <= 1 && vd_random_pick(w, 3) == 0)
        put(w, ":{ file dir } { read getattr ioctl };\n");
    else {
        put(w, ":%s ", vd_random_classes[class]);
        put_perms(w, class, strcmp(kinds[kind], "dontaudit") != 0);
        put(w, ";\n");
    }
}

static void put_level(struct vd_random_policy *w)
{
    uint32_t low = vd_random_pick(w, 8);

    put(w, "s%u", vd_random_pick(w, 4));
    if (vd_random_pick(w, 2) == 0)
        put(w, ":c%u", low);
    else if (low < 6)
        put(w, ":c%u.c%u,c7", low, low + 1);
}

static void put_mls(struct vd_random_policy *w)
{
    put(w, "sensitivity s0 alias lowest;\nsensitivity s1;\nsensitivity s2;\nsensitivity s3;\n"
           "dominance { s0 s1 s2 s3 }\n");
    for (uint32_t i = 0; i < 8; i++)
        put(w, "category c%u;\n", i);
    for (uint32_t i = 0; i < 4; i++)
        put(w, "level s%u:c0.c7;\n", i);
}

static void put_expression(struct vd_random_policy *w, uint32_t depth, bool mls)
{
    static const char *const leaves[] = {"u1 == u2",     "r1 == r2",  "t1 == t2",
                                         "u1 != u2",     "r1 dom r2", "r1 domby r2",
                                         "r1 incomp r2", "t1 != t2",  "r1 != r2"};
    static const char *const relations[] = {"==", "!=", "dom", "domby", "incomp"};
    static const char *const levels[][2] = {{"l1", "l2"}, {"l1", "h2"}, {"h1", "l2"},
                                            {"h1", "h2"}, {"l1", "h1"}, {"l2", "h2"}};

    if (depth > 0 && vd_random_pick(w, 3) != 0) {
        put(w, "(%s(", vd_random_pick(w, 4) == 0 ? "not " : "");
        put_expression(w, depth - 1, mls);
        put(w, ") %s (", vd_random_pick(w, 2) == 0 ? "and" : "or");
        put_expression(w, depth - 1, mls);
        put(w, "))");
    } else if (mls && vd_random_pick(w, 3) != 0) {
        const char *const *pair = levels[vd_random_pick(w, VD_COUNT(levels))];

        put(w, "%s %s %s", pair[0], relations[vd_random_pick(w, 5)], pair[1]);
    } else if (vd_random_pick(w, 2) == 0) {
        put(w, "%s", leaves[vd_random_pick(w, VD_COUNT(leaves))]);
    } else {
        /* checkpolicy knows no users yet where MLS constraints stand. */
        switch (mls ? 1 + vd_random_pick(w, 2) : vd_random_pick(w, 3)) {
        case 0:
            put(w, "u%u %s u_%u", 1 + vd_random_pick(w, 2), relations[vd_random_pick(w, 2)],
                vd_random_pick(w, w->users));
            break;
        case 1:
            put(w, "r%u %s { r_%u object_r }", 1 + vd_random_pick(w, 2),
                relations[vd_random_pick(w, 2)], vd_random_pick(w, w->roles));
            break;
        default:
            put(w, "t%u %s { ", 1 + vd_random_pick(w, 2), relations[vd_random_pick(w, 2)]);
            put_name(w);
            put(w, " ");
            put_name(w);
            put(w, " }");
            break;
        }
    }
}

static void put_constraints(struct vd_random_policy *w, bool mls)
{
    for (uint32_t i = 0; i < vd_random_pick(w, 4); i++) {
        uint32_t class = vd_random_pick(w, VD_COUNT(vd_random_classes));

        put(w, "%s %s ", mls ? "mlsconstrain" : "constrain", vd_random_classes[class]);
        put_perms(w, class, true);
        put(w, " (");
        put_expression(w, 3, mls);
        put(w, ");\n");
    }
}

static void put_declarations(struct vd_random_policy *w)
{
    for (uint32_t i = 0; i < w->attributes; i++)
        put(w, "attribute a%u;\n", i);
    for (uint32_t i = 0; i < w->types; i++) {
        put(w, "type ty%u%s", i, i == 1 ? " alias t_one" : "");
        for (uint32_t a = 0; a < w->attributes; a++) {
            if (vd_random_pick(w, 4) == 0)
                put(w, ", a%u", a);
        }
        put(w, ";\n");
    }
    put(w, "typealias ty2 alias { t_two t_deux };\n");
    for (uint32_t i = 0; i < w->bools; i++)
        put(w, "bool b%u %s;\n", i, vd_random_pick(w, 2) == 0 ? "true" : "false");
    if (vd_random_pick(w, 2) == 0)
        put(w, "role object_r;\n");
    for (uint32_t i = 0; i < w->roles; i++)
        put(w, "role r_%u;\n", i);
    for (uint32_t i = 0; i < w->roles; i++) {
        put(w, "role r_%u types { ty0 ty1 ", i);
        for (uint32_t n = 0; n < 4; n++) {
            put_name(w);
            put(w, " ");
        }
        put(w, "};\n");
    }
    for (uint32_t i = 0; i < w->roles; i++) {
        if (vd_random_pick(w, 2) == 0)
            put(w, "allow r_%u { r_%u r_%u };\n", vd_random_pick(w, w->roles),
                vd_random_pick(w, w->roles), vd_random_pick(w, w->roles));
    }
}

/* A transition for a source, target and class that no other rule has. */
static bool claim(struct vd_random_policy *w, uint32_t *source, uint32_t *target, uint32_t class)
{
    *source = vd_random_pick(w, w->types);
    *target = vd_random_pick(w, w->types);
    if (w->used[*source][*target][class])
        return false;
    w->used[*source][*target][class] = true;
    return true;
}

static void put_transitions(struct vd_random_policy *w)
{
    static const char *const kinds[] = {"type_transition", "type_transition", "type_member",
                                        "type_change"};
    uint32_t source, target;

    for (uint32_t i = 0; i < w->types * 2; i++) {
        uint32_t class = vd_random_pick(w, 3);

        if (claim(w, &source, &target, class))
            put(w, "%s ty%u ty%u:%s ty%u;\n", kinds[vd_random_pick(w, VD_COUNT(kinds))], source,
                target, vd_random_classes[class], vd_random_pick(w, w->types));
        if (w->mls && vd_random_pick(w, 2) == 0 && claim(w, &source, &target, 4 + class)) {
            put(w, "range_transition ty%u ty%u:%s ", source, target, vd_random_classes[class]);
            put_level(w);
            put(w, ";\n");
        }
    }
    for (uint32_t i = 0; i < w->roles; i++) {
        put(w, "role_transition r_%u ty%u%s r_%u;\n", i, vd_random_pick(w, w->types),
            vd_random_pick(w, 2) == 0 ? ":process" : ":file", vd_random_pick(w, w->roles));
    }
}

static void put_blocks(struct vd_random_policy *w)
{
    for (uint32_t i = 0; i < 6; i++) {
        put(w, "if (%sb%u %s b%u) {\n", vd_random_pick(w, 3) == 0 ? "!" : "",
            vd_random_pick(w, w->bools),
            (const char *[]){"&&", "||", "^", "==", "!="}[vd_random_pick(w, 5)],
            vd_random_pick(w, w->bools));
        for (uint32_t r = 0; r <= vd_random_pick(w, 4); r++)
            put_rule(w);
        put(w, "}");
        if (vd_random_pick(w, 2) == 0) {
            put(w, " else {\n");
            for (uint32_t r = 0; r <= vd_random_pick(w, 4); r++)
                put_rule(w);
            put(w, "}");
        }
        put(w, "\n");
    }
    for (uint32_t i = 0; i < 3; i++) {
        put(w, "optional {\nrequire { type %s; class file { read }; }\n",
            vd_random_pick(w, 2) == 0 ? "ty1" : "t_missing");
        put(w, "type t_opt%u;\nallow ty1 t_opt%u:file read;\n", i, i);
        put_rule(w);
        put(w, "}\n");
    }
}

static void put_users(struct vd_random_policy *w)
{
    for (uint32_t i = 0; i < w->users; i++) {
        put(w, "user u_%u roles { r_%u r_%u }", i, vd_random_pick(w, w->roles),
            vd_random_pick(w, w->roles));
        if (w->mls)
            put(w, " level s0%s range s0 - s%u:c0.c%u", "", 1 + vd_random_pick(w, 3),
                vd_random_pick(w, 8));
        put(w, ";\n");
    }
}

static void put_defaults(struct vd_random_policy *w)
{
    static const char *const sides[] = {"source", "target"};

    if (vd_random_pick(w, 2) == 0)
        put(w, "default_user { file dir } %s;\n", sides[vd_random_pick(w, 2)]);
    if (vd_random_pick(w, 2) == 0)
        put(w, "default_role file %s;\n", sides[vd_random_pick(w, 2)]);
    if (vd_random_pick(w, 2) == 0)
        put(w, "default_type dir %s;\n", sides[vd_random_pick(w, 2)]);
    if (w->mls && vd_random_pick(w, 2) == 0)
        put(w, "default_range file %s %s;\n", sides[vd_random_pick(w, 2)],
            (const char *[]){"low", "high", "low-high"}[vd_random_pick(w, 3)]);
    else if (w->mls && vd_random_pick(w, 2) == 0)
        put(w, "default_range dir glblub;\n");
}

void vd_random_policy(struct vd_random_policy *w, uint64_t seed)
{
    memset(w, 0, sizeof(*w));
    w->seed = seed;
    w->mls = seed % 2 == 0;
    w->types = 4 + vd_random_pick(w, seed % 5 == 0 ? 120 : 12);
    w->attributes = 1 + vd_random_pick(w, 5);
    w->roles = 2 + vd_random_pick(w, 3);
    w->users = 1 + vd_random_pick(w, 3);
    w->bools = 1 + vd_random_pick(w, 4);
    put(w, "%s", header);
    put_defaults(w);
    if (w->mls) {
        put_mls(w);
        put(w, "mlsconstrain key create (l1 eq l2);\n");
        put_constraints(w, true);
        put(w, "mlsvalidatetrans file (l1 eq l2 or t3 == ty0);\n");
    }
    put_declarations(w);
    for (uint32_t i = 0; i < 3 * w->types; i++)
        put_rule(w);
    put_transitions(w);
    put_blocks(w);
    put_users(w);
    put_constraints(w, false);
    put(w, "validatetrans file (");
    put_expression(w, 2, false);
    put(w, " or t3 == ty1);\n");
    put(w, "sid kernel u_0:object_r:ty0%s\nsid unlabeled u_0:object_r:ty1%s\n", w->mls ? ":s0" : "",
        w->mls ? ":s0" : "");
}

void vd_random_context(struct vd_random_policy *w, char *text, size_t size)
{
    char level[64] = "";
    bool object = vd_random_pick(w, 3) == 0;
    uint32_t high = vd_random_pick(w, 4), low = vd_random_pick(w, high + 1),
             cat = vd_random_pick(w, 7);

    if (w->mls && vd_random_pick(w, 2) == 0)
        snprintf(level, sizeof(level), ":s%u-s%u:c0.c%u", low, high, cat + 1);
    else if (w->mls)
        snprintf(level, sizeof(level), ":s%u%s", low, vd_random_pick(w, 2) == 0 ? ":c1" : "");
    if (object)
        snprintf(text, size, "u_%u:object_r:ty%u%s", vd_random_pick(w, w->users),
                 vd_random_pick(w, w->types), level);
    else
        snprintf(text, size, "u_%u:r_%u:ty%u%s", vd_random_pick(w, w->users),
                 vd_random_pick(w, w->roles), vd_random_pick(w, w->types), level);
}
