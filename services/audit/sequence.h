/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Exact accounting of a ring's sequence numbers, which may arrive out of order.
 *
 * A number counts as lost once it has left a window of VD_AUDIT_WINDOW numbers
 * below the highest, or when vd_audit_sequence_settle is called (nothing can be
 * on its way any more). Each number is reported at most once as lost. A number
 * that arrives after that is `late`: lost less late is what is really missing.
 * A number that was seen already is the same event once more (a reader that was
 * killed before it released it); the caller drops it.
 */
#ifndef VD_SERVICES_AUDIT_SEQUENCE_H
#define VD_SERVICES_AUDIT_SEQUENCE_H

#include "core/base/bitmap.h"

#define VD_AUDIT_WINDOW    65536u
#define VD_AUDIT_RUNS_KEPT 64u /* newest reported losses that are remembered */

struct vd_audit_sequence {
    uint64_t first; /* expected first */
    uint64_t base;  /* everything below was seen or is lost */
    uint64_t next;  /* one above the highest number seen; at least base */
    uint64_t received;
    uint64_t lost;
    uint64_t late;
    uint64_t repeated;
    /* Called for each run of lost numbers, ascending. */
    void (*report)(void *ctx, uint64_t first, uint64_t count);
    void *ctx;
    uint64_t run_first;
    uint64_t run_count;
    struct {
        uint64_t first;
        uint64_t count;
    } runs[VD_AUDIT_RUNS_KEPT];          /* reported losses, a ring */
    uint64_t run_total;                  /* ever reported */
    uint64_t seen[VD_AUDIT_WINDOW / 64]; /* number n at bit n % VD_AUDIT_WINDOW */
};

/* What a number was. */
enum vd_audit_arrival {
    VD_AUDIT_ARRIVAL_NEW,
    VD_AUDIT_ARRIVAL_LATE,     /* reported as lost before, or too old to know */
    VD_AUDIT_ARRIVAL_REPEATED, /* seen already: the same event once more */
};

/* Expects `base` as the first number. `report` may be NULL. */
void vd_audit_sequence_init(struct vd_audit_sequence *s, uint64_t base,
                            void (*report)(void *ctx, uint64_t first, uint64_t count), void *ctx);

/*
 * Goes on where another tracker stood: it started at `first`, knew all below
 * `base`, and had counted `lost` of them as lost.
 */
void vd_audit_sequence_resume(struct vd_audit_sequence *s, uint64_t first, uint64_t base,
                              uint64_t lost);

/* Takes a number. May report losses first. */
enum vd_audit_arrival vd_audit_sequence_take(struct vd_audit_sequence *s, uint64_t number);

/* Numbers missing below the highest, not reported yet. */
uint64_t vd_audit_sequence_missing(const struct vd_audit_sequence *s);

/* Reports everything missing below `end` as lost; `end` may lie above the highest seen. */
void vd_audit_sequence_settle(struct vd_audit_sequence *s, uint64_t end);

#endif
