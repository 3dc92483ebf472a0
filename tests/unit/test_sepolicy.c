/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The policy compiler: what it accepts, what it refuses and where it says so,
 * what the compiled policy answers.
 */
#include "tests/harness.h"

#include <stdio.h>

#include "tests/support/policy_text.h"

#define A "u:r:a_t"
#define B "u:r:b_t"
#define F "u:object_r:f_t"

/* Statements on `base`, a question and its answer. */
static const struct {
    const char *text, *source, *target, *class, *answer;
} good[] = {
    {"allow a_t f_t:file read;", A, F, "file", "read"},
    {"allow a_t f_t:file { read write };", A, F, "file", "read write"},
    {"allow a_t f_t:{ file dir } { getattr };", A, F, "dir", "getattr"},
    {"allow domain file_type:file read;", B, F, "file", "read"},
    {"allow { domain -b_t } f_t:file read;", B, F, "file", ""},
    {"allow { -b_t domain } f_t:file read;", A, F, "file", "read"},
    {"allow { domain - b_t } f_t:file read;", A, F, "file", "read"},
    {"allow domain - b_t f_t:file read;", B, F, "file", ""},
    {"allow * f_t:file read;", B, F, "file", "read"},
    {"allow ~a_t f_t:file read;", A, F, "file", ""},
    {"allow ~{ f_t a_t } f_t:file read;", B, F, "file", "read"},
    {"allow { { a_t } { { b_t } } } f_t:file read;", B, F, "file", "read"},
    {"allow a_t self:process fork;", A, A, "process", "fork"},
    {"allow a_t self:process fork;", A, B, "process", ""},
    {"allow domain self:process fork;", A, B, "process", ""},
    {"allow a_t { domain -self }:process signal;", A, A, "process", ""},
    {"allow a_t { domain -self }:process signal;", A, B, "process", "signal"},
    {"allow a_t f_t:process2 *;", A, F, "process2", "nnp_transition nosuid_transition"},
    {"allow a_t f_t:process2 ~nosuid_transition;", A, F, "process2", "nnp_transition"},
    {"allow a_t f_t:process2 { nnp_transition nosuid_transition -nosuid_transition };", A, F,
     "process2", "nnp_transition"},
    {"allow a_t f_t:file read; deny a_t f_t:file read;", A, F, "file", ""},
    {"deny domain f_t:file read; allow a_t f_t:file { read write };", A, F, "file", "write"},
    {"deny a_t f_t:file write; if (on) { allow a_t f_t:file { read write }; }", A, F, "file",
     "read"},
    {"if (on) { allow a_t f_t:file read; }", A, F, "file", "read"},
    {"if (off) { allow a_t f_t:file read; } else { allow a_t f_t:file write; }", A, F, "file",
     "write"},
    {"if (on && !off) { allow a_t f_t:file read; }", A, F, "file", "read"},
    {"if (on ^ on) { allow a_t f_t:file read; }", A, F, "file", ""},
    {"if (on == off || on != off) { allow a_t f_t:file read; }", A, F, "file", "read"},
    {"if (not (on and off)) { allow a_t f_t:file read; }", A, F, "file", "read"},
    {"optional { require { type zz_t; } allow a_t f_t:file read; }", A, F, "file", ""},
    {"optional { require { type a_t; class file read; role r; bool on; attribute domain; }"
     " allow a_t f_t:file read; }",
     A, F, "file", "read"},
    {"optional { require { class file nosuch; } allow a_t f_t:file read; }"
     " else { allow a_t f_t:file write; }",
     A, F, "file", "write"},
    {"optional { require { type a_t; } type new_t; optional { require { type new_t; }"
     " allow a_t f_t:file read; } }",
     A, F, "file", "read"},
    {"optional { require { type gone_t; } type new_t; } optional { require { type new_t; }"
     " allow a_t f_t:file read; }",
     A, F, "file", ""},
    /* blocks that need each other, in a ring that holds and in one that does not */
    {"optional { require { type y_t; } type x_t; } optional { require { type x_t; } type y_t;"
     " allow a_t f_t:file read; }",
     A, F, "file", "read"},
    {"optional { require { type y_t; type gone_t; } type x_t; allow a_t f_t:file write; }"
     " optional { require { type x_t; } type y_t; allow a_t f_t:file read; }",
     A, F, "file", ""},
    {"optional { require { type n1_t; } type n0_t; } else { optional { require { type n0_t; }"
     " type n1_t; allow a_t f_t:file write; } allow a_t f_t:file read; }",
     A, F, "file", "read"},
    {"optional { require { type gone_t; } } else { require { type no_t; }"
     " allow a_t f_t:file write; } optional { require { type gone_t; } }"
     " else { type x_t; } optional { require { type x_t; } allow a_t f_t:file read; }",
     A, F, "file", "read"},
    {"optional { require { attribute a_t; } allow a_t f_t:file read; }", A, F, "file", ""},
    {"typealias f_t alias g_t; allow a_t g_t:file read;", A, "u:object_r:g_t", "file", "read"},
    {"type x_t alias { y_t z_t }, domain; allow y_t f_t:file read; role r types z_t;", "u:r:x_t", F,
     "file", "read"},
    {"allow later_t f_t:file read; type later_t; role r types later_t;", "u:r:later_t", F, "file",
     "read"},
    {"attribute_role ra; role q, ra; role ra types a_t; user v roles ra; "
     "allow a_t f_t:file read;",
     "v:q:a_t", F, "file", "read"},
    {"attribute_role ra; attribute_role rb; roleattribute ra rb; role q, ra; "
     "role rb types f_t; user v roles ra; allow f_t f_t:file read;",
     "v:q:f_t", F, "file", "read"},
    {"role q types f_t; user v roles { r q -r }; allow f_t f_t:file read;", "v:q:f_t", F, "file",
     "read"},
    {"dominance { role top { role r; } } user v roles top; allow a_t f_t:file read;", "v:top:a_t",
     F, "file", "read"},
    {"allow a_t f_t:file { read write }; constrain file write (t1 == b_t);", A, F, "file", "read"},
    {"allow a_t f_t:file read; constrain file read (u1 == u2 and not r1 == r2);", A, F, "file",
     "read"},
    {"allow a_t f_t:file read; constrain file read (u1 != u2 or r1 != { r });", A, F, "file", ""},
    {"allow a_t b_t:process transition; role q types b_t; user u roles q;", A, "u:q:b_t", "process",
     ""},
    {"allow a_t b_t:process transition; role q types b_t; user u roles q; allow r q;", A, "u:q:b_t",
     "process", "transition"},
    {"typebounds a_t b_t; allow b_t f_t:file { read write }; allow a_t f_t:file read;", B, F,
     "file", "read"},
    {"expandattribute domain true; policycap open_perms; allow a_t f_t:file read;", A, F, "file",
     "read"},
    {";;; allow a_t f_t:file read;;", A, F, "file", "read"},
    {"# comment\nallow # more\na_t\tf_t\r\n:file read ;", A, F, "file", "read"},
    {"neverallow a_t f_t:file write; allow a_t f_t:file read;", A, F, "file", "read"},
    {"neverallow a_t f_t:file read; allow a_t f_t:file { read write }; deny a_t f_t:file read;", A,
     F, "file", "write"},
    {"allow a-b.c_t f_t:file read; type a-b.c_t; role r types a-b.c_t;", "u:r:a-b.c_t", F, "file",
     "read"},
    {"if on && !off { allow a_t f_t:file read; }", A, F, "file", "read"},
    {"if ! on xor off { allow a_t f_t:file read; } else { allow a_t f_t:file write; }", A, F,
     "file", "write"},
    {"tunable t true; if (t) { allow a_t f_t:file read; } else { allow a_t f_t:file write; }", A, F,
     "file", "read"},
    {"tunable t FALSE; if (!t == t) { allow a_t f_t:file read; } else { allow a_t f_t:file write; }",
     A, F, "file", "write"},
    {"tunable t true; neverallow a_t f_t:file write;"
     "if (t) { allow a_t f_t:file read; } else { allow a_t f_t:file write; }",
     A, F, "file", "read"},
    {"ALLOW a_t f_t:file read; OPTIONAL { REQUIRE { TYPE b_t; } ALLOW a_t f_t:file write; }", A, F,
     "file", "read write"},
    {"allow domain ~self:process signal;", A, A, "process", ""},
    {"allow domain ~self:process signal;", A, B, "process", "signal"},
    {"allow domain ~{ self b_t }:process signal;", A, B, "process", ""},
    {"neverallow domain ~self:process *; allow domain self:process fork;", A, A, "process", "fork"},
    {"type b_t.x; role r types b_t.x; allow b_t.x f_t:file { read write }; allow b_t f_t:file read;",
     "u:r:b_t.x", F, "file", "read"},
    {"allow a_t f_t:file read; constrain file read (source role r and target type f_t);", A, F,
     "file", "read"},
    {"allow a_t f_t:file read; constrain file read (source type { b_t f_t });", A, F, "file", ""},
    {"allow a_t f_t:file read; CONSTRAIN file read (T1 == b_t OR U1 != U2);", A, F, "file", ""},
    {"allow a_t f_t:file read; constrain file read (role ==);", A, F, "file", ""},
    {"allow a_t f_t:file read; constrain file read (role != and sameuser);", A, F, "file", "read"},
};

