/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The encrypted key store: named keys with their versions and attachments in one SQLite file
 * (docs/formats/key-store.md, docs/adr/0009-key-store.md).
 *
 * It knows nothing of algorithms, callers, permissions or hardware. The root key and the counter
 * that notices a restored old store come from its caller; the caller judges usages and times.
 *
 *     struct vd_kstore_options o = {.directory = dir, .root = &root, .now = now};
 *     VD_TRY(vd_kstore_open(&o, &store, diag));
 *     VD_TRY(vd_kstore_create(store, &new, 1, id, diag));
 *     VD_TRY(vd_kstore_find(store, "disk/home", &key));
 *     VD_TRY(vd_kstore_load(store, key.id, 0, &material, diag));
 *     vd_kstore_close(store);
 *
 * Durability. A function that changes something returns VD_OK only when the change is on the disk
 * and, where it must not be undone, when the counter has been raised. A failed change leaves the
 * store as it was, with two exceptions, both told by the diagnostic: the counter could not be
 * raised after the commit, and a failure that leaves unknown what the disk holds. After the latter
 * the store has failed: every later change returns the same status, reading goes on.
 *
 * Threads. Every function may be called by any thread. Changes come one after the other; finding,
 * listing and loading never wait for the disk's answer to a change. An attachment or a large key
 * that is being changed at the same moment may wait for that change.
 *
 * Times are seconds since 1970 (UTC). `now` comes from the caller. The store remembers the latest
 * time of any change and never goes behind it, so that a clock set back neither undoes the end
 * of a grace period nor ends another; see vd_kstore_now.
 *
 * Errors, beside those of each function:
 *   VD_E_NOT_FOUND  no such key, version or attachment
 *   VD_E_REVOKED    the key or the version has been destroyed
 *   VD_E_INVALID    a name, label or time is not as the header says
 *   VD_E_LIMIT      one of the limits below
 *   VD_E_SIGNATURE  what is on the disk is not what this store wrote, or the root is another one
 *   VD_E_NO_SPACE   the disk is full; nothing changed and the store goes on
 *   VD_E_IO         the disk failed; the store has failed
 *   VD_E_BUSY       another process uses the store
 */
#ifndef VD_SERVICES_CRYPTO_STORE_STORE_H
#define VD_SERVICES_CRYPTO_STORE_STORE_H

#include "core/base/diag.h"
#include "lib/file.h"
#include "lib/secret.h"

#define VD_KSTORE_ROOT_SIZE       32u
#define VD_KSTORE_ID_SIZE         16u
#define VD_KSTORE_NAME_MAX        128u /* bytes of a-z A-Z 0-9 . _ - / */
#define VD_KSTORE_SCOPE_MAX       64u  /* domain and service, of the same bytes */
#define VD_KSTORE_LABEL_MAX       255u /* printable ASCII */
#define VD_KSTORE_MATERIAL_MAX    16384u
#define VD_KSTORE_PUBLIC_MAX      8192u
#define VD_KSTORE_KEYS_MAX        1000000u /* destroyed ones count too */
#define VD_KSTORE_VERSIONS_MAX    4096u    /* of one key */
#define VD_KSTORE_ATTACHMENTS_MAX 1000000u /* of one key */
#define VD_KSTORE_ATTACH_NAME_MAX 64u      /* any bytes */
#define VD_KSTORE_VALUE_MAX       65536u
#define VD_KSTORE_BATCH_MAX       4096u /* keys or attachments in one change */
#define VD_KSTORE_TIME_MAX        0x7fffffffffffffffull
#define VD_KSTORE_FILE            "keys.db" /* in the directory */

struct vd_kstore;

/*
 * A number that only rises, kept where whoever can write the disk cannot set it back. Both
 * functions give the present value. `increment` adds exactly 1.
 */
struct vd_kstore_counter {
    void *ctx;
    vd_status (*read)(void *ctx, uint64_t *ret, struct vd_diag *diag);
    vd_status (*increment)(void *ctx, uint64_t *ret, struct vd_diag *diag);
};

enum vd_kstore_open_flag {
    VD_KSTORE_CREATE = 1 << 0,          /* make an empty store where there is none */
    VD_KSTORE_ACCEPT_RESTORED = 1 << 1, /* take an older store; counted in the status */
    VD_KSTORE_ACCEPT_CLOCK = 1 << 2,    /* the latest time was wrong: start from `now` */
};

