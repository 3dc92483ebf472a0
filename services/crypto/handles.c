/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What belongs to one connection: handles of keys, and the end of everything it had. */
#define _GNU_SOURCE
#include <stdlib.h>

#include "lib/diagf.h"
#include "services/crypto/server.h"

#define FIRST_ROOM 16u
#define PLACE_BITS 16u
#define PLACES     (1u << PLACE_BITS)

_Static_assert(VD_KEY_HANDLES_MAX <= PLACES, "a handle's lower half is its place");

static vd_status grow(struct vd_keyd_conn *c, struct vd_diag *diag)
{
    uint32_t room = c->handle_room == 0 ? FIRST_ROOM : 2 * c->handle_room;
    struct vd_keyd_handle *more;

    if (c->handle_room >= VD_KEY_HANDLES_MAX)
        return vd_diagf(diag, VD_E_LIMIT, "a connection has at most %u handles; close some",
                        VD_KEY_HANDLES_MAX);
    more = reallocarray(c->handles, room, sizeof(*more));
    if (more == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for a handle");
    for (uint32_t i = c->handle_room; i < room; i++)
        more[i] = (struct vd_keyd_handle){};
    c->handles = more;
    c->handle_room = room;
    return VD_OK;
}

/* A free place; they are handed out in turn, so that a number comes again as late as possible. */
static vd_status find_place(struct vd_keyd_conn *c, uint32_t *ret, struct vd_diag *diag)
{
    if (c->handle_count == c->handle_room)
        VD_TRY(grow(c, diag));
    for (uint32_t i = 0; i < c->handle_room; i++) {
        uint32_t place = (c->next_place + i) % c->handle_room;
        if (c->handles[place].key == NULL) {
            c->next_place = place + 1;
            *ret = place;
            return VD_OK;
        }
    }
    return vd_diag_fail(diag, VD_E_BUG, "no place for a handle");
}

vd_status vd_keyd_handle_new(struct vd_keyd_conn *c, const struct vd_kstore_key *row, uint32_t *ret,
                             struct vd_diag *diag)
{
    struct vd_keyd_handle *handle;
    struct vd_keyd_key *key;
    uint32_t place;

    VD_TRY(find_place(c, &place, diag));
    VD_TRY(vd_keyd_keys_open(&c->server->keys, row, &key, diag));
    handle = &c->handles[place];
    handle->key = key;
    handle->turn = handle->turn == UINT16_MAX ? 1 : (uint16_t)(handle->turn + 1);
    c->handle_count++;
    *ret = (uint32_t)handle->turn << PLACE_BITS | place;
    return VD_OK;
}

static struct vd_keyd_handle *find(struct vd_keyd_conn *c, uint32_t handle)
{
    uint32_t place = handle % PLACES;

    if (place >= c->handle_room || c->handles[place].key == NULL ||
        c->handles[place].turn != handle >> PLACE_BITS)
        return NULL;
    return &c->handles[place];
}

vd_status vd_keyd_handle_find(struct vd_keyd_conn *c, uint32_t handle, struct vd_keyd_key **ret,
                              struct vd_diag *diag)
{
    struct vd_keyd_handle *found = find(c, handle);

    if (found == NULL)
        return vd_diagf(diag, VD_E_HANDLE, "this connection has no handle %u", handle);
    *ret = found->key;
    return VD_OK;
}

vd_status vd_keyd_handle_close(struct vd_keyd_conn *c, uint32_t handle, struct vd_diag *diag)
{
    struct vd_keyd_handle *found = find(c, handle);

    if (found == NULL)
        return vd_diagf(diag, VD_E_HANDLE, "this connection has no handle %u", handle);
    vd_keyd_key_drop(&c->server->keys, found->key);
    found->key = NULL;
    c->handle_count--;
    return VD_OK;
}

void vd_keyd_conn_clear(struct vd_keyd_conn *c)
{
    for (uint32_t i = 0; i < VD_KEY_STREAMS_MAX; i++)
        vd_keyd_stream_drop(c, &c->streams[i]);
    for (uint32_t i = 0; i < c->handle_room; i++)
        if (c->handles[i].key != NULL)
            vd_keyd_key_drop(&c->server->keys, c->handles[i].key);
    free(c->handles);
    c->handles = NULL;
    c->handle_room = c->handle_count = c->next_place = 0;
    for (uint32_t i = 0; i < VD_KEY_BUFFERS_MAX; i++)
        vd_keyd_buffer_drop(c, &c->buffers[i]);
    vd_keyd_arena_free(c);
    free(c->batch);
    c->batch = NULL;
}
