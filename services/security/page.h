/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The page that every client maps (struct vd_sec_page): which policy is in
 * force, and whether this process still runs. One thread, the one that made it.
 */
#ifndef VD_SERVICES_SECURITY_PAGE_H
#define VD_SERVICES_SECURITY_PAGE_H

#include "core/abi/security.h"
#include "core/base/diag.h"

struct vd_secd_page {
    int fd;                     /* to be passed to clients; sealed */
    struct vd_sec_page *mapped; /* the only writable mapping there can be */
};

/* Makes the page and puts it on the calling thread's robust list. */
vd_status vd_secd_page_init(struct vd_secd_page *ret, struct vd_diag *diag);

/* Says that nobody answers any more; clients hold their mappings as long as they like. */
void vd_secd_page_done(struct vd_secd_page *page);

/* Publishes a policy; `stamp` was never published before. */
void vd_secd_page_publish(struct vd_secd_page *page, uint64_t stamp, uint32_t sequence,
                          uint64_t checksum);

#endif
