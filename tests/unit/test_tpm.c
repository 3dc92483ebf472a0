/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hardware/tpm/attest.h"

#include <stdlib.h>

#include "core/base/writer.h"
#include "tests/harness.h"

/* A quote as part 2 of the specification lays it out, built by hand. */
static size_t build_quote(uint8_t *buf, size_t room)
{
    static const struct vd_tpm_selection selection = {
        .count = 2, .bank = {{VD_TPM_ALG_SHA256, 0x000813}, {VD_TPM_ALG_SHA384, 0x800000}}};
    struct vd_writer w;

    vd_writer_init(&w, buf, room);
    vd_write_be32(&w, VD_TPM_GENERATED);
    vd_write_be16(&w, VD_TPM_ST_QUOTE);
    vd_tpm_write_2b(&w, "signer", 6);
    vd_tpm_write_2b(&w, "nonce", 5);
    vd_write_be64(&w, 1234);
    vd_write_be32(&w, 5);
    vd_write_be32(&w, 6);
    vd_write_u8(&w, 1);
    vd_write_be64(&w, 0x0102030405060708);
    vd_tpm_selection_write(&w, &selection);
    vd_tpm_write_2b(&w, "0123456789abcdef0123456789abcdef", 32);
    VD_EXPECT_EQ(vd_write_done(&w), VD_OK);
    return w.len;
}

/* Parses a copy of exact size, so that a sanitizer sees a read past the end. */
static vd_status parse(const uint8_t *data, size_t size, struct vd_diag *diag)
{
    uint8_t *copy = malloc(size + (size == 0));
    struct vd_tpm_quote quote;
    vd_status status;

    memcpy(copy, data, size);
    status = vd_tpm_quote_parse(copy, size, &quote, diag);
    free(copy);
    return status;
}

VD_TEST(tpm_quote_round_trip)
{
    uint8_t buf[256];
    size_t size = build_quote(buf, sizeof(buf));
    struct vd_tpm_quote q;

    VD_EXPECT_EQ(vd_tpm_quote_parse(buf, size, &q, NULL), VD_OK);
    VD_EXPECT_EQ(q.signer.size, 6);
    VD_EXPECT_EQ(q.nonce.size, 5);
    VD_EXPECT_MEM(q.nonce.data, "nonce", 5);
    VD_EXPECT_EQ(q.clock_ms, 1234);
    VD_EXPECT_EQ(q.reset_count, 5);
    VD_EXPECT_EQ(q.restart_count, 6);
    VD_EXPECT(q.clock_safe);
    VD_EXPECT_EQ(q.selection.count, 2);
    VD_EXPECT_EQ(q.selection.bank[0].pcrs, 0x813);
    VD_EXPECT_EQ(q.selection.bank[1].algorithm, VD_TPM_ALG_SHA384);
    VD_EXPECT_EQ(q.selection.bank[1].pcrs, 0x800000);
    VD_EXPECT_EQ(q.digest.size, 32);
}

VD_TEST(tpm_quote_refuses)
{
    uint8_t buf[256];
    size_t size = build_quote(buf, sizeof(buf));
    static uint8_t large[VD_TPM_ATTEST_MAX + 1];

    for (size_t n = 0; n < size; n++) {
        struct vd_diag diag = {};
        VD_EXPECT_EQ(parse(buf, n, &diag), VD_E_TRUNCATED);
        VD_EXPECT(diag.has_offset && diag.offset <= n);
    }
    buf[size] = 0;
    VD_EXPECT_EQ(parse(buf, size + 1, NULL), VD_E_TRAILING);
    buf[0] = 0;
    VD_EXPECT_EQ(parse(buf, size, NULL), VD_E_MAGIC);
    build_quote(buf, sizeof(buf));
    buf[5] = 0x14; /* TPM_ST_ATTEST_NV */
    VD_EXPECT_EQ(parse(buf, size, NULL), VD_E_INVALID);
    build_quote(buf, sizeof(buf));
    buf[6] = 1; /* a signer of 256 bytes */
    VD_EXPECT_EQ(parse(buf, size, NULL), VD_E_LIMIT);
    build_quote(buf, sizeof(buf));
    buf[14] = 1; /* a nonce of 256 bytes */
    VD_EXPECT_EQ(parse(buf, size, NULL), VD_E_LIMIT);
    build_quote(buf, sizeof(buf));
    buf[37] = 2; /* "safe" is yes or no */
    VD_EXPECT_EQ(parse(buf, size, NULL), VD_E_RANGE);
    build_quote(buf, sizeof(buf));
    buf[49] = 17; /* banks */
    VD_EXPECT_EQ(parse(buf, size, NULL), VD_E_LIMIT);
    build_quote(buf, sizeof(buf));
    buf[52] = 4; /* a bitmap of 32 PCRs, the last of which are not zero */
    buf[56] = 1;
    VD_EXPECT_EQ(parse(buf, size, NULL), VD_E_LIMIT);
    VD_EXPECT_EQ(parse(large, sizeof(large), NULL), VD_E_LIMIT);
}

static vd_status parse_signature(const char *bytes, size_t size)
{
    struct vd_tpm_signature s;

    return vd_tpm_signature_parse(bytes, size, &s, NULL);
}

#define SIGNATURE(bytes) parse_signature(bytes, sizeof(bytes) - 1)

