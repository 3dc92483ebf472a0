/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The project's own ciphertexts (docs/formats/ciphertext.md). A loaded key draws a random salt,
 * derives a subkey with it and counts nonces under that: nothing durable is needed for a nonce
 * never to come twice, since a key loaded again has another salt.
 */
#include "services/crypto/alg/internal.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/reader.h"
#include "core/base/writer.h"
#include "lib/diagf.h"
#include "services/crypto/alg/format.h"

static void epoch_free(struct vd_alg_epoch *epoch)
{
    vd_alg_pool_done(&epoch->ciphers, vd_alg_cipher_done);
    vd_secret_done(&epoch->subkey);
    free(epoch);
}

static void list_free(struct vd_alg_epoch *list)
{
    while (list != NULL) {
        struct vd_alg_epoch *next = list->next;
        epoch_free(list);
        list = next;
    }
}

void vd_alg_epochs_done(struct vd_alg_key *key)
{
    list_free(atomic_load(&key->own));
    list_free(key->others);
}

static vd_status epoch_new(struct vd_alg_key *key, const uint8_t *salt, struct vd_alg_epoch **ret,
                           struct vd_diag *diag)
{
    struct vd_alg_bytes secret = {key->secret.data, key->secret.size};
    struct vd_alg_epoch *epoch = calloc(1, sizeof(*epoch));
    struct vd_alg_info_text info = {};
    struct vd_alg_kdf kdf = {.size = VD_ALG_KEY_SIZE};
    vd_status status;

    if (epoch == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    vd_copy(epoch->salt, salt, VD_ALG_SALT_SIZE);
    epoch->fork_generation = vd_alg_fork_generation();
    vd_alg_info_add(&info, VD_ALG_EPOCH_LABEL, strlen(VD_ALG_EPOCH_LABEL));
    vd_alg_info_add(&info, key->info->name, strlen(key->info->name));
    vd_alg_info_add(&info, salt, VD_ALG_SALT_SIZE);
    kdf.info = (struct vd_alg_bytes){info.bytes, info.size};
    status = vd_alg_hkdf_bytes(key->alg, &secret, &kdf, &epoch->subkey, diag);
    if (status != VD_OK)
        epoch_free(epoch);
    else
        *ret = epoch;
    return status;
}

/* False: the epoch has ended, or a fork has doubled it. */
static bool count(struct vd_alg_epoch *epoch, size_t size, uint64_t *ret_number)
{
    uint64_t number, bytes;

    if (epoch == NULL || epoch->fork_generation != vd_alg_fork_generation())
        return false;
    number = atomic_fetch_add_explicit(&epoch->messages, 1, memory_order_relaxed);
    bytes = atomic_fetch_add_explicit(&epoch->bytes, size, memory_order_relaxed);
    *ret_number = number;
    return number < VD_ALG_EPOCH_MESSAGES && bytes < VD_ALG_EPOCH_BYTES;
}

/* The key's own epoch and a number that no other message of it has. */
static vd_status reserve(struct vd_alg_key *key, size_t size, struct vd_alg_epoch **ret,
                         uint64_t *ret_number, struct vd_diag *diag)
{
    struct vd_alg_epoch *epoch = atomic_load_explicit(&key->own, memory_order_acquire);
    struct vd_alg_epoch *fresh = NULL;
    uint8_t salt[VD_ALG_SALT_SIZE];
    vd_status status = VD_OK;

    if (count(epoch, size, ret_number)) {
        *ret = epoch;
        return VD_OK;
    }
    pthread_mutex_lock(&key->lock);
    epoch = atomic_load(&key->own);
    if (!count(epoch, size, ret_number)) { /* no other thread was faster */
        status = vd_alg_random(key->alg, salt, sizeof(salt), diag);
        if (status == VD_OK)
            status = epoch_new(key, salt, &fresh, diag);
        if (status == VD_OK) {
            (void)count(fresh, size, ret_number);
            fresh->next = epoch; /* a thread may be in the old one still: it goes with the key */
            atomic_store(&key->own, fresh);
            epoch = fresh;
        }
    }
    pthread_mutex_unlock(&key->lock);
    if (status == VD_OK)
        *ret = epoch;
    return status;
}

static vd_status check_encrypt(const struct vd_alg_key *key, uint32_t version,
                               const struct vd_alg_message *message, struct vd_diag *diag)
{
    if (key->family != &vd_alg_aead_family)
        return vd_diagf(diag, VD_E_KEY_TYPE, "a key of the type %s has no such encryption",
                        key->info->name);
    if (version == 0)
        return vd_diag_fail(diag, VD_E_RANGE, "key versions begin with 1");
    if (message->nonce.size != 0)
        return vd_diag_fail(diag, VD_E_MECHANISM, "the mechanism aead takes no nonce");
    if (message->text.size > VD_ALG_TEXT_MAX)
        return vd_diagf(diag, VD_E_LIMIT, "a text of %zu bytes; at most %u in one call",
                        message->text.size, VD_ALG_TEXT_MAX);
    if (message->aad.size > VD_ALG_AAD_MAX)
        return vd_diagf(diag, VD_E_LIMIT, "additional data of %zu bytes; at most %u",
                        message->aad.size, VD_ALG_AAD_MAX);
    return VD_OK;
}

vd_status vd_alg_encrypt(struct vd_alg_key *key, uint32_t version,
                         const struct vd_alg_message *message, struct vd_alg_buffer *out,
                         struct vd_diag *diag)
{
    struct vd_alg_epoch *epoch = NULL;
    struct vd_writer w;
    EVP_CIPHER_CTX *cipher;
    uint8_t *header = out->data;
    uint8_t nonce[VD_ALG_NONCE_SIZE];
    uint64_t number = 0;
    bool good;

