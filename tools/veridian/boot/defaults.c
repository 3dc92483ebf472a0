/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "tools/veridian/boot/defaults.h"

#include "lib/file.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEPS_MAX_BYTES       (64u << 10)
#define INSTALLED_BOOTLOADER "/usr/lib/veridian/veridian.efi"
#define INSTALLED_VARS       "/usr/share/OVMF"
#define VARS_FILE            "OVMF_VARS_4M.fd"

/* The build tree, two levels above build/bin/veridian; false if this program is in none. */
static bool build_tree(char ret[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", ret, PATH_MAX - 1);

    if (n <= 0)
        return false;
    ret[n] = '\0';
    /* dirname shortens in place */
    if (dirname(ret) != ret || dirname(ret) != ret)
        return false;
    return strcmp(ret, "/") != 0 && strcmp(ret, "/usr") != 0;
}

/* The value of NAME=VALUE in deps.env; false where there is none or it is empty. */
static bool from_deps(const char *name, char ret[PATH_MAX])
{
    VD_AUTO(vd_bytes_free) struct vd_bytes file = {};
    char path[PATH_MAX];
    size_t size = strlen(name);
    char *save = NULL;

    if (!build_tree(path) || strlen(path) + sizeof("/deps.env") > sizeof(path))
        return false;
    strcat(path, "/deps.env");
    if (vd_file_load(path, DEPS_MAX_BYTES, &file, NULL) != VD_OK)
        return false;
    for (char *line = strtok_r((char *)file.data, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        if (strncmp(line, name, size) == 0 && line[size] == '=' && line[size + 1] != '\0') {
            int n = snprintf(ret, PATH_MAX, "%s", line + size + 1);
            return n > 0 && n < PATH_MAX;
        }
    }
    return false;
}

static bool setting(const char *name, char ret[PATH_MAX])
{
    const char *value = getenv(name);

    if (value == NULL || value[0] == '\0')
        return from_deps(name, ret);
    return snprintf(ret, PATH_MAX, "%s", value) < PATH_MAX;
}

const char *vd_boot_default_bootloader(char ret[PATH_MAX])
{
    char tree[PATH_MAX];

    if (setting("VD_BOOTLOADER", ret))
        return ret;
    if (build_tree(tree) &&
        snprintf(ret, PATH_MAX, "%s/bootloader/veridian.efi", tree) < PATH_MAX &&
        access(ret, R_OK) == 0)
        return ret;
    return INSTALLED_BOOTLOADER;
}

const char *vd_boot_default_vars(char ret[PATH_MAX])
{
    char dir[PATH_MAX];

    if (!setting("VD_OVMF", dir))
        strcpy(dir, INSTALLED_VARS);
    if (snprintf(ret, PATH_MAX, "%s/" VARS_FILE, dir) < PATH_MAX)
        return ret;
    return INSTALLED_VARS "/" VARS_FILE;
}

const char *vd_boot_default_virt_fw_vars(char ret[PATH_MAX])
{
    return setting("VD_VIRT_FW_VARS", ret) ? ret : "virt-fw-vars";
}
