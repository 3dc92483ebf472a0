/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "lib/cli/cli.h"

#include <string.h>

#define WORD_MAX 32u /* longer words are not worth guessing */

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Optimal string alignment distance (Damerau 1964); both words at most WORD_MAX long. */
static uint32_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    uint32_t rows[3][WORD_MAX + 1];
    uint32_t *before = rows[0];
    uint32_t *last = rows[1];
    uint32_t *now = rows[2];

    for (uint32_t j = 0; j <= b_len; j++)
        last[j] = j;
    for (uint32_t i = 1; i <= a_len; i++) {
        uint32_t *spare = before;
        now[0] = i;
        for (uint32_t j = 1; j <= b_len; j++) {
            uint32_t change = last[j - 1] + (a[i - 1] != b[j - 1]);
            now[j] = least(change, least(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = least(now[j], before[j - 2] + 1);
        }
        before = last;
        last = now;
        now = spare;
    }
    return last[b_len];
}

const char *vd_cli_nearest(const char *word, const char *(*next)(const void *ctx, uint32_t i),
                           const void *ctx)
{
    size_t len = strlen(word);
    uint32_t best = len < 5 ? 1 : (uint32_t)len * 2 / 5; /* more slips are another word */
    const char *found = NULL;
    const char *candidate;

    if (len == 0 || len > WORD_MAX)
        return NULL;
    for (uint32_t i = 0; (candidate = next(ctx, i)) != NULL; i++) {
        size_t candidate_len = strlen(candidate);
        uint32_t d;
        if (candidate_len > WORD_MAX)
            continue;
        d = distance(word, len, candidate, candidate_len);
        if (d < candidate_len && (d < best || (d == best && found == NULL))) {
            best = d;
            found = candidate;
        }
    }
    return found;
}
