/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The verbs of the area `key`, a file each; area_key.c has the table. */
#ifndef VD_TOOLS_VERIDIAN_KEY_COMMANDS_H
#define VD_TOOLS_VERIDIAN_KEY_COMMANDS_H

#include "lib/cli/cli.h"

extern const struct vd_cli_command vd_key_create_command;
extern const struct vd_cli_command vd_key_import_command;
extern const struct vd_cli_command vd_key_list_command;
extern const struct vd_cli_command vd_key_show_command;
extern const struct vd_cli_command vd_key_status_command;
extern const struct vd_cli_command vd_key_encrypt_command;
extern const struct vd_cli_command vd_key_decrypt_command;
extern const struct vd_cli_command vd_key_rewrap_command;
extern const struct vd_cli_command vd_key_sign_command;
extern const struct vd_cli_command vd_key_verify_command;
extern const struct vd_cli_command vd_key_encapsulate_command;
extern const struct vd_cli_command vd_key_decapsulate_command;
extern const struct vd_cli_command vd_key_derive_command;
extern const struct vd_cli_command vd_key_wrap_command;
extern const struct vd_cli_command vd_key_unwrap_command;
extern const struct vd_cli_command vd_key_rotate_command;
extern const struct vd_cli_command vd_key_set_command;
extern const struct vd_cli_command vd_key_destroy_command;
extern const struct vd_cli_command vd_key_restore_command;
extern const struct vd_cli_command vd_key_credential_command;
extern const struct vd_cli_command vd_key_vectors_command;

#endif
