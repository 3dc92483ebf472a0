/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The policy compiler: levels, new contexts, the seed's policies, limits, and
 * that no input, however cut, gives anything but a policy or an error.
 */
#include "tests/harness.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/mac/decide.h"
#include "tests/support/policy_text.h"

static char text[1u << 20];
static size_t len;

static void begin(const char *first)
{
    len = 0;
    len += (size_t)snprintf(text, sizeof(text), "%s", first);
}

__attribute__((format(printf, 1, 2))) static void more(const char *format, ...)
{
    __builtin_va_list args;

    __builtin_va_start(args, format);
    len += (size_t)vsnprintf(text + len, sizeof(text) - len, format, args);
    __builtin_va_end(args);
    VD_EXPECT(len < sizeof(text));
}

static const char *load(const char *name)
{
    char path[1024];
    FILE *stream;

    snprintf(path, sizeof(path), "%s/%s", vd_test_source_root(), name);
    stream = fopen(path, "r");
    if (stream == NULL)
        vd_test_fail(__FILE__, __LINE__, "%s: cannot be opened", path);
    len = fread(text, 1, sizeof(text) - 1, stream);
    text[len] = '\0';
    fclose(stream);
    return text;
}

/* The seed's example as its specification has it. */
static const char seed_as_written[] =
    "type device_t;\n"
    "type console_device_t, device_t;\n"
    "type init_t;\n"
    "type user_t;\n"
    "type_transition init_t user_exec_t:process user_t;\n"
    "constrain process transition (u1 == u2 or t1 == can_change_user);\n";

VD_TEST(sepolicy_reports_the_seeds_errors)
{
    VD_EXPECT_EQ(pt_compile(seed_as_written), VD_E_INVALID);
    VD_EXPECT_STR(pt_messages.all,
                  "t.te:2:24: error: 'device_t' is a type, not an attribute\n"
                  "type console_device_t, device_t;\n"
                  "                       ^\n"
                  "hint: a type belongs to attributes; write 'attribute NAME;' to declare one\n"
                  "t.te:5:24: error: unknown type or attribute 'user_exec_t'\n"
                  "type_transition init_t user_exec_t:process user_t;\n"
                  "                       ^\n"
                  "t.te:6:49: error: unknown type or attribute 'can_change_user'\n"
                  "constrain process transition (u1 == u2 or t1 == can_change_user);\n"
                  "                                                ^\n");
}

VD_TEST(sepolicy_compiles_the_corrected_seed_policy)
{
    static const char init[] = "system_u:system_r:init_t:s0-s15:c0.c1023";
    static const char user[] = "user_u:user_r:user_t:s0";

    if (pt_compile(load("policy/example/seed.te")) != VD_OK)
        vd_test_fail(__FILE__, __LINE__, "%s", pt_messages.all);
    VD_EXPECT_EQ(pt_messages.warnings, 0);
    VD_EXPECT_STR(pt_allowed(init, init, "process"), "fork sigchld");
    VD_EXPECT_STR(pt_allowed(init, "system_u:object_r:init_exec_t:s0", "file"), "read execute");
    VD_EXPECT_STR(pt_allowed(init, "system_u:object_r:console_device_t:s0", "chr_file"),
                  "read write");
    VD_EXPECT_STR(pt_allowed(init, "system_u:object_r:user_home_t:s0", "file"), "");
    VD_EXPECT_STR(pt_allowed(user, "user_u:object_r:user_home_t:s0", "file"), "read write create");
    VD_EXPECT_STR(pt_allowed(user, init, "process"), "");
    /* The built-in rule of levels: no read up, no write outside of the range. */
    VD_EXPECT_STR(pt_allowed(user, "user_u:object_r:user_home_t:s1", "file"), "");
    VD_EXPECT_STR(pt_allowed(user, "user_u:object_r:user_home_t:s0:c3", "file"), "");
    /* init_t may change the user, and the transition does change the role. */
    VD_EXPECT_STR(pt_allowed(init, user, "process"), "transition");
    VD_EXPECT_STR(pt_transition(init, "system_u:object_r:user_exec_t:s0", "process"),
                  "system_u:user_r:user_t:s0-s15:c0.c1023");
    VD_EXPECT_STR(pt_transition(init, "system_u:object_r:init_exec_t:s0", "process"), init);
    VD_EXPECT_STR(pt_allowed("user_u:user_r:user_t:s1", init, "file"), "invalid");
    VD_EXPECT_STR(pt_allowed("user_u:system_r:init_t:s0", init, "file"), "invalid");
}

