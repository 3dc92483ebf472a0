/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/sepolicy/message.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"

#define TEXT_SIZE      512u
#define MAX_LINE_SHOWN 200u /* bytes of a source line in a message */

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
    uint32_t low = messages->source, high = messages->sources.count;

    if (high == 0 || place < messages->sources.data[0].first)
        return NULL;
    /* The one asked for last, mostly. */
    if (messages->sources.data[low].first > place)
        low = 0;
    else if (low + 1 < high && messages->sources.data[low + 1].first > place)
        high = low + 1;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (messages->sources.data[middle].first <= place)
            low = middle;
        else
            high = middle;
    }
    messages->source = low;
    return &messages->sources.data[low];
}

bool vd_sp_is_written(struct vd_sp_messages *messages, uint32_t place)
{
    const struct vd_sp_source *source = find_source(messages, place);

    return source != NULL && !source->builtin && !source->marked;
}

/* The last line known beforehand that does not begin behind the place; NULL: none. */
static const struct vd_sp_mark *find_mark(struct vd_sp_messages *messages, uint32_t place)
{
    const struct vd_sp_mark *marks = messages->marks.data;
    uint32_t count = messages->marks.count, at = messages->mark;
    uint32_t step;

    if (count == 0 || marks[0].place > place)
        return NULL;
    if (marks[at].place > place)
        at = 0;
    /* Places are mostly asked for in their order: the one is near the other. */
    for (step = 1; at + step < count && marks[at + step].place <= place; step *= 2)
        at += step;
    for (; step > 0; step /= 2) {
        if (at + step < count && marks[at + step].place <= place)
            at += step;
    }
    messages->mark = at;
    return &marks[at];
}

bool vd_sp_find_line(struct vd_sp_messages *messages, uint32_t place, struct vd_sp_line *ret)
{
    const struct vd_sp_source *source = find_source(messages, place);
    struct vd_sp_cursor *cursor = &messages->cursor;
    const struct vd_sp_mark *mark;
    uint32_t offset;

    if (messages->binary || source == NULL || place > source->first + source->text.size)
        return false;
    offset = place - source->first;
    cursor->source = source;
    if (cursor->first != source->first || cursor->offset > offset) {
        cursor->first = source->first;
        cursor->offset = cursor->line = cursor->file_size = 0;
        cursor->mark_file = NULL;
    }
    mark = find_mark(messages, place);
    if (mark == NULL || !vd_sp_cursor_jump(cursor, mark) || mark->word != place)
        vd_sp_cursor_move(cursor, &messages->window, messages->arena, offset);
    ret->file = cursor->file_size == 0 ? source->text.name : cursor->file;
    ret->marked = cursor->file_size != 0;
    ret->line = cursor->line + 1;
    ret->column = offset - cursor->offset + 1;
    return true;
}

const char *vd_sp_place_source(struct vd_sp_messages *messages, uint32_t place, uint32_t *ret_size)
{
    const struct vd_sp_source *source = find_source(messages, place);

    if (messages->binary || source == NULL || place > source->first + source->text.size)
        return NULL;
    return vd_sp_window_at(&messages->window, messages->arena, &source->text, place - source->first,
                           ret_size);
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
    struct vd_sp_line line;

    if (messages->binary)
        return vd_sp_text(messages->arena, "offset %u", place - 1);
    if (!vd_sp_find_line(messages, place, &line))
        return "the compiler's own text";
    return vd_sp_text(messages->arena, "%s:%u:%u", line.file, line.line, line.column);
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

/* The bytes of the first line of a text. */
static uint32_t line_size(const char *text, uint32_t size)
{
    const char *eol = memchr(text, '\n', size);

    return eol == NULL ? size : (uint32_t)(eol - text);
}

static void show(struct vd_sp_messages *messages, const struct subject *subject, const char *format,
                 va_list args)
{
    struct vd_sp_source *source = find_source(messages, subject->place);
    struct vd_sepolicy_message message = {.level = subject->level, .hint = subject->hint};
    char buf[TEXT_SIZE];
    struct vd_sp_line line;

    if (messages->mute || (messages->binary && subject->level == VD_SEPOLICY_WARNING))
        return;
    if (!admit(messages, source, subject->level)) {
        stop_if_hopeless(messages);
        return;
    }
    (void)vsnprintf(buf, sizeof(buf), format, args);
    message.text = buf;
    if (messages->binary && source != NULL) {
        message.file = source->text.name;
        message.has_offset = true;
        message.offset = subject->place - source->first;
    } else if (vd_sp_find_line(messages, subject->place, &line)) {
        message.file = line.file;
        message.line = line.line;
        message.column = line.column;
        message.source =
            vd_sp_place_source(messages, subject->place - (line.column - 1), &message.source_size);
        message.source_size = line_size(message.source, message.source_size);
    }
    messages->options->message(messages->options->message_arg, &message);
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
        vd_text_str(&text, message->has_offset ? ": offset " : ":");
        vd_text_u64(&text, message->has_offset ? message->offset : message->line);
        if (!message->has_offset) {
            vd_text_str(&text, ":");
            vd_text_u64(&text, message->column);
        }
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
