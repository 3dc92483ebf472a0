/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* cert revoke, crl, list, show. */
#include "tools/veridian/key/cert.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "lib/hash.h"
#include "lib/json.h"
#include "tools/veridian/key/cert_ca.h"
#include "tools/veridian/key/names.h"

#define CRL_DAYS_MAX 366u
#define SECONDS_DAY  86400

struct list_args {
    struct vd_key_service service;
    const char *reason;
    const char *out;
    uint32_t days;
};

/* Revoking */

static vd_status keep_revoked(struct vd_cert_ca *ca, const char *serial, uint8_t reason,
                              struct vd_diag *diag)
{
    struct vd_cert_revocation revocation = {reason, (uint64_t)time(NULL)};
    struct vd_key_attach one = {.action = VD_KEY_ATTACH_ADD, .kind = VD_KEY_ATTACH_REVOKED};
    struct vd_keyclient_changes changes = {&one, 1, true};
    uint8_t bytes[VD_CERT_STATE_BYTES];
    struct vd_writer w;

    vd_writer_init(&w, bytes, sizeof(bytes));
    vd_cert_revocation_write(&revocation, &w);
    vd_copy(one.name, serial, VD_CERT_SERIAL_HEX);
    one.value = bytes;
    one.size = w.len;
    return vd_keyclient_attach(ca->run.key, &changes, diag);
}

static vd_status do_revoke(const struct vd_cli_call *call, struct vd_cert_ca *ca,
                           struct vd_diag *diag)
{
    const struct list_args *args = call->args;
    const char *serial = vd_cert_serial_typed(call->operands[1]);
    X509 *cert VD_AUTO(vd_cert_free) = NULL;
    struct vd_diag mine = {};
    uint8_t reason;
    vd_status status;

    VD_TRY(vd_cert_reason_find(args->reason, &reason, diag));
    VD_TRY(vd_cert_ca_open(ca, &args->service, call->operands[0], diag));
    VD_TRY(vd_cert_ca_issued(ca, serial, &cert, diag));
    status = keep_revoked(ca, serial, reason, &mine);
    if (status == VD_E_EXISTS)
        return vd_diag_fail(diag, VD_E_EXISTS, "it is revoked already");
    if (status != VD_OK) {
        *diag = mine;
        return status;
    }
    printf("%s is revoked (%s); 'veridian key cert crl %s' makes the list that says so\n", serial,
           args->reason, call->operands[0]);
    return VD_OK;
}

static int revoke(const struct vd_cli_call *call)
{
    struct vd_cert_ca ca VD_AUTO(vd_cert_ca_done) = {};
    struct vd_diag diag = {};

    return vd_cli_report(do_revoke(call, &ca, &diag), &diag);
}

/* Revocation lists */

static vd_status add_revoked(X509_CRL *list, const char *serial,
                             const struct vd_cert_revocation *revocation, struct vd_diag *diag)
{
    X509_REVOKED *entry = X509_REVOKED_new();
    ASN1_TIME *at = ASN1_TIME_set(NULL, (time_t)revocation->at);
    ASN1_ENUMERATED *reason = ASN1_ENUMERATED_new();
    BIGNUM *number = NULL;
    ASN1_INTEGER *encoded = NULL;
    bool good = entry != NULL && at != NULL && reason != NULL && BN_hex2bn(&number, serial) != 0 &&
                (encoded = BN_to_ASN1_INTEGER(number, NULL)) != NULL &&
                X509_REVOKED_set_serialNumber(entry, encoded) == 1 &&
                X509_REVOKED_set_revocationDate(entry, at) == 1;

    /* "unspecified" is said by saying nothing (RFC 5280, 5.3.1). */
    if (good && revocation->reason != 0)
        good = ASN1_ENUMERATED_set(reason, revocation->reason) == 1 &&
               X509_REVOKED_add1_ext_i2d(entry, NID_crl_reason, reason, 0, X509V3_ADD_DEFAULT) == 1;
    good = good && X509_CRL_add0_revoked(list, entry) == 1;
    if (!good)
        X509_REVOKED_free(entry);
    ASN1_TIME_free(at);
    ASN1_ENUMERATED_free(reason);
    ASN1_INTEGER_free(encoded);
    BN_free(number);
    return good ? VD_OK : vd_cert_openssl("cannot add to the list", diag);
}

