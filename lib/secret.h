/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Memory for secrets: keys, passphrases, shared secrets.
 *
 * The pages come from memfd_secret(2) where the kernel has it (even the kernel itself does not
 * map them), else from mmap, locked and left out of core dumps. Inaccessible pages stand before
 * and behind, a forked child finds nothing there, and every byte is wiped when it is let go.
 * Small secrets share pages (32 bytes to 4 KiB, in powers of two); larger ones have their own and
 * end at the guard page.
 *
 *     VD_AUTO(vd_secret_done) struct vd_secret key = {};
 *     VD_TRY(vd_secret_init(&key, 32, diag));
 *
 * Functions take `const struct vd_secret *`, so that printing a key or passing it as plain bytes
 * is a type error. What is locked counts against RLIMIT_MEMLOCK: 32 KiB are taken at a time.
 *
 * Threads: every function may be called by any thread; a secret itself belongs to one at a time
 * or is not written. The pool behind it is the process's, like malloc's.
 */
#ifndef VD_LIB_SECRET_H
#define VD_LIB_SECRET_H

#include "core/base/diag.h"

#define VD_SECRET_MAX_BYTES (16u << 20) /* of one secret */

struct vd_secret_slab; /* the pool's own */

/* Zero-initialised it holds nothing. Copying the struct copies no ownership. */
struct vd_secret {
    uint8_t *data;
    size_t size;
    struct vd_secret_slab *slab;
};

/*
 * Makes room for `size` bytes, all zero. `secret` is empty before (zeroed, or after _done).
 * VD_E_LIMIT beyond VD_SECRET_MAX_BYTES, VD_E_NO_MEMORY where memory or RLIMIT_MEMLOCK ends.
 * A size of 0 is a secret of no bytes.
 */
vd_status vd_secret_init(struct vd_secret *secret, size_t size, struct vd_diag *diag);

/* The same with `size` bytes of `data` in it. The caller wipes its own copy. */
vd_status vd_secret_set(struct vd_secret *secret, const void *data, size_t size,
                        struct vd_diag *diag);

/* Wipes and lets go; an empty secret is fine. Serves VD_AUTO. */
void vd_secret_done(struct vd_secret *secret);

/* Wipes what is behind `size` and keeps the rest; a larger size than now is VD_E_RANGE. */
vd_status vd_secret_cut(struct vd_secret *secret, size_t size);

/* True if both hold the same bytes. The time depends on the sizes alone. */
bool vd_secret_equal(const struct vd_secret *a, const struct vd_secret *b);

/* Which memory the pool has. */
enum vd_secret_kind {
    VD_SECRET_NONE,   /* nothing was asked for so far */
    VD_SECRET_MEMFD,  /* memfd_secret */
    VD_SECRET_LOCKED, /* mlock and MADV_DONTDUMP: the kernel has no memfd_secret */
};

struct vd_secret_stats {
    enum vd_secret_kind kind;
    size_t secrets;      /* in use */
    size_t locked_bytes; /* mapped, guard pages left out */
};

void vd_secret_stats(struct vd_secret_stats *ret);

#endif
