/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "lib/cli/parse.h"
#include "lib/diagf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OPTIONS_MAX 64u /* of one command: the bits of `given` */

struct parser {
    const struct vd_cli_command *command;
    char **words; /* the next one to look at */
    char *args;
    uint64_t given; /* bit i: option i was given */
    struct vd_diag *diag;
};

/* The options of the table, then those that every command has. */
static const char *option_name(const void *ctx, uint32_t i)
{
    static const char *const common[] = {"help", "version", NULL};
    const struct vd_cli_option *options = ctx;
    uint32_t count = 0;

    while (options != NULL && options[count].name != NULL)
        count++;
    return i < count ? options[i].name : i - count < VD_COUNT(common) ? common[i - count] : NULL;
}

/* The i-th of the words "a|b|c", copied to `ret`; false behind the last. */
static bool choice_word(const char *words, uint32_t i, char *ret, size_t size)
{
    while (i > 0) {
        words = strchr(words, '|');
        if (words == NULL)
            return false;
        words++;
        i--;
    }
    snprintf(ret, size, "%.*s", (int)strcspn(words, "|"), words);
    return true;
}

static vd_status parse_number(const struct vd_cli_option *o, const char *text, uint64_t max,
                              uint64_t *ret, struct vd_diag *diag)
{
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    const char *digits = hex ? "0123456789abcdefABCDEF" : "0123456789";
    const char *start = hex ? text + 2 : text;
    uint64_t value;

    /* strtoull would take signs, blanks and octal. */
    if (*start == '\0' || start[strspn(start, digits)] != '\0')
        return vd_diagf(diag, VD_E_USAGE, "--%s: a number is expected, not \"%s\"", o->name, text);
    errno = 0;
    value = strtoull(start, NULL, hex ? 16 : 10);
    if (errno != 0 || value > max)
        return vd_diagf(diag, VD_E_USAGE, "--%s: %s is more than %llu", o->name, text,
                        (unsigned long long)max);
    *ret = value;
    return VD_OK;
}

static vd_status parse_choice(const struct vd_cli_option *o, const char *text, uint32_t *ret,
                              struct vd_diag *diag)
{
    char word[64];

    for (uint32_t i = 0; choice_word(o->argument, i, word, sizeof(word)); i++) {
        if (strcmp(word, text) == 0) {
            *ret = i;
            return VD_OK;
        }
    }
    return vd_diagf(diag, VD_E_USAGE, "--%s: one of %s is expected, not \"%s\"", o->name,
                    o->argument, text);
}

static vd_status store(const struct vd_cli_option *o, char *args, const char *value,
                       struct vd_diag *diag)
{
    void *to = args + o->store;
    struct vd_cli_list *list = to;
    uint64_t number = 0;

    switch (o->kind) {
    case VD_CLI_FLAG:
        *(bool *)to = true;
        return VD_OK;
    case VD_CLI_TEXT:
        *(const char **)to = value;
        return VD_OK;
    case VD_CLI_U32:
        VD_TRY(parse_number(o, value, UINT32_MAX, &number, diag));
        *(uint32_t *)to = (uint32_t)number;
        return VD_OK;
    case VD_CLI_U64:
        VD_TRY(parse_number(o, value, UINT64_MAX, &number, diag));
        *(uint64_t *)to = number;
        return VD_OK;
    case VD_CLI_CHOICE:
        return parse_choice(o, value, to, diag);
    case VD_CLI_LIST:
        if (list->count == VD_CLI_LIST_MAX)
            return vd_diagf(diag, VD_E_USAGE, "--%s: given more than %u times", o->name,
                            VD_CLI_LIST_MAX);
        list->item[list->count++] = value;
        return VD_OK;
    }
    return vd_diagf(diag, VD_E_BUG, "--%s: no such kind of option", o->name);
}

/* Notes that the option was given and stores its value, taken from the next word if NULL. */
static vd_status take(struct parser *p, const struct vd_cli_option *o, const char *value)
{
    uint64_t bit = UINT64_C(1) << (o - p->command->options);

    if ((p->given & bit) != 0 && o->kind != VD_CLI_LIST && o->kind != VD_CLI_FLAG)
        return vd_diagf(p->diag, VD_E_USAGE, "--%s is given twice", o->name);
    p->given |= bit;
    if (o->kind == VD_CLI_FLAG && value != NULL)
        return vd_diagf(p->diag, VD_E_USAGE, "--%s takes no value", o->name);
    if (o->kind != VD_CLI_FLAG && value == NULL) {
        value = *p->words;
        if (value == NULL)
            return vd_diagf(p->diag, VD_E_USAGE, "--%s: %s is expected after it", o->name,
                            o->argument != NULL ? o->argument : "a value");
        p->words++;
    }
    return store(o, p->args, value, p->diag);
}

