/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The rules of SELinux's binary policy, and the conditional ones. What the
 * kernel refuses as a repetition or a contradiction is refused: two
 * unconditional rules of one kind for the same source, target and class; a
 * conditional rule that gives a type where another one gives one, unless these
 * are the two branches of one condition.
 */
#include "tools/sepolicy/selinux/read.h"

#define SR_RULE_SIZE   12u /* bytes, at least */
#define SR_COND_SIZE   16u
#define SR_SPEC_TYPE   (VD_SE_TRANSITION | VD_SE_MEMBER | VD_SE_CHANGE)
#define SR_XPERM_WORDS 8u

/* A rule while it is read. */
struct rule {
    uint32_t place;
    uint16_t source, target, class, spec;
    uint32_t list; /* 0: unconditional; 1 + 2 * condition, one more for its else branch */
    bool holds;    /* under the default booleans */
};

static uint32_t cond_of(const struct rule *rule)
{
    return rule->list == 0 ? 0 : (rule->list + 1) / 2;
}

static bool otherwise(const struct rule *rule)
{
    return rule->list != 0 && rule->list % 2 == 0;
}

static uint64_t key_of(const struct rule *rule)
{
    return (uint64_t)rule->source | (uint64_t)rule->target << 16 | (uint64_t)rule->class << 32 |
           (uint64_t)rule->spec << 48;
}

/* The shared set of one symbol. */
static uint32_t set_of(struct vd_sp_sr *sr, uint32_t *sets, const struct vd_sp_sr_table *table,
                       uint32_t number)
{
    struct vd_sp_set set = vd_sp_sr_one(&table->items[number]);

    if (sets[number] == 0)
        sets[number] = vd_sp_share_set(&sr->sp->sets, &sr->sp->arena, &set) + 1;
    return sets[number] - 1;
}

static void add_access(struct vd_sp_sr *sr, const struct rule *rule, uint32_t data)
{
    struct vd_sp *sp = sr->sp;
    struct vd_sp_item perms[VD_PDB_MAX_PERMS];
    struct vd_sp_set set = {.items = perms};
    struct vd_sp_rule row = {.source = set_of(sr, sr->type_set, &sr->types, rule->source),
                             .target = set_of(sr, sr->type_set, &sr->types, rule->target),
                             .classes = set_of(sr, sr->class_set, &sr->classes, rule->class),
                             .place = rule->place,
                             .cond = cond_of(rule),
                             .otherwise = otherwise(rule)};

    switch (rule->spec) {
    case VD_SE_ALLOWED:
        row.kind = VD_SP_ALLOW;
        break;
    case VD_SE_AUDITALLOW:
        row.kind = VD_SP_AUDITALLOW;
        break;
    default:
        row.kind = VD_SP_DONTAUDIT;
        data = ~data;
        break;
    }
    set.count = vd_sp_sr_perms(sr, rule->class, data, perms);
    row.perms = vd_sp_share_set(&sp->sets, &sp->arena, &set);
    *VD_SP_PUSH(&sp->arena, &sp->rules) = row;
}

/* The kernel looks for a type's own number only: a rule of an attribute would do nothing there. */
static void check_types(struct vd_sp_sr *sr, const struct rule *rule)
{
    if (sr->attribute[rule->source] || sr->attribute[rule->target])
        vd_sp_sr_fail(sr, rule->place, "a rule that gives a type, of an attribute; expected types");
}

/* The checks of the kernel's avtab_insert and cond_insertf. */
static void check_repetition(struct vd_sp_sr *sr, const struct rule *rule)
{
    uint64_t key = key_of(rule);
    uint32_t *list;
    bool is_new;

    if (rule->list == 0) {
        (void)vd_sp_sr_keep(sr, &sr->rules, key, &is_new);
        if (!is_new)
            vd_sp_sr_fail(sr, rule->place,
                          "another rule of this kind has the same source, target and class");
        return;
    }
    if ((rule->spec & SR_SPEC_TYPE) == 0)
        return;
    if (vd_sp_sr_has(&sr->rules, key))
        vd_sp_sr_fail(sr, rule->place,
                      "a rule outside of conditions gives a type for the same source, target and "
                      "class");
    list = vd_sp_sr_keep(sr, &sr->type_rules, key, &is_new);
    if (!is_new && (!otherwise(rule) || *list != rule->list - 1))
        vd_sp_sr_fail(
            sr, rule->place,
            "another conditional rule gives a type for the same source, target and class");
    *list = rule->list;
}

