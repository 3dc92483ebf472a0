/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/analysis/graph.h"

#include <stdlib.h>
#include <string.h>

#define FAR UINT32_MAX

vd_status vd_graph_init(struct vd_graph *ret, uint32_t types, struct vd_diag *diag)
{
    struct vd_graph graph = {.types = types, .words = VD_BITMAP_WORDS(types)};

    if (types > VD_GRAPH_MAX_TYPES)
        return vd_diag_fail(diag, VD_E_LIMIT, "a graph of more than 32768 types");
    graph.edges = calloc((size_t)types * graph.words + 1, sizeof(*graph.edges));
    if (graph.edges == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    *ret = graph;
    return VD_OK;
}

void vd_graph_done(struct vd_graph *graph)
{
    free(graph->edges);
    *graph = (struct vd_graph){};
}

#define FOR_EACH(words, count, bit)              \
    for (uint32_t w_ = 0; w_ < (count); w_++)    \
        for (uint64_t v_ = (words)[w_], bit = 0; \
             v_ != 0 && ((bit = w_ * 64 + (uint32_t)__builtin_ctzll(v_)), true); v_ &= v_ - 1)

void vd_graph_add_reversed(struct vd_graph *graph, const struct vd_graph *other)
{
    for (uint32_t from = 0; from < other->types; from++) {
        FOR_EACH(vd_graph_row(other, from), other->words, to)
        vd_bitmap_set(vd_graph_row(graph, (uint32_t)to), from);
    }
}

void vd_graph_exclude(struct vd_graph *graph, uint32_t type)
{
    memset(vd_graph_row(graph, type), 0, graph->words * sizeof(uint64_t));
    for (uint32_t i = 0; i < graph->types; i++)
        vd_bitmap_clear(vd_graph_row(graph, i), type);
}

struct walk {
    const struct vd_graph *graph;
    const struct vd_graph_search *search;
    uint32_t *distance; /* steps to the target */
    uint64_t *near;     /* rows: types at most that many steps from the target */
    uint32_t near_rows;
    uint64_t *on_path;
    uint32_t path[VD_GRAPH_MAX_LENGTH + 1];
    uint64_t found, tried;
    vd_graph_fn fn;
    void *arg;
    bool enough;
};

/* Steps to the target from every type, by layers from the target on. */
static void measure(struct walk *w)
{
    const struct vd_graph *g = w->graph;
    bool changed = true;

    memset(w->distance, 0xff, g->types * sizeof(*w->distance));
    w->distance[w->search->to] = 0;
    vd_bitmap_set(w->near, w->search->to);
    for (uint32_t step = 1; step < w->near_rows; step++) {
        uint64_t *before = w->near + (size_t)(step - 1) * g->words, *now = before + g->words;

        memcpy(now, before, g->words * sizeof(*now));
        for (uint32_t type = 0; changed && type < g->types; type++) {
            const uint64_t *row = vd_graph_row(g, type);
            uint64_t reach = 0;

            if (w->distance[type] != FAR)
                continue;
            for (uint32_t i = 0; i < g->words; i++)
                reach |= row[i] & before[i];
            if (reach != 0) {
                w->distance[type] = step;
                vd_bitmap_set(now, type);
            }
        }
        changed = memcmp(now, before, g->words * sizeof(*now)) != 0;
    }
}

/* Paths of exactly `length` steps; `depth` of them are laid. The depth is bounded by the length. */
static void walk(struct walk *w, uint32_t depth, uint32_t length)
{
    const struct vd_graph *g = w->graph;
    const uint64_t *row = vd_graph_row(g, w->path[depth]);
    const uint64_t *near = w->near + (size_t)(length - depth - 1) * g->words;

    if (depth + 1 == length) {
        if (vd_bitmap_get(row, w->search->to)) {
            w->path[length] = w->search->to;
            w->found++;
            w->enough |= !w->fn(w->arg, w->path, length) ||
                         (w->search->limit != 0 && w->found >= w->search->limit);
        }
        return;
    }
    for (uint32_t i = 0; i < g->words && !w->enough; i++) {
        for (uint64_t bits = row[i] & near[i] & ~w->on_path[i]; bits != 0 && !w->enough;
             bits &= bits - 1) {
            uint32_t next = i * 64 + (uint32_t)__builtin_ctzll(bits);

            if (next == w->search->to)
                continue; /* it ends a path, and stands in no middle */
            if (++w->tried > VD_GRAPH_MAX_TRIED) {
                w->enough = true;
                return;
            }
            w->path[depth + 1] = next;
            vd_bitmap_set(w->on_path, next);
            walk(w, depth + 1, length);
            vd_bitmap_clear(w->on_path, next);
        }
    }
}

vd_status vd_graph_paths(const struct vd_graph *graph, const struct vd_graph_search *search,
                         vd_graph_fn found, void *arg, bool *ret_stopped)
{
    struct walk w = {.graph = graph, .search = search, .fn = found, .arg = arg};
    uint32_t longest = search->max_length == 0 || search->max_length > VD_GRAPH_MAX_LENGTH
                           ? VD_GRAPH_MAX_LENGTH
                           : search->max_length;
    vd_status status = VD_E_NO_MEMORY;
    uint32_t shortest;

    *ret_stopped = false;
    if (search->from >= graph->types || search->to >= graph->types || search->from == search->to)
        return VD_OK;
    w.near_rows = longest + 1;
    w.distance = calloc(graph->types, sizeof(*w.distance));
    w.near = calloc((size_t)w.near_rows * graph->words, sizeof(*w.near));
    w.on_path = calloc(graph->words, sizeof(*w.on_path));
    if (w.distance != NULL && w.near != NULL && w.on_path != NULL) {
        measure(&w);
        shortest = w.distance[search->from];
        if (search->max_length == 0 && shortest != FAR)
            longest = shortest;
        w.path[0] = search->from;
        vd_bitmap_set(w.on_path, search->from);
        for (uint32_t n = shortest; shortest != FAR && n <= longest && !w.enough; n++)
            walk(&w, 0, n);
        *ret_stopped = w.tried > VD_GRAPH_MAX_TRIED;
        status = VD_OK;
    }
    free(w.distance);
    free(w.near);
    free(w.on_path);
    return status;
}
