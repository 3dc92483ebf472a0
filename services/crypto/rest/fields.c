/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "services/crypto/rest/fields.h"

#include <stdio.h>
#include <string.h>

#include "lib/diagf.h"
#include "services/crypto/rest/memory.h"

static const struct {
    uint16_t type;
    const char *name;
} types[] = {
    {VD_ALG_AES_256_GCM, "aes256-gcm96"}, {VD_ALG_CHACHA20_POLY1305, "chacha20-poly1305"},
    {VD_ALG_RSA_4096, "rsa-4096"},        {VD_ALG_ECDSA_P256, "ecdsa-p256"},
    {VD_ALG_ED25519, "ed25519"},          {VD_ALG_HMAC_SHA256, "hmac"},
    {VD_ALG_ML_DSA_65, "ml-dsa"},
};

const char *vd_rest_type_name(uint16_t type)
{
    for (size_t i = 0; i < VD_COUNT(types); i++)
        if (types[i].type == type)
            return types[i].name;
    return NULL;
}

static bool set_type(struct vd_rest_request *request, const char *text)
{
    for (size_t i = 0; i < VD_COUNT(types); i++)
        if (strcmp(types[i].name, text) == 0) {
            request->type = types[i].type;
            return true;
        }
    return false;
}

bool vd_rest_set_hash(struct vd_rest_request *request, const char *text)
{
    (void)request;
    return strcmp(text, "sha2-256") == 0 || text[0] == '\0';
}

static bool set_signature(struct vd_rest_request *request, const char *text)
{
    request->pkcs1 = strcmp(text, "pkcs1v15") == 0;
    return request->pkcs1 || strcmp(text, "pss") == 0 || text[0] == '\0';
}

static bool set_salt(struct vd_rest_request *request, const char *text)
{
    (void)request;
    return strcmp(text, "auto") == 0 || strcmp(text, "hash") == 0 || strcmp(text, "32") == 0;
}

static bool set_marshaling(struct vd_rest_request *request, const char *text)
{
    request->jws = strcmp(text, "jws") == 0;
    return request->jws || strcmp(text, "asn1") == 0 || text[0] == '\0';
}

static bool set_format(struct vd_rest_request *request, const char *text)
{
    request->hex = strcmp(text, "hex") == 0;
    return request->hex || strcmp(text, "base64") == 0 || text[0] == '\0';
}

static bool set_source(struct vd_rest_request *request, const char *text)
{
    (void)request;
    return strcmp(text, "platform") == 0 || strcmp(text, "seal") == 0 || strcmp(text, "all") == 0 ||
           text[0] == '\0';
}

static bool set_bits(struct vd_rest_request *request, const char *text)
{
    uint32_t bits;

    if (!vd_rest_number(text, &bits) || (bits != 128 && bits != 256 && bits != 512))
        return false;
    request->bytes = bits / 8;
    return true;
}

static bool set_parameters(struct vd_rest_request *request, const char *text)
{
    (void)request;
    return strcmp(text, "65") == 0 || text[0] == '\0';
}

static bool set_key_size(struct vd_rest_request *request, const char *text)
{
    (void)request;
    return strcmp(text, "0") == 0 || strcmp(text, "32") == 0;
}

#define ITEM(name_, kind_, member_, has_)                                        \
    {                                                                            \
        .name = name_, .kind = VD_REST_FIELD_##kind_, .item = true, .has = has_, \
        .offset = offsetof(struct vd_rest_item, member_)                         \
    }
#define WHOLE(name_, kind_, member_, has_)                         \
    {                                                              \
        .name = name_, .kind = VD_REST_FIELD_##kind_, .has = has_, \
        .offset = offsetof(struct vd_rest_request, member_)        \
    }
#define CHOICE(name_, set_, why_)                                             \
    {                                                                         \
        .name = name_, .kind = VD_REST_FIELD_CHOICE, .set = set_, .why = why_ \
    }
#define NEVER(name_, item_, why_)                                              \
    {                                                                          \
        .name = name_, .kind = VD_REST_FIELD_NEVER, .item = item_, .why = why_ \
    }
#define HASH(name_) CHOICE(name_, vd_rest_set_hash, "sha2-256")
#define NO_DERIVATION                                              \
    NEVER("context", true, "keys are not derived from a context"), \
        NEVER("nonce", true, "the service chooses nonces itself")
#define SHARED ITEM("reference", TEXT, reference, 0), ITEM("key_version", NUMBER, version, 0)

