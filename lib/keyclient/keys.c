/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Keys: opening, making, changing, listing. */
#include "lib/keyclient/internal.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "lib/hash.h"

/* Opening */

struct opening {
    const char *name;
    struct vd_keyclient_key *key;
};

static vd_status open_once(struct vd_keyclient_conn *c, void *ctx, struct vd_diag *diag)
{
    struct opening *o = ctx;
    struct vd_writer w = vd_keyclient_writer(c);
    struct vd_keyclient_request request = {.verb = VD_KEY_OPEN, .w = &w, .fd = -1};
    struct vd_reader r;
    uint32_t handle;

    vd_key_write_text(&w, o->name);
    VD_TRY(vd_keyclient_call(c, &request, &r, diag));
    if (vd_read_le32(&r, &handle) != VD_OK || vd_key_read_info(&r, &o->key->info, NULL) != VD_OK ||
        vd_read_done(&r) != VD_OK)
        return vd_keyclient_wrong(diag);
    vd_copy(o->key->id, "id:", 3);
    vd_hex_encode(o->key->info.id, VD_KEY_ID_SIZE, o->key->id + 3);
    c->handles++;
    o->key->on[c->index].link = c->link;
    o->key->on[c->index].handle = handle;
    return VD_OK;
}

static vd_status check_name(const char *name, struct vd_diag *diag)
{
    if (strnlen(name, VD_KEY_NAME_MAX + 1) <= VD_KEY_NAME_MAX)
        return VD_OK;
    return vd_diagf(diag, VD_E_LIMIT, "a key's name has at most %u bytes", VD_KEY_NAME_MAX);
}

vd_status vd_keyclient_open(struct vd_keyclient *client, const char *name,
                            struct vd_keyclient_key **ret, struct vd_diag *diag)
{
    struct vd_keyclient_key *key;
    struct opening o = {.name = name};
    struct vd_keyclient_job job = {.once = open_once, .ctx = &o};
    vd_status status;

    VD_TRY(check_name(name, diag));
    key = calloc(1, sizeof(*key));
    if (key == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for a key");
    key->client = client;
    o.key = key;
    status = vd_keyclient_run(client, &job, diag);
    if (status != VD_OK) {
        free(key);
        return status;
    }
    *ret = key;
    return VD_OK;
}

/* With the lock. A handle that cannot be noted ends with its connection. */
static void note_closing(struct vd_keyclient_conn *c, uint32_t handle)
{
    if (c->closing_count == c->closing_room) {
        uint32_t room = c->closing_room != 0 ? 2 * c->closing_room : 16;
        uint32_t *larger = realloc(c->closing, room * sizeof(*larger));
        if (larger == NULL)
            return;
        c->closing = larger;
        c->closing_room = room;
    }
    c->closing[c->closing_count++] = handle;
}

void vd_keyclient_key_free(struct vd_keyclient_key *key)
{
    if (key == NULL)
        return;
    vd_keyclient_own(key->client);
    for (uint32_t i = 0; i < VD_KEYCLIENT_CONNECTIONS_MAX; i++) {
        struct vd_keyclient_conn *c = &key->client->conns[i];
        bool mine = false;
        if (key->on[i].link == 0)
            continue;
        pthread_mutex_lock(&key->client->lock);
        if (c->link == key->on[i].link) {
            note_closing(c, key->on[i].handle);
            mine = !c->busy;
            c->busy = true;
        }
        pthread_mutex_unlock(&key->client->lock);
        if (mine)
            vd_keyclient_put(c);
    }
    free(key);
}

const struct vd_key_info *vd_keyclient_key_info(const struct vd_keyclient_key *key)
{
    return &key->info;
}

/* Making */

struct making {
    const struct vd_key_attributes *attributes;
    const struct vd_keyclient_import *import; /* NULL: create */
    uint8_t id[VD_KEY_ID_SIZE];
};

static void write_making(struct vd_writer *w, const void *ctx)
{
    const struct making *m = ctx;

    vd_key_write_attributes(w, m->attributes);
    if (m->import == NULL)
        return;
    vd_write_le16(w, (uint16_t)m->import->form);
    vd_key_write_data(w, m->import->material.data, m->import->material.size);
}

static vd_status read_id(struct vd_reader *r, void *ctx, struct vd_diag *diag)
{
    struct making *m = ctx;

    return vd_read_copy(r, m->id, sizeof(m->id)) == VD_OK ? VD_OK : vd_keyclient_wrong(diag);
}

static vd_status make(struct vd_keyclient *client, struct making *m, uint8_t ret_id[VD_KEY_ID_SIZE],
                      struct vd_diag *diag)
{
    struct vd_keyclient_exchange e = {.verb = m->import != NULL ? VD_KEY_IMPORT : VD_KEY_CREATE,
                                      .slow = true,
                                      .secret = m->import != NULL,
                                      .write = write_making,
                                      .read = read_id,
                                      .ctx = m};

