/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/boot/inspect.h"

#include "core/base/reader.h"
#include "core/boot/certs.h"
#include "core/boot/policy.h"
#include "lib/file.h"
#include "lib/hash.h"
#include "lib/json.h"

#include <openssl/x509.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SUBJECT_SIZE 256

/* A field's value in the form that is shown: text, or a number. */
static json_t *field_value(const struct vd_image_field *field, const uint8_t *header)
{
    struct vd_reader r;
    uint32_t u32;
    uint64_t u64;
    char hex[2 * VD_IMAGE_DIGEST_SIZE + 1];

    vd_reader_init(&r, header + field->offset, field->size);
    if (field->kind == VD_IMAGE_FIELD_U32 && vd_read_le32(&r, &u32) == VD_OK)
        return json_integer(u32);
    if (field->kind == VD_IMAGE_FIELD_U64 && vd_read_le64(&r, &u64) == VD_OK) {
        if (u64 <= INT64_MAX)
            return json_integer((json_int_t)u64);
        snprintf(hex, sizeof(hex), "0x%" PRIx64, u64);
        return json_string(hex);
    }
    if (strcmp(field->name, "magic") == 0)
        return json_stringn((const char *)header, VD_IMAGE_MAGIC_SIZE);
    vd_hex_encode(header + field->offset, field->size, hex);
    return json_string(hex);
}

static json_t *fields_json(const uint8_t *header)
{
    json_t *list = json_array();
    const struct vd_image_field *field;

    for (size_t i = 0; (field = vd_image_field(i)) != NULL; i++)
        json_array_append_new(list, json_pack("{s:s, s:i, s:i, s:o}", "name", field->name, "offset",
                                              (int)field->offset, "size", (int)field->size, "value",
                                              field_value(field, header)));
    return list;
}

static json_t *parts_json(const struct vd_image *image)
{
    json_t *list = json_array();

    for (int i = 0; i < VD_IMAGE_PART_COUNT; i++) {
        uint8_t digest[VD_SHA256_SIZE];
        char hex[2 * VD_SHA256_SIZE + 1];

        if (vd_hash(VD_HASH_SHA256, image->part[i].data, image->part[i].size, digest, NULL) !=
            VD_OK)
            continue;
        vd_hex_encode(digest, sizeof(digest), hex);
        json_array_append_new(list,
                              json_pack("{s:s, s:I, s:I, s:s}", "name", vd_image_part_name(i),
                                        "offset", (json_int_t)image->header.part[i].offset, "size",
                                        (json_int_t)image->header.part[i].size, "sha256", hex));
    }
    return list;
}

static json_t *certificates_json(const struct vd_image *image)
{
    const struct vd_span *chain = &image->part[VD_IMAGE_CERTIFICATES];
    json_t *list = json_array();
    struct vd_certs certs;

    if (vd_certs_parse(chain->data, chain->size, &certs, NULL) != VD_OK)
        return list;
    for (uint32_t i = 0; i < certs.count; i++) {
        const unsigned char *p = certs.cert[i].data;
        X509 *cert = d2i_X509(NULL, &p, (long)certs.cert[i].size);
        char subject[SUBJECT_SIZE] = "(not an X.509 certificate)";

        if (cert != NULL)
            X509_NAME_oneline(X509_get_subject_name(cert), subject, sizeof(subject));
        X509_free(cert);
        json_array_append_new(list, json_pack("{s:s, s:I}", "subject", subject, "size",
                                              (json_int_t)certs.cert[i].size));
    }
    return list;
}

/* The text form comes from the same values, so that the two cannot differ. */
static void print_text(const json_t *root)
{
    size_t i;
    json_t *item;

    printf("%-20s %6s %6s  %s\n", "field", "offset", "size", "value");
    json_array_foreach(json_object_get(root, "fields"), i, item)
    {
        const json_t *value = json_object_get(item, "value");

        printf("%-20s %6" JSON_INTEGER_FORMAT " %6" JSON_INTEGER_FORMAT "  ",
               json_string_value(json_object_get(item, "name")),
               json_integer_value(json_object_get(item, "offset")),
               json_integer_value(json_object_get(item, "size")));
        if (json_is_integer(value))
            printf("%" JSON_INTEGER_FORMAT "\n", json_integer_value(value));
        else
            printf("%s\n", json_string_value(value));
    }
    json_array_foreach(json_object_get(root, "parts"), i, item)
    {
        printf("part %-15s at %" JSON_INTEGER_FORMAT ", %" JSON_INTEGER_FORMAT " bytes\n",
               json_string_value(json_object_get(item, "name")),
               json_integer_value(json_object_get(item, "offset")),
               json_integer_value(json_object_get(item, "size")));
    }
    if (json_object_get(root, "cmdline") != NULL)
        printf("command line: %s\n", json_string_value(json_object_get(root, "cmdline")));
    json_array_foreach(json_object_get(root, "certificates"), i, item)
    {
        printf("certificate: %s\n", json_string_value(json_object_get(item, "subject")));
    }
}

static void add_parts(json_t *root, const struct vd_image *image)
{
    const struct vd_span *cmdline = &image->part[VD_IMAGE_CMDLINE];

    json_object_set_new(root, "parts", parts_json(image));
    json_object_set_new(
        root, "cmdline",
        json_stringn(cmdline->size > 0 ? (const char *)cmdline->data : "", cmdline->size));
    json_object_set_new(root, "certificates", certificates_json(image));
}

vd_status vd_boot_inspect(const char *path, bool json, struct vd_diag *diag)
{
    VD_AUTO(vd_bytes_free) struct vd_bytes file = {};
    struct vd_image image;
    enum vd_boot_reason reason;
    vd_status status;
    json_t *root;

    VD_TRY(vd_file_load(path, VD_IMAGE_MAX_BYTES, &file, diag));
    vd_diag_file(diag, path);
    status = vd_image_parse(file.data, file.size, &image, &reason, diag);
    if (status == VD_E_MAGIC || file.size < VD_IMAGE_HEADER_SIZE)
        return status;
    root = json_pack("{s:o}", "fields", fields_json(file.data));
    if (root == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    if (status == VD_OK)
        add_parts(root, &image);
    else
        json_object_set_new(root, "refused", json_string(vd_boot_reason_name(reason)));
    if (json)
        VD_TRY(vd_json_print(json_incref(root), diag));
    else
        print_text(root);
    json_decref(root);
    return status;
}
