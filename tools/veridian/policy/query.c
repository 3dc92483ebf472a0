/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/policy/query.h"

#include "core/mac/decide.h"
#include "core/mac/transition.h"
#include "core/mac/xperm.h"
#include "lib/diagf.h"
#include "tools/analysis/lookup.h"
#include "tools/veridian/policy/query_label.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES (64u << 10)
#define CONTEXT_BYTES  (32u << 10) /* two levels of 512 categories that are no neighbours */

static enum vd_policy_answer unknown(FILE *out, const char *what)
{
    fprintf(out, "error=%s\n", what);
    return VD_POLICY_ANSWER_UNKNOWN;
}

static bool context_of(const struct vd_policydb *db, const char *word, struct vd_context *ret,
                       struct vd_diag *diag)
{
    if (vd_mac_context_parse(db, word, strlen(word), ret, diag) == VD_OK)
        return true;
    vd_diag_file(diag, word);
    return false;
}

static bool class_of(const struct vd_policydb *db, const char *word, uint32_t *ret,
                     struct vd_diag *diag)
{
    return vd_lookup(db, VD_SYM_CLASS, word, ret, diag) == VD_OK;
}

static void print_perms(const struct vd_policydb *db, uint32_t class, const char *title,
                        uint32_t mask, FILE *out)
{
    const char *before = "";

    fprintf(out, " %s={", title);
    for (uint32_t bit = 0; bit < VD_PDB_MAX_PERMS; bit++) {
        const char *name = vd_policydb_perm_name(db, class, bit);
        if ((mask >> bit & 1) == 0 || name == NULL)
            continue;
        fputs(before, out);
        fputs(name, out);
        before = ",";
    }
    fputc('}', out);
}

static enum vd_policy_answer answer_av(const struct vd_policydb *db, const struct vd_context *cons,
                                       uint32_t class, FILE *out)
{
    struct vd_decision d;

    vd_mac_decide(db, &cons[0], &cons[1], class, &d);
    fputs("av", out);
    print_perms(db, class, "allowed", d.allowed, out);
    print_perms(db, class, "auditallow", d.auditallow, out);
    print_perms(db, class, "auditdeny", d.auditdeny, out);
    fprintf(out, " missing-by=%s%s%s%s\n", d.without_te != 0 ? "T" : "",
            d.without_constraint != 0 ? "C" : "", d.without_role != 0 ? "R" : "",
            d.without_bounds != 0 ? "B" : "");
    return d.allowed != 0 ? VD_POLICY_ANSWER_YES : VD_POLICY_ANSWER_NO;
}

/* What a verb takes, and what it asks for. */
struct verb {
    const char *name;
    uint32_t contexts;
    uint32_t more; /* words that may follow */
    uint32_t kind; /* enum vd_pdb_trans_kind; 0: no transition */
    bool class;
    uint32_t creators; /* VD_MAKING_…: whose rule a transition follows */
};

static const struct verb verbs[] = {
    {.name = "av", .contexts = 2, .class = true},
    {.name = "transition",
     .contexts = 2,
     .more = 1,
     .kind = VD_TRANS_TYPE,
     .class = true,
     .creators = VD_MAKING_LIBSEPOL},
    {.name = "create",
     .contexts = 2,
     .more = 1,
     .kind = VD_TRANS_TYPE,
     .class = true,
     .creators = VD_MAKING_KERNEL},
    {.name = "change",
     .contexts = 2,
     .more = 0,
     .kind = VD_TRANS_CHANGE,
     .class = true,
     .creators = VD_MAKING_LIBSEPOL},
    {.name = "member",
     .contexts = 2,
     .more = 0,
     .kind = VD_TRANS_MEMBER,
     .class = true,
     .creators = VD_MAKING_LIBSEPOL},
    {.name = "valid", .contexts = 1},
    {.name = "permissive", .contexts = 1},
    {.name = "validatetrans", .contexts = 3, .class = true},
    {.name = "xperm", .contexts = 2, .class = true, .more = 2},
};

