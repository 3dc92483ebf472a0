/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* AES-256-GCM and ChaCha20-Poly1305: known answers, our ciphertexts, nonces, streams. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "services/crypto/alg/internal.h"
#include "tests/support/alg.h"

static const enum vd_alg_type types[] = {VD_ALG_AES_256_GCM, VD_ALG_CHACHA20_POLY1305};

/* McGrew and Viega, "The Galois/Counter Mode of Operation", cases 14 and 16; RFC 8439, 2.8.2. */
static const struct {
    enum vd_alg_type type;
    const char *key, *nonce, *aad, *text, *out;
} vectors[] = {
    {VD_ALG_AES_256_GCM, "0000000000000000000000000000000000000000000000000000000000000000",
     "000000000000000000000000", "", "00000000000000000000000000000000",
     "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"},
    {VD_ALG_AES_256_GCM, "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
     "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
     "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
     "76fc6ece0f4e1768cddf8853bb2d551b"},
    {VD_ALG_CHACHA20_POLY1305, "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
     "070000004041424344454647", "50515253c0c1c2c3c4c5c6c7",
     "4c616469657320616e642047656e746c656d656e206f662074686520636c617373206f66202739393a204966204920"
     "636f756c64206f6666657220796f75206f6e6c79206f6e652074697020666f7220746865206675747572652c207375"
     "6e73637265656e20776f756c642062652069742e",
     "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da9272"
     "8b1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831"
     "d7bc3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691"},
};

VD_TEST(aead_published_vectors)
{
    for (size_t i = 0; i < VD_COUNT(vectors); i++) {
        struct vd_alg_key *key = vd_test_import(vectors[i].type, VD_ALG_FORM_RAW, vectors[i].key);
        struct vd_hex nonce = vd_hex(vectors[i].nonce), aad = vd_hex(vectors[i].aad),
                      text = vd_hex(vectors[i].text), sealed = vd_hex(vectors[i].out);
        struct vd_alg_message message = {VD_BYTES(text), VD_BYTES(aad), VD_BYTES(nonce)};
        uint8_t room[256];
        struct vd_alg_buffer out = {.data = room, .room = sizeof(room)};
        /* Twice: the second call takes the context that the first one left. */
        for (int turn = 0; turn < 2; turn++) {
            VD_EXPECT_EQ(vd_alg_encrypt_raw(key, &message, &out, NULL), VD_OK);
            VD_EXPECT_EQ(out.size, sealed.size);
            VD_EXPECT_MEM(room, sealed.data, sealed.size);
        }
        message.text = VD_BYTES(sealed);
        VD_EXPECT_EQ(vd_alg_decrypt_raw(key, &message, &out, NULL), VD_OK);
        VD_EXPECT_EQ(out.size, text.size);
        VD_EXPECT_MEM(room, text.data, text.size);
        vd_alg_key_free(key);
    }
}

