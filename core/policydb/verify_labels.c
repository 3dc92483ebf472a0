/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/policydb/policycap.h"
#include "core/policydb/verify.h"

static vd_status check_policycaps(const struct vd_pdb_check *c)
{
    const uint64_t *word = vd_pdb_rows(c, VD_PDB_POLICYCAPS);

    if (vd_pdb_rows_count(c, VD_PDB_POLICYCAPS) > 1)
        return vd_pdb_bad(c, VD_PDB_POLICYCAPS, 1, VD_E_RANGE, "more than one row");
    if (vd_pdb_rows_count(c, VD_PDB_POLICYCAPS) == 1 && *word >> VD_POLICYCAP_COUNT != 0)
        return vd_pdb_bad(c, VD_PDB_POLICYCAPS, 0, VD_E_RANGE, "a capability that is not known");
    return VD_OK;
}

static vd_status check_text(const struct vd_pdb_check *c)
{
    const uint8_t *bytes = vd_pdb_rows(c, VD_PDB_LABEL_TEXT);
    uint32_t count = vd_pdb_rows_count(c, VD_PDB_LABEL_TEXT);

    if (count == 0)
        return VD_OK;
    if (bytes[0] != 0)
        return vd_pdb_bad(c, VD_PDB_LABEL_TEXT, 0, VD_E_RANGE, "no empty text at the start");
    if (bytes[count - 1] != 0)
        return vd_pdb_bad(c, VD_PDB_LABEL_TEXT, count - 1, VD_E_RANGE, "the last text has no end");
    for (uint32_t i = 0; i < count; i++) {
        if (bytes[i] != 0 && (bytes[i] < 0x20 || bytes[i] == 0x7f))
            return vd_pdb_bad(c, VD_PDB_LABEL_TEXT, i, VD_E_SYNTAX,
                              "a control byte, which no path or device has");
    }
    return VD_OK;
}

/* Not empty and not too long; the last text has an end, so that the search for one stays inside. */
static bool text_ok(const struct vd_pdb_check *c, uint32_t offset)
{
    const uint8_t *bytes = vd_pdb_rows(c, VD_PDB_LABEL_TEXT);
    uint32_t n = 0;

    if (offset >= vd_pdb_rows_count(c, VD_PDB_LABEL_TEXT))
        return false;
    while (n <= VD_PDB_MAX_PATH && bytes[offset + n] != 0)
        n++;
    return n > 0 && n <= VD_PDB_MAX_PATH;
}

static bool context_ok(const struct vd_pdb_check *c, uint32_t row)
{
    return row < vd_pdb_rows_count(c, VD_PDB_CONTEXTS);
}

/* What every table has: a limit, and rows that pass their own check. */
static vd_status check_table(const struct vd_pdb_check *c, enum vd_pdb_section section,
                             uint32_t row_size,
                             const char *(*why)(const struct vd_pdb_check *c, const void *row))
{
    const uint8_t *rows = vd_pdb_rows(c, section);

    if (vd_pdb_rows_count(c, section) > VD_PDB_MAX_LABELS)
        return vd_pdb_bad(c, section, VD_PDB_MAX_LABELS, VD_E_LIMIT, "more than 16384 rows");
    for (uint32_t i = 0; i < vd_pdb_rows_count(c, section); i++) {
        const char *text = why(c, rows + (size_t)i * row_size);

        if (text != NULL)
            return vd_pdb_bad(c, section, i, VD_E_RANGE, text);
    }
    return VD_OK;
}

static const char no_text[] = "not the offset of a text";
static const char no_context[] = "no such context";
static const char no_range[] = "a range that runs backwards or is too large";
static const char reserved[] = "a reserved field is not zero";

static const char *bad_fs_use(const struct vd_pdb_check *c, const void *p)
{
    const struct vd_pdb_fs_use *row = p;

    if (!text_ok(c, row->name))
        return no_text;
    if (row->kind < VD_FS_USE_XATTR || row->kind > VD_FS_USE_TASK)
        return "no way in which a file system labels its files";
    if (!context_ok(c, row->context))
        return no_context;
    return row->reserved != 0 ? reserved : NULL;
}

