/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The system table and the services reached through it.
 *
 * Source: UEFI Specification 2.10, chapters 4 (system table), 7 (boot
 * services), 8 (runtime services), section 12.4 (simple text output). The order
 * of the members is the specification's; a service that the bootloader never
 * calls stands as a bare pointer. Offsets are asserted below.
 */
#ifndef VD_BOOTLOADER_EFI_TABLES_H
#define VD_BOOTLOADER_EFI_TABLES_H

#include "bootloader/efi/types.h"

struct efi_device_path;

struct efi_table_header {
    uint64_t signature;
    uint32_t revision;
    uint32_t header_size;
    uint32_t crc32;
    uint32_t reserved;
};

struct efi_text_output {
    void *reset;
    efi_status(EFIAPI *output_string)(struct efi_text_output *self, const efi_char16 *text);
    /* test_string and the rest of section 12.4.1: not used */
};

enum efi_allocate_type {
    EFI_ALLOCATE_ANY_PAGES,
    EFI_ALLOCATE_MAX_ADDRESS,
    EFI_ALLOCATE_ADDRESS,
};

enum efi_memory_type {
    EFI_RESERVED_MEMORY,
    EFI_LOADER_CODE,
    EFI_LOADER_DATA,
};

enum efi_reset_type {
    EFI_RESET_COLD,
    EFI_RESET_WARM,
    EFI_RESET_SHUTDOWN,
};

#define EFI_PAGE_SIZE        4096u
#define EFI_NATIVE_INTERFACE 0u

struct efi_boot_services {
    struct efi_table_header header;
    void *raise_tpl;
    void *restore_tpl;
    efi_status(EFIAPI *allocate_pages)(enum efi_allocate_type type, enum efi_memory_type memory,
                                       size_t pages, efi_physical_address *address);
    efi_status(EFIAPI *free_pages)(efi_physical_address address, size_t pages);
    void *get_memory_map;
    efi_status(EFIAPI *allocate_pool)(enum efi_memory_type memory, size_t size, void **ret);
    efi_status(EFIAPI *free_pool)(void *buffer);
    void *create_event;
    void *set_timer;
    void *wait_for_event;
    void *signal_event;
    void *close_event;
    void *check_event;
    efi_status(EFIAPI *install_protocol)(efi_handle *handle, const struct efi_guid *protocol,
                                         uint32_t interface_type, void *instance);
    void *reinstall_protocol;
    efi_status(EFIAPI *uninstall_protocol)(efi_handle handle, const struct efi_guid *protocol,
                                           void *instance);
    efi_status(EFIAPI *handle_protocol)(efi_handle handle, const struct efi_guid *protocol,
                                        void **ret);
    void *reserved;
    void *register_protocol_notify;
    void *locate_handle;
    efi_status(EFIAPI *locate_device_path)(const struct efi_guid *protocol,
                                           struct efi_device_path **path, efi_handle *ret);
    void *install_configuration_table;
    efi_status(EFIAPI *load_image)(efi_boolean boot_policy, efi_handle parent,
                                   struct efi_device_path *path, void *source, size_t source_size,
                                   efi_handle *ret);
    efi_status(EFIAPI *start_image)(efi_handle image, size_t *exit_data_size,
                                    efi_char16 **exit_data);
    void *exit;
    efi_status(EFIAPI *unload_image)(efi_handle image);
    void *exit_boot_services;
    void *get_next_monotonic_count;
    void *stall;
    void *set_watchdog_timer;
    void *connect_controller;
    void *disconnect_controller;
    void *open_protocol;
    void *close_protocol;
    void *open_protocol_information;
    void *protocols_per_handle;
    void *locate_handle_buffer;
    efi_status(EFIAPI *locate_protocol)(const struct efi_guid *protocol, void *registration,
                                        void **ret);
    /* install_multiple_protocol_interfaces and what follows: not used */
};

struct efi_runtime_services {
    struct efi_table_header header;
    void *get_time;
    void *set_time;
    void *get_wakeup_time;
    void *set_wakeup_time;
    void *set_virtual_address_map;
    void *convert_pointer;
    efi_status(EFIAPI *get_variable)(const efi_char16 *name, const struct efi_guid *vendor,
                                     uint32_t *ret_attributes, size_t *size, void *data);
    void *get_next_variable_name;
    void *set_variable;
    void *get_next_high_monotonic_count;
    void(EFIAPI *reset_system)(enum efi_reset_type type, efi_status status, size_t data_size,
                               void *data);
    /* update_capsule and what follows: not used */
};

struct efi_system_table {
    struct efi_table_header header;
    efi_char16 *firmware_vendor;
    uint32_t firmware_revision;
    efi_handle con_in_handle;
    void *con_in;
    efi_handle con_out_handle;
    struct efi_text_output *con_out;
    efi_handle std_err_handle;
    struct efi_text_output *std_err;
    struct efi_runtime_services *runtime;
    struct efi_boot_services *boot;
    size_t table_count;
    void *tables;
};

#define EFI_AT_(type, member, offset) \
    _Static_assert(offsetof(struct type, member) == (offset), #type "." #member)
EFI_AT_(efi_boot_services, allocate_pages, 40);
EFI_AT_(efi_boot_services, allocate_pool, 64);
EFI_AT_(efi_boot_services, install_protocol, 128);
EFI_AT_(efi_boot_services, handle_protocol, 152);
EFI_AT_(efi_boot_services, locate_device_path, 184);
EFI_AT_(efi_boot_services, load_image, 200);
EFI_AT_(efi_boot_services, unload_image, 224);
EFI_AT_(efi_boot_services, stall, 248);
EFI_AT_(efi_boot_services, locate_protocol, 320);
EFI_AT_(efi_runtime_services, get_variable, 72);
EFI_AT_(efi_runtime_services, set_variable, 88);
EFI_AT_(efi_runtime_services, reset_system, 104);
EFI_AT_(efi_system_table, con_out, 64);
EFI_AT_(efi_system_table, runtime, 88);
EFI_AT_(efi_system_table, boot, 96);

#endif
