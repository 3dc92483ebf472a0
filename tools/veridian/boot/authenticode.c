/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/boot/authenticode.h"

#include "core/base/writer.h"
#include "core/boot/pe.h"
#include "lib/tpm_hash.h"

#include <openssl/asn1.h>
#include <openssl/pkcs7.h>

#include <stdlib.h>
#include <string.h>

#define SPC_INDIRECT_DATA_OID "1.3.6.1.4.1.311.2.1.4"
#define WIN_CERT_REVISION     0x0200u
#define WIN_CERT_PKCS         0x0002u
#define WIN_CERT_HEADER_SIZE  8u
#define DIGEST_SIZE           32u
#define TABLE_ALIGNMENT       8u

/*
 * SpcIndirectDataContent: the type SPC_PE_IMAGE_DATA with no flags and an empty
 * file name, then the DigestInfo of SHA-256, whose 32 bytes follow.
 */
static const uint8_t indirect_prefix[] = {
    0x30, 0x4c, 0x30, 0x17, 0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x01, 0x0f,
    0x30, 0x09, 0x03, 0x01, 0x00, 0xa0, 0x04, 0xa2, 0x02, 0x80, 0x00, 0x30, 0x31, 0x30, 0x0d, 0x06,
    0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20,
};
#define INDIRECT_SIZE   (sizeof(indirect_prefix) + DIGEST_SIZE)
#define INDIRECT_HEADER 2u /* tag and length: not part of what is signed */

vd_status vd_authenticode_digest(const struct vd_bytes *file, uint16_t algorithm, uint8_t *ret,
                                 struct vd_diag *diag)
{
    struct vd_pe pe;
    struct vd_pe_hashed hashed;
    const EVP_MD *md = vd_tpm_md(algorithm);
    EVP_MD_CTX *ctx;
    bool good;

    VD_TRY(vd_pe_parse(file->data, file->size, &pe, diag));
    VD_TRY(vd_pe_hashed(&pe, &hashed));
    ctx = EVP_MD_CTX_new();
    good = ctx != NULL && md != NULL && EVP_DigestInit_ex(ctx, md, NULL) == 1;
    for (uint32_t i = 0; good && i < hashed.count; i++)
        good = EVP_DigestUpdate(ctx, hashed.piece[i].data, hashed.piece[i].size) == 1;
    good = good && EVP_DigestFinal_ex(ctx, ret, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    return good ? VD_OK : vd_pki_fail(diag, VD_E_SYSTEM, "cannot hash the program");
}

/* The signed attributes: what kind of content, and its digest. No time. */
static bool sign_attributes(PKCS7_SIGNER_INFO *info, const uint8_t *content, size_t size)
{
    uint8_t digest[DIGEST_SIZE];
    ASN1_OBJECT *kind = OBJ_txt2obj(SPC_INDIRECT_DATA_OID, 1);

    if (kind == NULL)
        return false;
    if (PKCS7_add_signed_attribute(info, NID_pkcs9_contentType, V_ASN1_OBJECT, kind) != 1) {
        ASN1_OBJECT_free(kind);
        return false;
    }
    return EVP_Digest(content, size, digest, NULL, EVP_sha256(), NULL) == 1 &&
           PKCS7_add1_attrib_digest(info, digest, sizeof(digest)) == 1 &&
           PKCS7_SIGNER_INFO_sign(info) == 1;
}

/* Makes the content of kind SPC_INDIRECT_DATA; OpenSSL has no type of its own for it. */
static PKCS7 *make_content(const uint8_t indirect[INDIRECT_SIZE])
{
    PKCS7 *content = PKCS7_new();
    ASN1_STRING *text = ASN1_STRING_new();
    ASN1_TYPE *value = ASN1_TYPE_new();

    if (content == NULL || text == NULL || value == NULL ||
        ASN1_STRING_set(text, indirect, INDIRECT_SIZE) != 1) {
        PKCS7_free(content);
        ASN1_STRING_free(text);
        ASN1_TYPE_free(value);
        return NULL;
    }
    ASN1_TYPE_set(value, V_ASN1_SEQUENCE, text);
    content->type = OBJ_txt2obj(SPC_INDIRECT_DATA_OID, 1);
    content->d.other = value;
    return content;
}

static PKCS7 *make_pkcs7(const uint8_t indirect[INDIRECT_SIZE], const struct vd_pki_pair *signer)
{
    PKCS7 *p7 = PKCS7_new();
    PKCS7 *content = make_content(indirect);
    PKCS7_SIGNER_INFO *info;

    if (p7 == NULL || content == NULL || PKCS7_set_type(p7, NID_pkcs7_signed) != 1 ||
        PKCS7_set_content(p7, content) != 1) {
        PKCS7_free(content);
        PKCS7_free(p7);
        return NULL;
    }
    info = PKCS7_add_signature(p7, signer->cert, signer->key, EVP_sha256());
    if (info == NULL || PKCS7_add_certificate(p7, signer->cert) != 1 ||
        !sign_attributes(info, indirect + INDIRECT_HEADER, INDIRECT_SIZE - INDIRECT_HEADER)) {
        PKCS7_free(p7);
        return NULL;
    }
    return p7;
}

static size_t align_up(size_t size)
{
    return (size + TABLE_ALIGNMENT - 1) & ~(size_t)(TABLE_ALIGNMENT - 1);
}

/* `file` is padded; appends the table and points the header at it. */
static vd_status append_table(const struct vd_bytes *file, const uint8_t *der, size_t der_size,
                              struct vd_bytes *ret, struct vd_diag *diag)
{
    size_t table = align_up(WIN_CERT_HEADER_SIZE + der_size);
    struct vd_pe pe;
    struct vd_writer w;

