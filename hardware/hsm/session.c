/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "hardware/hsm/internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "lib/diagf.h"

/* Results that a new session may mend. */
static bool means_lost(const struct vd_hsm *hsm, CK_RV rv)
{
    switch (rv) {
    case CKR_SESSION_HANDLE_INVALID:
    case CKR_SESSION_CLOSED:
    case CKR_DEVICE_REMOVED:
    case CKR_TOKEN_NOT_PRESENT:
    case CKR_SLOT_ID_INVALID:
    case CKR_CRYPTOKI_NOT_INITIALIZED:
    case CKR_KEY_HANDLE_INVALID:
    case CKR_OBJECT_HANDLE_INVALID:
    case CKR_WRAPPING_KEY_HANDLE_INVALID:
    case CKR_UNWRAPPING_KEY_HANDLE_INVALID:
    case CKR_OPERATION_ACTIVE: /* what an earlier failure left: a new session has none */
    case CKR_OPERATION_NOT_INITIALIZED:
        return true;
    case CKR_USER_NOT_LOGGED_IN:
        return hsm->login && !hsm->pin_refused;
    default:
        return false;
    }
}

vd_status hsm_check(struct vd_hsm *hsm, const char *call, CK_RV rv, struct vd_diag *diag)
{
    if (means_lost(hsm, rv))
        hsm->lost = true;
    return hsm_result(diag, call, rv);
}

const struct vd_hsm_mechanism *hsm_mechanism(const struct vd_hsm *hsm, CK_MECHANISM_TYPE type,
                                             CK_FLAGS flags)
{
    for (uint32_t i = 0; i < hsm->mechanism_count; i++) {
        const struct vd_hsm_mechanism *m = &hsm->mechanism[i];

        if (m->type == type && (m->flags & flags) == flags)
            return m;
    }
    return NULL;
}

vd_status hsm_lacks(const struct vd_hsm *hsm, CK_MECHANISM_TYPE type, struct vd_diag *diag)
{
    const char *name = hsm_mechanism_name(type);

    return vd_diagf(diag, VD_E_UNSUPPORTED, "token \"%s\" does not have the mechanism %s",
                    hsm->token.label, name != NULL ? name : "?");
}

static bool fits(const char *wanted, const char *is)
{
    return wanted[0] == '\0' || strcmp(wanted, is) == 0;
}

/* Which slot has the token. */
static vd_status pick(struct vd_hsm *hsm, struct vd_diag *diag)
{
    struct vd_hsm_token slots[VD_HSM_SLOTS_MAX];
    const struct vd_hsm_uri *uri = &hsm->uri;
    const struct vd_hsm_token *found = NULL;
    uint32_t count;

    VD_TRY(hsm_slots(&hsm->module, slots, &count, diag));
    for (uint32_t i = 0; i < count; i++) {
        const struct vd_hsm_token *t = &slots[i];

        if (!t->present || !fits(uri->token, t->label) || !fits(uri->serial, t->serial) ||
            !fits(uri->manufacturer, t->manufacturer) || !fits(uri->model, t->model) ||
            (uri->slot != VD_HSM_ANY_SLOT && uri->slot != t->slot))
            continue;
        /* One without a PIN holds no keys of ours: it is taken only where it is named. */
        if (uri->token[0] == '\0' && !t->initialized)
            continue;
        if (found != NULL) {
            vd_diag_hint(diag, "name one by its label, serial number or slot: veridian hsm list");
            return vd_diagf(diag, VD_E_INVALID, "several tokens fit: \"%s\" and \"%s\"",
                            found->label, t->label);
        }
        found = t;
    }
    if (found == NULL)
        return vd_diagf(diag, VD_E_MISSING, "token \"%s\" is not there (%u slots were looked at)",
                        uri->token[0] != '\0' ? uri->token : "any", count);
    hsm->token = *found;
    return VD_OK;
}

static vd_status mechanism_types(struct vd_hsm *hsm, CK_MECHANISM_TYPE *types, CK_ULONG *ret_count,
                                 struct vd_diag *diag)
{
    CK_ULONG claimed = 0, count;

    VD_TRY(hsm_check(hsm, "C_GetMechanismList",
                     hsm->module.f->C_GetMechanismList(hsm->token.slot, NULL, &claimed), diag));
    if (claimed > VD_HSM_MECHANISMS_MAX)
        return vd_diagf(diag, VD_E_LIMIT, "the module claims %lu mechanisms, at most %u are read",
                        claimed, VD_HSM_MECHANISMS_MAX);
    count = claimed;
    if (claimed > 0)
        VD_TRY(hsm_check(hsm, "C_GetMechanismList",
                         hsm->module.f->C_GetMechanismList(hsm->token.slot, types, &count), diag));
    if (count > claimed)
        return vd_diagf(diag, VD_E_INVALID,
                        "C_GetMechanismList gave %lu mechanisms where %lu have room", count,
                        claimed);
    *ret_count = count;
    return VD_OK;
}

