/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * `veridian policy query`: asks a compiled policy what it allows.
 *
 * One query is one line of words, one answer one line of text:
 *     [av] SCON TCON CLASS            av allowed={…} auditallow={…} auditdeny={…} missing-by=TCRB
 *     transition SCON TCON CLASS [NAME]   transition context=… or transition error=invalid
 *     create SCON TCON CLASS [NAME]   the same by the kernel's rule, which enforcement uses
 *     change|member SCON TCON CLASS   the same under that word
 *     valid CON                       valid=0|1
 *     permissive CON                  permissive=0|1
 *     validatetrans OLD NEW TASK CLASS    validatetrans=0|1
 *     what is unknown                 error=context | error=class | error=verb
 */
#ifndef VD_TOOLS_VERIDIAN_POLICY_QUERY_H
#define VD_TOOLS_VERIDIAN_POLICY_QUERY_H

#include "core/policydb/policydb.h"
#include "lib/cli/cli.h"

#include <stdio.h>

#define VD_POLICY_QUERY_WORDS 6u /* of a line; more is no query */

/* What a query came to, for the exit code of a single one. */
enum vd_policy_answer {
    VD_POLICY_ANSWER_YES,     /* something allowed, valid, a context */
    VD_POLICY_ANSWER_NO,      /* nothing allowed, not valid */
    VD_POLICY_ANSWER_UNKNOWN, /* a context, class or verb that does not exist */
};

/*
 * Answers one query of `count` words with one line on `out`. What is unknown is
 * explained in `diag` too (the word at fault is its file, the place the offset).
 */
enum vd_policy_answer vd_policy_query_words(const struct vd_policydb *db, char *const *words,
                                            uint32_t count, FILE *out, struct vd_diag *diag);

/*
 * Answers the lines of `fd` until its end, one line each; blank lines and lines
 * that begin with '#' give none. What has been asked is answered before the
 * next read, so that a program may ask and wait. VD_E_LIMIT: a line of more
 * than 64 KiB.
 */
vd_status vd_policy_query_batch(const struct vd_policydb *db, int fd, FILE *out,
                                struct vd_diag *diag);

#endif
