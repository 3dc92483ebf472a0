/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Compiled policies with bytes changed at random and the checksum repaired:
 * refused, or, where they open, every answer holds to what their tables say, as
 * this test reads them itself. The blob ends where its memory does, so that a
 * read behind it ends the test.
 *
 * VD_MUTATIONS: how many (20,000).
 */
#include "core/mac/decide.h"
#include "core/mac/transition.h"
#include "core/mac/xperm.h"
#include "core/policydb/conditional.h"
#include "tests/harness.h"
#include "tests/support/policy_builder.h"
#include "tests/support/random_policy.h"
#include "tests/support/small_policy.h"
#include "tools/sepolicy/sepolicy.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define POLICIES 4u

static const char everything[] =
    "attribute d; type a_t, d; type b_t, d; type c_t, d; type f_t; type g_t; type h_t;\n"
    "bool x true; bool y false; role r; role r types { a_t b_t c_t }; role q; role q types d;\n"
    "allow r q; typebounds a_t c_t; permissive b_t;\n"
    "user u roles { r q } level s0 range s0 - s3:c0.c3; user v roles r level s0 range s0;\n"
    "allow d f_t:file { read write ioctl open }; allow a_t self:process *; allow a_t b_t:process *;\n"
    "auditallow a_t f_t:file read; dontaudit d g_t:file *; allow c_t f_t:file read;\n"
    "if (x && !y) { allow b_t g_t:file read; type_transition b_t g_t:file f_t; }\n"
    "else { allow b_t g_t:file write; type_transition b_t g_t:file g_t; }\n"
    "if (y) { allowxperm d h_t:file ioctl { 1 0x10-0x20 }; } allow d h_t:file { ioctl read };\n"
    "allowxperm d f_t:file ioctl { 0x8910-0x8920 0x1200-0x13ff }; auditallowxperm d f_t:file ioctl 7;\n"
    "dontauditxperm b_t f_t:file ioctl ~{ 0x5-0x200 };\n"
    "type_transition d f_t:file g_t \"name\"; type_transition a_t f_t:dir h_t \"other.conf\";\n"
    "type_transition b_t f_t:dir f_t \"other.conf\"; type_transition a_t f_t:process b_t;\n"
    "type_member a_t f_t:dir g_t; type_change b_t f_t:dir h_t; role_transition r f_t q;\n"
    "range_transition a_t f_t:process s1:c1; default_range file target low;\n"
    "mlsconstrain file { read open } ( l1 dom l2 or t1 == d ); mlsconstrain file write ( h1 dom l2 );\n"
    "constrain process transition ( r1 == r2 or u1 == u2 ); validatetrans file ( t3 == d );\n"
    "sid kernel sid kernel u:r:a_t:s0 - s3:c0.c3\n";

static struct {
    uint8_t *blob;
    size_t size;
} policies[POLICIES];

static uint8_t *guarded; /* readable, then a page that is not */
static size_t guarded_size;

static void compile(uint32_t index, const char *text, size_t len)
{
    struct vd_sepolicy_source source = {.name = "t.te", .text = text, .size = len};
    struct vd_sepolicy_options options = {};
    struct vd_sepolicy_result result;

    VD_EXPECT_EQ(vd_sepolicy_compile(&source, 1, &options, &result), VD_OK);
    policies[index].blob = result.blob;
    policies[index].size = ((const struct vd_pdb_header *)(const void *)result.blob)->total_size;
}

