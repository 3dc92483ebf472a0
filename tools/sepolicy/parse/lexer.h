/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The lexer: cuts the sources into tokens, one at a time. Comments (`#` to the
 * end of the line, `#line` marks among them) and white space separate tokens.
 * A token never spans two sources.
 */
#ifndef VD_TOOLS_SEPOLICY_PARSE_LEXER_H
#define VD_TOOLS_SEPOLICY_PARSE_LEXER_H

#include "tools/sepolicy/message.h"
#include "tools/sepolicy/names.h"

#define VD_SP_MAX_IDENTIFIER 255u /* bytes, as in the blob (VD_PDB_MAX_NAME) */

/* A character of punctuation is its own kind; these lie above. */
enum vd_sp_token_kind {
    VD_SP_TOKEN_END = 256,
    VD_SP_TOKEN_NAME,
    VD_SP_TOKEN_NUMBER,
    VD_SP_TOKEN_STRING, /* name: its content */
    VD_SP_TOKEN_EQ,
    VD_SP_TOKEN_NE,
    VD_SP_TOKEN_AND,
    VD_SP_TOKEN_OR,
    VD_SP_TOKEN_BAD, /* reported already */
};

struct vd_sp_token {
    uint32_t kind;
    uint32_t place;
    uint32_t name;   /* of names, strings and numbers */
    uint32_t number; /* value of numbers, UINT32_MAX if larger */
};

struct vd_sp_lexer {
    struct vd_sp_messages *messages; /* borrowed */
    struct vd_sp_names *names;       /* borrowed */
    uint32_t source, last;           /* indexes: being read, the last to read */
    struct vd_sp_window *window;     /* of the messages: the piece that is in sight */
    const char *start, *at, *end;    /* in that piece */
    uint32_t first;                  /* place of `start` */
};

/* Starts at the beginning of source `first`; ends where source `last` ends. */
void vd_sp_lexer_init(struct vd_sp_lexer *lexer, struct vd_sp_messages *messages,
                      struct vd_sp_names *names, uint32_t first, uint32_t last);

/* Starts at a place, for a statement that was read before; ends where the last source ends. */
void vd_sp_lexer_init_at(struct vd_sp_lexer *lexer, struct vd_sp_messages *messages,
                         struct vd_sp_names *names, uint32_t place);

/* Goes on from a place of the source that is being read. */
void vd_sp_lexer_seek(struct vd_sp_lexer *lexer, uint32_t place);

/* The next token. */
void vd_sp_lex(struct vd_sp_lexer *lexer, struct vd_sp_token *ret);

/* What stands up to the next white space, as a name: for addresses and paths. */
void vd_sp_lex_word(struct vd_sp_lexer *lexer, struct vd_sp_token *ret);

/* A token as messages show it, in the arena: 'name', ';', the end of the text. */
const char *vd_sp_token_text(const struct vd_sp_lexer *lexer, const struct vd_sp_token *token);

#endif
