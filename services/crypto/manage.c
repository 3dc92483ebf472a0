/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "services/crypto/manage.h"

#include <string.h>

#include "core/base/mem.h"
#include "lib/diagf.h"

vd_status vd_keyd_manage_begin(struct vd_keyd_conn *c, uint32_t right,
                               const struct vd_keyd_label *label, struct vd_keyd_event *event,
                               struct vd_diag *diag)
{
    vd_status status = vd_keyd_permit(c, right, label, diag);

    event->label = label->text;
    if (status != VD_OK) {
        event->status = status;
        event->detail = diag->text;
        (void)!vd_keyd_audit_put(&c->server->audit, event, NULL);
        return status;
    }
    event->begun = true;
    VD_TRY(vd_keyd_audit_put(&c->server->audit, event, diag));
    event->begun = false;
    return VD_OK;
}

vd_status vd_keyd_manage_end(struct vd_keyd_conn *c, struct vd_keyd_event *event, vd_status status,
                             struct vd_diag *diag)
{
    vd_status recorded;

    event->status = status;
    if (status != VD_OK)
        event->detail = diag->text;
    recorded = vd_keyd_audit_put(&c->server->audit, event, NULL);
    if (recorded == VD_OK)
        recorded = vd_keyd_audit_flush(&c->server->audit, NULL);
    if (status == VD_OK && recorded != VD_OK)
        return vd_diag_fail(diag, VD_E_NOT_RECORDED,
                            "it was begun and recorded so, but that it was done is not on the "
                            "audit daemon's disk: look before you do it again");
    return status;
}

static uint32_t standard_usages(const struct vd_alg_info *info)
{
    uint32_t special = VD_ALG_WRAP | VD_ALG_UNWRAP | VD_ALG_ENCRYPT_OWN_NONCE | VD_ALG_CERTIFY;

    /* A key that signs does not agree on secrets too, unless that is wanted. */
    if ((info->usages & VD_ALG_SIGN) != 0)
        special |= VD_ALG_DERIVE;
    return info->usages & ~special;
}

/* What lets one take out by decrypting what was wrapped. */
static bool usages_conflict(uint32_t usages)
{
    return (usages & (VD_ALG_WRAP | VD_ALG_UNWRAP)) != 0 &&
           (usages & (VD_ALG_ENCRYPT | VD_ALG_DECRYPT | VD_ALG_ENCRYPT_OWN_NONCE)) != 0;
}

static vd_status check_usages(uint16_t type, uint32_t usages, struct vd_diag *diag)
{
    const struct vd_alg_info *info = vd_alg_info((enum vd_alg_type)type);
    uint32_t wrong = usages & ~info->usages;

    if (wrong != 0)
        return vd_diagf(diag, VD_E_KEY_USAGE, "a key of type %s is not for %s", info->name,
                        vd_alg_usage_name(wrong & -wrong));
    if (usages == 0)
        return vd_diag_fail(diag, VD_E_KEY_USAGE, "a key has at least one usage");
    if (usages_conflict(usages))
        return vd_diag_fail(diag, VD_E_KEY_USAGE,
                            "a key that wraps others does not encrypt or decrypt data: what it "
                            "wrapped could be read so");
    return VD_OK;
}

static vd_status check_times(uint64_t not_before, uint64_t not_after, struct vd_diag *diag)
{
    if (not_before > VD_KSTORE_TIME_MAX || not_after > VD_KSTORE_TIME_MAX)
        return vd_diag_fail(diag, VD_E_RANGE, "a time is too large");
    if (not_after != 0 && not_after < not_before)
        return vd_diag_fail(diag, VD_E_RANGE, "the key would end before it begins");
    return VD_OK;
}

static void copy_text(char *to, const char *from, const char *standard)
{
    const char *text = from[0] != '\0' ? from : standard;

    vd_copy(to, text, strlen(text) + 1);
}

vd_status vd_keyd_attributes(const struct vd_keyd *s, const struct vd_key_attributes *from,
                             struct vd_kstore_attributes *ret, struct vd_diag *diag)
{
    const struct vd_alg_info *info = vd_alg_info((enum vd_alg_type)from->type);

