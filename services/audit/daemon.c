/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "services/audit/daemon.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "lib/file.h"
#include "services/audit/sys.h"
#include "services/audit/verify.h"

#define MESSAGE_STARTED  "started"
#define MESSAGE_GOES_ON  "continued in a new segment"
#define MESSAGE_STOPPED  "stopped"
#define RESTORE_SEGMENTS 4u /* newest ones that are read at the start */
#define POLL_MS          500

static struct vd_audit_text text(const char *s)
{
    return (struct vd_audit_text){s, (uint32_t)strlen(s)};
}

static void stamp(struct vd_audit_record *r, uint16_t type, const char *message)
{
    *r = (struct vd_audit_record){.type = type};
    VD_AUDIT_SET(r, REALTIME, realtime_ns, vd_audit_realtime_ns());
    VD_AUDIT_SET(r, BOOTTIME, boottime_ns, vd_audit_boottime_ns());
    VD_AUDIT_SET(r, MESSAGE, message, text(message));
}

static void add_extra(struct vd_audit_record *r, const char *name, const char *value)
{
    r->extra[r->extra_count++] = (struct vd_audit_extra){text(name), text(value)};
}

static void add_number(struct vd_audit_record *r, const char *name, uint64_t number, char buf[24])
{
    snprintf(buf, 24, "%llu", (unsigned long long)number);
    add_extra(r, name, buf);
}

static void boot_id_text(char ret[2 * VD_AUDIT_BOOT_ID_SIZE + 1])
{
    uint8_t id[VD_AUDIT_BOOT_ID_SIZE];

    vd_audit_boot_id(id);
    vd_hex_encode(id, sizeof(id), ret);
}

static bool text_is(const struct vd_audit_text *a, const char *b)
{
    return a->size == strlen(b) && memcmp(a->data, b, a->size) == 0;
}

struct restore {
    struct vd_audit_daemon *daemon;
    char ring[24];
    bool ours; /* what follows belongs to this boot and ring */
};

static uint64_t number_of(const struct vd_audit_text *t)
{
    uint64_t number = 0;

    for (uint32_t i = 0; i < t->size && t->data[i] >= '0' && t->data[i] <= '9'; i++)
        number = number * 10 + (uint64_t)(t->data[i] - '0');
    return number;
}

/* A state record says to which ring the events after it belong, and what was known before. */
static void restore_state(struct restore *r, const struct vd_audit_record *record)
{
    uint64_t first = 0, base = 0, lost = 0;
    bool boot = false, ring = false;

    for (uint32_t i = 0; i < record->extra_count; i++) {
        const struct vd_audit_extra *e = &record->extra[i];
        boot = boot || (text_is(&e->name, "boot_id") && text_is(&e->value, r->daemon->boot_id));
        ring = ring || (text_is(&e->name, "ring_id") && text_is(&e->value, r->ring));
        if (text_is(&e->name, "sequence_first"))
            first = number_of(&e->value);
        if (text_is(&e->name, "sequence_base"))
            base = number_of(&e->value);
        if (text_is(&e->name, "sequence_lost"))
            lost = number_of(&e->value);
    }
    if (boot && ring && !r->ours)
        vd_audit_sequence_resume(&r->daemon->sequence, first, base, lost);
    r->ours = boot && ring;
}

static vd_status restore_record(void *ctx, uint64_t segment, const struct vd_audit_frame *frame,
                                const struct vd_audit_record *record)
{
    struct restore *r = ctx;
    struct vd_audit_sequence *s = &r->daemon->sequence;

    (void)segment;
    (void)frame;
    if (record == NULL)
        return VD_OK;
    if (record->type == VD_EVENT_TYPE_LOG &&
        (text_is(&record->message, MESSAGE_STARTED) || text_is(&record->message, MESSAGE_GOES_ON)))
        restore_state(r, record);
    vd_audit_rings_restore(&r->daemon->producers.rings, record);
    if (!r->ours)
        return VD_OK;
    if (record->type == VD_EVENT_TYPE_LOST)
        vd_audit_sequence_settle(s, record->lost_first + record->lost_count);
    else if (vd_audit_has(record, VD_AUDIT_TAG_EVENT_SEQUENCE))
        (void)vd_audit_sequence_take(s, record->event_sequence);
    return VD_OK;
}

static void report_lost(void *ctx, uint64_t first, uint64_t count)
{
    struct vd_audit_daemon *d = ctx;
    struct vd_audit_record r;

    stamp(&r, VD_EVENT_TYPE_LOST, "events lost: the ring had no room");
    VD_AUDIT_SET(&r, LOST_FIRST, lost_first, first);
    VD_AUDIT_SET(&r, LOST_COUNT, lost_count, count);
    if (d->failed == VD_OK)
        d->failed = vd_audit_log_append(d->log, &r, NULL, d->diag);
}

