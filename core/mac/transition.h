/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Contexts of new subjects and objects (the seed's transition_context and
 * label_object; SELinux's security_compute_sid is the model: libsepol,
 * services.c).
 *
 * kind VD_TRANS_TYPE: the context of a process after executing `target`
 * (class process) or of a new object of `class` made by `source` in `target`;
 * VD_TRANS_MEMBER, VD_TRANS_CHANGE: the same for type_member and type_change.
 */
#ifndef VD_CORE_MAC_TRANSITION_H
#define VD_CORE_MAC_TRANSITION_H

#include "core/mac/mac.h"
#include "core/mac/mls.h"
#include "core/mac/rbac.h"

/* The value of a rule of TRANSITIONS; 0 if there is none. Cost: one bucket of eight slots. */
VD_INLINE uint32_t vd_transition_find(const struct vd_policydb *db, uint32_t kind, uint32_t source,
                                      uint32_t target, uint32_t class)
{
    const struct vd_pdb_header *head = vd_pdb_head(db);
    uint64_t key = vd_pdb_trans_key(kind, source, target, class);
    uint32_t value = 0;

    if (head == NULL)
        return 0;
    for (uint32_t i = 0; i < VD_PDB_BUCKET_SLOTS; i++) {
        uint32_t at = vd_pdb_trans_bucket(key, head->buckets) * VD_PDB_BUCKET_SLOTS + i;
        const struct vd_pdb_slot *slot = vd_pdb_row(db, VD_PDB_TRANSITIONS, at, sizeof(*slot));
        if (slot != NULL && slot->key == key)
            value = slot->value;
    }
    return value;
}

/* A new file's name: 1 to 255 bytes, not terminated. */
struct vd_file_name {
    const char *text;
    size_t len;
};

/* The rows of the slot for (class, target, name); NULL if there is none. */
VD_INLINE const struct vd_pdb_named *vd_transition_slot(const struct vd_policydb *db,
                                                        uint32_t target, uint32_t class,
                                                        const struct vd_file_name *name)
{
    const struct vd_pdb_header *head = vd_pdb_head(db);
    uint32_t buckets = head == NULL ? 0 : head->sections[VD_PDB_NAMED].count / VD_PDB_BUCKET_SLOTS;
    uint32_t hash = 0, first;

    for (size_t i = 0; i < name->len; i++)
        hash = vd_pdb_named_hash(hash, (uint8_t)name->text[i]);
    first = vd_pdb_named_bucket(class, target, hash, buckets) * VD_PDB_BUCKET_SLOTS;
    for (uint32_t i = 0; buckets != 0 && i < VD_PDB_BUCKET_SLOTS; i++) {
        const struct vd_pdb_named *slot =
            vd_pdb_row(db, VD_PDB_NAMED, first + i, sizeof(struct vd_pdb_named));
        size_t same = 0;

        if (slot == NULL || slot->name == 0)
            return NULL;
        if (slot->class != class || slot->target != target)
            continue;
        for (; same <= name->len; same++) {
            const uint8_t *byte =
                vd_pdb_row(db, VD_PDB_FILE_NAMES, slot->name + (uint32_t)same, sizeof(*byte));

            if (byte == NULL || *byte != (same < name->len ? (uint8_t)name->text[same] : 0))
                break;
        }
        if (same > name->len)
            return slot;
    }
    return NULL;
}

/*
 * The type of a new file of that name; 0 if no rule names it. Cost: one bit for
 * a target without such rules, else one bucket and the slot's rows.
 */
VD_INLINE uint32_t vd_transition_by_name(const struct vd_policydb *db, uint32_t source,
                                         uint32_t target, uint32_t class,
                                         const struct vd_file_name *name)
{
    const uint64_t *word = vd_pdb_row(db, VD_PDB_NAMED_TARGETS, target / 64, sizeof(*word));
    const struct vd_pdb_named *slot;

    if (word == NULL || (*word >> (target % 64) & 1) == 0 || name->len == 0 ||
        name->len > VD_PDB_MAX_NAME)
        return 0;
    slot = vd_transition_slot(db, target, class, name);
    for (uint32_t i = 0; slot != NULL && i < slot->row_count && i < VD_PDB_MAX_NAMED; i++) {
        const struct vd_pdb_named_row *row =
            vd_pdb_row(db, VD_PDB_NAMED_ROWS, slot->row_first + i, sizeof(*row));

        if (row != NULL && vd_pdb_bit(db, row->sources, source))
            return row->type;
    }
    return 0;
}

/* Level `row` of the pool; NULL if there is none. */
VD_INLINE const struct vd_mls_level *vd_transition_level(const struct vd_policydb *db, uint32_t row)
{
    return vd_pdb_row(db, VD_PDB_LEVELS, row, sizeof(struct vd_mls_level));
}