VD_TEST(sepolicy_statements)
{
    for (size_t i = 0; i < VD_COUNT(good); i++) {
        const char *answer;

        pt_compiled(good[i].text);
        answer = pt_allowed(good[i].source, good[i].target, good[i].class);
        if (strcmp(answer, good[i].answer) != 0)
            vd_test_fail(__FILE__, __LINE__, "%s\nallowed: %s\nexpected: %s", good[i].text, answer,
                         good[i].answer);
    }
}

/* Statements on `base`; line 1 is the first one of these. Column 0: not looked at. */
static const struct {
    const char *text;
    uint32_t line, column;
    const char *message, *hint;
} bad[] = {
    /* what the lexer refuses */
    {"type x_t;\ntype $y_t;", 2, 6, "the byte 0x24 has no meaning here", ""},
    {"type \x01y_t;", 1, 6, "the byte 0x01 has no meaning here", ""},
    {"type_transition a_t f_t:file f_t \"name;\n", 1, 34,
     "this string has no closing '\"' on its line", ""},
    /* statements */
    {"typ x_t;", 1, 1, "no statement begins with 'typ'", "did you mean 'type'?"},
    {"42;", 1, 1, "expected a statement, found the number 42", ""},
    {"type x_t\ntype y_t;", 1, 9, "expected ';' at the end of the statement", ""},
    {"type x_t y_t;", 1, 10, "expected ';', found 'y_t'", ""},
    {"type;", 1, 5, "expected a type, found ';'", ""},
    {"type type;", 1, 6, "expected a type, found 'type', a word of the language", ""},
    {"type self;", 1, 6, "expected a type, found 'self', a word of the language", ""},
    {"type", 1, 5, "expected a type, found the end of the text", ""},
    {"}", 1, 1, "expected a statement, found '}'", ""},
    /* names */
    {"type a_t;", 1, 6, "'a_t' is declared already", "the first declaration is at t.te:2:6"},
    {"attribute a_t;", 1, 11, "'a_t' is declared already", NULL},
    {"bool on true;", 1, 6, "'on' is declared already", NULL},
    {"type x_t alias x_t;", 1, 16, "'x_t' is declared already", NULL},
    {"type x_t, y_t;\ntype y_t;", 1, 11, "'y_t' is a type, not an attribute", NULL},
    {"typeattribute domain file_type;", 1, 15, "'domain' is an attribute, not a type", ""},
    {"typeattribute a_t domian;", 1, 19, "unknown type or attribute 'domian'",
     "did you mean 'domain'?"},
    {"typealias no_t alias x_t;", 1, 22, "unknown type or attribute 'no_t'", NULL},
    {"permissive domain;", 1, 12, "'domain' is an attribute, not a type", ""},
    {"allow a_t ff_t:file read;", 1, 11, "unknown type or attribute 'ff_t'", "did you mean 'f_t'?"},
    {"allow a_t f_t:fle read;", 1, 15, "unknown class 'fle'", "did you mean 'file'?"},
    {"allow a_t f_t:file raed;", 1, 20, "class 'file' has no permission 'raed'",
     "did you mean 'read'?"},
    {"allow a_t f_t:file { read\n\twrit };", 2, 2, "class 'file' has no permission 'writ'",
     "did you mean 'write'?"},
    {"role r types no_t;", 1, 14, "unknown type or attribute 'no_t'", NULL},
    {"user v roles none;", 1, 14, "unknown role 'none'", ""},
    {"allow r none;", 1, 9, "unknown role 'none'", ""},
    {"if (maybe) { allow a_t f_t:file read; }", 1, 5, "unknown boolean 'maybe'", ""},
    {"constrain file read (u1 == nobody);", 1, 28, "unknown user 'nobody'", ""},
    {"constrain file read (t1 == no_t);", 1, 28, "unknown type or attribute 'no_t'", NULL},
    {"constrain file nothing (u1 == u2);", 1, 16, "class 'file' has no permission 'nothing'", ""},
    {"typeattribute a_t b_t;", 1, 19, "'b_t' is a type, not an attribute", NULL},
    {"typebounds a_t domain;", 1, 12, "only types bound types, not attributes", ""},
    {"roleattribute r r;", 1, 17, "'r' is a role, not a role attribute", ""},
    {"require { type no_t; }", 1, 16, "the policy requires the type 'no_t' but does not declare it",
     NULL},
    {"require { class file nosuch; }", 1, 17,
     "the policy requires permission 'nosuch' of class 'file' but does not have it", ""},
    {"optional { require { type gone_t; } type new_t; }\nallow a_t new_t:file read;", 2, 11,
     "type 'new_t' is declared only in an optional block that is not in force",
     "it is declared at t.te:5:42"},
    /* sets */
    {"allow { a_t b_t f_t:file read;", 1, 20, "expected a type, found ':'", ""},
    {"allow { a_t b_t;", 1, 7, "this '{' has no closing '}'", ""},
    {"allow self f_t:file read;", 1, 7, "'self' can only be the target of a rule", ""},
    {"allow a_t ~{ -self }:file read;", 1, 15, "'-self' cannot stand inside '~'", ""},
    {"role r types self;", 1, 14, "'self' can only be the target of a rule", ""},
    {"allow a_t f_t file read;", 1, 15, "expected ':' and a class, found 'file'", ""},
    {"allow a_t f_t:file;", 1, 19, "expected a permission, found ';'", ""},
    /* transitions */
    {"type_transition domain f_t:file f_t \"name\";\ntype_transition b_t file_type:file a_t name;",
     2, 1, "another rule gives another result for the same source, target, class and name",
     "the other rule is at t.te:5:1"},
    {"type_transition a_t self:file f_t \"n\"; type_transition b_t b_t:file f_t \"n\";\n"
     "type_transition domain self:file b_t \"n\";",
     2, 1, "another rule gives another result for the same source, target, class and name",
     "the other rule is at t.te:5:1"},
    {"type_transition a_t f_t:file domain \"n\";", 1, 30, "'domain' is an attribute, not a type",
     ""},
    {"type_transition domain { domain -self }:file f_t \"n\";", 1, 24,
     "'-self' has no meaning in a transition", ""},
    {"type_transition a_t f_t:file f_t;\nif (on) { type_transition domain f_t:file b_t; }", 2, 11,
     "another rule gives another result for the same source, target and class",
     "the other rule is at t.te:5:1"},
    {"if (on) { type_change a_t f_t:file f_t; }\nif (off) { type_change a_t f_t:file b_t; }", 2, 12,
     "another rule gives another result for the same source, target and class",
     "the other rule is at t.te:5:11"},
    {"if (on) { type_transition a_t f_t:file domain; }", 1, 40,
     "'domain' is an attribute, not a type", ""},
    {"type_transition a_t f_t:file f_t;\ntype_transition a_t f_t:file b_t;", 2, 1,
     "another rule gives another result for the same source, target and class",
     "the other rule is at t.te:5:1"},
    {"type_transition a_t f_t:file domain;", 1, 30, "'domain' is an attribute, not a type", ""},
    {"type_transition a_t f_t:file f_t \"\";", 1, 34, "a file's name has 1 to 255 bytes, not 0",
     ""},
    {"type_transition a_t f_t:file f_t \"a/b\";", 1, 34, "a file's name has no '/'",
     "only the last part of a path is meant"},
    {"type_member a_t f_t:file f_t \"a\";", 1, 30, "expected ';', found \"a\"", ""},
    {"if (on) { type_transition a_t f_t:file f_t \"a\"; }", 1, 11,
     "a transition by file name cannot stand inside an if block", ""},
    {"type_transition a_t f_t f_t;", 1, 25, "expected ':' and a class, found 'f_t'", ""},
    {"attribute_role ra; role_transition r f_t ra;", 1, 42, "'ra' is a role attribute, not a role",
     ""},
    {"default_user file both;", 1, 19, "expected 'source' or 'target', found 'both'", ""},
    {"default_user file source; default_user file target;", 1, 27,
     "class 'file' has another default already", ""},
    /* extended permissions */
    {"allowxperm a_t f_t:file read 0x1;", 1, 25, "expected 'ioctl' or 'nlmsg', found 'read'", ""},
    {"allowxperm a_t f_t:file ioctl x;", 1, 31, "expected a number, as 0x8910, found 'x'", ""},
    {"allowxperm a_t f_t:file ioctl 0x10000;", 1, 31,
     "extended permissions have numbers up to 0xffff", ""},
    {"allowxperm a_t f_t:file ioctl { 0x1-99999999999 };", 1, 37,
     "extended permissions have numbers up to 0xffff", ""},
    {"dontauditxperm a_t f_t:file ioctl { 1 0x20-0x1f };", 1, 39,
     "this range ends before it begins", ""},
    {"allowxperm a_t f_t:file ioctl { 1 { 2 };", 1, 31, "this '{' has no closing '}'", ""},
    {"allow a_t f_t:file ioctl; allowxperm a_t f_t:file ioctl 0x8910-0x8912;\n"
     "neverallowxperm domain file_type:file ioctl { 0x1 0x8911 };",
     2, 1, "this neverallowxperm is violated: a_t f_t:file ioctl 0x8911 is allowed",
     "the rule at t.te:5:27 gives it"},
    {"allow a_t f_t:file ioctl;\nneverallowxperm a_t f_t:file ioctl ~{ 0x0-0x4 };", 2, 1,
     "this neverallowxperm is violated: a_t f_t:file ioctl 0x5 is allowed",
     "the rule at t.te:5:1 gives it"},
    {"if (on) { allow domain self:file ioctl; allowxperm domain self:file ioctl 3; }\n"
     "neverallowxperm b_t self:file ioctl 4;",
     2, 1, "this neverallowxperm is violated: b_t b_t:file ioctl 0x4 is allowed",
     "the rule at t.te:5:11 gives it"},
    {"if (on) { neverallowxperm a_t f_t:file ioctl 1; }", 1, 11,
     "'neverallowxperm' cannot stand inside an if block", ""},
    /* constraints */
    {"constrain file read (u1 = u2);", 1, 25, "expected ==, !=, dom, domby or incomp, found '='",
     ""},
    {"constrain file read (u1 == u2;", 1, 30, "expected ')', found ';'", ""},
    {"constrain file read (u2 == u1);", 1, 22,
     "these two parts of a context cannot be compared in this order", ""},
    {"constrain file read (u1 dom u2);", 1, 22, "users and types know only == and !=", ""},
    {"constrain file read (t1 dom a_t);", 1, 22, "names are compared with == or != only", ""},
    {"constrain file read (t3 == a_t);", 1, 22, "u3, r3 and t3 belong to validatetrans", ""},
    {"constrain file read (source user u);", 1, 29, "expected 'role' or 'type', found 'user'", ""},
    {"constrain file read (role 5);", 1, 27,
     "expected ==, !=, dom, domby or incomp, found the number 5", ""},
    {"constrain file read (l1 == s0);", 1, 22, "a level can only be compared with another level",
     ""},
    /* blocks */
    {"if (on) { type x_t; }", 1, 11, "'type' cannot stand inside an if block", ""},
    {"if (on) { if (off) { } }", 1, 11, "'if' cannot stand inside an if block", ""},
    {"if (on) { allow r r; }", 1, 11, "a role allow cannot stand inside an if block", ""},
    {"if (on { allow a_t f_t:file read; }", 1, 8, "expected ')', found '{'", ""},
    {"if () { }", 1, 5, "expected a boolean or '(', found ')'", ""},
    {"if { }", 1, 4, "expected a boolean or '(', found '{'", ""},
    {"tunable t true;\nif (t && on) { }", 2, 1,
     "a condition is made of booleans or of tunables, not of both", ""},
    {"optional { allow a_t f_t:file read;", 1, 10, "this '{' has no closing '}'", ""},
    {"optional allow", 1, 10, "expected '{', found 'allow'", ""},
    {"require { nothing x; }", 1, 11,
     "expected 'type', 'attribute', 'class', 'role', 'bool' or '}', found 'nothing'", ""},
    /* neverallow */
    {"allow domain f_t:file { read write };\nneverallow a_t file_type:file write;", 2, 1,
     "this neverallow is violated: a_t f_t:file { write } is allowed",
     "the allow rule at t.te:5:1 gives it"},
    {"neverallow * self:process ptrace; allow b_t self:process *;", 1, 1,
     "this neverallow is violated: b_t b_t:process { ptrace } is allowed",
     "the allow rule at t.te:5:35 gives it"},
    {"if (off) { allow a_t f_t:file read; }\nneverallow a_t *:file *;", 2, 1,
     "this neverallow is violated: a_t f_t:file { read } is allowed",
     "the allow rule at t.te:5:12 gives it"},
    /* bounds */
    {"typebounds a_t b_t; typebounds b_t a_t;", 1, 16,
     "the bounds of type 'b_t' form a ring or more than 3 steps", ""},
    {"type x; type x.a; type x.a.b; type x.a.b.c; type x.a.b.c.d;", 1, 50,
     "the bounds of type 'x.a.b.c.d' form a ring or more than 3 steps", ""},
    {"typebounds a_t b_t; typebounds f_t b_t;", 1, 36, "type 'b_t' has another bound already", ""},
    /* initial contexts */
    {"sid kernel\nsid kernel u:r:f_t", 2, 12,
     "this context is not valid: the role does not have the type", ""},
    {"sid kernel u:r:a_t", 1, 5, "unknown initial context 'kernel'", ""},
    {"sid kernel sid kernel u:r", 1, 26,
     "expected ':' and the context's next part, found the end of the text", ""},
    {"role q; sid kernel sid kernel u:q:a_t", 1, 31,
     "this context is not valid: the user does not have the role", ""},
    /* what is not there yet */
    {"module m 1.0;", 1, 1, "this is a loadable module, not a policy",
     "compile the modules together with the base policy, as one text"},
    {"policy_module(m, 1.0)", 1, 1, "this is a loadable module, not a policy",
     "compile the modules together with the base policy, as one text"},
    {"pirqcon 33 u:r:a_t", 1, 1,
     "'pirqcon' is about Xen's resources: policies for Xen are not compiled", ""},
    {"expandattribute a_t true;", 1, 17, "'a_t' is a type, not an attribute", ""},
    {"expandattribute domian true;", 1, 17, "unknown type or attribute 'domian'",
     "did you mean 'domain'?"},
};

