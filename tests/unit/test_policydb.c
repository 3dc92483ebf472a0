/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/policydb/policydb.h"

#include "core/policydb/conditional.h"
#include "core/policydb/policycap.h"
#include "tests/harness.h"
#include "tests/support/policy_builder.h"
#include "tests/support/small_policy.h"

#include <stdlib.h>

static uint8_t *blob;
static size_t size;

static void setup(void)
{
    free(blob);
    blob = small_policy(&size);
}

static struct vd_pdb_header *head(void)
{
    return (struct vd_pdb_header *)blob;
}

static void *row_at(enum vd_pdb_section section, uint32_t row_size, uint32_t row)
{
    return blob + head()->sections[section].offset + (size_t)row * row_size;
}

static void repair(void)
{
    head()->checksum = vd_policydb_checksum(blob, (uint32_t)size);
}

static vd_status try_open(struct vd_diag *diag)
{
    struct vd_policydb db = {};
    vd_status status = vd_policydb_open(&db, blob, size, diag);

    if (status != VD_OK && (db.base != NULL || (diag != NULL && diag->text[0] == '\0')))
        vd_test_fail(__FILE__, __LINE__, "a refused policy was handed out, or without a reason");
    return status;
}

VD_TEST(policydb_opens_the_small_policy)
{
    struct vd_policydb db;
    uint32_t number;
    struct vd_context kernel;

    setup();
    VD_EXPECT_EQ(vd_policydb_open(&db, blob, size, NULL), VD_OK);
    VD_EXPECT_EQ(vd_policydb_find(&db, VD_SYM_TYPE, "secret_t", 8, &number), VD_OK);
    VD_EXPECT_EQ(number, SP_SECRET_T);
    VD_EXPECT_EQ(vd_policydb_find(&db, VD_SYM_TYPE, "application_t", 13, &number), VD_OK);
    VD_EXPECT_EQ(number, SP_APP_T);
    VD_EXPECT_EQ(vd_policydb_find(&db, VD_SYM_TYPE, "secret_tx", 9, &number), VD_E_NOT_FOUND);
    VD_EXPECT_EQ(vd_policydb_find(&db, VD_SYM_TYPE, "secret_t", 7, &number), VD_E_NOT_FOUND);
    VD_EXPECT_EQ(vd_policydb_find(&db, VD_SYM_ROLE, "secret_t", 8, &number), VD_E_NOT_FOUND);
    VD_EXPECT_STR(vd_policydb_name(&db, VD_SYM_TYPE, SP_CHILD_T), "child_t");
    VD_EXPECT_STR(vd_policydb_name(&db, VD_SYM_CAT, 0), "c0");
    VD_EXPECT_STR(vd_policydb_name(&db, VD_SYM_TYPE, 0), "?");
    VD_EXPECT_STR(vd_policydb_name(&db, VD_SYM_TYPE, 4711), "?");
    VD_EXPECT_STR(vd_policydb_name(&db, (enum vd_pdb_symbol_kind)9, 1), "?");
    VD_EXPECT_STR(vd_policydb_string(&db, UINT32_MAX), "?");
    VD_EXPECT_STR(vd_policydb_perm_name(&db, SP_FILE, 3), "open");
    VD_EXPECT(vd_policydb_perm_name(&db, SP_FILE, 5) == NULL);
    VD_EXPECT(vd_policydb_perm_name(&db, 99, 0) == NULL);
    VD_EXPECT_EQ(vd_policydb_find_perm(&db, SP_FILE, "execute", 7, &number), VD_OK);
    VD_EXPECT_EQ(number, SP_EXECUTE);
    VD_EXPECT_EQ(vd_policydb_find_perm(&db, SP_FILE, "fork", 4, &number), VD_E_NOT_FOUND);
    VD_EXPECT_EQ(vd_policydb_initial(&db, "kernel", &kernel), VD_OK);
    VD_EXPECT_EQ(kernel.type, SP_INIT_T);
    VD_EXPECT_EQ(vd_policydb_initial(&db, "kernels", &kernel), VD_E_NOT_FOUND);
}

