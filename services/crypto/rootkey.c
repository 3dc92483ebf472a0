/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "services/crypto/rootkey.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "lib/file.h"
#include "services/crypto/root/root.h"

#define SALT_FILE     "root.salt"
#define SALT_SIZE     32u
#define SCRYPT_N      (1u << 16)
#define SCRYPT_R      8u
#define SCRYPT_MEMORY (128u << 20)

static vd_status read_passphrase(const char *path, struct vd_secret *ret, struct vd_diag *diag)
{
    struct vd_bytes bytes = {};
    vd_status status;
    size_t size;

    if (path == NULL)
        return vd_diag_fail(diag, VD_E_USAGE, "--root passphrase needs --passphrase-file");
    VD_TRY(vd_file_load(path, VD_ROOT_PASSPHRASE_MAX + 1, &bytes, diag));
    size = strcspn((const char *)bytes.data, "\n");
    if (size < VD_ROOT_PASSPHRASE_MIN || size > VD_ROOT_PASSPHRASE_MAX) {
        vd_diag_file(diag, path);
        status = vd_diagf(diag, VD_E_INVALID, "a passphrase has %u to %u bytes",
                          VD_ROOT_PASSPHRASE_MIN, VD_ROOT_PASSPHRASE_MAX);
    } else {
        status = vd_secret_set(ret, bytes.data, size, diag);
    }
    vd_wipe(bytes.data, bytes.size);
    vd_bytes_free(&bytes);
    return status;
}

static vd_status get_salt(const char *store, uint8_t ret[SALT_SIZE], struct vd_diag *diag)
{
    VD_AUTO(vd_bytes_free) struct vd_bytes bytes = {};
    char path[4096];
    vd_status status;

    if (snprintf(path, sizeof(path), "%s/" SALT_FILE, store) >= (int)sizeof(path))
        return vd_diag_fail(diag, VD_E_LIMIT, "the store's path is too long");
    status = vd_file_load(path, SALT_SIZE, &bytes, NULL);
    if (status == VD_OK && bytes.size == SALT_SIZE) {
        vd_copy(ret, bytes.data, SALT_SIZE);
        return VD_OK;
    }
    if (status != VD_E_NOT_FOUND) {
        vd_diag_file(diag, path);
        return vd_diagf(diag, VD_E_INVALID, "expected %u bytes", SALT_SIZE);
    }
    if (RAND_bytes(ret, SALT_SIZE) != 1)
        return vd_diag_fail(diag, VD_E_SYSTEM, "no random bytes");
    return vd_file_store(path, ret, SALT_SIZE, 0600, diag);
}

vd_status vd_keyd_root_key(const struct vd_keyd_root_options *options, struct vd_secret *ret,
                           struct vd_diag *diag)
{
    VD_AUTO(vd_secret_done) struct vd_secret passphrase = {};
    uint8_t salt[SALT_SIZE];

    if (options->kind != VD_KEY_ROOT_PASSPHRASE)
        return vd_diag_fail(diag, VD_E_UNSUPPORTED, "this build has only --root passphrase");
    VD_TRY(read_passphrase(options->passphrase_file, &passphrase, diag));
    VD_TRY(get_salt(options->store, salt, diag));
    VD_TRY(vd_secret_init(ret, VD_ROOT_KEY_SIZE, diag));
    if (EVP_PBE_scrypt((const char *)passphrase.data, passphrase.size, salt, SALT_SIZE, SCRYPT_N,
                       SCRYPT_R, 1, SCRYPT_MEMORY, ret->data, ret->size) == 1)
        return VD_OK;
    vd_secret_done(ret);
    return vd_diag_fail(diag, VD_E_SYSTEM, "scrypt failed");
}
