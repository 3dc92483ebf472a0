/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The words of the language. They are interned first and in this order, so
 * that a word's enumerator is its number as a name.
 */
#ifndef VD_TOOLS_SEPOLICY_KEYWORDS_H
#define VD_TOOLS_SEPOLICY_KEYWORDS_H

/* X(enumerator, word): words that cannot name a symbol. */
#define VD_SP_RESERVED(X)                   \
    X(CLASS, "class")                       \
    X(COMMON, "common")                     \
    X(INHERITS, "inherits")                 \
    X(SID, "sid")                           \
    X(ATTRIBUTE, "attribute")               \
    X(ATTRIBUTE_ROLE, "attribute_role")     \
    X(EXPANDATTRIBUTE, "expandattribute")   \
    X(TYPE, "type")                         \
    X(TYPEALIAS, "typealias")               \
    X(TYPEATTRIBUTE, "typeattribute")       \
    X(TYPEBOUNDS, "typebounds")             \
    X(PERMISSIVE, "permissive")             \
    X(NEVERAUDIT, "neveraudit")             \
    X(ALIAS, "alias")                       \
    X(ROLE, "role")                         \
    X(ROLEATTRIBUTE, "roleattribute")       \
    X(ROLE_TRANSITION, "role_transition")   \
    X(ROLES, "roles")                       \
    X(TYPES, "types")                       \
    X(USER, "user")                         \
    X(LEVEL, "level")                       \
    X(RANGE, "range")                       \
    X(ALLOW, "allow")                       \
    X(AUDITALLOW, "auditallow")             \
    X(AUDITDENY, "auditdeny")               \
    X(DONTAUDIT, "dontaudit")               \
    X(DENY, "deny")                         \
    X(NEVERALLOW, "neverallow")             \
    X(ALLOWXPERM, "allowxperm")             \
    X(AUDITALLOWXPERM, "auditallowxperm")   \
    X(DONTAUDITXPERM, "dontauditxperm")     \
    X(NEVERALLOWXPERM, "neverallowxperm")   \
    X(TYPE_TRANSITION, "type_transition")   \
    X(TYPE_MEMBER, "type_member")           \
    X(TYPE_CHANGE, "type_change")           \
    X(RANGE_TRANSITION, "range_transition") \
    X(CONSTRAIN, "constrain")               \
    X(MLSCONSTRAIN, "mlsconstrain")         \
    X(VALIDATETRANS, "validatetrans")       \
    X(MLSVALIDATETRANS, "mlsvalidatetrans") \
    X(SENSITIVITY, "sensitivity")           \
    X(DOMINANCE, "dominance")               \
    X(CATEGORY, "category")                 \
    X(BOOL, "bool")                         \
    X(TUNABLE, "tunable")                   \
    X(IF, "if")                             \
    X(ELSE, "else")                         \
    X(OPTIONAL, "optional")                 \
    X(REQUIRE, "require")                   \
    X(POLICYCAP, "policycap")               \
    X(MODULE, "module")                     \
    X(POLICY_MODULE, "policy_module")       \
    X(DEFAULT_USER, "default_user")         \
    X(DEFAULT_ROLE, "default_role")         \
    X(DEFAULT_TYPE, "default_type")         \
    X(DEFAULT_RANGE, "default_range")       \
    X(FS_USE_XATTR, "fs_use_xattr")         \
    X(FS_USE_TASK, "fs_use_task")           \
    X(FS_USE_TRANS, "fs_use_trans")         \
    X(GENFSCON, "genfscon")                 \
    X(FSCON, "fscon")                       \
    X(PORTCON, "portcon")                   \
    X(NETIFCON, "netifcon")                 \
    X(NODECON, "nodecon")                   \
    X(IBPKEYCON, "ibpkeycon")               \
    X(IBENDPORTCON, "ibendportcon")         \
    X(PIRQCON, "pirqcon")                   \
    X(IOMEMCON, "iomemcon")                 \
    X(IOPORTCON, "ioportcon")               \
    X(PCIDEVICECON, "pcidevicecon")         \
    X(DEVICETREECON, "devicetreecon")       \
    X(SELF, "self")                         \
    X(NOT, "not")                           \
    X(AND, "and")                           \
    X(OR, "or")                             \
    X(XOR, "xor")

/* Words that mean something in one place only and may name symbols elsewhere. */
#define VD_SP_CONTEXTUAL(X)           \
    X(TRUE, "true")                   \
    X(FALSE, "false")                 \
    X(EQ, "eq")                       \
    X(DOM, "dom")                     \
    X(DOMBY, "domby")                 \
    X(INCOMP, "incomp")               \
    X(SOURCE, "source")               \
    X(TARGET, "target")               \
    X(LOW, "low")                     \
    X(HIGH, "high")                   \
    X(LOW_HIGH, "low_high")           \
    X(LOW_DASH_HIGH, "low-high")      \
    X(GLBLUB, "glblub")               \
    X(SAMEUSER, "sameuser")           \
    X(U1, "u1")                       \
    X(U2, "u2")                       \
    X(U3, "u3")                       \
    X(R1, "r1")                       \
    X(R2, "r2")                       \
    X(R3, "r3")                       \
    X(T1, "t1")                       \
    X(T2, "t2")                       \
    X(T3, "t3")                       \
    X(L1, "l1")                       \
    X(L2, "l2")                       \
    X(H1, "h1")                       \
    X(H2, "h2")                       \
    X(OBJECT_R, "object_r")           \
    X(PROCESS, "process")             \
    X(TRANSITION, "transition")       \
    X(DYNTRANSITION, "dyntransition") \
    X(IOCTL, "ioctl")                 \
    X(NLMSG, "nlmsg")

#define VD_SP_MAX_KEYWORD 20u /* bytes of the longest word, with the NUL */

enum vd_sp_keyword {
    VD_SP_KW_NONE,
#define VD_SP_KEYWORD_(id, word) VD_SP_KW_##id,
    VD_SP_RESERVED(VD_SP_KEYWORD_) VD_SP_KW_RESERVED_END,
    VD_SP_KW_BEFORE_CONTEXTUAL = VD_SP_KW_RESERVED_END - 1,
    VD_SP_CONTEXTUAL(VD_SP_KEYWORD_)
#undef VD_SP_KEYWORD_
        VD_SP_KW_COUNT,
};

#endif
