/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The frame of SELinux's binary policy and the pieces that recur in it.
 */
#include "tools/sepolicy/selinux/write.h"

#include <stdlib.h>
#include <string.h>

#define SE_TARGET         "SE Linux"
#define SE_CONFIG_MLS     1u
#define SE_UNKNOWN_REJECT 2u
#define SE_UNKNOWN_ALLOW  4u
#define SE_SYMBOL_TABLES  8u
#define SE_MAP_BITS       64u

void vd_sp_se_text(struct vd_sp_se *se, const char *text)
{
    vd_write_bytes(&se->out, text, strlen(text));
}

/* Word `index` of the bitmap whose bit 0 is bit `first` (0 or 1) of `words`. */
static uint64_t word_at(const uint64_t *words, uint32_t count, uint32_t first, uint32_t index)
{
    uint64_t word = words[index];

    if (first == 0)
        return word;
    return word >> 1 | (index + 1 < count ? words[index + 1] << (SE_MAP_BITS - 1) : 0);
}

void vd_sp_se_bitmap(struct vd_sp_se *se, const uint64_t *words, uint32_t count, uint32_t first)
{
    uint32_t used = 0, end = 0;

    for (uint32_t i = 0; i < count; i++) {
        if (word_at(words, count, first, i) != 0) {
            used++;
            end = (i + 1) * SE_MAP_BITS;
        }
    }
    vd_sp_se_u32(se, SE_MAP_BITS);
    vd_sp_se_u32(se, end);
    vd_sp_se_u32(se, used);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t word = word_at(words, count, first, i);

        if (word == 0)
            continue;
        vd_sp_se_u32(se, i * SE_MAP_BITS);
        vd_write_le64(&se->out, word);
    }
}

void vd_sp_se_level(struct vd_sp_se *se, const struct vd_mls_level *level)
{
    vd_sp_se_u32(se, level->sens);
    vd_sp_se_bitmap(se, level->cats, VD_MLS_CAT_WORDS, 0);
}

/* A range of one level has one. */
void vd_sp_se_range(struct vd_sp_se *se, const struct vd_mls_level *low,
                    const struct vd_mls_level *high)
{
    bool one = low->sens == high->sens && vd_bitmap_equal(low->cats, high->cats, VD_MLS_CAT_WORDS);

    vd_sp_se_u32(se, one ? 1 : 2);
    vd_sp_se_u32(se, low->sens);
    if (!one)
        vd_sp_se_u32(se, high->sens);
    vd_sp_se_bitmap(se, low->cats, VD_MLS_CAT_WORDS, 0);
    if (!one)
        vd_sp_se_bitmap(se, high->cats, VD_MLS_CAT_WORDS, 0);
}

void vd_sp_se_context(struct vd_sp_se *se, const struct vd_context *context)
{
    vd_sp_se_u32(se, context->user);
    vd_sp_se_u32(se, context->role);
    vd_sp_se_u32(se, context->type);
    vd_sp_se_range(se, &context->low, &context->high);
}

static void put_header(struct vd_sp_se *se)
{
    const struct vd_sp *sp = se->c->sp;
    uint32_t config = sp->mls ? SE_CONFIG_MLS : 0;

    if (sp->options->unknown == VD_SEPOLICY_UNKNOWN_REJECT)
        config |= SE_UNKNOWN_REJECT;
    if (sp->options->unknown == VD_SEPOLICY_UNKNOWN_ALLOW)
        config |= SE_UNKNOWN_ALLOW;
    vd_sp_se_u32(se, VD_SE_MAGIC);
    vd_sp_se_u32(se, (uint32_t)strlen(SE_TARGET));
    vd_sp_se_text(se, SE_TARGET);
    vd_sp_se_u32(se, se->version);
    vd_sp_se_u32(se, config);
    vd_sp_se_u32(se, SE_SYMBOL_TABLES);
    vd_sp_se_u32(se, vd_sp_se_context_lists(se->version));
}

/* Permissive or neveraudit types: here, and only here, a type's bit is its number. */
static void put_marked_types(struct vd_sp_se *se, bool neveraudit)
{
    uint32_t words = VD_BITMAP_WORDS(se->c->types.count);

    memset(se->words, 0, words * sizeof(*se->words));
    for (uint32_t i = 1; i < se->c->type_count; i++) {
        const struct vd_sp_symbol *type = vd_sp_se_symbol(se, &se->c->types, i);

        if (neveraudit ? type->neveraudit : type->permissive)
            vd_bitmap_set(se->words, i);
    }
    vd_sp_se_bitmap(se, se->words, words, 0);
}

/* For each type the type itself and its attributes; for an attribute itself. */
static void put_type_attributes(struct vd_sp_se *se)
{
    const struct vd_sp_checked *c = se->c;
    uint32_t words = VD_BITMAP_WORDS(c->types.count);

    for (uint32_t i = 1; i < c->types.count; i++) {
        memset(se->words, 0, words * sizeof(*se->words));
        vd_bitmap_set(se->words, i);
        for (uint32_t a = c->type_count; i < c->type_count && a < c->types.count; a++) {
            if (!c->expanded[a - c->type_count] &&
                vd_bitmap_get(c->attributes[a - c->type_count], i))
                vd_bitmap_set(se->words, a);
        }
        vd_sp_se_bitmap(se, se->words, words, 1);
    }
}

static void put_all(struct vd_sp_se *se)
{
    put_header(se);
    vd_sp_se_bitmap(se, &se->c->policycaps, 1, 0);
    put_marked_types(se, false);
    if (se->version >= VD_SE_NEVERAUDIT_VERSION)
        put_marked_types(se, true);
    vd_sp_se_put_symbols(se);
    vd_sp_se_put_rules(se);
    vd_sp_se_put_role_rules(se);
    vd_sp_se_put_named(se);
    vd_sp_se_put_contexts(se);
    vd_sp_se_put_labels(se);
    vd_sp_se_put_range_transitions(se);
    put_type_attributes(se);
}

void vd_sp_se_prepare(struct vd_sp_image *image, struct vd_sp_se *ret)
{
    struct vd_sp_checked *c = image->c;

    *ret = (struct vd_sp_se){.image = image, .c = c, .version = c->sp->options->selinux_version};
    ret->words =
        vd_sp_alloc_array(&c->sp->arena, VD_BITMAP_WORDS(c->types.count), sizeof(*ret->words));
    vd_sp_se_check(ret);
    if (c->sp->messages.errors > 0)
        return;
    vd_sp_se_gather_conds(ret);
    vd_sp_se_gather_rules(ret);
}

vd_status vd_sp_se_write(struct vd_sp_se *se, uint8_t **ret, size_t *ret_size)
{
    size_t size;
    uint8_t *buf;

    vd_writer_init(&se->out, NULL, 0);
    put_all(se);
    size = se->out.len;
    /* In the arena first: encoding may leave the compilation through its escape. */
    buf = vd_sp_alloc(&se->c->sp->arena, size);
    vd_writer_init(&se->out, buf, size);
    put_all(se);
    VD_TRY(vd_write_done(&se->out));
    *ret = malloc(size);
    if (*ret == NULL)
        return VD_E_NO_MEMORY;
    memcpy(*ret, buf, size);
    *ret_size = size;
    return VD_OK;
}
