/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/policydb/verify.h"

#include "core/base/crc64.h"

/*
 * True if every index is below `limit`, which is at most 2^31. Sixteen at a time: these
 * tables are most of a policy. The top bit of x or of limit - 1 - x tells that x is not.
 */
static bool all_below(const uint32_t *rows, uint32_t count, uint32_t limit)
{
    typedef uint32_t lane __attribute__((vector_size(16)));
    const lane most = {limit - 1, limit - 1, limit - 1, limit - 1};
    lane any[4] = {};
    uint32_t i = 0, rest = 0;

    for (; count - i >= 16; i += 16) {
        lane x[4];

        __builtin_memcpy(x, rows + i, sizeof(x));
        any[0] |= x[0] | (most - x[0]);
        any[1] |= x[1] | (most - x[1]);
        any[2] |= x[2] | (most - x[2]);
        any[3] |= x[3] | (most - x[3]);
    }
    for (; i < count; i++)
        rest |= rows[i] | (limit - 1 - rows[i]);
    any[0] |= any[1] | any[2] | any[3];
    return ((any[0][0] | any[0][1] | any[0][2] | any[0][3] | rest) >> 31) == 0;
}

/* Bytes that stay in the processor's cache between the checksum and the look. */
#define PIECE (128u << 10)

static void begin_scan(struct vd_pdb_check *c, uint32_t scan, enum vd_pdb_section section,
                       uint32_t limit)
{
    const struct vd_pdb_section_row *row = &c->head->sections[section];

    c->scans[scan] = (struct vd_pdb_scan){.limit = limit, .below = true};
    if (limit == 0 || limit > 1u << 31 || row->offset % 8 != 0 || row->offset > c->size ||
        row->size > c->size - row->offset)
        return;
    c->scans[scan].from = row->offset;
    c->scans[scan].to = row->offset + row->size / 4 * 4;
}

static void scan_piece(struct vd_pdb_check *c, uint32_t start, uint32_t end)
{
    for (uint32_t i = 0; i < VD_PDB_SCANS; i++) {
        struct vd_pdb_scan *scan = &c->scans[i];
        uint32_t from = scan->from > start ? scan->from : start;
        uint32_t to = scan->to < end ? scan->to : end;

        if (from < to && scan->below)
            scan->below = all_below((const uint32_t *)(const void *)(c->base + from),
                                    (to - from) / 4, scan->limit);
    }
}

uint64_t vd_pdb_scan(struct vd_pdb_check *c)
{
    static const uint8_t zero[8];
    const struct vd_pdb_section_row *sections = c->head->sections;
    uint32_t at = offsetof(struct vd_pdb_header, checksum);
    uint32_t way = vd_crc64_way();
    uint64_t crc = vd_crc64(vd_crc64(0, c->base, at), zero, sizeof(zero));

    begin_scan(c, VD_PDB_SCAN_ROOT, VD_PDB_TE_ROOT,
               c->head->blocks == 0 ? 0 : sections[VD_PDB_TE_ROWS].count / c->head->blocks);
    begin_scan(c, VD_PDB_SCAN_ROWS, VD_PDB_TE_ROWS,
               sections[VD_PDB_TE_BLOCKS].count / VD_PDB_BLOCK_TYPES);
    begin_scan(c, VD_PDB_SCAN_BLOCKS, VD_PDB_TE_BLOCKS, sections[VD_PDB_TE_LEAVES].count);
    for (at += sizeof(zero); at < c->size;) {
        uint32_t size = c->size - at < PIECE + VD_PDB_HEADER_SIZE ? c->size - at : PIECE;

        crc = vd_crc64_piece(way, crc, c->base + at, size);
        scan_piece(c, at, at + size);
        at += size;
    }
    return crc;
}

/* The first `empty` indexes of a table 0, and all of them as its scan found them: below the limit. */
static vd_status check_indexes(const struct vd_pdb_check *c, enum vd_pdb_section section,
                               uint32_t scan, uint32_t empty)
{
    const uint32_t *rows = vd_pdb_rows(c, section);
    uint32_t count = vd_pdb_rows_count(c, section);
    uint32_t limit = c->scans[scan].limit;

    for (uint32_t i = 0; i < empty && i < count; i++) {
        if (rows[i] != 0)
            return vd_pdb_bad(c, section, i, VD_E_RANGE, "the empty row is not empty");
    }
    if (c->scans[scan].below && (c->scans[scan].to - c->scans[scan].from) / 4 == count)
        return VD_OK;
    for (uint32_t i = 0; i < count; i++) {
        if (rows[i] >= limit)
            return vd_pdb_bad(c, section, i, VD_E_RANGE, "points outside the next table");
    }
    return VD_OK;
}

