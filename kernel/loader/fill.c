/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "kernel/loader/internal.h"

#include "core/mac/transition.h"
#include "lib/diagf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

vd_status vd_loader_put(const struct bpf_map *map, const void *key, const void *value,
                        struct vd_diag *diag)
{
    int ret = bpf_map__update_elem(map, key, bpf_map__key_size(map), value,
                                   bpf_map__value_size(map), BPF_ANY);

    if (ret != 0)
        return vd_diagf_errno(diag, VD_E_SYSTEM, -ret, "cannot write the map %s",
                              bpf_map__name(map));
    return VD_OK;
}

/* The one value of an array map. */
static vd_status put_only(const struct bpf_map *map, const void *value, struct vd_diag *diag)
{
    uint32_t zero = 0;

    return vd_loader_put(map, &zero, value, diag);
}

static vd_status fill_policy(struct vd_loader *loader, struct vd_diag *diag)
{
    size_t capacity = loader->kernel->rodata->vd_policy_capacity;
    uint8_t *value = calloc(1, capacity);
    vd_status status;

    if (value == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    memcpy(value, loader->policy.data, loader->policy.size);
    status = put_only(loader->kernel->maps.vd_policy_initial, value, diag);
    free(value);
    return status;
}

static vd_status fill_names(struct vd_loader *loader, struct vd_diag *diag)
{
    static const char *const classes[VD_KC_COUNT] = {
#define VD_KERNEL_CLASS_(name, text) [VD_KC_##name] = text,
        VD_KERNEL_CLASS_TABLE(VD_KERNEL_CLASS_)
#undef VD_KERNEL_CLASS_
    };
    static const char *const perms[VD_KP_COUNT] = {
#define VD_KERNEL_PERM_(name, text) [VD_KP_##name] = text,
        VD_KERNEL_PERM_TABLE(VD_KERNEL_PERM_)
#undef VD_KERNEL_PERM_
    };
    struct vd_kernel_names names = {};

    for (uint32_t c = 1; c < VD_KC_COUNT; c++) {
        if (vd_policydb_find(&loader->db, VD_SYM_CLASS, classes[c], strlen(classes[c]),
                             &names.class[c]) != VD_OK)
            continue;
        for (uint32_t p = 0; p < VD_KP_COUNT; p++) {
            /* A permission that the class lacks keeps the mask 0: refused. */
            if (vd_policydb_find_perm(&loader->db, names.class[c], perms[p], strlen(perms[p]),
                                      &names.perm[c][p]) != VD_OK)
                names.perm[c][p] = 0;
        }
    }
    return put_only(loader->kernel->maps.vd_names, &names, diag);
}

static vd_status put_context(struct vd_loader *loader, uint32_t sid,
                             const struct vd_context *context, struct vd_diag *diag)
{
    VD_TRY(vd_loader_put(loader->kernel->maps.vd_contexts, &sid, context, diag));
    return vd_loader_put(loader->kernel->maps.vd_context_ids, context, &sid, diag);
}

vd_status vd_loader_sid(struct vd_loader *loader, const char *text, uint32_t *ret,
                        struct vd_diag *diag)
{
    struct vd_label_text key = {};
    struct vd_context context;
    uint32_t sid;

    if (strlen(text) >= sizeof(key.text))
        return vd_diagf(diag, VD_E_LIMIT, "the context %s is too long", text);
    memcpy(key.text, text, strlen(text));
    if (bpf_map__lookup_elem(loader->kernel->maps.vd_label_texts, &key, sizeof(key), &sid,
                             sizeof(sid), 0) == 0) {
        *ret = sid;
        return VD_OK;
    }
    VD_TRY(vd_mac_context_parse(&loader->db, text, strlen(text), &context, diag));
    if (bpf_map__lookup_elem(loader->kernel->maps.vd_context_ids, &context, sizeof(context), &sid,
                             sizeof(sid), 0) != 0) {
        if (loader->next_sid >= VD_KERNEL_SIDS)
            return vd_diag_fail(diag, VD_E_LIMIT, "the labels have too many contexts");
        sid = loader->next_sid++;
        VD_TRY(put_context(loader, sid, &context, diag));
    }
    VD_TRY(vd_loader_put(loader->kernel->maps.vd_label_texts, &key, &sid, diag));
    *ret = sid;
    return VD_OK;
}

static vd_status fill_initial(struct vd_loader *loader, struct vd_diag *diag)
{
    static const char *const names[VD_SID_FIRST_FREE] = {
#define VD_KERNEL_SID_(name, text) [VD_SID_##name] = text,
        VD_KERNEL_SID_TABLE(VD_KERNEL_SID_)
#undef VD_KERNEL_SID_
    };
    struct vd_context context;

    for (uint32_t sid = 1; sid < VD_SID_FIRST_FREE; sid++) {
        if (vd_policydb_initial(&loader->db, names[sid], &context) != VD_OK)
            return vd_diagf(diag, VD_E_NOT_FOUND,
                            "the policy has no initial context %s, which the kernel needs",
                            names[sid]);
        VD_TRY(put_context(loader, sid, &context, diag));
    }
    loader->next_sid = VD_SID_FIRST_FREE;
    return VD_OK;
}

/* Every label that files may have, so that an attribute's text finds its sid. */
static vd_status fill_labels(struct vd_loader *loader, struct vd_diag *diag)
{
    uint32_t sid, line;

    for (size_t i = 0; i < loader->fs.count; i++) {
        vd_status status = vd_loader_sid(loader, loader->fs.rows[i].context, &sid, diag);
        if (status != VD_OK) {
            vd_diagf_hint(diag, "file system contexts, line %u", loader->fs.rows[i].line);
            return status;
        }
        VD_TRY(vd_loader_put(loader->kernel->maps.vd_filesystems, &loader->fs.rows[i].key, &sid,
                             diag));
    }
    for (size_t i = 0; i < vd_label_rules_count(loader->rules); i++) {
        const char *context = vd_label_rules_context(loader->rules, i, &line);
        vd_status status = context == NULL ? VD_OK : vd_loader_sid(loader, context, &sid, diag);
        if (status != VD_OK) {
            vd_diagf_hint(diag, "file contexts, line %u", line);
            return status;
        }
    }
    return VD_OK;
}

vd_status vd_loader_fill(struct vd_loader *loader, struct vd_diag *diag)
{
    struct vd_kernel_config config = {
        .enforcing = loader->permissive ? VD_KERNEL_PERMISSIVE : VD_KERNEL_ENFORCING,
        .seqno = 1,
    };

    VD_TRY(fill_policy(loader, diag));
    VD_TRY(fill_names(loader, diag));
    VD_TRY(fill_initial(loader, diag));
    VD_TRY(fill_labels(loader, diag));
    return put_only(loader->kernel->maps.vd_config, &config, diag);
}
