/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Searching for objects, and reading and changing what they say. */
#include <stdlib.h>

#include "core/base/mem.h"
#include "lib/pkcs11/service.h"

static CK_RV search(struct vd_p11_operation *op, const struct vd_p11_template *t)
{
    struct vd_p11_object **list;
    size_t count;
    CK_RV rv = vd_p11_objects_refresh();

    /* What a session made is there without the service too. */
    if (rv != CKR_OK && rv != CKR_DEVICE_REMOVED)
        return rv;
    rv = vd_p11_objects_all(&list, &count);
    if (rv != CKR_OK)
        return rv;
    op->found = malloc((count + 1) * sizeof(*op->found));
    for (size_t i = 0; i < count; i++) {
        if (op->found != NULL && vd_p11_matches(list[i], t->list, t->count))
            op->found[op->found_count++] = list[i]->handle;
        vd_p11_object_put(list[i]);
    }
    free(list);
    return op->found != NULL ? CKR_OK : CKR_HOST_MEMORY;
}

CK_RV C_FindObjectsInit(CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG count)
{
    const struct vd_p11_template t = {template, count};
    struct vd_p11_operation *op;
    struct vd_p11_session *s;
    CK_RV rv = vd_p11_enter(session, &s);

    if (rv != CKR_OK)
        return rv;
    rv = vd_p11_template_check(&t);
    if (rv == CKR_OK)
        rv = vd_p11_op_new(s, VD_P11_FIND, &op);
    if (rv != CKR_OK)
        return vd_p11_leave(s, rv);
    rv = search(op, &t);
    if (rv != CKR_OK)
        vd_p11_op_end(s, VD_P11_FIND);
    return vd_p11_leave(s, rv);
}

CK_RV C_FindObjects(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *list, CK_ULONG max,
                    CK_ULONG *count)
{
    struct vd_p11_operation *op;
    struct vd_p11_session *s;
    CK_RV rv = vd_p11_enter(session, &s);

    if (rv != CKR_OK)
        return rv;
    op = s->op[VD_P11_FIND];
    if (op == NULL)
        return vd_p11_leave(s, CKR_OPERATION_NOT_INITIALIZED);
    if (count == NULL || (list == NULL && max != 0))
        return vd_p11_leave(s, CKR_ARGUMENTS_BAD);
    for (*count = 0; *count < max && op->found_at < op->found_count; (*count)++)
        list[*count] = op->found[op->found_at++];
    return vd_p11_leave(s, CKR_OK);
}

CK_RV C_FindObjectsFinal(CK_SESSION_HANDLE session)
{
    struct vd_p11_session *s;
    CK_RV rv = vd_p11_enter(session, &s);

    if (rv != CKR_OK)
        return rv;
    rv = s->op[VD_P11_FIND] != NULL ? CKR_OK : CKR_OPERATION_NOT_INITIALIZED;
    vd_p11_op_end(s, VD_P11_FIND);
    return vd_p11_leave(s, rv);
}

static CK_RV read_one(struct vd_p11_object *o, CK_ATTRIBUTE *a)
{
    struct vd_p11_value value;
    CK_RV rv = vd_p11_attribute(o, a->type, &value);

    if (rv == CKR_OK && value.withheld)
        rv = CKR_ATTRIBUTE_SENSITIVE;
    if (rv != CKR_OK) {
        a->ulValueLen = CK_UNAVAILABLE_INFORMATION;
        return rv;
    }
    if (a->pValue != NULL && a->ulValueLen < value.size) {
        a->ulValueLen = CK_UNAVAILABLE_INFORMATION;
        return CKR_BUFFER_TOO_SMALL;
    }
    if (a->pValue != NULL && value.size != 0)
        vd_copy(a->pValue, value.data, value.size);
    a->ulValueLen = value.size;
    return CKR_OK;
}

CK_RV C_GetAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                          CK_ATTRIBUTE *template, CK_ULONG count)
{
    struct vd_p11_object *o;
    struct vd_p11_session *s;
    CK_RV rv = vd_p11_enter(session, &s), first = CKR_OK;

    if (rv != CKR_OK)
        return rv;
    if ((template == NULL && count != 0) || count > VD_P11_ATTRS_MAX)
        return vd_p11_leave(s, CKR_ARGUMENTS_BAD);
    rv = vd_p11_object_get(object, &o);
    if (rv != CKR_OK)
        return vd_p11_leave(s, rv);
    for (CK_ULONG i = 0; i < count; i++) {
        rv = read_one(o, &template[i]);
        if (first == CKR_OK)
            first = rv;
    }
    vd_p11_object_put(o);
    return vd_p11_leave(s, first);
}

CK_RV C_GetObjectSize(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ULONG *size)
{
    struct vd_p11_object *o;
    struct vd_p11_session *s;
    CK_RV rv = vd_p11_enter(session, &s);

    if (rv != CKR_OK)
        return rv;
    rv = size != NULL ? vd_p11_object_get(object, &o) : CKR_ARGUMENTS_BAD;
    if (rv != CKR_OK)
        return vd_p11_leave(s, rv);
    *size = o->value_size != 0 ? o->value_size : CK_UNAVAILABLE_INFORMATION;
    vd_p11_object_put(o);
    return vd_p11_leave(s, CKR_OK);
}

/* Label and id are what an application may give a key; what a key may do is set by its owner. */
static CK_RV change(struct vd_p11_object *o, const struct vd_p11_template *t)
{
    const CK_ATTRIBUTE *label = vd_p11_template_find(t, CKA_LABEL);
    const CK_ATTRIBUTE *id = vd_p11_template_find(t, CKA_ID);

    if (o->key == NULL || o->class == CKO_CERTIFICATE)
        return CKR_ACTION_PROHIBITED;
    for (CK_ULONG i = 0; i < t->count; i++) {
        struct vd_p11_value value;
        if (&t->list[i] == label || &t->list[i] == id)
            continue;
        if (vd_p11_attribute(o, t->list[i].type, &value) != CKR_OK)
            return CKR_ATTRIBUTE_TYPE_INVALID;
        /* Setting what is so already is no change. */
        if (value.withheld || !vd_p11_matches(o, &t->list[i], 1))
            return CKR_ATTRIBUTE_READ_ONLY;
    }
    if (!vd_p11_key_made_here(o->key))
        return label == NULL && id == NULL ? CKR_OK : CKR_ATTRIBUTE_READ_ONLY;
    return vd_p11_key_describe(o->key, t);
}

CK_RV C_SetAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                          CK_ATTRIBUTE *template, CK_ULONG count)
{
    const struct vd_p11_template t = {template, count};
    struct vd_p11_object *o;
    struct vd_p11_session *s;
    CK_RV rv = vd_p11_enter(session, &s);

    if (rv != CKR_OK)
        return rv;
    rv = (s->flags & CKF_RW_SESSION) != 0 ? vd_p11_template_check(&t) : CKR_SESSION_READ_ONLY;
    if (rv == CKR_OK)
        rv = vd_p11_object_get(object, &o);
    if (rv != CKR_OK)
        return vd_p11_leave(s, rv);
    rv = change(o, &t);
    vd_p11_object_put(o);
    if (rv == CKR_OK)
        rv = vd_p11_objects_refresh();
    return vd_p11_leave(s, rv);
}
