/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The HSM client against a module that fails, answers nonsense or loses its token at each call. */
#include "hardware/hsm/hsm.h"

#include <dlfcn.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness.h"
#include "tests/support/fake_pkcs11.h"

static const uint8_t text[] = "a message";

static struct fake_control *control;
static void (*reset)(uint32_t keep);
static uint32_t kept; /* objects that the fixture made */

static const char *module_path(void)
{
    static char path[1024];
    const char *root = getenv("VD_BUILD_ROOT");

    VD_EXPECT(root != NULL);
    strcpy(path, root);
    strcat(path, "/tests/unit/fake_pkcs11.so");
    return path;
}

static vd_status open_with(const char *pin_text, struct vd_hsm **ret, struct vd_diag *diag)
{
    struct vd_secret pin VD_AUTO(vd_secret_done) = {};
    struct vd_hsm_where where = {.module = module_path(), .pin = &pin, .login = true};

    VD_TRY(vd_secret_set(&pin, pin_text, strlen(pin_text), diag));
    return vd_hsm_open(&where, ret, diag);
}

static vd_status find(struct vd_hsm *hsm, const char *label, enum vd_hsm_class class,
                      struct vd_hsm_key *ret, struct vd_diag *diag)
{
    struct vd_hsm_uri uri = {.slot = VD_HSM_ANY_SLOT};

    strcpy(uri.object, label);
    return vd_hsm_find(hsm, &uri, class, ret, diag);
}

/* The token with its keys, once. */
static void fixture(void)
{
    static const struct vd_hsm_new_key keys[] = {
        {VD_HSM_EC, 256, VD_HSM_TO_SIGN, "ec"},      {VD_HSM_EC, 256, VD_HSM_TO_DERIVE, "ed"},
        {VD_HSM_RSA, 2048, VD_HSM_TO_SIGN, "rs"},    {VD_HSM_RSA, 2048, VD_HSM_TO_DECRYPT, "rd"},
        {VD_HSM_AES, 256, VD_HSM_TO_DECRYPT, "aes"}, {VD_HSM_AES, 256, VD_HSM_TO_WRAP, "kek"},
    };
    struct vd_diag diag = {};
    struct vd_hsm *hsm = NULL;
    struct vd_hsm_key key;
    void *library;

    if (control != NULL) {
        reset(kept);
        return;
    }
    library = dlopen(module_path(), RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        vd_test_fail(__FILE__, __LINE__, "%s", dlerror());
    control = dlsym(library, "fake_control");
    *(void **)&reset = dlsym(library, "fake_reset");
    if (open_with("1234", &hsm, &diag) != VD_OK)
        vd_test_fail(__FILE__, __LINE__, "%s", diag.text);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (vd_hsm_generate(hsm, &keys[i], &key, &diag) != VD_OK)
            vd_test_fail(__FILE__, __LINE__, "%s", diag.text);
        kept += keys[i].kind == VD_HSM_AES ? 1 : 2;
    }
    vd_hsm_close(hsm);
    reset(kept);
}

/* ---- What is done while the module fails: each gives the right answer or a failure ---- */

typedef vd_status scenario(struct vd_hsm *hsm, struct vd_diag *diag);

static vd_status sign_with(struct vd_hsm *hsm, const char *label, enum vd_hsm_scheme scheme,
                           struct vd_diag *diag)
{
    struct vd_hsm_message message = {.scheme = scheme, .data = text, .size = sizeof(text)};
    struct vd_hsm_block signature = {};
    struct vd_hsm_key key;

    VD_TRY(find(hsm, label, VD_HSM_PRIVATE, &key, diag));
    VD_TRY(vd_hsm_sign(hsm, &key, &message, &signature, diag));
    return vd_hsm_verify(hsm, &key, &message, &signature, diag);
}

static vd_status sign_ecdsa(struct vd_hsm *hsm, struct vd_diag *diag)
{
    return sign_with(hsm, "ec", VD_HSM_ECDSA, diag);
}

static vd_status sign_pss(struct vd_hsm *hsm, struct vd_diag *diag)
{
    return sign_with(hsm, "rs", VD_HSM_PSS, diag);
}

