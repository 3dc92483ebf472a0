/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A socket filter program that puts its packet into a ring buffer as an event. */
#ifndef VD_TESTS_INTEGRATION_EVENT_SOURCE_H
#define VD_TESTS_INTEGRATION_EVENT_SOURCE_H

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "core/abi/event.h"

#define EVENT ((int)sizeof(struct vd_event))

#define INSN(c, d, s, o, i) \
    ((struct bpf_insn){.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)})

/* Copies EVENT bytes of the packet to the ring. */
static inline int load_program(int ring)
{
    const struct bpf_insn code[] = {
        INSN(BPF_ALU64 | BPF_MOV | BPF_K, 2, 0, 0, 0),
        INSN(BPF_ALU64 | BPF_MOV | BPF_X, 3, 10, 0, 0),
        INSN(BPF_ALU64 | BPF_ADD | BPF_K, 3, 0, 0, -EVENT),
        INSN(BPF_ALU64 | BPF_MOV | BPF_K, 4, 0, 0, EVENT),
        INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_skb_load_bytes),
        INSN(BPF_JMP | BPF_JNE | BPF_K, 0, 0, 7, 0),
        INSN(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, ring),
        INSN(0, 0, 0, 0, 0),
        INSN(BPF_ALU64 | BPF_MOV | BPF_X, 2, 10, 0, 0),
        INSN(BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -EVENT),
        INSN(BPF_ALU64 | BPF_MOV | BPF_K, 3, 0, 0, EVENT),
        INSN(BPF_ALU64 | BPF_MOV | BPF_K, 4, 0, 0, 0),
        INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_ringbuf_output),
        /* ringbuf_output answers 0 or -EAGAIN: the caller sees it as the return value. */
        INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
    };

    return bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "event_source", "GPL", code,
                         sizeof(code) / sizeof(code[0]), NULL);
}

#undef INSN
#undef EVENT

#endif
