/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One connection: who it is, the subjects, objects and classes that it named,
 * and the answer that it has not taken yet. Everything is bounded, by
 * connection and by user, and ends with the connection.
 */
#ifndef VD_SERVICES_SECURITY_CLIENT_H
#define VD_SERVICES_SECURITY_CLIENT_H

#include "core/abi/security.h"
#include "lib/ipc/socket.h"
#include "services/security/contexts.h"

#define VD_SECD_CLIENTS_MAX      512u
#define VD_SECD_CLIENTS_RESERVED 16u  /* of them, for administrators alone */
#define VD_SECD_CLIENTS_USER     128u /* of one user that is no administrator */
#define VD_SECD_ENTITIES_MAX     8192u
#define VD_SECD_CLASSES_MAX      256u
#define VD_SECD_TEXT_BYTES       (1u << 20)  /* of contexts and names of one connection, */
#define VD_SECD_USER_TEXT_BYTES  (16u << 20) /* and of all those of one user */
#define VD_SECD_ANSWER_WAIT_MS   10000u      /* for an answer to be taken */

/* A subject or object. */
struct vd_secd_entity {
    uint32_t kind; /* enum vd_sec_kind; 0: free */
    struct vd_secd_context *context;
};

/* A class as the client named it, and what it means under the policy in force. */
struct vd_secd_class {
    char *names; /* owned: the class's name, then the permissions', each ends with NUL */
    size_t names_size;
    uint32_t perm_count;
    uint64_t stamp;                  /* of the policy of what follows */
    uint32_t number;                 /* 0: the policy has no such class */
    uint32_t unknown;                /* the client's bits that the policy does not have */
    uint32_t mask[VD_SEC_PERMS_MAX]; /* by the client's bit: the policy's; 0: it has none */
};

struct vd_secd_client {
    int fd;
    uint64_t number; /* no other connection ever has it */
    struct vd_ipc_peer peer;
    bool admin;
    char *context;                   /* owned: as the kernel says; NULL: it says nothing */
    bool waiting;                    /* for a change of policy: nothing is read meanwhile */
    bool dead;                       /* to be freed when no event refers to it any more */
    struct vd_secd_entity *entities; /* owned */
    uint32_t entity_count;           /* rows, free ones too */
    uint32_t entity_free;            /* free rows among them */
    size_t text_bytes;               /* of contexts that it refers to, and of names of classes */
    struct vd_secd_class *classes;   /* owned */
    uint32_t class_count;
    uint8_t *answer; /* owned: payload of an answer that the socket does not take; NULL: none */
    struct vd_ipc_frame answer_frame;
    uint64_t answer_deadline_ns;
};

/* VD_E_NO_MEMORY. `fd` becomes the client's. */
vd_status vd_secd_client_new(int fd, const struct vd_ipc_peer *peer, struct vd_secd_client **ret);

/* Frees it with everything that it registered. */
void vd_secd_client_free(struct vd_secd_client *client, struct vd_secd_contexts *contexts);

/* A new subject or object; the use of `context` becomes its own. VD_E_LIMIT. */
vd_status vd_secd_client_add(struct vd_secd_client *client, enum vd_sec_kind kind,
                             struct vd_secd_context *context, uint32_t *ret_id,
                             struct vd_diag *diag);

/* The subject or object of that number (`kind` 0: either), borrowed; VD_E_NOT_FOUND. */
vd_status vd_secd_client_entity(struct vd_secd_client *client, uint32_t id, uint32_t kind,
                                struct vd_secd_entity **ret, struct vd_diag *diag);

/* Room for a text in place of another one (0: none); VD_E_LIMIT. */
vd_status vd_secd_client_charge(struct vd_secd_client *client, size_t size, size_t instead,
                                struct vd_diag *diag);

/* Adds a class; `names` becomes the client's on VD_OK. The same class again gives the same number. */
vd_status vd_secd_client_add_class(struct vd_secd_client *client, const struct vd_secd_class *class,
                                   uint32_t *ret_id, struct vd_diag *diag);

/* The class of that number with its meaning under `db`, borrowed; VD_E_NOT_FOUND. */
vd_status vd_secd_client_class(struct vd_secd_client *client, uint32_t id,
                               const struct vd_policydb *db, uint64_t stamp,
                               struct vd_secd_class **ret);

#endif
