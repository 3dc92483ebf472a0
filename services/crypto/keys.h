/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The keys that connections have open: what is known of each, and its versions as they are
 * loaded. One entry a key, whoever opened it, so that a change is seen by every handle at
 * once: an operation asks the entry, never a copy of its own.
 *
 *     vd_keyd_keys_open(&keys, id, &key, diag);         a reference, for a handle
 *     vd_keyd_key_facts(key, &facts);                   each time, before it is used
 *     vd_keyd_key_take(&keys, key, version, &alg, diag);   … work … vd_alg_key_free(alg);
 *     vd_keyd_key_drop(&keys, key);
 *
 * Reading facts and taking a loaded version cost a few atomic operations and never wait. Loading
 * and changing take the entry's lock, so that what was destroyed cannot be loaded again by one
 * who asked before. A loaded version is wiped when it was not used for `cache_seconds`, and at
 * once when the key is destroyed or changed; an operation under way keeps it until it ends.
 */
#ifndef VD_SERVICES_CRYPTO_KEYS_H
#define VD_SERVICES_CRYPTO_KEYS_H

#include <pthread.h>
#include <stdatomic.h>

#include "services/crypto/alg/alg.h"
#include "services/crypto/store/store.h"

#define VD_KEYD_SLOTS         4u /* versions of one key that are loaded at once */
#define VD_KEYD_BUCKETS       16384u
#define VD_KEYD_CACHE_MAX     16384u /* loaded versions of all keys */
#define VD_KEYD_LABEL_BUCKETS 1024u
#define VD_KEYD_LABELS_MAX    16384u /* different labels in the life of a process */

/* A key's label or a caller's context; lives as long as the process, once it is listed. */
struct vd_keyd_label {
    struct vd_keyd_label *next;
    uint32_t number; /* secclient's; 0: the policy is not asked */
    bool subject;    /* a caller's */
    bool listed;     /* else somebody's own: vd_keyd_label_drop frees it */
    char text[];
};

/* What decides whether a key may serve. */
struct vd_keyd_facts {
    uint64_t not_before, not_after, usage_limit;
    uint32_t state; /* enum vd_key_state */
    uint32_t type;  /* enum vd_alg_type */
    uint32_t usages, flags, versions, min_decrypt_version;
    const struct vd_keyd_label *label;
};

#define VD_KEYD_FACT_WORDS (sizeof(struct vd_keyd_facts) / sizeof(uint64_t))

struct vd_keyd_loaded;

struct vd_keyd_slot {
    _Atomic(struct vd_keyd_loaded *) loaded;
    _Atomic uint32_t takers; /* who look at it this moment */
    _Atomic uint64_t used_s; /* when it was used last */
};

struct vd_keyd_key {
    uint8_t id[VD_KEY_ID_SIZE];
    char name[VD_KEY_NAME_MAX + 1];
    struct vd_keyd_key *next; /* under the table's lock */
    uint32_t references;      /* likewise */
    pthread_mutex_t lock;     /* of changes and of loading */
    _Atomic uint32_t sequence;
    _Atomic uint64_t facts[VD_KEYD_FACT_WORDS];
    _Atomic int64_t allowance; /* uses reserved and not yet taken */
    struct vd_keyd_slot slots[VD_KEYD_SLOTS];
};

struct vd_keyd_counts {
    _Atomic uint64_t loaded, hits, misses, expired;
};

struct vd_keyd_keys {
    struct vd_kstore *store; /* borrowed, as the two below */
    struct vd_alg *alg;
    struct vd_secclient *policy; /* NULL: not asked */
    uint64_t cache_s;
    pthread_mutex_t lock; /* of the buckets; may be held when an entry's is taken, if only tried */
    struct vd_keyd_key *buckets[VD_KEYD_BUCKETS];
    pthread_mutex_t label_lock;
    struct vd_keyd_label *labels[VD_KEYD_LABEL_BUCKETS];
    uint32_t label_count;
    struct vd_keyd_counts counts;
};

/* Seconds since 1970, as the kernel's tick has them. */
uint64_t vd_keyd_now(void);

void vd_keyd_keys_init(struct vd_keyd_keys *keys);

/* Wipes everything and gives reserved uses back; nobody may use it any more. */
void vd_keyd_keys_done(struct vd_keyd_keys *keys);

/*
 * The label with its number. VD_E_LIMIT; with a policy: VD_E_DENIED if the policy in force does
 * not allow the context, or another status if there is no answer.
 */
vd_status vd_keyd_label(struct vd_keyd_keys *keys, const char *text,
                        const struct vd_keyd_label **ret, struct vd_diag *diag);

/*
 * The same for a label that a request names and of which nobody may yet have a key: it is given
 * back by vd_keyd_label_drop, so that naming labels fills no table.
 */
vd_status vd_keyd_label_try(struct vd_keyd_keys *keys, const char *text,
                            const struct vd_keyd_label **ret, struct vd_diag *diag);
void vd_keyd_label_drop(struct vd_keyd_keys *keys, const struct vd_keyd_label *label);

/* The same for the context of a caller. */
vd_status vd_keyd_subject(struct vd_keyd_keys *keys, const char *text,
                          const struct vd_keyd_label **ret, struct vd_diag *diag);

/* The entry of a key; a reference that vd_keyd_key_drop gives back. */
vd_status vd_keyd_keys_open(struct vd_keyd_keys *keys, const struct vd_kstore_key *key,
                            struct vd_keyd_key **ret, struct vd_diag *diag);
void vd_keyd_key_drop(struct vd_keyd_keys *keys, struct vd_keyd_key *key);

void vd_keyd_key_facts(struct vd_keyd_key *key, struct vd_keyd_facts *ret);

/* Reads the facts of the store's row anew; the entry's lock is held. */
vd_status vd_keyd_key_refresh(struct vd_keyd_keys *keys, struct vd_keyd_key *key,
                              struct vd_diag *diag);

/* A reference to a version, loaded if need be; vd_alg_key_free gives it back. */
vd_status vd_keyd_key_take(struct vd_keyd_keys *keys, struct vd_keyd_key *key, uint32_t version,
                           struct vd_alg_key **ret, struct vd_diag *diag);

/* Lets all loaded versions go, or the one `version` if it is not 0; the entry's lock is held. */
void vd_keyd_key_forget(struct vd_keyd_keys *keys, struct vd_keyd_key *key, uint32_t version);

/* Takes `count` of the allowed uses, reserving more if need be; VD_E_USED_UP. */
vd_status vd_keyd_key_count(struct vd_keyd_keys *keys, struct vd_keyd_key *key, uint64_t limit,
                            uint32_t count, struct vd_diag *diag);

/* Gives the reserved uses back, before a limit changes; the entry's lock is held. */
void vd_keyd_key_settle(struct vd_keyd_keys *keys, struct vd_keyd_key *key);

/* Wipes what was not used in time, and reads anew what the store may have destroyed. */
void vd_keyd_keys_sweep(struct vd_keyd_keys *keys);

#endif
