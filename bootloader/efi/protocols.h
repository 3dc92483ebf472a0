/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The protocols that the bootloader speaks, and their GUIDs.
 *
 * Source: UEFI Specification 2.10, sections 9.2 (loaded image), 10.2 (device
 * path), 13.2 (load file 2), 13.4 and 13.5 (simple file system, file); UEFI
 * Platform Initialization Specification 1.8, volume 2, sections 12.9 (security)
 * and 12.10 (security 2); TCG EFI Protocol Specification, family 2.0, revision
 * 1.00 (TCG2). The initrd media GUID is the Linux boot protocol's.
 */
#ifndef VD_BOOTLOADER_EFI_PROTOCOLS_H
#define VD_BOOTLOADER_EFI_PROTOCOLS_H

#include "bootloader/efi/tables.h"

struct efi_device_path {
    uint8_t type;
    uint8_t subtype;
    uint8_t length[2]; /* little-endian, with this header */
};

#define EFI_PATH_HARDWARE     0x01u
#define EFI_PATH_HW_MEMORY    0x03u /* memory mapped */
#define EFI_PATH_MEDIA        0x04u
#define EFI_PATH_MEDIA_VENDOR 0x03u
#define EFI_PATH_END          0x7fu
#define EFI_PATH_END_WHOLE    0xffu
#define EFI_PATH_LENGTH(size_)                           \
    {                                                    \
        (uint8_t)((size_)&0xff), (uint8_t)((size_) >> 8) \
    }

struct efi_loaded_image {
    uint32_t revision;
    efi_handle parent;
    struct efi_system_table *system;
    efi_handle device;
    struct efi_device_path *file_path;
    void *reserved;
    uint32_t load_options_size; /* in bytes, with the terminating zero */
    void *load_options;
    void *image_base;
    uint64_t image_size;
    enum efi_memory_type code_type;
    enum efi_memory_type data_type;
    void *unload;
};

struct efi_load_file2 {
    efi_status(EFIAPI *load_file)(struct efi_load_file2 *self, struct efi_device_path *path,
                                  efi_boolean boot_policy, size_t *size, void *buffer);
};

#define EFI_FILE_MODE_READ 1ull

struct efi_file {
    uint64_t revision;
    efi_status(EFIAPI *open)(struct efi_file *self, struct efi_file **ret, const efi_char16 *name,
                             uint64_t mode, uint64_t attributes);
    efi_status(EFIAPI *close)(struct efi_file *self);
    void *delete_file;
    efi_status(EFIAPI *read)(struct efi_file *self, size_t *size, void *buffer);
    void *write;
    efi_status(EFIAPI *get_position)(struct efi_file *self, uint64_t *ret);
    efi_status(EFIAPI *set_position)(struct efi_file *self, uint64_t position);
    void *get_info;
    /* set_info and what follows: not used */
};
/* set_position to this goes to the file's end; get_position then tells its size. */
#define EFI_FILE_END UINT64_MAX

struct efi_file_system {
    uint64_t revision;
    efi_status(EFIAPI *open_volume)(struct efi_file_system *self, struct efi_file **ret);
};

struct efi_security {
    efi_status(EFIAPI *authenticate_state)(const struct efi_security *self, uint32_t status,
                                           const struct efi_device_path *path);
};

struct efi_security2 {
    efi_status(EFIAPI *authenticate)(const struct efi_security2 *self,
                                     const struct efi_device_path *path, void *buffer, size_t size,
                                     efi_boolean boot_policy);
};

struct efi_tcg2_capability {
    uint8_t size;
    uint8_t structure_version[2];
    uint8_t protocol_version[2];
    uint32_t hash_algorithms;
    uint32_t log_formats;
    efi_boolean tpm_present;
    uint16_t max_command_size;
    uint16_t max_response_size;
    uint32_t manufacturer;
    uint32_t bank_count;
    uint32_t active_banks; /* bits of EFI_TCG2_BANK_… */
};
#define EFI_TCG2_BANK_SHA1   0x01u
#define EFI_TCG2_BANK_SHA256 0x02u
#define EFI_TCG2_BANK_SHA384 0x04u