    if (info == NULL)
        return vd_diagf(diag, VD_E_KEY_TYPE, "there is no type of key with the number %u",
                        from->type);
    if (from->name[0] == '\0')
        return vd_diag_fail(diag, VD_E_INVALID, "a key has a name");
    if (from->min_decrypt_version > 1)
        return vd_diag_fail(diag, VD_E_RANGE, "a new key has version 1 alone");
    *ret = (struct vd_kstore_attributes){
        .type = from->type,
        .min_decrypt_version = 1,
        .flags = from->flags,
        .usages = from->usages != 0 ? from->usages : standard_usages(info),
        .not_before = from->not_before,
        .not_after = from->not_after,
        .usage_limit = from->usage_limit,
    };
    copy_text(ret->name, from->name, "");
    copy_text(ret->domain, from->domain, "default");
    copy_text(ret->service, from->service, "default");
    copy_text(ret->label, from->label, s->label);
    VD_TRY(check_usages(from->type, (uint32_t)ret->usages, diag));
    return check_times(from->not_before, from->not_after, diag);
}

/* The bytes that the store keeps of a key. */
struct stored {
    struct vd_secret material;
    uint8_t der[VD_ALG_PUBLIC_DER_MAX];
    struct vd_kstore_new row;
};

static void stored_done(struct stored *stored)
{
    vd_secret_done(&stored->material);
}

static vd_status to_store(const struct vd_alg_key *key, struct stored *ret, struct vd_diag *diag)
{
    struct vd_alg_buffer der = {.data = ret->der, .room = sizeof(ret->der)};

    if (!vd_alg_key_is_public(key))
        VD_TRY(vd_alg_key_secret(key, &ret->material, diag));
    if (vd_alg_key_info(key)->has_public)
        VD_TRY(vd_alg_key_public(key, VD_ALG_FORM_SPKI, &der, diag));
    ret->row.material = &ret->material;
    ret->row.public_part = ret->der;
    ret->row.public_size = der.size;
    ret->row.now = vd_keyd_now();
    return VD_OK;
}

vd_status vd_keyd_store_key(struct vd_keyd *s, const struct vd_kstore_attributes *attributes,
                            const struct vd_alg_key *key, uint8_t ret_id[VD_KEY_ID_SIZE],
                            struct vd_diag *diag)
{
    VD_AUTO(stored_done) struct stored stored = {};
    uint8_t id[1][VD_KEY_ID_SIZE];

    VD_TRY(to_store(key, &stored, diag));
    stored.row.attributes = attributes;
    VD_TRY(vd_kstore_create(s->store, &stored.row, 1, id, diag));
    vd_copy(ret_id, id[0], VD_KEY_ID_SIZE);
    return VD_OK;
}

/* The caller's name is not taken, as far as one can tell before the work. */
static vd_status check_name(struct vd_keyd *s, const char *name, struct vd_diag *diag)
{
    struct vd_kstore_key row;

    if (vd_kstore_find(s->store, name, &row) == VD_OK && row.state != VD_KSTORE_DESTROYED)
        return vd_diagf(diag, VD_E_EXISTS, "there is a key \"%s\" already", name);
    return VD_OK;
}

static vd_status make(struct vd_keyd *s, const struct vd_kstore_attributes *attributes,
                      const struct vd_alg_import *from, uint8_t ret_id[VD_KEY_ID_SIZE],
                      struct vd_diag *diag)
{
    const struct vd_keyd_label *label;
    struct vd_alg_key *key = NULL;
    vd_status status = check_name(s, attributes->name, diag);

    if (status == VD_OK)
        status = vd_keyd_label(&s->keys, attributes->label, &label, diag);
    if (status == VD_OK)
        status = from != NULL
                     ? vd_alg_key_import(s->alg, from, &key, diag)
                     : vd_alg_key_generate(s->alg, (enum vd_alg_type)attributes->type, &key, diag);
    if (status == VD_OK)
        status = vd_keyd_store_key(s, attributes, key, ret_id, diag);
    vd_alg_key_free(key);
    return status;
}

/* Creates or imports. */
static vd_status add(struct vd_keyd_conn *c, struct vd_keyd_call *call,
                     const struct vd_key_attributes *wanted, const struct vd_alg_import *from,
                     struct vd_diag *diag)
{
    struct vd_keyd *s = c->server;
    struct vd_keyd_event event = vd_keyd_event(c, call->verb, NULL);
    const struct vd_keyd_label *label;
    struct vd_kstore_attributes attributes;
    uint8_t id[VD_KEY_ID_SIZE] = {};
    vd_status status;

