/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tests/support/large_policy.h"

#include "tests/support/policy_builder.h"

#include <stdio.h>

#define TYPES           4500u
#define ATTRIBUTES      300u
#define CLASSES         134u
#define ROLES           40u
#define USERS           20u
#define TYPE_RULES      80000u
#define ATTRIBUTE_RULES 20000u
#define TRANSITIONS     12000u
#define MEMBERS         30u /* types of an attribute */
#define CONSTRAINTS     3u  /* of a class, MLS ones aside */

/* SplitMix64. Of its own, so that programs without the test harness have it too. */
static uint64_t next(uint64_t *state)
{
    return vd_hash_mix(*state += 0x9e3779b97f4a7c15u);
}

static uint32_t below(uint64_t *state, uint32_t limit)
{
    return (uint32_t)(next(state) % limit);
}

static const char *numbered(const char *prefix, uint32_t number)
{
    static char name[32];

    snprintf(name, sizeof(name), "%s%u", prefix, number);
    return name;
}

static void add_names(struct pb *pb, uint64_t *state)
{
    uint32_t low;

    for (uint32_t i = 0; i < CLASSES; i++)
        pb_class(pb, numbered("class", i),
                 i == 0 ? "transition dyntransition p2 p3 p4 p5"
                        : "p0 p1 p2 p3 p4 p5 p6 p7 p8 p9 p10 p11 p12 p13 p14 p15",
                 i == 0 ? VD_PDB_CLASS_PROCESS
                 : i < 9
                     ? VD_PDB_CLASS_SOCKET
                     : (i % 3) << VD_PDB_CLASS_USER_SHIFT | (i % 8) << VD_PDB_CLASS_RANGE_SHIFT);
    for (uint32_t i = 0; i < TYPES; i++) {
        uint32_t type = pb_type(pb, numbered("type", i));
        struct vd_pdb_type *row = pb_at(pb, VD_PDB_TYPES, type);
        /* Every fourth type is bounded by its neighbour: chains of one to three steps. */
        if (type % 4 != 1 && below(state, 4) == 0)
            row->bounds = type - 1;
        row->flags = below(state, 50) == 0 ? VD_PDB_TYPE_PERMISSIVE : 0;
    }
    for (uint32_t i = 0; i < VD_MLS_CATS_MAX; i++)
        pb_cat(pb, numbered("c", i));
    low = pb_level(pb, 1, 0);
    for (uint32_t i = 0; i < 16; i++)
        pb_sens(pb, numbered("s", i), UINT64_MAX);
    for (uint32_t i = 0; i < 200; i++)
        pb_level(pb, 1 + below(state, 16), next(state) & next(state));
    for (uint32_t i = 1; i < ROLES; i++)
        pb_role(pb, numbered("role", i));
    for (uint32_t i = 0; i < USERS; i++)
        pb_user(pb, numbered("user", i), low, pb_level(pb, 16, UINT64_MAX));
}

static void add_roles(struct pb *pb, uint64_t *state)
{
    for (uint32_t role = 1; role <= ROLES; role++) {
        for (uint32_t type = 1; type <= TYPES; type++) {
            if (below(state, 4) != 0)
                pb_role_type(pb, role, type);
        }
        for (uint32_t other = 1; other <= ROLES; other++) {
            if (below(state, 2) == 0)
                pb_role_allow(pb, role, other);
            if (below(state, 4) == 0)
                pb_role_dominates(pb, role, other);
        }
    }
    for (uint32_t user = 1; user <= USERS; user++) {
        for (uint32_t role = 1; role <= ROLES; role++) {
            if (below(state, 4) != 0)
                pb_user_role(pb, user, role);
        }
    }
}

static void add_rule(struct pb *pb, uint64_t *state, uint32_t source, uint32_t target,
                     uint32_t class)
{
    uint32_t perms = (uint32_t)next(state) & 0xffff;
    struct pb_rule rule = {.source = source, .class = class, .target = target};

    switch (below(state, 10)) {
    case 0:
        rule.auditallow = perms;
        break;
    case 1:
        rule.dontaudit = perms;
        break;
    default:
        rule.allowed = perms;
        break;
    }
    pb_rule(pb, &rule);
}

