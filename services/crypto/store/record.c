/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "services/crypto/store/record.h"

#include <string.h>

#include "core/base/mem.h"
#include "core/base/reader.h"

#define NAME_OFFSET     26u /* format, table, id, generation */
#define VERSION_ENABLED 1u
#define VERSION_ERASED  2u

/* Bit c % 32 of word c / 32: a-z A-Z 0-9 . _ - / */
static const uint32_t name_bytes[8] = {0, 0x03ffe000, 0x87fffffe, 0x07fffffe};

static bool is_name_byte(char c)
{
    uint8_t byte = (uint8_t)c;

    return (name_bytes[byte / 32] >> (byte % 32) & 1) != 0;
}

/* `text` stands in an array of `max` + 1 bytes. */
static bool is_name(const char *text, size_t max)
{
    size_t len = strnlen(text, max + 1);

    if (len == 0 || len > max)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!is_name_byte(text[i]))
            return false;
    }
    return true;
}

static bool is_label(const char *text)
{
    size_t len = strnlen(text, VD_KSTORE_LABEL_MAX + 1);

    if (len > VD_KSTORE_LABEL_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < 0x20 || text[i] > 0x7e)
            return false;
    }
    return true;
}

vd_status vd_krec_attributes_check(const struct vd_kstore_attributes *a, struct vd_diag *diag)
{
    if (!is_name(a->name, VD_KSTORE_NAME_MAX))
        return vd_diag_fail(diag, VD_E_INVALID,
                            "a key's name has 1 to 128 bytes of a-z A-Z 0-9 . _ - /");
    if (!is_name(a->domain, VD_KSTORE_SCOPE_MAX) || !is_name(a->service, VD_KSTORE_SCOPE_MAX))
        return vd_diag_fail(diag, VD_E_INVALID,
                            "a domain or service has 1 to 64 bytes of a-z A-Z 0-9 . _ - /");
    if (!is_label(a->label))
        return vd_diag_fail(diag, VD_E_INVALID,
                            "a key's label has at most 255 bytes of printable ASCII");
    if (a->not_before > VD_KSTORE_TIME_MAX || a->not_after > VD_KSTORE_TIME_MAX ||
        (a->not_after != 0 && a->not_after < a->not_before))
        return vd_diag_fail(diag, VD_E_INVALID, "the key's times are not in order");
    if (a->min_decrypt_version == 0)
        return vd_diag_fail(diag, VD_E_INVALID, "versions are counted from 1");
    return VD_OK;
}

static void write_text(struct vd_writer *w, const char *text, size_t max)
{
    size_t len = strnlen(text, max);

    vd_write_u8(w, (uint8_t)len);
    vd_write_bytes(w, text, len);
}

static vd_status read_text(struct vd_reader *r, char *ret, size_t max)
{
    const uint8_t *bytes;
    uint8_t len;

    VD_TRY(vd_read_u8(r, &len));
    VD_TRY(vd_read_bytes(r, len, &bytes));
    if (len > max)
        return VD_E_LIMIT;
    if (memchr(bytes, '\0', len) != NULL)
        return VD_E_INVALID;
    if (len != 0)
        vd_copy(ret, bytes, len);
    memset(ret + len, 0, max + 1 - len);
    return VD_OK;
}

void vd_krec_attributes_encode(const struct vd_kstore_attributes *a, struct vd_writer *w)
{
    write_text(w, a->name, VD_KSTORE_NAME_MAX);
    write_text(w, a->domain, VD_KSTORE_SCOPE_MAX);
    write_text(w, a->service, VD_KSTORE_SCOPE_MAX);
    write_text(w, a->label, VD_KSTORE_LABEL_MAX);
    vd_write_le16(w, a->type);
    vd_write_le32(w, a->min_decrypt_version);
    vd_write_le32(w, a->flags);
    vd_write_le64(w, a->usages);
    vd_write_le64(w, a->not_before);
    vd_write_le64(w, a->not_after);
    vd_write_le64(w, a->usage_limit);
}

