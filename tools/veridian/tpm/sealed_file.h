/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The file of `veridian tpm seal` (docs/formats/sealed.md): a sealed object, what it was
 * sealed to, and the data where they are larger than a TPM takes.
 */
#ifndef VD_TOOLS_VERIDIAN_TPM_SEALED_FILE_H
#define VD_TOOLS_VERIDIAN_TPM_SEALED_FILE_H

#include "hardware/tpm/unseal.h"
#include "lib/file.h"

#define VD_SEALED_MAGIC      "VDSEALED" /* 8 bytes, no NUL */
#define VD_SEALED_VERSION    2u
#define VD_SEALED_DATA_MAX   (1u << 20) /* bytes of the data */
#define VD_SEALED_EVENTS_MAX 4096u
#define VD_SEALED_FILE_MAX   (VD_SEALED_DATA_MAX + (512u << 10))
#define VD_SEALED_NONCE_SIZE 12u
#define VD_SEALED_TAG_SIZE   16u

/* An event of the log at the time of sealing, of a PCR that it was sealed to. */
struct vd_sealed_event {
    uint32_t pcr;
    uint32_t type;
    uint8_t digest[VD_DIGEST_MAX_SIZE];
};

struct vd_sealed_file {
    struct vd_tpm_lock lock;
    uint16_t event_algorithm; /* TPM_ALG_ID of the events' digests; 0: there are none */
    uint16_t digest_size;     /* of them */
    struct vd_sealed_event *events;
    uint32_t event_count;
    /* The data, encrypted with AES-256-GCM under the sealed secret; size 0: they are the secret. */
    uint8_t nonce[VD_SEALED_NONCE_SIZE];
    uint8_t tag[VD_SEALED_TAG_SIZE];
    uint8_t *data;
    uint32_t data_size;
};

/* Frees what the structure holds; serves VD_AUTO. */
void vd_sealed_file_done(struct vd_sealed_file *file);

/* The file's bytes; the caller frees. */
vd_status vd_sealed_file_write(const struct vd_sealed_file *file, struct vd_bytes *ret,
                               struct vd_diag *diag);

/* Reads a file to its last byte. VD_E_MAGIC if it is none, else the error with its offset. */
vd_status vd_sealed_file_read(const void *data, size_t size, struct vd_sealed_file *ret,
                              struct vd_diag *diag);

#endif
