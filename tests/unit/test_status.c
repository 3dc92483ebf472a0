/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/base/status.h"
#include "tests/harness.h"

VD_TEST(status_rows_are_whole_and_distinct)
{
    for (unsigned a = 0; a < VD_STATUS_COUNT; a++) {
        VD_EXPECT(vd_status_text((vd_status)a)[0] != '\0');
        VD_EXPECT_EQ(vd_status_class((vd_status)a) == VD_CLASS_OK, a == VD_OK);
        for (unsigned b = a + 1; b < VD_STATUS_COUNT; b++)
            VD_EXPECT(strcmp(vd_status_name((vd_status)a), vd_status_name((vd_status)b)) != 0);
    }
}

VD_TEST(status_of_each_class)
{
    VD_EXPECT_EQ(vd_status_class(VD_E_TRUNCATED), VD_CLASS_INPUT);
    VD_EXPECT_EQ(vd_status_class(VD_E_SIGNATURE), VD_CLASS_POLICY);
    VD_EXPECT_EQ(vd_status_class(VD_E_MISSING), VD_CLASS_MISSING);
    VD_EXPECT_EQ(vd_status_class(VD_E_IO), VD_CLASS_SYSTEM);
    VD_EXPECT_EQ(vd_status_class(VD_E_BUG), VD_CLASS_BUG);
    VD_EXPECT_STR(vd_status_name(VD_OK), "OK");
    VD_EXPECT_STR(vd_status_name(VD_E_TRUNCATED), "E_TRUNCATED");
}

/* A value outside the table is a fault of the program, never success. */
VD_TEST(status_outside_the_table)
{
    static const unsigned values[] = {VD_STATUS_COUNT, VD_STATUS_COUNT + 1, 0x7fffffff, ~0u};

    for (size_t i = 0; i < VD_COUNT(values); i++) {
        VD_EXPECT_STR(vd_status_name((vd_status)values[i]), "?");
        VD_EXPECT_STR(vd_status_text((vd_status)values[i]), "unknown status");
        VD_EXPECT_EQ(vd_status_class((vd_status)values[i]), VD_CLASS_BUG);
    }
}

static vd_status leaves_early(vd_status status, bool *ret_went_on)
{
    VD_TRY(status);
    *ret_went_on = true;
    return VD_OK;
}

VD_TEST(try_leaves_with_the_status)
{
    bool went_on = false;

    VD_EXPECT_EQ(leaves_early(VD_E_LIMIT, &went_on), VD_E_LIMIT);
    VD_EXPECT(!went_on);
    VD_EXPECT_EQ(leaves_early(VD_OK, &went_on), VD_OK);
    VD_EXPECT(went_on);
}
