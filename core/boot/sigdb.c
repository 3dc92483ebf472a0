/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/boot/sigdb.h"

#define GUID_SIZE        16u
#define LIST_HEADER_SIZE (GUID_SIZE + 3 * 4)
#define TIME_SIZE        16u /* EFI_TIME: the time of revocation */

/* GUIDs as they stand in memory: the first three fields little-endian. */
static const struct {
    enum vd_sigdb_type type;
    uint32_t data_size; /* 0: any */
    uint32_t time_size; /* of the data, at its end */
    uint8_t guid[GUID_SIZE];
} types[] = {
    {VD_SIGDB_SHA256,
     32,
     0,
     {0x26, 0x16, 0xc4, 0xc1, 0x4c, 0x50, 0x92, 0x40, 0xac, 0xa9, 0x41, 0xf9, 0x36, 0x93, 0x43,
      0x28}},
    {VD_SIGDB_X509,
     0,
     0,
     {0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a, 0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0,
      0x72}},
    {VD_SIGDB_X509_SHA256,
     32 + TIME_SIZE,
     TIME_SIZE,
     {0x92, 0xa4, 0xd2, 0x3b, 0xc0, 0x96, 0x79, 0x40, 0xb4, 0x20, 0xfc, 0xf9, 0x8e, 0xf1, 0x03,
      0xed}},
    {VD_SIGDB_X509_SHA384,
     48 + TIME_SIZE,
     TIME_SIZE,
     {0x6e, 0x87, 0x76, 0x70, 0xc2, 0x80, 0xe6, 0x4e, 0xaa, 0xd2, 0x28, 0xb3, 0x49, 0xa6, 0x86,
      0x5b}},
    {VD_SIGDB_X509_SHA512,
     64 + TIME_SIZE,
     TIME_SIZE,
     {0x63, 0xbf, 0x6d, 0x44, 0x02, 0x25, 0xda, 0x4c, 0xbc, 0xfa, 0x24, 0x65, 0xd2, 0xb0, 0xfe,
      0x9d}},
};

void vd_sigdb_init(struct vd_sigdb *db, const void *data, size_t size)
{
    *db = (struct vd_sigdb){};
    vd_reader_init(&db->all, data, size);
    vd_reader_init(&db->list, NULL, 0);
}

/* The row of a list's type; -1 for a type that is not known. */
static int row_of(const uint8_t guid[GUID_SIZE])
{
    for (size_t i = 0; i < VD_COUNT(types); i++) {
        if (__builtin_memcmp(types[i].guid, guid, GUID_SIZE) == 0)
            return (int)i;
    }
    return -1;
}

static vd_status check_list(uint32_t list_size, uint32_t header_size, uint32_t entry_size, int row,
                            uint64_t at, struct vd_diag *diag)
{
    if (list_size < LIST_HEADER_SIZE || header_size > list_size - LIST_HEADER_SIZE)
        return vd_diag_fail_at(diag, VD_E_RANGE, at, "a signature list is smaller than its header");
    if (entry_size <= GUID_SIZE)
        return vd_diag_fail_at(diag, VD_E_RANGE, at, "a signature list's entries have no content");
    if ((list_size - LIST_HEADER_SIZE - header_size) % entry_size != 0)
        return vd_diag_fail_at(diag, VD_E_RANGE, at,
                               "a signature list is not a whole number of entries");
    if (row >= 0 && types[row].data_size != 0 && entry_size != GUID_SIZE + types[row].data_size)
        return vd_diag_fail_at(diag, VD_E_RANGE, at,
                               "a signature list's entry size does not fit its type");
    return VD_OK;
}

static vd_status next_list(struct vd_sigdb *db, struct vd_diag *diag)
{
    uint64_t at = vd_reader_offset(&db->all);
    uint8_t guid[GUID_SIZE];
    uint32_t list_size, header_size, entry_size;
    vd_status status = VD_OK;

    if (vd_reader_left(&db->all) < LIST_HEADER_SIZE)
        return vd_diag_fail_at(diag, VD_E_TRUNCATED, at, "a signature list's header is cut off");
    VD_TRY(vd_read_copy(&db->all, guid, sizeof(guid)));
    VD_TRY(vd_read_le32(&db->all, &list_size));
    VD_TRY(vd_read_le32(&db->all, &header_size));
    VD_TRY(vd_read_le32(&db->all, &entry_size));
    int row = row_of(guid);
    VD_TRY(check_list(list_size, header_size, entry_size, row, at, diag));
    status = vd_read_skip(&db->all, header_size);
    if (status == VD_OK)
        status = vd_read_sub(&db->all, list_size - LIST_HEADER_SIZE - header_size, &db->list);
    if (status != VD_OK)
        return vd_diag_fail_at(diag, status, at, "a signature list is larger than the database");
    db->type = row < 0 ? VD_SIGDB_OTHER : types[row].type;
    db->entry_size = entry_size;
    return VD_OK;
}

vd_status vd_sigdb_next(struct vd_sigdb *db, struct vd_sigdb_entry *ret, struct vd_diag *diag)
{
    const uint8_t *entry;
    size_t size;

    while (vd_reader_left(&db->list) == 0) {
        if (vd_reader_left(&db->all) == 0)
            return VD_E_NOT_FOUND;
        VD_TRY(next_list(db, diag));
    }
    VD_TRY(vd_read_bytes(&db->list, db->entry_size, &entry));
    size = db->entry_size - GUID_SIZE;
    for (size_t i = 0; i < VD_COUNT(types); i++) {
        if (types[i].type == db->type)
            size -= types[i].time_size;
    }
    *ret = (struct vd_sigdb_entry){.type = db->type, .data = entry + GUID_SIZE, .size = size};
    return VD_OK;
}