VD_TEST(tpm_signature_refuses)
{
    VD_EXPECT_EQ(SIGNATURE("\0\30\0\13\0\2ab\0\1c"), VD_OK);
    VD_EXPECT_EQ(SIGNATURE("\0\24\0\13\0\2ab"), VD_OK);
    VD_EXPECT_EQ(SIGNATURE("\0\26\0\13\0\2ab"), VD_OK);
    VD_EXPECT_EQ(SIGNATURE("\0\24\0\13\0\2abc"), VD_E_TRAILING);
    VD_EXPECT_EQ(SIGNATURE("\0\30\0\13\0\2ab\0\1cd"), VD_E_TRAILING);
    VD_EXPECT_EQ(SIGNATURE("\0\5\0\13\0\2ab"), VD_E_INVALID);       /* HMAC */
    VD_EXPECT_EQ(SIGNATURE("\0\30\0\13\0\103ab\0\1c"), VD_E_LIMIT); /* 67 bytes */
    VD_EXPECT_EQ(SIGNATURE("\0\24\0\13\2\1ab"), VD_E_LIMIT);        /* 513 bytes */
    for (size_t n = 0; n < 11; n++)
        VD_EXPECT_EQ(parse_signature("\0\30\0\13\0\2ab\0\1c", n), VD_E_TRUNCATED);
}

static vd_status parse_response(const char *bytes, size_t size, bool sessions, bool handle,
                                size_t *ret_left)
{
    struct vd_tpm_response response = {
        .sessions = sessions, .returns_handle = handle, .message.size = size};
    vd_status status;

    memcpy(response.message.bytes, bytes, size);
    status = vd_tpm_parse_response(&response, NULL);
    *ret_left = vd_reader_left(&response.parameters);
    return status;
}

#define RESPONSE(bytes, sessions, handle) \
    parse_response(bytes, sizeof(bytes) - 1, sessions, handle, &left)

VD_TEST(tpm_response_head)
{
    size_t left;

    VD_EXPECT_EQ(RESPONSE("\x80\1\0\0\0\14\0\0\0\0ab", false, false), VD_OK);
    VD_EXPECT_EQ(left, 2);
    VD_EXPECT_EQ(RESPONSE("\x80\1\0\0\0\15\0\0\0\0ab", false, false), VD_E_INVALID); /* size */
    VD_EXPECT_EQ(RESPONSE("\x80\2\0\0\0\14\0\0\0\0ab", false, false), VD_E_INVALID); /* tag */
    VD_EXPECT_EQ(RESPONSE("\x80\1\0\0\0\12\0\0\1\1", false, false), VD_OK);          /* code */
    VD_EXPECT_EQ(RESPONSE("\x80\1\0\0\0\13\0\0\1\1a", false, false), VD_E_TRAILING);
    VD_EXPECT_EQ(RESPONSE("\x80\1\0\0\0\14\0\0\0\0ab", false, true), VD_E_INVALID); /* no handle */
    VD_EXPECT_EQ(RESPONSE("\x80\2\0\0\0\25\0\0\0\0\0\0\0\2ab\0\0\1\0\0", true, false), VD_OK);
    VD_EXPECT_EQ(left, 2);
    VD_EXPECT_EQ(RESPONSE("\x80\2\0\0\0\25\0\0\0\0\0\0\0\3ab\0\0\1\0\0", true, false),
                 VD_E_INVALID);
    VD_EXPECT_EQ(RESPONSE("\x80\2\0\0\0\25\0\0\0\0\377\377\377\377ab\0\0\1\0\0", true, false),
                 VD_E_INVALID);
    for (size_t n = 0; n < 10; n++)
        VD_EXPECT_EQ(parse_response("\x80\1\0\0\0\12\0\0\0\0", n, false, false, &left),
                     VD_E_TRUNCATED);
}

VD_TEST(tpm_response_codes_have_texts)
{
    VD_EXPECT(strstr(vd_tpm_rc_text(0x100), "not started") != NULL);
    VD_EXPECT(strstr(vd_tpm_rc_text(0x9a2), "password") != NULL); /* session 1: bad authorisation */
    VD_EXPECT(strstr(vd_tpm_rc_text(0x99d), "policy") != NULL);   /* session 1: policy */
    VD_EXPECT(strstr(vd_tpm_rc_text(0x2d2), "scheme") != NULL);   /* parameter 2 */
    VD_EXPECT(strstr(vd_tpm_rc_text(0x902), "slot") != NULL);
    VD_EXPECT(strstr(vd_tpm_rc_text(0x1ff), "is refused") != NULL); /* not in the table */
    VD_EXPECT(strstr(vd_tpm_rc_text(0x97f), "cannot do this") != NULL);
}

static vd_status selection(const char *text, uint16_t *bank, uint32_t *pcrs)
{
    struct vd_tpm_selection s = {};
    vd_status status = vd_tpm_selection_parse(text, &s, NULL);

    *bank = s.bank[0].algorithm;
    *pcrs = s.bank[0].pcrs;
    return status;
}

VD_TEST(tpm_selection_text)
{
    static const char *const bad[] = {
        "",       ",",     "1,", "24", "1-",   "3-1", "0-24", "md5:1",
        "sha256", "sha1:", "1 ", "-1", "1,,2", "0x1", "1;2",  "99999999999999999999"};
    uint16_t bank;
    uint32_t pcrs;

    VD_EXPECT_EQ(selection("0,4,8-11", &bank, &pcrs), VD_OK);
    VD_EXPECT_EQ(bank, VD_TPM_ALG_SHA256);
    VD_EXPECT_EQ(pcrs, 0xf11);
    VD_EXPECT_EQ(selection("sha384:23", &bank, &pcrs), VD_OK);
    VD_EXPECT_EQ(bank, VD_TPM_ALG_SHA384);
    VD_EXPECT_EQ(pcrs, 0x800000);
    for (size_t i = 0; i < VD_COUNT(bad); i++)
        VD_EXPECT_EQ(selection(bad[i], &bank, &pcrs), VD_E_USAGE);
}
