/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/analysis/diff.h"

#include <stdlib.h>
#include <string.h>

#include "tools/analysis/diff_parts.h"

static const struct {
    const char *name;
    void (*write)(const struct vd_policydb *db, FILE *out); /* NULL: by rows */
} categories[VD_DIFF_COUNT] = {
    [VD_DIFF_PROPERTIES] = {"properties", vd_diff_properties},
    [VD_DIFF_CLASSES] = {"classes", vd_diff_classes},
    [VD_DIFF_TYPES] = {"types", vd_diff_types},
    [VD_DIFF_ATTRIBUTES] = {"attributes", vd_diff_attributes},
    [VD_DIFF_ROLES] = {"roles", vd_diff_roles},
    [VD_DIFF_USERS] = {"users", vd_diff_users},
    [VD_DIFF_BOOLEANS] = {"booleans", vd_diff_booleans},
    [VD_DIFF_LEVELS] = {"levels", vd_diff_levels},
    [VD_DIFF_CONSTRAINTS] = {"constraints", vd_diff_constraints},
    [VD_DIFF_TRANSITIONS] = {"transitions", vd_diff_transitions},
    [VD_DIFF_LABELS] = {"labels", vd_diff_labels},
    [VD_DIFF_RULES] = {"rules", NULL},
};

const char *vd_diff_name(enum vd_diff_category category)
{
    return (uint32_t)category < VD_DIFF_COUNT ? categories[category].name : "?";
}

/* The facts of one policy, sorted. */
struct facts {
    char *text;
    size_t size;
    const char **list;
    size_t count;
};

static void facts_done(struct facts *facts)
{
    free(facts->text);
    free(facts->list);
}

static int by_text(const void *pa, const void *pb)
{
    const char *const *a = pa, *const *b = pb;

    return strcmp(*a, *b);
}

static vd_status facts_collect(struct facts *facts, const struct vd_policydb *db,
                               enum vd_diff_category category)
{
    FILE *out = open_memstream(&facts->text, &facts->size);

    if (out == NULL)
        return VD_E_NO_MEMORY;
    categories[category].write(db, out);
    if (ferror(out) != 0) {
        (void)fclose(out);
        return VD_E_NO_MEMORY;
    }
    if (fclose(out) != 0)
        return VD_E_NO_MEMORY;
    for (size_t i = 0; i < facts->size; i++)
        facts->count += facts->text[i] == '\0';
    facts->list = calloc(facts->count + 1, sizeof(*facts->list));
    if (facts->list == NULL)
        return VD_E_NO_MEMORY;
    facts->count = 0;
    for (size_t i = 0; i < facts->size; i += strlen(facts->text + i) + 1)
        facts->list[facts->count++] = facts->text + i;
    qsort(facts->list, facts->count, sizeof(*facts->list), by_text);
    return VD_OK;
}

struct run {
    const struct vd_policydb *dbs[2];
    vd_diff_fn found;
    void *arg;
};

static void tell(const struct run *run, enum vd_diff_category category, bool added,
                 const char *text)
{
    run->found(run->arg,
               &(struct vd_difference){.category = category, .added = added, .text = text});
}

static vd_status compare(const struct run *run, enum vd_diff_category category)
{
    struct facts one = {}, other = {};
    vd_status status = facts_collect(&one, run->dbs[0], category);
    size_t a = 0, b = 0;

    if (status == VD_OK)
        status = facts_collect(&other, run->dbs[1], category);
    while (status == VD_OK && (a < one.count || b < other.count)) {
        int order = a == one.count ? 1 : b == other.count ? -1 : strcmp(one.list[a], other.list[b]);

        if (order < 0)
            tell(run, category, false, one.list[a]);
        else if (order > 0)
            tell(run, category, true, other.list[b]);
        a += order <= 0;
        b += order >= 0;
    }
    facts_done(&one);
    facts_done(&other);
    return status;
}

vd_status vd_diff_run(const struct vd_policydb *one, const struct vd_policydb *other, uint32_t mask,
                      vd_diff_fn found, void *arg)
{
    struct run run = {.dbs = {one, other}, .found = found, .arg = arg};

    for (uint32_t i = 0; i < VD_DIFF_COUNT; i++) {
        if ((mask >> i & 1) == 0)
            continue;
        if (categories[i].write == NULL)
            VD_TRY(vd_diff_rows(one, other, found, arg));
        else
            VD_TRY(compare(&run, (enum vd_diff_category)i));
    }
    return VD_OK;
}
