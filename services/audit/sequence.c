/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "services/audit/sequence.h"

#include <string.h>

void vd_audit_sequence_init(struct vd_audit_sequence *s, uint64_t base,
                            void (*report)(void *ctx, uint64_t first, uint64_t count), void *ctx)
{
    memset(s, 0, sizeof(*s));
    s->first = s->base = s->next = base;
    s->report = report;
    s->ctx = ctx;
}

void vd_audit_sequence_resume(struct vd_audit_sequence *s, uint64_t first, uint64_t base,
                              uint64_t lost)
{
    vd_audit_sequence_init(s, first, NULL, NULL);
    s->lost = lost;
    s->base = s->next = base > first ? base : first;
}

static uint64_t *word_of(struct vd_audit_sequence *s, uint64_t number)
{
    return &s->seen[number % VD_AUDIT_WINDOW / 64];
}

static void flush_run(struct vd_audit_sequence *s)
{
    uint32_t slot = (uint32_t)(s->run_total % VD_AUDIT_RUNS_KEPT);

    if (s->run_count == 0)
        return;
    s->runs[slot].first = s->run_first;
    s->runs[slot].count = s->run_count;
    s->run_total++;
    if (s->report != NULL)
        s->report(s->ctx, s->run_first, s->run_count);
    s->run_count = 0;
}

static void lose(struct vd_audit_sequence *s, uint64_t first, uint64_t count)
{
    if (count == 0)
        return;
    if (s->run_count != 0 && s->run_first + s->run_count != first)
        flush_run(s);
    if (s->run_count == 0)
        s->run_first = first;
    s->run_count += count;
    s->lost += count;
}

/* Moves the base up to `base`; what was not seen on the way is lost. */
static void advance(struct vd_audit_sequence *s, uint64_t base)
{
    while (s->base < base && s->base < s->next) {
        uint64_t bit = UINT64_C(1) << s->base % 64;
        if ((*word_of(s, s->base) & bit) == 0)
            lose(s, s->base, 1);
        *word_of(s, s->base) &= ~bit;
        s->base++;
    }
    /* Above the highest seen nothing is marked: no need to step. */
    if (s->base < base) {
        lose(s, s->base, base - s->base);
        s->base = base;
        s->next = base;
    }
}

/* A number below the base: was it lost, or seen? What is not known counts as late. */
static enum vd_audit_arrival below_base(struct vd_audit_sequence *s, uint64_t number)
{
    bool all_kept = s->run_total <= VD_AUDIT_RUNS_KEPT;
    uint32_t kept = all_kept ? (uint32_t)s->run_total : VD_AUDIT_RUNS_KEPT;
    bool known = all_kept && number >= s->first;

    for (uint32_t i = 0; i < kept; i++) {
        if (number >= s->runs[i].first && number - s->runs[i].first < s->runs[i].count)
            return VD_AUDIT_ARRIVAL_LATE;
        /* Above an old remembered loss every later one is remembered too. */
        known = known || number > s->runs[i].first;
    }
    return known ? VD_AUDIT_ARRIVAL_REPEATED : VD_AUDIT_ARRIVAL_LATE;
}

enum vd_audit_arrival vd_audit_sequence_take(struct vd_audit_sequence *s, uint64_t number)
{
    uint64_t bit = UINT64_C(1) << number % 64;

    if (number < s->base) {
        enum vd_audit_arrival arrival = below_base(s, number);
        s->late += arrival == VD_AUDIT_ARRIVAL_LATE;
        s->received += arrival == VD_AUDIT_ARRIVAL_LATE;
        s->repeated += arrival == VD_AUDIT_ARRIVAL_REPEATED;
        return arrival;
    }
    if (number - s->base >= VD_AUDIT_WINDOW) {
        advance(s, number - VD_AUDIT_WINDOW + 1);
        flush_run(s);
    }
    if ((*word_of(s, number) & bit) != 0) {
        s->repeated++;
        return VD_AUDIT_ARRIVAL_REPEATED;
    }
    *word_of(s, number) |= bit;
    s->received++;
    if (number >= s->next)
        s->next = number + 1;
    /* The ordinary case: in order, the base follows at once. */
    while (s->base < s->next && (*word_of(s, s->base) >> s->base % 64 & 1) != 0) {
        *word_of(s, s->base) &= ~(UINT64_C(1) << s->base % 64);
        s->base++;
    }
    return VD_AUDIT_ARRIVAL_NEW;
}

uint64_t vd_audit_sequence_missing(const struct vd_audit_sequence *s)
{
    uint64_t missing = s->next - s->base;

    for (uint32_t i = 0; i < VD_AUDIT_WINDOW / 64 && missing != 0; i++)
        missing -= (uint64_t)__builtin_popcountll(s->seen[i]);
    return missing;
}

void vd_audit_sequence_settle(struct vd_audit_sequence *s, uint64_t end)
{
    advance(s, end);
    flush_run(s);
}
