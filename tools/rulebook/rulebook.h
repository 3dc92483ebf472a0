/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A rulebook in memory: opened (checked whole) once, then read in place.
 *
 *   vd_policydb_extent → vd_policydb_open → vd_rulebook_open → rules[i]
 *
 * The handle borrows the bytes, which stay constant; any number of threads may
 * share it. It belongs to one blob, as the compiler wrote it: open it before
 * booleans are set in a copy of the blob (numbers stay the same).
 */
#ifndef VD_TOOLS_RULEBOOK_RULEBOOK_H
#define VD_TOOLS_RULEBOOK_RULEBOOK_H

#include "core/policydb/policydb.h"
#include "tools/rulebook/format.h"

struct vd_rulebook {
    const struct vd_rulebook_header *head;
    const struct vd_rule *rules;
    uint32_t rule_count;
};

/*
 * Opens the rulebook behind the blob in the policy file's `size` bytes at `file`
 * (aligned to 8), where `db` is the blob opened from the same bytes. Every byte
 * is checked; offsets in `diag` count from the file's start.
 * VD_E_NOT_FOUND: the policy was compiled with --strip; VD_E_INVALID, among
 * others: the rulebook of another policy. Cost: linear in its size.
 */
vd_status vd_rulebook_open(struct vd_rulebook *ret, const struct vd_policydb *db, const void *file,
                           size_t size, struct vd_diag *diag);

/* A string by its offset; it was checked to end. */
const char *vd_rulebook_string(const struct vd_rulebook *book, uint32_t offset);

/* The file of a rule as the sources or their #line marks name it; NULL: no place is known. */
const char *vd_rulebook_file(const struct vd_rulebook *book, const struct vd_rule *rule);

/* A set, and its items; `set` is a rule's source or target. */
const struct vd_rule_set *vd_rulebook_set(const struct vd_rulebook *book, uint32_t set);
const uint32_t *vd_rulebook_items(const struct vd_rulebook *book, uint32_t set);

/*
 * The numbers a set stands for, attributes expanded: types (header's `types`
 * bits) or roles. `ret_words` has VD_BITMAP_WORDS of that; `self` is not in it.
 */
void vd_rulebook_expand(const struct vd_rulebook *book, const struct vd_policydb *db, uint32_t set,
                        uint64_t *ret_words);

/* True if the set holds that type or role, attributes expanded; cost: its items. */
bool vd_rulebook_holds(const struct vd_rulebook *book, const struct vd_policydb *db, uint32_t set,
                       uint32_t number);

/* True if the rule reaches target type `target` for source type `source`, `self` included. */
bool vd_rulebook_reaches(const struct vd_rulebook *book, const struct vd_policydb *db,
                         const struct vd_rule *rule, uint32_t source, uint32_t target);

/* The condition of a rule, postfix; NULL and 0 if it is in force always. */
const struct vd_pdb_cond_node *vd_rulebook_cond(const struct vd_rulebook *book,
                                                const struct vd_rule *rule, uint32_t *ret_count);

/* True if the rule is in force under the booleans of `db`. */
bool vd_rulebook_active(const struct vd_rulebook *book, const struct vd_policydb *db,
                        const struct vd_rule *rule);

/* The calls of an extended rule. */
const struct vd_rule_span *vd_rulebook_spans(const struct vd_rulebook *book,
                                             const struct vd_rule *rule);

/* "allow", "type_transition", …; the keyword of a kind. */
const char *vd_rulebook_keyword(enum vd_rule_kind kind);

/* CRC-64/XZ of the rulebook with its checksum field taken as zero. */
uint64_t vd_rulebook_checksum(const void *book, uint32_t size);

VD_INLINE bool vd_rule_is_av(const struct vd_rule *rule)
{
    return rule->kind >= VD_RULE_ALLOW && rule->kind <= VD_RULE_NEVERALLOW;
}

VD_INLINE bool vd_rule_is_xperm(const struct vd_rule *rule)
{
    return rule->kind >= VD_RULE_ALLOWXPERM && rule->kind <= VD_RULE_NEVERALLOWXPERM;
}

VD_INLINE bool vd_rule_is_transition(const struct vd_rule *rule)
{
    return rule->kind >= VD_RULE_TYPE_TRANSITION && rule->kind <= VD_RULE_ROLE_TRANSITION;
}

VD_INLINE bool vd_rule_is_constraint(const struct vd_rule *rule)
{
    return rule->kind >= VD_RULE_CONSTRAIN && rule->kind <= VD_RULE_MLSVALIDATETRANS;
}

#endif
