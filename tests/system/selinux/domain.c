/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a process may do in a domain: extended permissions, and what the policy does not know. */
#include "tests/system/selinux/guest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define NUMBERS 65536
#define PLACE   "/tmp/labelled"

/* Does the one thing with the number, in the domain; 0 or an errno. */
typedef int attempt_fn(int fd, uint32_t number);

/* What the child in the domain is to try, and what came of it: no call is needed to tell. */
struct shared {
    attempt_fn *attempt;
    int fd;
    int entered;            /* 0, or the errno with which the domain was not entered; -1: nothing */
    int error;              /* of the last attempt */
    uint8_t flags[NUMBERS]; /* GUEST_… */
};

static int attempt_ioctl(int fd, uint32_t number)
{
    return ioctl(fd, number, NULL) == 0 ? 0 : errno;
}

static int attempt_nlmsg(int fd, uint32_t number)
{
    struct {
        struct nlmsghdr head;
        struct rtgenmsg body;
    } message = {.head = {.nlmsg_len = sizeof(message),
                          .nlmsg_type = (uint16_t)number,
                          .nlmsg_flags = NLM_F_REQUEST}};

    return send(fd, &message, sizeof(message), MSG_DONTWAIT) >= 0 ? 0 : errno;
}

static struct in6_addr bind_address; /* to which attempt_bind binds; IPv4 addresses mapped */

/* Binding asks for the port's and for the address' label before either has to be usable. */
static int attempt_bind(int fd, uint32_t number)
{
    struct sockaddr_in6 six = {
        .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)number), .sin6_addr = bind_address};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons((uint16_t)number)};
    bool mapped = IN6_IS_ADDR_V4MAPPED(&bind_address);
    int sock = socket(mapped ? AF_INET : AF_INET6, SOCK_STREAM, 0);
    int done;

    (void)fd;
    memcpy(&four.sin_addr, &bind_address.s6_addr[12], sizeof(four.sin_addr));
    done = sock < 0 ? -1
           : mapped ? bind(sock, (struct sockaddr *)&four, sizeof(four))
                    : bind(sock, (struct sockaddr *)&six, sizeof(six));
    done = done == 0 ? 0 : errno;
    close(sock);
    return done;
}

static int attempt_socket(int fd, uint32_t number)
{
    (void)fd;
    (void)number;
    return socket(AF_UNIX, SOCK_STREAM, 0) >= 0 ? 0 : errno;
}

/* "FIRST" or "FIRST-LAST" in hexadecimal digits. */
static void mark(struct shared *shared, const char *range)
{
    char *end;
    unsigned long first = strtoul(range, &end, 16);
    unsigned long last = *end == '-' ? strtoul(end + 1, NULL, 16) : first;

    for (unsigned long i = first; i <= last && i < NUMBERS; i++)
        shared->flags[i] = GUEST_TRIED;
}

/* Makes the attempts marked in `shared` in a child that enters the domain `context`. */
static void in_domain(const char *context, struct shared *shared)
{
    pid_t child;

    shared->entered = -1;
    child = fork();
    if (child == 0) {
        shared->entered = guest_write("/proc/self/attr/current", context, strlen(context));
        for (uint32_t i = 0; shared->entered == 0 && i < NUMBERS; i++) {
            if (shared->flags[i] == 0)
                continue;
            shared->error = shared->attempt(shared->fd, i);
            if (shared->error != EACCES)
                shared->flags[i] |= GUEST_ALLOWED;
        }
        _exit(0);
    }
    if (child > 0)
        waitpid(child, NULL, 0);
}

static struct shared *shared_new(attempt_fn *attempt)
{
    void *mem = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (mem == MAP_FAILED)
        return NULL;
    *(struct shared *)mem = (struct shared){.attempt = attempt, .fd = -1};
    return mem;
}

/* The numbers that have a flag, as runs. */
static void print_numbers(const char *title, const struct shared *shared, uint32_t flag, FILE *out)
{
    const char *before = "";

    fprintf(out, " %s={", title);
    for (uint32_t i = 0; i < NUMBERS; i++) {
        uint32_t last = i;
        if ((shared->flags[i] & flag) == 0)
            continue;
        while (last + 1 < NUMBERS && (shared->flags[last + 1] & flag) != 0)
            last++;
        fprintf(out, last == i ? "%s%x" : "%s%x-%x", before, i, last);
        before = ",";
        i = last;
    }
    fputc('}', out);
}

/* VERB SCON TCON RANGE…: tries the numbers in the domain SCON, and tells what came of it. */
static void try_numbers(char *const *words, uint32_t count, struct shared *shared, FILE *out)
{
    bool audited;

    for (uint32_t i = 3; i < count; i++)
        mark(shared, words[i]);
    guest_audit_begin();
    in_domain(words[1], shared);
    audited = guest_audit_end(shared->flags);
    if (shared->entered != 0 || !audited) {
        fprintf(out, "error=%s %d", audited ? "domain" : "audit", shared->entered);
        return;
    }
    fputs(words[0], out);
    print_numbers("allowed", shared, GUEST_ALLOWED, out);
    print_numbers("granted", shared, GUEST_GRANTED, out);
    print_numbers("denied", shared, GUEST_DENIED, out);
}

