/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Test vectors: any JSON gives counts or an error with its place, and leaks nothing. */
#include "fuzz/fuzz.h"
#include "tools/veridian/key/vector.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct vd_alg *alg;
    struct vd_vectors run = {};
    struct vd_diag diag = {};
    json_error_t error;
    json_t *root;
    vd_status status;

    if (alg == NULL)
        VD_FUZZ_ASSERT(vd_alg_new(&alg, NULL) == VD_OK);
    root = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL)
        return 0;
    run.alg = alg;
    status = vd_vectors_run(&run, root, vd_vectors_is_answers(root) ? NULL : root, &diag);
    VD_FUZZ_ASSERT(status == VD_OK || diag.text[0] != '\0');
    run = (struct vd_vectors){.alg = alg};
    diag = (struct vd_diag){};
    status = vd_vectors_run(&run, root, NULL, &diag);
    VD_FUZZ_ASSERT(status == VD_OK || diag.text[0] != '\0');
    json_decref(root);
    return 0;
}
