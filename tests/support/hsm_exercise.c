/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Everything that a token can do, on a real module: $VD_HSM_MODULE, the token $VD_HSM_TOKEN, the
 * PIN $VD_HSM_PIN. $VD_HSM_LACKS names the mechanisms that this module is known not to have: their
 * absence must be said by name, and for every other one the operation must work.
 */
#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <stdlib.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "hardware/hsm/hsm.h"
#include "tests/harness.h"

#define HASH_OFFSET 18u /* of the low byte, in a wrapped key's header */

static const uint8_t text[] = "what is signed and encrypted";

static const char *need(const char *name)
{
    const char *value = getenv(name);

    if (value == NULL)
        vd_test_fail(__FILE__, __LINE__, "%s is not set", name);
    return value;
}

static struct vd_hsm *open_token(void)
{
    struct vd_secret pin = {};
    struct vd_hsm_uri uri = {.slot = VD_HSM_ANY_SLOT};
    struct vd_hsm_where where = {.uri = &uri, .pin = &pin, .login = true};
    struct vd_hsm *hsm = NULL;
    struct vd_diag diag = {};

    where.module = need("VD_HSM_MODULE");
    strncpy(uri.token, need("VD_HSM_TOKEN"), sizeof(uri.token) - 1);
    VD_EXPECT_EQ(vd_secret_set(&pin, need("VD_HSM_PIN"), strlen(need("VD_HSM_PIN")), &diag), VD_OK);
    if (vd_hsm_open(&where, &hsm, &diag) != VD_OK)
        vd_test_fail(__FILE__, __LINE__, "%s", diag.text);
    vd_secret_done(&pin);
    return hsm;
}

/* True if the status is good; false if it names a mechanism that may be missing. */
static bool works(vd_status status, const struct vd_diag *diag)
{
    const char *name = strstr(diag->text, "CKM_");

    if (status == VD_OK)
        return true;
    if (status == VD_E_UNSUPPORTED && name != NULL) {
        char word[64] = {};

        strncpy(word, name, strcspn(name, " ") < 63 ? strcspn(name, " ") : 63);
        if (strstr(need("VD_HSM_LACKS"), word) != NULL)
            return false;
    }
    vd_test_fail(__FILE__, __LINE__, "%s: %s", vd_status_name(status), diag->text);
}

static bool make(struct vd_hsm *hsm, enum vd_hsm_kind kind, uint32_t bits, enum vd_hsm_use use,
                 struct vd_hsm_key *ret)
{
    struct vd_hsm_new_key request = {.kind = kind, .bits = bits, .use = use, .label = "exercise"};
    struct vd_diag diag = {};

    if (!works(vd_hsm_generate(hsm, &request, ret, &diag), &diag))
        return false;
    VD_EXPECT(ret->sensitive && !ret->extractable);
    VD_EXPECT_EQ(ret->bits, bits);
    VD_EXPECT_EQ(vd_hsm_generate(hsm, &request, ret, NULL), VD_E_EXISTS);
    return true;
}

static void destroy(struct vd_hsm *hsm, struct vd_hsm_key *key)
{
    struct vd_hsm_uri uri = {.slot = VD_HSM_ANY_SLOT};
    struct vd_hsm_key none;
    struct vd_diag diag = {};

    strcpy(uri.object, "exercise");
    if (vd_hsm_destroy(hsm, key, &diag) != VD_OK)
        vd_test_fail(__FILE__, __LINE__, "%s", diag.text);
    VD_EXPECT_EQ(vd_hsm_find(hsm, &uri, VD_HSM_PRIVATE, &none, NULL), VD_E_NOT_FOUND);
    VD_EXPECT_EQ(vd_hsm_find(hsm, &uri, VD_HSM_PUBLIC, &none, NULL), VD_E_NOT_FOUND);
    VD_EXPECT_EQ(vd_hsm_find(hsm, &uri, VD_HSM_SECRET_KEY, &none, NULL), VD_E_NOT_FOUND);
}