static vd_status add_all(struct vd_cert_ca *ca, X509_CRL *list, struct vd_diag *diag)
{
    struct vd_keyclient_attachment *rows = NULL;
    struct vd_cert_revocation revocation;
    uint32_t count = 0;
    bool revoked;
    vd_status status;

    VD_TRY(vd_keyclient_attachments(ca->run.key, VD_KEY_ATTACH_REVOKED, &rows, &count, diag));
    status = VD_OK;
    for (uint32_t i = 0; i < count && status == VD_OK; i++) {
        status = vd_cert_ca_revocation(ca, rows[i].name, &revoked, &revocation, diag);
        if (status == VD_OK && revoked)
            status = add_revoked(list, rows[i].name, &revocation, diag);
    }
    free(rows);
    return status;
}

/* The number of the newest list; 0: there is none. */
static vd_status last_number(struct vd_cert_ca *ca, uint64_t *ret, struct vd_diag *diag)
{
    struct vd_keyclient_attachment *rows = NULL;
    uint32_t count = 0;

    *ret = 0;
    VD_TRY(vd_keyclient_attachments(ca->run.key, VD_KEY_ATTACH_CA, &rows, &count, diag));
    for (uint32_t i = 0; i < count; i++) {
        uint64_t number = 0;
        if (vd_cert_list_number(rows[i].name, &number, NULL) == VD_OK && number > *ret)
            *ret = number;
    }
    free(rows);
    return VD_OK;
}

static vd_status describe(struct vd_cert_ca *ca, X509_CRL *list, uint64_t number,
                          const struct vd_cert_list *times, struct vd_diag *diag)
{
    ASN1_TIME *this = ASN1_TIME_set(NULL, (time_t)times->this_update);
    ASN1_TIME *next = ASN1_TIME_set(NULL, (time_t)times->next_update);
    ASN1_INTEGER *encoded = ASN1_INTEGER_new();
    AUTHORITY_KEYID *id = AUTHORITY_KEYID_new();
    const ASN1_OCTET_STRING *key_id = X509_get0_subject_key_id(ca->cert);
    bool good = this != NULL && next != NULL && encoded != NULL && id != NULL &&
                ASN1_INTEGER_set_uint64(encoded, number) == 1 &&
                X509_CRL_set_version(list, X509_CRL_VERSION_2) == 1 &&
                X509_CRL_set_issuer_name(list, X509_get_subject_name(ca->cert)) == 1 &&
                X509_CRL_set1_lastUpdate(list, this) == 1 &&
                X509_CRL_set1_nextUpdate(list, next) == 1 &&
                X509_CRL_add1_ext_i2d(list, NID_crl_number, encoded, 0, X509V3_ADD_DEFAULT) == 1;

    if (good && key_id != NULL) {
        id->keyid = ASN1_OCTET_STRING_dup(key_id);
        good = id->keyid != NULL && X509_CRL_add1_ext_i2d(list, NID_authority_key_identifier, id, 0,
                                                          X509V3_ADD_DEFAULT) == 1;
    }
    ASN1_TIME_free(this);
    ASN1_TIME_free(next);
    ASN1_INTEGER_free(encoded);
    AUTHORITY_KEYID_free(id);
    return good ? VD_OK : vd_cert_openssl("cannot make a revocation list", diag);
}

/*
 * The list's number is taken by making an attachment of that name: of two that are made at once
 * one fails, instead of there being two lists of one number.
 */
static vd_status keep_list(struct vd_cert_ca *ca, uint64_t number, const struct vd_cert_list *list,
                           struct vd_diag *diag)
{
    struct vd_key_attach changed[2] = {{.action = VD_KEY_ATTACH_ADD, .kind = VD_KEY_ATTACH_CA},
                                       {.action = VD_KEY_ATTACH_REMOVE, .kind = VD_KEY_ATTACH_CA}};
    struct vd_keyclient_changes changes = {changed, number > 1 ? 2 : 1, true};
    uint8_t bytes[VD_CERT_STATE_BYTES];
    struct vd_writer w;

    vd_writer_init(&w, bytes, sizeof(bytes));
    vd_cert_list_write(list, &w);
    (void)snprintf(changed[0].name, sizeof(changed[0].name), VD_CERT_LIST "%016llx",
                   (unsigned long long)number);
    (void)snprintf(changed[1].name, sizeof(changed[1].name), VD_CERT_LIST "%016llx",
                   (unsigned long long)number - 1);
    changed[0].value = bytes;
    changed[0].size = w.len;
    return vd_keyclient_attach(ca->run.key, &changes, diag);
}