VD_TEST(policydb_refuses_every_shorter_and_longer_input)
{
    struct vd_policydb db;

    setup();
    for (size_t n = 0; n < size; n++) {
        uint8_t *copy = malloc(n + 1);
        memcpy(copy, blob, n);
        vd_status status = vd_policydb_open(&db, copy, n, NULL);
        free(copy);
        VD_EXPECT_EQ(status, VD_E_TRUNCATED);
    }
    blob = realloc(blob, size + 8);
    memset(blob + size, 0, 8);
    VD_EXPECT_EQ(vd_policydb_open(&db, blob, size + 8, NULL), VD_E_TRAILING);
    VD_EXPECT_EQ(vd_policydb_open(&db, blob + 1, size, NULL), VD_E_USAGE);
    VD_EXPECT_EQ(vd_policydb_open(&db, blob, (size_t)VD_PDB_MAX_SIZE + 1, NULL), VD_E_LIMIT);
}

VD_TEST(policydb_checksum_finds_every_changed_byte)
{
    setup();
    for (size_t i = 0; i < size; i++) {
        blob[i] ^= 0x40;
        VD_EXPECT(try_open(NULL) != VD_OK);
        blob[i] ^= 0x40;
    }
    VD_EXPECT_EQ(try_open(NULL), VD_OK);
}

/* A field that gets a value which must be refused, with the checksum repaired. */
struct damage {
    const char *what;
    enum vd_pdb_section section; /* SECTION_COUNT: the header itself */
    uint32_t row_size, row, field, width, value;
    vd_status status;
};

#define H(field_, value_, status_)                                                              \
    {                                                                                           \
#field_, VD_PDB_SECTION_COUNT, 0, 0, offsetof(struct vd_pdb_header, field_), 4, value_, \
            status_                                                                             \
    }
#define R(section_, type_, row_, field_, value_, status_)                                        \
    {                                                                                            \
#section_ " " #field_, VD_PDB_##section_, sizeof(struct type_), row_,                    \
            offsetof(struct type_, field_), sizeof(((struct type_ *)0)->field_), value_, status_ \
    }
#define W(section_, row_, value_, status_)                           \
    {                                                                \
#section_, VD_PDB_##section_, 4, row_, 0, 4, value_, status_ \
    }