static vd_status unknown(struct parser *p, const char *word, const char *name)
{
    const char *near = name != NULL ? vd_cli_nearest(name, option_name, p->command->options) : NULL;

    if (near != NULL)
        vd_diagf_hint(p->diag, "did you mean \"--%s\"?", near);
    else
        vd_diagf_hint(p->diag, "--help lists the options");
    return vd_diagf(p->diag, VD_E_USAGE, "%s has no option \"%s\"", p->command->name, word);
}

static vd_status parse_long(struct parser *p, const char *word)
{
    const char *equals = strchr(word, '=');
    size_t len = equals != NULL ? (size_t)(equals - word) : strlen(word);
    char name[64];

    for (const struct vd_cli_option *o = p->command->options; o != NULL && o->name != NULL; o++) {
        if (strlen(o->name) == len - 2 && strncmp(o->name, word + 2, len - 2) == 0)
            return take(p, o, equals != NULL ? equals + 1 : NULL);
    }
    snprintf(name, sizeof(name), "%.*s", (int)(len - 2 < 63 ? len - 2 : 63), word + 2);
    return unknown(p, word, name);
}

static vd_status parse_short(struct parser *p, const char *word)
{
    for (const struct vd_cli_option *o = p->command->options; o != NULL && o->name != NULL; o++) {
        if (o->letter != 0 && o->letter == word[1])
            return take(p, o, word[2] != '\0' ? word + 2 : NULL);
    }
    return unknown(p, word, NULL);
}

/* Values of options that were not given; an option that must be is an error. */
static vd_status complete(struct parser *p)
{
    uint32_t i = 0;

    for (const struct vd_cli_option *o = p->command->options; o != NULL && o->name != NULL;
         o++, i++) {
        if ((p->given >> i & 1) != 0)
            continue;
        if (o->required)
            return vd_diagf(p->diag, VD_E_USAGE, "--%s %s is missing", o->name,
                            o->argument != NULL ? o->argument : "");
        if (o->standard != NULL)
            VD_TRY(store(o, p->args, o->standard, p->diag));
    }
    return VD_OK;
}

static vd_status check_table(const struct vd_cli_command *command, struct vd_diag *diag)
{
    uint32_t count = 0;

    while (command->options != NULL && command->options[count].name != NULL)
        count++;
    if (count > OPTIONS_MAX || command->args_size > VD_CLI_ARGS_BYTES)
        return vd_diagf(diag, VD_E_BUG, "%s: the table of options is too large", command->name);
    return VD_OK;
}

static vd_status check_operands(const struct vd_cli_command *command, uint32_t count,
                                const char *last, struct vd_diag *diag)
{
    if (count >= command->operands_min && count <= command->operands_max)
        return VD_OK;
    if (count > command->operands_max)
        return vd_diagf(diag, VD_E_USAGE, "%s: \"%s\" is one operand too many", command->name,
                        last);
    return vd_diagf(diag, VD_E_USAGE, "%s: %s%u operand%s expected, %u given", command->name,
                    command->operands_max > command->operands_min ? "at least " : "",
                    command->operands_min, command->operands_min == 1 ? " is" : "s are", count);
}

vd_status vd_cli_parse(const struct vd_cli_command *command, char **words, void *args,
                       uint32_t *ret_operand_count, struct vd_diag *diag)
{
    struct parser p = {.command = command, .words = words, .args = args, .diag = diag};
    uint32_t count = 0;
    bool options = true;

    VD_TRY(check_table(command, diag));
    while (*p.words != NULL) {
        char *word = *p.words++;
        if (options && strcmp(word, "--") == 0)
            options = false;
        else if (options && strncmp(word, "--", 2) == 0)
            VD_TRY(parse_long(&p, word));
        else if (options && word[0] == '-' && word[1] != '\0')
            VD_TRY(parse_short(&p, word));
        else
            words[count++] = word; /* never overtakes p.words */
    }
    words[count] = NULL;
    VD_TRY(complete(&p));
    VD_TRY(check_operands(
        command, count, count > command->operands_max ? words[command->operands_max] : NULL, diag));
    *ret_operand_count = count;
    return VD_OK;
}
