/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A fuzz target is one function that takes hostile bytes and aborts on a
 * broken property. Built twice: with libFuzzer for `make fuzz`, and with
 * replay.c for the ordinary tests, which run it over fuzz/corpus/TARGET.
 */
#ifndef VD_FUZZ_FUZZ_H
#define VD_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that must hold for every input. */
#define VD_FUZZ_ASSERT(condition) \
    do {                          \
        if (!(condition))         \
            abort();              \
    } while (0)

#endif
