/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The symbol tables of SELinux's binary policy. A table's names stand in any
 * order; they are declared by number, so that the generator gives them the same
 * order. Roles, types and users have numbers without a name (checkpolicy gives
 * some to role attributes, which it does not write); nothing may name these.
 */
#include "tools/sepolicy/selinux/read.h"

#define SR_TYPE_PRIMARY   1u
#define SR_TYPE_ATTRIBUTE 2u
#define SR_MAX_NUMBER     VD_SE_MAX_TYPES /* what 16 bits of a rule's key hold */

static struct vd_sp_symbol *declare(struct vd_sp_sr *sr, enum vd_sp_space space,
                                    enum vd_sp_symbol_kind kind, const struct vd_sp_item *name)
{
    struct vd_sp *sp = sr->sp;
    struct vd_sp_symbol *symbol;

    if (vd_sp_symbol_of(sp, space, name->name) != NULL)
        vd_sp_sr_fail(sr, name->place, "%s '%s' stands twice", vd_sp_space_text(space),
                      vd_sp_str(sp, name->name));
    sp->names.list.data[name->name].symbols[space] = sp->symbols.count;
    symbol = VD_SP_PUSH(&sp->arena, &sp->symbols);
    *symbol = (struct vd_sp_symbol){
        .name = name->name, .place = name->place, .space = (uint8_t)space, .kind = (uint8_t)kind};
    return symbol;
}

/* The same, for a number that may lack a name. */
static void declare_number(struct vd_sp_sr *sr, enum vd_sp_space space, enum vd_sp_symbol_kind kind,
                           const struct vd_sp_item *name)
{
    if (name->name != 0)
        (void)declare(sr, space, kind, name);
}

/* A table's head: its highest number and its count of names, `size` bytes each at least. */
static uint32_t begin(struct vd_sp_sr *sr, struct vd_sp_sr_table *table, size_t size,
                      const char *what)
{
    uint32_t place = vd_sp_sr_place(sr), highest = vd_sp_sr_u32(sr, what);
    uint32_t count = vd_sp_sr_count(sr, size, what);

    if (highest > SR_MAX_NUMBER)
        vd_sp_sr_fail(sr, place, "%s: numbers up to %u; expected at most %u", what, highest,
                      SR_MAX_NUMBER);
    table->count = highest + 1;
    table->items = vd_sp_alloc_array(&sr->sp->arena, table->count, sizeof(*table->items));
    return count;
}

/* Takes a name for a number that nothing has yet. */
static void take(struct vd_sp_sr *sr, struct vd_sp_sr_table *table, uint32_t number,
                 const struct vd_sp_item *name, const char *what)
{
    if (number == 0 || number >= table->count)
        vd_sp_sr_fail(sr, name->place, "%s '%s' has number %u; expected 1 to %u", what,
                      vd_sp_str(sr->sp, name->name), number, table->count - 1);
    if (table->items[number].name != 0)
        vd_sp_sr_fail(sr, name->place, "%s '%s' and '%s' have the same number %u", what,
                      vd_sp_str(sr->sp, name->name), vd_sp_str(sr->sp, table->items[number].name),
                      number);
    table->items[number] = *name;
}

/*
 * Every number has a name, up to the highest that has one: checkpolicy counts aliases of
 * sensitivities and categories among the numbers.
 */
static void complete(struct vd_sp_sr *sr, struct vd_sp_sr_table *table, const char *what)
{
    while (table->count > 1 && table->items[table->count - 1].name == 0)
        table->count--;
    for (uint32_t i = 1; i < table->count; i++) {
        if (table->items[i].name == 0)
            vd_sp_sr_fail(sr, vd_sp_sr_place(sr), "the table ends here, but %s %u has no name",
                          what, i);
    }
}

