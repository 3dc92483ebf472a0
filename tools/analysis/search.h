/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Finding rules: what `sesearch` of setools finds, but as written and with places.
 *
 * A rule matches if some term of its source and some term of its target match.
 * Terms are the words of a plain set (`{ a b }`: a, and b), each of which may be an
 * attribute; a set with `*`, `~` or `-name` is one term, which stands for its
 * types. Indirectly (the standard) a term matches if one of its types is among
 * the types asked for; directly if it is itself what was asked for.
 *
 * Memory: bitmaps over types; a search costs the rules times their words.
 */
#ifndef VD_TOOLS_ANALYSIS_SEARCH_H
#define VD_TOOLS_ANALYSIS_SEARCH_H

#include "tools/analysis/rules.h"

/* One name, or with `regex` a POSIX extended regular expression; NULL: anything. */
struct vd_search_name {
    const char *text;
    bool direct, regex;
};

/* Names in a list, by commas; NULL: anything. */
struct vd_search_list {
    const char *text;
    bool exact;  /* all of them and no other */
    bool subset; /* permissions: all of them */
    bool regex;  /* one regular expression */
};

struct vd_search {
    uint32_t kinds; /* bit (1 << enum vd_rule_kind); 0: all */
    struct vd_search_name source, target, result;
    struct vd_search_list classes, perms, bools, calls;
};

/* What was found; `view` is valid during the call. */
typedef void (*vd_search_fn)(void *arg, const struct vd_rule_view *view);

/*
 * Calls `found` for each rule that matches, in the order of the sources.
 * VD_E_NOT_FOUND, VD_E_SYNTAX, VD_E_INVALID: a name that the policy does not
 * have, a wrong expression or number; said in `diag`.
 */
vd_status vd_search_run(const struct vd_rules *rules, const struct vd_search *search,
                        vd_search_fn found, void *arg, struct vd_diag *diag);

#endif
