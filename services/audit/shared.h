/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The reader's side of the memory through which services hand over records
 * (core/abi/auditring.h). The other side may write there whatever it likes, at
 * any time: positions are kept here, every number is checked once it has been
 * copied, and a record is copied before anybody looks at it.
 *
 * Why the rings lie in windows of one arena: the kernel's list of robust
 * futexes has one distance from an entry to its word for all entries. So each
 * window is a private page that holds the entry, and behind it the memory.
 *
 * One thread, the one that made the arena.
 */
#ifndef VD_SERVICES_AUDIT_SHARED_H
#define VD_SERVICES_AUDIT_SHARED_H

#include "core/abi/auditring.h"
#include "core/audit/record.h"
#include "core/base/diag.h"

#include <linux/futex.h>

#define VD_AUDIT_SHARED_MAX 16u /* rings at a time */

struct vd_audit_arena {
    uint8_t *base;                        /* NULL: not made yet */
    uint32_t used;                        /* bit i: window i */
    uint64_t inodes[VD_AUDIT_SHARED_MAX]; /* of the memory in them */
    struct robust_list_head list;
};

/* A ring and how far it was read. All zero: none. */
struct vd_audit_shared {
    struct vd_auditring_head *mem;
    uint32_t window;
    uint32_t slots;
    uint64_t id;
    uint64_t taken;    /* position of the next record */
    uint64_t released; /* below it everything is on the disk */
};

struct vd_audit_shared_item {
    uint64_t position;
    uint32_t slots; /* 0: there is none; else of the record, or that nobody finished */
    uint32_t size;  /* of the record in the caller's buffer; 0: not finished */
};

/* Becomes the calling thread's list of robust futexes: glibc's own robust mutexes are not for it. */
vd_status vd_audit_arena_init(struct vd_audit_arena *arena, struct vd_diag *diag);
void vd_audit_arena_done(struct vd_audit_arena *arena);

/*
 * Makes a ring; `ret_fd` is its descriptor, for the other side, the caller's to
 * close. VD_E_BUSY: all windows are in use.
 */
vd_status vd_audit_shared_make(struct vd_audit_arena *arena, struct vd_audit_shared *ret,
                               int *ret_fd, struct vd_diag *diag);

/*
 * Takes up a ring of a daemon before where that one stopped; `fd` stays the
 * caller's. VD_E_INVALID: it is none; VD_E_EXISTS: it is read already.
 */
vd_status vd_audit_shared_adopt(struct vd_audit_arena *arena, int fd, struct vd_audit_shared *ret,
                                struct vd_diag *diag);

/*
 * Copies the next record to `bytes`. `ended`: nobody writes any more, so what is
 * not published never will be, and is given as an item of size 0. VD_E_INVALID,
 * VD_E_RANGE: the ring's content is impossible; it is of no use any more.
 */
vd_status vd_audit_shared_next(struct vd_audit_shared *s, bool ended,
                               uint8_t bytes[VD_AUDIT_RECORD_MAX_BYTES],
                               struct vd_audit_shared_item *ret, struct vd_diag *diag);

/* Gives the room of all that was taken back: the disk has it. */
void vd_audit_shared_release(struct vd_audit_shared *s);

/* Says what the daemon does next; then true if it must not sleep, since something waits. */
bool vd_audit_shared_state(struct vd_audit_shared *s, enum vd_auditring_state state);

/* What the writers are told before the daemon looks for the last time. */
void vd_audit_shared_close(struct vd_audit_shared *s); /* for ever */
void vd_audit_shared_leave(struct vd_audit_shared *s); /* another daemon may take it up */

/* Unmaps. */
void vd_audit_shared_done(struct vd_audit_arena *arena, struct vd_audit_shared *s);

#endif
