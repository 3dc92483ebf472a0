/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Unsealing on a software TPM, by the clock since the TPM is another process: with everything
 * kept (warm) and from opening the connection to closing it (cold). The peers do the same job
 * in the same turn: a secret encrypted on its way, under a salted policy session over a PCR.
 */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <tss2/tss2_esys.h>
#include <tss2/tss2_mu.h>
#include <tss2/tss2_tctildr.h>

#include "bench/bench.h"
#include "hardware/tpm/slots.h"
#include "hardware/tpm/unseal.h"
#include "lib/file.h"

#define TURNS      41u
#define TOOL_TURNS 11u
#define CHECK(call)                                                       \
    do {                                                                  \
        if (!(call)) {                                                    \
            fprintf(stderr, "bench_tpm: line %d: %s\n", __LINE__, #call); \
            stop();                                                       \
        }                                                                 \
    } while (0)

extern char **environ;

static const struct vd_tpm_selection selection = {
    .count = 1, .bank = {{.algorithm = VD_TPM_ALG_SHA256, .pcrs = 1u << 16}}};
static const uint8_t planted[32] = "0123456789abcdef0123456789abcde";
static char dir[] = "/tmp/bench_tpm.XXXXXX";
static char name[128]; /* of the TPM, as both sides take it */
static pid_t swtpm;
static struct vd_tpm_lock lock;

_Noreturn static void stop(void)
{
    if (swtpm > 0)
        (void)kill(swtpm, SIGTERM);
    exit(1);
}

static double now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), by_value);
    return values[count / 2];
}

static void start_swtpm(void)
{
    char state[64], server[128], control[128], path[64];
    const char *args[] = {"swtpm",
                          "socket",
                          "--tpm2",
                          "--tpmstate",
                          state,
                          "--server",
                          server,
                          "--ctrl",
                          control,
                          "--flags",
                          "not-need-init,startup-clear",
                          NULL};
    posix_spawn_file_actions_t quiet;
    struct stat st;

    CHECK(posix_spawn_file_actions_init(&quiet) == 0);
    CHECK(posix_spawn_file_actions_addopen(&quiet, 2, "/dev/null", O_WRONLY, 0) == 0);
    CHECK(mkdtemp(dir) != NULL);
    (void)snprintf(state, sizeof(state), "dir=%s", dir);
    (void)snprintf(server, sizeof(server), "type=unixio,path=%s/data", dir);
    (void)snprintf(control, sizeof(control), "type=unixio,path=%s/data.ctrl", dir);
    (void)snprintf(path, sizeof(path), "%s/data.ctrl", dir);
    (void)snprintf(name, sizeof(name), "swtpm:path=%s/data", dir);
    if (posix_spawnp(&swtpm, "swtpm", &quiet, NULL, (char *const *)args, environ) != 0) {
        fprintf(stderr, "bench_tpm: swtpm is not installed\n");
        exit(3);
    }
    for (int i = 0; stat(path, &st) != 0; i++) {
        CHECK(i < 3000);
        (void)usleep(10000);
    }
}

/* Ours: what stays between warm calls. */
struct ours {
    struct vd_tpm tpm;
    struct vd_tpm_unsealer unsealer;
};

static void ours_open(struct ours *o, bool keep)
{
    *o = (struct ours){.unsealer = {.lock = &lock, .keep = keep}};
    CHECK(vd_tpm_open(&o->tpm, name, NULL) == VD_OK);
    o->unsealer.link.tpm = &o->tpm;
    CHECK(vd_tpm_crypto_new(&o->unsealer.link.crypto, NULL) == VD_OK);
}

static void ours_unseal(struct ours *o)
{
    struct vd_tpm_secret secret;

    CHECK(vd_tpm_unsealer_run(&o->unsealer, NULL, &secret, NULL, NULL) == VD_OK);
    CHECK(secret.size == sizeof(planted) && memcmp(secret.bytes, planted, sizeof(planted)) == 0);
}

static void ours_close(struct ours *o)
{
    vd_tpm_unsealer_done(&o->unsealer);
    vd_tpm_crypto_free(o->unsealer.link.crypto);
    vd_tpm_close(&o->tpm);
}

