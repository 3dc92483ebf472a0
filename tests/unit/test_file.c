/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "lib/file.h"
#include "tests/harness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIMIT 300000u /* several times the first read of a pipe */

static const char *path_of(const char *name)
{
    static char path[512];

    snprintf(path, sizeof(path), "%s/%s", vd_test_tmpdir(), name);
    return path;
}

static void put_file(const char *path, const void *data, size_t size)
{
    FILE *f = fopen(path, "wb");

    VD_EXPECT(f != NULL);
    VD_EXPECT_EQ(fwrite(data, 1, size, f), size);
    VD_EXPECT_EQ(fclose(f), 0);
}

static uint8_t *pattern(size_t size, uint64_t seed)
{
    uint8_t *data = malloc(size + 1);

    VD_EXPECT(data != NULL);
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)vd_test_random(&seed);
    return data;
}

VD_TEST(file_load_sizes_around_the_bound)
{
    static const size_t sizes[] = {0, 1, 65535, 65536, 65537, LIMIT - 1, LIMIT, LIMIT + 1, 500000};
    const char *path = path_of("sizes");

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint8_t *data = pattern(sizes[i], i);
        struct vd_bytes bytes = {};
        struct vd_diag diag = {};
        bool fits = sizes[i] <= LIMIT;
        put_file(path, data, sizes[i]);
        VD_EXPECT_EQ(vd_file_load(path, LIMIT, &bytes, &diag), fits ? VD_OK : VD_E_LIMIT);
        if (fits) {
            VD_EXPECT_EQ(bytes.size, sizes[i]);
            VD_EXPECT_MEM(bytes.data, data, sizes[i]);
            VD_EXPECT_EQ(bytes.data[bytes.size], 0);
        } else {
            VD_EXPECT(bytes.data == NULL);
            VD_EXPECT_STR(diag.file, path);
        }
        vd_bytes_free(&bytes);
        free(data);
    }
}

/* A pipe tells no size and gives its bytes in pieces. */
static void load_from_pipe(size_t size, vd_status expected)
{
    uint8_t *data = pattern(size, size);
    struct vd_bytes bytes = {};
    int ends[2];
    pid_t child;

    VD_EXPECT_EQ(pipe(ends), 0);
    child = fork();
    VD_EXPECT(child >= 0);
    if (child == 0) {
        signal(SIGPIPE, SIG_IGN); /* the reader stops at its bound */
        close(ends[0]);
        for (size_t at = 0; at < size; at += 7000) {
            if (vd_fd_write(ends[1], data + at, size - at < 7000 ? size - at : 7000) != VD_OK)
                break;
        }
        _exit(0);
    }
    close(ends[1]);
    VD_EXPECT_EQ(vd_file_load_fd(ends[0], "pipe", LIMIT, &bytes, NULL), expected);
    if (expected == VD_OK) {
        VD_EXPECT_EQ(bytes.size, size);
        VD_EXPECT_MEM(bytes.data, data, size);
    }
    close(ends[0]);
    waitpid(child, NULL, 0);
    vd_bytes_free(&bytes);
    free(data);
}

VD_TEST(file_load_pipe)
{
    load_from_pipe(0, VD_OK);
    load_from_pipe(100, VD_OK);
    load_from_pipe(LIMIT, VD_OK);
    load_from_pipe(LIMIT + 1, VD_E_LIMIT);
}

/* Files of the kernel claim the size 0 or a whole page. */
VD_TEST(file_load_kernel_files)
{
    struct vd_bytes bytes = {};

    VD_EXPECT_EQ(vd_file_load("/proc/self/status", LIMIT, &bytes, NULL), VD_OK);
    VD_EXPECT(bytes.size > 0 && strstr((char *)bytes.data, "Pid:") != NULL);
    vd_bytes_free(&bytes);
    VD_EXPECT_EQ(vd_file_load("/proc/self/status", 10, &bytes, NULL), VD_E_LIMIT);
}

