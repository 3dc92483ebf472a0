/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/base/writer.h"
#include "core/base/checked.h"
#include "core/base/mem.h"

void vd_writer_init(struct vd_writer *writer, void *buf, size_t size)
{
    *writer = (struct vd_writer){.buf = buf, .size = size};
}

/* Reserves `size` bytes; NULL where they do not fit. */
static uint8_t *reserve(struct vd_writer *writer, size_t size)
{
    size_t at = writer->len;

    if (!VD_ADD(writer->len, size, &writer->len)) {
        writer->len = SIZE_MAX;
        writer->full = true;
    }
    if (writer->full || !vd_range_within(at, size, writer->size)) {
        writer->full = true;
        return NULL;
    }
    return writer->buf + at;
}

static void write_int(struct vd_writer *writer, uint64_t value, size_t size, bool big)
{
    uint8_t *p = reserve(writer, size);

    if (p == NULL)
        return;
    for (size_t i = 0; i < size; i++)
        p[big ? size - 1 - i : i] = (uint8_t)(value >> (8 * i));
}

void vd_write_u8(struct vd_writer *writer, uint8_t value)
{
    write_int(writer, value, 1, false);
}

void vd_write_le16(struct vd_writer *writer, uint16_t value)
{
    write_int(writer, value, 2, false);
}

void vd_write_le32(struct vd_writer *writer, uint32_t value)
{
    write_int(writer, value, 4, false);
}

void vd_write_le64(struct vd_writer *writer, uint64_t value)
{
    write_int(writer, value, 8, false);
}

void vd_write_be16(struct vd_writer *writer, uint16_t value)
{
    write_int(writer, value, 2, true);
}

void vd_write_be32(struct vd_writer *writer, uint32_t value)
{
    write_int(writer, value, 4, true);
}

void vd_write_be64(struct vd_writer *writer, uint64_t value)
{
    write_int(writer, value, 8, true);
}

void vd_write_bytes(struct vd_writer *writer, const void *data, size_t size)
{
    uint8_t *p = reserve(writer, size);

    if (p != NULL && size > 0)
        vd_copy(p, data, size);
}

void vd_write_zero(struct vd_writer *writer, size_t size)
{
    uint8_t *p = reserve(writer, size);

    if (p != NULL && size > 0)
        __builtin_memset(p, 0, size);
}

void vd_write_align(struct vd_writer *writer, size_t alignment)
{
    vd_write_zero(writer, -writer->len & (alignment - 1));
}

vd_status vd_write_done(const struct vd_writer *writer)
{
    return writer->full ? VD_E_NO_SPACE : VD_OK;
}
