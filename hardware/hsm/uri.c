/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hardware/hsm/uri.h"

#include <stddef.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/reader.h"
#include "core/base/writer.h"
#include "lib/diagf.h"

#define SCHEME "pkcs11:"

static const char *const class_names[] = {
    [VD_HSM_PUBLIC] = "public",    [VD_HSM_PRIVATE] = "private", [VD_HSM_SECRET_KEY] = "secret-key",
    [VD_HSM_CERTIFICATE] = "cert", [VD_HSM_DATA] = "data",
};

const char *vd_hsm_class_name(enum vd_hsm_class class)
{
    return (size_t) class < VD_COUNT(class_names) ? class_names[class] : NULL;
}

/* The attributes that are texts. `library-*` and `slot-*` descriptions name no token of ours. */
static const struct attribute {
    const char *name;
    size_t store, size; /* of the text with its NUL */
    bool query;         /* stands behind the question mark */
} attributes[] = {
    {"token", offsetof(struct vd_hsm_uri, token), 33, false},
    {"manufacturer", offsetof(struct vd_hsm_uri, manufacturer), 33, false},
    {"model", offsetof(struct vd_hsm_uri, model), 17, false},
    {"serial", offsetof(struct vd_hsm_uri, serial), 17, false},
    {"object", offsetof(struct vd_hsm_uri, object), VD_HSM_LABEL_MAX + 1, false},
    {"module-path", offsetof(struct vd_hsm_uri, module_path), VD_HSM_PATH_MAX, true},
    {"pin-source", offsetof(struct vd_hsm_uri, pin_source), VD_HSM_PATH_MAX, true},
};

/* One `name=value`; the value still has its percent signs. */
struct pair {
    const uint8_t *name, *value;
    size_t name_size, value_size;
    size_t offset, value_offset;
    bool query;
};

static bool is_named(const struct pair *pair, const char *name)
{
    return strlen(name) == pair->name_size && memcmp(pair->name, name, pair->name_size) == 0;
}

