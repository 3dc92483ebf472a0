/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The VERIDIAN image: one file with kernel, initrd, command line and boot
 * policy, and a 512-byte header whose signature covers them all.
 *
 * Use: vd_image_parse over the whole file in memory gives a view whose parts
 * borrow that memory; core/boot/judge decides about it. To write one: fill the
 * sizes and digests of a header, vd_image_layout, vd_image_encode_header, sign
 * the 512 bytes, write the parts at their offsets.
 *
 * Parsing checks form only: no digest, no signature. The layout is canonical:
 * a given set of parts has exactly one encoding, so nothing can hide between
 * them. Source: docs/formats/image.md. No memory is allocated; any thread.
 */
#ifndef VD_CORE_BOOT_IMAGE_H
#define VD_CORE_BOOT_IMAGE_H

#include "core/base/diag.h"
#include "core/boot/reason.h"

#define VD_IMAGE_MAGIC             "VERIDIAN"
#define VD_IMAGE_MAGIC_SIZE        8u
#define VD_IMAGE_VERSION           2u
#define VD_IMAGE_HEADER_SIZE       512u
#define VD_IMAGE_RESERVED_OFFSET   276u
#define VD_IMAGE_SIGNATURE_SIZE    96u /* r || s, big-endian, 48 bytes each */
#define VD_IMAGE_DIGEST_SIZE       32u
#define VD_IMAGE_DIGEST_SHA256     1u
#define VD_IMAGE_ROOT_HASH_SIZE    32u
#define VD_IMAGE_ALIGNMENT         8u
#define VD_IMAGE_KERNEL_MAX_BYTES  (256u << 20)
#define VD_IMAGE_INITRD_MAX_BYTES  (1u << 30)
#define VD_IMAGE_CMDLINE_MAX_BYTES 4096u
#define VD_IMAGE_POLICY_MAX_BYTES  (64u << 10)
#define VD_IMAGE_CERTS_MAX_BYTES   (32u << 10)
/* No valid image is larger: a loader may refuse the file before it reads it. */
#define VD_IMAGE_MAX_BYTES                                                               \
    (VD_IMAGE_HEADER_SIZE + VD_IMAGE_KERNEL_MAX_BYTES + VD_IMAGE_INITRD_MAX_BYTES +      \
     VD_IMAGE_CMDLINE_MAX_BYTES + VD_IMAGE_POLICY_MAX_BYTES + VD_IMAGE_CERTS_MAX_BYTES + \
     VD_IMAGE_SIGNATURE_SIZE + 6u * VD_IMAGE_ALIGNMENT)

/* The parts in the order in which they stand in the file. */
enum vd_image_part {
    VD_IMAGE_KERNEL,
    VD_IMAGE_INITRD,
    VD_IMAGE_CMDLINE,
    VD_IMAGE_POLICY,
    VD_IMAGE_CERTIFICATES,
    VD_IMAGE_SIGNATURE,
    VD_IMAGE_PART_COUNT,
};
#define VD_IMAGE_PAYLOAD_COUNT 4u /* the first four have a digest in the header */

/* Where a part stands. A part of size 0 is absent and has offset 0. */
struct vd_image_extent {
    uint64_t offset; /* from the file's start, in bytes */
    uint64_t size;   /* in bytes */
};

/* The header's content, in the host's order. */
struct vd_image_header {
    struct vd_image_extent part[VD_IMAGE_PART_COUNT];
    uint8_t digest[VD_IMAGE_PAYLOAD_COUNT][VD_IMAGE_DIGEST_SIZE]; /* SHA-256 of each payload */
    uint64_t entry_point;  /* 0, or what the kernel's PE header must say */
    uint64_t load_address; /* 0: anywhere; else where the firmware must have put the kernel */
    uint32_t flags;        /* none is defined: 0 */
    uint32_t security_version;
    uint32_t signer_generation;
    uint32_t root_hash_size;                    /* 0 or 32 */
    uint8_t root_hash[VD_IMAGE_ROOT_HASH_SIZE]; /* dm-verity root; zero where the size is 0 */
};

/* Bytes lent from the image. */
struct vd_span {
    const uint8_t *data; /* NULL where size is 0 */
    size_t size;
};

/* A parsed image; everything in it borrows the memory that was parsed. */
struct vd_image {
    struct vd_image_header header;
    struct vd_span header_bytes; /* the 512 bytes that are signed */
    struct vd_span part[VD_IMAGE_PART_COUNT];
};

/*
 * Parses and checks an image of `size` bytes at `data` (borrowed; any
 * alignment). On failure `ret_reason` (not NULL) tells the rule that was
 * broken, `diag` the byte offset and the expectation, and `ret` is untouched;
 * on success `ret_reason` is untouched. Cost: constant but for the command
 * line and padding.
 */
vd_status vd_image_parse(const void *data, size_t size, struct vd_image *ret,
                         enum vd_boot_reason *ret_reason, struct vd_diag *diag);

/*
 * Reads and checks the header alone against a file of `file_size` bytes:
 * everything vd_image_parse checks except the parts' content. `data` are
 * VD_IMAGE_HEADER_SIZE bytes. For loaders that size their buffers first.
 */
vd_status vd_image_parse_header(const void *data, size_t size, uint64_t file_size,
                                struct vd_image_header *ret, enum vd_boot_reason *ret_reason,
                                struct vd_diag *diag);

/*
 * Fills in every part's offset from the parts' sizes, and the file's size.
 * Fails with VD_E_LIMIT or VD_E_RANGE where a size is not allowed.
 */
vd_status vd_image_layout(struct vd_image_header *header, uint64_t *ret_file_size,
                          struct vd_diag *diag);

/* Encodes the header: the bytes that get signed. Does not check it. */
void vd_image_encode_header(const struct vd_image_header *header,
                            uint8_t ret[VD_IMAGE_HEADER_SIZE]);

/* The part's name as in messages ("kernel"); "?" outside the enumeration. */
const char *vd_image_part_name(enum vd_image_part part);

/* The largest size allowed for a part, in bytes; 0 outside the enumeration. */
uint64_t vd_image_part_max(enum vd_image_part part);

/* How a header field is read. */
enum vd_image_field_kind {
    VD_IMAGE_FIELD_U32,
    VD_IMAGE_FIELD_U64,
    VD_IMAGE_FIELD_BYTES,
};

/* A row of the header's layout: the one table that parser, encoder and inspection use. */
struct vd_image_field {
    const char *name;
    uint32_t offset; /* in the header */
    uint32_t size;   /* in bytes */
    enum vd_image_field_kind kind;
};

/* Field `index` in the order of offsets; NULL after the last. */
const struct vd_image_field *vd_image_field(size_t index);

/*
 * Where a command line must not be as it is, and why: bytes that are not printable
 * ASCII, or the option `initrd=`, whose file nobody would verify or measure. The
 * command line's size, and NULL in `ret_why`, if it is good.
 */
size_t vd_image_cmdline_fault(const struct vd_span *cmdline, const char **ret_why);

#endif
