/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The check of a rulebook, whole: after it every number in it may be used as it
 * stands. One pass over each table, constant work a row.
 */
#include "core/base/checked.h"
#include "core/base/crc64.h"
#include "tools/rulebook/rulebook.h"

#include <string.h>

#define AT(field) offsetof(struct vd_rulebook_header, field)

struct check {
    const uint8_t *base; /* of the rulebook */
    uint64_t file_offset;
    const struct vd_rulebook_header *head;
    const struct vd_policydb *db;
    const struct vd_pdb_header *blob;
    struct vd_diag *diag;
};

static const struct {
    const char *name;
    uint32_t row_size;
    uint32_t max_rows;
} specs[VD_BOOK_SECTIONS] = {
    [VD_BOOK_STRINGS] = {"strings", 1, VD_RULEBOOK_MAX_SIZE},
    [VD_BOOK_FILES] = {"files", 4, 1u << 20},
    [VD_BOOK_SETS] = {"sets", sizeof(struct vd_rule_set), VD_RULEBOOK_MAX_SETS},
    [VD_BOOK_ITEMS] = {"items", 4, 1u << 26},
    [VD_BOOK_CONDS] = {"conditions", sizeof(struct vd_rule_cond), 1u << 20},
    [VD_BOOK_COND_NODES] = {"condition nodes", sizeof(struct vd_pdb_cond_node), 1u << 24},
    [VD_BOOK_SPANS] = {"spans", sizeof(struct vd_rule_span), 1u << 24},
    [VD_BOOK_RULES] = {"rules", sizeof(struct vd_rule), VD_RULEBOOK_MAX_RULES},
};

static vd_status fail(const struct check *c, vd_status status, uint64_t offset, const char *text)
{
    return vd_diag_fail_at(c->diag, status, c->file_offset + offset, text);
}

static const void *rows_of(const struct check *c, enum vd_rulebook_section section)
{
    return c->base + c->head->sections[section].offset;
}

static uint32_t count_of(const struct check *c, enum vd_rulebook_section section)
{
    return c->head->sections[section].count;
}

/* Says what is wrong with a row. */
static vd_status bad(const struct check *c, enum vd_rulebook_section section, uint32_t row,
                     const char *text)
{
    struct vd_text t;
    bool mine = c->diag != NULL && c->diag->status == VD_OK;

    vd_diag_begin(c->diag, VD_E_INVALID, &t);
    if (!mine)
        return VD_E_INVALID;
    c->diag->offset = c->file_offset + c->head->sections[section].offset +
                      (uint64_t)row * specs[section].row_size;
    c->diag->has_offset = true;
    vd_text_str(&t, "rulebook, ");
    vd_text_str(&t, specs[section].name);
    vd_text_str(&t, ", row ");
    vd_text_u64(&t, row);
    vd_text_str(&t, ": ");
    vd_text_str(&t, text);
    return VD_E_INVALID;
}

static bool span_within(const struct check *c, enum vd_rulebook_section section, uint32_t first,
                        uint32_t count)
{
    return vd_range_within(first, count, count_of(c, section));
}

uint64_t vd_rulebook_checksum(const void *book, uint32_t size)
{
    static const uint8_t zero[8];
    const uint8_t *bytes = book;
    uint64_t crc = vd_crc64(0, bytes, AT(checksum));

    crc = vd_crc64(crc, zero, sizeof(zero));
    return vd_crc64(crc, bytes + AT(blob_checksum), size - AT(blob_checksum));
}

static vd_status check_frame(const struct check *c, size_t size)
{
    const struct vd_rulebook_header *head = c->head;

    if (memcmp(head->magic, VD_PDB_RULEBOOK_MAGIC, sizeof(head->magic)) != 0)
        return fail(c, VD_E_MAGIC, 0, "not a rulebook: expected the magic VDRULES1");
    if (head->version != VD_RULEBOOK_VERSION)
        return fail(c, VD_E_VERSION, AT(version),
                    "this version of the rulebook is not known: expected 1");
    if (head->header_size != VD_RULEBOOK_HEADER_SIZE)
        return fail(c, VD_E_RANGE, AT(header_size), "the rulebook's header is not 304 bytes");
    if (head->total_size > size)
        return fail(c, VD_E_TRUNCATED, size, "the rulebook is shorter than its header says");
    if (head->total_size < size)
        return fail(c, VD_E_TRAILING, head->total_size, "there is data after the rulebook's end");
    if (head->reserved != 0 || head->reserved2 != 0 || head->reserved3[0] != 0 ||
        head->reserved3[1] != 0 || head->reserved3[2] != 0 || head->reserved3[3] != 0)
        return fail(c, VD_E_RESERVED, AT(reserved), "a reserved field is not zero");
    if (head->checksum != vd_rulebook_checksum(c->base, head->total_size))
        return fail(c, VD_E_CHECKSUM, AT(checksum),
                    "the checksum does not fit the content: the rulebook is damaged");
    if (head->blob_size != c->blob->total_size || head->blob_checksum != c->blob->checksum)
        return fail(c, VD_E_INVALID, AT(blob_checksum), "this is the rulebook of another policy");
    return VD_OK;
}

