/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The parser: recursive descent over the lexer's tokens, one statement at a
 * time, into the model. After an error it goes on behind the next ';' or '}',
 * so that one run reports the errors of the whole text.
 *
 * A parsing function returns false where the statement is broken; the error
 * has been reported then.
 */
#ifndef VD_TOOLS_SEPOLICY_PARSE_PARSER_H
#define VD_TOOLS_SEPOLICY_PARSE_PARSER_H

#include "tools/sepolicy/keywords.h"
#include "tools/sepolicy/parse/lexer.h"
#include "tools/sepolicy/model.h"

struct vd_sp_parser {
    struct vd_sp *sp;
    struct vd_sp_replay *replay; /* of a former compilation; NULL: none */
    struct vd_sp_lexer lexer;
    struct vd_sp_token token;             /* the next one, not taken yet */
    uint32_t last_end;                    /* place behind the token taken last */
    uint32_t start;                       /* place of the statement's first word */
    uint32_t keyword;                     /* the statement's first word */
    uint32_t block;                       /* the statement belongs to */
    uint32_t cond;                        /* row of conds + 1 inside an `if`, else 0 */
    bool otherwise;                       /* in the else branch */
    uint32_t depth;                       /* of blocks */
    uint32_t braces;                      /* open ones of sets in this statement, for recovery */
    VD_SP_VEC(struct vd_sp_item) scratch; /* sets while they are read */
};

/* Interns the keywords; once, before any parsing. */
void vd_sp_keywords_init(struct vd_sp *sp);

/* Reads the sources `first` to `last`. */
void vd_sp_parse(struct vd_sp *sp, uint32_t first, uint32_t last);

/* A rule's sets with their places. */
struct vd_sp_rule_text {
    struct vd_sp_set source, target, classes, perms;
};

/* Reads a rule that was read without an error once more, for its places. */
void vd_sp_reread_rule(struct vd_sp *sp, const struct vd_sp_rule *rule,
                       struct vd_sp_rule_text *ret);

/* Between the parser's parts. */

typedef bool (*vd_sp_statement_fn)(struct vd_sp_parser *parser);

void vd_sp_next(struct vd_sp_parser *parser);
/* Takes the next token if it is of that kind (is that word). */
bool vd_sp_accept(struct vd_sp_parser *parser, uint32_t kind);
/* True if the next token is that word, which may stand in capitals. */
bool vd_sp_is_word(const struct vd_sp_parser *parser, uint32_t keyword);
bool vd_sp_accept_word(struct vd_sp_parser *parser, uint32_t keyword);
/* The same, but anything else is an error; `what` says what it belongs to. */
bool vd_sp_expect(struct vd_sp_parser *parser, uint32_t kind, const char *what);
bool vd_sp_expect_word(struct vd_sp_parser *parser, uint32_t keyword, const char *what);
bool vd_sp_end_statement(struct vd_sp_parser *parser);
/* "expected WHAT, found TOKEN" at the next token; false, to be returned. */
bool vd_sp_unexpected(struct vd_sp_parser *parser, const char *what);
/* A name that may be a symbol's; `what` as "a type". */
bool vd_sp_expect_name(struct vd_sp_parser *parser, const char *what, struct vd_sp_item *ret);
/* A set of names: NAME, { … }, ~…, *. */
bool vd_sp_parse_set(struct vd_sp_parser *parser, const char *what, struct vd_sp_set *ret);
/* The same, but its items stay behind those of the parser's scratch; `items` is NULL. */
bool vd_sp_parse_scratch(struct vd_sp_parser *parser, const char *what, struct vd_sp_set *ret);
bool vd_sp_parse_level(struct vd_sp_parser *parser, struct vd_sp_level *ret);
bool vd_sp_parse_range(struct vd_sp_parser *parser, struct vd_sp_range *ret);
bool vd_sp_parse_context(struct vd_sp_parser *parser, struct vd_sp_context *ret);
/* A symbol's declaration; NULL (reported) if the name is taken. */
struct vd_sp_symbol *vd_sp_declare(struct vd_sp_parser *parser, enum vd_sp_space space,
                                   enum vd_sp_symbol_kind kind, const struct vd_sp_item *name);

bool vd_sp_parse_statement(struct vd_sp_parser *parser);

/* Statements, by file. */
/* symbols.c */
bool vd_sp_st_class(struct vd_sp_parser *parser);
bool vd_sp_st_common(struct vd_sp_parser *parser);
bool vd_sp_st_sid(struct vd_sp_parser *parser);
bool vd_sp_st_attribute(struct vd_sp_parser *parser);
bool vd_sp_st_type(struct vd_sp_parser *parser);
bool vd_sp_st_typealias(struct vd_sp_parser *parser);
bool vd_sp_st_typeattribute(struct vd_sp_parser *parser);
bool vd_sp_st_typebounds(struct vd_sp_parser *parser);
bool vd_sp_st_permissive(struct vd_sp_parser *parser);
bool vd_sp_st_bool(struct vd_sp_parser *parser);
/* roles.c */
bool vd_sp_st_role(struct vd_sp_parser *parser);
bool vd_sp_st_attribute_role(struct vd_sp_parser *parser);
bool vd_sp_st_roleattribute(struct vd_sp_parser *parser);
bool vd_sp_st_role_transition(struct vd_sp_parser *parser);
bool vd_sp_st_user(struct vd_sp_parser *parser);
bool vd_sp_role_dominance(struct vd_sp_parser *parser);
/* rules.c */
bool vd_sp_st_rule(struct vd_sp_parser *parser);
bool vd_sp_st_transition(struct vd_sp_parser *parser);
bool vd_sp_st_range_transition(struct vd_sp_parser *parser);
bool vd_sp_st_default(struct vd_sp_parser *parser);
/* xperms.c */
bool vd_sp_st_xperm_rule(struct vd_sp_parser *parser);
/* levels.c */
bool vd_sp_st_sensitivity(struct vd_sp_parser *parser);
bool vd_sp_st_dominance(struct vd_sp_parser *parser);
bool vd_sp_st_category(struct vd_sp_parser *parser);
bool vd_sp_st_level(struct vd_sp_parser *parser);
/* constraints.c */
bool vd_sp_st_constraint(struct vd_sp_parser *parser);
/* blocks.c */
bool vd_sp_st_if(struct vd_sp_parser *parser);
bool vd_sp_st_optional(struct vd_sp_parser *parser);
bool vd_sp_st_require(struct vd_sp_parser *parser);
/* labels.c */
bool vd_sp_st_fs_use(struct vd_sp_parser *parser);
bool vd_sp_st_genfscon(struct vd_sp_parser *parser);
bool vd_sp_st_fscon(struct vd_sp_parser *parser);
bool vd_sp_st_portcon(struct vd_sp_parser *parser);
bool vd_sp_st_netifcon(struct vd_sp_parser *parser);
bool vd_sp_st_nodecon(struct vd_sp_parser *parser);
bool vd_sp_st_ibpkeycon(struct vd_sp_parser *parser);
bool vd_sp_st_ibendportcon(struct vd_sp_parser *parser);
/* other.c */
bool vd_sp_st_policycap(struct vd_sp_parser *parser);
bool vd_sp_st_expandattribute(struct vd_sp_parser *parser);
bool vd_sp_st_module(struct vd_sp_parser *parser);
bool vd_sp_st_xen(struct vd_sp_parser *parser);

#endif
