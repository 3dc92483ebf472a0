/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "services/crypto/rest/request.h"

#include <stdio.h>
#include <string.h>

#include "lib/diagf.h"
#include "lib/keyclient/wire.h"
#include "services/crypto/rest/fields.h"
#include "services/crypto/rest/memory.h"

#define SEGMENTS_MAX 6u

enum methods { GET = 1, POST = 2, LIST = 4, DELETE = 8 };

/* Segments that begin with a colon are given to the request. */
struct route {
    const char *pattern;
    uint32_t methods;
    enum vd_rest_action action;
};

static const struct route routes[] = {
    {"sys/health", GET, VD_REST_HEALTH},
    {"transit/keys", LIST, VD_REST_KEYS},
    {"transit/keys/:name", POST, VD_REST_CREATE},
    {"transit/keys/:name", GET, VD_REST_SHOW},
    {"transit/keys/:name", DELETE, VD_REST_DELETE},
    {"transit/keys/:name/rotate", POST, VD_REST_ROTATE},
    {"transit/keys/:name/config", POST, VD_REST_CONFIG},
    {"transit/encrypt/:name", POST, VD_REST_ENCRYPT},
    {"transit/decrypt/:name", POST, VD_REST_DECRYPT},
    {"transit/rewrap/:name", POST, VD_REST_REWRAP},
    {"transit/sign/:name", POST, VD_REST_SIGN},
    {"transit/sign/:name/:hash", POST, VD_REST_SIGN},
    {"transit/verify/:name", POST, VD_REST_VERIFY},
    {"transit/verify/:name/:hash", POST, VD_REST_VERIFY},
    {"transit/hmac/:name", POST, VD_REST_HMAC},
    {"transit/hmac/:name/:hash", POST, VD_REST_HMAC},
    {"transit/random", POST | GET, VD_REST_RANDOM},
    {"transit/random/:bytes", POST | GET, VD_REST_RANDOM},
    {"transit/random/:source/:bytes", POST | GET, VD_REST_RANDOM},
    {"transit/datakey/:way/:name", POST, VD_REST_DATAKEY},
    {"transit/byok-export/:name/:other", GET, VD_REST_WRAP},
};

static const struct {
    const char *start;
    const char *why;
} refused[] = {
    {"export",
     "keys leave only wrapped under another key: GET transit/byok-export/:destination/:source"},
    {"backup",
     "keys leave only wrapped under another key: GET transit/byok-export/:destination/:source"},
};

struct path {
    char segments[SEGMENTS_MAX][VD_KEY_NAME_MAX + 1];
    uint32_t count;
};

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* One segment, with percent signs decoded; where it ends in the text. */
static vd_status read_segment(const char *text, size_t *at, char *ret, struct vd_diag *diag)
{
    size_t len = 0, i = *at;

    while (text[i] != '\0' && text[i] != '/') {
        int c = (unsigned char)text[i];
        if (c == '%') {
            int high = hex_value(text[i + 1]);
            int low = high < 0 ? -1 : hex_value(text[i + 2]);
            if (low < 0 || high * 16 + low < 0x20)
                return vd_diagf_at(diag, VD_E_ENCODING, i, "this is no escaped letter of a path");
            c = high * 16 + low;
            i += 2;
        }
        if (len == VD_KEY_NAME_MAX)
            return vd_diagf_at(diag, VD_E_LIMIT, i, "a part of the path has at most %u letters",
                               VD_KEY_NAME_MAX);
        ret[len++] = (char)c;
        i++;
    }
    if (len == 0)
        return vd_diagf_at(diag, VD_E_NOT_FOUND, i, "a part of the path is empty");
    ret[len] = '\0';
    *at = i;
    return VD_OK;
}

static vd_status read_path(const char *text, struct path *ret, struct vd_diag *diag)
{
    static const char prefix[] = VD_REST_PREFIX;
    size_t at = sizeof(prefix) - 1;

    if (strnlen(text, VD_REST_PATH_MAX + 1) > VD_REST_PATH_MAX)
        return vd_diagf(diag, VD_E_LIMIT, "a path has at most %u letters", VD_REST_PATH_MAX);
    if (strncmp(text, prefix, sizeof(prefix) - 1) != 0)
        return vd_diag_fail(diag, VD_E_NOT_FOUND, "paths begin with " VD_REST_PREFIX);
    for (;;) {
        if (ret->count == SEGMENTS_MAX)
            return vd_diag_fail(diag, VD_E_NOT_FOUND, "unsupported path");
        VD_TRY(read_segment(text, &at, ret->segments[ret->count++], diag));
        if (text[at] == '\0')
            return VD_OK;
        at++;
        if (text[at] == '\0') /* a slash at the end, as clients put it behind lists */
            return VD_OK;
    }
}

