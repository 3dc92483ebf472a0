/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One check: contexts of the subject and the object, access vector cache, full
 * decision, the client's bits, the record.
 */
#include <string.h>

#include "core/audit/record.h"
#include "core/mac/decide.h"
#include "core/mac/xperm.h"
#include "services/security/server.h"

#define NAMES_SIZE 2048u

/* From the cache, else by a full decision, in the policy's bits. */
static void decide(struct vd_secd *s, const struct vd_secd_context *source,
                   const struct vd_secd_context *target, uint32_t class, struct vd_decision *ret)
{
    struct vd_mac_key key = {source->number, target->number, class};

    if (vd_avc_lookup(&s->avc, key, &s->avc_stats, ret))
        return;
    vd_mac_decide(&s->policy.db, &source->context, &target->context, class, ret);
    vd_avc_insert(&s->avc, key, vd_avc_sequence(&s->avc), ret, &s->avc_stats);
}

/* The same for one number, of which no decisions are kept. */
static void decide_number(struct vd_secd *s, const struct vd_secd_context *source,
                          const struct vd_secd_context *target,
                          const struct vd_xperm_question *question, struct vd_decision *ret)
{
    struct vd_decision d = {.auditdeny = UINT32_MAX};

    if (vd_mac_decide_xperm(&s->policy.db, &source->context, &target->context, question, &d) !=
        VD_OK)
        d = (struct vd_decision){.auditdeny = UINT32_MAX};
    *ret = d;
}

/* Bits of the policy's mask as the client's. */
static uint32_t translate(const struct vd_secd_class *class, uint32_t policy)
{
    uint32_t bits = 0;

    for (uint32_t i = 0; i < class->perm_count; i++)
        bits |= (policy & class->mask[i]) != 0 ? 1u << i : 0;
    return bits;
}

/* handle_unknown: what the policy does not know is allowed only where it says so. */
static uint32_t unknown_allowed(const struct vd_secd *s, const struct vd_secd_class *class)
{
    return (vd_policydb_header(&s->policy.db)->flags & VD_PDB_UNKNOWN_ALLOW) != 0 ? class->unknown
                                                                                  : 0;
}

/* The policy's mask of the client's bits. */
static uint32_t policy_mask(const struct vd_secd_class *class, uint32_t bits)
{
    uint32_t mask = 0;

    for (uint32_t i = 0; i < class->perm_count; i++)
        mask |= (bits >> i & 1) != 0 ? class->mask[i] : 0;
    return mask;
}

/* What is asked, by whom of what. */
struct parts {
    const struct vd_secd_context *source;
    const struct vd_secd_context *target;
    const struct vd_secd_class *class;
    const struct vd_secd_question *question;
};

static void compute(struct vd_secd *s, const struct parts *p, struct vd_decision *ret)
{
    const struct vd_secd_context *source = p->source, *target = p->target;
    const struct vd_secd_class *class = p->class;
    const struct vd_xperm_question number = {
        .class = class->number,
        .perms = policy_mask(class, p->question->requested),
        .kind = (enum vd_pdb_xperm_kind)p->question->kind,
        .number = p->question->number,
    };
    uint32_t all =
        class->perm_count == VD_SEC_PERMS_MAX ? UINT32_MAX : (1u << class->perm_count) - 1;
    struct vd_decision d = {.auditdeny = UINT32_MAX};

    *ret = (struct vd_decision){.auditdeny = all};
    if (!source->valid || !target->valid) {
        ret->flags = VD_SEC_DECISION_INVALID;
        return;
    }
    if (class->number != 0 && p->question->kind != 0)
        decide_number(s, source, target, &number, &d);
    else if (class->number != 0)
        decide(s, source, target, class->number, &d);
    ret->flags = d.flags;
    ret->allowed = translate(class, d.allowed) | unknown_allowed(s, class);
    ret->auditallow = translate(class, d.auditallow);
    ret->auditdeny = translate(class, d.auditdeny) | class->unknown;
    ret->without_te = translate(class, d.without_te);
    ret->without_constraint = translate(class, d.without_constraint);
    ret->without_role = translate(class, d.without_role);
    ret->without_bounds = translate(class, d.without_bounds);
}

static struct vd_audit_text text(const char *s)
{
    size_t size = strlen(s);

    return (struct vd_audit_text){
        s, (uint32_t)(size > VD_AUDIT_TEXT_MAX_BYTES ? VD_AUDIT_TEXT_MAX_BYTES : size)};
}

