/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hardware/hsm/internal.h"

#include <string.h>

#include "core/base/mem.h"
#include "lib/diagf.h"

#define FIND_BATCH 64u /* handles of one C_FindObjects */

static const struct {
    enum vd_hsm_class class;
    CK_OBJECT_CLASS value;
} classes[] = {
    {VD_HSM_PUBLIC, CKO_PUBLIC_KEY},
    {VD_HSM_PRIVATE, CKO_PRIVATE_KEY},
    {VD_HSM_SECRET_KEY, CKO_SECRET_KEY},
    {VD_HSM_CERTIFICATE, CKO_CERTIFICATE},
    {VD_HSM_DATA, CKO_DATA},
};

static CK_OBJECT_CLASS class_value(enum vd_hsm_class class)
{
    for (size_t i = 0; i < VD_COUNT(classes); i++) {
        if (classes[i].class == class)
            return classes[i].value;
    }
    return CKO_DATA;
}

/* ---- Attributes ---- */

static vd_status attribute_status(struct vd_hsm *hsm, CK_RV rv, CK_ULONG size, struct vd_diag *diag)
{
    if (rv == CKR_ATTRIBUTE_TYPE_INVALID)
        return vd_diag_fail(diag, VD_E_NOT_FOUND, "the object lacks an attribute");
    VD_TRY(hsm_check(hsm, "C_GetAttributeValue", rv, diag));
    if (size == CK_UNAVAILABLE_INFORMATION)
        return vd_diag_fail(diag, VD_E_NOT_FOUND, "the object does not say an attribute");
    return VD_OK;
}

vd_status hsm_get(struct vd_hsm *hsm, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attribute, size_t max,
                  struct vd_diag *diag)
{
    CK_ATTRIBUTE ask = {.type = attribute->type};
    CK_ULONG claimed;
    CK_RV rv = hsm->module.f->C_GetAttributeValue(hsm->session, object, &ask, 1);

    VD_TRY(attribute_status(hsm, rv, ask.ulValueLen, diag));
    claimed = ask.ulValueLen;
    if (claimed > max)
        return vd_diagf(diag, VD_E_LIMIT,
                        "the module claims %lu bytes for attribute 0x%lx, at most %zu are read",
                        claimed, attribute->type, max);
    if (claimed > 0) {
        ask.pValue = attribute->pValue;
        rv = hsm->module.f->C_GetAttributeValue(hsm->session, object, &ask, 1);
        VD_TRY(attribute_status(hsm, rv, ask.ulValueLen, diag));
    }
    if (ask.ulValueLen > claimed)
        return vd_diagf(diag, VD_E_INVALID,
                        "attribute 0x%lx has %lu bytes where the module claimed %lu",
                        attribute->type, ask.ulValueLen, claimed);
    attribute->ulValueLen = ask.ulValueLen;
    return VD_OK;
}

vd_status hsm_get_ulong(struct vd_hsm *hsm, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type,
                        CK_ULONG *ret, struct vd_diag *diag)
{
    CK_ULONG value = 0;
    CK_ATTRIBUTE attribute = {.type = type, .pValue = &value};

    VD_TRY(hsm_get(hsm, object, &attribute, sizeof(value), diag));
    if (attribute.ulValueLen != sizeof(value))
        return vd_diagf(diag, VD_E_INVALID, "attribute 0x%lx is no number: %lu bytes", type,
                        attribute.ulValueLen);
    *ret = value;
    return VD_OK;
}

/* `absent` where the object has no such attribute. */
static vd_status get_bool(struct vd_hsm *hsm, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *ask, bool *ret,
                          struct vd_diag *diag)
{
    CK_BBOOL value = CK_FALSE;
    CK_ATTRIBUTE attribute = {.type = ask->type, .pValue = &value};
    struct vd_diag own = {};
    vd_status status = hsm_get(hsm, object, &attribute, sizeof(value), &own);

    if (status == VD_E_NOT_FOUND)
        return VD_OK; /* `ret` keeps what its absence means */
    if (status == VD_OK && (attribute.ulValueLen != 1 || value > 1))
        status = vd_diagf(&own, VD_E_INVALID, "attribute 0x%lx is neither true nor false",
                          attribute.type);
    if (status == VD_OK)
        *ret = value != CK_FALSE;
    else if (diag != NULL && diag->status == VD_OK)
        *diag = own;
    return status;
}

