/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "services/crypto/alg/der.h"

#define CONTENT_MAX 0xffffu /* bytes: no key or signature is longer */

uint8_t vd_der_peek(const struct vd_reader *reader)
{
    struct vd_reader copy = *reader;
    uint8_t tag = 0;

    return vd_read_u8(&copy, &tag) == VD_OK ? tag : 0;
}

static vd_status read_length(struct vd_reader *reader, size_t *ret)
{
    uint8_t first = 0, second = 0;
    uint16_t wide = 0;

    if (vd_read_u8(reader, &first) != VD_OK)
        return VD_E_ENCODING;
    if (first < 0x80) {
        *ret = first;
        return VD_OK;
    }
    if (first == 0x81 && vd_read_u8(reader, &second) == VD_OK && second >= 0x80) {
        *ret = second;
        return VD_OK;
    }
    if (first == 0x82 && vd_read_be16(reader, &wide) == VD_OK && wide >= 0x100) {
        *ret = wide;
        return VD_OK;
    }
    return VD_E_ENCODING;
}

vd_status vd_der_read(struct vd_reader *reader, uint8_t tag, struct vd_reader *ret)
{
    size_t size = 0;
    uint8_t found = 0;

    if (vd_read_u8(reader, &found) != VD_OK || found != tag)
        return VD_E_ENCODING;
    VD_TRY(read_length(reader, &size));
    return vd_read_sub(reader, size, ret) == VD_OK ? VD_OK : VD_E_ENCODING;
}

vd_status vd_der_read_exact(struct vd_reader *reader, uint8_t tag, size_t size, const uint8_t **ret)
{
    struct vd_reader content;

    VD_TRY(vd_der_read(reader, tag, &content));
    if (vd_reader_left(&content) != size)
        return VD_E_ENCODING;
    return vd_read_bytes(&content, size, ret);
}

vd_status vd_der_read_unsigned(struct vd_reader *reader, size_t max, struct vd_reader *ret)
{
    struct vd_reader content;
    size_t size;

    VD_TRY(vd_der_read(reader, VD_DER_INTEGER, &content));
    size = vd_reader_left(&content);
    if (size == 0 || content.pos[0] >= 0x80)
        return VD_E_ENCODING;
    if (size > 1 && content.pos[0] == 0) {
        if (content.pos[1] < 0x80)
            return VD_E_ENCODING;
        content.pos++;
        size--;
    }
    if (size > max)
        return VD_E_ENCODING;
    vd_reader_init(ret, content.pos, size);
    return VD_OK;
}

vd_status vd_der_read_small(struct vd_reader *reader, uint8_t *ret)
{
    struct vd_reader content;

    VD_TRY(vd_der_read_unsigned(reader, 1, &content));
    return vd_read_u8(&content, ret);
}

vd_status vd_der_read_bits(struct vd_reader *reader, struct vd_reader *ret)
{
    struct vd_reader content;
    uint8_t unused = 1;

    VD_TRY(vd_der_read(reader, VD_DER_BITS, &content));
    if (vd_read_u8(&content, &unused) != VD_OK || unused != 0)
        return VD_E_ENCODING;
    *ret = content;
    return VD_OK;
}

vd_status vd_der_done(const struct vd_reader *reader)
{
    return vd_reader_left(reader) == 0 ? VD_OK : VD_E_ENCODING;
}

size_t vd_der_size(size_t size)
{
    return size + (size < 0x80 ? 2 : size < 0x100 ? 3 : 4);
}

void vd_der_write(struct vd_writer *writer, uint8_t tag, size_t size)
{
    vd_write_u8(writer, tag);
    if (size >= 0x100) {
        vd_write_u8(writer, 0x82);
        vd_write_be16(writer, (uint16_t)(size <= CONTENT_MAX ? size : CONTENT_MAX));
        return;
    }
    if (size >= 0x80)
        vd_write_u8(writer, 0x81);
    vd_write_u8(writer, (uint8_t)size);
}

/* Without leading zeros, but one byte at least. */
static void strip(const uint8_t **data, size_t *size)
{
    while (*size > 1 && **data == 0) {
        (*data)++;
        (*size)--;
    }
}

size_t vd_der_unsigned_size(const uint8_t *data, size_t size)
{
    strip(&data, &size);
    return vd_der_size(size + (data[0] >= 0x80));
}

void vd_der_write_unsigned(struct vd_writer *writer, const uint8_t *data, size_t size)
{
    strip(&data, &size);
    vd_der_write(writer, VD_DER_INTEGER, size + (data[0] >= 0x80));
    if (data[0] >= 0x80)
        vd_write_u8(writer, 0);
    vd_write_bytes(writer, data, size);
}
