/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * sign, verify. Data that are large are hashed here where the mechanism begins with a digest
 * (RSA, ECDSA: SHA-256; ML-DSA: mu, FIPS 204 algorithm 7, line 6), which gives the same signature.
 */
#include "tools/veridian/key/commands.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "lib/hash.h"
#include "lib/sys.h"
#include "tools/veridian/key/common.h"
#include "tools/veridian/key/names.h"

#define WHOLE_MAX     65536u /* larger is hashed here */
#define SIGNATURE_MAX 8192u
#define CONTEXT_MAX   255u
#define BLOCK         (256u << 10)
#define MU_SIZE       64u
#define TR_SIZE       64u
#define PUBLIC_MAX    4096u

struct sign_args {
    struct vd_key_service service;
    const char *mechanism;
    const char *context;
    const char *in;
    const char *signature;
    uint32_t version;
};

struct message {
    struct vd_bytes whole;   /* owned */
    uint8_t digest[MU_SIZE]; /* where it was hashed here */
    struct vd_bytes context; /* owned */
    struct vd_keyclient_op op;
};

static void message_done(struct message *m)
{
    vd_key_bytes_wipe(&m->whole);
    vd_bytes_free(&m->context);
}

/* What takes the digest in place of the message; 0: nothing does. */
static uint16_t with_digest(uint16_t type, uint16_t mechanism)
{
    static const struct {
        uint16_t type, mechanism, with;
    } rows[] = {
        {VD_ALG_RSA_4096, VD_ALG_MECHANISM_DEFAULT, VD_ALG_RSA_PSS_SHA256_DIGEST},
        {VD_ALG_RSA_4096, VD_ALG_RSA_PSS_SHA256, VD_ALG_RSA_PSS_SHA256_DIGEST},
        {VD_ALG_RSA_4096, VD_ALG_RSA_PKCS1_SHA256, VD_ALG_RSA_PKCS1_SHA256_DIGEST},
        {VD_ALG_ECDSA_P256, VD_ALG_MECHANISM_DEFAULT, VD_ALG_ECDSA_SHA256_DIGEST},
        {VD_ALG_ECDSA_P256, VD_ALG_ECDSA_SHA256, VD_ALG_ECDSA_SHA256_DIGEST},
        {VD_ALG_ECDSA_P256, VD_ALG_ECDSA_SHA256_RAW, VD_ALG_ECDSA_SHA256_RAW_DIGEST},
        {VD_ALG_ML_DSA_65, VD_ALG_MECHANISM_DEFAULT, VD_ALG_ML_DSA_MU},
        {VD_ALG_ML_DSA_65, VD_ALG_ML_DSA, VD_ALG_ML_DSA_MU},
        {VD_ALG_ML_DSA_65, VD_ALG_ML_DSA_DETERMINISTIC, VD_ALG_ML_DSA_MU_DETERMINISTIC},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].type == type && rows[i].mechanism == mechanism)
            return rows[i].with;
    return 0;
}

/* tr ‖ 0 ‖ size of the context ‖ context: what mu begins with. */
static vd_status begin_mu(EVP_MD_CTX *md, struct vd_keyclient_key *key, uint32_t version,
                          const struct vd_bytes *context, struct vd_diag *diag)
{
    uint8_t public[PUBLIC_MAX], tr[TR_SIZE];
    uint8_t head[2] = {0, (uint8_t)context->size};
    struct vd_keyclient_buffer out = {public, sizeof(public), 0};

    VD_TRY(vd_keyclient_public(key, version, VD_ALG_FORM_RAW_PUBLIC, &out, diag));
    if (EVP_DigestInit_ex(md, EVP_shake256(), NULL) != 1 ||
        EVP_DigestUpdate(md, public, out.size) != 1 ||
        EVP_DigestFinalXOF(md, tr, sizeof(tr)) != 1 ||
        EVP_DigestInit_ex(md, EVP_shake256(), NULL) != 1 ||
        EVP_DigestUpdate(md, tr, sizeof(tr)) != 1 ||
        EVP_DigestUpdate(md, head, sizeof(head)) != 1 ||
        (context->size != 0 && EVP_DigestUpdate(md, context->data, context->size) != 1))
        return vd_diag_fail(diag, VD_E_SYSTEM, "OpenSSL has no SHAKE256");
    return VD_OK;
}

static vd_status hash_rest(EVP_MD_CTX *md, int fd, struct vd_key_progress *progress,
                           struct vd_diag *diag)
{
    uint8_t *block = malloc(BLOCK);
    vd_status status = VD_OK;
    ssize_t size = 0;

