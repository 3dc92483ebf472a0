/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/analysis/flow_assertion.h"

#include <stdlib.h>
#include <string.h>

#include "core/policydb/conditional.h"

vd_status vd_flow_judge_init(struct vd_flow_judge *ret, const struct vd_rules *rules)
{
    struct vd_flow_judge judge = {.rules = rules};

    VD_TRY(vd_perm_map_standard(&rules->db, &judge.map));
    *ret = judge;
    return VD_OK;
}

static void forget(struct vd_flow_judge *judge)
{
    vd_graph_done(&judge->graph);
    free(judge->blob);
    judge->graph = (struct vd_graph){};
    judge->blob = NULL;
    judge->last = NULL;
}

void vd_flow_judge_done(struct vd_flow_judge *judge)
{
    forget(judge);
    vd_perm_map_done(&judge->map);
}

static uint32_t bool_count(const struct vd_flow_judge *judge)
{
    return vd_policydb_header(&judge->rules->db)->sections[VD_PDB_BOOLS].count;
}

/* True if both are decided by the same graph. */
static bool same_graph(const struct vd_flow_judge *judge, const struct vd_assertion *a)
{
    const struct vd_assertion *b = judge->last;

    return b != NULL && a->kind == b->kind && a->when == b->when && a->weight == b->weight &&
           memcmp(a->values, b->values, bool_count(judge)) == 0;
}

/* A copy of the policy with the assertion's booleans, unless it has them. */
static vd_status set_booleans(struct vd_flow_judge *judge, const struct vd_assertion *a)
{
    const struct vd_policydb *db = &judge->rules->db;
    bool same = true;

    judge->under = *judge->rules;
    for (uint32_t i = 0; i < bool_count(judge); i++) {
        const struct vd_pdb_bool *row = vd_pdb_row(db, VD_PDB_BOOLS, i, sizeof(*row));
        same = same && (row == NULL || (row->value != 0) == (a->values[i] != 0));
    }
    if (same)
        return VD_OK;
    judge->blob = malloc(db->size);
    if (judge->blob == NULL)
        return VD_E_NO_MEMORY;
    memcpy(judge->blob, db->base, db->size);
    for (uint32_t i = 0; i < bool_count(judge); i++)
        (void)!vd_policydb_set_bool(judge->blob, i, a->values[i] != 0);
    vd_policydb_recompute(judge->blob);
    judge->under.db.base = judge->blob;
    return VD_OK;
}

static vd_status prepare(struct vd_flow_judge *judge, const struct vd_assertion *a,
                         struct vd_diag *diag)
{
    if (same_graph(judge, a))
        return VD_OK;
    forget(judge);
    if (a->kind == VD_ASSERT_NO_DOMAIN_FLOW && judge->rules->book.head == NULL)
        return vd_diag_fail(diag, VD_E_NOT_FOUND,
                            "domain transitions need the policy's rules, and it was compiled with "
                            "--strip");
    VD_TRY(set_booleans(judge, a));
    judge->options = (struct vd_flow_options){
        .map = &judge->map, .min_weight = a->weight, .any_booleans = a->when == VD_WHEN_ALWAYS};
    if (a->kind == VD_ASSERT_NO_DOMAIN_FLOW)
        VD_TRY(vd_flow_domains(&judge->under, &judge->options, &judge->graph, diag));
    else
        VD_TRY(vd_flow_information(&judge->under.db, &judge->options, &judge->graph, diag));
    judge->last = a;
    return VD_OK;
}

/* A search from one source, breadth first: each type is entered once, by a shortest path. */
struct search {
    const struct vd_graph *graph;
    const struct vd_assertion *a;
    uint64_t *seen;   /* entered, or not to be entered */
    uint32_t *parent; /* by type */
    uint32_t *queue;
    uint32_t count; /* in the queue, ever */
};

static void start(struct search *s, uint32_t source)
{
    for (uint32_t w = 0; w < s->graph->words; w++) {
        /* The ends themselves may be named in `except`. */
        s->seen[w] = s->a->except == NULL
                         ? 0
                         : s->a->except[w] & ~s->a->target.types[w] & ~s->a->source.types[w];
    }
    vd_bitmap_set(s->seen, source);
    s->queue[0] = source;
    s->count = 1;
}

static void spread(struct search *s, uint32_t type)
{
    const uint64_t *row = vd_graph_row(s->graph, type);

    for (uint32_t w = 0; w < s->graph->words; w++) {
        uint64_t fresh = row[w] & ~s->seen[w];
        s->seen[w] |= fresh;
        for (; fresh != 0; fresh &= fresh - 1) {
            uint32_t to = w * 64 + (uint32_t)__builtin_ctzll(fresh);
            s->parent[to] = type;
            s->queue[s->count++] = to;
        }
    }
}

static vd_status note_path(const struct search *s, uint32_t source, uint32_t target,
                           struct vd_flow_result *ret)
{
    uint32_t length = 0;

    for (uint32_t t = target; t != source; t = s->parent[t])
        length++;
    ret->path = calloc(length + 1u, sizeof(*ret->path));
    if (ret->path == NULL)
        return VD_E_NO_MEMORY;
    ret->length = length;
    for (uint32_t t = target; t != source; t = s->parent[t])
        ret->path[length--] = t;
    ret->path[0] = source;
    return VD_OK;
}

/* Everything that one source reaches: the queue holds it in the order of distance. */
static vd_status search_source(struct search *s, uint32_t source, struct vd_flow_result *ret)
{
    start(s, source);
    for (uint32_t i = 0; i < s->count; i++) {
        uint32_t type = s->queue[i];
        if (i != 0 && vd_bitmap_get(s->a->target.types, type)) {
            if (ret->failures++ == 0)
                VD_TRY(note_path(s, source, type, ret));
            if (ret->failures >= VD_ASSERTION_MAX_COUNTED)
                return VD_OK;
        }
        spread(s, type);
    }
    return VD_OK;
}

static vd_status search_all(struct search *s, struct vd_flow_result *ret)
{
    for (uint32_t source = 1; source < s->graph->types; source++) {
        if (vd_bitmap_get(s->a->source.types, source) && ret->failures < VD_ASSERTION_MAX_COUNTED)
            VD_TRY(search_source(s, source, ret));
    }
    return VD_OK;
}

vd_status vd_flow_judge(struct vd_flow_judge *judge, const struct vd_assertion *assertion,
                        struct vd_flow_result *ret, struct vd_diag *diag)
{
    struct vd_flow_result result = {};
    struct search s = {.a = assertion};
    vd_status status = VD_E_NO_MEMORY;

    VD_TRY(prepare(judge, assertion, diag));
    s.graph = &judge->graph;
    s.seen = calloc(s.graph->words + 1u, sizeof(*s.seen));
    s.parent = calloc(s.graph->types + 1u, sizeof(*s.parent));
    s.queue = calloc(s.graph->types + 1u, sizeof(*s.queue));
    if (s.seen != NULL && s.parent != NULL && s.queue != NULL)
        status = search_all(&s, &result);
    free(s.seen);
    free(s.parent);
    free(s.queue);
    if (status != VD_OK) {
        free(result.path);
        return status;
    }
    *ret = result;
    return VD_OK;
}
