/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The rows of the rulebook from the checked policy. Errors have been reported by
 * now: every name is known, so that what cannot be resolved cannot be in force.
 */
#include "tools/sepolicy/gen/book.h"

#include <stdlib.h>
#include <string.h>

static struct vd_sp_arena *arena_of(struct vd_sp_book *book)
{
    return &book->image->c->sp->arena;
}

/* The set whose flags and items stand in the scratch. */
static uint32_t intern(struct vd_sp_book *book)
{
    struct vd_sp_arena *arena = arena_of(book);
    uint32_t entry = vd_sp_pool_add(&book->keys, book->scratch.data, book->scratch.count);
    struct vd_rule_set *set;

    if (entry < book->sets.count)
        return entry;
    set = VD_SP_PUSH(arena, &book->sets);
    set->first = book->items.count;
    set->count = book->scratch.count - 1;
    set->flags = book->scratch.data[0];
    for (uint32_t i = 1; i < book->scratch.count; i++)
        *VD_SP_PUSH(arena, &book->items) = book->scratch.data[i];
    return entry;
}

static void begin_set(struct vd_sp_book *book, const struct vd_sp_set *set, uint32_t flags)
{
    if (set->star)
        flags |= VD_RULE_SET_STAR;
    if (set->complement)
        flags |= VD_RULE_SET_COMPLEMENT;
    book->scratch.count = 0;
    *VD_SP_PUSH(arena_of(book), &book->scratch) = flags;
}

/* A set of types as written; `self` goes into the rule's flags. */
static uint32_t type_set(struct vd_sp_book *book, const struct vd_sp_set *set, uint8_t *flags)
{
    struct vd_sp *sp = book->image->c->sp;

    begin_set(book, set, 0);
    for (uint32_t i = 0; i < set->count; i++) {
        const struct vd_sp_item *item = &set->items[i];
        const struct vd_sp_symbol *symbol;

        if (item->name == VD_SP_KW_SELF) {
            *flags |= item->minus ? VD_RULE_NOT_SELF : VD_RULE_SELF;
            continue;
        }
        symbol = vd_sp_find(sp, VD_SP_TYPE, item);
        if (symbol != NULL)
            *VD_SP_PUSH(&sp->arena, &book->scratch) =
                symbol->number | (item->minus ? VD_RULE_MINUS : 0);
    }
    return intern(book);
}

/* A set that rules share, which is looked at once. */
static uint32_t shared_set(struct vd_sp_book *book, uint32_t row, uint8_t *flags)
{
    struct vd_sp_book_set *known = &book->shared[row];

    if (known->set == 0)
        known->set = 1 + type_set(book, &book->image->c->sp->sets.list.data[row], &known->flags);
    *flags |= known->flags;
    return known->set - 1;
}

/* A set of roles; the blob has no role attributes, so their roles stand for them. */
static uint32_t role_set(struct vd_sp_book *book, const struct vd_sp_set *set)
{
    struct vd_sp_checked *c = book->image->c;
    struct vd_sp_arena *arena = arena_of(book);

    begin_set(book, set, VD_RULE_SET_ROLES);
    for (uint32_t i = 0; i < set->count; i++) {
        uint32_t minus = set->items[i].minus ? VD_RULE_MINUS : 0;
        const struct vd_sp_symbol *symbol = vd_sp_find(c->sp, VD_SP_ROLE, &set->items[i]);

        if (symbol == NULL)
            continue;
        if (symbol->kind != VD_SP_ATTRIBUTE) {
            *VD_SP_PUSH(arena, &book->scratch) = symbol->number | minus;
            continue;
        }
        VD_SP_FOR_EACH_BIT (c->role_attribute[symbol->number], c->role_words, role)
            *VD_SP_PUSH(arena, &book->scratch) = role | minus;
    }
    return intern(book);
}

/* Row + 1 of a condition of the model (row + 1; 0: none). */
static uint32_t condition(struct vd_sp_book *book, uint32_t cond)
{
    struct vd_sp *sp = book->image->c->sp;
    const struct vd_sp_cond *from;
    struct vd_rule_cond *row;

    if (cond == 0 || book->cond_of[cond - 1] != 0)
        return cond == 0 ? 0 : book->cond_of[cond - 1];
    from = &sp->conds.data[cond - 1];
    row = VD_SP_PUSH(&sp->arena, &book->conds);
    *row = (struct vd_rule_cond){.first = book->cond_nodes.count, .count = from->node_count};
    for (uint32_t i = 0; i < from->node_count; i++) {
        const struct vd_sp_cond_node *node = &sp->cond_nodes.data[from->node_first + i];
        struct vd_pdb_cond_node *to = VD_SP_PUSH(&sp->arena, &book->cond_nodes);

        to->op = node->op;
        if (node->op == VD_COND_BOOL)
            to->value = vd_sp_find(sp, VD_SP_BOOL, &node->name)->number;
    }
    return book->cond_of[cond - 1] = book->conds.count;
}

