/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "lib/cli/cli.h"

#include <string.h>

#define PATH_SIZE 256

/* Calls `visit` for the command and everything below; `path` is " area verb". */
static void walk(FILE *out, const struct vd_cli_command *command, const char *path,
                 void (*visit)(FILE *, const struct vd_cli_command *, const char *))
{
    char below[PATH_SIZE];

    visit(out, command, path);
    for (uint32_t i = 0; command->commands != NULL && command->commands[i] != NULL; i++) {
        snprintf(below, sizeof(below), "%s %s", path, command->commands[i]->name);
        walk(out, command->commands[i], below, visit);
    }
}

static void put_path(FILE *out, const struct vd_cli_command *command, const char *path)
{
    if (path[0] != '\0')
        fprintf(out, "        '%s') path=$path\" $word\" ;;\n", path);
}

static void put_words(FILE *out, const struct vd_cli_command *command, const char *path)
{
    bool own_version = false;

    fprintf(out, "    '%s') words='", path);
    for (uint32_t i = 0; command->commands != NULL && command->commands[i] != NULL; i++)
        fprintf(out, "%s ", command->commands[i]->name);
    if (command->words != NULL)
        fprintf(out, "%s ", command->words);
    for (const struct vd_cli_option *o = command->options; o != NULL && o->name != NULL; o++) {
        own_version = own_version || strcmp(o->name, "version") == 0;
        fprintf(out, "--%s ", o->name);
    }
    fprintf(out, "--help%s' ;;\n", own_version ? "" : " --version");
}

/* "a|b|c" for what may follow an option, "" for a file name. */
static const char *value_words(const struct vd_cli_option *o)
{
    bool words = o->kind == VD_CLI_CHOICE ||
                 (o->kind == VD_CLI_TEXT && o->argument != NULL &&
                  strchr(o->argument, '|') != NULL && strchr(o->argument, '=') == NULL);

    return words ? o->argument : "";
}

/* What may follow an option: the words of a choice, else a file name. */
static void put_values(FILE *out, const struct vd_cli_command *command, const char *path)
{
    for (const struct vd_cli_option *o = command->options; o != NULL && o->name != NULL; o++) {
        if (o->kind == VD_CLI_FLAG)
            continue;
        fprintf(out, "    '%s --%s') words='", path, o->name);
        for (const char *p = value_words(o); *p != '\0'; p++)
            fputc(*p == '|' ? ' ' : *p, out);
        fputs("' ;;\n", out);
    }
}

void vd_cli_print_bash_completion(FILE *out, const struct vd_cli_command *root)
{
    fprintf(out, "# bash completion for %s; use: eval \"$(%s completion bash)\"\n", root->name,
            root->name);
    fprintf(out, "_%s() {\n", root->name);
    fputs("    local word path='' words='' i\n"
          "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
          "        word=${COMP_WORDS[i]}\n"
          "        case \"$path $word\" in\n",
          out);
    walk(out, root, "", put_path);
    fputs("        esac\n"
          "    done\n"
          "    case \"$path\" in\n",
          out);
    walk(out, root, "", put_words);
    fputs("    esac\n"
          "    case \"$path ${COMP_WORDS[COMP_CWORD-1]}\" in\n",
          out);
    walk(out, root, "", put_values);
    /* Without an option that takes a value the case would be empty, which bash accepts. */
    fputs("    esac\n"
          "    COMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n"
          "}\n",
          out);
    fprintf(out, "complete -o default -F _%s %s\n", root->name, root->name);
}
