/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Judging an image of 16 MiB in memory (form, chain, signature, digests,
 * policy) against hashing the same bytes with OpenSSL (`openssl dgst -sha256`
 * does no more than that, in the same library, after reading the file). Once
 * with the bootloader's mbedTLS, once with OpenSSL's SHA-256 under the same
 * judge: the difference is the hash, not the judging.
 */
#include "bench/bench.h"
#include "bootloader/crypto_mbedtls.h"
#include "bootloader/forbidden.h"
#include "core/boot/judge.h"
#include "tools/veridian/boot/pki.h"

#include <openssl/evp.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KERNEL_BYTES (16u << 20)

struct bench_image {
    struct vd_bytes file;
    struct vd_bytes root;
    struct vd_span dbx;
    struct vd_boot_ops ops;
};

static void must(vd_status status)
{
    if (status != VD_OK) {
        fprintf(stderr, "bench_boot: %s\n", vd_status_text(status));
        exit(4);
    }
}

static vd_status openssl_sha256(void *ctx, const void *data, size_t size, uint8_t ret[32])
{
    (void)ctx;
    return EVP_Digest(data, size, ret, NULL, EVP_sha256(), NULL) == 1 ? VD_OK : VD_E_SYSTEM;
}

static void make(struct bench_image *image)
{
    struct vd_pki_pair root = {};
    struct vd_pki_pair signer = {};
    struct vd_bytes cert = {};
    struct vd_image_header header = {.security_version = 1};
    uint64_t size = 0;
    uint8_t *at;

    must(vd_pki_make(&(struct vd_pki_request){"root", VD_PKI_P384, true, NULL}, &root, NULL));
    must(vd_pki_make(&(struct vd_pki_request){"signer", VD_PKI_P384, false, &root}, &signer, NULL));
    must(vd_pki_cert_der(root.cert, &image->root, NULL));
    must(vd_pki_cert_der(signer.cert, &cert, NULL));
    header.part[VD_IMAGE_KERNEL].size = KERNEL_BYTES;
    header.part[VD_IMAGE_CERTIFICATES].size = cert.size;
    header.part[VD_IMAGE_SIGNATURE].size = VD_IMAGE_SIGNATURE_SIZE;
    must(vd_image_layout(&header, &size, NULL));
    image->file.size = (size_t)size;
    image->file.data = calloc(1, image->file.size);
    if (image->file.data == NULL)
        must(VD_E_NO_MEMORY);
    at = image->file.data + header.part[VD_IMAGE_KERNEL].offset;
    for (size_t i = 0; i < KERNEL_BYTES; i++)
        at[i] = (uint8_t)(i * 2654435761u >> 13);
    for (size_t i = 0; i < VD_IMAGE_PAYLOAD_COUNT; i++)
        must(openssl_sha256(NULL, at, (size_t)header.part[i].size, header.digest[i]));
    memcpy(image->file.data + header.part[VD_IMAGE_CERTIFICATES].offset, cert.data, cert.size);
    vd_image_encode_header(&header, image->file.data);
    must(vd_pki_sign_header(signer.key, image->file.data,
                            image->file.data + header.part[VD_IMAGE_SIGNATURE].offset, NULL));
    image->ops =
        (struct vd_boot_ops){&image->dbx, vd_crypto_sha256, vd_crypto_verify, vd_forbidden};
    vd_pki_pair_free(&root);
    vd_pki_pair_free(&signer);
    vd_bytes_free(&cert);
}

static void run_judge(void *ctx, uint64_t ops)
{
    struct bench_image *image = ctx;
    struct vd_boot_case what = {
        .image = {image->file.data, image->file.size},
        .root = {image->root.data, image->root.size},
    };

    for (uint64_t i = 0; i < ops; i++) {
        struct vd_boot_verdict verdict;
        vd_boot_judge(&what, &image->ops, &verdict, NULL);
        if (!vd_boot_allowed(&verdict))
            must(VD_E_BUG);
    }
}

static void run_hash(void *ctx, uint64_t ops)
{
    struct bench_image *image = ctx;

    for (uint64_t i = 0; i < ops; i++) {
        uint8_t digest[32];
        must(openssl_sha256(NULL, image->file.data, image->file.size, digest));
        VD_BENCH_KEEP(digest);
    }
}

static void run_header(void *ctx, uint64_t ops)
{
    struct bench_image *image = ctx;

    for (uint64_t i = 0; i < ops; i++) {
        struct vd_image parsed;
        enum vd_boot_reason reason;
        must(vd_image_parse(image->file.data, image->file.size, &parsed, &reason, NULL));
        VD_BENCH_KEEP(&parsed);
    }
}

int main(void)
{
    struct bench_image image = {};
    struct bench_image fast;

    make(&image);
    fast = image;
    fast.ops.ctx = &fast.dbx;
    fast.ops.sha256 = openssl_sha256;
    vd_bench_run(&(struct vd_bench){.name = "boot.judge.mbedtls",
                                    .unit = "MiB/s",
                                    .run = run_judge,
                                    .ctx = &image,
                                    .peer_name = "openssl sha256",
                                    .peer_run = run_hash,
                                    .peer_ctx = &image,
                                    .bytes_per_op = image.file.size});
    vd_bench_run(&(struct vd_bench){.name = "boot.judge.openssl-sha256",
                                    .unit = "MiB/s",
                                    .run = run_judge,
                                    .ctx = &fast,
                                    .peer_name = "openssl sha256",
                                    .peer_run = run_hash,
                                    .peer_ctx = &fast,
                                    .bytes_per_op = image.file.size});
    vd_bench_run(&(struct vd_bench){
        .name = "boot.image.parse", .unit = "ns/op", .run = run_header, .ctx = &image});
    vd_bytes_free(&image.file);
    vd_bytes_free(&image.root);
    return 0;
}
