/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Keys made, rotated, and their attributes changed; uses reserved. */
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "services/crypto/store/internal.h"

static vd_status check_sizes(const struct vd_kstore_new *new, struct vd_diag *diag)
{
    if (new->material == NULL &&new->public_size == 0)
        return vd_diag_fail(diag, VD_E_USAGE, "a key has material or a public part");
    if (new->public_size > VD_KSTORE_PUBLIC_MAX ||
        (new->material != NULL &&new->material->size > VD_KSTORE_MATERIAL_MAX))
        return vd_diag_fail(diag, VD_E_LIMIT, "the key is too large for the store");
    return VD_OK;
}

static vd_status put_new_version(struct vd_ktxn *txn, struct vd_kentry *entry, uint32_t number,
                                 const struct vd_kstore_new *new, struct vd_diag *diag)
{
    struct vd_krec record = {.table = VD_KREC_VERSION,
                             .version = {.version = number,
                                         .created = txn->header.latest_time,
                                         .public_size = (uint32_t) new->public_size}};
    struct vd_kput put = {.entry = entry, .record = &record};
    struct vd_kmaterial from = {
        .attributes = new->attributes, .material = new->material, .public_part = new->public_part};

    if (new->material != NULL)
        record.version.material_size = (uint32_t) new->material->size;
    return vd_ktxn_put_version(txn, &put, &from, diag);
}

/* The same name twice in one change; names of the store are looked up. */
static vd_status check_name(const struct vd_ktxn *txn, const struct vd_kstore_new *keys, size_t at,
                            struct vd_diag *diag)
{
    const char *name = keys[at].attributes->name;
    struct vd_kentry *entry = vd_kindex_find(&txn->store->index, name, strlen(name));
    struct vd_krec other;
    bool taken = false;

    if (entry != NULL) {
        vd_krow_record(entry->key, &other);
        taken = other.key.state != VD_KSTORE_DESTROYED;
    }
    for (size_t i = 0; i < at && !taken; i++)
        taken = strcmp(keys[i].attributes->name, name) == 0;
    return taken ? vd_diagf(diag, VD_E_EXISTS, "there is a key %s already", name) : VD_OK;
}

