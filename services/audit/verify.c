/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "services/audit/verify.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"

struct walk {
    const struct vd_audit_walk *what;
    struct vd_audit_report *report;
    struct vd_diag *diag;
    uint64_t valid_size; /* of the segment before */
    bool first;          /* nothing was read before */
};

/* Notes a failure at the place where the walk stands. */
static vd_status differs(struct walk *w, uint64_t offset, const char *text)
{
    char name[VD_AUDIT_NAME_SIZE];

    w->report->offset = offset;
    vd_audit_store_name(w->report->segment, name);
    vd_diag_file(w->diag, name);
    return vd_diag_fail_at(w->diag, VD_E_DIFFERS, offset, text);
}

/* Every header must name the segment before it as that one was found. */
static vd_status check_link(struct walk *w, const struct vd_audit_segment *header)
{
    static const enum vd_audit_previous expected[] = {
        [VD_AUDIT_STATE_CLOSED] = VD_AUDIT_PREVIOUS_CLOSED,
        [VD_AUDIT_STATE_OPEN] = VD_AUDIT_PREVIOUS_OPEN,
        [VD_AUDIT_STATE_TORN] = VD_AUDIT_PREVIOUS_TORN,
    };

    if (header->number != w->report->segment)
        return differs(w, 16, "the segment's number is not the one in its name");
    if (header->previous == VD_AUDIT_PREVIOUS_DAMAGED)
        return differs(w, 12, "the writer found the segment before damaged");
    if (w->first)
        return VD_OK;
    if (!vd_ct_equal(header->previous_hash, w->report->head, VD_AUDIT_HASH_SIZE) ||
        header->previous_size != w->valid_size || header->first_sequence != w->report->sequence)
        return differs(w, 12,
                       "the segment before does not end where this one says: "
                       "records were changed, cut off or added");
    if (header->previous != expected[w->report->state])
        return differs(w, 12, "the segment before does not end in the way that this one says");
    return VD_OK;
}

static vd_status visit_frame(struct walk *w, const struct vd_audit_frame *frame)
{
    struct vd_audit_record record;
    struct vd_diag inner = {};

    if (frame->kind != VD_AUDIT_FRAME_RECORD)
        return w->what->visit == NULL
                   ? VD_OK
                   : w->what->visit(w->what->ctx, w->report->segment, frame, NULL);
    if (vd_audit_record_parse(frame->payload, frame->payload_size, &record, &inner) != VD_OK)
        return differs(w, frame->offset + VD_AUDIT_FRAME_HEAD_SIZE + inner.offset, inner.text);
    w->report->records++;
    return w->what->visit == NULL
               ? VD_OK
               : w->what->visit(w->what->ctx, w->report->segment, frame, &record);
}

static vd_status walk_frames(struct walk *w, struct vd_audit_cursor *cursor)
{
    enum vd_audit_state state = VD_AUDIT_STATE_FRAME;
    struct vd_audit_frame frame;

    for (;;) {
        struct vd_diag inner = {};
        vd_status status = vd_audit_segment_next(cursor, &state, &frame, &inner);

        if (status != VD_OK && vd_status_class(status) != VD_CLASS_INPUT)
            return vd_diag_fail(w->diag, status, "a hash cannot be computed");
        if (status != VD_OK)
            return differs(w, inner.offset, inner.text);
        vd_copy(w->report->head, vd_audit_cursor_head(cursor), VD_AUDIT_HASH_SIZE);
        w->report->state = state;
        if (state != VD_AUDIT_STATE_FRAME)
            return VD_OK;
        VD_TRY(visit_frame(w, &frame));
        w->report->sequence = cursor->sequence;
    }
}

static vd_status walk_segment(struct walk *w, const uint8_t *data, size_t size)
{
    struct vd_audit_cursor cursor;
    struct vd_diag inner = {};
    vd_status status = vd_audit_cursor_init(&cursor, data, size, w->what->hash, &inner);

    /* Another kind of file in the first place is no log; later it is damage. */
    if (status == VD_E_MAGIC && w->first)
        return vd_diag_fail_at(w->diag, VD_E_MAGIC, 0, inner.text);
    if (status != VD_OK)
        return differs(w, inner.offset, inner.text);
    VD_TRY(check_link(w, &cursor.header));
    w->report->sequence = cursor.sequence;
    VD_TRY(walk_frames(w, &cursor));
    if (w->report->state == VD_AUDIT_STATE_TORN) {
        w->report->torn++;
        w->report->torn_bytes += size - cursor.offset;
    }
    w->valid_size = cursor.offset;
    w->report->segments++;
    w->first = false;
    return VD_OK;
}

vd_status vd_audit_read(const struct vd_audit_walk *walk, struct vd_audit_report *ret,
                        struct vd_diag *diag)
{
    struct walk w = {.what = walk, .report = ret, .diag = diag, .first = true};
    const struct vd_audit_store *store = walk->store;

    *ret = (struct vd_audit_report){};
    if (walk->first >= store->count)
        return vd_diag_fail(diag, VD_E_NOT_FOUND, "there is no segment of an audit log here");
    for (uint32_t i = walk->first; i < store->count; i++) {
        uint8_t *data = NULL;
        size_t size = 0;
        vd_status status;

        ret->segment = store->numbers[i];
        if (i > walk->first && store->numbers[i] != store->numbers[i - 1] + 1)
            return differs(&w, 0, "the segment before this one is missing");
        VD_TRY(vd_audit_store_load(store, ret->segment, &data, &size, diag));
        status = walk_segment(&w, data, size);
        free(data);
        VD_TRY(status);
    }
    return VD_OK;
}

vd_status vd_audit_verify(const struct vd_audit_walk *walk, struct vd_audit_report *ret,
                          struct vd_diag *diag)
{
    char name[VD_AUDIT_NAME_SIZE];

    VD_TRY(vd_audit_read(walk, ret, diag));
    if (walk->store->numbers[0] != 1) {
        ret->segment = walk->store->numbers[0];
        ret->sequence = 0;
        return vd_diag_fail(diag, VD_E_DIFFERS,
                            "the log does not begin with segment 1: older ones are missing");
    }
    if (ret->state != VD_AUDIT_STATE_TORN)
        return VD_OK;
    vd_audit_store_name(ret->segment, name);
    vd_diag_file(diag, name);
    return vd_diag_fail(diag, VD_E_DIFFERS,
                        "the newest segment ends within a record: a writer was cut off there, "
                        "or bytes were removed");
}
