/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "services/crypto/rest/http.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "lib/diagf.h"
#include "lib/file.h"
#include "lib/ipc/socket.h"
#include "lib/sys.h"
#include "services/crypto/rest/memory.h"
#include "services/crypto/rest/perform.h"

#define STACK_BYTES  (512u << 10)
#define HEADER_BYTES (32u << 10)
#define BODY_FIRST   (16u << 10)
#define NS_PER_S     1'000'000'000u

/* A connection. In the list from its arrival to its end, under the lock. */
struct client {
    struct vd_rest_http *http;
    struct client *next;
    int fd; /* libmicrohttpd closes it */
    uid_t uid;
    struct vd_keyclient *keys; /* NULL: refused */
    struct vd_diag why;
    size_t held;       /* bytes of a body; under the lock */
    uint64_t since_ns; /* when it came, or got its last answer; under the lock */
    bool working;      /* a whole request is being served; under the lock */
};

struct vd_rest_http {
    struct MHD_Daemon *daemon;
    pthread_mutex_t lock;
    struct client *clients;
    uint32_t refused;
    uint32_t timeout_s;
};

/* A request on its way. */
struct exchange {
    char *body;
    size_t size, room;
    uint32_t code; /* refused already; else 0 */
    const char *why;
};

static enum MHD_Result send_json(struct MHD_Connection *c, uint32_t code, json_t *value, bool close)
{
    char *text = json_dumps(value, JSON_COMPACT);
    size_t size = text != NULL ? strlen(text) : 0;
    struct MHD_Response *response =
        text != NULL ? MHD_create_response_from_buffer_with_free_callback(size, text, vd_rest_free)
                     : NULL;
    enum MHD_Result ret = MHD_NO;

    json_decref(value);
    if (response == NULL) {
        vd_rest_free(text);
        return MHD_NO;
    }
    if (MHD_add_response_header(response, "Content-Type", "application/json") == MHD_YES &&
        MHD_add_response_header(response, "Cache-Control", "no-store") == MHD_YES &&
        (!close || MHD_add_response_header(response, "Connection", "close") == MHD_YES))
        ret = MHD_queue_response(c, code, response);
    MHD_destroy_response(response);
    return ret;
}

static enum MHD_Result send_error(struct MHD_Connection *c, uint32_t code, const char *text,
                                  bool close)
{
    json_t *errors = json_array();

    if (text != NULL)
        (void)!json_array_append_new(errors, json_string(text));
    return send_json(c, code, json_pack("{s:o}", "errors", errors), close);
}

/* A text with its place and its hint. */
static enum MHD_Result send_diag(struct MHD_Connection *c, uint32_t code, vd_status status,
                                 const struct vd_diag *diag)
{
    char text[2048];
    const char *what = diag->text[0] != '\0' ? diag->text : vd_status_text(status);
    int len = 0;

    if (diag->line != 0)
        len = snprintf(text, sizeof(text), "line %u, column %u: ", diag->line, diag->column);
    else if (diag->has_offset)
        len = snprintf(text, sizeof(text), "byte %llu: ", (unsigned long long)diag->offset);
    len += snprintf(text + len, sizeof(text) - (size_t)len, "%s", what);
    if (diag->hint[0] != '\0' && (size_t)len < sizeof(text))
        snprintf(text + len, sizeof(text) - (size_t)len, " (%s)", diag->hint);
    return send_error(c, code, text, code >= 500);
}

static json_t *request_id(void)
{
    uint8_t id[16] = {};
    char text[40];

    (void)!getrandom(id, sizeof(id), 0);
    id[6] = (uint8_t)((id[6] & 0x0f) | 0x40);
    id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
    snprintf(text, sizeof(text),
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", id[0], id[1],
             id[2], id[3], id[4], id[5], id[6], id[7], id[8], id[9], id[10], id[11], id[12], id[13],
             id[14], id[15]);
    return json_string(text);
}

/* Vault tells of parameters that it does not know. */
static void warn_of_ignored(const struct vd_rest_request *r, struct vd_rest_answer *answer)
{
    char text[512] = "ignored these unrecognized parameters:";
    const json_t *name;
    size_t i, len = strlen(text);

    json_array_foreach(r->ignored, i, name)
    {
        int more = snprintf(text + len, sizeof(text) - len, " %.64s", json_string_value(name));
        len = len + (size_t)more < sizeof(text) ? len + (size_t)more : sizeof(text) - 1;
    }
    if (answer->warnings == NULL)
        answer->warnings = json_array();
    (void)!json_array_append_new(answer->warnings, json_string(text));
}

