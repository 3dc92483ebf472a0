/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Making, importing and destroying keys. What a template does not say is the safer choice: a key
 * is not exportable, and is always sensitive, since no key leaves the service in clear.
 */
#include "lib/pkcs11/create.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/mem.h"
#include "lib/pkcs11/mechanism.h"

/* Every attribute of usage: which bit, and which types of keys can have it. */
static const struct {
    CK_ATTRIBUTE_TYPE attribute;
    uint32_t usage;
    uint32_t types; /* 1 << enum vd_alg_type */
} usages[] = {
    {CKA_ENCRYPT, VD_ALG_ENCRYPT,
     1u << VD_ALG_AES_256_GCM | 1u << VD_ALG_CHACHA20_POLY1305 | 1u << VD_ALG_RSA_4096},
    {CKA_DECRYPT, VD_ALG_DECRYPT,
     1u << VD_ALG_AES_256_GCM | 1u << VD_ALG_CHACHA20_POLY1305 | 1u << VD_ALG_RSA_4096},
    {CKA_SIGN, VD_ALG_SIGN,
     1u << VD_ALG_RSA_4096 | 1u << VD_ALG_ECDSA_P256 | 1u << VD_ALG_ED25519 |
         1u << VD_ALG_ML_DSA_65 | 1u << VD_ALG_HMAC_SHA256},
    {CKA_VERIFY, VD_ALG_VERIFY,
     1u << VD_ALG_RSA_4096 | 1u << VD_ALG_ECDSA_P256 | 1u << VD_ALG_ED25519 |
         1u << VD_ALG_ML_DSA_65 | 1u << VD_ALG_HMAC_SHA256},
    {CKA_DERIVE, VD_ALG_DERIVE,
     1u << VD_ALG_ECDSA_P256 | 1u << VD_ALG_X25519 | 1u << VD_ALG_HKDF_SHA256},
    {CKA_WRAP, VD_ALG_WRAP, 1u << VD_ALG_AES_256_GCM | 1u << VD_ALG_CHACHA20_POLY1305},
    {CKA_UNWRAP, VD_ALG_UNWRAP, 1u << VD_ALG_AES_256_GCM | 1u << VD_ALG_CHACHA20_POLY1305},
    {VD_CKA_ENCAPSULATE, VD_ALG_ENCAPSULATE, 1u << VD_ALG_ML_KEM_768},
    {VD_CKA_DECAPSULATE, VD_ALG_DECAPSULATE, 1u << VD_ALG_ML_KEM_768},
};

/* Adds the usages that the template gives, and notes which it speaks of. */
static CK_RV read_usages(const struct vd_p11_template *t, uint16_t type, uint32_t *given,
                         uint32_t *said)
{
    for (size_t i = 0; i < VD_COUNT(usages); i++) {
        CK_BBOOL value;
        CK_RV rv = vd_p11_template_bool(t, usages[i].attribute, CK_FALSE, &value);
        if (rv != CKR_OK)
            return rv;
        if (vd_p11_template_find(t, usages[i].attribute) != NULL &&
            (usages[i].types & 1u << type) != 0)
            *said |= usages[i].usage;
        if (value && (usages[i].types & 1u << type) != 0)
            *given |= usages[i].usage;
    }
    return CKR_OK;
}

/* With CKM_AES_GCM among the allowed mechanisms the application asks to pick nonces itself. */
static CK_RV read_allowed(const struct vd_p11_template *t, uint32_t *given)
{
    const CK_ATTRIBUTE *a = vd_p11_template_find(t, CKA_ALLOWED_MECHANISMS);

    if (a == NULL)
        return CKR_OK;
    if (a->ulValueLen % sizeof(CK_MECHANISM_TYPE) != 0)
        return CKR_ATTRIBUTE_VALUE_INVALID;
    for (size_t i = 0; i < a->ulValueLen / sizeof(CK_MECHANISM_TYPE); i++) {
        CK_MECHANISM_TYPE m;
        vd_copy(&m, (const uint8_t *)a->pValue + i * sizeof(m), sizeof(m));
        if ((m == CKM_AES_GCM || m == VD_CKM_CHACHA20_POLY1305) && (*given & VD_ALG_ENCRYPT) != 0)
            *given |= VD_ALG_ENCRYPT_OWN_NONCE;
    }
    return CKR_OK;
}

