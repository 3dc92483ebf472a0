/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Extended permissions in SELinux's binary policy: rules of the access vector
 * table with 256 bits, for the functions of one driver or for whole drivers.
 * As checkpolicy does, a rule of ioctl numbers is cut into the drivers that it
 * names as a whole and the functions of the others.
 */
#include "tools/sepolicy/gen/rules.h"
#include "tools/sepolicy/selinux/write.h"

#include <stdlib.h>
#include <string.h>

#define DRIVERS 256u
#define WORDS   1024u /* a bit for each number */

static void add(struct vd_sp_se *se, const struct vd_sp_se_xrule *rule)
{
    *VD_SP_PUSH(&se->c->sp->arena, &se->xrules) = *rule;
}

/* The rule's numbers as rules of one source and target. */
static void add_pair(struct vd_sp_se *se, struct vd_sp_se_xrule rule, const uint64_t *numbers,
                     bool nlmsg)
{
    struct vd_sp_se_xrule whole = rule;

    whole.kind = VD_SE_XPERM_DRIVER;
    rule.kind = nlmsg ? VD_SE_XPERM_NLMSG : VD_SE_XPERM_FUNCTION;
    for (uint32_t driver = 0; driver < DRIVERS; driver++) {
        const uint64_t *bits = numbers + (size_t)driver * 4;

        if (!nlmsg && (bits[0] & bits[1] & bits[2] & bits[3]) == UINT64_MAX) {
            vd_bitmap_set(whole.bits, driver);
            continue;
        }
        if ((bits[0] | bits[1] | bits[2] | bits[3]) == 0)
            continue;
        rule.driver = (uint8_t)driver;
        memcpy(rule.bits, bits, sizeof(rule.bits));
        add(se, &rule);
    }
    if ((whole.bits[0] | whole.bits[1] | whole.bits[2] | whole.bits[3]) != 0)
        add(se, &whole);
}

static void gather(struct vd_sp_se *se, const struct vd_sp_xav *av, uint64_t *numbers)
{
    static const uint64_t specs[] = {[VD_SP_ALLOW] = VD_SE_XPERMS_ALLOWED,
                                     [VD_SP_AUDITALLOW] = VD_SE_XPERMS_AUDITALLOW,
                                     [VD_SP_DONTAUDIT] = VD_SE_XPERMS_DONTAUDIT};
    const struct vd_sp_checked *c = se->c;
    const struct vd_sp_xperm_rule *from = &c->sp->xperm_rules.data[av->rule];
    struct vd_sp_se_numbers sources = {}, targets = {};
    struct vd_sp_se_xrule rule = {
        .list = from->cond == 0 ? 0 : se->list_of[from->otherwise ? 0 : 1][from->cond - 1]};
    uint64_t key = (uint64_t)av->class << 32 | specs[from->kind] << 48;

    memset(numbers, 0, WORDS * sizeof(*numbers));
    vd_sp_xperm_numbers(c->sp, from, numbers);
    vd_sp_se_list_numbers(se, &from->source, av->source, &sources);
    if (av->flags == 0)
        vd_sp_se_list_numbers(se, &from->target, av->target, &targets);
    for (uint32_t s = 0; s < sources.count && av->flags == 0; s++) {
        for (uint32_t t = 0; t < targets.count; t++) {
            rule.key = key | sources.data[s] | (uint64_t)targets.data[t] << 16;
            add_pair(se, rule, numbers, from->nlmsg);
        }
    }
    if (av->flags == 0)
        return;
    VD_SP_FOR_EACH_BIT (c->sets.data[av->source].words, c->type_words, source) {
        for (uint32_t target = 1; target < c->type_count; target++) {
            if (!vd_sp_reaches(c, av->target, av->flags, source, target))
                continue;
            rule.key = key | source | (uint64_t)target << 16;
            add_pair(se, rule, numbers, from->nlmsg);
        }
    }
}

static int compare(const void *pa, const void *pb)
{
    const struct vd_sp_se_xrule *a = pa, *b = pb;

    if (a->list != b->list)
        return a->list < b->list ? -1 : 1;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    return a->driver != b->driver ? (a->driver < b->driver ? -1 : 1) : 0;
}

/* Sorts the rules by list; those of the same key, kind and driver become one. */
static void join(struct vd_sp_se *se)
{
    struct vd_sp_se_xrule *rules = se->xrules.data;
    uint32_t kept = 1;

    qsort(rules, se->xrules.count, sizeof(*rules), compare);
    for (uint32_t i = 1; i < se->xrules.count; i++) {
        if (compare(&rules[kept - 1], &rules[i]) != 0) {
            rules[kept++] = rules[i];
            continue;
        }
        for (uint32_t w = 0; w < VD_COUNT(rules[i].bits); w++)
            rules[kept - 1].bits[w] |= rules[i].bits[w];
    }
    se->xrules.count = kept;
}

void vd_sp_se_gather_xperms(struct vd_sp_se *se)
{
    struct vd_sp_checked *c = se->c;
    uint32_t lists = 1 + 2 * se->conds.count;
    uint64_t *numbers;

    se->xlist_first = vd_sp_alloc_array(&c->sp->arena, lists + 1, sizeof(*se->xlist_first));
    if (c->xavs.count == 0)
        return;
    numbers = vd_sp_alloc_array(&c->sp->arena, WORDS, sizeof(*numbers));
    for (uint32_t i = 0; i < c->xavs.count; i++) {
        if (c->xavs.data[i].kind != VD_SP_NEVERALLOW)
            gather(se, &c->xavs.data[i], numbers);
    }
    if (se->xrules.count > 0)
        join(se);
    for (uint32_t i = 0; i < se->xrules.count; i++)
        se->xlist_first[se->xrules.data[i].list + 1]++;
    for (uint32_t i = 0; i < lists; i++)
        se->xlist_first[i + 1] += se->xlist_first[i];
}

void vd_sp_se_put_xperms(struct vd_sp_se *se, uint32_t list, uint32_t flags)
{
    for (uint32_t i = se->xlist_first[list]; i < se->xlist_first[list + 1]; i++) {
        const struct vd_sp_se_xrule *rule = &se->xrules.data[i];

        vd_write_le64(&se->out, rule->key | (uint64_t)flags << 48);
        vd_write_u8(&se->out, rule->kind);
        vd_write_u8(&se->out, rule->driver);
        for (uint32_t w = 0; w < VD_COUNT(rule->bits); w++)
            vd_write_le64(&se->out, rule->bits[w]);
    }
}