static enum MHD_Result send_answer(struct MHD_Connection *c, struct vd_rest_answer *answer)
{
    json_t *data = answer->data, *warnings = answer->warnings;

    answer->data = answer->warnings = NULL;
    if (answer->code == 204) {
        struct MHD_Response *none =
            MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
        enum MHD_Result ret = none != NULL ? MHD_queue_response(c, 204, none) : MHD_NO;
        MHD_destroy_response(none);
        json_decref(warnings);
        return ret;
    }
    if (answer->bare) {
        json_decref(warnings);
        return send_json(c, answer->code, data, false);
    }
    return send_json(c, answer->code,
                     json_pack("{s:o,s:s,s:b,s:i,s:o,s:n,s:o?,s:n}", "request_id", request_id(),
                               "lease_id", "", "renewable", 0, "lease_duration", 0, "data", data,
                               "wrap_info", "warnings", warnings, "auth"),
                     false);
}

static enum MHD_Result send_failure(struct MHD_Connection *c, enum vd_rest_action action,
                                    vd_status status, const struct vd_diag *diag)
{
    bool read = action == VD_REST_SHOW || action == VD_REST_KEYS;

    if (status == VD_E_NOT_FOUND && read)
        return send_error(c, 404, NULL, false);
    if (status == VD_E_NOT_FOUND && action == VD_REST_NONE)
        return send_diag(c, 404, status, diag);
    return send_diag(c, vd_rest_code(status), status, diag);
}

static enum MHD_Result serve(struct client *client, struct MHD_Connection *c,
                             const struct vd_rest_input *input)
{
    struct vd_rest_request request;
    struct vd_rest_answer answer = {};
    struct vd_diag diag = {};
    enum MHD_Result ret;
    vd_status status = vd_rest_request_read(input, &request, &diag);

    if (status == VD_OK)
        status = vd_rest_perform(client->keys, &request, &answer, &diag);
    if (status == VD_OK && request.ignored != NULL)
        warn_of_ignored(&request, &answer);
    ret =
        status == VD_OK ? send_answer(c, &answer) : send_failure(c, request.action, status, &diag);
    vd_rest_answer_done(&answer);
    vd_rest_request_done(&request);
    return ret;
}

/* What another reader of the same bytes could take for another message is refused. */
struct framing {
    uint32_t lengths, encodings, hosts;
};

static enum MHD_Result count_header(void *cls, enum MHD_ValueKind kind, const char *name,
                                    const char *value)
{
    struct framing *f = cls;

    (void)kind;
    (void)value;
    f->lengths += strcasecmp(name, "Content-Length") == 0;
    f->encodings += strcasecmp(name, "Transfer-Encoding") == 0;
    f->hosts += strcasecmp(name, "Host") == 0;
    return MHD_YES;
}

static void check_head(struct MHD_Connection *c, const char *version, struct exchange *e)
{
    const char *length = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Content-Length");
    struct framing f = {};

    MHD_get_connection_values(c, MHD_HEADER_KIND, count_header, &f);
    if (strcmp(version, "HTTP/1.1") != 0 && strcmp(version, "HTTP/1.0") != 0) {
        e->code = 505;
        e->why = "HTTP/1.1 is spoken here";
    } else if (f.lengths + f.encodings > 1 || f.hosts > 1) {
        e->code = 400;
        e->why = "more than one header says how long the request is, or for which host";
    } else if (length != NULL &&
               (strlen(length) > 9 || strspn(length, "0123456789") != strlen(length))) {
        e->code = strspn(length, "0123456789") == strlen(length) ? 413 : 400;
        e->why = "Content-Length: expected a number, of at most 8 MiB";
    } else if (length != NULL && strtoul(length, NULL, 10) > VD_REST_BODY_MAX) {
        e->code = 413;
        e->why = "a body has at most 8 MiB";
    }
}

