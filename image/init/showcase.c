/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The showcase: the system at work, step by step. With the policy off, the
 * counter-proof: the same attempts are let through.
 */
#define _GNU_SOURCE
#include "image/init/init.h"

#include "lib/file.h"

#include <errno.h>
#include <string.h>

#define PROBE       "/srv/showcase/probe"
#define UNLABELLED  "/srv/showcase/unlabelled"
#define PUBLIC_FILE "/srv/showcase/public"
#define SECRET_FILE "/srv/showcase/secret"
#define PINS        "/sys/fs/bpf/veridian"
#define STEPS_FILE  "/etc/veridian/steps"
#define PROBE_TIME  10000 /* ms */
#define STEP_WORDS  8

static int probe(const char *action, const char *arg1, const char *arg2)
{
    const char *argv[] = {PROBE, action, arg1, arg2, NULL};
    struct vd_run run;

    vd_init_run(argv, PROBE_TIME, &run);
    return run.code;
}

static const char *answer(int code)
{
    if (code == 0)
        return "done";
    return code < 0 ? strerrordesc_np(-code) : strerrordesc_np(code);
}

static void step_reads(struct vd_init *init)
{
    int code = probe("read", PUBLIC_FILE, NULL);

    vd_init_step(init, "allowed-read", code == 0, "root in domain probe_t reads %s: %s",
                 PUBLIC_FILE, answer(code));
    code = probe("read", SECRET_FILE, NULL);
    if (init->mode == VD_INIT_OFF)
        vd_init_step(init, "forbidden-read", code == 0, "without the policy root reads %s: %s",
                     SECRET_FILE, answer(code));
    else
        vd_init_step(init, "forbidden-read", code == (init->mode == VD_INIT_ENFORCING ? EACCES : 0),
                     "root in domain probe_t reads %s: %s", SECRET_FILE, answer(code));
}

static void step_unlabelled(struct vd_init *init)
{
    const char *argv[] = {UNLABELLED, "nothing", NULL};
    struct vd_run run;
    bool good;

    vd_init_run(argv, PROBE_TIME, &run);
    good = run.code == (init->mode == VD_INIT_ENFORCING ? -EACCES : 0);
    vd_init_step(init, "exec-unlabelled", good, "executing %s, which has no label: %s", UNLABELLED,
                 answer(run.code));
}

/* What a confined root might try against the enforcement. */
static const char *const attacks[][3] = {
    {"unlink", PINS "/link_file_open", NULL},
    {"rename", PINS "/link_file_open", PINS "/gone"},
    {"rmdir", PINS, NULL},
    {"umount", "/sys/fs/bpf", NULL},
    {"mount", "/sys/fs/bpf", NULL},
    {"bind", "/tmp", PINS},
    {"remount", "/sys/fs/bpf", NULL},
    {"pivot", "/tmp", NULL},
    {"bpf-get", PINS "/config", NULL},
    {"bpf-map", NULL, NULL},
    {"bpf-prog", NULL, NULL},
    {"bpf-map-id", NULL, NULL},
    {"bpf-prog-id", NULL, NULL},
    {"bpf-link-id", NULL, NULL},
    {"ptrace", "1", NULL},
    {"write", "/proc/1/mem", NULL},
    {"write", "/etc/veridian/policy.vpol", NULL},
    {"relabel", SECRET_FILE, "system_u:object_r:public_t"},
    {"unlabel", SECRET_FILE, NULL},
    {"module", NULL, NULL},
    {"execmem", NULL, NULL},
    {"memfd-exec", PROBE, NULL},
};

static void step_guard(struct vd_init *init)
{
    char through[256] = "";
    size_t refused = 0;
    int still;

    for (size_t i = 0; i < VD_COUNT(attacks); i++) {
        int code = probe(attacks[i][0], attacks[i][1], attacks[i][2]);
        if (code == EACCES || code == EPERM)
            refused++;
        else if (strlen(through) + strlen(attacks[i][0]) + 32 < sizeof(through))
            snprintf(through + strlen(through), sizeof(through) - strlen(through), " %s (%s)",
                     attacks[i][0], answer(code));
    }
    still = probe("read", SECRET_FILE, NULL);
    vd_init_step(init, "guard", refused == VD_COUNT(attacks) && still == EACCES,
                 "%zu of %zu attempts of a confined root to unload, unpin, cover, trace, relabel "
                 "or inject were refused%s%s",
                 refused, VD_COUNT(attacks), through[0] != '\0' ? "; let through:" : "", through);
}

/*
 * An image made for tests brings its own list: `ID PROGRAM ARG…` a line. Each
 * program's exit code is told as it is; the test judges it.
 */
static void run_line(struct vd_init *init, char *line)
{
    char *words[STEP_WORDS + 1] = {};
    size_t count = 0;
    char *save = NULL;
    struct vd_run run;

    for (char *w = strtok_r(line, " ", &save); w != NULL && count < STEP_WORDS;
         w = strtok_r(NULL, " ", &save))
        words[count++] = w;
    if (count < 2)
        return;
    vd_init_run((const char *const *)words + 1, PROBE_TIME, &run);
    if (run.output_size > 0)
        printf("%s", run.output);
    vd_init_step(init, words[0], true, "code %d", run.code);
}

static bool run_steps_file(struct vd_init *init)
{
    VD_AUTO(vd_bytes_free) struct vd_bytes steps = {};
    char *save = NULL;

    if (vd_file_load(STEPS_FILE, 1 << 20, &steps, NULL) != VD_OK)
        return false;
    for (char *line = strtok_r((char *)steps.data, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        if (line[0] != '#')
            run_line(init, line);
    }
    return true;
}

void vd_init_showcase(struct vd_init *init)
{
    if (run_steps_file(init))
        return;
    step_reads(init);
    step_unlabelled(init);
    if (init->mode == VD_INIT_ENFORCING) {
        step_guard(init);
        vd_init_keys(init);
    }
}
