/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "lib/keyclient/wire.h"

#include <string.h>

#include "core/base/mem.h"

static vd_status wrong(const struct vd_reader *r, struct vd_diag *diag, vd_status status,
                       const char *text)
{
    return vd_diag_fail_at(diag, status, vd_reader_offset(r), text);
}

static vd_status short_of(const struct vd_reader *r, struct vd_diag *diag)
{
    return wrong(r, diag, VD_E_TRUNCATED, "the payload ends too early");
}

vd_status vd_key_read_u8(struct vd_reader *r, uint8_t *ret, struct vd_diag *diag)
{
    return vd_read_u8(r, ret) == VD_OK ? VD_OK : short_of(r, diag);
}

vd_status vd_key_read_u16(struct vd_reader *r, uint16_t *ret, struct vd_diag *diag)
{
    return vd_read_le16(r, ret) == VD_OK ? VD_OK : short_of(r, diag);
}

vd_status vd_key_read_u32(struct vd_reader *r, uint32_t *ret, struct vd_diag *diag)
{
    return vd_read_le32(r, ret) == VD_OK ? VD_OK : short_of(r, diag);
}

vd_status vd_key_read_u64(struct vd_reader *r, uint64_t *ret, struct vd_diag *diag)
{
    return vd_read_le64(r, ret) == VD_OK ? VD_OK : short_of(r, diag);
}

vd_status vd_key_read_end(struct vd_reader *r, struct vd_diag *diag)
{
    return vd_read_done(r) == VD_OK
               ? VD_OK
               : wrong(r, diag, VD_E_TRAILING, "the payload goes on behind its end");
}

void vd_key_write_text(struct vd_writer *w, const char *text)
{
    size_t size = strlen(text);

    vd_write_le16(w, (uint16_t)size);
    vd_write_bytes(w, text, size);
}

vd_status vd_key_read_text(struct vd_reader *r, size_t max, char *ret, struct vd_diag *diag)
{
    const uint8_t *bytes;
    uint16_t size;

    VD_TRY(vd_key_read_u16(r, &size, diag));
    if (size > max)
        return wrong(r, diag, VD_E_LIMIT, "a text is longer than it may be");
    if (vd_read_bytes(r, size, &bytes) != VD_OK)
        return short_of(r, diag);
    if (memchr(bytes, 0, size) != NULL)
        return wrong(r, diag, VD_E_INVALID, "a text has a NUL");
    vd_copy(ret, bytes, size);
    ret[size] = '\0';
    return VD_OK;
}

void vd_key_write_data(struct vd_writer *w, const void *data, size_t size)
{
    vd_write_le32(w, (uint32_t)size);
    vd_write_bytes(w, data, size);
}

vd_status vd_key_read_data(struct vd_reader *r, const uint8_t **ret, size_t *ret_size,
                           struct vd_diag *diag)
{
    uint32_t size;

    VD_TRY(vd_key_read_u32(r, &size, diag));
    if (vd_read_bytes(r, size, ret) != VD_OK)
        return short_of(r, diag);
    *ret_size = size;
    return VD_OK;
}

bool vd_key_name_valid(const char *name, size_t max, bool colon)
{
    size_t size = strnlen(name, max + 1);

    if (size == 0 || size > max)
        return false;
    for (size_t i = 0; i < size; i++) {
        char c = name[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && c != '.' && c != '_' && c != '-' && c != '/' && !(colon && c == ':'))
            return false;
    }
    return true;
}

static void write_part(struct vd_writer *w, const struct vd_key_part *part)
{
    vd_write_le32(w, part->buffer);
    vd_write_le32(w, (uint32_t)part->size);
    if (part->buffer != 0)
        vd_write_le64(w, part->offset);
    else
        vd_write_bytes(w, part->data, part->data != NULL ? part->size : 0);
}

static vd_status read_part(struct vd_reader *r, struct vd_key_part *ret, struct vd_diag *diag)
{
    uint32_t size;

    *ret = (struct vd_key_part){};
    VD_TRY(vd_key_read_u32(r, &ret->buffer, diag));
    VD_TRY(vd_key_read_u32(r, &size, diag));
    ret->size = size;
    if (ret->buffer != 0) {
        VD_TRY(vd_key_read_u64(r, &ret->offset, diag));
        if (size > VD_KEY_BUFFER_BYTES || ret->offset > VD_KEY_BUFFER_BYTES - size)
            return wrong(r, diag, VD_E_LIMIT, "a part lies outside every buffer");
        return VD_OK;
    }
    return vd_read_bytes(r, size, &ret->data) == VD_OK ? VD_OK : short_of(r, diag);
}

