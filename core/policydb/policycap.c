/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/policydb/policycap.h"

static const char *const names[VD_POLICYCAP_COUNT] = {
    "network_peer_controls",
    "open_perms",
    "extended_socket_class",
    "always_check_network",
    "cgroup_seclabel",
    "nnp_nosuid_transition",
    [VD_POLICYCAP_GENFS_SYMLINKS] = "genfs_seclabel_symlinks",
    "ioctl_skip_cloexec",
    "userspace_initial_context",
    "netlink_xperm",
    [VD_POLICYCAP_NETIF_WILDCARD] = "netif_wildcard",
    [VD_POLICYCAP_GENFS_WILDCARD] = "genfs_seclabel_wildcard",
    "functionfs_seclabel",
    "memfd_class",
    "bpf_token_perms",
};

const char *vd_policycap_name(uint32_t number)
{
    return number < VD_POLICYCAP_COUNT ? names[number] : NULL;
}

vd_status vd_policycap_find(const char *name, size_t len, uint32_t *ret)
{
    for (uint32_t i = 0; i < VD_POLICYCAP_COUNT; i++) {
        size_t n = 0;

        while (n < len && names[i][n] == name[n] && name[n] != '\0')
            n++;
        if (n == len && names[i][n] == '\0') {
            *ret = i;
            return VD_OK;
        }
    }
    return VD_E_NOT_FOUND;
}

bool vd_policydb_policycap(const struct vd_policydb *db, uint32_t number)
{
    const uint64_t *word = vd_pdb_row(db, VD_PDB_POLICYCAPS, 0, sizeof(*word));

    return word != NULL && number < VD_POLICYCAP_COUNT && (*word >> number & 1) != 0;
}