static void add_type_rule(struct vd_sp_sr *sr, const struct rule *rule, uint32_t place,
                          uint32_t data)
{
    struct vd_sp *sp = sr->sp;
    struct vd_sp_transition row = {.source = vd_sp_sr_one(&sr->types.items[rule->source]),
                                   .target = vd_sp_sr_one(&sr->types.items[rule->target]),
                                   .classes = vd_sp_sr_one(&sr->classes.items[rule->class]),
                                   .place = rule->place,
                                   .cond = cond_of(rule),
                                   .otherwise = otherwise(rule)};

    check_types(sr, rule);
    row.result = *vd_sp_sr_number(sr, &sr->types, data, place, "type");
    if (sr->attribute[data])
        vd_sp_sr_fail(sr, place, "a rule that gives the attribute '%s'; expected a type",
                      vd_sp_str(sp, row.result.name));
    row.kind = rule->spec == VD_SE_TRANSITION ? VD_TRANS_TYPE
               : rule->spec == VD_SE_MEMBER   ? VD_TRANS_MEMBER
                                              : VD_TRANS_CHANGE;
    *VD_SP_PUSH(&sp->arena, &sp->transitions) = row;
}

/* Adds the numbers `low` to `high`, joined to the last range where they follow it. */
static void add_range(struct vd_sp_sr *sr, struct vd_sp_xperm_rule *row, uint32_t low,
                      uint32_t high)
{
    struct vd_sp *sp = sr->sp;

    if (row->range_count > 0 &&
        sp->xperm_ranges.data[sp->xperm_ranges.count - 1].high + 1u == low) {
        sp->xperm_ranges.data[sp->xperm_ranges.count - 1].high = (uint16_t)high;
        return;
    }
    *VD_SP_PUSH(&sp->arena, &sp->xperm_ranges) =
        (struct vd_sp_xperm_range){.low = (uint16_t)low, .high = (uint16_t)high};
    row->range_count++;
}

/* An extended permission: commands of one driver, whole drivers, or messages. */
static void read_xperms(struct vd_sp_sr *sr, const struct rule *rule)
{
    struct vd_sp *sp = sr->sp;
    uint32_t place = vd_sp_sr_place(sr);
    uint8_t form = vd_sp_sr_u8(sr, "an extended permission's form");
    uint8_t driver = vd_sp_sr_u8(sr, "an extended permission's driver");
    struct vd_sp_xperm_rule row = {.source = vd_sp_sr_one(&sr->types.items[rule->source]),
                                   .target = vd_sp_sr_one(&sr->types.items[rule->target]),
                                   .classes = vd_sp_sr_one(&sr->classes.items[rule->class]),
                                   .range_first = sp->xperm_ranges.count,
                                   .place = rule->place,
                                   .cond = cond_of(rule),
                                   .otherwise = otherwise(rule)};

    if (form < VD_SE_XPERM_FUNCTION || form > VD_SE_XPERM_NLMSG)
        vd_sp_sr_fail(sr, place, "an extended permission of form %u; expected %u to %u", form,
                      VD_SE_XPERM_FUNCTION, VD_SE_XPERM_NLMSG);
    row.nlmsg = form == VD_SE_XPERM_NLMSG;
    row.kind = rule->spec == VD_SE_XPERMS_ALLOWED      ? VD_SP_ALLOW
               : rule->spec == VD_SE_XPERMS_AUDITALLOW ? VD_SP_AUDITALLOW
                                                       : VD_SP_DONTAUDIT;
    for (uint32_t w = 0; w < SR_XPERM_WORDS; w++) {
        uint64_t bits = vd_sp_sr_u32(sr, "an extended permission's bits");

        VD_SP_FOR_EACH_BIT (&bits, 1, bit) {
            uint32_t number = w * 32 + bit;

            if (form == VD_SE_XPERM_DRIVER)
                add_range(sr, &row, number << 8, number << 8 | 0xff);
            else
                add_range(sr, &row, (uint32_t)driver << 8 | number, (uint32_t)driver << 8 | number);
        }
    }
    if (row.range_count == 0)
        vd_sp_sr_fail(sr, place, "an extended permission without any bit");
    *VD_SP_PUSH(&sp->arena, &sp->xperm_rules) = row;
}

