/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/sepolicy/memory.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_SIZE ((size_t)1 << 20)

struct vd_sp_chunk {
    struct vd_sp_chunk *next;
    uint64_t reserved; /* keeps the content aligned to 16 */
};

void vd_sp_arena_done(struct vd_sp_arena *arena)
{
    while (arena->chunks != NULL) {
        struct vd_sp_chunk *next = arena->chunks->next;

        free(arena->chunks);
        arena->chunks = next;
    }
    arena->at = arena->end = NULL;
    arena->used = 0;
}

void vd_sp_escape(struct vd_sp_arena *arena, vd_status status)
{
    arena->status = status;
    longjmp(arena->escape, 1);
}

static void *chunk_new(struct vd_sp_arena *arena, size_t content)
{
    size_t size = content + sizeof(struct vd_sp_chunk);
    struct vd_sp_chunk *chunk;

    if (content > arena->max || size > arena->max - arena->used)
        vd_sp_escape(arena, VD_E_LIMIT);
    chunk = calloc(1, size);
    if (chunk == NULL)
        vd_sp_escape(arena, VD_E_NO_MEMORY);
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    arena->used += size;
    return chunk + 1;
}

void *vd_sp_alloc(struct vd_sp_arena *arena, size_t size)
{
    void *ret;

    if (size > SIZE_MAX / 2)
        vd_sp_escape(arena, VD_E_LIMIT);
    size = (size + 7) & ~(size_t)7;
    if (size > CHUNK_SIZE / 4)
        return chunk_new(arena, size); /* a chunk of its own; the open one stays open */
    if (size > (size_t)(arena->end - arena->at)) {
        arena->at = chunk_new(arena, CHUNK_SIZE);
        arena->end = arena->at + CHUNK_SIZE;
    }
    ret = arena->at;
    arena->at += size;
    return ret;
}

void *vd_sp_alloc_array(struct vd_sp_arena *arena, size_t count, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(count, size, &total))
        vd_sp_escape(arena, VD_E_LIMIT);
    return vd_sp_alloc(arena, total);
}

void vd_sp_vec_grow(struct vd_sp_arena *arena, void **data, uint32_t count, uint32_t *room,
                    size_t size)
{
    uint32_t wanted = *room < 8 ? 8 : *room * 2;
    void *grown;

    if (*room > UINT32_MAX / 2)
        vd_sp_escape(arena, VD_E_LIMIT);
    grown = vd_sp_alloc_array(arena, wanted, size);
    if (count > 0)
        memcpy(grown, *data, count * size);
    *data = grown;
    *room = wanted;
}
