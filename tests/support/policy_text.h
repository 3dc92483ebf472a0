/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Policies as text in tests: compiled, opened, asked. The last policy and its
 * messages stay until the next is compiled.
 */
#ifndef VD_TESTS_SUPPORT_POLICY_TEXT_H
#define VD_TESTS_SUPPORT_POLICY_TEXT_H

#include "core/policydb/policydb.h"
#include "tools/sepolicy/sepolicy.h"

/*
 * Declarations that most texts stand on, four lines: attributes domain (types
 * a_t, b_t) and file_type (f_t), role r with a_t and b_t, user u, booleans on
 * and off.
 */
#define PT_BASE_LINES 4u

struct pt_place {
    uint32_t line, column;
    char text[256], hint[256], file[64];
};

struct pt_messages {
    uint32_t errors, warnings;
    struct pt_place first_error, first_warning, last_error;
    char all[65536]; /* as they are printed */
};

extern struct pt_messages pt_messages;
extern struct vd_policydb pt_db;
extern size_t pt_size; /* of the blob */

vd_status pt_compile_sources(const struct vd_sepolicy_source *sources, size_t count,
                             const struct vd_sepolicy_options *how);
vd_status pt_compile_with(const char *text, size_t size, const struct vd_sepolicy_options *how);
vd_status pt_compile(const char *text);
/* With the declarations above before it. */
vd_status pt_compile_on_base(const char *text);
/* The same; the case fails unless it compiles. */
void pt_compiled(const char *text);

/* What is allowed, as text: "read write"; "invalid" if a context is not valid. */
const char *pt_allowed(const char *source, const char *target, const char *class);
/* The new context (type_transition) as text, "invalid" if there is none. */
const char *pt_transition(const char *source, const char *target, const char *class);

#endif
