/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Handles, sizes, templates: what the standard says of the edges. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/integration/pkcs11/client.h"

#define OBJECTS 2'200'000u
#define LARGE   (32u << 20)

static const CK_ATTRIBUTE_TYPE crypt_usages[] = {CKA_ENCRYPT, CKA_DECRYPT, 0};
static uint8_t out[8192], back[8192];

/* Every one has a handle of its own, and there is always one more. */
VD_TEST(two_million_session_objects)
{
    CK_SESSION_HANDLE s = p11_start();
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_ATTRIBUTE t[] = {P11_ULONG(CKA_CLASS, class), P11_BYTES(CKA_VALUE, "value", 5)};
    CK_OBJECT_HANDLE first, o, before = 0;
    CK_ULONG size;

    OK(p11->C_CreateObject(s, t, 2, &first));
    for (unsigned i = 0; i < OBJECTS; i++) {
        OK(p11->C_CreateObject(s, t, 2, &o));
        VD_EXPECT(o != before && o != first);
        CHECK_RV(before != 0 ? p11->C_GetObjectSize(s, before, &size) : CKR_OBJECT_HANDLE_INVALID,
                 CKR_OBJECT_HANDLE_INVALID);
        OK(p11->C_DestroyObject(s, o));
        before = o;
    }
    VD_EXPECT_EQ(p11_get(s, first, CKA_VALUE, out, 5), 5);
    p11_end();
}

VD_TEST(objects_end_with_their_session)
{
    CK_SESSION_HANDLE s = p11_start(), other;
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_ATTRIBUTE t[] = {P11_ULONG(CKA_CLASS, class), P11_BYTES(CKA_VALUE, "value", 5)};
    CK_OBJECT_HANDLE mine[3], its[3];
    CK_ULONG size;

    OK(p11->C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &other));
    for (unsigned i = 0; i < 3; i++) {
        OK(p11->C_CreateObject(s, t, 2, &mine[i]));
        OK(p11->C_CreateObject(other, t, 2, &its[i]));
    }
    OK(p11->C_DestroyObject(other, its[1]));
    OK(p11->C_GetObjectSize(s, its[0], &size)); /* any session sees it */
    OK(p11->C_CloseSession(other));
    for (unsigned i = 0; i < 3; i++) {
        CHECK_RV(p11->C_GetObjectSize(s, its[i], &size), CKR_OBJECT_HANDLE_INVALID);
        OK(p11->C_GetObjectSize(s, mine[i], &size));
    }
    p11_end();
}

VD_TEST(more_than_one_operation_takes)
{
    CK_SESSION_HANDLE s = p11_start();
    CK_OBJECT_HANDLE key = p11_secret_key(s, CKM_AES_KEY_GEN, crypt_usages), pub, prv;
    CK_MECHANISM m = {VD_CKM_AEAD, NULL, 0}, sign = {VD_CKM_EDDSA, NULL, 0};
    uint8_t *data = calloc(2, LARGE);
    CK_ULONG size = LARGE + 100;

    VD_EXPECT(data != NULL);
    p11_key_pair(s, VD_CKM_EC_EDWARDS_KEY_PAIR_GEN, &pub, &prv);
    OK(p11->C_EncryptInit(s, &m, key));
    CHECK_RV(p11->C_Encrypt(s, data, LARGE, data + LARGE - 200, &size), CKR_DATA_LEN_RANGE);
    OK(p11->C_DecryptInit(s, &m, key));
    CHECK_RV(p11->C_Decrypt(s, data, LARGE, data, &size), CKR_ENCRYPTED_DATA_LEN_RANGE);
    OK(p11->C_SignInit(s, &sign, prv));
    size = sizeof(out);
    CHECK_RV(p11->C_Sign(s, data, LARGE, out, &size), CKR_DATA_LEN_RANGE);
    OK(p11->C_SignInit(s, &sign, prv));
    size = sizeof(out);
    CHECK_RV(p11->C_Sign(s, data, ~0ul, out, &size), CKR_DATA_LEN_RANGE);
    /* As much as goes, in parts. */
    OK(p11->C_EncryptInit(s, &m, key));
    for (unsigned i = 0; i < 31; i++)
        OK(p11->C_EncryptUpdate(s, data, 1u << 20, out, &size));
    size = LARGE;
    OK(p11->C_EncryptFinal(s, data, &size));
    VD_EXPECT_EQ(size, (31u << 20) + 56);
    free(data);
    p11_end();
}

