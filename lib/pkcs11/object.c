/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The table of objects. A handle is a place in it and the number of objects that had the place
 * before: it stays an object's as long as that exists and names nothing for long afterwards.
 */
#include "lib/pkcs11/internal.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/htab.h"
#include "core/base/mem.h"

#define FIRST_ROOM  64u
#define PLACE_BITS  32u
#define FIRST_INDEX 256u

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

/* The place that a handle names; NULL: it names nothing. */
static struct vd_p11_place *place_of(CK_OBJECT_HANDLE handle)
{
    uint64_t at = handle & ((1ull << PLACE_BITS) - 1);
    struct vd_p11_place *place;

    if (at == 0 || at > vd_p11.place_count)
        return NULL;
    place = &vd_p11.places[at - 1];
    return place->object != NULL && place->object->handle == handle ? place : NULL;
}

CK_RV vd_p11_object_get(CK_OBJECT_HANDLE handle, struct vd_p11_object **ret)
{
    struct vd_p11_place *place;

    pthread_mutex_lock(&vd_p11.lock);
    place = place_of(handle);
    if (place != NULL) {
        *ret = place->object;
        __atomic_add_fetch(&(*ret)->refs, 1, __ATOMIC_RELAXED);
    }
    pthread_mutex_unlock(&vd_p11.lock);
    return place != NULL ? CKR_OK : CKR_OBJECT_HANDLE_INVALID;
}

/* A place that is free; the table grows. */
static CK_RV find_place(uint32_t *ret)
{
    if (vd_p11.free_place != 0) {
        *ret = vd_p11.free_place - 1;
        vd_p11.free_place = vd_p11.places[*ret].next_free;
        return CKR_OK;
    }
    if (vd_p11.place_count == vd_p11.place_room) {
        uint32_t room = vd_p11.place_room != 0 ? vd_p11.place_room * 2 : FIRST_ROOM;
        struct vd_p11_place *grown;
        if (room > VD_P11_OBJECTS_MAX)
            return CKR_DEVICE_MEMORY;
        grown = realloc(vd_p11.places, room * sizeof(*grown));
        if (grown == NULL)
            return CKR_HOST_MEMORY;
        vd_p11.places = grown;
        vd_p11.place_room = room;
    }
    *ret = vd_p11.place_count++;
    vd_p11.places[*ret] = (struct vd_p11_place){};
    return CKR_OK;
}

static void note_session_object(struct vd_p11_object *o)
{
    o->previous = NULL;
    o->next = vd_p11.session_objects;
    if (o->next != NULL)
        o->next->previous = o;
    vd_p11.session_objects = o;
}

