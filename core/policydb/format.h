/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The compiled policy's byte format (docs/formats/policy.md): one
 * position-independent, little-endian blob of flat tables.
 *
 * It is written by tools/sepolicy, checked whole by vd_policydb_open, and read
 * in place by the host and by the BPF programs, which see it as one array map
 * value. Every reader checks each offset again, so that a damaged blob in the
 * map gives "deny", never a wrong read.
 *
 * The sections follow the header in the order of their numbers, each at the next
 * multiple of 8; the padding between them is zero, and the blob's size is a
 * multiple of 8. Numbers of symbols (types, roles, …) start at 1; row 0 of their
 * tables is zero. Names are offsets into VD_PDB_STRINGS, NUL-terminated, 1 to
 * 255 bytes of visible ASCII without ':'; offset 0 is the empty string and means
 * that a number is not used. Role 1 is object_r, the role of objects.
 *
 * Type enforcement is a trie whose pages are shared: TE_ROOT[(stype * classes)
 * + class] names a row, TE_ROWS[row * blocks + ttype / 64] a block,
 * TE_BLOCKS[block * 64 + ttype % 64] a leaf. Row, block and leaf 0 are the
 * empty ones: nothing allowed. A decision costs four loads, however large the
 * policy is; equal rows, blocks and leaves are stored once.
 *
 * A leaf holds the effective vectors under the current booleans; a changed
 * boolean rewrites the leaves (from VD_PDB_COND_RULES) in a new copy of the
 * blob, so that the decision never evaluates a condition.
 */
#ifndef VD_CORE_POLICYDB_FORMAT_H
#define VD_CORE_POLICYDB_FORMAT_H

#include "core/abi/context.h"
#include "core/base/htab.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the blob is read in place");

#define VD_PDB_MAGIC        "VDPOLICY" /* 8 bytes, no NUL */
#define VD_PDB_VERSION      2u
#define VD_PDB_HEADER_SIZE  832u
#define VD_PDB_ALIGN        8u
#define VD_PDB_MAX_SIZE     (512u << 20)
#define VD_PDB_MAX_FILE     ((size_t)VD_PDB_MAX_SIZE * 2) /* the blob and a rulebook */
#define VD_PDB_MAX_CLASSES  1024u
#define VD_PDB_MAX_PERMS    32u /* in a class: one bit each */
#define VD_PDB_MAX_TYPES    (1u << 20)
#define VD_PDB_MAX_ROLES    4096u
#define VD_PDB_MAX_USERS    65536u
#define VD_PDB_MAX_SENS     1024u
#define VD_PDB_MAX_NODES    4096u /* constraint nodes of one class */
#define VD_PDB_MAX_DEPTH    16u   /* of a constraint's or condition's value stack */
#define VD_PDB_MAX_COND     256u  /* nodes of one condition */
#define VD_PDB_MAX_BOOLS    4096u
#define VD_PDB_MAX_BOUNDS   3u    /* steps from a type to its outermost bounding type */
#define VD_PDB_MAX_NAME     255u  /* bytes, without the NUL */
#define VD_PDB_MAX_XPERMS   4096u /* rows of XPERMS of one leaf */
#define VD_PDB_MAX_NAMED    4096u /* rows of NAMED_ROWS of one slot */
#define VD_PDB_ROLE_OBJECT  1u    /* object_r */
#define VD_PDB_BLOCK_TYPES  64u
#define VD_PDB_BUCKET_SLOTS 8u

/* Limits of the tables of labels. */
#define VD_PDB_MAX_LABELS    16384u /* rows of one table */
#define VD_PDB_MAX_PATH      4095u  /* bytes of a text of LABEL_TEXT, without the NUL */
#define VD_PDB_MAX_PORT      65535u
#define VD_PDB_MAX_PKEY      65535u /* InfiniBand's partition keys */
#define VD_PDB_MAX_IB_PORT   255u
#define VD_PDB_MAX_IB_DEVICE 63u /* bytes of a device's name */

#define VD_PDB_RULEBOOK_MAGIC "VDRULES1" /* of what may stand behind the blob: tools/rulebook */

