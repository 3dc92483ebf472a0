/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The reader of SELinux's binary policy under damage: cut at every length and with every byte
 * changed, a policy is read or refused with an offset; and read whole it says what its source
 * says. tests/integration/test_policy_read.py has each refusal by name.
 */
#include "tests/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/policydb/policydb.h"
#include "tools/sepolicy/sepolicy.h"

static const char text[] =
    "class process class file class dir\n"
    "sid kernel sid security\n"
    "common base { read write }\n"
    "class process { transition dyntransition }\n"
    "class file inherits base { open }\n"
    "class dir inherits base\n"
    "sensitivity s0 alias low; sensitivity s1; dominance { s0 s1 }\n"
    "category c0 alias zero; category c1; level s0:c0; level s1:c0.c1;\n"
    "mlsconstrain file read ( l1 dom l2 or t1 == { domain -b_t } );\n"
    "policycap open_perms;\n"
    "default_user file source;\n"
    "attribute domain; type a_t alias old_t, domain; type b_t, domain; type f_t;\n"
    "typebounds a_t b_t; permissive f_t;\n"
    "bool on true; bool off false;\n"
    "allow domain f_t:file { read write }; auditallow a_t f_t:file read;\n"
    "dontaudit b_t f_t:dir write; allow a_t self:process transition;\n"
    "type_transition a_t f_t:file b_t; type_transition a_t f_t:dir b_t \"a name\";\n"
    "type_member a_t f_t:dir b_t; type_change a_t f_t:dir b_t;\n"
    "if (on && !off) { allow a_t b_t:file read; } else { allow a_t b_t:file write; }\n"
    "role r types { a_t b_t }; role q types a_t; allow r q; role_transition r f_t q;\n"
    "range_transition a_t f_t s0 - s1:c0.c1;\n"
    "user u roles { r q } level s0 range s0 - s1:c0.c1;\n"
    "constrain file write ( u1 == u2 and r1 dom r2 );\n"
    "validatetrans file ( t3 == a_t );\n"
    "sid kernel u:r:a_t:s0 sid security u:object_r:f_t:s1:c1\n"
    "fs_use_xattr ext4 u:object_r:f_t:s0;\n"
    "genfscon proc /sys -d u:object_r:f_t:s0\n"
    "portcon tcp 80 u:object_r:f_t:s0\n"
    "netifcon eth0 u:object_r:f_t:s0 u:object_r:f_t:s0\n"
    "nodecon 127.0.0.1 255.255.255.255 u:object_r:f_t:s0\n";

struct seen {
    uint32_t errors, placed;
    uint64_t offset;
};

static void take(void *arg, const struct vd_sepolicy_message *message)
{
    struct seen *seen = arg;

    seen->errors++;
    seen->placed += message->has_offset;
    seen->offset = message->offset;
}

static vd_status read_policy(const void *data, size_t size, struct seen *seen,
                             struct vd_sepolicy_result *ret)
{
    struct vd_sepolicy_options options = {.message = take, .message_arg = seen};
    struct vd_sepolicy_source source = {.name = "policy", .text = data, .size = size};

    *seen = (struct seen){};
    return vd_sepolicy_read_selinux(&source, &options, ret);
}

/* The text as SELinux's binary policy. */
static struct vd_sepolicy_result make(uint32_t version)
{
    struct vd_sepolicy_options options = {.form = VD_SEPOLICY_SELINUX, .selinux_version = version};
    char whole[sizeof(text) + 64];
    int size = snprintf(whole, sizeof(whole), "%s%s", text, version >= 35 ? "neveraudit b_t;" : "");
    struct vd_sepolicy_source source = {.name = "text", .text = whole, .size = (size_t)size};
    struct vd_sepolicy_result result = {};

    VD_EXPECT(vd_sepolicy_compile(&source, 1, &options, &result) == VD_OK);
    return result;
}

/* What is read must pass the blob's check; what is refused has its offset in the file. */
static void one(const uint8_t *data, size_t size, uint32_t *ret_refused)
{
    struct vd_sepolicy_result result = {};
    struct vd_policydb db;
    struct seen seen;
    vd_status status = read_policy(data, size, &seen, &result);

    if (status == VD_OK) {
        VD_EXPECT(vd_policydb_open(&db, result.blob, result.size, NULL) == VD_OK);
        free(result.blob);
        return;
    }
    VD_EXPECT(status == VD_E_INVALID);
    VD_EXPECT(seen.errors > 0 && seen.placed == seen.errors && seen.offset <= size);
    (*ret_refused)++;
}

