/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "tools/veridian/audit/read.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "lib/file.h"
#include "lib/json.h"
#include "services/audit/sys.h"
#include "services/audit/verify.h"
#include "tools/veridian/audit/print.h"

#define RETRIES  50
#define RETRY_MS 20

/* A log that is open for reading. */
struct log {
    struct vd_audit_store store;
    struct vd_hasher hasher;
    struct vd_audit_hash hash;
};

static void log_done(struct log *log)
{
    vd_audit_store_done(&log->store);
    vd_hasher_done(&log->hasher);
}

static vd_status log_open(struct log *log, const char *dir, struct vd_diag *diag)
{
    *log = (struct log){.store.fd = -1};
    log->hash = vd_audit_sha256(&log->hasher);
    VD_TRY(vd_audit_store_open(&log->store, dir, diag));
    if (log->store.count == 0)
        return vd_diagf(diag, VD_E_NOT_FOUND, "there is no audit log in %s", dir);
    return VD_OK;
}

static vd_status show(bool json, uint64_t segment, const struct vd_audit_frame *frame,
                      const struct vd_audit_record *record)
{
    if (json)
        return vd_json_print_line(vd_audit_json(segment, frame, record), NULL);
    vd_audit_print(stdout, frame, record);
    return ferror(stdout) ? VD_E_IO : VD_OK;
}

struct tail {
    const struct vd_audit_tail_args *args;
    uint64_t skip; /* records before the first that is printed */
};

static vd_status tail_record(void *ctx, uint64_t segment, const struct vd_audit_frame *frame,
                             const struct vd_audit_record *record)
{
    struct tail *tail = ctx;

    if (record == NULL)
        return VD_OK;
    if (tail->skip != 0) {
        tail->skip--;
        return VD_OK;
    }
    return show(tail->args->json, segment, frame, record);
}

/* The index of a segment from which on there are at least `lines` records, and their number. */
static uint32_t tail_start(struct log *log, uint64_t lines, uint64_t *ret_records)
{
    struct vd_audit_report report;
    uint32_t segments = 1;

    for (;;) {
        struct vd_audit_walk walk = {.store = &log->store, .hash = &log->hash};
        walk.first = log->store.count > segments ? log->store.count - segments : 0;
        /* Damage is told by the walk that prints. */
        (void)!vd_audit_read(&walk, &report, NULL);
        *ret_records = report.records;
        if (report.records >= lines || walk.first == 0)
            return walk.first;
        segments *= 2;
    }
}

/* A segment that grows: its walk goes on where it stood. */
struct follow {
    struct log *log;
    uint64_t number;
    uint8_t *data;
    struct vd_audit_cursor cursor;
    uint64_t shown; /* frames with a smaller number were printed */
    uint8_t head[VD_AUDIT_HASH_SIZE];
    bool started;
};

static vd_status follow_load(struct follow *f, struct vd_diag *diag)
{
    uint8_t *data;
    size_t size;

    VD_TRY(vd_audit_store_load(&f->log->store, f->number, &data, &size, diag));
    free(f->data);
    f->data = data;
    if (f->cursor.data == NULL) {
        VD_TRY(vd_audit_cursor_init(&f->cursor, data, size, &f->log->hash, diag));
        if (f->started && !vd_ct_equal(f->head, f->cursor.header.previous_hash, sizeof(f->head)))
            return vd_diag_fail(diag, VD_E_DIFFERS, "the segment does not follow the one before");
    }
    if (size < f->cursor.offset)
        return vd_diag_fail(diag, VD_E_DIFFERS, "the segment was cut off");
    f->cursor.data = data;
    f->cursor.size = size;
    return VD_OK;
}

/* Prints what is new. `ret_closed`: the segment is complete. */
static vd_status follow_walk(struct follow *f, const struct vd_audit_tail_args *args,
                             bool *ret_closed, struct vd_diag *diag)
{
    enum vd_audit_state state = VD_AUDIT_STATE_FRAME;
    struct vd_audit_record record;
    struct vd_audit_frame frame;

    VD_TRY(follow_load(f, diag));
    for (;;) {
        if (vd_audit_segment_next(&f->cursor, &state, &frame, diag) != VD_OK)
            return VD_E_DIFFERS;
        if (state != VD_AUDIT_STATE_FRAME)
            break;
        if (frame.kind != VD_AUDIT_FRAME_RECORD || frame.sequence < f->shown)
            continue;
        if (vd_audit_record_parse(frame.payload, frame.payload_size, &record, diag) != VD_OK)
            return VD_E_DIFFERS;
        VD_TRY(show(args->json, f->number, &frame, &record));
    }
    fflush(stdout);
    *ret_closed = state == VD_AUDIT_STATE_CLOSED;
    return VD_OK;
}

