/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "lib/ipc/socket.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "lib/file.h"
#include "lib/sys.h"

#define NS_PER_MS 1'000'000u

uint64_t vd_ipc_deadline(uint32_t ms)
{
    return vd_sys_monotonic_ns() + (uint64_t)ms * NS_PER_MS;
}

static vd_status address_of(const char *path, struct sockaddr_un *ret, struct vd_diag *diag)
{
    size_t len = strlen(path);

    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (len == 0 || len >= sizeof(ret->sun_path)) {
        vd_diag_file(diag, path);
        return vd_diagf(diag, VD_E_LIMIT, "a socket's path has 1 to %zu bytes",
                        sizeof(ret->sun_path) - 1);
    }
    vd_copy(ret->sun_path, path, len);
    return VD_OK;
}

static int new_socket(int type)
{
    return socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* Makes room at `path`: nothing there, or a socket on which nobody listens. */
static vd_status clear_path(const char *path, const struct sockaddr_un *address, int type,
                            struct vd_diag *diag)
{
    int probe VD_AUTO(vd_fd_close) = new_socket(type);
    struct stat st;

    if (lstat(path, &st) != 0)
        return errno == ENOENT
                   ? VD_OK
                   : vd_sys_errno(diag, errno, "cannot look at the socket's path", path);
    vd_diag_file(diag, path);
    if (!S_ISSOCK(st.st_mode))
        return vd_diagf(diag, VD_E_EXISTS, "there is something else than a socket");
    if (probe < 0)
        return vd_sys_errno(diag, errno, "cannot make a socket", path);
    if (connect(probe, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN)
        return vd_diagf(diag, VD_E_BUSY, "another process listens there");
    if (errno != ECONNREFUSED)
        return vd_sys_errno(diag, errno, "cannot tell whether somebody listens there", path);
    if (unlink(path) != 0 && errno != ENOENT)
        return vd_sys_errno(diag, errno, "cannot remove the socket of a dead process", path);
    return VD_OK;
}

static vd_status listen_at(const char *path, int type, mode_t mode, int *ret_fd,
                           struct vd_diag *diag)
{
    struct vd_diag probe = {};
    int fd VD_AUTO(vd_fd_close) = new_socket(type);
    struct sockaddr_un address;
    vd_status status;
    mode_t mask;
    int bound;

    if (fd < 0)
        return vd_sys_errno(diag, errno, "cannot make a socket", path);
    VD_TRY(address_of(path, &address, diag));
    status = clear_path(path, &address, type, &probe);
    if (status != VD_OK) {
        if (diag != NULL && diag->status == VD_OK)
            *diag = probe;
        return status;
    }
    /* Nobody may connect before the mode is as wanted. */
    mask = umask(0777);
    bound = bind(fd, (const struct sockaddr *)&address, sizeof(address));
    umask(mask);
    if (bound != 0)
        return vd_sys_errno(diag, errno, "cannot bind the socket", path);
    if (chmod(path, mode) != 0 || listen(fd, VD_IPC_BACKLOG) != 0)
        return vd_sys_errno(diag, errno, "cannot listen on the socket", path);
    *ret_fd = fd;
    fd = -1;
    return VD_OK;
}

vd_status vd_ipc_listen(const char *path, mode_t mode, int *ret_fd, struct vd_diag *diag)
{
    return listen_at(path, SOCK_SEQPACKET, mode, ret_fd, diag);
}

vd_status vd_ipc_listen_stream(const char *path, mode_t mode, int *ret_fd, struct vd_diag *diag)
{
    return listen_at(path, SOCK_STREAM, mode, ret_fd, diag);
}

vd_status vd_ipc_peer(int fd, struct vd_ipc_peer *ret, struct vd_diag *diag)
{
    struct ucred cred;
    socklen_t size = sizeof(cred);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) != 0 || size != sizeof(cred))
        return vd_sys_errno(diag, errno, "cannot tell who is at the other end", NULL);
    *ret = (struct vd_ipc_peer){.pid = cred.pid, .uid = cred.uid, .gid = cred.gid};
    return VD_OK;
}

vd_status vd_ipc_accept(int listener, int *ret_fd, struct vd_ipc_peer *ret_peer,
                        struct vd_diag *diag)
{
    int fd VD_AUTO(vd_fd_close) = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0 && (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR))
        return VD_E_BUSY;
    if (fd < 0)
        return vd_sys_errno(diag, errno, "cannot take a connection", NULL);
    VD_TRY(vd_ipc_peer(fd, ret_peer, diag));
    *ret_fd = fd;
    fd = -1;
    return VD_OK;
}

