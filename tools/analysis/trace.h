/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A constraint evaluated step by step: its text, and which of its parts made it
 * false, with the values of both sides.
 *
 * The parts are decided with the engine's own functions (core/mac/constraint.h).
 * Memory: one allocation a tree.
 */
#ifndef VD_TOOLS_ANALYSIS_TRACE_H
#define VD_TOOLS_ANALYSIS_TRACE_H

#include <stdio.h>

#include "core/mac/decide.h"

struct vd_trace_node {
    struct vd_pdb_node node;
    uint32_t left, right; /* operands: NOT has `left`; AND and OR both */
    bool value;
};

/* The constraint's expression as a tree over the policy's nodes, operands before operators. */
struct vd_trace {
    const struct vd_policydb *db;
    struct vd_cx cx; /* whose values are compared */
    struct vd_trace_node *nodes;
    uint32_t count; /* the last one is the whole expression */
    /* The source's text or NULL: of attributes with the same types the one it names is printed. */
    const char *written;
};

/*
 * Evaluates the constraint whose VD_CX_BEGIN is row `first` of NODES, for the
 * contexts and types in `cx`; all is borrowed. VD_E_INVALID: no constraint stands there;
 * VD_E_NO_MEMORY. End with vd_trace_done.
 */
vd_status vd_trace_constraint(const struct vd_policydb *db, const struct vd_cx *cx, uint32_t first,
                              struct vd_trace *ret);
void vd_trace_done(struct vd_trace *trace);

/* The row of NODES behind the constraint that begins at `first`, and its permissions. */
uint32_t vd_trace_next(const struct vd_policydb *db, uint32_t first, uint32_t *ret_perms);

/*
 * Takes the type of `part` (VD_PART_T1 or T2) for a member of the set at `bitmap`,
 * and works the values out anew: as if the type had the attribute of that set.
 */
void vd_trace_force(struct vd_trace *trace, uint32_t part, uint32_t bitmap);

/* Whether the whole is true. */
bool vd_trace_value(const struct vd_trace *trace);

/* Prints the expression as the language writes it; sets that are an attribute's by its name. */
void vd_trace_print(const struct vd_trace *trace, FILE *out);

/* A comparison that stands in the way: it would have to come out the other way. */
struct vd_trace_reason {
    const struct vd_trace_node *node;
    bool value; /* what it is */
};

/*
 * The comparisons that make the whole false, in their order: with all of them the
 * other way round it would be true. Calls `fn` for each.
 */
void vd_trace_reasons(const struct vd_trace *trace,
                      void (*fn)(void *arg, const struct vd_trace *trace,
                                 const struct vd_trace_reason *reason),
                      void *arg);

/* Prints a comparison: "l1 dom l2". */
void vd_trace_print_node(const struct vd_trace *trace, const struct vd_trace_node *node, FILE *out);

/* Prints the values compared: "l1 = s0, l2 = s1". */
void vd_trace_print_values(const struct vd_trace *trace, const struct vd_trace_node *node,
                           FILE *out);

/* The attribute whose types are exactly the set at `bitmap`, searching on from `after`; 0: none. */
uint32_t vd_trace_attribute(const struct vd_policydb *db, uint32_t bitmap, uint32_t after);

/* Prints a level as the language writes it. */
void vd_trace_print_level(const struct vd_policydb *db, const struct vd_mls_level *level,
                          FILE *out);

#endif