static const struct vd_rest_field create_fields[] = {
    CHOICE("type", set_type,
           "aes256-gcm96, chacha20-poly1305, rsa-4096, ecdsa-p256, ed25519, hmac or ml-dsa"),
    WHOLE("exportable", BOOL, exportable, 0),
    CHOICE("parameter_set", set_parameters, "65"),
    CHOICE("key_size", set_key_size, "32"),
    NEVER("derived", false, "keys are not derived from a context"),
    NEVER("convergent_encryption", false, "equal plaintexts never give equal ciphertexts"),
    NEVER("allow_plaintext_backup", false, "keys leave only wrapped"),
    NEVER("auto_rotate_period", false, "keys are rotated by request"),
    {},
};
static const struct vd_rest_field config_fields[] = {
    WHOLE("min_decryption_version", NUMBER, min_decrypt_version, VD_REST_HAS_MIN_DECRYPT),
    WHOLE("deletion_allowed", BOOL, deletion_allowed, VD_REST_HAS_DELETION),
    NEVER("min_encryption_version", false, "the newest version encrypts, unless one is named"),
    NEVER("exportable", false, "what may leave is decided when the key is made"),
    NEVER("allow_plaintext_backup", false, "keys leave only wrapped"),
    NEVER("auto_rotate_period", false, "keys are rotated by request"),
    {},
};
static const struct vd_rest_field encrypt_fields[] = {
    ITEM("plaintext", BASE64, text, VD_REST_HAS_TEXT),
    ITEM("associated_data", BASE64, aux, 0),
    SHARED,
    WHOLE("partial_failure_response_code", NUMBER, partial_code, 0),
    NO_DERIVATION,
    NEVER("convergent_encryption", false, "equal plaintexts never give equal ciphertexts"),
    {},
};
static const struct vd_rest_field decrypt_fields[] = {
    ITEM("ciphertext", CIPHERTEXT, text, VD_REST_HAS_TEXT),
    ITEM("associated_data", BASE64, aux, 0),
    ITEM("reference", TEXT, reference, 0),
    WHOLE("partial_failure_response_code", NUMBER, partial_code, 0),
    NO_DERIVATION,
    {},
};
static const struct vd_rest_field rewrap_fields[] = {
    ITEM("ciphertext", CIPHERTEXT, text, VD_REST_HAS_TEXT),
    ITEM("associated_data", BASE64, aux, 0),
    ITEM("reference", TEXT, reference, 0),
    NO_DERIVATION,
    {},
};
#define SIGNING                                                                               \
    ITEM("input", BASE64, text, VD_REST_HAS_TEXT), HASH("hash_algorithm"), HASH("algorithm"), \
        CHOICE("signature_algorithm", set_signature, "pss or pkcs1v15"),                      \
        CHOICE("marshaling_algorithm", set_marshaling, "asn1 or jws"),                        \
        CHOICE("salt_length", set_salt, "auto, hash or 32"),                                  \
        WHOLE("prehashed", BOOL, prehashed, 0), ITEM("signature_context", BASE64, aux, 0),    \
        NEVER("context", true, "keys are not derived from a context")
static const struct vd_rest_field sign_fields[] = {SIGNING, SHARED, {}};
static const struct vd_rest_field verify_fields[] = {
    SIGNING,
    ITEM("reference", TEXT, reference, 0),
    ITEM("signature", SIGNATURE, extra, VD_REST_HAS_SIGNATURE),
    ITEM("hmac", CIPHERTEXT, extra, VD_REST_HAS_HMAC),
    {},
};
static const struct vd_rest_field hmac_fields[] = {ITEM("input", BASE64, text, VD_REST_HAS_TEXT),
                                                   SHARED,
                                                   HASH("algorithm"),
                                                   HASH("hash_algorithm"),
                                                   {}};
static const struct vd_rest_field random_fields[] = {
    WHOLE("bytes", NUMBER, bytes, 0),
    CHOICE("format", set_format, "base64 or hex"),
    CHOICE("source", set_source, "platform, seal or all"),
    {}};
static const struct vd_rest_field datakey_fields[] = {CHOICE("bits", set_bits, "128, 256 or 512"),
                                                      ITEM("associated_data", BASE64, aux, 0),
                                                      ITEM("key_version", NUMBER, version, 0),
                                                      NO_DERIVATION,
                                                      {}};
static const struct vd_rest_field no_fields[] = {{}};

const struct vd_rest_field *vd_rest_fields(enum vd_rest_action action)
{
    static const struct vd_rest_field *const of[VD_REST_ACTION_COUNT] = {
        [VD_REST_CREATE] = create_fields,   [VD_REST_CONFIG] = config_fields,
        [VD_REST_ENCRYPT] = encrypt_fields, [VD_REST_DECRYPT] = decrypt_fields,
        [VD_REST_REWRAP] = rewrap_fields,   [VD_REST_SIGN] = sign_fields,
        [VD_REST_VERIFY] = verify_fields,   [VD_REST_HMAC] = hmac_fields,
        [VD_REST_RANDOM] = random_fields,   [VD_REST_DATAKEY] = datakey_fields,
    };

    return of[action] != NULL ? of[action] : no_fields;
}

