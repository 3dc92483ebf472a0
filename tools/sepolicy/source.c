/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/sepolicy/source.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define STEP            16u /* bytes looked at together */
#define MAX_MARK_NUMBER 100000000u

const char *vd_sp_window_at(struct vd_sp_window *window, struct vd_sp_arena *arena,
                            const struct vd_sepolicy_source *text, uint32_t offset,
                            uint32_t *ret_size)
{
    uint32_t left = (uint32_t)text->size - offset;
    uint32_t wanted = left < VD_SP_LOOKAHEAD ? left : VD_SP_LOOKAHEAD;
    bool held = window->owner == text->read_arg && offset >= window->offset &&
                (uint64_t)offset + wanted <= (uint64_t)window->offset + window->size;

    if (text->read == NULL) {
        *ret_size = left;
        return text->text + offset;
    }
    if (!held) {
        if (window->buf == NULL)
            window->buf = vd_sp_alloc(arena, VD_SP_WINDOW);
        window->owner = NULL;
        window->offset = offset;
        window->size = left < VD_SP_WINDOW ? left : VD_SP_WINDOW;
        if (!text->read(text->read_arg, offset, window->buf, window->size))
            vd_sp_escape(arena, VD_E_IO);
        window->owner = text->read_arg;
    }
    *ret_size = window->offset + window->size - offset;
    return window->buf + (offset - window->offset);
}

/* Follows `#line NUMBER ["FILE"]` or `# NUMBER "FILE"` at p: the next line has that number. */
static void follow_mark(struct vd_sp_cursor *cursor, const char *p, const char *end)
{
    bool word = end - p >= 7 && memcmp(p, "#line ", 6) == 0;
    uint32_t number = 0;
    const char *digits, *close;
    size_t size;

    if (!word && (end - p < 3 || memcmp(p, "# ", 2) != 0))
        return;
    p += word ? 6 : 2;
    for (digits = p; p < end && *p >= '0' && *p <= '9' && number < MAX_MARK_NUMBER; p++)
        number = number * 10 + (uint32_t)(*p - '0');
    if (p == digits)
        return;
    while (p < end && *p == ' ')
        p++;
    if (!word && (p == end || *p != '"'))
        return;                /* an ordinary comment */
    cursor->line = number - 2; /* of the mark itself, less one; the move adds it again */
    if (p == end || *p != '"')
        return;
    p++;
    close = memchr(p, '"', (size_t)(end - p));
    size = close == NULL ? 0 : (size_t)(close - p);
    if (size == 0)
        return;
    cursor->mark_file = NULL;
    cursor->file_size = size < VD_SP_MAX_FILE ? (uint32_t)size : VD_SP_MAX_FILE - 1;
    memcpy(cursor->file, p, cursor->file_size);
    cursor->file[cursor->file_size] = '\0';
}

/* The offset behind the line that begins at `offset`; the text's size + 1 if it is the last. */
static uint32_t line_end(struct vd_sp_window *window, struct vd_sp_arena *arena,
                         const struct vd_sepolicy_source *text, uint32_t offset)
{
    while (offset < text->size) {
        uint32_t size;
        const char *p = vd_sp_window_at(window, arena, text, offset, &size);
        const char *eol = memchr(p, '\n', size);

        if (eol != NULL)
            return offset + (uint32_t)(eol - p) + 1;
        offset += size;
    }
    return (uint32_t)text->size + 1;
}

bool vd_sp_cursor_jump(struct vd_sp_cursor *cursor, const struct vd_sp_mark *mark)
{
    size_t size;

    if (mark->place < cursor->first || mark->place - cursor->first <= cursor->offset)
        return false;
    cursor->offset = mark->place - cursor->first;
    cursor->line = mark->line;
    if (mark->file == NULL) {
        cursor->file_size = 0;
    } else if (mark->file != cursor->mark_file) {
        size = strlen(mark->file);
        cursor->file_size = size < VD_SP_MAX_FILE ? (uint32_t)size : VD_SP_MAX_FILE - 1;
        memcpy(cursor->file, mark->file, cursor->file_size);
        cursor->file[cursor->file_size] = '\0';
    }
    cursor->mark_file = mark->file;
    return true;
}

/* One bit for each of the STEP bytes at p that is `wanted`. */
static uint32_t find_bytes(const char *p, char wanted)
{
#ifdef __SSE2__
    __m128i bytes = _mm_loadu_si128((const __m128i_u *)(const void *)p);

    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(wanted)));
#else
    uint32_t ret = 0;

    for (uint32_t i = 0; i < STEP; i++)
        ret |= (uint32_t)(p[i] == wanted) << i;
    return ret;
#endif
}

/*
 * Passes over the lines that end in the `size` bytes at p, the line's start, as long as no
 * line after the first begins with '#': those may be marks. Lines are short and many.
 */
static void pass_lines(struct vd_sp_cursor *cursor, const char *p, uint32_t size)
{
    uint32_t done = 0, lines = 0, at_start = 0; /* bit 0: the byte before ended a line */

    for (uint32_t at = 0; at + STEP <= size; at += STEP) {
        uint32_t ends = find_bytes(p + at, '\n');
        uint32_t marks = find_bytes(p + at, '#') & (ends << 1 | at_start);

        if (marks != 0)
            ends &= (marks & -marks) - 1;
        if (ends != 0) {
            lines += (uint32_t)__builtin_popcount(ends);
            done = at + 32 - (uint32_t)__builtin_clz(ends);
        }
        if (marks != 0)
            break;
        at_start = ends >> (STEP - 1) & 1;
    }
    cursor->line += lines;
    cursor->offset += done;
}

void vd_sp_cursor_move(struct vd_sp_cursor *cursor, struct vd_sp_window *window,
                       struct vd_sp_arena *arena, uint32_t offset)
{
    const struct vd_sepolicy_source *text = &cursor->source->text;

    for (;;) {
        uint32_t next, size;
        const char *p = vd_sp_window_at(window, arena, text, cursor->offset, &size);
        const char *eol;

        if (size > 0 && *p != '#' && offset - cursor->offset >= 2 * STEP) {
            uint32_t before = cursor->offset;
            uint32_t left = offset - before;

            pass_lines(cursor, p, left < size ? left : size);
            if (cursor->offset != before)
                continue;
        }
        eol = memchr(p, '\n', size);
        next = eol != NULL ? cursor->offset + (uint32_t)(eol - p) + 1
                           : line_end(window, arena, text, cursor->offset);
        if (offset < next || next > text->size)
            return;
        if (eol != NULL && *p == '#')
            follow_mark(cursor, p, eol);
        cursor->line++;
        cursor->offset = next;
    }
}
