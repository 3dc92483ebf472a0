/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Long-lived users of a TPM under a test's hand: reads a command a line, answers with a line
 * "ok …" or "STATUS: text | hint". The first argument names the TPM.
 *
 *     lock FILE | unseal [PASSWORD-FILE] | counter INDEX | increment INDEX | connections | rest
 *     create|open|change OPTIONS… | key | read | raise | close     (a root key; NAME=VALUE)
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "hardware/tpm/keeper.h"
#include "lib/hash.h"
#include "services/crypto/root/root.h"
#include "tools/veridian/tpm/sealed_file.h"

#define LINE_SIZE 4096
#define WORDS_MAX 16u

static const char *tpm;
static struct vd_tpm_keeper *keeper;
static struct vd_sealed_file file;
static struct vd_root *root;
static struct vd_secret key;

static vd_status load_lock(const char *path, struct vd_diag *diag)
{
    struct vd_bytes bytes VD_AUTO(vd_bytes_free) = {};

    vd_sealed_file_done(&file);
    VD_TRY(vd_file_load(path, VD_SEALED_FILE_MAX, &bytes, diag));
    return vd_sealed_file_read(bytes.data, bytes.size, &file, diag);
}

static vd_status unseal(const char *password, char *ret, struct vd_diag *diag)
{
    struct vd_tpm_auth auth = {};
    const struct vd_tpm_evidence evidence = {.auth = password != NULL ? &auth : NULL};
    const struct vd_tpm_unseal_job job = {.lock = &file.lock, .evidence = &evidence};
    struct vd_tpm_secret secret;

    if (password != NULL)
        VD_TRY(vd_tpm_auth_from(password, strlen(password), &auth, diag));
    VD_TRY(vd_tpm_keeper_unseal(keeper, &job, &secret, diag));
    (void)snprintf(ret, LINE_SIZE, "%.*s", (int)secret.size, (const char *)secret.bytes);
    return VD_OK;
}

static vd_status count(const char *verb, const char *index, char *ret, struct vd_diag *diag)
{
    static struct vd_tpm_nv nv; /* as it was first seen */
    const struct vd_tpm_link *link;
    uint64_t value;

    if (nv.index == 0) {
        VD_TRY(vd_tpm_keeper_link(keeper, &link, diag));
        VD_TRY(vd_tpm_nv_public(link, (uint32_t)strtoul(index, NULL, 0), &nv, diag));
    }
    if (strcmp(verb, "counter") == 0)
        VD_TRY(vd_tpm_keeper_counter(keeper, &nv, &value, diag));
    else
        VD_TRY(vd_tpm_keeper_increment(keeper, &nv, &value, diag));
    (void)snprintf(ret, LINE_SIZE, "%" PRIu64, value);
    return VD_OK;
}

/* A token of the test's own: it wraps by adding a byte, and is there while `present`. */
static bool token_present = true;

static vd_status token_wrap(void *ctx, const struct vd_secret *plain, struct vd_root_wrapped *ret,
                            struct vd_diag *diag)
{
    *ret = (struct vd_root_wrapped){.token = "test",
                                    .token_size = 4,
                                    .key_id = {1},
                                    .key_id_size = 1,
                                    .mechanism = 0x2109,
                                    .size = plain->size};
    for (size_t i = 0; i < plain->size; i++)
        ret->data[i] = (uint8_t)(plain->data[i] + 1);
    return VD_OK;
}

static vd_status token_unwrap(void *ctx, const struct vd_root_wrapped *wrapped,
                              struct vd_secret *plain, struct vd_diag *diag)
{
    if (!token_present)
        return vd_diag_fail(diag, VD_E_MISSING, "the token is not there");
    if (wrapped->size != plain->size || wrapped->token_size != 4 ||
        !vd_ct_equal(wrapped->token, "test", 4))
        return vd_diag_fail(diag, VD_E_DENIED, "not wrapped by this token");
    for (size_t i = 0; i < plain->size; i++)
        plain->data[i] = (uint8_t)(wrapped->data[i] - 1);
    return VD_OK;
}

static const struct vd_root_token token = {NULL, token_wrap, token_unwrap};

struct words {
    uint32_t count;
    char *word[WORDS_MAX];
};

static const char *value_of(const struct words *words, const char *name)
{
    size_t len = strlen(name);

    for (uint32_t i = 1; i < words->count; i++) {
        if (strncmp(words->word[i], name, len) == 0 && words->word[i][len] == '=')
            return words->word[i] + len + 1;
    }
    return NULL;
}

static enum vd_root_kind kind_of(const char *name)
{
    for (int k = VD_ROOT_TPM; k <= VD_ROOT_PASSPHRASE; k++) {
        if (name != NULL && strcmp(name, vd_root_kind_name((enum vd_root_kind)k)) == 0)
            return (enum vd_root_kind)k;
    }
    return (enum vd_root_kind)0;
}

