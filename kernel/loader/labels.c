/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "kernel/loader/labels.h"

#include "lib/diagf.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct rule {
    regex_t regex;
    mode_t type; /* S_IF…; 0: any */
    uint32_t line;
    char *context; /* NULL: <<none>> */
};

struct vd_label_rules {
    struct rule *rows;
    size_t count;
    size_t room;
};

/* One line cut into words; comments and blank lines have none. */
struct line {
    uint32_t number;
    size_t count;
    char *words[4];
    char text[1024];
};

#define BLANKS " \t\r"

/* Takes the next line from `*at`; false at the end. */
static bool next_line(const char **at, const char *end, struct line *line)
{
    const char *stop = memchr(*at, '\n', (size_t)(end - *at));
    size_t len;
    char *save = NULL;

    if (*at == end)
        return false;
    if (stop == NULL)
        stop = end;
    len = (size_t)(stop - *at);
    line->number++;
    line->count = 0;
    if (len >= sizeof(line->text) || memchr(*at, '\0', len) != NULL) {
        line->count = SIZE_MAX;
    } else {
        memcpy(line->text, *at, len);
        line->text[len] = '\0';
        for (char *w = strtok_r(line->text, BLANKS, &save); w != NULL && *w != '#';
             w = strtok_r(NULL, BLANKS, &save)) {
            if (line->count == VD_COUNT(line->words)) {
                line->count = SIZE_MAX;
                break;
            }
            line->words[line->count++] = w;
        }
    }
    *at = stop == end ? end : stop + 1;
    return true;
}

static vd_status fail_line(struct vd_diag *diag, const char *name, vd_status status, uint32_t line,
                           const char *text)
{
    vd_diag_file(diag, name);
    return vd_diagf_line(diag, status, line, 0, "%s", text);
}

static bool type_of_flag(const char *flag, mode_t *ret)
{
    static const struct {
        char flag[3];
        mode_t type;
    } types[] = {{"--", S_IFREG}, {"-d", S_IFDIR}, {"-c", S_IFCHR}, {"-b", S_IFBLK},
                 {"-l", S_IFLNK}, {"-p", S_IFIFO}, {"-s", S_IFSOCK}};

    for (size_t i = 0; i < VD_COUNT(types); i++) {
        if (strcmp(flag, types[i].flag) == 0) {
            *ret = types[i].type;
            return true;
        }
    }
    return false;
}

/* The first byte behind the bracket expression that begins at `at`. */
static const char *skip_bracket(const char *at)
{
    at++;
    if (*at == '^')
        at++;
    if (*at == ']')
        at++;
    while (*at != '\0' && *at != ']')
        at++;
    return *at == ']' ? at + 1 : at;
}

/*
 * True if the C library takes the expression in bounded time and memory. It
 * copies what is repeated: a repetition of a repetition doubles each time, an
 * interval multiplies, and a back reference makes matching exponential.
 */
static bool bounded_expression(const char *at)
{
    bool repeated = false;
    uint32_t depth = 0;

    while (*at != '\0') {
        bool repeats = strchr("*+?", *at) != NULL;
        if (*at == '{' || (repeats && repeated))
            return false;
        if (*at == '\\' && (at[1] == '\0' || (at[1] >= '0' && at[1] <= '9')))
            return false;
        if (*at == '(' && ++depth > VD_LABEL_GROUPS_MAX)
            return false;
        if (*at == ')' && depth > 0)
            depth--;
        repeated = repeats;
        at = *at == '[' ? skip_bracket(at) : at + (*at == '\\' ? 2 : 1);
    }
    return true;
}

static vd_status add_rule(struct vd_label_rules *rules, const struct line *line, const char *name,
                          struct vd_diag *diag)
{
    const char *context = line->words[line->count - 1];
    struct rule rule = {.line = line->number};
    char pattern[sizeof(line->text) + 8];

