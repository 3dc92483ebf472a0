/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The pool of connections. Connection i of a client and entry i of each key's handles belong to
 * whoever has the connection busy, so that operations need the lock only to take and give back.
 */
#define _GNU_SOURCE
#include "lib/keyclient/internal.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/diagf.h"
#include "lib/file.h"
#include "lib/sys.h"

#define TIMEOUT_MS  30'000u
#define CONNECTIONS 16u
#define NS_PER_MS   1'000'000u
#define NS_PER_S    1'000'000'000u

enum { OWNED_BY_NOBODY, OWNING, OWNED };

/* Memory that a child finds zeroed: so it learns that the pool is its parent's. */
static _Atomic uint32_t *owner_page(void)
{
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        return NULL;
    if (madvise(page, size, MADV_WIPEONFORK) == 0)
        return page;
    munmap(page, size);
    return NULL;
}

static void init_lock(struct vd_keyclient *client)
{
    pthread_condattr_t attr;

    pthread_mutex_init(&client->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&client->freed, &attr);
    pthread_condattr_destroy(&attr);
}

static const char *socket_of(const struct vd_keyclient_options *o)
{
    const char *named = o->socket != NULL ? o->socket : secure_getenv("VERIDIAN_CRYPTO_SOCKET");

    return named != NULL && named[0] != '\0' ? named : VD_KEY_SOCKET;
}

vd_status vd_keyclient_new(const struct vd_keyclient_options *options, struct vd_keyclient **ret,
                           struct vd_diag *diag)
{
    static const struct vd_keyclient_options none;
    const struct vd_keyclient_options *o = options != NULL ? options : &none;
    struct vd_keyclient *c;

    if (o->connections > VD_KEYCLIENT_CONNECTIONS_MAX)
        return vd_diagf(diag, VD_E_RANGE, "a client has at most %u connections",
                        VD_KEYCLIENT_CONNECTIONS_MAX);
    c = calloc(1, sizeof(*c));
    if (c == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for a client of the key service");
    init_lock(c);
    c->socket = strdup(socket_of(o));
    c->owner = owner_page();
    c->timeout_ms = o->timeout_ms != 0 ? o->timeout_ms : TIMEOUT_MS;
    c->server_uid = o->server_uid;
    c->no_lane = o->no_lane;
    c->is_given = o->given != 0;
    c->given = -1;
    c->limit = c->is_given ? 1 : o->connections != 0 ? o->connections : CONNECTIONS;
    for (uint32_t i = 0; i < VD_KEYCLIENT_CONNECTIONS_MAX; i++)
        c->conns[i] = (struct vd_keyclient_conn){.client = c, .index = i, .fd = -1};
    if (c->socket == NULL || c->owner == NULL) {
        vd_keyclient_free(c);
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for a client of the key service");
    }
    atomic_store(c->owner, OWNED);
    if (c->is_given)
        c->given = o->given;
    *ret = c;
    return VD_OK;
}

/* What a child has of its parent's connection: nothing of it is mapped here, and the descriptor
 * is a copy, unless the program has closed it and opened something else. */
static void disown(struct vd_keyclient_conn *c)
{
    struct stat st;

    if (c->fd >= 0 && fstat(c->fd, &st) == 0 && st.st_ino == c->socket && S_ISSOCK(st.st_mode))
        close(c->fd);
    c->fd = -1;
    c->link = 0;
    c->busy = false;
    c->lost = false;
    c->streams = c->handles = 0;
    c->lane = (struct vd_ipc_lane){};
    c->shared = (struct vd_keyclient_shared){};
    /* Another thread of the parent may have been about to enlarge it. */
    c->closing = NULL;
    c->closing_count = c->closing_room = 0;
}

void vd_keyclient_own(struct vd_keyclient *client)
{
    uint32_t state = atomic_load_explicit(client->owner, memory_order_acquire);

    if (state == OWNED)
        return;
    if (state == OWNED_BY_NOBODY && atomic_compare_exchange_strong(client->owner, &state, OWNING)) {
        init_lock(client);
        for (uint32_t i = 0; i < VD_KEYCLIENT_CONNECTIONS_MAX; i++)
            disown(&client->conns[i]);
        atomic_store_explicit(client->owner, OWNED, memory_order_release);
        return;
    }
    while (atomic_load_explicit(client->owner, memory_order_acquire) != OWNED)
        sched_yield();
}

void vd_keyclient_drop(struct vd_keyclient_conn *c)
{
    if (c->shared.data != NULL)
        munmap(c->shared.data, c->shared.size);
    c->shared = (struct vd_keyclient_shared){};
    vd_ipc_lane_done(&c->lane);
    vd_fd_close(&c->fd);
    c->streams = c->handles = 0;
    c->lost = false;
    pthread_mutex_lock(&c->client->lock);
    if (c->link != 0)
        c->client->full = false;
    c->link = 0;
    c->closing_count = 0;
    pthread_mutex_unlock(&c->client->lock);
}

void vd_keyclient_free(struct vd_keyclient *client)
{
    if (client == NULL)
        return;
    if (client->owner != NULL)
        vd_keyclient_own(client);
    for (uint32_t i = 0; i < VD_KEYCLIENT_CONNECTIONS_MAX; i++) {
        vd_keyclient_drop(&client->conns[i]);
        free(client->conns[i].frames);
        free(client->conns[i].closing);
    }
    if (client->owner != NULL)
        munmap((void *)(uintptr_t)client->owner, (size_t)sysconf(_SC_PAGESIZE));
    vd_fd_close(&client->given);
    pthread_cond_destroy(&client->freed);
    pthread_mutex_destroy(&client->lock);
    free(client->socket);
    free(client);
}

const char *vd_keyclient_socket(const struct vd_keyclient *client)
{
    return client->socket;
}

/* An idle connection: a living one first, so that its handles serve again. */
static struct vd_keyclient_conn *idle(struct vd_keyclient *client, bool streams)
{
    struct vd_keyclient_conn *fresh = NULL;

