/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Facts about constraints, transitions and labels.
 */
#include "tools/analysis/diff_parts.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "core/mac/decide.h"
#include "core/mac/transition.h"
#include "core/policydb/labels.h"
#include "tools/analysis/lookup.h"
#include "tools/analysis/rules.h"

#define CONTEXT_BYTES (32u << 10) /* two levels of 512 categories that are no neighbours */

static void end(FILE *out)
{
    fputc('\0', out);
}

/* ------------------------------------------------------------------ constraints */

static int by_text(const void *pa, const void *pb)
{
    const char *const *a = pa, *const *b = pb;

    return strcmp(*a, *b);
}

/* A list of names, sorted, as a set; `count` of them. */
static void write_names(const char **names, uint32_t count, FILE *out)
{
    qsort(names, count, sizeof(*names), by_text);
    fputs("{", out);
    for (uint32_t i = 0; i < count; i++)
        fprintf(out, " %s", names[i]);
    fputs(" }", out);
}

static void write_perms(const struct vd_policydb *db, uint32_t class, uint32_t mask, FILE *out)
{
    const char *names[VD_PDB_MAX_PERMS];
    uint32_t count = 0;

    for (uint32_t bit = 0; bit < VD_PDB_MAX_PERMS; bit++) {
        const char *name = vd_policydb_perm_name(db, class, bit);

        if ((mask >> bit & 1) != 0 && name != NULL)
            names[count++] = name;
    }
    write_names(names, count, out);
}

/* Equal bitmaps stand once in the pool: the set that an attribute has is named by it. */
static const char *attribute_of(const struct vd_policydb *db, uint32_t bitmap)
{
    const struct vd_pdb_type *rows = vd_diff_table(db, VD_PDB_TYPES);
    const char *first = NULL;

    for (uint32_t i = vd_policydb_header(db)->types; i < vd_diff_count(db, VD_PDB_TYPES); i++) {
        const char *name = vd_lookup_name(db, VD_SYM_TYPE, i);

        if (rows[i].bitmap == bitmap && name != NULL && (first == NULL || strcmp(name, first) < 0))
            first = name;
    }
    return first;
}

static void write_set(const struct vd_policydb *db, const struct vd_pdb_node *node, FILE *out)
{
    const struct vd_pdb_header *head = vd_policydb_header(db);
    bool user = node->left <= VD_PART_U3, type = node->left >= VD_PART_T1;
    enum vd_pdb_symbol_kind kind = user ? VD_SYM_USER : type ? VD_SYM_TYPE : VD_SYM_ROLE;
    uint32_t bits = user ? head->users : type ? head->types : head->roles, count = 0;
    const char *attribute = type ? attribute_of(db, node->arg) : NULL;
    const char **names;

    if (attribute != NULL) {
        fputs(attribute, out);
        return;
    }
    names = calloc(bits + 1, sizeof(*names));
    for (uint32_t i = 1; names != NULL && i < bits; i++) {
        if (vd_pdb_bit(db, node->arg, i) && vd_lookup_name(db, kind, i) != NULL)
            names[count++] = vd_lookup_name(db, kind, i);
    }
    if (names != NULL)
        write_names(names, count, out);
    free(names);
}

static const char *const parts[] = {
    [VD_PART_U1] = "u1", [VD_PART_U2] = "u2", [VD_PART_U3] = "u3", [VD_PART_R1] = "r1",
    [VD_PART_R2] = "r2", [VD_PART_R3] = "r3", [VD_PART_T1] = "t1", [VD_PART_T2] = "t2",
    [VD_PART_T3] = "t3", [VD_PART_L1] = "l1", [VD_PART_L2] = "l2", [VD_PART_H1] = "h1",
    [VD_PART_H2] = "h2",
};

static uint32_t takes(const struct vd_pdb_node *node)
{
    return node->op == VD_CX_NOT ? 1 : node->op == VD_CX_AND || node->op == VD_CX_OR ? 2 : 0;
}

/* Where the expression that ends with node `last` begins; not before `first`. */
static uint32_t start_of(const struct vd_pdb_node *nodes, uint32_t first, uint32_t last)
{
    uint32_t needed = 1;

    for (uint32_t i = last;; i--) {
        needed = needed + takes(&nodes[i]) - 1;
        if (needed == 0 || i == first)
            return i;
    }
}