void vd_audit_daemon_restore(struct vd_audit_daemon *d, const char *log_dir,
                             const struct vd_audit_hash *hash)
{
    struct restore r = {.daemon = d};
    struct vd_audit_report report;
    struct vd_audit_store store;

    boot_id_text(d->boot_id);
    snprintf(r.ring, sizeof(r.ring), "%u", d->ring.id);
    vd_audit_sequence_init(&d->sequence, 0, NULL, NULL);
    if (vd_audit_store_open(&store, log_dir, NULL) == VD_OK) {
        struct vd_audit_walk walk = {
            .store = &store, .hash = hash, .visit = restore_record, .ctx = &r};
        walk.first = store.count > RESTORE_SEGMENTS ? store.count - RESTORE_SEGMENTS : 0;
        (void)!vd_audit_read(&walk, &report, NULL);
        vd_audit_store_done(&store);
    }
    if (!r.ours)
        vd_audit_sequence_init(&d->sequence, 0, NULL, NULL);
    d->sequence.report = report_lost;
    d->sequence.ctx = d;
}

static const char *found_message(uint32_t previous)
{
    switch (previous) {
    case VD_AUDIT_PREVIOUS_OPEN:
        return "the segment before was not closed: its writer was killed";
    case VD_AUDIT_PREVIOUS_TORN:
        return "the segment before ends within a record: its writer or the machine died";
    case VD_AUDIT_PREVIOUS_DAMAGED:
        return "the segment before does not verify: it was changed";
    default:
        return NULL;
    }
}

/*
 * What a later daemon needs from a segment to know which events it has seen.
 * Numbers above the base that were seen already follow from the events nearby.
 */
static vd_status write_state(struct vd_audit_daemon *d, const char *message,
                             const char *not_confined)
{
    char ring[24], first[24], base[24], lost[24];
    struct vd_audit_record r;

    stamp(&r, VD_EVENT_TYPE_LOG, message);
    add_extra(&r, "boot_id", d->boot_id);
    add_number(&r, "ring_id", d->ring.id, ring);
    add_number(&r, "sequence_first", d->sequence.first, first);
    add_number(&r, "sequence_base", d->sequence.base, base);
    add_number(&r, "sequence_lost", d->sequence.lost, lost);
    if (not_confined[0] != '\0')
        add_extra(&r, "not_confined_by", not_confined);
    d->segment = vd_audit_log_segment(d->log);
    return vd_audit_log_append(d->log, &r, NULL, d->diag);
}

vd_status vd_audit_daemon_start(struct vd_audit_daemon *d, const char *not_confined)
{
    char valid[24], left[24];
    const struct vd_audit_found *found = vd_audit_log_found(d->log);
    const char *message = found_message(found->previous);
    struct vd_audit_record r;

    VD_TRY(write_state(d, MESSAGE_STARTED, not_confined));
    if (message != NULL) {
        stamp(&r,
              found->previous == VD_AUDIT_PREVIOUS_DAMAGED ? VD_EVENT_TYPE_ANOMALY
                                                           : VD_EVENT_TYPE_LOG,
              message);
        add_number(&r, "valid_bytes", found->valid_bytes, valid);
        add_number(&r, "left_bytes", found->left_bytes, left);
        VD_TRY(vd_audit_log_append(d->log, &r, NULL, d->diag));
    }
    return vd_audit_log_sync(d->log, d->diag);
}

/* An event that cannot be: recorded as such, with what is wrong with it. */
static vd_status write_malformed(struct vd_audit_daemon *d, const struct vd_diag *why)
{
    struct vd_audit_record r;

    d->malformed++;
    stamp(&r, VD_EVENT_TYPE_ANOMALY, "an event in the ring is malformed");
    add_extra(&r, "reason", why->text);
    return vd_audit_log_append(d->log, &r, NULL, d->diag);
}

static vd_status write_event(struct vd_audit_daemon *d, const void *data, uint32_t size,
                             uint64_t boot_offset_ns)
{
    struct vd_audit_record record;
    struct vd_diag why = {};
    struct vd_event event;

    if (vd_audit_event_parse(data, size, &event, &why) != VD_OK)
        return write_malformed(d, &why);
    if (vd_audit_sequence_take(&d->sequence, event.sequence) == VD_AUDIT_ARRIVAL_REPEATED)
        return VD_OK;
    VD_TRY(d->failed);
    vd_audit_names_record(&d->names, &event, boot_offset_ns, &record);
    VD_TRY(vd_audit_log_append(d->log, &record, NULL, d->diag));
    return vd_audit_log_segment(d->log) == d->segment ? VD_OK : write_state(d, MESSAGE_GOES_ON, "");
}

/* One batch, from the ring to the disk. `ret_count`: events taken. */
static vd_status take_batch(struct vd_audit_daemon *d, uint32_t *ret_count)
{
    uint64_t boot_offset_ns = vd_audit_realtime_ns() - vd_audit_boottime_ns();
    uint32_t count = 0;

    while (d->ring.fd >= 0 && count < VD_AUDIT_BATCH) {
        const void *data;
        uint32_t size;
        VD_TRY(vd_audit_ring_next(&d->ring, &data, &size, d->diag));
        if (data == NULL)
            break;
        VD_TRY(write_event(d, data, size, boot_offset_ns));
        count++;
    }
    VD_TRY(vd_audit_producers_take(&d->producers, d->log, d->diag));
    count += d->producers.pending_count;
    VD_TRY(vd_audit_log_sync(d->log, d->diag));
    if (d->ring.fd >= 0)
        vd_audit_ring_release(&d->ring);
    vd_audit_producers_answer(&d->producers);
    *ret_count = count;
    return VD_OK;
}

