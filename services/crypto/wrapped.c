/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "services/crypto/wrapped.h"

#include <string.h>

#include "core/base/reader.h"
#include "core/base/writer.h"
#include "lib/diagf.h"

void vd_keyd_wrapped_head(const struct vd_keyd_wrapped *head, uint8_t ret[VD_KEYD_WRAPPED_HEAD])
{
    struct vd_writer w;

    vd_writer_init(&w, ret, VD_KEYD_WRAPPED_HEAD);
    vd_write_bytes(&w, VD_KEYD_WRAPPED_MAGIC, 4);
    vd_write_le16(&w, VD_KEYD_WRAPPED_VERSION);
    vd_write_le16(&w, 0);
    vd_write_bytes(&w, head->wrapper, VD_KEY_ID_SIZE);
    vd_write_bytes(&w, head->key, VD_KEY_ID_SIZE);
    vd_write_le32(&w, head->version);
}

vd_status vd_keyd_wrapped_aad(const struct vd_keyd_wrapped *head,
                              uint8_t bytes[VD_KEYD_WRAPPED_AAD_MAX], struct vd_alg_bytes *ret,
                              struct vd_diag *diag)
{
    struct vd_writer w;

    if (head->aad.size > VD_KEYD_WRAPPED_USER_MAX)
        return vd_diagf(diag, VD_E_LIMIT, "at most %u bytes of additional data",
                        VD_KEYD_WRAPPED_USER_MAX);
    vd_keyd_wrapped_head(head, bytes);
    vd_writer_init(&w, bytes + VD_KEYD_WRAPPED_HEAD,
                   VD_KEYD_WRAPPED_AAD_MAX - VD_KEYD_WRAPPED_HEAD);
    vd_write_le32(&w, (uint32_t)head->aad.size);
    vd_write_bytes(&w, head->aad.data, head->aad.size);
    *ret = (struct vd_alg_bytes){bytes, VD_KEYD_WRAPPED_HEAD + w.len};
    return VD_OK;
}

static vd_status read_head(struct vd_reader *r, struct vd_keyd_wrapped *ret, struct vd_diag *diag)
{
    const uint8_t *magic;
    uint16_t version, reserved;

    if (vd_read_bytes(r, 4, &magic) != VD_OK)
        return VD_E_TRUNCATED;
    if (memcmp(magic, VD_KEYD_WRAPPED_MAGIC, 4) != 0)
        return vd_diag_fail_at(diag, VD_E_MAGIC, 0, "this is no wrapped key");
    VD_TRY(vd_read_le16(r, &version));
    if (version != VD_KEYD_WRAPPED_VERSION)
        return vd_diagf_at(diag, VD_E_VERSION, 4, "version %u of the format is not known", version);
    VD_TRY(vd_read_le16(r, &reserved));
    if (reserved != 0)
        return vd_diag_fail_at(diag, VD_E_RESERVED, 6, "a reserved field is not zero");
    VD_TRY(vd_read_copy(r, ret->wrapper, VD_KEY_ID_SIZE));
    VD_TRY(vd_read_copy(r, ret->key, VD_KEY_ID_SIZE));
    VD_TRY(vd_read_le32(r, &ret->version));
    if (ret->version == 0 || ret->version > VD_KEY_VERSIONS_MAX)
        return vd_diag_fail_at(diag, VD_E_RANGE, 40, "no key has such a version");
    return VD_OK;
}

vd_status vd_keyd_wrapped_parse(const struct vd_alg_bytes *blob, struct vd_keyd_wrapped *ret,
                                struct vd_diag *diag)
{
    struct vd_alg_ciphertext inner;
    struct vd_keyd_wrapped head = {};
    struct vd_reader r;
    vd_status status;

    if (blob->size > VD_KEYD_WRAPPED_MAX)
        return vd_diagf(diag, VD_E_LIMIT, "a wrapped key has at most %u bytes",
                        VD_KEYD_WRAPPED_MAX);
    vd_reader_init(&r, blob->data, blob->size);
    status = read_head(&r, &head, diag);
    if (status == VD_E_TRUNCATED)
        return vd_diag_fail_at(diag, status, vd_reader_offset(&r),
                               "the wrapped key ends too early");
    VD_TRY(status);
    head.text.size = vd_reader_left(&r);
    VD_TRY(vd_read_bytes(&r, head.text.size, (const uint8_t **)&head.text.data));
    VD_TRY(vd_alg_ciphertext_parse(&head.text, &inner, diag));
    if (inner.stream || inner.version == 0)
        return vd_diag_fail(diag, VD_E_INVALID, "there is no ciphertext of a key in it");
    head.by = inner.version;
    *ret = head;
    return VD_OK;
}
