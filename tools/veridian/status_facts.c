/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "tools/veridian/status_facts.h"
#include "core/abi/kernel.h"
#include "lib/file.h"
#include "lib/secclient/admin.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SMALL_FILE_BYTES 4096u
#define EFI_VARIABLE     "/sys/firmware/efi/efivars/%s-8be4df61-93ca-11d2-aa0d-00e098032b8c"
#define EFI_ATTRIBUTES   4u /* bytes before a variable's value in efivarfs */
#define CONFIG_PIN       VD_KERNEL_PIN_DIR "/config"
#define SEGMENT_PREFIX   "segment-"

struct place {
    const char *sysroot;
    const char *log_dir;
};

VD_PRINTF(3, 4)
static void answer(struct vd_fact *fact, enum vd_fact_state state, const char *format, ...)
{
    va_list args;

    fact->state = state;
    va_start(args, format);
    vsnprintf(fact->text, sizeof(fact->text), format, args);
    va_end(args);
}

VD_PRINTF(3, 4)
static void path_below(const struct place *at, char path[PATH_MAX], const char *format, ...)
{
    size_t len = (size_t)snprintf(path, PATH_MAX, "%s", at->sysroot);
    va_list args;

    if (len >= PATH_MAX)
        len = PATH_MAX - 1;
    va_start(args, format);
    vsnprintf(path + len, PATH_MAX - len, format, args);
    va_end(args);
}

static bool present(const struct place *at, const char *path)
{
    char full[PATH_MAX];

    path_below(at, full, "%s", path);
    return access(full, F_OK) == 0;
}

/* The first value byte of an EFI global variable. */
static bool efi_byte(const struct place *at, const char *name, uint8_t *ret)
{
    VD_AUTO(vd_bytes_free) struct vd_bytes bytes = {};
    char path[PATH_MAX];

    path_below(at, path, EFI_VARIABLE, name);
    if (vd_file_load(path, SMALL_FILE_BYTES, &bytes, NULL) != VD_OK || bytes.size <= EFI_ATTRIBUTES)
        return false;
    *ret = bytes.data[EFI_ATTRIBUTES];
    return true;
}

static void firmware(const struct place *at, struct vd_fact *fact)
{
    if (present(at, "/sys/firmware/efi"))
        answer(fact, VD_FACT_YES, "UEFI");
    else if (present(at, "/sys/firmware"))
        answer(fact, VD_FACT_NO, "the kernel was not started by UEFI");
    else
        answer(fact, VD_FACT_UNKNOWN, "/sys is not mounted");
}

static void secure_boot(const struct place *at, struct vd_fact *fact)
{
    uint8_t on;
    uint8_t setup = 0;

    if (efi_byte(at, "SecureBoot", &on)) {
        if (on == 1)
            answer(fact, VD_FACT_YES, "on");
        else if (efi_byte(at, "SetupMode", &setup) && setup == 1)
            answer(fact, VD_FACT_NO, "off, in setup mode: no platform key is enrolled");
        else
            answer(fact, VD_FACT_NO, "off: turn it on in the firmware's setup");
    } else if (present(at, "/sys/firmware/efi")) {
        answer(fact, VD_FACT_UNKNOWN,
               "the variable SecureBoot is not readable (efivarfs mounted?)");
    } else {
        answer(fact, VD_FACT_NO, "there is no UEFI");
    }
}

static void tpm(const struct place *at, struct vd_fact *fact)
{
    VD_AUTO(vd_bytes_free) struct vd_bytes version = {};
    char path[PATH_MAX];

    path_below(at, path, "/sys/class/tpm/tpm0/tpm_version_major");
    if (vd_file_load(path, SMALL_FILE_BYTES, &version, NULL) == VD_OK) {
        if (version.data[0] == '2')
            answer(fact, VD_FACT_YES, "2.0");
        else
            answer(fact, VD_FACT_NO, "there is one, but not of version 2.0");
    } else if (present(at, "/sys/class")) {
        answer(fact, VD_FACT_NO, "the kernel has found none");
    } else {
        answer(fact, VD_FACT_UNKNOWN, "/sys is not mounted");
    }
}

/* The word in brackets: "none [integrity] confidentiality". */
static void lockdown(const struct place *at, struct vd_fact *fact)
{
    VD_AUTO(vd_bytes_free) struct vd_bytes bytes = {};
    char path[PATH_MAX];
    const char *open;

    path_below(at, path, "/sys/kernel/security/lockdown");
    if (vd_file_load(path, SMALL_FILE_BYTES, &bytes, NULL) != VD_OK) {
        answer(fact, VD_FACT_UNKNOWN, "/sys/kernel/security is not readable (securityfs mounted?)");
        return;
    }
    open = strchr((const char *)bytes.data, '[');
    if (open == NULL || strncmp(open, "[none]", 6) == 0)
        answer(fact, VD_FACT_NO, "none: boot with lockdown=integrity");
    else
        answer(fact, VD_FACT_YES, "%.*s", (int)strcspn(open + 1, "]\n"), open + 1);
}

