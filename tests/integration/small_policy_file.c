/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Writes the small policy of tests/support to the file that is its argument. */
#include "tests/support/small_policy.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    size_t size;
    uint8_t *blob = small_policy(&size);
    FILE *file = argc == 2 ? fopen(argv[1], "wb") : NULL;
    int ret = 1;

    if (file != NULL) {
        size_t written = fwrite(blob, 1, size, file);

        ret = fclose(file) == 0 && written == size ? 0 : 1;
    }
    free(blob);
    return ret;
}
