/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Verbs that tell: keys by name, lists, public parts, the service's state; and the connection's own. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "services/crypto/manage.h"

#define SPEC_MAX  (VD_KEY_NAME_MAX + 3u)
#define PAGE_KEYS 64u
#define INFO_MAX  700u /* bytes of an encoded info, at most */

_Static_assert(VD_KEY_NAME_MAX + 2 * VD_KEY_DOMAIN_MAX + VD_KEY_LABEL_MAX + 128 < INFO_MAX,
               "an info's texts and numbers");

vd_status vd_keyd_hello(struct vd_keyd_conn *c, struct vd_keyd_call *call, struct vd_diag *diag)
{
    uint32_t protocol;

    VD_TRY(vd_key_read_u32(&call->in, &protocol, diag));
    VD_TRY(vd_key_read_end(&call->in, diag));
    if (protocol != VD_KEY_PROTOCOL)
        return vd_diagf(diag, VD_E_VERSION, "protocol %u; this service speaks %u", protocol,
                        VD_KEY_PROTOCOL);
    vd_write_le32(&call->out, VD_KEY_PROTOCOL);
    vd_write_le32(&call->out, c->server->max_clients);
    return VD_OK;
}

static bool hex_id(const char *text, uint8_t ret[VD_KEY_ID_SIZE])
{
    for (size_t i = 0; i < 2 * VD_KEY_ID_SIZE; i++) {
        const char *digits = "0123456789abcdef";
        const char *found = text[i] == '\0' ? NULL : strchr(digits, text[i]);
        if (found == NULL)
            return false;
        ret[i / 2] = (uint8_t)(ret[i / 2] << 4 | (found - digits));
    }
    return text[2 * VD_KEY_ID_SIZE] == '\0';
}

/* "NAME" or "id:HEX". */
static vd_status find_row(struct vd_keyd *s, const char *spec, struct vd_kstore_key *ret,
                          struct vd_diag *diag)
{
    uint8_t id[VD_KEY_ID_SIZE] = {};
    vd_status status;

    if (strncmp(spec, "id:", 3) == 0) {
        if (!hex_id(spec + 3, id))
            return vd_diag_fail(diag, VD_E_INVALID, "an id is id: and 32 hex digits");
        status = vd_kstore_get(s->store, id, ret);
    } else {
        if (!vd_key_name_valid(spec, VD_KEY_NAME_MAX, false))
            return vd_diag_fail(diag, VD_E_INVALID,
                                "a key's name has letters, digits, . _ - and / alone");
        status = vd_kstore_find(s->store, spec, ret);
    }
    return status == VD_OK ? VD_OK : vd_diagf(diag, status, "there is no key \"%s\"", spec);
}

void vd_keyd_info_of(const struct vd_kstore_key *row, struct vd_key_info *ret)
{
    const struct vd_kstore_attributes *a = &row->attributes;
    struct vd_key_attributes *to = &ret->attributes;

    *ret = (struct vd_key_info){.state = (uint8_t)row->state,
                                .versions = row->versions,
                                .created = row->created,
                                .destroy_at = row->destroy_at,
                                .used = row->used,
                                .attached = row->attached,
                                .revision = row->revision};
    vd_copy(to->name, a->name, sizeof(to->name));
    vd_copy(to->domain, a->domain, sizeof(to->domain));
    vd_copy(to->service, a->service, sizeof(to->service));
    vd_copy(to->label, a->label, sizeof(to->label));
    to->type = a->type;
    to->usages = (uint32_t)a->usages;
    to->flags = a->flags;
    to->min_decrypt_version = a->min_decrypt_version;
    to->not_before = a->not_before;
    to->not_after = a->not_after;
    to->usage_limit = a->usage_limit;
    vd_copy(ret->id, row->id, VD_KEY_ID_SIZE);
}

