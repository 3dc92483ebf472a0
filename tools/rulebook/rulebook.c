/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/rulebook/rulebook.h"

#include <string.h>

#include "core/policydb/conditional.h"

static const void *rows_of(const struct vd_rulebook *book, enum vd_rulebook_section section)
{
    return (const uint8_t *)book->head + book->head->sections[section].offset;
}

const char *vd_rulebook_string(const struct vd_rulebook *book, uint32_t offset)
{
    return (const char *)rows_of(book, VD_BOOK_STRINGS) + offset;
}

const char *vd_rulebook_file(const struct vd_rulebook *book, const struct vd_rule *rule)
{
    const uint32_t *files = rows_of(book, VD_BOOK_FILES);

    return rule->file == 0 ? NULL : vd_rulebook_string(book, files[rule->file]);
}

const struct vd_rule_set *vd_rulebook_set(const struct vd_rulebook *book, uint32_t set)
{
    return (const struct vd_rule_set *)rows_of(book, VD_BOOK_SETS) + set;
}

const uint32_t *vd_rulebook_items(const struct vd_rulebook *book, uint32_t set)
{
    return (const uint32_t *)rows_of(book, VD_BOOK_ITEMS) + vd_rulebook_set(book, set)->first;
}

static const struct vd_pdb_type *type_row(const struct vd_policydb *db, uint32_t number)
{
    return vd_pdb_row(db, VD_PDB_TYPES, number, sizeof(struct vd_pdb_type));
}

static bool exists(const struct vd_policydb *db, bool role, uint32_t number)
{
    const uint32_t *name = role ? vd_pdb_row(db, VD_PDB_ROLES, number, sizeof(struct vd_pdb_role))
                                : (const uint32_t *)type_row(db, number);

    return name != NULL && *name != 0;
}

/* The bits of one item into or out of `words`. */
static void apply(const struct vd_policydb *db, bool role, uint32_t item, uint64_t *words,
                  uint32_t word_count)
{
    uint32_t number = item & ~VD_RULE_MINUS;
    const struct vd_pdb_type *type = role ? NULL : type_row(db, number);
    bool minus = (item & VD_RULE_MINUS) != 0;

    if (type == NULL || (type->flags & VD_PDB_TYPE_ATTRIBUTE) == 0) {
        if (minus)
            vd_bitmap_clear(words, number);
        else
            vd_bitmap_set(words, number);
        return;
    }
    for (uint32_t i = 0; i < word_count; i++) {
        const uint64_t *from = vd_pdb_row(db, VD_PDB_BITMAPS, type->bitmap + i, sizeof(*from));
        uint64_t bits = from == NULL ? 0 : *from;

        words[i] = minus ? words[i] & ~bits : words[i] | bits;
    }
}

void vd_rulebook_expand(const struct vd_rulebook *book, const struct vd_policydb *db, uint32_t set,
                        uint64_t *ret_words)
{
    const struct vd_rule_set *row = vd_rulebook_set(book, set);
    const uint32_t *items = vd_rulebook_items(book, set);
    bool role = (row->flags & VD_RULE_SET_ROLES) != 0;
    const struct vd_pdb_header *head = vd_policydb_header(db);
    uint32_t bits = role ? head->roles : head->types, words = VD_BITMAP_WORDS(bits);

    memset(ret_words, 0, words * sizeof(*ret_words));
    for (uint32_t i = 1; (row->flags & VD_RULE_SET_STAR) != 0 && i < bits; i++) {
        if (exists(db, role, i))
            vd_bitmap_set(ret_words, i);
    }
    /* What has a minus goes, wherever it stands. */
    for (int minus = 0; minus <= 1; minus++) {
        for (uint32_t i = 0; i < row->count; i++) {
            if (((items[i] & VD_RULE_MINUS) != 0) == (minus != 0))
                apply(db, role, items[i], ret_words, words);
        }
    }
    for (uint32_t i = 1; (row->flags & VD_RULE_SET_COMPLEMENT) != 0 && i < bits; i++) {
        if (exists(db, role, i))
            ret_words[i / 64] ^= (uint64_t)1 << (i % 64);
    }
}

static bool item_holds(const struct vd_policydb *db, bool role, uint32_t item, uint32_t number)
{
    const struct vd_pdb_type *type;

    item &= ~VD_RULE_MINUS;
    if (item == number)
        return true;
    type = role ? NULL : type_row(db, item);
    return type != NULL && (type->flags & VD_PDB_TYPE_ATTRIBUTE) != 0 &&
           number < vd_policydb_header(db)->types && vd_pdb_bit(db, type->bitmap, number);
}

