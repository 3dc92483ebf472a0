/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a log of denials asks of a policy: the least that would have allowed them.
 *
 * Denials that are alike are one group. First booleans are tried, since their rules
 * were meant by the policy's author; then, with those switched, each group that is
 * still denied gets the change that opens least (explain.h). Nothing is proposed
 * that a neverallow forbids, alone or together with the rest.
 */
#ifndef VD_TOOLS_ANALYSIS_SUGGEST_H
#define VD_TOOLS_ANALYSIS_SUGGEST_H

#include "tools/analysis/explain.h"

#define VD_SUGGEST_MAX_GROUPS 65536u

enum vd_suggest_state {
    VD_SUGGEST_OPEN,      /* not solved yet */
    VD_SUGGEST_ALLOWED,   /* the policy allows it as it is */
    VD_SUGGEST_BOOLEAN,   /* allowed once the chosen booleans are switched */
    VD_SUGGEST_EDIT,      /* allowed by `edits` */
    VD_SUGGEST_FORBIDDEN, /* every change that would do it is refused by a neverallow */
    VD_SUGGEST_STUCK,     /* no boolean, attribute or rule does it: the contexts stand against it */
};

/* Denials of the same contexts and class; their permissions together. */
struct vd_suggest_group {
    struct vd_why_question question;
    uint64_t count; /* denials */
    uint64_t line;  /* of the first, from 1 */
    enum vd_suggest_state state;
    struct vd_refusal refusal; /* VD_SUGGEST_FORBIDDEN */
};

/* An edit that is proposed, and what it opens. */
struct vd_suggest_edit {
    struct vd_edit edit;
    uint64_t opens; /* with the others of its change */
};

struct vd_suggest {
    struct vd_suggest_group *groups;
    uint32_t group_count;
    struct vd_suggest_edit *edits; /* attributes, role allows and rules, each once */
    uint32_t edit_count;
    struct vd_edit booleans[VD_CHANGE_EDITS]; /* to be switched */
    uint32_t boolean_count;
    uint32_t *table; /* of groups, by hash; 0: free, else the group + 1 */
};

/* VD_E_NO_MEMORY. End with vd_suggest_done. */
vd_status vd_suggest_init(struct vd_suggest *ret);
void vd_suggest_done(struct vd_suggest *suggest);

/* Adds a denial. VD_E_LIMIT: more than VD_SUGGEST_MAX_GROUPS differ. */
vd_status vd_suggest_add(struct vd_suggest *suggest, const struct vd_why_question *question,
                         uint64_t line);

/* Adds an edit, or its permissions to the one of the same types and class. VD_E_NO_MEMORY. */
vd_status vd_suggest_add_edit(struct vd_suggest *suggest, const struct vd_edit *edit,
                              uint64_t opens);

/*
 * Solves all groups. `blob` are the bytes of the inquiry's policy: chosen booleans
 * are switched there and in `values`, which are the inquiry's, so that the engine
 * answers as it would. `booleans`: whether any may be. VD_E_NO_MEMORY.
 */
vd_status vd_suggest_solve(struct vd_suggest *suggest, const struct vd_inquiry *inquiry, void *blob,
                           uint8_t *values, bool booleans);

#endif
