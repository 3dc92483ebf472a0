/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "lib/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "lib/diagf.h"

#define CLASS_MIN   32u /* the smallest piece of a shared slab */
#define CLASSES     8u  /* 32 … 4096 */
#define SLAB_BYTES  32768u
#define SLAB_PIECES (SLAB_BYTES / CLASS_MIN)
#define END_ALIGN   16u /* how far before the guard page a large secret may end */

/* Shared by pieces of one size, or the home of one large secret (piece 0). */
struct vd_secret_slab {
    struct vd_secret_slab *next, **back;
    uint8_t *map; /* with the guard pages */
    size_t map_size;
    uint8_t *data; /* without them */
    size_t data_size;
    uint32_t piece; /* bytes; 0: one large secret */
    uint32_t used;  /* pieces in use */
    uint32_t hint;  /* word of `taken` to look at first */
    uint32_t generation;
    uint64_t taken[SLAB_PIECES / 64];
};

/*
 * The process's pool. A forked child has none of the pages: it starts an empty pool, and what it
 * lets go of its parent's secrets is nothing (their generation is another).
 */
static struct {
    pthread_mutex_t lock;
    pthread_once_t once;
    struct vd_secret_slab *slabs[CLASSES];
    struct vd_secret_stats stats;
    uint32_t generation;
    bool no_memfd;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .once = PTHREAD_ONCE_INIT};

static void before_fork(void)
{
    pthread_mutex_lock(&pool.lock);
}

static void after_fork_parent(void)
{
    pthread_mutex_unlock(&pool.lock);
}

static void after_fork_child(void)
{
    for (uint32_t i = 0; i < CLASSES; i++)
        pool.slabs[i] = NULL;
    pool.stats = (struct vd_secret_stats){};
    pool.generation++;
    pthread_mutex_unlock(&pool.lock);
}

static void prepare(void)
{
    (void)pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}

/* Puts pages of memfd_secret over the reserved ones; false: the kernel has none. */
static bool map_memfd(uint8_t *at, size_t size)
{
#ifdef SYS_memfd_secret
    int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
    bool good = fd >= 0 && ftruncate(fd, (off_t)size) == 0 &&
                mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == at;

    if (fd >= 0)
        close(fd);
    /* MADV_WIPEONFORK is for private pages; here the child gets no page at all. */
    return good && madvise(at, size, MADV_DONTFORK) == 0;
#else
    return false;
#endif
}

static bool map_locked(uint8_t *at, size_t size)
{
    return mmap(at, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
               at &&
           mlock(at, size) == 0 && madvise(at, size, MADV_DONTDUMP) == 0 &&
           madvise(at, size, MADV_DONTFORK) == 0;
}

static void slab_free(struct vd_secret_slab *slab)
{
    (void)munmap(slab->map, slab->map_size);
    pool.stats.locked_bytes -= slab->data_size;
    free(slab);
}

/* A slab between two guard pages. With the lock held. */
static vd_status slab_new(size_t size, struct vd_secret_slab **ret, struct vd_diag *diag)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), data_size = (size + page - 1) & ~(page - 1);
    struct vd_secret_slab *slab = calloc(1, sizeof(*slab));
    void *map = mmap(NULL, data_size + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool memfd = false;

    if (slab == NULL || map == MAP_FAILED) {
        free(slab);
        if (map != MAP_FAILED)
            (void)munmap(map, data_size + 2 * page);
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    }
    *slab = (struct vd_secret_slab){.map = map,
                                    .map_size = data_size + 2 * page,
                                    .data = (uint8_t *)map + page,
                                    .data_size = data_size,
                                    .generation = pool.generation};
    if (!pool.no_memfd)
        memfd = map_memfd(slab->data, data_size);
    if (!memfd && !map_locked(slab->data, data_size)) {
        vd_status status = vd_diagf_errno(diag, VD_E_NO_MEMORY, errno,
                                          "no %zu bytes of locked memory for secrets", data_size);
        vd_diag_hint(diag, "raise the limit of locked memory (ulimit -l, LimitMEMLOCK=)");
        (void)munmap(slab->map, slab->map_size);
        free(slab);
        return status;
    }
    pool.no_memfd = !memfd;
    pool.stats.kind = memfd ? VD_SECRET_MEMFD : VD_SECRET_LOCKED;
    pool.stats.locked_bytes += data_size;
    *ret = slab;
    return VD_OK;
}

static void list_add(struct vd_secret_slab **head, struct vd_secret_slab *slab)
{
    slab->next = *head;
    slab->back = head;
    if (*head != NULL)
        (*head)->back = &slab->next;
    *head = slab;
}

static void list_remove(struct vd_secret_slab *slab)
{
    if (slab->back == NULL)
        return;
    *slab->back = slab->next;
    if (slab->next != NULL)
        slab->next->back = slab->back;
    slab->next = NULL;
    slab->back = NULL;
}