/* ---- What a key is ---- */

static vd_status get_flags(struct vd_hsm *hsm, CK_OBJECT_HANDLE object, struct vd_hsm_key *key,
                           struct vd_diag *diag)
{
    const struct {
        CK_ATTRIBUTE_TYPE type;
        bool *store;
    } flags[] = {
        {CKA_SENSITIVE, &key->sensitive},
        {CKA_EXTRACTABLE, &key->extractable},
        {CKA_NEVER_EXTRACTABLE, &key->never_extractable},
        {CKA_SIGN, &key->use[VD_HSM_TO_SIGN]},
        {CKA_DECRYPT, &key->use[VD_HSM_TO_DECRYPT]},
        {CKA_DERIVE, &key->use[VD_HSM_TO_DERIVE]},
        {CKA_UNWRAP, &key->use[VD_HSM_TO_WRAP]},
        {CKA_ALWAYS_AUTHENTICATE, &key->always_authenticate},
    };

    /* What is not said is taken for the worse. */
    key->extractable = true;
    for (size_t i = 0; i < VD_COUNT(flags); i++) {
        CK_ATTRIBUTE ask = {.type = flags[i].type};

        if (ask.type == CKA_ALWAYS_AUTHENTICATE && key->class != VD_HSM_PRIVATE)
            continue;
        VD_TRY(get_bool(hsm, object, &ask, flags[i].store, diag));
    }
    return VD_OK;
}

static vd_status get_kind(struct vd_hsm *hsm, CK_OBJECT_HANDLE object, struct vd_hsm_key *key,
                          struct vd_diag *diag)
{
    uint8_t value[VD_HSM_BLOCK_MAX];
    CK_ATTRIBUTE modulus = {.type = CKA_MODULUS, .pValue = value};
    CK_ATTRIBUTE params = {.type = CKA_EC_PARAMS, .pValue = value};
    CK_ULONG type, size = 0;

    VD_TRY(hsm_get_ulong(hsm, object, CKA_KEY_TYPE, &type, diag));
    if (type == CKK_RSA) {
        key->kind = VD_HSM_RSA;
        VD_TRY(hsm_get(hsm, object, &modulus, sizeof(value), diag));
        size = modulus.ulValueLen;
        key->bits = (uint32_t)(size > 0 && value[0] == 0 ? size - 1 : size) * 8;
    } else if (type == CKK_EC) {
        VD_TRY(hsm_get(hsm, object, &params, sizeof(value), diag));
        if (params.ulValueLen == sizeof(hsm_p256_params) &&
            memcmp(value, hsm_p256_params, sizeof(hsm_p256_params)) == 0) {
            key->kind = VD_HSM_EC;
            key->bits = 256;
        }
    } else if (type == CKK_AES) {
        key->kind = VD_HSM_AES;
        VD_TRY(hsm_get_ulong(hsm, object, CKA_VALUE_LEN, &size, diag));
        if (size > 64)
            return vd_diagf(diag, VD_E_INVALID, "the module claims an AES key of %lu bytes", size);
        key->bits = (uint32_t)size * 8;
    }
    return VD_OK;
}

static vd_status get_name(struct vd_hsm *hsm, CK_OBJECT_HANDLE object, struct vd_hsm_key *key,
                          struct vd_diag *diag)
{
    uint8_t label[VD_HSM_LABEL_MAX] = {};
    CK_ATTRIBUTE ask = {.type = CKA_LABEL, .pValue = label};
    CK_ATTRIBUTE id = {.type = CKA_ID, .pValue = key->id};
    struct vd_diag own = {};
    vd_status status = hsm_get(hsm, object, &ask, sizeof(label), &own);

    if (status == VD_OK)
        vd_copy(key->label, label, strnlen((const char *)label, ask.ulValueLen));
    if (status == VD_OK && key->class != VD_HSM_DATA) {
        status = hsm_get(hsm, object, &id, sizeof(key->id), &own);
        key->id_size = status == VD_OK ? id.ulValueLen : 0;
    }
    if (status == VD_OK || status == VD_E_NOT_FOUND)
        return VD_OK; /* a name is optional */
    if (diag != NULL && diag->status == VD_OK)
        *diag = own;
    return status;
}