/* Permissions: `count` of them, numbers `first` + 1 to `first` + `count` in any order. */
static void read_perms(struct vd_sp_sr *sr, struct vd_sp_common *ret, uint32_t first,
                       uint32_t count)
{
    struct vd_sp *sp = sr->sp;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t size = vd_sp_sr_u32(sr, "a permission"), place = vd_sp_sr_place(sr);
        uint32_t number = vd_sp_sr_u32(sr, "a permission's number");
        struct vd_sp_item name = vd_sp_sr_name(sr, size, "a permission's name");

        if (number <= first || number > first + count || ret->perms[number - first - 1].name != 0)
            vd_sp_sr_fail(sr, place, "permission '%s' has number %u; expected %u to %u, each once",
                          vd_sp_str(sp, name.name), number, first + 1, first + count);
        for (uint32_t p = 0; p < count; p++) {
            if (ret->perms[p].name == name.name)
                vd_sp_sr_fail(sr, place, "permission '%s' stands twice", vd_sp_str(sp, name.name));
        }
        ret->perms[number - first - 1] = name;
    }
    ret->count = count;
}

/* Highest number and count of permissions, `inherited` ones among the first but not the second. */
static uint32_t read_perm_count(struct vd_sp_sr *sr, uint32_t inherited, uint32_t highest,
                                uint32_t count, uint32_t place)
{
    if (highest > VD_PDB_MAX_PERMS || count > VD_PDB_MAX_PERMS || highest != inherited + count)
        vd_sp_sr_fail(sr, place,
                      "%u permissions, %u inherited and numbers up to %u; expected each number "
                      "once, %u at most",
                      count, inherited, highest, VD_PDB_MAX_PERMS);
    return count;
}

static void read_commons(struct vd_sp_sr *sr)
{
    struct vd_sp *sp = sr->sp;
    uint32_t count = begin(sr, &sr->commons, 17, "common permission set");

    for (uint32_t i = 0; i < count; i++) {
        uint32_t size = vd_sp_sr_u32(sr, "a common set"), place;
        uint32_t number = vd_sp_sr_u32(sr, "a common set's number"), highest, perms;
        struct vd_sp_item name;

        place = vd_sp_sr_place(sr);
        highest = vd_sp_sr_u32(sr, "a common set's highest permission");
        perms =
            read_perm_count(sr, 0, highest, vd_sp_sr_u32(sr, "a common set's permissions"), place);
        name = vd_sp_sr_name(sr, size, "a common set's name");
        take(sr, &sr->commons, number, &name, "common permission set");
        declare(sr, VD_SP_COMMON, VD_SP_PLAIN, &name)->row = sp->commons.count;
        read_perms(sr, VD_SP_PUSH(&sp->arena, &sp->commons), 0, perms);
    }
    complete(sr, &sr->commons, "common permission set");
}

/* Numbers of a class's head. */
struct class_head {
    uint32_t size, common_size, number, highest, own, constraints, place;
};

static uint32_t read_default(struct vd_sp_sr *sr, uint32_t max, uint32_t shift, const char *what)
{
    uint32_t place = vd_sp_sr_place(sr), value = vd_sp_sr_u32(sr, what);

    if (value > max)
        vd_sp_sr_fail(sr, place, "%s is %u; expected 0 to %u", what, value, max);
    return value << shift;
}

static uint32_t read_defaults(struct vd_sp_sr *sr)
{
    uint32_t range = sr->version < VD_SE_GLBLUB_VERSION ? VD_RANGE_TARGET_BOTH : VD_RANGE_GLBLUB;
    uint32_t flags =
        read_default(sr, VD_PDB_DEFAULT_TARGET, VD_PDB_CLASS_USER_SHIFT, "the default user");

    flags |= read_default(sr, VD_PDB_DEFAULT_TARGET, VD_PDB_CLASS_ROLE_SHIFT, "the default role");
    flags |= read_default(sr, range, VD_PDB_CLASS_RANGE_SHIFT, "the default range");
    flags |= read_default(sr, VD_PDB_DEFAULT_TARGET, VD_PDB_CLASS_TYPE_SHIFT, "the default type");
    return flags;
}

static uint32_t read_inherited(struct vd_sp_sr *sr, const struct class_head *head,
                               struct vd_sp_class *class)
{
    struct vd_sp *sp = sr->sp;
    const struct vd_sp_symbol *common;
    struct vd_sp_item name;

