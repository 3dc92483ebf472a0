/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "services/security/client.h"

#include <stdlib.h>
#include <string.h>

#include "lib/diagf.h"
#include "lib/file.h"

vd_status vd_secd_client_new(int fd, const struct vd_ipc_peer *peer, struct vd_secd_client **ret)
{
    struct vd_secd_client *client = calloc(1, sizeof(*client));

    if (client == NULL)
        return VD_E_NO_MEMORY;
    client->fd = fd;
    client->peer = *peer;
    client->answer_frame.fd = -1;
    *ret = client;
    return VD_OK;
}

void vd_secd_client_free(struct vd_secd_client *client, struct vd_secd_contexts *contexts)
{
    for (uint32_t i = 0; i < client->entity_count; i++) {
        if (client->entities[i].kind != 0)
            vd_secd_contexts_drop(contexts, client->entities[i].context);
    }
    for (uint32_t i = 0; i < client->class_count; i++)
        free(client->classes[i].names);
    free(client->entities);
    free(client->classes);
    free(client->answer);
    free(client->context);
    vd_fd_close(&client->fd);
    free(client);
}

/* Twice the rows, at most `max`; the new ones are zero. VD_E_LIMIT. */
static vd_status grow(void **rows, uint32_t count, uint32_t max, size_t size)
{
    uint32_t more = count == 0 ? 16 : count * 2;
    void *larger;

    if (count >= max)
        return VD_E_LIMIT;
    if (more > max)
        more = max;
    larger = realloc(*rows, more * size);
    if (larger == NULL)
        return VD_E_NO_MEMORY;
    memset((char *)larger + count * size, 0, (more - count) * size);
    *rows = larger;
    return VD_OK;
}

vd_status vd_secd_client_charge(struct vd_secd_client *client, size_t size, size_t instead,
                                struct vd_diag *diag)
{
    if (client->text_bytes - instead + size > VD_SECD_TEXT_BYTES)
        return vd_diagf(diag, VD_E_LIMIT, "a connection may have contexts and names of %u bytes",
                        VD_SECD_TEXT_BYTES);
    client->text_bytes += size - instead;
    return VD_OK;
}

vd_status vd_secd_client_add(struct vd_secd_client *client, enum vd_sec_kind kind,
                             struct vd_secd_context *context, uint32_t *ret_id,
                             struct vd_diag *diag)
{
    uint32_t at = 0;

    if (client->entity_free == 0) {
        uint32_t count = client->entity_count;
        uint32_t more = count == 0 ? 16 : count * 2;
        vd_status status = grow((void **)&client->entities, count, VD_SECD_ENTITIES_MAX,
                                sizeof(*client->entities));
        if (status != VD_OK)
            return vd_diagf(diag, status, "a connection may name %u subjects and objects",
                            VD_SECD_ENTITIES_MAX);
        more = more > VD_SECD_ENTITIES_MAX ? VD_SECD_ENTITIES_MAX : more;
        client->entity_free = more - count;
        client->entity_count = more;
        at = count;
    }
    VD_TRY(vd_secd_client_charge(client, context->size, 0, diag));
    while (client->entities[at].kind != 0)
        at++;
    client->entities[at] = (struct vd_secd_entity){.kind = kind, .context = context};
    client->entity_free--;
    *ret_id = at + 1;
    return VD_OK;
}

vd_status vd_secd_client_entity(struct vd_secd_client *client, uint32_t id, uint32_t kind,
                                struct vd_secd_entity **ret, struct vd_diag *diag)
{
    struct vd_secd_entity *entity =
        id == 0 || id > client->entity_count ? NULL : &client->entities[id - 1];

    if (entity == NULL || entity->kind == 0 || (kind != 0 && entity->kind != kind))
        return vd_diagf(diag, VD_E_NOT_FOUND, "this connection has no %s %u",
                        kind == VD_SEC_SUBJECT ? "subject" : "subject or object", id);
    *ret = entity;
    return VD_OK;
}

static bool same_class(const struct vd_secd_class *a, const struct vd_secd_class *b)
{
    return a->names_size == b->names_size && memcmp(a->names, b->names, a->names_size) == 0;
}

vd_status vd_secd_client_add_class(struct vd_secd_client *client, const struct vd_secd_class *class,
                                   uint32_t *ret_id, struct vd_diag *diag)
{
    struct vd_secd_class *larger;

    for (uint32_t i = 0; i < client->class_count; i++) {
        if (!same_class(&client->classes[i], class))
            continue;
        free(class->names);
        *ret_id = i + 1;
        return VD_OK;
    }
    if (client->class_count >= VD_SECD_CLASSES_MAX)
        return vd_diagf(diag, VD_E_LIMIT, "a connection may name %u classes", VD_SECD_CLASSES_MAX);
    larger = realloc(client->classes, (client->class_count + 1) * sizeof(*larger));
    if (larger == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for a class");
    client->classes = larger;
    VD_TRY(vd_secd_client_charge(client, class->names_size, 0, diag));
    client->classes[client->class_count++] = *class;
    *ret_id = client->class_count;
    return VD_OK;
}

static void resolve(struct vd_secd_class *class, const struct vd_policydb *db)
{
    const char *name = class->names;

    class->number = 0;
    class->unknown = 0;
    if (vd_policydb_find(db, VD_SYM_CLASS, name, strlen(name), &class->number) != VD_OK)
        class->number = 0;
    for (uint32_t i = 0; i < class->perm_count; i++) {
        name += strlen(name) + 1;
        class->mask[i] = 0;
        if (class->number == 0 ||
            vd_policydb_find_perm(db, class->number, name, strlen(name), &class->mask[i]) != VD_OK)
            class->unknown |= 1u << i;
    }
}

vd_status vd_secd_client_class(struct vd_secd_client *client, uint32_t id,
                               const struct vd_policydb *db, uint64_t stamp,
                               struct vd_secd_class **ret)
{
    struct vd_secd_class *class =
        id == 0 || id > client->class_count ? NULL : &client->classes[id - 1];

    if (class == NULL)
        return VD_E_NOT_FOUND;
    if (class->stamp != stamp) {
        resolve(class, db);
        class->stamp = stamp;
    }
    *ret = class;
    return VD_OK;
}
