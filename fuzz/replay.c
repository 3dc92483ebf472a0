/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Runs a fuzz target over the files of its corpus directories, and over each
 * file cut at up to 64 lengths and with single bytes changed: a cheap
 * regression test where no fuzzer is at hand. Prints TAP.
 */
#include "fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#define MAX_INPUT_BYTES (16u << 20)

static uint8_t *load(const char *path, size_t *ret_size)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = malloc(MAX_INPUT_BYTES);

    if (f == NULL || data == NULL) {
        perror(path);
        exit(1);
    }
    *ret_size = fread(data, 1, MAX_INPUT_BYTES, f);
    fclose(f);
    return data;
}

/* Gives the target a copy of exact size, so that a sanitizer sees a read past its end. */
static void feed(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + (size == 0));

    if (copy == NULL)
        exit(1);
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void replay(const char *path)
{
    size_t size;
    uint8_t *data = load(path, &size);
    size_t step = size / 64 + 1;

    feed(data, size);
    for (size_t n = 0; n < size; n += step)
        feed(data, n);
    for (size_t at = 0; at < size; at += step) {
        uint8_t kept = data[at];
        data[at] ^= 0xff;
        feed(data, size);
        data[at] = kept;
    }
    free(data);
}

static int replay_dir(const char *dir)
{
    DIR *d = opendir(dir);
    int count = 0;
    char path[4096];

    if (d == NULL)
        return 0;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
        replay(path);
        count++;
    }
    closedir(d);
    return count;
}

int main(int argc, char **argv)
{
    int count = 0;

    feed((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++)
        count += replay_dir(argv[i]);
    printf("%sok 1 - corpus of %d inputs\n1..1\n", count > 0 ? "" : "not ", count);
    return count > 0 ? 0 : 1;
}
