/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The check: first what is kept, without a lock and without a system call; then
 * the server.
 *
 * Why a kept decision is never one of an older policy: entries are found only
 * under the cache's own sequence number. Whoever meets a newer stamp on the page
 * raises that number before it notes the stamp; so who finds the page's stamp
 * noted looks under a number under which nothing older was ever put.
 */
#include "core/mac/mac.h"
#include "lib/secclient/internal.h"

/* The verdict, and whether it may be given without the server: what is recorded may not. */
static bool verdict_of(const struct vd_decision *decision, uint32_t requested, bool *ret_silent)
{
    struct vd_verdict verdict = vd_decision_apply(decision, requested);

    *ret_silent = verdict.audited == 0;
    return vd_verdict_allows(verdict) ||
           (requested != 0 && (decision->flags & VD_DECISION_PERMISSIVE) != 0);
}

bool vd_secclient_check(struct vd_secclient *client, uint32_t subject, uint32_t object,
                        uint32_t class, uint32_t requested)
{
    struct vd_secclient_question question = {subject, object, class, requested};
    struct vd_secclient_answer answer = {};
    struct vd_decision decision;

    if (vd_sec_page_alive(client->page) &&
        __atomic_load_n(&client->page->stamp, __ATOMIC_ACQUIRE) ==
            __atomic_load_n(&client->stamp, __ATOMIC_ACQUIRE) &&
        vd_avc_lookup(&client->avc, (struct vd_mac_key){subject, object, class}, NULL, &decision)) {
        bool silent;
        bool allowed = verdict_of(&decision, requested, &silent);
        if (silent)
            return allowed;
    }
    return vd_secclient_ask(client, &question, &answer, NULL) == VD_OK && answer.allowed;
}

static vd_status read_answer(struct vd_reader *r, uint64_t *ret_stamp,
                             struct vd_secclient_answer *a)
{
    uint32_t allowed;

    VD_TRY(vd_read_le64(r, ret_stamp));
    VD_TRY(vd_read_le32(r, &a->sequence));
    VD_TRY(vd_read_le32(r, &allowed));
    VD_TRY(vd_read_le32(r, &a->denied));
    VD_TRY(vd_read_le32(r, &a->permitted));
    VD_TRY(vd_read_le32(r, &a->auditallow));
    VD_TRY(vd_read_le32(r, &a->auditdeny));
    VD_TRY(vd_read_le32(r, &a->flags));
    VD_TRY(vd_read_le32(r, &a->without_te));
    VD_TRY(vd_read_le32(r, &a->without_constraint));
    VD_TRY(vd_read_le32(r, &a->without_role));
    VD_TRY(vd_read_le32(r, &a->without_bounds));
    a->allowed = allowed == 1;
    return allowed > 1 ? VD_E_INVALID : vd_read_done(r);
}

/* Keeps the decision, unless it is older than what is kept already. */
static void remember(struct vd_secclient *client, const struct vd_secclient_question *q,
                     uint64_t stamp, const struct vd_secclient_answer *a)
{
    struct vd_decision decision = {.allowed = a->permitted,
                                   .auditallow = a->auditallow,
                                   .auditdeny = a->auditdeny,
                                   .flags = a->flags,
                                   .without_te = a->without_te,
                                   .without_constraint = a->without_constraint,
                                   .without_role = a->without_role,
                                   .without_bounds = a->without_bounds};

    if (stamp > client->stamp) {
        vd_secclient_flush(client);
        __atomic_store_n(&client->stamp, stamp, __ATOMIC_RELEASE);
    }
    if (stamp == client->stamp && (a->flags & VD_SECCLIENT_INVALID) == 0)
        vd_avc_insert(&client->avc, (struct vd_mac_key){q->subject, q->object, q->class},
                      vd_avc_sequence(&client->avc), &decision, NULL);
}

/* A question, with or without a number. */
struct asked {
    const struct vd_secclient_question *question;
    const struct vd_secclient_number *number; /* NULL: none */
};

static vd_status write_question(struct vd_secclient *client, const struct asked *asked,
                                struct vd_writer *w, struct vd_diag *diag)
{
    const struct vd_secclient_question *q = asked->question;
    uint32_t subject, object, class;

    VD_TRY(vd_secclient_number(client, VD_SEC_SUBJECT, q->subject, &subject, diag));
    VD_TRY(vd_secclient_number(client, 0, q->object, &object, diag));
    VD_TRY(vd_secclient_number(client, VD_SECCLIENT_CLASS, q->class, &class, diag));
    vd_write_le32(w, subject);
    vd_write_le32(w, object);
    vd_write_le32(w, class);
    vd_write_le32(w, q->requested);
    if (asked->number != NULL) {
        vd_write_u8(w, (uint8_t)asked->number->kind);
        vd_write_le16(w, asked->number->number);
    }
    return VD_OK;
}

static vd_status ask(struct vd_secclient *client, const struct asked *asked,
                     struct vd_secclient_answer *ret, struct vd_diag *diag)
{
    uint32_t verb = asked->number != NULL ? VD_SEC_CHECK_NUMBER : VD_SEC_CHECK;
    struct vd_secclient_answer answer = {};
    uint8_t bytes[24];
    uint64_t stamp;
    struct vd_writer w;
    struct vd_reader r;

    vd_writer_init(&w, bytes, sizeof(bytes));
    VD_TRY(write_question(client, asked, &w, diag));
    VD_TRY(vd_secclient_call(client, verb, &w, &r, diag));
    if (read_answer(&r, &stamp, &answer) != VD_OK)
        return vd_diag_fail(diag, VD_E_INVALID, "the server's answer has another form");
    /* Of one number's answer nothing follows for the next. */
    if (asked->number == NULL)
        remember(client, asked->question, stamp, &answer);
    *ret = answer;
    return VD_OK;
}

static vd_status ask_twice(struct vd_secclient *client, const struct asked *asked,
                           struct vd_secclient_answer *ret, struct vd_diag *diag)
{
    struct vd_diag mine = {};
    vd_status status = VD_E_MISSING;

    /* The connection may have ended since the last request: then once more on a new one. */
    for (uint32_t i = 0; i < 2 && status == VD_E_MISSING; i++) {
        mine = (struct vd_diag){};
        status = vd_secclient_begin(client, &mine);
        if (status == VD_OK)
            status = ask(client, asked, ret, &mine);
        vd_secclient_end(client);
    }
    if (status != VD_OK && diag != NULL && diag->status == VD_OK)
        *diag = mine;
    return status;
}

vd_status vd_secclient_ask(struct vd_secclient *client,
                           const struct vd_secclient_question *question,
                           struct vd_secclient_answer *ret, struct vd_diag *diag)
{
    return ask_twice(client, &(struct asked){.question = question}, ret, diag);
}

vd_status vd_secclient_ask_number(struct vd_secclient *client,
                                  const struct vd_secclient_question *question,
                                  const struct vd_secclient_number *number,
                                  struct vd_secclient_answer *ret, struct vd_diag *diag)
{
    return ask_twice(client, &(struct asked){question, number}, ret, diag);
}