    if (rules->count == VD_LABEL_RULES_MAX)
        return fail_line(diag, name, VD_E_LIMIT, line->number, "too many file contexts");
    if (line->count == 3 && !type_of_flag(line->words[1], &rule.type))
        return fail_line(diag, name, VD_E_SYNTAX, line->number,
                         "the file type must be one of -- -d -c -b -l -p -s");
    if (strlen(context) > VD_LABEL_TEXT_SIZE - 1)
        return fail_line(diag, name, VD_E_LIMIT, line->number, "the context is too long");
    if (rules->count == rules->room) {
        size_t room = rules->room == 0 ? 64 : rules->room * 2;
        struct rule *rows = reallocarray(rules->rows, room, sizeof(*rows));
        if (rows == NULL)
            return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
        rules->rows = rows;
        rules->room = room;
    }
    if (!bounded_expression(line->words[0]))
        return fail_line(
            diag, name, VD_E_LIMIT, line->number,
            "the expression may have no {}, no \\1, no repetition of a repetition, and "
            "at most 8 groups inside each other");
    snprintf(pattern, sizeof(pattern), "^(%s)$", line->words[0]);
    if (regcomp(&rule.regex, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return fail_line(diag, name, VD_E_SYNTAX, line->number,
                         "this is no POSIX extended regular expression");
    if (strcmp(context, "<<none>>") != 0) {
        rule.context = strdup(context);
        if (rule.context == NULL) {
            regfree(&rule.regex);
            return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
        }
    }
    rules->rows[rules->count++] = rule;
    return VD_OK;
}

vd_status vd_label_rules_parse(const char *text, size_t len, const char *name,
                               struct vd_label_rules **ret, struct vd_diag *diag)
{
    struct vd_label_rules *rules = calloc(1, sizeof(*rules));
    struct line line = {};
    const char *at = text;
    vd_status status = VD_OK;

    if (rules == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    while (status == VD_OK && next_line(&at, text + len, &line)) {
        if (line.count == 0)
            continue;
        if (line.count != 2 && line.count != 3)
            status = fail_line(diag, name, VD_E_SYNTAX, line.number,
                               "expected: EXPRESSION [-TYPE] CONTEXT");
        else
            status = add_rule(rules, &line, name, diag);
    }
    if (status != VD_OK) {
        vd_label_rules_free(rules);
        return status;
    }
    *ret = rules;
    return VD_OK;
}

void vd_label_rules_free(struct vd_label_rules *rules)
{
    if (rules == NULL)
        return;
    for (size_t i = 0; i < rules->count; i++) {
        regfree(&rules->rows[i].regex);
        free(rules->rows[i].context);
    }
    free(rules->rows);
    free(rules);
}

const char *vd_label_rules_match(const struct vd_label_rules *rules, const char *path, mode_t mode)
{
    for (size_t i = rules->count; i-- > 0;) {
        const struct rule *rule = &rules->rows[i];
        if (rule->type != 0 && rule->type != (mode & S_IFMT))
            continue;
        if (regexec(&rule->regex, path, 0, NULL, 0) == 0)
            return rule->context;
    }
    return NULL;
}

size_t vd_label_rules_count(const struct vd_label_rules *rules)
{
    return rules->count;
}

const char *vd_label_rules_context(const struct vd_label_rules *rules, size_t index,
                                   uint32_t *ret_line)
{
    if (index >= rules->count)
        return NULL;
    *ret_line = rules->rows[index].line;
    return rules->rows[index].context;
}

/* Source: linux/magic.h and the file systems' own sources. */
static const struct {
    const char *name;
    uint64_t magic;
    uint32_t kernel_mount;
} filesystems[] = {
    {"proc", 0x9fa0, 0},
    {"sysfs", 0x62656572, 0},
    {"bpf", 0xcafe4a11, 0},
    {"devpts", 0x1cd1, 0},
    {"securityfs", 0x73636673, 0},
    {"efivarfs", 0xde5e81e4, 0},
    {"cgroup", 0x27e0eb, 0},
    {"cgroup2", 0x63677270, 0},
    {"debugfs", 0x64626720, 0},
    {"tracefs", 0x74726163, 0},
    {"configfs", 0x62656570, 0},
    {"pstore", 0x6165676c, 0},
    {"mqueue", 0x19800202, 0},
    {"hugetlbfs", 0x958458f6, 0},
    {"binfmt_misc", 0x42494e4d, 0},
    {"fusectl", 0x65735543, 0},
    {"nsfs", 0x6e736673, 0},
    {"pidfs", 0x50494446, 0},
    {"pipefs", 0x50495045, 0},
    {"sockfs", 0x534f434b, 0},
    {"anon_inodefs", 0x09041934, 0},
    {"secretmem", 0x5345434d, 0},
    {"bdev", 0x62646576, 0},
    {"memfd", 0x01021994, 1}, /* the kernel's own mount of tmpfs */
};

static bool fs_key(const char *name, struct vd_fs_key *ret)
{
    for (size_t i = 0; i < VD_COUNT(filesystems); i++) {
        if (strcmp(name, filesystems[i].name) == 0) {
            *ret = (struct vd_fs_key){.magic = filesystems[i].magic,
                                      .kernel_mount = filesystems[i].kernel_mount};
            return true;
        }
    }
    return false;
}

static vd_status add_fs(struct vd_fs_labels *labels, const struct line *line, const char *name,
                        struct vd_diag *diag)
{
    struct vd_fs_label row = {.line = line->number};

    if (line->count != 2)
        return fail_line(diag, name, VD_E_SYNTAX, line->number, "expected: FSTYPE CONTEXT");
    if (labels->count == VD_FS_LABELS_MAX)
        return fail_line(diag, name, VD_E_LIMIT, line->number, "too many file systems");
    if (!fs_key(line->words[0], &row.key))
        return fail_line(diag, name, VD_E_NOT_FOUND, line->number,
                         "this file system is not known or labels its files one by one");
    if (strlen(line->words[1]) >= sizeof(row.context))
        return fail_line(diag, name, VD_E_LIMIT, line->number, "the context is too long");
    memcpy(row.context, line->words[1], strlen(line->words[1]));
    labels->rows[labels->count++] = row;
    return VD_OK;
}

vd_status vd_fs_labels_parse(const char *text, size_t len, const char *name,
                             struct vd_fs_labels *ret, struct vd_diag *diag)
{
    struct line line = {};
    const char *at = text;

    ret->count = 0;
    while (next_line(&at, text + len, &line)) {
        vd_status status = line.count == 0 ? VD_OK : add_fs(ret, &line, name, diag);
        if (status != VD_OK) {
            ret->count = 0;
            return status;
        }
    }
    return VD_OK;
}
