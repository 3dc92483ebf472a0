/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The rulebook: what the compiler writes, what each question of it answers, and
 * a refusal for each check of vd_rulebook_open.
 */
#include "tools/rulebook/rulebook.h"
#include "tests/harness.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/policydb/conditional.h"
#include "tools/sepolicy/sepolicy.h"

static const char text[] = "class file class process class file { read write ioctl transition }\n"
                           "class process { transition signal }\n"
                           "sid kernel\n"
                           "attribute domain; attribute exec;\n"
                           "type a_t, domain; type b_t, domain; type c_t; type x_t, exec;\n"
                           "bool on true; bool off false;\n"
                           "role r1; role r2; role r1 types { a_t b_t c_t }; role r2 types a_t;\n"
                           "typebounds a_t c_t;\n"
                           "allow { domain -b_t } { x_t self }:file { read write };\n"
                           "allow a_t x_t:{ file process } transition;\n"
                           "#line 70 \"other.te\"\n"
                           "dontaudit c_t ~{ domain }:file read;\n"
                           "if (on && !off) {\n"
                           "auditallow a_t x_t:file read;\n"
                           "} else {\n"
                           "allow b_t x_t:file write;\n"
                           "}\n"
                           "neverallow * c_t:file ioctl;\n"
                           "type_transition a_t x_t:process b_t;\n"
                           "role_transition r1 exec:process r2;\n"
                           "allow r1 r2;\n"
                           "constrain file # a comment\n"
                           "    { read }\n"
                           "    ( u1 == u2 or t1 == domain );\n"
                           "validatetrans file ( t1 == t2 );\n"
                           "user u roles { r1 r2 };\n"
                           "sid kernel u:r1:a_t\n";

struct fixture {
    uint8_t *file;
    size_t size;
    struct vd_policydb db;
    struct vd_rulebook book;
};

static struct fixture f;

static void compile(const char *source, bool rulebook)
{
    struct vd_sepolicy_source from = {.name = "t.te", .text = source, .size = strlen(source)};
    struct vd_sepolicy_options how = {.rulebook = rulebook};
    struct vd_sepolicy_result result = {};

    free(f.file);
    f = (struct fixture){};
    VD_EXPECT_EQ(vd_sepolicy_compile(&from, 1, &how, &result), VD_OK);
    f.file = result.blob;
    f.size = result.size;
    VD_EXPECT_EQ(vd_policydb_open(&f.db, f.file, vd_policydb_extent(f.file, f.size), NULL), VD_OK);
}

static void setup(void)
{
    struct vd_diag diag = {};

    compile(text, true);
    if (vd_rulebook_open(&f.book, &f.db, f.file, f.size, &diag) != VD_OK)
        vd_test_fail(__FILE__, __LINE__, "%s at %llu", diag.text, (unsigned long long)diag.offset);
}

static uint32_t number(enum vd_pdb_symbol_kind kind, const char *name)
{
    uint32_t ret;

    VD_EXPECT_EQ(vd_policydb_find(&f.db, kind, name, strlen(name), &ret), VD_OK);
    return ret;
}

/* The `nth` row of a kind. */
static const struct vd_rule *rule_of(enum vd_rule_kind kind, uint32_t nth)
{
    for (uint32_t i = 0; i < f.book.rule_count; i++) {
        if (f.book.rules[i].kind == kind && nth-- == 0)
            return &f.book.rules[i];
    }
    vd_test_fail(__FILE__, __LINE__, "no rule %s", vd_rulebook_keyword(kind));
}

static void expect_place(const struct vd_rule *rule, const char *file, uint32_t line)
{
    VD_EXPECT_STR(vd_rulebook_file(&f.book, rule), file);
    VD_EXPECT_EQ(rule->line, line);
}