/* Room for that much of the bodies' memory? */
static bool may_hold(struct client *client, size_t bytes)
{
    struct vd_rest_http *http = client->http;
    size_t all = bytes, same = bytes;

    pthread_mutex_lock(&http->lock);
    for (const struct client *at = http->clients; at != NULL; at = at->next) {
        if (at == client)
            continue;
        all += at->held;
        same += at->uid == client->uid ? at->held : 0;
    }
    if (all <= VD_REST_BODIES_MAX && same <= VD_REST_BODIES_MAX / 2)
        client->held = bytes;
    pthread_mutex_unlock(&http->lock);
    return client->held == bytes;
}

static void take_data(struct client *client, struct exchange *e, const char *data, size_t size)
{
    size_t room = e->room != 0 ? e->room : BODY_FIRST;
    char *body;

    if (e->code != 0)
        return;
    if (size > VD_REST_BODY_MAX - e->size) {
        e->code = 413;
        e->why = "a body has at most 8 MiB";
        return;
    }
    while (room < e->size + size)
        room *= 2;
    if (room != e->room) {
        body = may_hold(client, room) ? vd_rest_alloc(room) : NULL;
        if (body == NULL) {
            e->code = 503;
            e->why = "too many large requests at once";
            return;
        }
        if (e->size != 0)
            memcpy(body, e->body, e->size);
        vd_rest_free(e->body);
        e->body = body;
        e->room = room;
    }
    memcpy(e->body + e->size, data, size);
    e->size += size;
}

static void set_working(struct client *client, bool working)
{
    pthread_mutex_lock(&client->http->lock);
    client->working = working;
    client->since_ns = vd_sys_monotonic_ns();
    pthread_mutex_unlock(&client->http->lock);
}

static struct client *client_of(struct MHD_Connection *c)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info != NULL ? info->socket_context : NULL;
}

/* The first call for a request: its head alone is known. */
static enum MHD_Result begin(struct client *client, struct MHD_Connection *c, const char *version,
                             void **ret)
{
    struct exchange *e = vd_rest_alloc(sizeof(*e));

    if (e == NULL)
        return MHD_NO;
    *e = (struct exchange){};
    *ret = e;
    if (client->keys == NULL)
        return send_diag(c, client->why.status == VD_E_DENIED ? 403 : 503, client->why.status,
                         &client->why);
    check_head(c, version, e);
    return e->code != 0 ? send_error(c, e->code, e->why, true) : MHD_YES;
}

static enum MHD_Result handle(void *cls, struct MHD_Connection *c, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *size, void **state)
{
    struct client *client = client_of(c);
    struct exchange *e = *state;
    struct vd_rest_input input = {.method = method, .path = url};
    enum MHD_Result ret;

    (void)cls;
    if (client == NULL)
        return MHD_NO;
    if (e == NULL)
        return begin(client, c, version, state);
    if (*size != 0) {
        take_data(client, e, data, *size);
        *size = 0;
        return MHD_YES;
    }
    if (e->code != 0)
        return send_error(c, e->code, e->why, true);
    input.body = e->body;
    input.size = e->size;
    input.query_list = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "list");
    set_working(client, true);
    ret = serve(client, c, &input);
    set_working(client, false);
    return ret;
}

static void completed(void *cls, struct MHD_Connection *c, void **state,
                      enum MHD_RequestTerminationCode how)
{
    struct exchange *e = *state;
    struct client *client = client_of(c);

    (void)cls;
    (void)how;
    if (e == NULL)
        return;
    vd_rest_free(e->body);
    vd_rest_free(e);
    *state = NULL;
    if (client == NULL)
        return;
    pthread_mutex_lock(&client->http->lock);
    client->held = 0;
    client->since_ns = vd_sys_monotonic_ns();
    pthread_mutex_unlock(&client->http->lock);
}

/* False: it is not in the list any more. */
static bool unlist(struct vd_rest_http *http, const struct client *client)
{
    struct client **at = &http->clients;

    pthread_mutex_lock(&http->lock);
    while (*at != NULL && *at != client)
        at = &(*at)->next;
    if (*at == NULL) {
        pthread_mutex_unlock(&http->lock);
        return false;
    }
    *at = client->next;
    http->refused -= client->keys == NULL;
    pthread_mutex_unlock(&http->lock);
    return true;
}

static void free_client(struct client *client)
{
    vd_keyclient_free(client->keys);
    free(client);
}

