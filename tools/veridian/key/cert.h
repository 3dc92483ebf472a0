/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The verbs of `key cert`. */
#ifndef VD_TOOLS_VERIDIAN_KEY_CERT_H
#define VD_TOOLS_VERIDIAN_KEY_CERT_H

#include "lib/cli/cli.h"

extern const struct vd_cli_command vd_cert_ca_command;
extern const struct vd_cli_command vd_cert_csr_command;
extern const struct vd_cli_command vd_cert_issue_command;
extern const struct vd_cli_command vd_cert_renew_command;
extern const struct vd_cli_command vd_cert_revoke_command;
extern const struct vd_cli_command vd_cert_crl_command;
extern const struct vd_cli_command vd_cert_list_command;
extern const struct vd_cli_command vd_cert_show_command;
extern const struct vd_cli_command vd_cert_verify_command;

#endif
