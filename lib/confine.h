/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The sandbox that every daemon puts itself into before it reads the first byte
 * from outside: user, capabilities, no_new_privs, Landlock, seccomp. The caller
 * says what it needs; everything else is refused for ever.
 */
#ifndef VD_LIB_CONFINE_H
#define VD_LIB_CONFINE_H

#include "core/base/diag.h"

/* A directory, or a single file, that may be used. */
struct vd_confine_dir {
    int fd;     /* of it; -1: the row is passed over */
    bool write; /* make, write, rename and remove files in it; else read alone */
};

#define VD_CONFINE_REFUSED (-2) /* as an argument: the call fails with EACCES and kills nobody */

/* A system call that may be made. */
struct vd_confine_call {
    int number;
    int argument;  /* -1: any arguments; else this one must, under `mask`, be `value` */
    uint64_t mask; /* 0: all bits */
    uint64_t value;
};

/* "UID:GID" → numbers; VD_E_USAGE for anything else. */
vd_status vd_confine_user_parse(const char *text, uint32_t *ret_uid, uint32_t *ret_gid,
                                struct vd_diag *diag);

/* Becomes the user (NULL: stays who it is): no supplementary groups, no capabilities. */
vd_status vd_confine_user(const char *user, struct vd_diag *diag);

/* Sets no_new_privs and restricts the files; `ret_there` is false where the kernel has no Landlock. */
vd_status vd_confine_files(const struct vd_confine_dir *dirs, uint32_t count, bool *ret_there,
                           struct vd_diag *diag);

/*
 * Restricts the system calls to those of the table: any other kills the process,
 * but clone3, which is told that it is not there, so that libc takes clone.
 */
vd_status vd_confine_calls(const struct vd_confine_call *calls, uint32_t count,
                           struct vd_diag *diag);

#endif
