/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The verbs, one function each: read the payload whole, do, write the answer.
 * Payloads: docs/formats/security.md.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/mac/decide.h"
#include "core/mac/transition.h"
#include "lib/diagf.h"
#include "lib/file.h"
#include "lib/sys.h"
#include "services/security/server.h"

#define NS_PER_MS 1'000'000u

/* The rules that clients name are the engine's. */
_Static_assert((int)VD_SEC_NUMBER_IOCTL == (int)VD_XPERM_IOCTL, "on the wire");
_Static_assert((int)VD_SEC_NUMBER_NLMSG == (int)VD_XPERM_NLMSG, "on the wire");
_Static_assert((int)VD_SEC_TRANSITION_TYPE == (int)VD_TRANS_TYPE, "on the wire");
_Static_assert((int)VD_SEC_TRANSITION_MEMBER == (int)VD_TRANS_MEMBER, "on the wire");
_Static_assert((int)VD_SEC_TRANSITION_CHANGE == (int)VD_TRANS_CHANGE, "on the wire");

/* What a verb's function works with. */
struct call {
    struct vd_secd *s;
    struct vd_secd_client *client;
    struct vd_ipc_frame *request;
    struct vd_reader r;
    struct vd_writer w;
    struct vd_diag *diag;
};

static vd_status malformed(struct call *c)
{
    return vd_diag_fail_at(c->diag, VD_E_INVALID, vd_reader_offset(&c->r),
                           "the request's payload is not what the verb takes");
}

/* The payload must end here. */
static vd_status end(struct call *c)
{
    return vd_read_done(&c->r) == VD_OK ? VD_OK : malformed(c);
}

/* u16 length and bytes without NUL, at most `max`; borrowed. */
static vd_status read_text(struct call *c, size_t max, struct vd_text *ret)
{
    const uint8_t *bytes;
    uint16_t len;

    if (vd_read_le16(&c->r, &len) != VD_OK || len > max ||
        vd_read_bytes(&c->r, len, &bytes) != VD_OK || memchr(bytes, '\0', len) != NULL)
        return malformed(c);
    *ret = (struct vd_text){.buf = (char *)(uintptr_t)bytes, .size = len, .len = len};
    return VD_OK;
}

static void write_text(struct vd_writer *w, const char *text, size_t len)
{
    vd_write_le16(w, (uint16_t)len);
    vd_write_bytes(w, text, len);
}

static vd_status need_policy(struct call *c)
{
    return c->s->policy.db.base != NULL
               ? VD_OK
               : vd_diag_fail(c->diag, VD_E_DENIED, "no policy is in force");
}

static vd_status hello(struct call *c)
{
    uint32_t protocol;

    if (vd_read_le32(&c->r, &protocol) != VD_OK || end(c) != VD_OK)
        return malformed(c);
    if (protocol != VD_SEC_PROTOCOL)
        return vd_diagf(c->diag, VD_E_VERSION, "this server speaks version %u of the protocol",
                        VD_SEC_PROTOCOL);
    vd_write_le64(&c->w, c->s->stamp);
    vd_write_le32(&c->w, c->s->state.sequence);
    return VD_OK;
}

/* What all connections of the client's user hold together is bounded too. */
static vd_status room_for_user(struct call *c, size_t size)
{
    size_t sum = size;

    for (uint32_t i = 0; i < c->s->client_count; i++) {
        const struct vd_secd_client *other = c->s->clients[i];
        sum += other->peer.uid == c->client->peer.uid ? other->text_bytes : 0;
    }
    return sum <= VD_SECD_USER_TEXT_BYTES
               ? VD_OK
               : vd_diagf(c->diag, VD_E_LIMIT, "a user may have contexts and names of %u bytes",
                          VD_SECD_USER_TEXT_BYTES);
}

