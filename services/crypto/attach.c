/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Certificates and other values that belong to keys. */
#define _GNU_SOURCE
#include <string.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "services/crypto/manage.h"

#define PAGE 64u

static void to_row(uint16_t kind, const char *name, struct vd_kstore_attachment *ret)
{
    *ret = (struct vd_kstore_attachment){.kind = kind, .name_size = (uint8_t)strlen(name)};
    vd_copy(ret->name, name, strlen(name));
}

static vd_status read_list(struct vd_keyd_call *call, struct vd_kstore_attach *list,
                           uint16_t *ret_count, struct vd_diag *diag)
{
    struct vd_key_attach attach;
    uint16_t count;

    VD_TRY(vd_key_read_u16(&call->in, &count, diag));
    if (count == 0 || count > VD_KEY_ATTACH_MAX)
        return vd_diagf(diag, VD_E_LIMIT, "1 to %u attachments in a request", VD_KEY_ATTACH_MAX);
    for (uint16_t i = 0; i < count; i++) {
        VD_TRY(vd_key_read_attach(&call->in, &attach, diag));
        list[i] = (struct vd_kstore_attach){.action = (enum vd_kstore_attach_action)attach.action,
                                            .value = attach.value,
                                            .size = attach.size};
        to_row(attach.kind, attach.name, &list[i].what);
    }
    *ret_count = count;
    return vd_key_read_end(&call->in, diag);
}

vd_status vd_keyd_attach(struct vd_keyd_conn *c, struct vd_keyd_call *call, struct vd_diag *diag)
{
    struct vd_kstore_attach list[VD_KEY_ATTACH_MAX];
    struct vd_kstore_attach_change change = {.list = list};
    struct vd_keyd *s = c->server;
    struct vd_keyd_event event;
    struct vd_keyd_facts facts;
    struct vd_keyd_key *key;
    uint32_t handle;
    uint16_t count;
    uint8_t final;
    vd_status status;

    VD_TRY(vd_key_read_u32(&call->in, &handle, diag));
    VD_TRY(vd_key_read_u8(&call->in, &final, diag));
    VD_TRY(read_list(call, list, &count, diag));
    if (final > 1)
        return vd_diag_fail(diag, VD_E_RANGE, "a change may be undone, or it may not");
    VD_TRY(vd_keyd_handle_find(c, handle, &key, diag));
    vd_keyd_key_facts(key, &facts);
    event = vd_keyd_event(c, call->verb, key);
    event.count = count;
    VD_TRY(vd_keyd_manage_begin(c, s->rights[VD_KEY_ATTACH], facts.label, &event, diag));
    change.count = count;
    change.final = final == 1;
    change.now = vd_keyd_now();
    status = vd_kstore_attach(s->store, key->id, &change, diag);
    return vd_keyd_manage_end(c, &event, status, diag);
}

static vd_status find_viewed(struct vd_keyd_conn *c, const struct vd_keyd_call *call,
                             uint32_t handle, struct vd_keyd_key **ret, struct vd_diag *diag)
{
    struct vd_keyd_facts facts;

    VD_TRY(vd_keyd_handle_find(c, handle, ret, diag));
    vd_keyd_key_facts(*ret, &facts);
    return vd_keyd_permit_verb(c, call->verb, *ret, facts.label, diag);
}

vd_status vd_keyd_attached(struct vd_keyd_conn *c, struct vd_keyd_call *call, struct vd_diag *diag)
{
    VD_AUTO(vd_bytes_free) struct vd_bytes value = {};
    char name[VD_KEY_ATTACHMENT_NAME + 1];
    struct vd_kstore_attachment what;
    struct vd_keyd_key *key;
    uint32_t handle;
    uint16_t kind;

    VD_TRY(vd_key_read_u32(&call->in, &handle, diag));
    VD_TRY(vd_key_read_u16(&call->in, &kind, diag));
    VD_TRY(vd_key_read_text(&call->in, VD_KEY_ATTACHMENT_NAME, name, diag));
    VD_TRY(vd_key_read_end(&call->in, diag));
    VD_TRY(find_viewed(c, call, handle, &key, diag));
    to_row(kind, name, &what);
    VD_TRY(vd_kstore_attached(c->server->store, key->id, &what, &value, diag));
    vd_key_write_data(&call->out, value.data, value.size);
    return VD_OK;
}

