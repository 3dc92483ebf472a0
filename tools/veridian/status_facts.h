/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What this machine enforces, read from the kernel's own files, so that the
 * answer also holds when no daemon runs. Only the security server is asked, for
 * a moment, which policy it has.
 *
 * Every fact is yes, no or unknown; unknown is never taken for yes. The source
 * tree that is read begins at `sysroot`, so that a test or a mounted image can
 * be looked at.
 */
#ifndef VD_TOOLS_VERIDIAN_STATUS_FACTS_H
#define VD_TOOLS_VERIDIAN_STATUS_FACTS_H

#include "core/base/types.h"

#define VD_FACT_TEXT_SIZE 200

enum vd_fact_state {
    VD_FACT_NO,
    VD_FACT_YES,
    VD_FACT_UNKNOWN, /* the kernel's files that would tell are not readable */
};

/* X(KEY, name, title, what does not hold without it) */
#define VD_FACT_TABLE(X)                                                                         \
    X(FIRMWARE, "firmware", "firmware", "no boot chain: the firmware verifies nothing")          \
    X(SECURE_BOOT, "secure_boot", "secure boot",                                                 \
      "the firmware starts programs that nobody signed")                                         \
    X(TPM, "tpm", "TPM", "nothing is measured: no attestation, no keys bound to the boot state") \
    X(LOCKDOWN, "lockdown", "kernel lockdown", "root can change the running kernel")             \
    X(BPF_LSM, "bpf_lsm", "BPF LSM", "the kernel cannot enforce the mandatory policy")           \
    X(MAC, "mac", "mandatory policy",                                                            \
      "file, process and network access is decided by Linux alone")                              \
    X(SECURITY_SERVER, "security_server", "security server",                                     \
      "programs that guard objects of their own are refused everything")                         \
    X(AUDIT_LOG, "audit_log", "audit log", "refusals and accesses are not recorded")

enum vd_fact_key {
#define VD_FACT_KEY_(key, name, title, without) VD_FACT_##key,
    VD_FACT_TABLE(VD_FACT_KEY_)
#undef VD_FACT_KEY_
        VD_FACT_COUNT,
};

struct vd_fact {
    enum vd_fact_state state;
    char text[VD_FACT_TEXT_SIZE]; /* what was found, and where it helps how to change it */
};

/*
 * Fills one fact for each row of the table. `sysroot` is "" for this machine;
 * `log_dir` is below it.
 */
void vd_facts_read(const char *sysroot, const char *log_dir, struct vd_fact ret[VD_FACT_COUNT]);

/* The row's words; "?" outside the table. */
const char *vd_fact_name(enum vd_fact_key key);
const char *vd_fact_title(enum vd_fact_key key);
const char *vd_fact_without(enum vd_fact_key key);

/* "yes", "no", "unknown". */
const char *vd_fact_state_name(enum vd_fact_state state);

#endif
