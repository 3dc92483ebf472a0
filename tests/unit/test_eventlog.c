/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/boot/eventlog.h"
#include "core/base/text.h"
#include "core/base/writer.h"
#include "core/boot/pcr.h"
#include "tests/harness.h"
#include "lib/tpm_hash.h"

#include <stdio.h>
#include <stdlib.h>

#define MAX_EVENTS 8

struct sample {
    uint8_t bytes[4096];
    size_t size;
    size_t ends[MAX_EVENTS + 1]; /* where the first event and each later one end */
    size_t count;
};

static const struct vd_eventlog_algorithm two[] = {{VD_TPM_ALG_SHA256, 32},
                                                   {VD_TPM_ALG_SHA384, 48}};

static void add(struct sample *s, struct vd_writer *w, uint32_t pcr, uint32_t type,
                const void *data, size_t size)
{
    struct vd_eventlog log = {.algorithm_count = 2, .algorithm = {two[0], two[1]}};
    uint8_t d256[32];
    uint8_t d384[48];
    struct vd_logged_event e = {
        .pcr = pcr, .type = type, .digest = {{d256, 32}, {d384, 48}}, .data = {data, size}};

    VD_EXPECT_EQ(vd_tpm_hash_ops.hash(NULL, VD_TPM_ALG_SHA256, data, size, d256), VD_OK);
    VD_EXPECT_EQ(vd_tpm_hash_ops.hash(NULL, VD_TPM_ALG_SHA384, data, size, d384), VD_OK);
    vd_eventlog_encode_event(w, &log, &e);
    s->ends[++s->count] = w->len;
}

static void make_sample(struct sample *s)
{
    struct vd_writer w;

    *s = (struct sample){};
    vd_writer_init(&w, s->bytes, sizeof(s->bytes));
    vd_eventlog_encode_start(&w, two, 2);
    s->ends[0] = w.len;
    add(s, &w, 0, VD_EV_NO_ACTION, "StartupLocality\0\3", 17);
    add(s, &w, 4, VD_EV_SEPARATOR, "\0\0\0\0", 4);
    add(s, &w, 8, VD_EV_IPL, "veridian cmdline: quiet", 23);
    add(s, &w, 11, VD_EV_EVENT_TAG, "", 0);
    add(s, &w, 0, VD_EV_ACTION, "x", 1);
    s->size = w.len;
    VD_EXPECT_EQ(vd_write_done(&w), VD_OK);
}

static vd_status walk(const uint8_t *data, size_t size, size_t *ret_events, struct vd_diag *diag)
{
    struct vd_eventlog log;

    *ret_events = 0;
    VD_TRY(vd_eventlog_open(data, size, &log, diag));
    while (vd_eventlog_more(&log)) {
        struct vd_logged_event event;
        VD_TRY(vd_eventlog_next(&log, &event, diag));
        ++*ret_events;
    }
    return VD_OK;
}

VD_TEST(eventlog_round_trip)
{
    struct sample s;
    struct vd_eventlog log;
    struct vd_logged_event e;

    make_sample(&s);
    VD_EXPECT_EQ(vd_eventlog_open(s.bytes, s.size, &log, NULL), VD_OK);
    VD_EXPECT_EQ(log.algorithm_count, 2);
    VD_EXPECT_EQ(vd_eventlog_find(&log, VD_TPM_ALG_SHA384), 1);
    VD_EXPECT_EQ(vd_eventlog_find(&log, VD_TPM_ALG_SHA1), -1);
    for (size_t i = 0; i < 3; i++)
        VD_EXPECT_EQ(vd_eventlog_next(&log, &e, NULL), VD_OK);
    VD_EXPECT_EQ(e.pcr, 8);
    VD_EXPECT_EQ(e.type, VD_EV_IPL);
    VD_EXPECT_EQ(e.offset, s.ends[2]);
    VD_EXPECT_EQ(e.data.size, 23);
    VD_EXPECT_MEM(e.data.data, "veridian cmdline: quiet", 23);
    VD_EXPECT_EQ(e.digest[1].size, 48);
}

