/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The root file's bytes (docs/formats/root-key.md). Form only: whether the key comes out is for
 * the three protections, and whether the rest was changed for vd_root_file_verify.
 */
#ifndef VD_SERVICES_CRYPTO_ROOT_FILE_H
#define VD_SERVICES_CRYPTO_ROOT_FILE_H

#include "hardware/tpm/nv.h"
#include "hardware/tpm/unseal.h"
#include "lib/file.h"
#include "services/crypto/root/root.h"

#define VD_ROOT_FILE_MAX     32768u
#define VD_ROOT_SALT_SIZE    32u
#define VD_ROOT_NONCE_SIZE   12u
#define VD_ROOT_TAG_SIZE     16u
#define VD_ROOT_MAC_SIZE     32u
#define VD_ROOT_SCRYPT_LOG_N 16u
#define VD_ROOT_SCRYPT_MIN   10u
#define VD_ROOT_SCRYPT_MAX   20u
#define VD_ROOT_SCRYPT_R     8u
#define VD_ROOT_SCRYPT_P_MAX 4u

/* Under scrypt(passphrase): AES-256-GCM. */
struct vd_root_passphrase {
    uint8_t log_n;
    uint8_t r;
    uint8_t p;
    uint8_t salt[VD_ROOT_SALT_SIZE];
    uint8_t nonce[VD_ROOT_NONCE_SIZE];
    uint8_t tag[VD_ROOT_TAG_SIZE];
    uint8_t key[VD_ROOT_KEY_SIZE];
};

struct vd_root_file {
    enum vd_root_kind kind;
    uint32_t counter;                /* NV index; 0: none */
    struct vd_tpm_name counter_name; /* written: what the index must be */
    union {
        struct vd_tpm_lock lock;
        struct vd_root_passphrase passphrase;
        struct vd_root_wrapped wrapped;
    };
    uint8_t mac[VD_ROOT_MAC_SIZE]; /* under the root key, over what stands before */
};

/* Writes the file with a MAC of `key`. At most VD_ROOT_FILE_MAX bytes; the caller frees. */
vd_status vd_root_file_write(const struct vd_root_file *file, const struct vd_secret *key,
                             struct vd_bytes *ret, struct vd_diag *diag);

/* Reads to the last byte; the error has its offset. `ret` is large: on the heap. */
vd_status vd_root_file_read(const void *data, size_t size, struct vd_root_file *ret,
                            struct vd_diag *diag);

/* VD_E_SIGNATURE if the file of those bytes was not written with this key. */
vd_status vd_root_file_verify(const struct vd_root_file *file, const struct vd_bytes *bytes,
                              const struct vd_secret *key, struct vd_diag *diag);

#endif
