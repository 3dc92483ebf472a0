/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "services/crypto/use.h"

#include "lib/diagf.h"

/* The usages of which a key needs one. */
static uint32_t usages_of(uint16_t verb)
{
    static const uint32_t usages[VD_KEY_VERB_COUNT] = {
        [VD_KEY_ENCRYPT] = VD_ALG_ENCRYPT | VD_ALG_ENCRYPT_OWN_NONCE,
        [VD_KEY_DECRYPT] = VD_ALG_DECRYPT,
        [VD_KEY_SIGN] = VD_ALG_SIGN | VD_ALG_CERTIFY,
        [VD_KEY_VERIFY] = VD_ALG_VERIFY,
        [VD_KEY_ENCAPSULATE] = VD_ALG_ENCAPSULATE,
        [VD_KEY_DECAPSULATE] = VD_ALG_DECAPSULATE,
        [VD_KEY_DERIVE] = VD_ALG_DERIVE,
        [VD_KEY_REWRAP] = VD_ALG_DECRYPT,
        [VD_KEY_WRAP] = VD_ALG_WRAP,
        [VD_KEY_UNWRAP] = VD_ALG_UNWRAP,
        [VD_KEY_STREAM_SEAL] = VD_ALG_ENCRYPT,
        [VD_KEY_STREAM_OPEN] = VD_ALG_DECRYPT,
    };

    return usages[verb];
}

static vd_status check_state(const struct vd_keyd_facts *facts, struct vd_diag *diag)
{
    if (facts->state == VD_KEY_DOOMED)
        return vd_diag_fail(diag, VD_E_REVOKED,
                            "the key is to be destroyed and serves no more, unless restored");
    if (facts->state != VD_KEY_ACTIVE)
        return vd_diag_fail(diag, VD_E_REVOKED, "the key is destroyed");
    return VD_OK;
}

static vd_status check_times(const struct vd_keyd *s, const struct vd_keyd_facts *facts,
                             struct vd_diag *diag)
{
    uint64_t now;

    if (facts->not_before == 0 && facts->not_after == 0)
        return VD_OK;
    now = vd_kstore_now(s->store, vd_keyd_now());
    if (now < facts->not_before)
        return vd_diagf(diag, VD_E_NOT_YET, "the key serves from %llu on (seconds since 1970)",
                        (unsigned long long)facts->not_before);
    if (facts->not_after != 0 && now > facts->not_after)
        return vd_diagf(diag, VD_E_EXPIRED, "the key served until %llu (seconds since 1970)",
                        (unsigned long long)facts->not_after);
    return VD_OK;
}

vd_status vd_keyd_use_check(const struct vd_keyd *s, const struct vd_keyd_facts *facts,
                            uint16_t verb, struct vd_diag *diag)
{
    VD_TRY(check_state(facts, diag));
    VD_TRY(check_times(s, facts, diag));
    if ((facts->usages & usages_of(verb)) == 0)
        return vd_diagf(diag, VD_E_KEY_USAGE, "the key does not have the usage to %s",
                        vd_keyd_verb(verb)->name);
    return VD_OK;
}

static vd_status record(struct vd_keyd_conn *c, const struct vd_keyd_use *use, uint32_t count,
                        vd_status status, struct vd_diag *diag)
{
    struct vd_keyd_event event = vd_keyd_event(c, use->verb, use->key);

    event.label = use->facts.label->text;
    event.count = count;
    event.status = status;
    event.detail = status != VD_OK && diag != NULL ? diag->text : NULL;
    event.begun = event.manage && status == VD_OK;
    return vd_keyd_audit_put(&c->server->audit, &event, status == VD_OK ? diag : NULL);
}

static vd_status admit(struct vd_keyd_conn *c, struct vd_keyd_use *use, uint32_t count,
                       struct vd_diag *diag)
{
    struct vd_keyd *s = c->server;

    VD_TRY(vd_keyd_permit(c, s->rights[use->verb], use->facts.label, diag));
    VD_TRY(vd_keyd_use_check(s, &use->facts, use->verb, diag));
    return vd_keyd_key_count(&s->keys, use->key, use->facts.usage_limit, count, diag);
}

vd_status vd_keyd_use_begin(struct vd_keyd_conn *c, struct vd_keyd_use *use, uint16_t verb,
                            uint32_t count, struct vd_diag *diag)
{
    vd_status status;

    use->c = c;
    use->verb = verb;
    VD_TRY(vd_keyd_handle_find(c, use->op->handle, &use->key, diag));
    vd_keyd_key_facts(use->key, &use->facts);
    status = admit(c, use, count, diag);
    if (status != VD_OK) {
        /* A refusal stands, recorded or not. */
        (void)!record(c, use, count, status, diag);
        return status;
    }
    VD_TRY(record(c, use, count, VD_OK, diag));
    atomic_fetch_add_explicit(&c->server->counts[VD_KEY_STAT_OPERATIONS], count,
                              memory_order_relaxed);
    return VD_OK;
}

vd_status vd_keyd_use_version(struct vd_keyd_use *use, uint32_t version, struct vd_diag *diag)
{
    struct vd_alg_key *alg;

    if (version == 0)
        version = use->facts.versions;
    if (use->alg != NULL && use->version == version)
        return VD_OK;
    if (version > use->facts.versions)
        return vd_diagf(diag, VD_E_NOT_FOUND, "the key has no version %u", version);
    if (version < use->facts.min_decrypt_version)
        return vd_diagf(diag, VD_E_REVOKED, "version %u serves no more: the smallest is %u",
                        version, use->facts.min_decrypt_version);
    VD_TRY(vd_keyd_key_take(&use->c->server->keys, use->key, version, &alg, diag));
    vd_alg_key_free(use->alg);
    use->alg = alg;
    use->version = version;
    return VD_OK;
}

void vd_keyd_use_failed(const struct vd_keyd_use *use, uint32_t count, vd_status status,
                        const char *detail)
{
    struct vd_keyd_conn *c = use->c;
    struct vd_keyd_event event = vd_keyd_event(c, use->verb, use->key);

    event.label = use->facts.label->text;
    event.version = use->version;
    event.count = count;
    event.status = status;
    event.detail = detail;
    /* That it was begun is recorded already. */
    (void)!vd_keyd_audit_put(&c->server->audit, &event, NULL);
}

void vd_keyd_use_end(struct vd_keyd_use *use)
{
    vd_alg_key_free(use->alg);
    use->alg = NULL;
}
