/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/audit/record.h"

#include "core/base/mem.h"

#define FIELD_HEAD_BYTES 4u

static const struct vd_audit_field fields[] = {
#define FIELD(tag, name, member, kind, text) \
    {tag, VD_AUDIT_##kind, offsetof(struct vd_audit_record, member), text},
    VD_AUDIT_FIELD_TABLE(FIELD)
#undef FIELD
};

static const char *const type_names[] = {"none",
#define NAME(name, text) text,
                                         VD_EVENT_TYPE_TABLE(NAME)
#undef NAME
};

static const char *const hook_names[] = {"none",
#define NAME(name, text) text,
                                         VD_EVENT_HOOK_TABLE(NAME)
#undef NAME
};

const struct vd_audit_field *vd_audit_fields(uint32_t *ret_count)
{
    *ret_count = VD_COUNT(fields);
    return fields;
}

const char *vd_audit_type_name(uint32_t type)
{
    return type < VD_COUNT(type_names) ? type_names[type] : "unknown";
}

static bool text_equal(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

uint32_t vd_audit_type_find(const char *name)
{
    for (uint32_t i = 1; i < VD_COUNT(type_names); i++) {
        if (text_equal(type_names[i], name))
            return i;
    }
    return VD_EVENT_TYPE_NONE;
}

const char *vd_audit_hook_name(uint32_t hook)
{
    return hook < VD_COUNT(hook_names) ? hook_names[hook] : "unknown";
}

static uint16_t kind_size(uint16_t kind)
{
    switch (kind) {
    case VD_AUDIT_U8:
        return 1;
    case VD_AUDIT_U16:
        return 2;
    case VD_AUDIT_U32:
    case VD_AUDIT_I32:
        return 4;
    case VD_AUDIT_U64:
        return 8;
    default:
        return 0;
    }
}

static bool name_valid(const char *data, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++) {
        if (data[i] < 0x20 || data[i] > 0x7e)
            return false;
    }
    return true;
}

static bool bytes_valid(const char *data, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++) {
        if (data[i] == '\0')
            return false;
    }
    return true;
}

static bool text_valid(uint16_t kind, const struct vd_audit_text *text)
{
    if (text->size > VD_AUDIT_TEXT_MAX_BYTES)
        return false;
    return kind == VD_AUDIT_NAME ? name_valid(text->data, text->size)
                                 : bytes_valid(text->data, text->size);
}

static bool extra_name_valid(const struct vd_audit_text *name)
{
    for (uint32_t i = 0; i < name->size; i++) {
        char c = name->data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-'))
            return false;
    }
    return name->size != 0 && name->size <= VD_AUDIT_EXTRA_NAME_MAX;
}

static bool ranges_valid(const struct vd_audit_record *record)
{
    return record->type != VD_EVENT_TYPE_NONE && record->type < VD_EVENT_TYPE_COUNT &&
           record->verdict <= VD_EVENT_ALLOWED && record->permissive <= 1 &&
           record->hook < VD_EVENT_HOOK_COUNT && record->extra_count <= VD_AUDIT_EXTRA_MAX;
}

static vd_status encode_field(const struct vd_audit_field *field, const void *member,
                              struct vd_writer *w)
{
    const struct vd_audit_text *text = member;

    if (kind_size(field->kind) == 0 && !text_valid(field->kind, text))
        return VD_E_RANGE;
    vd_write_le16(w, field->tag);
    if (kind_size(field->kind) == 0) {
        vd_write_le16(w, (uint16_t)text->size);
        vd_write_bytes(w, text->data, text->size);
        return VD_OK;
    }
    vd_write_le16(w, kind_size(field->kind));
    if (field->kind == VD_AUDIT_U8)
        vd_write_u8(w, *(const uint8_t *)member);
    else if (field->kind == VD_AUDIT_U16)
        vd_write_le16(w, *(const uint16_t *)member);
    else if (field->kind == VD_AUDIT_U64)
        vd_write_le64(w, *(const uint64_t *)member);
    else
        vd_write_le32(w, *(const uint32_t *)member);
    return VD_OK;
}

