/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The policy compiler: sources in, the blob of core/policydb/format.h or SELinux's
 * binary policy out.
 *
 *   text → parse/ → model.h → check/ → gen/ (our blob) or selinux/ (the kernel's)
 *
 * Behind our blob stands, if asked for, the rulebook: what the sources say.
 *
 * The language is SELinux's kernel policy language and the seed's dialect of it
 * (docs/policy-language.md). All memory is taken from one arena with a limit
 * and given back when the call ends, so that a hostile source costs a bounded
 * amount of memory; every number the source can choose has a named limit.
 *
 * Threads: no global state; one call, one thread.
 */
#ifndef VD_TOOLS_SEPOLICY_SEPOLICY_H
#define VD_TOOLS_SEPOLICY_SEPOLICY_H

#include "core/base/status.h"

#define VD_SEPOLICY_MAX_ERRORS   20u               /* shown for one file; the rest is counted */
#define VD_SEPOLICY_MAX_WARNINGS 20u               /* shown for one file */
#define VD_SEPOLICY_STOP_ERRORS  500u              /* in all files together: reading stops there */
#define VD_SEPOLICY_MAX_SOURCE   (512u << 20)      /* bytes of all sources together */
#define VD_SEPOLICY_MEMORY       ((size_t)4 << 30) /* default limit of the arena */

/* One source text, in memory or read in pieces; all of it is borrowed. */
struct vd_sepolicy_source {
    const char *name; /* as messages show it */
    const char *text; /* need not be terminated; not used if there is `read` */
    size_t size;
    /*
     * NULL: the text is in memory. Else: fills `buf` with `size` bytes from `offset` on, all
     * inside the text; false: they cannot be read, which ends the compilation.
     */
    bool (*read)(void *arg, size_t offset, char *buf, size_t size);
    void *read_arg; /* not NULL, and another one for each source */
};

enum vd_sepolicy_mls { VD_SEPOLICY_MLS_AUTO, VD_SEPOLICY_MLS_YES, VD_SEPOLICY_MLS_NO };

enum vd_sepolicy_unknown {
    VD_SEPOLICY_UNKNOWN_DENY,
    VD_SEPOLICY_UNKNOWN_REJECT,
    VD_SEPOLICY_UNKNOWN_ALLOW,
};

enum vd_sepolicy_form {
    VD_SEPOLICY_VERIDIAN, /* core/policydb/format.h */
    VD_SEPOLICY_SELINUX,  /* SELinux's kernel: docs/formats/selinux-policy.md */
};

#define VD_SEPOLICY_SELINUX_MIN      30u /* versions of SELinux's binary policy that can be written */
#define VD_SEPOLICY_SELINUX_MAX      35u
#define VD_SEPOLICY_SELINUX_DEFAULT  33u /* what kernels before 6.13 take too */
#define VD_SEPOLICY_SELINUX_READ_MAX 35u /* the newest that can be read */

enum vd_sepolicy_level { VD_SEPOLICY_ERROR, VD_SEPOLICY_WARNING };

/* One message; every string is valid only during the call that receives it. */
struct vd_sepolicy_message {
    enum vd_sepolicy_level level;
    const char *file; /* #line marks followed; NULL: the message has no place */
    uint32_t line;    /* 1-based */
    uint32_t column;  /* 1-based, in bytes */
    bool has_offset;  /* of a binary policy: no line, but where its bytes are wrong */
    uint64_t offset;  /* from the file's start */
    const char *text;
    const char *source; /* the source line, not terminated; NULL: none */
    uint32_t source_size;
    const char *hint; /* NULL: no advice */
};

/*
 * What an earlier call left: its cache and, unchanged, its policy; both may be empty. Parts of
 * the policy that still follow from the same rules are taken from there. What does not
 * fit together is not used; the result is the same. Both must come from the caller's own
 * compilations: whoever forges both says what the policy allows.
 */
struct vd_sepolicy_former {
    uint64_t compiler;  /* tells this build of the compiler from others, in new caches too */
    uint64_t secret[2]; /* random: of a new cache, where there is none that can be used */
    const void *cache;  /* aligned to 8, as is the policy; borrowed */
    size_t cache_size;
    const void *policy; /* a rulebook may follow */
    size_t policy_size;
};

struct vd_sepolicy_options {
    enum vd_sepolicy_mls mls;
    enum vd_sepolicy_unknown unknown;
    enum vd_sepolicy_form form;
    uint32_t selinux_version; /* VD_SEPOLICY_SELINUX_…; read for VD_SEPOLICY_SELINUX only */
    bool rulebook;            /* append the rulebook (tools/rulebook) to our blob */
    bool keep_cache;          /* fill the result's cache; for VD_SEPOLICY_VERIDIAN only */
    struct vd_sepolicy_former former; /* read if `keep_cache` is set */
    size_t memory;                    /* limit of the arena in bytes; 0: VD_SEPOLICY_MEMORY */
    void (*message)(void *arg, const struct vd_sepolicy_message *message); /* may be NULL */
    void *message_arg;
};

struct vd_sepolicy_result {
    uint8_t *blob; /* of the form asked for, malloc'ed; the caller frees it. The rulebook follows */
    size_t size;
    uint8_t *cache; /* malloc'ed as well; NULL: not asked for */
    size_t cache_size;
    uint32_t reused; /* rows of type enforcement taken from the former policy */
    uint32_t
        replayed; /* rules and require statements that were not read again but taken from the cache */
    uint32_t types, attributes, classes, roles, users, rules, booleans; /* for a report */
};

/*
 * Compiles `count` sources, read as one text in that order. VD_OK fills `ret`;
 * VD_E_USAGE: no source, or a version of SELinux's format that cannot be written;
 * VD_E_INVALID: there were errors, given to `options->message`; VD_E_LIMIT
 * or VD_E_NO_MEMORY: the arena's limit or the machine's memory is used up; VD_E_IO: a
 * source could not be read.
 */
vd_status vd_sepolicy_compile(const struct vd_sepolicy_source *sources, size_t count,
                              const struct vd_sepolicy_options *options,
                              struct vd_sepolicy_result *ret);

/* True if the bytes begin as SELinux's binary policy does. */
bool vd_sepolicy_is_selinux(const void *data, size_t size);

/*
 * Reads SELinux's binary policy for its kernel, versions 30 to 35, and writes it as
 * `options->form` says: as our blob, which decides as SELinux would, or as
 * SELinux's format again. The source is the file's bytes. Of the options `mls`
 * and `unknown` mean nothing, since the file says both. Returns as
 * vd_sepolicy_compile; VD_E_INVALID: one message says at which offset the bytes
 * are wrong and what was expected. What SELinux's kernel would refuse is refused
 * (docs/formats/selinux-policy.md).
 */
vd_status vd_sepolicy_read_selinux(const struct vd_sepolicy_source *source,
                                   const struct vd_sepolicy_options *options,
                                   struct vd_sepolicy_result *ret);

/*
 * The message as text, terminated: "FILE:LINE:COL: error: TEXT", the source
 * line, a caret under the column (tabs kept, so that it stands right), the
 * hint. Foreign bytes that could steer a terminal are written as \xHH. Returns
 * the length; what does not fit in `size` is cut.
 */
size_t vd_sepolicy_format(const struct vd_sepolicy_message *message, char *buf, size_t size);

#endif
