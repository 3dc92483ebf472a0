/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/sepolicy/parse/replay.h"

#include <string.h>

/* The row of the cache's sources + 1 that is the same text; `hint`: where to look first. */
static uint32_t find_known(const struct vd_sp_cache *cache, const struct vd_sp_source *source,
                           uint32_t hint)
{
    const struct vd_sp_cache_rows *part = &cache->parts[VD_SP_CACHE_SOURCES];
    const struct vd_sp_cache_source *rows = part->rows;

    for (uint32_t i = 0; i < part->count; i++) {
        uint32_t row = (hint + i) % part->count;

        if (rows[row].key.low == source->key[0] && rows[row].key.high == source->key[1] &&
            rows[row].size == source->text.size)
            return row + 1;
    }
    return 0;
}

void vd_sp_replay_init(struct vd_sp *sp)
{
    struct vd_sp_row_key secret = vd_sp_cache_secret(sp->cache, &sp->options->former);
    const struct vd_sp_cache_source *rows =
        sp->cache == NULL ? NULL : sp->cache->parts[VD_SP_CACHE_SOURCES].rows;
    uint32_t hint = 0;

    if (!sp->options->keep_cache)
        return;
    for (uint32_t i = 0; i < sp->messages.sources.count; i++) {
        struct vd_sp_source *source = &sp->messages.sources.data[i];
        struct vd_sp_row_key key;

        if (source->text.read != NULL)
            continue; /* read in pieces, once */
        key = vd_sp_cache_key(secret, source->text.text, source->text.size);
        source->key[0] = key.low;
        source->key[1] = key.high;
        if (sp->cache == NULL)
            continue;
        source->known = find_known(sp->cache, source, hint);
        hint = source->known != 0 ? source->known : hint + 1;
        if (source->known != 0)
            source->marked = rows[source->known - 1].marked != 0;
    }
}

static const void *row_of(const struct vd_sp_cache *cache, enum vd_sp_cache_part part, uint32_t row,
                          uint32_t size)
{
    const struct vd_sp_cache_rows *rows = &cache->parts[part];

    return row >= rows->count ? NULL : (const uint8_t *)rows->rows + (size_t)row * size;
}

/* The text of a name, which ends inside of the cache; NULL: there is none. */
static const char *name_text(const struct vd_sp_cache *cache, uint32_t name, size_t *ret_size)
{
    const struct vd_sp_cache_rows *text = &cache->parts[VD_SP_CACHE_TEXT];
    const uint32_t *start = row_of(cache, VD_SP_CACHE_NAMES, name, sizeof(*start));
    const char *p, *end;

    if (start == NULL || *start >= text->count)
        return NULL;
    p = (const char *)text->rows + *start;
    end = memchr(p, '\0', text->count - *start);
    *ret_size = end == NULL ? 0 : (size_t)(end - p);
    return end == NULL ? NULL : p;
}

/* A name of the cache in this compilation; false: there is none. */
static bool name_now(struct vd_sp *sp, const struct vd_sp_cache *cache, uint32_t name,
                     uint32_t *ret)
{
    size_t size;
    const char *text = name_text(cache, name, &size);

    if (text == NULL)
        return false;
    *ret = vd_sp_name(&sp->names, text, size);
    return true;
}

/* The shared set that a set of the cache is; its names are new ones where it is met first. */
static bool set_now(struct vd_sp *sp, struct vd_sp_replay *replay, uint32_t row, uint32_t *ret)
{
    const struct vd_sp_cache_set *from =
        row_of(replay->cache, VD_SP_CACHE_SETS, row, sizeof(*from));
    struct vd_sp_set set = {};

    if (from == NULL)
        return false;
    if (replay->set_of[row] == 0) {
        set.count = from->count;
        set.star = (from->flags & VD_SP_CACHE_STAR) != 0;
        set.complement = (from->flags & VD_SP_CACHE_COMPLEMENT) != 0;
        if (set.count > replay->cache->parts[VD_SP_CACHE_ITEMS].count)
            return false;
        set.items = vd_sp_alloc_array(&sp->arena, set.count, sizeof(*set.items));
        for (uint32_t i = 0; i < set.count; i++) {
            const uint32_t *item = row_of(replay->cache, VD_SP_CACHE_ITEMS, from->first + i, 4);

            if (item == NULL ||
                !name_now(sp, replay->cache, *item & ~VD_SP_CACHE_MINUS, &set.items[i].name))
                return false;
            set.items[i].minus = (*item & VD_SP_CACHE_MINUS) != 0;
        }
        replay->set_of[row] = 1 + vd_sp_share_set(&sp->sets, &sp->arena, &set);
    }
    *ret = replay->set_of[row] - 1;
    return true;
}

