/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/sepolicy/message.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"

#define TEXT_SIZE       512u
#define MAX_LINE_SHOWN  200u /* bytes of a source line in a message */
#define MAX_MARK_NUMBER 100000000u

struct position {
    const char *file;
    uint32_t line, column;
    const char *text; /* the line's content */
    size_t size;
};

bool vd_sp_source_add(struct vd_sp_messages *messages, const struct vd_sepolicy_source *source,
                      bool builtin)
{
    struct vd_sp_source *added;

    if (messages->end == 0)
        messages->end = 1;
    if (source->size > VD_SEPOLICY_MAX_SOURCE ||
        messages->end + source->size > VD_SEPOLICY_MAX_SOURCE)
        return false;
    added = VD_SP_PUSH(messages->arena, &messages->sources);
    added->text = *source;
    added->first = messages->end;
    added->builtin = builtin;
    /* One place more than bytes: the end of the text is a place too. */
    messages->end += (uint32_t)source->size + 1;
    return true;
}

static struct vd_sp_source *find_source(struct vd_sp_messages *messages, uint32_t place)
{
    for (uint32_t i = messages->sources.count; i > 0; i--) {
        struct vd_sp_source *source = &messages->sources.data[i - 1];

        if (place != 0 && place >= source->first)
            return source;
    }
    return NULL;
}

struct mark {
    uint32_t number;
    const char *file; /* not terminated; NULL: the mark names none */
    size_t file_size;
};

/* Reads `#line NUMBER ["FILE"]`; the line after it has that number. False: it is none. */
static bool read_mark(const char *p, const char *end, struct mark *ret)
{
    const char *digits, *close;

    if (end - p < 7 || memcmp(p, "#line ", 6) != 0)
        return false;
    p += 6;
    *ret = (struct mark){};
    for (digits = p; p < end && *p >= '0' && *p <= '9' && ret->number < MAX_MARK_NUMBER; p++)
        ret->number = ret->number * 10 + (uint32_t)(*p - '0');
    if (p == digits)
        return false;
    while (p < end && *p == ' ')
        p++;
    if (p == end || *p != '"')
        return true;
    p++;
    close = memchr(p, '"', (size_t)(end - p));
    if (close != NULL && close > p) {
        ret->file = p;
        ret->file_size = (size_t)(close - p);
    }
    return true;
}

static void follow_mark(struct vd_sp_arena *arena, const char *p, const char *end,
                        struct position *pos)
{
    struct mark mark;

    if (!read_mark(p, end, &mark))
        return;
    pos->line = mark.number - 1;
    if (mark.file != NULL)
        pos->file = vd_sp_text(arena, "%.*s", (int)mark.file_size, mark.file);
}

bool vd_sp_cursor_move(struct vd_sp_messages *messages, struct vd_sp_cursor *cursor, uint32_t place)
{
    const struct vd_sp_source *source;
    const char *place_at, *end;

    if (place == 0 || place >= messages->end)
        return false;
    source = cursor->source == 0 ? NULL : &messages->sources.data[cursor->source - 1];
    if (source == NULL || place > source->first + source->text.size) {
        source = find_source(messages, place);
        if (source == NULL)
            return false;
        *cursor = (struct vd_sp_cursor){.source = (uint32_t)(source - messages->sources.data) + 1,
                                        .at = source->text.text,
                                        .file = source->text.name,
                                        .file_size = strlen(source->text.name),
                                        .line = 1};
    }
    place_at = source->text.text + (place - source->first);
    end = source->text.text + source->text.size;
    for (;;) {
        const char *p = cursor->at, *eol = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;
        struct mark mark;

        if (eol == NULL || place_at <= eol)
            return true;
        if (*p == '#' && read_mark(p, eol, &mark)) {
            cursor->line = mark.number - 1;
            if (mark.file != NULL) {
                cursor->file = mark.file;
                cursor->file_size = mark.file_size;
            }
        }
        cursor->line++;
        cursor->at = eol + 1;
    }
}

