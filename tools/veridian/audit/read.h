/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What `veridian audit` does: tail, search, verify. Results go to standard output. */
#ifndef VD_TOOLS_VERIDIAN_AUDIT_READ_H
#define VD_TOOLS_VERIDIAN_AUDIT_READ_H

#include "core/base/diag.h"

struct vd_audit_tail_args {
    const char *log;
    uint64_t lines;
    bool follow;
    bool json;
};

struct vd_audit_verify_args {
    const char *log;
    const char *expect_head; /* NULL: none */
    bool json;
};

/* Filters; NULL fits everything. */
struct vd_audit_search_args {
    const char *log;
    const char *type;
    const char *verdict;
    const char *pid;
    const char *uid;
    const char *comm;
    const char *path;
    const char *subject;
    const char *object;
    const char *class;
    bool json;
};

/* VD_E_DIFFERS where a record does not verify; what comes before it was printed. */
vd_status vd_audit_tail(const struct vd_audit_tail_args *args, struct vd_diag *diag);

/* Prints where the log stands; VD_E_DIFFERS if it does not verify or lacks the head. */
vd_status vd_audit_verify_log(const struct vd_audit_verify_args *args, struct vd_diag *diag);

/* `ret_found`: how many records fitted. VD_E_USAGE for a filter that cannot be. */
vd_status vd_audit_search(const struct vd_audit_search_args *args, uint64_t *ret_found,
                          struct vd_diag *diag);

#endif
