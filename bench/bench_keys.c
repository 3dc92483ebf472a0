/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The key service against OpenSSL in the same process and against SoftHSM2, interleaved in the
 * same run: large and small encryptions, batches, signatures of several clients at once, and
 * what recording costs. Elapsed time, since half of the work is the service's; signatures by the
 * CPU time of all processes.
 */
#define _GNU_SOURCE
#include "bench/bench_keys.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/bench.h"
#include "lib/keyclient/keyclient.h"
#include "lib/sys.h"

#define PAIRS   15u
#define LARGE   (1u << 20)
#define SMALL   16u
#define BATCH   64u
#define THREADS 8u

static char dir[] = "/var/tmp/veridian-bench-XXXXXX";

void bench_keys_give_up(const char *what)
{
    fprintf(stderr, "bench_keys: %s\n", what);
    exit(1);
}

static void check(vd_status status, const struct vd_diag *diag)
{
    if (status != VD_OK)
        bench_keys_give_up(diag->text);
}

/* Starts a daemon of the build and waits for its word. */
static pid_t start(const char *const *words)
{
    const char *build = getenv("VD_BUILD_ROOT");
    char path[512], number[16], word[8];
    const char *all[32] = {};
    int ends[2];
    size_t count = 0;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) != 0 || (pid = fork()) < 0)
        bench_keys_give_up("no other process");
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        fcntl(ends[1], F_SETFD, 0);
        snprintf(path, sizeof(path), "%s/bin/%s", build != NULL ? build : "build", words[0]);
        snprintf(number, sizeof(number), "%d", ends[1]);
        while (words[count] != NULL) {
            all[count] = words[count];
            count++;
        }
        all[count++] = "--ready-fd";
        all[count++] = number;
        (void)!freopen("/dev/null", "w", stderr);
        execv(path, (char *const *)(uintptr_t)all);
        _exit(126);
    }
    close(ends[1]);
    if (read(ends[0], word, sizeof(word)) <= 0)
        bench_keys_give_up("a daemon does not start");
    close(ends[0]);
    return pid;
}

/* A service with its client. */
struct service {
    struct vd_keyclient *client;
    struct vd_keyclient_key *aes;
    pid_t pid, auditd;
};

static void start_service(struct service *s, const char *name, bool audit)
{
    char store[64], socket[64], passphrase[64], log[64], audit_socket[64];
    const struct vd_keyclient_options options = {.socket = socket, .connections = 2 * THREADS};
    struct vd_diag diag = {};
    FILE *file;

    snprintf(store, sizeof(store), "%s/%s", dir, name);
    snprintf(socket, sizeof(socket), "%s/%s.sock", dir, name);
    snprintf(passphrase, sizeof(passphrase), "%s/pass", dir);
    snprintf(log, sizeof(log), "%s/log", dir);
    snprintf(audit_socket, sizeof(audit_socket), "%s/audit.sock", dir);
    file = fopen(passphrase, "w");
    if (file == NULL || fputs("a passphrase\n", file) < 0 || fclose(file) != 0)
        bench_keys_give_up("no passphrase");
    if (audit) {
        const char *const words[] = {"veridian-auditd", "--foreground", "--log", log, "--socket",
                                     audit_socket,      "--ring",       "none",  NULL};
        s->auditd = start(words);
    }
    const char *const words[] = {
        "veridian-cryptod",  "--foreground", "--store", store,
        "--socket",          socket,         "--root",  "passphrase",
        "--passphrase-file", passphrase,     "--audit", audit ? "required" : "off",
        "--audit-socket",    audit_socket,   NULL};
    s->pid = start(words);
    check(vd_keyclient_new(&options, &s->client, &diag), &diag);
}

static struct vd_keyclient_key *make_key(struct service *s, const char *name, uint16_t type)
{
    struct vd_key_attributes attributes = {.type = type};
    struct vd_keyclient_key *key;
    uint8_t id[VD_KEY_ID_SIZE];
    struct vd_diag diag = {};

    snprintf(attributes.name, sizeof(attributes.name), "%s", name);
    check(vd_keyclient_create(s->client, &attributes, id, &diag), &diag);
    check(vd_keyclient_open(s->client, name, &key, &diag), &diag);
    return key;
}