static bool matches(const char *pattern, const struct path *path)
{
    for (uint32_t i = 0; i < path->count; i++) {
        size_t len = strcspn(pattern, "/");
        if (len == 0)
            return false;
        if (pattern[0] != ':' &&
            (strlen(path->segments[i]) != len || strncmp(pattern, path->segments[i], len) != 0))
            return false;
        pattern += len + (pattern[len] == '/');
    }
    return *pattern == '\0';
}

static vd_status take_name(const char *text, char *ret, struct vd_diag *diag)
{
    if (!vd_key_name_valid(text, VD_KEY_NAME_MAX, false))
        return vd_diagf(diag, VD_E_INVALID,
                        "a key's name has 1 to %u letters, digits, '.', '_', '-', '/' (as %%2F)",
                        VD_KEY_NAME_MAX);
    memcpy(ret, text, strlen(text) + 1);
    return VD_OK;
}

static vd_status take_segment(struct vd_rest_request *r, const char *what, const char *text,
                              struct vd_diag *diag)
{
    struct vd_rest_request with = {};

    if (strncmp(what, "name", 4) == 0)
        return take_name(text, r->name, diag);
    if (strncmp(what, "other", 5) == 0)
        return take_name(text, r->other, diag);
    if (strncmp(what, "hash", 4) == 0)
        return vd_rest_set_hash(&with, text)
                   ? VD_OK
                   : vd_diagf(diag, VD_E_UNSUPPORTED, "hash function %.32s: expected sha2-256",
                              text);
    if (strncmp(what, "bytes", 5) == 0)
        return vd_rest_number(text, &r->bytes)
                   ? VD_OK
                   : vd_diagf(diag, VD_E_INVALID, "%.32s: expected a number of bytes", text);
    if (strncmp(what, "way", 3) == 0) {
        r->keep_secret = strcmp(text, "wrapped") == 0;
        return r->keep_secret || strcmp(text, "plaintext") == 0
                   ? VD_OK
                   : vd_diag_fail(diag, VD_E_NOT_FOUND, "expected datakey/plaintext or /wrapped");
    }
    return strcmp(text, "platform") == 0 || strcmp(text, "seal") == 0 || strcmp(text, "all") == 0
               ? VD_OK
               : vd_diag_fail(diag, VD_E_INVALID, "source: expected platform, seal or all");
}

static vd_status take_segments(struct vd_rest_request *r, const char *pattern,
                               const struct path *path, struct vd_diag *diag)
{
    for (uint32_t i = 0; i < path->count; i++) {
        size_t len = strcspn(pattern, "/");
        if (pattern[0] == ':')
            VD_TRY(take_segment(r, pattern + 1, path->segments[i], diag));
        pattern += len + (pattern[len] == '/');
    }
    return VD_OK;
}

static uint32_t method_of(const struct vd_rest_input *in)
{
    if (in->query_list != NULL && strcmp(in->query_list, "true") == 0 &&
        strcmp(in->method, "GET") == 0)
        return LIST;
    if (strcmp(in->method, "GET") == 0 || strcmp(in->method, "HEAD") == 0)
        return GET;
    if (strcmp(in->method, "POST") == 0 || strcmp(in->method, "PUT") == 0)
        return POST;
    if (strcmp(in->method, "LIST") == 0)
        return LIST;
    return strcmp(in->method, "DELETE") == 0 ? DELETE : 0;
}

static vd_status find_route(const struct vd_rest_input *in, const struct path *path,
                            const struct route **ret, struct vd_diag *diag)
{
    uint32_t method = method_of(in);
    bool there = false;

    for (size_t i = 0; i < VD_COUNT(refused); i++)
        if (path->count > 1 && strcmp(path->segments[0], "transit") == 0 &&
            strcmp(path->segments[1], refused[i].start) == 0)
            return vd_diag_fail(diag, VD_E_DENIED, refused[i].why);
    for (size_t i = 0; i < VD_COUNT(routes); i++) {
        if (!matches(routes[i].pattern, path))
            continue;
        there = true;
        if ((routes[i].methods & method) != 0) {
            *ret = &routes[i];
            return VD_OK;
        }
    }
    return there ? vd_diag_fail(diag, VD_E_USAGE, "unsupported operation")
                 : vd_diag_fail(diag, VD_E_NOT_FOUND, "unsupported path");
}

