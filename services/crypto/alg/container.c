/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "services/crypto/alg/container.h"

#include <string.h>

#include "lib/diagf.h"

#define PUBLIC_DER_MAX 4096u

/* What an AlgorithmIdentifier contains: the object identifier and its parameters. */
#define ROW(type, bytes) [type] = {sizeof(bytes) - 1, bytes}
static const struct {
    size_t size;
    const char *bytes;
} algorithms[VD_ALG_TYPE_COUNT] = {
    ROW(VD_ALG_RSA_4096, "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00"),
    ROW(VD_ALG_ECDSA_P256,
        "\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"),
    ROW(VD_ALG_ED25519, "\x06\x03\x2b\x65\x70"),
    ROW(VD_ALG_X25519, "\x06\x03\x2b\x65\x6e"),
    ROW(VD_ALG_ML_KEM_768, "\x06\x09\x60\x86\x48\x01\x65\x03\x04\x04\x02"),
    ROW(VD_ALG_ML_DSA_65, "\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x12"),
    ROW(VD_ALG_X_WING, "\x06\x0b\x2b\x06\x01\x04\x01\x83\xe6\x2d\x81\xc8\x7a"),
};

vd_status vd_alg_bad_der(const char *what, struct vd_diag *diag)
{
    return vd_diagf(diag, VD_E_ENCODING, "%s is not in the one form that DER gives it", what);
}

static vd_status read_algorithm(enum vd_alg_type type, struct vd_reader *r, struct vd_diag *diag)
{
    struct vd_reader algorithm, rest, oid;

    if (vd_der_read(r, VD_DER_SEQUENCE, &algorithm) != VD_OK)
        return vd_alg_bad_der("the algorithm identifier", diag);
    if (vd_reader_left(&algorithm) == algorithms[type].size &&
        memcmp(algorithm.pos, algorithms[type].bytes, algorithms[type].size) == 0)
        return VD_OK;
    rest = algorithm;
    if (vd_der_read(&rest, VD_DER_OID, &oid) != VD_OK || vd_reader_left(&oid) == 0)
        return vd_alg_bad_der("the algorithm identifier", diag);
    return vd_diagf(diag, VD_E_KEY_TYPE, "the key's algorithm is not the one of %s",
                    vd_alg_info(type)->name);
}

static vd_status bounded(const struct vd_alg_bytes *from, size_t max, struct vd_diag *diag)
{
    if (from->size > max)
        return vd_diagf(diag, VD_E_LIMIT, "a key of %zu bytes; at most %zu", from->size, max);
    return VD_OK;
}

vd_status vd_alg_pkcs8_read(enum vd_alg_type type, const struct vd_alg_bytes *from,
                            struct vd_alg_private *ret, struct vd_diag *diag)
{
    struct vd_reader whole, r;
    struct vd_alg_private key = {};
    uint8_t version = 0;

    VD_TRY(bounded(from, VD_ALG_PKCS8_MAX, diag));
    vd_reader_init(&whole, from->data, from->size);
    if (vd_der_read(&whole, VD_DER_SEQUENCE, &r) != VD_OK || vd_der_done(&whole) != VD_OK ||
        vd_der_read_small(&r, &version) != VD_OK || version > 1)
        return vd_alg_bad_der("PrivateKeyInfo", diag);
    VD_TRY(read_algorithm(type, &r, diag));
    if (vd_der_read(&r, VD_DER_OCTETS, &key.key) != VD_OK)
        return vd_alg_bad_der("privateKey", diag);
    vd_reader_init(&key.public, NULL, 0);
    if (version == 1) {
        struct vd_reader bits;
        uint8_t unused = 1;
        if (vd_der_read(&r, VD_DER_CONTEXT + 1, &bits) != VD_OK ||
            vd_read_u8(&bits, &unused) != VD_OK || unused != 0)
            return vd_alg_bad_der("publicKey", diag);
        key.public = bits;
    }
    if (vd_der_done(&r) != VD_OK)
        return vd_diag_fail(diag, VD_E_ENCODING, "PrivateKeyInfo has more than a key in it");
    *ret = key;
    return VD_OK;
}

vd_status vd_alg_spki_read(enum vd_alg_type type, const struct vd_alg_bytes *from,
                           struct vd_reader *ret, struct vd_diag *diag)
{
    struct vd_reader whole, r, bits;

