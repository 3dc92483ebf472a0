/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The export channel to the host: the second serial port, raw. The guest says
 * hello, the host answers with a nonce, at the end the guest sends a ustar
 * stream (POSIX.1-1988, "ustar Interchange Format").
 */
#define _GNU_SOURCE
#include "image/init/init.h"

#include "lib/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#define NONCE_TIME_MS 3000
#define EXPORT_MAX    (32u << 20)

static bool read_line(int fd, char *ret, size_t size)
{
    size_t len = 0;

    while (len + 1 < size) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, NONCE_TIME_MS) <= 0 || read(fd, ret + len, 1) != 1)
            return false;
        if (ret[len] == '\n') {
            ret[len] = '\0';
            return true;
        }
        len++;
    }
    return false;
}

void vd_init_channel_open(struct vd_init *init)
{
    struct termios raw;
    char line[192];
    int fd = open("/dev/ttyS1", O_RDWR | O_NOCTTY | O_CLOEXEC);

    if (fd < 0 || tcgetattr(fd, &raw) != 0) {
        if (fd >= 0)
            (void)close(fd);
        return; /* no such port: nobody listens */
    }
    cfmakeraw(&raw);
    (void)tcsetattr(fd, TCSANOW, &raw);
    if (vd_fd_write(fd, "hello\n", 6) != VD_OK || !read_line(fd, line, sizeof(line))) {
        (void)close(fd);
        return;
    }
    init->export_fd = fd;
    if (strncmp(line, "nonce ", 6) != 0)
        return;
    if (strlen(line + 6) >= sizeof(init->nonce) ||
        strspn(line + 6, "0123456789abcdefABCDEF") != strlen(line + 6))
        vd_init_refuse("init-channel", "the host's nonce is no hexadecimal number");
    memcpy(init->nonce, line + 6, strlen(line + 6) + 1);
}

static bool send_header(int fd, const char *name, size_t size)
{
    char block[512] = {};
    unsigned sum = 0;

    snprintf(block, 100, "%s", name);
    memcpy(block + 100, "0000644", 7);
    memcpy(block + 108, "0000000", 7);
    memcpy(block + 116, "0000000", 7);
    snprintf(block + 124, 12, "%011zo", size);
    memcpy(block + 136, "00000000000", 11);
    memset(block + 148, ' ', 8);
    block[156] = '0';
    memcpy(block + 257, "ustar\00000", 8);
    for (size_t i = 0; i < sizeof(block); i++)
        sum += (unsigned char)block[i];
    snprintf(block + 148, 8, "%06o", sum);
    return vd_fd_write(fd, block, sizeof(block)) == VD_OK;
}

static bool send_file(int fd, const char *dir, const char *folder, const char *file)
{
    static const char zeros[512];
    VD_AUTO(vd_bytes_free) struct vd_bytes bytes = {};
    char path[512], name[100];

    if (snprintf(name, sizeof(name), "%s%s", folder, file) >= (int)sizeof(name))
        return true; /* no name of ours */
    snprintf(path, sizeof(path), "%s/%s", dir, file);
    if (vd_file_load(path, EXPORT_MAX, &bytes, NULL) != VD_OK)
        return true; /* the host sees that it is missing */
    return send_header(fd, name, bytes.size) && vd_fd_write(fd, bytes.data, bytes.size) == VD_OK &&
           vd_fd_write(fd, zeros, (512 - bytes.size % 512) % 512) == VD_OK;
}

static bool send_directory(int fd, const char *path, const char *folder)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    bool good = true;

    if (dir == NULL)
        return false;
    while (good && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.')
            good = send_file(fd, path, folder, entry->d_name);
    }
    closedir(dir);
    return good;
}

void vd_init_channel_send(struct vd_init *init)
{
    static const char zeros[1024];

    if (init->export_fd < 0)
        return;
    if (!send_directory(init->export_fd, VD_INIT_EXPORT_DIR, "") ||
        !send_directory(init->export_fd, VD_INIT_LOG_DIR, "audit/") ||
        vd_fd_write(init->export_fd, zeros, sizeof(zeros)) != VD_OK)
        vd_init_refuse("init-channel", "cannot write to the export channel");
    (void)tcdrain(init->export_fd);
}
