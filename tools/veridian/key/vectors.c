/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `veridian key vectors`. */
#include "tools/veridian/key/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/diagf.h"
#include "lib/json.h"
#include "tools/veridian/key/vector.h"

struct args {
    bool json;
};

static const struct vd_cli_option options[] = {
    {.name = "json",
     .kind = VD_CLI_FLAG,
     .store = offsetof(struct args, json),
     .help = "print JSON"},
    {},
};

/* Everything read, so that questions find their answers. */
struct files {
    uint32_t count;
    char **name;
    json_t **root;
};

static void files_done(struct files *files)
{
    for (uint32_t i = 0; i < files->count; i++)
        json_decref(files->root[i]);
    free(files->root);
}

static vd_status files_load(struct files *files, uint32_t count, char **names, struct vd_diag *diag)
{
    files->root = calloc(count, sizeof(*files->root));

    if (files->root == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    files->count = count;
    files->name = names;
    for (uint32_t i = 0; i < count; i++)
        VD_TRY(vd_json_load(names[i], VD_VECTORS_FILE_MAX, &files->root[i], diag));
    return VD_OK;
}

/* The answers among the files named; else `expectedResults.json` beside the questions. */
static vd_status find_answers(struct files *files, uint32_t index, json_t **ret,
                              struct vd_diag *diag)
{
    static const char name[] = "expectedResults.json";
    const char *slash = strrchr(files->name[index], '/');
    size_t dir = slash == NULL ? 0 : (size_t)(slash - files->name[index]) + 1;
    struct vd_diag none = {};
    json_t *found = NULL;
    char path[4096];

    for (uint32_t i = 0; i < files->count; i++) {
        if (vd_vectors_belong(files->root[index], files->root[i])) {

            *ret = json_incref(files->root[i]);
            return VD_OK;
        }
    }
    if (dir + sizeof(name) > sizeof(path))
        return vd_diag_fail(diag, VD_E_LIMIT, "the path is too long");
    memcpy(path, files->name[index], dir);
    memcpy(path + dir, name, sizeof(name));
    if (vd_json_load(path, VD_VECTORS_FILE_MAX, &found, &none) == VD_OK &&
        vd_vectors_belong(files->root[index], found)) {
        *ret = found;
        return VD_OK;
    }
    json_decref(found);
    vd_diag_hint(diag, "name the file expectedResults.json too");
    return vd_diag_fail(diag, VD_E_INVALID, "ACVP's questions without their answers");
}

static vd_status run_file(struct vd_vectors *run, struct files *files, uint32_t index,
                          struct vd_diag *diag)
{
    json_t *answers = NULL;
    struct vd_diag first = {};
    vd_status status = vd_vectors_run(run, files->root[index], NULL, &first);

    if (status != VD_E_NOT_FOUND) {
        if (status != VD_OK)
            *diag = first;
        return status;
    }
    VD_TRY(find_answers(files, index, &answers, diag));
    status = vd_vectors_run(run, files->root[index], answers, diag);
    json_decref(answers);
    return status;
}

static void print(const char *name, const struct vd_vectors *run)
{
    for (uint32_t i = 0; i < run->note_count; i++)
        printf("FAIL  %s: %s\n", name, run->note[i].text);
    for (uint32_t i = 0; i < run->reason_count; i++)
        printf("skip  %s: %llu: %s\n", name, (unsigned long long)run->reason[i].count,
               run->reason[i].text);
    printf("%s  %s: %llu passed, %llu failed, %llu skipped\n", run->failed == 0 ? "ok  " : "FAIL",
           name, (unsigned long long)run->passed, (unsigned long long)run->failed,
           (unsigned long long)run->skipped);
}

static json_t *texts_json(const struct vd_vectors_reason *from, uint32_t count, bool counted)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < count; i++)
        json_array_append_new(list, counted ? json_pack("{s:s, s:I}", "reason", from[i].text,
                                                        "count", (json_int_t)from[i].count)
                                            : json_string(from[i].text));
    return list;
}