static bool all_zero(const uint8_t *bytes, size_t size)
{
    uint8_t any = 0;

    for (size_t i = 0; i < size; i++)
        any |= bytes[i];
    return any == 0;
}

static vd_status check_sections(const struct check *c)
{
    static const struct vd_pdb_section_row none;
    uint32_t end = VD_RULEBOOK_HEADER_SIZE;

    for (uint32_t i = 0; i < VD_BOOK_SECTION_MAX; i++) {
        const struct vd_pdb_section_row *s = &c->head->sections[i];
        uint64_t place = AT(sections) + (uint64_t)i * sizeof(*s);
        uint32_t start = (end + VD_PDB_ALIGN - 1) & ~(VD_PDB_ALIGN - 1);

        if (i >= VD_BOOK_SECTIONS) {
            if (memcmp(s, &none, sizeof(none)) != 0)
                return fail(c, VD_E_RESERVED, place, "a section that has no meaning is not zero");
            continue;
        }
        if (s->reserved != 0)
            return fail(c, VD_E_RESERVED, place, "a reserved field is not zero");
        if (s->offset != start)
            return fail(c, VD_E_RANGE, place,
                        "the section does not start where the one before it ends");
        if (!vd_range_within(s->offset, s->size, c->head->total_size))
            return fail(c, VD_E_OVERFLOW, place, "the section reaches beyond the rulebook's end");
        if (s->size != (uint64_t)s->count * specs[i].row_size)
            return fail(c, VD_E_RANGE, place,
                        "the section's size does not fit the number of its rows");
        if (s->count > specs[i].max_rows)
            return fail(c, VD_E_LIMIT, place, "the section has more rows than it may have");
        if (!all_zero(c->base + end, s->offset - end))
            return fail(c, VD_E_RESERVED, end, "padding is not zero");
        end = s->offset + s->size;
    }
    if (c->head->total_size != ((end + VD_PDB_ALIGN - 1) & ~(VD_PDB_ALIGN - 1)))
        return fail(c, VD_E_TRAILING, end, "there is data after the last section");
    if (!all_zero(c->base + end, c->head->total_size - end))
        return fail(c, VD_E_RESERVED, end, "padding is not zero");
    return VD_OK;
}

/* Every string ends, none is longer than the limit. */
static vd_status check_strings(const struct check *c)
{
    const char *strings = rows_of(c, VD_BOOK_STRINGS);
    uint32_t count = count_of(c, VD_BOOK_STRINGS), start = 0;

    if (count == 0 || strings[0] != '\0' || strings[count - 1] != '\0')
        return bad(c, VD_BOOK_STRINGS, 0, "the strings do not begin and end with NUL");
    for (uint32_t i = 0; i < count; i++) {
        if (i - start > VD_RULEBOOK_MAX_TEXT)
            return bad(c, VD_BOOK_STRINGS, start, "a string of more than 4096 bytes");
        if (strings[i] == '\0')
            start = i + 1;
    }
    return VD_OK;
}

static vd_status check_files(const struct check *c)
{
    const uint32_t *rows = rows_of(c, VD_BOOK_FILES);

    if (count_of(c, VD_BOOK_FILES) == 0 || rows[0] != 0)
        return bad(c, VD_BOOK_FILES, 0, "row 0 is not the empty one");
    for (uint32_t i = 0; i < count_of(c, VD_BOOK_FILES); i++) {
        if (rows[i] >= count_of(c, VD_BOOK_STRINGS))
            return bad(c, VD_BOOK_FILES, i, "the name lies outside the strings");
    }
    return VD_OK;
}

