/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "services/audit/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "lib/file.h"
#include "services/audit/store.h"
#include "services/audit/sys.h"

#define QUEUE_BYTES (256u << 10)
#define NEW_NAME    "segment.new"

/*
 * `queue` begins with the last 32 bytes that are in the file already (a hash),
 * which the next frame's hash covers; `writer` appends after them.
 */
struct vd_audit_log {
    struct vd_audit_store store;
    struct vd_audit_hash hash;
    uint64_t segment_bytes;
    uint8_t boot_id[VD_AUDIT_BOOT_ID_SIZE]; /* read once: later a sandbox may hide it */
    struct vd_audit_segment header;         /* of the current segment */
    int fd;
    uint64_t size;     /* bytes of the current segment written */
    uint64_t records;  /* record frames of it, queued ones too */
    uint64_t sequence; /* next frame's */
    uint64_t kept;     /* next frame's as of the last sync */
    vd_status failed;  /* VD_OK while all is well */
    bool closed;
    struct vd_audit_found found;
    struct vd_writer writer;
    uint8_t payload[VD_AUDIT_RECORD_MAX_BYTES];
    uint8_t queue[QUEUE_BYTES];
};

static vd_status fail(struct vd_audit_log *log, struct vd_diag *diag, int error, const char *what)
{
    char name[VD_AUDIT_NAME_SIZE];

    vd_audit_store_name(log->header.number, name);
    log->failed = vd_audit_errno(diag, error, what, name);
    return log->failed;
}

static vd_status usable(const struct vd_audit_log *log, struct vd_diag *diag)
{
    if (log->failed != VD_OK)
        return vd_diag_fail(diag, log->failed, "the log failed before and takes no more records");
    if (log->closed)
        return vd_diag_fail(diag, VD_E_BUG, "the log is closed");
    return VD_OK;
}

/* Starts the queue anew after its last hash. */
static void queue_reset(struct vd_audit_log *log, const uint8_t *head)
{
    uint8_t copy[VD_AUDIT_HASH_SIZE];

    vd_copy(copy, head, sizeof(copy));
    vd_writer_init(&log->writer, log->queue, sizeof(log->queue));
    vd_write_bytes(&log->writer, copy, sizeof(copy));
}

static vd_status flush(struct vd_audit_log *log, struct vd_diag *diag)
{
    size_t size = log->writer.len - VD_AUDIT_HASH_SIZE;

    if (vd_fd_write(log->fd, log->queue + VD_AUDIT_HASH_SIZE, size) != VD_OK)
        return fail(log, diag, errno, "cannot write to the log");
    log->size += size;
    queue_reset(log, vd_audit_log_head(log));
    return VD_OK;
}

/*
 * Makes the segment's file under another name and renames it when its header is
 * on the disk: a segment that has a name has a whole header.
 */
static vd_status start_segment(struct vd_audit_log *log, struct vd_audit_segment *header,
                               struct vd_diag *diag)
{
    char name[VD_AUDIT_NAME_SIZE];
    uint8_t bytes[VD_AUDIT_HEADER_SIZE];
    int dir = log->store.fd;

    header->created_ns = vd_audit_realtime_ns();
    vd_copy(header->boot_id, log->boot_id, sizeof(log->boot_id));
    VD_TRY(vd_audit_segment_encode(header, &log->hash, bytes));
    log->header = *header;
    vd_audit_store_name(header->number, name);
    if (unlinkat(dir, NEW_NAME, 0) != 0 && errno != ENOENT)
        return fail(log, diag, errno, "cannot remove an unfinished segment");
    log->fd = openat(dir, NEW_NAME, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC,
                     0600);
    if (log->fd < 0)
        return fail(log, diag, errno, "cannot make a segment");
    if (vd_fd_write(log->fd, bytes, sizeof(bytes)) != VD_OK || fsync(log->fd) != 0 ||
        renameat2(dir, NEW_NAME, dir, name, RENAME_NOREPLACE) != 0 || fsync(dir) != 0)
        return fail(log, diag, errno, "cannot start a segment");
    log->size = sizeof(bytes);
    log->records = 0;
    queue_reset(log, header->hash);
    return VD_OK;
}