static vd_status sign_pkcs1(struct vd_hsm *hsm, struct vd_diag *diag)
{
    return sign_with(hsm, "rs", VD_HSM_PKCS1, diag);
}

static vd_status encrypt(struct vd_hsm *hsm, struct vd_diag *diag)
{
    struct vd_hsm_crypt request = {.cipher = VD_HSM_AES_GCM, .data = text, .size = sizeof(text)};
    struct vd_bytes made VD_AUTO(vd_bytes_free) = {};
    struct vd_secret back VD_AUTO(vd_secret_done) = {};
    struct vd_hsm_key key;

    VD_TRY(find(hsm, "aes", VD_HSM_SECRET_KEY, &key, diag));
    VD_TRY(vd_hsm_encrypt(hsm, &key, &request, &made, diag));
    VD_EXPECT_EQ(made.size, sizeof(text) + VD_HSM_GCM_OVERHEAD);
    request.data = made.data;
    request.size = made.size;
    VD_TRY(vd_hsm_decrypt(hsm, &key, &request, &back, diag));
    /* A module that gives a wrong plaintext cannot be told from a right one: only its size can. */
    VD_EXPECT(back.size <= made.size);
    return VD_OK;
}

static vd_status wrap_with(struct vd_hsm *hsm, const char *label, enum vd_hsm_class class,
                           struct vd_diag *diag)
{
    struct vd_secret secret VD_AUTO(vd_secret_done) = {}, back VD_AUTO(vd_secret_done) = {};
    struct vd_hsm_block wrapped;
    struct vd_hsm_key key;

    VD_TRY(vd_secret_init(&secret, VD_HSM_WRAP_SECRET, diag));
    memcpy(secret.data, text, sizeof(text));
    VD_TRY(find(hsm, label, class, &key, diag));
    VD_TRY(vd_hsm_wrap(hsm, &key, &secret, &wrapped, diag));
    VD_TRY(vd_hsm_unwrap(hsm, wrapped.data, wrapped.size, &back, diag));
    VD_EXPECT(vd_secret_equal(&secret, &back));
    return VD_OK;
}

static vd_status wrap_gcm(struct vd_hsm *hsm, struct vd_diag *diag)
{
    return wrap_with(hsm, "aes", VD_HSM_SECRET_KEY, diag);
}

static vd_status wrap_kek(struct vd_hsm *hsm, struct vd_diag *diag)
{
    return wrap_with(hsm, "kek", VD_HSM_SECRET_KEY, diag);
}

static vd_status wrap_oaep(struct vd_hsm *hsm, struct vd_diag *diag)
{
    return wrap_with(hsm, "rd", VD_HSM_PRIVATE, diag);
}

static vd_status list(struct vd_hsm *hsm, struct vd_diag *diag)
{
    static struct vd_hsm_key keys[VD_HSM_OBJECTS_MAX];
    struct vd_hsm_uri uri = {.slot = VD_HSM_ANY_SLOT};
    uint32_t count = 0;

    VD_TRY(vd_hsm_list(hsm, &uri, keys, &count, diag));
    VD_EXPECT(count <= VD_HSM_OBJECTS_MAX);
    return VD_OK;
}

static vd_status generate_as(struct vd_hsm *hsm, enum vd_hsm_kind kind, struct vd_diag *diag)
{
    struct vd_hsm_new_key request = {.kind = kind, .bits = 256, .label = "new"};
    struct vd_hsm_key key;

    request.use = kind == VD_HSM_AES ? VD_HSM_TO_DECRYPT : VD_HSM_TO_SIGN;
    VD_TRY(vd_hsm_generate(hsm, &request, &key, diag));
    VD_EXPECT(key.sensitive && !key.extractable && key.kind == kind);
    return VD_OK;
}

static vd_status generate_pair(struct vd_hsm *hsm, struct vd_diag *diag)
{
    return generate_as(hsm, VD_HSM_EC, diag);
}

static vd_status generate_secret(struct vd_hsm *hsm, struct vd_diag *diag)
{
    return generate_as(hsm, VD_HSM_AES, diag);
}

