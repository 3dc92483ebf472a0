/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The tables as one blob: header, then the sections in the order of their
 * numbers, each at the next multiple of 8.
 */
#include "tools/sepolicy/gen/codegen.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/crc64.h"

struct part {
    const void *data;
    uint64_t rows;
    uint32_t row_size;
};

#define VEC_PART(vec)                                \
    (struct part)                                    \
    {                                                \
        (vec).data, (vec).count, sizeof(*(vec).data) \
    }
#define POOL_PART(pool, size)                                               \
    (struct part)                                                           \
    {                                                                       \
        (pool).data, (uint64_t)(pool).count *((pool).unit / (size)), (size) \
    }

static void list_parts(const struct vd_sp_image *image, struct part *parts)
{
    const struct vd_sp_checked *c = image->c;

    parts[VD_PDB_STRINGS] = VEC_PART(image->strings);
    parts[VD_PDB_CLASSES] = VEC_PART(image->classes);
    parts[VD_PDB_PERMS] = VEC_PART(image->perms);
    parts[VD_PDB_TYPES] = VEC_PART(image->types);
    parts[VD_PDB_ROLES] = VEC_PART(image->roles);
    parts[VD_PDB_USERS] = VEC_PART(image->users);
    parts[VD_PDB_SENS] = VEC_PART(image->sens);
    parts[VD_PDB_CATS] = VEC_PART(image->cats);
    parts[VD_PDB_BOOLS] = VEC_PART(image->bools);
    parts[VD_PDB_SYMBOLS] = VEC_PART(image->symbols);
    parts[VD_PDB_BITMAPS] = POOL_PART(image->bitmaps, 8u);
    parts[VD_PDB_LEVELS] = POOL_PART(image->levels, (uint32_t)sizeof(struct vd_mls_level));
    parts[VD_PDB_CONTEXTS] = POOL_PART(image->contexts, (uint32_t)sizeof(struct vd_context));
    parts[VD_PDB_INITIAL] = VEC_PART(image->initial);
    parts[VD_PDB_TE_ROOT] =
        (struct part){image->te_root, (uint64_t)c->type_count * c->classes.count, 4};
    parts[VD_PDB_TE_ROWS] = POOL_PART(image->rows, 4u);
    parts[VD_PDB_TE_BLOCKS] = POOL_PART(image->blocks, 4u);
    parts[VD_PDB_TE_LEAVES] = VEC_PART(image->leaves);
    parts[VD_PDB_ROLE_ALLOW] =
        (struct part){c->role_allow, (uint64_t)c->roles.count * c->role_words, 8};
    parts[VD_PDB_TRANSITIONS] = VEC_PART(image->slots);
    parts[VD_PDB_RANGES] = POOL_PART(image->ranges, (uint32_t)sizeof(struct vd_pdb_range));
    parts[VD_PDB_NODES] = VEC_PART(image->nodes);
    parts[VD_PDB_COND_RULES] = VEC_PART(image->cond_rules);
    parts[VD_PDB_COND_NODES] =
        POOL_PART(image->cond_nodes, (uint32_t)sizeof(struct vd_pdb_cond_node));
    parts[VD_PDB_POLICYCAPS] = (struct part){&c->policycaps, c->policycaps != 0, 8};
    parts[VD_PDB_LABEL_TEXT] = VEC_PART(image->label_text);
    parts[VD_PDB_FS_USE] = VEC_PART(image->fs_use);
    parts[VD_PDB_GENFS] = VEC_PART(image->genfs);
    parts[VD_PDB_PORTS] = VEC_PART(image->ports);
    parts[VD_PDB_NETIFS] = VEC_PART(image->netifs);
    parts[VD_PDB_NETNODES] = VEC_PART(image->netnodes);
    parts[VD_PDB_IBPKEYS] = VEC_PART(image->ibpkeys);
    parts[VD_PDB_IBENDPORTS] = VEC_PART(image->ibendports);
    parts[VD_PDB_FILE_NAMES] = VEC_PART(image->file_names);
    parts[VD_PDB_NAMED] = VEC_PART(image->named);
    parts[VD_PDB_NAMED_ROWS] = VEC_PART(image->named_rows);
    parts[VD_PDB_NAMED_TARGETS] =
        (struct part){image->named_targets, image->named_targets == NULL ? 0 : c->type_words, 8};
    parts[VD_PDB_COND_TRANS] = VEC_PART(image->cond_trans);
    parts[VD_PDB_XPERMS] = POOL_PART(image->xperms, (uint32_t)sizeof(struct vd_pdb_xperm));
}

