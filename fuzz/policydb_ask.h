/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What must hold for any policy that opens: every query ends, reads nothing
 * outside, and answers consistently.
 */
#ifndef VD_FUZZ_POLICYDB_ASK_H
#define VD_FUZZ_POLICYDB_ASK_H

#include "core/mac/decide.h"
#include "core/mac/transition.h"
#include "core/mac/xperm.h"
#include "core/policydb/conditional.h"
#include "core/policydb/labels.h"
#include "fuzz/fuzz.h"

#include <string.h>

static inline void ask_names(const struct vd_policydb *db)
{
    const struct vd_pdb_header *head = vd_policydb_header(db);
    struct vd_context initial;

    for (uint32_t i = 0; i < head->sections[VD_PDB_SYMBOLS].count && i < 64; i++) {
        const struct vd_pdb_symbol *row = vd_pdb_row(db, VD_PDB_SYMBOLS, i, sizeof(*row));
        const char *name = vd_policydb_string(db, row->name);
        uint32_t number;
        VD_FUZZ_ASSERT(vd_policydb_find(db, (enum vd_pdb_symbol_kind)row->kind, name, strlen(name),
                                        &number) == VD_OK);
        VD_FUZZ_ASSERT(number == row->value);
    }
    for (uint32_t bit = 0; bit < 40; bit++)
        vd_policydb_perm_name(db, bit % head->classes, bit);
    (void)!vd_policydb_initial(db, "kernel", &initial);
}

/* A new file's name, one of the policy's and one that it hardly has. */
static inline void ask_named(const struct vd_policydb *db, const struct vd_context *s,
                             const struct vd_context *t, uint32_t class)
{
    const struct vd_pdb_header *head = vd_policydb_header(db);
    struct vd_making making = {.class = class, .kind = VD_TRANS_TYPE, .creators = VD_MAKING_KERNEL};
    uint32_t slots = head->sections[VD_PDB_NAMED].count;
    struct vd_context made;

    for (uint32_t i = 0; i < 8; i++) {
        const struct vd_pdb_named *slot =
            slots == 0 ? NULL
                       : vd_pdb_row(db, VD_PDB_NAMED, (i * 7 + class) % slots, sizeof(*slot));
        const char *text = slot == NULL ? NULL : vd_pdb_row(db, VD_PDB_FILE_NAMES, slot->name, 1);
        struct vd_file_name name = {.text = text == NULL ? "x" : text};

        name.len = text == NULL ? 1 : strlen(text);
        making.named = vd_mac_named_type(db, s->type, t->type, class, &name);
        VD_FUZZ_ASSERT(making.named < head->types);
        if (slot != NULL && slot->name != 0)
            (void)vd_mac_named_type(db, s->type, slot->target, slot->class, &name);
        if (vd_mac_create(db, s, t, &making, &made) == VD_OK)
            VD_FUZZ_ASSERT(vd_mac_context_valid(db, &made));
    }
}

/* Extended permissions only ever take away. */
static inline void ask_xperms(const struct vd_policydb *db, const struct vd_context *s,
                              const struct vd_context *t, uint32_t class)
{
    struct vd_decision all, one;

    vd_mac_decide(db, s, t, class, &all);
    for (uint32_t i = 0; i < 16; i++) {
        struct vd_xperm_question q = {.class = class,
                                      .perms = 1u << (i % 3),
                                      .kind = i % 2 == 0 ? VD_XPERM_IOCTL : VD_XPERM_NLMSG,
                                      .number = i * 0x1235 + class};

        VD_FUZZ_ASSERT((vd_mac_decide_xperm(db, s, t, &q, &one) == VD_OK) ==
                       (q.number <= VD_XPERM_NUMBER_MAX));
        VD_FUZZ_ASSERT((one.allowed & ~all.allowed) == 0);
        VD_FUZZ_ASSERT(((one.allowed ^ all.allowed) & ~q.perms) == 0);
    }
}

