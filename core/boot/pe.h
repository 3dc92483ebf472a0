/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Reading a PE32+ file: entry point, sections, and what Authenticode hashes.
 *
 * For the kernel (an EFI program) and the bootloader file that the tools fill
 * and predict. Only what those need is read; nothing is loaded or relocated.
 * Source: Microsoft PE/COFF specification; Authenticode_PE, "Calculating the
 * PE Image Hash". Borrowed memory, no allocation, any thread.
 */
#ifndef VD_CORE_BOOT_PE_H
#define VD_CORE_BOOT_PE_H

#include "core/boot/image.h"

#define VD_PE_SECTIONS_MAX   64u
#define VD_PE_FILE_MAX_BYTES VD_IMAGE_KERNEL_MAX_BYTES

struct vd_pe_section {
    uint8_t name[8];      /* zero-padded, not terminated */
    uint32_t file_offset; /* within the file, checked */
    uint32_t file_size;
};

struct vd_pe {
    struct vd_span file;
    uint16_t machine;     /* 0x8664: x86-64 */
    uint16_t subsystem;   /* 10: EFI application */
    uint32_t entry_point; /* relative to the load address */
    uint64_t image_base;
    uint32_t headers_size;
    uint32_t checksum_offset;            /* of the CheckSum field */
    uint32_t certificate_offset;         /* of the certificate table's directory entry */
    struct vd_image_extent certificates; /* the certificate table at the file's end; 0: none */
    uint32_t section_count;
    struct vd_pe_section section[VD_PE_SECTIONS_MAX]; /* in the order of file offsets */
};

/* Parses the headers of a file of `size` bytes at `data`; every section lies within it. */
vd_status vd_pe_parse(const void *data, size_t size, struct vd_pe *ret, struct vd_diag *diag);

/* The section of that name (8 bytes, zero-padded); NULL if there is none. */
const struct vd_pe_section *vd_pe_find(const struct vd_pe *pe, const char name[8]);

/* The pieces whose concatenation Authenticode hashes, in order. */
struct vd_pe_hashed {
    struct vd_span piece[VD_PE_SECTIONS_MAX + 4];
    uint32_t count;
};
vd_status vd_pe_hashed(const struct vd_pe *pe, struct vd_pe_hashed *ret);

#endif