    for (uint32_t i = 0; i < client->limit; i++) {
        struct vd_keyclient_conn *c = &client->conns[i];
        if (c->busy || (streams && c->streams >= VD_KEY_STREAMS_MAX))
            continue;
        if (c->link != 0)
            return c;
        if (fresh == NULL && !client->full)
            fresh = c;
    }
    return fresh;
}

static struct timespec at(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
}

/* With the lock: until something is given back. */
static vd_status wait_freed(struct vd_keyclient *client, uint64_t deadline_ns, struct vd_diag *diag)
{
    struct timespec until = at(deadline_ns);

    if (pthread_cond_timedwait(&client->freed, &client->lock, &until) != ETIMEDOUT)
        return VD_OK;
    return vd_diag_fail(diag, VD_E_BUSY, "all connections to the key service are in use");
}

vd_status vd_keyclient_take(struct vd_keyclient *client, bool streams,
                            struct vd_keyclient_conn **ret, struct vd_diag *diag)
{
    uint64_t deadline_ns = vd_ipc_deadline(client->timeout_ms);
    struct vd_keyclient_conn *c;
    vd_status status = VD_OK;

    vd_keyclient_own(client);
    pthread_mutex_lock(&client->lock);
    while ((c = idle(client, streams)) == NULL && status == VD_OK)
        status = wait_freed(client, deadline_ns, diag);
    if (c != NULL)
        c->busy = true;
    pthread_mutex_unlock(&client->lock);
    if (c == NULL)
        return status;
    *ret = c;
    return VD_OK;
}

vd_status vd_keyclient_take_this(struct vd_keyclient_conn *c, uint64_t link, struct vd_diag *diag)
{
    struct vd_keyclient *client = c->client;
    uint64_t deadline_ns = vd_ipc_deadline(client->timeout_ms);
    vd_status status = VD_OK;

    vd_keyclient_own(client);
    pthread_mutex_lock(&client->lock);
    while (c->busy && status == VD_OK)
        status = wait_freed(client, deadline_ns, diag);
    if (status == VD_OK && c->link != link)
        status = vd_diag_fail(diag, VD_E_MISSING,
                              "the connection to the key service to which it belongs has ended");
    if (status == VD_OK)
        c->busy = true;
    pthread_mutex_unlock(&client->lock);
    return status;
}

void vd_keyclient_put(struct vd_keyclient_conn *c)
{
    struct vd_keyclient *client = c->client;

    if (c->lost)
        vd_keyclient_drop(c);
    for (;;) {
        pthread_mutex_lock(&client->lock);
        if (c->closing_count == 0 || c->link == 0)
            break;
        pthread_mutex_unlock(&client->lock);
        vd_keyclient_close_handles(c);
    }
    c->busy = false;
    /* Who waits may want this very one: waking a single one could wake the wrong one. */
    pthread_cond_broadcast(&client->freed);
    pthread_mutex_unlock(&client->lock);
}

/* True if the service has ended it: nothing comes on the socket unasked. */
static bool ended(const struct vd_keyclient_conn *c)
{
    struct pollfd socket = {.fd = c->fd, .events = POLLIN};

    return poll(&socket, 1, 0) != 0;
}

/* After one connection was found dead its fellows probably are: those are ended. */
static void weed(struct vd_keyclient *client)
{
    for (uint32_t i = 0; i < VD_KEYCLIENT_CONNECTIONS_MAX; i++) {
        struct vd_keyclient_conn *c = &client->conns[i];
        bool mine;
        pthread_mutex_lock(&client->lock);
        mine = !c->busy && c->link != 0;
        c->busy |= mine;
        pthread_mutex_unlock(&client->lock);
        if (!mine)
            continue;
        c->lost = ended(c);
        vd_keyclient_put(c);
    }
}

/* With as many handles as that a connection may soon have no room for what a request needs. */
static bool is_full(const struct vd_keyclient_conn *c)
{
    return c->handles > VD_KEY_HANDLES_MAX - VD_KEY_BATCH_MAX - 2 && c->streams == 0;
}

/* The service takes no more connections: true if there are others, which have to do then. */
static bool make_do(struct vd_keyclient *client)
{
    bool living = false;

    pthread_mutex_lock(&client->lock);
    for (uint32_t i = 0; i < client->limit; i++)
        living |= client->conns[i].link != 0;
    client->full = living;
    pthread_mutex_unlock(&client->lock);
    return living;
}

static vd_status attempt(struct vd_keyclient *client, struct vd_keyclient_job *job, bool *ret_again,
                         struct vd_diag *diag)
{
    struct vd_keyclient_conn *c;
    vd_status status;

