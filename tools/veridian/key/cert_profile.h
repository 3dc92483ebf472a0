/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a certificate says, by profile: names, times, extensions (RFC 5280). */
#ifndef VD_TOOLS_VERIDIAN_KEY_CERT_PROFILE_H
#define VD_TOOLS_VERIDIAN_KEY_CERT_PROFILE_H

#include "core/base/diag.h"

#include <openssl/x509.h>
#include <openssl/x509v3.h>

struct vd_cert_profile {
    const char *name;
    bool authority;
    uint32_t days, days_max; /* of validity: standard and most */
    const char *key_usage;   /* as OpenSSL's configuration has them */
    const char *extended;    /* NULL: none */
    uint32_t names;          /* kinds of alternative names: bits 1 << GEN_… */
};

/* By name: root, intermediate, server, client, code. VD_E_USAGE with the nearest one as hint. */
vd_status vd_cert_profile_find(const char *name, const struct vd_cert_profile **ret,
                               struct vd_diag *diag);

/* What goes into a certificate. */
struct vd_cert_content {
    const struct vd_cert_profile *profile;
    X509_NAME *subject;
    EVP_PKEY *key;                  /* the subject's */
    STACK_OF(GENERAL_NAME) * names; /* NULL: none; kinds that the profile does not know are left
                                        out */
    const uint8_t *serial;          /* VD_CERT_SERIAL_SIZE random bytes */
    uint32_t days;                  /* 0: the profile's */
    int path;                       /* authorities below an authority; -1: any number */
    X509 *issuer;                   /* NULL: itself */
};

/*
 * A certificate without its signature. Its time ends with the issuer's at the latest. VD_E_RANGE:
 * more days than the profile allows; VD_E_INVALID: a server without a name. The caller frees.
 */
vd_status vd_cert_build(const struct vd_cert_content *content, X509 **ret, struct vd_diag *diag);

/*
 * "CN=Name,O=Firm" (CN, O, OU, C, ST, L, serialNumber; '\' before a comma that is meant). VD_E_USAGE.
 */
vd_status vd_cert_name_parse(const char *text, X509_NAME **ret, struct vd_diag *diag);

/* The same name, encoded anew: what came from outside is not passed on as it was written. */
vd_status vd_cert_name_copy(const X509_NAME *name, X509_NAME **ret, struct vd_diag *diag);

/* "dns:example.org,ip:192.0.2.1,email:a@example.org,uri:…". VD_E_USAGE. */
vd_status vd_cert_names_parse(const char *text, STACK_OF(GENERAL_NAME) * *ret,
                              struct vd_diag *diag);

#endif
