/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "services/crypto/root/root.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "services/crypto/root/internal.h"

struct vd_root {
    char *path;
    struct vd_root_file *file;
    struct vd_tpm_keeper *keeper;
    struct vd_tpm_nv counter;
};

const char *vd_root_kind_name(enum vd_root_kind kind)
{
    switch (kind) {
    case VD_ROOT_TPM:
        return "tpm";
    case VD_ROOT_HSM:
        return "hsm";
    case VD_ROOT_PASSPHRASE:
        return "passphrase";
    }
    return "?";
}

void vd_root_free(struct vd_root *root)
{
    if (root == NULL)
        return;
    vd_tpm_keeper_free(root->keeper);
    free(root->file);
    free(root->path);
    free(root);
}

static vd_status new_root(const char *path, struct vd_root **ret, struct vd_diag *diag)
{
    struct vd_root *root;

    if (path == NULL)
        return vd_diag_fail(diag, VD_E_USAGE, "a root key needs a path");
    root = calloc(1, sizeof(*root));
    if (root != NULL) {
        root->path = strdup(path);
        root->file = calloc(1, sizeof(*root->file));
    }
    if (root == NULL || root->path == NULL || root->file == NULL) {
        vd_root_free(root);
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    }
    *ret = root;
    return VD_OK;
}

static vd_status need_keeper(struct vd_root *root, const char *tpm, struct vd_diag *diag)
{
    if (root->keeper != NULL)
        return VD_OK;
    return vd_tpm_keeper_new(tpm, &root->keeper, diag);
}

static bool wants_counter(const struct vd_root_options *options)
{
    if (options->counter == VD_ROOT_NO_COUNTER)
        return false;
    return options->counter != 0 || options->kind == VD_ROOT_TPM;
}

static vd_status seal(const struct vd_root_work *work, const struct vd_secret *key,
                      struct vd_diag *diag)
{
    const struct vd_root_token *token = work->options->token;

    work->file->kind = work->options->kind;
    switch (work->options->kind) {
    case VD_ROOT_TPM:
        return vd_root_tpm_seal(work, key, diag);
    case VD_ROOT_PASSPHRASE:
        return vd_root_passphrase_seal(work, key, diag);
    case VD_ROOT_HSM:
        if (token == NULL)
            return vd_diag_fail(diag, VD_E_USAGE, "a root key of kind hsm needs a token");
        return token->wrap(token->ctx, key, &work->file->wrapped, diag);
    }
    return vd_diag_fail(diag, VD_E_USAGE, "a root key is of kind tpm, hsm or passphrase");
}

static vd_status unseal(const struct vd_root_work *work, struct vd_secret *key,
                        struct vd_diag *diag)
{
    const struct vd_root_token *token = work->options->token;

    if (work->file->kind == VD_ROOT_TPM)
        return vd_root_tpm_open(work, key, diag);
    if (work->file->kind == VD_ROOT_PASSPHRASE)
        return vd_root_passphrase_open(work, key, diag);
    if (token == NULL)
        return vd_diag_fail(diag, VD_E_USAGE, "a root key of kind hsm needs a token");
    return token->unwrap(token->ctx, &work->file->wrapped, key, diag);
}

static vd_status store(const char *path, const struct vd_root_file *file,
                       const struct vd_secret *key, struct vd_diag *diag)
{
    struct vd_bytes bytes VD_AUTO(vd_bytes_free) = {};

    VD_TRY(vd_root_file_write(file, key, &bytes, diag));
    return vd_file_store(path, bytes.data, bytes.size, 0600, diag);
}

/* What the counter must be: the index of the file, with its name. */
static void set_counter(struct vd_root *root)
{
    root->counter = (struct vd_tpm_nv){.index = root->file->counter,
                                       .attributes = VD_TPM_NV_OUR_COUNTER,
                                       .size = 8,
                                       .name = root->file->counter_name};
}

static vd_status create(struct vd_root *root, const struct vd_root_options *options,
                        struct vd_secret *key, struct vd_diag *diag)
{
    const struct vd_root_work work = {options, root->file, root->keeper};

    VD_TRY(vd_secret_init(key, VD_ROOT_KEY_SIZE, diag));
    if (RAND_priv_bytes(key->data, (int)key->size) != 1)
        return vd_diag_fail(diag, VD_E_SYSTEM, "OpenSSL has no random bytes");
    if (wants_counter(options))
        VD_TRY(vd_root_counter_make(&work, diag));
    VD_TRY(seal(&work, key, diag));
    return store(root->path, root->file, key, diag);
}

vd_status vd_root_create(const struct vd_root_options *options, struct vd_secret *ret_key,
                         struct vd_root **ret, struct vd_diag *diag)
{
    struct vd_root *root = NULL;
    vd_status status;