static vd_status derive(struct vd_hsm *hsm, struct vd_diag *diag)
{
    struct vd_bytes der VD_AUTO(vd_bytes_free) = {};
    struct vd_secret shared VD_AUTO(vd_secret_done) = {};
    struct vd_hsm_key own, peer;

    VD_TRY(find(hsm, "ed", VD_HSM_PRIVATE, &own, diag));
    VD_TRY(find(hsm, "ec", VD_HSM_PUBLIC, &peer, diag));
    VD_TRY(vd_hsm_public_der(hsm, &peer, &der, diag));
    VD_TRY(vd_hsm_derive(hsm, &own, &der, &shared, diag));
    VD_EXPECT_EQ(shared.size, 32);
    return VD_OK;
}

static const struct {
    const char *name;
    scenario *run;
} scenarios[] = {
    {"sign_ecdsa", sign_ecdsa},
    {"sign_pss", sign_pss},
    {"sign_pkcs1", sign_pkcs1},
    {"encrypt", encrypt},
    {"wrap_gcm", wrap_gcm},
    {"wrap_kek", wrap_kek},
    {"wrap_oaep", wrap_oaep},
    {"list", list},
    {"generate_pair", generate_pair},
    {"generate_secret", generate_secret},
    {"derive", derive},
};

#define SCENARIOS (sizeof(scenarios) / sizeof(scenarios[0]))

static vd_status once(scenario *run, const struct fake_control *fault, struct vd_diag *diag)
{
    struct vd_hsm *hsm = NULL;
    vd_status status;

    reset(kept);
    *control = *fault;
    status = open_with("1234", &hsm, diag);
    if (status == VD_OK)
        status = run(hsm, diag);
    vd_hsm_close(hsm);
    return status;
}

/* Every call of every scenario with the fault; returns how many runs failed. */
static uint32_t sweep(struct fake_control fault, bool must_survive)
{
    static const struct fake_control none;
    uint32_t failed = 0;

    for (size_t i = 0; i < SCENARIOS; i++) {
        struct vd_diag diag = {};
        uint32_t calls;

        if (once(scenarios[i].run, &none, &diag) != VD_OK) /* the control: without a fault */
            vd_test_fail(__FILE__, __LINE__, "%s: %s", scenarios[i].name, diag.text);
        calls = control->calls;
        for (fault.at = 1; fault.at <= calls; fault.at++) {
            vd_status status;

            diag = (struct vd_diag){};
            status = once(scenarios[i].run, &fault, &diag);
            if (status != VD_OK && must_survive)
                vd_test_fail(__FILE__, __LINE__, "%s, call %u of %u: %s", scenarios[i].name,
                             fault.at, calls, diag.text);
            if (status != VD_OK && (diag.text[0] == '\0' || status == VD_E_BUG))
                vd_test_fail(__FILE__, __LINE__, "%s, call %u: no clear error", scenarios[i].name,
                             fault.at);
            failed += status != VD_OK;
        }
    }
    return failed;
}

VD_TEST(a_lost_session_is_survived_at_each_call)
{
    static const CK_RV lost[] = {CKR_SESSION_HANDLE_INVALID, CKR_SESSION_CLOSED, CKR_DEVICE_REMOVED,
                                 CKR_TOKEN_NOT_PRESENT};

    fixture();
    for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++)
        VD_EXPECT_EQ(sweep((struct fake_control){.fault = FAKE_LOST, .rv = lost[i]}, true), 0);
}

VD_TEST(a_key_is_made_once_though_the_answer_was_lost)
{
    struct fake_control fault = {.fault = FAKE_LATE};
    struct vd_hsm_key key;
    struct vd_hsm *hsm = NULL;

    fixture();
    VD_EXPECT_EQ(sweep(fault, true), 0);
    for (fault.at = 1; !control->hit; fault.at++)
        VD_EXPECT_EQ(once(generate_pair, &fault, NULL), VD_OK);
    VD_EXPECT_EQ(open_with("1234", &hsm, NULL), VD_OK);
    VD_EXPECT_EQ(find(hsm, "new", VD_HSM_PRIVATE, &key, NULL), VD_OK); /* one, not several */
    VD_EXPECT_EQ(find(hsm, "new", VD_HSM_PUBLIC, &key, NULL), VD_OK);
    vd_hsm_close(hsm);
}

VD_TEST(sessions_that_are_lost_again_and_again_are_an_error)
{
    fixture();
    VD_EXPECT(sweep((struct fake_control){.fault = FAKE_LOST,
                                          .onwards = true,
                                          .rv = CKR_SESSION_HANDLE_INVALID},
                    false) > 100);
}