    VD_TRY(check_encrypt(key, version, message, diag));
    VD_TRY(vd_alg_room(out, message->text.size + VD_ALG_OVERHEAD, diag));
    VD_TRY(reserve(key, message->text.size, &epoch, &number, diag));
    cipher = vd_alg_cipher_take(key, &epoch->ciphers, &epoch->subkey);
    if (cipher == NULL)
        return vd_alg_failed(diag, "no cipher context");
    vd_writer_init(&w, nonce, sizeof(nonce));
    vd_write_be32(&w, version);
    vd_write_be64(&w, number);
    good = vd_alg_seal(cipher, nonce, message, header + VD_ALG_HEADER_SIZE);
    vd_alg_pool_put(&epoch->ciphers, cipher, vd_alg_cipher_done);
    if (!good)
        return vd_alg_failed(diag, "OpenSSL could not encrypt");
    vd_writer_init(&w, header, VD_ALG_HEADER_SIZE);
    vd_alg_format_write(&w, VD_ALG_KIND_MESSAGE, key->info->type, version);
    vd_write_bytes(&w, epoch->salt, VD_ALG_SALT_SIZE);
    vd_write_bytes(&w, nonce, sizeof(nonce));
    return vd_write_done(&w);
}

void vd_alg_format_write(struct vd_writer *w, uint8_t kind, enum vd_alg_type type, uint32_t version)
{
    vd_write_bytes(w, VD_ALG_FORMAT_MAGIC, 4);
    vd_write_u8(w, VD_ALG_FORMAT_VERSION);
    vd_write_u8(w, kind);
    vd_write_le16(w, (uint16_t)type);
    vd_write_le32(w, version);
}

static vd_status parse(struct vd_reader *r, struct vd_alg_ciphertext *ret, struct vd_diag *diag)
{
    struct vd_alg_ciphertext head = {};
    const uint8_t *magic = NULL;
    uint8_t format = 0, kind = 0;
    uint16_t type = 0;

    if (vd_read_bytes(r, 4, &magic) != VD_OK || vd_read_u8(r, &format) != VD_OK ||
        vd_read_u8(r, &kind) != VD_OK || vd_read_le16(r, &type) != VD_OK ||
        vd_read_le32(r, &head.version) != VD_OK)
        return vd_diag_fail_at(diag, VD_E_TRUNCATED, vd_reader_offset(r),
                               "the ciphertext ends in its header");
    if (memcmp(magic, VD_ALG_FORMAT_MAGIC, 4) != 0)
        return vd_diag_fail_at(diag, VD_E_MAGIC, 0, "this is no ciphertext of the key service");
    if (format != VD_ALG_FORMAT_VERSION)
        return vd_diag_fail_at(diag, VD_E_VERSION, 4, "the ciphertext's format is another version");
    if (kind != VD_ALG_KIND_MESSAGE && kind != VD_ALG_KIND_STREAM)
        return vd_diag_fail_at(diag, VD_E_MAGIC, 5, "neither a message nor a stream");
    head.stream = kind == VD_ALG_KIND_STREAM;
    head.type = (enum vd_alg_type)type;
    if (type != VD_ALG_AES_256_GCM && type != VD_ALG_CHACHA20_POLY1305)
        return vd_diag_fail_at(diag, VD_E_KEY_TYPE, 6, "no type of key that encrypts like this");
    if (head.version == 0)
        return vd_diag_fail_at(diag, VD_E_RANGE, 8, "key versions begin with 1");
    *ret = head;
    return VD_OK;
}

vd_status vd_alg_ciphertext_parse(const struct vd_alg_bytes *text, struct vd_alg_ciphertext *ret,
                                  struct vd_diag *diag)
{
    struct vd_alg_ciphertext head = {};
    struct vd_reader r;

