/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Several threads in the same session and on the same keys; ends while others work; a slow service. */
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/integration/pkcs11/client.h"

#define THREADS 3u
#define ROUNDS  300u

static const CK_ATTRIBUTE_TYPE crypt_usages[] = {CKA_ENCRYPT, CKA_DECRYPT, 0};

struct work {
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE key, public_key;
    _Atomic bool *stop;
    CK_RV rv; /* the first that was not expected */
    bool wrong;
    unsigned done;
};

/* One message there and back, in a session that others may use or end. */
static CK_RV there_and_back(struct work *w, CK_SESSION_HANDLE s)
{
    CK_MECHANISM m = {VD_CKM_AEAD, NULL, 0};
    uint8_t text[64] = "text", sealed[256], opened[256];
    CK_ULONG size = sizeof(sealed), back = sizeof(opened);
    CK_RV rv = p11->C_EncryptInit(s, &m, w->key);

    if (rv == CKR_OK)
        rv = p11->C_Encrypt(s, text, sizeof(text), sealed, &size);
    if (rv == CKR_OK)
        rv = p11->C_DecryptInit(s, &m, w->key);
    if (rv == CKR_OK)
        rv = p11->C_Decrypt(s, sealed, size, opened, &back);
    if (rv == CKR_OK && (back != sizeof(text) || memcmp(opened, text, back) != 0))
        w->wrong = true;
    w->done += rv == CKR_OK;
    return rv;
}

static void start(pthread_t *threads, struct work *all, void *(*run)(void *))
{
    for (unsigned i = 0; i < THREADS; i++)
        VD_EXPECT(pthread_create(&threads[i], NULL, run, &all[i]) == 0);
}

static void *use_and_read(void *arg)
{
    struct work *w = arg;
    CK_SESSION_HANDLE s;
    uint8_t room[1024];

    w->rv = p11->C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &s);
    while (w->rv == CKR_OK && !atomic_load(w->stop)) {
        CK_ATTRIBUTE a[] = {{CKA_LABEL, room, 32}, {CKA_ID, room + 32, 32}};
        CK_ATTRIBUTE p = {CKA_EC_POINT, room + 64, 512};
        w->rv = there_and_back(w, s);
        if (w->rv == CKR_OK)
            w->rv = p11->C_GetAttributeValue(s, w->key, a, 2);
        if (w->rv == CKR_OK)
            w->rv = p11->C_GetAttributeValue(s, w->public_key, &p, 1);
        if (w->rv == CKR_OK && (a[0].ulValueLen != 8 || memcmp(room, "label ", 6) != 0))
            w->wrong = true;
    }
    return NULL;
}

/* What is read again from the service takes the place of what others are using at the moment. */
VD_TEST(changes_while_objects_are_used)
{
    CK_SESSION_HANDLE s = p11_start();
    _Atomic bool stop = false;
    struct work all[THREADS];
    pthread_t threads[THREADS];
    CK_OBJECT_HANDLE key = p11_secret_key(s, CKM_AES_KEY_GEN, crypt_usages), pub, prv, found[8];
    char label[] = "label 00";
    CK_ATTRIBUTE change = P11_BYTES(CKA_LABEL, label, 8);
    CK_ULONG count;

    p11_key_pair(s, CKM_EC_KEY_PAIR_GEN, &pub, &prv);
    OK(p11->C_SetAttributeValue(s, key, &change, 1));
    for (unsigned i = 0; i < THREADS; i++)
        all[i] = (struct work){.key = key, .public_key = pub, .stop = &stop};
    start(threads, all, use_and_read);
    for (unsigned i = 0; i < ROUNDS; i++) {
        label[6] = (char)('0' + i / 10 % 10);
        label[7] = (char)('0' + i % 10);
        OK(p11->C_SetAttributeValue(s, key, &change, 1));
        OK(p11->C_FindObjectsInit(s, &change, 1));
        OK(p11->C_FindObjects(s, found, 8, &count));
        OK(p11->C_FindObjectsFinal(s));
        VD_EXPECT_EQ(count, 1);
        VD_EXPECT_EQ(found[0], key);
    }
    atomic_store(&stop, true);
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        OK(all[i].rv);
        VD_EXPECT(!all[i].wrong && all[i].done > 0);
    }
    p11_end();
}

static bool ended(CK_RV rv)
{
    return rv == CKR_CRYPTOKI_NOT_INITIALIZED || rv == CKR_SESSION_HANDLE_INVALID ||
           rv == CKR_KEY_HANDLE_INVALID;
}