/* The result waits for a room of its size, and nothing may be added to it. */
VD_TEST(room_that_is_too_small)
{
    CK_SESSION_HANDLE s = p11_start();
    CK_OBJECT_HANDLE key = p11_secret_key(s, CKM_AES_KEY_GEN, crypt_usages);
    CK_MECHANISM m = {VD_CKM_AEAD, NULL, 0};
    CK_ULONG size = sizeof(out), got = 0;

    OK(p11->C_EncryptInit(s, &m, key));
    OK(p11->C_Encrypt(s, (uint8_t *)(uintptr_t) "0123456789", 10, out, &size));
    OK(p11->C_DecryptInit(s, &m, key));
    OK(p11->C_DecryptUpdate(s, out, size, back, &got));
    got = 9;
    CHECK_RV(p11->C_DecryptFinal(s, back, &got), CKR_BUFFER_TOO_SMALL);
    VD_EXPECT_EQ(got, 10);
    OK(p11->C_DecryptFinal(s, back, &got));
    VD_EXPECT_MEM(back, "0123456789", 10);
    CHECK_RV(p11->C_DecryptFinal(s, back, &got), CKR_OPERATION_NOT_INITIALIZED);
    OK(p11->C_DecryptInit(s, &m, key));
    got = 3;
    CHECK_RV(p11->C_Decrypt(s, out, size, back, &got), CKR_BUFFER_TOO_SMALL);
    CHECK_RV(p11->C_DecryptUpdate(s, out, 1, back, &got), CKR_OPERATION_ACTIVE);
    CHECK_RV(p11->C_DecryptFinal(s, back, &got), CKR_OPERATION_NOT_INITIALIZED);
    /* In place, with exactly the room that it takes. */
    OK(p11->C_DecryptInit(s, &m, key));
    OK(p11->C_Decrypt(s, out, size, out, &size));
    VD_EXPECT_EQ(size, 10);
    VD_EXPECT_MEM(out, "0123456789", 10);
    p11_end();
}

/* One attribute that cannot be had does not keep the others back (5.7.5). */
VD_TEST(attributes_one_by_one)
{
    CK_SESSION_HANDLE s = p11_start();
    CK_OBJECT_HANDLE key = p11_secret_key(s, CKM_AES_KEY_GEN, crypt_usages), pub, prv;
    CK_BBOOL encrypt = CK_FALSE;
    CK_ULONG length = 0;
    CK_ATTRIBUTE a[] = {{CKA_VALUE, out, sizeof(out)}, {CKA_ENCRYPT, &encrypt, 1},
                        {CKA_LABEL, back, 3},          {CKA_MODULUS, out, sizeof(out)},
                        {CKA_LABEL, NULL, 0},          {CKA_VALUE_LEN, &length, sizeof(length)}};
    CK_RV rv = p11->C_GetAttributeValue(s, key, a, 6);

    VD_EXPECT(rv == CKR_ATTRIBUTE_SENSITIVE || rv == CKR_BUFFER_TOO_SMALL ||
              rv == CKR_ATTRIBUTE_TYPE_INVALID);
    VD_EXPECT_EQ(a[0].ulValueLen, CK_UNAVAILABLE_INFORMATION);
    VD_EXPECT_EQ(encrypt, CK_TRUE);
    VD_EXPECT_EQ(a[2].ulValueLen, CK_UNAVAILABLE_INFORMATION);
    VD_EXPECT_EQ(a[3].ulValueLen, CK_UNAVAILABLE_INFORMATION);
    VD_EXPECT_EQ(a[4].ulValueLen, 10);
    VD_EXPECT_EQ(length, 32);
    p11_key_pair(s, CKM_EC_KEY_PAIR_GEN, &pub, &prv);
    VD_EXPECT_EQ(p11_get(s, pub, CKA_DERIVE, &encrypt, 1), 1); /* every key has it (4.8) */
    VD_EXPECT_EQ(encrypt, CK_FALSE);
    /* Lengths of before, passed on by mistake. */
    a[0] = (CK_ATTRIBUTE){CKA_LABEL, NULL, CK_UNAVAILABLE_INFORMATION};
    OK(p11->C_GetAttributeValue(s, key, a, 1));
    VD_EXPECT_EQ(a[0].ulValueLen, 10);
    a[0] = (CK_ATTRIBUTE){CKA_LABEL, out, CK_UNAVAILABLE_INFORMATION};
    CHECK_RV(p11->C_FindObjectsInit(s, a, 1), CKR_ATTRIBUTE_VALUE_INVALID);
    p11_end();
}

