/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * SELinux's policy capabilities: switches by which a policy says what the
 * kernel may expect of it. Numbers and names are SELinux's own (Linux
 * security/selinux/include/policycap.h, policycap_names.h).
 */
#ifndef VD_CORE_POLICYDB_POLICYCAP_H
#define VD_CORE_POLICYDB_POLICYCAP_H

#include "core/policydb/policydb.h"

/* Those that this project acts on. */
#define VD_POLICYCAP_GENFS_SYMLINKS 6u  /* genfscon labels symbolic links too */
#define VD_POLICYCAP_NETIF_WILDCARD 10u /* names of interfaces may have '*' and '?' */
#define VD_POLICYCAP_GENFS_WILDCARD 11u /* so may paths */

#define VD_POLICYCAP_COUNT 15u

/* The name of a capability; NULL if there is none of that number. */
const char *vd_policycap_name(uint32_t number);

/* The number of the capability whose name has `len` bytes; VD_E_NOT_FOUND. */
vd_status vd_policycap_find(const char *name, size_t len, uint32_t *ret);

/* True if the policy has the capability. */
bool vd_policydb_policycap(const struct vd_policydb *db, uint32_t number);

#endif
