/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * An approval, its checksum repaired: refused with a place, or written again as it was, and its
 * digest computed. The bytes are read as a policy, too.
 */
#include "hardware/tpm/policy.h"

#include "core/base/crc64.h"
#include "fuzz/fuzz.h"

#define HEAD     12u
#define CRC_SIZE 8u

static struct vd_tpm_approval approval;
static struct vd_tpm_policy policy;

static void try_policy(struct vd_tpm_crypto *crypto, const uint8_t *data, size_t size)
{
    uint8_t again[VD_TPM_POLICY_MAX], digest[VD_TPM_HASH_SIZE];
    struct vd_reader r;
    struct vd_writer w;

    vd_reader_init(&r, data, size);
    if (vd_tpm_policy_read(&r, &policy) != VD_OK)
        return;
    vd_writer_init(&w, again, sizeof(again));
    vd_tpm_policy_write(&w, &policy);
    if (vd_write_done(&w) != VD_OK)
        return;
    VD_FUZZ_ASSERT(w.len == vd_reader_offset(&r));
    VD_FUZZ_ASSERT(__builtin_memcmp(again, data, w.len) == 0);
    VD_FUZZ_ASSERT(vd_tpm_policy_digest(crypto, &policy, digest) == VD_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct vd_tpm_crypto *crypto;
    uint8_t copy[VD_TPM_APPROVAL_MAX], again[VD_TPM_APPROVAL_MAX], digest[VD_TPM_HASH_SIZE];
    struct vd_diag diag = {};
    struct vd_writer w;

    if (crypto == NULL)
        VD_FUZZ_ASSERT(vd_tpm_crypto_new(&crypto, NULL) == VD_OK);
    if (size > sizeof(copy))
        return 0;
    if (size > 0)
        __builtin_memcpy(copy, data, size);
    if (size > HEAD)
        try_policy(crypto, copy + HEAD, size - HEAD);
    if (size >= HEAD + CRC_SIZE) {
        vd_writer_init(&w, copy + size - CRC_SIZE, CRC_SIZE);
        vd_write_le64(&w, vd_crc64(0, copy, size - CRC_SIZE));
    }
    if (vd_tpm_approval_read(copy, size, &approval, &diag) != VD_OK) {
        VD_FUZZ_ASSERT(diag.has_offset && diag.offset <= size);
        return 0;
    }
    vd_writer_init(&w, again, sizeof(again));
    vd_tpm_approval_write(&w, &approval);
    VD_FUZZ_ASSERT(vd_write_done(&w) == VD_OK && w.len == size);
    VD_FUZZ_ASSERT(__builtin_memcmp(again, copy, size) == 0);
    VD_FUZZ_ASSERT(vd_tpm_approval_digest(crypto, &approval, digest) == VD_OK);
    return 0;
}
