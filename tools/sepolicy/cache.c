/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/sepolicy/cache.h"

#include <stdlib.h>

#include "core/base/crc64.h"
#include "core/base/htab.h"

#define MAGIC   "VDCACHE1"
#define VERSION 3u

struct header {
    uint8_t magic[8];
    uint32_t version;
    uint32_t entries;  /* rows of the first part */
    uint64_t checksum; /* CRC-64/XZ of the file with this field zero */
    uint64_t compiler;
    uint64_t policy_checksum;
    uint32_t policy_size;
    uint32_t reserved;
    struct vd_sp_row_key secret;
    uint32_t counts[VD_SP_CACHE_PARTS - 1]; /* rows of the other parts */
    uint32_t reserved2;
};
_Static_assert(sizeof(struct header) == 96, "header");

static const uint32_t row_sizes[VD_SP_CACHE_PARTS] = {
    [VD_SP_CACHE_ENTRIES] = sizeof(struct vd_sp_cache_entry),
    [VD_SP_CACHE_SOURCES] = sizeof(struct vd_sp_cache_source),
    [VD_SP_CACHE_RULES] = sizeof(struct vd_sp_cache_rule),
    [VD_SP_CACHE_REQUIRES] = sizeof(struct vd_sp_cache_require),
    [VD_SP_CACHE_SETS] = sizeof(struct vd_sp_cache_set),
    [VD_SP_CACHE_ITEMS] = sizeof(uint32_t),
    [VD_SP_CACHE_NAMES] = sizeof(uint32_t),
    [VD_SP_CACHE_TEXT] = 1,
};
_Static_assert(sizeof(struct vd_sp_cache_entry) == 24, "entry");
_Static_assert(sizeof(struct vd_sp_cache_source) == 32, "source");
_Static_assert(sizeof(struct vd_sp_cache_rule) == 24, "rule");
_Static_assert(sizeof(struct vd_sp_cache_require) == 16, "require");
_Static_assert(sizeof(struct vd_sp_cache_set) == 12, "set");

static bool checksum_right(const struct header *head, const uint8_t *data, size_t size)
{
    struct header blank = *head;
    uint64_t checksum;

    blank.checksum = 0;
    checksum = vd_crc64(0, &blank, sizeof(blank));
    return vd_crc64(checksum, data + sizeof(blank), size - sizeof(blank)) == head->checksum;
}

static bool rising(const struct vd_sp_cache_rows *part)
{
    const struct vd_sp_cache_entry *entries = part->rows;

    for (uint32_t i = 1; i < part->count; i++) {
        if (entries[i].cell <= entries[i - 1].cell)
            return false;
    }
    return true;
}

/* Finds the parts; false if they are not as long as the file. */
static bool find_parts(struct vd_sp_cache *cache, const struct header *head, const uint8_t *data,
                       size_t size)
{
    uint64_t end = sizeof(*head);

    for (uint32_t i = 0; i < VD_SP_CACHE_PARTS; i++) {
        cache->parts[i].rows = (void *)(uintptr_t)(data + end);
        cache->parts[i].count = i == 0 ? head->entries : head->counts[i - 1];
        end += (uint64_t)cache->parts[i].count * row_sizes[i];
        if (end > size)
            return false;
    }
    return end == size;
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
        head.compiler != former->compiler || head.reserved != 0 || head.reserved2 != 0 ||
        !find_parts(&cache, &head, data, size) || !checksum_right(&head, data, size))
        return false;
    cache.secret = head.secret;
    if (!rising(&cache.parts[VD_SP_CACHE_ENTRIES]) ||
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

#define LANES 4u
#define STEP  (16u * LANES) /* bytes of one round */

/* A multiplication's two halves together (as in wyhash, public domain). */
static uint64_t fold(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* 64 bytes: four chains, so that one multiplication does not wait for the other. */
static void round_of(uint64_t lane[LANES], const uint64_t key[2 * LANES], const char *text)
{
    uint64_t words[2 * LANES];

    memcpy(words, text, sizeof(words));
    for (uint32_t i = 0; i < LANES; i++)
        lane[i] = fold(words[2 * i] ^ key[2 * i] ^ lane[i], words[2 * i + 1] ^ key[2 * i + 1]) +
                  (lane[i] << 31 | lane[i] >> 33);
}

struct vd_sp_row_key vd_sp_cache_key(struct vd_sp_row_key secret, const char *text, size_t size)
{
    uint64_t lane[LANES], key[2 * LANES];
    char last[STEP] = {};
    struct vd_sp_row_key ret = {secret.low ^ size, secret.high};

    for (uint32_t i = 0; i < 2 * LANES; i++)
        key[i] = vd_hash_mix((i % 2 == 0 ? secret.low : secret.high) + i * 0x9e3779b97f4a7c15u);
    for (uint32_t i = 0; i < LANES; i++)
        lane[i] = vd_hash_mix(key[2 * i] ^ size);
    for (; size >= STEP; text += STEP, size -= STEP)
        round_of(lane, key, text);
    memcpy(last, text, size);
    round_of(lane, key, last);
    for (uint32_t i = 0; i < LANES; i++) {
        ret.low = vd_hash_mix(ret.low * 31 + lane[i]);
        ret.high = vd_hash_mix((ret.high ^ lane[i]) * 0x9e3779b97f4a7c15u + ret.low);
    }
    return ret;
}

uint8_t *vd_sp_cache_begin(struct vd_sp_cache *cache, size_t *ret_size)
{
    size_t size = sizeof(struct header);
    uint8_t *data;

    for (uint32_t i = 0; i < VD_SP_CACHE_PARTS; i++)
        size += (size_t)cache->parts[i].count * row_sizes[i];
    data = calloc(1, size);
    if (data == NULL)
        return NULL;
    *ret_size = size;
    size = sizeof(struct header);
    for (uint32_t i = 0; i < VD_SP_CACHE_PARTS; i++) {
        cache->parts[i].rows = data + size;
        size += (size_t)cache->parts[i].count * row_sizes[i];
    }
    return data;
}

void vd_sp_cache_end(uint8_t *data, size_t size, const struct vd_sp_cache *cache, uint64_t compiler,
                     const void *blob)
{
    struct header head = {.version = VERSION, .compiler = compiler, .secret = cache->secret};
    struct vd_pdb_header policy;

    for (uint32_t i = 0; i < VD_SP_CACHE_PARTS; i++)
        *(i == 0 ? &head.entries : &head.counts[i - 1]) = cache->parts[i].count;
    memcpy(head.magic, MAGIC, sizeof(head.magic));
    memcpy(&policy, blob, sizeof(policy));
    head.policy_checksum = policy.checksum;
    head.policy_size = policy.total_size;
    memcpy(data, &head, sizeof(head));
    head.checksum = vd_crc64(0, data, size);
    memcpy(data, &head, sizeof(head));
}
