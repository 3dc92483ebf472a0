/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* cert ca, csr, issue, renew: what makes certificates. */
#include "tools/veridian/key/cert.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "lib/diagf.h"
#include "tools/veridian/key/cert_ca.h"

struct cert_args {
    struct vd_key_service service;
    const char *subject;
    const char *names;
    const char *profile;
    const char *csr;
    const char *certificate;
    const char *alternative;
    const char *out;
    uint32_t days;
    uint32_t path;
    bool pkcs1;
};

/* What a run holds of OpenSSL's. */
struct parts {
    X509_NAME *subject;
    EVP_PKEY *key;
    EVP_PKEY *alternative;
    STACK_OF(GENERAL_NAME) * names;
    X509_REQ *request;
    X509 *cert;
};

static void parts_done(struct parts *p)
{
    X509_NAME_free(p->subject);
    EVP_PKEY_free(p->key);
    EVP_PKEY_free(p->alternative);
    GENERAL_NAMES_free(p->names);
    X509_REQ_free(p->request);
    X509_free(p->cert);
}

/* The root signs itself. */
static vd_status make_root(struct vd_cert_ca *ca, const struct cert_args *args, struct parts *p,
                           struct vd_diag *diag)
{
    struct vd_cert_content content = {.days = args->days,
                                      .path = args->path != UINT32_MAX ? (int)args->path : -1};

    if (args->subject == NULL)
        return vd_diag_fail(diag, VD_E_USAGE, "name the authority by --subject CN=…");
    VD_TRY(vd_cert_name_parse(args->subject, &p->subject, diag));
    VD_TRY(vd_cert_profile_find("root", &content.profile, diag));
    VD_TRY(vd_cert_signer_public(&ca->signer, &p->key, diag));
    if (ca->alternative.key != NULL)
        VD_TRY(vd_cert_signer_public(&ca->alternative, &p->alternative, diag));
    content.subject = p->subject;
    content.key = p->key;
    return vd_cert_ca_issue(ca, &content, p->alternative, &ca->cert, diag);
}

/* A certificate that another authority made for this key. */
static vd_status take_certificate(struct vd_cert_ca *ca, const struct cert_args *args,
                                  struct parts *p, struct vd_diag *diag)
{
    VD_TRY(vd_cert_load(args->certificate, &p->cert, diag));
    VD_TRY(vd_cert_signer_public(&ca->signer, &p->key, diag));
    if (EVP_PKEY_eq(X509_get0_pubkey(p->cert), p->key) != 1) {
        ERR_clear_error();
        return vd_diag_fail(diag, VD_E_INVALID, "the certificate is for another key");
    }
    if (X509_check_ca(p->cert) != 1)
        return vd_diag_fail(diag, VD_E_INVALID, "this is no authority's certificate");
    ca->cert = p->cert;
    p->cert = NULL;
    return VD_OK;
}

static vd_status find_alternative(struct vd_cert_ca *ca, const char *name, struct vd_diag *diag)
{
    struct vd_keyclient_key *key = NULL;
    const struct vd_key_info *info;
    vd_status status = VD_OK;

    VD_TRY(vd_key_open(ca->run.client, name, &key, diag));
    info = vd_keyclient_key_info(key);
    if ((info->attributes.usages & VD_ALG_CERTIFY) == 0)
        status = vd_diagf(diag, VD_E_KEY_USAGE, "'%s' is not for certificates", name);
    ca->state.has_alternative = true;
    memcpy(ca->state.alternative, info->id, VD_KEY_ID_SIZE);
    vd_keyclient_key_free(key);
    return status;
}

static vd_status do_ca(const struct vd_cli_call *call, struct vd_cert_ca *ca, struct parts *p,
                       struct vd_diag *diag)
{
    const struct cert_args *args = call->args;

    VD_TRY(vd_cert_ca_prepare(ca, &args->service, call->operands[0], diag));
    ca->state.pkcs1 = args->pkcs1;
    if (args->alternative != NULL)
        VD_TRY(find_alternative(ca, args->alternative, diag));
    VD_TRY(vd_cert_ca_signers(ca, diag));
    if (args->certificate != NULL)
        VD_TRY(take_certificate(ca, args, p, diag));
    else
        VD_TRY(make_root(ca, args, p, diag));
    VD_TRY(vd_cert_ca_store(ca, diag));
    return vd_cert_output(ca->cert, args->out, diag);
}

