/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "lib/secret.h"
#include "tests/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096u

static const size_t sizes[] = {0, 1, 31, 32, 33, 64, 100, 4096, 4097, 5000, 65536};

VD_TEST(secret_is_zero_writable_and_its_own)
{
    struct vd_secret secret[VD_COUNT(sizes)] = {};
    struct vd_secret_stats stats;

    for (size_t i = 0; i < VD_COUNT(sizes); i++) {
        VD_EXPECT_EQ(vd_secret_init(&secret[i], sizes[i], NULL), VD_OK);
        VD_EXPECT_EQ(secret[i].size, sizes[i]);
        for (size_t n = 0; n < sizes[i]; n++)
            VD_EXPECT_EQ(secret[i].data[n], 0);
        memset(secret[i].data, (int)i + 1, sizes[i]);
    }
    for (size_t i = 0; i < VD_COUNT(sizes); i++)
        for (size_t n = 0; n < sizes[i]; n++)
            VD_EXPECT_EQ(secret[i].data[n], i + 1);
    vd_secret_stats(&stats);
    VD_EXPECT_EQ(stats.secrets, VD_COUNT(sizes));
    VD_EXPECT(stats.kind != VD_SECRET_NONE);
    for (size_t i = 0; i < VD_COUNT(sizes); i++)
        vd_secret_done(&secret[i]);
    vd_secret_stats(&stats);
    VD_EXPECT_EQ(stats.secrets, 0);
}

VD_TEST(secret_limits_and_misuse)
{
    struct vd_secret secret = {};

    VD_EXPECT_EQ(vd_secret_init(&secret, VD_SECRET_MAX_BYTES + 1, NULL), VD_E_LIMIT);
    VD_EXPECT(secret.slab == NULL && secret.data == NULL);
    VD_EXPECT_EQ(vd_secret_set(&secret, "abcdef", 6, NULL), VD_OK);
    VD_EXPECT_EQ(vd_secret_init(&secret, 6, NULL), VD_E_BUG);
    VD_EXPECT_EQ(vd_secret_cut(&secret, 7), VD_E_RANGE);
    VD_EXPECT_EQ(vd_secret_cut(&secret, 2), VD_OK);
    VD_EXPECT_MEM(secret.data, "ab\0\0\0\0", 6);
    VD_EXPECT_EQ(secret.size, 2);
    vd_secret_done(&secret);
    vd_secret_done(&secret);
}

VD_TEST(secret_comparison)
{
    struct vd_secret a = {}, b = {};

    VD_EXPECT_EQ(vd_secret_set(&a, "0123456789", 10, NULL), VD_OK);
    VD_EXPECT_EQ(vd_secret_set(&b, "0123456789", 10, NULL), VD_OK);
    VD_EXPECT(vd_secret_equal(&a, &b));
    b.data[9] ^= 1;
    VD_EXPECT(!vd_secret_equal(&a, &b));
    b.data[9] ^= 1;
    VD_EXPECT_EQ(vd_secret_cut(&b, 9), VD_OK);
    VD_EXPECT(!vd_secret_equal(&a, &b));
    vd_secret_done(&a);
    vd_secret_done(&b);
}

/* The piece keeps its page while another secret holds it, so the old bytes can be looked for. */
VD_TEST(secret_is_wiped_when_let_go)
{
    struct vd_secret keeper = {}, secret = {};
    const uint8_t *old;

    VD_EXPECT_EQ(vd_secret_init(&keeper, 64, NULL), VD_OK);
    VD_EXPECT_EQ(vd_secret_set(&secret, "planted planted planted planted planted!", 40, NULL),
                 VD_OK);
    old = secret.data;
    VD_EXPECT_MEM(old, "planted", 7);
    vd_secret_done(&secret);
    for (size_t i = 0; i < 64; i++)
        VD_EXPECT_EQ(old[i], 0);
    vd_secret_done(&keeper);
}