static void ours_cold(void)
{
    struct ours o;

    ours_open(&o, false);
    ours_unseal(&o);
    ours_close(&o);
}

/* Seals to the PCR as it is: reads it, asks for the parent, session, object. */
static void ours_seal_cold(void)
{
    struct vd_tpm_secret secret = {.size = sizeof(planted)};
    struct vd_tpm_step *step = &lock.policy.branch[0].step[0];
    uint8_t policy[VD_TPM_HASH_SIZE];
    struct vd_tpm_seal_request request = {
        .parent = &lock.parent, .policy = policy, .secret = &secret};
    struct vd_tpm_session session = {};
    struct ours o;

    memcpy(secret.bytes, planted, sizeof(planted));
    ours_open(&o, false);
    lock.policy.count = lock.policy.branch[0].count = 1;
    step->kind = VD_TPM_STEP_PCR;
    CHECK(vd_tpm_pcr_read(&o.tpm, &selection.bank[0], &step->bank, NULL) == VD_OK);
    CHECK(vd_tpm_policy_digest(o.unsealer.link.crypto, &lock.policy, policy) == VD_OK);
    CHECK(vd_tpm_srk(&o.unsealer.link, &lock.parent, NULL) == VD_OK);
    CHECK(vd_tpm_session_start(&o.unsealer.link, VD_TPM_SESSION_HMAC, &lock.parent, &session,
                               NULL) == VD_OK);
    session.last = true;
    CHECK(vd_tpm_seal(&o.unsealer.link, &session, &request, &lock.object, NULL) == VD_OK);
    ours_close(&o);
}

/* The peer: tpm2-tss' ESAPI. */
struct peer {
    TSS2_TCTI_CONTEXT *tcti;
    ESYS_CONTEXT *esys;
    ESYS_TR key, session, object;
};

static const TPMT_SYM_DEF aes = {
    .algorithm = TPM2_ALG_AES, .keyBits = {.aes = 128}, .mode = {.aes = TPM2_ALG_CFB}};

static void peer_open(struct peer *p)
{
    *p = (struct peer){};
    CHECK(Tss2_TctiLdr_Initialize(name, &p->tcti) == TSS2_RC_SUCCESS);
    CHECK(Esys_Initialize(&p->esys, p->tcti, NULL) == TSS2_RC_SUCCESS);
    CHECK(Esys_TR_FromTPMPublic(p->esys, VD_TPM_SRK, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                &p->key) == TSS2_RC_SUCCESS);
}

static void peer_load(struct peer *p)
{
    TPM2B_PRIVATE private = {};
    TPM2B_PUBLIC public = {};
    size_t at = 0;

    CHECK(Tss2_MU_TPM2B_PUBLIC_Unmarshal(lock.object.public_area, lock.object.public_size, &at,
                                         &public) == TSS2_RC_SUCCESS);
    at = 0;
    CHECK(Tss2_MU_TPM2B_PRIVATE_Unmarshal(lock.object.private_area, lock.object.private_size, &at,
                                          &private) == TSS2_RC_SUCCESS);
    CHECK(Esys_StartAuthSession(p->esys, p->key, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                ESYS_TR_NONE, NULL, TPM2_SE_POLICY, &aes, TPM2_ALG_SHA256,
                                &p->session) == TSS2_RC_SUCCESS);
    CHECK(Esys_TRSess_SetAttributes(p->esys, p->session,
                                    TPMA_SESSION_ENCRYPT | TPMA_SESSION_CONTINUESESSION,
                                    0xff) == TSS2_RC_SUCCESS);
    CHECK(Esys_Load(p->esys, p->key, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &private,
                    &public, &p->object) == TSS2_RC_SUCCESS);
}

static void peer_unseal(struct peer *p)
{
    const TPML_PCR_SELECTION pcrs = {
        .count = 1,
        .pcrSelections = {{.hash = TPM2_ALG_SHA256, .sizeofSelect = 3, .pcrSelect = {0, 0, 1}}}};
    TPM2B_SENSITIVE_DATA *data = NULL;

    CHECK(Esys_PolicyPCR(p->esys, p->session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, NULL,
                         &pcrs) == TSS2_RC_SUCCESS);
    CHECK(Esys_Unseal(p->esys, p->object, p->session, ESYS_TR_NONE, ESYS_TR_NONE, &data) ==
          TSS2_RC_SUCCESS);
    CHECK(data->size == sizeof(planted) && memcmp(data->buffer, planted, sizeof(planted)) == 0);
    Esys_Free(data);
}

