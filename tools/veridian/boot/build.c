/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/boot/build.h"

#include "core/boot/pe.h"
#include "core/boot/trust.h"
#include "lib/diagf.h"
#include "lib/hash.h"
#include "tools/veridian/boot/authenticode.h"
#include "tools/veridian/boot/pki.h"
#include "tools/veridian/boot/policy_text.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ESP_MIN_BYTES    (64u << 20) /* FAT32 needs room for its many clusters */
#define ESP_SLACK_BYTES  (8u << 20)
#define ESP_SERIAL       "56444253" /* fixed, for equal bytes */
#define LOADER_MAX_BYTES (16u << 20)

/* The parts of an image in memory. */
struct parts {
    struct vd_bytes part[VD_IMAGE_PART_COUNT];
};

static void free_parts(struct parts *parts)
{
    for (size_t i = 0; i < VD_IMAGE_PART_COUNT; i++)
        vd_bytes_free(&parts->part[i]);
}

static vd_status copy_bytes(const void *data, size_t size, struct vd_bytes *ret,
                            struct vd_diag *diag)
{
    ret->data = malloc(size + 1);
    if (ret->data == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    memcpy(ret->data, data, size);
    ret->size = size;
    return VD_OK;
}

static vd_status check_cmdline(const char *cmdline, struct vd_diag *diag)
{
    struct vd_span text = {.data = (const uint8_t *)cmdline, .size = strlen(cmdline)};
    const char *why;
    size_t at = vd_image_cmdline_fault(&text, &why);

    if (why == NULL)
        return VD_OK;
    vd_diag_file(diag, "--cmdline");
    return vd_diag_fail_at(diag, VD_E_RANGE, at, why);
}

static vd_status load_image_policy(const char *path, struct vd_bytes *ret, struct vd_diag *diag)
{
    struct vd_boot_policy policy;
    uint8_t encoded[VD_BOOT_POLICY_SIZE];

    VD_TRY(vd_boot_policy_load(path, &policy, diag));
    vd_boot_policy_encode(&policy, encoded);
    return copy_bytes(encoded, sizeof(encoded), ret, diag);
}

static vd_status load_parts(const struct vd_boot_build *request, const struct vd_pki_pair *signer,
                            struct parts *parts, struct vd_diag *diag)
{
    struct vd_bytes *part = parts->part;
    static const uint8_t unsigned_yet[VD_IMAGE_SIGNATURE_SIZE];

