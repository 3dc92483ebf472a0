/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "services/crypto/store/crypt.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/reader.h"

#define KEY_SIZE  32u
#define INFO_MAX  256u
#define AAD_MAX   (VD_KREC_ATTRIBUTES_MAX + VD_KSTORE_PUBLIC_MAX + 128u)
#define NONCE     "\0\0\0\0\0\0\0\0\0\0\0" /* 12 zero bytes with the end's */
#define FORMAT_AT 8u
#define SALT_AT   28u

static vd_status failed(struct vd_diag *diag)
{
    return vd_diag_fail(diag, VD_E_SYSTEM, "the cryptographic library failed");
}

vd_status vd_kcrypt_random(void *ret, size_t size, struct vd_diag *diag)
{
    return RAND_bytes(ret, (int)size) == 1
               ? VD_OK
               : vd_diag_fail(diag, VD_E_SYSTEM, "the cryptographic library has no randomness");
}

static void put_field(struct vd_writer *w, const void *data, size_t size)
{
    vd_write_le16(w, (uint16_t)size);
    vd_write_bytes(w, data, size);
}

/* HKDF-SHA256 without a salt of its own: what sets keys apart stands in `info`. */
static vd_status derive(const struct vd_kcrypt *crypt, const uint8_t *from,
                        const struct vd_writer *info, uint8_t ret[KEY_SIZE], struct vd_diag *diag)
{
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(crypt->hkdf);
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)from, KEY_SIZE),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info->buf, info->len),
        OSSL_PARAM_construct_end(),
    };
    bool ok = ctx != NULL && !info->full && EVP_KDF_derive(ctx, ret, KEY_SIZE, params) == 1;

    EVP_KDF_CTX_free(ctx);
    return ok ? VD_OK : failed(diag);
}

static void begin_info(struct vd_writer *w, uint8_t *room, const char *label)
{
    vd_writer_init(w, room, INFO_MAX);
    put_field(w, label, strlen(label));
}

/* A key straight from the root for one purpose in this store; `salt` may be NULL. */
static vd_status derive_own(const struct vd_kcrypt *crypt, const char *label, const uint8_t *salt,
                            uint8_t *ret, struct vd_diag *diag)
{
    uint8_t room[INFO_MAX];
    struct vd_writer info;

    begin_info(&info, room, label);
    put_field(&info, crypt->store_id, sizeof(crypt->store_id));
    if (salt != NULL)
        put_field(&info, salt, VD_KREC_SALT_SIZE);
    return derive(crypt, crypt->root->data, &info, ret, diag);
}

/* root → domain → service → record; the steps stand in `keys`, the last is the record key. */
static vd_status derive_record(const struct vd_kcrypt *crypt, const struct vd_kcrypt_place *place,
                               const uint8_t *salt, uint8_t keys[3][KEY_SIZE], struct vd_diag *diag)
{
    const struct vd_kstore_attributes *a = place->attributes;
    uint8_t room[INFO_MAX];
    struct vd_writer info;

    begin_info(&info, room, "veridian/1 domain");
    put_field(&info, crypt->store_id, sizeof(crypt->store_id));
    put_field(&info, a->domain, strlen(a->domain));
    VD_TRY(derive(crypt, crypt->root->data, &info, keys[0], diag));
    begin_info(&info, room, "veridian/1 service");
    put_field(&info, a->service, strlen(a->service));
    VD_TRY(derive(crypt, keys[0], &info, keys[1], diag));
    begin_info(&info, room, "veridian/1 record");
    put_field(&info, place->version->id, VD_KSTORE_ID_SIZE);
    vd_write_le32(&info, place->version->version.version);
    put_field(&info, salt, VD_KREC_SALT_SIZE);
    return derive(crypt, keys[1], &info, keys[2], diag);
}

/* A context that has the key of `label` for good. */
static vd_status new_mac(const struct vd_kcrypt *crypt, const char *label, EVP_MAC_CTX **ret,
                         struct vd_diag *diag)
{
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                           OSSL_PARAM_construct_end()};
    uint8_t key[KEY_SIZE];
    vd_status status = derive_own(crypt, label, NULL, key, diag);

    EVP_MAC_free(mac);
    if (status == VD_OK && (ctx == NULL || EVP_MAC_init(ctx, key, sizeof(key), params) != 1))
        status = failed(diag);
    vd_wipe(key, sizeof(key));
    if (status != VD_OK) {
        EVP_MAC_CTX_free(ctx);
        return status;
    }
    *ret = ctx;
    return VD_OK;
}

