/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What holds for every type of key: names, store's form, forms for others, wrong calls. */
#include <pthread.h>

#include "services/crypto/alg/alg.h"
#include "tests/support/alg.h"

/* An RSA key takes seconds to make: one serves all cases. */
static struct vd_alg_key *rsa(void)
{
    static struct vd_alg_key *key;

    if (key == NULL)
        key = vd_test_key(VD_ALG_RSA_4096);
    return vd_alg_key_hold(key);
}

static struct vd_alg_key *key_of(enum vd_alg_type type)
{
    return type == VD_ALG_RSA_4096 ? rsa() : vd_test_key(type);
}

VD_TEST(alg_rows_fit_their_numbers_and_names)
{
    for (enum vd_alg_type type = 1; type < VD_ALG_TYPE_COUNT; type++) {
        const struct vd_alg_info *info = vd_alg_info(type);
        VD_EXPECT(info != NULL);
        VD_EXPECT_EQ(info->type, type);
        VD_EXPECT(vd_alg_find(info->name) == info);
        VD_EXPECT((info->mechanisms >> info->standard & 1) != 0);
        VD_EXPECT((info->usages & ~(uint32_t)VD_ALG_USAGE_ALL) == 0 && info->usages != 0);
    }
    VD_EXPECT(vd_alg_info(0) == NULL && vd_alg_info(VD_ALG_TYPE_COUNT) == NULL);
    VD_EXPECT(vd_alg_find("aes-128-gcm") == NULL);
    for (unsigned i = 0; i < VD_ALG_MECHANISM_COUNT; i++) {
        const char *name = vd_alg_mechanism_name((enum vd_alg_mechanism)i);
        if (strcmp(name, "?") != 0)
            VD_EXPECT_EQ(vd_alg_mechanism_find(name), i);
    }
    VD_EXPECT_STR(vd_alg_mechanism_name(VD_ALG_MECHANISM_COUNT), "?");
    VD_EXPECT_EQ(vd_alg_mechanism_find("?"), VD_ALG_MECHANISM_COUNT);
    for (uint32_t bit = 1; bit < VD_ALG_USAGE_ALL; bit <<= 1)
        VD_EXPECT_EQ(vd_alg_usage_find(vd_alg_usage_name(bit)), bit);
    VD_EXPECT_STR(vd_alg_usage_name(3), "?");
    VD_EXPECT_EQ(vd_alg_usage_find("read"), 0);
}

static struct vd_alg_buffer public_of(const struct vd_alg_key *key, enum vd_alg_form form,
                                      uint8_t *room)
{
    struct vd_alg_buffer out = {.data = room, .room = VD_ALG_PUBLIC_DER_MAX};

    VD_EXPECT_EQ(vd_alg_key_public(key, form, &out, NULL), VD_OK);
    return out;
}

static void expect_same(const struct vd_alg_key *a, const struct vd_alg_key *b)
{
    struct vd_secret one = {}, other = {};

    VD_EXPECT_EQ(vd_alg_key_secret(a, &one, NULL), VD_OK);
    VD_EXPECT_EQ(vd_alg_key_secret(b, &other, NULL), VD_OK);
    VD_EXPECT(vd_secret_equal(&one, &other));
    vd_secret_done(&one);
    vd_secret_done(&other);
}

static void expect_same_public(const struct vd_alg_key *a, const struct vd_alg_key *b)
{
    uint8_t one[VD_ALG_PUBLIC_DER_MAX], other[VD_ALG_PUBLIC_DER_MAX];
    struct vd_alg_buffer x = public_of(a, VD_ALG_FORM_SPKI, one);
    struct vd_alg_buffer y = public_of(b, VD_ALG_FORM_SPKI, other);

    VD_EXPECT_EQ(x.size, y.size);
    VD_EXPECT_MEM(one, other, x.size);
}

