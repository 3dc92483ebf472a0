/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * SELinux's binary policy: the lists of contexts behind the initial ones, and
 * genfs. Addresses and prefixes stand as on the network.
 */
#include "tools/sepolicy/selinux/write.h"

#include <string.h>

#include "core/policydb/policycap.h"

static const char *text_of(const struct vd_sp_se *se, uint32_t name)
{
    return vd_sp_str(se->c->sp, name);
}

static void put_fs_use(struct vd_sp_se *se, const struct vd_sp_checked_label *row)
{
    const char *name = text_of(se, row->label->name.name);

    vd_sp_se_u32(se, row->label->detail);
    vd_sp_se_u32(se, (uint32_t)strlen(name));
    vd_sp_se_text(se, name);
}

static void put_named(struct vd_sp_se *se, const struct vd_sp_checked_label *row)
{
    const char *name = text_of(se, row->label->name.name);

    vd_sp_se_u32(se, (uint32_t)strlen(name));
    vd_sp_se_text(se, name);
}

static void put_port(struct vd_sp_se *se, const struct vd_sp_checked_label *row)
{
    vd_sp_se_u32(se, row->label->detail);
    vd_sp_se_u32(se, (uint32_t)row->label->low);
    vd_sp_se_u32(se, (uint32_t)row->label->high);
}

static void put_node(struct vd_sp_se *se, const struct vd_sp_checked_label *row)
{
    uint32_t size = row->label->detail == 4 ? 4 : 16;

    vd_write_bytes(&se->out, row->label->address, size);
    vd_write_bytes(&se->out, row->label->mask, size);
}

static void put_ibpkey(struct vd_sp_se *se, const struct vd_sp_checked_label *row)
{
    vd_write_bytes(&se->out, row->label->address, 8);
    vd_sp_se_u32(se, (uint32_t)row->label->low);
    vd_sp_se_u32(se, (uint32_t)row->label->high);
}

static void put_ibendport(struct vd_sp_se *se, const struct vd_sp_checked_label *row)
{
    const char *name = text_of(se, row->label->name.name);

    vd_sp_se_u32(se, (uint32_t)strlen(name));
    vd_sp_se_u32(se, (uint32_t)row->label->low);
    vd_sp_se_text(se, name);
}

/* The lists in the file's order. */
static const struct {
    enum vd_sp_label_kind kind;
    uint8_t detail; /* only rows that have it; 0: all */
    uint8_t contexts;
    bool infiniband;
    void (*put)(struct vd_sp_se *se, const struct vd_sp_checked_label *row);
} lists[] = {
    {VD_SP_LABEL_FSCON, 0, 2, false, put_named},
    {VD_SP_LABEL_PORT, 0, 1, false, put_port},
    {VD_SP_LABEL_NETIF, 0, 2, false, put_named},
    {VD_SP_LABEL_NODE, 4, 1, false, put_node},
    {VD_SP_LABEL_FS_USE, 0, 1, false, put_fs_use},
    {VD_SP_LABEL_NODE, 6, 1, false, put_node},
    {VD_SP_LABEL_IBPKEY, 0, 1, true, put_ibpkey},
    {VD_SP_LABEL_IBENDPORT, 0, 1, true, put_ibendport},
};

static void put_list(struct vd_sp_se *se, size_t list)
{
    const struct vd_sp_checked *c = se->c;
    uint32_t first = c->label_first[lists[list].kind];
    uint32_t end = c->label_first[lists[list].kind + 1];
    uint32_t count = 0;

    for (uint32_t i = first; i < end; i++)
        count += lists[list].detail == 0 || c->labels.data[i].label->detail == lists[list].detail;
    vd_sp_se_u32(se, count);
    for (uint32_t i = first; i < end; i++) {
        const struct vd_sp_checked_label *row = &c->labels.data[i];

        if (lists[list].detail != 0 && row->label->detail != lists[list].detail)
            continue;
        lists[list].put(se, row);
        for (uint32_t n = 0; n < lists[list].contexts; n++)
            vd_sp_se_context(se, &row->contexts[n]);
    }
}

/* As libsepol writes it, a path of a policy with wildcards ends with one. */
static void put_path(struct vd_sp_se *se, const struct vd_sp_checked_label *row)
{
    bool wildcard = (se->c->policycaps >> VD_POLICYCAP_GENFS_WILDCARD & 1) != 0;
    const char *path = text_of(se, row->label->path.name);

    vd_sp_se_u32(se, (uint32_t)strlen(path) + wildcard);
    vd_sp_se_text(se, path);
    if (wildcard)
        vd_sp_se_text(se, "*");
    vd_sp_se_u32(se, row->class);
    vd_sp_se_context(se, &row->contexts[0]);
}

/* Rows of the file system that row `first` names, which stand together. */
static uint32_t same_fs(const struct vd_sp_checked *c, uint32_t first, uint32_t end)
{
    uint32_t i = first;

    while (i < end && c->labels.data[i].label->name.name == c->labels.data[first].label->name.name)
        i++;
    return i - first;
}

static void put_genfs(struct vd_sp_se *se)
{
    const struct vd_sp_checked *c = se->c;
    uint32_t first = c->label_first[VD_SP_LABEL_GENFS];
    uint32_t end = c->label_first[VD_SP_LABEL_GENFS + 1];
    uint32_t systems = 0;

    for (uint32_t i = first; i < end; i += same_fs(c, i, end))
        systems++;
    vd_sp_se_u32(se, systems);
    for (uint32_t i = first; i < end;) {
        uint32_t count = same_fs(c, i, end);

        put_named(se, &c->labels.data[i]);
        vd_sp_se_u32(se, count);
        for (uint32_t stop = i + count; i < stop; i++)
            put_path(se, &c->labels.data[i]);
    }
}

void vd_sp_se_put_labels(struct vd_sp_se *se)
{
    for (size_t i = 0; i < VD_COUNT(lists); i++) {
        if (!lists[i].infiniband || se->version >= VD_SE_INFINIBAND_VERSION)
            put_list(se, i);
    }
    put_genfs(se);
}