VD_TEST(aead_raw_refusals_have_their_own_errors)
{
    for (size_t t = 0; t < VD_COUNT(types); t++) {
        struct vd_alg_key *key = vd_test_key(types[t]), *other = vd_test_key(types[t]);
        uint8_t sealed[64], plain[64];
        struct vd_alg_buffer out = {.data = sealed, .room = sizeof(sealed)};
        struct vd_alg_message message = {VD_TEXT("attack at dawn"), VD_TEXT("aad"),
                                         VD_TEXT("twelve bytes")};
        VD_EXPECT_EQ(vd_alg_encrypt_raw(key, &message, &out, NULL), VD_OK);
        message.text = (struct vd_alg_bytes){sealed, out.size};
        out = (struct vd_alg_buffer){.data = plain, .room = sizeof(plain)};
        VD_EXPECT_EQ(vd_alg_decrypt_raw(key, &message, &out, NULL), VD_OK);
        VD_EXPECT_EQ(vd_alg_decrypt_raw(other, &message, &out, NULL), VD_E_TAG);
        for (size_t bit = 0; bit < message.text.size * 8; bit++) {
            memset(plain, 0xaa, sizeof(plain));
            sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
            VD_EXPECT_EQ(vd_alg_decrypt_raw(key, &message, &out, NULL), VD_E_TAG);
            for (size_t i = 0; i < 14; i++)
                VD_EXPECT_EQ(plain[i], 0); /* nothing of the plaintext is handed out */
            sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        message.aad = VD_TEXT("aae");
        VD_EXPECT_EQ(vd_alg_decrypt_raw(key, &message, &out, NULL), VD_E_TAG);
        message.aad = VD_TEXT("aad");
        message.nonce.size = 11;
        VD_EXPECT_EQ(vd_alg_decrypt_raw(key, &message, &out, NULL), VD_E_SIZE);
        VD_EXPECT_EQ(vd_alg_encrypt_raw(key, &message, &out, NULL), VD_E_SIZE);
        message.nonce.size = 12;
        for (size_t size = 0; size < VD_ALG_TAG_SIZE; size++) {
            message.text.size = size;
            VD_EXPECT_EQ(vd_alg_decrypt_raw(key, &message, &out, NULL), VD_E_TRUNCATED);
        }
        message.text.size = 30;
        out.room = 13;
        VD_EXPECT_EQ(vd_alg_decrypt_raw(key, &message, &out, NULL), VD_E_NO_SPACE);
        VD_EXPECT_EQ(out.size, 14);
        message.aad.size = VD_ALG_AAD_MAX + 1;
        VD_EXPECT_EQ(vd_alg_decrypt_raw(key, &message, &out, NULL), VD_E_LIMIT);
        message.aad.size = 0;
        message.text.size = (size_t)VD_ALG_TEXT_MAX + VD_ALG_TAG_SIZE + 1;
        VD_EXPECT_EQ(vd_alg_encrypt_raw(key, &message, &out, NULL), VD_E_LIMIT);
        vd_alg_key_free(key);
        vd_alg_key_free(other);
    }
    struct vd_alg_key *none = NULL;
    VD_EXPECT_EQ(vd_test_import_bytes(VD_ALG_AES_256_GCM, VD_ALG_FORM_RAW, types, 16, &none),
                 VD_E_SIZE);
}

static size_t seal(struct vd_alg_key *key, const char *text, const char *aad, uint8_t *room)
{
    struct vd_alg_message message = {.text = VD_TEXT(text), .aad = VD_TEXT(aad)};
    struct vd_alg_buffer out = {.data = room, .room = 256};

    VD_EXPECT_EQ(vd_alg_encrypt(key, 7, &message, &out, NULL), VD_OK);
    VD_EXPECT_EQ(out.size, strlen(text) + VD_ALG_OVERHEAD);
    return out.size;
}

static vd_status unseal(struct vd_alg_key *key, const uint8_t *sealed, size_t size, const char *aad,
                        char *ret)
{
    struct vd_alg_message message = {.text = {sealed, size}, .aad = VD_TEXT(aad)};
    struct vd_alg_buffer out = {.data = ret, .room = 256};
    vd_status status = vd_alg_decrypt(key, &message, &out, NULL);

    if (status == VD_OK)
        ret[out.size] = '\0';
    return status;
}

/* Another process, or the same after a restart: the same key, loaded again. */
static struct vd_alg_key *reload(struct vd_alg_key *key)
{
    struct vd_alg_key *again = NULL;
    struct vd_secret secret = {};

    VD_EXPECT_EQ(vd_alg_key_secret(key, &secret, NULL), VD_OK);
    VD_EXPECT_EQ(vd_alg_key_load(vd_test_alg(), vd_alg_key_info(key)->type, &secret, &again, NULL),
                 VD_OK);
    vd_secret_done(&secret);
    return again;
}

VD_TEST(ciphertext_opens_here_and_in_another_process)
{
    for (size_t t = 0; t < VD_COUNT(types); t++) {
        struct vd_alg_key *key = vd_test_key(types[t]);
        uint8_t sealed[12][256];
        char plain[256];
        size_t size = 0;
        /* More epochs than are kept, so that some are forgotten and made again. */
        for (size_t i = 0; i < VD_COUNT(sealed); i++) {
            struct vd_alg_key *writer = reload(key);
            size = seal(writer, "a text", "a label", sealed[i]);
            VD_EXPECT_EQ(unseal(writer, sealed[i], size, "a label", plain), VD_OK);
            VD_EXPECT_STR(plain, "a text");
            vd_alg_key_free(writer);
        }
        for (int turn = 0; turn < 2; turn++)
            for (size_t i = 0; i < VD_COUNT(sealed); i++) {
                VD_EXPECT_EQ(unseal(key, sealed[i], size, "a label", plain), VD_OK);
                VD_EXPECT_STR(plain, "a text");
            }
        size = seal(key, "", "", sealed[0]);
        VD_EXPECT_EQ(unseal(key, sealed[0], size, "", plain), VD_OK);
        VD_EXPECT_STR(plain, "");
        vd_alg_key_free(key);
    }
}

/* The bytes of docs/formats/ciphertext.md, opened by what the page says and nothing of ours. */
VD_TEST(ciphertext_is_what_its_page_says)
{
    struct vd_alg_key *key = vd_test_key(VD_ALG_AES_256_GCM), *subkey = NULL;
    struct vd_secret secret = {}, derived = {};
    uint8_t sealed[256],
        info[64] = "\x10veridian/1 epoch\x0b"
                   "aes-256-gcm\x10",
        plain[64];
    size_t size = seal(key, "a text", "a label", sealed);
    const struct vd_alg_kdf kdf = {.info = {info, 17 + 12 + 17}, .size = 32};
    struct vd_alg_message message = {
        {sealed + 40, size - 40}, VD_TEXT("a label"), {sealed + 28, 12}};
    struct vd_alg_buffer out = {.data = plain, .room = sizeof(plain)};

    VD_EXPECT_MEM(sealed, "VDCT\x01\x01\x01\x00\x07\x00\x00\x00", 12);
    VD_EXPECT_MEM(sealed + 28, "\x00\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00\x00", 12);
    memcpy(info + 30, sealed + 12, 16);
    VD_EXPECT_EQ(vd_alg_key_secret(key, &secret, NULL), VD_OK);
    VD_EXPECT_EQ(vd_alg_hkdf_secret(vd_test_alg(), &secret, &kdf, &derived, NULL), VD_OK);
    VD_EXPECT_EQ(
        vd_test_import_bytes(VD_ALG_AES_256_GCM, VD_ALG_FORM_RAW, derived.data, 32, &subkey),
        VD_OK);
    VD_EXPECT_EQ(vd_alg_decrypt_raw(subkey, &message, &out, NULL), VD_OK);
    VD_EXPECT_MEM(plain, "a text", 6);
    vd_secret_done(&secret);
    vd_secret_done(&derived);
    vd_alg_key_free(subkey);
    vd_alg_key_free(key);
}

VD_TEST(ciphertext_every_bit_and_every_cut)
{
    struct vd_alg_key *key = vd_test_key(VD_ALG_AES_256_GCM);
    struct vd_alg_key *chacha = vd_test_key(VD_ALG_CHACHA20_POLY1305);
    uint8_t sealed[256];
    char plain[256];
    size_t size = seal(key, "a text", "a label", sealed);

    VD_EXPECT_EQ(unseal(key, sealed, size, "a label", plain), VD_OK);
    VD_EXPECT_EQ(unseal(key, sealed, size, "a labe", plain), VD_E_TAG);
    VD_EXPECT_EQ(unseal(chacha, sealed, size, "a label", plain), VD_E_KEY_TYPE);
    for (size_t cut = 0; cut < size; cut++) {
        vd_status status = unseal(key, sealed, cut, "a label", plain);
        VD_EXPECT_EQ(status, cut < VD_ALG_OVERHEAD ? VD_E_TRUNCATED : VD_E_TAG);
    }
    for (size_t bit = 0; bit < size * 8; bit++) {
        vd_status status;
        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        status = unseal(key, sealed, size, "a label", plain);
        if (bit < 4 * 8 || bit / 8 == 5)
            VD_EXPECT_EQ(status, VD_E_MAGIC);
        else if (bit / 8 == 4)
            VD_EXPECT_EQ(status, VD_E_VERSION);
        else if (bit / 8 < 8)
            VD_EXPECT_EQ(status, VD_E_KEY_TYPE);
        else
            VD_EXPECT_EQ(status, VD_E_TAG); /* key version, salt, nonce, text, tag */
        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    vd_alg_key_free(key);
    vd_alg_key_free(chacha);
}

VD_TEST(ciphertext_header_is_read)
{
    struct vd_alg_key *key = vd_test_key(VD_ALG_CHACHA20_POLY1305);
    uint8_t sealed[256];
    struct vd_alg_bytes bytes = {sealed, seal(key, "text", "", sealed)};
    struct vd_alg_ciphertext head = {};

    VD_EXPECT_EQ(vd_alg_ciphertext_parse(&bytes, &head, NULL), VD_OK);
    VD_EXPECT(head.type == VD_ALG_CHACHA20_POLY1305 && head.version == 7 && !head.stream);
    memset(sealed + 8, 0, 4);
    VD_EXPECT_EQ(vd_alg_ciphertext_parse(&bytes, &head, NULL), VD_E_RANGE);
    bytes.size = VD_ALG_OVERHEAD - 1;
    sealed[8] = 1;
    VD_EXPECT_EQ(vd_alg_ciphertext_parse(&bytes, &head, NULL), VD_E_TRUNCATED);
    vd_alg_key_free(key);
}

VD_TEST(ciphertext_wrong_calls)
{
    struct vd_alg_key *key = vd_test_key(VD_ALG_AES_256_GCM);
    uint8_t room[256];
    struct vd_alg_buffer out = {.data = room, .room = 60};
    struct vd_alg_message message = {.text = VD_TEXT("12345")};

    VD_EXPECT_EQ(vd_alg_encrypt(key, 0, &message, &out, NULL), VD_E_RANGE);
    VD_EXPECT_EQ(vd_alg_encrypt(key, 1, &message, &out, NULL), VD_E_NO_SPACE);
    VD_EXPECT_EQ(out.size, 61);
    out.room = sizeof(room);
    message.nonce = VD_TEXT("twelve bytes");
    VD_EXPECT_EQ(vd_alg_encrypt(key, 1, &message, &out, NULL), VD_E_MECHANISM);
    message.nonce.size = 0;
    message.text.size = (size_t)VD_ALG_TEXT_MAX + 1;
    VD_EXPECT_EQ(vd_alg_encrypt(key, 1, &message, &out, NULL), VD_E_LIMIT);
    message.text.size = 0;
    message.aad.size = VD_ALG_AAD_MAX + 1;
    VD_EXPECT_EQ(vd_alg_encrypt(key, 1, &message, &out, NULL), VD_E_LIMIT);
    vd_alg_key_free(key);
}

#define THREADS  4u
#define MESSAGES 2000u

/* Salt and nonce of each message. */
static uint8_t nonces[THREADS * MESSAGES + 2 * MESSAGES][28];

struct job {
    struct vd_alg_key *key;
    uint8_t (*nonces)[28];
};

static void *encrypt_many(void *arg)
{
    const struct job *job = arg;
    const struct vd_alg_message message = {.text = {"x", 1}};
    uint8_t room[64];

    for (uint32_t i = 0; i < MESSAGES; i++) {
        struct vd_alg_buffer out = {.data = room, .room = sizeof(room)};
        if (vd_alg_encrypt(job->key, 1, &message, &out, NULL) != VD_OK)
            return (void *)(uintptr_t) "not encrypted";
        memcpy(job->nonces[i], room + 12, 28);
    }
    return NULL;
}

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, 28);
}

