/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/base/text.h"

static const char hex_digits[] = "0123456789abcdef";

static void put(struct vd_text *text, char c)
{
    if (text->len + 1 >= text->size) {
        text->cut = true;
        return;
    }
    text->buf[text->len++] = c;
    text->buf[text->len] = '\0';
}

void vd_text_init(struct vd_text *text, char *buf, size_t size)
{
    *text = (struct vd_text){.buf = buf, .size = size};
    buf[0] = '\0';
}

void vd_text_str(struct vd_text *text, const char *s)
{
    while (*s != '\0')
        put(text, *s++);
}

void vd_text_foreign(struct vd_text *text, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c >= 0x20 && c < 0x7f) {
            put(text, (char)c);
        } else {
            vd_text_str(text, "\\x");
            put(text, hex_digits[c >> 4]);
            put(text, hex_digits[c & 15]);
        }
    }
}

void vd_text_u64(struct vd_text *text, uint64_t value)
{
    char digits[20];
    size_t n = 0;

    do {
        digits[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (n > 0)
        put(text, digits[--n]);
}

void vd_text_hex(struct vd_text *text, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        put(text, hex_digits[bytes[i] >> 4]);
        put(text, hex_digits[bytes[i] & 15]);
    }
}
