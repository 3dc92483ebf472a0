/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The test harness: test cases register themselves, the program prints TAP.
 *
 *     VD_TEST(reader_cuts) { VD_EXPECT(...); VD_EXPECT_EQ(a, b); }
 *
 * A test file holds only cases; harness.c brings main(). A failed expectation
 * ends its case. `PROGRAM [NAME…]` runs the named cases only. It needs nothing
 * but libc, so that the same program runs inside the VM.
 */
#ifndef VD_TESTS_HARNESS_H
#define VD_TESTS_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct vd_test_case {
    const char *name;
    void (*run)(void);
    struct vd_test_case *next;
};

void vd_test_register(struct vd_test_case *test);

/* Ends the running case as failed, with a printf-style reason. */
_Noreturn void vd_test_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Ends the running case as skipped; the reason is printed and counted. */
_Noreturn void vd_test_skip(const char *reason);

/* The directory of shared test data ($VD_SHARED_DATA), or NULL where there is none. */
const char *vd_test_shared_data(void);

/* The source tree's root, to find the files that tests read. */
const char *vd_test_source_root(void);

/* A fresh directory for the running case, removed when the program ends. */
const char *vd_test_tmpdir(void);

/* A repeatable pseudo-random stream (SplitMix64). */
uint64_t vd_test_random(uint64_t *state);

#define VD_TEST(name_)                                                               \
    static void test_##name_(void);                                                  \
    static struct vd_test_case case_##name_ = {.name = #name_, .run = test_##name_}; \
    __attribute__((constructor)) static void register_##name_(void)                  \
    {                                                                                \
        vd_test_register(&case_##name_);                                             \
    }                                                                                \
    static void test_##name_(void)

#define VD_EXPECT(condition)                                              \
    do {                                                                  \
        if (!(condition))                                                 \
            vd_test_fail(__FILE__, __LINE__, "expected: %s", #condition); \
    } while (0)

#define VD_EXPECT_EQ(actual, expected)                                                      \
    do {                                                                                    \
        unsigned long long vd_a_ = (unsigned long long)(actual);                            \
        unsigned long long vd_e_ = (unsigned long long)(expected);                          \
        if (vd_a_ != vd_e_)                                                                 \
            vd_test_fail(__FILE__, __LINE__, "%s is %llu (0x%llx), expected %llu (0x%llx)", \
                         #actual, vd_a_, vd_a_, vd_e_, vd_e_);                              \
    } while (0)

#define VD_EXPECT_STR(actual, expected)                                                       \
    do {                                                                                      \
        const char *vd_a_ = (actual);                                                         \
        const char *vd_e_ = (expected);                                                       \
        if (strcmp(vd_a_, vd_e_) != 0)                                                        \
            vd_test_fail(__FILE__, __LINE__, "%s is \"%s\", expected \"%s\"", #actual, vd_a_, \
                         vd_e_);                                                              \
    } while (0)

#define VD_EXPECT_MEM(actual, expected, size)                                           \
    do {                                                                                \
        if (memcmp((actual), (expected), (size)) != 0)                                  \
            vd_test_fail(__FILE__, __LINE__, "%s differs from %s", #actual, #expected); \
    } while (0)

#endif