    VD_TRY(check_cmdline(request->cmdline, diag));
    VD_TRY(vd_file_load(request->kernel, VD_IMAGE_KERNEL_MAX_BYTES, &part[VD_IMAGE_KERNEL], diag));
    if (part[VD_IMAGE_KERNEL].size == 0) {
        vd_diag_file(diag, request->kernel);
        return vd_diag_fail(diag, VD_E_INVALID, "the kernel is an empty file");
    }
    if (request->initrd != NULL)
        VD_TRY(
            vd_file_load(request->initrd, VD_IMAGE_INITRD_MAX_BYTES, &part[VD_IMAGE_INITRD], diag));
    VD_TRY(copy_bytes(request->cmdline, strlen(request->cmdline), &part[VD_IMAGE_CMDLINE], diag));
    if (request->image_policy != NULL)
        VD_TRY(load_image_policy(request->image_policy, &part[VD_IMAGE_POLICY], diag));
    VD_TRY(vd_pki_cert_der(signer->cert, &part[VD_IMAGE_CERTIFICATES], diag));
    return copy_bytes(unsigned_yet, sizeof(unsigned_yet), &part[VD_IMAGE_SIGNATURE], diag);
}

static vd_status fill_header(const struct vd_boot_build *request, const struct parts *parts,
                             struct vd_image_header *header, uint64_t *ret_size,
                             struct vd_diag *diag)
{
    *header = (struct vd_image_header){
        .security_version = request->security_version,
        .signer_generation = request->signer_generation,
    };
    if (request->root_hash != NULL) {
        vd_diag_file(diag, "--root-hash");
        VD_TRY(vd_hex_decode(request->root_hash, header->root_hash, VD_IMAGE_ROOT_HASH_SIZE, diag));
        if (diag != NULL)
            diag->file[0] = '\0';
        header->root_hash_size = VD_IMAGE_ROOT_HASH_SIZE;
    }
    for (size_t i = 0; i < VD_IMAGE_PART_COUNT; i++)
        header->part[i].size = parts->part[i].size;
    for (size_t i = 0; i < VD_IMAGE_PAYLOAD_COUNT; i++)
        VD_TRY(vd_hash(VD_HASH_SHA256, parts->part[i].data, parts->part[i].size, header->digest[i],
                       diag));
    return vd_image_layout(header, ret_size, diag);
}

/* Header and parts at their offsets; the gaps stay holes, which read as zero. */
static bool write_parts(int fd, const uint8_t *encoded, const struct vd_image_header *header,
                        const struct parts *parts)
{
    if (vd_fd_write(fd, encoded, VD_IMAGE_HEADER_SIZE) != VD_OK)
        return false;
    for (size_t i = 0; i < VD_IMAGE_PART_COUNT; i++) {
        if (parts->part[i].size == 0)
            continue;
        if (lseek(fd, (off_t)header->part[i].offset, SEEK_SET) < 0 ||
            vd_fd_write(fd, parts->part[i].data, parts->part[i].size) != VD_OK)
            return false;
    }
    return fsync(fd) == 0;
}

static vd_status build_image(const struct vd_boot_build *request, const char *path,
                             uint64_t *ret_size, struct vd_diag *diag)
{
    VD_AUTO(vd_pki_pair_free) struct vd_pki_pair signer = {};
    VD_AUTO(free_parts) struct parts parts = {};
    VD_AUTO(vd_fd_close) int fd = -1;
    struct vd_image_header header;
    uint8_t encoded[VD_IMAGE_HEADER_SIZE];

    VD_TRY(vd_pki_load(request->keys_dir, "image", &signer, diag));
    VD_TRY(load_parts(request, &signer, &parts, diag));
    VD_TRY(fill_header(request, &parts, &header, ret_size, diag));
    vd_image_encode_header(&header, encoded);
    VD_TRY(vd_pki_sign_header(signer.key, encoded, parts.part[VD_IMAGE_SIGNATURE].data, diag));
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0 || !write_parts(fd, encoded, &header, &parts)) {
        vd_diag_file(diag, path);
        return vd_diag_fail(diag, VD_E_IO, "cannot write the image");
    }
    return VD_OK;
}

static vd_status load_policy(const struct vd_boot_build *request, struct vd_boot_policy *ret,
                             struct vd_diag *diag)
{
    *ret = (struct vd_boot_policy){
        .required_capabilities = VD_BOOT_CAP_SECURE_BOOT | VD_BOOT_CAP_MEASURED_BOOT,
    };
    return request->policy != NULL ? vd_boot_policy_load(request->policy, ret, diag) : VD_OK;
}

/* Fills the section's placeholder in the file's bytes; a filled one is not touched. */
static vd_status fill_trust(struct vd_bytes *efi, const struct vd_boot_build *request,
                            struct vd_diag *diag)
{
    VD_AUTO(vd_bytes_free) struct vd_bytes root = {};
    struct vd_pe pe;
    const struct vd_pe_section *section;
    struct vd_boot_policy policy;
    struct vd_trust trust;
    char path[PATH_MAX];
    struct vd_span der;

    VD_TRY(vd_pe_parse(efi->data, efi->size, &pe, diag));
    section = vd_pe_find(&pe, VD_TRUST_SECTION);
    if (section == NULL || section->file_size < VD_TRUST_CAPACITY)
        return vd_diag_fail(diag, VD_E_NOT_FOUND,
                            "the bootloader has no section .vdtrust of 8192 bytes");
    if (vd_trust_parse(efi->data + section->file_offset, VD_TRUST_CAPACITY, &trust, NULL) !=
        VD_E_NOT_FOUND)
        return vd_diag_fail_at(diag, VD_E_INVALID, section->file_offset,
                               "the bootloader's trust block is not the empty placeholder");
    VD_TRY(load_policy(request, &policy, diag));
    VD_TRY(vd_boot_path(path, request->keys_dir, "root.crt", diag));
    VD_TRY(vd_pki_load_cert(path, &root, diag));
    der = (struct vd_span){.data = root.data, .size = root.size};
    return vd_trust_encode(&der, &policy, efi->data + section->file_offset, diag);
}

