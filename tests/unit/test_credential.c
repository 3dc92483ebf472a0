/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The addresses that systemd connects from, and the names in them. */
#include "lib/keyclient/credential.h"

#include <string.h>

#include "tests/harness.h"

#define ADDRESS(text) text, sizeof(text) - 1

VD_TEST(credential_addresses_of_the_service_manager)
{
    struct vd_credential_name name = {};

    VD_EXPECT_EQ(
        vd_credential_address(ADDRESS("\0adf9d86b6eda275e/unit/foobar.service/credx"), &name, NULL),
        VD_OK);
    VD_EXPECT(strcmp(name.unit, "foobar.service") == 0 && strcmp(name.id, "credx") == 0);
    VD_EXPECT_EQ(vd_credential_address(ADDRESS("\0"
                                               "1/unit/a@b\\x2dc.service/d.e"),
                                       &name, NULL),
                 VD_OK);
    VD_EXPECT(strcmp(name.unit, "a@b\\x2dc.service") == 0 && strcmp(name.id, "d.e") == 0);
}

VD_TEST(credential_addresses_of_others)
{
    static const struct {
        const char *text;
        size_t size;
    } wrong[] = {
        {ADDRESS("")},
        {ADDRESS("\0")},
        {ADDRESS("/run/a/unit/b/c")},
        {ADDRESS("a/unit/b/c")},
        {ADDRESS("\0/unit/b/c")},
        {ADDRESS("\0A/unit/b/c")},
        {ADDRESS("\0a/user/b/c")},
        {ADDRESS("\0a/unit/b")},
        {ADDRESS("\0a/unit/b/")},
        {ADDRESS("\0a/unit//c")},
        {ADDRESS("\0a/unit/b/c/d")},
        {ADDRESS("\0a/unit/b/c\0")},
        {ADDRESS("\0a/unit/b\0/c")},
        {ADDRESS("\0a/unit/../c")},
        {ADDRESS("\0a/unit/b/.c")},
        {ADDRESS("\0a/unit/b c/c")},
        {ADDRESS("\0a/unit/b/c\n")},
    };
    static const char whole[] = "\0adf9/unit/x.service/y";
    struct vd_credential_name name = {.unit = "kept"};

    for (size_t i = 0; i < VD_COUNT(wrong); i++)
        if (vd_credential_address(wrong[i].text, wrong[i].size, &name, NULL) == VD_OK)
            vd_test_fail(__FILE__, __LINE__, "address taken");
    /* Cut anywhere before the credential's first letter it is none. */
    for (size_t size = 0; size < sizeof(whole) - 2; size++)
        VD_EXPECT(vd_credential_address(whole, size, &name, NULL) != VD_OK);
    VD_EXPECT(strcmp(name.unit, "kept") == 0);
}

VD_TEST(credential_attachments_differ)
{
    struct vd_credential_name one, two;
    char a[VD_KEY_ATTACHMENT_NAME + 1], b[VD_KEY_ATTACHMENT_NAME + 1];

    /* The border between the names counts. */
    VD_EXPECT_EQ(vd_credential_name("ab", "c", &one, NULL), VD_OK);
    VD_EXPECT_EQ(vd_credential_name("a", "bc", &two, NULL), VD_OK);
    VD_EXPECT_EQ(vd_credential_attachment(&one, a, NULL), VD_OK);
    VD_EXPECT_EQ(vd_credential_attachment(&two, b, NULL), VD_OK);
    VD_EXPECT(strcmp(a, b) != 0);
    VD_EXPECT(vd_key_name_valid(a, VD_KEY_ATTACHMENT_NAME, true));
}