/* Flags of the header. */
#define VD_PDB_MLS            (1u << 0)
#define VD_PDB_UNKNOWN_REJECT (1u << 1) /* handle_unknown; neither: deny */
#define VD_PDB_UNKNOWN_ALLOW  (1u << 2)

enum vd_pdb_section {
    VD_PDB_STRINGS,       /* bytes */
    VD_PDB_CLASSES,       /* struct vd_pdb_class */
    VD_PDB_PERMS,         /* u32 name, a class's in its bit order */
    VD_PDB_TYPES,         /* struct vd_pdb_type: types, then attributes */
    VD_PDB_ROLES,         /* struct vd_pdb_role */
    VD_PDB_USERS,         /* struct vd_pdb_user */
    VD_PDB_SENS,          /* struct vd_pdb_sens */
    VD_PDB_CATS,          /* u32 name; row = category number, from 0; 0: no such category */
    VD_PDB_BOOLS,         /* struct vd_pdb_bool */
    VD_PDB_SYMBOLS,       /* struct vd_pdb_symbol, sorted by (kind, name) */
    VD_PDB_BITMAPS,       /* u64 words, pool */
    VD_PDB_LEVELS,        /* struct vd_mls_level, pool; empty without MLS */
    VD_PDB_CONTEXTS,      /* struct vd_context, pool */
    VD_PDB_INITIAL,       /* struct vd_pdb_initial: initial contexts by name */
    VD_PDB_TE_ROOT,       /* u32 row */
    VD_PDB_TE_ROWS,       /* u32 block */
    VD_PDB_TE_BLOCKS,     /* u32 leaf */
    VD_PDB_TE_LEAVES,     /* struct vd_pdb_leaf */
    VD_PDB_ROLE_ALLOW,    /* u64 words: bit new of row old, VD_BITMAP_WORDS(roles) a row */
    VD_PDB_TRANSITIONS,   /* struct vd_pdb_slot, buckets of 8; buckets a power of two */
    VD_PDB_RANGES,        /* struct vd_pdb_range, for range transitions */
    VD_PDB_NODES,         /* struct vd_pdb_node: constraints, a class's together */
    VD_PDB_COND_RULES,    /* struct vd_pdb_cond_rule, sorted by leaf */
    VD_PDB_COND_NODES,    /* struct vd_pdb_cond_node */
    VD_PDB_POLICYCAPS,    /* u64: at most one row, a bit for each capability (policycap.h) */
    VD_PDB_LABEL_TEXT,    /* bytes: what the tables below name; empty or as STRINGS begins */
    VD_PDB_FS_USE,        /* struct vd_pdb_fs_use */
    VD_PDB_GENFS,         /* struct vd_pdb_genfs, a file system's together, longest path first */
    VD_PDB_PORTS,         /* struct vd_pdb_port: the first that fits counts, as below */
    VD_PDB_NETIFS,        /* struct vd_pdb_netif */
    VD_PDB_NETNODES,      /* struct vd_pdb_netnode */
    VD_PDB_IBPKEYS,       /* struct vd_pdb_ibpkey */
    VD_PDB_IBENDPORTS,    /* struct vd_pdb_ibendport */
    VD_PDB_FILE_NAMES,    /* bytes: names of new files, NUL-terminated */
    VD_PDB_NAMED,         /* struct vd_pdb_named, buckets of 8; their number a power of two */
    VD_PDB_NAMED_ROWS,    /* struct vd_pdb_named_row, those of one slot together */
    VD_PDB_NAMED_TARGETS, /* u64 words: target types of NAMED */
    VD_PDB_COND_TRANS,    /* struct vd_pdb_cond_trans, sorted by slot */
    VD_PDB_XPERMS,        /* struct vd_pdb_xperm */
    VD_PDB_SECTION_COUNT,
    VD_PDB_SECTION_MAX = 48, /* rows in the header; those not named are zero */
};

struct vd_pdb_section_row {
    uint32_t offset; /* bytes from the blob's start */
    uint32_t size;   /* bytes */
    uint32_t count;  /* rows */
    uint32_t reserved;
};