static vd_status build_loader(const struct vd_boot_build *request, const char *path,
                              struct vd_diag *diag)
{
    VD_AUTO(vd_bytes_free) struct vd_bytes efi = {};
    VD_AUTO(vd_bytes_free) struct vd_bytes signed_efi = {};
    VD_AUTO(vd_pki_pair_free) struct vd_pki_pair db = {};
    vd_status status;

    VD_TRY(vd_pki_load(request->keys_dir, "db", &db, diag));
    VD_TRY(vd_file_load(request->bootloader, LOADER_MAX_BYTES, &efi, diag));
    status = fill_trust(&efi, request, diag);
    if (status == VD_OK)
        status = vd_authenticode_sign(&efi, &db, &signed_efi, diag);
    if (status != VD_OK) {
        vd_diag_file(diag, request->bootloader);
        return status;
    }
    return vd_boot_file_store_new(path, 0644, signed_efi.data, signed_efi.size, diag);
}

/* A FAT file system without a partition table, which firmware takes as it is. */
static vd_status build_esp(const char *esp, const char *loader, const char *image,
                           uint64_t image_size, struct vd_diag *diag)
{
    uint64_t size = image_size + LOADER_MAX_BYTES + ESP_SLACK_BYTES;
    VD_AUTO(vd_fd_close) int fd = open(esp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

    size = size < ESP_MIN_BYTES ? ESP_MIN_BYTES : (size + 0xfffff) & ~(uint64_t)0xfffff;
    if (fd < 0 || ftruncate(fd, (off_t)size) != 0) {
        vd_diag_file(diag, esp);
        return vd_diag_fail(diag, VD_E_IO, "cannot make the EFI system partition");
    }
    const char *format[] = {"mformat",  "-i", esp,        "-F", "-v",
                            "VERIDIAN", "-N", ESP_SERIAL, "::", NULL};
    const char *dirs[] = {"mmd", "-i", esp, "::/EFI", "::/EFI/BOOT", NULL};
    const char *put_loader[] = {"mcopy", "-i", esp, loader, "::/EFI/BOOT/" VD_BOOT_LOADER_FILE,
                                NULL};
    const char *put_image[] = {"mcopy", "-i", esp, image, "::/" VD_BOOT_IMAGE_FILE, NULL};

    VD_TRY(vd_boot_spawn(format, "mtools", diag));
    VD_TRY(vd_boot_spawn(dirs, "mtools", diag));
    VD_TRY(vd_boot_spawn(put_loader, "mtools", diag));
    return vd_boot_spawn(put_image, "mtools", diag);
}

vd_status vd_boot_build(const struct vd_boot_build *request, struct vd_diag *diag)
{
    static const char *const names[] = {VD_BOOT_IMAGE_FILE, VD_BOOT_LOADER_FILE, VD_BOOT_ESP_FILE,
                                        VD_BOOT_VARS_FILE, NULL};
    VD_AUTO(vd_boot_stage_done) struct vd_boot_stage stage = {};
    struct vd_boot_enroll enroll = {
        .keys_dir = request->keys_dir,
        .base = request->vars,
        .virt_fw_vars = request->virt_fw_vars,
    };
    char image[PATH_MAX];
    char loader[PATH_MAX];
    char esp[PATH_MAX];
    char vars[PATH_MAX];
    uint64_t size = 0;

    VD_TRY(vd_boot_stage_init(&stage, request->out, diag));
    VD_TRY(vd_boot_path(image, stage.dir, VD_BOOT_IMAGE_FILE, diag));
    VD_TRY(vd_boot_path(loader, stage.dir, VD_BOOT_LOADER_FILE, diag));
    VD_TRY(vd_boot_path(esp, stage.dir, VD_BOOT_ESP_FILE, diag));
    VD_TRY(vd_boot_path(vars, stage.dir, VD_BOOT_VARS_FILE, diag));
    VD_TRY(build_image(request, image, &size, diag));
    VD_TRY(build_loader(request, loader, diag));
    VD_TRY(build_esp(esp, loader, image, size, diag));
    VD_TRY(vd_boot_enroll(&enroll, stage.dir, vars, diag));
    return vd_boot_stage_commit(&stage, names, diag);
}