/* CKA_ALLOWED_MECHANISMS: with these and no others (4.9). */
VD_TEST(allowed_mechanisms)
{
    CK_SESSION_HANDLE s = p11_start();
    CK_MECHANISM_TYPE gcm = CKM_AES_GCM, none = 0, list[4];
    CK_ATTRIBUTE t[] = {P11_BOOL(CKA_TOKEN, true), P11_BOOL(CKA_ENCRYPT, true),
                        P11_BOOL(CKA_DECRYPT, true), P11_ULONG(CKA_ALLOWED_MECHANISMS, gcm)};
    CK_ATTRIBUTE widen = P11_ULONG(CKA_ALLOWED_MECHANISMS, none);
    CK_GCM_PARAMS p = {.pIv = out, .ulIvLen = 12, .ulTagBits = 128};
    uint8_t unaligned[sizeof(p) + 1];
    CK_MECHANISM make = {CKM_AES_KEY_GEN, NULL, 0}, own = {VD_CKM_AEAD, NULL, 0};
    CK_MECHANISM m = {CKM_AES_GCM, &p, sizeof(p)};
    CK_OBJECT_HANDLE key, free_key = p11_secret_key(s, CKM_AES_KEY_GEN, crypt_usages), found[2];
    uint8_t id[16];
    CK_ATTRIBUTE of_key = {CKA_ID, id, sizeof(id)};
    CK_ULONG size = sizeof(back), count;

    OK(p11->C_GenerateKey(s, &make, t, 4, &key));
    VD_EXPECT_EQ(p11_get(s, key, CKA_ID, id, 16), 16);
    for (unsigned again = 0; again < 2; again++) {
        VD_EXPECT_EQ(p11_get(s, key, CKA_ALLOWED_MECHANISMS, list, sizeof(list)), sizeof(gcm));
        VD_EXPECT_EQ(list[0], CKM_AES_GCM);
        CHECK_RV(p11->C_EncryptInit(s, &own, key), CKR_MECHANISM_INVALID);
        CHECK_RV(p11->C_DecryptInit(s, &own, key), CKR_MECHANISM_INVALID);
        CHECK_RV(p11->C_SetAttributeValue(s, key, &widen, 1), CKR_ATTRIBUTE_READ_ONLY);
        /* Parameters need not stand where a struct would. */
        memcpy(unaligned + 1, &p, sizeof(p));
        m.pParameter = unaligned + 1;
        OK(p11->C_EncryptInit(s, &m, key));
        size = sizeof(back);
        OK(p11->C_Encrypt(s, out, 16, back, &size));
        p11_end();
        s = p11_start();
        OK(p11->C_FindObjectsInit(s, &of_key, 1));
        OK(p11->C_FindObjects(s, found, 2, &count));
        OK(p11->C_FindObjectsFinal(s));
        VD_EXPECT_EQ(count, 1);
        key = found[0];
        out[0]++;
    }
    (void)free_key;
    p11_end();
}

/* A key that is to end with its session is not made to stay. */
VD_TEST(no_session_key_becomes_the_tokens)
{
    static const CK_ATTRIBUTE_TYPE wrap_usages[] = {CKA_WRAP, CKA_UNWRAP, 0};
    CK_SESSION_HANDLE s = p11_start();
    CK_OBJECT_HANDLE with = p11_secret_key(s, CKM_AES_KEY_GEN, wrap_usages), key, h;
    CK_ATTRIBUTE t[] = {P11_BOOL(CKA_TOKEN, true), P11_BOOL(CKA_EXTRACTABLE, true),
                        P11_BOOL(CKA_ENCRYPT, true)};
    CK_ATTRIBUTE of_session = P11_BOOL(CKA_TOKEN, false);
    CK_MECHANISM make = {CKM_AES_KEY_GEN, NULL, 0}, wrap = {VD_CKM_WRAP, NULL, 0};
    CK_ULONG size = sizeof(out);

    OK(p11->C_GenerateKey(s, &make, t, 3, &key));
    CHECK_RV(p11->C_GenerateKey(s, &make, &of_session, 1, &h), CKR_TEMPLATE_INCONSISTENT);
    OK(p11->C_WrapKey(s, &wrap, with, key, out, &size));
    CHECK_RV(p11->C_UnwrapKey(s, &wrap, with, out, size, &of_session, 1, &h),
             CKR_TEMPLATE_INCONSISTENT);
    CHECK_RV(p11->C_UnwrapKey(s, &wrap, with, out, size, NULL, 0, &h), CKR_TEMPLATE_INCONSISTENT);
    OK(p11->C_UnwrapKey(s, &wrap, with, out, size, t, 1, &h));
    p11_end();
}

/* Each is found by its label alone, also by a process that made none of them. */
VD_TEST(many_keys)
{
    const char *named = getenv("VD_PKCS11_KEYS");
    unsigned count = named != NULL ? (unsigned)strtoul(named, NULL, 10) : 200;
    CK_SESSION_HANDLE s = p11_start();
    CK_MECHANISM make = {CKM_AES_KEY_GEN, NULL, 0};
    char label[32];
    CK_OBJECT_HANDLE h, found[2];
    CK_ULONG n;

    for (unsigned i = 0; i < count; i++) {
        CK_ATTRIBUTE t[] = {P11_BOOL(CKA_TOKEN, true), P11_BYTES(CKA_LABEL, label, 0)};
        t[1].ulValueLen = (CK_ULONG)snprintf(label, sizeof(label), "one of many %u", i);
        OK(p11->C_GenerateKey(s, &make, t, 2, &h));
    }
    p11_end();
    s = p11_start();
    for (unsigned i = 0; i < count; i += 1 + count / 100) {
        CK_ATTRIBUTE t = P11_BYTES(CKA_LABEL, label, 0);
        t.ulValueLen = (CK_ULONG)snprintf(label, sizeof(label), "one of many %u", i);
        OK(p11->C_FindObjectsInit(s, &t, 1));
        OK(p11->C_FindObjects(s, found, 2, &n));
        OK(p11->C_FindObjectsFinal(s));
        VD_EXPECT_EQ(n, 1);
    }
    p11_end();
}
