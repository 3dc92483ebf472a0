/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A front process of the key service's web interface that was taken over: it tries to speak for
 * others than its client, and for its client after that has gone. What it achieved it tells the
 * client, and then a file beside its program.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/ipc/socket.h"
#include "lib/keyclient/keyclient.h"

#define CONTROL 3

static vd_status encrypt(struct vd_keyclient *client, struct vd_keyclient_key **key)
{
    char out[256];
    struct vd_keyclient_op op = {.text = {"text", 4}, .out = {.data = out, .room = sizeof(out)}};

    if (*key == NULL)
        VD_TRY(vd_keyclient_open(client, "one", key, NULL));
    op.key = *key;
    return vd_keyclient_operate(client, VD_KEY_ENCRYPT, &op, NULL);
}

/* As if `fd` were a client: the connection to the key service itself, made by this process. */
static vd_status adopt(int conn, int fd)
{
    static struct vd_ipc_buffer buffer;
    const struct vd_ipc_line line = {conn, &buffer, vd_ipc_deadline(10'000)};
    const struct vd_ipc_frame request = {
        .service = VD_IPC_SERVICE_KEY, .verb = VD_KEY_ADOPT, .id = 77, .fd = fd};
    struct vd_ipc_frame answer;

    return vd_ipc_call(&line, &request, &answer, NULL);
}

static void tell(int fd, const char *what, vd_status status)
{
    dprintf(fd, "%s %s\n", what, vd_status_name(status));
}

static void note(const char *what, vd_status status)
{
    char path[4096], final[4096 + 8];
    ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 8);
    int fd;

    if (len <= 0)
        return;
    memcpy(path + len, ".new", 5);
    snprintf(final, sizeof(final), "%.*s.notes", (int)len, path);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    tell(fd, what, status);
    close(fd);
    (void)!rename(path, final);
}

static void attack(int fd, int conn)
{
    int extra = fcntl(conn, F_DUPFD_CLOEXEC, 0), pair[2];
    const struct vd_keyclient_options o = {.given = conn, .no_lane = true};
    struct vd_keyclient *client = NULL;
    struct vd_keyclient_key *key = NULL;
    struct pollfd gone = {.fd = fd};

    if (extra < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0 ||
        vd_keyclient_new(&o, &client, NULL) != VD_OK)
        return;
    tell(fd, "encrypt", encrypt(client, &key));
    tell(fd, "adopt", adopt(extra, -1));
    tell(fd, "adopt-descriptor", adopt(extra, pair[0]));
    (void)!poll(&gone, 1, -1);
    note("encrypt", encrypt(client, &key));
    vd_keyclient_key_free(key);
    vd_keyclient_free(client);
}

int main(void)
{
    static struct vd_ipc_buffer buffer;
    struct vd_ipc_frame client, conn;

    while (vd_ipc_receive(CONTROL, &buffer, VD_IPC_FOREVER, &client, NULL) == VD_OK &&
           vd_ipc_receive(CONTROL, &buffer, VD_IPC_FOREVER, &conn, NULL) == VD_OK)
        attack(client.fd, conn.fd);
    return 0;
}
