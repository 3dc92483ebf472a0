/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The heads of the store's rows and the content of its header as bytes
 * (docs/formats/key-store.md). Everything read here has been authenticated or will be before it
 * is believed; the bounds hold all the same.
 *
 * Threads: no state.
 */
#ifndef VD_SERVICES_CRYPTO_STORE_RECORD_H
#define VD_SERVICES_CRYPTO_STORE_RECORD_H

#include "core/base/writer.h"
#include "services/crypto/store/store.h"

#define VD_KREC_FORMAT         1u
#define VD_KREC_HEAD_MAX       704u
#define VD_KREC_ATTRIBUTES_MAX 640u
#define VD_KREC_VERSION_HEAD   47u /* always: a version's row keeps its size for good */
#define VD_KREC_SALT_SIZE      32u
#define VD_KREC_TAG_SIZE       16u /* of AES-256-GCM */
#define VD_KREC_MAC_SIZE       32u
#define VD_KREC_WRAP_OVERHEAD  (VD_KREC_SALT_SIZE + VD_KREC_TAG_SIZE)
#define VD_KREC_HEADER_CLEAR   60u /* magic, format, store id, salt */
#define VD_KREC_HEADER_PLAIN   77u
#define VD_KREC_HEADER_SIZE    (VD_KREC_HEADER_CLEAR + VD_KREC_HEADER_PLAIN + VD_KREC_TAG_SIZE)
#define VD_KREC_MAGIC          "VDKEYST\n" /* 8 bytes, no NUL */

/* The tables, by the number that stands in each row's head. */
enum vd_krec_table {
    VD_KREC_KEY = 1,
    VD_KREC_VERSION = 2,
    VD_KREC_ATTACHMENT = 3,
    VD_KREC_USAGE = 4,
    VD_KREC_TABLES, /* one more than the last */
};

/* What a row's head says; the parts of other tables are zero. */
struct vd_krec {
    enum vd_krec_table table;
    uint8_t id[VD_KSTORE_ID_SIZE]; /* of the key it belongs to */
    uint64_t generation;           /* of the change that wrote the row */
    union {
        struct {
            struct vd_kstore_attributes attributes;
            enum vd_kstore_state state;
            uint32_t versions;
            uint64_t created;
            uint64_t destroy_at;
        } key;
        struct {
            uint32_t version;
            bool destroyed;
            uint64_t created;
            uint32_t public_size;
            uint32_t material_size;
        } version;
        struct {
            struct vd_kstore_attachment what;
            uint32_t size;
        } attachment;
        struct {
            uint64_t reserved;
        } usage;
    };
};

/* A row as it stands in its table, borrowed. */
struct vd_krec_row {
    int64_t seq; /* its number, the primary key */
    const uint8_t *head;
    size_t head_size;
    const uint8_t *tag; /* VD_KREC_MAC_SIZE bytes; NULL where there is no body */
    const uint8_t *body;
    size_t body_size;
};

/* What the header's row hides. */
struct vd_krec_header {
    uint64_t generation;
    uint64_t rows;
    uint8_t set[VD_KREC_MAC_SIZE];
    bool has_counter;
    uint64_t expected; /* value of the counter */
    uint64_t latest_time;
    uint32_t restored;
    uint64_t created;
};

/* VD_OK if the attributes are as store.h says, else VD_E_INVALID. */
vd_status vd_krec_attributes_check(const struct vd_kstore_attributes *a, struct vd_diag *diag);

/* The bytes that bind a blob to its key's attributes. */
void vd_krec_attributes_encode(const struct vd_kstore_attributes *a, struct vd_writer *w);

void vd_krec_encode(const struct vd_krec *record, struct vd_writer *w);

/* Reads a whole head. The diagnostic has the offset. */
vd_status vd_krec_parse(const void *data, size_t size, struct vd_krec *ret, struct vd_diag *diag);

/* Bytes that the row's body has. */
size_t vd_krec_body_size(const struct vd_krec *record);

/* A key's name in the head that vd_krec_parse took, without parsing it again. */
const char *vd_krec_name(const uint8_t *head, size_t *ret_size);

void vd_krec_header_encode(const struct vd_krec_header *header, struct vd_writer *w);
vd_status vd_krec_header_parse(const void *data, size_t size, struct vd_krec_header *ret,
                               struct vd_diag *diag);

#endif