bool vd_rest_number(const char *text, uint32_t *ret)
{
    uint64_t value = 0;
    size_t len = strlen(text);

    if (len == 0 || len > 10)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    *ret = (uint32_t)value;
    return value <= UINT32_MAX;
}

/* A field's value, and what it goes to. */
struct place {
    struct vd_rest_request *request;
    struct vd_rest_item *item;
    const struct vd_rest_field *field;
    const json_t *value;
};

static void *target_of(const struct place *at)
{
    return (char *)(at->field->item ? (void *)at->item : (void *)at->request) + at->field->offset;
}

/* Decodes to the request's memory, which the whole body would fit into. */
static vd_status decode(const struct place *at, const struct vd_rest_text *from,
                        struct vd_diag *diag)
{
    struct vd_rest_request *r = at->request;
    struct vd_rest_bytes *to = target_of(at);
    size_t size;

    if (from->size > r->decoded_size - r->decoded_used)
        return vd_diag_fail(diag, VD_E_LIMIT, "longer than the body that it came in");
    VD_TRY(vd_rest_base64_decode(from, r->decoded + r->decoded_used, &size, diag));
    *to = (struct vd_rest_bytes){r->decoded + r->decoded_used, size};
    r->decoded_used += size;
    return VD_OK;
}

static vd_status read_base64(const struct place *at, struct vd_diag *diag)
{
    struct vd_rest_text from = {.text = json_string_value(at->value),
                                .size = json_string_length(at->value)};

    if (from.text == NULL)
        return vd_diag_fail(diag, VD_E_INVALID, "expected a text in base64");
    return decode(at, &from, diag);
}

/* "vault:vN:" and the rest. */
static vd_status read_versioned(const struct place *at, struct vd_diag *diag)
{
    static const char prefix[] = "vault:v";
    struct vd_rest_text from = {};
    const char *text = json_string_value(at->value), *colon;
    char digits[12] = {};
    uint32_t version;

    if (text == NULL || strncmp(text, prefix, sizeof(prefix) - 1) != 0)
        return vd_diag_fail(diag, VD_E_INVALID, "expected a text that begins with vault:v");
    text += sizeof(prefix) - 1;
    colon = strchr(text, ':');
    if (colon == NULL || (size_t)(colon - text) >= sizeof(digits))
        return vd_diag_fail(diag, VD_E_INVALID, "expected vault:v, a version, a colon");
    memcpy(digits, text, (size_t)(colon - text));
    if (!vd_rest_number(digits, &version) || version == 0 || digits[0] == '0')
        return vd_diag_fail(diag, VD_E_RANGE, "expected a version from 1 behind vault:v");
    from.text = colon + 1;
    from.size = strlen(from.text);
    if (at->field->kind == VD_REST_FIELD_SIGNATURE && at->request->jws)
        from.kind = VD_REST_BASE64_URL;
    VD_TRY(decode(at, &from, diag));
    at->item->version = version;
    return VD_OK;
}

static vd_status read_number(const struct place *at, struct vd_diag *diag)
{
    json_int_t value = json_integer_value(at->value);
    uint32_t number = (uint32_t)value;
    bool good =
        json_is_integer(at->value)
            ? value >= 0 && value <= UINT32_MAX
            : json_is_string(at->value) && vd_rest_number(json_string_value(at->value), &number);

    if (!good)
        return vd_diagf(diag, VD_E_RANGE, "expected a number from 0 to %u", UINT32_MAX);
    *(uint32_t *)target_of(at) = number;
    return VD_OK;
}

static vd_status read_bool(const struct place *at, struct vd_diag *diag)
{
    const char *text = json_string_value(at->value);
    bool is_true = json_is_true(at->value) || (text != NULL && strcmp(text, "true") == 0);

    if (!is_true && !json_is_false(at->value) && (text == NULL || strcmp(text, "false") != 0))
        return vd_diag_fail(diag, VD_E_INVALID, "expected true or false");
    *(bool *)target_of(at) = is_true;
    return VD_OK;
}

static vd_status read_choice(const struct place *at, struct vd_diag *diag)
{
    char number[24];
    const char *text = json_string_value(at->value);

    if (json_is_integer(at->value)) {
        snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(at->value));
        text = number;
    }
    if (text != NULL && at->field->set(at->request, text))
        return VD_OK;
    return vd_diagf(diag, VD_E_UNSUPPORTED, "expected %s", at->field->why);
}

