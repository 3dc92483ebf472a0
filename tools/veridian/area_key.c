/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The area `key`: the key service's client on the command line; key/ has the verbs. */
#include "tools/veridian/areas.h"

#include "tools/veridian/key/cert.h"
#include "tools/veridian/key/commands.h"

/* clang-format off */
static const struct vd_cli_command *const cert_verbs[] = {
    &vd_cert_ca_command,
    &vd_cert_csr_command,
    &vd_cert_issue_command,
    &vd_cert_renew_command,
    &vd_cert_revoke_command,
    &vd_cert_crl_command,
    &vd_cert_list_command,
    &vd_cert_show_command,
    &vd_cert_verify_command,
    NULL,
};
/* clang-format on */

static const struct vd_cli_command cert_command = {
    .name = "cert",
    .summary = "certificates: authorities, requests, issuing, revoking",
    .commands = cert_verbs,
};

/* clang-format off */
static const struct vd_cli_command *const verbs[] = {
    &vd_key_create_command,
    &vd_key_import_command,
    &vd_key_list_command,
    &vd_key_show_command,
    &vd_key_encrypt_command,
    &vd_key_decrypt_command,
    &vd_key_rewrap_command,
    &vd_key_sign_command,
    &vd_key_verify_command,
    &vd_key_encapsulate_command,
    &vd_key_decapsulate_command,
    &vd_key_derive_command,
    &vd_key_wrap_command,
    &vd_key_unwrap_command,
    &vd_key_rotate_command,
    &vd_key_set_command,
    &vd_key_destroy_command,
    &vd_key_restore_command,
    &vd_key_credential_command,
    &cert_command,
    &vd_key_status_command,
    &vd_key_vectors_command,
    NULL,
};
/* clang-format on */

const struct vd_cli_command vd_area_key = {
    .name = "key",
    .summary = "keys that never leave the key service, and the proof of its algorithms",
    .commands = verbs,
};
