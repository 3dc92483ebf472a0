/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tests/support/small_policy.h"

#include "tests/support/policy_builder.h"

#define ATTR(left_, rel_, right_)                                                                  \
    {                                                                                              \
        .op = VD_CX_ATTR, .left = VD_PART_##left_, .rel = VD_REL_##rel_, .right = VD_PART_##right_ \
    }
#define NAMES(left_, rel_, set_)                                                        \
    {                                                                                   \
        .op = VD_CX_NAMES, .left = VD_PART_##left_, .rel = VD_REL_##rel_, .arg = (set_) \
    }
#define OP(op_)           \
    {                     \
        .op = VD_CX_##op_ \
    }

static void add_names(struct pb *pb)
{
    static const char *const types[] = {"init_t",   "app_t",      "child_t", "secret_t",
                                        "public_t", "app_exec_t", "tmp_t"};
    uint32_t low, high;

    pb_class(pb, "process", "transition dyntransition fork sigchld", VD_PDB_CLASS_PROCESS);
    pb_class(pb, "file", "read write execute open relabelfrom", 0);
    pb_class(pb, "socket", "read write", VD_PDB_CLASS_SOCKET);
    pb_class(pb, "node", "read write",
             VD_PDB_DEFAULT_TARGET << VD_PDB_CLASS_USER_SHIFT |
                 VD_PDB_DEFAULT_TARGET << VD_PDB_CLASS_ROLE_SHIFT |
                 VD_PDB_DEFAULT_SOURCE << VD_PDB_CLASS_TYPE_SHIFT |
                 VD_RANGE_GLBLUB << VD_PDB_CLASS_RANGE_SHIFT);
    for (size_t i = 0; i < VD_COUNT(types); i++)
        pb_type(pb, types[i]);
    pb_symbol(pb, VD_SYM_TYPE, "application_t", SP_APP_T);
    pb_role(pb, "system_r");
    pb_role(pb, "app_r");
    pb_role(pb, "admin_r");
    for (uint32_t i = 0; i < 5; i++)
        pb_cat(pb, (const char *[]){"c0", "c1", "c2", "c3", "c4"}[i]);
    pb_sens(pb, "s0", 0x1f);
    pb_sens(pb, "s1", 0x1f);
    low = pb_level(pb, SP_S0, 0);
    high = pb_level(pb, SP_S1, 0x1f);
    pb_user(pb, "system_u", low, high);
    pb_user(pb, "app_u", low, pb_level(pb, SP_S0, 0x3));
    pb_bool(pb, "debug", false);
}

static void add_roles(struct pb *pb)
{
    for (uint32_t type = SP_INIT_T; type <= SP_CHILD_T; type++) {
        pb_role_type(pb, SP_SYSTEM_R, type);
        pb_role_type(pb, SP_ADMIN_R, type);
    }
    pb_role_type(pb, SP_APP_R, SP_APP_T);
    pb_role_type(pb, SP_APP_R, SP_CHILD_T);
    pb_role_dominates(pb, SP_ADMIN_R, SP_APP_R);
    pb_role_allow(pb, SP_SYSTEM_R, SP_APP_R);
    pb_user_role(pb, SP_SYSTEM_U, SP_SYSTEM_R);
    pb_user_role(pb, SP_SYSTEM_U, SP_APP_R);
    pb_user_role(pb, SP_SYSTEM_U, SP_ADMIN_R);
    pb_user_role(pb, SP_APP_U, SP_APP_R);
}