struct vd_pdb_header {
    uint8_t magic[8];
    uint32_t version;
    uint32_t header_size;
    uint32_t total_size; /* of the blob, bytes */
    uint32_t flags;
    uint64_t checksum; /* CRC-64/XZ of the blob with this field zero */
    uint32_t classes;  /* rows of CLASSES: highest class number + 1 */
    uint32_t types;    /* highest type number + 1, without attributes */
    uint32_t roles;    /* highest role number + 1 */
    uint32_t users;    /* highest user number + 1 */
    uint32_t blocks;   /* of a TE row: (types + 63) / 64 */
    uint32_t buckets;  /* of TRANSITIONS, a power of two, at least 1 */
    uint32_t sens;     /* highest sensitivity number + 1 */
    uint32_t cats;     /* rows of CATS */
    struct vd_pdb_section_row sections[VD_PDB_SECTION_MAX];
};

struct vd_pdb_class {
    uint32_t name;
    uint32_t perm_first; /* row of PERMS */
    uint32_t perm_count; /* at most 32 */
    uint32_t node_first; /* row of NODES: constraints on permissions */
    uint32_t node_count;
    uint32_t vtrans_first; /* row of NODES: validatetrans */
    uint32_t vtrans_count;
    uint32_t flags;      /* VD_PDB_CLASS_…, defaults of new objects */
    uint32_t role_perms; /* need a role allow where the roles differ: transition, dyntransition */
    uint32_t reserved;
};

#define VD_PDB_CLASS_PROCESS (1u << 0) /* "process": a new one keeps the source's role and type */
#define VD_PDB_CLASS_SOCKET  (1u << 1) /* new objects take the creator's role, type and range */

/* default_user, default_role, default_type: 0 none, 1 source, 2 target; in the class's flags. */
#define VD_PDB_DEFAULT_SOURCE    1u
#define VD_PDB_DEFAULT_TARGET    2u
#define VD_PDB_CLASS_USER_SHIFT  4u  /* 2 bits */
#define VD_PDB_CLASS_ROLE_SHIFT  6u  /* 2 bits */
#define VD_PDB_CLASS_TYPE_SHIFT  8u  /* 2 bits */
#define VD_PDB_CLASS_RANGE_SHIFT 10u /* 3 bits: enum vd_pdb_default_range */
#define VD_PDB_CLASS_FLAGS_ALL   0x1ff3u

enum vd_pdb_default_range {
    VD_RANGE_NONE,
    VD_RANGE_SOURCE_LOW,
    VD_RANGE_SOURCE_HIGH,
    VD_RANGE_SOURCE_BOTH,
    VD_RANGE_TARGET_LOW,
    VD_RANGE_TARGET_HIGH,
    VD_RANGE_TARGET_BOTH,
    VD_RANGE_GLBLUB, /* what both ranges have */
};

#define VD_PDB_TYPE_ATTRIBUTE  (1u << 0)
#define VD_PDB_TYPE_PERMISSIVE (1u << 1)
#define VD_PDB_TYPE_NEVERAUDIT (1u << 2) /* what it does is never recorded */
#define VD_PDB_TYPE_FLAGS_ALL  0x7u

struct vd_pdb_type {
    uint32_t name;
    uint32_t flags;
    uint32_t bounds; /* bounding type's number; 0: none */
    uint32_t bitmap; /* attribute: its types, first word in BITMAPS; else 0 */
};

struct vd_pdb_role {
    uint32_t name;
    uint32_t types;     /* first word in BITMAPS, VD_BITMAP_WORDS(types) words */
    uint32_t dominates; /* the same, VD_BITMAP_WORDS(roles) words; itself too, but object_r none */
    uint32_t reserved;
};

struct vd_pdb_user {
    uint32_t name;
    uint32_t roles;         /* first word in BITMAPS, VD_BITMAP_WORDS(roles) words */
    uint32_t low, high;     /* rows of LEVELS: clearance */
    uint32_t default_level; /* row of LEVELS */
    uint32_t reserved;
};

struct vd_pdb_sens {
    uint32_t name;
    uint32_t cats; /* first word in BITMAPS, 16 words: categories the level may have */
};

struct vd_pdb_bool {
    uint32_t name;
    uint32_t value; /* 0 or 1 */
};