static void setup(void)
{
    static struct vd_random_policy random;
    size_t page = (size_t)sysconf(_SC_PAGESIZE), largest = 0;

    policies[0].blob = small_policy(&policies[0].size);
    compile(1, everything, sizeof(everything) - 1);
    for (uint32_t i = 2; i < POLICIES; i++) {
        vd_random_policy(&random, i);
        compile(i, random.text, random.len);
    }
    for (uint32_t i = 0; i < POLICIES; i++)
        largest = policies[i].size > largest ? policies[i].size : largest;
    guarded_size = (largest + page - 1) / page * page;
    guarded =
        mmap(NULL, guarded_size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    VD_EXPECT(guarded != MAP_FAILED);
    VD_EXPECT(mprotect(guarded + guarded_size, page, PROT_NONE) == 0);
}

/* Changes some of the blob: mostly small fields to other small numbers, some bits, some bytes. */
static void mutate(uint8_t *blob, size_t size, uint64_t *state)
{
    uint32_t times = 1 + (uint32_t)(vd_test_random(state) % 4);

    for (uint32_t i = 0; i < times; i++) {
        uint64_t r = vd_test_random(state);
        size_t at = (size_t)(vd_test_random(state) % (size / 4)) * 4;
        uint32_t word;

        memcpy(&word, blob + at, sizeof(word));
        switch (r % 6) {
        case 0:
            word = (uint32_t)(r >> 32) % 8;
            break;
        case 1:
            word += (r >> 32 & 1) != 0 ? 1u : UINT32_MAX;
            break;
        case 2:
            word ^= 1u << (r >> 32 & 31);
            break;
        case 3: /* a word from somewhere else */
            memcpy(&word, blob + (size_t)((r >> 8) % (size / 4)) * 4, sizeof(word));
            break;
        case 4:
            word ^= (uint32_t)(r >> 24 & 0xff) << (8 * (r >> 32 & 3));
            break;
        default:
            word = (uint32_t)(r >> 32);
            break;
        }
        memcpy(blob + at, &word, sizeof(word));
    }
}

/* A row read by this test itself; NULL outside its section or the blob. */
static const void *row(const uint8_t *blob, enum vd_pdb_section section, uint64_t index,
                       size_t size)
{
    const struct vd_pdb_header *head = (const void *)blob;
    const struct vd_pdb_section_row *s = &head->sections[section];

    if (index >= s->count || s->offset + (index + 1) * size > head->total_size)
        return NULL;
    return blob + s->offset + index * size;
}

static const struct vd_pdb_leaf *leaf_of(const uint8_t *blob, uint32_t source, uint32_t target,
                                         uint32_t class)
{
    const struct vd_pdb_header *head = (const void *)blob;
    const uint32_t *at = row(blob, VD_PDB_TE_ROOT, (uint64_t)source * head->classes + class, 4);

    at = row(blob, VD_PDB_TE_ROWS, (uint64_t)*at * head->blocks + target / 64, 4);
    at = row(blob, VD_PDB_TE_BLOCKS, (uint64_t)*at * 64 + target % 64, 4);
    return row(blob, VD_PDB_TE_LEAVES, *at, sizeof(struct vd_pdb_leaf));
}

/* What was asked, for a message. */
static struct {
    uint64_t number;
    uint32_t policy;
} current;

static void require(bool good, const char *what)
{
    if (!good)
        vd_test_fail(__FILE__, __LINE__, "mutation %llu of policy %u: %s",
                     (unsigned long long)current.number, current.policy, what);
}

static void check_decision(const struct vd_policydb *db, const struct vd_context *s,
                           const struct vd_context *t, uint32_t class)
{
    const struct vd_pdb_header *head = vd_policydb_header(db);
    const struct vd_pdb_class *c = row(db->base, VD_PDB_CLASSES, class, sizeof(*c));
    const struct vd_pdb_leaf *leaf;
    struct vd_decision d, again;
    uint32_t all;

    vd_mac_decide(db, s, t, class, &d);
    vd_mac_decide(db, s, t, class, &again);
    require(memcmp(&d, &again, sizeof(d)) == 0, "two answers to one question");
    if (class == 0 || class >= head->classes || s->type == 0 || s->type >= head->types ||
        t->type == 0 || t->type >= head->types || s->user == 0 || s->user >= head->users ||
        s->role == 0 || s->role >= head->roles) {
        require(d.allowed == 0, "something allowed to what the policy does not have");
        return;
    }
    all = c->perm_count >= 32 ? UINT32_MAX : (1u << c->perm_count) - 1;
    leaf = leaf_of(db->base, s->type, t->type, class);
    require((d.allowed & ~all) == 0, "a permission that the class does not have");
    require((d.allowed & ~leaf->allowed) == 0, "a permission that no leaf gives");
    require((d.auditallow & ~leaf->auditallow) == 0, "an audit that no leaf asks for");
    require((d.allowed &
             (d.without_te | d.without_constraint | d.without_role | d.without_bounds)) == 0,
            "a permission both given and taken");
}

/* True if a row in force of the leaf names the number; `ret_any`: it has one in force. */
static bool names(const uint8_t *blob, const struct vd_pdb_leaf *leaf,
                  const struct vd_xperm_question *q, bool *ret_any)
{
    uint32_t driver = q->number >> 8, function = q->number & 0xff;
    bool found = false;

    *ret_any = false;
    for (uint32_t i = 0; i < leaf->xperm_count; i++) {
        const struct vd_pdb_xperm *x =
            row(blob, VD_PDB_XPERMS, (uint64_t)leaf->xperm_first + i, sizeof(*x));
        bool whole;

        if (x == NULL || (x->flags & VD_XPERM_IN_FORCE) == 0)
            continue;
        *ret_any = true;
        whole = (x->flags & VD_XPERM_WHOLE) != 0;
        found |= x->rule == VD_XPERM_ALLOW && x->kind == q->kind &&
                 (whole || x->driver == driver) &&
                 vd_bitmap_get(x->bits, whole ? driver : function);
    }
    return found;
}

static void check_xperm(const struct vd_policydb *db, const struct vd_context *s,
                        const struct vd_context *t, uint32_t class, uint64_t *state)
{
    const struct vd_pdb_header *head = vd_policydb_header(db);
    uint64_t r = vd_test_random(state);
    struct vd_xperm_question q = {.class = class,
                                  .perms = UINT32_MAX,
                                  .kind = (r & 1) != 0 ? VD_XPERM_IOCTL : VD_XPERM_NLMSG,
                                  .number = (r & 2) != 0 ? r >> 32 & 0xffff : r >> 32 & 0x1f};
    struct vd_decision d, plain;
    bool any, named;

    require(vd_mac_decide_xperm(db, s, t, &q, &d) == VD_OK, "a number refused");
    if (class == 0 || class >= head->classes || s->type == 0 || s->type >= head->types ||
        t->type == 0 || t->type >= head->types)
        return;
    vd_mac_decide(db, s, t, class, &plain);
    named = names(db->base, leaf_of(db->base, s->type, t->type, class), &q, &any);
    require(d.allowed == (any && !named ? 0 : plain.allowed), "an extended permission");
}

static void check_new(const struct vd_policydb *db, const struct vd_context *s,
                      const struct vd_context *t, uint32_t class, uint64_t *state)
{
    static const char *const texts[] = {"name", "other.conf", "x"};
    const char *text = texts[vd_test_random(state) % VD_COUNT(texts)];
    struct vd_file_name name = {.text = text, .len = strlen(text)};
    struct vd_making making = {.class = class,
                               .kind = VD_TRANS_TYPE + (uint32_t)(vd_test_random(state) % 3),
                               .creators = VD_MAKING_KERNEL};
    struct vd_context made, back;
    char buf[16384];
    struct vd_text out;

    making.named = vd_mac_named_type(db, s->type, t->type, class, &name);
    require(making.named < vd_policydb_header(db)->types, "a type that the policy does not have");
    if (vd_mac_create(db, s, t, &making, &made) != VD_OK)
        return;
    require(vd_mac_context_valid(db, &made), "a new context that is not valid");
    vd_text_init(&out, buf, sizeof(buf));
    vd_mac_context_text(db, &made, &out);
    (void)!vd_mac_context_parse(db, buf, out.len, &back, NULL);
}

static void ask(const struct vd_policydb *db, uint64_t *state)
{
    const struct vd_pdb_header *head = vd_policydb_header(db);
    uint32_t levels = head->sections[VD_PDB_LEVELS].count;

    for (uint32_t i = 0; i < 24; i++) {
        struct vd_context con[2] = {};
        uint32_t class = (uint32_t)(vd_test_random(state) % (head->classes + 1));

        for (uint32_t j = 0; j < 2; j++) {
            uint64_t r = vd_test_random(state);

            con[j].user = (uint32_t)(r & 0xffff) % (head->users + 1);
            con[j].role = (uint32_t)(r >> 16 & 0xffff) % (head->roles + 1);
            con[j].type = (uint32_t)(r >> 32) % (head->types + 1);
            if (levels != 0) {
                con[j].low =
                    *(const struct vd_mls_level *)row(db->base, VD_PDB_LEVELS, r % levels, 136);
                con[j].high = *(const struct vd_mls_level *)row(db->base, VD_PDB_LEVELS,
                                                                (r >> 8) % levels, 136);
            }
        }
        check_decision(db, &con[0], &con[1], class);
        check_xperm(db, &con[0], &con[1], class, state);
        check_new(db, &con[0], &con[1], class, state);
        (void)!vd_mac_validatetrans(db, &con[0], &con[1], &con[0], class);
    }
}

/* Booleans turned: the policy still opens, and answers. */
static void turn(uint8_t *blob, size_t size, uint64_t *state)
{
    uint32_t bools =
        ((const struct vd_pdb_header *)(const void *)blob)->sections[VD_PDB_BOOLS].count;
    struct vd_policydb db;

    for (uint32_t i = 1; i < bools; i++)
        (void)!vd_policydb_set_bool(blob, i, (vd_test_random(state) & 1) != 0);
    vd_policydb_recompute(blob);
    require(vd_policydb_open(&db, blob, size, NULL) == VD_OK, "refused after booleans turned");
    ask(&db, state);
}

VD_TEST(mutated_policies_are_refused_or_answer_by_their_tables)
{
    const char *wanted = getenv("VD_MUTATIONS");
    uint64_t count = wanted == NULL ? 20000 : strtoull(wanted, NULL, 10);
    uint64_t state = 20260101, opened = 0;

    setup();
    for (current.number = 0; current.number < count; current.number++) {
        size_t size;
        uint8_t *blob;
        struct vd_policydb db;

        current.policy = (uint32_t)(current.number % POLICIES);
        size = policies[current.policy].size;
        blob = guarded + guarded_size - size;
        memcpy(blob, policies[current.policy].blob, size);
        if (current.number >= POLICIES)
            mutate(blob, size, &state);
        ((struct vd_pdb_header *)(void *)blob)->checksum =
            vd_policydb_checksum(blob, (uint32_t)size);
        if (vd_policydb_open(&db, blob, size, NULL) != VD_OK)
            continue;
        opened++;
        ask(&db, &state);
        turn(blob, size, &state);
    }
    printf("# %llu mutated policies: %llu opened, the others were refused\n",
           (unsigned long long)count, (unsigned long long)opened);
    VD_EXPECT(opened > count / 100 && opened < count);
}