static void sign_and_verify(struct vd_hsm *hsm, struct vd_hsm_key *key, enum vd_hsm_scheme scheme)
{
    for (enum vd_hsm_hash hash = VD_HSM_SHA256; hash <= VD_HSM_SHA512; hash++) {
        struct vd_hsm_message message = {scheme, hash, text, sizeof(text), false};
        struct vd_hsm_block signature;
        struct vd_diag diag = {};

        if (!works(vd_hsm_sign(hsm, key, &message, &signature, &diag), &diag))
            continue;
        if (!works(vd_hsm_verify(hsm, key, &message, &signature, &diag), &diag))
            continue;
        message.size--;
        VD_EXPECT_EQ(vd_hsm_verify(hsm, key, &message, &signature, NULL), VD_E_SIGNATURE);
    }
}

VD_TEST(rsa_signs)
{
    struct vd_hsm *hsm = open_token();
    struct vd_hsm_key key;

    if (make(hsm, VD_HSM_RSA, 2048, VD_HSM_TO_SIGN, &key)) {
        sign_and_verify(hsm, &key, VD_HSM_PKCS1);
        sign_and_verify(hsm, &key, VD_HSM_PSS);
        destroy(hsm, &key);
    }
    vd_hsm_close(hsm);
}

VD_TEST(ec_signs)
{
    struct vd_hsm *hsm = open_token();
    struct vd_hsm_key key;

    if (make(hsm, VD_HSM_EC, 256, VD_HSM_TO_SIGN, &key)) {
        sign_and_verify(hsm, &key, VD_HSM_ECDSA);
        destroy(hsm, &key);
    }
    vd_hsm_close(hsm);
}

/* True if the token does not survive an RSA ciphertext that was changed: libtpms 0.9 does not. */
static bool is_fragile(void)
{
    return getenv("VD_HSM_FRAGILE") != NULL;
}

static void crypt_both_ways(struct vd_hsm *hsm, struct vd_hsm_key *key, enum vd_hsm_cipher cipher,
                            enum vd_hsm_hash hash)
{
    struct vd_hsm_crypt request = {
        .cipher = cipher, .hash = hash, .data = text, .size = sizeof(text)};
    struct vd_secret back = {};
    struct vd_bytes made = {};
    struct vd_diag diag = {};

    if (cipher == VD_HSM_AES_GCM) {
        request.aad = text;
        request.aad_size = 5;
    }
    if (!works(vd_hsm_encrypt(hsm, key, &request, &made, &diag), &diag))
        return;
    request.data = made.data;
    request.size = made.size;
    if (works(vd_hsm_decrypt(hsm, key, &request, &back, &diag), &diag)) {
        VD_EXPECT_EQ(back.size, sizeof(text));
        VD_EXPECT_MEM(back.data, text, sizeof(text));
        vd_secret_done(&back);
        made.data[made.size - 1] ^= 1;
        if (cipher != VD_HSM_AES_CBC && (cipher != VD_HSM_OAEP || !is_fragile()))
            VD_EXPECT_EQ(vd_hsm_decrypt(hsm, key, &request, &back, NULL), VD_E_DENIED);
    }
    vd_bytes_free(&made);
}

