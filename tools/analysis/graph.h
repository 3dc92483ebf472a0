/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A directed graph over types as a matrix of bits, and its simple paths,
 * shortest first.
 */
#ifndef VD_TOOLS_ANALYSIS_GRAPH_H
#define VD_TOOLS_ANALYSIS_GRAPH_H

#include "core/base/bitmap.h"
#include "core/base/diag.h"

#define VD_GRAPH_MAX_LENGTH 64u       /* steps of a path */
#define VD_GRAPH_MAX_TRIED  20000000u /* types entered in one search */
#define VD_GRAPH_MAX_TYPES  32768u    /* 128 MiB of edges */

struct vd_graph {
    uint32_t types, words; /* rows; words of a row */
    uint64_t *edges;       /* row by row, owned */
};

/* No edges; VD_E_LIMIT: more than VD_GRAPH_MAX_TYPES types; VD_E_NO_MEMORY. */
vd_status vd_graph_init(struct vd_graph *ret, uint32_t types, struct vd_diag *diag);
void vd_graph_done(struct vd_graph *graph);

VD_INLINE uint64_t *vd_graph_row(const struct vd_graph *graph, uint32_t type)
{
    return graph->edges + (size_t)type * graph->words;
}

/* Adds the edges of `other` turned round. */
void vd_graph_add_reversed(struct vd_graph *graph, const struct vd_graph *other);

/* Takes a type out: no edge leads to it or from it. */
void vd_graph_exclude(struct vd_graph *graph, uint32_t type);

struct vd_graph_search {
    uint32_t from, to;
    uint32_t max_length; /* steps; 0: as many as the shortest path has */
    uint64_t limit;      /* paths; 0: no limit */
};

/* A path of `length` steps: length + 1 types. False: enough. */
typedef bool (*vd_graph_fn)(void *arg, const uint32_t *types, uint32_t length);

/*
 * Calls `found` for each simple path, shortest first, those of one length in the
 * order of the types' numbers. `ret_stopped`: VD_GRAPH_MAX_TRIED was reached
 * before all were found. VD_E_NO_MEMORY.
 */
vd_status vd_graph_paths(const struct vd_graph *graph, const struct vd_graph_search *search,
                         vd_graph_fn found, void *arg, bool *ret_stopped);

#endif