static void add_rules(struct pb *pb, uint64_t *state)
{
    uint32_t members[ATTRIBUTES][MEMBERS];

    for (uint32_t i = 0; i < ATTRIBUTES * MEMBERS; i++)
        members[i / MEMBERS][i % MEMBERS] = 1 + below(state, TYPES);
    /* As in real policies, a type has to do with a few classes only. */
    for (uint32_t i = 0; i < TYPE_RULES; i++) {
        uint32_t source = 1 + below(state, TYPES);
        add_rule(pb, state, source, 1 + below(state, TYPES),
                 1 + (source * 31 + below(state, 4)) % CLASSES);
    }
    for (uint32_t i = 0; i < ATTRIBUTE_RULES; i++) {
        uint32_t number = below(state, ATTRIBUTES);
        const uint32_t *attribute = members[number];
        uint32_t target = 1 + below(state, TYPES);
        uint32_t class = 1 + (number + below(state, 3)) % CLASSES;
        for (uint32_t j = 0; j < MEMBERS; j++)
            pb_allow(pb, attribute[j], target, class, 1u << below(state, 16));
    }
}

static void add_transitions(struct pb *pb, uint64_t *state)
{
    struct vd_pdb_range range;

    for (uint32_t i = 0; i < 50; i++) {
        range.low = 0;
        range.high = below(state, 200);
        pb_row(pb, VD_PDB_RANGES, &range);
    }
    /* The targets differ, so that no key comes twice. */
    for (uint32_t i = 0; i < TRANSITIONS; i++) {
        uint32_t kind = VD_TRANS_TYPE + i % 5;
        uint32_t target = 1 + i / 5 % TYPES;
        uint32_t limit = kind == VD_TRANS_ROLE ? ROLES : kind == VD_TRANS_RANGE ? 50 : TYPES;
        uint32_t source = 1 + below(state, kind == VD_TRANS_ROLE ? ROLES : TYPES);
        pb_transition(pb, vd_pdb_trans_key(kind, source, target, 1 + below(state, 4)),
                      1 + below(state, limit));
    }
}

static struct vd_pdb_node random_leaf(struct pb *pb, uint64_t *state)
{
    static const uint8_t pairs[][3] = {
        {VD_PART_U1, VD_PART_U2, 2}, {VD_PART_T1, VD_PART_T2, 2}, {VD_PART_R1, VD_PART_R2, 5},
        {VD_PART_L1, VD_PART_L2, 5}, {VD_PART_L1, VD_PART_H2, 5}, {VD_PART_H1, VD_PART_L2, 5},
        {VD_PART_H1, VD_PART_H2, 5}, {VD_PART_L1, VD_PART_H1, 5}, {VD_PART_L2, VD_PART_H2, 5},
    };
    static const uint8_t parts[][2] = {{VD_PART_U1, 1}, {VD_PART_U2, 1},  {VD_PART_R1, 1},
                                       {VD_PART_R2, 1}, {VD_PART_T1, 71}, {VD_PART_T2, 71}};
    uint64_t set[71];
    uint32_t i = below(state, 9);

    if (below(state, 3) != 0)
        return (struct vd_pdb_node){.op = VD_CX_ATTR,
                                    .left = pairs[i][0],
                                    .right = pairs[i][1],
                                    .rel = (uint8_t)(1 + below(state, pairs[i][2]))};
    for (uint32_t w = 0; w < 71; w++)
        set[w] = next(state) | next(state);
    i = below(state, 6);
    return (struct vd_pdb_node){.op = VD_CX_NAMES,
                                .left = parts[i][0],
                                .rel = (uint8_t)(1 + below(state, 2)),
                                .arg = pb_set(pb, set, parts[i][1])};
}

static void add_constraint(struct pb *pb, uint64_t *state, uint32_t class)
{
    struct vd_pdb_node nodes[32];
    uint32_t n = 0;
    uint32_t depth = 0;

    do {
        nodes[n++] = random_leaf(pb, state);
        depth++;
        if (below(state, 4) == 0)
            nodes[n++] = (struct vd_pdb_node){.op = VD_CX_NOT};
        while (depth > 1 && below(state, 2) == 0) {
            nodes[n++] = (struct vd_pdb_node){.op = below(state, 3) == 0 ? VD_CX_AND : VD_CX_OR};
            depth--;
        }
    } while (n < 10);
    for (; depth > 1; depth--)
        nodes[n++] = (struct vd_pdb_node){.op = VD_CX_OR};
    pb_constraint(pb, class, 1u << below(state, class == 1 ? 6 : 16) | 1, nodes, n);
}

