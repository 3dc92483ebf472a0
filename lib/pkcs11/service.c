/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "lib/pkcs11/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "lib/keyclient/keyclient.h"

#define ID_TEXT (3 + 2 * VD_KEY_ID_SIZE + 1) /* "id:" and hex */

vd_status vd_p11_service_start(void)
{
    /* Whoever may make a socket at that path is who runs the service. */
    static const struct vd_keyclient_options options = {.server_uid = VD_KEYCLIENT_ANY_UID};

    vd_p11.generation = 0;
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

vd_status vd_p11_service_changed(bool *ret)
{
    uint64_t status[VD_KEY_STATUS_COUNT];

    VD_TRY(vd_keyclient_status(vd_p11.client, status, NULL));
    *ret = status[VD_KEY_STAT_GENERATION] != vd_p11.generation || vd_p11.generation == 0;
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

static vd_status handle_of(struct vd_p11_key *key, struct vd_keyclient_key **ret)
{
    char text[ID_TEXT];
    vd_status status = VD_OK;

    pthread_mutex_lock(&key->lock);
    if (key->handle == NULL) {
        int at = snprintf(text, sizeof(text), "id:");
        for (unsigned i = 0; i < VD_KEY_ID_SIZE; i++)
            at += snprintf(text + at, sizeof(text) - (size_t)at, "%02x", key->id[i]);
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

/* Room for `size` bytes more behind what is there. */
static vd_status reserve(struct vd_p11_buffer *out, size_t size)
{
    size_t before = out->size;
    static const uint8_t zero[4096];

    while (out->size - before < size) {
        size_t part = size - (out->size - before);
        if (vd_p11_buffer_add(out, zero, part < sizeof(zero) ? part : sizeof(zero)) != CKR_OK)
            return VD_E_NO_MEMORY;
    }
    out->size = before;
    return VD_OK;
}

vd_status vd_p11_service_attached(struct vd_p11_key *key, uint16_t kind, const char *name,
                                  struct vd_p11_buffer *out)
{
    struct vd_keyclient_buffer value;
    struct vd_keyclient_key *handle;

    VD_TRY(handle_of(key, &handle));
    VD_TRY(reserve(out, VD_KEY_ATTACHMENT_MAX));
    value = (struct vd_keyclient_buffer){out->bytes + out->size, VD_KEY_ATTACHMENT_MAX, 0};
    VD_TRY(vd_keyclient_attached(handle, kind, name, &value, NULL));
    out->size += value.size;
    return VD_OK;
}

void vd_p11_service_certificates(struct vd_p11_key *key,
                                 void (*each)(void *ctx, const char *name, const uint8_t *value,
                                              size_t size),
                                 void *ctx)
{
    struct vd_keyclient_attachment *list = NULL;
    struct vd_keyclient_key *handle;
    uint32_t count = 0;

    if (handle_of(key, &handle) != VD_OK ||
        vd_keyclient_attachments(handle, VD_KEY_ATTACH_CERTIFICATE, &list, &count, NULL) != VD_OK)
        return;
    for (uint32_t i = 0; i < count; i++) {
        struct vd_p11_buffer value = {};
        if (vd_p11_service_attached(key, VD_KEY_ATTACH_CERTIFICATE, list[i].name, &value) == VD_OK)
            each(ctx, list[i].name, value.bytes, value.size);
        vd_p11_buffer_done(&value);
    }
    free(list);
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
    VD_TRY(reserve(out, room));
    value = (struct vd_keyclient_buffer){out->bytes + out->size, room, 0};
    VD_TRY(vd_keyclient_public(handle, 0, form, &value, NULL));
    out->size += value.size;
    return VD_OK;
}

vd_status vd_p11_service_op(struct vd_p11_key *key, enum vd_key_verb verb,
                            const struct vd_key_op *op, struct vd_p11_buffer *out,
                            struct vd_p11_buffer *out_secret)
{
    /* The largest result that is not a text: a signature of ML-DSA. */
    size_t room = op->text.size + op->length + 4096;
    struct vd_keyclient_op ask = {.version = op->version,
                                  .mechanism = op->mechanism,
                                  .form = op->form,
                                  .length = op->length,
                                  .text = {op->text.data, op->text.size},
                                  .aux = {op->aux.data, op->aux.size},
                                  .extra = {op->extra.data, op->extra.size}};

    VD_TRY(handle_of(key, &ask.key));
    if (out != NULL) {
        VD_TRY(reserve(out, room));
        ask.out = (struct vd_keyclient_buffer){out->bytes + out->size, room, 0};
    }
    if (out_secret != NULL) {
        VD_TRY(reserve(out_secret, 64));
        ask.second = (struct vd_keyclient_buffer){out_secret->bytes + out_secret->size, 64, 0};
    }
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
    int at = snprintf(text, sizeof(text), "id:");

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
    for (unsigned i = 0; i < VD_KEY_ID_SIZE; i++)
        at += snprintf(text + at, sizeof(text) - (size_t)at, "%02x", id[i]);
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
    VD_TRY(reserve(out, room));
    op.out = (struct vd_keyclient_buffer){out->bytes + out->size, room, 0};
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