static vd_status encode_extra(const struct vd_audit_extra *extra, struct vd_writer *w)
{
    if (!extra_name_valid(&extra->name) || extra->value.size > VD_AUDIT_TEXT_MAX_BYTES)
        return VD_E_RANGE;
    vd_write_le16(w, VD_AUDIT_TAG_EXTRA);
    vd_write_le16(w, (uint16_t)(1 + extra->name.size + extra->value.size));
    vd_write_u8(w, (uint8_t)extra->name.size);
    vd_write_bytes(w, extra->name.data, extra->name.size);
    vd_write_bytes(w, extra->value.data, extra->value.size);
    return VD_OK;
}

vd_status vd_audit_record_encode(const struct vd_audit_record *record, struct vd_writer *w)
{
    size_t start = w->len;

    if (!ranges_valid(record))
        return VD_E_RANGE;
    vd_write_le16(w, VD_AUDIT_RECORD_VERSION);
    vd_write_le16(w, record->type);
    for (uint32_t i = 0; i < VD_COUNT(fields); i++) {
        if (vd_audit_has(record, fields[i].tag))
            VD_TRY(encode_field(&fields[i], (const uint8_t *)record + fields[i].offset, w));
    }
    for (uint32_t i = 0; i < record->extra_count; i++)
        VD_TRY(encode_extra(&record->extra[i], w));
    if (w->len - start > VD_AUDIT_RECORD_MAX_BYTES)
        return VD_E_LIMIT;
    return vd_write_done(w);
}

static vd_status parse_text(struct vd_reader *r, struct vd_audit_text *ret)
{
    const uint8_t *bytes;
    size_t size = vd_reader_left(r);

    VD_TRY(vd_read_bytes(r, size, &bytes));
    *ret = (struct vd_audit_text){(const char *)bytes, (uint32_t)size};
    return VD_OK;
}

/* `r` holds the value alone; its size was compared with the kind's. */
static vd_status parse_value(uint16_t kind, struct vd_reader *r, void *member)
{
    struct vd_audit_text text;

    switch (kind) {
    case VD_AUDIT_U8:
        return vd_read_u8(r, member);
    case VD_AUDIT_U16:
        return vd_read_le16(r, member);
    case VD_AUDIT_U32:
    case VD_AUDIT_I32:
        return vd_read_le32(r, member);
    case VD_AUDIT_U64:
        return vd_read_le64(r, member);
    default:
        VD_TRY(parse_text(r, &text));
        if (!text_valid(kind, &text))
            return VD_E_INVALID;
        *(struct vd_audit_text *)member = text;
        return VD_OK;
    }
}

static vd_status parse_extra(struct vd_reader *r, struct vd_audit_record *record)
{
    struct vd_audit_extra extra;
    const uint8_t *name;
    uint8_t size;

    if (record->extra_count == VD_AUDIT_EXTRA_MAX)
        return VD_E_LIMIT;
    VD_TRY(vd_read_u8(r, &size));
    VD_TRY(vd_read_bytes(r, size, &name));
    extra.name = (struct vd_audit_text){(const char *)name, size};
    VD_TRY(parse_text(r, &extra.value));
    if (!extra_name_valid(&extra.name) || extra.value.size > VD_AUDIT_TEXT_MAX_BYTES)
        return VD_E_INVALID;
    record->extra[record->extra_count++] = extra;
    return VD_OK;
}

static const struct vd_audit_field *find_field(uint16_t tag)
{
    for (uint32_t i = 0; i < VD_COUNT(fields); i++) {
        if (fields[i].tag == tag)
            return &fields[i];
    }
    return NULL;
}

static vd_status parse_field(struct vd_reader *r, uint16_t *last_tag,
                             struct vd_audit_record *record)
{
    const struct vd_audit_field *field;
    struct vd_reader value;
    uint16_t tag, length;

    VD_TRY(vd_read_le16(r, &tag));
    VD_TRY(vd_read_le16(r, &length));
    VD_TRY(vd_read_sub(r, length, &value));
    if (tag < *last_tag || (tag == *last_tag && tag != VD_AUDIT_TAG_EXTRA))
        return VD_E_SYNTAX;
    *last_tag = tag;
    if (tag == VD_AUDIT_TAG_EXTRA)
        return parse_extra(&value, record);
    field = find_field(tag);
    if (field == NULL)
        return VD_E_NOT_FOUND;
    if (kind_size(field->kind) != 0 && kind_size(field->kind) != length)
        return VD_E_RANGE;
    VD_TRY(parse_value(field->kind, &value, (uint8_t *)record + field->offset));
    record->present |= UINT64_C(1) << tag;
    return VD_OK;
}

