/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/policy/explain.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/diagf.h"
#include "tools/analysis/request.h"
#include "tools/veridian/policy/open.h"

#define SEEN_MAX 65536u /* different requests of a log */

struct explain_args {
    struct vd_cli_list bools;
    const char *record, *log, *number;
    bool refused, json;
};

static const struct vd_cli_option options[] = {
    {"bool", 0, VD_CLI_LIST, offsetof(struct explain_args, bools),
     "explain as if the boolean had this value", "NAME=0|1", NULL, false},
    {"record", 0, VD_CLI_TEXT, offsetof(struct explain_args, record),
     "explain an audit record: its whole line, or from \"avc:\" on", "TEXT", NULL, false},
    {"log", 0, VD_CLI_TEXT, offsetof(struct explain_args, log),
     "explain each different denial of a log; - for standard input", "FILE", NULL, false},
    {"number", 0, VD_CLI_TEXT, offsetof(struct explain_args, number),
     "the ioctl command or netlink message that is meant, up to 0xffff", "N", NULL, false},
    {"refused", 0, VD_CLI_FLAG, offsetof(struct explain_args, refused),
     "list changes that a neverallow forbids, too", NULL, NULL, false},
    {"json", 0, VD_CLI_FLAG, offsetof(struct explain_args, json), "print JSON", NULL, NULL, false},
    {},
};

struct session {
    const struct explain_args *args;
    struct vd_policy_file policy;
    struct vd_inquiry inquiry;
    uint8_t *values;
    json_t *list;                 /* of a log, with --json */
    struct vd_why_question *seen; /* of a log */
    uint32_t seen_count;
    bool denied, printed;
    struct vd_diag diag;
};

static vd_status out_of_memory(struct session *s)
{
    return vd_diag_fail(&s->diag, VD_E_NO_MEMORY, "out of memory");
}

static vd_status emit(struct session *s, json_t *value)
{
    if (value == NULL)
        return out_of_memory(s);
    if (s->list == NULL)
        return vd_json_print(value, &s->diag);
    return json_array_append_new(s->list, value) == 0 ? VD_OK : out_of_memory(s);
}

static vd_status answer(struct session *s, const struct vd_why_question *question)
{
    struct vd_changes changes = {};
    struct vd_why why = {};
    vd_status status = vd_why_explain(&s->inquiry, question, &why);

    if (status == VD_OK)
        status = vd_changes_find(&s->inquiry, &why, VD_CHANGES_ALL, &changes);
    if (status != VD_OK) {
        vd_why_done(&why);
        return vd_diag_fail(&s->diag, status, "this cannot be explained");
    }
    s->denied = s->denied || why.denied != 0;
    if (s->args->json) {
        status = emit(s, vd_explain_json(&s->inquiry, &why, &changes, s->args->refused));
    } else {
        if (s->printed)
            putchar('\n');
        vd_explain_print(stdout, &s->inquiry, &why, &changes, s->args->refused);
    }
    s->printed = true;
    vd_changes_done(&changes);
    vd_why_done(&why);
    return status;
}

/* What the policy does not know is decided by handle_unknown, not by a rule. */
static vd_status answer_unknown(struct session *s, const struct vd_diag *what)
{
    const char *word;
    bool allowed = vd_request_unknown(&s->policy.db, &word);

    s->denied = s->denied || !allowed;
    if (s->args->json)
        return emit(s, json_pack("{s:s, s:s, s:s}", "verdict", allowed ? "allowed" : "denied",
                                 "unknown", what->text, "handle_unknown", word));
    printf("%s%s: %s; handle_unknown is %s\n", s->printed ? "\n" : "",
           allowed ? "allowed" : "denied", what->text, word);
    s->printed = true;
    return VD_OK;
}

/* One request; contexts that the policy does not have are the caller's mistake. */
static vd_status ask(struct session *s, const struct vd_record *record)
{
    struct vd_why_question question = {};
    struct vd_diag what = {};

    switch (vd_request_resolve(&s->policy.db, record, &question, &what)) {
    case VD_REQUEST_KNOWN:
        return answer(s, &question);
    case VD_REQUEST_NO_CLASS:
    case VD_REQUEST_NO_PERM:
        return answer_unknown(s, &what);
    case VD_REQUEST_NO_SOURCE:
    case VD_REQUEST_NO_TARGET:
    default:
        s->diag = what;
        return what.status;
    }
}

