/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Operations on data, alone or in batches: many small ones go to the key service in one frame. */
#include <stdio.h>
#include <string.h>

#include "lib/diagf.h"
#include "services/crypto/rest/memory.h"
#include "services/crypto/rest/perform.h"

#define FRAME_BYTES    (40u << 10) /* of requests, and of results, of one frame */
#define ITEM_OVERHEAD  96u
#define SIGNATURE_ROOM 3328u
#define RSA_ROOM       512u

struct work {
    struct vd_rest_request *request;
    struct vd_keyclient *client;
    struct vd_keyclient_key *key;
    uint16_t type;
    enum vd_key_verb verb;
    uint16_t mechanism;
    struct vd_keyclient_op *ops; /* of items that are not refused */
    uint32_t *indexes;           /* of their items */
    uint32_t count;
    uint8_t *outputs;
};

static vd_status no_digest(const char *what, struct vd_diag *diag)
{
    return vd_diagf(diag, VD_E_MECHANISM, "prehashed: a key of type %s signs whole messages", what);
}

static vd_status signing_mechanism(const struct vd_rest_request *r, uint16_t type, uint16_t *ret,
                                   struct vd_diag *diag)
{
    static const uint16_t rsa[2][2] = {
        {VD_ALG_RSA_PSS_SHA256, VD_ALG_RSA_PSS_SHA256_DIGEST},
        {VD_ALG_RSA_PKCS1_SHA256, VD_ALG_RSA_PKCS1_SHA256_DIGEST},
    };
    static const uint16_t ecdsa[2][2] = {
        {VD_ALG_ECDSA_SHA256, VD_ALG_ECDSA_SHA256_DIGEST},
        {VD_ALG_ECDSA_SHA256_RAW, VD_ALG_ECDSA_SHA256_RAW_DIGEST},
    };

    switch (type) {
    case VD_ALG_RSA_4096:
        *ret = rsa[r->pkcs1][r->prehashed];
        return VD_OK;
    case VD_ALG_ECDSA_P256:
        *ret = ecdsa[r->jws][r->prehashed];
        return VD_OK;
    case VD_ALG_ED25519:
    case VD_ALG_ML_DSA_65:
        *ret = type == VD_ALG_ED25519 ? VD_ALG_EDDSA : VD_ALG_ML_DSA;
        return r->prehashed ? no_digest(vd_rest_type_name(type), diag) : VD_OK;
    case VD_ALG_HMAC_SHA256:
        *ret = VD_ALG_HMAC;
        return VD_OK;
    default:
        return vd_diag_fail(diag, VD_E_KEY_TYPE, "a key of this type does not sign");
    }
}

/* A signature belongs to a key that signs, an HMAC to one of type hmac. */
static vd_status check_proof(const struct work *w, const struct vd_rest_item *item,
                             struct vd_diag *diag)
{
    bool hmac = w->type == VD_ALG_HMAC_SHA256;
    bool given = w->request->action == VD_REST_HMAC || (item->has & VD_REST_HAS_HMAC) != 0;

    if (hmac == given)
        return VD_OK;
    return vd_diag_fail(diag, VD_E_KEY_TYPE,
                        hmac ? "a key of type hmac makes HMACs, no signatures"
                             : "only a key of type hmac makes HMACs");
}

static vd_status choose(struct work *w, struct vd_diag *diag)
{
    static const enum vd_key_verb verbs[VD_REST_ACTION_COUNT] = {
        [VD_REST_ENCRYPT] = VD_KEY_ENCRYPT, [VD_REST_DECRYPT] = VD_KEY_DECRYPT,
        [VD_REST_REWRAP] = VD_KEY_REWRAP,   [VD_REST_SIGN] = VD_KEY_SIGN,
        [VD_REST_VERIFY] = VD_KEY_VERIFY,   [VD_REST_HMAC] = VD_KEY_SIGN,
    };

    w->type = vd_keyclient_key_info(w->key)->attributes.type;
    w->verb = verbs[w->request->action];
    if (w->request->action == VD_REST_HMAC && w->type != VD_ALG_HMAC_SHA256)
        return vd_diag_fail(diag, VD_E_KEY_TYPE, "only a key of type hmac makes HMACs");
    if (w->verb == VD_KEY_SIGN || w->verb == VD_KEY_VERIFY)
        return signing_mechanism(w->request, w->type, &w->mechanism, diag);
    return VD_OK;
}

