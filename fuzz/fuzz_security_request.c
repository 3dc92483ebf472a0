/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Requests of one client of the security server, one after another: u16 verb,
 * u16 length, payload. The client is no administrator: changes are refused.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/reader.h"
#include "fuzz/fuzz.h"
#include "services/security/server.h"
#include "tools/sepolicy/sepolicy.h"

static const char text[] =
    "class security\nclass file\nsid kernel\nsid security\n"
    "class security { compute_av }\nclass file { read write open }\n"
    "type admin_t; type user_t; type secret_t;\n"
    "role r; role r types { admin_t user_t }; bool leak false;\n"
    "allow admin_t secret_t:file read; dontaudit user_t secret_t:file write;\n"
    "if (leak) { allow user_t secret_t:file read; }\n"
    "type_transition admin_t secret_t:file user_t;\n"
    "user u roles r;\nsid kernel u:r:admin_t\nsid security u:object_r:secret_t\n";

static struct vd_secd server;

static void set_up(void)
{
    const struct vd_sepolicy_source source = {.name = "t", .text = text, .size = sizeof(text) - 1};
    const struct vd_sepolicy_options options = {};
    struct vd_sepolicy_result result = {};
    struct vd_secd_policy policy = {};
    struct vd_bytes bytes;

    if (server.slots != NULL)
        return;
    server.slots = calloc(64, sizeof(*server.slots));
    VD_FUZZ_ASSERT(server.slots != NULL);
    VD_FUZZ_ASSERT(vd_avc_init(&server.avc, server.slots, 64, 1) == VD_OK);
    VD_FUZZ_ASSERT(vd_secd_contexts_init(&server.contexts) == VD_OK);
    VD_FUZZ_ASSERT(vd_secd_page_init(&server.page, NULL) == VD_OK);
    VD_FUZZ_ASSERT(vd_sepolicy_compile(&source, 1, &options, &result) == VD_OK);
    bytes = (struct vd_bytes){.data = result.blob, .size = result.size};
    VD_FUZZ_ASSERT(vd_secd_policy_open(&bytes, &policy, NULL) == VD_OK);
    vd_secd_install(&server, &policy);
    server.audit.fd = -1;
}

static void ask(struct vd_secd_client *client, uint16_t verb, const uint8_t *payload, size_t size)
{
    struct vd_ipc_frame request = {.verb = verb, .payload = payload, .size = size, .fd = -1};
    struct vd_diag diag = {};
    size_t answer = 0;

    if (vd_secd_answer(&server, client, &request, &answer, &diag) != VD_OK)
        VD_FUZZ_ASSERT(diag.text[0] != '\0');
    VD_FUZZ_ASSERT(answer <= VD_IPC_PAYLOAD_MAX && !client->waiting);
    VD_FUZZ_ASSERT(client->text_bytes <= VD_SECD_TEXT_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vd_ipc_peer peer = {.pid = 1, .uid = 1, .gid = 1};
    struct vd_secd_client *client;
    struct vd_reader r;
    const uint8_t *payload;
    uint16_t verb, length;

    set_up();
    if (vd_secd_client_new(-1, &peer, &client) != VD_OK)
        return 0;
    vd_reader_init(&r, data, size);
    while (vd_read_le16(&r, &verb) == VD_OK && vd_read_le16(&r, &length) == VD_OK &&
           vd_read_bytes(&r, length, &payload) == VD_OK)
        ask(client, verb, payload, length);
    vd_secd_client_free(client, &server.contexts);
    VD_FUZZ_ASSERT(server.contexts.count == 0);
    return 0;
}