    vd_reader_init(&r, text->data, text->size);
    VD_TRY(parse(&r, &head, diag));
    if (text->size < (head.stream ? VD_ALG_STREAM_HEADER : VD_ALG_OVERHEAD))
        return vd_diag_fail_at(diag, VD_E_TRUNCATED, text->size,
                               "the ciphertext ends before its tag is whole");
    *ret = head;
    return VD_OK;
}

vd_status vd_alg_format_read(const struct vd_alg_key *key, bool stream, struct vd_reader *r,
                             struct vd_alg_ciphertext *ret, struct vd_diag *diag)
{
    if (key->family != &vd_alg_aead_family)
        return vd_diagf(diag, VD_E_KEY_TYPE, "a key of the type %s has no such decryption",
                        key->info->name);
    VD_TRY(parse(r, ret, diag));
    if (ret->stream != stream)
        return vd_diag_fail_at(diag, VD_E_MAGIC, 5,
                               stream ? "a message, not a stream" : "a stream, not a message");
    if (ret->type != key->info->type)
        return vd_diagf_at(diag, VD_E_KEY_TYPE, 6,
                           "made with a key of the type %s, this is one of "
                           "%s",
                           vd_alg_info(ret->type)->name, key->info->name);
    return VD_OK;
}

/* With the lock held. */
static struct vd_alg_epoch *find_other(struct vd_alg_key *key, const uint8_t *salt)
{
    for (struct vd_alg_epoch *e = key->others; e != NULL; e = e->next) {
        if (memcmp(e->salt, salt, VD_ALG_SALT_SIZE) == 0) {
            e->users++;
            return e;
        }
    }
    return NULL;
}

/* Puts `fresh` in front; the eldest beyond the limit that nobody uses goes. With the lock held. */
static void keep_other(struct vd_alg_key *key, struct vd_alg_epoch *fresh)
{
    struct vd_alg_epoch **idle = NULL, *gone;
    uint32_t number = 0;

    fresh->users = 1;
    fresh->next = key->others;
    key->others = fresh;
    for (struct vd_alg_epoch **at = &fresh->next; *at != NULL; at = &(*at)->next) {
        if ((*at)->users == 0)
            idle = at;
        number++;
    }
    if (number < VD_ALG_EPOCHS || idle == NULL)
        return;
    gone = *idle;
    *idle = gone->next;
    epoch_free(gone);
}

/* The epoch of a salt: our own, one kept, or a new one. */
static vd_status find(struct vd_alg_key *key, const uint8_t *salt, struct vd_alg_epoch **ret,
                      bool *ret_own, struct vd_diag *diag)
{
    struct vd_alg_epoch *own = atomic_load_explicit(&key->own, memory_order_acquire), *epoch;
    vd_status status = VD_OK;

    *ret_own = own != NULL && memcmp(own->salt, salt, VD_ALG_SALT_SIZE) == 0;
    if (*ret_own) {
        *ret = own;
        return VD_OK;
    }
    pthread_mutex_lock(&key->lock);
    epoch = find_other(key, salt);
    if (epoch == NULL) {
        status = epoch_new(key, salt, &epoch, diag);
        if (status == VD_OK)
            keep_other(key, epoch);
    }
    pthread_mutex_unlock(&key->lock);
    if (status == VD_OK)
        *ret = epoch;
    return status;
}

static vd_status open_message(struct vd_alg_key *key, const uint8_t *salt,
                              const struct vd_alg_message *inner, struct vd_alg_buffer *out,
                              struct vd_diag *diag)
{
    struct vd_alg_epoch *epoch = NULL;
    EVP_CIPHER_CTX *cipher;
    vd_status status;
    bool own = false;