/* Threads, a key loaded again, and a forked child that goes on with its parent's key. */
VD_TEST(no_nonce_comes_twice)
{
    struct vd_alg_key *key = vd_test_key(VD_ALG_AES_256_GCM), *again = reload(key);
    struct job job[THREADS + 1], child_job = {key, nonces + (THREADS + 1) * MESSAGES};
    pthread_t thread[THREADS + 1];
    int pipes[2], status = 0;
    void *fault;
    pid_t child;

    for (size_t i = 0; i <= THREADS; i++) {
        job[i] = (struct job){i < THREADS ? key : again, nonces + i * MESSAGES};
        VD_EXPECT_EQ(pthread_create(&thread[i], NULL, encrypt_many, &job[i]), 0);
    }
    for (size_t i = 0; i <= THREADS; i++) {
        VD_EXPECT_EQ(pthread_join(thread[i], &fault), 0);
        VD_EXPECT(fault == NULL);
    }
    VD_EXPECT_EQ(pipe(pipes), 0);
    child = fork();
    if (child == 0) {
        /* It has no secret of its parent's any more: it cannot even start another epoch. */
        struct vd_alg_message message = {.text = {"x", 1}};
        uint8_t room[64];
        struct vd_alg_buffer out = {.data = room, .room = sizeof(room)};
        signal(SIGSEGV, SIG_DFL);
        _exit(vd_alg_encrypt(key, 1, &message, &out, NULL) == VD_OK ? 7 : 0);
    }
    VD_EXPECT(child > 0 && waitpid(child, &status, 0) == child);
    VD_EXPECT(!(WIFEXITED(status) && WEXITSTATUS(status) == 7));
    VD_EXPECT(encrypt_many(&child_job) == NULL);
    qsort(nonces, VD_COUNT(nonces), 28, by_bytes);
    for (size_t i = 1; i < VD_COUNT(nonces); i++)
        VD_EXPECT(memcmp(nonces[i - 1], nonces[i], 28) != 0);
    vd_alg_key_free(again);
    vd_alg_key_free(key);
}

