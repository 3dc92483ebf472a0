/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "kernel/loader/internal.h"

#include "kernel/loader/inner_map.h"
#include "lib/diagf.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CAPACITY_MIN (256u << 10)

/* bpf must stand in the list of security modules in force. */
static vd_status require_lsm(struct vd_diag *diag)
{
    static const char path[] = "/sys/kernel/security/lsm";
    VD_AUTO(vd_bytes_free) struct vd_bytes list = {};
    char *save = NULL;

    VD_TRY(vd_file_load(path, 4096, &list, diag));
    for (char *name = strtok_r((char *)list.data, ",\n", &save); name != NULL;
         name = strtok_r(NULL, ",\n", &save)) {
        if (strcmp(name, "bpf") == 0)
            return VD_OK;
    }
    vd_diag_hint(diag, "boot with bpf in lsm= on the kernel command line");
    return vd_diag_fail(diag, VD_E_UNSUPPORTED, "BPF is not among the kernel's security modules");
}

static vd_status read_inputs(struct vd_loader *loader, const struct vd_loader_options *options,
                             struct vd_diag *diag)
{
    VD_AUTO(vd_bytes_free) struct vd_bytes files = {};
    VD_AUTO(vd_bytes_free) struct vd_bytes fs = {};
    vd_status status;

    VD_TRY(vd_file_load(options->policy, VD_PDB_MAX_FILE, &loader->policy, diag));
    VD_TRY(vd_file_load(options->file_contexts, VD_LABEL_FILE_MAX, &files, diag));
    VD_TRY(vd_file_load(options->fs_contexts, VD_LABEL_FILE_MAX, &fs, diag));
    /* The kernel gets the blob alone. */
    loader->policy.size = vd_policydb_extent(loader->policy.data, loader->policy.size);
    status = vd_policydb_open(&loader->db, loader->policy.data, loader->policy.size, diag);
    if (status != VD_OK) {
        vd_diag_file(diag, options->policy);
        return status;
    }
    VD_TRY(vd_label_rules_parse((const char *)files.data, files.size, options->file_contexts,
                                &loader->rules, diag));
    return vd_fs_labels_parse((const char *)fs.data, fs.size, options->fs_contexts, &loader->fs,
                              diag);
}

/* Room for the policy and a larger one later: the capacity holds until the next boot. */
static vd_status load_kernel(struct vd_loader *loader, struct vd_diag *diag)
{
    uint32_t capacity = CAPACITY_MIN;
    struct vd_kernel *kernel = vd_kernel__open();
    VD_AUTO(vd_fd_close) int inner = -1;
    int ret;

    if (kernel == NULL)
        return vd_diagf_errno(diag, VD_E_SYSTEM, errno, "cannot open the BPF programs");
    loader->kernel = kernel;
    while (capacity < 2 * loader->policy.size)
        capacity *= 2;
    kernel->rodata->vd_policy_capacity = capacity;
    inner =
        vd_inner_map_resize(kernel->maps.vd_policy_outer, kernel->maps.vd_policy_initial, capacity);
    ret = inner < 0 ? inner : vd_kernel__load(kernel);
    if (ret != 0)
        return vd_diagf_errno(diag, VD_E_SYSTEM, -ret, "the kernel refuses the BPF programs");
    return VD_OK;
}

vd_status vd_loader_open(const struct vd_loader_options *options, struct vd_loader **ret,
                         struct vd_diag *diag)
{
    struct vd_loader *loader;
    vd_status status;

    if (access(VD_KERNEL_PIN_DIR, F_OK) == 0)
        return vd_diag_fail(diag, VD_E_EXISTS, "a policy is in force already");
    loader = calloc(1, sizeof(*loader));
    if (loader == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    loader->permissive = options->permissive;
    status = require_lsm(diag);
    if (status == VD_OK)
        status = read_inputs(loader, options, diag);
    if (status == VD_OK)
        status = load_kernel(loader, diag);
    if (status == VD_OK)
        status = vd_loader_fill(loader, diag);
    if (status != VD_OK) {
        vd_loader_free(loader);
        return status;
    }
    loader->facts.policy_size = loader->policy.size;
    *ret = loader;
    return VD_OK;
}

static vd_status put_inode(void *arg, int fd, const char *path, const char *context,
                           struct vd_diag *diag)
{
    struct vd_loader *loader = arg;
    struct vd_inode_label label = {};
    vd_status status = vd_loader_sid(loader, context, &label.sid, diag);