VD_TEST(rulebook_keeps_the_rules_as_written)
{
    const struct vd_rule *rule;

    setup();
    rule = rule_of(VD_RULE_ALLOW, 0);
    expect_place(rule, "t.te", 9);
    VD_EXPECT_EQ(rule->flags, VD_RULE_SELF);
    VD_EXPECT_EQ(rule->perms, 3);
    VD_EXPECT_EQ(vd_rulebook_set(&f.book, rule->source)->count, 2);
    VD_EXPECT(vd_rulebook_items(&f.book, rule->source)[1] ==
              (number(VD_SYM_TYPE, "b_t") | VD_RULE_MINUS));
    VD_EXPECT(vd_rulebook_reaches(&f.book, &f.db, rule, number(VD_SYM_TYPE, "a_t"),
                                  number(VD_SYM_TYPE, "a_t")));
    VD_EXPECT(!vd_rulebook_reaches(&f.book, &f.db, rule, number(VD_SYM_TYPE, "b_t"),
                                   number(VD_SYM_TYPE, "x_t")));
    VD_EXPECT(!vd_rulebook_reaches(&f.book, &f.db, rule, number(VD_SYM_TYPE, "a_t"),
                                   number(VD_SYM_TYPE, "c_t")));
    rule = rule_of(VD_RULE_ALLOW, 2);
    VD_EXPECT_EQ(rule->flags, VD_RULE_SAME);
    VD_EXPECT_EQ(rule[-1].flags, 0);
    VD_EXPECT(rule->source == rule[-1].source && rule->class != rule[-1].class);
    expect_place(rule_of(VD_RULE_DONTAUDIT, 0), "other.te", 70);
    expect_place(rule_of(VD_RULE_NEVERALLOW, 0), "other.te", 76);
}

VD_TEST(rulebook_keeps_conditions)
{
    const struct vd_rule *then, *otherwise;
    uint32_t count;

    setup();
    then = rule_of(VD_RULE_AUDITALLOW, 0);
    otherwise = rule_of(VD_RULE_ALLOW, 3);
    VD_EXPECT(vd_rulebook_cond(&f.book, then, &count) != NULL);
    VD_EXPECT_EQ(count, 4);
    VD_EXPECT_EQ(then->cond, otherwise->cond);
    VD_EXPECT_EQ(otherwise->flags, VD_RULE_ELSE);
    VD_EXPECT(vd_rulebook_active(&f.book, &f.db, then));
    VD_EXPECT(!vd_rulebook_active(&f.book, &f.db, otherwise));
    VD_EXPECT_EQ(vd_policydb_set_bool(f.file, number(VD_SYM_BOOL, "off"), true), VD_OK);
    VD_EXPECT(!vd_rulebook_active(&f.book, &f.db, then));
    VD_EXPECT(vd_rulebook_active(&f.book, &f.db, otherwise));
    VD_EXPECT(vd_rulebook_cond(&f.book, rule_of(VD_RULE_ALLOW, 0), &count) == NULL);
    VD_EXPECT(vd_rulebook_active(&f.book, &f.db, rule_of(VD_RULE_ALLOW, 0)));
}

VD_TEST(rulebook_keeps_what_is_not_about_types)
{
    const struct vd_rule *rule;
    const struct vd_pdb_class *file;

    setup();
    VD_EXPECT_EQ(rule_of(VD_RULE_TYPE_TRANSITION, 0)->perms, number(VD_SYM_TYPE, "b_t"));
    rule = rule_of(VD_RULE_ROLE_TRANSITION, 0);
    VD_EXPECT_EQ(rule->perms, number(VD_SYM_ROLE, "r2"));
    VD_EXPECT(vd_rulebook_holds(&f.book, &f.db, rule->source, number(VD_SYM_ROLE, "r1")));
    VD_EXPECT(!vd_rulebook_holds(&f.book, &f.db, rule->source, number(VD_SYM_ROLE, "r2")));
    VD_EXPECT_EQ(rule_of(VD_RULE_ROLE_ALLOW, 0)->class, 0);
    VD_EXPECT(vd_rulebook_holds(&f.book, &f.db, rule_of(VD_RULE_TYPEBOUNDS, 0)->target,
                                number(VD_SYM_TYPE, "c_t")));
    rule = rule_of(VD_RULE_CONSTRAIN, 0);
    VD_EXPECT_STR(vd_rulebook_string(&f.book, rule->name),
                  "constrain file { read } ( u1 == u2 or t1 == domain )");
    file = vd_pdb_row(&f.db, VD_PDB_CLASSES, rule->class, sizeof(*file));
    VD_EXPECT_EQ(rule->first, file->node_first);
    rule = rule_of(VD_RULE_VALIDATETRANS, 0);
    VD_EXPECT_EQ(rule->first, file->vtrans_first);
    expect_place(rule, "other.te", 83);
}

