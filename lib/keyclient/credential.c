/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "lib/keyclient/credential.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "lib/hash.h"

#define FORMAT   1u
#define AAD_HEAD "veridian/1 credential"
#define ID_BYTES 24u /* of the SHA-256 of the names that an attachment's name has */
#define UNIT     "/unit/"
#define AAD_MAX  (sizeof(AAD_HEAD) + 2 * (VD_CREDENTIAL_PART_MAX + 1))

static bool is_letter(char c, bool unit)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
        return true;
    return c != '\0' && strchr(unit ? ":_.\\@-" : ":_.@-+", c) != NULL;
}

static vd_status take_part(const char *from, bool unit, char *ret, struct vd_diag *diag)
{
    const char *what = unit ? "a unit's name" : "a credential's name";
    size_t len = strnlen(from, VD_CREDENTIAL_PART_MAX + 1);

    if (len == 0 || len > VD_CREDENTIAL_PART_MAX)
        return vd_diagf(diag, VD_E_LIMIT, "%s has 1 to %u letters", what, VD_CREDENTIAL_PART_MAX);
    for (size_t i = 0; i < len; i++)
        if (!is_letter(from[i], unit) || (i == 0 && from[0] == '.'))
            return vd_diagf_at(diag, VD_E_INVALID, i, "%s has no such letter", what);
    vd_copy(ret, from, len + 1);
    return VD_OK;
}

vd_status vd_credential_name(const char *unit, const char *id, struct vd_credential_name *ret,
                             struct vd_diag *diag)
{
    struct vd_credential_name name;

    VD_TRY(take_part(unit, true, name.unit, diag));
    VD_TRY(take_part(id, false, name.id, diag));
    *ret = name;
    return VD_OK;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

vd_status vd_credential_address(const char *path, size_t size, struct vd_credential_name *ret,
                                struct vd_diag *diag)
{
    char text[128], *slash;
    size_t at = 0;

    if (size < 2 || size > sizeof(text) || path[0] != '\0' ||
        memchr(path + 1, '\0', size - 1) != NULL)
        return vd_diag_fail(diag, VD_E_INVALID, "this is no address of the service manager");
    vd_copy(text, path + 1, size - 1);
    text[size - 1] = '\0';
    while (is_hex(text[at]))
        at++;
    slash = at == 0 || strncmp(text + at, UNIT, sizeof(UNIT) - 1) != 0
                ? NULL
                : strchr(text + at + sizeof(UNIT) - 1, '/');
    if (slash == NULL)
        return vd_diag_fail(diag, VD_E_INVALID, "this is no address of the service manager");
    *slash = '\0';
    return vd_credential_name(text + at + sizeof(UNIT) - 1, slash + 1, ret, diag);
}

/* What binds a secret to its unit: both names with a NUL behind each. */
static size_t aad_of(const struct vd_credential_name *name, char ret[AAD_MAX])
{
    size_t unit = strlen(name->unit) + 1, id = strlen(name->id) + 1;

    vd_copy(ret, AAD_HEAD, sizeof(AAD_HEAD));
    vd_copy(ret + sizeof(AAD_HEAD), name->unit, unit);
    vd_copy(ret + sizeof(AAD_HEAD) + unit, name->id, id);
    return sizeof(AAD_HEAD) + unit + id;
}

vd_status vd_credential_attachment(const struct vd_credential_name *name,
                                   char ret[VD_KEY_ATTACHMENT_NAME + 1], struct vd_diag *diag)
{
    char text[AAD_MAX];
    uint8_t digest[32];

    VD_TRY(vd_hash(VD_HASH_SHA256, text, aad_of(name, text), digest, diag));
    vd_copy(ret, VD_CREDENTIAL_PREFIX, sizeof(VD_CREDENTIAL_PREFIX));
    vd_hex_encode(digest, ID_BYTES, ret + sizeof(VD_CREDENTIAL_PREFIX) - 1);
    return VD_OK;
}

static vd_status attach(struct vd_keyclient_key *key, const struct vd_key_attach *what,
                        struct vd_diag *diag)
{
    const struct vd_keyclient_changes changes = {.changes = what, .count = 1};

