/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "services/crypto/root/file.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "core/base/crc64.h"
#include "core/base/mem.h"
#include "lib/diagf.h"

#define MAGIC     "VDROOTKY" /* 8 bytes, no NUL */
#define VERSION   1u
#define HEAD_SIZE 16u /* magic, version, size */
#define CRC_SIZE  8u
#define LABEL     "veridian/1 root file"

static void write_lock(struct vd_writer *w, const struct vd_tpm_lock *lock)
{
    vd_write_bytes(w, lock->parent.name.bytes, sizeof(lock->parent.name.bytes));
    vd_write_bytes(w, lock->parent.point.x, sizeof(lock->parent.point.x));
    vd_write_bytes(w, lock->parent.point.y, sizeof(lock->parent.point.y));
    vd_tpm_policy_write(w, &lock->policy);
    vd_write_le16(w, (uint16_t)lock->object.public_size);
    vd_write_bytes(w, lock->object.public_area, lock->object.public_size);
    vd_write_le16(w, (uint16_t)lock->object.private_size);
    vd_write_bytes(w, lock->object.private_area, lock->object.private_size);
}

static void write_passphrase(struct vd_writer *w, const struct vd_root_passphrase *p)
{
    vd_write_u8(w, p->log_n);
    vd_write_u8(w, p->r);
    vd_write_u8(w, p->p);
    vd_write_u8(w, 0);
    vd_write_bytes(w, p->salt, sizeof(p->salt));
    vd_write_bytes(w, p->nonce, sizeof(p->nonce));
    vd_write_bytes(w, p->tag, sizeof(p->tag));
    vd_write_bytes(w, p->key, sizeof(p->key));
}

static void write_wrapped(struct vd_writer *w, const struct vd_root_wrapped *wrapped)
{
    vd_write_u8(w, (uint8_t)wrapped->token_size);
    vd_write_bytes(w, wrapped->token, wrapped->token_size);
    vd_write_u8(w, (uint8_t)wrapped->key_id_size);
    vd_write_bytes(w, wrapped->key_id, wrapped->key_id_size);
    vd_write_le64(w, wrapped->mechanism);
    vd_write_le16(w, (uint16_t)wrapped->size);
    vd_write_bytes(w, wrapped->data, wrapped->size);
}

/* HMAC-SHA-256 under a key for this purpose alone. */
static vd_status compute_mac(const struct vd_secret *key, const uint8_t *data, size_t size,
                             uint8_t ret[VD_ROOT_MAC_SIZE])
{
    uint8_t own[VD_ROOT_MAC_SIZE];
    size_t own_size = 0, mac_size = 0;
    bool good =
        EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key->data, key->size, (const uint8_t *)LABEL,
                  sizeof(LABEL) - 1, own, sizeof(own), &own_size) != NULL &&
        EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, own, own_size, data, size, ret,
                  VD_ROOT_MAC_SIZE, &mac_size) != NULL;

    vd_wipe(own, sizeof(own));
    return good && mac_size == VD_ROOT_MAC_SIZE ? VD_OK : VD_E_SYSTEM;
}

vd_status vd_root_file_write(const struct vd_root_file *file, const struct vd_secret *key,
                             struct vd_bytes *ret, struct vd_diag *diag)
{
    uint8_t *bytes = malloc(VD_ROOT_FILE_MAX), mac[VD_ROOT_MAC_SIZE];
    struct vd_writer w, size;
    vd_status status;