static vd_status read_attributes(struct vd_reader *r, struct vd_kstore_attributes *a)
{
    VD_TRY(read_text(r, a->name, VD_KSTORE_NAME_MAX));
    VD_TRY(read_text(r, a->domain, VD_KSTORE_SCOPE_MAX));
    VD_TRY(read_text(r, a->service, VD_KSTORE_SCOPE_MAX));
    VD_TRY(read_text(r, a->label, VD_KSTORE_LABEL_MAX));
    VD_TRY(vd_read_le16(r, &a->type));
    VD_TRY(vd_read_le32(r, &a->min_decrypt_version));
    VD_TRY(vd_read_le32(r, &a->flags));
    VD_TRY(vd_read_le64(r, &a->usages));
    VD_TRY(vd_read_le64(r, &a->not_before));
    VD_TRY(vd_read_le64(r, &a->not_after));
    VD_TRY(vd_read_le64(r, &a->usage_limit));
    return vd_krec_attributes_check(a, NULL);
}

static void write_key(const struct vd_krec *k, struct vd_writer *w)
{
    vd_krec_attributes_encode(&k->key.attributes, w);
    vd_write_u8(w, (uint8_t)k->key.state);
    vd_write_le32(w, k->key.versions);
    vd_write_le64(w, k->key.created);
    vd_write_le64(w, k->key.destroy_at);
}

static vd_status read_key(struct vd_reader *r, struct vd_krec *k)
{
    uint8_t state;

    VD_TRY(read_attributes(r, &k->key.attributes));
    VD_TRY(vd_read_u8(r, &state));
    VD_TRY(vd_read_le32(r, &k->key.versions));
    VD_TRY(vd_read_le64(r, &k->key.created));
    VD_TRY(vd_read_le64(r, &k->key.destroy_at));
    if (state < VD_KSTORE_ACTIVE || state > VD_KSTORE_DESTROYED || k->key.versions == 0 ||
        k->key.created > VD_KSTORE_TIME_MAX || k->key.destroy_at > VD_KSTORE_TIME_MAX ||
        k->key.attributes.min_decrypt_version > k->key.versions)
        return VD_E_INVALID;
    k->key.state = (enum vd_kstore_state)state;
    return k->key.versions > VD_KSTORE_VERSIONS_MAX ? VD_E_LIMIT : VD_OK;
}

static void write_version(const struct vd_krec *v, struct vd_writer *w)
{
    vd_write_le32(w, v->version.version);
    vd_write_u8(w, v->version.destroyed ? VERSION_ERASED : VERSION_ENABLED);
    vd_write_le64(w, v->version.created);
    vd_write_le32(w, v->version.public_size);
    vd_write_le32(w, v->version.material_size);
}

static vd_status read_version(struct vd_reader *r, struct vd_krec *v)
{
    uint8_t state;

    VD_TRY(vd_read_le32(r, &v->version.version));
    VD_TRY(vd_read_u8(r, &state));
    VD_TRY(vd_read_le64(r, &v->version.created));
    VD_TRY(vd_read_le32(r, &v->version.public_size));
    VD_TRY(vd_read_le32(r, &v->version.material_size));
    if ((state != VERSION_ENABLED && state != VERSION_ERASED) || v->version.version == 0)
        return VD_E_INVALID;
    v->version.destroyed = state == VERSION_ERASED;
    return v->version.version > VD_KSTORE_VERSIONS_MAX ||
                   v->version.public_size > VD_KSTORE_PUBLIC_MAX ||
                   v->version.material_size > VD_KSTORE_MATERIAL_MAX
               ? VD_E_LIMIT
               : VD_OK;
}

static void write_attachment(const struct vd_krec *a, struct vd_writer *w)
{
    vd_write_le16(w, a->attachment.what.kind);
    vd_write_u8(w, a->attachment.what.name_size);
    vd_write_bytes(w, a->attachment.what.name, a->attachment.what.name_size);
    vd_write_le32(w, a->attachment.size);
}

static vd_status read_attachment(struct vd_reader *r, struct vd_krec *a)
{
    struct vd_kstore_attachment *what = &a->attachment.what;

    VD_TRY(vd_read_le16(r, &what->kind));
    VD_TRY(vd_read_u8(r, &what->name_size));
    if (what->name_size > VD_KSTORE_ATTACH_NAME_MAX)
        return VD_E_LIMIT;
    VD_TRY(vd_read_copy(r, what->name, what->name_size));
    VD_TRY(vd_read_le32(r, &a->attachment.size));
    return a->attachment.size > VD_KSTORE_VALUE_MAX ? VD_E_LIMIT : VD_OK;
}

