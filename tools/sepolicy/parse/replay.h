/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Rules and require statements that a former compilation read from the same text (tools/sepolicy/cache.h): most of
 * a policy. Where the parser stands at the first word of such a rule, the rule enters the
 * model as the parser would have made it, names in the same order, and the text behind it
 * is next. Every other statement is read from the text as ever.
 */
#ifndef VD_TOOLS_SEPOLICY_PARSE_REPLAY_H
#define VD_TOOLS_SEPOLICY_PARSE_REPLAY_H

#include "tools/sepolicy/parse/parser.h"

/* By rows of the cache: what they are now. */
struct vd_sp_replay {
    const struct vd_sp_cache *cache;
    uint32_t *set_of; /* row of the shared sets + 1; 0: not met yet */
    uint32_t source;  /* the source that `at` and `end` are about, + 1 */
    uint32_t at, end; /* rules that may come next */
};

/* Recognises the sources that the cache knows. Once all of them are added; before parsing. */
void vd_sp_replay_init(struct vd_sp *sp);

/*
 * True if rules from the cache took the place of the text at the parser's token; the token
 * behind them is next.
 */
bool vd_sp_replay_rules(struct vd_sp_parser *parser);

/* Notes where the rule that was added last ends: at the parser's token. */
void vd_sp_replay_note(struct vd_sp_parser *parser);

/* The same of a require statement, whose rows begin with `first`. */
void vd_sp_replay_note_require(struct vd_sp_parser *parser, uint32_t first);

/*
 * What the next compilation may take, with the rows' keys: all parts of `cache`, in the bytes
 * that are returned (vd_sp_cache_begin). NULL: no memory.
 */
uint8_t *vd_sp_replay_keep(struct vd_sp *sp, struct vd_sp_cache *cache,
                           const struct vd_sp_cache_entry *entries, uint32_t count,
                           size_t *ret_size);

#endif
