/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The diagnostic: what was wrong, where, what was expected, how to mend it.
 *
 * The caller owns it, on its stack, and may pass NULL where it does not care.
 * core/ and lib/ fill it and never print; a program prints it once, at its
 * border (lib/cli). The first failure stands: a later one does not overwrite
 * it.
 */
#ifndef VD_CORE_BASE_DIAG_H
#define VD_CORE_BASE_DIAG_H

#include "core/base/status.h"
#include "core/base/text.h"

#define VD_DIAG_FILE_SIZE 256
#define VD_DIAG_TEXT_SIZE 320
#define VD_DIAG_HINT_SIZE 192

struct vd_diag {
    vd_status status;             /* VD_OK: nothing stands here */
    bool has_offset;              /* `offset` is meant */
    uint32_t line;                /* 1-based; 0: no line is known */
    uint32_t column;              /* 1-based, in bytes; 0: none is known */
    uint64_t offset;              /* in bytes from the input's start */
    char file[VD_DIAG_FILE_SIZE]; /* file or part; empty: none */
    char text[VD_DIAG_TEXT_SIZE]; /* what was wrong and what was expected */
    char hint[VD_DIAG_HINT_SIZE]; /* how to mend it; empty: no advice */
};

/*
 * Notes a failure with its text and returns `status`, so that a check reads
 * `return vd_diag_fail(diag, VD_E_RANGE, "...")`. `text` is copied.
 */
vd_status vd_diag_fail(struct vd_diag *diag, vd_status status, const char *text);

/* The same with the byte offset at which the input is wrong. */
vd_status vd_diag_fail_at(struct vd_diag *diag, vd_status status, uint64_t offset,
                          const char *text);

/* Sets the advice unless one stands already. */
void vd_diag_hint(struct vd_diag *diag, const char *hint);

/* Sets the file's or part's name unless one stands already. */
void vd_diag_file(struct vd_diag *diag, const char *file);

/*
 * Begins a text that is built of pieces: `ret_text` writes into the diagnostic
 * (or nowhere, where `diag` is NULL or filled already). Use as
 *     struct vd_text t;
 *     vd_diag_begin(diag, VD_E_LIMIT, &t);
 *     vd_text_str(&t, "more than "); vd_text_u64(&t, max);
 *     return VD_E_LIMIT;
 */
void vd_diag_begin(struct vd_diag *diag, vd_status status, struct vd_text *ret_text);

#endif