static void stop_service(struct service *s)
{
    vd_keyclient_key_free(s->aes);
    vd_keyclient_free(s->client);
    kill(s->pid, SIGTERM);
    waitpid(s->pid, NULL, 0);
    if (s->auditd != 0) {
        kill(s->auditd, SIGTERM);
        waitpid(s->auditd, NULL, 0);
    }
}

static struct service service, recorded;
static struct bench_softhsm softhsm, module;
static uint8_t text[LARGE], out[LARGE + 64];

/* What is compared: some calls, and how many. */
typedef void work(uint32_t calls);

static uint64_t cpu_of(clockid_t clock)
{
    struct timespec time;

    if (clock_gettime(clock, &time) != 0)
        bench_keys_give_up("no CPU time");
    return (uint64_t)time.tv_sec * 1'000'000'000u + (uint64_t)time.tv_nsec;
}

/* CPU time of this process and of both services. */
static uint64_t cpu_of_all(void)
{
    clockid_t one, two;

    if (clock_getcpuclockid(service.pid, &one) != 0 || clock_getcpuclockid(recorded.pid, &two) != 0)
        bench_keys_give_up("no CPU time of a service");
    return cpu_of(CLOCK_PROCESS_CPUTIME_ID) + cpu_of(one) + cpu_of(two);
}

static bool by_cpu; /* what is measured: CPU time, else elapsed time */

static double measure(work *run, uint32_t calls)
{
    uint64_t before = by_cpu ? cpu_of_all() : vd_sys_monotonic_ns();

    run(calls);
    return (double)((by_cpu ? cpu_of_all() : vd_sys_monotonic_ns()) - before) / calls;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, PAIRS, sizeof(*values), by_size);
    return values[PAIRS / 2];
}

struct pair {
    const char *name, *peer;
    work *run, *peer_run;
    uint32_t calls, peer_calls;
    double per_call; /* operations in a call */
};

/* The ratio is of speeds: more than 1 is faster than the peer. */
static void compare(const struct pair *p)
{
    double own[PAIRS], other[PAIRS], ratio[PAIRS];

    measure(p->run, p->calls / 4 + 1);
    measure(p->peer_run, p->peer_calls / 4 + 1);
    for (uint32_t i = 0; i < PAIRS; i++) {
        own[i] = measure(p->run, p->calls) / p->per_call;
        other[i] = measure(p->peer_run, p->peer_calls) / p->per_call;
        ratio[i] = other[i] / own[i];
    }
    vd_bench_report(p->name, median(own), "ns/op", p->peer, median(other), median(ratio), PAIRS);
}

static struct vd_keyclient_room *room, *recorded_room;

static void encrypt_large(struct service *s, struct vd_keyclient_room *r, uint32_t calls)
{
    uint8_t *data = vd_keyclient_room_data(r);
    struct vd_diag diag = {};

    while (calls-- != 0) {
        struct vd_keyclient_op op = {.key = s->aes,
                                     .room = r,
                                     .text = {data, LARGE},
                                     .out = {data + LARGE, LARGE + 4096, 0}};
        check(vd_keyclient_operate(s->client, VD_KEY_ENCRYPT, &op, &diag), &diag);
    }
}

static void large(uint32_t calls)
{
    encrypt_large(&service, room, calls);
}

static void large_recorded(uint32_t calls)
{
    encrypt_large(&recorded, recorded_room, calls);
}

static void encrypt_evp(uint32_t calls, size_t size)
{
    static const uint8_t key[32] = {1};
    static EVP_CIPHER_CTX *ctx;
    uint8_t iv[12] = {}, tag[16];
    int len;

    if (ctx == NULL) {
        ctx = EVP_CIPHER_CTX_new();
        if (EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, iv) != 1)
            bench_keys_give_up("no AES");
    }
    while (calls-- != 0) {
        iv[0]++;
        if (EVP_EncryptInit_ex(ctx, NULL, NULL, NULL, iv) != 1 ||
            EVP_EncryptUpdate(ctx, out, &len, text, (int)size) != 1 ||
            EVP_EncryptFinal_ex(ctx, out + len, &len) != 1 ||
            EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, tag) != 1)
            bench_keys_give_up("AES failed");
    }
}

