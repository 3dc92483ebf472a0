/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "bootloader/forbidden.h"
#include "bootloader/crypto_mbedtls.h"
#include "core/boot/pe.h"
#include "core/boot/sigdb.h"

/* What a thing is called in the database. */
struct names {
    const uint8_t *bytes[VD_SIGDB_X509_SHA512 + 1]; /* by enum vd_sigdb_type; NULL: no such name */
    size_t size[VD_SIGDB_X509_SHA512 + 1];
    uint8_t tbs[3][VD_CRYPTO_HASH_MAX_BYTES];
    struct vd_span signed_part; /* of a certificate */
};

static void name(struct names *names, enum vd_sigdb_type type, const uint8_t *bytes, size_t size)
{
    names->bytes[type] = bytes;
    names->size[type] = size;
}

static vd_status name_certificate(const struct vd_span *certificate, struct names *names)
{
    static const struct {
        enum vd_sigdb_type type;
        enum vd_crypto_hash hash;
    } digests[] = {
        {VD_SIGDB_X509_SHA256, VD_CRYPTO_SHA256},
        {VD_SIGDB_X509_SHA384, VD_CRYPTO_SHA384},
        {VD_SIGDB_X509_SHA512, VD_CRYPTO_SHA512},
    };
    struct vd_span tbs;

    name(names, VD_SIGDB_X509, certificate->data, certificate->size);
    VD_TRY(vd_crypto_certificate_tbs(certificate, &tbs));
    names->signed_part = tbs;
    for (size_t i = 0; i < VD_COUNT(digests); i++) {
        VD_TRY(vd_crypto_hash(digests[i].hash, tbs.data, tbs.size, names->tbs[i]));
        name(names, digests[i].type, names->tbs[i], vd_crypto_hash_size(digests[i].hash));
    }
    return VD_OK;
}

static bool same_bytes(const struct vd_span *a, const struct vd_span *b)
{
    return a->size == b->size && __builtin_memcmp(a->data, b->data, a->size) == 0;
}

/*
 * A certificate is forbidden by what its issuer signed. The signature around it
 * has more than one form: whoever holds ECDSA's (r, s) can write (r, n - s).
 */
static bool is_named(const struct names *names, const struct vd_sigdb_entry *entry)
{
    struct vd_span listed = {.data = entry->data, .size = entry->size};
    struct vd_span own = {.data = names->bytes[entry->type], .size = names->size[entry->type]};
    struct vd_span tbs;

    if (!own.data)
        return false;
    if (same_bytes(&own, &listed))
        return true;
    return entry->type == VD_SIGDB_X509 && vd_crypto_certificate_tbs(&listed, &tbs) == VD_OK &&
           same_bytes(&names->signed_part, &tbs);
}

vd_status vd_forbidden_check_form(const struct vd_span *dbx, struct vd_diag *diag)
{
    struct vd_sigdb db;
    struct vd_sigdb_entry entry;
    vd_status status;

    vd_sigdb_init(&db, dbx->data, dbx->size);
    do {
        status = vd_sigdb_next(&db, &entry, diag);
    } while (status == VD_OK);
    return status == VD_E_NOT_FOUND ? VD_OK : status;
}

vd_status vd_forbidden(void *ctx, enum vd_boot_forbidden_kind kind, const struct vd_span *thing)
{
    const struct vd_span *dbx = ctx;
    struct names names = {};
    struct vd_sigdb db;
    struct vd_sigdb_entry entry;
    vd_status status;

    if (dbx->size == 0)
        return VD_OK;
    if (kind == VD_BOOT_FORBIDDEN_CERTIFICATE)
        VD_TRY(name_certificate(thing, &names));
    else
        name(&names, VD_SIGDB_SHA256, thing->data, thing->size);
    vd_sigdb_init(&db, dbx->data, dbx->size);
    while ((status = vd_sigdb_next(&db, &entry, NULL)) == VD_OK) {
        if (is_named(&names, &entry))
            return VD_E_REVOKED;
    }
    return status == VD_E_NOT_FOUND ? VD_OK : status;
}

vd_status vd_forbidden_program(const struct vd_span *dbx, const struct vd_span *program,
                               struct vd_diag *diag)
{
    struct vd_pe pe;
    struct vd_pe_hashed hashed;
    uint8_t digest[VD_IMAGE_DIGEST_SIZE];
    struct vd_span thing = {.data = digest, .size = sizeof(digest)};

    if (dbx->size == 0)
        return VD_OK;
    VD_TRY(vd_pe_parse(program->data, program->size, &pe, diag));
    VD_TRY(vd_pe_hashed(&pe, &hashed));
    VD_TRY(vd_crypto_sha256_pieces(hashed.piece, hashed.count, digest));
    vd_status status = vd_forbidden((void *)dbx, VD_BOOT_FORBIDDEN_SHA256, &thing);
    if (status == VD_E_REVOKED)
        return vd_diag_fail(diag, status,
                            "the kernel's Authenticode digest is on the forbidden list");
    return status;
}
