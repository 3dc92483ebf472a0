/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tests/integration/mac_bpf.h"

#include "kernel/loader/inner_map.h"
#include "mac_query.skel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct mac_bpf {
    struct mac_query_bpf *skel;
    struct mac_query *query; /* mapped */
    uint32_t capacity;
};

/* The verifier's log says why a program was refused; the rest is noise. */
static int print(enum libbpf_print_level level, const char *format, va_list args)
{
    return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

static size_t query_bytes(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    return (sizeof(struct mac_query) + page - 1) / page * page;
}

struct mac_bpf *mac_bpf_new(uint32_t capacity)
{
    struct mac_bpf *bpf = calloc(1, sizeof(*bpf));
    void *mapped;
    int inner = -1;

    if (bpf == NULL)
        return NULL;
    libbpf_set_print(print);
    bpf->capacity = capacity;
    bpf->skel = mac_query_bpf__open();
    if (bpf->skel == NULL)
        goto fail;
    bpf->skel->rodata->vd_policy_capacity = capacity;
    inner = vd_inner_map_resize(bpf->skel->maps.vd_policy_outer, bpf->skel->maps.vd_policy_initial,
                                capacity);
    if (inner < 0 || mac_query_bpf__load(bpf->skel) != 0)
        goto fail;
    mapped = mmap(NULL, query_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED,
                  bpf_map__fd(bpf->skel->maps.query), 0);
    if (mapped == MAP_FAILED)
        goto fail;
    bpf->query = mapped;
    close(inner);
    return bpf;
fail:
    if (inner >= 0)
        close(inner);
    mac_query_bpf__destroy(bpf->skel);
    free(bpf);
    return NULL;
}

void mac_bpf_free(struct mac_bpf *bpf)
{
    if (bpf == NULL)
        return;
    munmap(bpf->query, query_bytes());
    mac_query_bpf__destroy(bpf->skel);
    free(bpf);
}

bool mac_bpf_policy(struct mac_bpf *bpf, const void *blob, size_t size)
{
    uint32_t zero = 0;
    uint8_t *value;
    bool done = false;
    int inner;

    if (size > bpf->capacity) {
        errno = E2BIG;
        return false;
    }
    value = calloc(1, bpf->capacity);
    inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "vd_policy", 4, bpf->capacity, 1, NULL);
    if (value != NULL && inner >= 0) {
        __builtin_memcpy(value, blob, size);
        done = bpf_map_update_elem(inner, &zero, value, BPF_ANY) == 0 &&
               bpf_map_update_elem(bpf_map__fd(bpf->skel->maps.vd_policy_outer), &zero, &inner,
                                   BPF_ANY) == 0;
    }
    if (inner >= 0)
        close(inner);
    free(value);
    return done;
}

struct mac_query *mac_bpf_query(struct mac_bpf *bpf)
{
    return bpf->query;
}

static int64_t run(const struct bpf_program *program, uint32_t repeat)
{
    uint8_t packet[64] = {};
    LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof(packet),
                .repeat = (int)repeat);

    if (bpf_prog_test_run_opts(bpf_program__fd(program), &opts) != 0 || opts.retval != 1)
        return -1;
    return opts.duration;
}

int64_t mac_bpf_decide(struct mac_bpf *bpf, uint32_t repeat)
{
    return run(bpf->skel->progs.mac_decide, repeat);
}

int64_t mac_bpf_cached(struct mac_bpf *bpf, uint32_t repeat)
{
    return run(bpf->skel->progs.mac_cached, repeat);
}

int64_t mac_bpf_transition(struct mac_bpf *bpf, uint32_t repeat)
{
    return run(bpf->skel->progs.mac_transition, repeat);
}
