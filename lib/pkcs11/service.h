/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the module asks of the key service. Any thread; statuses as lib/keyclient's. */
#ifndef VD_LIB_PKCS11_SERVICE_H
#define VD_LIB_PKCS11_SERVICE_H

#include "lib/pkcs11/internal.h"

/* Makes the client; connects when it is needed. The socket: VERIDIAN_CRYPTO_SOCKET. */
vd_status vd_p11_service_start(void);
void vd_p11_service_end(void);

/* Is the service there? */
bool vd_p11_service_present(void);

/* In a child after fork: closes its copies of the parent's connections. */
void vd_p11_service_in_child(struct vd_keyclient *client);

/*
 * Has anything in the store changed since the last time this said so? `ret_all`: an older store
 * came back, so what is known of each key says nothing. Under vd_p11.refresh.
 */
vd_status vd_p11_service_changed(bool *ret, bool *ret_all);

/* Calls `each` for every key that the caller may see; ends with its first failure. */
vd_status vd_p11_service_list(vd_status (*each)(void *ctx, const struct vd_key_info *info),
                              void *ctx);

/*
 * Calls `each` for every certificate of the key and everything of PKCS#11's that is attached to
 * it; what the caller may not read, or is gone by now, is passed over. The service keeps nothing
 * open for it afterwards.
 */
typedef void vd_p11_attachment_fn(void *ctx, uint16_t kind, const char *name, const uint8_t *value,
                                  size_t size);
vd_status vd_p11_service_attachments(struct vd_p11_key *key, vd_p11_attachment_fn *each, void *ctx);
vd_status vd_p11_service_attach(struct vd_p11_key *key, const struct vd_key_attach *list,
                                uint16_t count);

/* The public key in that form. */
vd_status vd_p11_service_public(struct vd_p11_key *key, uint16_t form, struct vd_p11_buffer *out);

/* Encrypts, decrypts or signs; the result goes to `out`, whose room is set: VD_E_NO_SPACE. */
struct vd_p11_out {
    uint8_t *data;
    size_t room, size;
};
vd_status vd_p11_service_op_to(struct vd_p11_key *key, enum vd_key_verb verb,
                               const struct vd_key_op *op, struct vd_p11_out *out);

/* One operation; the result (for encapsulate the encapsulation, then the secret) is added to `out`. */
vd_status vd_p11_service_op(struct vd_p11_key *key, enum vd_key_verb verb,
                            const struct vd_key_op *op, struct vd_p11_buffer *out,
                            struct vd_p11_buffer *out_secret);

/* Makes, imports (material in `form`) or unwraps (`with`, `blob`) a key and says what it became. */
struct vd_p11_new_key {
    struct vd_key_attributes attributes;
    uint16_t form; /* 0: to be generated */
    const uint8_t *material;
    size_t size;
    struct vd_p11_key *with; /* unwrapping key; else NULL */
    const uint8_t *aad;
    size_t aad_size;
};
vd_status vd_p11_service_create(const struct vd_p11_new_key *from, struct vd_key_info *ret);

/* Wraps `target` under `with` to `out`. */
vd_status vd_p11_service_wrap(struct vd_p11_key *with, struct vd_p11_key *target,
                              const uint8_t *aad, size_t aad_size, struct vd_p11_buffer *out);

vd_status vd_p11_service_destroy(struct vd_p11_key *key);
vd_status vd_p11_service_random(uint8_t *ret, size_t size);

/* Lets go of what vd_p11_key holds of the client. */
void vd_p11_service_close_key(struct vd_p11_key *key);

#endif
