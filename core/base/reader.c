/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/base/reader.h"
#include "core/base/mem.h"

void vd_reader_init(struct vd_reader *reader, const void *data, size_t size)
{
    const uint8_t *start = data;

    reader->pos = start;
    reader->start = start;
    reader->end = size == 0 ? start : start + size;
}

size_t vd_reader_left(const struct vd_reader *reader)
{
    return (size_t)(reader->end - reader->pos);
}

size_t vd_reader_offset(const struct vd_reader *reader)
{
    return (size_t)(reader->pos - reader->start);
}

vd_status vd_read_bytes(struct vd_reader *reader, size_t size, const uint8_t **ret)
{
    if (size > vd_reader_left(reader))
        return VD_E_TRUNCATED;
    *ret = reader->pos;
    reader->pos += size;
    return VD_OK;
}

vd_status vd_read_u8(struct vd_reader *reader, uint8_t *ret)
{
    const uint8_t *p;

    VD_TRY(vd_read_bytes(reader, 1, &p));
    *ret = p[0];
    return VD_OK;
}

/* Both byte orders are built from bytes: no alignment, no host order. */
static vd_status read_int(struct vd_reader *reader, size_t size, bool big, uint64_t *ret)
{
    const uint8_t *p;
    uint64_t value = 0;

    VD_TRY(vd_read_bytes(reader, size, &p));
    for (size_t i = 0; i < size; i++)
        value = value << 8 | p[big ? i : size - 1 - i];
    *ret = value;
    return VD_OK;
}

#define DEFINE_READ(name, type, big)                              \
    vd_status vd_read_##name(struct vd_reader *reader, type *ret) \
    {                                                             \
        uint64_t value;                                           \
                                                                  \
        VD_TRY(read_int(reader, sizeof(type), big, &value));      \
        *ret = (type)value;                                       \
        return VD_OK;                                             \
    }

DEFINE_READ(le16, uint16_t, false)
DEFINE_READ(le32, uint32_t, false)
DEFINE_READ(le64, uint64_t, false)
DEFINE_READ(be16, uint16_t, true)
DEFINE_READ(be32, uint32_t, true)
DEFINE_READ(be64, uint64_t, true)

vd_status vd_read_copy(struct vd_reader *reader, void *dst, size_t size)
{
    const uint8_t *p;

    VD_TRY(vd_read_bytes(reader, size, &p));
    if (size > 0)
        vd_copy(dst, p, size);
    return VD_OK;
}

vd_status vd_read_sub(struct vd_reader *reader, size_t size, struct vd_reader *ret)
{
    const uint8_t *p;

    VD_TRY(vd_read_bytes(reader, size, &p));
    vd_reader_init(ret, p, size);
    return VD_OK;
}

vd_status vd_read_skip(struct vd_reader *reader, size_t size)
{
    const uint8_t *p;

    return vd_read_bytes(reader, size, &p);
}

vd_status vd_read_done(const struct vd_reader *reader)
{
    return vd_reader_left(reader) == 0 ? VD_OK : VD_E_TRAILING;
}
