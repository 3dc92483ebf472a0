/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The fake module: its functions, sessions and faults. */
#include "tests/support/fake_pkcs11.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#define PIN        "1234"
#define HANDLE     100u /* handles of one generation of sessions */
#define PUBLIC     __attribute__((visibility("default")))
#define ATTRIBUTES 16u

PUBLIC struct fake_control fake_control;

static struct {
    bool initialized, open, logged_in, finding;
    CK_ULONG generation; /* of sessions: handles of an earlier one are void */
    CK_ULONG found;      /* the next object that a search looks at */
    CK_ATTRIBUTE wanted[ATTRIBUTES];
    CK_BYTE values[ATTRIBUTES][256];
    CK_ULONG wanted_count;
    struct fake_work work;
} state;

/* ---- Faults ---- */

static bool due(enum fake_fault fault)
{
    struct fake_control *c = &fake_control;
    bool now =
        c->fault == fault && c->at > 0 && (c->onwards ? c->calls >= c->at : c->calls == c->at);

    c->hit = c->hit || now;
    return now;
}

static void lose_sessions(void)
{
    state.open = state.logged_in = state.finding = false;
    state.generation++;
    for (int i = 0; i < FAKE_OBJECTS; i++)
        fake_objects[i].used = fake_objects[i].used && !fake_objects[i].session;
}

PUBLIC void fake_reset(uint32_t keep);

void fake_reset(uint32_t keep)
{
    lose_sessions();
    for (uint32_t i = keep; i < FAKE_OBJECTS; i++) {
        EVP_PKEY_free(fake_objects[i].pkey);
        memset(&fake_objects[i], 0, sizeof(fake_objects[i]));
    }
    memset(&fake_control, 0, sizeof(fake_control));
}

/* Counts the call; what it fails with, or CKR_OK. */
static CK_RV enter(void)
{
    fake_control.calls++;
    return due(FAKE_RESULT) ? fake_control.rv : CKR_OK;
}

static CK_RV enter_session(CK_SESSION_HANDLE session)
{
    CK_RV rv = enter();

    if (rv != CKR_OK)
        return rv;
    if (fake_control.removed) {
        lose_sessions();
        return CKR_DEVICE_REMOVED;
    }
    if (due(FAKE_LOST)) {
        lose_sessions();
        return fake_control.rv;
    }
    return state.open && session == state.generation ? CKR_OK : CKR_SESSION_HANDLE_INVALID;
}

/* What comes out of a call, with the fault that is due. */
static void leave(void *bytes, CK_ULONG size, CK_ULONG *ret_size)
{
    if (due(FAKE_BYTES) && bytes != NULL) {
        for (CK_ULONG i = 0; i < size; i++)
            ((CK_BYTE *)bytes)[i] ^= 0xff;
    }
    if (due(FAKE_SIZE) && ret_size != NULL)
        *ret_size = fake_control.size;
}

/* Whether the call ends with the loss of every session, its work done. */
static bool lost_late(void)
{
    if (!due(FAKE_LATE))
        return false;
    lose_sessions();
    return true;
}

#define ENTER(call)        \
    do {                   \
        CK_RV rv_ = call;  \
        if (rv_ != CKR_OK) \
            return rv_;    \
    } while (0)

/* ---- Module and slot ---- */

static CK_RV initialize(void *args)
{
    ENTER(enter());
    if (state.initialized)
        return CKR_CRYPTOKI_ALREADY_INITIALIZED;
    state.initialized = true;
    return CKR_OK;
}

static CK_RV finalize(void *reserved)
{
    ENTER(enter());
    lose_sessions();
    state.initialized = false;
    return CKR_OK;
}

static void pad(CK_UTF8CHAR *field, size_t size, const char *text)
{
    memset(field, ' ', size);
    memcpy(field, text, strlen(text));
}

static CK_RV get_info(CK_INFO *info)
{
    ENTER(enter());
    memset(info, 0, sizeof(*info));
    pad(info->manufacturerID, 32, "Veridian's tests");
    pad(info->libraryDescription, 32, "fails on demand");
    leave(info, sizeof(*info), NULL);
    return CKR_OK;
}

static CK_RV get_slot_list(CK_BBOOL present, CK_SLOT_ID *list, CK_ULONG *count)
{
    ENTER(enter());
    if (list != NULL)
        list[0] = 7;
    *count = 1;
    leave(list, list != NULL ? sizeof(*list) : 0, count);
    return CKR_OK;
}

static CK_RV get_slot_info(CK_SLOT_ID slot, CK_SLOT_INFO *info)
{
    ENTER(enter());
    if (slot != 7)
        return CKR_SLOT_ID_INVALID;
    memset(info, 0, sizeof(*info));
    pad(info->slotDescription, 64, "fake slot");
    info->flags = fake_control.removed ? 0 : CKF_TOKEN_PRESENT;
    leave(info->slotDescription, 64, NULL);
    return CKR_OK;
}

