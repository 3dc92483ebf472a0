/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/hsm/connect.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/mem.h"

/* Whether a PIN is to be had without asking. */
static bool has_pin(const struct vd_hsm_options *options, const struct vd_hsm_uri *uri)
{
    return options->pin_file != NULL || uri->pin_source[0] != '\0' ||
           getenv(VD_HSM_PIN_ENV) != NULL;
}

/* A PIN pad is asked by the token itself; else the PIN is read. */
static vd_status read_pin(const struct vd_hsm_options *options, const struct vd_hsm_uri *uri,
                          struct vd_secret *ret, struct vd_diag *diag)
{
    const char *file = options->pin_file;

    if (file == NULL && uri->pin_source[0] != '\0')
        file = uri->pin_source;
    return vd_hsm_pin_read(file, ret, diag);
}

/* True if the token that is meant has a PIN pad and there is no PIN: found out without a login. */
static bool pin_pad(struct vd_hsm_where where, const struct vd_hsm_options *options)
{
    struct vd_hsm *hsm = NULL;
    bool pad = false;

    where.login = false;
    if (!has_pin(options, where.uri) && vd_hsm_open(&where, &hsm, NULL) == VD_OK)
        pad = vd_hsm_token(hsm)->pin_pad;
    vd_hsm_close(hsm);
    return pad;
}

vd_status vd_hsm_connect(const struct vd_hsm_options *options, const char *uri, bool login,
                         struct vd_hsm_connection *ret, struct vd_diag *diag)
{
    struct vd_secret pin VD_AUTO(vd_secret_done) = {};
    struct vd_hsm_connection made = {.uri = {.slot = VD_HSM_ANY_SLOT}};
    struct vd_hsm_where where = {.module = options->module, .uri = &made.uri, .login = login};

    if (uri != NULL)
        VD_TRY(vd_hsm_uri_parse(uri, &made.uri, diag));
    if (login && !pin_pad(where, options)) {
        VD_TRY(read_pin(options, &made.uri, &pin, diag));
        where.pin = &pin;
    }
    VD_TRY(vd_hsm_open(&where, &made.hsm, diag));
    *ret = made;
    return VD_OK;
}

void vd_hsm_disconnect(struct vd_hsm_connection *connection)
{
    vd_hsm_close(connection->hsm);
    connection->hsm = NULL;
}

void vd_hsm_key_uri(const struct vd_hsm *hsm, const struct vd_hsm_key *key, char *buf, size_t size)
{
    const struct vd_hsm_token *token = vd_hsm_token(hsm);
    struct vd_hsm_uri uri = {.slot = VD_HSM_ANY_SLOT, .class = key->class, .id_size = key->id_size};

    vd_copy(uri.token, token->label, sizeof(uri.token));
    vd_copy(uri.serial, token->serial, sizeof(uri.serial));
    vd_copy(uri.object, key->label, sizeof(uri.object));
    vd_copy(uri.id, key->id, sizeof(uri.id));
    if (vd_hsm_uri_write(&uri, buf, size) != VD_OK)
        buf[0] = '\0';
}

void vd_hsm_key_kind(const struct vd_hsm_key *key, char ret[16])
{
    static const char *const names[] = {
        [VD_HSM_RSA] = "rsa", [VD_HSM_EC] = "ec-p", [VD_HSM_AES] = "aes"};

    if (key->kind == VD_HSM_OTHER_KEY)
        snprintf(ret, 16, "?");
    else
        snprintf(ret, 16, "%s%s%u", names[key->kind], key->kind == VD_HSM_EC ? "" : "-", key->bits);
}
