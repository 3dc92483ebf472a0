/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A key of the service as the module knows it. */
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "lib/pkcs11/service.h"

static const struct {
    const char *name; /* of the attachment */
    CK_ATTRIBUTE_TYPE type;
} said[VD_P11_SAID] = {
    [VD_P11_SAID_LABEL] = {"label", CKA_LABEL},
    [VD_P11_SAID_ID] = {"id", CKA_ID},
    [VD_P11_SAID_MECHANISMS] = {"mechanisms", CKA_ALLOWED_MECHANISMS},
};

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
    key->attached = info->attached;
    key->revision = info->revision;
    key->not_before = info->attributes.not_before;
    key->not_after = info->attributes.not_after;
    return key;
}

static void say(struct vd_p11_key *key, unsigned what, const void *value, size_t size)
{
    uint8_t *copy = malloc(size != 0 ? size : 1);

    if (copy == NULL)
        return;
    if (size != 0)
        vd_copy(copy, value, size);
    free(key->said[what].data);
    key->said[what].data = copy;
    key->said[what].size = size;
}

void vd_p11_key_take(struct vd_p11_key *key, const char *name, const uint8_t *value, size_t size)
{
    /* Keys made by others have no such attachments. */
    for (unsigned i = 0; vd_p11_key_made_here(key) && i < VD_P11_SAID; i++)
        if (strcmp(said[i].name, name) == 0)
            say(key, i, value, size);
}

void vd_p11_key_call(struct vd_p11_key *key, const struct vd_p11_template *t)
{
    for (unsigned i = 0; i < VD_P11_SAID; i++) {
        const CK_ATTRIBUTE *a = vd_p11_template_find(t, said[i].type);
        if (a != NULL)
            say(key, i, a->pValue, a->ulValueLen);
    }
    key->revision = 0;
}

bool vd_p11_key_allows(const struct vd_p11_key *key, CK_MECHANISM_TYPE mechanism)
{
    const uint8_t *list = key->said[VD_P11_SAID_MECHANISMS].data;
    CK_MECHANISM_TYPE one;

    for (size_t i = 0; list != NULL && i < key->said[VD_P11_SAID_MECHANISMS].size / sizeof(one);
         i++) {
        vd_copy(&one, list + i * sizeof(one), sizeof(one));
        if (one == mechanism)
            return true;
    }
    return list == NULL;
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
    for (unsigned i = 0; i < VD_P11_SAID; i++)
        free(key->said[i].data);
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

CK_RV vd_p11_key_describe(struct vd_p11_key *key, const struct vd_p11_template *t)
{
    struct vd_key_attach list[VD_P11_SAID] = {};
    uint16_t count = 0;

    for (unsigned i = 0; i < VD_P11_SAID; i++) {
        const CK_ATTRIBUTE *a = vd_p11_template_find(t, said[i].type);
        if (a == NULL)
            continue;
        if (a->ulValueLen > VD_KEY_ATTACHMENT_MAX)
            return CKR_ATTRIBUTE_VALUE_INVALID;
        list[count] = (struct vd_key_attach){.action = VD_KEY_ATTACH_PUT,
                                             .kind = VD_KEY_ATTACH_PKCS11,
                                             .value = a->pValue,
                                             .size = a->ulValueLen};
        vd_copy(list[count].name, said[i].name, strlen(said[i].name) + 1);
        count++;
    }
    return count != 0 ? vd_p11_rv(vd_p11_service_attach(key, list, count)) : CKR_OK;
}
