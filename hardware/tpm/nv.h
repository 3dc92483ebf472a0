/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Indices in a TPM's non-volatile memory: ordinary ones hold bytes, counters only
 * ever rise, whoever defines them again. Owner and index have no password here.
 *
 * What is read goes through a salted session: a value that was changed on the
 * bus is refused. Source: TCG TPM 2.0 Library 1.59, part 2, 13; part 3, 31.
 */
#ifndef VD_HARDWARE_TPM_NV_H
#define VD_HARDWARE_TPM_NV_H

#include "hardware/tpm/session.h"

#define VD_TPM_NV_FIRST    0x01000000u /* indices, as handles */
#define VD_TPM_NV_LAST     0x01ffffffu
#define VD_TPM_NV_SIZE_MAX 2048u /* bytes of an index; a TPM may have less */
#define VD_TPM_NV_LIST_MAX 254u

#define VD_TPM_NV_COUNTER (1u << 4) /* of the attributes: the type's lowest bit */
#define VD_TPM_NV_TYPE    (0xfu << 4)
#define VD_TPM_NV_WRITTEN (1u << 29)

/* Of a counter that vd_tpm_nv_define made and that has a value. */
#define VD_TPM_NV_OUR_COUNTER 0x22060016u

struct vd_tpm_nv {
    uint32_t index;
    uint32_t attributes; /* TPMA_NV */
    uint16_t size;       /* bytes; 8 of a counter */
    struct vd_tpm_name name;
};

/*
 * The counter that vd_tpm_nv_define makes at `index`, once it has a value: what its name is can be
 * said without its TPM.
 */
vd_status vd_tpm_nv_counter_public(struct vd_tpm_crypto *crypto, uint32_t index,
                                   struct vd_tpm_nv *ret);

/* The indices that are defined, at most VD_TPM_NV_LIST_MAX. */
vd_status vd_tpm_nv_list(struct vd_tpm *tpm, uint32_t *ret, uint32_t *ret_count,
                         struct vd_diag *diag);

/*
 * What an index is. VD_E_NOT_FOUND: it is not defined; VD_E_UNSUPPORTED: its name is not a
 * SHA-256 one.
 */
vd_status vd_tpm_nv_public(const struct vd_tpm_link *link, uint32_t index, struct vd_tpm_nv *ret,
                           struct vd_diag *diag);

/* Defines an index of `size` bytes, or a counter (size 8). VD_E_EXISTS: there is one. */
vd_status vd_tpm_nv_define(const struct vd_tpm_link *link, uint32_t index, uint16_t size,
                           bool counter, struct vd_diag *diag);

vd_status vd_tpm_nv_undefine(const struct vd_tpm_link *link, const struct vd_tpm_nv *nv,
                             struct vd_diag *diag);

/* Writes `size` bytes from the start of an ordinary index. */
vd_status vd_tpm_nv_write(const struct vd_tpm_link *link, const struct vd_tpm_nv *nv,
                          const uint8_t *data, size_t size, struct vd_diag *diag);

/* Adds one to a counter; a new one starts above every count this TPM ever had. */
vd_status vd_tpm_nv_increment(const struct vd_tpm_link *link, const struct vd_tpm_nv *nv,
                              struct vd_diag *diag);

/*
 * Reads the whole index into `ret` (nv->size bytes) under `session` (HMAC, salted).
 * VD_E_NOT_FOUND: nothing was written to it yet.
 */
vd_status vd_tpm_nv_read(const struct vd_tpm_link *link, struct vd_tpm_session *session,
                         const struct vd_tpm_nv *nv, uint8_t *ret, struct vd_diag *diag);

#endif