    if (bytes == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    vd_writer_init(&w, bytes, VD_ROOT_FILE_MAX);
    vd_write_bytes(&w, MAGIC, 8);
    vd_write_le32(&w, VERSION);
    vd_write_le32(&w, 0);
    vd_write_le16(&w, (uint16_t)file->kind);
    vd_write_le16(&w, 0);
    vd_write_le32(&w, file->counter);
    vd_write_bytes(&w, file->counter_name.bytes, sizeof(file->counter_name.bytes));
    if (file->kind == VD_ROOT_TPM)
        write_lock(&w, &file->lock);
    else if (file->kind == VD_ROOT_PASSPHRASE)
        write_passphrase(&w, &file->passphrase);
    else
        write_wrapped(&w, &file->wrapped);
    vd_writer_init(&size, bytes + 12, 4);
    vd_write_le32(&size, (uint32_t)(w.len + VD_ROOT_MAC_SIZE + CRC_SIZE));
    status = w.full ? VD_E_LIMIT : compute_mac(key, bytes, w.len, mac);
    vd_write_bytes(&w, mac, sizeof(mac));
    vd_write_le64(&w, w.full ? 0 : vd_crc64(0, bytes, w.len));
    if (status == VD_OK)
        status = vd_write_done(&w);
    if (status != VD_OK) {
        free(bytes);
        return vd_diag_fail(diag, status, "the root file cannot be made");
    }
    *ret = (struct vd_bytes){.data = bytes, .size = w.len};
    return VD_OK;
}

/* A TPM2B of a size that stands before it once more. */
static vd_status read_2b(struct vd_reader *r, uint8_t *ret, size_t max, size_t *ret_size)
{
    uint16_t size;

    VD_TRY(vd_read_le16(r, &size));
    if (size > max)
        return VD_E_LIMIT;
    VD_TRY(vd_read_copy(r, ret, size));
    *ret_size = size;
    return size >= 2 && ((size_t)ret[0] << 8 | ret[1]) == size - 2u ? VD_OK : VD_E_RANGE;
}

static vd_status read_lock(struct vd_reader *r, struct vd_tpm_lock *lock)
{
    struct vd_tpm_sealed *object = &lock->object;

    lock->parent.handle = VD_TPM_SRK;
    VD_TRY(vd_read_copy(r, lock->parent.name.bytes, sizeof(lock->parent.name.bytes)));
    VD_TRY(vd_read_copy(r, lock->parent.point.x, sizeof(lock->parent.point.x)));
    VD_TRY(vd_read_copy(r, lock->parent.point.y, sizeof(lock->parent.point.y)));
    VD_TRY(vd_tpm_policy_read(r, &lock->policy));
    VD_TRY(read_2b(r, object->public_area, sizeof(object->public_area), &object->public_size));
    return read_2b(r, object->private_area, sizeof(object->private_area), &object->private_size);
}

static vd_status read_passphrase(struct vd_reader *r, struct vd_root_passphrase *p)
{
    uint8_t zero;

    VD_TRY(vd_read_u8(r, &p->log_n));
    VD_TRY(vd_read_u8(r, &p->r));
    VD_TRY(vd_read_u8(r, &p->p));
    VD_TRY(vd_read_u8(r, &zero));
    if (zero != 0)
        return VD_E_RESERVED;
    /* What scrypt costs is said by the file: bounded, or it takes all memory. */
    if (p->log_n < VD_ROOT_SCRYPT_MIN || p->log_n > VD_ROOT_SCRYPT_MAX ||
        p->r != VD_ROOT_SCRYPT_R || p->p == 0 || p->p > VD_ROOT_SCRYPT_P_MAX)
        return VD_E_RANGE;
    VD_TRY(vd_read_copy(r, p->salt, sizeof(p->salt)));
    VD_TRY(vd_read_copy(r, p->nonce, sizeof(p->nonce)));
    VD_TRY(vd_read_copy(r, p->tag, sizeof(p->tag)));
    return vd_read_copy(r, p->key, sizeof(p->key));
}

static vd_status read_short(struct vd_reader *r, uint8_t *ret, size_t max, size_t *ret_size)
{
    uint8_t size;

    VD_TRY(vd_read_u8(r, &size));
    if (size > max)
        return VD_E_LIMIT;
    if (size == 0)
        return VD_E_RANGE;
    *ret_size = size;
    return vd_read_copy(r, ret, size);
}

static vd_status read_wrapped(struct vd_reader *r, struct vd_root_wrapped *wrapped)
{
    uint16_t size;

    VD_TRY(read_short(r, wrapped->token, sizeof(wrapped->token), &wrapped->token_size));
    VD_TRY(read_short(r, wrapped->key_id, sizeof(wrapped->key_id), &wrapped->key_id_size));
    VD_TRY(vd_read_le64(r, &wrapped->mechanism));
    VD_TRY(vd_read_le16(r, &size));
    if (size > sizeof(wrapped->data))
        return VD_E_LIMIT;
    if (size == 0)
        return VD_E_RANGE;
    wrapped->size = size;
    return vd_read_copy(r, wrapped->data, size);
}

static vd_status read_all(struct vd_reader *r, struct vd_root_file *file)
{
    uint16_t kind, zero;

    VD_TRY(vd_read_le16(r, &kind));
    VD_TRY(vd_read_le16(r, &zero));
    if (zero != 0)
        return VD_E_RESERVED;
    VD_TRY(vd_read_le32(r, &file->counter));
    VD_TRY(vd_read_copy(r, file->counter_name.bytes, sizeof(file->counter_name.bytes)));
    if (file->counter != 0 && (file->counter < VD_TPM_NV_FIRST || file->counter > VD_TPM_NV_LAST))
        return VD_E_RANGE;
    file->kind = (enum vd_root_kind)kind;
    if (kind == VD_ROOT_TPM)
        VD_TRY(read_lock(r, &file->lock));
    else if (kind == VD_ROOT_PASSPHRASE)
        VD_TRY(read_passphrase(r, &file->passphrase));
    else if (kind == VD_ROOT_HSM)
        VD_TRY(read_wrapped(r, &file->wrapped));
    else
        return VD_E_RANGE;
    VD_TRY(vd_read_copy(r, file->mac, sizeof(file->mac)));
    return vd_read_done(r);
}

static vd_status check_frame(const uint8_t *data, size_t size, struct vd_reader *ret,
                             struct vd_diag *diag)
{
    struct vd_reader r, end;
    const uint8_t *magic;
    uint32_t version, total;
    uint64_t crc;

