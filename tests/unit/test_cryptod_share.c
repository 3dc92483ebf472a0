/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Memory of the key process: what one user takes leaves something for the others. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "services/crypto/server.h"
#include "tests/harness.h"

#define LARGE (32u << 20) /* bytes of a request; nobody touches them */
#define CONNS 256u

static struct vd_keyd server;
static struct vd_keyd_user users[2];
static struct vd_keyd_conn *conns[CONNS];

static struct vd_keyd_conn *conn(uint32_t i, struct vd_keyd_user *user)
{
    conns[i] = vd_keyd_conn_new(&server, -1);
    VD_EXPECT(conns[i] != NULL);
    conns[i]->user = user;
    return conns[i];
}

static vd_status work(struct vd_keyd_conn *c)
{
    uint8_t *data;

    return vd_keyd_arena_take(c, LARGE, &data, NULL);
}

/* A shared buffer of the largest size, on one connection. */
static vd_status map(struct vd_keyd_conn *c)
{
    struct vd_keyd_call call = {.verb = VD_KEY_BUFFER, .ret_fd = -1};
    uint8_t request[8], answer[8];
    struct vd_writer w;
    vd_status status;

    call.fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    VD_EXPECT(ftruncate(call.fd, VD_KEY_BUFFER_BYTES) == 0);
    VD_EXPECT(fcntl(call.fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0);
    vd_writer_init(&w, request, sizeof(request));
    vd_write_le64(&w, VD_KEY_BUFFER_BYTES);
    vd_reader_init(&call.in, request, w.len);
    vd_writer_init(&call.out, answer, sizeof(answer));
    status = vd_keyd_buffer(c, &call, NULL);
    close(call.fd);
    return status;
}

/* How often `user` gets it, each time on another connection, or `each` times on one. */
static uint32_t take_all(vd_status (*take)(struct vd_keyd_conn *), struct vd_keyd_user *user,
                         uint32_t each)
{
    uint32_t taken = 0;

    for (uint32_t i = 0; i < CONNS - 1; i++) {
        struct vd_keyd_conn *c = conn(i, user);
        for (uint32_t k = 0; k < each; k++) {
            vd_status status = take(c);
            if (status != VD_OK) {
                VD_EXPECT_EQ(status, VD_E_NO_MEMORY);
                return taken;
            }
            taken++;
        }
    }
    return taken;
}

static void let_go(void)
{
    for (uint32_t i = 0; i < CONNS; i++) {
        if (conns[i] != NULL)
            vd_keyd_conn_free(conns[i]);
        conns[i] = NULL;
    }
    VD_EXPECT_EQ(server.arena_bytes, 0);
    VD_EXPECT_EQ(server.mapped_bytes, 0);
    VD_EXPECT_EQ(users[0].arena_bytes, 0);
    VD_EXPECT_EQ(users[0].mapped_bytes, 0);
}

static void set_up(void)
{
    users[0] = (struct vd_keyd_user){.uid = 1000};
    users[1] = (struct vd_keyd_user){.uid = 1001};
}

VD_TEST(private_memory_has_shares)
{
    set_up();
    VD_EXPECT_EQ(take_all(work, &users[0], 1), VD_KEYD_ARENA_BYTES / VD_KEYD_USER_SHARE / LARGE);
    VD_EXPECT_EQ(work(conn(CONNS - 1, &users[1])), VD_OK);
    let_go();
    /* The control: one without a share takes all, and the next gets nothing. */
    users[0].own = true;
    VD_EXPECT_EQ(take_all(work, &users[0], 1), VD_KEYD_ARENA_BYTES / LARGE);
    VD_EXPECT_EQ(work(conn(CONNS - 1, &users[1])), VD_E_NO_MEMORY);
    let_go();
}

VD_TEST(shared_buffers_have_shares)
{
    uint32_t all = (uint32_t)(VD_KEYD_MAPPED_BYTES / VD_KEY_BUFFER_BYTES);

    set_up();
    VD_EXPECT_EQ(take_all(map, &users[0], VD_KEY_BUFFERS_MAX), all / VD_KEYD_USER_SHARE);
    VD_EXPECT_EQ(map(conn(CONNS - 1, &users[1])), VD_OK);
    let_go();
    users[0].own = true;
    VD_EXPECT_EQ(take_all(map, &users[0], VD_KEY_BUFFERS_MAX), all);
    VD_EXPECT_EQ(map(conn(CONNS - 1, &users[1])), VD_E_NO_MEMORY);
    let_go();
}