VD_TEST(an_error_at_each_call_is_said)
{
    static const CK_RV results[] = {CKR_GENERAL_ERROR,
                                    CKR_HOST_MEMORY,
                                    CKR_BUFFER_TOO_SMALL,
                                    CKR_USER_NOT_LOGGED_IN,
                                    CKR_CRYPTOKI_NOT_INITIALIZED,
                                    CKR_OPERATION_ACTIVE,
                                    0x80000001ul};

    fixture();
    for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
        struct fake_control fault = {.fault = FAKE_RESULT, .rv = results[i]};

        (void)sweep(fault, false);
        fault.onwards = true;
        VD_EXPECT(sweep(fault, false) > 100);
    }
}

VD_TEST(nonsense_at_each_call_is_refused)
{
    static const CK_ULONG sizes[] = {0, 1, 3, 65, 1000, 5000, 0x7fffffff, ~0ul, ~0ul - 7};
    uint32_t failed = 0;

    fixture();
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct fake_control fault = {.fault = FAKE_SIZE, .size = sizes[i]};

        failed += sweep(fault, false);
        fault.onwards = true;
        failed += sweep(fault, false);
    }
    failed += sweep((struct fake_control){.fault = FAKE_BYTES}, false);
    failed += sweep((struct fake_control){.fault = FAKE_BYTES, .onwards = true}, false);
    VD_EXPECT(failed > 1000);
}

/* ---- Tokens that go and come ---- */

VD_TEST(a_token_goes_and_comes_back)
{
    struct vd_diag diag = {};
    struct vd_hsm *hsm = NULL;

    fixture();
    VD_EXPECT_EQ(open_with("1234", &hsm, NULL), VD_OK);
    VD_EXPECT_EQ(sign_ecdsa(hsm, NULL), VD_OK);
    control->removed = true;
    VD_EXPECT_EQ(sign_ecdsa(hsm, &diag), VD_E_MISSING);
    VD_EXPECT(strstr(diag.text, "\"fake\" is not there") != NULL);
    control->removed = false;
    VD_EXPECT_EQ(sign_ecdsa(hsm, NULL), VD_OK);
    control->removed = true;
    VD_EXPECT_EQ(sign_ecdsa(hsm, NULL), VD_E_MISSING);
    control->removed = false;
    control->other_token = true; /* same label, another serial number */
    VD_EXPECT_EQ(sign_ecdsa(hsm, NULL), VD_E_MISSING);
    control->other_token = false;
    VD_EXPECT_EQ(sign_ecdsa(hsm, NULL), VD_OK);
    vd_hsm_close(hsm);
}

VD_TEST(a_forked_child_does_not_use_its_parents_session)
{
    struct vd_hsm *hsm = NULL;
    int status = -1;
    pid_t child;

    fixture();
    VD_EXPECT_EQ(open_with("1234", &hsm, NULL), VD_OK);
    child = fork();
    if (child == 0) {
        bool refused = list(hsm, NULL) == VD_E_USAGE;

        vd_hsm_close(hsm); /* nor ends it */
        _exit(refused ? 0 : 1);
    }
    VD_EXPECT(waitpid(child, &status, 0) == child && status == 0);
    VD_EXPECT_EQ(list(hsm, NULL), VD_OK);
    vd_hsm_close(hsm);
}

VD_TEST(a_refused_pin_is_tried_once)
{
    struct vd_diag diag = {};
    struct vd_hsm *hsm = NULL;

    fixture();
    VD_EXPECT_EQ(open_with("9999", &hsm, &diag), VD_E_DENIED);
    VD_EXPECT(strstr(diag.text, "CKR_PIN_INCORRECT") != NULL && strstr(diag.text, "9999") == NULL);
    VD_EXPECT_EQ(control->logins, 1);
    /* The PIN was changed while the token was away: the old one is not tried at each call. */
    VD_EXPECT_EQ(open_with("1234", &hsm, NULL), VD_OK);
    control->removed = true;
    VD_EXPECT_EQ(list(hsm, NULL), VD_E_MISSING);
    control->removed = false;
    control->other_pin = true;
    control->logins = 0;
    VD_EXPECT_EQ(list(hsm, NULL), VD_E_DENIED);
    VD_EXPECT_EQ(control->logins, 1);
    VD_EXPECT_EQ(list(hsm, NULL), VD_E_DENIED);
    VD_EXPECT_EQ(control->logins, 1);
    vd_hsm_close(hsm);
}

