/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the next compilation may take instead of reading it: the writer's side of replay.h.
 */
#include "tools/sepolicy/parse/replay.h"

#include <string.h>

/* Where the kept rows go; the first pass only counts them. */
struct keeper {
    struct vd_sp *sp;
    bool counting;
    struct vd_sp_cache_source *sources;
    struct vd_sp_cache_rule *rules;
    struct vd_sp_cache_require *requires;
    struct vd_sp_cache_set *sets;
    uint32_t *items, *names;
    char *text;
    uint32_t source_count, rule_count, require_count, item_count, text_size;
};

/* The place of the parser's token; 0 if the statement began in another source. */
static uint32_t end_of(const struct vd_sp_parser *parser)
{
    const struct vd_sp_source *source = &parser->sp->messages.sources.data[parser->lexer.source];

    return parser->start >= source->first ? parser->token.place : 0;
}

void vd_sp_replay_note(struct vd_sp_parser *parser)
{
    struct vd_sp *sp = parser->sp;

    if (sp->options->keep_cache)
        VD_SP_PUSH(&sp->arena, &sp->rule_notes)->end = end_of(parser);
}

void vd_sp_replay_note_require(struct vd_sp_parser *parser, uint32_t first)
{
    struct vd_sp *sp = parser->sp;

    if (sp->options->keep_cache)
        *VD_SP_PUSH(&sp->arena, &sp->require_notes) =
            (struct vd_sp_require_note){.start = parser->start,
                                        .end = end_of(parser),
                                        .first = first,
                                        .count = sp->requires.count - first};
}

/* The length of a statement as it is kept. */
static uint16_t size_of(uint32_t start, uint32_t end)
{
    return end == 0 || end - start > UINT16_MAX ? 0 : (uint16_t)(end - start);
}

static void keep_rule(struct keeper *k, const struct vd_sp_source *source, uint32_t row)
{
    const struct vd_sp_rule *rule = &k->sp->rules.data[row];
    const struct vd_sp_rule_note *note = &k->sp->rule_notes.data[row];
    bool fits = (rule->source | rule->target | rule->classes | rule->perms) <= UINT16_MAX;
    bool line = note->file <= UINT16_MAX;
    uint32_t to = k->rule_count++;

    if (k->counting)
        return;
    k->rules[to] = (struct vd_sp_cache_rule){.source = (uint16_t)rule->source,
                                             .target = (uint16_t)rule->target,
                                             .classes = (uint16_t)rule->classes,
                                             .perms = (uint16_t)rule->perms,
                                             .start = rule->place - source->first,
                                             .size = fits ? size_of(rule->place, note->end) : 0,
                                             .line = line ? note->line : 0,
                                             .file = line ? (uint16_t)note->file : 0,
                                             .column = line ? note->column : 0,
                                             .kind = rule->kind};
}

static void keep_require(struct keeper *k, const struct vd_sp_source *source,
                         const struct vd_sp_require_note *note)
{
    uint32_t to = k->rule_count++;

    if (!k->counting)
        k->rules[to] = (struct vd_sp_cache_rule){.kind = VD_SP_CACHE_REQUIRE,
                                                 .source = (uint16_t)k->require_count,
                                                 .target = (uint16_t)(k->require_count >> 16),
                                                 .classes = (uint16_t)note->count,
                                                 .perms = (uint16_t)(note->count >> 16),
                                                 .start = note->start - source->first,
                                                 .size = size_of(note->start, note->end)};
    for (uint32_t i = note->first; i < note->first + note->count; i++) {
        const struct vd_sp_require *row = &k->sp->requires.data[i];

        if (!k->counting)
        k->requires[k->require_count] =
            (struct vd_sp_cache_require){.name = row->item.name,
                                         .perm = row->perm,
                                         .start = row->item.place - source->first,
                                         .space = row->space,
                                         .attribute = row->attribute};
        k->require_count++;
    }
}

/* The statements of one source, `row` and `note` being the first that were not looked at yet. */
static void keep_source(struct keeper *k, const struct vd_sp_source *source, uint32_t *row,
                        uint32_t *note)
{
    const struct vd_sp *sp = k->sp;
    uint64_t end = (uint64_t)source->first + source->text.size;

    for (;;) {
        uint64_t rule = *row < sp->rules.count ? sp->rules.data[*row].place : UINT64_MAX;
        uint64_t require =
            *note < sp->require_notes.count ? sp->require_notes.data[*note].start : UINT64_MAX;

        if ((rule < require ? rule : require) >= end)
            return;
        if (source->text.read != NULL)
            *(rule < require ? row : note) += 1;
        else if (rule < require)
            keep_rule(k, source, (*row)++);
        else
            keep_require(k, source, &sp->require_notes.data[(*note)++]);
    }
}