    VD_TRY(vd_keyd_attributes(s, wanted, &attributes, diag));
    VD_TRY(vd_keyd_label_try(&s->keys, attributes.label, &label, diag));
    event.name = attributes.name;
    status = vd_keyd_manage_begin(c, s->rights[call->verb], label, &event, diag);
    vd_keyd_label_drop(&s->keys, label);
    VD_TRY(status);
    event.label = attributes.label;
    status = make(s, &attributes, from, id, diag);
    event.id = status == VD_OK ? id : NULL;
    VD_TRY(vd_keyd_manage_end(c, &event, status, diag));
    vd_write_bytes(&call->out, id, sizeof(id));
    return VD_OK;
}

vd_status vd_keyd_create(struct vd_keyd_conn *c, struct vd_keyd_call *call, struct vd_diag *diag)
{
    struct vd_key_attributes wanted;

    VD_TRY(vd_key_read_attributes(&call->in, &wanted, diag));
    VD_TRY(vd_key_read_end(&call->in, diag));
    return add(c, call, &wanted, NULL, diag);
}

vd_status vd_keyd_import(struct vd_keyd_conn *c, struct vd_keyd_call *call, struct vd_diag *diag)
{
    struct vd_alg_import from = {};
    struct vd_key_attributes wanted;
    const uint8_t *data;
    uint16_t form;
    size_t size;

    VD_TRY(vd_key_read_attributes(&call->in, &wanted, diag));
    VD_TRY(vd_key_read_u16(&call->in, &form, diag));
    VD_TRY(vd_key_read_data(&call->in, &data, &size, diag));
    VD_TRY(vd_key_read_end(&call->in, diag));
    if (form == 0 || form >= VD_ALG_FORM_COUNT)
        return vd_diagf(diag, VD_E_MECHANISM, "there is no form %u of key material", form);
    from.type = (enum vd_alg_type)wanted.type;
    from.form = (enum vd_alg_form)form;
    from.material = (struct vd_alg_bytes){data, size};
    return add(c, call, &wanted, &from, diag);
}

/* A change of a key that a handle names. */
struct change {
    struct vd_keyd_key *key;
    struct vd_keyd_facts facts;
    struct vd_keyd_event event;
    uint32_t destroyed; /* this version alone; 0: none */
};

static vd_status begin(struct vd_keyd_conn *c, const struct vd_keyd_call *call, uint32_t handle,
                       struct change *ret, struct vd_diag *diag)
{
    VD_TRY(vd_keyd_handle_find(c, handle, &ret->key, diag));
    vd_keyd_key_facts(ret->key, &ret->facts);
    ret->event = vd_keyd_event(c, call->verb, ret->key);
    ret->destroyed = 0;
    return vd_keyd_manage_begin(c, c->server->rights[call->verb], ret->facts.label, &ret->event,
                                diag);
}

/* From here to the end nobody else changes or loads the key. */
static void lock(struct change *change)
{
    pthread_mutex_lock(&change->key->lock);
    vd_keyd_key_facts(change->key, &change->facts);
}

/* That version, of which the change was the destruction, is no more. */
static bool is_destroyed(const struct vd_keyd *s, const struct change *change)
{
    struct vd_kstore_version version;

    return change->destroyed != 0 &&
           (vd_kstore_version(s->store, change->key->id, change->destroyed, &version) != VD_OK ||
            version.destroyed);
}

/* Everybody sees the change from here on. */
static vd_status end(struct vd_keyd_conn *c, struct change *change, vd_status status,
                     struct vd_diag *diag)
{
    struct vd_keyd *s = c->server;
    struct vd_keyd_facts facts;

    /* Also after a failure: it may have been one after the commit. */
    (void)!vd_keyd_key_refresh(&s->keys, change->key, NULL);
    vd_keyd_key_facts(change->key, &facts);
    vd_keyd_key_forget(&s->keys, change->key, 0);
    pthread_mutex_unlock(&change->key->lock);
    if (facts.state != VD_KEY_ACTIVE)
        vd_keyd_end_streams(s, change->key, 0);
    else if (is_destroyed(s, change))
        vd_keyd_end_streams(s, change->key, change->destroyed);
    return vd_keyd_manage_end(c, &change->event, status, diag);
}

static vd_status check_active(const struct change *change, struct vd_diag *diag)
{
    if (change->facts.state != VD_KEY_ACTIVE)
        return vd_diag_fail(diag, VD_E_REVOKED, "the key is destroyed, or is to be");
    return VD_OK;
}

/* The new version is made before the key is locked: RSA takes its time. */
static vd_status make_version(struct vd_keyd *s, const struct change *change, struct stored *ret,
                              struct vd_diag *diag)
{
    struct vd_alg_key *key = NULL;
    vd_status status = check_active(change, diag);