static vd_status take_context(struct call *c, struct vd_secd_context **ret)
{
    struct vd_secd_brought brought = {.user = c->client->peer.uid, .admin = c->client->admin};

    VD_TRY(read_text(c, VD_SEC_CONTEXT_MAX, &brought.text));
    VD_TRY(end(c));
    VD_TRY(need_policy(c));
    VD_TRY(room_for_user(c, brought.text.len));
    /* Numbers used up: the cache forgets all, and the contexts begin again at 1. */
    if (vd_secd_contexts_full(&c->s->contexts)) {
        vd_avc_reset(&c->s->avc, vd_avc_sequence(&c->s->avc) + 1);
        vd_secd_contexts_renumber(&c->s->contexts);
    }
    return vd_secd_contexts_take(&c->s->contexts, &c->s->policy.db, &brought, ret, c->diag);
}

static vd_status register_entity(struct call *c)
{
    struct vd_secd_context *context;
    uint32_t id;
    uint8_t kind;

    if (vd_read_u8(&c->r, &kind) != VD_OK || (kind != VD_SEC_SUBJECT && kind != VD_SEC_OBJECT))
        return malformed(c);
    VD_TRY(take_context(c, &context));
    if (vd_secd_client_add(c->client, kind, context, &id, c->diag) != VD_OK) {
        vd_secd_contexts_drop(&c->s->contexts, context);
        return c->diag->status;
    }
    c->s->counts[kind == VD_SEC_SUBJECT ? VD_SEC_STAT_SUBJECTS : VD_SEC_STAT_OBJECTS]++;
    vd_write_le32(&c->w, id);
    return VD_OK;
}

static vd_status relabel(struct call *c)
{
    struct vd_secd_entity *entity;
    struct vd_secd_context *context;
    uint32_t id;

    if (vd_read_le32(&c->r, &id) != VD_OK)
        return malformed(c);
    VD_TRY(vd_secd_client_entity(c->client, id, 0, &entity, c->diag));
    VD_TRY(take_context(c, &context));
    if (vd_secd_client_charge(c->client, context->size, entity->context->size, c->diag) != VD_OK) {
        vd_secd_contexts_drop(&c->s->contexts, context);
        return c->diag->status;
    }
    vd_secd_contexts_drop(&c->s->contexts, entity->context);
    entity->context = context;
    return VD_OK;
}

static vd_status forget(struct call *c)
{
    struct vd_secd_entity *entity;
    uint32_t id;

    if (vd_read_le32(&c->r, &id) != VD_OK || end(c) != VD_OK)
        return malformed(c);
    VD_TRY(vd_secd_client_entity(c->client, id, 0, &entity, c->diag));
    c->s->counts[entity->kind == VD_SEC_SUBJECT ? VD_SEC_STAT_SUBJECTS : VD_SEC_STAT_OBJECTS]--;
    c->client->text_bytes -= entity->context->size;
    vd_secd_contexts_drop(&c->s->contexts, entity->context);
    *entity = (struct vd_secd_entity){};
    c->client->entity_free++;
    return VD_OK;
}

/* The class's name and its permissions' into one block; none twice, none empty. */
static vd_status read_class(struct call *c, struct vd_secd_class *class)
{
    struct vd_text name;
    uint8_t count;

    /* Never more than the payload: each name's length takes two bytes there, its NUL one here. */
    class->names = calloc(1, c->request->size + 1);
    if (class->names == NULL)
        return vd_diag_fail(c->diag, VD_E_NO_MEMORY, "no memory for a class");
    VD_TRY(read_text(c, VD_SEC_NAME_MAX, &name));
    if (name.len == 0 || vd_read_u8(&c->r, &count) != VD_OK || count == 0 ||
        count > VD_SEC_PERMS_MAX)
        return malformed(c);
    vd_copy(class->names, name.buf, name.len);
    class->names_size = name.len + 1;
    class->perm_count = count;
    for (uint32_t i = 0; i < count; i++) {
        VD_TRY(read_text(c, VD_SEC_NAME_MAX, &name));
        if (name.len == 0)
            return malformed(c);
        vd_copy(class->names + class->names_size, name.buf, name.len);
        class->names_size += name.len + 1;
    }
    return end(c);
}

static vd_status add_class(struct call *c)
{
    struct vd_secd_class class = {};
    vd_status status = read_class(c, &class);
    uint32_t id = 0;

    if (status == VD_OK)
        status = room_for_user(c, class.names_size);
    if (status == VD_OK)
        status = vd_secd_client_add_class(c->client, &class, &id, c->diag);
    if (status != VD_OK) {
        free(class.names);
        return status;
    }
    vd_write_le32(&c->w, id);
    return VD_OK;
}

