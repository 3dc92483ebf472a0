/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/analysis/assertions.h"

#include <stdlib.h>
#include <string.h>

#include "core/mac/transition.h"
#include "tools/analysis/layers.h"
#include "tools/analysis/perm_map.h"
#include "tools/analysis/sets.h"
#include "tools/sepolicy/parse/parser.h"
#include "tools/sepolicy/suggest.h"

struct vd_assertions {
    struct vd_sp sp; /* names, messages and the arena */
    struct vd_sepolicy_options options;
    struct vd_policydb db;
    VD_SP_VEC(struct vd_assertion) list;
    VD_SP_VEC(struct vd_assertion_class) classes; /* of the statement being read */
    uint8_t *standard;                            /* the policy's booleans */
    uint32_t bool_count;
};

/* A statement while it is read. */
struct reader {
    struct vd_assertions *all;
    struct vd_sp_parser parser;
    struct vd_sets sets;
};

static const char *const kinds[] = {
    [VD_ASSERT_ALLOW] = "must-allow",
    [VD_ASSERT_DENY] = "must-deny",
    [VD_ASSERT_NO_FLOW] = "no-flow",
    [VD_ASSERT_NO_DOMAIN_FLOW] = "no-domain-flow",
};

/* Takes the next token if it is this word. */
static bool accept_word(struct reader *r, const char *word)
{
    if (r->parser.token.kind != VD_SP_TOKEN_NAME ||
        strcmp(vd_sp_str(r->parser.sp, r->parser.token.name), word) != 0)
        return false;
    vd_sp_next(&r->parser);
    return true;
}

/* A whole context in quotes. */
static bool parse_context(struct reader *r, struct vd_assertion_side *ret)
{
    const char *text = vd_sp_str(r->parser.sp, r->parser.token.name);
    struct vd_context *context = vd_sp_alloc(&r->parser.sp->arena, sizeof(*context));
    struct vd_diag diag = {};

    if (vd_mac_context_parse(&r->all->db, text, strlen(text), context, &diag) != VD_OK) {
        vd_sp_error(&r->parser.sp->messages,
                    r->parser.token.place + 1 + (uint32_t)(diag.has_offset ? diag.offset : 0), "%s",
                    diag.text);
        return false;
    }
    ret->context = context;
    ret->types = vd_sets_one(&r->sets, context->type);
    vd_sp_next(&r->parser);
    return true;
}

static bool parse_side(struct reader *r, bool target, struct vd_assertion_side *ret)
{
    struct vd_sp_set set = {};
    struct vd_type_set types = {};

    if (r->parser.token.kind == VD_SP_TOKEN_STRING)
        return parse_context(r, ret);
    if (!vd_sp_parse_set(&r->parser, "a type, a set of types or a context in quotes", &set) ||
        !vd_sets_types(&r->sets, &set, target, &types))
        return false;
    ret->types = types.types;
    ret->self = types.self;
    ret->not_self = types.not_self;
    return true;
}

/* Both sides are contexts or both are types: one alone could not be decided by every layer. */
static bool parse_sides(struct reader *r, struct vd_assertion *a, bool self)
{
    uint32_t place = r->parser.token.place;

    if (!parse_side(r, false, &a->source))
        return false;
    if (!parse_side(r, self, &a->target))
        return false;
    if ((a->source.context == NULL) == (a->target.context == NULL) ||
        (a->source.context != NULL && a->target.self &&
         vd_bitmap_weight(a->target.types, r->sets.words) == 0))
        return true;
    vd_sp_error_hint(&r->parser.sp->messages, place,
                     "give both as contexts in quotes, or both as types",
                     "one side is a whole context, the other a set of types");
    return false;
}

/* CLASSES PERMISSIONS behind the colon. */
static bool parse_access(struct reader *r, struct vd_assertion *a)
{
    struct vd_sp_set classes = {}, perms = {};
    struct vd_assertion_class *copy;

    if (!vd_sp_expect(&r->parser, ':', "':' and the classes") ||
        !vd_sp_parse_set(&r->parser, "a class or a set of classes", &classes) ||
        !vd_sp_parse_set(&r->parser, "a permission or a set of permissions", &perms))
        return false;
    r->all->classes.count = 0;
    for (uint32_t class = 1; class < vd_policydb_header(&r->all->db)->classes; class ++) {
        uint32_t mask;
        if (!vd_sets_has_class(&r->sets, &classes, class))
            continue;
        if (!vd_sets_perms(&r->sets, &perms, class, &mask))
            return false;
        if (mask != 0)
            *VD_SP_PUSH(&r->parser.sp->arena, &r->all->classes) =
                (struct vd_assertion_class){class, mask};
    }
    if (!vd_sets_classes_known(&r->sets, &classes))
        return false;
    a->class_count = r->all->classes.count;
    copy = vd_sp_alloc_array(&r->parser.sp->arena, a->class_count + 1u, sizeof(*copy));
    if (a->class_count != 0)
        memcpy(copy, r->all->classes.data, a->class_count * sizeof(*copy));
    a->classes = copy;
    if (a->class_count != 0)
        return true;
    vd_sp_error(&r->parser.sp->messages, perms.place, "this names no permission: it says nothing");
    return false;
}