VD_TEST(sepolicy_errors_have_places)
{
    for (size_t i = 0; i < VD_COUNT(bad); i++) {
        vd_status status = pt_compile_on_base(bad[i].text);

        if (status != VD_E_INVALID)
            vd_test_fail(__FILE__, __LINE__, "%s\nstatus %s", bad[i].text, vd_status_name(status));
        if (pt_messages.first_error.line != PT_BASE_LINES + bad[i].line ||
            pt_messages.first_error.column != bad[i].column ||
            strcmp(pt_messages.first_error.text, bad[i].message) != 0 ||
            (bad[i].hint != NULL && strcmp(pt_messages.first_error.hint, bad[i].hint) != 0))
            vd_test_fail(__FILE__, __LINE__, "%s\nexpected %u:%u %s (%s)\n%s", bad[i].text,
                         PT_BASE_LINES + bad[i].line, bad[i].column, bad[i].message,
                         bad[i].hint == NULL ? "any hint" : bad[i].hint, pt_messages.all);
    }
}

VD_TEST(sepolicy_goes_on_behind_an_error)
{
    /* Each of the five is reported once, nothing else is. */
    VD_EXPECT_EQ(pt_compile("type a_t;\n"
                            "tpe b_t { x ; y };\n"
                            "allow a_t { a_t ; read };\n"
                            "optional { typ c_t; type d_t; }\n"
                            "allow a_t a_t:file { read ; write };\n"
                            "allow a_t d_t:file read;\n"
                            "allow a_t e_t:file read;\n"),
                 VD_E_INVALID);
    if (pt_messages.errors != 5)
        vd_test_fail(__FILE__, __LINE__, "%u errors:\n%s", pt_messages.errors, pt_messages.all);
    VD_EXPECT_EQ(pt_messages.last_error.line, 7);
    VD_EXPECT_STR(pt_messages.last_error.text, "unknown type or attribute 'e_t'");
}

