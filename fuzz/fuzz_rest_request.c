/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Requests of the key service's web interface: a line with method and path, then the body. What is
 * taken has names that keys can have, and bytes that were in the body.
 */
#include "services/crypto/rest/request.h"

#include <string.h>

#include "fuzz/fuzz.h"
#include "lib/keyclient/wire.h"
#include "services/crypto/rest/memory.h"

static void check_bytes(const struct vd_rest_request *r, struct vd_rest_bytes bytes)
{
    static const enum vd_rest_base64 kinds[] = {VD_REST_BASE64, VD_REST_BASE64_URL};

    if (bytes.size == 0)
        return;
    VD_FUZZ_ASSERT(bytes.data >= r->decoded && bytes.size <= r->decoded_size &&
                   bytes.data + bytes.size <= r->decoded + r->decoded_used);
    for (size_t i = 0; i < 2; i++) {
        char *text = vd_rest_alloc(VD_REST_BASE64_SIZE(bytes.size));
        struct vd_rest_text from = {.kind = kinds[i], .text = text};
        size_t size = 0;
        VD_FUZZ_ASSERT(text != NULL);
        vd_rest_base64_encode(kinds[i], bytes.data, bytes.size, text);
        from.size = strlen(text);
        VD_FUZZ_ASSERT(from.size < VD_REST_BASE64_SIZE(bytes.size));
        VD_FUZZ_ASSERT(vd_rest_base64_decode(&from, (uint8_t *)text, &size, NULL) == VD_OK);
        VD_FUZZ_ASSERT(size == bytes.size && memcmp(text, bytes.data, size) == 0);
        vd_rest_free(text);
    }
}

static void check(const struct vd_rest_request *r)
{
    VD_FUZZ_ASSERT(r->action > VD_REST_NONE && r->action < VD_REST_ACTION_COUNT);
    VD_FUZZ_ASSERT(r->name[0] == '\0' || vd_key_name_valid(r->name, VD_KEY_NAME_MAX, false));
    VD_FUZZ_ASSERT(r->other[0] == '\0' || vd_key_name_valid(r->other, VD_KEY_NAME_MAX, false));
    VD_FUZZ_ASSERT(r->count >= 1 && r->count <= VD_KEY_BATCH_MAX && (r->batch || r->count == 1));
    VD_FUZZ_ASSERT(vd_rest_type_name(r->type) != NULL);
    VD_FUZZ_ASSERT(r->action != VD_REST_RANDOM || (r->bytes >= 1 && r->bytes <= VD_KEY_RANDOM_MAX));
    for (uint32_t i = 0; i < r->count; i++) {
        const struct vd_rest_item *item = &r->items[i];
        VD_FUZZ_ASSERT((item->status == VD_OK) == (item->error[0] == '\0'));
        VD_FUZZ_ASSERT(item->status == VD_OK || r->batch);
        check_bytes(r, item->text);
        check_bytes(r, item->aux);
        check_bytes(r, item->extra);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char line[VD_REST_PATH_MAX + 32];
    const uint8_t *end = memchr(data, '\n', size);
    struct vd_rest_input input = {.method = line};
    struct vd_rest_request request;
    struct vd_diag diag = {};
    size_t head = end != NULL ? (size_t)(end - data) : size;
    char *space, *body;

    if (head >= sizeof(line))
        return 0;
    memcpy(line, data, head);
    line[head] = '\0';
    space = strchr(line, ' ');
    if (space == NULL)
        return 0;
    *space = '\0';
    input.path = space + 1;
    input.query_list = size % 2 != 0 ? "true" : NULL;
    input.size = end != NULL ? size - head - 1 : 0;
    /* A body of its own, so that reading beyond it is seen. */
    body = malloc(input.size + (input.size == 0));
    VD_FUZZ_ASSERT(body != NULL);
    if (input.size != 0)
        memcpy(body, end + 1, input.size);
    input.body = body;
    if (vd_rest_request_read(&input, &request, &diag) == VD_OK)
        check(&request);
    else
        VD_FUZZ_ASSERT(diag.text[0] != '\0');
    vd_rest_request_done(&request);
    free(body);
    return 0;
}
