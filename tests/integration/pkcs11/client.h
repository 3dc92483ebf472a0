/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The module as an application sees it: loaded by dlopen, reached by its list of functions.
 * The environment names it (VD_PKCS11_MODULE) and the service (VERIDIAN_CRYPTO_SOCKET).
 */
#ifndef VD_TESTS_PKCS11_CLIENT_H
#define VD_TESTS_PKCS11_CLIENT_H

#include "lib/pkcs11/cryptoki.h"
#include "tests/harness.h"

#define CHECK_RV(call, wanted) VD_EXPECT_EQ((call), (CK_RV)(wanted))
#define OK(call)               CHECK_RV(call, CKR_OK)

extern CK_FUNCTION_LIST *p11;             /* of version 2.40 */
extern struct vd_ck_function_list_3 *p32; /* of version 3.2 */

/* Loads the module. */
void p11_load(void);

/* Initialises it and opens a read-write session. */
CK_SESSION_HANDLE p11_start(void);
void p11_end(void);

/* Templates. */
#define P11_BOOL(type, value)                                     \
    {                                                             \
        type, (value) ? (void *)&p11_true : (void *)&p11_false, 1 \
    }
#define P11_BYTES(type, b, n)           \
    {                                   \
        type, (void *)(uintptr_t)(b), n \
    }
#define P11_ULONG(type, var)      \
    {                             \
        type, &(var), sizeof(var) \
    }
extern CK_BBOOL p11_true, p11_false;

/* Keys of the token, made for a test; usages: a list of attributes ended by 0. */
CK_OBJECT_HANDLE p11_secret_key(CK_SESSION_HANDLE s, CK_MECHANISM_TYPE generate,
                                const CK_ATTRIBUTE_TYPE *usages);
void p11_key_pair(CK_SESSION_HANDLE s, CK_MECHANISM_TYPE generate, CK_OBJECT_HANDLE *ret_public,
                  CK_OBJECT_HANDLE *ret_private);

/* An attribute's bytes; fails the test if it cannot be read. */
size_t p11_get(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, CK_ATTRIBUTE_TYPE type, void *to,
               size_t room);

/* The public key as OpenSSL has it (EVP_PKEY). */
void *p11_evp(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE public_key);

#endif
