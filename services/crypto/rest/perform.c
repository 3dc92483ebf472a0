/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "services/crypto/rest/perform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/diagf.h"
#include "services/crypto/rest/memory.h"

/* On the key: Vault's deletion_allowed. */
#define DELETION "vault:deletion_allowed"

#define WRAPPED_MAX 8192u
#define SPKI_MAX    4096u
#define NAMES_MAX   200'000u

uint32_t vd_rest_code(vd_status status)
{
    switch (status) {
    case VD_E_DENIED:
        return 403;
    case VD_E_MISSING:
    case VD_E_TIMEOUT:
    case VD_E_BUSY:
    case VD_E_NO_MEMORY:
    case VD_E_NOT_RECORDED:
        return 503;
    case VD_E_USAGE:
        return 405;
    case VD_E_UNSUPPORTED: /* by this service, for ever */
        return 400;
    default:
        return vd_status_class(status) == VD_CLASS_INPUT ||
                       vd_status_class(status) == VD_CLASS_POLICY
                   ? 400
                   : 500;
    }
}

static vd_status no_memory(struct vd_diag *diag)
{
    return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for the answer");
}

static vd_status give(json_t *data, struct vd_rest_answer *ret, struct vd_diag *diag)
{
    if (data == NULL)
        return no_memory(diag);
    ret->code = 200;
    ret->data = data;
    return VD_OK;
}

static json_t *pem_of(const uint8_t *der, size_t size)
{
    static const char head[] = "-----BEGIN PUBLIC KEY-----\n",
                      foot[] = "-----END PUBLIC KEY-----\n";
    size_t letters = VD_REST_BASE64_SIZE(size) - 1, at = sizeof(head) - 1;
    char *base64 = vd_rest_alloc(letters + 1);
    char *text = vd_rest_alloc(sizeof(head) + sizeof(foot) + letters + letters / 64 + 2);
    json_t *ret = NULL;

    if (base64 != NULL && text != NULL) {
        vd_rest_base64_encode(VD_REST_BASE64, der, size, base64);
        memcpy(text, head, at);
        for (size_t i = 0; i < letters; i += 64) {
            size_t part = letters - i < 64 ? letters - i : 64;
            memcpy(text + at, base64 + i, part);
            text[at + part] = '\n';
            at += part + 1;
        }
        memcpy(text + at, foot, sizeof(foot));
        ret = json_string_nocheck(text);
    }
    vd_rest_free(base64);
    vd_rest_free(text);
    return ret;
}

static bool is_public(uint16_t type)
{
    return type == VD_ALG_RSA_4096 || type == VD_ALG_ECDSA_P256 || type == VD_ALG_ED25519 ||
           type == VD_ALG_ML_DSA_65;
}

/* A version as Vault shows it: a symmetric key's time, else an object with the public key. */
static json_t *version_of(struct vd_keyclient_key *key, const struct vd_key_version *v)
{
    uint16_t type = vd_keyclient_key_info(key)->attributes.type;
    bool raw = type == VD_ALG_ED25519;
    uint8_t der[SPKI_MAX];
    struct vd_keyclient_buffer out = {.data = der, .room = sizeof(der)};
    time_t seconds = (time_t)v->created;
    struct tm when;
    char text[32] = "";

    if (!is_public(type))
        return json_integer((json_int_t)v->created);
    if (v->destroyed ||
        vd_keyclient_public(key, v->version, raw ? VD_ALG_FORM_RAW_PUBLIC : VD_ALG_FORM_SPKI, &out,
                            NULL) != VD_OK)
        return NULL;
    if (gmtime_r(&seconds, &when) != NULL)
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &when);
    return json_pack(
        "{s:s,s:s,s:o}", "name", vd_rest_type_name(type), "creation_time", text, "public_key",
        raw ? vd_rest_base64_text(VD_REST_BASE64, der, out.size) : pem_of(der, out.size));
}

static json_t *versions_of(struct vd_keyclient_key *key, const struct vd_keyclient_shown *shown)
{
    json_t *ret = json_object();

    for (uint32_t i = 0; i < shown->version_count; i++) {
        const struct vd_key_version *v = &shown->versions[i];
        char number[16];
        json_t *value;
        if (v->destroyed || v->version < shown->info.attributes.min_decrypt_version)
            continue;
        snprintf(number, sizeof(number), "%u", v->version);
        value = version_of(key, v);
        if (value != NULL)
            (void)!json_object_set_new(ret, number, value);
    }
    return ret;
}

static bool deletion_allowed(struct vd_keyclient_key *key)
{
    uint8_t value[8];
    struct vd_keyclient_buffer out = {.data = value, .room = sizeof(value)};

    return vd_keyclient_attached(key, VD_KEY_ATTACH_USER, DELETION, &out, NULL) == VD_OK &&
           out.size == 1 && value[0] == 1;
}

