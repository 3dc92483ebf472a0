/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The source texts: bytes, and lines with their numbers.
 *
 * A text is in memory, or is read in pieces when it is wanted: the compiler goes
 * through a large file once, and comes back to it only for what messages show.
 */
#ifndef VD_TOOLS_SEPOLICY_SOURCE_H
#define VD_TOOLS_SEPOLICY_SOURCE_H

#include "tools/sepolicy/memory.h"
#include "tools/sepolicy/sepolicy.h"

#define VD_SP_WINDOW    (128u << 10) /* bytes of a piece */
#define VD_SP_MAX_FILE  1024u        /* bytes of a file's name in a #line mark; the rest is cut */
#define VD_SP_LOOKAHEAD 4096u        /* bytes in sight of the lexer where the text has them */

struct vd_sp_source {
    struct vd_sepolicy_source text;
    uint32_t first; /* place of its first byte */
    uint32_t errors, warnings;
    uint64_t key[2]; /* of its bytes (vd_sp_cache_key), where they are in memory */
    uint32_t known;  /* row of the cache's sources + 1; 0: none says the same */
    bool builtin;    /* part of the compiler, not given by the caller */
    bool marked;     /* has #line marks: made by macros, which repeat themselves by nature */
};

/* A piece of a source in memory; empty at the start. */
struct vd_sp_window {
    char *buf;         /* VD_SP_WINDOW bytes of the arena; NULL: not needed yet */
    const void *owner; /* the read_arg of the text in `buf`; NULL: it holds nothing */
    uint32_t offset, size;
};

/*
 * The text from `offset` (at most its size) on: at least VD_SP_LOOKAHEAD bytes where there
 * are so many. Borrowed until the window's next use. A text that cannot be read ends the
 * compilation with VD_E_IO.
 */
const char *vd_sp_window_at(struct vd_sp_window *window, struct vd_sp_arena *arena,
                            const struct vd_sepolicy_source *text, uint32_t offset,
                            uint32_t *ret_size);

/* A line whose number is known beforehand, and a place on it. */
struct vd_sp_mark {
    uint32_t place; /* of its first byte */
    uint32_t word;
    uint32_t line;    /* as in the cursor */
    const char *file; /* named by the last #line mark before it; borrowed; NULL: none */
};

/* Where a walk through one source stands; zero it and set `source` to begin. */
struct vd_sp_cursor {
    const struct vd_sp_source *source;
    uint32_t first;  /* place of the source's first byte */
    uint32_t offset; /* of the line's first byte */
    uint32_t line;   /* its number - 1, #line marks followed */
    uint32_t file_size;
    const char *mark_file;     /* of the mark jumped to, if no #line mark was met since */
    char file[VD_SP_MAX_FILE]; /* named by the last mark; file_size 0: the source's own name */
};

/* Moves to a line that is known. False: it is not ahead in the cursor's source, nothing is done. */
bool vd_sp_cursor_jump(struct vd_sp_cursor *cursor, const struct vd_sp_mark *mark);

/*
 * Moves to the line of the byte at `offset`, which must not lie before the line the cursor
 * stands on. Cost of all calls together: one pass over the source.
 */
void vd_sp_cursor_move(struct vd_sp_cursor *cursor, struct vd_sp_window *window,
                       struct vd_sp_arena *arena, uint32_t offset);

#endif
