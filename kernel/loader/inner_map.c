/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "kernel/loader/inner_map.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

int vd_inner_map_resize(struct bpf_map *outer, struct bpf_map *inner, uint32_t value_size)
{
    LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = bpf_map__map_flags(inner));
    int fd;
    int ret = bpf_map__set_value_size(inner, value_size);

    if (ret != 0)
        return ret;
    fd = bpf_map_create(bpf_map__type(inner), "vd_inner_model", bpf_map__key_size(inner),
                        value_size, bpf_map__max_entries(inner), &options);
    if (fd < 0)
        return fd;
    ret = bpf_map__set_inner_map_fd(outer, fd);
    if (ret != 0) {
        close(fd);
        return ret;
    }
    return fd;
}