static enum vd_policy_answer answer_transition(const struct vd_policydb *db,
                                               const struct verb *verb,
                                               const struct vd_context *cons,
                                               const struct vd_making *making, FILE *out)
{
    char buf[CONTEXT_BYTES];
    struct vd_context created;
    struct vd_text text;

    if (vd_mac_create(db, &cons[0], &cons[1], making, &created) != VD_OK) {
        fprintf(out, "%s error=invalid\n", verb->name);
        return VD_POLICY_ANSWER_NO;
    }
    vd_text_init(&text, buf, sizeof(buf));
    vd_mac_context_text(db, &created, &text);
    fprintf(out, "%s context=%s\n", verb->name, buf);
    return VD_POLICY_ANSWER_YES;
}

/* A number of 16 bits, as 0x8910 or decimal; false if it is none. */
static bool number_of(const char *word, uint32_t *ret)
{
    char *end;
    unsigned long value;

    if (word[0] < '0' || word[0] > '9')
        return false;
    errno = 0;
    value = strtoul(word, &end, strncmp(word, "0x", 2) == 0 ? 16 : 10);
    if (errno != 0 || *end != '\0' || value > VD_XPERM_NUMBER_MAX)
        return false;
    *ret = (uint32_t)value;
    return true;
}

/* xperm SCON TCON CLASS ioctl|nlmsg NUMBER */
static enum vd_policy_answer answer_xperm(const struct vd_policydb *db,
                                          const struct vd_context *cons, uint32_t class,
                                          char *const *more, FILE *out)
{
    struct vd_xperm_question q = {.class = class};
    struct vd_decision d;

    q.kind = strcmp(more[0], "ioctl") == 0   ? VD_XPERM_IOCTL
             : strcmp(more[0], "nlmsg") == 0 ? VD_XPERM_NLMSG
                                             : 0;
    if (q.kind == 0 || !number_of(more[1], &q.number))
        return unknown(out, "argument");
    if (vd_policydb_find_perm(db, class, more[0], strlen(more[0]), &q.perms) != VD_OK)
        return unknown(out, "class");
    (void)!vd_mac_decide_xperm(db, &cons[0], &cons[1], &q, &d);
    fprintf(out, "xperm allowed=%d auditallow=%d dontaudit=%d\n", (d.allowed & q.perms) != 0,
            (d.auditallow & q.perms) != 0, (d.auditdeny & q.perms) == 0);
    return (d.allowed & q.perms) != 0 ? VD_POLICY_ANSWER_YES : VD_POLICY_ANSWER_NO;
}

/* valid CON, and permissive CON: whether what its type may not do is only recorded. */
static enum vd_policy_answer answer_context(const struct vd_policydb *db, const struct verb *verb,
                                            const char *word, FILE *out, struct vd_diag *diag)
{
    struct vd_context context;
    struct vd_decision d;
    bool yes;

    if (strcmp(verb->name, "valid") == 0) {
        yes = vd_mac_context_parse(db, word, strlen(word), &context, NULL) == VD_OK;
    } else {
        if (!context_of(db, word, &context, diag))
            return unknown(out, "context");
        vd_mac_decide(db, &context, &context, 1, &d);
        yes = (d.flags & VD_DECISION_PERMISSIVE) != 0;
    }
    fprintf(out, "%s=%d\n", verb->name, yes);
    return yes ? VD_POLICY_ANSWER_YES : VD_POLICY_ANSWER_NO;
}

/* The verb of a line and its first argument; NULL if it is none, or has too few or many words. */
static const struct verb *verb_of(char *const *words, uint32_t count, uint32_t *ret_first)
{
    *ret_first = 1;
    for (size_t i = 0; i < VD_COUNT(verbs); i++) {
        uint32_t needed = 1 + verbs[i].contexts + verbs[i].class;
        if (strcmp(words[0], verbs[i].name) == 0)
            return count >= needed && count <= needed + verbs[i].more ? &verbs[i] : NULL;
    }
    *ret_first = 0;
    return count == 3 && strchr(words[0], ':') != NULL ? &verbs[0] : NULL;
}

