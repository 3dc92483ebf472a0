/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The contexts of SELinux's binary policy: initial ones, of file systems,
 * ports, interfaces, nodes, InfiniBand, and genfs.
 */
#include "tools/sepolicy/selinux/read.h"

#include <string.h>

#include "core/policydb/policycap.h"

/* By number: the kernel's initial_sid_to_string.h. */
static const char *const initial[] = {
    "kernel",
    "security",
    "unlabeled",
    "fs",
    "file",
    "file_labels",
    "init",
    "any_socket",
    "port",
    "netif",
    "netmsg",
    "node",
    "igmp_packet",
    "icmp_socket",
    "tcp_socket",
    "sysctl_modprobe",
    "sysctl",
    "sysctl_fs",
    "sysctl_kernel",
    "sysctl_net",
    "sysctl_net_unix",
    "sysctl_vm",
    "sysctl_dev",
    "kmod",
    "policy",
    "scmp_packet",
    "devnull",
};

#define CONTEXT_SIZE 28u /* bytes, at least */

static struct vd_sp_context read_context(struct vd_sp_sr *sr)
{
    struct vd_sp_context ret = {};
    struct vd_sp_sr_range range;

    ret.user = *vd_sp_sr_symbol(sr, &sr->users, "user");
    ret.role = *vd_sp_sr_symbol(sr, &sr->roles, "role");
    ret.type = *vd_sp_sr_type(sr, "type");
    vd_sp_sr_range(sr, &range);
    if (sr->sp->mls)
        ret.range = vd_sp_sr_make_range(sr, &range);
    return ret;
}

/* Declares the initial contexts up to a number, so that each keeps its own. */
static void declare_initial(struct vd_sp_sr *sr, uint32_t number)
{
    struct vd_sp *sp = sr->sp;

    while (sr->initial < number) {
        uint32_t name = vd_sp_name(&sp->names, initial[sr->initial], strlen(initial[sr->initial]));
        struct vd_sp_symbol *symbol;

        sp->names.list.data[name].symbols[VD_SP_SID] = sp->symbols.count;
        symbol = VD_SP_PUSH(&sp->arena, &sp->symbols);
        *symbol = (struct vd_sp_symbol){.name = name, .space = VD_SP_SID};
        sr->initial++;
    }
}

static void read_initial(struct vd_sp_sr *sr)
{
    struct vd_sp *sp = sr->sp;
    uint32_t place = vd_sp_sr_place(sr), number = vd_sp_sr_u32(sr, "an initial context's number");
    struct vd_sp_sid row = {};

    if (number == 0 || number > VD_COUNT(initial))
        vd_sp_sr_fail(sr, place, "initial context %u; SELinux's kernel has 1 to %zu", number,
                      VD_COUNT(initial));
    declare_initial(sr, number);
    row.name = (struct vd_sp_item){
        .name = vd_sp_name(&sp->names, initial[number - 1], strlen(initial[number - 1])),
        .place = place & VD_SP_PLACE_MASK};
    for (uint32_t i = 0; i < sp->sids.count; i++) {
        if (sp->sids.data[i].name.name == row.name.name)
            vd_sp_sr_fail(sr, place, "initial context %u stands twice", number);
    }
    row.context = read_context(sr);
    row.context.user.place = place & VD_SP_PLACE_MASK;
    *VD_SP_PUSH(&sp->arena, &sp->sids) = row;
}

/* The name of a file system, interface or device, or a path: no control byte. */
static struct vd_sp_item read_word(struct vd_sp_sr *sr, uint32_t size, uint32_t max,
                                   const char *what)
{
    uint32_t place = vd_sp_sr_place(sr);
    const uint8_t *text;

    if (size == 0 || size > max)
        vd_sp_sr_fail(sr, place, "%s of %u bytes; expected 1 to %u", what, size, max);
    if (vd_read_bytes(&sr->in, size, &text) != VD_OK)
        vd_sp_sr_fail(sr, place, "the file ends here; expected %s", what);
    for (uint32_t i = 0; i < size; i++) {
        if (text[i] < ' ' || text[i] == 0x7f)
            vd_sp_sr_fail(sr, place + i, "the control byte 0x%02x in %s", text[i], what);
    }
    return (struct vd_sp_item){.name = vd_sp_name(&sr->sp->names, (const char *)text, size),
                               .place = place & VD_SP_PLACE_MASK};
}

static void read_fs_use(struct vd_sp_sr *sr, struct vd_sp_label *label)
{
    uint32_t place = vd_sp_sr_place(sr), kind = vd_sp_sr_u32(sr, "how a file system labels");
    uint32_t size = vd_sp_sr_u32(sr, "the length of a file system's name");

    if (kind < VD_FS_USE_XATTR || kind > VD_FS_USE_TASK)
        vd_sp_sr_fail(sr, place, "a file system labels in way %u; expected %u to %u", kind,
                      VD_FS_USE_XATTR, VD_FS_USE_TASK);
    label->detail = (uint8_t)kind;
    label->name = read_word(sr, size, VD_PDB_MAX_PATH, "a file system's name");
}

