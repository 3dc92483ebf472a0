/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Sessions, forks, threads, wrong handles and arguments; and attacks through the interface. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/integration/pkcs11/client.h"

#define SESSIONS 10000u
#define THREADS  4u

static const CK_ATTRIBUTE_TYPE crypt_usages[] = {CKA_ENCRYPT, CKA_DECRYPT, 0};
static const CK_ATTRIBUTE_TYPE wrap_usages[] = {CKA_WRAP, CKA_UNWRAP, 0};
static uint8_t out[8192], back[8192];

VD_TEST(interfaces)
{
    struct vd_ck_interface list[3], *found;
    CK_VERSION v = {3, 0}, other = {3, 1};
    CK_ULONG count = 0;

    p11_load();
    OK(p32->v3.C_GetInterfaceList(NULL, &count));
    VD_EXPECT_EQ(count, 3);
    count = 2;
    CHECK_RV(p32->v3.C_GetInterfaceList(list, &count), CKR_BUFFER_TOO_SMALL);
    OK(p32->v3.C_GetInterfaceList(list, &count));
    OK(p32->v3.C_GetInterface((CK_UTF8CHAR *)"PKCS 11", &v, &found, 0));
    VD_EXPECT_EQ(((CK_VERSION *)found->functions)->minor, 0);
    VD_EXPECT(p32->v3.C_GetInterface((CK_UTF8CHAR *)"PKCS 11", &other, &found, 0) != CKR_OK);
    VD_EXPECT(p32->v3.C_GetInterface((CK_UTF8CHAR *)"else", NULL, &found, 0) != CKR_OK);
    VD_EXPECT_EQ(p11->version.major, 2);
}