/* Under vd_p11.lock. */
static CK_RV add(struct vd_p11_object *object)
{
    uint32_t at;
    CK_RV rv = find_place(&at);

    if (rv != CKR_OK)
        return rv;
    vd_p11.places[at].object = object;
    object->handle = (CK_OBJECT_HANDLE)vd_p11.places[at].serial << PLACE_BITS | (at + 1u);
    if (object->session != 0)
        note_session_object(object);
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

static void index_free(struct vd_p11_index *index)
{
    if (index != NULL)
        free(index->slots);
    free(index);
}

static CK_RV index_grow(void)
{
    uint32_t room = vd_p11.index != NULL ? vd_p11.index->room * 2 : FIRST_INDEX;
    struct vd_p11_index *index = calloc(1, sizeof(*index));

    if (index == NULL || (index->slots = calloc(room, sizeof(*index->slots))) == NULL ||
        vd_htab_init(&index->table, index->slots, room) != VD_OK) {
        index_free(index);
        return CKR_HOST_MEMORY;
    }
    index->room = room;
    for (uint32_t i = 0; i < vd_p11.place_count; i++) {
        struct vd_p11_object *o = vd_p11.places[i].object;
        if (o != NULL && o->session == 0 &&
            vd_htab_insert(&index->table, key_of(o), i) == VD_E_LIMIT) {
            index_free(index);
            return CKR_HOST_MEMORY;
        }
    }
    index_free(vd_p11.index);
    vd_p11.index = index;
    return CKR_OK;
}

struct vd_p11_object *vd_p11_object_look_up(const uint8_t id[VD_KEY_ID_SIZE], CK_OBJECT_CLASS class,
                                            const char *name)
{
    struct vd_p11_object *o;
    uint32_t at;

    if (vd_p11.index == NULL ||
        vd_htab_find(&vd_p11.index->table, index_key(id, class, name), &at) != VD_OK)
        return NULL;
    o = vd_p11.places[at].object;
    if (o == NULL || o->key == NULL || memcmp(o->key->id, id, VD_KEY_ID_SIZE) != 0 ||
        o->class != class ||
        strcmp(o->attachment != NULL ? o->attachment : "", name != NULL ? name : "") != 0)
        return NULL;
    return o;
}

/* Under vd_p11.lock. */
static void take_out(struct vd_p11_object *o, struct vd_p11_object **dead)
{
    uint32_t at = (uint32_t)o->handle - 1;

    if (o->session != 0) {
        if (o->previous != NULL)
            o->previous->next = o->next;
        else
            vd_p11.session_objects = o->next;
        if (o->next != NULL)
            o->next->previous = o->previous;
    } else if (vd_p11.index != NULL) {
        (void)!vd_htab_remove(&vd_p11.index->table, key_of(o));
    }
    vd_p11.places[at].object = NULL;
    vd_p11.places[at].serial++;
    vd_p11.places[at].next_free = vd_p11.free_place;
    vd_p11.free_place = at + 1;
    o->next = *dead;
    *dead = o;
}

void vd_p11_objects_let_go(struct vd_p11_object *dead)
{
    while (dead != NULL) {
        struct vd_p11_object *next = dead->next;
        vd_p11_object_put(dead);
        dead = next;
    }
}

/* A certificate with another value is another one. */
static bool same_value(const struct vd_p11_object *a, const struct vd_p11_object *b)
{
    return a->value_size == b->value_size &&
           (a->value_size == 0 || memcmp(a->value, b->value, a->value_size) == 0);
}

CK_RV vd_p11_object_publish(struct vd_p11_object *object, struct vd_p11_object **dead)
{
    struct vd_p11_object *old =
        vd_p11_object_look_up(object->key->id, object->class, object->attachment);
    CK_RV rv;

    if (old != NULL && same_value(old, object)) {
        object->handle = old->handle;
        vd_p11.places[(uint32_t)old->handle - 1].object = object;
        old->next = *dead;
        *dead = old;
        return CKR_OK;
    }
    if (old != NULL)
        take_out(old, dead);
    if (vd_p11.index == NULL && (rv = index_grow()) != CKR_OK)
        return rv;
    if ((rv = add(object)) != CKR_OK)
        return rv;
    if (vd_htab_insert(&vd_p11.index->table, key_of(object), (uint32_t)object->handle - 1) ==
        VD_E_LIMIT)
        rv = index_grow(); /* takes it in */
    if (rv != CKR_OK) {
        struct vd_p11_object *gone = NULL;
        take_out(object, &gone); /* stays the caller's */
    }
    return rv;
}

void vd_p11_objects_sweep(struct vd_p11_object **dead)
{
    for (uint32_t i = 0; i < vd_p11.place_count; i++) {
        struct vd_p11_object *o = vd_p11.places[i].object;
        if (o != NULL && o->session == 0 && o->key->seen != vd_p11.listing)
            take_out(o, dead);
    }
}

void vd_p11_object_remove(struct vd_p11_object *object)
{
    struct vd_p11_object *dead = NULL;
    struct vd_p11_place *place;

    pthread_mutex_lock(&vd_p11.lock);
    place = place_of(object->handle);
    if (place != NULL && place->object == object)
        take_out(object, &dead);
    pthread_mutex_unlock(&vd_p11.lock);
    vd_p11_objects_let_go(dead);
}

void vd_p11_objects_of_session(CK_SESSION_HANDLE session)
{
    struct vd_p11_object *dead = NULL, *next;

    pthread_mutex_lock(&vd_p11.lock);
    for (struct vd_p11_object *o = vd_p11.session_objects; o != NULL; o = next) {
        next = o->next;
        if (o->session == session)
            take_out(o, &dead);
    }
    pthread_mutex_unlock(&vd_p11.lock);
    vd_p11_objects_let_go(dead);
}

void vd_p11_objects_done(void)
{
    for (uint32_t i = 0; i < vd_p11.place_count; i++)
        vd_p11_object_put(vd_p11.places[i].object);
    free(vd_p11.places);
    index_free(vd_p11.index);
    vd_p11.places = NULL;
    vd_p11.index = NULL;
    vd_p11.session_objects = NULL;
    vd_p11.place_count = vd_p11.place_room = vd_p11.free_place = 0;
}

CK_RV vd_p11_objects_all(struct vd_p11_object ***ret, size_t *ret_count)
{
    struct vd_p11_object **list;
    size_t count = 0;

    pthread_mutex_lock(&vd_p11.lock);
    list = malloc((vd_p11.place_count + 1) * sizeof(struct vd_p11_object *));
    for (uint32_t i = 0; list != NULL && i < vd_p11.place_count; i++) {
        struct vd_p11_object *o = vd_p11.places[i].object;
        if (o == NULL)
            continue;
        __atomic_add_fetch(&o->refs, 1, __ATOMIC_RELAXED);
        list[count++] = o;
    }
    pthread_mutex_unlock(&vd_p11.lock);
    if (list == NULL)
        return CKR_HOST_MEMORY;
    *ret = list;
    *ret_count = count;
    return CKR_OK;
}

CK_RV vd_p11_object_find(const uint8_t id[VD_KEY_ID_SIZE], CK_OBJECT_CLASS class, const char *name,
                         CK_OBJECT_HANDLE *ret)
{
    struct vd_p11_object *o;

    pthread_mutex_lock(&vd_p11.lock);
    o = vd_p11_object_look_up(id, class, name);
    if (o != NULL)
        *ret = o->handle;
    pthread_mutex_unlock(&vd_p11.lock);
    return o != NULL ? CKR_OK : CKR_DEVICE_ERROR;
}