/* An epoch that has given out its messages or bytes is followed by another; it still opens. */
VD_TEST(epoch_ends_at_its_limits)
{
    struct vd_alg_key *key = vd_test_key(VD_ALG_AES_256_GCM);
    uint8_t sealed[5][256];
    char plain[256];
    size_t size = seal(key, "text", "", sealed[0]);

    atomic_store(&atomic_load(&key->own)->messages, VD_ALG_EPOCH_MESSAGES - 1);
    seal(key, "text", "", sealed[1]);
    seal(key, "text", "", sealed[2]);
    VD_EXPECT_MEM(sealed[0] + 12, sealed[1] + 12, VD_ALG_SALT_SIZE);
    VD_EXPECT_MEM(sealed[1] + 32, "\0\0\0\0\xff\xff\xff\xff", 8);
    VD_EXPECT(memcmp(sealed[1] + 12, sealed[2] + 12, VD_ALG_SALT_SIZE) != 0);
    VD_EXPECT_MEM(sealed[2] + 32, "\0\0\0\0\0\0\0\0", 8);
    atomic_store(&atomic_load(&key->own)->bytes, VD_ALG_EPOCH_BYTES - 1);
    seal(key, "text", "", sealed[3]);
    seal(key, "text", "", sealed[4]);
    VD_EXPECT_MEM(sealed[2] + 12, sealed[3] + 12, VD_ALG_SALT_SIZE);
    VD_EXPECT(memcmp(sealed[3] + 12, sealed[4] + 12, VD_ALG_SALT_SIZE) != 0);
    for (size_t i = 0; i < VD_COUNT(sealed); i++)
        VD_EXPECT_EQ(unseal(key, sealed[i], size, "", plain), VD_OK);
    vd_alg_key_free(key);
}

