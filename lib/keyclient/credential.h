/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Secrets of systemd's units (LoadCredential=, systemd.exec(5)), kept encrypted at a key of the key
 * service: one attachment of kind USER each (docs/credentials.md). Any thread.
 */
#ifndef VD_LIB_KEYCLIENT_CREDENTIAL_H
#define VD_LIB_KEYCLIENT_CREDENTIAL_H

#include "lib/keyclient/keyclient.h"

#define VD_CREDENTIAL_KEY      "credentials" /* the key, unless another is named */
#define VD_CREDENTIAL_PART_MAX 255u          /* bytes of a unit's or credential's name */
#define VD_CREDENTIAL_MAX      58000u        /* bytes of a secret */
#define VD_CREDENTIAL_PREFIX   "cred:"       /* of the attachments' names */

struct vd_credential_name {
    char unit[VD_CREDENTIAL_PART_MAX + 1];
    char id[VD_CREDENTIAL_PART_MAX + 1];
};

/* Takes the names: VD_E_INVALID for letters that systemd's have not, VD_E_LIMIT. */
vd_status vd_credential_name(const char *unit, const char *id, struct vd_credential_name *ret,
                             struct vd_diag *diag);

/*
 * The address that systemd connects from, `size` bytes of sun_path: NUL, random letters, "/unit/",
 * unit, "/", credential. VD_E_INVALID for any other: hostile input.
 */
vd_status vd_credential_address(const char *path, size_t size, struct vd_credential_name *ret,
                                struct vd_diag *diag);

/* The attachment that has it. */
vd_status vd_credential_attachment(const struct vd_credential_name *name,
                                   char ret[VD_KEY_ATTACHMENT_NAME + 1], struct vd_diag *diag);

/* Encrypts the secret by the key and keeps it there; one that is there is replaced. */
vd_status vd_credential_set(struct vd_keyclient *client, struct vd_keyclient_key *key,
                            const struct vd_credential_name *name,
                            const struct vd_keyclient_bytes *secret, struct vd_diag *diag);

/* Its secret; `out` has room for VD_KEY_ATTACHMENT_MAX bytes. VD_E_NOT_FOUND. */
vd_status vd_credential_get(struct vd_keyclient *client, struct vd_keyclient_key *key,
                            const struct vd_credential_name *name, struct vd_keyclient_buffer *out,
                            struct vd_diag *diag);

/* Whose the attachment is, from its value. VD_E_NOT_FOUND: it is none. */
vd_status vd_credential_whose(struct vd_keyclient_key *key, const char *attachment,
                              struct vd_credential_name *ret, struct vd_diag *diag);

vd_status vd_credential_remove(struct vd_keyclient_key *key, const struct vd_credential_name *name,
                               struct vd_diag *diag);

#endif
