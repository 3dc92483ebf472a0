/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the verbs of the area `key` share: options, the service, files in and out. */
#ifndef VD_TOOLS_VERIDIAN_KEY_COMMON_H
#define VD_TOOLS_VERIDIAN_KEY_COMMON_H

#include "lib/cli/cli.h"
#include "lib/file.h"
#include "lib/keyclient/keyclient.h"

#include <jansson.h>
#include <sys/types.h>

/* Every verb's options begin with these. */
struct vd_key_service {
    const char *socket;
    bool json;
};
#define VD_KEY_SOCKET_OPTION                                                                     \
    {                                                                                            \
        .name = "socket", .kind = VD_CLI_TEXT, .store = offsetof(struct vd_key_service, socket), \
        .help = "the key service's socket (default: VERIDIAN_CRYPTO_SOCKET, then "               \
                "/run/veridian/crypto.sock)",                                                    \
        .argument = "PATH"                                                                       \
    }
#define VD_KEY_JSON_OPTION                                                                   \
    {                                                                                        \
        .name = "json", .kind = VD_CLI_FLAG, .store = offsetof(struct vd_key_service, json), \
        .help = "print JSON"                                                                 \
    }

/* A running verb: the service and a key. */
struct vd_key_run {
    struct vd_keyclient *client;
    struct vd_keyclient_key *key;
};

/* Makes the client alone. Serves VD_AUTO with vd_key_run_done. */
vd_status vd_key_run_begin(struct vd_key_run *run, const struct vd_key_service *service,
                           struct vd_diag *diag);

/* The same and opens a key; a name that is not there gets the nearest one as hint. */
vd_status vd_key_run_open(struct vd_key_run *run, const struct vd_key_service *service,
                          const char *name, struct vd_diag *diag);
void vd_key_run_done(struct vd_key_run *run);

/* One more key, with the same hint. */
vd_status vd_key_open(struct vd_keyclient *client, const char *name, struct vd_keyclient_key **ret,
                      struct vd_diag *diag);

/* If an operation was refused since the key lacks a usage: which one, and which it has. */
void vd_key_explain(const struct vd_keyclient_key *key, vd_status status, uint32_t usage,
                    struct vd_diag *diag);

/* The whole of a file; "-" or NULL: standard input. VD_E_LIMIT beyond `max`. */
vd_status vd_key_read(const char *path, size_t max, struct vd_bytes *ret, struct vd_diag *diag);

/* The same for an option that may be missing: nothing then. */
vd_status vd_key_read_optional(const char *path, size_t max, struct vd_bytes *ret,
                               struct vd_diag *diag);

/* Wipes and frees. Serves VD_AUTO. */
void vd_key_bytes_wipe(struct vd_bytes *bytes);

/* An output that appears whole, when it is finished, or not at all. */
struct vd_key_output {
    const char *path; /* "-" or NULL: standard output */
    char *temporary;  /* owned */
    int fd;
};

/*
 * `mode` of the file. Bytes that are no text are refused on a terminal unless "-" asks for it.
 * vd_key_output_drop takes back what is not finished; serves VD_AUTO.
 */
vd_status vd_key_output_begin(struct vd_key_output *o, const char *path, mode_t mode,
                              struct vd_diag *diag);
vd_status vd_key_output_write(struct vd_key_output *o, const void *data, size_t size,
                              struct vd_diag *diag);
vd_status vd_key_output_finish(struct vd_key_output *o, struct vd_diag *diag);
void vd_key_output_drop(struct vd_key_output *o);

/* All at once. */
vd_status vd_key_write(const char *path, const void *data, size_t size, mode_t mode,
                       struct vd_diag *diag);

#define VD_KEY_MODE_SECRET 0600
#define VD_KEY_MODE_PUBLIC 0644

/* A bar on standard error, if that is a terminal, once a second has passed. */
struct vd_key_progress {
    uint64_t total; /* bytes; 0: not known */
    uint64_t done;
    uint64_t started_ns, shown_ns;
};
void vd_key_progress_add(struct vd_key_progress *p, uint64_t bytes);
void vd_key_progress_end(struct vd_key_progress *p);

/* What the service said of a key, for people and programs. */
void vd_key_print_info(const struct vd_key_info *info);
json_t *vd_key_info_json(const struct vd_key_info *info);

/* PEM of DER to `path`. `name`: "PUBLIC KEY", "CERTIFICATE". */
vd_status vd_key_write_pem(const char *path, const char *name, const struct vd_keyclient_bytes *der,
                           struct vd_diag *diag);

/*
 * If `bytes` are PEM with one of the names (NULL at the end), its DER takes their place, and
 * `ret_name` says which it was; DER stays as it is and gives NULL.
 */
vd_status vd_key_from_pem(struct vd_bytes *bytes, const char *const *names, const char **ret_name,
                          struct vd_diag *diag);

#endif
