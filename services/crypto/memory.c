/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Memory that a connection shares with its client, and private memory for copies of it: what
 * decides something, or is read twice, is copied first.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "lib/sys.h"
#include "services/crypto/server.h"

#define SEALS       (F_SEAL_SHRINK | F_SEAL_GROW)
#define ARENA_FIRST (256u << 10)
#define ALIGN       64u

static struct vd_keyd_buffer *find_buffer(struct vd_keyd_conn *c, uint32_t number)
{
    for (uint32_t i = 0; i < VD_KEY_BUFFERS_MAX; i++)
        if (c->buffers[i].data != NULL && c->buffers[i].number == number)
            return &c->buffers[i];
    return NULL;
}

vd_status vd_keyd_part(struct vd_keyd_conn *c, const struct vd_key_part *part,
                       struct vd_alg_bytes *ret, struct vd_diag *diag)
{
    struct vd_keyd_buffer *buffer;

    if (part->buffer == 0) {
        *ret = (struct vd_alg_bytes){part->data, part->size};
        return VD_OK;
    }
    buffer = find_buffer(c, part->buffer);
    if (buffer == NULL)
        return vd_diagf(diag, VD_E_HANDLE, "this connection has no buffer %u", part->buffer);
    if (part->size > buffer->size || part->offset > buffer->size - part->size)
        return vd_diagf(diag, VD_E_RANGE, "%zu bytes at %llu lie outside the buffer of %zu bytes",
                        part->size, (unsigned long long)part->offset, buffer->size);
    *ret = (struct vd_alg_bytes){buffer->data + part->offset, part->size};
    return VD_OK;
}

vd_status vd_keyd_part_private(struct vd_keyd_conn *c, const struct vd_key_part *part,
                               struct vd_alg_bytes *ret, struct vd_diag *diag)
{
    struct vd_alg_bytes shared;
    uint8_t *copy;

    VD_TRY(vd_keyd_part(c, part, &shared, diag));
    if (part->buffer != 0) {
        VD_TRY(vd_keyd_arena_take(c, shared.size, &copy, diag));
        vd_copy(copy, shared.data, shared.size);
        shared.data = copy;
    }
    *ret = shared;
    return VD_OK;
}

/* Takes bytes from what there is for all and from the user's share of it; false: too many. */
static bool take_bytes(_Atomic uint64_t *all, _Atomic uint64_t *user, uint64_t most, uint64_t want)
{
    if (user != NULL && atomic_fetch_add(user, want) + want > most / VD_KEYD_USER_SHARE) {
        atomic_fetch_sub(user, want);
        return false;
    }
    if (atomic_fetch_add(all, want) + want <= most)
        return true;
    atomic_fetch_sub(all, want);
    if (user != NULL)
        atomic_fetch_sub(user, want);
    return false;
}

static void give_bytes(_Atomic uint64_t *all, _Atomic uint64_t *user, uint64_t bytes)
{
    atomic_fetch_sub(all, bytes);
    if (user != NULL)
        atomic_fetch_sub(user, bytes);
}

/* Where the user's bytes are counted; NULL: he has no share but all. */
static struct vd_keyd_user *sharer(const struct vd_keyd_conn *c)
{
    return c->user != NULL && !c->user->own ? c->user : NULL;
}

static bool take_arena(struct vd_keyd_conn *c, uint64_t want)
{
    struct vd_keyd_user *user = sharer(c);

    return take_bytes(&c->server->arena_bytes, user != NULL ? &user->arena_bytes : NULL,
                      VD_KEYD_ARENA_BYTES, want);
}

static void give_arena(struct vd_keyd_conn *c, uint64_t bytes)
{
    struct vd_keyd_user *user = sharer(c);

    give_bytes(&c->server->arena_bytes, user != NULL ? &user->arena_bytes : NULL, bytes);
}

static bool take_mapped(struct vd_keyd_conn *c, uint64_t want)
{
    struct vd_keyd_user *user = sharer(c);

    return take_bytes(&c->server->mapped_bytes, user != NULL ? &user->mapped_bytes : NULL,
                      VD_KEYD_MAPPED_BYTES, want);
}

void vd_keyd_buffer_drop(struct vd_keyd_conn *c, struct vd_keyd_buffer *buffer)
{
    struct vd_keyd_user *user = sharer(c);

    if (buffer->data == NULL)
        return;
    munmap(buffer->data, buffer->size);
    give_bytes(&c->server->mapped_bytes, user != NULL ? &user->mapped_bytes : NULL, buffer->size);
    *buffer = (struct vd_keyd_buffer){};
}

/* A larger arena; pieces that were taken from the one before stay where they are until reset. */
static vd_status grow(struct vd_keyd_conn *c, size_t size, struct vd_diag *diag)
{
    size_t want = size > ARENA_FIRST ? (size + 4095) & ~(size_t)4095 : ARENA_FIRST;
    struct vd_keyd_piece *piece = &c->pieces[c->piece_count];
    void *data;

    if (c->piece_count == VD_KEYD_PIECES)
        return vd_diag_fail(diag, VD_E_BUG, "no place for more private memory");
    if (!take_arena(c, want))
        return vd_diag_fail(diag, VD_E_NO_MEMORY,
                            "too much is worked on at this moment; try again later");
    data = mmap(NULL, want, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED || madvise(data, want, MADV_DONTDUMP) != 0) {
        if (data != MAP_FAILED)
            munmap(data, want);
        give_arena(c, want);
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for the request");
    }
    *piece = (struct vd_keyd_piece){.data = data, .size = want};
    c->piece_count++;
    return VD_OK;
}

