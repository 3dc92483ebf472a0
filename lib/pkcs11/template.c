/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What an application passes as a template: attributes with pointers and sizes of its own. */
#include "lib/pkcs11/internal.h"

#include "core/base/mem.h"

CK_RV vd_p11_template_check(const struct vd_p11_template *t)
{
    if (t->count > VD_P11_ATTRS_MAX || (t->list == NULL && t->count != 0))
        return CKR_ARGUMENTS_BAD;
    for (CK_ULONG i = 0; i < t->count; i++) {
        if (t->list[i].ulValueLen > VD_P11_VALUE_MAX ||
            (t->list[i].pValue == NULL && t->list[i].ulValueLen != 0))
            return CKR_ATTRIBUTE_VALUE_INVALID;
        for (CK_ULONG k = 0; k < i; k++)
            if (t->list[k].type == t->list[i].type)
                return CKR_TEMPLATE_INCONSISTENT;
    }
    return CKR_OK;
}

const CK_ATTRIBUTE *vd_p11_template_find(const struct vd_p11_template *t, CK_ATTRIBUTE_TYPE type)
{
    for (CK_ULONG i = 0; i < t->count; i++)
        if (t->list[i].type == type)
            return &t->list[i];
    return NULL;
}

CK_RV vd_p11_template_bool(const struct vd_p11_template *t, CK_ATTRIBUTE_TYPE type,
                           CK_BBOOL standard, CK_BBOOL *ret)
{
    const CK_ATTRIBUTE *a = vd_p11_template_find(t, type);
    CK_BBOOL value = standard;

    if (a != NULL && a->ulValueLen != sizeof(value))
        return CKR_ATTRIBUTE_VALUE_INVALID;
    if (a != NULL)
        vd_copy(&value, a->pValue, sizeof(value));
    if (value != CK_TRUE && value != CK_FALSE)
        return CKR_ATTRIBUTE_VALUE_INVALID;
    *ret = value;
    return CKR_OK;
}

CK_RV vd_p11_template_ulong(const struct vd_p11_template *t, CK_ATTRIBUTE_TYPE type,
                            CK_ULONG standard, CK_ULONG *ret)
{
    const CK_ATTRIBUTE *a = vd_p11_template_find(t, type);

    if (a == NULL) {
        *ret = standard;
        return CKR_OK;
    }
    if (a->ulValueLen != sizeof(*ret))
        return CKR_ATTRIBUTE_VALUE_INVALID;
    vd_copy(ret, a->pValue, sizeof(*ret));
    return CKR_OK;
}
