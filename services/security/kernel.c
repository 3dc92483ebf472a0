/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "services/security/kernel.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/abi/security.h"
#include "core/mac/transition.h"
#include "lib/diagf.h"
#include "lib/sys.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif

/* A pinned map, to read alone: who may write there could change every label. */
static vd_status open_map(const char *dir, const char *name, uint32_t value_size, int *ret_fd,
                          struct vd_diag *diag)
{
    LIBBPF_OPTS(bpf_obj_get_opts, read_only, .file_flags = BPF_F_RDONLY);
    struct bpf_map_info info = {};
    uint32_t size = sizeof(info);
    char path[PATH_MAX];
    int fd VD_AUTO(vd_fd_close) = -1;

    if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
        return vd_diag_fail(diag, VD_E_LIMIT, "the path of a map is too long");
    fd = bpf_obj_get_opts(path, &read_only);
    if (fd < 0)
        return vd_sys_errno(diag, errno, "cannot open the kernel's map", path);
    if (bpf_obj_get_info_by_fd(fd, &info, &size) != 0)
        return vd_sys_errno(diag, errno, "cannot ask about the kernel's map", path);
    if (value_size != 0 && info.value_size != value_size) {
        vd_diag_file(diag, path);
        return vd_diagf(diag, VD_E_VERSION, "values of %u bytes, expected %u", info.value_size,
                        value_size);
    }
    *ret_fd = fd;
    fd = -1;
    return VD_OK;
}

/* The policy out of the one slot of the outer map: the very bytes that the kernel decides by. */
static vd_status read_policy(const char *dir, struct vd_secd_policy *ret, struct vd_diag *diag)
{
    LIBBPF_OPTS(bpf_get_fd_by_id_opts, read_only, .open_flags = BPF_F_RDONLY);
    VD_AUTO(vd_bytes_free) struct vd_bytes bytes = {};
    int outer VD_AUTO(vd_fd_close) = -1;
    int inner VD_AUTO(vd_fd_close) = -1;
    struct bpf_map_info info = {};
    uint32_t size = sizeof(info);
    uint32_t zero = 0, id = 0;

    VD_TRY(open_map(dir, "policy_outer", sizeof(id), &outer, diag));
    if (bpf_map_lookup_elem(outer, &zero, &id) != 0)
        return vd_sys_errno(diag, errno, "the kernel's map has no policy", NULL);
    /* To read alone: whoever may write there could change the policy. */
    inner = bpf_map_get_fd_by_id_opts(id, &read_only);
    if (inner < 0 || bpf_obj_get_info_by_fd(inner, &info, &size) != 0)
        return vd_sys_errno(diag, errno, "cannot open the kernel's policy", NULL);
    if (info.value_size == 0 || info.value_size > VD_PDB_MAX_SIZE)
        return vd_diag_fail(diag, VD_E_LIMIT, "the kernel's policy is too large");
    bytes.size = info.value_size;
    bytes.data = malloc(((size_t)info.value_size + 7) & ~(size_t)7);
    if (bytes.data == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for the kernel's policy");
    if (bpf_map_lookup_elem(inner, &zero, bytes.data) != 0)
        return vd_sys_errno(diag, errno, "cannot read the kernel's policy", NULL);
    /* The map's value may be larger than the policy; the rest is zero. */
    if (bytes.size >= sizeof(struct vd_pdb_header)) {
        uint32_t total = ((const struct vd_pdb_header *)(const void *)bytes.data)->total_size;
        bytes.size = total < bytes.size ? total : bytes.size;
    }
    return vd_secd_policy_open(&bytes, ret, diag);
}

static vd_status open_all(const char *dir, struct vd_secd_kernel *kernel, struct vd_diag *diag)
{
    VD_TRY(open_map(dir, "tasks", sizeof(struct vd_task_label), &kernel->tasks, diag));
    VD_TRY(open_map(dir, "contexts", sizeof(struct vd_context), &kernel->contexts, diag));
    return read_policy(dir, &kernel->policy, diag);
}

vd_status vd_secd_kernel_open(const char *dir, struct vd_secd_kernel *ret, struct vd_diag *diag)
{
    struct vd_secd_kernel kernel = {.there = true, .tasks = -1, .contexts = -1};
    vd_status status;

    if (dir == NULL) {
        dir = VD_KERNEL_PIN_DIR;
        if (access(dir, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR)) {
            *ret = (struct vd_secd_kernel){.tasks = -1, .contexts = -1};
            return VD_OK;
        }
    }
    status = open_all(dir, &kernel, diag);
    if (status != VD_OK) {
        vd_secd_kernel_close(&kernel);
        return status;
    }
    *ret = kernel;
    return VD_OK;
}

void vd_secd_kernel_close(struct vd_secd_kernel *kernel)
{
    vd_fd_close(&kernel->tasks);
    vd_fd_close(&kernel->contexts);
    vd_secd_policy_done(&kernel->policy);
    kernel->there = false;
}

/* The label of the process behind the connection; 0: none. */
static uint32_t peer_sid(const struct vd_secd_kernel *kernel, int fd)
{
    int pidfd VD_AUTO(vd_fd_close) = -1;
    struct vd_task_label label = {};
    socklen_t size = sizeof(pidfd);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) != 0 || pidfd < 0 ||
        bpf_map_lookup_elem(kernel->tasks, &pidfd, &label) != 0)
        return 0;
    return label.sid;
}

char *vd_secd_kernel_context(const struct vd_secd_kernel *kernel, int fd)
{
    char buf[VD_SEC_CONTEXT_MAX + 1];
    struct vd_context context = {};
    uint32_t sid = peer_sid(kernel, fd);
    struct vd_text text;

    if (sid == 0 || bpf_map_lookup_elem(kernel->contexts, &sid, &context) != 0 ||
        !vd_mac_context_valid(&kernel->policy.db, &context))
        return NULL;
    vd_text_init(&text, buf, sizeof(buf));
    vd_mac_context_text(&kernel->policy.db, &context, &text);
    return text.cut ? NULL : strdup(buf);
}