static void large_evp(uint32_t calls)
{
    encrypt_evp(calls, LARGE);
}

static void large_softhsm(uint32_t calls)
{
    while (calls-- != 0)
        bench_softhsm_encrypt(&softhsm, text, LARGE, out, sizeof(out));
}

static void encrypt_small(struct service *s, uint32_t calls)
{
    struct vd_diag diag = {};

    while (calls-- != 0) {
        struct vd_keyclient_op op = {
            .key = s->aes, .text = {text, SMALL}, .out = {out, sizeof(out), 0}};
        check(vd_keyclient_operate(s->client, VD_KEY_ENCRYPT, &op, &diag), &diag);
    }
}

static void small(uint32_t calls)
{
    encrypt_small(&service, calls);
}

static void small_recorded(uint32_t calls)
{
    encrypt_small(&recorded, calls);
}

static void small_softhsm(uint32_t calls)
{
    while (calls-- != 0)
        bench_softhsm_encrypt(&softhsm, text, SMALL, out, sizeof(out));
}

static void module_small(uint32_t calls)
{
    while (calls-- != 0)
        bench_softhsm_encrypt(&module, text, SMALL, out, sizeof(out));
}

static void module_large(uint32_t calls)
{
    while (calls-- != 0)
        bench_softhsm_encrypt(&module, text, LARGE, out, sizeof(out));
}

static void encrypt_batch(struct service *s, uint32_t calls)
{
    struct vd_keyclient_op ops[BATCH];
    struct vd_diag diag = {};

    for (uint32_t i = 0; i < BATCH; i++)
        ops[i] = (struct vd_keyclient_op){
            .key = s->aes, .text = {text, SMALL}, .out = {out + (size_t)i * 128, 128, 0}};
    while (calls-- != 0)
        check(vd_keyclient_batch(s->client, VD_KEY_ENCRYPT, ops, BATCH, &diag), &diag);
}

static void batch(uint32_t calls)
{
    encrypt_batch(&service, calls);
}

static void batch_recorded(uint32_t calls)
{
    encrypt_batch(&recorded, calls);
}

static void batch_softhsm(uint32_t calls)
{
    small_softhsm(calls * BATCH);
}

/* Signatures of several threads at once. */
static struct vd_keyclient_key *sign_key, *sign_recorded;
static EVP_PKEY *sign_pkey;
static const EVP_MD *sign_digest;
static uint32_t sign_calls;

static void *sign_by(struct service *s, struct vd_keyclient_key *key)
{
    uint8_t signature[4096];
    struct vd_diag diag = {};

    for (uint32_t i = 0; i < sign_calls; i++) {
        struct vd_keyclient_op op = {
            .key = key, .text = {text, 32}, .out = {signature, sizeof(signature), 0}};
        check(vd_keyclient_operate(s->client, VD_KEY_SIGN, &op, &diag), &diag);
    }
    return NULL;
}

static void *sign_here(void *arg)
{
    return sign_by(&service, sign_key);
}

static void *sign_there(void *arg)
{
    return sign_by(&recorded, sign_recorded);
}

static void *sign_evp(void *arg)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t signature[4096];

    for (uint32_t i = 0; i < sign_calls; i++) {
        size_t size = sizeof(signature);
        if (EVP_DigestSignInit(ctx, NULL, sign_digest, NULL, sign_pkey) != 1 ||
            EVP_DigestSign(ctx, signature, &size, text, 32) != 1)
            bench_keys_give_up("no signature");
    }
    EVP_MD_CTX_free(ctx);
    return NULL;
}