static CK_RV read_date(const struct vd_p11_template *t, CK_ATTRIBUTE_TYPE type, uint64_t *ret)
{
    const CK_ATTRIBUTE *a = vd_p11_template_find(t, type);
    unsigned year, month, day;
    struct tm tm = {};
    char text[9];

    if (a == NULL || a->ulValueLen == 0)
        return CKR_OK;
    if (a->ulValueLen != 8)
        return CKR_ATTRIBUTE_VALUE_INVALID;
    vd_copy(text, a->pValue, 8);
    text[8] = '\0';
    if (strspn(text, "0123456789") != 8 || sscanf(text, "%4u%2u%2u", &year, &month, &day) != 3 ||
        year < 1970 || month < 1 || month > 12 || day < 1 || day > 31)
        return CKR_ATTRIBUTE_VALUE_INVALID;
    tm.tm_year = (int)year - 1900;
    tm.tm_mon = (int)month - 1;
    tm.tm_mday = (int)day;
    *ret = (uint64_t)timegm(&tm);
    return CKR_OK;
}

/* A name of its own: what the label has of letters that a name can have, and a random number. */
static CK_RV make_name(const CK_ATTRIBUTE *label, char ret[VD_KEY_NAME_MAX + 1])
{
    uint8_t random[8];
    size_t at = strlen(VD_P11_NAMES), size = label != NULL ? label->ulValueLen : 0;
    CK_RV rv = vd_p11_rv(vd_p11_service_random(random, sizeof(random)));

    if (rv != CKR_OK)
        return rv;
    vd_copy(ret, VD_P11_NAMES, at);
    for (size_t i = 0; i < size && i < 64; i++) {
        char c[2] = {((const char *)label->pValue)[i], '\0'};
        ret[at++] = vd_key_name_valid(c, 1, false) && c[0] != '/' ? c[0] : '-';
    }
    if (size != 0)
        ret[at++] = '-';
    for (size_t i = 0; i < sizeof(random); i++)
        at += (size_t)snprintf(ret + at, 3, "%02x", random[i]);
    return CKR_OK;
}

CK_RV vd_p11_read_attributes(const struct vd_p11_template *t, const struct vd_p11_template *other,
                             uint16_t type, struct vd_key_attributes *ret)
{
    uint32_t given = 0, said = 0;
    CK_BBOOL extractable;
    CK_RV rv = read_usages(t, type, &given, &said);

    *ret = (struct vd_key_attributes){.type = type};
    if (rv == CKR_OK && other != NULL)
        rv = read_usages(other, type, &given, &said);
    if (rv == CKR_OK)
        rv = read_allowed(t, &given);
    if (rv == CKR_OK)
        rv = vd_p11_template_bool(t, CKA_EXTRACTABLE, CK_FALSE, &extractable);
    if (rv == CKR_OK)
        rv = read_date(t, CKA_START_DATE, &ret->not_before);
    if (rv == CKR_OK)
        rv = read_date(t, CKA_END_DATE, &ret->not_after);
    if (rv != CKR_OK)
        return rv;
    /* Whoever could decrypt with a wrapping key could read what it wraps. */
    if ((given & (VD_ALG_WRAP | VD_ALG_UNWRAP)) != 0 &&
        (given & ~(uint32_t)(VD_ALG_WRAP | VD_ALG_UNWRAP)) != 0)
        return CKR_TEMPLATE_INCONSISTENT;
    if (said != 0 && given == 0)
        return CKR_TEMPLATE_INCONSISTENT; /* a key for nothing */
    ret->usages = given;
    ret->flags = extractable ? 0 : VD_KEY_NON_EXPORTABLE;
    return make_name(vd_p11_template_find(t, CKA_LABEL), ret->name);
}

CK_RV vd_p11_check_token(const struct vd_p11_template *t, const struct vd_p11_session *s)
{
    CK_BBOOL token;
    CK_RV rv = vd_p11_template_bool(t, CKA_TOKEN, CK_FALSE, &token);

    if (rv != CKR_OK)
        return rv;
    if (!token)
        return CKR_TEMPLATE_INCONSISTENT;
    return (s->flags & CKF_RW_SESSION) != 0 ? CKR_OK : CKR_SESSION_READ_ONLY;
}

