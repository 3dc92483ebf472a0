/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/key/cert_profile.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/base/mem.h"
#include "lib/cli/cli.h"
#include "lib/diagf.h"
#include "tools/veridian/key/cert_csr.h"
#include "tools/veridian/key/cert_sign.h"
#include "tools/veridian/key/cert_state.h"

#define KEY_ID_SIZE 20u /* RFC 7093, method 1: of the SHA-256 of the public key */
#define SECONDS_DAY 86400

static const struct vd_cert_profile profiles[] = {
    {"root", true, 3650, 7300, "critical,keyCertSign,cRLSign", NULL, 0},
    {"intermediate", true, 1825, 3650, "critical,keyCertSign,cRLSign", NULL, 0},
    {"server", false, 90, 398, "critical,digitalSignature", "serverAuth",
     1u << GEN_DNS | 1u << GEN_IPADD},
    {"client", false, 90, 398, "critical,digitalSignature", "clientAuth",
     1u << GEN_EMAIL | 1u << GEN_URI | 1u << GEN_DNS},
    {"code", false, 365, 1095, "critical,digitalSignature", "critical,codeSigning", 0},
};
#define PROFILES (sizeof(profiles) / sizeof(profiles[0]))

static const char *next_profile(const void *ctx, uint32_t i)
{
    (void)ctx;
    return i < PROFILES ? profiles[i].name : NULL;
}

vd_status vd_cert_profile_find(const char *name, const struct vd_cert_profile **ret,
                               struct vd_diag *diag)
{
    const char *near;

    for (size_t i = 0; i < PROFILES; i++) {
        if (strcmp(profiles[i].name, name) == 0) {
            *ret = &profiles[i];
            return VD_OK;
        }
    }
    near = vd_cli_nearest(name, next_profile, NULL);
    vd_diagf_hint(
        diag, near != NULL ? "did you mean '%s'?" : "%sroot, intermediate, server, client or code",
        near != NULL ? near : "");
    return vd_diagf(diag, VD_E_USAGE, "there is no profile '%s'", name);
}

/* Names */

/* The next piece up to a comma that no '\' stands before; false: longer than `room`. */
static bool piece(const char **at, char *ret, size_t room)
{
    size_t size = 0;

    for (; **at != '\0' && **at != ','; (*at)++) {
        if (**at == '\\' && (*at)[1] != '\0')
            (*at)++;
        if (size + 1 >= room)
            return false;
        ret[size++] = **at;
    }
    ret[size] = '\0';
    if (**at == ',')
        (*at)++;
    return true;
}

static bool part_known(const char *name)
{
    static const char *const known[] = {"CN", "O", "OU", "C", "ST", "L", "serialNumber"};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(known[i], name) == 0)
            return true;
    return false;
}

static vd_status add_part(X509_NAME *name, char *text, struct vd_diag *diag)
{
    char *value = strchr(text, '=');

    if (value != NULL)
        *value++ = '\0';
    if (value == NULL || *value == '\0' || !part_known(text)) {
        vd_diag_hint(diag, "as in CN=Example CA,O=Example,C=DE; parts are CN, O, OU, C, ST, L and "
                           "serialNumber");
        return vd_diagf(diag, VD_E_USAGE, "'%s' is no part of a name", text);
    }
    if (X509_NAME_entry_count(name) >= (int)VD_CERT_NAME_PARTS_MAX ||
        X509_NAME_add_entry_by_txt(name, text, MBSTRING_UTF8, (const unsigned char *)value, -1, -1,
                                   0) != 1) {
        ERR_clear_error();
        return vd_diagf(diag, VD_E_USAGE, "%s cannot be '%s'", text, value);
    }
    return VD_OK;
}