/* Goes through all segments that are there; the last one is kept open. */
static vd_status follow_all(struct follow *f, const struct vd_audit_tail_args *args,
                            struct vd_diag *diag)
{
    for (;;) {
        const struct vd_audit_store *store = &f->log->store;
        bool closed;
        VD_TRY(vd_audit_store_scan(&f->log->store, diag));
        VD_TRY(follow_walk(f, args, &closed, diag));
        if (f->number >= store->numbers[store->count - 1])
            return VD_OK;
        /* A newer segment is there: nothing is added to this one any more. */
        VD_TRY(follow_walk(f, args, &closed, diag));
        vd_copy(f->head, vd_audit_cursor_head(&f->cursor), sizeof(f->head));
        f->started = true;
        f->cursor = (struct vd_audit_cursor){};
        f->number++;
    }
}

static vd_status follow(struct log *log, const struct vd_audit_tail_args *args, uint64_t shown,
                        struct vd_diag *diag)
{
    struct follow f = {
        .log = log, .number = log->store.numbers[log->store.count - 1], .shown = shown};
    int watch VD_AUTO(vd_fd_close) = inotify_init1(IN_CLOEXEC);
    char events[4096];
    vd_status status;

    if (watch < 0 || inotify_add_watch(watch, args->log, IN_MODIFY | IN_MOVED_TO) < 0)
        return vd_audit_errno(diag, errno, "cannot watch the log", args->log);
    do
        status = follow_all(&f, args, diag);
    while (status == VD_OK && read(watch, events, sizeof(events)) > 0);
    free(f.data);
    return status;
}

vd_status vd_audit_tail(const struct vd_audit_tail_args *args, struct vd_diag *diag)
{
    struct log log VD_AUTO(log_done) = {.store.fd = -1};
    struct tail tail = {.args = args};
    struct vd_audit_report report;
    struct vd_audit_walk walk = {
        .store = &log.store, .hash = &log.hash, .visit = tail_record, .ctx = &tail};
    uint64_t records;

    VD_TRY(log_open(&log, args->log, diag));
    walk.first = tail_start(&log, args->lines, &records);
    tail.skip = records > args->lines ? records - args->lines : 0;
    VD_TRY(vd_audit_read(&walk, &report, diag));
    fflush(stdout);
    return args->follow ? follow(&log, args, report.sequence, diag) : VD_OK;
}

struct head_search {
    bool wanted;
    bool found;
    uint8_t head[VD_AUDIT_HASH_SIZE];
};

static vd_status find_head(void *ctx, uint64_t segment, const struct vd_audit_frame *frame,
                           const struct vd_audit_record *record)
{
    struct head_search *s = ctx;

    s->found = s->found || vd_ct_equal(frame->hash, s->head, sizeof(s->head));
    return VD_OK;
}

/*
 * A writer that is at work may be in the middle of a write: what looks torn is
 * read again while somebody holds the log.
 */
static vd_status verify_settled(struct log *log, struct head_search *search,
                                struct vd_audit_report *report, struct vd_diag *diag)
{
    struct vd_audit_walk walk = {
        .store = &log->store, .hash = &log->hash, .visit = find_head, .ctx = search};
    vd_status status;

    for (int i = 0;; i++) {
        *diag = (struct vd_diag){};
        status = vd_audit_verify(&walk, report, diag);
        if (status != VD_E_DIFFERS || report->state != VD_AUDIT_STATE_TORN || i == RETRIES ||
            !vd_audit_store_busy(&log->store))
            return status;
        poll(NULL, 0, RETRY_MS);
        VD_TRY(vd_audit_store_scan(&log->store, diag));
    }
}

static const char *state_name(enum vd_audit_state state)
{
    switch (state) {
    case VD_AUDIT_STATE_CLOSED:
        return "closed";
    case VD_AUDIT_STATE_OPEN:
        return "open";
    default:
        return "torn";
    }
}

static vd_status print_report(const struct vd_audit_report *r, bool json, bool good,
                              struct vd_diag *diag)
{
    char head[2 * VD_AUDIT_HASH_SIZE + 1];
    json_t *value;

    vd_hex_encode(r->head, sizeof(r->head), head);
    if (json) {
        value = json_pack("{s:b, s:I, s:I, s:s, s:s, s:I, s:I}", "verified", good, "segments",
                          (json_int_t)r->segments, "records", (json_int_t)r->records, "newest",
                          state_name(r->state), "head", head, "torn_segments", (json_int_t)r->torn,
                          "torn_bytes", (json_int_t)r->torn_bytes);
        if (value != NULL && !good) {
            json_object_set_new(value, "segment", json_integer((json_int_t)r->segment));
            json_object_set_new(value, "record", json_integer((json_int_t)r->sequence));
            json_object_set_new(value, "offset", json_integer((json_int_t)r->offset));
            json_object_set_new(value, "reason", json_string(diag->text));
        }
        return vd_json_print(value, NULL);
    }
    if (!good) {
        printf("does not verify: segment %llu, record %llu, offset %llu\n",
               (unsigned long long)r->segment, (unsigned long long)r->sequence,
               (unsigned long long)r->offset);
        return VD_OK;
    }
    printf("verified: %u segments, %llu records, newest segment %s\n", r->segments,
           (unsigned long long)r->records, state_name(r->state));
    if (r->torn != 0)
        printf("torn: %u segments end within a record that was never acknowledged (%llu bytes)\n",
               r->torn, (unsigned long long)r->torn_bytes);
    printf("head: %s\n", head);
    return VD_OK;
}

