/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What objects say of themselves: each attribute is made when it is asked for. */
#include "lib/pkcs11/internal.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/base/mem.h"
#include "core/base/reader.h"

static const uint8_t p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
static const uint8_t ed25519[] = {0x06, 0x03, 0x2b, 0x65, 0x70};
static const uint8_t x25519[] = {0x06, 0x03, 0x2b, 0x65, 0x6e};

static CK_RV bytes(struct vd_p11_value *ret, const void *data, size_t size)
{
    ret->data = data;
    ret->size = size;
    return CKR_OK;
}

static CK_RV boolean(struct vd_p11_value *ret, bool value)
{
    ret->scratch[0] = value ? CK_TRUE : CK_FALSE;
    return bytes(ret, ret->scratch, sizeof(CK_BBOOL));
}

static CK_RV number(struct vd_p11_value *ret, CK_ULONG value)
{
    vd_copy(ret->scratch, &value, sizeof(value));
    return bytes(ret, ret->scratch, sizeof(value));
}

static CK_RV withheld(struct vd_p11_value *ret)
{
    ret->withheld = true;
    return CKR_OK;
}

/* A date as CK_DATE: YYYYMMDD; none is empty. */
static CK_RV date(struct vd_p11_value *ret, uint64_t seconds)
{
    time_t t = (time_t)seconds;
    struct tm tm;

    if (seconds == 0 || gmtime_r(&t, &tm) == NULL || tm.tm_year + 1900 > 9999)
        return bytes(ret, "", 0);
    strftime((char *)ret->scratch, sizeof(ret->scratch), "%Y%m%d", &tm);
    return bytes(ret, ret->scratch, 8);
}

/* One element of DER with that tag: its content. */
static bool element(struct vd_reader *r, uint8_t tag, struct vd_reader *ret)
{
    uint8_t got, first, byte;
    size_t size;

    if (vd_read_u8(r, &got) != VD_OK || got != tag || vd_read_u8(r, &first) != VD_OK)
        return false;
    size = first;
    if (first >= 0x80) {
        if (first > 0x82)
            return false;
        size = 0;
        for (uint8_t i = 0; i < (first & 0x7f); i++) {
            if (vd_read_u8(r, &byte) != VD_OK)
                return false;
            size = size << 8 | byte;
        }
    }
    return vd_read_sub(r, size, ret) == VD_OK;
}

/* The bit string of a SubjectPublicKeyInfo. */
static bool key_bits(const uint8_t *spki, size_t size, struct vd_reader *ret)
{
    struct vd_reader r, outer, algorithm;
    uint8_t unused;

    vd_reader_init(&r, spki, size);
    return element(&r, 0x30, &outer) && element(&outer, 0x30, &algorithm) &&
           element(&outer, 0x03, ret) && vd_read_u8(ret, &unused) == VD_OK && unused == 0;
}

/* Modulus or exponent, without the zero in front that keeps it positive. */
static CK_RV rsa_part(struct vd_reader *bits, bool exponent, struct vd_p11_value *ret)
{
    struct vd_reader sequence, n, e, *part = exponent ? &e : &n;

    if (!element(bits, 0x30, &sequence) || !element(&sequence, 0x02, &n) ||
        !element(&sequence, 0x02, &e))
        return CKR_DEVICE_ERROR;
    while (vd_reader_left(part) > 1 && *part->pos == 0)
        part->pos++;
    return bytes(ret, part->pos, vd_reader_left(part));
}

/* CKA_EC_POINT is an OCTET STRING around the point: its two octets stand in front. */
static CK_RV ec_point(struct vd_p11_object *o, struct vd_reader *bits, struct vd_p11_value *ret)
{
    struct vd_p11_key *key = o->key;
    size_t size = vd_reader_left(bits);

    if (size > sizeof(key->point) - 2)
        return CKR_DEVICE_ERROR;
    pthread_mutex_lock(&key->lock);
    if (key->point_size == 0) {
        key->point[0] = 0x04;
        key->point[1] = (uint8_t)size;
        vd_copy(key->point + 2, bits->pos, size);
        key->point_size = size + 2;
    }
    pthread_mutex_unlock(&key->lock);
    return bytes(ret, key->point, size + 2);
}

