/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "lib/cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BOLD  "\x1b[1m"
#define RED   "\x1b[1;31m"
#define CYAN  "\x1b[1;36m"
#define RESET "\x1b[0m"

bool vd_cli_colours(FILE *out)
{
    const char *none = getenv("NO_COLOR"); /* https://no-color.org */
    const char *term = getenv("TERM");

    if (none != NULL && none[0] != '\0')
        return false;
    return isatty(fileno(out)) && term != NULL && strcmp(term, "dumb") != 0;
}

int vd_cli_exit_code(vd_status status)
{
    switch (vd_status_class(status)) {
    case VD_CLASS_OK:
        return VD_EXIT_YES;
    case VD_CLASS_POLICY:
        return VD_EXIT_NO;
    case VD_CLASS_INPUT:
        return VD_EXIT_USAGE;
    case VD_CLASS_MISSING:
        return VD_EXIT_MISSING;
    case VD_CLASS_SYSTEM:
    case VD_CLASS_BUG:
        return VD_EXIT_FAULT;
    }
    return VD_EXIT_FAULT;
}

/*
 * Text that may come from outside: no control character reaches the terminal.
 * UTF-8 passes, except U+0080 to U+009F (0xc2 0x80 …), which terminals obey too.
 */
static void put_safe(FILE *out, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
        bool c1 = p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f;
        if (*p < 0x20 || *p == 0x7f || c1)
            fprintf(out, "\\x%02x", *p);
        else
            fputc(*p, out);
        if (c1)
            fprintf(out, "\\x%02x", *++p);
    }
}

static void put_place(FILE *out, const struct vd_diag *diag)
{
    if (diag->file[0] == '\0')
        return;
    put_safe(out, diag->file);
    if (diag->line > 0)
        fprintf(out, ":%u", diag->line);
    if (diag->line > 0 && diag->column > 0)
        fprintf(out, ":%u", diag->column);
    fputs(": ", out);
}

/* The line as it is, and under it a caret; tabs stay tabs so that both line up. */
static void put_caret(FILE *out, const char *line, uint32_t column, bool colours)
{
    size_t len = strcspn(line, "\r\n");
    size_t at = column > 0 && column - 1 <= len ? column - 1 : len;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)line[i];
        fputc(c == '\t' || (c >= 0x20 && c != 0x7f) ? c : '?', out);
    }
    fputc('\n', out);
    for (size_t i = 0; i < at; i++)
        fputc(line[i] == '\t' ? '\t' : ' ', out);
    fprintf(out, "%s^%s\n", colours ? RED : "", colours ? RESET : "");
}

static void print(FILE *out, const struct vd_diag *diag, const char *word, const char *source_line)
{
    bool colours = vd_cli_colours(out);

    fputs(colours ? BOLD : "", out);
    put_place(out, diag);
    fprintf(out, "%s%s", colours ? RED : "", word);
    if (diag->has_offset)
        fprintf(out, " at byte %llu", (unsigned long long)diag->offset);
    fprintf(out, ":%s ", colours ? RESET : "");
    put_safe(out, diag->text[0] != '\0' ? diag->text : vd_status_text(diag->status));
    fputc('\n', out);
    if (source_line != NULL)
        put_caret(out, source_line, diag->column, colours);
    if (diag->hint[0] != '\0') {
        fprintf(out, "%shint:%s ", colours ? CYAN : "", colours ? RESET : "");
        put_safe(out, diag->hint);
        fputc('\n', out);
    }
}

void vd_cli_print_diag(FILE *out, const struct vd_diag *diag, const char *source_line)
{
    print(out, diag, "error", source_line);
}

void vd_cli_print_warning(FILE *out, const struct vd_diag *diag)
{
    print(out, diag, "warning", NULL);
}

int vd_cli_report(vd_status status, const struct vd_diag *diag)
{
    struct vd_diag plain = {.status = status};

    if (status == VD_OK)
        return VD_EXIT_YES;
    fflush(stdout); /* results first, where both go to one terminal */
    vd_cli_print_diag(stderr, diag != NULL && diag->status != VD_OK ? diag : &plain, NULL);
    return vd_cli_exit_code(status);
}
