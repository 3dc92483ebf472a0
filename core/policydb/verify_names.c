/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/policydb/verify.h"

#define ONES 0x0101010101010101u
#define TOPS 0x8080808080808080u

static bool visible(uint8_t byte)
{
    return byte > 0x20 && byte < 0x7f && byte != ':';
}

/* A top bit for each byte of x below `limit`, which is at most 0x80, where x has no top bits. */
static uint64_t below(uint64_t x, uint8_t limit)
{
    return ~((x | TOPS) - ONES * limit) & TOPS;
}

/* A top bit for each of eight bytes that is zero; `ret_good`: the others are all visible. */
static uint64_t look_at(uint64_t x, bool *ret_good)
{
    uint64_t zeros = below(x, 1) & ~x;
    uint64_t good = ~below(x, 0x21) & below(x, 0x7f) & ~below(x ^ ONES * ':', 1) & ~x;

    *ret_good = ((good | zeros) & TOPS) == TOPS;
    return zeros;
}

static vd_status bad_byte(const struct vd_pdb_check *c, uint32_t at)
{
    const uint8_t *bytes = vd_pdb_rows(c, VD_PDB_STRINGS);

    while (bytes[at] == 0 || visible(bytes[at]))
        at++;
    return vd_pdb_bad(c, VD_PDB_STRINGS, at, VD_E_SYNTAX,
                      "a byte that no name may have: expected visible ASCII without ':'");
}

/*
 * Bytes that names may have, and no string longer than a name may be: so each offset of
 * a byte that is not zero is that of a name.
 */
static vd_status check_strings(const struct vd_pdb_check *c)
{
    const uint8_t *bytes = vd_pdb_rows(c, VD_PDB_STRINGS);
    uint32_t count = vd_pdb_rows_count(c, VD_PDB_STRINGS), start = 0;

    if (count == 0 || bytes[0] != 0)
        return vd_pdb_bad(c, VD_PDB_STRINGS, 0, VD_E_RANGE, "no empty string at the start");
    if (bytes[count - 1] != 0)
        return vd_pdb_bad(c, VD_PDB_STRINGS, count - 1, VD_E_RANGE, "the last string has no end");
    for (uint32_t i = 0; i < count; i += sizeof(uint64_t)) {
        uint64_t x = 0, zeros;
        bool good;

        __builtin_memcpy(&x, bytes + i, count - i < sizeof(x) ? count - i : sizeof(x));
        zeros = look_at(x, &good);
        if (!good)
            return bad_byte(c, i);
        for (; zeros != 0; zeros &= zeros - 1) {
            uint32_t end = i + ((uint32_t)__builtin_ctzll(zeros) >> 3);

            if (end > start && end - start > VD_PDB_MAX_NAME)
                return vd_pdb_bad(c, VD_PDB_STRINGS, start, VD_E_RANGE,
                                  "longer than a name may be: 255 bytes");
            start = end + 1;
        }
    }
    return VD_OK;
}

static bool name_ok(const struct vd_pdb_check *c, uint32_t offset)
{
    const uint8_t *bytes = vd_pdb_rows(c, VD_PDB_STRINGS);

    return offset < vd_pdb_rows_count(c, VD_PDB_STRINGS) && bytes[offset] != 0;
}

static bool zero_words(const void *row, uint32_t size)
{
    const uint32_t *words = row;
    uint32_t any = 0;

    for (uint32_t i = 0; i < size / sizeof(*words); i++)
        any |= words[i];
    return any == 0;
}

/*
 * The first word of a row is its name; a row without one is a number not in
 * use and zero as a whole; so is row 0, except in CATS and PERMS.
 */
static vd_status check_name_column(const struct vd_pdb_check *c, enum vd_pdb_section section,
                                   uint32_t row_size)
{
    const uint8_t *rows = vd_pdb_rows(c, section);

    for (uint32_t i = 0; i < vd_pdb_rows_count(c, section); i++) {
        const uint32_t *row = (const uint32_t *)(rows + (size_t)i * row_size);
        if (row[0] == 0 && section != VD_PDB_PERMS) {
            if (!zero_words(row, row_size))
                return vd_pdb_bad(c, section, i, VD_E_RESERVED, "no name, but not zero");
        } else if (i == 0 && section != VD_PDB_CATS && section != VD_PDB_PERMS) {
            return vd_pdb_bad(c, section, i, VD_E_RESERVED, "row 0 is not zero");
        } else if (!name_ok(c, row[0])) {
            return vd_pdb_bad(c, section, i, VD_E_RANGE, "not the offset of a name");
        }
    }
    return VD_OK;
}