static void add_rules(struct pb *pb)
{
    struct vd_pdb_cond_node debug = {.op = VD_COND_BOOL, .value = SP_BOOL_DEBUG};
    uint32_t cond = pb_cond(pb, &debug, 1);
    uint32_t files = SP_READ | SP_WRITE | SP_OPEN;

    pb_allow(pb, SP_INIT_T, SP_APP_T, SP_PROCESS, SP_TRANSITION | SP_DYNTRANSITION);
    pb_allow(pb, SP_INIT_T, SP_INIT_T, SP_PROCESS, SP_FORK);
    pb_allow(pb, SP_INIT_T, SP_APP_EXEC_T, SP_FILE, SP_EXECUTE | SP_READ);
    pb_allow(pb, SP_INIT_T, SP_SECRET_T, SP_FILE, files | SP_RELABEL);
    pb_allow(pb, SP_APP_T, SP_PUBLIC_T, SP_FILE, SP_READ | SP_OPEN);
    pb_allow(pb, SP_CHILD_T, SP_PUBLIC_T, SP_FILE, files);
    pb_rule(pb, &(struct pb_rule){.source = SP_APP_T,
                                  .class = SP_FILE,
                                  .target = SP_PUBLIC_T,
                                  .auditallow = SP_READ,
                                  .dontaudit = SP_WRITE});
    pb_rule(pb, &(struct pb_rule){.source = SP_APP_T,
                                  .class = SP_FILE,
                                  .target = SP_SECRET_T,
                                  .allowed = SP_READ,
                                  .cond = cond,
                                  .branch = 1});
    pb_rule(pb, &(struct pb_rule){.source = SP_APP_T,
                                  .class = SP_FILE,
                                  .target = SP_SECRET_T,
                                  .allowed = SP_OPEN,
                                  .dontaudit = SP_READ,
                                  .cond = cond});
    pb_allow(pb, SP_APP_T, SP_TMP_T, SP_FILE, files);
    pb_allow(pb, SP_APP_T, SP_APP_T, SP_SOCKET, SP_READ | SP_WRITE);

    pb_transition(pb, vd_pdb_trans_key(VD_TRANS_TYPE, SP_INIT_T, SP_APP_EXEC_T, SP_PROCESS),
                  SP_APP_T);
    pb_transition(pb, vd_pdb_trans_key(VD_TRANS_ROLE, SP_SYSTEM_R, SP_APP_EXEC_T, SP_PROCESS),
                  SP_APP_R);
    pb_transition(pb, vd_pdb_trans_key(VD_TRANS_TYPE, SP_APP_T, SP_PUBLIC_T, SP_FILE), SP_TMP_T);
    pb_transition(pb, vd_pdb_trans_key(VD_TRANS_MEMBER, SP_APP_T, SP_PUBLIC_T, SP_FILE),
                  SP_SECRET_T);
    pb_transition(pb, vd_pdb_trans_key(VD_TRANS_CHANGE, SP_APP_T, SP_TMP_T, SP_FILE), SP_PUBLIC_T);
    pb_transition(pb, vd_pdb_trans_key(VD_TRANS_RANGE, SP_INIT_T, SP_TMP_T, SP_PROCESS), 1);
}

static void add_constraints(struct pb *pb)
{
    uint64_t admins = 1u << SP_ADMIN_R;
    uint64_t init = 1u << SP_INIT_T;
    uint32_t admin_set = pb_set(pb, &admins, 1);
    uint32_t init_set = pb_set(pb, &init, 1);
    /* No read up; no write up or down, except by administrators. */
    const struct vd_pdb_node read[] = {ATTR(H1, DOM, L2)};
    const struct vd_pdb_node write[] = {ATTR(L1, EQ, L2),
                                        ATTR(H1, DOM, L2),
                                        ATTR(R1, DOM, R2),
                                        NAMES(R1, EQ, admin_set),
                                        OP(AND),
                                        OP(AND),
                                        OP(OR)};
    const struct vd_pdb_node same_user[] = {ATTR(U1, NE, U2), OP(NOT), NAMES(T1, EQ, init_set),
                                            OP(OR)};
    const struct vd_pdb_node relabel[] = {NAMES(T3, EQ, init_set),
                                          ATTR(L2, DOMBY, H2),
                                          ATTR(L1, INCOMP, L2),
                                          OP(NOT),
                                          OP(AND),
                                          OP(AND)};

    pb_constraint(pb, SP_FILE, SP_READ | SP_EXECUTE, read, VD_COUNT(read));
    pb_constraint(pb, SP_FILE, SP_WRITE, write, VD_COUNT(write));
    pb_constraint(pb, SP_SOCKET, SP_WRITE, same_user, VD_COUNT(same_user));
    pb_validatetrans(pb, SP_FILE, relabel, VD_COUNT(relabel));
}

