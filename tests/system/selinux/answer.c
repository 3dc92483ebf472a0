/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Questions that the kernel answers through selinuxfs. */
#include "tests/system/selinux/guest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_CLASSES 256
#define NAME_SIZE   64
#define PATH_SIZE   256

struct class
{
    char name[NAME_SIZE];
    uint32_t number;
    char perms[32][NAME_SIZE];
};

static struct class classes[MAX_CLASSES];
static uint32_t class_count;

void guest_forget_classes(void)
{
    class_count = 0;
}

static uint32_t number_in(const char *path)
{
    char text[32];

    return guest_read(path, text, sizeof(text), NULL) == 0 ? (uint32_t)strtoul(text, NULL, 10) : 0;
}

static void read_perms(struct class *class)
{
    char path[PATH_SIZE], file[2 * PATH_SIZE];
    DIR *dir;

    snprintf(path, sizeof(path), SELINUXFS "class/%s/perms", class->name);
    dir = opendir(path);
    if (dir == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(file, sizeof(file), "%s/%.60s", path, entry->d_name);
        uint32_t bit = number_in(file) - 1;
        if (bit < 32)
            snprintf(class->perms[bit], NAME_SIZE, "%.60s", entry->d_name);
    }
    closedir(dir);
}

/* The class by its name, as the policy in the kernel numbers it; NULL if that has none. */
static struct class *class_of(const char *name)
{
    char path[PATH_SIZE];
    struct class *class = &classes[class_count];

    for (uint32_t i = 0; i < class_count; i++) {
        if (strcmp(classes[i].name, name) == 0)
            return &classes[i];
    }
    if (class_count == MAX_CLASSES || strlen(name) >= NAME_SIZE)
        return NULL;
    memset(class, 0, sizeof(*class));
    snprintf(class->name, NAME_SIZE, "%s", name);
    snprintf(path, sizeof(path), SELINUXFS "class/%s/index", name);
    class->number = number_in(path);
    if (class->number == 0)
        return NULL;
    read_perms(class);
    class_count++;
    return class;
}

/* One transaction: what is written to a node, and what it answers then; 0 or an errno. */
static int ask(const char *node, const char *question, char *answer)
{
    char path[PATH_SIZE];
    ssize_t n;
    int fd, error = 0;

    snprintf(path, sizeof(path), SELINUXFS "%s", node);
    fd = open(path, O_RDWR);
    if (fd < 0)
        return errno;
    n = write(fd, question, strlen(question) + 1);
    if (n >= 0)
        n = read(fd, answer, ANSWER_SIZE - 1);
    if (n < 0)
        error = errno;
    else
        answer[n] = '\0';
    close(fd);
    return error;
}

static void print_perms(const struct class *class, const char *title, uint32_t mask, FILE *out)
{
    const char *before = "";

    fprintf(out, " %s={", title);
    for (uint32_t bit = 0; bit < 32; bit++) {
        if ((mask >> bit & 1) == 0 || class->perms[bit][0] == '\0')
            continue;
        fprintf(out, "%s%s", before, class->perms[bit]);
        before = ",";
    }
    fputc('}', out);
}

static void answer_access(char *const *words, const struct class *class, FILE *out)
{
    char question[ANSWER_SIZE], answer[ANSWER_SIZE];
    unsigned allowed, decided, auditallow, auditdeny, sequence, flags;

    snprintf(question, sizeof(question), "%s %s %u ffffffff", words[1], words[2],
             class == NULL ? 1 : class->number);
    int error = ask("access", question, answer);
    if (error == EINVAL)
        fputs("error=context", out);
    else if (error != 0 || sscanf(answer, "%x %x %x %x %u %x", &allowed, &decided, &auditallow,
                                  &auditdeny, &sequence, &flags) != 6)
        fprintf(out, "error=errno %d", error);
    else if (class == NULL)
        fprintf(out, "permissive=%u", flags & 1);
    else {
        fputs("av", out);
        print_perms(class, "allowed", allowed, out);
        print_perms(class, "auditallow", auditallow, out);
        print_perms(class, "auditdeny", auditdeny, out);
    }
}

static bool is_context(const char *word)
{
    char answer[ANSWER_SIZE];

    return ask("context", word, answer) == 0;
}

/* The context that the kernel computes; a name, if there is one, is that of the new object. */
static void answer_create(const char *node, char *const *words, uint32_t count,
                          const struct class *class, FILE *out)
{
    char question[ANSWER_SIZE], answer[ANSWER_SIZE];

    snprintf(question, sizeof(question), "%s %s %u%s%s", words[1], words[2], class->number,
             count > 4 ? " " : "", count > 4 ? words[4] : "");
    int error = ask(node, question, answer);
    if (error == EINVAL && !(is_context(words[1]) && is_context(words[2])))
        fputs("error=context", out);
    else if (error == EINVAL || error == EACCES)
        fprintf(out, "%s error=invalid", words[0]);
    else if (error != 0)
        fprintf(out, "error=errno %d", error);
    else
        fprintf(out, "%s context=%s", words[0], answer);
}

static void answer_validatetrans(char *const *words, const struct class *class, FILE *out)
{
    char question[ANSWER_SIZE];

    snprintf(question, sizeof(question), "%s %s %u %s", words[1], words[2], class->number,
             words[3]);
    int error = guest_write(SELINUXFS "validatetrans", question, strlen(question));
    if (error == EINVAL)
        fputs("error=context", out);
    else if (error == 0 || error == EPERM)
        fprintf(out, "validatetrans=%d", error == 0);
    else
        fprintf(out, "error=errno %d", error);
}

/* The questions about one context, and those that are not put to selinuxfs; false if it is none. */
static bool answer_other(char *const *words, uint32_t count, FILE *out)
{
    static const struct {
        const char *name;
        uint32_t least; /* words */
        void (*answer)(char *const *words, uint32_t count, FILE *out);
    } others[] = {{"ioctl", 4, guest_ioctl},
                  {"nlmsg", 4, guest_nlmsg},
                  {"bind", 4, guest_bind},
                  {"label", 4, guest_label}};

    if (strcmp(words[0], "valid") == 0 && count == 2) {
        fprintf(out, "valid=%d", is_context(words[1]));
        return true;
    }
    if (strcmp(words[0], "permissive") == 0 && count == 2) {
        answer_access((char *const[]){words[0], words[1], words[1]}, NULL, out);
        return true;
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (strcmp(words[0], others[i].name) != 0 || count < others[i].least)
            continue;
        others[i].answer(words, count, out);
        return true;
    }
    return false;
}

void guest_answer(char *const *words, uint32_t count, FILE *out)
{
    static const char *const nodes[][2] = {{"transition", "create"},
                                           {"create", "create"},
                                           {"change", "relabel"},
                                           {"member", "member"}};
    uint32_t place = strcmp(words[0], "validatetrans") == 0 ? 4 : 3;
    struct class *class;

    if (answer_other(words, count, out))
        return;
    class = count > place ? class_of(words[place]) : NULL;
    if (class == NULL) {
        fputs("error=class", out);
        return;
    }
    if (strcmp(words[0], "av") == 0)
        answer_access(words, class, out);
    else if (place == 4)
        answer_validatetrans(words, class, out);
    for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
        if (strcmp(words[0], nodes[i][0]) == 0)
            answer_create(nodes[i][1], words, count, class, out);
    }
}
