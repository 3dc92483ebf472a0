/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/base/text.h"
#include "tests/harness.h"

#include <stdio.h>

static void write_all(struct vd_text *t)
{
    static const uint8_t bytes[] = {0x00, 0x7f, 0xff};

    vd_text_str(t, "a=");
    vd_text_u64(t, 10203);
    vd_text_str(t, " ");
    vd_text_hex(t, bytes, sizeof(bytes));
    vd_text_foreign(t, "\x1b[", 2);
}

/* In a buffer of every size: the same text, cut, terminated, nothing behind it touched. */
VD_TEST(text_in_every_buffer)
{
    static const char whole[] = "a=10203 007fff\\x1b[";

    for (size_t size = 1; size <= sizeof(whole) + 2; size++) {
        char buf[sizeof(whole) + 8];
        struct vd_text t;
        memset(buf, '#', sizeof(buf));
        vd_text_init(&t, buf, size);
        write_all(&t);
        VD_EXPECT_EQ(t.cut, size < sizeof(whole));
        VD_EXPECT_EQ(t.len, size < sizeof(whole) ? size - 1 : sizeof(whole) - 1);
        VD_EXPECT_EQ(buf[t.len], '\0');
        VD_EXPECT_MEM(buf, whole, t.len);
        for (size_t i = size; i < sizeof(buf); i++)
            VD_EXPECT_EQ(buf[i], '#');
    }
}

VD_TEST(text_numbers)
{
    static const uint64_t values[] = {0,           1,          9,
                                      10,          99,         100,
                                      UINT32_MAX,  UINT64_MAX, UINT64_MAX - 9,
                                      1000000000u, 5,          UINT64_C(10000000000000000000)};

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        char buf[32];
        char want[32];
        struct vd_text t;
        vd_text_init(&t, buf, sizeof(buf));
        vd_text_u64(&t, values[i]);
        snprintf(want, sizeof(want), "%llu", (unsigned long long)values[i]);
        VD_EXPECT_STR(buf, want);
    }
}

/* Every byte: printable ASCII as it is, all else as \xHH. */
VD_TEST(text_foreign_every_byte)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        char c = (char)byte;
        char buf[8];
        char want[8];
        struct vd_text t;
        vd_text_init(&t, buf, sizeof(buf));
        vd_text_foreign(&t, &c, 1);
        if (byte >= 0x20 && byte <= 0x7e)
            snprintf(want, sizeof(want), "%c", c);
        else
            snprintf(want, sizeof(want), "\\x%02x", byte);
        VD_EXPECT_STR(buf, want);
    }
}