/* A cut between two events is a shorter log; any other cut is an error. */
VD_TEST(eventlog_every_cut)
{
    struct sample s;

    make_sample(&s);
    for (size_t n = 0; n <= s.size; n++) {
        uint8_t *copy = malloc(n + (n == 0));
        struct vd_diag diag = {};
        size_t events;
        vd_status status;
        bool boundary = false;

        memcpy(copy, s.bytes, n);
        for (size_t i = 0; i <= s.count; i++)
            boundary |= s.ends[i] == n;
        status = walk(copy, n, &events, &diag);
        free(copy);
        VD_EXPECT_EQ(status, boundary ? VD_OK : VD_E_TRUNCATED);
        VD_EXPECT(boundary || (diag.has_offset && diag.offset <= n));
    }
}

VD_TEST(eventlog_replay_extends)
{
    struct sample s;
    struct vd_pcr_bank bank;
    uint8_t joined[64] = {};
    uint8_t expected[32];
    uint8_t ones[32];
    uint8_t zero[32] = {};

    make_sample(&s);
    VD_EXPECT_EQ(
        vd_eventlog_replay(s.bytes, s.size, VD_TPM_ALG_SHA256, &vd_tpm_hash_ops, &bank, NULL),
        VD_OK);
    VD_EXPECT_EQ(bank.extended, 1u << 0 | 1u << 4 | 1u << 8 | 1u << 11);
    VD_EXPECT_EQ(
        vd_tpm_hash_ops.hash(NULL, VD_TPM_ALG_SHA256, "veridian cmdline: quiet", 23, joined + 32),
        VD_OK);
    VD_EXPECT_EQ(vd_tpm_hash_ops.hash(NULL, VD_TPM_ALG_SHA256, joined, 64, expected), VD_OK);
    VD_EXPECT_MEM(bank.value[8], expected, 32);
    /* PCR 0 starts at locality 3 */
    joined[31] = 3;
    VD_EXPECT_EQ(vd_tpm_hash_ops.hash(NULL, VD_TPM_ALG_SHA256, "x", 1, joined + 32), VD_OK);
    VD_EXPECT_EQ(vd_tpm_hash_ops.hash(NULL, VD_TPM_ALG_SHA256, joined, 64, expected), VD_OK);
    VD_EXPECT_MEM(bank.value[0], expected, 32);
    memset(ones, 0xff, sizeof(ones));
    VD_EXPECT_MEM(bank.value[17], ones, 32);
    VD_EXPECT_MEM(bank.value[22], ones, 32);
    VD_EXPECT_MEM(bank.value[23], zero, 32);
    VD_EXPECT_MEM(bank.value[16], zero, 32);
}

VD_TEST(eventlog_replay_needs_the_bank)
{
    struct sample s;
    struct vd_pcr_bank bank;

    make_sample(&s);
    VD_EXPECT_EQ(
        vd_eventlog_replay(s.bytes, s.size, VD_TPM_ALG_SHA1, &vd_tpm_hash_ops, &bank, NULL),
        VD_E_NOT_FOUND);
    VD_EXPECT_EQ(vd_pcr_bank_init(&bank, 0x12), VD_E_UNSUPPORTED);
    VD_EXPECT_EQ(vd_pcr_bank_init(&bank, VD_TPM_ALG_SHA256), VD_OK);
    VD_EXPECT_EQ(vd_pcr_extend(&bank, VD_PCR_COUNT, s.bytes, &vd_tpm_hash_ops), VD_E_RANGE);
}

/* The first event's data starts at 32; the algorithms at 60. */
VD_TEST(eventlog_refuses_bad_start)
{
    static const struct {
        size_t at;
        uint8_t value;
        vd_status status;
    } rows[] = {
        {0, 1, VD_E_MAGIC},        /* another PCR */
        {4, 4, VD_E_MAGIC},        /* another type */
        {28, 0xff, VD_E_TRAILING}, /* more data than the algorithms need */
        {32, 's', VD_E_MAGIC},     {46, '4', VD_E_MAGIC}, {56, 0, VD_E_LIMIT},
        {56, 9, VD_E_LIMIT},       {59, 1, VD_E_LIMIT},   {62, 31, VD_E_RANGE},
        {62, 0, VD_E_RANGE},       {63, 1, VD_E_RANGE},   {64, 0x0b, VD_E_RANGE},
    };

    for (size_t i = 0; i < VD_COUNT(rows); i++) {
        struct sample s;
        size_t events;

        make_sample(&s);
        s.bytes[rows[i].at] = rows[i].value;
        VD_EXPECT_EQ(walk(s.bytes, s.size, &events, NULL), rows[i].status);
    }
}

