/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tests/harness.h"

#include "core/base/crc64.h"
#include "core/policydb/policydb.h"
#include "tools/sepolicy/sepolicy.h"

#include <stdlib.h>
#include <string.h>

#define COMPILER    77u
#define CHECKSUM_AT 16u /* in the cache */

static const char base[] =
    "class process class file sid kernel class process { fork }\n"
    "class file { read write open } bool b true;\n"
    "attribute at; type a_t, at; type b_t, at; type c_t;\n"
    "allow at at:file read; allow a_t c_t:file { read write };\n"
    "allow c_t self:process fork; auditallow b_t a_t:file open;\n"
    "if (b) { allow c_t a_t:file write; } else { allow c_t a_t:file open; }\n"
    "role r_r; role r_r types at; user u_u roles r_r;\n"
    "sid kernel u_u:r_r:a_t\n";

/* Compiles `base` and a text; `former` may be NULL. */
static struct vd_sepolicy_result compile(const char *more, const struct vd_sepolicy_result *former,
                                         uint64_t compiler)
{
    struct vd_sepolicy_source sources[] = {{.name = "base", .text = base, .size = strlen(base)},
                                           {.name = "more", .text = more, .size = strlen(more)}};
    struct vd_sepolicy_options options = {.keep_cache = true, .former = {.compiler = compiler}};
    struct vd_sepolicy_result ret = {};

    if (former != NULL) {
        options.former.cache = former->cache;
        options.former.cache_size = former->cache_size;
        options.former.policy = former->blob;
        options.former.policy_size = former->size;
    }
    VD_EXPECT_EQ(vd_sepolicy_compile(sources, VD_COUNT(sources), &options, &ret), VD_OK);
    VD_EXPECT(ret.cache != NULL);
    return ret;
}

static void done(struct vd_sepolicy_result *result)
{
    free(result->blob);
    free(result->cache);
}

static bool same(const struct vd_sepolicy_result *a, const struct vd_sepolicy_result *b)
{
    return a->size == b->size && memcmp(a->blob, b->blob, a->size) == 0 &&
           a->cache_size == b->cache_size && memcmp(a->cache, b->cache, a->cache_size) == 0;
}

VD_TEST(cache_gives_the_same_bytes)
{
    static const struct {
        const char *more;
        uint32_t reused; /* of the rows a_t:file, b_t:file, c_t:file, c_t:process */
    } cases[] = {
        {"", 4},
        {"allow b_t c_t:file write;", 3},
        {"allow at c_t:file write;", 2},
        {"type d_t; allow d_t c_t:file open;", 4},
        {"type d_t, at;", 2}, /* another target of what `at` may do, a source of its own */
        {"deny a_t c_t:file write;", 3},
        {"neverallow c_t b_t:file read;", 3},
        {"if (!b) { allow a_t a_t:file open; }", 3},
        {"bool b2 false; if (b2) { allow c_t b_t:process fork; }", 3},
    };
    struct vd_sepolicy_result first = compile("", NULL, COMPILER);

    VD_EXPECT_EQ(first.reused, 0);
    for (size_t i = 0; i < VD_COUNT(cases); i++) {
        struct vd_sepolicy_result whole = compile(cases[i].more, NULL, COMPILER);
        struct vd_sepolicy_result part = compile(cases[i].more, &first, COMPILER);
        struct vd_sepolicy_result back = compile("", &part, COMPILER);

        VD_EXPECT(same(&whole, &part));
        VD_EXPECT(same(&first, &back));
        VD_EXPECT_EQ(part.reused, cases[i].reused);
        done(&whole);
        done(&part);
        done(&back);
    }
    done(&first);
}

/* A default of a boolean changes what is in force, not what the rules say. */
VD_TEST(cache_knows_the_booleans_defaults)
{
    struct vd_sepolicy_result on =
        compile("bool c true; if (c) { allow a_t b_t:process fork; }", NULL, COMPILER);
    struct vd_sepolicy_result off =
        compile("bool c false; if (c) { allow a_t b_t:process fork; }", NULL, COMPILER);
    struct vd_sepolicy_result part =
        compile("bool c false; if (c) { allow a_t b_t:process fork; }", &on, COMPILER);

    VD_EXPECT(same(&off, &part));
    VD_EXPECT_EQ(part.reused, 4);
    done(&on);
    done(&off);
    done(&part);
}

