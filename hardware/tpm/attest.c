/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hardware/tpm/attest.h"

static vd_status read_bytes(struct vd_reader *r, size_t max, struct vd_tpm_bytes *ret)
{
    return vd_tpm_read_2b(r, max, &ret->data, &ret->size);
}

/* Everything after magic and type. */
static vd_status read_quote(struct vd_reader *r, struct vd_tpm_quote *q)
{
    uint8_t safe;

    VD_TRY(read_bytes(r, VD_TPM_NAME_MAX, &q->signer));
    VD_TRY(read_bytes(r, VD_TPM_NONCE_MAX, &q->nonce));
    VD_TRY(vd_read_be64(r, &q->clock_ms));
    VD_TRY(vd_read_be32(r, &q->reset_count));
    VD_TRY(vd_read_be32(r, &q->restart_count));
    VD_TRY(vd_read_u8(r, &safe));
    if (safe > 1)
        return VD_E_RANGE;
    q->clock_safe = safe == 1;
    VD_TRY(vd_read_be64(r, &q->firmware));
    VD_TRY(vd_tpm_selection_read(r, &q->selection));
    VD_TRY(read_bytes(r, VD_TPM_DIGEST_MAX, &q->digest));
    return vd_read_done(r);
}

vd_status vd_tpm_quote_parse(const void *data, size_t size, struct vd_tpm_quote *ret,
                             struct vd_diag *diag)
{
    struct vd_tpm_quote quote = {};
    struct vd_reader r;
    uint32_t magic;
    uint16_t type;
    vd_status status;

    vd_reader_init(&r, data, size);
    if (size > VD_TPM_ATTEST_MAX)
        return vd_diag_fail(diag, VD_E_LIMIT, "the quote is larger than 2048 bytes");
    if (vd_read_be32(&r, &magic) != VD_OK)
        return vd_diag_fail_at(diag, VD_E_TRUNCATED, size, "the quote ends within its magic");
    if (magic != VD_TPM_GENERATED)
        return vd_diag_fail_at(diag, VD_E_MAGIC, 0,
                               "the magic is not TPM_GENERATED: no TPM made this structure");
    if (vd_read_be16(&r, &type) != VD_OK)
        return vd_diag_fail_at(diag, VD_E_TRUNCATED, size, "the quote ends within its type");
    if (type != VD_TPM_ST_QUOTE)
        return vd_diag_fail_at(diag, VD_E_INVALID, 4,
                               "the TPM attested something else than a quote");
    status = read_quote(&r, &quote);
    if (status == VD_E_TRAILING)
        return vd_diag_fail_at(diag, status, vd_reader_offset(&r), "bytes follow the quote");
    if (status == VD_E_TRUNCATED)
        return vd_diag_fail_at(diag, status, vd_reader_offset(&r), "the quote is cut off");
    if (status != VD_OK)
        return vd_diag_fail_at(diag, status, vd_reader_offset(&r),
                               "a size or value in the quote is out of its range");
    *ret = quote;
    return VD_OK;
}

static vd_status read_signature(struct vd_reader *r, struct vd_tpm_signature *s)
{
    VD_TRY(vd_read_be16(r, &s->scheme));
    if (s->scheme != VD_TPM_ALG_ECDSA && s->scheme != VD_TPM_ALG_RSASSA &&
        s->scheme != VD_TPM_ALG_RSAPSS)
        return VD_E_UNSUPPORTED;
    VD_TRY(vd_read_be16(r, &s->hash));
    if (s->scheme != VD_TPM_ALG_ECDSA) {
        VD_TRY(read_bytes(r, VD_TPM_RSA_MAX, &s->r));
        return vd_read_done(r);
    }
    VD_TRY(read_bytes(r, VD_TPM_COORDINATE_MAX, &s->r));
    VD_TRY(read_bytes(r, VD_TPM_COORDINATE_MAX, &s->s));
    return vd_read_done(r);
}

vd_status vd_tpm_signature_parse(const void *data, size_t size, struct vd_tpm_signature *ret,
                                 struct vd_diag *diag)
{
    struct vd_tpm_signature signature = {};
    struct vd_reader r;
    vd_status status;

    if (size > VD_TPM_SIGNATURE_MAX)
        return vd_diag_fail(diag, VD_E_LIMIT, "the signature is larger than 1024 bytes");
    vd_reader_init(&r, data, size);
    status = read_signature(&r, &signature);
    if (status == VD_E_UNSUPPORTED)
        return vd_diag_fail_at(diag, VD_E_INVALID, 0,
                               "the signature's scheme is not ECDSA, RSASSA or RSAPSS");
    if (status == VD_E_TRUNCATED)
        return vd_diag_fail_at(diag, status, vd_reader_offset(&r), "the signature is cut off");
    if (status == VD_E_TRAILING)
        return vd_diag_fail_at(diag, status, vd_reader_offset(&r), "bytes follow the signature");
    if (status != VD_OK)
        return vd_diag_fail_at(diag, status, vd_reader_offset(&r),
                               "the signature has a wrong size");
    *ret = signature;
    return VD_OK;
}