    VD_TRY(find(key, salt, &epoch, &own, diag));
    cipher = vd_alg_cipher_take(key, &epoch->ciphers, &epoch->subkey);
    status = cipher == NULL ? vd_alg_failed(diag, "no cipher context")
                            : vd_alg_unseal(cipher, inner->nonce.data, inner, out->data, diag);
    if (cipher != NULL)
        vd_alg_pool_put(&epoch->ciphers, cipher, vd_alg_cipher_done);
    if (!own) {
        pthread_mutex_lock(&key->lock);
        epoch->users--;
        pthread_mutex_unlock(&key->lock);
    }
    return status;
}

vd_status vd_alg_decrypt(struct vd_alg_key *key, const struct vd_alg_message *message,
                         struct vd_alg_buffer *out, struct vd_diag *diag)
{
    uint8_t header[VD_ALG_HEADER_SIZE];
    struct vd_alg_message inner = *message;
    struct vd_alg_ciphertext head = {};
    const uint8_t *salt = NULL, *nonce = NULL;
    struct vd_reader r;
    uint32_t version = 0;

    if (message->text.size < VD_ALG_OVERHEAD) {
        VD_TRY(vd_alg_ciphertext_parse(&message->text, &head, diag));
        return vd_diag_fail_at(diag, VD_E_MAGIC, 5, "a stream, not a message");
    }
    vd_copy(header, message->text.data, sizeof(header));
    vd_reader_init(&r, header, sizeof(header));
    VD_TRY(vd_alg_format_read(key, false, &r, &head, diag));
    VD_TRY(vd_read_bytes(&r, VD_ALG_SALT_SIZE, &salt));
    nonce = r.pos;
    VD_TRY(vd_read_be32(&r, &version));
    if (message->text.size - VD_ALG_OVERHEAD > VD_ALG_TEXT_MAX ||
        message->aad.size > VD_ALG_AAD_MAX)
        return vd_diag_fail(diag, VD_E_LIMIT, "the ciphertext or its additional data are too long");
    if (version != head.version)
        return vd_diag_fail(diag, VD_E_TAG, "the ciphertext's key version was changed");
    inner.text = (struct vd_alg_bytes){(const uint8_t *)message->text.data + VD_ALG_HEADER_SIZE,
                                       message->text.size - VD_ALG_HEADER_SIZE};
    inner.nonce = (struct vd_alg_bytes){nonce, VD_ALG_NONCE_SIZE};
    VD_TRY(vd_alg_room(out, inner.text.size - VD_ALG_TAG_SIZE, diag));
    return open_message(key, salt, &inner, out, diag);
}
