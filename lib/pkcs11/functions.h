/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Functions of PKCS#11 3.0 and 3.2 that this module has; those of 2.40 are in the header. */
#ifndef VD_LIB_PKCS11_FUNCTIONS_H
#define VD_LIB_PKCS11_FUNCTIONS_H

#include "lib/pkcs11/cryptoki.h"

CK_RV C_GetInterfaceList(struct vd_ck_interface *list, CK_ULONG *count);
CK_RV C_GetInterface(CK_UTF8CHAR *name, CK_VERSION *version, struct vd_ck_interface **ret,
                     CK_FLAGS flags);
CK_RV C_LoginUser(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG pin_len,
                  CK_UTF8CHAR *name, CK_ULONG name_len);
CK_RV C_SessionCancel(CK_SESSION_HANDLE session, CK_FLAGS flags);

CK_RV C_MessageEncryptInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
                           CK_OBJECT_HANDLE key);
CK_RV C_EncryptMessage(CK_SESSION_HANDLE session, void *parameter, CK_ULONG parameter_len,
                       CK_BYTE *aad, CK_ULONG aad_len, CK_BYTE *text, CK_ULONG text_len,
                       CK_BYTE *out, CK_ULONG *out_len);
CK_RV C_MessageEncryptFinal(CK_SESSION_HANDLE session);
CK_RV C_MessageDecryptInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
                           CK_OBJECT_HANDLE key);
CK_RV C_DecryptMessage(CK_SESSION_HANDLE session, void *parameter, CK_ULONG parameter_len,
                       CK_BYTE *aad, CK_ULONG aad_len, CK_BYTE *text, CK_ULONG text_len,
                       CK_BYTE *out, CK_ULONG *out_len);
CK_RV C_MessageDecryptFinal(CK_SESSION_HANDLE session);

CK_RV C_EncapsulateKey(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key,
                       CK_ATTRIBUTE *template, CK_ULONG count, CK_BYTE *out, CK_ULONG *out_len,
                       CK_OBJECT_HANDLE *ret);
CK_RV C_DecapsulateKey(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key,
                       CK_ATTRIBUTE *template, CK_ULONG count, CK_BYTE *text, CK_ULONG text_len,
                       CK_OBJECT_HANDLE *ret);
CK_RV C_VerifySignatureInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
                            CK_OBJECT_HANDLE key, CK_BYTE *signature, CK_ULONG signature_len);
CK_RV C_VerifySignature(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_len);
CK_RV C_VerifySignatureUpdate(CK_SESSION_HANDLE session, CK_BYTE *part, CK_ULONG part_len);
CK_RV C_VerifySignatureFinal(CK_SESSION_HANDLE session);
CK_RV C_WrapKeyAuthenticated(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
                             CK_OBJECT_HANDLE with, CK_OBJECT_HANDLE key, CK_BYTE *aad,
                             CK_ULONG aad_len, CK_BYTE *out, CK_ULONG *out_len);
CK_RV C_UnwrapKeyAuthenticated(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
                               CK_OBJECT_HANDLE with, CK_BYTE *wrapped, CK_ULONG wrapped_len,
                               CK_ATTRIBUTE *template, CK_ULONG count, CK_BYTE *aad,
                               CK_ULONG aad_len, CK_OBJECT_HANDLE *ret);

/* The list of functions (table.c). */
extern struct vd_ck_function_list_3 vd_p11_functions_32, vd_p11_functions_30;
extern CK_FUNCTION_LIST vd_p11_functions_2;

#endif
