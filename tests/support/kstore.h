/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A key store in a directory of its own, for tests: opened with a counter that lives in memory,
 * and keys whose material follows from their name and version, so that any process can tell
 * whether a key is right.
 */
#ifndef VD_TESTS_SUPPORT_KSTORE_H
#define VD_TESTS_SUPPORT_KSTORE_H

#include "services/crypto/store/store.h"
#include "tests/harness.h"

#define VD_KST_NOW 1700000000u

struct vd_kst_counter {
    uint64_t value;
    vd_status read_fails;      /* VD_OK: it works */
    vd_status increment_fails; /* the same */
    bool lost;                 /* increments, and then says that it failed */
};

struct vd_kst {
    char directory[128];
    struct vd_secret root;
    struct vd_kst_counter memory;
    struct vd_kst_counter *shared_counter; /* NULL: `memory` */
    struct vd_kstore_counter counter;
    const char *vfs;
    uint32_t flags;
    bool with_counter;
    uint64_t now;
    struct vd_kstore *store;
    struct vd_diag diag; /* of the last call of these functions */
};

/* Names an own directory; nothing is made yet. */
void vd_kst_init(struct vd_kst *t, bool with_counter);
void vd_kst_done(struct vd_kst *t);

/* Opens, with VD_KSTORE_CREATE; closes what was open. */
vd_status vd_kst_open(struct vd_kst *t);
void vd_kst_close(struct vd_kst *t);

/* Attributes of a key of that name. */
struct vd_kstore_attributes vd_kst_attributes(const char *name);

/* The bytes of a version of the key of that name. */
void vd_kst_material(const char *name, uint32_t version, struct vd_secret *ret, size_t size);

/* Makes a key of 32 bytes with a public part that is its name; the test fails if it cannot. */
void vd_kst_create(struct vd_kst *t, const char *name, uint8_t id[VD_KSTORE_ID_SIZE]);
vd_status vd_kst_try_create(struct vd_kst *t, const char *name, uint8_t id[VD_KSTORE_ID_SIZE]);
vd_status vd_kst_rotate(struct vd_kst *t, const char *name);

/* VD_OK if every version that is not destroyed opens to its bytes; VD_E_DIFFERS for others. */
vd_status vd_kst_check(struct vd_kst *t, const char *name);

struct vd_kstore_attach vd_kst_attachment(enum vd_kstore_attach_action action, uint16_t kind,
                                          const char *name, const void *value, size_t size);
vd_status vd_kst_attach(struct vd_kst *t, const uint8_t *id, const struct vd_kstore_attach *list,
                        size_t count);

/* The path of a file in the directory. */
const char *vd_kst_path(const struct vd_kst *t, const char *file);

/* Replaces the store's files by copies of them made before, in memory. */
struct vd_kst_files {
    struct vd_bytes db, wal;
};
void vd_kst_save(const struct vd_kst *t, struct vd_kst_files *ret);
void vd_kst_restore(const struct vd_kst *t, const struct vd_kst_files *files);
void vd_kst_files_free(struct vd_kst_files *files);

/* How many times these bytes stand in the store's files. */
size_t vd_kst_count(const struct vd_kst *t, const void *what, size_t size);

/* Runs SQL on the store's file, as an attacker would; the store is closed. */
void vd_kst_sql(const struct vd_kst *t, const char *sql);

/* Ends the test with the call and the diagnostic of `t` unless it is VD_OK. */
#define VD_KST_OK(t, call)                                                             \
    do {                                                                               \
        vd_status ok_ = (call);                                                        \
        if (ok_ != VD_OK)                                                              \
            vd_test_fail(__FILE__, __LINE__, "%s: %s: %s", #call, vd_status_name(ok_), \
                         (t).diag.text);                                               \
    } while (0)

#endif
