/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Ciphertexts and streams: what is opened was made with the key. The first byte chooses the key and
 * the kind; a valid ciphertext changed by the rest must be refused.
 */
#include <string.h>

#include "fuzz/fuzz.h"
#include "services/crypto/alg/alg.h"

#define ROOM 4096u

static struct vd_alg_key *key[2];

static void prepare(void)
{
    static const uint8_t bytes[VD_ALG_KEY_SIZE] = {1, 2, 3};
    struct vd_alg_import from = {VD_ALG_AES_256_GCM, VD_ALG_FORM_RAW, {bytes, sizeof(bytes)}};
    static struct vd_alg *alg;

    VD_FUZZ_ASSERT(vd_alg_new(&alg, NULL) == VD_OK);
    VD_FUZZ_ASSERT(vd_alg_key_import(alg, &from, &key[0], NULL) == VD_OK);
    from.type = VD_ALG_CHACHA20_POLY1305;
    VD_FUZZ_ASSERT(vd_alg_key_import(alg, &from, &key[1], NULL) == VD_OK);
}

/* Nobody without the key makes one that opens. */
static void open_message(struct vd_alg_key *k, const uint8_t *data, size_t size)
{
    const struct vd_alg_message message = {.text = {data, size}};
    uint8_t room[ROOM];
    struct vd_alg_buffer out = {.data = room, .room = sizeof(room)};
    struct vd_alg_ciphertext head;
    struct vd_diag diag = {};

    VD_FUZZ_ASSERT(vd_alg_decrypt(k, &message, &out, &diag) != VD_OK);
    VD_FUZZ_ASSERT(diag.text[0] != '\0');
    if (vd_alg_ciphertext_parse(&message.text, &head, NULL) == VD_OK)
        VD_FUZZ_ASSERT(head.version != 0 && vd_alg_info(head.type) != NULL);
}

static void open_stream(struct vd_alg_key *k, const uint8_t *data, size_t size)
{
    static uint8_t room[VD_ALG_STREAM_CHUNK_MAX];
    struct vd_alg_message message = {
        .text = {data, size < VD_ALG_STREAM_HEADER ? size : VD_ALG_STREAM_HEADER}};
    struct vd_alg_buffer out = {.data = room, .room = sizeof(room)};
    struct vd_alg_stream *stream = NULL;

    if (vd_alg_stream_open(k, &message, &stream, NULL) != VD_OK)
        return;
    const struct vd_alg_bytes chunk = {data + VD_ALG_STREAM_HEADER, size - VD_ALG_STREAM_HEADER};
    VD_FUZZ_ASSERT(vd_alg_stream_next(stream, &chunk, true, &out, NULL) != VD_OK);
    VD_FUZZ_ASSERT(!vd_alg_stream_ended(stream));
    vd_alg_stream_free(stream);
}

/* The input is laid over a valid ciphertext: where it changes anything, that is refused. */
static void change(struct vd_alg_key *k, const uint8_t *data, size_t size)
{
    const struct vd_alg_message text = {.text = {"sixteen bytes of", 16}};
    uint8_t good[VD_ALG_OVERHEAD + 16], bad[sizeof(good)], room[64];
    struct vd_alg_buffer out = {.data = good, .room = sizeof(good)};
    struct vd_alg_message changed = {.text = {bad, sizeof(bad)}};
    vd_status status;

    VD_FUZZ_ASSERT(vd_alg_encrypt(k, 1, &text, &out, NULL) == VD_OK);
    memcpy(bad, good, sizeof(bad));
    for (size_t i = 0; i < size && i < sizeof(bad); i++)
        bad[i] ^= data[i];
    out = (struct vd_alg_buffer){.data = room, .room = sizeof(room)};
    status = vd_alg_decrypt(k, &changed, &out, NULL);
    VD_FUZZ_ASSERT((status == VD_OK) == (memcmp(good, bad, sizeof(bad)) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (key[0] == NULL)
        prepare();
    if (size == 0 || size > ROOM)
        return 0;
    struct vd_alg_key *k = key[data[0] & 1];
    switch (data[0] >> 1 & 3) {
    case 0:
        open_stream(k, data + 1, size - 1);
        break;
    case 1:
        change(k, data + 1, size - 1);
        break;
    default:
        open_message(k, data + 1, size - 1);
        break;
    }
    return 0;
}
