/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <stdlib.h>

#include "tests/unit/audit_fixture.h"

/* Parses a copy of exact size, so that a sanitizer sees a read past the end. */
static vd_status parse(const uint8_t *data, size_t size, struct vd_diag *diag)
{
    uint8_t *copy = malloc(size + (size == 0));
    struct vd_audit_record record;
    vd_status status;

    memcpy(copy, data, size);
    status = vd_audit_record_parse(copy, size, &record, diag);
    free(copy);
    return status;
}

static size_t encode(const struct vd_audit_record *record, uint8_t *buf, size_t room)
{
    struct vd_writer w;

    vd_writer_init(&w, buf, room);
    VD_EXPECT_EQ(vd_audit_record_encode(record, &w), VD_OK);
    return w.len;
}

static void expect_equal(const struct vd_audit_record *a, const struct vd_audit_record *b)
{
    uint32_t count;
    const struct vd_audit_field *fields = vd_audit_fields(&count);

    VD_EXPECT_EQ(a->type, b->type);
    VD_EXPECT_EQ(a->present, b->present);
    VD_EXPECT_EQ(a->inode, b->inode);
    VD_EXPECT_EQ(a->realtime_ns, b->realtime_ns);
    VD_EXPECT_EQ((uint32_t)a->error, (uint32_t)b->error);
    for (uint32_t i = 0; i < count; i++) {
        const struct vd_audit_text *x = (const void *)((const char *)a + fields[i].offset);
        const struct vd_audit_text *y = (const void *)((const char *)b + fields[i].offset);
        if (fields[i].kind != VD_AUDIT_NAME && fields[i].kind != VD_AUDIT_BYTES)
            continue;
        VD_EXPECT_EQ(x->size, y->size);
        VD_EXPECT_MEM(x->data, y->data, x->size);
    }
    VD_EXPECT_EQ(a->extra_count, b->extra_count);
    VD_EXPECT_MEM(a->extra[0].value.data, b->extra[0].value.data, a->extra[0].value.size);
}

VD_TEST(audit_record_round_trip)
{
    struct vd_audit_record full = audit_full_record(), again;
    uint8_t buf[4096], buf2[4096];
    size_t size = encode(&full, buf, sizeof(buf));
    struct vd_diag diag = {};
    uint32_t count;

    vd_audit_fields(&count);
    VD_EXPECT_EQ(__builtin_popcountll(full.present), count);
    VD_EXPECT_EQ(vd_audit_record_parse(buf, size, &again, &diag), VD_OK);
    expect_equal(&full, &again);
    VD_EXPECT_EQ(encode(&again, buf2, sizeof(buf2)), size);
    VD_EXPECT_MEM(buf, buf2, size);
}

/* A cut is an error, or at a field's border a shorter record that encodes to just these bytes. */
VD_TEST(audit_record_every_cut)
{
    struct vd_audit_record full = audit_full_record(), again;
    uint8_t buf[4096], buf2[4096];
    size_t size = encode(&full, buf, sizeof(buf));
    uint32_t whole = 0;

    for (size_t n = 0; n < size; n++) {
        struct vd_diag diag = {};
        if (parse(buf, n, &diag) != VD_OK) {
            VD_EXPECT_EQ(diag.status, VD_E_TRUNCATED);
            VD_EXPECT(diag.has_offset && diag.offset <= n);
            continue;
        }
        VD_EXPECT_EQ(vd_audit_record_parse(buf, n, &again, NULL), VD_OK);
        VD_EXPECT_EQ(encode(&again, buf2, sizeof(buf2)), n);
        whole++;
    }
    VD_EXPECT_EQ(whole, 36);
}

static void expect_bytes(const char *bytes, size_t size, vd_status status)
{
    struct vd_diag diag = {};

    VD_EXPECT_EQ(parse((const uint8_t *)bytes, size, &diag), status);
    VD_EXPECT_EQ(diag.status, status);
}

#define EXPECT_BYTES(bytes, status) expect_bytes(bytes, sizeof(bytes) - 1, status)

VD_TEST(audit_record_refuses)
{
    EXPECT_BYTES("\1\0\2\0", VD_OK);
    EXPECT_BYTES("\2\0\2\0", VD_E_VERSION);
    EXPECT_BYTES("\1\0\0\0", VD_E_RANGE);                          /* type 0 */
    EXPECT_BYTES("\1\0\13\0", VD_E_RANGE);                         /* type above the table */
    EXPECT_BYTES("\1\0\2\0\4\0\3\0abc", VD_E_RANGE);               /* pid of 3 bytes */
    EXPECT_BYTES("\1\0\2\0\0\0\0\0", VD_E_SYNTAX);                 /* tag 0 */
    EXPECT_BYTES("\1\0\2\0\43\0\0\0", VD_E_NOT_FOUND);             /* tag 35 */
    EXPECT_BYTES("\1\0\2\0\100\0\2\0\1A", VD_E_INVALID);           /* name not lower case */
    EXPECT_BYTES("\1\0\2\0\100\0\1\0\0", VD_E_INVALID);            /* name empty */
    EXPECT_BYTES("\1\0\2\0\100\0\2\0\2a", VD_E_TRUNCATED);         /* name beyond the field */
    EXPECT_BYTES("\1\0\2\0\5\0\4\0aaaa\4\0\4\0aaaa", VD_E_SYNTAX); /* order */
    EXPECT_BYTES("\1\0\2\0\4\0\4\0aaaa\4\0\4\0aaaa", VD_E_SYNTAX); /* twice */
    EXPECT_BYTES("\1\0\2\0\10\0\1\0\0", VD_E_INVALID);             /* NUL in comm */
    EXPECT_BYTES("\1\0\2\0\12\0\1\0\n", VD_E_INVALID);             /* control in a name */
    EXPECT_BYTES("\1\0\2\0\12\0\1\0\x80", VD_E_INVALID);           /* not ASCII in a name */
    EXPECT_BYTES("\1\0\2\0\31\0\1\0\2", VD_E_RANGE);               /* verdict 2 */
    EXPECT_BYTES("\1\0\2\0\32\0\1\0\2", VD_E_RANGE);               /* permissive 2 */
    EXPECT_BYTES("\1\0\2\0\21\0\2\0\377\0", VD_E_RANGE);           /* hook */
}