static void names_of(const struct vd_secd_class *class, uint32_t bits, char ret[NAMES_SIZE])
{
    const char *name = class->names;
    const char *before = "";
    struct vd_text t;

    vd_text_init(&t, ret, NAMES_SIZE);
    for (uint32_t i = 0; i < class->perm_count; i++) {
        name += strlen(name) + 1;
        if ((bits >> i & 1) == 0)
            continue;
        vd_text_str(&t, before);
        vd_text_str(&t, name);
        before = " ";
    }
}

struct audited {
    const struct vd_secd_client *client;
    const struct vd_secd_entity *subject;
    const struct vd_secd_entity *object;
    const struct vd_secd_class *class;
    const struct vd_secd_question *question;
};

static void record(struct vd_secd *s, const struct audited *a, const struct vd_secd_reply *reply)
{
    bool permissive = reply->verdict.denied != 0 && vd_verdict_allows(reply->verdict);
    struct vd_audit_record r = {.type = VD_EVENT_TYPE_AUTHORISATION};
    char requested[NAMES_SIZE], denied[NAMES_SIZE];

    names_of(a->class, a->question->requested, requested);
    names_of(a->class, reply->verdict.denied, denied);
    VD_AUDIT_SET(&r, PID, pid, (uint32_t)a->client->peer.pid);
    VD_AUDIT_SET(&r, TGID, tgid, (uint32_t)a->client->peer.pid);
    VD_AUDIT_SET(&r, UID, uid, a->client->peer.uid);
    VD_AUDIT_SET(&r, GID, gid, a->client->peer.gid);
    VD_AUDIT_SET(&r, SUBJECT_CONTEXT, subject_context, text(a->subject->context->text));
    VD_AUDIT_SET(&r, OBJECT_CONTEXT, object_context, text(a->object->context->text));
    VD_AUDIT_SET(&r, CLASS, class_number, a->class->number);
    VD_AUDIT_SET(&r, CLASS_NAME, class_name, text(a->class->names));
    VD_AUDIT_SET(&r, REQUESTED_NAMES, requested_names, text(requested));
    if (reply->verdict.denied != 0)
        VD_AUDIT_SET(&r, DENIED_NAMES, denied_names, text(denied));
    VD_AUDIT_SET(&r, VERDICT, verdict,
                 reply->verdict.denied != 0 ? VD_EVENT_DENIED : VD_EVENT_ALLOWED);
    VD_AUDIT_SET(&r, PERMISSIVE, permissive, permissive);
    VD_AUDIT_SET(&r, POLICY_SEQNO, policy_seqno, s->state.sequence);
    if (a->question->kind != 0)
        VD_AUDIT_SET(&r, DETAIL, detail, a->question->number);
    VD_AUDIT_SET(&r, MESSAGE, message, text("checked by the security server"));
    vd_secd_audit_send(&s->audit, &r);
}

vd_status vd_secd_check(struct vd_secd *s, struct vd_secd_client *client,
                        const struct vd_secd_question *question, struct vd_secd_reply *ret,
                        struct vd_diag *diag)
{
    struct vd_secd_entity *subject, *object;
    struct vd_secd_class *class;
    struct vd_secd_reply reply = {};

    VD_TRY(vd_secd_client_entity(client, question->subject, VD_SEC_SUBJECT, &subject, diag));
    VD_TRY(vd_secd_client_entity(client, question->object, 0, &object, diag));
    if (vd_secd_client_class(client, question->class, &s->policy.db, s->stamp, &class) != VD_OK)
        return vd_diag_fail(diag, VD_E_NOT_FOUND, "this connection has no such class");
    if (class->perm_count < VD_SEC_PERMS_MAX && question->requested >> class->perm_count != 0)
        return vd_diag_fail(diag, VD_E_RANGE, "a permission that the class was not given");
    if (question->kind != 0 && (question->requested & (question->requested - 1)) != 0)
        return vd_diag_fail(diag, VD_E_RANGE, "a number is asked about with one permission");
    compute(s, &(struct parts){subject->context, object->context, class, question},
            &reply.decision);
    reply.verdict = vd_decision_apply(&reply.decision, question->requested);
    if (reply.verdict.denied != 0 && (reply.decision.flags & VD_DECISION_PERMISSIVE) != 0)
        reply.verdict.value = VD_VERDICT_ALLOW;
    s->counts[VD_SEC_STAT_CHECKS]++;
    s->counts[VD_SEC_STAT_DENIALS] += reply.verdict.denied != 0;
    if (reply.verdict.audited != 0) {
        struct audited audited = {client, subject, object, class, question};
        record(s, &audited, &reply);
    }
    *ret = reply;
    return VD_OK;
}