static vd_status put_new_key(struct vd_ktxn *txn, const struct vd_kstore_new *new,
                             uint8_t ret_id[VD_KSTORE_ID_SIZE], struct vd_diag *diag)
{
    struct vd_krec record = {.table = VD_KREC_KEY,
                             .key = {.attributes = *new->attributes,
                                     .state = VD_KSTORE_ACTIVE,
                                     .versions = 1,
                                     .created = txn->header.latest_time}};
    struct vd_kput put = {.record = &record};
    vd_status status;

    if (new->attributes->min_decrypt_version != 1)
        return vd_diag_fail(diag, VD_E_RANGE, "a new key has version 1 alone");
    put.entry = calloc(1, sizeof(*put.entry));
    if (put.entry == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for a key");
    status = vd_kcrypt_random(put.entry->id, VD_KSTORE_ID_SIZE, diag);
    if (status == VD_OK)
        status = vd_ktxn_put(txn, &put, diag);
    if (status != VD_OK) {
        vd_kentry_free(put.entry);
        return status;
    }
    vd_copy(ret_id, put.entry->id, VD_KSTORE_ID_SIZE);
    return put_new_version(txn, put.entry, 1, new, diag);
}

static vd_status put_keys(struct vd_ktxn *txn, const struct vd_kstore_new *keys, size_t count,
                          uint8_t (*ids)[VD_KSTORE_ID_SIZE], struct vd_diag *diag)
{
    if (count > VD_KSTORE_KEYS_MAX - txn->store->index.count)
        return vd_diag_fail(diag, VD_E_LIMIT, "the store is full");
    for (size_t i = 0; i < count; i++) {
        VD_TRY(check_name(txn, keys, i, diag));
        VD_TRY(put_new_key(txn, &keys[i], ids[i], diag));
    }
    return VD_OK;
}

vd_status vd_kstore_create(struct vd_kstore *store, const struct vd_kstore_new *keys, size_t count,
                           uint8_t (*ret_ids)[VD_KSTORE_ID_SIZE], struct vd_diag *diag)
{
    uint8_t(*ids)[VD_KSTORE_ID_SIZE];
    struct vd_ktxn txn;
    uint64_t now = 0;
    vd_status status;

    if (count == 0 || count > VD_KSTORE_BATCH_MAX)
        return vd_diag_fail(diag, VD_E_LIMIT, "one change makes 1 to 4096 keys");
    for (size_t i = 0; i < count; i++) {
        VD_TRY(vd_krec_attributes_check(keys[i].attributes, diag));
        VD_TRY(check_sizes(&keys[i], diag));
        now = keys[i].now > now ? keys[i].now : now;
    }
    ids = calloc(count, sizeof(*ids));
    if (ids == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for keys");
    status = vd_ktxn_begin(&txn, store, now, diag);
    if (status == VD_OK)
        status = vd_ktxn_end(&txn, put_keys(&txn, keys, count, ids, diag), diag);
    if (status == VD_OK)
        vd_copy(ret_ids, ids, count * sizeof(*ids));
    free(ids);
    return status;
}

static vd_status put_rotation(struct vd_ktxn *txn, const uint8_t *id,
                              const struct vd_kstore_new *version, uint32_t *ret_version,
                              struct vd_diag *diag)
{
    struct vd_kstore_new new = *version;
    struct vd_kput put = {};
    struct vd_krec key;

    VD_TRY(vd_ktxn_key(txn, id, &put.entry, &key, diag));
    if (key.key.state == VD_KSTORE_SCHEDULED)
        return vd_diagf(diag, VD_E_USAGE, "the key %s is to be destroyed", key.key.attributes.name);
    if (key.key.versions == VD_KSTORE_VERSIONS_MAX)
        return vd_diagf(diag, VD_E_LIMIT, "the key %s has 4096 versions", key.key.attributes.name);
    *ret_version = ++key.key.versions;
    put.old = put.entry->key;
    put.record = &key;
    VD_TRY(vd_ktxn_put(txn, &put, diag));
    new.attributes = &key.key.attributes;
    return put_new_version(txn, put.entry, key.key.versions, &new, diag);
}

vd_status vd_kstore_rotate(struct vd_kstore *store, const uint8_t id[VD_KSTORE_ID_SIZE],
                           const struct vd_kstore_new *version, uint32_t *ret_version,
                           struct vd_diag *diag)
{
    struct vd_ktxn txn;
    uint32_t number = 0;

    VD_TRY(check_sizes(version, diag));
    VD_TRY(vd_ktxn_begin(&txn, store, version->now, diag));
    VD_TRY(vd_ktxn_end(&txn, put_rotation(&txn, id, version, &number, diag), diag));
    *ret_version = number;
    return VD_OK;
}

static uint64_t or_never(uint64_t limit)
{
    return limit == 0 ? UINT64_MAX : limit;
}

/* True if an older store would allow what the new attributes forbid. */
static bool is_stricter(const struct vd_kstore_attributes *old,
                        const struct vd_kstore_attributes *new)
{
    return (old->usages & ~new->usages) != 0 || old->flags != new->flags ||
           new->not_before > old->not_before ||
           or_never(new->not_after) < or_never(old->not_after) ||
           or_never(new->usage_limit) < or_never(old->usage_limit) ||
           new->min_decrypt_version > old->min_decrypt_version ||
           strcmp(old->label, new->label) != 0;
}

static vd_status put_attributes(struct vd_ktxn *txn, const uint8_t *id,
                                const struct vd_kstore_attributes *new, struct vd_diag *diag)
{
    const struct vd_kstore_attributes *old;
    struct vd_kput put = {};
    struct vd_krec key;

    VD_TRY(vd_ktxn_key(txn, id, &put.entry, &key, diag));
    old = &key.key.attributes;
    if (strcmp(old->name, new->name) != 0 || strcmp(old->domain, new->domain) != 0 ||
        strcmp(old->service, new->service) != 0 || old->type != new->type)
        return vd_diagf(diag, VD_E_USAGE, "name, domain, service and type of the key %s stay",
                        old->name);
    if ((old->flags & ~new->flags &VD_KSTORE_STICKY_FLAGS) != 0)
        return vd_diagf(diag, VD_E_USAGE, "a restriction of the key %s is not taken back",
                        old->name);
    if (new->min_decrypt_version > key.key.versions)
        return vd_diagf(diag, VD_E_RANGE, "the key %s has no version %u", old->name,
                        new->min_decrypt_version);
    txn->raise = is_stricter(old, new);
    VD_TRY(vd_ktxn_rewrap(txn, put.entry, new, diag));
    key.key.attributes = *new;
    put.old = put.entry->key;
    put.record = &key;
    return vd_ktxn_put(txn, &put, diag);
}

vd_status vd_kstore_set(struct vd_kstore *store, const uint8_t id[VD_KSTORE_ID_SIZE],
                        const struct vd_kstore_attributes *attributes, uint64_t now,
                        struct vd_diag *diag)
{
    struct vd_ktxn txn;

    VD_TRY(vd_krec_attributes_check(attributes, diag));
    VD_TRY(vd_ktxn_begin(&txn, store, now, diag));
    return vd_ktxn_end(&txn, put_attributes(&txn, id, attributes, diag), diag);
}

static vd_status put_usage(struct vd_ktxn *txn, struct vd_kentry *entry, uint64_t reserved,
                           struct vd_diag *diag)
{
    struct vd_krec record = {.table = VD_KREC_USAGE, .usage = {.reserved = reserved}};
    struct vd_kput put = {.entry = entry, .old = entry->usage, .record = &record};

    return vd_ktxn_put(txn, &put, diag);
}

static vd_status put_reservation(struct vd_ktxn *txn, const uint8_t *id, uint64_t want,
                                 uint64_t *ret_granted, struct vd_diag *diag)
{
    struct vd_kentry *entry;
    struct vd_krec key, usage = {};
    uint64_t left;

    VD_TRY(vd_ktxn_key(txn, id, &entry, &key, diag));
    if (key.key.attributes.usage_limit == 0)
        return vd_diagf(diag, VD_E_USAGE, "the key %s has no limit", key.key.attributes.name);
    if (entry->usage != NULL)
        vd_krow_record(entry->usage, &usage);
    if (usage.usage.reserved >= key.key.attributes.usage_limit)
        return vd_diagf(diag, VD_E_LIMIT, "the key %s has been used as often as it may be",
                        key.key.attributes.name);
    left = key.key.attributes.usage_limit - usage.usage.reserved;
    *ret_granted = want < left ? want : left;
    return put_usage(txn, entry, usage.usage.reserved + *ret_granted, diag);
}

vd_status vd_kstore_reserve(struct vd_kstore *store, const uint8_t id[VD_KSTORE_ID_SIZE],
                            uint64_t want, uint64_t *ret_granted, struct vd_diag *diag)
{
    struct vd_ktxn txn;
    uint64_t granted = 0;

    if (want == 0)
        return vd_diag_fail(diag, VD_E_RANGE, "at least one use is reserved");
    VD_TRY(vd_ktxn_begin(&txn, store, 0, diag));
    VD_TRY(vd_ktxn_end(&txn, put_reservation(&txn, id, want, &granted, diag), diag));
    *ret_granted = granted;
    return VD_OK;
}

static vd_status put_release(struct vd_ktxn *txn, const uint8_t *id, uint64_t unused,
                             struct vd_diag *diag)
{
    struct vd_kentry *entry;
    struct vd_krec key, usage = {};

    VD_TRY(vd_ktxn_key(txn, id, &entry, &key, diag));
    if (entry->usage != NULL)
        vd_krow_record(entry->usage, &usage);
    if (unused == 0 || unused > usage.usage.reserved)
        return vd_diagf(diag, VD_E_RANGE, "the key %s has not so many uses reserved",
                        key.key.attributes.name);
    return put_usage(txn, entry, usage.usage.reserved - unused, diag);
}

vd_status vd_kstore_release(struct vd_kstore *store, const uint8_t id[VD_KSTORE_ID_SIZE],
                            uint64_t unused, struct vd_diag *diag)
{
    struct vd_ktxn txn;

    VD_TRY(vd_ktxn_begin(&txn, store, 0, diag));
    return vd_ktxn_end(&txn, put_release(&txn, id, unused, diag), diag);
}
