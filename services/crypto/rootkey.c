/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "services/crypto/rootkey.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "lib/file.h"
#include "services/crypto/root/token.h"
#include "services/crypto/store/store.h"

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

static vd_status open_token(const struct vd_keyd_root_options *options, struct vd_root_token *ret,
                            struct vd_diag *diag)
{
    VD_AUTO(vd_secret_done) struct vd_secret pin = {};
    struct vd_hsm_uri uri;
    struct vd_hsm_where where = {
        .module = options->hsm_module, .uri = &uri, .pin = &pin, .login = true};

    if (options->hsm_key == NULL)
        return vd_diag_fail(diag, VD_E_USAGE, "--root hsm needs --hsm-key pkcs11:…");
    VD_TRY(vd_hsm_uri_parse(options->hsm_key, &uri, diag));
    VD_TRY(vd_hsm_pin_read(
        options->pin_file != NULL || uri.pin_source[0] == '\0' ? options->pin_file : uri.pin_source,
        &pin, diag));
    return vd_root_token_open(&where, ret, diag);
}

/* Makes a root key only where nothing hangs on another one. */
static vd_status open_or_create(const char *store, const struct vd_root_options *options,
                                struct vd_secret *ret_key, struct vd_root **ret,
                                struct vd_diag *diag)
{
    char keys[PATH_MAX];
    struct vd_diag own = {}; /* the root file's name is not that of what fails later */
    vd_status status;

    if (snprintf(keys, sizeof(keys), "%s/" VD_KSTORE_FILE, store) >= (int)sizeof(keys))
        return vd_diag_fail(diag, VD_E_LIMIT, "the store's path is too long");
    if (access(options->path, F_OK) == 0) {
        status = vd_root_open(options, ret_key, ret, &own);
    } else if (access(keys, F_OK) == 0) {
        vd_diag_file(&own, options->path);
        status = vd_diag_fail(&own, VD_E_NOT_FOUND,
                              "the store is there, but the root key that opens it is not");
    } else {
        status = vd_root_create(options, ret_key, ret, &own);
    }
    if (status != VD_OK && diag->status == VD_OK)
        *diag = own;
    return status;
}

vd_status vd_keyd_root_key(const struct vd_keyd_root_options *options, struct vd_secret *ret_key,
                           struct vd_root **ret, struct vd_diag *diag)
{
    VD_AUTO(vd_secret_done) struct vd_secret passphrase = {};
    VD_AUTO(vd_secret_done) struct vd_secret pin = {};
    VD_AUTO(vd_root_token_done) struct vd_root_token token = {};
    char path[PATH_MAX];
    struct vd_root_options o = {.kind = options->kind,
                                .path = path,
                                .tpm = options->tpm,
                                .pcrs = options->pcrs,
                                .authority = options->authority,
                                .approval = options->approval,
                                .counter = options->counter};

    if (snprintf(path, sizeof(path), "%s/" VD_KEYD_ROOT_FILE, options->store) >= (int)sizeof(path))
        return vd_diag_fail(diag, VD_E_LIMIT, "the store's path is too long");
    if (options->pin_file != NULL && options->kind != VD_ROOT_HSM) {
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
        VD_TRY(open_token(options, &token, diag));
        o.token = &token;
    }
    return open_or_create(options->store, &o, ret_key, ret, diag);
}