VD_TEST(alg_key_loads_from_what_the_store_keeps)
{
    for (enum vd_alg_type type = 1; type < VD_ALG_TYPE_COUNT; type++) {
        struct vd_alg_key *key = key_of(type), *again = NULL;
        struct vd_secret secret = {};
        VD_EXPECT_EQ(vd_alg_key_secret(key, &secret, NULL), VD_OK);
        VD_EXPECT(secret.size <= vd_alg_info(type)->secret_max && secret.size > 0);
        VD_EXPECT_EQ(vd_alg_key_load(vd_test_alg(), type, &secret, &again, NULL), VD_OK);
        VD_EXPECT(!vd_alg_key_is_public(again) && vd_alg_key_info(again)->type == type);
        expect_same(key, again);
        if (vd_alg_info(type)->has_public)
            expect_same_public(key, again);
        vd_alg_key_free(again);
        again = NULL;
        /* Cut short it is no key. */
        VD_EXPECT_EQ(vd_secret_cut(&secret, secret.size < 16 ? 0 : 15), VD_OK);
        VD_EXPECT(vd_alg_key_load(vd_test_alg(), type, &secret, &again, NULL) != VD_OK);
        VD_EXPECT(again == NULL);
        vd_secret_done(&secret);
        vd_alg_key_free(key);
    }
}

VD_TEST(alg_key_goes_out_and_in_in_each_form)
{
    for (enum vd_alg_type type = 1; type < VD_ALG_TYPE_COUNT; type++) {
        const struct vd_alg_info *info = vd_alg_info(type);
        struct vd_alg_key *key = key_of(type);
        for (enum vd_alg_form form = 1; form < VD_ALG_FORM_COUNT; form++) {
            bool secret_form = form != VD_ALG_FORM_SPKI && form != VD_ALG_FORM_RAW_PUBLIC;
            struct vd_alg_key *again = NULL;
            struct vd_secret out = {};
            if (!secret_form)
                continue;
            if ((info->import_forms >> form & 1) == 0) {
                VD_EXPECT_EQ(vd_alg_key_export(key, form, &out, NULL), VD_E_MECHANISM);
                VD_EXPECT_EQ(vd_test_import_bytes(type, form, "", 0, &again), VD_E_MECHANISM);
                continue;
            }
            VD_EXPECT_EQ(vd_alg_key_export(key, form, &out, NULL), VD_OK);
            VD_EXPECT_EQ(vd_test_import_bytes(type, form, out.data, out.size, &again), VD_OK);
            if (form != VD_ALG_FORM_EXPANDED)
                expect_same(key, again);
            if (info->has_public)
                expect_same_public(key, again);
            if (form == VD_ALG_FORM_EXPANDED) {
                struct vd_secret seed = {};
                VD_EXPECT_EQ(vd_alg_key_export(again, VD_ALG_FORM_SEED, &seed, NULL),
                             VD_E_NOT_FOUND);
            }
            vd_secret_done(&out);
            vd_alg_key_free(again);
        }
        vd_alg_key_free(key);
    }
}

VD_TEST(alg_public_key_is_public)
{
    for (enum vd_alg_type type = 1; type < VD_ALG_TYPE_COUNT; type++) {
        const struct vd_alg_info *info = vd_alg_info(type);
        struct vd_alg_key *key = key_of(type), *other = NULL;
        uint8_t room[VD_ALG_PUBLIC_DER_MAX];
        struct vd_alg_buffer out = {.data = room, .room = sizeof(room)};
        struct vd_secret secret = {};
        if (!info->has_public) {
            VD_EXPECT_EQ(vd_alg_key_public(key, VD_ALG_FORM_SPKI, &out, NULL), VD_E_KEY_TYPE);
            vd_alg_key_free(key);
            continue;
        }
        out = public_of(key, VD_ALG_FORM_SPKI, room);
        VD_EXPECT_EQ(vd_test_import_bytes(type, VD_ALG_FORM_SPKI, room, out.size, &other), VD_OK);
        VD_EXPECT(vd_alg_key_is_public(other));
        expect_same_public(key, other);
        VD_EXPECT_EQ(vd_alg_key_secret(other, &secret, NULL), VD_E_KEY_TYPE);
        VD_EXPECT_EQ(vd_alg_key_export(other, VD_ALG_FORM_PKCS8, &secret, NULL), VD_E_KEY_TYPE);
        vd_alg_key_free(other);
        other = NULL;
        if (info->public_size != 0) {
            out = public_of(key, VD_ALG_FORM_RAW_PUBLIC, room);
            VD_EXPECT_EQ(out.size, info->public_size);
            VD_EXPECT_EQ(vd_test_import_bytes(type, VD_ALG_FORM_RAW_PUBLIC, room, out.size, &other),
                         VD_OK);
            expect_same_public(key, other);
            vd_alg_key_free(other);
            out.room = out.size - 1;
            VD_EXPECT_EQ(vd_alg_key_public(key, VD_ALG_FORM_RAW_PUBLIC, &out, NULL), VD_E_NO_SPACE);
            VD_EXPECT_EQ(out.size, info->public_size);
        }
        vd_alg_key_free(key);
    }
}

