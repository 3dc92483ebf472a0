/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Places in the sources and messages about them.
 *
 * A place is one 32-bit number: 1 + the byte's offset in all sources laid end
 * to end (0: no place). Line, column and `#line` marks are worked out only when
 * a message is shown, so that reading a large policy pays nothing for them.
 */
#ifndef VD_TOOLS_SEPOLICY_MESSAGE_H
#define VD_TOOLS_SEPOLICY_MESSAGE_H

#include "tools/sepolicy/source.h"

struct vd_sp_messages {
    struct vd_sp_arena *arena;                 /* borrowed */
    const struct vd_sepolicy_options *options; /* borrowed */
    VD_SP_VEC(struct vd_sp_source) sources;
    uint32_t end; /* place after the last source */
    uint32_t errors, warnings;
    bool mute;                  /* nothing is reported or counted */
    struct vd_sp_window window; /* for the lines that messages show, */
    struct vd_sp_window ahead;  /* for the lexer, */
    struct vd_sp_window again;  /* and for statements read a second time */
    bool binary; /* the source is SELinux's binary policy: a place is an offset; no warnings */
    struct vd_sp_cursor cursor;         /* at the line found last */
    VD_SP_VEC(struct vd_sp_mark) marks; /* lines known beforehand, in the order of the sources */
    uint32_t mark, source;              /* the ones looked at last */
};

/* True if a place is in a text that was written as it stands: not built in, without marks. */
bool vd_sp_is_written(struct vd_sp_messages *messages, uint32_t place);

/* Adds a source; false if all together exceed VD_SEPOLICY_MAX_SOURCE. */
bool vd_sp_source_add(struct vd_sp_messages *messages, const struct vd_sepolicy_source *source,
                      bool builtin);

/* Reports an error at a place, printf style. */
void vd_sp_error(struct vd_sp_messages *messages, uint32_t place, const char *format, ...)
    VD_PRINTF(3, 4);

/* The same with advice; `hint` may be NULL. */
void vd_sp_error_hint(struct vd_sp_messages *messages, uint32_t place, const char *hint,
                      const char *format, ...) VD_PRINTF(4, 5);

void vd_sp_warning(struct vd_sp_messages *messages, uint32_t place, const char *hint,
                   const char *format, ...) VD_PRINTF(4, 5);

/* Says how many messages about each source were not shown. Once, at the end. */
void vd_sp_messages_end(struct vd_sp_messages *messages);

/* "FILE:LINE:COL" of a place, in the arena. */
const char *vd_sp_place_text(struct vd_sp_messages *messages, uint32_t place);

/* A line of the sources, #line marks followed. */
struct vd_sp_line {
    const char *file; /* terminated; borrowed until the next call */
    uint32_t line;    /* 1-based */
    uint32_t column;  /* of the place, 1-based, in bytes */
    bool marked;      /* a #line mark names the file, not the source itself */
};

/*
 * The line of a place. False: there is no such place. Calls in the order of the places
 * cost one pass over the sources together.
 */
bool vd_sp_find_line(struct vd_sp_messages *messages, uint32_t place, struct vd_sp_line *ret);

/* The source text from a place on, at least VD_SP_LOOKAHEAD bytes of it; NULL: no such place. */
const char *vd_sp_place_source(struct vd_sp_messages *messages, uint32_t place, uint32_t *ret_size);

/* A printf-style text in the arena. */
const char *vd_sp_text(struct vd_sp_arena *arena, const char *format, ...) VD_PRINTF(2, 3);

#endif
