/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Text built piece by piece in a fixed buffer, for places without printf.
 *
 * The buffer always holds a NUL-terminated string. What does not fit is cut and
 * `cut` is set: a message is worth having even when its tail is lost.
 */
#ifndef VD_CORE_BASE_TEXT_H
#define VD_CORE_BASE_TEXT_H

#include "core/base/types.h"

struct vd_text {
    char *buf;   /* borrowed */
    size_t size; /* of buf in bytes; 0: everything is cut */
    size_t len;  /* bytes used, without the NUL */
    bool cut;
};

/* Starts an empty text in `buf` of `size` bytes (at least 1). */
void vd_text_init(struct vd_text *text, char *buf, size_t size);

/* Appends a NUL-terminated string. */
void vd_text_str(struct vd_text *text, const char *s);

/*
 * Appends `len` bytes of foreign text; everything outside printable ASCII is
 * written as \xHH, so that a hostile name cannot steer a terminal.
 */
void vd_text_foreign(struct vd_text *text, const char *s, size_t len);

/* Appends a decimal number. */
void vd_text_u64(struct vd_text *text, uint64_t value);

/* Appends `len` bytes as lower-case hexadecimal. */
void vd_text_hex(struct vd_text *text, const uint8_t *bytes, size_t len);

#endif