/* True if the comma-separated list has the word. */
static bool list_has(const char *list, const char *word)
{
    size_t len = strlen(word);

    for (const char *p = list; *p != '\0'; p += strspn(p, ",\n")) {
        size_t n = strcspn(p, ",\n");
        if (n == len && strncmp(p, word, len) == 0)
            return true;
        p += n;
    }
    return false;
}

static void bpf_lsm(const struct place *at, struct vd_fact *fact)
{
    VD_AUTO(vd_bytes_free) struct vd_bytes bytes = {};
    char path[PATH_MAX];
    const char *list;

    path_below(at, path, "/sys/kernel/security/lsm");
    if (vd_file_load(path, SMALL_FILE_BYTES, &bytes, NULL) != VD_OK) {
        answer(fact, VD_FACT_UNKNOWN, "/sys/kernel/security is not readable (securityfs mounted?)");
        return;
    }
    list = (const char *)bytes.data;
    if (list_has(list, "bpf"))
        answer(fact, VD_FACT_YES, "active");
    else
        answer(fact, VD_FACT_NO, "not active: boot with lsm=%.*s,bpf", (int)strcspn(list, "\n"),
               list);
}

/* Entries of a directory whose names begin with `prefix`; -1 if it cannot be read. */
static int count_entries(const char *path, const char *prefix)
{
    DIR *dir = opendir(path);
    int count = 0;

    if (dir == NULL)
        return -1;
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        count += strncmp(e->d_name, prefix, strlen(prefix)) == 0;
    closedir(dir);
    return count;
}

