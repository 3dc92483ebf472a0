/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The module as a whole: start and end, the slot and its token, errors. */
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"
#include "lib/pkcs11/functions.h"
#include "lib/pkcs11/service.h"

#define FRESH                                                                    \
    {                                                                            \
        .lock = PTHREAD_MUTEX_INITIALIZER, .refresh = PTHREAD_MUTEX_INITIALIZER, \
        .idle = PTHREAD_COND_INITIALIZER                                         \
    }

struct vd_p11_state vd_p11 = FRESH;

bool vd_p11_ready(void)
{
    return __atomic_load_n(&vd_p11.initialized, __ATOMIC_ACQUIRE);
}

bool vd_p11_work(void)
{
    bool ready;

    pthread_mutex_lock(&vd_p11.lock);
    ready = vd_p11_ready();
    vd_p11.working += ready;
    pthread_mutex_unlock(&vd_p11.lock);
    return ready;
}

void vd_p11_rest_locked(void)
{
    if (--vd_p11.working == 0 && vd_p11.ending)
        pthread_cond_broadcast(&vd_p11.idle);
}

void vd_p11_rest(void)
{
    pthread_mutex_lock(&vd_p11.lock);
    vd_p11_rest_locked();
    pthread_mutex_unlock(&vd_p11.lock);
}

CK_RV vd_p11_rv(vd_status status)
{
    switch (status) {
    case VD_OK:
        return CKR_OK;
    case VD_E_NO_MEMORY:
        return CKR_HOST_MEMORY;
    case VD_E_MISSING:
    case VD_E_UNTRUSTED:
        return CKR_DEVICE_REMOVED;
    case VD_E_DENIED:
    case VD_E_KEY_USAGE:
    case VD_E_EXPIRED:
        return CKR_KEY_FUNCTION_NOT_PERMITTED;
    case VD_E_SIGNATURE:
        return CKR_SIGNATURE_INVALID;
    case VD_E_TAG:
        return CKR_ENCRYPTED_DATA_INVALID;
    case VD_E_NOT_FOUND:
        return CKR_OBJECT_HANDLE_INVALID;
    case VD_E_REVOKED:
        return CKR_KEY_HANDLE_INVALID;
    case VD_E_KEY_TYPE:
        return CKR_KEY_TYPE_INCONSISTENT;
    case VD_E_MECHANISM:
        return CKR_MECHANISM_INVALID;
    case VD_E_SIZE:
        return CKR_DATA_LEN_RANGE;
    case VD_E_POINT:
    case VD_E_ENCODING:
        return CKR_MECHANISM_PARAM_INVALID;
    case VD_E_LIMIT:
        return VD_CKR_KEY_EXHAUSTED;
    case VD_E_NO_SPACE:
        return CKR_DEVICE_MEMORY;
    default:
        return status < VD_STATUS_COUNT && vd_status_class(status) == VD_CLASS_INPUT
                   ? CKR_DATA_INVALID
                   : CKR_DEVICE_ERROR;
    }
}

/*
 * A child after fork has none of its parent's state: it has to call C_Initialize itself
 * (PKCS#11 2.40, 5.4). What the parent had is not touched: threads may have held the locks.
 */
static void in_child(void)
{
    struct vd_keyclient *client = vd_p11.ending ? NULL : vd_p11.client; /* it may be gone already */

    vd_p11 = (struct vd_p11_state)FRESH;
    vd_p11_service_in_child(client);
}

__attribute__((constructor)) static void on_load(void)
{
    pthread_atfork(NULL, NULL, in_child);
}

CK_RV C_Initialize(void *args)
{
    const CK_C_INITIALIZE_ARGS *a = args;
    vd_status status;

    if (a != NULL) {
        unsigned functions = (a->CreateMutex != NULL) + (a->DestroyMutex != NULL) +
                             (a->LockMutex != NULL) + (a->UnlockMutex != NULL);
        if (a->pReserved != NULL || (functions != 0 && functions != 4))
            return CKR_ARGUMENTS_BAD;
        /* The module locks with the system's own locks alone. */
        if (functions == 4 && (a->flags & CKF_OS_LOCKING_OK) == 0)
            return CKR_CANT_LOCK;
    }
    pthread_mutex_lock(&vd_p11.lock);
    while (vd_p11.ending)
        pthread_cond_wait(&vd_p11.idle, &vd_p11.lock);
    if (vd_p11_ready()) {
        pthread_mutex_unlock(&vd_p11.lock);
        return CKR_CRYPTOKI_ALREADY_INITIALIZED;
    }
    status = vd_p11_service_start();
    __atomic_store_n(&vd_p11.initialized, status == VD_OK, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&vd_p11.lock);
    return vd_p11_rv(status);
}

CK_RV C_Finalize(void *reserved)
{
    if (reserved != NULL)
        return CKR_ARGUMENTS_BAD;
    pthread_mutex_lock(&vd_p11.lock);
    if (!vd_p11_ready()) {
        pthread_mutex_unlock(&vd_p11.lock);
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    }
    /* Nobody begins anything any more; who has begun uses what ends here. */
    __atomic_store_n(&vd_p11.initialized, false, __ATOMIC_RELEASE);
    vd_p11.ending = true;
    while (vd_p11.working != 0)
        pthread_cond_wait(&vd_p11.idle, &vd_p11.lock);
    pthread_mutex_unlock(&vd_p11.lock);
    vd_p11_session_end_all();
    vd_p11_sessions_done();
    vd_p11_objects_done();
    vd_p11_service_end();
    pthread_mutex_lock(&vd_p11.lock);
    vd_p11.ending = false;
    pthread_cond_broadcast(&vd_p11.idle);
    pthread_mutex_unlock(&vd_p11.lock);
    return CKR_OK;
}

