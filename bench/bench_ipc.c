/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A request of 80 bytes and its answer between two processes: through a lane and through
 * the socket. Elapsed time, since half of the work is the other process's; pairs of runs,
 * interleaved.
 */
#define _GNU_SOURCE
#include "bench/bench.h"

#include "lib/ipc/lane.h"
#include "lib/sys.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAIRS 31u
#define CALLS 4000u
#define WAIT  10000u /* ms */

static struct vd_ipc_buffer buffer;
static uint8_t payload[80];

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "bench_ipc: %s\n", what);
    exit(1);
}

/* The other process: gives every request back. */
static _Noreturn void serve(int fd, struct vd_ipc_lane *lane)
{
    struct vd_ipc_frame frame;
    bool by_socket;

    for (;;) {
        if (lane == NULL) {
            if (vd_ipc_receive(fd, &buffer, VD_IPC_FOREVER, &frame, NULL) != VD_OK)
                exit(0);
            frame.flags = VD_IPC_ANSWER;
            if (vd_ipc_send(fd, &frame, VD_IPC_FOREVER, NULL) != VD_OK)
                exit(0);
            continue;
        }
        if (vd_ipc_lane_wait(lane, WAIT, &by_socket, NULL) != VD_OK ||
            vd_ipc_lane_take(lane, &buffer, &frame, NULL) != VD_OK)
            exit(0);
        frame.flags = VD_IPC_ANSWER;
        if (vd_ipc_lane_answer(lane, &frame, NULL) != VD_OK)
            exit(0);
    }
}

struct peer {
    int fd;
    bool by_lane;
    struct vd_ipc_lane lane;
    pid_t pid;
};

static void start(struct peer *p, bool by_lane)
{
    struct vd_ipc_lane server = {};
    int ends[2], fd = -1;

    *p = (struct peer){.by_lane = by_lane};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
        give_up("no sockets");
    if (vd_ipc_lane_new(&server, &fd, NULL) != VD_OK || (p->pid = fork()) < 0)
        give_up("no other process");
    vd_ipc_lane_done(&server);
    if (p->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(ends[0]);
        if (vd_ipc_lane_map(fd, &server, NULL) != VD_OK)
            exit(1);
        serve(ends[1], by_lane ? &server : NULL);
    }
    close(ends[1]);
    p->fd = ends[0];
    if (vd_ipc_lane_map(fd, &p->lane, NULL) != VD_OK)
        give_up("no lane");
    close(fd);
}

static double run(struct peer *p)
{
    uint64_t before = vd_sys_monotonic_ns();

    for (uint32_t i = 0; i < CALLS; i++) {
        struct vd_ipc_line line = {p->fd, &buffer, vd_ipc_deadline(WAIT)};
        struct vd_ipc_frame request = {.service = VD_IPC_SERVICE_KEY,
                                       .verb = 1,
                                       .id = i,
                                       .payload = payload,
                                       .size = sizeof(payload),
                                       .fd = -1};
        struct vd_ipc_frame answer;
        vd_status status = p->by_lane ? vd_ipc_lane_call(&p->lane, &line, &request, &answer, NULL)
                                      : vd_ipc_call(&line, &request, &answer, NULL);
        if (status != VD_OK)
            give_up("no answer");
    }
    return (double)(vd_sys_monotonic_ns() - before) / CALLS;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, PAIRS, sizeof(*values), compare);
    return values[PAIRS / 2];
}

int main(void)
{
    static double lane[PAIRS], socket[PAIRS], ratio[PAIRS];
    struct peer peers[2];

    start(&peers[0], true);
    start(&peers[1], false);
    for (uint32_t i = 0; i < PAIRS; i++) {
        lane[i] = run(&peers[0]);
        socket[i] = run(&peers[1]);
        ratio[i] = lane[i] / socket[i];
    }
    vd_bench_report("ipc.lane", median(lane), "ns/call", "socket", median(socket), median(ratio),
                    PAIRS);
    for (uint32_t i = 0; i < 2; i++) {
        kill(peers[i].pid, SIGKILL);
        waitpid(peers[i].pid, NULL, 0);
    }
    return 0;
}
