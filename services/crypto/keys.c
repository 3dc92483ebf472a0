/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "services/crypto/keys.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "lib/secclient/secclient.h"

#define STEP_MAX   4096u /* uses reserved at a time */
#define STEP_SHARE 256u  /* … at most this part of the limit */

_Static_assert(sizeof(struct vd_keyd_facts) % sizeof(uint64_t) == 0, "copied word by word");

/* Immutable; freed when nobody can look at it any more. */
struct vd_keyd_loaded {
    struct vd_alg_key *key;
    uint32_t version;
};

uint64_t vd_keyd_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return (uint64_t)now.tv_sec;
}

static uint64_t uptime_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec;
}

void vd_keyd_keys_init(struct vd_keyd_keys *keys)
{
    pthread_mutex_init(&keys->lock, NULL);
    pthread_mutex_init(&keys->label_lock, NULL);
}

static void free_key(struct vd_keyd_keys *keys, struct vd_keyd_key *key)
{
    vd_keyd_key_forget(keys, key, 0);
    vd_keyd_key_settle(keys, key);
    pthread_mutex_destroy(&key->lock);
    free(key);
}

void vd_keyd_keys_done(struct vd_keyd_keys *keys)
{
    for (uint32_t i = 0; i < VD_KEYD_BUCKETS; i++) {
        while (keys->buckets[i] != NULL) {
            struct vd_keyd_key *key = keys->buckets[i];
            keys->buckets[i] = key->next;
            free_key(keys, key);
        }
    }
    for (uint32_t i = 0; i < VD_KEYD_LABEL_BUCKETS; i++) {
        while (keys->labels[i] != NULL) {
            struct vd_keyd_label *label = keys->labels[i];
            keys->labels[i] = label->next;
            free(label);
        }
    }
    pthread_mutex_destroy(&keys->label_lock);
    pthread_mutex_destroy(&keys->lock);
}

static struct vd_keyd_label **label_bucket(struct vd_keyd_keys *keys, const char *text)
{
    uint32_t hash = 0;

    for (const char *c = text; *c != '\0'; c++)
        hash = hash * 31 + (uint8_t)*c;
    return &keys->labels[hash % VD_KEYD_LABEL_BUCKETS];
}

static struct vd_keyd_label *find_label(struct vd_keyd_keys *keys, const char *text, bool subject)
{
    struct vd_keyd_label *label;

    pthread_mutex_lock(&keys->label_lock);
    for (label = *label_bucket(keys, text); label != NULL; label = label->next)
        if (label->subject == subject && strcmp(label->text, text) == 0)
            break;
    pthread_mutex_unlock(&keys->label_lock);
    return label;
}

static vd_status add_label(struct vd_keyd_keys *keys, struct vd_keyd_label *label,
                           struct vd_diag *diag)
{
    bool full;

    pthread_mutex_lock(&keys->label_lock);
    full = keys->label_count >= VD_KEYD_LABELS_MAX;
    if (!full) {
        keys->label_count++;
        label->listed = true;
        label->next = *label_bucket(keys, label->text);
        *label_bucket(keys, label->text) = label;
    }
    pthread_mutex_unlock(&keys->label_lock);
    return full ? vd_diagf(diag, VD_E_LIMIT, "more than %u different labels", VD_KEYD_LABELS_MAX)
                : VD_OK;
}

static vd_status name_label(struct vd_keyd_keys *keys, struct vd_keyd_label *label,
                            struct vd_diag *diag)
{
    vd_status status;

    if (keys->policy == NULL)
        return VD_OK;
    status = label->subject ? vd_secclient_subject(keys->policy, label->text, &label->number, diag)
                            : vd_secclient_object(keys->policy, label->text, &label->number, diag);
    if (status == VD_E_SYNTAX || status == VD_E_NOT_FOUND || status == VD_E_INVALID)
        return VD_E_DENIED;
    return status;
}

static vd_status new_label(struct vd_keyd_keys *keys, const char *text, bool subject,
                           struct vd_keyd_label **ret, struct vd_diag *diag)
{
    struct vd_keyd_label *label = calloc(1, sizeof(*label) + strlen(text) + 1);
    vd_status status;