static void put(struct vd_sp_book *book, const struct vd_rule *rule, uint32_t place)
{
    *VD_SP_PUSH(arena_of(book), &book->others) =
        (struct vd_sp_book_row){.rule = *rule, .place = place};
}

/* The rule once for each class in `classes`. */
static void put_classes(struct vd_sp_book *book, const uint64_t *classes, struct vd_rule *rule,
                        uint32_t place)
{
    VD_SP_FOR_EACH_BIT (classes, VD_BITMAP_WORDS(book->image->c->classes.count), class) {
        rule->class = (uint16_t) class;
        put(book, rule, place);
        rule->flags |= VD_RULE_SAME;
    }
}

void vd_sp_book_av(struct vd_sp_book *book, uint32_t index, struct vd_sp_book_row *ret)
{
    static const uint8_t kinds[] = {
        [VD_SP_ALLOW] = VD_RULE_ALLOW,           [VD_SP_AUDITALLOW] = VD_RULE_AUDITALLOW,
        [VD_SP_DONTAUDIT] = VD_RULE_DONTAUDIT,   [VD_SP_DENY] = VD_RULE_DENY,
        [VD_SP_NEVERALLOW] = VD_RULE_NEVERALLOW,
    };
    const struct vd_sp_checked *c = book->image->c;
    const struct vd_sp_av *av = &c->avs.data[index];
    const struct vd_sp_rule *from = &c->sp->rules.data[av->rule];
    struct vd_rule *rule = &ret->rule;

    if (index > 0 && av->rule == av[-1].rule) {
        rule->flags |= VD_RULE_SAME;
    } else {
        *rule = (struct vd_rule){.kind = kinds[av->kind]};
        rule->source = shared_set(book, from->source, &rule->flags);
        rule->flags = from->otherwise ? VD_RULE_ELSE : 0;
        rule->target = shared_set(book, from->target, &rule->flags);
        rule->cond = condition(book, from->cond);
    }
    rule->class = av->class;
    rule->perms = av->perms;
    ret->place = from->place;
    ret->av = av->rule + 1;
}

/* The bit of a class's permission by its name; 0: it has none. */
static uint32_t perm_bit(const struct vd_sp_checked *c, uint32_t class, const char *text)
{
    const struct vd_sp_class *row = vd_sp_class_of(c, class);
    uint32_t name = vd_sp_name_find(&c->sp->names, text, strlen(text));

    for (uint32_t i = 0; i < row->count; i++) {
        if (row->perms[i] == name)
            return 1u << i;
    }
    return 0;
}

static void put_xperm(struct vd_sp_book *book, const struct vd_sp_xperm_rule *from,
                      uint64_t *classes)
{
    static const uint8_t kinds[] = {
        [VD_SP_ALLOW] = VD_RULE_ALLOWXPERM,
        [VD_SP_AUDITALLOW] = VD_RULE_AUDITALLOWXPERM,
        [VD_SP_DONTAUDIT] = VD_RULE_DONTAUDITXPERM,
        [VD_SP_NEVERALLOW] = VD_RULE_NEVERALLOWXPERM,
    };
    struct vd_sp_checked *c = book->image->c;
    struct vd_rule rule = {.kind = kinds[from->kind], .first = book->spans.count};

    if (!vd_sp_resolve_plain(c, VD_SP_CLASS, &from->classes, classes))
        return;
    rule.source = type_set(book, &from->source, &rule.flags);
    rule.flags = from->otherwise ? VD_RULE_ELSE : 0;
    rule.target = type_set(book, &from->target, &rule.flags);
    rule.cond = condition(book, from->cond);
    rule.name = from->range_count;
    for (uint32_t i = 0; i < from->range_count; i++) {
        const struct vd_sp_xperm_range *range = &c->sp->xperm_ranges.data[from->range_first + i];

        *VD_SP_PUSH(arena_of(book), &book->spans) =
            (struct vd_rule_span){.low = range->low, .high = range->high};
    }
    VD_SP_FOR_EACH_BIT (classes, VD_BITMAP_WORDS(c->classes.count), class) {
        rule.class = (uint16_t) class;
        rule.perms = perm_bit(c, class, from->nlmsg ? "nlmsg" : "ioctl");
        if (rule.perms == 0 || rule.name == 0)
            continue;
        put(book, &rule, from->place);
        rule.flags |= VD_RULE_SAME;
    }
}