VD_TEST(sepolicy_shows_twenty_errors)
{
    char text[4096] = "type a_t;\n";

    for (int i = 0; i < 30; i++)
        strcat(text, "allow a_t no_t:file read;\n");
    VD_EXPECT_EQ(pt_compile(text), VD_E_INVALID);
    VD_EXPECT_EQ(pt_messages.errors, VD_SEPOLICY_MAX_ERRORS + 1);
    VD_EXPECT(strstr(pt_messages.all, "10 more errors") != NULL);
}

VD_TEST(sepolicy_warns_of_extended_permissions_without_effect)
{
    static const struct {
        const char *text;
        uint32_t column;
        const char *warning;
    } rows[] = {
        {"attribute none; allowxperm none f_t:file ioctl 1;", 28,
         "this rule does nothing: no type is in its source"},
        {"attribute none; allowxperm a_t none:file ioctl 1;", 32,
         "this rule does nothing: no type is in its target"},
        {"allowxperm a_t f_t:file ioctl ~{ 0-0xffff };", 1,
         "this rule does nothing: no number is left"},
        {"allowxperm a_t f_t:file nlmsg 1;", 20, "class 'file' has no permission 'nlmsg'"},
    };

    for (size_t i = 0; i < VD_COUNT(rows); i++) {
        pt_compiled(rows[i].text);
        VD_EXPECT_EQ(pt_messages.first_warning.column, rows[i].column);
        VD_EXPECT_STR(pt_messages.first_warning.text, rows[i].warning);
    }
}

