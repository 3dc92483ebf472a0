/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The TCG event log: what was measured into which PCR, in order.
 *
 * Use: vd_eventlog_open, then vd_eventlog_next while vd_eventlog_more; or
 * vd_eventlog_replay for the PCR values the log amounts to. A log proves
 * nothing by itself: compare the replayed values with a quote.
 *
 * Only the crypto-agile form (TPM 2.0) is read. Source: TCG PC Client Platform
 * Firmware Profile 1.05, 10.2 to 10.4. Everything lent borrows the log. No
 * allocation, any thread.
 */
#ifndef VD_CORE_BOOT_EVENTLOG_H
#define VD_CORE_BOOT_EVENTLOG_H

#include "core/base/diag.h"
#include "core/base/reader.h"
#include "core/base/writer.h"
#include "core/boot/image.h"

#define VD_EVENTLOG_MAX_BYTES       (8u << 20)
#define VD_EVENTLOG_EVENT_MAX_BYTES (1u << 20) /* one event's data */
#define VD_EVENTLOG_ALGORITHMS_MAX  8u
#define VD_PCR_COUNT                24u
#define VD_DIGEST_MAX_SIZE          64u

/* TPM_ALG_ID of the banks. */
#define VD_TPM_ALG_SHA1   0x0004u
#define VD_TPM_ALG_SHA256 0x000bu
#define VD_TPM_ALG_SHA384 0x000cu
#define VD_TPM_ALG_SHA512 0x000du

/* Event types, by their names in the profile. */
#define VD_EV_NO_ACTION                     0x00000003u
#define VD_EV_SEPARATOR                     0x00000004u
#define VD_EV_ACTION                        0x00000005u
#define VD_EV_EVENT_TAG                     0x00000006u
#define VD_EV_S_CRTM_VERSION                0x00000008u
#define VD_EV_IPL                           0x0000000du
#define VD_EV_EFI_VARIABLE_DRIVER_CONFIG    0x80000001u
#define VD_EV_EFI_VARIABLE_BOOT             0x80000002u
#define VD_EV_EFI_BOOT_SERVICES_APPLICATION 0x80000003u
#define VD_EV_EFI_ACTION                    0x80000007u
#define VD_EV_EFI_VARIABLE_BOOT2            0x8000000cu
#define VD_EV_EFI_VARIABLE_AUTHORITY        0x800000e0u

struct vd_eventlog_algorithm {
    uint16_t id;
    uint16_t digest_size; /* in bytes, 1 to VD_DIGEST_MAX_SIZE */
};

struct vd_eventlog {
    struct vd_reader reader; /* stands at the next event */
    uint32_t algorithm_count;
    struct vd_eventlog_algorithm algorithm[VD_EVENTLOG_ALGORITHMS_MAX];
};

struct vd_logged_event {
    uint64_t offset; /* in the log, in bytes */
    uint32_t pcr;    /* below VD_PCR_COUNT, but for EV_NO_ACTION any value */
    uint32_t type;
    struct vd_span digest[VD_EVENTLOG_ALGORITHMS_MAX]; /* in the order of the log's algorithms */
    struct vd_span data;
};

/* Reads the log's first event, which names the algorithms. `data` is borrowed. */
vd_status vd_eventlog_open(const void *data, size_t size, struct vd_eventlog *ret,
                           struct vd_diag *diag);

/* True if another event follows (or the bytes of a broken one). */
bool vd_eventlog_more(const struct vd_eventlog *log);

/* Reads the next event; it has exactly one digest for each algorithm. On failure the log stays. */
vd_status vd_eventlog_next(struct vd_eventlog *log, struct vd_logged_event *ret,
                           struct vd_diag *diag);

/* The position of an algorithm in the log's list, or -1. */
int vd_eventlog_find(const struct vd_eventlog *log, uint16_t algorithm);

/* Digest size in bytes of a bank's algorithm; 0 for one that is not known here. */
uint16_t vd_tpm_alg_size(uint16_t algorithm);

/* "sha256" and so on; NULL for one that is not known here. */
const char *vd_tpm_alg_name(uint16_t algorithm);

/* The TPM_ALG_ID of a name of `len` bytes, as vd_tpm_alg_name gives it; 0 for one that is not known. */
uint16_t vd_tpm_alg_find(const char *name, size_t len);

/* "EV_IPL" and so on; NULL for a type that is not known here. */
const char *vd_event_type_name(uint32_t type);

/*
 * True if an event of that type must have the digest of its data. (False says
 * only that the profile does not promise it: EV_IPL depends on its author.)
 */
bool vd_event_hashes_data(uint32_t type);

/* Values of one bank's PCRs. */
struct vd_pcr_bank {
    uint16_t algorithm;
    uint16_t digest_size;
    uint32_t extended; /* bit for each PCR that some event extended */
    uint8_t value[VD_PCR_COUNT][VD_DIGEST_MAX_SIZE];
};

/* The hash of `size` bytes by a TPM algorithm, from the caller's library. */
struct vd_hash_ops {
    void *ctx;
    vd_status (*hash)(void *ctx, uint16_t algorithm, const void *data, size_t size, uint8_t *ret);
};

/*
 * A bank as after a reset: zero, 17 to 22 all ones. VD_E_UNSUPPORTED for an
 * unknown algorithm.
 */
vd_status vd_pcr_bank_init(struct vd_pcr_bank *ret, uint16_t algorithm);

/* PCR = H(PCR || digest). `digest` has the bank's digest size. */
vd_status vd_pcr_extend(struct vd_pcr_bank *bank, uint32_t pcr, const uint8_t *digest,
                        const struct vd_hash_ops *ops);

/*
 * The PCR values to which the log amounts, for one algorithm (VD_E_NOT_FOUND
 * if the log has no such digests). Honours the startup locality event.
 */
vd_status vd_eventlog_replay(const void *data, size_t size, uint16_t algorithm,
                             const struct vd_hash_ops *ops, struct vd_pcr_bank *ret,
                             struct vd_diag *diag);

/* Writes a log's first event for these algorithms. */
void vd_eventlog_encode_start(struct vd_writer *w, const struct vd_eventlog_algorithm *algorithms,
                              uint32_t count);

/* Writes an event whose digests stand in the order of the log's algorithms. */
void vd_eventlog_encode_event(struct vd_writer *w, const struct vd_eventlog *log,
                              const struct vd_logged_event *event);

#endif