/* Copies a section; the tables of type enforcement, most of a policy, are given back meanwhile. */
static void take_part(struct vd_sp_image *image, uint32_t section, const struct part *part,
                      uint8_t *dst)
{
    size_t size = (size_t)part->rows * part->row_size;
    struct vd_sp_pool *pool = section == VD_PDB_TE_ROWS     ? &image->rows
                              : section == VD_PDB_TE_BLOCKS ? &image->blocks
                                                            : NULL;

    if (pool != NULL) {
        vd_sp_drain(dst, pool->data, size, (size_t)pool->room * pool->unit);
        vd_sp_pool_release(pool);
    } else if (section == VD_PDB_TE_ROOT) {
        vd_sp_drain(dst, image->te_root, size, size);
        vd_sp_release(&image->c->sp->arena, image->te_root, size);
        image->te_root = NULL;
    } else if (size > 0) {
        memcpy(dst, part->data, size);
    }
}

static void fill_header(const struct vd_sp_image *image, struct vd_pdb_header *head)
{
    const struct vd_sp_checked *c = image->c;

    memcpy(head->magic, VD_PDB_MAGIC, sizeof(head->magic));
    head->version = VD_PDB_VERSION;
    head->header_size = VD_PDB_HEADER_SIZE;
    if (c->sp->mls)
        head->flags |= VD_PDB_MLS;
    if (c->sp->options->unknown == VD_SEPOLICY_UNKNOWN_REJECT)
        head->flags |= VD_PDB_UNKNOWN_REJECT;
    if (c->sp->options->unknown == VD_SEPOLICY_UNKNOWN_ALLOW)
        head->flags |= VD_PDB_UNKNOWN_ALLOW;
    head->classes = c->classes.count;
    head->types = c->type_count;
    head->roles = c->roles.count;
    head->users = c->users.count;
    head->blocks = c->type_words;
    head->buckets = image->buckets;
    head->sens = image->sens.count;
    head->cats = image->cats.count;
}

vd_status vd_sp_blob(struct vd_sp_image *image, uint8_t **ret, size_t *ret_size)
{
    struct part parts[VD_PDB_SECTION_COUNT] = {};
    struct vd_pdb_header head = {};
    uint64_t end = VD_PDB_HEADER_SIZE;
    uint8_t *blob;

    fill_header(image, &head);
    list_parts(image, parts);
    for (uint32_t i = 0; i < VD_PDB_SECTION_COUNT; i++) {
        uint64_t size = parts[i].rows * parts[i].row_size;

        if (parts[i].row_size == 0)
            continue; /* a number without a section */
        if (size > VD_PDB_MAX_SIZE || end + size + VD_PDB_ALIGN > VD_PDB_MAX_SIZE)
            return VD_E_LIMIT;
        head.sections[i] = (struct vd_pdb_section_row){
            .offset = (uint32_t)end, .size = (uint32_t)size, .count = (uint32_t)parts[i].rows};
        end = (end + size + VD_PDB_ALIGN - 1) & ~(uint64_t)(VD_PDB_ALIGN - 1);
    }
    head.total_size = (uint32_t)end;
    blob = calloc(1, end);
    if (blob == NULL)
        return VD_E_NO_MEMORY;
    for (uint32_t i = 0; i < VD_PDB_SECTION_COUNT; i++)
        take_part(image, i, &parts[i], blob + head.sections[i].offset);
    memcpy(blob, &head, sizeof(head));
    head.checksum = vd_crc64(0, blob, end);
    memcpy(blob, &head, sizeof(head));
    *ret = blob;
    *ret_size = end;
    return VD_OK;
}
