/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "lib/pkcs11/service.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "lib/hash.h"
#include "lib/keyclient/keyclient.h"

#define ID_TEXT (3 + 2 * VD_KEY_ID_SIZE + 1) /* "id:" and hex */

vd_status vd_p11_service_start(void)
{
    /* Whoever may make a socket at that path is who runs the service. */
    static const struct vd_keyclient_options options = {.server_uid = VD_KEYCLIENT_ANY_UID};

    vd_p11.generation = vd_p11.restored = 0;
    return vd_keyclient_new(&options, &vd_p11.client, NULL);
}

void vd_p11_service_end(void)
{
    vd_keyclient_free(vd_p11.client);
    vd_p11.client = NULL;
}

bool vd_p11_service_present(void)
{
    return vd_keyclient_connect(vd_p11.client, NULL) == VD_OK;
}

void vd_p11_service_in_child(struct vd_keyclient *client)
{
    if (client != NULL)
        vd_keyclient_own(client);
}

vd_status vd_p11_service_changed(bool *ret, bool *ret_all)
{
    uint64_t status[VD_KEY_STATUS_COUNT];

    VD_TRY(vd_keyclient_status(vd_p11.client, status, NULL));
    *ret_all = status[VD_KEY_STAT_RESTORED] != vd_p11.restored;
    *ret =
        *ret_all || status[VD_KEY_STAT_GENERATION] != vd_p11.generation || vd_p11.generation == 0;
    vd_p11.restored = status[VD_KEY_STAT_RESTORED];
    vd_p11.generation = status[VD_KEY_STAT_GENERATION];
    return VD_OK;
}

vd_status vd_p11_service_list(vd_status (*each)(void *ctx, const struct vd_key_info *info),
                              void *ctx)
{
    struct vd_keyclient_page page = {.infos = calloc(VD_KEY_LIST_MAX, sizeof(*page.infos))};
    vd_status status = page.infos != NULL ? VD_OK : VD_E_NO_MEMORY;
    struct vd_key_info last;

    do {
        if (status == VD_OK)
            status = vd_keyclient_list(vd_p11.client, &page, NULL);
        for (uint32_t i = 0; status == VD_OK && i < page.count; i++)
            status = each(ctx, &page.infos[i]);
        if (status != VD_OK || page.count == 0)
            break;
        last = page.infos[page.count - 1];
        page.after = &last;
    } while (page.more);
    free(page.infos);
    /* What was not listed whole is listed again. */
    if (status != VD_OK)
        vd_p11.generation = 0;
    return status;
}

static void id_text(const uint8_t id[VD_KEY_ID_SIZE], char ret[ID_TEXT])
{
    vd_copy(ret, "id:", 3);
    vd_hex_encode(id, VD_KEY_ID_SIZE, ret + 3);
}

static vd_status handle_of(struct vd_p11_key *key, struct vd_keyclient_key **ret)
{
    char text[ID_TEXT];
    vd_status status = VD_OK;

    pthread_mutex_lock(&key->lock);
    if (key->handle == NULL) {
        id_text(key->id, text);
        status = vd_keyclient_open(vd_p11.client, text, &key->handle, NULL);
    }
    *ret = key->handle;
    pthread_mutex_unlock(&key->lock);
    return status;
}

void vd_p11_service_close_key(struct vd_p11_key *key)
{
    vd_keyclient_key_free(key->handle);
    key->handle = NULL;
}

/* The whole room of `out` behind what is there. */
static vd_status reserve(struct vd_p11_buffer *out, size_t size, struct vd_keyclient_buffer *ret)
{
    if (vd_p11_buffer_reserve(out, size) != CKR_OK)
        return VD_E_NO_MEMORY;
    *ret = (struct vd_keyclient_buffer){out->bytes + out->size, size, 0};
    return VD_OK;
}

static bool passed_over(vd_status status)
{
    return status == VD_E_DENIED || status == VD_E_NOT_FOUND || status == VD_E_REVOKED;
}

static vd_status read_attachments(struct vd_keyclient_key *handle, vd_p11_attachment_fn *each,
                                  void *ctx)
{
    struct vd_keyclient_buffer value = {.room = VD_KEY_ATTACHMENT_MAX};
    struct vd_keyclient_attachment *list = NULL;
    uint32_t count = 0;
    vd_status status = vd_keyclient_attachments(handle, 0, &list, &count, NULL);

    if (status == VD_OK && (value.data = malloc(value.room)) == NULL)
        status = VD_E_NO_MEMORY;
    for (uint32_t i = 0; status == VD_OK && i < count; i++) {
        const struct vd_keyclient_attachment *a = &list[i];
        if (a->kind != VD_KEY_ATTACH_CERTIFICATE && a->kind != VD_KEY_ATTACH_PKCS11)
            continue;
        status = vd_keyclient_attached(handle, a->kind, a->name, &value, NULL);
        if (status == VD_OK)
            each(ctx, a->kind, a->name, value.data, value.size);
        else if (passed_over(status))
            status = VD_OK;
    }
    free(value.data);
    free(list);
    return status;
}

vd_status vd_p11_service_attachments(struct vd_p11_key *key, vd_p11_attachment_fn *each, void *ctx)
{
    struct vd_keyclient_key *handle;
    char text[ID_TEXT];
    vd_status status;

    id_text(key->id, text);
    status = vd_keyclient_open(vd_p11.client, text, &handle, NULL);
    if (status != VD_OK)
        return passed_over(status) ? VD_OK : status;
    status = read_attachments(handle, each, ctx);
    vd_keyclient_key_free(handle);
    return passed_over(status) ? VD_OK : status;
}