CK_RV vd_p11_make_key(const struct vd_p11_new_key *from, const struct vd_p11_template *t,
                      CK_OBJECT_HANDLE *ret_secret, CK_OBJECT_HANDLE *ret_public)
{
    struct vd_key_info info;
    struct vd_p11_key *key;
    CK_RV rv = vd_p11_rv(vd_p11_service_create(from, &info));

    if (rv != CKR_OK)
        return rv;
    key = vd_p11_key_new(&info);
    if (key == NULL)
        return CKR_HOST_MEMORY;
    rv = vd_p11_key_describe(key, t);
    if (rv == CKR_OK) {
        vd_p11_service_close_key(key); /* it may be one of many */
        vd_p11_key_call(key, t);
        rv = vd_p11_objects_of_key(key, ret_secret, ret_public);
    } else {
        (void)!vd_p11_service_destroy(key); /* nobody would find it */
    }
    vd_p11_key_put(key);
    return rv;
}

/* What a template may say of a key's kind must be what the mechanism makes. */
static CK_RV check_kind(const struct vd_p11_template *t, CK_OBJECT_CLASS class, uint16_t type)
{
    static const uint8_t p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    const CK_ATTRIBUTE *params = vd_p11_template_find(t, CKA_EC_PARAMS);
    CK_ULONG value;
    CK_RV rv = vd_p11_template_ulong(t, CKA_CLASS, class, &value);

    if (rv == CKR_OK && value != class)
        return CKR_TEMPLATE_INCONSISTENT;
    if (rv == CKR_OK)
        rv = vd_p11_template_ulong(t, CKA_MODULUS_BITS, 4096, &value);
    if (rv == CKR_OK && type == VD_ALG_RSA_4096 && value != 4096)
        return CKR_KEY_SIZE_RANGE;
    if (rv == CKR_OK)
        rv = vd_p11_template_ulong(t, CKA_VALUE_LEN, 32, &value);
    if (rv == CKR_OK && class == CKO_SECRET_KEY && value != 32)
        return CKR_KEY_SIZE_RANGE;
    if (rv == CKR_OK)
        rv = vd_p11_template_ulong(t, VD_CKA_PARAMETER_SET, VD_CKP_ML_DSA_65, &value);
    if (rv == CKR_OK && (type == VD_ALG_ML_DSA_65 || type == VD_ALG_ML_KEM_768) &&
        value != VD_CKP_ML_DSA_65)
        return CKR_KEY_SIZE_RANGE;
    if (rv == CKR_OK && type == VD_ALG_ECDSA_P256 && params != NULL &&
        (params->ulValueLen != sizeof(p256) || memcmp(params->pValue, p256, sizeof(p256)) != 0))
        return CKR_CURVE_NOT_SUPPORTED;
    return rv;
}

CK_RV C_GenerateKey(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_ATTRIBUTE *template,
                    CK_ULONG count, CK_OBJECT_HANDLE *ret)
{
    const struct vd_p11_template t = {template, count};
    const struct vd_p11_mechanism_row *row;
    struct vd_p11_new_key new = {};
    struct vd_p11_session *s;
    CK_RV rv = vd_p11_enter(session, &s);

    if (rv != CKR_OK)
        return rv;
    if (mechanism == NULL || ret == NULL)
        return vd_p11_leave(s, CKR_ARGUMENTS_BAD);
    row = vd_p11_mechanism_find(mechanism->mechanism, 0);
    if (row == NULL || (row->flags & CKF_GENERATE) == 0)
        return vd_p11_leave(s, CKR_MECHANISM_INVALID);
    rv = vd_p11_template_check(&t);
    if (rv == CKR_OK)
        rv = vd_p11_check_token(&t, s);
    if (rv == CKR_OK)
        rv = check_kind(&t, CKO_SECRET_KEY, row->key);
    if (rv == CKR_OK)
        rv = vd_p11_read_attributes(&t, NULL, row->key, &new.attributes);
    if (rv == CKR_OK)
        rv = vd_p11_make_key(&new, &t, ret, NULL);
    return vd_p11_leave(s, rv);
}

