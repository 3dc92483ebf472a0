/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the program named: subjects, objects, classes. Its numbers stay the same
 * whatever happens to the server; the server's are found out anew for each
 * connection, from the payload that named the thing first.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "lib/secclient/internal.h"

#define ENTRIES_MAX 65536u

static vd_status find_free(struct vd_secclient_table *table, uint32_t *ret)
{
    uint32_t at = table->free_hint;
    uint32_t more = table->count == 0 ? 16 : table->count * 2;
    struct vd_secclient_entry *larger;

    while (at < table->count && table->rows[at].kind != 0)
        at++;
    if (at == table->count) {
        if (more > ENTRIES_MAX)
            return VD_E_LIMIT;
        larger = realloc(table->rows, more * sizeof(*larger));
        if (larger == NULL)
            return VD_E_NO_MEMORY;
        memset(larger + table->count, 0, (more - table->count) * sizeof(*larger));
        table->rows = larger;
        table->count = more;
    }
    *ret = at;
    return VD_OK;
}

static struct vd_secclient_entry *entry_of(const struct vd_secclient_table *table, uint32_t id,
                                           uint32_t kind)
{
    struct vd_secclient_entry *entry = id == 0 || id > table->count ? NULL : &table->rows[id - 1];

    if (entry == NULL || entry->kind == 0 || (kind != 0 && entry->kind != kind))
        return NULL;
    return entry;
}

/* Asks the server for a number. */
static vd_status announce(struct vd_secclient *client, struct vd_secclient_entry *entry,
                          struct vd_diag *diag)
{
    struct vd_writer w = {.buf = entry->payload, .size = entry->size, .len = entry->size};
    uint32_t verb = entry->kind == VD_SECCLIENT_CLASS ? VD_SEC_CLASS : VD_SEC_REGISTER;
    struct vd_reader r;
    uint32_t number;

    VD_TRY(vd_secclient_call(client, verb, &w, &r, diag));
    if (vd_read_le32(&r, &number) != VD_OK || vd_read_done(&r) != VD_OK || number == 0)
        return vd_diag_fail(diag, VD_E_INVALID, "the server's answer has another form");
    entry->number = number;
    entry->link = client->link;
    return VD_OK;
}

vd_status vd_secclient_number(struct vd_secclient *client, uint32_t kind, uint32_t id,
                              uint32_t *ret, struct vd_diag *diag)
{
    struct vd_secclient_table *table =
        kind == VD_SECCLIENT_CLASS ? &client->classes : &client->entities;
    struct vd_secclient_entry *entry = entry_of(table, id, kind);

    if (entry == NULL)
        return vd_diagf(diag, VD_E_NOT_FOUND, "nothing of this kind has the number %u", id);
    if (client->fd < 0 || entry->link != client->link)
        VD_TRY(announce(client, entry, diag));
    *ret = entry->number;
    return VD_OK;
}

/* The payload becomes the table's on VD_OK. */
static vd_status add(struct vd_secclient *client, struct vd_secclient_table *table,
                     struct vd_secclient_entry *entry, uint32_t *ret_id, struct vd_diag *diag)
{
    uint32_t at = 0;
    vd_status status;

    status = find_free(table, &at);
    if (status != VD_OK)
        return vd_diagf(diag, status, "a client may name %u things", ENTRIES_MAX);
    VD_TRY(announce(client, entry, diag));
    table->rows[at] = *entry;
    table->free_hint = at + 1;
    *ret_id = at + 1;
    return VD_OK;
}

static vd_status keep(struct vd_secclient_entry *entry, const struct vd_writer *w,
                      struct vd_diag *diag)
{
    entry->payload = malloc(w->len);
    if (entry->payload == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for a name");
    vd_copy(entry->payload, w->buf, w->len);
    entry->size = w->len;
    return VD_OK;
}

static vd_status name_entity(struct vd_secclient *client, struct vd_secclient_entry entry,
                             const char *context, uint32_t *ret_id, struct vd_diag *diag)
{
    uint8_t bytes[VD_SEC_CONTEXT_MAX + 8];
    struct vd_writer w;
    vd_status status;

    vd_writer_init(&w, bytes, sizeof(bytes));
    vd_write_u8(&w, (uint8_t)entry.kind);
    VD_TRY(vd_secclient_put(&w, context, VD_SEC_CONTEXT_MAX, diag));
    VD_TRY(keep(&entry, &w, diag));
    status = vd_secclient_begin(client, diag);
    if (status == VD_OK)
        status = add(client, &client->entities, &entry, ret_id, diag);
    vd_secclient_end(client);
    if (status != VD_OK)
        free(entry.payload);
    return status;
}

vd_status vd_secclient_subject(struct vd_secclient *client, const char *context, uint32_t *ret_id,
                               struct vd_diag *diag)
{
    struct vd_secclient_entry entry = {.kind = VD_SEC_SUBJECT};