    VD_TRY(new_root(options->path, &root, diag));
    status = access(root->path, F_OK) == 0
                 ? vd_diagf(diag, VD_E_EXISTS, "%s: there is a root key already", root->path)
                 : VD_OK;
    if (status == VD_OK && (options->kind == VD_ROOT_TPM || wants_counter(options)))
        status = need_keeper(root, options->tpm, diag);
    if (status == VD_OK)
        status = create(root, options, ret_key, diag);
    if (root->keeper != NULL)
        vd_tpm_keeper_rest(root->keeper);
    if (status != VD_OK) {
        vd_secret_done(ret_key);
        vd_root_free(root);
        return status;
    }
    set_counter(root);
    *ret = root;
    return VD_OK;
}

static vd_status open_file(struct vd_root *root, const struct vd_root_options *options,
                           struct vd_secret *key, struct vd_diag *diag)
{
    struct vd_bytes bytes VD_AUTO(vd_bytes_free) = {};
    struct vd_root_work work = {.options = options, .file = root->file};

    VD_TRY(vd_file_load(root->path, VD_ROOT_FILE_MAX, &bytes, diag));
    vd_diag_file(diag, root->path);
    VD_TRY(vd_root_file_read(bytes.data, bytes.size, root->file, diag));
    vd_diag_file(diag, "");
    if (root->file->kind != options->kind) {
        vd_diagf_hint(diag, "--root %s", vd_root_kind_name(root->file->kind));
        return vd_diagf(diag, VD_E_USAGE, "%s is of kind %s, not %s", root->path,
                        vd_root_kind_name(root->file->kind), vd_root_kind_name(options->kind));
    }
    if (root->file->kind == VD_ROOT_TPM || root->file->counter != 0)
        VD_TRY(need_keeper(root, options->tpm, diag));
    work.keeper = root->keeper;
    VD_TRY(vd_secret_init(key, VD_ROOT_KEY_SIZE, diag));
    VD_TRY(unseal(&work, key, diag));
    return vd_root_file_verify(root->file, &bytes, key, diag);
}

vd_status vd_root_open(const struct vd_root_options *options, struct vd_secret *ret_key,
                       struct vd_root **ret, struct vd_diag *diag)
{
    struct vd_root *root = NULL;
    vd_status status;

    VD_TRY(new_root(options->path, &root, diag));
    status = open_file(root, options, ret_key, diag);
    if (root->keeper != NULL)
        vd_tpm_keeper_rest(root->keeper);
    if (status != VD_OK) {
        vd_secret_done(ret_key);
        vd_root_free(root);
        return status;
    }
    set_counter(root);
    *ret = root;
    return VD_OK;
}

vd_status vd_root_change(struct vd_root *root, const struct vd_root_options *to,
                         const struct vd_secret *key, struct vd_diag *diag)
{
    struct vd_root_file *file = calloc(1, sizeof(*file));
    struct vd_root_work work = {.options = to, .file = file};
    vd_status status = VD_OK;

    if (file == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    file->counter = root->file->counter;
    file->counter_name = root->file->counter_name;
    if (to->kind == VD_ROOT_TPM || (to->counter != 0 && to->counter != VD_ROOT_NO_COUNTER))
        status = need_keeper(root, to->tpm, diag);
    work.keeper = root->keeper;
    if (to->counter == VD_ROOT_NO_COUNTER)
        file->counter = 0;
    else if (status == VD_OK && to->counter != 0 && to->counter != file->counter)
        status = vd_root_counter_make(&work, diag);
    if (status == VD_OK)
        status = seal(&work, key, diag);
    if (status == VD_OK)
        status = store(root->path, file, key, diag);
    if (root->keeper != NULL)
        vd_tpm_keeper_rest(root->keeper);
    if (status != VD_OK) {
        free(file);
        return status;
    }
    free(root->file);
    root->file = file;
    set_counter(root);
    return VD_OK;
}

enum vd_root_kind vd_root_kind_of(const struct vd_root *root)
{
    return root->file->kind;
}

bool vd_root_has_counter(const struct vd_root *root)
{
    return root->file->counter != 0;
}

static vd_status count(struct vd_root *root,
                       vd_status (*what)(struct vd_tpm_keeper *, const struct vd_tpm_nv *,
                                         uint64_t *, struct vd_diag *),
                       uint64_t *ret, struct vd_diag *diag)
{
    vd_status status;

    if (!vd_root_has_counter(root))
        return vd_diag_fail(diag, VD_E_UNSUPPORTED, "this root key has no counter");
    status = what(root->keeper, &root->counter, ret, diag);
    vd_tpm_keeper_rest(root->keeper);
    return status;
}

vd_status vd_root_counter_read(void *root, uint64_t *ret, struct vd_diag *diag)
{
    return count(root, vd_tpm_keeper_counter, ret, diag);
}

vd_status vd_root_counter_increment(void *root, uint64_t *ret, struct vd_diag *diag)
{
    return count(root, vd_tpm_keeper_increment, ret, diag);
}