    if (status == VD_OK)
        status = vd_alg_key_generate(s->alg, (enum vd_alg_type)change->facts.type, &key, diag);
    if (status == VD_OK)
        status = to_store(key, ret, diag);
    vd_alg_key_free(key);
    return status;
}

vd_status vd_keyd_rotate(struct vd_keyd_conn *c, struct vd_keyd_call *call, struct vd_diag *diag)
{
    VD_AUTO(stored_done) struct stored stored = {};
    struct change change;
    uint32_t handle, version = 0;
    vd_status status;

    VD_TRY(vd_key_read_u32(&call->in, &handle, diag));
    VD_TRY(vd_key_read_end(&call->in, diag));
    VD_TRY(begin(c, call, handle, &change, diag));
    status = make_version(c->server, &change, &stored, diag);
    lock(&change);
    if (status == VD_OK)
        status = vd_kstore_rotate(c->server->store, change.key->id, &stored.row, &version, diag);
    change.event.version = version;
    VD_TRY(end(c, &change, status, diag));
    vd_write_le32(&call->out, version);
    return VD_OK;
}

/* One attribute after the other: what may change, and how. */
static vd_status merge(const struct change *change, uint32_t which,
                       const struct vd_key_attributes *wanted, struct vd_kstore_attributes *inout,
                       struct vd_diag *diag)
{
    if ((change->facts.flags & VD_KEY_FIXED) != 0)
        return vd_diag_fail(diag, VD_E_DENIED, "the key is fixed: its attributes never change");
    if ((which & VD_KEY_SET_FLAGS) != 0) {
        if ((inout->flags & ~wanted->flags) != 0)
            return vd_diag_fail(diag, VD_E_DENIED, "a flag of a key is never taken back");
        inout->flags = wanted->flags;
    }
    if ((which & VD_KEY_SET_USAGES) != 0) {
        if ((wanted->usages & ~(uint32_t)inout->usages) != 0)
            return vd_diag_fail(diag, VD_E_DENIED, "a key never gets a usage that it did not have");
        VD_TRY(check_usages(inout->type, wanted->usages, diag));
        inout->usages = wanted->usages;
    }
    if ((which & VD_KEY_SET_NOT_BEFORE) != 0)
        inout->not_before = wanted->not_before;
    if ((which & VD_KEY_SET_NOT_AFTER) != 0)
        inout->not_after = wanted->not_after;
    if ((which & VD_KEY_SET_USAGE_LIMIT) != 0)
        inout->usage_limit = wanted->usage_limit;
    if ((which & VD_KEY_SET_MIN_DECRYPT) != 0)
        inout->min_decrypt_version =
            wanted->min_decrypt_version == 0 ? 1 : wanted->min_decrypt_version;
    if (inout->min_decrypt_version > change->facts.versions)
        return vd_diagf(diag, VD_E_RANGE, "the key has %u versions", change->facts.versions);
    if ((which & VD_KEY_SET_LABEL) != 0 && wanted->label[0] != '\0')
        copy_text(inout->label, wanted->label, "");
    return check_times(inout->not_before, inout->not_after, diag);
}

vd_status vd_keyd_permit_label(struct vd_keyd_conn *c, uint32_t right, const char *text,
                               struct vd_diag *diag)
{
    struct vd_keyd_keys *keys = &c->server->keys;
    const struct vd_keyd_label *label;
    vd_status status;

    VD_TRY(vd_keyd_label_try(keys, text, &label, diag));
    status = vd_keyd_permit(c, right, label, diag);
    vd_keyd_label_drop(keys, label);
    VD_TRY(status);
    return vd_keyd_label(keys, text, &label, diag);
}

static vd_status set(struct vd_keyd_conn *c, struct change *change, uint32_t which,
                     const struct vd_key_attributes *wanted, struct vd_diag *diag)
{
    struct vd_keyd *s = c->server;
    struct vd_kstore_key row;

    VD_TRY(check_active(change, diag));
    VD_TRY(vd_kstore_get(s->store, change->key->id, &row));
    VD_TRY(merge(change, which, wanted, &row.attributes, diag));
    if ((which & VD_KEY_SET_LABEL) != 0)
        /* A key is given away only by one who might have made it there. */
        VD_TRY(vd_keyd_permit_label(c, s->rights[VD_KEY_CREATE], row.attributes.label, diag));
    if ((which & VD_KEY_SET_USAGE_LIMIT) != 0)
        vd_keyd_key_settle(&s->keys, change->key);
    return vd_kstore_set(s->store, change->key->id, &row.attributes, vd_keyd_now(), diag);
}

