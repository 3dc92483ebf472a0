/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Why an image is not started: one table of stable names.
 *
 * The bootloader prints `VERIDIAN: refused NAME`, `veridian boot verify` prints
 * the same name. Scripts rely on them: names are added, never renamed.
 * Zero is a refusal too, so that a verdict nobody filled refuses.
 */
#ifndef VD_CORE_BOOT_REASON_H
#define VD_CORE_BOOT_REASON_H

#include "core/base/status.h"

/* X(ENUMERATOR, "name", "text") */
#define VD_BOOT_REASON_TABLE(X)                                                               \
    X(UNDECIDED, "undecided", "nothing was decided")                                          \
    X(NONE, "none", "the image is accepted")                                                  \
    /* the image's form (core/boot/image) */                                                  \
    X(TRUNCATED, "truncated", "the image ends before one of its parts does")                  \
    X(TRAILING, "trailing", "the image goes on after its signature")                          \
    X(MAGIC, "magic", "this is not a VERIDIAN image")                                         \
    X(VERSION, "version", "the image has an unknown version")                                 \
    X(HEADER_SIZE, "header-size", "the header size is not 512")                               \
    X(ALGORITHM, "algorithm", "the digest algorithm is not known")                            \
    X(LIMIT, "limit", "a part is larger than its limit")                                      \
    X(OVERFLOW, "overflow", "a part's offset and size overflow")                              \
    X(OVERLAP, "overlap", "two parts overlap")                                                \
    X(RANGE, "range", "a field is out of its range")                                          \
    X(RESERVED, "reserved", "a reserved field or padding byte is not zero")                   \
    X(CMDLINE, "cmdline", "the command line is not printable ASCII, or has initrd=")          \
    X(KERNEL, "kernel", "the kernel is not an EFI program that the header describes")         \
    /* who vouches for it, and whether it is what was signed */                               \
    X(CERTIFICATE, "certificate", "a certificate is malformed or not fit for signing")        \
    X(UNTRUSTED, "untrusted", "the certificate chain does not end at the trusted root")       \
    X(SIGNATURE, "signature", "the signature does not hold for this header")                  \
    X(FORBIDDEN, "forbidden", "the image or its signer is on the forbidden list")             \
    X(DIGEST_KERNEL, "digest-kernel", "the kernel is not the one that was signed")            \
    X(DIGEST_INITRD, "digest-initrd", "the initrd is not the one that was signed")            \
    X(DIGEST_CMDLINE, "digest-cmdline", "the command line is not the one that was signed")    \
    X(DIGEST_POLICY, "digest-policy", "the boot policy is not the one that was signed")       \
    /* the boot policy (core/boot/policy) */                                                  \
    X(POLICY, "policy", "a boot policy is malformed")                                         \
    X(SECURITY_VERSION, "security-version", "the security version is below the minimum")      \
    X(SIGNER_GENERATION, "signer-generation", "the signer's generation is below the minimum") \
    X(SECURE_BOOT, "secure-boot-off", "secure boot is required and off")                      \
    X(MEASURED_BOOT, "measured-boot-off", "measured boot is required and there is no TPM")    \
    X(ENCRYPTED_STORAGE, "encrypted-storage-off", "encrypted storage is required")            \
    X(ATTESTATION, "attestation-off", "attestation is required and not possible")             \
    X(ROLLBACK, "rollback", "rollback protection is required and missing or violated")        \
    /* the machine, found by the bootloader alone */                                          \
    X(TRUST, "trust-block", "the bootloader's trust block is missing or malformed")           \
    X(FILE, "file", "the image file cannot be found or read")                                 \
    X(MEMORY, "memory", "there is not enough memory for the image")                           \
    X(MEASURE, "measure", "the TPM refused a measurement")                                    \
    X(LOAD_ADDRESS, "load-address", "the kernel was not loaded at its address")               \
    X(VARIABLE, "variable", "a firmware variable cannot be read or restored")                 \
    X(START, "start", "the firmware refused to start the kernel")                             \
    X(FAULT, "fault", "a fault of the judging program")

#define VD_BOOT_REASON_ENUMERATOR_(name, string, text) VD_BOOT_REASON_##name,
enum vd_boot_reason { VD_BOOT_REASON_TABLE(VD_BOOT_REASON_ENUMERATOR_) VD_BOOT_REASON_COUNT };
#undef VD_BOOT_REASON_ENUMERATOR_

/* The stable name ("digest-kernel"); "undecided" for a value outside the table. */
const char *vd_boot_reason_name(enum vd_boot_reason reason);

/* One English sentence; that of "undecided" for a value outside the table. */
const char *vd_boot_reason_text(enum vd_boot_reason reason);

#endif
