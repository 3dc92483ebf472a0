/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hardware/hsm/internal.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/reader.h"
#include "core/base/writer.h"
#include "lib/diagf.h"
#include "lib/hash.h"

/*
 * What is encrypted: the secret and the header's digest, so that the header is bound by every
 * method alike, whatever it authenticates itself.
 */
#define PAYLOAD_SIZE (VD_HSM_WRAP_SECRET + VD_SHA256_SIZE)

const char *vd_hsm_method_name(enum vd_hsm_method method)
{
    static const char *const names[] = {[VD_HSM_BY_GCM] = "aes-gcm",
                                        [VD_HSM_BY_KEY_WRAP] = "aes-key-wrap",
                                        [VD_HSM_BY_OAEP] = "rsa-oaep"};

    return (size_t)method < VD_COUNT(names) && names[method] != NULL ? names[method] : "?";
}

uint64_t vd_hsm_method_mechanism(enum vd_hsm_method method)
{
    return method == VD_HSM_BY_GCM        ? CKM_AES_GCM
           : method == VD_HSM_BY_KEY_WRAP ? CKM_AES_KEY_WRAP
                                          : CKM_RSA_PKCS_OAEP;
}

/* ---- The header ---- */

static void write_text(struct vd_writer *w, const void *data, size_t size)
{
    vd_write_u8(w, (uint8_t)size);
    vd_write_bytes(w, data, size);
}

/* Everything before the wrapped bytes, whose size it has. */
static vd_status write_header(const struct vd_hsm_wrapped *wrapped, size_t data_size,
                              struct vd_hsm_block *ret)
{
    const struct vd_hsm_uri *where = &wrapped->where;
    struct vd_writer w, total;

    vd_writer_init(&w, ret->data, sizeof(ret->data));
    vd_write_bytes(&w, VD_HSM_WRAP_MAGIC, 8);
    vd_write_le32(&w, VD_HSM_WRAP_VERSION);
    vd_write_le32(&w, 0);
    vd_write_le16(&w, (uint16_t)wrapped->method);
    vd_write_le16(&w, (uint16_t)wrapped->hash);
    write_text(&w, where->token, strlen(where->token));
    write_text(&w, where->serial, strlen(where->serial));
    vd_write_u8(&w, (uint8_t)where->class);
    write_text(&w, where->object, strlen(where->object));
    write_text(&w, where->id, where->id_size);
    vd_write_le16(&w, (uint16_t)data_size);
    VD_TRY(vd_write_done(&w));
    vd_writer_init(&total, ret->data + 12, 4);
    vd_write_le32(&total, (uint32_t)(w.len + data_size));
    ret->size = w.len;
    return w.len + data_size <= VD_HSM_WRAP_MAX ? VD_OK : VD_E_LIMIT;
}

static vd_status read_text(struct vd_reader *r, void *ret, size_t max, size_t *ret_size)
{
    uint8_t size;

    VD_TRY(vd_read_u8(r, &size));
    if (size > max)
        return VD_E_LIMIT;
    VD_TRY(vd_read_copy(r, ret, size));
    *ret_size = size;
    return VD_OK;
}

static vd_status read_string(struct vd_reader *r, char *ret, size_t max)
{
    size_t size;

    VD_TRY(read_text(r, ret, max, &size));
    ret[size] = '\0';
    return memchr(ret, 0, size) == NULL ? VD_OK : VD_E_INVALID;
}

static vd_status read_fields(struct vd_reader *r, struct vd_hsm_wrapped *w)
{
    uint16_t method, hash, size;
    uint8_t class;

    VD_TRY(vd_read_le16(r, &method));
    VD_TRY(vd_read_le16(r, &hash));
    if (method < VD_HSM_BY_GCM || method > VD_HSM_BY_OAEP || hash > VD_HSM_SHA1 ||
        (method != VD_HSM_BY_OAEP && hash != 0))
        return VD_E_RANGE;
    w->method = method;
    w->hash = hash;
    VD_TRY(read_string(r, w->where.token, sizeof(w->where.token) - 1));
    VD_TRY(read_string(r, w->where.serial, sizeof(w->where.serial) - 1));
    VD_TRY(vd_read_u8(r, &class));
    if (class != (method == VD_HSM_BY_OAEP ? VD_HSM_PRIVATE : VD_HSM_SECRET_KEY))
        return VD_E_RANGE;
    w->where.class = class;
    VD_TRY(read_string(r, w->where.object, VD_HSM_LABEL_MAX));
    VD_TRY(read_text(r, w->where.id, sizeof(w->where.id), &w->where.id_size));
    VD_TRY(vd_read_le16(r, &size));
    w->header_size = 16 + vd_reader_offset(r);
    w->size = size;
    VD_TRY(vd_read_bytes(r, size, &w->data));
    return vd_read_done(r);
}