VD_TEST(eventlog_refuses_an_algorithm_twice)
{
    static const struct vd_eventlog_algorithm same[] = {{VD_TPM_ALG_SHA256, 32},
                                                        {VD_TPM_ALG_SHA256, 32}};
    struct vd_writer w;
    uint8_t bytes[128];
    size_t events;

    vd_writer_init(&w, bytes, sizeof(bytes));
    vd_eventlog_encode_start(&w, same, 2);
    VD_EXPECT_EQ(walk(bytes, w.len, &events, NULL), VD_E_EXISTS);
}

/* Within an event: pcr 0, type 4, count 8, alg 12, digest 14, alg 46, digest 48, size 96. */
VD_TEST(eventlog_refuses_bad_events)
{
    static const struct {
        size_t at;
        uint8_t value;
        vd_status status;
    } rows[] = {
        {0, 24, VD_E_RANGE},        {3, 1, VD_E_RANGE},     {8, 1, VD_E_RANGE},
        {8, 3, VD_E_RANGE},         {11, 0x80, VD_E_RANGE}, {12, 4, VD_E_NOT_FOUND},
        {46, 0x0b, VD_E_EXISTS},    {98, 0x11, VD_E_LIMIT}, {99, 0xff, VD_E_LIMIT},
        {97, 0xff, VD_E_TRUNCATED},
    };

    for (size_t i = 0; i < VD_COUNT(rows); i++) {
        struct sample s;
        struct vd_diag diag = {};
        size_t events;

        make_sample(&s);
        s.bytes[s.ends[1] + rows[i].at] = rows[i].value;
        VD_EXPECT_EQ(walk(s.bytes, s.size, &events, &diag), rows[i].status);
        VD_EXPECT_EQ(events, 1);
        VD_EXPECT(diag.has_offset && diag.offset >= s.ends[1]);
    }
}

VD_TEST(eventlog_no_action_may_name_any_pcr)
{
    struct sample s;
    size_t events;

    make_sample(&s);
    s.bytes[s.ends[0]] = 0xff;
    VD_EXPECT_EQ(walk(s.bytes, s.size, &events, NULL), VD_OK);
}

VD_TEST(eventlog_size_limit)
{
    size_t size = VD_EVENTLOG_MAX_BYTES + 1;
    uint8_t *big = calloc(1, size);
    struct vd_eventlog log;

    VD_EXPECT_EQ(vd_eventlog_open(big, size, &log, NULL), VD_E_LIMIT);
    free(big);
}

VD_TEST(eventlog_names)
{
    VD_EXPECT_STR(vd_event_type_name(VD_EV_IPL), "EV_IPL");
    VD_EXPECT(vd_event_type_name(0x77) == NULL);
    VD_EXPECT(vd_event_hashes_data(VD_EV_SEPARATOR));
    VD_EXPECT(!vd_event_hashes_data(VD_EV_EFI_BOOT_SERVICES_APPLICATION));
    VD_EXPECT_STR(vd_tpm_alg_name(VD_TPM_ALG_SHA384), "sha384");
    VD_EXPECT_EQ(vd_tpm_alg_size(VD_TPM_ALG_SHA512), 64);
    VD_EXPECT(vd_tpm_alg_name(1) == NULL);
}

/* tests/data/boot: the log of a real boot, and the PCR values that its TPM had. */
static size_t load_data(const char *name, uint8_t *buf, size_t size)
{
    char path[512];
    size_t n;
    FILE *f;

    snprintf(path, sizeof(path), "%s/tests/data/boot/%s", vd_test_source_root(), name);
    f = fopen(path, "rb");
    VD_EXPECT(f != NULL);
    n = fread(buf, 1, size, f);
    fclose(f);
    VD_EXPECT(n > 0 && n < size);
    return n;
}

