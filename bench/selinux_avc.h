/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * libselinux's access vector cache as a peer, loaded while the program runs. In
 * the place of the kernel stands a function of this program, so that no SELinux
 * need run here; the program exports it (meson.build).
 */
#ifndef VD_BENCH_SELINUX_AVC_H
#define VD_BENCH_SELINUX_AVC_H

#include <stdbool.h>
#include <stdint.h>

#define SELINUX_AVC_PAIRS 400u

/* What of <selinux/avc.h> the peer needs: its headers may be missing. */
struct selinux_decision {
    uint32_t allowed, decided, auditallow, auditdeny;
    unsigned seqno, flags;
};
struct selinux_ref {
    void *entry;
};
struct selinux_avc {
    void (*set_selinuxmnt)(const char *);
    int (*avc_open)(const void *, unsigned);
    int (*avc_context_to_sid_raw)(const char *, void **);
    int (*avc_has_perm_noaudit)(void *, void *, uint16_t, uint32_t, struct selinux_ref *,
                                struct selinux_decision *);
    void *sources[SELINUX_AVC_PAIRS];
    void *targets[SELINUX_AVC_PAIRS];
};

/* False if libselinux is not here or does not start. */
bool selinux_avc_open(struct selinux_avc *peer);

/* How often the kernel's place was asked. */
extern uint32_t selinux_kernel_asked;

#endif
