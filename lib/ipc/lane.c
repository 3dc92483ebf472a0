/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "lib/ipc/lane.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "lib/file.h"
#include "lib/sys.h"

#define MAGIC     0x4c504956u /* "VIPL" */
#define SEALS     (F_SEAL_SHRINK | F_SEAL_GROW)
#define NS_PER_MS 1'000'000u
#define NS_PER_S  1'000'000'000u
#define LOOK_MS   100u    /* how often a client that waits looks whether the server is there */
#define AWAKE_NS  20'000u /* one yields so long before it sleeps */
#define IDLE_NS   1'500u  /* a yield that took longer let somebody else run */
#define TAKEN     4u      /* so often: the processor is wanted by others */
#define BY_SOCKET 1u      /* lowest bit of a request's number */

/* A word that both sides wait on, and the frame that it announces. */
struct half {
    _Atomic uint32_t number;
    _Atomic uint32_t size;   /* of the frame */
    _Atomic uint32_t asleep; /* 1: who waits for `number` is to be woken */
    uint8_t pad[52];         /* a cache line each */
};

struct vd_ipc_lane_page {
    uint32_t magic;
    uint32_t version;
    uint8_t pad[56];
    struct half request;
    struct half answer;
    uint8_t request_bytes[VD_IPC_LANE_FRAME_MAX];
    uint8_t answer_bytes[VD_IPC_LANE_FRAME_MAX];
};

_Static_assert(offsetof(struct vd_ipc_lane_page, answer) == 128, "shared between processes");
_Static_assert(sizeof(_Atomic uint32_t) == 4, "the kernel's futex");