static json_t *key_data(struct vd_keyclient_key *key, const struct vd_keyclient_shown *shown)
{
    const struct vd_key_attributes *a = &shown->info.attributes;
    const char *type = vd_rest_type_name(a->type);
    json_int_t least = a->min_decrypt_version != 0 ? (json_int_t)a->min_decrypt_version : 1;

    return json_pack(
        "{s:s,s:s,s:o,s:I,s:I,s:i,s:i,s:b,s:b,s:b,s:b,s:b,s:i,s:b,s:b,s:b,s:b,s:b}", "name",
        a->name, "type", type != NULL ? type : "other", "keys", versions_of(key, shown),
        "latest_version", (json_int_t)shown->info.versions, "min_decryption_version", least,
        "min_encryption_version", 0, "min_available_version", 0, "deletion_allowed",
        deletion_allowed(key), "derived", 0, "exportable", (a->flags & VD_KEY_NON_EXPORTABLE) == 0,
        "allow_plaintext_backup", 0, "imported_key", 0, "auto_rotate_period", 0, "soft_deleted",
        shown->info.state != VD_KEY_ACTIVE, "supports_encryption",
        (a->usages & VD_ALG_ENCRYPT) != 0, "supports_decryption", (a->usages & VD_ALG_DECRYPT) != 0,
        "supports_derivation", 0, "supports_signing",
        (a->usages & VD_ALG_SIGN) != 0 && a->type != VD_ALG_HMAC_SHA256);
}

static vd_status show(struct vd_keyclient *client, struct vd_rest_request *r,
                      struct vd_rest_answer *ret, struct vd_diag *diag)
{
    struct vd_keyclient_shown shown = {};
    struct vd_keyclient_key *key = NULL;
    vd_status status = vd_keyclient_open(client, r->name, &key, diag);

    if (status == VD_OK)
        status = vd_keyclient_show(client, r->name, &shown, diag);
    if (status == VD_OK)
        status = give(key_data(key, &shown), ret, diag);
    free(shown.versions);
    vd_keyclient_key_free(key);
    return status;
}

/* Making a key that is there already changes nothing, as Vault has it. */
static vd_status is_there(struct vd_keyclient *client, struct vd_rest_request *r,
                          struct vd_rest_answer *ret, struct vd_diag *diag)
{
    struct vd_keyclient_key *key = NULL;
    uint16_t type;

    VD_TRY(vd_keyclient_open(client, r->name, &key, diag));
    type = vd_keyclient_key_info(key)->attributes.type;
    vd_keyclient_key_free(key);
    if (type != r->type)
        return vd_diag_fail(diag, VD_E_EXISTS, "there is a key of that name and of another type");
    ret->warnings = json_pack("[s]", "the key existed already and was not changed");
    return ret->warnings != NULL ? VD_OK : no_memory(diag);
}

static vd_status create(struct vd_keyclient *client, struct vd_rest_request *r,
                        struct vd_rest_answer *ret, struct vd_diag *diag)
{
    struct vd_key_attributes attributes = {.type = r->type,
                                           .flags = r->exportable ? 0 : VD_KEY_NON_EXPORTABLE};
    struct vd_diag inner = {};
    uint8_t id[VD_KEY_ID_SIZE];
    vd_status status;

    memcpy(attributes.name, r->name, sizeof(attributes.name));
    status = vd_keyclient_create(client, &attributes, id, &inner);
    if (status == VD_E_EXISTS)
        VD_TRY(is_there(client, r, ret, diag));
    else if (status != VD_OK)
        return vd_diag_fail(diag, status, inner.text);
    return show(client, r, ret, diag);
}

static vd_status set_deletion(struct vd_keyclient_key *key, bool allowed, struct vd_diag *diag)
{
    static const uint8_t yes = 1, no = 0;
    struct vd_key_attach attach = {.action = VD_KEY_ATTACH_PUT,
                                   .kind = VD_KEY_ATTACH_USER,
                                   .name = DELETION,
                                   .value = allowed ? &yes : &no,
                                   .size = 1};
    const struct vd_keyclient_changes changes = {.changes = &attach, .count = 1};

    return vd_keyclient_attach(key, &changes, diag);
}

static vd_status config_by(struct vd_keyclient_key *key, const struct vd_rest_request *r,
                           struct vd_diag *diag)
{
    const struct vd_key_attributes attributes = {.min_decrypt_version = r->min_decrypt_version};

    if ((r->has & VD_REST_HAS_MIN_DECRYPT) != 0)
        VD_TRY(vd_keyclient_set(key, VD_KEY_SET_MIN_DECRYPT, &attributes, NULL, diag));
    if ((r->has & VD_REST_HAS_DELETION) != 0)
        VD_TRY(set_deletion(key, r->deletion_allowed, diag));
    return VD_OK;
}

