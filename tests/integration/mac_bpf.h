/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The engine in the kernel, in a program type that BPF_PROG_RUN starts: for tests and benchmarks. */
#ifndef VD_TESTS_INTEGRATION_MAC_BPF_H
#define VD_TESTS_INTEGRATION_MAC_BPF_H

#include "tests/integration/mac_query.h"

#include <stddef.h>

struct mac_bpf;

/* Loads the programs for policies up to `capacity` bytes; NULL and errno if that is refused. */
struct mac_bpf *mac_bpf_new(uint32_t capacity);
void mac_bpf_free(struct mac_bpf *bpf);

/* Puts a policy into force: a new inner map. False and errno on failure. */
bool mac_bpf_policy(struct mac_bpf *bpf, const void *blob, size_t size);

/* The one query, shared with the programs. */
struct mac_query *mac_bpf_query(struct mac_bpf *bpf);

/* Runs a program `repeat` times over the query; the time of one run in ns, or -1 and errno. */
int64_t mac_bpf_decide(struct mac_bpf *bpf, uint32_t repeat);
int64_t mac_bpf_cached(struct mac_bpf *bpf, uint32_t repeat);
int64_t mac_bpf_transition(struct mac_bpf *bpf, uint32_t repeat);

#endif