static vd_status check_classes(const struct vd_pdb_check *c)
{
    const struct vd_pdb_class *rows = vd_pdb_rows(c, VD_PDB_CLASSES);

    for (uint32_t i = 0; i < c->head->classes; i++) {
        const struct vd_pdb_class *row = &rows[i];
        if (row->perm_count > VD_PDB_MAX_PERMS ||
            !vd_pdb_span(c, VD_PDB_PERMS, row->perm_first, row->perm_count))
            return vd_pdb_bad(c, VD_PDB_CLASSES, i, VD_E_RANGE, "permissions outside their table");
        if ((row->role_perms & ~vd_pdb_perm_mask(row)) != 0)
            return vd_pdb_bad(c, VD_PDB_CLASSES, i, VD_E_RANGE,
                              "role permissions that the class does not have");
        if (row->reserved != 0 || (row->flags & ~VD_PDB_CLASS_FLAGS_ALL) != 0 ||
            (row->flags >> VD_PDB_CLASS_USER_SHIFT & 3) == 3 ||
            (row->flags >> VD_PDB_CLASS_ROLE_SHIFT & 3) == 3 ||
            (row->flags >> VD_PDB_CLASS_TYPE_SHIFT & 3) == 3)
            return vd_pdb_bad(c, VD_PDB_CLASSES, i, VD_E_RESERVED, "flags that have no meaning");
    }
    return VD_OK;
}

/* Steps from a type to its outermost bounding type; more than allowed if the chain is a ring. */
static uint32_t bounds_steps(const struct vd_pdb_type *rows, uint32_t types, uint32_t type)
{
    uint32_t steps = 0;

    while (steps <= VD_PDB_MAX_BOUNDS && rows[type].bounds != 0 && rows[type].bounds < types) {
        type = rows[type].bounds;
        steps++;
    }
    return steps;
}

static vd_status check_types(const struct vd_pdb_check *c)
{
    const struct vd_pdb_type *rows = vd_pdb_rows(c, VD_PDB_TYPES);
    uint32_t words = VD_BITMAP_WORDS(c->head->types);

    for (uint32_t i = 1; i < vd_pdb_rows_count(c, VD_PDB_TYPES); i++) {
        bool attribute = (rows[i].flags & VD_PDB_TYPE_ATTRIBUTE) != 0;
        if ((rows[i].flags & ~VD_PDB_TYPE_FLAGS_ALL) != 0)
            return vd_pdb_bad(c, VD_PDB_TYPES, i, VD_E_RESERVED, "flags that have no meaning");
        if (rows[i].name != 0 && attribute != (i >= c->head->types))
            return vd_pdb_bad(c, VD_PDB_TYPES, i, VD_E_RANGE,
                              "types come first, then attributes: this row is in the other part");
        if (rows[i].bounds >= c->head->types ||
            (rows[i].bounds != 0 && (attribute || rows[rows[i].bounds].name == 0)))
            return vd_pdb_bad(c, VD_PDB_TYPES, i, VD_E_RANGE, "the bounding type is none");
        if (bounds_steps(rows, c->head->types, i) > VD_PDB_MAX_BOUNDS)
            return vd_pdb_bad(c, VD_PDB_TYPES, i, VD_E_LIMIT,
                              "the chain of bounding types has more than 3 steps");
        if (attribute ? !vd_pdb_span(c, VD_PDB_BITMAPS, rows[i].bitmap, words)
                      : rows[i].bitmap != 0)
            return vd_pdb_bad(c, VD_PDB_TYPES, i, VD_E_RANGE,
                              "the attribute's types reach outside the bitmaps");
    }
    return VD_OK;
}