VD_TEST(file_load_failures)
{
    struct vd_bytes bytes = {};
    struct vd_diag missing = {};
    struct vd_diag directory = {};

    VD_EXPECT_EQ(vd_file_load(path_of("nothing"), LIMIT, &bytes, &missing), VD_E_NOT_FOUND);
    VD_EXPECT(strstr(missing.text, "No such file") != NULL);
    VD_EXPECT_EQ(vd_file_load(vd_test_tmpdir(), LIMIT, &bytes, &directory), VD_E_INVALID);
    VD_EXPECT_EQ(vd_file_load("/dev/zero", LIMIT, &bytes, NULL), VD_E_LIMIT);
    VD_EXPECT_EQ(vd_file_load("/dev/zero", SIZE_MAX, &bytes, NULL), VD_E_BUG);
    VD_EXPECT(bytes.data == NULL);
}

static void expect_content(const char *path, const void *data, size_t size)
{
    struct vd_bytes bytes = {};

    VD_EXPECT_EQ(vd_file_load(path, 1 << 24, &bytes, NULL), VD_OK);
    VD_EXPECT_EQ(bytes.size, size);
    VD_EXPECT_MEM(bytes.data, data, size);
    vd_bytes_free(&bytes);
}

VD_TEST(file_store_mode_and_content)
{
    static const mode_t modes[] = {0600, 0644, 0400, 0755};
    const char *path = path_of("stored");
    mode_t kept = umask(0077);
    struct stat st;

    for (size_t i = 0; i < VD_COUNT(modes); i++) {
        VD_EXPECT_EQ(vd_file_store(path, "content", i, modes[i], NULL), VD_OK);
        expect_content(path, "content", i);
        VD_EXPECT_EQ(stat(path, &st), 0);
        VD_EXPECT_EQ(st.st_mode & 07777, modes[i]);
    }
    umask(kept);
}

static int count_entries(const char *dir)
{
    DIR *d = opendir(dir);
    int count = 0;

    VD_EXPECT(d != NULL);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        count += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    return count;
}

VD_TEST(file_store_replaces_a_link_itself)
{
    char target[512];
    const char *link;
    struct stat st;

    snprintf(target, sizeof(target), "%s", path_of("link-target"));
    put_file(target, "old", 3);
    link = path_of("link");
    VD_EXPECT_EQ(symlink(target, link), 0);
    VD_EXPECT_EQ(vd_file_store(link, "new", 3, 0644, NULL), VD_OK);
    expect_content(target, "old", 3);
    expect_content(link, "new", 3);
    VD_EXPECT_EQ(lstat(link, &st), 0);
    VD_EXPECT(S_ISREG(st.st_mode));
}

/* Written to, never replaced: root's /dev/null would become a file. */
VD_TEST(file_store_devices_are_written_to)
{
    struct stat st;

    VD_EXPECT_EQ(vd_file_store("/dev/null", "x", 1, 0600, NULL), VD_OK);
    VD_EXPECT_EQ(stat("/dev/null", &st), 0);
    VD_EXPECT(S_ISCHR(st.st_mode));
    VD_EXPECT_EQ(vd_file_store("/dev/full", "x", 1, 0600, NULL), VD_E_NO_SPACE);
}