/* The classes a transition names; none named: process. */
static bool transition_classes(struct vd_sp_checked *c, const struct vd_sp_set *set,
                               uint64_t *classes)
{
    struct vd_sp_item process = {.name = VD_SP_KW_PROCESS};
    struct vd_sp_set implied = {.items = &process, .count = 1};
    bool none = set->count == 0 && !set->star && !set->complement;

    return vd_sp_resolve_plain(c, VD_SP_CLASS, none ? &implied : set, classes);
}

/* The row of the blob's ranges; the code generator has put it there. */
static bool range_row(struct vd_sp_image *image, const struct vd_sp_range *range, uint32_t *ret)
{
    struct vd_mls_level low, high;
    struct vd_pdb_range row;

    if (!vd_sp_resolve_range(image->c, range, &low, &high))
        return false;
    row.low = vd_sp_pool_add(&image->levels, &low, 1);
    row.high = vd_sp_pool_add(&image->levels, &high, 1);
    *ret = vd_sp_pool_add(&image->ranges, &row, 1);
    return true;
}

/* The text of a name, written once. */
static uint32_t name_text(struct vd_sp_book *book, uint32_t name)
{
    const struct vd_sp *sp = book->image->c->sp;

    if (name == 0)
        return 0;
    while (book->string_of.count <= name)
        *VD_SP_PUSH(arena_of(book), &book->string_of) = 0;
    if (book->string_of.data[name] == 0)
        book->string_of.data[name] =
            vd_sp_book_text(book, vd_sp_str(sp, name), sp->names.list.data[name].size);
    return book->string_of.data[name];
}

static void put_transition(struct vd_sp_book *book, const struct vd_sp_transition *from,
                           uint64_t *classes)
{
    static const uint8_t kinds[] = {
        [VD_TRANS_TYPE] = VD_RULE_TYPE_TRANSITION,
        [VD_TRANS_MEMBER] = VD_RULE_TYPE_MEMBER,
        [VD_TRANS_CHANGE] = VD_RULE_TYPE_CHANGE,
        [VD_TRANS_RANGE] = VD_RULE_RANGE_TRANSITION,
    };
    struct vd_sp_checked *c = book->image->c;
    struct vd_rule rule = {.kind = kinds[from->kind]};

    rule.source = type_set(book, &from->source, &rule.flags);
    rule.flags = from->otherwise ? VD_RULE_ELSE : 0;
    rule.target = type_set(book, &from->target, &rule.flags);
    rule.cond = condition(book, from->cond);
    rule.name = name_text(book, from->name.name);
    if (!transition_classes(c, &from->classes, classes))
        return;
    if (from->kind != VD_TRANS_RANGE)
        rule.perms = vd_sp_find(c->sp, VD_SP_TYPE, &from->result)->number;
    else if (!range_row(book->image, &from->range, &rule.perms))
        return;
    put_classes(book, classes, &rule, from->place);
}

static void put_roles(struct vd_sp_book *book, uint64_t *classes)
{
    struct vd_sp_checked *c = book->image->c;
    struct vd_sp *sp = c->sp;

    for (uint32_t i = 0; i < sp->role_allows.count; i++) {
        const struct vd_sp_role_allow *from = &sp->role_allows.data[i];
        struct vd_rule rule = {.kind = VD_RULE_ROLE_ALLOW};

        if (!vd_sp_on(sp, from->block))
            continue;
        rule.source = role_set(book, &from->from);
        rule.target = role_set(book, &from->to);
        put(book, &rule, from->place);
    }
    for (uint32_t i = 0; i < sp->role_transitions.count; i++) {
        const struct vd_sp_role_transition *from = &sp->role_transitions.data[i];
        struct vd_rule rule = {.kind = VD_RULE_ROLE_TRANSITION};

        if (!vd_sp_on(sp, from->block) || !transition_classes(c, &from->classes, classes))
            continue;
        rule.source = role_set(book, &from->roles);
        rule.target = type_set(book, &from->types, &rule.flags);
        rule.perms = vd_sp_find(sp, VD_SP_ROLE, &from->result)->number;
        put_classes(book, classes, &rule, from->place);
    }
}

static void put_bounds(struct vd_sp_book *book)
{
    struct vd_sp *sp = book->image->c->sp;

    for (uint32_t i = 0; i < sp->bounds.count; i++) {
        struct vd_sp_pair *pair = &sp->bounds.data[i];
        struct vd_rule rule = {.kind = VD_RULE_TYPEBOUNDS};
        uint8_t none = 0;

        if (!vd_sp_on(sp, pair->block))
            continue;
        rule.source = type_set(book, &(struct vd_sp_set){.items = &pair->left, .count = 1}, &none);
        rule.target = type_set(book, &(struct vd_sp_set){.items = &pair->right, .count = 1}, &none);
        put(book, &rule, pair->left.place);
    }
}