    VD_TRY(vd_keyclient_change(client, &e, diag));
    vd_copy(ret_id, m->id, sizeof(m->id));
    return VD_OK;
}

vd_status vd_keyclient_create(struct vd_keyclient *client,
                              const struct vd_key_attributes *attributes,
                              uint8_t ret_id[VD_KEY_ID_SIZE], struct vd_diag *diag)
{
    struct making m = {.attributes = attributes};

    return make(client, &m, ret_id, diag);
}

vd_status vd_keyclient_import(struct vd_keyclient *client, const struct vd_keyclient_import *from,
                              uint8_t ret_id[VD_KEY_ID_SIZE], struct vd_diag *diag)
{
    struct making m = {.attributes = from->attributes, .import = from};

    if (from->material.size > 32768)
        return vd_diag_fail(diag, VD_E_LIMIT, "no key has more than 32768 bytes");
    return make(client, &m, ret_id, diag);
}

/* Unwrapping: an operation, then attributes. */

struct unwrapping {
    const struct vd_keyclient_op *op;
    const struct vd_key_attributes *attributes;
    uint8_t id[VD_KEY_ID_SIZE];
};

static vd_status unwrap_once(struct vd_keyclient_conn *c, void *ctx, struct vd_diag *diag)
{
    struct unwrapping *u = ctx;
    struct vd_keyclient_request request = {
        .verb = VD_KEY_UNWRAP, .way = VD_KEYCLIENT_SOCKET, .fd = -1};
    struct vd_key_op op = {};
    struct vd_writer w;
    struct vd_reader r;

    VD_TRY(vd_keyclient_handle(c, u->op->key, &op.handle, diag));
    VD_TRY(vd_keyclient_lay_out(c, VD_KEY_UNWRAP, u->op, &op, diag));
    w = vd_keyclient_writer(c);
    vd_key_write_op(&w, &op);
    vd_key_write_attributes(&w, u->attributes);
    request.w = &w;
    VD_TRY(vd_keyclient_call(c, &request, &r, diag));
    if (vd_read_copy(&r, u->id, sizeof(u->id)) != VD_OK || vd_read_done(&r) != VD_OK)
        return vd_keyclient_wrong(diag);
    return VD_OK;
}

vd_status vd_keyclient_unwrap(struct vd_keyclient *client, const struct vd_keyclient_op *op,
                              const struct vd_key_attributes *attributes,
                              uint8_t ret_id[VD_KEY_ID_SIZE], struct vd_diag *diag)
{
    struct unwrapping u = {.op = op, .attributes = attributes};
    struct vd_keyclient_job job = {.once = unwrap_once, .ctx = &u, .changes = true};

    VD_TRY(vd_keyclient_run(client, &job, diag));
    vd_copy(ret_id, u.id, sizeof(u.id));
    return VD_OK;
}

/* Listing */

struct listing {
    const struct vd_keyclient_page *page;
    struct vd_key_info *infos;
    uint16_t count;
    uint8_t more;
};

static void write_listing(struct vd_writer *w, const void *ctx)
{
    const struct listing *l = ctx;

    vd_key_write_text(w, l->page->prefix != NULL ? l->page->prefix : "");
    vd_write_u8(w, l->page->after != NULL);
    if (l->page->after == NULL)
        return;
    vd_key_write_text(w, l->page->after->attributes.name);
    vd_write_bytes(w, l->page->after->id, VD_KEY_ID_SIZE);
}

static vd_status read_listing(struct vd_reader *r, void *ctx, struct vd_diag *diag)
{
    struct listing *l = ctx;

    if (vd_read_le16(r, &l->count) != VD_OK || vd_read_u8(r, &l->more) != VD_OK || l->more > 1 ||
        l->count > VD_KEY_LIST_MAX || (l->count == 0 && l->more != 0))
        return vd_keyclient_wrong(diag);
    for (uint16_t i = 0; i < l->count; i++)
        if (vd_key_read_info(r, &l->infos[i], NULL) != VD_OK)
            return vd_keyclient_wrong(diag);
    return VD_OK;
}

vd_status vd_keyclient_list(struct vd_keyclient *client, struct vd_keyclient_page *page,
                            struct vd_diag *diag)
{
    struct listing l = {.page = page, .infos = page->infos};
    struct vd_keyclient_exchange e = {
        .verb = VD_KEY_LIST, .write = write_listing, .read = read_listing, .ctx = &l};

