/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "tools/analysis/record.h"

#include <jansson.h>
#include <string.h>

#include "lib/diagf.h"

#define MARK "avc:"

/* A place in the line. */
struct cursor {
    const char *line;
    size_t size, pos;
    struct vd_diag *diag;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* What ends an unquoted value: blanks, the quote around a user-space message, auditd's separator. */
static bool ends_value(char c)
{
    return is_blank(c) || c == '\'' || c == '"' || c == '\x1d' || c == '\0';
}

static void skip_blanks(struct cursor *c)
{
    while (c->pos < c->size && is_blank(c->line[c->pos]))
        c->pos++;
}

/* Takes `word` if it stands here and is not the beginning of a longer one. */
static bool accept(struct cursor *c, const char *word)
{
    size_t len = strlen(word);

    if (c->size - c->pos < len || memcmp(c->line + c->pos, word, len) != 0 ||
        (c->size - c->pos > len && !ends_value(c->line[c->pos + len])))
        return false;
    c->pos += len;
    skip_blanks(c);
    return true;
}

static vd_status fail(struct cursor *c, vd_status status, const char *text)
{
    return vd_diag_fail_at(c->diag, status, c->pos, text);
}

static vd_status parse_perms(struct cursor *c, struct vd_record *r)
{
    if (!accept(c, "{"))
        return fail(c, VD_E_SYNTAX, "expected '{' and the permissions");
    while (!accept(c, "}")) {
        size_t start = c->pos;
        while (c->pos < c->size && !ends_value(c->line[c->pos]))
            c->pos++;
        if (c->pos == start)
            return fail(c, VD_E_SYNTAX, "expected a permission or '}'");
        if (r->perm_count == VD_RECORD_MAX_PERMS)
            return fail(c, VD_E_LIMIT, "more than 32 permissions in a record");
        r->perms[r->perm_count++] = (struct vd_record_text){c->line + start, c->pos - start};
        skip_blanks(c);
    }
    if (r->perm_count == 0)
        return fail(c, VD_E_SYNTAX, "a record without a permission");
    return VD_OK;
}

/* A decimal number, or a hexadecimal one after 0x; at most 0xffff. */
static bool parse_number(struct vd_record_text text, uint32_t *ret)
{
    bool hex = text.size > 2 && text.data[0] == '0' && (text.data[1] | 0x20) == 'x';
    uint32_t value = 0;

    for (size_t i = hex ? 2 : 0; i < text.size; i++) {
        char ch = text.data[i];
        uint32_t digit = ch >= '0' && ch <= '9'          ? (uint32_t)(ch - '0')
                         : hex && ch >= 'a' && ch <= 'f' ? (uint32_t)(ch - 'a' + 10)
                         : hex && ch >= 'A' && ch <= 'F' ? (uint32_t)(ch - 'A' + 10)
                                                         : UINT32_MAX;
        if (digit == UINT32_MAX)
            return false;
        value = value * (hex ? 16 : 10) + digit;
        if (value > UINT16_MAX)
            return false;
    }
    *ret = value;
    return text.size != 0;
}

static vd_status take_command(struct cursor *c, struct vd_record *r, struct vd_record_text value,
                              enum vd_record_extended kind)
{
    if (r->extended != VD_RECORD_PLAIN)
        return fail(c, VD_E_SYNTAX, "two extended permissions in a record");
    if (!parse_number(value, &r->command))
        return fail(c, VD_E_RANGE, "expected a command or message type up to 0xffff");
    r->extended = kind;
    return VD_OK;
}

static bool text_is(struct vd_record_text text, const char *word)
{
    return text.size == strlen(word) && memcmp(text.data, word, text.size) == 0;
}

/* A field given twice would let one part of a line hide another: it is refused. */
static vd_status take_once(struct cursor *c, struct vd_record_text *field,
                           struct vd_record_text value)
{
    if (field->size != 0)
        return fail(c, VD_E_SYNTAX, "a context or class stands twice in the record");
    if (value.size == 0)
        return fail(c, VD_E_SYNTAX, "an empty context or class");
    *field = value;
    return VD_OK;
}

static vd_status take_permissive(struct cursor *c, struct vd_record *r, struct vd_record_text value)
{
    if (r->permissive != VD_RECORD_PERMISSIVE_UNKNOWN ||
        (!text_is(value, "0") && !text_is(value, "1")))
        return fail(c, VD_E_SYNTAX, "expected permissive=0 or permissive=1, once");
    r->permissive = value.data[0] == '1' ? VD_RECORD_PERMISSIVE_YES : VD_RECORD_PERMISSIVE_NO;
    return VD_OK;
}

static vd_status take_field(struct cursor *c, struct vd_record *r, struct vd_record_text key,
                            struct vd_record_text value)
{
    if (text_is(key, "scontext"))
        return take_once(c, &r->source, value);
    if (text_is(key, "tcontext"))
        return take_once(c, &r->target, value);
    if (text_is(key, "tclass"))
        return take_once(c, &r->class, value);
    if (text_is(key, "permissive"))
        return take_permissive(c, r, value);
    if (text_is(key, "ioctlcmd"))
        return take_command(c, r, value, VD_RECORD_IOCTL);
    if (text_is(key, "nl-msgtype"))
        return take_command(c, r, value, VD_RECORD_NLMSG);
    return VD_OK;
}

/* A value: up to the closing quote, or up to what ends one. */
static vd_status parse_value(struct cursor *c, struct vd_record_text *ret)
{
    size_t start = c->pos;

    if (c->pos < c->size && c->line[c->pos] == '"') {
        const char *close = memchr(c->line + start + 1, '"', c->size - start - 1);
        if (close == NULL)
            return fail(c, VD_E_SYNTAX, "this value has no closing '\"'");
        *ret = (struct vd_record_text){c->line + start + 1, (size_t)(close - c->line) - start - 1};
        c->pos = (size_t)(close - c->line) + 1;
        return VD_OK;
    }
    while (c->pos < c->size && !ends_value(c->line[c->pos]))
        c->pos++;
    *ret = (struct vd_record_text){c->line + start, c->pos - start};
    return VD_OK;
}

/* Words "key=value" up to the end of the message; words without '=' mean nothing here. */
static vd_status parse_fields(struct cursor *c, struct vd_record *r)
{
    for (;;) {
        struct vd_record_text key, value;
        size_t start;

        skip_blanks(c);
        start = c->pos;
        while (c->pos < c->size && c->line[c->pos] != '=' && !ends_value(c->line[c->pos]))
            c->pos++;
        if (c->pos == c->size)
            return VD_OK;
        if (c->line[c->pos] != '=') {
            if (c->pos != start)
                continue;
            /* The user-space message ends, or auditd's own fields begin. */
            if (c->line[c->pos] != '"')
                return VD_OK;
            VD_TRY(parse_value(c, &value));
            continue;
        }
        key = (struct vd_record_text){c->line + start, c->pos - start};
        c->pos++;
        VD_TRY(parse_value(c, &value));
        VD_TRY(take_field(c, r, key, value));
    }
}

static vd_status whole(struct cursor *c, const struct vd_record *r)
{
    if (r->source.size == 0)
        return fail(c, VD_E_SYNTAX, "the record has no scontext");
    if (r->target.size == 0)
        return fail(c, VD_E_SYNTAX, "the record has no tcontext");
    if (r->class.size == 0)
        return fail(c, VD_E_SYNTAX, "the record has no tclass");
    return VD_OK;
}

static vd_status parse_text(const char *line, size_t size, struct vd_record *ret,
                            struct vd_diag *diag)
{
    struct cursor c = {.line = line, .size = size, .diag = diag};
    const char *mark = memmem(line, size, MARK, strlen(MARK));
    struct vd_record r = {};

