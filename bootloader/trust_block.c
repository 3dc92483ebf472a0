/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "bootloader/trust_block.h"

__attribute__((section(VD_TRUST_SECTION), used)) const uint8_t vd_trust_block[VD_TRUST_CAPACITY] =
    VD_TRUST_PLACEHOLDER;