static vd_status make_list(struct vd_cert_ca *ca, X509_CRL *list, uint32_t days,
                           struct vd_diag *diag)
{
    struct vd_cert_list row = {.this_update = (uint64_t)time(NULL)};
    unsigned char *der = NULL;
    uint64_t number;
    vd_status status;
    int size;

    row.next_update = row.this_update + (uint64_t)days * SECONDS_DAY;
    VD_TRY(last_number(ca, &number, diag));
    VD_TRY(describe(ca, list, ++number, &row, diag));
    VD_TRY(add_all(ca, list, diag));
    if (X509_CRL_sort(list) != 1)
        return vd_cert_openssl("cannot sort the list", diag);
    VD_TRY(vd_cert_sign_list(&ca->signer, list, diag));
    size = i2d_X509_CRL(list, &der);
    if (size <= 0)
        return vd_cert_openssl("cannot encode the list", diag);
    status = vd_hash(VD_HASH_SHA256, der, (size_t)size, row.digest, diag);
    OPENSSL_free(der);
    VD_TRY(status);
    return keep_list(ca, number, &row, diag);
}

static void list_free(X509_CRL **list)
{
    X509_CRL_free(*list);
}

static vd_status do_crl(const struct vd_cli_call *call, struct vd_cert_ca *ca, struct vd_diag *diag)
{
    const struct list_args *args = call->args;
    X509_CRL *list VD_AUTO(list_free) = NULL;
    unsigned char *der = NULL;
    struct vd_keyclient_bytes bytes;
    vd_status status;
    int size;

    if (args->days == 0 || args->days > CRL_DAYS_MAX)
        return vd_diagf(diag, VD_E_USAGE, "a list is valid for 1 to %u days", CRL_DAYS_MAX);
    VD_TRY(vd_cert_ca_open(ca, &args->service, call->operands[0], diag));
    VD_TRY(vd_cert_list_new(&ca->signer, &list, diag));
    VD_TRY(make_list(ca, list, args->days, diag));
    size = i2d_X509_CRL(list, &der);
    bytes = (struct vd_keyclient_bytes){der, (size_t)size};
    status = size > 0
                 ? vd_key_write_pem(args->out != NULL ? args->out : "-", "X509 CRL", &bytes, diag)
                 : vd_cert_openssl("cannot encode the list", diag);
    OPENSSL_free(der);
    return status;
}

static int crl(const struct vd_cli_call *call)
{
    struct vd_cert_ca ca VD_AUTO(vd_cert_ca_done) = {};
    struct vd_diag diag = {};

    return vd_cli_report(do_crl(call, &ca, &diag), &diag);
}

/* Listing */

#define STATE_SIZE 64

static vd_status state_of(struct vd_cert_ca *ca, const char *serial, const X509 *cert,
                          char ret[STATE_SIZE], struct vd_diag *diag)
{
    struct vd_cert_revocation revocation;
    bool revoked;

    VD_TRY(vd_cert_ca_revocation(ca, serial, &revoked, &revocation, diag));
    if (revoked)
        (void)snprintf(ret, STATE_SIZE, "revoked (%s)", vd_cert_reason_name(revocation.reason));
    else
        (void)snprintf(ret, STATE_SIZE, "%s",
                       ASN1_TIME_cmp_time_t(X509_get0_notAfter(cert), time(NULL)) < 0 ? "expired"
                                                                                      : "valid");
    return VD_OK;
}

static vd_status list_one(struct vd_cert_ca *ca, const char *serial, json_t *rows,
                          struct vd_diag *diag)
{
    X509 *cert VD_AUTO(vd_cert_free) = NULL;
    char until[VD_KEY_TIME_SIZE], state[STATE_SIZE];
    char *subject;

    VD_TRY(vd_cert_ca_issued(ca, serial, &cert, diag));
    VD_TRY(state_of(ca, serial, cert, state, diag));
    subject = vd_cert_name_text(X509_get_subject_name(cert));
    vd_key_time_print(vd_cert_time(X509_get0_notAfter(cert)), until);
    if (rows != NULL)
        json_array_append_new(rows, json_pack("{s:s, s:s*, s:s, s:s}", "serial", serial, "subject",
                                              subject, "not_after", until, "state", state));
    else
        printf("%s  %s  %-24s %s\n", serial, until, state, subject != NULL ? subject : "?");
    OPENSSL_free(subject);
    return VD_OK;
}

