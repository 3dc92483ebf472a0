/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hardware/hsm/internal.h"

#include <openssl/rand.h>
#include <string.h>

#include "core/base/mem.h"
#include "lib/diagf.h"

#define NEW_ID_SIZE 16u

/* An object's description for the module; values are kept beside it. */
struct template
{
    CK_ATTRIBUTE attribute[HSM_TEMPLATE_MAX];
    CK_ULONG count;
};

static const CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

static void add(struct template *t, CK_ATTRIBUTE_TYPE type, const void *value, size_t size)
{
    t->attribute[t->count++] = (CK_ATTRIBUTE){type, (void *)value, size};
}

static void add_flag(struct template *t, CK_ATTRIBUTE_TYPE type, bool value)
{
    add(t, type, value ? &yes : &no, sizeof(CK_BBOOL));
}

/* A use that the key shall have or not. Lenient: what it shall not have is left to the token. */
static void add_use(struct template *t, CK_ATTRIBUTE_TYPE type, bool value, bool lenient)
{
    if (value || !lenient)
        add_flag(t, type, value);
}

struct generation {
    const struct vd_hsm_new_key *request;
    struct vd_hsm_key *ret;
    uint8_t id[NEW_ID_SIZE];
    CK_MECHANISM mechanism;
    CK_ULONG size; /* of the modulus in bits, or of the key in bytes */
};

static void add_names(struct template *t, const struct generation *g)
{
    add_flag(t, CKA_TOKEN, true);
    add(t, CKA_LABEL, g->request->label, strlen(g->request->label));
    add(t, CKA_ID, g->id, sizeof(g->id));
}

static void add_guards(struct template *t)
{
    add_flag(t, CKA_PRIVATE, true);
    add_flag(t, CKA_SENSITIVE, true);
    add_flag(t, CKA_EXTRACTABLE, false);
}

static vd_status call_generate_pair(struct vd_hsm *hsm, const struct generation *g, bool lenient,
                                    struct vd_diag *diag)
{
    static const uint8_t exponent[] = {0x01, 0x00, 0x01};
    enum vd_hsm_use use = g->request->use;
    bool rsa = g->request->kind == VD_HSM_RSA;
    struct template public = {}, private = {};
    CK_OBJECT_HANDLE handles[2] = {};
    CK_MECHANISM mechanism = g->mechanism;

    add_names(&public, g);
    add_use(&public, CKA_VERIFY, use == VD_HSM_TO_SIGN, lenient);
    if (rsa) {
        add_use(&public, CKA_ENCRYPT, use == VD_HSM_TO_DECRYPT, lenient);
        add(&public, CKA_MODULUS_BITS, &g->size, sizeof(g->size));
        add(&public, CKA_PUBLIC_EXPONENT, exponent, sizeof(exponent));
    } else {
        add(&public, CKA_EC_PARAMS, hsm_p256_params, sizeof(hsm_p256_params));
    }
    add_names(&private, g);
    add_guards(&private);
    add_use(&private, CKA_SIGN, use == VD_HSM_TO_SIGN, lenient);
    if (rsa)
        add_use(&private, CKA_DECRYPT, use == VD_HSM_TO_DECRYPT, lenient);
    if (use == VD_HSM_TO_DERIVE)
        add_flag(&private, CKA_DERIVE, true);
    return hsm_check(hsm, "C_GenerateKeyPair",
                     hsm->module.f->C_GenerateKeyPair(hsm->session, &mechanism, public.attribute,
                                                      public.count, private.attribute,
                                                      private.count, &handles[0], &handles[1]),
                     diag);
}

/*
 * Some tokens (tpm2-pkcs11) make RSA keys that sign and decrypt and nothing else, and refuse to be
 * told not to: such a key is taken, and says so in its uses.
 */
static vd_status generate_pair(struct vd_hsm *hsm, const struct generation *g, struct vd_diag *diag)
{
    vd_status status = call_generate_pair(hsm, g, false, NULL);

    if (status == VD_OK || hsm->lost)
        return status;
    return call_generate_pair(hsm, g, true, diag);
}

static vd_status generate_secret(struct vd_hsm *hsm, const struct generation *g,
                                 struct vd_diag *diag)
{
    bool wraps = g->request->use == VD_HSM_TO_WRAP;
    struct template t = {};
    CK_OBJECT_HANDLE handle = 0;
    CK_MECHANISM mechanism = g->mechanism;

    add_names(&t, g);
    add_guards(&t);
    add(&t, CKA_VALUE_LEN, &g->size, sizeof(g->size));
    add_flag(&t, CKA_ENCRYPT, !wraps);
    add_flag(&t, CKA_DECRYPT, !wraps);
    add_flag(&t, CKA_WRAP, wraps);
    add_flag(&t, CKA_UNWRAP, wraps);
    return hsm_check(
        hsm, "C_GenerateKey",
        hsm->module.f->C_GenerateKey(hsm->session, &mechanism, t.attribute, t.count, &handle),
        diag);
}

