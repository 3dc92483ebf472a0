/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/policy/query_label.h"

#include "core/mac/transition.h"
#include "core/policydb/labels.h"
#include "core/policydb/policycap.h"
#include "lib/diagf.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define CONTEXT_BYTES (32u << 10)

struct question {
    const struct vd_policydb *db;
    char *const *words; /* behind the kind */
    uint32_t count;
    FILE *out;
    struct vd_diag *diag;
};

static void print_context(const struct question *q, const char *title,
                          const struct vd_context *context)
{
    char buf[CONTEXT_BYTES];
    struct vd_text text;

    vd_text_init(&text, buf, sizeof(buf));
    vd_mac_context_text(q->db, context, &text);
    fprintf(q->out, " %s=%s", title, buf);
}

static enum vd_policy_answer wrong(const struct question *q, const char *what, const char *word)
{
    fputs("error=argument\n", q->out);
    (void)!vd_diagf(q->diag, VD_E_INVALID, "\"%s\" is not %s", word, what);
    return VD_POLICY_ANSWER_UNKNOWN;
}

/* The context found, or the initial one that holds where no statement fits. */
static enum vd_policy_answer answer(const struct question *q, vd_status status,
                                    const struct vd_context *found, const char *initial,
                                    const char *more)
{
    struct vd_context context;
    bool labelled = status == VD_OK;

    if (labelled)
        context = *found;
    else if (vd_policydb_initial(q->db, initial, &context) != VD_OK) {
        fprintf(q->out, "label error=none%s\n", more);
        return VD_POLICY_ANSWER_NO;
    }
    fputs("label", q->out);
    print_context(q, "context", &context);
    if (!labelled)
        fprintf(q->out, " initial=%s", initial);
    fprintf(q->out, "%s\n", more);
    return VD_POLICY_ANSWER_YES;
}

static bool number_of(const char *word, uint32_t max, uint32_t *ret)
{
    char *end;
    unsigned long value = strtoul(word, &end, 0);

    if (word[0] < '0' || word[0] > '9' || *end != '\0' || value > max)
        return false;
    *ret = (uint32_t)value;
    return true;
}

/*
 * The file system's own label, which a symbolic link has too unless a capability
 * says otherwise (Linux, inode_doinit_with_dentry).
 */
static vd_status genfs_whole(const struct question *q, struct vd_context *ret)
{
    uint32_t dir = 0;

    (void)!vd_policydb_find(q->db, VD_SYM_CLASS, "dir", 3, &dir);
    return vd_policydb_genfs(q->db, q->words[0], "/", dir, ret);
}

static enum vd_policy_answer ask_fs_use(const struct question *q)
{
    static const char *const behaviours[] = {[VD_FS_USE_XATTR] = " behaviour=xattr",
                                             [VD_FS_USE_TRANS] = " behaviour=trans",
                                             [VD_FS_USE_TASK] = " behaviour=task"};
    enum vd_pdb_fs_use_kind kind;
    struct vd_context context;

    if (vd_policydb_fs_use(q->db, q->words[0], &kind, &context) == VD_OK)
        return answer(q, VD_OK, &context, "", behaviours[kind]);
    if (genfs_whole(q, &context) == VD_OK)
        return answer(q, VD_OK, &context, "", " behaviour=genfs");
    return answer(q, VD_E_NOT_FOUND, NULL, "unlabeled", " behaviour=none");
}

static enum vd_policy_answer ask_genfs(const struct question *q)
{
    struct vd_context context = {};
    uint32_t class = 0;
    vd_status status;

    if (q->words[1][0] != '/')
        return wrong(q, "a path: it begins with '/'", q->words[1]);
    if (q->count == 3 &&
        vd_policydb_find(q->db, VD_SYM_CLASS, q->words[2], strlen(q->words[2]), &class) != VD_OK)
        return wrong(q, "a class of the policy", q->words[2]);
    if (q->count == 3 && strcmp(q->words[2], "lnk_file") == 0 &&
        !vd_policydb_policycap(q->db, VD_POLICYCAP_GENFS_SYMLINKS))
        status = genfs_whole(q, &context);
    else
        status = vd_policydb_genfs(q->db, q->words[0], q->words[1], class, &context);
    return answer(q, status, &context, "unlabeled", "");
}

