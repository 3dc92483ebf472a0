/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What of mbedTLS 3.6 is compiled: SHA-2, P-384, ECDSA verification and X.509
 * certificate parsing and chain verification. Nothing that signs, encrypts or
 * needs random numbers, time, files or a network.
 *
 * The same configuration is used for the EFI program and for the host's
 * library, so that both judge an image with the same code.
 */
#ifndef VD_BOOTLOADER_MBEDTLS_CONFIG_H
#define VD_BOOTLOADER_MBEDTLS_CONFIG_H

#define MBEDTLS_SHA256_C
#define MBEDTLS_SHA384_C
#define MBEDTLS_SHA512_C /* the certificates' TBS hash in dbx may be SHA-512 */
#define MBEDTLS_MD_C

#define MBEDTLS_BIGNUM_C
#define MBEDTLS_ECP_C
#define MBEDTLS_ECP_DP_SECP384R1_ENABLED
#define MBEDTLS_ECP_NIST_OPTIM
#define MBEDTLS_ECDSA_C

#define MBEDTLS_ASN1_PARSE_C
#define MBEDTLS_ASN1_WRITE_C /* mbedTLS' own condition for ECDSA */
#define MBEDTLS_OID_C
#define MBEDTLS_PK_C
#define MBEDTLS_PK_PARSE_C
#define MBEDTLS_X509_USE_C
#define MBEDTLS_X509_CRT_PARSE_C
#define MBEDTLS_X509_REMOVE_INFO

/* 64-bit multiplication yes, 128-bit division no: it would need a helper of the compiler's runtime. */
#define MBEDTLS_HAVE_ASM
#define MBEDTLS_NO_UDBL_DIVISION

#define MBEDTLS_PLATFORM_C
#define MBEDTLS_PLATFORM_MEMORY
#define MBEDTLS_PLATFORM_NO_STD_FUNCTIONS
#define MBEDTLS_PLATFORM_CALLOC_MACRO   vd_mbedtls_calloc
#define MBEDTLS_PLATFORM_FREE_MACRO     vd_mbedtls_free
#define MBEDTLS_PLATFORM_SNPRINTF_MACRO vd_mbedtls_snprintf
#define MBEDTLS_PLATFORM_ZEROIZE_ALT    /* vd_wipe of core/base */

#include <stddef.h>

/* crypto_memory.c of the host, efi/memory.c of the bootloader. */
void *vd_mbedtls_calloc(size_t count, size_t size);
void vd_mbedtls_free(void *memory);

/* Nothing here formats text; a caller gets an error and no text. */
int vd_mbedtls_snprintf(char *buffer, size_t size, const char *format, ...);

#endif
