/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Planted keys are nowhere in the process once they are freed. Each case looks from a child, since
 * OpenSSL's allocator can be set only before its first use. The bytes looked for are computed one
 * by one, so that the search itself holds no copy.
 */
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "services/crypto/alg/alg.h"
#include "tests/harness.h"

#define WINDOW 16u /* bytes that must fit, from the middle: a free list writes over the first */
#define FIRST  16u

static uint8_t planted(enum vd_alg_type type, size_t at)
{
    return (uint8_t)((at * 37 + (unsigned)type * 101) ^ 0x5a);
}

static void plant(enum vd_alg_type type, uint8_t *ret, size_t size)
{
    for (size_t i = 0; i < size; i++)
        ret[i] = planted(type, i);
}

static size_t find_in(const volatile uint8_t *from, const volatile uint8_t *to,
                      enum vd_alg_type type)
{
    size_t found = 0;

    for (; from + WINDOW <= to; from++) {
        size_t n = 0;
        while (n < WINDOW && from[n] == planted(type, FIRST + n))
            n++;
        found += n == WINDOW;
    }
    return found;
}

/* In everything that can be written: heap, stack, data, mappings, secret memory. */
static size_t find(enum vd_alg_type type)
{
    char line[512], mode[8];
    unsigned long from, to;
    size_t found = 0;
    FILE *maps = fopen("/proc/self/maps", "re");

    if (maps == NULL)
        _exit(100);
    while (fgets(line, sizeof(line), maps) != NULL)
        if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) == 3 && mode[0] == 'r' && mode[1] == 'w')
            found += find_in((const uint8_t *)from, (const uint8_t *)to, type);
    fclose(maps);
    return found;
}

static const struct {
    enum vd_alg_type type;
    enum vd_alg_form form;
    size_t size;
} keys[] = {
    {VD_ALG_AES_256_GCM, VD_ALG_FORM_RAW, 32}, {VD_ALG_CHACHA20_POLY1305, VD_ALG_FORM_RAW, 32},
    {VD_ALG_ECDSA_P256, VD_ALG_FORM_RAW, 32},  {VD_ALG_ED25519, VD_ALG_FORM_RAW, 32},
    {VD_ALG_X25519, VD_ALG_FORM_RAW, 32},      {VD_ALG_HMAC_SHA256, VD_ALG_FORM_RAW, 48},
    {VD_ALG_ML_KEM_768, VD_ALG_FORM_SEED, 64}, {VD_ALG_ML_DSA_65, VD_ALG_FORM_SEED, 32},
    {VD_ALG_X_WING, VD_ALG_FORM_SEED, 32},     {VD_ALG_HKDF_SHA256, VD_ALG_FORM_RAW, 48},
};

static void use(struct vd_alg_key *key)
{
    const struct vd_alg_info *info = vd_alg_key_info(key);
    const struct vd_alg_message message = {.text = {"text", 4}};
    const struct vd_alg_message raw = {.text = {"text", 4}, .nonce = {"twelve bytes", 12}};
    const struct vd_alg_signing signing = {.message = {"text", 4}};
    const struct vd_alg_kdf kdf = {.size = 32};
    static uint8_t room[4096];
    struct vd_alg_buffer out = {.data = room, .room = sizeof(room)};
    struct vd_secret secret = {};
    bool good = true;

    if ((info->usages & VD_ALG_ENCRYPT) != 0)
        good = vd_alg_encrypt(key, 1, &message, &out, NULL) == VD_OK &&
               vd_alg_encrypt_raw(key, &raw, &out, NULL) == VD_OK;
    if ((info->usages & VD_ALG_SIGN) != 0)
        good = vd_alg_sign(key, &signing, &out, NULL) == VD_OK;
    if ((info->usages & VD_ALG_ENCAPSULATE) != 0) {
        good = vd_alg_encapsulate(key, &out, &secret, NULL) == VD_OK;
        vd_secret_done(&secret);
        good = good && vd_alg_decapsulate(key, &(struct vd_alg_bytes){room, out.size}, &secret,
                                          NULL) == VD_OK;
        vd_secret_done(&secret);
    }
    if (info->type == VD_ALG_HKDF_SHA256)
        good = vd_alg_hkdf(key, &kdf, &secret, NULL) == VD_OK;
    vd_secret_done(&secret);
    out = (struct vd_alg_buffer){.data = room, .room = sizeof(room)};
    if (good && info->has_public)
        good = vd_alg_key_public(key, VD_ALG_FORM_SPKI, &out, NULL) == VD_OK;
    for (enum vd_alg_form form = 1; good && form < VD_ALG_FORM_COUNT; form++)
        if (form != VD_ALG_FORM_SPKI && form != VD_ALG_FORM_RAW_PUBLIC &&
            (info->import_forms >> form & 1) != 0) {
            good = vd_alg_key_export(key, form, &secret, NULL) == VD_OK;
            vd_secret_done(&secret);
        }
    if (!good)
        _exit(101);
}

