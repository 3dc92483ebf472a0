/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Names of types, mechanisms, usages, forms and states, and times as people write them. */
#ifndef VD_TOOLS_VERIDIAN_KEY_NAMES_H
#define VD_TOOLS_VERIDIAN_KEY_NAMES_H

#include "core/abi/crypto.h"
#include "core/base/diag.h"
#include "lib/keyclient/wire.h"

/* Words for the options of vd_cli. */
#define VD_KEY_TYPE_WORDS                                                                      \
    "aes-256-gcm|chacha20-poly1305|rsa-4096|ecdsa-p256|ed25519|x25519|hmac-sha256|ml-kem-768|" \
    "ml-dsa-65|x-wing|hkdf-sha256"
#define VD_KEY_FORM_WORDS "raw|pkcs8|spki|seed|expanded|raw-public"
#define VD_KEY_SIGN_WORDS                                                                     \
    "rsa-pss-sha256|rsa-pkcs1-sha256|ecdsa-sha256|ecdsa-sha256-raw|eddsa|hmac|ml-dsa|"        \
    "ml-dsa-deterministic|rsa-pss-sha256-digest|rsa-pkcs1-sha256-digest|ecdsa-sha256-digest|" \
    "ecdsa-sha256-raw-digest|ml-dsa-mu"

/* "?" for what has no name. */
const char *vd_key_type_name(uint32_t type);
const char *vd_key_usage_name(uint32_t bit);
const char *vd_key_state_name(uint32_t state);

/* The state for people: an active key whose time is over or has not come says so. */
const char *vd_key_state_told(const struct vd_key_info *info);

/* Numbers by name. What is not found is VD_E_USAGE, with the nearest name as hint. */
vd_status vd_key_type_find(const char *name, uint16_t *ret, struct vd_diag *diag);
vd_status vd_key_mechanism_find(const char *name, uint16_t *ret, struct vd_diag *diag);

/* A set of usages, "sign,verify". */
vd_status vd_key_usages_parse(const char *list, uint32_t *ret, struct vd_diag *diag);

/*
 * Seconds since 1970 of "2027-01-31T12:00:00Z" (RFC 3339, with offset or Z; or a date alone), of
 * "+30d" from now (s, m, h, d, w, y), or 0 of "none".
 */
vd_status vd_key_time_parse(const char *text, uint64_t *ret, struct vd_diag *diag);

/* A duration "30d", "0", "3600s" in seconds. */
vd_status vd_key_duration_parse(const char *text, uint64_t *ret, struct vd_diag *diag);

/* RFC 3339 in UTC. */
#define VD_KEY_TIME_SIZE 40
void vd_key_time_print(uint64_t seconds, char ret[VD_KEY_TIME_SIZE]);

#endif
