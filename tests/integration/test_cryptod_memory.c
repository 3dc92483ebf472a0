/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A planted key is looked for in everything that can be read of the service: every mapping of its
 * memory, its store, and the core that it may not leave. The control plants the same key in a
 * process that does not wipe, and finds it there with the same search.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/file.h"
#include "tests/harness.h"
#include "tests/support/cryptod_raw.h"

#define KEY_SIZE 32u
#define PIECE    (1u << 20)
#define ROOM     (256u << 10) /* of shared memory */

/* Made while the test runs, and kept inverted: the test's own file does not have it. */
static uint8_t inverted[KEY_SIZE];

static void plant(uint8_t *ret)
{
    for (uint32_t i = 0; i < KEY_SIZE; i++)
        ret[i] = (uint8_t)~inverted[i];
}

static void choose(void)
{
    uint64_t state = (uint64_t)getpid() * 7919;

    for (uint32_t i = 0; i < KEY_SIZE; i++)
        inverted[i] = (uint8_t)vd_test_random(&state);
}

/* Half of the key is enough: a copy may lie across what is read at once or be partly overwritten. */
static uint32_t count_in(const uint8_t *data, size_t size)
{
    uint8_t key[KEY_SIZE];
    uint32_t found = 0;
    const uint8_t *at = data;

    plant(key);
    for (uint32_t half = 0; half < 2; half++) {
        at = data;
        while ((at = memmem(at, size - (size_t)(at - data), key + half * 16, 16)) != NULL) {
            found++;
            at++;
        }
    }
    explicit_bzero(key, sizeof(key));
    return found;
}

static uint32_t count_in_range(int memory, unsigned long start, unsigned long end, uint8_t *room,
                               uint64_t *inout_read)
{
    uint32_t found = 0;

    while (start < end) {
        size_t want = end - start < PIECE ? end - start : PIECE;
        ssize_t got = pread(memory, room, want, (off_t)start);
        if (got <= 0)
            return found; /* memfd_secret, guard pages: nobody reads those */
        found += count_in(room, (size_t)got);
        *inout_read += (uint64_t)got;
        start += (size_t)got;
    }
    return found;
}

/* Every mapping of a process. */
static uint32_t count_in_process(pid_t pid, uint64_t *ret_read)
{
    uint8_t *room = malloc(PIECE);
    char path[64], line[512];
    unsigned long start, end;
    uint32_t found = 0;
    int memory;
    FILE *maps;

    *ret_read = 0;
    snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
    memory = open(path, O_RDONLY | O_CLOEXEC);
    snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
    maps = fopen(path, "re");
    VD_EXPECT(room != NULL && memory >= 0 && maps != NULL);
    while (fgets(line, sizeof(line), maps) != NULL)
        if (sscanf(line, "%lx-%lx", &start, &end) == 2)
            found += count_in_range(memory, start, end, room, ret_read);
    fclose(maps);
    close(memory);
    explicit_bzero(room, PIECE);
    free(room);
    return found;
}

static uint32_t count_in_store(void)
{
    DIR *dir = opendir(cryptod.store);
    uint32_t found = 0, files = 0;
    struct dirent *entry;

    VD_EXPECT(dir != NULL);
    while ((entry = readdir(dir)) != NULL) {
        VD_AUTO(vd_bytes_free) struct vd_bytes bytes = {};
        char path[512];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", cryptod.store, entry->d_name);
        VD_EXPECT_EQ(vd_file_load(path, 64u << 20, &bytes, NULL), VD_OK);
        found += count_in(bytes.data, bytes.size);
        files++;
    }
    closedir(dir);
    VD_EXPECT(files >= 2);
    return found;
}

static void import(struct vd_keyclient *client, const char *name, uint16_t type,
                   enum vd_alg_form form)
{
    struct vd_key_attributes a = {.type = type};
    uint8_t id[VD_KEY_ID_SIZE], key[KEY_SIZE];
    struct vd_keyclient_import from = {
        .attributes = &a, .form = form, .material = {key, sizeof(key)}};
    struct vd_diag diag = {};

    snprintf(a.name, sizeof(a.name), "%s", name);
    plant(key);
    if (vd_keyclient_import(client, &from, id, &diag) != VD_OK)
        vd_test_fail(__FILE__, __LINE__, "%s: %s", name, diag.text);
    explicit_bzero(key, sizeof(key));
}

static void use(struct vd_keyclient *client, const char *name, enum vd_key_verb verb)
{
    uint8_t out[4096];
    struct vd_keyclient_op op = {.text = {"text", 4}, .out = {out, sizeof(out), 0}};
    struct vd_diag diag = {};

    if (verb == VD_KEY_DERIVE)
        op.length = 32;
    VD_EXPECT_EQ(vd_keyclient_open(client, name, &op.key, &diag), VD_OK);
    for (int i = 0; i < 20; i++)
        if (vd_keyclient_operate(client, verb, &op, &diag) != VD_OK)
            vd_test_fail(__FILE__, __LINE__, "%s: %s", name, diag.text);
    VD_EXPECT_EQ(vd_keyclient_rotate(op.key, &op.version, &diag), VD_OK);
    VD_EXPECT_EQ(vd_keyclient_destroy(op.key, 0, 0, NULL, &diag), VD_OK);
    vd_keyclient_key_free(op.key);
}

