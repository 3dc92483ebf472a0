/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "image/init/init.h"

#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

_Noreturn void vd_init_power_off(void)
{
    fflush(stdout);
    sync();
    (void)reboot(RB_POWER_OFF);
    /* A kernel that cannot power off must not go on with a refused boot. */
    (void)reboot(RB_HALT_SYSTEM);
    for (;;)
        pause();
}

_Noreturn void vd_init_refuse(const char *reason, const char *text)
{
    printf("VERIDIAN: refused %s %s\n", reason, text);
    vd_init_power_off();
}

_Noreturn void vd_init_refuse_diag(const char *reason, const struct vd_diag *diag)
{
    char place[64] = "";

    if (diag->line != 0)
        snprintf(place, sizeof(place), ":%u", diag->line);
    else if (diag->has_offset)
        snprintf(place, sizeof(place), " at byte %llu", (unsigned long long)diag->offset);
    printf("VERIDIAN: refused %s %s%s%s%s%s%s\n", reason, diag->file, place,
           diag->file[0] != '\0' ? ": " : "", diag->text, diag->hint[0] != '\0' ? "; " : "",
           diag->hint);
    vd_init_power_off();
}

/* The value of `name=` on the command line, copied; false if it is not there. */
static bool kernel_option(const char *cmdline, const char *name, char *ret, size_t size)
{
    size_t len = strlen(name);

    for (const char *at = cmdline; *at != '\0';) {
        size_t word = strcspn(at, " \n");
        if (word > len && strncmp(at, name, len) == 0 && at[len] == '=' && word - len - 1 < size) {
            memcpy(ret, at + len + 1, word - len - 1);
            ret[word - len - 1] = '\0';
            return true;
        }
        at += word;
        at += strspn(at, " \n");
    }
    return false;
}

/* Without a word, enforcing; a word that is not known refuses the boot. */
static enum vd_init_mode read_mode(void)
{
    VD_AUTO(vd_bytes_free) struct vd_bytes cmdline = {};
    struct vd_diag diag = {};
    char mode[32];

    if (vd_file_load("/proc/cmdline", 65536, &cmdline, &diag) != VD_OK)
        vd_init_refuse_diag("init-cmdline", &diag);
    if (!kernel_option((const char *)cmdline.data, "veridian.mac", mode, sizeof(mode)) ||
        strcmp(mode, "enforcing") == 0)
        return VD_INIT_ENFORCING;
    if (strcmp(mode, "permissive") == 0)
        return VD_INIT_PERMISSIVE;
    if (strcmp(mode, "off") == 0)
        return VD_INIT_OFF;
    vd_init_refuse("init-cmdline", "veridian.mac= is enforcing, permissive or off");
}

void vd_init_step(struct vd_init *init, const char *id, bool good, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    for (char *c = text; *c != '\0'; c++) {
        if (*c < ' ' || *c > '~' || *c == '"' || *c == '\\')
            *c = *c == '\n' ? ' ' : '\'';
    }
    printf("VERIDIAN: step %s %s %s\n", id, good ? "ok" : "FAIL", text);
    fflush(stdout);
    fprintf(init->results, "%s\n  {\"id\": \"%s\", \"ok\": %s, \"text\": \"%s\"}",
            init->steps == 0 ? "" : ",", id, good ? "true" : "false", text);
    init->steps++;
    init->failed += good ? 0 : 1;
}

static void store_results(struct vd_init *init)
{
    struct vd_diag diag = {};

    fprintf(init->results, "\n]\n");
    if (fclose(init->results) != 0 ||
        vd_file_store(VD_INIT_EXPORT_DIR "/results.json", init->results_text, init->results_size,
                      0644, &diag) != VD_OK)
        vd_init_refuse_diag("init-results", &diag);
}

int main(void)
{
    struct vd_init init = {.export_fd = -1};

    if (getpid() != 1) {
        fprintf(stderr, "veridian-init: this is the first process of a system image, "
                        "not a command\n");
        return 2;
    }
    vd_init_mount();
    printf("VERIDIAN: init " VD_VERSION "\n");
    init.mode = read_mode();
    init.results = open_memstream(&init.results_text, &init.results_size);
    if (init.results == NULL)
        vd_init_refuse("init-memory", "out of memory");
    fprintf(init.results, "[");
    vd_init_policy(&init);
    vd_init_module("/lib/modules/efivarfs.ko");
    vd_init_channel_open(&init);
    vd_init_audit(&init);
    vd_init_showcase(&init);
    vd_init_evidence(&init);
    store_results(&init);
    vd_init_channel_send(&init);
    printf("VERIDIAN: %zu steps, %zu failed\n", init.steps, init.failed);
    printf("VERIDIAN: ready\n");
    vd_init_power_off();
}
