/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tests/support/policy_builder.h"

#include "core/policydb/conditional.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct table {
    uint8_t *data;
    size_t used, room;
    uint32_t row_size;
};

struct trans {
    uint64_t key;
    uint32_t value;
};

struct program {
    uint32_t class, validatetrans, first, count; /* of `nodes` */
};

struct pb {
    uint32_t flags;
    struct table sections[VD_PDB_SECTION_COUNT];
    struct table rules, trans, nodes, programs, conds;
    uint64_t role_types[PB_MAX_ROLES][PB_MAX_TYPES / 64];
    uint64_t role_dominates[PB_MAX_ROLES], role_allow[PB_MAX_ROLES], user_roles[PB_MAX_USERS];
};

static const uint32_t row_sizes[VD_PDB_SECTION_COUNT] = {
    [VD_PDB_STRINGS] = 1,
    [VD_PDB_CLASSES] = sizeof(struct vd_pdb_class),
    [VD_PDB_PERMS] = 4,
    [VD_PDB_TYPES] = sizeof(struct vd_pdb_type),
    [VD_PDB_ROLES] = sizeof(struct vd_pdb_role),
    [VD_PDB_USERS] = sizeof(struct vd_pdb_user),
    [VD_PDB_SENS] = sizeof(struct vd_pdb_sens),
    [VD_PDB_CATS] = 4,
    [VD_PDB_BOOLS] = sizeof(struct vd_pdb_bool),
    [VD_PDB_SYMBOLS] = sizeof(struct vd_pdb_symbol),
    [VD_PDB_BITMAPS] = 8,
    [VD_PDB_LEVELS] = sizeof(struct vd_mls_level),
    [VD_PDB_CONTEXTS] = sizeof(struct vd_context),
    [VD_PDB_INITIAL] = sizeof(struct vd_pdb_initial),
    [VD_PDB_TE_ROOT] = 4,
    [VD_PDB_TE_ROWS] = 4,
    [VD_PDB_TE_BLOCKS] = 4,
    [VD_PDB_TE_LEAVES] = sizeof(struct vd_pdb_leaf),
    [VD_PDB_ROLE_ALLOW] = 8,
    [VD_PDB_TRANSITIONS] = sizeof(struct vd_pdb_slot),
    [VD_PDB_RANGES] = sizeof(struct vd_pdb_range),
    [VD_PDB_NODES] = sizeof(struct vd_pdb_node),
    [VD_PDB_COND_RULES] = sizeof(struct vd_pdb_cond_rule),
    [VD_PDB_COND_NODES] = sizeof(struct vd_pdb_cond_node),
    [VD_PDB_POLICYCAPS] = 8,
    [VD_PDB_LABEL_TEXT] = 1,
    [VD_PDB_FS_USE] = sizeof(struct vd_pdb_fs_use),
    [VD_PDB_GENFS] = sizeof(struct vd_pdb_genfs),
    [VD_PDB_PORTS] = sizeof(struct vd_pdb_port),
    [VD_PDB_NETIFS] = sizeof(struct vd_pdb_netif),
    [VD_PDB_NETNODES] = sizeof(struct vd_pdb_netnode),
    [VD_PDB_IBPKEYS] = sizeof(struct vd_pdb_ibpkey),
    [VD_PDB_IBENDPORTS] = sizeof(struct vd_pdb_ibendport),
    [VD_PDB_FILE_NAMES... VD_PDB_SECTION_COUNT - 1] = 1, /* left empty */
};

static void *check(void *p)
{
    if (p == NULL) {
        fprintf(stderr, "policy builder: out of memory\n");
        exit(1);
    }
    return p;
}

static void limit(bool ok)
{
    if (!ok) {
        fprintf(stderr, "policy builder: a table is full\n");
        exit(1);
    }
}

static uint32_t add(struct table *t, const void *row)
{
    if (t->used + t->row_size > t->room) {
        t->room = t->room == 0 ? 64u * t->row_size : 2 * t->room;
        t->data = check(realloc(t->data, t->room));
    }
    memcpy(t->data + t->used, row, t->row_size);
    t->used += t->row_size;
    return (uint32_t)(t->used / t->row_size) - 1;
}

static uint32_t count(const struct table *t)
{
    return (uint32_t)(t->used / t->row_size);
}

