/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The files that `veridian policy compile` reads: in memory, large ones in pieces when they
 * are wanted, or all of them mapped.
 */
#ifndef VD_TOOLS_VERIDIAN_POLICY_INPUTS_H
#define VD_TOOLS_VERIDIAN_POLICY_INPUTS_H

#include <time.h>

#include "lib/file.h"
#include "tools/sepolicy/sepolicy.h"

struct vd_policy_input {
    struct vd_bytes bytes; /* read whole */
    int fd;                /* read in pieces; else -1 */
    const void *map;       /* mapped; else NULL */
    size_t map_size;
    struct timespec changed; /* when a mapped file was changed last */
};

struct vd_policy_inputs {
    struct vd_policy_input *list;
    struct vd_sepolicy_source *sources;
    uint32_t count;
};

/*
 * Opens and reads the files; `mapped`: regular ones are mapped, and a file that somebody cuts
 * short while it is in use ends the process with a message. On failure `diag` says which
 * file and why. Either way `inputs` (zeroed before) is to be ended with
 * vd_policy_inputs_done.
 */
vd_status vd_policy_inputs_load(struct vd_policy_inputs *inputs, char **paths, uint32_t count,
                                bool mapped, struct vd_diag *diag);

/*
 * True if the mapped files are still what they were when they were loaded: what was compiled
 * is what they say.
 */
bool vd_policy_inputs_unchanged(const struct vd_policy_inputs *inputs);

void vd_policy_inputs_done(struct vd_policy_inputs *inputs);

#endif