vd_status vd_hsm_wrapped_parse(const void *data, size_t size, struct vd_hsm_wrapped *ret,
                               struct vd_diag *diag)
{
    struct vd_hsm_wrapped w = {.where = {.slot = VD_HSM_ANY_SLOT}};
    const uint8_t *magic;
    uint32_t version, total;
    struct vd_reader whole, r;
    vd_status status;

    vd_reader_init(&whole, data, size);
    if (size > VD_HSM_WRAP_MAX || vd_read_bytes(&whole, 8, &magic) != VD_OK ||
        memcmp(magic, VD_HSM_WRAP_MAGIC, 8) != 0)
        return vd_diag_fail_at(diag, VD_E_MAGIC, 0, "not a wrapped key: expected VDHSMKEY");
    if (vd_read_le32(&whole, &version) != VD_OK || version != VD_HSM_WRAP_VERSION)
        return vd_diag_fail_at(diag, VD_E_VERSION, 8, "expected version 1 of a wrapped key");
    if (vd_read_le32(&whole, &total) != VD_OK || total != size)
        return vd_diag_fail_at(diag, VD_E_TRUNCATED, 12, "its size is not the one in its header");
    VD_TRY(vd_read_sub(&whole, vd_reader_left(&whole), &r));
    status = read_fields(&r, &w);
    if (status != VD_OK)
        return vd_diag_fail_at(diag, status, 16 + vd_reader_offset(&r),
                               "a field of the wrapped key is wrong");
    *ret = w;
    return VD_OK;
}

/* ---- AES key wrap: the payload goes through an object of the session ---- */

struct wrapping {
    struct vd_hsm_key *key;
    const struct vd_secret *payload;
    struct vd_hsm_block *made;
    struct hsm_bytes given;
    struct vd_secret *unwrapped;
};

struct session_key {
    CK_OBJECT_CLASS class;
    CK_KEY_TYPE type;
    CK_BBOOL yes, no;
    CK_ATTRIBUTE attribute[6];
};

static void describe_session_key(struct session_key *k, const struct vd_secret *value)
{
    k->class = CKO_SECRET_KEY;
    k->type = CKK_GENERIC_SECRET;
    k->yes = CK_TRUE;
    k->no = CK_FALSE;
    k->attribute[0] = (CK_ATTRIBUTE){CKA_CLASS, &k->class, sizeof(k->class)};
    k->attribute[1] = (CK_ATTRIBUTE){CKA_KEY_TYPE, &k->type, sizeof(k->type)};
    k->attribute[2] = (CK_ATTRIBUTE){CKA_TOKEN, &k->no, sizeof(k->no)};
    k->attribute[3] = (CK_ATTRIBUTE){CKA_SENSITIVE, &k->no, sizeof(k->no)};
    k->attribute[4] = (CK_ATTRIBUTE){CKA_EXTRACTABLE, &k->yes, sizeof(k->yes)};
    if (value != NULL)
        k->attribute[5] = (CK_ATTRIBUTE){CKA_VALUE, value->data, value->size};
}

static vd_status key_wrap_in(struct vd_hsm *hsm, void *ctx, struct vd_diag *diag)
{
    struct wrapping *w = ctx;
    CK_FUNCTION_LIST *f = hsm->module.f;
    CK_MECHANISM mechanism = {.mechanism = CKM_AES_KEY_WRAP};
    CK_OBJECT_HANDLE object, inner = 0;
    CK_ULONG size = sizeof(w->made->data);
    struct session_key k;
    CK_RV rv;

    if (hsm_mechanism(hsm, CKM_AES_KEY_WRAP, CKF_WRAP | CKF_UNWRAP) == NULL)
        return hsm_lacks(hsm, CKM_AES_KEY_WRAP, diag);
    describe_session_key(&k, w->payload);
    VD_TRY(hsm_handle(hsm, w->key, &object, diag));
    rv = f->C_CreateObject(hsm->session, k.attribute, 6, &inner);
    VD_TRY(hsm_check(hsm, "C_CreateObject", rv, diag));
    rv = f->C_WrapKey(hsm->session, &mechanism, object, inner, w->made->data, &size);
    (void)f->C_DestroyObject(hsm->session, inner);
    VD_TRY(hsm_check(hsm, "C_WrapKey", rv, diag));
    if (size != PAYLOAD_SIZE + 8)
        return vd_diagf(diag, VD_E_INVALID, "C_WrapKey made %lu bytes", size);
    w->made->size = size;
    return VD_OK;
}

