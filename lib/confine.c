/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "lib/confine.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/diagf.h"
#include "lib/file.h"
#include "lib/sys.h"

vd_status vd_confine_user_parse(const char *text, uint32_t *ret_uid, uint32_t *ret_gid,
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
        return vd_sys_errno(diag, errno, "cannot drop the capabilities", NULL);
    return VD_OK;
}

vd_status vd_confine_user(const char *user, struct vd_diag *diag)
{
    uint32_t uid, gid;

    if (user != NULL) {
        VD_TRY(vd_confine_user_parse(user, &uid, &gid, diag));
        if (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 ||
            setresuid(uid, uid, uid) != 0)
            return vd_sys_errno(diag, errno, "cannot become the user", user);
    }
    return drop_capabilities(diag);
}

#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_FILE (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE) /* has a file */
#define FS_WRITE                                                             \
    (FS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | \
     LANDLOCK_ACCESS_FS_REMOVE_FILE)
/* All rights of ABI 1: what is named here and not allowed below is refused. */
#define FS_ALL ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)

static bool allow_beneath(int ruleset, const struct vd_confine_dir *dir)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = dir->write ? FS_WRITE : FS_READ,
                                              .parent_fd = dir->fd};
    struct stat st;

    if (dir->fd < 0)
        return true;
    if (fstat(dir->fd, &st) != 0)
        return false;
    if (!S_ISDIR(st.st_mode))
        rule.allowed_access &= FS_FILE;
    return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
}

vd_status vd_confine_files(const struct vd_confine_dir *dirs, uint32_t count, bool *ret_there,
                           struct vd_diag *diag)
{
    struct landlock_ruleset_attr attr = {.handled_access_fs = FS_ALL};
    int ruleset VD_AUTO(vd_fd_close) = -1;
    bool good = true;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return vd_sys_errno(diag, errno, "cannot set no_new_privs", NULL);
    ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr.handled_access_fs), 0);
    *ret_there = ruleset >= 0;
    if (ruleset < 0 && (errno == ENOSYS || errno == EOPNOTSUPP))
        return VD_OK;
    for (uint32_t i = 0; i < count && good && ruleset >= 0; i++)
        good = allow_beneath(ruleset, &dirs[i]);
    if (ruleset < 0 || !good || syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
        return vd_sys_errno(diag, errno, "cannot restrict the files (Landlock)", NULL);
    return VD_OK;
}

static int add_call(scmp_filter_ctx filter, const struct vd_confine_call *call)
{
    uint64_t mask = call->mask != 0 ? call->mask : UINT64_MAX;

    if (call->argument == VD_CONFINE_REFUSED)
        return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), call->number, 0);
    if (call->argument < 0)
        return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call->number, 0);
    return seccomp_rule_add(
        filter, SCMP_ACT_ALLOW, call->number, 1,
        SCMP_CMP64((unsigned int)call->argument, SCMP_CMP_MASKED_EQ, mask, call->value));
}

vd_status vd_confine_calls(const struct vd_confine_call *calls, uint32_t count,
                           struct vd_diag *diag)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    int ret = filter == NULL ? -ENOMEM : 0;

    if (ret == 0)
        ret = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    for (uint32_t i = 0; i < count && ret == 0; i++)
        ret = add_call(filter, &calls[i]);
    if (ret == 0)
        ret = seccomp_load(filter);
    if (filter != NULL)
        seccomp_release(filter);
    return ret == 0 ? VD_OK : vd_sys_errno(diag, -ret, "cannot restrict the system calls", NULL);
}
