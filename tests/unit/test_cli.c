/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "lib/cli/cli.h"
#include "lib/cli/parse.h"
#include "lib/diagf.h"
#include "tests/harness.h"

#include <stdlib.h>

struct args {
    bool flag;
    const char *text;
    uint32_t u32;
    uint64_t u64;
    uint32_t choice;
    struct vd_cli_list list;
    const char *must;
};

static const struct vd_cli_option options[] = {
    {"flag", 'f', VD_CLI_FLAG, offsetof(struct args, flag), "a flag", NULL, NULL, false},
    {"text", 't', VD_CLI_TEXT, offsetof(struct args, text), "a text", "TEXT", "usual", false},
    {"u32", 0, VD_CLI_U32, offsetof(struct args, u32), "a number", "N", "7", false},
    {"u64", 0, VD_CLI_U64, offsetof(struct args, u64), "a number", "N", NULL, false},
    {"choice", 'c', VD_CLI_CHOICE, offsetof(struct args, choice), "one", "red|green|blue", "green",
     false},
    {"list", 'l', VD_CLI_LIST, offsetof(struct args, list), "several", "ITEM", NULL, false},
    {"must", 'm', VD_CLI_TEXT, offsetof(struct args, must), "needed", "X", NULL, true},
    {},
};

static int run_nothing(const struct vd_cli_call *call)
{
    return (int)call->operand_count + 40;
}

static const struct vd_cli_command verb = {
    .name = "verb",
    .usage = "-m X A [B]",
    .summary = "does it",
    .options = options,
    .args_size = sizeof(struct args),
    .operands_min = 1,
    .operands_max = 2,
    .run = run_nothing,
};
static const struct vd_cli_command other = {.name = "other", .summary = "x", .run = run_nothing};
static const struct vd_cli_command *const verbs[] = {&verb, &other, NULL};
static const struct vd_cli_command area = {.name = "area", .summary = "y", .commands = verbs};
static const struct vd_cli_command *const areas[] = {&area, NULL};
static const struct vd_cli_command root = {.name = "prog", .summary = "z", .commands = areas};

#define WORDS_MAX 80

/* Splits at blanks into words that live until the next call. */
static char **split(const char *line)
{
    static char copy[1024];
    static char *words[WORDS_MAX + 1];
    size_t n = 0;

    snprintf(copy, sizeof(copy), "%s", line);
    for (char *w = strtok(copy, " "); w != NULL && n < WORDS_MAX; w = strtok(NULL, " "))
        words[n++] = w;
    words[n] = NULL;
    return words;
}

static vd_status parse(const char *line, struct args *args, struct vd_diag *diag)
{
    uint32_t count;

    *args = (struct args){};
    return vd_cli_parse(&verb, split(line), args, &count, diag);
}

VD_TEST(cli_options_and_operands)
{
    struct args a = {};
    char **words = split("one --flag -m must --text=a=b --u32 0x10 two -cblue -l x --list y");
    uint32_t count = 0;

    VD_EXPECT_EQ(vd_cli_parse(&verb, words, &a, &count, NULL), VD_OK);
    VD_EXPECT(a.flag);
    VD_EXPECT_STR(a.text, "a=b");
    VD_EXPECT_EQ(a.u32, 16);
    VD_EXPECT_EQ(a.choice, 2);
    VD_EXPECT_EQ(a.list.count, 2);
    VD_EXPECT_STR(a.list.item[1], "y");
    VD_EXPECT_EQ(count, 2);
    VD_EXPECT_STR(words[0], "one");
    VD_EXPECT_STR(words[1], "two");
    VD_EXPECT(words[2] == NULL);
}

VD_TEST(cli_standard_values)
{
    struct args a;

    VD_EXPECT_EQ(parse("-mx op", &a, NULL), VD_OK);
    VD_EXPECT_STR(a.text, "usual");
    VD_EXPECT_EQ(a.u32, 7);
    VD_EXPECT_EQ(a.u64, 0);
    VD_EXPECT_EQ(a.choice, 1);
    VD_EXPECT(!a.flag);
}

VD_TEST(cli_dashes)
{
    struct args a;

    VD_EXPECT_EQ(parse("-m x -- --flag -t", &a, NULL), VD_OK); /* two operands */
    VD_EXPECT(!a.flag);
    VD_EXPECT_EQ(parse("-m x -", &a, NULL), VD_OK);   /* one operand */
    VD_EXPECT_EQ(parse("-m -- op", &a, NULL), VD_OK); /* a value may be anything */
    VD_EXPECT_STR(a.must, "--");
}