uint32_t pb_row(struct pb *pb, enum vd_pdb_section section, const void *row)
{
    return add(&pb->sections[section], row);
}

void *pb_at(struct pb *pb, enum vd_pdb_section section, uint32_t row)
{
    return pb->sections[section].data + (size_t)row * row_sizes[section];
}

struct pb *pb_new(uint32_t flags)
{
    static const uint8_t zero[64];
    static const enum vd_pdb_section from_one[] = {VD_PDB_STRINGS, VD_PDB_CLASSES, VD_PDB_TYPES,
                                                   VD_PDB_ROLES,   VD_PDB_USERS,   VD_PDB_SENS,
                                                   VD_PDB_BOOLS};
    struct pb *pb = check(calloc(1, sizeof(*pb)));

    pb->flags = flags;
    for (uint32_t i = 0; i < VD_PDB_SECTION_COUNT; i++)
        pb->sections[i].row_size = row_sizes[i];
    pb->rules.row_size = sizeof(struct pb_rule);
    pb->trans.row_size = sizeof(struct trans);
    pb->nodes.row_size = sizeof(struct vd_pdb_node);
    pb->programs.row_size = sizeof(struct program);
    pb->conds.row_size = 2 * sizeof(uint32_t);
    for (size_t i = 0; i < VD_COUNT(from_one); i++)
        pb_row(pb, from_one[i], zero);
    add(&pb->conds, zero);
    pb_role(pb, "object_r");
    return pb;
}

uint32_t pb_name(struct pb *pb, const char *name)
{
    uint32_t offset = count(&pb->sections[VD_PDB_STRINGS]);

    for (const char *p = name;; p++) {
        pb_row(pb, VD_PDB_STRINGS, p);
        if (*p == '\0')
            return offset;
    }
}

void pb_symbol(struct pb *pb, enum vd_pdb_symbol_kind kind, const char *name, uint32_t value)
{
    struct vd_pdb_symbol row = {.kind = kind, .name = pb_name(pb, name), .value = value};

    pb_row(pb, VD_PDB_SYMBOLS, &row);
}

/* A row that has nothing but its name yet, with its symbol. */
static uint32_t named(struct pb *pb, enum vd_pdb_section section, enum vd_pdb_symbol_kind kind,
                      const char *name)
{
    uint32_t row[16] = {pb_name(pb, name)};
    uint32_t number = pb_row(pb, section, row);

    pb_symbol(pb, kind, name, number);
    return number;
}

uint32_t pb_class(struct pb *pb, const char *name, const char *perms, uint32_t flags)
{
    uint32_t number = named(pb, VD_PDB_CLASSES, VD_SYM_CLASS, name);
    struct vd_pdb_class row = *(struct vd_pdb_class *)pb_at(pb, VD_PDB_CLASSES, number);
    char word[64];
    int used;

    row.flags = flags;
    row.perm_first = count(&pb->sections[VD_PDB_PERMS]);
    for (; sscanf(perms, "%63s%n", word, &used) == 1; perms += used) {
        uint32_t offset = pb_name(pb, word);
        if ((flags & VD_PDB_CLASS_PROCESS) != 0 &&
            (strcmp(word, "transition") == 0 || strcmp(word, "dyntransition") == 0))
            row.role_perms |= 1u << row.perm_count;
        pb_row(pb, VD_PDB_PERMS, &offset);
        row.perm_count++;
    }
    *(struct vd_pdb_class *)pb_at(pb, VD_PDB_CLASSES, number) = row;
    return number;
}

uint32_t pb_type(struct pb *pb, const char *name)
{
    limit(count(&pb->sections[VD_PDB_TYPES]) < PB_MAX_TYPES);
    return named(pb, VD_PDB_TYPES, VD_SYM_TYPE, name);
}

uint32_t pb_role(struct pb *pb, const char *name)
{
    uint32_t number = named(pb, VD_PDB_ROLES, VD_SYM_ROLE, name);

    limit(number < PB_MAX_ROLES);
    pb_role_dominates(pb, number, number);
    return number;
}

uint32_t pb_user(struct pb *pb, const char *name, uint32_t low_level, uint32_t high_level)
{
    uint32_t number = named(pb, VD_PDB_USERS, VD_SYM_USER, name);
    struct vd_pdb_user *row = pb_at(pb, VD_PDB_USERS, number);

    limit(number < PB_MAX_USERS);
    row->low = row->default_level = low_level;
    row->high = high_level;
    return number;
}