VD_TEST(before_and_after)
{
    CK_SESSION_HANDLE s;
    CK_ULONG count;
    CK_INFO info;

    p11_load();
    CHECK_RV(p11->C_GetInfo(&info), CKR_CRYPTOKI_NOT_INITIALIZED);
    CHECK_RV(p11->C_GetSlotList(CK_TRUE, NULL, &count), CKR_CRYPTOKI_NOT_INITIALIZED);
    CHECK_RV(p11->C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &s),
             CKR_CRYPTOKI_NOT_INITIALIZED);
    CHECK_RV(p11->C_FindObjectsInit(1, NULL, 0), CKR_CRYPTOKI_NOT_INITIALIZED);
    CHECK_RV(p11->C_Finalize(NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
    s = p11_start();
    CHECK_RV(p11->C_Initialize(NULL), CKR_CRYPTOKI_ALREADY_INITIALIZED);
    CHECK_RV(p11->C_Finalize(&info), CKR_ARGUMENTS_BAD);
    p11_end();
    CHECK_RV(p11->C_CloseSession(s), CKR_CRYPTOKI_NOT_INITIALIZED);
    s = p11_start();
    p11_end();
}

VD_TEST(slot_and_token)
{
    CK_SESSION_HANDLE s = p11_start();
    CK_MECHANISM_TYPE list[64];
    CK_MECHANISM_INFO m;
    CK_TOKEN_INFO token;
    CK_SESSION_INFO session;
    CK_ULONG count = 0;
    CK_SLOT_ID slot;

    CHECK_RV(p11->C_GetSlotList(CK_TRUE, &slot, &count), CKR_BUFFER_TOO_SMALL);
    OK(p11->C_GetSlotList(CK_TRUE, &slot, &count));
    VD_EXPECT_EQ(slot, 1);
    OK(p11->C_GetTokenInfo(slot, &token));
    VD_EXPECT((token.flags & CKF_LOGIN_REQUIRED) == 0);
    CHECK_RV(p11->C_GetTokenInfo(2, &token), CKR_SLOT_ID_INVALID);
    count = 1;
    CHECK_RV(p11->C_GetMechanismList(slot, list, &count), CKR_BUFFER_TOO_SMALL);
    VD_EXPECT(count > 20 && count < 64);
    OK(p11->C_GetMechanismList(slot, list, &count));
    for (CK_ULONG i = 0; i < count; i++) {
        OK(p11->C_GetMechanismInfo(slot, list[i], &m));
        VD_EXPECT(m.flags != 0);
        for (CK_ULONG k = 0; k < i; k++)
            VD_EXPECT(list[k] != list[i]);
    }
    CHECK_RV(p11->C_GetMechanismInfo(slot, CKM_MD5, &m), CKR_MECHANISM_INVALID);
    OK(p11->C_GetSessionInfo(s, &session));
    VD_EXPECT_EQ(session.state, CKS_RW_PUBLIC_SESSION);
    OK(p11->C_Login(s, CKU_USER, (CK_UTF8CHAR *)"1234", 4));
    CHECK_RV(p11->C_Login(s, CKU_USER, NULL, 0), CKR_USER_ALREADY_LOGGED_IN);
    OK(p11->C_GetSessionInfo(s, &session));
    VD_EXPECT_EQ(session.state, CKS_RW_USER_FUNCTIONS);
    OK(p11->C_Logout(s));
    p11_end();
}

VD_TEST(ten_thousand_sessions)
{
    static CK_SESSION_HANDLE sessions[SESSIONS];
    CK_SESSION_HANDLE s = p11_start();
    CK_OBJECT_HANDLE key = p11_secret_key(s, CKM_AES_KEY_GEN, crypt_usages);
    CK_MECHANISM m = {VD_CKM_AEAD, NULL, 0};
    CK_SESSION_INFO info;

    for (size_t i = 0; i < SESSIONS; i++) {
        OK(p11->C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &sessions[i]));
        OK(p11->C_EncryptInit(sessions[i], &m, key));
    }
    for (size_t i = 0; i < SESSIONS; i += 100) {
        CK_ULONG size = sizeof(out);
        OK(p11->C_Encrypt(sessions[i], (uint8_t *)(uintptr_t) "x", 1, out, &size));
    }
    for (size_t i = 0; i < SESSIONS; i += 2)
        OK(p11->C_CloseSession(sessions[i]));
    for (size_t i = 0; i < SESSIONS; i += 2)
        CHECK_RV(p11->C_GetSessionInfo(sessions[i], &info), CKR_SESSION_HANDLE_INVALID);
    /* A handle that was closed never comes again here. */
    for (size_t i = 0; i < SESSIONS; i += 2) {
        CK_SESSION_HANDLE again;
        OK(p11->C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &again));
        VD_EXPECT(again != sessions[i]);
        CHECK_RV(p11->C_CloseSession(sessions[i]), CKR_SESSION_HANDLE_INVALID);
    }
    OK(p11->C_CloseAllSessions(1));
    CHECK_RV(p11->C_GetSessionInfo(s, &info), CKR_SESSION_HANDLE_INVALID);
    p11_end();
}

VD_TEST(fork_after_initialize)
{
    CK_SESSION_HANDLE s = p11_start();
    CK_OBJECT_HANDLE key = p11_secret_key(s, CKM_AES_KEY_GEN, crypt_usages);
    CK_MECHANISM m = {VD_CKM_AEAD, NULL, 0};
    CK_ULONG size = sizeof(out), back_size = sizeof(back);
    int status;
    pid_t child;

    OK(p11->C_EncryptInit(s, &m, key));
    OK(p11->C_Encrypt(s, (uint8_t *)(uintptr_t) "parent", 6, out, &size));
    child = fork();
    if (child == 0) {
        /* No state of the parent's; one of its own works. */
        CK_SESSION_HANDLE mine;
        CK_ATTRIBUTE t[] = {P11_BYTES(CKA_LABEL, "a test key", 10)};
        CK_OBJECT_HANDLE found[64];
        CK_ULONG count = 0, tried = 0, opened = 0;
        if (p11->C_EncryptInit(s, &m, key) != CKR_CRYPTOKI_NOT_INITIALIZED)
            _exit(1);
        if (p11->C_Initialize(NULL) != CKR_OK ||
            p11->C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &mine) != CKR_OK ||
            p11->C_FindObjectsInit(mine, t, 1) != CKR_OK ||
            p11->C_FindObjects(mine, found, 64, &count) != CKR_OK)
            _exit(2);
        for (; tried < count && opened == 0; tried++) {
            back_size = sizeof(back);
            opened += p11->C_DecryptInit(mine, &m, found[tried]) == CKR_OK &&
                      p11->C_Decrypt(mine, out, size, back, &back_size) == CKR_OK;
        }
        _exit(opened == 1 && p11->C_Finalize(NULL) == CKR_OK ? 0 : 3);
    }
    VD_EXPECT(waitpid(child, &status, 0) == child);
    VD_EXPECT_EQ(status, 0);
    OK(p11->C_DecryptInit(s, &m, key));
    OK(p11->C_Decrypt(s, out, size, back, &back_size));
    VD_EXPECT_MEM(back, "parent", 6);
    p11_end();
}