static vd_status check_roles_users(const struct vd_pdb_check *c)
{
    const struct vd_pdb_role *roles = vd_pdb_rows(c, VD_PDB_ROLES);
    const struct vd_pdb_user *users = vd_pdb_rows(c, VD_PDB_USERS);
    uint32_t type_words = VD_BITMAP_WORDS(c->head->types);
    uint32_t role_words = VD_BITMAP_WORDS(c->head->roles);

    for (uint32_t i = 0; i < c->head->roles; i++) {
        if (roles[i].name == 0)
            continue;
        if (roles[i].reserved != 0)
            return vd_pdb_bad(c, VD_PDB_ROLES, i, VD_E_RESERVED, "a reserved field is not zero");
        if (!vd_pdb_span(c, VD_PDB_BITMAPS, roles[i].types, type_words) ||
            !vd_pdb_span(c, VD_PDB_BITMAPS, roles[i].dominates, role_words))
            return vd_pdb_bad(c, VD_PDB_ROLES, i, VD_E_RANGE,
                              "types or dominated roles reach outside the bitmaps");
    }
    for (uint32_t i = 0; i < c->head->users; i++) {
        if (users[i].name == 0)
            continue;
        if (users[i].reserved != 0)
            return vd_pdb_bad(c, VD_PDB_USERS, i, VD_E_RESERVED, "a reserved field is not zero");
        if (!vd_pdb_span(c, VD_PDB_BITMAPS, users[i].roles, role_words))
            return vd_pdb_bad(c, VD_PDB_USERS, i, VD_E_RANGE, "roles reach outside the bitmaps");
    }
    return VD_OK;
}

static vd_status check_sens_bools(const struct vd_pdb_check *c)
{
    const struct vd_pdb_sens *sens = vd_pdb_rows(c, VD_PDB_SENS);
    const struct vd_pdb_bool *bools = vd_pdb_rows(c, VD_PDB_BOOLS);

    for (uint32_t i = 0; i < c->head->sens; i++) {
        if (sens[i].name != 0 && !vd_pdb_span(c, VD_PDB_BITMAPS, sens[i].cats, VD_MLS_CAT_WORDS))
            return vd_pdb_bad(c, VD_PDB_SENS, i, VD_E_RANGE,
                              "categories reach outside the bitmaps");
    }
    for (uint32_t i = 0; i < vd_pdb_rows_count(c, VD_PDB_BOOLS); i++) {
        if (bools[i].value > 1)
            return vd_pdb_bad(c, VD_PDB_BOOLS, i, VD_E_RANGE, "a value that is neither 0 nor 1");
    }
    return VD_OK;
}

static const struct {
    enum vd_pdb_section section;
    uint32_t row_words;
} kinds[] = {
    [VD_SYM_CLASS] = {VD_PDB_CLASSES, sizeof(struct vd_pdb_class) / 4},
    [VD_SYM_TYPE] = {VD_PDB_TYPES, sizeof(struct vd_pdb_type) / 4},
    [VD_SYM_ROLE] = {VD_PDB_ROLES, sizeof(struct vd_pdb_role) / 4},
    [VD_SYM_USER] = {VD_PDB_USERS, sizeof(struct vd_pdb_user) / 4},
    [VD_SYM_SENS] = {VD_PDB_SENS, sizeof(struct vd_pdb_sens) / 4},
    [VD_SYM_CAT] = {VD_PDB_CATS, 1},
    [VD_SYM_BOOL] = {VD_PDB_BOOLS, sizeof(struct vd_pdb_bool) / 4},
};

/* The offset of the name of a number of this kind; 0: it is not in use. */
static uint32_t name_of_number(const struct vd_pdb_check *c, uint32_t kind, uint32_t value)
{
    const uint32_t *words;

    if (kind < VD_SYM_CLASS || kind > VD_SYM_BOOL ||
        value >= vd_pdb_rows_count(c, kinds[kind].section))
        return 0;
    words = vd_pdb_rows(c, kinds[kind].section);
    return words[(size_t)value * kinds[kind].row_words];
}

static int compare_names(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return (int)(uint8_t)*a - (int)(uint8_t)*b;
}