uint32_t pb_cat(struct pb *pb, const char *name)
{
    return named(pb, VD_PDB_CATS, VD_SYM_CAT, name);
}

uint32_t pb_sens(struct pb *pb, const char *name, uint64_t cats)
{
    uint64_t words[VD_MLS_CAT_WORDS] = {cats};
    uint32_t number = named(pb, VD_PDB_SENS, VD_SYM_SENS, name);
    struct vd_pdb_sens *row = pb_at(pb, VD_PDB_SENS, number);

    row->cats = pb_set(pb, words, VD_MLS_CAT_WORDS);
    return number;
}

uint32_t pb_level(struct pb *pb, uint32_t sens, uint64_t cats)
{
    struct vd_mls_level level = {.sens = sens, .cats = {cats}};

    return pb_row(pb, VD_PDB_LEVELS, &level);
}

uint32_t pb_bool(struct pb *pb, const char *name, bool value)
{
    uint32_t number = named(pb, VD_PDB_BOOLS, VD_SYM_BOOL, name);

    ((struct vd_pdb_bool *)pb_at(pb, VD_PDB_BOOLS, number))->value = value;
    return number;
}

void pb_role_type(struct pb *pb, uint32_t role, uint32_t type)
{
    vd_bitmap_set(pb->role_types[role], type);
}

void pb_role_dominates(struct pb *pb, uint32_t role, uint32_t other)
{
    vd_bitmap_set(&pb->role_dominates[role], other);
}

void pb_role_allow(struct pb *pb, uint32_t from, uint32_t to)
{
    vd_bitmap_set(&pb->role_allow[from], to);
}

void pb_user_role(struct pb *pb, uint32_t user, uint32_t role)
{
    vd_bitmap_set(&pb->user_roles[user], role);
}

void pb_rule(struct pb *pb, const struct pb_rule *rule)
{
    add(&pb->rules, rule);
}

void pb_allow(struct pb *pb, uint32_t source, uint32_t target, uint32_t class, uint32_t perms)
{
    struct pb_rule rule = {.source = source, .class = class, .target = target, .allowed = perms};

    pb_rule(pb, &rule);
}

uint32_t pb_cond(struct pb *pb, const struct vd_pdb_cond_node *nodes, uint32_t node_count)
{
    uint32_t span[2] = {count(&pb->sections[VD_PDB_COND_NODES]), node_count};

    for (uint32_t i = 0; i < node_count; i++)
        pb_row(pb, VD_PDB_COND_NODES, &nodes[i]);
    return add(&pb->conds, span);
}

void pb_transition(struct pb *pb, uint64_t key, uint32_t value)
{
    struct trans row = {key, value};

    add(&pb->trans, &row);
}

uint32_t pb_set(struct pb *pb, const uint64_t *words, uint32_t word_count)
{
    uint32_t first = count(&pb->sections[VD_PDB_BITMAPS]);

    for (uint32_t i = 0; i < word_count; i++)
        pb_row(pb, VD_PDB_BITMAPS, &words[i]);
    return first;
}

/* No permissions: a validatetrans. */
static void program(struct pb *pb, uint32_t class, uint32_t perms, const struct vd_pdb_node *nodes,
                    uint32_t node_count)
{
    struct program row = {class, perms == 0, count(&pb->nodes), node_count + 2};
    struct vd_pdb_node edge = {.op = VD_CX_BEGIN,
                               .left = (uint8_t)((node_count + 1) & 255),
                               .right = (uint8_t)((node_count + 1) >> 8),
                               .arg = perms};

    add(&pb->nodes, &edge);
    for (uint32_t i = 0; i < node_count; i++)
        add(&pb->nodes, &nodes[i]);
    edge = (struct vd_pdb_node){.op = VD_CX_END, .arg = perms};
    add(&pb->nodes, &edge);
    add(&pb->programs, &row);
}

void pb_constraint(struct pb *pb, uint32_t class, uint32_t perms, const struct vd_pdb_node *nodes,
                   uint32_t node_count)
{
    program(pb, class, perms, nodes, node_count);
}

