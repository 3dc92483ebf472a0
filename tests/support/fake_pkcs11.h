/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A PKCS #11 module that can be told to fail: a working token in memory, whose answers go wrong at
 * the call that the test names. The test reaches `fake_control` by dlsym, and `fake_reset`
 * (void (*)(uint32_t keep)), which ends every session and fault and all objects but the first.
 */
#ifndef VD_TESTS_SUPPORT_FAKE_PKCS11_H
#define VD_TESTS_SUPPORT_FAKE_PKCS11_H

#include <p11-kit/pkcs11.h>
#include <stdbool.h>
#include <stdint.h>

enum fake_fault {
    FAKE_NONE,
    FAKE_RESULT, /* the call does nothing and returns `rv` */
    FAKE_LOST,   /* the same, where the call has a session, and every session is gone */
    FAKE_LATE,   /* a key is made, and then the sessions are gone */
    FAKE_SIZE,   /* the call does its work, but its count or size comes out as `size` */
    FAKE_BYTES,  /* the call does its work, but every byte that it gives is inverted */
};

struct fake_control {
    enum fake_fault fault;
    uint32_t at;  /* the call, counted from 1 */
    bool onwards; /* and every one after it */
    CK_RV rv;
    CK_ULONG size;
    uint32_t calls; /* so far */
    uint32_t logins;
    bool hit;             /* the fault took place */
    bool removed;         /* no token in the slot */
    bool other_token;     /* another serial number */
    bool other_pin;       /* the PIN was changed */
    bool makes_weak_keys; /* new keys are extractable, whatever was asked for */
    bool gives_away;      /* the values of sensitive keys can be read */
    bool fails_to_sign;   /* a signature has a wrong byte */
};

/* ---- Between the module's two files ---- */

#define FAKE_OBJECTS 16

struct evp_pkey_st;

struct fake_object {
    bool used, session, sensitive, extractable;
    bool sign, decrypt, derive, wrap;
    CK_OBJECT_CLASS class;
    CK_KEY_TYPE type;
    char label[64];
    CK_ULONG label_size;
    CK_BYTE id[64];
    CK_ULONG id_size;
    struct evp_pkey_st *pkey;
    CK_BYTE value[64];
    CK_ULONG value_size;
};

extern struct fake_control fake_control;
extern struct fake_object fake_objects[FAKE_OBJECTS];

/* Fills a new object from a template; NULL: no room. */
struct fake_object *fake_new(const CK_ATTRIBUTE *template, CK_ULONG count);

/* The attribute into `out` (256 bytes); CK_UNAVAILABLE_INFORMATION: none. */
CK_ULONG fake_attribute(const struct fake_object *o, CK_ATTRIBUTE_TYPE type, CK_BYTE *out);

/* One operation of a mechanism; sizes as PKCS #11 has them. */
struct fake_work {
    CK_MECHANISM_TYPE type;
    struct fake_object *key;
    CK_BYTE iv[16];
    CK_BYTE aad[64];
    CK_ULONG aad_size;
};
/* What goes in, and which way. */
struct fake_input {
    const CK_BYTE *data;
    CK_ULONG size;
    bool encrypt;
};
CK_RV fake_sign(const struct fake_work *w, const CK_BYTE *in, CK_ULONG n, CK_BYTE *out,
                CK_ULONG *size);
CK_RV fake_verify(const struct fake_work *w, const CK_BYTE *in, CK_ULONG n, const CK_BYTE *sig,
                  CK_ULONG size);
CK_RV fake_cipher(const struct fake_work *w, struct fake_input in, CK_BYTE *out, CK_ULONG *size);
CK_RV fake_key_wrap(const struct fake_object *key, struct fake_input in, CK_BYTE *out,
                    CK_ULONG *size);
CK_RV fake_ecdh(const struct fake_object *key, const CK_BYTE *point, CK_ULONG n, CK_BYTE *out);
bool fake_generate_pair(struct fake_object *public, struct fake_object *private);

#endif