/* True if the range is one of the policy's levels from low to high and within the clearance. */
VD_INLINE bool vd_context_range_valid(const struct vd_policydb *db,
                                      const struct vd_context *context)
{
    const struct vd_pdb_user *user = vd_pdb_row(db, VD_PDB_USERS, context->user, sizeof(*user));
    const struct vd_mls_level *low, *high;

    if (user == NULL || !vd_mls_level_valid(db, &context->low) ||
        !vd_mls_level_valid(db, &context->high) || !vd_mls_dominates(&context->high, &context->low))
        return false;
    if (context->role == VD_PDB_ROLE_OBJECT)
        return true;
    low = vd_transition_level(db, user->low);
    high = vd_transition_level(db, user->high);
    return low != NULL && high != NULL && vd_mls_dominates(&context->low, low) &&
           vd_mls_dominates(high, &context->high);
}

/* The body of vd_mac_context_valid. Source: libsepol, policydb_context_isvalid. */
VD_INLINE bool vd_context_valid(const struct vd_policydb *db, const struct vd_context *context)
{
    const struct vd_pdb_header *head = vd_pdb_head(db);

    if (head == NULL || context->user == 0 || context->user >= head->users ||
        context->reserved != 0 || context->low.reserved != 0 || context->high.reserved != 0 ||
        !vd_rbac_user_has_role(db, context->user, context->role) ||
        !vd_rbac_role_has_type(db, context->role, context->type))
        return false;
    if ((head->flags & VD_PDB_MLS) != 0)
        return vd_context_range_valid(db, context);
    return vd_mls_level_empty(&context->low) && vd_mls_level_empty(&context->high);
}

/*
 * What both ranges have: the higher of the low sensitivities, the lower of the
 * high ones, the categories that both have. Ranges without a common sensitivity
 * give one that is not valid. Source: Linux, mls_context_glblub.
 */
VD_INLINE void vd_transition_glblub(const struct vd_context *a, const struct vd_context *b,
                                    struct vd_context *ret)
{
    ret->low.sens = a->low.sens > b->low.sens ? a->low.sens : b->low.sens;
    ret->high.sens = a->high.sens < b->high.sens ? a->high.sens : b->high.sens;
    for (uint32_t i = 0; i < VD_MLS_CAT_WORDS; i++) {
        ret->low.cats[i] = a->low.cats[i] & b->low.cats[i];
        ret->high.cats[i] = a->high.cats[i] & b->high.cats[i];
    }
}

/* The range that the class's default_range asks for; false if it asks for none. */
VD_INLINE bool vd_transition_default_range(uint32_t flags, const struct vd_context *source,
                                           const struct vd_context *target, struct vd_context *ret)
{
    switch (flags >> VD_PDB_CLASS_RANGE_SHIFT & 7) {
    case VD_RANGE_SOURCE_LOW:
        ret->low = ret->high = source->low;
        return true;
    case VD_RANGE_SOURCE_HIGH:
        ret->low = ret->high = source->high;
        return true;
    case VD_RANGE_SOURCE_BOTH:
        ret->low = source->low;
        ret->high = source->high;
        return true;
    case VD_RANGE_TARGET_LOW:
        ret->low = ret->high = target->low;
        return true;
    case VD_RANGE_TARGET_HIGH:
        ret->low = ret->high = target->high;
        return true;
    case VD_RANGE_TARGET_BOTH:
        ret->low = target->low;
        ret->high = target->high;
        return true;
    case VD_RANGE_GLBLUB:
        vd_transition_glblub(source, target, ret);
        return true;
    default:
        return false;
    }
}

/*
 * What is asked for. `creators` are the flags of the classes whose new objects
 * are as their creator: SELinux's kernel counts sockets among them, libsepol
 * only processes.
 */
struct vd_making {
    uint32_t class;
    uint32_t kind;     /* enum vd_pdb_trans_kind: type, member or change */
    uint32_t creators; /* VD_MAKING_… */
    uint32_t named;    /* the type that a rule by file name gives; 0: none */
};

#define VD_MAKING_KERNEL   (VD_PDB_CLASS_PROCESS | VD_PDB_CLASS_SOCKET)
#define VD_MAKING_LIBSEPOL VD_PDB_CLASS_PROCESS

/* The new context's range. Source: libsepol, mls_compute_sid. */
VD_INLINE void vd_transition_range(const struct vd_policydb *db, const struct vd_context *source,
                                   const struct vd_context *target, const struct vd_making *making,
                                   uint32_t flags, struct vd_context *ret)
{
    if (making->kind == VD_TRANS_TYPE) {
        /* Row 0 is an ordinary row: the rule holds the row's number plus one. */
        uint32_t rule =
            vd_transition_find(db, VD_TRANS_RANGE, source->type, target->type, making->class);
        const struct vd_pdb_range *range =
            rule == 0 ? NULL : vd_pdb_row(db, VD_PDB_RANGES, rule - 1, sizeof(*range));
        const struct vd_mls_level *low = range == NULL ? NULL : vd_transition_level(db, range->low);
        const struct vd_mls_level *high =
            range == NULL ? NULL : vd_transition_level(db, range->high);
        if (low != NULL && high != NULL) {
            ret->low = *low;
            ret->high = *high;
            return;
        }
        if (vd_transition_default_range(flags, source, target, ret))
            return;
    }
    ret->low = source->low;
    if ((flags & making->creators) != 0 && making->kind != VD_TRANS_MEMBER)
        ret->high = source->high;
    else
        ret->high = source->low;
}

