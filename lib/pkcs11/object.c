/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Objects: those of the token mirror the service's keys and certificates, those of a session
 * live here. A handle stays an object's as long as it exists and names nothing afterwards.
 */
#include "lib/pkcs11/internal.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/htab.h"
#include "core/base/mem.h"
#include "lib/pkcs11/service.h"

#define FIRST_ROOM 64u

/* Where a token object stands in the table, by what it mirrors. */
struct vd_p11_index {
    struct vd_htab table;
    struct vd_htab_slot *slots;
    uint32_t room;
};

struct vd_p11_object *vd_p11_object_new(CK_OBJECT_CLASS class)
{
    struct vd_p11_object *o = calloc(1, sizeof(*o));

    if (o == NULL)
        return NULL;
    o->refs = 1;
    o->class = class;
    return o;
}

void vd_p11_object_put(struct vd_p11_object *object)
{
    if (object == NULL || __atomic_sub_fetch(&object->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    vd_p11_key_put(object->key);
    if (object->value != NULL)
        vd_wipe(object->value, object->value_size);
    free(object->value);
    free(object->attachment);
    free(object->label);
    free(object->id);
    free(object);
}

CK_RV vd_p11_object_get(CK_OBJECT_HANDLE handle, struct vd_p11_object **ret)
{
    struct vd_p11_object *o = NULL;

    pthread_mutex_lock(&vd_p11.lock);
    if (handle != 0 && handle <= vd_p11.object_count)
        o = vd_p11.objects[handle - 1];
    if (o != NULL)
        __atomic_add_fetch(&o->refs, 1, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&vd_p11.lock);
    if (o == NULL)
        return CKR_OBJECT_HANDLE_INVALID;
    *ret = o;
    return CKR_OK;
}

/* Under vd_p11.lock. */
static CK_RV add(struct vd_p11_object *object)
{
    if (vd_p11.object_count == vd_p11.object_room) {
        size_t room = vd_p11.object_room != 0 ? vd_p11.object_room * 2 : FIRST_ROOM;
        struct vd_p11_object **grown;
        if (room > VD_P11_OBJECTS_MAX)
            return CKR_DEVICE_MEMORY;
        grown = realloc(vd_p11.objects, room * sizeof(struct vd_p11_object *));
        if (grown == NULL)
            return CKR_HOST_MEMORY;
        vd_p11.objects = grown;
        vd_p11.object_room = room;
    }
    vd_p11.objects[vd_p11.object_count++] = object;
    object->handle = vd_p11.object_count;
    vd_p11.session_objects += object->session != 0;
    return CKR_OK;
}

CK_RV vd_p11_object_add(struct vd_p11_object *object, CK_OBJECT_HANDLE *ret)
{
    CK_RV rv;

    pthread_mutex_lock(&vd_p11.lock);
    rv = add(object);
    if (rv == CKR_OK)
        *ret = object->handle;
    pthread_mutex_unlock(&vd_p11.lock);
    return rv;
}

static uint64_t index_key(const uint8_t id[VD_KEY_ID_SIZE], CK_OBJECT_CLASS class, const char *name)
{
    uint64_t key, more;

    vd_copy(&key, id, sizeof(key));
    vd_copy(&more, id + sizeof(key), sizeof(more));
    key = vd_hash_mix(key ^ vd_hash_mix(more + class));
    for (; name != NULL && *name != '\0'; name++)
        key = vd_hash_mix(key ^ (uint8_t)*name);
    return key;
}

static uint64_t key_of(const struct vd_p11_object *o)
{
    return index_key(o->key->id, o->class, o->attachment);
}

static CK_RV index_grow(void)
{
    uint32_t room = vd_p11.index != NULL ? vd_p11.index->room * 2 : 256;
    struct vd_p11_index *index = calloc(1, sizeof(*index));

    if (index == NULL || (index->slots = calloc(room, sizeof(*index->slots))) == NULL ||
        vd_htab_init(&index->table, index->slots, room) != VD_OK) {
        free(index);
        return CKR_HOST_MEMORY;
    }
    index->room = room;
    for (size_t i = 0; i < vd_p11.object_count; i++) {
        struct vd_p11_object *o = vd_p11.objects[i];
        if (o != NULL && o->session == 0 &&
            vd_htab_insert(&index->table, key_of(o), (uint32_t)i) == VD_E_LIMIT) {
            free(index->slots);
            free(index);
            return CKR_HOST_MEMORY;
        }
    }
    if (vd_p11.index != NULL)
        free(vd_p11.index->slots);
    free(vd_p11.index);
    vd_p11.index = index;
    return CKR_OK;
}

static struct vd_p11_object *look_up(const uint8_t id[VD_KEY_ID_SIZE], CK_OBJECT_CLASS class,
                                     const char *name)
{
    struct vd_p11_object *o;
    uint32_t at;

    if (vd_p11.index == NULL ||
        vd_htab_find(&vd_p11.index->table, index_key(id, class, name), &at) != VD_OK)
        return NULL;
    o = vd_p11.objects[at];
    if (o == NULL || memcmp(o->key->id, id, VD_KEY_ID_SIZE) != 0 || o->class != class ||
        strcmp(o->attachment != NULL ? o->attachment : "", name != NULL ? name : "") != 0)
        return NULL;
    return o;
}

/* Under vd_p11.lock. */
static void take_out(struct vd_p11_object *o)
{
    vd_p11.objects[o->handle - 1] = NULL;
    vd_p11.session_objects -= o->session != 0;
    if (o->session == 0 && vd_p11.index != NULL)
        (void)!vd_htab_remove(&vd_p11.index->table, key_of(o));
    vd_p11_object_put(o);
}

void vd_p11_object_remove(struct vd_p11_object *object)
{
    pthread_mutex_lock(&vd_p11.lock);
    if (vd_p11.objects[object->handle - 1] == object)
        take_out(object);
    pthread_mutex_unlock(&vd_p11.lock);
}

void vd_p11_objects_of_session(CK_SESSION_HANDLE session)
{
    pthread_mutex_lock(&vd_p11.lock);
    for (size_t i = 0; vd_p11.session_objects != 0 && i < vd_p11.object_count; i++) {
        struct vd_p11_object *o = vd_p11.objects[i];
        if (o != NULL && o->session == session)
            take_out(o);
    }
    pthread_mutex_unlock(&vd_p11.lock);
}

void vd_p11_objects_done(void)
{
    for (size_t i = 0; i < vd_p11.object_count; i++)
        vd_p11_object_put(vd_p11.objects[i]);
    free(vd_p11.objects);
    if (vd_p11.index != NULL)
        free(vd_p11.index->slots);
    free(vd_p11.index);
    vd_p11.objects = NULL;
    vd_p11.index = NULL;
    vd_p11.object_count = vd_p11.object_room = vd_p11.session_objects = 0;
}

CK_RV vd_p11_object_find(const uint8_t id[VD_KEY_ID_SIZE], CK_OBJECT_CLASS class, const char *name,
                         CK_OBJECT_HANDLE *ret)
{
    struct vd_p11_object *o;

    pthread_mutex_lock(&vd_p11.lock);
    o = look_up(id, class, name);
    if (o != NULL)
        *ret = o->handle;
    pthread_mutex_unlock(&vd_p11.lock);
    return o != NULL ? CKR_OK : CKR_DEVICE_ERROR;
}

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

/* The object of that class, made where there is none; takes a reference to `key`. */
static CK_RV mirror(struct vd_p11_key *key, CK_OBJECT_CLASS class, struct vd_p11_object **ret)
{
    struct vd_p11_object *o = look_up(key->id, class, NULL);
    CK_RV rv;

    if (o != NULL) {
        struct vd_p11_key *old = o->key;
        o->key = vd_p11_key_hold(key);
        vd_p11_key_put(old);
        *ret = o;
        return CKR_OK;
    }
    o = vd_p11_object_new(class);
    if (o == NULL)
        return CKR_HOST_MEMORY;
    o->key_type = key_type_of(key->type);
    o->key = vd_p11_key_hold(key);
    o->sensitive = class != CKO_PUBLIC_KEY;
    o->extractable = (key->flags & VD_KEY_NON_EXPORTABLE) == 0;
    rv = add(o);
    if (rv == CKR_OK &&
        (vd_p11.index == NULL ||
         vd_htab_insert(&vd_p11.index->table, key_of(o), (uint32_t)(o->handle - 1)) == VD_E_LIMIT))
        rv = index_grow();
    if (rv != CKR_OK) {
        vd_p11_object_put(o);
        return rv;
    }
    *ret = o;
    return CKR_OK;
}

static CK_RV mirror_key(const struct vd_key_info *info, struct vd_p11_object *ret[2])
{
    CK_OBJECT_CLASS classes[2];
    struct vd_p11_object *known;
    struct vd_p11_key *key;
    CK_RV rv = CKR_OK;

    ret[0] = ret[1] = NULL;
    if (info->state != VD_KEY_ACTIVE || !classes_of(info->attributes.type, classes))
        return CKR_OK;
    known = look_up(info->id, classes[0], NULL);
    key = known != NULL && vd_p11_key_same(known->key, info) ? vd_p11_key_hold(known->key)
                                                             : vd_p11_key_new(info);
    if (key == NULL)
        return CKR_HOST_MEMORY;
    for (unsigned i = 0; rv == CKR_OK && i < 2 && classes[i] != 0; i++)
        rv = mirror(key, classes[i], &ret[i]);
    vd_p11_key_put(key);
    for (unsigned i = 0; i < 2; i++)
        if (ret[i] != NULL)
            ret[i]->seen = vd_p11.listing;
    return rv;
}

CK_RV vd_p11_objects_of_key(const struct vd_key_info *info, CK_OBJECT_HANDLE *ret_secret,
                            CK_OBJECT_HANDLE *ret_public)
{
    struct vd_p11_object *made[2];
    CK_RV rv;

    pthread_mutex_lock(&vd_p11.lock);
    rv = mirror_key(info, made);
    if (rv == CKR_OK && made[0] == NULL)
        rv = CKR_FUNCTION_FAILED;
    if (rv == CKR_OK && ret_secret != NULL)
        *ret_secret = made[0]->handle;
    if (rv == CKR_OK && ret_public != NULL)
        *ret_public = made[1] != NULL ? made[1]->handle : 0;
    pthread_mutex_unlock(&vd_p11.lock);
    return rv;
}

/* A certificate at a key becomes an object of its own. */
static void mirror_certificate(void *ctx, const char *name, const uint8_t *value, size_t size)
{
    struct vd_p11_key *key = ctx;
    struct vd_p11_object *o = look_up(key->id, CKO_CERTIFICATE, name);

    if (o != NULL && o->value_size == size && memcmp(o->value, value, size) == 0) {
        o->seen = vd_p11.listing;
        return;
    }
    if (o != NULL)
        take_out(o);
    o = vd_p11_object_new(CKO_CERTIFICATE);
    if (o == NULL)
        return;
    o->key = vd_p11_key_hold(key);
    o->attachment = strdup(name);
    o->value = malloc(size != 0 ? size : 1);
    if (o->attachment == NULL || o->value == NULL || add(o) != CKR_OK) {
        vd_p11_object_put(o);
        return;
    }
    vd_copy(o->value, value, size);
    o->value_size = size;
    o->seen = vd_p11.listing;
    if (vd_htab_insert(&vd_p11.index->table, key_of(o), (uint32_t)(o->handle - 1)) == VD_E_LIMIT)
        (void)!index_grow();
}

static vd_status mirror_listed(void *ctx, const struct vd_key_info *info)
{
    struct vd_p11_object *made[2];
    CK_RV *rv = ctx;

    *rv = mirror_key(info, made);
    if (*rv != CKR_OK)
        return VD_E_NO_MEMORY;
    if (made[1] != NULL)
        vd_p11_service_certificates(made[1]->key, mirror_certificate, made[1]->key);
    return VD_OK;
}

CK_RV vd_p11_objects_refresh(void)
{
    CK_RV rv = CKR_OK;
    vd_status status;
    bool changed;

    pthread_mutex_lock(&vd_p11.lock);
    status = vd_p11_service_changed(&changed);
    if (status == VD_OK && changed) {
        vd_p11.listing++;
        status = vd_p11_service_list(mirror_listed, &rv);
        for (size_t i = 0; status == VD_OK && i < vd_p11.object_count; i++) {
            struct vd_p11_object *o = vd_p11.objects[i];
            if (o != NULL && o->session == 0 && o->seen != vd_p11.listing)
                take_out(o);
        }
    }
    pthread_mutex_unlock(&vd_p11.lock);
    return rv != CKR_OK ? rv : vd_p11_rv(status);
}