    if (status == VD_OK)
        status = vd_loader_put(loader->kernel->maps.vd_inodes, &fd, &label, diag);
    if (status != VD_OK)
        vd_diag_file(diag, path);
    return status;
}

vd_status vd_loader_label(struct vd_loader *loader, const char *path, struct vd_diag *diag)
{
    struct vd_label_walk walk = {
        .rules = loader->rules,
        .fs = &loader->fs,
        .apply = put_inode,
        .arg = loader,
    };

    VD_TRY(vd_label_tree(&walk, path, diag));
    loader->facts.files += walk.files;
    loader->facts.unmatched += walk.unmatched;
    return VD_OK;
}

/* Pins under the names that others open: without the prefix of the source. */
static vd_status pin(struct vd_loader *loader, struct vd_diag *diag)
{
    struct bpf_program *program;
    struct bpf_map *map;
    char path[128];
    int ret;

    if (mkdir(VD_KERNEL_PIN_DIR, 0700) != 0)
        return vd_diagf_errno(diag, VD_E_SYSTEM, errno, "cannot make %s", VD_KERNEL_PIN_DIR);
    bpf_object__for_each_map(map, loader->kernel->obj)
    {
        if (bpf_map__is_internal(map))
            continue; /* the programs' constants, which they hold */
        snprintf(path, sizeof(path), VD_KERNEL_PIN_DIR "/%s", bpf_map__name(map) + 3);
        ret = bpf_map__pin(map, path);
        if (ret != 0)
            return vd_diagf_errno(diag, VD_E_SYSTEM, -ret, "cannot pin %s", path);
    }
    bpf_object__for_each_program(program, loader->kernel->obj)
    {
        snprintf(path, sizeof(path), VD_KERNEL_PIN_DIR "/prog_%s", bpf_program__name(program) + 3);
        ret = bpf_program__pin(program, path);
        if (ret != 0)
            return vd_diagf_errno(diag, VD_E_SYSTEM, -ret, "cannot pin %s", path);
    }
    return VD_OK;
}

/* Attaches and pins each link; the last step, so that a failure before it leaves nothing. */
static vd_status attach(struct vd_loader *loader, struct vd_diag *diag)
{
    struct bpf_program *program;
    char path[128];
    int ret;

    bpf_object__for_each_program(program, loader->kernel->obj)
    {
        struct bpf_link *link = bpf_program__attach(program);
        if (link == NULL)
            return vd_diagf_errno(diag, VD_E_SYSTEM, errno, "cannot attach %s",
                                  bpf_program__name(program));
        snprintf(path, sizeof(path), VD_KERNEL_PIN_DIR "/link_%s", bpf_program__name(program) + 3);
        ret = bpf_link__pin(link, path);
        if (ret != 0) {
            bpf_link__destroy(link);
            return vd_diagf_errno(diag, VD_E_SYSTEM, -ret, "cannot pin %s", path);
        }
        bpf_link__destroy(link); /* closes our descriptor; the pin keeps it attached */
        loader->facts.programs++;
    }
    return VD_OK;
}

/* Takes back what a failed attach left: the last reference to a link detaches it. */
static void unpin(void)
{
    DIR *dir = opendir(VD_KERNEL_PIN_DIR);
    struct dirent *entry;

    if (dir == NULL)
        return;
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.')
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
    }
    closedir(dir);
    (void)rmdir(VD_KERNEL_PIN_DIR);
}

vd_status vd_loader_attach(struct vd_loader *loader, struct vd_diag *diag)
{
    uint32_t zero = 0;
    vd_status status;

    VD_TRY(vd_loader_put(loader->kernel->maps.vd_next_sid, &zero, &loader->next_sid, diag));
    loader->facts.contexts = loader->next_sid - 1;
    VD_TRY(vd_loader_guard(loader, diag));
    VD_TRY(vd_loader_tasks(loader, diag));
    status = pin(loader, diag);
    if (status == VD_OK)
        status = attach(loader, diag);
    if (status != VD_OK)
        unpin();
    return status;
}

const struct vd_loader_facts *vd_loader_facts(const struct vd_loader *loader)
{
    return &loader->facts;
}

void vd_loader_free(struct vd_loader *loader)
{
    if (loader == NULL)
        return;
    vd_kernel__destroy(loader->kernel);
    vd_label_rules_free(loader->rules);
    vd_bytes_free(&loader->policy);
    free(loader);
}