/* `expand` and `holds` say the same of every set and every type. */
VD_TEST(rulebook_sets_agree)
{
    uint64_t words[1];

    setup();
    VD_EXPECT(vd_policydb_header(&f.db)->types <= 64);
    for (uint32_t set = 0; set < f.book.head->sections[VD_BOOK_SETS].count; set++) {
        bool role = (vd_rulebook_set(&f.book, set)->flags & VD_RULE_SET_ROLES) != 0;
        uint32_t count = role ? vd_policydb_header(&f.db)->roles : vd_policydb_header(&f.db)->types;

        vd_rulebook_expand(&f.book, &f.db, set, words);
        for (uint32_t i = 1; i < count; i++)
            VD_EXPECT(vd_bitmap_get(words, i) == vd_rulebook_holds(&f.book, &f.db, set, i));
    }
}

VD_TEST(rulebook_extent_is_the_blob)
{
    size_t extent;

    compile(text, false);
    VD_EXPECT_EQ(vd_policydb_extent(f.file, f.size), f.size);
    VD_EXPECT_EQ(vd_rulebook_open(&f.book, &f.db, f.file, f.size, NULL), VD_E_NOT_FOUND);
    extent = f.size;
    setup();
    VD_EXPECT_EQ(vd_policydb_extent(f.file, f.size), extent);
    VD_EXPECT_EQ(vd_policydb_extent(f.file, 10), 10);
    VD_EXPECT_EQ(vd_policydb_extent(f.file, extent + 7), extent + 7);
    VD_EXPECT_EQ(vd_policydb_extent(f.file, extent + 8), extent);
    f.file[extent] ^= 1; /* no rulebook: then it is no part of a policy */
    VD_EXPECT_EQ(vd_policydb_extent(f.file, f.size), f.size);
    VD_EXPECT_EQ(vd_policydb_open(&f.db, f.file, f.size, NULL), VD_E_TRAILING);
    for (uint32_t total = 0; total < 2000; total++) {
        memcpy(f.file + offsetof(struct vd_pdb_header, total_size), &total, sizeof(total));
        VD_EXPECT_EQ(vd_policydb_extent(f.file, 1000), 1000);
    }
}

/* ------------------------------------------------------------------ refusals */

static struct vd_rulebook_header *head(void)
{
    return (void *)(f.file + vd_policydb_header(&f.db)->total_size);
}

static void *rows(enum vd_rulebook_section section)
{
    return (uint8_t *)head() + head()->sections[section].offset;
}

/* Repairs the checksum and opens. */
static vd_status reopen(struct vd_diag *diag)
{
    struct vd_rulebook book;

    head()->checksum = vd_rulebook_checksum(head(), head()->total_size);
    return vd_rulebook_open(&book, &f.db, f.file, f.size, diag);
}

static void expect_refused(const char *part)
{
    struct vd_diag diag = {};

    if (reopen(&diag) == VD_OK)
        vd_test_fail(__FILE__, __LINE__, "not refused: %s", part);
    if (strstr(diag.text, part) == NULL)
        vd_test_fail(__FILE__, __LINE__, "expected \"%s\", got \"%s\"", part, diag.text);
    VD_EXPECT(diag.has_offset && diag.offset >= vd_policydb_header(&f.db)->total_size &&
              diag.offset <= f.size);
}

#define REFUSED(change, part) \
    do {                      \
        setup();              \
        change;               \
        expect_refused(part); \
    } while (0)

static struct vd_rule *rule_at(enum vd_rule_kind kind, uint32_t nth)
{
    return (struct vd_rule *)rows(VD_BOOK_RULES) + (rule_of(kind, nth) - f.book.rules);
}