/* ---- Tokens that do not do what they are told ---- */

VD_TEST(a_key_that_can_leave_is_destroyed)
{
    struct vd_hsm_key key;
    struct vd_hsm *hsm = NULL;

    fixture();
    VD_EXPECT_EQ(open_with("1234", &hsm, NULL), VD_OK);
    control->makes_weak_keys = true;
    VD_EXPECT_EQ(generate_pair(hsm, NULL), VD_E_DIFFERS);
    VD_EXPECT_EQ(generate_secret(hsm, NULL), VD_E_DIFFERS);
    control->makes_weak_keys = false;
    control->gives_away = true;
    VD_EXPECT_EQ(generate_pair(hsm, NULL), VD_E_DIFFERS);
    VD_EXPECT_EQ(generate_secret(hsm, NULL), VD_E_DIFFERS);
    control->gives_away = false;
    VD_EXPECT_EQ(find(hsm, "new", VD_HSM_PRIVATE, &key, NULL), VD_E_NOT_FOUND);
    VD_EXPECT_EQ(find(hsm, "new", VD_HSM_PUBLIC, &key, NULL), VD_E_NOT_FOUND);
    VD_EXPECT_EQ(find(hsm, "new", VD_HSM_SECRET_KEY, &key, NULL), VD_E_NOT_FOUND);
    VD_EXPECT_EQ(generate_pair(hsm, NULL), VD_OK);
    vd_hsm_close(hsm);
}

VD_TEST(a_wrong_signature_is_not_given_out)
{
    struct vd_hsm *hsm = NULL;

    fixture();
    VD_EXPECT_EQ(open_with("1234", &hsm, NULL), VD_OK);
    control->fails_to_sign = true;
    VD_EXPECT_EQ(sign_ecdsa(hsm, NULL), VD_E_SIGNATURE);
    VD_EXPECT_EQ(sign_pss(hsm, NULL), VD_E_SIGNATURE);
    VD_EXPECT_EQ(sign_pkcs1(hsm, NULL), VD_E_SIGNATURE);
    control->fails_to_sign = false;
    VD_EXPECT_EQ(sign_pkcs1(hsm, NULL), VD_OK);
    vd_hsm_close(hsm);
}

/* ---- URIs ---- */

VD_TEST(uris_are_read_and_written)
{
    static const char full[] =
        "pkcs11:token=a%20b;manufacturer=m;model=x;serial=1;object=%C3%A9;id=%00%FF;type=cert;"
        "slot-id=12?module-path=/usr/lib/x.so&pin-source=/etc/pin";
    struct vd_hsm_uri uri;
    char again[512];

    VD_EXPECT_EQ(vd_hsm_uri_parse(full, &uri, NULL), VD_OK);
    VD_EXPECT_STR(uri.token, "a b");
    VD_EXPECT_STR(uri.object, "\xc3\xa9");
    VD_EXPECT_EQ(uri.id_size, 2);
    VD_EXPECT_EQ(uri.slot, 12);
    VD_EXPECT_EQ(uri.class, VD_HSM_CERTIFICATE);
    VD_EXPECT_STR(uri.pin_source, "/etc/pin");
    VD_EXPECT_EQ(vd_hsm_uri_write(&uri, again, sizeof(again)), VD_OK);
    VD_EXPECT_STR(again, full);
    VD_EXPECT_EQ(vd_hsm_uri_write(&uri, again, strlen(full)), VD_E_NO_SPACE);
    VD_EXPECT_EQ(vd_hsm_uri_parse("pkcs11:", &uri, NULL), VD_OK);
    VD_EXPECT_EQ(vd_hsm_uri_parse("pkcs11:?pin-source=file:///x", &uri, NULL), VD_OK);
    VD_EXPECT_STR(uri.pin_source, "/x");
}

