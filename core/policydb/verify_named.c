/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/policydb/verify.h"

static vd_status check_file_names(const struct vd_pdb_check *c)
{
    const uint8_t *bytes = vd_pdb_rows(c, VD_PDB_FILE_NAMES);
    uint32_t count = vd_pdb_rows_count(c, VD_PDB_FILE_NAMES);

    if (count == 0)
        return VD_OK;
    if (bytes[0] != 0)
        return vd_pdb_bad(c, VD_PDB_FILE_NAMES, 0, VD_E_RANGE, "no empty name at the start");
    if (bytes[count - 1] != 0)
        return vd_pdb_bad(c, VD_PDB_FILE_NAMES, count - 1, VD_E_RANGE, "the last name has no end");
    for (uint32_t i = 0; i < count; i++) {
        if (bytes[i] == '/')
            return vd_pdb_bad(c, VD_PDB_FILE_NAMES, i, VD_E_SYNTAX, "a file's name has no '/'");
    }
    return VD_OK;
}

/* A name's hash; false if there is no name at the offset. */
static bool name_hash(const struct vd_pdb_check *c, uint32_t offset, uint32_t *ret)
{
    const uint8_t *bytes = vd_pdb_rows(c, VD_PDB_FILE_NAMES);
    uint32_t n = 0, hash = 0;

    if (offset >= vd_pdb_rows_count(c, VD_PDB_FILE_NAMES))
        return false;
    for (; n <= VD_PDB_MAX_NAME && bytes[offset + n] != 0; n++)
        hash = vd_pdb_named_hash(hash, bytes[offset + n]);
    *ret = hash;
    return n > 0 && n <= VD_PDB_MAX_NAME;
}

static bool same_name(const struct vd_pdb_check *c, uint32_t a, uint32_t b)
{
    const uint8_t *bytes = vd_pdb_rows(c, VD_PDB_FILE_NAMES);
    uint32_t i = 0;

    while (bytes[a + i] != 0 && bytes[a + i] == bytes[b + i])
        i++;
    return bytes[a + i] == bytes[b + i];
}

static vd_status check_rows(const struct vd_pdb_check *c)
{
    const struct vd_pdb_named_row *rows = vd_pdb_rows(c, VD_PDB_NAMED_ROWS);

    for (uint32_t i = 0; i < vd_pdb_rows_count(c, VD_PDB_NAMED_ROWS); i++) {
        if (!vd_pdb_span(c, VD_PDB_BITMAPS, rows[i].sources, VD_BITMAP_WORDS(c->head->types)) ||
            rows[i].type == 0 || rows[i].type >= c->head->types)
            return vd_pdb_bad(c, VD_PDB_NAMED_ROWS, i, VD_E_RANGE,
                              "no set of source types, or no type of this policy");
    }
    return VD_OK;
}

static bool is_target(const struct vd_pdb_check *c, uint32_t type)
{
    const uint64_t *words = vd_pdb_rows(c, VD_PDB_NAMED_TARGETS);

    return type / 64 < vd_pdb_rows_count(c, VD_PDB_NAMED_TARGETS) &&
           (words[type / 64] >> (type % 64) & 1) != 0;
}

/* What is wrong with the used slot at `row` of a bucket, NULL if nothing. */
static const char *check_slot(const struct vd_pdb_check *c, uint32_t bucket, uint32_t row)
{
    const struct vd_pdb_named *rows = vd_pdb_rows(c, VD_PDB_NAMED);
    const struct vd_pdb_named *slot = &rows[row];
    uint32_t buckets = vd_pdb_rows_count(c, VD_PDB_NAMED) / VD_PDB_BUCKET_SLOTS;
    uint32_t hash;

    if (slot->class == 0 || slot->class >= c->head->classes || slot->target == 0 ||
        slot->target >= c->head->types || !name_hash(c, slot->name, &hash))
        return "its class, target or name is none of the policy's";
    if (slot->reserved != 0 || slot->row_count == 0 || slot->row_count > VD_PDB_MAX_NAMED ||
        !vd_pdb_span(c, VD_PDB_NAMED_ROWS, slot->row_first, slot->row_count))
        return "its rows are none, more than 4096 or outside their table";
    if (vd_pdb_named_bucket(slot->class, slot->target, hash, buckets) != bucket)
        return "a slot where its key would not be found";
    if (!is_target(c, slot->target))
        return "its target is not among those of transitions by name";
    for (uint32_t i = bucket * VD_PDB_BUCKET_SLOTS; i < row; i++) {
        if (rows[i].class == slot->class && rows[i].target == slot->target &&
            same_name(c, rows[i].name, slot->name))
            return "the same key twice";
    }
    return NULL;
}

static vd_status check_bucket(const struct vd_pdb_check *c, uint32_t bucket)
{
    const struct vd_pdb_named *rows = vd_pdb_rows(c, VD_PDB_NAMED);
    uint32_t first = bucket * VD_PDB_BUCKET_SLOTS;
    bool ended = false;

    for (uint32_t i = first; i < first + VD_PDB_BUCKET_SLOTS; i++) {
        const char *wrong = NULL;

        if (rows[i].name == 0) {
            ended = true;
            if ((rows[i].target | rows[i].class | rows[i].row_first | rows[i].row_count |
                 rows[i].reserved) != 0)
                return vd_pdb_bad(c, VD_PDB_NAMED, i, VD_E_RESERVED, "a free slot is not zero");
            continue;
        }
        wrong = ended ? "a used slot behind a free one" : check_slot(c, bucket, i);
        if (wrong != NULL)
            return vd_pdb_bad(c, VD_PDB_NAMED, i, VD_E_RANGE, wrong);
    }
    return VD_OK;
}

vd_status vd_pdb_check_named(const struct vd_pdb_check *c)
{
    uint32_t slots = vd_pdb_rows_count(c, VD_PDB_NAMED);
    uint32_t buckets = slots / VD_PDB_BUCKET_SLOTS;
    uint32_t words = vd_pdb_rows_count(c, VD_PDB_NAMED_TARGETS);

    VD_TRY(check_file_names(c));
    if (slots % VD_PDB_BUCKET_SLOTS != 0 || (buckets & (buckets - 1)) != 0)
        return vd_pdb_bad(c, VD_PDB_NAMED, 0, VD_E_RANGE, "buckets: not a power of two of 8 slots");
    if (words != (slots == 0 ? 0 : VD_BITMAP_WORDS(c->head->types)))
        return vd_pdb_bad(c, VD_PDB_NAMED_TARGETS, 0, VD_E_RANGE,
                          "not a bit for each type, or without any rule not empty");
    VD_TRY(check_rows(c));
    for (uint32_t i = 0; i < buckets; i++)
        VD_TRY(check_bucket(c, i));
    return VD_OK;
}