static vd_status read_mechanisms(struct vd_hsm *hsm, struct vd_diag *diag)
{
    CK_MECHANISM_TYPE types[VD_HSM_MECHANISMS_MAX];
    CK_ULONG count;

    VD_TRY(mechanism_types(hsm, types, &count, diag));
    hsm->mechanism_count = 0;
    for (CK_ULONG i = 0; i < count; i++) {
        CK_MECHANISM_INFO info = {};
        CK_RV rv = hsm->module.f->C_GetMechanismInfo(hsm->token.slot, types[i], &info);

        if (rv == CKR_MECHANISM_INVALID)
            continue; /* listed, but not there */
        VD_TRY(hsm_check(hsm, "C_GetMechanismInfo", rv, diag));
        hsm->mechanism[hsm->mechanism_count++] = (struct vd_hsm_mechanism){
            .type = types[i],
            .name = hsm_mechanism_name(types[i]),
            .min_key = info.ulMinKeySize,
            .max_key = info.ulMaxKeySize,
            .flags = info.flags,
        };
    }
    return VD_OK;
}

/* A refused PIN is never tried twice: the token would lock itself. */
static vd_status log_in(struct vd_hsm *hsm, CK_USER_TYPE who, struct vd_diag *diag)
{
    bool pad = hsm->pin.data == NULL;
    CK_RV rv;

    if (hsm->pin_refused)
        return vd_diagf(diag, VD_E_DENIED, "token \"%s\" refused this PIN before: not tried again",
                        hsm->token.label);
    if (pad && !hsm->token.pin_pad)
        return vd_diagf(diag, VD_E_USAGE, "token \"%s\" wants a PIN", hsm->token.label);
    rv = hsm->module.f->C_Login(hsm->session, who, hsm->pin.data, hsm->pin.size);
    if (rv == CKR_OK || (rv == CKR_USER_ALREADY_LOGGED_IN && who == CKU_USER))
        return VD_OK;
    if (rv == CKR_PIN_INCORRECT || rv == CKR_PIN_LOCKED || rv == CKR_PIN_EXPIRED ||
        rv == CKR_PIN_INVALID || rv == CKR_PIN_LEN_RANGE)
        hsm->pin_refused = true;
    if (rv == CKR_PIN_INCORRECT)
        vd_diag_hint(diag, "a few wrong PINs lock a token: look at it before you try again");
    return hsm_check(hsm, "C_Login", rv, diag);
}

vd_status hsm_authenticate(struct vd_hsm *hsm, const struct vd_hsm_key *key, struct vd_diag *diag)
{
    return key->always_authenticate ? log_in(hsm, CKU_CONTEXT_SPECIFIC, diag) : VD_OK;
}

static vd_status open_session(struct vd_hsm *hsm, struct vd_diag *diag)
{
    CK_FLAGS flags = CKF_SERIAL_SESSION;

    if (!hsm->token.write_protected)
        flags |= CKF_RW_SESSION;
    if (hsm->login && hsm->token.pin_locked)
        return vd_diagf(diag, VD_E_DENIED, "the PIN of token \"%s\" is locked", hsm->token.label);
    VD_TRY(hsm_check(
        hsm, "C_OpenSession",
        hsm->module.f->C_OpenSession(hsm->token.slot, flags, NULL, NULL, &hsm->session), diag));
    hsm->open = true;
    hsm->opening++;
    return hsm->login ? log_in(hsm, CKU_USER, diag) : VD_OK;
}

static void drop(struct vd_hsm *hsm)
{
    if (hsm->open)
        (void)hsm->module.f->C_CloseSession(hsm->session);
    hsm->open = false;
}

/* A session that is open and logged in. */
static vd_status ready(struct vd_hsm *hsm, struct vd_diag *diag)
{
    vd_status status;

    if (hsm->pid != getpid())
        return vd_diag_fail(diag, VD_E_USAGE, "this connection is the parent process's");
    if (hsm->open)
        return VD_OK;
    VD_TRY(hsm_module_again(&hsm->module, diag));
    status = pick(hsm, diag);
    if (status == VD_OK)
        status = read_mechanisms(hsm, diag);
    if (status == VD_OK)
        status = open_session(hsm, diag);
    if (status != VD_OK)
        drop(hsm);
    return status;
}

