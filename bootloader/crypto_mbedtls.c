/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "bootloader/crypto_mbedtls.h"

#include <mbedtls/asn1.h>
#include <mbedtls/ecdsa.h>
#include <mbedtls/oid.h>
#include <mbedtls/sha256.h>
#include <mbedtls/sha512.h>
#include <mbedtls/x509_crt.h>

#define SHA384_SIZE 48u
#define SCALAR_SIZE (VD_IMAGE_SIGNATURE_SIZE / 2)

/* What a chain may be made of; every other algorithm is refused by mbedTLS. */
static const mbedtls_x509_crt_profile profile = {
    .allowed_mds =
        MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA384) | MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA512),
    .allowed_pks = MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_ECDSA) | MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_ECKEY),
    .allowed_curves = MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP384R1),
    .rsa_min_bitlen = 0,
};

vd_status vd_crypto_sha256(void *ctx, const void *data, size_t size, uint8_t ret[32])
{
    return vd_crypto_hash(VD_CRYPTO_SHA256, data, size, ret);
}

size_t vd_crypto_hash_size(enum vd_crypto_hash hash)
{
    switch (hash) {
    case VD_CRYPTO_SHA256:
        return 32;
    case VD_CRYPTO_SHA384:
        return SHA384_SIZE;
    case VD_CRYPTO_SHA512:
        return 64;
    }
    return 0;
}

vd_status vd_crypto_hash(enum vd_crypto_hash hash, const void *data, size_t size, uint8_t *ret)
{
    static const uint8_t nothing[1];
    const uint8_t *bytes = size > 0 ? data : nothing;
    int result;

    if (hash == VD_CRYPTO_SHA256)
        result = mbedtls_sha256(bytes, size, ret, 0);
    else
        result = mbedtls_sha512(bytes, size, ret, hash == VD_CRYPTO_SHA384);
    return result == 0 ? VD_OK : VD_E_BUG;
}

vd_status vd_crypto_sha256_pieces(const struct vd_span *piece, size_t count, uint8_t ret[32])
{
    mbedtls_sha256_context sha256;
    int result;

    mbedtls_sha256_init(&sha256);
    result = mbedtls_sha256_starts(&sha256, 0);
    for (size_t i = 0; i < count && result == 0; i++) {
        if (piece[i].size > 0)
            result = mbedtls_sha256_update(&sha256, piece[i].data, piece[i].size);
    }
    if (result == 0)
        result = mbedtls_sha256_finish(&sha256, ret);
    mbedtls_sha256_free(&sha256);
    return result == 0 ? VD_OK : VD_E_BUG;
}

vd_status vd_crypto_certificate_tbs(const struct vd_span *certificate, struct vd_span *ret)
{
    unsigned char *pos = (unsigned char *)certificate->data;
    const unsigned char *end = pos + certificate->size;
    const int sequence = MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE;
    size_t size;

    if (certificate->size == 0 || mbedtls_asn1_get_tag(&pos, end, &size, sequence) != 0 ||
        pos + size != end)
        return VD_E_INVALID;
    const unsigned char *start = pos;
    if (mbedtls_asn1_get_tag(&pos, end, &size, sequence) != 0)
        return VD_E_INVALID;
    *ret = (struct vd_span){.data = start, .size = (size_t)(pos - start) + size};
    return VD_OK;
}

/* The parsed chain: the signer first, `root` apart; cert[i].next is cert[i + 1]. */
struct chain {
    mbedtls_x509_crt cert[VD_CERTS_MAX];
    mbedtls_x509_crt root;
    uint32_t count;
    uint32_t seen; /* certificates on the verified path, with the root */
};

static void chain_done(struct chain *chain)
{
    for (uint32_t i = 0; i < VD_CERTS_MAX; i++) {
        /* The elements are not the heap's: mbedTLS must not free them as a list. */
        chain->cert[i].next = NULL;
        mbedtls_x509_crt_free(&chain->cert[i]);
    }
    mbedtls_x509_crt_free(&chain->root);
}

static vd_status parse_certificate(const struct vd_span *der, mbedtls_x509_crt *ret)
{
    int result = mbedtls_x509_crt_parse_der_nocopy(ret, der->data, der->size);

    if (result == MBEDTLS_ERR_X509_ALLOC_FAILED)
        return VD_E_NO_MEMORY;
    if (result != 0 || ret->raw.len != der->size)
        return VD_E_INVALID;
    /* Version 1 has no extensions: nothing would say what the key may do. */
    if (ret->version != 3 || mbedtls_pk_get_type(&ret->pk) != MBEDTLS_PK_ECKEY)
        return VD_E_INVALID;
    return VD_OK;
}

static vd_status parse_chain(const struct vd_boot_signed *what, struct chain *chain)
{
    if (what->chain->count == 0 || what->chain->count > VD_CERTS_MAX)
        return VD_E_INVALID;
    VD_TRY(parse_certificate(&what->root, &chain->root));
    for (uint32_t i = 0; i < what->chain->count; i++) {
        VD_TRY(parse_certificate(&what->chain->cert[i], &chain->cert[i]));
        if (i > 0)
            chain->cert[i - 1].next = &chain->cert[i];
    }
    chain->count = what->chain->count;
    return VD_OK;
}

