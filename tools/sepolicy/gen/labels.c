/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Tables of labels, in the order in which the checker has put them.
 */
#include "tools/sepolicy/gen/codegen.h"

#include <string.h>

static uint32_t gen_text(struct vd_sp_image *image, uint32_t name)
{
    struct vd_sp *sp = image->c->sp;
    const char *text = vd_sp_str(sp, name);

    if (image->label_text.count == 0)
        (void)VD_SP_PUSH(&sp->arena, &image->label_text);
    if (image->label_text_of[name] == 0) {
        image->label_text_of[name] = image->label_text.count;
        for (size_t i = 0; i == 0 || text[i - 1] != '\0'; i++)
            *VD_SP_PUSH(&sp->arena, &image->label_text) = text[i];
    }
    return image->label_text_of[name];
}

static uint32_t gen_context(struct vd_sp_image *image, const struct vd_sp_checked_label *row,
                            uint32_t which)
{
    return vd_sp_pool_add(&image->contexts, &row->contexts[which], 1);
}

static void gen_node(struct vd_sp_image *image, const struct vd_sp_checked_label *row)
{
    struct vd_pdb_netnode *node = VD_SP_PUSH(&image->c->sp->arena, &image->netnodes);

    memcpy(node->address, row->label->address, sizeof(node->address));
    memcpy(node->mask, row->label->mask, sizeof(node->mask));
    node->family = row->label->detail;
    node->context = gen_context(image, row, 0);
}

static void gen_ibpkey(struct vd_sp_image *image, const struct vd_sp_checked_label *row)
{
    struct vd_pdb_ibpkey *key = VD_SP_PUSH(&image->c->sp->arena, &image->ibpkeys);

    memcpy(key->prefix, row->label->address, sizeof(key->prefix));
    key->low = (uint32_t)row->label->low;
    key->high = (uint32_t)row->label->high;
    key->context = gen_context(image, row, 0);
}

static void gen_label(struct vd_sp_image *image, const struct vd_sp_checked_label *row)
{
    struct vd_sp_arena *arena = &image->c->sp->arena;
    const struct vd_sp_label *label = row->label;
    uint32_t name = label->name.name;

    switch (label->kind) {
    case VD_SP_LABEL_FS_USE:
        *VD_SP_PUSH(arena, &image->fs_use) =
            (struct vd_pdb_fs_use){.name = gen_text(image, name),
                                   .kind = label->detail,
                                   .context = gen_context(image, row, 0)};
        break;
    case VD_SP_LABEL_GENFS:
        *VD_SP_PUSH(arena, &image->genfs) =
            (struct vd_pdb_genfs){.name = gen_text(image, name),
                                  .path = gen_text(image, label->path.name),
                                  .class = row->class,
                                  .context = gen_context(image, row, 0)};
        break;
    case VD_SP_LABEL_PORT:
        *VD_SP_PUSH(arena, &image->ports) =
            (struct vd_pdb_port){.protocol = label->detail,
                                 .low = (uint32_t)label->low,
                                 .high = (uint32_t)label->high,
                                 .context = gen_context(image, row, 0)};
        break;
    case VD_SP_LABEL_NETIF:
        *VD_SP_PUSH(arena, &image->netifs) =
            (struct vd_pdb_netif){.name = gen_text(image, name),
                                  .context = gen_context(image, row, 0),
                                  .packets = gen_context(image, row, 1)};
        break;
    case VD_SP_LABEL_NODE:
        gen_node(image, row);
        break;
    case VD_SP_LABEL_IBPKEY:
        gen_ibpkey(image, row);
        break;
    case VD_SP_LABEL_IBENDPORT:
        *VD_SP_PUSH(arena, &image->ibendports) =
            (struct vd_pdb_ibendport){.device = gen_text(image, name),
                                      .port = (uint32_t)label->low,
                                      .context = gen_context(image, row, 0)};
        break;
    default: /* fscon: no kernel asks for it */
        break;
    }
}

void vd_sp_gen_labels(struct vd_sp_image *image)
{
    struct vd_sp *sp = image->c->sp;

    image->label_text_of = vd_sp_alloc_array(&sp->arena, sp->names.list.count, sizeof(uint32_t));
    for (uint32_t i = 0; i < image->c->labels.count; i++)
        gen_label(image, &image->c->labels.data[i]);
}
