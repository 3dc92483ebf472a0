/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The server's loop (loop.c): connections come, ask, and go; none makes another
 * wait. A client's next request is read when it has taken the answer to the one
 * before, at most VD_SECD_TURN in a row; who does not take an answer in time is
 * dropped.
 */
#ifndef VD_SERVICES_SECURITY_LOOP_H
#define VD_SERVICES_SECURITY_LOOP_H

#include "services/security/server.h"

#define VD_SECD_RETRY_MS \
    10000u                /* from a rollback for want of confirmation that failed to the next */
#define VD_SECD_TURN   4u /* requests of one client before the next one's turn */
#define VD_SECD_EVENTS 64

#endif
