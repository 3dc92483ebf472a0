/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "tests/support/securityd.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/file.h"
#include "tests/harness.h"
#include "tools/sepolicy/sepolicy.h"

struct securityd securityd;
static uint32_t runs;

const char *securityd_policy(const char *more)
{
    static char text[16384];
    int size = snprintf(text, sizeof(text),
                        "class security\nclass file\nclass process\n"
                        "sid kernel\nsid security\nsid unlabeled\n"
                        "class security { compute_av compute_create check_context load_policy "
                        "setbool }\n"
                        "class file { read write open ioctl }\n"
                        "class process { transition }\n"
                        "type admin_t; type user_t; type secret_t; type public_t; "
                        "type security_t;\n"
                        "role system_r; role user_r;\n"
                        "role system_r types admin_t; role user_r types user_t;\n"
                        "bool leak false; bool other true;\n"
                        "%s\n"
                        "user system_u roles system_r;\nuser user_u roles user_r;\n"
                        "sid kernel system_u:system_r:admin_t\n"
                        "sid security system_u:object_r:security_t\n"
                        "sid unlabeled system_u:object_r:secret_t\n",
                        more);

    VD_EXPECT(size > 0 && (size_t)size < sizeof(text));
    return text;
}

static void message(void *arg, const struct vd_sepolicy_message *m)
{
    char line[1024];

    (void)arg;
    (void)vd_sepolicy_format(m, line, sizeof(line));
    fprintf(stderr, "# %s", line);
}

struct vd_secadmin_load securityd_compile(const char *text)
{
    const struct vd_sepolicy_source source = {.name = "test", .text = text, .size = strlen(text)};
    const struct vd_sepolicy_options options = {.message = message, .rulebook = true};
    struct vd_sepolicy_result result = {};

    VD_EXPECT_EQ(vd_sepolicy_compile(&source, 1, &options, &result), VD_OK);
    return (struct vd_secadmin_load){.data = result.blob, .size = result.size};
}

static void free_load(struct vd_secadmin_load *load)
{
    free((void *)(uintptr_t)load->data);
}

vd_status securityd_load(const char *text, struct vd_diag *diag)
{
    struct vd_secadmin_load load VD_AUTO(free_load) = securityd_compile(text);
    struct vd_secadmin_result result;

    return vd_secadmin_load(securityd.socket, &load, &result, diag);
}

void securityd_prepare(const char *text)
{
    if (securityd.pid != 0)
        securityd_kill();
    securityd = (struct securityd){};
    snprintf(securityd.dir, sizeof(securityd.dir), "%s/run%u", vd_test_tmpdir(), runs++);
    VD_EXPECT(mkdir(securityd.dir, 0755) == 0);
    VD_EXPECT(chmod(securityd.dir, 0755) == 0 && chmod(vd_test_tmpdir(), 0755) == 0);
    snprintf(securityd.store, sizeof(securityd.store), "%s/store", securityd.dir);
    snprintf(securityd.socket, sizeof(securityd.socket), "%s/socket", securityd.dir);
    if (text != NULL) {
        struct vd_secadmin_load load VD_AUTO(free_load) = securityd_compile(text);
        snprintf(securityd.policy, sizeof(securityd.policy), "%s/first.vpol", securityd.dir);
        VD_EXPECT_EQ(vd_file_store(securityd.policy, load.data, load.size, 0644, NULL), VD_OK);
    }
}

void securityd_peers(const char *text)
{
    snprintf(securityd.peers, sizeof(securityd.peers), "%s/peers", securityd.dir);
    VD_EXPECT_EQ(vd_file_store(securityd.peers, text, strlen(text), 0644, NULL), VD_OK);
}

static void run_daemon(int ready)
{
    const char *build = getenv("VD_BUILD_ROOT");
    const char *words[24] = {"veridian-securityd", "--foreground", "--store",
                             securityd.store,      "--socket",     securityd.socket};
    char path[512], number[16];
    size_t count = 6;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    snprintf(path, sizeof(path), "%s/bin/veridian-securityd", build != NULL ? build : "build");
    snprintf(number, sizeof(number), "%d", ready);
    words[count++] = "--ready-fd";
    words[count++] = number;
    if (securityd.policy[0] != '\0') {
        words[count++] = "--policy";
        words[count++] = securityd.policy;
    }
    if (securityd.peers[0] != '\0') {
        words[count++] = "--peers";
        words[count++] = securityd.peers;
    }
    for (size_t i = 0; securityd.options[i] != NULL; i++)
        words[count++] = securityd.options[i];
    execv(path, (char *const *)(uintptr_t)words);
    _exit(126);
}

int securityd_try_start(void)
{
    int ends[2], status;
    char word[8];
    ssize_t got;

    VD_EXPECT(pipe2(ends, O_CLOEXEC) == 0);
    securityd.pid = fork();
    VD_EXPECT(securityd.pid >= 0);
    if (securityd.pid == 0) {
        fcntl(ends[1], F_SETFD, 0);
        run_daemon(ends[1]);
    }
    close(ends[1]);
    got = read(ends[0], word, sizeof(word));
    close(ends[0]);
    if (got > 0)
        return -1;
    VD_EXPECT(waitpid(securityd.pid, &status, 0) == securityd.pid);
    securityd.pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void securityd_start(void)
{
    VD_EXPECT_EQ(securityd_try_start(), -1);
}

static int end(int signal)
{
    int status;
    pid_t pid = securityd.pid;

    securityd.pid = 0;
    VD_EXPECT(pid > 0 && kill(pid, signal) == 0 && waitpid(pid, &status, 0) == pid);
    return status;
}

void securityd_stop(void)
{
    int status = end(SIGTERM);

    VD_EXPECT(WIFEXITED(status));
    VD_EXPECT_EQ(WEXITSTATUS(status), 0);
}

void securityd_kill(void)
{
    (void)end(SIGKILL);
}

void securityd_limit_files(uint64_t bytes)
{
    struct rlimit limit;

    VD_EXPECT(prlimit(securityd.pid, RLIMIT_FSIZE, NULL, &limit) == 0);
    limit.rlim_cur = bytes > limit.rlim_max ? limit.rlim_max : (rlim_t)bytes;
    VD_EXPECT(prlimit(securityd.pid, RLIMIT_FSIZE, &limit, NULL) == 0);
}

uint64_t securityd_count(enum vd_sec_status which)
{
    uint64_t counts[VD_SEC_STATUS_COUNT];
    struct vd_diag diag = {};

    if (vd_secadmin_status(securityd.socket, 5000, counts, &diag) != VD_OK)
        vd_test_fail(__FILE__, __LINE__, "no status: %s", diag.text);
    return counts[which];
}

int securityd_as_user(uid_t uid, int (*body)(void))
{
    int status;
    pid_t pid = fork();

    VD_EXPECT(pid >= 0);
    if (pid == 0)
        _exit(setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0 ? 125 : body());
    VD_EXPECT(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    return WEXITSTATUS(status);
}
