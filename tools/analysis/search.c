/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/analysis/search.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "lib/diagf.h"
#include "tools/analysis/lookup.h"
#include "tools/analysis/search_state.h"

#define MAX_REGEX 1024u /* bytes of an expression */

static vd_status compile_regex(const char *text, regex_t *ret, struct vd_diag *diag)
{
    char why[128];
    int code;

    if (strlen(text) > MAX_REGEX)
        return vd_diagf(diag, VD_E_LIMIT, "a regular expression of more than %u bytes", MAX_REGEX);
    code = regcomp(ret, text, REG_EXTENDED | REG_NOSUB);
    if (code == 0)
        return VD_OK;
    (void)regerror(code, ret, why, sizeof(why));
    return vd_diagf(diag, VD_E_SYNTAX, "the regular expression \"%s\" is wrong: %s", text, why);
}

/* Sets the bits of the numbers below `count` whose names the expression matches. */
static void match_regex(const struct vd_search_state *s, const regex_t *regex,
                        enum vd_pdb_symbol_kind kind, uint32_t count, uint64_t *bits)
{
    for (uint32_t i = 1; i < count; i++) {
        const char *name = vd_lookup_name(&s->rules->db, kind, i);

        if (name != NULL && regexec(regex, name, 0, NULL, 0) == 0)
            vd_bitmap_set(bits, i);
    }
}

/* Sets the bits of the types of an attribute. */
static void add_attribute(const struct vd_search_state *s, uint32_t number, uint64_t *bits)
{
    const struct vd_pdb_type *type = vd_pdb_row(&s->rules->db, VD_PDB_TYPES, number, sizeof(*type));

    for (uint32_t i = 1; type != NULL && i < s->types; i++) {
        if (vd_pdb_bit(&s->rules->db, type->bitmap, i))
            vd_bitmap_set(bits, i);
    }
}

/* True if an attribute has a type of the set. */
static bool meets(const struct vd_search_state *s, uint32_t number, const uint64_t *bits)
{
    const struct vd_pdb_type *type = vd_pdb_row(&s->rules->db, VD_PDB_TYPES, number, sizeof(*type));

    for (uint32_t i = 0; type != NULL && i < VD_BITMAP_WORDS(s->types); i++) {
        const uint64_t *word = vd_pdb_row(&s->rules->db, VD_PDB_BITMAPS, type->bitmap + i, 8);

        if (word != NULL && (*word & bits[i]) != 0)
            return true;
    }
    return false;
}

/* The name as a type, an attribute or a role; at least one of them must be there. */
static vd_status resolve_name(const struct vd_search_state *s, const char *text,
                              struct vd_search_matcher *m)
{
    const struct vd_policydb *db = &s->rules->db;
    uint32_t number;
    bool role = vd_policydb_find(db, VD_SYM_ROLE, text, strlen(text), &number) == VD_OK;

    if (role)
        vd_bitmap_set(m->roles, number);
    if (role && vd_policydb_find(db, VD_SYM_TYPE, text, strlen(text), &number) != VD_OK)
        return VD_OK;
    VD_TRY(vd_lookup(db, VD_SYM_TYPE, text, &number, s->diag));
    vd_bitmap_set(m->terms, number);
    return VD_OK;
}

