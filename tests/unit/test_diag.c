/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/base/diag.h"
#include "tests/harness.h"

VD_TEST(diag_takes_the_first_failure)
{
    struct vd_diag diag = {};

    VD_EXPECT_EQ(vd_diag_fail_at(&diag, VD_E_RANGE, 12, "first"), VD_E_RANGE);
    VD_EXPECT_EQ(vd_diag_fail_at(&diag, VD_E_LIMIT, 99, "second"), VD_E_LIMIT);
    VD_EXPECT_EQ(vd_diag_fail(&diag, VD_E_IO, "third"), VD_E_IO);
    VD_EXPECT_EQ(diag.status, VD_E_RANGE);
    VD_EXPECT_EQ(diag.offset, 12);
    VD_EXPECT(diag.has_offset);
    VD_EXPECT_STR(diag.text, "first");
}

VD_TEST(diag_without_offset)
{
    struct vd_diag diag = {};

    VD_EXPECT_EQ(vd_diag_fail(&diag, VD_E_IO, "text"), VD_E_IO);
    VD_EXPECT(!diag.has_offset);
    VD_EXPECT_EQ(diag.line, 0);
}

VD_TEST(diag_hint_and_file_take_the_first)
{
    struct vd_diag diag = {};

    vd_diag_hint(&diag, "one");
    vd_diag_hint(&diag, "two");
    vd_diag_file(&diag, "a.te");
    vd_diag_file(&diag, "b.te");
    VD_EXPECT_STR(diag.hint, "one");
    VD_EXPECT_STR(diag.file, "a.te");
    VD_EXPECT_EQ(diag.status, VD_OK);
}

VD_TEST(diag_may_be_absent)
{
    struct vd_text text;

    VD_EXPECT_EQ(vd_diag_fail(NULL, VD_E_IO, "text"), VD_E_IO);
    VD_EXPECT_EQ(vd_diag_fail_at(NULL, VD_E_MAGIC, 3, "text"), VD_E_MAGIC);
    vd_diag_hint(NULL, "hint");
    vd_diag_file(NULL, "file");
    vd_diag_begin(NULL, VD_E_LIMIT, &text);
    vd_text_str(&text, "goes nowhere");
    vd_text_u64(&text, 7);
    VD_EXPECT(text.cut);
    VD_EXPECT_EQ(text.len, 0);
}

VD_TEST(diag_begin_builds_in_place)
{
    struct vd_diag diag = {};
    struct vd_text text;

    vd_diag_begin(&diag, VD_E_LIMIT, &text);
    vd_text_str(&text, "more than ");
    vd_text_u64(&text, 42);
    VD_EXPECT_STR(diag.text, "more than 42");
    VD_EXPECT_EQ(diag.status, VD_E_LIMIT);

    vd_diag_begin(&diag, VD_E_IO, &text);
    vd_text_str(&text, "later");
    VD_EXPECT_STR(diag.text, "more than 42");
    VD_EXPECT_EQ(diag.status, VD_E_LIMIT);
}

VD_TEST(diag_cuts_long_texts)
{
    struct vd_diag diag = {};
    char longer[VD_DIAG_TEXT_SIZE + VD_DIAG_FILE_SIZE];

    memset(longer, 'x', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    VD_EXPECT_EQ(vd_diag_fail(&diag, VD_E_IO, longer), VD_E_IO);
    vd_diag_hint(&diag, longer);
    vd_diag_file(&diag, longer);
    VD_EXPECT_EQ(strlen(diag.text), VD_DIAG_TEXT_SIZE - 1);
    VD_EXPECT_EQ(strlen(diag.hint), VD_DIAG_HINT_SIZE - 1);
    VD_EXPECT_EQ(strlen(diag.file), VD_DIAG_FILE_SIZE - 1);
}
