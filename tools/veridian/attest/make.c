/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/attest/make.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "hardware/tpm/quote.h"
#include "lib/diagf.h"
#include "lib/file.h"
#include "lib/hash.h"

#define PATH_SIZE  4096
#define POINT_SIZE (1 + 2 * VD_TPM_P256_SIZE)

vd_status vd_attest_nonce(const char *hex, uint8_t ret[64], size_t *ret_size, struct vd_diag *diag)
{
    size_t size = strlen(hex) / 2;

    if (size == 0 || size > VD_TPM_NONCE_MAX || vd_hex_decode(hex, ret, size, NULL) != VD_OK)
        return vd_diag_fail(
            diag, VD_E_USAGE,
            "--nonce needs 1 to 64 bytes in hexadecimal, as from `openssl rand -hex 32`");
    *ret_size = size;
    return VD_OK;
}

json_t *vd_attest_pcrs_json(const struct vd_pcr_bank *banks, uint32_t count)
{
    json_t *list = json_object();

    for (uint32_t i = 0; i < count; i++) {
        json_t *values = json_object();
        for (uint32_t pcr = 0; pcr < VD_PCR_COUNT; pcr++) {
            char key[8], hex[2 * VD_DIGEST_MAX_SIZE + 1];
            if ((banks[i].extended >> pcr & 1) == 0)
                continue;
            snprintf(key, sizeof(key), "%u", pcr);
            vd_hex_encode(banks[i].value[pcr], banks[i].digest_size, hex);
            json_object_set_new(values, key, json_string(hex));
        }
        json_object_set_new(list, vd_tpm_alg_name(banks[i].algorithm), values);
    }
    return json_pack("{s:o}", "pcrs", list);
}

static vd_status store(const struct vd_attest_make *args, const char *name, const void *data,
                       size_t size, struct vd_diag *diag)
{
    char path[PATH_SIZE];

    if (snprintf(path, sizeof(path), "%s/%s", args->out, name) >= (int)sizeof(path))
        return vd_diag_fail(diag, VD_E_USAGE, "the path of --out is too long");
    return vd_file_store(path, data, size, 0644, diag);
}

static vd_status store_pem(const struct vd_attest_make *args, const struct vd_tpm_ak *ak,
                           struct vd_diag *diag)
{
    static char group[] = "P-256";
    uint8_t point[POINT_SIZE] = {POINT_CONVERSION_UNCOMPRESSED};
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    BIO *bio = BIO_new(BIO_s_mem());
    EVP_PKEY *key = NULL;
    char *text = NULL;
    vd_status status;

    memcpy(point + 1, ak->x, sizeof(ak->x));
    memcpy(point + 1 + sizeof(ak->x), ak->y, sizeof(ak->y));
    if (ctx != NULL && bio != NULL && EVP_PKEY_fromdata_init(ctx) == 1 &&
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) == 1 &&
        PEM_write_bio_PUBKEY(bio, key) == 1) {
        size_t size = (size_t)BIO_get_mem_data(bio, &text);
        status = store(args, "ak.pem", text, size, diag);
    } else
        status = vd_diag_fail(diag, VD_E_INVALID, "the TPM's key is not a point of P-256");
    EVP_PKEY_free(key);
    EVP_PKEY_CTX_free(ctx);
    BIO_free(bio);
    return status;
}

static vd_status store_json(const struct vd_attest_make *args, const struct vd_pcr_bank *banks,
                            uint32_t count, struct vd_diag *diag)
{
    json_t *value = vd_attest_pcrs_json(banks, count);
    char *text = value == NULL ? NULL : json_dumps(value, JSON_INDENT(2));
    vd_status status = VD_E_NO_MEMORY;

    if (text != NULL)
        status = store(args, "pcrs.json", text, strlen(text), diag);
    free(text);
    json_decref(value);
    return status;
}

/* The kernel's log is read before the quote: what is measured meanwhile shows as a difference. */
static vd_status store_log(const struct vd_attest_make *args, bool *ret_has_log,
                           struct vd_diag *diag)
{
    struct vd_bytes log VD_AUTO(vd_bytes_free) = {};
    struct vd_diag inner = {};
    vd_status status = vd_file_load(args->log != NULL ? args->log : VD_ATTEST_KERNEL_LOG,
                                    VD_EVENTLOG_MAX_BYTES, &log, &inner);

    *ret_has_log = status == VD_OK;
    if (status == VD_E_NOT_FOUND && args->log == NULL)
        return VD_OK;
    if (status != VD_OK) {
        if (diag != NULL)
            *diag = inner;
        return status;
    }
    return store(args, "eventlog.bin", log.data, log.size, diag);
}

static vd_status quote(struct vd_tpm *tpm, const struct vd_attest_make *args,
                       const struct vd_tpm_ak *ak, const struct vd_tpm_selection *selection,
                       struct vd_diag *diag)
{
    struct vd_tpm_quote_request request = {.key = ak->handle, .selection = *selection};
    uint8_t nonce[VD_TPM_NONCE_MAX];
    struct vd_tpm_signed_quote made;

    request.nonce.data = nonce;
    VD_TRY(vd_attest_nonce(args->nonce, nonce, &request.nonce.size, diag));
    VD_TRY(vd_tpm_quote(tpm, &request, &made, diag));
    VD_TRY(store(args, "quote.bin", made.quote, made.quote_size, diag));
    VD_TRY(store(args, "quote.sig", made.signature, made.signature_size, diag));
    VD_TRY(store(args, "ak.pub", ak->public_area, ak->public_size, diag));
    return store_pem(args, ak, diag);
}

vd_status vd_attest_make(const struct vd_attest_make *args, bool *ret_has_log, struct vd_diag *diag)
{
    struct vd_tpm tpm VD_AUTO(vd_tpm_close) = {.fd = -1};
    struct vd_tpm_selection selection;
    struct vd_pcr_bank bank;
    struct vd_tpm_ak ak;
    uint8_t nonce[VD_TPM_NONCE_MAX];
    size_t nonce_size;
    vd_status status;

    VD_TRY(vd_attest_nonce(args->nonce, nonce, &nonce_size, diag));
    VD_TRY(vd_tpm_selection_parse(args->pcrs, &selection, diag));
    VD_TRY(vd_tpm_open(&tpm, args->tpm, diag));
    VD_TRY(vd_tpm_pcr_read(&tpm, &selection.bank[0], &bank, diag));
    if (mkdir(args->out, 0755) != 0 && errno != EEXIST)
        return vd_diagf_errno(diag, errno == ENOENT || errno == ENOTDIR ? VD_E_NOT_FOUND : VD_E_IO,
                              errno, "cannot make %s", args->out);
    VD_TRY(store_log(args, ret_has_log, diag));
    VD_TRY(vd_tpm_ak_create(&tpm, &ak, diag));
    status = quote(&tpm, args, &ak, &selection, diag);
    if (vd_tpm_flush(&tpm, ak.handle, NULL) != VD_OK && status == VD_OK)
        status = vd_diag_fail(diag, VD_E_SYSTEM, "the AK cannot be flushed from the TPM");
    VD_TRY(status);
    return store_json(args, &bank, 1, diag);
}