static void write_leaf(const struct vd_policydb *db, const struct vd_pdb_node *node, FILE *out)
{
    static const char *const relations[] = {
        [VD_REL_EQ] = "==",       [VD_REL_NE] = "!=",         [VD_REL_DOM] = "dom",
        [VD_REL_DOMBY] = "domby", [VD_REL_INCOMP] = "incomp",
    };

    fprintf(out, "%s %s ", parts[node->left], relations[node->rel]);
    if (node->op == VD_CX_ATTR)
        fputs(parts[node->right], out);
    else
        write_set(db, node, out);
}

/* The expression of nodes [first, last]; its depth is bounded by VD_PDB_MAX_NODES. */
static void write_expression(const struct vd_policydb *db, const struct vd_pdb_node *nodes,
                             uint32_t first, uint32_t last, FILE *out)
{
    const struct vd_pdb_node *node = &nodes[last];
    uint32_t middle;

    if (takes(node) == 0) {
        write_leaf(db, node, out);
        return;
    }
    fputs("(", out);
    if (node->op == VD_CX_NOT) {
        fputs("not ", out);
        write_expression(db, nodes, first, last - 1, out);
    } else {
        middle = start_of(nodes, first, last - 1);
        write_expression(db, nodes, first, middle - 1, out);
        fputs(node->op == VD_CX_AND ? " and " : " or ", out);
        write_expression(db, nodes, middle, last - 1, out);
    }
    fputs(")", out);
}

static void write_program(const struct vd_policydb *db, uint32_t class, uint32_t first,
                          uint32_t count, FILE *out)
{
    const struct vd_pdb_node *nodes = vd_diff_table(db, VD_PDB_NODES);
    uint32_t begin = first;

    for (uint32_t i = first; i < first + count; i++) {
        if (nodes[i].op == VD_CX_BEGIN)
            begin = i;
        if (nodes[i].op != VD_CX_END)
            continue;
        fprintf(out, "%s %s ", nodes[i].arg == 0 ? "validatetrans" : "constrain",
                vd_policydb_name(db, VD_SYM_CLASS, class));
        if (nodes[i].arg != 0) {
            write_perms(db, class, nodes[i].arg, out);
            fputc(' ', out);
        }
        if (i > begin + 1)
            write_expression(db, nodes, begin + 1, i - 1, out);
        fputc(';', out);
        end(out);
    }
}

void vd_diff_constraints(const struct vd_policydb *db, FILE *out)
{
    const struct vd_pdb_class *rows = vd_diff_table(db, VD_PDB_CLASSES);

    for (uint32_t i = 1; i < vd_policydb_header(db)->classes; i++) {
        write_program(db, i, rows[i].node_first, rows[i].node_count, out);
        write_program(db, i, rows[i].vtrans_first, rows[i].vtrans_count, out);
    }
}

/* ------------------------------------------------------------------ transitions */

static void write_key(const struct vd_policydb *db, uint64_t key, FILE *out)
{
    static const char *const keywords[] = {
        [VD_TRANS_TYPE] = "type_transition",   [VD_TRANS_MEMBER] = "type_member",
        [VD_TRANS_CHANGE] = "type_change",     [VD_TRANS_ROLE] = "role_transition",
        [VD_TRANS_RANGE] = "range_transition",
    };
    uint32_t kind = (uint32_t)(key >> 56);

    fprintf(out, "%s %s %s:%s ", keywords[kind],
            vd_policydb_name(db, kind == VD_TRANS_ROLE ? VD_SYM_ROLE : VD_SYM_TYPE,
                             (uint32_t)(key >> 20) & 0xfffff),
            vd_policydb_name(db, VD_SYM_TYPE, (uint32_t)key & 0xfffff),
            vd_policydb_name(db, VD_SYM_CLASS, (uint32_t)(key >> 40) & 0xffff));
}

static void write_value(const struct vd_policydb *db, uint64_t key, uint32_t value, FILE *out)
{
    const struct vd_pdb_range *ranges = vd_diff_table(db, VD_PDB_RANGES);
    uint32_t kind = (uint32_t)(key >> 56);

    if (kind == VD_TRANS_RANGE)
        vd_range_write(db, &ranges[value - 1], out);
    else
        fputs(vd_policydb_name(db, kind == VD_TRANS_ROLE ? VD_SYM_ROLE : VD_SYM_TYPE, value), out);
    fputc(';', out);
}

