/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The operations themselves, on keys that may serve. */
#define _GNU_SOURCE
#include <string.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "services/crypto/use.h"

#define RESULT_HEAD 16u /* version, number, then the part's buffer and size */
#define SECOND_HEAD 8u
#define SECRET_ROOM (255u * 32u)

/* Where a result goes: the frame itself, or private memory that is copied out at the end. */
struct target {
    const struct vd_key_part *part;
    struct vd_alg_buffer buffer;
};

static size_t room_in(const struct vd_writer *out)
{
    size_t left = out->len < out->size ? out->size - out->len : 0;
    size_t needed = RESULT_HEAD + SECOND_HEAD + VD_ALG_SHARED_SIZE;

    return left > needed ? left - needed : 0;
}

/* `most`: what the result can have at most. */
static vd_status target_begin(const struct vd_keyd_use *use, size_t most, struct target *ret,
                              struct vd_diag *diag)
{
    const struct vd_key_part *part = &use->op->out;
    struct vd_writer *out = use->out;
    struct vd_alg_bytes there;
    uint8_t *room;

    *ret = (struct target){.part = part};
    if (part->buffer == 0) {
        ret->buffer =
            (struct vd_alg_buffer){.data = out->buf + out->len + RESULT_HEAD, .room = room_in(out)};
        if (room_in(out) == 0)
            return vd_diag_fail(diag, VD_E_LIMIT, "the answers are larger than a frame");
        return VD_OK;
    }
    VD_TRY(vd_keyd_part(use->c, part, &there, diag));
    if (most > there.size)
        most = there.size;
    VD_TRY(vd_keyd_arena_take(use->c, most, &room, diag));
    ret->buffer = (struct vd_alg_buffer){.data = room, .room = most};
    return VD_OK;
}

/* The result as it stands in target->buffer, wherever that is now. */
static vd_status target_end(const struct vd_keyd_use *use, const struct target *target,
                            struct vd_key_result *result, struct vd_diag *diag)
{
    struct vd_writer *out = use->out;
    struct vd_alg_bytes there;

    result->out = (struct vd_key_part){.size = target->buffer.size};
    if (target->part->buffer == 0) {
        result->out.data = target->buffer.data;
        vd_write_le32(out, result->version);
        vd_write_le32(out, result->number);
        vd_write_le32(out, 0);
        vd_write_le32(out, (uint32_t)target->buffer.size);
        out->len += target->buffer.size; /* it stands there already */
        vd_write_le32(out, 0);
        vd_write_le32(out, (uint32_t)result->second.size);
        vd_write_bytes(out, result->second.data, result->second.size);
        return vd_write_done(out) == VD_OK
                   ? VD_OK
                   : vd_diag_fail(diag, VD_E_LIMIT, "the answer is larger than a frame");
    }
    VD_TRY(vd_keyd_part(use->c, target->part, &there, diag));
    if (target->buffer.size > there.size)
        return vd_diagf(diag, VD_E_NO_SPACE, "the result has %zu bytes, there is room for %zu",
                        target->buffer.size, there.size);
    vd_copy((void *)(uintptr_t)there.data, target->buffer.data, target->buffer.size);
    result->out.buffer = target->part->buffer;
    result->out.offset = target->part->offset;
    vd_key_write_result(out, result);
    return VD_OK;
}

/* VD_E_NO_SPACE of the library, told with the number that is needed. */
static vd_status too_small(vd_status status, const struct target *target, struct vd_diag *diag)
{
    if (status != VD_E_NO_SPACE)
        return status;
    if (target->part->buffer == 0)
        return vd_diagf(diag, VD_E_LIMIT,
                        "the result has %zu bytes, more than a frame: use a shared buffer",
                        target->buffer.size);
    return vd_diagf(diag, VD_E_NO_SPACE, "the result has %zu bytes, there is room for %zu",
                    target->buffer.size, target->buffer.room);
}

static bool is_aead(const struct vd_keyd_use *use)
{
    return use->facts.type == VD_ALG_AES_256_GCM || use->facts.type == VD_ALG_CHACHA20_POLY1305;
}

