/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The size of the maps inside a BPF map of maps, chosen at load time.
 *
 * libbpf's own way, bpf_map__set_value_size on bpf_map__inner_map, ends in a
 * segmentation fault in libbpf 1.5 (Debian 13): the inner map has no object there.
 */
#ifndef VD_KERNEL_LOADER_INNER_MAP_H
#define VD_KERNEL_LOADER_INNER_MAP_H

#include <stdint.h>

struct bpf_map;

/*
 * Gives `inner`, and the maps that `outer` will hold, values of `value_size` bytes.
 * `inner` is outer's first map, of the kind that outer declares. To be called
 * between open and load of their object. Returns a descriptor that the caller
 * closes after the load (never before), or -errno.
 */
int vd_inner_map_resize(struct bpf_map *outer, struct bpf_map *inner, uint32_t value_size);

#endif
