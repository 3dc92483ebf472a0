/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The way to a TPM 2.0: a device node, or swtpm's data channel.
 *
 * Names, as tpm2-tools has them:
 *     device:/dev/tpmrm0             (or the path alone)
 *     swtpm:path=/run/swtpm.sock     unix socket
 *     swtpm:host=127.0.0.1,port=2321 TCP; numeric addresses only
 * Without a name: $VERIDIAN_TPM, else /dev/tpmrm0, else /dev/tpm0.
 *
 * One command at a time; one thread. The own transport keeps tpm2-tss's loader
 * and its dlopen out of the system image; both protocols are plain
 * command and response bytes.
 */
#ifndef VD_HARDWARE_TPM_TRANSPORT_H
#define VD_HARDWARE_TPM_TRANSPORT_H

#include "core/base/diag.h"

#define VD_TPM_MAX_BYTES 4096u /* of a command or response */

struct vd_tpm {
    int fd;
    bool shared; /* the kernel's resource manager keeps its users apart */
    /* Work for this side while the TPM is at the next command; called once. */
    void (*meanwhile)(void *ctx);
    void *meanwhile_ctx;
};

struct vd_tpm_message {
    size_t size;
    uint8_t bytes[VD_TPM_MAX_BYTES];
};

/* Opens the TPM of that name (NULL: see above). VD_E_MISSING if there is none. */
vd_status vd_tpm_open(struct vd_tpm *ret, const char *name, struct vd_diag *diag);

/* Closes; serves VD_AUTO. */
void vd_tpm_close(struct vd_tpm *tpm);

/*
 * Sends a command and waits for the response, at most two minutes (a discrete
 * TPM makes an RSA key in one). After a failure the connection is closed: what
 * is left of a response must not be taken for the next one's.
 */
vd_status vd_tpm_transmit(struct vd_tpm *tpm, const void *command, size_t size,
                          struct vd_tpm_message *ret, struct vd_diag *diag);

#endif