static void read_key(struct vd_sp_sr *sr, struct rule *rule)
{
    uint32_t place;

    rule->place = vd_sp_sr_place(sr);
    rule->source = vd_sp_sr_u16(sr, "a rule's source");
    rule->target = vd_sp_sr_u16(sr, "a rule's target");
    rule->class = vd_sp_sr_u16(sr, "a rule's class");
    place = vd_sp_sr_place(sr);
    rule->spec = vd_sp_sr_u16(sr, "a rule's kind");
    (void)vd_sp_sr_number(sr, &sr->types, rule->source, rule->place, "source type");
    (void)vd_sp_sr_number(sr, &sr->types, rule->target, rule->place + 2, "target type");
    (void)vd_sp_sr_number(sr, &sr->classes, rule->class, rule->place + 4, "class");
    /* What is in force must be what the default booleans say: the kernel takes it as it stands. */
    if (rule->list != 0 && rule->holds != ((rule->spec & VD_SE_ENABLED) != 0))
        vd_sp_sr_fail(sr, place, "a conditional rule is %s force, but its condition says otherwise",
                      rule->holds ? "out of" : "in");
    rule->spec &= (uint16_t)~VD_SE_ENABLED;
}

static void read_rule(struct vd_sp_sr *sr, struct rule *rule)
{
    uint32_t place;

    read_key(sr, rule);
    place = vd_sp_sr_place(sr);
    switch (rule->spec) {
    case VD_SE_ALLOWED:
    case VD_SE_AUDITALLOW:
    case VD_SE_AUDITDENY:
        check_repetition(sr, rule);
        add_access(sr, rule, vd_sp_sr_u32(sr, "a rule's permissions"));
        break;
    case VD_SE_TRANSITION:
    case VD_SE_MEMBER:
    case VD_SE_CHANGE:
        check_repetition(sr, rule);
        add_type_rule(sr, rule, place, vd_sp_sr_u32(sr, "a rule's new type"));
        break;
    case VD_SE_XPERMS_ALLOWED:
    case VD_SE_XPERMS_AUDITALLOW:
    case VD_SE_XPERMS_DONTAUDIT:
        if (rule->list != 0 && sr->version < VD_SE_COND_XPERMS_VERSION)
            vd_sp_sr_fail(sr, rule->place,
                          "conditional extended permissions need version %u, this is version %u",
                          VD_SE_COND_XPERMS_VERSION, sr->version);
        read_xperms(sr, rule);
        break;
    default:
        vd_sp_sr_fail(sr, rule->place + 6, "a rule of kind 0x%x; expected one kind", rule->spec);
    }
}

