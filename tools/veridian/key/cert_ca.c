/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/key/cert_ca.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "lib/hash.h"

void vd_cert_free(X509 **cert)
{
    X509_free(*cert);
    *cert = NULL;
}

void vd_cert_ca_done(struct vd_cert_ca *ca)
{
    X509_free(ca->cert);
    vd_keyclient_key_free(ca->alternative.key);
    vd_key_run_done(&ca->run);
    *ca = (struct vd_cert_ca){};
}

vd_status vd_cert_ca_prepare(struct vd_cert_ca *ca, const struct vd_key_service *service,
                             const char *name, struct vd_diag *diag)
{
    VD_TRY(vd_key_run_open(&ca->run, service, name, diag));
    if ((vd_keyclient_key_info(ca->run.key)->attributes.usages & VD_ALG_CERTIFY) != 0)
        return VD_OK;
    vd_diag_hint(diag, "make a key for it: veridian key create NAME --type TYPE --usage certify");
    return vd_diagf(diag, VD_E_KEY_USAGE, "'%s' is not for certificates", name);
}

vd_status vd_cert_ca_signers(struct vd_cert_ca *ca, struct vd_diag *diag)
{
    struct vd_keyclient *client = ca->run.client;
    char id[3 + 2 * VD_KEY_ID_SIZE + 1] = "id:";
    struct vd_keyclient_key *key = NULL;

    VD_TRY(vd_cert_signer_init(&ca->signer, client, ca->run.key, ca->state.pkcs1, diag));
    if (!ca->state.has_alternative)
        return VD_OK;
    vd_hex_encode(ca->state.alternative, VD_KEY_ID_SIZE, id + 3);
    VD_TRY(vd_keyclient_open(client, id, &key, diag));
    ca->alternative.key = key;
    return vd_cert_signer_init(&ca->alternative, client, key, false, diag);
}

/* An attachment's value, on the heap. */
static vd_status attached(struct vd_cert_ca *ca, enum vd_key_attachment kind, const char *name,
                          struct vd_bytes *ret, struct vd_diag *diag)
{
    struct vd_keyclient_buffer out = {malloc(VD_KEY_ATTACHMENT_MAX), VD_KEY_ATTACHMENT_MAX, 0};
    vd_status status;

