/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * PKCS#11: p11-kit's header of version 2.40, and what versions 3.0 to 3.2 add to it.
 * Numbers and order of functions: OASIS PKCS #11 Specification Version 3.2, sections 5 and 6.
 */
#ifndef VD_LIB_PKCS11_CRYPTOKI_H
#define VD_LIB_PKCS11_CRYPTOKI_H

#define CRYPTOKI_COMPAT 1
#include <p11-kit/pkcs11.h>

/* Key types, mechanisms and attributes that the header lacks. */
#define VD_CKK_CHACHA20      0x33ul
#define VD_CKK_EC_MONTGOMERY 0x41ul
#define VD_CKK_HKDF          0x42ul
#define VD_CKK_ML_KEM        0x49ul
#define VD_CKK_ML_DSA        0x4aul

#define VD_CKM_ML_KEM_KEY_PAIR_GEN        0x0ful
#define VD_CKM_ML_KEM                     0x17ul
#define VD_CKM_ML_DSA_KEY_PAIR_GEN        0x1cul
#define VD_CKM_ML_DSA                     0x1dul
#define VD_CKM_EC_EDWARDS_KEY_PAIR_GEN    0x1055ul
#define VD_CKM_EC_MONTGOMERY_KEY_PAIR_GEN 0x1056ul
#define VD_CKM_EDDSA                      0x1057ul
#define VD_CKM_CHACHA20_KEY_GEN           0x1225ul
#define VD_CKM_CHACHA20_POLY1305          0x4021ul
#define VD_CKM_HKDF_DERIVE                0x402aul
#define VD_CKM_HKDF_KEY_GEN               0x402cul

#define VD_CKA_UNIQUE_ID     0x04ul
#define VD_CKA_PROFILE_ID    0x601ul
#define VD_CKA_PARAMETER_SET 0x61dul
#define VD_CKA_ENCAPSULATE   0x633ul
#define VD_CKA_DECAPSULATE   0x634ul
#define VD_CKA_SEED          0x637ul

#define VD_CKP_ML_KEM_768 2ul
#define VD_CKP_ML_DSA_65  2ul

#define VD_CKF_MESSAGE_ENCRYPT (1ul << 1)
#define VD_CKF_MESSAGE_DECRYPT (1ul << 2)
#define VD_CKF_ENCAPSULATE     (1ul << 28)
#define VD_CKF_DECAPSULATE     (1ul << 29)
#define VD_CKF_FIND_OBJECTS    (1ul << 6)
#define VD_CKF_END_OF_MESSAGE  1ul

#define VD_CKR_TOKEN_RESOURCE_EXCEEDED 0x201ul
#define VD_CKR_OPERATION_CANCEL_FAILED 0x202ul
#define VD_CKR_KEY_EXHAUSTED           0x203ul

#define VD_CKG_NO_GENERATE     0ul
#define VD_CKG_GENERATE        1ul
#define VD_CKG_GENERATE_RANDOM 3ul

#define VD_CKH_HEDGE_PREFERRED        0ul
#define VD_CKH_HEDGE_REQUIRED         1ul
#define VD_CKH_DETERMINISTIC_REQUIRED 2ul

#define VD_CKD_NULL                1ul
#define VD_CKF_HKDF_SALT_NULL      1ul
#define VD_CKF_HKDF_SALT_DATA      2ul
#define VD_CKF_HKDF_SALT_KEY       4ul
#define VD_CKF_INTERFACE_FORK_SAFE 1ul

/*
 * The project's own. The ciphertext of VD_CKM_AEAD carries its nonce (docs/formats/ciphertext.md);
 * its parameter is the additional data. VD_CKM_WRAP gives docs/formats/wrapped-key.md.
 */
#define VD_CKM_AEAD (CKM_VENDOR_DEFINED | 0x56440001ul)
#define VD_CKM_WRAP (CKM_VENDOR_DEFINED | 0x56440002ul)

struct vd_ck_sign_context { /* CK_SIGN_ADDITIONAL_CONTEXT */
    CK_ULONG hedge;
    CK_BYTE *context;
    CK_ULONG context_len;
};

