/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* mbedTLS includes <assert.h> for static assertions. */
#ifndef VD_BOOTLOADER_LIBC_ASSERT_H
#define VD_BOOTLOADER_LIBC_ASSERT_H

#define static_assert _Static_assert

#endif