static int make_ca(const struct vd_cli_call *call)
{
    struct vd_cert_ca ca VD_AUTO(vd_cert_ca_done) = {};
    struct parts p VD_AUTO(parts_done) = {};
    struct vd_diag diag = {};

    return vd_cli_report(do_ca(call, &ca, &p, &diag), &diag);
}

/* Requests */

static vd_status ask_names(X509_REQ *request, STACK_OF(GENERAL_NAME) * names, struct vd_diag *diag)
{
    STACK_OF(X509_EXTENSION) *extensions = NULL;
    bool good = names == NULL || (X509V3_add1_i2d(&extensions, NID_subject_alt_name, names, 0,
                                                  X509V3_ADD_DEFAULT) == 1 &&
                                  X509_REQ_add_extensions(request, extensions) == 1);

    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    return good ? VD_OK : vd_cert_openssl("cannot make a request", diag);
}

static vd_status write_request(X509_REQ *request, const char *path, struct vd_diag *diag)
{
    unsigned char *der = NULL;
    int size = i2d_X509_REQ(request, &der);
    struct vd_keyclient_bytes bytes = {der, (size_t)size};
    vd_status status =
        size > 0 ? vd_key_write_pem(path != NULL ? path : "-", "CERTIFICATE REQUEST", &bytes, diag)
                 : vd_cert_openssl("cannot encode a request", diag);

    OPENSSL_free(der);
    return status;
}

static vd_status do_csr(const struct vd_cli_call *call, struct vd_key_run *run, struct parts *p,
                        struct vd_diag *diag)
{
    const struct cert_args *args = call->args;
    struct vd_cert_signer signer;

    VD_TRY(vd_cert_name_parse(args->subject, &p->subject, diag));
    if (args->names != NULL)
        VD_TRY(vd_cert_names_parse(args->names, &p->names, diag));
    VD_TRY(vd_key_run_open(run, &args->service, call->operands[0], diag));
    VD_TRY(vd_cert_signer_init(&signer, run->client, run->key, args->pkcs1, diag));
    VD_TRY(vd_cert_signer_public(&signer, &p->key, diag));
    p->request = X509_REQ_new();
    if (p->request == NULL || X509_REQ_set_version(p->request, X509_REQ_VERSION_1) != 1 ||
        X509_REQ_set_subject_name(p->request, p->subject) != 1 ||
        X509_REQ_set_pubkey(p->request, p->key) != 1)
        return vd_cert_openssl("cannot make a request", diag);
    VD_TRY(ask_names(p->request, p->names, diag));
    VD_TRY(vd_cert_sign_request(&signer, p->request, diag));
    return write_request(p->request, args->out, diag);
}

static int make_csr(const struct vd_cli_call *call)
{
    struct vd_key_run run VD_AUTO(vd_key_run_done) = {};
    struct parts p VD_AUTO(parts_done) = {};
    struct vd_diag diag = {};

    return vd_cli_report(do_csr(call, &run, &p, &diag), &diag);
}

/* Issuing */

static vd_status load_request(const char *path, struct parts *p, struct vd_diag *diag)
{
    static const char *const names[] = {"CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST", NULL};
    struct vd_bytes bytes VD_AUTO(vd_bytes_free) = {};
    const char *pem;
    vd_status status;

    VD_TRY(vd_key_read(path, 2 * VD_CERT_CSR_MAX, &bytes, diag));
    status = vd_key_from_pem(&bytes, names, &pem, diag);
    if (status == VD_OK)
        status = vd_cert_csr_read(bytes.data, bytes.size, &p->request, diag);
    if (status != VD_OK && path != NULL)
        vd_diag_file(diag, path);
    return status;
}

/* The subject's alternative key: a public key in a file. */
static vd_status load_alternative(const char *path, struct parts *p, struct vd_diag *diag)
{
    static const char *const names[] = {"PUBLIC KEY", NULL};
    struct vd_bytes bytes VD_AUTO(vd_bytes_free) = {};
    const unsigned char *at;
    const char *pem;

    if (path == NULL)
        return VD_OK;
    VD_TRY(vd_key_read(path, VD_CERT_CSR_MAX, &bytes, diag));
    VD_TRY(vd_key_from_pem(&bytes, names, &pem, diag));
    at = bytes.data;
    p->alternative = d2i_PUBKEY(NULL, &at, (long)bytes.size);
    vd_diag_file(diag, "");
    return vd_cert_key_check(p->alternative, diag);
}