/* The signal that ends a child which touches `at`; 0: none did. */
static int signal_of_touch(volatile uint8_t *at)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        signal(SIGBUS, SIG_DFL);
        *at = 1;
        _exit(0);
    }
    VD_EXPECT(child > 0 && waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

/* Children have no secret pages at all, so the guard pages are asked through the kernel here. */
static bool can_read(const uint8_t *at)
{
    int pipes[2];
    bool good;

    VD_EXPECT_EQ(pipe(pipes), 0);
    good = write(pipes[1], at, 1) == 1;
    VD_EXPECT(good || errno == EFAULT);
    close(pipes[0]);
    close(pipes[1]);
    return good;
}

VD_TEST(secret_ends_at_a_guard_page)
{
    struct vd_secret secret = {};

    VD_EXPECT_EQ(vd_secret_init(&secret, 2 * PAGE, NULL), VD_OK);
    secret.data[0] = secret.data[2 * PAGE - 1] = 1;
    VD_EXPECT(can_read(secret.data) && can_read(secret.data + 2 * PAGE - 1));
    VD_EXPECT(!can_read(secret.data - 1));
    VD_EXPECT(!can_read(secret.data + 2 * PAGE));
    vd_secret_done(&secret);
}

VD_TEST(forked_child_has_no_secret)
{
    struct vd_secret secret = {};
    uint8_t *ordinary = malloc(1);
    int status = 0;
    pid_t child;

    VD_EXPECT_EQ(vd_secret_set(&secret, "parent", 6, NULL), VD_OK);
    VD_EXPECT_EQ(signal_of_touch(ordinary), 0);
    VD_EXPECT(signal_of_touch(secret.data) != 0);
    child = fork();
    if (child == 0) {
        struct vd_secret own = {};
        bool good = vd_secret_set(&own, "child", 5, NULL) == VD_OK && own.data[0] == 'c';
        vd_secret_done(&secret); /* the parent's: nothing to wipe here, and no fault */
        vd_secret_done(&own);
        _exit(good ? 0 : 1);
    }
    VD_EXPECT(child > 0 && waitpid(child, &status, 0) == child);
    VD_EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    VD_EXPECT_MEM(secret.data, "parent", 6);
    vd_secret_done(&secret);
    free(ordinary);
}

/* What the kernel says of the mapping: locked, and left out of core dumps. */
VD_TEST(secret_pages_are_locked_and_not_dumped)
{
    struct vd_secret secret = {};
    char line[512];
    bool inside = false, found = false;
    FILE *maps = fopen("/proc/self/smaps", "re");

    if (maps == NULL)
        vd_test_skip("/proc/self/smaps is not readable here");
    VD_EXPECT_EQ(vd_secret_init(&secret, 64, NULL), VD_OK);
    rewind(maps);
    while (fgets(line, sizeof(line), maps) != NULL) {
        unsigned long from, to;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            inside = (uintptr_t)secret.data >= from && (uintptr_t)secret.data < to;
        else if (inside && strncmp(line, "VmFlags:", 8) == 0) {
            found = true;
            VD_EXPECT(strstr(line, " lo") != NULL && strstr(line, " dd") != NULL &&
                      strstr(line, " dc") != NULL);
        }
    }
    fclose(maps);
    VD_EXPECT(found);
    vd_secret_done(&secret);
}

VD_TEST(secret_needs_locked_memory)
{
    int status = 0;
    pid_t child;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    vd_test_skip("sanitizers leave mlock out");
#endif
    child = fork();
    if (child == 0) {
        struct vd_secret secret = {};
        struct vd_diag diag = {};
        const struct rlimit none = {0, 0};
        /* Who may lock without limit (CAP_IPC_LOCK) is no longer root then. */
        bool good = setrlimit(RLIMIT_MEMLOCK, &none) == 0 && setgid(65534) == 0 &&
                    setuid(65534) == 0 && vd_secret_init(&secret, 64, &diag) == VD_E_NO_MEMORY &&
                    secret.data == NULL && strstr(diag.hint, "LimitMEMLOCK") != NULL;
        _exit(good ? 0 : 1);
    }
    VD_EXPECT(child > 0 && waitpid(child, &status, 0) == child);
    if (geteuid() != 0)
        vd_test_skip("only root can give up what lets it lock memory without limit");
    VD_EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void *fault_of(const char *text)
{
    return (void *)(uintptr_t)text;
}

static void *churn(void *arg)
{
    struct vd_secret secret[16] = {};
    uint64_t state = (uint64_t)(uintptr_t)arg;

    for (uint32_t round = 0; round < 20000; round++) {
        struct vd_secret *s = &secret[vd_test_random(&state) % VD_COUNT(secret)];
        uint8_t mark = (uint8_t)(uintptr_t)s;
        if (s->slab != NULL) {
            for (size_t i = 0; i < s->size; i++)
                if (s->data[i] != mark)
                    return fault_of("a secret was written by another thread");
            vd_secret_done(s);
        } else {
            if (vd_secret_init(s, vd_test_random(&state) % 300, NULL) != VD_OK)
                return fault_of("no memory");
            memset(s->data, mark, s->size);
        }
    }
    for (size_t i = 0; i < VD_COUNT(secret); i++)
        vd_secret_done(&secret[i]);
    return NULL;
}

VD_TEST(secrets_of_several_threads)
{
    pthread_t thread[4];
    struct vd_secret_stats stats;
    void *fault;

    for (uintptr_t i = 0; i < VD_COUNT(thread); i++)
        VD_EXPECT_EQ(pthread_create(&thread[i], NULL, churn, (void *)(i + 1)), 0);
    for (size_t i = 0; i < VD_COUNT(thread); i++) {
        VD_EXPECT_EQ(pthread_join(thread[i], &fault), 0);
        VD_EXPECT(fault == NULL);
    }
    vd_secret_stats(&stats);
    VD_EXPECT_EQ(stats.secrets, 0);
    VD_EXPECT(stats.locked_bytes <= 8 * 32768);
}
