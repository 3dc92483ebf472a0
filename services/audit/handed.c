/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "services/audit/handed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "services/audit/sys.h"

static void note(char ret[24], const struct vd_audit_text *text)
{
    uint32_t size = text->size < 23 ? text->size : 23;

    vd_copy(ret, text->data, size);
    ret[size] = '\0';
}

static bool name_is(const struct vd_audit_extra *extra, const char *name)
{
    return extra->name.size == strlen(name) && memcmp(extra->name.data, name, strlen(name)) == 0;
}

static bool same(const struct vd_audit_source *a, const struct vd_audit_source *b)
{
    return strcmp(a->ring, b->ring) == 0 && strcmp(a->pid, b->pid) == 0 &&
           strcmp(a->uid, b->uid) == 0;
}

static struct vd_audit_known *find(struct vd_audit_rings *rings,
                                   const struct vd_audit_source *source)
{
    for (uint32_t i = 0; i < VD_AUDIT_KNOWN_MAX; i++) {
        if (same(&rings->known[i].source, source))
            return &rings->known[i];
    }
    return NULL;
}

void vd_audit_rings_restore(struct vd_audit_rings *rings, const struct vd_audit_record *record)
{
    struct vd_audit_source source = {};
    struct vd_audit_known *known;
    char position[24] = {};

    for (uint32_t i = 0; i < record->extra_count; i++) {
        const struct vd_audit_extra *e = &record->extra[i];
        if (name_is(e, VD_AUDIT_EXTRA_PID))
            note(source.pid, &e->value);
        if (name_is(e, VD_AUDIT_EXTRA_UID))
            note(source.uid, &e->value);
        if (name_is(e, VD_AUDIT_EXTRA_RING))
            note(source.ring, &e->value);
        if (name_is(e, VD_AUDIT_EXTRA_POSITION))
            note(position, &e->value);
    }
    if (source.ring[0] == '\0' || position[0] == '\0')
        return;
    known = find(rings, &source);
    if (known == NULL) {
        known = &rings->known[rings->known_next++ % VD_AUDIT_KNOWN_MAX];
        known->source = source;
    }
    known->position = strtoull(position, NULL, 10);
}

vd_status vd_audit_rings_open(struct vd_audit_rings *rings, struct vd_audit_handed *handed, int *fd,
                              struct vd_diag *why)
{
    const struct vd_audit_known *known;
    struct vd_audit_shared shared = {};

    if (handed->shared.mem != NULL)
        return vd_diag_fail(why, VD_E_EXISTS, "this connection has a ring already");
    if (*fd < 0)
        VD_TRY(vd_audit_shared_make(&rings->arena, &shared, fd, why));
    else
        VD_TRY(vd_audit_shared_adopt(&rings->arena, *fd, &shared, why));
    vd_audit_source_ring(&handed->source, shared.id);
    known = find(rings, &handed->source);
    handed->shared = shared;
    handed->known = known != NULL;
    handed->last = known != NULL ? known->position : 0;
    return VD_OK;
}

static vd_status write_unfinished(const struct vd_audit_handed *handed,
                                  const struct vd_audit_shared_item *item,
                                  const struct vd_audit_sink *sink)
{
    struct vd_audit_remark remark = {.message = "a service ended within a record",
                                     .position = item->position,
                                     .name = "ring_slots"};
    char slots[24];

    snprintf(slots, sizeof(slots), "%u", item->slots);
    remark.value = slots;
    return vd_audit_source_remark(&handed->source, &remark, sink);
}

static vd_status give_up(struct vd_audit_rings *rings, struct vd_audit_handed *handed,
                         const char *reason, const struct vd_audit_sink *sink)
{
    struct vd_audit_remark remark = {.message = "a service's ring is malformed: it was given up",
                                     .position = handed->shared.taken,
                                     .name = "reason",
                                     .value = reason};

    rings->malformed++;
    vd_audit_shared_close(&handed->shared);
    vd_audit_shared_done(&rings->arena, &handed->shared);
    return vd_audit_source_remark(&handed->source, &remark, sink);
}

/* One item; a failure that is the service's goes to `why`. */
static vd_status take_item(struct vd_audit_rings *rings, struct vd_audit_handed *handed,
                           const struct vd_audit_shared_item *item,
                           const struct vd_audit_sink *sink, struct vd_diag *why)
{
    struct vd_audit_given given = {rings->bytes, item->size, true, item->position};

    if (handed->known && item->position <= handed->last) {
        rings->repeated++;
        return VD_OK;
    }
    if (item->size == 0) {
        rings->unfinished++;
        return write_unfinished(handed, item, sink);
    }
    VD_TRY(vd_audit_source_append(&handed->source, &given, sink, why));
    rings->received++;
    return VD_OK;
}

static vd_status take(struct vd_audit_rings *rings, struct vd_audit_handed *handed, bool ended,
                      const struct vd_audit_sink *sink)
{
    struct vd_audit_shared *s = &handed->shared;
    uint64_t first = s->taken;

    /* At most one ring's length at a time, however fast the service is. */
    while (s->taken - first < s->slots) {
        struct vd_audit_shared_item item;
        struct vd_diag why = {};
        vd_status status = vd_audit_shared_next(s, ended, rings->bytes, &item, &why);
        if (status == VD_OK && item.slots == 0)
            break;
        if (status == VD_OK)
            status = take_item(rings, handed, &item, sink, &why);
        if (status != VD_OK && why.status == VD_OK) /* the log's failure */
            return status;
        if (status != VD_OK)
            return give_up(rings, handed, why.text, sink);
    }
    if (s->taken != first)
        rings->taken_ns = vd_audit_boottime_ns();
    return VD_OK;
}

vd_status vd_audit_rings_take(struct vd_audit_rings *rings, struct vd_audit_handed *handed,
                              const struct vd_audit_sink *sink)
{
    return handed->shared.mem == NULL ? VD_OK : take(rings, handed, false, sink);
}

vd_status vd_audit_rings_end(struct vd_audit_rings *rings, struct vd_audit_handed *handed,
                             const struct vd_audit_sink *sink)
{
    if (handed->shared.mem == NULL)
        return VD_OK;
    vd_audit_shared_close(&handed->shared);
    VD_TRY(take(rings, handed, true, sink));
    vd_audit_shared_done(&rings->arena, &handed->shared);
    return VD_OK;
}