static int digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 7512, 2.3: unreserved, and what stands for itself in a path or query. */
static bool is_plain(uint8_t c, bool query)
{
    if ((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
        return true;
    return c != 0 && strchr(query ? "-._~:[]@!$'()*+,=/?|" : "-._~:[]@!$'()*+,=&", c) != NULL;
}

/* The value's bytes into `buf`. */
static vd_status unescape(const struct pair *pair, uint8_t *buf, size_t max, size_t *ret,
                          struct vd_diag *diag)
{
    size_t n = 0;

    for (size_t i = 0; i < pair->value_size; i++) {
        uint8_t c = pair->value[i];
        size_t at = pair->value_offset + i;

        if (n == max)
            return vd_diagf_at(diag, VD_E_LIMIT, at, "\"%.*s\" has more than %zu bytes",
                               (int)pair->name_size, (const char *)pair->name, max);
        if (c == '%') {
            int high = i + 2 < pair->value_size ? digit(pair->value[i + 1]) : -1;
            int low = i + 2 < pair->value_size ? digit(pair->value[i + 2]) : -1;

            if (high < 0 || low < 0)
                return vd_diag_fail_at(diag, VD_E_SYNTAX, at,
                                       "expected two hexadecimal digits after %");
            c = (uint8_t)(high << 4 | low);
            i += 2;
        } else if (!is_plain(c, pair->query)) {
            return vd_diag_fail_at(diag, VD_E_SYNTAX, at,
                                   "this byte stands in a URI only as % and two digits");
        }
        buf[n++] = c;
    }
    *ret = n;
    return VD_OK;
}

static vd_status take_text(const struct pair *pair, char *ret, size_t size, struct vd_diag *diag)
{
    uint8_t buf[VD_HSM_PATH_MAX];
    size_t n;

    if (ret[0] != '\0')
        return vd_diag_fail_at(diag, VD_E_INVALID, pair->offset, "the attribute is there twice");
    VD_TRY(unescape(pair, buf, size - 1, &n, diag));
    if (n == 0 || memchr(buf, 0, n) != NULL)
        return vd_diag_fail_at(diag, VD_E_INVALID, pair->value_offset,
                               "the value is empty or has a byte 0");
    vd_copy(ret, buf, n);
    ret[n] = '\0';
    return VD_OK;
}

static vd_status take_id(const struct pair *pair, struct vd_hsm_uri *uri, struct vd_diag *diag)
{
    size_t n;

    if (uri->id_size > 0)
        return vd_diag_fail_at(diag, VD_E_INVALID, pair->offset, "the attribute is there twice");
    VD_TRY(unescape(pair, uri->id, sizeof(uri->id), &n, diag));
    if (n == 0)
        return vd_diag_fail_at(diag, VD_E_INVALID, pair->value_offset, "the id is empty");
    uri->id_size = n;
    return VD_OK;
}

static vd_status take_class(const struct pair *pair, struct vd_hsm_uri *uri, struct vd_diag *diag)
{
    if (uri->class != VD_HSM_ANY_CLASS)
        return vd_diag_fail_at(diag, VD_E_INVALID, pair->offset, "the attribute is there twice");
    for (uint32_t i = VD_HSM_PUBLIC; i < VD_COUNT(class_names); i++) {
        if (strlen(class_names[i]) == pair->value_size &&
            memcmp(class_names[i], pair->value, pair->value_size) == 0)
            uri->class = i;
    }
    if (uri->class == VD_HSM_ANY_CLASS)
        return vd_diag_fail_at(diag, VD_E_INVALID, pair->value_offset,
                               "expected public, private, secret-key, cert or data");
    return VD_OK;
}

static vd_status take_slot(const struct pair *pair, struct vd_hsm_uri *uri, struct vd_diag *diag)
{
    uint64_t value = 0;

    if (uri->slot != VD_HSM_ANY_SLOT)
        return vd_diag_fail_at(diag, VD_E_INVALID, pair->offset, "the attribute is there twice");
    for (size_t i = 0; i < pair->value_size; i++) {
        if (pair->value[i] < '0' || pair->value[i] > '9' || pair->value_size > 18)
            return vd_diag_fail_at(diag, VD_E_INVALID, pair->value_offset,
                                   "expected a number of at most 18 digits");
        value = value * 10 + (uint64_t)(pair->value[i] - '0');
    }
    if (pair->value_size == 0)
        return vd_diag_fail_at(diag, VD_E_INVALID, pair->value_offset, "expected a number");
    uri->slot = value;
    return VD_OK;
}

static vd_status take_pin_source(const struct pair *pair, struct vd_hsm_uri *uri,
                                 struct vd_diag *diag)
{
    static const char file[] = "file:";
    char *path = uri->pin_source;

    VD_TRY(take_text(pair, path, sizeof(uri->pin_source), diag));
    if (strncmp(path, file, sizeof(file) - 1) == 0)
        memmove(path, path + sizeof(file) - 1, strlen(path) - (sizeof(file) - 1) + 1);
    while (strncmp(path, "//", 2) == 0)
        memmove(path, path + 1, strlen(path));
    if (path[0] != '/')
        return vd_diag_fail_at(diag, VD_E_UNSUPPORTED, pair->value_offset,
                               "a PIN comes from a file: expected an absolute path or file:PATH");
    return VD_OK;
}

static vd_status take_pair(const struct pair *pair, struct vd_hsm_uri *uri, struct vd_diag *diag)
{
    if (pair->query && is_named(pair, "pin-value"))
        return vd_diag_fail_at(diag, VD_E_UNSUPPORTED, pair->offset,
                               "a PIN has no place in a URI: use pin-source");
    if (pair->query && is_named(pair, "module-name"))
        return vd_diag_fail_at(diag, VD_E_UNSUPPORTED, pair->offset,
                               "modules are named by their path: use module-path");
    if (pair->query && is_named(pair, "pin-source"))
        return take_pin_source(pair, uri, diag);
    if (!pair->query && is_named(pair, "id"))
        return take_id(pair, uri, diag);
    if (!pair->query && is_named(pair, "type"))
        return take_class(pair, uri, diag);
    if (!pair->query && is_named(pair, "slot-id"))
        return take_slot(pair, uri, diag);
    for (size_t i = 0; i < VD_COUNT(attributes); i++) {
        const struct attribute *a = &attributes[i];

        if (a->query == pair->query && is_named(pair, a->name))
            return take_text(pair, (char *)uri + a->store, a->size, diag);
    }
    return vd_diag_fail_at(diag, VD_E_INVALID, pair->offset,
                           "this attribute is not known at this place");
}

/* Takes one pair and the separator behind it; `*query` turns true behind the question mark. */
static vd_status next_pair(struct vd_reader *r, bool *query, struct pair *ret, struct vd_diag *diag)
{
    char separator = *query ? '&' : ';';
    const uint8_t *end = r->pos, *equals = NULL;
    const uint8_t *taken;

    while (end < r->end && *end != (uint8_t)separator && (*query || *end != '?')) {
        if (equals == NULL && *end == '=')
            equals = end;
        end++;
    }
    ret->offset = vd_reader_offset(r);
    if (equals == NULL || equals == r->pos)
        return vd_diag_fail_at(diag, VD_E_SYNTAX, ret->offset, "expected NAME=VALUE");
    ret->query = *query;
    ret->name = r->pos;
    ret->name_size = (size_t)(equals - r->pos);
    ret->value = equals + 1;
    ret->value_size = (size_t)(end - equals) - 1;
    ret->value_offset = ret->offset + ret->name_size + 1;
    VD_TRY(vd_read_bytes(r, (size_t)(end - r->pos), &taken));
    if (vd_reader_left(r) == 0)
        return VD_OK;
    if (*end == '?')
        *query = true;
    VD_TRY(vd_read_skip(r, 1));
    if (vd_reader_left(r) == 0)
        return vd_diag_fail_at(diag, VD_E_SYNTAX, vd_reader_offset(r), "expected NAME=VALUE");
    return VD_OK;
}

vd_status vd_hsm_uri_parse(const char *text, struct vd_hsm_uri *ret, struct vd_diag *diag)
{
    struct vd_hsm_uri uri = {.slot = VD_HSM_ANY_SLOT};
    size_t size = strnlen(text, VD_HSM_URI_MAX + 1), scheme = sizeof(SCHEME) - 1;
    struct vd_reader r;
    struct pair pair;
    bool query = false;

    if (size > VD_HSM_URI_MAX)
        return vd_diagf_at(diag, VD_E_LIMIT, size, "a URI has at most %u bytes", VD_HSM_URI_MAX);
    if (size < scheme || memcmp(text, SCHEME, scheme) != 0)
        return vd_diag_fail_at(diag, VD_E_SYNTAX, 0, "not a PKCS#11 URI: expected pkcs11:");
    vd_reader_init(&r, text, size);
    VD_TRY(vd_read_skip(&r, scheme));
    if (vd_reader_left(&r) > 0 && *r.pos == '?') {
        query = true;
        VD_TRY(vd_read_skip(&r, 1));
        if (vd_reader_left(&r) == 0)
            return vd_diag_fail_at(diag, VD_E_SYNTAX, vd_reader_offset(&r), "expected NAME=VALUE");
    }
    while (vd_reader_left(&r) > 0) {
        VD_TRY(next_pair(&r, &query, &pair, diag));
        VD_TRY(take_pair(&pair, &uri, diag));
    }
    *ret = uri;
    return VD_OK;
}

/* ---- Writing ---- */

struct out {
    struct vd_writer w;
    bool query, started;
};

static void put_name(struct out *out, const char *name, bool query)
{
    if (query && !out->query)
        vd_write_u8(&out->w, '?');
    else if (out->started)
        vd_write_u8(&out->w, query ? '&' : ';');
    out->query = query;
    out->started = true;
    vd_write_bytes(&out->w, name, strlen(name));
    vd_write_u8(&out->w, '=');
}

static void put_value(struct out *out, const uint8_t *data, size_t size, bool all)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < size; i++) {
        if (!all && is_plain(data[i], out->query)) {
            vd_write_u8(&out->w, data[i]);
            continue;
        }
        vd_write_u8(&out->w, '%');
        vd_write_u8(&out->w, (uint8_t)digits[data[i] >> 4]);
        vd_write_u8(&out->w, (uint8_t)digits[data[i] & 15]);
    }
}

