/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Key material from outside: the first byte chooses the type, the second the form. What is taken
 * goes out again in the same form as the same bytes, since each form has one encoding.
 */
#include <string.h>

#include "fuzz/fuzz.h"
#include "services/crypto/alg/alg.h"

static struct vd_alg *alg;

static void same(const struct vd_alg_import *from, const void *data, size_t size)
{
    VD_FUZZ_ASSERT(size == from->material.size && memcmp(data, from->material.data, size) == 0);
}

static void compare_public(const struct vd_alg_key *key, const struct vd_alg_import *from)
{
    uint8_t room[VD_ALG_PUBLIC_DER_MAX];
    struct vd_alg_buffer out = {.data = room, .room = sizeof(room)};

    VD_FUZZ_ASSERT(vd_alg_key_is_public(key));
    VD_FUZZ_ASSERT(vd_alg_key_public(key, from->form, &out, NULL) == VD_OK);
    same(from, room, out.size);
}

/* PKCS #8 may hold the public part or both forms of a lattice key: then it need not come back. */
static void compare_secret(const struct vd_alg_key *key, const struct vd_alg_import *from)
{
    struct vd_alg_key *again = NULL;
    struct vd_secret out = {}, store = {}, other = {};

    VD_FUZZ_ASSERT(vd_alg_key_export(key, from->form, &out, NULL) == VD_OK);
    if (from->form != VD_ALG_FORM_PKCS8)
        same(from, out.data, out.size);
    VD_FUZZ_ASSERT(vd_alg_key_secret(key, &store, NULL) == VD_OK);
    VD_FUZZ_ASSERT(vd_alg_key_load(alg, from->type, &store, &again, NULL) == VD_OK);
    VD_FUZZ_ASSERT(vd_alg_key_secret(again, &other, NULL) == VD_OK);
    VD_FUZZ_ASSERT(vd_secret_equal(&store, &other));
    vd_alg_key_free(again);
    vd_secret_done(&other);
    vd_secret_done(&store);
    vd_secret_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vd_alg_key *key = NULL;
    struct vd_diag diag = {};

    if (alg == NULL)
        VD_FUZZ_ASSERT(vd_alg_new(&alg, NULL) == VD_OK);
    if (size < 2 || size > VD_ALG_PKCS8_MAX + 3)
        return 0;
    const struct vd_alg_import from = {(enum vd_alg_type)(data[0] % (VD_ALG_TYPE_COUNT + 1)),
                                       (enum vd_alg_form)(data[1] % (VD_ALG_FORM_COUNT + 1)),
                                       {data + 2, size - 2}};
    if (vd_alg_key_import(alg, &from, &key, &diag) != VD_OK) {
        VD_FUZZ_ASSERT(key == NULL && diag.text[0] != '\0');
        return 0;
    }
    if (from.form == VD_ALG_FORM_SPKI || from.form == VD_ALG_FORM_RAW_PUBLIC)
        compare_public(key, &from);
    else
        compare_secret(key, &from);
    vd_alg_key_free(key);
    return 0;
}