static vd_status do_issue(const struct vd_cli_call *call, struct vd_cert_ca *ca, struct parts *p,
                          struct vd_diag *diag)
{
    const struct cert_args *args = call->args;
    struct vd_cert_content content = {.days = args->days,
                                      .path = args->path != UINT32_MAX ? (int)args->path : 0};

    VD_TRY(vd_cert_profile_find(args->profile, &content.profile, diag));
    if (strcmp(content.profile->name, "root") == 0)
        return vd_diag_fail(diag, VD_E_USAGE, "'veridian key cert ca' makes a root");
    VD_TRY(load_request(args->csr, p, diag));
    VD_TRY(load_alternative(args->alternative, p, diag));
    if (args->names != NULL)
        VD_TRY(vd_cert_names_parse(args->names, &p->names, diag));
    else
        VD_TRY(vd_cert_csr_names(p->request, &p->names, diag));
    if (args->subject != NULL)
        VD_TRY(vd_cert_name_parse(args->subject, &p->subject, diag));
    else
        VD_TRY(vd_cert_name_copy(X509_REQ_get_subject_name(p->request), &p->subject, diag));
    VD_TRY(vd_cert_ca_open(ca, &args->service, call->operands[0], diag));
    content.subject = p->subject;
    content.names = p->names;
    content.key = X509_REQ_get0_pubkey(p->request);
    VD_TRY(vd_cert_ca_issue(ca, &content, p->alternative, &p->cert, diag));
    return vd_cert_output(p->cert, args->out, diag);
}

static int issue(const struct vd_cli_call *call)
{
    struct vd_cert_ca ca VD_AUTO(vd_cert_ca_done) = {};
    struct parts p VD_AUTO(parts_done) = {};
    struct vd_diag diag = {};

    return vd_cli_report(do_issue(call, &ca, &p, &diag), &diag);
}

/* Which profile a certificate of ours has. */
static const char *profile_of(X509 *cert)
{
    uint32_t extended = X509_get_extended_key_usage(cert);

    if (X509_check_ca(cert) == 1)
        return "intermediate";
    if (extended != UINT32_MAX && (extended & XKU_SSL_SERVER) != 0)
        return "server";
    return extended != UINT32_MAX && (extended & XKU_CODE_SIGN) != 0 ? "code" : "client";
}

static vd_status do_renew(const struct vd_cli_call *call, struct vd_cert_ca *ca, struct parts *p,
                          struct vd_diag *diag)
{
    const struct cert_args *args = call->args;
    struct vd_cert_content content = {.days = args->days};
    struct vd_cert_revocation revocation;
    X509 *old VD_AUTO(vd_cert_free) = NULL;
    long path;
    bool revoked;

    VD_TRY(vd_cert_ca_open(ca, &args->service, call->operands[0], diag));
    VD_TRY(vd_cert_ca_issued(ca, vd_cert_serial_typed(call->operands[1]), &old, diag));
    VD_TRY(vd_cert_ca_revocation(ca, call->operands[1], &revoked, &revocation, diag));
    if (revoked)
        return vd_diag_fail(diag, VD_E_REVOKED, "a revoked certificate is not renewed");
    VD_TRY(load_alternative(args->alternative, p, diag));
    VD_TRY(vd_cert_profile_find(profile_of(old), &content.profile, diag));
    VD_TRY(vd_cert_name_copy(X509_get_subject_name(old), &p->subject, diag));
    p->names = X509_get_ext_d2i(old, NID_subject_alt_name, NULL, NULL);
    path = X509_get_pathlen(old);
    content.path = path > 1000 ? 1000 : (int)path;
    content.subject = p->subject;
    content.names = p->names;
    content.key = X509_get0_pubkey(old);
    VD_TRY(vd_cert_ca_issue(ca, &content, p->alternative, &p->cert, diag));
    return vd_cert_output(p->cert, args->out, diag);
}

static int renew(const struct vd_cli_call *call)
{
    struct vd_cert_ca ca VD_AUTO(vd_cert_ca_done) = {};
    struct parts p VD_AUTO(parts_done) = {};
    struct vd_diag diag = {};

    return vd_cli_report(do_renew(call, &ca, &p, &diag), &diag);
}

#define OPTION(name_, kind_, member, help_, argument_)                                            \
    {                                                                                             \
        .name = name_, .kind = kind_, .store = offsetof(struct cert_args, member), .help = help_, \
        .argument = argument_                                                                     \
    }