/*
 * A signer signs images and nothing else; an issuer issues and nothing else. A
 * certificate made for TLS or mail signs no images, though the root issued it.
 */
static vd_status check_purposes(const struct chain *chain)
{
    const mbedtls_x509_crt *signer = &chain->cert[0];

    if (mbedtls_x509_crt_get_ca_istrue(signer) != 0 ||
        mbedtls_x509_crt_check_key_usage(signer, MBEDTLS_X509_KU_DIGITAL_SIGNATURE) != 0 ||
        mbedtls_x509_crt_check_extended_key_usage(signer, MBEDTLS_OID_CODE_SIGNING,
                                                  MBEDTLS_OID_SIZE(MBEDTLS_OID_CODE_SIGNING)) != 0)
        return VD_E_INVALID;
    for (uint32_t i = 1; i <= chain->count; i++) {
        const mbedtls_x509_crt *issuer = i < chain->count ? &chain->cert[i] : &chain->root;
        if (mbedtls_x509_crt_get_ca_istrue(issuer) != 1 ||
            mbedtls_x509_crt_check_key_usage(issuer, MBEDTLS_X509_KU_KEY_CERT_SIGN) != 0)
            return VD_E_INVALID;
    }
    return VD_OK;
}

/*
 * Called by mbedTLS for each certificate of the path it found, from the top.
 * The path must be exactly the chain in its order, and then the root, so that
 * a chain has one meaning and carries nothing unverified along.
 */
static int on_path(void *ctx, mbedtls_x509_crt *certificate, int depth, uint32_t *flags)
{
    struct chain *chain = ctx;
    const mbedtls_x509_crt *expected =
        (uint32_t)depth < chain->count ? &chain->cert[depth] : &chain->root;

    if (depth < 0 || (uint32_t)depth > chain->count || certificate != expected)
        *flags |= MBEDTLS_X509_BADCERT_NOT_TRUSTED;
    chain->seen++;
    return 0;
}

static vd_status verify_chain(struct chain *chain)
{
    uint32_t flags = UINT32_MAX;
    int result = mbedtls_x509_crt_verify_with_profile(&chain->cert[0], &chain->root, NULL, &profile,
                                                      NULL, &flags, on_path, chain);

    if (result == 0 && flags == 0)
        return chain->seen == chain->count + 1 ? VD_OK : VD_E_UNTRUSTED;
    if (result == MBEDTLS_ERR_X509_ALLOC_FAILED)
        return VD_E_NO_MEMORY;
    if (result == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED &&
        (flags & (uint32_t)~MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0)
        return VD_E_INVALID;
    return VD_E_UNTRUSTED;
}

static vd_status verify_signature(mbedtls_x509_crt *signer, const struct vd_boot_signed *what)
{
    const mbedtls_ecp_keypair *key = mbedtls_pk_ec(signer->pk);
    uint8_t digest[SHA384_SIZE];
    mbedtls_ecp_group group;
    mbedtls_ecp_point point;
    mbedtls_mpi d, r, s;
    int result;

    if (what->signature.size != VD_IMAGE_SIGNATURE_SIZE)
        return VD_E_SIGNATURE;
    VD_TRY(vd_crypto_hash(VD_CRYPTO_SHA384, what->message.data, what->message.size, digest));
    mbedtls_ecp_group_init(&group);
    mbedtls_ecp_point_init(&point);
    mbedtls_mpi_init(&d);
    mbedtls_mpi_init(&r);
    mbedtls_mpi_init(&s);
    result = mbedtls_ecp_export(key, &group, &d, &point);
    if (result == 0)
        result = mbedtls_mpi_read_binary(&r, what->signature.data, SCALAR_SIZE);
    if (result == 0)
        result = mbedtls_mpi_read_binary(&s, what->signature.data + SCALAR_SIZE, SCALAR_SIZE);
    if (result == 0)
        result = mbedtls_ecdsa_verify(&group, digest, sizeof(digest), &point, &r, &s);
    mbedtls_mpi_free(&s);
    mbedtls_mpi_free(&r);
    mbedtls_mpi_free(&d);
    mbedtls_ecp_point_free(&point);
    mbedtls_ecp_group_free(&group);
    if (result == MBEDTLS_ERR_MPI_ALLOC_FAILED || result == MBEDTLS_ERR_ECP_ALLOC_FAILED)
        return VD_E_NO_MEMORY;
    return result == 0 ? VD_OK : VD_E_SIGNATURE;
}

vd_status vd_crypto_verify(void *ctx, const struct vd_boot_signed *what)
{
    struct chain chain = {};
    vd_status status;

    mbedtls_x509_crt_init(&chain.root);
    for (uint32_t i = 0; i < VD_CERTS_MAX; i++)
        mbedtls_x509_crt_init(&chain.cert[i]);
    status = parse_chain(what, &chain);
    if (status == VD_OK)
        status = check_purposes(&chain);
    if (status == VD_OK)
        status = verify_chain(&chain);
    if (status == VD_OK)
        status = verify_signature(&chain.cert[0], what);
    chain_done(&chain);
    return status;
}
