/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * veridian-securityd where the kernel says the clients' contexts. The maps are
 * those that the kernel's programs use, made and filled here and pinned in a
 * bpffs of a private mount namespace: no program of the host is touched.
 */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/abi/kernel.h"
#include "core/mac/transition.h"
#include "core/policydb/format.h"
#include "lib/ipc/socket.h"
#include "tests/harness.h"
#include "tests/support/securityd.h"

#define ROOM 4096 /* bytes of the map beyond the policy, as the kernel's has */

static const char rules[] = "allow admin_t security_t:security { load_policy setbool compute_av };";

static struct {
    char pins[160], path[256];
    int tasks, contexts, outer;
} maps;

/* A type of so many bytes, which a map of task storage needs. */
static int storage_map(uint32_t bytes)
{
    struct btf *btf = btf__new_empty();
    int word = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
    int array = btf__add_array(btf, word, word, bytes / 4);
    int fd;

    VD_EXPECT(btf__add_struct(btf, "label", bytes) > 0);
    VD_EXPECT(btf__add_field(btf, "words", array, 0, 0) == 0);
    if (btf__load_into_kernel(btf) != 0)
        vd_test_skip("this system lets nobody load BTF");
    LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_NO_PREALLOC,
                .btf_fd = (uint32_t)btf__fd(btf), .btf_key_type_id = (uint32_t)word,
                .btf_value_type_id = (uint32_t)array + 1);
    fd = bpf_map_create(BPF_MAP_TYPE_TASK_STORAGE, "tasks", 4, bytes, 0, &options);
    btf__free(btf);
    return fd;
}

static void put_policy(const struct vd_secadmin_load *policy)
{
    uint32_t size = (uint32_t)vd_policydb_extent(policy->data, policy->size) + ROOM;
    uint8_t *value = calloc(1, size);
    uint32_t zero = 0;
    int inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "inner", 4, size, 1, NULL);

    VD_EXPECT(inner >= 0 && value != NULL);
    LIBBPF_OPTS(bpf_map_create_opts, options, .inner_map_fd = (uint32_t)inner);
    memcpy(value, policy->data, size - ROOM);
    VD_EXPECT(bpf_map_update_elem(inner, &zero, value, BPF_ANY) == 0);
    maps.outer = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "outer", 4, 4, 1, &options);
    VD_EXPECT(maps.outer >= 0);
    VD_EXPECT(bpf_map_update_elem(maps.outer, &zero, &inner, BPF_ANY) == 0);
    close(inner);
    free(value);
}

/* Sid 1 is the administrator's context, 2 the user's, 3 one that is not valid, 4 nothing. */
static void put_contexts(const struct vd_secadmin_load *policy)
{
    static const char *const texts[] = {ADMIN, USER, USER};
    struct vd_policydb db;

    VD_EXPECT_EQ(
        vd_policydb_open(&db, policy->data, vd_policydb_extent(policy->data, policy->size), NULL),
        VD_OK);
    maps.contexts =
        bpf_map_create(BPF_MAP_TYPE_ARRAY, "contexts", 4, sizeof(struct vd_context), 16, NULL);
    for (uint32_t sid = 1; sid <= VD_COUNT(texts); sid++) {
        struct vd_context context;
        VD_EXPECT_EQ(
            vd_mac_context_parse(&db, texts[sid - 1], strlen(texts[sid - 1]), &context, NULL),
            VD_OK);
        if (sid == 3)
            context.role++;
        VD_EXPECT(bpf_map_update_elem(maps.contexts, &sid, &context, BPF_ANY) == 0);
    }
}

static void pin(int fd, const char *name)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", maps.pins, name);
    VD_EXPECT(fd >= 0 && bpf_obj_pin(fd, path) == 0);
}

static void mount_bpffs(char ret[128])
{
    static bool mounted;

    snprintf(ret, 128, "%s/bpf", vd_test_tmpdir());
    if (mounted)
        return;
    if (geteuid() != 0)
        vd_test_skip("needs root: a mount namespace and BPF maps");
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        vd_test_skip("this system gives no mount namespace");
    mkdir(ret, 0700);
    if (mount("bpf", ret, "bpf", 0, NULL) != 0)
        vd_test_skip("this system mounts no bpffs");
    mounted = true;
}

/* A kernel that enforces a policy whose numbers are not those of the server's own. */
static void set_up(void)
{
    static uint32_t runs;
    struct vd_secadmin_load policy;
    char bpffs[128];

    mount_bpffs(bpffs);
    snprintf(maps.pins, sizeof(maps.pins), "%s/run%u", bpffs, runs++);
    VD_EXPECT(mkdir(maps.pins, 0700) == 0);
    policy = securityd_compile(
        "class file\nsid kernel\nclass file { read }\ntype user_t; type other_t; type admin_t;\n"
        "role user_r; role other_r; role system_r;\nrole user_r types user_t; role other_r types "
        "other_t;\nrole system_r types admin_t;\nuser user_u roles user_r;\nuser other_u roles "
        "other_r;\nuser system_u roles system_r;\nsid kernel system_u:system_r:admin_t\n");
    maps.tasks = storage_map(sizeof(struct vd_task_label));
    if (maps.tasks < 0)
        vd_test_skip("this system lets nobody make maps of task storage");
    put_contexts(&policy);
    put_policy(&policy);
    pin(maps.tasks, "tasks");
    pin(maps.contexts, "contexts");
    pin(maps.outer, "policy_outer");
    free((void *)(uintptr_t)policy.data);
    securityd_prepare(securityd_policy(rules));
    securityd.options[0] = "--kernel";
    securityd.options[1] = maps.pins;
}