#define LEVELS                                                         \
    "sensitivity low alias s_low; sensitivity mid; sensitivity top;\n" \
    "dominance { low mid top }\n"                                      \
    "category ca alias c_first; category cb; category cc;\n"           \
    "level low; level mid:ca.cb; level top:ca.cc;\n"                   \
    "type a_t; type f_t; type x_t; role r types { a_t f_t x_t };\n"    \
    "user u roles r level low range low - top:ca.cc;\n"                \
    "user v roles r level mid:ca range mid:ca - mid:ca,cb;\n"

VD_TEST(sepolicy_types_that_are_never_audited)
{
    struct vd_context source = {.user = 1, .role = 1}, target = source;
    struct vd_decision quiet, loud;
    uint32_t class, number;

    VD_EXPECT_EQ(
        pt_compile("type q_t; type l_t; neveraudit q_t; user u roles object_r;"
                   "allow { q_t l_t } l_t:file read; auditallow { q_t l_t } l_t:file read;"),
        VD_OK);
    VD_EXPECT_EQ(vd_policydb_find(&pt_db, VD_SYM_CLASS, "file", 4, &class), VD_OK);
    VD_EXPECT_EQ(vd_policydb_find(&pt_db, VD_SYM_TYPE, "l_t", 3, &number), VD_OK);
    source.type = target.type = number;
    vd_mac_decide(&pt_db, &source, &target, class, &loud);
    VD_EXPECT_EQ(vd_policydb_find(&pt_db, VD_SYM_TYPE, "q_t", 3, &number), VD_OK);
    source.type = number;
    vd_mac_decide(&pt_db, &source, &target, class, &quiet);
    VD_EXPECT_EQ(quiet.allowed, loud.allowed);
    VD_EXPECT(loud.auditallow != 0 && loud.auditdeny == UINT32_MAX);
    VD_EXPECT(quiet.auditallow == 0 && quiet.auditdeny == 0);
}

VD_TEST(sepolicy_levels)
{
    begin(LEVELS);
    more("allow a_t f_t:file { read write };\n"
         "mlsconstrain file read (l1 dom l2);\n"
         "mlsconstrain file write (l1 domby l2 and h1 dom l2);\n"
         "range_transition a_t x_t:process mid:ca - top:ca.cc;\n"
         "range_transition a_t x_t:file top;\n"
         "type_transition a_t x_t:{ process file } f_t;\n");
    if (pt_compile(text) != VD_OK)
        vd_test_fail(__FILE__, __LINE__, "%s", pt_messages.all);
    VD_EXPECT_STR(pt_allowed("u:r:a_t:low", "u:object_r:f_t:low", "file"), "read write");
    VD_EXPECT_STR(pt_allowed("u:r:a_t:s_low", "u:object_r:f_t:mid", "file"), "");
    VD_EXPECT_STR(pt_allowed("u:r:a_t:low-mid:ca", "u:object_r:f_t:mid:c_first", "file"), "write");
    VD_EXPECT_STR(pt_allowed("u:r:a_t:mid:ca.cb", "u:object_r:f_t:mid:cb", "file"), "read");
    /* Not comparable: neither dominates. */
    VD_EXPECT_STR(pt_allowed("u:r:a_t:mid:ca", "u:object_r:f_t:mid:cb", "file"), "");
    VD_EXPECT_STR(pt_transition("u:r:a_t:low", "u:object_r:x_t:low", "process"),
                  "u:r:f_t:mid:ca-top:ca.cc");
    VD_EXPECT_STR(pt_transition("u:r:a_t:low", "u:object_r:x_t:low", "file"), "u:object_r:f_t:top");
    /* Clearances and categories of sensitivities. */
    VD_EXPECT_STR(pt_allowed("v:r:a_t:low", "u:object_r:f_t:low", "file"), "invalid");
    VD_EXPECT_STR(pt_allowed("v:r:a_t:mid:ca", "u:object_r:f_t:low", "file"), "read");
    VD_EXPECT_STR(pt_allowed("u:r:a_t:mid:cc", "u:object_r:f_t:low", "file"), "invalid");
}

