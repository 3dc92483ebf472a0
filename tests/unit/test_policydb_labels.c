/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Labels of what keeps none: lookups in compiled policies, capabilities. */
#include "core/policydb/labels.h"

#include "core/policydb/policycap.h"
#include "tests/harness.h"
#include "tools/sepolicy/sepolicy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TYPES "type a_t; type b_t; type c_t; type d_t; user u roles object_r;\n"
#define A     " u:object_r:a_t\n"
#define B     " u:object_r:b_t\n"
#define C     " u:object_r:c_t\n"

static uint8_t *blob;

static struct vd_policydb compile(const char *text)
{
    static const struct vd_sepolicy_options options = {};
    struct vd_sepolicy_source source = {.name = "labels.te", .text = text, .size = strlen(text)};
    struct vd_sepolicy_result result = {};
    struct vd_policydb db = {};

    free(blob);
    blob = NULL;
    VD_EXPECT_EQ(vd_sepolicy_compile(&source, 1, &options, &result), VD_OK);
    blob = result.blob;
    VD_EXPECT_EQ(vd_policydb_open(&db, result.blob, result.size, NULL), VD_OK);
    return db;
}

/* The type's first letter, '-' where no statement fits. */
static char letter(const struct vd_policydb *db, vd_status status, const struct vd_context *context)
{
    return status == VD_OK ? vd_policydb_name(db, VD_SYM_TYPE, context->type)[0] : '-';
}

static char genfs(const struct vd_policydb *db, const char *fs, const char *path, const char *class)
{
    struct vd_context context;
    uint32_t number = 0;

    if (class != NULL)
        VD_EXPECT_EQ(vd_policydb_find(db, VD_SYM_CLASS, class, strlen(class), &number), VD_OK);
    return letter(db, vd_policydb_genfs(db, fs, path, number, &context), &context);
}

static char port(const struct vd_policydb *db, enum vd_pdb_protocol protocol, uint32_t number)
{
    struct vd_context context;

    return letter(db, vd_policydb_port(db, protocol, number, &context), &context);
}

static char node(const struct vd_policydb *db, uint32_t family, const uint8_t *address)
{
    struct vd_context context;

    return letter(db, vd_policydb_node(db, family, address, &context), &context);
}

VD_TEST(labels_of_file_systems)
{
    struct vd_policydb db = compile(TYPES "fs_use_xattr ext4 u:object_r:a_t;\n"
                                          "fs_use_trans devpts u:object_r:b_t;\n"
                                          "fs_use_task 9pipe u:object_r:c_t;\n");
    enum vd_pdb_fs_use_kind kind = VD_FS_USE_TASK;
    struct vd_context context;

    VD_EXPECT_EQ(vd_policydb_fs_use(&db, "ext4", &kind, &context), VD_OK);
    VD_EXPECT_EQ(kind, VD_FS_USE_XATTR);
    VD_EXPECT_EQ(letter(&db, VD_OK, &context), 'a');
    VD_EXPECT_EQ(vd_policydb_fs_use(&db, "devpts", &kind, &context), VD_OK);
    VD_EXPECT_EQ(kind, VD_FS_USE_TRANS);
    VD_EXPECT_EQ(vd_policydb_fs_use(&db, "9pipe", &kind, &context), VD_OK);
    VD_EXPECT_EQ(kind, VD_FS_USE_TASK);
    VD_EXPECT_EQ(vd_policydb_fs_use(&db, "ext", &kind, &context), VD_E_NOT_FOUND);
    VD_EXPECT_EQ(vd_policydb_fs_use(&db, "ext44", &kind, &context), VD_E_NOT_FOUND);
    VD_EXPECT_EQ(vd_policydb_fs_use(&db, "", &kind, &context), VD_E_NOT_FOUND);
    VD_EXPECT_EQ(kind, VD_FS_USE_TASK);
    VD_EXPECT_EQ(letter(&db, VD_OK, &context), 'c');
}

