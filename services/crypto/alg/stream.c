/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Large data in chunks: the STREAM construction under a key of the stream's own. */
#include "services/crypto/alg/internal.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "services/crypto/alg/format.h"

#define SALT_SIZE 32u

struct vd_alg_stream {
    struct vd_alg_key *key;
    EVP_CIPHER_CTX *cipher;
    bool opens; /* decrypts */
    bool ended; /* the last chunk went through */
    bool spent; /* it failed */
    uint32_t chunk_size;
    uint64_t index;
};

void vd_alg_stream_free(struct vd_alg_stream *stream)
{
    if (stream == NULL)
        return;
    EVP_CIPHER_CTX_free(stream->cipher);
    vd_alg_key_free(stream->key);
    free(stream);
}

struct parts {
    uint32_t version;
    uint32_t chunk_size;
    uint8_t salt[SALT_SIZE];
    uint8_t aad[VD_ALG_DIGEST_SIZE]; /* SHA-256: the stream's key depends on all of it */
};

static vd_status hash_aad(struct vd_alg_key *key, const struct vd_alg_bytes *aad,
                          struct parts *parts, struct vd_diag *diag)
{
    struct vd_alg_worker *worker;
    bool good;

    if (aad->size > VD_ALG_AAD_MAX)
        return vd_diagf(diag, VD_E_LIMIT, "additional data of %zu bytes; at most %u", aad->size,
                        VD_ALG_AAD_MAX);
    worker = vd_alg_worker_take(key);
    if (worker == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    good = vd_alg_sha256(key, worker, aad, parts->aad);
    vd_alg_worker_put(key, worker);
    return good ? VD_OK : vd_alg_failed(diag, "OpenSSL could not hash");
}

static vd_status stream_new(struct vd_alg_key *key, const struct parts *parts,
                            struct vd_alg_stream **ret, struct vd_diag *diag)
{
    VD_AUTO(vd_secret_done) struct vd_secret subkey = {};
    struct vd_alg_bytes secret = {key->secret.data, key->secret.size};
    struct vd_alg_kdf kdf = {.size = VD_ALG_KEY_SIZE, .salt = {parts->salt, SALT_SIZE}};
    struct vd_alg_info_text info = {};
    struct vd_alg_pool none = {};
    struct vd_alg_stream *stream;
    struct vd_writer w;
    uint8_t numbers[8];

    vd_writer_init(&w, numbers, sizeof(numbers));
    vd_write_le32(&w, parts->version);
    vd_write_le32(&w, parts->chunk_size);
    vd_alg_info_add(&info, VD_ALG_STREAM_LABEL, strlen(VD_ALG_STREAM_LABEL));
    vd_alg_info_add(&info, key->info->name, strlen(key->info->name));
    vd_alg_info_add(&info, numbers, sizeof(numbers));
    vd_alg_info_add(&info, parts->aad, sizeof(parts->aad));
    kdf.info = (struct vd_alg_bytes){info.bytes, info.size};
    VD_TRY(vd_alg_hkdf_bytes(key->alg, &secret, &kdf, &subkey, diag));
    stream = calloc(1, sizeof(*stream));
    if (stream == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    stream->cipher = vd_alg_cipher_take(key, &none, &subkey);
    if (stream->cipher == NULL) {
        free(stream);
        return vd_alg_failed(diag, "no cipher context");
    }
    stream->key = vd_alg_key_hold(key);
    stream->chunk_size = parts->chunk_size;
    *ret = stream;
    return VD_OK;
}

static bool good_chunk(uint32_t size)
{
    return size >= VD_ALG_STREAM_CHUNK_MIN && size <= VD_ALG_STREAM_CHUNK_MAX &&
           (size & (size - 1)) == 0;
}

vd_status vd_alg_stream_seal(struct vd_alg_key *key, const struct vd_alg_stream_setup *setup,
                             struct vd_alg_buffer *out, struct vd_alg_stream **ret,
                             struct vd_diag *diag)
{
    struct parts parts = {.version = setup->version, .chunk_size = setup->chunk_size};
    struct vd_writer w;

