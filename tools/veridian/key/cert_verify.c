/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * cert verify: a chain up to a root, revocation lists, and the alternative signatures along it.
 * No key service is needed.
 */
#include "tools/veridian/key/cert.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>

#include "lib/diagf.h"
#include "lib/json.h"
#include "tools/veridian/key/cert_ca.h"

#define CRL_MAX   (64u << 20) /* bytes */
#define DEPTH_MAX 8

struct verify_args {
    bool json;
    struct vd_cli_list roots;
    struct vd_cli_list between;
    struct vd_cli_list lists;
    const char *purpose;
    bool alternative;
};

/* What a verification needs of OpenSSL's. */
struct check {
    X509_STORE *store;
    X509_STORE_CTX *ctx;
    STACK_OF(X509) * between;
    X509 *cert;
    uint32_t alternatives; /* links of the chain with an alternative signature that holds */
    uint32_t links;
};

static void check_done(struct check *c)
{
    X509_STORE_CTX_free(c->ctx);
    X509_STORE_free(c->store);
    sk_X509_pop_free(c->between, X509_free);
    X509_free(c->cert);
}

static vd_status add_roots(struct check *c, const struct vd_cli_list *paths, struct vd_diag *diag)
{
    for (uint32_t i = 0; i < paths->count; i++) {
        X509 *root VD_AUTO(vd_cert_free) = NULL;
        VD_TRY(vd_cert_load(paths->item[i], &root, diag));
        if (X509_STORE_add_cert(c->store, root) != 1)
            return vd_cert_openssl("cannot take a root", diag);
    }
    return VD_OK;
}

static vd_status add_between(struct check *c, const struct vd_cli_list *paths, struct vd_diag *diag)
{
    for (uint32_t i = 0; i < paths->count; i++) {
        X509 *cert = NULL;
        VD_TRY(vd_cert_load(paths->item[i], &cert, diag));
        if (sk_X509_push(c->between, cert) == 0) {
            X509_free(cert);
            return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
        }
    }
    return VD_OK;
}

static vd_status add_list(struct check *c, const char *path, struct vd_diag *diag)
{
    static const char *const names[] = {"X509 CRL", NULL};
    struct vd_bytes bytes VD_AUTO(vd_bytes_free) = {};
    const unsigned char *at;
    const char *pem;
    X509_CRL *list;
    bool good;

    VD_TRY(vd_key_read(path, CRL_MAX, &bytes, diag));
    vd_diag_file(diag, "");
    VD_TRY(vd_key_from_pem(&bytes, names, &pem, diag));
    at = bytes.data;
    list = d2i_X509_CRL(NULL, &at, (long)bytes.size);
    good = list != NULL && at == bytes.data + bytes.size && X509_STORE_add_crl(c->store, list) == 1;
    X509_CRL_free(list);
    ERR_clear_error();
    if (good)
        return VD_OK;
    vd_diag_file(diag, path);
    return vd_diag_fail(diag, VD_E_ENCODING, "this is no revocation list");
}