static void add_constraints(struct pb *pb, uint64_t *state)
{
    const struct vd_pdb_node no_read_up[] = {
        {.op = VD_CX_ATTR, .left = VD_PART_H1, .rel = VD_REL_DOM, .right = VD_PART_H2}};

    for (uint32_t class = 1; class <= CLASSES; class ++) {
        pb_constraint(pb, class, 0x4, no_read_up, 1);
        for (uint32_t i = 0; i < CONSTRAINTS; i++)
            add_constraint(pb, state, class);
    }
}

uint8_t *large_policy(size_t *ret_size)
{
    struct pb *pb = pb_new(VD_PDB_MLS);
    uint64_t state = 42;

    add_names(pb, &state);
    add_roles(pb, &state);
    add_rules(pb, &state);
    add_transitions(pb, &state);
    add_constraints(pb, &state);
    return pb_finish(pb, ret_size);
}

static struct vd_mls_level random_level(const struct vd_policydb *db, uint64_t *state)
{
    const struct vd_pdb_header *head = vd_policydb_header(db);
    uint32_t rows = head->sections[VD_PDB_LEVELS].count;
    struct vd_mls_level level = {};

    if (rows == 0)
        return level;
    level = *(const struct vd_mls_level *)vd_pdb_row(db, VD_PDB_LEVELS, below(state, rows),
                                                     sizeof(level));
    if (below(state, 4) == 0)
        level.cats[below(state, VD_MLS_CAT_WORDS)] ^= next(state);
    if (below(state, 16) == 0)
        level.sens = below(state, head->sens + 1);
    return level;
}

struct vd_context random_context(const struct vd_policydb *db, uint64_t *state)
{
    const struct vd_pdb_header *head = vd_policydb_header(db);
    struct vd_context context = {.user = 1 + below(state, head->users),
                                 .role = 1 + below(state, head->roles),
                                 .type = 1 + below(state, head->types),
                                 .low = random_level(db, state),
                                 .high = random_level(db, state)};

    if (below(state, 2) == 0)
        context.high = context.low;
    if (below(state, 100) == 0)
        context.type = (uint32_t)next(state);
    if (below(state, 100) == 0)
        context.user = (uint32_t)next(state);
    if (below(state, 100) == 0)
        context.role = (uint32_t)next(state);
    return context;
}

/* A random entry that is not 0 of `count` in a table, or 0 after some tries. */
static uint32_t used_entry(const struct vd_policydb *db, enum vd_pdb_section section,
                           uint32_t first, uint32_t count, uint64_t *state)
{
    uint32_t start = below(state, count);

    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = (start + i) % count;
        const uint32_t *entry = vd_pdb_row(db, section, first + at, sizeof(*entry));
        if (entry != NULL && *entry != 0)
            return at;
    }
    return 0;
}

void random_question(const struct vd_policydb *db, uint64_t *state, struct vd_context *ret_source,
                     struct vd_context *ret_target, uint32_t *ret_class)
{
    const struct vd_pdb_header *head = vd_policydb_header(db);
    uint32_t at, block;
    const uint32_t *row, *leaves;

    *ret_source = random_context(db, state);
    *ret_target = random_context(db, state);
    *ret_class = below(state, head->classes + 1);
    if (below(state, 2) == 0)
        return;
    at = used_entry(db, VD_PDB_TE_ROOT, 0, head->types * head->classes, state);
    row = vd_pdb_row(db, VD_PDB_TE_ROOT, at, sizeof(*row));
    if (row == NULL || *row == 0)
        return;
    block = used_entry(db, VD_PDB_TE_ROWS, *row * head->blocks, head->blocks, state);
    leaves = vd_pdb_row(db, VD_PDB_TE_ROWS, *row * head->blocks + block, sizeof(*leaves));
    if (leaves == NULL)
        return;
    ret_source->type = at / head->classes;
    *ret_class = at % head->classes;
    ret_target->type =
        block * 64 + used_entry(db, VD_PDB_TE_BLOCKS, *leaves * 64, VD_PDB_BLOCK_TYPES, state);
}