VD_TEST(cli_wrong_calls)
{
    static const struct {
        const char *line;
        const char *text; /* part of the message */
        const char *hint; /* part of the hint; NULL: none */
    } rows[] = {
        {"op", "--must X is missing", NULL},
        {"-m x", "verb: at least 1 operand is expected, 0 given", NULL},
        {"-m x a b c", "\"c\" is one operand too many", NULL},
        {"-m", "--must: X is expected after it", NULL},
        {"-m x op --must y", "--must is given twice", NULL},
        {"-m x op --flag=1", "--flag takes no value", NULL},
        {"-m x op --txet a", "no option \"--txet\"", "--text"},
        {"-m x op --flga", "no option \"--flga\"", "--flag"},
        {"-m x op --hlep", "no option \"--hlep\"", "--help"},
        {"-m x op --zzzzzz", "no option \"--zzzzzz\"", "lists the options"},
        {"-m x op -z", "no option \"-z\"", "lists the options"},
        {"-m x op --choice pink", "one of red|green|blue", NULL},
        {"-m x op --choice gree", "one of red|green|blue", NULL},
        {"-m x op --choice red|green", "one of", NULL},
        {"-m x op --u32 4294967296", "is more than 4294967295", NULL},
        {"-m x op --u32 -1", "a number is expected", NULL},
        {"-m x op --u32 +1", "a number is expected", NULL},
        {"-m x op --u32 1k", "a number is expected", NULL},
        {"-m x op --u32 0x", "a number is expected", NULL},
        {"-m x op --u32=", "a number is expected", NULL},
        {"-m x op --u64 18446744073709551616", "is more than", NULL},
    };

    for (size_t i = 0; i < VD_COUNT(rows); i++) {
        struct args a;
        struct vd_diag diag = {};
        VD_EXPECT_EQ(parse(rows[i].line, &a, &diag), VD_E_USAGE);
        if (strstr(diag.text, rows[i].text) == NULL)
            vd_test_fail(__FILE__, __LINE__, "\"%s\": %s", rows[i].line, diag.text);
        if (rows[i].hint == NULL ? diag.hint[0] != '\0' : strstr(diag.hint, rows[i].hint) == NULL)
            vd_test_fail(__FILE__, __LINE__, "\"%s\": hint %s", rows[i].line, diag.hint);
    }
}

VD_TEST(cli_largest_numbers)
{
    struct args a;

    VD_EXPECT_EQ(parse("-m x o --u32 4294967295 --u64 18446744073709551615", &a, NULL), VD_OK);
    VD_EXPECT_EQ(a.u32, UINT32_MAX);
    VD_EXPECT_EQ(a.u64, UINT64_MAX);
    VD_EXPECT_EQ(parse("-m x o --u64 0xFFFFFFFFFFFFFFFF --u32 010", &a, NULL), VD_OK);
    VD_EXPECT_EQ(a.u64, UINT64_MAX);
    VD_EXPECT_EQ(a.u32, 10); /* no octal */
}

VD_TEST(cli_list_is_bounded)
{
    char line[1024] = "-m x op";
    struct args a;

    for (uint32_t i = 0; i < VD_CLI_LIST_MAX; i++)
        strcat(line, " -ly");
    VD_EXPECT_EQ(parse(line, &a, NULL), VD_OK);
    VD_EXPECT_EQ(a.list.count, VD_CLI_LIST_MAX);
    strcat(line, " -ly");
    VD_EXPECT_EQ(parse(line, &a, NULL), VD_E_USAGE);
}

static const char *candidate(const void *ctx, uint32_t i)
{
    return ((const char *const *)ctx)[i];
}

VD_TEST(cli_nearest)
{
    static const char *const words[] = {"compile", "query", "check", "explain", "diff", NULL};
    static const struct {
        const char *word;
        const char *near;
    } rows[] = {
        {"compiel", "compile"},
        {"complie", "compile"},
        {"compil", "compile"},
        {"qeury", "query"},
        {"chek", "check"},
        {"explian", "explain"},
        {"xyz", NULL},
        {"", NULL},
        {"d", NULL},
        {"dif", "diff"},
        {"reload", NULL},
        {"compilecompilecompilecompilecompilecompile", NULL},
    };

    for (size_t i = 0; i < VD_COUNT(rows); i++) {
        const char *near = vd_cli_nearest(rows[i].word, candidate, words);
        if ((near == NULL) != (rows[i].near == NULL) ||
            (near != NULL && strcmp(near, rows[i].near) != 0))
            vd_test_fail(__FILE__, __LINE__, "\"%s\" gives \"%s\"", rows[i].word,
                         near != NULL ? near : "nothing");
    }
}

VD_TEST(cli_find_walks_the_tree)
{
    const struct vd_cli_command *path[VD_CLI_DEPTH_MAX];
    char **words = split("area verb operand");
    uint32_t depth;

    VD_EXPECT_EQ(vd_cli_find(&root, 3, words, path, &depth), 2);
    VD_EXPECT_EQ(depth, 3);
    VD_EXPECT(path[2] == &verb);
    VD_EXPECT_EQ(vd_cli_find(&root, 0, words, path, &depth), 0);
    VD_EXPECT(path[0] == &root);
}

