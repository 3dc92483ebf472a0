/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Labelling statements: contexts, duplicates, and the order in which SELinux's
 * kernel tries them, which is checkpolicy's.
 */
#include "tools/sepolicy/check/checker.h"

#include <stdlib.h>
#include <string.h>

#include "core/policydb/policycap.h"
#include "tools/sepolicy/suggest.h"

static const struct {
    const char *what; /* of a duplicate */
    uint8_t contexts;
    bool reversed; /* the last one written stands first */
} kinds[VD_SP_LABEL_KINDS] = {
    [VD_SP_LABEL_FSCON] = {"device", 2, true},
    [VD_SP_LABEL_FS_USE] = {"file system", 1, true},
    [VD_SP_LABEL_GENFS] = {"path", 1, false},
    [VD_SP_LABEL_PORT] = {"port", 1, false},
    [VD_SP_LABEL_NETIF] = {"interface", 2, true},
    [VD_SP_LABEL_NODE] = {"network", 1, false},
    [VD_SP_LABEL_IBPKEY] = {"partition key", 1, false},
    [VD_SP_LABEL_IBENDPORT] = {"InfiniBand port", 1, false},
};

/* One statement while its kind is put in order. */
struct entry {
    const struct vd_sp_label *label;
    const char *name, *path;
    size_t path_size;
    struct vd_sp_checked_label row;
};

static int compare_places(const struct entry *a, const struct entry *b)
{
    return a->label->place < b->label->place ? -1 : a->label->place > b->label->place;
}

/* By file system; there the longest path first, equally long ones as written. */
static int compare_paths(const void *pa, const void *pb)
{
    const struct entry *a = pa, *b = pb;
    int order = strcmp(a->name, b->name);

    if (order != 0)
        return order;
    if (a->path_size != b->path_size)
        return a->path_size > b->path_size ? -1 : 1;
    return compare_places(a, b);
}

/*
 * IPv4 before IPv6, the larger mask first, equal ones as written. checkpolicy
 * compares an IPv4 mask as a number of the machine that compiles: little-endian
 * here, which makes a difference only for masks with holes.
 */
static int compare_masks(const void *pa, const void *pb)
{
    const struct entry *a = pa, *b = pb;
    int order;

    if (a->label->detail != b->label->detail)
        return a->label->detail < b->label->detail ? -1 : 1;
    order = memcmp(b->label->mask, a->label->mask, sizeof(a->label->mask));
    for (uint32_t i = 0; a->label->detail == 4 && i < 4; i++) {
        if (a->label->mask[i] != b->label->mask[i])
            order = a->label->mask[i] > b->label->mask[i] ? -1 : 1;
    }
    return order != 0 ? order : compare_places(a, b);
}

static bool same_names(const struct entry *a, const struct entry *b)
{
    return a->label->name.name == b->label->name.name;
}

static bool same_paths(const struct entry *a, const struct entry *b)
{
    return same_names(a, b) && a->label->path.name == b->label->path.name &&
           (a->row.class == 0 || b->row.class == 0 || a->row.class == b->row.class);
}

static bool covers(const struct entry *first, const struct entry *later)
{
    return first->label->low <= later->label->low && later->label->high <= first->label->high;
}

static bool same_ports(const struct entry *a, const struct entry *b)
{
    return a->label->detail == b->label->detail && covers(a, b);
}

static bool same_networks(const struct entry *a, const struct entry *b)
{
    return a->label->detail == b->label->detail &&
           memcmp(a->label->address, b->label->address, sizeof(a->label->address)) == 0 &&
           memcmp(a->label->mask, b->label->mask, sizeof(a->label->mask)) == 0;
}

static bool same_keys(const struct entry *a, const struct entry *b)
{
    return memcmp(a->label->address, b->label->address, sizeof(a->label->address)) == 0 &&
           covers(a, b);
}

static bool same_ib_ports(const struct entry *a, const struct entry *b)
{
    return same_names(a, b) && a->label->low == b->label->low;
}

/* True if the first one leaves nothing for the later one. */
static bool hides(const struct entry *first, const struct entry *later)
{
    switch (first->label->kind) {
    case VD_SP_LABEL_GENFS:
        return same_paths(first, later);
    case VD_SP_LABEL_PORT:
        return same_ports(first, later);
    case VD_SP_LABEL_NODE:
        return same_networks(first, later);
    case VD_SP_LABEL_IBPKEY:
        return same_keys(first, later);
    case VD_SP_LABEL_IBENDPORT:
        return same_ib_ports(first, later);
    default:
        return same_names(first, later);
    }
}

static void report_duplicate(struct vd_sp *sp, const struct vd_sp_label *first,
                             const struct vd_sp_label *later)
{
    vd_sp_error_hint(&sp->messages, later->place,
                     vd_sp_text(&sp->arena, "it is labelled at %s",
                                vd_sp_place_text(&sp->messages, first->place)),
                     "this %s has its label already", kinds[later->kind].what);
}

static void report_duplicates(struct vd_sp *sp, const struct entry *entries, uint32_t count)
{
    /* In a binary policy, whose first label counts, a local label may stand before another. */
    if (sp->messages.binary && count > 0 && entries[0].label->kind != VD_SP_LABEL_GENFS)
        return;
    for (uint32_t i = 1; i < count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            if (hides(&entries[j], &entries[i])) {
                report_duplicate(sp, entries[j].label, entries[i].label);
                break;
            }
        }
    }
}