VD_TEST(sepolicy_levels_written_in_every_form)
{
    static const char *const ranges[] = {"s0-s15:c0.c1023", "s0 - s15:c0.c1023", "s0 -s15:c0.c1023",
                                         "s0- s15:c0.c1023", "s0-s15:c0.c511,c512.c1023"};

    for (size_t i = 0; i < VD_COUNT(ranges); i++) {
        begin("type a_t; role r types a_t;");
        more("user u roles r level s0 range %s;\nallow a_t self:process fork;", ranges[i]);
        if (pt_compile(text) != VD_OK)
            vd_test_fail(__FILE__, __LINE__, "%s\n%s", ranges[i], pt_messages.all);
        VD_EXPECT_STR(pt_allowed("u:r:a_t:s0-s15:c0.c1023", "u:r:a_t:s3:c7", "process"), "fork");
    }
    begin("type a_t; role r types a_t; user u roles r level s0:c1 range s0:c1-s1:c1,c3.c4;"
          "allow a_t self:process fork;");
    VD_EXPECT_EQ(pt_compile(text), VD_OK);
    VD_EXPECT_STR(pt_allowed("u:r:a_t:s0:c1-s1:c1,c3,c4", "u:r:a_t:s0:c1", "process"), "fork");
    VD_EXPECT_STR(pt_allowed("u:r:a_t:s0:c1-s1:c1.c4", "u:r:a_t:s0:c1", "process"), "invalid");
}

VD_TEST(sepolicy_level_errors)
{
    static const struct {
        const char *text;
        uint32_t column;
        const char *message;
    } rows[] = {
        {"user w roles r;", 6, "user 'w' has no level, but the policy has multi-level security"},
        {"user w roles r level nix range low;", 22, "unknown sensitivity 'nix'"},
        {"user w roles r level low:cz range low;", 26, "unknown category 'cz'"},
        {"user w roles r level low:ca range low;", 26,
         "sensitivity 'low' may not have all of these categories"},
        {"user w roles r level top:cc.ca range low;", 26,
         "the categories of 'cc.ca' run backwards"},
        {"user w roles r level low range top - low;", 32,
         "the range's high level does not dominate its low level"},
        {"user w roles r level top range low - mid;", 22,
         "the default level of user 'w' is outside of the range"},
        {"user w roles r level low;", 25, "expected 'range', found ';'"},
        {"sensitivity extra;", 13, "sensitivity 'extra' does not stand in the dominance"},
        {"dominance { low }", 1, "the dominance of sensitivities is given already"},
        {"level mid;", 7, "sensitivity 'mid' has its level statement already"},
        {"range_transition a_t f_t nix;", 26, "unknown sensitivity 'nix'"},
        {"sid s sid s u:r:a_t", 13,
         "this context has no level, but the policy has multi-level security"},
        {"sid s sid s v:r:a_t:low", 13,
         "this context is not valid: the range is outside of the user's"},
        {"mlsconstrain file read (l2 dom l1);", 25,
         "these two parts of a context cannot be compared in this order"},
    };

    for (size_t i = 0; i < VD_COUNT(rows); i++) {
        begin(LEVELS);
        more("%s", rows[i].text);
        VD_EXPECT_EQ(pt_compile(text), VD_E_INVALID);
        if (pt_messages.first_error.line != 8 || pt_messages.first_error.column != rows[i].column ||
            strcmp(pt_messages.first_error.text, rows[i].message) != 0)
            vd_test_fail(__FILE__, __LINE__, "%s\nexpected column %u: %s\n%s", rows[i].text,
                         rows[i].column, rows[i].message, pt_messages.all);
    }
}

VD_TEST(sepolicy_mls_by_option)
{
    static const char plain[] = "type a_t; role r types a_t; user u roles r;";
    static const char levels[] = "type a_t; role r types a_t; user u roles r level s0 range s0;";
    struct vd_sepolicy_options no = {.mls = VD_SEPOLICY_MLS_NO};
    struct vd_sepolicy_options yes = {.mls = VD_SEPOLICY_MLS_YES};

    VD_EXPECT_EQ(pt_compile(plain), VD_OK);
    VD_EXPECT_EQ(vd_policydb_header(&pt_db)->flags & VD_PDB_MLS, 0);
    VD_EXPECT_EQ(pt_compile(levels), VD_OK);
    VD_EXPECT_EQ(vd_policydb_header(&pt_db)->flags & VD_PDB_MLS, VD_PDB_MLS);
    VD_EXPECT_EQ(pt_compile_with(plain, strlen(plain), &no), VD_OK);
    VD_EXPECT_EQ(pt_compile_with(levels, strlen(levels), &no), VD_E_INVALID);
    VD_EXPECT_EQ(pt_messages.first_error.column, 50);
    VD_EXPECT_EQ(pt_compile_with(levels, strlen(levels), &yes), VD_OK);
    VD_EXPECT_EQ(pt_compile_with(plain, strlen(plain), &yes), VD_E_INVALID);
}