const char *vd_sp_place_source(struct vd_sp_messages *messages, uint32_t place,
                               const char **ret_end)
{
    const struct vd_sp_source *source = find_source(messages, place);

    *ret_end = source == NULL ? NULL : source->text.text + source->text.size;
    return source == NULL ? NULL : source->text.text + (place - source->first);
}

static void find_position(struct vd_sp_arena *arena, const struct vd_sp_source *source,
                          uint32_t place, struct position *pos)
{
    const char *p = source->text.text, *end = p + source->text.size;
    const char *at = p + (place - source->first);

    *pos = (struct position){.file = source->text.name, .line = 1};
    for (;;) {
        const char *eol = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;

        if (eol == NULL || at <= eol) {
            pos->text = p;
            pos->size = (size_t)((eol == NULL ? end : eol) - p);
            pos->column = (uint32_t)(at - p) + 1;
            return;
        }
        follow_mark(arena, p, eol, pos);
        pos->line++;
        p = eol + 1;
    }
}

const char *vd_sp_text(struct vd_sp_arena *arena, const char *format, ...)
{
    char buf[TEXT_SIZE];
    va_list args;
    size_t len;
    char *ret;

    va_start(args, format);
    (void)vsnprintf(buf, sizeof(buf), format, args);
    va_end(args);
    len = strlen(buf);
    ret = vd_sp_alloc(arena, len + 1);
    memcpy(ret, buf, len);
    return ret;
}

const char *vd_sp_place_text(struct vd_sp_messages *messages, uint32_t place)
{
    const struct vd_sp_source *source = find_source(messages, place);
    struct position pos;

    if (source == NULL)
        return "the compiler's own text";
    find_position(messages->arena, source, place, &pos);
    return vd_sp_text(messages->arena, "%s:%u:%u", pos.file, pos.line, pos.column);
}

/* True if the message is to be shown; counts it. */
static bool admit(struct vd_sp_messages *messages, struct vd_sp_source *source,
                  enum vd_sepolicy_level level)
{
    bool error = level == VD_SEPOLICY_ERROR;
    uint32_t max = error ? VD_SEPOLICY_MAX_ERRORS : VD_SEPOLICY_MAX_WARNINGS;
    uint32_t *total = error ? &messages->errors : &messages->warnings;
    uint32_t *count = source == NULL ? total : error ? &source->errors : &source->warnings;

    (*total)++;
    if (source != NULL)
        (*count)++;
    return *count <= max && messages->options->message != NULL;
}

static void show_rest(struct vd_sp_messages *messages, const struct vd_sp_source *source,
                      enum vd_sepolicy_level level, uint32_t count, uint32_t max)
{
    struct vd_sepolicy_message message = {.level = level};

    if (count <= max || messages->options->message == NULL)
        return;
    message.text =
        vd_sp_text(messages->arena, "%u more %s%s in %s %s not shown", count - max,
                   level == VD_SEPOLICY_ERROR ? "error" : "warning", count - max == 1 ? "" : "s",
                   source->text.name, count - max == 1 ? "is" : "are");
    messages->options->message(messages->options->message_arg, &message);
}

void vd_sp_messages_end(struct vd_sp_messages *messages)
{
    for (uint32_t i = 0; i < messages->sources.count; i++) {
        const struct vd_sp_source *source = &messages->sources.data[i];

        show_rest(messages, source, VD_SEPOLICY_ERROR, source->errors, VD_SEPOLICY_MAX_ERRORS);
        show_rest(messages, source, VD_SEPOLICY_WARNING, source->warnings,
                  VD_SEPOLICY_MAX_WARNINGS);
    }
}

/* Hints cost a search each: a text that is all errors must not cost more than a policy. */
static void stop_if_hopeless(struct vd_sp_messages *messages)
{
    if (messages->errors < VD_SEPOLICY_STOP_ERRORS)
        return;
    vd_sp_messages_end(messages);
    vd_sp_escape(messages->arena, VD_E_INVALID);
}

