/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "services/audit/names.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "services/audit/sys.h"

static vd_status open_policy_dir(struct vd_audit_names *names, const char *path,
                                 struct vd_diag *diag)
{
    const char *slash = strrchr(path, '/');
    char dir[4096] = ".";

    if (slash != NULL) {
        size_t len = slash == path ? 1 : (size_t)(slash - path);
        if (len >= sizeof(dir))
            return vd_diag_fail(diag, VD_E_LIMIT, "the policy's path is too long");
        memcpy(dir, path, len);
        dir[len] = '\0';
    }
    names->policy_name = slash == NULL ? path : slash + 1;
    names->policy_dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (names->policy_dir < 0)
        return vd_audit_errno(diag, errno, "cannot open the policy's directory", dir);
    return VD_OK;
}

/* Reads the policy; on failure the names of before are gone, since they may be wrong. */
static vd_status load_policy(struct vd_audit_names *names, struct vd_diag *diag)
{
    int fd VD_AUTO(vd_fd_close) =
        openat(names->policy_dir, names->policy_name, O_RDONLY | O_CLOEXEC);

    names->loaded = false;
    vd_bytes_free(&names->blob);
    names->blob = (struct vd_bytes){};
    if (fd < 0)
        return vd_audit_errno(diag, errno, "cannot open the policy", names->policy_name);
    VD_TRY(vd_file_load_fd(fd, names->policy_name, VD_PDB_MAX_FILE, &names->blob, diag));
    vd_diag_file(diag, names->policy_name);
    names->blob.size = vd_policydb_extent(names->blob.data, names->blob.size);
    VD_TRY(vd_policydb_open(&names->db, names->blob.data, names->blob.size, diag));
    names->loaded = true;
    return VD_OK;
}

vd_status vd_audit_names_init(struct vd_audit_names *ret, const char *policy_path,
                              const char *contexts_path, struct vd_diag *diag)
{
    vd_status status = VD_OK;

    memset(ret, 0, sizeof(*ret));
    ret->policy_dir = ret->contexts_fd = -1;
    if (policy_path != NULL)
        status = open_policy_dir(ret, policy_path, diag);
    if (status == VD_OK && policy_path != NULL)
        status = load_policy(ret, diag);
    if (status == VD_OK && contexts_path != NULL) {
        /* To read alone: who may write there could change every label. */
        LIBBPF_OPTS(bpf_obj_get_opts, read_only, .file_flags = BPF_F_RDONLY);
        ret->contexts_fd = bpf_obj_get_opts(contexts_path, &read_only);
        if (ret->contexts_fd < 0)
            status = vd_audit_errno(diag, errno, "cannot open the map of contexts", contexts_path);
    }
    if (status != VD_OK)
        vd_audit_names_done(ret);
    return status;
}

void vd_audit_names_done(struct vd_audit_names *names)
{
    vd_fd_close(&names->policy_dir);
    vd_fd_close(&names->contexts_fd);
    vd_bytes_free(&names->blob);
    names->loaded = false;
}

static struct vd_audit_text text_of(const struct vd_text *text)
{
    return (struct vd_audit_text){text->buf, (uint32_t)text->len};
}

/* The context of a sid as text in `buf`; false where it is not known. */
static bool context_text(struct vd_audit_names *names, uint32_t sid, char *buf,
                         struct vd_audit_text *ret)
{
    struct vd_context context;
    struct vd_text text;

    if (!names->loaded || names->contexts_fd < 0 || sid == 0 ||
        bpf_map_lookup_elem(names->contexts_fd, &sid, &context) != 0 || context.type == 0)
        return false;
    vd_text_init(&text, buf, VD_AUDIT_CONTEXT_TEXT);
    vd_mac_context_text(&names->db, &context, &text);
    *ret = text_of(&text);
    return true;
}

static struct vd_audit_text perms_text(const struct vd_audit_names *names, uint32_t class,
                                       uint32_t mask, char *buf, size_t size)
{
    struct vd_text text;

    vd_text_init(&text, buf, size);
    for (uint32_t bit = 0; bit < VD_PDB_MAX_PERMS; bit++) {
        const char *name = vd_policydb_perm_name(&names->db, class, bit);
        if ((mask >> bit & 1) == 0)
            continue;
        if (text.len != 0)
            vd_text_str(&text, " ");
        vd_text_str(&text, name != NULL ? name : "?");
    }
    return text_of(&text);
}

