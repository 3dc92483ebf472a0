/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "services/crypto/audit.h"

#include <stdio.h>
#include <string.h>

#include "core/audit/record.h"
#include "lib/diagf.h"

#define PUT_MS   1000u /* for room in the ring */
#define FLUSH_MS 10000u

static struct vd_audit_text text_of(const char *text)
{
    return (struct vd_audit_text){text, (uint32_t)strlen(text)};
}

static void add(struct vd_audit_record *record, const char *name, const char *value)
{
    record->extra[record->extra_count++] = (struct vd_audit_extra){text_of(name), text_of(value)};
}

static const char *number(char *room, size_t size, uint64_t value)
{
    struct vd_text text;

    vd_text_init(&text, room, size);
    vd_text_u64(&text, value);
    return room;
}

static void hex_of(const uint8_t *id, char *ret)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < VD_KEY_ID_SIZE; i++) {
        ret[2 * i] = digits[id[i] >> 4];
        ret[2 * i + 1] = digits[id[i] & 15];
    }
    ret[2 * VD_KEY_ID_SIZE] = '\0';
}

/* Room for what a record borrows. */
struct texts {
    char id[2 * VD_KEY_ID_SIZE + 1];
    char version[24], count[24];
};

static void fill(const struct vd_keyd_event *e, struct texts *texts, struct vd_audit_record *r)
{
    bool denied = e->status == VD_E_DENIED;

    *r = (struct vd_audit_record){.type = e->manage ? VD_EVENT_TYPE_CONFIGURATION
                                                    : VD_EVENT_TYPE_AUTHORISATION};
    VD_AUDIT_SET(r, PID, pid, (uint32_t)e->peer->pid);
    VD_AUDIT_SET(r, UID, uid, e->peer->uid);
    VD_AUDIT_SET(r, GID, gid, e->peer->gid);
    if (e->subject != NULL)
        VD_AUDIT_SET(r, SUBJECT_CONTEXT, subject_context, text_of(e->subject));
    VD_AUDIT_SET(r, OBJECT_KIND, object_kind, text_of("key"));
    if (e->label != NULL)
        VD_AUDIT_SET(r, OBJECT_CONTEXT, object_context, text_of(e->label));
    VD_AUDIT_SET(r, CLASS_NAME, class_name, text_of("key"));
    if (e->right[0] != '\0')
        VD_AUDIT_SET(r, REQUESTED_NAMES, requested_names, text_of(e->right));
    VD_AUDIT_SET(r, VERDICT, verdict, denied ? VD_EVENT_DENIED : VD_EVENT_ALLOWED);
    VD_AUDIT_SET(r, MESSAGE, message, text_of(e->verb));
    if (e->name != NULL)
        add(r, "key", e->name);
    if (e->id != NULL) {
        hex_of(e->id, texts->id);
        add(r, "key_id", texts->id);
    }
    if (e->version != 0)
        add(r, "version", number(texts->version, sizeof(texts->version), e->version));
    if (e->count > 1)
        add(r, "count", number(texts->count, sizeof(texts->count), e->count));
    if (e->begun)
        add(r, "phase", "begin");
    else if (e->manage || e->status != VD_OK)
        add(r, "result", e->status == VD_OK ? "done" : vd_status_name(e->status));
    if (e->detail != NULL && e->detail[0] != '\0')
        add(r, "detail", e->detail);
}

static vd_status refuse(vd_status status, struct vd_diag *diag)
{
    return vd_diagf(diag, VD_E_NOT_RECORDED, "the operation cannot be recorded: %s",
                    status == VD_E_MISSING ? "no audit daemon" : vd_status_text(status));
}

vd_status vd_keyd_audit_open(struct vd_keyd_audit *audit, struct vd_diag *diag)
{
    struct vd_auditring *ring = NULL;

    VD_TRY(vd_auditring_open(&audit->options, &ring, diag));
    atomic_store(&audit->ring, ring);
    return VD_OK;
}

void vd_keyd_audit_close(struct vd_keyd_audit *audit)
{
    while (audit->given_up_count != 0)
        (void)!vd_auditring_close(audit->given_up[--audit->given_up_count], NULL);
    (void)!vd_auditring_close(atomic_exchange(&audit->ring, NULL), NULL);
}

void vd_keyd_audit_tend(struct vd_keyd_audit *audit)
{
    struct vd_auditring *ring = atomic_load(&audit->ring);

    if (ring == NULL || vd_auditring_tend(ring, NULL) != VD_E_DENIED ||
        audit->given_up_count == VD_KEYD_RINGS || vd_keyd_audit_open(audit, NULL) != VD_OK)
        return;
    audit->given_up[audit->given_up_count++] = ring;
    fputs("veridian-cryptod: the audit daemon gave up the ring of records; there is a new one\n",
          stderr);
}

vd_status vd_keyd_audit_put(struct vd_keyd_audit *audit, const struct vd_keyd_event *event,
                            struct vd_diag *diag)
{
    struct vd_auditring *ring = atomic_load_explicit(&audit->ring, memory_order_acquire);
    uint8_t bytes[2048];
    struct vd_audit_record record;
    struct texts texts;
    struct vd_writer w;
    vd_status status;

    if (ring == NULL)
        return VD_OK;
    fill(event, &texts, &record);
    vd_writer_init(&w, bytes, sizeof(bytes));
    status = vd_audit_record_encode(&record, &w);
    if (status == VD_OK)
        status = vd_auditring_put(ring, bytes, w.len, VD_IPC_NO_WAIT);
    if (status == VD_E_BUSY)
        status = vd_auditring_put(ring, bytes, w.len, vd_ipc_deadline(PUT_MS));
    return status == VD_OK ? VD_OK : refuse(status, diag);
}

vd_status vd_keyd_audit_flush(struct vd_keyd_audit *audit, struct vd_diag *diag)
{
    struct vd_auditring *ring = atomic_load_explicit(&audit->ring, memory_order_acquire);
    vd_status status;

    if (ring == NULL)
        return VD_OK;
    status = vd_auditring_flush(ring, vd_ipc_deadline(FLUSH_MS), NULL);
    return status == VD_OK ? VD_OK : refuse(status, diag);
}