static const struct damage damages[] = {
    H(magic, 0x58585858, VD_E_MAGIC),
    H(version, 1, VD_E_VERSION),
    H(header_size, VD_PDB_HEADER_SIZE - 1, VD_E_RANGE),
    H(flags, 8, VD_E_RESERVED),
    H(flags, 7, VD_E_RESERVED),
    H(classes, 0, VD_E_LIMIT),
    H(classes, 4, VD_E_RANGE),
    H(classes, VD_PDB_MAX_CLASSES + 2, VD_E_LIMIT),
    H(types, 0, VD_E_LIMIT),
    H(types, 9, VD_E_RANGE),
    H(types, UINT32_MAX, VD_E_LIMIT),
    H(roles, 1, VD_E_LIMIT),
    H(roles, 65536, VD_E_LIMIT),
    H(users, 0, VD_E_LIMIT),
    H(users, 1u << 17, VD_E_LIMIT),
    H(users, 2, VD_E_RANGE),
    H(blocks, 2, VD_E_RANGE),
    H(buckets, 0, VD_E_LIMIT),
    H(buckets, 3, VD_E_RANGE),
    H(buckets, 1u << 25, VD_E_LIMIT),
    H(sens, 1, VD_E_RANGE),
    H(sens, 5000, VD_E_LIMIT),
    H(cats, 4, VD_E_RANGE),
    H(cats, 1025, VD_E_LIMIT),
    H(sections[0].offset, VD_PDB_HEADER_SIZE - 8, VD_E_OVERLAP),
    H(sections[0].offset, VD_PDB_HEADER_SIZE + 8, VD_E_RANGE),
    H(sections[1].offset, 8, VD_E_OVERLAP),
    H(sections[3].size, UINT32_MAX, VD_E_OVERFLOW),
    H(sections[3].size, 0, VD_E_RANGE),
    H(sections[3].count, UINT32_MAX, VD_E_RANGE),
    H(sections[3].reserved, 1, VD_E_RESERVED),
    H(sections[VD_PDB_SECTION_MAX - 1].count, 1, VD_E_RESERVED),
    H(sections[VD_PDB_SECTION_COUNT].offset, 8, VD_E_RESERVED),

    R(CLASSES, vd_pdb_class, 0, flags, 1, VD_E_RESERVED),
    R(CLASSES, vd_pdb_class, 2, name, UINT32_MAX, VD_E_RANGE),
    R(CLASSES, vd_pdb_class, 2, perm_count, 33, VD_E_RANGE),
    R(CLASSES, vd_pdb_class, 2, perm_first, 9999, VD_E_RANGE),
    R(CLASSES, vd_pdb_class, 4, perm_first, UINT32_MAX, VD_E_RANGE),
    R(CLASSES, vd_pdb_class, 2, role_perms, 32, VD_E_RANGE),
    R(CLASSES, vd_pdb_class, 2, flags, 4, VD_E_RESERVED),
    R(CLASSES, vd_pdb_class, 2, flags, 0x30, VD_E_RESERVED),
    R(CLASSES, vd_pdb_class, 2, flags, 0xc0, VD_E_RESERVED),
    R(CLASSES, vd_pdb_class, 2, flags, 0x300, VD_E_RESERVED),
    R(CLASSES, vd_pdb_class, 2, reserved, 1, VD_E_RESERVED),
    R(CLASSES, vd_pdb_class, 2, node_first, UINT32_MAX, VD_E_LIMIT),
    R(CLASSES, vd_pdb_class, 2, node_count, VD_PDB_MAX_NODES + 1, VD_E_LIMIT),
    R(CLASSES, vd_pdb_class, 2, node_count, 1, VD_E_INVALID),
    R(CLASSES, vd_pdb_class, 2, node_first, 1, VD_E_INVALID),
    R(CLASSES, vd_pdb_class, 2, vtrans_count, 1, VD_E_INVALID),
    R(CLASSES, vd_pdb_class, 2, vtrans_first, 0, VD_E_INVALID),
    W(PERMS, 0, 0, VD_E_RANGE),
    W(PERMS, 0, UINT32_MAX, VD_E_RANGE),

    R(TYPES, vd_pdb_type, 3, flags, 8, VD_E_RESERVED),
    R(TYPES, vd_pdb_type, 3, flags, VD_PDB_TYPE_ATTRIBUTE, VD_E_RANGE),
    R(TYPES, vd_pdb_type, 3, bounds, 8, VD_E_RANGE),
    R(TYPES, vd_pdb_type, 3, bounds, 3, VD_E_LIMIT),
    R(TYPES, vd_pdb_type, 3, bitmap, 1, VD_E_RANGE),
    R(TYPES, vd_pdb_type, 3, name, 0, VD_E_RESERVED),
    R(ROLES, vd_pdb_role, 2, types, 9999, VD_E_RANGE),
    R(ROLES, vd_pdb_role, 2, dominates, UINT32_MAX, VD_E_RANGE),
    R(ROLES, vd_pdb_role, 2, reserved, 1, VD_E_RESERVED),
    R(USERS, vd_pdb_user, 1, roles, 9999, VD_E_RANGE),
    R(USERS, vd_pdb_user, 1, low, 3, VD_E_RANGE),
    R(USERS, vd_pdb_user, 1, high, UINT32_MAX, VD_E_RANGE),
    R(USERS, vd_pdb_user, 1, default_level, 3, VD_E_RANGE),
    R(USERS, vd_pdb_user, 1, reserved, 1, VD_E_RESERVED),
    R(SENS, vd_pdb_sens, 1, cats, 9999, VD_E_RANGE),
    R(BOOLS, vd_pdb_bool, 1, value, 2, VD_E_RANGE),
    R(SYMBOLS, vd_pdb_symbol, 0, kind, 0, VD_E_RANGE),
    R(SYMBOLS, vd_pdb_symbol, 0, kind, 8, VD_E_RANGE),
    R(SYMBOLS, vd_pdb_symbol, 0, kind, VD_SYM_TYPE, VD_E_RANGE),
    R(SYMBOLS, vd_pdb_symbol, 0, name, 0, VD_E_RANGE),
    R(SYMBOLS, vd_pdb_symbol, 0, value, 99, VD_E_RANGE),
    R(SYMBOLS, vd_pdb_symbol, 0, reserved, 1, VD_E_RESERVED),
    R(LEVELS, vd_mls_level, 1, sens, 3, VD_E_RANGE),
    R(LEVELS, vd_mls_level, 1, sens, 0, VD_E_RANGE),
    R(LEVELS, vd_mls_level, 1, reserved, 1, VD_E_RANGE),
    R(LEVELS, vd_mls_level, 1, cats[0], 32, VD_E_RANGE),
    R(LEVELS, vd_mls_level, 1, cats[15], 1, VD_E_RANGE),
    R(CONTEXTS, vd_context, 0, user, 0, VD_E_RANGE),
    R(CONTEXTS, vd_context, 0, role, 5, VD_E_RANGE),
    R(CONTEXTS, vd_context, 0, type, 8, VD_E_RANGE),
    R(CONTEXTS, vd_context, 0, reserved, 1, VD_E_RANGE),
    R(CONTEXTS, vd_context, 0, high.sens, 9, VD_E_RANGE),
    R(INITIAL, vd_pdb_initial, 0, context, 1, VD_E_RANGE),
    R(INITIAL, vd_pdb_initial, 0, name, 0, VD_E_RANGE),
    R(RANGES, vd_pdb_range, 0, low, 3, VD_E_RANGE),
    R(RANGES, vd_pdb_range, 0, high, UINT32_MAX, VD_E_RANGE),

    W(TE_ROOT, 9, 9999, VD_E_RANGE),
    W(TE_ROWS, 0, 1, VD_E_RANGE),
    W(TE_ROWS, 1, 9999, VD_E_RANGE),
    W(TE_BLOCKS, 0, 1, VD_E_RANGE),
    W(TE_BLOCKS, 70, 9999, VD_E_RANGE),
    R(TE_LEAVES, vd_pdb_leaf, 0, allowed, 1, VD_E_RANGE),
    R(TE_LEAVES, vd_pdb_leaf, 1, base_allowed, 0x80000000, VD_E_RANGE),
    R(TE_LEAVES, vd_pdb_leaf, 1, cond_first, 1, VD_E_RANGE),
    R(TE_LEAVES, vd_pdb_leaf, 1, cond_count, 9999, VD_E_RANGE),
    R(COND_RULES, vd_pdb_cond_rule, 0, branch, 2, VD_E_INVALID),
    R(COND_RULES, vd_pdb_cond_rule, 0, cond_count, 0, VD_E_INVALID),
    R(COND_RULES, vd_pdb_cond_rule, 0, cond_count, 257, VD_E_INVALID),
    R(COND_RULES, vd_pdb_cond_rule, 0, cond_first, UINT32_MAX, VD_E_INVALID),
    R(COND_NODES, vd_pdb_cond_node, 0, op, 0, VD_E_INVALID),
    R(COND_NODES, vd_pdb_cond_node, 0, op, 8, VD_E_INVALID),
    R(COND_NODES, vd_pdb_cond_node, 0, op, VD_COND_AND, VD_E_INVALID),
    R(COND_NODES, vd_pdb_cond_node, 0, value, 0, VD_E_INVALID),
    R(COND_NODES, vd_pdb_cond_node, 0, value, 2, VD_E_INVALID),

    /* file: BEGIN ATTR END BEGIN ATTR ATTR ATTR NAMES AND AND OR END, then socket's, file's vtrans */
    R(NODES, vd_pdb_node, 0, op, VD_CX_NOT, VD_E_INVALID),
    R(NODES, vd_pdb_node, 0, arg, 0, VD_E_INVALID),
    R(NODES, vd_pdb_node, 0, arg, 0x80, VD_E_INVALID),
    R(NODES, vd_pdb_node, 0, rel, 1, VD_E_INVALID),
    R(NODES, vd_pdb_node, 0, left, 1, VD_E_INVALID),
    R(NODES, vd_pdb_node, 0, right, 255, VD_E_INVALID),
    R(NODES, vd_pdb_node, 1, op, VD_CX_BEGIN, VD_E_INVALID),
    R(NODES, vd_pdb_node, 1, op, VD_CX_AND, VD_E_INVALID),
    R(NODES, vd_pdb_node, 1, op, 99, VD_E_INVALID),
    R(NODES, vd_pdb_node, 1, rel, 0, VD_E_INVALID),
    R(NODES, vd_pdb_node, 1, rel, 6, VD_E_INVALID),
    R(NODES, vd_pdb_node, 1, left, VD_PART_H2, VD_E_INVALID),
    R(NODES, vd_pdb_node, 1, left, 99, VD_E_INVALID),
    R(NODES, vd_pdb_node, 1, arg, 1, VD_E_INVALID),
    R(NODES, vd_pdb_node, 2, op, VD_CX_OR, VD_E_INVALID),
    R(NODES, vd_pdb_node, 2, left, 1, VD_E_INVALID),
    R(NODES, vd_pdb_node, 2, arg, SP_OPEN, VD_E_INVALID),
    R(NODES, vd_pdb_node, 7, arg, 9999, VD_E_INVALID),
    R(NODES, vd_pdb_node, 7, rel, VD_REL_DOM, VD_E_INVALID),
    R(NODES, vd_pdb_node, 7, left, VD_PART_L1, VD_E_INVALID),
    R(NODES, vd_pdb_node, 7, left, VD_PART_T3, VD_E_INVALID),
    R(NODES, vd_pdb_node, 7, right, 1, VD_E_INVALID),
    R(NODES, vd_pdb_node, 8, op, VD_CX_NOT, VD_E_INVALID),
    R(NODES, vd_pdb_node, 8, arg, 1, VD_E_INVALID),

    W(POLICYCAPS, 0, 1u << VD_POLICYCAP_COUNT, VD_E_RANGE),
    H(sections[VD_PDB_LABEL_TEXT].reserved, 1, VD_E_RESERVED),
    R(FS_USE, vd_pdb_fs_use, 0, name, 0, VD_E_RANGE),
    R(FS_USE, vd_pdb_fs_use, 0, name, 9999, VD_E_RANGE),
    R(FS_USE, vd_pdb_fs_use, 0, kind, 0, VD_E_RANGE),
    R(FS_USE, vd_pdb_fs_use, 0, kind, 4, VD_E_RANGE),
    R(FS_USE, vd_pdb_fs_use, 0, context, 1, VD_E_RANGE),
    R(FS_USE, vd_pdb_fs_use, 0, reserved, 1, VD_E_RANGE),
    R(GENFS, vd_pdb_genfs, 0, name, 0, VD_E_RANGE),
    R(GENFS, vd_pdb_genfs, 0, path, UINT32_MAX, VD_E_RANGE),
    R(GENFS, vd_pdb_genfs, 1, path, 1, VD_E_RANGE), /* "proc" */
    R(GENFS, vd_pdb_genfs, 0, class, 99, VD_E_RANGE),
    R(GENFS, vd_pdb_genfs, 0, context, 1, VD_E_RANGE),
    R(PORTS, vd_pdb_port, 0, protocol, 1, VD_E_RANGE),
    R(PORTS, vd_pdb_port, 0, low, 444, VD_E_RANGE),
    R(PORTS, vd_pdb_port, 0, high, 65536, VD_E_RANGE),
    R(PORTS, vd_pdb_port, 0, context, 1, VD_E_RANGE),
    R(NETIFS, vd_pdb_netif, 0, name, 0, VD_E_RANGE),
    R(NETIFS, vd_pdb_netif, 0, context, 1, VD_E_RANGE),
    R(NETIFS, vd_pdb_netif, 0, packets, 1, VD_E_RANGE),
    R(NETIFS, vd_pdb_netif, 0, reserved, 1, VD_E_RANGE),
    R(NETNODES, vd_pdb_netnode, 0, family, 5, VD_E_RANGE),
    R(NETNODES, vd_pdb_netnode, 0, address[4], 1, VD_E_RANGE),
    R(NETNODES, vd_pdb_netnode, 0, mask[15], 1, VD_E_RANGE),
    R(NETNODES, vd_pdb_netnode, 1, context, 1, VD_E_RANGE),
    R(IBPKEYS, vd_pdb_ibpkey, 0, low, 0x8000, VD_E_RANGE),
    R(IBPKEYS, vd_pdb_ibpkey, 0, high, 65536, VD_E_RANGE),
    R(IBPKEYS, vd_pdb_ibpkey, 0, context, 1, VD_E_RANGE),
    R(IBPKEYS, vd_pdb_ibpkey, 0, reserved, 1, VD_E_RANGE),
    R(IBENDPORTS, vd_pdb_ibendport, 0, device, 0, VD_E_RANGE),
    R(IBENDPORTS, vd_pdb_ibendport, 0, port, 0, VD_E_RANGE),
    R(IBENDPORTS, vd_pdb_ibendport, 0, port, 256, VD_E_RANGE),
    R(IBENDPORTS, vd_pdb_ibendport, 0, context, 1, VD_E_RANGE),
    R(IBENDPORTS, vd_pdb_ibendport, 0, reserved, 1, VD_E_RANGE),
};

