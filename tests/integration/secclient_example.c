/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A program that knows nothing but the installed headers and the shared library:
 *     secclient_example SOCKET SOURCE TARGET CLASS PERMISSION
 * Exit code 0: allowed; 1: refused; 2: no answer.
 */
#include <stdio.h>

#include "lib/secclient/secclient.h"

int main(int argc, char **argv)
{
    struct vd_secclient_options options = {.server_uid = VD_SECCLIENT_ANY_UID};
    struct vd_secclient_names names = {.perm_count = 1};
    struct vd_diag diag = {};
    struct vd_secclient *client = NULL;
    uint32_t subject, object, class;
    const char *perms[1];
    bool allowed = false;
    vd_status status;

    if (argc != 6)
        return 2;
    options.socket = argv[1];
    perms[0] = argv[5];
    names.class = argv[4];
    names.perms = perms;
    status = vd_secclient_new(&options, &client, &diag);
    if (status == VD_OK)
        status = vd_secclient_subject(client, argv[2], &subject, &diag);
    if (status == VD_OK)
        status = vd_secclient_object(client, argv[3], &object, &diag);
    if (status == VD_OK)
        status = vd_secclient_class(client, &names, &class, &diag);
    if (status == VD_OK)
        allowed = vd_secclient_check(client, subject, object, class, 1);
    else
        fprintf(stderr, "%s: %s\n", vd_status_text(status), diag.text);
    vd_secclient_free(client);
    return status != VD_OK ? 2 : allowed ? 0 : 1;
}
