/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Tables of symbols: names, classes, types, roles, users, levels, contexts.
 */
#include "tools/sepolicy/gen/codegen.h"

#include <stdlib.h>
#include <string.h>

static uint32_t gen_string(struct vd_sp_image *image, uint32_t name)
{
    struct vd_sp *sp = image->c->sp;
    const char *text = vd_sp_str(sp, name);

    if (image->string_of[name] == 0) {
        image->string_of[name] = image->strings.count;
        for (size_t i = 0; i == 0 || text[i - 1] != '\0'; i++)
            *VD_SP_PUSH(&sp->arena, &image->strings) = text[i];
    }
    return image->string_of[name];
}

static const struct vd_sp_symbol *symbol_at(const struct vd_sp_image *image,
                                            const struct vd_sp_numbers *numbers, uint32_t number)
{
    return &image->c->sp->symbols.data[numbers->symbols[number]];
}

static bool ends_with(const char *text, const char *end)
{
    size_t a = strlen(text), b = strlen(end);

    return a >= b && strcmp(text + a - b, end) == 0;
}

static void gen_classes(struct vd_sp_image *image)
{
    struct vd_sp *sp = image->c->sp;

    (void)VD_SP_PUSH(&sp->arena, &image->classes);
    for (uint32_t i = 1; i < image->c->classes.count; i++) {
        const struct vd_sp_class *from = vd_sp_class_of(image->c, i);
        const struct vd_sp_symbol *symbol = &sp->symbols.data[from->symbol];
        struct vd_pdb_class row = {.name = gen_string(image, symbol->name),
                                   .perm_first = image->perms.count,
                                   .perm_count = from->count,
                                   .flags = from->flags};

        for (uint32_t p = 0; p < from->count; p++) {
            *VD_SP_PUSH(&sp->arena, &image->perms) = gen_string(image, from->perms[p]);
            if (symbol->name == VD_SP_KW_PROCESS &&
                (from->perms[p] == VD_SP_KW_TRANSITION || from->perms[p] == VD_SP_KW_DYNTRANSITION))
                row.role_perms |= 1u << p;
        }
        if (symbol->name == VD_SP_KW_PROCESS)
            row.flags |= VD_PDB_CLASS_PROCESS;
        /* As the kernel's genheaders tells socket classes: by the end of the name. */
        if (ends_with(vd_sp_str(sp, symbol->name), "socket"))
            row.flags |= VD_PDB_CLASS_SOCKET;
        *VD_SP_PUSH(&sp->arena, &image->classes) = row;
    }
}

static void gen_types(struct vd_sp_image *image)
{
    struct vd_sp_checked *c = image->c;

    (void)VD_SP_PUSH(&c->sp->arena, &image->types);
    for (uint32_t i = 1; i < c->types.count; i++) {
        const struct vd_sp_symbol *symbol = symbol_at(image, &c->types, i);
        struct vd_pdb_type row = {.name = gen_string(image, symbol->name)};

        if (i >= c->type_count) {
            row.flags = VD_PDB_TYPE_ATTRIBUTE;
            row.bitmap = vd_sp_gen_bitmap(image, c->attributes[i - c->type_count], c->type_words);
        } else {
            row.flags = (symbol->permissive ? VD_PDB_TYPE_PERMISSIVE : 0) |
                        (symbol->neveraudit ? VD_PDB_TYPE_NEVERAUDIT : 0);
            row.bounds = c->bounds[i];
        }
        *VD_SP_PUSH(&c->sp->arena, &image->types) = row;
    }
}

static uint32_t gen_level(struct vd_sp_image *image, const struct vd_mls_level *level)
{
    return image->c->sp->mls ? vd_sp_pool_add(&image->levels, level, 1) : 0;
}

static void gen_roles_and_users(struct vd_sp_image *image)
{
    struct vd_sp_checked *c = image->c;
    struct vd_sp_arena *arena = &c->sp->arena;

    (void)VD_SP_PUSH(arena, &image->roles);
    for (uint32_t i = 1; i < c->roles.count; i++) {
        uint32_t name = gen_string(image, symbol_at(image, &c->roles, i)->name);

        *VD_SP_PUSH(arena, &image->roles) = (struct vd_pdb_role){
            .name = name,
            .types = vd_sp_gen_bitmap(image, c->role_types[i], c->type_words),
            .dominates = vd_sp_gen_bitmap(image, c->role_dominates[i], c->role_words)};
    }
    (void)VD_SP_PUSH(arena, &image->users);
    for (uint32_t i = 1; i < c->users.count; i++) {
        uint32_t name = gen_string(image, symbol_at(image, &c->users, i)->name);

        *VD_SP_PUSH(arena, &image->users) =
            (struct vd_pdb_user){.name = name,
                                 .roles = vd_sp_gen_bitmap(image, c->user[i].roles, c->role_words),
                                 .low = gen_level(image, &c->user[i].low),
                                 .high = gen_level(image, &c->user[i].high),
                                 .default_level = gen_level(image, &c->user[i].level)};
    }
}