/* ---- What there is before and after ---- */

/* Whether an object of this class has the label (or, with an id, that id). */
static vd_status is_there(struct vd_hsm *hsm, struct vd_hsm_uri *uri, struct vd_hsm_key *ret,
                          bool *ret_there, struct vd_diag *diag)
{
    struct vd_diag own = {};
    vd_status status = hsm_find_key(hsm, uri, ret, &own);

    *ret_there = status == VD_OK || (status == VD_E_INVALID && !hsm->lost);
    if (*ret_there || status == VD_E_NOT_FOUND)
        return VD_OK;
    if (diag != NULL && diag->status == VD_OK)
        *diag = own;
    return status;
}

static struct vd_hsm_uri name_of(const struct generation *g, bool by_id)
{
    struct vd_hsm_uri uri = {.slot = VD_HSM_ANY_SLOT};

    uri.class = g->request->kind == VD_HSM_AES ? VD_HSM_SECRET_KEY : VD_HSM_PRIVATE;
    if (by_id) {
        vd_copy(uri.id, g->id, sizeof(g->id));
        uri.id_size = sizeof(g->id);
    } else {
        vd_copy(uri.object, g->request->label, strlen(g->request->label));
    }
    return uri;
}

static vd_status destroy_half(struct vd_hsm *hsm, struct vd_hsm_key half, enum vd_hsm_class class,
                              struct vd_diag *diag)
{
    CK_OBJECT_HANDLE object;

    if (half.class != class) {
        half.class = class;
        half.opening = 0;
    }
    VD_TRY(hsm_handle(hsm, &half, &object, diag));
    return hsm_check(hsm, "C_DestroyObject", hsm->module.f->C_DestroyObject(hsm->session, object),
                     diag);
}

/* The value must not come out: asking for it has to fail. */
static bool gives_itself_away(struct vd_hsm *hsm, const struct vd_hsm_key *key)
{
    uint8_t value[VD_HSM_ATTRIBUTE_MAX];
    CK_ATTRIBUTE ask = {.type = key->kind == VD_HSM_RSA ? CKA_PRIVATE_EXPONENT : CKA_VALUE,
                        .pValue = value};
    struct vd_diag own = {};
    vd_status status = hsm_get(hsm, key->handle, &ask, sizeof(value), &own);
    bool given = status == VD_OK && ask.ulValueLen > 0;

    vd_wipe(value, sizeof(value));
    return given || status == VD_E_LIMIT; /* more than there can be is given, too */
}

static vd_status inspect(struct vd_hsm *hsm, struct generation *g, struct vd_diag *diag)
{
    struct vd_hsm_uri uri = name_of(g, true);
    struct vd_hsm_key key;

    VD_TRY(hsm_find_key(hsm, &uri, &key, diag));
    if (key.kind == g->request->kind && key.bits == g->request->bits && key.sensitive &&
        !key.extractable && !gives_itself_away(hsm, &key)) {
        *g->ret = key;
        return VD_OK;
    }
    if (hsm->lost)
        return vd_diag_fail(diag, VD_E_IO, "the session ended while a new key was looked at");
    (void)destroy_half(hsm, key, key.class, NULL);
    if (key.class == VD_HSM_PRIVATE)
        (void)destroy_half(hsm, key, VD_HSM_PUBLIC, NULL);
    return vd_diagf(diag, VD_E_DIFFERS,
                    "token \"%s\" made a key that is not as it was asked for (%u bits%s%s): it was "
                    "destroyed again",
                    hsm->token.label, key.bits, key.sensitive ? "" : ", not sensitive",
                    key.extractable ? ", extractable" : "");
}

/* A key that the token has no mechanism for would be of no use. */
static vd_status check_use(const struct vd_hsm *hsm, const struct vd_hsm_new_key *request,
                           struct vd_diag *diag)
{
    static const struct {
        enum vd_hsm_kind kind;
        enum vd_hsm_use use;
        CK_MECHANISM_TYPE type;
        CK_FLAGS flags;
    } needs[] = {
        {VD_HSM_EC, VD_HSM_TO_DERIVE, CKM_ECDH1_DERIVE, CKF_DERIVE},
        {VD_HSM_AES, VD_HSM_TO_WRAP, CKM_AES_KEY_WRAP, CKF_WRAP | CKF_UNWRAP},
        {VD_HSM_RSA, VD_HSM_TO_DECRYPT, CKM_RSA_PKCS_OAEP, CKF_DECRYPT},
    };

    for (size_t i = 0; i < VD_COUNT(needs); i++) {
        if (needs[i].kind == request->kind && needs[i].use == request->use &&
            hsm_mechanism(hsm, needs[i].type, needs[i].flags) == NULL)
            return hsm_lacks(hsm, needs[i].type, diag);
    }
    return VD_OK;
}

