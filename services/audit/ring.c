/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "services/audit/ring.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/diagf.h"
#include "lib/file.h"
#include "services/audit/sys.h"

#define HEAD_BYTES 8u /* u32 length and flags, u32 page offset */

static vd_status map_ring(struct vd_audit_ring *ring, uint32_t bytes, const char *path,
                          struct vd_diag *diag)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *mapped;

    ring->mask = bytes - 1;
    ring->consumer_bytes = page;
    ring->producer_bytes = page + 2 * (size_t)bytes;
    mapped = mmap(NULL, ring->consumer_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, 0);
    if (mapped == MAP_FAILED)
        return vd_audit_errno(diag, errno, "cannot map the ring", path);
    ring->consumer = mapped;
    mapped = mmap(NULL, ring->producer_bytes, PROT_READ, MAP_SHARED, ring->fd, (off_t)page);
    if (mapped == MAP_FAILED)
        return vd_audit_errno(diag, errno, "cannot map the ring's events", path);
    ring->producer = mapped;
    ring->data = (const uint8_t *)mapped + page;
    ring->position = __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE);
    return VD_OK;
}

/* The commonest fault of a first start: no policy is in force, or the path is not a pin's. */
static vd_status open_failed(const char *path, int error, struct vd_diag *diag)
{
    struct statfs fs;
    vd_status status;

    if (statfs(path, &fs) == 0 && (unsigned long)fs.f_type != BPF_FS_MAGIC) {
        vd_diag_file(diag, path);
        return vd_diag_fail(diag, VD_E_INVALID,
                            "this is no pinned ring buffer: it is not in a BPF file system");
    }
    status = vd_audit_errno(diag, error, "cannot open the ring", path);
    if (status == VD_E_NOT_FOUND)
        vd_diagf_hint(diag, "the ring is there once the policy is in force; see veridian status");
    return status;
}

vd_status vd_audit_ring_open(struct vd_audit_ring *ret, const char *path, struct vd_diag *diag)
{
    struct vd_audit_ring ring = {.fd = bpf_obj_get(path)};
    struct bpf_map_info info = {};
    uint32_t size = sizeof(info);
    vd_status status;

    if (ring.fd < 0)
        return open_failed(path, errno, diag);
    if (bpf_obj_get_info_by_fd(ring.fd, &info, &size) != 0)
        status = vd_audit_errno(diag, errno, "cannot ask about the ring", path);
    else if (info.type != BPF_MAP_TYPE_RINGBUF)
        status = vd_diag_fail(diag, VD_E_INVALID, "the pinned object is not a ring buffer");
    else
        status = map_ring(&ring, info.max_entries, path, diag);
    if (status != VD_OK) {
        vd_audit_ring_close(&ring);
        return status;
    }
    ring.id = info.id;
    *ret = ring;
    return VD_OK;
}

void vd_audit_ring_close(struct vd_audit_ring *ring)
{
    if (ring->consumer != NULL)
        munmap(ring->consumer, ring->consumer_bytes);
    if (ring->producer != NULL)
        munmap((void *)(uintptr_t)ring->producer, ring->producer_bytes);
    vd_fd_close(&ring->fd);
    *ring = (struct vd_audit_ring){.fd = -1};
}

vd_status vd_audit_ring_next(struct vd_audit_ring *ring, const void **ret_data, uint32_t *ret_size,
                             struct vd_diag *diag)
{
    *ret_data = NULL;
    while (ring->position < __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE)) {
        const uint8_t *head = ring->data + (ring->position & ring->mask);
        uint32_t word = __atomic_load_n((const uint32_t *)(const void *)head, __ATOMIC_ACQUIRE);
        uint32_t size = word & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);

        if ((word & BPF_RINGBUF_BUSY_BIT) != 0)
            return VD_OK;
        if (size > ring->mask + 1 - HEAD_BYTES)
            return vd_diag_fail(diag, VD_E_INVALID, "an event in the ring is larger than the ring");
        ring->position += ((uint64_t)size + HEAD_BYTES + 7) & ~UINT64_C(7);
        if ((word & BPF_RINGBUF_DISCARD_BIT) != 0)
            continue;
        *ret_data = head + HEAD_BYTES;
        *ret_size = size;
        return VD_OK;
    }
    return VD_OK;
}

void vd_audit_ring_release(struct vd_audit_ring *ring)
{
    __atomic_store_n(ring->consumer, ring->position, __ATOMIC_RELEASE);
}