enum vd_pdb_symbol_kind {
    VD_SYM_CLASS = 1,
    VD_SYM_TYPE, /* types, aliases and attributes */
    VD_SYM_ROLE,
    VD_SYM_USER,
    VD_SYM_SENS,
    VD_SYM_CAT,
    VD_SYM_BOOL,
};

/* An alias has a row of its own with the number it stands for. */
struct vd_pdb_symbol {
    uint32_t kind;
    uint32_t name;
    uint32_t value;
    uint32_t reserved;
};

struct vd_pdb_initial {
    uint32_t name;    /* "kernel", "unlabeled", "file", … */
    uint32_t context; /* row of CONTEXTS */
};

/* Leaf 0: nothing allowed, auditdeny and base_auditdeny all ones, no rule. */
struct vd_pdb_leaf {
    uint32_t allowed;
    uint32_t auditallow;
    uint32_t auditdeny;  /* all ones unless dontaudit cleared a bit */
    uint32_t cond_first; /* first row of COND_RULES; rows up to the next leaf's */
    uint32_t cond_count;
    uint32_t base_allowed, base_auditallow, base_auditdeny; /* without conditional rules */
    uint32_t xperm_first, xperm_count; /* rows of XPERMS; leaves may share them; first 0 if none */
};

enum vd_pdb_xperm_rule { VD_XPERM_ALLOW = 1, VD_XPERM_AUDITALLOW, VD_XPERM_DONTAUDIT };

enum vd_pdb_xperm_kind { VD_XPERM_IOCTL = 1, VD_XPERM_NLMSG };

/*
 * Extended permissions: which of the numbers 0 to 0xffff of a kind (ioctl
 * commands, netlink messages) a rule names. A number's high byte is its driver.
 * A row has numbers of one driver, or, with VD_XPERM_WHOLE, whole drivers.
 */
struct vd_pdb_xperm {
    uint8_t rule;                    /* enum vd_pdb_xperm_rule */
    uint8_t kind;                    /* enum vd_pdb_xperm_kind */
    uint8_t driver;                  /* 0 with VD_XPERM_WHOLE */
    uint8_t flags;                   /* VD_XPERM_… */
    uint32_t cond_first, cond_count; /* rows of COND_NODES; none: the row is always in force */
    uint32_t branch;                 /* 1: in force while the condition is true, 0: while false */
    uint64_t bits[4];                /* by a number's low byte; by driver with VD_XPERM_WHOLE */
};

#define VD_XPERM_WHOLE     (1u << 0)
#define VD_XPERM_IN_FORCE  (1u << 1) /* under the booleans' values */
#define VD_XPERM_FLAGS_ALL 0x3u

/* What a slot of TRANSITIONS answers. */
enum vd_pdb_trans_kind {
    VD_TRANS_TYPE = 1, /* type_transition → type */
    VD_TRANS_MEMBER,   /* type_member → type */
    VD_TRANS_CHANGE,   /* type_change → type */
    VD_TRANS_ROLE,     /* role_transition (role, type, class) → role */
    VD_TRANS_RANGE,    /* range_transition → row of RANGES + 1: 0 means no rule */
};

struct vd_pdb_slot {
    uint64_t key; /* vd_pdb_trans_key; 0: free */
    uint32_t value;
    uint32_t reserved;
};

/* Bits: 0-19 target type, 20-39 source type or role, 40-55 class, 56-63 kind. */
VD_INLINE uint64_t vd_pdb_trans_key(uint32_t kind, uint32_t source, uint32_t target, uint32_t class)
{
    return (uint64_t)kind << 56 | (uint64_t)(class & 0xffff) << 40 |
           (uint64_t)(source & 0xfffff) << 20 | (uint64_t)(target & 0xfffff);
}

/* The bucket of a key: 8 slots at 8 * bucket, used ones first; a full bucket needs more buckets. */
VD_INLINE uint32_t vd_pdb_trans_bucket(uint64_t key, uint32_t buckets)
{
    return (uint32_t)(vd_hash_mix(key) >> 32) & (buckets - 1);
}

struct vd_pdb_range {
    uint32_t low, high; /* rows of LEVELS */
};

