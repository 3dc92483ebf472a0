/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The enforcement as one object: every hook family, one set of maps, and the
 * two judging functions that the families share. One translation unit, since
 * the linker of older bpftool cannot join objects that call kernel functions.
 */
#include "kernel/bpf/check.bpf.c"
#include "kernel/bpf/exec.bpf.c"
#include "kernel/bpf/file.bpf.c"
#include "kernel/bpf/create.bpf.c"
#include "kernel/bpf/label.bpf.c"
#include "kernel/bpf/guard.bpf.c"

char _license[] SEC("license") = "Dual MIT/GPL";