static vd_status do_list(const struct vd_cli_call *call, struct vd_cert_ca *ca,
                         struct vd_diag *diag)
{
    const struct list_args *args = call->args;
    struct vd_keyclient_attachment *issued = NULL;
    json_t *rows = args->service.json ? json_array() : NULL;
    uint32_t count = 0;
    vd_status status = vd_cert_ca_open(ca, &args->service, call->operands[0], diag);

    if (status == VD_OK)
        status = vd_keyclient_attachments(ca->run.key, VD_KEY_ATTACH_ISSUED, &issued, &count, diag);
    for (uint32_t i = 0; i < count && status == VD_OK; i++)
        status = list_one(ca, issued[i].name, rows, diag);
    free(issued);
    if (status == VD_OK && rows != NULL)
        return vd_json_print(rows, diag);
    json_decref(rows);
    return status;
}

static int list(const struct vd_cli_call *call)
{
    struct vd_cert_ca ca VD_AUTO(vd_cert_ca_done) = {};
    struct vd_diag diag = {};

    return vd_cli_report(do_list(call, &ca, &diag), &diag);
}

static vd_status do_show(const struct vd_cli_call *call, struct vd_cert_ca *ca,
                         struct vd_diag *diag)
{
    const struct list_args *args = call->args;
    X509 *cert VD_AUTO(vd_cert_free) = NULL;

    VD_TRY(vd_cert_ca_open(ca, &args->service, call->operands[0], diag));
    if (call->operand_count == 1)
        return vd_cert_output(ca->cert, args->out, diag);
    VD_TRY(vd_cert_ca_issued(ca, vd_cert_serial_typed(call->operands[1]), &cert, diag));
    return vd_cert_output(cert, args->out, diag);
}

static int show(const struct vd_cli_call *call)
{
    struct vd_cert_ca ca VD_AUTO(vd_cert_ca_done) = {};
    struct vd_diag diag = {};

    return vd_cli_report(do_show(call, &ca, &diag), &diag);
}

#define OPTION(name_, kind_, member, help_, argument_, standard_)                                 \
    {                                                                                             \
        .name = name_, .kind = kind_, .store = offsetof(struct list_args, member), .help = help_, \
        .argument = argument_, .standard = standard_                                              \
    }

static const struct vd_cli_option revoke_options[] = {
    {.name = "reason",
     .kind = VD_CLI_TEXT,
     .store = offsetof(struct list_args, reason),
     .help = "why",
     .argument = "unspecified|keyCompromise|cACompromise|affiliationChanged|superseded|"
                 "cessationOfOperation|privilegeWithdrawn|aACompromise",
     .standard = "unspecified"},
    VD_KEY_SOCKET_OPTION,
    {}};

const struct vd_cli_command vd_cert_revoke_command = {
    .name = "revoke",
    .usage = "CA SERIAL [--reason REASON]",
    .summary = "revokes a certificate for ever; an older store cannot undo it",
    .options = revoke_options,
    .args_size = sizeof(struct list_args),
    .operands_min = 2,
    .operands_max = 2,
    .run = revoke,
};

static const struct vd_cli_option crl_options[] = {
    OPTION("days", VD_CLI_U32, days, "until the next list is due", "N", "7"),
    OPTION("out", VD_CLI_TEXT, out, "where the PEM goes", "FILE", NULL),
    VD_KEY_SOCKET_OPTION,
    {}};

const struct vd_cli_command vd_cert_crl_command = {
    .name = "crl",
    .usage = "CA [--days N] [--out FILE]",
    .summary = "makes the list of what is revoked",
    .options = crl_options,
    .args_size = sizeof(struct list_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = crl,
};

static const struct vd_cli_option list_options[] = {VD_KEY_SOCKET_OPTION, VD_KEY_JSON_OPTION, {}};

const struct vd_cli_command vd_cert_list_command = {
    .name = "list",
    .usage = "CA [--json]",
    .summary = "lists the certificates that an authority issued",
    .options = list_options,
    .args_size = sizeof(struct list_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = list,
};

static const struct vd_cli_option show_options[] = {
    OPTION("out", VD_CLI_TEXT, out, "where the PEM goes", "FILE", NULL), VD_KEY_SOCKET_OPTION, {}};

const struct vd_cli_command vd_cert_show_command = {
    .name = "show",
    .usage = "CA [SERIAL] [--out FILE]",
    .summary = "prints an authority's certificate, or one that it issued, as PEM",
    .options = show_options,
    .args_size = sizeof(struct list_args),
    .operands_min = 1,
    .operands_max = 2,
    .run = show,
};
