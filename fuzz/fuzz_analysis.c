/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What opens as a policy can be analysed: compared with itself, its flows walked.
 * (Its table of symbols may name other types than the types themselves do, so that
 * it need not equal itself by name.) Size and checksum are repaired first, as in
 * fuzz_policydb_fixed.c.
 */
#include "fuzz/policydb_repair.h"

#include "tools/analysis/diff.h"
#include "tools/analysis/flow.h"

static void differ(void *arg, const struct vd_difference *difference)
{
    (void)arg;
    VD_FUZZ_ASSERT(difference->text[0] != '\0');
}

static bool walked(void *arg, const uint32_t *types, uint32_t length)
{
    const struct vd_graph *graph = arg;

    for (uint32_t i = 0; i < length; i++)
        VD_FUZZ_ASSERT(vd_bitmap_get(vd_graph_row(graph, types[i]), types[i + 1]));
    return true;
}

static void flow(const struct vd_policydb *db)
{
    struct vd_perm_map map = {};
    struct vd_flow_options options = {.map = &map, .min_weight = 1, .any_booleans = true};
    struct vd_graph graph = {};
    bool stopped;

    VD_FUZZ_ASSERT(vd_perm_map_standard(db, &map) == VD_OK);
    if (vd_flow_information(db, &options, &graph, NULL) == VD_OK) {
        struct vd_graph_search search = {.from = 1, .max_length = 3, .limit = 20};

        for (search.to = 2; search.to < graph.types && search.to < 8; search.to++)
            VD_FUZZ_ASSERT(vd_graph_paths(&graph, &search, walked, &graph, &stopped) == VD_OK);
    }
    vd_graph_done(&graph);
    vd_perm_map_done(&map);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vd_policydb db;
    uint8_t *copy;

    if (size < sizeof(struct vd_pdb_header) || size > 1u << 18)
        return 0;
    copy = repaired_policy(data, size);
    if (copy == NULL)
        return 0;
    if (vd_policydb_open(&db, copy, size, NULL) == VD_OK && vd_policydb_header(&db)->types < 512) {
        VD_FUZZ_ASSERT(vd_diff_run(&db, &db, (1u << VD_DIFF_COUNT) - 1, differ, NULL) == VD_OK);
        flow(&db);
    }
    free(copy);
    return 0;
}
