/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "lib/auditring/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/abi/audit_ipc.h"
#include "lib/diagf.h"
#include "lib/file.h"
#include "lib/sys.h"

#define TIMEOUT_MS 1000u
#define RETRY_NS   20'000'000u /* between two attempts to find a new daemon */
#define SEALS      (F_SEAL_SHRINK | F_SEAL_GROW)

vd_status vd_auditring_map(struct vd_auditring *ring, int fd, struct vd_diag *diag)
{
    int seals = fd < 0 ? -1 : fcntl(fd, F_GET_SEALS);
    struct vd_auditring_head *mem;
    struct stat st;
    size_t size;

    if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &st) != 0 ||
        st.st_size < (off_t)vd_auditring_bytes(VD_AUDITRING_SLOTS_MIN) ||
        st.st_size > (off_t)VD_AUDITRING_MAX_BYTES)
        return vd_diag_fail(diag, VD_E_INVALID, "the audit daemon gave no sealed memory");
    size = (size_t)st.st_size;
    mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (mem == MAP_FAILED)
        return vd_sys_errno(diag, errno, "cannot map the audit daemon's ring", NULL);
    ring->slots = mem->slots;
    if (mem->magic != VD_AUDITRING_MAGIC || mem->version != VD_AUDITRING_VERSION ||
        !vd_auditring_slots_valid(ring->slots) || vd_auditring_bytes(ring->slots) != size) {
        munmap(mem, size);
        return vd_diag_fail(diag, VD_E_VERSION, "the audit daemon's ring is of another kind");
    }
    /* A child of fork would publish its parent's records a second time. */
    if (madvise(mem, size, MADV_DONTFORK) != 0) {
        munmap(mem, size);
        return vd_sys_errno(diag, errno, "cannot keep the ring from children", NULL);
    }
    ring->mem = mem;
    ring->memory = fd;
    return VD_OK;
}

static vd_status check_server(const struct vd_auditring *ring, int fd, struct vd_diag *diag)
{
    struct vd_ipc_peer peer;

    if (ring->server_uid == VD_AUDITRING_ANY_UID)
        return VD_OK;
    VD_TRY(vd_ipc_peer(fd, &peer, diag));
    if (peer.uid == ring->server_uid)
        return VD_OK;
    vd_diag_file(diag, ring->socket);
    return vd_diagf(diag, VD_E_UNTRUSTED, "the audit daemon belongs to user %u, not to user %u",
                    peer.uid, ring->server_uid);
}

/* Connects, and asks for a ring or hands over the one that there is. */
static vd_status attach(struct vd_auditring *ring, struct vd_diag *diag)
{
    uint64_t deadline_ns = vd_ipc_deadline(ring->timeout_ms);
    int fd VD_AUTO(vd_fd_close) = -1;
    struct vd_ipc_frame request = {.service = VD_IPC_SERVICE_AUDIT,
                                   .verb = VD_AUDIT_IPC_RING,
                                   .id = ++ring->id,
                                   .fd = ring->memory};
    struct vd_ipc_line line = {.buffer = &ring->buffer, .deadline_ns = deadline_ns};
    struct vd_ipc_frame answer;
    vd_status status;

    vd_fd_close(&ring->fd);
    VD_TRY(vd_ipc_connect(ring->socket, deadline_ns, &fd, diag));
    VD_TRY(check_server(ring, fd, diag));
    line.fd = fd;
    VD_TRY(vd_ipc_call(&line, &request, &answer, diag));
    if (ring->mem == NULL) {
        status = vd_auditring_map(ring, answer.fd, diag);
        if (status != VD_OK) {
            vd_fd_close(&answer.fd);
            return status;
        }
    } else {
        vd_fd_close(&answer.fd);
        if (!vd_auditring_alive(ring->mem))
            return vd_diag_fail(diag, VD_E_MISSING, "the audit daemon has ended again");
    }
    ring->fd = fd;
    fd = -1;
    return VD_OK;
}

vd_status vd_auditring_recover(struct vd_auditring *ring, struct vd_diag *diag)
{
    vd_status status = VD_OK;
    uint64_t now;

    pthread_mutex_lock(&ring->lock);
    now = vd_sys_monotonic_ns();
    if (__atomic_load_n(&ring->mem->state, __ATOMIC_ACQUIRE) == VD_AUDITRING_CLOSED) {
        status = vd_diag_fail(diag, VD_E_DENIED, "the audit daemon has given up this ring");
    } else if (!vd_auditring_alive(ring->mem)) { /* another thread may have been faster */
        status = now < ring->retry_ns ? vd_diag_fail(diag, VD_E_MISSING, "there is no audit daemon")
                                      : attach(ring, diag);
        if (status != VD_OK && now >= ring->retry_ns)
            ring->retry_ns = vd_sys_monotonic_ns() + RETRY_NS;
    }
    pthread_mutex_unlock(&ring->lock);
    return status;
}

void vd_auditring_wake(struct vd_auditring *ring)
{
    static const struct vd_ipc_frame wake = {
        .service = VD_IPC_SERVICE_AUDIT, .verb = VD_AUDIT_IPC_WAKE, .fd = -1};

    pthread_mutex_lock(&ring->lock);
    /* No room: there are such frames enough. No other side: that is seen in the memory. */
    if (ring->fd >= 0)
        (void)!vd_ipc_send(ring->fd, &wake, VD_IPC_NO_WAIT, NULL);
    pthread_mutex_unlock(&ring->lock);
}

static void release(struct vd_auditring *ring)
{
    if (ring->mem != NULL)
        munmap(ring->mem, vd_auditring_bytes(ring->slots));
    vd_fd_close(&ring->fd);
    vd_fd_close(&ring->memory);
    pthread_mutex_destroy(&ring->lock);
    free(ring->socket);
    free(ring);
}

vd_status vd_auditring_open(const struct vd_auditring_options *options, struct vd_auditring **ret,
                            struct vd_diag *diag)
{
    static const struct vd_auditring_options none;
    const struct vd_auditring_options *o = options != NULL ? options : &none;
    struct vd_auditring *ring = calloc(1, sizeof(*ring));
    vd_status status;

    if (ring == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for a ring of records");
    pthread_mutex_init(&ring->lock, NULL);
    ring->fd = ring->memory = -1;
    ring->server_uid = o->server_uid;
    ring->timeout_ms = o->timeout_ms != 0 ? o->timeout_ms : TIMEOUT_MS;
    ring->socket = strdup(o->socket != NULL ? o->socket : VD_AUDIT_IPC_SOCKET);
    status = ring->socket == NULL
                 ? vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for a ring of records")
                 : attach(ring, diag);
    if (status != VD_OK) {
        release(ring);
        return status;
    }
    *ret = ring;
    return VD_OK;
}

vd_status vd_auditring_close(struct vd_auditring *ring, struct vd_diag *diag)
{
    vd_status status = VD_OK;

    if (ring == NULL)
        return VD_OK;
    /* A daemon that reads the ring goes on to do so until all is written; an empty one needs none. */
    if (__atomic_load_n(&ring->mem->head, __ATOMIC_ACQUIRE) !=
        __atomic_load_n(&ring->mem->tail, __ATOMIC_ACQUIRE))
        status = vd_auditring_tend(ring, diag);
    release(ring);
    return status;
}