vd_status vd_cert_name_parse(const char *text, X509_NAME **ret, struct vd_diag *diag)
{
    char part[VD_CERT_NAME_TEXT_MAX + 32];
    X509_NAME *name = X509_NAME_new();
    vd_status status = VD_OK;

    if (name == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    while (status == VD_OK && *text != '\0') {
        if (!piece(&text, part, sizeof(part)))
            status = vd_diagf(diag, VD_E_USAGE, "a part of the name has more than %u bytes",
                              VD_CERT_NAME_TEXT_MAX);
        else
            status = add_part(name, part, diag);
    }
    if (status == VD_OK && X509_NAME_entry_count(name) == 0)
        status = vd_diag_fail(diag, VD_E_USAGE, "the name is empty");
    if (status != VD_OK) {
        X509_NAME_free(name);
        return status;
    }
    *ret = name;
    return VD_OK;
}

vd_status vd_cert_name_copy(const X509_NAME *name, X509_NAME **ret, struct vd_diag *diag)
{
    X509_NAME *copy = X509_NAME_new();
    int count = X509_NAME_entry_count(name);

    for (int i = 0; copy != NULL && i < count; i++) {
        const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
        bool joined = i > 0 && X509_NAME_ENTRY_set(entry) ==
                                   X509_NAME_ENTRY_set(X509_NAME_get_entry(name, i - 1));
        if (X509_NAME_add_entry(copy, entry, -1, joined ? -1 : 0) != 1) {
            X509_NAME_free(copy);
            copy = NULL;
        }
    }
    if (copy == NULL)
        return vd_cert_openssl("cannot copy a name", diag);
    *ret = copy;
    return VD_OK;
}

/* Letters, digits, '-' and '.', with '*' as the whole first label at most. */
static bool dns_good(const char *text)
{
    size_t size = strlen(text);

    if (size == 0 || size > 253)
        return false;
    if (text[0] == '*' && text[1] == '.')
        text += 2;
    for (const char *c = text; *c != '\0'; c++) {
        bool edge = c == text || c[-1] == '.' || c[1] == '.' || c[1] == '\0';
        bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                      (*c >= '0' && *c <= '9') || *c == '_';
        if (!letter && ((*c != '-' && *c != '.') || edge))
            return false;
    }
    return *text != '\0';
}

static bool visible(const char *text)
{
    for (; *text != '\0'; text++)
        if (*text <= ' ' || *text > '~')
            return false;
    return true;
}

static GENERAL_NAME *alternative_name(char *text)
{
    static const struct {
        const char *prefix;
        int kind;
    } kinds[] = {{"dns:", GEN_DNS}, {"ip:", GEN_IPADD}, {"email:", GEN_EMAIL}, {"uri:", GEN_URI}};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t size = strlen(kinds[i].prefix);
        if (strncasecmp(text, kinds[i].prefix, size) != 0) /* OpenSSL writes "DNS:" */
            continue;
        if (text[size] == '\0' || !visible(text) ||
            (kinds[i].kind == GEN_DNS && !dns_good(text + size)))
            return NULL;
        return a2i_GENERAL_NAME(NULL, NULL, NULL, kinds[i].kind, text + size, 0);
    }
    return NULL;
}

vd_status vd_cert_names_parse(const char *text, STACK_OF(GENERAL_NAME) * *ret, struct vd_diag *diag)
{
    STACK_OF(GENERAL_NAME) *names = GENERAL_NAMES_new();
    char part[512];

    while (names != NULL && *text != '\0') {
        GENERAL_NAME *name = piece(&text, part, sizeof(part)) ? alternative_name(part) : NULL;
        if (name == NULL || sk_GENERAL_NAME_num(names) >= (int)VD_CERT_ALT_NAMES_MAX ||
            sk_GENERAL_NAME_push(names, name) == 0) {
            GENERAL_NAME_free(name);
            GENERAL_NAMES_free(names);
            ERR_clear_error();
            vd_diag_hint(diag,
                         "as in dns:example.org,dns:*.example.org,ip:192.0.2.1,email:a@b.org");
            return vd_diagf(diag, VD_E_USAGE, "'%s' is no alternative name", part);
        }
    }
    if (names == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    *ret = names;
    return VD_OK;
}

/* Building */

static vd_status add_text(X509 *cert, X509 *issuer, int nid, const char *text, struct vd_diag *diag)
{
    X509_EXTENSION *extension;
    X509V3_CTX ctx;
    bool good;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, text);
    good = extension != NULL && X509_add_ext(cert, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return good ? VD_OK : vd_cert_openssl("cannot add an extension", diag);
}

static vd_status add_key_id(X509 *cert, struct vd_diag *diag)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    ASN1_OCTET_STRING *id = ASN1_OCTET_STRING_new();
    bool good = id != NULL && X509_pubkey_digest(cert, EVP_sha256(), digest, &size) == 1 &&
                ASN1_OCTET_STRING_set(id, digest, KEY_ID_SIZE) == 1 &&
                X509_add1_ext_i2d(cert, NID_subject_key_identifier, id, 0, X509V3_ADD_DEFAULT) == 1;

    ASN1_OCTET_STRING_free(id);
    return good ? VD_OK : vd_cert_openssl("cannot add the key's identifier", diag);
}

