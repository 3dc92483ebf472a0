/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * DER as far as keys and signatures need it (X.690, 10 and 11): one-byte tags, definite lengths
 * in their shortest form. Whatever has a second encoding is VD_E_ENCODING.
 */
#ifndef VD_SERVICES_CRYPTO_ALG_DER_H
#define VD_SERVICES_CRYPTO_ALG_DER_H

#include "core/base/reader.h"
#include "core/base/writer.h"

enum vd_der_tag {
    VD_DER_INTEGER = 0x02,
    VD_DER_BITS = 0x03,
    VD_DER_OCTETS = 0x04,
    VD_DER_NULL = 0x05,
    VD_DER_OID = 0x06,
    VD_DER_SEQUENCE = 0x30,
    VD_DER_CONTEXT = 0x80, /* [0], primitive; + 1: [1] */
    VD_DER_CONTEXT_SET = 0xa0,
};

/* The tag that comes next; 0 at the end. */
uint8_t vd_der_peek(const struct vd_reader *reader);

/* Takes an element with this tag and lends its content. VD_E_ENCODING. */
vd_status vd_der_read(struct vd_reader *reader, uint8_t tag, struct vd_reader *ret);

/* As vd_der_read, and the content must be exactly `size` bytes. */
vd_status vd_der_read_exact(struct vd_reader *reader, uint8_t tag, size_t size,
                            const uint8_t **ret);

/* A non-negative INTEGER of at most `max` bytes, without its sign byte; zero is one byte. */
vd_status vd_der_read_unsigned(struct vd_reader *reader, size_t max, struct vd_reader *ret);

/* An INTEGER of one byte. */
vd_status vd_der_read_small(struct vd_reader *reader, uint8_t *ret);

/* A BIT STRING of whole bytes. */
vd_status vd_der_read_bits(struct vd_reader *reader, struct vd_reader *ret);

/* VD_OK if nothing is left, else VD_E_ENCODING. */
vd_status vd_der_done(const struct vd_reader *reader);

/* Bytes of an element with `size` bytes of content. */
size_t vd_der_size(size_t size);

/* Tag and length of an element whose `size` bytes the caller writes next. */
void vd_der_write(struct vd_writer *writer, uint8_t tag, size_t size);

/* Bytes of a non-negative INTEGER, and the INTEGER itself; `data` is big-endian. */
size_t vd_der_unsigned_size(const uint8_t *data, size_t size);
void vd_der_write_unsigned(struct vd_writer *writer, const uint8_t *data, size_t size);

#endif
