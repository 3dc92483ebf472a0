/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/base/checked.h"
#include "core/policydb/verify.h"

struct section_spec {
    const char *name;
    uint32_t row_size;
};

static const struct section_spec specs[VD_PDB_SECTION_COUNT] = {
    [VD_PDB_STRINGS] = {"strings", 1},
    [VD_PDB_CLASSES] = {"classes", sizeof(struct vd_pdb_class)},
    [VD_PDB_PERMS] = {"perms", 4},
    [VD_PDB_TYPES] = {"types", sizeof(struct vd_pdb_type)},
    [VD_PDB_ROLES] = {"roles", sizeof(struct vd_pdb_role)},
    [VD_PDB_USERS] = {"users", sizeof(struct vd_pdb_user)},
    [VD_PDB_SENS] = {"sensitivities", sizeof(struct vd_pdb_sens)},
    [VD_PDB_CATS] = {"categories", 4},
    [VD_PDB_BOOLS] = {"booleans", sizeof(struct vd_pdb_bool)},
    [VD_PDB_SYMBOLS] = {"symbols", sizeof(struct vd_pdb_symbol)},
    [VD_PDB_BITMAPS] = {"bitmaps", 8},
    [VD_PDB_LEVELS] = {"levels", sizeof(struct vd_mls_level)},
    [VD_PDB_CONTEXTS] = {"contexts", sizeof(struct vd_context)},
    [VD_PDB_INITIAL] = {"initial contexts", sizeof(struct vd_pdb_initial)},
    [VD_PDB_TE_ROOT] = {"te root", 4},
    [VD_PDB_TE_ROWS] = {"te rows", 4},
    [VD_PDB_TE_BLOCKS] = {"te blocks", 4},
    [VD_PDB_TE_LEAVES] = {"te leaves", sizeof(struct vd_pdb_leaf)},
    [VD_PDB_ROLE_ALLOW] = {"role allow", 8},
    [VD_PDB_TRANSITIONS] = {"transitions", sizeof(struct vd_pdb_slot)},
    [VD_PDB_RANGES] = {"ranges", sizeof(struct vd_pdb_range)},
    [VD_PDB_NODES] = {"constraint nodes", sizeof(struct vd_pdb_node)},
    [VD_PDB_COND_RULES] = {"conditional rules", sizeof(struct vd_pdb_cond_rule)},
    [VD_PDB_COND_NODES] = {"condition nodes", sizeof(struct vd_pdb_cond_node)},
    [VD_PDB_POLICYCAPS] = {"policy capabilities", 8},
    [VD_PDB_LABEL_TEXT] = {"texts of labels", 1},
    [VD_PDB_FS_USE] = {"file systems", sizeof(struct vd_pdb_fs_use)},
    [VD_PDB_GENFS] = {"paths", sizeof(struct vd_pdb_genfs)},
    [VD_PDB_PORTS] = {"ports", sizeof(struct vd_pdb_port)},
    [VD_PDB_NETIFS] = {"interfaces", sizeof(struct vd_pdb_netif)},
    [VD_PDB_NETNODES] = {"network addresses", sizeof(struct vd_pdb_netnode)},
    [VD_PDB_IBPKEYS] = {"partition keys", sizeof(struct vd_pdb_ibpkey)},
    [VD_PDB_IBENDPORTS] = {"InfiniBand ports", sizeof(struct vd_pdb_ibendport)},
    [VD_PDB_FILE_NAMES] = {"file names", 1},
    [VD_PDB_NAMED] = {"transitions by name", sizeof(struct vd_pdb_named)},
    [VD_PDB_NAMED_ROWS] = {"rows of transitions by name", sizeof(struct vd_pdb_named_row)},
    [VD_PDB_NAMED_TARGETS] = {"targets of transitions by name", 8},
    [VD_PDB_COND_TRANS] = {"conditional transitions", sizeof(struct vd_pdb_cond_trans)},
    [VD_PDB_XPERMS] = {"extended permissions", sizeof(struct vd_pdb_xperm)},
};