/* The label of this process; 0: none. */
static void label_self(uint32_t sid)
{
    struct vd_task_label label = {.sid = sid};
    int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);

    VD_EXPECT(pidfd >= 0);
    if (sid != 0)
        VD_EXPECT(bpf_map_update_elem(maps.tasks, &pidfd, &label, BPF_ANY) == 0);
    close(pidfd);
}

/* In a child with that label: the status of a load of bytes that are no policy. */
static vd_status load_as(uint32_t sid)
{
    struct vd_secadmin_load load = {.data = VD_PDB_MAGIC, .size = 8};
    struct vd_secadmin_result result;
    int status;
    pid_t pid = fork();

    VD_EXPECT(pid >= 0);
    if (pid == 0) {
        label_self(sid);
        _exit((int)vd_secadmin_load(securityd.socket, &load, &result, NULL));
    }
    VD_EXPECT(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    return (vd_status)WEXITSTATUS(status);
}

VD_TEST(the_kernels_label_decides)
{
    set_up();
    securityd_start();
    VD_EXPECT_EQ(load_as(1), VD_E_TRUNCATED); /* allowed: the bytes were looked at */
    VD_EXPECT_EQ(load_as(2), VD_E_DENIED);
    VD_EXPECT_EQ(load_as(3), VD_E_DENIED); /* a context that the kernel's policy does not allow */
    VD_EXPECT_EQ(load_as(4), VD_E_DENIED); /* a row that is empty */
    VD_EXPECT_EQ(load_as(99), VD_E_DENIED);
    VD_EXPECT_EQ(load_as(0), VD_E_DENIED); /* no label at all */
}

/* A file that names root as administrator does not stand above the kernel. */
VD_TEST(the_file_of_peers_is_not_asked)
{
    set_up();
    securityd_peers("* " ADMIN "\n");
    securityd_start();
    VD_EXPECT_EQ(load_as(1), VD_E_TRUNCATED);
    VD_EXPECT_EQ(load_as(2), VD_E_DENIED);
    VD_EXPECT_EQ(load_as(0), VD_E_DENIED);
    /* The protection taken away: now the unlabelled one gets through. */
    securityd_stop();
    securityd.options[0] = NULL;
    securityd_start();
    VD_EXPECT_EQ(load_as(0), VD_E_TRUNCATED);
}

/*
 * A service asks who is at the other end of a socket: a child with another label connects and
 * stays; the asker has a label that may ask (1) or may not (2).
 */
static int ask_about(uint32_t mine, uint32_t other, const char *wanted)
{
    struct vd_secclient_options options = {.socket = securityd.socket,
                                           .server_uid = VD_SECCLIENT_ANY_UID};
    struct vd_secclient *client;
    struct vd_diag diag = {};
    int ends[2], told[2];
    char *text = NULL, byte = 0;
    vd_status status;
    pid_t pid;

    label_self(mine);
    VD_EXPECT(pipe(told) == 0);
    snprintf(maps.path, sizeof(maps.path), "%s/service", securityd.dir);
    unlink(maps.path);
    VD_EXPECT_EQ(vd_ipc_listen(maps.path, 0600, &ends[0], NULL), VD_OK);
    pid = fork();
    VD_EXPECT(pid >= 0);
    if (pid == 0) {
        label_self(other);
        if (vd_ipc_connect(maps.path, vd_ipc_deadline(5000), &ends[1], NULL) != VD_OK)
            _exit(1);
        (void)!write(told[1], "c", 1);
        pause();
        _exit(0);
    }
    struct vd_ipc_peer peer;
    VD_EXPECT(read(told[0], &byte, 1) == 1);
    VD_EXPECT_EQ(vd_ipc_accept(ends[0], &ends[1], &peer, NULL), VD_OK);
    VD_EXPECT_EQ(vd_secclient_new(&options, &client, NULL), VD_OK);
    status = vd_secclient_peer(client, ends[1], &text, &diag);
    if (status == VD_OK)
        VD_EXPECT_STR(text, wanted);
    free(text);
    vd_secclient_free(client);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(ends[0]);
    close(ends[1]);
    close(told[0]);
    close(told[1]);
    return (int)status;
}

/* In a child, since its label is its own. */
static int asked(uint32_t mine, uint32_t other, const char *wanted)
{
    int status;
    pid_t pid = fork();

    VD_EXPECT(pid >= 0);
    if (pid == 0)
        _exit(ask_about(mine, other, wanted));
    VD_EXPECT(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    return WEXITSTATUS(status);
}

VD_TEST(the_other_end_of_a_socket)
{
    set_up();
    securityd_start();
    VD_EXPECT_EQ(asked(1, 2, "user_u:user_r:user_t"), VD_OK);
    VD_EXPECT_EQ(asked(1, 1, "system_u:system_r:admin_t"), VD_OK);
    VD_EXPECT_EQ(asked(1, 0, ""), VD_E_DENIED);  /* no label at all */
    VD_EXPECT_EQ(asked(1, 99, ""), VD_E_DENIED); /* no such context */
    VD_EXPECT_EQ(asked(2, 1, ""), VD_E_DENIED);  /* who may not ask */
}

/* Maps that are missing or of another form: no start, rather than one without contexts. */
VD_TEST(wrong_maps_do_not_start)
{
    char path[256];

    set_up();
    snprintf(path, sizeof(path), "%s/tasks", maps.pins);
    VD_EXPECT(unlink(path) == 0);
    VD_EXPECT_EQ(securityd_try_start(), 2);
    pin(maps.contexts, "tasks");
    VD_EXPECT_EQ(securityd_try_start(), 2);
    securityd.options[1] = "/nonexistent";
    VD_EXPECT_EQ(securityd_try_start(), 2);
}
