/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The key service killed while clients make keys and encrypt: every acknowledged key is there and
 * opens what it sealed, nothing half-made stands in the list, and no salt and nonce come twice.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness.h"
#include "tests/support/cryptod.h"

#define CLIENTS    3u
#define HEAD_BYTES 40u /* of a ciphertext: magic, version, salt, nonce */
#define SEALED     (HEAD_BYTES + 16u + 8u)
#define LINE       (VD_KEY_NAME_MAX + 1 + SEALED)

/* Ciphertexts' heads of all runs: shared with the children. */
static FILE *heads, *names;

static void remember(FILE *file, const void *data, size_t size)
{
    VD_EXPECT(fwrite(data, size, 1, file) == 1 && fflush(file) == 0);
}

/* Makes keys and encrypts until the service is gone. A name is written once it is acknowledged. */
static int work(uint32_t run, uint32_t number)
{
    const struct vd_keyclient_options options = {
        .socket = cryptod.socket, .timeout_ms = 5000, .server_uid = VD_KEYCLIENT_ANY_UID};
    struct vd_keyclient *client;
    uint8_t out[256], id[VD_KEY_ID_SIZE];

    if (vd_keyclient_new(&options, &client, NULL) != VD_OK)
        return 1;
    for (uint32_t i = 0;; i++) {
        struct vd_key_attributes a = {.type = VD_ALG_AES_256_GCM};
        struct vd_keyclient_op op = {.text = {"12345678", 8}, .out = {out, sizeof(out), 0}};
        char line[LINE] = {};
        snprintf(a.name, sizeof(a.name), "k/%u/%u/%u", run, number, i);
        if (vd_keyclient_create(client, &a, id, NULL) != VD_OK ||
            vd_keyclient_open(client, a.name, &op.key, NULL) != VD_OK)
            return 0;
        for (int n = 0; n < 3; n++) {
            if (vd_keyclient_operate(client, VD_KEY_ENCRYPT, &op, NULL) != VD_OK)
                return 0;
            remember(heads, out, HEAD_BYTES);
        }
        memcpy(line, a.name, sizeof(a.name));
        memcpy(line + VD_KEY_NAME_MAX + 1, out, SEALED);
        remember(names, line, sizeof(line));
        vd_keyclient_key_free(op.key);
    }
}

static void kill_within(uint64_t *random)
{
    /* Anywhere in the life of the service, also while it opens its store. */
    usleep((useconds_t)(vd_test_random(random) % 30'000));
    cryptod_kill();
}

/* Every acknowledged key opens what it sealed. */
static uint32_t check_names(const char *path)
{
    char line[LINE];
    struct vd_keyclient *client = cryptod_client();
    FILE *file = fopen(path, "r");
    struct vd_diag diag = {};
    uint32_t count = 0;

    VD_EXPECT(file != NULL);
    while (fread(line, sizeof(line), 1, file) == 1) {
        uint8_t back[64];
        struct vd_keyclient_op op = {.text = {line + VD_KEY_NAME_MAX + 1, SEALED},
                                     .out = {back, sizeof(back), 0}};
        if (vd_keyclient_open(client, line, &op.key, &diag) != VD_OK ||
            vd_keyclient_operate(client, VD_KEY_DECRYPT, &op, &diag) != VD_OK)
            vd_test_fail(__FILE__, __LINE__, "%s: %s", line, diag.text);
        VD_EXPECT_EQ(op.out.size, 8);
        VD_EXPECT_MEM(back, "12345678", 8);
        vd_keyclient_key_free(op.key);
        count++;
    }
    fclose(file);
    vd_keyclient_free(client);
    return count;
}

/* Whatever is in the list is a whole key: it encrypts. */
static uint32_t check_list(void)
{
    static struct vd_key_info infos[VD_KEY_LIST_MAX];
    struct vd_keyclient *client = cryptod_client();
    struct vd_keyclient_page page = {.infos = infos};
    struct vd_key_info last;
    struct vd_diag diag = {};
    uint32_t count = 0;

    do {
        VD_EXPECT_EQ(vd_keyclient_list(client, &page, &diag), VD_OK);
        for (uint32_t i = 0; i < page.count; i++) {
            uint8_t out[128];
            struct vd_keyclient_op op = {.text = {"x", 1}, .out = {out, sizeof(out), 0}};
            VD_EXPECT_EQ(vd_keyclient_open(client, infos[i].attributes.name, &op.key, &diag),
                         VD_OK);
            VD_EXPECT_EQ(vd_keyclient_operate(client, VD_KEY_ENCRYPT, &op, &diag), VD_OK);
            vd_keyclient_key_free(op.key);
        }
        count += page.count;
        if (page.count != 0)
            last = infos[page.count - 1];
        page.after = &last;
    } while (page.more);
    vd_keyclient_free(client);
    return count;
}

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, HEAD_BYTES);
}

