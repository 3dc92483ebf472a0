/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a certificate authority keeps as attachments of its key in the service's store
 * (docs/formats/certificates.md). Reading checks everything: VD_E_TRUNCATED, VD_E_TRAILING,
 * VD_E_MAGIC, VD_E_VERSION, VD_E_RANGE.
 */
#ifndef VD_TOOLS_VERIDIAN_KEY_CERT_STATE_H
#define VD_TOOLS_VERIDIAN_KEY_CERT_STATE_H

#include "core/abi/crypto.h"
#include "core/base/diag.h"
#include "core/base/writer.h"

#define VD_CERT_SERIAL_SIZE 16u /* random bytes */
#define VD_CERT_SERIAL_HEX  (2 * VD_CERT_SERIAL_SIZE + 1)
#define VD_CERT_STATE_BYTES 64u /* room for any of the three */

/* The attachments' names. */
#define VD_CERT_OWN   "ca"    /* VD_KEY_ATTACH_CERTIFICATE */
#define VD_CERT_STATE "state" /* VD_KEY_ATTACH_CA */
#define VD_CERT_LIST  "crl:"  /* VD_KEY_ATTACH_CA, then the number as 16 hexadecimal digits */

struct vd_cert_state {
    bool pkcs1;           /* RSA signs with PKCS #1 v1.5 */
    bool has_alternative; /* signs with a second key too */
    uint8_t alternative[VD_KEY_ID_SIZE];
};

/* Reasons of RFC 5280, 5.3.1; 7 is not used, 6 and 8 can be taken back and are not offered. */
struct vd_cert_revocation {
    uint8_t reason;
    uint64_t at; /* seconds since 1970 */
};

/* The newest revocation list. */
struct vd_cert_list {
    uint64_t this_update, next_update; /* seconds since 1970 */
    uint8_t digest[32];                /* SHA-256 of its DER */
};

void vd_cert_state_write(const struct vd_cert_state *state, struct vd_writer *w);
vd_status vd_cert_state_read(const void *data, size_t size, struct vd_cert_state *ret,
                             struct vd_diag *diag);
void vd_cert_revocation_write(const struct vd_cert_revocation *revocation, struct vd_writer *w);
vd_status vd_cert_revocation_read(const void *data, size_t size, struct vd_cert_revocation *ret,
                                  struct vd_diag *diag);
void vd_cert_list_write(const struct vd_cert_list *list, struct vd_writer *w);
vd_status vd_cert_list_read(const void *data, size_t size, struct vd_cert_list *ret,
                            struct vd_diag *diag);

/* The number in an attachment's name "crl:…"; VD_E_INVALID. */
vd_status vd_cert_list_number(const char *name, uint64_t *ret, struct vd_diag *diag);

/* True for 32 lower-case hexadecimal digits. */
bool vd_cert_serial_valid(const char *hex);

/* "keyCompromise", …; NULL for a number that is none of ours. */
const char *vd_cert_reason_name(uint8_t reason);
vd_status vd_cert_reason_find(const char *name, uint8_t *ret, struct vd_diag *diag);

#endif
