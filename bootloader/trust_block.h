/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The bootloader's trust block, a PE section of its own: see core/boot/trust. */
#ifndef VD_BOOTLOADER_TRUST_BLOCK_H
#define VD_BOOTLOADER_TRUST_BLOCK_H

#include "core/boot/trust.h"

/*
 * Linked as the empty placeholder and filled in the file afterwards. Declared
 * here and defined in another file, so that no compiler takes the placeholder's
 * content for granted.
 */
extern const uint8_t vd_trust_block[VD_TRUST_CAPACITY];

#endif