/* Source or target's part as the class's default says; `otherwise` where it says nothing. */
VD_INLINE uint32_t vd_transition_default(uint32_t choice, uint32_t source, uint32_t target,
                                         uint32_t otherwise)
{
    return choice == VD_PDB_DEFAULT_SOURCE   ? source
           : choice == VD_PDB_DEFAULT_TARGET ? target
                                             : otherwise;
}

/* User, role and type of the new context. */
VD_INLINE void vd_transition_names(const struct vd_policydb *db, const struct vd_context *source,
                                   const struct vd_context *target, const struct vd_making *making,
                                   uint32_t flags, struct vd_context *ret)
{
    bool creator = (flags & making->creators) != 0;
    uint32_t type = making->named;
    uint32_t role = 0;

    if (type == 0)
        type = vd_transition_find(db, making->kind, source->type, target->type, making->class);
    if (making->kind == VD_TRANS_TYPE)
        role = vd_transition_find(db, VD_TRANS_ROLE, source->role, target->type, making->class);
    if (making->kind == VD_TRANS_MEMBER)
        ret->user = target->user;
    else
        ret->user = vd_transition_default(flags >> VD_PDB_CLASS_USER_SHIFT & 3, source->user,
                                          target->user, source->user);
    ret->role = vd_transition_default(flags >> VD_PDB_CLASS_ROLE_SHIFT & 3, source->role,
                                      target->role, creator ? source->role : VD_PDB_ROLE_OBJECT);
    ret->type = vd_transition_default(flags >> VD_PDB_CLASS_TYPE_SHIFT & 3, source->type,
                                      target->type, creator ? source->type : target->type);
    if (type != 0)
        ret->type = type;
    if (role != 0)
        ret->role = role;
}

/*
 * The body of vd_mac_transition and vd_mac_create, for the host and for BPF.
 * `ret` is another object than `source` and `target`; on failure it is all zero,
 * which is no valid context. VD_E_RANGE: a class or context that the policy
 * does not have.
 */
VD_INLINE vd_status vd_transition(const struct vd_policydb *db, const struct vd_context *source,
                                  const struct vd_context *target, const struct vd_making *making,
                                  struct vd_context *ret)
{
    const struct vd_pdb_header *head = vd_pdb_head(db);
    const struct vd_pdb_class *row = vd_pdb_row(db, VD_PDB_CLASSES, making->class, sizeof(*row));

    *ret = (struct vd_context){};
    if (head == NULL || row == NULL || making->class == 0 || making->kind < VD_TRANS_TYPE ||
        making->kind > VD_TRANS_CHANGE || source->type == 0 || source->type >= head->types ||
        target->type == 0 || target->type >= head->types)
        return VD_E_RANGE;
    vd_transition_names(db, source, target, making, row->flags, ret);
    vd_transition_range(db, source, target, making, row->flags, ret);
    if (!vd_context_valid(db, ret)) {
        *ret = (struct vd_context){};
        return VD_E_INVALID;
    }
    return VD_OK;
}

#ifndef __VMLINUX_H__
/*
 * VD_OK and the new context, as libsepol answers (sepol_compute_sid);
 * VD_E_INVALID if the rules give a context that the policy does not allow (role
 * not for the user, type not for the role, range outside the clearance);
 * VD_E_RANGE for an unknown class or context.
 */
vd_status vd_mac_transition(const struct vd_policydb *db, const struct vd_context *source,
                            const struct vd_context *target, uint32_t class, uint32_t kind,
                            struct vd_context *ret);

/*
 * The same for what `making` says, where libsepol's rule, the kernel's (which
 * enforcement uses: security_transition_sid) and a new file's name meet.
 */
vd_status vd_mac_create(const struct vd_policydb *db, const struct vd_context *source,
                        const struct vd_context *target, const struct vd_making *making,
                        struct vd_context *ret);

/* vd_transition_by_name as a function: a type for vd_making, or 0. */
uint32_t vd_mac_named_type(const struct vd_policydb *db, uint32_t source, uint32_t target,
                           uint32_t class, const struct vd_file_name *name);

/* True if the policy allows this combination of user, role, type and range. */
bool vd_mac_context_valid(const struct vd_policydb *db, const struct vd_context *context);

/*
 * Reads "user:role:type[:low[-high]]" of `len` bytes; every name must exist and
 * the context be valid, else VD_E_SYNTAX, VD_E_NOT_FOUND or VD_E_INVALID with
 * the offset in `diag`.
 */
vd_status vd_mac_context_parse(const struct vd_policydb *db, const char *text, size_t len,
                               struct vd_context *ret, struct vd_diag *diag);

/* Writes a context as text, categories in SELinux's short form (c0.c3,c7). */
void vd_mac_context_text(const struct vd_policydb *db, const struct vd_context *context,
                         struct vd_text *text);
#endif

#endif