static vd_status encrypt_by(struct vd_keyd_use *use, const struct vd_key_op *op,
                            const struct vd_alg_message *message, struct vd_alg_buffer *out,
                            struct vd_diag *diag)
{
    if (op->mechanism == VD_ALG_AEAD_RAW) {
        if ((use->facts.usages & VD_ALG_ENCRYPT_OWN_NONCE) == 0)
            return vd_diag_fail(diag, VD_E_KEY_USAGE,
                                "the key does not have the usage encrypt-own-nonce");
        return vd_alg_encrypt_raw(use->alg, message, out, diag);
    }
    if ((use->facts.usages & VD_ALG_ENCRYPT) == 0)
        return vd_diag_fail(diag, VD_E_KEY_USAGE, "the key does not have the usage encrypt");
    if (op->mechanism == VD_ALG_RSA_OAEP_SHA256 ||
        (op->mechanism == VD_ALG_MECHANISM_DEFAULT && !is_aead(use)))
        return vd_alg_oaep_encrypt(use->alg, message, out, diag);
    if (op->mechanism != VD_ALG_AEAD && op->mechanism != VD_ALG_MECHANISM_DEFAULT)
        return vd_diagf(diag, VD_E_MECHANISM, "mechanism %u does not encrypt", op->mechanism);
    return vd_alg_encrypt(use->alg, use->version, message, out, diag);
}

static vd_status work_encrypt(struct vd_keyd_use *use, struct vd_diag *diag)
{
    const struct vd_key_op *op = use->op;
    struct vd_key_result result = {};
    struct vd_alg_message message;
    struct target target;

    VD_TRY(vd_keyd_use_version(use, op->version, diag));
    /* The text is read once, and nothing depends on it: it may stay where it is. */
    VD_TRY(vd_keyd_part(use->c, &op->text, &message.text, diag));
    VD_TRY(vd_keyd_part_private(use->c, &op->aux, &message.aad, diag));
    VD_TRY(vd_keyd_part_private(use->c, &op->extra, &message.nonce, diag));
    VD_TRY(target_begin(use, message.text.size + VD_ALG_RSA_SIZE, &target, diag));
    VD_TRY(too_small(encrypt_by(use, op, &message, &target.buffer, diag), &target, diag));
    result.version = use->version;
    return target_end(use, &target, &result, diag);
}

/* The version that a ciphertext of ours names. */
static vd_status version_in(const struct vd_keyd_use *use, const struct vd_key_op *op,
                            const struct vd_alg_bytes *text, uint32_t *ret, struct vd_diag *diag)
{
    struct vd_alg_ciphertext head;

    if (!is_aead(use) || op->mechanism == VD_ALG_AEAD_RAW) {
        *ret = op->version;
        return VD_OK;
    }
    VD_TRY(vd_alg_ciphertext_parse(text, &head, diag));
    if (head.type != use->facts.type)
        return vd_diagf(diag, VD_E_KEY_TYPE, "the ciphertext is of a key of another type");
    if (op->version != 0 && op->version != head.version)
        return vd_diagf(diag, VD_E_DIFFERS, "the ciphertext is of version %u, not of %u",
                        head.version, op->version);
    if (head.version == 0)
        return vd_diag_fail(diag, VD_E_RANGE, "the ciphertext names no version");
    *ret = head.version;
    return VD_OK;
}

static vd_status decrypt_by(struct vd_keyd_use *use, const struct vd_key_op *op,
                            const struct vd_alg_message *message, struct vd_alg_buffer *out,
                            struct vd_diag *diag)
{
    if (op->mechanism == VD_ALG_AEAD_RAW)
        return vd_alg_decrypt_raw(use->alg, message, out, diag);
    if (op->mechanism == VD_ALG_RSA_OAEP_SHA256 ||
        (op->mechanism == VD_ALG_MECHANISM_DEFAULT && !is_aead(use)))
        return vd_alg_oaep_decrypt(use->alg, message, out, diag);
    if (op->mechanism != VD_ALG_AEAD && op->mechanism != VD_ALG_MECHANISM_DEFAULT)
        return vd_diagf(diag, VD_E_MECHANISM, "mechanism %u does not decrypt", op->mechanism);
    return vd_alg_decrypt(use->alg, message, out, diag);
}

static vd_status read_ciphertext(struct vd_keyd_use *use, struct vd_alg_message *ret,
                                 struct vd_diag *diag)
{
    const struct vd_key_op *op = use->op;
    uint32_t version;

    VD_TRY(vd_keyd_part_private(use->c, &op->text, &ret->text, diag));
    VD_TRY(vd_keyd_part_private(use->c, &op->aux, &ret->aad, diag));
    VD_TRY(vd_keyd_part_private(use->c, &op->extra, &ret->nonce, diag));
    VD_TRY(version_in(use, op, &ret->text, &version, diag));
    return vd_keyd_use_version(use, version, diag);
}