/* Makes the cache's rules of the source that is being read the next ones. */
static void enter_source(struct vd_sp_replay *replay, const struct vd_sp_source *source,
                         uint32_t number)
{
    const struct vd_sp_cache_source *from;

    replay->source = number + 1;
    replay->at = replay->end = 0;
    if (source->known == 0)
        return;
    from = row_of(replay->cache, VD_SP_CACHE_SOURCES, source->known - 1, sizeof(*from));
    replay->at = from->rule_first;
    if (!__builtin_add_overflow(from->rule_first, from->rule_count, &replay->end) &&
        replay->end <= replay->cache->parts[VD_SP_CACHE_RULES].count)
        return;
    replay->at = replay->end = 0;
}

/* What a require statement demands; what was added before a row that cannot be used is taken back. */
static bool add_requires(struct vd_sp_parser *parser, const struct vd_sp_cache_rule *from,
                         const struct vd_sp_source *source)
{
    struct vd_sp *sp = parser->sp;
    const struct vd_sp_cache *cache = parser->replay->cache;
    uint32_t first = sp->requires.count;
    uint32_t row_first = from->source | (uint32_t)from->target << 16;
    uint32_t count = from->classes | (uint32_t)from->perms << 16;

    for (uint32_t i = 0; i < count; i++) {
        const struct vd_sp_cache_require *row =
            row_of(cache, VD_SP_CACHE_REQUIRES, row_first + i, sizeof(*row));
        struct vd_sp_require require = {.block = parser->block};

        if (row == NULL || row->space >= VD_SP_SPACES || row->start >= source->text.size ||
            !name_now(sp, cache, row->name, &require.item.name) ||
            (row->perm != 0 && !name_now(sp, cache, row->perm, &require.perm))) {
            sp->requires.count = first;
            return false;
        }
        require.item.place = (source->first + row->start) & VD_SP_PLACE_MASK;
        require.space = (uint8_t)row->space;
        require.attribute = row->attribute != 0;
        *VD_SP_PUSH(&sp->arena, &sp->requires) = require;
    }
    *VD_SP_PUSH(&sp->arena, &sp->require_notes) =
        (struct vd_sp_require_note){.start = source->first + from->start,
                                    .end = source->first + from->start + from->size,
                                    .first = first,
                                    .count = count};
    return true;
}

/* One rule into the model; false, and nothing is changed that counts: it cannot be used. */
static bool add_rule(struct vd_sp_parser *parser, const struct vd_sp_cache_rule *from,
                     const struct vd_sp_source *source)
{
    struct vd_sp *sp = parser->sp;
    struct vd_sp_rule rule = {.place = source->first + from->start,
                              .block = parser->block,
                              .cond = parser->cond,
                              .kind = from->kind,
                              .otherwise = parser->otherwise};
    struct vd_sp_rule_note *note;
    size_t size = 0;
    const char *file = NULL;

    if (from->size == 0 || (uint64_t)from->start + from->size > source->text.size)
        return false;
    if (from->kind == VD_SP_CACHE_REQUIRE)
        return add_requires(parser, from, source);
    if (from->kind > VD_SP_NEVERALLOW || (from->kind >= VD_SP_DENY && parser->cond != 0) ||
        from->column > from->start + 1 || (from->line != 0 && from->column == 0) ||
        (from->file != 0 && (file = name_text(parser->replay->cache, from->file, &size)) == NULL))
        return false;
    if (!set_now(sp, parser->replay, from->source, &rule.source) ||
        !set_now(sp, parser->replay, from->target, &rule.target) ||
        !set_now(sp, parser->replay, from->classes, &rule.classes) ||
        !set_now(sp, parser->replay, from->perms, &rule.perms))
        return false;
    *VD_SP_PUSH(&sp->arena, &sp->rules) = rule;
    note = VD_SP_PUSH(&sp->arena, &sp->rule_notes);
    note->end = rule.place + from->size;
    if (from->line != 0)
        *VD_SP_PUSH(&sp->arena, &sp->messages.marks) =
            (struct vd_sp_mark){.place = rule.place - (from->column - 1u),
                                .word = rule.place,
                                .line = from->line - 1,
                                .file = file};
    return true;
}

bool vd_sp_replay_rules(struct vd_sp_parser *parser)
{
    struct vd_sp_replay *replay = parser->replay;
    uint32_t number = parser->lexer.source;
    struct vd_sp_source *source = &parser->sp->messages.sources.data[number];
    const struct vd_sp_cache_rule *rules = replay->cache->parts[VD_SP_CACHE_RULES].rows;
    uint32_t offset = parser->token.place - source->first;
    uint32_t start = offset;

    if (replay->source != number + 1)
        enter_source(replay, source, number);
    while (replay->at < replay->end && rules[replay->at].start < offset)
        replay->at++;
    while (replay->at < replay->end && rules[replay->at].start == offset &&
           add_rule(parser, &rules[replay->at], source)) {
        offset += rules[replay->at++].size;
        parser->sp->replayed++;
    }
    if (offset == start)
        return false;
    vd_sp_lexer_seek(&parser->lexer, source->first + offset);
    vd_sp_next(parser);
    return true;
}