/* True if the number is a type, an attribute or a role of the policy. */
static bool is_symbol(const struct check *c, bool role, uint32_t number)
{
    enum vd_pdb_section section = role ? VD_PDB_ROLES : VD_PDB_TYPES;
    uint32_t row_size = role ? sizeof(struct vd_pdb_role) : sizeof(struct vd_pdb_type);
    const uint32_t *name = vd_pdb_row(c->db, section, number, row_size);

    return name != NULL && *name != 0;
}

static vd_status check_sets(const struct check *c)
{
    const struct vd_rule_set *rows = rows_of(c, VD_BOOK_SETS);
    const uint32_t *items = rows_of(c, VD_BOOK_ITEMS);
    uint64_t expected = 0;

    if (count_of(c, VD_BOOK_SETS) == 0 || rows[0].count != 0 || rows[0].flags != 0)
        return bad(c, VD_BOOK_SETS, 0, "row 0 is not the empty set");
    for (uint32_t i = 0; i < count_of(c, VD_BOOK_SETS); i++) {
        /* One set's items behind another's: linear whatever the rows say. */
        if (rows[i].first != expected ||
            !span_within(c, VD_BOOK_ITEMS, rows[i].first, rows[i].count))
            return bad(c, VD_BOOK_SETS, i, "its items do not follow those of the set before");
        if ((rows[i].flags & ~VD_RULE_SET_FLAGS) != 0)
            return bad(c, VD_BOOK_SETS, i, "flags that have no meaning");
        for (uint32_t k = rows[i].first; k < rows[i].first + rows[i].count; k++) {
            if (!is_symbol(c, (rows[i].flags & VD_RULE_SET_ROLES) != 0, items[k] & ~VD_RULE_MINUS))
                return bad(c, VD_BOOK_ITEMS, k, "the policy has no such type, attribute or role");
        }
        expected = (uint64_t)rows[i].first + rows[i].count;
    }
    if (expected != count_of(c, VD_BOOK_ITEMS))
        return bad(c, VD_BOOK_ITEMS, 0, "there are items that belong to no set");
    return VD_OK;
}

/* What is wrong with a condition; NULL: nothing. */
static const char *check_cond(const struct check *c, const struct vd_rule_cond *cond)
{
    const struct vd_pdb_cond_node *nodes = rows_of(c, VD_BOOK_COND_NODES);
    uint32_t depth = 0;

    if (cond->count > VD_PDB_MAX_COND ||
        !span_within(c, VD_BOOK_COND_NODES, cond->first, cond->count))
        return "it lies outside its table, or has more than 256 nodes";
    for (uint32_t i = cond->first; i < cond->first + cond->count; i++) {
        uint32_t takes = nodes[i].op == VD_COND_NOT ? 1 : 2;

        if (nodes[i].op == VD_COND_BOOL) {
            const struct vd_pdb_bool *row =
                vd_pdb_row(c->db, VD_PDB_BOOLS, nodes[i].value, sizeof(*row));
            if (row == NULL || row->name == 0)
                return "it asks for a boolean that does not exist";
            if (++depth > VD_PDB_MAX_DEPTH)
                return "it has more than 16 values on the stack";
            continue;
        }
        if (nodes[i].op < VD_COND_NOT || nodes[i].op > VD_COND_NEQ || nodes[i].value != 0)
            return "it has an unknown operation";
        if (depth < takes)
            return "it has an operator without values";
        depth -= takes - 1;
    }
    return depth == 1 ? NULL : "it does not end with one value";
}

static vd_status check_conds(const struct check *c)
{
    const struct vd_rule_cond *rows = rows_of(c, VD_BOOK_CONDS);

    for (uint32_t i = 0; i < count_of(c, VD_BOOK_CONDS); i++) {
        const char *wrong = check_cond(c, &rows[i]);
        if (wrong != NULL)
            return bad(c, VD_BOOK_CONDS, i, wrong);
    }
    return VD_OK;
}

