/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The shared memory through which a service hands records to the audit daemon
 * (docs/formats/audit-ring.md): a sealed memfd that the daemon made, of which the
 * service's threads are the writers and the daemon is the only reader.
 *
 * Layout: one page of counters (struct vd_auditring_head), one word for each
 * slot, the slots. A record (core/audit/record.h) lies in one or more slots one
 * after another, round the end if need be. Positions count slots from 0 and
 * never come back; position p is slot p modulo the number of slots.
 *
 * A writer takes room by moving `head` on, copies its record there, and then
 * publishes it: the word of the record's first slot becomes vd_auditring_word().
 * No older word equals it, so the reader sees which records are whole, whenever
 * and wherever a writer was killed.
 */
#ifndef VD_CORE_ABI_AUDITRING_H
#define VD_CORE_ABI_AUDITRING_H

#include "core/base/types.h"

#define VD_AUDITRING_MAGIC      0x52414456u /* "VDAR" */
#define VD_AUDITRING_VERSION    1u
#define VD_AUDITRING_SLOT_BYTES 64u
#define VD_AUDITRING_SLOTS      16384u /* of a ring that the daemon makes: 1 MiB */
#define VD_AUDITRING_SLOTS_MIN  1024u  /* what a reader takes: powers of two */
#define VD_AUDITRING_SLOTS_MAX  65536u
#define VD_AUDITRING_HEAD_BYTES 4096u
#define VD_AUDITRING_MAX_BYTES  vd_auditring_bytes(VD_AUDITRING_SLOTS_MAX)

/* What the reader does; a writer that finds ASLEEP, or DOZING and the ring half full, wakes it. */
enum vd_auditring_state {
    VD_AUDITRING_AWAKE,  /* it will look again before it sleeps */
    VD_AUDITRING_DOZING, /* it will look again within VD_AUDITRING_DOZE_MS */
    VD_AUDITRING_ASLEEP, /* it waits for VD_AUDIT_IPC_WAKE */
    VD_AUDITRING_CLOSED, /* it has given the ring up, for ever */
};

#define VD_AUDITRING_DOZE_MS 5u

/*
 * Both sides write here, so neither believes the other's numbers: the daemon
 * keeps its own positions and only checks that `head` is within a ring of them.
 *
 * `alive` is the daemon's thread number while it reads the ring, and the futex
 * of its robust list: when the daemon ends, however it ends, the kernel sets
 * VD_AUDITRING_DEAD in it (docs/adr/0007).
 */
struct vd_auditring_head {
    uint32_t magic;
    uint32_t version;
    uint32_t slots;
    uint32_t reserved;
    uint64_t id; /* random: names the ring in the log */
    uint8_t pad0[40];

    uint64_t head; /* first position that no writer has taken */
    uint8_t pad1[56];

    uint32_t alive;
    uint32_t state;    /* enum vd_auditring_state */
    uint64_t tail;     /* everything below it is on the disk, its room free */
    uint32_t released; /* futex: changes whenever `tail` does */
    uint8_t pad2[44];

    uint32_t waiters; /* of the futex */
    uint8_t pad3[60];
};

_Static_assert(sizeof(struct vd_auditring_head) == 256, "shared between processes");
_Static_assert(offsetof(struct vd_auditring_head, head) == 64, "a cache line of its own");
_Static_assert(offsetof(struct vd_auditring_head, alive) == 128, "a cache line of its own");
_Static_assert(offsetof(struct vd_auditring_head, waiters) == 192, "a cache line of its own");

#define VD_AUDITRING_DEAD 0x40000000u /* FUTEX_OWNER_DIED */
#define VD_AUDITRING_TID  0x3fffffffu /* FUTEX_TID_MASK */

/* Bytes of the memory of a ring with that many slots. */
VD_INLINE size_t vd_auditring_bytes(uint32_t slots)
{
    return VD_AUDITRING_HEAD_BYTES + (size_t)slots * (sizeof(uint64_t) + VD_AUDITRING_SLOT_BYTES);
}

VD_INLINE bool vd_auditring_slots_valid(uint32_t slots)
{
    return slots >= VD_AUDITRING_SLOTS_MIN && slots <= VD_AUDITRING_SLOTS_MAX &&
           (slots & (slots - 1)) == 0;
}

/* The slots' words. */
VD_INLINE uint64_t *vd_auditring_words(struct vd_auditring_head *ring)
{
    return (uint64_t *)(void *)((uint8_t *)ring + VD_AUDITRING_HEAD_BYTES);
}

/* The slots of a ring of `slots`. */
VD_INLINE uint8_t *vd_auditring_data(struct vd_auditring_head *ring, uint32_t slots)
{
    return (uint8_t *)(vd_auditring_words(ring) + slots);
}

/* Slots that a record of `size` bytes takes. */
VD_INLINE uint32_t vd_auditring_need(uint32_t size)
{
    return (size + VD_AUDITRING_SLOT_BYTES - 1) / VD_AUDITRING_SLOT_BYTES;
}

/* What the word of a record's first slot becomes: its position, one more, and its size. */
VD_INLINE uint64_t vd_auditring_word(uint64_t position, uint32_t size)
{
    return (position + 1) << 16 | size;
}

/* True while the daemon that reads the ring runs. */
VD_INLINE bool vd_auditring_alive(const struct vd_auditring_head *ring)
{
    uint32_t alive = __atomic_load_n(&ring->alive, __ATOMIC_ACQUIRE);

    return (alive & VD_AUDITRING_TID) != 0 && (alive & VD_AUDITRING_DEAD) == 0;
}

#endif