struct job {
    CK_OBJECT_HANDLE key;
    uint8_t mark;
    CK_RV rv;
    bool same;
};

static void *work(void *arg)
{
    struct job *j = arg;
    CK_MECHANISM m = {VD_CKM_AEAD, NULL, 0};
    uint8_t text[300], sealed[400], opened[400];
    CK_SESSION_HANDLE s;

    memset(text, j->mark, sizeof(text));
    j->same = true;
    j->rv = p11->C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &s);
    for (unsigned i = 0; j->rv == CKR_OK && i < 500; i++) {
        CK_ULONG size = sizeof(sealed), back_size = sizeof(opened);
        j->rv = p11->C_EncryptInit(s, &m, j->key);
        if (j->rv == CKR_OK)
            j->rv = p11->C_Encrypt(s, text, sizeof(text), sealed, &size);
        if (j->rv == CKR_OK)
            j->rv = p11->C_DecryptInit(s, &m, j->key);
        if (j->rv == CKR_OK)
            j->rv = p11->C_Decrypt(s, sealed, size, opened, &back_size);
        j->same &= back_size == sizeof(text) && memcmp(opened, text, sizeof(text)) == 0;
    }
    return NULL;
}

VD_TEST(threads)
{
    CK_SESSION_HANDLE s = p11_start();
    CK_OBJECT_HANDLE key = p11_secret_key(s, CKM_AES_KEY_GEN, crypt_usages);
    struct job jobs[THREADS];
    pthread_t threads[THREADS];

    for (uint8_t i = 0; i < THREADS; i++) {
        jobs[i] = (struct job){.key = key, .mark = i};
        VD_EXPECT(pthread_create(&threads[i], NULL, work, &jobs[i]) == 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        OK(jobs[i].rv);
        VD_EXPECT(jobs[i].same);
    }
    p11_end();
}

/* Wrong handles and arguments at every function: an error, never a crash. */
VD_TEST(wrong_arguments)
{
    CK_SESSION_HANDLE s = p11_start();
    CK_OBJECT_HANDLE key = p11_secret_key(s, CKM_AES_KEY_GEN, crypt_usages), h;
    CK_MECHANISM m = {VD_CKM_AEAD, NULL, 0}, bad = {VD_CKM_AEAD, NULL, 9};
    CK_ATTRIBUTE wild = {CKA_LABEL, NULL, 100}, bad_bool = P11_BYTES(CKA_TOKEN, "\x05", 1);
    CK_ATTRIBUTE twice[] = {P11_BOOL(CKA_TOKEN, true), P11_BOOL(CKA_TOKEN, false)};
    CK_ULONG size = sizeof(out);
    uint64_t seed = 3;

    CHECK_RV(p11->C_EncryptInit(s, &m, 0), CKR_KEY_HANDLE_INVALID);
    CHECK_RV(p11->C_EncryptInit(s, &m, ~0ul), CKR_KEY_HANDLE_INVALID);
    CHECK_RV(p11->C_EncryptInit(s, &bad, key), CKR_MECHANISM_PARAM_INVALID);
    CHECK_RV(p11->C_EncryptInit(s + 1, &m, key), CKR_SESSION_HANDLE_INVALID);
    CHECK_RV(p11->C_Encrypt(s, out, 1, out, &size), CKR_OPERATION_NOT_INITIALIZED);
    OK(p11->C_EncryptInit(s, &m, key));
    CHECK_RV(p11->C_EncryptInit(s, &m, key), CKR_OPERATION_ACTIVE);
    CHECK_RV(p11->C_Encrypt(s, NULL, 5, out, &size), CKR_ARGUMENTS_BAD);
    OK(p11->C_EncryptInit(s, &m, key));
    OK(p11->C_EncryptInit(s, NULL, 0)); /* cancelled */
    CHECK_RV(p11->C_FindObjectsInit(s, &wild, 1), CKR_ATTRIBUTE_VALUE_INVALID);
    CHECK_RV(p11->C_FindObjectsInit(s, NULL, 1), CKR_ARGUMENTS_BAD);
    CHECK_RV(p11->C_CreateObject(s, &bad_bool, 1, &h), CKR_TEMPLATE_INCOMPLETE);
    CHECK_RV(p11->C_CreateObject(s, twice, 2, &h), CKR_TEMPLATE_INCONSISTENT);
    CHECK_RV(p11->C_GetAttributeValue(s, 12345678, &wild, 1), CKR_OBJECT_HANDLE_INVALID);
    CHECK_RV(p11->C_GenerateRandom(s, NULL, 10), CKR_ARGUMENTS_BAD);
    CHECK_RV(p11->C_InitPIN(s, NULL, 0), CKR_FUNCTION_NOT_SUPPORTED);
    for (unsigned i = 0; i < 3000; i++) {
        CK_SESSION_HANDLE any = i % 3 == 0 ? vd_test_random(&seed) : s;
        CK_MECHANISM some = {vd_test_random(&seed) % 0x1100, out, vd_test_random(&seed) % 64};
        size = sizeof(out);
        switch (vd_test_random(&seed) % 8) {
        case 0:
            (void)p11->C_SignInit(any, &some, vd_test_random(&seed) % 40);
            break;
        case 1:
            (void)p11->C_Sign(any, out, 32, back, &size);
            break;
        case 2:
            (void)p11->C_DecryptInit(any, &some, vd_test_random(&seed) % 40);
            break;
        case 3:
            (void)p11->C_DecryptFinal(any, back, &size);
            break;
        case 4:
            (void)p11->C_DigestInit(any, &some);
            break;
        case 5:
            (void)p11->C_DigestFinal(any, back, &size);
            break;
        case 6:
            (void)p11->C_VerifyInit(any, &some, vd_test_random(&seed) % 40);
            break;
        default:
            (void)p11->C_VerifyFinal(any, back, 64);
            break;
        }
    }
    p11_end();
}

VD_TEST(read_only_sessions_change_nothing)
{
    CK_SESSION_HANDLE s = p11_start(), ro;
    CK_OBJECT_HANDLE key = p11_secret_key(s, CKM_AES_KEY_GEN, crypt_usages), h;
    CK_ATTRIBUTE t[] = {P11_BOOL(CKA_TOKEN, true)};
    CK_MECHANISM m = {CKM_AES_KEY_GEN, NULL, 0};

    OK(p11->C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &ro));
    CHECK_RV(p11->C_GenerateKey(ro, &m, t, 1, &h), CKR_SESSION_READ_ONLY);
    CHECK_RV(p11->C_DestroyObject(ro, key), CKR_SESSION_READ_ONLY);
    CHECK_RV(p11->C_SetAttributeValue(ro, key, t, 1), CKR_SESSION_READ_ONLY);
    p11_end();
}