void vd_key_write_op(struct vd_writer *w, const struct vd_key_op *op)
{
    struct vd_key_part out = {.buffer = op->out.buffer,
                              .offset = op->out.offset,
                              .size = op->out.buffer != 0 ? op->out.size : 0};

    vd_write_le32(w, op->handle);
    vd_write_le32(w, op->version);
    vd_write_le16(w, op->mechanism);
    vd_write_le16(w, op->form);
    vd_write_le32(w, op->length);
    vd_write_le32(w, op->other);
    write_part(w, &op->text);
    write_part(w, &op->aux);
    write_part(w, &op->extra);
    write_part(w, &out);
}

vd_status vd_key_read_op(struct vd_reader *r, struct vd_key_op *ret, struct vd_diag *diag)
{
    VD_TRY(vd_key_read_u32(r, &ret->handle, diag));
    VD_TRY(vd_key_read_u32(r, &ret->version, diag));
    VD_TRY(vd_key_read_u16(r, &ret->mechanism, diag));
    VD_TRY(vd_key_read_u16(r, &ret->form, diag));
    VD_TRY(vd_key_read_u32(r, &ret->length, diag));
    VD_TRY(vd_key_read_u32(r, &ret->other, diag));
    VD_TRY(read_part(r, &ret->text, diag));
    VD_TRY(read_part(r, &ret->aux, diag));
    VD_TRY(read_part(r, &ret->extra, diag));
    VD_TRY(read_part(r, &ret->out, diag));
    if (ret->version > VD_KEY_VERSIONS_MAX)
        return wrong(r, diag, VD_E_RANGE, "no key has so many versions");
    if (ret->out.buffer == 0 && ret->out.size != 0)
        return wrong(r, diag, VD_E_RESERVED, "a result in the frame has no size yet");
    return VD_OK;
}

void vd_key_write_result(struct vd_writer *w, const struct vd_key_result *result)
{
    vd_write_le32(w, result->version);
    vd_write_le32(w, result->number);
    write_part(w, &result->out);
    write_part(w, &result->second);
}

vd_status vd_key_read_result(struct vd_reader *r, struct vd_key_result *ret, struct vd_diag *diag)
{
    VD_TRY(vd_key_read_u32(r, &ret->version, diag));
    VD_TRY(vd_key_read_u32(r, &ret->number, diag));
    VD_TRY(read_part(r, &ret->out, diag));
    return read_part(r, &ret->second, diag);
}

void vd_key_write_attributes(struct vd_writer *w, const struct vd_key_attributes *a)
{
    vd_key_write_text(w, a->name);
    vd_key_write_text(w, a->domain);
    vd_key_write_text(w, a->service);
    vd_key_write_text(w, a->label);
    vd_write_le16(w, a->type);
    vd_write_le32(w, a->usages);
    vd_write_le32(w, a->flags);
    vd_write_le32(w, a->min_decrypt_version);
    vd_write_le64(w, a->not_before);
    vd_write_le64(w, a->not_after);
    vd_write_le64(w, a->usage_limit);
}

static vd_status check_names(const struct vd_reader *r, const struct vd_key_attributes *a,
                             struct vd_diag *diag)
{
    if (a->name[0] != '\0' && !vd_key_name_valid(a->name, VD_KEY_NAME_MAX, false))
        return wrong(r, diag, VD_E_INVALID, "a key's name has letters, digits, . _ - and / alone");
    if ((a->domain[0] != '\0' && !vd_key_name_valid(a->domain, VD_KEY_DOMAIN_MAX, false)) ||
        (a->service[0] != '\0' && !vd_key_name_valid(a->service, VD_KEY_DOMAIN_MAX, false)))
        return wrong(r, diag, VD_E_INVALID,
                     "a domain's and a service's name have letters, digits, . _ - and / alone");
    for (const char *c = a->label; *c != '\0'; c++)
        if (*c <= ' ' || *c > '~')
            return wrong(r, diag, VD_E_INVALID, "a label has visible ASCII characters alone");
    return VD_OK;
}

vd_status vd_key_read_attributes(struct vd_reader *r, struct vd_key_attributes *ret,
                                 struct vd_diag *diag)
{
    VD_TRY(vd_key_read_text(r, VD_KEY_NAME_MAX, ret->name, diag));
    VD_TRY(vd_key_read_text(r, VD_KEY_DOMAIN_MAX, ret->domain, diag));
    VD_TRY(vd_key_read_text(r, VD_KEY_DOMAIN_MAX, ret->service, diag));
    VD_TRY(vd_key_read_text(r, VD_KEY_LABEL_MAX, ret->label, diag));
    VD_TRY(vd_key_read_u16(r, &ret->type, diag));
    VD_TRY(vd_key_read_u32(r, &ret->usages, diag));
    VD_TRY(vd_key_read_u32(r, &ret->flags, diag));
    VD_TRY(vd_key_read_u32(r, &ret->min_decrypt_version, diag));
    VD_TRY(vd_key_read_u64(r, &ret->not_before, diag));
    VD_TRY(vd_key_read_u64(r, &ret->not_after, diag));
    VD_TRY(vd_key_read_u64(r, &ret->usage_limit, diag));
    VD_TRY(check_names(r, ret, diag));
    if ((ret->usages & ~(uint32_t)VD_ALG_USAGE_ALL) != 0 || (ret->flags & ~VD_KEY_FLAGS_ALL) != 0)
        return wrong(r, diag, VD_E_RESERVED, "a usage or flag is not known");
    if (ret->min_decrypt_version > VD_KEY_VERSIONS_MAX)
        return wrong(r, diag, VD_E_RANGE, "no key has so many versions");
    return VD_OK;
}