/* True if the symbols, which are sorted, give this number its own name. */
static bool has_own_name(const struct vd_pdb_check *c, uint32_t kind, uint32_t value)
{
    const struct vd_pdb_symbol *rows = vd_pdb_rows(c, VD_PDB_SYMBOLS);
    const char *strings = vd_pdb_rows(c, VD_PDB_STRINGS);
    const char *name = strings + name_of_number(c, kind, value);
    uint32_t low = 0, high = vd_pdb_rows_count(c, VD_PDB_SYMBOLS);

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = rows[middle].kind != kind ? (rows[middle].kind < kind ? -1 : 1)
                                              : compare_names(strings + rows[middle].name, name);

        if (order == 0)
            return rows[middle].value == value;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* Says which number of this kind has no name of its own. */
static vd_status nameless(const struct vd_pdb_check *c, uint32_t kind)
{
    uint32_t row = 0;

    while (row + 1 < vd_pdb_rows_count(c, kinds[kind].section) &&
           (name_of_number(c, kind, row) == 0 || has_own_name(c, kind, row)))
        row++;
    return vd_pdb_bad(c, kinds[kind].section, row, VD_E_RANGE, "no symbol has its name");
}

/*
 * Each number in use has its own name among the symbols, beside its aliases: a symbol with the
 * name of its number is the only one, so that counting them is enough.
 */
static vd_status check_own_names(const struct vd_pdb_check *c, const uint32_t *own)
{
    for (uint32_t kind = VD_SYM_CLASS; kind <= VD_SYM_BOOL; kind++) {
        uint32_t used = 0;

        for (uint32_t row = 0; row < vd_pdb_rows_count(c, kinds[kind].section); row++)
            used += name_of_number(c, kind, row) != 0;
        if (used != own[kind])
            return nameless(c, kind);
    }
    return VD_OK;
}

static vd_status check_symbols(const struct vd_pdb_check *c)
{
    const struct vd_pdb_symbol *rows = vd_pdb_rows(c, VD_PDB_SYMBOLS);
    const char *strings = vd_pdb_rows(c, VD_PDB_STRINGS);
    uint32_t own[VD_COUNT(kinds)] = {};

    for (uint32_t i = 0; i < vd_pdb_rows_count(c, VD_PDB_SYMBOLS); i++) {
        uint32_t name = name_of_number(c, rows[i].kind, rows[i].value);

        if (rows[i].reserved != 0)
            return vd_pdb_bad(c, VD_PDB_SYMBOLS, i, VD_E_RESERVED, "a reserved field is not zero");
        if (!name_ok(c, rows[i].name))
            return vd_pdb_bad(c, VD_PDB_SYMBOLS, i, VD_E_RANGE, "not the offset of a name");
        if (name == 0)
            return vd_pdb_bad(c, VD_PDB_SYMBOLS, i, VD_E_RANGE,
                              "the kind or the number is none of the policy's");
        if (i > 0 && (rows[i - 1].kind > rows[i].kind ||
                      (rows[i - 1].kind == rows[i].kind &&
                       compare_names(strings + rows[i - 1].name, strings + rows[i].name) >= 0)))
            return vd_pdb_bad(c, VD_PDB_SYMBOLS, i, VD_E_RANGE,
                              "the symbols are not sorted by kind and name, each once");
        own[rows[i].kind] +=
            name == rows[i].name || compare_names(strings + name, strings + rows[i].name) == 0;
    }
    return check_own_names(c, own);
}

vd_status vd_pdb_check_names(const struct vd_pdb_check *c)
{
    static const struct {
        enum vd_pdb_section section;
        uint32_t row_size;
    } named[] = {
        {VD_PDB_CLASSES, sizeof(struct vd_pdb_class)},
        {VD_PDB_PERMS, 4},
        {VD_PDB_TYPES, sizeof(struct vd_pdb_type)},
        {VD_PDB_ROLES, sizeof(struct vd_pdb_role)},
        {VD_PDB_USERS, sizeof(struct vd_pdb_user)},
        {VD_PDB_SENS, sizeof(struct vd_pdb_sens)},
        {VD_PDB_CATS, 4},
        {VD_PDB_BOOLS, sizeof(struct vd_pdb_bool)},
    };

    VD_TRY(check_strings(c));
    for (size_t i = 0; i < VD_COUNT(named); i++)
        VD_TRY(check_name_column(c, named[i].section, named[i].row_size));
    VD_TRY(check_classes(c));
    VD_TRY(check_types(c));
    VD_TRY(check_roles_users(c));
    VD_TRY(check_sens_bools(c));
    return check_symbols(c);
}

/* A level of a policy with MLS, an empty one in a policy without. */
static bool level_ok(const struct vd_pdb_check *c, const struct vd_mls_level *level)
{
    const struct vd_pdb_sens *sens = vd_pdb_rows(c, VD_PDB_SENS);
    uint64_t beyond = 0;

    for (uint32_t i = 0; i < VD_MLS_CAT_WORDS; i++) {
        uint32_t first = i * 64;
        if (first >= c->head->cats)
            beyond |= level->cats[i];
        else if (c->head->cats - first < 64)
            beyond |= level->cats[i] >> (c->head->cats - first);
    }
    if (level->reserved != 0 || beyond != 0)
        return false;
    if ((c->head->flags & VD_PDB_MLS) == 0)
        return level->sens == 0;
    return level->sens != 0 && level->sens < c->head->sens && sens[level->sens].name != 0;
}

static vd_status check_clearances(const struct vd_pdb_check *c)
{
    const struct vd_pdb_user *users = vd_pdb_rows(c, VD_PDB_USERS);
    uint32_t levels = vd_pdb_rows_count(c, VD_PDB_LEVELS);

    if ((c->head->flags & VD_PDB_MLS) == 0)
        levels = 1; /* only the 0 of a user without a range */
    for (uint32_t i = 0; i < c->head->users; i++) {
        if (users[i].name != 0 &&
            (users[i].low >= levels || users[i].high >= levels || users[i].default_level >= levels))
            return vd_pdb_bad(c, VD_PDB_USERS, i, VD_E_RANGE, "the clearance names no level");
    }
    return VD_OK;
}

static vd_status check_initial(const struct vd_pdb_check *c)
{
    const struct vd_pdb_initial *rows = vd_pdb_rows(c, VD_PDB_INITIAL);

    for (uint32_t i = 0; i < vd_pdb_rows_count(c, VD_PDB_INITIAL); i++) {
        if (!name_ok(c, rows[i].name))
            return vd_pdb_bad(c, VD_PDB_INITIAL, i, VD_E_RANGE, "not the offset of a name");
        if (rows[i].context >= vd_pdb_rows_count(c, VD_PDB_CONTEXTS))
            return vd_pdb_bad(c, VD_PDB_INITIAL, i, VD_E_RANGE, "no such context");
    }
    return VD_OK;
}

vd_status vd_pdb_check_contexts(const struct vd_pdb_check *c)
{
    const struct vd_mls_level *levels = vd_pdb_rows(c, VD_PDB_LEVELS);
    const struct vd_context *contexts = vd_pdb_rows(c, VD_PDB_CONTEXTS);
    const struct vd_pdb_range *ranges = vd_pdb_rows(c, VD_PDB_RANGES);
    uint32_t level_count = vd_pdb_rows_count(c, VD_PDB_LEVELS);

    for (uint32_t i = 0; i < level_count; i++) {
        if (!level_ok(c, &levels[i]))
            return vd_pdb_bad(c, VD_PDB_LEVELS, i, VD_E_RANGE, "not a level of this policy");
    }
    for (uint32_t i = 0; i < vd_pdb_rows_count(c, VD_PDB_CONTEXTS); i++) {
        const struct vd_context *x = &contexts[i];
        if (x->user == 0 || x->user >= c->head->users || x->role == 0 ||
            x->role >= c->head->roles || x->type == 0 || x->type >= c->head->types ||
            x->reserved != 0 || !level_ok(c, &x->low) || !level_ok(c, &x->high))
            return vd_pdb_bad(c, VD_PDB_CONTEXTS, i, VD_E_RANGE, "not a context of this policy");
    }
    for (uint32_t i = 0; i < vd_pdb_rows_count(c, VD_PDB_RANGES); i++) {
        if (ranges[i].low >= level_count || ranges[i].high >= level_count)
            return vd_pdb_bad(c, VD_PDB_RANGES, i, VD_E_RANGE, "no such level");
    }
    VD_TRY(check_clearances(c));
    return check_initial(c);
}