static uint64_t check_heads(const char *path)
{
    FILE *file = fopen(path, "r");
    struct stat st;
    uint8_t *all;
    size_t count;

    VD_EXPECT(file != NULL && fstat(fileno(file), &st) == 0);
    count = (size_t)st.st_size / HEAD_BYTES;
    all = malloc((size_t)st.st_size + 1);
    VD_EXPECT(all != NULL && fread(all, HEAD_BYTES, count, file) == count);
    qsort(all, count, HEAD_BYTES, by_bytes);
    for (size_t i = 1; i < count; i++)
        VD_EXPECT(by_bytes(all + (i - 1) * HEAD_BYTES, all + i * HEAD_BYTES) != 0);
    free(all);
    fclose(file);
    return count;
}

VD_TEST(killed_at_any_point)
{
    const char *points_text = getenv("VD_KILL_POINTS");
    uint32_t points = points_text != NULL ? (uint32_t)atoi(points_text) : 300;
    uint64_t random = 20'261'125;
    char names_path[256], heads_path[256];
    uint32_t acknowledged = 0, listed = 0;

    cryptod_prepare();
    snprintf(names_path, sizeof(names_path), "%s/names", cryptod.dir);
    snprintf(heads_path, sizeof(heads_path), "%s/heads", cryptod.dir);
    names = fopen(names_path, "ae");
    heads = fopen(heads_path, "ae");
    VD_EXPECT(names != NULL && heads != NULL);
    for (uint32_t run = 0; run < points; run++) {
        pid_t children[CLIENTS];
        cryptod_start();
        for (uint32_t i = 0; i < CLIENTS; i++) {
            children[i] = fork();
            VD_EXPECT(children[i] >= 0);
            if (children[i] == 0)
                _exit(work(run, i));
        }
        kill_within(&random);
        for (uint32_t i = 0; i < CLIENTS; i++) {
            int status;
            VD_EXPECT(waitpid(children[i], &status, 0) == children[i]);
            VD_EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        }
        /* The store grows; what was there before is looked at now and then. */
        if (run % 100 == 99 || run == points - 1) {
            cryptod_start();
            acknowledged = check_names(names_path);
            listed = check_list();
            VD_EXPECT(listed >= acknowledged);
            cryptod_stop();
        }
    }
    printf("# %u kills, %u keys acknowledged, %u there, %llu ciphertexts\n", points, acknowledged,
           listed, (unsigned long long)check_heads(heads_path));
    VD_EXPECT(acknowledged > points / 4);
    fclose(names);
    fclose(heads);
}

/* No room on the disk: refused with its reason, and nothing of it is left. */
VD_TEST(a_full_disk)
{
    struct vd_keyclient *client;
    struct vd_keyclient_key *key;
    struct vd_key_attributes a = {.name = "more", .type = VD_ALG_AES_256_GCM};
    uint8_t out[128];
    struct vd_keyclient_op op = {.text = {"x", 1}, .out = {out, sizeof(out), 0}};
    uint8_t id[VD_KEY_ID_SIZE];
    struct vd_diag diag = {};
    vd_status status = VD_OK;

    cryptod_prepare();
    cryptod_start();
    client = cryptod_client();
    key = cryptod_key(client, "first", VD_ALG_AES_256_GCM, 0);
    op.key = key;
    cryptod_limit_files(4096);
    for (int i = 0; i < 3 && status == VD_OK; i++) {
        diag = (struct vd_diag){};
        snprintf(a.name, sizeof(a.name), "more/%d", i);
        status = vd_keyclient_create(client, &a, id, &diag);
    }
    VD_EXPECT(status == VD_E_NO_SPACE || status == VD_E_IO);
    VD_EXPECT(diag.text[0] != '\0');
    VD_EXPECT_EQ(vd_keyclient_operate(client, VD_KEY_ENCRYPT, &op, &diag), VD_OK);
    cryptod_kill();
    cryptod_start();
    VD_EXPECT(check_list() >= 1);
    vd_keyclient_key_free(key);
    vd_keyclient_free(client);
    cryptod_stop();
}
