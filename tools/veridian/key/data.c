/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* encrypt, decrypt, rewrap: messages at once, larger data as streams (docs/formats/ciphertext.md). */
#define _GNU_SOURCE
#include "tools/veridian/key/commands.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "lib/sys.h"
#include "tools/veridian/key/common.h"
#include "tools/veridian/key/names.h"

#define MESSAGE_MAX   (1u << 20) /* bytes that become a message; more is a stream */
#define CHUNK         (1u << 20)
#define AAD_MAX       (1u << 20)
#define STREAM_HEADER 48u
#define KIND_AT       5u /* in the header */
#define KIND_STREAM   2u

struct data_args {
    struct vd_key_service service;
    const char *aad;
    const char *in;
    const char *out;
    uint32_t version;
};

/* A run of one of the three. */
struct job {
    struct vd_key_run run;
    struct vd_key_output out;
    struct vd_key_progress progress;
    struct vd_bytes aad;
    uint8_t *buffer; /* owned: of input, then of output */
    size_t room;
    int fd; /* the input */
};

static void job_done(struct job *job)
{
    vd_key_progress_end(&job->progress);
    vd_key_output_drop(&job->out);
    vd_key_run_done(&job->run);
    vd_bytes_free(&job->aad);
    if (job->buffer != NULL)
        vd_wipe(job->buffer, 2 * job->room);
    free(job->buffer);
    if (job->fd > STDIN_FILENO)
        close(job->fd);
}