/* Ends the current segment and starts the next one. */
static vd_status rotate(struct vd_audit_log *log, struct vd_diag *diag)
{
    struct vd_audit_segment next = {.number = log->header.number + 1,
                                    .previous = VD_AUDIT_PREVIOUS_CLOSED};

    VD_TRY(vd_audit_log_close(log, diag));
    log->closed = false;
    next.first_sequence = log->sequence;
    next.previous_size = log->size;
    vd_copy(next.previous_hash, vd_audit_log_head(log), VD_AUDIT_HASH_SIZE);
    close(log->fd);
    log->fd = -1;
    return start_segment(log, &next, diag);
}

/*
 * Walks the newest segment. What does not verify is kept as it is; the new
 * segment says where the valid part ends.
 */
static vd_status examine(const struct vd_audit_log *log, uint64_t number,
                         struct vd_audit_segment *next, struct vd_audit_found *found)
{
    struct vd_audit_cursor cursor = {};
    enum vd_audit_state state = VD_AUDIT_STATE_FRAME;
    struct vd_audit_frame frame;
    uint8_t *data = NULL;
    size_t size = 0;
    vd_status status = vd_audit_store_load(&log->store, number, &data, &size, NULL);

    if (status != VD_OK && vd_status_class(status) != VD_CLASS_INPUT)
        return status;
    if (status == VD_OK)
        status = vd_audit_cursor_init(&cursor, data, size, &log->hash, NULL);
    while (status == VD_OK && state == VD_AUDIT_STATE_FRAME)
        status = vd_audit_segment_next(&cursor, &state, &frame, NULL);
    next->previous = status != VD_OK                  ? VD_AUDIT_PREVIOUS_DAMAGED
                     : state == VD_AUDIT_STATE_CLOSED ? VD_AUDIT_PREVIOUS_CLOSED
                     : state == VD_AUDIT_STATE_OPEN   ? VD_AUDIT_PREVIOUS_OPEN
                                                      : VD_AUDIT_PREVIOUS_TORN;
    next->previous_size = cursor.offset;
    next->first_sequence = cursor.sequence;
    if (cursor.offset != 0)
        vd_copy(next->previous_hash, vd_audit_cursor_head(&cursor), VD_AUDIT_HASH_SIZE);
    found->left_bytes = size - cursor.offset;
    free(data);
    return VD_OK;
}

static vd_status begin(struct vd_audit_log *log, struct vd_audit_found *found, struct vd_diag *diag)
{
    struct vd_audit_segment next = {.number = 1};

    if (log->store.count != 0) {
        found->segment = log->store.numbers[log->store.count - 1];
        next.number = found->segment + 1;
        VD_TRY(examine(log, found->segment, &next, found));
    }
    /* A newest segment without a readable header: the numbers go on after an older one. */
    for (uint32_t i = 1; i < log->store.count && next.previous_size == 0; i++) {
        struct vd_audit_segment older = {};
        struct vd_audit_found ignored = {};
        VD_TRY(examine(log, log->store.numbers[log->store.count - 1 - i], &older, &ignored));
        next.first_sequence = older.first_sequence;
        if (older.previous_size != 0)
            break;
    }
    found->previous = next.previous;
    found->valid_bytes = next.previous_size;
    found->next_sequence = next.first_sequence;
    log->sequence = log->kept = next.first_sequence;
    return start_segment(log, &next, diag);
}