    if (head->common_size == 0)
        return 0;
    name = vd_sp_sr_name(sr, head->common_size, "an inherited set's name");
    common = vd_sp_symbol_of(sp, VD_SP_COMMON, name.name);
    if (common == NULL)
        vd_sp_sr_fail(sr, name.place, "common permission set '%s' does not exist",
                      vd_sp_str(sp, name.name));
    class->inherits = name.name;
    return sp->commons.data[common->row].count;
}

static void read_class(struct vd_sp_sr *sr)
{
    struct vd_sp *sp = sr->sp;
    struct class_head head;
    struct vd_sp_class class = {};
    struct vd_sp_item name;
    uint32_t inherited, transitions;

    head.size = vd_sp_sr_u32(sr, "a class");
    head.common_size = vd_sp_sr_u32(sr, "the length of an inherited set's name");
    head.number = vd_sp_sr_u32(sr, "a class's number");
    head.place = vd_sp_sr_place(sr);
    head.highest = vd_sp_sr_u32(sr, "a class's highest permission");
    head.own = vd_sp_sr_u32(sr, "a class's permissions");
    head.constraints = vd_sp_sr_count(sr, 8, "a class's constraints");
    name = vd_sp_sr_name(sr, head.size, "a class's name");
    take(sr, &sr->classes, head.number, &name, "class");
    inherited = read_inherited(sr, &head, &class);
    class.place = name.place;
    read_perms(sr, &class.own, inherited,
               read_perm_count(sr, inherited, head.highest, head.own, head.place));
    sp->classes.data[head.number - 1] = class;
    vd_sp_sr_constraints(sr, head.number, head.constraints, false);
    transitions = vd_sp_sr_count(sr, 8, "a class's validatetrans");
    vd_sp_sr_constraints(sr, head.number, transitions, true);
    sp->classes.data[head.number - 1].flags = read_defaults(sr);
}

/* Class number n is row n - 1 of the model. */
static void read_classes(struct vd_sp_sr *sr)
{
    struct vd_sp *sp = sr->sp;
    uint32_t count = begin(sr, &sr->classes, 45, "class");

    for (uint32_t i = 1; i < sr->classes.count; i++)
        (void)VD_SP_PUSH(&sp->arena, &sp->classes);
    for (uint32_t i = 0; i < count; i++)
        read_class(sr);
    complete(sr, &sr->classes, "class");
    for (uint32_t i = 1; i < sr->classes.count; i++) {
        sp->classes.data[i - 1].symbol = sp->symbols.count;
        declare(sr, VD_SP_CLASS, VD_SP_PLAIN, &sr->classes.items[i])->row = i - 1;
    }
}

static bool has_perm(const struct vd_sp_common *perms, uint32_t name)
{
    bool has = false;

    for (uint32_t i = 0; i < perms->count; i++)
        has |= perms->perms[i].name == name;
    return has;
}

/* The kernel's own code asks for these. */
static void check_process(struct vd_sp_sr *sr)
{
    struct vd_sp *sp = sr->sp;
    const struct vd_sp_symbol *symbol = vd_sp_symbol_of(sp, VD_SP_CLASS, VD_SP_KW_PROCESS);
    const struct vd_sp_class *class = symbol == NULL ? NULL : &sp->classes.data[symbol->row];
    const struct vd_sp_symbol *common = class == NULL || class->inherits == 0
                                            ? NULL
                                            : vd_sp_symbol_of(sp, VD_SP_COMMON, class->inherits);
    bool has = false;

    for (uint32_t i = 0; class != NULL && i < 2; i++) {
        uint32_t name = i == 0 ? VD_SP_KW_TRANSITION : VD_SP_KW_DYNTRANSITION;

        has |= has_perm(&class->own, name) ||
               (common != NULL && has_perm(&sp->commons.data[common->row], name));
    }
    if (!has)
        vd_sp_sr_fail(sr, vd_sp_sr_place(sr),
                      "the classes end here; expected a class 'process' with the permission "
                      "'transition' or 'dyntransition'");
}

