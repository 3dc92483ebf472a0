/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The whole judgement about an image: core/boot/judge with mbedTLS, and dbx over
 * the root and over the kernel's Authenticode digest.
 *
 * Compiled into the EFI program and for the host: the bootloader and
 * `veridian boot verify` answer alike because both call this. Any thread.
 */
#ifndef VD_BOOTLOADER_JUDGEMENT_H
#define VD_BOOTLOADER_JUDGEMENT_H

#include "core/boot/judge.h"

/*
 * Judges `what` under `dbx` (its content, its form checked; size 0: nothing is
 * forbidden). `ret` is always filled; `diag` tells where and what for a refusal.
 */
void vd_judgement(const struct vd_boot_case *what, const struct vd_span *dbx,
                  struct vd_boot_verdict *ret, struct vd_diag *diag);

#endif