/*
 * Transitions of types by the name of the new file: a slot for each class,
 * target type and name, found by vd_pdb_named_bucket; its rows have source
 * types that differ. Names are 1 to 255 bytes, none of them NUL or '/'; offset
 * 0 of FILE_NAMES is a NUL and no name. Without such rules all four sections
 * are empty; NAMED_TARGETS spares those who ask for other targets the hash.
 */
struct vd_pdb_named {
    uint32_t name;   /* offset in FILE_NAMES; 0: free */
    uint32_t target; /* type */
    uint32_t class;
    uint32_t row_first, row_count; /* rows of NAMED_ROWS, at least one */
    uint32_t reserved;
};

struct vd_pdb_named_row {
    uint32_t sources; /* first word in BITMAPS, VD_BITMAP_WORDS(types) words */
    uint32_t type;    /* of the new file */
};

/* Adds the next byte of a name to its hash, which starts at 0. */
VD_INLINE uint32_t vd_pdb_named_hash(uint32_t hash, uint8_t byte)
{
    return (hash ^ byte) * 0x01000193u + 0x9e3779b9u;
}

/* The bucket of a class, target and name: 8 slots at 8 * bucket, used ones first. */
VD_INLINE uint32_t vd_pdb_named_bucket(uint32_t class, uint32_t target, uint32_t name_hash,
                                       uint32_t buckets)
{
    uint64_t key = (uint64_t)name_hash << 32 | (class & 0xfffu) << 20 | (target & 0xfffffu);

    return (uint32_t)(vd_hash_mix(key) >> 32) & (buckets - 1);
}

/*
 * A conditional type_transition, type_member or type_change: what its slot of
 * TRANSITIONS answers while the branch is in force. A slot with such rows has
 * no unconditional rule; its value is 0 while none of them is in force.
 */
struct vd_pdb_cond_trans {
    uint32_t cond_first, cond_count; /* rows of COND_NODES: the expression, postfix */
    uint32_t branch;                 /* 1: while it is true, 0: while it is false */
    uint32_t slot;                   /* row of TRANSITIONS */
    uint32_t value;                  /* type */
    uint32_t reserved;
};

/*
 * A constraint is a postfix program over a stack of truth values, kept as the
 * bits of one word. A class's constraints stand one after another. Each begins
 * with VD_CX_BEGIN, by which the engine passes over a constraint none of whose
 * permissions `arg` is allowed anyway, and ends with VD_CX_END, which takes the
 * top value away and, if it is false, removes the permissions `arg`. MLS
 * constraints are constraints. For validatetrans `arg` is 0 in both.
 */
enum vd_pdb_node_op {
    VD_CX_END = 1, /* arg: permissions that the constraint guards */
    VD_CX_NOT,
    VD_CX_AND,
    VD_CX_OR,
    VD_CX_ATTR,  /* left REL right, both contexts' parts */
    VD_CX_NAMES, /* left in the set `arg` (first word in BITMAPS) for EQ, not in it for NE */
    VD_CX_BEGIN, /* arg as in END; left + 256 * right: nodes up to and with END */
};

enum vd_pdb_node_rel { VD_REL_EQ = 1, VD_REL_NE, VD_REL_DOM, VD_REL_DOMBY, VD_REL_INCOMP };

/*
 * Parts of a context; source 1, target 2, third (validatetrans) 3. VD_CX_ATTR
 * takes the pairs U1 U2, T1 T2 (EQ, NE), R1 R2, L1 L2, L1 H2, H1 L2, H1 H2,
 * L1 H1, L2 H2 (every relation), in this order; VD_CX_NAMES users, roles, types.
 */
enum vd_pdb_node_part {
    VD_PART_U1 = 1,
    VD_PART_U2,
    VD_PART_U3,
    VD_PART_R1,
    VD_PART_R2,
    VD_PART_R3,
    VD_PART_T1,
    VD_PART_T2,
    VD_PART_T3,
    VD_PART_L1,
    VD_PART_L2,
    VD_PART_H1,
    VD_PART_H2,
};

