/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Who is at the other end, and what the policy says about that. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/diagf.h"
#include "services/crypto/server.h"

#define CLASS "key"

static const char *const rights[] = {
    "view",        "create", "setattr", "encrypt", "decrypt", "sign",
    "verify",      "derive", "wrap",    "unwrap",  "export",  "encapsulate",
    "decapsulate", "import", "rotate",  "destroy", "manage",
};
const struct vd_secclient_names vd_keyd_rights = {CLASS, rights, VD_COUNT(rights)};

uint32_t vd_keyd_right(const char *name)
{
    for (uint32_t i = 0; i < VD_COUNT(rights); i++)
        if (strcmp(rights[i], name) == 0)
            return 1u << i;
    return 0;
}

static const char *right_name(uint32_t right)
{
    return right == 0 ? "" : rights[__builtin_ctz(right)];
}

#define KIND_FREE   false, false
#define KIND_DATA   false, true
#define KIND_MANAGE true, false

const struct vd_keyd_verb *vd_keyd_verb(uint32_t verb)
{
    static const struct vd_keyd_verb verbs[VD_KEY_VERB_COUNT] = {
#define ROW_(name_, text_, right_, kind_) [VD_KEY_##name_] = {text_, right_, KIND_##kind_},
        VD_KEY_VERB_TABLE(ROW_)
#undef ROW_
    };

    return verb > VD_KEY_VERB_NONE && verb < VD_KEY_VERB_COUNT ? &verbs[verb] : NULL;
}

/* The context that the kernel keeps for the socket's other end; false: it keeps none. */
static bool kernel_context(int fd, char ret[VD_KEY_LABEL_MAX + 1])
{
    socklen_t size = VD_KEY_LABEL_MAX;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERSEC, ret, &size) != 0 || size == 0 ||
        size > VD_KEY_LABEL_MAX)
        return false;
    ret[size] = '\0';
    return ret[0] != '\0';
}

static vd_status find_context(struct vd_keyd *s, int fd, const struct vd_ipc_peer *peer,
                              const struct vd_keyd_label **ret, struct vd_diag *diag)
{
    char text[VD_KEY_LABEL_MAX + 1];
    char *told = NULL;
    const char *context = text;
    vd_status status;

    /* Of SELinux's kernel; of a table of ours; else the security server knows what there is to know. */
    if (!kernel_context(fd, text))
        context = vd_peers_find(&s->peers, peer->uid);
    if (context == NULL) {
        VD_TRY(vd_secclient_peer(s->policy, fd, &told, diag));
        context = told;
    }
    status = vd_keyd_subject(&s->keys, context, ret, diag);
    free(told);
    return status;
}

vd_status vd_keyd_identify(struct vd_keyd_conn *c, int fd, struct vd_diag *diag)
{
    const struct vd_keyd_label *context = NULL;
    struct vd_ipc_peer peer;

    VD_TRY(vd_ipc_peer(fd, &peer, diag));
    if (c->server->policy != NULL)
        VD_TRY(find_context(c->server, fd, &peer, &context, diag));
    else if (peer.uid != 0 && peer.uid != getuid())
        return vd_diagf(diag, VD_E_DENIED,
                        "without a policy the service serves root and user %u alone, not user %u",
                        getuid(), peer.uid);
    c->peer = peer;
    c->context = context;
    return VD_OK;
}

struct vd_keyd_event vd_keyd_event(const struct vd_keyd_conn *c, uint32_t verb,
                                   const struct vd_keyd_key *key)
{
    const struct vd_keyd_verb *row = vd_keyd_verb(verb);

    return (struct vd_keyd_event){
        .peer = &c->peer,
        .subject = c->context != NULL ? c->context->text : NULL,
        .verb = row->name,
        .right = row->right,
        .name = key != NULL ? key->name : NULL,
        .id = key != NULL ? key->id : NULL,
        .manage = row->manage,
    };
}

/* Why not: which layer of the policy says no. */
static void explain(struct vd_keyd_conn *c, uint32_t right, const struct vd_keyd_label *label,
                    struct vd_diag *diag)
{
    const struct vd_secclient_question question = {.subject = c->context->number,
                                                   .object = label->number,
                                                   .class = c->server->class,
                                                   .requested = right};
    struct vd_secclient_answer answer = {};
    vd_status status = vd_secclient_ask(c->server->policy, &question, &answer, NULL);

    if (status != VD_OK)
        vd_diagf_hint(diag, "the security server gives no answer: %s", vd_status_text(status));
    else if (answer.flags & VD_SECCLIENT_INVALID)
        vd_diagf_hint(diag, "the policy in force does not allow one of the two contexts");
    else if (answer.without_te & right)
        vd_diagf_hint(diag, "no allow rule gives it: veridian policy explain tells more");
    else if (answer.without_constraint & right)
        vd_diagf_hint(diag, "a constraint forbids it: veridian policy explain tells more");
}

vd_status vd_keyd_permit(struct vd_keyd_conn *c, uint32_t right, const struct vd_keyd_label *label,
                         struct vd_diag *diag)
{
    if (c->server->policy == NULL || right == 0)
        return VD_OK;
    if (vd_secclient_check(c->server->policy, c->context->number, label->number, c->server->class,
                           right))
        return VD_OK;
    atomic_fetch_add_explicit(&c->server->counts[VD_KEY_STAT_DENIALS], 1, memory_order_relaxed);
    if (diag == NULL)
        return VD_E_DENIED;
    explain(c, right, label, diag);
    return vd_diagf(diag, VD_E_DENIED, "the policy does not allow %s " CLASS ":%s on %s",
                    c->context->text, right_name(right), label->text);
}

vd_status vd_keyd_permit_verb(struct vd_keyd_conn *c, uint32_t verb, const struct vd_keyd_key *key,
                              const struct vd_keyd_label *label, struct vd_diag *diag)
{
    vd_status status = vd_keyd_permit(c, c->server->rights[verb], label, diag);
    struct vd_keyd_event event;

    if (status == VD_OK)
        return VD_OK;
    event = vd_keyd_event(c, verb, key);
    event.label = label->text;
    event.status = status;
    event.detail = diag->text;
    (void)!vd_keyd_audit_put(&c->server->audit, &event,
                             NULL); /* a refusal stands, recorded or not */
    return status;
}
