/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Runs a comparison on memory that was never written, under valgrind, which
 * then reports every branch and every address that depends on its content.
 * `ct_probe own` must be silent; `ct_probe plain` compares byte by byte and
 * leaves early, so that a valgrind that sees nothing is noticed.
 */
#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

#define SIZE 96u

static bool plain_equal(const volatile uint8_t *a, const volatile uint8_t *b, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (a[i] != b[i])
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    uint8_t *a = malloc(SIZE);
    uint8_t *b = calloc(1, SIZE);
    volatile bool kept;

    if (argc != 2 || a == NULL || b == NULL)
        return 2;
    if (strcmp(argv[1], "own") == 0) {
        for (size_t n = 0; n <= SIZE; n++)
            kept = vd_ct_equal(a, b, n);
    } else {
        kept = plain_equal(a, b, SIZE);
    }
    (void)kept;
    free(a);
    free(b);
    return 0;
}
