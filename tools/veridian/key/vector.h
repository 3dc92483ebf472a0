/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Published test vectors in JSON, run through the code that serves keys: Wycheproof (v1 schemas)
 * and NIST's ACVP. A file is hostile: a field that is missing or no hexadecimal text is an error
 * with its place in the document; an algorithm that is not served is skipped with its name.
 */
#ifndef VD_TOOLS_VERIDIAN_KEY_VECTOR_H
#define VD_TOOLS_VERIDIAN_KEY_VECTOR_H

#include <jansson.h>

#include "services/crypto/alg/alg.h"

#define VD_VECTORS_FILE_MAX   (64u << 20)
#define VD_VECTORS_GROUPS_MAX 10000u
#define VD_VECTORS_TESTS_MAX  100000u    /* in a group */
#define VD_VECTORS_FIELD_MAX  (8u << 20) /* bytes of a hexadecimal field */
#define VD_VECTORS_REASONS    32u        /* told apart; the rest is counted as one */
#define VD_VECTORS_NOTES      20u        /* failures told of one file */
#define VD_VECTORS_FIELDS     16u        /* of one test */

struct vd_vectors_reason {
    char text[160];
    uint64_t count;
};

/* What running one file gave. */
struct vd_vectors {
    struct vd_alg *alg;
    uint64_t passed, failed, skipped;
    uint32_t reason_count, note_count;
    struct vd_vectors_reason reason[VD_VECTORS_REASONS];
    struct vd_vectors_reason note[VD_VECTORS_NOTES];
};

/* One test while it runs. Bytes taken from it are freed with it. */
struct vd_vector {
    struct vd_vectors *run;
    struct vd_diag *diag;
    const json_t *root, *group, *test;
    size_t group_index, test_index;
    uint8_t *field[VD_VECTORS_FIELDS];
    uint32_t fields;
    struct vd_alg_key *key[2]; /* freed with it */
    struct vd_secret secret;   /* likewise */
};

/*
 * Runs the tests of a parsed file. `expected` (NULL: none) is ACVP's second file with the answers.
 * Input errors alone are failures here (VD_E_INVALID, VD_E_LIMIT, VD_E_SYNTAX); what the tests
 * gave stands in `run`. VD_E_NOT_FOUND: questions of ACVP without answers.
 */
vd_status vd_vectors_run(struct vd_vectors *run, const json_t *root, const json_t *expected,
                         struct vd_diag *diag);

/* True for ACVP's file of answers alone. */
bool vd_vectors_is_answers(const json_t *root);

/* True if both are of one ACVP vector set. */
bool vd_vectors_belong(const json_t *questions, const json_t *answers);

/* The two schemas' tests. */
vd_status vd_wycheproof_test(struct vd_vector *v);
vd_status vd_acvp_test(struct vd_vector *v);
vd_status vd_acvp_classic(struct vd_vector *v, const char *algorithm, const char *mode);

/* The end of a test. */
vd_status vd_vector_passed(struct vd_vector *v);
vd_status vd_vector_failed(struct vd_vector *v, const char *format, ...) VD_PRINTF(2, 3);
vd_status vd_vector_skipped(struct vd_vector *v, const char *format, ...) VD_PRINTF(2, 3);

/* Passed if `good`, else failed with `what`. */
vd_status vd_vector_is(struct vd_vector *v, bool good, const char *what);

/* `status` as the test wants it: VD_OK for a valid test, a refusal for another. */
vd_status vd_vector_judged(struct vd_vector *v, bool valid, vd_status status);

/* A field of the test, else of its group. NULL: none, or not of the type. */
const json_t *vd_vector_field(const struct vd_vector *v, const char *name);
const char *vd_vector_text(const struct vd_vector *v, const char *name); /* "" if there is none */
bool vd_vector_has(const struct vd_vector *v, const char *name);
json_int_t vd_vector_number(const struct vd_vector *v, const char *name); /* -1: none */

/* A hexadecimal field's bytes; an error where it is missing or wrong. */
vd_status vd_vector_bytes(struct vd_vector *v, const char *name, struct vd_alg_bytes *ret);

/* The same of an object inside (`publicKey`). */
vd_status vd_vector_bytes_in(struct vd_vector *v, const json_t *object, const char *name,
                             struct vd_alg_bytes *ret);

/* VD_E_INVALID with the place of the field in the document. */
vd_status vd_vector_wrong(struct vd_vector *v, const char *name, const char *expected);

/* Room for an output, freed with the test. */
vd_status vd_vector_room(struct vd_vector *v, size_t size, struct vd_alg_buffer *ret);

/* Imports into v->key[at]. */
vd_status vd_vector_import(struct vd_vector *v, uint32_t at, enum vd_alg_type type,
                           enum vd_alg_form form, const struct vd_alg_bytes *material);

bool vd_bytes_equal(const struct vd_alg_bytes *a, const void *b, size_t size);

#endif