static bool same(const struct vd_why_question *a, const struct vd_why_question *b)
{
    return a->class == b->class && a->perms == b->perms && a->key == b->key &&
           vd_context_equal(&a->source, &b->source) && vd_context_equal(&a->target, &b->target);
}

static vd_status of_log(void *arg, const struct vd_record *record, uint64_t line)
{
    struct session *s = arg;
    struct vd_why_question question = {};
    struct vd_diag what = {};
    enum vd_request state;

    if (record->granted)
        return VD_OK;
    state = vd_request_resolve(&s->policy.db, record, &question, &what);
    if (state == VD_REQUEST_NO_SOURCE || state == VD_REQUEST_NO_TARGET) {
        what.line = (uint32_t)line;
        vd_diag_file(&what, s->args->log);
        vd_cli_print_warning(stderr, &what);
        return VD_OK;
    }
    if (state != VD_REQUEST_KNOWN)
        return answer_unknown(s, &what);
    for (uint32_t i = 0; i < s->seen_count; i++) {
        if (same(&s->seen[i], &question))
            return VD_OK;
    }
    if (s->seen_count == SEEN_MAX)
        return vd_diagf_line(&s->diag, VD_E_LIMIT, (uint32_t)line, 0,
                             "more than %u different denials", SEEN_MAX);
    s->seen[s->seen_count++] = question;
    return answer(s, &question);
}

static vd_status load_log(const char *path, struct vd_bytes *ret, struct vd_diag *diag)
{
    return strcmp(path, "-") == 0
               ? vd_file_load_fd(STDIN_FILENO, "standard input", VD_RECORD_MAX_LOG, ret, diag)
               : vd_file_load(path, VD_RECORD_MAX_LOG, ret, diag);
}

static vd_status ask_log(struct session *s)
{
    VD_AUTO(vd_bytes_free) struct vd_bytes log = {};
    struct vd_record_counts counts = {};
    vd_status status;

    VD_TRY(load_log(s->args->log, &log, &s->diag));
    s->seen = calloc(SEEN_MAX, sizeof(*s->seen));
    s->list = s->args->json ? json_array() : NULL;
    if (s->seen == NULL)
        return out_of_memory(s);
    status = vd_record_log((const char *)log.data, log.size, of_log, s, &counts);
    if (counts.damaged != 0) {
        vd_diag_file(&counts.first, s->args->log);
        vd_cli_print_warning(stderr, &counts.first);
        fprintf(stderr, "%llu damaged record%s passed over\n", (unsigned long long)counts.damaged,
                counts.damaged == 1 ? "" : "s");
    }
    if (status == VD_OK && !s->printed && s->args->json == false)
        puts("no denials");
    if (s->list != NULL && status == VD_OK) {
        json_t *list = s->list;
        s->list = NULL;
        return vd_json_print(list, &s->diag);
    }
    return status;
}

static vd_status ask_record(struct session *s)
{
    struct vd_record record = {};
    vd_status status = vd_record_parse(s->args->record, strlen(s->args->record), &record, &s->diag);

    if (status == VD_E_NOT_FOUND)
        return vd_diag_fail(&s->diag, VD_E_SYNTAX, "--record: this holds no audit record");
    if (status == VD_OK)
        status = ask(s, &record);
    vd_record_done(&record);
    return status;
}

static struct vd_record_text text_of(const char *word)
{
    return (struct vd_record_text){word, strlen(word)};
}

/* --number goes with the permission that has numbers. */
static vd_status take_number(struct session *s, struct vd_record *record)
{
    char *end;
    unsigned long value = strtoul(s->args->number, &end, 0);

    for (uint32_t i = 0; i < record->perm_count; i++) {
        struct vd_record_text perm = record->perms[i];
        if (perm.size == 5 && memcmp(perm.data, "ioctl", 5) == 0)
            record->extended = VD_RECORD_IOCTL;
        else if (perm.size == 5 && memcmp(perm.data, "nlmsg", 5) == 0)
            record->extended = VD_RECORD_NLMSG;
    }
    if (record->extended == VD_RECORD_PLAIN)
        return vd_diag_fail(&s->diag, VD_E_USAGE,
                            "--number goes with the permission ioctl or nlmsg");
    if (s->args->number[0] < '0' || s->args->number[0] > '9' || *end != '\0' ||
        value > VD_XPERM_NUMBER_MAX)
        return vd_diagf(&s->diag, VD_E_USAGE, "--number %s: expected a number up to 0xffff",
                        s->args->number);
    record->command = (uint32_t)value;
    return VD_OK;
}