static vd_status make_matcher(struct vd_search_state *s, const struct vd_search_name *name,
                              struct vd_search_matcher *m)
{
    m->any = name->text == NULL;
    m->direct = name->direct;
    m->terms = calloc(VD_BITMAP_WORDS(s->all_types), 8);
    m->types = calloc(VD_BITMAP_WORDS(s->types), 8);
    m->roles = calloc(VD_BITMAP_WORDS(s->roles), 8);
    if (m->terms == NULL || m->types == NULL || m->roles == NULL)
        return vd_diag_fail(s->diag, VD_E_NO_MEMORY, "out of memory");
    if (m->any)
        return VD_OK;
    if (name->regex) {
        regex_t regex;

        VD_TRY(compile_regex(name->text, &regex, s->diag));
        match_regex(s, &regex, VD_SYM_TYPE, name->direct ? s->all_types : s->types, m->terms);
        match_regex(s, &regex, VD_SYM_ROLE, s->roles, m->roles);
        regfree(&regex);
    } else {
        VD_TRY(resolve_name(s, name->text, m));
    }
    for (uint32_t i = 1; i < s->all_types; i++) {
        if (!vd_bitmap_get(m->terms, i))
            continue;
        if (i < s->types)
            vd_bitmap_set(m->types, i);
        else if (!m->direct)
            add_attribute(s, i, m->types);
    }
    /* Indirectly every term matches that has one of the types. */
    for (uint32_t i = 1; !m->direct && i < s->all_types; i++) {
        if (i < s->types ? vd_bitmap_get(m->types, i) : meets(s, i, m->types))
            vd_bitmap_set(m->terms, i);
        else
            vd_bitmap_clear(m->terms, i);
    }
    return VD_OK;
}

/* The next word of a list by commas; false at its end. */
static bool next_word(const char **list, struct vd_word *ret)
{
    const char *at = *list;

    if (at == NULL)
        return false;
    *ret = (struct vd_word){.text = at, .len = strcspn(at, ",")};
    *list = at[ret->len] == ',' ? at + ret->len + 1 : NULL;
    return true;
}

/* A list of symbols as bits; `ret` stays NULL if nothing was asked. */
static vd_status resolve_list(struct vd_search_state *s, const struct vd_search_list *list,
                              enum vd_pdb_symbol_kind kind, uint32_t count, uint64_t **ret)
{
    const char *rest = list->text;
    struct vd_word word;

    if (list->text == NULL)
        return VD_OK;
    *ret = calloc(VD_BITMAP_WORDS(count) + 1, 8);
    if (*ret == NULL)
        return vd_diag_fail(s->diag, VD_E_NO_MEMORY, "out of memory");
    if (list->regex) {
        regex_t regex;

        VD_TRY(compile_regex(list->text, &regex, s->diag));
        match_regex(s, &regex, kind, count, *ret);
        regfree(&regex);
        return VD_OK;
    }
    while (next_word(&rest, &word)) {
        uint32_t number;

        VD_TRY(vd_lookup_word(&s->rules->db, kind, &word, &number, s->diag));
        vd_bitmap_set(*ret, number);
    }
    return VD_OK;
}

/* The permissions asked for, class by class; each must be one of some class asked for. */
static vd_status resolve_perms(struct vd_search_state *s)
{
    const struct vd_policydb *db = &s->rules->db;
    uint32_t classes = vd_policydb_header(db)->classes;
    const char *rest = s->asked->perms.text;
    struct vd_word word;

    if (rest == NULL)
        return VD_OK;
    s->masks = calloc(classes, sizeof(*s->masks));
    s->lacks = calloc(classes, sizeof(*s->lacks));
    if (s->masks == NULL || s->lacks == NULL)
        return vd_diag_fail(s->diag, VD_E_NO_MEMORY, "out of memory");
    while (next_word(&rest, &word)) {
        bool known = false;

        for (uint32_t i = 1; i < classes; i++) {
            uint32_t mask;

            if (vd_policydb_find_perm(db, i, word.text, word.len, &mask) == VD_OK) {
                s->masks[i] |= mask;
                known |= s->classes == NULL || vd_bitmap_get(s->classes, i);
            } else {
                s->lacks[i] = true;
            }
        }
        if (!known)
            return vd_diagf(s->diag, VD_E_NOT_FOUND, "no class %shas a permission \"%.*s\"",
                            s->classes == NULL ? "" : "asked for ", (int)word.len, word.text);
    }
    return VD_OK;
}

/* One end of a span of calls: decimal or 0x…, at most 0xffff. */
static bool parse_call(const char **at, uint16_t *ret)
{
    char *end;
    unsigned long value;

    if (**at < '0' || **at > '9')
        return false;
    value = strtoul(*at, &end, 0);
    if (value > UINT16_MAX)
        return false;
    *at = end;
    *ret = (uint16_t)value;
    return true;
}