/* The wrapped root key: every byte counts, and another key does not open it. */
static void wrap_both_ways(struct vd_hsm *hsm, struct vd_hsm_key *key)
{
    struct vd_secret secret = {}, back = {};
    struct vd_hsm_wrapped header;
    struct vd_hsm_block wrapped;
    struct vd_diag diag = {};
    size_t end;

    VD_EXPECT_EQ(vd_secret_init(&secret, VD_HSM_WRAP_SECRET, NULL), VD_OK);
    memcpy(secret.data, text, sizeof(text));
    if (vd_hsm_wrap(hsm, key, &secret, &wrapped, &diag) != VD_OK)
        vd_test_fail(__FILE__, __LINE__, "%s", diag.text);
    VD_EXPECT_EQ(vd_hsm_wrapped_parse(wrapped.data, wrapped.size, &header, NULL), VD_OK);
    VD_EXPECT_STR(header.where.object, "exercise");
    if (!is_fragile() || header.method != VD_HSM_BY_OAEP)
        end = wrapped.size;
    else
        end = header.header_size;
    VD_EXPECT_EQ(vd_hsm_unwrap(hsm, wrapped.data, wrapped.size, &back, NULL), VD_OK);
    VD_EXPECT(vd_secret_equal(&secret, &back));
    vd_secret_done(&back);
    for (size_t i = 0; i < end; i += i < header.header_size ? 1 : 17) {
        if (is_fragile() && i == HASH_OFFSET)
            continue; /* decrypted with another hash, it is a changed ciphertext to the token */
        wrapped.data[i] ^= 1;
        VD_EXPECT(vd_hsm_unwrap(hsm, wrapped.data, wrapped.size, &back, NULL) != VD_OK);
        wrapped.data[i] ^= 1;
    }
    vd_secret_done(&secret);
}

VD_TEST(rsa_decrypts_and_wraps)
{
    struct vd_hsm *hsm = open_token();
    struct vd_hsm_key key;

    if (make(hsm, VD_HSM_RSA, 2048, VD_HSM_TO_DECRYPT, &key)) {
        crypt_both_ways(hsm, &key, VD_HSM_OAEP, VD_HSM_SHA256);
        crypt_both_ways(hsm, &key, VD_HSM_OAEP, VD_HSM_SHA1);
        wrap_both_ways(hsm, &key);
        destroy(hsm, &key);
    }
    vd_hsm_close(hsm);
}

VD_TEST(aes_encrypts_and_wraps)
{
    struct vd_hsm *hsm = open_token();
    struct vd_hsm_key key;

    if (make(hsm, VD_HSM_AES, 256, VD_HSM_TO_DECRYPT, &key)) {
        crypt_both_ways(hsm, &key, VD_HSM_AES_GCM, 0);
        crypt_both_ways(hsm, &key, VD_HSM_AES_CBC, 0);
        if (strstr(need("VD_HSM_LACKS"), "CKM_AES_GCM") == NULL)
            wrap_both_ways(hsm, &key);
        destroy(hsm, &key);
    }
    vd_hsm_close(hsm);
}

VD_TEST(aes_wraps_keys)
{
    struct vd_hsm *hsm = open_token();
    struct vd_hsm_crypt request = {.cipher = VD_HSM_AES_GCM, .data = text, .size = sizeof(text)};
    struct vd_bytes made = {};
    struct vd_hsm_key key;

    if (strstr(need("VD_HSM_LACKS"), "CKM_AES_KEY_WRAP") == NULL &&
        make(hsm, VD_HSM_AES, 256, VD_HSM_TO_WRAP, &key)) {
        wrap_both_ways(hsm, &key);
        /* A wrapping key decrypts nothing: what it wrapped cannot be taken out that way. */
        VD_EXPECT_EQ(vd_hsm_encrypt(hsm, &key, &request, &made, NULL), VD_E_DENIED);
        destroy(hsm, &key);
    }
    vd_hsm_close(hsm);
}