static CK_RV get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
    ENTER(enter());
    memset(info, 0, sizeof(*info));
    pad(info->label, 32, "fake");
    pad(info->manufacturerID, 32, "Veridian");
    pad(info->model, 16, "none");
    pad(info->serialNumber, 16, fake_control.other_token ? "2" : "1");
    info->flags = CKF_USER_PIN_INITIALIZED | CKF_LOGIN_REQUIRED | CKF_TOKEN_INITIALIZED;
    leave(info, sizeof(*info), NULL);
    return CKR_OK;
}

static const CK_MECHANISM_TYPE types[] = {
    CKM_RSA_PKCS,        CKM_RSA_PKCS_PSS, CKM_RSA_PKCS_OAEP, CKM_RSA_PKCS_KEY_PAIR_GEN,
    CKM_EC_KEY_PAIR_GEN, CKM_ECDSA,        CKM_ECDH1_DERIVE,  CKM_AES_KEY_GEN,
    CKM_AES_GCM,         CKM_AES_KEY_WRAP, 0x80001234ul,
};

#define TYPES (sizeof(types) / sizeof(types[0]))

static CK_RV get_mechanism_list(CK_SLOT_ID slot, CK_MECHANISM_TYPE *list, CK_ULONG *count)
{
    ENTER(enter());
    if (list != NULL)
        memcpy(list, types, sizeof(types));
    *count = TYPES;
    leave(list, list != NULL ? sizeof(types) : 0, count);
    return CKR_OK;
}

static CK_RV get_mechanism_info(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *info)
{
    ENTER(enter());
    *info = (CK_MECHANISM_INFO){.ulMinKeySize = 0, .ulMaxKeySize = 4096, .flags = ~0ul};
    leave(info, sizeof(*info), NULL);
    return CKR_OK;
}

/* ---- Sessions ---- */

static CK_RV open_session(CK_SLOT_ID slot, CK_FLAGS flags, void *app, CK_NOTIFY notify,
                          CK_SESSION_HANDLE *ret)
{
    ENTER(enter());
    if (!state.initialized)
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    if (fake_control.removed)
        return CKR_TOKEN_NOT_PRESENT;
    state.generation++;
    state.open = true;
    *ret = state.generation;
    return CKR_OK;
}

static CK_RV close_session(CK_SESSION_HANDLE session)
{
    ENTER(enter_session(session));
    lose_sessions();
    return CKR_OK;
}

static CK_RV login(CK_SESSION_HANDLE session, CK_USER_TYPE who, CK_UTF8CHAR *pin, CK_ULONG size)
{
    ENTER(enter_session(session));
    fake_control.logins++;
    if (fake_control.other_pin || size != strlen(PIN) || memcmp(pin, PIN, size) != 0)
        return CKR_PIN_INCORRECT;
    state.logged_in = true;
    return CKR_OK;
}

static CK_RV logout(CK_SESSION_HANDLE session)
{
    ENTER(enter_session(session));
    state.logged_in = false;
    return CKR_OK;
}

/* ---- Objects ---- */

static struct fake_object *object_of(CK_OBJECT_HANDLE handle)
{
    CK_ULONG i = handle % HANDLE;

    if (handle / HANDLE != state.generation || i == 0 || i > FAKE_OBJECTS ||
        !fake_objects[i - 1].used)
        return NULL;
    return &fake_objects[i - 1];
}

static CK_OBJECT_HANDLE handle_of(const struct fake_object *o)
{
    return state.generation * HANDLE + (CK_ULONG)(o - fake_objects) + 1;
}

static CK_RV create_object(CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG count,
                           CK_OBJECT_HANDLE *ret)
{
    struct fake_object *o;

    ENTER(enter_session(session));
    o = fake_new(template, count);
    if (o == NULL)
        return CKR_DEVICE_MEMORY;
    *ret = handle_of(o);
    leave(ret, sizeof(*ret), NULL);
    return CKR_OK;
}

static CK_RV destroy_object(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE handle)
{
    struct fake_object *o;

    ENTER(enter_session(session));
    o = object_of(handle);
    if (o == NULL)
        return CKR_OBJECT_HANDLE_INVALID;
    EVP_PKEY_free(o->pkey);
    memset(o, 0, sizeof(*o));
    return CKR_OK;
}

