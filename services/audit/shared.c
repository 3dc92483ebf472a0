/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "services/audit/shared.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "lib/file.h"
#include "lib/sys.h"

#define ENTRY_BYTES  4096u
#define WINDOW_BYTES (ENTRY_BYTES + VD_AUDITRING_MAX_BYTES)
#define ARENA_BYTES  (VD_AUDIT_SHARED_MAX * WINDOW_BYTES)
#define SEALS        (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define POSITIONS    (UINT64_MAX >> 16) /* as a word holds them */

_Static_assert(VD_AUDITRING_DEAD == FUTEX_OWNER_DIED, "the kernel sets it");
_Static_assert(VD_AUDITRING_TID == FUTEX_TID_MASK, "the kernel compares it");

vd_status vd_audit_arena_init(struct vd_audit_arena *arena, struct vd_diag *diag)
{
    void *base =
        mmap(NULL, ARENA_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (base == MAP_FAILED)
        return vd_sys_errno(diag, errno, "no room for the services' rings", NULL);
    arena->list.list.next = &arena->list.list;
    arena->list.futex_offset = (long)(ENTRY_BYTES + offsetof(struct vd_auditring_head, alive));
    arena->list.list_op_pending = NULL;
    if (syscall(SYS_set_robust_list, &arena->list, sizeof(arena->list)) != 0) {
        int error = errno;
        munmap(base, ARENA_BYTES);
        return vd_sys_errno(diag, error, "cannot join the list of robust futexes", NULL);
    }
    arena->base = base;
    arena->used = 0;
    return VD_OK;
}

void vd_audit_arena_done(struct vd_audit_arena *arena)
{
    if (arena->base == NULL)
        return;
    (void)syscall(SYS_set_robust_list, NULL, sizeof(arena->list));
    munmap(arena->base, ARENA_BYTES);
    arena->base = NULL;
}

static struct robust_list *entry_of(const struct vd_audit_arena *arena, uint32_t window)
{
    return (struct robust_list *)(void *)(arena->base + window * WINDOW_BYTES);
}

/* The kernel may walk the list between any two instructions. */
static void join_list(struct vd_audit_arena *arena, uint32_t window)
{
    struct robust_list *entry = entry_of(arena, window);

    entry->next = arena->list.list.next;
    __atomic_store_n(&arena->list.list.next, entry, __ATOMIC_RELEASE);
}

static void leave_list(struct vd_audit_arena *arena, uint32_t window)
{
    struct robust_list *entry = entry_of(arena, window);
    struct robust_list *before = &arena->list.list;

    while (before->next != entry)
        before = before->next;
    __atomic_store_n(&before->next, entry->next, __ATOMIC_RELEASE);
}

/* Takes a free window and maps the memory into it. */
static vd_status map_window(struct vd_audit_arena *arena, int fd, uint32_t *ret_window,
                            struct vd_diag *diag)
{
    uint32_t window = 0;
    struct stat st;
    uint8_t *at;

    if (fstat(fd, &st) != 0)
        return vd_sys_errno(diag, errno, "cannot map a ring", NULL);
    for (uint32_t i = 0; i < VD_AUDIT_SHARED_MAX; i++) {
        if ((arena->used >> i & 1) != 0 && arena->inodes[i] == st.st_ino)
            return vd_diag_fail(diag, VD_E_EXISTS, "the ring is read already");
    }
    while (window < VD_AUDIT_SHARED_MAX && (arena->used >> window & 1) != 0)
        window++;
    if (arena->base == NULL || window == VD_AUDIT_SHARED_MAX)
        return vd_diagf(diag, VD_E_BUSY, "there are %u rings already", VD_AUDIT_SHARED_MAX);
    at = arena->base + window * WINDOW_BYTES;
    if (mprotect(at, ENTRY_BYTES, PROT_READ | PROT_WRITE) != 0 ||
        mmap(at + ENTRY_BYTES, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
             fd, 0) == MAP_FAILED)
        return vd_sys_errno(diag, errno, "cannot map a ring", NULL);
    arena->used |= 1u << window;
    arena->inodes[window] = st.st_ino;
    *ret_window = window;
    return VD_OK;
}

static void unmap_window(struct vd_audit_arena *arena, uint32_t window)
{
    /* The room stays ours, for the next ring. */
    (void)mmap(arena->base + window * WINDOW_BYTES + ENTRY_BYTES, VD_AUDITRING_MAX_BYTES, PROT_NONE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    arena->used &= ~(1u << window);
}

static struct vd_auditring_head *memory_of(const struct vd_audit_arena *arena, uint32_t window)
{
    return (struct vd_auditring_head *)(void *)(arena->base + window * WINDOW_BYTES + ENTRY_BYTES);
}

/* From here on the kernel tells the writers of the daemon's end. */
static void begin(struct vd_audit_arena *arena, struct vd_audit_shared *s)
{
    join_list(arena, s->window);
    __atomic_store_n(&s->mem->state, VD_AUDITRING_AWAKE, __ATOMIC_RELAXED);
    __atomic_store_n(&s->mem->alive, (uint32_t)gettid(), __ATOMIC_SEQ_CST);
}

vd_status vd_audit_shared_make(struct vd_audit_arena *arena, struct vd_audit_shared *ret,
                               int *ret_fd, struct vd_diag *diag)
{
    struct vd_audit_shared s = {.slots = VD_AUDITRING_SLOTS};
    size_t size = vd_auditring_bytes(s.slots);
    int fd VD_AUTO(vd_fd_close) = memfd_create("veridian-audit", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    /* All of it now: memory that is missing later would kill the service in the midst of a put. */
    if (fd < 0 || fallocate(fd, 0, 0, (off_t)size) != 0 || fcntl(fd, F_ADD_SEALS, SEALS) != 0)
        return vd_sys_errno(diag, errno, "cannot make a ring", NULL);
    if (getrandom(&s.id, sizeof(s.id), 0) != (ssize_t)sizeof(s.id))
        return vd_sys_errno(diag, errno, "cannot name a ring", NULL);
    VD_TRY(map_window(arena, fd, &s.window, diag));
    s.mem = memory_of(arena, s.window);
    s.mem->magic = VD_AUDITRING_MAGIC;
    s.mem->version = VD_AUDITRING_VERSION;
    s.mem->slots = s.slots;
    s.mem->id = s.id;
    begin(arena, &s);
    *ret = s;
    *ret_fd = fd;
    fd = -1;
    return VD_OK;
}

/* Memory that cannot be cut off under us, nor be of another kind than what we make. */
static vd_status check_memory(int fd, size_t *ret_size, struct vd_diag *diag)
{
    int seals = fcntl(fd, F_GET_SEALS);
    struct statfs fs;
    struct stat st;

    if (seals < 0 || (seals & SEALS) != SEALS || (seals & ~SEALS) != 0 || fstat(fd, &st) != 0 ||
        fstatfs(fd, &fs) != 0 || fs.f_type != TMPFS_MAGIC ||
        st.st_size < (off_t)vd_auditring_bytes(VD_AUDITRING_SLOTS_MIN) ||
        st.st_size > (off_t)VD_AUDITRING_MAX_BYTES)
        return vd_diag_fail(diag, VD_E_INVALID, "what is handed over is no ring");
    *ret_size = (size_t)st.st_size;
    return VD_OK;
}

/* Each number is read once. */
static vd_status check_head(struct vd_audit_shared *s, size_t size, struct vd_diag *diag)
{
    uint32_t state = __atomic_load_n(&s->mem->state, __ATOMIC_RELAXED);
    uint64_t head;

    s->slots = __atomic_load_n(&s->mem->slots, __ATOMIC_RELAXED);
    s->id = __atomic_load_n(&s->mem->id, __ATOMIC_RELAXED);
    s->taken = s->released = __atomic_load_n(&s->mem->tail, __ATOMIC_ACQUIRE);
    head = __atomic_load_n(&s->mem->head, __ATOMIC_ACQUIRE);
    if (__atomic_load_n(&s->mem->magic, __ATOMIC_RELAXED) != VD_AUDITRING_MAGIC ||
        __atomic_load_n(&s->mem->version, __ATOMIC_RELAXED) != VD_AUDITRING_VERSION ||
        !vd_auditring_slots_valid(s->slots) || vd_auditring_bytes(s->slots) != size ||
        head - s->taken > s->slots || head > POSITIONS || state >= VD_AUDITRING_CLOSED)
        return vd_diag_fail(diag, VD_E_INVALID, "what is handed over is no ring of use");
    return VD_OK;
}

vd_status vd_audit_shared_adopt(struct vd_audit_arena *arena, int fd, struct vd_audit_shared *ret,
                                struct vd_diag *diag)
{
    struct vd_audit_shared s = {};
    vd_status status;
    size_t size;

    VD_TRY(check_memory(fd, &size, diag));
    VD_TRY(map_window(arena, fd, &s.window, diag));
    s.mem = memory_of(arena, s.window);
    status = check_head(&s, size, diag);
    if (status != VD_OK) {
        unmap_window(arena, s.window);
        return status;
    }
    begin(arena, &s);
    *ret = s;
    return VD_OK;
}

static bool published(const struct vd_audit_shared *s, uint64_t position, uint32_t *ret_size)
{
    const uint64_t *words = vd_auditring_words(s->mem);
    uint64_t word = __atomic_load_n(&words[position & (s->slots - 1)], __ATOMIC_ACQUIRE);

    *ret_size = (uint32_t)(word & 0xffff);
    return word == vd_auditring_word(position, *ret_size);
}

static void copy_out(const struct vd_audit_shared *s, uint64_t position, uint8_t *to, uint32_t size)
{
    const uint8_t *data = vd_auditring_data(s->mem, s->slots);
    uint32_t slot = (uint32_t)position & (s->slots - 1);
    size_t left = (size_t)(s->slots - slot) * VD_AUDITRING_SLOT_BYTES;
    size_t part = size < left ? size : left;

    vd_copy(to, data + (size_t)slot * VD_AUDITRING_SLOT_BYTES, part);
    vd_copy(to + part, data, size - part);
}

/* What lies before the next published record, or the end, was taken and never finished. */
static void pass_over(struct vd_audit_shared *s, uint64_t head, struct vd_audit_shared_item *ret)
{
    uint32_t size;

    *ret = (struct vd_audit_shared_item){.position = s->taken};
    do {
        s->taken++;
        ret->slots++;
    } while (s->taken != head && !published(s, s->taken, &size));
}

vd_status vd_audit_shared_next(struct vd_audit_shared *s, bool ended,
                               uint8_t bytes[VD_AUDIT_RECORD_MAX_BYTES],
                               struct vd_audit_shared_item *ret, struct vd_diag *diag)
{
    uint64_t head = __atomic_load_n(&s->mem->head, __ATOMIC_ACQUIRE);
    uint32_t size, need;

    if (head - s->released > s->slots || head - s->taken > s->slots || head > POSITIONS)
        return vd_diag_fail(diag, VD_E_RANGE, "the ring's writers are where they cannot be");
    *ret = (struct vd_audit_shared_item){};
    if (head == s->taken)
        return VD_OK;
    if (!published(s, s->taken, &size)) {
        if (ended)
            pass_over(s, head, ret);
        return VD_OK;
    }
    need = vd_auditring_need(size);
    if (size < VD_AUDIT_RECORD_MIN_BYTES || size > VD_AUDIT_RECORD_MAX_BYTES ||
        need > head - s->taken)
        return vd_diag_fail(diag, VD_E_INVALID, "a record in the ring has an impossible size");
    copy_out(s, s->taken, bytes, size);
    *ret = (struct vd_audit_shared_item){.position = s->taken, .slots = need, .size = size};
    s->taken += need;
    return VD_OK;
}

void vd_audit_shared_release(struct vd_audit_shared *s)
{
    if (s->mem == NULL || s->released == s->taken)
        return;
    s->released = s->taken;
    __atomic_store_n(&s->mem->tail, s->taken, __ATOMIC_RELEASE);
    __atomic_fetch_add(&s->mem->released, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&s->mem->waiters, __ATOMIC_SEQ_CST) != 0)
        (void)syscall(SYS_futex, &s->mem->released, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

bool vd_audit_shared_state(struct vd_audit_shared *s, enum vd_auditring_state state)
{
    uint64_t waiting;
    uint32_t size;

    __atomic_store_n(&s->mem->state, state, __ATOMIC_RELAXED);
    /* Before what we look at now: who publishes later sees the state, else we see the record. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    waiting = __atomic_load_n(&s->mem->head, __ATOMIC_ACQUIRE) - s->taken;
    if (waiting == 0 || !published(s, s->taken, &size))
        return false;
    return state == VD_AUDITRING_ASLEEP || waiting >= s->slots / 2;
}

void vd_audit_shared_close(struct vd_audit_shared *s)
{
    __atomic_store_n(&s->mem->state, VD_AUDITRING_CLOSED, __ATOMIC_RELAXED);
    vd_audit_shared_leave(s);
}

void vd_audit_shared_leave(struct vd_audit_shared *s)
{
    __atomic_store_n(&s->mem->alive, 0, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void vd_audit_shared_done(struct vd_audit_arena *arena, struct vd_audit_shared *s)
{
    if (s->mem == NULL)
        return;
    leave_list(arena, s->window);
    unmap_window(arena, s->window);
    *s = (struct vd_audit_shared){};
}