/* What a kind's fields must be. */
static const struct shape {
    bool class;
    bool types;        /* source and target are sets of types */
    bool source_roles; /* source is a set of roles */
    bool target_roles;
    bool cond;
} shapes[VD_RULE_KIND_END] = {
    [VD_RULE_ALLOW] = {.class = true, .types = true, .cond = true},
    [VD_RULE_AUDITALLOW] = {.class = true, .types = true, .cond = true},
    [VD_RULE_DONTAUDIT] = {.class = true, .types = true, .cond = true},
    [VD_RULE_DENY] = {.class = true, .types = true},
    [VD_RULE_NEVERALLOW] = {.class = true, .types = true},
    [VD_RULE_ALLOWXPERM] = {.class = true, .types = true, .cond = true},
    [VD_RULE_AUDITALLOWXPERM] = {.class = true, .types = true, .cond = true},
    [VD_RULE_DONTAUDITXPERM] = {.class = true, .types = true, .cond = true},
    [VD_RULE_NEVERALLOWXPERM] = {.class = true, .types = true},
    [VD_RULE_TYPE_TRANSITION] = {.class = true, .types = true, .cond = true},
    [VD_RULE_TYPE_MEMBER] = {.class = true, .types = true, .cond = true},
    [VD_RULE_TYPE_CHANGE] = {.class = true, .types = true, .cond = true},
    [VD_RULE_RANGE_TRANSITION] = {.class = true, .types = true},
    [VD_RULE_ROLE_TRANSITION] = {.class = true, .source_roles = true},
    [VD_RULE_ROLE_ALLOW] = {.source_roles = true, .target_roles = true},
    [VD_RULE_CONSTRAIN] = {.class = true},
    [VD_RULE_MLSCONSTRAIN] = {.class = true},
    [VD_RULE_VALIDATETRANS] = {.class = true},
    [VD_RULE_MLSVALIDATETRANS] = {.class = true},
    [VD_RULE_TYPEBOUNDS] = {.types = true},
};

static bool is_set(const struct check *c, uint32_t set, bool roles)
{
    const struct vd_rule_set *rows = rows_of(c, VD_BOOK_SETS);

    return set < count_of(c, VD_BOOK_SETS) &&
           ((rows[set].flags & VD_RULE_SET_ROLES) != 0 || set == 0) >= roles &&
           ((rows[set].flags & VD_RULE_SET_ROLES) == 0 || roles);
}

static const char *check_numbers(const struct check *c, const struct vd_rule *rule,
                                 const struct shape *shape)
{
    const struct vd_pdb_class *class =
        vd_pdb_row(c->db, VD_PDB_CLASSES, rule->class, sizeof(*class));

    if (shape->class != (rule->class != 0) || class == NULL ||
        (rule->class != 0 && class->name == 0))
        return "the class does not fit the kind, or does not exist";
    if (!is_set(c, rule->source, shape->source_roles) ||
        !is_set(c, rule->target, shape->target_roles))
        return "the source or target is no set of the kind's sort";
    if (vd_rule_is_constraint(rule) && (rule->source != 0 || rule->target != 0))
        return "a constraint has no source and target";
    if (rule->cond > count_of(c, VD_BOOK_CONDS) || (rule->cond != 0 && !shape->cond))
        return "the condition does not exist, or does not fit the kind";
    if ((rule->flags & ~VD_RULE_FLAGS) != 0 ||
        (!shape->types && (rule->flags & (VD_RULE_SELF | VD_RULE_NOT_SELF)) != 0) ||
        (rule->cond == 0 && (rule->flags & VD_RULE_ELSE) != 0))
        return "flags that have no meaning here";
    if (rule->file >= count_of(c, VD_BOOK_FILES) || (rule->file == 0) != (rule->line == 0))
        return "the place does not exist";
    return NULL;
}

/* What `perms` means depends on the kind; what is wrong with it, NULL: nothing. */
static const char *check_perms(const struct check *c, const struct vd_rule *rule)
{
    const struct vd_pdb_class *class =
        vd_pdb_row(c->db, VD_PDB_CLASSES, rule->class, sizeof(*class));
    uint32_t all =
        class->perm_count >= VD_PDB_MAX_PERMS ? UINT32_MAX : (1u << class->perm_count) - 1;
    const struct vd_pdb_type *type;

    switch (rule->kind) {
    case VD_RULE_TYPE_TRANSITION:
    case VD_RULE_TYPE_MEMBER:
    case VD_RULE_TYPE_CHANGE:
        type = vd_pdb_row(c->db, VD_PDB_TYPES, rule->perms, sizeof(*type));
        return is_symbol(c, false, rule->perms) && (type->flags & VD_PDB_TYPE_ATTRIBUTE) == 0
                   ? NULL
                   : "the new type does not exist";
    case VD_RULE_RANGE_TRANSITION:
        return vd_pdb_row(c->db, VD_PDB_RANGES, rule->perms, sizeof(struct vd_pdb_range)) != NULL
                   ? NULL
                   : "the new range does not exist";
    case VD_RULE_ROLE_TRANSITION:
        return is_symbol(c, true, rule->perms) ? NULL : "the new role does not exist";
    case VD_RULE_ROLE_ALLOW:
    case VD_RULE_VALIDATETRANS:
    case VD_RULE_MLSVALIDATETRANS:
    case VD_RULE_TYPEBOUNDS:
        return rule->perms == 0 ? NULL : "permissions that have no meaning here";
    default:
        if (rule->perms == 0 || (rule->perms & ~all) != 0)
            return "no permission, or one that the class does not have";
        return vd_rule_is_xperm(rule) && (rule->perms & (rule->perms - 1)) != 0
                   ? "an extended rule for more than one permission"
                   : NULL;
    }
}