static void peer_close(struct peer *p)
{
    CHECK(Esys_FlushContext(p->esys, p->object) == TSS2_RC_SUCCESS);
    CHECK(Esys_FlushContext(p->esys, p->session) == TSS2_RC_SUCCESS);
    Esys_Finalize(&p->esys);
    Tss2_TctiLdr_Finalize(&p->tcti);
}

static void peer_cold(void)
{
    struct peer p;

    peer_open(&p);
    peer_load(&p);
    peer_unseal(&p);
    peer_close(&p);
}

/* The same sealing: PCR read, session, create. */
static void peer_seal_cold(void)
{
    static const TPM2B_PUBLIC template = {
        .publicArea = {.type = TPM2_ALG_KEYEDHASH,
                       .nameAlg = TPM2_ALG_SHA256,
                       .objectAttributes =
                           TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_NODA,
                       .authPolicy = {.size = TPM2_SHA256_DIGEST_SIZE},
                       .parameters.keyedHashDetail.scheme.scheme = TPM2_ALG_NULL}};
    const TPML_PCR_SELECTION pcrs = {
        .count = 1,
        .pcrSelections = {{.hash = TPM2_ALG_SHA256, .sizeofSelect = 3, .pcrSelect = {0, 0, 1}}}};
    TPM2B_SENSITIVE_CREATE sensitive = {.sensitive.data.size = sizeof(planted)};
    const TPM2B_DATA outside = {};
    const TPML_PCR_SELECTION none = {};
    TPML_PCR_SELECTION *read = NULL;
    TPML_DIGEST *values = NULL;
    TPM2B_PRIVATE *private = NULL;
    TPM2B_PUBLIC *public = NULL;
    struct peer p;

    memcpy(sensitive.sensitive.data.buffer, planted, sizeof(planted));
    peer_open(&p);
    CHECK(Esys_PCR_Read(p.esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &pcrs, NULL, &read,
                        &values) == TSS2_RC_SUCCESS);
    CHECK(Esys_StartAuthSession(p.esys, p.key, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                ESYS_TR_NONE, NULL, TPM2_SE_HMAC, &aes, TPM2_ALG_SHA256,
                                &p.session) == TSS2_RC_SUCCESS);
    CHECK(Esys_TRSess_SetAttributes(p.esys, p.session, TPMA_SESSION_DECRYPT, 0xff) ==
          TSS2_RC_SUCCESS);
    CHECK(Esys_Create(p.esys, p.key, p.session, ESYS_TR_NONE, ESYS_TR_NONE, &sensitive, &template,
                      &outside, &none, &private, &public, NULL, NULL, NULL) == TSS2_RC_SUCCESS);
    Esys_Free(read);
    Esys_Free(values);
    Esys_Free(private);
    Esys_Free(public);
    Esys_Finalize(&p.esys);
    Tss2_TctiLdr_Finalize(&p.tcti);
}

/* What swtpm itself needs for the one elliptic curve operation that every salted session costs. */
static void floor_session(void)
{
    struct vd_tpm_session session = {};
    struct ours o;

    ours_open(&o, false);
    CHECK(vd_tpm_session_start(&o.unsealer.link, VD_TPM_SESSION_POLICY, &lock.parent, &session,
                               NULL) == VD_OK);
    vd_tpm_session_end(&o.unsealer.link, &session);
    ours_close(&o);
}

/* tpm2-tools: policy of the PCR as it is, create. */
static void tools_seal_cold(void)
{
    char command[1024];

    (void)snprintf(command, sizeof(command),
                   "cd %s && export TPM2TOOLS_TCTI=%s && "
                   "tpm2_createpolicy -Q --policy-pcr -l sha256:16 -L policy && "
                   "tpm2_create -Q -C 0x81000001 -L policy -i secret -u pub2 -r priv2 && "
                   "tpm2_flushcontext -t",
                   dir, name);
    CHECK(system(command) == 0);
}

