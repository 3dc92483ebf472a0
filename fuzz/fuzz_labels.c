/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The input is read as file contexts and as file system contexts. What was
 * accepted keeps its bounds, and what was refused names a line.
 */
#include "fuzz/fuzz.h"
#include "kernel/loader/labels.h"

#include <string.h>
#include <sys/stat.h>

#define INPUT_MAX 4096u /* a long expression costs the C library time and memory, not us */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct vd_label_rules *rules = NULL;
    struct vd_fs_labels labels;
    struct vd_diag diag = {};

    if (size > INPUT_MAX)
        return 0;
    if (vd_label_rules_parse(text, size, "fuzz", &rules, &diag) == VD_OK) {
        uint32_t line = 0;
        for (size_t i = 0; i < vd_label_rules_count(rules); i++) {
            const char *context = vd_label_rules_context(rules, i, &line);
            VD_FUZZ_ASSERT(context == NULL || strlen(context) < VD_LABEL_TEXT_SIZE);
        }
        (void)vd_label_rules_match(rules, "/etc/passwd", S_IFREG);
        vd_label_rules_free(rules);
    } else {
        VD_FUZZ_ASSERT(rules == NULL && diag.line != 0);
    }
    if (vd_fs_labels_parse(text, size, "fuzz", &labels, NULL) == VD_OK)
        VD_FUZZ_ASSERT(labels.count <= VD_FS_LABELS_MAX);
    else
        VD_FUZZ_ASSERT(labels.count == 0);
    return 0;
}