static vd_status resolve_calls(struct vd_search_state *s)
{
    const char *at = s->asked->calls.text;

    while (at != NULL) {
        struct vd_rule_span *span = &s->calls[s->call_count];

        if (s->call_count == VD_SEARCH_CALLS)
            return vd_diagf(s->diag, VD_E_LIMIT, "more than %u spans of calls", VD_SEARCH_CALLS);
        if (!parse_call(&at, &span->low))
            return vd_diagf(
                s->diag, VD_E_SYNTAX,
                "\"%s\": expected numbers up to 0xffff, for example 0x5401,0x5410-0x5420",
                s->asked->calls.text);
        span->high = span->low;
        if (*at == '-') {
            at++;
            if (!parse_call(&at, &span->high) || span->high < span->low)
                return vd_diagf(s->diag, VD_E_SYNTAX, "\"%s\": a span that does not end",
                                s->asked->calls.text);
        }
        s->call_count++;
        if (*at != ',' && *at != '\0')
            return vd_diagf(s->diag, VD_E_SYNTAX, "\"%s\": expected ',' between the calls",
                            s->asked->calls.text);
        at = *at == ',' ? at + 1 : NULL;
    }
    return VD_OK;
}

static void state_done(struct vd_search_state *s)
{
    struct vd_search_matcher *matchers[] = {&s->source, &s->target, &s->result};

    for (size_t i = 0; i < VD_COUNT(matchers); i++) {
        free(matchers[i]->terms);
        free(matchers[i]->types);
        free(matchers[i]->roles);
    }
    free(s->classes);
    free(s->bools);
    free(s->masks);
    free(s->lacks);
    free(s->expanded);
    free(s->source_items);
    free(s->target_items);
}

static uint32_t longest_set(const struct vd_rules *rules)
{
    uint32_t most = 0;

    for (uint32_t i = 0; i < rules->book.head->sections[VD_BOOK_SETS].count; i++) {
        uint32_t count = vd_rulebook_set(&rules->book, i)->count;

        most = count > most ? count : most;
    }
    return most;
}

static vd_status state_init(struct vd_search_state *s)
{
    const struct vd_pdb_header *head = vd_policydb_header(&s->rules->db);
    uint32_t bits, items = VD_BITMAP_WORDS(longest_set(s->rules)) + 1;

    s->types = head->types;
    s->all_types = head->sections[VD_PDB_TYPES].count;
    s->roles = head->roles;
    bits = s->types > s->roles ? s->types : s->roles;
    s->expanded = calloc(VD_BITMAP_WORDS(bits), 8);
    s->source_items = calloc(items, 8);
    s->target_items = calloc(items, 8);
    if (s->expanded == NULL || s->source_items == NULL || s->target_items == NULL)
        return vd_diag_fail(s->diag, VD_E_NO_MEMORY, "out of memory");
    VD_TRY(make_matcher(s, &s->asked->source, &s->source));
    VD_TRY(make_matcher(s, &s->asked->target, &s->target));
    VD_TRY(make_matcher(s, &s->asked->result, &s->result));
    VD_TRY(resolve_list(s, &s->asked->classes, VD_SYM_CLASS, head->classes, &s->classes));
    VD_TRY(resolve_list(s, &s->asked->bools, VD_SYM_BOOL, head->sections[VD_PDB_BOOLS].count,
                        &s->bools));
    VD_TRY(resolve_perms(s));
    return resolve_calls(s);
}

vd_status vd_search_run(const struct vd_rules *rules, const struct vd_search *search,
                        vd_search_fn found, void *arg, struct vd_diag *diag)
{
    struct vd_search_state s = {.rules = rules, .asked = search, .diag = diag};
    vd_status status = state_init(&s);

    for (uint32_t i = 0; status == VD_OK && i < rules->book.rule_count; i++) {
        struct vd_rule_view view;

        if (vd_search_match(&s, &rules->book.rules[i], &view))
            found(arg, &view);
    }
    state_done(&s);
    return status;
}