struct subject {
    enum vd_sepolicy_level level;
    uint32_t place;
    const char *hint;
};

static void show(struct vd_sp_messages *messages, const struct subject *subject, const char *format,
                 va_list args)
{
    struct vd_sp_source *source = find_source(messages, subject->place);
    char buf[TEXT_SIZE];
    struct position pos = {};

    if (messages->mute)
        return;
    if (!admit(messages, source, subject->level)) {
        stop_if_hopeless(messages);
        return;
    }
    (void)vsnprintf(buf, sizeof(buf), format, args);
    if (source != NULL)
        find_position(messages->arena, source, subject->place, &pos);
    messages->options->message(messages->options->message_arg, &(struct vd_sepolicy_message){
                                                                   .level = subject->level,
                                                                   .file = pos.file,
                                                                   .line = pos.line,
                                                                   .column = pos.column,
                                                                   .text = buf,
                                                                   .source = pos.text,
                                                                   .source_size = pos.size,
                                                                   .hint = subject->hint,
                                                               });
}

void vd_sp_error(struct vd_sp_messages *messages, uint32_t place, const char *format, ...)
{
    struct subject subject = {.level = VD_SEPOLICY_ERROR, .place = place};
    va_list args;

    va_start(args, format);
    show(messages, &subject, format, args);
    va_end(args);
}

void vd_sp_error_hint(struct vd_sp_messages *messages, uint32_t place, const char *hint,
                      const char *format, ...)
{
    struct subject subject = {.level = VD_SEPOLICY_ERROR, .place = place, .hint = hint};
    va_list args;

    va_start(args, format);
    show(messages, &subject, format, args);
    va_end(args);
}

void vd_sp_warning(struct vd_sp_messages *messages, uint32_t place, const char *hint,
                   const char *format, ...)
{
    struct subject subject = {.level = VD_SEPOLICY_WARNING, .place = place, .hint = hint};
    va_list args;

    va_start(args, format);
    show(messages, &subject, format, args);
    va_end(args);
}

/* The source line and, under it, blanks (tabs where the line has tabs) and a caret. */
static void format_line(const struct vd_sepolicy_message *message, struct vd_text *text)
{
    size_t size = message->source_size;
    const char *p = message->source;

    if (size > MAX_LINE_SHOWN)
        size = MAX_LINE_SHOWN;
    for (size_t i = 0; i < size; i++) {
        if (p[i] == '\t')
            vd_text_str(text, "\t");
        else if (p[i] != '\r')
            vd_text_foreign(text, p + i, 1);
    }
    vd_text_str(text, "\n");
    if (message->column > size + 1)
        return;
    for (size_t i = 0; i + 1 < message->column; i++) {
        bool foreign = (unsigned char)p[i] < 0x20 || (unsigned char)p[i] > 0x7e;

        vd_text_str(text, p[i] == '\t' ? "\t" : foreign && p[i] != '\r' ? "    " : " ");
    }
    vd_text_str(text, "^\n");
}

size_t vd_sepolicy_format(const struct vd_sepolicy_message *message, char *buf, size_t size)
{
    struct vd_text text;

    vd_text_init(&text, buf, size);
    if (message->file != NULL) {
        vd_text_foreign(&text, message->file, strlen(message->file));
        vd_text_str(&text, ":");
        vd_text_u64(&text, message->line);
        vd_text_str(&text, ":");
        vd_text_u64(&text, message->column);
        vd_text_str(&text, ": ");
    }
    vd_text_str(&text, message->level == VD_SEPOLICY_ERROR ? "error: " : "warning: ");
    vd_text_foreign(&text, message->text, strlen(message->text));
    vd_text_str(&text, "\n");
    if (message->source != NULL)
        format_line(message, &text);
    if (message->hint != NULL) {
        vd_text_str(&text, "hint: ");
        vd_text_foreign(&text, message->hint, strlen(message->hint));
        vd_text_str(&text, "\n");
    }
    return text.len;
}
