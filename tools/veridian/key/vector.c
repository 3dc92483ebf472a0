/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/key/vector.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/diagf.h"
#include "lib/hash.h"

const json_t *vd_vector_field(const struct vd_vector *v, const char *name)
{
    const json_t *field = json_object_get(v->test, name);

    return field != NULL ? field : json_object_get(v->group, name);
}

bool vd_vector_has(const struct vd_vector *v, const char *name)
{
    return vd_vector_field(v, name) != NULL;
}

const char *vd_vector_text(const struct vd_vector *v, const char *name)
{
    const char *text = json_string_value(vd_vector_field(v, name));

    return text != NULL ? text : "";
}

json_int_t vd_vector_number(const struct vd_vector *v, const char *name)
{
    const json_t *field = vd_vector_field(v, name);

    return json_is_integer(field) ? json_integer_value(field) : -1;
}

vd_status vd_vector_wrong(struct vd_vector *v, const char *name, const char *expected)
{
    return vd_diagf(v->diag, VD_E_INVALID, "testGroups[%zu].tests[%zu].%s: expected %s",
                    v->group_index, v->test_index, name, expected);
}

static vd_status add_field(struct vd_vector *v, size_t size, uint8_t **ret)
{
    uint8_t *bytes;

    if (v->fields == VD_VECTORS_FIELDS)
        return vd_diag_fail(v->diag, VD_E_BUG, "a test takes more fields than there is room for");
    bytes = malloc(size + 1);
    if (bytes == NULL)
        return vd_diag_fail(v->diag, VD_E_NO_MEMORY, "out of memory");
    v->field[v->fields++] = bytes;
    *ret = bytes;
    return VD_OK;
}

vd_status vd_vector_bytes_in(struct vd_vector *v, const json_t *object, const char *name,
                             struct vd_alg_bytes *ret)
{
    const json_t *field = json_object_get(object, name);
    const char *text = json_string_value(field);
    size_t size = text == NULL ? 0 : json_string_length(field);
    uint8_t *bytes = NULL;

    if (text == NULL || size % 2 != 0 || strlen(text) != size)
        return vd_vector_wrong(v, name, "hexadecimal text of whole bytes");
    if (size / 2 > VD_VECTORS_FIELD_MAX)
        return vd_diagf(v->diag, VD_E_LIMIT, "testGroups[%zu].tests[%zu].%s is too long",
                        v->group_index, v->test_index, name);
    VD_TRY(add_field(v, size / 2, &bytes));
    if (vd_hex_decode(text, bytes, size / 2, NULL) != VD_OK)
        return vd_vector_wrong(v, name, "hexadecimal text of whole bytes");
    *ret = (struct vd_alg_bytes){bytes, size / 2};
    return VD_OK;
}

vd_status vd_vector_bytes(struct vd_vector *v, const char *name, struct vd_alg_bytes *ret)
{
    bool own = json_object_get(v->test, name) != NULL;

    return vd_vector_bytes_in(v, own ? v->test : v->group, name, ret);
}

vd_status vd_vector_room(struct vd_vector *v, size_t size, struct vd_alg_buffer *ret)
{
    uint8_t *bytes = NULL;

    VD_TRY(add_field(v, size, &bytes));
    *ret = (struct vd_alg_buffer){.data = bytes, .room = size};
    return VD_OK;
}

vd_status vd_vector_import(struct vd_vector *v, uint32_t at, enum vd_alg_type type,
                           enum vd_alg_form form, const struct vd_alg_bytes *material)
{
    const struct vd_alg_import from = {type, form, *material};

    return vd_alg_key_import(v->run->alg, &from, &v->key[at], NULL);
}

bool vd_bytes_equal(const struct vd_alg_bytes *a, const void *b, size_t size)
{
    return a->size == size && (size == 0 || memcmp(a->data, b, size) == 0);
}

vd_status vd_vector_passed(struct vd_vector *v)
{
    v->run->passed++;
    return VD_OK;
}

vd_status vd_vector_failed(struct vd_vector *v, const char *format, ...)
{
    struct vd_vectors *run = v->run;
    json_int_t number = json_integer_value(json_object_get(v->test, "tcId"));
    struct vd_vectors_reason *note;
    va_list args;
    int size;

    run->failed++;
    if (run->note_count == VD_VECTORS_NOTES)
        return VD_OK;
    note = &run->note[run->note_count++];
    size = snprintf(note->text, sizeof(note->text), "group %zu, tcId %lld: ", v->group_index,
                    (long long)number);
    va_start(args, format);
    (void)vsnprintf(note->text + size, sizeof(note->text) - (size_t)size, format, args);
    va_end(args);
    return VD_OK;
}

