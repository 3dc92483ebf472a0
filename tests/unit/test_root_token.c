/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The root key under a key in a token: made, opened, refused; and the token that is not there. */
#include "services/crypto/root/token.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/file.h"
#include "tests/harness.h"
#include "tests/support/fake_pkcs11.h"

static struct fake_control *control;
static uint32_t number; /* of root files */

struct place {
    char module[1024];
    char path[1024];
    struct vd_hsm_uri uri;
    struct vd_root_token token;
    struct vd_root_options options;
};

static void open_token(struct place *p)
{
    struct vd_secret pin VD_AUTO(vd_secret_done) = {};
    struct vd_hsm_where where = {.module = p->module, .uri = &p->uri, .pin = &pin, .login = true};
    struct vd_diag diag = {};

    VD_EXPECT_EQ(vd_secret_set(&pin, "1234", 4, NULL), VD_OK);
    if (vd_root_token_open(&where, &p->token, &diag) != VD_OK)
        vd_test_fail(__FILE__, __LINE__, "%s", diag.text);
    p->options = (struct vd_root_options){.kind = VD_ROOT_HSM, .path = p->path, .token = &p->token};
}

/* A key in the token, and the way to it. */
static void begin(struct place *p, enum vd_hsm_kind kind, uint32_t bits, enum vd_hsm_use use)
{
    struct vd_hsm_new_key request = {.kind = kind, .bits = bits, .use = use, .label = "root"};
    struct vd_secret pin VD_AUTO(vd_secret_done) = {};
    struct vd_hsm_where where = {.pin = &pin, .login = true};
    struct vd_hsm *hsm = NULL;
    struct vd_hsm_key key;
    void (*reset)(uint32_t keep);
    void *library;

    *p = (struct place){.uri = {.slot = VD_HSM_ANY_SLOT, .object = "root"}};
    VD_EXPECT(getenv("VD_BUILD_ROOT") != NULL);
    snprintf(p->module, sizeof(p->module), "%s/tests/unit/fake_pkcs11.so", getenv("VD_BUILD_ROOT"));
    snprintf(p->path, sizeof(p->path), "%s/root%u", vd_test_tmpdir(), ++number);
    library = dlopen(p->module, RTLD_NOW | RTLD_LOCAL);
    VD_EXPECT(library != NULL);
    control = dlsym(library, "fake_control");
    *(void **)&reset = dlsym(library, "fake_reset");
    reset(0);
    where.module = p->module;
    VD_EXPECT_EQ(vd_secret_set(&pin, "1234", 4, NULL), VD_OK);
    VD_EXPECT_EQ(vd_hsm_open(&where, &hsm, NULL), VD_OK);
    VD_EXPECT_EQ(vd_hsm_generate(hsm, &request, &key, NULL), VD_OK);
    vd_hsm_close(hsm);
    open_token(p);
}

static vd_status open_root(const struct place *p, struct vd_secret *key, struct vd_diag *diag)
{
    struct vd_root *root = NULL;
    vd_status status = vd_root_open(&p->options, key, &root, diag);

    vd_root_free(root);
    return status;
}

static void make_and_open(enum vd_hsm_kind kind, uint32_t bits, enum vd_hsm_use use)
{
    struct vd_secret made VD_AUTO(vd_secret_done) = {}, back VD_AUTO(vd_secret_done) = {};
    struct vd_root *root = NULL;
    struct vd_diag diag = {};
    struct place p;

    begin(&p, kind, bits, use);
    if (vd_root_create(&p.options, &made, &root, &diag) != VD_OK)
        vd_test_fail(__FILE__, __LINE__, "%s", diag.text);
    vd_root_free(root);
    vd_root_token_done(&p.token);
    open_token(&p); /* as after a restart */
    if (open_root(&p, &back, &diag) != VD_OK)
        vd_test_fail(__FILE__, __LINE__, "%s", diag.text);
    VD_EXPECT(vd_secret_equal(&made, &back));
    vd_root_token_done(&p.token);
}

VD_TEST(under_an_aes_key)
{
    make_and_open(VD_HSM_AES, 256, VD_HSM_TO_DECRYPT);
}

VD_TEST(under_a_wrapping_key)
{
    make_and_open(VD_HSM_AES, 256, VD_HSM_TO_WRAP);
}

VD_TEST(under_an_rsa_pair)
{
    make_and_open(VD_HSM_RSA, 2048, VD_HSM_TO_DECRYPT);
}

VD_TEST(a_changed_file_is_refused)
{
    struct vd_secret key VD_AUTO(vd_secret_done) = {}, none VD_AUTO(vd_secret_done) = {};
    struct vd_bytes file VD_AUTO(vd_bytes_free) = {};
    struct vd_root *root = NULL;
    struct place p;

    begin(&p, VD_HSM_AES, 256, VD_HSM_TO_DECRYPT);
    VD_EXPECT_EQ(vd_root_create(&p.options, &key, &root, NULL), VD_OK);
    vd_root_free(root);
    VD_EXPECT_EQ(vd_file_load(p.path, 4096, &file, NULL), VD_OK);
    for (size_t i = 0; i < file.size; i++) {
        file.data[i] ^= 1;
        VD_EXPECT_EQ(vd_file_store(p.path, file.data, file.size, 0600, NULL), VD_OK);
        if (open_root(&p, &none, NULL) == VD_OK)
            vd_test_fail(__FILE__, __LINE__, "byte %zu of the root file was changed unnoticed", i);
        file.data[i] ^= 1;
    }
    VD_EXPECT_EQ(vd_file_store(p.path, file.data, file.size, 0600, NULL), VD_OK);
    VD_EXPECT_EQ(open_root(&p, &none, NULL), VD_OK);
    vd_root_token_done(&p.token);
}

VD_TEST(a_token_or_key_that_is_gone_is_missing)
{
    struct vd_secret key VD_AUTO(vd_secret_done) = {}, none VD_AUTO(vd_secret_done) = {};
    struct vd_root *root = NULL;
    struct vd_diag diag = {};
    struct place p;
    char path[sizeof(p.path)];

    begin(&p, VD_HSM_AES, 256, VD_HSM_TO_DECRYPT);
    VD_EXPECT_EQ(vd_root_create(&p.options, &key, &root, NULL), VD_OK);
    vd_root_free(root);
    control->removed = true;
    VD_EXPECT_EQ(open_root(&p, &none, &diag), VD_E_MISSING);
    VD_EXPECT(strstr(diag.text, "not there") != NULL);
    control->removed = false;
    VD_EXPECT_EQ(open_root(&p, &none, NULL), VD_OK);
    vd_secret_done(&none);
    vd_root_token_done(&p.token);
    memcpy(path, p.path, sizeof(path));
    begin(&p, VD_HSM_AES, 256, VD_HSM_TO_DECRYPT); /* a new token: same label, another key */
    memcpy(p.path, path, sizeof(path));
    VD_EXPECT_EQ(open_root(&p, &none, NULL), VD_E_MISSING);
    strcpy(p.uri.object, "other");
    vd_root_token_done(&p.token);
    open_token(&p);
    snprintf(p.path, sizeof(p.path), "%s/new", vd_test_tmpdir());
    diag = (struct vd_diag){};
    VD_EXPECT_EQ(vd_root_create(&p.options, &none, &root, &diag), VD_E_MISSING);
    VD_EXPECT(strstr(diag.hint, "veridian hsm create") != NULL);
    vd_root_token_done(&p.token);
}