static vd_status answer_check(struct call *c, const struct vd_secd_question *q)
{
    struct vd_secd_reply reply;

    VD_TRY(need_policy(c));
    VD_TRY(vd_secd_check(c->s, c->client, q, &reply, c->diag));
    vd_write_le64(&c->w, c->s->stamp);
    vd_write_le32(&c->w, c->s->state.sequence);
    vd_write_le32(&c->w, vd_verdict_allows(reply.verdict));
    vd_write_le32(&c->w, reply.verdict.denied);
    vd_write_le32(&c->w, reply.decision.allowed);
    vd_write_le32(&c->w, reply.decision.auditallow);
    vd_write_le32(&c->w, reply.decision.auditdeny);
    vd_write_le32(&c->w, reply.decision.flags);
    vd_write_le32(&c->w, reply.decision.without_te);
    vd_write_le32(&c->w, reply.decision.without_constraint);
    vd_write_le32(&c->w, reply.decision.without_role);
    vd_write_le32(&c->w, reply.decision.without_bounds);
    return VD_OK;
}

static vd_status read_question(struct call *c, struct vd_secd_question *q)
{
    if (vd_read_le32(&c->r, &q->subject) != VD_OK || vd_read_le32(&c->r, &q->object) != VD_OK ||
        vd_read_le32(&c->r, &q->class) != VD_OK || vd_read_le32(&c->r, &q->requested) != VD_OK)
        return malformed(c);
    return VD_OK;
}

static vd_status check(struct call *c)
{
    struct vd_secd_question q = {};

    VD_TRY(read_question(c, &q));
    VD_TRY(end(c));
    return answer_check(c, &q);
}

static vd_status check_number(struct call *c)
{
    struct vd_secd_question q = {};
    uint16_t number;
    uint8_t kind;

    VD_TRY(read_question(c, &q));
    if (vd_read_u8(&c->r, &kind) != VD_OK || kind < VD_XPERM_IOCTL || kind > VD_XPERM_NLMSG ||
        vd_read_le16(&c->r, &number) != VD_OK)
        return malformed(c);
    VD_TRY(end(c));
    q.kind = kind;
    q.number = number;
    return answer_check(c, &q);
}

/* The valid context of a subject or object. */
static vd_status context_of(struct call *c, uint32_t id, uint32_t kind,
                            const struct vd_context **ret)
{
    struct vd_secd_entity *entity;

    VD_TRY(vd_secd_client_entity(c->client, id, kind, &entity, c->diag));
    if (!entity->context->valid)
        return vd_diagf(c->diag, VD_E_DENIED, "the policy in force does not allow the context %s",
                        entity->context->text);
    *ret = &entity->context->context;
    return VD_OK;
}

static vd_status policy_class(struct call *c, uint32_t id, uint32_t *ret)
{
    struct vd_secd_class *class;

    if (vd_secd_client_class(c->client, id, &c->s->policy.db, c->s->stamp, &class) != VD_OK)
        return vd_diag_fail(c->diag, VD_E_NOT_FOUND, "this connection has no such class");
    if (class->number == 0)
        return vd_diagf(c->diag, VD_E_NOT_FOUND, "the policy has no class \"%s\"", class->names);
    *ret = class->number;
    return VD_OK;
}

