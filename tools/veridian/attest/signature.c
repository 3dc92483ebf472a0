/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/attest/internal.h"

#include "lib/tpm_hash.h"
#include "lib/diagf.h"

#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#define RSA_MIN_BITS 2048
#define EC_MIN_BITS  256
#define DER_MAX      160 /* an ECDSA signature over P-521 */

/* r and s of the TPM as the DER that OpenSSL takes; 0 on failure. */
static size_t ecdsa_der(const struct vd_tpm_signature *s, uint8_t der[DER_MAX])
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r_number = BN_bin2bn(s->r.data, (int)s->r.size, NULL);
    BIGNUM *s_number = BN_bin2bn(s->s.data, (int)s->s.size, NULL);
    uint8_t *end = der;
    int size = 0;

    if (sig != NULL && r_number != NULL && s_number != NULL &&
        ECDSA_SIG_set0(sig, r_number, s_number) == 1) {
        r_number = s_number = NULL;
        size = i2d_ECDSA_SIG(sig, NULL) <= DER_MAX ? i2d_ECDSA_SIG(sig, &end) : 0;
    }
    BN_free(r_number);
    BN_free(s_number);
    ECDSA_SIG_free(sig);
    return size > 0 ? (size_t)size : 0;
}

static vd_status check_key(EVP_PKEY *ak, const struct vd_tpm_signature *s, struct vd_diag *diag)
{
    bool ecdsa = s->scheme == VD_TPM_ALG_ECDSA;

    if (EVP_PKEY_is_a(ak, ecdsa ? "EC" : "RSA") != 1)
        return vd_diagf(diag, VD_E_SIGNATURE, "the signature is %s, the AK is another kind of key",
                        ecdsa ? "ECDSA" : "RSA");
    if (EVP_PKEY_get_bits(ak) < (ecdsa ? EC_MIN_BITS : RSA_MIN_BITS))
        return vd_diagf(diag, VD_E_SIGNATURE, "the AK is too short: %d bits",
                        EVP_PKEY_get_bits(ak));
    if (s->hash != VD_TPM_ALG_SHA256 && s->hash != VD_TPM_ALG_SHA384 &&
        s->hash != VD_TPM_ALG_SHA512)
        return vd_diagf(diag, VD_E_SIGNATURE, "the signature's hash 0x%04x is not accepted",
                        s->hash);
    return VD_OK;
}

static bool verify(const struct vd_attest_evidence *e, const struct vd_tpm_signature *s,
                   const uint8_t *sig, size_t size)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *key = NULL;
    bool good =
        ctx != NULL && EVP_DigestVerifyInit(ctx, &key, vd_tpm_md(s->hash), NULL, e->ak) == 1;

    if (good && s->scheme == VD_TPM_ALG_RSAPSS)
        good = EVP_PKEY_CTX_set_rsa_padding(key, RSA_PKCS1_PSS_PADDING) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(key, RSA_PSS_SALTLEN_AUTO) == 1;
    good = good && EVP_DigestVerify(ctx, sig, size, e->quote.data, e->quote.size) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return good;
}

vd_status vd_attest_check_signature(const struct vd_attest_evidence *evidence,
                                    const struct vd_tpm_signature *signature, struct vd_diag *diag)
{
    const uint8_t *sig = signature->r.data;
    size_t size = signature->r.size;
    uint8_t der[DER_MAX];

    VD_TRY(check_key(evidence->ak, signature, diag));
    if (signature->scheme == VD_TPM_ALG_ECDSA) {
        size = ecdsa_der(signature, der);
        sig = der;
    }
    if (size == 0 || !verify(evidence, signature, sig, size))
        return vd_diag_fail(diag, VD_E_SIGNATURE,
                            "the quote is not signed by this AK, or was changed");
    return VD_OK;
}
