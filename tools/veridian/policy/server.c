/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <inttypes.h>

#include "lib/json.h"
#include "lib/secclient/admin.h"
#include "tools/veridian/policy/load.h"

struct server_args {
    const char *socket;
    bool json;
};

static const struct vd_cli_option options[] = {
    {.name = "socket",
     .kind = VD_CLI_TEXT,
     .store = offsetof(struct server_args, socket),
     .help = "where the security server listens",
     .argument = "PATH",
     .standard = VD_SEC_SOCKET},
    {.name = "json",
     .kind = VD_CLI_FLAG,
     .store = offsetof(struct server_args, json),
     .help = "print JSON"},
    {},
};

static const struct {
    const char *key;
    const char *title;
} rows[VD_SEC_STATUS_COUNT] = {
#define ROW_(name, text) [VD_SEC_STAT_##name] = {#name, text},
    VD_SEC_STATUS_TABLE(ROW_)
#undef ROW_
};

/* "POLICY_BYTES" as a key: "policy_bytes". */
static void lower(const char *name, char *ret, size_t size)
{
    size_t i = 0;

    for (; name[i] != '\0' && i + 1 < size; i++)
        ret[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] - 'A' + 'a' : name[i]);
    ret[i] = '\0';
}

static vd_status print(const uint64_t *counts, bool json, struct vd_diag *diag)
{
    json_t *page = json ? json_object() : NULL;
    char text[32];

    for (uint32_t i = 0; i < VD_SEC_STATUS_COUNT; i++) {
        bool hex = i == VD_SEC_STAT_CHECKSUM;
        snprintf(text, sizeof(text), hex ? "%016" PRIx64 : "%" PRIu64, counts[i]);
        if (!json) {
            printf("%-35s %s\n", rows[i].title, text);
            continue;
        }
        char key[32];
        lower(rows[i].key, key, sizeof(key));
        json_object_set_new(page, key,
                            hex ? json_string(text) : json_integer((json_int_t)counts[i]));
    }
    return json ? vd_json_print(page, diag) : VD_OK;
}

static int server(const struct vd_cli_call *call)
{
    const struct server_args *args = call->args;
    uint64_t counts[VD_SEC_STATUS_COUNT];
    struct vd_diag diag = {};
    vd_status status = vd_secadmin_status(args->socket, VD_SECADMIN_TIMEOUT_MS, counts, &diag);

    if (status == VD_OK)
        status = print(counts, args->json, &diag);
    return vd_cli_report(status, &diag);
}

const struct vd_cli_command vd_policy_server_command = {
    .name = "server",
    .usage = "[--socket PATH] [--json]",
    .summary = "shows what the running security server has counted",
    .details =
        "The policy in force, what is staged or to be confirmed, clients and what they named,\n"
        "checks, denials, the server's cache, records sent and lost.\n"
        "\n"
        "Exit codes: 3 no server runs there.\n"
        "\n"
        "Example: veridian policy server --json",
    .options = options,
    .args_size = sizeof(struct server_args),
    .run = server,
};
