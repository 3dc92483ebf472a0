/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Interned names: each different identifier is stored once and known by a
 * number from 1, so that comparing names is comparing numbers. Every name
 * carries, for each name space of the language, the symbol it stands for.
 */
#ifndef VD_TOOLS_SEPOLICY_NAMES_H
#define VD_TOOLS_SEPOLICY_NAMES_H

#include "tools/sepolicy/memory.h"

/* Types, attributes and aliases share a space, as do roles and role attributes. */
enum vd_sp_space {
    VD_SP_CLASS,
    VD_SP_COMMON,
    VD_SP_TYPE,
    VD_SP_ROLE,
    VD_SP_USER,
    VD_SP_BOOL,
    VD_SP_SENS,
    VD_SP_CAT,
    VD_SP_SID,
    VD_SP_SPACES,
};

struct vd_sp_name {
    const char *text; /* terminated */
    uint32_t size;    /* without the terminator */
    uint32_t hash;
    uint32_t symbols[VD_SP_SPACES]; /* 0: stands for nothing there */
};

struct vd_sp_names {
    struct vd_sp_arena *arena;         /* borrowed */
    VD_SP_VEC(struct vd_sp_name) list; /* [0] is empty */
    uint32_t *table;                   /* open addressing, numbers of names */
    uint32_t mask;
};

void vd_sp_names_init(struct vd_sp_names *names, struct vd_sp_arena *arena);

/* The number of the name of `size` bytes, which is added if it is new. */
uint32_t vd_sp_name(struct vd_sp_names *names, const char *text, size_t size);

/* The number of a name that is known already, or 0. */
uint32_t vd_sp_name_find(const struct vd_sp_names *names, const char *text, size_t size);

VD_INLINE const char *vd_sp_name_text(const struct vd_sp_names *names, uint32_t name)
{
    return names->list.data[name].text;
}

#endif