vd_status vd_p11_service_attach(struct vd_p11_key *key, const struct vd_key_attach *list,
                                uint16_t count)
{
    const struct vd_keyclient_changes changes = {.changes = list, .count = count};
    struct vd_keyclient_key *handle;

    VD_TRY(handle_of(key, &handle));
    return vd_keyclient_attach(handle, &changes, NULL);
}

vd_status vd_p11_service_public(struct vd_p11_key *key, uint16_t form, struct vd_p11_buffer *out)
{
    struct vd_keyclient_buffer value;
    struct vd_keyclient_key *handle;
    const size_t room = 4096;

    VD_TRY(handle_of(key, &handle));
    VD_TRY(reserve(out, room, &value));
    VD_TRY(vd_keyclient_public(handle, 0, form, &value, NULL));
    out->size += value.size;
    return VD_OK;
}

static vd_status prepare(struct vd_p11_key *key, const struct vd_key_op *op,
                         struct vd_keyclient_op *ret)
{
    if (op->text.size > VD_P11_DATA_MAX || op->aux.size > VD_P11_DATA_MAX ||
        op->extra.size > VD_P11_DATA_MAX)
        return VD_E_SIZE;
    *ret = (struct vd_keyclient_op){.version = op->version,
                                    .mechanism = op->mechanism,
                                    .form = op->form,
                                    .length = op->length,
                                    .text = {op->text.data, op->text.size},
                                    .aux = {op->aux.data, op->aux.size},
                                    .extra = {op->extra.data, op->extra.size}};
    return handle_of(key, &ret->key);
}

vd_status vd_p11_service_op_to(struct vd_p11_key *key, enum vd_key_verb verb,
                               const struct vd_key_op *op, struct vd_p11_out *out)
{
    struct vd_keyclient_op ask;

    VD_TRY(prepare(key, op, &ask));
    ask.out = (struct vd_keyclient_buffer){out->data, out->room, 0};
    VD_TRY(vd_keyclient_operate(vd_p11.client, verb, &ask, NULL));
    out->size = ask.out.size;
    return VD_OK;
}

vd_status vd_p11_service_op(struct vd_p11_key *key, enum vd_key_verb verb,
                            const struct vd_key_op *op, struct vd_p11_buffer *out,
                            struct vd_p11_buffer *out_secret)
{
    /* The largest result that is not a text: a signature of ML-DSA. */
    const size_t more = 4096;
    struct vd_keyclient_op ask;

    VD_TRY(prepare(key, op, &ask));
    if (out != NULL)
        VD_TRY(reserve(out, op->text.size + op->length + more, &ask.out));
    if (out_secret != NULL)
        VD_TRY(reserve(out_secret, 64, &ask.second));
    VD_TRY(vd_keyclient_operate(vd_p11.client, verb, &ask, NULL));
    if (out != NULL)
        out->size += ask.out.size;
    if (out_secret != NULL)
        out_secret->size += ask.second.size;
    return VD_OK;
}

vd_status vd_p11_service_create(const struct vd_p11_new_key *from, struct vd_key_info *ret)
{
    struct vd_keyclient_key *made;
    uint8_t id[VD_KEY_ID_SIZE];
    char text[ID_TEXT];

    if (from->with != NULL) {
        struct vd_keyclient_op op = {.text = {from->material, from->size},
                                     .aux = {from->aad, from->aad_size}};
        VD_TRY(handle_of(from->with, &op.key));
        VD_TRY(vd_keyclient_unwrap(vd_p11.client, &op, &from->attributes, id, NULL));
    } else if (from->form != 0) {
        const struct vd_keyclient_import import = {.attributes = &from->attributes,
                                                   .form = from->form,
                                                   .material = {from->material, from->size}};
        VD_TRY(vd_keyclient_import(vd_p11.client, &import, id, NULL));
    } else {
        VD_TRY(vd_keyclient_create(vd_p11.client, &from->attributes, id, NULL));
    }
    id_text(id, text);
    VD_TRY(vd_keyclient_open(vd_p11.client, text, &made, NULL));
    *ret = *vd_keyclient_key_info(made);
    vd_keyclient_key_free(made);
    return VD_OK;
}

vd_status vd_p11_service_wrap(struct vd_p11_key *with, struct vd_p11_key *target,
                              const uint8_t *aad, size_t aad_size, struct vd_p11_buffer *out)
{
    const size_t room = 20480;
    struct vd_keyclient_op op = {.aux = {aad, aad_size}};

    VD_TRY(handle_of(with, &op.key));
    VD_TRY(handle_of(target, &op.other));
    VD_TRY(reserve(out, room, &op.out));
    VD_TRY(vd_keyclient_operate(vd_p11.client, VD_KEY_WRAP, &op, NULL));
    out->size += op.out.size;
    return VD_OK;
}

vd_status vd_p11_service_destroy(struct vd_p11_key *key)
{
    struct vd_keyclient_key *handle;

    VD_TRY(handle_of(key, &handle));
    return vd_keyclient_destroy(handle, 0, VD_KEY_GRACE_STANDARD, NULL, NULL);
}

vd_status vd_p11_service_random(uint8_t *ret, size_t size)
{
    while (size != 0) {
        size_t part = size < VD_KEY_RANDOM_MAX ? size : VD_KEY_RANDOM_MAX;
        VD_TRY(vd_keyclient_random(vd_p11.client, ret, part, NULL));
        ret += part;
        size -= part;
    }
    return VD_OK;
}