static uint32_t add_text(struct pb *pb, const char *text)
{
    uint32_t offset = pb_row(pb, VD_PDB_LABEL_TEXT, text);

    while (*text != '\0')
        pb_row(pb, VD_PDB_LABEL_TEXT, ++text);
    return offset;
}

/* A row of every table of labels; all have context 0. */
static void add_labels(struct pb *pb)
{
    static const uint64_t capabilities = 1u << 1;
    uint32_t empty = add_text(pb, ""), proc = add_text(pb, "proc");
    uint32_t root = add_text(pb, "/"), net = add_text(pb, "/net");
    const struct vd_pdb_fs_use fs_use = {.name = add_text(pb, "ext4"), .kind = VD_FS_USE_XATTR};
    const struct vd_pdb_genfs files = {.name = proc, .path = net, .class = SP_FILE};
    const struct vd_pdb_genfs all = {.name = proc, .path = root};
    const struct vd_pdb_port port = {.protocol = VD_PROTOCOL_TCP, .low = 80, .high = 443};
    const struct vd_pdb_netif netif = {.name = add_text(pb, "lo")};
    const struct vd_pdb_netnode node = {.address = {10}, .mask = {255}, .family = 4};
    const struct vd_pdb_netnode node6 = {.address = {0xfe, 0x80}, .mask = {255, 255}, .family = 6};
    const struct vd_pdb_ibpkey key = {.prefix = {0xfe, 0x80}, .low = 1, .high = 0x7fff};
    const struct vd_pdb_ibendport ib = {.device = add_text(pb, "mlx4_0"), .port = 2};

    (void)empty;
    pb_row(pb, VD_PDB_POLICYCAPS, &capabilities);
    pb_row(pb, VD_PDB_FS_USE, &fs_use);
    pb_row(pb, VD_PDB_GENFS, &files);
    pb_row(pb, VD_PDB_GENFS, &all);
    pb_row(pb, VD_PDB_PORTS, &port);
    pb_row(pb, VD_PDB_NETIFS, &netif);
    pb_row(pb, VD_PDB_NETNODES, &node);
    pb_row(pb, VD_PDB_NETNODES, &node6);
    pb_row(pb, VD_PDB_IBPKEYS, &key);
    pb_row(pb, VD_PDB_IBENDPORTS, &ib);
}

uint8_t *small_policy(size_t *ret_size)
{
    struct pb *pb = pb_new(VD_PDB_MLS);
    struct vd_pdb_range range = {.low = 0, .high = 1};
    struct vd_pdb_initial initial = {};
    struct vd_context kernel = sp_plain(SP_SYSTEM_U, SP_SYSTEM_R, SP_INIT_T);
    struct vd_pdb_type *type;

    add_names(pb);
    add_roles(pb);
    add_rules(pb);
    add_constraints(pb);
    pb_row(pb, VD_PDB_RANGES, &range);
    type = pb_at(pb, VD_PDB_TYPES, SP_CHILD_T);
    type->bounds = SP_APP_T;
    type = pb_at(pb, VD_PDB_TYPES, SP_TMP_T);
    type->flags = VD_PDB_TYPE_PERMISSIVE;
    initial.name = pb_name(pb, "kernel");
    initial.context = pb_row(pb, VD_PDB_CONTEXTS, &kernel);
    pb_row(pb, VD_PDB_INITIAL, &initial);
    add_labels(pb);
    return pb_finish(pb, ret_size);
}

struct vd_context sp_context(uint32_t user, uint32_t role, uint32_t type, struct vd_mls_level low,
                             struct vd_mls_level high)
{
    return (struct vd_context){.user = user, .role = role, .type = type, .low = low, .high = high};
}

struct vd_context sp_plain(uint32_t user, uint32_t role, uint32_t type)
{
    return sp_context(user, role, type, SP_LEVEL(SP_S0, 0), SP_LEVEL(SP_S0, 0));
}