VD_TEST(sepolicy_warns_of_rules_without_effect)
{
    static const struct {
        const char *text;
        uint32_t column;
        const char *warning;
    } rows[] = {
        {"attribute none; allow none f_t:file read;", 23,
         "this rule does nothing: no type is in its source"},
        {"attribute none; allow a_t none:file read;", 27,
         "this rule does nothing: no type is in its target"},
        {"allow a_t f_t:file { read -read };", 20, "this rule does nothing: it has no permission"},
        {"allow a_t { f_t -f_t }:file read;", 11,
         "this rule does nothing: no type is in its target"},
        {"deny a_t f_t:file read;", 1,
         "this rule does nothing: no allow rule gives what it denies"},
        {"type_transition a_t f_t:process b_t;", 1,
         "this transition never happens: the old type may not make the process transition"},
        {"type_transition a_t f_t:process b_t; allow a_t b_t:process transition;", 1,
         "this transition never happens: the old type may not execute the program"},
        {"type_transition a_t f_t:process b_t; allow a_t b_t:process transition;"
         "allow a_t f_t:file execute;",
         1, "this transition never happens: the program is no entry point of the new type"},
        {"typebounds a_t b_t; allow b_t f_t:file { read write }; allow a_t f_t:file read;", 16,
         "'a_t' does not have this in full: b_t f_t:file { write }"},
        {"sid unused", 5, "initial context 'unused' is declared but never given"},
        {"allow a_t f_t:file read; allow a_t f_t:file { read };", 26,
         "this rule does nothing: another one says all of it"},
        {"allow a_t f_t:file read; allow domain f_t:{ file dir } { read write };", 1,
         "this rule does nothing: another one says all of it"},
        {"allow a_t f_t:file read; if (on) { allow a_t f_t:file read; }", 36,
         "this rule does nothing: another one says all of it"},
        {"if (on) { allow a_t self:process fork; allow domain { domain self }:process *; }", 11,
         "this rule does nothing: another one says all of it"},
        {"dontaudit a_t f_t:file ~read; auditdeny a_t f_t:file read;", 31,
         "this rule does nothing: another one says all of it"},
        {"optional { require { type gone_t; } allow a_t f_t:file read; }", 27,
         "this optional block is left out: nothing declares the type 'gone_t'"},
        {"optional { require { class filr read; } allow a_t f_t:file read; }", 28,
         "this optional block is left out: nothing declares the class 'filr'"},
        {"nodecon 10.0.0.1 255.0.0.0 u:object_r:f_t", 1,
         "this statement does nothing: no address fits it"},
        {"nodecon 10.0.0.0 255.0.255.0 u:object_r:f_t", 1, "this mask has holes"},
        {"nodecon 10.0.0.1/8 u:object_r:f_t", 9,
         "the bits of this address behind its first 8 do not count"},
        {"nodecon fe80::1/16 u:object_r:f_t", 9,
         "the bits of this address behind its first 16 do not count"},
    };

    for (size_t i = 0; i < VD_COUNT(rows); i++) {
        pt_compiled(rows[i].text);
        if (pt_messages.warnings == 0 || pt_messages.first_warning.line != PT_BASE_LINES + 1 ||
            pt_messages.first_warning.column != rows[i].column ||
            strcmp(pt_messages.first_warning.text, rows[i].warning) != 0)
            vd_test_fail(__FILE__, __LINE__, "%s\nexpected column %u: %s\n%s", rows[i].text,
                         rows[i].column, rows[i].warning, pt_messages.all);
    }
    pt_compiled("allow a_t f_t:file read; neverallow b_t f_t:file read;");
    VD_EXPECT_EQ(pt_messages.warnings, 0);
    /* Each of these says something that the other does not. */
    pt_compiled("if (on) { allow a_t f_t:file read; } else { allow a_t f_t:file read; }"
                "if (off) { allow a_t f_t:file read; } dontaudit a_t f_t:file read;"
                "allow a_t f_t:file { write }; allow b_t f_t:file { write append };"
                "allow domain { domain -self }:process signal; allow a_t a_t:process signal;"
                "allow a_t self:file read; allow a_t b_t:file read;");
    VD_EXPECT_EQ(pt_messages.warnings, 0);
    /* Text that macros made repeats itself and has blocks for what is not there. */
    pt_compiled("\n#line 1 \"made.te\"\nallow a_t f_t:file read; allow a_t f_t:file read;"
                "optional { require { type gone_t; } allow a_t f_t:file read; }");
    VD_EXPECT_EQ(pt_messages.warnings, 0);
    pt_compiled("optional { require { type gone_t; } allow a_t f_t:file read; } else { }");
    VD_EXPECT_EQ(pt_messages.warnings, 0);
    VD_EXPECT_EQ(pt_compile(""), VD_OK);
    VD_EXPECT_STR(pt_messages.first_warning.text,
                  "the sources declare no type: this policy allows nothing");
    pt_compiled("type_transition domain file_type:process b_t; allow a_t b_t:process transition;"
                "if (off) { allow a_t f_t:file execute; } allow b_t f_t:file entrypoint;");
    VD_EXPECT_EQ(pt_messages.warnings, 0);
}