static CK_RV get_attribute_value(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE handle,
                                 CK_ATTRIBUTE *template, CK_ULONG count)
{
    CK_BYTE value[300];
    struct fake_object *o;
    CK_ULONG size;

    ENTER(enter_session(session));
    o = object_of(handle);
    if (o == NULL)
        return CKR_OBJECT_HANDLE_INVALID;
    size = fake_attribute(o, template->type, value);
    if (size == CK_UNAVAILABLE_INFORMATION) {
        template->ulValueLen = size;
        return template->type == CKA_VALUE || template->type == CKA_PRIVATE_EXPONENT
                   ? CKR_ATTRIBUTE_SENSITIVE
                   : CKR_ATTRIBUTE_TYPE_INVALID;
    }
    if (template->pValue != NULL && template->ulValueLen < size)
        return CKR_BUFFER_TOO_SMALL;
    if (template->pValue != NULL)
        memcpy(template->pValue, value, size);
    template->ulValueLen = size;
    leave(template->pValue, size, &template->ulValueLen);
    return CKR_OK;
}

static CK_RV find_objects_init(CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG count)
{
    ENTER(enter_session(session));
    if (state.finding)
        return CKR_OPERATION_ACTIVE;
    for (CK_ULONG i = 0; i < count; i++) {
        state.wanted[i] = template[i];
        memcpy(state.values[i], template[i].pValue, template[i].ulValueLen);
    }
    state.wanted_count = count;
    state.found = 0;
    state.finding = true;
    return CKR_OK;
}

static bool fits(const struct fake_object *o)
{
    CK_BYTE value[300];
    bool hidden = o->class == CKO_PRIVATE_KEY || (o->class == CKO_SECRET_KEY && !o->session);

    if (!o->used || (hidden && !state.logged_in))
        return false;
    for (CK_ULONG i = 0; i < state.wanted_count; i++) {
        const CK_ATTRIBUTE *a = &state.wanted[i];

        if (fake_attribute(o, a->type, value) != a->ulValueLen ||
            memcmp(value, state.values[i], a->ulValueLen) != 0)
            return false;
    }
    return true;
}

static CK_RV find_objects(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *list, CK_ULONG max,
                          CK_ULONG *count)
{
    CK_ULONG n = 0;

    ENTER(enter_session(session));
    for (; state.found < FAKE_OBJECTS && n < max; state.found++) {
        if (fits(&fake_objects[state.found]))
            list[n++] = handle_of(&fake_objects[state.found]);
    }
    *count = n;
    leave(list, n * sizeof(*list), count);
    return CKR_OK;
}

static CK_RV find_objects_final(CK_SESSION_HANDLE session)
{
    ENTER(enter_session(session));
    state.finding = false;
    return CKR_OK;
}

/* ---- Operations ---- */

static CK_RV begin(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    const CK_GCM_PARAMS *gcm = mechanism->pParameter;

    ENTER(enter_session(session));
    state.work = (struct fake_work){.type = mechanism->mechanism, .key = object_of(key)};
    if (state.work.key == NULL)
        return CKR_KEY_HANDLE_INVALID;
    if (mechanism->mechanism == CKM_AES_GCM) {
        memcpy(state.work.iv, gcm->pIv, gcm->ulIvLen);
        if (gcm->ulAADLen > 0)
            memcpy(state.work.aad, gcm->pAAD, state.work.aad_size = gcm->ulAADLen);
    }
    return CKR_OK;
}

static CK_RV sign(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG n, CK_BYTE *out, CK_ULONG *size)
{
    ENTER(enter_session(session));
    ENTER(fake_sign(&state.work, in, n, out, size));
    leave(out, *size, size);
    return CKR_OK;
}

static CK_RV verify(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG n, CK_BYTE *sig, CK_ULONG size)
{
    ENTER(enter_session(session));
    return fake_verify(&state.work, in, n, sig, size);
}

static CK_RV encrypt(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG n, CK_BYTE *out,
                     CK_ULONG *size)
{
    ENTER(enter_session(session));
    ENTER(fake_cipher(&state.work, (struct fake_input){in, n, true}, out, size));
    leave(out, *size, size);
    return CKR_OK;
}

static CK_RV decrypt(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG n, CK_BYTE *out,
                     CK_ULONG *size)
{
    ENTER(enter_session(session));
    ENTER(fake_cipher(&state.work, (struct fake_input){in, n, false}, out, size));
    leave(out, *size, size);
    return CKR_OK;
}

static CK_RV generate_key(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
                          CK_ATTRIBUTE *template, CK_ULONG count, CK_OBJECT_HANDLE *ret)
{
    struct fake_object *o;

    ENTER(enter_session(session));
    o = fake_new(template, count);
    if (o == NULL)
        return CKR_DEVICE_MEMORY;
    o->class = CKO_SECRET_KEY;
    o->type = CKK_AES;
    o->value_size = 32;
    RAND_bytes(o->value, 32);
    if (lost_late())
        return CKR_SESSION_CLOSED;
    *ret = handle_of(o);
    leave(ret, sizeof(*ret), NULL);
    return CKR_OK;
}