/* A field of fixed size, padded with blanks and without NUL. */
static void pad(CK_UTF8CHAR *field, size_t size, const char *text)
{
    size_t used = strlen(text);

    memset(field, ' ', size);
    vd_copy(field, text, used < size ? used : size);
}

static const CK_VERSION module_version = {1, 0};

CK_RV C_GetInfo(CK_INFO *info)
{
    if (!vd_p11_ready())
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    if (info == NULL)
        return CKR_ARGUMENTS_BAD;
    *info = (CK_INFO){.cryptokiVersion = {3, 2}, .libraryVersion = module_version};
    pad(info->manufacturerID, sizeof(info->manufacturerID), "Veridian");
    pad(info->libraryDescription, sizeof(info->libraryDescription), "Veridian key service");
    return CKR_OK;
}

static bool is_present(void)
{
    bool present;

    if (!vd_p11_work())
        return false;
    present = vd_p11_service_present();
    vd_p11_rest();
    return present;
}

CK_RV C_GetSlotList(CK_BBOOL present, CK_SLOT_ID *list, CK_ULONG *count)
{
    CK_ULONG there;

    if (!vd_p11_ready())
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    if (count == NULL)
        return CKR_ARGUMENTS_BAD;
    there = !present || is_present() ? 1 : 0;
    if (list != NULL && *count < there) {
        *count = there;
        return CKR_BUFFER_TOO_SMALL;
    }
    if (list != NULL && there != 0)
        list[0] = VD_P11_SLOT;
    *count = there;
    return CKR_OK;
}

static CK_RV check_slot(CK_SLOT_ID slot, const void *out)
{
    if (!vd_p11_ready())
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    if (slot != VD_P11_SLOT)
        return CKR_SLOT_ID_INVALID;
    return out != NULL ? CKR_OK : CKR_ARGUMENTS_BAD;
}

CK_RV C_GetSlotInfo(CK_SLOT_ID slot, CK_SLOT_INFO *info)
{
    CK_RV rv = check_slot(slot, info);

    if (rv != CKR_OK)
        return rv;
    *info = (CK_SLOT_INFO){.flags = is_present() ? CKF_TOKEN_PRESENT : 0,
                           .hardwareVersion = module_version,
                           .firmwareVersion = module_version};
    pad(info->slotDescription, sizeof(info->slotDescription), "Veridian key service");
    pad(info->manufacturerID, sizeof(info->manufacturerID), "Veridian");
    return CKR_OK;
}

CK_RV C_GetTokenInfo(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
    CK_RV rv = check_slot(slot, info);

    if (rv != CKR_OK)
        return rv;
    if (!is_present())
        return CKR_TOKEN_NOT_PRESENT;
    *info = (CK_TOKEN_INFO){
        .flags = CKF_RNG | CKF_TOKEN_INITIALIZED | CKF_USER_PIN_INITIALIZED |
                 CKF_PROTECTED_AUTHENTICATION_PATH,
        .ulMaxSessionCount = VD_P11_SESSIONS_MAX,
        .ulSessionCount = CK_UNAVAILABLE_INFORMATION,
        .ulMaxRwSessionCount = VD_P11_SESSIONS_MAX,
        .ulRwSessionCount = CK_UNAVAILABLE_INFORMATION,
        .ulMaxPinLen = 255,
        .ulTotalPublicMemory = CK_UNAVAILABLE_INFORMATION,
        .ulFreePublicMemory = CK_UNAVAILABLE_INFORMATION,
        .ulTotalPrivateMemory = CK_UNAVAILABLE_INFORMATION,
        .ulFreePrivateMemory = CK_UNAVAILABLE_INFORMATION,
        .hardwareVersion = module_version,
        .firmwareVersion = module_version,
    };
    pad(info->label, sizeof(info->label), "veridian");
    pad(info->manufacturerID, sizeof(info->manufacturerID), "Veridian");
    pad(info->model, sizeof(info->model), "key service");
    pad(info->serialNumber, sizeof(info->serialNumber), "1");
    memset(info->utcTime, ' ', sizeof(info->utcTime));
    return CKR_OK;
}

CK_RV C_WaitForSlotEvent(CK_FLAGS flags, CK_SLOT_ID *slot, void *reserved)
{
    (void)flags;
    if (!vd_p11_ready())
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    if (slot == NULL || reserved != NULL)
        return CKR_ARGUMENTS_BAD;
    /* The slot is always there; nothing ever happens to it. */
    return (flags & CKF_DONT_BLOCK) != 0 ? CKR_NO_EVENT : CKR_FUNCTION_NOT_SUPPORTED;
}

CK_RV C_SeedRandom(CK_SESSION_HANDLE session, CK_BYTE *seed, CK_ULONG seed_len)
{
    struct vd_p11_session *s;
    CK_RV rv = vd_p11_enter(session, &s);

    (void)seed;
    (void)seed_len;
    return rv != CKR_OK ? rv : vd_p11_leave(s, CKR_RANDOM_SEED_NOT_SUPPORTED);
}

CK_RV C_GenerateRandom(CK_SESSION_HANDLE session, CK_BYTE *out, CK_ULONG size)
{
    struct vd_p11_session *s;
    CK_RV rv = vd_p11_enter(session, &s);

    if (rv != CKR_OK)
        return rv;
    if ((out == NULL && size != 0) || size > VD_P11_DATA_MAX)
        return vd_p11_leave(s, CKR_ARGUMENTS_BAD);
    return vd_p11_leave(s, vd_p11_rv(vd_p11_service_random(out, size)));
}