vd_status hsm_describe(struct vd_hsm *hsm, CK_OBJECT_HANDLE object, struct vd_hsm_key *ret,
                       struct vd_diag *diag)
{
    struct vd_hsm_key key = {.handle = object, .opening = hsm->opening};
    CK_ULONG class;

    VD_TRY(hsm_get_ulong(hsm, object, CKA_CLASS, &class, diag));
    for (size_t i = 0; i < VD_COUNT(classes); i++) {
        if (classes[i].value == class)
            key.class = classes[i].class;
    }
    VD_TRY(get_name(hsm, object, &key, diag));
    if (key.class == VD_HSM_PUBLIC || key.class == VD_HSM_PRIVATE || key.class == VD_HSM_SECRET_KEY)
        VD_TRY(get_kind(hsm, object, &key, diag));
    if (key.class == VD_HSM_PRIVATE || key.class == VD_HSM_SECRET_KEY)
        VD_TRY(get_flags(hsm, object, &key, diag));
    *ret = key;
    return VD_OK;
}

/* ---- Search ---- */

static vd_status collect(struct vd_hsm *hsm, struct hsm_search *search, struct vd_diag *diag)
{
    CK_OBJECT_HANDLE batch[FIND_BATCH];

    for (;;) {
        CK_ULONG n = 0;

        VD_TRY(hsm_check(hsm, "C_FindObjects",
                         hsm->module.f->C_FindObjects(hsm->session, batch, FIND_BATCH, &n), diag));
        if (n > FIND_BATCH)
            return vd_diagf(diag, VD_E_INVALID, "C_FindObjects gave %lu objects where %u have room",
                            n, FIND_BATCH);
        if (n > search->max - search->count)
            return vd_diagf(diag, VD_E_LIMIT, "more than %u objects fit", search->max);
        if (n == 0)
            return VD_OK;
        vd_copy(search->found + search->count, batch, n * sizeof(batch[0]));
        search->count += (uint32_t)n;
    }
}

vd_status hsm_search(struct vd_hsm *hsm, struct hsm_search *search, struct vd_diag *diag)
{
    CK_RV rv =
        hsm->module.f->C_FindObjectsInit(hsm->session, search->template, search->template_count);
    vd_status status;

    search->count = 0;
    VD_TRY(hsm_check(hsm, "C_FindObjectsInit", rv, diag));
    status = collect(hsm, search, diag);
    rv = hsm->module.f->C_FindObjectsFinal(hsm->session);
    return status != VD_OK ? status : hsm_check(hsm, "C_FindObjectsFinal", rv, diag);
}

/* What to look for, as a template; the values are borrowed. */
struct wanted {
    CK_OBJECT_CLASS class;
    CK_ATTRIBUTE attribute[3];
    CK_ULONG count;
};

static void want(struct wanted *w, enum vd_hsm_class class, const char *label, struct hsm_bytes id)
{
    w->count = 0;
    w->class = class_value(class);
    if (class != VD_HSM_ANY_CLASS)
        w->attribute[w->count++] = (CK_ATTRIBUTE){CKA_CLASS, &w->class, sizeof(w->class)};
    if (label[0] != '\0')
        w->attribute[w->count++] = (CK_ATTRIBUTE){CKA_LABEL, (void *)label, strlen(label)};
    if (id.size > 0)
        w->attribute[w->count++] = (CK_ATTRIBUTE){CKA_ID, (void *)id.data, id.size};
}

struct list_request {
    const struct vd_hsm_uri *uri;
    struct vd_hsm_key *ret;
    uint32_t count;
};

static vd_status list_in(struct vd_hsm *hsm, void *ctx, struct vd_diag *diag)
{
    struct list_request *request = ctx;
    CK_OBJECT_HANDLE found[VD_HSM_OBJECTS_MAX];
    const struct vd_hsm_uri *uri = request->uri;
    struct wanted w;
    struct hsm_search search = {.template = w.attribute, .found = found, .max = VD_COUNT(found)};

    want(&w, uri->class, uri->object, (struct hsm_bytes){uri->id, uri->id_size});
    search.template_count = w.count;
    VD_TRY(hsm_search(hsm, &search, diag));
    for (uint32_t i = 0; i < search.count; i++)
        VD_TRY(hsm_describe(hsm, found[i], &request->ret[i], diag));
    request->count = search.count;
    return VD_OK;
}