struct vd_ck_hkdf { /* CK_HKDF_PARAMS */
    CK_BBOOL extract;
    CK_BBOOL expand;
    CK_MECHANISM_TYPE hash;
    CK_ULONG salt_type;
    CK_BYTE *salt;
    CK_ULONG salt_len;
    CK_OBJECT_HANDLE salt_key;
    CK_BYTE *info;
    CK_ULONG info_len;
};

struct vd_ck_gcm_message { /* CK_GCM_MESSAGE_PARAMS */
    CK_BYTE *iv;
    CK_ULONG iv_len;
    CK_ULONG iv_fixed_bits;
    CK_ULONG iv_generator;
    CK_BYTE *tag;
    CK_ULONG tag_bits;
};

struct vd_ck_chacha_params { /* CK_SALSA20_CHACHA20_POLY1305_PARAMS */
    CK_BYTE *nonce;
    CK_ULONG nonce_len;
    CK_BYTE *aad;
    CK_ULONG aad_len;
};

struct vd_ck_interface { /* CK_INTERFACE */
    CK_UTF8CHAR *name;
    void *functions;
    CK_FLAGS flags;
};

/* Functions of 3.0 and 3.2 behind those of 2.40, in their order. */
struct vd_ck_functions_3 {
    CK_RV (*C_GetInterfaceList)(struct vd_ck_interface *, CK_ULONG *);
    CK_RV (*C_GetInterface)(CK_UTF8CHAR *, CK_VERSION *, struct vd_ck_interface **, CK_FLAGS);
    CK_RV(*C_LoginUser)
    (CK_SESSION_HANDLE, CK_USER_TYPE, CK_UTF8CHAR *, CK_ULONG, CK_UTF8CHAR *, CK_ULONG);
    CK_RV (*C_SessionCancel)(CK_SESSION_HANDLE, CK_FLAGS);
    CK_RV (*C_MessageEncryptInit)(CK_SESSION_HANDLE, CK_MECHANISM *, CK_OBJECT_HANDLE);
    CK_RV(*C_EncryptMessage)
    (CK_SESSION_HANDLE, void *, CK_ULONG, CK_BYTE *, CK_ULONG, CK_BYTE *, CK_ULONG, CK_BYTE *,
     CK_ULONG *);
    CK_RV (*C_EncryptMessageBegin)(CK_SESSION_HANDLE, void *, CK_ULONG, CK_BYTE *, CK_ULONG);
    CK_RV(*C_EncryptMessageNext)
    (CK_SESSION_HANDLE, void *, CK_ULONG, CK_BYTE *, CK_ULONG, CK_BYTE *, CK_ULONG *, CK_FLAGS);
    CK_RV (*C_MessageEncryptFinal)(CK_SESSION_HANDLE);
    CK_RV (*C_MessageDecryptInit)(CK_SESSION_HANDLE, CK_MECHANISM *, CK_OBJECT_HANDLE);
    CK_RV(*C_DecryptMessage)
    (CK_SESSION_HANDLE, void *, CK_ULONG, CK_BYTE *, CK_ULONG, CK_BYTE *, CK_ULONG, CK_BYTE *,
     CK_ULONG *);
    CK_RV (*C_DecryptMessageBegin)(CK_SESSION_HANDLE, void *, CK_ULONG, CK_BYTE *, CK_ULONG);
    CK_RV(*C_DecryptMessageNext)
    (CK_SESSION_HANDLE, void *, CK_ULONG, CK_BYTE *, CK_ULONG, CK_BYTE *, CK_ULONG *, CK_FLAGS);
    CK_RV (*C_MessageDecryptFinal)(CK_SESSION_HANDLE);
    CK_RV (*C_MessageSignInit)(CK_SESSION_HANDLE, CK_MECHANISM *, CK_OBJECT_HANDLE);
    CK_RV(*C_SignMessage)
    (CK_SESSION_HANDLE, void *, CK_ULONG, CK_BYTE *, CK_ULONG, CK_BYTE *, CK_ULONG *);
    CK_RV (*C_SignMessageBegin)(CK_SESSION_HANDLE, void *, CK_ULONG);
    CK_RV(*C_SignMessageNext)
    (CK_SESSION_HANDLE, void *, CK_ULONG, CK_BYTE *, CK_ULONG, CK_BYTE *, CK_ULONG *);
    CK_RV (*C_MessageSignFinal)(CK_SESSION_HANDLE);
    CK_RV (*C_MessageVerifyInit)(CK_SESSION_HANDLE, CK_MECHANISM *, CK_OBJECT_HANDLE);
    CK_RV(*C_VerifyMessage)
    (CK_SESSION_HANDLE, void *, CK_ULONG, CK_BYTE *, CK_ULONG, CK_BYTE *, CK_ULONG);
    CK_RV (*C_VerifyMessageBegin)(CK_SESSION_HANDLE, void *, CK_ULONG);
    CK_RV(*C_VerifyMessageNext)
    (CK_SESSION_HANDLE, void *, CK_ULONG, CK_BYTE *, CK_ULONG, CK_BYTE *, CK_ULONG);
    CK_RV (*C_MessageVerifyFinal)(CK_SESSION_HANDLE);
};

