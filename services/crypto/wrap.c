/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Keys that leave, and come back, under another key (docs/formats/wrapped-key.md): type,
 * attributes and material in one ciphertext. What the key may be used for comes back with it,
 * authenticated; an unwrapped key never may more than it might.
 *
 * The ciphertext is made with a key derived for this alone. So even a key that could decrypt
 * data would not open what it wrapped.
 */
#define _GNU_SOURCE
#include <string.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "services/crypto/manage.h"
#include "services/crypto/use.h"
#include "services/crypto/wrapped.h"

#define INFO "veridian/1 wrap"

/* The key that wraps, derived from a version of the wrapping key. */
static vd_status derive(const struct vd_keyd_use *use, struct vd_alg_key **ret,
                        struct vd_diag *diag)
{
    VD_AUTO(vd_secret_done) struct vd_secret secret = {};
    VD_AUTO(vd_secret_done) struct vd_secret derived = {};
    uint8_t info[64];
    struct vd_alg_kdf kdf = {.size = VD_ALG_KEY_SIZE};
    struct vd_writer w;

    if (use->facts.type != VD_ALG_AES_256_GCM && use->facts.type != VD_ALG_CHACHA20_POLY1305)
        return vd_diag_fail(diag, VD_E_KEY_TYPE,
                            "keys are wrapped by AES-256-GCM or "
                            "ChaCha20-Poly1305 keys");
    vd_writer_init(&w, info, sizeof(info));
    vd_key_write_text(&w, INFO);
    vd_write_bytes(&w, use->key->id, VD_KEY_ID_SIZE);
    vd_write_le32(&w, use->version);
    kdf.info = (struct vd_alg_bytes){info, w.len};
    VD_TRY(vd_alg_key_secret(use->alg, &secret, diag));
    VD_TRY(vd_alg_hkdf_secret(use->c->server->alg, &secret, &kdf, &derived, diag));
    return vd_alg_key_load(use->c->server->alg, (enum vd_alg_type)use->facts.type, &derived, ret,
                           diag);
}

/* Text of a wrapped key in secret memory: what stands in docs/formats/wrapped-key.md. */
static vd_status write_content(const struct vd_kstore_key *row, const struct vd_secret *material,
                               struct vd_secret *ret, struct vd_diag *diag)
{
    struct vd_key_info info;
    struct vd_writer w;

    vd_keyd_info_of(row, &info);
    VD_TRY(vd_secret_init(ret, VD_KEYD_WRAPPED_TEXT_MAX, diag));
    vd_writer_init(&w, ret->data, ret->size);
    vd_key_write_attributes(&w, &info.attributes);
    vd_write_le64(&w, row->created);
    vd_key_write_data(&w, material->data, material->size);
    if (vd_write_done(&w) != VD_OK)
        return vd_diag_fail(diag, VD_E_LIMIT, "the key is too large to be wrapped");
    return vd_secret_cut(ret, w.len);
}

/* May the key that is named leave? */
static vd_status check_export(struct vd_keyd_conn *c, uint32_t handle, struct vd_keyd_key **ret,
                              struct vd_keyd_facts *facts, struct vd_diag *diag)
{
    VD_TRY(vd_keyd_handle_find(c, handle, ret, diag));
    vd_keyd_key_facts(*ret, facts);
    VD_TRY(vd_keyd_permit(c, vd_keyd_right("export"), facts->label, diag));
    if (facts->state != VD_KEY_ACTIVE)
        return vd_diag_fail(diag, VD_E_REVOKED, "the key is destroyed, or is to be");
    if ((facts->flags & VD_KEY_NON_EXPORTABLE) != 0)
        return vd_diag_fail(diag, VD_E_DENIED, "the key never leaves: it is non-exportable");
    return VD_OK;
}

static vd_status seal_content(const struct vd_keyd_use *use, const struct vd_secret *content,
                              const struct vd_keyd_wrapped *head, struct vd_alg_buffer *out,
                              struct vd_diag *diag)
{
    uint8_t aad[VD_KEYD_WRAPPED_AAD_MAX];
    struct vd_alg_message message = {.text = {content->data, content->size}};
    struct vd_alg_key *key = NULL;
    vd_status status;

    VD_TRY(vd_keyd_wrapped_aad(head, aad, &message.aad, diag));
    VD_TRY(derive(use, &key, diag));
    status = vd_alg_encrypt(key, use->version, &message, out, diag);
    vd_alg_key_free(key);
    return status;
}

