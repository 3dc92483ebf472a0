/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Objects of the token: they mirror the service's keys and the certificates attached to them. */
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "lib/pkcs11/service.h"

static CK_KEY_TYPE key_type_of(uint16_t type)
{
    switch (type) {
    case VD_ALG_AES_256_GCM:
        return CKK_AES;
    case VD_ALG_CHACHA20_POLY1305:
        return VD_CKK_CHACHA20;
    case VD_ALG_RSA_4096:
        return CKK_RSA;
    case VD_ALG_ECDSA_P256:
        return CKK_EC;
    case VD_ALG_ED25519:
        return CKK_EC_EDWARDS;
    case VD_ALG_X25519:
        return VD_CKK_EC_MONTGOMERY;
    case VD_ALG_HKDF_SHA256:
        return VD_CKK_HKDF;
    case VD_ALG_ML_KEM_768:
        return VD_CKK_ML_KEM;
    case VD_ALG_ML_DSA_65:
        return VD_CKK_ML_DSA;
    default:
        return CKK_GENERIC_SECRET;
    }
}

/* Which objects a key of that type is; the second is 0 for a secret key. PKCS#11 knows no X-Wing. */
static bool classes_of(uint16_t type, CK_OBJECT_CLASS ret[2])
{
    switch (type) {
    case VD_ALG_X_WING:
        return false;
    case VD_ALG_AES_256_GCM:
    case VD_ALG_CHACHA20_POLY1305:
    case VD_ALG_HMAC_SHA256:
    case VD_ALG_HKDF_SHA256:
        ret[0] = CKO_SECRET_KEY;
        ret[1] = 0;
        return true;
    default:
        ret[0] = CKO_PRIVATE_KEY;
        ret[1] = CKO_PUBLIC_KEY;
        return true;
    }
}

/* A key's objects before others see them: its halves and its certificates. */
struct family {
    struct vd_p11_key *key;
    struct vd_p11_object **list;
    size_t count, room;
    CK_RV rv; /* of taking a certificate */
};

static CK_RV add_member(struct family *f, struct vd_p11_object *o)
{
    if (o == NULL)
        return CKR_HOST_MEMORY;
    if (f->count == f->room) {
        size_t room = f->room != 0 ? f->room * 2 : 4;
        struct vd_p11_object **grown = realloc(f->list, room * sizeof(struct vd_p11_object *));
        if (grown == NULL) {
            vd_p11_object_put(o);
            return CKR_HOST_MEMORY;
        }
        f->list = grown;
        f->room = room;
    }
    o->key = vd_p11_key_hold(f->key);
    f->list[f->count++] = o;
    return CKR_OK;
}

static CK_RV add_half(struct family *f, CK_OBJECT_CLASS class)
{
    struct vd_p11_object *o = vd_p11_object_new(class);

    if (o != NULL) {
        o->key_type = key_type_of(f->key->type);
        o->sensitive = class != CKO_PUBLIC_KEY;
        o->extractable = (f->key->flags & VD_KEY_NON_EXPORTABLE) == 0;
    }
    return add_member(f, o);
}

static CK_RV add_certificate(struct family *f, const char *name, const uint8_t *value, size_t size)
{
    struct vd_p11_object *o = vd_p11_object_new(CKO_CERTIFICATE);

    if (o == NULL)
        return CKR_HOST_MEMORY;
    o->attachment = strdup(name);
    o->value = malloc(size != 0 ? size : 1);
    if (o->attachment == NULL || o->value == NULL) {
        vd_p11_object_put(o);
        return CKR_HOST_MEMORY;
    }
    if (size != 0)
        vd_copy(o->value, value, size);
    o->value_size = size;
    return add_member(f, o);
}

static void take_attachment(void *ctx, uint16_t kind, const char *name, const uint8_t *value,
                            size_t size)
{
    struct family *f = ctx;

    if (kind == VD_KEY_ATTACH_PKCS11)
        vd_p11_key_take(f->key, name, value, size);
    else if (kind == VD_KEY_ATTACH_CERTIFICATE && f->rv == CKR_OK)
        f->rv = add_certificate(f, name, value, size);
}

static CK_RV add_halves(struct family *f, const CK_OBJECT_CLASS classes[2])
{
    CK_RV rv = add_half(f, classes[0]);

    return rv == CKR_OK && classes[1] != 0 ? add_half(f, classes[1]) : rv;
}

static void family_done(struct family *f)
{
    for (size_t i = 0; i < f->count; i++)
        vd_p11_object_put(f->list[i]);
    free(f->list);
    vd_p11_key_put(f->key);
}