/* Each operation on each type that does not have it. */
VD_TEST(alg_wrong_type_has_an_error_of_its_own)
{
    uint8_t room[4096];
    struct vd_alg_buffer out = {.data = room, .room = sizeof(room)};
    const struct vd_alg_bytes none = {"", 0};

    for (enum vd_alg_type type = 1; type < VD_ALG_TYPE_COUNT; type++) {
        const struct vd_alg_info *info = vd_alg_info(type);
        struct vd_alg_key *key = key_of(type);
        struct vd_secret secret = {};
        const struct vd_alg_message message = {};
        const struct vd_alg_signing signing = {};
        const struct vd_alg_kdf kdf = {.size = 1};
        const struct vd_alg_stream_setup setup = {1, VD_ALG_STREAM_CHUNK_MIN, {}};
        struct vd_alg_stream *stream = NULL;
        if ((info->mechanisms >> VD_ALG_AEAD & 1) == 0) {
            VD_EXPECT_EQ(vd_alg_encrypt(key, 1, &message, &out, NULL), VD_E_KEY_TYPE);
            VD_EXPECT_EQ(vd_alg_encrypt_raw(key, &message, &out, NULL), VD_E_KEY_TYPE);
            VD_EXPECT_EQ(vd_alg_decrypt_raw(key, &message, &out, NULL), VD_E_KEY_TYPE);
            VD_EXPECT_EQ(vd_alg_stream_seal(key, &setup, &out, &stream, NULL), VD_E_KEY_TYPE);
        }
        if (type != VD_ALG_RSA_4096) {
            VD_EXPECT_EQ(vd_alg_oaep_encrypt(key, &message, &out, NULL), VD_E_KEY_TYPE);
            VD_EXPECT_EQ(vd_alg_oaep_decrypt(key, &message, &out, NULL), VD_E_KEY_TYPE);
        }
        if ((info->usages & VD_ALG_SIGN) == 0) {
            VD_EXPECT_EQ(vd_alg_sign(key, &signing, &out, NULL), VD_E_KEY_TYPE);
            VD_EXPECT_EQ(vd_alg_verify(key, &signing, &none, NULL), VD_E_KEY_TYPE);
        }
        if ((info->usages & VD_ALG_ENCAPSULATE) == 0) {
            VD_EXPECT_EQ(vd_alg_encapsulate(key, &out, &secret, NULL), VD_E_KEY_TYPE);
            VD_EXPECT_EQ(vd_alg_decapsulate(key, &none, &secret, NULL), VD_E_KEY_TYPE);
        }
        if ((info->mechanisms >> VD_ALG_ECDH & 1) == 0)
            VD_EXPECT_EQ(vd_alg_agree(key, VD_ALG_FORM_RAW_PUBLIC, &none, &secret, NULL),
                         VD_E_KEY_TYPE);
        if (type != VD_ALG_HKDF_SHA256)
            VD_EXPECT_EQ(vd_alg_hkdf(key, &kdf, &secret, NULL), VD_E_KEY_TYPE);
        vd_alg_key_free(key);
    }
}

