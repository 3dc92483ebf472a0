/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The input's lines are the words of a call. Whatever they are, the call is
 * refused with a text, or what was stored is whole: strings end, numbers and
 * choices keep their bounds, the operands are as many as allowed.
 */
#define _GNU_SOURCE
#include "fuzz/fuzz.h"
#include "lib/cli/parse.h"

#include <string.h>

#define WORDS_MAX 100

struct args {
    bool flag;
    const char *text;
    uint32_t number;
    uint32_t choice;
    struct vd_cli_list list;
};

static const struct vd_cli_option options[] = {
    {"flag", 'f', VD_CLI_FLAG, offsetof(struct args, flag), "h", NULL, NULL, false},
    {"text", 't', VD_CLI_TEXT, offsetof(struct args, text), "h", "T", "usual", false},
    {"number", 'n', VD_CLI_U32, offsetof(struct args, number), "h", "N", "1", false},
    {"choice", 'c', VD_CLI_CHOICE, offsetof(struct args, choice), "h", "a|bb|ccc", NULL, false},
    {"list", 'l', VD_CLI_LIST, offsetof(struct args, list), "h", "L", NULL, false},
    {},
};

static const struct vd_cli_command command = {
    .name = "fuzz",
    .options = options,
    .args_size = sizeof(struct args),
    .operands_max = 5,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    char *words[WORDS_MAX + 1];
    struct args args = {};
    struct vd_diag diag = {};
    uint32_t count = 0;
    size_t n = 0;

    if (text == NULL)
        abort();
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    for (char *rest = text; rest != NULL && n < WORDS_MAX;)
        words[n++] = strsep(&rest, "\n");
    words[n] = NULL;
    if (vd_cli_parse(&command, words, &args, &count, &diag) == VD_OK) {
        VD_FUZZ_ASSERT(count <= 5 && words[count] == NULL);
        VD_FUZZ_ASSERT(args.choice < 3 && args.list.count <= VD_CLI_LIST_MAX);
        VD_FUZZ_ASSERT(strlen(args.text) <= size + sizeof("usual"));
        for (uint32_t i = 0; i < count; i++)
            VD_FUZZ_ASSERT(strlen(words[i]) <= size);
        for (uint32_t i = 0; i < args.list.count; i++)
            VD_FUZZ_ASSERT(strlen(args.list.item[i]) <= size);
    } else {
        VD_FUZZ_ASSERT(diag.status == VD_E_USAGE && diag.text[0] != '\0');
        VD_FUZZ_ASSERT(memchr(diag.text, '\0', sizeof(diag.text)) != NULL);
    }
    free(text);
    return 0;
}