/* tpm2-tools: load, unseal, flush. */
static void tools_cold(void)
{
    char command[1024];

    (void)snprintf(command, sizeof(command),
                   "cd %s && export TPM2TOOLS_TCTI=%s && tpm2_load -Q -C 0x81000001 -u pub -r priv "
                   "-c ctx && tpm2_unseal -c ctx -p pcr:sha256:16 >/dev/null && "
                   "tpm2_flushcontext -t",
                   dir, name);
    CHECK(system(command) == 0);
}

static double timed(void (*job)(void))
{
    double start = now_ms();

    job();
    return now_ms() - start;
}

static void report(const char *what, double *here, const char *peer, double *there, uint32_t turns)
{
    double ratios[TURNS], a, b;

    for (uint32_t i = 0; i < turns; i++)
        ratios[i] = here[i] / there[i];
    a = median(here, turns);
    b = median(there, turns);
    vd_bench_report(what, a, "ms", peer, b, median(ratios, turns), turns);
}

/* The TPM serves one connection at a time: each side opens, unseals once, and again by the clock. */
static double ours_warm(void)
{
    struct ours o;
    double start, ret;

    ours_open(&o, true);
    ours_unseal(&o);
    start = now_ms();
    ours_unseal(&o);
    ret = now_ms() - start;
    ours_close(&o);
    return ret;
}

static double peer_warm(void)
{
    struct peer p;
    double start, ret;

    peer_open(&p);
    peer_load(&p);
    peer_unseal(&p);
    start = now_ms();
    peer_unseal(&p);
    ret = now_ms() - start;
    peer_close(&p);
    return ret;
}

static void bench_warm(void)
{
    double here[TURNS], there[TURNS];

    for (uint32_t i = 0; i < TURNS; i++) {
        here[i] = ours_warm();
        there[i] = peer_warm();
    }
    report("tpm.unseal.warm", here, "tpm2-tss ESAPI", there, TURNS);
}

/* Sessions that a peer left; not by the clock. */
static void clean(void)
{
    struct vd_tpm_slots slots;
    struct ours o;

    ours_open(&o, false);
    CHECK(vd_tpm_slots_list(&o.tpm, VD_TPM_SLOT_LOADED_SESSION, &slots, NULL) == VD_OK);
    for (uint32_t i = 0; i < slots.count; i++)
        CHECK(vd_tpm_flush(&o.tpm, slots.handle[i], NULL) == VD_OK);
    ours_close(&o);
}

static void compare(const char *what, void (*ours)(void), void (*peer)(void), const char *peer_name,
                    uint32_t turns)
{
    double here[TURNS], there[TURNS];

    for (uint32_t i = 0; i < turns; i++) {
        here[i] = timed(ours);
        there[i] = timed(peer);
        clean();
    }
    report(what, here, peer_name, there, turns);
}

static void store(const char *file, const void *data, size_t size)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "%s/%s", dir, file);
    CHECK(vd_file_store(path, data, size, 0600, NULL) == VD_OK);
}

int main(void)
{
    char command[64];

    start_swtpm();
    ours_seal_cold();
    store("pub", lock.object.public_area, lock.object.public_size);
    store("priv", lock.object.private_area, lock.object.private_size);
    store("secret", planted, sizeof(planted));
    bench_warm();
    compare("tpm.unseal.cold", ours_cold, peer_cold, "tpm2-tss ESAPI", TURNS);
    compare("tpm.seal.cold", ours_seal_cold, peer_seal_cold, "tpm2-tss ESAPI", TURNS);
    compare("tpm.unseal.cold", ours_cold, floor_session, "a salted session alone", TURNS);
    if (system("command -v tpm2_unseal >/dev/null") == 0) {
        compare("tpm.unseal.cold", ours_cold, tools_cold, "tpm2-tools", TOOL_TURNS);
        compare("tpm.seal.cold", ours_seal_cold, tools_seal_cold, "tpm2-tools", TOOL_TURNS);
    }
    (void)kill(swtpm, SIGTERM);
    (void)waitpid(swtpm, NULL, 0);
    (void)snprintf(command, sizeof(command), "rm -rf %s", dir);
    return system(command) == 0 ? 0 : 1;
}