VD_TEST(sepolicy_unknown_by_option)
{
    static const uint32_t flags[] = {0, VD_PDB_UNKNOWN_REJECT, VD_PDB_UNKNOWN_ALLOW};

    for (uint32_t i = 0; i < VD_COUNT(flags); i++) {
        struct vd_sepolicy_options how = {.unknown = (enum vd_sepolicy_unknown)i};

        VD_EXPECT_EQ(pt_compile_with("type a_t;", 9, &how), VD_OK);
        VD_EXPECT_EQ(vd_policydb_header(&pt_db)->flags, flags[i]);
    }
}

VD_TEST(sepolicy_own_classes_replace_the_built_in_ones)
{
    uint32_t number;

    VD_EXPECT_EQ(pt_compile("class lamp common power { on off } class lamp inherits power { dim }\n"
                            "type a_t; role r types a_t; user u roles r;\n"
                            "allow a_t self:lamp { on dim };"),
                 VD_OK);
    VD_EXPECT_STR(pt_allowed("u:r:a_t", "u:r:a_t", "lamp"), "on dim");
    VD_EXPECT_EQ(vd_policydb_find(&pt_db, VD_SYM_CLASS, "file", 4, &number), VD_E_NOT_FOUND);
    VD_EXPECT_EQ(pt_compile("class lamp class lamp { on } class lamp { off }"), VD_E_INVALID);
    VD_EXPECT_STR(pt_messages.first_error.text, "class 'lamp' has permissions already");
    VD_EXPECT_EQ(pt_compile("class lamp { on }"), VD_E_INVALID);
    VD_EXPECT_STR(pt_messages.first_error.text, "class 'lamp' is not declared");
    VD_EXPECT_EQ(pt_compile("class lamp class lamp { on on }"), VD_E_INVALID);
    VD_EXPECT_STR(pt_messages.first_error.text, "permission 'on' is declared twice");
    VD_EXPECT_EQ(pt_compile("class lamp class lamp inherits nix"), VD_E_INVALID);
    VD_EXPECT_STR(pt_messages.first_error.text,
                  "class 'lamp' inherits the unknown common permission set 'nix'");
    VD_EXPECT_EQ(pt_compile("class l common p { on } class l inherits p { on }"), VD_E_INVALID);
    VD_EXPECT_STR(pt_messages.first_error.text, "'l' inherits permission 'on' already");
}

static void expect_error(const char *message)
{
    vd_status status = pt_compile(text);

    if (status != VD_E_INVALID || strcmp(pt_messages.first_error.text, message) != 0)
        vd_test_fail(__FILE__, __LINE__, "expected: %s\n%s %s", message, vd_status_name(status),
                     pt_messages.all);
}

static void repeat(const char *word, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        more("%s", word);
}