VD_TEST(labels_of_paths_take_the_longest_that_fits)
{
    struct vd_policydb db =
        compile(TYPES "genfscon proc /" A "genfscon proc /net" B "genfscon proc /net/tcp --" C
                      "genfscon sysfs \"/a b:c\"" B);

    VD_EXPECT_EQ(genfs(&db, "proc", "/", NULL), 'a');
    VD_EXPECT_EQ(genfs(&db, "proc", "//net", NULL), 'b');
    VD_EXPECT_EQ(genfs(&db, "proc", "/network", NULL), 'b'); /* a prefix, as in the kernel */
    VD_EXPECT_EQ(genfs(&db, "proc", "/net/tcp", NULL), 'b');
    VD_EXPECT_EQ(genfs(&db, "proc", "/net/tcp", "dir"), 'b');
    VD_EXPECT_EQ(genfs(&db, "proc", "/net/tcp6", "file"), 'c');
    VD_EXPECT_EQ(genfs(&db, "sysfs", "/", NULL), '-');
    VD_EXPECT_EQ(genfs(&db, "sysfs", "/a b:c/d", NULL), 'b');
    VD_EXPECT_EQ(genfs(&db, "pro", "/", NULL), '-');
    VD_EXPECT_EQ(genfs(&db, "proc", "", NULL), '-');
}

VD_TEST(labels_of_paths_and_interfaces_may_have_wildcards)
{
    static const char statements[] = "genfscon sysfs /dev/*/power" A "genfscon sysfs /dev/b?s" B
                                     "netifcon eth*" A B "netifcon v?an" B C;
    char text[1024];
    struct vd_context context, packets;

    snprintf(text, sizeof(text), "%s%s%s", TYPES,
             "policycap netif_wildcard; policycap genfs_seclabel_wildcard;\n", statements);
    struct vd_policydb db = compile(text);
    VD_EXPECT_EQ(vd_policydb_policycap(&db, VD_POLICYCAP_NETIF_WILDCARD), true);
    VD_EXPECT_EQ(vd_policydb_policycap(&db, 0), false);
    VD_EXPECT_EQ(vd_policydb_policycap(&db, 64), false);
    VD_EXPECT_EQ(genfs(&db, "sysfs", "/dev/a/b/power", NULL), 'a');
    VD_EXPECT_EQ(genfs(&db, "sysfs", "/dev/a/pow/power/x", NULL), 'a');
    VD_EXPECT_EQ(genfs(&db, "sysfs", "/dev/power", NULL), '-');
    VD_EXPECT_EQ(genfs(&db, "sysfs", "/dev/bus/x", NULL), 'b');
    VD_EXPECT_EQ(genfs(&db, "sysfs", "/dev/bs", NULL), '-');
    VD_EXPECT_EQ(letter(&db, vd_policydb_netif(&db, "eth", &context, &packets), &context), 'a');
    VD_EXPECT_EQ(letter(&db, vd_policydb_netif(&db, "eth12", &context, &packets), &packets), 'b');
    VD_EXPECT_EQ(letter(&db, vd_policydb_netif(&db, "vlan", &context, &packets), &packets), 'c');
    VD_EXPECT_EQ(vd_policydb_netif(&db, "vlan0", &context, &packets), VD_E_NOT_FOUND);
    VD_EXPECT_EQ(vd_policydb_netif(&db, "van", &context, &packets), VD_E_NOT_FOUND);

    /* Without the capabilities they are letters like any other. */
    snprintf(text, sizeof(text), "%s%s", TYPES, statements);
    db = compile(text);
    VD_EXPECT_EQ(genfs(&db, "sysfs", "/dev/a/power", NULL), '-');
    VD_EXPECT_EQ(genfs(&db, "sysfs", "/dev/*/power", NULL), 'a');
    VD_EXPECT_EQ(vd_policydb_netif(&db, "eth0", &context, &packets), VD_E_NOT_FOUND);
    VD_EXPECT_EQ(vd_policydb_netif(&db, "eth*", &context, &packets), VD_OK);
}