vd_status vd_pdb_bad(const struct vd_pdb_check *c, enum vd_pdb_section section, uint32_t row,
                     vd_status status, const char *text)
{
    struct vd_text t;
    bool mine = c->diag != NULL && c->diag->status == VD_OK;

    vd_diag_begin(c->diag, status, &t);
    if (!mine)
        return status;
    c->diag->offset = c->head->sections[section].offset + (uint64_t)row * specs[section].row_size;
    c->diag->has_offset = true;
    vd_text_str(&t, specs[section].name);
    vd_text_str(&t, ", row ");
    vd_text_u64(&t, row);
    vd_text_str(&t, ": ");
    vd_text_str(&t, text);
    return status;
}

#define AT(field) offsetof(struct vd_pdb_header, field)

/* Of a cut policy as much of the magic as there is. */
static bool has_magic(const void *data, size_t size)
{
    return size == 0 || __builtin_memcmp(data, VD_PDB_MAGIC, size < 8 ? size : 8) == 0;
}

static vd_status no_magic(struct vd_diag *diag)
{
    return vd_diag_fail_at(diag, VD_E_MAGIC, 0,
                           "not a compiled policy: expected the magic VDPOLICY");
}

static vd_status check_frame(struct vd_pdb_check *c, size_t size)
{
    const struct vd_pdb_header *head = c->head;

    if (!has_magic(head->magic, sizeof(head->magic)))
        return no_magic(c->diag);
    if (head->version != VD_PDB_VERSION)
        return vd_diag_fail_at(c->diag, VD_E_VERSION, AT(version),
                               "this version of the policy format is not known: expected 2");
    if (head->header_size != VD_PDB_HEADER_SIZE)
        return vd_diag_fail_at(c->diag, VD_E_RANGE, AT(header_size),
                               "the header's size is not 832 bytes");
    if (head->total_size > size)
        return vd_diag_fail_at(c->diag, VD_E_TRUNCATED, size,
                               "the policy is shorter than its header says");
    if (head->total_size < size)
        return vd_diag_fail_at(c->diag, VD_E_TRAILING, head->total_size,
                               "there is data after the policy's end");
    if (head->checksum != vd_pdb_scan(c))
        return vd_diag_fail_at(c->diag, VD_E_CHECKSUM, AT(checksum),
                               "the checksum does not fit the content: the policy is damaged");
    return VD_OK;
}

struct header_limit {
    uint32_t offset;
    uint32_t min, max;
    const char *text;
};

static const struct header_limit limits[] = {
    {AT(classes), 1, VD_PDB_MAX_CLASSES + 1, "classes: expected 1 to 1025 rows"},
    {AT(types), 1, VD_PDB_MAX_TYPES, "types: expected 1 to 2^20 rows"},
    {AT(roles), 2, VD_PDB_MAX_ROLES, "roles: expected 2 to 4096 rows"},
    {AT(users), 1, VD_PDB_MAX_USERS, "users: expected 1 to 65536 rows"},
    {AT(buckets), 1, 1u << 24, "buckets: expected 1 to 2^24"},
    {AT(sens), 0, VD_PDB_MAX_SENS + 1, "sensitivities: expected at most 1025 rows"},
    {AT(cats), 0, VD_MLS_CATS_MAX, "categories: expected at most 1024"},
};