VD_TEST(sepolicy_messages_show_the_line)
{
    VD_EXPECT_EQ(pt_compile("type a_t;\n\tallow\ta_t \tno_t:file read; # \x1b[31m\n"),
                 VD_E_INVALID);
    VD_EXPECT_STR(pt_messages.all, "t.te:2:13: error: unknown type or attribute 'no_t'\n"
                                   "\tallow\ta_t \tno_t:file read; # \\x1b[31m\n"
                                   "\t     \t    \t^\n");
}

VD_TEST(sepolicy_follows_line_marks)
{
    VD_EXPECT_EQ(pt_compile("type a_t;\n#line 7 \"mod.te\"\nallow a_t no_t:file read;\n"),
                 VD_E_INVALID);
    VD_EXPECT_EQ(pt_messages.first_error.line, 7);
    VD_EXPECT_EQ(pt_messages.first_error.column, 11);
    VD_EXPECT_STR(pt_messages.first_error.file, "mod.te");
    VD_EXPECT_EQ(
        pt_compile("#line 7 \"mod.te\"\ntype a_t;\n#line 1\n\nallow a_t no_t:file read;\n"),
        VD_E_INVALID);
    VD_EXPECT_EQ(pt_messages.first_error.line, 2);
    VD_EXPECT_STR(pt_messages.first_error.file, "mod.te");
    VD_EXPECT_EQ(pt_compile("type a_t;\n# 7 \"mod.te\"\nallow a_t no_t:file read;\n"),
                 VD_E_INVALID);
    VD_EXPECT_EQ(pt_messages.first_error.line, 7);
    VD_EXPECT_STR(pt_messages.first_error.file, "mod.te");
    VD_EXPECT_EQ(pt_compile("type a_t;\n# 7 mods.te\nallow a_t no_t:file read;\n"), VD_E_INVALID);
    VD_EXPECT_EQ(pt_messages.first_error.line, 3);
    VD_EXPECT_EQ(pt_compile("#line x\n#line 99999999999999 \"\n#lines\nallow"), VD_E_INVALID);
}

VD_TEST(sepolicy_reads_files_as_one_text)
{
    struct vd_sepolicy_source sources[] = {
        {.name = "one.te", .text = "type a_t; allow a_t", .size = 19},
        {.name = "empty.te", .text = "", .size = 0},
        {.name = "two.te", .text = "b_t:file raed; type b_t;", .size = 24},
    };
    static const struct vd_sepolicy_options plain;

    VD_EXPECT_EQ(pt_compile_sources(sources, 3, &plain), VD_E_INVALID);
    VD_EXPECT_EQ(pt_messages.errors, 1);
    VD_EXPECT_STR(pt_messages.first_error.file, "two.te");
    VD_EXPECT_EQ(pt_messages.first_error.column, 10);
    VD_EXPECT_EQ(pt_compile_sources(sources, 0, &plain), VD_E_USAGE);
}