    if (key->family != &vd_alg_aead_family)
        return vd_diagf(diag, VD_E_KEY_TYPE, "a key of the type %s encrypts no stream",
                        key->info->name);
    if (setup->version == 0)
        return vd_diag_fail(diag, VD_E_RANGE, "key versions begin with 1");
    if (!good_chunk(setup->chunk_size))
        return vd_diagf(diag, VD_E_RANGE,
                        "chunks of %u bytes; expected a power of two from %u "
                        "to %u",
                        setup->chunk_size, VD_ALG_STREAM_CHUNK_MIN, VD_ALG_STREAM_CHUNK_MAX);
    VD_TRY(vd_alg_room(out, VD_ALG_STREAM_HEADER, diag));
    VD_TRY(hash_aad(key, &setup->aad, &parts, diag));
    VD_TRY(vd_alg_random(key->alg, parts.salt, SALT_SIZE, diag));
    VD_TRY(stream_new(key, &parts, ret, diag));
    vd_writer_init(&w, out->data, VD_ALG_STREAM_HEADER);
    vd_alg_format_write(&w, VD_ALG_KIND_STREAM, key->info->type, setup->version);
    vd_write_le32(&w, setup->chunk_size);
    vd_write_bytes(&w, parts.salt, SALT_SIZE);
    return vd_write_done(&w);
}

vd_status vd_alg_stream_open(struct vd_alg_key *key, const struct vd_alg_message *message,
                             struct vd_alg_stream **ret, struct vd_diag *diag)
{
    struct vd_alg_ciphertext head = {};
    uint8_t header[VD_ALG_STREAM_HEADER];
    struct parts parts = {};
    struct vd_reader r;

    if (message->text.size != sizeof(header))
        return vd_diagf(diag, message->text.size < sizeof(header) ? VD_E_TRUNCATED : VD_E_TRAILING,
                        "a stream's header has %zu bytes, not %zu", sizeof(header),
                        message->text.size);
    vd_copy(header, message->text.data, sizeof(header));
    vd_reader_init(&r, header, sizeof(header));
    VD_TRY(vd_alg_format_read(key, true, &r, &head, diag));
    parts.version = head.version;
    VD_TRY(vd_read_le32(&r, &parts.chunk_size));
    if (!good_chunk(parts.chunk_size))
        return vd_diagf_at(diag, VD_E_RANGE, 12,
                           "chunks of %u bytes; expected a power of two "
                           "from %u to %u",
                           parts.chunk_size, VD_ALG_STREAM_CHUNK_MIN, VD_ALG_STREAM_CHUNK_MAX);
    VD_TRY(vd_read_copy(&r, parts.salt, SALT_SIZE));
    VD_TRY(hash_aad(key, &message->aad, &parts, diag));
    VD_TRY(stream_new(key, &parts, ret, diag));
    (*ret)->opens = true;
    return VD_OK;
}

uint32_t vd_alg_stream_chunk_size(const struct vd_alg_stream *stream)
{
    return stream->chunk_size;
}

bool vd_alg_stream_ended(const struct vd_alg_stream *stream)
{
    return stream->ended;
}

static vd_status check_chunk(const struct vd_alg_stream *stream, size_t size, bool last,
                             struct vd_diag *diag)
{
    size_t extra = stream->opens ? VD_ALG_TAG_SIZE : 0;
    size_t whole = stream->chunk_size + extra;

    if (stream->ended || stream->spent)
        return vd_diag_fail(diag, VD_E_USAGE,
                            stream->ended ? "the stream has had its last chunk"
                                          : "the stream has failed");
    if (stream->index == VD_ALG_STREAM_CHUNKS_MAX)
        return vd_diag_fail(diag, VD_E_LIMIT, "the stream has too many chunks");
    if (size < extra)
        return vd_diagf(diag, VD_E_TRUNCATED, "a chunk of %zu bytes has no whole tag", size);
    if (size > whole || (!last && size != whole))
        return vd_alg_wrong_size("a chunk", size, whole, diag);
    if (size == extra && stream->index != 0)
        return vd_diag_fail(diag, VD_E_SIZE, "an empty chunk after others");
    return VD_OK;
}

vd_status vd_alg_stream_next(struct vd_alg_stream *stream, const struct vd_alg_bytes *in, bool last,
                             struct vd_alg_buffer *out, struct vd_diag *diag)
{
    struct vd_alg_message message = {.text = *in};
    uint8_t nonce[VD_ALG_NONCE_SIZE];
    vd_status status = VD_OK;
    struct vd_writer w;

    VD_TRY(check_chunk(stream, in->size, last, diag));
    VD_TRY(vd_alg_room(out, stream->opens ? in->size - VD_ALG_TAG_SIZE : in->size + VD_ALG_TAG_SIZE,
                       diag));
    vd_writer_init(&w, nonce, sizeof(nonce));
    vd_write_zero(&w, 3);
    vd_write_be64(&w, stream->index);
    vd_write_u8(&w, last);
    if (stream->opens)
        status = vd_alg_unseal(stream->cipher, nonce, &message, out->data, diag);
    else if (!vd_alg_seal(stream->cipher, nonce, &message, out->data))
        status = vd_alg_failed(diag, "OpenSSL could not encrypt");
    stream->index++;
    stream->spent = status != VD_OK;
    stream->ended = last && status == VD_OK;
    return status;
}
