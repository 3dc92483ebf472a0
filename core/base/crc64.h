/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * CRC-64/XZ (ECMA-182, section B.1, reflected; as in the .xz file format,
 * section 6): detects damage, proves nothing about who wrote the data.
 * Authenticity is the signature's business.
 */
#ifndef VD_CORE_BASE_CRC64_H
#define VD_CORE_BASE_CRC64_H

#include "core/base/types.h"

/*
 * The checksum of `size` bytes that continue data whose checksum is `crc`
 * (0 at the start). Check value: "123456789" gives 0x995dc9bbdf1939fa.
 */
uint64_t vd_crc64(uint64_t crc, const void *data, size_t size);

/*
 * The same for large data in pieces, which are to be looked at while they are in the processor's
 * cache: how this processor computes it best, which costs some microseconds to ask, and a
 * piece computed so.
 */
uint32_t vd_crc64_way(void);
uint64_t vd_crc64_piece(uint32_t way, uint64_t crc, const void *data, size_t size);

#endif
