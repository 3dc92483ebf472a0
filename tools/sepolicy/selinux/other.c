/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * SELinux's binary policy: rules of roles, transitions by file name, initial
 * contexts, range transitions.
 */
#include "tools/sepolicy/selinux/write.h"

#include <string.h>

static uint32_t slot_kind(const struct vd_pdb_slot *slot)
{
    return (uint32_t)(slot->key >> 56);
}

static uint32_t count_slots(const struct vd_sp_se *se, enum vd_pdb_trans_kind kind)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < se->image->slots.count; i++)
        count += slot_kind(&se->image->slots.data[i]) == kind;
    return count;
}

static void put_role_transitions(struct vd_sp_se *se)
{
    vd_sp_se_u32(se, count_slots(se, VD_TRANS_ROLE));
    for (uint32_t i = 0; i < se->image->slots.count; i++) {
        const struct vd_pdb_slot *slot = &se->image->slots.data[i];

        if (slot_kind(slot) != VD_TRANS_ROLE)
            continue;
        vd_sp_se_u32(se, slot->key >> 20 & 0xfffff);
        vd_sp_se_u32(se, slot->key & 0xfffff);
        vd_sp_se_u32(se, slot->value);
        vd_sp_se_u32(se, slot->key >> 40 & 0xffff);
    }
}

static void put_role_allows(struct vd_sp_se *se)
{
    const struct vd_sp_checked *c = se->c;
    uint32_t count = 0;

    for (uint32_t i = 1; i < c->roles.count; i++)
        count += vd_bitmap_weight(c->role_allow + (size_t)i * c->role_words, c->role_words);
    vd_sp_se_u32(se, count);
    for (uint32_t i = 1; i < c->roles.count; i++) {
        const uint64_t *row = c->role_allow + (size_t)i * c->role_words;

        VD_SP_FOR_EACH_BIT (row, c->role_words, role) {
            vd_sp_se_u32(se, i);
            vd_sp_se_u32(se, role);
        }
    }
}

void vd_sp_se_put_role_rules(struct vd_sp_se *se)
{
    put_role_transitions(se);
    put_role_allows(se);
}

static const uint64_t *sources_of(const struct vd_sp_se *se, const struct vd_pdb_named_row *row)
{
    return (const uint64_t *)(const void *)se->image->bitmaps.data + row->sources;
}

static void put_file_name(struct vd_sp_se *se, const struct vd_pdb_named *slot)
{
    const char *name = se->image->file_names.data + slot->name;

    vd_sp_se_u32(se, (uint32_t)strlen(name));
    vd_sp_se_text(se, name);
}

/* Up to version 32 each source stands for itself. */
static void put_named_singly(struct vd_sp_se *se)
{
    const struct vd_sp_image *image = se->image;
    uint32_t words = se->c->type_words, count = 0;

    for (uint32_t i = 0; i < image->named_rows.count; i++)
        count += vd_bitmap_weight(sources_of(se, &image->named_rows.data[i]), words);
    vd_sp_se_u32(se, count);
    for (uint32_t i = 0; i < image->named.count; i++) {
        const struct vd_pdb_named *slot = &image->named.data[i];

        for (uint32_t r = 0; r < slot->row_count; r++) {
            const struct vd_pdb_named_row *row = &image->named_rows.data[slot->row_first + r];
            const uint64_t *sources = sources_of(se, row);

            VD_SP_FOR_EACH_BIT (sources, words, source) {
                put_file_name(se, slot);
                vd_sp_se_u32(se, source);
                vd_sp_se_u32(se, slot->target);
                vd_sp_se_u32(se, slot->class);
                vd_sp_se_u32(se, row->type);
            }
        }
    }
}

void vd_sp_se_put_named(struct vd_sp_se *se)
{
    const struct vd_sp_image *image = se->image;
    uint32_t count = 0;

    if (se->version < VD_SE_NAMED_VERSION) {
        put_named_singly(se);
        return;
    }
    for (uint32_t i = 0; i < image->named.count; i++)
        count += image->named.data[i].name != 0;
    vd_sp_se_u32(se, count);
    for (uint32_t i = 0; i < image->named.count; i++) {
        const struct vd_pdb_named *slot = &image->named.data[i];

        if (slot->name == 0)
            continue;
        put_file_name(se, slot);
        vd_sp_se_u32(se, slot->target);
        vd_sp_se_u32(se, slot->class);
        vd_sp_se_u32(se, slot->row_count);
        for (uint32_t r = 0; r < slot->row_count; r++) {
            const struct vd_pdb_named_row *row = &image->named_rows.data[slot->row_first + r];

            vd_sp_se_bitmap(se, sources_of(se, row), se->c->type_words, 1);
            vd_sp_se_u32(se, row->type);
        }
    }
}

/* An initial context's number is its place among the `sid` declarations. */
static uint32_t sid_number(const struct vd_sp_se *se, uint32_t name)
{
    const struct vd_sp *sp = se->c->sp;
    uint32_t number = 0;

    for (uint32_t i = 1; i < sp->symbols.count; i++) {
        if (sp->symbols.data[i].space != VD_SP_SID)
            continue;
        number++;
        if (sp->symbols.data[i].name == name)
            break;
    }
    return number;
}

/* Initial contexts: the first of the lists of contexts. */
void vd_sp_se_put_contexts(struct vd_sp_se *se)
{
    const struct vd_sp_checked *c = se->c;

    vd_sp_se_u32(se, c->sids.count);
    for (uint32_t i = 0; i < c->sids.count; i++) {
        vd_sp_se_u32(se, sid_number(se, c->sids.data[i].name));
        vd_sp_se_context(se, &c->sids.data[i].context);
    }
}

void vd_sp_se_put_range_transitions(struct vd_sp_se *se)
{
    const struct vd_sp_image *image = se->image;
    const struct vd_pdb_range *ranges = (const void *)image->ranges.data;
    const struct vd_mls_level *levels = (const void *)image->levels.data;

    vd_sp_se_u32(se, count_slots(se, VD_TRANS_RANGE));
    for (uint32_t i = 0; i < image->slots.count; i++) {
        const struct vd_pdb_slot *slot = &image->slots.data[i];
        const struct vd_pdb_range *range;

        if (slot_kind(slot) != VD_TRANS_RANGE)
            continue;
        range = &ranges[slot->value - 1];
        vd_sp_se_u32(se, slot->key >> 20 & 0xfffff);
        vd_sp_se_u32(se, slot->key & 0xfffff);
        vd_sp_se_u32(se, slot->key >> 40 & 0xffff);
        vd_sp_se_range(se, &levels[range->low], &levels[range->high]);
    }
}