CK_RV C_GenerateKeyPair(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
                        CK_ATTRIBUTE *public_template, CK_ULONG public_count,
                        CK_ATTRIBUTE *private_template, CK_ULONG private_count,
                        CK_OBJECT_HANDLE *ret_public, CK_OBJECT_HANDLE *ret_private)
{
    const struct vd_p11_template pub = {public_template, public_count};
    const struct vd_p11_template prv = {private_template, private_count};
    const struct vd_p11_mechanism_row *row;
    struct vd_p11_new_key new = {};
    struct vd_p11_session *s;
    CK_RV rv = vd_p11_enter(session, &s);

    if (rv != CKR_OK)
        return rv;
    if (mechanism == NULL || ret_public == NULL || ret_private == NULL)
        return vd_p11_leave(s, CKR_ARGUMENTS_BAD);
    row = vd_p11_mechanism_find(mechanism->mechanism, 0);
    if (row == NULL || (row->flags & CKF_GENERATE_KEY_PAIR) == 0)
        return vd_p11_leave(s, CKR_MECHANISM_INVALID);
    rv = vd_p11_template_check(&pub);
    if (rv == CKR_OK)
        rv = vd_p11_template_check(&prv);
    if (rv == CKR_OK)
        rv = vd_p11_check_token(&prv, s);
    if (rv == CKR_OK)
        rv = check_kind(&pub, CKO_PUBLIC_KEY, row->key);
    if (rv == CKR_OK)
        rv = check_kind(&prv, CKO_PRIVATE_KEY, row->key);
    if (rv == CKR_OK)
        rv = vd_p11_read_attributes(&prv, &pub, row->key, &new.attributes);
    if (rv == CKR_OK)
        rv = vd_p11_make_key(&new, &prv, ret_private, ret_public);
    return vd_p11_leave(s, rv);
}

/* A key that an application has in clear: which type it becomes, and its bytes. */
static CK_RV material_of(const struct vd_p11_template *t, CK_OBJECT_CLASS class, uint16_t *ret_type,
                         struct vd_p11_new_key *ret)
{
    const CK_ATTRIBUTE *value = vd_p11_template_find(t, CKA_VALUE);
    const CK_ATTRIBUTE *seed = vd_p11_template_find(t, VD_CKA_SEED);
    CK_ULONG type;
    CK_RV rv = vd_p11_template_ulong(t, CKA_KEY_TYPE, CK_UNAVAILABLE_INFORMATION, &type);

    if (rv != CKR_OK)
        return rv;
    ret->form = VD_ALG_FORM_RAW;
    switch (type) {
    case CKK_AES:
        *ret_type = VD_ALG_AES_256_GCM;
        break;
    case VD_CKK_CHACHA20:
        *ret_type = VD_ALG_CHACHA20_POLY1305;
        break;
    case CKK_SHA256_HMAC:
    case CKK_GENERIC_SECRET:
        *ret_type = VD_ALG_HMAC_SHA256;
        break;
    case VD_CKK_HKDF:
        *ret_type = VD_ALG_HKDF_SHA256;
        break;
    case CKK_EC:
        *ret_type = VD_ALG_ECDSA_P256;
        break;
    case CKK_EC_EDWARDS:
        *ret_type = VD_ALG_ED25519;
        break;
    case VD_CKK_EC_MONTGOMERY:
        *ret_type = VD_ALG_X25519;
        break;
    case VD_CKK_ML_KEM:
        *ret_type = VD_ALG_ML_KEM_768;
        break;
    case VD_CKK_ML_DSA:
        *ret_type = VD_ALG_ML_DSA_65;
        break;
    default:
        return CKR_ATTRIBUTE_VALUE_INVALID;
    }
    if (*ret_type == VD_ALG_ML_KEM_768 || *ret_type == VD_ALG_ML_DSA_65) {
        ret->form = seed != NULL ? VD_ALG_FORM_SEED : VD_ALG_FORM_EXPANDED;
        value = seed != NULL ? seed : value;
    }
    if (value == NULL)
        return CKR_TEMPLATE_INCOMPLETE;
    if ((class == CKO_SECRET_KEY) !=
        (*ret_type == VD_ALG_AES_256_GCM || *ret_type == VD_ALG_CHACHA20_POLY1305 ||
         *ret_type == VD_ALG_HMAC_SHA256 || *ret_type == VD_ALG_HKDF_SHA256))
        return CKR_TEMPLATE_INCONSISTENT;
    ret->material = value->pValue;
    ret->size = value->ulValueLen;
    return check_kind(t, class, *ret_type);
}