static vd_status open_input(struct job *job, const char *path, struct vd_diag *diag)
{
    struct stat st;

    job->fd = STDIN_FILENO;
    if (path != NULL && strcmp(path, "-") != 0)
        job->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (job->fd < 0)
        return vd_sys_errno(diag, errno, "cannot open", path);
    if (fstat(job->fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        vd_diag_file(diag, path);
        return vd_diag_fail(diag, VD_E_INVALID, "this is a directory");
    }
    if (fstat(job->fd, &st) == 0 && S_ISREG(st.st_mode))
        job->progress.total = (uint64_t)st.st_size;
    return VD_OK;
}

static vd_status job_begin(struct job *job, const struct vd_cli_call *call, mode_t mode,
                           struct vd_diag *diag)
{
    const struct data_args *args = call->args;

    *job = (struct job){.fd = -1, .out.fd = -1, .room = CHUNK + VD_KEYCLIENT_OVERHEAD};
    VD_TRY(vd_key_read_optional(args->aad, AAD_MAX, &job->aad, diag));
    VD_TRY(open_input(job, args->in, diag));
    VD_TRY(vd_key_run_open(&job->run, &args->service, call->operands[0], diag));
    job->buffer = malloc(2 * job->room);
    if (job->buffer == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    return vd_key_output_begin(&job->out, args->out, mode, diag);
}

/* Up to `size` bytes; fewer only at the input's end. */
static vd_status fill(struct job *job, uint8_t *to, size_t size, size_t *ret, struct vd_diag *diag)
{
    size_t got = 0;

    while (got < size) {
        ssize_t n = read(job->fd, to + got, size - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return vd_sys_errno(diag, errno, "cannot read the input", NULL);
        if (n == 0)
            break;
        got += (size_t)n;
    }
    *ret = got;
    return VD_OK;
}

static struct vd_keyclient_op operation(const struct job *job, const struct data_args *args,
                                        size_t size)
{
    return (struct vd_keyclient_op){.key = job->run.key,
                                    .version = args->version,
                                    .text = {job->buffer, size},
                                    .aux = {job->aad.data, job->aad.size},
                                    .out = {job->buffer + job->room, job->room, 0}};
}

static vd_status at_once(struct job *job, const struct data_args *args, enum vd_key_verb verb,
                         size_t size, struct vd_diag *diag)
{
    struct vd_keyclient_op op = operation(job, args, size);

    VD_TRY(vd_keyclient_operate(job->run.client, verb, &op, diag));
    return vd_key_output_write(&job->out, op.out.data, op.out.size, diag);
}

/*
 * Chunks of `chunk` bytes, the first `got` of which are in the buffer. One byte is read ahead to
 * know which one is the last.
 */
static vd_status chunks(struct job *job, struct vd_keyclient_stream *stream, size_t chunk,
                        size_t got, struct vd_diag *diag)
{
    for (;;) {
        struct vd_keyclient_bytes text = {job->buffer, got};
        struct vd_keyclient_buffer out = {job->buffer + job->room, job->room, 0};
        uint8_t ahead = 0;
        size_t more = 0;
        if (got < chunk) {
            VD_TRY(fill(job, job->buffer + got, chunk - got, &more, diag));
            got += more;
        }
        VD_TRY(fill(job, &ahead, 1, &more, diag));
        text.size = got;
        VD_TRY(vd_keyclient_stream_next(stream, more == 0, &text, &out, diag));
        VD_TRY(vd_key_output_write(&job->out, out.data, out.size, diag));
        vd_key_progress_add(&job->progress, got);
        if (more == 0)
            return VD_OK;
        job->buffer[0] = ahead;
        got = 1;
    }
}

static vd_status seal(struct job *job, const struct data_args *args, struct vd_diag *diag)
{
    struct vd_keyclient_stream *stream = NULL;
    uint8_t header[STREAM_HEADER];
    struct vd_keyclient_op op = operation(job, args, 0);
    vd_status status;

    op.length = CHUNK;
    op.out = (struct vd_keyclient_buffer){header, sizeof(header), 0};
    VD_TRY(vd_keyclient_stream_seal(job->run.client, &op, &stream, diag));
    status = vd_key_output_write(&job->out, header, op.out.size, diag);
    if (status == VD_OK)
        status = chunks(job, stream, CHUNK, MESSAGE_MAX, diag);
    vd_keyclient_stream_free(stream);
    return status;
}

static vd_status unseal(struct job *job, const struct data_args *args, size_t got,
                        struct vd_diag *diag)
{
    struct vd_keyclient_stream *stream = NULL;
    struct vd_keyclient_op op = operation(job, args, STREAM_HEADER);
    size_t chunk;
    vd_status status;

    op.out = (struct vd_keyclient_buffer){};
    VD_TRY(vd_keyclient_stream_open(job->run.client, &op, &stream, diag));
    chunk = vd_keyclient_stream_chunk(stream) + VD_KEYCLIENT_STREAM_TAG;
    if (chunk > job->room || got - STREAM_HEADER > chunk)
        status = vd_diag_fail(diag, VD_E_INVALID, "the key service's answer has another form");
    else {
        memmove(job->buffer, job->buffer + STREAM_HEADER, got - STREAM_HEADER);
        status = chunks(job, stream, chunk, got - STREAM_HEADER, diag);
    }
    vd_keyclient_stream_free(stream);
    return status;
}

static vd_status encrypt_all(struct job *job, const struct data_args *args, struct vd_diag *diag)
{
    bool oaep = vd_keyclient_key_info(job->run.key)->attributes.type == VD_ALG_RSA_4096;
    size_t size;

    VD_TRY(fill(job, job->buffer, MESSAGE_MAX, &size, diag));
    if (size < MESSAGE_MAX)
        return at_once(job, args, VD_KEY_ENCRYPT, size, diag);
    if (oaep) {
        vd_diag_hint(diag, "RSA encrypts at most 446 bytes: encrypt the data with an aes-256-gcm "
                           "key and wrap that");
        return vd_diag_fail(diag, VD_E_SIZE, "the input is too large for RSA");
    }
    return seal(job, args, diag);
}

static bool is_stream(const struct job *job, size_t size)
{
    return size >= STREAM_HEADER && memcmp(job->buffer, "VDCT", 4) == 0 &&
           job->buffer[KIND_AT] == KIND_STREAM;
}

static vd_status decrypt_all(struct job *job, const struct data_args *args, struct vd_diag *diag)
{
    size_t size, rest = 0;

    VD_TRY(fill(job, job->buffer, STREAM_HEADER, &size, diag));
    if (is_stream(job, size))
        return unseal(job, args, size, diag);
    VD_TRY(fill(job, job->buffer + size, job->room - size, &rest, diag));
    if (size + rest == job->room)
        return vd_diag_fail(diag, VD_E_LIMIT, "this is no stream, and too large for a message");
    return at_once(job, args, VD_KEY_DECRYPT, size + rest, diag);
}

static vd_status rewrap_all(struct job *job, const struct data_args *args, struct vd_diag *diag)
{
    size_t size;

    VD_TRY(fill(job, job->buffer, job->room, &size, diag));
    if (is_stream(job, size) || size == job->room) {
        vd_diag_hint(diag, "decrypt it and encrypt it again");
        return vd_diag_fail(diag, VD_E_LIMIT, "streams cannot be encrypted anew in one step");
    }
    return at_once(job, args, VD_KEY_REWRAP, size, diag);
}

struct way {
    vd_status (*all)(struct job *job, const struct data_args *args, struct vd_diag *diag);
    uint32_t usage;
    mode_t mode;
};

static vd_status go(const struct vd_cli_call *call, const struct way *way, struct job *job,
                    struct vd_diag *diag)
{
    vd_status status;

    VD_TRY(job_begin(job, call, way->mode, diag));
    status = way->all(job, call->args, diag);
    vd_key_explain(job->run.key, status, way->usage, diag);
    VD_TRY(status);
    return vd_key_output_finish(&job->out, diag);
}

static int run(const struct vd_cli_call *call, const struct way *way)
{
    struct job job = {.fd = -1, .out.fd = -1};
    struct vd_diag diag = {};
    vd_status status = go(call, way, &job, &diag);

    job_done(&job);
    return vd_cli_report(status, &diag);
}

static int encrypt(const struct vd_cli_call *call)
{
    static const struct way way = {encrypt_all, VD_ALG_ENCRYPT, VD_KEY_MODE_PUBLIC};

    return run(call, &way);
}

static int decrypt(const struct vd_cli_call *call)
{
    static const struct way way = {decrypt_all, VD_ALG_DECRYPT, VD_KEY_MODE_SECRET};

    return run(call, &way);
}

static int rewrap(const struct vd_cli_call *call)
{
    static const struct way way = {rewrap_all, VD_ALG_DECRYPT, VD_KEY_MODE_PUBLIC};

    return run(call, &way);
}

#define OPTION(name_, kind_, member, help_, argument_)                                            \
    {                                                                                             \
        .name = name_, .kind = kind_, .store = offsetof(struct data_args, member), .help = help_, \
        .argument = argument_                                                                     \
    }
#define IN_OPTION  OPTION("in", VD_CLI_TEXT, in, "input (default: standard input)", "FILE")
#define OUT_OPTION OPTION("out", VD_CLI_TEXT, out, "output (default: standard output)", "FILE")
#define AAD_OPTION                  \
    OPTION("aad", VD_CLI_TEXT, aad, \
           "additional data (RSA: label) that must be the same to decrypt", "FILE")

static const struct vd_cli_option encrypt_options[] = {
    IN_OPTION,
    OUT_OPTION,
    AAD_OPTION,
    OPTION("version", VD_CLI_U32, version, "of the key (default: the newest)", "N"),
    VD_KEY_SOCKET_OPTION,
    {}};
static const struct vd_cli_option decrypt_options[] = {
    IN_OPTION, OUT_OPTION, AAD_OPTION, VD_KEY_SOCKET_OPTION, {}};

const struct vd_cli_command vd_key_encrypt_command = {
    .name = "encrypt",
    .usage = "NAME [--aad FILE] [--in FILE] [--out FILE]",
    .summary = "encrypts data of any size (RSA: up to 446 bytes)",
    .options = encrypt_options,
    .args_size = sizeof(struct data_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = encrypt,
};

const struct vd_cli_command vd_key_decrypt_command = {
    .name = "decrypt",
    .usage = "NAME [--aad FILE] [--in FILE] [--out FILE]",
    .summary = "decrypts; the output file appears only when all of it is authentic",
    .options = decrypt_options,
    .args_size = sizeof(struct data_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = decrypt,
};

const struct vd_cli_command vd_key_rewrap_command = {
    .name = "rewrap",
    .usage = "NAME [--aad FILE] [--in FILE] [--out FILE]",
    .summary = "encrypts a ciphertext anew with the key's newest version",
    .options = decrypt_options,
    .args_size = sizeof(struct data_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = rewrap,
};