static vd_status config(struct vd_keyclient *client, struct vd_rest_request *r,
                        struct vd_rest_answer *ret, struct vd_diag *diag)
{
    struct vd_keyclient_key *key = NULL;
    vd_status status;

    VD_TRY(vd_keyclient_open(client, r->name, &key, diag));
    status = config_by(key, r, diag);
    vd_keyclient_key_free(key);
    return status == VD_OK ? show(client, r, ret, diag) : status;
}

static vd_status rotate(struct vd_keyclient *client, struct vd_rest_request *r,
                        struct vd_rest_answer *ret, struct vd_diag *diag)
{
    struct vd_keyclient_key *key = NULL;
    uint32_t version;
    vd_status status;

    VD_TRY(vd_keyclient_open(client, r->name, &key, diag));
    status = vd_keyclient_rotate(key, &version, diag);
    vd_keyclient_key_free(key);
    return status == VD_OK ? show(client, r, ret, diag) : status;
}

static vd_status delete_key(struct vd_keyclient *client, struct vd_rest_request *r,
                            struct vd_rest_answer *ret, struct vd_diag *diag)
{
    struct vd_keyclient_key *key = NULL;
    vd_status status;

    VD_TRY(vd_keyclient_open(client, r->name, &key, diag));
    if (deletion_allowed(key))
        status = vd_keyclient_destroy(key, 0, VD_KEY_GRACE_STANDARD, NULL, diag);
    else
        status = vd_diag_fail(diag, VD_E_INVALID,
                              "deletion is not allowed for this key: set deletion_allowed by "
                              "its config first");
    vd_keyclient_key_free(key);
    if (status == VD_OK)
        ret->code = 204;
    return status;
}

static vd_status list_into(struct vd_keyclient *client, json_t *names, struct vd_diag *diag)
{
    struct vd_keyclient_page page = {.infos = calloc(VD_KEY_LIST_MAX, sizeof(*page.infos))};
    struct vd_key_info last;
    vd_status status = page.infos != NULL ? VD_OK : no_memory(diag);

    do {
        if (status == VD_OK)
            status = vd_keyclient_list(client, &page, diag);
        for (uint32_t i = 0; status == VD_OK && i < page.count; i++)
            if (page.infos[i].state != VD_KEY_DESTROYED &&
                json_array_append_new(names, json_string(page.infos[i].attributes.name)) != 0)
                status = no_memory(diag);
        if (status == VD_OK && json_array_size(names) > NAMES_MAX)
            status = vd_diagf(diag, VD_E_LIMIT, "more than %u keys", NAMES_MAX);
        if (status == VD_OK && page.count != 0) {
            last = page.infos[page.count - 1];
            page.after = &last;
        }
    } while (status == VD_OK && page.more && page.count != 0);
    free(page.infos);
    return status;
}

static vd_status list(struct vd_keyclient *client, struct vd_rest_request *r,
                      struct vd_rest_answer *ret, struct vd_diag *diag)
{
    json_t *names = json_array();
    vd_status status = names != NULL ? list_into(client, names, diag) : no_memory(diag);

    (void)r;
    if (status == VD_OK && json_array_size(names) == 0)
        status = VD_E_NOT_FOUND; /* as Vault has it */
    if (status == VD_OK)
        return give(json_pack("{s:o}", "keys", names), ret, diag);
    json_decref(names);
    return status;
}

static json_t *hex_text(const uint8_t *data, size_t size)
{
    char *text = vd_rest_alloc(2 * size + 1);
    json_t *ret;

    if (text == NULL)
        return NULL;
    for (size_t i = 0; i < size; i++)
        snprintf(text + 2 * i, 3, "%02x", data[i]);
    ret = json_stringn_nocheck(text, 2 * size);
    vd_rest_free(text);
    return ret;
}

static vd_status random_bytes(struct vd_keyclient *client, struct vd_rest_request *r,
                              struct vd_rest_answer *ret, struct vd_diag *diag)
{
    uint8_t *data = vd_rest_alloc(r->bytes);
    vd_status status = data != NULL ? VD_OK : no_memory(diag);

    if (status == VD_OK)
        status = vd_keyclient_random(client, data, r->bytes, diag);
    if (status == VD_OK)
        status = give(json_pack("{s:o}", "random_bytes",
                                r->hex ? hex_text(data, r->bytes)
                                       : vd_rest_base64_text(VD_REST_BASE64, data, r->bytes)),
                      ret, diag);
    vd_rest_free(data);
    return status;
}

