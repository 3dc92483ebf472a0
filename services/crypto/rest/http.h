/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * HTTP/1.1 by libmicrohttpd for connections that the key process accepted: one thread each, which
 * reads a request, does it and answers. What a client may hold is bounded: connections, headers,
 * body, memory of all bodies, time without a whole request.
 */
#ifndef VD_SERVICES_CRYPTO_REST_HTTP_H
#define VD_SERVICES_CRYPTO_REST_HTTP_H

#include "core/base/diag.h"

#define VD_REST_CONNECTIONS_MAX 4096u
#define VD_REST_REFUSED_MAX     32u          /* connections at a time that are told why not */
#define VD_REST_BODIES_MAX      (256u << 20) /* bytes of all bodies; of one user's the half */

struct vd_rest_http;

vd_status vd_rest_http_new(uint32_t timeout_s, struct vd_rest_http **ret, struct vd_diag *diag);

/*
 * Serves a client at `fd`. `conn` speaks for it with the key service; -1: `why` says why not. Both
 * descriptors are taken.
 */
void vd_rest_http_add(struct vd_rest_http *http, int fd, int conn, const struct vd_diag *why);

/* Ends connections that have not sent a whole request in time; to be called each second. */
void vd_rest_http_tend(struct vd_rest_http *http);

/* Ends all. */
void vd_rest_http_free(struct vd_rest_http *http);

#endif
