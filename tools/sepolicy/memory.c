/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE 1
#include "tools/sepolicy/memory.h"

#include <string.h>
#include <sys/mman.h>

#define CHUNK_SIZE ((size_t)1 << 20)
#define LARGE      (CHUNK_SIZE / 4) /* larger allocations have a chunk of their own */
#define PAGE       ((size_t)4096)

/*
 * Chunks are mappings of their own, not the heap's: pages that were never
 * touched cost nothing, a large one grows without a copy, and what is given
 * back is given back.
 */

struct vd_sp_chunk {
    struct vd_sp_chunk *next, *prev;
    size_t size;       /* with this head */
    uint64_t reserved; /* keeps the content aligned to 16 */
};

#define CHUNK_CONTENT (CHUNK_SIZE - sizeof(struct vd_sp_chunk))

void vd_sp_arena_done(struct vd_sp_arena *arena)
{
    while (arena->chunks != NULL) {
        struct vd_sp_chunk *next = arena->chunks->next;

        (void)munmap(arena->chunks, arena->chunks->size);
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

static void *chunk_link(struct vd_sp_arena *arena, struct vd_sp_chunk *chunk, size_t size)
{
    chunk->size = size;
    chunk->prev = NULL;
    chunk->next = arena->chunks;
    if (chunk->next != NULL)
        chunk->next->prev = chunk;
    arena->chunks = chunk;
    arena->used += size;
    return chunk + 1;
}

static void chunk_unlink(struct vd_sp_arena *arena, struct vd_sp_chunk *chunk)
{
    if (chunk->next != NULL)
        chunk->next->prev = chunk->prev;
    if (chunk->prev != NULL)
        chunk->prev->next = chunk->next;
    else
        arena->chunks = chunk->next;
    arena->used -= chunk->size;
}

static size_t chunk_size(struct vd_sp_arena *arena, size_t content, size_t released)
{
    size_t size = content + sizeof(struct vd_sp_chunk);

    if (content > arena->max || size > arena->max - (arena->used - released))
        vd_sp_escape(arena, VD_E_LIMIT);
    return (size + PAGE - 1) & ~(PAGE - 1);
}

static void *chunk_new(struct vd_sp_arena *arena, size_t content)
{
    size_t size = chunk_size(arena, content, 0);
    struct vd_sp_chunk *chunk =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (chunk == MAP_FAILED)
        vd_sp_escape(arena, VD_E_NO_MEMORY);
    return chunk_link(arena, chunk, size);
}

/* A large allocation with another size. */
static void *chunk_resize(struct vd_sp_arena *arena, void *content, size_t wanted)
{
    struct vd_sp_chunk *chunk = (struct vd_sp_chunk *)content - 1;
    size_t size = chunk_size(arena, wanted, chunk->size);
    struct vd_sp_chunk *moved;

    chunk_unlink(arena, chunk);
    moved = mremap(chunk, chunk->size, size, MREMAP_MAYMOVE);
    if (moved == MAP_FAILED) {
        (void)chunk_link(arena, chunk, chunk->size);
        vd_sp_escape(arena, VD_E_NO_MEMORY);
    }
    return chunk_link(arena, moved, size);
}

void vd_sp_release(struct vd_sp_arena *arena, void *data, size_t size)
{
    struct vd_sp_chunk *chunk;

    if (data == NULL || size <= LARGE)
        return;
    chunk = (struct vd_sp_chunk *)data - 1;
    chunk_unlink(arena, chunk);
    (void)munmap(chunk, chunk->size);
}

void vd_sp_drain(void *dst, void *data, size_t used, size_t size)
{
    uint8_t *from = data, *to = dst;

    while (size > LARGE && used > CHUNK_SIZE) {
        /* The head of the chunk lies in the page before the first whole one. */
        uintptr_t first = ((uintptr_t)from + PAGE - 1) & ~(PAGE - 1);
        uintptr_t end = ((uintptr_t)from + CHUNK_SIZE) & ~(PAGE - 1);

        memcpy(to, from, CHUNK_SIZE);
        (void)madvise((void *)first, end - first, MADV_DONTNEED);
        from += CHUNK_SIZE;
        to += CHUNK_SIZE;
        used -= CHUNK_SIZE;
    }
    memcpy(to, from, used);
}

void *vd_sp_alloc(struct vd_sp_arena *arena, size_t size)
{
    void *ret;

    if (size > SIZE_MAX / 2)
        vd_sp_escape(arena, VD_E_LIMIT);
    size = (size + 7) & ~(size_t)7;
    if (size > LARGE)
        return chunk_new(arena, size); /* the open chunk stays open */
    if (size > (size_t)(arena->end - arena->at)) {
        arena->at = chunk_new(arena, CHUNK_CONTENT);
        arena->end = arena->at + CHUNK_CONTENT;
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
    size_t total;

    if (*room > UINT32_MAX / 2 || __builtin_mul_overflow(wanted, size, &total) ||
        total > SIZE_MAX / 2)
        vd_sp_escape(arena, VD_E_LIMIT);
    if (*room * size > LARGE) {
        *data = chunk_resize(arena, *data, (total + 7) & ~(size_t)7);
    } else {
        void *grown = vd_sp_alloc(arena, total);

        if (count > 0)
            memcpy(grown, *data, count * size);
        *data = grown;
    }
    *room = wanted;
}