static vd_status generate_in(struct vd_hsm *hsm, void *ctx, struct vd_diag *diag)
{
    struct generation *g = ctx;
    struct vd_hsm_uri by_id = name_of(g, true), by_label = name_of(g, false);
    const struct vd_hsm_mechanism *m;
    struct vd_hsm_key key;
    bool pair = g->request->kind != VD_HSM_AES, there;
    struct vd_diag own = {};
    vd_status status;

    VD_TRY(check_use(hsm, g->request, diag));
    m = hsm_mechanism(hsm, g->mechanism.mechanism, pair ? CKF_GENERATE_KEY_PAIR : CKF_GENERATE);
    if (m == NULL)
        return hsm_lacks(hsm, g->mechanism.mechanism, diag);
    if (pair && (g->request->bits < m->min_key || g->request->bits > m->max_key))
        return vd_diagf(diag, VD_E_UNSUPPORTED, "%s of token \"%s\" makes keys of %lu to %lu bits",
                        m->name, hsm->token.label, (unsigned long)m->min_key,
                        (unsigned long)m->max_key);
    /* A session that was lost in the middle may have made the key: its id tells. */
    VD_TRY(is_there(hsm, &by_id, &key, &there, diag));
    if (there)
        return inspect(hsm, g, diag);
    VD_TRY(is_there(hsm, &by_label, &key, &there, diag));
    if (there)
        return vd_diagf(diag, VD_E_EXISTS, "token \"%s\" has a key \"%s\" already",
                        hsm->token.label, g->request->label);
    status = (pair ? generate_pair : generate_secret)(hsm, g, &own);
    if (status == VD_E_UNSUPPORTED) /* listed, but not there */
        return hsm_lacks(hsm, g->mechanism.mechanism, diag);
    if (status != VD_OK && diag != NULL && diag->status == VD_OK)
        *diag = own;
    VD_TRY(status);
    return inspect(hsm, g, diag);
}

static vd_status check_request(struct generation *g, struct vd_diag *diag)
{
    const struct vd_hsm_new_key *r = g->request;
    bool fits = false;

    if (r->label == NULL || r->label[0] == '\0' || strlen(r->label) > VD_HSM_LABEL_MAX)
        return vd_diagf(diag, VD_E_USAGE, "a key wants a label of 1 to %u bytes", VD_HSM_LABEL_MAX);
    g->size = r->bits;
    switch (r->kind) {
    case VD_HSM_RSA:
        g->mechanism.mechanism = CKM_RSA_PKCS_KEY_PAIR_GEN;
        fits = (r->bits == 2048 || r->bits == 3072 || r->bits == 4096) &&
               (r->use == VD_HSM_TO_SIGN || r->use == VD_HSM_TO_DECRYPT);
        break;
    case VD_HSM_EC:
        g->mechanism.mechanism = CKM_EC_KEY_PAIR_GEN;
        fits = r->bits == 256 && (r->use == VD_HSM_TO_SIGN || r->use == VD_HSM_TO_DERIVE);
        break;
    case VD_HSM_AES:
        g->mechanism.mechanism = CKM_AES_KEY_GEN;
        g->size = r->bits / 8;
        fits = r->bits == 256 && (r->use == VD_HSM_TO_DECRYPT || r->use == VD_HSM_TO_WRAP);
        break;
    case VD_HSM_OTHER_KEY:
        break;
    }
    if (!fits)
        return vd_diag_fail(diag, VD_E_USAGE,
                            "expected an RSA key of 2048, 3072 or 4096 bits to sign or decrypt, a "
                            "P-256 key to sign or derive, or an AES key of 256 bits to encrypt "
                            "or wrap");
    return VD_OK;
}

vd_status vd_hsm_generate(struct vd_hsm *hsm, const struct vd_hsm_new_key *request,
                          struct vd_hsm_key *ret, struct vd_diag *diag)
{
    struct generation g = {.request = request, .ret = ret};

    VD_TRY(check_request(&g, diag));
    if (RAND_bytes(g.id, sizeof(g.id)) != 1)
        return vd_diag_fail(diag, VD_E_SYSTEM, "no random bytes");
    return hsm_run(hsm, generate_in, &g, diag);
}

static vd_status destroy_in(struct vd_hsm *hsm, void *ctx, struct vd_diag *diag)
{
    const struct vd_hsm_key *key = ctx;
    struct vd_diag own = {};
    vd_status status;

    if (key->class == VD_HSM_PRIVATE) {
        status = destroy_half(hsm, *key, VD_HSM_PUBLIC, &own);
        if (status != VD_OK && status != VD_E_NOT_FOUND) {
            if (diag != NULL && diag->status == VD_OK)
                *diag = own;
            return status;
        }
    }
    return destroy_half(hsm, *key, key->class, diag);
}

vd_status vd_hsm_destroy(struct vd_hsm *hsm, struct vd_hsm_key *key, struct vd_diag *diag)
{
    hsm_public_forget(hsm);
    return hsm_run(hsm, destroy_in, key, diag);
}
