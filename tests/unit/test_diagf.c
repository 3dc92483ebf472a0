/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "lib/diagf.h"
#include "tests/harness.h"

#include <errno.h>

VD_TEST(diagf_takes_the_first_failure)
{
    struct vd_diag diag = {};

    VD_EXPECT_EQ(vd_diagf_at(&diag, VD_E_RANGE, 7, "%d", 1), VD_E_RANGE);
    VD_EXPECT_EQ(vd_diagf(&diag, VD_E_IO, "%d", 2), VD_E_IO);
    VD_EXPECT_EQ(vd_diagf_at(&diag, VD_E_IO, 8, "%d", 3), VD_E_IO);
    VD_EXPECT_EQ(vd_diagf_line(&diag, VD_E_IO, 9, 9, "%d", 4), VD_E_IO);
    VD_EXPECT_EQ(vd_diagf_errno(&diag, VD_E_IO, ENOENT, "%d", 5), VD_E_IO);
    VD_EXPECT_STR(diag.text, "1");
    VD_EXPECT_EQ(diag.offset, 7);
    VD_EXPECT_EQ(diag.line, 0);
    VD_EXPECT_EQ(diag.status, VD_E_RANGE);
}

VD_TEST(diagf_may_be_absent)
{
    VD_EXPECT_EQ(vd_diagf(NULL, VD_E_IO, "x"), VD_E_IO);
    VD_EXPECT_EQ(vd_diagf_at(NULL, VD_E_IO, 1, "x"), VD_E_IO);
    VD_EXPECT_EQ(vd_diagf_line(NULL, VD_E_IO, 1, 1, "x"), VD_E_IO);
    VD_EXPECT_EQ(vd_diagf_errno(NULL, VD_E_IO, ENOENT, "x"), VD_E_IO);
    vd_diagf_hint(NULL, "x");
}

VD_TEST(diagf_errno_names_the_error)
{
    struct vd_diag diag = {};

    VD_EXPECT_EQ(vd_diagf_errno(&diag, VD_E_IO, ENOENT, "cannot open %s", "x"), VD_E_IO);
    VD_EXPECT_STR(diag.text, "cannot open x: No such file or directory");
}

VD_TEST(diagf_cuts_long_texts)
{
    struct vd_diag diag = {};
    char longer[2 * VD_DIAG_TEXT_SIZE];

    memset(longer, 'x', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    VD_EXPECT_EQ(vd_diagf_errno(&diag, VD_E_IO, ENOENT, "%s", longer), VD_E_IO);
    vd_diagf_hint(&diag, "%s", longer);
    VD_EXPECT_EQ(strlen(diag.text), VD_DIAG_TEXT_SIZE - 1);
    VD_EXPECT_EQ(strlen(diag.hint), VD_DIAG_HINT_SIZE - 1);
}