VD_TEST(policydb_refuses_every_kind_of_damage)
{
    for (size_t i = 0; i < VD_COUNT(damages); i++) {
        const struct damage *d = &damages[i];
        struct vd_diag diag = {};
        vd_status status;
        uint8_t *field;

        setup();
        field = d->section == VD_PDB_SECTION_COUNT
                    ? blob + d->field
                    : (uint8_t *)row_at(d->section, d->row_size, d->row) + d->field;
        memset(field, 0, d->width);
        memcpy(field, &d->value, d->width < 4 ? d->width : 4);
        repair();
        status = try_open(&diag);
        if (status != d->status || !diag.has_offset)
            vd_test_fail(__FILE__, __LINE__, "row %zu, %s = %u: %s (%s), expected %s", i, d->what,
                         d->value, vd_status_name(status), diag.text, vd_status_name(d->status));
    }
}

VD_TEST(policydb_refuses_bad_strings)
{
    uint32_t at, count;

    setup();
    at = head()->sections[VD_PDB_STRINGS].offset;
    count = head()->sections[VD_PDB_STRINGS].count;
    for (uint32_t value = 0; value < 256; value++) {
        bool good = value > 0x20 && value < 0x7f && value != ':';
        setup();
        blob[at + 1] = (uint8_t)value; /* the first letter of object_r */
        repair();
        /* Another letter may also break the symbols' order, an end makes the name empty. */
        VD_EXPECT(good ? try_open(NULL) == VD_OK || try_open(NULL) == VD_E_RANGE
                       : try_open(NULL) == (value == 0 ? VD_E_RANGE : VD_E_SYNTAX));
    }
    setup();
    blob[at] = 'x';
    repair();
    VD_EXPECT_EQ(try_open(NULL), VD_E_RANGE);
    setup();
    blob[at + count - 1] = 'x';
    repair();
    VD_EXPECT_EQ(try_open(NULL), VD_E_RANGE);
}

