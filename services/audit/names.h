/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * From the kernel's numbers to names: classes and permissions by the compiled
 * policy, contexts by the kernel's map of contexts. Each source may be missing:
 * then the record keeps the numbers alone, which it always has.
 *
 * The policy file belongs to the policy that decided the first event; when
 * another policy_seqno appears the file is read again. One thread.
 */
#ifndef VD_SERVICES_AUDIT_NAMES_H
#define VD_SERVICES_AUDIT_NAMES_H

#include "core/audit/record.h"
#include "core/mac/transition.h"
#include "lib/file.h"

#define VD_AUDIT_CONTEXT_TEXT 4096u

struct vd_audit_names {
    int policy_dir;          /* of the policy file's directory; -1: no policy */
    const char *policy_name; /* in that directory, borrowed */
    int contexts_fd;         /* array map sid → struct vd_context; -1: none */
    uint32_t seqno;          /* of the policy that is loaded; 0: none seen */
    struct vd_bytes blob;
    struct vd_policydb db;
    bool loaded;
    /* Texts of the newest record, which borrows them. */
    char requested[1024];
    char denied[1024];
    char subject[VD_AUDIT_CONTEXT_TEXT];
    char object[VD_AUDIT_CONTEXT_TEXT];
    char next[VD_AUDIT_CONTEXT_TEXT];
};

/* `policy_path` and `contexts_path` may be NULL. What is given must be there. */
vd_status vd_audit_names_init(struct vd_audit_names *ret, const char *policy_path,
                              const char *contexts_path, struct vd_diag *diag);
void vd_audit_names_done(struct vd_audit_names *names);

/*
 * Makes a record of a checked event. Its texts borrow `event` and `names` until
 * the next call. `boot_offset_ns`: CLOCK_REALTIME less CLOCK_BOOTTIME.
 */
void vd_audit_names_record(struct vd_audit_names *names, const struct vd_event *event,
                           uint64_t boot_offset_ns, struct vd_audit_record *ret);

#endif