/* under NAME=0|1 … */
static bool parse_under(struct reader *r, struct vd_assertion *a)
{
    uint8_t *values = vd_sp_alloc(&r->parser.sp->arena, r->all->bool_count + 1u);

    memcpy(values, r->all->standard, r->all->bool_count);
    do {
        struct vd_sp_item name = {};
        uint32_t number;
        if (!vd_sp_expect_name(&r->parser, "a boolean", &name) ||
            !vd_sets_symbol(&r->sets, VD_SYM_BOOL, &name, "boolean", &number) ||
            !vd_sp_expect(&r->parser, '=', "'=' and 0 or 1"))
            return false;
        if (r->parser.token.kind != VD_SP_TOKEN_NUMBER || r->parser.token.number > 1)
            return vd_sp_unexpected(&r->parser, "0 or 1");
        values[number] = (uint8_t)r->parser.token.number;
        vd_sp_next(&r->parser);
    } while (r->parser.token.kind == VD_SP_TOKEN_NAME);
    a->values = values;
    return true;
}

static bool parse_when(struct reader *r, struct vd_assertion *a)
{
    a->values = r->all->standard;
    if (accept_word(r, "under"))
        return parse_under(r, a);
    if (accept_word(r, "always"))
        a->when = VD_WHEN_ALWAYS;
    else if (accept_word(r, "ever"))
        a->when = VD_WHEN_EVER;
    return true;
}

/* Behind the types of a flow: except TYPES, weight N. */
static bool parse_path(struct reader *r, struct vd_assertion *a)
{
    struct vd_sp_set set = {};
    struct vd_type_set types = {};

    a->weight = VD_ASSERTION_WEIGHT;
    if (accept_word(r, "except")) {
        if (!vd_sp_parse_set(&r->parser, "a type or a set of types", &set) ||
            !vd_sets_types(&r->sets, &set, false, &types))
            return false;
        a->except = types.types;
    }
    if (a->kind != VD_ASSERT_NO_FLOW || !accept_word(r, "weight"))
        return true;
    if (r->parser.token.kind != VD_SP_TOKEN_NUMBER || r->parser.token.number < 1 ||
        r->parser.token.number > VD_PERM_MAP_MAX)
        return vd_sp_unexpected(&r->parser, "a weight from 1 to 10");
    a->weight = r->parser.token.number;
    vd_sp_next(&r->parser);
    return true;
}

/* The source's line and column, and the statement's own text. */
static void note_place(struct reader *r, struct vd_assertion *a, uint32_t start)
{
    const struct vd_sp_source *source = &r->parser.sp->messages.sources.data[0];
    const char *text = source->text.text;
    uint32_t from = start - source->first, to = r->parser.last_end - source->first;

    a->file = source->text.name;
    a->line = 1;
    a->column = 1;
    for (uint32_t i = 0; i < from; i++) {
        a->column = text[i] == '\n' ? 1 : a->column + 1;
        a->line += text[i] == '\n';
    }
    a->text = text + from;
    a->size = to - from;
}

static bool parse_kind(struct reader *r, enum vd_assertion_kind *ret)
{
    for (uint32_t i = 0; i < VD_COUNT(kinds); i++) {
        if (accept_word(r, kinds[i])) {
            *ret = (enum vd_assertion_kind)i;
            return true;
        }
    }
    return false;
}