vd_status vd_hsm_list(struct vd_hsm *hsm, const struct vd_hsm_uri *uri, struct vd_hsm_key *ret,
                      uint32_t *ret_count, struct vd_diag *diag)
{
    struct list_request request = {.uri = uri, .ret = ret};

    VD_TRY(hsm_run(hsm, list_in, &request, diag));
    *ret_count = request.count;
    return VD_OK;
}

static vd_status none_or_several(const struct vd_hsm *hsm, const struct wanted *w, uint32_t count,
                                 struct vd_diag *diag)
{
    const char *label = "";
    size_t size = 0;

    for (CK_ULONG i = 0; i < w->count; i++) {
        if (w->attribute[i].type == CKA_LABEL) {
            label = w->attribute[i].pValue;
            size = w->attribute[i].ulValueLen;
        }
    }
    if (count == 0 && !hsm->login)
        vd_diag_hint(diag, "private objects are seen only with a PIN");
    if (count == 0)
        return vd_diagf(diag, VD_E_NOT_FOUND, "token \"%s\" has no such object \"%.*s\"",
                        hsm->token.label, (int)size, label);
    vd_diag_hint(diag, "name one by its id: veridian hsm list");
    return vd_diagf(diag, VD_E_INVALID, "token \"%s\" has several objects \"%.*s\"",
                    hsm->token.label, (int)size, label);
}

static vd_status find_one(struct vd_hsm *hsm, struct wanted *w, CK_OBJECT_HANDLE *ret,
                          struct vd_diag *diag)
{
    CK_OBJECT_HANDLE found[2];
    struct hsm_search search = {.template = w->attribute,
                                .template_count = w->count,
                                .found = found,
                                .max = VD_COUNT(found)};
    struct vd_diag own = {};
    vd_status status = hsm_search(hsm, &search, &own);

    if (status == VD_E_LIMIT)
        return none_or_several(hsm, w, 2, diag);
    if (status != VD_OK && diag != NULL && diag->status == VD_OK)
        *diag = own;
    VD_TRY(status);
    if (search.count != 1)
        return none_or_several(hsm, w, search.count, diag);
    *ret = found[0];
    return VD_OK;
}

vd_status hsm_find_key(struct vd_hsm *hsm, const struct vd_hsm_uri *uri, struct vd_hsm_key *ret,
                       struct vd_diag *diag)
{
    struct vd_hsm_key key;
    CK_OBJECT_HANDLE object;
    struct wanted w;

    want(&w, uri->class, uri->object, (struct hsm_bytes){uri->id, uri->id_size});
    VD_TRY(find_one(hsm, &w, &object, diag));
    VD_TRY(hsm_describe(hsm, object, &key, diag));
    if (key.class != uri->class)
        return vd_diag_fail(diag, VD_E_INVALID, "the module found an object of another class");
    *ret = key;
    return VD_OK;
}

struct find_request {
    struct vd_hsm_uri uri;
    struct vd_hsm_key *ret;
};

static vd_status find_in(struct vd_hsm *hsm, void *ctx, struct vd_diag *diag)
{
    struct find_request *request = ctx;

    return hsm_find_key(hsm, &request->uri, request->ret, diag);
}

vd_status vd_hsm_find(struct vd_hsm *hsm, const struct vd_hsm_uri *uri, enum vd_hsm_class class,
                      struct vd_hsm_key *ret, struct vd_diag *diag)
{
    struct find_request request = {.uri = *uri, .ret = ret};

    if (uri->class != VD_HSM_ANY_CLASS && uri->class != class)
        return vd_diagf(diag, VD_E_USAGE, "expected a %s key, the URI names a %s",
                        vd_hsm_class_name(class), vd_hsm_class_name(uri->class));
    request.uri.class = class;
    return hsm_run(hsm, find_in, &request, diag);
}

vd_status hsm_handle(struct vd_hsm *hsm, struct vd_hsm_key *key, CK_OBJECT_HANDLE *ret,
                     struct vd_diag *diag)
{
    CK_OBJECT_HANDLE object;
    struct wanted w;

    if (key->opening != hsm->opening) {
        want(&w, key->class, key->label, (struct hsm_bytes){key->id, key->id_size});
        VD_TRY(find_one(hsm, &w, &object, diag));
        key->handle = object;
        key->opening = hsm->opening;
    }
    *ret = key->handle;
    return VD_OK;
}
