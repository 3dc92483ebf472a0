/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A server and a client of it, for one test case after another. */
#ifndef VD_TESTS_INTEGRATION_SECURITYD_CLIENT_H
#define VD_TESTS_INTEGRATION_SECURITYD_CLIENT_H

#include "tests/harness.h"
#include "tests/support/securityd.h"

#define READ   (1u << 0)
#define WRITE  (1u << 1)
#define NOBODY 65534

static const char *const perms[] = {"read", "write", "open"};

static struct vd_secclient *client;
static uint32_t admin, user, secret, class;

static void open_client(void)
{
    struct vd_secclient_options options = {.socket = securityd.socket};
    struct vd_diag diag = {};

    vd_secclient_free(client);
    VD_EXPECT_EQ(vd_secclient_new(&options, &client, &diag), VD_OK);
    if (vd_secclient_subject(client, ADMIN, &admin, &diag) != VD_OK)
        vd_test_fail(__FILE__, __LINE__, "no subject: %s", diag.text);
    VD_EXPECT_EQ(vd_secclient_subject(client, USER, &user, NULL), VD_OK);
    VD_EXPECT_EQ(vd_secclient_object(client, SECRET, &secret, NULL), VD_OK);
    VD_EXPECT_EQ(
        vd_secclient_class(client, &(struct vd_secclient_names){"file", perms, 3}, &class, NULL),
        VD_OK);
}

/* A running server under this policy, and a client with its four numbers. */
static void start(const char *more)
{
    securityd_prepare(securityd_policy(more));
    securityd_start();
    open_client();
}

#endif