/* Random bytes, and they encrypted: a request to encrypt that this process makes. */
static vd_status datakey(struct vd_keyclient *client, struct vd_rest_request *r,
                         struct vd_rest_answer *ret, struct vd_diag *diag)
{
    uint8_t *data = vd_rest_alloc(r->bytes);
    vd_status status = data != NULL ? VD_OK : no_memory(diag);

    if (status == VD_OK)
        status = vd_keyclient_random(client, data, r->bytes, diag);
    r->items[0].text = (struct vd_rest_bytes){data, r->bytes};
    r->action = VD_REST_ENCRYPT;
    if (status == VD_OK)
        status = vd_rest_operate(client, r, ret, diag);
    if (status == VD_OK && !r->keep_secret &&
        json_object_set_new(ret->data, "plaintext",
                            vd_rest_base64_text(VD_REST_BASE64, data, r->bytes)) != 0)
        status = no_memory(diag);
    vd_rest_free(data);
    return status;
}

static vd_status wrap_by(struct vd_keyclient *client, struct vd_keyclient_op *op,
                         struct vd_rest_answer *ret, struct vd_diag *diag)
{
    const struct vd_key_info *info = vd_keyclient_key_info(op->other);
    char number[16];

    VD_TRY(vd_keyclient_operate(client, VD_KEY_WRAP, op, diag));
    snprintf(number, sizeof(number), "%u", info->versions);
    return give(json_pack("{s:s,s:s?,s:{s:o}}", "name", info->attributes.name, "type",
                          vd_rest_type_name(info->attributes.type), "keys", number,
                          vd_rest_base64_text(VD_REST_BASE64, op->out.data, op->out.size)),
                ret, diag);
}

static vd_status wrap(struct vd_keyclient *client, struct vd_rest_request *r,
                      struct vd_rest_answer *ret, struct vd_diag *diag)
{
    uint8_t blob[WRAPPED_MAX];
    struct vd_keyclient_op op = {.out = {.data = blob, .room = sizeof(blob)}};
    vd_status status = vd_keyclient_open(client, r->name, &op.key, diag);

    if (status == VD_OK)
        status = vd_keyclient_open(client, r->other, &op.other, diag);
    if (status == VD_OK)
        status = wrap_by(client, &op, ret, diag);
    vd_keyclient_key_free(op.key);
    vd_keyclient_key_free(op.other);
    return status;
}

static vd_status health(struct vd_keyclient *client, struct vd_rest_request *r,
                        struct vd_rest_answer *ret, struct vd_diag *diag)
{
    uint64_t values[VD_KEY_STATUS_COUNT] = {};
    bool sealed =
        vd_keyclient_status(client, values, NULL) != VD_OK || values[VD_KEY_STAT_STORE_FAILED] != 0;

    (void)r;
    VD_TRY(
        give(json_pack("{s:b,s:b,s:b,s:b,s:s,s:s,s:I,s:s,s:s}", "initialized", 1, "sealed", sealed,
                       "standby", 0, "performance_standby", 0, "replication_performance_mode",
                       "disabled", "replication_dr_mode", "disabled", "server_time_utc",
                       (json_int_t)time(NULL), "version", VD_VERSION, "cluster_name", "veridian"),
             ret, diag));
    ret->code = sealed ? 503 : 200;
    ret->bare = true;
    return VD_OK;
}

vd_status vd_rest_perform(struct vd_keyclient *client, struct vd_rest_request *request,
                          struct vd_rest_answer *ret, struct vd_diag *diag)
{
    typedef vd_status perform(struct vd_keyclient *, struct vd_rest_request *,
                              struct vd_rest_answer *, struct vd_diag *);
    static perform *const performs[VD_REST_ACTION_COUNT] = {
        [VD_REST_HEALTH] = health,           [VD_REST_KEYS] = list,
        [VD_REST_CREATE] = create,           [VD_REST_SHOW] = show,
        [VD_REST_DELETE] = delete_key,       [VD_REST_ROTATE] = rotate,
        [VD_REST_CONFIG] = config,           [VD_REST_ENCRYPT] = vd_rest_operate,
        [VD_REST_DECRYPT] = vd_rest_operate, [VD_REST_REWRAP] = vd_rest_operate,
        [VD_REST_SIGN] = vd_rest_operate,    [VD_REST_VERIFY] = vd_rest_operate,
        [VD_REST_HMAC] = vd_rest_operate,    [VD_REST_RANDOM] = random_bytes,
        [VD_REST_DATAKEY] = datakey,         [VD_REST_WRAP] = wrap,
    };
    vd_status status = performs[request->action](client, request, ret, diag);

    if (status != VD_OK)
        vd_rest_answer_done(ret);
    return status;
}

void vd_rest_answer_done(struct vd_rest_answer *answer)
{
    json_decref(answer->data);
    json_decref(answer->warnings);
    *answer = (struct vd_rest_answer){};
}