    VD_TRY(bounded(from, PUBLIC_DER_MAX, diag));
    vd_reader_init(&whole, from->data, from->size);
    if (vd_der_read(&whole, VD_DER_SEQUENCE, &r) != VD_OK || vd_der_done(&whole) != VD_OK)
        return vd_alg_bad_der("SubjectPublicKeyInfo", diag);
    VD_TRY(read_algorithm(type, &r, diag));
    if (vd_der_read_bits(&r, &bits) != VD_OK || vd_der_done(&r) != VD_OK)
        return vd_alg_bad_der("subjectPublicKey", diag);
    *ret = bits;
    return VD_OK;
}

vd_status vd_alg_pkcs8_write(enum vd_alg_type type, const struct vd_secret *key,
                             struct vd_secret *ret, struct vd_diag *diag)
{
    size_t algorithm = algorithms[type].size;
    size_t inside = 3 + vd_der_size(algorithm) + vd_der_size(key->size);
    struct vd_writer w;

    VD_TRY(vd_secret_init(ret, vd_der_size(inside), diag));
    vd_writer_init(&w, ret->data, ret->size);
    vd_der_write(&w, VD_DER_SEQUENCE, inside);
    vd_der_write_unsigned(&w, (const uint8_t *)"", 1);
    vd_der_write(&w, VD_DER_SEQUENCE, algorithm);
    vd_write_bytes(&w, algorithms[type].bytes, algorithm);
    vd_der_write(&w, VD_DER_OCTETS, key->size);
    vd_write_bytes(&w, key->data, key->size);
    return vd_write_done(&w);
}

vd_status vd_alg_element(uint8_t tag, const struct vd_secret *content, struct vd_secret *ret,
                         struct vd_diag *diag)
{
    struct vd_writer w;

    VD_TRY(vd_secret_init(ret, vd_der_size(content->size), diag));
    vd_writer_init(&w, ret->data, ret->size);
    vd_der_write(&w, tag, content->size);
    vd_write_bytes(&w, content->data, content->size);
    return vd_write_done(&w);
}

vd_status vd_alg_spki_write(enum vd_alg_type type, const struct vd_alg_bytes *key,
                            struct vd_alg_buffer *out, struct vd_diag *diag)
{
    size_t algorithm = algorithms[type].size;
    size_t inside = vd_der_size(algorithm) + vd_der_size(key->size + 1);
    struct vd_writer w;

    out->size = vd_der_size(inside);
    if (out->room < out->size)
        return vd_diagf(diag, VD_E_NO_SPACE, "room for %zu bytes; %zu are needed", out->room,
                        out->size);
    vd_writer_init(&w, out->data, out->size);
    vd_der_write(&w, VD_DER_SEQUENCE, inside);
    vd_der_write(&w, VD_DER_SEQUENCE, algorithm);
    vd_write_bytes(&w, algorithms[type].bytes, algorithm);
    vd_der_write(&w, VD_DER_BITS, key->size + 1);
    vd_write_u8(&w, 0);
    vd_write_bytes(&w, key->data, key->size);
    return vd_write_done(&w);
}

vd_status vd_alg_lattice_read(struct vd_reader *from, size_t seed_size, size_t expanded_size,
                              struct vd_alg_lattice *ret, struct vd_diag *diag)
{
    struct vd_alg_lattice key = {};
    struct vd_reader both;
    uint8_t tag = vd_der_peek(from);
    bool good = false;

    if (tag == VD_DER_CONTEXT)
        good = vd_der_read_exact(from, VD_DER_CONTEXT, seed_size, &key.seed) == VD_OK;
    else if (tag == VD_DER_OCTETS)
        good = vd_der_read_exact(from, VD_DER_OCTETS, expanded_size, &key.expanded) == VD_OK;
    else
        good = vd_der_read(from, VD_DER_SEQUENCE, &both) == VD_OK &&
               vd_der_read_exact(&both, VD_DER_OCTETS, seed_size, &key.seed) == VD_OK &&
               vd_der_read_exact(&both, VD_DER_OCTETS, expanded_size, &key.expanded) == VD_OK &&
               vd_der_done(&both) == VD_OK;
    if (!good || vd_der_done(from) != VD_OK)
        return vd_alg_bad_der("the private key", diag);
    *ret = key;
    return VD_OK;
}
