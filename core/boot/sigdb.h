/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Reading a UEFI signature database (the content of db and dbx): a sequence of
 * EFI_SIGNATURE_LIST, each with entries of one type and one size.
 *
 *     vd_sigdb_init(&db, data, size);
 *     while (vd_sigdb_next(&db, &entry, diag) == VD_OK) …
 *
 * Source: UEFI Specification 2.10, section 32.4.1. Form only: what an entry
 * means is the caller's. Borrowed memory, no allocation, one thread a reader.
 */
#ifndef VD_CORE_BOOT_SIGDB_H
#define VD_CORE_BOOT_SIGDB_H

#include "core/base/diag.h"
#include "core/base/reader.h"

#define VD_SIGDB_MAX_BYTES (256u << 10) /* larger than any variable store */

enum vd_sigdb_type {
    VD_SIGDB_OTHER,       /* a type that is not known here: the caller passes over it */
    VD_SIGDB_SHA256,      /* 32 bytes: the digest of a file */
    VD_SIGDB_X509,        /* one DER certificate */
    VD_SIGDB_X509_SHA256, /* 32 bytes: the digest of a certificate's TBS part; and a time */
    VD_SIGDB_X509_SHA384, /* 48 bytes, the same */
    VD_SIGDB_X509_SHA512, /* 64 bytes, the same */
};

struct vd_sigdb_entry {
    enum vd_sigdb_type type;
    const uint8_t *data; /* borrowed; without the owner and, for a TBS digest, without the time */
    size_t size;
};

struct vd_sigdb {
    struct vd_reader all;
    struct vd_reader list; /* the entries left in the current list */
    enum vd_sigdb_type type;
    uint32_t entry_size; /* with the 16 bytes of the owner */
};

/* Starts at the first list. `size` 0 is an empty database. */
void vd_sigdb_init(struct vd_sigdb *db, const void *data, size_t size);

/*
 * The next entry. VD_E_NOT_FOUND after the last; any other failure is a
 * malformed database, `diag` tells where, and the reader is of no more use.
 */
vd_status vd_sigdb_next(struct vd_sigdb *db, struct vd_sigdb_entry *ret, struct vd_diag *diag);

#endif