VD_TEST(sepolicy_limits)
{
    for (uint32_t size = 255; size <= 256; size++) {
        begin("type ");
        repeat("x", size);
        more(";");
        if (size == 255)
            VD_EXPECT_EQ(pt_compile(text), VD_OK);
        else
            expect_error("this name has 256 bytes; the limit is 255");
    }
    for (uint32_t count = 32; count <= 33; count++) {
        begin("class c class c {");
        for (uint32_t i = 0; i < count; i++)
            more(" p%u", i);
        more(" }");
        if (count == 32)
            VD_EXPECT_EQ(pt_compile(text), VD_OK);
        else
            expect_error("a class has at most 32 permissions");
    }
    for (uint32_t depth = 64; depth <= 65; depth++) {
        begin("type a_t; allow ");
        repeat("{", depth);
        more("a_t");
        repeat("}", depth);
        more(" self:file read;");
        if (depth == 64)
            VD_EXPECT_EQ(pt_compile(text), VD_OK);
        else
            expect_error("sets are nested more than 64 deep");
    }
    for (uint32_t depth = 64; depth <= 65; depth++) {
        begin("constrain file read ");
        repeat("(", depth);
        more("u1 == u2");
        repeat(")", depth);
        more(";");
        if (depth == 64)
            VD_EXPECT_EQ(pt_compile(text), VD_OK);
        else
            expect_error("parentheses are nested more than 64 deep");
    }
    for (uint32_t depth = 64; depth <= 65; depth++) {
        begin("type a_t; ");
        repeat("optional { ", depth);
        repeat("} ", depth);
        if (depth == 64)
            VD_EXPECT_EQ(pt_compile(text), VD_OK);
        else
            expect_error("blocks are nested more than 64 deep");
    }
    for (uint32_t depth = 15; depth <= 16; depth++) {
        begin("constrain file read ");
        repeat("(u1 == u2 or ", depth);
        more("u1 == u2");
        repeat(")", depth);
        more(";");
        if (depth == 15)
            VD_EXPECT_EQ(pt_compile(text), VD_OK);
        else
            expect_error("this expression needs 17 values at once; the limit is 16");
    }
    for (uint32_t count = 128; count <= 129; count++) {
        begin("type a_t; bool b true; if (b");
        repeat(" || b", count - 1);
        more(") { allow a_t self:file read; }");
        if (count == 128)
            VD_EXPECT_EQ(pt_compile(text), VD_OK);
        else
            expect_error("this condition is too large: at most 256 parts, 16 values at once");
    }
}

VD_TEST(sepolicy_limits_of_counts)
{
    begin("class c0 ");
    for (uint32_t i = 1; i < 1023; i++)
        more("class c%u ", i);
    VD_EXPECT_EQ(pt_compile(text), VD_OK);
    more("class one_more ");
    VD_EXPECT_EQ(pt_compile(text), VD_E_LIMIT);
    VD_EXPECT_STR(pt_messages.first_error.text, "more than 1023 of kind 'class'");

    begin("sensitivity s0; dominance { s0 }");
    for (uint32_t i = 0; i < 1024; i++)
        more("category c%u;", i);
    VD_EXPECT_EQ(pt_compile(text), VD_OK);
    more("category one_more;");
    VD_EXPECT_EQ(pt_compile(text), VD_E_LIMIT);
    VD_EXPECT_STR(pt_messages.first_error.text, "more than 1024 of kind 'category'");

    begin("");
    repeat("constrain file read (u1 == u2);", 4096 / 3);
    VD_EXPECT_EQ(pt_compile(text), VD_OK);
    repeat("constrain file read (u1 == u2);", 1);
    expect_error("the constraints of class 'file' have more than 4096 parts");
}

VD_TEST(sepolicy_limits_of_labels)
{
    begin("type a_t; user u roles object_r;\n");
    for (uint32_t i = 0; i < VD_PDB_MAX_LABELS; i++)
        more("netifcon e%u u:object_r:a_t u:object_r:a_t\n", i);
    VD_EXPECT_EQ(pt_compile(text), VD_OK);
    more("netifcon last u:object_r:a_t u:object_r:a_t\n");
    expect_error("more than 16384 statements of this kind");
    for (uint32_t size = 4095; size <= 4096; size++) {
        begin("type a_t; user u roles object_r; genfscon proc /");
        repeat("x", size - 1);
        more(" u:object_r:a_t");
        if (size == 4095)
            VD_EXPECT_EQ(pt_compile(text), VD_OK);
        else
            expect_error("a path has at most 4095 bytes");
    }
}

/* Each block waits for the next one, and the last one lacks something. */
VD_TEST(sepolicy_settles_a_long_chain_of_blocks)
{
    begin("type a_t; allow a_t a_t:file read;\n");
    for (uint32_t i = 0; i < 10000; i++)
        more("optional { require { type t%u; } type t%u; allow a_t a_t:file write; }\n", i + 1, i);
    VD_EXPECT_EQ(pt_compile(text), VD_OK);
    begin("type a_t; allow a_t a_t:file read;\n");
    for (uint32_t i = 10000; i > 0; i--)
        more("optional { require { type t%u; } type t%u; allow a_t a_t:file write; }\n", i, i - 1);
    VD_EXPECT_EQ(pt_compile(text), VD_OK);
}

