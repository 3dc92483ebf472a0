/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The frame of SELinux's binary policy.
 */
#include "tools/sepolicy/selinux/read.h"

#include <string.h>

#include "core/policydb/policycap.h"

#define SR_TARGET         "SE Linux"
#define SR_CONFIG_MLS     1u
#define SR_UNKNOWN_REJECT 2u
#define SR_UNKNOWN_ALLOW  4u
#define SR_SYMBOL_TABLES  8u

static void read_target(struct vd_sp_sr *sr)
{
    uint32_t place = vd_sp_sr_place(sr);
    uint32_t size = vd_sp_sr_u32(sr, "the length of the target's name");
    const uint8_t *name;

    if (size != strlen(SR_TARGET) || vd_read_bytes(&sr->in, size, &name) != VD_OK ||
        memcmp(name, SR_TARGET, size) != 0)
        vd_sp_sr_fail(sr, place,
                      "expected the target \"" SR_TARGET "\"; this is a policy module, a policy "
                      "for Xen, or damaged");
}

static void read_header(struct vd_sp_sr *sr)
{
    uint32_t place = vd_sp_sr_place(sr), config, number;

    if (vd_sp_sr_u32(sr, "the magic number") != VD_SE_MAGIC)
        vd_sp_sr_fail(sr, place, "expected the magic number 0x%x of SELinux's kernel policy",
                      VD_SE_MAGIC);
    read_target(sr);
    place = vd_sp_sr_place(sr);
    sr->version = vd_sp_sr_u32(sr, "the version");
    if (sr->version < VD_SEPOLICY_SELINUX_MIN || sr->version > VD_SEPOLICY_SELINUX_READ_MAX)
        vd_sp_sr_fail(sr, place, "version %u; expected %u to %u", sr->version,
                      VD_SEPOLICY_SELINUX_MIN, VD_SEPOLICY_SELINUX_READ_MAX);
    place = vd_sp_sr_place(sr);
    config = vd_sp_sr_u32(sr, "the flags");
    sr->sp->mls = (config & SR_CONFIG_MLS) != 0;
    if ((config & SR_UNKNOWN_REJECT) != 0 && (config & SR_UNKNOWN_ALLOW) != 0)
        vd_sp_sr_fail(sr, place, "unknown classes cannot be both rejected and allowed");
    sr->options->unknown = (config & SR_UNKNOWN_REJECT) != 0  ? VD_SEPOLICY_UNKNOWN_REJECT
                           : (config & SR_UNKNOWN_ALLOW) != 0 ? VD_SEPOLICY_UNKNOWN_ALLOW
                                                              : VD_SEPOLICY_UNKNOWN_DENY;
    place = vd_sp_sr_place(sr);
    number = vd_sp_sr_u32(sr, "the number of symbol tables");
    if (number != SR_SYMBOL_TABLES)
        vd_sp_sr_fail(sr, place, "%u symbol tables; expected %u", number, SR_SYMBOL_TABLES);
    place = vd_sp_sr_place(sr);
    number = vd_sp_sr_u32(sr, "the number of lists of contexts");
    if (number != vd_sp_se_context_lists(sr->version))
        vd_sp_sr_fail(sr, place, "%u lists of contexts; version %u has %u", number, sr->version,
                      vd_sp_se_context_lists(sr->version));
}

static void read_policycaps(struct vd_sp_sr *sr)
{
    struct vd_sp *sp = sr->sp;
    struct vd_sp_sr_map map;

    vd_sp_sr_map(sr, &map, "the policy capabilities");
    for (uint32_t i = 0; i < map.count; i++) {
        VD_SP_FOR_EACH_BIT (&map.nodes[i].bits, 1, bit) {
            uint32_t number = map.nodes[i].first + bit;
            const char *name = vd_policycap_name(number);
            struct vd_sp_policycap *row;

            /* The kernel passes over those that it does not know, too. */
            if (name == NULL)
                continue;
            row = VD_SP_PUSH(&sp->arena, &sp->policycaps);
            row->name = (struct vd_sp_item){.name = vd_sp_name(&sp->names, name, strlen(name)),
                                            .place = map.place & VD_SP_PLACE_MASK};
        }
    }
}

void vd_sp_sr_read(struct vd_sp *sp, struct vd_sepolicy_options *options, const void *data,
                   size_t size)
{
    struct vd_sp_sr sr = {.sp = sp, .options = options};

    vd_reader_init(&sr.in, data, size);
    read_header(&sr);
    read_policycaps(&sr);
    vd_sp_sr_map(&sr, &sr.permissive, "the permissive types");
    if (sr.version >= VD_SE_NEVERAUDIT_VERSION)
        vd_sp_sr_map(&sr, &sr.neveraudit, "the neveraudit types");
    vd_sp_sr_symbols(&sr);
    vd_sp_sr_rules(&sr);
    vd_sp_sr_role_rules(&sr);
    vd_sp_sr_named(&sr);
    vd_sp_sr_contexts(&sr);
    vd_sp_sr_range_transitions(&sr);
    vd_sp_sr_type_attributes(&sr);
    vd_sp_sr_constraint_names(&sr);
    if (vd_read_done(&sr.in) != VD_OK)
        vd_sp_sr_fail(&sr, vd_sp_sr_place(&sr), "bytes after the policy's end");
}