static vd_status check_counts(const struct vd_pdb_check *c)
{
    const struct vd_pdb_header *head = c->head;
    uint32_t known = VD_PDB_MLS | VD_PDB_UNKNOWN_REJECT | VD_PDB_UNKNOWN_ALLOW;
    uint32_t both = VD_PDB_UNKNOWN_REJECT | VD_PDB_UNKNOWN_ALLOW;

    if ((head->flags & ~known) != 0 || (head->flags & both) == both)
        return vd_diag_fail_at(c->diag, VD_E_RESERVED, AT(flags), "flags that have no meaning");
    for (size_t i = 0; i < VD_COUNT(limits); i++) {
        uint32_t value;
        __builtin_memcpy(&value, c->base + limits[i].offset, sizeof(value));
        if (value < limits[i].min || value > limits[i].max)
            return vd_diag_fail_at(c->diag, VD_E_LIMIT, limits[i].offset, limits[i].text);
    }
    if (head->blocks != (head->types + VD_PDB_BLOCK_TYPES - 1) / VD_PDB_BLOCK_TYPES)
        return vd_diag_fail_at(c->diag, VD_E_RANGE, AT(blocks),
                               "blocks of a row: expected a block for each 64 types");
    if ((head->buckets & (head->buckets - 1)) != 0)
        return vd_diag_fail_at(c->diag, VD_E_RANGE, AT(buckets), "buckets: not a power of two");
    if ((head->flags & VD_PDB_MLS) != 0 && head->sens < 2)
        return vd_diag_fail_at(c->diag, VD_E_RANGE, AT(sens),
                               "a policy with MLS has no sensitivity");
    return VD_OK;
}

static bool all_zero(const uint8_t *bytes, size_t size)
{
    uint8_t any = 0;

    for (size_t i = 0; i < size; i++)
        any |= bytes[i];
    return any == 0;
}

/* Back to back, aligned, padded with zero, the last one's end padded to the blob's end. */
static vd_status check_sections(const struct vd_pdb_check *c)
{
    uint32_t end = VD_PDB_HEADER_SIZE;

    for (uint32_t i = 0; i < VD_PDB_SECTION_MAX; i++) {
        const struct vd_pdb_section_row *s = &c->head->sections[i];
        uint64_t place = AT(sections) + (uint64_t)i * sizeof(*s);
        uint32_t start = (end + VD_PDB_ALIGN - 1) & ~(VD_PDB_ALIGN - 1);

        if (i >= VD_PDB_SECTION_COUNT || specs[i].name == NULL) {
            if (s->offset != 0 || s->size != 0 || s->count != 0 || s->reserved != 0)
                return vd_diag_fail_at(c->diag, VD_E_RESERVED, place,
                                       "a section that has no meaning is not zero");
            continue;
        }
        if (s->reserved != 0)
            return vd_diag_fail_at(c->diag, VD_E_RESERVED, place, "a reserved field is not zero");
        if (s->offset != start)
            return vd_diag_fail_at(c->diag, s->offset < start ? VD_E_OVERLAP : VD_E_RANGE, place,
                                   "the section does not start where the one before it ends");
        if (!vd_range_within(s->offset, s->size, c->size))
            return vd_diag_fail_at(c->diag, VD_E_OVERFLOW, place,
                                   "the section reaches beyond the policy's end");
        if (s->size != (uint64_t)s->count * specs[i].row_size)
            return vd_diag_fail_at(c->diag, VD_E_RANGE, place,
                                   "the section's size does not fit the number of its rows");
        if (!all_zero(c->base + end, s->offset - end))
            return vd_diag_fail_at(c->diag, VD_E_RESERVED, end, "padding is not zero");
        end = s->offset + s->size;
    }
    if (c->size != ((end + VD_PDB_ALIGN - 1) & ~(VD_PDB_ALIGN - 1)))
        return vd_diag_fail_at(c->diag, VD_E_TRAILING, end, "there is data after the last section");
    if (!all_zero(c->base + end, c->size - end))
        return vd_diag_fail_at(c->diag, VD_E_RESERVED, end, "padding is not zero");
    return VD_OK;
}

