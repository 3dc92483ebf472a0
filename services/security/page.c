/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "services/security/page.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/file.h"
#include "lib/sys.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL)

_Static_assert(VD_SEC_PAGE_DEAD == FUTEX_OWNER_DIED, "the kernel sets it");
_Static_assert(VD_SEC_PAGE_TID == FUTEX_TID_MASK, "the kernel compares it");

/*
 * The list that the kernel walks when the thread ends. Its entry is private, so
 * that no client reads an address of this process; `futex_offset` leads from
 * the entry to the word in the page.
 */
static struct robust_list entry;
static struct robust_list_head head;

static vd_status join_robust_list(struct vd_sec_page *page, struct vd_diag *diag)
{
    entry.next = &head.list;
    head.list.next = &entry;
    head.futex_offset = (long)((uintptr_t)&page->alive - (uintptr_t)&entry);
    head.list_op_pending = NULL;
    if (syscall(SYS_set_robust_list, &head, sizeof(head)) != 0)
        return vd_sys_errno(diag, errno, "cannot join the list of robust futexes", NULL);
    return VD_OK;
}

vd_status vd_secd_page_init(struct vd_secd_page *ret, struct vd_diag *diag)
{
    int fd VD_AUTO(vd_fd_close) =
        memfd_create("veridian-security", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    struct vd_sec_page *page;

    if (fd < 0 || ftruncate(fd, VD_SEC_PAGE_BYTES) != 0)
        return vd_sys_errno(diag, errno, "cannot make the clients' page", NULL);
    page = mmap(NULL, VD_SEC_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED)
        return vd_sys_errno(diag, errno, "cannot map the clients' page", NULL);
    /* After this no new writable mapping can be made, by whoever holds the descriptor. */
    if (fcntl(fd, F_ADD_SEALS, SEALS) != 0)
        return vd_sys_errno(diag, errno, "cannot seal the clients' page", NULL);
    page->magic = VD_SEC_PAGE_MAGIC;
    page->version = VD_SEC_PROTOCOL;
    VD_TRY(join_robust_list(page, diag));
    __atomic_store_n(&page->alive, (uint32_t)gettid(), __ATOMIC_RELEASE);
    *ret = (struct vd_secd_page){.fd = fd, .mapped = page};
    fd = -1;
    return VD_OK;
}

void vd_secd_page_done(struct vd_secd_page *page)
{
    if (page->mapped != NULL) {
        __atomic_store_n(&page->mapped->alive, 0, __ATOMIC_RELEASE);
        head.list.next = &head.list;
        munmap(page->mapped, VD_SEC_PAGE_BYTES);
        page->mapped = NULL;
    }
    vd_fd_close(&page->fd);
}

void vd_secd_page_publish(struct vd_secd_page *page, uint64_t stamp, uint32_t sequence,
                          uint64_t checksum)
{
    struct vd_sec_page *p = page->mapped;
    uint32_t lock = p->lock;

    __atomic_store_n(&p->lock, lock + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    __atomic_store_n(&p->sequence, sequence, __ATOMIC_RELAXED);
    __atomic_store_n(&p->checksum, checksum, __ATOMIC_RELAXED);
    __atomic_store_n(&p->stamp, stamp, __ATOMIC_RELEASE);
    __atomic_store_n(&p->lock, lock + 2, __ATOMIC_RELEASE);
}