    if (out.data == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    status = vd_keyclient_attached(ca->run.key, kind, name, &out, diag);
    if (status != VD_OK) {
        free(out.data);
        return status;
    }
    *ret = (struct vd_bytes){out.data, out.size};
    return VD_OK;
}

vd_status vd_cert_ca_open(struct vd_cert_ca *ca, const struct vd_key_service *service,
                          const char *name, struct vd_diag *diag)
{
    struct vd_bytes cert VD_AUTO(vd_bytes_free) = {};
    struct vd_bytes state VD_AUTO(vd_bytes_free) = {};
    struct vd_diag mine = {};
    vd_status status;

    VD_TRY(vd_cert_ca_prepare(ca, service, name, diag));
    status = attached(ca, VD_KEY_ATTACH_CERTIFICATE, VD_CERT_OWN, &cert, &mine);
    if (status == VD_E_NOT_FOUND) {
        vd_diag_hint(diag, "'veridian key cert ca' makes it one");
        return vd_diagf(diag, VD_E_NOT_FOUND, "'%s' is no certificate authority yet", name);
    }
    if (status != VD_OK) {
        *diag = mine;
        return status;
    }
    VD_TRY(vd_cert_read(cert.data, cert.size, &ca->cert, diag));
    VD_TRY(attached(ca, VD_KEY_ATTACH_CA, VD_CERT_STATE, &state, diag));
    VD_TRY(vd_cert_state_read(state.data, state.size, &ca->state, diag));
    return vd_cert_ca_signers(ca, diag);
}

static vd_status encode(X509 *cert, unsigned char **ret, size_t *ret_size, struct vd_diag *diag)
{
    int size = i2d_X509(cert, ret);

    if (size <= 0)
        return vd_cert_openssl("cannot encode a certificate", diag);
    *ret_size = (size_t)size;
    return VD_OK;
}

vd_status vd_cert_ca_store(struct vd_cert_ca *ca, struct vd_diag *diag)
{
    uint8_t state[VD_CERT_STATE_BYTES];
    struct vd_key_attach both[2] = {
        {.action = VD_KEY_ATTACH_PUT, .kind = VD_KEY_ATTACH_CERTIFICATE, .name = VD_CERT_OWN},
        {.action = VD_KEY_ATTACH_PUT, .kind = VD_KEY_ATTACH_CA, .name = VD_CERT_STATE}};
    struct vd_keyclient_changes changes = {both, 2, false};
    unsigned char *der = NULL;
    struct vd_writer w;
    vd_status status;

    vd_writer_init(&w, state, sizeof(state));
    vd_cert_state_write(&ca->state, &w);
    VD_TRY(encode(ca->cert, &der, &both[0].size, diag));
    both[0].value = der;
    both[1].value = state;
    both[1].size = w.len;
    status = vd_keyclient_attach(ca->run.key, &changes, diag);
    OPENSSL_free(der);
    return status;
}

bool vd_cert_serial_of(const X509 *cert, char ret[VD_CERT_SERIAL_HEX])
{
    uint8_t bytes[VD_CERT_SERIAL_SIZE];
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);
    bool good = number != NULL && !BN_is_negative(number) &&
                BN_bn2binpad(number, bytes, sizeof(bytes)) == (int)sizeof(bytes);

    BN_free(number);
    ERR_clear_error();
    if (good)
        vd_hex_encode(bytes, sizeof(bytes), ret);
    return good;
}

/* All 128 bits are random: nobody finds two certificates of one digest beforehand. */
static vd_status new_serial(struct vd_cert_ca *ca, uint8_t ret[VD_CERT_SERIAL_SIZE],
                            struct vd_diag *diag)
{
    VD_TRY(vd_keyclient_random(ca->run.client, ret, VD_CERT_SERIAL_SIZE, diag));
    ret[VD_CERT_SERIAL_SIZE - 1] |= 1; /* zero is no serial number */
    return VD_OK;
}

static vd_status sign_both(struct vd_cert_ca *ca, X509 *cert, EVP_PKEY *alternative,
                           struct vd_diag *diag)
{
    if (alternative != NULL)
        VD_TRY(vd_cert_add_alternative_key(cert, alternative, diag));
    if (ca->alternative.key != NULL)
        VD_TRY(vd_cert_sign_alternative(&ca->alternative, cert, diag));
    return vd_cert_sign(&ca->signer, cert, diag);
}

static vd_status keep_issued(struct vd_cert_ca *ca, X509 *cert, struct vd_diag *diag)
{
    struct vd_key_attach one = {.action = VD_KEY_ATTACH_ADD, .kind = VD_KEY_ATTACH_ISSUED};
    struct vd_keyclient_changes changes = {&one, 1, false};
    unsigned char *der = NULL;
    vd_status status;

    if (!vd_cert_serial_of(cert, one.name))
        return vd_diag_fail(diag, VD_E_BUG, "a certificate without its serial number");
    VD_TRY(encode(cert, &der, &one.size, diag));
    one.value = der;
    status = vd_keyclient_attach(ca->run.key, &changes, diag);
    OPENSSL_free(der);
    return status;
}

