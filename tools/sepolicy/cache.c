/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/sepolicy/cache.h"

#include <stdlib.h>

#include "core/base/crc64.h"

#define MAGIC   "VDCACHE1"
#define VERSION 2u

struct header {
    uint8_t magic[8];
    uint32_t version;
    uint32_t count;    /* of entries, which follow */
    uint64_t checksum; /* CRC-64/XZ of the file with this field zero */
    uint64_t compiler;
    uint64_t policy_checksum;
    uint32_t policy_size;
    uint32_t reserved;
    struct vd_sp_row_key secret;
};
_Static_assert(sizeof(struct header) == 64, "header");
_Static_assert(sizeof(struct vd_sp_cache_entry) == 24, "entry");

static bool checksum_right(const struct header *head, const uint8_t *data, size_t size)
{
    struct header blank = *head;
    uint64_t checksum;

    blank.checksum = 0;
    checksum = vd_crc64(0, &blank, sizeof(blank));
    return vd_crc64(checksum, data + sizeof(blank), size - sizeof(blank)) == head->checksum;
}

static bool rising(const struct vd_sp_cache_entry *entries, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        if (entries[i].cell <= entries[i - 1].cell)
            return false;
    }
    return true;
}

bool vd_sp_cache_open(struct vd_sp_cache *ret, const struct vd_sepolicy_former *former)
{
    const void *data = former->cache;
    size_t size = former->cache_size;
    struct vd_sp_cache cache = {};
    struct header head;

    if (size < sizeof(head) || ((uintptr_t)data & 7) != 0)
        return false;
    memcpy(&head, data, sizeof(head));
    if (memcmp(head.magic, MAGIC, sizeof(head.magic)) != 0 || head.version != VERSION ||
        head.compiler != former->compiler || head.reserved != 0 ||
        size != sizeof(head) + (uint64_t)head.count * sizeof(*cache.entries) ||
        !checksum_right(&head, data, size))
        return false;
    cache.entries = (const void *)((const uint8_t *)data + sizeof(head));
    cache.count = head.count;
    cache.secret = head.secret;
    if (!rising(cache.entries, cache.count) ||
        vd_policydb_open(&cache.policy, former->policy,
                         vd_policydb_extent(former->policy, former->policy_size), NULL) != VD_OK ||
        vd_policydb_header(&cache.policy)->checksum != head.policy_checksum ||
        cache.policy.size != head.policy_size)
        return false;
    *ret = cache;
    return true;
}

struct vd_sp_row_key vd_sp_cache_secret(const struct vd_sp_cache *cache,
                                        const struct vd_sepolicy_former *former)
{
    return cache != NULL ? cache->secret
                         : (struct vd_sp_row_key){former->secret[0], former->secret[1]};
}

uint8_t *vd_sp_cache_make(uint64_t compiler, const struct vd_sp_cache *cache, const void *blob,
                          size_t *ret_size)
{
    struct header head = {
        .version = VERSION, .count = cache->count, .compiler = compiler, .secret = cache->secret};
    size_t size = cache->count * sizeof(*cache->entries);
    struct vd_pdb_header policy;
    uint8_t *data = malloc(sizeof(head) + size);

    if (data == NULL)
        return NULL;
    memcpy(head.magic, MAGIC, sizeof(head.magic));
    memcpy(&policy, blob, sizeof(policy));
    head.policy_checksum = policy.checksum;
    head.policy_size = policy.total_size;
    memcpy(data, &head, sizeof(head));
    if (size > 0)
        memcpy(data + sizeof(head), cache->entries, size);
    head.checksum = vd_crc64(0, data, sizeof(head) + size);
    memcpy(data, &head, sizeof(head));
    *ret_size = sizeof(head) + size;
    return data;
}
