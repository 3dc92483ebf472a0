/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The command line as data. A command is a row: name, usage, summary, options,
 * and either commands below it or a function. Parsing, `--help`, shell
 * completion and the suggestions for misspelt words all come from the rows.
 *
 *     struct build_args { const char *out; bool json; };
 *     static const struct vd_cli_option build_options[] = {
 *         {"out", 'o', VD_CLI_TEXT, offsetof(struct build_args, out), "where to write", "DIR"},
 *         {"json", 0, VD_CLI_FLAG, offsetof(struct build_args, json), "print JSON"},
 *         {},
 *     };
 *     static int build(const struct vd_cli_call *call)
 *     {
 *         const struct build_args *args = call->args;
 *         struct vd_diag diag = {};
 *         return vd_cli_report(do_build(args->out, call->operands[0], &diag), &diag);
 *     }
 *     static const struct vd_cli_command build_command = {
 *         .name = "build", .usage = "--out DIR FILE", .summary = "builds an image",
 *         .options = build_options, .args_size = sizeof(struct build_args),
 *         .operands_min = 1, .operands_max = 1, .run = build,
 *     };
 *
 * Results go to standard output, messages to standard error. Strings handed
 * out are borrowed from argv. Threads: for a program's main thread.
 */
#ifndef VD_LIB_CLI_CLI_H
#define VD_LIB_CLI_CLI_H

#include "core/base/diag.h"

#include <stdio.h>

/* Exit codes of every program of the project. */
enum vd_exit {
    VD_EXIT_YES = 0,     /* done, allowed, verified */
    VD_EXIT_NO = 1,      /* denied, not verified, differs */
    VD_EXIT_USAGE = 2,   /* the input or the call is wrong */
    VD_EXIT_MISSING = 3, /* something needed is missing on this machine */
    VD_EXIT_FAULT = 4,   /* fault of the program or system */
};

enum vd_cli_kind {
    VD_CLI_FLAG,   /* bool: true when given */
    VD_CLI_TEXT,   /* const char * */
    VD_CLI_U32,    /* uint32_t, decimal or 0x… */
    VD_CLI_U64,    /* uint64_t */
    VD_CLI_CHOICE, /* uint32_t: index of the word among those of `argument`, "a|b|c" */
    VD_CLI_LIST,   /* struct vd_cli_list: may be given several times */
};

#define VD_CLI_LIST_MAX   64u
#define VD_CLI_ANY        UINT32_MAX /* operands_max: no upper bound */
#define VD_CLI_DEPTH_MAX  4u         /* commands below each other, the program included */
#define VD_CLI_ARGS_BYTES 4096u      /* largest args_size */

struct vd_cli_list {
    uint32_t count;
    const char *item[VD_CLI_LIST_MAX];
};

/* One option. A table of them ends with an empty row. */
struct vd_cli_option {
    const char *name; /* without the dashes */
    char letter;      /* short form; 0: none */
    enum vd_cli_kind kind;
    size_t store;         /* offset of the member in the struct of args_size bytes */
    const char *help;     /* one line, lower case, no full stop */
    const char *argument; /* what help calls the value: "FILE"; for a CHOICE its words,
                             as for a TEXT of which they are offered: "a|b|c" */
    const char *standard; /* value where it is not given; NULL: zero */
    bool required;
};

struct vd_cli_command;

/* What a command's function gets. */
struct vd_cli_call {
    const struct vd_cli_command *root;
    const void *args; /* the struct that the options filled; NULL if args_size is 0 */
    uint32_t operand_count;
    char **operands; /* operand_count of them, then NULL */
};

struct vd_cli_command {
    const char *name;
    const char *usage;   /* what follows the name: "[--json] IMAGE"; NULL: nothing */
    const char *summary; /* one line, lower case, no full stop */
    const char *details; /* more lines for its own help; NULL: none */
    const struct vd_cli_option *options;
    const char *words; /* that the first operand may be, as "get set", for completion; NULL: none */
    size_t args_size;
    uint32_t operands_min;
    uint32_t operands_max;
    int (*run)(const struct vd_cli_call *call);   /* returns an enum vd_exit */
    const struct vd_cli_command *const *commands; /* ends with NULL; then run is NULL */
};

/*
 * Runs the command that argv names below `root` and returns its exit code.
 * Answers --help (-h) and --version on every level. A wrong call prints what
 * was expected and gives 2. What was written to standard output but cannot be
 * flushed gives 4.
 */
int vd_cli_run(const struct vd_cli_command *root, const char *version, int argc, char **argv);

/* The exit code for a status. */
int vd_cli_exit_code(vd_status status);

/*
 * The one place where a failure is printed: nothing for VD_OK, else the
 * diagnostic (the status' own text where it is empty or NULL). Returns the exit
 * code.
 */
int vd_cli_report(vd_status status, const struct vd_diag *diag);

/*
 * Prints a diagnostic to `out`:
 *     FILE:LINE:COL: error: TEXT      or   FILE: error at byte N: TEXT
 *     the source line and a caret     where `source_line` is not NULL
 *     hint: …                         where there is one
 * Control characters in it are printed as \xHH.
 */
void vd_cli_print_diag(FILE *out, const struct vd_diag *diag, const char *source_line);

/* The same as a warning: what is wrong is passed over, and the program goes on. */
void vd_cli_print_warning(FILE *out, const struct vd_diag *diag);

/* The help of the command at the end of `path` (root first, `depth` commands). */
void vd_cli_print_help(FILE *out, const struct vd_cli_command *const *path, uint32_t depth);

/*
 * Walks `words` from the root; fills `ret_path` (VD_CLI_DEPTH_MAX rows) and
 * returns how many words were commands.
 */
uint32_t vd_cli_find(const struct vd_cli_command *root, uint32_t count, char *const *words,
                     const struct vd_cli_command **ret_path, uint32_t *ret_depth);

/* Says on standard error that `word` is no command of `parent`, and what may be meant. */
void vd_cli_unknown_command(const struct vd_cli_command *parent, const char *word);

/* A bash completion script for the whole tree. */
void vd_cli_print_bash_completion(FILE *out, const struct vd_cli_command *root);

/*
 * The candidate nearest to `word` by edit distance (insert, delete, change,
 * swap), where it is near enough to be meant; else NULL. `next` gives the i-th
 * candidate, NULL at the end.
 */
const char *vd_cli_nearest(const char *word, const char *(*next)(const void *ctx, uint32_t i),
                           const void *ctx);

/* True if colours may be used on `out`: a terminal, and NO_COLOR is not set. */
bool vd_cli_colours(FILE *out);

#endif