static vd_status key_unwrap_in(struct vd_hsm *hsm, void *ctx, struct vd_diag *diag)
{
    struct wrapping *w = ctx;
    CK_MECHANISM mechanism = {.mechanism = CKM_AES_KEY_WRAP};
    CK_OBJECT_HANDLE object, inner = 0;
    struct session_key k;
    CK_RV rv;

    if (hsm_mechanism(hsm, CKM_AES_KEY_WRAP, CKF_UNWRAP) == NULL)
        return hsm_lacks(hsm, CKM_AES_KEY_WRAP, diag);
    describe_session_key(&k, NULL);
    VD_TRY(hsm_handle(hsm, w->key, &object, diag));
    rv = hsm->module.f->C_UnwrapKey(hsm->session, &mechanism, object, (CK_BYTE *)w->given.data,
                                    w->given.size, k.attribute, 5, &inner);
    if (rv == CKR_GENERAL_ERROR || rv == CKR_FUNCTION_FAILED)
        rv = CKR_WRAPPED_KEY_INVALID; /* what some modules say instead */
    VD_TRY(hsm_check(hsm, "C_UnwrapKey", rv, diag));
    return hsm_take_value(hsm, inner, PAYLOAD_SIZE, w->unwrapped, diag);
}

/* ---- Both ways by every method ---- */

static struct vd_hsm_crypt crypt_of(const struct vd_hsm_wrapped *w)
{
    return (struct vd_hsm_crypt){
        .cipher = w->method == VD_HSM_BY_OAEP ? VD_HSM_OAEP : VD_HSM_AES_GCM, .hash = w->hash};
}

static vd_status wrap_by(struct vd_hsm *hsm, const struct vd_hsm_wrapped *w, struct wrapping *way,
                         struct vd_diag *diag)
{
    struct vd_hsm_crypt request = crypt_of(w);
    struct vd_bytes bytes VD_AUTO(vd_bytes_free) = {};

    if (w->method == VD_HSM_BY_KEY_WRAP)
        return hsm_run(hsm, key_wrap_in, way, diag);
    request.data = way->payload->data;
    request.size = way->payload->size;
    VD_TRY(vd_hsm_encrypt(hsm, way->key, &request, &bytes, diag));
    if (bytes.size > sizeof(way->made->data))
        return vd_diag_fail(diag, VD_E_LIMIT, "the wrapped key is too large");
    vd_copy(way->made->data, bytes.data, bytes.size);
    way->made->size = bytes.size;
    return VD_OK;
}

static vd_status unwrap_by(struct vd_hsm *hsm, const struct vd_hsm_wrapped *w, struct wrapping *way,
                           struct vd_diag *diag)
{
    struct vd_hsm_crypt request = crypt_of(w);

    way->given = (struct hsm_bytes){w->data, w->size};
    if (w->method == VD_HSM_BY_KEY_WRAP)
        return hsm_run(hsm, key_unwrap_in, way, diag);
    request.data = w->data;
    request.size = w->size;
    return vd_hsm_decrypt(hsm, way->key, &request, way->unwrapped, diag);
}

vd_status vd_hsm_unwrap(struct vd_hsm *hsm, const void *data, size_t size, struct vd_secret *ret,
                        struct vd_diag *diag)
{
    struct vd_secret payload VD_AUTO(vd_secret_done) = {};
    struct vd_hsm_wrapped wrapped;
    struct vd_hsm_key key;
    struct wrapping way = {.key = &key, .unwrapped = &payload};
    uint8_t digest[VD_SHA256_SIZE];
    vd_status status;

    VD_TRY(vd_hsm_wrapped_parse(data, size, &wrapped, diag));
    status = vd_hsm_find(hsm, &wrapped.where, wrapped.where.class, &key, diag);
    if (status != VD_OK)
        return status == VD_E_NOT_FOUND ? VD_E_MISSING : status;
    VD_TRY(unwrap_by(hsm, &wrapped, &way, diag));
    VD_TRY(vd_hash(VD_HASH_SHA256, data, wrapped.header_size, digest, diag));
    if (payload.size != PAYLOAD_SIZE ||
        !vd_ct_equal(payload.data + VD_HSM_WRAP_SECRET, digest, sizeof(digest)))
        return vd_diag_fail(diag, VD_E_DENIED, "the wrapped key's header was changed");
    return vd_secret_set(ret, payload.data, VD_HSM_WRAP_SECRET, diag);
}