static void put_number(struct out *out, uint64_t value)
{
    uint8_t text[20];
    size_t n = sizeof(text);

    do {
        text[--n] = (uint8_t)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    put_value(out, text + n, sizeof(text) - n, false);
}

vd_status vd_hsm_uri_write(const struct vd_hsm_uri *uri, char *buf, size_t size)
{
    const char *class = vd_hsm_class_name(uri->class);
    struct out out = {};

    vd_writer_init(&out.w, buf, size);
    vd_write_bytes(&out.w, SCHEME, sizeof(SCHEME) - 1);
    for (size_t i = 0; i < VD_COUNT(attributes); i++) {
        const struct attribute *a = &attributes[i];
        const char *text = (const char *)uri + a->store;

        if (a->query && !attributes[i - 1].query) { /* the last of the path */
            if (uri->id_size > 0) {
                put_name(&out, "id", false);
                put_value(&out, uri->id, uri->id_size, true);
            }
            if (class != NULL) {
                put_name(&out, "type", false);
                put_value(&out, (const uint8_t *)class, strlen(class), false);
            }
            if (uri->slot != VD_HSM_ANY_SLOT) {
                put_name(&out, "slot-id", false);
                put_number(&out, uri->slot);
            }
        }
        if (text[0] != '\0') {
            put_name(&out, a->name, a->query);
            put_value(&out, (const uint8_t *)text, strlen(text), false);
        }
    }
    vd_write_u8(&out.w, 0);
    return vd_write_done(&out.w);
}