static bool parse_statement(struct reader *r)
{
    struct vd_assertion a = {};
    uint32_t start = r->parser.token.place;
    bool flow;

    if (!parse_kind(r, &a.kind)) {
        struct vd_sp_suggestion s;
        if (r->parser.token.kind != VD_SP_TOKEN_NAME)
            return vd_sp_unexpected(&r->parser, "must-allow, must-deny, no-flow or no-domain-flow");
        vd_sp_suggest_init(&s, vd_sp_str(r->parser.sp, r->parser.token.name));
        for (uint32_t i = 0; i < VD_COUNT(kinds); i++)
            vd_sp_suggest(&s, kinds[i]);
        vd_sp_error_hint(
            &r->parser.sp->messages, start, vd_sp_suggest_hint(&s, &r->parser.sp->arena),
            "expected must-allow, must-deny, no-flow or no-domain-flow, found '%s'", s.wanted);
        return false;
    }
    flow = a.kind == VD_ASSERT_NO_FLOW || a.kind == VD_ASSERT_NO_DOMAIN_FLOW;
    if (!parse_sides(r, &a, !flow) || (flow ? !parse_path(r, &a) : !parse_access(r, &a)) ||
        !parse_when(r, &a))
        return false;
    if (flow && a.source.context != NULL) {
        vd_sp_error(&r->parser.sp->messages, start, "flows are decided by types, not by contexts");
        return false;
    }
    if (flow && a.when == VD_WHEN_EVER) {
        vd_sp_error_hint(&r->parser.sp->messages, start, "name the setting: under NAME=0|1 ...",
                         "of a flow it cannot be asked whether a setting exists without it");
        return false;
    }
    if (!vd_sp_expect(&r->parser, ';', "';'"))
        return false;
    note_place(r, &a, start);
    if (r->all->list.count == VD_ASSERTIONS_MAX) {
        vd_sp_error(&r->parser.sp->messages, start, "more than %u assertions", VD_ASSERTIONS_MAX);
        vd_sp_escape(&r->parser.sp->arena, VD_E_INVALID);
    }
    *VD_SP_PUSH(&r->parser.sp->arena, &r->all->list) = a;
    return true;
}

/* After an error: behind the next ';'. */
static void recover(struct reader *r)
{
    while (r->parser.token.kind != ';' && r->parser.token.kind != VD_SP_TOKEN_END)
        vd_sp_next(&r->parser);
    (void)vd_sp_accept(&r->parser, ';');
}

static vd_status parse(struct vd_assertions *all, const struct vd_sepolicy_source *source)
{
    struct vd_sp *sp = &all->sp;
    struct reader r = {.all = all, .parser.sp = sp};

    vd_sp_names_init(&sp->names, &sp->arena);
    vd_sp_keywords_init(sp);
    if (!vd_sp_source_add(&sp->messages, source, false))
        return VD_E_LIMIT;
    vd_sets_init(&r.sets, sp, &all->db);
    vd_sp_lexer_init(&r.parser.lexer, &sp->messages, &sp->names, 0, 0);
    vd_sp_next(&r.parser);
    while (r.parser.token.kind != VD_SP_TOKEN_END) {
        if (!parse_statement(&r))
            recover(&r);
    }
    if (all->list.count == 0 && sp->messages.errors == 0)
        vd_sp_error(&sp->messages, r.parser.token.place, "the file holds no assertion");
    vd_sp_messages_end(&sp->messages);
    return sp->messages.errors == 0 ? VD_OK : VD_E_INVALID;
}

vd_status vd_assertions_parse(const struct vd_policydb *db, const struct vd_sepolicy_source *source,
                              void (*message)(void *arg, const struct vd_sepolicy_message *message),
                              void *arg, struct vd_assertions **ret)
{
    struct vd_assertions *all = calloc(1, sizeof(*all));
    vd_status status;

    if (all == NULL)
        return VD_E_NO_MEMORY;
    all->db = *db;
    all->options = (struct vd_sepolicy_options){.message = message, .message_arg = arg};
    all->sp.options = &all->options;
    all->sp.arena.max = VD_ASSERTIONS_MEMORY;
    all->sp.messages.arena = &all->sp.arena;
    all->sp.messages.options = &all->options;
    all->bool_count = vd_policydb_header(db)->sections[VD_PDB_BOOLS].count;
    all->standard = vd_setting_current(db);
    if (all->standard == NULL)
        status = VD_E_NO_MEMORY;
    else if (setjmp(all->sp.arena.escape) == 0)
        status = parse(all, source);
    else
        status = all->sp.arena.status;
    if (status != VD_OK) {
        vd_assertions_free(all);
        return status;
    }
    *ret = all;
    return VD_OK;
}

uint32_t vd_assertions_count(const struct vd_assertions *list)
{
    return list->list.count;
}

const struct vd_assertion *vd_assertions_at(const struct vd_assertions *list, uint32_t index)
{
    return &list->list.data[index];
}

void vd_assertions_free(struct vd_assertions *list)
{
    if (list == NULL)
        return;
    vd_sp_arena_done(&list->sp.arena);
    free(list->standard);
    free(list);
}