/* SCON TCON CLASS PERM…; permissions may also be joined by commas. */
static vd_status ask_words(struct session *s, char *const *words, uint32_t count)
{
    struct vd_record record = {
        .source = text_of(words[0]), .target = text_of(words[1]), .class = text_of(words[2])};

    for (uint32_t i = 3; i < count; i++) {
        for (const char *p = words[i]; *p != '\0';) {
            size_t len = strcspn(p, ",");
            if (len != 0 && record.perm_count == VD_RECORD_MAX_PERMS)
                return vd_diag_fail(&s->diag, VD_E_LIMIT, "more than 32 permissions");
            if (len != 0)
                record.perms[record.perm_count++] = (struct vd_record_text){p, len};
            p += len + (p[len] == ',');
        }
    }
    if (record.perm_count == 0)
        return vd_diag_fail(&s->diag, VD_E_USAGE, "expected a permission");
    if (s->args->number != NULL)
        VD_TRY(take_number(s, &record));
    return ask(s, &record);
}

static vd_status open_session(struct session *s, const char *path)
{
    VD_TRY(vd_policy_file_open(path, VD_POLICY_OPEN_RULES, &s->args->bools, &s->policy, &s->diag));
    s->values = vd_setting_current(&s->policy.db);
    if (s->values == NULL ||
        vd_inquiry_init(&s->inquiry, &s->policy.db, &s->policy.book, s->values) != VD_OK)
        return out_of_memory(s);
    return VD_OK;
}

static int explain(const struct vd_cli_call *call)
{
    struct session s = {.args = call->args};
    uint32_t ways = (s.args->record != NULL) + (s.args->log != NULL) + (call->operand_count > 1);
    vd_status status;

    if (ways != 1 || (call->operand_count > 1 && call->operand_count < 5))
        return vd_cli_report(
            vd_diag_fail(&s.diag, VD_E_USAGE,
                         "expected POLICY and SCON TCON CLASS PERM, --record or --log"),
            &s.diag);
    status = open_session(&s, call->operands[0]);
    if (status == VD_OK && s.args->log != NULL)
        status = ask_log(&s);
    else if (status == VD_OK && s.args->record != NULL)
        status = ask_record(&s);
    else if (status == VD_OK)
        status = ask_words(&s, call->operands + 1, call->operand_count - 1);
    json_decref(s.list);
    free(s.seen);
    free(s.values);
    vd_inquiry_done(&s.inquiry);
    vd_policy_file_done(&s.policy);
    if (status != VD_OK)
        return vd_cli_report(status, &s.diag);
    return s.denied ? VD_EXIT_NO : VD_EXIT_YES;
}

const struct vd_cli_command vd_policy_explain_command = {
    .name = "explain",
    .usage = "[--bool NAME=0|1]... [--number N] [--refused] [--json] POLICY\n"
             "    (SCON TCON CLASS PERM... | --record TEXT | --log FILE)",
    .summary = "says why something is allowed or denied, and what would change it",
    .details =
        "By layer: T type rules, X extended permissions, C constraints and MLS, R role allow, B\n"
        "type bounds; with the\n"
        "rules' places and, for a constraint, the comparisons that are false. For a denial, the\n"
        "changes that would allow all of it, sorted by how many accesses they open: booleans,\n"
        "attributes, rules. Those that a neverallow forbids are listed with --refused.\n"
        "Records are read as auditd, the kernel, the journal and veridian audit print them.\n"
        "\n"
        "Exit codes: 0 allowed; 1 denied (of a log: one is); 2 the policy or the call is wrong.\n"
        "\n"
        "Example: veridian policy explain policy.vpol system_u:system_r:init_t \\\n"
        "             system_u:object_r:etc_t file read",
    .options = options,
    .args_size = sizeof(struct explain_args),
    .operands_min = 1,
    .operands_max = 4 + VD_RECORD_MAX_PERMS,
    .run = explain,
};
