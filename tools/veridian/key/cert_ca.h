/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A certificate authority: a key of the service with the usage `certify`, and what stands with it
 * in the store. Nothing of an authority is kept elsewhere, so that what was acknowledged is there
 * after a crash, and revocations cannot be undone by an older store.
 */
#ifndef VD_TOOLS_VERIDIAN_KEY_CERT_CA_H
#define VD_TOOLS_VERIDIAN_KEY_CERT_CA_H

#include "tools/veridian/key/cert_csr.h"
#include "tools/veridian/key/cert_profile.h"
#include "tools/veridian/key/cert_sign.h"
#include "tools/veridian/key/cert_state.h"
#include "tools/veridian/key/common.h"

struct vd_cert_ca {
    struct vd_key_run run;
    struct vd_cert_state state;
    struct vd_cert_signer signer;
    struct vd_cert_signer alternative; /* key NULL: none */
    X509 *cert;                        /* NULL before it has one */
};

/* Serve VD_AUTO. */
void vd_cert_free(X509 **cert);
void vd_cert_ca_done(struct vd_cert_ca *ca);

/* Opens a key that is to become one; `state` says how it signs. VD_E_KEY_USAGE, VD_E_KEY_TYPE. */
vd_status vd_cert_ca_prepare(struct vd_cert_ca *ca, const struct vd_key_service *service,
                             const char *name, struct vd_diag *diag);
vd_status vd_cert_ca_signers(struct vd_cert_ca *ca, struct vd_diag *diag);

/* Opens one with its certificate. VD_E_NOT_FOUND with advice: the key has none. */
vd_status vd_cert_ca_open(struct vd_cert_ca *ca, const struct vd_key_service *service,
                          const char *name, struct vd_diag *diag);

/* Keeps its own certificate and state: durable when VD_OK comes back. */
vd_status vd_cert_ca_store(struct vd_cert_ca *ca, struct vd_diag *diag);

/*
 * Makes, signs and keeps a certificate. content->serial and issuer are set here. `alternative`:
 * the subject's alternative key, or NULL. Durable when VD_OK comes back; the caller frees.
 */
vd_status vd_cert_ca_issue(struct vd_cert_ca *ca, struct vd_cert_content *content,
                           EVP_PKEY *alternative, X509 **ret, struct vd_diag *diag);

/* A certificate that it issued. VD_E_NOT_FOUND. The caller frees. */
vd_status vd_cert_ca_issued(struct vd_cert_ca *ca, const char *serial, X509 **ret,
                            struct vd_diag *diag);

/* Whether it is revoked, and why. */
vd_status vd_cert_ca_revocation(struct vd_cert_ca *ca, const char *serial, bool *ret_revoked,
                                struct vd_cert_revocation *ret, struct vd_diag *diag);

/* A serial number that somebody typed or copied from OpenSSL, which writes capitals: in place. */
const char *vd_cert_serial_typed(char *word);

/* The serial number as it names attachments; false: none of ours. */
bool vd_cert_serial_of(const X509 *cert, char ret[VD_CERT_SERIAL_HEX]);

/* A certificate as PEM to `path` (NULL: standard output). */
vd_status vd_cert_output(X509 *cert, const char *path, struct vd_diag *diag);

/* From a file, PEM or DER. The caller frees. */
vd_status vd_cert_load(const char *path, X509 **ret, struct vd_diag *diag);

/* "CN=…, O=…" for people; on the heap of OpenSSL (OPENSSL_free). */
char *vd_cert_name_text(const X509_NAME *name);

/* Seconds since 1970. */
uint64_t vd_cert_time(const ASN1_TIME *time);

#endif