static vd_status read_never(const struct place *at, struct vd_diag *diag)
{
    const char *text = json_string_value(at->value);
    bool empty =
        json_is_false(at->value) ||
        (json_is_integer(at->value) && json_integer_value(at->value) == 0) ||
        (text != NULL && (text[0] == '\0' || strcmp(text, "0") == 0 || strcmp(text, "false") == 0));

    return empty ? VD_OK : vd_diagf(diag, VD_E_UNSUPPORTED, "not supported: %s", at->field->why);
}

static vd_status read_value(const struct place *at, struct vd_diag *diag)
{
    vd_status status;

    if (json_is_null(at->value))
        return VD_OK;
    switch (at->field->kind) {
    case VD_REST_FIELD_BASE64:
        status = read_base64(at, diag);
        break;
    case VD_REST_FIELD_CIPHERTEXT:
    case VD_REST_FIELD_SIGNATURE:
        status = read_versioned(at, diag);
        break;
    case VD_REST_FIELD_NUMBER:
        status = read_number(at, diag);
        break;
    case VD_REST_FIELD_BOOL:
        status = read_bool(at, diag);
        break;
    case VD_REST_FIELD_TEXT:
        *(const char **)target_of(at) = json_string_value(at->value);
        status =
            json_is_string(at->value) ? VD_OK : vd_diag_fail(diag, VD_E_INVALID, "expected a text");
        break;
    case VD_REST_FIELD_CHOICE:
        status = read_choice(at, diag);
        break;
    default:
        status = read_never(at, diag);
    }
    if (status == VD_OK)
        *(at->field->item ? &at->item->has : &at->request->has) |= at->field->has;
    return status;
}

/* What is told of a wrong field: where it stands, and the offset in it where there is one. */
static vd_status told(vd_status status, const char *where, const struct vd_diag *inner,
                      struct vd_diag *diag)
{
    const char *text = inner->text[0] != '\0' ? inner->text : vd_status_text(status);

    if (inner->has_offset)
        return vd_diagf(diag, status, "%s: letter %llu: %s", where,
                        (unsigned long long)inner->offset + 1, text);
    return vd_diagf(diag, status, "%s: %s", where, text);
}

static vd_status read_whole(struct vd_rest_request *r, bool items, struct vd_diag *diag)
{
    for (const struct vd_rest_field *f = vd_rest_fields(r->action); f->name != NULL; f++) {
        struct vd_diag inner = {};
        struct place at = {r, r->items, f, json_object_get(r->body, f->name)};
        vd_status status;
        if (at.value == NULL || f->item != items)
            continue;
        status = read_value(&at, &inner);
        if (status != VD_OK)
            return told(status, f->name, &inner, diag);
    }
    return VD_OK;
}

/* An item's error is the item's alone. */
static void read_item(struct vd_rest_request *r, size_t index, const json_t *object)
{
    struct vd_rest_item *item = &r->items[index];

    if (!json_is_object(object)) {
        item->status = VD_E_INVALID;
        snprintf(item->error, sizeof(item->error), "batch_input[%zu]: expected an object", index);
        return;
    }
    for (const struct vd_rest_field *f = vd_rest_fields(r->action); f->name != NULL; f++) {
        struct vd_diag inner = {}, outer = {};
        struct place at = {r, item, f, json_object_get(object, f->name)};
        char where[96];
        if (at.value == NULL || !f->item)
            continue;
        item->status = read_value(&at, &inner);
        if (item->status == VD_OK)
            continue;
        snprintf(where, sizeof(where), "batch_input[%zu].%s", index, f->name);
        (void)!told(item->status, where, &inner, &outer);
        snprintf(item->error, sizeof(item->error), "%s", outer.text);
        return;
    }
}

static bool is_known(const struct vd_rest_request *r, const char *name)
{
    for (const struct vd_rest_field *f = vd_rest_fields(r->action); f->name != NULL; f++)
        if (strcmp(f->name, name) == 0)
            return !(r->batch && f->item);
    return r->batch && strcmp(name, "batch_input") == 0;
}

static vd_status note_ignored(struct vd_rest_request *r)
{
    const char *name;
    json_t *value;

    json_object_foreach(r->body, name, value)
    {
        if (is_known(r, name))
            continue;
        if (r->ignored == NULL)
            r->ignored = json_array();
        if (json_array_append_new(r->ignored, json_string(name)) != 0)
            return VD_E_NO_MEMORY;
    }
    return VD_OK;
}

vd_status vd_rest_fields_read(struct vd_rest_request *r, struct vd_diag *diag)
{
    const json_t *batch = json_object_get(r->body, "batch_input");

    VD_TRY(read_whole(r, false, diag));
    if (!r->batch)
        VD_TRY(read_whole(r, true, diag));
    for (size_t i = 0; r->batch && i < r->count; i++)
        read_item(r, i, json_array_get(batch, i));
    return note_ignored(r);
}