static CK_RV of_public(struct vd_p11_object *o, CK_ATTRIBUTE_TYPE type, struct vd_p11_value *ret)
{
    const uint8_t *spki;
    struct vd_reader bits;
    size_t size;
    CK_RV rv = vd_p11_key_public(o->key, &spki, &size);

    if (rv != CKR_OK)
        return rv;
    if (type == CKA_PUBLIC_KEY_INFO)
        return bytes(ret, spki, size);
    if (!key_bits(spki, size, &bits))
        return CKR_DEVICE_ERROR;
    switch (type) {
    case CKA_MODULUS:
        return rsa_part(&bits, false, ret);
    case CKA_PUBLIC_EXPONENT:
        return rsa_part(&bits, true, ret);
    case CKA_EC_POINT:
        return ec_point(o, &bits, ret);
    default:
        return bytes(ret, bits.pos, vd_reader_left(&bits));
    }
}

/* What the type alone says. */
static CK_RV of_type(struct vd_p11_object *o, CK_ATTRIBUTE_TYPE type, struct vd_p11_value *ret)
{
    bool public_object = o->class == CKO_PUBLIC_KEY;
    uint16_t alg = o->key->type;
    bool ec = alg == VD_ALG_ECDSA_P256 || alg == VD_ALG_ED25519 || alg == VD_ALG_X25519;
    bool ml = alg == VD_ALG_ML_KEM_768 || alg == VD_ALG_ML_DSA_65;

    switch (type) {
    case CKA_VALUE:
        if (public_object)
            return ml ? of_public(o, type, ret) : CKR_ATTRIBUTE_TYPE_INVALID;
        return withheld(ret);
    case CKA_VALUE_LEN:
        return o->class == CKO_SECRET_KEY ? number(ret, 32) : CKR_ATTRIBUTE_TYPE_INVALID;
    case CKA_MODULUS_BITS:
        return alg == VD_ALG_RSA_4096 && public_object ? number(ret, 4096)
                                                       : CKR_ATTRIBUTE_TYPE_INVALID;
    case CKA_MODULUS:
    case CKA_PUBLIC_EXPONENT:
        return alg == VD_ALG_RSA_4096 ? of_public(o, type, ret) : CKR_ATTRIBUTE_TYPE_INVALID;
    case CKA_PRIVATE_EXPONENT:
    case CKA_PRIME_1:
    case CKA_PRIME_2:
    case CKA_EXPONENT_1:
    case CKA_EXPONENT_2:
    case CKA_COEFFICIENT:
        return alg == VD_ALG_RSA_4096 && !public_object ? withheld(ret)
                                                        : CKR_ATTRIBUTE_TYPE_INVALID;
    case VD_CKA_SEED:
        return ml && !public_object ? withheld(ret) : CKR_ATTRIBUTE_TYPE_INVALID;
    case CKA_EC_PARAMS:
        if (alg == VD_ALG_ECDSA_P256)
            return bytes(ret, p256, sizeof(p256));
        return !ec ? CKR_ATTRIBUTE_TYPE_INVALID
                   : bytes(ret, alg == VD_ALG_ED25519 ? ed25519 : x25519, sizeof(ed25519));
    case CKA_EC_POINT:
        return ec ? of_public(o, type, ret) : CKR_ATTRIBUTE_TYPE_INVALID;
    case VD_CKA_PARAMETER_SET:
        return !ml ? CKR_ATTRIBUTE_TYPE_INVALID
                   : number(ret, alg == VD_ALG_ML_DSA_65 ? VD_CKP_ML_DSA_65 : VD_CKP_ML_KEM_768);
    case CKA_PUBLIC_KEY_INFO:
        return o->class != CKO_SECRET_KEY ? of_public(o, type, ret) : CKR_ATTRIBUTE_TYPE_INVALID;
    default:
        return CKR_ATTRIBUTE_TYPE_INVALID;
    }
}

/* X(attribute, usage, on private or secret keys, on public keys) */
#define USAGES(X)                                      \
    X(CKA_ENCRYPT, VD_ALG_ENCRYPT, SECRET | PUBLIC)    \
    X(CKA_DECRYPT, VD_ALG_DECRYPT, SECRET | PRIVATE)   \
    X(CKA_SIGN, VD_ALG_SIGN, SECRET | PRIVATE)         \
    X(CKA_VERIFY, VD_ALG_VERIFY, SECRET | PUBLIC)      \
    X(CKA_WRAP, VD_ALG_WRAP, SECRET | PUBLIC)          \
    X(CKA_UNWRAP, VD_ALG_UNWRAP, SECRET | PRIVATE)     \
    X(VD_CKA_ENCAPSULATE, VD_ALG_ENCAPSULATE, PUBLIC)  \
    X(VD_CKA_DECAPSULATE, VD_ALG_DECAPSULATE, PRIVATE) \
    X(CKA_SIGN_RECOVER, 0, SECRET | PRIVATE)           \
    X(CKA_VERIFY_RECOVER, 0, SECRET | PUBLIC)
#define SECRET  1u
#define PRIVATE 2u
#define PUBLIC  4u

