/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A key of the service as the module knows it. */
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "lib/pkcs11/service.h"

/* Attachments with what an application set in place of the key's name and id. */
#define LABEL_NAME "label"
#define ID_NAME    "id"

/* Takes the bytes of an attachment, if there is one. */
static void take_attached(struct vd_p11_key *key, const char *name, uint8_t **ret, size_t *ret_size)
{
    struct vd_p11_buffer value = {};

    if (vd_p11_service_attached(key, VD_KEY_ATTACH_PKCS11, name, &value) != VD_OK) {
        vd_p11_buffer_done(&value);
        return;
    }
    *ret = value.bytes;
    *ret_size = value.size;
}

bool vd_p11_key_made_here(const struct vd_p11_key *key)
{
    return strncmp(key->name, VD_P11_NAMES, strlen(VD_P11_NAMES)) == 0;
}

struct vd_p11_key *vd_p11_key_new(const struct vd_key_info *info)
{
    struct vd_p11_key *key = calloc(1, sizeof(*key));

    if (key == NULL || (key->name = strdup(info->attributes.name)) == NULL) {
        free(key);
        return NULL;
    }
    key->refs = 1;
    pthread_mutex_init(&key->lock, NULL);
    vd_copy(key->id, info->id, sizeof(key->id));
    key->type = info->attributes.type;
    key->usages = info->attributes.usages;
    key->flags = info->attributes.flags;
    key->versions = info->versions;
    key->created = info->created;
    key->not_before = info->attributes.not_before;
    key->not_after = info->attributes.not_after;
    /* Keys made by others have no such attachments. */
    if (vd_p11_key_made_here(key)) {
        take_attached(key, LABEL_NAME, &key->label, &key->label_size);
        take_attached(key, ID_NAME, &key->p11_id, &key->p11_id_size);
    }
    return key;
}

bool vd_p11_key_same(const struct vd_p11_key *key, const struct vd_key_info *info)
{
    const struct vd_key_attributes *a = &info->attributes;

    return memcmp(key->id, info->id, sizeof(key->id)) == 0 && strcmp(key->name, a->name) == 0 &&
           key->type == a->type && key->usages == a->usages && key->flags == a->flags &&
           key->versions == info->versions && key->not_before == a->not_before &&
           key->not_after == a->not_after && !vd_p11_key_made_here(key);
}

struct vd_p11_key *vd_p11_key_hold(struct vd_p11_key *key)
{
    __atomic_add_fetch(&key->refs, 1, __ATOMIC_RELAXED);
    return key;
}

void vd_p11_key_put(struct vd_p11_key *key)
{
    if (key == NULL || __atomic_sub_fetch(&key->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    vd_p11_service_close_key(key);
    pthread_mutex_destroy(&key->lock);
    free(key->name);
    free(key->label);
    free(key->p11_id);
    free(key->spki);
    free(key);
}

CK_RV vd_p11_key_public(struct vd_p11_key *key, const uint8_t **ret, size_t *ret_size)
{
    struct vd_p11_buffer spki = {};
    bool known;
    CK_RV rv = CKR_OK;

    pthread_mutex_lock(&key->lock);
    known = key->spki != NULL;
    pthread_mutex_unlock(&key->lock);
    if (!known)
        rv = vd_p11_rv(vd_p11_service_public(key, VD_ALG_FORM_SPKI, &spki));
    pthread_mutex_lock(&key->lock);
    if (rv == CKR_OK && key->spki == NULL) {
        key->spki = spki.bytes;
        key->spki_size = spki.size;
        spki = (struct vd_p11_buffer){};
    }
    *ret = key->spki;
    *ret_size = key->spki_size;
    pthread_mutex_unlock(&key->lock);
    vd_p11_buffer_done(&spki);
    return rv;
}

CK_RV vd_p11_key_describe(struct vd_p11_key *key, const CK_ATTRIBUTE *label, const CK_ATTRIBUTE *id)
{
    struct vd_key_attach list[2] = {};
    uint16_t count = 0;

    if (label != NULL) {
        list[count] = (struct vd_key_attach){.action = VD_KEY_ATTACH_PUT,
                                             .kind = VD_KEY_ATTACH_PKCS11,
                                             .name = LABEL_NAME,
                                             .value = label->pValue,
                                             .size = label->ulValueLen};
        count++;
    }
    if (id != NULL) {
        list[count] = (struct vd_key_attach){.action = VD_KEY_ATTACH_PUT,
                                             .kind = VD_KEY_ATTACH_PKCS11,
                                             .name = ID_NAME,
                                             .value = id->pValue,
                                             .size = id->ulValueLen};
        count++;
    }
    return count != 0 ? vd_p11_rv(vd_p11_service_attach(key, list, count)) : CKR_OK;
}
