/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/boot/enroll.h"

#include "lib/hash.h"
#include "tools/veridian/boot/authenticode.h"
#include "tools/veridian/boot/pki.h"

#include <jansson.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GUID_SIZE 16u

/* In the order of bytes that EFI_GUID has in memory. */
static const uint8_t guid_x509[GUID_SIZE] = {0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a,
                                             0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72};
static const uint8_t guid_sha256[GUID_SIZE] = {0x26, 0x16, 0xc4, 0xc1, 0x4c, 0x50, 0x92, 0x40,
                                               0xac, 0xa9, 0x41, 0xf9, 0x36, 0x93, 0x43, 0x28};
/* Who put an entry there: 56455249-4449-414e-8b00-000000000001. */
static const uint8_t guid_owner[GUID_SIZE] = {0x49, 0x52, 0x45, 0x56, 0x49, 0x44, 0x4e, 0x41,
                                              0x8b, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01};

#define GUID_GLOBAL   "8be4df61-93ca-11d2-aa0d-00e098032b8c"
#define GUID_SECURITY "d719b2cb-3d3a-4596-a3bc-dad00e67656f"
#define GUID_ENABLE   "f0a30bc7-af08-4556-99c4-001009c93a44"
#define GUID_CUSTOM   "c076ec0c-7028-4399-a072-71ee5c448b9f"

#define ATTR_PRIVATE       0x03 /* non-volatile, boot services */
#define ATTR_AUTHENTICATED 0x27 /* and run time, time-based authenticated */
/* EFI_TIME 2010-01-01: any later signed update is newer. */
#define FIXED_TIME "da070101000000000000000000000000"

/* SHA-256 of no bytes: firmware wants a dbx to exist, even if it forbids nothing. */
static const uint8_t sha256_of_nothing[32] = {
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55};

/* One EFI_SIGNATURE_LIST with one entry. */
static void write_list(struct vd_writer *w, const uint8_t type[GUID_SIZE], const uint8_t *data,
                       size_t size)
{
    uint32_t entry = (uint32_t)(GUID_SIZE + size);

    vd_write_bytes(w, type, GUID_SIZE);
    vd_write_le32(w, GUID_SIZE + 12 + entry);
    vd_write_le32(w, 0);
    vd_write_le32(w, entry);
    vd_write_bytes(w, guid_owner, GUID_SIZE);
    vd_write_bytes(w, data, size);
}

/* The digest by which firmware or bootloader forbid this file; VD_E_MAGIC if it is neither. */
static vd_status digest_of(const struct vd_bytes *file, uint8_t ret[32], struct vd_diag *diag)
{
    if (file->size >= VD_IMAGE_HEADER_SIZE &&
        memcmp(file->data, VD_IMAGE_MAGIC, VD_IMAGE_MAGIC_SIZE) == 0) {
        if (EVP_Digest(file->data, VD_IMAGE_HEADER_SIZE, ret, NULL, EVP_sha256(), NULL) != 1)
            return vd_pki_fail(diag, VD_E_SYSTEM, "cannot hash the header");
        return VD_OK;
    }
    if (file->size >= 2 && memcmp(file->data, "MZ", 2) == 0)
        return vd_authenticode_digest(file, VD_TPM_ALG_SHA256, ret, diag);
    return VD_E_MAGIC;
}

vd_status vd_enroll_forbid(struct vd_writer *dbx, const char *what, struct vd_diag *diag)
{
    VD_AUTO(vd_bytes_free) struct vd_bytes file = {};
    VD_AUTO(vd_bytes_free) struct vd_bytes der = {};
    uint8_t digest[32];
    vd_status status;

    if (vd_hex_decode(what, digest, sizeof(digest), NULL) == VD_OK) {
        write_list(dbx, guid_sha256, digest, sizeof(digest));
        return VD_OK;
    }
    VD_TRY(vd_file_load(what, VD_IMAGE_MAX_BYTES, &file, diag));
    status = digest_of(&file, digest, diag);
    if (status == VD_OK) {
        write_list(dbx, guid_sha256, digest, sizeof(digest));
        return VD_OK;
    }
    if (status != VD_E_MAGIC)
        return status;
    VD_TRY(vd_pki_load_cert(what, &der, diag));
    write_list(dbx, guid_x509, der.data, der.size);
    return VD_OK;
}

struct variable {
    const char *name;
    const char *guid;
    int attr;
};

static const struct variable variable_dbx = {"dbx", GUID_SECURITY, ATTR_AUTHENTICATED};
static const struct variable variable_enable = {"SecureBootEnable", GUID_ENABLE, ATTR_PRIVATE};
static const struct variable variable_custom = {"CustomMode", GUID_CUSTOM, ATTR_PRIVATE};