/* Into private memory: in place where the ciphertext was copied. Nothing goes out before the tag held. */
static vd_status work_decrypt(struct vd_keyd_use *use, struct vd_diag *diag)
{
    const struct vd_key_op *op = use->op;
    struct vd_key_result result = {};
    struct vd_alg_message message;
    struct target target;
    bool in_place = op->text.buffer != 0 && op->out.buffer != 0 && is_aead(use);

    use->c->secret = true;
    VD_TRY(read_ciphertext(use, &message, diag));
    if (in_place) {
        size_t head = op->mechanism == VD_ALG_AEAD_RAW ? 0 : VD_ALG_HEADER_SIZE;
        target = (struct target){.part = &op->out};
        if (message.text.size < head)
            head = message.text.size;
        target.buffer.data = (uint8_t *)(uintptr_t)message.text.data + head;
        target.buffer.room = message.text.size - head;
    } else {
        VD_TRY(target_begin(use, message.text.size, &target, diag));
    }
    VD_TRY(too_small(decrypt_by(use, op, &message, &target.buffer, diag), &target, diag));
    result.version = use->version;
    return target_end(use, &target, &result, diag);
}

static vd_status work_rewrap(struct vd_keyd_use *use, struct vd_diag *diag)
{
    const struct vd_key_op *op = use->op;
    struct vd_key_result result = {};
    struct vd_alg_message message;
    struct vd_alg_buffer plain = {};
    struct target target;

    if (!is_aead(use) ||
        (op->mechanism != VD_ALG_MECHANISM_DEFAULT && op->mechanism != VD_ALG_AEAD))
        return vd_diag_fail(diag, VD_E_MECHANISM, "only ciphertexts of the service are rewrapped");
    if ((use->facts.usages & VD_ALG_ENCRYPT) == 0)
        return vd_diag_fail(diag, VD_E_KEY_USAGE, "the key does not have the usage encrypt");
    use->c->secret = true;
    VD_TRY(read_ciphertext(use, &message, diag));
    plain.room = message.text.size;
    VD_TRY(vd_keyd_arena_take(use->c, plain.room, (uint8_t **)&plain.data, diag));
    VD_TRY(vd_alg_decrypt(use->alg, &message, &plain, diag));
    VD_TRY(vd_keyd_use_version(use, 0, diag));
    message.text = (struct vd_alg_bytes){plain.data, plain.size};
    VD_TRY(target_begin(use, plain.size + VD_ALG_OVERHEAD, &target, diag));
    VD_TRY(too_small(vd_alg_encrypt(use->alg, use->version, &message, &target.buffer, diag),
                     &target, diag));
    result.version = use->version;
    return target_end(use, &target, &result, diag);
}

static vd_status read_signing(struct vd_keyd_use *use, struct vd_alg_signing *ret,
                              struct vd_diag *diag)
{
    const struct vd_key_op *op = use->op;

    VD_TRY(vd_keyd_use_version(use, op->version, diag));
    if (op->mechanism >= VD_ALG_MECHANISM_COUNT)
        return vd_diagf(diag, VD_E_MECHANISM, "there is no mechanism %u", op->mechanism);
    ret->mechanism = (enum vd_alg_mechanism)op->mechanism;
    VD_TRY(vd_keyd_part_private(use->c, &op->text, &ret->message, diag));
    return vd_keyd_part_private(use->c, &op->aux, &ret->context, diag);
}

static vd_status work_sign(struct vd_keyd_use *use, struct vd_diag *diag)
{
    struct vd_key_result result = {};
    struct vd_alg_signing what;
    struct target target;

    VD_TRY(read_signing(use, &what, diag));
    VD_TRY(target_begin(use, VD_ALG_SIGNATURE_MAX, &target, diag));
    VD_TRY(too_small(vd_alg_sign(use->alg, &what, &target.buffer, diag), &target, diag));
    result.version = use->version;
    return target_end(use, &target, &result, diag);
}

static vd_status work_verify(struct vd_keyd_use *use, struct vd_diag *diag)
{
    const struct vd_key_op *op = use->op;
    struct vd_key_result result = {};
    struct vd_alg_bytes signature;
    struct vd_alg_signing what;

    VD_TRY(read_signing(use, &what, diag));
    VD_TRY(vd_keyd_part_private(use->c, &op->extra, &signature, diag));
    VD_TRY(vd_alg_verify(use->alg, &what, &signature, diag));
    result.version = use->version;
    vd_key_write_result(use->out, &result);
    return VD_OK;
}

static vd_status work_encapsulate(struct vd_keyd_use *use, struct vd_diag *diag)
{
    const struct vd_key_op *op = use->op;
    VD_AUTO(vd_secret_done) struct vd_secret shared = {};
    struct vd_key_result result = {};
    struct target target;

    VD_TRY(vd_keyd_use_version(use, op->version, diag));
    VD_TRY(target_begin(use, VD_ALG_SIGNATURE_MAX, &target, diag));
    VD_TRY(too_small(vd_alg_encapsulate(use->alg, &target.buffer, &shared, diag), &target, diag));
    result.version = use->version;
    result.second = (struct vd_key_part){.data = shared.data, .size = shared.size};
    return target_end(use, &target, &result, diag);
}