VD_TEST(aead_works_in_place)
{
    struct vd_alg_key *key = vd_test_key(VD_ALG_AES_256_GCM);
    uint8_t room[VD_ALG_OVERHEAD + 6];
    struct vd_alg_message message = {.text = {room + VD_ALG_HEADER_SIZE, 6}};
    struct vd_alg_buffer out = {.data = room, .room = sizeof(room)};

    memcpy(room + VD_ALG_HEADER_SIZE, "a text", 6);
    VD_EXPECT_EQ(vd_alg_encrypt(key, 1, &message, &out, NULL), VD_OK);
    message.text = (struct vd_alg_bytes){room, out.size};
    out = (struct vd_alg_buffer){.data = room + VD_ALG_HEADER_SIZE, .room = 6};
    VD_EXPECT_EQ(vd_alg_decrypt(key, &message, &out, NULL), VD_OK);
    VD_EXPECT_MEM(room + VD_ALG_HEADER_SIZE, "a text", 6);
    vd_alg_key_free(key);
}

/* Streams: three chunks, the last one short. */
#define CHUNK  VD_ALG_STREAM_CHUNK_MIN
#define SEALED (CHUNK + VD_ALG_TAG_SIZE)

static uint8_t stream_plain[2 * CHUNK + 100];
static uint8_t stream_sealed[VD_ALG_STREAM_HEADER + 2 * SEALED + 100 + VD_ALG_TAG_SIZE];

