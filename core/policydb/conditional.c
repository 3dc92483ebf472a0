/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/policydb/conditional.h"

#include "core/base/crc64.h"

static void *rows(void *blob, enum vd_pdb_section section)
{
    const struct vd_pdb_header *head = blob;

    return (uint8_t *)blob + head->sections[section].offset;
}

vd_status vd_policydb_set_bool(void *blob, uint32_t number, bool value)
{
    const struct vd_pdb_header *head = blob;
    struct vd_pdb_bool *bools = rows(blob, VD_PDB_BOOLS);

    if (number >= head->sections[VD_PDB_BOOLS].count || bools[number].name == 0)
        return VD_E_NOT_FOUND;
    bools[number].value = value;
    return VD_OK;
}

/* The stack is the low bits of one word, as in the constraints. */
static bool evaluate(const struct vd_pdb_cond_node *node, uint32_t count,
                     const struct vd_pdb_bool *bools)
{
    uint32_t stack = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t top = stack & 1;
        uint32_t below = stack >> 1 & 1;
        uint32_t rest = stack >> 2 << 1;

        switch (node[i].op) {
        case VD_COND_BOOL:
            stack = stack << 1 | bools[node[i].value].value;
            break;
        case VD_COND_NOT:
            stack ^= 1;
            break;
        case VD_COND_OR:
            stack = rest | (top | below);
            break;
        case VD_COND_AND:
            stack = rest | (top & below);
            break;
        case VD_COND_XOR:
        case VD_COND_NEQ:
            stack = rest | (top ^ below);
            break;
        default: /* VD_COND_EQ */
            stack = rest | (top ^ below ^ 1);
            break;
        }
    }
    return stack & 1;
}

bool vd_policydb_condition(const struct vd_policydb *db, const struct vd_pdb_cond_node *nodes,
                           uint32_t count)
{
    const struct vd_pdb_bool *bools = vd_pdb_row(db, VD_PDB_BOOLS, 0, sizeof(*bools));

    return bools != NULL && evaluate(nodes, count, bools);
}

/* Slots with conditional rules answer what the last one in force says, else nothing. */
static void recompute_transitions(void *blob)
{
    const struct vd_pdb_header *head = blob;
    const struct vd_pdb_cond_trans *rules = rows(blob, VD_PDB_COND_TRANS);
    const struct vd_pdb_cond_node *nodes = rows(blob, VD_PDB_COND_NODES);
    const struct vd_pdb_bool *bools = rows(blob, VD_PDB_BOOLS);
    struct vd_pdb_slot *slots = rows(blob, VD_PDB_TRANSITIONS);
    uint32_t count = head->sections[VD_PDB_COND_TRANS].count;

    for (uint32_t i = 0; i < count; i++)
        slots[rules[i].slot].value = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (evaluate(nodes + rules[i].cond_first, rules[i].cond_count, bools) ==
            (rules[i].branch != 0))
            slots[rules[i].slot].value = rules[i].value;
    }
}

static void recompute_xperms(void *blob)
{
    const struct vd_pdb_header *head = blob;
    const struct vd_pdb_cond_node *nodes = rows(blob, VD_PDB_COND_NODES);
    const struct vd_pdb_bool *bools = rows(blob, VD_PDB_BOOLS);
    struct vd_pdb_xperm *xperms = rows(blob, VD_PDB_XPERMS);

    for (uint32_t i = 0; i < head->sections[VD_PDB_XPERMS].count; i++) {
        if (xperms[i].cond_count == 0)
            continue;
        xperms[i].flags &= (uint8_t)~VD_XPERM_IN_FORCE;
        if (evaluate(nodes + xperms[i].cond_first, xperms[i].cond_count, bools) ==
            (xperms[i].branch != 0))
            xperms[i].flags |= VD_XPERM_IN_FORCE;
    }
}

void vd_policydb_recompute(void *blob)
{
    struct vd_pdb_header *head = blob;
    struct vd_pdb_leaf *leaves = rows(blob, VD_PDB_TE_LEAVES);
    const struct vd_pdb_cond_rule *rules = rows(blob, VD_PDB_COND_RULES);
    const struct vd_pdb_cond_node *nodes = rows(blob, VD_PDB_COND_NODES);
    const struct vd_pdb_bool *bools = rows(blob, VD_PDB_BOOLS);

    for (uint32_t i = 0; i < head->sections[VD_PDB_TE_LEAVES].count; i++) {
        struct vd_pdb_leaf *leaf = &leaves[i];
        leaf->allowed = leaf->base_allowed;
        leaf->auditallow = leaf->base_auditallow;
        leaf->auditdeny = leaf->base_auditdeny;
        for (uint32_t j = leaf->cond_first; j < leaf->cond_first + leaf->cond_count; j++) {
            if (evaluate(nodes + rules[j].cond_first, rules[j].cond_count, bools) !=
                (rules[j].branch != 0))
                continue;
            leaf->allowed |= rules[j].allowed;
            leaf->auditallow |= rules[j].auditallow;
            leaf->auditdeny &= ~rules[j].dontaudit;
        }
    }
    recompute_transitions(blob);
    recompute_xperms(blob);
    head->checksum = vd_policydb_checksum(blob, head->total_size);
}

uint64_t vd_policydb_checksum(const void *blob, uint32_t size)
{
    static const uint8_t zero[8];
    const uint8_t *bytes = blob;
    uint32_t at = offsetof(struct vd_pdb_header, checksum);
    uint64_t crc = vd_crc64(0, bytes, at);

    crc = vd_crc64(crc, zero, sizeof(zero));
    return vd_crc64(crc, bytes + at + sizeof(zero), size - at - sizeof(zero));
}