VD_TEST(audit_record_limits)
{
    static uint8_t big[VD_AUDIT_RECORD_MAX_BYTES + 1];
    static char text[VD_AUDIT_TEXT_MAX_BYTES + 2];
    struct vd_audit_record r = {.type = VD_EVENT_TYPE_FILE};
    struct vd_diag diag = {};
    struct vd_writer w;

    memset(text, 'a', sizeof(text) - 1);
    VD_AUDIT_SET(&r, PATH, path, ((struct vd_audit_text){text, VD_AUDIT_TEXT_MAX_BYTES}));
    VD_EXPECT_EQ(encode(&r, big, sizeof(big)), 4 + 4 + VD_AUDIT_TEXT_MAX_BYTES);
    VD_EXPECT_EQ(parse(big, 4 + 4 + VD_AUDIT_TEXT_MAX_BYTES, NULL), VD_OK);
    r.path.size++;
    vd_writer_init(&w, big, sizeof(big));
    VD_EXPECT_EQ(vd_audit_record_encode(&r, &w), VD_E_RANGE);
    r.path.size = 1;
    for (uint32_t i = 0; i < 4; i++)
        r.extra[i] = (struct vd_audit_extra){AUDIT_TEXT("x"), {text, VD_AUDIT_TEXT_MAX_BYTES}};
    r.extra_count = 4;
    vd_writer_init(&w, big, sizeof(big));
    VD_EXPECT_EQ(vd_audit_record_encode(&r, &w), VD_E_LIMIT);
    VD_EXPECT_EQ(parse(big, sizeof(big), &diag), VD_E_LIMIT);
    /* 17 free fields. */
    memcpy(big, "\1\0\2\0", 4);
    for (uint32_t i = 0; i < 17; i++)
        memcpy(big + 4 + 6 * i, "\100\0\2\0\1a", 6);
    VD_EXPECT_EQ(parse(big, 4 + 16 * 6, NULL), VD_OK);
    VD_EXPECT_EQ(parse(big, 4 + 17 * 6, NULL), VD_E_LIMIT);
    vd_writer_init(&w, big, 3);
    r.extra_count = 0;
    VD_EXPECT_EQ(vd_audit_record_encode(&r, &w), VD_E_NO_SPACE);
}

static struct vd_event good_event(void)
{
    return (struct vd_event){.size = sizeof(struct vd_event),
                             .version = VD_EVENT_VERSION,
                             .type = VD_EVENT_TYPE_FILE,
                             .hook = VD_EVENT_FILE_OPEN,
                             .path_len = 4,
                             .path = "/etc"};
}

VD_TEST(audit_event_refuses)
{
    struct vd_event e = good_event(), ret = {};
    uint8_t longer[sizeof(e) + 8] = {};

    VD_EXPECT_EQ(vd_audit_event_parse(&e, sizeof(e), &ret, NULL), VD_OK);
    VD_EXPECT_MEM(&ret, &e, sizeof(e));
    for (size_t n = 0; n < sizeof(e); n++)
        VD_EXPECT_EQ(vd_audit_event_parse(&e, n, &ret, NULL), VD_E_TRUNCATED);
    memcpy(longer, &e, sizeof(e));
    VD_EXPECT_EQ(vd_audit_event_parse(longer, sizeof(longer), &ret, NULL), VD_E_INVALID);
#define REFUSED(member, value, status)                                           \
    do {                                                                         \
        e = good_event();                                                        \
        e.member = (value);                                                      \
        VD_EXPECT_EQ(vd_audit_event_parse(&e, sizeof(e), &ret, NULL), (status)); \
    } while (0)
    REFUSED(size, 375, VD_E_INVALID);
    REFUSED(version, 2, VD_E_VERSION);
    REFUSED(type, 0, VD_E_RANGE);
    REFUSED(type, VD_EVENT_TYPE_LOST, VD_E_RANGE);
    REFUSED(type, UINT16_MAX, VD_E_RANGE);
    REFUSED(hook, VD_EVENT_HOOK_COUNT, VD_E_RANGE);
    REFUSED(verdict, 2, VD_E_RANGE);
    REFUSED(permissive, 2, VD_E_RANGE);
    REFUSED(path_len, VD_EVENT_PATH_SIZE + 1, VD_E_INVALID);
    REFUSED(path_len, 5, VD_E_INVALID); /* a NUL inside */
    REFUSED(reserved, 1, VD_E_RESERVED);
#undef REFUSED
}

VD_TEST(audit_names_of_types)
{
    for (uint32_t i = 1; i < VD_EVENT_TYPE_COUNT; i++)
        VD_EXPECT_EQ(vd_audit_type_find(vd_audit_type_name(i)), i);
    VD_EXPECT_EQ(vd_audit_type_find("none"), 0);
    VD_EXPECT_EQ(vd_audit_type_find("file"), 0);
    VD_EXPECT_STR(vd_audit_type_name(VD_EVENT_TYPE_COUNT), "unknown");
    VD_EXPECT_STR(vd_audit_hook_name(VD_EVENT_HOOK_COUNT), "unknown");
    VD_EXPECT_STR(vd_audit_hook_name(VD_EVENT_MMAP), "mmap");
}
