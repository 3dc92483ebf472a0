/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What each type of key is and can do. */
#include "services/crypto/alg/alg.h"

#include <string.h>

#define M(name)    (1u << VD_ALG_##name)
#define F(name)    (1u << VD_ALG_FORM_##name)
#define CRYPT      (VD_ALG_ENCRYPT | VD_ALG_DECRYPT)
#define WRAPPING   (VD_ALG_WRAP | VD_ALG_UNWRAP)
#define SIGNING    (VD_ALG_SIGN | VD_ALG_VERIFY)
#define CERTIFYING (SIGNING | VD_ALG_CERTIFY)
#define PUBLIC     (F(SPKI) | F(RAW_PUBLIC))

static const struct vd_alg_info rows[] = {
    {.type = VD_ALG_AES_256_GCM,
     .name = "aes-256-gcm",
     .usages = CRYPT | WRAPPING | VD_ALG_ENCRYPT_OWN_NONCE,
     .mechanisms = M(AEAD) | M(AEAD_RAW),
     .import_forms = F(RAW),
     .standard = VD_ALG_AEAD,
     .secret_max = VD_ALG_KEY_SIZE},
    {.type = VD_ALG_CHACHA20_POLY1305,
     .name = "chacha20-poly1305",
     .usages = CRYPT | WRAPPING | VD_ALG_ENCRYPT_OWN_NONCE,
     .mechanisms = M(AEAD) | M(AEAD_RAW),
     .import_forms = F(RAW),
     .standard = VD_ALG_AEAD,
     .secret_max = VD_ALG_KEY_SIZE},
    {.type = VD_ALG_RSA_4096,
     .name = "rsa-4096",
     .usages = CRYPT | CERTIFYING | WRAPPING,
     .mechanisms = M(RSA_OAEP_SHA256) | M(RSA_PSS_SHA256) | M(RSA_PKCS1_SHA256) |
                   M(RSA_PSS_SHA256_DIGEST) | M(RSA_PKCS1_SHA256_DIGEST) | M(RSA_PKCS1_RAW) |
                   M(RSA_PSS_SHA384_DIGEST) | M(RSA_PSS_SHA512_DIGEST),
     .import_forms = F(PKCS8) | F(SPKI),
     .standard = VD_ALG_RSA_PSS_SHA256,
     .has_public = true,
     .secret_max = VD_ALG_PKCS8_MAX,
     .signature_max = VD_ALG_RSA_SIZE},
    {.type = VD_ALG_ECDSA_P256,
     .name = "ecdsa-p256",
     .usages = CERTIFYING | VD_ALG_DERIVE,
     .mechanisms = M(ECDSA_SHA256) | M(ECDSA_SHA256_RAW) | M(ECDSA_SHA256_DIGEST) |
                   M(ECDSA_SHA256_RAW_DIGEST) | M(ECDH),
     .import_forms = F(RAW) | F(PKCS8) | PUBLIC,
     .standard = VD_ALG_ECDSA_SHA256,
     .has_public = true,
     .secret_max = VD_ALG_KEY_SIZE + VD_ALG_P256_POINT,
     .public_size = VD_ALG_P256_POINT,
     .signature_max = 72},
    {.type = VD_ALG_ED25519,
     .name = "ed25519",
     .usages = CERTIFYING,
     .mechanisms = M(EDDSA),
     .import_forms = F(RAW) | F(PKCS8) | PUBLIC,
     .standard = VD_ALG_EDDSA,
     .has_public = true,
     .secret_max = VD_ALG_KEY_SIZE,
     .public_size = 32,
     .signature_max = 64},
    {.type = VD_ALG_X25519,
     .name = "x25519",
     .usages = VD_ALG_DERIVE,
     .mechanisms = M(ECDH),
     .import_forms = F(RAW) | F(PKCS8) | PUBLIC,
     .standard = VD_ALG_ECDH,
     .has_public = true,
     .secret_max = VD_ALG_KEY_SIZE,
     .public_size = 32},
    {.type = VD_ALG_HMAC_SHA256,
     .name = "hmac-sha256",
     .usages = SIGNING,
     .mechanisms = M(HMAC),
     .import_forms = F(RAW),
     .standard = VD_ALG_HMAC,
     .secret_max = VD_ALG_SECRET_MAX,
     .signature_max = 32},
    {.type = VD_ALG_ML_KEM_768,
     .name = "ml-kem-768",
     .usages = VD_ALG_ENCAPSULATE | VD_ALG_DECAPSULATE,
     .mechanisms = M(KEM),
     .import_forms = F(SEED) | F(EXPANDED) | F(PKCS8) | PUBLIC,
     .standard = VD_ALG_KEM,
     .has_public = true,
     .secret_max = 2400,
     .public_size = 1184,
     .encapsulated_size = 1088},
    {.type = VD_ALG_ML_DSA_65,
     .name = "ml-dsa-65",
     .usages = CERTIFYING,
     .mechanisms = M(ML_DSA) | M(ML_DSA_DETERMINISTIC) | M(ML_DSA_MU) | M(ML_DSA_MU_DETERMINISTIC),
     .import_forms = F(SEED) | F(EXPANDED) | F(PKCS8) | PUBLIC,
     .standard = VD_ALG_ML_DSA,
     .has_public = true,
     .secret_max = 4032,
     .public_size = 1952,
     .signature_max = VD_ALG_SIGNATURE_MAX},
    {.type = VD_ALG_X_WING,
     .name = "x-wing",
     .usages = VD_ALG_ENCAPSULATE | VD_ALG_DECAPSULATE,
     .mechanisms = M(KEM),
     .import_forms = F(SEED) | F(PKCS8) | PUBLIC,
     .standard = VD_ALG_KEM,
     .has_public = true,
     .secret_max = 32,
     .public_size = 1216,
     .encapsulated_size = 1120},
    {.type = VD_ALG_HKDF_SHA256,
     .name = "hkdf-sha256",
     .usages = VD_ALG_DERIVE,
     .mechanisms = M(HKDF),
     .import_forms = F(RAW),
     .standard = VD_ALG_HKDF,
     .secret_max = VD_ALG_SECRET_MAX},
};