static CK_RV of_key(struct vd_p11_object *o, CK_ATTRIBUTE_TYPE type, struct vd_p11_value *ret)
{
    struct vd_p11_key *key = o->key;
    bool public_object = o->class == CKO_PUBLIC_KEY;
    unsigned kind = public_object ? PUBLIC : o->class == CKO_PRIVATE_KEY ? PRIVATE : SECRET;

    switch (type) {
#define USAGE(attribute, usage, kinds)                                                    \
    case attribute:                                                                       \
        return ((kinds)&kind) != 0 ? boolean(ret, (key->usages & (uint32_t)(usage)) != 0) \
                                   : CKR_ATTRIBUTE_TYPE_INVALID;
        USAGES(USAGE)
#undef USAGE
    case CKA_ALLOWED_MECHANISMS: /* none: no restriction was asked for */
        return bytes(ret, key->said[VD_P11_SAID_MECHANISMS].data,
                     key->said[VD_P11_SAID_MECHANISMS].size);
    case CKA_KEY_TYPE:
        return number(ret, o->key_type);
    case CKA_DERIVE: /* every key has it */
        return boolean(ret, !public_object && (key->usages & VD_ALG_DERIVE) != 0);
    case CKA_START_DATE:
        return date(ret, key->not_before);
    case CKA_END_DATE:
        return date(ret, key->not_after);
    case CKA_LOCAL:
        return boolean(ret, false); /* the service does not say */
    case CKA_KEY_GEN_MECHANISM:
        return number(ret, CK_UNAVAILABLE_INFORMATION);
    case CKA_SUBJECT:
        return bytes(ret, "", 0);
    case CKA_SENSITIVE:
        return public_object ? CKR_ATTRIBUTE_TYPE_INVALID : boolean(ret, o->sensitive);
    case CKA_EXTRACTABLE:
        return public_object ? CKR_ATTRIBUTE_TYPE_INVALID : boolean(ret, o->extractable);
    case CKA_ALWAYS_SENSITIVE:
    case CKA_NEVER_EXTRACTABLE:
    case CKA_WRAP_WITH_TRUSTED:
        return public_object ? CKR_ATTRIBUTE_TYPE_INVALID : boolean(ret, false);
    case CKA_ALWAYS_AUTHENTICATE:
        return o->class == CKO_PRIVATE_KEY ? boolean(ret, false) : CKR_ATTRIBUTE_TYPE_INVALID;
    case CKA_TRUSTED:
        return o->class != CKO_PRIVATE_KEY ? boolean(ret, false) : CKR_ATTRIBUTE_TYPE_INVALID;
    default:
        return of_type(o, type, ret);
    }
}

/* The DER of a name or number inside a certificate, kept with the object. */
static CK_RV of_certificate(struct vd_p11_object *o, CK_ATTRIBUTE_TYPE type,
                            struct vd_p11_value *ret)
{
    struct vd_reader r, certificate, tbs, skip, from;
    uint8_t tag;

    switch (type) {
    case CKA_CERTIFICATE_TYPE:
        return number(ret, CKC_X_509);
    case CKA_CERTIFICATE_CATEGORY:
        return number(ret, 0);
    case CKA_TRUSTED:
        return boolean(ret, false);
    case CKA_START_DATE:
    case CKA_END_DATE:
        return bytes(ret, "", 0);
    case CKA_VALUE:
        return bytes(ret, o->value, o->value_size);
    case CKA_SERIAL_NUMBER:
    case CKA_ISSUER:
    case CKA_SUBJECT:
        break;
    default:
        return CKR_ATTRIBUTE_TYPE_INVALID;
    }
    /* TBSCertificate: [0] version, serial, algorithm, issuer, validity, subject (RFC 5280, 4.1). */
    vd_reader_init(&r, o->value, o->value_size);
    if (!element(&r, 0x30, &certificate) || !element(&certificate, 0x30, &tbs))
        return CKR_DEVICE_ERROR;
    if (vd_reader_left(&tbs) != 0 && *tbs.pos == 0xa0 && !element(&tbs, 0xa0, &skip))
        return CKR_DEVICE_ERROR;
    for (unsigned i = 0; vd_reader_left(&tbs) != 0; i++) {
        const uint8_t *start = tbs.pos;
        tag = *start;
        if (!element(&tbs, tag, &from))
            return CKR_DEVICE_ERROR;
        if ((i == 0 && type == CKA_SERIAL_NUMBER) || (i == 2 && type == CKA_ISSUER) ||
            (i == 4 && type == CKA_SUBJECT))
            return bytes(ret, start, (size_t)(tbs.pos - start));
    }
    return CKR_DEVICE_ERROR;
}

