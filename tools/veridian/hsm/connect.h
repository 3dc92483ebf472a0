/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the verbs of the area `hsm` share: the token that the call names, and their tables. */
#ifndef VD_TOOLS_VERIDIAN_HSM_CONNECT_H
#define VD_TOOLS_VERIDIAN_HSM_CONNECT_H

#include "hardware/hsm/hsm.h"
#include "lib/cli/cli.h"

/* Options of every verb; the first member of each verb's own arguments. */
struct vd_hsm_options {
    const char *module;
    const char *pin_file;
};

/* clang-format off */
#define VD_HSM_OPTIONS(type)                                                            \
    {.name = "module", .kind = VD_CLI_TEXT, .store = offsetof(type, common.module),     \
     .help = "the PKCS #11 module (default: the URI's, or $VERIDIAN_PKCS11_MODULE)",    \
     .argument = "PATH"},                                                               \
    {.name = "pin-file", .kind = VD_CLI_TEXT, .store = offsetof(type, common.pin_file), \
     .help = "file with the PIN (default: the URI's pin-source, $VERIDIAN_PKCS11_PIN, or asked)", \
     .argument = "FILE"}
/* clang-format on */

/* A connection with what it was made from. */
struct vd_hsm_connection {
    struct vd_hsm_uri uri;
    struct vd_hsm *hsm;
};

/* Reads the URI (NULL: the only token), and the PIN where `login`; opens the token. */
vd_status vd_hsm_connect(const struct vd_hsm_options *options, const char *uri, bool login,
                         struct vd_hsm_connection *ret, struct vd_diag *diag);

/* Ends it; serves VD_AUTO. */
void vd_hsm_disconnect(struct vd_hsm_connection *connection);

/* The key's own URI, with the token's label and serial number. */
void vd_hsm_key_uri(const struct vd_hsm *hsm, const struct vd_hsm_key *key, char *buf, size_t size);

/* "rsa-2048", "ec-p256", "aes-256", or "?". */
void vd_hsm_key_kind(const struct vd_hsm_key *key, char ret[16]);

extern const struct vd_cli_command vd_hsm_create_command;
extern const struct vd_cli_command vd_hsm_public_command;
extern const struct vd_cli_command vd_hsm_destroy_command;
extern const struct vd_cli_command vd_hsm_sign_command;
extern const struct vd_cli_command vd_hsm_encrypt_command;
extern const struct vd_cli_command vd_hsm_decrypt_command;

#endif