    return vd_keyclient_attach(key, &changes, diag);
}

vd_status vd_credential_set(struct vd_keyclient *client, struct vd_keyclient_key *key,
                            const struct vd_credential_name *name,
                            const struct vd_keyclient_bytes *secret, struct vd_diag *diag)
{
    struct vd_key_attach put = {.action = VD_KEY_ATTACH_PUT, .kind = VD_KEY_ATTACH_USER};
    char aad[AAD_MAX];
    uint8_t *value;
    struct vd_keyclient_op op = {.key = key, .text = *secret, .aux = {aad, aad_of(name, aad)}};
    struct vd_writer w;
    vd_status status;

    if (secret->size > VD_CREDENTIAL_MAX)
        return vd_diagf(diag, VD_E_LIMIT, "a credential has at most %u bytes", VD_CREDENTIAL_MAX);
    value = malloc(VD_KEY_ATTACHMENT_MAX);
    if (value == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for a credential");
    vd_writer_init(&w, value, VD_KEY_ATTACHMENT_MAX);
    vd_write_u8(&w, FORMAT);
    vd_key_write_text(&w, name->unit);
    vd_key_write_text(&w, name->id);
    op.out = (struct vd_keyclient_buffer){value + w.len, VD_KEY_ATTACHMENT_MAX - w.len, 0};
    status = vd_keyclient_operate(client, VD_KEY_ENCRYPT, &op, diag);
    if (status == VD_OK)
        status = vd_credential_attachment(name, put.name, diag);
    put.value = value;
    put.size = w.len + op.out.size;
    if (status == VD_OK)
        status = attach(key, &put, diag);
    free(value);
    return status;
}

/* The head of a value; the ciphertext is what is left. */
static vd_status read_head(struct vd_reader *r, struct vd_credential_name *ret,
                           struct vd_diag *diag)
{
    struct vd_credential_name name;
    uint8_t format;

    VD_TRY(vd_key_read_u8(r, &format, diag));
    if (format != FORMAT)
        return vd_diag_fail(diag, VD_E_VERSION, "the credential has another format");
    VD_TRY(vd_key_read_text(r, VD_CREDENTIAL_PART_MAX, name.unit, diag));
    VD_TRY(vd_key_read_text(r, VD_CREDENTIAL_PART_MAX, name.id, diag));
    return vd_credential_name(name.unit, name.id, ret, diag);
}

static vd_status decrypt(struct vd_keyclient_op *op, struct vd_keyclient *client,
                         const struct vd_credential_name *name,
                         const struct vd_keyclient_buffer *value, struct vd_diag *diag)
{
    struct vd_credential_name stored;
    struct vd_reader r;
    const uint8_t *text;
    size_t size;

    vd_reader_init(&r, value->data, value->size);
    VD_TRY(read_head(&r, &stored, diag));
    if (strcmp(stored.unit, name->unit) != 0 || strcmp(stored.id, name->id) != 0)
        return vd_diag_fail(diag, VD_E_DIFFERS, "the credential is another one's");
    size = vd_reader_left(&r);
    VD_TRY(vd_read_bytes(&r, size, &text));
    op->text = (struct vd_keyclient_bytes){text, size};
    return vd_keyclient_operate(client, VD_KEY_DECRYPT, op, diag);
}

vd_status vd_credential_get(struct vd_keyclient *client, struct vd_keyclient_key *key,
                            const struct vd_credential_name *name, struct vd_keyclient_buffer *out,
                            struct vd_diag *diag)
{
    char attachment[VD_KEY_ATTACHMENT_NAME + 1], aad[AAD_MAX];
    struct vd_keyclient_op op = {.key = key, .aux = {aad, aad_of(name, aad)}, .out = *out};
    struct vd_keyclient_buffer value = {malloc(VD_KEY_ATTACHMENT_MAX), VD_KEY_ATTACHMENT_MAX, 0};
    vd_status status;

    if (value.data == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for a credential");
    status = vd_credential_attachment(name, attachment, diag);
    if (status == VD_OK)
        status = vd_keyclient_attached(key, VD_KEY_ATTACH_USER, attachment, &value, diag);
    if (status == VD_OK)
        status = decrypt(&op, client, name, &value, diag);
    if (status == VD_OK)
        out->size = op.out.size;
    free(value.data);
    return status;
}

vd_status vd_credential_whose(struct vd_keyclient_key *key, const char *attachment,
                              struct vd_credential_name *ret, struct vd_diag *diag)
{
    struct vd_keyclient_buffer value = {malloc(VD_KEY_ATTACHMENT_MAX), VD_KEY_ATTACHMENT_MAX, 0};
    struct vd_reader r;
    vd_status status;

    if (value.data == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for a credential");
    status = vd_keyclient_attached(key, VD_KEY_ATTACH_USER, attachment, &value, diag);
    if (status == VD_OK) {
        vd_reader_init(&r, value.data, value.size);
        status = read_head(&r, ret, diag);
    }
    free(value.data);
    return status;
}

vd_status vd_credential_remove(struct vd_keyclient_key *key, const struct vd_credential_name *name,
                               struct vd_diag *diag)
{
    struct vd_key_attach gone = {.action = VD_KEY_ATTACH_REMOVE, .kind = VD_KEY_ATTACH_USER};

    VD_TRY(vd_credential_attachment(name, gone.name, diag));
    return attach(key, &gone, diag);
}
