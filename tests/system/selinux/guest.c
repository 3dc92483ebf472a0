/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tests/system/selinux/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_SIZE   (64u << 20)
#define PATH_SIZE   256
#define SHOWN       5 /* differences that are told of one policy */
#define DUMP_COLUMN 100

int guest_write(const char *path, const void *data, size_t len)
{
    int fd = open(path, O_WRONLY);
    int error = 0;

    if (fd < 0)
        return errno;
    if (write(fd, data, len) < 0)
        error = errno;
    close(fd);
    return error;
}

int guest_read(const char *path, char *buf, size_t size, size_t *ret_len)
{
    int fd = open(path, O_RDONLY);
    size_t used = 0;
    ssize_t n;

    if (fd < 0)
        return errno;
    while (used < size - 1 && (n = read(fd, buf + used, size - 1 - used)) != 0) {
        if (n < 0) {
            int error = errno;
            close(fd);
            return error;
        }
        used += (size_t)n;
    }
    close(fd);
    buf[used] = '\0';
    if (ret_len != NULL)
        *ret_len = used;
    return 0;
}

static uint32_t cut(char *line, char **words)
{
    uint32_t count = 0;
    char *rest = line;

    for (char *word; count < MAX_WORDS && (word = strtok_r(NULL, " ", &rest)) != NULL;)
        words[count++] = word;
    return count;
}

/* The file's content, which stays for the machine's life: the next call reads over it. */
static char *content(const char *path, size_t *ret_len)
{
    static char *buf;

    if (buf == NULL)
        buf = malloc(FILE_SIZE);
    if (buf == NULL || guest_read(path, buf, FILE_SIZE, ret_len) != 0)
        return NULL;
    return buf;
}

static void load(const char *name)
{
    char path[PATH_SIZE];
    size_t len = 0;

    snprintf(path, sizeof(path), "/p/%s.bin", name);
    char *bytes = content(path, &len);
    int error = bytes == NULL ? ENOENT : guest_write(SELINUXFS "load", bytes, len);
    guest_forget_classes();
    printf("@ load %s %d\n", name, error);
}

/* Asks each question of a file "QUESTION\tANSWER\n" and says where the kernel's answer differs. */
static void compare(const char *name)
{
    char path[PATH_SIZE], shown[ANSWER_SIZE];
    char *words[MAX_WORDS], *rest;
    uint32_t asked = 0, differ = 0;
    size_t len;

    snprintf(path, sizeof(path), "/p/%s.ask", name);
    rest = content(path, &len);
    for (char *line; rest != NULL && (line = strtok_r(NULL, "\n", &rest)) != NULL; asked++) {
        char *want = strchr(line, '\t');
        char *answer = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&answer, &size);
        if (want == NULL || out == NULL)
            break;
        *want++ = '\0';
        snprintf(shown, sizeof(shown), "%s", line);
        uint32_t count = cut(line, words);
        guest_answer(words, count, out);
        fclose(out);
        if (strcmp(answer, want) != 0 && differ++ < SHOWN)
            printf("@ differ %s|%s|%s|%s\n", name, shown, want, answer);
        free(answer);
    }
    printf("@ compare %s %u %u\n", name, asked, differ);
}

/* The policy as the kernel gives it back. */
static void dump(const char *name)
{
    size_t len = 0;
    const unsigned char *bytes = (unsigned char *)content(SELINUXFS "policy", &len);

    for (size_t i = 0; bytes != NULL && i < len; i++) {
        if (i % DUMP_COLUMN == 0)
            printf("%s@ bytes %s ", i == 0 ? "" : "\n", name);
        printf("%02x", bytes[i]);
    }
    printf("\n@ dumped %s %zu\n", name, len);
}

static void set_bool(const char *name, const char *value)
{
    char path[PATH_SIZE];

    snprintf(path, sizeof(path), SELINUXFS "booleans/%s", name);
    int error = guest_write(path, value, 1);
    if (error != 0)
        printf("@ bool %s %d\n", name, error);
}

static void follow(char *const *words, uint32_t count)
{
    char path[PATH_SIZE], text[PATH_SIZE];

    if (count == 2 && strcmp(words[0], "load") == 0)
        load(words[1]);
    else if (count == 2 && strcmp(words[0], "compare") == 0)
        compare(words[1]);
    else if (count == 2 && strcmp(words[0], "dump") == 0)
        dump(words[1]);
    else if (count == 3 && strcmp(words[0], "bool") == 0)
        set_bool(words[1], words[2]);
    else if (count == 1 && strcmp(words[0], "commit") == 0)
        printf("@ commit %d\n", guest_write(SELINUXFS "commit_pending_bools", "1", 1));
    else if (count == 2 && strcmp(words[0], "mark") == 0)
        printf("@ mark %s\n", words[1]);
    else if (count == 2 && strcmp(words[0], "unknown") == 0)
        guest_unknown(words[1], stdout);
    else if (count == 2 && strcmp(words[0], "enforce") == 0)
        printf("@ enforce %d\n", guest_write(SELINUXFS "enforce", words[1], 1));
    else if (count == 2 && strcmp(words[0], "show") == 0) {
        snprintf(path, sizeof(path), SELINUXFS "%s", words[1]);
        int error = guest_read(path, text, sizeof(text), NULL);
        printf("@ show %s %s\n", words[1], error == 0 ? text : strerror(error));
    } else
        printf("@ wrong %s\n", count == 0 ? "" : words[0]);
    fflush(stdout);
}

static char *script(void)
{
    size_t len;
    const char *text = content("/script", &len);

    return text == NULL ? NULL : strdup(text);
}

int main(void)
{
    char *words[MAX_WORDS];
    char *rest;

    mount("proc", "/proc", "proc", 0, NULL);
    mount("sysfs", "/sys", "sysfs", 0, NULL);
    mount("tmpfs", "/tmp", "tmpfs", 0, NULL);
    if (mount("selinuxfs", SELINUXFS, "selinuxfs", 0, NULL) != 0)
        printf("@ wrong selinuxfs: %s\n", strerror(errno));
    rest = script();
    for (char *line; rest != NULL && (line = strtok_r(NULL, "\n", &rest)) != NULL;)
        follow(words, cut(line, words));
    puts("@ end");
    fflush(stdout);
    sync();
    reboot(RB_POWER_OFF);
    return 1;
}
