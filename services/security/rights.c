/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Who may use which verb: the policy's class security, and for changes the user id too. */
#include <string.h>

#include "core/mac/decide.h"
#include "core/mac/transition.h"
#include "lib/diagf.h"
#include "services/security/server.h"

struct verb_row {
    const char *name;
    const char *right;
    bool admin;
};

static const struct verb_row verbs[VD_SEC_VERB_COUNT] = {
#define ROW_(name_, text_, right_, admin_) \
    [VD_SEC_##name_] = {.name = text_, .right = right_, .admin = admin_},
    VD_SEC_VERB_TABLE(ROW_)
#undef ROW_
};

void vd_secd_rights_load(struct vd_secd *s)
{
    const struct vd_policydb *db = &s->policy.db;
    struct vd_secd_rights *r = &s->rights;

    *r = (struct vd_secd_rights){};
    if (db->base == NULL)
        return;
    if (vd_policydb_find(db, VD_SYM_CLASS, "security", strlen("security"), &r->class) != VD_OK)
        r->class = 0;
    r->known = vd_policydb_initial(db, "security", &r->object) == VD_OK;
    for (uint32_t i = 1; i < VD_SEC_VERB_COUNT && r->class != 0; i++) {
        const char *right = verbs[i].right;
        if (vd_policydb_find_perm(db, r->class, right, strlen(right), &r->perm[i]) != VD_OK)
            r->perm[i] = 0;
    }
}

/* The policy's answer for the client's context. What the policy does not know is refused. */
static vd_status ask_policy(struct vd_secd *s, const struct vd_secd_client *client, uint32_t verb,
                            struct vd_diag *diag)
{
    const char *text =
        s->kernel.there ? client->context : vd_peers_find(&s->peers, client->peer.uid);
    struct vd_context source;
    struct vd_decision decision;

    if (s->policy.db.base == NULL)
        return vd_diag_fail(diag, VD_E_DENIED, "no policy is in force");
    if (text == NULL ||
        vd_mac_context_parse(&s->policy.db, text, strlen(text), &source, NULL) != VD_OK)
        return vd_diagf(diag, VD_E_DENIED,
                        "process %d of user %u has no context that the policy allows",
                        (int)client->peer.pid, client->peer.uid);
    if (s->rights.class == 0 || !s->rights.known || s->rights.perm[verb] == 0)
        return vd_diagf(diag, VD_E_DENIED,
                        "the policy has no initial context security or no permission "
                        "security:%s",
                        verbs[verb].right);
    vd_mac_decide(&s->policy.db, &source, &s->rights.object, s->rights.class, &decision);
    if ((decision.allowed & s->rights.perm[verb]) == 0 &&
        (decision.flags & VD_DECISION_PERMISSIVE) == 0)
        return vd_diagf(diag, VD_E_DENIED, "the policy does not allow %s security:%s", text,
                        verbs[verb].right);
    return VD_OK;
}

vd_status vd_secd_permit(struct vd_secd *s, const struct vd_secd_client *client, uint32_t verb,
                         struct vd_diag *diag)
{
    if (verb == VD_SEC_VERB_NONE || verb >= VD_SEC_VERB_COUNT)
        return vd_diagf(diag, VD_E_INVALID, "no verb of the security server has the number %u",
                        verb);
    if (verbs[verb].admin && !client->admin)
        return vd_diagf(diag, VD_E_DENIED, "user %u is no administrator of the policy",
                        client->peer.uid);
    if (verbs[verb].right[0] == '\0' || (s->peers.text == NULL && !s->kernel.there))
        return VD_OK;
    return ask_policy(s, client, verb, diag);
}
