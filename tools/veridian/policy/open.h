/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A compiled policy as the verbs of `veridian policy` open it: the blob, with the
 * rulebook behind it where one is wanted.
 */
#ifndef VD_TOOLS_VERIDIAN_POLICY_OPEN_H
#define VD_TOOLS_VERIDIAN_POLICY_OPEN_H

#include "lib/cli/cli.h"
#include "lib/file.h"
#include "tools/rulebook/rulebook.h"

struct vd_policy_file {
    struct vd_bytes bytes; /* the whole file, owned */
    struct vd_policydb db;
    struct vd_rulebook book; /* only if it was asked for */
};

/* How a policy is to be opened. */
enum vd_policy_open {
    VD_POLICY_OPEN_BLOB,  /* decisions only */
    VD_POLICY_OPEN_RULES, /* with the rulebook; a policy compiled with --strip is refused */
    VD_POLICY_OPEN_ANY,   /* with the rulebook if it has one, else `book.head` is NULL */
};

/*
 * Reads and checks the policy at `path`, then sets the booleans "NAME=0" or
 * "NAME=1" of `bools` in it. The diagnostic names the file. End with
 * vd_policy_file_done, which an empty struct may be given too.
 */
vd_status vd_policy_file_open(const char *path, enum vd_policy_open how,
                              const struct vd_cli_list *bools, struct vd_policy_file *ret,
                              struct vd_diag *diag);

void vd_policy_file_done(struct vd_policy_file *file);

#endif