/* Leaf 0 is empty; a leaf's conditional rules follow those of the leaf before. */
static vd_status check_leaves(const struct vd_pdb_check *c)
{
    const struct vd_pdb_leaf *rows = vd_pdb_rows(c, VD_PDB_TE_LEAVES);
    uint32_t next = 0;

    for (uint32_t i = 0; i < vd_pdb_rows_count(c, VD_PDB_TE_LEAVES); i++) {
        const struct vd_pdb_leaf *leaf = &rows[i];
        if (i == 0 && (leaf->allowed != 0 || leaf->auditallow != 0 ||
                       leaf->auditdeny != UINT32_MAX || leaf->cond_count != 0))
            return vd_pdb_bad(c, VD_PDB_TE_LEAVES, i, VD_E_RANGE, "the empty leaf is not empty");
        if (leaf->cond_count == 0) {
            if (leaf->cond_first != 0 || leaf->allowed != leaf->base_allowed ||
                leaf->auditallow != leaf->base_auditallow ||
                leaf->auditdeny != leaf->base_auditdeny)
                return vd_pdb_bad(c, VD_PDB_TE_LEAVES, i, VD_E_RANGE,
                                  "a leaf without conditional rules differs from its base");
            continue;
        }
        if (leaf->cond_first != next ||
            !vd_pdb_span(c, VD_PDB_COND_RULES, leaf->cond_first, leaf->cond_count))
            return vd_pdb_bad(c, VD_PDB_TE_LEAVES, i, VD_E_RANGE,
                              "its conditional rules do not follow those of the leaf before");
        next += leaf->cond_count;
    }
    if (next != vd_pdb_rows_count(c, VD_PDB_COND_RULES))
        return vd_pdb_bad(c, VD_PDB_COND_RULES, next, VD_E_TRAILING,
                          "conditional rules that belong to no leaf");
    return VD_OK;
}

static vd_status check_trie(const struct vd_pdb_check *c)
{
    uint32_t rows = vd_pdb_rows_count(c, VD_PDB_TE_ROWS);
    uint32_t blocks = vd_pdb_rows_count(c, VD_PDB_TE_BLOCKS);
    uint32_t leaves = vd_pdb_rows_count(c, VD_PDB_TE_LEAVES);

    if (rows == 0 || rows % c->head->blocks != 0)
        return vd_pdb_bad(c, VD_PDB_TE_ROWS, 0, VD_E_RANGE, "not whole rows, at least one");
    if (blocks == 0 || blocks % VD_PDB_BLOCK_TYPES != 0)
        return vd_pdb_bad(c, VD_PDB_TE_BLOCKS, 0, VD_E_RANGE, "not whole blocks, at least one");
    if (leaves == 0)
        return vd_pdb_bad(c, VD_PDB_TE_LEAVES, 0, VD_E_RANGE, "no empty leaf");
    VD_TRY(check_indexes(c, VD_PDB_TE_ROOT, VD_PDB_SCAN_ROOT, 0));
    VD_TRY(check_indexes(c, VD_PDB_TE_ROWS, VD_PDB_SCAN_ROWS, c->head->blocks));
    VD_TRY(check_indexes(c, VD_PDB_TE_BLOCKS, VD_PDB_SCAN_BLOCKS, VD_PDB_BLOCK_TYPES));
    return check_leaves(c);
}

/* True if a used slot's key and value are numbers of the policy. */
static bool slot_ok(const struct vd_pdb_check *c, const struct vd_pdb_slot *slot, bool conditional)
{
    uint32_t kind = (uint32_t)(slot->key >> 56);
    uint32_t class = (uint32_t)(slot->key >> 40) & 0xffff;
    uint32_t source = (uint32_t)(slot->key >> 20) & 0xfffff;
    uint32_t target = (uint32_t)slot->key & 0xfffff;
    uint32_t source_limit = kind == VD_TRANS_ROLE ? c->head->roles : c->head->types;

    if (class == 0 || class >= c->head->classes || source == 0 || source >= source_limit ||
        target == 0 || target >= c->head->types || slot->reserved != 0)
        return false;
    if (slot->value == 0 && !conditional)
        return false;
    switch (kind) {
    case VD_TRANS_TYPE:
    case VD_TRANS_MEMBER:
    case VD_TRANS_CHANGE:
        return slot->value < c->head->types;
    case VD_TRANS_ROLE:
        return !conditional && slot->value < c->head->roles;
    case VD_TRANS_RANGE:
        return !conditional && slot->value <= vd_pdb_rows_count(c, VD_PDB_RANGES);
    default:
        return false;
    }
}

/*
 * The conditional rules: sorted by slot, each with a condition and a type, and
 * the slot's value 0 or what one of its rules gives.
 */