void vd_kcrypt_free(struct vd_kcrypt *crypt)
{
    if (crypt == NULL)
        return;
    EVP_MAC_CTX_free(crypt->set);
    EVP_MAC_CTX_free(crypt->row);
    EVP_KDF_free(crypt->hkdf);
    EVP_CIPHER_free(crypt->gcm);
    pthread_mutex_destroy(&crypt->lock);
    free(crypt);
}

vd_status vd_kcrypt_new(const struct vd_secret *root, const uint8_t store_id[VD_KSTORE_ID_SIZE],
                        struct vd_kcrypt **ret, struct vd_diag *diag)
{
    struct vd_kcrypt *crypt;
    vd_status status = VD_OK;

    if (root == NULL || root->size != VD_KSTORE_ROOT_SIZE)
        return vd_diag_fail(diag, VD_E_SIZE, "a root key has 32 bytes");
    crypt = calloc(1, sizeof(*crypt));
    if (crypt == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for the key hierarchy");
    pthread_mutex_init(&crypt->lock, NULL);
    crypt->root = root;
    vd_copy(crypt->store_id, store_id, sizeof(crypt->store_id));
    crypt->hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    crypt->gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    if (crypt->hkdf == NULL || crypt->gcm == NULL)
        status = failed(diag);
    if (status == VD_OK)
        status = new_mac(crypt, "veridian/1 set", &crypt->set, diag);
    if (status == VD_OK)
        status = new_mac(crypt, "veridian/1 row", &crypt->row, diag);
    if (status != VD_OK) {
        vd_kcrypt_free(crypt);
        return status;
    }
    *ret = crypt;
    return VD_OK;
}

/* HMAC over place and head, then over the rest. */
static vd_status mac(struct vd_kcrypt *crypt, EVP_MAC_CTX *ctx, const struct vd_krec_row *row,
                     uint8_t ret[VD_KREC_MAC_SIZE], struct vd_diag *diag)
{
    uint8_t room[12 + VD_KREC_HEAD_MAX];
    struct vd_writer w;
    size_t size = 0;
    bool ok;

    vd_writer_init(&w, room, sizeof(room));
    vd_write_le64(&w, (uint64_t)row->seq);
    vd_write_le32(&w, (uint32_t)row->head_size);
    vd_write_bytes(&w, row->head, row->head_size);
    if (vd_write_done(&w) != VD_OK)
        return vd_diag_fail(diag, VD_E_LIMIT, "a row's head is too long");
    pthread_mutex_lock(&crypt->lock);
    ok = EVP_MAC_init(ctx, NULL, 0, NULL) == 1 && EVP_MAC_update(ctx, room, w.len) == 1 &&
         (row->body_size == 0 || EVP_MAC_update(ctx, row->body, row->body_size) == 1) &&
         EVP_MAC_final(ctx, ret, &size, VD_KREC_MAC_SIZE) == 1;
    pthread_mutex_unlock(&crypt->lock);
    return ok ? VD_OK : failed(diag);
}

vd_status vd_kcrypt_tag(struct vd_kcrypt *crypt, const struct vd_krec_row *row,
                        uint8_t ret[VD_KREC_MAC_SIZE], struct vd_diag *diag)
{
    return mac(crypt, crypt->row, row, ret, diag);
}

vd_status vd_kcrypt_entry(struct vd_kcrypt *crypt, const struct vd_krec_row *row,
                          uint8_t ret[VD_KREC_MAC_SIZE], struct vd_diag *diag)
{
    struct vd_krec_row with_tag = *row;

    with_tag.body = row->tag;
    with_tag.body_size = row->tag == NULL ? 0 : VD_KREC_MAC_SIZE;
    return mac(crypt, crypt->set, &with_tag, ret, diag);
}

struct gcm {
    const uint8_t *key;
    const uint8_t *aad;
    size_t aad_size;
    const uint8_t *in;
    size_t size;
    uint8_t *out;
};

static vd_status gcm_seal(const struct vd_kcrypt *crypt, const struct gcm *g, uint8_t *tag,
                          struct vd_diag *diag)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n;
    bool ok = ctx != NULL &&
              EVP_EncryptInit_ex2(ctx, crypt->gcm, g->key, (const uint8_t *)NONCE, NULL) == 1 &&
              EVP_EncryptUpdate(ctx, NULL, &n, g->aad, (int)g->aad_size) == 1 &&
              EVP_EncryptUpdate(ctx, g->out, &n, g->in, (int)g->size) == 1 &&
              EVP_EncryptFinal_ex(ctx, g->out + g->size, &n) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, VD_KREC_TAG_SIZE, tag) == 1;

    EVP_CIPHER_CTX_free(ctx);
    return ok ? VD_OK : failed(diag);
}