enum vd_policy_answer vd_policy_query_words(const struct vd_policydb *db, char *const *words,
                                            uint32_t count, FILE *out, struct vd_diag *diag)
{
    struct vd_context cons[3];
    uint32_t first;
    uint32_t class = 0;
    const struct verb *verb = count == 0 ? NULL : verb_of(words, count, &first);
    bool yes;

    if (count > 0 && strcmp(words[0], "label") == 0)
        return vd_policy_query_label(db, words + 1, count - 1, out, diag);
    if (verb == NULL) {
        vd_diagf_hint(diag, "SCON TCON CLASS, or av, transition, create, change, member, valid, "
                            "permissive, validatetrans, xperm or label and what it takes");
        (void)!vd_diagf(diag, VD_E_USAGE, "not a query");
        return unknown(out, "verb");
    }
    if (!verb->class)
        return answer_context(db, verb, words[first], out, diag);
    for (uint32_t i = 0; i < verb->contexts; i++) {
        if (!context_of(db, words[first + i], &cons[i], diag))
            return unknown(out, "context");
    }
    if (!class_of(db, words[first + verb->contexts], &class, diag))
        return unknown(out, "class");
    if (verb->kind != 0) {
        struct vd_making making = {.class = class, .kind = verb->kind, .creators = verb->creators};
        struct vd_file_name name = {.text = words[count - 1], .len = strlen(words[count - 1])};

        if (count > first + verb->contexts + 1)
            making.named = vd_mac_named_type(db, cons[0].type, cons[1].type, class, &name);
        return answer_transition(db, verb, cons, &making, out);
    }
    if (verb->more == 2)
        return count == first + 5 ? answer_xperm(db, cons, class, words + first + 3, out)
                                  : unknown(out, "verb");
    if (verb->contexts == 2)
        return answer_av(db, cons, class, out);
    yes = vd_mac_validatetrans(db, &cons[0], &cons[1], &cons[2], class);
    fprintf(out, "validatetrans=%d\n", yes);
    return yes ? VD_POLICY_ANSWER_YES : VD_POLICY_ANSWER_NO;
}

/* Answers one line of `len` bytes, terminated, which is cut into words in place. */
static void answer_line(const struct vd_policydb *db, char *line, size_t len, FILE *out)
{
    char *words[VD_POLICY_QUERY_WORDS + 1];
    char *rest = line;
    uint32_t count = 0;
    size_t whole = strlen(line); /* shorter where a NUL stands inside */
    char *word;

    while (count < VD_COUNT(words) && (word = strtok_r(NULL, " \t\r", &rest)) != NULL)
        words[count++] = word;
    if (count == 0 || words[0][0] == '#')
        return;
    if (count > VD_POLICY_QUERY_WORDS || whole != len)
        unknown(out, "verb");
    else
        vd_policy_query_words(db, words, count, out, NULL);
}

/* Answers the whole lines of `buf` and moves the rest to its start; returns the rest's length. */
static size_t answer_lines(const struct vd_policydb *db, char *buf, size_t used, uint64_t *lines,
                           FILE *out)
{
    size_t start = 0;

    for (char *end; (end = memchr(buf + start, '\n', used - start)) != NULL;) {
        *end = '\0';
        (*lines)++;
        answer_line(db, buf + start, (size_t)(end - buf) - start, out);
        start = (size_t)(end - buf) + 1;
    }
    memmove(buf, buf + start, used - start);
    return used - start;
}

vd_status vd_policy_query_batch(const struct vd_policydb *db, int fd, FILE *out,
                                struct vd_diag *diag)
{
    char *buf = malloc(LINE_MAX_BYTES + 1);
    size_t used = 0;
    uint64_t lines = 0;
    vd_status status = buf == NULL ? VD_E_NO_MEMORY : VD_OK;

    while (status == VD_OK) {
        ssize_t n = read(fd, buf + used, LINE_MAX_BYTES - used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            status = vd_diagf_errno(diag, VD_E_IO, errno, "cannot read the queries");
        if (n <= 0)
            break;
        used = answer_lines(db, buf, used + (size_t)n, &lines, out);
        if (used == LINE_MAX_BYTES)
            status = vd_diagf_line(diag, VD_E_LIMIT, (uint32_t)lines + 1, 0,
                                   "a query of more than 64 KiB");
        if (fflush(out) != 0)
            status = vd_diagf_errno(diag, VD_E_IO, errno, "cannot write the answers");
    }
    if (status == VD_OK && used != 0) {
        buf[used] = '\0';
        answer_line(db, buf, used, out);
    }
    if (status != VD_OK)
        vd_diag_file(diag, "standard input");
    free(buf);
    return status;
}
