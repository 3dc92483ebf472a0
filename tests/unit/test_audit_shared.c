/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The memory of the services' rings: which is taken up, and where it is mapped. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "services/audit/shared.h"
#include "tests/harness.h"

static struct vd_audit_arena arena;

static int memory(size_t size, int seals, int flags)
{
    int fd = memfd_create("test", (unsigned)(MFD_CLOEXEC | MFD_ALLOW_SEALING | flags));

    VD_EXPECT(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
    VD_EXPECT(seals == 0 || fcntl(fd, F_ADD_SEALS, seals) == 0);
    return fd;
}

static vd_status adopt(int fd)
{
    struct vd_audit_shared shared;
    vd_status status = vd_audit_shared_adopt(&arena, fd, &shared, NULL);

    if (status == VD_OK)
        vd_audit_shared_done(&arena, &shared);
    return status;
}

/* What is handed over must be a ring: sealed, of the right size and kind, read by nobody else. */
VD_TEST(shared_adopts_rings_only)
{
    const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    const size_t size = vd_auditring_bytes(1024);
    struct vd_auditring_head head = {.magic = VD_AUDITRING_MAGIC,
                                     .version = VD_AUDITRING_VERSION,
                                     .slots = 1024,
                                     .head = 100,
                                     .tail = 90};
    struct vd_auditring_head bad[] = {head, head, head, head, head, head};
    struct vd_audit_shared made;
    int fd;

    VD_EXPECT_EQ(vd_audit_arena_init(&arena, NULL), VD_OK);
    bad[0].magic++;
    bad[1].version++;
    bad[2].slots = 2048;
    bad[3].head = 90 + 1025;
    bad[4].tail = 101;
    bad[5].state = VD_AUDITRING_CLOSED;
    fd = memory(size, seals, 0);
    VD_EXPECT(pwrite(fd, &head, sizeof(head), 0) == sizeof(head));
    VD_EXPECT_EQ(adopt(fd), VD_OK);
    for (uint32_t i = 0; i < VD_COUNT(bad); i++) {
        VD_EXPECT(pwrite(fd, &bad[i], sizeof(head), 0) == sizeof(head));
        VD_EXPECT_EQ(adopt(fd), VD_E_INVALID);
    }
    close(fd);
    fd = memory(size, seals & ~F_SEAL_SHRINK, 0);
    VD_EXPECT(pwrite(fd, &head, sizeof(head), 0) == sizeof(head));
    VD_EXPECT_EQ(adopt(fd), VD_E_INVALID);
    close(fd);
    fd = memory(size - 4096, seals, 0);
    VD_EXPECT_EQ(adopt(fd), VD_E_INVALID);
    close(fd);
    fd = memory(VD_AUDITRING_MAX_BYTES + 4096, seals, 0);
    VD_EXPECT_EQ(adopt(fd), VD_E_INVALID);
    close(fd);
    fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    VD_EXPECT_EQ(adopt(fd), VD_E_INVALID);
    close(fd);
    VD_EXPECT_EQ(vd_audit_shared_make(&arena, &made, &fd, NULL), VD_OK);
    VD_EXPECT_EQ(adopt(fd), VD_E_EXISTS);
    vd_audit_shared_done(&arena, &made);
    VD_EXPECT_EQ(adopt(fd), VD_OK);
    close(fd);
    vd_audit_arena_done(&arena);
}

/* There are windows for so many rings, and each can be used again. */
VD_TEST(shared_windows)
{
    struct vd_audit_shared shared[VD_AUDIT_SHARED_MAX] = {};
    struct vd_audit_shared more;
    int fd[VD_AUDIT_SHARED_MAX], fd_more;

    VD_EXPECT_EQ(vd_audit_arena_init(&arena, NULL), VD_OK);
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < VD_AUDIT_SHARED_MAX; i++)
            VD_EXPECT_EQ(vd_audit_shared_make(&arena, &shared[i], &fd[i], NULL), VD_OK);
        VD_EXPECT_EQ(vd_audit_shared_make(&arena, &more, &fd_more, NULL), VD_E_BUSY);
        for (uint32_t i = 0; i < VD_AUDIT_SHARED_MAX; i++) {
            uint32_t at = (i * 7 + round) % VD_AUDIT_SHARED_MAX;
            vd_audit_shared_done(&arena, &shared[at]);
            close(fd[at]);
        }
    }
    VD_EXPECT_EQ(arena.used, 0);
    vd_audit_arena_done(&arena);
}