vd_status vd_vector_skipped(struct vd_vector *v, const char *format, ...)
{
    struct vd_vectors *run = v->run;
    char text[sizeof(run->reason[0].text)];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    run->skipped++;
    for (uint32_t i = 0; i < run->reason_count; i++) {
        if (strcmp(run->reason[i].text, text) == 0 || i == VD_VECTORS_REASONS - 1) {
            run->reason[i].count++;
            return VD_OK;
        }
    }
    if (run->reason_count == VD_VECTORS_REASONS - 1)
        (void)snprintf(text, sizeof(text), "other reasons");
    run->reason[run->reason_count] = (struct vd_vectors_reason){.count = 1};
    memcpy(run->reason[run->reason_count].text, text, sizeof(text));
    run->reason_count++;
    return VD_OK;
}

vd_status vd_vector_is(struct vd_vector *v, bool good, const char *what)
{
    return good ? vd_vector_passed(v) : vd_vector_failed(v, "%s", what);
}

vd_status vd_vector_judged(struct vd_vector *v, bool valid, vd_status status)
{
    enum vd_status_class class = vd_status_class(status);

    if (class == VD_CLASS_SYSTEM || class == VD_CLASS_BUG)
        return vd_vector_failed(v, "%s", vd_status_text(status));
    if ((status == VD_OK) == valid)
        return vd_vector_passed(v);
    return vd_vector_failed(v, valid ? "refused (%s), but it is valid" : "%s, but it is invalid",
                            status == VD_OK ? "accepted" : vd_status_text(status));
}

static void vector_done(struct vd_vector *v)
{
    for (uint32_t i = 0; i < v->fields; i++)
        free(v->field[i]);
    for (uint32_t i = 0; i < VD_COUNT(v->key); i++)
        vd_alg_key_free(v->key[i]);
    vd_secret_done(&v->secret);
}

static bool is_acvp(const json_t *root)
{
    return json_object_get(root, "vsId") != NULL || json_object_get(root, "revision") != NULL ||
           json_object_get(root, "mode") != NULL;
}

/* ACVP's files may stand in an array behind an object with the version alone. */
static const json_t *unwrap(const json_t *root)
{
    if (json_is_array(root) && json_array_size(root) == 2 &&
        json_object_get(json_array_get(root, 0), "acvVersion") != NULL)
        return json_array_get(root, 1);
    return root;
}

bool vd_vectors_is_answers(const json_t *root)
{
    const json_t *groups = json_object_get(unwrap(root), "testGroups");
    const json_t *first = json_array_get(groups, 0);

    return is_acvp(unwrap(root)) && first != NULL && json_object_get(first, "testType") == NULL;
}

bool vd_vectors_belong(const json_t *questions, const json_t *answers)
{
    static const char *const names[] = {"vsId", "algorithm", "mode", "revision"};
    const json_t *a = unwrap(questions), *b = unwrap(answers);

    if (!is_acvp(a) || vd_vectors_is_answers(questions) || !vd_vectors_is_answers(answers))
        return false;
    for (size_t i = 0; i < VD_COUNT(names); i++) {
        json_t *x = json_object_get(a, names[i]), *y = json_object_get(b, names[i]);
        if (x != y && json_equal(x, y) != 1)
            return false;
    }
    return true;
}

/* The object of `list` whose member `name` is the number. */
static const json_t *by_number(const json_t *list, const char *name, const json_t *number)
{
    size_t count = json_array_size(list);

    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(list, i);
        if (json_is_integer(number) && json_equal(json_object_get(item, name), number) == 1)
            return item;
    }
    return NULL;
}

/* A group or test with what only its answer has put in. NULL: no memory. */
static json_t *with_answer(const json_t *question, const json_t *answer)
{
    json_t *whole = json_copy((json_t *)(uintptr_t)question);

    if (whole != NULL && answer != NULL &&
        json_object_update_missing(whole, (json_t *)(uintptr_t)answer) != 0) {
        json_decref(whole);
        whole = NULL;
    }
    return whole;
}

struct schema {
    vd_status (*test)(struct vd_vector *v);
    const json_t *root, *answers;
};

static vd_status run_test(struct vd_vectors *run, const struct schema *schema, struct vd_vector *v)
{
    json_t *whole = NULL;
    vd_status status;

    v->run = run;
    if (!json_is_object(v->test))
        return vd_vector_wrong(v, "", "an object");
    if (schema->answers != NULL) {
        whole = with_answer(v->test,
                            by_number(schema->answers, "tcId", json_object_get(v->test, "tcId")));
        if (whole == NULL)
            return vd_diag_fail(v->diag, VD_E_NO_MEMORY, "out of memory");
        v->test = whole;
    }
    status = schema->test(v);
    vector_done(v);
    json_decref(whole);
    return status;
}

