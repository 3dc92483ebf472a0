/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/sepolicy/suggest.h"

#include <string.h>

#define MAX_LENGTH 64u /* longer names are compared by their first bytes */

void vd_sp_suggest_init(struct vd_sp_suggestion *s, const char *wanted)
{
    size_t len = strlen(wanted);

    *s = (struct vd_sp_suggestion){.wanted = wanted,
                                   .distance = len < 3 ? 2 : 2 + (uint32_t)(len > 9) + (len > 18)};
}

static uint32_t min3(uint32_t a, uint32_t b, uint32_t c)
{
    uint32_t m = a < b ? a : b;

    return m < c ? m : c;
}

/* Edits (insert, delete, replace, swap of neighbours) from a to b. */
static uint32_t distance(const char *a, size_t na, const char *b, size_t nb)
{
    uint32_t rows[3][MAX_LENGTH + 1];
    uint32_t *before = rows[0], *above = rows[1], *row = rows[2];

    for (uint32_t j = 0; j <= nb; j++)
        above[j] = j;
    for (uint32_t i = 1; i <= na; i++) {
        uint32_t *spare = before;

        row[0] = i;
        for (uint32_t j = 1; j <= nb; j++) {
            row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
        before = above;
        above = row;
        row = spare;
    }
    return above[nb];
}

void vd_sp_suggest(struct vd_sp_suggestion *s, const char *known)
{
    size_t na = strlen(s->wanted), nb = strlen(known);
    uint32_t d;

    na = na > MAX_LENGTH ? MAX_LENGTH : na;
    nb = nb > MAX_LENGTH ? MAX_LENGTH : nb;
    if (na > nb + s->distance || nb > na + s->distance || na == 0 || nb == 0)
        return;
    d = distance(s->wanted, na, known, nb);
    if (d < s->distance) {
        s->distance = d;
        s->best = known;
    }
}

const char *vd_sp_suggest_hint(const struct vd_sp_suggestion *s, struct vd_sp_arena *arena)
{
    return s->best == NULL ? NULL : vd_sp_text(arena, "did you mean '%s'?", s->best);
}

const char *vd_sp_suggest_symbol(struct vd_sp *sp, enum vd_sp_space space, uint32_t name)
{
    struct vd_sp_suggestion s;

    vd_sp_suggest_init(&s, vd_sp_str(sp, name));
    for (uint32_t i = 1; i < sp->symbols.count; i++) {
        const struct vd_sp_symbol *symbol = &sp->symbols.data[i];

        if (symbol->space == space)
            vd_sp_suggest(&s, vd_sp_str(sp, symbol->name));
    }
    return vd_sp_suggest_hint(&s, &sp->arena);
}