static vd_status transition(struct call *c)
{
    char buf[VD_SEC_CONTEXT_MAX + 1];
    const struct vd_context *source, *target;
    struct vd_context created;
    struct vd_making making;
    uint32_t subject, object, id, class;
    struct vd_text name, text;
    vd_status status;
    uint8_t kind;

    if (vd_read_u8(&c->r, &kind) != VD_OK || kind < VD_TRANS_TYPE || kind > VD_TRANS_CHANGE ||
        vd_read_le32(&c->r, &subject) != VD_OK || vd_read_le32(&c->r, &object) != VD_OK ||
        vd_read_le32(&c->r, &id) != VD_OK)
        return malformed(c);
    VD_TRY(read_text(c, VD_SEC_NAME_MAX, &name));
    VD_TRY(end(c));
    VD_TRY(need_policy(c));
    VD_TRY(context_of(c, subject, VD_SEC_SUBJECT, &source));
    VD_TRY(context_of(c, object, 0, &target));
    VD_TRY(policy_class(c, id, &class));
    making = (struct vd_making){.class = class, .kind = kind, .creators = VD_MAKING_KERNEL};
    if (name.len != 0 && kind == VD_TRANS_TYPE) {
        struct vd_file_name file = {.text = name.buf, .len = name.len};
        making.named =
            vd_mac_named_type(&c->s->policy.db, source->type, target->type, class, &file);
    }
    status = vd_mac_create(&c->s->policy.db, source, target, &making, &created);
    if (status != VD_OK)
        return vd_diag_fail(c->diag, VD_E_DENIED,
                            "the rules give a context that the policy does not allow");
    vd_text_init(&text, buf, sizeof(buf));
    vd_mac_context_text(&c->s->policy.db, &created, &text);
    write_text(&c->w, buf, text.len);
    return VD_OK;
}

static vd_status context(struct call *c)
{
    struct vd_secd_entity *entity;
    uint32_t id;

    if (vd_read_le32(&c->r, &id) != VD_OK || end(c) != VD_OK)
        return malformed(c);
    VD_TRY(vd_secd_client_entity(c->client, id, 0, &entity, c->diag));
    vd_write_u8(&c->w, entity->context->valid);
    write_text(&c->w, entity->context->text, entity->context->size);
    return VD_OK;
}

static vd_status validate(struct call *c)
{
    char buf[VD_SEC_CONTEXT_MAX + 1];
    struct vd_context context;
    struct vd_text text, own;

    VD_TRY(read_text(c, VD_SEC_CONTEXT_MAX, &text));
    VD_TRY(end(c));
    VD_TRY(need_policy(c));
    VD_TRY(vd_mac_context_parse(&c->s->policy.db, text.buf, text.len, &context, c->diag));
    vd_text_init(&own, buf, sizeof(buf));
    vd_mac_context_text(&c->s->policy.db, &context, &own);
    write_text(&c->w, buf, own.len);
    return VD_OK;
}

static vd_status validatetrans(struct call *c)
{
    const struct vd_context *old, *new, *process;
    uint32_t ids[4], class;

    for (uint32_t i = 0; i < VD_COUNT(ids); i++) {
        if (vd_read_le32(&c->r, &ids[i]) != VD_OK)
            return malformed(c);
    }
    VD_TRY(end(c));
    VD_TRY(need_policy(c));
    VD_TRY(context_of(c, ids[0], 0, &old));
    VD_TRY(context_of(c, ids[1], 0, &new));
    VD_TRY(context_of(c, ids[2], VD_SEC_SUBJECT, &process));
    VD_TRY(policy_class(c, ids[3], &class));
    vd_write_u8(&c->w, vd_mac_validatetrans(&c->s->policy.db, old, new, process, class));
    return VD_OK;
}

static uint64_t confirm_ms(const struct vd_secd *s)
{
    uint64_t now = vd_sys_boottime_ns();

    if (!s->state.unconfirmed)
        return 0;
    return s->state.deadline_ns > now ? (s->state.deadline_ns - now) / NS_PER_MS + 1 : 1;
}

static vd_status status(struct call *c)
{
    struct vd_secd *s = c->s;
    uint64_t *n = s->counts;

    VD_TRY(end(c));
    n[VD_SEC_STAT_SEQUENCE] = s->state.sequence;
    n[VD_SEC_STAT_CHECKSUM] =
        s->policy.db.base == NULL ? 0 : vd_policydb_header(&s->policy.db)->checksum;
    n[VD_SEC_STAT_POLICY_BYTES] = s->policy.blob.size;
    n[VD_SEC_STAT_STAGED] = s->state.staged != 0;
    n[VD_SEC_STAT_ROLLBACKS] = s->state.history_count;
    n[VD_SEC_STAT_CONFIRM_MS] = confirm_ms(s);
    n[VD_SEC_STAT_CLIENTS] = s->client_count;
    n[VD_SEC_STAT_CONTEXTS] = s->contexts.count;
    n[VD_SEC_STAT_AVC_HITS] = s->avc_stats.hits;
    n[VD_SEC_STAT_AVC_MISSES] = s->avc_stats.misses;
    n[VD_SEC_STAT_AVC_EVICTIONS] = s->avc_stats.evictions;
    n[VD_SEC_STAT_AUDITED] = s->audit.sent;
    n[VD_SEC_STAT_AUDIT_LOST] = s->audit.lost;
    vd_write_le32(&c->w, VD_SEC_STATUS_COUNT);
    for (uint32_t i = 0; i < VD_SEC_STATUS_COUNT; i++)
        vd_write_le64(&c->w, n[i]);
    return VD_OK;
}

