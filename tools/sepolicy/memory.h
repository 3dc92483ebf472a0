/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The compiler's arena: everything one compilation allocates, freed at once.
 *
 * An allocation never returns NULL: where the limit is reached or the machine
 * has no memory it leaves the compilation through `escape` with a status, so
 * that no caller carries a check it could forget. Only vd_sepolicy_compile sets
 * the escape; nothing else in the compiler owns resources across it.
 *
 * Large allocations (above a quarter of a MiB) are the system's own: they grow
 * in place or are moved by it, and vd_sp_release gives them back before the end.
 */
#ifndef VD_TOOLS_SEPOLICY_MEMORY_H
#define VD_TOOLS_SEPOLICY_MEMORY_H

#include <setjmp.h>
#include <string.h>

#include "core/base/status.h"

struct vd_sp_chunk;

struct vd_sp_arena {
    struct vd_sp_chunk *chunks;
    uint8_t *at, *end; /* free part of the newest chunk */
    size_t used, max;  /* bytes taken from the system */
    vd_status status;  /* why it escaped */
    jmp_buf escape;
};

/* Frees everything. */
void vd_sp_arena_done(struct vd_sp_arena *arena);

/* `size` zeroed bytes aligned to 8. */
void *vd_sp_alloc(struct vd_sp_arena *arena, size_t size);

/* `count` zeroed elements; the product is checked. */
void *vd_sp_alloc_array(struct vd_sp_arena *arena, size_t count, size_t size);

/* Leaves the compilation with `status`. */
_Noreturn void vd_sp_escape(struct vd_sp_arena *arena, vd_status status);

/*
 * Gives back what vd_sp_alloc or a growing array took, `size` being its whole size
 * in bytes. A small allocation stays until the arena ends.
 */
void vd_sp_release(struct vd_sp_arena *arena, void *data, size_t size);

/*
 * Copies `used` bytes of an allocation of `size` bytes to `dst`. A large one's pages are given
 * back while they are read; its content is zero afterwards, and it must still be released.
 */
void vd_sp_drain(void *dst, void *data, size_t used, size_t size);

/* A growing array. Elements move when it grows: keep indexes, not pointers. */
#define VD_SP_VEC(type)       \
    struct {                  \
        type *data;           \
        uint32_t count, room; \
    }

/* Makes `*room` larger; elements that were not there before are not zeroed. */
void vd_sp_vec_grow(struct vd_sp_arena *arena, void **data, uint32_t count, uint32_t *room,
                    size_t size);

/* A pointer to a new element at the end, zeroed. */
#define VD_SP_PUSH(arena, vec)                                                                \
    ((vec)->count == (vec)->room ? vd_sp_vec_grow(arena, (void **)&(vec)->data, (vec)->count, \
                                                  &(vec)->room, sizeof(*(vec)->data))         \
                                 : (void)0,                                                   \
     memset(&(vec)->data[(vec)->count], 0, sizeof(*(vec)->data)), &(vec)->data[(vec)->count++])

/* Empties a growing array and gives its memory back. */
#define VD_SP_VEC_RELEASE(arena, vec)                                               \
    (vd_sp_release(arena, (vec)->data, (size_t)(vec)->room * sizeof(*(vec)->data)), \
     (vec)->data = NULL, (vec)->count = (vec)->room = 0)

#endif