/* The tables whose number of rows the header gives a second time. */
static vd_status check_table_sizes(const struct vd_pdb_check *c)
{
    const struct vd_pdb_header *head = c->head;
    const struct {
        enum vd_pdb_section section;
        uint64_t rows;
    } exact[] = {
        {VD_PDB_CLASSES, head->classes},
        {VD_PDB_ROLES, head->roles},
        {VD_PDB_USERS, head->users},
        {VD_PDB_SENS, head->sens},
        {VD_PDB_CATS, head->cats},
        {VD_PDB_TE_ROOT, (uint64_t)head->types * head->classes},
        {VD_PDB_ROLE_ALLOW, (uint64_t)head->roles * VD_BITMAP_WORDS(head->roles)},
        {VD_PDB_TRANSITIONS, (uint64_t)head->buckets * VD_PDB_BUCKET_SLOTS},
    };

    for (size_t i = 0; i < VD_COUNT(exact); i++) {
        if (vd_pdb_rows_count(c, exact[i].section) != exact[i].rows)
            return vd_pdb_bad(c, exact[i].section, 0, VD_E_RANGE,
                              "the number of rows is not the header's");
    }
    if (vd_pdb_rows_count(c, VD_PDB_TYPES) < head->types ||
        vd_pdb_rows_count(c, VD_PDB_TYPES) > VD_PDB_MAX_TYPES)
        return vd_pdb_bad(c, VD_PDB_TYPES, 0, VD_E_RANGE,
                          "the number of rows is not that of types and attributes");
    if (vd_pdb_rows_count(c, VD_PDB_BOOLS) > VD_PDB_MAX_BOOLS)
        return vd_pdb_bad(c, VD_PDB_BOOLS, 0, VD_E_LIMIT, "more than 4096 rows");
    return VD_OK;
}

size_t vd_policydb_extent(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint32_t total;

    if (size < VD_PDB_HEADER_SIZE || __builtin_memcmp(bytes, VD_PDB_MAGIC, 8) != 0)
        return size;
    __builtin_memcpy(&total, bytes + AT(total_size), sizeof(total));
    if (total < VD_PDB_HEADER_SIZE || total % VD_PDB_ALIGN != 0 ||
        !vd_range_within(total, sizeof(VD_PDB_RULEBOOK_MAGIC) - 1, size))
        return size;
    return __builtin_memcmp(bytes + total, VD_PDB_RULEBOOK_MAGIC, 8) == 0 ? total : size;
}

vd_status vd_policydb_open(struct vd_policydb *ret, const void *data, size_t size,
                           struct vd_diag *diag)
{
    struct vd_pdb_check c = {.base = data, .head = data, .diag = diag};

    if (((uintptr_t)data & (VD_PDB_ALIGN - 1)) != 0)
        return vd_diag_fail(diag, VD_E_USAGE, "the policy is not aligned to 8 bytes in memory");
    if (size < VD_PDB_HEADER_SIZE && !has_magic(data, size))
        return no_magic(diag);
    if (size < VD_PDB_HEADER_SIZE)
        return vd_diag_fail_at(diag, VD_E_TRUNCATED, size,
                               "too short for a compiled policy: the header has 832 bytes");
    if (size > VD_PDB_MAX_SIZE)
        return vd_diag_fail_at(diag, VD_E_LIMIT, VD_PDB_MAX_SIZE,
                               "larger than a compiled policy may be: 512 MiB");
    c.size = (uint32_t)size;
    VD_TRY(check_frame(&c, size));
    VD_TRY(check_counts(&c));
    VD_TRY(check_sections(&c));
    VD_TRY(check_table_sizes(&c));
    VD_TRY(vd_pdb_check_names(&c));
    VD_TRY(vd_pdb_check_contexts(&c));
    VD_TRY(vd_pdb_check_rules(&c));
    VD_TRY(vd_pdb_check_constraints(&c));
    VD_TRY(vd_pdb_check_conditions(&c));
    VD_TRY(vd_pdb_check_labels(&c));
    VD_TRY(vd_pdb_check_named(&c));
    VD_TRY(vd_pdb_check_xperms(&c));
    *ret = (struct vd_policydb){.base = data, .size = c.size};
    return VD_OK;
}