static void write_slots(const struct vd_policydb *db, FILE *out)
{
    const struct vd_pdb_slot *slots = vd_diff_table(db, VD_PDB_TRANSITIONS);
    const struct vd_pdb_cond_trans *conds = vd_diff_table(db, VD_PDB_COND_TRANS);
    const struct vd_pdb_cond_node *nodes = vd_diff_table(db, VD_PDB_COND_NODES);
    uint32_t cond = 0, cond_count = vd_diff_count(db, VD_PDB_COND_TRANS);

    for (uint32_t i = 0; i < vd_diff_count(db, VD_PDB_TRANSITIONS); i++) {
        if (slots[i].key == 0)
            continue;
        /* Conditional rows are sorted by slot, and a slot that has some has no other rule. */
        if (cond == cond_count || conds[cond].slot != i) {
            write_key(db, slots[i].key, out);
            write_value(db, slots[i].key, slots[i].value, out);
            end(out);
        }
        for (; cond < cond_count && conds[cond].slot == i; cond++) {
            const struct vd_pdb_cond_node *first = nodes + conds[cond].cond_first;
            uint32_t count = conds[cond].cond_count, branch = conds[cond].branch;

            /* `! X` is the other branch of X. */
            for (; first[count - 1].op == VD_COND_NOT; count--)
                branch ^= 1;
            write_key(db, slots[i].key, out);
            write_value(db, slots[i].key, conds[cond].value, out);
            fputs(" [ ", out);
            vd_condition_write(db, first, count, out);
            fprintf(out, " ]:%s", branch != 0 ? "True" : "False");
            end(out);
        }
    }
}

static void write_named(const struct vd_policydb *db, const struct vd_pdb_named *slot, FILE *out)
{
    const struct vd_pdb_named_row *rows = vd_diff_table(db, VD_PDB_NAMED_ROWS);
    const char *names = vd_diff_table(db, VD_PDB_FILE_NAMES);

    for (uint32_t i = slot->row_first; i < slot->row_first + slot->row_count; i++) {
        for (uint32_t source = 1; source < vd_policydb_header(db)->types; source++) {
            if (!vd_pdb_bit(db, rows[i].sources, source))
                continue;
            write_key(db, vd_pdb_trans_key(VD_TRANS_TYPE, source, slot->target, slot->class), out);
            fprintf(out, "%s \"", vd_policydb_name(db, VD_SYM_TYPE, rows[i].type));
            vd_foreign_write(names + slot->name, out);
            fputs("\";", out);
            end(out);
        }
    }
}

void vd_diff_transitions(const struct vd_policydb *db, FILE *out)
{
    const struct vd_pdb_named *named = vd_diff_table(db, VD_PDB_NAMED);

    write_slots(db, out);
    for (uint32_t i = 0; i < vd_diff_count(db, VD_PDB_NAMED); i++) {
        if (named[i].name != 0)
            write_named(db, &named[i], out);
    }
}

/* ------------------------------------------------------------------ labels */

static void write_context(const struct vd_policydb *db, uint32_t row, FILE *out)
{
    const struct vd_context *context =
        vd_pdb_row(db, VD_PDB_CONTEXTS, row, sizeof(struct vd_context));
    char *buf = malloc(CONTEXT_BYTES);
    struct vd_text text;

    if (buf == NULL || context == NULL) {
        free(buf);
        return;
    }
    vd_text_init(&text, buf, CONTEXT_BYTES);
    vd_mac_context_text(db, context, &text);
    fputs(buf, out);
    free(buf);
}

/* A statement that ends with a context. */
static void finish(const struct vd_policydb *db, uint32_t context, FILE *out)
{
    fputc(' ', out);
    write_context(db, context, out);
    fputc(';', out);
    end(out);
}

static void write_text(const struct vd_policydb *db, const char *keyword, uint32_t text, FILE *out)
{
    fprintf(out, "%s ", keyword);
    vd_foreign_write(vd_policydb_label_text(db, text), out);
}

