/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/tpm/sealed_file.h"

#include <stdlib.h>

#include "core/base/crc64.h"
#include "core/base/mem.h"

#define CRC_SIZE 8u

void vd_sealed_file_done(struct vd_sealed_file *file)
{
    free(file->events);
    free(file->data);
    file->events = NULL;
    file->data = NULL;
}

static void write_events(struct vd_writer *w, const struct vd_sealed_file *file)
{
    vd_write_le16(w, file->event_algorithm);
    vd_write_le16(w, 0);
    vd_write_le32(w, file->event_count);
    for (uint32_t i = 0; i < file->event_count; i++) {
        vd_write_le32(w, file->events[i].pcr);
        vd_write_le32(w, file->events[i].type);
        vd_write_bytes(w, file->events[i].digest, file->digest_size);
    }
}

static void write_object(struct vd_writer *w, const struct vd_sealed_file *file)
{
    vd_write_le32(w, file->lock.parent.handle);
    vd_write_bytes(w, file->lock.parent.name.bytes, sizeof(file->lock.parent.name.bytes));
    vd_write_bytes(w, file->lock.parent.point.x, sizeof(file->lock.parent.point.x));
    vd_write_bytes(w, file->lock.parent.point.y, sizeof(file->lock.parent.point.y));
    vd_write_le16(w, (uint16_t)file->lock.object.public_size);
    vd_write_bytes(w, file->lock.object.public_area, file->lock.object.public_size);
    vd_write_le16(w, (uint16_t)file->lock.object.private_size);
    vd_write_bytes(w, file->lock.object.private_area, file->lock.object.private_size);
}

vd_status vd_sealed_file_write(const struct vd_sealed_file *file, struct vd_bytes *ret,
                               struct vd_diag *diag)
{
    uint8_t *bytes = malloc(VD_SEALED_FILE_MAX);
    struct vd_writer w, size;

