/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The input is read as an audit log. What is accepted lies within its limits and
 * has every part; what is damaged has a place; each line is counted once.
 */
#include "fuzz/fuzz.h"
#include "tools/analysis/record.h"

#include <string.h>

static vd_status receive(void *arg, const struct vd_record *r, uint64_t line)
{
    uint64_t *last = arg;

    VD_FUZZ_ASSERT(line > *last);
    *last = line;
    VD_FUZZ_ASSERT(r->source.size != 0 && r->target.size != 0 && r->class.size != 0);
    VD_FUZZ_ASSERT(memchr(r->source.data, '\n', r->source.size) == NULL || r->json != NULL);
    VD_FUZZ_ASSERT(r->perm_count >= 1 && r->perm_count <= VD_RECORD_MAX_PERMS);
    for (uint32_t i = 0; i < r->perm_count; i++)
        VD_FUZZ_ASSERT(r->perms[i].size != 0);
    VD_FUZZ_ASSERT(r->command <= UINT16_MAX);
    return VD_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vd_record_counts counts;
    uint64_t last = 0;

    VD_FUZZ_ASSERT(vd_record_log((const char *)data, size, receive, &last, &counts) == VD_OK);
    VD_FUZZ_ASSERT(counts.records + counts.damaged <= counts.lines);
    VD_FUZZ_ASSERT((counts.damaged != 0) == (counts.first.status != VD_OK));
    VD_FUZZ_ASSERT(counts.damaged == 0 || (counts.first.line >= 1 && counts.first.column >= 1));
    return 0;
}
