/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "lib/cli/cli.h"
#include "lib/cli/parse.h"

#include <stdlib.h>
#include <string.h>

static const struct vd_cli_command *child(const struct vd_cli_command *command, const char *word)
{
    for (uint32_t i = 0; command->commands != NULL && command->commands[i] != NULL; i++) {
        if (strcmp(command->commands[i]->name, word) == 0)
            return command->commands[i];
    }
    return NULL;
}

uint32_t vd_cli_find(const struct vd_cli_command *root, uint32_t count, char *const *words,
                     const struct vd_cli_command **ret_path, uint32_t *ret_depth)
{
    uint32_t depth = 1;

    ret_path[0] = root;
    while (depth <= count && depth < VD_CLI_DEPTH_MAX) {
        const struct vd_cli_command *next = child(ret_path[depth - 1], words[depth - 1]);
        if (next == NULL)
            break;
        ret_path[depth++] = next;
    }
    *ret_depth = depth;
    return depth - 1;
}

static const char *command_name(const void *ctx, uint32_t i)
{
    const struct vd_cli_command *parent = ctx;

    return parent->commands != NULL && parent->commands[i] != NULL ? parent->commands[i]->name
                                                                   : NULL;
}

void vd_cli_unknown_command(const struct vd_cli_command *parent, const char *word)
{
    const char *near = vd_cli_nearest(word, command_name, parent);
    struct vd_diag diag = {};
    struct vd_text text;

    vd_diag_begin(&diag, VD_E_USAGE, &text);
    vd_text_str(&text, parent->name);
    vd_text_str(&text, " has no command \"");
    vd_text_foreign(&text, word, strlen(word));
    vd_text_str(&text, "\"");
    vd_text_init(&text, diag.hint, sizeof(diag.hint));
    if (near != NULL) {
        vd_text_str(&text, "did you mean \"");
        vd_text_str(&text, near);
        vd_text_str(&text, "\"?");
    } else {
        vd_text_str(&text, "--help lists the commands");
    }
    vd_cli_print_diag(stderr, &diag, NULL);
}

/* An option of the command's own of that name goes before the program's version. */
static bool has_version_option(const struct vd_cli_command *command)
{
    for (const struct vd_cli_option *o = command->options; o != NULL && o->name != NULL; o++)
        if (strcmp(o->name, "version") == 0)
            return true;
    return false;
}

/* True if the word asks for help or the version, which was then printed. */
static bool answered(const char *word, const struct vd_cli_command *const *path, uint32_t depth,
                     const char *version)
{
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        vd_cli_print_help(stdout, path, depth);
        return true;
    }
    if (strcmp(word, "--version") == 0 && !has_version_option(path[depth - 1])) {
        printf("%s %s\n", path[0]->name, version);
        return true;
    }
    return false;
}

/* What the option at fault does not say by itself: how the command is called. */
static void print_usage_hint(const struct vd_cli_command *const *path, uint32_t depth)
{
    const char *usage = path[depth - 1]->usage;

    fputs("hint: usage:", stderr);
    for (uint32_t i = 0; i < depth; i++)
        fprintf(stderr, " %s", path[i]->name);
    fprintf(stderr, "%s%s\n", usage != NULL ? " " : "", usage != NULL ? usage : "");
}

static int run_leaf(const struct vd_cli_command *const *path, uint32_t depth, char **words)
{
    const struct vd_cli_command *command = path[depth - 1];
    struct vd_diag diag = {};
    struct vd_cli_call call = {.root = path[0], .operands = words};
    void *args = calloc(1, command->args_size + 1);
    int code;

    if (args == NULL)
        return vd_cli_report(VD_E_NO_MEMORY, NULL);
    call.args = args;
    if (vd_cli_parse(command, words, args, &call.operand_count, &diag) != VD_OK) {
        vd_cli_print_diag(stderr, &diag, NULL);
        if (diag.hint[0] == '\0')
            print_usage_hint(path, depth);
        code = VD_EXIT_USAGE;
    } else {
        code = command->run(&call);
    }
    free(args);
    return code;
}

static int dispatch(const struct vd_cli_command *const *path, uint32_t depth, const char *version,
                    char **words)
{
    const struct vd_cli_command *command = path[depth - 1];

    if (command->commands != NULL && words[0] == NULL) {
        vd_cli_print_help(stderr, path, depth);
        return VD_EXIT_USAGE;
    }
    if (command->commands != NULL) {
        if (answered(words[0], path, depth, version))
            return VD_EXIT_YES;
        vd_cli_unknown_command(command, words[0]);
        return VD_EXIT_USAGE;
    }
    for (char **w = words; *w != NULL && strcmp(*w, "--") != 0; w++) {
        if (answered(*w, path, depth, version))
            return VD_EXIT_YES;
    }
    return run_leaf(path, depth, words);
}

int vd_cli_run(const struct vd_cli_command *root, const char *version, int argc, char **argv)
{
    const struct vd_cli_command *path[VD_CLI_DEPTH_MAX];
    uint32_t count = argc > 0 ? (uint32_t)argc - 1 : 0;
    uint32_t depth;
    uint32_t used;
    int code;

    if (argc < 1)
        return VD_EXIT_USAGE;
    used = vd_cli_find(root, count, argv + 1, path, &depth);
    code = dispatch(path, depth, version, argv + 1 + used);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fputs("error: cannot write to standard output\n", stderr);
        return VD_EXIT_FAULT;
    }
    return code;
}
