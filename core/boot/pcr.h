/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The PCR map, and the events that the bootloader measures.
 *
 * Every event of ours is measured over exactly its event data, so that a
 * verifier recomputes each digest from the log alone, in any bank. Kernel and
 * initrd appear by their SHA-256 digests, which the signed header holds too:
 * one pass over each payload serves signature and measurement. The same
 * encoder runs in the bootloader and in `veridian boot predict`.
 *
 * Source: docs/formats/image.md, "Measurements". Threads: any.
 */
#ifndef VD_CORE_BOOT_PCR_H
#define VD_CORE_BOOT_PCR_H

#include "core/boot/eventlog.h"
#include "core/boot/image.h"

#define VD_PCR_BOOT     4u  /* boot applications (firmware) and the kernel */
#define VD_PCR_CMDLINE  8u  /* kernel command line */
#define VD_PCR_INITRD   9u  /* initrd */
#define VD_PCR_IMAGE    11u /* image header, boot policy */
#define VD_PCR_OVERRIDE 12u /* overrides by a person at the console */
#define VD_PCR_KEYS     14u /* keys and revocation */

/* taggedEventID of our EV_EVENT_TAG events: "VD" and a number. */
#define VD_TAG_HEADER 0x56440001u
#define VD_TAG_POLICY 0x56440002u
#define VD_TAG_KERNEL 0x56440003u

/* In the order in which the bootloader measures them. */
enum vd_boot_event_id {
    VD_BOOT_EVENT_HEADER,  /* PCR 11, EV_EVENT_TAG: the header's 512 bytes */
    VD_BOOT_EVENT_POLICY,  /* PCR 11, EV_EVENT_TAG: the bootloader's boot policy as encoded */
    VD_BOOT_EVENT_KERNEL,  /* PCR 4, EV_EVENT_TAG: the kernel's SHA-256 digest */
    VD_BOOT_EVENT_CMDLINE, /* PCR 8, EV_IPL: "veridian cmdline: " and the command line */
    VD_BOOT_EVENT_INITRD,  /* PCR 9, EV_IPL: "veridian initrd: sha256 " and the digest in hex */
    VD_BOOT_EVENT_COUNT,
};

/* Room for any event's data, in bytes. */
#define VD_BOOT_EVENT_MAX_BYTES (VD_IMAGE_CMDLINE_MAX_BYTES + 64u)

struct vd_boot_event {
    uint32_t pcr;
    uint32_t type;       /* VD_EV_… */
    const char *text;    /* a short English name, constant */
    struct vd_span data; /* event data = the measured bytes; borrows the caller's buffer */
};

/*
 * Builds event `id` for a judged image. `policy` is the bootloader's own
 * policy as it stands in the trust block (32 bytes). The data is written to
 * `buf`, which has VD_BOOT_EVENT_MAX_BYTES.
 */
vd_status vd_boot_event_encode(enum vd_boot_event_id id, const struct vd_image *image,
                               const struct vd_span *policy, uint8_t *buf,
                               struct vd_boot_event *ret);

/*
 * Which of our events a logged event is; VD_BOOT_EVENT_COUNT if none. Its
 * digests still have to be those of its data: anyone can log anything.
 */
enum vd_boot_event_id vd_boot_event_identify(const struct vd_logged_event *event);

/*
 * After the bootloader, Linux' EFI stub measures into PCR 9, as EV_EVENT_TAG
 * with these tags, digests of what the event names: its load options (the
 * command line as UTF-16LE with a final zero) and the initrd's bytes.
 * Source: Linux, drivers/firmware/efi/libstub/efi-stub-helper.c.
 */
#define VD_TAG_LINUX_INITRD       0x8f3b22ecu
#define VD_TAG_LINUX_LOAD_OPTIONS 0x8f3b22edu

#endif