static CK_RV import(const struct vd_p11_template *t, CK_OBJECT_CLASS class,
                    const struct vd_p11_session *s, CK_OBJECT_HANDLE *ret)
{
    struct vd_p11_new_key new = {};
    uint16_t type;
    CK_RV rv = vd_p11_check_token(t, s);

    if (rv == CKR_OK)
        rv = material_of(t, class, &type, &new);
    if (rv == CKR_OK)
        rv = vd_p11_read_attributes(t, NULL, type, &new.attributes);
    return rv == CKR_OK ? vd_p11_make_key(&new, t, ret, NULL) : rv;
}

static CK_RV copy_bytes(const CK_ATTRIBUTE *a, uint8_t **ret, size_t *ret_size)
{
    if (a == NULL || a->ulValueLen == 0)
        return CKR_OK;
    *ret = malloc(a->ulValueLen);
    if (*ret == NULL)
        return CKR_HOST_MEMORY;
    vd_copy(*ret, a->pValue, a->ulValueLen);
    *ret_size = a->ulValueLen;
    return CKR_OK;
}

CK_RV vd_p11_make_session_object(struct vd_p11_object *o, const struct vd_p11_template *t,
                                 const struct vd_p11_session *s, CK_OBJECT_HANDLE *ret)
{
    CK_RV rv = copy_bytes(vd_p11_template_find(t, CKA_LABEL), &o->label, &o->label_size);

    if (rv == CKR_OK)
        rv = copy_bytes(vd_p11_template_find(t, CKA_ID), &o->id, &o->id_size);
    o->session = s->handle;
    if (rv == CKR_OK)
        rv = vd_p11_object_add(o, ret);
    if (rv != CKR_OK)
        vd_p11_object_put(o);
    return rv;
}

static CK_RV make_plain(const struct vd_p11_template *t, CK_OBJECT_CLASS class,
                        const struct vd_p11_session *s, CK_OBJECT_HANDLE *ret)
{
    const CK_ATTRIBUTE *value = vd_p11_template_find(t, CKA_VALUE);
    struct vd_p11_object *o;
    CK_BBOOL token;
    CK_RV rv = vd_p11_template_bool(t, CKA_TOKEN, CK_FALSE, &token);

    if (rv != CKR_OK)
        return rv;
    if (token)
        return CKR_TEMPLATE_INCONSISTENT;
    o = vd_p11_object_new(class);
    if (o == NULL)
        return CKR_HOST_MEMORY;
    rv = copy_bytes(value, &o->value, &o->value_size);
    if (rv != CKR_OK) {
        vd_p11_object_put(o);
        return rv;
    }
    return vd_p11_make_session_object(o, t, s, ret);
}

/* A certificate of the token belongs to the key with the same CKA_ID. */
static CK_RV find_key(const CK_ATTRIBUTE *id, struct vd_p11_key **ret)
{
    struct vd_p11_object **list;
    size_t count;
    CK_RV rv = vd_p11_objects_refresh();

    *ret = NULL;
    if (rv != CKR_OK)
        return rv;
    rv = vd_p11_objects_all(&list, &count);
    if (rv != CKR_OK)
        return rv;
    for (size_t i = 0; i < count; i++) {
        struct vd_p11_object *o = list[i];
        if (*ret == NULL && o->class == CKO_PRIVATE_KEY && o->key != NULL &&
            vd_p11_matches(o, id, 1))
            *ret = vd_p11_key_hold(o->key);
        vd_p11_object_put(o);
    }
    free(list);
    return *ret != NULL ? CKR_OK : CKR_TEMPLATE_INCONSISTENT;
}