VD_TEST(cache_that_does_not_belong_is_not_used)
{
    struct vd_sepolicy_result first = compile("", NULL, COMPILER);
    struct vd_sepolicy_result other = compile("allow b_t c_t:file write;", NULL, COMPILER);
    struct vd_sepolicy_result mixed = first, got;

    got = compile("", &first, COMPILER + 1); /* another compiler's */
    VD_EXPECT_EQ(got.reused, 0);
    done(&got);
    mixed.cache = other.cache; /* another policy's */
    mixed.cache_size = other.cache_size;
    got = compile("", &mixed, COMPILER);
    VD_EXPECT_EQ(got.reused, 0);
    VD_EXPECT_EQ(got.size, first.size);
    done(&got);
    mixed = first;
    mixed.size = 100; /* a policy cut short */
    got = compile("", &mixed, COMPILER);
    VD_EXPECT_EQ(got.reused, 0);
    done(&got);
    for (mixed = first; mixed.cache_size > 0;) { /* a cache cut at every length */
        mixed.cache_size--;
        got = compile("", &mixed, COMPILER);
        VD_EXPECT(got.reused == 0 && same(&got, &first));
        done(&got);
    }
    done(&first);
    done(&other);
}

VD_TEST(cache_with_any_bit_changed_is_not_used)
{
    struct vd_sepolicy_result first = compile("", NULL, COMPILER);

    for (size_t bit = 0; bit < first.cache_size * 8; bit++) {
        struct vd_sepolicy_result got;

        first.cache[bit / 8] ^= (uint8_t)(1 << bit % 8);
        got = compile("allow b_t c_t:file write;", &first, COMPILER);
        VD_EXPECT_EQ(got.reused, 0);
        done(&got);
        first.cache[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    done(&first);
}

/* Rules and require statements of a text that says the same are not read again. */
VD_TEST(cache_spares_reading_what_has_not_changed)
{
    static const struct {
        const char *before, *after;
        uint32_t replayed; /* of the six rules of `base` and those of the other text */
    } cases[] = {
        {"", "", 6},
        {"allow b_t c_t:file write;", "allow b_t c_t:file read;", 6},
        {"allow b_t c_t:file write;", "allow b_t c_t:file write;", 7},
        {"optional { require { type a_t; } allow a_t b_t:file read; }",
         "optional { require { type a_t; } allow a_t b_t:file read; }", 8},
        {"neverallow a_t b_t:file write; bool c true;",
         "neverallow a_t b_t:file write; bool c true;", 7},
    };

    for (size_t i = 0; i < VD_COUNT(cases); i++) {
        struct vd_sepolicy_result first = compile(cases[i].before, NULL, COMPILER);
        struct vd_sepolicy_result whole = compile(cases[i].after, NULL, COMPILER);
        struct vd_sepolicy_result part = compile(cases[i].after, &first, COMPILER);

        VD_EXPECT_EQ(whole.replayed, 0);
        VD_EXPECT_EQ(part.replayed, cases[i].replayed);
        VD_EXPECT(same(&whole, &part));
        done(&first);
        done(&whole);
        done(&part);
    }
}

/*
 * A cache that its owner spoiled, checksum and all: whatever its rows say, nothing outside of
 * it is read and what is compiled is a policy.
 */
VD_TEST(cache_with_wrong_rows_does_no_harm)
{
    static const uint8_t changes[] = {0x01, 0x40, 0x80, 0xff};
    static const char more[] =
        "#line 7 \"m\"\noptional { require { type a_t; class file { read }; }"
        " allow a_t b_t:file read; }";
    struct vd_sepolicy_result first = compile(more, NULL, COMPILER);
    struct vd_sepolicy_source sources[] = {{.name = "base", .text = base, .size = strlen(base)},
                                           {.name = "more", .text = more, .size = strlen(more)}};
    struct vd_sepolicy_options options = {.keep_cache = true,
                                          .rulebook = true,
                                          .former = {.compiler = COMPILER,
                                                     .cache = first.cache,
                                                     .cache_size = first.cache_size,
                                                     .policy = first.blob,
                                                     .policy_size = first.size}};

    for (size_t i = 64; i < first.cache_size * VD_COUNT(changes); i++) {
        uint8_t *byte = &first.cache[i / VD_COUNT(changes)];
        struct vd_sepolicy_result got = {};
        uint64_t checksum = 0;
        struct vd_policydb db;

        *byte ^= changes[i % VD_COUNT(changes)];
        memcpy(first.cache + CHECKSUM_AT, &checksum, sizeof(checksum));
        checksum = vd_crc64(0, first.cache, first.cache_size);
        memcpy(first.cache + CHECKSUM_AT, &checksum, sizeof(checksum));
        if (vd_sepolicy_compile(sources, VD_COUNT(sources), &options, &got) == VD_OK)
            VD_EXPECT_EQ(
                vd_policydb_open(&db, got.blob, vd_policydb_extent(got.blob, got.size), NULL),
                VD_OK);
        done(&got);
        *byte ^= changes[i % VD_COUNT(changes)];
    }
    done(&first);
}
