/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The writers' side of the memory: taking room, publishing, waiting.
 *
 * Why an acknowledged record cannot be missed: after publishing, a writer looks
 * whether the daemon still reads the ring; the daemon says that it does not
 * before it looks for the last time. With a full fence between the two steps on
 * both sides, at least one of them sees what the other wrote.
 */
#define _GNU_SOURCE
#include "lib/auditring/internal.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/abi/audit_ipc.h"
#include "core/audit/record.h"
#include "core/base/mem.h"
#include "lib/sys.h"

#define WAIT_NS 10'000'000u /* after which a waiter looks whether the daemon still runs */

static bool usable(const struct vd_auditring_head *mem)
{
    return vd_auditring_alive(mem) &&
           __atomic_load_n(&mem->state, __ATOMIC_ACQUIRE) != VD_AUDITRING_CLOSED;
}

/* Takes `need` slots; false: no room. */
static bool take(struct vd_auditring *ring, uint32_t need, uint64_t *ret_position)
{
    struct vd_auditring_head *mem = ring->mem;

    for (;;) {
        /* In this order `tail` is never ahead of `position`. */
        uint64_t tail = __atomic_load_n(&mem->tail, __ATOMIC_ACQUIRE);
        uint64_t position = __atomic_load_n(&mem->head, __ATOMIC_RELAXED);
        if (position + need - tail > ring->slots)
            return false;
        if (__atomic_compare_exchange_n(&mem->head, &position, position + need, true,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
            *ret_position = position;
            return true;
        }
    }
}

static void publish(struct vd_auditring *ring, uint64_t position, const void *record, uint32_t size)
{
    uint32_t slot = (uint32_t)position & (ring->slots - 1);
    uint8_t *data = vd_auditring_data(ring->mem, ring->slots);
    size_t left = (size_t)(ring->slots - slot) * VD_AUDITRING_SLOT_BYTES;
    size_t part = size < left ? size : left;

    vd_copy(data + (size_t)slot * VD_AUDITRING_SLOT_BYTES, record, part);
    vd_copy(data, (const uint8_t *)record + part, size - part);
    __atomic_store_n(&vd_auditring_words(ring->mem)[slot], vd_auditring_word(position, size),
                     __ATOMIC_RELEASE);
}

/* Wakes the daemon if it would not look soon enough by itself. */
static void wake_if_needed(struct vd_auditring *ring)
{
    struct vd_auditring_head *mem = ring->mem;
    uint32_t state = __atomic_load_n(&mem->state, __ATOMIC_RELAXED);
    uint64_t used;

    if (state != VD_AUDITRING_ASLEEP && state != VD_AUDITRING_DOZING)
        return;
    used = __atomic_load_n(&mem->head, __ATOMIC_RELAXED) -
           __atomic_load_n(&mem->tail, __ATOMIC_RELAXED);
    if (state == VD_AUDITRING_DOZING && used < ring->slots / 2)
        return;
    /* One of many writers sends it. */
    if (__atomic_compare_exchange_n(&mem->state, &state, VD_AUDITRING_AWAKE, false,
                                    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        vd_auditring_wake(ring);
}

/* Waits until the daemon has released something since `seen`, for a moment at most. */
static vd_status wait_released(struct vd_auditring *ring, uint32_t seen, uint64_t deadline_ns)
{
    struct vd_auditring_head *mem = ring->mem;
    uint64_t now = vd_sys_monotonic_ns();
    struct timespec wait = {.tv_nsec = WAIT_NS};

    if (deadline_ns == VD_IPC_NO_WAIT)
        return VD_E_BUSY;
    if (now >= deadline_ns)
        return VD_E_TIMEOUT;
    if (deadline_ns - now < WAIT_NS)
        wait.tv_nsec = (long)(deadline_ns - now);
    __atomic_fetch_add(&mem->waiters, 1, __ATOMIC_SEQ_CST);
    (void)syscall(SYS_futex, &mem->released, FUTEX_WAIT, seen, &wait, NULL, 0);
    __atomic_fetch_sub(&mem->waiters, 1, __ATOMIC_SEQ_CST);
    return VD_OK;
}

static vd_status wait_room(struct vd_auditring *ring, uint32_t need, uint64_t *ret_position,
                           uint64_t deadline_ns)
{
    for (;;) {
        uint32_t seen = __atomic_load_n(&ring->mem->released, __ATOMIC_ACQUIRE);
        if (!usable(ring->mem))
            VD_TRY(vd_auditring_recover(ring, NULL));
        if (take(ring, need, ret_position))
            return VD_OK;
        wake_if_needed(ring);
        VD_TRY(wait_released(ring, seen, deadline_ns));
    }
}

vd_status vd_auditring_put(struct vd_auditring *ring, const void *record, size_t size,
                           uint64_t deadline_ns)
{
    uint64_t position;
    uint32_t need;

    if (size < VD_AUDIT_RECORD_MIN_BYTES || size > VD_AUDIT_IPC_RECORD_MAX)
        return VD_E_RANGE;
    need = vd_auditring_need((uint32_t)size);
    if (!usable(ring->mem) || !take(ring, need, &position))
        VD_TRY(wait_room(ring, need, &position, deadline_ns));
    publish(ring, position, record, (uint32_t)size);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!usable(ring->mem))
        return vd_auditring_recover(ring, NULL);
    wake_if_needed(ring);
    return VD_OK;
}

static vd_status flush(struct vd_auditring *ring, uint64_t deadline_ns, struct vd_diag *diag)
{
    struct vd_auditring_head *mem = ring->mem;
    uint64_t end = __atomic_load_n(&mem->head, __ATOMIC_ACQUIRE);

    for (;;) {
        uint32_t seen = __atomic_load_n(&mem->released, __ATOMIC_ACQUIRE);
        if (!usable(mem))
            VD_TRY(vd_auditring_recover(ring, diag));
        if (__atomic_load_n(&mem->tail, __ATOMIC_ACQUIRE) >= end)
            return VD_OK;
        vd_auditring_wake(ring);
        VD_TRY(wait_released(ring, seen, deadline_ns));
    }
}

vd_status vd_auditring_flush(struct vd_auditring *ring, uint64_t deadline_ns, struct vd_diag *diag)
{
    vd_status status = flush(ring, deadline_ns, diag);

    if (status == VD_OK)
        return VD_OK;
    return vd_diag_fail(diag, status, "the audit daemon has not brought all records to the disk");
}

vd_status vd_auditring_tend(struct vd_auditring *ring, struct vd_diag *diag)
{
    return usable(ring->mem) ? VD_OK : vd_auditring_recover(ring, diag);
}