VD_TEST(labels_of_ports_take_the_first_that_fits)
{
    struct vd_policydb db =
        compile(TYPES "portcon tcp 80" A "portcon tcp 0x1 - 1023" B "portcon UDP 53-53" C
                      "portcon sctp 65535" A "portcon dccp 7" B);

    VD_EXPECT_EQ(port(&db, VD_PROTOCOL_TCP, 80), 'a');
    VD_EXPECT_EQ(port(&db, VD_PROTOCOL_TCP, 1), 'b');
    VD_EXPECT_EQ(port(&db, VD_PROTOCOL_TCP, 1023), 'b');
    VD_EXPECT_EQ(port(&db, VD_PROTOCOL_TCP, 0), '-');
    VD_EXPECT_EQ(port(&db, VD_PROTOCOL_TCP, 1024), '-');
    VD_EXPECT_EQ(port(&db, VD_PROTOCOL_UDP, 53), 'c');
    VD_EXPECT_EQ(port(&db, VD_PROTOCOL_UDP, 80), '-');
    VD_EXPECT_EQ(port(&db, VD_PROTOCOL_SCTP, 65535), 'a');
    VD_EXPECT_EQ(port(&db, VD_PROTOCOL_DCCP, 7), 'b');
}

VD_TEST(labels_of_networks_take_the_narrowest)
{
    static const uint8_t ten[16] = {10, 2, 3, 4}, ten_one[16] = {10, 1, 3, 4}, other[16] = {11};
    static const uint8_t local[16] = {0xfe, 0x80, [15] = 1}, one[16] = {[15] = 1};
    struct vd_policydb db = compile(TYPES "nodecon 10.0.0.0 255.0.0.0" A "nodecon 10.1.0.0/16" B
                                          "nodecon fe80:: ffff::" B "nodecon ::1/128" C);

    VD_EXPECT_EQ(node(&db, 4, ten), 'a');
    VD_EXPECT_EQ(node(&db, 4, ten_one), 'b');
    VD_EXPECT_EQ(node(&db, 4, other), '-');
    VD_EXPECT_EQ(node(&db, 6, local), 'b');
    VD_EXPECT_EQ(node(&db, 6, one), 'c');
    VD_EXPECT_EQ(node(&db, 6, ten), '-');
    db = compile(TYPES "nodecon 0.0.0.0/0" A "nodecon ::/0" B);
    VD_EXPECT_EQ(node(&db, 4, other), 'a');
    VD_EXPECT_EQ(node(&db, 6, local), 'b');
}

VD_TEST(labels_of_infiniband)
{
    static const uint8_t prefix[8] = {0xfe, 0x80}, foreign[8] = {0xfe, 0x81};
    struct vd_policydb db = compile(TYPES "ibpkeycon fe80:: 0xFFFF" A "ibpkeycon fe80:: 0-0x10" B
                                          "ibendportcon mlx4_0 2" C);
    struct vd_context context;

    VD_EXPECT_EQ(letter(&db, vd_policydb_ibpkey(&db, prefix, 0xffff, &context), &context), 'a');
    VD_EXPECT_EQ(letter(&db, vd_policydb_ibpkey(&db, prefix, 16, &context), &context), 'b');
    VD_EXPECT_EQ(vd_policydb_ibpkey(&db, prefix, 17, &context), VD_E_NOT_FOUND);
    VD_EXPECT_EQ(vd_policydb_ibpkey(&db, foreign, 16, &context), VD_E_NOT_FOUND);
    VD_EXPECT_EQ(letter(&db, vd_policydb_ibendport(&db, "mlx4_0", 2, &context), &context), 'c');
    VD_EXPECT_EQ(vd_policydb_ibendport(&db, "mlx4_0", 1, &context), VD_E_NOT_FOUND);
    VD_EXPECT_EQ(vd_policydb_ibendport(&db, "mlx4_1", 2, &context), VD_E_NOT_FOUND);
}

VD_TEST(policy_capabilities_have_names)
{
    uint32_t number;

    for (uint32_t i = 0; i < VD_POLICYCAP_COUNT; i++) {
        const char *name = vd_policycap_name(i);

        VD_EXPECT_EQ(vd_policycap_find(name, strlen(name), &number), VD_OK);
        VD_EXPECT_EQ(number, i);
    }
    VD_EXPECT(vd_policycap_name(VD_POLICYCAP_COUNT) == NULL);
    VD_EXPECT_EQ(vd_policycap_find("open_perm", 9, &number), VD_E_NOT_FOUND);
    VD_EXPECT_EQ(vd_policycap_find("open_permsx", 11, &number), VD_E_NOT_FOUND);
    VD_EXPECT_EQ(vd_policycap_find("open_permsx", 10, &number), VD_OK);
}