VD_TEST(rulebook_refuses_a_wrong_frame)
{
    struct vd_rulebook book;

    REFUSED(head()->magic[0] = 'X', "the magic VDRULES1");
    REFUSED(head()->version = 2, "expected 1");
    REFUSED(head()->header_size = 8, "not 304 bytes");
    REFUSED(head()->total_size -= 8, "after the rulebook's end");
    REFUSED(head()->reserved = 1, "reserved field");
    REFUSED(head()->reserved2 = 1, "reserved field");
    REFUSED(head()->reserved3[3] = 1, "reserved field");
    REFUSED(head()->blob_size++, "of another policy");
    REFUSED(head()->blob_checksum++, "of another policy");
    REFUSED(head()->sections[VD_BOOK_SECTIONS].count = 1, "no meaning is not zero");
    REFUSED(head()->sections[2].reserved = 1, "reserved field");
    REFUSED(head()->sections[2].offset += 8, "does not start where");
    REFUSED(head()->sections[VD_BOOK_RULES].size += 3600, "beyond the rulebook's end");
    REFUSED(head()->sections[VD_BOOK_RULES].count--, "does not fit the number");
    REFUSED((head()->sections[VD_BOOK_RULES].count--, head()->sections[VD_BOOK_RULES].size -= 36),
            "after the last section");
    setup();
    head()->total_size += 8;
    VD_EXPECT_EQ(vd_rulebook_open(&book, &f.db, f.file, f.size, NULL), VD_E_TRUNCATED);
    setup();
    *((uint8_t *)head() + 400) ^= 1;
    VD_EXPECT_EQ(vd_rulebook_open(&book, &f.db, f.file, f.size, NULL), VD_E_CHECKSUM);
}

VD_TEST(rulebook_refuses_any_cut)
{
    struct vd_rulebook book;

    setup();
    for (size_t size = vd_policydb_header(&f.db)->total_size + 1; size < f.size; size++) {
        struct vd_diag diag = {};

        VD_EXPECT_EQ(vd_rulebook_open(&book, &f.db, f.file, size, &diag), VD_E_TRUNCATED);
        VD_EXPECT_EQ(diag.offset, diag.has_offset ? diag.offset : 1);
    }
}

VD_TEST(rulebook_refuses_wrong_tables)
{
    REFUSED(((char *)rows(VD_BOOK_STRINGS))[0] = 'x', "begin and end with NUL");
    REFUSED(((uint32_t *)rows(VD_BOOK_FILES))[0] = 1, "row 0 is not the empty one");
    REFUSED(((uint32_t *)rows(VD_BOOK_FILES))[1] = 1u << 20, "outside the strings");
    REFUSED(((struct vd_rule_set *)rows(VD_BOOK_SETS))[0].flags = 2, "row 0 is not the empty set");
    REFUSED(((struct vd_rule_set *)rows(VD_BOOK_SETS))[1].first++, "do not follow");
    REFUSED(((struct vd_rule_set *)rows(VD_BOOK_SETS))[1].count += 1u << 20, "do not follow");
    REFUSED(((struct vd_rule_set *)rows(VD_BOOK_SETS))[1].flags |= 8, "no meaning");
    REFUSED(((uint32_t *)rows(VD_BOOK_ITEMS))[0] = 99, "no such type, attribute or role");
    REFUSED(((uint32_t *)rows(VD_BOOK_ITEMS))[0] = 0, "no such type, attribute or role");
    REFUSED(((struct vd_rule_cond *)rows(VD_BOOK_CONDS))[0].count = 300, "more than 256 nodes");
    REFUSED(((struct vd_rule_cond *)rows(VD_BOOK_CONDS))[0].count--, "end with one value");
    REFUSED(((struct vd_pdb_cond_node *)rows(VD_BOOK_COND_NODES))[0].value = 9, "not exist");
    REFUSED(((struct vd_pdb_cond_node *)rows(VD_BOOK_COND_NODES))[1].op = 9, "unknown operation");
    REFUSED((((struct vd_pdb_cond_node *)rows(VD_BOOK_COND_NODES))[0].op = VD_COND_NOT,
             ((struct vd_pdb_cond_node *)rows(VD_BOOK_COND_NODES))[0].value = 0),
            "without values");
}