/* Under vd_p11.lock: everybody sees them from now on; what could not be shown stays in the list. */
static CK_RV publish(struct family *f, struct vd_p11_object **dead)
{
    CK_RV rv = CKR_OK;
    size_t done = 0;

    f->key->seen = vd_p11.listing;
    while (done < f->count && (rv = vd_p11_object_publish(f->list[done], dead)) == CKR_OK)
        done++;
    f->count -= done;
    memmove(f->list, f->list + done, f->count * sizeof(struct vd_p11_object *));
    return rv;
}

CK_RV vd_p11_objects_of_key(struct vd_p11_key *key, CK_OBJECT_HANDLE *ret_secret,
                            CK_OBJECT_HANDLE *ret_public)
{
    struct family f = {.key = vd_p11_key_hold(key)};
    struct vd_p11_object *dead = NULL;
    CK_OBJECT_HANDLE handles[2] = {};
    CK_OBJECT_CLASS classes[2];
    CK_RV rv = classes_of(key->type, classes) ? add_halves(&f, classes) : CKR_FUNCTION_FAILED;

    if (rv == CKR_OK) {
        struct vd_p11_object *secret = f.list[0], *other = f.count > 1 ? f.list[1] : NULL;
        pthread_mutex_lock(&vd_p11.lock);
        rv = publish(&f, &dead);
        handles[0] = secret->handle;
        handles[1] = other != NULL ? other->handle : 0;
        pthread_mutex_unlock(&vd_p11.lock);
    }
    if (rv == CKR_OK && ret_secret != NULL)
        *ret_secret = handles[0];
    if (rv == CKR_OK && ret_public != NULL)
        *ret_public = handles[1];
    vd_p11_objects_let_go(dead);
    family_done(&f);
    return rv;
}

/* True if the key is there as the service has it: then nothing needs to be asked. */
static bool known(const struct vd_key_info *info, CK_OBJECT_CLASS class)
{
    struct vd_p11_object *o;
    bool same;

    pthread_mutex_lock(&vd_p11.lock);
    o = vd_p11_object_look_up(info->id, class, NULL);
    same = o != NULL && o->key->revision == info->revision && info->revision != 0 &&
           o->key->attached == info->attached;
    if (same)
        o->key->seen = vd_p11.listing;
    pthread_mutex_unlock(&vd_p11.lock);
    return same;
}

static vd_status mirror(void *ctx, const struct vd_key_info *info)
{
    struct family f = {};
    struct vd_p11_object *dead = NULL;
    CK_OBJECT_CLASS classes[2];
    CK_RV *rv = ctx;
    vd_status status = VD_OK;

    if (info->state != VD_KEY_ACTIVE || !classes_of(info->attributes.type, classes) ||
        known(info, classes[0]))
        return VD_OK;
    f.key = vd_p11_key_new(info);
    *rv = f.key != NULL ? add_halves(&f, classes) : CKR_HOST_MEMORY;
    if (*rv == CKR_OK && info->attached != 0) {
        status = vd_p11_service_attachments(f.key, take_attachment, &f);
        *rv = f.rv;
    }
    if (*rv == CKR_OK && status == VD_OK) {
        pthread_mutex_lock(&vd_p11.lock);
        *rv = publish(&f, &dead);
        pthread_mutex_unlock(&vd_p11.lock);
    }
    vd_p11_objects_let_go(dead);
    family_done(&f);
    return *rv != CKR_OK ? VD_E_NO_MEMORY : status;
}

static CK_RV list_again(bool all)
{
    struct vd_p11_object *dead = NULL;
    CK_RV rv = CKR_OK;
    vd_status status;

    pthread_mutex_lock(&vd_p11.lock);
    vd_p11.listing++;
    /* Another store's revisions say nothing of what is known. */
    for (uint32_t i = 0; all && i < vd_p11.place_count; i++)
        if (vd_p11.places[i].object != NULL && vd_p11.places[i].object->key != NULL)
            vd_p11.places[i].object->key->revision = 0;
    pthread_mutex_unlock(&vd_p11.lock);
    status = vd_p11_service_list(mirror, &rv);
    if (status != VD_OK)
        return rv != CKR_OK ? rv : vd_p11_rv(status);
    pthread_mutex_lock(&vd_p11.lock);
    vd_p11_objects_sweep(&dead);
    pthread_mutex_unlock(&vd_p11.lock);
    vd_p11_objects_let_go(dead);
    return CKR_OK;
}

CK_RV vd_p11_objects_refresh(void)
{
    bool changed = false, all = false;
    CK_RV rv;

    pthread_mutex_lock(&vd_p11.refresh);
    rv = vd_p11_rv(vd_p11_service_changed(&changed, &all));
    if (rv == CKR_OK && changed)
        rv = list_again(all);
    pthread_mutex_unlock(&vd_p11.refresh);
    return rv;
}