static vd_status fail_field(struct vd_diag *diag, vd_status status, uint64_t offset)
{
    switch (status) {
    case VD_E_TRUNCATED:
        return vd_diag_fail_at(diag, status, offset, "a field of the record is cut off");
    case VD_E_SYNTAX:
        return vd_diag_fail_at(diag, status, offset,
                               "the fields do not stand in the order of their tags");
    case VD_E_NOT_FOUND:
        return vd_diag_fail_at(diag, status, offset,
                               "a field has a tag that version 1 does not know");
    case VD_E_RANGE:
        return vd_diag_fail_at(diag, status, offset,
                               "a field has another size than its tag demands");
    case VD_E_LIMIT:
        return vd_diag_fail_at(diag, status, offset, "the record has more than 16 free fields");
    default:
        return vd_diag_fail_at(diag, status, offset,
                               "a field has bytes that its kind does not allow");
    }
}

vd_status vd_audit_record_parse(const void *data, size_t size, struct vd_audit_record *ret,
                                struct vd_diag *diag)
{
    struct vd_audit_record record = {};
    struct vd_reader r;
    uint16_t version, last_tag = 0;

    if (size > VD_AUDIT_RECORD_MAX_BYTES)
        return vd_diag_fail(diag, VD_E_LIMIT, "the record is larger than 16384 bytes");
    vd_reader_init(&r, data, size);
    if (vd_read_le16(&r, &version) != VD_OK || vd_read_le16(&r, &record.type) != VD_OK)
        return vd_diag_fail_at(diag, VD_E_TRUNCATED, size,
                               "the record ends within its first 4 bytes");
    if (version != VD_AUDIT_RECORD_VERSION)
        return vd_diag_fail_at(diag, VD_E_VERSION, 0, "the record's version is not 1");
    while (vd_reader_left(&r) != 0) {
        size_t at = vd_reader_offset(&r);
        vd_status status = parse_field(&r, &last_tag, &record);
        if (status != VD_OK)
            return fail_field(diag, status, at);
    }
    if (!ranges_valid(&record))
        return vd_diag_fail_at(diag, VD_E_RANGE, 2,
                               "type, hook, verdict or permissive is out of range");
    *ret = record;
    return VD_OK;
}

vd_status vd_audit_event_parse(const void *data, size_t size, struct vd_event *ret,
                               struct vd_diag *diag)
{
    struct vd_event event;
    struct vd_reader r;

    vd_reader_init(&r, data, size);
    if (vd_read_copy(&r, &event, sizeof(event)) != VD_OK)
        return vd_diag_fail_at(diag, VD_E_TRUNCATED, size, "the event is shorter than 376 bytes");
    if (event.version != VD_EVENT_VERSION)
        return vd_diag_fail_at(diag, VD_E_VERSION, offsetof(struct vd_event, version),
                               "the event's version is not 1");
    /* The ring rounds sizes up to 8; 376 is a multiple, so nothing may follow. */
    if (event.size != sizeof(event) || vd_read_done(&r) != VD_OK)
        return vd_diag_fail_at(diag, VD_E_INVALID, 0, "the event's size is not 376 bytes");
    if (event.type == VD_EVENT_TYPE_NONE || event.type >= VD_EVENT_TYPE_LOST)
        return vd_diag_fail_at(diag, VD_E_RANGE, offsetof(struct vd_event, type),
                               "the event's type is not one that the kernel sends");
    if (event.hook >= VD_EVENT_HOOK_COUNT || event.verdict > VD_EVENT_ALLOWED ||
        event.permissive > 1)
        return vd_diag_fail_at(diag, VD_E_RANGE, offsetof(struct vd_event, verdict),
                               "the event's hook, verdict or permissive is out of range");
    if (event.path_len > VD_EVENT_PATH_SIZE || !bytes_valid(event.path, event.path_len))
        return vd_diag_fail_at(diag, VD_E_INVALID, offsetof(struct vd_event, path),
                               "the event's path is longer than its field or holds a NUL");
    if (event.reserved != 0)
        return vd_diag_fail_at(diag, VD_E_RESERVED, offsetof(struct vd_event, reserved),
                               "the event's reserved field is not zero");
    event.comm[VD_EVENT_COMM_SIZE - 1] = '\0';
    *ret = event;
    return VD_OK;
}
