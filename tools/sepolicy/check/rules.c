/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Rules become numbers. Their sets are shared, so that each is resolved once,
 * in silence; a rule with a set that means nothing is read again from its text
 * and resolved aloud, which says where the error is.
 */
#include "tools/sepolicy/check/checker.h"
#include "tools/sepolicy/parse/parser.h"

enum known { NOT_YET, GOOD, BAD };

/* What a shared set is as types and as classes. */
struct meaning {
    uint32_t types; /* number of a type set */
    uint8_t flags;  /* VD_SP_AV_… */
    uint8_t as_types, as_classes;
    uint64_t *classes;
};

#define MASK_SLOTS        1024u
#define MAX_PAIRS         (1ull << 35)
#define CONDITIONAL_PAIRS 64u

/* A set of permissions of a class, found again without a search. */
struct mask {
    uint64_t key; /* set + 1, class; 0: free */
    uint32_t perms;
};

struct resolver {
    struct vd_sp_checked *c;
    struct meaning *meanings; /* by shared set */
    struct mask *masks;
    uint32_t class_words;
};

static bool types_of(struct resolver *r, uint32_t set, struct meaning **ret)
{
    struct meaning *m = &r->meanings[set];

    *ret = m;
    if (m->as_types == NOT_YET)
        m->as_types =
            vd_sp_resolve_types(r->c, &r->c->sp->sets.list.data[set], &m->types, &m->flags) ? GOOD
                                                                                            : BAD;
    return m->as_types == GOOD;
}

static bool classes_of(struct resolver *r, uint32_t set, const uint64_t **ret)
{
    struct meaning *m = &r->meanings[set];

    if (m->as_classes == NOT_YET) {
        m->classes = vd_sp_alloc_array(&r->c->sp->arena, r->class_words, sizeof(*m->classes));
        m->as_classes =
            vd_sp_resolve_plain(r->c, VD_SP_CLASS, &r->c->sp->sets.list.data[set], m->classes)
                ? GOOD
                : BAD;
    }
    *ret = m->classes;
    return m->as_classes == GOOD;
}

static bool perms_of(struct resolver *r, uint32_t set, uint32_t class, uint32_t *ret)
{
    uint64_t key = (uint64_t)(set + 1) << 32 | class;
    struct mask *mask = &r->masks[(key * 0x9e3779b97f4a7c15u) >> 54];

    if (mask->key != key) {
        if (!vd_sp_resolve_perms(r->c, &r->c->sp->sets.list.data[set], class, &mask->perms)) {
            mask->key = 0;
            return false;
        }
        mask->key = key;
    }
    *ret = mask->perms;
    return true;
}

/* Says what is wrong with a rule that could not be resolved in silence. */
static void complain(struct resolver *r, const struct vd_sp_rule *rule)
{
    struct vd_sp *sp = r->c->sp;
    uint64_t *classes = vd_sp_alloc_array(&sp->arena, r->class_words, sizeof(*classes));
    struct vd_sp_rule_text text;
    uint32_t set, perms;
    uint8_t flags;

    if (sp->messages.binary)
        text = (struct vd_sp_rule_text){.source = sp->sets.list.data[rule->source],
                                        .target = sp->sets.list.data[rule->target],
                                        .classes = sp->sets.list.data[rule->classes],
                                        .perms = sp->sets.list.data[rule->perms]};
    else
        vd_sp_reread_rule(sp, rule, &text);
    (void)vd_sp_resolve_types(r->c, &text.source, &set, NULL);
    (void)vd_sp_resolve_types(r->c, &text.target, &set, &flags);
    (void)vd_sp_resolve_plain(r->c, VD_SP_CLASS, &text.classes, classes);
    VD_SP_FOR_EACH_BIT (classes, r->class_words, class)
        (void)vd_sp_resolve_perms(r->c, &text.perms, class, &perms);
}

static bool is_empty(const struct vd_sp_checked *c, const struct meaning *m)
{
    return c->sets.data[m->types].weight == 0 && (m->flags & VD_SP_AV_SELF) == 0;
}