static void read_named(struct vd_sp_sr *sr, struct vd_sp_label *label)
{
    uint32_t size = vd_sp_sr_u32(sr, "the length of a name");

    label->name = read_word(sr, size, VD_PDB_MAX_PATH, "the name of a file system or interface");
}

static void read_span(struct vd_sp_sr *sr, struct vd_sp_label *label, uint32_t max,
                      const char *what)
{
    uint32_t place = vd_sp_sr_place(sr);

    label->low = vd_sp_sr_u32(sr, what);
    label->high = vd_sp_sr_u32(sr, what);
    if (label->low > label->high || label->high > max)
        vd_sp_sr_fail(sr, place, "%s %llu to %llu; expected a range up to %u", what,
                      (unsigned long long)label->low, (unsigned long long)label->high, max);
}

static void read_port(struct vd_sp_sr *sr, struct vd_sp_label *label)
{
    uint32_t place = vd_sp_sr_place(sr), protocol = vd_sp_sr_u32(sr, "a port's protocol");

    if (protocol != VD_PROTOCOL_TCP && protocol != VD_PROTOCOL_UDP &&
        protocol != VD_PROTOCOL_DCCP && protocol != VD_PROTOCOL_SCTP)
        vd_sp_sr_fail(sr, place, "ports of protocol %u, which has none", protocol);
    label->detail = (uint8_t)protocol;
    read_span(sr, label, VD_PDB_MAX_PORT, "ports");
}

static void read_bytes(struct vd_sp_sr *sr, void *to, size_t size, const char *what)
{
    if (vd_read_copy(&sr->in, to, size) != VD_OK)
        vd_sp_sr_fail(sr, vd_sp_sr_place(sr), "the file ends here; expected %s", what);
}

static void read_node4(struct vd_sp_sr *sr, struct vd_sp_label *label)
{
    label->detail = 4;
    read_bytes(sr, label->address, 4, "an IPv4 address");
    read_bytes(sr, label->mask, 4, "an IPv4 mask");
}

static void read_node6(struct vd_sp_sr *sr, struct vd_sp_label *label)
{
    label->detail = 6;
    read_bytes(sr, label->address, 16, "an IPv6 address");
    read_bytes(sr, label->mask, 16, "an IPv6 mask");
}

static void read_ibpkey(struct vd_sp_sr *sr, struct vd_sp_label *label)
{
    read_bytes(sr, label->address, 8, "a subnet's prefix");
    read_span(sr, label, VD_PDB_MAX_PKEY, "partition keys");
}

static void read_ibendport(struct vd_sp_sr *sr, struct vd_sp_label *label)
{
    uint32_t size = vd_sp_sr_u32(sr, "the length of a device's name");
    uint32_t place = vd_sp_sr_place(sr);

    label->low = label->high = vd_sp_sr_u32(sr, "a device's port");
    if (label->low == 0 || label->low > VD_PDB_MAX_IB_PORT)
        vd_sp_sr_fail(sr, place, "a device's port %llu; expected 1 to %u",
                      (unsigned long long)label->low, VD_PDB_MAX_IB_PORT);
    label->name = read_word(sr, size, VD_PDB_MAX_IB_DEVICE, "a device's name");
}

/* The lists in the file's order, behind the initial contexts. */
static const struct {
    enum vd_sp_label_kind kind;
    uint8_t size; /* of a row without its contexts, at least */
    uint8_t contexts;
    void (*read)(struct vd_sp_sr *sr, struct vd_sp_label *label);
    const char *what;
} lists[] = {
    {VD_SP_LABEL_FSCON, 5, 2, read_named, "the devices' contexts"},
    {VD_SP_LABEL_PORT, 12, 1, read_port, "the ports' contexts"},
    {VD_SP_LABEL_NETIF, 5, 2, read_named, "the interfaces' contexts"},
    {VD_SP_LABEL_NODE, 8, 1, read_node4, "the IPv4 networks' contexts"},
    {VD_SP_LABEL_FS_USE, 9, 1, read_fs_use, "the file systems' contexts"},
    {VD_SP_LABEL_NODE, 32, 1, read_node6, "the IPv6 networks' contexts"},
    {VD_SP_LABEL_IBPKEY, 16, 1, read_ibpkey, "the partition keys' contexts"},
    {VD_SP_LABEL_IBENDPORT, 9, 1, read_ibendport, "the devices' ports' contexts"},
};

