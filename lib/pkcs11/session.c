/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Sessions: a table by handle. Handles are not used again soon: a stale one names nothing. */
#include "lib/pkcs11/internal.h"

#include <stdlib.h>

#include "lib/pkcs11/functions.h"

#define INDEX_BITS 16u
#define INDEX_MASK ((1u << INDEX_BITS) - 1)

static struct vd_p11_session *find(CK_SESSION_HANDLE handle)
{
    uint32_t index = (uint32_t)(handle & INDEX_MASK);
    struct vd_p11_session *s = index < vd_p11.session_room ? vd_p11.sessions[index] : NULL;

    return s != NULL && s->handle == handle ? s : NULL;
}

CK_RV vd_p11_enter(CK_SESSION_HANDLE handle, struct vd_p11_session **ret)
{
    struct vd_p11_session *s;

    if (!vd_p11_ready())
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    pthread_mutex_lock(&vd_p11.lock);
    s = vd_p11_ready() ? find(handle) : NULL;
    if (s != NULL) {
        s->refs++;
        vd_p11.working++;
    }
    pthread_mutex_unlock(&vd_p11.lock);
    if (s == NULL)
        return CKR_SESSION_HANDLE_INVALID;
    pthread_mutex_lock(&s->lock);
    if (s->closed)
        return vd_p11_leave(s, CKR_SESSION_HANDLE_INVALID);
    *ret = s;
    return CKR_OK;
}

static void destroy(struct vd_p11_session *s)
{
    for (unsigned i = 0; i < VD_P11_KINDS; i++)
        vd_p11_op_end(s, i);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static void put(struct vd_p11_session *s)
{
    bool last;

    pthread_mutex_lock(&vd_p11.lock);
    last = --s->refs == 0;
    pthread_mutex_unlock(&vd_p11.lock);
    if (last)
        destroy(s);
}

CK_RV vd_p11_leave(struct vd_p11_session *session, CK_RV rv)
{
    bool last;

    pthread_mutex_unlock(&session->lock);
    pthread_mutex_lock(&vd_p11.lock);
    last = --session->refs == 0;
    if (!last)
        vd_p11_rest_locked();
    pthread_mutex_unlock(&vd_p11.lock);
    if (last) { /* closed in the meantime; what it holds needs the client */
        destroy(session);
        vd_p11_rest();
    }
    return rv;
}

/* A free place in the table, which grows; false: there is none. */
static bool find_place(uint32_t *ret)
{
    uint32_t room = vd_p11.session_room;
    struct vd_p11_session **grown;

    for (uint32_t i = 0; i < room; i++) {
        uint32_t index = (vd_p11.free_hint + i) % room;
        if (vd_p11.sessions[index] != NULL)
            continue;
        vd_p11.free_hint = index + 1;
        *ret = index;
        return true;
    }
    if (room >= VD_P11_SESSIONS_MAX)
        return false;
    grown = realloc(vd_p11.sessions, (room != 0 ? room * 2 : 16) * sizeof(*grown));
    if (grown == NULL)
        return false;
    vd_p11.sessions = grown;
    vd_p11.session_room = room != 0 ? room * 2 : 16;
    for (uint32_t i = room; i < vd_p11.session_room; i++)
        grown[i] = NULL;
    vd_p11.free_hint = room + 1;
    *ret = room;
    return true;
}

CK_RV C_OpenSession(CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify,
                    CK_SESSION_HANDLE *ret)
{
    struct vd_p11_session *s;
    uint32_t index;

    (void)application;
    (void)notify;
    if (!vd_p11_ready())
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    if (slot != VD_P11_SLOT)
        return CKR_SLOT_ID_INVALID;
    if (ret == NULL)
        return CKR_ARGUMENTS_BAD;
    if ((flags & CKF_SERIAL_SESSION) == 0)
        return CKR_SESSION_PARALLEL_NOT_SUPPORTED;
    s = calloc(1, sizeof(*s));
    if (s == NULL)
        return CKR_HOST_MEMORY;
    pthread_mutex_init(&s->lock, NULL);
    s->flags = flags & (CKF_SERIAL_SESSION | CKF_RW_SESSION);
    s->refs = 1;
    pthread_mutex_lock(&vd_p11.lock);
    if (!vd_p11_ready() || !find_place(&index)) {
        CK_RV rv = vd_p11_ready() ? CKR_SESSION_COUNT : CKR_CRYPTOKI_NOT_INITIALIZED;
        pthread_mutex_unlock(&vd_p11.lock);
        destroy(s);
        return rv;
    }
    if (++vd_p11.session_serial == 0)
        vd_p11.session_serial = 1;
    s->handle = ((CK_SESSION_HANDLE)vd_p11.session_serial << INDEX_BITS) | index;
    vd_p11.sessions[index] = s;
    vd_p11.session_count++;
    *ret = s->handle;
    pthread_mutex_unlock(&vd_p11.lock);
    return CKR_OK;
}

/* Takes the session out of the table; whoever is in it finishes first. Under vd_p11.lock. */
static void take_out(struct vd_p11_session *s)
{
    vd_p11.sessions[s->handle & INDEX_MASK] = NULL;
    vd_p11.session_count--;
    if (vd_p11.session_count == 0)
        vd_p11.logged_in = false;
}

static void close_one(struct vd_p11_session *s)
{
    CK_SESSION_HANDLE handle = s->handle;

    pthread_mutex_lock(&s->lock);
    s->closed = true;
    pthread_mutex_unlock(&s->lock);
    put(s);
    vd_p11_objects_of_session(handle);
}

CK_RV C_CloseSession(CK_SESSION_HANDLE session)
{
    struct vd_p11_session *s;

    if (!vd_p11_work())
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    pthread_mutex_lock(&vd_p11.lock);
    s = find(session);
    if (s != NULL)
        take_out(s);
    pthread_mutex_unlock(&vd_p11.lock);
    if (s != NULL)
        close_one(s);
    vd_p11_rest();
    return s != NULL ? CKR_OK : CKR_SESSION_HANDLE_INVALID;
}

void vd_p11_session_end_all(void)
{
    for (uint32_t i = 0;; i++) {
        struct vd_p11_session *s = NULL;
        pthread_mutex_lock(&vd_p11.lock);
        while (i < vd_p11.session_room && vd_p11.sessions[i] == NULL)
            i++;
        if (i < vd_p11.session_room) {
            s = vd_p11.sessions[i];
            take_out(s);
        }
        pthread_mutex_unlock(&vd_p11.lock);
        if (s == NULL)
            return;
        close_one(s);
    }
}

CK_RV C_CloseAllSessions(CK_SLOT_ID slot)
{
    if (!vd_p11_work())
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    if (slot == VD_P11_SLOT)
        vd_p11_session_end_all();
    vd_p11_rest();
    return slot == VD_P11_SLOT ? CKR_OK : CKR_SLOT_ID_INVALID;
}

static CK_STATE state_of(const struct vd_p11_session *s)
{
    bool rw = (s->flags & CKF_RW_SESSION) != 0, logged_in;

    pthread_mutex_lock(&vd_p11.lock);
    logged_in = vd_p11.logged_in;
    pthread_mutex_unlock(&vd_p11.lock);
    if (!logged_in)
        return rw ? CKS_RW_PUBLIC_SESSION : CKS_RO_PUBLIC_SESSION;
    return rw ? CKS_RW_USER_FUNCTIONS : CKS_RO_USER_FUNCTIONS;
}

CK_RV C_GetSessionInfo(CK_SESSION_HANDLE session, CK_SESSION_INFO *info)
{
    struct vd_p11_session *s;
    CK_RV rv = vd_p11_enter(session, &s);

    if (rv != CKR_OK)
        return rv;
    if (info == NULL)
        return vd_p11_leave(s, CKR_ARGUMENTS_BAD);
    *info = (CK_SESSION_INFO){.slotID = VD_P11_SLOT, .state = state_of(s), .flags = s->flags};
    return vd_p11_leave(s, CKR_OK);
}

/*
 * The service knows its caller from the kernel and asks for no PIN: what is passed is not looked
 * at. Applications that insist on logging in find themselves logged in.
 */
CK_RV C_Login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG pin_len)
{
    struct vd_p11_session *s;
    CK_RV rv = vd_p11_enter(session, &s);

    (void)pin;
    (void)pin_len;
    if (rv != CKR_OK)
        return rv;
    if (user != CKU_USER)
        return vd_p11_leave(s, user == CKU_SO                 ? CKR_USER_PIN_NOT_INITIALIZED
                               : user == CKU_CONTEXT_SPECIFIC ? CKR_OPERATION_NOT_INITIALIZED
                                                              : CKR_USER_TYPE_INVALID);
    pthread_mutex_lock(&vd_p11.lock);
    rv = vd_p11.logged_in ? CKR_USER_ALREADY_LOGGED_IN : CKR_OK;
    vd_p11.logged_in = true;
    pthread_mutex_unlock(&vd_p11.lock);
    return vd_p11_leave(s, rv);
}

