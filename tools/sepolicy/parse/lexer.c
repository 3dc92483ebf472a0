/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/sepolicy/parse/lexer.h"

#include <string.h>

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

/* Brings the text from a place of the current source on into sight. */
static void look_at(struct vd_sp_lexer *lexer, uint32_t place)
{
    const struct vd_sp_source *source = &lexer->messages->sources.data[lexer->source];
    uint32_t size;

    lexer->start = vd_sp_window_at(lexer->window, lexer->messages->arena, &source->text,
                                   place - source->first, &size);
    lexer->at = lexer->start;
    lexer->end = lexer->start + size;
    lexer->first = place;
}

static uint32_t place_of(const struct vd_sp_lexer *lexer, const char *p)
{
    return lexer->first + (uint32_t)(p - lexer->start);
}

/* Bytes of the current source from the piece's end on. */
static uint32_t out_of_sight(const struct vd_sp_lexer *lexer)
{
    const struct vd_sp_source *source = &lexer->messages->sources.data[lexer->source];

    return source->first + (uint32_t)source->text.size - place_of(lexer, lexer->end);
}

static void enter_source(struct vd_sp_lexer *lexer, uint32_t index)
{
    lexer->source = index;
    look_at(lexer, lexer->messages->sources.data[index].first);
}

void vd_sp_lexer_init(struct vd_sp_lexer *lexer, struct vd_sp_messages *messages,
                      struct vd_sp_names *names, uint32_t first, uint32_t last)
{
    *lexer = (struct vd_sp_lexer){
        .messages = messages, .names = names, .last = last, .window = &messages->ahead};
    enter_source(lexer, first);
}

void vd_sp_lexer_init_at(struct vd_sp_lexer *lexer, struct vd_sp_messages *messages,
                         struct vd_sp_names *names, uint32_t place)
{
    uint32_t last = messages->sources.count - 1;

    *lexer = (struct vd_sp_lexer){.messages = messages,
                                  .names = names,
                                  .source = last,
                                  .last = last,
                                  .window = &messages->again};
    while (lexer->source > 0 && messages->sources.data[lexer->source].first > place)
        lexer->source--;
    look_at(lexer, place);
}

void vd_sp_lexer_seek(struct vd_sp_lexer *lexer, uint32_t place)
{
    look_at(lexer, place);
}

/* True once `at`, at the piece's end, has the next piece before it; false at the text's end. */
static bool next_piece(struct vd_sp_lexer *lexer)
{
    if (out_of_sight(lexer) == 0)
        return false;
    look_at(lexer, place_of(lexer, lexer->at));
    return true;
}

static void skip_comment(struct vd_sp_lexer *lexer)
{
    if (lexer->end - lexer->at > 6 && memcmp(lexer->at, "#line ", 6) == 0)
        lexer->messages->sources.data[lexer->source].marked = true;
    do {
        const char *eol = memchr(lexer->at, '\n', (size_t)(lexer->end - lexer->at));

        lexer->at = eol == NULL ? lexer->end : eol;
    } while (lexer->at == lexer->end && next_piece(lexer));
}

static void skip_in_source(struct vd_sp_lexer *lexer)
{
    for (;;) {
        const char *p = lexer->at, *end = lexer->end;

        while (p < end && is_blank(*p))
            p++;
        lexer->at = p;
        if (p < end && *p == '#')
            skip_comment(lexer);
        else if (p < end || !next_piece(lexer))
            return;
    }
}

/* Skips to the next token, into the next source if there is none in this one. */
static void skip_blanks(struct vd_sp_lexer *lexer)
{
    skip_in_source(lexer);
    while (lexer->at == lexer->end && lexer->source < lexer->last) {
        enter_source(lexer, lexer->source + 1);
        skip_in_source(lexer);
    }
    if (lexer->end - lexer->at < (ptrdiff_t)VD_SP_LOOKAHEAD && out_of_sight(lexer) > 0)
        look_at(lexer, place_of(lexer, lexer->at));
}

static void lex_name(struct vd_sp_lexer *lexer, struct vd_sp_token *ret)
{
    const char *p = lexer->at;

    while (p < lexer->end && (is_letter(*p) || is_digit(*p) || *p == '-' || *p == '.'))
        p++;
    /* "s0- s1" and "a." end before the sign. */
    while (p[-1] == '-' || p[-1] == '.')
        p--;
    if (p - lexer->at > (ptrdiff_t)VD_SP_MAX_IDENTIFIER) {
        vd_sp_error(lexer->messages, ret->place, "this name has %zu bytes; the limit is %u",
                    (size_t)(p - lexer->at), VD_SP_MAX_IDENTIFIER);
        ret->kind = VD_SP_TOKEN_BAD;
    } else {
        ret->kind = VD_SP_TOKEN_NAME;
        ret->name = vd_sp_name(lexer->names, lexer->at, (size_t)(p - lexer->at));
    }
    lexer->at = p;
}

