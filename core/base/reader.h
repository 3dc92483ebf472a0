/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The bounded reader: the only way to read bytes that come from outside.
 *
 * Each call takes its bytes or fails with VD_E_TRUNCATED and takes none. No
 * call copies or allocates except vd_read_copy. Pointers handed out borrow the
 * input. A format's reader ends with vd_read_done, so that trailing bytes are
 * an error. Threads: a reader belongs to one.
 */
#ifndef VD_CORE_BASE_READER_H
#define VD_CORE_BASE_READER_H

#include "core/base/status.h"

struct vd_reader {
    const uint8_t *pos;
    const uint8_t *end;
    const uint8_t *start;
};

/* Reads `size` bytes at `data`, borrowed. `data` may be NULL if size is 0. */
void vd_reader_init(struct vd_reader *reader, const void *data, size_t size);

/* Bytes not yet taken. */
size_t vd_reader_left(const struct vd_reader *reader);

/* Bytes taken so far: the place for a diagnostic. */
size_t vd_reader_offset(const struct vd_reader *reader);

/* Unsigned integers, little-endian (le) and big-endian (be). */
vd_status vd_read_u8(struct vd_reader *reader, uint8_t *ret);
vd_status vd_read_le16(struct vd_reader *reader, uint16_t *ret);
vd_status vd_read_le32(struct vd_reader *reader, uint32_t *ret);
vd_status vd_read_le64(struct vd_reader *reader, uint64_t *ret);
vd_status vd_read_be16(struct vd_reader *reader, uint16_t *ret);
vd_status vd_read_be32(struct vd_reader *reader, uint32_t *ret);
vd_status vd_read_be64(struct vd_reader *reader, uint64_t *ret);

/* Takes `size` bytes and lends a pointer to them. */
vd_status vd_read_bytes(struct vd_reader *reader, size_t size, const uint8_t **ret);

/* Takes `size` bytes and copies them to `dst`. */
vd_status vd_read_copy(struct vd_reader *reader, void *dst, size_t size);

/* Takes `size` bytes as a reader of their own. */
vd_status vd_read_sub(struct vd_reader *reader, size_t size, struct vd_reader *ret);

/* Takes `size` bytes and drops them. */
vd_status vd_read_skip(struct vd_reader *reader, size_t size);

/* VD_OK if nothing is left, else VD_E_TRAILING. */
vd_status vd_read_done(const struct vd_reader *reader);

#endif
