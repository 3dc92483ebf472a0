/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "services/crypto/root/token.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "lib/diagf.h"

_Static_assert(VD_HSM_WRAP_SECRET == VD_ROOT_KEY_SIZE, "a token wraps a root key");
_Static_assert(VD_HSM_WRAP_MAX <= VD_ROOT_WRAPPED_MAX, "what a token wrapped fits the root file");
_Static_assert(VD_HSM_ID_MAX <= VD_ROOT_KEY_ID_MAX, "a key's id fits the root file");

struct way {
    struct vd_hsm *hsm;
    struct vd_hsm_uri uri;
};

/* The AES key that the URI names, else the RSA pair. */
static vd_status find_key(struct way *way, struct vd_hsm_key *ret, struct vd_diag *diag)
{
    struct vd_diag own = {};
    vd_status status;

    if (way->uri.class != VD_HSM_ANY_CLASS)
        return vd_hsm_find(way->hsm, &way->uri, way->uri.class, ret, diag);
    status = vd_hsm_find(way->hsm, &way->uri, VD_HSM_SECRET_KEY, ret, &own);
    if (status == VD_E_NOT_FOUND)
        status = vd_hsm_find(way->hsm, &way->uri, VD_HSM_PRIVATE, ret, NULL);
    if (status == VD_E_NOT_FOUND) {
        vd_diag_hint(&own, "veridian hsm create --kind aes-256 makes one");
        status = VD_E_MISSING;
    }
    if (status != VD_OK && diag != NULL && diag->status == VD_OK)
        *diag = own;
    return status;
}

static vd_status wrap(void *ctx, const struct vd_secret *key, struct vd_root_wrapped *ret,
                      struct vd_diag *diag)
{
    struct way *way = ctx;
    const struct vd_hsm_token *token = vd_hsm_token(way->hsm);
    const char *name = token->label[0] != '\0' ? token->label : token->serial;
    struct vd_root_wrapped wrapped = {.token_size = strlen(name)};
    struct vd_hsm_wrapped header;
    struct vd_hsm_block block;
    struct vd_hsm_key by;

    VD_TRY(find_key(way, &by, diag));
    /* The root file names the key by its id, or by its label where it has none. */
    wrapped.key_id_size = by.id_size > 0 ? by.id_size : strnlen(by.label, VD_ROOT_KEY_ID_MAX);
    if (wrapped.token_size == 0 || wrapped.key_id_size == 0)
        return vd_diag_fail(diag, VD_E_INVALID, "token and key must have a label or a number");
    VD_TRY(vd_hsm_wrap(way->hsm, &by, key, &block, diag));
    VD_TRY(vd_hsm_wrapped_parse(block.data, block.size, &header, diag));
    vd_copy(wrapped.token, name, wrapped.token_size);
    vd_copy(wrapped.key_id, by.id_size > 0 ? (const void *)by.id : by.label, wrapped.key_id_size);
    vd_copy(wrapped.data, block.data, block.size);
    wrapped.mechanism = vd_hsm_method_mechanism(header.method);
    wrapped.size = block.size;
    *ret = wrapped;
    return VD_OK;
}

static vd_status unwrap(void *ctx, const struct vd_root_wrapped *wrapped, struct vd_secret *key,
                        struct vd_diag *diag)
{
    struct way *way = ctx;
    struct vd_secret opened VD_AUTO(vd_secret_done) = {};

    VD_TRY(vd_hsm_unwrap(way->hsm, wrapped->data, wrapped->size, &opened, diag));
    if (key->size != opened.size)
        return vd_diag_fail(diag, VD_E_BUG, "a root key of another size");
    vd_copy(key->data, opened.data, opened.size);
    return VD_OK;
}

vd_status vd_root_token_open(const struct vd_hsm_where *where, struct vd_root_token *ret,
                             struct vd_diag *diag)
{
    struct way *way = calloc(1, sizeof(*way));
    vd_status status;

    if (way == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    way->uri.slot = VD_HSM_ANY_SLOT;
    if (where->uri != NULL)
        way->uri = *where->uri;
    status = vd_hsm_open(where, &way->hsm, diag);
    if (status != VD_OK) {
        free(way);
        return status;
    }
    *ret = (struct vd_root_token){.ctx = way, .wrap = wrap, .unwrap = unwrap};
    return VD_OK;
}

void vd_root_token_done(struct vd_root_token *token)
{
    struct way *way = token->ctx;

    if (way != NULL) {
        vd_hsm_close(way->hsm);
        free(way);
    }
    *token = (struct vd_root_token){};
}