struct vd_kstore_options {
    const char *directory;        /* made (mode 0700) with VD_KSTORE_CREATE */
    const struct vd_secret *root; /* 32 bytes, borrowed until the store is closed */
    const struct vd_kstore_counter
        *counter; /* borrowed likewise; NULL: an old store is not noticed */
    uint64_t now;
    uint32_t flags;  /* of enum vd_kstore_open_flag */
    const char *vfs; /* SQLite's way to the disk; NULL: its default */
};

/*
 * Opens the store and checks it whole: every row was written by this store, none is missing, none
 * is older than the last change. With a counter: VD_E_ROLLBACK for a store older than the counter
 * says, VD_E_DIFFERS for one that is ahead of it (another counter), unless accepted; the counter is
 * then raised. VD_E_NOT_FOUND: no store there and VD_KSTORE_CREATE is not set. VD_E_MAGIC: not a
 * key store; VD_E_VERSION: of a later format; VD_E_CHECKSUM: SQLite finds the file damaged.
 */
vd_status vd_kstore_open(const struct vd_kstore_options *options, struct vd_kstore **ret,
                         struct vd_diag *diag);

/* Ends it; no other function may be running. NULL is fine. */
void vd_kstore_close(struct vd_kstore *store);

struct vd_kstore_status {
    uint8_t store_id[VD_KSTORE_ID_SIZE];
    uint64_t generation; /* of the last change */
    uint64_t keys;       /* destroyed ones too */
    uint64_t counter;    /* expected value; 0: there is no counter */
    uint64_t latest_time;
    uint32_t restored; /* how often an older store was accepted */
    bool unanchored;   /* a change is on the disk whose raise of the counter failed */
    vd_status failed;  /* VD_OK: changes are taken */
};

void vd_kstore_status(struct vd_kstore *store, struct vd_kstore_status *ret);

/* The later of `now` and the latest time the store knows: what to compare a key's times with. */
uint64_t vd_kstore_now(struct vd_kstore *store, uint64_t now);

enum vd_kstore_flag {
    VD_KSTORE_NON_EXPORTABLE = 1 << 0,
};
/* The other bits are the caller's, kept and authenticated. These, once set, are never taken back. */
#define VD_KSTORE_STICKY_FLAGS 0xffffu

/* What a key is. Texts are NUL-terminated. */
struct vd_kstore_attributes {
    char name[VD_KSTORE_NAME_MAX + 1];     /* never changes; unique among what is not destroyed */
    char domain[VD_KSTORE_SCOPE_MAX + 1];  /* never changes: the key hierarchy hangs on it */
    char service[VD_KSTORE_SCOPE_MAX + 1]; /* likewise */
    char label[VD_KSTORE_LABEL_MAX + 1];   /* the security context */
    uint16_t type;                         /* of services/crypto/alg; never changes */
    uint32_t min_decrypt_version;          /* older versions serve no more; at least 1 */
    uint32_t flags;                        /* of enum vd_kstore_flag and the caller's */
    uint64_t usages;                       /* bits of services/crypto/alg */
    uint64_t not_before;                   /* 0: none */
    uint64_t not_after;                    /* 0: none; not before not_before */
    uint64_t usage_limit;                  /* 0: none */
};

enum vd_kstore_state {
    VD_KSTORE_ACTIVE = 1,
    VD_KSTORE_SCHEDULED = 2, /* destroyed at `destroy_at` unless undone before */
    VD_KSTORE_DESTROYED = 3, /* the material is gone; id, name and attributes stay */
};

struct vd_kstore_key {
    uint8_t id[VD_KSTORE_ID_SIZE];
    struct vd_kstore_attributes attributes;
    enum vd_kstore_state state;
    uint32_t versions;   /* the newest is this number */
    uint64_t generation; /* rises with each change of the key or one of its versions */
    uint32_t attached;   /* how many attachments it has */
    /* Rises with each change of the key, its versions or attachments. A store that was closed may
     * say one of before again, but then all is as it was then if `attached` is the same, too. */
    uint64_t revision;
    uint64_t created;
    uint64_t destroy_at; /* when scheduled: at the end of the grace; when destroyed: when it was */
    uint64_t used;       /* uses reserved so far */
};