void pb_validatetrans(struct pb *pb, uint32_t class, const struct vd_pdb_node *nodes,
                      uint32_t node_count)
{
    program(pb, class, 0, nodes, node_count);
}

/* A class's programs together, those of each kind. */
static void place_programs(struct pb *pb)
{
    const struct program *programs = (const struct program *)pb->programs.data;

    for (uint32_t class = 1; class < count(&pb->sections[VD_PDB_CLASSES]); class ++) {
        for (uint32_t kind = 0; kind < 2; kind++) {
            uint32_t first = count(&pb->sections[VD_PDB_NODES]);
            struct vd_pdb_class *row = pb_at(pb, VD_PDB_CLASSES, class);
            for (uint32_t i = 0; i < count(&pb->programs); i++) {
                if (programs[i].class != class || programs[i].validatetrans != kind)
                    continue;
                for (uint32_t j = 0; j < programs[i].count; j++)
                    pb_row(pb, VD_PDB_NODES,
                           pb->nodes.data + (programs[i].first + j) * sizeof(struct vd_pdb_node));
            }
            *(kind == 0 ? &row->node_first : &row->vtrans_first) = first;
            *(kind == 0 ? &row->node_count : &row->vtrans_count) =
                count(&pb->sections[VD_PDB_NODES]) - first;
        }
    }
}

static void place_bitmaps(struct pb *pb)
{
    uint32_t types = count(&pb->sections[VD_PDB_TYPES]);
    uint32_t roles = count(&pb->sections[VD_PDB_ROLES]);

    for (uint32_t i = 1; i < roles; i++) {
        struct vd_pdb_role *row = pb_at(pb, VD_PDB_ROLES, i);
        row->types = pb_set(pb, pb->role_types[i], VD_BITMAP_WORDS(types));
        row->dominates = pb_set(pb, &pb->role_dominates[i], 1);
    }
    for (uint32_t i = 1; i < count(&pb->sections[VD_PDB_USERS]); i++)
        ((struct vd_pdb_user *)pb_at(pb, VD_PDB_USERS, i))->roles =
            pb_set(pb, &pb->user_roles[i], 1);
    for (uint32_t i = 0; i < roles; i++)
        pb_row(pb, VD_PDB_ROLE_ALLOW, &pb->role_allow[i]);
}

static bool try_buckets(struct pb *pb, struct vd_pdb_slot *slots, uint32_t buckets)
{
    const struct trans *rows = (const struct trans *)pb->trans.data;

    for (uint32_t i = 0; i < count(&pb->trans); i++) {
        struct vd_pdb_slot *slot =
            &slots[vd_pdb_trans_bucket(rows[i].key, buckets) * VD_PDB_BUCKET_SLOTS];
        uint32_t n = 0;
        while (n < VD_PDB_BUCKET_SLOTS && slot[n].key != 0)
            n++;
        if (n == VD_PDB_BUCKET_SLOTS)
            return false;
        slot[n] = (struct vd_pdb_slot){.key = rows[i].key, .value = rows[i].value};
    }
    return true;
}

static uint32_t place_transitions(struct pb *pb)
{
    for (uint32_t buckets = 1;; buckets *= 2) {
        uint32_t slots = buckets * VD_PDB_BUCKET_SLOTS;
        struct vd_pdb_slot *rows = check(calloc(slots, sizeof(*rows)));
        bool done = try_buckets(pb, rows, buckets);
        for (uint32_t i = 0; done && i < slots; i++)
            pb_row(pb, VD_PDB_TRANSITIONS, &rows[i]);
        free(rows);
        if (done)
            return buckets;
    }
}

/* Equal pages are stored once: an open-addressed index over pages of `width` words. */
struct pages {
    struct table *table;
    uint32_t width;
    uint32_t *index; /* page + 1; 0: free */
    uint32_t slots;
};

static uint32_t intern(struct pages *p, const uint32_t *page)
{
    uint64_t hash = 0;
    uint32_t at;

    for (uint32_t i = 0; i < p->width; i++)
        hash = vd_hash_mix(hash ^ page[i]);
    for (at = (uint32_t)hash & (p->slots - 1); p->index[at] != 0; at = (at + 1) & (p->slots - 1)) {
        const uint8_t *have = p->table->data + (size_t)(p->index[at] - 1) * p->width * 4;
        if (memcmp(have, page, p->width * 4) == 0)
            return p->index[at] - 1;
    }
    limit(p->table->used / (p->width * 4) < p->slots / 2);
    p->index[at] = (uint32_t)(p->table->used / (p->width * 4)) + 1;
    for (uint32_t i = 0; i < p->width * 4 / p->table->row_size; i++)
        add(p->table, (const uint8_t *)page + i * p->table->row_size);
    return p->index[at] - 1;
}

