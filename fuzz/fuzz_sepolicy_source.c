/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The input is a policy source, cut in two files at its first NUL byte. It
 * compiles or is refused with an error; what compiles passes the blob's own
 * check, compiles to the same bytes again, and as SELinux's binary policy to a
 * file that begins as one or to errors.
 */
#include "fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "core/policydb/policydb.h"
#include "tools/sepolicy/sepolicy.h"

#define MEMORY ((size_t)64 << 20)

static void take(void *arg, const struct vd_sepolicy_message *message)
{
    uint32_t *errors = arg;
    char text[1024];

    *errors += message->level == VD_SEPOLICY_ERROR;
    VD_FUZZ_ASSERT(vd_sepolicy_format(message, text, sizeof(text)) < sizeof(text));
    for (const char *p = text; *p != '\0'; p++)
        VD_FUZZ_ASSERT(*p == '\n' || *p == '\t' || (*p >= 0x20 && *p < 0x7f));
    VD_FUZZ_ASSERT(message->file == NULL || message->column > 0);
}

static vd_status compile(const struct vd_sepolicy_source *sources, enum vd_sepolicy_form form,
                         uint32_t *ret_errors, struct vd_sepolicy_result *ret)
{
    struct vd_sepolicy_options options = {.form = form,
                                          .selinux_version = VD_SEPOLICY_SELINUX_MAX,
                                          .memory = MEMORY,
                                          .message = take,
                                          .message_arg = ret_errors};

    *ret_errors = 0;
    return vd_sepolicy_compile(sources, 2, &options, ret);
}

static void compile_selinux(const struct vd_sepolicy_source *sources)
{
    static const uint8_t head[] = {0x8c,
                                   0xff,
                                   0x7c,
                                   0xf9,
                                   8,
                                   0,
                                   0,
                                   0,
                                   'S',
                                   'E',
                                   ' ',
                                   'L',
                                   'i',
                                   'n',
                                   'u',
                                   'x',
                                   VD_SEPOLICY_SELINUX_MAX};
    struct vd_sepolicy_result result = {};
    uint32_t errors;
    vd_status status = compile(sources, VD_SEPOLICY_SELINUX, &errors, &result);

    VD_FUZZ_ASSERT(status == VD_OK || status == VD_E_INVALID || status == VD_E_LIMIT);
    VD_FUZZ_ASSERT(status == VD_E_LIMIT || (status == VD_E_INVALID) == (errors > 0));
    if (status == VD_OK)
        VD_FUZZ_ASSERT(result.size > sizeof(head) && memcmp(result.blob, head, sizeof(head)) == 0);
    free(result.blob);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    const char *cut = size == 0 ? NULL : memchr(text, '\0', size);
    size_t first = cut == NULL ? size : (size_t)(cut - text);
    struct vd_sepolicy_source sources[2] = {{.name = "one.te", .text = text, .size = first},
                                            {.name = "two.te", .text = text + first, .size = 0}};
    struct vd_sepolicy_result result = {}, again = {};
    struct vd_policydb db;
    uint32_t errors;
    vd_status status;

    if (cut != NULL) {
        sources[1].text = cut + 1;
        sources[1].size = size - first - 1;
    }
    status = compile(sources, VD_SEPOLICY_VERIDIAN, &errors, &result);
    VD_FUZZ_ASSERT(status == VD_OK || status == VD_E_INVALID || status == VD_E_LIMIT);
    VD_FUZZ_ASSERT(status == VD_E_LIMIT || (status == VD_E_INVALID) == (errors > 0));
    if (status != VD_OK)
        return 0;
    VD_FUZZ_ASSERT(vd_policydb_open(&db, result.blob, result.size, NULL) == VD_OK);
    VD_FUZZ_ASSERT(compile(sources, VD_SEPOLICY_VERIDIAN, &errors, &again) == VD_OK &&
                   again.size == result.size);
    VD_FUZZ_ASSERT(memcmp(again.blob, result.blob, result.size) == 0);
    free(result.blob);
    free(again.blob);
    compile_selinux(sources);
    return 0;
}
