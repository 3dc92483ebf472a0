/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/boot/pcr.h"
#include "core/base/text.h"

struct event_row {
    uint32_t pcr;
    uint32_t type;
    uint32_t tag; /* 0: not an EV_EVENT_TAG */
    const char *text;
    const char *prefix; /* of an EV_IPL's data */
};

static const struct event_row rows[VD_BOOT_EVENT_COUNT] = {
    [VD_BOOT_EVENT_HEADER] = {VD_PCR_IMAGE, VD_EV_EVENT_TAG, VD_TAG_HEADER, "image header", ""},
    [VD_BOOT_EVENT_POLICY] = {VD_PCR_IMAGE, VD_EV_EVENT_TAG, VD_TAG_POLICY, "boot policy", ""},
    [VD_BOOT_EVENT_KERNEL] = {VD_PCR_BOOT, VD_EV_EVENT_TAG, VD_TAG_KERNEL, "kernel", ""},
    [VD_BOOT_EVENT_CMDLINE] = {VD_PCR_CMDLINE, VD_EV_IPL, 0, "command line", "veridian cmdline: "},
    [VD_BOOT_EVENT_INITRD] = {VD_PCR_INITRD, VD_EV_IPL, 0, "initrd", "veridian initrd: sha256 "},
};

static bool starts_with(struct vd_reader *r, const char *prefix)
{
    uint8_t byte;

    for (; *prefix != '\0'; prefix++) {
        if (vd_read_u8(r, &byte) != VD_OK || byte != (uint8_t)*prefix)
            return false;
    }
    return true;
}

enum vd_boot_event_id vd_boot_event_identify(const struct vd_logged_event *event)
{
    struct vd_reader r;
    uint32_t tag;

    vd_reader_init(&r, event->data.data, event->data.size);
    for (int id = 0; id < VD_BOOT_EVENT_COUNT; id++) {
        const struct event_row *row = &rows[id];
        struct vd_reader look = r;

        if (event->pcr != row->pcr || event->type != row->type)
            continue;
        if (row->tag != 0) {
            if (vd_read_le32(&look, &tag) == VD_OK && tag == row->tag)
                return (enum vd_boot_event_id)id;
        } else if (starts_with(&look, row->prefix)) {
            return (enum vd_boot_event_id)id;
        }
    }
    return VD_BOOT_EVENT_COUNT;
}

static void write_text(struct vd_writer *w, const char *text)
{
    while (*text != '\0')
        vd_write_u8(w, (uint8_t)*text++);
}

static void write_hex(struct vd_writer *w, const uint8_t digest[VD_IMAGE_DIGEST_SIZE])
{
    char hex[2 * VD_IMAGE_DIGEST_SIZE + 1];
    struct vd_text t;

    vd_text_init(&t, hex, sizeof(hex));
    vd_text_hex(&t, digest, VD_IMAGE_DIGEST_SIZE);
    vd_write_bytes(w, hex, t.len);
}

/* TCG_PCClientTaggedEvent. */
static void write_tagged(struct vd_writer *w, uint32_t tag, const uint8_t *data, size_t size)
{
    vd_write_le32(w, tag);
    vd_write_le32(w, (uint32_t)size);
    vd_write_bytes(w, data, size);
}

static void write_data(struct vd_writer *w, enum vd_boot_event_id id, const struct vd_image *image,
                       const struct vd_span *policy)
{
    const struct event_row *row = &rows[id];

    write_text(w, row->prefix);
    switch (id) {
    case VD_BOOT_EVENT_HEADER:
        write_tagged(w, row->tag, image->header_bytes.data, image->header_bytes.size);
        break;
    case VD_BOOT_EVENT_POLICY:
        write_tagged(w, row->tag, policy->data, policy->size);
        break;
    case VD_BOOT_EVENT_KERNEL:
        write_tagged(w, row->tag, image->header.digest[VD_IMAGE_KERNEL], VD_IMAGE_DIGEST_SIZE);
        break;
    case VD_BOOT_EVENT_CMDLINE:
        vd_write_bytes(w, image->part[VD_IMAGE_CMDLINE].data, image->part[VD_IMAGE_CMDLINE].size);
        break;
    case VD_BOOT_EVENT_INITRD:
        write_hex(w, image->header.digest[VD_IMAGE_INITRD]);
        break;
    case VD_BOOT_EVENT_COUNT:
        break;
    }
}

vd_status vd_boot_event_encode(enum vd_boot_event_id id, const struct vd_image *image,
                               const struct vd_span *policy, uint8_t *buf,
                               struct vd_boot_event *ret)
{
    struct vd_writer w;

    if ((unsigned)id >= VD_BOOT_EVENT_COUNT)
        return VD_E_RANGE;
    vd_writer_init(&w, buf, VD_BOOT_EVENT_MAX_BYTES);
    write_data(&w, id, image, policy);
    VD_TRY(vd_write_done(&w));
    *ret = (struct vd_boot_event){
        .pcr = rows[id].pcr,
        .type = rows[id].type,
        .text = rows[id].text,
        .data = {.data = buf, .size = w.len},
    };
    return VD_OK;
}
