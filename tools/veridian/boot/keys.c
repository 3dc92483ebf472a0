/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/boot/keys.h"

#include "lib/diagf.h"
#include "tools/veridian/boot/pki.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

struct key_row {
    const char *name;
    const char *common_name;
    enum vd_pki_kind kind;
    bool ca;
    int issuer; /* row of the issuer; -1: self-signed */
};

static const struct key_row rows[] = {
    {"PK", "Veridian platform key", VD_PKI_RSA_2048, true, -1},
    {"KEK", "Veridian key exchange key", VD_PKI_RSA_2048, true, -1},
    {"db", "Veridian bootloader signer", VD_PKI_RSA_2048, false, -1},
    {"root", "Veridian image root", VD_PKI_P384, true, -1},
    {"image", "Veridian image signer", VD_PKI_P384, false, 3},
};

static const char *const suffixes[] = {"key", "crt", "der"};

#define FILE_COUNT (VD_COUNT(rows) * VD_COUNT(suffixes))

/* Every file's name, then NULL. */
static void fill_names(char names[FILE_COUNT][16], const char *list[FILE_COUNT + 1])
{
    for (size_t i = 0; i < FILE_COUNT; i++) {
        snprintf(names[i], 16, "%s.%s", rows[i / VD_COUNT(suffixes)].name,
                 suffixes[i % VD_COUNT(suffixes)]);
        list[i] = names[i];
    }
    list[FILE_COUNT] = NULL;
}

/* Keys are never overwritten: what they signed could not be renewed. */
static vd_status check_vacant(const char *dir, const char *const *names, struct vd_diag *diag)
{
    char path[PATH_MAX];
    struct stat st;

    for (; *names != NULL; names++) {
        VD_TRY(vd_boot_path(path, dir, *names, diag));
        if (lstat(path, &st) == 0 || errno != ENOENT) {
            vd_diag_file(diag, path);
            vd_diag_hint(diag, "keys are not overwritten: choose another directory");
            return vd_diag_fail(diag, VD_E_EXISTS, "the file exists already");
        }
    }
    return VD_OK;
}

static vd_status make_all(const char *dir, struct vd_pki_pair pairs[VD_COUNT(rows)],
                          struct vd_diag *diag)
{
    for (size_t i = 0; i < VD_COUNT(rows); i++) {
        struct vd_pki_request request = {
            .common_name = rows[i].common_name,
            .kind = rows[i].kind,
            .ca = rows[i].ca,
            .issuer = rows[i].issuer >= 0 ? &pairs[rows[i].issuer] : NULL,
        };

        VD_TRY(vd_pki_make(&request, &pairs[i], diag));
        VD_TRY(vd_pki_store(dir, rows[i].name, &pairs[i], diag));
    }
    return VD_OK;
}

vd_status vd_boot_keys(const char *dir, struct vd_diag *diag)
{
    VD_AUTO(vd_boot_stage_done) struct vd_boot_stage stage = {};
    struct vd_pki_pair pairs[VD_COUNT(rows)] = {};
    char names[FILE_COUNT][16];
    const char *list[FILE_COUNT + 1];
    vd_status status;

    fill_names(names, list);
    VD_TRY(vd_boot_stage_init(&stage, dir, diag));
    VD_TRY(check_vacant(dir, list, diag));
    status = make_all(stage.dir, pairs, diag);
    for (size_t i = 0; i < VD_COUNT(rows); i++)
        vd_pki_pair_free(&pairs[i]);
    VD_TRY(status);
    return vd_boot_stage_commit_new(&stage, list, diag);
}
