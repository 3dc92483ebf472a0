/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "lib/diagf.h"
#include "lib/json.h"
#include "lib/secclient/admin.h"
#include "tools/veridian/policy/load.h"

struct booleans_args {
    const char *socket;
    bool persist;
    bool json;
};

static const struct vd_cli_option options[] = {
    {.name = "persist",
     .kind = VD_CLI_FLAG,
     .store = offsetof(struct booleans_args, persist),
     .help = "with set: keep the values when the server starts again"},
    {.name = "socket",
     .kind = VD_CLI_TEXT,
     .store = offsetof(struct booleans_args, socket),
     .help = "where the security server listens",
     .argument = "PATH",
     .standard = VD_SEC_SOCKET},
    {.name = "json",
     .kind = VD_CLI_FLAG,
     .store = offsetof(struct booleans_args, json),
     .help = "print JSON"},
    {},
};

struct list {
    struct vd_secadmin_bool *rows; /* owned */
    uint32_t count;
};

static void list_done(struct list *list)
{
    free(list->rows);
}

static const char *name_at(const void *ctx, uint32_t i)
{
    const struct list *list = ctx;

    return i < list->count ? list->rows[i].name : NULL;
}

static const struct vd_secadmin_bool *find(const struct list *list, const char *name,
                                           struct vd_diag *diag)
{
    const char *near;

    for (uint32_t i = 0; i < list->count; i++) {
        if (strcmp(list->rows[i].name, name) == 0)
            return &list->rows[i];
    }
    near = vd_cli_nearest(name, name_at, list);
    if (near != NULL)
        vd_diagf_hint(diag, "is \"%s\" meant?", near);
    (void)!vd_diagf(diag, VD_E_NOT_FOUND, "the policy has no boolean \"%s\"", name);
    return NULL;
}

static void print_bool(const struct vd_secadmin_bool *b, json_t *rows)
{
    if (rows == NULL)
        printf("%s=%d%s\n", b->name, b->value, b->persistent ? " (persistent)" : "");
    else
        json_array_append_new(rows, json_pack("{s:s, s:b, s:b}", "name", b->name, "value", b->value,
                                              "persistent", b->persistent));
}

/* Those named, else all. */
static vd_status get(const struct booleans_args *args, char *const *names, uint32_t count,
                     struct vd_diag *diag)
{
    VD_AUTO(list_done) struct list list = {};
    json_t *rows;

    VD_TRY(vd_secadmin_bools(args->socket, &list.rows, &list.count, diag));
    for (uint32_t i = 0; i < count; i++) {
        if (find(&list, names[i], diag) == NULL)
            return VD_E_NOT_FOUND;
    }
    rows = args->json ? json_array() : NULL;
    for (uint32_t i = 0; i < (count != 0 ? count : list.count); i++)
        print_bool(count != 0 ? find(&list, names[i], NULL) : &list.rows[i], rows);
    return args->json ? vd_json_print(rows, diag) : VD_OK;
}

/* "NAME=0" or "NAME=1". */
static vd_status parse(const char *word, struct vd_secadmin_bool *ret, struct vd_diag *diag)
{
    const char *sign = strchr(word, '=');
    size_t len = sign == NULL ? 0 : (size_t)(sign - word);

    if (len == 0 || len > VD_SEC_NAME_MAX || (sign[1] != '0' && sign[1] != '1') || sign[2] != '\0')
        return vd_diagf(diag, VD_E_USAGE, "%s: expected NAME=0 or NAME=1", word);
    *ret = (struct vd_secadmin_bool){.value = sign[1] == '1'};
    memcpy(ret->name, word, len);
    return VD_OK;
}

static vd_status set(const struct booleans_args *args, char *const *words, uint32_t count,
                     struct vd_diag *diag)
{
    VD_AUTO(list_done) struct list list = {};
    struct vd_secadmin_set change = {.count = count, .persistent = args->persist};
    struct vd_secadmin_result result = {};

    if (count == 0)
        return vd_diag_fail(diag, VD_E_USAGE, "set: expected NAME=0 or NAME=1");
    list.rows = calloc(count, sizeof(*list.rows));
    if (list.rows == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for the booleans");
    for (uint32_t i = 0; i < count; i++)
        VD_TRY(parse(words[i], &list.rows[i], diag));
    change.bools = list.rows;
    VD_TRY(vd_secadmin_set_bools(args->socket, &change, &result, diag));
    if (args->json)
        return vd_json_print(json_pack("{s:I}", "sequence", (json_int_t)result.sequence), diag);
    printf("policy %u in force\n", result.sequence);
    return VD_OK;
}

static vd_status perform(const struct vd_cli_call *call, struct vd_diag *diag)
{
    const struct booleans_args *args = call->args;
    const char *what = call->operand_count == 0 ? "get" : call->operands[0];
    char *const *rest = call->operands + (call->operand_count != 0);
    uint32_t count = call->operand_count - (call->operand_count != 0);

    if (strcmp(what, "set") == 0)
        return set(args, rest, count, diag);
    if (strcmp(what, "get") != 0)
        return vd_diagf(diag, VD_E_USAGE, "\"%s\": expected get or set", what);
    if (args->persist)
        return vd_diag_fail(diag, VD_E_USAGE, "--persist goes with set");
    return get(args, rest, count, diag);
}

static int booleans(const struct vd_cli_call *call)
{
    struct vd_diag diag = {};

    return vd_cli_report(perform(call, &diag), &diag);
}

const struct vd_cli_command vd_policy_booleans_command = {
    .name = "booleans",
    .usage = "[--socket PATH] [--json] [get [NAME]... | set NAME=0|1... [--persist]]",
    .summary = "shows and sets the booleans of the policy in force",
    .details =
        "Several are set at once, all or none. A value lasts over loads and rollbacks, and with\n"
        "--persist over the server's end.\n"
        "\n"
        "Exit codes: 1 not allowed; 2 there is no such boolean; 3 no server runs there.\n"
        "\n"
        "Example: veridian policy booleans set allow_debug=1 --persist",
    .options = options,
    .words = "get set",
    .args_size = sizeof(struct booleans_args),
    .operands_max = VD_SEC_BOOLS_MAX + 1,
    .run = booleans,
};
