/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Requests to a running veridian-cryptod as bytes, without the client library. */
#ifndef VD_TESTS_SUPPORT_CRYPTOD_RAW_H
#define VD_TESTS_SUPPORT_CRYPTOD_RAW_H

#include "tests/harness.h"
#include "tests/support/cryptod.h"

/* Of the running case: a client, a connection of its own, the last reason and payload. */
struct cryptod_raw {
    struct vd_keyclient *client;
    int line;
    struct vd_diag diag;
    uint8_t bytes[65536];
    struct vd_writer w;
};
extern struct cryptod_raw raw;

/* A status with a reason. */
#define EXPECT(call, expected)                                                              \
    do {                                                                                    \
        raw.diag = (struct vd_diag){};                                                      \
        vd_status status_ = (call);                                                         \
        if (status_ != (expected) || (status_ != VD_OK && raw.diag.text[0] == '\0'))        \
            vd_test_fail(__FILE__, __LINE__, "%s: %s, expected %s: %s", #call,              \
                         vd_status_name(status_), vd_status_name(expected), raw.diag.text); \
    } while (0)

/* Starts a fresh daemon, client and connection; ends them. */
void raw_set_up(void);
void raw_tear_down(void);

/* An empty payload; sends it as a request of that verb. */
struct vd_writer *raw_begin(void);
vd_status raw_send(uint16_t verb);

/* The payload of the last answer. */
struct vd_reader raw_answer(void);

/* Handles of the connection. */
uint32_t raw_open(const char *name);
uint32_t raw_key(const char *name, uint16_t type, uint32_t usages);

/* An operation; one with a text alone; the last result's output, copied. */
vd_status raw_operate(uint16_t verb, const struct vd_key_op *op);
struct vd_key_op raw_op(uint32_t handle, const void *text, size_t size);
size_t raw_result(uint8_t *to, size_t room);

vd_status raw_set(uint32_t handle, uint32_t which, const struct vd_key_attributes *a);
vd_status raw_destroy(uint32_t handle, uint32_t version, uint64_t grace);

#endif
