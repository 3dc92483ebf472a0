/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The algorithms for tests: one library for the program, hexadecimal text, short calls. */
#ifndef VD_TESTS_SUPPORT_ALG_H
#define VD_TESTS_SUPPORT_ALG_H

#include "lib/hash.h"
#include "services/crypto/alg/alg.h"
#include "tests/harness.h"

#define VD_HEX_MAX 8192u

/* Bytes of a hexadecimal text. */
struct vd_hex {
    uint8_t data[VD_HEX_MAX];
    size_t size;
};

static inline struct vd_alg *vd_test_alg(void)
{
    static struct vd_alg *alg;

    if (alg == NULL)
        VD_EXPECT_EQ(vd_alg_new(&alg, NULL), VD_OK);
    return alg;
}

static inline struct vd_hex vd_hex(const char *text)
{
    struct vd_hex hex = {.size = strlen(text) / 2};

    VD_EXPECT(hex.size <= VD_HEX_MAX);
    VD_EXPECT_EQ(vd_hex_decode(text, hex.data, hex.size, NULL), VD_OK);
    return hex;
}

#define VD_BYTES(hex_) ((struct vd_alg_bytes){(hex_).data, (hex_).size})
#define VD_TEXT(text_) ((struct vd_alg_bytes){(text_), strlen(text_)})

static inline struct vd_alg_key *vd_test_key(enum vd_alg_type type)
{
    struct vd_alg_key *key = NULL;

    VD_EXPECT_EQ(vd_alg_key_generate(vd_test_alg(), type, &key, NULL), VD_OK);
    return key;
}

static inline vd_status vd_test_import_bytes(enum vd_alg_type type, enum vd_alg_form form,
                                             const void *data, size_t size, struct vd_alg_key **ret)
{
    const struct vd_alg_import from = {type, form, {data, size}};

    return vd_alg_key_import(vd_test_alg(), &from, ret, NULL);
}

static inline struct vd_alg_key *vd_test_import(enum vd_alg_type type, enum vd_alg_form form,
                                                const char *text)
{
    struct vd_hex hex = vd_hex(text);
    struct vd_alg_key *key = NULL;

    VD_EXPECT_EQ(vd_test_import_bytes(type, form, hex.data, hex.size, &key), VD_OK);
    return key;
}

#endif