static void set_action(struct vd_audit_names *names, const struct vd_event *event,
                       struct vd_audit_record *r)
{
    VD_AUDIT_SET(r, HOOK, hook, event->hook);
    VD_AUDIT_SET(r, DETAIL, detail, event->detail);
    VD_AUDIT_SET(r, CLASS, class_number, event->class);
    VD_AUDIT_SET(r, REQUESTED, requested, event->requested);
    VD_AUDIT_SET(r, DENIED, denied, event->denied);
    if (!names->loaded || event->class == 0)
        return;
    const char *class = vd_policydb_name(&names->db, VD_SYM_CLASS, event->class);
    VD_AUDIT_SET(r, CLASS_NAME, class_name,
                 ((struct vd_audit_text){class, (uint32_t)strlen(class)}));
    VD_AUDIT_SET(r, OBJECT_KIND, object_kind, r->class_name);
    VD_AUDIT_SET(r, REQUESTED_NAMES, requested_names,
                 perms_text(names, event->class, event->requested, names->requested,
                            sizeof(names->requested)));
    VD_AUDIT_SET(
        r, DENIED_NAMES, denied_names,
        perms_text(names, event->class, event->denied, names->denied, sizeof(names->denied)));
}

static void set_subject(struct vd_audit_names *names, const struct vd_event *event,
                        struct vd_audit_record *r)
{
    struct vd_audit_text text;
    uint32_t comm = (uint32_t)strnlen(event->comm, sizeof(event->comm));

    VD_AUDIT_SET(r, PID, pid, event->pid);
    VD_AUDIT_SET(r, TGID, tgid, event->tgid);
    VD_AUDIT_SET(r, UID, uid, event->uid);
    VD_AUDIT_SET(r, GID, gid, event->gid);
    VD_AUDIT_SET(r, COMM, comm, ((struct vd_audit_text){event->comm, comm}));
    VD_AUDIT_SET(r, SUBJECT_SID, subject_sid, event->subject_sid);
    if (context_text(names, event->subject_sid, names->subject, &text))
        VD_AUDIT_SET(r, SUBJECT_CONTEXT, subject_context, text);
}

static void set_object(struct vd_audit_names *names, const struct vd_event *event,
                       struct vd_audit_record *r)
{
    struct vd_audit_text text;

    if (event->path_len != 0)
        VD_AUDIT_SET(r, PATH, path, ((struct vd_audit_text){event->path, event->path_len}));
    if (event->inode != 0) {
        VD_AUDIT_SET(r, DEVICE, device, event->device);
        VD_AUDIT_SET(r, INODE, inode, event->inode);
    }
    VD_AUDIT_SET(r, OBJECT_SID, object_sid, event->object_sid);
    if (context_text(names, event->object_sid, names->object, &text))
        VD_AUDIT_SET(r, OBJECT_CONTEXT, object_context, text);
    if (event->new_sid != 0)
        VD_AUDIT_SET(r, NEW_SID, new_sid, event->new_sid);
    if (context_text(names, event->new_sid, names->next, &text))
        VD_AUDIT_SET(r, NEW_CONTEXT, new_context, text);
}

void vd_audit_names_record(struct vd_audit_names *names, const struct vd_event *event,
                           uint64_t boot_offset_ns, struct vd_audit_record *ret)
{
    *ret = (struct vd_audit_record){.type = event->type};
    if (names->policy_dir >= 0 && event->policy_seqno != 0 && event->policy_seqno != names->seqno) {
        /* Without names the numbers stand alone: no name is better than a wrong one. */
        if (names->seqno != 0)
            (void)!load_policy(names, NULL);
        names->seqno = event->policy_seqno;
    }
    VD_AUDIT_SET(ret, REALTIME, realtime_ns, event->time_ns + boot_offset_ns);
    VD_AUDIT_SET(ret, BOOTTIME, boottime_ns, event->time_ns);
    VD_AUDIT_SET(ret, EVENT_SEQUENCE, event_sequence, event->sequence);
    set_subject(names, event, ret);
    set_object(names, event, ret);
    set_action(names, event, ret);
    VD_AUDIT_SET(ret, VERDICT, verdict, event->verdict);
    VD_AUDIT_SET(ret, PERMISSIVE, permissive, event->permissive);
    VD_AUDIT_SET(ret, ERROR, error, event->error);
    VD_AUDIT_SET(ret, POLICY_SEQNO, policy_seqno, event->policy_seqno);
    VD_AUDIT_SET(ret, FLAGS, flags, event->flags);
}