VD_TEST(labels_and_ids)
{
    CK_SESSION_HANDLE s = p11_start();
    CK_OBJECT_HANDLE public_key, private_key, found[4];
    CK_ATTRIBUTE change[] = {P11_BYTES(CKA_LABEL, "new name", 8), P11_BYTES(CKA_ID, "\xaa", 1)};
    CK_ULONG count;

    p11_key_pair(s, VD_CKM_EC_EDWARDS_KEY_PAIR_GEN, &public_key, &private_key);
    VD_EXPECT_EQ(p11_get(s, private_key, CKA_ID, out, 10), 2);
    VD_EXPECT_MEM(out, "\x01\x02", 2);
    OK(p11->C_SetAttributeValue(s, private_key, change, 2));
    OK(p11->C_FindObjectsInit(s, change, 2));
    OK(p11->C_FindObjects(s, found, 4, &count));
    OK(p11->C_FindObjectsFinal(s));
    VD_EXPECT_EQ(count, 2);
    VD_EXPECT_EQ(p11_get(s, public_key, CKA_LABEL, out, 10), 8);
    OK(p11->C_DestroyObject(s, private_key));
    OK(p11->C_FindObjectsInit(s, change, 2));
    OK(p11->C_FindObjects(s, found, 4, &count));
    VD_EXPECT_EQ(count, 0);
    p11_end();
}