/* A public key alone does nothing that needs the private one. */
VD_TEST(alg_public_key_does_not_act_for_the_private_one)
{
    uint8_t room[4096];
    struct vd_alg_buffer out = {.data = room, .room = sizeof(room)};

    for (enum vd_alg_type type = 1; type < VD_ALG_TYPE_COUNT; type++) {
        const struct vd_alg_info *info = vd_alg_info(type);
        struct vd_alg_key *key, *public = NULL;
        uint8_t der[VD_ALG_PUBLIC_DER_MAX];
        struct vd_alg_buffer spki;
        struct vd_secret secret = {};
        const struct vd_alg_signing signing = {};
        const struct vd_alg_bytes text = {room, info->encapsulated_size};
        const struct vd_alg_message message = {.text = {room, VD_ALG_RSA_SIZE}};
        if (!info->has_public)
            continue;
        key = key_of(type);
        spki = public_of(key, VD_ALG_FORM_SPKI, der);
        VD_EXPECT_EQ(vd_test_import_bytes(type, VD_ALG_FORM_SPKI, der, spki.size, &public), VD_OK);
        if ((info->usages & VD_ALG_SIGN) != 0)
            VD_EXPECT_EQ(vd_alg_sign(public, &signing, &out, NULL), VD_E_KEY_TYPE);
        if ((info->usages & VD_ALG_DECAPSULATE) != 0)
            VD_EXPECT_EQ(vd_alg_decapsulate(public, &text, &secret, NULL), VD_E_KEY_TYPE);
        if ((info->usages & VD_ALG_DERIVE) != 0)
            VD_EXPECT_EQ(vd_alg_agree(public, VD_ALG_FORM_RAW_PUBLIC, &text, &secret, NULL),
                         VD_E_KEY_TYPE);
        if (type == VD_ALG_RSA_4096)
            VD_EXPECT_EQ(vd_alg_oaep_decrypt(public, &message, &out, NULL), VD_E_KEY_TYPE);
        vd_alg_key_free(public);
        vd_alg_key_free(key);
    }
}

static void *fault_of(const char *text)
{
    return (void *)(uintptr_t)text;
}

/* One key of each type that signs, from several threads at once. */
static void *sign_and_verify(void *arg)
{
    struct vd_alg_key *key = arg;
    const struct vd_alg_signing what = {.message = {"message", 7}};
    uint8_t room[VD_ALG_SIGNATURE_MAX];

    for (uint32_t i = 0; i < 20; i++) {
        struct vd_alg_buffer out = {.data = room, .room = sizeof(room)};
        struct vd_alg_bytes signature;
        if (vd_alg_sign(key, &what, &out, NULL) != VD_OK)
            return fault_of("not signed");
        signature = (struct vd_alg_bytes){room, out.size};
        if (vd_alg_verify(key, &what, &signature, NULL) != VD_OK)
            return fault_of("not verified");
        room[out.size / 2] ^= 1;
        if (vd_alg_verify(key, &what, &signature, NULL) == VD_OK)
            return fault_of("a changed signature holds");
    }
    return NULL;
}

VD_TEST(alg_one_key_signs_in_several_threads)
{
    for (enum vd_alg_type type = 1; type < VD_ALG_TYPE_COUNT; type++) {
        struct vd_alg_key *key;
        pthread_t thread[12];
        void *fault;
        if ((vd_alg_info(type)->usages & VD_ALG_SIGN) == 0 || type == VD_ALG_RSA_4096)
            continue;
        key = vd_test_key(type);
        for (size_t i = 0; i < VD_COUNT(thread); i++)
            VD_EXPECT_EQ(pthread_create(&thread[i], NULL, sign_and_verify, key), 0);
        for (size_t i = 0; i < VD_COUNT(thread); i++) {
            VD_EXPECT_EQ(pthread_join(thread[i], &fault), 0);
            VD_EXPECT(fault == NULL);
        }
        vd_alg_key_free(key);
    }
}
