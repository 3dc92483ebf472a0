/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A permission map for `policy flow`: what is read has weights within their range
 * and a mask for each; what is refused says where.
 */
#include "fuzz/fuzz.h"

#include "tools/analysis/perm_map.h"
#include "tools/sepolicy/sepolicy.h"

static const char text[] = "class file sid kernel class file { read write }\n"
                           "type a_t; role r; role r types a_t; user u roles r;\n"
                           "sid kernel u:r:a_t\n";

static struct vd_policydb db;

static void make_policy(void)
{
    struct vd_sepolicy_source source = {.name = "f.te", .text = text, .size = sizeof(text) - 1};
    struct vd_sepolicy_options how = {};
    struct vd_sepolicy_result result = {};

    VD_FUZZ_ASSERT(vd_sepolicy_compile(&source, 1, &how, &result) == VD_OK);
    VD_FUZZ_ASSERT(vd_policydb_open(&db, result.blob, result.size, NULL) == VD_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vd_perm_map map = {};
    struct vd_diag diag = {};

    if (db.base == NULL)
        make_policy();
    if (size > VD_PERM_MAP_MAX_FILE)
        return 0;
    if (vd_perm_map_parse(&db, (const char *)data, size, &map, &diag) != VD_OK) {
        VD_FUZZ_ASSERT(diag.text[0] != '\0' && map.of == NULL);
        return 0;
    }
    for (uint32_t bit = 0; bit < VD_PDB_MAX_PERMS; bit++) {
        const struct vd_perm_weight *w = &map.of[1][bit];

        VD_FUZZ_ASSERT(w->read <= VD_PERM_MAP_MAX && w->write <= VD_PERM_MAP_MAX);
        VD_FUZZ_ASSERT((vd_perm_map_mask(&map, 1, true, 1) >> bit & 1) == (w->write != 0));
    }
    vd_perm_map_done(&map);
    return 0;
}