/* Followed by the event's data; `size` counts everything. */
struct efi_tcg2_event {
    uint32_t size;
    uint32_t header_size;
    uint16_t header_version;
    uint32_t pcr;
    uint32_t event_type;
} __attribute__((packed));
#define EFI_TCG2_EVENT_HEADER_SIZE    14u
#define EFI_TCG2_EVENT_HEADER_VERSION 1u
#define EFI_TCG2_LOG_CRYPTO_AGILE     0x02u

struct efi_tcg2 {
    efi_status(EFIAPI *get_capability)(struct efi_tcg2 *self, struct efi_tcg2_capability *ret);
    void *get_event_log;
    efi_status(EFIAPI *hash_log_extend)(struct efi_tcg2 *self, uint64_t flags,
                                        efi_physical_address data, uint64_t size,
                                        struct efi_tcg2_event *event);
    /* submit_command and what follows: not used */
};

EFI_AT_(efi_loaded_image, load_options_size, 48);
EFI_AT_(efi_loaded_image, image_base, 64);
EFI_AT_(efi_file, read, 32);
EFI_AT_(efi_file, set_position, 56);
EFI_AT_(efi_tcg2_capability, tpm_present, 16);
EFI_AT_(efi_tcg2_capability, active_banks, 32);
_Static_assert(sizeof(struct efi_tcg2_event) == 4 + EFI_TCG2_EVENT_HEADER_SIZE, "TCG2 event");

#define EFI_VARIABLE_NON_VOLATILE 0x1u

#define EFI_GLOBAL_VARIABLE_GUID                           \
    {                                                      \
        0x8be4df61, 0x93ca, 0x11d2,                        \
        {                                                  \
            0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c \
        }                                                  \
    }
#define EFI_IMAGE_SECURITY_DATABASE_GUID                   \
    {                                                      \
        0xd719b2cb, 0x3d3a, 0x4596,                        \
        {                                                  \
            0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f \
        }                                                  \
    }
#define EFI_DEVICE_PATH_GUID                               \
    {                                                      \
        0x09576e91, 0x6d3f, 0x11d2,                        \
        {                                                  \
            0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b \
        }                                                  \
    }
#define EFI_LOADED_IMAGE_GUID                              \
    {                                                      \
        0x5b1b31a1, 0x9562, 0x11d2,                        \
        {                                                  \
            0x8e, 0x3f, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b \
        }                                                  \
    }
#define EFI_FILE_SYSTEM_GUID                               \
    {                                                      \
        0x964e5b22, 0x6459, 0x11d2,                        \
        {                                                  \
            0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b \
        }                                                  \
    }
#define EFI_LOAD_FILE2_GUID                                \
    {                                                      \
        0x4006c0c1, 0xfcb3, 0x403e,                        \
        {                                                  \
            0x99, 0x6d, 0x4a, 0x6c, 0x87, 0x24, 0xe0, 0x6d \
        }                                                  \
    }
#define EFI_SECURITY_GUID                                  \
    {                                                      \
        0xa46423e3, 0x4617, 0x49f1,                        \
        {                                                  \
            0xb9, 0xff, 0xd1, 0xbf, 0xa9, 0x11, 0x58, 0x39 \
        }                                                  \
    }
#define EFI_SECURITY2_GUID                                 \
    {                                                      \
        0x94ab2f58, 0x1438, 0x4ef1,                        \
        {                                                  \
            0x91, 0x52, 0x18, 0x94, 0x1a, 0x3a, 0x0e, 0x68 \
        }                                                  \
    }
#define EFI_TCG2_GUID                                      \
    {                                                      \
        0x607f766c, 0x7455, 0x42be,                        \
        {                                                  \
            0x93, 0x0b, 0xe4, 0xd7, 0x6d, 0xb2, 0x72, 0x0f \
        }                                                  \
    }
#define LINUX_INITRD_MEDIA_GUID                            \
    {                                                      \
        0x5568e427, 0x68fc, 0x4f3d,                        \
        {                                                  \
            0xac, 0x74, 0xca, 0x55, 0x52, 0x31, 0xcc, 0x68 \
        }                                                  \
    }

#endif