static void in_threads(void *(*body)(void *), uint32_t calls)
{
    pthread_t threads[THREADS];

    sign_calls = calls / THREADS + 1;
    for (uint32_t i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, body, NULL) != 0)
            bench_keys_give_up("no thread");
    for (uint32_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void signatures(uint32_t calls)
{
    in_threads(sign_here, calls);
}

static void signatures_recorded(uint32_t calls)
{
    in_threads(sign_there, calls);
}

static void signatures_evp(uint32_t calls)
{
    in_threads(sign_evp, calls);
}

static void bench_signatures(const char *name, uint16_t type, const char *openssl, uint32_t calls)
{
    char title[64], title_recorded[64];
    const struct pair plain = {
        title, "OpenSSL, 8 threads", signatures, signatures_evp, calls, calls, 1};
    const struct pair record = {
        title_recorded, "not recorded", signatures_recorded, signatures, calls, calls, 1};

    snprintf(title, sizeof(title), "keys.sign.%s", name);
    snprintf(title_recorded, sizeof(title_recorded), "keys.sign.%s.recorded", name);
    sign_key = make_key(&service, name, type);
    sign_recorded = make_key(&recorded, name, type);
    sign_pkey = strcmp(openssl, "EC") == 0 ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256")
                                           : EVP_PKEY_Q_keygen(NULL, NULL, openssl);
    sign_digest = strcmp(openssl, "EC") == 0 ? EVP_sha256() : NULL;
    if (sign_pkey == NULL)
        bench_keys_give_up("no key");
    compare(&plain);
    compare(&record);
    EVP_PKEY_free(sign_pkey);
    vd_keyclient_key_free(sign_key);
    vd_keyclient_key_free(sign_recorded);
}

static void bench_encryption(void)
{
    static const struct pair pairs[] = {
        {"keys.aes.1MiB", "OpenSSL", large, large_evp, 60, 60, 1},
        {"keys.aes.16B.recorded", "not recorded", small_recorded, small, 2000, 2000, 1},
        {"keys.aes.1MiB.recorded", "not recorded", large_recorded, large, 60, 60, 1},
        {"keys.aes.batch64.recorded", "not recorded", batch_recorded, batch, 200, 200, BATCH},
    };
    static const struct pair against_softhsm[] = {
        {"keys.aes.1MiB", "SoftHSM2", large, large_softhsm, 20, 4, 1},
        {"keys.aes.16B", "SoftHSM2", small, small_softhsm, 2000, 2000, 1},
        {"keys.pkcs11.16B", "SoftHSM2", module_small, small_softhsm, 2000, 2000, 1},
        {"keys.pkcs11.1MiB", "SoftHSM2", module_large, large_softhsm, 20, 4, 1},
        {"keys.aes.batch64", "SoftHSM2", batch, batch_softhsm, 200, 20, BATCH},
    };

    for (size_t i = 0; i < VD_COUNT(pairs); i++)
        compare(&pairs[i]);
    for (size_t i = 0; i < VD_COUNT(against_softhsm) && softhsm.functions != NULL; i++)
        compare(&against_softhsm[i]);
}

static void remove_all(void)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf %s", dir);
    if (system(command) != 0)
        fprintf(stderr, "bench_keys: %s stays\n", dir);
}

int main(void)
{
    struct vd_diag diag = {};
    char socket[64];

    if (mkdtemp(dir) == NULL)
        bench_keys_give_up("no directory");
    atexit(remove_all);
    start_service(&service, "plain", false);
    start_service(&recorded, "recorded", true);
    service.aes = make_key(&service, "aes", VD_ALG_AES_256_GCM);
    recorded.aes = make_key(&recorded, "aes", VD_ALG_AES_256_GCM);
    check(vd_keyclient_room_take(service.client, 3 * LARGE, &room, &diag), &diag);
    check(vd_keyclient_room_take(recorded.client, 3 * LARGE, &recorded_room, &diag), &diag);
    bench_softhsm_open(&softhsm, dir);
    snprintf(socket, sizeof(socket), "%s/plain.sock", dir);
    bench_module_open(&module, socket);
    bench_encryption();
    /* Eight threads keep every processor busy: what counts is what an operation takes of them. */
    by_cpu = true;
    bench_signatures("ecdsa-p256", VD_ALG_ECDSA_P256, "EC", 2000);
    bench_signatures("ed25519", VD_ALG_ED25519, "ED25519", 2000);
    bench_signatures("ml-dsa-65", VD_ALG_ML_DSA_65, "ML-DSA-65", 400);
    vd_keyclient_room_free(room);
    vd_keyclient_room_free(recorded_room);
    stop_service(&service);
    stop_service(&recorded);
    return 0;
}