/* object_r is role 1 of every policy, whether the file has it or not. */
static void read_roles(struct vd_sp_sr *sr)
{
    struct vd_sp *sp = sr->sp;
    uint32_t count = begin(sr, &sr->roles, 37, "role");

    sr->role = vd_sp_alloc_array(&sp->arena, sr->roles.count, sizeof(*sr->role));
    for (uint32_t i = 0; i < count; i++) {
        uint32_t size = vd_sp_sr_u32(sr, "a role"), number = vd_sp_sr_u32(sr, "a role's number");
        uint32_t place = vd_sp_sr_place(sr), bounds = vd_sp_sr_u32(sr, "a role's bounds");
        struct vd_sp_item name = vd_sp_sr_name(sr, size, "a role's name");

        if ((name.name == VD_SP_KW_OBJECT_R) != (number == VD_PDB_ROLE_OBJECT))
            vd_sp_sr_fail(sr, name.place, "role '%s' has number %u; object_r alone is role %u",
                          vd_sp_str(sp, name.name), number, VD_PDB_ROLE_OBJECT);
        take(sr, &sr->roles, number, &name, "role");
        if (bounds >= sr->roles.count)
            vd_sp_sr_fail(sr, place, "role %u, which bounds '%s', does not exist", bounds,
                          vd_sp_str(sp, name.name));
        sr->role[number].bounds = bounds;
        vd_sp_sr_map(sr, &sr->role[number].dominates, "the roles that a role dominates");
        vd_sp_sr_map(sr, &sr->role[number].types, "the types of a role");
    }
    if (sr->roles.count > VD_PDB_ROLE_OBJECT)
        sr->roles.items[VD_PDB_ROLE_OBJECT].name = VD_SP_KW_OBJECT_R;
    for (uint32_t i = VD_PDB_ROLE_OBJECT + 1; i < sr->roles.count; i++)
        declare_number(sr, VD_SP_ROLE, VD_SP_PLAIN, &sr->roles.items[i]);
}

struct alias {
    struct vd_sp_item name;
    uint32_t number;
};

/* An alias has the number of what it stands for. */
static void declare_aliases(struct vd_sp_sr *sr, enum vd_sp_space space,
                            const struct vd_sp_sr_table *table, const struct alias *aliases,
                            uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct vd_sp_item *meant = vd_sp_sr_number(
            sr, table, aliases[i].number, aliases[i].name.place, vd_sp_space_text(space));

        declare(sr, space, VD_SP_ALIAS, &aliases[i].name)->target = meant->name;
    }
}

static void add_bounds(struct vd_sp_sr *sr, const uint32_t *bounds)
{
    struct vd_sp *sp = sr->sp;

    for (uint32_t i = 1; i < sr->types.count; i++) {
        struct vd_sp_pair *pair;

        if (bounds[i] == 0)
            continue;
        (void)vd_sp_sr_number(sr, &sr->types, bounds[i], sr->types.items[i].place, "type");
        if (sr->attribute[i] || sr->attribute[bounds[i]])
            vd_sp_sr_fail(sr, sr->types.items[i].place, "only types bound types, not attributes");
        pair = VD_SP_PUSH(&sp->arena, &sp->bounds);
        pair->left = sr->types.items[bounds[i]];
        pair->right = sr->types.items[i];
    }
}

static void add_marked(struct vd_sp_sr *sr, const struct vd_sp_sr_map *map, bool neveraudit)
{
    struct vd_sp *sp = sr->sp;
    struct vd_sp_set set = vd_sp_sr_members(sr, map, &sr->types, 0,
                                            neveraudit ? "neveraudit type" : "permissive type");

    for (uint32_t i = 0; i < set.count; i++) {
        struct vd_sp_permissive *row = VD_SP_PUSH(&sp->arena, &sp->permissives);

        row->type = set.items[i];
        row->neveraudit = neveraudit;
    }
}