/* The size of what the method makes is part of the header, which is part of what it wraps. */
static size_t wrapped_size(const struct vd_hsm_wrapped *w, const struct vd_hsm_key *key)
{
    switch (w->method) {
    case VD_HSM_BY_GCM:
        return PAYLOAD_SIZE + VD_HSM_GCM_OVERHEAD;
    case VD_HSM_BY_KEY_WRAP:
        return PAYLOAD_SIZE + 8;
    default:
        return key->bits / 8;
    }
}

static vd_status wrap_and_try(struct vd_hsm *hsm, struct vd_hsm_wrapped *w, struct wrapping *way,
                              struct vd_hsm_block *ret, struct vd_diag *diag)
{
    struct vd_secret back VD_AUTO(vd_secret_done) = {};
    struct vd_hsm_block block, made;
    size_t size = wrapped_size(w, way->key);

    if (write_header(w, size, &block) != VD_OK || block.size + size > sizeof(block.data))
        return vd_diag_fail(diag, VD_E_LIMIT, "the wrapped key would be too large");
    VD_TRY(vd_hash(VD_HASH_SHA256, block.data, block.size, way->payload->data + VD_HSM_WRAP_SECRET,
                   diag));
    way->made = &made;
    VD_TRY(wrap_by(hsm, w, way, diag));
    if (made.size != size)
        return vd_diagf(diag, VD_E_INVALID, "the token wrapped 64 bytes to %zu, expected %zu",
                        made.size, size);
    vd_copy(block.data + block.size, made.data, size);
    block.size += size;
    VD_TRY(vd_hsm_unwrap(hsm, block.data, block.size, &back, diag));
    if (!vd_ct_equal(back.data, way->payload->data, VD_HSM_WRAP_SECRET))
        return vd_diag_fail(diag, VD_E_DIFFERS, "the token unwraps something else than it wrapped");
    *ret = block;
    return VD_OK;
}

vd_status vd_hsm_wrap(struct vd_hsm *hsm, struct vd_hsm_key *key, const struct vd_secret *secret,
                      struct vd_hsm_block *ret, struct vd_diag *diag)
{
    static const struct {
        enum vd_hsm_method method;
        enum vd_hsm_hash hash;
        enum vd_hsm_kind kind;
    } ways[] = {
        {VD_HSM_BY_GCM, 0, VD_HSM_AES},
        {VD_HSM_BY_KEY_WRAP, 0, VD_HSM_AES},
        {VD_HSM_BY_OAEP, VD_HSM_SHA256, VD_HSM_RSA},
        {VD_HSM_BY_OAEP, VD_HSM_SHA1, VD_HSM_RSA},
    };
    struct vd_secret payload VD_AUTO(vd_secret_done) = {};
    struct wrapping way = {.key = key, .payload = &payload};
    struct vd_hsm_wrapped w = {.where = {.slot = VD_HSM_ANY_SLOT, .class = key->class}};
    vd_status status = VD_E_USAGE;
    struct vd_diag own = {};

    if (secret->size != VD_HSM_WRAP_SECRET || key->class == VD_HSM_PUBLIC)
        return vd_diagf(diag, VD_E_USAGE,
                        "a secret of %u bytes is wrapped, by a secret or private "
                        "key",
                        VD_HSM_WRAP_SECRET);
    VD_TRY(vd_secret_init(&payload, PAYLOAD_SIZE, diag));
    vd_copy(payload.data, secret->data, VD_HSM_WRAP_SECRET);
    vd_copy(w.where.token, hsm->token.label, sizeof(w.where.token));
    vd_copy(w.where.serial, hsm->token.serial, sizeof(w.where.serial));
    vd_copy(w.where.object, key->label, sizeof(w.where.object));
    vd_copy(w.where.id, key->id, sizeof(w.where.id));
    w.where.id_size = key->id_size;
    for (size_t i = 0; i < VD_COUNT(ways); i++) {
        if (ways[i].kind != key->kind)
            continue;
        own = (struct vd_diag){};
        w.method = ways[i].method;
        w.hash = ways[i].hash;
        status = wrap_and_try(hsm, &w, &way, ret, &own);
        if (status == VD_OK || status == VD_E_MISSING || status == VD_E_NO_MEMORY)
            break;
    }
    if (status == VD_E_USAGE)
        return vd_diag_fail(diag, VD_E_USAGE, "expected an AES or RSA key to wrap with");
    if (status != VD_OK && diag != NULL && diag->status == VD_OK)
        *diag = own;
    return status;
}