    VD_TRY(vd_pe_parse(file->data, file->size, &pe, diag));
    ret->size = file->size + table;
    ret->data = calloc(1, ret->size);
    if (ret->data == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    memcpy(ret->data, file->data, file->size);
    vd_writer_init(&w, ret->data + file->size, table);
    vd_write_le32(&w, (uint32_t)(WIN_CERT_HEADER_SIZE + der_size));
    vd_write_le16(&w, WIN_CERT_REVISION);
    vd_write_le16(&w, WIN_CERT_PKCS);
    vd_write_bytes(&w, der, der_size);
    VD_TRY(vd_write_done(&w));
    vd_writer_init(&w, ret->data + pe.certificate_offset, 8);
    vd_write_le32(&w, (uint32_t)file->size);
    vd_write_le32(&w, (uint32_t)table);
    return vd_write_done(&w);
}

vd_status vd_authenticode_sign(const struct vd_bytes *file, const struct vd_pki_pair *signer,
                               struct vd_bytes *ret, struct vd_diag *diag)
{
    VD_AUTO(vd_bytes_free) struct vd_bytes padded = {};
    VD_AUTO(vd_bytes_free) struct vd_bytes result = {};
    uint8_t indirect[INDIRECT_SIZE];
    unsigned char *der = NULL;
    struct vd_pe pe;
    PKCS7 *p7;
    int der_size;
    vd_status status;

    VD_TRY(vd_pe_parse(file->data, file->size, &pe, diag));
    if (pe.certificates.size != 0)
        return vd_diag_fail(diag, VD_E_EXISTS, "the EFI program is signed already");
    padded.size = align_up(file->size);
    padded.data = calloc(1, padded.size);
    if (padded.data == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    memcpy(padded.data, file->data, file->size);
    memcpy(indirect, indirect_prefix, sizeof(indirect_prefix));
    VD_TRY(vd_authenticode_digest(&padded, VD_TPM_ALG_SHA256, indirect + sizeof(indirect_prefix),
                                  diag));
    p7 = make_pkcs7(indirect, signer);
    der_size = p7 != NULL ? i2d_PKCS7(p7, &der) : -1;
    PKCS7_free(p7);
    if (der_size <= 0)
        return vd_pki_fail(diag, VD_E_INVALID, "cannot sign the EFI program with this key");
    status = append_table(&padded, der, (size_t)der_size, &result, diag);
    OPENSSL_free(der);
    VD_TRY(status);
    *ret = result;
    result.data = NULL;
    return VD_OK;
}