static vd_status wrap(struct vd_keyd_use *use, struct vd_diag *diag)
{
    struct vd_keyd_conn *c = use->c;
    const struct vd_key_op *op = use->op;
    VD_AUTO(vd_secret_done) struct vd_secret material = {};
    VD_AUTO(vd_secret_done) struct vd_secret content = {};
    struct vd_keyd_wrapped head = {};
    struct vd_key_result result = {};
    uint8_t blob[VD_KEYD_WRAPPED_MAX];
    struct vd_alg_buffer buffer = {.data = blob + VD_KEYD_WRAPPED_HEAD,
                                   .room = sizeof(blob) - VD_KEYD_WRAPPED_HEAD};
    struct vd_keyd_key *target;
    struct vd_keyd_facts facts;
    struct vd_kstore_key row;

    VD_TRY(check_export(c, op->other, &target, &facts, diag));
    VD_TRY(vd_keyd_use_version(use, op->version, diag));
    VD_TRY(vd_kstore_get(c->server->store, target->id, &row));
    VD_TRY(vd_kstore_load(c->server->store, target->id, 0, &material, diag));
    if (material.size == 0)
        return vd_diag_fail(diag, VD_E_KEY_TYPE, "a public key is not wrapped");
    VD_TRY(write_content(&row, &material, &content, diag));
    vd_copy(head.wrapper, use->key->id, VD_KEY_ID_SIZE);
    vd_copy(head.key, target->id, VD_KEY_ID_SIZE);
    head.version = facts.versions;
    VD_TRY(vd_keyd_part_private(c, &op->aux, &head.aad, diag));
    VD_TRY(seal_content(use, &content, &head, &buffer, diag));
    vd_keyd_wrapped_head(&head, blob);
    result.version = use->version;
    result.out = (struct vd_key_part){.data = blob, .size = VD_KEYD_WRAPPED_HEAD + buffer.size};
    vd_key_write_result(use->out, &result);
    return VD_OK;
}

vd_status vd_keyd_wrap(struct vd_keyd_conn *c, struct vd_keyd_call *call, struct vd_diag *diag)
{
    struct vd_keyd_event event;
    struct vd_keyd_key *target;
    struct vd_key_op op;
    struct vd_keyd_use use = {.op = &op, .out = &call->out};
    vd_status status;

    VD_TRY(vd_key_read_op(&call->in, &op, diag));
    VD_TRY(vd_key_read_end(&call->in, diag));
    VD_TRY(vd_keyd_use_begin(c, &use, call->verb, 1, diag));
    status = wrap(&use, diag);
    event = vd_keyd_event(c, call->verb, use.key);
    event.label = use.facts.label->text;
    event.version = use.version;
    if (vd_keyd_handle_find(c, op.other, &target, NULL) == VD_OK)
        event.detail = target->name;
    vd_keyd_use_end(&use);
    return vd_keyd_manage_end(c, &event, status, diag);
}

static vd_status open_content(const struct vd_keyd_use *use, const struct vd_keyd_wrapped *head,
                              struct vd_secret *ret, struct vd_diag *diag)
{
    uint8_t aad[VD_KEYD_WRAPPED_AAD_MAX];
    struct vd_alg_message message = {.text = head->text};
    struct vd_alg_buffer out = {};
    struct vd_alg_key *key = NULL;
    vd_status status;

    VD_TRY(vd_keyd_wrapped_aad(head, aad, &message.aad, diag));
    VD_TRY(vd_secret_init(ret, head->text.size, diag));
    out = (struct vd_alg_buffer){.data = ret->data, .room = ret->size};
    VD_TRY(derive(use, &key, diag));
    status = vd_alg_decrypt(key, &message, &out, diag);
    vd_alg_key_free(key);
    return status == VD_OK ? vd_secret_cut(ret, out.size) : status;
}

/* What the blob says of the key. */
struct content {
    struct vd_key_attributes attributes;
    uint64_t created;
    const uint8_t *material;
    size_t size;
};

static vd_status read_content(const struct vd_secret *text, struct content *ret,
                              struct vd_diag *diag)
{
    struct vd_reader r;

    vd_reader_init(&r, text->data, text->size);
    VD_TRY(vd_key_read_attributes(&r, &ret->attributes, diag));
    VD_TRY(vd_key_read_u64(&r, &ret->created, diag));
    VD_TRY(vd_key_read_data(&r, &ret->material, &ret->size, diag));
    return vd_key_read_end(&r, diag);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/*
 * Name, label, domain and service are the caller's to say. The rest is the blob's; what the
 * caller says may be narrower, never wider.
 */
static vd_status narrow(const struct content *content, struct vd_key_attributes *inout,
                        struct vd_diag *diag)
{
    const struct vd_key_attributes *from = &content->attributes;

