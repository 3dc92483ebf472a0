/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "services/security/change.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/audit/record.h"
#include "lib/diagf.h"
#include "lib/hash.h"
#include "lib/sys.h"
#include "services/security/audit.h"

#define NS_PER_S         1'000'000'000u
#define BOOT_ID_TEXT     36u
#define AUDIT_VALUE_SIZE 32u

vd_status vd_secd_change_init(struct vd_secd_change *change, struct vd_diag *diag)
{
    change->fd = -1;
    change->done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (change->done < 0)
        return vd_sys_errno(diag, errno, "cannot make an eventfd", NULL);
    return VD_OK;
}

static void forget(struct vd_secd_change *change)
{
    vd_fd_close(&change->fd);
    vd_secd_state_done(&change->next);
    vd_secd_policy_done(&change->made);
}

void vd_secd_change_done(struct vd_secd_change *change)
{
    if (change->running)
        vd_secd_change_finish(change);
    forget(change);
    vd_fd_close(&change->done);
}

void vd_secd_boot_id(uint8_t ret[VD_SECD_BOOT_ID])
{
    char text[BOOT_ID_TEXT] = {};
    char digits[2 * VD_SECD_BOOT_ID + 1] = {};
    size_t count = 0;
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? 0 : read(fd, text, sizeof(text));

    vd_fd_close(&fd);
    memset(ret, 0, VD_SECD_BOOT_ID);
    for (ssize_t i = 0; i < size && count < 2 * VD_SECD_BOOT_ID; i++) {
        if (text[i] != '-')
            digits[count++] = text[i];
    }
    (void)!vd_hex_decode(digits, ret, VD_SECD_BOOT_ID, NULL);
}

/* Makes `raw` with the next state's booleans the policy that is to be in force. */
static vd_status make(struct vd_secd_change *c, struct vd_secd_policy *raw)
{
    vd_status status = VD_OK;

    if (c->next.bool_count == 0) {
        c->made = *raw;
        *raw = (struct vd_secd_policy){};
    } else {
        status = vd_secd_policy_apply(raw, &c->next, &c->made, &c->diag);
    }
    vd_secd_policy_done(raw);
    return status;
}

static vd_status not_unconfirmed(struct vd_secd_change *c)
{
    if (!c->state->unconfirmed)
        return VD_OK;
    vd_diagf_hint(&c->diag, "veridian policy load --confirm, or veridian policy rollback");
    return vd_diag_fail(&c->diag, VD_E_BUSY, "the policy in force waits to be confirmed");
}

/* A policy goes into force, if need be until it is confirmed. */
static vd_status put_in_force(struct vd_secd_change *c, uint64_t number)
{
    if (c->confirm_s != 0 && c->next.active == 0)
        return vd_diag_fail(&c->diag, VD_E_INVALID,
                            "there is no policy to go back to: the first one is loaded for good");
    vd_secd_state_push(&c->next, number);
    c->next.unconfirmed = c->confirm_s != 0;
    c->next.deadline_ns = vd_sys_boottime_ns() + (uint64_t)c->confirm_s * NS_PER_S;
    return VD_OK;
}

static vd_status load(struct vd_secd_change *c)
{
    struct vd_secd_policy raw = {};
    uint64_t number = c->next.next++;
    vd_status status;

    VD_TRY(not_unconfirmed(c));
    VD_TRY(vd_secd_policy_receive(c->fd, &raw, &c->diag));
    status = vd_secd_store_add(c->store, number, &raw.blob, &c->diag);
    if (status == VD_OK && (c->flags & VD_SEC_LOAD_STAGE) != 0) {
        c->next.staged = number;
        vd_secd_policy_done(&raw);
        return VD_OK;
    }
    if (status == VD_OK)
        status = put_in_force(c, number);
    if (status == VD_OK)
        status = make(c, &raw);
    vd_secd_policy_done(&raw);
    return status;
}

static vd_status commit(struct vd_secd_change *c)
{
    struct vd_secd_policy raw = {};
    uint64_t number = c->next.staged;

    VD_TRY(not_unconfirmed(c));
    if (number == 0)
        return vd_diag_fail(&c->diag, VD_E_NOT_FOUND, "no policy is staged");
    VD_TRY(vd_secd_store_load(c->store, number, &raw, &c->diag));
    c->next.staged = 0;
    if (put_in_force(c, number) != VD_OK) {
        vd_secd_policy_done(&raw);
        return c->diag.status;
    }
    return make(c, &raw);
}

static vd_status confirm(struct vd_secd_change *c)
{
    if (!c->next.unconfirmed)
        return vd_diag_fail(&c->diag, VD_E_NOT_FOUND, "no policy waits to be confirmed");
    c->next.unconfirmed = false;
    return VD_OK;
}

static vd_status rollback(struct vd_secd_change *c)
{
    struct vd_secd_policy raw = {};

    if (vd_secd_state_pop(&c->next) != VD_OK)
        return vd_diag_fail(&c->diag, VD_E_NOT_FOUND, "there is no policy before the one in force");
    c->next.unconfirmed = false;
    VD_TRY(vd_secd_store_load(c->store, c->next.active, &raw, &c->diag));
    return make(c, &raw);
}

