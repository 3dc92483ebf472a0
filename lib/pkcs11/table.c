/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The lists of functions by which applications reach the module. */
#include <string.h>

#include "lib/pkcs11/functions.h"
#include "lib/pkcs11/internal.h"

/* What the module does not have answers so, whatever its arguments. */
#define ABSENT(name, ...)                                                                  \
    static CK_RV absent_##name(__VA_ARGS__)                                                \
    {                                                                                      \
        return vd_p11_ready() ? CKR_FUNCTION_NOT_SUPPORTED : CKR_CRYPTOKI_NOT_INITIALIZED; \
    }

#define SESSION CK_SESSION_HANDLE session
#define IN(n)   CK_BYTE *in##n, CK_ULONG in_len##n
#define OUT     CK_BYTE *out, CK_ULONG *out_len

ABSENT(C_InitToken, CK_SLOT_ID slot, CK_UTF8CHAR *pin, CK_ULONG pin_len, CK_UTF8CHAR *label)
ABSENT(C_InitPIN, SESSION, CK_UTF8CHAR *pin, CK_ULONG pin_len)
ABSENT(C_SetPIN, SESSION, CK_UTF8CHAR *old, CK_ULONG old_len, CK_UTF8CHAR *pin, CK_ULONG pin_len)
ABSENT(C_GetOperationState, SESSION, OUT)
ABSENT(C_SetOperationState, SESSION, IN(1), CK_OBJECT_HANDLE a, CK_OBJECT_HANDLE b)
ABSENT(C_CopyObject, SESSION, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *template, CK_ULONG count,
       CK_OBJECT_HANDLE *ret)