static void *until_the_end(void *arg)
{
    struct work *w = arg;
    CK_SESSION_HANDLE s;
    CK_TOKEN_INFO info;

    do {
        w->rv = p11->C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &s);
        if (w->rv == CKR_OK)
            w->rv = there_and_back(w, s);
        if (w->rv == CKR_OK)
            w->rv = p11->C_GetTokenInfo(1, &info);
        if (w->rv == CKR_OK)
            w->rv = p11->C_FindObjectsInit(s, NULL, 0);
    } while (w->rv == CKR_OK);
    return NULL;
}

VD_TEST(finalize_while_others_work)
{
    CK_SESSION_HANDLE s = p11_start();
    CK_OBJECT_HANDLE key = p11_secret_key(s, CKM_AES_KEY_GEN, crypt_usages), found[2];
    uint8_t id[16];
    CK_ATTRIBUTE of_key = {CKA_ID, id, sizeof(id)};
    CK_ULONG count;

    VD_EXPECT_EQ(p11_get(s, key, CKA_ID, id, sizeof(id)), sizeof(id));
    for (unsigned round = 0; round < 20; round++) {
        struct work all[THREADS] = {};
        pthread_t threads[THREADS];
        for (unsigned i = 0; i < THREADS; i++)
            all[i].key = key;
        start(threads, all, until_the_end);
        for (unsigned i = 0; i < round; i++)
            OK(there_and_back(&(struct work){.key = key}, s));
        OK(p11->C_Finalize(NULL));
        for (unsigned i = 0; i < THREADS; i++) {
            pthread_join(threads[i], NULL);
            VD_EXPECT(ended(all[i].rv) && !all[i].wrong);
        }
        s = p11_start();
        OK(p11->C_FindObjectsInit(s, &of_key, 1));
        OK(p11->C_FindObjects(s, found, 2, &count));
        OK(p11->C_FindObjectsFinal(s));
        VD_EXPECT_EQ(count, 1);
        key = found[0];
    }
    p11_end();
}

static void *in_one_session(void *arg)
{
    struct work *w = arg;

    for (unsigned i = 0; i < ROUNDS; i++) {
        CK_RV rv = there_and_back(w, w->session);
        /* Another thread's operation may be in the way, or its message come instead. */
        if (rv != CKR_OK && rv != CKR_OPERATION_ACTIVE && rv != CKR_OPERATION_NOT_INITIALIZED)
            w->rv = rv;
        if (ended(rv))
            return NULL;
    }
    return NULL;
}

VD_TEST(threads_in_one_session)
{
    CK_SESSION_HANDLE s = p11_start(), shared;
    CK_OBJECT_HANDLE key = p11_secret_key(s, CKM_AES_KEY_GEN, crypt_usages);

    for (unsigned close = 0; close < 2; close++) {
        struct work all[THREADS] = {};
        pthread_t threads[THREADS];
        OK(p11->C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &shared));
        for (unsigned i = 0; i < THREADS; i++)
            all[i] = (struct work){.key = key, .session = shared};
        start(threads, all, in_one_session);
        if (close == 1)
            OK(p11->C_CloseSession(shared));
        for (unsigned i = 0; i < THREADS; i++) {
            pthread_join(threads[i], NULL);
            VD_EXPECT(all[i].rv == CKR_OK || (close == 1 && ended(all[i].rv)));
            VD_EXPECT(!all[i].wrong);
        }
        if (close == 0)
            OK(p11->C_CloseSession(shared));
    }
    p11_end();
}

struct local {
    CK_SESSION_HANDLE session;
    CK_RV rv;
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool is_done;
};

/* Nothing of this needs the service. */
static void *local_work(void *arg)
{
    struct local *l = arg;
    CK_MECHANISM m = {CKM_SHA256, NULL, 0};
    uint8_t digest[32];
    CK_ULONG size = sizeof(digest);
    CK_SESSION_HANDLE other;
    CK_RV rv = p11->C_DigestInit(l->session, &m);

    if (rv == CKR_OK)
        rv = p11->C_Digest(l->session, digest, 32, digest, &size);
    if (rv == CKR_OK)
        rv = p11->C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &other);
    if (rv == CKR_OK)
        rv = p11->C_CloseSession(other);
    pthread_mutex_lock(&l->lock);
    l->rv = rv;
    l->is_done = true;
    pthread_cond_signal(&l->done);
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