static vd_status load_all(struct check *c, const struct verify_args *args, const char *path,
                          struct vd_diag *diag)
{
    c->store = X509_STORE_new();
    c->between = sk_X509_new_null();
    c->ctx = X509_STORE_CTX_new();
    if (c->store == NULL || c->between == NULL || c->ctx == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    VD_TRY(add_roots(c, &args->roots, diag));
    VD_TRY(add_between(c, &args->between, diag));
    for (uint32_t i = 0; i < args->lists.count; i++)
        VD_TRY(add_list(c, args->lists.item[i], diag));
    return vd_cert_load(path, &c->cert, diag);
}

static vd_status set_purpose(struct check *c, const char *purpose, struct vd_diag *diag)
{
    static const struct {
        const char *name;
        int number;
    } purposes[] = {{"server", X509_PURPOSE_SSL_SERVER},
                    {"client", X509_PURPOSE_SSL_CLIENT},
                    {"code", X509_PURPOSE_CODE_SIGN}};

    if (purpose == NULL)
        return VD_OK;
    for (size_t i = 0; i < sizeof(purposes) / sizeof(purposes[0]); i++)
        if (strcmp(purposes[i].name, purpose) == 0)
            return X509_STORE_CTX_set_purpose(c->ctx, purposes[i].number) == 1
                       ? VD_OK
                       : vd_cert_openssl("cannot set the purpose", diag);
    return vd_diagf(diag, VD_E_USAGE, "'%s' is no purpose: server, client or code", purpose);
}

static vd_status refusal(int error, struct vd_diag *diag)
{
    const char *text = X509_verify_cert_error_string(error);

    ERR_clear_error();
    switch (error) {
    case X509_V_ERR_CERT_REVOKED:
        return vd_diagf(diag, VD_E_REVOKED, "%s", text);
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    case X509_V_ERR_CRL_SIGNATURE_FAILURE:
        return vd_diagf(diag, VD_E_SIGNATURE, "%s", text);
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CRL_HAS_EXPIRED:
        return vd_diagf(diag, VD_E_EXPIRED, "%s", text);
    default:
        return vd_diagf(diag, VD_E_UNTRUSTED, "%s", text);
    }
}

/* The alternative signatures of the chain, from the certificate to the root's own. */
static vd_status check_alternatives(struct check *c, bool required, struct vd_diag *diag)
{
    STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(c->ctx);
    int count = sk_X509_num(chain);

    c->links = (uint32_t)count;
    for (int i = 0; i < count; i++) {
        X509 *cert = sk_X509_value(chain, i);
        X509 *issuer = sk_X509_value(chain, i + 1 < count ? i + 1 : i);
        struct vd_diag mine = {};
        vd_status status = vd_cert_verify_alternative(cert, issuer, &mine);
        if (status == VD_E_NOT_FOUND && !required)
            continue;
        if (status == VD_E_NOT_FOUND)
            return vd_diagf(diag, VD_E_SIGNATURE,
                            "certificate %d of the chain has no alternative signature", i);
        if (status != VD_OK) {
            *diag = mine;
            return status;
        }
        c->alternatives++;
    }
    return VD_OK;
}

static vd_status verify_chain(struct check *c, const struct verify_args *args, struct vd_diag *diag)
{
    X509_VERIFY_PARAM *param;

    if (X509_STORE_CTX_init(c->ctx, c->store, c->cert, c->between) != 1)
        return vd_cert_openssl("cannot begin a verification", diag);
    param = X509_STORE_CTX_get0_param(c->ctx);
    X509_VERIFY_PARAM_set_depth(param, DEPTH_MAX);
    X509_VERIFY_PARAM_set_auth_level(param, 2); /* no SHA-1, no RSA below 2048 bits */
    if (X509_VERIFY_PARAM_set_flags(param,
                                    X509_V_FLAG_X509_STRICT | X509_V_FLAG_CHECK_SS_SIGNATURE) != 1)
        return vd_cert_openssl("cannot begin a verification", diag);
    if (args->lists.count != 0 &&
        X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL) != 1)
        return vd_cert_openssl("cannot begin a verification", diag);
    VD_TRY(set_purpose(c, args->purpose, diag));
    if (X509_verify_cert(c->ctx) != 1)
        return refusal(X509_STORE_CTX_get_error(c->ctx), diag);
    return check_alternatives(c, args->alternative, diag);
}

static vd_status do_verify(const struct vd_cli_call *call, struct check *c, struct vd_diag *diag)
{
    const struct verify_args *args = call->args;

    if (args->roots.count == 0)
        return vd_diag_fail(diag, VD_E_USAGE, "name at least one root by --root FILE");
    VD_TRY(load_all(c, args, call->operands[0], diag));
    VD_TRY(verify_chain(c, args, diag));
    if (args->json)
        return vd_json_print(json_pack("{s:b, s:i, s:i, s:b}", "verified", 1, "chain",
                                       (int)c->links, "alternative_signatures",
                                       (int)c->alternatives, "revocation_checked",
                                       args->lists.count != 0),
                             diag);
    printf("verified: %u certificates up to the root, %u with an alternative signature%s\n",
           c->links, c->alternatives,
           args->lists.count != 0 ? "" : "; revocation was not looked at (no --crl)");
    return VD_OK;
}

static int verify(const struct vd_cli_call *call)
{
    struct check c VD_AUTO(check_done) = {};
    struct vd_diag diag = {};

    return vd_cli_report(do_verify(call, &c, &diag), &diag);
}

#define OPTION(name_, kind_, member, help_, argument_)                               \
    {                                                                                \
        .name = name_, .kind = kind_, .store = offsetof(struct verify_args, member), \
        .help = help_, .argument = argument_                                         \
    }

static const struct vd_cli_option verify_options[] = {
    OPTION("root", VD_CLI_LIST, roots, "a root that is trusted; may be given several times",
           "FILE"),
    OPTION("intermediate", VD_CLI_LIST, between, "an authority between; may be given several times",
           "FILE"),
    OPTION("crl", VD_CLI_LIST, lists,
           "a revocation list; with one, every authority of the chain needs one", "FILE"),
    {.name = "purpose",
     .kind = VD_CLI_TEXT,
     .store = offsetof(struct verify_args, purpose),
     .help = "what it must be good for",
     .argument = "server|client|code"},
    OPTION("require-alternative", VD_CLI_FLAG, alternative,
           "every certificate needs an alternative signature too", NULL),
    OPTION("json", VD_CLI_FLAG, json, "print JSON", NULL),
    {}};

const struct vd_cli_command vd_cert_verify_command = {
    .name = "verify",
    .usage = "CERTIFICATE --root FILE [--intermediate FILE]... [--crl FILE]... [--purpose P]",
    .summary = "verifies a certificate up to a root: exit 0 it holds, 1 it does not",
    .options = verify_options,
    .args_size = sizeof(struct verify_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = verify,
};