void vd_key_write_info(struct vd_writer *w, const struct vd_key_info *info)
{
    vd_key_write_attributes(w, &info->attributes);
    vd_write_bytes(w, info->id, VD_KEY_ID_SIZE);
    vd_write_u8(w, info->state);
    vd_write_le32(w, info->versions);
    vd_write_le64(w, info->created);
    vd_write_le64(w, info->destroy_at);
    vd_write_le64(w, info->used);
    vd_write_le32(w, info->attached);
    vd_write_le64(w, info->revision);
}

vd_status vd_key_read_info(struct vd_reader *r, struct vd_key_info *ret, struct vd_diag *diag)
{
    VD_TRY(vd_key_read_attributes(r, &ret->attributes, diag));
    if (vd_read_copy(r, ret->id, VD_KEY_ID_SIZE) != VD_OK)
        return short_of(r, diag);
    VD_TRY(vd_key_read_u8(r, &ret->state, diag));
    VD_TRY(vd_key_read_u32(r, &ret->versions, diag));
    VD_TRY(vd_key_read_u64(r, &ret->created, diag));
    VD_TRY(vd_key_read_u64(r, &ret->destroy_at, diag));
    VD_TRY(vd_key_read_u64(r, &ret->used, diag));
    VD_TRY(vd_key_read_u32(r, &ret->attached, diag));
    VD_TRY(vd_key_read_u64(r, &ret->revision, diag));
    if (ret->state < VD_KEY_ACTIVE || ret->state > VD_KEY_DESTROYED)
        return wrong(r, diag, VD_E_RANGE, "a key has no such state");
    return VD_OK;
}

void vd_key_write_version(struct vd_writer *w, const struct vd_key_version *version)
{
    vd_write_le32(w, version->version);
    vd_write_u8(w, version->destroyed);
    vd_write_le64(w, version->created);
}

vd_status vd_key_read_version(struct vd_reader *r, struct vd_key_version *ret, struct vd_diag *diag)
{
    VD_TRY(vd_key_read_u32(r, &ret->version, diag));
    VD_TRY(vd_key_read_u8(r, &ret->destroyed, diag));
    VD_TRY(vd_key_read_u64(r, &ret->created, diag));
    return ret->destroyed <= 1 ? VD_OK
                               : wrong(r, diag, VD_E_RANGE, "a version is destroyed or is not");
}

void vd_key_write_attach(struct vd_writer *w, const struct vd_key_attach *attach)
{
    vd_write_u8(w, attach->action);
    vd_write_le16(w, attach->kind);
    vd_key_write_text(w, attach->name);
    vd_key_write_data(w, attach->value, attach->size);
}

vd_status vd_key_read_attach(struct vd_reader *r, struct vd_key_attach *ret, struct vd_diag *diag)
{
    VD_TRY(vd_key_read_u8(r, &ret->action, diag));
    VD_TRY(vd_key_read_u16(r, &ret->kind, diag));
    VD_TRY(vd_key_read_text(r, VD_KEY_ATTACHMENT_NAME, ret->name, diag));
    VD_TRY(vd_key_read_data(r, &ret->value, &ret->size, diag));
    if (ret->action < VD_KEY_ATTACH_PUT || ret->action > VD_KEY_ATTACH_REMOVE)
        return wrong(r, diag, VD_E_RANGE, "an attachment is put, added or removed");
    if (ret->kind < VD_KEY_ATTACH_CERTIFICATE || ret->kind >= VD_KEY_ATTACH_COUNT)
        return wrong(r, diag, VD_E_RANGE, "there is no such kind of attachment");
    if (!vd_key_name_valid(ret->name, VD_KEY_ATTACHMENT_NAME, true))
        return wrong(r, diag, VD_E_INVALID,
                     "an attachment's name has 1 to 64 letters, digits, . _ - / and :");
    if (ret->size > VD_KEY_ATTACHMENT_MAX)
        return wrong(r, diag, VD_E_LIMIT, "an attachment is larger than 60000 bytes");
    return VD_OK;
}