vd_status hsm_run(struct vd_hsm *hsm, hsm_op *op, void *ctx, struct vd_diag *diag)
{
    for (int attempt = 0;; attempt++) {
        struct vd_diag own = {};
        vd_status status;

        hsm->lost = false;
        status = ready(hsm, &own);
        if (status == VD_OK)
            status = op(hsm, ctx, &own);
        if (hsm->lost)
            drop(hsm);
        if (status == VD_OK)
            return VD_OK;
        if (!hsm->lost || attempt == 1) {
            if (diag != NULL && diag->status == VD_OK)
                *diag = own;
            return status;
        }
    }
}

static vd_status nothing(struct vd_hsm *hsm, void *ctx, struct vd_diag *diag)
{
    return VD_OK;
}

static vd_status choose_module(const struct vd_hsm_where *where, char *ret, struct vd_diag *diag)
{
    const char *path = where->module;

    if (path == NULL && where->uri != NULL && where->uri->module_path[0] != '\0')
        path = where->uri->module_path;
    if (path == NULL)
        path = secure_getenv(VD_HSM_MODULE_ENV);
    if (path == NULL || path[0] == '\0')
        return vd_diag_fail(diag, VD_E_USAGE,
                            "no module is named: by --module, module-path of the URI or "
                            "VERIDIAN_PKCS11_MODULE");
    if (strlen(path) >= VD_HSM_PATH_MAX)
        return vd_diag_fail(diag, VD_E_LIMIT, "the module's path is too long");
    vd_copy(ret, path, strlen(path) + 1);
    return VD_OK;
}

static vd_status begin(struct vd_hsm *hsm, const struct vd_hsm_where *where, struct vd_diag *diag)
{
    VD_TRY(choose_module(where, hsm->path, diag));
    if (where->uri != NULL)
        hsm->uri = *where->uri;
    if (where->pin != NULL)
        VD_TRY(vd_secret_set(&hsm->pin, where->pin->data, where->pin->size, diag));
    VD_TRY(hsm_module_open(&hsm->module, hsm->path, diag));
    VD_TRY(hsm_run(hsm, nothing, NULL, diag));
    /* From here on it is this token and no other with the same label. */
    hsm->uri = (struct vd_hsm_uri){.slot = VD_HSM_ANY_SLOT};
    vd_copy(hsm->uri.token, hsm->token.label, sizeof(hsm->uri.token));
    vd_copy(hsm->uri.serial, hsm->token.serial, sizeof(hsm->uri.serial));
    vd_copy(hsm->uri.manufacturer, hsm->token.manufacturer, sizeof(hsm->uri.manufacturer));
    vd_copy(hsm->uri.model, hsm->token.model, sizeof(hsm->uri.model));
    return VD_OK;
}

vd_status vd_hsm_open(const struct vd_hsm_where *where, struct vd_hsm **ret, struct vd_diag *diag)
{
    struct vd_hsm *hsm = calloc(1, sizeof(*hsm));
    vd_status status;

    if (hsm == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    hsm->uri.slot = VD_HSM_ANY_SLOT;
    hsm->login = where->login;
    hsm->pid = getpid();
    status = begin(hsm, where, diag);
    if (status != VD_OK) {
        vd_hsm_close(hsm);
        return status;
    }
    *ret = hsm;
    return VD_OK;
}

void vd_hsm_close(struct vd_hsm *hsm)
{
    if (hsm == NULL)
        return;
    if (hsm->pid == getpid()) {
        /* The session alone: a logout would be the whole process's. The last session's end is one. */
        drop(hsm);
        hsm_module_close(&hsm->module);
    }
    hsm_public_forget(hsm);
    vd_secret_done(&hsm->pin);
    free(hsm);
}

const struct vd_hsm_token *vd_hsm_token(const struct vd_hsm *hsm)
{
    return &hsm->token;
}

static vd_status copy_mechanisms(struct vd_hsm *hsm, void *ctx, struct vd_diag *diag)
{
    vd_copy(ctx, hsm->mechanism, sizeof(hsm->mechanism));
    return VD_OK;
}

vd_status vd_hsm_mechanisms(struct vd_hsm *hsm, struct vd_hsm_mechanism *ret, uint32_t *ret_count,
                            struct vd_diag *diag)
{
    VD_TRY(hsm_run(hsm, copy_mechanisms, ret, diag));
    *ret_count = hsm->mechanism_count;
    return VD_OK;
}