/* The class that a kind of file means; false: reported. */
static bool file_class(struct vd_sp *sp, const struct vd_sp_label *label, uint32_t *ret)
{
    static const char *const names[] = {
        [VD_SP_FILE_BLOCK] = "blk_file", [VD_SP_FILE_CHAR] = "chr_file",
        [VD_SP_FILE_DIR] = "dir",        [VD_SP_FILE_FIFO] = "fifo_file",
        [VD_SP_FILE_LINK] = "lnk_file",  [VD_SP_FILE_SOCKET] = "sock_file",
        [VD_SP_FILE_REGULAR] = "file",
    };
    struct vd_sp_item item = {.place = label->path.place};
    const struct vd_sp_symbol *class;

    *ret = 0;
    if (label->kind != VD_SP_LABEL_GENFS || label->detail == VD_SP_FILE_ANY)
        return true;
    item.name = vd_sp_name(&sp->names, names[label->detail], strlen(names[label->detail]));
    class = vd_sp_find(sp, VD_SP_CLASS, &item);
    *ret = class == NULL ? 0 : class->number;
    return class != NULL;
}

static void warn_node(struct vd_sp *sp, const struct vd_sp_label *label)
{
    bool end = false, hole = false, host = false;

    for (uint32_t i = 0; i < (label->detail == 4 ? 32u : 128u); i++) {
        bool bit = (label->mask[i / 8] & 0x80u >> (i % 8)) != 0;

        end |= !bit;
        hole |= end && bit;
        host |= !bit && (label->address[i / 8] & 0x80u >> (i % 8)) != 0;
    }
    if (hole)
        vd_sp_warning(&sp->messages, label->place, NULL, "this mask has holes");
    if (host)
        vd_sp_warning(&sp->messages, label->place,
                      "the address of a network has no bit outside of its mask",
                      "this statement does nothing: no address fits it");
}

static bool resolve(struct vd_sp_checked *c, const struct vd_sp_label *label, struct entry *ret)
{
    struct vd_sp *sp = c->sp;
    bool good = file_class(sp, label, &ret->row.class);

    ret->label = ret->row.label = label;
    ret->name = label->name.name == 0 ? "" : vd_sp_str(sp, label->name.name);
    ret->path = label->path.name == 0 ? "" : vd_sp_str(sp, label->path.name);
    ret->path_size = strlen(ret->path);
    for (uint32_t i = 0; i < kinds[label->kind].contexts; i++)
        good &= vd_sp_resolve_context(c, &label->contexts[i], &ret->row.contexts[i]);
    if (label->kind == VD_SP_LABEL_NODE)
        warn_node(sp, label);
    return good;
}

static void check_kind(struct vd_sp_checked *c, enum vd_sp_label_kind kind, struct entry *entries)
{
    struct vd_sp *sp = c->sp;
    uint32_t count = 0;

    for (uint32_t i = 0; i < sp->labels.count; i++) {
        const struct vd_sp_label *label = &sp->labels.data[i];

        if (label->kind != kind || !vd_sp_on(sp, label->block))
            continue;
        if (count == VD_PDB_MAX_LABELS) {
            vd_sp_error(&sp->messages, label->place, "more than %u statements of this kind",
                        VD_PDB_MAX_LABELS);
            break;
        }
        entries[count] = (struct entry){};
        count += resolve(c, label, &entries[count]);
    }
    report_duplicates(sp, entries, count);
    if (kind == VD_SP_LABEL_GENFS)
        qsort(entries, count, sizeof(*entries), compare_paths);
    else if (kind == VD_SP_LABEL_NODE && !sp->messages.binary)
        qsort(entries, count, sizeof(*entries), compare_masks);
    c->label_first[kind] = c->labels.count;
    for (uint32_t i = 0; i < count; i++)
        *VD_SP_PUSH(&sp->arena, &c->labels) =
            entries[kinds[kind].reversed && !sp->messages.binary ? count - 1 - i : i].row;
}

static void check_policycaps(struct vd_sp_checked *c)
{
    struct vd_sp *sp = c->sp;

    for (uint32_t i = 0; i < sp->policycaps.count; i++) {
        const struct vd_sp_policycap *row = &sp->policycaps.data[i];
        const char *name = vd_sp_str(sp, row->name.name);
        struct vd_sp_suggestion s;
        uint32_t number;

        if (!vd_sp_on(sp, row->block))
            continue;
        if (vd_policycap_find(name, strlen(name), &number) == VD_OK) {
            c->policycaps |= (uint64_t)1 << number;
            continue;
        }
        vd_sp_suggest_init(&s, name);
        for (uint32_t n = 0; n < VD_POLICYCAP_COUNT; n++)
            vd_sp_suggest(&s, vd_policycap_name(n));
        vd_sp_error_hint(&sp->messages, row->name.place, vd_sp_suggest_hint(&s, &sp->arena),
                         "'%s' is not a policy capability of SELinux's kernel", name);
    }
}

void vd_sp_check_labels(struct vd_sp_checked *c)
{
    uint32_t room =
        c->sp->labels.count < VD_PDB_MAX_LABELS ? c->sp->labels.count : VD_PDB_MAX_LABELS;
    struct entry *entries = vd_sp_alloc_array(&c->sp->arena, room, sizeof(*entries));

    check_policycaps(c);
    for (uint32_t kind = 0; kind < VD_SP_LABEL_KINDS && c->sp->labels.count > 0; kind++)
        check_kind(c, (enum vd_sp_label_kind)kind, entries);
    c->label_first[VD_SP_LABEL_KINDS] = c->labels.count;
}
