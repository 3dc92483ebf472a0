/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A type_transition for processes changes nothing unless the rules also allow
 * the transition, the execution of the program and its use as entry point.
 * Writing the first and forgetting one of the others is the commonest slip of
 * policies, and silent: here it is a warning.
 */
#include "tools/sepolicy/gen/codegen.h"

struct need {
    uint32_t class, perm;
};

const struct vd_pdb_leaf *vd_sp_leaf_of(const struct vd_sp_image *image, uint32_t source,
                                        uint32_t target, uint32_t class)
{
    uint32_t row = image->te_root[(size_t)source * image->c->classes.count + class];
    const uint32_t *rows = (const uint32_t *)(const void *)image->rows.data;
    const uint32_t *blocks = (const uint32_t *)(const void *)image->blocks.data;
    uint32_t block = rows[(size_t)row * image->c->type_words + target / VD_PDB_BLOCK_TYPES];

    return &image->leaves
                .data[blocks[(size_t)block * VD_PDB_BLOCK_TYPES + target % VD_PDB_BLOCK_TYPES]];
}

/* True if the rules give the permission under some setting of the booleans. */
static bool may(const struct vd_sp_image *image, uint32_t source, uint32_t target,
                const struct need *need)
{
    const struct vd_pdb_leaf *leaf = vd_sp_leaf_of(image, source, target, need->class);
    uint32_t allowed = leaf->base_allowed;

    for (uint32_t i = 0; i < leaf->cond_count; i++)
        allowed |= image->cond_rules.data[leaf->cond_first + i].allowed;
    return (allowed & need->perm) != 0;
}

/* A permission of the policy's classes; 0: it has no such. */
static uint32_t perm_of(const struct vd_sp_checked *c, const char *class, const char *perm,
                        uint32_t *ret_class)
{
    const struct vd_sp *sp = c->sp;
    uint32_t class_name = vd_sp_name_find(&sp->names, class, __builtin_strlen(class));
    uint32_t perm_name = vd_sp_name_find(&sp->names, perm, __builtin_strlen(perm));
    const struct vd_sp_symbol *symbol =
        class_name == 0 ? NULL : vd_sp_symbol_of(sp, VD_SP_CLASS, class_name);

    if (symbol == NULL || symbol->number == 0 || perm_name == 0)
        return 0;
    *ret_class = symbol->number;
    for (uint32_t i = 0; i < sp->classes.data[symbol->row].count; i++) {
        if (sp->classes.data[symbol->row].perms[i] == perm_name)
            return 1u << i;
    }
    return 0;
}

struct needs {
    struct need transition, execute, entrypoint;
};

/* What one source and program lack, NULL if nothing; a domain that stays needs nothing. */
static const char *lacking(const struct vd_sp_image *image, const struct needs *n, uint32_t source,
                           uint32_t program, uint32_t result)
{
    if (source == result)
        return NULL;
    if (!may(image, source, result, &n->transition))
        return "the old type may not make the process transition";
    if (!may(image, source, program, &n->execute))
        return "the old type may not execute the program";
    if (!may(image, result, program, &n->entrypoint))
        return "the program is no entry point of the new type";
    return NULL;
}

/* Warns if none of the pairs that the rule names can happen. */
static void check_rule(struct vd_sp_image *image, const struct needs *n,
                       const struct vd_sp_transition *rule, uint32_t process)
{
    struct vd_sp_checked *c = image->c;
    uint64_t classes[VD_BITMAP_WORDS(VD_PDB_MAX_CLASSES)] = {};
    uint32_t source, target, result;
    const char *why = NULL;
    uint8_t flags;

    if (!vd_sp_resolve_plain(c, VD_SP_CLASS, &rule->classes, classes) ||
        !vd_bitmap_get(classes, process) || !vd_sp_resolve_types(c, &rule->source, &source, NULL) ||
        !vd_sp_resolve_types(c, &rule->target, &target, &flags))
        return;
    result = vd_sp_find(c->sp, VD_SP_TYPE, &rule->result)->number;
    VD_SP_FOR_EACH_BIT (c->sets.data[source].words, c->type_words, s) {
        VD_SP_FOR_EACH_BIT (c->sets.data[target].words, c->type_words, t) {
            const char *lack = lacking(image, n, s, t, result);

            if (lack == NULL)
                return;
            why = why == NULL ? lack : why;
        }
    }
    if (why != NULL)
        vd_sp_warning(&c->sp->messages, rule->place, NULL, "this transition never happens: %s",
                      why);
}

void vd_sp_warn_transitions(struct vd_sp_image *image)
{
    struct vd_sp *sp = image->c->sp;
    struct needs n;

    n.transition.perm = perm_of(image->c, "process", "transition", &n.transition.class);
    n.execute.perm = perm_of(image->c, "file", "execute", &n.execute.class);
    n.entrypoint.perm = perm_of(image->c, "file", "entrypoint", &n.entrypoint.class);
    /* A policy with classes of its own may know nothing of processes. */
    if (n.transition.perm == 0 || n.execute.perm == 0 || n.entrypoint.perm == 0)
        return;
    for (uint32_t i = 0; i < sp->transitions.count; i++) {
        const struct vd_sp_transition *rule = &sp->transitions.data[i];

        if (rule->kind == VD_TRANS_TYPE && rule->name.name == 0 && vd_sp_on(sp, rule->block))
            check_rule(image, &n, rule, n.transition.class);
    }
}