static void read_types(struct vd_sp_sr *sr)
{
    struct vd_sp *sp = sr->sp;
    uint32_t count = begin(sr, &sr->types, 17, "type"), alias_count = 0;
    struct alias *aliases = vd_sp_alloc_array(&sp->arena, count, sizeof(*aliases));
    uint32_t *bounds = vd_sp_alloc_array(&sp->arena, sr->types.count, sizeof(*bounds));

    sr->attribute = vd_sp_alloc_array(&sp->arena, sr->types.count, sizeof(*sr->attribute));
    for (uint32_t i = 0; i < count; i++) {
        uint32_t size = vd_sp_sr_u32(sr, "a type"), number = vd_sp_sr_u32(sr, "a type's number");
        uint32_t properties = vd_sp_sr_u32(sr, "a type's properties");
        uint32_t bound = vd_sp_sr_u32(sr, "a type's bounds");
        struct vd_sp_item name = vd_sp_sr_name(sr, size, "a type's name");

        if (name.name == VD_SP_KW_SELF)
            vd_sp_sr_fail(sr, name.place, "a type cannot be named 'self'");
        if ((properties & (SR_TYPE_PRIMARY | SR_TYPE_ATTRIBUTE)) == 0) {
            aliases[alias_count++] = (struct alias){.name = name, .number = number};
            continue;
        }
        take(sr, &sr->types, number, &name, "type");
        sr->attribute[number] = (properties & SR_TYPE_ATTRIBUTE) != 0;
        bounds[number] = bound;
    }
    for (uint32_t i = 1; i < sr->types.count; i++)
        declare_number(sr, VD_SP_TYPE, sr->attribute[i] ? VD_SP_ATTRIBUTE : VD_SP_PLAIN,
                       &sr->types.items[i]);
    declare_aliases(sr, VD_SP_TYPE, &sr->types, aliases, alias_count);
    add_bounds(sr, bounds);
    add_marked(sr, &sr->permissive, false);
    add_marked(sr, &sr->neveraudit, true);
}

static void read_users(struct vd_sp_sr *sr)
{
    struct vd_sp *sp = sr->sp;
    uint32_t count = begin(sr, &sr->users, 61, "user");

    sr->user = vd_sp_alloc_array(&sp->arena, sr->users.count, sizeof(*sr->user));
    for (uint32_t i = 0; i < count; i++) {
        uint32_t size = vd_sp_sr_u32(sr, "a user"), number = vd_sp_sr_u32(sr, "a user's number");
        uint32_t place = vd_sp_sr_place(sr), bounds = vd_sp_sr_u32(sr, "a user's bounds");
        struct vd_sp_item name = vd_sp_sr_name(sr, size, "a user's name");
        struct vd_sp_sr_user *user;

        take(sr, &sr->users, number, &name, "user");
        if (bounds >= sr->users.count)
            vd_sp_sr_fail(sr, place, "user %u, who bounds '%s', does not exist", bounds,
                          vd_sp_str(sp, name.name));
        user = &sr->user[number];
        user->bounds = bounds;
        vd_sp_sr_map(sr, &user->roles, "the roles of a user");
        vd_sp_sr_range(sr, &user->range);
        vd_sp_sr_level(sr, &user->level);
    }
    for (uint32_t i = 1; i < sr->users.count; i++)
        declare_number(sr, VD_SP_USER, VD_SP_PLAIN, &sr->users.items[i]);
}

static void read_bools(struct vd_sp_sr *sr)
{
    struct vd_sp *sp = sr->sp;
    uint32_t count = begin(sr, &sr->bools, 13, "boolean");
    uint32_t *values = vd_sp_alloc_array(&sp->arena, sr->bools.count, sizeof(*values));

    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = vd_sp_sr_u32(sr, "a boolean"), place = vd_sp_sr_place(sr);
        uint32_t value = vd_sp_sr_u32(sr, "a boolean's value");
        uint32_t size = vd_sp_sr_u32(sr, "the length of a boolean's name");
        struct vd_sp_item name = vd_sp_sr_name(sr, size, "a boolean's name");

        if (value > 1)
            vd_sp_sr_fail(sr, place, "boolean '%s' is %u; expected 0 or 1",
                          vd_sp_str(sp, name.name), value);
        take(sr, &sr->bools, number, &name, "boolean");
        values[number] = value;
    }
    complete(sr, &sr->bools, "boolean");
    for (uint32_t i = 1; i < sr->bools.count; i++) {
        declare(sr, VD_SP_BOOL, VD_SP_PLAIN, &sr->bools.items[i])->row = sp->bool_values.count;
        *VD_SP_PUSH(&sp->arena, &sp->bool_values) = values[i];
    }
}

