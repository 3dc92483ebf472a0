/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * An audit record as a question to a policy: names become the policy's numbers.
 */
#ifndef VD_TOOLS_ANALYSIS_REQUEST_H
#define VD_TOOLS_ANALYSIS_REQUEST_H

#include "tools/analysis/explain.h"
#include "tools/analysis/record.h"

/* What of a record the policy knows. */
enum vd_request {
    VD_REQUEST_KNOWN,
    VD_REQUEST_NO_SOURCE, /* the context is not one of the policy's */
    VD_REQUEST_NO_TARGET,
    VD_REQUEST_NO_CLASS, /* what the policy's handle_unknown is about */
    VD_REQUEST_NO_PERM,  /* a permission that the class does not have: the same */
};

/*
 * Fills `ret` as far as the policy knows the record; `diag` says what it does not
 * know. With VD_REQUEST_NO_PERM `ret` is whole but for the unknown permissions.
 */
enum vd_request vd_request_resolve(const struct vd_policydb *db, const struct vd_record *record,
                                   struct vd_why_question *ret, struct vd_diag *diag);

/* Whether the policy lets pass what it does not know, and the word for it: deny, reject, allow. */
bool vd_request_unknown(const struct vd_policydb *db, const char **ret_word);

#endif