static json_t *run_json(const char *name, const struct vd_vectors *run)
{
    return json_pack("{s:s, s:I, s:I, s:I, s:o, s:o}", "file", name, "passed",
                     (json_int_t)run->passed, "failed", (json_int_t)run->failed, "skipped",
                     (json_int_t)run->skipped, "failures",
                     texts_json(run->note, run->note_count, false), "skips",
                     texts_json(run->reason, run->reason_count, true));
}

/* Answers whose questions were not named, and questions' answers: they are no tests of their own. */
static bool is_only_answers(const struct files *files, uint32_t index)
{
    if (!vd_vectors_is_answers(files->root[index]))
        return false;
    for (uint32_t i = 0; i < files->count; i++)
        if (vd_vectors_belong(files->root[i], files->root[index]))
            return true;
    return false;
}

static vd_status run_all(struct vd_alg *alg, struct files *files, json_t *list,
                         struct vd_vectors *total, struct vd_diag *diag)
{
    for (uint32_t i = 0; i < files->count; i++) {
        struct vd_vectors run = {.alg = alg};
        if (is_only_answers(files, i))
            continue;
        if (vd_vectors_is_answers(files->root[i])) {
            vd_diag_file(diag, files->name[i]);
            vd_diag_hint(diag, "name the file prompt.json too");
            return vd_diag_fail(diag, VD_E_INVALID, "ACVP's answers without their questions");
        }
        vd_status status = run_file(&run, files, i, diag);
        if (status != VD_OK) {
            vd_diag_file(diag, files->name[i]);
            return status;
        }
        if (list != NULL)
            json_array_append_new(list, run_json(files->name[i], &run));
        else
            print(files->name[i], &run);
        total->passed += run.passed;
        total->failed += run.failed;
        total->skipped += run.skipped;
    }
    return VD_OK;
}

static vd_status report(const struct vd_vectors *total, json_t *list, struct vd_diag *diag)
{
    if (list == NULL) {
        printf("%llu passed, %llu failed, %llu skipped\n", (unsigned long long)total->passed,
               (unsigned long long)total->failed, (unsigned long long)total->skipped);
        return VD_OK;
    }
    return vd_json_print(json_pack("{s:I, s:I, s:I, s:O}", "passed", (json_int_t)total->passed,
                                   "failed", (json_int_t)total->failed, "skipped",
                                   (json_int_t)total->skipped, "files", list),
                         diag);
}

static int vectors(const struct vd_cli_call *call)
{
    const struct args *args = call->args;
    struct vd_vectors total = {};
    struct vd_alg *alg = NULL;
    struct files files = {};
    struct vd_diag diag = {};
    json_t *list = args->json ? json_array() : NULL;
    vd_status status = vd_alg_new(&alg, &diag);

    if (status == VD_OK)
        status = files_load(&files, call->operand_count, call->operands, &diag);
    if (status == VD_OK)
        status = run_all(alg, &files, list, &total, &diag);
    if (status == VD_OK)
        status = report(&total, list, &diag);
    json_decref(list);
    files_done(&files);
    vd_alg_free(alg);
    if (status != VD_OK)
        return vd_cli_report(status, &diag);
    return total.failed == 0 ? VD_EXIT_YES : VD_EXIT_NO;
}

const struct vd_cli_command vd_key_vectors_command = {
    .name = "vectors",
    .usage = "[--json] FILE...",
    .summary = "runs published test vectors (Wycheproof, NIST ACVP) through the algorithms",
    .details = "The last line is `N passed, N failed, N skipped`; every skip names its reason.\n"
               "Exit code 1: a test failed.",
    .options = options,
    .args_size = sizeof(struct args),
    .operands_min = 1,
    .operands_max = VD_CLI_ANY,
    .run = vectors,
};