/* Without multi-level security the tables are read, for their form, and mean nothing. */
static void read_sensitivities(struct vd_sp_sr *sr)
{
    struct vd_sp *sp = sr->sp;
    uint32_t count = begin(sr, &sr->sens, 25, "sensitivity"), alias_count = 0;
    struct alias *aliases = vd_sp_alloc_array(&sp->arena, count, sizeof(*aliases));
    struct vd_sp_sr_level *levels = vd_sp_alloc_array(&sp->arena, sr->sens.count, sizeof(*levels));

    for (uint32_t i = 0; i < count; i++) {
        uint32_t size = vd_sp_sr_u32(sr, "a sensitivity");
        bool alias = vd_sp_sr_u32(sr, "whether a sensitivity is an alias") != 0;
        struct vd_sp_item name = vd_sp_sr_name(sr, size, "a sensitivity's name");
        struct vd_sp_sr_level level;

        vd_sp_sr_level(sr, &level);
        if (alias) {
            aliases[alias_count++] = (struct alias){.name = name, .number = level.sens};
            continue;
        }
        take(sr, &sr->sens, level.sens, &name, "sensitivity");
        levels[level.sens] = level;
    }
    complete(sr, &sr->sens, "sensitivity");
    for (uint32_t i = 1; i < sr->sens.count; i++) {
        (void)declare(sr, VD_SP_SENS, VD_SP_PLAIN, &sr->sens.items[i]);
        *VD_SP_PUSH(&sp->arena, &sp->dominance) = sr->sens.items[i];
    }
    declare_aliases(sr, VD_SP_SENS, &sr->sens, aliases, alias_count);
    sr->sens_levels = levels;
}

static void read_categories(struct vd_sp_sr *sr)
{
    struct vd_sp *sp = sr->sp;
    uint32_t count = begin(sr, &sr->cats, 13, "category"), alias_count = 0;
    struct alias *aliases = vd_sp_alloc_array(&sp->arena, count, sizeof(*aliases));

    for (uint32_t i = 0; i < count; i++) {
        uint32_t size = vd_sp_sr_u32(sr, "a category");
        uint32_t number = vd_sp_sr_u32(sr, "a category's number");
        bool alias = vd_sp_sr_u32(sr, "whether a category is an alias") != 0;
        struct vd_sp_item name = vd_sp_sr_name(sr, size, "a category's name");

        if (alias)
            aliases[alias_count++] = (struct alias){.name = name, .number = number};
        else
            take(sr, &sr->cats, number, &name, "category");
    }
    complete(sr, &sr->cats, "category");
    for (uint32_t i = 1; i < sr->cats.count; i++)
        (void)declare(sr, VD_SP_CAT, VD_SP_PLAIN, &sr->cats.items[i]);
    declare_aliases(sr, VD_SP_CAT, &sr->cats, aliases, alias_count);
    for (uint32_t i = 1; i < sr->sens.count; i++)
        *VD_SP_PUSH(&sp->arena, &sp->levels) = vd_sp_sr_make_level(sr, &sr->sens_levels[i]);
}

void vd_sp_sr_symbols(struct vd_sp_sr *sr)
{
    read_commons(sr);
    read_classes(sr);
    check_process(sr);
    read_roles(sr);
    read_types(sr);
    read_users(sr);
    read_bools(sr);
    read_sensitivities(sr);
    read_categories(sr);
    vd_sp_sr_belongings(sr);
}