vd_status vd_audit_log_open(struct vd_audit_log **ret, const char *dir, uint64_t segment_bytes,
                            const struct vd_audit_hash *hash, struct vd_diag *diag)
{
    struct vd_audit_log *log;
    vd_status status;

    if (segment_bytes > VD_AUDIT_SEGMENT_MAX_BYTES - 2 * QUEUE_BYTES)
        return vd_diag_fail(diag, VD_E_RANGE, "a segment may have at most 255 MiB");
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return vd_audit_errno(diag, errno, "cannot make the log's directory", dir);
    log = calloc(1, sizeof(*log));
    if (log == NULL)
        return vd_audit_errno(diag, ENOMEM, "cannot open the log", dir);
    log->fd = log->store.fd = -1;
    log->hash = *hash;
    vd_audit_boot_id(log->boot_id);
    log->segment_bytes = segment_bytes == 0 ? VD_AUDIT_LOG_SEGMENT_BYTES : segment_bytes;
    status = vd_audit_store_open(&log->store, dir, diag);
    if (status == VD_OK && flock(log->store.fd, LOCK_EX | LOCK_NB) != 0)
        status = vd_diag_fail(diag, VD_E_BUSY, "another process writes to this log");
    /* What was listed before the lock may be stale. */
    if (status == VD_OK)
        status = vd_audit_store_scan(&log->store, diag);
    if (status == VD_OK)
        status = begin(log, &log->found, diag);
    if (status != VD_OK) {
        vd_audit_log_free(log);
        return status;
    }
    *ret = log;
    return VD_OK;
}

vd_status vd_audit_log_append(struct vd_audit_log *log, const struct vd_audit_record *record,
                              uint64_t *ret_sequence, struct vd_diag *diag)
{
    struct vd_audit_frame frame;
    struct vd_writer payload;
    vd_status status;

    VD_TRY(usable(log, diag));
    vd_writer_init(&payload, log->payload, sizeof(log->payload));
    status = vd_audit_record_encode(record, &payload);
    if (status != VD_OK)
        return vd_diag_fail(diag, status, "a record does not fit the log's format");
    if (log->size + log->writer.len + payload.len + VD_AUDIT_FRAME_EXTRA_SIZE >
            log->segment_bytes &&
        log->records != 0)
        VD_TRY(rotate(log, diag));
    if (log->writer.len + payload.len + VD_AUDIT_FRAME_EXTRA_SIZE > sizeof(log->queue))
        VD_TRY(flush(log, diag));
    frame = (struct vd_audit_frame){.kind = VD_AUDIT_FRAME_RECORD,
                                    .sequence = log->sequence,
                                    .payload = log->payload,
                                    .payload_size = (uint32_t)payload.len};
    status = vd_audit_frame_encode(&log->writer, &log->hash, &frame);
    if (status != VD_OK)
        return vd_diag_fail(diag, status, "a record cannot be hashed");
    if (ret_sequence != NULL)
        *ret_sequence = log->sequence;
    log->sequence++;
    log->records++;
    return VD_OK;
}

vd_status vd_audit_log_sync(struct vd_audit_log *log, struct vd_diag *diag)
{
    VD_TRY(usable(log, diag));
    if (log->kept == log->sequence)
        return VD_OK;
    VD_TRY(flush(log, diag));
    if (fdatasync(log->fd) != 0)
        return fail(log, diag, errno, "cannot bring the log to the disk");
    log->kept = log->sequence;
    return VD_OK;
}

uint64_t vd_audit_log_kept(const struct vd_audit_log *log)
{
    return log->kept;
}

const struct vd_audit_found *vd_audit_log_found(const struct vd_audit_log *log)
{
    return &log->found;
}

uint64_t vd_audit_log_segment(const struct vd_audit_log *log)
{
    return log->header.number;
}

const uint8_t *vd_audit_log_head(const struct vd_audit_log *log)
{
    return log->queue + log->writer.len - VD_AUDIT_HASH_SIZE;
}

vd_status vd_audit_log_close(struct vd_audit_log *log, struct vd_diag *diag)
{
    vd_status status;

    VD_TRY(vd_audit_log_sync(log, diag));
    status = vd_audit_end_encode(&log->writer, &log->hash, log->sequence, vd_audit_realtime_ns(),
                                 log->records);
    if (status != VD_OK)
        return vd_diag_fail(diag, status, "the end record cannot be hashed");
    log->sequence++;
    VD_TRY(vd_audit_log_sync(log, diag));
    log->closed = true;
    return VD_OK;
}

void vd_audit_log_free(struct vd_audit_log *log)
{
    if (log == NULL)
        return;
    if (log->fd >= 0)
        close(log->fd);
    vd_audit_store_done(&log->store);
    free(log);
}

int vd_audit_log_dir(const struct vd_audit_log *log)
{
    return log->store.fd;
}
