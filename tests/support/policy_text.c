/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tests/support/policy_text.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/mac/decide.h"
#include "core/mac/transition.h"
#include "tests/harness.h"

#define TEXT_MAX (1u << 21)

static const char base[] = "attribute domain; attribute file_type;\n"
                           "type a_t, domain; type b_t, domain; type f_t, file_type;\n"
                           "role r; role r types { a_t b_t }; bool on true; bool off false;\n"
                           "user u roles r;\n";

struct pt_messages pt_messages;
struct vd_policydb pt_db;
size_t pt_size;
static uint8_t *blob;

static void note(struct pt_place *place, const struct vd_sepolicy_message *m)
{
    place->line = m->line;
    place->column = m->column;
    snprintf(place->text, sizeof(place->text), "%s", m->text);
    snprintf(place->hint, sizeof(place->hint), "%s", m->hint == NULL ? "" : m->hint);
    snprintf(place->file, sizeof(place->file), "%s", m->file == NULL ? "" : m->file);
}

static void take(void *arg, const struct vd_sepolicy_message *m)
{
    size_t used = strlen(pt_messages.all);

    (void)arg;
    (void)vd_sepolicy_format(m, pt_messages.all + used, sizeof(pt_messages.all) - used);
    if (m->level == VD_SEPOLICY_WARNING) {
        if (pt_messages.warnings++ == 0)
            note(&pt_messages.first_warning, m);
        return;
    }
    if (pt_messages.errors++ == 0)
        note(&pt_messages.first_error, m);
    note(&pt_messages.last_error, m);
}

vd_status pt_compile_sources(const struct vd_sepolicy_source *sources, size_t count,
                             const struct vd_sepolicy_options *how)
{
    struct vd_sepolicy_options options = *how;
    struct vd_sepolicy_result result = {};
    struct vd_diag diag = {};
    vd_status status;

    options.message = take;
    free(blob);
    blob = NULL;
    pt_messages = (struct pt_messages){};
    status = vd_sepolicy_compile(sources, count, &options, &result);
    if (status != VD_OK)
        return status;
    blob = result.blob;
    pt_size = result.size;
    if (vd_policydb_open(&pt_db, result.blob, result.size, &diag) != VD_OK)
        vd_test_fail(__FILE__, __LINE__, "the blob is refused: %s", diag.text);
    return VD_OK;
}

vd_status pt_compile_with(const char *text, size_t size, const struct vd_sepolicy_options *how)
{
    struct vd_sepolicy_source source = {.name = "t.te", .text = text, .size = size};

    return pt_compile_sources(&source, 1, how);
}

vd_status pt_compile(const char *text)
{
    return pt_compile_with(text, strlen(text), &(struct vd_sepolicy_options){});
}

vd_status pt_compile_on_base(const char *text)
{
    static char whole[TEXT_MAX];

    VD_EXPECT((size_t)snprintf(whole, sizeof(whole), "%s%s", base, text) < sizeof(whole));
    return pt_compile(whole);
}

void pt_compiled(const char *text)
{
    if (pt_compile_on_base(text) != VD_OK)
        vd_test_fail(__FILE__, __LINE__, "%s\n%s", text, pt_messages.all);
}

struct question {
    struct vd_context source, target;
    uint32_t class;
};

/* False if a context is not valid. */
static bool parse(const char *source, const char *target, const char *class, struct question *ret)
{
    if (vd_policydb_find(&pt_db, VD_SYM_CLASS, class, strlen(class), &ret->class) != VD_OK)
        vd_test_fail(__FILE__, __LINE__, "no class %s", class);
    return vd_mac_context_parse(&pt_db, source, strlen(source), &ret->source, NULL) == VD_OK &&
           vd_mac_context_parse(&pt_db, target, strlen(target), &ret->target, NULL) == VD_OK;
}

const char *pt_allowed(const char *source, const char *target, const char *class)
{
    static char buf[1024];
    struct question q;
    struct vd_decision decision;
    const char *name;

    if (!parse(source, target, class, &q))
        return "invalid";
    vd_mac_decide(&pt_db, &q.source, &q.target, q.class, &decision);
    buf[0] = '\0';
    for (uint32_t bit = 0; (name = vd_policydb_perm_name(&pt_db, q.class, bit)) != NULL; bit++) {
        size_t used = strlen(buf);

        if ((decision.allowed >> bit & 1) != 0)
            snprintf(buf + used, sizeof(buf) - used, "%s%s", used > 0 ? " " : "", name);
    }
    return buf;
}

const char *pt_transition(const char *source, const char *target, const char *class)
{
    static char buf[512];
    struct vd_context made;
    struct question q;
    struct vd_text text;

    if (!parse(source, target, class, &q) ||
        vd_mac_transition(&pt_db, &q.source, &q.target, q.class, VD_TRANS_TYPE, &made) != VD_OK)
        return "invalid";
    vd_text_init(&text, buf, sizeof(buf));
    vd_mac_context_text(&pt_db, &made, &text);
    return buf;
}