/* A file of the type in `context`, on a file system that is wholly so; -1 if there is none. */
static int labelled_file(const char *context)
{
    char options[ANSWER_SIZE];

    snprintf(options, sizeof(options), "context=\"%s\"", context);
    umount2(PLACE, MNT_DETACH);
    mkdir(PLACE, 0755);
    if (mount("tmpfs", PLACE, "tmpfs", 0, options) != 0)
        return -1;
    return open(PLACE "/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

/* ioctl SCON TCON RANGE…: which of the commands reach the file. */
void guest_ioctl(char *const *words, uint32_t count, FILE *out)
{
    struct shared *shared = shared_new(attempt_ioctl);
    int fd = shared == NULL || count < 4 ? -1 : labelled_file(words[2]);

    if (fd < 0)
        fprintf(out, "error=file %d", errno);
    else {
        shared->fd = fd;
        try_numbers(words, count, shared, out);
        close(fd);
    }
    if (shared != NULL)
        munmap(shared, sizeof(*shared));
}

/* nlmsg SCON TCON RANGE…: which of the message types a routing socket of TCON takes. */
void guest_nlmsg(char *const *words, uint32_t count, FILE *out)
{
    struct shared *shared = shared_new(attempt_nlmsg);
    int error = shared == NULL || count < 4
                    ? ENOMEM
                    : guest_write("/proc/self/attr/sockcreate", words[2], strlen(words[2]));
    int fd = error != 0 ? -1 : socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

    if (fd < 0)
        fprintf(out, "error=socket %d", error != 0 ? error : errno);
    else {
        guest_write("/proc/self/attr/sockcreate", "", 0);
        shared->fd = fd;
        try_numbers(words, count, shared, out);
        close(fd);
    }
    if (shared != NULL)
        munmap(shared, sizeof(*shared));
}

/* bind SCON ADDRESS PORTS…: to which of the TCP ports the domain may bind there. */
void guest_bind(char *const *words, uint32_t count, FILE *out)
{
    struct shared *shared = shared_new(attempt_bind);
    char mapped[64];

    snprintf(mapped, sizeof(mapped), "%s%s", strchr(words[2], ':') == NULL ? "::ffff:" : "",
             words[2]);
    if (shared == NULL || inet_pton(AF_INET6, mapped, &bind_address) != 1) {
        fputs("error=address", out);
        return;
    }
    for (uint32_t i = 3; i < count; i++)
        mark(shared, words[i]);
    in_domain(words[1], shared);
    if (shared->entered != 0)
        fprintf(out, "error=domain %d", shared->entered);
    fputs("bind", out);
    print_numbers("allowed", shared, GUEST_ALLOWED, out);
    munmap(shared, sizeof(*shared));
}

/* label genfs FS PATH: what a fresh mount of the file system gives the file. */
void guest_label(char *const *words, uint32_t count, FILE *out)
{
    char path[ANSWER_SIZE], label[ANSWER_SIZE];
    ssize_t len;

    umount2(PLACE, MNT_DETACH);
    mkdir(PLACE, 0755);
    if (count < 4 || mount(words[2], PLACE, words[2], 0, NULL) != 0) {
        fprintf(out, "error=mount %d", errno);
        return;
    }
    snprintf(path, sizeof(path), PLACE "%s", words[3]);
    len = lgetxattr(path, "security.selinux", label, sizeof(label) - 1);
    if (len < 0)
        fprintf(out, "error=label %d", errno);
    else
        fprintf(out, "label context=%.*s", (int)strnlen(label, (size_t)len), label);
}

static int one_attempt(const char *context, int fd, attempt_fn *attempt)
{
    struct shared *shared = shared_new(attempt);
    int error;

    if (shared == NULL)
        return ENOMEM;
    shared->flags[0] = GUEST_TRIED;
    shared->fd = fd;
    in_domain(context, shared);
    error = shared->entered != 0 ? shared->entered : shared->error;
    munmap(shared, sizeof(*shared));
    return error;
}

/*
 * A class that the policy lacks (a local socket's) and a permission that its class
 * file lacks (ioctl, on a file of the same context): what the kernel answers.
 */
void guest_unknown(const char *context, FILE *out)
{
    int fd = labelled_file(context);
    int class = one_attempt(context, -1, attempt_socket);
    int perm = fd < 0 ? -1 : one_attempt(context, fd, attempt_ioctl);

    fprintf(out, "@ unknown class=%d perm=%d\n", class, perm);
    if (fd >= 0)
        close(fd);
}