static void read_list(struct vd_sp_sr *sr, size_t list)
{
    struct vd_sp *sp = sr->sp;
    uint32_t count = vd_sp_sr_count(
        sr, lists[list].size + (size_t)lists[list].contexts * CONTEXT_SIZE, lists[list].what);

    for (uint32_t i = 0; i < count; i++) {
        struct vd_sp_label label = {.kind = (uint8_t)lists[list].kind, .place = vd_sp_sr_place(sr)};

        lists[list].read(sr, &label);
        for (uint32_t n = 0; n < lists[list].contexts; n++)
            label.contexts[n] = read_context(sr);
        *VD_SP_PUSH(&sp->arena, &sp->labels) = label;
    }
}

/* The kind of file whose class has a number. */
static uint8_t read_file_kind(struct vd_sp_sr *sr)
{
    static const struct {
        const char *class;
        uint8_t kind;
    } kinds[] = {{"blk_file", VD_SP_FILE_BLOCK}, {"chr_file", VD_SP_FILE_CHAR},
                 {"dir", VD_SP_FILE_DIR},        {"fifo_file", VD_SP_FILE_FIFO},
                 {"lnk_file", VD_SP_FILE_LINK},  {"sock_file", VD_SP_FILE_SOCKET},
                 {"file", VD_SP_FILE_REGULAR}};
    uint32_t place = vd_sp_sr_place(sr), number = vd_sp_sr_u32(sr, "a path's class");
    const char *name;

    if (number == 0)
        return VD_SP_FILE_ANY;
    name = vd_sp_str(sr->sp, vd_sp_sr_number(sr, &sr->classes, number, place, "class")->name);
    for (size_t i = 0; i < VD_COUNT(kinds); i++) {
        if (strcmp(kinds[i].class, name) == 0)
            return kinds[i].kind;
    }
    vd_sp_sr_fail(sr, place, "a path's class is '%s', which is no class of files", name);
}

/* A path; with the capability for wildcards the '*' at its end, which each has, is left away. */
static struct vd_sp_item read_path(struct vd_sp_sr *sr, bool wildcards)
{
    uint32_t size = vd_sp_sr_u32(sr, "the length of a path");
    struct vd_sp_item path = read_word(sr, size, VD_PDB_MAX_PATH, "a path");
    const char *text = vd_sp_str(sr->sp, path.name);

    if (text[0] != '/')
        vd_sp_sr_fail(sr, path.place, "a path that begins with 0x%02x; expected '/'",
                      (unsigned char)text[0]);
    if (!wildcards)
        return path;
    if (text[size - 1] != '*')
        vd_sp_sr_fail(sr, path.place + size - 1,
                      "a path that ends with 0x%02x; expected '*', since the policy has wildcards",
                      (unsigned char)text[size - 1]);
    path.name = vd_sp_name(&sr->sp->names, text, size - 1);
    return path;
}

static bool has_capability(const struct vd_sp *sp, const char *name)
{
    bool has = false;

    for (uint32_t i = 0; i < sp->policycaps.count; i++)
        has |= strcmp(vd_sp_str(sp, sp->policycaps.data[i].name.name), name) == 0;
    return has;
}

static void read_genfs(struct vd_sp_sr *sr)
{
    struct vd_sp *sp = sr->sp;
    bool wildcards = has_capability(sp, vd_policycap_name(VD_POLICYCAP_GENFS_WILDCARD));
    uint32_t systems = vd_sp_sr_count(sr, 9, "the file systems with paths");
    struct vd_sp_sr_seen seen = {};

    for (uint32_t s = 0; s < systems; s++) {
        uint32_t size = vd_sp_sr_u32(sr, "the length of a file system's name"), count;
        struct vd_sp_item name = read_word(sr, size, VD_PDB_MAX_PATH, "a file system's name");
        bool is_new;

        (void)vd_sp_sr_keep(sr, &seen, name.name, &is_new);
        if (!is_new)
            vd_sp_sr_fail(sr, name.place, "the file system '%s' stands twice",
                          vd_sp_str(sp, name.name));
        count = vd_sp_sr_count(sr, 9 + CONTEXT_SIZE, "a file system's paths");
        for (uint32_t i = 0; i < count; i++) {
            struct vd_sp_label label = {
                .kind = VD_SP_LABEL_GENFS, .name = name, .place = vd_sp_sr_place(sr)};

            label.path = read_path(sr, wildcards);
            label.detail = read_file_kind(sr);
            label.contexts[0] = read_context(sr);
            *VD_SP_PUSH(&sp->arena, &sp->labels) = label;
        }
    }
}

void vd_sp_sr_contexts(struct vd_sp_sr *sr)
{
    uint32_t count = vd_sp_sr_count(sr, 4 + CONTEXT_SIZE, "the initial contexts");

    for (uint32_t i = 0; i < count; i++)
        read_initial(sr);
    for (uint32_t i = 0; i + 1 < vd_sp_se_context_lists(sr->version); i++)
        read_list(sr, i);
    read_genfs(sr);
}