static void write_files(const struct vd_policydb *db, FILE *out)
{
    static const char *const kinds[] = {[VD_FS_USE_XATTR] = "fs_use_xattr",
                                        [VD_FS_USE_TRANS] = "fs_use_trans",
                                        [VD_FS_USE_TASK] = "fs_use_task"};
    const struct vd_pdb_fs_use *uses = vd_diff_table(db, VD_PDB_FS_USE);
    const struct vd_pdb_genfs *genfs = vd_diff_table(db, VD_PDB_GENFS);

    for (uint32_t i = 0; i < vd_diff_count(db, VD_PDB_FS_USE); i++) {
        write_text(db, kinds[uses[i].kind], uses[i].name, out);
        finish(db, uses[i].context, out);
    }
    for (uint32_t i = 0; i < vd_diff_count(db, VD_PDB_GENFS); i++) {
        write_text(db, "genfscon", genfs[i].name, out);
        write_text(db, "", genfs[i].path, out);
        if (genfs[i].class != 0)
            fprintf(out, " %s", vd_policydb_name(db, VD_SYM_CLASS, genfs[i].class));
        finish(db, genfs[i].context, out);
    }
}

static const char *protocol_name(uint32_t protocol)
{
    switch (protocol) {
    case VD_PROTOCOL_TCP:
        return "tcp";
    case VD_PROTOCOL_UDP:
        return "udp";
    case VD_PROTOCOL_DCCP:
        return "dccp";
    default:
        return "sctp";
    }
}

static void write_address(uint32_t family, const uint8_t *address, FILE *out)
{
    char buf[INET6_ADDRSTRLEN];

    fprintf(out, " %s", inet_ntop(family == 6 ? AF_INET6 : AF_INET, address, buf, sizeof(buf)));
}

static void write_network(const struct vd_policydb *db, FILE *out)
{
    const struct vd_pdb_port *ports = vd_diff_table(db, VD_PDB_PORTS);
    const struct vd_pdb_netif *netifs = vd_diff_table(db, VD_PDB_NETIFS);
    const struct vd_pdb_netnode *nodes = vd_diff_table(db, VD_PDB_NETNODES);

    for (uint32_t i = 0; i < vd_diff_count(db, VD_PDB_PORTS); i++) {
        fprintf(out, "portcon %s %u", protocol_name(ports[i].protocol), ports[i].low);
        if (ports[i].high != ports[i].low)
            fprintf(out, "-%u", ports[i].high);
        finish(db, ports[i].context, out);
    }
    for (uint32_t i = 0; i < vd_diff_count(db, VD_PDB_NETIFS); i++) {
        write_text(db, "netifcon", netifs[i].name, out);
        fputc(' ', out);
        write_context(db, netifs[i].context, out);
        finish(db, netifs[i].packets, out);
    }
    for (uint32_t i = 0; i < vd_diff_count(db, VD_PDB_NETNODES); i++) {
        fputs("nodecon", out);
        write_address(nodes[i].family, nodes[i].address, out);
        write_address(nodes[i].family, nodes[i].mask, out);
        finish(db, nodes[i].context, out);
    }
}

static void write_infiniband(const struct vd_policydb *db, FILE *out)
{
    const struct vd_pdb_ibpkey *keys = vd_diff_table(db, VD_PDB_IBPKEYS);
    const struct vd_pdb_ibendport *ports = vd_diff_table(db, VD_PDB_IBENDPORTS);

    for (uint32_t i = 0; i < vd_diff_count(db, VD_PDB_IBPKEYS); i++) {
        uint8_t address[16] = {};

        memcpy(address, keys[i].prefix, sizeof(keys[i].prefix));
        fputs("ibpkeycon", out);
        write_address(6, address, out);
        fprintf(out, " %u-%u", keys[i].low, keys[i].high);
        finish(db, keys[i].context, out);
    }
    for (uint32_t i = 0; i < vd_diff_count(db, VD_PDB_IBENDPORTS); i++) {
        write_text(db, "ibendportcon", ports[i].device, out);
        fprintf(out, " %u", ports[i].port);
        finish(db, ports[i].context, out);
    }
}

void vd_diff_labels(const struct vd_policydb *db, FILE *out)
{
    const struct vd_pdb_initial *initial = vd_diff_table(db, VD_PDB_INITIAL);

    for (uint32_t i = 0; i < vd_diff_count(db, VD_PDB_INITIAL); i++) {
        fprintf(out, "sid %s", vd_policydb_string(db, initial[i].name));
        finish(db, initial[i].context, out);
    }
    write_files(db, out);
    write_network(db, out);
    write_infiniband(db, out);
}
