/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "tools/veridian/policy/inputs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/policydb/format.h"
#include "lib/cli/cli.h"

#define STREAM_FROM (1 << 20) /* bytes: larger files are read when wanted */

void vd_policy_inputs_done(struct vd_policy_inputs *inputs)
{
    for (uint32_t i = 0; i < inputs->count; i++) {
        vd_bytes_free(&inputs->list[i].bytes);
        vd_fd_close(&inputs->list[i].fd);
        if (inputs->list[i].map != NULL)
            (void)munmap((void *)(uintptr_t)inputs->list[i].map, inputs->list[i].map_size);
    }
    free(inputs->list);
    free(inputs->sources);
}

/* Short files and files that shrink while they are read give false. */
static bool read_input(void *arg, size_t offset, char *buf, size_t size)
{
    const struct vd_policy_input *input = arg;

    while (size > 0) {
        ssize_t n = pread(input->fd, buf, size, (off_t)offset);

        if (n <= 0 && !(n < 0 && errno == EINTR))
            return false;
        if (n > 0) {
            buf += n;
            offset += (size_t)n;
            size -= (size_t)n;
        }
    }
    return true;
}

/* SELinux's binary policy is read as a whole. */
static bool is_binary(int fd)
{
    uint8_t start[4];

    return pread(fd, start, sizeof(start), 0) == sizeof(start) &&
           vd_sepolicy_is_selinux(start, sizeof(start));
}

/*
 * True if a change of the file from now on would show in its time stamp, whose clock may tick
 * slowly. One that was changed just now is copied instead.
 */
static bool settled(const struct stat *st)
{
    struct timespec now;

    return clock_gettime(CLOCK_REALTIME, &now) == 0 && st->st_ctim.tv_sec + 1 < now.tv_sec;
}

bool vd_policy_inputs_unchanged(const struct vd_policy_inputs *inputs)
{
    for (uint32_t i = 0; i < inputs->count; i++) {
        const struct vd_policy_input *input = &inputs->list[i];
        struct stat st;

        if (input->map != NULL &&
            (stat(inputs->sources[i].name, &st) != 0 || (size_t)st.st_size != input->map_size ||
             st.st_ctim.tv_sec != input->changed.tv_sec ||
             st.st_ctim.tv_nsec != input->changed.tv_nsec))
            return false;
    }
    return true;
}

/*
 * Shows a file in memory without a copy: many files together are most of what a compilation
 * would have to find memory for. Who cuts one short meanwhile ends the compiler (cut_short).
 */
static bool map_input(struct vd_policy_input *input, const struct stat *st)
{
    size_t size = (size_t)st->st_size;
    void *map = size == 0 ? MAP_FAILED
                          : mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, input->fd, 0);

    if (map == MAP_FAILED)
        return false;
    input->map = map;
    input->map_size = size;
    input->changed = st->st_ctim;
    return true;
}

static vd_status input_load(struct vd_policy_input *input, const char *path, bool mapped,
                            struct vd_sepolicy_source *source, struct vd_diag *diag)
{
    struct stat st = {};
    bool regular;

    *source = (struct vd_sepolicy_source){.name = path};
    input->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (input->fd < 0)
        return vd_file_load(path, VD_SEPOLICY_MAX_SOURCE, &input->bytes, diag); /* says why */
    regular = fstat(input->fd, &st) == 0 && S_ISREG(st.st_mode) &&
              st.st_size <= (off_t)VD_SEPOLICY_MAX_SOURCE;
    if (regular && mapped && settled(&st) && map_input(input, &st)) {
        source->text = input->map;
        source->size = input->map_size;
    } else if (regular && st.st_size > STREAM_FROM && !is_binary(input->fd)) {
        source->size = (size_t)st.st_size;
        source->read = read_input;
        source->read_arg = input;
        return VD_OK;
    } else {
        VD_TRY(vd_file_load_fd(input->fd, path, VD_SEPOLICY_MAX_SOURCE, &input->bytes, diag));
        source->text = (const char *)input->bytes.data;
        source->size = input->bytes.size;
    }
    vd_fd_close(&input->fd);
    return VD_OK;
}

/* Said once, where the reader of sources would stumble over each byte. */
static vd_status refuse_compiled(struct vd_policy_input *input,
                                 const struct vd_sepolicy_source *source, struct vd_diag *diag)
{
    uint8_t start[sizeof(VD_PDB_MAGIC) - 1];

    if (source->size < sizeof(start))
        return VD_OK;
    if (source->text != NULL)
        memcpy(start, source->text, sizeof(start));
    else if (!read_input(input, 0, (char *)start, sizeof(start)))
        return VD_OK;
    if (memcmp(start, VD_PDB_MAGIC, sizeof(start)) != 0)
        return VD_OK;
    (void)vd_diag_fail(diag, VD_E_INVALID, "this is a compiled policy, not a source");
    vd_diag_file(diag, source->name);
    return VD_E_INVALID;
}

static void cut_short(int number)
{
    static const char text[] = "error: a source was cut short while it was read\n";

    (void)number;
    (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
    _exit(VD_EXIT_USAGE);
}

vd_status vd_policy_inputs_load(struct vd_policy_inputs *inputs, char **paths, uint32_t count,
                                bool mapped, struct vd_diag *diag)
{
    inputs->list = calloc(count, sizeof(*inputs->list));
    inputs->sources = calloc(count, sizeof(*inputs->sources));
    if (inputs->list == NULL || inputs->sources == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < count; i++)
        inputs->list[i].fd = -1;
    inputs->count = count;
    if (mapped)
        (void)signal(SIGBUS, cut_short);
    for (uint32_t i = 0; i < count; i++) {
        VD_TRY(input_load(&inputs->list[i], paths[i], mapped, &inputs->sources[i], diag));
        VD_TRY(refuse_compiled(&inputs->list[i], &inputs->sources[i], diag));
    }
    return VD_OK;
}
