/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/analysis/change_text.h"

#include "tools/analysis/rules.h"

void vd_edit_write(const struct vd_policydb *db, const struct vd_edit *edit, FILE *out)
{
    const char *source = vd_policydb_name(db, VD_SYM_TYPE, edit->source);
    const char *target = vd_policydb_name(db, VD_SYM_TYPE, edit->target);

    switch (edit->kind) {
    case VD_EDIT_BOOLEAN:
        fprintf(out, "%s=%u", vd_policydb_name(db, VD_SYM_BOOL, edit->source), edit->target);
        break;
    case VD_EDIT_ROLE_ALLOW:
        fprintf(out, "allow %s %s;", vd_policydb_name(db, VD_SYM_ROLE, edit->source),
                vd_policydb_name(db, VD_SYM_ROLE, edit->target));
        break;
    case VD_EDIT_ATTRIBUTE:
        fprintf(out, "typeattribute %s %s;", source, target);
        break;
    case VD_EDIT_ALLOWXPERM:
    case VD_EDIT_ALLOW:
    default:
        fprintf(out, "%s %s %s:%s ", edit->kind == VD_EDIT_ALLOW ? "allow" : "allowxperm", source,
                edit->source == edit->target ? "self" : target,
                vd_policydb_name(db, VD_SYM_CLASS, edit->class));
        vd_perms_write(db, edit->class, edit->perms, out);
        if (edit->kind == VD_EDIT_ALLOWXPERM)
            fprintf(out, " 0x%x", edit->key & VD_XPERM_NUMBER_MAX);
        fputc(';', out);
        break;
    }
}

void vd_inquiry_write_rule(const struct vd_inquiry *inquiry, const struct vd_rule *rule, FILE *out)
{
    struct vd_rules rules = {.db = *inquiry->db, .book = *inquiry->book};
    struct vd_rule_view view = vd_rule_whole(rule);

    vd_rule_write(&rules, &view, out);
}

void vd_inquiry_write_place(const struct vd_inquiry *inquiry, const struct vd_rule *rule, FILE *out)
{
    const char *file = vd_rulebook_file(inquiry->book, rule);

    if (file == NULL) {
        fputs("no place", out);
        return;
    }
    vd_foreign_write(file, out);
    fprintf(out, ":%u", rule->line);
}
