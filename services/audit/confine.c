/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "services/audit/confine.h"

#include <errno.h>
#include <grp.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/diagf.h"
#include "lib/file.h"
#include "services/audit/sys.h"

vd_status vd_audit_user_parse(const char *text, uint32_t *ret_uid, uint32_t *ret_gid,
                              struct vd_diag *diag)
{
    unsigned long uid, gid = 0;
    char *end;

    errno = 0;
    uid = strtoul(text, &end, 10);
    if (*end == ':' && end != text && end[1] >= '0' && end[1] <= '9')
        gid = strtoul(end + 1, &end, 10);
    else
        end = NULL;
    if (end == NULL || *end != '\0' || errno != 0 || text[0] < '0' || text[0] > '9' ||
        uid >= UINT32_MAX || gid >= UINT32_MAX)
        return vd_diagf(diag, VD_E_USAGE, "\"%s\" is not a user: expected UID:GID in numbers",
                        text);
    *ret_uid = (uint32_t)uid;
    *ret_gid = (uint32_t)gid;
    return VD_OK;
}

static vd_status drop_capabilities(struct vd_diag *diag)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};

    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 ||
        syscall(SYS_capset, &head, none) != 0)
        return vd_audit_errno(diag, errno, "cannot drop the capabilities", NULL);
    return VD_OK;
}

vd_status vd_audit_confine_user(const char *user, struct vd_diag *diag)
{
    uint32_t uid, gid;

    if (user != NULL) {
        VD_TRY(vd_audit_user_parse(user, &uid, &gid, diag));
        if (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 ||
            setresuid(uid, uid, uid) != 0)
            return vd_audit_errno(diag, errno, "cannot become the user", user);
    }
    return drop_capabilities(diag);
}

#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_LOG                                                               \
    (FS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | \
     LANDLOCK_ACCESS_FS_REMOVE_FILE)
/* All rights of ABI 1: what is named here and not allowed below is refused. */
#define FS_ALL ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)

static bool allow_beneath(int ruleset, int dir, uint64_t rights)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = rights, .parent_fd = dir};

    return dir < 0 ||
           syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
}

/* False where the kernel has no Landlock. */
static vd_status restrict_files(const struct vd_audit_confinement *c, bool *ret_there,
                                struct vd_diag *diag)
{
    struct landlock_ruleset_attr attr = {.handled_access_fs = FS_ALL};
    int ruleset VD_AUTO(vd_fd_close) =
        (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr.handled_access_fs), 0);

    *ret_there = ruleset >= 0;
    if (ruleset < 0 && (errno == ENOSYS || errno == EOPNOTSUPP))
        return VD_OK;
    if (ruleset < 0 || !allow_beneath(ruleset, c->log_dir, FS_LOG) ||
        !allow_beneath(ruleset, c->policy_dir, FS_READ) ||
        syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
        return vd_audit_errno(diag, errno, "cannot restrict the files (Landlock)", NULL);
    return VD_OK;
}

static const int allowed_calls[] = {
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(close),
    SCMP_SYS(openat),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(lseek),
    SCMP_SYS(fcntl),
    SCMP_SYS(getdents64),
    SCMP_SYS(flock),
    SCMP_SYS(fsync),
    SCMP_SYS(fdatasync),
    SCMP_SYS(renameat2),
    SCMP_SYS(unlinkat),
    SCMP_SYS(mmap),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(futex),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(getrandom),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(tgkill),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(restart_syscall),
};

static vd_status restrict_calls(struct vd_diag *diag)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    int ret = filter == NULL ? -ENOMEM : 0;

    for (size_t i = 0; i < VD_COUNT(allowed_calls) && ret == 0; i++)
        ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed_calls[i], 0);
    /* Names of contexts and the counters: reading maps, nothing else of bpf(2). */
    if (ret == 0)
        ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(bpf), 1,
                               SCMP_A0(SCMP_CMP_EQ, BPF_MAP_LOOKUP_ELEM));
    /* isatty(), asked before a message gets colours. */
    if (ret == 0)
        ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
                               SCMP_A1(SCMP_CMP_EQ, TCGETS));
    if (ret == 0)
        ret = seccomp_load(filter);
    if (filter != NULL)
        seccomp_release(filter);
    return ret == 0 ? VD_OK : vd_audit_errno(diag, -ret, "cannot restrict the system calls", NULL);
}

vd_status vd_audit_confine(const struct vd_audit_confinement *c, char *ret_missing, size_t size,
                           struct vd_diag *diag)
{
    struct vd_text missing;
    bool landlock;

    vd_text_init(&missing, ret_missing, size);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return vd_audit_errno(diag, errno, "cannot set no_new_privs", NULL);
    VD_TRY(restrict_files(c, &landlock, diag));
    if (!landlock)
        vd_text_str(&missing, "Landlock");
    return restrict_calls(diag);
}
