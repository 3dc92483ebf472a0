/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * SoftHSM2 as the peer of the key service, and the service's own module reached in the same way:
 * one AES-256 key in a token.
 */
#ifndef VD_BENCH_BENCH_KEYS_H
#define VD_BENCH_BENCH_KEYS_H

#include <stddef.h>
#include <stdint.h>

struct bench_softhsm {
    void *functions; /* CK_FUNCTION_LIST; NULL: it is not installed */
    unsigned long session, key;
};

/* Makes a token below `dir`. Without SoftHSM2 `ret->functions` stays NULL. */
void bench_softhsm_open(struct bench_softhsm *ret, const char *dir);

/* The module of the build, with the service at that socket. */
void bench_module_open(struct bench_softhsm *ret, const char *socket);

/* AES-256-GCM with a fresh nonce: C_EncryptInit and C_Encrypt. */
void bench_softhsm_encrypt(struct bench_softhsm *s, const uint8_t *text, size_t size, uint8_t *out,
                           size_t room);

_Noreturn void bench_keys_give_up(const char *what);

#endif
