/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hardware/tpm/quote.h"

#include "core/base/mem.h"

#define ALG_ECC   0x0023u
#define ALG_NULL  0x0010u
#define CURVE_256 0x0003u
/* fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, restricted, sign */
#define AK_ATTRIBUTES 0x00050072u

/* TPMT_PUBLIC up to the point (part 2, 12.2.4). */
static void write_template(struct vd_writer *w)
{
    vd_write_be16(w, ALG_ECC);
    vd_write_be16(w, VD_TPM_ALG_SHA256);
    vd_write_be32(w, AK_ATTRIBUTES);
    vd_write_be16(w, 0); /* no policy */
    vd_write_be16(w, ALG_NULL);
    vd_write_be16(w, VD_TPM_ALG_ECDSA);
    vd_write_be16(w, VD_TPM_ALG_SHA256);
    vd_write_be16(w, CURVE_256);
    vd_write_be16(w, ALG_NULL); /* no key derivation */
}

/* The public area must be our template with a point; anything else is another key. */
static vd_status read_public(const uint8_t *data, size_t size, struct vd_tpm_ak *ak)
{
    uint8_t expected[32];
    const uint8_t *head, *x, *y;
    size_t x_size, y_size;
    struct vd_writer w;
    struct vd_reader r;

    vd_writer_init(&w, expected, sizeof(expected));
    write_template(&w);
    VD_TRY(vd_write_done(&w));
    vd_reader_init(&r, data, size);
    VD_TRY(vd_read_bytes(&r, w.len, &head));
    if (!vd_ct_equal(head, expected, w.len))
        return VD_E_INVALID;
    VD_TRY(vd_tpm_read_2b(&r, VD_TPM_P256_SIZE, &x, &x_size));
    VD_TRY(vd_tpm_read_2b(&r, VD_TPM_P256_SIZE, &y, &y_size));
    vd_copy(ak->x + VD_TPM_P256_SIZE - x_size, x, x_size);
    vd_copy(ak->y + VD_TPM_P256_SIZE - y_size, y, y_size);
    return vd_read_done(&r);
}

vd_status vd_tpm_ak_create(struct vd_tpm *tpm, struct vd_tpm_ak *ret, struct vd_diag *diag)
{
    struct vd_tpm_response response;
    struct vd_tpm_command command;
    struct vd_tpm_ak ak = {};
    struct vd_writer template, public;
    uint8_t bytes[64];
    const uint8_t *area;
    size_t size;

    vd_writer_init(&template, bytes, sizeof(bytes));
    write_template(&template);
    vd_write_be32(&template, 0); /* unique: empty x and y */
    vd_tpm_begin_authorised(&command, VD_TPM_CC_CREATE_PRIMARY, VD_TPM_RH_ENDORSEMENT);
    vd_write_be16(&command.w, 4); /* sensitive: empty password, no data */
    vd_write_be32(&command.w, 0);
    vd_tpm_write_2b(&command.w, bytes, template.len);
    vd_write_be16(&command.w, 0); /* no outside information */
    vd_write_be32(&command.w, 0); /* no creation PCRs */
    VD_TRY(vd_tpm_run(tpm, &command, &response, diag));
    ak.handle = response.handle;
    if (vd_tpm_read_2b(&response.parameters, VD_TPM_PUBLIC_MAX - 2, &area, &size) != VD_OK ||
        read_public(area, size, &ak) != VD_OK) {
        (void)!vd_tpm_flush(tpm, ak.handle, NULL);
        return vd_tpm_malformed(diag, "TPM2_CreatePrimary");
    }
    vd_writer_init(&public, ak.public_area, sizeof(ak.public_area));
    vd_tpm_write_2b(&public, area, size);
    ak.public_size = public.len;
    *ret = ak;
    return VD_OK;
}

vd_status vd_tpm_quote(struct vd_tpm *tpm, const struct vd_tpm_quote_request *request,
                       struct vd_tpm_signed_quote *ret, struct vd_diag *diag)
{
    struct vd_tpm_response response;
    struct vd_tpm_command command;
    struct vd_tpm_signature signature;
    struct vd_tpm_quote quote;
    const uint8_t *bytes, *tail;
    size_t size, left;

    vd_tpm_begin_authorised(&command, VD_TPM_CC_QUOTE, request->key);
    vd_tpm_write_2b(&command.w, request->nonce.data, request->nonce.size);
    vd_write_be16(&command.w, ALG_NULL); /* the key's own scheme */
    vd_tpm_selection_write(&command.w, &request->selection);
    VD_TRY(vd_tpm_run(tpm, &command, &response, diag));
    if (vd_tpm_read_2b(&response.parameters, VD_TPM_ATTEST_MAX, &bytes, &size) != VD_OK)
        return vd_tpm_malformed(diag, "TPM2_Quote");
    left = vd_reader_left(&response.parameters);
    /* What we hand out is what a verifier will take. */
    if (vd_read_bytes(&response.parameters, left, &tail) != VD_OK ||
        vd_tpm_quote_parse(bytes, size, &quote, NULL) != VD_OK ||
        vd_tpm_signature_parse(tail, left, &signature, NULL) != VD_OK)
        return vd_tpm_malformed(diag, "TPM2_Quote");
    vd_copy(ret->quote, bytes, size);
    ret->quote_size = size;
    vd_copy(ret->signature, tail, left);
    ret->signature_size = left;
    return VD_OK;
}