    if (mark == NULL)
        return VD_E_NOT_FOUND;
    c.pos = (size_t)(mark - line) + strlen(MARK);
    skip_blanks(&c);
    r.granted = accept(&c, "granted");
    /* Other messages of the cache: "avc:  op=setenforce …". */
    if (!r.granted && !accept(&c, "denied"))
        return VD_E_NOT_FOUND;
    VD_TRY(parse_perms(&c, &r));
    VD_TRY(parse_fields(&c, &r));
    VD_TRY(whole(&c, &r));
    *ret = r;
    return VD_OK;
}

static struct vd_record_text json_text(json_t *value)
{
    return json_is_string(value)
               ? (struct vd_record_text){json_string_value(value), json_string_length(value)}
               : (struct vd_record_text){};
}

static struct vd_record_text json_part(json_t *root, const char *part, const char *key)
{
    return json_text(json_object_get(json_object_get(root, part), key));
}

/* The permissions that were refused, or, where the access was allowed, asked for. */
static vd_status json_perms(struct cursor *c, json_t *action, struct vd_record *r)
{
    json_t *list = json_object_get(action, r->granted ? "requested" : "denied");

    if (json_array_size(list) == 0)
        return VD_E_NOT_FOUND; /* a decision without names, or no decision */
    if (json_array_size(list) > VD_RECORD_MAX_PERMS)
        return fail(c, VD_E_LIMIT, "more than 32 permissions in a record");
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct vd_record_text text = json_text(json_array_get(list, i));
        if (text.size == 0)
            return fail(c, VD_E_SYNTAX, "a permission that is no name");
        r->perms[r->perm_count++] = text;
    }
    return VD_OK;
}

