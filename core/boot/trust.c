/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/boot/trust.h"
#include "core/base/mem.h"
#include "core/base/reader.h"
#include "core/base/writer.h"
#include "core/boot/certs.h"

#define TRUST_VERSION 1u
#define ROOT_MAX      (VD_TRUST_CAPACITY - VD_TRUST_HEADER_SIZE - VD_BOOT_POLICY_SIZE)

_Static_assert(sizeof(VD_TRUST_SECTION) == 8 + 1, "fills the section's name field");

struct sizes {
    uint32_t root;
    uint32_t policy;
};

static vd_status read_header(struct vd_reader *r, struct sizes *ret, struct vd_diag *diag)
{
    const uint8_t *magic;
    uint32_t version;
    uint32_t capacity;
    uint64_t reserved;

    VD_TRY(vd_read_bytes(r, 8, &magic));
    VD_TRY(vd_read_le32(r, &version));
    VD_TRY(vd_read_le32(r, &capacity));
    VD_TRY(vd_read_le32(r, &ret->root));
    VD_TRY(vd_read_le32(r, &ret->policy));
    VD_TRY(vd_read_le64(r, &reserved));
    if (!vd_ct_equal(magic, VD_TRUST_MAGIC, 8))
        return vd_diag_fail_at(diag, VD_E_MAGIC, 0, "a trust block starts with \"VDTRUST1\"");
    if (version != TRUST_VERSION)
        return vd_diag_fail_at(diag, VD_E_VERSION, 8, "the trust block's version is not 1");
    if (capacity != VD_TRUST_CAPACITY)
        return vd_diag_fail_at(diag, VD_E_RANGE, 12, "the trust block's capacity is not 8192");
    if (reserved != 0)
        return vd_diag_fail_at(diag, VD_E_RESERVED, 24,
                               "a reserved field of the trust block is not zero");
    return VD_OK;
}

static vd_status check_sizes(const struct sizes *sizes, struct vd_diag *diag)
{
    if (sizes->root == 0 && sizes->policy == 0)
        return vd_diag_fail_at(diag, VD_E_NOT_FOUND, 16, "the trust block was never filled");
    if (sizes->root == 0 || sizes->root > ROOT_MAX)
        return vd_diag_fail_at(diag, VD_E_LIMIT, 16, "the root certificate's size is not allowed");
    if (sizes->policy != VD_BOOT_POLICY_SIZE)
        return vd_diag_fail_at(diag, VD_E_RANGE, 20, "the boot policy's size is not 32");
    return VD_OK;
}

static vd_status check_rest(struct vd_reader *r, struct vd_diag *diag)
{
    while (vd_reader_left(r) > 0) {
        size_t at = vd_reader_offset(r);
        uint8_t byte;

        VD_TRY(vd_read_u8(r, &byte));
        if (byte != 0)
            return vd_diag_fail_at(diag, VD_E_RESERVED, at,
                                   "the rest of the trust block is not zero");
    }
    return VD_OK;
}

vd_status vd_trust_parse(const void *data, size_t size, struct vd_trust *ret, struct vd_diag *diag)
{
    struct vd_reader r;
    struct sizes sizes;
    struct vd_trust trust = {};
    struct vd_certs root;

    if (size < VD_TRUST_CAPACITY)
        return vd_diag_fail_at(diag, VD_E_TRUNCATED, size, "a trust block has 8192 bytes");
    if (size > VD_TRUST_CAPACITY)
        return vd_diag_fail_at(diag, VD_E_TRAILING, VD_TRUST_CAPACITY,
                               "a trust block has 8192 bytes");
    vd_reader_init(&r, data, size);
    VD_TRY(read_header(&r, &sizes, diag));
    VD_TRY(check_sizes(&sizes, diag));
    trust.root.size = sizes.root;
    trust.policy_bytes.size = sizes.policy;
    VD_TRY(vd_read_bytes(&r, sizes.root, &trust.root.data));
    VD_TRY(vd_read_bytes(&r, sizes.policy, &trust.policy_bytes.data));
    VD_TRY(vd_certs_parse(trust.root.data, trust.root.size, &root, diag));
    if (root.count != 1)
        return vd_diag_fail_at(diag, VD_E_TRAILING, VD_TRUST_HEADER_SIZE + root.cert[0].size,
                               "there is more than one root certificate");
    VD_TRY(vd_boot_policy_parse(trust.policy_bytes.data, trust.policy_bytes.size, &trust.policy,
                                diag));
    VD_TRY(check_rest(&r, diag));
    *ret = trust;
    return VD_OK;
}

vd_status vd_trust_encode(const struct vd_span *root, const struct vd_boot_policy *policy,
                          uint8_t ret[VD_TRUST_CAPACITY], struct vd_diag *diag)
{
    struct vd_writer w;
    uint8_t encoded[VD_BOOT_POLICY_SIZE];
    bool filled = root->size > 0;

    if (root->size > ROOT_MAX)
        return vd_diag_fail(diag, VD_E_LIMIT, "the root certificate does not fit the trust block");
    vd_writer_init(&w, ret, VD_TRUST_CAPACITY);
    vd_write_bytes(&w, VD_TRUST_MAGIC, 8);
    vd_write_le32(&w, TRUST_VERSION);
    vd_write_le32(&w, VD_TRUST_CAPACITY);
    vd_write_le32(&w, (uint32_t)root->size);
    vd_write_le32(&w, filled ? VD_BOOT_POLICY_SIZE : 0);
    vd_write_le64(&w, 0);
    vd_write_bytes(&w, root->data, root->size);
    if (filled) {
        vd_boot_policy_encode(policy, encoded);
        vd_write_bytes(&w, encoded, sizeof(encoded));
    }
    vd_write_zero(&w, VD_TRUST_CAPACITY - w.len);
    return vd_write_done(&w);
}
