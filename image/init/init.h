/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * PID 1 of the system image: what its files share.
 *
 * main.c goes through the steps of the boot; each may refuse, which prints
 * `VERIDIAN: refused REASON TEXT` on the console and powers the machine off. A
 * machine that could not be put under its policy never becomes usable.
 */
#ifndef VD_IMAGE_INIT_INIT_H
#define VD_IMAGE_INIT_INIT_H

#include "core/base/diag.h"

#include <stdio.h>
#include <sys/types.h>

#define VD_INIT_POLICY        "/etc/veridian/policy.vpol"
#define VD_INIT_FILE_CONTEXTS "/etc/veridian/file_contexts"
#define VD_INIT_FS_CONTEXTS   "/etc/veridian/fs_contexts"
#define VD_INIT_EXPORT_DIR    "/run/veridian/export"
#define VD_INIT_LOG_DIR       "/run/veridian/audit"

enum vd_init_mode { VD_INIT_ENFORCING, VD_INIT_PERMISSIVE, VD_INIT_OFF };

struct vd_init {
    enum vd_init_mode mode;
    int export_fd;   /* the export channel; -1: the host has none */
    char nonce[129]; /* hexadecimal, from the host; empty: none */
    pid_t auditd;    /* 0: not started, like the two after it */
    pid_t securityd;
    pid_t cryptod;
    FILE *results; /* the steps as JSON, in memory */
    size_t steps;
    size_t failed;
    char *results_text;
    size_t results_size;
};

/* Ends the boot: the machine is powered off, whatever runs. */
_Noreturn void vd_init_refuse(const char *reason, const char *text);
_Noreturn void vd_init_refuse_diag(const char *reason, const struct vd_diag *diag);
_Noreturn void vd_init_power_off(void);

/* Mounts what the rest needs; the console becomes descriptors 0 to 2. */
void vd_init_mount(void);

/* Inserts a module of the image; a missing file or an unfitting machine is fine. */
void vd_init_module(const char *path);

/* Loads the policy and puts it into force, with evidence as the step `policy-first`. */
void vd_init_policy(struct vd_init *init);

/* What a program did. */
struct vd_run {
    int code;           /* exit code; 128 + signal; -errno if it could not be started */
    char output[16384]; /* of standard output and standard error, cut */
    size_t output_size;
};

/* Runs a program to its end, at most `timeout_ms`; then it is killed (code 128 + 9). */
void vd_init_run(const char *const *argv, int timeout_ms, struct vd_run *ret);

/*
 * Starts a service, which writes "ready" and a newline to VD_INIT_READY_FD and
 * closes it; its output goes to the console. The pid, or a negative errno
 * (ESRCH: it ended or was not ready in time).
 */
#define VD_INIT_READY_FD 3
pid_t vd_init_service(const char *const *argv, int timeout_ms);

/* Ends a service with SIGTERM, after the time limit with SIGKILL. */
void vd_init_stop(pid_t pid, int timeout_ms);

/* Notes and prints a step's result: `VERIDIAN: step ID ok|FAIL TEXT`. */
void vd_init_step(struct vd_init *init, const char *id, bool good, const char *format, ...)
    VD_PRINTF(4, 5);

/* The steps that show the system at work, in order. */
void vd_init_showcase(struct vd_init *init);

/* The key service and its steps, where there is a TPM; started and ended here. */
void vd_init_keys(struct vd_init *init);

/* Starts the audit daemon; a system without its log does not go on. */
void vd_init_audit(struct vd_init *init);

/* The steps about the log and the attestation; the daemon is stopped, files are exported. */
void vd_init_evidence(struct vd_init *init);

/* Opens the export channel, tells the host and takes its nonce. */
void vd_init_channel_open(struct vd_init *init);

/* Sends every file of VD_INIT_EXPORT_DIR and the audit log (as audit/NAME) as a ustar stream. */
void vd_init_channel_send(struct vd_init *init);

#endif
