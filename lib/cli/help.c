/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "lib/cli/cli.h"

#include <string.h>

#define COLUMN_MAX 30 /* a longer left side gets a line of its own */

static void put_row(FILE *out, int width, const char *left, const char *right)
{
    int len = (int)strlen(left);

    if (len > width)
        fprintf(out, "  %s\n  %*s  %s", left, width, "", right);
    else
        fprintf(out, "  %-*s  %s", width, left, right);
}

static void option_label(const struct vd_cli_option *o, char *label, size_t size)
{
    char letter[5] = "    ";

    if (o->letter != 0)
        snprintf(letter, sizeof(letter), "-%c, ", o->letter);
    snprintf(label, size, "%s--%s%s%s", letter, o->name, o->argument != NULL ? " " : "",
             o->argument != NULL ? o->argument : "");
}

static void put_options(FILE *out, const struct vd_cli_option *options)
{
    bool own_version = false;
    char label[320];

    fputs("\nOptions:\n", out);
    for (const struct vd_cli_option *o = options; o != NULL && o->name != NULL; o++) {
        own_version = own_version || strcmp(o->name, "version") == 0;
        option_label(o, label, sizeof(label));
        put_row(out, COLUMN_MAX, label, o->help);
        if (o->standard != NULL && o->standard[0] != '\0')
            fprintf(out, " (default: %s)", o->standard);
        if (o->kind == VD_CLI_LIST)
            fputs(" (may be given several times)", out);
        if (o->required)
            fputs(" (required)", out);
        fputc('\n', out);
    }
    put_row(out, COLUMN_MAX, "-h, --help", "this help\n");
    if (!own_version)
        put_row(out, COLUMN_MAX, "    --version", "print the version\n");
}

static void put_commands(FILE *out, const struct vd_cli_command *const *commands)
{
    int width = 0;

    for (uint32_t i = 0; commands[i] != NULL; i++) {
        int len = (int)strlen(commands[i]->name);
        width = len > width ? len : width;
    }
    fputs("\nCommands:\n", out);
    for (uint32_t i = 0; commands[i] != NULL; i++) {
        put_row(out, width, commands[i]->name, commands[i]->summary);
        fputc('\n', out);
    }
}

void vd_cli_print_help(FILE *out, const struct vd_cli_command *const *path, uint32_t depth)
{
    const struct vd_cli_command *command = path[depth - 1];

    fputs("Usage:", out);
    for (uint32_t i = 0; i < depth; i++)
        fprintf(out, " %s", path[i]->name);
    if (command->usage != NULL)
        fprintf(out, " %s", command->usage);
    else if (command->commands != NULL)
        fputs(" COMMAND [OPTION]... [ARGUMENT]...", out);
    fprintf(out, "\n\n%s\n", command->summary);
    if (command->details != NULL)
        fprintf(out, "\n%s\n", command->details);
    if (command->commands != NULL)
        put_commands(out, command->commands);
    put_options(out, command->options);
    if (command->commands != NULL) {
        fputc('\n', out);
        for (uint32_t i = 0; i < depth; i++)
            fprintf(out, "%s%s", i == 0 ? "More: " : " ", path[i]->name);
        fputs(" COMMAND --help\n", out);
    }
}