/* A record of this project's audit log: docs/formats/audit-log.md. */
static vd_status json_record(struct cursor *c, json_t *root, struct vd_record *r)
{
    struct vd_record_text verdict = json_part(root, "result", "verdict");

    if (!text_is(verdict, "denied") && !text_is(verdict, "allowed"))
        return VD_E_NOT_FOUND;
    r->granted = text_is(verdict, "allowed");
    r->source = json_part(root, "subject", "context");
    r->target = json_part(root, "object", "context");
    r->class = json_part(root, "action", "class");
    r->permissive = json_is_true(json_object_get(json_object_get(root, "result"), "permissive"))
                        ? VD_RECORD_PERMISSIVE_YES
                        : VD_RECORD_PERMISSIVE_NO;
    if (r->source.size == 0 || r->target.size == 0 || r->class.size == 0)
        return VD_E_NOT_FOUND; /* an event without labels, such as a loss */
    return json_perms(c, json_object_get(root, "action"), r);
}

static vd_status parse_json(const char *line, size_t size, struct vd_record *ret,
                            struct vd_diag *diag)
{
    struct cursor c = {.line = line, .size = size, .diag = diag};
    struct vd_record r = {};
    struct vd_record_text message;
    json_error_t error;
    json_t *root = json_loadb(line, size, JSON_REJECT_DUPLICATES, &error);
    vd_status status;

    if (root == NULL)
        return vd_diagf_at(
            diag, VD_E_SYNTAX,
            error.position > 0 && (size_t)error.position <= size ? (uint64_t)error.position : 0,
            "not JSON: %s", error.text);
    message = json_text(json_object_get(root, "MESSAGE"));
    status = message.size != 0 ? parse_text(message.data, message.size, &r, diag)
                               : json_record(&c, root, &r);
    if (status != VD_OK) {
        json_decref(root);
        return status;
    }
    r.json = root;
    *ret = r;
    return VD_OK;
}

vd_status vd_record_parse(const char *line, size_t size, struct vd_record *ret,
                          struct vd_diag *diag)
{
    size_t start = 0;

    if (size > VD_RECORD_MAX_LINE)
        return vd_diag_fail_at(diag, VD_E_LIMIT, VD_RECORD_MAX_LINE, "a line of more than 64 KiB");
    while (start < size && is_blank(line[start]))
        start++;
    return start < size && line[start] == '{' ? parse_json(line, size, ret, diag)
                                              : parse_text(line, size, ret, diag);
}

void vd_record_done(struct vd_record *record)
{
    json_decref(record->json);
    *record = (struct vd_record){};
}

/* Tells the first damage with its place: the offset becomes a column. */
static void note_damage(struct vd_record_counts *counts, const struct vd_diag *found)
{
    if (counts->damaged++ != 0)
        return;
    counts->first = *found;
    counts->first.has_offset = false;
    counts->first.line = counts->lines > UINT32_MAX ? UINT32_MAX : (uint32_t)counts->lines;
    counts->first.column = (uint32_t)found->offset + 1;
}

vd_status vd_record_log(const char *text, size_t size, vd_record_fn receive, void *arg,
                        struct vd_record_counts *ret)
{
    struct vd_record_counts counts = {};
    vd_status status = VD_OK;

    for (size_t at = 0; status == VD_OK && at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t len = end == NULL ? size - at : (size_t)(end - text) - at;
        struct vd_diag diag = {};
        struct vd_record record = {};
        vd_status parsed = vd_record_parse(text + at, len, &record, &diag);

        counts.lines++;
        if (parsed == VD_OK) {
            counts.records++;
            status = receive(arg, &record, counts.lines);
            vd_record_done(&record);
        } else if (parsed != VD_E_NOT_FOUND) {
            note_damage(&counts, &diag);
        }
        at += len + 1;
    }
    *ret = counts;
    return status;
}