static const char *check_extra(const struct check *c, const struct vd_rule *rule)
{
    const struct vd_rule_span *spans = rows_of(c, VD_BOOK_SPANS);
    const struct vd_pdb_node *node;

    if (vd_rule_is_xperm(rule)) {
        if (rule->name == 0 || !span_within(c, VD_BOOK_SPANS, rule->first, rule->name))
            return "its calls lie outside their table";
        return spans[rule->first].low <= spans[rule->first].high ? NULL : "a span that is empty";
    }
    if (rule->name >= count_of(c, VD_BOOK_STRINGS))
        return "the text lies outside the strings";
    if (vd_rule_is_constraint(rule)) {
        node = vd_pdb_row(c->db, VD_PDB_NODES, rule->first, sizeof(*node));
        return node != NULL && node->op == VD_CX_BEGIN && node->arg == rule->perms
                   ? NULL
                   : "the policy has no such constraint";
    }
    if (rule->first != 0)
        return "a field that has no meaning here is not zero";
    return rule->name == 0 || (rule->kind == VD_RULE_TYPE_TRANSITION)
               ? NULL
               : "a name that has no meaning";
}

static vd_status check_rules(const struct check *c)
{
    const struct vd_rule *rows = rows_of(c, VD_BOOK_RULES);
    const struct vd_rule_span *spans = rows_of(c, VD_BOOK_SPANS);

    for (uint32_t i = 0; i < count_of(c, VD_BOOK_SPANS); i++) {
        if (spans[i].low > spans[i].high)
            return bad(c, VD_BOOK_SPANS, i, "its end comes before its beginning");
    }
    for (uint32_t i = 0; i < count_of(c, VD_BOOK_RULES); i++) {
        const char *wrong = rows[i].kind == 0 || rows[i].kind >= VD_RULE_KIND_END
                                ? "the kind is unknown"
                                : check_numbers(c, &rows[i], &shapes[rows[i].kind]);
        if (wrong == NULL)
            wrong = check_perms(c, &rows[i]);
        if (wrong == NULL)
            wrong = check_extra(c, &rows[i]);
        if (wrong != NULL)
            return bad(c, VD_BOOK_RULES, i, wrong);
    }
    return VD_OK;
}

vd_status vd_rulebook_open(struct vd_rulebook *ret, const struct vd_policydb *db, const void *file,
                           size_t size, struct vd_diag *diag)
{
    struct check c = {.db = db, .blob = vd_policydb_header(db), .diag = diag};
    uint64_t start = c.blob->total_size;

    if (size <= start) {
        vd_diag_hint(diag, "compile it without --strip");
        return vd_diag_fail(diag, VD_E_NOT_FOUND,
                            "this policy was compiled with --strip: it does not keep its rules as "
                            "written");
    }
    if (size - start < VD_RULEBOOK_HEADER_SIZE)
        return vd_diag_fail_at(diag, VD_E_TRUNCATED, size,
                               "too short for a rulebook: the header has 304 bytes");
    if (size - start > VD_RULEBOOK_MAX_SIZE)
        return vd_diag_fail_at(diag, VD_E_LIMIT, size, "larger than a rulebook may be: 512 MiB");
    c.file_offset = start;
    c.base = (const uint8_t *)file + start;
    c.head = (const void *)c.base;
    VD_TRY(check_frame(&c, size - start));
    VD_TRY(check_sections(&c));
    VD_TRY(check_strings(&c));
    VD_TRY(check_files(&c));
    VD_TRY(check_sets(&c));
    VD_TRY(check_conds(&c));
    VD_TRY(check_rules(&c));
    *ret = (struct vd_rulebook){.head = c.head,
                                .rules = rows_of(&c, VD_BOOK_RULES),
                                .rule_count = count_of(&c, VD_BOOK_RULES)};
    return VD_OK;
}