/* Those of the kinds that the profile knows. */
static vd_status add_names(X509 *cert, const struct vd_cert_content *c, struct vd_diag *diag)
{
    STACK_OF(GENERAL_NAME) *kept = sk_GENERAL_NAME_new_null();
    int count = sk_GENERAL_NAME_num(c->names);
    bool critical = X509_NAME_entry_count(c->subject) == 0;
    vd_status status = VD_OK;

    for (int i = 0; kept != NULL && i < count; i++) {
        GENERAL_NAME *name = sk_GENERAL_NAME_value(c->names, i);
        if ((c->profile->names & 1u << name->type) != 0)
            sk_GENERAL_NAME_push(kept, name);
    }
    if (kept == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    if (sk_GENERAL_NAME_num(kept) != 0 &&
        X509_add1_ext_i2d(cert, NID_subject_alt_name, kept, critical, X509V3_ADD_DEFAULT) != 1)
        status = vd_cert_openssl("cannot add the alternative names", diag);
    else if (sk_GENERAL_NAME_num(kept) == 0 && strcmp(c->profile->name, "server") == 0) {
        vd_diag_hint(diag, "--san dns:example.org gives it one");
        status = vd_diag_fail(diag, VD_E_INVALID,
                              "a server's certificate needs a DNS name or IP address");
    } else if (sk_GENERAL_NAME_num(kept) == 0 && critical)
        status = vd_diag_fail(diag, VD_E_INVALID, "the certificate would have no name at all");
    sk_GENERAL_NAME_free(kept);
    return status;
}

static vd_status add_extensions(X509 *cert, const struct vd_cert_content *c, struct vd_diag *diag)
{
    X509 *issuer = c->issuer != NULL ? c->issuer : cert;
    char text[64] = "critical,CA:FALSE";

    if (c->profile->authority && c->path >= 0)
        (void)snprintf(text, sizeof(text), "critical,CA:TRUE,pathlen:%d", c->path);
    else if (c->profile->authority)
        (void)snprintf(text, sizeof(text), "critical,CA:TRUE");
    VD_TRY(add_key_id(cert, diag));
    VD_TRY(add_text(cert, issuer, NID_authority_key_identifier, "keyid:always", diag));
    VD_TRY(add_text(cert, issuer, NID_basic_constraints, text, diag));
    VD_TRY(add_text(cert, issuer, NID_key_usage, c->profile->key_usage, diag));
    if (c->profile->extended != NULL)
        VD_TRY(add_text(cert, issuer, NID_ext_key_usage, c->profile->extended, diag));
    return add_names(cert, c, diag);
}

static vd_status set_times(X509 *cert, const struct vd_cert_content *c, struct vd_diag *diag)
{
    uint32_t days = c->days != 0 ? c->days : c->profile->days;
    time_t now = time(NULL);
    const ASN1_TIME *last = c->issuer != NULL ? X509_get0_notAfter(c->issuer) : NULL;

    if (days > c->profile->days_max)
        return vd_diagf(diag, VD_E_RANGE, "the profile '%s' allows at most %u days",
                        c->profile->name, c->profile->days_max);
    if (ASN1_TIME_set(X509_getm_notBefore(cert), now) == NULL ||
        ASN1_TIME_set(X509_getm_notAfter(cert), now + (time_t)days * SECONDS_DAY) == NULL)
        return vd_cert_openssl("cannot set the certificate's times", diag);
    if (last != NULL && ASN1_TIME_cmp_time_t(last, now) <= 0)
        return vd_diag_fail(diag, VD_E_EXPIRED, "the issuer's certificate has expired");
    /* Not longer than the issuer: nobody could verify it then. */
    if (last != NULL && ASN1_TIME_compare(X509_get0_notAfter(cert), last) > 0 &&
        X509_set1_notAfter(cert, last) != 1)
        return vd_cert_openssl("cannot set the certificate's times", diag);
    return VD_OK;
}

static vd_status fill(X509 *cert, const struct vd_cert_content *c, struct vd_diag *diag)
{
    const X509_NAME *issuer = c->issuer != NULL ? X509_get_subject_name(c->issuer) : c->subject;
    BIGNUM *serial = BN_bin2bn(c->serial, VD_CERT_SERIAL_SIZE, NULL);
    bool good = serial != NULL && BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(cert)) != NULL;

    BN_free(serial);
    good = good && X509_set_version(cert, X509_VERSION_3) == 1 &&
           X509_set_subject_name(cert, c->subject) == 1 &&
           X509_set_issuer_name(cert, issuer) == 1 && X509_set_pubkey(cert, c->key) == 1;
    if (!good)
        return vd_cert_openssl("cannot make a certificate", diag);
    VD_TRY(set_times(cert, c, diag));
    return add_extensions(cert, c, diag);
}

vd_status vd_cert_build(const struct vd_cert_content *content, X509 **ret, struct vd_diag *diag)
{
    X509 *cert = X509_new();
    vd_status status = cert != NULL ? fill(cert, content, diag)
                                    : vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");

    if (status != VD_OK) {
        X509_free(cert);
        return status;
    }
    *ret = cert;
    return VD_OK;
}