vd_status vd_audit_verify_log(const struct vd_audit_verify_args *args, struct vd_diag *diag)
{
    struct log log VD_AUTO(log_done) = {.store.fd = -1};
    struct head_search search = {.wanted = args->expect_head != NULL};
    struct vd_audit_report report;
    vd_status status;

    if (search.wanted &&
        vd_hex_decode(args->expect_head, search.head, sizeof(search.head), NULL) != VD_OK)
        return vd_diag_fail(diag, VD_E_USAGE, "--expect-head needs 64 hexadecimal digits");
    VD_TRY(log_open(&log, args->log, diag));
    status = verify_settled(&log, &search, &report, diag);
    if (status == VD_OK && search.wanted && !search.found &&
        !vd_ct_equal(report.head, search.head, sizeof(search.head)))
        status = vd_diag_fail(diag, VD_E_DIFFERS,
                              "the log verifies but does not contain the expected head: "
                              "its end was cut off, or it is another log");
    if (status == VD_OK || status == VD_E_DIFFERS)
        VD_TRY(print_report(&report, args->json, status == VD_OK, diag));
    return status;
}

struct search {
    const struct vd_audit_search_args *args;
    uint32_t type;
    uint64_t found;
};

static bool contains(const struct vd_audit_text *text, const char *part)
{
    return part == NULL ||
           (text->data != NULL && memmem(text->data, text->size, part, strlen(part)) != NULL);
}

static bool equals(const struct vd_audit_text *text, const char *whole)
{
    return whole == NULL ||
           (text->data != NULL && text->size == strlen(whole) && contains(text, whole));
}

static bool is_number(bool present, uint32_t value, const char *wanted)
{
    return wanted == NULL || (present && value == strtoul(wanted, NULL, 10));
}

static bool fits(const struct search *s, const struct vd_audit_record *r)
{
    const struct vd_audit_search_args *a = s->args;
    bool pid = vd_audit_has(r, VD_AUDIT_TAG_PID);

    return (s->type == 0 || r->type == s->type) &&
           (a->verdict == NULL ||
            (vd_audit_has(r, VD_AUDIT_TAG_VERDICT) &&
             (r->verdict == VD_EVENT_ALLOWED) == (strcmp(a->verdict, "allowed") == 0))) &&
           (is_number(pid, r->pid, a->pid) || is_number(pid, r->tgid, a->pid)) &&
           is_number(vd_audit_has(r, VD_AUDIT_TAG_UID), r->uid, a->uid) &&
           equals(&r->comm, a->comm) && equals(&r->class_name, a->class) &&
           contains(&r->path, a->path) && contains(&r->subject_context, a->subject) &&
           contains(&r->object_context, a->object);
}

static vd_status search_record(void *ctx, uint64_t segment, const struct vd_audit_frame *frame,
                               const struct vd_audit_record *record)
{
    struct search *s = ctx;

    if (record == NULL || !fits(s, record))
        return VD_OK;
    s->found++;
    return show(s->args->json, segment, frame, record);
}

static bool decimal(const char *text)
{
    return text == NULL ||
           (*text != '\0' && strlen(text) <= 10 && strspn(text, "0123456789") == strlen(text));
}

vd_status vd_audit_search(const struct vd_audit_search_args *args, uint64_t *ret_found,
                          struct vd_diag *diag)
{
    struct log log VD_AUTO(log_done) = {.store.fd = -1};
    struct search search = {.args = args};
    struct vd_audit_walk walk = {
        .store = &log.store, .hash = &log.hash, .visit = search_record, .ctx = &search};
    struct vd_audit_report report;

    if (args->type != NULL && (search.type = vd_audit_type_find(args->type)) == 0)
        return vd_diagf(diag, VD_E_USAGE, "\"%s\" is no type of event", args->type);
    if (args->verdict != NULL && strcmp(args->verdict, "allowed") != 0 &&
        strcmp(args->verdict, "denied") != 0)
        return vd_diagf(diag, VD_E_USAGE, "--verdict is allowed or denied, not \"%s\"",
                        args->verdict);
    if (!decimal(args->pid) || !decimal(args->uid))
        return vd_diag_fail(diag, VD_E_USAGE, "--pid and --uid need decimal numbers");
    VD_TRY(log_open(&log, args->log, diag));
    VD_TRY(vd_audit_read(&walk, &report, diag));
    *ret_found = search.found;
    return VD_OK;
}