/* Waits for `events` until the deadline. */
static vd_status wait_for(int fd, short events, uint64_t deadline_ns, struct vd_diag *diag)
{
    struct pollfd wanted = {.fd = fd, .events = events};

    if (deadline_ns == VD_IPC_NO_WAIT)
        return VD_E_BUSY;
    for (;;) {
        uint64_t now = vd_sys_monotonic_ns();
        uint64_t left = deadline_ns > now ? deadline_ns - now : 0;
        uint64_t ms = (left + NS_PER_MS - 1) / NS_PER_MS;
        int ready = poll(&wanted, 1, ms > INT_MAX ? -1 : (int)ms);
        if (ready > 0)
            return VD_OK;
        if (ready < 0 && errno != EINTR)
            return vd_sys_errno(diag, errno, "cannot wait for the other side", NULL);
        if (ready == 0 && left == 0)
            return vd_diag_fail(diag, VD_E_TIMEOUT, "the other side took too long");
    }
}

static bool gone(int error)
{
    return error == EPIPE || error == ECONNRESET || error == ENOTCONN;
}

static vd_status say_gone(struct vd_diag *diag)
{
    return vd_diag_fail(diag, VD_E_MISSING, "the other side closed the connection");
}

vd_status vd_ipc_connect(const char *path, uint64_t deadline_ns, int *ret_fd, struct vd_diag *diag)
{
    int fd VD_AUTO(vd_fd_close) = new_socket(SOCK_SEQPACKET);
    struct sockaddr_un address;

    if (fd < 0)
        return vd_sys_errno(diag, errno, "cannot make a socket", path);
    VD_TRY(address_of(path, &address, diag));
    while (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        if (errno == EAGAIN) { /* the backlog is full, and poll(2) does not tell when it is not */
            struct timespec pause = {.tv_nsec = NS_PER_MS};
            if (deadline_ns == VD_IPC_NO_WAIT)
                return VD_E_BUSY;
            if (vd_sys_monotonic_ns() >= deadline_ns)
                return vd_diag_fail(diag, VD_E_TIMEOUT, "the other side takes no connection");
            nanosleep(&pause, NULL);
            continue;
        }
        if (errno == EINTR)
            continue;
        vd_diag_file(diag, path);
        if (errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR)
            return vd_diagf_errno(diag, VD_E_MISSING, errno, "nobody listens there");
        if (errno == EACCES || errno == EPERM)
            return vd_diagf_errno(diag, VD_E_DENIED, errno, "cannot connect");
        return vd_sys_errno(diag, errno, "cannot connect", path);
    }
    *ret_fd = fd;
    fd = -1;
    return VD_OK;
}

union control {
    struct cmsghdr head;
    char bytes[CMSG_SPACE(sizeof(int))];
};

static void attach_fd(struct msghdr *message, union control *control, int fd)
{
    struct cmsghdr *c;

    *control = (union control){};
    message->msg_control = control->bytes;
    message->msg_controllen = sizeof(control->bytes);
    c = CMSG_FIRSTHDR(message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    vd_copy(CMSG_DATA(c), &fd, sizeof(fd));
}

vd_status vd_ipc_send(int fd, const struct vd_ipc_frame *frame, uint64_t deadline_ns,
                      struct vd_diag *diag)
{
    uint8_t head[VD_IPC_HEADER_SIZE];
    struct iovec parts[2] = {{head, sizeof(head)},
                             {(void *)(uintptr_t)frame->payload, frame->size}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    union control control;

    if (vd_ipc_frame_head(frame, head) != VD_OK)
        return vd_diag_fail(diag, VD_E_LIMIT, "the payload is larger than a frame");
    if (frame->fd >= 0)
        attach_fd(&message, &control, frame->fd);
    while (sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        if (gone(errno))
            return say_gone(diag);
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN && errno != ENOBUFS)
            return vd_sys_errno(diag, errno, "cannot send", NULL);
        VD_TRY(wait_for(fd, POLLOUT, deadline_ns, diag));
    }
    return VD_OK;
}

/* The one descriptor of a message; more, or other control data, is refused and closed. */
static vd_status take_fd(struct msghdr *message, int *ret_fd, struct vd_diag *diag)
{
    vd_status status = VD_OK;

    *ret_fd = -1;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
            status = VD_E_INVALID;
            continue;
        }
        for (size_t i = 0; i < count; i++) {
            int got;
            vd_copy(&got, CMSG_DATA(c) + i * sizeof(int), sizeof(got));
            if (*ret_fd < 0) {
                *ret_fd = got;
                continue;
            }
            close(got);
            status = VD_E_INVALID;
        }
    }
    /* The kernel drops what has no room, so that more than one never all arrive. */
    if (status == VD_OK && (message->msg_flags & MSG_CTRUNC) == 0)
        return VD_OK;
    vd_fd_close(ret_fd);
    return vd_diag_fail(diag, VD_E_INVALID, "a packet with more than one descriptor");
}