    if (block == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    while (status == VD_OK) {
        size = read(fd, block, BLOCK);
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            break;
        if (EVP_DigestUpdate(md, block, (size_t)size) != 1)
            status = vd_diag_fail(diag, VD_E_SYSTEM, "hashing failed");
        vd_key_progress_add(progress, (uint64_t)size);
    }
    if (status == VD_OK && size < 0)
        status = vd_sys_errno(diag, errno, "cannot read the input", NULL);
    free(block);
    return status;
}

static vd_status hash_all(struct message *m, int fd, EVP_MD_CTX *md, struct vd_diag *diag)
{
    bool ml_dsa = vd_keyclient_key_info(m->op.key)->attributes.type == VD_ALG_ML_DSA_65;
    struct vd_key_progress progress = {};
    size_t size = ml_dsa ? MU_SIZE : VD_SHA256_SIZE;
    vd_status status;

    if (ml_dsa)
        VD_TRY(begin_mu(md, m->op.key, m->op.version, &m->context, diag));
    else if (EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1)
        return vd_diag_fail(diag, VD_E_SYSTEM, "OpenSSL has no SHA-256");
    if (EVP_DigestUpdate(md, m->whole.data, m->whole.size) != 1)
        return vd_diag_fail(diag, VD_E_SYSTEM, "hashing failed");
    status = hash_rest(md, fd, &progress, diag);
    vd_key_progress_end(&progress);
    VD_TRY(status);
    if ((ml_dsa ? EVP_DigestFinalXOF(md, m->digest, size)
                : EVP_DigestFinal_ex(md, m->digest, NULL)) != 1)
        return vd_diag_fail(diag, VD_E_SYSTEM, "hashing failed");
    m->op.text = (struct vd_keyclient_bytes){m->digest, size};
    /* The context is in mu already. */
    m->op.aux = (struct vd_keyclient_bytes){};
    return VD_OK;
}

/* Adds what is left, for mechanisms that need the message itself. */
static vd_status read_all(struct message *m, int fd, struct vd_diag *diag)
{
    struct vd_bytes rest VD_AUTO(vd_key_bytes_wipe) = {};
    uint8_t *all;
    vd_status status =
        vd_file_load_fd(fd, "the input", VD_KEYCLIENT_TEXT_MAX - WHOLE_MAX, &rest, diag);

    if (status == VD_E_LIMIT)
        vd_diag_hint(diag, "this mechanism needs the whole message at once: sign a digest of it, "
                           "or take a key of another type");
    VD_TRY(status);
    all = malloc(m->whole.size + rest.size + 1);
    if (all == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    vd_copy(all, m->whole.data, m->whole.size);
    vd_copy(all + m->whole.size, rest.data, rest.size);
    vd_wipe(m->whole.data, m->whole.size);
    free(m->whole.data);
    m->whole.data = all;
    m->whole.size += rest.size;
    m->op.text = (struct vd_keyclient_bytes){all, m->whole.size};
    return VD_OK;
}

static vd_status fill(int fd, struct vd_bytes *to, struct vd_diag *diag)
{
    to->data = malloc(WHOLE_MAX + 1);
    if (to->data == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    while (to->size < WHOLE_MAX) {
        ssize_t size = read(fd, to->data + to->size, WHOLE_MAX - to->size);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return vd_sys_errno(diag, errno, "cannot read the input", NULL);
        if (size == 0)
            return VD_OK;
        to->size += (size_t)size;
    }
    return VD_OK;
}

static vd_status take_message(struct message *m, const struct sign_args *args, int fd,
                              struct vd_diag *diag)
{
    uint16_t type = vd_keyclient_key_info(m->op.key)->attributes.type;
    uint16_t mechanism, digest;
    EVP_MD_CTX *md;
    vd_status status;

    VD_TRY(vd_key_mechanism_find(args->mechanism, &mechanism, diag));
    m->op.mechanism = mechanism;
    m->op.version = args->version;
    m->op.aux = (struct vd_keyclient_bytes){m->context.data, m->context.size};
    VD_TRY(fill(fd, &m->whole, diag));
    m->op.text = (struct vd_keyclient_bytes){m->whole.data, m->whole.size};
    if (m->whole.size < WHOLE_MAX)
        return VD_OK;
    digest = with_digest(type, mechanism);
    if (digest == 0)
        return read_all(m, fd, diag);
    m->op.mechanism = digest;
    md = EVP_MD_CTX_new();
    status = md != NULL ? hash_all(m, fd, md, diag)
                        : vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    EVP_MD_CTX_free(md);
    return status;
}

static vd_status begin(struct vd_key_run *run, struct message *m, const struct vd_cli_call *call,
                       struct vd_diag *diag)
{
    const struct sign_args *args = call->args;
    bool standard = args->in == NULL || strcmp(args->in, "-") == 0;
    int fd VD_AUTO(vd_fd_close) =
        standard ? dup(STDIN_FILENO) : open(args->in, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return vd_sys_errno(diag, errno, "cannot open", standard ? "standard input" : args->in);
    VD_TRY(vd_key_read_optional(args->context, CONTEXT_MAX, &m->context, diag));
    VD_TRY(vd_key_run_open(run, &args->service, call->operands[0], diag));
    m->op.key = run->key;
    return take_message(m, args, fd, diag);
}

static vd_status do_sign(const struct vd_cli_call *call, struct vd_key_run *run, struct message *m,
                         struct vd_diag *diag)
{
    const struct sign_args *args = call->args;
    uint8_t signature[SIGNATURE_MAX];
    vd_status status;

    VD_TRY(begin(run, m, call, diag));
    m->op.out = (struct vd_keyclient_buffer){signature, sizeof(signature), 0};
    status = vd_keyclient_operate(run->client, VD_KEY_SIGN, &m->op, diag);
    vd_key_explain(run->key, status, VD_ALG_SIGN, diag);
    VD_TRY(status);
    return vd_key_write(args->signature, signature, m->op.out.size, VD_KEY_MODE_PUBLIC, diag);
}

static int sign(const struct vd_cli_call *call)
{
    struct vd_key_run run VD_AUTO(vd_key_run_done) = {};
    struct message m VD_AUTO(message_done) = {};
    struct vd_diag diag = {};

    return vd_cli_report(do_sign(call, &run, &m, &diag), &diag);
}

static vd_status do_verify(const struct vd_cli_call *call, struct vd_key_run *run,
                           struct message *m, struct vd_diag *diag)
{
    const struct sign_args *args = call->args;
    struct vd_bytes signature VD_AUTO(vd_bytes_free) = {};
    vd_status status;

    VD_TRY(vd_file_load(args->signature, SIGNATURE_MAX, &signature, diag));
    VD_TRY(begin(run, m, call, diag));
    m->op.extra = (struct vd_keyclient_bytes){signature.data, signature.size};
    status = vd_keyclient_operate(run->client, VD_KEY_VERIFY, &m->op, diag);
    vd_key_explain(run->key, status, VD_ALG_VERIFY, diag);
    VD_TRY(status);
    puts("verified");
    return VD_OK;
}

static int verify(const struct vd_cli_call *call)
{
    struct vd_key_run run VD_AUTO(vd_key_run_done) = {};
    struct message m VD_AUTO(message_done) = {};
    struct vd_diag diag = {};

    return vd_cli_report(do_verify(call, &run, &m, &diag), &diag);
}

#define OPTION(name_, kind_, member, help_, argument_)                                            \
    {                                                                                             \
        .name = name_, .kind = kind_, .store = offsetof(struct sign_args, member), .help = help_, \
        .argument = argument_                                                                     \
    }
#define COMMON_OPTIONS                                                                        \
    OPTION("in", VD_CLI_TEXT, in, "the message (default: standard input)", "FILE"),           \
        {.name = "mechanism",                                                                 \
         .kind = VD_CLI_TEXT,                                                                 \
         .store = offsetof(struct sign_args, mechanism),                                      \
         .help = "how (default: the type's own way)",                                         \
         .argument = VD_KEY_SIGN_WORDS},                                                      \
        OPTION("context", VD_CLI_TEXT, context, "ML-DSA's context, up to 255 bytes", "FILE"), \
        OPTION("version", VD_CLI_U32, version, "of the key (default: the newest)", "N")

static const struct vd_cli_option sign_options[] = {
    COMMON_OPTIONS,
    OPTION("signature", VD_CLI_TEXT, signature,
           "where the signature goes (default: standard output)", "FILE"),
    VD_KEY_SOCKET_OPTION,
    {}};

const struct vd_cli_command vd_key_sign_command = {
    .name = "sign",
    .usage = "NAME [--mechanism M] [--context FILE] [--in FILE] [--signature FILE]",
    .summary = "signs a file of any size, or makes its MAC",
    .options = sign_options,
    .args_size = sizeof(struct sign_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = sign,
};

static const struct vd_cli_option verify_options[] = {
    COMMON_OPTIONS,
    {.name = "signature",
     .kind = VD_CLI_TEXT,
     .store = offsetof(struct sign_args, signature),
     .help = "the signature",
     .argument = "FILE",
     .required = true},
    VD_KEY_SOCKET_OPTION,
    {}};

const struct vd_cli_command vd_key_verify_command = {
    .name = "verify",
    .usage = "NAME --signature FILE [--mechanism M] [--context FILE] [--in FILE]",
    .summary = "verifies a signature or MAC: exit 0 it holds, 1 it does not",
    .options = verify_options,
    .args_size = sizeof(struct sign_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = verify,
};