static vd_status check_conditional(const struct vd_pdb_check *c)
{
    const struct vd_pdb_cond_trans *rows = vd_pdb_rows(c, VD_PDB_COND_TRANS);
    const struct vd_pdb_slot *slots = vd_pdb_rows(c, VD_PDB_TRANSITIONS);
    uint32_t count = vd_pdb_rows_count(c, VD_PDB_COND_TRANS);
    bool given = false;

    for (uint32_t i = 0; i < count; i++) {
        const char *wrong = vd_pdb_condition_wrong(c, rows[i].cond_first, rows[i].cond_count);
        bool last = i + 1 == count || rows[i + 1].slot != rows[i].slot;

        if (wrong != NULL)
            return vd_pdb_bad(c, VD_PDB_COND_TRANS, i, VD_E_INVALID, wrong);
        if (rows[i].branch > 1 || rows[i].reserved != 0)
            return vd_pdb_bad(c, VD_PDB_COND_TRANS, i, VD_E_INVALID,
                              "the branch is neither 0 nor 1, or a reserved field is not zero");
        if (rows[i].slot >= vd_pdb_rows_count(c, VD_PDB_TRANSITIONS) ||
            slots[rows[i].slot].key == 0 || (i > 0 && rows[i - 1].slot > rows[i].slot))
            return vd_pdb_bad(c, VD_PDB_COND_TRANS, i, VD_E_RANGE,
                              "no rule's slot, or one before that of the row above");
        if (rows[i].value == 0 || rows[i].value >= c->head->types)
            return vd_pdb_bad(c, VD_PDB_COND_TRANS, i, VD_E_RANGE, "no type of this policy");
        given |= slots[rows[i].slot].value == 0 || slots[rows[i].slot].value == rows[i].value;
        if (last && !given)
            return vd_pdb_bad(c, VD_PDB_COND_TRANS, i, VD_E_RANGE,
                              "its slot answers what none of its conditional rules gives");
        given = given && !last;
    }
    return VD_OK;
}

/* True if the slot has conditional rules, which are sorted. */
static bool is_conditional(const struct vd_pdb_check *c, uint32_t slot)
{
    const struct vd_pdb_cond_trans *rows = vd_pdb_rows(c, VD_PDB_COND_TRANS);
    uint32_t low = 0, high = vd_pdb_rows_count(c, VD_PDB_COND_TRANS);

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (rows[middle].slot == slot)
            return true;
        if (rows[middle].slot < slot)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* True if no slot of a bucket is used and nothing stands in it. */
static bool is_blank(const struct vd_pdb_slot *slots)
{
    uint64_t any = 0;

    for (uint32_t i = 0; i < VD_PDB_BUCKET_SLOTS; i++)
        any |= slots[i].key | slots[i].value | slots[i].reserved;
    return any == 0;
}

/* A type, for which it does not matter whether a condition gives it. */
static bool gives_type(const struct vd_pdb_slot *slot)
{
    uint32_t kind = (uint32_t)(slot->key >> 56);

    return slot->value != 0 &&
           (kind == VD_TRANS_TYPE || kind == VD_TRANS_MEMBER || kind == VD_TRANS_CHANGE);
}

static vd_status check_bucket(const struct vd_pdb_check *c, uint32_t bucket)
{
    const struct vd_pdb_slot *rows = vd_pdb_rows(c, VD_PDB_TRANSITIONS);
    uint32_t first = bucket * VD_PDB_BUCKET_SLOTS;
    bool ended = false;

    if (is_blank(rows + first))
        return VD_OK;
    for (uint32_t i = first; i < first + VD_PDB_BUCKET_SLOTS; i++) {
        if (rows[i].key == 0) {
            ended = true;
            if (rows[i].value != 0 || rows[i].reserved != 0)
                return vd_pdb_bad(c, VD_PDB_TRANSITIONS, i, VD_E_RESERVED,
                                  "a free slot is not zero");
            continue;
        }
        if (ended || vd_pdb_trans_bucket(rows[i].key, c->head->buckets) != bucket)
            return vd_pdb_bad(c, VD_PDB_TRANSITIONS, i, VD_E_RANGE,
                              "a slot where its key would not be found");
        if (!slot_ok(c, &rows[i], !gives_type(&rows[i]) && is_conditional(c, i)))
            return vd_pdb_bad(c, VD_PDB_TRANSITIONS, i, VD_E_RANGE,
                              "the rule's numbers are none of the policy's");
        for (uint32_t j = first; j < i; j++) {
            if (rows[j].key == rows[i].key)
                return vd_pdb_bad(c, VD_PDB_TRANSITIONS, i, VD_E_EXISTS, "the same key twice");
        }
    }
    return VD_OK;
}

vd_status vd_pdb_check_rules(const struct vd_pdb_check *c)
{
    VD_TRY(check_trie(c));
    VD_TRY(check_conditional(c));
    for (uint32_t i = 0; i < c->head->buckets; i++)
        VD_TRY(check_bucket(c, i));
    return VD_OK;
}