static void keep_sources(struct keeper *k)
{
    const struct vd_sp *sp = k->sp;
    uint32_t row = 0, note = 0;

    for (uint32_t i = 0; i < sp->messages.sources.count; i++) {
        const struct vd_sp_source *source = &sp->messages.sources.data[i];
        uint32_t first = k->rule_count, to;

        if (source->builtin)
            continue;
        keep_source(k, source, &row, &note);
        if (source->text.read != NULL)
            continue;
        to = k->source_count++;
        if (k->counting)
            continue;
        k->sources[to] = (struct vd_sp_cache_source){.key = {source->key[0], source->key[1]},
                                                     .size = (uint32_t)source->text.size,
                                                     .rule_first = first,
                                                     .rule_count = k->rule_count - first,
                                                     .marked = source->marked};
    }
}

static void keep_sets(struct keeper *k)
{
    const struct vd_sp *sp = k->sp;

    for (uint32_t i = 0; i < sp->sets.list.count; i++) {
        const struct vd_sp_set *set = &sp->sets.list.data[i];

        if (k->counting) {
            k->item_count += set->count;
            continue;
        }
        k->sets[i] =
            (struct vd_sp_cache_set){.first = k->item_count,
                                     .count = set->count,
                                     .flags = (set->star ? VD_SP_CACHE_STAR : 0) |
                                              (set->complement ? VD_SP_CACHE_COMPLEMENT : 0)};
        for (uint32_t j = 0; j < set->count; j++)
            k->items[k->item_count++] =
                set->items[j].name | (set->items[j].minus ? VD_SP_CACHE_MINUS : 0);
    }
}

static void keep_names(struct keeper *k)
{
    const struct vd_sp_names *names = &k->sp->names;

    for (uint32_t i = 0; i < names->list.count; i++) {
        uint32_t size = names->list.data[i].size;

        if (!k->counting) {
            k->names[i] = k->text_size;
            memcpy(k->text + k->text_size, names->list.data[i].text, size);
            k->text[k->text_size + size] = '\0';
        }
        k->text_size += size + 1;
    }
}

static void keep_all(struct keeper *k)
{
    keep_sources(k);
    keep_sets(k);
    keep_names(k);
}

uint8_t *vd_sp_replay_keep(struct vd_sp *sp, struct vd_sp_cache *cache,
                           const struct vd_sp_cache_entry *entries, uint32_t count,
                           size_t *ret_size)
{
    struct vd_sp_cache_rows *parts = cache->parts;
    struct keeper k = {.sp = sp, .counting = true};
    uint8_t *data;

    keep_all(&k);
    parts[VD_SP_CACHE_ENTRIES].count = count;
    parts[VD_SP_CACHE_SOURCES].count = k.source_count;
    parts[VD_SP_CACHE_RULES].count = k.rule_count;
    parts[VD_SP_CACHE_REQUIRES].count = k.require_count;
    parts[VD_SP_CACHE_SETS].count = sp->sets.list.count;
    parts[VD_SP_CACHE_ITEMS].count = k.item_count;
    parts[VD_SP_CACHE_NAMES].count = sp->names.list.count;
    parts[VD_SP_CACHE_TEXT].count = k.text_size;
    data = vd_sp_cache_begin(cache, ret_size);
    if (data == NULL)
        return NULL;
    if (count > 0)
        memcpy(parts[VD_SP_CACHE_ENTRIES].rows, entries, count * sizeof(*entries));
    k = (struct keeper){.sp = sp,
                        .sources = parts[VD_SP_CACHE_SOURCES].rows,
                        .rules = parts[VD_SP_CACHE_RULES].rows,
                        .requires = parts[VD_SP_CACHE_REQUIRES].rows,
                        .sets = parts[VD_SP_CACHE_SETS].rows,
                        .items = parts[VD_SP_CACHE_ITEMS].rows,
                        .names = parts[VD_SP_CACHE_NAMES].rows,
                        .text = parts[VD_SP_CACHE_TEXT].rows};
    keep_all(&k);
    return data;
}