VD_TEST(file_store_failures_leave_nothing)
{
    char long_name[300];
    char dir[512];
    char path[1024];

    snprintf(dir, sizeof(dir), "%s", path_of("failures"));
    VD_EXPECT_EQ(mkdir(dir, 0700), 0);
    memset(long_name, 'n', sizeof(long_name));
    long_name[250] = '\0'; /* a name, but none that leaves room for the temporary one */
    snprintf(path, sizeof(path), "%s/%s", dir, long_name);
    VD_EXPECT_EQ(vd_file_store(path, "x", 1, 0600, NULL), VD_E_INVALID);
    snprintf(path, sizeof(path), "%s/no/file", dir);
    VD_EXPECT_EQ(vd_file_store(path, "x", 1, 0600, NULL), VD_E_NOT_FOUND);
    snprintf(path, sizeof(path), "%s/", dir);
    VD_EXPECT_EQ(vd_file_store(path, "x", 1, 0600, NULL), VD_E_INVALID);
    snprintf(path, sizeof(path), "%s/..", dir);
    VD_EXPECT_EQ(vd_file_store(path, "x", 1, 0600, NULL), VD_E_INVALID);
    VD_EXPECT_EQ(vd_file_store(dir, "x", 1, 0600, NULL), VD_E_INVALID);
    VD_EXPECT_EQ(vd_file_store("", "x", 1, 0600, NULL), VD_E_INVALID);
    VD_EXPECT_EQ(count_entries(dir), 0);
}

VD_TEST(file_store_relative_path)
{
    char before[512];

    VD_EXPECT(getcwd(before, sizeof(before)) != NULL);
    VD_EXPECT_EQ(chdir(vd_test_tmpdir()), 0);
    VD_EXPECT_EQ(vd_file_store("relative", "here", 4, 0600, NULL), VD_OK);
    VD_EXPECT_EQ(chdir(before), 0);
    expect_content(path_of("relative"), "here", 4);
}

#define OLD_SIZE 5000u
#define NEW_SIZE 900000u

/*
 * Runs a store in a child under ptrace and kills it at the `stop`-th entry to
 * or exit from a system call; false if the child ended before.
 */
static bool store_killed_at(const char *path, const uint8_t *data, int stop)
{
    pid_t child = fork();
    int status = 0;

    VD_EXPECT(child >= 0);
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
            _exit(100);
        raise(SIGSTOP);
        _exit(vd_file_store(path, data, NEW_SIZE, 0600, NULL) == VD_OK ? 0 : 101);
    }
    VD_EXPECT_EQ(waitpid(child, &status, 0), child);
    for (int i = 0; i < stop && WIFSTOPPED(status); i++) {
        VD_EXPECT_EQ(ptrace(PTRACE_SYSCALL, child, NULL, NULL), 0);
        VD_EXPECT_EQ(waitpid(child, &status, 0), child);
    }
    if (!WIFSTOPPED(status)) {
        VD_EXPECT(WIFEXITED(status));
        VD_EXPECT_EQ(WEXITSTATUS(status), 0);
        return false;
    }
    kill(child, SIGKILL);
    VD_EXPECT_EQ(waitpid(child, &status, 0), child);
    return true;
}

VD_TEST(file_store_killed_at_every_system_call)
{
    uint8_t *old = pattern(OLD_SIZE, 1);
    uint8_t *new = pattern(NEW_SIZE, 2);
    char path[512];
    int stop = 0;
    int kept = 0;
    int replaced = 0;

    snprintf(path, sizeof(path), "%s", path_of("killed"));
    for (bool killed = true; killed; stop++) {
        struct vd_bytes bytes = {};
        put_file(path, old, OLD_SIZE);
        killed = store_killed_at(path, new, stop);
        VD_EXPECT_EQ(vd_file_load(path, NEW_SIZE + 1, &bytes, NULL), VD_OK);
        if (bytes.size == OLD_SIZE) {
            VD_EXPECT_MEM(bytes.data, old, OLD_SIZE);
            VD_EXPECT(killed && replaced == 0); /* once new, never old again */
            kept++;
        } else {
            VD_EXPECT_EQ(bytes.size, NEW_SIZE);
            VD_EXPECT_MEM(bytes.data, new, NEW_SIZE);
            replaced++;
        }
        vd_bytes_free(&bytes);
    }
    VD_EXPECT(kept >= 10);    /* up to the rename */
    VD_EXPECT(replaced >= 2); /* after it, and undisturbed */
    free(old);
    free(new);
}