/* A secret is the result. */
static vd_status give_secret(const struct vd_keyd_use *use, const struct vd_secret *secret)
{
    struct vd_key_result result = {.version = use->version};
    struct target target;

    use->c->secret = true;
    VD_TRY(target_begin(use, secret->size, &target, NULL));
    if (target.buffer.room < secret->size)
        return VD_E_NO_SPACE;
    vd_copy(target.buffer.data, secret->data, secret->size);
    target.buffer.size = secret->size;
    return target_end(use, &target, &result, NULL);
}

static vd_status work_decapsulate(struct vd_keyd_use *use, struct vd_diag *diag)
{
    const struct vd_key_op *op = use->op;
    VD_AUTO(vd_secret_done) struct vd_secret shared = {};
    struct vd_alg_bytes text;

    VD_TRY(vd_keyd_use_version(use, op->version, diag));
    VD_TRY(vd_keyd_part_private(use->c, &op->text, &text, diag));
    VD_TRY(vd_alg_decapsulate(use->alg, &text, &shared, diag));
    return give_secret(use, &shared);
}

static vd_status agree(struct vd_keyd_use *use, const struct vd_alg_kdf *kdf, struct vd_secret *ret,
                       struct vd_diag *diag)
{
    const struct vd_key_op *op = use->op;
    VD_AUTO(vd_secret_done) struct vd_secret raw = {};
    struct vd_alg_bytes peer;

    VD_TRY(vd_keyd_part_private(use->c, &op->text, &peer, diag));
    if (op->length == 0)
        return vd_alg_agree(use->alg, (enum vd_alg_form)op->form, &peer, ret, diag);
    VD_TRY(vd_alg_agree(use->alg, (enum vd_alg_form)op->form, &peer, &raw, diag));
    return vd_alg_hkdf_secret(use->c->server->alg, &raw, kdf, ret, diag);
}

static vd_status work_derive(struct vd_keyd_use *use, struct vd_diag *diag)
{
    const struct vd_key_op *op = use->op;
    VD_AUTO(vd_secret_done) struct vd_secret secret = {};
    struct vd_alg_kdf kdf = {.size = op->length};

    VD_TRY(vd_keyd_use_version(use, op->version, diag));
    if (op->length > SECRET_ROOM)
        return vd_diagf(diag, VD_E_SIZE, "at most %u bytes can be derived", SECRET_ROOM);
    VD_TRY(vd_keyd_part_private(use->c, &op->aux, &kdf.salt, diag));
    VD_TRY(vd_keyd_part_private(use->c, &op->extra, &kdf.info, diag));
    if (use->facts.type == VD_ALG_HKDF_SHA256)
        VD_TRY(vd_alg_hkdf(use->alg, &kdf, &secret, diag));
    else
        VD_TRY(agree(use, &kdf, &secret, diag));
    return give_secret(use, &secret);
}

vd_status vd_keyd_use_work(struct vd_keyd_use *use, struct vd_diag *diag)
{
    typedef vd_status work(struct vd_keyd_use *, struct vd_diag *);
    static work *const works[VD_KEY_VERB_COUNT] = {
        [VD_KEY_ENCRYPT] = work_encrypt,
        [VD_KEY_DECRYPT] = work_decrypt,
        [VD_KEY_SIGN] = work_sign,
        [VD_KEY_VERIFY] = work_verify,
        [VD_KEY_ENCAPSULATE] = work_encapsulate,
        [VD_KEY_DECAPSULATE] = work_decapsulate,
        [VD_KEY_DERIVE] = work_derive,
        [VD_KEY_REWRAP] = work_rewrap,
    };

    return works[use->verb](use, diag);
}

vd_status vd_keyd_operate(struct vd_keyd_conn *c, struct vd_keyd_call *call, struct vd_diag *diag)
{
    struct vd_key_op op;
    struct vd_keyd_use use = {.op = &op, .out = &call->out};
    vd_status status;

    VD_TRY(vd_key_read_op(&call->in, &op, diag));
    VD_TRY(vd_key_read_end(&call->in, diag));
    VD_TRY(vd_keyd_use_begin(c, &use, call->verb, 1, diag));
    status = vd_keyd_use_work(&use, diag);
    if (status != VD_OK)
        vd_keyd_use_failed(&use, 1, status, diag->text);
    vd_keyd_use_end(&use);
    return status;
}