static int bpf_call(enum bpf_cmd command, union bpf_attr *attr)
{
    return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

/* The one value of the map of settings; false with errno where it cannot be had. */
static bool read_config(const char *path, struct vd_kernel_config *ret)
{
    union bpf_attr attr = {.pathname = (uintptr_t)path, .file_flags = BPF_F_RDONLY};
    VD_AUTO(vd_fd_close) int fd = bpf_call(BPF_OBJ_GET, &attr);
    struct bpf_map_info info = {};
    uint32_t key = 0;

    if (fd < 0)
        return false;
    attr = (union bpf_attr){
        .info = {.bpf_fd = (uint32_t)fd, .info = (uintptr_t)&info, .info_len = sizeof(info)}};
    if (bpf_call(BPF_OBJ_GET_INFO_BY_FD, &attr) != 0)
        return false;
    if (info.type != BPF_MAP_TYPE_ARRAY || info.value_size != sizeof(*ret)) {
        errno = EPROTO; /* the kernel would write beyond the value */
        return false;
    }
    attr =
        (union bpf_attr){.map_fd = (uint32_t)fd, .key = (uintptr_t)&key, .value = (uintptr_t)ret};
    return bpf_call(BPF_MAP_LOOKUP_ELEM, &attr) == 0;
}

static void mac_mode(const struct place *at, int hooks, struct vd_fact *fact)
{
    struct vd_kernel_config config = {};
    char path[PATH_MAX];

    path_below(at, path, CONFIG_PIN);
    if (!read_config(path, &config))
        answer(fact, VD_FACT_UNKNOWN, "%d hooks are attached, but the mode cannot be read: %s",
               hooks, strerror(errno));
    else if (config.enforcing == VD_KERNEL_PERMISSIVE)
        answer(fact, VD_FACT_NO, "permissive: refusals are recorded, not enforced");
    else
        answer(fact, VD_FACT_YES, "enforcing on %d hooks, policy version %u", hooks, config.seqno);
}

static void mac(const struct place *at, struct vd_fact *fact)
{
    char path[PATH_MAX];
    int hooks;

    path_below(at, path, VD_KERNEL_PIN_DIR);
    hooks = count_entries(path, "link_");
    if (hooks > 0)
        mac_mode(at, hooks, fact);
    else if (hooks == 0)
        answer(fact, VD_FACT_NO, "maps are there, but no hook is attached");
    else if (access(path, F_OK) == 0 || errno == EACCES)
        answer(fact, VD_FACT_UNKNOWN, VD_KERNEL_PIN_DIR " is not readable: root is needed");
    else if (present(at, "/sys/fs/bpf"))
        answer(fact, VD_FACT_NO, "no policy has been loaded");
    else
        answer(fact, VD_FACT_UNKNOWN, "/sys/fs/bpf is not there");
}

/* The daemon holds a lock on the directory while it writes. */
static bool has_writer(const char *path)
{
    VD_AUTO(vd_fd_close) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

static void audit_log(const struct place *at, struct vd_fact *fact)
{
    char path[PATH_MAX];
    int segments;

    path_below(at, path, "%s", at->log_dir);
    segments = count_entries(path, SEGMENT_PREFIX);
    if (segments >= 0 && has_writer(path))
        answer(fact, VD_FACT_YES, "being written, %d segment%s in %s", segments,
               segments == 1 ? "" : "s", at->log_dir);
    else if (segments >= 0)
        answer(fact, VD_FACT_NO, "%d segment%s in %s, but nothing writes there", segments,
               segments == 1 ? "" : "s", at->log_dir);
    else if (access(path, F_OK) == 0)
        answer(fact, VD_FACT_UNKNOWN, "%s is not readable", at->log_dir);
    else
        answer(fact, VD_FACT_NO, "there is no %s", at->log_dir);
}

/* Asked for two seconds: a server that does not answer is no server. */
static void security_server(const struct place *at, struct vd_fact *fact)
{
    uint64_t counts[VD_SEC_STATUS_COUNT];
    char path[PATH_MAX];

    path_below(at, path, "%s", VD_SEC_SOCKET);
    switch (vd_secadmin_status(path, 2000, counts, NULL)) {
    case VD_OK:
        break;
    case VD_E_MISSING:
        answer(fact, VD_FACT_NO, "nobody listens at %s", VD_SEC_SOCKET);
        return;
    case VD_E_TIMEOUT:
        answer(fact, VD_FACT_NO, "the server at %s does not answer", VD_SEC_SOCKET);
        return;
    default:
        answer(fact, VD_FACT_UNKNOWN, "%s cannot be asked", VD_SEC_SOCKET);
        return;
    }
    if (counts[VD_SEC_STAT_SEQUENCE] == 0)
        answer(fact, VD_FACT_NO, "running without a policy: see veridian policy load");
    else
        answer(fact, VD_FACT_YES, "policy %llu in force, checksum %016llx%s, %llu client%s",
               (unsigned long long)counts[VD_SEC_STAT_SEQUENCE],
               (unsigned long long)counts[VD_SEC_STAT_CHECKSUM],
               counts[VD_SEC_STAT_CONFIRM_MS] != 0 ? ", to be confirmed" : "",
               (unsigned long long)counts[VD_SEC_STAT_CLIENTS] - 1,
               counts[VD_SEC_STAT_CLIENTS] == 2 ? "" : "s");
}

struct row {
    const char *name;
    const char *title;
    const char *without;
    void (*read)(const struct place *at, struct vd_fact *fact);
};

#define READ_FIRMWARE                  firmware
#define READ_SECURE_BOOT               secure_boot
#define READ_TPM                       tpm
#define READ_LOCKDOWN                  lockdown
#define READ_BPF_LSM                   bpf_lsm
#define READ_MAC                       mac
#define READ_SECURITY_SERVER           security_server
#define READ_AUDIT_LOG                 audit_log
#define ROW(key, name, title, without) [VD_FACT_##key] = {name, title, without, READ_##key},
static const struct row rows[VD_FACT_COUNT] = {VD_FACT_TABLE(ROW)};
#undef ROW

void vd_facts_read(const char *sysroot, const char *log_dir, struct vd_fact ret[VD_FACT_COUNT])
{
    struct place at = {.sysroot = sysroot, .log_dir = log_dir};

    for (uint32_t i = 0; i < VD_FACT_COUNT; i++)
        rows[i].read(&at, &ret[i]);
}

const char *vd_fact_name(enum vd_fact_key key)
{
    return (unsigned)key < VD_FACT_COUNT ? rows[key].name : "?";
}

const char *vd_fact_title(enum vd_fact_key key)
{
    return (unsigned)key < VD_FACT_COUNT ? rows[key].title : "?";
}

const char *vd_fact_without(enum vd_fact_key key)
{
    return (unsigned)key < VD_FACT_COUNT ? rows[key].without : "?";
}

const char *vd_fact_state_name(enum vd_fact_state state)
{
    switch (state) {
    case VD_FACT_NO:
        return "no";
    case VD_FACT_YES:
        return "yes";
    case VD_FACT_UNKNOWN:
        return "unknown";
    }
    return "?";
}
