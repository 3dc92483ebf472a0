/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The labels that a policy gives to things that keep none of their own: file
 * systems, paths on them, ports, interfaces, network addresses, InfiniBand.
 * Found as SELinux's kernel finds them (security/selinux/ss/services.c):
 * the first row of a table that fits counts.
 *
 * Each lookup copies the context, or answers VD_E_NOT_FOUND and leaves its
 * outputs alone; the initial context of the kind ("port", "netif", "node",
 * "unlabeled", …) holds then. Cost: linear in the table, at most 16,384 rows.
 */
#ifndef VD_CORE_POLICYDB_LABELS_H
#define VD_CORE_POLICYDB_LABELS_H

#include "core/policydb/policydb.h"

/* How a file system labels its files, and its own context. `name` ends with NUL, as all below. */
vd_status vd_policydb_fs_use(const struct vd_policydb *db, const char *name,
                             enum vd_pdb_fs_use_kind *ret_kind, struct vd_context *ret);

/*
 * The context of `path` (from the file system's root, with its '/') on a file
 * system without labels; `class` is the file's, 0: any. A row fits a path that
 * begins with its own; with the capability genfs_seclabel_wildcard '*' stands
 * for any bytes and '?' for one.
 */
vd_status vd_policydb_genfs(const struct vd_policydb *db, const char *fs, const char *path,
                            uint32_t class, struct vd_context *ret);

vd_status vd_policydb_port(const struct vd_policydb *db, enum vd_pdb_protocol protocol,
                           uint32_t port, struct vd_context *ret);

/* Contexts of an interface and of what arrives there; wildcards with netif_wildcard. */
vd_status vd_policydb_netif(const struct vd_policydb *db, const char *name, struct vd_context *ret,
                            struct vd_context *ret_packets);

/* `family` 4 or 6; `address` as on the network, IPv4's four bytes followed by zeros. */
vd_status vd_policydb_node(const struct vd_policydb *db, uint32_t family, const uint8_t address[16],
                           struct vd_context *ret);

vd_status vd_policydb_ibpkey(const struct vd_policydb *db, const uint8_t prefix[8], uint32_t key,
                             struct vd_context *ret);

vd_status vd_policydb_ibendport(const struct vd_policydb *db, const char *device, uint32_t port,
                                struct vd_context *ret);

/* A text of LABEL_TEXT; "?" for an offset outside. */
const char *vd_policydb_label_text(const struct vd_policydb *db, uint32_t offset);

#endif