static void gen_levels(struct vd_sp_image *image)
{
    struct vd_sp_checked *c = image->c;
    struct vd_sp_arena *arena = &c->sp->arena;

    if (!c->sp->mls)
        return;
    (void)VD_SP_PUSH(arena, &image->sens);
    for (uint32_t i = 1; i < c->sens.count; i++) {
        uint32_t name = gen_string(image, symbol_at(image, &c->sens, i)->name);

        *VD_SP_PUSH(arena, &image->sens) = (struct vd_pdb_sens){
            .name = name, .cats = vd_sp_gen_bitmap(image, c->sens_cats[i], VD_MLS_CAT_WORDS)};
    }
    for (uint32_t i = 1; i < c->cats.count; i++) {
        uint32_t name = gen_string(image, symbol_at(image, &c->cats, i)->name);

        *VD_SP_PUSH(arena, &image->cats) = name;
    }
}

static void gen_bools(struct vd_sp_image *image)
{
    struct vd_sp *sp = image->c->sp;

    (void)VD_SP_PUSH(&sp->arena, &image->bools);
    for (uint32_t i = 1; i < image->c->bools.count; i++) {
        const struct vd_sp_symbol *symbol = symbol_at(image, &image->c->bools, i);
        uint32_t name = gen_string(image, symbol->name);

        *VD_SP_PUSH(&sp->arena, &image->bools) =
            (struct vd_pdb_bool){.name = name, .value = sp->bool_values.data[symbol->row]};
    }
}

static void gen_initial(struct vd_sp_image *image)
{
    struct vd_sp_checked *c = image->c;

    for (uint32_t i = 0; i < c->sids.count; i++) {
        uint32_t name = gen_string(image, c->sids.data[i].name);

        *VD_SP_PUSH(&c->sp->arena, &image->initial) = (struct vd_pdb_initial){
            .name = name, .context = vd_sp_pool_add(&image->contexts, &c->sids.data[i].context, 1)};
    }
}

static uint32_t blob_kind(const struct vd_sp_image *image, const struct vd_sp_symbol *symbol)
{
    bool mls = image->c->sp->mls;

    switch (symbol->space) {
    case VD_SP_CLASS:
        return VD_SYM_CLASS;
    case VD_SP_TYPE:
        return VD_SYM_TYPE;
    case VD_SP_ROLE:
        return symbol->kind == VD_SP_ATTRIBUTE ? 0 : VD_SYM_ROLE;
    case VD_SP_USER:
        return VD_SYM_USER;
    case VD_SP_BOOL:
        return symbol->tunable ? 0 : VD_SYM_BOOL;
    case VD_SP_SENS:
        return mls ? VD_SYM_SENS : 0;
    case VD_SP_CAT:
        return mls ? VD_SYM_CAT : 0;
    default:
        return 0;
    }
}

struct sort_key {
    struct vd_pdb_symbol row;
    const char *text;
};

static int compare_symbols(const void *pa, const void *pb)
{
    const struct sort_key *a = pa, *b = pb;

    if (a->row.kind != b->row.kind)
        return a->row.kind < b->row.kind ? -1 : 1;
    return strcmp(a->text, b->text);
}

/* Every name in force, aliases with the number of what they stand for. */
static void gen_symbols(struct vd_sp_image *image)
{
    struct vd_sp *sp = image->c->sp;
    struct sort_key *keys = vd_sp_alloc_array(&sp->arena, sp->symbols.count, sizeof(*keys));
    uint32_t count = 0;

    for (uint32_t i = 1; i < sp->symbols.count; i++) {
        const struct vd_sp_symbol *symbol = &sp->symbols.data[i], *meant = symbol;
        uint32_t kind = blob_kind(image, symbol);
        struct vd_sp_item item = {.name = symbol->name, .place = symbol->place & VD_SP_PLACE_MASK};

        if (kind == 0 || !vd_sp_on(sp, symbol->block))
            continue;
        if (symbol->kind == VD_SP_ALIAS)
            meant = vd_sp_find(sp, (enum vd_sp_space)symbol->space, &item);
        if (meant == NULL)
            continue;
        keys[count++] = (struct sort_key){
            .row = {.kind = kind,
                    .name = gen_string(image, symbol->name),
                    .value = kind == VD_SYM_CAT ? meant->number - 1 : meant->number},
            .text = vd_sp_str(sp, symbol->name)};
    }
    if (count > 0)
        qsort(keys, count, sizeof(*keys), compare_symbols);
    for (uint32_t i = 0; i < count; i++)
        *VD_SP_PUSH(&sp->arena, &image->symbols) = keys[i].row;
}

void vd_sp_gen_tables(struct vd_sp_image *image)
{
    struct vd_sp *sp = image->c->sp;

    image->string_of = vd_sp_alloc_array(&sp->arena, sp->names.list.count, sizeof(uint32_t));
    (void)VD_SP_PUSH(&sp->arena, &image->strings);
    gen_classes(image);
    gen_types(image);
    gen_roles_and_users(image);
    gen_levels(image);
    gen_bools(image);
    gen_initial(image);
    gen_symbols(image);
}
