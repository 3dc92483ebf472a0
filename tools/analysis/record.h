/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Audit records of access decisions, as text from outside: what was asked, and
 * what was answered.
 *
 * Read are SELinux's messages "avc:  denied  { read } for … scontext=… tcontext=…
 * tclass=…" wherever they stand in a line (auditd's log, AVC and USER_AVC, the
 * kernel's log, the journal as text), this project's records as `veridian audit
 * search --json` prints them, and the journal's JSON whose MESSAGE is such a text.
 * A record is what its line says: nothing is looked up in a policy here.
 *
 * Source: Linux, security/selinux/avc.c (avc_audit_pre_callback, _post_callback),
 * security/lsm_audit.c. Memory: a record borrows the line, or owns its JSON.
 */
#ifndef VD_TOOLS_ANALYSIS_RECORD_H
#define VD_TOOLS_ANALYSIS_RECORD_H

#include "core/base/diag.h"

#define VD_RECORD_MAX_LINE  (64u << 10)  /* bytes of a line */
#define VD_RECORD_MAX_PERMS 32u          /* permissions of a record */
#define VD_RECORD_MAX_LOG   (256u << 20) /* bytes of a log */

/* A part of the line or of its JSON; not terminated. */
struct vd_record_text {
    const char *data;
    size_t size;
};

/* Whether the record says if the source was permissive. */
enum vd_record_permissive {
    VD_RECORD_PERMISSIVE_UNKNOWN,
    VD_RECORD_PERMISSIVE_NO,
    VD_RECORD_PERMISSIVE_YES,
};

/* The extended permission that was asked for beside the permission. */
enum vd_record_extended {
    VD_RECORD_PLAIN,
    VD_RECORD_IOCTL, /* a command of ioctl */
    VD_RECORD_NLMSG, /* a type of netlink message */
};

struct vd_record {
    struct vd_record_text source, target, class; /* contexts and class, never empty */
    struct vd_record_text perms[VD_RECORD_MAX_PERMS];
    uint32_t perm_count; /* at least 1 */
    bool granted;        /* a record of an access that was allowed */
    enum vd_record_permissive permissive;
    enum vd_record_extended extended;
    uint32_t command; /* of `extended`, at most 0xffff */
    void *json;       /* owned; NULL: the texts lie in the line */
};

/*
 * Reads one line, without its line feed. VD_E_NOT_FOUND: it holds no such record
 * and is to be passed over; VD_E_SYNTAX, VD_E_LIMIT, VD_E_RANGE: it does, but a
 * damaged or an ambiguous one, with the offset in `diag`.
 */
vd_status vd_record_parse(const char *line, size_t size, struct vd_record *ret,
                          struct vd_diag *diag);

/* Gives the record's own memory back; an empty record is fine. */
void vd_record_done(struct vd_record *record);

/* What became of the lines of a log. */
struct vd_record_counts {
    uint64_t lines;
    uint64_t records;     /* given to the receiver */
    uint64_t damaged;     /* lines that hold a record which cannot be read */
    struct vd_diag first; /* the first of those, with line and column */
};

/* Gets each record of a log and the number of its line, from 1; not VD_OK ends the reading. */
typedef vd_status (*vd_record_fn)(void *arg, const struct vd_record *record, uint64_t line);

/*
 * Reads all lines of a log. A damaged record does not end it: it is counted.
 */
vd_status vd_record_log(const char *text, size_t size, vd_record_fn receive, void *arg,
                        struct vd_record_counts *ret);

#endif