static vd_status bools(struct call *c)
{
    const struct vd_policydb *db = &c->s->policy.db;
    uint32_t first, total;

    if (vd_read_le32(&c->r, &first) != VD_OK || end(c) != VD_OK)
        return malformed(c);
    VD_TRY(need_policy(c));
    total = vd_policydb_header(db)->sections[VD_PDB_BOOLS].count;
    vd_write_le64(&c->w, c->s->stamp);
    vd_write_le32(&c->w, total);
    if (first > total)
        return malformed(c);
    for (uint32_t i = first; i < total && i - first < VD_SEC_BOOLS_MAX / 2; i++) {
        const struct vd_pdb_bool *row = vd_pdb_row(db, VD_PDB_BOOLS, i, sizeof(*row));
        const char *name = vd_policydb_name(db, VD_SYM_BOOL, i);
        const struct vd_secd_bool *set = vd_secd_state_find(&c->s->state, name);
        if (row == NULL || row->name == 0) /* a number that is not used */
            name = "";
        vd_write_u8(&c->w, row != NULL && row->value != 0);
        vd_write_u8(&c->w, set != NULL && set->persistent);
        write_text(&c->w, name, strlen(name));
    }
    return VD_OK;
}

/* Starts the change that the request asks for; its answer comes later. */
static vd_status start_change(struct call *c)
{
    struct vd_secd_change *change = &c->s->change;

    change->client = c->client->number;
    change->id = c->request->id;
    change->peer = c->client->peer;
    change->verb = c->request->verb;
    change->automatic = false;
    change->fd = c->request->fd;
    c->request->fd = -1;
    VD_TRY(vd_secd_change_start(change, c->diag));
    c->client->waiting = true;
    return VD_OK;
}

static vd_status read_seconds(struct call *c)
{
    struct vd_secd_change *change = &c->s->change;

    if (vd_read_le32(&c->r, &change->confirm_s) != VD_OK || end(c) != VD_OK ||
        change->confirm_s > VD_SEC_CONFIRM_MAX_S)
        return malformed(c);
    return VD_OK;
}

static vd_status load(struct call *c)
{
    if (vd_read_le32(&c->r, &c->s->change.flags) != VD_OK ||
        (c->s->change.flags & ~VD_SEC_LOAD_STAGE) != 0)
        return malformed(c);
    VD_TRY(read_seconds(c));
    if (c->request->fd < 0)
        return vd_diag_fail(c->diag, VD_E_INVALID,
                            "no descriptor of a policy came with the request");
    return start_change(c);
}

static vd_status commit(struct call *c)
{
    VD_TRY(read_seconds(c));
    return start_change(c);
}

static vd_status confirm_or_rollback(struct call *c)
{
    VD_TRY(end(c));
    return start_change(c);
}

static vd_status read_bool(struct call *c, struct vd_secd_bool *ret)
{
    struct vd_text name;
    uint8_t value;

    if (vd_read_u8(&c->r, &value) != VD_OK || value > 1)
        return malformed(c);
    VD_TRY(read_text(c, VD_SEC_NAME_MAX, &name));
    if (name.len == 0)
        return malformed(c);
    *ret = (struct vd_secd_bool){.value = value != 0};
    vd_copy(ret->name, name.buf, name.len);
    return VD_OK;
}