static CK_RV generate_key_pair(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
                               CK_ATTRIBUTE *public, CK_ULONG public_count, CK_ATTRIBUTE *private,
                               CK_ULONG private_count, CK_OBJECT_HANDLE *ret_public,
                               CK_OBJECT_HANDLE *ret_private)
{
    struct fake_object *a, *b;

    ENTER(enter_session(session));
    a = fake_new(public, public_count);
    b = fake_new(private, private_count);
    if (a == NULL || b == NULL)
        return CKR_DEVICE_MEMORY;
    a->class = CKO_PUBLIC_KEY;
    b->class = CKO_PRIVATE_KEY;
    a->type = b->type = mechanism->mechanism == CKM_RSA_PKCS_KEY_PAIR_GEN ? CKK_RSA : CKK_EC;
    if (!fake_generate_pair(a, b))
        return CKR_FUNCTION_FAILED;
    if (lost_late())
        return CKR_SESSION_CLOSED;
    *ret_public = handle_of(a);
    *ret_private = handle_of(b);
    return CKR_OK;
}

static CK_RV wrap_key(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE by,
                      CK_OBJECT_HANDLE key, CK_BYTE *out, CK_ULONG *size)
{
    const struct fake_object *kek = object_of(by), *inner = object_of(key);

    ENTER(enter_session(session));
    if (kek == NULL || inner == NULL)
        return CKR_KEY_HANDLE_INVALID;
    ENTER(
        fake_key_wrap(kek, (struct fake_input){inner->value, inner->value_size, true}, out, size));
    leave(out, *size, size);
    return CKR_OK;
}

static CK_RV unwrap_key(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE by,
                        CK_BYTE *in, CK_ULONG n, CK_ATTRIBUTE *template, CK_ULONG count,
                        CK_OBJECT_HANDLE *ret)
{
    const struct fake_object *kek = object_of(by);
    struct fake_object *o;
    CK_BYTE value[128];
    CK_ULONG size = 0;

    ENTER(enter_session(session));
    if (kek == NULL)
        return CKR_UNWRAPPING_KEY_HANDLE_INVALID;
    ENTER(fake_key_wrap(kek, (struct fake_input){in, n, false}, value, &size));
    o = fake_new(template, count);
    if (o == NULL)
        return CKR_DEVICE_MEMORY;
    memcpy(o->value, value, o->value_size = size);
    *ret = handle_of(o);
    leave(ret, sizeof(*ret), NULL);
    return CKR_OK;
}

static CK_RV derive_key(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE base,
                        CK_ATTRIBUTE *template, CK_ULONG count, CK_OBJECT_HANDLE *ret)
{
    const CK_ECDH1_DERIVE_PARAMS *p = mechanism->pParameter;
    const struct fake_object *key = object_of(base);
    struct fake_object *o;

    ENTER(enter_session(session));
    if (key == NULL)
        return CKR_KEY_HANDLE_INVALID;
    o = fake_new(template, count);
    if (o == NULL)
        return CKR_DEVICE_MEMORY;
    o->value_size = 32;
    ENTER(fake_ecdh(key, p->pPublicData, p->ulPublicDataLen, o->value));
    *ret = handle_of(o);
    leave(ret, sizeof(*ret), NULL);
    return CKR_OK;
}

static CK_FUNCTION_LIST functions = {
    .version = {2, 40},
    .C_Initialize = initialize,
    .C_Finalize = finalize,
    .C_GetInfo = get_info,
    .C_GetSlotList = get_slot_list,
    .C_GetSlotInfo = get_slot_info,
    .C_GetTokenInfo = get_token_info,
    .C_GetMechanismList = get_mechanism_list,
    .C_GetMechanismInfo = get_mechanism_info,
    .C_OpenSession = open_session,
    .C_CloseSession = close_session,
    .C_Login = login,
    .C_Logout = logout,
    .C_CreateObject = create_object,
    .C_DestroyObject = destroy_object,
    .C_GetAttributeValue = get_attribute_value,
    .C_FindObjectsInit = find_objects_init,
    .C_FindObjects = find_objects,
    .C_FindObjectsFinal = find_objects_final,
    .C_EncryptInit = begin,
    .C_Encrypt = encrypt,
    .C_DecryptInit = begin,
    .C_Decrypt = decrypt,
    .C_SignInit = begin,
    .C_Sign = sign,
    .C_VerifyInit = begin,
    .C_Verify = verify,
    .C_GenerateKey = generate_key,
    .C_GenerateKeyPair = generate_key_pair,
    .C_WrapKey = wrap_key,
    .C_UnwrapKey = unwrap_key,
    .C_DeriveKey = derive_key,
};

PUBLIC CK_RV C_GetFunctionList(CK_FUNCTION_LIST **ret)
{
    *ret = &functions;
    return CKR_OK;
}