/* After `number` was set: a system call only if the other side sleeps. */
static void wake(struct half *half)
{
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&half->asleep, memory_order_relaxed) != 0)
        syscall(SYS_futex, &half->number, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/*
 * Waits while the number is `seen`, at most `ns`. Other threads have the processor first: often
 * the answer is there when it comes back, and neither side has slept. Waking a sleeper on another
 * processor costs more than most requests. Where others run at every yield, a few are all.
 */
static void sleep_on(struct half *half, uint32_t seen, uint64_t ns)
{
    struct timespec time = {.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
    uint64_t before, now = vd_sys_monotonic_ns(), idle = 0;
    uint32_t taken = 0;

    while (idle < AWAKE_NS && taken < TAKEN) {
        sched_yield();
        if (atomic_load_explicit(&half->number, memory_order_acquire) != seen)
            return;
        before = now;
        now = vd_sys_monotonic_ns();
        if (now - before > IDLE_NS)
            taken++;
        else
            idle += now - before;
    }
    atomic_store_explicit(&half->asleep, 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&half->number, memory_order_relaxed) == seen)
        syscall(SYS_futex, &half->number, FUTEX_WAIT, seen, &time, NULL, 0);
    atomic_store_explicit(&half->asleep, 0, memory_order_relaxed);
}

static vd_status map(int fd, struct vd_ipc_lane *lane, struct vd_diag *diag)
{
    void *page = mmap(NULL, sizeof(*lane->page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (page == MAP_FAILED)
        return vd_sys_errno(diag, errno, "cannot map a lane", NULL);
    /* A child of the client would write into its parent's requests. */
    if (madvise(page, sizeof(*lane->page), MADV_DONTFORK) != 0 ||
        madvise(page, sizeof(*lane->page), MADV_DONTDUMP) != 0) {
        munmap(page, sizeof(*lane->page));
        return vd_sys_errno(diag, errno, "cannot protect a lane", NULL);
    }
    *lane = (struct vd_ipc_lane){.page = page};
    return VD_OK;
}

vd_status vd_ipc_lane_new(struct vd_ipc_lane *lane, int *ret_fd, struct vd_diag *diag)
{
    int fd VD_AUTO(vd_fd_close) = memfd_create("veridian-lane", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0 || ftruncate(fd, sizeof(*lane->page)) != 0 ||
        fcntl(fd, F_ADD_SEALS, SEALS | F_SEAL_SEAL) != 0)
        return vd_sys_errno(diag, errno, "cannot make a lane", NULL);
    VD_TRY(map(fd, lane, diag));
    lane->page->magic = MAGIC;
    lane->page->version = VD_IPC_VERSION;
    *ret_fd = fd;
    fd = -1;
    return VD_OK;
}

vd_status vd_ipc_lane_map(int fd, struct vd_ipc_lane *lane, struct vd_diag *diag)
{
    int seals = fcntl(fd, F_GET_SEALS);
    struct stat st;

    if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &st) != 0 ||
        st.st_size != (off_t)sizeof(*lane->page))
        return vd_diag_fail(diag, VD_E_INVALID, "the server gave no sealed lane");
    VD_TRY(map(fd, lane, diag));
    if (lane->page->magic == MAGIC && lane->page->version == VD_IPC_VERSION)
        return VD_OK;
    vd_ipc_lane_done(lane);
    return vd_diag_fail(diag, VD_E_INVALID, "the server's lane is of another kind");
}

void vd_ipc_lane_done(struct vd_ipc_lane *lane)
{
    if (lane->page != NULL)
        munmap(lane->page, sizeof(*lane->page));
    *lane = (struct vd_ipc_lane){};
}

bool vd_ipc_lane_fits(const struct vd_ipc_frame *frame)
{
    return frame->fd < 0 && frame->size <= VD_IPC_LANE_FRAME_MAX - VD_IPC_HEADER_SIZE;
}

vd_status vd_ipc_lane_wait(struct vd_ipc_lane *lane, uint32_t timeout_ms, bool *ret_socket,
                           struct vd_diag *diag)
{
    uint64_t deadline_ns = vd_ipc_deadline(timeout_ms);

    for (;;) {
        struct half *half = &lane->page->request;
        uint32_t number = atomic_load_explicit(&half->number, memory_order_acquire);
        uint64_t now;
        if (number != lane->number) {
            lane->number = number;
            *ret_socket = (number & BY_SOCKET) != 0;
            return VD_OK;
        }
        now = vd_sys_monotonic_ns();
        if (now >= deadline_ns)
            return vd_diag_fail(diag, VD_E_TIMEOUT, "the client asked for nothing");
        sleep_on(half, number, deadline_ns - now);
    }
}

static vd_status copy_out(const struct half *half, const uint8_t *bytes,
                          struct vd_ipc_buffer *buffer, struct vd_ipc_frame *ret,
                          struct vd_diag *diag)
{
    uint32_t size = atomic_load_explicit(&half->size, memory_order_relaxed);

    if (size > VD_IPC_LANE_FRAME_MAX)
        return vd_diag_fail(diag, VD_E_LIMIT, "a frame that is larger than its lane");
    vd_copy(buffer->bytes, bytes, size);
    VD_TRY(vd_ipc_frame_parse(buffer->bytes, size, ret, diag));
    if ((ret->flags & VD_IPC_DESCRIPTOR) != 0)
        return vd_diag_fail(diag, VD_E_INVALID, "a lane carries no descriptors");
    return VD_OK;
}

static vd_status copy_in(struct half *half, uint8_t *bytes, const struct vd_ipc_frame *frame,
                         struct vd_diag *diag)
{
    if (!vd_ipc_lane_fits(frame) || vd_ipc_frame_head(frame, bytes) != VD_OK)
        return vd_diag_fail(diag, VD_E_LIMIT, "the frame does not fit the lane");
    if (frame->size != 0)
        vd_copy(bytes + VD_IPC_HEADER_SIZE, frame->payload, frame->size);
    atomic_store_explicit(&half->size, (uint32_t)frame->size + VD_IPC_HEADER_SIZE,
                          memory_order_relaxed);
    return VD_OK;
}

vd_status vd_ipc_lane_take(const struct vd_ipc_lane *lane, struct vd_ipc_buffer *buffer,
                           struct vd_ipc_frame *ret, struct vd_diag *diag)
{
    return copy_out(&lane->page->request, lane->page->request_bytes, buffer, ret, diag);
}

vd_status vd_ipc_lane_answer(struct vd_ipc_lane *lane, const struct vd_ipc_frame *frame,
                             struct vd_diag *diag)
{
    struct vd_ipc_lane_page *page = lane->page;

    VD_TRY(copy_in(&page->answer, page->answer_bytes, frame, diag));
    atomic_store_explicit(&page->answer.number, lane->number, memory_order_release);
    wake(&page->answer);
    return VD_OK;
}

static void announce(struct vd_ipc_lane *lane, uint32_t by)
{
    lane->number = ((lane->number | BY_SOCKET) + 1) | by;
    atomic_store_explicit(&lane->page->request.number, lane->number, memory_order_release);
    wake(&lane->page->request);
}

void vd_ipc_lane_knock(struct vd_ipc_lane *lane)
{
    announce(lane, BY_SOCKET);
}

/* Is the server still there? What it says on the socket now belongs to no request of ours. */
static vd_status look(int fd, struct vd_diag *diag)
{
    struct pollfd socket = {.fd = fd, .events = POLLIN};

    if (poll(&socket, 1, 0) <= 0)
        return VD_OK;
    return vd_diag_fail(diag, VD_E_MISSING, "the other side closed the connection");
}

static vd_status await(struct vd_ipc_lane *lane, const struct vd_ipc_line *line,
                       struct vd_diag *diag)
{
    struct half *half = &lane->page->answer;

    for (;;) {
        uint32_t number = atomic_load_explicit(&half->number, memory_order_acquire);
        uint64_t now, left;
        if (number == lane->number)
            return VD_OK;
        now = vd_sys_monotonic_ns();
        if (now >= line->deadline_ns)
            return vd_diag_fail(diag, VD_E_TIMEOUT, "the other side took too long");
        left = line->deadline_ns - now;
        sleep_on(half, number, left < LOOK_MS * NS_PER_MS ? left : LOOK_MS * NS_PER_MS);
        if (vd_sys_monotonic_ns() - now >= LOOK_MS * NS_PER_MS)
            VD_TRY(look(line->fd, diag));
    }
}

vd_status vd_ipc_lane_exchange(struct vd_ipc_lane *lane, const struct vd_ipc_line *line,
                               const struct vd_ipc_frame *request, struct vd_ipc_frame *ret,
                               struct vd_diag *diag)
{
    struct vd_ipc_lane_page *page = lane->page;

    VD_TRY(copy_in(&page->request, page->request_bytes, request, diag));
    announce(lane, 0);
    VD_TRY(await(lane, line, diag));
    return copy_out(&page->answer, page->answer_bytes, line->buffer, ret, diag);
}

vd_status vd_ipc_lane_call(struct vd_ipc_lane *lane, const struct vd_ipc_line *line,
                           const struct vd_ipc_frame *request, struct vd_ipc_frame *ret,
                           struct vd_diag *diag)
{
    struct vd_ipc_frame answer = {};

    VD_TRY(vd_ipc_lane_exchange(lane, line, request, &answer, diag));
    VD_TRY(vd_ipc_frame_answers(&answer, request, diag));
    *ret = answer;
    return VD_OK;
}

static void wipe_half(struct half *half, uint8_t *bytes)
{
    uint32_t size = atomic_load_explicit(&half->size, memory_order_relaxed);

    vd_wipe(bytes, size < VD_IPC_LANE_FRAME_MAX ? size : VD_IPC_LANE_FRAME_MAX);
}

void vd_ipc_lane_wipe(struct vd_ipc_lane *lane)
{
    wipe_half(&lane->page->request, lane->page->request_bytes);
    wipe_half(&lane->page->answer, lane->page->answer_bytes);
}