struct vd_pdb_node {
    uint8_t op;
    uint8_t rel; /* enum vd_pdb_node_rel; 0 where the operation has none, as the others */
    uint8_t left;
    uint8_t right;
    uint32_t arg;
};

/* What one conditional rule adds to a leaf while its branch is in force. */
struct vd_pdb_cond_rule {
    uint32_t cond_first, cond_count; /* rows of COND_NODES: the expression, postfix */
    uint32_t branch;                 /* 1: while it is true, 0: while it is false */
    uint32_t allowed, auditallow, dontaudit;
};

enum vd_pdb_cond_op {
    VD_COND_BOOL = 1,
    VD_COND_NOT,
    VD_COND_OR,
    VD_COND_AND,
    VD_COND_XOR,
    VD_COND_EQ,
    VD_COND_NEQ,
};

struct vd_pdb_cond_node {
    uint32_t op;
    uint32_t value; /* VD_COND_BOOL: row of BOOLS */
};

/* How a file system's files get their labels; the numbers are SELinux's. */
enum vd_pdb_fs_use_kind { VD_FS_USE_XATTR = 1, VD_FS_USE_TRANS, VD_FS_USE_TASK };

/* Texts are offsets into LABEL_TEXT, contexts rows of CONTEXTS. */
struct vd_pdb_fs_use {
    uint32_t name; /* of the file system, each once */
    uint32_t kind; /* enum vd_pdb_fs_use_kind */
    uint32_t context;
    uint32_t reserved;
};

struct vd_pdb_genfs {
    uint32_t name;  /* of the file system */
    uint32_t path;  /* begins with '/' */
    uint32_t class; /* of the file; 0: every one */
    uint32_t context;
};

enum vd_pdb_protocol {
    VD_PROTOCOL_TCP = 6,
    VD_PROTOCOL_UDP = 17,
    VD_PROTOCOL_DCCP = 33,
    VD_PROTOCOL_SCTP = 132,
};

struct vd_pdb_port {
    uint32_t protocol; /* enum vd_pdb_protocol */
    uint32_t low, high;
    uint32_t context;
};

struct vd_pdb_netif {
    uint32_t name;
    uint32_t context;
    uint32_t packets; /* context of what arrives */
    uint32_t reserved;
};

/* Fits an address whose bits in `mask` are those of `address`. */
struct vd_pdb_netnode {
    uint8_t address[16]; /* as on the network; IPv4: four bytes, then zero */
    uint8_t mask[16];
    uint32_t family; /* 4 or 6 */
    uint32_t context;
};

struct vd_pdb_ibpkey {
    uint8_t prefix[8]; /* of the subnet, as on the network */
    uint32_t low, high;
    uint32_t context;
    uint32_t reserved;
};

struct vd_pdb_ibendport {
    uint32_t device;
    uint32_t port;
    uint32_t context;
    uint32_t reserved;
};

_Static_assert(sizeof(struct vd_pdb_header) == VD_PDB_HEADER_SIZE, "header");
_Static_assert(sizeof(struct vd_pdb_class) == 40, "class");
_Static_assert(sizeof(struct vd_pdb_type) == 16, "type");
_Static_assert(sizeof(struct vd_pdb_role) == 16, "role");
_Static_assert(sizeof(struct vd_pdb_user) == 24, "user");
_Static_assert(sizeof(struct vd_pdb_symbol) == 16, "symbol");
_Static_assert(sizeof(struct vd_pdb_leaf) == 40, "leaf");
_Static_assert(sizeof(struct vd_pdb_slot) == 16, "slot");
_Static_assert(sizeof(struct vd_pdb_node) == 8, "node");
_Static_assert(sizeof(struct vd_pdb_cond_rule) == 24, "conditional rule");
_Static_assert(sizeof(struct vd_pdb_netnode) == 40, "network address");
_Static_assert(sizeof(struct vd_pdb_ibpkey) == 24, "partition key");
_Static_assert(sizeof(struct vd_pdb_named) == 24, "transition by name");
_Static_assert(sizeof(struct vd_pdb_cond_trans) == 24, "conditional transition");
_Static_assert(sizeof(struct vd_pdb_xperm) == 48, "extended permissions");

#endif