static CK_RV add_certificate(const struct vd_p11_template *t, const struct vd_p11_session *s,
                             CK_OBJECT_HANDLE *ret)
{
    const CK_ATTRIBUTE *id = vd_p11_template_find(t, CKA_ID);
    const CK_ATTRIBUTE *value = vd_p11_template_find(t, CKA_VALUE);
    struct vd_key_attach attach = {.action = VD_KEY_ATTACH_PUT, .kind = VD_KEY_ATTACH_CERTIFICATE};
    struct vd_p11_key *key;
    uint8_t digest[64];
    size_t size;
    void *hash;
    CK_RV rv;

    if (value == NULL || id == NULL)
        return CKR_TEMPLATE_INCOMPLETE;
    if ((s->flags & CKF_RW_SESSION) == 0)
        return CKR_SESSION_READ_ONLY;
    if (value->ulValueLen == 0 || value->ulValueLen > VD_KEY_ATTACHMENT_MAX)
        return CKR_ATTRIBUTE_VALUE_INVALID;
    rv = vd_p11_hash_start(vd_p11_hash_find(CKM_SHA256), &hash);
    if (rv != CKR_OK)
        return rv;
    rv = vd_p11_hash_update(hash, value->pValue, value->ulValueLen);
    if (rv == CKR_OK)
        rv = vd_p11_hash_end(hash, digest, &size);
    vd_p11_hash_free(hash);
    if (rv == CKR_OK)
        rv = find_key(id, &key);
    if (rv != CKR_OK)
        return rv;
    for (size_t i = 0; i < 16; i++)
        snprintf(attach.name + 2 * i, 3, "%02x", digest[i]);
    attach.value = value->pValue;
    attach.size = value->ulValueLen;
    rv = vd_p11_rv(vd_p11_service_attach(key, &attach, 1));
    if (rv == CKR_OK)
        rv = vd_p11_objects_refresh();
    if (rv == CKR_OK)
        rv = vd_p11_object_find(key->id, CKO_CERTIFICATE, attach.name, ret);
    vd_p11_key_put(key);
    return rv;
}

CK_RV C_CreateObject(CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG count,
                     CK_OBJECT_HANDLE *ret)
{
    const struct vd_p11_template t = {template, count};
    struct vd_p11_session *s;
    CK_ULONG class = 0;
    CK_BBOOL token;
    CK_RV rv = vd_p11_enter(session, &s);

    if (rv != CKR_OK)
        return rv;
    rv = ret != NULL ? vd_p11_template_check(&t) : CKR_ARGUMENTS_BAD;
    if (rv == CKR_OK && vd_p11_template_find(&t, CKA_CLASS) == NULL)
        rv = CKR_TEMPLATE_INCOMPLETE;
    if (rv == CKR_OK)
        rv = vd_p11_template_ulong(&t, CKA_CLASS, 0, &class);
    if (rv == CKR_OK)
        rv = vd_p11_template_bool(&t, CKA_TOKEN, CK_FALSE, &token);
    if (rv != CKR_OK)
        return vd_p11_leave(s, rv);
    switch (class) {
    case CKO_SECRET_KEY:
    case CKO_PRIVATE_KEY:
        rv = import(&t, class, s, ret);
        break;
    case CKO_CERTIFICATE:
        rv = token ? add_certificate(&t, s, ret) : make_plain(&t, class, s, ret);
        break;
    case CKO_DATA:
        rv = make_plain(&t, class, s, ret);
        break;
    default:
        rv = CKR_ATTRIBUTE_VALUE_INVALID;
        break;
    }
    return vd_p11_leave(s, rv);
}

static CK_RV destroy(struct vd_p11_object *o, const struct vd_p11_session *s)
{
    struct vd_key_attach remove = {.action = VD_KEY_ATTACH_REMOVE,
                                   .kind = VD_KEY_ATTACH_CERTIFICATE};
    CK_RV rv;

    if (o->session != 0) {
        vd_p11_object_remove(o);
        return CKR_OK;
    }
    if ((s->flags & CKF_RW_SESSION) == 0)
        return CKR_SESSION_READ_ONLY;
    if (o->class == CKO_PUBLIC_KEY) /* it goes with its private key */
        return CKR_ACTION_PROHIBITED;
    if (o->class == CKO_CERTIFICATE) {
        snprintf(remove.name, sizeof(remove.name), "%s", o->attachment);
        rv = vd_p11_rv(vd_p11_service_attach(o->key, &remove, 1));
    } else {
        rv = vd_p11_rv(vd_p11_service_destroy(o->key));
    }
    return rv == CKR_OK ? vd_p11_objects_refresh() : rv;
}

CK_RV C_DestroyObject(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object)
{
    struct vd_p11_object *o;
    struct vd_p11_session *s;
    CK_RV rv = vd_p11_enter(session, &s);

    if (rv != CKR_OK)
        return rv;
    rv = vd_p11_object_get(object, &o);
    if (rv != CKR_OK)
        return vd_p11_leave(s, rv);
    rv = destroy(o, s);
    vd_p11_object_put(o);
    return vd_p11_leave(s, rv);
}