/* False if it does not open. */
static bool gcm_open(const struct vd_kcrypt *crypt, const struct gcm *g, const uint8_t *tag)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n;
    bool ok = ctx != NULL &&
              EVP_DecryptInit_ex2(ctx, crypt->gcm, g->key, (const uint8_t *)NONCE, NULL) == 1 &&
              EVP_DecryptUpdate(ctx, NULL, &n, g->aad, (int)g->aad_size) == 1 &&
              EVP_DecryptUpdate(ctx, g->out, &n, g->in, (int)g->size) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, VD_KREC_TAG_SIZE,
                                  (void *)(uintptr_t)tag) == 1 &&
              EVP_DecryptFinal_ex(ctx, g->out + g->size, &n) == 1;

    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

/* Store format, store, key, version, generation, attributes, public part. */
static void write_aad(const struct vd_kcrypt *crypt, const struct vd_kcrypt_place *place,
                      struct vd_writer *w)
{
    uint8_t room[VD_KREC_ATTRIBUTES_MAX];
    struct vd_writer attributes;

    vd_writer_init(&attributes, room, sizeof(room));
    vd_krec_attributes_encode(place->attributes, &attributes);
    vd_write_le32(w, VD_KREC_FORMAT);
    put_field(w, crypt->store_id, sizeof(crypt->store_id));
    put_field(w, place->version->id, VD_KSTORE_ID_SIZE);
    vd_write_le32(w, place->version->version.version);
    vd_write_le64(w, place->version->generation);
    put_field(w, room, attributes.len);
    put_field(w, place->public_part, place->version->version.public_size);
}

vd_status vd_kcrypt_wrap(struct vd_kcrypt *crypt, const struct vd_kcrypt_place *place,
                         const struct vd_secret *material, uint8_t *ret, struct vd_diag *diag)
{
    VD_AUTO(vd_secret_done) struct vd_secret keys = {};
    uint8_t aad[AAD_MAX];
    struct gcm g = {.aad = aad, .in = material->data, .size = material->size};
    struct vd_writer w;

    VD_TRY(vd_secret_init(&keys, (size_t)3 * KEY_SIZE, diag));
    vd_writer_init(&w, aad, sizeof(aad));
    write_aad(crypt, place, &w);
    VD_TRY(vd_write_done(&w));
    VD_TRY(vd_kcrypt_random(ret, VD_KREC_SALT_SIZE, diag));
    VD_TRY(derive_record(crypt, place, ret, (uint8_t(*)[KEY_SIZE])keys.data, diag));
    g.key = keys.data + (size_t)2 * KEY_SIZE;
    g.aad_size = w.len;
    g.out = ret + VD_KREC_SALT_SIZE;
    return gcm_seal(crypt, &g, g.out + g.size, diag);
}

vd_status vd_kcrypt_unwrap(struct vd_kcrypt *crypt, const struct vd_kcrypt_place *place,
                           const uint8_t *blob, struct vd_secret *ret, struct vd_diag *diag)
{
    VD_AUTO(vd_secret_done) struct vd_secret keys = {};
    VD_AUTO(vd_secret_done) struct vd_secret material = {};
    uint8_t aad[AAD_MAX];
    struct gcm g = {.aad = aad, .in = blob + VD_KREC_SALT_SIZE};
    struct vd_writer w;

    VD_TRY(vd_secret_init(&keys, (size_t)3 * KEY_SIZE, diag));
    VD_TRY(vd_secret_init(&material, place->version->version.material_size, diag));
    vd_writer_init(&w, aad, sizeof(aad));
    write_aad(crypt, place, &w);
    VD_TRY(vd_write_done(&w));
    VD_TRY(derive_record(crypt, place, blob, (uint8_t(*)[KEY_SIZE])keys.data, diag));
    g.key = keys.data + (size_t)2 * KEY_SIZE;
    g.aad_size = w.len;
    g.size = material.size;
    g.out = material.data;
    if (!gcm_open(crypt, &g, g.in + g.size))
        return vd_diag_fail(diag, VD_E_SIGNATURE,
                            "the key's material does not open: it or its attributes were changed");
    *ret = material;
    material = (struct vd_secret){};
    return VD_OK;
}