static void stream_seal(struct vd_alg_key *key, size_t size)
{
    const struct vd_alg_stream_setup setup = {3, CHUNK, VD_TEXT("aad")};
    struct vd_alg_buffer out = {.data = stream_sealed, .room = sizeof(stream_sealed)};
    struct vd_alg_stream *stream = NULL;
    size_t at = 0, to = VD_ALG_STREAM_HEADER;
    bool last;

    for (size_t i = 0; i < sizeof(stream_plain); i++)
        stream_plain[i] = (uint8_t)(i * 7 >> 3);
    VD_EXPECT_EQ(vd_alg_stream_seal(key, &setup, &out, &stream, NULL), VD_OK);
    VD_EXPECT_EQ(out.size, VD_ALG_STREAM_HEADER);
    do {
        struct vd_alg_bytes in = {stream_plain + at, size - at < CHUNK ? size - at : CHUNK};
        last = at + in.size == size;
        out = (struct vd_alg_buffer){.data = stream_sealed + to, .room = SEALED};
        VD_EXPECT(!vd_alg_stream_ended(stream));
        VD_EXPECT_EQ(vd_alg_stream_next(stream, &in, last, &out, NULL), VD_OK);
        at += in.size;
        to += out.size;
    } while (!last);
    VD_EXPECT(vd_alg_stream_ended(stream));
    VD_EXPECT_EQ(vd_alg_stream_next(stream, &(struct vd_alg_bytes){}, true, &out, NULL),
                 VD_E_USAGE);
    vd_alg_stream_free(stream);
}

/* Chunks in the order of `order`, -1 ends; the one that is last says so. */
static vd_status stream_open(struct vd_alg_key *key, const char *aad, const int *order, size_t size)
{
    struct vd_alg_message message = {.text = {stream_sealed, VD_ALG_STREAM_HEADER},
                                     .aad = VD_TEXT(aad)};
    static uint8_t plain[CHUNK];
    struct vd_alg_buffer out = {.data = plain, .room = sizeof(plain)};
    struct vd_alg_stream *stream = NULL;
    vd_status status = vd_alg_stream_open(key, &message, &stream, NULL);

    for (int i = 0; status == VD_OK && order[i] >= 0; i++) {
        size_t at = VD_ALG_STREAM_HEADER + (size_t)order[i] * SEALED;
        size_t end = VD_ALG_STREAM_HEADER + size + (size / CHUNK + (size % CHUNK != 0)) * 16;
        struct vd_alg_bytes in = {stream_sealed + at, end - at < SEALED ? end - at : SEALED};
        status = vd_alg_stream_next(stream, &in, order[i + 1] < 0, &out, NULL);
        if (status == VD_OK)
            VD_EXPECT_MEM(plain, stream_plain + (size_t)order[i] * CHUNK, out.size);
        else
            VD_EXPECT_EQ(vd_alg_stream_next(stream, &in, true, &out, NULL), VD_E_USAGE);
    }
    if (status == VD_OK)
        VD_EXPECT(vd_alg_stream_ended(stream));
    vd_alg_stream_free(stream);
    return status;
}

VD_TEST(stream_order_and_end_are_authenticated)
{
    for (size_t t = 0; t < VD_COUNT(types); t++) {
        struct vd_alg_key *key = vd_test_key(types[t]), *other = vd_test_key(types[t]);
        stream_seal(key, sizeof(stream_plain));
        VD_EXPECT_EQ(stream_open(key, "aad", (int[]){0, 1, 2, -1}, sizeof(stream_plain)), VD_OK);
        VD_EXPECT_EQ(stream_open(other, "aad", (int[]){0, 1, 2, -1}, sizeof(stream_plain)),
                     VD_E_TAG);
        VD_EXPECT_EQ(stream_open(key, "aae", (int[]){0, 1, 2, -1}, sizeof(stream_plain)), VD_E_TAG);
        /* cut after a chunk, one left out, swapped, doubled */
        VD_EXPECT_EQ(stream_open(key, "aad", (int[]){0, 1, -1}, sizeof(stream_plain)), VD_E_TAG);
        VD_EXPECT_EQ(stream_open(key, "aad", (int[]){0, 2, -1}, sizeof(stream_plain)), VD_E_TAG);
        VD_EXPECT_EQ(stream_open(key, "aad", (int[]){1, 0, 2, -1}, sizeof(stream_plain)), VD_E_TAG);
        VD_EXPECT_EQ(stream_open(key, "aad", (int[]){0, 0, 1, 2, -1}, sizeof(stream_plain)),
                     VD_E_TAG);
        for (size_t at = 0; at < VD_ALG_STREAM_HEADER; at++) {
            stream_sealed[at] ^= 2;
            VD_EXPECT(stream_open(key, "aad", (int[]){0, 1, 2, -1}, sizeof(stream_plain)) != VD_OK);
            stream_sealed[at] ^= 2;
        }
        stream_seal(key, 2 * CHUNK);
        VD_EXPECT_EQ(stream_open(key, "aad", (int[]){0, 1, -1}, 2 * CHUNK), VD_OK);
        stream_seal(key, 0);
        VD_EXPECT_EQ(
            vd_alg_ciphertext_parse(&(struct vd_alg_bytes){stream_sealed, VD_ALG_STREAM_HEADER},
                                    &(struct vd_alg_ciphertext){}, NULL),
            VD_OK);
        vd_alg_key_free(key);
        vd_alg_key_free(other);
    }
}