VD_TEST(policydb_refuses_long_names)
{
    for (size_t len = VD_PDB_MAX_NAME; len <= VD_PDB_MAX_NAME + 1; len++) {
        struct pb *pb = pb_new(0);
        char name[VD_PDB_MAX_NAME + 2] = {};
        memset(name, 'n', len);
        pb_class(pb, "file", "read", 0);
        pb_type(pb, name);
        free(blob);
        blob = pb_finish(pb, &size);
        VD_EXPECT_EQ(try_open(NULL), len > VD_PDB_MAX_NAME ? VD_E_RANGE : VD_OK);
    }
}

/* Each number in use is found by its own name; an alias, which is another name, is not enough. */
VD_TEST(policydb_refuses_what_has_no_symbol)
{
    struct vd_pdb_symbol *symbols;
    struct vd_diag diag = {};
    uint32_t count, tried = 0;

    setup();
    count = head()->sections[VD_PDB_SYMBOLS].count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t other, j;

        setup();
        symbols = row_at(VD_PDB_SYMBOLS, sizeof(*symbols), 0);
        /* The symbol becomes another name of its neighbour. */
        other = i + 1 < count && symbols[i + 1].kind == symbols[i].kind ? i + 1 : i - 1;
        if (other >= count || symbols[other].kind != symbols[i].kind)
            continue;
        for (j = 0; j < count; j++) {
            if (j != i && symbols[j].kind == symbols[i].kind &&
                symbols[j].value == symbols[i].value)
                break;
        }
        if (j < count)
            continue; /* it has an alias, or is one */
        symbols[i].value = symbols[other].value;
        repair();
        diag = (struct vd_diag){};
        VD_EXPECT_EQ(try_open(&diag), VD_E_RANGE);
        VD_EXPECT(strstr(diag.text, "no symbol has its name") != NULL);
        tried++;
    }
    VD_EXPECT(tried > 4);
}

