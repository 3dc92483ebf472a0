/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The audit daemon, and the steps that read what it recorded; the attestation.
 */
#define _GNU_SOURCE
#include "image/init/init.h"

#include "lib/file.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define AUDITD       "/usr/sbin/veridian-auditd"
#define VERIDIAN     "/usr/bin/veridian"
#define AUDITD_UID   990
#define AUDITD_USER  "990:990"
#define FORGED_DIR   "/tmp/audit-forged"
#define FIRMWARE_LOG "/sys/kernel/security/tpm0/binary_bios_measurements"
#define TPM          "/dev/tpmrm0"
#define QUOTED_PCRS  "4,7,8,9,11" /* as image/show/steps.py verifies */
#define START_TIME   20000        /* ms */
#define TOOL_TIME    20000
#define RECORD_TRIES 50
#define RECORD_WAIT  100 /* ms between two looks at the log */
#define LOG_MAX      (64u << 20)

void vd_init_audit(struct vd_init *init)
{
    static const char *const argv[] = {AUDITD,
                                       "--log",
                                       VD_INIT_LOG_DIR,
                                       "--names",
                                       VD_INIT_POLICY,
                                       "--user",
                                       AUDITD_USER,
                                       "--socket",
                                       "/run/veridian/audit.sock",
                                       "--foreground",
                                       "--ready-fd",
                                       "3",
                                       NULL};
    pid_t pid;

    if (init->mode == VD_INIT_OFF)
        return; /* without the programs there is no ring to read */
    if (chown(VD_INIT_LOG_DIR, AUDITD_UID, AUDITD_UID) != 0)
        vd_init_refuse("init-audit", "cannot hand the log's directory over");
    pid = vd_init_service(argv, START_TIME);
    if (pid < 0)
        vd_init_refuse("init-audit", pid == -ESRCH ? "the audit daemon did not get ready"
                                                   : "the audit daemon cannot be started");
    init->auditd = pid;
}

/* The last line of a program's output, without the newline. */
static const char *last_line(struct vd_run *run)
{
    char *line;

    while (run->output_size > 0 && run->output[run->output_size - 1] == '\n')
        run->output[--run->output_size] = '\0';
    line = strrchr(run->output, '\n');
    return line == NULL ? run->output : line + 1;
}

/* The line about the forbidden read; NULL if it is not in the output. */
static const char *find_record(struct vd_run *run)
{
    char *save = NULL;

    for (char *line = strtok_r(run->output, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        if (strstr(line, "/srv/showcase/secret") != NULL && strstr(line, "denied") != NULL)
            return line;
    }
    return NULL;
}

static void step_record(struct vd_init *init)
{
    static const char *const argv[] = {VERIDIAN, "audit", "search", "--log", VD_INIT_LOG_DIR, NULL};
    const char *record = NULL;
    struct vd_run run;

    for (int i = 0; i < RECORD_TRIES && record == NULL; i++) {
        if (i > 0)
            (void)poll(NULL, 0, RECORD_WAIT);
        vd_init_run(argv, TOOL_TIME, &run);
        record = find_record(&run);
    }
    vd_init_step(init, "audit-record", record != NULL, "%s",
                 record != NULL ? record : "the log has no record of the refused read");
}

/* Copies the log with one byte changed in the middle of its largest file. */
static bool forge(void)
{
    DIR *dir = opendir(VD_INIT_LOG_DIR);
    struct dirent *entry;
    bool changed = false;
    char path[512];

    if (dir == NULL || (mkdir(FORGED_DIR, 0755) != 0 && errno != EEXIST)) {
        if (dir != NULL)
            closedir(dir);
        return false;
    }
    while ((entry = readdir(dir)) != NULL) {
        VD_AUTO(vd_bytes_free) struct vd_bytes bytes = {};
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), VD_INIT_LOG_DIR "/%s", entry->d_name);
        if (vd_file_load(path, LOG_MAX, &bytes, NULL) != VD_OK)
            continue;
        if (bytes.size > 1024) {
            bytes.data[bytes.size / 2] ^= 1;
            changed = true;
        }
        snprintf(path, sizeof(path), FORGED_DIR "/%s", entry->d_name);
        if (vd_file_store(path, bytes.data, bytes.size, 0644, NULL) != VD_OK)
            changed = false;
    }
    closedir(dir);
    return changed;
}

static void step_verify(struct vd_init *init)
{
    static const char *const argv[] = {VERIDIAN, "audit", "verify", "--log", VD_INIT_LOG_DIR, NULL};
    static const char *const forged[] = {VERIDIAN, "audit", "verify", "--log", FORGED_DIR, NULL};
    struct vd_run good, bad = {};
    char found[256];
    bool changed;

    vd_init_run(argv, TOOL_TIME, &good);
    changed = forge();
    if (changed)
        vd_init_run(forged, TOOL_TIME, &bad);
    snprintf(found, sizeof(found), "%.255s", last_line(&bad));
    vd_init_step(init, "audit-verify", good.code == 0 && changed && bad.code == 1,
                 "%.200s; a copy with one bit changed: %s", good.output,
                 changed ? found : "could not be made");
}

static void step_quote(struct vd_init *init)
{
    const char *const argv[] = {VERIDIAN, "attest",    "quote", "--nonce",          init->nonce,
                                "--pcrs", QUOTED_PCRS, "--out", VD_INIT_EXPORT_DIR, NULL};
    struct vd_run run;

    if (init->nonce[0] == '\0' || access(TPM, F_OK) != 0)
        return; /* nobody asked, or nothing can answer */
    vd_init_run(argv, TOOL_TIME, &run);
    vd_init_step(init, "quote", run.code == 0, "%s",
                 run.code == 0 ? "PCRs " QUOTED_PCRS " quoted with the host's nonce"
                               : last_line(&run));
}

static void export_firmware_log(void)
{
    VD_AUTO(vd_bytes_free) struct vd_bytes log = {};
    struct vd_diag diag = {};

    if (access(FIRMWARE_LOG, F_OK) != 0)
        return;
    if (vd_file_load(FIRMWARE_LOG, LOG_MAX, &log, &diag) != VD_OK ||
        vd_file_store(VD_INIT_EXPORT_DIR "/eventlog.bin", log.data, log.size, 0644, &diag) != VD_OK)
        vd_init_refuse_diag("init-export", &diag);
}

void vd_init_evidence(struct vd_init *init)
{
    if (init->auditd > 0) {
        step_record(init);
        step_verify(init);
        vd_init_stop(init->auditd, START_TIME);
    }
    export_firmware_log();
    step_quote(init);
}
