/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Reading a whole log: every segment in order, every hash, every link between
 * segments, every record's form.
 *
 * What a log cannot show by itself is that its newest records were cut off:
 * compare the head with one that was kept elsewhere (`--expect-head`).
 * Memory: one segment at a time.
 */
#ifndef VD_SERVICES_AUDIT_VERIFY_H
#define VD_SERVICES_AUDIT_VERIFY_H

#include "services/audit/store.h"

/* Where a log stands, or where it is wrong. */
struct vd_audit_report {
    uint32_t segments; /* verified */
    uint64_t records;  /* verified */
    uint32_t torn;     /* segments with a torn tail to which the next one commits */
    uint64_t torn_bytes;
    enum vd_audit_state state;        /* of the newest segment: closed, open or torn */
    uint8_t head[VD_AUDIT_HASH_SIZE]; /* last valid hash */
    uint64_t segment;                 /* failure: the segment's number */
    uint64_t sequence;                /* failure: number of the first record that does not verify */
    uint64_t offset;                  /* failure: its offset in the segment */
};

/*
 * Called for each verified frame; `record` borrows the segment and is NULL for an
 * end frame. Not VD_OK ends the walk.
 */
typedef vd_status (*vd_audit_visit)(void *ctx, uint64_t segment, const struct vd_audit_frame *frame,
                                    const struct vd_audit_record *record);

/* What to walk and whom to tell. */
struct vd_audit_walk {
    const struct vd_audit_store *store;
    const struct vd_audit_hash *hash;
    uint32_t first;       /* index of the first segment; the link into it is trusted */
    vd_audit_visit visit; /* NULL: nobody */
    void *ctx;            /* for visit */
};

/*
 * Walks the segments from `first` on, for reading. VD_E_DIFFERS if something
 * does not verify (`diag` says what, the report says where), VD_E_NOT_FOUND if
 * there is no segment, VD_E_MAGIC if the files are something else. A newest
 * segment that ends torn is no failure here. `ret` is filled in any case.
 */
vd_status vd_audit_read(const struct vd_audit_walk *walk, struct vd_audit_report *ret,
                        struct vd_diag *diag);

/*
 * The same for the whole log (`first` is 0), as a judgement: it must begin with
 * segment 1, and a newest segment that ends torn is VD_E_DIFFERS too.
 */
vd_status vd_audit_verify(const struct vd_audit_walk *walk, struct vd_audit_report *ret,
                          struct vd_diag *diag);

#endif