#define SUBJECT_OPTION(required_, help_)                                                      \
    {                                                                                         \
        .name = "subject", .kind = VD_CLI_TEXT, .store = offsetof(struct cert_args, subject), \
        .help = help_, .argument = "NAME", .required = required_                              \
    }
#define OUT_OPTION OPTION("out", VD_CLI_TEXT, out, "where the PEM goes", "FILE")
#define DAYS_OPTION \
    OPTION("days", VD_CLI_U32, days, "how long it is valid (default: the profile's)", "N")
#define PATH_OPTION                                                                    \
    {                                                                                  \
        .name = "path", .kind = VD_CLI_U32, .store = offsetof(struct cert_args, path), \
        .help = "how many authorities may follow below it", .argument = "N",           \
        .standard = "0xffffffff"                                                       \
    }
#define NAMES_OPTION \
    OPTION("san", VD_CLI_TEXT, names, "alternative names: dns:example.org,ip:192.0.2.1,…", "LIST")
#define PKCS1_OPTION \
    OPTION("no-pss", VD_CLI_FLAG, pkcs1, "RSA signs by PKCS #1 v1.5 instead of PSS", NULL)

static const struct vd_cli_option ca_options[] = {
    SUBJECT_OPTION(false, "as in CN=Example CA,O=Example"),
    OPTION("certificate", VD_CLI_TEXT, certificate,
           "the certificate that another authority issued for this key", "FILE"),
    OPTION("alternative", VD_CLI_TEXT, alternative,
           "a second key, which signs everything too (as ml-dsa-65 beside ecdsa-p256)", "KEY"),
    DAYS_OPTION,
    PATH_OPTION,
    PKCS1_OPTION,
    OUT_OPTION,
    VD_KEY_SOCKET_OPTION,
    {}};

const struct vd_cli_command vd_cert_ca_command = {
    .name = "ca",
    .usage = "KEY (--subject NAME | --certificate FILE) [OPTION]...",
    .summary = "makes a key a certificate authority; prints its certificate",
    .options = ca_options,
    .args_size = sizeof(struct cert_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = make_ca,
};

static const struct vd_cli_option csr_options[] = {
    SUBJECT_OPTION(true, "as in CN=www.example.org,O=Example"),
    NAMES_OPTION,
    PKCS1_OPTION,
    OUT_OPTION,
    VD_KEY_SOCKET_OPTION,
    {}};

const struct vd_cli_command vd_cert_csr_command = {
    .name = "csr",
    .usage = "KEY --subject NAME [--san LIST] [--out FILE]",
    .summary = "makes a certification request for a key",
    .options = csr_options,
    .args_size = sizeof(struct cert_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = make_csr,
};

static const struct vd_cli_option issue_options[] = {
    OPTION("csr", VD_CLI_TEXT, csr, "the request (default: standard input)", "FILE"),
    {.name = "profile",
     .kind = VD_CLI_TEXT,
     .store = offsetof(struct cert_args, profile),
     .help = "what it is for",
     .argument = "server|client|code|intermediate",
     .required = true},
    SUBJECT_OPTION(false, "instead of the request's name"),
    OPTION("san", VD_CLI_TEXT, names, "alternative names instead of the request's", "LIST"),
    OPTION("alternative", VD_CLI_TEXT, alternative, "the subject's alternative public key, PEM",
           "FILE"),
    DAYS_OPTION,
    PATH_OPTION,
    OUT_OPTION,
    VD_KEY_SOCKET_OPTION,
    {}};

const struct vd_cli_command vd_cert_issue_command = {
    .name = "issue",
    .usage = "CA --profile PROFILE [--csr FILE] [OPTION]...",
    .summary = "issues a certificate for a request",
    .options = issue_options,
    .args_size = sizeof(struct cert_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = issue,
};

static const struct vd_cli_option renew_options[] = {
    OPTION("alternative", VD_CLI_TEXT, alternative, "the subject's alternative public key, PEM",
           "FILE"),
    DAYS_OPTION,
    OUT_OPTION,
    VD_KEY_SOCKET_OPTION,
    {}};

const struct vd_cli_command vd_cert_renew_command = {
    .name = "renew",
    .usage = "CA SERIAL [--days N] [--out FILE]",
    .summary = "issues a certificate anew: same name and key, new time and serial number",
    .options = renew_options,
    .args_size = sizeof(struct cert_args),
    .operands_min = 2,
    .operands_max = 2,
    .run = renew,
};
