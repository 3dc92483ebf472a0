/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The bytes before every ciphertext, docs/formats/ciphertext.md. */
#ifndef VD_SERVICES_CRYPTO_ALG_FORMAT_H
#define VD_SERVICES_CRYPTO_ALG_FORMAT_H

#include "core/base/reader.h"
#include "core/base/writer.h"
#include "services/crypto/alg/alg.h"

#define VD_ALG_FORMAT_MAGIC   "VDCT"
#define VD_ALG_FORMAT_VERSION 1u
#define VD_ALG_KIND_MESSAGE   1u
#define VD_ALG_KIND_STREAM    2u
#define VD_ALG_EPOCH_LABEL    "veridian/1 epoch"
#define VD_ALG_STREAM_LABEL   "veridian/1 stream"

/* The 12 bytes that messages and streams begin with. */
void vd_alg_format_write(struct vd_writer *w, uint8_t kind, enum vd_alg_type type,
                         uint32_t version);

/* Reads them for `key`: of the kind asked for and of its type. */
vd_status vd_alg_format_read(const struct vd_alg_key *key, bool stream, struct vd_reader *r,
                             struct vd_alg_ciphertext *ret, struct vd_diag *diag);

#endif