vd_status vd_kcrypt_seal_header(struct vd_kcrypt *crypt, const struct vd_krec_header *header,
                                uint8_t ret[VD_KREC_HEADER_SIZE], struct vd_diag *diag)
{
    uint8_t plain[VD_KREC_HEADER_PLAIN], key[KEY_SIZE];
    struct gcm g = {.key = key,
                    .aad = ret,
                    .aad_size = VD_KREC_HEADER_CLEAR,
                    .in = plain,
                    .size = sizeof(plain),
                    .out = ret + VD_KREC_HEADER_CLEAR};
    struct vd_writer w;
    vd_status status;

    vd_writer_init(&w, ret, VD_KREC_HEADER_CLEAR);
    vd_write_bytes(&w, VD_KREC_MAGIC, sizeof(VD_KREC_MAGIC) - 1);
    vd_write_le32(&w, VD_KREC_FORMAT);
    vd_write_bytes(&w, crypt->store_id, sizeof(crypt->store_id));
    VD_TRY(vd_kcrypt_random(ret + SALT_AT, VD_KREC_SALT_SIZE, diag));
    vd_writer_init(&w, plain, sizeof(plain));
    vd_krec_header_encode(header, &w);
    VD_TRY(vd_write_done(&w));
    status = derive_own(crypt, "veridian/1 header", ret + SALT_AT, key, diag);
    if (status == VD_OK)
        status = gcm_seal(crypt, &g, g.out + g.size, diag);
    vd_wipe(key, sizeof(key));
    return status;
}

vd_status vd_kcrypt_open_header(struct vd_kcrypt *crypt, const uint8_t bytes[VD_KREC_HEADER_SIZE],
                                struct vd_krec_header *ret, struct vd_diag *diag)
{
    uint8_t plain[VD_KREC_HEADER_PLAIN], key[KEY_SIZE];
    struct gcm g = {.key = key,
                    .aad = bytes,
                    .aad_size = VD_KREC_HEADER_CLEAR,
                    .in = bytes + VD_KREC_HEADER_CLEAR,
                    .size = sizeof(plain),
                    .out = plain};
    bool ok;

    VD_TRY(derive_own(crypt, "veridian/1 header", bytes + SALT_AT, key, diag));
    ok = gcm_open(crypt, &g, g.in + g.size);
    vd_wipe(key, sizeof(key));
    if (!ok)
        return vd_diag_fail(diag, VD_E_SIGNATURE,
                            "the store's header does not open: it is under another root key, or "
                            "was changed");
    return vd_krec_header_parse(plain, sizeof(plain), ret, diag);
}

vd_status vd_kcrypt_store_id(const void *bytes, size_t size, uint8_t ret[VD_KSTORE_ID_SIZE],
                             struct vd_diag *diag)
{
    struct vd_reader r;
    const uint8_t *magic;
    uint32_t format;

    if (size != VD_KREC_HEADER_SIZE)
        return vd_diag_fail(diag, VD_E_SIZE, "the store's header has another size");
    vd_reader_init(&r, bytes, size);
    VD_TRY(vd_read_bytes(&r, FORMAT_AT, &magic));
    if (memcmp(magic, VD_KREC_MAGIC, FORMAT_AT) != 0)
        return vd_diag_fail(diag, VD_E_MAGIC, "this is no key store");
    VD_TRY(vd_read_le32(&r, &format));
    if (format != VD_KREC_FORMAT)
        return vd_diag_fail_at(diag, VD_E_VERSION, FORMAT_AT,
                               "this version of the key store is not known");
    return vd_read_copy(&r, ret, VD_KSTORE_ID_SIZE);
}
