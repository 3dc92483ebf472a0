/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The log's cost for each record: encoding, framing and hashing in memory
 * (peer: plain SHA-256 of as many bytes by EVP), and the same with write and
 * fdatasync by batches of 1024 (peer: write and fdatasync of as many bytes).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/bench.h"
#include "services/audit/log.h"
#include "services/audit/sys.h"

#define BATCH      1024u
#define ROOM_BYTES (1u << 20)

#define TEXT(s) ((struct vd_audit_text){s, sizeof(s) - 1})

static uint8_t room[ROOM_BYTES];
static struct vd_hasher hasher;
static struct vd_audit_hash hash;
static struct vd_audit_record record;
static struct vd_audit_log *log_writer;
static size_t frame_bytes;
static int peer_fd;

/* An ordinary denied open, with names. */
static void make_record(void)
{
    record.type = VD_EVENT_TYPE_FILE;
    VD_AUDIT_SET(&record, REALTIME, realtime_ns, 1);
    VD_AUDIT_SET(&record, BOOTTIME, boottime_ns, 1);
    VD_AUDIT_SET(&record, EVENT_SEQUENCE, event_sequence, 1);
    VD_AUDIT_SET(&record, PID, pid, 1234);
    VD_AUDIT_SET(&record, TGID, tgid, 1234);
    VD_AUDIT_SET(&record, UID, uid, 1000);
    VD_AUDIT_SET(&record, GID, gid, 1000);
    VD_AUDIT_SET(&record, COMM, comm, TEXT("cat"));
    VD_AUDIT_SET(&record, SUBJECT_CONTEXT, subject_context, TEXT("user_u:user_r:user_t:s0"));
    VD_AUDIT_SET(&record, OBJECT_KIND, object_kind, TEXT("file"));
    VD_AUDIT_SET(&record, PATH, path, TEXT("/etc/shadow"));
    VD_AUDIT_SET(&record, INODE, inode, 131077);
    VD_AUDIT_SET(&record, DEVICE, device, 0xfd00001);
    VD_AUDIT_SET(&record, OBJECT_CONTEXT, object_context, TEXT("system_u:object_r:shadow_t:s0"));
    VD_AUDIT_SET(&record, HOOK, hook, VD_EVENT_FILE_OPEN);
    VD_AUDIT_SET(&record, CLASS, class_number, 6);
    VD_AUDIT_SET(&record, CLASS_NAME, class_name, TEXT("file"));
    VD_AUDIT_SET(&record, REQUESTED, requested, 3);
    VD_AUDIT_SET(&record, REQUESTED_NAMES, requested_names, TEXT("read open"));
    VD_AUDIT_SET(&record, DENIED, denied, 1);
    VD_AUDIT_SET(&record, DENIED_NAMES, denied_names, TEXT("read"));
    VD_AUDIT_SET(&record, VERDICT, verdict, VD_EVENT_DENIED);
    VD_AUDIT_SET(&record, ERROR, error, -13);
    VD_AUDIT_SET(&record, POLICY_SEQNO, policy_seqno, 1);
}

static void check(vd_status status)
{
    if (status != VD_OK)
        abort();
}

static void encode_one(struct vd_writer *w, uint64_t sequence)
{
    uint8_t payload[1024];
    struct vd_audit_frame frame = {
        .kind = VD_AUDIT_FRAME_RECORD, .sequence = sequence, .payload = payload};
    struct vd_writer p;

    vd_writer_init(&p, payload, sizeof(payload));
    check(vd_audit_record_encode(&record, &p));
    frame.payload_size = (uint32_t)p.len;
    check(vd_audit_frame_encode(w, &hash, &frame));
}

static void run_memory(void *ctx, uint64_t ops)
{
    struct vd_writer w;

    (void)ctx;
    for (uint64_t i = 0; i < ops; i++) {
        vd_writer_init(&w, room, sizeof(room));
        vd_write_zero(&w, VD_AUDIT_HASH_SIZE);
        encode_one(&w, i);
    }
    VD_BENCH_KEEP(room[0]);
}

/* What the frame's hash covers, hashed the ordinary way with a kept context. */
static void run_evp(void *ctx, uint64_t ops)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();

    (void)ctx;
    for (uint64_t i = 0; i < ops; i++) {
        if (EVP_DigestInit_ex(md, i == 0 ? EVP_sha256() : NULL, NULL) != 1 ||
            EVP_DigestUpdate(md, room, frame_bytes) != 1 ||
            EVP_DigestFinal_ex(md, room + frame_bytes, NULL) != 1)
            abort();
    }
    EVP_MD_CTX_free(md);
    VD_BENCH_KEEP(room[0]);
}

static void run_disk(void *ctx, uint64_t ops)
{
    (void)ctx;
    for (uint64_t i = 0; i < ops; i++) {
        for (uint32_t n = 0; n < BATCH; n++)
            check(vd_audit_log_append(log_writer, &record, NULL, NULL));
        check(vd_audit_log_sync(log_writer, NULL));
    }
}

static void run_disk_peer(void *ctx, uint64_t ops)
{
    (void)ctx;
    for (uint64_t i = 0; i < ops; i++) {
        size_t size = BATCH * frame_bytes;
        if (write(peer_fd, room, size) != (ssize_t)size || fdatasync(peer_fd) != 0)
            abort();
    }
}

static void bench_disk(const char *dir)
{
    char path[128];
    struct vd_bench b = {.name = "audit.append.disk",
                         .unit = "ns/1024 records",
                         .run = run_disk,
                         .peer_name = "write+fdatasync of as many bytes",
                         .peer_run = run_disk_peer};

    snprintf(path, sizeof(path), "%s/peer", dir);
    peer_fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    snprintf(path, sizeof(path), "%s/log", dir);
    check(vd_audit_log_open(&log_writer, path, 0, &hash, NULL));
    vd_bench_run(&b);
    check(vd_audit_log_close(log_writer, NULL));
    vd_audit_log_free(log_writer);
    close(peer_fd);
}

int main(void)
{
    char dir[] = "/var/tmp/veridian-bench-XXXXXX", command[64];
    struct vd_bench memory = {.name = "audit.append.memory",
                              .unit = "ns/op",
                              .run = run_memory,
                              .peer_name = "EVP SHA-256 of as many bytes",
                              .peer_run = run_evp};
    struct vd_writer w;

    hash = vd_audit_sha256(&hasher);
    make_record();
    vd_writer_init(&w, room, sizeof(room));
    vd_write_zero(&w, VD_AUDIT_HASH_SIZE);
    encode_one(&w, 0);
    frame_bytes = w.len - VD_AUDIT_HASH_SIZE;
    vd_bench_run(&memory);
    if (mkdtemp(dir) == NULL)
        return 1;
    bench_disk(dir);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    return system(command) == 0 ? 0 : 1;
}