vd_status vd_keyd_arena_take(struct vd_keyd_conn *c, size_t size, uint8_t **ret,
                             struct vd_diag *diag)
{
    struct vd_keyd_piece *piece;
    size_t want = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);

    for (uint32_t i = 0; i < c->piece_count; i++) {
        piece = &c->pieces[i];
        if (want <= piece->size - piece->used)
            goto found;
    }
    VD_TRY(grow(c, want, diag));
    piece = &c->pieces[c->piece_count - 1];
found:
    *ret = piece->data + piece->used;
    piece->used += want;
    return VD_OK;
}

static void drop_piece(struct vd_keyd_conn *c, struct vd_keyd_piece *piece)
{
    munmap(piece->data, piece->size);
    give_arena(c, piece->size);
    *piece = (struct vd_keyd_piece){};
}

void vd_keyd_arena_reset(struct vd_keyd_conn *c, bool wipe)
{
    for (uint32_t i = 0; i < c->piece_count; i++) {
        if (wipe)
            vd_wipe(c->pieces[i].data, c->pieces[i].used);
        c->pieces[i].used = 0;
    }
    /* One piece of a moderate size stays. */
    while (c->piece_count > 1 || (c->piece_count == 1 && c->pieces[0].size > VD_KEYD_ARENA_KEPT))
        drop_piece(c, &c->pieces[--c->piece_count]);
}

void vd_keyd_arena_free(struct vd_keyd_conn *c)
{
    vd_keyd_arena_reset(c, true);
    while (c->piece_count != 0)
        drop_piece(c, &c->pieces[--c->piece_count]);
}

static vd_status check_memory(int fd, uint64_t size, struct vd_diag *diag)
{
    int seals = fcntl(fd, F_GET_SEALS);
    struct statfs fs;
    struct stat st;

    if (seals < 0)
        return vd_diag_fail(diag, VD_E_INVALID, "a buffer is a memfd; this descriptor is none");
    if ((seals & SEALS) != SEALS)
        return vd_diag_fail(diag, VD_E_INVALID,
                            "a buffer is sealed against shrinking and growing; this memfd is not");
    if ((seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) != 0)
        return vd_diag_fail(diag, VD_E_INVALID, "a buffer is not sealed against writing");
    /* Huge pages can run out when they are touched, and that would end the process. */
    if (fstat(fd, &st) != 0 || fstatfs(fd, &fs) != 0 || fs.f_type != TMPFS_MAGIC)
        return vd_diag_fail(diag, VD_E_INVALID, "a buffer is a memfd of ordinary pages");
    if ((uint64_t)st.st_size != size)
        return vd_diagf(diag, VD_E_SIZE, "the memfd has %lld bytes, the request says %llu",
                        (long long)st.st_size, (unsigned long long)size);
    if (size == 0 || size > VD_KEY_BUFFER_BYTES)
        return vd_diagf(diag, VD_E_LIMIT, "a buffer has 1 to %u bytes", VD_KEY_BUFFER_BYTES);
    return VD_OK;
}

static vd_status add_buffer(struct vd_keyd_conn *c, int fd, uint64_t size,
                            struct vd_keyd_buffer **ret, struct vd_diag *diag)
{
    struct vd_keyd_buffer *free_one = NULL;
    void *data;

    for (uint32_t i = 0; i < VD_KEY_BUFFERS_MAX && free_one == NULL; i++)
        if (c->buffers[i].data == NULL)
            free_one = &c->buffers[i];
    if (free_one == NULL)
        return vd_diagf(diag, VD_E_LIMIT, "a connection has at most %u buffers",
                        VD_KEY_BUFFERS_MAX);
    VD_TRY(check_memory(fd, size, diag));
    data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (data == MAP_FAILED)
        return vd_sys_errno(diag, errno, "cannot map the buffer", NULL);
    if (!take_mapped(c, size)) {
        munmap(data, size);
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "too many shared buffers at this moment");
    }
    (void)!madvise(data, size, MADV_DONTDUMP);
    *free_one = (struct vd_keyd_buffer){data, size, ++c->numbers};
    *ret = free_one;
    return VD_OK;
}

vd_status vd_keyd_buffer(struct vd_keyd_conn *c, struct vd_keyd_call *call, struct vd_diag *diag)
{
    struct vd_keyd_buffer *buffer = NULL;
    uint32_t number;
    uint64_t size;

    VD_TRY(vd_key_read_u64(&call->in, &size, diag));
    if (call->fd >= 0) {
        VD_TRY(vd_key_read_end(&call->in, diag));
        VD_TRY(add_buffer(c, call->fd, size, &buffer, diag));
        vd_write_le32(&call->out, buffer->number);
        return VD_OK;
    }
    if (size != 0)
        return vd_diag_fail(diag, VD_E_INVALID, "a buffer comes with a descriptor");
    VD_TRY(vd_key_read_u32(&call->in, &number, diag));
    VD_TRY(vd_key_read_end(&call->in, diag));
    buffer = find_buffer(c, number);
    if (buffer == NULL)
        return vd_diagf(diag, VD_E_HANDLE, "this connection has no buffer %u", number);
    vd_keyd_buffer_drop(c, buffer);
    vd_write_le32(&call->out, number);
    return VD_OK;
}