/* A key's whole life; 0: nothing of it is left. `kept` looks while it is still there. */
static size_t live(struct vd_alg *alg, size_t i, bool kept)
{
    struct vd_secret material = {};
    struct vd_alg_key *key = NULL;
    size_t found = 0;

    if (vd_secret_init(&material, keys[i].size, NULL) != VD_OK)
        _exit(102);
    plant(keys[i].type, material.data, keys[i].size);
    const struct vd_alg_import from = {keys[i].type, keys[i].form, {material.data, material.size}};
    if (vd_alg_key_import(alg, &from, &key, NULL) != VD_OK)
        _exit(103);
    vd_secret_done(&material);
    use(key);
    if (kept)
        found = find(keys[i].type);
    vd_alg_key_free(key);
    return kept ? found : find(keys[i].type);
}

/* What OpenSSL lets go as ordinary memory, where it is not told that there is a secret in it. */
static size_t ordinary(void)
{
    uint8_t *memory = OPENSSL_malloc(96), *larger;

    if (memory == NULL)
        _exit(104);
    plant(VD_ALG_TYPE_COUNT, memory, 96);
    larger = OPENSSL_realloc(memory, 300000);
    if (larger == NULL)
        _exit(104);
    OPENSSL_free(larger);
    memory = OPENSSL_malloc(96);
    if (memory == NULL)
        _exit(104);
    plant(VD_ALG_TYPE_COUNT, memory, 96);
    OPENSSL_free(memory);
    return find(VD_ALG_TYPE_COUNT);
}

enum what { ALL_FREED, ALL_KEPT, WITH_WIPING, WITHOUT_WIPING };

static int child(enum what what)
{
    struct vd_alg *alg = NULL;

    if (what != WITHOUT_WIPING && vd_alg_wipe_openssl(NULL) != VD_OK)
        return 105;
    if (what == WITH_WIPING)
        return ordinary() == 0 ? 0 : 1;
    if (what == WITHOUT_WIPING) {
        bool found = ordinary() != 0;
        return vd_alg_wipe_openssl(NULL) != VD_E_BUSY ? 107 : found ? 1 : 0;
    }
    if (vd_alg_new(&alg, NULL) != VD_OK)
        return 106;
    for (size_t i = 0; i < VD_COUNT(keys); i++)
        if ((live(alg, i, what == ALL_KEPT) != 0) != (what == ALL_KEPT))
            return 1 + (int)i;
    vd_alg_free(alg);
    return 0;
}

static int run(enum what what)
{
    int status = 0;
    pid_t pid;

#ifdef __SANITIZE_ADDRESS__
    vd_test_skip("the address sanitizer's shadow is not to be searched");
#endif
    pid = fork();

    if (pid == 0)
        _exit(child(what));
    VD_EXPECT(pid > 0 && waitpid(pid, &status, 0) == pid);
    VD_EXPECT(WIFEXITED(status));
    return WEXITSTATUS(status);
}

VD_TEST(memory_a_kept_key_is_found)
{
    VD_EXPECT_EQ(run(ALL_KEPT), 0);
}

VD_TEST(memory_a_freed_key_is_found_nowhere)
{
    VD_EXPECT_EQ(run(ALL_FREED), 0);
}

VD_TEST(memory_openssl_wipes_what_it_frees)
{
    VD_EXPECT_EQ(run(WITHOUT_WIPING), 1);
    VD_EXPECT_EQ(run(WITH_WIPING), 0);
}