static vd_status take_packet(struct msghdr *message, size_t size, struct vd_ipc_frame *ret,
                             struct vd_diag *diag)
{
    struct vd_ipc_frame frame = {};
    int passed VD_AUTO(vd_fd_close) = -1;

    VD_TRY(take_fd(message, &passed, diag));
    if ((message->msg_flags & MSG_TRUNC) != 0)
        return vd_diagf(diag, VD_E_LIMIT, "a packet of more than %u bytes", VD_IPC_FRAME_MAX);
    if (size == 0)
        return say_gone(diag);
    VD_TRY(vd_ipc_frame_parse(message->msg_iov->iov_base, size, &frame, diag));
    if ((passed >= 0) != ((frame.flags & VD_IPC_DESCRIPTOR) != 0))
        return vd_diag_fail(diag, VD_E_INVALID,
                            "the frame's flag for a descriptor does not fit what came");
    frame.fd = passed;
    passed = -1;
    *ret = frame;
    return VD_OK;
}

vd_status vd_ipc_receive(int fd, struct vd_ipc_buffer *buffer, uint64_t deadline_ns,
                         struct vd_ipc_frame *ret, struct vd_diag *diag)
{
    struct iovec part = {buffer->bytes, sizeof(buffer->bytes)};

    for (;;) {
        union control control = {};
        struct msghdr message = {.msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = control.bytes,
                                 .msg_controllen = sizeof(control.bytes)};
        ssize_t size = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (size >= 0)
            return take_packet(&message, (size_t)size, ret, diag);
        /* Told once, when the other side closed before it read all; what it sent comes after that. */
        if (errno == ECONNRESET)
            continue;
        if (gone(errno))
            return say_gone(diag);
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return vd_sys_errno(diag, errno, "cannot receive", NULL);
        VD_TRY(wait_for(fd, POLLIN, deadline_ns, diag));
    }
}

/* Whoever refuses a connection may have said why before it closed. */
static vd_status last_word(const struct vd_ipc_line *line, const struct vd_ipc_frame *request,
                           struct vd_diag *diag)
{
    struct vd_ipc_frame answer = {.fd = -1};

    if (vd_ipc_receive(line->fd, line->buffer, VD_IPC_NO_WAIT, &answer, NULL) == VD_OK) {
        vd_status status = vd_ipc_frame_answers(&answer, request, diag);
        vd_fd_close(&answer.fd);
        if (status != VD_OK)
            return status;
    }
    return say_gone(diag);
}

vd_status vd_ipc_call(const struct vd_ipc_line *line, const struct vd_ipc_frame *request,
                      struct vd_ipc_frame *ret, struct vd_diag *diag)
{
    struct vd_ipc_frame answer = {.fd = -1};
    vd_status status;

    status = vd_ipc_send(line->fd, request, line->deadline_ns, NULL);
    if (status == VD_E_MISSING)
        return last_word(line, request, diag);
    if (status != VD_OK)
        return vd_diag_fail(diag, status, "the request cannot be sent");
    /* The answer is not there yet: waiting first saves a system call. */
    VD_TRY(wait_for(line->fd, POLLIN, line->deadline_ns, diag));
    VD_TRY(vd_ipc_receive(line->fd, line->buffer, line->deadline_ns, &answer, diag));
    status = vd_ipc_frame_answers(&answer, request, diag);
    if (status != VD_OK) {
        vd_fd_close(&answer.fd);
        return status;
    }
    *ret = answer;
    return VD_OK;
}