    if (page->prefix != NULL)
        VD_TRY(check_name(page->prefix, diag));
    VD_TRY(vd_keyclient_ask(client, &e, diag));
    page->count = l.count;
    page->more = l.more != 0;
    return VD_OK;
}

/* Showing */

struct showing {
    const char *name;
    struct vd_keyclient_shown shown;
};

static void write_name(struct vd_writer *w, const void *ctx)
{
    vd_key_write_text(w, ((const struct showing *)ctx)->name);
}

static vd_status read_shown(struct vd_reader *r, void *ctx, struct vd_diag *diag)
{
    struct vd_keyclient_shown *shown = &((struct showing *)ctx)->shown;
    uint32_t count;

    free(shown->versions);
    *shown = (struct vd_keyclient_shown){};
    if (vd_key_read_info(r, &shown->info, NULL) != VD_OK || vd_read_le32(r, &count) != VD_OK ||
        count > VD_KEY_VERSIONS_MAX)
        return vd_keyclient_wrong(diag);
    shown->versions = calloc(count + 1, sizeof(*shown->versions));
    if (shown->versions == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for a key's versions");
    for (uint32_t i = 0; i < count; i++)
        if (vd_key_read_version(r, &shown->versions[i], NULL) != VD_OK)
            return vd_keyclient_wrong(diag);
    shown->version_count = count;
    return VD_OK;
}

vd_status vd_keyclient_show(struct vd_keyclient *client, const char *name,
                            struct vd_keyclient_shown *ret, struct vd_diag *diag)
{
    struct showing s = {.name = name};
    struct vd_keyclient_exchange e = {
        .verb = VD_KEY_SHOW, .write = write_name, .read = read_shown, .ctx = &s};
    vd_status status;

    VD_TRY(check_name(name, diag));
    status = vd_keyclient_ask(client, &e, diag);
    if (status != VD_OK) {
        free(s.shown.versions);
        return status;
    }
    *ret = s.shown;
    return VD_OK;
}

/* Of one key */

static void write_public(struct vd_writer *w, const void *ctx)
{
    const struct vd_keyclient_output *o = ctx;

    vd_write_le32(w, o->version);
    vd_write_le16(w, o->form_or_kind);
}

vd_status vd_keyclient_public(struct vd_keyclient_key *key, uint32_t version, enum vd_alg_form form,
                              struct vd_keyclient_buffer *out, struct vd_diag *diag)
{
    struct vd_keyclient_output o = {.version = version, .form_or_kind = (uint16_t)form, .out = out};
    struct vd_keyclient_exchange e = {.verb = VD_KEY_PUBLIC,
                                      .key = key,
                                      .write = write_public,
                                      .read = vd_keyclient_read_output,
                                      .ctx = &o};

    return vd_keyclient_ask(key->client, &e, diag);
}

static vd_status read_u32(struct vd_reader *r, void *ctx, struct vd_diag *diag)
{
    return vd_read_le32(r, ctx) == VD_OK ? VD_OK : vd_keyclient_wrong(diag);
}

vd_status vd_keyclient_rotate(struct vd_keyclient_key *key, uint32_t *ret_version,
                              struct vd_diag *diag)
{
    uint32_t version = 0;
    struct vd_keyclient_exchange e = {
        .verb = VD_KEY_ROTATE, .slow = true, .key = key, .read = read_u32, .ctx = &version};

    VD_TRY(vd_keyclient_change(key->client, &e, diag));
    *ret_version = version;
    return VD_OK;
}

struct setting {
    uint32_t which;
    const struct vd_key_attributes *attributes;
    struct vd_key_info info;
};

static void write_setting(struct vd_writer *w, const void *ctx)
{
    const struct setting *s = ctx;

    vd_write_le32(w, s->which);
    vd_key_write_attributes(w, s->attributes);
}

static vd_status read_setting(struct vd_reader *r, void *ctx, struct vd_diag *diag)
{
    return vd_key_read_info(r, &((struct setting *)ctx)->info, NULL) == VD_OK
               ? VD_OK
               : vd_keyclient_wrong(diag);
}

vd_status vd_keyclient_set(struct vd_keyclient_key *key, uint32_t which,
                           const struct vd_key_attributes *attributes, struct vd_key_info *ret,
                           struct vd_diag *diag)
{
    struct setting s = {.which = which, .attributes = attributes};
    struct vd_keyclient_exchange e = {
        .verb = VD_KEY_SET, .key = key, .write = write_setting, .read = read_setting, .ctx = &s};

    VD_TRY(vd_keyclient_change(key->client, &e, diag));
    if (ret != NULL)
        *ret = s.info;
    return VD_OK;
}

struct destroying {
    uint32_t version;
    uint64_t grace_s;
    uint64_t at;
};

static void write_destroying(struct vd_writer *w, const void *ctx)
{
    const struct destroying *d = ctx;

    vd_write_le32(w, d->version);
    vd_write_le64(w, d->grace_s);
}

static vd_status read_destroying(struct vd_reader *r, void *ctx, struct vd_diag *diag)
{
    return vd_read_le64(r, &((struct destroying *)ctx)->at) == VD_OK ? VD_OK
                                                                     : vd_keyclient_wrong(diag);
}

vd_status vd_keyclient_destroy(struct vd_keyclient_key *key, uint32_t version, uint64_t grace_s,
                               uint64_t *ret_at, struct vd_diag *diag)
{
    struct destroying d = {.version = version, .grace_s = grace_s};
    struct vd_keyclient_exchange e = {.verb = VD_KEY_DESTROY,
                                      .key = key,
                                      .write = write_destroying,
                                      .read = read_destroying,
                                      .ctx = &d};

    VD_TRY(vd_keyclient_change(key->client, &e, diag));
    if (ret_at != NULL)
        *ret_at = d.at;
    return VD_OK;
}

vd_status vd_keyclient_restore(struct vd_keyclient_key *key, struct vd_diag *diag)
{
    struct vd_keyclient_exchange e = {.verb = VD_KEY_RESTORE, .key = key};

    return vd_keyclient_change(key->client, &e, diag);
}
