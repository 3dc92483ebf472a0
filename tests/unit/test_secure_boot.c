/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reading the Secure Boot state from a firmware whose variables the test sets. */
#include "bootloader/secure_boot.h"
#include "tests/harness.h"

#define VOLATILE 0x06u /* boot services and run time: as the specification has them */
#define STORED   0x07u /* and non-volatile: written by whoever can write variables */

struct variable {
    const efi_char16 *name;
    bool present;
    uint32_t attributes;
    efi_status status; /* of a read */
    uint8_t data[64];
    size_t size;
};

enum { SECURE_BOOT, SETUP_MODE, DBX, COUNT };
static struct variable variables[COUNT];

static bool same_name(const efi_char16 *a, const efi_char16 *b)
{
    while (*a != 0 && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

static efi_status EFIAPI get_variable(const efi_char16 *name, const struct efi_guid *vendor,
                                      uint32_t *ret_attributes, size_t *size, void *data)
{
    for (int i = 0; i < COUNT; i++) {
        const struct variable *v = &variables[i];

        if (!v->present || !same_name(name, v->name))
            continue;
        if (EFI_IS_ERROR(v->status))
            return v->status;
        if (ret_attributes != NULL)
            *ret_attributes = v->attributes;
        size_t room = *size;
        *size = v->size;
        if (room < v->size)
            return EFI_BUFFER_TOO_SMALL;
        memcpy(data, v->data, v->size);
        return EFI_SUCCESS;
    }
    return EFI_NOT_FOUND;
}

static struct efi_runtime_services runtime = {.get_variable = get_variable};
static const struct vd_efi efi = {.runtime = &runtime};

/* Secure Boot on, not in setup mode, no dbx. */
static void firmware(void)
{
    variables[SECURE_BOOT] = (struct variable){u"SecureBoot", true, VOLATILE, 0, {1}, 1};
    variables[SETUP_MODE] = (struct variable){u"SetupMode", true, VOLATILE, 0, {0}, 1};
    variables[DBX] = (struct variable){u"dbx", false, 0x27, 0, {0}, 0};
}

static bool enabled(void)
{
    struct vd_secure_boot state = {};

    VD_EXPECT_EQ(vd_secure_boot_read(&efi, &state, NULL), VD_OK);
    return state.enabled;
}

VD_TEST(secure_boot_is_what_the_firmware_says)
{
    firmware();
    VD_EXPECT(enabled());
    variables[SECURE_BOOT].data[0] = 0;
    VD_EXPECT(!enabled());
    variables[SECURE_BOOT].data[0] = 2;
    VD_EXPECT(!enabled());
    firmware();
    variables[SETUP_MODE].data[0] = 1;
    VD_EXPECT(!enabled());
    firmware();
    variables[SECURE_BOOT].present = false;
    VD_EXPECT(!enabled());
    firmware();
    variables[SETUP_MODE].present = false;
    VD_EXPECT(!enabled());
}

/* A firmware that knows no Secure Boot lets anyone store a variable of that name. */
VD_TEST(secure_boot_stored_by_somebody_else_does_not_count)
{
    firmware();
    variables[SECURE_BOOT].attributes = STORED;
    VD_EXPECT(!enabled());
    firmware();
    variables[SETUP_MODE].attributes = STORED;
    VD_EXPECT(!enabled());
}

VD_TEST(secure_boot_state_that_cannot_be_read_is_a_failure)
{
    for (int i = 0; i < COUNT; i++) {
        struct vd_secure_boot state;

        firmware();
        variables[i].present = true;
        variables[i].status = EFI_DEVICE_ERROR;
        VD_EXPECT_EQ(vd_secure_boot_read(&efi, &state, NULL), VD_E_IO);
    }
    for (int i = SECURE_BOOT; i <= SETUP_MODE; i++) {
        struct vd_secure_boot state;

        firmware();
        variables[i].size = 2;
        VD_EXPECT_EQ(vd_secure_boot_read(&efi, &state, NULL), VD_E_LIMIT);
    }
}

VD_TEST(secure_boot_malformed_dbx_is_a_failure)
{
    struct vd_secure_boot state;

    firmware();
    variables[DBX].present = true;
    variables[DBX].size = 27;
    VD_EXPECT(vd_secure_boot_read(&efi, &state, NULL) != VD_OK);
}