VD_TEST(a_planted_key_is_found_nowhere)
{
    static const struct {
        const char *name;
        uint16_t type;
        enum vd_alg_form form;
        enum vd_key_verb verb;
    } keys[] = {
        {"aes", VD_ALG_AES_256_GCM, VD_ALG_FORM_RAW, VD_KEY_ENCRYPT},
        {"chacha", VD_ALG_CHACHA20_POLY1305, VD_ALG_FORM_RAW, VD_KEY_ENCRYPT},
        {"hmac", VD_ALG_HMAC_SHA256, VD_ALG_FORM_RAW, VD_KEY_SIGN},
        {"hkdf", VD_ALG_HKDF_SHA256, VD_ALG_FORM_RAW, VD_KEY_DERIVE},
        {"ed25519", VD_ALG_ED25519, VD_ALG_FORM_RAW, VD_KEY_SIGN},
        {"ml-dsa", VD_ALG_ML_DSA_65, VD_ALG_FORM_SEED, VD_KEY_SIGN},
    };
    struct vd_keyclient *client;
    uint64_t looked_at;

    choose();
    cryptod_prepare();
    cryptod_start();
    client = cryptod_client();
    for (size_t i = 0; i < VD_COUNT(keys); i++) {
        import(client, keys[i].name, keys[i].type, keys[i].form);
        VD_EXPECT_EQ(count_in_store(), 0);
        use(client, keys[i].name, keys[i].verb);
    }
    VD_EXPECT_EQ(count_in_process(cryptod.pid, &looked_at), 0);
    VD_EXPECT(looked_at > 1u << 20);
    VD_EXPECT_EQ(count_in_store(), 0);
    printf("# %llu bytes of memory\n", (unsigned long long)looked_at);
    /* No core is left, whatever kills it. */
    VD_EXPECT(kill(cryptod.pid, SIGABRT) == 0);
    {
        int status;
        VD_EXPECT(waitpid(cryptod.pid, &status, 0) == cryptod.pid);
        VD_EXPECT(WIFSIGNALED(status) && !WCOREDUMP(status));
        cryptod.pid = 0;
    }
    vd_keyclient_free(client);
}

static void next_piece(uint32_t number, const struct vd_key_op *op)
{
    vd_write_le32(raw_begin(), number);
    vd_write_u8(&raw.w, 0);
    vd_key_write_op(&raw.w, op);
    EXPECT(raw_send(VD_KEY_STREAM_NEXT), VD_OK);
}

/* What a client gives to be sealed piece by piece, in shared memory: it is copied, and wiped. */
VD_TEST(a_stream_leaves_no_plaintext)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    struct vd_key_op op = {.length = ROOM / 2};
    struct vd_key_result result;
    struct vd_reader r;
    uint64_t looked_at;
    uint32_t number;
    uint8_t *shared;

    choose();
    raw_set_up();
    op.handle = raw_key("stream", VD_ALG_AES_256_GCM, 0);
    VD_EXPECT(ftruncate(fd, ROOM) == 0);
    VD_EXPECT(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0);
    shared = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    VD_EXPECT(shared != MAP_FAILED);
    vd_write_le64(raw_begin(), ROOM);
    EXPECT(cryptod_ask_with(raw.line, VD_KEY_BUFFER, &raw.w, fd, &raw.diag), VD_OK);
    r = raw_answer();
    VD_EXPECT_EQ(vd_read_le32(&r, &number), VD_OK);
    EXPECT(raw_operate(VD_KEY_STREAM_SEAL, &op), VD_OK);
    r = raw_answer();
    VD_EXPECT_EQ(vd_key_read_result(&r, &result, NULL), VD_OK);
    for (size_t i = 0; i < ROOM / 2; i += 4096)
        plant(shared + i);
    op.text = (struct vd_key_part){.size = ROOM / 2, .buffer = number};
    op.out =
        (struct vd_key_part){.size = ROOM / 2 + 4096, .buffer = number, .offset = ROOM / 2 - 4096};
    next_piece(result.number, &op);
    raw_begin();
    EXPECT(raw_send(VD_KEY_STATUS), VD_OK); /* answered when the request before is forgotten */
    /* The client's own memory, which the service sees too, is the client's to wipe. */
    explicit_bzero(shared, ROOM);
    VD_EXPECT_EQ(count_in_process(cryptod.pid, &looked_at), 0);
    VD_EXPECT(looked_at > 1u << 20);
    munmap(shared, ROOM);
    close(fd);
    raw_tear_down();
}

/* The control: the same search finds the key in a process that holds it and does not wipe it. */
VD_TEST(the_search_finds_a_key_that_is_not_wiped)
{
    uint64_t looked_at;
    int ends[2], status;
    pid_t pid;
    char byte;

    choose();
    VD_EXPECT(pipe2(ends, O_CLOEXEC) == 0 && (pid = fork()) >= 0);
    if (pid == 0) {
        uint8_t *key = malloc(KEY_SIZE);
        plant(key);
        free(key); /* let go, not wiped: all but its first bytes stay */
        byte = 1;
        _exit(write(ends[1], &byte, 1) == 1 && pause() == 0);
    }
    VD_EXPECT(read(ends[0], &byte, 1) == 1);
    VD_EXPECT(count_in_process(pid, &looked_at) > 0);
    VD_EXPECT(kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid);
    close(ends[0]);
    close(ends[1]);
}
