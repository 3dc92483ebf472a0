/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "services/security/contexts.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "core/base/htab.h"
#include "core/base/mem.h"
#include "core/abi/security.h"

vd_status vd_secd_contexts_init(struct vd_secd_contexts *ret)
{
    struct vd_secd_context **buckets =
        calloc(VD_SECD_CONTEXTS_HASH, sizeof(struct vd_secd_context *));

    if (buckets == NULL)
        return VD_E_NO_MEMORY;
    *ret = (struct vd_secd_contexts){.buckets = buckets};
    if (getrandom(&ret->secret, sizeof(ret->secret), 0) != sizeof(ret->secret)) {
        vd_secd_contexts_done(ret);
        return VD_E_SYSTEM;
    }
    return VD_OK;
}

void vd_secd_contexts_done(struct vd_secd_contexts *contexts)
{
    for (uint32_t i = 0; contexts->buckets != NULL && i < VD_SECD_CONTEXTS_HASH; i++) {
        while (contexts->buckets[i] != NULL) {
            struct vd_secd_context *gone = contexts->buckets[i];
            contexts->buckets[i] = gone->next;
            free(gone);
        }
    }
    free(contexts->buckets);
    free(contexts->shares);
    *contexts = (struct vd_secd_contexts){};
}

static struct vd_secd_context **bucket_of(const struct vd_secd_contexts *contexts, const char *text,
                                          size_t size)
{
    uint64_t hash = contexts->secret, word;

    for (size_t i = 0; i < size; i += sizeof(word)) {
        word = 0;
        memcpy(&word, text + i, size - i < sizeof(word) ? size - i : sizeof(word));
        hash = vd_hash_mix((hash ^ word) * 0x9e3779b97f4a7c15u + contexts->secret);
    }
    return &contexts->buckets[hash & (VD_SECD_CONTEXTS_HASH - 1)];
}

static struct vd_secd_context *find(struct vd_secd_context *first, const char *text, size_t size)
{
    while (first != NULL && (first->size != size || memcmp(first->text, text, size) != 0))
        first = first->next;
    return first;
}

static struct vd_secd_share *share_of(struct vd_secd_contexts *contexts, uint32_t user)
{
    for (uint32_t i = 0; i < contexts->share_count; i++) {
        if (contexts->shares[i].user == user)
            return &contexts->shares[i];
    }
    return NULL;
}

/* Counts a new context of the user. */
static vd_status charge(struct vd_secd_contexts *contexts, const struct vd_secd_brought *who)
{
    struct vd_secd_share *share = share_of(contexts, who->user);

    if (share == NULL) {
        share = reallocarray(contexts->shares, contexts->share_count + 1u, sizeof(*share));
        if (share == NULL)
            return VD_E_NO_MEMORY;
        contexts->shares = share;
        share += contexts->share_count++;
        *share = (struct vd_secd_share){.user = who->user};
    }
    if (!who->admin && share->count >= VD_SECD_CONTEXTS_USER)
        return VD_E_LIMIT;
    share->count++;
    return VD_OK;
}

/* The user has one context less; who has none any more is forgotten. */
static void discharge(struct vd_secd_contexts *contexts, uint32_t user)
{
    struct vd_secd_share *share = share_of(contexts, user);

    if (--share->count == 0)
        *share = contexts->shares[--contexts->share_count];
}

static vd_status add(struct vd_secd_contexts *contexts, const struct vd_context *context,
                     const struct vd_text *text, const struct vd_secd_brought *who,
                     struct vd_secd_context **ret)
{
    struct vd_secd_context **bucket = bucket_of(contexts, text->buf, text->len);
    struct vd_secd_context *c = find(*bucket, text->buf, text->len);

    if (c == NULL) {
        if (contexts->count >= VD_SECD_CONTEXTS_MAX || vd_secd_contexts_full(contexts))
            return VD_E_LIMIT;
        c = calloc(1, sizeof(*c) + text->len + 1);
        if (c == NULL)
            return VD_E_NO_MEMORY;
        vd_status status = charge(contexts, who);
        if (status != VD_OK) {
            free(c);
            return status;
        }
        c->user = who->user;
        c->number = ++contexts->numbers;
        c->size = text->len;
        vd_copy(c->text, text->buf, text->len);
        c->next = *bucket;
        *bucket = c;
        contexts->count++;
    }
    /* One that was not valid may have become so: the policy allows it now. */
    c->context = *context;
    c->valid = true;
    c->uses++;
    *ret = c;
    return VD_OK;
}

vd_status vd_secd_contexts_take(struct vd_secd_contexts *contexts, const struct vd_policydb *db,
                                const struct vd_secd_brought *brought, struct vd_secd_context **ret,
                                struct vd_diag *diag)
{
    char buf[VD_SEC_CONTEXT_MAX];
    struct vd_context context;
    struct vd_text own;
    vd_status status;

    VD_TRY(vd_mac_context_parse(db, brought->text.buf, brought->text.len, &context, diag));
    vd_text_init(&own, buf, sizeof(buf));
    vd_mac_context_text(db, &context, &own);
    status = own.cut ? VD_E_LIMIT : add(contexts, &context, &own, brought, ret);
    return status == VD_OK ? VD_OK
                           : vd_diag_fail(diag, status, "the server has no room for more contexts");
}

void vd_secd_contexts_drop(struct vd_secd_contexts *contexts, struct vd_secd_context *context)
{
    struct vd_secd_context **at = bucket_of(contexts, context->text, context->size);

    if (--context->uses != 0)
        return;
    while (*at != context)
        at = &(*at)->next;
    *at = context->next;
    contexts->count--;
    discharge(contexts, context->user);
    free(context);
}

void vd_secd_contexts_reload(struct vd_secd_contexts *contexts, const struct vd_policydb *db)
{
    for (uint32_t i = 0; i < VD_SECD_CONTEXTS_HASH; i++) {
        for (struct vd_secd_context *c = contexts->buckets[i]; c != NULL; c = c->next)
            c->valid = vd_mac_context_parse(db, c->text, c->size, &c->context, NULL) == VD_OK;
    }
}

bool vd_secd_contexts_full(const struct vd_secd_contexts *contexts)
{
    return contexts->numbers == UINT32_MAX;
}

void vd_secd_contexts_renumber(struct vd_secd_contexts *contexts)
{
    contexts->numbers = 0;
    for (uint32_t i = 0; i < VD_SECD_CONTEXTS_HASH; i++) {
        for (struct vd_secd_context *c = contexts->buckets[i]; c != NULL; c = c->next)
            c->number = ++contexts->numbers;
    }
}