vd_status vd_cert_ca_issue(struct vd_cert_ca *ca, struct vd_cert_content *content,
                           EVP_PKEY *alternative, X509 **ret, struct vd_diag *diag)
{
    uint8_t serial[VD_CERT_SERIAL_SIZE];
    X509 *cert = NULL;
    vd_status status;

    VD_TRY(new_serial(ca, serial, diag));
    content->serial = serial;
    content->issuer = ca->cert; /* NULL: it signs its own */
    VD_TRY(vd_cert_build(content, &cert, diag));
    status = sign_both(ca, cert, alternative, diag);
    if (status == VD_OK && ca->cert != NULL)
        status = keep_issued(ca, cert, diag);
    if (status != VD_OK) {
        X509_free(cert);
        return status;
    }
    *ret = cert;
    return VD_OK;
}

const char *vd_cert_serial_typed(char *word)
{
    for (char *c = word; *c != '\0'; c++)
        if (*c >= 'A' && *c <= 'F')
            *c = (char)(*c - 'A' + 'a');
    return word;
}

static vd_status check_serial(const char *serial, struct vd_diag *diag)
{
    if (vd_cert_serial_valid(serial))
        return VD_OK;
    vd_diag_hint(diag, "'veridian key cert list' shows serial numbers");
    return vd_diagf(diag, VD_E_USAGE, "'%s' is no serial number: 32 hexadecimal digits", serial);
}

vd_status vd_cert_ca_issued(struct vd_cert_ca *ca, const char *serial, X509 **ret,
                            struct vd_diag *diag)
{
    struct vd_bytes der VD_AUTO(vd_bytes_free) = {};

    VD_TRY(check_serial(serial, diag));
    VD_TRY(attached(ca, VD_KEY_ATTACH_ISSUED, serial, &der, diag));
    return vd_cert_read(der.data, der.size, ret, diag);
}

vd_status vd_cert_ca_revocation(struct vd_cert_ca *ca, const char *serial, bool *ret_revoked,
                                struct vd_cert_revocation *ret, struct vd_diag *diag)
{
    struct vd_bytes value VD_AUTO(vd_bytes_free) = {};
    struct vd_diag mine = {};
    vd_status status = attached(ca, VD_KEY_ATTACH_REVOKED, serial, &value, &mine);

    *ret_revoked = status == VD_OK;
    if (status == VD_E_NOT_FOUND)
        return VD_OK;
    if (status != VD_OK) {
        *diag = mine;
        return status;
    }
    return vd_cert_revocation_read(value.data, value.size, ret, diag);
}

vd_status vd_cert_output(X509 *cert, const char *path, struct vd_diag *diag)
{
    unsigned char *der = NULL;
    struct vd_keyclient_bytes bytes;
    vd_status status;

    VD_TRY(encode(cert, &der, &bytes.size, diag));
    bytes.data = der;
    status = vd_key_write_pem(path != NULL ? path : "-", "CERTIFICATE", &bytes, diag);
    OPENSSL_free(der);
    return status;
}

vd_status vd_cert_load(const char *path, X509 **ret, struct vd_diag *diag)
{
    static const char *const names[] = {"CERTIFICATE", NULL};
    struct vd_bytes bytes VD_AUTO(vd_bytes_free) = {};
    const char *pem;
    vd_status status;

    VD_TRY(vd_key_read(path, 2 * VD_CERT_MAX, &bytes, diag));
    status = vd_key_from_pem(&bytes, names, &pem, diag);
    if (status == VD_OK)
        status = vd_cert_read(bytes.data, bytes.size, ret, diag);
    if (status != VD_OK && path != NULL)
        vd_diag_file(diag, path);
    return status;
}

char *vd_cert_name_text(const X509_NAME *name)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *at = NULL, *text = NULL;
    long size;

    if (bio != NULL &&
        X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
        size = BIO_get_mem_data(bio, &at);
        text = OPENSSL_strndup(at, (size_t)size);
    }
    BIO_free(bio);
    return text;
}

uint64_t vd_cert_time(const ASN1_TIME *time)
{
    struct tm tm = {};
    time_t at = ASN1_TIME_to_tm(time, &tm) == 1 ? timegm(&tm) : 0;

    return at > 0 ? (uint64_t)at : 0;
}