static inline void ask_pair(const struct vd_policydb *db, const struct vd_context *s,
                            const struct vd_context *t, uint32_t class)
{
    struct vd_decision d, again;
    struct vd_context made, back;
    char buf[16384];
    struct vd_text text;

    vd_mac_decide(db, s, t, class, &d);
    vd_mac_decide(db, s, t, class, &again);
    VD_FUZZ_ASSERT(memcmp(&d, &again, sizeof(d)) == 0);
    VD_FUZZ_ASSERT((d.allowed & (d.without_te | d.without_constraint | d.without_role |
                                 d.without_bounds)) == 0);
    (void)!vd_mac_validatetrans(db, s, t, s, class);
    ask_named(db, s, t, class);
    ask_xperms(db, s, t, class);
    for (uint32_t kind = 0; kind < 7; kind++) {
        if (vd_mac_transition(db, s, t, class, kind, &made) != VD_OK)
            continue;
        VD_FUZZ_ASSERT(vd_mac_context_valid(db, &made));
        vd_text_init(&text, buf, sizeof(buf));
        vd_mac_context_text(db, &made, &text);
        (void)!vd_mac_context_parse(db, buf, text.len, &back, NULL);
    }
}

/* Each row is found by what it says itself, or something before it fits too. */
static inline void ask_labels(const struct vd_policydb *db)
{
    const struct vd_pdb_section_row *sections = vd_policydb_header(db)->sections;
    enum vd_pdb_fs_use_kind kind;
    struct vd_context found, packets;

    for (uint32_t i = 0; i < sections[VD_PDB_FS_USE].count && i < 64; i++) {
        const struct vd_pdb_fs_use *row = vd_pdb_row(db, VD_PDB_FS_USE, i, sizeof(*row));
        VD_FUZZ_ASSERT(
            vd_policydb_fs_use(db, vd_policydb_label_text(db, row->name), &kind, &found) == VD_OK);
    }
    for (uint32_t i = 0; i < sections[VD_PDB_GENFS].count && i < 64; i++) {
        const struct vd_pdb_genfs *row = vd_pdb_row(db, VD_PDB_GENFS, i, sizeof(*row));
        (void)!vd_policydb_genfs(db, vd_policydb_label_text(db, row->name),
                                 vd_policydb_label_text(db, row->path), row->class, &found);
    }
    for (uint32_t i = 0; i < sections[VD_PDB_PORTS].count && i < 64; i++) {
        const struct vd_pdb_port *row = vd_pdb_row(db, VD_PDB_PORTS, i, sizeof(*row));
        VD_FUZZ_ASSERT(
            vd_policydb_port(db, (enum vd_pdb_protocol)row->protocol, row->high, &found) == VD_OK);
    }
    for (uint32_t i = 0; i < sections[VD_PDB_NETIFS].count && i < 64; i++) {
        const struct vd_pdb_netif *row = vd_pdb_row(db, VD_PDB_NETIFS, i, sizeof(*row));
        (void)!vd_policydb_netif(db, vd_policydb_label_text(db, row->name), &found, &packets);
    }
    for (uint32_t i = 0; i < sections[VD_PDB_NETNODES].count && i < 64; i++) {
        const struct vd_pdb_netnode *row = vd_pdb_row(db, VD_PDB_NETNODES, i, sizeof(*row));
        (void)!vd_policydb_node(db, row->family, row->address, &found);
    }
}

static inline void ask_everything(const struct vd_policydb *db)
{
    const struct vd_pdb_header *head = vd_policydb_header(db);
    uint32_t pool = head->sections[VD_PDB_LEVELS].count;

    ask_names(db);
    ask_labels(db);
    for (uint32_t i = 0; i < 200; i++) {
        struct vd_context s = {.user = i % (head->users + 1),
                               .role = i % (head->roles + 1),
                               .type = i % (head->types + 2)};
        struct vd_context t = s;
        t.type = (i * 7 + 1) % (head->types + 2);
        t.role = i % 2 == 0 ? VD_PDB_ROLE_OBJECT : t.role;
        if (pool != 0) {
            s.low = *(const struct vd_mls_level *)vd_pdb_row(db, VD_PDB_LEVELS, i % pool, 136);
            s.high = *(const struct vd_mls_level *)vd_pdb_row(db, VD_PDB_LEVELS, i / 3 % pool, 136);
            t.low = t.high = s.high;
        }
        ask_pair(db, &s, &t, i % (head->classes + 1));
    }
}

#endif
