/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/boot/certs.h"
#include "core/base/reader.h"

#define DER_SEQUENCE 0x30u

/* The length of a DER value: short form, or 1 to 4 minimal bytes. */
static vd_status read_length(struct vd_reader *r, uint32_t *ret)
{
    uint8_t first;
    uint8_t byte;
    uint32_t length = 0;

    VD_TRY(vd_read_u8(r, &first));
    if (first < 0x80) {
        *ret = first;
        return VD_OK;
    }
    if (first == 0x80 || first > 0x84)
        return VD_E_INVALID;
    for (uint8_t i = 0; i < (first & 0x7f); i++) {
        VD_TRY(vd_read_u8(r, &byte));
        if (i == 0 && byte == 0)
            return VD_E_INVALID;
        length = length << 8 | byte;
    }
    if (length < 0x80)
        return VD_E_INVALID;
    *ret = length;
    return VD_OK;
}

/* One certificate, header and content. */
static vd_status read_cert(struct vd_reader *r, struct vd_span *ret)
{
    struct vd_reader look = *r;
    uint8_t tag;
    uint32_t length;

    VD_TRY(vd_read_u8(&look, &tag));
    if (tag != DER_SEQUENCE)
        return VD_E_INVALID;
    VD_TRY(read_length(&look, &length));
    if (length == 0)
        return VD_E_INVALID;
    VD_TRY(vd_read_skip(&look, length));
    ret->size = vd_reader_left(r) - vd_reader_left(&look);
    return vd_read_bytes(r, ret->size, &ret->data);
}

vd_status vd_certs_parse(const void *data, size_t size, struct vd_certs *ret, struct vd_diag *diag)
{
    struct vd_reader r;
    struct vd_certs certs = {};

    vd_reader_init(&r, data, size);
    do {
        size_t at = vd_reader_offset(&r);
        vd_status status;

        if (certs.count == VD_CERTS_MAX)
            return vd_diag_fail_at(diag, VD_E_LIMIT, at, "there are more than 4 certificates");
        status = read_cert(&r, &certs.cert[certs.count]);
        if (status != VD_OK)
            return vd_diag_fail_at(diag, status, at, "this is not a whole DER certificate");
        certs.count++;
    } while (vd_reader_left(&r) > 0);
    *ret = certs;
    return VD_OK;
}