static bool has_batches(enum vd_rest_action action)
{
    return action >= VD_REST_ENCRYPT && action <= VD_REST_HMAC;
}

/* How many items there are, and memory for them. */
static vd_status make_items(struct vd_rest_request *r, size_t body_size, struct vd_diag *diag)
{
    const json_t *batch = json_object_get(r->body, "batch_input");

    r->count = 1;
    if (batch != NULL && !json_is_null(batch) && has_batches(r->action)) {
        if (!json_is_array(batch))
            return vd_diag_fail(diag, VD_E_INVALID, "batch_input: expected an array");
        if (json_array_size(batch) == 0 || json_array_size(batch) > VD_KEY_BATCH_MAX)
            return vd_diagf(diag, VD_E_LIMIT, "batch_input: expected 1 to %u items",
                            VD_KEY_BATCH_MAX);
        r->batch = true;
        r->count = (uint32_t)json_array_size(batch);
    }
    r->decoded_size = body_size;
    r->decoded = vd_rest_alloc(body_size);
    r->items = vd_rest_alloc(r->count * sizeof(*r->items));
    if (r->decoded == NULL || r->items == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for the request");
    for (uint32_t i = 0; i < r->count; i++)
        r->items[i] = (struct vd_rest_item){};
    return VD_OK;
}

/* What an item must have; NULL: it has. */
static const char *missing(enum vd_rest_action action, const struct vd_rest_item *item)
{
    bool text = (item->has & VD_REST_HAS_TEXT) != 0;
    uint32_t proofs = item->has & (VD_REST_HAS_SIGNATURE | VD_REST_HAS_HMAC);

    if (action == VD_REST_ENCRYPT && !text)
        return "plaintext: missing";
    if ((action == VD_REST_DECRYPT || action == VD_REST_REWRAP) && !text)
        return "ciphertext: missing";
    if ((action == VD_REST_SIGN || action == VD_REST_VERIFY || action == VD_REST_HMAC) && !text)
        return "input: missing";
    if (action == VD_REST_VERIFY && proofs != VD_REST_HAS_SIGNATURE && proofs != VD_REST_HAS_HMAC)
        return "expected one of signature and hmac";
    return NULL;
}

static vd_status check_items(struct vd_rest_request *r, struct vd_diag *diag)
{
    for (uint32_t i = 0; i < r->count; i++) {
        struct vd_rest_item *item = &r->items[i];
        const char *what = item->status == VD_OK ? missing(r->action, item) : NULL;
        if (what == NULL)
            continue;
        if (!r->batch)
            return vd_diag_fail(diag, VD_E_INVALID, what);
        item->status = VD_E_INVALID;
        snprintf(item->error, sizeof(item->error), "batch_input[%u]: %s", i, what);
    }
    return VD_OK;
}

static vd_status check_whole(const struct vd_rest_request *r, struct vd_diag *diag)
{
    if (r->action == VD_REST_RANDOM && (r->bytes == 0 || r->bytes > VD_KEY_RANDOM_MAX))
        return vd_diagf(diag, VD_E_RANGE, "bytes: expected 1 to %u", VD_KEY_RANDOM_MAX);
    if (r->partial_code != 0 && (r->partial_code < 200 || r->partial_code > 599))
        return vd_diag_fail(diag, VD_E_RANGE, "partial_failure_response_code: expected 200 to 599");
    return VD_OK;
}

vd_status vd_rest_request_read(const struct vd_rest_input *input, struct vd_rest_request *ret,
                               struct vd_diag *diag)
{
    struct path path = {};
    const struct route *route;

    *ret = (struct vd_rest_request){.type = VD_ALG_AES_256_GCM, .bytes = 32};
    VD_TRY(read_path(input->path, &path, diag));
    VD_TRY(find_route(input, &path, &route, diag));
    ret->action = route->action;
    VD_TRY(take_segments(ret, route->pattern, &path, diag));
    if (input->size != 0)
        VD_TRY(vd_rest_json_read(input->body, input->size, &ret->body, diag));
    VD_TRY(make_items(ret, input->size, diag));
    VD_TRY(vd_rest_fields_read(ret, diag));
    VD_TRY(check_items(ret, diag));
    return check_whole(ret, diag);
}

void vd_rest_request_done(struct vd_rest_request *request)
{
    json_decref(request->body);
    json_decref(request->ignored);
    vd_rest_free(request->decoded);
    vd_rest_free(request->items);
    *request = (struct vd_rest_request){};
}