/* Values of the condition's stack, and its value under the default booleans. */
static bool read_expression(struct vd_sp_sr *sr, struct vd_sp_cond *cond)
{
    struct vd_sp *sp = sr->sp;
    bool stack[VD_SE_MAX_COND_DEPTH] = {};
    uint32_t depth = 0;

    for (uint32_t i = 0; i < cond->node_count; i++) {
        uint32_t place = vd_sp_sr_place(sr), op = vd_sp_sr_u32(sr, "a condition's node");
        uint32_t number = vd_sp_sr_u32(sr, "a condition's boolean");
        struct vd_sp_cond_node node = {.op = op};
        uint32_t needed = op == VD_COND_BOOL ? 0 : op == VD_COND_NOT ? 1 : 2;

        if (op < VD_COND_BOOL || op > VD_COND_NEQ)
            vd_sp_sr_fail(sr, place, "a condition's node of kind %u; expected %u to %u", op,
                          VD_COND_BOOL, VD_COND_NEQ);
        if (depth < needed || (needed == 0 && depth == VD_SE_MAX_COND_DEPTH))
            vd_sp_sr_fail(sr, place,
                          "a condition that needs more than %u values at once or an "
                          "operator without its values",
                          VD_SE_MAX_COND_DEPTH);
        if (op == VD_COND_BOOL) {
            node.name = *vd_sp_sr_number(sr, &sr->bools, number, place + 4, "boolean");
            stack[depth++] = sp->bool_values.data[number - 1] != 0;
        } else if (op == VD_COND_NOT) {
            stack[depth - 1] = !stack[depth - 1];
        } else {
            bool a = stack[depth - 2], b = stack[depth - 1];

            depth--;
            stack[depth - 1] = op == VD_COND_OR    ? a | b
                               : op == VD_COND_AND ? a & b
                               : op == VD_COND_EQ  ? a == b
                                                   : a != b;
        }
        *VD_SP_PUSH(&sp->arena, &sp->cond_nodes) = node;
    }
    if (depth != 1)
        vd_sp_sr_fail(sr, cond->place, "a condition that leaves %u values; expected 1", depth);
    return stack[0];
}

static void read_list(struct vd_sp_sr *sr, uint32_t list, bool holds)
{
    uint32_t count = vd_sp_sr_count(sr, SR_RULE_SIZE, "a condition's rules");
    struct rule rule = {.list = list, .holds = holds};

    for (uint32_t i = 0; i < count; i++)
        read_rule(sr, &rule);
}

static void read_condition(struct vd_sp_sr *sr)
{
    struct vd_sp *sp = sr->sp;
    struct vd_sp_cond cond = {.node_first = sp->cond_nodes.count, .place = vd_sp_sr_place(sr)};
    uint32_t state = vd_sp_sr_u32(sr, "a condition's value"), list;
    bool holds;

    cond.node_count = vd_sp_sr_count(sr, 8, "a condition's nodes");
    if (cond.node_count > VD_PDB_MAX_COND)
        vd_sp_sr_fail(sr, cond.place, "a condition of %u nodes; expected at most %u",
                      cond.node_count, VD_PDB_MAX_COND);
    holds = read_expression(sr, &cond);
    if (state != (uint32_t)holds)
        vd_sp_sr_fail(sr, cond.place, "a condition's value is %u; under the booleans it is %u",
                      state, holds);
    *VD_SP_PUSH(&sp->arena, &sp->conds) = cond;
    list = 2 * sp->conds.count - 1;
    read_list(sr, list, holds);
    read_list(sr, list + 1, !holds);
}

void vd_sp_sr_rules(struct vd_sp_sr *sr)
{
    uint32_t place = vd_sp_sr_place(sr), count = vd_sp_sr_count(sr, SR_RULE_SIZE, "the rules");
    struct rule rule = {};

    sr->type_set = vd_sp_alloc_array(&sr->sp->arena, sr->types.count, sizeof(uint32_t));
    sr->class_set = vd_sp_alloc_array(&sr->sp->arena, sr->classes.count, sizeof(uint32_t));
    if (count == 0)
        vd_sp_sr_fail(sr, place, "no rule outside of conditions: SELinux's kernel refuses that");
    for (uint32_t i = 0; i < count; i++)
        read_rule(sr, &rule);
    count = vd_sp_sr_count(sr, SR_COND_SIZE, "the conditions");
    for (uint32_t i = 0; i < count; i++)
        read_condition(sr);
}