/* The constraint whose nodes begin at `first` of the model. */
static uint32_t find_constraint(const struct vd_sp *sp, uint32_t first)
{
    uint32_t low = 0, high = sp->constraints.count;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (sp->constraints.data[middle].node_first <= first)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* The statement as it is written, up to its ';', white space and comments as one blank. */
static uint32_t statement_text(struct vd_sp_book *book, uint32_t place)
{
    char text[VD_RULEBOOK_MAX_TEXT];
    uint32_t length = 0;
    const char *p = vd_sp_place_source(&book->image->c->sp->messages, place, &length);
    const char *end = p + length;
    size_t size = 0;
    bool blank = false;

    while (p < end && *p != ';' && size + 2 < sizeof(text)) {
        if (*p == '#') {
            while (p < end && *p != '\n')
                p++;
            continue;
        }
        if (*p == ' ' || (*p >= '\t' && *p <= '\r')) {
            blank = true;
        } else {
            if (blank)
                text[size++] = ' ';
            blank = false;
            text[size++] = *p;
        }
        p++;
    }
    return size == 0 ? 0 : vd_sp_book_text(book, text, size);
}

/* The constraints of one class, as the code generator laid them out. */
static void put_constraints(struct vd_sp_book *book, uint32_t first, uint32_t count, uint32_t class,
                            uint32_t *text_of)
{
    const struct vd_sp_image *image = book->image;
    const struct vd_sp *sp = image->c->sp;

    for (uint32_t i = first; i < first + count; i++) {
        const struct vd_pdb_node *node = &image->nodes.data[i];
        const struct vd_sp_constraint *from;
        struct vd_rule rule = {.class = (uint16_t) class, .perms = node->arg, .first = i};
        uint32_t row;

        if (node->op != VD_CX_BEGIN)
            continue;
        row = find_constraint(sp, image->node_from.data[i]);
        from = &sp->constraints.data[row];
        if (text_of[row] == 0)
            text_of[row] = sp->messages.binary ? vd_sp_book_constraint(book, from)
                                               : statement_text(book, from->place);
        rule.name = text_of[row];
        if (from->transition)
            rule.kind = from->mls ? VD_RULE_MLSVALIDATETRANS : VD_RULE_VALIDATETRANS;
        else
            rule.kind = from->mls ? VD_RULE_MLSCONSTRAIN : VD_RULE_CONSTRAIN;
        put(book, &rule, from->place);
    }
}

static int by_place(const void *pa, const void *pb)
{
    const struct vd_sp_book_row *a = pa, *b = pb;

    if (a->place != b->place)
        return a->place < b->place ? -1 : 1;
    return (a->rule.class > b->rule.class) - (a->rule.class < b->rule.class);
}

void vd_sp_book_fill(struct vd_sp_book *book)
{
    struct vd_sp_checked *c = book->image->c;
    struct vd_sp *sp = c->sp;
    uint64_t *classes = vd_sp_alloc_array(&sp->arena, VD_BITMAP_WORDS(c->classes.count), 8);
    uint32_t *text_of = vd_sp_alloc_array(&sp->arena, sp->constraints.count + 1, 4);

    vd_sp_pool_init(&book->keys, &sp->arena, sizeof(uint32_t));
    book->shared = vd_sp_alloc_array(&sp->arena, sp->sets.list.count, sizeof(*book->shared));
    book->cond_of = vd_sp_alloc_array(&sp->arena, sp->conds.count + 1, sizeof(uint32_t));
    *VD_SP_PUSH(&sp->arena, &book->strings) = '\0';
    *VD_SP_PUSH(&sp->arena, &book->files) = 0;
    begin_set(book, &(struct vd_sp_set){}, 0);
    (void)intern(book);
    for (uint32_t i = 0; i < sp->xperm_rules.count; i++) {
        if (vd_sp_on(sp, sp->xperm_rules.data[i].block))
            put_xperm(book, &sp->xperm_rules.data[i], classes);
    }
    for (uint32_t i = 0; i < sp->transitions.count; i++) {
        if (vd_sp_on(sp, sp->transitions.data[i].block))
            put_transition(book, &sp->transitions.data[i], classes);
    }
    put_roles(book, classes);
    put_bounds(book);
    for (uint32_t i = 1; i < c->classes.count; i++) {
        const struct vd_pdb_class *row = &book->image->classes.data[i];

        put_constraints(book, row->node_first, row->node_count, i, text_of);
        put_constraints(book, row->vtrans_first, row->vtrans_count, i, text_of);
    }
    if (book->others.count > 0)
        qsort(book->others.data, book->others.count, sizeof(*book->others.data), by_place);
}