/* The shared secret is the one that the peer computes. */
static void derive_with(struct vd_hsm *hsm, struct vd_hsm_key *key)
{
    EVP_PKEY *peer = EVP_EC_gen("P-256"), *own;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, peer, NULL);
    struct vd_bytes peer_der = {}, own_der = {};
    struct vd_secret shared = {};
    struct vd_diag diag = {};
    uint8_t expected[32];
    size_t size = sizeof(expected);
    const uint8_t *in;

    peer_der.size = (size_t)i2d_PUBKEY(peer, &peer_der.data);
    VD_EXPECT_EQ(vd_hsm_public_der(hsm, key, &own_der, &diag), VD_OK);
    in = own_der.data;
    own = d2i_PUBKEY(NULL, &in, (long)own_der.size);
    VD_EXPECT(EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer(ctx, own) == 1 &&
              EVP_PKEY_derive(ctx, expected, &size) == 1);
    if (works(vd_hsm_derive(hsm, key, &peer_der, &shared, &diag), &diag)) {
        VD_EXPECT_EQ(shared.size, 32);
        VD_EXPECT_MEM(shared.data, expected, 32);
        vd_secret_done(&shared);
        peer_der.data[peer_der.size - 1] ^= 1; /* no point of the curve */
        VD_EXPECT_EQ(vd_hsm_derive(hsm, key, &peer_der, &shared, NULL), VD_E_INVALID);
    }
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(own);
    EVP_PKEY_free(peer);
    OPENSSL_free(peer_der.data);
    vd_bytes_free(&own_der);
}

VD_TEST(ec_derives)
{
    struct vd_hsm *hsm = open_token();
    struct vd_hsm_key key;

    if (make(hsm, VD_HSM_EC, 256, VD_HSM_TO_DERIVE, &key)) {
        derive_with(hsm, &key);
        destroy(hsm, &key);
    }
    vd_hsm_close(hsm);
}

VD_TEST(two_connections_share_a_module)
{
    struct vd_hsm *first = open_token(), *second = open_token();
    struct vd_hsm_uri uri = {.slot = VD_HSM_ANY_SLOT};
    struct vd_hsm_key key, found;

    VD_EXPECT(make(first, VD_HSM_EC, 256, VD_HSM_TO_SIGN, &key));
    vd_hsm_close(first);
    strcpy(uri.object, "exercise");
    VD_EXPECT_EQ(vd_hsm_find(second, &uri, VD_HSM_PRIVATE, &found, NULL), VD_OK);
    sign_and_verify(second, &found, VD_HSM_ECDSA);
    destroy(second, &found);
    vd_hsm_close(second);
}

/* ---- Somebody else in the process ends what is ours ---- */

static CK_FUNCTION_LIST *functions(void)
{
    void *library = dlopen(need("VD_HSM_MODULE"), RTLD_NOW | RTLD_LOCAL);
    CK_C_GetFunctionList get;
    CK_FUNCTION_LIST *f = NULL;

    *(void **)&get = dlsym(library, "C_GetFunctionList");
    VD_EXPECT(get != NULL && get(&f) == CKR_OK);
    return f;
}

static void sign_once(struct vd_hsm *hsm, struct vd_hsm_key *key)
{
    struct vd_hsm_message message = {VD_HSM_ECDSA, VD_HSM_SHA256, text, sizeof(text), false};
    struct vd_hsm_block signature;
    struct vd_diag diag = {};

    if (vd_hsm_sign(hsm, key, &message, &signature, &diag) != VD_OK)
        vd_test_fail(__FILE__, __LINE__, "%s", diag.text);
}

VD_TEST(sessions_that_another_ends_are_opened_again)
{
    CK_FUNCTION_LIST *f = functions();
    struct vd_hsm *hsm = open_token();
    CK_SLOT_ID slot = vd_hsm_token(hsm)->slot;
    CK_SESSION_HANDLE other;
    struct vd_hsm_key key;

    VD_EXPECT(make(hsm, VD_HSM_EC, 256, VD_HSM_TO_SIGN, &key));
    sign_once(hsm, &key);
    VD_EXPECT(f->C_CloseAllSessions(slot) == CKR_OK);
    sign_once(hsm, &key);
    VD_EXPECT(f->C_Finalize(NULL) == CKR_OK);
    sign_once(hsm, &key);
    VD_EXPECT(f->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &other) == CKR_OK);
    VD_EXPECT(f->C_Logout(other) == CKR_OK);
    sign_once(hsm, &key);
    destroy(hsm, &key);
    vd_hsm_close(hsm);
}