static void connection(void *cls, struct MHD_Connection *c, void **context,
                       enum MHD_ConnectionNotificationCode what)
{
    struct vd_rest_http *http = cls;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct client *client = *context;

    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        pthread_mutex_lock(&http->lock);
        for (client = http->clients; client != NULL && client->fd != info->connect_fd;)
            client = client->next;
        pthread_mutex_unlock(&http->lock);
        *context = client;
        return;
    }
    *context = NULL;
    if (client != NULL && unlist(http, client))
        free_client(client);
}

/* Paths are decoded part by part, where they are read. */
static size_t keep_escapes(void *cls, struct MHD_Connection *c, char *text)
{
    (void)cls;
    (void)c;
    return strlen(text);
}

vd_status vd_rest_http_new(uint32_t timeout_s, struct vd_rest_http **ret, struct vd_diag *diag)
{
    struct vd_rest_http *http = calloc(1, sizeof(*http));

    if (http == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for the web interface");
    json_set_alloc_funcs(vd_rest_alloc, vd_rest_free);
    pthread_mutex_init(&http->lock, NULL);
    http->timeout_s = timeout_s;
    http->daemon = MHD_start_daemon(
        MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL |
            MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC,
        0, NULL, NULL, handle, http, MHD_OPTION_NOTIFY_COMPLETED, completed, http,
        MHD_OPTION_NOTIFY_CONNECTION, connection, http, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes,
        NULL, MHD_OPTION_CONNECTION_LIMIT, VD_REST_CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADER_BYTES, MHD_OPTION_THREAD_STACK_SIZE,
        (size_t)STACK_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned int)timeout_s, MHD_OPTION_END);
    if (http->daemon == NULL) {
        vd_rest_http_free(http);
        return vd_diag_fail(diag, VD_E_SYSTEM, "libmicrohttpd does not start");
    }
    *ret = http;
    return VD_OK;
}

static vd_status speak_for(struct client *client, int conn, struct vd_diag *diag)
{
    const struct vd_keyclient_options o = {.given = conn, .no_lane = true};

    return vd_keyclient_new(&o, &client->keys, diag);
}

/* False: too many are being told why not. */
static bool enlist(struct vd_rest_http *http, struct client *client)
{
    bool good;

    pthread_mutex_lock(&http->lock);
    good = client->keys != NULL || http->refused < VD_REST_REFUSED_MAX;
    if (good) {
        http->refused += client->keys == NULL;
        client->next = http->clients;
        http->clients = client;
    }
    pthread_mutex_unlock(&http->lock);
    return good;
}

void vd_rest_http_add(struct vd_rest_http *http, int fd, int conn, const struct vd_diag *why)
{
    const struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct client *client = calloc(1, sizeof(*client));
    struct vd_ipc_peer peer;

    if (client == NULL || vd_ipc_peer(fd, &peer, NULL) != VD_OK ||
        (conn >= 0 && speak_for(client, conn, NULL) != VD_OK)) {
        free(client);
        vd_fd_close(&fd);
        vd_fd_close(&conn);
        return;
    }
    client->http = http;
    client->fd = fd;
    client->uid = peer.uid;
    client->why = *why;
    client->since_ns = vd_sys_monotonic_ns();
    if (!enlist(http, client)) {
        free_client(client);
        vd_fd_close(&fd);
        return;
    }
    /* It closes the descriptor also when it fails; then nobody else has ended the client. */
    if (MHD_add_connection(http->daemon, fd, (const struct sockaddr *)&address, sizeof(address)) !=
            MHD_YES &&
        unlist(http, client))
        free_client(client);
}

void vd_rest_http_tend(struct vd_rest_http *http)
{
    uint64_t now = vd_sys_monotonic_ns(), most = (uint64_t)http->timeout_s * 2 * NS_PER_S;

    pthread_mutex_lock(&http->lock);
    for (const struct client *at = http->clients; at != NULL; at = at->next)
        if (!at->working && now - at->since_ns > most)
            shutdown(at->fd, SHUT_RDWR);
    pthread_mutex_unlock(&http->lock);
}

void vd_rest_http_free(struct vd_rest_http *http)
{
    if (http == NULL)
        return;
    if (http->daemon != NULL)
        MHD_stop_daemon(http->daemon);
    pthread_mutex_destroy(&http->lock);
    free(http);
}