static void *search(void *arg)
{
    struct local *l = arg;

    l->rv = p11->C_FindObjectsInit(l->session, NULL, 0);
    return NULL;
}

/* While the service lets one wait, those who do not need it go on. */
VD_TEST(slow_service)
{
    const char *named = getenv("VD_SERVICE_PID");
    struct local local = {.lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};
    struct local waiting = {};
    pthread_t threads[2];
    struct timespec until;
    pid_t pid;

    if (named == NULL)
        vd_test_skip("VD_SERVICE_PID names no service");
    pid = (pid_t)strtol(named, NULL, 10);
    local.session = p11_start();
    OK(p11->C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &waiting.session));
    VD_EXPECT(kill(pid, SIGSTOP) == 0);
    VD_EXPECT(pthread_create(&threads[0], NULL, search, &waiting) == 0);
    nanosleep(&(struct timespec){.tv_nsec = 50'000'000}, NULL); /* it waits by then, most times */
    VD_EXPECT(pthread_create(&threads[1], NULL, local_work, &local) == 0);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 10; /* after which the service goes on in any case */
    pthread_mutex_lock(&local.lock);
    while (!local.is_done && pthread_cond_timedwait(&local.done, &local.lock, &until) == 0)
        continue;
    pthread_mutex_unlock(&local.lock);
    bool in_time = local.is_done;
    kill(pid, SIGCONT);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    VD_EXPECT(in_time);
    OK(local.rv);
    OK(waiting.rv);
    p11_end();
}

static unsigned sockets_open(void)
{
    struct stat st;
    unsigned count = 0;

    for (int fd = 3; fd < 1024; fd++)
        count += fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
    return count;
}

/* A child keeps none of its parent's connections: the service would take the parent for alive. */
VD_TEST(child_has_no_connection)
{
    unsigned before = sockets_open();
    CK_SESSION_HANDLE s = p11_start();
    int status;
    pid_t child;

    (void)p11_secret_key(s, CKM_AES_KEY_GEN, crypt_usages);
    VD_EXPECT(sockets_open() > before);
    child = fork();
    if (child == 0)
        _exit(sockets_open() == before ? 0 : 1);
    VD_EXPECT(waitpid(child, &status, 0) == child);
    VD_EXPECT_EQ(status, 0);
    p11_end();
}

static void every_kind(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, CK_OBJECT_HANDLE prv)
{
    CK_MECHANISM digest = {CKM_SHA256, NULL, 0}, sign = {CKM_ECDSA_SHA256, NULL, 0};
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_ATTRIBUTE t[] = {P11_ULONG(CKA_CLASS, class), P11_BYTES(CKA_VALUE, "value", 5)};
    struct work w = {.key = key};
    CK_OBJECT_HANDLE o, found[4];
    CK_SESSION_HANDLE other;
    uint8_t out[128];
    CK_ULONG size = sizeof(out), count;

    OK(there_and_back(&w, s));
    OK(p11->C_DigestInit(s, &digest));
    OK(p11->C_Digest(s, out, 10, out, &size));
    size = sizeof(out);
    OK(p11->C_SignInit(s, &sign, prv));
    OK(p11->C_Sign(s, out, 10, out, &size));
    OK(p11->C_CreateObject(s, t, 2, &o));
    OK(p11->C_FindObjectsInit(s, t, 2));
    OK(p11->C_FindObjects(s, found, 4, &count));
    VD_EXPECT_EQ(count, 1);
    OK(p11->C_FindObjectsFinal(s));
    OK(p11->C_DestroyObject(s, o));
    OK(p11->C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &other));
    OK(p11->C_CreateObject(other, t, 2, &o));
    OK(p11->C_SignInit(other, &sign, prv));
    OK(p11->C_CloseSession(other));
}

/* However often, the process has what it had. */
VD_TEST(operations_leave_nothing)
{
    CK_SESSION_HANDLE s = p11_start();
    CK_OBJECT_HANDLE key = p11_secret_key(s, CKM_AES_KEY_GEN, crypt_usages), pub, prv;
    size_t before;

    p11_key_pair(s, CKM_EC_KEY_PAIR_GEN, &pub, &prv);
    for (unsigned i = 0; i < 20; i++)
        every_kind(s, key, prv);
    before = mallinfo2().uordblks;
    for (unsigned i = 0; i < 2000; i++)
        every_kind(s, key, prv);
    VD_EXPECT_EQ(mallinfo2().uordblks, before);
    p11_end();
}
