/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "hardware/hsm/hsm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "lib/sys.h"

#define INTERRUPT 0x03 /* ^C on a terminal that sends no signals */

/* The first line of `fd`, byte for byte, straight into the secret. */
static vd_status read_line(int fd, struct vd_secret *pin, struct vd_diag *diag)
{
    size_t n = 0;

    for (;;) {
        uint8_t c;
        ssize_t got = read(fd, &c, 1);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return vd_diagf_errno(diag, VD_E_IO, errno, "cannot read the PIN");
        if (got == 0 || c == '\n' || c == '\r')
            break;
        if (c == INTERRUPT)
            return vd_diag_fail(diag, VD_E_USAGE, "no PIN was given");
        if (n == pin->size)
            return vd_diagf(diag, VD_E_LIMIT, "a PIN has at most %u bytes", VD_HSM_PIN_MAX);
        pin->data[n++] = c;
    }
    if (n == 0)
        return vd_diag_fail(diag, VD_E_USAGE, "the PIN is empty");
    return vd_secret_cut(pin, n);
}

static vd_status read_file(const char *path, struct vd_secret *pin, struct vd_diag *diag)
{
    int fd VD_AUTO(vd_fd_close) = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) != 0)
        return vd_sys_errno(diag, errno, "cannot read the PIN", path);
    if (S_ISREG(st.st_mode) && (st.st_mode & (S_IROTH | S_IWOTH)) != 0) {
        vd_diag_hint(diag, "chmod 600");
        vd_diag_file(diag, path);
        return vd_diag_fail(diag, VD_E_DENIED, "every user can read or write this PIN");
    }
    return read_line(fd, pin, diag);
}

static vd_status ask(struct vd_secret *pin, struct vd_diag *diag)
{
    static const char question[] = "PIN: ";
    int fd VD_AUTO(vd_fd_close) = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    struct termios before, quiet;
    vd_status status;

    if (fd < 0 || tcgetattr(fd, &before) != 0) {
        vd_diag_hint(diag, "a file: --pin-file or pin-source; or VERIDIAN_PKCS11_PIN");
        return vd_diag_fail(diag, VD_E_USAGE, "a PIN is needed and there is no terminal to ask on");
    }
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)(ECHO | ISIG); /* no signal leaves a terminal without echo */
    quiet.c_cc[VEOL] = INTERRUPT;              /* ends the line, so that it is read at once */
    if (tcsetattr(fd, TCSAFLUSH, &quiet) != 0)
        return vd_diagf_errno(diag, VD_E_SYSTEM, errno, "cannot quiet the terminal");
    status = vd_fd_write(fd, question, sizeof(question) - 1);
    if (status == VD_OK)
        status = read_line(fd, pin, diag);
    (void)!vd_fd_write(fd, "\n", 1);
    (void)tcsetattr(fd, TCSAFLUSH, &before);
    return status;
}

vd_status vd_hsm_pin_read(const char *file, struct vd_secret *ret, struct vd_diag *diag)
{
    const char *text = file == NULL ? secure_getenv(VD_HSM_PIN_ENV) : NULL;
    struct vd_secret pin = {};
    vd_status status;

    if (text != NULL && (text[0] == '\0' || strlen(text) > VD_HSM_PIN_MAX))
        return vd_diagf(diag, VD_E_LIMIT, "%s: a PIN has 1 to %u bytes", VD_HSM_PIN_ENV,
                        VD_HSM_PIN_MAX);
    if (text != NULL)
        return vd_secret_set(ret, text, strlen(text), diag);
    VD_TRY(vd_secret_init(&pin, VD_HSM_PIN_MAX, diag));
    status = file != NULL ? read_file(file, &pin, diag) : ask(&pin, diag);
    if (status != VD_OK) {
        vd_secret_done(&pin);
        return status;
    }
    *ret = pin;
    return VD_OK;
}
