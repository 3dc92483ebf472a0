/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "services/crypto/rest/value.h"

#include <stdbool.h>
#include <string.h>

#include "lib/diagf.h"

/* The end of a string that begins behind `i`. */
static size_t skip_string(const char *text, size_t size, size_t i)
{
    for (i++; i < size && text[i] != '"'; i++)
        if (text[i] == '\\')
            i++;
    return i;
}

/* Depth and number of values, without believing anything else of the text. */
static vd_status check_bounds(const char *text, size_t size, struct vd_diag *diag)
{
    size_t depth = 0, values = 0;

    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (c == '"')
            i = skip_string(text, size, i);
        else if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && depth > 0)
            depth--;
        values += c == ',' || c == ':';
        if (depth > VD_REST_DEPTH_MAX)
            return vd_diagf_at(diag, VD_E_LIMIT, i, "more than %u arrays and objects in each other",
                               VD_REST_DEPTH_MAX);
        if (values > VD_REST_VALUES_MAX)
            return vd_diagf_at(diag, VD_E_LIMIT, i, "more than %u values", VD_REST_VALUES_MAX);
    }
    return VD_OK;
}

vd_status vd_rest_json_read(const char *text, size_t size, json_t **ret, struct vd_diag *diag)
{
    json_error_t error;
    json_t *value;

    if (size > VD_REST_BODY_MAX)
        return vd_diagf(diag, VD_E_LIMIT, "a body has at most %u bytes", VD_REST_BODY_MAX);
    VD_TRY(check_bounds(text, size, diag));
    value = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    if (value == NULL)
        return vd_diagf_line(diag, VD_E_SYNTAX, error.line > 0 ? (uint32_t)error.line : 1,
                             error.column > 0 ? (uint32_t)error.column : 0, "no JSON: %s",
                             error.text);
    if (!json_is_object(value)) {
        json_decref(value);
        return vd_diagf_line(diag, VD_E_SYNTAX, 1, 1, "an object is expected: {…}");
    }
    *ret = value;
    return VD_OK;
}

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void vd_rest_base64_encode(enum vd_rest_base64 kind, const void *data, size_t size, char *ret)
{
    const uint8_t *from = data;
    const char *letters = standard;
    bool url = kind == VD_REST_BASE64_URL;
    size_t at = 0;

    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t bits = (uint32_t)from[i] << 16 | (left > 1 ? (uint32_t)from[i + 1] << 8 : 0) |
                        (left > 2 ? from[i + 2] : 0);
        for (size_t k = 0; k < 4; k++) {
            char c = letters[bits >> (18 - 6 * k) & 63];
            if (k > left)
                c = '=';
            else if (url && (c == '+' || c == '/'))
                c = c == '+' ? '-' : '_';
            if (c != '=' || !url)
                ret[at++] = c;
        }
    }
    ret[at] = '\0';
}

static int value_of(char c, bool url)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == (url ? '-' : '+'))
        return 62;
    return c == (url ? '_' : '/') ? 63 : -1;
}

vd_status vd_rest_base64_decode(const struct vd_rest_text *from, uint8_t *ret, size_t *ret_size,
                                struct vd_diag *diag)
{
    bool url = from->kind == VD_REST_BASE64_URL;
    size_t letters = from->size, at = 0;
    uint32_t bits = 0, held = 0;

    while (!url && letters > 0 && from->size - letters < 2 && from->text[letters - 1] == '=')
        letters--;
    if (letters % 4 == 1 || (!url && from->size % 4 != 0))
        return vd_diagf_at(diag, VD_E_ENCODING, from->size,
                           url ? "base64url without padding is expected, of another length"
                               : "base64 is expected, padded to a multiple of four letters");
    for (size_t i = 0; i < letters; i++) {
        int value = value_of(from->text[i], url);
        if (value < 0)
            return vd_diagf_at(diag, VD_E_ENCODING, i, "this is no letter of base64");
        bits = bits << 6 | (uint32_t)value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            ret[at++] = (uint8_t)(bits >> held);
        }
    }
    if ((bits & ((1u << held) - 1)) != 0)
        return vd_diagf_at(diag, VD_E_ENCODING, letters,
                           "the last letter has bits that say nothing");
    *ret_size = at;
    return VD_OK;
}