static uint32_t digit_value(char c)
{
    if (is_digit(c))
        return (uint32_t)(c - '0');
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a') + 10 : 16;
}

/* Decimal, or hexadecimal behind "0x". */
static void lex_number(struct vd_sp_lexer *lexer, struct vd_sp_token *ret)
{
    const char *p = lexer->at;
    uint64_t value = 0;
    uint32_t base = 10;

    if (lexer->end - p > 2 && p[0] == '0' && (p[1] | 0x20) == 'x' && digit_value(p[2]) < 16) {
        base = 16;
        p += 2;
    }
    for (; p < lexer->end && digit_value(*p) < base; p++) {
        if (value <= UINT32_MAX)
            value = value * base + digit_value(*p);
    }
    ret->kind = VD_SP_TOKEN_NUMBER;
    ret->number = value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
    lexer->at = p;
}

static void lex_string(struct vd_sp_lexer *lexer, struct vd_sp_token *ret)
{
    const char *p = lexer->at + 1;

    while (p < lexer->end && *p != '"' && *p != '\n')
        p++;
    if (p == lexer->end || *p != '"') {
        vd_sp_error(lexer->messages, ret->place, "this string has no closing '\"' on its line");
        ret->kind = VD_SP_TOKEN_BAD;
        lexer->at = p;
        return;
    }
    ret->kind = VD_SP_TOKEN_STRING;
    ret->name = vd_sp_name(lexer->names, lexer->at + 1, (size_t)(p - lexer->at - 1));
    lexer->at = p + 1;
}

static void lex_sign(struct vd_sp_lexer *lexer, struct vd_sp_token *ret)
{
    static const struct {
        char text[3];
        uint32_t kind;
    } pairs[] = {{"==", VD_SP_TOKEN_EQ},
                 {"!=", VD_SP_TOKEN_NE},
                 {"&&", VD_SP_TOKEN_AND},
                 {"||", VD_SP_TOKEN_OR}};
    char c = *lexer->at;

    for (size_t i = 0; lexer->end - lexer->at >= 2 && i < VD_COUNT(pairs); i++) {
        if (memcmp(lexer->at, pairs[i].text, 2) == 0) {
            ret->kind = pairs[i].kind;
            lexer->at += 2;
            return;
        }
    }
    lexer->at++;
    if (c != '\0' && strchr("{}();:,-~*!^[]=./", c) != NULL) {
        ret->kind = (uint32_t)c;
        return;
    }
    vd_sp_error(lexer->messages, ret->place, "the byte 0x%02x has no meaning here",
                (unsigned)(unsigned char)c);
    ret->kind = VD_SP_TOKEN_BAD;
}

void vd_sp_lex(struct vd_sp_lexer *lexer, struct vd_sp_token *ret)
{
    skip_blanks(lexer);
    *ret = (struct vd_sp_token){.place = place_of(lexer, lexer->at)};
    if (lexer->at == lexer->end)
        ret->kind = VD_SP_TOKEN_END;
    else if (is_letter(*lexer->at))
        lex_name(lexer, ret);
    else if (is_digit(*lexer->at))
        lex_number(lexer, ret);
    else if (*lexer->at == '"')
        lex_string(lexer, ret);
    else
        lex_sign(lexer, ret);
}

void vd_sp_lex_word(struct vd_sp_lexer *lexer, struct vd_sp_token *ret)
{
    const char *p;

    skip_blanks(lexer);
    *ret = (struct vd_sp_token){.kind = VD_SP_TOKEN_NAME, .place = place_of(lexer, lexer->at)};
    for (p = lexer->at; p < lexer->end && !is_blank(*p);)
        p++;
    if (p == lexer->at)
        ret->kind = VD_SP_TOKEN_END;
    ret->name = vd_sp_name(lexer->names, lexer->at, (size_t)(p - lexer->at));
    lexer->at = p;
}

const char *vd_sp_token_text(const struct vd_sp_lexer *lexer, const struct vd_sp_token *token)
{
    struct vd_sp_arena *arena = lexer->names->arena;

    switch (token->kind) {
    case VD_SP_TOKEN_END:
        return "the end of the text";
    case VD_SP_TOKEN_NAME:
        return vd_sp_text(arena, "'%s'", vd_sp_name_text(lexer->names, token->name));
    case VD_SP_TOKEN_STRING:
        return vd_sp_text(arena, "\"%s\"", vd_sp_name_text(lexer->names, token->name));
    case VD_SP_TOKEN_NUMBER:
        return vd_sp_text(arena, "the number %u", token->number);
    case VD_SP_TOKEN_EQ:
        return "'=='";
    case VD_SP_TOKEN_NE:
        return "'!='";
    case VD_SP_TOKEN_AND:
        return "'&&'";
    case VD_SP_TOKEN_OR:
        return "'||'";
    case VD_SP_TOKEN_BAD:
        return "this";
    default:
        return vd_sp_text(arena, "'%c'", (char)token->kind);
    }
}
