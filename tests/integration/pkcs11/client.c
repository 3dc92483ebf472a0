/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tests/integration/pkcs11/client.h"

#include <dlfcn.h>
#include <openssl/x509.h>
#include <stdlib.h>

CK_FUNCTION_LIST *p11;
struct vd_ck_function_list_3 *p32;
CK_BBOOL p11_true = CK_TRUE, p11_false = CK_FALSE;

void p11_load(void)
{
    const char *path = getenv("VD_PKCS11_MODULE");
    CK_RV (*list)(CK_FUNCTION_LIST **);
    CK_RV (*interface)(CK_UTF8CHAR *, CK_VERSION *, struct vd_ck_interface **, CK_FLAGS);
    struct vd_ck_interface *found;
    void *module;

    if (p11 != NULL)
        return;
    if (path == NULL)
        vd_test_skip("VD_PKCS11_MODULE names no module");
    module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    VD_EXPECT(module != NULL);
    *(void **)&list = dlsym(module, "C_GetFunctionList");
    *(void **)&interface = dlsym(module, "C_GetInterface");
    VD_EXPECT(list != NULL && interface != NULL);
    OK(list(&p11));
    OK(interface(NULL, NULL, &found, 0));
    p32 = found->functions;
    VD_EXPECT_EQ(p32->v2.version.major, 3);
    VD_EXPECT_EQ(p32->v2.version.minor, 2);
}

CK_SESSION_HANDLE p11_start(void)
{
    CK_SESSION_HANDLE s;

    p11_load();
    OK(p11->C_Initialize(NULL));
    OK(p11->C_OpenSession(1, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &s));
    return s;
}

void p11_end(void)
{
    OK(p11->C_Finalize(NULL));
}

CK_OBJECT_HANDLE p11_secret_key(CK_SESSION_HANDLE s, CK_MECHANISM_TYPE generate,
                                const CK_ATTRIBUTE_TYPE *usages)
{
    CK_ATTRIBUTE t[16] = {P11_BOOL(CKA_TOKEN, true), P11_BYTES(CKA_LABEL, "a test key", 10)};
    CK_MECHANISM m = {generate, NULL, 0};
    CK_OBJECT_HANDLE key;
    CK_ULONG count = 2;

    for (; *usages != 0; usages++)
        t[count++] = (CK_ATTRIBUTE)P11_BOOL(*usages, true);
    OK(p11->C_GenerateKey(s, &m, t, count, &key));
    return key;
}

void p11_key_pair(CK_SESSION_HANDLE s, CK_MECHANISM_TYPE generate, CK_OBJECT_HANDLE *ret_public,
                  CK_OBJECT_HANDLE *ret_private)
{
    CK_ATTRIBUTE t[] = {P11_BOOL(CKA_TOKEN, true), P11_BYTES(CKA_LABEL, "pair", 4),
                        P11_BYTES(CKA_ID, "\x01\x02", 2)};
    CK_MECHANISM m = {generate, NULL, 0};

    OK(p11->C_GenerateKeyPair(s, &m, t, 3, t, 3, ret_public, ret_private));
}

size_t p11_get(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, CK_ATTRIBUTE_TYPE type, void *to,
               size_t room)
{
    CK_ATTRIBUTE a = {type, to, room};

    OK(p11->C_GetAttributeValue(s, o, &a, 1));
    return a.ulValueLen;
}

void *p11_evp(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE public_key)
{
    uint8_t spki[4096];
    const uint8_t *at = spki;
    size_t size = p11_get(s, public_key, CKA_PUBLIC_KEY_INFO, spki, sizeof(spki));
    EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)size);

    VD_EXPECT(key != NULL);
    return key;
}