VD_TEST(cli_exit_codes)
{
    VD_EXPECT_EQ(vd_cli_exit_code(VD_OK), 0);
    VD_EXPECT_EQ(vd_cli_exit_code(VD_E_DENIED), 1);
    VD_EXPECT_EQ(vd_cli_exit_code(VD_E_SIGNATURE), 1);
    VD_EXPECT_EQ(vd_cli_exit_code(VD_E_TRUNCATED), 2);
    VD_EXPECT_EQ(vd_cli_exit_code(VD_E_USAGE), 2);
    VD_EXPECT_EQ(vd_cli_exit_code(VD_E_MISSING), 3);
    VD_EXPECT_EQ(vd_cli_exit_code(VD_E_IO), 4);
    VD_EXPECT_EQ(vd_cli_exit_code(VD_E_BUG), 4);
    VD_EXPECT_EQ(vd_cli_exit_code(VD_STATUS_COUNT), 4);
}

static void expect_printed(const struct vd_diag *diag, const char *source, const char *text)
{
    char *printed = NULL;
    size_t size;
    FILE *f = open_memstream(&printed, &size);

    VD_EXPECT(f != NULL);
    vd_cli_print_diag(f, diag, source);
    fclose(f);
    VD_EXPECT_STR(printed, text);
    free(printed);
}

VD_TEST(cli_prints_the_place)
{
    struct vd_diag line = {};
    struct vd_diag byte = {};
    struct vd_diag plain = {.status = VD_E_IO};
    struct vd_diag row = {.status = VD_E_SYNTAX, .line = 3, .file = "f", .text = "t"};

    VD_EXPECT_EQ(vd_diagf_line(&line, VD_E_SYNTAX, 12, 5, "unknown type \"%s\"", "http_t"),
                 VD_E_SYNTAX);
    vd_diag_file(&line, "a.te");
    vd_diagf_hint(&line, "declare it with \"type %s;\"", "http_t");
    expect_printed(&line, "\tb\tc http_t;\n",
                   "a.te:12:5: error: unknown type \"http_t\"\n"
                   "\tb\tc http_t;\n"
                   "\t \t ^\n"
                   "hint: declare it with \"type http_t;\"\n");
    VD_EXPECT_EQ(vd_diagf_at(&byte, VD_E_MAGIC, 8, "not an image"), VD_E_MAGIC);
    vd_diag_file(&byte, "v.img");
    expect_printed(&byte, NULL, "v.img: error at byte 8: not an image\n");
    expect_printed(&plain, NULL, "error: input or output failed\n");
    expect_printed(&row, NULL, "f:3: error: t\n");
}

VD_TEST(cli_caret_stays_within_the_line)
{
    struct vd_diag diag = {.status = VD_E_SYNTAX, .text = "t", .line = 1, .column = 99};

    expect_printed(&diag, "ab", "error: t\nab\n  ^\n");
    diag.column = 1;
    expect_printed(&diag, "", "error: t\n\n^\n");
}

/* A hostile name must not steer the terminal. */
VD_TEST(cli_prints_control_characters_harmlessly)
{
    struct vd_diag diag = {.status = VD_E_IO};

    vd_diag_file(&diag, "a\x1b[2J\n");
    VD_EXPECT_EQ(vd_diagf(&diag, VD_E_IO, "x"), VD_E_IO);
    strcpy(diag.text, "\x7f \xc2\x9b"
                      "2J \xc3\xb6 \r");
    expect_printed(&diag, "\x1b[m",
                   "a\\x1b[2J\\x0a: error: \\x7f \\xc2\\x9b2J \xc3\xb6 \\x0d\n"
                   "?[m\n   ^\n");
}

VD_TEST(cli_run_gives_the_code_of_the_function)
{
    char **words = split("prog area verb -m x one two");

    VD_EXPECT_EQ(vd_cli_run(&root, "1", 7, words), 42);
}

static int run_version(const struct vd_cli_call *call)
{
    return (int)*(const uint32_t *)call->args;
}

/* `destroy KEY --version 1` must not say the program's version and do nothing. */
VD_TEST(cli_an_option_of_ones_own_named_version)
{
    static const struct vd_cli_option own[] = {
        {"version", 0, VD_CLI_U32, 0, "of the key", "N", NULL, false}, {}};
    static const struct vd_cli_command key = {.name = "key",
                                              .summary = "x",
                                              .options = own,
                                              .args_size = sizeof(uint32_t),
                                              .run = run_version};
    static const struct vd_cli_command *const keys[] = {&key, NULL};
    static const struct vd_cli_command top = {.name = "prog", .summary = "z", .commands = keys};

    VD_EXPECT_EQ(vd_cli_run(&top, "1", 4, split("prog key --version 43")), 43);
    VD_EXPECT_EQ(vd_cli_run(&top, "1", 3, split("prog key --version")), VD_EXIT_USAGE);
    VD_EXPECT_EQ(vd_cli_run(&top, "1", 2, split("prog --version")), VD_EXIT_YES);
}