/* Each rule makes at most one page of a kind; page 0 is there without one. */
static struct pages pages_new(struct table *table, uint32_t width, uint32_t rules)
{
    uint32_t slots = 16;

    while (slots / 4 < rules + 1)
        slots *= 2;
    return (struct pages){table, width, check(calloc(slots, sizeof(uint32_t))), slots};
}

static int compare_rules(const void *a, const void *b)
{
    return memcmp(a, b, 3 * sizeof(uint32_t)); /* any order will do: equal keys stand together */
}

/* The leaf of rules[first, first + n), which have the same source, class and target. */
static uint32_t make_leaf(struct pb *pb, struct pages *leaves, const struct pb_rule *rules,
                          uint32_t n)
{
    struct vd_pdb_leaf leaf = {.base_auditdeny = UINT32_MAX};
    const uint32_t *conds = (const uint32_t *)pb->conds.data;

    for (uint32_t i = 0; i < n; i++) {
        struct vd_pdb_cond_rule row = {.cond_first = conds[2 * rules[i].cond],
                                       .cond_count = conds[2 * rules[i].cond + 1],
                                       .branch = rules[i].branch,
                                       .allowed = rules[i].allowed,
                                       .auditallow = rules[i].auditallow,
                                       .dontaudit = rules[i].dontaudit};
        if (rules[i].cond == 0) {
            leaf.base_allowed |= rules[i].allowed;
            leaf.base_auditallow |= rules[i].auditallow;
            leaf.base_auditdeny &= ~rules[i].dontaudit;
        } else if (leaf.cond_count++ == 0) {
            leaf.cond_first = pb_row(pb, VD_PDB_COND_RULES, &row);
        } else {
            pb_row(pb, VD_PDB_COND_RULES, &row);
        }
    }
    leaf.allowed = leaf.base_allowed;
    leaf.auditallow = leaf.base_auditallow;
    leaf.auditdeny = leaf.base_auditdeny;
    return intern(leaves, (const uint32_t *)&leaf);
}

struct trie {
    struct pages rows, blocks, leaves;
    uint32_t *row;   /* the one being made */
    uint32_t *block; /* PB_MAX_TYPES leaves: every block of the row */
    uint32_t blocks_per_row;
};

/* The row of rules[first, first + n), which have the same source and class. */
static uint32_t make_row(struct pb *pb, struct trie *t, const struct pb_rule *rules, uint32_t n)
{
    memset(t->block, 0, (size_t)t->blocks_per_row * VD_PDB_BLOCK_TYPES * sizeof(uint32_t));
    for (uint32_t i = 0, m; i < n; i += m) {
        for (m = 1; i + m < n && rules[i + m].target == rules[i].target;)
            m++;
        t->block[rules[i].target] = make_leaf(pb, &t->leaves, &rules[i], m);
    }
    for (uint32_t b = 0; b < t->blocks_per_row; b++)
        t->row[b] = intern(&t->blocks, t->block + (size_t)b * VD_PDB_BLOCK_TYPES);
    return intern(&t->rows, t->row);
}

