/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Assertions about a policy, in a file beside it (docs/formats/assertions.md):
 *
 *     must-allow SOURCE TARGET:CLASSES PERMISSIONS [WHEN];
 *     must-deny  SOURCE TARGET:CLASSES PERMISSIONS [WHEN];
 *     no-flow SOURCE TARGET [except TYPES] [weight N] [WHEN];
 *     no-domain-flow SOURCE TARGET [except TYPES] [WHEN];
 *
 * They are read and resolved against one compiled policy, then decided with the
 * engine. Text, sets and messages are the policy language's own. Memory: an arena,
 * freed with the file. Threads: one file, one thread.
 */
#ifndef VD_TOOLS_ANALYSIS_ASSERTIONS_H
#define VD_TOOLS_ANALYSIS_ASSERTIONS_H

#include "core/policydb/policydb.h"
#include "tools/sepolicy/sepolicy.h"

#define VD_ASSERTIONS_MAX      65536u       /* of a file */
#define VD_ASSERTIONS_MAX_FILE (16u << 20)  /* bytes */
#define VD_ASSERTIONS_MEMORY   (512u << 20) /* bytes of the arena */
#define VD_ASSERTION_WEIGHT    3u           /* of a no-flow that names none */

enum vd_assertion_kind {
    VD_ASSERT_ALLOW,
    VD_ASSERT_DENY,
    VD_ASSERT_NO_FLOW,
    VD_ASSERT_NO_DOMAIN_FLOW,
};

/* Under which values of the booleans an assertion holds. */
enum vd_assertion_when {
    VD_WHEN_GIVEN,  /* the policy's, with those of `under` changed */
    VD_WHEN_ALWAYS, /* under every setting */
    VD_WHEN_EVER,   /* under at least one */
};

/* A set of types, or one whole context, with which every layer decides. */
struct vd_assertion_side {
    const uint64_t *types;            /* VD_BITMAP_WORDS(types) words */
    bool self;                        /* target: the source itself, too */
    bool not_self;                    /* target: never the source itself */
    const struct vd_context *context; /* NULL: by types alone */
};

struct vd_assertion_class {
    uint32_t class;
    uint32_t perms;
};

struct vd_assertion {
    enum vd_assertion_kind kind;
    enum vd_assertion_when when;
    struct vd_assertion_side source, target;
    const struct vd_assertion_class *classes; /* with their permissions */
    uint32_t class_count;
    const uint64_t *except; /* flows: paths through these types do not count; or NULL */
    uint32_t weight;        /* no-flow: of a permission that carries information, from 1 to 10 */
    const uint8_t *values;  /* of the booleans, by number */
    const char *file;
    uint32_t line, column;
    const char *text; /* as written, not terminated */
    size_t size;
};

struct vd_assertions;

/*
 * Reads one file of assertions about the policy, which is borrowed, as `source`
 * is. VD_E_INVALID: it has errors, told to `message` as the compiler tells its
 * own, or holds no assertion; VD_E_LIMIT, VD_E_NO_MEMORY: too large.
 */
vd_status vd_assertions_parse(const struct vd_policydb *db, const struct vd_sepolicy_source *source,
                              void (*message)(void *arg, const struct vd_sepolicy_message *message),
                              void *arg, struct vd_assertions **ret);

uint32_t vd_assertions_count(const struct vd_assertions *list);
const struct vd_assertion *vd_assertions_at(const struct vd_assertions *list, uint32_t index);

/* Frees all of it; NULL is fine. */
void vd_assertions_free(struct vd_assertions *list);

/* An access that contradicts an assertion of must-allow or must-deny. */
struct vd_counterexample {
    uint32_t source, target, class; /* types */
    uint32_t perms;                 /* that lack, or that are allowed */
    uint8_t *values;                /* booleans under which it shows; owned */
};

#define VD_ASSERTION_MAX_COUNTED 1000u /* counterexamples; then the search ends */

struct vd_assertion_result {
    uint64_t failures;                /* pairs and classes that contradict it; 0: it holds */
    struct vd_counterexample example; /* the first, if there is one */
};

/*
 * Decides a must-allow or must-deny. VD_E_LIMIT: more booleans bear on one pair
 * than can be tried (VD_LAYERS_MAX_BOOLS); VD_E_NO_MEMORY. The caller ends the
 * result with vd_assertion_result_done. Cost: four loads for each pair and class;
 * for must-deny only for blocks of the trie that are not empty.
 */
vd_status vd_assertion_decide(const struct vd_policydb *db, const struct vd_assertion *assertion,
                              struct vd_assertion_result *ret);

void vd_assertion_result_done(struct vd_assertion_result *result);

#endif