static vd_status set_bools(struct call *c)
{
    struct vd_secd_change *change = &c->s->change;
    uint8_t persistent;
    uint16_t count;

    if (vd_read_u8(&c->r, &persistent) != VD_OK || persistent > 1 ||
        vd_read_le16(&c->r, &count) != VD_OK || count == 0 || count > VD_SEC_BOOLS_MAX)
        return malformed(c);
    for (change->bool_count = 0; change->bool_count < count; change->bool_count++)
        VD_TRY(read_bool(c, &change->bools[change->bool_count]));
    VD_TRY(end(c));
    change->persistent = persistent != 0;
    return start_change(c);
}

/*
 * The context of whoever is at the other end of a socket that comes with the request: of the
 * kernel where it enforces, else of the table by user id. As for the server's own clients.
 */
static vd_status peer(struct call *c)
{
    char *from_kernel = NULL;
    const char *text;
    struct vd_ipc_peer other;

    VD_TRY(end(c));
    if (c->request->fd < 0)
        return vd_diag_fail(c->diag, VD_E_INVALID, "no socket came with the request");
    VD_TRY(vd_ipc_peer(c->request->fd, &other, c->diag));
    if (c->s->kernel.there)
        text = from_kernel = vd_secd_kernel_context(&c->s->kernel, c->request->fd);
    else
        text = vd_peers_find(&c->s->peers, other.uid);
    if (text == NULL)
        return vd_diagf(c->diag, VD_E_DENIED, "process %d of user %u has no context",
                        (int)other.pid, other.uid);
    write_text(&c->w, text, strlen(text));
    free(from_kernel);
    return VD_OK;
}

static const struct {
    vd_status (*answer)(struct call *c);
    bool changes;
} verbs[VD_SEC_VERB_COUNT] = {
    [VD_SEC_HELLO] = {hello, false},
    [VD_SEC_REGISTER] = {register_entity, false},
    [VD_SEC_RELABEL] = {relabel, false},
    [VD_SEC_FORGET] = {forget, false},
    [VD_SEC_CLASS] = {add_class, false},
    [VD_SEC_CHECK] = {check, false},
    [VD_SEC_TRANSITION] = {transition, false},
    [VD_SEC_CONTEXT] = {context, false},
    [VD_SEC_VALIDATE] = {validate, false},
    [VD_SEC_VALIDATETRANS] = {validatetrans, false},
    [VD_SEC_STATUS] = {status, false},
    [VD_SEC_BOOLS] = {bools, false},
    [VD_SEC_LOAD] = {load, true},
    [VD_SEC_COMMIT] = {commit, true},
    [VD_SEC_CONFIRM] = {confirm_or_rollback, true},
    [VD_SEC_ROLLBACK] = {confirm_or_rollback, true},
    [VD_SEC_SET_BOOLS] = {set_bools, true},
    [VD_SEC_CHECK_NUMBER] = {check_number, false},
    [VD_SEC_PEER] = {peer, false},
};

vd_status vd_secd_answer(struct vd_secd *s, struct vd_secd_client *client,
                         struct vd_ipc_frame *request, size_t *ret_size, struct vd_diag *diag)
{
    struct call c = {.s = s, .client = client, .request = request, .diag = diag};

    s->counts[VD_SEC_STAT_REQUESTS]++;
    VD_TRY(vd_secd_permit(s, client, request->verb, diag));
    if (verbs[request->verb].changes) {
        if (s->change.running)
            return vd_diag_fail(diag, VD_E_BUSY, "another change of policy is going on");
        s->change.flags = s->change.confirm_s = s->change.bool_count = 0;
    }
    if (request->fd >= 0 && request->verb != VD_SEC_LOAD && request->verb != VD_SEC_PEER)
        return vd_diag_fail(diag, VD_E_INVALID, "this verb takes no descriptor");
    vd_reader_init(&c.r, request->payload, request->size);
    vd_writer_init(&c.w, s->answer, sizeof(s->answer));
    VD_TRY(verbs[request->verb].answer(&c));
    if (vd_write_done(&c.w) != VD_OK)
        return vd_diag_fail(diag, VD_E_LIMIT, "the answer does not fit a frame");
    *ret_size = c.w.len;
    return VD_OK;
}
