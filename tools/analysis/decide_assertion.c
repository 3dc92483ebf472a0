/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "tools/analysis/assertions.h"
#include "tools/analysis/layers.h"

/* What a leaf, taken alone, contributes: permissions that count as allowed. */
struct known {
    uint32_t mask;
    bool known;
};

struct search {
    const struct vd_policydb *db;
    const struct vd_assertion *a;
    struct vd_assertion_result *result;
    struct known *leaves; /* by row: equal leaves are asked once */
    uint8_t *values;      /* tried settings; between questions the assertion's own */
    uint32_t bool_count;
};

static bool wants_allow(const struct search *s)
{
    return s->a->kind == VD_ASSERT_ALLOW;
}

/*
 * The permissions that count as allowed: for must-allow those allowed under the
 * worst setting that the assertion speaks of, for must-deny under the most
 * generous one; with `ever` the other way round.
 */
static vd_status ask(struct search *s, const struct vd_layers *layers, uint32_t perms,
                     uint32_t *ret)
{
    struct vd_layers_span span = {};

    if (s->a->when == VD_WHEN_GIVEN) {
        *ret = vd_layers_allowed(layers, s->values);
        return VD_OK;
    }
    VD_TRY(vd_layers_settings(layers, s->values, perms, wants_allow(s), &span));
    *ret = (s->a->when == VD_WHEN_ALWAYS) == wants_allow(s) ? span.always : span.ever;
    return VD_OK;
}

static vd_status found(struct search *s, const struct vd_layers *layers, uint32_t wrong)
{
    struct vd_counterexample *e = &s->result->example;

    if (s->result->failures++ != 0)
        return VD_OK;
    e->source = layers->pairs[0].source;
    e->target = layers->pairs[0].target;
    e->class = layers->class;
    e->perms = wrong;
    e->values = malloc(s->bool_count + 1u);
    if (e->values == NULL)
        return VD_E_NO_MEMORY;
    memcpy(e->values, s->values, s->bool_count);
    return VD_OK;
}

static vd_status judge(struct search *s, const struct vd_layers *layers, uint32_t perms)
{
    uint32_t allowed = 0, wrong;

    VD_TRY(ask(s, layers, perms, &allowed));
    wrong = wants_allow(s) ? perms & ~allowed : perms & allowed;
    if (wrong != 0)
        VD_TRY(found(s, layers, wrong));
    memcpy(s->values, s->a->values, s->bool_count);
    return VD_OK;
}

/* One pair of types. Without bounds the leaf alone answers, and has mostly been asked before. */
static vd_status judge_types(struct search *s, uint32_t source, uint32_t target,
                             const struct vd_assertion_class *class)
{
    const struct vd_pdb_leaf *leaf = vd_te_leaf(s->db, source, target, class->class);
    const struct vd_pdb_leaf *first = vd_pdb_row(s->db, VD_PDB_TE_LEAVES, 0, sizeof(*first));
    struct vd_layers layers;
    struct known *known;

    if (leaf == NULL || first == NULL)
        return VD_OK;
    known = &s->leaves[leaf - first];
    vd_layers_types(&layers, s->db, source, target, class->class);
    if (layers.count != 1)
        return judge(s, &layers, class->perms);
    if (!known->known) {
        /* All bits: the same leaf may serve classes of different permissions. */
        uint32_t perms = layers.perms;
        layers.perms = layers.fixed = UINT32_MAX;
        VD_TRY(ask(s, &layers, 0, &known->mask));
        layers.perms = layers.fixed = perms;
        known->known = true;
    }
    if ((wants_allow(s) ? class->perms & ~known->mask : class->perms & known->mask) == 0)
        return VD_OK;
    return judge(s, &layers, class->perms);
}

static bool enough(const struct search *s)
{
    return s->result->failures >= VD_ASSERTION_MAX_COUNTED;
}

/* The targets of one block: 64 types are one word of the set. */
static vd_status judge_word(struct search *s, uint32_t source, uint32_t block, uint64_t word,
                            const struct vd_assertion_class *class)
{
    for (; word != 0 && !enough(s); word &= word - 1)
        VD_TRY(judge_types(s, source, block * VD_PDB_BLOCK_TYPES + (uint32_t)__builtin_ctzll(word),
                           class));
    return VD_OK;
}

static vd_status judge_source(struct search *s, uint32_t source,
                              const struct vd_assertion_class *class)
{
    const struct vd_pdb_header *head = vd_policydb_header(s->db);
    const uint32_t *row =
        vd_pdb_row(s->db, VD_PDB_TE_ROOT, source * head->classes + class->class, sizeof(*row));

    for (uint32_t b = 0; row != NULL && b < head->blocks && !enough(s); b++) {
        const uint32_t *block =
            vd_pdb_row(s->db, VD_PDB_TE_ROWS, *row * head->blocks + b, sizeof(*block));
        uint64_t word = s->a->target.types[b];
        if (source / VD_PDB_BLOCK_TYPES == b) {
            uint64_t self = (uint64_t)1 << source % VD_PDB_BLOCK_TYPES;
            word = s->a->target.not_self ? word & ~self : s->a->target.self ? word | self : word;
        }
        /* An empty block allows nothing: nothing to find for must-deny. */
        if (word == 0 || block == NULL || (*block == 0 && !wants_allow(s)))
            continue;
        VD_TRY(judge_word(s, source, b, word, class));
    }
    return VD_OK;
}

static vd_status judge_all(struct search *s)
{
    uint32_t types = vd_policydb_header(s->db)->types;

    for (uint32_t c = 0; c < s->a->class_count; c++) {
        const struct vd_assertion_class *class = &s->a->classes[c];
        struct vd_layers layers;
        if (s->a->source.context != NULL) {
            vd_layers_contexts(&layers, s->db, s->a->source.context,
                               s->a->target.self ? s->a->source.context : s->a->target.context,
                               class->class);
            VD_TRY(judge(s, &layers, class->perms));
            continue;
        }
        for (uint32_t source = 1; source < types && !enough(s); source++) {
            if (vd_bitmap_get(s->a->source.types, source))
                VD_TRY(judge_source(s, source, class));
        }
    }
    return VD_OK;
}

vd_status vd_assertion_decide(const struct vd_policydb *db, const struct vd_assertion *assertion,
                              struct vd_assertion_result *ret)
{
    const struct vd_pdb_header *head = vd_policydb_header(db);
    struct vd_assertion_result result = {};
    struct search s = {
        .db = db,
        .a = assertion,
        .result = &result,
        .leaves = calloc(head->sections[VD_PDB_TE_LEAVES].count + 1u, sizeof(struct known)),
        .bool_count = head->sections[VD_PDB_BOOLS].count};
    vd_status status = VD_E_NO_MEMORY;

    s.values = malloc(s.bool_count + 1u);
    if (s.leaves != NULL && s.values != NULL) {
        memcpy(s.values, assertion->values, s.bool_count);
        status = judge_all(&s);
    }
    free(s.leaves);
    free(s.values);
    if (status != VD_OK) {
        vd_assertion_result_done(&result);
        return status;
    }
    *ret = result;
    return VD_OK;
}

void vd_assertion_result_done(struct vd_assertion_result *result)
{
    free(result->example.values);
    *result = (struct vd_assertion_result){};
}