/* A denial names what was asked for; whether it exists is no secret among those who may connect. */
static vd_status view_row(struct vd_keyd_conn *c, const struct vd_keyd_call *call,
                          const struct vd_kstore_key *row, struct vd_diag *diag)
{
    const struct vd_keyd_label *label;
    struct vd_keyd_event event;
    vd_status status;

    VD_TRY(vd_keyd_label(&c->server->keys, row->attributes.label, &label, diag));
    status = vd_keyd_permit(c, c->server->rights[call->verb], label, diag);
    if (status == VD_OK)
        return VD_OK;
    event = vd_keyd_event(c, call->verb, NULL);
    event.name = row->attributes.name;
    event.id = row->id;
    event.label = label->text;
    event.status = status;
    event.detail = diag->text;
    (void)!vd_keyd_audit_put(&c->server->audit, &event, NULL);
    return status;
}

static vd_status read_spec(struct vd_keyd_conn *c, struct vd_keyd_call *call,
                           struct vd_kstore_key *ret, struct vd_diag *diag)
{
    char spec[SPEC_MAX + 1];

    VD_TRY(vd_key_read_text(&call->in, SPEC_MAX, spec, diag));
    VD_TRY(vd_key_read_end(&call->in, diag));
    VD_TRY(find_row(c->server, spec, ret, diag));
    return view_row(c, call, ret, diag);
}

vd_status vd_keyd_open(struct vd_keyd_conn *c, struct vd_keyd_call *call, struct vd_diag *diag)
{
    struct vd_kstore_key row;
    struct vd_key_info info;
    uint32_t handle;

    VD_TRY(read_spec(c, call, &row, diag));
    VD_TRY(vd_keyd_handle_new(c, &row, &handle, diag));
    vd_keyd_info_of(&row, &info);
    vd_write_le32(&call->out, handle);
    vd_key_write_info(&call->out, &info);
    return VD_OK;
}

vd_status vd_keyd_close(struct vd_keyd_conn *c, struct vd_keyd_call *call, struct vd_diag *diag)
{
    uint32_t handle;

    VD_TRY(vd_key_read_u32(&call->in, &handle, diag));
    VD_TRY(vd_key_read_end(&call->in, diag));
    return vd_keyd_handle_close(c, handle, diag);
}

vd_status vd_keyd_show(struct vd_keyd_conn *c, struct vd_keyd_call *call, struct vd_diag *diag)
{
    struct vd_kstore_key row;
    struct vd_key_info info;

    VD_TRY(read_spec(c, call, &row, diag));
    vd_keyd_info_of(&row, &info);
    vd_key_write_info(&call->out, &info);
    vd_write_le32(&call->out, row.versions);
    for (uint32_t i = 1; i <= row.versions; i++) {
        struct vd_kstore_version version;
        struct vd_key_version shown = {.version = i, .destroyed = 1};
        vd_status status = vd_kstore_version(c->server->store, row.id, i, &version);
        if (status == VD_OK) {
            shown.destroyed = version.destroyed;
            shown.created = version.created;
        } else if (status != VD_E_REVOKED) {
            return vd_diagf(diag, status, "version %u cannot be read", i);
        }
        vd_key_write_version(&call->out, &shown);
    }
    return VD_OK;
}

/* Where a list goes on. */
struct place {
    char prefix[VD_KEY_NAME_MAX + 1];
    struct vd_kstore_key after; /* name and id count */
    uint8_t has_after;
    uint16_t count; /* written so far */
};

static vd_status read_place(struct vd_keyd_call *call, struct place *ret, struct vd_diag *diag)
{
    *ret = (struct place){};
    VD_TRY(vd_key_read_text(&call->in, VD_KEY_NAME_MAX, ret->prefix, diag));
    VD_TRY(vd_key_read_u8(&call->in, &ret->has_after, diag));
    if (ret->has_after > 1)
        return vd_diag_fail(diag, VD_E_RANGE, "there is a key before, or there is none");
    if (ret->has_after == 1) {
        VD_TRY(vd_key_read_text(&call->in, VD_KEY_NAME_MAX, ret->after.attributes.name, diag));
        if (vd_read_copy(&call->in, ret->after.id, VD_KEY_ID_SIZE) != VD_OK)
            return vd_diag_fail_at(diag, VD_E_TRUNCATED, vd_reader_offset(&call->in),
                                   "the payload ends too early");
    }
    return vd_key_read_end(&call->in, diag);
}