    *ret_again = false;
    VD_TRY(vd_keyclient_take(client, job->streams, &c, diag));
    /* A new connection has no handles; keys are opened there again when they are used. */
    if (c->link != 0 && (is_full(c) || (job->changes && ended(c))))
        vd_keyclient_drop(c);
    if (c->link == 0) {
        status = vd_keyclient_join(c, diag);
        if (status != VD_OK) {
            *ret_again = (status == VD_E_LIMIT || status == VD_E_BUSY) && make_do(client);
            c->lost = true;
            vd_keyclient_put(c);
            return status;
        }
    }
    status = job->once(c, job->ctx, diag);
    *ret_again = c->lost && status == VD_E_MISSING && !job->changes;
    if (c->lost && job->changes)
        vd_diag_hint(diag, "the service may have done it before it ended: look with "
                           "'veridian key show'");
    vd_keyclient_put(c);
    return status;
}

vd_status vd_keyclient_run(struct vd_keyclient *client, struct vd_keyclient_job *job,
                           struct vd_diag *diag)
{
    struct vd_diag first = {};
    bool again;
    vd_status status = attempt(client, job, &again, &first);

    if (again) {
        struct vd_diag ignored = {};
        weed(client);
        vd_status second = attempt(client, job, &again, &ignored);
        if (second == VD_OK)
            return VD_OK;
        status = second;
        first = ignored;
    }
    if (status != VD_OK && diag != NULL && diag->status == VD_OK)
        *diag = first;
    return status;
}

static vd_status nothing(struct vd_keyclient_conn *c, void *ctx, struct vd_diag *diag)
{
    (void)c;
    (void)ctx;
    (void)diag;
    return VD_OK;
}

vd_status vd_keyclient_connect(struct vd_keyclient *client, struct vd_diag *diag)
{
    struct vd_keyclient_job job = {.once = nothing, .changes = true};

    return vd_keyclient_run(client, &job, diag);
}
