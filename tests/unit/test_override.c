/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The bootloader's answer to the firmware's image check, with a firmware that
 * refuses everything: it holds for one buffer, and only between begin and end.
 */
#include "bootloader/override.h"
#include "tests/harness.h"

static const struct efi_guid security2_guid = EFI_SECURITY2_GUID;
static const struct efi_guid security_guid = EFI_SECURITY_GUID;

static unsigned asked; /* how often the firmware's own check was asked */

static efi_status EFIAPI refuse2(const struct efi_security2 *self,
                                 const struct efi_device_path *path, void *buffer, size_t size,
                                 efi_boolean boot_policy)
{
    asked++;
    return EFI_SECURITY_VIOLATION;
}

static efi_status EFIAPI refuse(const struct efi_security *self, uint32_t status,
                                const struct efi_device_path *path)
{
    asked++;
    return EFI_SECURITY_VIOLATION;
}

static struct efi_security2 security2;
static struct efi_security security;
static bool has_security2;
static bool has_security;

static efi_status EFIAPI locate(const struct efi_guid *protocol, void *registration, void **ret)
{
    if (has_security2 && efi_guid_equal(protocol, &security2_guid)) {
        *ret = &security2;
        return EFI_SUCCESS;
    }
    if (has_security && efi_guid_equal(protocol, &security_guid)) {
        *ret = &security;
        return EFI_SUCCESS;
    }
    return EFI_NOT_FOUND;
}

static struct efi_boot_services services = {.locate_protocol = locate};
static const struct vd_efi efi = {.boot = &services};
static uint8_t kernel[64];
static uint8_t copy[64];
static const struct efi_device_path path;
static const struct efi_device_path other_path;
static const struct vd_span span = {.data = kernel, .size = sizeof(kernel)};

static void firmware(bool with_security2, bool with_security)
{
    has_security2 = with_security2;
    has_security = with_security;
    security2.authenticate = refuse2;
    security.authenticate_state = refuse;
    asked = 0;
}

static bool passes(const struct efi_device_path *p, void *buffer, size_t size, bool boot_policy)
{
    return security2.authenticate(&security2, p, buffer, size, boot_policy) == EFI_SUCCESS;
}

VD_TEST(override_accepts_exactly_the_buffer)
{
    firmware(true, true);
    VD_EXPECT_EQ(vd_override_begin(&efi, &path, &span, NULL), VD_OK);
    VD_EXPECT(passes(&path, kernel, sizeof(kernel), false));
    VD_EXPECT_EQ(asked, 0);
    VD_EXPECT(!passes(&other_path, kernel, sizeof(kernel), false));
    VD_EXPECT(!passes(&path, copy, sizeof(kernel), false));
    VD_EXPECT(!passes(&path, kernel + 1, sizeof(kernel) - 1, false));
    VD_EXPECT(!passes(&path, kernel, sizeof(kernel) - 1, false));
    VD_EXPECT(!passes(&path, kernel, sizeof(kernel), true));
    VD_EXPECT(!passes(NULL, NULL, 0, false));
    VD_EXPECT_EQ(asked, 6);
    /* the older protocol is not asked where there is the newer */
    VD_EXPECT(security.authenticate_state == refuse);
    vd_override_end();
}

VD_TEST(override_ends)
{
    firmware(true, true);
    VD_EXPECT_EQ(vd_override_begin(&efi, &path, &span, NULL), VD_OK);
    vd_override_end();
    VD_EXPECT(security2.authenticate == refuse2);
    VD_EXPECT(!passes(&path, kernel, sizeof(kernel), false));
}

VD_TEST(override_uses_the_older_protocol)
{
    firmware(false, true);
    VD_EXPECT_EQ(vd_override_begin(&efi, &path, &span, NULL), VD_OK);
    VD_EXPECT_EQ(security.authenticate_state(&security, 0, &path), EFI_SUCCESS);
    VD_EXPECT_EQ(security.authenticate_state(&security, 0, &other_path), EFI_SECURITY_VIOLATION);
    VD_EXPECT_EQ(security.authenticate_state(&security, 0, NULL), EFI_SECURITY_VIOLATION);
    vd_override_end();
    VD_EXPECT(security.authenticate_state == refuse);
}

VD_TEST(override_does_not_begin_twice)
{
    firmware(true, false);
    VD_EXPECT_EQ(vd_override_begin(&efi, &path, &span, NULL), VD_OK);
    VD_EXPECT_EQ(vd_override_begin(&efi, &other_path, &span, NULL), VD_E_BUSY);
    VD_EXPECT(!passes(&other_path, kernel, sizeof(kernel), false));
    vd_override_end();
    VD_EXPECT(security2.authenticate == refuse2);
}

VD_TEST(override_without_a_check_to_answer)
{
    firmware(false, false);
    VD_EXPECT_EQ(vd_override_begin(&efi, &path, &span, NULL), VD_OK);
    vd_override_end();
    VD_EXPECT_EQ(vd_override_begin(&efi, &path, &span, NULL), VD_OK);
    vd_override_end();
}