VD_TEST(selinux_read_every_length)
{
    for (uint32_t version = VD_SEPOLICY_SELINUX_MIN; version <= VD_SEPOLICY_SELINUX_MAX;
         version++) {
        struct vd_sepolicy_result whole = make(version);
        uint32_t refused = 0;

        for (size_t size = 0; size < whole.size; size++) {
            uint8_t *cut = malloc(size + 1);

            memcpy(cut, whole.blob, size);
            one(cut, size, &refused);
            free(cut);
        }
        VD_EXPECT(refused == whole.size);
        free(whole.blob);
    }
}

VD_TEST(selinux_read_every_byte)
{
    static const uint8_t masks[] = {0x01, 0x80, 0xff};
    struct vd_sepolicy_result whole = make(VD_SEPOLICY_SELINUX_MAX);
    uint32_t refused = 0;

    for (size_t at = 0; at < whole.size; at++) {
        for (size_t i = 0; i < VD_COUNT(masks); i++) {
            whole.blob[at] ^= masks[i];
            one(whole.blob, whole.size, &refused);
            whole.blob[at] ^= masks[i];
        }
    }
    VD_EXPECT(refused > whole.size);
    free(whole.blob);
}

/* A neveraudit type is one when it is read again; what older versions have is the same. */
VD_TEST(selinux_neveraudit)
{
    struct vd_sepolicy_result whole = make(35), blob = {};
    const struct vd_pdb_type *row;
    struct vd_policydb db;
    struct seen seen;

    VD_EXPECT_EQ(read_policy(whole.blob, whole.size, &seen, &blob), VD_OK);
    VD_EXPECT_EQ(vd_policydb_open(&db, blob.blob, blob.size, NULL), VD_OK);
    for (uint32_t i = 1; i < vd_policydb_header(&db)->types; i++) {
        row = vd_pdb_row(&db, VD_PDB_TYPES, i, sizeof(*row));
        VD_EXPECT(row != NULL);
        VD_EXPECT_EQ((row->flags & VD_PDB_TYPE_NEVERAUDIT) != 0,
                     strcmp(vd_policydb_name(&db, VD_SYM_TYPE, i), "b_t") == 0);
    }
    free(whole.blob);
    free(blob.blob);
}

VD_TEST(selinux_read_memory_is_bounded)
{
    struct vd_sepolicy_result whole = make(VD_SEPOLICY_SELINUX_MAX), result = {};
    struct vd_sepolicy_options options = {.memory = 4096};
    struct vd_sepolicy_source source = {
        .name = "policy", .text = (const char *)whole.blob, .size = whole.size};

    VD_EXPECT(vd_sepolicy_read_selinux(&source, &options, &result) == VD_E_LIMIT);
    VD_EXPECT(result.blob == NULL);
    free(whole.blob);
}

VD_TEST(selinux_read_magic)
{
    static const uint8_t magic[] = {0x8c, 0xff, 0x7c, 0xf9};

    VD_EXPECT(vd_sepolicy_is_selinux(magic, 4));
    VD_EXPECT(!vd_sepolicy_is_selinux(magic, 3));
    VD_EXPECT(!vd_sepolicy_is_selinux("VDPOLICY", 8));
}

/* Written again, a policy that was read has the bytes it had. */
VD_TEST(selinux_read_written_again)
{
    for (uint32_t version = VD_SEPOLICY_SELINUX_MIN; version <= VD_SEPOLICY_SELINUX_MAX;
         version++) {
        struct vd_sepolicy_result whole = make(version), again = {};
        struct vd_sepolicy_options options = {.form = VD_SEPOLICY_SELINUX,
                                              .selinux_version = version};
        struct vd_sepolicy_source source = {
            .name = "policy", .text = (const char *)whole.blob, .size = whole.size};

        VD_EXPECT(vd_sepolicy_read_selinux(&source, &options, &again) == VD_OK);
        VD_EXPECT(again.size == whole.size && memcmp(again.blob, whole.blob, whole.size) == 0);
        free(whole.blob);
        free(again.blob);
    }
}