VD_TEST(rulebook_refuses_wrong_rules)
{
    REFUSED(rule_at(VD_RULE_ALLOW, 0)->kind = 0, "kind is unknown");
    REFUSED(rule_at(VD_RULE_ALLOW, 0)->kind = VD_RULE_KIND_END, "kind is unknown");
    REFUSED(rule_at(VD_RULE_ALLOW, 0)->class = 0, "class does not fit");
    REFUSED(rule_at(VD_RULE_ALLOW, 0)->class = 77, "class does not fit");
    REFUSED(rule_at(VD_RULE_ROLE_ALLOW, 0)->class = 1, "class does not fit");
    REFUSED(rule_at(VD_RULE_ALLOW, 0)->source = 1000, "no set of the kind's sort");
    REFUSED(rule_at(VD_RULE_ALLOW, 0)->target = rule_at(VD_RULE_ROLE_ALLOW, 0)->source,
            "no set of the kind's sort");
    REFUSED(rule_at(VD_RULE_ROLE_ALLOW, 0)->source = rule_at(VD_RULE_ALLOW, 0)->source,
            "no set of the kind's sort");
    REFUSED(rule_at(VD_RULE_CONSTRAIN, 0)->source = rule_at(VD_RULE_ALLOW, 0)->source,
            "no source and target");
    REFUSED(rule_at(VD_RULE_ALLOW, 0)->cond = 9, "the condition does not exist");
    REFUSED(rule_at(VD_RULE_NEVERALLOW, 0)->cond = 1, "does not fit the kind");
    REFUSED(rule_at(VD_RULE_ALLOW, 0)->flags |= 16, "flags");
    REFUSED(rule_at(VD_RULE_ALLOW, 0)->flags |= VD_RULE_ELSE, "flags");
    REFUSED(rule_at(VD_RULE_ROLE_ALLOW, 0)->flags |= VD_RULE_SELF, "flags");
    REFUSED(rule_at(VD_RULE_ALLOW, 0)->file = 77, "the place");
    REFUSED(rule_at(VD_RULE_ALLOW, 0)->line = 0, "the place");
    REFUSED(rule_at(VD_RULE_ALLOW, 0)->perms = 0, "no permission");
    REFUSED(rule_at(VD_RULE_ALLOW, 0)->perms = 1u << 30, "no permission");
    REFUSED(rule_at(VD_RULE_ALLOW, 0)->name = 1u << 30, "outside the strings");
    REFUSED(rule_at(VD_RULE_ALLOW, 0)->name = 1, "a name that has no meaning");
    REFUSED(rule_at(VD_RULE_ALLOW, 0)->first = 1, "a field that has no meaning");
    REFUSED(rule_at(VD_RULE_TYPE_TRANSITION, 0)->perms = number(VD_SYM_TYPE, "domain"),
            "the new type");
    REFUSED(rule_at(VD_RULE_TYPE_TRANSITION, 0)->perms = 99, "the new type");
    REFUSED(rule_at(VD_RULE_TYPE_TRANSITION, 0)->kind = VD_RULE_RANGE_TRANSITION, "the new range");
    REFUSED(rule_at(VD_RULE_ROLE_TRANSITION, 0)->perms = 99, "the new role");
    REFUSED(rule_at(VD_RULE_ROLE_ALLOW, 0)->perms = 1, "permissions that have no meaning");
    REFUSED(rule_at(VD_RULE_CONSTRAIN, 0)->first++, "no such constraint");
    REFUSED(rule_at(VD_RULE_CONSTRAIN, 0)->perms = 2, "no such constraint");
    REFUSED(rule_at(VD_RULE_ALLOW, 0)->kind = VD_RULE_ALLOWXPERM, "more than one permission");
    REFUSED((rule_at(VD_RULE_DONTAUDIT, 0)->kind = VD_RULE_DONTAUDITXPERM), "its calls");
}

/* One set bit anywhere, the checksum repaired: refused, or every answer stays inside. */
VD_TEST(rulebook_survives_any_flipped_bit)
{
    uint64_t words[64];
    size_t size;

    setup();
    size = head()->total_size;
    for (size_t bit = 0; bit < size * 8; bit++) {
        uint8_t *byte = (uint8_t *)head() + bit / 8;
        struct vd_rulebook book;

        *byte ^= (uint8_t)(1u << (bit % 8));
        if (head()->total_size == size)
            head()->checksum = vd_rulebook_checksum(head(), head()->total_size);
        if (vd_rulebook_open(&book, &f.db, f.file, f.size, NULL) == VD_OK) {
            for (uint32_t i = 0; i < book.rule_count; i++) {
                vd_rulebook_expand(&book, &f.db, book.rules[i].source, words);
                vd_rulebook_expand(&book, &f.db, book.rules[i].target, words);
                (void)vd_rulebook_active(&book, &f.db, &book.rules[i]);
            }
        }
        *byte ^= (uint8_t)(1u << (bit % 8));
    }
}

VD_TEST(rulebook_is_the_same_for_the_same_sources)
{
    uint8_t *before;
    size_t size;

    setup();
    size = f.size;
    before = malloc(size);
    VD_EXPECT(before != NULL);
    memcpy(before, f.file, size);
    setup();
    VD_EXPECT_EQ(f.size, size);
    VD_EXPECT_MEM(f.file, before, size);
    free(before);
}
