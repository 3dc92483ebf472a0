/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/analysis/request.h"

#include <string.h>

#include "core/mac/transition.h"
#include "lib/diagf.h"
#include "tools/analysis/lookup.h"

/* The first part of a context that the policy does not have, and what may be meant by it. */
static void hint_part(const struct vd_policydb *db, struct vd_record_text text,
                      struct vd_diag *diag)
{
    static const enum vd_pdb_symbol_kind kinds[] = {VD_SYM_USER, VD_SYM_ROLE, VD_SYM_TYPE};
    const char *at = text.data, *end = text.data + text.size;

    for (size_t i = 0; i < VD_COUNT(kinds) && at <= end; i++) {
        const char *colon = at == end ? NULL : memchr(at, ':', (size_t)(end - at));
        struct vd_word word = {.text = at, .len = (size_t)((colon == NULL ? end : colon) - at)};
        struct vd_diag part = {};
        uint32_t unused;

        if (vd_lookup_word(db, kinds[i], &word, &unused, &part) != VD_OK) {
            if (part.hint[0] != '\0')
                vd_diagf_hint(diag, "%s", part.hint);
            return;
        }
        at = colon == NULL ? end + 1 : colon + 1;
    }
}

static bool context(const struct vd_policydb *db, const char *word, struct vd_record_text text,
                    struct vd_context *ret, struct vd_diag *diag)
{
    struct vd_diag inner = {};

    if (vd_mac_context_parse(db, text.data, text.size, ret, &inner) == VD_OK)
        return true;
    (void)!vd_diagf(diag, inner.status, "the %s's context %.*s: %s", word,
                    (int)(text.size > 128 ? 128 : text.size), text.data, inner.text);
    if (inner.status == VD_E_NOT_FOUND)
        hint_part(db, text, diag);
    return false;
}

/* The command or message type, where the permission of its kind is asked for. */
static void ask_number(const struct vd_policydb *db, const struct vd_record *record,
                       struct vd_why_question *q)
{
    bool ioctl = record->extended == VD_RECORD_IOCTL;
    uint32_t mask;

    if (vd_policydb_find_perm(db, q->class, ioctl ? "ioctl" : "nlmsg", 5, &mask) != VD_OK ||
        (q->perms & mask) == 0)
        return;
    q->key = vd_xperm_key(ioctl ? VD_XPERM_IOCTL : VD_XPERM_NLMSG, record->command);
    q->key_perm = mask;
}

enum vd_request vd_request_resolve(const struct vd_policydb *db, const struct vd_record *record,
                                   struct vd_why_question *ret, struct vd_diag *diag)
{
    struct vd_why_question q = {};
    enum vd_request state = VD_REQUEST_KNOWN;

    if (!context(db, "source", record->source, &q.source, diag))
        return VD_REQUEST_NO_SOURCE;
    if (!context(db, "target", record->target, &q.target, diag))
        return VD_REQUEST_NO_TARGET;
    if (vd_policydb_find(db, VD_SYM_CLASS, record->class.data, record->class.size, &q.class) !=
        VD_OK) {
        (void)!vd_diagf(diag, VD_E_NOT_FOUND, "the policy has no class \"%.*s\"",
                        (int)(record->class.size > 128 ? 128 : record->class.size),
                        record->class.data);
        return VD_REQUEST_NO_CLASS;
    }
    for (uint32_t i = 0; i < record->perm_count; i++) {
        struct vd_record_text perm = record->perms[i];
        uint32_t mask;
        if (vd_policydb_find_perm(db, q.class, perm.data, perm.size, &mask) == VD_OK) {
            q.perms |= mask;
            continue;
        }
        state = VD_REQUEST_NO_PERM;
        (void)!vd_diagf(diag, VD_E_NOT_FOUND, "class %s has no permission \"%.*s\"",
                        vd_policydb_name(db, VD_SYM_CLASS, q.class),
                        (int)(perm.size > 128 ? 128 : perm.size), perm.data);
    }
    if (record->extended != VD_RECORD_PLAIN)
        ask_number(db, record, &q);
    *ret = q;
    return state;
}

bool vd_request_unknown(const struct vd_policydb *db, const char **ret_word)
{
    uint32_t flags = vd_policydb_header(db)->flags;

    *ret_word = (flags & VD_PDB_UNKNOWN_ALLOW) != 0    ? "allow"
                : (flags & VD_PDB_UNKNOWN_REJECT) != 0 ? "reject"
                                                       : "deny";
    return (flags & VD_PDB_UNKNOWN_ALLOW) != 0;
}
