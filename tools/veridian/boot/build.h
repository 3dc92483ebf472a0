/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Building what boots: `boot build`.
 *
 * The image, the bootloader with its trust block filled and signed, the EFI
 * system partition that holds both, and the firmware's variables. The same
 * input and keys give the same bytes (the image's signature only where OpenSSL
 * is 3.2 or newer).
 */
#ifndef VD_TOOLS_VERIDIAN_BOOT_BUILD_H
#define VD_TOOLS_VERIDIAN_BOOT_BUILD_H

#include "core/boot/policy.h"
#include "tools/veridian/boot/enroll.h"

#define VD_BOOT_IMAGE_FILE  "veridian.img"
#define VD_BOOT_LOADER_FILE "BOOTX64.EFI"
#define VD_BOOT_ESP_FILE    "esp.img"
#define VD_BOOT_VARS_FILE   "vars.fd"

struct vd_boot_build {
    const char *keys_dir;
    const char *kernel;
    const char *initrd; /* NULL: none */
    const char *cmdline;
    const char *root_hash; /* 64 hexadecimal digits; NULL: none */
    uint32_t security_version;
    uint32_t signer_generation;
    const char *policy;       /* into the trust block; NULL: secure boot, measured boot */
    const char *image_policy; /* into the image; NULL: none */
    const char *bootloader;   /* the EFI program with an empty trust block */
    const char *vars;         /* the firmware's empty variable store */
    const char *virt_fw_vars;
    const char *out;
};

/* Builds all four files into `out`, made if need be; files of an earlier build are replaced. */
vd_status vd_boot_build(const struct vd_boot_build *request, struct vd_diag *diag);

#endif