    vd_reader_init(&r, data, size);
    if (vd_read_bytes(&r, 8, &magic) != VD_OK || __builtin_memcmp(magic, MAGIC, 8) != 0)
        return vd_diag_fail_at(diag, VD_E_MAGIC, 0, "not a root file: expected VDROOTKY");
    if (vd_read_le32(&r, &version) != VD_OK || version != VERSION)
        return vd_diag_fail_at(diag, VD_E_VERSION, 8, "expected version 1 of a root file");
    if (vd_read_le32(&r, &total) != VD_OK || total != size || size > VD_ROOT_FILE_MAX ||
        size < HEAD_SIZE + VD_ROOT_MAC_SIZE + CRC_SIZE)
        return vd_diag_fail_at(diag, VD_E_TRUNCATED, 12,
                               "the file's size is not the one in its header");
    vd_reader_init(&end, data + size - CRC_SIZE, CRC_SIZE);
    VD_TRY(vd_read_le64(&end, &crc));
    if (crc != vd_crc64(0, data, size - CRC_SIZE))
        return vd_diag_fail_at(diag, VD_E_CHECKSUM, size - CRC_SIZE,
                               "the checksum does not fit the content: the file is damaged");
    return vd_read_sub(&r, vd_reader_left(&r) - CRC_SIZE, ret);
}

vd_status vd_root_file_read(const void *data, size_t size, struct vd_root_file *ret,
                            struct vd_diag *diag)
{
    struct vd_reader r;
    vd_status status;

    VD_TRY(check_frame(data, size, &r, diag));
    status = read_all(&r, ret);
    if (status != VD_OK)
        return vd_diag_fail_at(diag, status, HEAD_SIZE + vd_reader_offset(&r),
                               "a field of the root file is wrong");
    return VD_OK;
}

vd_status vd_root_file_verify(const struct vd_root_file *file, const struct vd_bytes *bytes,
                              const struct vd_secret *key, struct vd_diag *diag)
{
    uint8_t mac[VD_ROOT_MAC_SIZE];
    vd_status status =
        compute_mac(key, bytes->data, bytes->size - VD_ROOT_MAC_SIZE - CRC_SIZE, mac);

    if (status != VD_OK)
        return vd_diag_fail(diag, status, "OpenSSL cannot compute an HMAC");
    if (!vd_ct_equal(mac, file->mac, sizeof(mac)))
        return vd_diag_fail(diag, VD_E_SIGNATURE,
                            "the root file was changed: its MAC is not the root key's");
    return VD_OK;
}