static vd_status set_bools(struct vd_secd_change *c)
{
    for (uint32_t i = 0; i < c->bool_count; i++) {
        const char *name = c->bools[i].name;
        uint32_t number;
        vd_status status =
            c->policy->db.base == NULL
                ? VD_E_NOT_FOUND
                : vd_policydb_find(&c->policy->db, VD_SYM_BOOL, name, strlen(name), &number);
        if (status != VD_OK)
            return vd_diagf(&c->diag, status, "the policy has no boolean \"%s\"", name);
        /* What is persistent stays so until it is set without being asked to stay. */
        status = vd_secd_state_set(&c->next, name, c->bools[i].value, c->persistent);
        if (status != VD_OK)
            return vd_diag_fail(&c->diag, status, "cannot note the boolean");
    }
    return vd_secd_policy_apply(c->policy, &c->next, &c->made, &c->diag);
}

static struct vd_audit_text text(const char *s)
{
    return (struct vd_audit_text){s, (uint32_t)strlen(s)};
}

static void add_extra(struct vd_audit_record *r, const char *name, const char *value)
{
    r->extra[r->extra_count++] = (struct vd_audit_extra){text(name), text(value)};
}

/* Recorded before anything changes: a change that cannot be recorded does not happen. */
static vd_status record(struct vd_secd_change *c)
{
    static const char *const names[] = {
#define NAME_(name, text, right, admin) text,
        "", VD_SEC_VERB_TABLE(NAME_)
#undef NAME_
    };
    struct vd_audit_record r = {.type = VD_EVENT_TYPE_CONFIGURATION};
    char checksum[AUDIT_VALUE_SIZE];
    char bools[1024] = "";
    struct vd_text list;

    if (c->audit_path == NULL)
        return VD_OK;
    VD_AUDIT_SET(&r, PID, pid, (uint32_t)c->peer.pid);
    VD_AUDIT_SET(&r, UID, uid, c->peer.uid);
    VD_AUDIT_SET(&r, GID, gid, c->peer.gid);
    VD_AUDIT_SET(&r, VERDICT, verdict, VD_EVENT_ALLOWED);
    VD_AUDIT_SET(&r, POLICY_SEQNO, policy_seqno, c->next.sequence);
    VD_AUDIT_SET(&r, MESSAGE, message,
                 text(c->automatic ? "policy not confirmed in time" : "policy change"));
    add_extra(&r, "change", names[c->verb]);
    if (c->made.db.base != NULL) {
        struct vd_text t;
        uint64_t crc = vd_policydb_header(&c->made.db)->checksum;
        vd_text_init(&t, checksum, sizeof(checksum));
        vd_text_hex(&t, (const uint8_t *)&crc, sizeof(crc));
        add_extra(&r, "checksum", checksum);
    }
    vd_text_init(&list, bools, sizeof(bools));
    for (uint32_t i = 0; i < c->bool_count; i++) {
        vd_text_str(&list, i == 0 ? "" : " ");
        vd_text_str(&list, c->bools[i].name);
        vd_text_str(&list, c->bools[i].value ? "=1" : "=0");
    }
    if (c->bool_count != 0)
        add_extra(&r, "booleans", bools);
    return vd_secd_audit_write(c->audit_path, &r, &c->diag);
}

static vd_status decide(struct vd_secd_change *c)
{
    switch (c->verb) {
    case VD_SEC_LOAD:
        return load(c);
    case VD_SEC_COMMIT:
        return commit(c);
    case VD_SEC_CONFIRM:
        return confirm(c);
    case VD_SEC_ROLLBACK:
        return rollback(c);
    case VD_SEC_SET_BOOLS:
        return set_bools(c);
    default:
        return vd_diag_fail(&c->diag, VD_E_BUG, "no change of policy");
    }
}

static vd_status perform(struct vd_secd_change *c)
{
    if (vd_secd_state_copy(c->state, &c->next) != VD_OK)
        return vd_diag_fail(&c->diag, VD_E_NO_MEMORY, "no memory for the state");
    VD_TRY(decide(c));
    c->next.sequence += c->made.db.base != NULL;
    vd_secd_boot_id(c->next.boot_id);
    /* Going back to the policy before is the safe side: that waits for no record. */
    if (record(c) != VD_OK && !c->automatic)
        return c->diag.status;
    VD_TRY(vd_secd_store_commit(c->store, &c->next, &c->diag));
    vd_secd_store_clean(c->store, &c->next);
    return VD_OK;
}

void vd_secd_change_perform(struct vd_secd_change *change)
{
    change->diag = (struct vd_diag){};
    change->status = perform(change);
    if (change->status != VD_OK) {
        forget(change);
        /* What was written already is of no use, unless nobody knows which state the disk has. */
        if (change->store->failed == VD_OK)
            vd_secd_store_clean(change->store, change->state);
    }
    vd_fd_close(&change->fd);
}

static void *run(void *arg)
{
    struct vd_secd_change *change = arg;
    uint64_t one = 1;

    vd_secd_change_perform(change);
    (void)!write(change->done, &one, sizeof(one));
    return NULL;
}

vd_status vd_secd_change_start(struct vd_secd_change *change, struct vd_diag *diag)
{
    int error = pthread_create(&change->thread, NULL, run, change);

    if (error != 0) {
        vd_fd_close(&change->fd);
        return vd_sys_errno(diag, error, "cannot start a change of policy", NULL);
    }
    change->running = true;
    return VD_OK;
}

void vd_secd_change_finish(struct vd_secd_change *change)
{
    uint64_t count;

    pthread_join(change->thread, NULL);
    (void)!read(change->done, &count, sizeof(count));
    change->running = false;
}