CK_RV C_LoginUser(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG pin_len,
                  CK_UTF8CHAR *name, CK_ULONG name_len)
{
    (void)name;
    (void)name_len;
    return C_Login(session, user, pin, pin_len);
}

CK_RV C_Logout(CK_SESSION_HANDLE session)
{
    struct vd_p11_session *s;
    CK_RV rv = vd_p11_enter(session, &s);

    if (rv != CKR_OK)
        return rv;
    pthread_mutex_lock(&vd_p11.lock);
    rv = vd_p11.logged_in ? CKR_OK : CKR_USER_NOT_LOGGED_IN;
    vd_p11.logged_in = false;
    pthread_mutex_unlock(&vd_p11.lock);
    return vd_p11_leave(s, rv);
}

#define CANCEL_TABLE(X)                               \
    X(CKF_ENCRYPT, VD_P11_ENCRYPT)                    \
    X(CKF_DECRYPT, VD_P11_DECRYPT)                    \
    X(CKF_SIGN, VD_P11_SIGN)                          \
    X(CKF_VERIFY, VD_P11_VERIFY)                      \
    X(CKF_DIGEST, VD_P11_DIGEST)                      \
    X(VD_CKF_FIND_OBJECTS, VD_P11_FIND)               \
    X(VD_CKF_MESSAGE_ENCRYPT, VD_P11_MESSAGE_ENCRYPT) \
    X(VD_CKF_MESSAGE_DECRYPT, VD_P11_MESSAGE_DECRYPT)

CK_RV C_SessionCancel(CK_SESSION_HANDLE session, CK_FLAGS flags)
{
    struct vd_p11_session *s;
    CK_RV rv = vd_p11_enter(session, &s);

    if (rv != CKR_OK)
        return rv;
#define CANCEL(flag, kind)     \
    if ((flags & (flag)) != 0) \
        vd_p11_op_end(s, kind);
    CANCEL_TABLE(CANCEL)
#undef CANCEL
    return vd_p11_leave(s, CKR_OK);
}

void vd_p11_sessions_done(void)
{
    free(vd_p11.sessions);
    vd_p11.sessions = NULL;
    vd_p11.session_room = vd_p11.free_hint = 0;
}