ABSENT(C_DigestKey, SESSION, CK_OBJECT_HANDLE key)
ABSENT(C_SignRecoverInit, SESSION, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
ABSENT(C_SignRecover, SESSION, IN(1), OUT)
ABSENT(C_VerifyRecoverInit, SESSION, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
ABSENT(C_VerifyRecover, SESSION, IN(1), OUT)
ABSENT(C_DigestEncryptUpdate, SESSION, IN(1), OUT)
ABSENT(C_DecryptDigestUpdate, SESSION, IN(1), OUT)
ABSENT(C_SignEncryptUpdate, SESSION, IN(1), OUT)
ABSENT(C_DecryptVerifyUpdate, SESSION, IN(1), OUT)
ABSENT(C_EncryptMessageBegin, SESSION, void *parameter, CK_ULONG parameter_len, IN(1))
ABSENT(C_EncryptMessageNext, SESSION, void *parameter, CK_ULONG parameter_len, IN(1), OUT,
       CK_FLAGS flags)
ABSENT(C_DecryptMessageBegin, SESSION, void *parameter, CK_ULONG parameter_len, IN(1))
ABSENT(C_DecryptMessageNext, SESSION, void *parameter, CK_ULONG parameter_len, IN(1), OUT,
       CK_FLAGS flags)
ABSENT(C_MessageSignInit, SESSION, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
ABSENT(C_SignMessage, SESSION, void *parameter, CK_ULONG parameter_len, IN(1), OUT)
ABSENT(C_SignMessageBegin, SESSION, void *parameter, CK_ULONG parameter_len)
ABSENT(C_SignMessageNext, SESSION, void *parameter, CK_ULONG parameter_len, IN(1), OUT)
ABSENT(C_MessageSignFinal, SESSION)
ABSENT(C_MessageVerifyInit, SESSION, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
ABSENT(C_VerifyMessage, SESSION, void *parameter, CK_ULONG parameter_len, IN(1), IN(2))
ABSENT(C_VerifyMessageBegin, SESSION, void *parameter, CK_ULONG parameter_len)
ABSENT(C_VerifyMessageNext, SESSION, void *parameter, CK_ULONG parameter_len, IN(1), IN(2))
ABSENT(C_MessageVerifyFinal, SESSION)
ABSENT(C_GetSessionValidationFlags, SESSION, CK_ULONG type, CK_FLAGS *flags)
ABSENT(C_AsyncComplete, SESSION, CK_UTF8CHAR *function, void *result)
ABSENT(C_AsyncGetID, SESSION, CK_UTF8CHAR *function, CK_ULONG *id)
ABSENT(C_AsyncJoin, SESSION, CK_UTF8CHAR *function, CK_ULONG id, IN(1))

/* Left over from version 1: they have no other answer. */
static CK_RV not_parallel(CK_SESSION_HANDLE session)
{
    (void)session;
    return CKR_FUNCTION_NOT_PARALLEL;
}

#define VERSION_2                                                                                  \
    .C_Initialize = C_Initialize, .C_Finalize = C_Finalize, .C_GetInfo = C_GetInfo,                \
    .C_GetFunctionList = C_GetFunctionList, .C_GetSlotList = C_GetSlotList,                        \
    .C_GetSlotInfo = C_GetSlotInfo, .C_GetTokenInfo = C_GetTokenInfo,                              \
    .C_GetMechanismList = C_GetMechanismList, .C_GetMechanismInfo = C_GetMechanismInfo,            \
    .C_InitToken = absent_C_InitToken, .C_InitPIN = absent_C_InitPIN, .C_SetPIN = absent_C_SetPIN, \
    .C_OpenSession = C_OpenSession, .C_CloseSession = C_CloseSession,                              \
    .C_CloseAllSessions = C_CloseAllSessions, .C_GetSessionInfo = C_GetSessionInfo,                \
    .C_GetOperationState = absent_C_GetOperationState,                                             \
    .C_SetOperationState = absent_C_SetOperationState, .C_Login = C_Login, .C_Logout = C_Logout,   \
    .C_CreateObject = C_CreateObject, .C_CopyObject = absent_C_CopyObject,                         \
    .C_DestroyObject = C_DestroyObject, .C_GetObjectSize = C_GetObjectSize,                        \
    .C_GetAttributeValue = C_GetAttributeValue, .C_SetAttributeValue = C_SetAttributeValue,        \
    .C_FindObjectsInit = C_FindObjectsInit, .C_FindObjects = C_FindObjects,                        \
    .C_FindObjectsFinal = C_FindObjectsFinal, .C_EncryptInit = C_EncryptInit,                      \
    .C_Encrypt = C_Encrypt, .C_EncryptUpdate = C_EncryptUpdate, .C_EncryptFinal = C_EncryptFinal,  \
    .C_DecryptInit = C_DecryptInit, .C_Decrypt = C_Decrypt, .C_DecryptUpdate = C_DecryptUpdate,    \
    .C_DecryptFinal = C_DecryptFinal, .C_DigestInit = C_DigestInit, .C_Digest = C_Digest,          \
    .C_DigestUpdate = C_DigestUpdate, .C_DigestKey = absent_C_DigestKey,                           \
    .C_DigestFinal = C_DigestFinal, .C_SignInit = C_SignInit, .C_Sign = C_Sign,                    \
    .C_SignUpdate = C_SignUpdate, .C_SignFinal = C_SignFinal,                                      \
    .C_SignRecoverInit = absent_C_SignRecoverInit, .C_SignRecover = absent_C_SignRecover,          \
    .C_VerifyInit = C_VerifyInit, .C_Verify = C_Verify, .C_VerifyUpdate = C_VerifyUpdate,          \
    .C_VerifyFinal = C_VerifyFinal, .C_VerifyRecoverInit = absent_C_VerifyRecoverInit,             \
    .C_VerifyRecover = absent_C_VerifyRecover,                                                     \
    .C_DigestEncryptUpdate = absent_C_DigestEncryptUpdate,                                         \
    .C_DecryptDigestUpdate = absent_C_DecryptDigestUpdate,                                         \
    .C_SignEncryptUpdate = absent_C_SignEncryptUpdate,                                             \
    .C_DecryptVerifyUpdate = absent_C_DecryptVerifyUpdate, .C_GenerateKey = C_GenerateKey,         \
    .C_GenerateKeyPair = C_GenerateKeyPair, .C_WrapKey = C_WrapKey, .C_UnwrapKey = C_UnwrapKey,    \
    .C_DeriveKey = C_DeriveKey, .C_SeedRandom = C_SeedRandom,                                      \
    .C_GenerateRandom = C_GenerateRandom, .C_GetFunctionStatus = not_parallel,                     \
    .C_CancelFunction = not_parallel, .C_WaitForSlotEvent = C_WaitForSlotEvent

#define VERSION_3                                                                             \
    {                                                                                         \
        .C_GetInterfaceList = C_GetInterfaceList, .C_GetInterface = C_GetInterface,           \
        .C_LoginUser = C_LoginUser, .C_SessionCancel = C_SessionCancel,                       \
        .C_MessageEncryptInit = C_MessageEncryptInit, .C_EncryptMessage = C_EncryptMessage,   \
        .C_EncryptMessageBegin = absent_C_EncryptMessageBegin,                                \
        .C_EncryptMessageNext = absent_C_EncryptMessageNext,                                  \
        .C_MessageEncryptFinal = C_MessageEncryptFinal,                                       \
        .C_MessageDecryptInit = C_MessageDecryptInit, .C_DecryptMessage = C_DecryptMessage,   \
        .C_DecryptMessageBegin = absent_C_DecryptMessageBegin,                                \
        .C_DecryptMessageNext = absent_C_DecryptMessageNext,                                  \
        .C_MessageDecryptFinal = C_MessageDecryptFinal,                                       \
        .C_MessageSignInit = absent_C_MessageSignInit, .C_SignMessage = absent_C_SignMessage, \
        .C_SignMessageBegin = absent_C_SignMessageBegin,                                      \
        .C_SignMessageNext = absent_C_SignMessageNext,                                        \
        .C_MessageSignFinal = absent_C_MessageSignFinal,                                      \
        .C_MessageVerifyInit = absent_C_MessageVerifyInit,                                    \
        .C_VerifyMessage = absent_C_VerifyMessage,                                            \
        .C_VerifyMessageBegin = absent_C_VerifyMessageBegin,                                  \
        .C_VerifyMessageNext = absent_C_VerifyMessageNext,                                    \
        .C_MessageVerifyFinal = absent_C_MessageVerifyFinal                                   \
    }

#define VERSION_32                                                                              \
    {                                                                                           \
        .C_EncapsulateKey = C_EncapsulateKey, .C_DecapsulateKey = C_DecapsulateKey,             \
        .C_VerifySignatureInit = C_VerifySignatureInit, .C_VerifySignature = C_VerifySignature, \
        .C_VerifySignatureUpdate = C_VerifySignatureUpdate,                                     \
        .C_VerifySignatureFinal = C_VerifySignatureFinal,                                       \
        .C_GetSessionValidationFlags = absent_C_GetSessionValidationFlags,                      \
        .C_AsyncComplete = absent_C_AsyncComplete, .C_AsyncGetID = absent_C_AsyncGetID,         \
        .C_AsyncJoin = absent_C_AsyncJoin, .C_WrapKeyAuthenticated = C_WrapKeyAuthenticated,    \
        .C_UnwrapKeyAuthenticated = C_UnwrapKeyAuthenticated                                    \
    }

CK_FUNCTION_LIST vd_p11_functions_2 = {.version = {2, 40}, VERSION_2};
struct vd_ck_function_list_3 vd_p11_functions_30 = {{.version = {3, 0}, VERSION_2}, VERSION_3, {}};
struct vd_ck_function_list_3 vd_p11_functions_32 = {
    {.version = {3, 2}, VERSION_2}, VERSION_3, VERSION_32};

static struct vd_ck_interface interfaces[] = {
    {(CK_UTF8CHAR *)"PKCS 11", &vd_p11_functions_32, 0},
    {(CK_UTF8CHAR *)"PKCS 11", &vd_p11_functions_30, 0},
    {(CK_UTF8CHAR *)"PKCS 11", &vd_p11_functions_2, 0},
};

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **ret)
{
    if (ret == NULL)
        return CKR_ARGUMENTS_BAD;
    *ret = &vd_p11_functions_2;
    return CKR_OK;
}

CK_RV C_GetInterfaceList(struct vd_ck_interface *list, CK_ULONG *count)
{
    if (count == NULL)
        return CKR_ARGUMENTS_BAD;
    if (list != NULL && *count < VD_COUNT(interfaces)) {
        *count = VD_COUNT(interfaces);
        return CKR_BUFFER_TOO_SMALL;
    }
    if (list != NULL)
        memcpy(list, interfaces, sizeof(interfaces));
    *count = VD_COUNT(interfaces);
    return CKR_OK;
}

CK_RV C_GetInterface(CK_UTF8CHAR *name, CK_VERSION *version, struct vd_ck_interface **ret,
                     CK_FLAGS flags)
{
    if (ret == NULL)
        return CKR_ARGUMENTS_BAD;
    for (size_t i = 0; i < VD_COUNT(interfaces); i++) {
        const CK_VERSION *has = interfaces[i].functions; /* every list begins with its version */
        if (name != NULL && strcmp((const char *)name, (const char *)interfaces[i].name) != 0)
            continue;
        if (version != NULL && (version->major != has->major || version->minor != has->minor))
            continue;
        if ((flags & ~interfaces[i].flags) != 0)
            continue;
        *ret = &interfaces[i];
        return CKR_OK;
    }
    return CKR_FUNCTION_FAILED;
}
