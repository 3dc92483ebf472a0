/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "tests/support/cryptod_raw.h"

#include "lib/file.h"

struct cryptod_raw raw;

void raw_set_up(void)
{
    raw = (struct cryptod_raw){};
    cryptod_prepare();
    cryptod_start();
    raw.client = cryptod_client();
    raw.line = cryptod_connect();
}

void raw_tear_down(void)
{
    vd_fd_close(&raw.line);
    vd_keyclient_free(raw.client);
    cryptod_stop();
}

struct vd_writer *raw_begin(void)
{
    vd_writer_init(&raw.w, raw.bytes, sizeof(raw.bytes));
    return &raw.w;
}

vd_status raw_send(uint16_t verb)
{
    return cryptod_ask(raw.line, verb, &raw.w, NULL, &raw.diag);
}

struct vd_reader raw_answer(void)
{
    struct vd_reader r;

    vd_reader_init(&r, cryptod_answer.payload, cryptod_answer.size);
    return r;
}

uint32_t raw_open(const char *name)
{
    struct vd_reader r;
    uint32_t handle = 0;

    vd_key_write_text(raw_begin(), name);
    EXPECT(raw_send(VD_KEY_OPEN), VD_OK);
    r = raw_answer();
    VD_EXPECT_EQ(vd_read_le32(&r, &handle), VD_OK);
    return handle;
}

uint32_t raw_key(const char *name, uint16_t type, uint32_t usages)
{
    vd_keyclient_key_free(cryptod_key(raw.client, name, type, usages));
    return raw_open(name);
}

vd_status raw_operate(uint16_t verb, const struct vd_key_op *op)
{
    vd_key_write_op(raw_begin(), op);
    return raw_send(verb);
}

struct vd_key_op raw_op(uint32_t handle, const void *text, size_t size)
{
    return (struct vd_key_op){.handle = handle, .text = {.data = text, .size = size}};
}

size_t raw_result(uint8_t *to, size_t room)
{
    struct vd_reader r = raw_answer();
    struct vd_key_result result;

    VD_EXPECT_EQ(vd_key_read_result(&r, &result, NULL), VD_OK);
    VD_EXPECT(result.out.size <= room);
    if (result.out.data != NULL)
        memcpy(to, result.out.data, result.out.size);
    return result.out.size;
}

vd_status raw_set(uint32_t handle, uint32_t which, const struct vd_key_attributes *a)
{
    vd_write_le32(raw_begin(), handle);
    vd_write_le32(&raw.w, which);
    vd_key_write_attributes(&raw.w, a);
    return raw_send(VD_KEY_SET);
}

vd_status raw_destroy(uint32_t handle, uint32_t version, uint64_t grace)
{
    vd_write_le32(raw_begin(), handle);
    vd_write_le32(&raw.w, version);
    vd_write_le64(&raw.w, grace);
    return raw_send(VD_KEY_DESTROY);
}