/* Clulow's attack: a key that may both wrap and decrypt gives every other key away. */
VD_TEST(wrap_and_decrypt)
{
    CK_SESSION_HANDLE s = p11_start();
    CK_OBJECT_HANDLE wrapping = p11_secret_key(s, CKM_AES_KEY_GEN, wrap_usages), target, fixed, h;
    CK_ATTRIBUTE both[] = {P11_BOOL(CKA_TOKEN, true), P11_BOOL(CKA_WRAP, true),
                           P11_BOOL(CKA_DECRYPT, true)};
    CK_ATTRIBUTE open[] = {P11_BOOL(CKA_TOKEN, true), P11_BOOL(CKA_EXTRACTABLE, true),
                           P11_BOOL(CKA_ENCRYPT, true), P11_BOOL(CKA_DECRYPT, true)};
    CK_ATTRIBUTE decrypt = P11_BOOL(CKA_DECRYPT, true), extract = P11_BOOL(CKA_EXTRACTABLE, true);
    CK_ATTRIBUTE value = {CKA_VALUE, out, sizeof(out)};
    CK_MECHANISM m = {CKM_AES_KEY_GEN, NULL, 0}, aead = {VD_CKM_AEAD, NULL, 0};
    CK_MECHANISM wrap = {VD_CKM_WRAP, (void *)"for me", 6};
    CK_ULONG size = sizeof(out), back_size = sizeof(back);

    CHECK_RV(p11->C_GenerateKey(s, &m, both, 3, &h), CKR_TEMPLATE_INCONSISTENT);
    CHECK_RV(p11->C_SetAttributeValue(s, wrapping, &decrypt, 1), CKR_ATTRIBUTE_READ_ONLY);
    OK(p11->C_GenerateKey(s, &m, open, 4, &target));
    fixed = p11_secret_key(s, CKM_AES_KEY_GEN, crypt_usages);
    CHECK_RV(p11->C_SetAttributeValue(s, fixed, &extract, 1), CKR_ATTRIBUTE_READ_ONLY);
    CHECK_RV(p11->C_WrapKey(s, &wrap, wrapping, fixed, out, &size), CKR_KEY_UNEXTRACTABLE);
    CHECK_RV(p11->C_GetAttributeValue(s, target, &value, 1), CKR_ATTRIBUTE_SENSITIVE);
    size = sizeof(out);
    OK(p11->C_WrapKey(s, &wrap, wrapping, target, out, &size));
    /* The blob is no ciphertext, and neither key decrypts it. */
    CHECK_RV(p11->C_DecryptInit(s, &aead, wrapping), CKR_KEY_FUNCTION_NOT_PERMITTED);
    OK(p11->C_DecryptInit(s, &aead, target));
    VD_EXPECT(p11->C_Decrypt(s, out, size, back, &back_size) != CKR_OK);
    CHECK_RV(p11->C_WrapKey(s, &wrap, target, target, back, &back_size),
             CKR_KEY_FUNCTION_NOT_PERMITTED);
    /* It comes back as what it was, and only with its additional data. */
    OK(p11->C_UnwrapKey(s, &wrap, wrapping, out, size, both, 1, &h));
    CHECK_RV(p11->C_GetAttributeValue(s, h, &value, 1), CKR_ATTRIBUTE_SENSITIVE);
    wrap.pParameter = (void *)"for you";
    VD_EXPECT(p11->C_UnwrapKey(s, &wrap, wrapping, out, size, both, 1, &h) != CKR_OK);
    wrap.pParameter = (void *)"for me";
    out[size / 2] ^= 1;
    VD_EXPECT(p11->C_UnwrapKey(s, &wrap, wrapping, out, size, both, 1, &h) != CKR_OK);
    p11_end();
}