static void place_trie(struct pb *pb)
{
    static const struct vd_pdb_leaf no_leaf = {.auditdeny = UINT32_MAX,
                                               .base_auditdeny = UINT32_MAX};
    uint32_t types = count(&pb->sections[VD_PDB_TYPES]);
    uint32_t classes = count(&pb->sections[VD_PDB_CLASSES]);
    uint32_t rule_count = count(&pb->rules);
    struct pb_rule *rules = (struct pb_rule *)pb->rules.data;
    uint32_t *root = check(calloc((size_t)types * classes, sizeof(*root)));
    struct trie t = {.blocks_per_row = (types + 63) / 64};

    t.rows = pages_new(&pb->sections[VD_PDB_TE_ROWS], t.blocks_per_row, rule_count);
    t.blocks = pages_new(&pb->sections[VD_PDB_TE_BLOCKS], VD_PDB_BLOCK_TYPES, rule_count);
    t.leaves = pages_new(&pb->sections[VD_PDB_TE_LEAVES],
                         sizeof(struct vd_pdb_leaf) / sizeof(uint32_t), rule_count);
    t.row = check(calloc(t.blocks_per_row, sizeof(uint32_t)));
    t.block = check(calloc((size_t)t.blocks_per_row * 64, sizeof(uint32_t)));
    intern(&t.leaves, (const uint32_t *)&no_leaf);
    intern(&t.blocks, t.block);
    intern(&t.rows, t.row);
    if (rules != NULL)
        qsort(rules, rule_count, sizeof(*rules), compare_rules);
    for (uint32_t i = 0, n; i < rule_count; i += n) {
        for (n = 1; i + n < rule_count && rules[i + n].source == rules[i].source &&
                    rules[i + n].class == rules[i].class;)
            n++;
        root[rules[i].source * classes + rules[i].class] = make_row(pb, &t, &rules[i], n);
    }
    for (uint32_t i = 0; i < types * classes; i++)
        pb_row(pb, VD_PDB_TE_ROOT, &root[i]);
    free(root);
    free(t.row);
    free(t.block);
    free(t.rows.index);
    free(t.blocks.index);
    free(t.leaves.index);
}

static const char *sort_strings;

static int compare_symbols(const void *a, const void *b)
{
    const struct vd_pdb_symbol *x = a;
    const struct vd_pdb_symbol *y = b;

    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    return strcmp(sort_strings + x->name, sort_strings + y->name);
}

static uint8_t *layout(struct pb *pb, uint32_t buckets, size_t *ret_size)
{
    struct vd_pdb_header head = {.version = VD_PDB_VERSION,
                                 .header_size = VD_PDB_HEADER_SIZE,
                                 .flags = pb->flags,
                                 .classes = count(&pb->sections[VD_PDB_CLASSES]),
                                 .types = count(&pb->sections[VD_PDB_TYPES]),
                                 .roles = count(&pb->sections[VD_PDB_ROLES]),
                                 .users = count(&pb->sections[VD_PDB_USERS]),
                                 .sens = count(&pb->sections[VD_PDB_SENS]),
                                 .cats = count(&pb->sections[VD_PDB_CATS]),
                                 .buckets = buckets};
    uint32_t at = VD_PDB_HEADER_SIZE;
    uint8_t *blob;

    memcpy(head.magic, VD_PDB_MAGIC, sizeof(head.magic));
    head.blocks = (head.types + 63) / 64;
    for (uint32_t i = 0; i < VD_PDB_SECTION_COUNT; i++) {
        head.sections[i] = (struct vd_pdb_section_row){at, (uint32_t)pb->sections[i].used,
                                                       count(&pb->sections[i]), 0};
        at = (at + head.sections[i].size + 7) & ~7u;
    }
    head.total_size = at;
    blob = check(calloc(1, at));
    memcpy(blob, &head, sizeof(head));
    for (uint32_t i = 0; i < VD_PDB_SECTION_COUNT; i++) {
        if (pb->sections[i].used != 0)
            memcpy(blob + head.sections[i].offset, pb->sections[i].data, pb->sections[i].used);
    }
    *ret_size = at;
    return blob;
}

uint8_t *pb_finish(struct pb *pb, size_t *ret_size)
{
    uint32_t buckets;
    uint8_t *blob;

    place_programs(pb);
    place_bitmaps(pb);
    place_trie(pb);
    buckets = place_transitions(pb);
    sort_strings = (const char *)pb->sections[VD_PDB_STRINGS].data;
    qsort(pb->sections[VD_PDB_SYMBOLS].data, count(&pb->sections[VD_PDB_SYMBOLS]),
          sizeof(struct vd_pdb_symbol), compare_symbols);
    blob = layout(pb, buckets, ret_size);
    vd_policydb_recompute(blob);
    for (uint32_t i = 0; i < VD_PDB_SECTION_COUNT; i++)
        free(pb->sections[i].data);
    free(pb->rules.data);
    free(pb->trans.data);
    free(pb->nodes.data);
    free(pb->programs.data);
    free(pb->conds.data);
    free(pb);
    return blob;
}