/* A new key or version: `material` may be empty (a public key alone) and `public_part` too. */
struct vd_kstore_new {
    const struct vd_kstore_attributes *attributes; /* not looked at by vd_kstore_rotate */
    const struct vd_secret *material;
    const void *public_part;
    size_t public_size;
    uint64_t now;
};

/*
 * Makes `count` keys (at most VD_KSTORE_BATCH_MAX), all or none, with version 1 each. Their ids go
 * to `ret_ids`. VD_E_EXISTS: a name is taken.
 */
vd_status vd_kstore_create(struct vd_kstore *store, const struct vd_kstore_new *keys, size_t count,
                           uint8_t (*ret_ids)[VD_KSTORE_ID_SIZE], struct vd_diag *diag);

/* Adds a version; `ret_version` is its number. VD_E_USAGE while the key is to be destroyed. */
vd_status vd_kstore_rotate(struct vd_kstore *store, const uint8_t id[VD_KSTORE_ID_SIZE],
                           const struct vd_kstore_new *version, uint32_t *ret_version,
                           struct vd_diag *diag);

/*
 * Replaces the attributes and writes every version anew under them. VD_E_USAGE if what never
 * changes would; VD_E_RANGE if min_decrypt_version is not one of the versions. If anything becomes
 * stricter, or the label changes, the counter is raised.
 */
vd_status vd_kstore_set(struct vd_kstore *store, const uint8_t id[VD_KSTORE_ID_SIZE],
                        const struct vd_kstore_attributes *attributes, uint64_t now,
                        struct vd_diag *diag);

/*
 * Destroys version `version` alone, at once: its material is gone from the file when this returns.
 * VD_E_USAGE for the newest version.
 */
vd_status vd_kstore_destroy_version(struct vd_kstore *store, const uint8_t id[VD_KSTORE_ID_SIZE],
                                    uint32_t version, uint64_t now, struct vd_diag *diag);

/* The key is to be destroyed at `at`, not before now. Again: moves it. Raises the counter. */
vd_status vd_kstore_schedule(struct vd_kstore *store, const uint8_t id[VD_KSTORE_ID_SIZE],
                             uint64_t at, uint64_t now, struct vd_diag *diag);

/* Takes that back. VD_E_REVOKED once the time has come, whatever the clock says since. */
vd_status vd_kstore_undo(struct vd_kstore *store, const uint8_t id[VD_KSTORE_ID_SIZE], uint64_t now,
                         struct vd_diag *diag);

/*
 * Destroys the keys whose time has come, with their attachments: material overwritten, the
 * write-ahead log emptied, the counter raised. `ret_count` says how many; 0 costs nothing. Called
 * again after a failure it empties the log that could not be emptied before.
 */
vd_status vd_kstore_purge(struct vd_kstore *store, uint64_t now, size_t *ret_count,
                          struct vd_diag *diag);

/*
 * A key by its name or id: a copy, about a microsecond at 100,000 keys. A name that only
 * destroyed keys had gives the newest of them.
 */
vd_status vd_kstore_find(struct vd_kstore *store, const char *name, struct vd_kstore_key *ret);
vd_status vd_kstore_get(struct vd_kstore *store, const uint8_t id[VD_KSTORE_ID_SIZE],
                        struct vd_kstore_key *ret);

/*
 * Up to `max` keys whose name begins with `prefix` ("" for all), by name and then id, behind the
 * key `after` (NULL: from the start; it need not exist any more). `ret_count` < `max`: the end.
 */
struct vd_kstore_page {
    const char *prefix;
    const struct vd_kstore_key *after;
    struct vd_kstore_key *keys;
    size_t max;
};
vd_status vd_kstore_list(struct vd_kstore *store, const struct vd_kstore_page *page,
                         size_t *ret_count);

struct vd_kstore_version {
    uint32_t version;
    bool destroyed;
    uint64_t created;
    uint32_t material_size; /* 0: a public key alone, or destroyed */
    uint32_t public_size;
};