VD_TEST(stream_wrong_calls)
{
    struct vd_alg_key *key = vd_test_key(VD_ALG_AES_256_GCM);
    struct vd_alg_stream_setup setup = {1, CHUNK, {}};
    uint8_t head[VD_ALG_STREAM_HEADER], room[SEALED];
    struct vd_alg_buffer header = {.data = head, .room = sizeof(head)};
    struct vd_alg_buffer out = {.data = room, .room = sizeof(room)};
    struct vd_alg_message message = {.text = {head, sizeof(head)}};
    struct vd_alg_bytes in = {stream_plain, CHUNK - 1};
    static const uint32_t sizes[] = {0, CHUNK / 2, CHUNK + 1, 3 * CHUNK,
                                     2 * VD_ALG_STREAM_CHUNK_MAX};
    struct vd_alg_stream *stream = NULL;

    for (size_t i = 0; i < VD_COUNT(sizes); i++) {
        setup.chunk_size = sizes[i];
        VD_EXPECT_EQ(vd_alg_stream_seal(key, &setup, &header, &stream, NULL), VD_E_RANGE);
    }
    stream_seal(key, 200);
    setup.chunk_size = CHUNK;
    setup.version = 0;
    VD_EXPECT_EQ(vd_alg_stream_seal(key, &setup, &header, &stream, NULL), VD_E_RANGE);
    setup.version = 1;
    header.room--;
    VD_EXPECT_EQ(vd_alg_stream_seal(key, &setup, &header, &stream, NULL), VD_E_NO_SPACE);
    header.room++;
    VD_EXPECT_EQ(vd_alg_stream_seal(key, &setup, &header, &stream, NULL), VD_OK);
    VD_EXPECT_EQ(vd_alg_stream_chunk_size(stream), CHUNK);
    VD_EXPECT_EQ(vd_alg_stream_next(stream, &in, false, &out, NULL), VD_E_SIZE);
    in.size = CHUNK + 1;
    VD_EXPECT_EQ(vd_alg_stream_next(stream, &in, true, &out, NULL), VD_E_SIZE);
    in.size = CHUNK;
    VD_EXPECT_EQ(vd_alg_stream_next(stream, &in, false, &out, NULL), VD_OK);
    in.size = 0;
    VD_EXPECT_EQ(vd_alg_stream_next(stream, &in, true, &out, NULL), VD_E_SIZE);
    vd_alg_stream_free(stream);
    VD_EXPECT_EQ(vd_alg_stream_open(key, &message, &stream, NULL), VD_OK);
    in.size = VD_ALG_TAG_SIZE - 1;
    VD_EXPECT_EQ(vd_alg_stream_next(stream, &in, true, &out, NULL), VD_E_TRUNCATED);
    vd_alg_stream_free(stream);
    stream = NULL;
    message.text.size--;
    VD_EXPECT_EQ(vd_alg_stream_open(key, &message, &stream, NULL), VD_E_TRUNCATED);
    message.text.size++;
    head[12] ^= 1;
    VD_EXPECT_EQ(vd_alg_stream_open(key, &message, &stream, NULL), VD_E_RANGE);
    /* A stream is no message, whether it is long enough for one or not. */
    for (size_t size = VD_ALG_STREAM_HEADER; size < 200; size++) {
        message.text = (struct vd_alg_bytes){stream_sealed, size};
        VD_EXPECT_EQ(vd_alg_decrypt(key, &message, &out, NULL), VD_E_MAGIC);
    }
    VD_EXPECT(stream == NULL);
    vd_alg_key_free(key);
}