static uint32_t class_of(size_t size)
{
    uint32_t class = 0;

    while (class < CLASSES && size > (size_t)CLASS_MIN << class)
        class ++;
    return class;
}

/* A free piece of a slab that has one. A slab that is full leaves the list until one is let go. */
static uint8_t *take_piece(struct vd_secret_slab *slab)
{
    uint32_t pieces = SLAB_BYTES / slab->piece, words = (pieces + 63) / 64;

    for (uint32_t i = 0; i < words; i++) {
        uint32_t word = (slab->hint + i) % words;
        uint64_t all = pieces >= 64 ? UINT64_MAX : (1ull << pieces) - 1;
        uint64_t free_bits = ~slab->taken[word] & all;
        if (free_bits != 0) {
            uint32_t bit = (uint32_t)__builtin_ctzll(free_bits);
            slab->taken[word] |= 1ull << bit;
            slab->hint = word;
            if (++slab->used == pieces)
                list_remove(slab);
            return slab->data + (size_t)(word * 64 + bit) * slab->piece;
        }
    }
    return NULL;
}

static vd_status take(size_t size, struct vd_secret *ret, struct vd_diag *diag)
{
    uint32_t class = class_of(size);
    struct vd_secret_slab *slab;

    if (class == CLASSES) {
        VD_TRY(slab_new(size, &slab, diag));
        slab->used = 1;
        ret->data = slab->data + slab->data_size - ((size + END_ALIGN - 1) & ~(END_ALIGN - 1ul));
    } else {
        if (pool.slabs[class] == NULL) {
            VD_TRY(slab_new(SLAB_BYTES, &slab, diag));
            slab->piece = CLASS_MIN << class;
            list_add(&pool.slabs[class], slab);
        }
        slab = pool.slabs[class];
        ret->data = take_piece(slab);
        if (ret->data == NULL)
            return vd_diag_fail(diag, VD_E_BUG, "a slab on the list has no free piece");
    }
    ret->slab = slab;
    ret->size = size;
    pool.stats.secrets++;
    return VD_OK;
}

vd_status vd_secret_init(struct vd_secret *secret, size_t size, struct vd_diag *diag)
{
    struct vd_secret made = {};
    vd_status status;

    if (secret->slab != NULL)
        return vd_diag_fail(diag, VD_E_BUG, "a secret in use is made anew");
    if (size > VD_SECRET_MAX_BYTES)
        return vd_diagf(diag, VD_E_LIMIT, "a secret of %zu bytes; at most %u", size,
                        VD_SECRET_MAX_BYTES);
    (void)pthread_once(&pool.once, prepare);
    pthread_mutex_lock(&pool.lock);
    status = take(size, &made, diag);
    pthread_mutex_unlock(&pool.lock);
    if (status == VD_OK)
        *secret = made;
    return status;
}

vd_status vd_secret_set(struct vd_secret *secret, const void *data, size_t size,
                        struct vd_diag *diag)
{
    VD_TRY(vd_secret_init(secret, size, diag));
    if (size != 0)
        vd_copy(secret->data, data, size);
    return VD_OK;
}

/* Gives the piece back. An empty slab stays only where it is its class's last one. */
static void give(const struct vd_secret *secret)
{
    struct vd_secret_slab *slab = secret->slab;
    struct vd_secret_slab **head;
    size_t index;

    pool.stats.secrets--;
    if (slab->piece == 0) {
        slab_free(slab);
        return;
    }
    head = &pool.slabs[class_of(slab->piece)];
    index = (size_t)(secret->data - slab->data) / slab->piece;
    slab->taken[index / 64] &= ~(1ull << index % 64);
    if (slab->used-- == SLAB_BYTES / slab->piece)
        list_add(head, slab);
    if (slab->used == 0 && (*head != slab || slab->next != NULL)) {
        list_remove(slab);
        slab_free(slab);
    }
}

void vd_secret_done(struct vd_secret *secret)
{
    if (secret->slab == NULL)
        return;
    pthread_mutex_lock(&pool.lock);
    if (secret->slab->generation == pool.generation) {
        /* The whole piece: vd_secret_cut made `size` smaller, a slip may have written behind it. */
        vd_wipe(secret->data, secret->slab->piece != 0 ? secret->slab->piece : secret->size);
        give(secret);
    }
    pthread_mutex_unlock(&pool.lock);
    *secret = (struct vd_secret){};
}

vd_status vd_secret_cut(struct vd_secret *secret, size_t size)
{
    if (size > secret->size)
        return VD_E_RANGE;
    if (size < secret->size)
        vd_wipe(secret->data + size, secret->size - size);
    secret->size = size;
    return VD_OK;
}

bool vd_secret_equal(const struct vd_secret *a, const struct vd_secret *b)
{
    return a->size == b->size && vd_ct_equal(a->data, b->data, a->size);
}

void vd_secret_stats(struct vd_secret_stats *ret)
{
    pthread_mutex_lock(&pool.lock);
    *ret = pool.stats;
    pthread_mutex_unlock(&pool.lock);
}