VD_TEST(wrong_uris_are_refused_with_the_byte)
{
    static const struct {
        const char *uri;
        vd_status status;
        uint64_t offset;
    } wrong[] = {
        {"", VD_E_SYNTAX, 0},
        {"pkcs12:", VD_E_SYNTAX, 0},
        {"pkcs11:token", VD_E_SYNTAX, 7},
        {"pkcs11:=x", VD_E_SYNTAX, 7},
        {"pkcs11:token=a;", VD_E_SYNTAX, 15},
        {"pkcs11:token=a;;", VD_E_SYNTAX, 15},
        {"pkcs11:token=a?", VD_E_SYNTAX, 15},
        {"pkcs11:?", VD_E_SYNTAX, 8},
        {"pkcs11:token=%2", VD_E_SYNTAX, 13},
        {"pkcs11:token=%zz", VD_E_SYNTAX, 13},
        {"pkcs11:token=a b", VD_E_SYNTAX, 14},
        {"pkcs11:token=", VD_E_INVALID, 13},
        {"pkcs11:token=%00", VD_E_INVALID, 13},
        {"pkcs11:token=a;token=b", VD_E_INVALID, 15},
        {"pkcs11:id=%01;id=%02", VD_E_INVALID, 14},
        {"pkcs11:id=", VD_E_INVALID, 10},
        {"pkcs11:type=key", VD_E_INVALID, 12},
        {"pkcs11:type=cert;type=cert", VD_E_INVALID, 17},
        {"pkcs11:slot-id=-1", VD_E_INVALID, 15},
        {"pkcs11:slot-id=", VD_E_INVALID, 15},
        {"pkcs11:slot-id=1234567890123456789", VD_E_INVALID, 15},
        {"pkcs11:slot-id=1;slot-id=1", VD_E_INVALID, 17},
        {"pkcs11:colour=red", VD_E_INVALID, 7},
        {"pkcs11:module-path=/x", VD_E_INVALID, 7},
        {"pkcs11:?token=x", VD_E_INVALID, 8},
        {"pkcs11:?pin-value=1234", VD_E_UNSUPPORTED, 8},
        {"pkcs11:?module-name=x", VD_E_UNSUPPORTED, 8},
        {"pkcs11:?pin-source=|echo", VD_E_UNSUPPORTED, 19},
        {"pkcs11:serial=12345678901234567", VD_E_LIMIT, 30},
    };
    struct vd_hsm_uri uri;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct vd_diag diag = {};

        if (vd_hsm_uri_parse(wrong[i].uri, &uri, &diag) != wrong[i].status ||
            diag.offset != wrong[i].offset)
            vd_test_fail(__FILE__, __LINE__, "%s: %s at %llu", wrong[i].uri,
                         vd_status_name(diag.status), (unsigned long long)diag.offset);
    }
}

/* ---- Wrapped keys ---- */

VD_TEST(a_wrapped_key_cut_anywhere_is_refused)
{
    struct vd_secret secret VD_AUTO(vd_secret_done) = {}, back VD_AUTO(vd_secret_done) = {};
    struct vd_hsm_block wrapped;
    struct vd_hsm *hsm = NULL;
    struct vd_hsm_key key;

    fixture();
    VD_EXPECT_EQ(open_with("1234", &hsm, NULL), VD_OK);
    VD_EXPECT_EQ(vd_secret_init(&secret, VD_HSM_WRAP_SECRET, NULL), VD_OK);
    VD_EXPECT_EQ(find(hsm, "aes", VD_HSM_SECRET_KEY, &key, NULL), VD_OK);
    VD_EXPECT_EQ(vd_hsm_wrap(hsm, &key, &secret, &wrapped, NULL), VD_OK);
    for (size_t size = 0; size < wrapped.size; size++)
        VD_EXPECT(vd_hsm_unwrap(hsm, wrapped.data, size, &back, NULL) != VD_OK);
    for (size_t bit = 0; bit < wrapped.size * 8; bit++) {
        wrapped.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        VD_EXPECT(vd_hsm_unwrap(hsm, wrapped.data, wrapped.size, &back, NULL) != VD_OK);
        wrapped.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    VD_EXPECT_EQ(vd_hsm_unwrap(hsm, wrapped.data, wrapped.size, &back, NULL), VD_OK);
    vd_hsm_close(hsm);
}