/* Three thousand types in an attribute: nine million pairs, each with its transition. */
VD_TEST(sepolicy_limit_of_transitions)
{
    begin("attribute all; type x_t;");
    for (uint32_t i = 0; i < 3000; i++)
        more("type t%u, all;", i);
    more("\ntype_transition all all:file x_t;");
    VD_EXPECT_EQ(pt_compile(text), VD_E_LIMIT);
    VD_EXPECT_STR(pt_messages.first_error.text, "the transitions stand for more than 4194304 pairs "
                                                "of source, target and class");
    VD_EXPECT_EQ(pt_messages.first_error.line, 2);
}

VD_TEST(sepolicy_limit_of_conditions)
{
    for (uint32_t count = 1024; count <= 1025; count++) {
        begin("type a_t; bool b true;");
        repeat("if (b) { allow a_t self:file read; }", count);
        VD_EXPECT_EQ(pt_compile(text), count == 1024 ? VD_OK : VD_E_LIMIT);
    }
    VD_EXPECT_STR(pt_messages.first_error.text,
                  "more than 1024 conditions bear on the same source, target and class");
}

VD_TEST(sepolicy_stops_when_all_is_wrong)
{
    begin("type a_t;\n");
    repeat("allow a_t no_t:file read;\n", 10000);
    VD_EXPECT_EQ(pt_compile(text), VD_E_INVALID);
    VD_EXPECT_EQ(pt_messages.errors, VD_SEPOLICY_MAX_ERRORS + 1);
    VD_EXPECT_STR(pt_messages.last_error.text, "480 more errors in t.te are not shown");
}

VD_TEST(sepolicy_memory_is_bounded)
{
    struct vd_sepolicy_options small = {.memory = (size_t)8 << 20};

    /* Attributes times types: five thousand of each would need five thousand bitmaps. */
    begin("");
    for (uint32_t i = 0; i < 20000; i++)
        more("attribute a%u;type t%u;", i, i);
    VD_EXPECT_EQ(pt_compile_with(text, len, &small), VD_E_LIMIT);
}

/* Every beginning of a text gives a policy or an error with a place, never anything else. */
VD_TEST(sepolicy_text_cut_at_every_length)
{
    static const char whole[] =
        "class file common f { read write } class file inherits f { map }\n"
        "sid s attribute d; type a_t alias b_t, d; typeattribute a_t d;\n"
        "sensitivity s0; dominance { s0 } category c0; level s0:c0;\n"
        "mlsconstrain file { read } ((l1 dom l2) or (t1 == d));\n"
        "bool b true; if (b || !b) { allow a_t ~{ b_t -d }:file ~read; } else { }\n"
        "optional { require { type a_t; } dontaudit d self:file *; } else { type q; }\n"
        "role r types a_t; user u roles { r } level s0 range s0 - s0:c0;\n"
        "type_transition a_t a_t:file a_t; range_transition a_t a_t:file s0;\n"
        "sid s u:r:a_t:s0-s0:c0\n";
    uint32_t policies = 0;

    for (size_t size = 0; size < sizeof(whole); size++) {
        static const struct vd_sepolicy_options plain;
        char *exact = malloc(size == 0 ? 1 : size); /* so that a sanitizer sees a read beyond */
        vd_status status;

        VD_EXPECT(exact != NULL);
        memcpy(exact, whole, size);
        status = pt_compile_with(exact, size, &plain);
        free(exact);
        VD_EXPECT(status == VD_OK || status == VD_E_INVALID);
        VD_EXPECT((status == VD_E_INVALID) == (pt_messages.errors > 0));
        policies += status == VD_OK;
    }
    VD_EXPECT(policies > 10 && policies < 200);
}

VD_TEST(sepolicy_output_is_the_same_every_time)
{
    uint8_t *first;
    size_t size;

    VD_EXPECT_EQ(pt_compile(load("policy/example/seed.te")), VD_OK);
    size = pt_size;
    first = malloc(size);
    VD_EXPECT(first != NULL);
    memcpy(first, pt_db.base, size);
    VD_EXPECT_EQ(pt_compile(text), VD_OK);
    VD_EXPECT_EQ(pt_size, size);
    VD_EXPECT_MEM(first, pt_db.base, size);
    free(first);
}