    if (bytes == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    vd_writer_init(&w, bytes, VD_SEALED_FILE_MAX);
    vd_write_bytes(&w, VD_SEALED_MAGIC, 8);
    vd_write_le32(&w, VD_SEALED_VERSION);
    vd_write_le32(&w, 0);
    vd_tpm_policy_write(&w, &file->lock.policy);
    write_events(&w, file);
    write_object(&w, file);
    vd_write_le32(&w, file->data_size);
    if (file->data_size > 0) {
        vd_write_bytes(&w, file->nonce, sizeof(file->nonce));
        vd_write_bytes(&w, file->tag, sizeof(file->tag));
        vd_write_bytes(&w, file->data, file->data_size);
    }
    vd_writer_init(&size, bytes + 12, 4);
    vd_write_le32(&size, (uint32_t)(w.len + CRC_SIZE));
    vd_write_le64(&w, vd_crc64(0, bytes, w.len));
    if (vd_write_done(&w) != VD_OK) {
        free(bytes);
        return vd_diag_fail(diag, VD_E_LIMIT, "the sealed file would be too large");
    }
    *ret = (struct vd_bytes){.data = bytes, .size = w.len};
    return VD_OK;
}

static vd_status read_events(struct vd_reader *r, struct vd_sealed_file *file)
{
    struct vd_pcr_bank bank = {};
    uint16_t zero;
    uint32_t count;

    VD_TRY(vd_read_le16(r, &file->event_algorithm));
    VD_TRY(vd_read_le16(r, &zero));
    VD_TRY(vd_read_le32(r, &count));
    if (zero != 0)
        return VD_E_RESERVED;
    if (count > VD_SEALED_EVENTS_MAX)
        return VD_E_LIMIT;
    if (file->event_algorithm == 0)
        return count == 0 ? VD_OK : VD_E_RANGE;
    if (vd_pcr_bank_init(&bank, file->event_algorithm) != VD_OK)
        return VD_E_RANGE;
    file->digest_size = bank.digest_size;
    file->events = calloc(count + 1, sizeof(*file->events));
    if (file->events == NULL)
        return VD_E_NO_MEMORY;
    for (; file->event_count < count; file->event_count++) {
        struct vd_sealed_event *event = &file->events[file->event_count];

        VD_TRY(vd_read_le32(r, &event->pcr));
        VD_TRY(vd_read_le32(r, &event->type));
        VD_TRY(vd_read_copy(r, event->digest, file->digest_size));
        if (event->pcr >= VD_PCR_COUNT)
            return VD_E_RANGE;
    }
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

static vd_status read_object(struct vd_reader *r, struct vd_sealed_file *file)
{
    VD_TRY(vd_read_le32(r, &file->lock.parent.handle));
    if (file->lock.parent.handle != VD_TPM_SRK)
        return VD_E_RANGE;
    VD_TRY(vd_read_copy(r, file->lock.parent.name.bytes, sizeof(file->lock.parent.name.bytes)));
    VD_TRY(vd_read_copy(r, file->lock.parent.point.x, sizeof(file->lock.parent.point.x)));
    VD_TRY(vd_read_copy(r, file->lock.parent.point.y, sizeof(file->lock.parent.point.y)));
    VD_TRY(read_2b(r, file->lock.object.public_area, sizeof(file->lock.object.public_area),
                   &file->lock.object.public_size));
    return read_2b(r, file->lock.object.private_area, sizeof(file->lock.object.private_area),
                   &file->lock.object.private_size);
}

static vd_status read_data(struct vd_reader *r, struct vd_sealed_file *file)
{
    const uint8_t *data;

    VD_TRY(vd_read_le32(r, &file->data_size));
    if (file->data_size == 0)
        return VD_OK;
    if (file->data_size > VD_SEALED_DATA_MAX)
        return VD_E_LIMIT;
    VD_TRY(vd_read_copy(r, file->nonce, sizeof(file->nonce)));
    VD_TRY(vd_read_copy(r, file->tag, sizeof(file->tag)));
    VD_TRY(vd_read_bytes(r, file->data_size, &data));
    file->data = malloc(file->data_size);
    if (file->data == NULL)
        return VD_E_NO_MEMORY;
    vd_copy(file->data, data, file->data_size);
    return VD_OK;
}

static vd_status read_all(struct vd_reader *r, struct vd_sealed_file *file)
{
    VD_TRY(vd_tpm_policy_read(r, &file->lock.policy));
    VD_TRY(read_events(r, file));
    VD_TRY(read_object(r, file));
    VD_TRY(read_data(r, file));
    return vd_read_done(r);
}

static vd_status check_frame(const uint8_t *data, size_t size, struct vd_reader *r,
                             struct vd_diag *diag)
{
    const uint8_t *magic;
    uint32_t version, total;
    uint64_t crc;
    struct vd_reader end;

    vd_reader_init(r, data, size);
    if (vd_read_bytes(r, 8, &magic) != VD_OK || __builtin_memcmp(magic, VD_SEALED_MAGIC, 8) != 0)
        return vd_diag_fail_at(diag, VD_E_MAGIC, 0, "not a sealed file: expected VDSEALED");
    if (vd_read_le32(r, &version) != VD_OK || version != VD_SEALED_VERSION)
        return vd_diag_fail_at(diag, VD_E_VERSION, 8, "expected version 2 of a sealed file");
    if (vd_read_le32(r, &total) != VD_OK || total != size || size < 16 + CRC_SIZE)
        return vd_diag_fail_at(diag, VD_E_TRUNCATED, 12,
                               "the file's size is not the one in its header");
    vd_reader_init(&end, data + size - CRC_SIZE, CRC_SIZE);
    VD_TRY(vd_read_le64(&end, &crc));
    if (crc != vd_crc64(0, data, size - CRC_SIZE))
        return vd_diag_fail_at(diag, VD_E_CHECKSUM, size - CRC_SIZE,
                               "the checksum does not fit the content: the file is damaged");
    return VD_OK;
}

vd_status vd_sealed_file_read(const void *data, size_t size, struct vd_sealed_file *ret,
                              struct vd_diag *diag)
{
    struct vd_sealed_file file = {};
    struct vd_reader whole, r;
    vd_status status;

    VD_TRY(check_frame(data, size, &whole, diag));
    VD_TRY(vd_read_sub(&whole, vd_reader_left(&whole) - CRC_SIZE, &r));
    status = read_all(&r, &file);
    if (status != VD_OK) {
        vd_sealed_file_done(&file);
        return vd_diag_fail_at(diag, status, 16 + vd_reader_offset(&r),
                               "a field of the sealed file is wrong");
    }
    *ret = file;
    return VD_OK;
}