void vd_krec_encode(const struct vd_krec *record, struct vd_writer *w)
{
    vd_write_u8(w, VD_KREC_FORMAT);
    vd_write_u8(w, (uint8_t)record->table);
    vd_write_bytes(w, record->id, sizeof(record->id));
    vd_write_le64(w, record->generation);
    if (record->table == VD_KREC_KEY)
        write_key(record, w);
    else if (record->table == VD_KREC_VERSION)
        write_version(record, w);
    else if (record->table == VD_KREC_ATTACHMENT)
        write_attachment(record, w);
    else
        vd_write_le64(w, record->usage.reserved);
}

static vd_status read_record(struct vd_reader *r, struct vd_krec *ret)
{
    uint8_t format, table;

    VD_TRY(vd_read_u8(r, &format));
    VD_TRY(vd_read_u8(r, &table));
    if (format != VD_KREC_FORMAT)
        return VD_E_VERSION;
    if (table < VD_KREC_KEY || table >= VD_KREC_TABLES)
        return VD_E_INVALID;
    ret->table = (enum vd_krec_table)table;
    VD_TRY(vd_read_copy(r, ret->id, sizeof(ret->id)));
    VD_TRY(vd_read_le64(r, &ret->generation));
    if (ret->table == VD_KREC_KEY)
        VD_TRY(read_key(r, ret));
    else if (ret->table == VD_KREC_VERSION)
        VD_TRY(read_version(r, ret));
    else if (ret->table == VD_KREC_ATTACHMENT)
        VD_TRY(read_attachment(r, ret));
    else
        VD_TRY(vd_read_le64(r, &ret->usage.reserved));
    return vd_read_done(r);
}

vd_status vd_krec_parse(const void *data, size_t size, struct vd_krec *ret, struct vd_diag *diag)
{
    struct vd_krec record = {};
    struct vd_reader r;
    vd_status status;

    vd_reader_init(&r, data, size);
    status = read_record(&r, &record);
    if (status != VD_OK)
        return vd_diag_fail_at(diag, status, vd_reader_offset(&r), "a row's head is not valid");
    *ret = record;
    return VD_OK;
}

size_t vd_krec_body_size(const struct vd_krec *record)
{
    if (record->table == VD_KREC_VERSION)
        return record->version.public_size +
               (record->version.material_size == 0
                    ? 0
                    : record->version.material_size + (size_t)VD_KREC_WRAP_OVERHEAD);
    return record->table == VD_KREC_ATTACHMENT ? record->attachment.size : 0;
}

const char *vd_krec_name(const uint8_t *head, size_t *ret_size)
{
    *ret_size = head[NAME_OFFSET];
    return (const char *)head + NAME_OFFSET + 1;
}

void vd_krec_header_encode(const struct vd_krec_header *h, struct vd_writer *w)
{
    vd_write_le64(w, h->generation);
    vd_write_le64(w, h->rows);
    vd_write_bytes(w, h->set, sizeof(h->set));
    vd_write_u8(w, h->has_counter);
    vd_write_le64(w, h->expected);
    vd_write_le64(w, h->latest_time);
    vd_write_le32(w, h->restored);
    vd_write_le64(w, h->created);
}

static vd_status read_header(struct vd_reader *r, struct vd_krec_header *h)
{
    uint8_t has_counter;

    VD_TRY(vd_read_le64(r, &h->generation));
    VD_TRY(vd_read_le64(r, &h->rows));
    VD_TRY(vd_read_copy(r, h->set, sizeof(h->set)));
    VD_TRY(vd_read_u8(r, &has_counter));
    VD_TRY(vd_read_le64(r, &h->expected));
    VD_TRY(vd_read_le64(r, &h->latest_time));
    VD_TRY(vd_read_le32(r, &h->restored));
    VD_TRY(vd_read_le64(r, &h->created));
    if (has_counter > 1 || (has_counter == 0 && h->expected != 0))
        return VD_E_INVALID;
    h->has_counter = has_counter != 0;
    return vd_read_done(r);
}

vd_status vd_krec_header_parse(const void *data, size_t size, struct vd_krec_header *ret,
                               struct vd_diag *diag)
{
    struct vd_krec_header header = {};
    struct vd_reader r;
    vd_status status;

    vd_reader_init(&r, data, size);
    status = read_header(&r, &header);
    if (status != VD_OK)
        return vd_diag_fail_at(diag, status, vd_reader_offset(&r), "the header is not valid");
    *ret = header;
    return VD_OK;
}