vd_status vd_kstore_version(struct vd_kstore *store, const uint8_t id[VD_KSTORE_ID_SIZE],
                            uint32_t version, struct vd_kstore_version *ret);

/*
 * The material of a version (0: the newest) into `ret`, empty before. It is opened whatever the
 * key's state, times and minimum version say, as long as it is not destroyed: undo and the
 * caller's own rules need that. `material` of no bytes: a public key alone.
 */
vd_status vd_kstore_load(struct vd_kstore *store, const uint8_t id[VD_KSTORE_ID_SIZE],
                         uint32_t version, struct vd_secret *ret, struct vd_diag *diag);

/* The public part of a version (0: the newest), which the caller frees; empty if it has none. */
vd_status vd_kstore_public(struct vd_kstore *store, const uint8_t id[VD_KSTORE_ID_SIZE],
                           uint32_t version, struct vd_bytes *ret, struct vd_diag *diag);

/*
 * Reserves up to `want` uses of a key with a limit, durably: the caller may then use it so often
 * without asking again. What it does not use before it ends counts as used, unless given back
 * with vd_kstore_release. VD_E_LIMIT: none is left. A key without a limit: VD_E_USAGE.
 */
vd_status vd_kstore_reserve(struct vd_kstore *store, const uint8_t id[VD_KSTORE_ID_SIZE],
                            uint64_t want, uint64_t *ret_granted, struct vd_diag *diag);
vd_status vd_kstore_release(struct vd_kstore *store, const uint8_t id[VD_KSTORE_ID_SIZE],
                            uint64_t unused, struct vd_diag *diag);

/* A value that belongs to a key: a certificate, a serial number, an object of PKCS#11. */
struct vd_kstore_attachment {
    uint16_t kind; /* the caller's */
    uint8_t name_size;
    uint8_t name[VD_KSTORE_ATTACH_NAME_MAX];
};

enum vd_kstore_attach_action {
    VD_KSTORE_PUT = 1,    /* make or replace */
    VD_KSTORE_ADD = 2,    /* make; VD_E_EXISTS if it is there */
    VD_KSTORE_REMOVE = 3, /* VD_E_NOT_FOUND if it is not */
};

struct vd_kstore_attach {
    enum vd_kstore_attach_action action;
    struct vd_kstore_attachment what; /* each of them once in a change */
    const void *value;
    size_t size;
};

/*
 * Changes `count` attachments of a key, all or none. `final`: the change must not be undone by an
 * older store (a revocation): the counter is raised.
 */
struct vd_kstore_attach_change {
    const struct vd_kstore_attach *list;
    size_t count;
    bool final;
    uint64_t now;
};
vd_status vd_kstore_attach(struct vd_kstore *store, const uint8_t id[VD_KSTORE_ID_SIZE],
                           const struct vd_kstore_attach_change *change, struct vd_diag *diag);

/* The value, which the caller frees. */
vd_status vd_kstore_attached(struct vd_kstore *store, const uint8_t id[VD_KSTORE_ID_SIZE],
                             const struct vd_kstore_attachment *what, struct vd_bytes *ret,
                             struct vd_diag *diag);

/* Up to `max` attachments by kind and then name, behind `after` (NULL: from the start). */
struct vd_kstore_attach_page {
    const struct vd_kstore_attachment *after;
    struct vd_kstore_attachment *list;
    size_t max;
};
vd_status vd_kstore_attachments(struct vd_kstore *store, const uint8_t id[VD_KSTORE_ID_SIZE],
                                const struct vd_kstore_attach_page *page, size_t *ret_count);

/*
 * Writes a consistent copy to the file `path` (mode 0600), which appears whole or not at all;
 * changes go on meanwhile. A kill can leave `path`.XXXXXX beside it. The copy opens with the same
 * root, as an older store.
 */
vd_status vd_kstore_backup(struct vd_kstore *store, const char *path, struct vd_diag *diag);

/*
 * Puts everything under the root key `root` (borrowed from then on instead of the old one) and
 * empties the write-ahead log. One change: after a crash the store opens with the one root or the
 * other, so the caller keeps both until this returns. 100,000 keys take seconds.
 */
vd_status vd_kstore_change_root(struct vd_kstore *store, const struct vd_secret *root, uint64_t now,
                                struct vd_diag *diag);

#endif
