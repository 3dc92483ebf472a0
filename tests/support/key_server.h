/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A peer for the key service's client in the test's own process: it speaks the protocol and can
 * be made to lie. Its "encryption" is no more than an exclusive or with 0x5a and a byte in
 * front: what is tested is the client.
 */
#ifndef VD_TESTS_SUPPORT_KEY_SERVER_H
#define VD_TESTS_SUPPORT_KEY_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

struct key_server {
    char socket[160];
    bool lane;      /* gives lanes */
    uint32_t limit; /* connections at once; more are refused; 0: any number */
    /* Changes an answer's payload before it is sent; may shorten it. NULL: honest. */
    void (*_Atomic tamper)(uint16_t verb, uint8_t *payload, size_t *size);
    /* Counts. */
    _Atomic uint32_t connections, opens, closes, requests, creates, buffers, living;
    _Atomic uint32_t die_at; /* ends the connection instead of answering that verb */
    int listener;
};

extern struct key_server key_server;

/* A fresh one listens; what ran before is stopped. */
void key_server_start(void);

/* Ends all connections and the listener; counts stay. */
void key_server_stop(void);

/* Listens again at the same place. */
void key_server_again(void);

#endif