static size_t room_for(const struct work *w, const struct vd_rest_item *item)
{
    if (w->verb == VD_KEY_VERIFY)
        return 0;
    if (w->verb == VD_KEY_SIGN)
        return w->type == VD_ALG_ML_DSA_65  ? SIGNATURE_ROOM
               : w->type == VD_ALG_RSA_4096 ? RSA_ROOM
                                            : ITEM_OVERHEAD;
    if (w->type == VD_ALG_RSA_4096)
        return RSA_ROOM;
    return w->verb == VD_KEY_DECRYPT ? item->text.size : item->text.size + VD_KEYCLIENT_OVERHEAD;
}

static struct vd_keyclient_bytes bytes_of(struct vd_rest_bytes from)
{
    return (struct vd_keyclient_bytes){from.data, from.size};
}

/* An operation for each item that was not refused. */
static vd_status prepare(struct work *w, struct vd_diag *diag)
{
    struct vd_rest_request *r = w->request;
    size_t room = 0;

    w->ops = vd_rest_alloc(r->count * sizeof(*w->ops));
    w->indexes = vd_rest_alloc(r->count * sizeof(*w->indexes));
    for (uint32_t i = 0; i < r->count; i++)
        room += room_for(w, &r->items[i]);
    w->outputs = vd_rest_alloc(room);
    if (w->ops == NULL || w->indexes == NULL || w->outputs == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for the request");
    room = 0;
    for (uint32_t i = 0; i < r->count; i++) {
        struct vd_rest_item *item = &r->items[i];
        struct vd_diag inner = {};
        bool proof = w->verb == VD_KEY_SIGN || w->verb == VD_KEY_VERIFY;
        if (item->status == VD_OK && proof)
            item->status = check_proof(w, item, &inner);
        if (inner.status != VD_OK)
            snprintf(item->error, sizeof(item->error), "%s", inner.text);
        if (item->status != VD_OK)
            continue;
        w->indexes[w->count] = i;
        w->ops[w->count++] = (struct vd_keyclient_op){
            .key = w->key,
            .version = item->version,
            .mechanism = w->mechanism,
            .text = bytes_of(item->text),
            .aux = bytes_of(item->aux),
            .extra = bytes_of(item->extra),
            .out = {.data = w->outputs + room, .room = room_for(w, item)},
        };
        room += room_for(w, item);
    }
    return VD_OK;
}

/* How many from `first` go into one frame; at least one. */
static uint32_t fitting(const struct work *w, uint32_t first)
{
    size_t in = 0, out = 0;
    uint32_t i = first;

    for (; i < w->count && i - first < VD_KEY_BATCH_MAX; i++) {
        const struct vd_keyclient_op *op = &w->ops[i];
        in += op->text.size + op->aux.size + op->extra.size + ITEM_OVERHEAD;
        out += op->out.room + ITEM_OVERHEAD;
        if (in > FRAME_BYTES || out > FRAME_BYTES)
            break;
    }
    return i > first ? i - first : 1;
}

static void failed(struct vd_rest_item *item, vd_status status, const struct vd_diag *why)
{
    item->status = status;
    snprintf(item->error, sizeof(item->error), "%s",
             why != NULL && why->text[0] != '\0' ? why->text : vd_status_text(status));
}

/* One by one: each has its reason in words. */
static void run_one(struct work *w, uint32_t i)
{
    struct vd_diag why = {};
    vd_status status = vd_keyclient_operate(w->client, w->verb, &w->ops[i], &why);

    if (status != VD_OK)
        failed(&w->request->items[w->indexes[i]], status, &why);
}

static vd_status run_all(struct work *w, struct vd_diag *diag)
{
    for (uint32_t first = 0, count; first < w->count; first += count) {
        count = fitting(w, first);
        if (count == 1) {
            run_one(w, first);
            continue;
        }
        VD_TRY(vd_keyclient_batch(w->client, w->verb, &w->ops[first], count, diag));
        for (uint32_t i = first; i < first + count; i++)
            if (w->ops[i].status != VD_OK)
                failed(&w->request->items[w->indexes[i]], w->ops[i].status, NULL);
    }
    return VD_OK;
}

json_t *vd_rest_base64_text(enum vd_rest_base64 kind, const void *data, size_t size)
{
    char *text = vd_rest_alloc(VD_REST_BASE64_SIZE(size));
    json_t *ret = NULL;

    if (text != NULL) {
        vd_rest_base64_encode(kind, data, size, text);
        ret = json_string_nocheck(text);
    }
    vd_rest_free(text);
    return ret;
}

json_t *vd_rest_versioned(uint32_t version, enum vd_rest_base64 kind, const void *data, size_t size)
{
    char prefix[32];
    int len = snprintf(prefix, sizeof(prefix), "vault:v%u:", version);
    char *text = vd_rest_alloc((size_t)len + VD_REST_BASE64_SIZE(size));
    json_t *ret = NULL;

    if (text != NULL) {
        memcpy(text, prefix, (size_t)len);
        vd_rest_base64_encode(kind, data, size, text + len);
        ret = json_string_nocheck(text);
    }
    vd_rest_free(text);
    return ret;
}

/* What an operation gave; NULL: no memory. */
static json_t *result_of(const struct work *w, const struct vd_keyclient_op *op)
{
    const struct vd_rest_request *r = w->request;
    bool url = r->action == VD_REST_SIGN && r->jws;
    json_t *text;

    if (r->action == VD_REST_VERIFY)
        return json_pack("{s:b}", "valid", 1);
    if (r->action == VD_REST_DECRYPT)
        return json_pack("{s:o}", "plaintext",
                         vd_rest_base64_text(VD_REST_BASE64, op->out.data, op->out.size));
    text = vd_rest_versioned(op->served, url ? VD_REST_BASE64_URL : VD_REST_BASE64, op->out.data,
                             op->out.size);
    if (r->action == VD_REST_HMAC)
        return json_pack("{s:o}", "hmac", text);
    return json_pack("{s:o,s:I}", r->action == VD_REST_SIGN ? "signature" : "ciphertext", text,
                     "key_version", (json_int_t)op->served);
}

/* A signature that does not hold is an answer, no failure. */
static bool is_no(const struct work *w, const struct vd_rest_item *item)
{
    return w->verb == VD_KEY_VERIFY && item->status == VD_E_SIGNATURE;
}

static json_t *told_of(const struct work *w, const struct vd_rest_item *item,
                       const struct vd_keyclient_op *op)
{
    json_t *ret = item->status == VD_OK ? result_of(w, op)
                  : is_no(w, item)      ? json_pack("{s:b}", "valid", 0)
                                        : json_pack("{s:s}", "error", item->error);

    if (item->reference != NULL && w->request->batch && ret != NULL)
        (void)!json_object_set_new(ret, "reference", json_string(item->reference));
    return ret;
}

/* Vault's rule: a batch of which something could not be en- or decrypted is a bad request. */
static uint32_t code_of(const struct work *w, uint32_t good, uint32_t bad)
{
    const struct vd_rest_request *r = w->request;

    if (bad == 0 || (r->action != VD_REST_ENCRYPT && r->action != VD_REST_DECRYPT))
        return 200;
    return good != 0 && r->partial_code != 0 ? r->partial_code : 400;
}

static vd_status tell_batch(const struct work *w, struct vd_rest_answer *ret, struct vd_diag *diag)
{
    json_t *results = json_array();
    uint32_t next = 0, good = 0, bad = 0;

    for (uint32_t i = 0; i < w->request->count; i++) {
        const struct vd_rest_item *item = &w->request->items[i];
        bool asked = next < w->count && w->indexes[next] == i;
        (void)!json_array_append_new(results, told_of(w, item, asked ? &w->ops[next] : NULL));
        next += asked;
        if (item->status == VD_OK || is_no(w, item))
            good++;
        else
            bad++;
    }
    ret->code = code_of(w, good, bad);
    ret->data = json_array_size(results) == w->request->count
                    ? json_pack("{s:o}", "batch_results", results)
                    : NULL;
    return ret->data != NULL ? VD_OK
                             : vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for the answer");
}

static vd_status tell(const struct work *w, struct vd_rest_answer *ret, struct vd_diag *diag)
{
    const struct vd_rest_item *item = &w->request->items[0];

    if (w->request->batch)
        return tell_batch(w, ret, diag);
    if (item->status != VD_OK && !is_no(w, item))
        return vd_diag_fail(diag, item->status, item->error);
    ret->code = 200;
    ret->data = told_of(w, item, w->ops);
    return ret->data != NULL ? VD_OK
                             : vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for the answer");
}

vd_status vd_rest_operate(struct vd_keyclient *client, struct vd_rest_request *request,
                          struct vd_rest_answer *ret, struct vd_diag *diag)
{
    struct work w = {.request = request, .client = client};
    vd_status status = vd_keyclient_open(client, request->name, &w.key, diag);

    if (status == VD_OK)
        status = choose(&w, diag);
    if (status == VD_OK)
        status = prepare(&w, diag);
    if (status == VD_OK)
        status = run_all(&w, diag);
    if (status == VD_OK)
        status = tell(&w, ret, diag);
    vd_rest_free(w.ops);
    vd_rest_free(w.indexes);
    vd_rest_free(w.outputs);
    vd_keyclient_key_free(w.key);
    return status;
}