static vd_status drain(struct vd_audit_daemon *d)
{
    uint32_t count = 1;

    if (d->ring.fd < 0)
        return take_batch(d, &count);
    /* What comes while we drain is the next daemon's, else a busy machine never stops. */
    uint64_t end = __atomic_load_n(d->ring.producer, __ATOMIC_ACQUIRE);
    while (count != 0 && d->ring.position < end)
        VD_TRY(take_batch(d, &count));
    return VD_OK;
}

/*
 * True if every number below `ret_end` that was not received is lost for
 * certain: the kernel's own count of losses equals the missing ones.
 */
static bool loss_certain(const struct vd_audit_daemon *d, uint64_t *ret_end)
{
    struct vd_event_counters c = {};
    const struct vd_audit_sequence *s = &d->sequence;
    uint32_t zero = 0;

    if (d->counters_fd < 0 || bpf_map_lookup_elem(d->counters_fd, &zero, &c) != 0 ||
        c.next < s->next)
        return false;
    *ret_end = c.next;
    return c.lost == s->lost + vd_audit_sequence_missing(s) + (c.next - s->next);
}

/* `waited_ms`: for how long the ring has been empty. */
static vd_status settle(struct vd_audit_daemon *d, int waited_ms, bool last)
{
    uint64_t end = d->sequence.next;
    bool certain = loss_certain(d, &end);

    if (!certain)
        end = d->sequence.next;
    if (!certain && !last &&
        (waited_ms < VD_AUDIT_SETTLE_MS || vd_audit_sequence_missing(&d->sequence) == 0))
        return VD_OK;
    vd_audit_sequence_settle(&d->sequence, end);
    VD_TRY(d->failed);
    return vd_audit_log_sync(d->log, d->diag);
}

static vd_status stop(struct vd_audit_daemon *d)
{
    char received[24], lost[24], late[24], repeated[24], malformed[24], produced[24], handed[24],
        unfinished[24];
    struct vd_audit_record r;

    VD_TRY(drain(d));
    VD_TRY(vd_audit_producers_stop(&d->producers, d->log, d->diag));
    VD_TRY(settle(d, 0, true));
    stamp(&r, VD_EVENT_TYPE_LOG, MESSAGE_STOPPED);
    add_number(&r, "received", d->sequence.received, received);
    add_number(&r, "lost", d->sequence.lost, lost);
    add_number(&r, "late", d->sequence.late, late);
    add_number(&r, "repeated", d->sequence.repeated, repeated);
    add_number(&r, "malformed", d->malformed, malformed);
    if (d->producers.listener >= 0) {
        add_number(&r, "from_services", d->producers.received, produced);
        add_number(&r, "from_rings", d->producers.rings.received, handed);
        add_number(&r, "unfinished", d->producers.rings.unfinished, unfinished);
    }
    VD_TRY(vd_audit_log_append(d->log, &r, NULL, d->diag));
    return vd_audit_log_close(d->log, d->diag);
}

static vd_status watch(int epoll, int fd, struct vd_diag *diag)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        return vd_audit_errno(diag, errno, "cannot watch for events", NULL);
    return VD_OK;
}

vd_status vd_audit_daemon_run(struct vd_audit_daemon *d)
{
    int epoll VD_AUTO(vd_fd_close) = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event;
    int waited_ms = 0;

    if (epoll < 0)
        return vd_audit_errno(d->diag, errno, "cannot wait for events", NULL);
    if (d->ring.fd >= 0)
        VD_TRY(watch(epoll, d->ring.fd, d->diag));
    VD_TRY(vd_audit_producers_start(&d->producers, epoll, d->diag));
    VD_TRY(watch(epoll, d->signals, d->diag));
    for (;;) {
        uint32_t count;
        int ready, wait_ms;
        VD_TRY(take_batch(d, &count));
        /* More may wait already; a signal is still looked for between two batches. */
        wait_ms = count != 0 ? 0 : vd_audit_producers_rest(&d->producers, POLL_MS);
        ready = epoll_wait(epoll, &event, 1, wait_ms);
        vd_audit_producers_wake(&d->producers);
        if (ready < 0 && errno != EINTR)
            return vd_audit_errno(d->diag, errno, "cannot wait for events", NULL);
        if (ready > 0 && event.data.fd == d->signals)
            return stop(d);
        if (ready > 0)
            (void)vd_audit_producers_event(&d->producers, event.data.fd);
        waited_ms = count != 0 || ready > 0 ? 0 : waited_ms + wait_ms;
        if (count == 0 && ready == 0)
            VD_TRY(settle(d, waited_ms, false));
    }
}
