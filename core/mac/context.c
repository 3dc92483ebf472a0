/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/base/reader.h"
#include "core/mac/transition.h"

/* A place in the text: one name after another, each ended by one of a few bytes. */
struct cursor {
    const struct vd_policydb *db;
    const char *text;
    size_t len;
    size_t pos;
    struct vd_diag *diag;
};

static bool at(const struct cursor *c, char wanted)
{
    return c->pos < c->len && c->text[c->pos] == wanted;
}

static bool ends_name(char byte, const char *stops)
{
    while (*stops != '\0' && *stops != byte)
        stops++;
    return *stops != '\0';
}

/* Takes the name up to one of `stops` or the end, and finds its number. */
static vd_status take(struct cursor *c, enum vd_pdb_symbol_kind kind, const char *stops,
                      const char *what, uint32_t *ret)
{
    size_t start = c->pos;
    size_t end = start;
    struct vd_text t;

    while (end < c->len && !ends_name(c->text[end], stops))
        end++;
    if (end == start) {
        vd_diag_begin(c->diag, VD_E_SYNTAX, &t);
        vd_text_str(&t, "expected a ");
        vd_text_str(&t, what);
        goto place;
    }
    if (vd_policydb_find(c->db, kind, c->text + start, end - start, ret) == VD_OK) {
        c->pos = end;
        return VD_OK;
    }
    vd_diag_begin(c->diag, VD_E_NOT_FOUND, &t);
    vd_text_str(&t, "the policy has no ");
    vd_text_str(&t, what);
    vd_text_str(&t, " \"");
    vd_text_foreign(&t, c->text + start, end - start);
    vd_text_str(&t, "\"");
place:
    if (t.buf != NULL) {
        c->diag->offset = start;
        c->diag->has_offset = true;
    }
    return end == start ? VD_E_SYNTAX : VD_E_NOT_FOUND;
}

static vd_status expect_colon(struct cursor *c)
{
    if (!at(c, ':'))
        return vd_diag_fail_at(c->diag, VD_E_SYNTAX, c->pos,
                               "expected ':' and the next part of user:role:type[:range]");
    c->pos++;
    return VD_OK;
}

/* One category, or a span "first.last". */
static vd_status parse_cats(struct cursor *c, struct vd_mls_level *level)
{
    uint32_t first, last;
    size_t start = c->pos;

    VD_TRY(take(c, VD_SYM_CAT, ".,-", "category", &first));
    last = first;
    if (at(c, '.')) {
        c->pos++;
        VD_TRY(take(c, VD_SYM_CAT, ".,-", "category", &last));
        if (last <= first)
            return vd_diag_fail_at(c->diag, VD_E_SYNTAX, start,
                                   "a span of categories runs from the lower to the higher");
    }
    for (uint32_t i = first; i <= last; i++)
        vd_bitmap_set(level->cats, i);
    return VD_OK;
}

static vd_status parse_level(struct cursor *c, struct vd_mls_level *level)
{
    *level = (struct vd_mls_level){};
    VD_TRY(take(c, VD_SYM_SENS, ":-", "sensitivity", &level->sens));
    if (!at(c, ':'))
        return VD_OK;
    do {
        c->pos++;
        VD_TRY(parse_cats(c, level));
    } while (at(c, ','));
    return VD_OK;
}

static vd_status parse_range(struct cursor *c, struct vd_context *context)
{
    if ((vd_policydb_header(c->db)->flags & VD_PDB_MLS) == 0)
        return c->pos == c->len ? VD_OK
                                : vd_diag_fail_at(c->diag, VD_E_SYNTAX, c->pos,
                                                  "a range, but the policy has no MLS");
    if (!at(c, ':'))
        return vd_diag_fail_at(c->diag, VD_E_SYNTAX, c->pos,
                               "expected ':' and a level or range: the policy has MLS");
    c->pos++;
    VD_TRY(parse_level(c, &context->low));
    context->high = context->low;
    if (at(c, '-')) {
        c->pos++;
        VD_TRY(parse_level(c, &context->high));
    }
    return VD_OK;
}

vd_status vd_mac_context_parse(const struct vd_policydb *db, const char *text, size_t len,
                               struct vd_context *ret, struct vd_diag *diag)
{
    struct cursor c = {.db = db, .text = text, .len = len, .diag = diag};
    struct vd_context context = {};

    VD_TRY(take(&c, VD_SYM_USER, ":", "user", &context.user));
    VD_TRY(expect_colon(&c));
    VD_TRY(take(&c, VD_SYM_ROLE, ":", "role", &context.role));
    VD_TRY(expect_colon(&c));
    VD_TRY(take(&c, VD_SYM_TYPE, ":", "type", &context.type));
    VD_TRY(parse_range(&c, &context));
    if (c.pos != len)
        return vd_diag_fail_at(diag, VD_E_SYNTAX, c.pos, "expected the context's end here");
    if (!vd_context_valid(db, &context))
        return vd_diag_fail_at(diag, VD_E_INVALID, 0,
                               "the policy does not allow this combination of user, role, type "
                               "and range");
    *ret = context;
    return VD_OK;
}

/* The last category of the run that starts at `first`. */
static uint32_t run_end(const struct vd_mls_level *level, uint32_t first)
{
    while (first + 1 < VD_MLS_CATS_MAX && vd_bitmap_get(level->cats, first + 1))
        first++;
    return first;
}

static void level_text(const struct vd_policydb *db, const struct vd_mls_level *level,
                       struct vd_text *text)
{
    const char *before = ":";

    vd_text_str(text, vd_policydb_name(db, VD_SYM_SENS, level->sens));
    for (uint32_t i = 0; i < VD_MLS_CATS_MAX; i++) {
        uint32_t last;
        if (!vd_bitmap_get(level->cats, i))
            continue;
        last = run_end(level, i);
        vd_text_str(text, before);
        vd_text_str(text, vd_policydb_name(db, VD_SYM_CAT, i));
        if (last != i) {
            /* Two neighbours are written with a comma, longer runs with a dot. */
            vd_text_str(text, last == i + 1 ? "," : ".");
            vd_text_str(text, vd_policydb_name(db, VD_SYM_CAT, last));
        }
        before = ",";
        i = last;
    }
}

void vd_mac_context_text(const struct vd_policydb *db, const struct vd_context *context,
                         struct vd_text *text)
{
    vd_text_str(text, vd_policydb_name(db, VD_SYM_USER, context->user));
    vd_text_str(text, ":");
    vd_text_str(text, vd_policydb_name(db, VD_SYM_ROLE, context->role));
    vd_text_str(text, ":");
    vd_text_str(text, vd_policydb_name(db, VD_SYM_TYPE, context->type));
    if ((vd_policydb_header(db)->flags & VD_PDB_MLS) == 0)
        return;
    vd_text_str(text, ":");
    level_text(db, &context->low, text);
    if (!vd_mls_level_equal(&context->low, &context->high)) {
        vd_text_str(text, "-");
        level_text(db, &context->high, text);
    }
}