_Static_assert(VD_COUNT(rows) == VD_ALG_TYPE_COUNT - 1, "a row for each type");

#define MECHANISM(number, name, text) [number] = text,
#define USAGE(bit, name, text)        [bit] = text,
static const char *const mechanisms[] = {VD_ALG_MECHANISM_TABLE(MECHANISM)};
static const char *const usages[] = {VD_ALG_USAGE_TABLE(USAGE)};

_Static_assert((1u << VD_COUNT(usages)) - 1 == VD_ALG_USAGE_ALL, "a name for each usage");

const struct vd_alg_info *vd_alg_info(enum vd_alg_type type)
{
    /* The rows stand in the order of their numbers. */
    return type >= 1 && type < VD_ALG_TYPE_COUNT ? &rows[type - 1] : NULL;
}

const struct vd_alg_info *vd_alg_find(const char *name)
{
    for (size_t i = 0; i < VD_COUNT(rows); i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

const char *vd_alg_mechanism_name(enum vd_alg_mechanism mechanism)
{
    bool known = (unsigned)mechanism < VD_COUNT(mechanisms) && mechanisms[mechanism] != NULL;

    return known ? mechanisms[mechanism] : "?";
}

enum vd_alg_mechanism vd_alg_mechanism_find(const char *name)
{
    for (unsigned i = 0; i < VD_COUNT(mechanisms); i++)
        if (mechanisms[i] != NULL && strcmp(mechanisms[i], name) == 0)
            return (enum vd_alg_mechanism)i;
    return VD_ALG_MECHANISM_COUNT;
}

const char *vd_alg_usage_name(uint32_t usage)
{
    for (uint32_t i = 0; i < VD_COUNT(usages); i++)
        if (usage == 1u << i)
            return usages[i];
    return "?";
}

uint32_t vd_alg_usage_find(const char *name)
{
    for (uint32_t i = 0; i < VD_COUNT(usages); i++)
        if (strcmp(usages[i], name) == 0)
            return 1u << i;
    return 0;
}