VD_TEST(policydb_refuses_padding_that_is_not_zero)
{
    uint32_t tried = 0;

    setup();
    for (uint32_t i = 0; i < VD_PDB_SECTION_COUNT; i++) {
        uint32_t end = head()->sections[i].offset + head()->sections[i].size;
        if (end % VD_PDB_ALIGN == 0)
            continue;
        blob[end] = 1;
        repair();
        VD_EXPECT_EQ(try_open(NULL), VD_E_RESERVED);
        blob[end] = 0;
        tried++;
    }
    VD_EXPECT(tried > 0);
}

VD_TEST(policydb_refuses_misplaced_transitions)
{
    struct vd_pdb_slot *slots, kept;
    uint32_t count, used = 0;

    setup();
    slots = row_at(VD_PDB_TRANSITIONS, sizeof(*slots), 0);
    count = head()->sections[VD_PDB_TRANSITIONS].count;
    while (used < count && slots[used].key != 0)
        used++;
    VD_EXPECT(used >= 2 && used < VD_PDB_BUCKET_SLOTS);
    const struct {
        uint32_t slot;
        struct vd_pdb_slot value;
        vd_status status;
    } rows[] = {
        {used, slots[0], VD_E_EXISTS},
        {used + 1, slots[0], VD_E_RANGE},
        {used, {.value = 1}, VD_E_RESERVED},
        {0, {.key = slots[0].key, .value = 0}, VD_E_RANGE},
        {0, {.key = slots[0].key, .value = 9999}, VD_E_RANGE},
        {0, {.key = slots[0].key, .value = 1, .reserved = 1}, VD_E_RANGE},
        {0, {.key = vd_pdb_trans_key(0, 1, 1, 1), .value = 1}, VD_E_RANGE},
        {0, {.key = vd_pdb_trans_key(6, 1, 1, 1), .value = 1}, VD_E_RANGE},
        {0, {.key = vd_pdb_trans_key(VD_TRANS_TYPE, 8, 1, 1), .value = 1}, VD_E_RANGE},
        {0, {.key = vd_pdb_trans_key(VD_TRANS_TYPE, 0, 1, 1), .value = 1}, VD_E_RANGE},
        {0, {.key = vd_pdb_trans_key(VD_TRANS_TYPE, 1, 8, 1), .value = 1}, VD_E_RANGE},
        {0, {.key = vd_pdb_trans_key(VD_TRANS_TYPE, 1, 0, 1), .value = 1}, VD_E_RANGE},
        {0, {.key = vd_pdb_trans_key(VD_TRANS_TYPE, 1, 1, 9), .value = 1}, VD_E_RANGE},
        {0, {.key = vd_pdb_trans_key(VD_TRANS_TYPE, 1, 1, 0), .value = 1}, VD_E_RANGE},
        {0, {.key = vd_pdb_trans_key(VD_TRANS_ROLE, 5, 1, 1), .value = 1}, VD_E_RANGE},
        {0, {.key = vd_pdb_trans_key(VD_TRANS_ROLE, 1, 1, 1), .value = 5}, VD_E_RANGE},
        {0, {.key = vd_pdb_trans_key(VD_TRANS_RANGE, 1, 1, 1), .value = 2}, VD_E_RANGE},
    };

    for (size_t i = 0; i < VD_COUNT(rows); i++) {
        kept = slots[rows[i].slot];
        slots[rows[i].slot] = rows[i].value;
        repair();
        VD_EXPECT_EQ(try_open(NULL), rows[i].status);
        slots[rows[i].slot] = kept;
    }
}