static vd_status run_tests(struct vd_vectors *run, const struct schema *schema, const json_t *group,
                           size_t index, struct vd_diag *diag)
{
    const json_t *tests = json_object_get(group, "tests");
    size_t count = json_array_size(tests);

    for (size_t i = 0; i < count; i++) {
        struct vd_vector v = {.diag = diag,
                              .root = schema->root,
                              .group = group,
                              .test = json_array_get(tests, i),
                              .group_index = index,
                              .test_index = i};
        VD_TRY(run_test(run, schema, &v));
    }
    return VD_OK;
}

static vd_status run_group(struct vd_vectors *run, const struct schema *schema, size_t index,
                           struct vd_diag *diag)
{
    const json_t *group = json_array_get(json_object_get(schema->root, "testGroups"), index);
    const json_t *tests = json_object_get(group, "tests"), *answer;
    struct schema own = *schema;
    json_t *whole;
    vd_status status;

    if (!json_is_array(tests))
        return vd_diagf(diag, VD_E_INVALID, "testGroups[%zu].tests: expected an array", index);
    if (json_array_size(tests) > VD_VECTORS_TESTS_MAX)
        return vd_diagf(diag, VD_E_LIMIT, "testGroups[%zu] has more than %u tests", index,
                        VD_VECTORS_TESTS_MAX);
    if (schema->answers == NULL)
        return run_tests(run, schema, group, index, diag);
    /* Signatures' answers have their public key in the group. */
    answer = by_number(json_object_get(schema->answers, "testGroups"), "tgId",
                       json_object_get(group, "tgId"));
    whole = with_answer(group, answer);
    if (whole == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    own.answers = json_object_get(answer, "tests");
    status = run_tests(run, &own, whole, index, diag);
    json_decref(whole);
    return status;
}

/* A member that only the answer has, by mode ("": the algorithms without modes). */
static const struct {
    const char *mode, *name, *with;
} marks[] = {
    {"keyGen", "ek", NULL},
    {"keyGen", "pk", NULL},
    {"keyGen", "q", NULL},
    {"keyGen", "qy", NULL},
    {"encapDecap", "k", NULL},
    {"encapDecap", "testPassed", NULL},
    {"sigGen", "signature", NULL},
    {"sigGen", "s", NULL},
    {"sigVer", "testPassed", NULL},
    {"keyVer", "testPassed", NULL},
    {"", "testPassed", NULL},
    {"", "mac", NULL},
    {"", "pt", "ct"},
};

/* False for the questions of a known mode alone. */
static bool has_answers(const json_t *root)
{
    const char *mode = json_string_value(json_object_get(root, "mode"));
    const json_t *groups = json_object_get(root, "testGroups");
    const json_t *test = json_array_get(json_object_get(json_array_get(groups, 0), "tests"), 0);
    bool known = false;

    mode = mode != NULL ? mode : "";
    for (size_t i = 0; test != NULL && i < VD_COUNT(marks); i++) {
        if (strcmp(marks[i].mode, mode) != 0)
            continue;
        known = true;
        if (json_object_get(test, marks[i].name) != NULL &&
            (marks[i].with == NULL || json_object_get(test, marks[i].with) != NULL))
            return true;
    }
    return !known;
}

vd_status vd_vectors_run(struct vd_vectors *run, const json_t *root, const json_t *expected,
                         struct vd_diag *diag)
{
    struct schema schema = {vd_wycheproof_test, unwrap(root),
                            expected == NULL ? NULL : unwrap(expected)};
    const json_t *groups = json_object_get(schema.root, "testGroups");
    size_t count = json_array_size(groups);

    if (!json_is_string(json_object_get(schema.root, "algorithm")) || !json_is_array(groups))
        return vd_diag_fail(
            diag, VD_E_INVALID,
            "no test vectors: expected an object with `algorithm` and `testGroups`");
    if (count > VD_VECTORS_GROUPS_MAX)
        return vd_diagf(diag, VD_E_LIMIT, "more than %u groups of tests", VD_VECTORS_GROUPS_MAX);
    if (is_acvp(schema.root)) {
        schema.test = vd_acvp_test;
        if (expected == NULL && !has_answers(schema.root))
            return vd_diag_fail(diag, VD_E_NOT_FOUND, "these are ACVP's questions without answers");
    }
    for (size_t i = 0; i < count; i++)
        VD_TRY(run_group(run, &schema, i, diag));
    return VD_OK;
}