/* A rule without any source, target or permission does nothing. */
static void warn_empty(struct resolver *r, const struct vd_sp_rule *rule,
                       const struct meaning *source, const struct meaning *target, uint32_t perms)
{
    struct vd_sp *sp = r->c->sp;
    struct vd_sp_rule_text text;

    if (sp->messages.binary || (!is_empty(r->c, source) && !is_empty(r->c, target) && perms != 0))
        return;
    vd_sp_reread_rule(sp, rule, &text);
    if (is_empty(r->c, source))
        vd_sp_warning(&sp->messages, text.source.place, NULL,
                      "this rule does nothing: no type is in its source");
    else if (is_empty(r->c, target))
        vd_sp_warning(&sp->messages, text.target.place, NULL,
                      "this rule does nothing: no type is in its target");
    else
        vd_sp_warning(&sp->messages, text.perms.place, NULL,
                      "this rule does nothing: it has no permission");
}

/* False if a set of the rule means nothing; rows added before are of no consequence then. */
static bool resolve(struct resolver *r, uint32_t index)
{
    struct vd_sp *sp = r->c->sp;
    const struct vd_sp_rule *rule = &sp->rules.data[index];
    struct meaning *source, *target;
    const uint64_t *classes;
    uint32_t all = 0;
    bool good = true;

    sp->messages.mute = true;
    good &= types_of(r, rule->source, &source) && source->flags == 0;
    good &= types_of(r, rule->target, &target);
    good &= classes_of(r, rule->classes, &classes);
    VD_SP_FOR_EACH_BIT (classes, r->class_words, class) {
        uint32_t perms = 0;

        good &= perms_of(r, rule->perms, class, &perms);
        all |= perms;
        if (perms != 0 && good)
            *VD_SP_PUSH(&sp->arena, &r->c->avs) = (struct vd_sp_av){.source = source->types,
                                                                    .target = target->types,
                                                                    .perms = perms,
                                                                    .rule = index,
                                                                    .class = (uint16_t) class,
                                                                    .kind = rule->kind,
                                                                    .flags = target->flags};
    }
    sp->messages.mute = false;
    if (good)
        warn_empty(r, rule, source, target, all);
    return good;
}

/*
 * The pairs of source and target that the rules stand for bound the generator's
 * work; one under a condition costs a search among those of its cell. Debian's
 * reference policy has 31 million.
 */
static void limit_pairs(struct vd_sp_checked *c)
{
    struct vd_sp *sp = c->sp;
    uint64_t pairs = 0;

    for (uint32_t i = 0; i < c->avs.count; i++) {
        const struct vd_sp_av *av = &c->avs.data[i];
        const struct vd_sp_rule *rule = &sp->rules.data[av->rule];

        pairs += (uint64_t)c->sets.data[av->source].weight *
                 (c->sets.data[av->target].weight + 1u) * (rule->cond == 0 ? 1 : CONDITIONAL_PAIRS);
        if (pairs > MAX_PAIRS) {
            vd_sp_error(&sp->messages, rule->place,
                        "the rules stand for more than %llu pairs of source and target",
                        (unsigned long long)MAX_PAIRS);
            vd_sp_escape(&sp->arena, VD_E_LIMIT);
        }
    }
}

void vd_sp_check_rules(struct vd_sp_checked *c)
{
    struct vd_sp *sp = c->sp;
    struct resolver r = {.c = c, .class_words = VD_BITMAP_WORDS(c->classes.count)};

    r.meanings = vd_sp_alloc_array(&sp->arena, sp->sets.list.count, sizeof(*r.meanings));
    r.masks = vd_sp_alloc_array(&sp->arena, MASK_SLOTS, sizeof(*r.masks));
    for (uint32_t i = 0; i < sp->rules.count; i++) {
        if (vd_sp_on(sp, sp->rules.data[i].block) && !resolve(&r, i))
            complain(&r, &sp->rules.data[i]);
    }
    limit_pairs(c);
}