/* An object that an application made for its session: a secret or data. */
static CK_RV of_session(struct vd_p11_object *o, CK_ATTRIBUTE_TYPE type, struct vd_p11_value *ret)
{
    bool secret = o->class == CKO_SECRET_KEY;

    switch (type) {
    case CKA_VALUE:
        return secret && (o->sensitive || !o->extractable) ? withheld(ret)
                                                           : bytes(ret, o->value, o->value_size);
    case CKA_APPLICATION:
    case CKA_OBJECT_ID:
        return secret ? CKR_ATTRIBUTE_TYPE_INVALID : bytes(ret, "", 0);
    default:
        break;
    }
    if (!secret)
        return CKR_ATTRIBUTE_TYPE_INVALID;
    switch (type) {
    case CKA_KEY_TYPE:
        return number(ret, o->key_type);
    case CKA_VALUE_LEN:
        return number(ret, o->value_size);
    case CKA_SENSITIVE:
        return boolean(ret, o->sensitive);
    case CKA_EXTRACTABLE:
        return boolean(ret, o->extractable);
    case CKA_LOCAL:
    case CKA_ALWAYS_SENSITIVE:
    case CKA_NEVER_EXTRACTABLE:
    case CKA_ENCRYPT:
    case CKA_DECRYPT:
    case CKA_SIGN:
    case CKA_VERIFY:
    case CKA_WRAP:
    case CKA_UNWRAP:
    case CKA_DERIVE:
        return boolean(ret, false);
    case CKA_KEY_GEN_MECHANISM:
        return number(ret, CK_UNAVAILABLE_INFORMATION);
    default:
        return CKR_ATTRIBUTE_TYPE_INVALID;
    }
}

static CK_RV said(const struct vd_p11_key *key, enum vd_p11_said what, struct vd_p11_value *ret)
{
    return bytes(ret, key->said[what].data, key->said[what].size);
}

static CK_RV label_of(struct vd_p11_object *o, struct vd_p11_value *ret)
{
    if (o->key == NULL)
        return bytes(ret, o->label, o->label_size);
    if (o->key->said[VD_P11_SAID_LABEL].data != NULL)
        return said(o->key, VD_P11_SAID_LABEL, ret);
    return bytes(ret, o->key->name, strlen(o->key->name));
}

static CK_RV id_of(struct vd_p11_object *o, struct vd_p11_value *ret)
{
    if (o->class == CKO_DATA)
        return CKR_ATTRIBUTE_TYPE_INVALID;
    if (o->key == NULL)
        return bytes(ret, o->id, o->id_size);
    if (o->key->said[VD_P11_SAID_ID].data != NULL)
        return said(o->key, VD_P11_SAID_ID, ret);
    return bytes(ret, o->key->id, sizeof(o->key->id));
}

CK_RV vd_p11_attribute(struct vd_p11_object *object, CK_ATTRIBUTE_TYPE type,
                       struct vd_p11_value *ret)
{
    *ret = (struct vd_p11_value){};
    switch (type) {
    case CKA_CLASS:
        return number(ret, object->class);
    case CKA_TOKEN:
        return boolean(ret, object->session == 0);
    case CKA_PRIVATE:
        return boolean(ret, false); /* no login hides it */
    case CKA_MODIFIABLE:
        return boolean(ret, object->key != NULL && object->class != CKO_CERTIFICATE &&
                                vd_p11_key_made_here(object->key));
    case CKA_COPYABLE:
        return boolean(ret, false);
    case CKA_DESTROYABLE:
        return boolean(ret, true);
    case CKA_LABEL:
        return label_of(object, ret);
    case CKA_ID:
        return id_of(object, ret);
    case VD_CKA_UNIQUE_ID:
        snprintf((char *)ret->scratch, sizeof(ret->scratch), "%lx", object->handle);
        return bytes(ret, ret->scratch, strlen((char *)ret->scratch));
    default:
        break;
    }
    if (object->class == CKO_CERTIFICATE)
        return of_certificate(object, type, ret);
    return object->key != NULL ? of_key(object, type, ret) : of_session(object, type, ret);
}

bool vd_p11_matches(struct vd_p11_object *object, const CK_ATTRIBUTE *template, CK_ULONG count)
{
    for (CK_ULONG i = 0; i < count; i++) {
        struct vd_p11_value value;
        if (vd_p11_attribute(object, template[i].type, &value) != CKR_OK || value.withheld ||
            value.size != template[i].ulValueLen ||
            (value.size != 0 && memcmp(value.data, template[i].pValue, value.size) != 0))
            return false;
    }
    return true;
}