/* Where a list of attachments goes on. */
struct place {
    uint16_t kind; /* 0: all */
    bool has_after;
    struct vd_kstore_attachment after;
    uint16_t count;
};

static vd_status read_place(struct vd_keyd_call *call, struct place *ret, struct vd_diag *diag)
{
    char name[VD_KEY_ATTACHMENT_NAME + 1];
    uint16_t kind;
    uint8_t has_after;

    *ret = (struct place){};
    VD_TRY(vd_key_read_u16(&call->in, &ret->kind, diag));
    VD_TRY(vd_key_read_u8(&call->in, &has_after, diag));
    if (ret->kind >= VD_KEY_ATTACH_COUNT || has_after > 1)
        return vd_diag_fail(diag, VD_E_RANGE,
                            "there is no such kind of attachment, or no such page");
    if (has_after == 1) {
        VD_TRY(vd_key_read_u16(&call->in, &kind, diag));
        VD_TRY(vd_key_read_text(&call->in, VD_KEY_ATTACHMENT_NAME, name, diag));
        to_row(kind, name, &ret->after);
    } else if (ret->kind > 1) {
        /* Behind everything of the kinds before. */
        ret->after = (struct vd_kstore_attachment){.kind = (uint16_t)(ret->kind - 1),
                                                   .name_size = VD_KSTORE_ATTACH_NAME_MAX};
        memset(ret->after.name, 0xff, sizeof(ret->after.name));
    }
    ret->has_after = has_after == 1 || ret->kind > 1;
    return vd_key_read_end(&call->in, diag);
}

/* True: no more are wanted, or the answer is full and `*ret_more` says so. */
static bool write_page(struct vd_keyd_call *call, struct place *place,
                       const struct vd_kstore_attachment *list, size_t count, bool *ret_more)
{
    for (size_t i = 0; i < count; i++) {
        if (place->kind != 0 && list[i].kind != place->kind)
            return true;
        if (call->out.size - call->out.len < 4 + VD_KSTORE_ATTACH_NAME_MAX ||
            place->count == UINT16_MAX) {
            *ret_more = true;
            return true;
        }
        vd_write_le16(&call->out, list[i].kind);
        vd_write_le16(&call->out, list[i].name_size);
        vd_write_bytes(&call->out, list[i].name, list[i].name_size);
        place->count++;
        place->after = list[i];
        place->has_after = true;
    }
    return false;
}

vd_status vd_keyd_attachments(struct vd_keyd_conn *c, struct vd_keyd_call *call,
                              struct vd_diag *diag)
{
    struct vd_kstore_attachment list[PAGE];
    struct vd_kstore_attach_page page = {.list = list, .max = PAGE};
    struct place place;
    struct vd_keyd_key *key;
    struct vd_writer head;
    size_t count = PAGE;
    bool more = false, end = false;
    uint32_t handle;

    VD_TRY(vd_key_read_u32(&call->in, &handle, diag));
    VD_TRY(read_place(call, &place, diag));
    VD_TRY(find_viewed(c, call, handle, &key, diag));
    vd_write_zero(&call->out, 3);
    while (count == PAGE && !end) {
        vd_status status;
        page.after = place.has_after ? &place.after : NULL;
        status = vd_kstore_attachments(c->server->store, key->id, &page, &count);
        if (status != VD_OK)
            return vd_diag_fail(diag, status, "the attachments cannot be listed");
        end = write_page(call, &place, list, count, &more);
    }
    vd_writer_init(&head, call->out.buf, 3);
    vd_write_le16(&head, place.count);
    vd_write_u8(&head, more ? 1 : 0);
    return VD_OK;
}