    return name_entity(client, entry, context, ret_id, diag);
}

vd_status vd_secclient_object(struct vd_secclient *client, const char *context, uint32_t *ret_id,
                              struct vd_diag *diag)
{
    struct vd_secclient_entry entry = {.kind = VD_SEC_OBJECT};

    return name_entity(client, entry, context, ret_id, diag);
}

vd_status vd_secclient_class(struct vd_secclient *client, const struct vd_secclient_names *names,
                             uint32_t *ret_id, struct vd_diag *diag)
{
    uint8_t bytes[(VD_SEC_PERMS_MAX + 1) * (VD_SEC_NAME_MAX + 2) + 1];
    struct vd_secclient_entry entry = {.kind = VD_SECCLIENT_CLASS};
    struct vd_writer w;
    vd_status status;

    if (names->perm_count == 0 || names->perm_count > VD_SEC_PERMS_MAX)
        return vd_diagf(diag, VD_E_RANGE, "a class has 1 to %u permissions", VD_SEC_PERMS_MAX);
    vd_writer_init(&w, bytes, sizeof(bytes));
    VD_TRY(vd_secclient_put(&w, names->class, VD_SEC_NAME_MAX, diag));
    vd_write_u8(&w, (uint8_t)names->perm_count);
    for (uint32_t i = 0; i < names->perm_count; i++)
        VD_TRY(vd_secclient_put(&w, names->perms[i], VD_SEC_NAME_MAX, diag));
    VD_TRY(keep(&entry, &w, diag));
    status = vd_secclient_begin(client, diag);
    if (status == VD_OK)
        status = add(client, &client->classes, &entry, ret_id, diag);
    vd_secclient_end(client);
    if (status != VD_OK)
        free(entry.payload);
    return status;
}

/* The server learns of it first: until then the old context holds, there and here. */
static vd_status relabel(struct vd_secclient *client, uint32_t id,
                         const struct vd_secclient_entry *named, struct vd_diag *diag)
{
    uint8_t bytes[VD_SEC_CONTEXT_MAX + 8];
    struct vd_secclient_entry *entry;
    struct vd_writer w;
    struct vd_reader r;
    uint32_t number;

    VD_TRY(vd_secclient_number(client, 0, id, &number, diag));
    entry = entry_of(&client->entities, id, 0);
    vd_writer_init(&w, bytes, sizeof(bytes));
    vd_write_le32(&w, number);
    vd_write_bytes(&w, named->payload + 1, named->size - 1);
    VD_TRY(vd_secclient_call(client, VD_SEC_RELABEL, &w, &r, diag));
    named->payload[0] = (uint8_t)entry->kind;
    free(entry->payload);
    entry->payload = named->payload;
    entry->size = named->size;
    vd_secclient_flush(client);
    return VD_OK;
}

vd_status vd_secclient_relabel(struct vd_secclient *client, uint32_t id, const char *context,
                               struct vd_diag *diag)
{
    uint8_t bytes[VD_SEC_CONTEXT_MAX + 8];
    struct vd_secclient_entry named = {};
    struct vd_writer w;
    vd_status status;

    vd_writer_init(&w, bytes, sizeof(bytes));
    vd_write_u8(&w, 0); /* the kind, once it is known */
    VD_TRY(vd_secclient_put(&w, context, VD_SEC_CONTEXT_MAX, diag));
    VD_TRY(keep(&named, &w, diag));
    status = vd_secclient_begin(client, diag);
    if (status == VD_OK)
        status = relabel(client, id, &named, diag);
    vd_secclient_end(client);
    if (status != VD_OK)
        free(named.payload);
    return status;
}

void vd_secclient_forget(struct vd_secclient *client, uint32_t id)
{
    struct vd_secclient_entry *entry;
    uint8_t bytes[4];
    struct vd_writer w;
    struct vd_reader r;

    pthread_mutex_lock(&client->lock);
    client->pinned = true;
    entry = entry_of(&client->entities, id, 0);
    if (entry != NULL) {
        /* Nothing kept for this number may serve the next one that gets it. */
        vd_secclient_flush(client);
        vd_writer_init(&w, bytes, sizeof(bytes));
        vd_write_le32(&w, entry->number);
        if (client->fd >= 0 && entry->link == client->link)
            (void)!vd_secclient_call(client, VD_SEC_FORGET, &w, &r, NULL);
        free(entry->payload);
        *entry = (struct vd_secclient_entry){};
        if (id - 1 < client->entities.free_hint)
            client->entities.free_hint = id - 1;
    }
    vd_secclient_end(client);
}