static vd_status take_secret(const char *text, struct vd_secret *ret, struct vd_diag *diag)
{
    return text == NULL ? VD_OK : vd_secret_set(ret, text, strlen(text), diag);
}

static vd_status run_root(const struct words *words, struct vd_diag *diag)
{
    VD_AUTO(vd_secret_done) struct vd_secret pin = {};
    VD_AUTO(vd_secret_done) struct vd_secret passphrase = {};
    const char *counter = value_of(words, "counter"), *verb = words->word[0];
    struct vd_root_options o = {.kind = kind_of(value_of(words, "kind")),
                                .path = value_of(words, "path"),
                                .tpm = tpm,
                                .pcrs = value_of(words, "pcrs"),
                                .authority = value_of(words, "authority"),
                                .approval = value_of(words, "approval"),
                                .scrypt_log_n = 10,
                                .token = value_of(words, "no-token") == NULL ? &token : NULL};

    VD_TRY(take_secret(value_of(words, "pin"), &pin, diag));
    VD_TRY(take_secret(value_of(words, "passphrase"), &passphrase, diag));
    o.pin = value_of(words, "pin") != NULL ? &pin : NULL;
    o.passphrase = value_of(words, "passphrase") != NULL ? &passphrase : NULL;
    if (counter != NULL)
        o.counter =
            strcmp(counter, "none") == 0 ? VD_ROOT_NO_COUNTER : (uint32_t)strtoul(counter, NULL, 0);
    token_present = value_of(words, "absent") == NULL;
    if (strcmp(verb, "change") == 0)
        return vd_root_change(root, &o, &key, diag);
    vd_root_free(root);
    root = NULL;
    vd_secret_done(&key);
    return strcmp(verb, "create") == 0 ? vd_root_create(&o, &key, &root, diag)
                                       : vd_root_open(&o, &key, &root, diag);
}

static vd_status root_count(const char *verb, char *ret, struct vd_diag *diag)
{
    uint64_t value;

    if (strcmp(verb, "read") == 0)
        VD_TRY(vd_root_counter_read(root, &value, diag));
    else
        VD_TRY(vd_root_counter_increment(root, &value, diag));
    (void)snprintf(ret, LINE_SIZE, "%" PRIu64, value);
    return VD_OK;
}

static vd_status run(const struct words *words, char *ret, struct vd_diag *diag)
{
    const char *verb = words->word[0], *argument = words->count > 1 ? words->word[1] : NULL;

    if (strcmp(verb, "lock") == 0)
        return load_lock(argument, diag);
    if (strcmp(verb, "unseal") == 0)
        return unseal(argument, ret, diag);
    if (strcmp(verb, "counter") == 0 || strcmp(verb, "increment") == 0)
        return count(verb, argument, ret, diag);
    if (strcmp(verb, "connections") == 0) {
        (void)snprintf(ret, LINE_SIZE, "%u", vd_tpm_keeper_connections(keeper));
        return VD_OK;
    }
    if (strcmp(verb, "rest") == 0) {
        vd_tpm_keeper_rest(keeper);
        return VD_OK;
    }
    if (strcmp(verb, "key") == 0) {
        vd_hex_encode(key.data, key.size, ret);
        return VD_OK;
    }
    if (strcmp(verb, "read") == 0 || strcmp(verb, "raise") == 0)
        return root_count(verb, ret, diag);
    return run_root(words, diag);
}

static struct words split(char *line)
{
    struct words words = {};
    char *save = NULL;

    for (char *w = strtok_r(line, "\t\n", &save); w != NULL && words.count < WORDS_MAX;
         w = strtok_r(NULL, "\t\n", &save))
        words.word[words.count++] = w;
    return words;
}

int main(int argc, char **argv)
{
    static char line[LINE_SIZE], answer[LINE_SIZE];
    struct words words;

    if (argc != 2)
        return 2;
    tpm = argv[1];
    if (vd_tpm_keeper_new(tpm, &keeper, NULL) != VD_OK)
        return 4;
    while (fgets(line, sizeof(line), stdin) != NULL) {
        struct vd_diag diag = {};
        vd_status status;

        words = split(line);
        answer[0] = '\0';
        status = words.count > 0 ? run(&words, answer, &diag) : VD_OK;
        if (status == VD_OK)
            printf("ok %s\n", answer);
        else
            printf("%s: %s | %s\n", vd_status_name(status), diag.text, diag.hint);
        if (fflush(stdout) != 0)
            return 4;
    }
    vd_root_free(root);
    vd_secret_done(&key);
    vd_tpm_keeper_free(keeper);
    vd_sealed_file_done(&file);
    return 0;
}
