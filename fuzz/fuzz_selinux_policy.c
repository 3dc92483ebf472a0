/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The input is SELinux's binary policy. It is read or refused with one message, which has an
 * offset inside the input; what is read passes the checks of the blob and of the rulebook, and what is written of it
 * in SELinux's format again is read again, and then written as the same bytes.
 */
#include "fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "core/policydb/policydb.h"
#include "tools/rulebook/rulebook.h"
#include "tools/sepolicy/sepolicy.h"

#define MEMORY ((size_t)64 << 20)

struct seen {
    uint32_t errors;
    size_t size;
};

static void take(void *arg, const struct vd_sepolicy_message *message)
{
    struct seen *seen = arg;
    char text[1024];

    VD_FUZZ_ASSERT(message->level == VD_SEPOLICY_ERROR);
    seen->errors++;
    VD_FUZZ_ASSERT(vd_sepolicy_format(message, text, sizeof(text)) < sizeof(text));
    for (const char *p = text; *p != '\0'; p++)
        VD_FUZZ_ASSERT(*p == '\n' || (*p >= 0x20 && *p < 0x7f));
    VD_FUZZ_ASSERT(!message->has_offset || message->offset <= seen->size);
    VD_FUZZ_ASSERT(message->source == NULL && message->line == 0);
}

static vd_status read_as(const void *data, size_t size, enum vd_sepolicy_form form,
                         struct vd_sepolicy_result *ret)
{
    struct seen seen = {.size = size};
    struct vd_sepolicy_options options = {.form = form,
                                          .selinux_version = VD_SEPOLICY_SELINUX_MAX,
                                          .memory = MEMORY,
                                          .rulebook = true,
                                          .message = take,
                                          .message_arg = &seen};
    struct vd_sepolicy_source source = {.name = "policy", .text = data, .size = size};
    vd_status status = vd_sepolicy_read_selinux(&source, &options, ret);

    VD_FUZZ_ASSERT(status == VD_OK || status == VD_E_INVALID || status == VD_E_LIMIT);
    VD_FUZZ_ASSERT(status == VD_E_LIMIT || (status == VD_E_INVALID) == (seen.errors > 0));
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vd_sepolicy_result result = {}, written = {}, again = {};
    struct vd_policydb db;
    struct vd_rulebook book;

    if (read_as(data, size, VD_SEPOLICY_VERIDIAN, &result) != VD_OK)
        return 0;
    VD_FUZZ_ASSERT(vd_policydb_open(&db, result.blob, vd_policydb_extent(result.blob, result.size),
                                    NULL) == VD_OK);
    VD_FUZZ_ASSERT(vd_rulebook_open(&book, &db, result.blob, result.size, NULL) == VD_OK);
    if (read_as(data, size, VD_SEPOLICY_SELINUX, &written) == VD_OK &&
        read_as(written.blob, written.size, VD_SEPOLICY_SELINUX, &again) != VD_E_LIMIT) {
        VD_FUZZ_ASSERT(again.size == written.size);
        VD_FUZZ_ASSERT(memcmp(again.blob, written.blob, written.size) == 0);
    }
    free(result.blob);
    free(written.blob);
    free(again.blob);
    return 0;
}
