/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The bounded writer, the reader's counterpart: encodes into a fixed buffer.
 *
 * A write that does not fit sets `full` and writes nothing more; `len` keeps
 * counting, so that a first pass with no buffer measures the size needed. The
 * encoder checks once, at its end, with vd_write_done.
 */
#ifndef VD_CORE_BASE_WRITER_H
#define VD_CORE_BASE_WRITER_H

#include "core/base/status.h"

struct vd_writer {
    uint8_t *buf; /* borrowed; may be NULL with size 0 */
    size_t size;  /* of buf in bytes */
    size_t len;   /* bytes wanted so far */
    bool full;    /* something did not fit */
};

void vd_writer_init(struct vd_writer *writer, void *buf, size_t size);

void vd_write_u8(struct vd_writer *writer, uint8_t value);
void vd_write_le16(struct vd_writer *writer, uint16_t value);
void vd_write_le32(struct vd_writer *writer, uint32_t value);
void vd_write_le64(struct vd_writer *writer, uint64_t value);
void vd_write_be16(struct vd_writer *writer, uint16_t value);
void vd_write_be32(struct vd_writer *writer, uint32_t value);
void vd_write_be64(struct vd_writer *writer, uint64_t value);

/* Appends `size` bytes from `data` (may be NULL if size is 0). */
void vd_write_bytes(struct vd_writer *writer, const void *data, size_t size);

/* Appends `size` zero bytes. */
void vd_write_zero(struct vd_writer *writer, size_t size);

/* Appends zero bytes until `len` is a multiple of `alignment` (a power of two). */
void vd_write_align(struct vd_writer *writer, size_t alignment);

/* VD_OK if everything fitted, else VD_E_NO_SPACE. */
vd_status vd_write_done(const struct vd_writer *writer);

#endif