    if (label == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for a label");
    label->subject = subject;
    vd_copy(label->text, text, strlen(text) + 1);
    status = name_label(keys, label, diag);
    if (status == VD_OK)
        *ret = label;
    else
        free(label);
    return status;
}

void vd_keyd_label_drop(struct vd_keyd_keys *keys, const struct vd_keyd_label *label)
{
    if (label->listed)
        return;
    if (keys->policy != NULL)
        vd_secclient_forget(keys->policy, label->number);
    free((void *)(uintptr_t)label);
}

static vd_status get_label(struct vd_keyd_keys *keys, const char *text, bool subject,
                           const struct vd_keyd_label **ret, struct vd_diag *diag)
{
    struct vd_keyd_label *label = find_label(keys, text, subject);
    vd_status status;

    if (label == NULL) {
        VD_TRY(new_label(keys, text, subject, &label, diag));
        status = add_label(keys, label, diag);
        if (status != VD_OK) {
            vd_keyd_label_drop(keys, label);
            return status;
        }
    }
    *ret = label;
    return VD_OK;
}

vd_status vd_keyd_label_try(struct vd_keyd_keys *keys, const char *text,
                            const struct vd_keyd_label **ret, struct vd_diag *diag)
{
    struct vd_keyd_label *label = find_label(keys, text, false);

    if (label == NULL)
        VD_TRY(new_label(keys, text, false, &label, diag));
    *ret = label;
    return VD_OK;
}

vd_status vd_keyd_label(struct vd_keyd_keys *keys, const char *text,
                        const struct vd_keyd_label **ret, struct vd_diag *diag)
{
    return get_label(keys, text, false, ret, diag);
}

vd_status vd_keyd_subject(struct vd_keyd_keys *keys, const char *text,
                          const struct vd_keyd_label **ret, struct vd_diag *diag)
{
    return get_label(keys, text, true, ret, diag);
}

static void set_facts(struct vd_keyd_key *key, const struct vd_keyd_facts *facts)
{
    uint64_t words[VD_KEYD_FACT_WORDS];
    uint32_t sequence = atomic_load_explicit(&key->sequence, memory_order_relaxed);

    vd_copy(words, facts, sizeof(words));
    atomic_store_explicit(&key->sequence, sequence + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    for (uint32_t i = 0; i < VD_KEYD_FACT_WORDS; i++)
        atomic_store_explicit(&key->facts[i], words[i], memory_order_relaxed);
    atomic_store_explicit(&key->sequence, sequence + 2, memory_order_release);
}

void vd_keyd_key_facts(struct vd_keyd_key *key, struct vd_keyd_facts *ret)
{
    uint64_t words[VD_KEYD_FACT_WORDS];

    for (;;) {
        uint32_t before = atomic_load_explicit(&key->sequence, memory_order_acquire);
        for (uint32_t i = 0; i < VD_KEYD_FACT_WORDS; i++)
            words[i] = atomic_load_explicit(&key->facts[i], memory_order_relaxed);
        atomic_thread_fence(memory_order_acquire);
        if ((before & 1) == 0 &&
            atomic_load_explicit(&key->sequence, memory_order_relaxed) == before)
            break;
        sched_yield();
    }
    vd_copy(ret, words, sizeof(words));
}

static vd_status read_facts(struct vd_keyd_keys *keys, const struct vd_kstore_key *key,
                            struct vd_keyd_facts *ret, struct vd_diag *diag)
{
    const struct vd_kstore_attributes *a = &key->attributes;

    *ret = (struct vd_keyd_facts){
        .state = (uint32_t)key->state,
        .type = a->type,
        .usages = (uint32_t)a->usages,
        .flags = a->flags,
        .versions = key->versions,
        .min_decrypt_version = a->min_decrypt_version,
        .not_before = a->not_before,
        .not_after = a->not_after,
        .usage_limit = a->usage_limit,
    };
    return vd_keyd_label(keys, a->label, &ret->label, diag);
}

vd_status vd_keyd_key_refresh(struct vd_keyd_keys *keys, struct vd_keyd_key *key,
                              struct vd_diag *diag)
{
    struct vd_kstore_key row;
    struct vd_keyd_facts facts;
    vd_status status = vd_kstore_get(keys->store, key->id, &row);

    if (status == VD_OK)
        status = read_facts(keys, &row, &facts, diag);
    if (status != VD_OK) { /* a key of which nothing is known serves nobody */
        vd_keyd_key_facts(key, &facts);
        facts.state = VD_KEY_DESTROYED;
    }
    set_facts(key, &facts);
    return status == VD_OK ? VD_OK : vd_diagf(diag, status, "the key's row cannot be read");
}

static struct vd_keyd_key **bucket_of(struct vd_keyd_keys *keys, const uint8_t *id)
{
    uint32_t word;

    vd_copy(&word, id, sizeof(word)); /* ids are random */
    return &keys->buckets[word % VD_KEYD_BUCKETS];
}

static struct vd_keyd_key *find_key(struct vd_keyd_keys *keys, const uint8_t *id)
{
    struct vd_keyd_key *key = *bucket_of(keys, id);

    while (key != NULL && memcmp(key->id, id, VD_KEY_ID_SIZE) != 0)
        key = key->next;
    return key;
}

static struct vd_keyd_key *new_key(const struct vd_kstore_key *row)
{
    struct vd_keyd_key *key = calloc(1, sizeof(*key));

    if (key == NULL)
        return NULL;
    vd_copy(key->id, row->id, VD_KEY_ID_SIZE);
    vd_copy(key->name, row->attributes.name, sizeof(key->name));
    pthread_mutex_init(&key->lock, NULL);
    return key;
}

vd_status vd_keyd_keys_open(struct vd_keyd_keys *keys, const struct vd_kstore_key *row,
                            struct vd_keyd_key **ret, struct vd_diag *diag)
{
    struct vd_keyd_key *key, *made = new_key(row);
    vd_status status = VD_OK;

    if (made == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for a key");
    pthread_mutex_lock(&keys->lock);
    key = find_key(keys, row->id);
    if (key == NULL) {
        key = made;
        made = NULL;
        key->next = *bucket_of(keys, row->id);
        /* Who sweeps looks without the lock whether there is anything. */
        __atomic_store_n(bucket_of(keys, row->id), key, __ATOMIC_RELAXED);
        pthread_mutex_lock(&key->lock);
    }
    key->references++;
    pthread_mutex_unlock(&keys->lock);
    if (made == NULL) {
        status = vd_keyd_key_refresh(keys, key, diag);
        pthread_mutex_unlock(&key->lock);
    } else {
        /* Whoever made the entry holds its lock until the facts are there. */
        struct vd_keyd_facts facts;
        pthread_mutex_lock(&key->lock);
        vd_keyd_key_facts(key, &facts);
        pthread_mutex_unlock(&key->lock);
        pthread_mutex_destroy(&made->lock);
        free(made);
        if (facts.label == NULL)
            status = vd_diag_fail(diag, VD_E_BUSY, "the key's row could not be read");
    }
    if (status != VD_OK) {
        vd_keyd_key_drop(keys, key);
        return status;
    }
    *ret = key;
    return VD_OK;
}

void vd_keyd_key_drop(struct vd_keyd_keys *keys, struct vd_keyd_key *key)
{
    struct vd_keyd_key **at;
    bool last;

    pthread_mutex_lock(&keys->lock);
    last = --key->references == 0;
    if (last) {
        for (at = bucket_of(keys, key->id); *at != key;)
            at = &(*at)->next;
        __atomic_store_n(at, key->next, __ATOMIC_RELAXED);
    }
    pthread_mutex_unlock(&keys->lock);
    if (last)
        free_key(keys, key);
}

/* Without a lock: whoever frees waits until nobody looks. */
static struct vd_alg_key *look(struct vd_keyd_slot *slot, uint32_t version)
{
    struct vd_keyd_loaded *loaded;
    struct vd_alg_key *key = NULL;

    atomic_fetch_add(&slot->takers, 1);
    loaded = atomic_load(&slot->loaded);
    if (loaded != NULL && loaded->version == version)
        key = vd_alg_key_hold(loaded->key);
    atomic_fetch_sub_explicit(&slot->takers, 1, memory_order_release);
    if (key != NULL)
        atomic_store_explicit(&slot->used_s, uptime_s(), memory_order_relaxed);
    return key;
}

static void replace(struct vd_keyd_keys *keys, struct vd_keyd_slot *slot, struct vd_keyd_loaded *by)
{
    struct vd_keyd_loaded *old = atomic_exchange(&slot->loaded, by);

    if (by != NULL)
        atomic_fetch_add_explicit(&keys->counts.loaded, 1, memory_order_relaxed);
    if (old == NULL)
        return;
    while (atomic_load(&slot->takers) != 0)
        sched_yield();
    vd_alg_key_free(old->key);
    free(old);
    atomic_fetch_sub_explicit(&keys->counts.loaded, 1, memory_order_relaxed);
}

void vd_keyd_key_forget(struct vd_keyd_keys *keys, struct vd_keyd_key *key, uint32_t version)
{
    for (uint32_t i = 0; i < VD_KEYD_SLOTS; i++) {
        struct vd_keyd_slot *slot = &key->slots[i];
        struct vd_keyd_loaded *loaded = atomic_load(&slot->loaded);
        if (loaded != NULL && (version == 0 || loaded->version == version))
            replace(keys, slot, NULL);
    }
}

static vd_status read_version(struct vd_keyd_keys *keys, struct vd_keyd_key *key, uint32_t version,
                              struct vd_alg_key **ret, struct vd_diag *diag)
{
    VD_AUTO(vd_secret_done) struct vd_secret material = {};
    VD_AUTO(vd_bytes_free) struct vd_bytes public_part = {};
    struct vd_alg_import from = {.form = VD_ALG_FORM_SPKI};
    struct vd_keyd_facts facts;

    vd_keyd_key_facts(key, &facts);
    if (facts.state != VD_KEY_ACTIVE)
        return vd_diag_fail(diag, VD_E_REVOKED, "the key is destroyed");
    from.type = (enum vd_alg_type)facts.type;
    VD_TRY(vd_kstore_load(keys->store, key->id, version, &material, diag));
    if (material.size != 0)
        return vd_alg_key_load(keys->alg, from.type, &material, ret, diag);
    VD_TRY(vd_kstore_public(keys->store, key->id, version, &public_part, diag));
    from.material = (struct vd_alg_bytes){public_part.data, public_part.size};
    return vd_alg_key_import(keys->alg, &from, ret, diag);
}

/* Loads a version under the entry's lock. */
static vd_status load(struct vd_keyd_keys *keys, struct vd_keyd_key *key, uint32_t version,
                      struct vd_alg_key **ret, struct vd_diag *diag)
{
    struct vd_keyd_slot *slot = &key->slots[version % VD_KEYD_SLOTS];
    struct vd_keyd_loaded *loaded;

    *ret = look(slot, version);
    if (*ret != NULL) /* another thread was first */
        return VD_OK;
    VD_TRY(read_version(keys, key, version, ret, diag));
    if (keys->cache_s == 0 ||
        atomic_load_explicit(&keys->counts.loaded, memory_order_relaxed) >= VD_KEYD_CACHE_MAX)
        return VD_OK;
    loaded = calloc(1, sizeof(*loaded));
    if (loaded == NULL)
        return VD_OK; /* it serves this once */
    loaded->key = vd_alg_key_hold(*ret);
    loaded->version = version;
    atomic_store_explicit(&slot->used_s, uptime_s(), memory_order_relaxed);
    replace(keys, slot, loaded);
    return VD_OK;
}

vd_status vd_keyd_key_take(struct vd_keyd_keys *keys, struct vd_keyd_key *key, uint32_t version,
                           struct vd_alg_key **ret, struct vd_diag *diag)
{
    struct vd_alg_key *found = look(&key->slots[version % VD_KEYD_SLOTS], version);
    vd_status status;

    if (found != NULL) {
        atomic_fetch_add_explicit(&keys->counts.hits, 1, memory_order_relaxed);
        *ret = found;
        return VD_OK;
    }
    atomic_fetch_add_explicit(&keys->counts.misses, 1, memory_order_relaxed);
    pthread_mutex_lock(&key->lock);
    status = load(keys, key, version, &found, diag);
    pthread_mutex_unlock(&key->lock);
    if (status == VD_OK)
        *ret = found;
    return status;
}

static bool take_allowance(struct vd_keyd_key *key, uint32_t count)
{
    int64_t left = atomic_load(&key->allowance);

    while (left >= (int64_t)count)
        if (atomic_compare_exchange_weak(&key->allowance, &left, left - (int64_t)count))
            return true;
    return false;
}

vd_status vd_keyd_key_count(struct vd_keyd_keys *keys, struct vd_keyd_key *key, uint64_t limit,
                            uint32_t count, struct vd_diag *diag)
{
    uint64_t step = limit / STEP_SHARE, granted = 0;
    vd_status status = VD_OK;

    if (limit == 0 || take_allowance(key, count))
        return VD_OK;
    step = step > STEP_MAX ? STEP_MAX : step;
    step = step < count ? count : step;
    pthread_mutex_lock(&key->lock);
    while (status == VD_OK && !take_allowance(key, count)) {
        status = vd_kstore_reserve(keys->store, key->id, step, &granted, NULL);
        if (status == VD_OK)
            atomic_fetch_add(&key->allowance, (int64_t)granted);
    }
    pthread_mutex_unlock(&key->lock);
    if (status == VD_E_USAGE) /* the limit was taken away meanwhile */
        return VD_OK;
    if (status == VD_E_LIMIT)
        return vd_diag_fail(diag, VD_E_USED_UP, "the key has been used as often as it may be");
    return status == VD_OK ? VD_OK : vd_diag_fail(diag, status, "the uses cannot be counted");
}

void vd_keyd_key_settle(struct vd_keyd_keys *keys, struct vd_keyd_key *key)
{
    int64_t left = atomic_exchange(&key->allowance, 0);

    /* What cannot be given back counts as used. */
    if (left > 0)
        (void)!vd_kstore_release(keys->store, key->id, (uint64_t)left, NULL);
}

static void sweep_key(struct vd_keyd_keys *keys, struct vd_keyd_key *key, uint64_t now)
{
    for (uint32_t i = 0; i < VD_KEYD_SLOTS; i++) {
        struct vd_keyd_slot *slot = &key->slots[i];
        if (atomic_load(&slot->loaded) == NULL ||
            now - atomic_load_explicit(&slot->used_s, memory_order_relaxed) < keys->cache_s)
            continue;
        replace(keys, slot, NULL);
        atomic_fetch_add_explicit(&keys->counts.expired, 1, memory_order_relaxed);
    }
}

static void sweep_bucket(struct vd_keyd_keys *keys, uint32_t bucket)
{
    uint64_t now = uptime_s();

    for (struct vd_keyd_key *key = keys->buckets[bucket]; key != NULL; key = key->next) {
        struct vd_keyd_facts facts;
        if (pthread_mutex_trylock(&key->lock) != 0)
            continue; /* in use: another time */
        sweep_key(keys, key, now);
        vd_keyd_key_facts(key, &facts);
        if (facts.state == VD_KEY_DOOMED)
            (void)!vd_keyd_key_refresh(keys, key, NULL);
        pthread_mutex_unlock(&key->lock);
    }
}

void vd_keyd_keys_sweep(struct vd_keyd_keys *keys)
{
    for (uint32_t i = 0; i < VD_KEYD_BUCKETS; i++) {
        if (__atomic_load_n(&keys->buckets[i], __ATOMIC_RELAXED) == NULL)
            continue;
        pthread_mutex_lock(&keys->lock);
        sweep_bucket(keys, i);
        pthread_mutex_unlock(&keys->lock);
    }
}