VD_TEST(policydb_limits_the_stack_and_the_bounds)
{
    for (uint32_t depth = VD_PDB_MAX_DEPTH; depth <= VD_PDB_MAX_DEPTH + 1; depth++) {
        struct vd_pdb_node nodes[2 * VD_PDB_MAX_DEPTH + 2];
        uint32_t n = 0;
        struct pb *pb = pb_new(0);
        pb_class(pb, "file", "read", 0);
        for (uint32_t i = 0; i < depth; i++)
            nodes[n++] = (struct vd_pdb_node){
                .op = VD_CX_ATTR, .rel = VD_REL_EQ, .left = VD_PART_U1, .right = VD_PART_U2};
        for (uint32_t i = 1; i < depth; i++)
            nodes[n++] = (struct vd_pdb_node){.op = VD_CX_AND};
        pb_constraint(pb, 1, 1, nodes, n);
        free(blob);
        blob = pb_finish(pb, &size);
        VD_EXPECT_EQ(try_open(NULL), depth > VD_PDB_MAX_DEPTH ? VD_E_INVALID : VD_OK);
    }
    for (uint32_t steps = VD_PDB_MAX_BOUNDS; steps <= VD_PDB_MAX_BOUNDS + 1; steps++) {
        struct pb *pb = pb_new(0);
        pb_class(pb, "file", "read", 0);
        for (uint32_t i = 0; i <= steps; i++) {
            char name[] = {'t', (char)('0' + i), 0};
            uint32_t type = pb_type(pb, name);
            ((struct vd_pdb_type *)pb_at(pb, VD_PDB_TYPES, type))->bounds = type - 1;
        }
        free(blob);
        blob = pb_finish(pb, &size);
        VD_EXPECT_EQ(try_open(NULL), steps > VD_PDB_MAX_BOUNDS ? VD_E_LIMIT : VD_OK);
    }
}