struct vd_ck_functions_32 {
    CK_RV(*C_EncapsulateKey)
    (CK_SESSION_HANDLE, CK_MECHANISM *, CK_OBJECT_HANDLE, CK_ATTRIBUTE *, CK_ULONG, CK_BYTE *,
     CK_ULONG *, CK_OBJECT_HANDLE *);
    CK_RV(*C_DecapsulateKey)
    (CK_SESSION_HANDLE, CK_MECHANISM *, CK_OBJECT_HANDLE, CK_ATTRIBUTE *, CK_ULONG, CK_BYTE *,
     CK_ULONG, CK_OBJECT_HANDLE *);
    CK_RV(*C_VerifySignatureInit)
    (CK_SESSION_HANDLE, CK_MECHANISM *, CK_OBJECT_HANDLE, CK_BYTE *, CK_ULONG);
    CK_RV (*C_VerifySignature)(CK_SESSION_HANDLE, CK_BYTE *, CK_ULONG);
    CK_RV (*C_VerifySignatureUpdate)(CK_SESSION_HANDLE, CK_BYTE *, CK_ULONG);
    CK_RV (*C_VerifySignatureFinal)(CK_SESSION_HANDLE);
    CK_RV (*C_GetSessionValidationFlags)(CK_SESSION_HANDLE, CK_ULONG, CK_FLAGS *);
    CK_RV (*C_AsyncComplete)(CK_SESSION_HANDLE, CK_UTF8CHAR *, void *);
    CK_RV (*C_AsyncGetID)(CK_SESSION_HANDLE, CK_UTF8CHAR *, CK_ULONG *);
    CK_RV (*C_AsyncJoin)(CK_SESSION_HANDLE, CK_UTF8CHAR *, CK_ULONG, CK_BYTE *, CK_ULONG);
    CK_RV(*C_WrapKeyAuthenticated)
    (CK_SESSION_HANDLE, CK_MECHANISM *, CK_OBJECT_HANDLE, CK_OBJECT_HANDLE, CK_BYTE *, CK_ULONG,
     CK_BYTE *, CK_ULONG *);
    CK_RV(*C_UnwrapKeyAuthenticated)
    (CK_SESSION_HANDLE, CK_MECHANISM *, CK_OBJECT_HANDLE, CK_BYTE *, CK_ULONG, CK_ATTRIBUTE *,
     CK_ULONG, CK_BYTE *, CK_ULONG, CK_OBJECT_HANDLE *);
};

/* CK_FUNCTION_LIST_3_2; its start is a CK_FUNCTION_LIST_3_0 and a CK_FUNCTION_LIST. */
struct vd_ck_function_list_3 {
    CK_FUNCTION_LIST v2;
    struct vd_ck_functions_3 v3;
    struct vd_ck_functions_32 v32;
};

#endif
