/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "services/crypto/rootkey.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "hardware/hsm/hsm.h"
#include "lib/diagf.h"
#include "lib/file.h"
#include "services/crypto/store/store.h"

_Static_assert(VD_HSM_WRAP_MAX <= VD_ROOT_WRAPPED_MAX, "a token's blob has room in the root file");

/* The first line of a file, which may have `min` to `max` bytes. */
static vd_status read_line(const char *path, size_t min, struct vd_secret *ret,
                           struct vd_diag *diag)
{
    struct vd_bytes bytes = {};
    vd_status status;
    size_t size;

    VD_TRY(vd_file_load(path, VD_ROOT_PASSPHRASE_MAX + 1, &bytes, diag));
    size = strcspn((const char *)bytes.data, "\n");
    if (size < min || size > VD_ROOT_PASSPHRASE_MAX) {
        vd_diag_file(diag, path);
        status = vd_diagf(diag, VD_E_INVALID, "expected a line of %zu to %u bytes", min,
                          VD_ROOT_PASSPHRASE_MAX);
    } else {
        status = vd_secret_set(ret, bytes.data, size, diag);
    }
    vd_wipe(bytes.data, bytes.size);
    vd_bytes_free(&bytes);
    return status;
}

/* The token, while the root key is made or opened. */
struct token {
    struct vd_hsm *hsm;
    struct vd_hsm_uri uri;
};

static vd_status wrap(void *ctx, const struct vd_secret *secret, struct vd_root_wrapped *ret,
                      struct vd_diag *diag)
{
    struct token *token = ctx;
    enum vd_hsm_class class =
        token->uri.class == VD_HSM_ANY_CLASS ? VD_HSM_SECRET_KEY : token->uri.class;
    struct vd_hsm_wrapped head;
    struct vd_hsm_block block;
    struct vd_hsm_key key;

    VD_TRY(vd_hsm_find(token->hsm, &token->uri, class, &key, diag));
    VD_TRY(vd_hsm_wrap(token->hsm, &key, secret, &block, diag));
    VD_TRY(vd_hsm_wrapped_parse(block.data, block.size, &head, diag));
    *ret = (struct vd_root_wrapped){.mechanism = head.method, .size = block.size};
    vd_copy(ret->data, block.data, block.size);
    ret->token_size = strlen(head.where.token);
    vd_copy(ret->token, head.where.token, ret->token_size);
    ret->key_id_size = key.id_size;
    vd_copy(ret->key_id, key.id, key.id_size);
    if (ret->token_size == 0 || ret->key_id_size == 0)
        return vd_diag_fail(diag, VD_E_INVALID, "the token has no label, or its key has no id");
    return VD_OK;
}

static vd_status unwrap(void *ctx, const struct vd_root_wrapped *wrapped, struct vd_secret *key,
                        struct vd_diag *diag)
{
    VD_AUTO(vd_secret_done) struct vd_secret plain = {};
    struct token *token = ctx;

    VD_TRY(vd_hsm_unwrap(token->hsm, wrapped->data, wrapped->size, &plain, diag));
    if (plain.size != key->size)
        return vd_diag_fail(diag, VD_E_INVALID, "the token gave a key of another size");
    vd_copy(key->data, plain.data, key->size);
    return VD_OK;
}

static vd_status open_token(const struct vd_keyd_root_options *options, const struct vd_secret *pin,
                            struct token *ret, struct vd_diag *diag)
{
    struct vd_hsm_where where = {.module = options->hsm_module, .uri = &ret->uri, .login = true};

    if (options->hsm_key == NULL)
        return vd_diag_fail(diag, VD_E_USAGE, "--root hsm needs --hsm-key pkcs11:…");
    VD_TRY(vd_hsm_uri_parse(options->hsm_key, &ret->uri, diag));
    where.pin = pin->data != NULL ? pin : NULL;
    return vd_hsm_open(&where, &ret->hsm, diag);
}

/* Makes a root key only where nothing hangs on another one. */
static vd_status open_or_create(const char *store, const struct vd_root_options *options,
                                struct vd_secret *ret_key, struct vd_root **ret,
                                struct vd_diag *diag)
{
    char keys[PATH_MAX];

    if (access(options->path, F_OK) == 0)
        return vd_root_open(options, ret_key, ret, diag);
    if (snprintf(keys, sizeof(keys), "%s/" VD_KSTORE_FILE, store) >= (int)sizeof(keys))
        return vd_diag_fail(diag, VD_E_LIMIT, "the store's path is too long");
    if (access(keys, F_OK) == 0) {
        vd_diag_file(diag, options->path);
        return vd_diag_fail(diag, VD_E_NOT_FOUND,
                            "the store is there, but the root key that opens it is not");
    }
    return vd_root_create(options, ret_key, ret, diag);
}

vd_status vd_keyd_root_key(const struct vd_keyd_root_options *options, struct vd_secret *ret_key,
                           struct vd_root **ret, struct vd_diag *diag)
{
    VD_AUTO(vd_secret_done) struct vd_secret passphrase = {};
    VD_AUTO(vd_secret_done) struct vd_secret pin = {};
    struct token token = {};
    const struct vd_root_token way = {&token, wrap, unwrap};
    char path[PATH_MAX];
    struct vd_root_options o = {.kind = options->kind,
                                .path = path,
                                .tpm = options->tpm,
                                .pcrs = options->pcrs,
                                .authority = options->authority,
                                .approval = options->approval,
                                .counter = options->counter};
    vd_status status = VD_OK;

    if (snprintf(path, sizeof(path), "%s/" VD_KEYD_ROOT_FILE, options->store) >= (int)sizeof(path))
        return vd_diag_fail(diag, VD_E_LIMIT, "the store's path is too long");
    if (options->pin_file != NULL) {
        VD_TRY(read_line(options->pin_file, 1, &pin, diag));
        o.pin = &pin;
    }
    if (options->kind == VD_ROOT_PASSPHRASE) {
        if (options->passphrase_file == NULL)
            return vd_diag_fail(diag, VD_E_USAGE, "--root passphrase needs --passphrase-file");
        VD_TRY(read_line(options->passphrase_file, VD_ROOT_PASSPHRASE_MIN, &passphrase, diag));
        o.passphrase = &passphrase;
    }
    if (options->kind == VD_ROOT_HSM) {
        status = open_token(options, &pin, &token, diag);
        o.token = &way;
        o.pin = NULL;
    }
    if (status == VD_OK)
        status = open_or_create(options->store, &o, ret_key, ret, diag);
    vd_hsm_close(token.hsm);
    return status;
}