static enum vd_policy_answer ask_port(const struct question *q)
{
    static const struct {
        const char *name;
        enum vd_pdb_protocol protocol;
    } protocols[] = {{"tcp", VD_PROTOCOL_TCP},
                     {"udp", VD_PROTOCOL_UDP},
                     {"dccp", VD_PROTOCOL_DCCP},
                     {"sctp", VD_PROTOCOL_SCTP}};
    struct vd_context context = {};
    uint32_t port;

    if (!number_of(q->words[1], VD_PDB_MAX_PORT, &port))
        return wrong(q, "a port: a number up to 65535", q->words[1]);
    for (size_t i = 0; i < VD_COUNT(protocols); i++) {
        if (strcmp(q->words[0], protocols[i].name) == 0)
            return answer(q, vd_policydb_port(q->db, protocols[i].protocol, port, &context),
                          &context, "port", "");
    }
    return wrong(q, "a protocol: tcp, udp, dccp or sctp", q->words[0]);
}

static enum vd_policy_answer ask_node(const struct question *q)
{
    struct vd_context context = {};
    uint8_t address[16] = {};
    uint32_t family = 4;

    if (inet_pton(AF_INET, q->words[0], address) != 1) {
        family = 6;
        if (inet_pton(AF_INET6, q->words[0], address) != 1)
            return wrong(q, "an IPv4 or IPv6 address", q->words[0]);
    }
    return answer(q, vd_policydb_node(q->db, family, address, &context), &context, "node", "");
}

static enum vd_policy_answer ask_netif(const struct question *q)
{
    struct vd_context context = {}, packets;
    vd_status status = vd_policydb_netif(q->db, q->words[0], &context, &packets);

    if (status != VD_OK)
        return answer(q, status, &context, "netif", "");
    fputs("label", q->out);
    print_context(q, "context", &context);
    print_context(q, "packets", &packets);
    fputc('\n', q->out);
    return VD_POLICY_ANSWER_YES;
}

static enum vd_policy_answer ask_ibpkey(const struct question *q)
{
    struct vd_context context = {};
    uint8_t prefix[16];
    uint32_t key;

    if (inet_pton(AF_INET6, q->words[0], prefix) != 1)
        return wrong(q, "a subnet prefix, an IPv6 address", q->words[0]);
    if (!number_of(q->words[1], VD_PDB_MAX_PKEY, &key))
        return wrong(q, "a partition key: a number up to 65535", q->words[1]);
    return answer(q, vd_policydb_ibpkey(q->db, prefix, key, &context), &context, "unlabeled", "");
}

static enum vd_policy_answer ask_ibendport(const struct question *q)
{
    struct vd_context context = {};
    uint32_t port;

    if (!number_of(q->words[1], VD_PDB_MAX_IB_PORT, &port))
        return wrong(q, "a port: a number up to 255", q->words[1]);
    return answer(q, vd_policydb_ibendport(q->db, q->words[0], port, &context), &context,
                  "unlabeled", "");
}

static const struct {
    const char *name;
    uint32_t needed, most; /* words behind the kind */
    enum vd_policy_answer (*ask)(const struct question *q);
} kinds[] = {
    {"fs_use", 1, 1, ask_fs_use},       {"genfs", 2, 3, ask_genfs}, {"port", 2, 2, ask_port},
    {"node", 1, 1, ask_node},           {"netif", 1, 1, ask_netif}, {"ibpkey", 2, 2, ask_ibpkey},
    {"ibendport", 2, 2, ask_ibendport},
};

enum vd_policy_answer vd_policy_query_label(const struct vd_policydb *db, char *const *words,
                                            uint32_t count, FILE *out, struct vd_diag *diag)
{
    const struct question q = {
        .db = db, .words = words + 1, .count = count - 1, .out = out, .diag = diag};

    for (size_t i = 0; count > 0 && i < VD_COUNT(kinds); i++) {
        if (strcmp(words[0], kinds[i].name) == 0 && q.count >= kinds[i].needed &&
            q.count <= kinds[i].most)
            return kinds[i].ask(&q);
    }
    vd_diagf_hint(diag,
                  "label fs_use FS, genfs FS PATH [CLASS], port PROTOCOL NUMBER, node ADDRESS, "
                  "netif NAME, ibpkey PREFIX KEY or ibendport DEVICE PORT");
    (void)!vd_diagf(diag, VD_E_USAGE, "not a query of a label");
    fputs("error=verb\n", out);
    return VD_POLICY_ANSWER_UNKNOWN;
}
