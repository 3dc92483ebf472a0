/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The area `key`: a row for each verb of tools/veridian/key. */
#include "tools/veridian/areas.h"
#include "tools/veridian/key/commands.h"

static const struct vd_cli_command *const verbs[] = {
    &vd_key_vectors_command,
    NULL,
};

const struct vd_cli_command vd_area_key = {
    .name = "key",
    .summary = "keys: what the key service keeps and does, and the proof of its algorithms",
    .commands = verbs,
};
