/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A rulebook behind a policy that is known to be whole. Magic, size and both
 * checksums are repaired, so that the fuzzer reaches what lies behind them; of
 * what opens every question is asked.
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include "tools/rulebook/rulebook.h"
#include "tools/sepolicy/sepolicy.h"

static const char text[] =
    "class file class process sid kernel class file { read write ioctl } class process { transition }\n"
    "attribute d; type a_t, d; type b_t, d; type x_t; bool on true;\n"
    "role r; role r types { a_t b_t }; role s; allow r s;\n"
    "allow d x_t:file { read write }; neverallow * ~d:file ioctl;\n"
    "if (on) { allow a_t self:file read; }\n"
    "type_transition a_t x_t:process b_t; role_transition r x_t:process s;\n"
    "constrain file read ( u1 == u2 ); validatetrans file ( t1 == d );\n"
    "user u roles r;\n"
    "sid kernel u:r:a_t\n";

static uint8_t *policy;
static size_t policy_size;
static struct vd_policydb db;

static void make_policy(void)
{
    struct vd_sepolicy_source source = {.name = "f.te", .text = text, .size = sizeof(text) - 1};
    struct vd_sepolicy_options how = {};
    struct vd_sepolicy_result result = {};

    VD_FUZZ_ASSERT(vd_sepolicy_compile(&source, 1, &how, &result) == VD_OK);
    policy = result.blob;
    policy_size = result.size;
    VD_FUZZ_ASSERT(vd_policydb_open(&db, policy, policy_size, NULL) == VD_OK);
}

static void ask(const struct vd_rulebook *book)
{
    const struct vd_pdb_header *head = vd_policydb_header(&db);
    uint64_t words[8];

    for (uint32_t i = 0; i < book->rule_count; i++) {
        const struct vd_rule *rule = &book->rules[i];
        const char *file = vd_rulebook_file(book, rule);
        uint32_t count, bits;

        VD_FUZZ_ASSERT(file == NULL || strlen(file) <= VD_RULEBOOK_MAX_TEXT);
        VD_FUZZ_ASSERT((vd_rulebook_cond(book, rule, &count) != NULL) == (count > 0));
        (void)vd_rulebook_active(book, &db, rule);
        if (vd_rule_is_xperm(rule))
            VD_FUZZ_ASSERT(vd_rulebook_spans(book, rule)[rule->name - 1].low <= UINT16_MAX);
        else
            VD_FUZZ_ASSERT(strlen(vd_rulebook_string(book, rule->name)) <= VD_RULEBOOK_MAX_TEXT);
        vd_rulebook_expand(book, &db, rule->source, words);
        bits = (vd_rulebook_set(book, rule->source)->flags & VD_RULE_SET_ROLES) != 0 ? head->roles
                                                                                     : head->types;
        for (uint32_t k = 1; k < bits; k++)
            VD_FUZZ_ASSERT(vd_bitmap_get(words, k) ==
                           vd_rulebook_holds(book, &db, rule->source, k));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vd_rulebook_header head;
    struct vd_rulebook book;
    struct vd_diag diag = {};
    uint8_t *file;

    if (policy == NULL)
        make_policy();
    if (size < sizeof(head) || size > 1u << 20)
        return 0;
    file = malloc(policy_size + size);
    if (file == NULL)
        return 0;
    memcpy(file, policy, policy_size);
    memcpy(&head, data, sizeof(head));
    memcpy(head.magic, VD_PDB_RULEBOOK_MAGIC, sizeof(head.magic));
    head.total_size = (uint32_t)size;
    head.blob_size = (uint32_t)policy_size;
    head.blob_checksum = vd_policydb_header(&db)->checksum;
    memcpy(file + policy_size, data, size);
    memcpy(file + policy_size, &head, sizeof(head));
    head.checksum = vd_rulebook_checksum(file + policy_size, (uint32_t)size);
    memcpy(file + policy_size, &head, sizeof(head));
    VD_FUZZ_ASSERT(vd_policydb_extent(file, policy_size + size) == policy_size);
    if (vd_rulebook_open(&book, &db, file, policy_size + size, &diag) == VD_OK)
        ask(&book);
    else
        VD_FUZZ_ASSERT(diag.status != VD_OK && diag.text[0] != '\0');
    free(file);
    return 0;
}
