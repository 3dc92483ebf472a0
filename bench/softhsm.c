/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "bench/bench_keys.h"

#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PIN "1234"

static void check(CK_RV rv)
{
    if (rv != CKR_OK)
        bench_keys_give_up("a PKCS #11 module failed");
}

/* NULL: it is not there. */
static CK_FUNCTION_LIST *load_from(const char *path)
{
    CK_FUNCTION_LIST *functions;
    CK_C_GetFunctionList get;
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);

    if (module == NULL)
        return NULL;
    get = (CK_C_GetFunctionList)dlsym(module, "C_GetFunctionList");
    if (get == NULL)
        return NULL;
    check(get(&functions));
    return functions;
}

static CK_FUNCTION_LIST *load(const char *dir)
{
    char path[256];
    FILE *file;

    snprintf(path, sizeof(path), "%s/tokens", dir);
    mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s/softhsm2.conf", dir);
    file = fopen(path, "w");
    if (file == NULL || fprintf(file, "directories.tokendir = %s/tokens\n", dir) < 0 ||
        fclose(file) != 0)
        bench_keys_give_up("no configuration for SoftHSM2");
    setenv("SOFTHSM2_CONF", path, 1);
    return load_from("/usr/lib/softhsm/libsofthsm2.so");
}

static CK_SLOT_ID make_token(CK_FUNCTION_LIST *f)
{
    CK_SLOT_ID slots[8];
    CK_SESSION_HANDLE session;
    CK_ULONG count = 8;
    CK_UTF8CHAR label[32];

    memset(label, ' ', sizeof(label));
    memcpy(label, "bench", 5);
    check(f->C_GetSlotList(CK_FALSE, slots, &count));
    check(f->C_InitToken(slots[0], (CK_UTF8CHAR *)PIN, 4, label));
    count = 8;
    check(f->C_GetSlotList(CK_TRUE, slots, &count));
    check(f->C_OpenSession(slots[0], CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session));
    check(f->C_Login(session, CKU_SO, (CK_UTF8CHAR *)PIN, 4));
    check(f->C_InitPIN(session, (CK_UTF8CHAR *)PIN, 4));
    check(f->C_CloseSession(session));
    return slots[0];
}

void bench_softhsm_open(struct bench_softhsm *ret, const char *dir)
{
    CK_FUNCTION_LIST *f = load(dir);
    CK_MECHANISM mechanism = {CKM_AES_KEY_GEN, NULL, 0};
    CK_BBOOL yes = CK_TRUE;
    CK_ULONG size = 32;
    CK_ATTRIBUTE attributes[] = {
        {CKA_VALUE_LEN, &size, sizeof(size)}, {CKA_TOKEN, &yes, sizeof(yes)},
        {CKA_SENSITIVE, &yes, sizeof(yes)},   {CKA_PRIVATE, &yes, sizeof(yes)},
        {CKA_ENCRYPT, &yes, sizeof(yes)},
    };
    CK_SLOT_ID slot;

    *ret = (struct bench_softhsm){};
    if (f == NULL)
        return;
    check(f->C_Initialize(NULL));
    slot = make_token(f);
    check(f->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &ret->session));
    check(f->C_Login(ret->session, CKU_USER, (CK_UTF8CHAR *)PIN, 4));
    check(f->C_GenerateKey(ret->session, &mechanism, attributes, 5, &ret->key));
    ret->functions = f;
}

void bench_module_open(struct bench_softhsm *ret, const char *socket)
{
    const char *build = getenv("VD_BUILD_ROOT");
    CK_MECHANISM mechanism = {CKM_AES_KEY_GEN, NULL, 0};
    CK_MECHANISM_TYPE allowed = CKM_AES_GCM;
    CK_BBOOL yes = CK_TRUE;
    CK_ATTRIBUTE attributes[] = {
        {CKA_TOKEN, &yes, sizeof(yes)},
        {CKA_ENCRYPT, &yes, sizeof(yes)},
        {CKA_ALLOWED_MECHANISMS, &allowed, sizeof(allowed)},
    };
    CK_FUNCTION_LIST *f;
    char path[512];

    snprintf(path, sizeof(path), "%s/lib/libveridian-pkcs11.so", build != NULL ? build : "build");
    setenv("VERIDIAN_CRYPTO_SOCKET", socket, 1);
    f = load_from(path);
    if (f == NULL)
        bench_keys_give_up("the build has no PKCS #11 module");
    check(f->C_Initialize(NULL));
    check(f->C_OpenSession(1, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &ret->session));
    check(f->C_GenerateKey(ret->session, &mechanism, attributes, 3, &ret->key));
    ret->functions = f;
}

void bench_softhsm_encrypt(struct bench_softhsm *s, const uint8_t *text, size_t size, uint8_t *out,
                           size_t room)
{
    static uint64_t count;
    CK_FUNCTION_LIST *f = s->functions;
    CK_BYTE iv[12] = {};
    CK_GCM_PARAMS params = {.pIv = iv, .ulIvLen = 12, .ulIvBits = 96, .ulTagBits = 128};
    CK_MECHANISM mechanism = {CKM_AES_GCM, &params, sizeof(params)};
    CK_ULONG len = room;

    count++;
    memcpy(iv, &count, sizeof(count));
    check(f->C_EncryptInit(s->session, &mechanism, s->key));
    check(f->C_Encrypt(s->session, (CK_BYTE *)(uintptr_t)text, size, out, &len));
}
