/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "bench/selinux_avc.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE 4096

uint32_t selinux_kernel_asked;

/* Found before libselinux's own: the kernel's answer to a miss. */
int security_compute_av_flags_raw(const char *source, const char *target, uint16_t class,
                                  uint32_t requested, struct selinux_decision *avd);
int security_compute_av_flags_raw(const char *source, const char *target, uint16_t class,
                                  uint32_t requested, struct selinux_decision *avd)
{
    (void)source, (void)target, (void)class;
    selinux_kernel_asked++;
    *avd = (struct selinux_decision){.allowed = requested | 1, .decided = UINT32_MAX, .seqno = 1};
    return 0;
}

static bool write_file(const char *directory, const char *name, const void *data, size_t size)
{
    char path[256];
    int fd;
    bool good;

    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    good = fd >= 0 && write(fd, data, size) == (ssize_t)size;
    if (fd >= 0)
        close(fd);
    return good;
}

/* The files of selinuxfs that libselinux opens at its start: version 1, enforcing. */
static bool start(struct selinux_avc *peer, const char *directory)
{
    static const uint32_t status[PAGE / 4] = {1, 0, 1};
    char source[64], target[64];

    if (!write_file(directory, "status", status, sizeof(status)) ||
        !write_file(directory, "enforce", "1", 1))
        return false;
    peer->set_selinuxmnt(directory);
    if (peer->avc_open(NULL, 0) != 0)
        return false;
    for (uint32_t i = 0; i < SELINUX_AVC_PAIRS; i++) {
        (void)snprintf(source, sizeof(source), "system_u:system_r:source%u_t:s0", i);
        (void)snprintf(target, sizeof(target), "system_u:object_r:target%u_t:s0", i);
        if (peer->avc_context_to_sid_raw(source, &peer->sources[i]) != 0 ||
            peer->avc_context_to_sid_raw(target, &peer->targets[i]) != 0)
            return false;
    }
    return true;
}

bool selinux_avc_open(struct selinux_avc *peer)
{
    void *library = dlopen("libselinux.so.1", RTLD_NOW);
    char directory[] = "/tmp/bench-avc-XXXXXX";
    const struct {
        const char *name;
        void *at;
    } symbols[] = {{"set_selinuxmnt", &peer->set_selinuxmnt},
                   {"avc_open", &peer->avc_open},
                   {"avc_context_to_sid_raw", &peer->avc_context_to_sid_raw},
                   {"avc_has_perm_noaudit", &peer->avc_has_perm_noaudit}};
    char path[64];
    bool good;

    for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
        void *found = library == NULL ? NULL : dlsym(library, symbols[i].name);
        if (found == NULL)
            return false;
        memcpy(symbols[i].at, &found, sizeof(found));
    }
    if (mkdtemp(directory) == NULL)
        return false;
    good = start(peer, directory);
    (void)snprintf(path, sizeof(path), "%s/status", directory);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s/enforce", directory);
    (void)unlink(path);
    (void)rmdir(directory);
    return good;
}