/* For the record: which attributes were changed. */
static void name_changes(uint32_t which, char *ret, size_t size)
{
    static const char *const names[] = {"label",     "usages",      "flags",      "not-before",
                                        "not-after", "usage-limit", "min-decrypt"};
    struct vd_text text;

    vd_text_init(&text, ret, size);
    for (uint32_t i = 0; i < VD_COUNT(names); i++) {
        if ((which >> i & 1) == 0)
            continue;
        if (text.len != 0)
            vd_text_str(&text, " ");
        vd_text_str(&text, names[i]);
    }
}

vd_status vd_keyd_set(struct vd_keyd_conn *c, struct vd_keyd_call *call, struct vd_diag *diag)
{
    struct vd_key_attributes wanted;
    struct vd_kstore_key row;
    struct vd_key_info info;
    struct change change;
    uint32_t handle, which;
    char names[96];
    vd_status status;

    VD_TRY(vd_key_read_u32(&call->in, &handle, diag));
    VD_TRY(vd_key_read_u32(&call->in, &which, diag));
    VD_TRY(vd_key_read_attributes(&call->in, &wanted, diag));
    VD_TRY(vd_key_read_end(&call->in, diag));
    if (which == 0 || (which & ~(uint32_t)VD_KEY_SET_ALL) != 0)
        return vd_diag_fail(diag, VD_E_RESERVED, "what is to be set is not known");
    name_changes(which, names, sizeof(names));
    VD_TRY(begin(c, call, handle, &change, diag));
    change.event.detail = names;
    lock(&change);
    status = set(c, &change, which, &wanted, diag);
    VD_TRY(end(c, &change, status, diag));
    VD_TRY(vd_kstore_get(c->server->store, change.key->id, &row));
    vd_keyd_info_of(&row, &info);
    vd_key_write_info(&call->out, &info);
    return VD_OK;
}

static vd_status destroy(struct vd_keyd *s, const struct change *change, uint32_t version,
                         uint64_t *inout_time, struct vd_diag *diag)
{
    uint64_t now = vd_kstore_now(s->store, vd_keyd_now());
    uint64_t at = now + *inout_time;
    size_t purged;

    *inout_time = at;
    if (version != 0) {
        VD_TRY(vd_kstore_destroy_version(s->store, change->key->id, version, now, diag));
        vd_keyd_key_forget(&s->keys, change->key, version);
        *inout_time = now;
        return VD_OK;
    }
    VD_TRY(vd_kstore_schedule(s->store, change->key->id, at, now, diag));
    return at > now ? VD_OK : vd_kstore_purge(s->store, now, &purged, diag);
}

vd_status vd_keyd_destroy(struct vd_keyd_conn *c, struct vd_keyd_call *call, struct vd_diag *diag)
{
    struct change change;
    uint32_t handle, version;
    uint64_t time;
    vd_status status;

    VD_TRY(vd_key_read_u32(&call->in, &handle, diag));
    VD_TRY(vd_key_read_u32(&call->in, &version, diag));
    VD_TRY(vd_key_read_u64(&call->in, &time, diag));
    VD_TRY(vd_key_read_end(&call->in, diag));
    if (time > VD_KEY_GRACE_MAX)
        return vd_diagf(diag, VD_E_RANGE, "a grace period has at most %u seconds",
                        VD_KEY_GRACE_MAX);
    if (version != 0 && time != 0)
        return vd_diag_fail(diag, VD_E_RANGE,
                            "a single version is destroyed at once, without grace");
    VD_TRY(begin(c, call, handle, &change, diag));
    change.event.version = change.destroyed = version;
    lock(&change);
    status = destroy(c->server, &change, version, &time, diag);
    VD_TRY(end(c, &change, status, diag));
    vd_write_le64(&call->out, time);
    return VD_OK;
}

vd_status vd_keyd_restore(struct vd_keyd_conn *c, struct vd_keyd_call *call, struct vd_diag *diag)
{
    struct change change;
    uint32_t handle;
    vd_status status;

    VD_TRY(vd_key_read_u32(&call->in, &handle, diag));
    VD_TRY(vd_key_read_end(&call->in, diag));
    VD_TRY(begin(c, call, handle, &change, diag));
    lock(&change);
    if (change.facts.state == VD_KEY_ACTIVE)
        status = vd_diag_fail(diag, VD_E_INVALID, "the key is not to be destroyed");
    else
        status = vd_kstore_undo(c->server->store, change.key->id, vd_keyd_now(), diag);
    return end(c, &change, status, diag);
}
