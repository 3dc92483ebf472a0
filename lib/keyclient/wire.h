/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The payloads of the key service's frames: structs to bytes and back, one pair of
 * functions a payload, for clients, the service and fuzz targets
 * (docs/formats/key-service.md).
 *
 * Integers are little-endian, texts are a u8 or u16 length and bytes. Reading checks every
 * count, size and text against core/abi/crypto.h and takes the payload to its end:
 * VD_E_TRUNCATED, VD_E_TRAILING, VD_E_LIMIT, VD_E_RANGE, VD_E_RESERVED, VD_E_INVALID (a
 * letter that a name cannot have), with the offset in the diagnostic. What was read borrows
 * the payload. Writing goes into a vd_writer, which counts what does not fit. No allocation,
 * any thread.
 */
#ifndef VD_LIB_KEYCLIENT_WIRE_H
#define VD_LIB_KEYCLIENT_WIRE_H

#include "core/abi/crypto.h"
#include "core/base/diag.h"
#include "core/base/reader.h"
#include "core/base/writer.h"

/* Bytes in the frame, or in a buffer that the connection shares. */
struct vd_key_part {
    const uint8_t *data; /* in the frame; NULL where `buffer` is meant */
    size_t size;
    uint32_t buffer; /* 0: in the frame */
    uint64_t offset; /* in the buffer */
};

/*
 * One operation with a key. What the parts are:
 *   encrypt, decrypt   text; aux: additional data, or OAEP's label; extra: nonce (AEAD_RAW)
 *   rewrap             text: ciphertext; aux: additional data
 *   sign, verify       text: message; aux: ML-DSA's context; extra: signature (verify)
 *   decapsulate        text: encapsulation
 *   derive (ECDH)      text: the peer's public key in `form`; with a `length`, the result goes
 *                      through HKDF with aux: salt, extra: info
 *   derive (HKDF)      aux: salt; extra: info; `length` bytes
 *   wrap               other: the handle of the key that goes out; aux: additional data
 *   stream-seal        length: of a chunk; aux: additional data
 *   stream-open        text: header; aux: additional data
 *   stream-next        text: the chunk
 */
struct vd_key_op {
    uint32_t handle;
    uint32_t version;   /* 0: the newest, or the one that the ciphertext names */
    uint16_t mechanism; /* enum vd_alg_mechanism */
    uint16_t form;      /* enum vd_alg_form; 0 where none is meant */
    uint32_t length;
    uint32_t other;
    struct vd_key_part text, aux, extra;
    struct vd_key_part out; /* buffer 0: the result comes in the frame, else size: room there */
};

/* Its answer. */
struct vd_key_result {
    uint32_t version;          /* the key's that served; stream-open: bytes of a chunk */
    uint32_t number;           /* stream-seal, stream-open: the stream; else 0 */
    struct vd_key_part out;    /* where the request said */
    struct vd_key_part second; /* encapsulate: the shared secret; in the frame */
};

/* Attributes. Texts end with NUL. */
struct vd_key_attributes {
    char name[VD_KEY_NAME_MAX + 1];
    char domain[VD_KEY_DOMAIN_MAX + 1];  /* empty: "default" */
    char service[VD_KEY_DOMAIN_MAX + 1]; /* empty: "default" */
    char label[VD_KEY_LABEL_MAX + 1];    /* empty: the service's standard label */
    uint16_t type;                       /* enum vd_alg_type */
    uint32_t usages;                     /* bits of enum vd_alg_usage; 0: the type's standard */
    uint32_t flags;                      /* VD_KEY_NON_EXPORTABLE, … */
    uint32_t min_decrypt_version;        /* 0 in a request that makes a key */
    uint64_t not_before, not_after;      /* seconds since 1970; 0: none */
    uint64_t usage_limit;                /* operations; 0: none */
};

/* What the service says of a key. */
struct vd_key_info {
    struct vd_key_attributes attributes;
    uint8_t id[VD_KEY_ID_SIZE];
    uint8_t state;       /* enum vd_key_state */
    uint32_t versions;   /* the newest one's number */
    uint64_t created;    /* seconds since 1970 */
    uint64_t destroy_at; /* 0: not to be destroyed */
    uint64_t used;       /* operations reserved so far, of a key with a limit */
    uint32_t attached;   /* how many attachments it has */
    /* Another one after each change of the key, its versions or attachments. While both stay the
     * same, so does all that. An older store that was accepted begins anew. */
    uint64_t revision;
};

struct vd_key_version {
    uint32_t version;
    uint8_t destroyed; /* 0 or 1 */
    uint64_t created;
};

struct vd_key_attach {
    uint8_t action; /* enum vd_key_attach_action */
    uint16_t kind;  /* enum vd_key_attachment */
    char name[VD_KEY_ATTACHMENT_NAME + 1];
    const uint8_t *value;
    size_t size;
};

/* True for 1 to `max` letters, digits, '.', '_', '-', '/' (and ':' with `colon`). */
bool vd_key_name_valid(const char *name, size_t max, bool colon);

/* Operations (all verbs whose payload is one), alone or as an item of a batch. */
void vd_key_write_op(struct vd_writer *w, const struct vd_key_op *op);
vd_status vd_key_read_op(struct vd_reader *r, struct vd_key_op *ret, struct vd_diag *diag);
void vd_key_write_result(struct vd_writer *w, const struct vd_key_result *result);
vd_status vd_key_read_result(struct vd_reader *r, struct vd_key_result *ret, struct vd_diag *diag);

void vd_key_write_attributes(struct vd_writer *w, const struct vd_key_attributes *a);
vd_status vd_key_read_attributes(struct vd_reader *r, struct vd_key_attributes *ret,
                                 struct vd_diag *diag);
void vd_key_write_info(struct vd_writer *w, const struct vd_key_info *info);
vd_status vd_key_read_info(struct vd_reader *r, struct vd_key_info *ret, struct vd_diag *diag);
void vd_key_write_version(struct vd_writer *w, const struct vd_key_version *version);
vd_status vd_key_read_version(struct vd_reader *r, struct vd_key_version *ret,
                              struct vd_diag *diag);
void vd_key_write_attach(struct vd_writer *w, const struct vd_key_attach *attach);
vd_status vd_key_read_attach(struct vd_reader *r, struct vd_key_attach *ret, struct vd_diag *diag);

/* A text of 0 to `max` bytes without NUL, which goes to `ret` (max + 1 bytes) with one behind it. */
void vd_key_write_text(struct vd_writer *w, const char *text);
vd_status vd_key_read_text(struct vd_reader *r, size_t max, char *ret, struct vd_diag *diag);

/* Bytes with their size in front (u32); what was read borrows. */
void vd_key_write_data(struct vd_writer *w, const void *data, size_t size);
vd_status vd_key_read_data(struct vd_reader *r, const uint8_t **ret, size_t *ret_size,
                           struct vd_diag *diag);

/* A number, with the diagnostic's place. */
vd_status vd_key_read_u8(struct vd_reader *r, uint8_t *ret, struct vd_diag *diag);
vd_status vd_key_read_u16(struct vd_reader *r, uint16_t *ret, struct vd_diag *diag);
vd_status vd_key_read_u32(struct vd_reader *r, uint32_t *ret, struct vd_diag *diag);
vd_status vd_key_read_u64(struct vd_reader *r, uint64_t *ret, struct vd_diag *diag);

/* The payload's end. */
vd_status vd_key_read_end(struct vd_reader *r, struct vd_diag *diag);

#endif