    if (inout->type != 0 && inout->type != from->type)
        return vd_diag_fail(diag, VD_E_KEY_TYPE, "the wrapped key is of another type");
    if ((inout->usages & ~from->usages) != 0)
        return vd_diag_fail(diag, VD_E_KEY_USAGE, "the wrapped key does not have these usages");
    if (inout->name[0] == '\0')
        vd_copy(inout->name, from->name, sizeof(inout->name));
    inout->type = from->type;
    inout->usages = inout->usages == 0 ? from->usages : inout->usages;
    inout->flags |= from->flags;
    inout->min_decrypt_version = 0;
    inout->not_before = inout->not_before > from->not_before ? inout->not_before : from->not_before;
    inout->not_after = earlier(inout->not_after, from->not_after);
    inout->usage_limit = earlier(inout->usage_limit, from->usage_limit);
    return VD_OK;
}

/*
 * Whoever knows the wrapping key, having imported it, can wrap what he likes: the material is
 * checked like an import, where loading trusts it like the store's own.
 */
static vd_status load_checked(struct vd_alg *alg, enum vd_alg_type type,
                              const struct content *content, struct vd_alg_key **ret,
                              struct vd_diag *diag)
{
    VD_AUTO(vd_secret_done) struct vd_secret material = {};
    VD_AUTO(vd_secret_done) struct vd_secret der = {};
    struct vd_alg_import import = {.type = type, .form = VD_ALG_FORM_PKCS8};
    struct vd_alg_key *key = NULL, *checked = NULL;
    vd_status status;

    VD_TRY(vd_secret_set(&material, content->material, content->size, diag));
    VD_TRY(vd_alg_key_load(alg, type, &material, &key, diag));
    if ((vd_alg_info(type)->import_forms >> VD_ALG_FORM_PKCS8 & 1) != 0) {
        status = vd_alg_key_export(key, VD_ALG_FORM_PKCS8, &der, diag);
        import.material = (struct vd_alg_bytes){der.data, der.size};
        if (status == VD_OK)
            status = vd_alg_key_import(alg, &import, &checked, diag);
        vd_alg_key_free(key);
        VD_TRY(status);
        key = checked;
    }
    *ret = key;
    return VD_OK;
}

/* Reads, opens, narrows, stores. */
static vd_status unwrap(struct vd_keyd_use *use, struct vd_key_attributes *wanted,
                        uint8_t ret_id[VD_KEY_ID_SIZE], struct vd_diag *diag)
{
    VD_AUTO(vd_secret_done) struct vd_secret text = {};
    struct vd_keyd_conn *c = use->c;
    const struct vd_key_op *op = use->op;
    struct vd_keyd *s = c->server;
    struct vd_kstore_attributes attributes;
    struct vd_keyd_wrapped head;
    struct content content;
    struct vd_alg_bytes blob;
    struct vd_alg_key *key;
    vd_status status;

    VD_TRY(vd_keyd_part_private(c, &op->text, &blob, diag));
    VD_TRY(vd_keyd_wrapped_parse(&blob, &head, diag));
    if (memcmp(head.wrapper, use->key->id, VD_KEY_ID_SIZE) != 0)
        return vd_diag_fail(diag, VD_E_DIFFERS, "it was wrapped by another key");
    VD_TRY(vd_keyd_part_private(c, &op->aux, &head.aad, diag));
    VD_TRY(vd_keyd_use_version(use, head.by, diag));
    VD_TRY(open_content(use, &head, &text, diag));
    VD_TRY(read_content(&text, &content, diag));
    VD_TRY(narrow(&content, wanted, diag));
    VD_TRY(vd_keyd_attributes(s, wanted, &attributes, diag));
    VD_TRY(vd_keyd_permit_label(c, s->rights[VD_KEY_IMPORT], attributes.label, diag));
    VD_TRY(load_checked(s->alg, (enum vd_alg_type)attributes.type, &content, &key, diag));
    status = vd_keyd_store_key(s, &attributes, key, ret_id, diag);
    vd_alg_key_free(key);
    return status;
}

vd_status vd_keyd_unwrap(struct vd_keyd_conn *c, struct vd_keyd_call *call, struct vd_diag *diag)
{
    struct vd_key_attributes wanted;
    uint8_t id[VD_KEY_ID_SIZE] = {};
    struct vd_keyd_event event;
    struct vd_key_op op;
    struct vd_keyd_use use = {.op = &op, .out = &call->out};
    vd_status status;

    VD_TRY(vd_key_read_op(&call->in, &op, diag));
    VD_TRY(vd_key_read_attributes(&call->in, &wanted, diag));
    VD_TRY(vd_key_read_end(&call->in, diag));
    VD_TRY(vd_keyd_use_begin(c, &use, call->verb, 1, diag));
    status = unwrap(&use, &wanted, id, diag);
    event = vd_keyd_event(c, call->verb, use.key);
    event.label = use.facts.label->text;
    event.version = use.version;
    event.detail = wanted.name;
    vd_keyd_use_end(&use);
    VD_TRY(vd_keyd_manage_end(c, &event, status, diag));
    vd_write_bytes(&call->out, id, sizeof(id));
    return VD_OK;
}