static const char *bad_genfs(const struct vd_pdb_check *c, const void *p)
{
    const struct vd_pdb_genfs *row = p;
    const char *bytes = vd_pdb_rows(c, VD_PDB_LABEL_TEXT);

    if (!text_ok(c, row->name) || !text_ok(c, row->path))
        return no_text;
    if (bytes[row->path] != '/')
        return "a path that does not begin with '/'";
    if (row->class >= c->head->classes)
        return "no such class";
    return context_ok(c, row->context) ? NULL : no_context;
}

static const char *bad_port(const struct vd_pdb_check *c, const void *p)
{
    const struct vd_pdb_port *row = p;

    if (row->protocol != VD_PROTOCOL_TCP && row->protocol != VD_PROTOCOL_UDP &&
        row->protocol != VD_PROTOCOL_DCCP && row->protocol != VD_PROTOCOL_SCTP)
        return "a protocol that has no ports";
    if (row->low > row->high || row->high > VD_PDB_MAX_PORT)
        return no_range;
    return context_ok(c, row->context) ? NULL : no_context;
}

static const char *bad_netif(const struct vd_pdb_check *c, const void *p)
{
    const struct vd_pdb_netif *row = p;

    if (!text_ok(c, row->name))
        return no_text;
    if (!context_ok(c, row->context) || !context_ok(c, row->packets))
        return no_context;
    return row->reserved != 0 ? reserved : NULL;
}

static const char *bad_netnode(const struct vd_pdb_check *c, const void *p)
{
    const struct vd_pdb_netnode *row = p;
    uint8_t beyond = 0;

    if (row->family != 4 && row->family != 6)
        return "neither IPv4 nor IPv6";
    for (uint32_t i = 4; row->family == 4 && i < sizeof(row->mask); i++)
        beyond |= row->address[i] | row->mask[i];
    if (beyond != 0)
        return "an IPv4 address of more than four bytes";
    return context_ok(c, row->context) ? NULL : no_context;
}

static const char *bad_ibpkey(const struct vd_pdb_check *c, const void *p)
{
    const struct vd_pdb_ibpkey *row = p;

    if (row->low > row->high || row->high > VD_PDB_MAX_PKEY)
        return no_range;
    if (!context_ok(c, row->context))
        return no_context;
    return row->reserved != 0 ? reserved : NULL;
}

static const char *bad_ibendport(const struct vd_pdb_check *c, const void *p)
{
    const struct vd_pdb_ibendport *row = p;

    if (!text_ok(c, row->device))
        return no_text;
    if (row->port == 0 || row->port > VD_PDB_MAX_IB_PORT)
        return "a port that is not from 1 to 255";
    if (!context_ok(c, row->context))
        return no_context;
    return row->reserved != 0 ? reserved : NULL;
}

vd_status vd_pdb_check_labels(const struct vd_pdb_check *c)
{
    static const struct {
        enum vd_pdb_section section;
        uint32_t row_size;
        const char *(*why)(const struct vd_pdb_check *c, const void *row);
    } tables[] = {
        {VD_PDB_FS_USE, sizeof(struct vd_pdb_fs_use), bad_fs_use},
        {VD_PDB_GENFS, sizeof(struct vd_pdb_genfs), bad_genfs},
        {VD_PDB_PORTS, sizeof(struct vd_pdb_port), bad_port},
        {VD_PDB_NETIFS, sizeof(struct vd_pdb_netif), bad_netif},
        {VD_PDB_NETNODES, sizeof(struct vd_pdb_netnode), bad_netnode},
        {VD_PDB_IBPKEYS, sizeof(struct vd_pdb_ibpkey), bad_ibpkey},
        {VD_PDB_IBENDPORTS, sizeof(struct vd_pdb_ibendport), bad_ibendport},
    };

    VD_TRY(check_policycaps(c));
    VD_TRY(check_text(c));
    for (size_t i = 0; i < VD_COUNT(tables); i++)
        VD_TRY(check_table(c, tables[i].section, tables[i].row_size, tables[i].why));
    return VD_OK;
}
