/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the security server remembers beside the policies themselves: which one
 * is in force, which ones came before, which one is staged, until when a load
 * must be confirmed, and the booleans that were set (docs/formats/security-store.md).
 */
#ifndef VD_SERVICES_SECURITY_STATE_H
#define VD_SERVICES_SECURITY_STATE_H

#include "core/base/diag.h"
#include "core/base/writer.h"
#include "core/policydb/policydb.h"

#define VD_SECD_STATE_MAGIC "VDSECST\n" /* 8 bytes, no NUL */
#define VD_SECD_HISTORY     4u          /* policies kept for rollback */
#define VD_SECD_BOOT_ID     16u
#define VD_SECD_STATE_MAX   (2u << 20)

/* A boolean that was set, by its name: it outlives the policy. */
struct vd_secd_bool {
    char name[VD_PDB_MAX_NAME + 1];
    bool value;
    bool persistent; /* else forgotten when the server ends */
};

struct vd_secd_state {
    uint32_t sequence; /* of the policy in force: one more with each change */
    uint64_t next;     /* number of the next policy file */
    uint64_t active;   /* number of the file in force; 0: none */
    uint64_t staged;   /* checked, waiting for commit; 0: none */
    uint32_t history_count;
    uint64_t history[VD_SECD_HISTORY]; /* newest first */
    bool unconfirmed;                  /* goes back to history[0] at the deadline */
    uint64_t deadline_ns;              /* CLOCK_BOOTTIME of that boot */
    uint8_t boot_id[VD_SECD_BOOT_ID];
    uint32_t bool_count;
    struct vd_secd_bool *bools; /* owned */
};

/* A deep copy; VD_E_NO_MEMORY. */
vd_status vd_secd_state_copy(const struct vd_secd_state *state, struct vd_secd_state *ret);
void vd_secd_state_done(struct vd_secd_state *state);

/* Sets a boolean, or adds it; VD_E_LIMIT beyond VD_PDB_MAX_BOOLS. */
vd_status vd_secd_state_set(struct vd_secd_state *state, const char *name, bool value,
                            bool persistent);

/* The boolean of that name, NULL if it was never set. */
const struct vd_secd_bool *vd_secd_state_find(const struct vd_secd_state *state, const char *name);

/* Puts `number` in force and the one before into the history. */
void vd_secd_state_push(struct vd_secd_state *state, uint64_t number);

/* Puts the newest of the history in force; VD_E_NOT_FOUND if there is none. */
vd_status vd_secd_state_pop(struct vd_secd_state *state);

/* True if the policy file `number` is needed. */
bool vd_secd_state_refers(const struct vd_secd_state *state, uint64_t number);

/* Writes the bytes, without the booleans that are not persistent. */
void vd_secd_state_encode(const struct vd_secd_state *state, struct vd_writer *w);

/* Reads them; the caller ends `ret` with vd_secd_state_done. The diagnostic has the offset. */
vd_status vd_secd_state_parse(const void *data, size_t size, struct vd_secd_state *ret,
                              struct vd_diag *diag);

#endif
