/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Requests of one client of the key service, one after another: u16 verb, u16 length, payload. The
 * service is whole but for its threads: a store on disk with a key of each kind that is open.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/reader.h"
#include "fuzz/fuzz.h"
#include "services/crypto/server.h"

static struct vd_keyd server;
static char dir[] = "/tmp/veridian-fuzz-XXXXXX";

static void remove_store(void)
{
    char command[64];

    vd_kstore_close(server.store);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    if (system(command) != 0)
        abort();
}

static void open_store(void)
{
    struct vd_kstore_options options = {
        .directory = dir, .root = &server.root_key, .now = 1, .flags = VD_KSTORE_CREATE};

    VD_FUZZ_ASSERT(mkdtemp(dir) != NULL);
    atexit(remove_store);
    VD_FUZZ_ASSERT(vd_secret_set(&server.root_key, "0123456789abcdef0123456789abcdef", 32, NULL) ==
                   VD_OK);
    VD_FUZZ_ASSERT(vd_kstore_open(&options, &server.store, NULL) == VD_OK);
}

static void ask(struct vd_keyd_conn *c, uint16_t verb, const uint8_t *payload, size_t size)
{
    struct vd_ipc_frame request = {
        .service = VD_IPC_SERVICE_KEY, .verb = verb, .payload = payload, .size = size, .fd = -1};
    struct vd_diag diag = {};
    size_t answered = 0;

    if (vd_keyd_answer(c, &request, &answered, &diag) != VD_OK)
        VD_FUZZ_ASSERT(diag.text[0] != '\0');
    VD_FUZZ_ASSERT(answered <= VD_IPC_PAYLOAD_MAX);
}

static void make_keys(struct vd_keyd_conn *c)
{
    static const uint16_t types[] = {VD_ALG_AES_256_GCM, VD_ALG_ED25519,    VD_ALG_ECDSA_P256,
                                     VD_ALG_HMAC_SHA256, VD_ALG_ML_KEM_768, VD_ALG_HKDF_SHA256};
    uint8_t bytes[512];
    struct vd_writer w;

    for (uint16_t i = 0; i < VD_COUNT(types); i++) {
        struct vd_key_attributes a = {.name = {(char)('a' + i)}, .type = types[i]};
        vd_writer_init(&w, bytes, sizeof(bytes));
        vd_key_write_attributes(&w, &a);
        ask(c, VD_KEY_CREATE, bytes, w.len);
    }
}

static void set_up(void)
{
    struct vd_keyd_conn *c;

    if (server.store != NULL)
        return;
    server.label = "system_u:object_r:key_t";
    server.max_clients = 1;
    server.keys.cache_s = 300;
    open_store();
    VD_FUZZ_ASSERT(vd_alg_new(&server.alg, NULL) == VD_OK);
    VD_FUZZ_ASSERT(vd_keyd_prepare(&server, NULL) == VD_OK);
    c = vd_keyd_conn_new(&server, -1);
    VD_FUZZ_ASSERT(c != NULL);
    make_keys(c);
    vd_keyd_conn_free(c);
}

static void open_keys(struct vd_keyd_conn *c)
{
    uint8_t bytes[16];
    struct vd_writer w;

    for (char name = 'a'; name < 'g'; name++) {
        const char text[] = {name, '\0'};
        vd_writer_init(&w, bytes, sizeof(bytes));
        vd_key_write_text(&w, text);
        ask(c, VD_KEY_OPEN, bytes, w.len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vd_keyd_conn *c;
    struct vd_reader r;
    const uint8_t *payload;
    uint16_t verb, length;

    set_up();
    c = vd_keyd_conn_new(&server, -1);
    if (c == NULL)
        return 0;
    open_keys(c);
    vd_reader_init(&r, data, size);
    while (vd_read_le16(&r, &verb) == VD_OK && vd_read_le16(&r, &length) == VD_OK &&
           vd_read_bytes(&r, length, &payload) == VD_OK) {
        /* What writes to the disk is left to the other targets and tests: it would be all that is tried. */
        if (verb < VD_KEY_VERB_COUNT && verb != 0 && vd_keyd_verb(verb)->manage)
            continue;
        ask(c, verb, payload, length);
    }
    vd_keyd_conn_free(c);
    VD_FUZZ_ASSERT(atomic_load(&server.arena_bytes) == 0);
    return 0;
}
