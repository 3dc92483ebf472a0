/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/audit/print.h"

#include <string.h>
#include <time.h>

#define NS               1'000'000'000u
#define TIME_SIZE        48
#define TEXT_ESCAPE_SIZE (4 * VD_AUDIT_TEXT_MAX_BYTES + 1)

static void time_text(uint64_t realtime_ns, char ret[TIME_SIZE])
{
    time_t seconds = (time_t)(realtime_ns / NS);
    struct tm tm;
    size_t len;

    gmtime_r(&seconds, &tm);
    len = strftime(ret, TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(ret + len, TIME_SIZE - len, ".%09uZ", (unsigned)(realtime_ns % NS));
}

/* UTF-8 as it is; other bytes as \xHH. */
static json_t *text_json(const struct vd_audit_text *text)
{
    char escaped[TEXT_ESCAPE_SIZE];
    json_t *value = json_stringn(text->data, text->size);
    struct vd_text t;

    if (value != NULL)
        return value;
    vd_text_init(&t, escaped, sizeof(escaped));
    vd_text_foreign(&t, text->data, text->size);
    return json_string(escaped);
}

static json_t *member_json(const struct vd_audit_record *record, const struct vd_audit_field *field)
{
    const void *member = (const uint8_t *)record + field->offset;

    switch (field->kind) {
    case VD_AUDIT_U8:
        return json_integer(*(const uint8_t *)member);
    case VD_AUDIT_U16:
        return json_integer(*(const uint16_t *)member);
    case VD_AUDIT_U32:
        return json_integer(*(const uint32_t *)member);
    case VD_AUDIT_I32:
        return json_integer(*(const int32_t *)member);
    case VD_AUDIT_U64:
        return json_integer((json_int_t) * (const uint64_t *)member);
    default:
        return text_json(member);
    }
}

/* A list of the words in a text of names. */
static json_t *words_json(const struct vd_audit_text *text)
{
    json_t *list = json_array();
    uint32_t start = 0;

    for (uint32_t i = 0; i <= text->size; i++) {
        if (i < text->size && text->data[i] != ' ')
            continue;
        if (i > start)
            json_array_append_new(list, json_stringn(text->data + start, i - start));
        start = i + 1;
    }
    return list;
}

/* Where a field stands in the object, and its key there. */
static const struct {
    uint16_t tag;
    const char *part; /* NULL: in the object itself */
    const char *key;
} places[] = {
    {VD_AUDIT_TAG_BOOTTIME, NULL, "boottime_ns"},
    {VD_AUDIT_TAG_EVENT_SEQUENCE, NULL, "event_sequence"},
    {VD_AUDIT_TAG_MESSAGE, NULL, "message"},
    {VD_AUDIT_TAG_PID, "subject", "pid"},
    {VD_AUDIT_TAG_TGID, "subject", "tgid"},
    {VD_AUDIT_TAG_UID, "subject", "uid"},
    {VD_AUDIT_TAG_GID, "subject", "gid"},
    {VD_AUDIT_TAG_COMM, "subject", "comm"},
    {VD_AUDIT_TAG_SUBJECT_CONTEXT, "subject", "context"},
    {VD_AUDIT_TAG_SUBJECT_SID, "subject", "sid"},
    {VD_AUDIT_TAG_OBJECT_KIND, "object", "kind"},
    {VD_AUDIT_TAG_PATH, "object", "path"},
    {VD_AUDIT_TAG_DEVICE, "object", "device"},
    {VD_AUDIT_TAG_INODE, "object", "inode"},
    {VD_AUDIT_TAG_OBJECT_CONTEXT, "object", "context"},
    {VD_AUDIT_TAG_OBJECT_SID, "object", "sid"},
    {VD_AUDIT_TAG_DETAIL, "action", "detail"},
    {VD_AUDIT_TAG_CLASS_NAME, "action", "class"},
    {VD_AUDIT_TAG_CLASS, "action", "class_number"},
    {VD_AUDIT_TAG_REQUESTED, "action", "requested_mask"},
    {VD_AUDIT_TAG_DENIED, "action", "denied_mask"},
    {VD_AUDIT_TAG_ERROR, "result", "error"},
    {VD_AUDIT_TAG_POLICY_SEQNO, "mac", "policy_seqno"},
    {VD_AUDIT_TAG_NEW_SID, "mac", "new_sid"},
    {VD_AUDIT_TAG_NEW_CONTEXT, "mac", "new_context"},
    {VD_AUDIT_TAG_FLAGS, "mac", "flags"},
    {VD_AUDIT_TAG_LOST_FIRST, "lost", "first"},
    {VD_AUDIT_TAG_LOST_COUNT, "lost", "count"},
};

static json_t *part_of(json_t *object, const char *name)
{
    json_t *part = json_object_get(object, name);

    if (part != NULL)
        return part;
    json_object_set_new(object, name, json_object());
    return json_object_get(object, name);
}

static void put_members(json_t *object, const struct vd_audit_record *record)
{
    uint32_t count;
    const struct vd_audit_field *fields = vd_audit_fields(&count);

    for (uint32_t i = 0; i < VD_COUNT(places); i++) {
        json_t *part = object;
        if (!vd_audit_has(record, places[i].tag))
            continue;
        if (places[i].part != NULL)
            part = part_of(object, places[i].part);
        /* Tags count from 1 in the order of the rows. */
        json_object_set_new(part, places[i].key, member_json(record, &fields[places[i].tag - 1]));
    }
}

static void put_names(json_t *object, const struct vd_audit_record *record)
{
    if (vd_audit_has(record, VD_AUDIT_TAG_HOOK))
        json_object_set_new(part_of(object, "action"), "hook",
                            json_string(vd_audit_hook_name(record->hook)));
    if (vd_audit_has(record, VD_AUDIT_TAG_REQUESTED_NAMES))
        json_object_set_new(part_of(object, "action"), "requested",
                            words_json(&record->requested_names));
    if (vd_audit_has(record, VD_AUDIT_TAG_DENIED_NAMES))
        json_object_set_new(part_of(object, "action"), "denied", words_json(&record->denied_names));
    if (vd_audit_has(record, VD_AUDIT_TAG_VERDICT))
        json_object_set_new(
            part_of(object, "result"), "verdict",
            json_string(record->verdict == VD_EVENT_ALLOWED ? "allowed" : "denied"));
    if (vd_audit_has(record, VD_AUDIT_TAG_PERMISSIVE))
        json_object_set_new(part_of(object, "result"), "permissive",
                            json_boolean(record->permissive));
}

json_t *vd_audit_json(uint64_t segment, const struct vd_audit_frame *frame,
                      const struct vd_audit_record *record)
{
    char time[TIME_SIZE], name[VD_AUDIT_EXTRA_NAME_MAX + 1];
    json_t *object = json_object();

    json_object_set_new(object, "id", json_integer((json_int_t)frame->sequence));
    json_object_set_new(object, "segment", json_integer((json_int_t)segment));
    if (vd_audit_has(record, VD_AUDIT_TAG_REALTIME)) {
        time_text(record->realtime_ns, time);
        json_object_set_new(object, "timestamp", json_string(time));
    }
    json_object_set_new(object, "type", json_string(vd_audit_type_name(record->type)));
    put_members(object, record);
    put_names(object, record);
    for (uint32_t i = 0; i < record->extra_count; i++) {
        const struct vd_audit_extra *extra = &record->extra[i];
        snprintf(name, sizeof(name), "%.*s", (int)extra->name.size, extra->name.data);
        json_object_set_new(part_of(object, "fields"), name, text_json(&extra->value));
    }
    return object;
}

static void put_text(FILE *out, const char *before, const struct vd_audit_text *text,
                     const char *after)
{
    char escaped[TEXT_ESCAPE_SIZE];
    struct vd_text t;

    vd_text_init(&t, escaped, sizeof(escaped));
    vd_text_foreign(&t, text->data, text->size);
    fprintf(out, "%s%s%s", before, escaped, after);
}

static void print_parties(FILE *out, const struct vd_audit_record *r)
{
    if (vd_audit_has(r, VD_AUDIT_TAG_PID))
        fprintf(out, " pid=%u uid=%u", r->pid, r->uid);
    if (vd_audit_has(r, VD_AUDIT_TAG_COMM))
        put_text(out, " comm=\"", &r->comm, "\"");
    if (vd_audit_has(r, VD_AUDIT_TAG_SUBJECT_CONTEXT))
        put_text(out, " subject=", &r->subject_context, "");
    else if (vd_audit_has(r, VD_AUDIT_TAG_SUBJECT_SID))
        fprintf(out, " subject=sid:%u", r->subject_sid);
    if (vd_audit_has(r, VD_AUDIT_TAG_PATH))
        put_text(out, " path=\"", &r->path, "\"");
    if (vd_audit_has(r, VD_AUDIT_TAG_OBJECT_CONTEXT))
        put_text(out, " object=", &r->object_context, "");
    else if (vd_audit_has(r, VD_AUDIT_TAG_OBJECT_SID))
        fprintf(out, " object=sid:%u", r->object_sid);
}

static void print_action(FILE *out, const struct vd_audit_record *r)
{
    if (vd_audit_has(r, VD_AUDIT_TAG_CLASS_NAME))
        put_text(out, " class=", &r->class_name, "");
    else if (vd_audit_has(r, VD_AUDIT_TAG_CLASS))
        fprintf(out, " class=%u", r->class_number);
    if (vd_audit_has(r, VD_AUDIT_TAG_REQUESTED_NAMES))
        put_text(out, " requested={", &r->requested_names, "}");
    else if (vd_audit_has(r, VD_AUDIT_TAG_REQUESTED))
        fprintf(out, " requested=0x%x", r->requested);
    if (vd_audit_has(r, VD_AUDIT_TAG_DENIED_NAMES) && r->denied_names.size != 0)
        put_text(out, " denied={", &r->denied_names, "}");
    else if (vd_audit_has(r, VD_AUDIT_TAG_DENIED) && r->denied != 0)
        fprintf(out, " denied=0x%x", r->denied);
    if (vd_audit_has(r, VD_AUDIT_TAG_NEW_CONTEXT))
        put_text(out, " new=", &r->new_context, "");
}

void vd_audit_print(FILE *out, const struct vd_audit_frame *frame,
                    const struct vd_audit_record *record)
{
    char time[TIME_SIZE];

    time_text(record->realtime_ns, time);
    fprintf(out, "%s #%llu %s", time, (unsigned long long)frame->sequence,
            vd_audit_type_name(record->type));
    if (vd_audit_has(record, VD_AUDIT_TAG_VERDICT))
        fprintf(out, " %s%s", record->verdict == VD_EVENT_ALLOWED ? "allowed" : "DENIED",
                record->permissive ? " (permissive: let pass)" : "");
    if (vd_audit_has(record, VD_AUDIT_TAG_HOOK))
        fprintf(out, " %s", vd_audit_hook_name(record->hook));
    print_parties(out, record);
    print_action(out, record);
    if (vd_audit_has(record, VD_AUDIT_TAG_LOST_COUNT))
        fprintf(out, " lost=%llu first=%llu", (unsigned long long)record->lost_count,
                (unsigned long long)record->lost_first);
    if (vd_audit_has(record, VD_AUDIT_TAG_MESSAGE))
        put_text(out, " ", &record->message, "");
    for (uint32_t i = 0; i < record->extra_count; i++) {
        put_text(out, " ", &record->extra[i].name, "=");
        put_text(out, "", &record->extra[i].value, "");
    }
    fputc('\n', out);
}