static bool may_view(struct vd_keyd_conn *c, const struct vd_kstore_key *row)
{
    const struct vd_keyd_label *label;

    return vd_keyd_label(&c->server->keys, row->attributes.label, &label, NULL) == VD_OK &&
           vd_keyd_permit(c, c->server->rights[VD_KEY_LIST], label, NULL) == VD_OK;
}

/* Writes those of a page that the caller may view; true: the answer is full and more follow. */
static bool write_page(struct vd_keyd_conn *c, struct vd_keyd_call *call, struct place *place,
                       const struct vd_kstore_key *keys, size_t count)
{
    struct vd_key_info info;

    for (size_t i = 0; i < count; i++) {
        if (may_view(c, &keys[i])) {
            if (place->count == VD_KEY_LIST_MAX || call->out.size - call->out.len < INFO_MAX)
                return true;
            vd_keyd_info_of(&keys[i], &info);
            vd_key_write_info(&call->out, &info);
            place->count++;
        }
        place->after = keys[i];
        place->has_after = 1;
    }
    return false;
}

vd_status vd_keyd_list(struct vd_keyd_conn *c, struct vd_keyd_call *call, struct vd_diag *diag)
{
    struct vd_kstore_page page = {.max = PAGE_KEYS};
    struct place place;
    struct vd_writer head;
    size_t count = PAGE_KEYS;
    bool more = false;
    vd_status status = VD_OK;

    VD_TRY(read_place(call, &place, diag));
    page.keys = calloc(PAGE_KEYS, sizeof(*page.keys));
    if (page.keys == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for a list");
    page.prefix = place.prefix;
    vd_write_zero(&call->out, 3);
    while (status == VD_OK && count == PAGE_KEYS && !more) {
        page.after = place.has_after ? &place.after : NULL;
        status = vd_kstore_list(c->server->store, &page, &count);
        if (status == VD_OK)
            more = write_page(c, call, &place, page.keys, count);
    }
    free(page.keys);
    if (status != VD_OK)
        return vd_diag_fail(diag, status, "the keys cannot be listed");
    vd_writer_init(&head, call->out.buf, 3);
    vd_write_le16(&head, place.count);
    vd_write_u8(&head, more ? 1 : 0);
    return VD_OK;
}

vd_status vd_keyd_public(struct vd_keyd_conn *c, struct vd_keyd_call *call, struct vd_diag *diag)
{
    uint8_t bytes[VD_ALG_PUBLIC_DER_MAX];
    struct vd_alg_buffer buffer = {.data = bytes, .room = sizeof(bytes)};
    struct vd_keyd_facts facts;
    struct vd_keyd_key *key;
    struct vd_alg_key *alg;
    uint32_t handle, version;
    uint16_t form;
    vd_status status;

    VD_TRY(vd_key_read_u32(&call->in, &handle, diag));
    VD_TRY(vd_key_read_u32(&call->in, &version, diag));
    VD_TRY(vd_key_read_u16(&call->in, &form, diag));
    VD_TRY(vd_key_read_end(&call->in, diag));
    VD_TRY(vd_keyd_handle_find(c, handle, &key, diag));
    vd_keyd_key_facts(key, &facts);
    VD_TRY(vd_keyd_permit_verb(c, VD_KEY_PUBLIC, key, facts.label, diag));
    if (version > facts.versions)
        return vd_diagf(diag, VD_E_NOT_FOUND, "the key has no version %u", version);
    if (form != VD_ALG_FORM_SPKI && form != VD_ALG_FORM_RAW_PUBLIC)
        return vd_diagf(diag, VD_E_MECHANISM, "form %u is not a public key's", form);
    VD_TRY(vd_keyd_key_take(&c->server->keys, key, version == 0 ? facts.versions : version, &alg,
                            diag));
    status = vd_alg_key_public(alg, (enum vd_alg_form)form, &buffer, diag);
    vd_alg_key_free(alg);
    if (status == VD_OK)
        vd_key_write_data(&call->out, bytes, buffer.size);
    return status;
}

vd_status vd_keyd_random(struct vd_keyd_conn *c, struct vd_keyd_call *call, struct vd_diag *diag)
{
    uint32_t size;

    VD_TRY(vd_key_read_u32(&call->in, &size, diag));
    VD_TRY(vd_key_read_end(&call->in, diag));
    if (size == 0 || size > VD_KEY_RANDOM_MAX)
        return vd_diagf(diag, VD_E_LIMIT, "1 to %u random bytes at a time", VD_KEY_RANDOM_MAX);
    if (call->out.size < size + sizeof(size))
        return vd_diag_fail(diag, VD_E_LIMIT, "the answer is larger than the lane");
    VD_TRY(vd_alg_random(c->server->alg, call->out.buf + sizeof(size), size, diag));
    vd_write_le32(&call->out, size);
    call->out.len += size;
    return VD_OK;
}

static uint64_t loaded_count(const _Atomic uint64_t *count)
{
    return atomic_load_explicit(count, memory_order_relaxed);
}

vd_status vd_keyd_status(struct vd_keyd_conn *c, struct vd_keyd_call *call, struct vd_diag *diag)
{
    struct vd_keyd *s = c->server;
    const struct vd_keyd_counts *counts = &s->keys.counts;
    uint64_t values[VD_KEY_STATUS_COUNT];
    struct vd_kstore_status store;

    VD_TRY(vd_key_read_end(&call->in, diag));
    for (uint32_t i = 0; i < VD_KEY_STATUS_COUNT; i++)
        values[i] = loaded_count(&s->counts[i]);
    vd_kstore_status(s->store, &store);
    values[VD_KEY_STAT_KEYS] = store.keys;
    values[VD_KEY_STAT_GENERATION] = store.generation;
    values[VD_KEY_STAT_COUNTER] = store.counter;
    values[VD_KEY_STAT_RESTORED] = store.restored;
    values[VD_KEY_STAT_STORE_FAILED] = (uint64_t)store.failed;
    values[VD_KEY_STAT_ROOT] = s->root_kind;
    values[VD_KEY_STAT_MAC] = s->policy != NULL;
    values[VD_KEY_STAT_AUDIT] = s->audit.ring != NULL;
    pthread_mutex_lock(&s->lock);
    values[VD_KEY_STAT_CLIENTS] = s->conn_count;
    pthread_mutex_unlock(&s->lock);
    values[VD_KEY_STAT_CACHED] = loaded_count(&counts->loaded);
    values[VD_KEY_STAT_CACHE_HITS] = loaded_count(&counts->hits);
    values[VD_KEY_STAT_CACHE_MISSES] = loaded_count(&counts->misses);
    values[VD_KEY_STAT_EXPIRED] = loaded_count(&counts->expired);
    vd_write_le16(&call->out, VD_KEY_STATUS_COUNT);
    for (uint32_t i = 0; i < VD_KEY_STATUS_COUNT; i++)
        vd_write_le64(&call->out, values[i]);
    return VD_OK;
}

vd_status vd_keyd_lane(struct vd_keyd_conn *c, struct vd_keyd_call *call, struct vd_diag *diag)
{
    VD_TRY(vd_key_read_end(&call->in, diag));
    if (c->lane.page != NULL)
        return vd_diag_fail(diag, VD_E_EXISTS, "this connection has its lane already");
    return vd_ipc_lane_new(&c->lane, &call->ret_fd, diag);
}

vd_status vd_keyd_adopt(struct vd_keyd_conn *c, struct vd_keyd_call *call, struct vd_diag *diag)
{
    (void)c;
    (void)call;
    return vd_diag_fail(diag, VD_E_DENIED,
                        "who speaks for whom is the service's to say, never a client's");
}