/* Adds one variable to the list that virt-fw-vars reads. */
static bool add_variable(json_t *list, const struct variable *v, const uint8_t *data, size_t size)
{
    char *hex = malloc(2 * size + 1);
    json_t *object;

    if (hex == NULL)
        return false;
    vd_hex_encode(data, size, hex);
    object = json_pack("{s:s, s:s, s:i, s:s}", "name", v->name, "guid", v->guid, "attr", v->attr,
                       "data", hex);
    free(hex);
    if (object != NULL && v->attr == ATTR_AUTHENTICATED &&
        json_object_set_new(object, "time", json_string(FIXED_TIME)) != 0)
        return false;
    return json_array_append_new(list, object) == 0;
}

struct certificate_row {
    struct variable variable;
    const char *file;
};

static const struct certificate_row certificate_rows[] = {
    {{"PK", GUID_GLOBAL, ATTR_AUTHENTICATED}, "PK.crt"},
    {{"KEK", GUID_GLOBAL, ATTR_AUTHENTICATED}, "KEK.crt"},
    {{"db", GUID_SECURITY, ATTR_AUTHENTICATED}, "db.crt"},
};

static vd_status add_certificates(json_t *list, const char *keys_dir, uint8_t *buf,
                                  struct vd_diag *diag)
{
    for (size_t i = 0; i < VD_COUNT(certificate_rows); i++) {
        const struct certificate_row *row = &certificate_rows[i];
        VD_AUTO(vd_bytes_free) struct vd_bytes der = {};
        char path[PATH_MAX];
        struct vd_writer w;

        VD_TRY(vd_boot_path(path, keys_dir, row->file, diag));
        VD_TRY(vd_pki_load_cert(path, &der, diag));
        vd_writer_init(&w, buf, VD_ENROLL_DBX_MAX_BYTES);
        write_list(&w, guid_x509, der.data, der.size);
        VD_TRY(vd_write_done(&w));
        if (!add_variable(list, &row->variable, buf, w.len))
            return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    }
    return VD_OK;
}

static vd_status add_dbx(json_t *list, const struct vd_boot_enroll *request, uint8_t *buf,
                         struct vd_diag *diag)
{
    struct vd_writer w;

    vd_writer_init(&w, buf, VD_ENROLL_DBX_MAX_BYTES);
    write_list(&w, guid_sha256, sha256_of_nothing, sizeof(sha256_of_nothing));
    for (size_t i = 0; i < request->forbidden_count; i++)
        VD_TRY(vd_enroll_forbid(&w, request->forbidden[i], diag));
    if (vd_write_done(&w) != VD_OK)
        return vd_diag_fail(diag, VD_E_LIMIT, "the forbidden list is larger than 64 KiB");
    if (!add_variable(list, &variable_dbx, buf, w.len))
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    return VD_OK;
}

static vd_status write_json(const struct vd_boot_enroll *request, json_t *list, const char *path,
                            struct vd_diag *diag)
{
    static const uint8_t on = 1;
    static const uint8_t off = 0;
    uint8_t *buf = malloc(VD_ENROLL_DBX_MAX_BYTES);
    vd_status status;

    if (buf == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    status = add_certificates(list, request->keys_dir, buf, diag);
    if (status == VD_OK)
        status = add_dbx(list, request, buf, diag);
    free(buf);
    VD_TRY(status);
    if (!add_variable(list, &variable_enable, &on, 1) ||
        !add_variable(list, &variable_custom, &off, 1))
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");

    json_t *root = json_pack("{s:i, s:O}", "version", 2, "variables", list);
    char *text = root != NULL ? json_dumps(root, JSON_COMPACT) : NULL;
    status = text != NULL ? vd_boot_file_store_new(path, 0600, text, strlen(text), diag)
                          : vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    free(text);
    json_decref(root);
    return status;
}

vd_status vd_boot_enroll(const struct vd_boot_enroll *request, const char *scratch, const char *out,
                         struct vd_diag *diag)
{
    char json[PATH_MAX];
    json_t *list;
    vd_status status;

    if (access(request->base, R_OK) != 0) {
        vd_diag_file(diag, request->base);
        return vd_diag_fail(diag, VD_E_MISSING,
                            "the firmware's empty variable store is needed; package ovmf has one");
    }
    VD_TRY(vd_boot_path(json, scratch, "vars.json", diag));
    list = json_array();
    status = write_json(request, list, json, diag);
    json_decref(list);
    VD_TRY(status);
    const char *argv[] = {request->virt_fw_vars, "-l", "warning", "-i", request->base,
                          "--set-json",          json, "-o",      out,  NULL};
    return vd_boot_spawn(argv, "python3-virt-firmware", diag);
}