bool vd_rulebook_holds(const struct vd_rulebook *book, const struct vd_policydb *db, uint32_t set,
                       uint32_t number)
{
    const struct vd_rule_set *row = vd_rulebook_set(book, set);
    const uint32_t *items = vd_rulebook_items(book, set);
    bool role = (row->flags & VD_RULE_SET_ROLES) != 0;
    bool plus = (row->flags & VD_RULE_SET_STAR) != 0;
    bool minus = false;

    for (uint32_t i = 0; i < row->count; i++) {
        if (item_holds(db, role, items[i], number)) {
            plus |= (items[i] & VD_RULE_MINUS) == 0;
            minus |= (items[i] & VD_RULE_MINUS) != 0;
        }
    }
    return (plus && !minus) != ((row->flags & VD_RULE_SET_COMPLEMENT) != 0);
}

bool vd_rulebook_reaches(const struct vd_rulebook *book, const struct vd_policydb *db,
                         const struct vd_rule *rule, uint32_t source, uint32_t target)
{
    if (!vd_rulebook_holds(book, db, rule->source, source))
        return false;
    if (source == target && (rule->flags & VD_RULE_SELF) != 0)
        return true;
    if (source == target && (rule->flags & VD_RULE_NOT_SELF) != 0)
        return false;
    return vd_rulebook_holds(book, db, rule->target, target);
}

const struct vd_pdb_cond_node *vd_rulebook_cond(const struct vd_rulebook *book,
                                                const struct vd_rule *rule, uint32_t *ret_count)
{
    const struct vd_rule_cond *conds = rows_of(book, VD_BOOK_CONDS);
    const struct vd_pdb_cond_node *nodes = rows_of(book, VD_BOOK_COND_NODES);

    *ret_count = rule->cond == 0 ? 0 : conds[rule->cond - 1].count;
    return rule->cond == 0 ? NULL : nodes + conds[rule->cond - 1].first;
}

bool vd_rulebook_active(const struct vd_rulebook *book, const struct vd_policydb *db,
                        const struct vd_rule *rule)
{
    uint32_t count;
    const struct vd_pdb_cond_node *nodes = vd_rulebook_cond(book, rule, &count);

    return nodes == NULL ||
           vd_policydb_condition(db, nodes, count) == ((rule->flags & VD_RULE_ELSE) == 0);
}

const struct vd_rule_span *vd_rulebook_spans(const struct vd_rulebook *book,
                                             const struct vd_rule *rule)
{
    return (const struct vd_rule_span *)rows_of(book, VD_BOOK_SPANS) + rule->first;
}

const char *vd_rulebook_keyword(enum vd_rule_kind kind)
{
    static const char *const words[VD_RULE_KIND_END] = {
        [VD_RULE_ALLOW] = "allow",
        [VD_RULE_AUDITALLOW] = "auditallow",
        [VD_RULE_DONTAUDIT] = "dontaudit",
        [VD_RULE_DENY] = "deny",
        [VD_RULE_NEVERALLOW] = "neverallow",
        [VD_RULE_ALLOWXPERM] = "allowxperm",
        [VD_RULE_AUDITALLOWXPERM] = "auditallowxperm",
        [VD_RULE_DONTAUDITXPERM] = "dontauditxperm",
        [VD_RULE_NEVERALLOWXPERM] = "neverallowxperm",
        [VD_RULE_TYPE_TRANSITION] = "type_transition",
        [VD_RULE_TYPE_MEMBER] = "type_member",
        [VD_RULE_TYPE_CHANGE] = "type_change",
        [VD_RULE_RANGE_TRANSITION] = "range_transition",
        [VD_RULE_ROLE_TRANSITION] = "role_transition",
        [VD_RULE_ROLE_ALLOW] = "allow",
        [VD_RULE_CONSTRAIN] = "constrain",
        [VD_RULE_MLSCONSTRAIN] = "mlsconstrain",
        [VD_RULE_VALIDATETRANS] = "validatetrans",
        [VD_RULE_MLSVALIDATETRANS] = "mlsvalidatetrans",
        [VD_RULE_TYPEBOUNDS] = "typebounds",
    };

    return kind < VD_RULE_KIND_END && words[kind] != NULL ? words[kind] : "?";
}
