/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "services/audit/source.h"

#include <stdio.h>
#include <string.h>

#include "core/abi/audit_ipc.h"
#include "services/audit/sys.h"

/* Own fields, names and numbers of 20 digits: what is added takes less than 256 bytes. */
_Static_assert(VD_AUDIT_IPC_RECORD_MAX + 256 <= VD_AUDIT_RECORD_MAX_BYTES,
               "room for what is added");
_Static_assert(VD_AUDIT_IPC_EXTRA_MAX + VD_AUDIT_EXTRA_OWN <= VD_AUDIT_EXTRA_MAX,
               "and for its fields");

/* What only the daemon knows. */
#define OWN_FIELDS                                                                         \
    (UINT64_C(1) << VD_AUDIT_TAG_REALTIME | UINT64_C(1) << VD_AUDIT_TAG_BOOTTIME |         \
     UINT64_C(1) << VD_AUDIT_TAG_EVENT_SEQUENCE | UINT64_C(1) << VD_AUDIT_TAG_LOST_FIRST | \
     UINT64_C(1) << VD_AUDIT_TAG_LOST_COUNT)

void vd_audit_source_init(struct vd_audit_source *source, const struct vd_ipc_peer *peer)
{
    *source = (struct vd_audit_source){};
    snprintf(source->pid, sizeof(source->pid), "%ld", (long)peer->pid);
    snprintf(source->uid, sizeof(source->uid), "%ld", (long)peer->uid);
}

void vd_audit_source_ring(struct vd_audit_source *source, uint64_t id)
{
    snprintf(source->ring, sizeof(source->ring), "%016llx", (unsigned long long)id);
}

static bool own_name(const struct vd_audit_text *name)
{
    static const char *const own[VD_AUDIT_EXTRA_OWN] = {
        VD_AUDIT_EXTRA_PID, VD_AUDIT_EXTRA_UID, VD_AUDIT_EXTRA_RING, VD_AUDIT_EXTRA_POSITION};
    bool is = false;

    for (uint32_t i = 0; i < VD_AUDIT_EXTRA_OWN; i++)
        is = is || (name->size == strlen(own[i]) && memcmp(name->data, own[i], name->size) == 0);
    return is;
}

static vd_status check_record(const struct vd_audit_record *r, struct vd_diag *why)
{
    if ((r->present & OWN_FIELDS) != 0 || r->type == VD_EVENT_TYPE_LOST ||
        r->type == VD_EVENT_TYPE_LOG)
        return vd_diag_fail(why, VD_E_INVALID, "a record of this kind is the daemon's own");
    if (r->extra_count > VD_AUDIT_IPC_EXTRA_MAX)
        return vd_diag_fail(why, VD_E_LIMIT, "too many free fields");
    for (uint32_t i = 0; i < r->extra_count; i++) {
        if (own_name(&r->extra[i].name))
            return vd_diag_fail(why, VD_E_INVALID, "a free field of this name is the daemon's own");
    }
    return VD_OK;
}

static void add(struct vd_audit_record *r, const char *name, const char *value)
{
    r->extra[r->extra_count++] =
        (struct vd_audit_extra){{name, (uint32_t)strlen(name)}, {value, (uint32_t)strlen(value)}};
}

static void add_source(struct vd_audit_record *r, const struct vd_audit_source *source)
{
    VD_AUDIT_SET(r, REALTIME, realtime_ns, vd_audit_realtime_ns());
    VD_AUDIT_SET(r, BOOTTIME, boottime_ns, vd_audit_boottime_ns());
    add(r, VD_AUDIT_EXTRA_PID, source->pid);
    add(r, VD_AUDIT_EXTRA_UID, source->uid);
}

static void add_position(struct vd_audit_record *r, const struct vd_audit_source *source,
                         uint64_t position, char buf[24])
{
    struct vd_text text;

    vd_text_init(&text, buf, 24);
    vd_text_u64(&text, position);
    add(r, VD_AUDIT_EXTRA_RING, source->ring);
    add(r, VD_AUDIT_EXTRA_POSITION, buf);
}

vd_status vd_audit_source_append(const struct vd_audit_source *source,
                                 const struct vd_audit_given *given,
                                 const struct vd_audit_sink *sink, struct vd_diag *why)
{
    struct vd_audit_record r;
    char position[24];

    if (given->size > VD_AUDIT_IPC_RECORD_MAX)
        return vd_diag_fail(why, VD_E_LIMIT, "a record of more than 16128 bytes");
    VD_TRY(vd_audit_record_parse(given->bytes, given->size, &r, why));
    VD_TRY(check_record(&r, why));
    add_source(&r, source);
    if (given->from_ring)
        add_position(&r, source, given->position, position);
    return vd_audit_log_append(sink->log, &r, NULL, sink->diag);
}

vd_status vd_audit_source_remark(const struct vd_audit_source *source,
                                 const struct vd_audit_remark *remark,
                                 const struct vd_audit_sink *sink)
{
    struct vd_audit_record r = {.type = VD_EVENT_TYPE_ANOMALY};
    char position[24];

    VD_AUDIT_SET(&r, MESSAGE, message,
                 ((struct vd_audit_text){remark->message, (uint32_t)strlen(remark->message)}));
    add_source(&r, source);
    add_position(&r, source, remark->position, position);
    add(&r, remark->name, remark->value);
    return vd_audit_log_append(sink->log, &r, NULL, sink->diag);
}
