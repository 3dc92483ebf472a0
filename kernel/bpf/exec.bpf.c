/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Tasks: birth, and the change of domain when a program is executed.
 *
 * bprm_creds_for_exec computes and judges the new context, and notes it in the
 * task; bprm_committed_creds, past the point of no return, puts it in force.
 * A task that reaches that point without a note loses its label, and with it
 * every permission.
 */
#include "kernel/bpf/xattr.bpf.h"

#define VD_UNSAFE_SHARE        1
#define VD_UNSAFE_PTRACE       2
#define VD_UNSAFE_NO_NEW_PRIVS 4

SEC("lsm/task_alloc")
int BPF_PROG(vd_task_alloc, struct task_struct *task, unsigned long clone_flags)
{
    struct vd_task_label *label;
    __u32 sid = vd_current_sid();
    int ret = vd_ask(VD_EVENT_FORK, sid, sid, VD_KC_PROCESS, VD_KP_FORK);

    if (ret != 0)
        return ret;
    label = bpf_task_storage_get(&vd_tasks, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
    if (label == NULL)
        return -VD_ENOMEM;
    label->sid = sid;
    return 0;
}

/* May `file` be executed by `source` at all? An unlabelled program may not. */
static __always_inline int vd_ask_program(struct linux_binprm *bprm, __u32 source, __u32 target,
                                          bool same)
{
    struct vd_request request;

    vd_request_init(&request, VD_EVENT_EXEC, source, target, VD_KC_FILE);
    vd_request_file(&request, bprm->file);
    vd_request_want(&request, VD_KP_EXECUTE);
    if (same)
        vd_request_want(&request, VD_KP_EXECUTE_NO_TRANS);
    return vd_check(&request);
}

/* The change from `source` to `next` by the program `target`. */
static __always_inline int vd_ask_transition(struct linux_binprm *bprm, __u32 source, __u32 next,
                                             __u32 target)
{
    struct vd_request request;
    int ret;

    vd_request_init(&request, VD_EVENT_TRANSITION, source, next, VD_KC_PROCESS);
    vd_request_file(&request, bprm->file);
    vd_request_want(&request, VD_KP_TRANSITION);
    if ((bprm->unsafe & VD_UNSAFE_SHARE) != 0)
        vd_request_want(&request, VD_KP_SHARE);
    if ((bprm->unsafe & VD_UNSAFE_PTRACE) != 0)
        vd_request_want(&request, VD_KP_PTRACE);
    ret = vd_check(&request);
    if (ret != 0)
        return ret;
    vd_request_init(&request, VD_EVENT_TRANSITION, next, target, VD_KC_FILE);
    vd_request_file(&request, bprm->file);
    vd_request_want(&request, VD_KP_ENTRYPOINT);
    return vd_check(&request);
}

SEC("lsm.s/bprm_creds_for_exec")
int BPF_PROG(vd_bprm_creds_for_exec, struct linux_binprm *bprm)
{
    struct task_struct *task = bpf_get_current_task_btf();
    __u32 source = vd_task_sid(task);
    __u32 target = vd_file_sid(bprm->file);
    struct vd_task_label *label;
    __u32 next = source;
    int ret;

    if (source != VD_SID_NONE && target != VD_SID_NONE)
        next = vd_transition_sid(source, target, VD_KC_PROCESS);
    /* A transition to a context that the policy forbids: judged as sid 0, refused. */
    if (next != source && (bprm->unsafe & VD_UNSAFE_NO_NEW_PRIVS) != 0 &&
        vd_ask(VD_EVENT_TRANSITION, source, next, VD_KC_PROCESS2, VD_KP_NNP_TRANSITION) != 0)
        next = source;
    ret = vd_ask_program(bprm, source, target, next == source);
    if (ret == 0 && next != source)
        ret = vd_ask_transition(bprm, source, next, target);
    if (ret != 0)
        return ret;
    label = bpf_task_storage_get(&vd_tasks, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
    if (label == NULL)
        return -VD_ENOMEM;
    /* A kernel thread on its way to a program has no label of its own yet. */
    if (label->sid == VD_SID_NONE)
        label->sid = source;
    label->exec_sid = next;
    return 0;
}

/* Called again for each interpreter of a script: that is a program too. */
SEC("lsm.s/bprm_check_security")
int BPF_PROG(vd_bprm_check, struct linux_binprm *bprm)
{
    return vd_ask_program(bprm, vd_current_sid(), vd_file_sid(bprm->file), false);
}

SEC("lsm/bprm_committed_creds")
int BPF_PROG(vd_bprm_committed, struct linux_binprm *bprm)
{
    struct vd_task_label *label =
        bpf_task_storage_get(&vd_tasks, bpf_get_current_task_btf(), NULL, 0);

    if (label == NULL)
        return 0;
    label->sid = label->exec_sid;
    label->exec_sid = VD_SID_NONE;
    return 0;
}
