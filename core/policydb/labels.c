/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/policydb/labels.h"

#include "core/policydb/policycap.h"

const char *vd_policydb_label_text(const struct vd_policydb *db, uint32_t offset)
{
    const char *text = vd_pdb_row(db, VD_PDB_LABEL_TEXT, offset, 1);

    return text == NULL ? "?" : text;
}

static bool equal(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

static bool begins(const char *text, const char *start)
{
    while (*start != '\0' && *start == *text) {
        start++;
        text++;
    }
    return *start == '\0';
}

/*
 * '*' fits any bytes, '?' one; `open`: as if the pattern ended with '*'. Only
 * the last '*' is ever tried again, so the work is bounded by the lengths' product.
 */
static bool fits(const char *pattern, const char *text, bool open)
{
    const char *star = NULL, *again = NULL;

    for (;;) {
        if (*pattern == '\0' && (open || *text == '\0'))
            return true;
        if (*pattern == '*') {
            star = ++pattern;
            again = text;
        } else if (*text != '\0' && (*pattern == '?' || *pattern == *text)) {
            pattern++;
            text++;
        } else if (star != NULL && *again != '\0') {
            pattern = star;
            text = ++again;
        } else {
            return false;
        }
    }
}

static uint32_t row_count(const struct vd_policydb *db, enum vd_pdb_section section)
{
    return vd_policydb_header(db)->sections[section].count;
}

static vd_status take(const struct vd_policydb *db, uint32_t row, struct vd_context *ret)
{
    const struct vd_context *context = vd_pdb_row(db, VD_PDB_CONTEXTS, row, sizeof(*context));

    if (context == NULL)
        return VD_E_NOT_FOUND;
    *ret = *context;
    return VD_OK;
}

vd_status vd_policydb_fs_use(const struct vd_policydb *db, const char *name,
                             enum vd_pdb_fs_use_kind *ret_kind, struct vd_context *ret)
{
    for (uint32_t i = 0; i < row_count(db, VD_PDB_FS_USE); i++) {
        const struct vd_pdb_fs_use *row = vd_pdb_row(db, VD_PDB_FS_USE, i, sizeof(*row));

        if (row == NULL || !equal(vd_policydb_label_text(db, row->name), name))
            continue;
        VD_TRY(take(db, row->context, ret));
        *ret_kind = (enum vd_pdb_fs_use_kind)row->kind;
        return VD_OK;
    }
    return VD_E_NOT_FOUND;
}

vd_status vd_policydb_genfs(const struct vd_policydb *db, const char *fs, const char *path,
                            uint32_t class, struct vd_context *ret)
{
    bool wildcard = vd_policydb_policycap(db, VD_POLICYCAP_GENFS_WILDCARD);

    while (path[0] == '/' && path[1] == '/')
        path++;
    for (uint32_t i = 0; i < row_count(db, VD_PDB_GENFS); i++) {
        const struct vd_pdb_genfs *row = vd_pdb_row(db, VD_PDB_GENFS, i, sizeof(*row));
        const char *pattern;

        if (row == NULL || (row->class != 0 && class != row->class) ||
            !equal(vd_policydb_label_text(db, row->name), fs))
            continue;
        pattern = vd_policydb_label_text(db, row->path);
        if (wildcard ? fits(pattern, path, true) : begins(path, pattern))
            return take(db, row->context, ret);
    }
    return VD_E_NOT_FOUND;
}

vd_status vd_policydb_port(const struct vd_policydb *db, enum vd_pdb_protocol protocol,
                           uint32_t port, struct vd_context *ret)
{
    for (uint32_t i = 0; i < row_count(db, VD_PDB_PORTS); i++) {
        const struct vd_pdb_port *row = vd_pdb_row(db, VD_PDB_PORTS, i, sizeof(*row));

        if (row != NULL && row->protocol == (uint32_t)protocol && row->low <= port &&
            port <= row->high)
            return take(db, row->context, ret);
    }
    return VD_E_NOT_FOUND;
}

vd_status vd_policydb_netif(const struct vd_policydb *db, const char *name, struct vd_context *ret,
                            struct vd_context *ret_packets)
{
    bool wildcard = vd_policydb_policycap(db, VD_POLICYCAP_NETIF_WILDCARD);

    for (uint32_t i = 0; i < row_count(db, VD_PDB_NETIFS); i++) {
        const struct vd_pdb_netif *row = vd_pdb_row(db, VD_PDB_NETIFS, i, sizeof(*row));
        struct vd_context packets;
        const char *have;

        if (row == NULL)
            continue;
        have = vd_policydb_label_text(db, row->name);
        if (wildcard ? !fits(have, name, false) : !equal(have, name))
            continue;
        VD_TRY(take(db, row->packets, &packets));
        VD_TRY(take(db, row->context, ret));
        *ret_packets = packets;
        return VD_OK;
    }
    return VD_E_NOT_FOUND;
}

vd_status vd_policydb_node(const struct vd_policydb *db, uint32_t family, const uint8_t address[16],
                           struct vd_context *ret)
{
    for (uint32_t i = 0; i < row_count(db, VD_PDB_NETNODES); i++) {
        const struct vd_pdb_netnode *row = vd_pdb_row(db, VD_PDB_NETNODES, i, sizeof(*row));
        uint8_t differ = 0;

        if (row == NULL || row->family != family)
            continue;
        for (uint32_t b = 0; b < sizeof(row->mask); b++)
            differ |= (uint8_t)((address[b] & row->mask[b]) ^ row->address[b]);
        if (differ == 0)
            return take(db, row->context, ret);
    }
    return VD_E_NOT_FOUND;
}

vd_status vd_policydb_ibpkey(const struct vd_policydb *db, const uint8_t prefix[8], uint32_t key,
                             struct vd_context *ret)
{
    for (uint32_t i = 0; i < row_count(db, VD_PDB_IBPKEYS); i++) {
        const struct vd_pdb_ibpkey *row = vd_pdb_row(db, VD_PDB_IBPKEYS, i, sizeof(*row));

        if (row != NULL && __builtin_memcmp(row->prefix, prefix, sizeof(row->prefix)) == 0 &&
            row->low <= key && key <= row->high)
            return take(db, row->context, ret);
    }
    return VD_E_NOT_FOUND;
}

vd_status vd_policydb_ibendport(const struct vd_policydb *db, const char *device, uint32_t port,
                                struct vd_context *ret)
{
    for (uint32_t i = 0; i < row_count(db, VD_PDB_IBENDPORTS); i++) {
        const struct vd_pdb_ibendport *row = vd_pdb_row(db, VD_PDB_IBENDPORTS, i, sizeof(*row));

        if (row != NULL && row->port == port &&
            equal(vd_policydb_label_text(db, row->device), device))
            return take(db, row->context, ret);
    }
    return VD_E_NOT_FOUND;
}