VD_TEST(eventlog_replay_equals_the_tpm)
{
    static uint8_t log[64 << 10];
    static uint8_t text[16 << 10];
    size_t log_size = load_data("ovmf-eventlog.bin", log, sizeof(log));
    size_t text_size = load_data("ovmf-pcrs.txt", text, sizeof(text) - 1);
    unsigned compared = 0;
    char *save = NULL;

    text[text_size] = '\0';
    for (char *line = strtok_r((char *)text, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        struct vd_pcr_bank bank;
        char name[16];
        char hex[2 * VD_DIGEST_MAX_SIZE + 1];
        char actual[2 * VD_DIGEST_MAX_SIZE + 1];
        struct vd_text t;
        unsigned pcr;

        VD_EXPECT_EQ(sscanf(line, "%15s %u %128s", name, &pcr, hex), 3);
        VD_EXPECT_EQ(vd_eventlog_replay(log, log_size, vd_tpm_alg_find(name, strlen(name)),
                                        &vd_tpm_hash_ops, &bank, NULL),
                     VD_OK);
        vd_text_init(&t, actual, sizeof(actual));
        vd_text_hex(&t, bank.value[pcr], bank.digest_size);
        VD_EXPECT_STR(actual, hex);
        compared++;
    }
    VD_EXPECT_EQ(compared, 48);
}

/* Every event whose type promises it, and each of ours, has the digest of its data. */
VD_TEST(eventlog_real_digests_are_of_the_data)
{
    static uint8_t bytes[64 << 10];
    size_t size = load_data("ovmf-eventlog.bin", bytes, sizeof(bytes));
    unsigned ours[VD_BOOT_EVENT_COUNT] = {};
    struct vd_eventlog log;

    VD_EXPECT_EQ(vd_eventlog_open(bytes, size, &log, NULL), VD_OK);
    while (vd_eventlog_more(&log)) {
        struct vd_logged_event e;
        enum vd_boot_event_id id;

        VD_EXPECT_EQ(vd_eventlog_next(&log, &e, NULL), VD_OK);
        VD_EXPECT(vd_event_type_name(e.type) != NULL);
        id = vd_boot_event_identify(&e);
        if (id < VD_BOOT_EVENT_COUNT)
            ours[id]++;
        else if (!vd_event_hashes_data(e.type))
            continue;
        for (uint32_t i = 0; i < log.algorithm_count; i++) {
            uint8_t digest[VD_DIGEST_MAX_SIZE];
            VD_EXPECT_EQ(
                vd_tpm_hash_ops.hash(NULL, log.algorithm[i].id, e.data.data, e.data.size, digest),
                VD_OK);
            VD_EXPECT_MEM(digest, e.digest[i].data, e.digest[i].size);
        }
    }
    for (int id = 0; id < VD_BOOT_EVENT_COUNT; id++)
        VD_EXPECT_EQ(ours[id], 1);
}

VD_TEST(eventlog_real_every_cut)
{
    static uint8_t bytes[64 << 10];
    size_t size = load_data("ovmf-eventlog.bin", bytes, sizeof(bytes));
    size_t whole = 0;
    size_t accepted = 0;

    VD_EXPECT_EQ(walk(bytes, size, &whole, NULL), VD_OK);
    for (size_t n = 0; n < size; n++) {
        uint8_t *copy = malloc(n + (n == 0));
        size_t events;

        memcpy(copy, bytes, n);
        accepted += walk(copy, n, &events, NULL) == VD_OK;
        free(copy);
    }
    /* one for each event that a cut can leave whole, and the start alone */
    VD_EXPECT_EQ(accepted, whole);
}

VD_TEST(eventlog_algorithms_by_name)
{
    static const char *const unknown[] = {"", "sha", "sha2566", "SHA256", "md5"};

    VD_EXPECT_EQ(vd_tpm_alg_find("sha256", 6), VD_TPM_ALG_SHA256);
    VD_EXPECT_EQ(vd_tpm_alg_find("sha384:4", 6), VD_TPM_ALG_SHA384);
    for (size_t i = 0; i < VD_COUNT(unknown); i++)
        VD_EXPECT_EQ(vd_tpm_alg_find(unknown[i], strlen(unknown[i])), 0);
}
