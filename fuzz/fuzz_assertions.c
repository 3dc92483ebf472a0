/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The input is read as assertions about a small policy. What is accepted is decided,
 * and its counterexamples are true; what is refused was told with a place.
 */
#include "fuzz/fuzz.h"
#include "tools/analysis/assertions.h"
#include "tools/analysis/layers.h"

#include <string.h>

#define INPUT_MAX 4096u

static const char policy[] =
    "class file class process sid kernel class file { read write } class process { fork }\n"
    "attribute domain; type a_t, domain; type b_t, domain; type c_t; type child_t;\n"
    "typebounds a_t child_t; bool x false; bool y true;\n"
    "allow a_t c_t:file read; allow domain self:process fork; allow child_t c_t:file write;\n"
    "if (x && y) { allow b_t c_t:file write; }\n"
    "role r; role r types domain; user u roles r; sid kernel u:r:a_t\n";

static void count(void *arg, const struct vd_sepolicy_message *message)
{
    uint32_t *errors = arg;

    *errors += message->level == VD_SEPOLICY_ERROR;
    VD_FUZZ_ASSERT(message->file == NULL || (message->line >= 1 && message->column >= 1));
}

static void decide(const struct vd_policydb *db, const struct vd_assertion *a)
{
    struct vd_assertion_result result = {};
    struct vd_layers layers;
    const struct vd_counterexample *e = &result.example;

    VD_FUZZ_ASSERT(a->size != 0 && a->line >= 1 && a->column >= 1);
    if (a->kind != VD_ASSERT_ALLOW && a->kind != VD_ASSERT_DENY)
        return;
    VD_FUZZ_ASSERT(vd_assertion_decide(db, a, &result) == VD_OK);
    if (result.failures != 0 && a->source.context == NULL && a->when != VD_WHEN_EVER) {
        vd_layers_types(&layers, db, e->source, e->target, e->class);
        uint32_t allowed = vd_layers_allowed(&layers, e->values);
        VD_FUZZ_ASSERT((a->kind == VD_ASSERT_ALLOW ? ~allowed : allowed) & e->perms);
        VD_FUZZ_ASSERT(vd_bitmap_get(a->source.types, e->source));
    }
    vd_assertion_result_done(&result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct vd_sepolicy_result compiled;
    static struct vd_policydb db;
    struct vd_sepolicy_source source = {.name = "p", .text = policy, .size = sizeof(policy) - 1};
    struct vd_assertions *list = NULL;
    uint32_t errors = 0;

    if (compiled.blob == NULL) {
        struct vd_sepolicy_options options = {};
        VD_FUZZ_ASSERT(vd_sepolicy_compile(&source, 1, &options, &compiled) == VD_OK);
        VD_FUZZ_ASSERT(vd_policydb_open(&db, compiled.blob,
                                        vd_policydb_extent(compiled.blob, compiled.size),
                                        NULL) == VD_OK);
    }
    if (size > INPUT_MAX)
        return 0;
    source = (struct vd_sepolicy_source){.name = "fuzz", .text = (const char *)data, .size = size};
    if (vd_assertions_parse(&db, &source, count, &errors, &list) != VD_OK) {
        VD_FUZZ_ASSERT(errors != 0 && list == NULL);
        return 0;
    }
    VD_FUZZ_ASSERT(errors == 0 && vd_assertions_count(list) != 0);
    for (uint32_t i = 0; i < vd_assertions_count(list); i++)
        decide(&db, vd_assertions_at(list, i));
    vd_assertions_free(list);
    return 0;
}
