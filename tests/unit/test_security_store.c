/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The security server's store: state, files, damage; and the contexts that it keeps. */
#define _GNU_SOURCE
#include "services/security/store.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/crc64.h"
#include "core/mac/decide.h"
#include "core/mac/transition.h"
#include "lib/file.h"
#include "services/security/contexts.h"
#include "services/security/page.h"
#include "tests/harness.h"
#include "tests/support/small_policy.h"

static uint8_t bytes[VD_SECD_STATE_MAX];

static size_t encode(const struct vd_secd_state *state)
{
    struct vd_writer w;

    vd_writer_init(&w, bytes, sizeof(bytes));
    vd_secd_state_encode(state, &w);
    VD_EXPECT_EQ(vd_write_done(&w), VD_OK);
    return w.len;
}

static struct vd_secd_state sample(void)
{
    struct vd_secd_state s = {.sequence = 9, .next = 7, .active = 6};

    s.history_count = 2;
    s.history[0] = 5;
    s.history[1] = 2;
    VD_EXPECT_EQ(vd_secd_state_set(&s, "leak", true, true), VD_OK);
    VD_EXPECT_EQ(vd_secd_state_set(&s, "passing", true, false), VD_OK);
    VD_EXPECT_EQ(vd_secd_state_set(&s, "other", false, true), VD_OK);
    return s;
}

VD_TEST(state_round_trip)
{
    struct vd_secd_state s = sample(), got;
    size_t size = encode(&s);

    VD_EXPECT_EQ(vd_secd_state_parse(bytes, size, &got, NULL), VD_OK);
    VD_EXPECT_EQ(got.sequence, 9);
    VD_EXPECT_EQ(got.active, 6);
    VD_EXPECT_EQ(got.history_count, 2);
    VD_EXPECT_EQ(got.history[1], 2);
    VD_EXPECT_EQ(got.bool_count, 2); /* what is not persistent stays away */
    VD_EXPECT(vd_secd_state_find(&got, "leak")->value);
    VD_EXPECT(!vd_secd_state_find(&got, "other")->value);
    VD_EXPECT(vd_secd_state_find(&got, "passing") == NULL);
    vd_secd_state_done(&got);
    vd_secd_state_done(&s);
}

VD_TEST(state_cut_and_changed_anywhere)
{
    struct vd_secd_state s = sample(), got;
    size_t size = encode(&s);

    for (size_t i = 0; i < size; i++) {
        VD_EXPECT(vd_secd_state_parse(bytes, i, &got, NULL) != VD_OK);
        bytes[i] ^= 0x40;
        VD_EXPECT(vd_secd_state_parse(bytes, size, &got, NULL) != VD_OK);
        bytes[i] ^= 0x40;
    }
    VD_EXPECT(vd_secd_state_parse(bytes, size + 1, &got, NULL) != VD_OK);
    vd_secd_state_done(&s);
}

/* Values that no server writes, with a right checksum. */
VD_TEST(state_refuses)
{
    static const struct {
        size_t at;
        uint8_t value;
        vd_status status;
    } rows[] = {
        {0, 'X', VD_E_MAGIC},     {8, 2, VD_E_VERSION},    {16, 0, VD_E_INVALID}, /* next */
        {24, 7, VD_E_INVALID},                                                    /* active */
        {32, 7, VD_E_INVALID},    {32, 6, VD_E_INVALID},                          /* staged */
        {40, 5, VD_E_INVALID},    {40, 1, VD_E_INVALID},   /* history's length */
        {44, 9, VD_E_INVALID},    {60, 1, VD_E_INVALID},   /* history */
        {76, 2, VD_E_INVALID},                             /* unconfirmed */
        {104, 3, VD_E_TRUNCATED}, {105, 0x20, VD_E_LIMIT}, /* booleans */
        {108, 2, VD_E_INVALID},   {109, 0, VD_E_INVALID},  {110, 0, VD_E_INVALID},
    };

    for (size_t i = 0; i < VD_COUNT(rows); i++) {
        struct vd_secd_state s = sample(), got;
        size_t size = encode(&s);
        uint64_t crc;
        vd_status status;
        bytes[rows[i].at] = rows[i].value;
        crc = vd_crc64(0, bytes, size - 8);
        memcpy(bytes + size - 8, &crc, 8);
        status = vd_secd_state_parse(bytes, size, &got, NULL);
        if (status != rows[i].status)
            vd_test_fail(__FILE__, __LINE__, "row %zu: %s", i, vd_status_text(status));
        vd_secd_state_done(&s);
    }
}

VD_TEST(history_is_a_bounded_stack)
{
    struct vd_secd_state s = {.next = 1};

    for (uint64_t i = 1; i <= 8; i++) {
        s.next = i + 1;
        vd_secd_state_push(&s, i);
    }
    VD_EXPECT_EQ(s.history_count, VD_SECD_HISTORY);
    VD_EXPECT(vd_secd_state_refers(&s, 8) && vd_secd_state_refers(&s, 4));
    VD_EXPECT(!vd_secd_state_refers(&s, 3));
    for (uint64_t i = 7; i >= 4; i--) {
        VD_EXPECT_EQ(vd_secd_state_pop(&s), VD_OK);
        VD_EXPECT_EQ(s.active, i);
    }
    VD_EXPECT_EQ(vd_secd_state_pop(&s), VD_E_NOT_FOUND);
    VD_EXPECT_EQ(s.active, 4);
}

static const char *fresh_dir(void)
{
    static char path[128];
    static uint32_t runs;

    snprintf(path, sizeof(path), "%s/store%u", vd_test_tmpdir(), runs++);
    return path;
}

static struct vd_bytes small_bytes(void)
{
    struct vd_bytes blob;

    blob.data = small_policy(&blob.size);
    return blob;
}

VD_TEST(store_keeps_policies_and_state)
{
    const char *dir = fresh_dir();
    VD_AUTO(vd_bytes_free) struct vd_bytes blob = small_bytes();
    struct vd_secd_state s = {}, got = {};
    struct vd_secd_policy policy;
    struct vd_secd_store store, second;
    struct stat st;

    VD_EXPECT_EQ(vd_secd_store_open(&store, dir, &s, NULL), VD_OK);
    VD_EXPECT_EQ(s.next, 1);
    VD_EXPECT(stat(dir, &st) == 0 && (st.st_mode & 0777) == 0700);
    VD_EXPECT_EQ(vd_secd_store_open(&second, dir, &got, NULL), VD_E_BUSY);
    VD_EXPECT_EQ(vd_secd_store_add(&store, 1, &blob, NULL), VD_OK);
    VD_EXPECT_EQ(vd_secd_store_add(&store, 2, &blob, NULL), VD_OK);
    s.active = 1;
    s.next = 3;
    VD_EXPECT_EQ(vd_secd_store_commit(&store, &s, NULL), VD_OK);
    vd_secd_store_close(&store);
    VD_EXPECT_EQ(vd_secd_store_open(&store, dir, &got, NULL), VD_OK);
    VD_EXPECT_EQ(got.active, 1);
    VD_EXPECT_EQ(vd_secd_store_load(&store, 1, &policy, NULL), VD_OK);
    VD_EXPECT_EQ(policy.blob.size, blob.size);
    vd_secd_policy_done(&policy);
    /* The one that the state does not name went with the opening. */
    VD_EXPECT_EQ(vd_secd_store_load(&store, 2, &policy, NULL), VD_E_NOT_FOUND);
    vd_secd_store_close(&store);
    vd_secd_state_done(&got);
}

VD_TEST(store_refuses_a_damaged_state_and_policy)
{
    const char *dir = fresh_dir();
    VD_AUTO(vd_bytes_free) struct vd_bytes blob = small_bytes();
    struct vd_secd_state s = {}, got = {};
    struct vd_secd_policy policy;
    struct vd_secd_store store;
    struct vd_diag diag = {};
    char path[256];

    VD_EXPECT_EQ(vd_secd_store_open(&store, dir, &s, NULL), VD_OK);
    blob.data[blob.size / 2] ^= 1;
    VD_EXPECT_EQ(vd_secd_store_add(&store, 1, &blob, NULL), VD_OK);
    VD_EXPECT_EQ(vd_secd_store_load(&store, 1, &policy, &diag), VD_E_CHECKSUM);
    VD_EXPECT_STR(diag.file, "policy-0000000001.vpol");
    vd_secd_store_close(&store);
    snprintf(path, sizeof(path), "%s/state", dir);
    VD_EXPECT_EQ(vd_file_store(path, "nonsense and more of it", 23, 0600, NULL), VD_OK);
    VD_EXPECT_EQ(vd_secd_store_open(&store, dir, &got, NULL), VD_E_MAGIC);
    VD_EXPECT(unlink(path) == 0 && symlink("/etc/hostname", path) == 0);
    VD_EXPECT(vd_secd_store_open(&store, dir, &got, NULL) != VD_OK);
}

VD_TEST(store_that_others_may_write_is_refused)
{
    const char *dir = fresh_dir();
    struct vd_secd_state s = {};
    struct vd_secd_store store;

    VD_EXPECT(mkdir(dir, 0700) == 0);
    for (mode_t bit = S_IWOTH; bit <= S_IWGRP; bit <<= 3) {
        struct vd_diag diag = {};
        VD_EXPECT(chmod(dir, 0755 | bit) == 0);
        VD_EXPECT_EQ(vd_secd_store_open(&store, dir, &s, &diag), VD_E_INVALID);
        VD_EXPECT_STR(diag.file, dir);
    }
    VD_EXPECT(chmod(dir, 0755) == 0);
    VD_EXPECT(geteuid() != 0 || chown(dir, 65534, 65534) == 0);
    VD_EXPECT_EQ(vd_secd_store_open(&store, dir, &s, NULL), geteuid() == 0 ? VD_E_INVALID : VD_OK);
    if (geteuid() != 0)
        vd_secd_store_close(&store);
}

/* A full disk refuses the new file, and the store stays of use. */
VD_TEST(store_without_room)
{
    struct rlimit before, small = {.rlim_cur = 100};
    VD_AUTO(vd_bytes_free) struct vd_bytes blob = small_bytes();
    struct vd_secd_state s = {};
    struct vd_secd_store store;
    struct vd_secd_policy policy;

    VD_EXPECT_EQ(vd_secd_store_open(&store, fresh_dir(), &s, NULL), VD_OK);
    VD_EXPECT(getrlimit(RLIMIT_FSIZE, &before) == 0);
    small.rlim_max = before.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    VD_EXPECT(setrlimit(RLIMIT_FSIZE, &small) == 0);
    VD_EXPECT_EQ(vd_secd_store_add(&store, 1, &blob, NULL), VD_E_NO_SPACE);
    VD_EXPECT(setrlimit(RLIMIT_FSIZE, &before) == 0);
    VD_EXPECT_EQ(vd_secd_store_load(&store, 1, &policy, NULL), VD_E_NOT_FOUND);
    VD_EXPECT_EQ(vd_secd_store_add(&store, 1, &blob, NULL), VD_OK);
    vd_secd_store_close(&store);
}

static int memfd_of(const struct vd_bytes *blob, int seals)
{
    int fd = memfd_create("policy", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    VD_EXPECT(fd >= 0);
    VD_EXPECT_EQ(vd_fd_write(fd, blob->data, blob->size), VD_OK);
    VD_EXPECT(fcntl(fd, F_ADD_SEALS, seals) == 0);
    return fd;
}

VD_TEST(policies_are_taken_from_sealed_memory_only)
{
    static const int wrong[] = {0, F_SEAL_WRITE, F_SEAL_WRITE | F_SEAL_GROW,
                                F_SEAL_SHRINK | F_SEAL_GROW};
    VD_AUTO(vd_bytes_free) struct vd_bytes blob = small_bytes();
    struct vd_bytes none = {};
    struct vd_secd_policy policy;
    int fd;

    for (size_t i = 0; i < VD_COUNT(wrong); i++) {
        fd = memfd_of(&blob, wrong[i]);
        VD_EXPECT_EQ(vd_secd_policy_receive(fd, &policy, NULL), VD_E_INVALID);
        close(fd);
    }
    fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    VD_EXPECT_EQ(vd_secd_policy_receive(fd, &policy, NULL), VD_E_INVALID);
    close(fd);
    fd = memfd_of(&none, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK);
    VD_EXPECT_EQ(vd_secd_policy_receive(fd, &policy, NULL), VD_E_LIMIT);
    close(fd);
    fd = memfd_of(&blob, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK);
    VD_EXPECT_EQ(vd_secd_policy_receive(fd, &policy, NULL), VD_OK);
    close(fd);
    vd_secd_policy_done(&policy);
}

VD_TEST(booleans_are_applied_to_a_copy)
{
    struct vd_bytes blob = small_bytes();
    struct vd_secd_state s = {};
    struct vd_secd_policy policy, changed, back;

    VD_EXPECT_EQ(vd_secd_policy_open(&blob, &policy, NULL), VD_OK);
    VD_EXPECT_EQ(vd_secd_state_set(&s, "debug", true, false), VD_OK);
    VD_EXPECT_EQ(vd_secd_state_set(&s, "unknown", true, false), VD_OK);
    VD_EXPECT_EQ(vd_secd_policy_apply(&policy, &s, &changed, NULL), VD_OK);
    VD_EXPECT(vd_policydb_header(&changed.db)->checksum !=
              vd_policydb_header(&policy.db)->checksum);
    VD_EXPECT_EQ(vd_secd_state_set(&s, "debug", false, false), VD_OK);
    VD_EXPECT_EQ(vd_secd_policy_apply(&changed, &s, &back, NULL), VD_OK);
    VD_EXPECT_EQ(vd_policydb_header(&back.db)->checksum, vd_policydb_header(&policy.db)->checksum);
    vd_secd_policy_done(&policy);
    vd_secd_policy_done(&changed);
    vd_secd_policy_done(&back);
    vd_secd_state_done(&s);
}

static struct vd_text text(const char *s)
{
    return (struct vd_text){.buf = (char *)(uintptr_t)s, .size = strlen(s), .len = strlen(s)};
}

static struct vd_secd_brought brought(const char *s, uint32_t user, bool admin)
{
    return (struct vd_secd_brought){.text = text(s), .user = user, .admin = admin};
}

VD_TEST(contexts_are_kept_once_and_numbered_once)
{
    struct vd_secd_brought a = brought("system_u:system_r:init_t:s0", 7, false);
    struct vd_secd_brought b = brought("system_u:system_r:app_t:s0", 7, false);
    struct vd_secd_contexts contexts;
    struct vd_secd_context *first, *same, *other;
    uint8_t *blob;
    struct vd_policydb db = small_policy_open(&blob);
    uint32_t number;

    VD_EXPECT_EQ(vd_secd_contexts_init(&contexts), VD_OK);
    VD_EXPECT_EQ(vd_secd_contexts_take(&contexts, &db, &a, &first, NULL), VD_OK);
    VD_EXPECT_EQ(vd_secd_contexts_take(&contexts, &db, &a, &same, NULL), VD_OK);
    VD_EXPECT_EQ(vd_secd_contexts_take(&contexts, &db, &b, &other, NULL), VD_OK);
    VD_EXPECT(first == same && first != other && first->number != other->number);
    VD_EXPECT_EQ(contexts.count, 2);
    number = first->number;
    vd_secd_contexts_drop(&contexts, first);
    VD_EXPECT_EQ(contexts.count, 2);
    vd_secd_contexts_drop(&contexts, first);
    VD_EXPECT_EQ(contexts.count, 1);
    /* The number of one that is gone is never given again. */
    VD_EXPECT_EQ(vd_secd_contexts_take(&contexts, &db, &a, &first, NULL), VD_OK);
    VD_EXPECT(first->number != number && first->number != other->number);
    /* Unless all are used up: then nothing is given, and all begin anew. */
    contexts.numbers = UINT32_MAX;
    a = brought("app_u:app_r:app_t:s0", 7, false);
    VD_EXPECT_EQ(vd_secd_contexts_take(&contexts, &db, &a, &same, NULL), VD_E_LIMIT);
    vd_secd_contexts_renumber(&contexts);
    VD_EXPECT_EQ(contexts.numbers, 2);
    VD_EXPECT(first->number != other->number && first->number <= 2 && other->number <= 2);
    vd_secd_contexts_done(&contexts);
    free(blob);
}

/* One user cannot take all the room there is for contexts. */
VD_TEST(contexts_of_one_user_are_bounded)
{
    struct vd_secd_brought a = brought("system_u:system_r:init_t:s0", 7, false);
    struct vd_secd_brought b = brought("system_u:system_r:app_t:s0", 7, false);
    struct vd_secd_brought other = brought("system_u:system_r:app_t:s0", 8, false);
    struct vd_secd_brought admin = brought("system_u:system_r:app_t:s0", 7, true);
    struct vd_secd_contexts contexts, more;
    struct vd_secd_context *first, *second, *again;
    uint8_t *blob;
    struct vd_policydb db = small_policy_open(&blob);

    VD_EXPECT_EQ(vd_secd_contexts_init(&contexts), VD_OK);
    VD_EXPECT_EQ(vd_secd_contexts_take(&contexts, &db, &a, &first, NULL), VD_OK);
    VD_EXPECT_EQ(contexts.share_count, 1);
    contexts.shares[0].count = VD_SECD_CONTEXTS_USER;
    VD_EXPECT_EQ(vd_secd_contexts_take(&contexts, &db, &b, &second, NULL), VD_E_LIMIT);
    VD_EXPECT_EQ(vd_secd_contexts_take(&contexts, &db, &a, &again, NULL), VD_OK);
    VD_EXPECT_EQ(vd_secd_contexts_take(&contexts, &db, &admin, &second, NULL), VD_OK);
    vd_secd_contexts_drop(&contexts, second);
    VD_EXPECT_EQ(vd_secd_contexts_take(&contexts, &db, &other, &second, NULL), VD_OK);
    VD_EXPECT_EQ(contexts.share_count, 2);
    vd_secd_contexts_drop(&contexts, second);
    VD_EXPECT_EQ(contexts.share_count, 1);
    contexts.shares[0].count = 1;
    vd_secd_contexts_drop(&contexts, first);
    VD_EXPECT_EQ(contexts.share_count, 1);
    vd_secd_contexts_drop(&contexts, again);
    VD_EXPECT(contexts.share_count == 0 && contexts.count == 0);
    VD_EXPECT_EQ(vd_secd_contexts_init(&more), VD_OK);
    VD_EXPECT(contexts.secret != more.secret); /* where a context stands cannot be foreseen */
    vd_secd_contexts_done(&contexts);
    vd_secd_contexts_done(&more);
    free(blob);
}

VD_TEST(the_page_cannot_be_written_by_who_gets_it)
{
    struct vd_secd_page page;

    VD_EXPECT_EQ(vd_secd_page_init(&page, NULL), VD_OK);
    vd_secd_page_publish(&page, 5, 1, 77);
    VD_EXPECT(vd_sec_page_alive(page.mapped));
    VD_EXPECT(mmap(NULL, VD_SEC_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, page.fd, 0) ==
              MAP_FAILED);
    VD_EXPECT(pwrite(page.fd, "x", 1, 0) < 0);
    VD_EXPECT(ftruncate(page.fd, 0) != 0);
    VD_EXPECT(fcntl(page.fd, F_ADD_SEALS, F_SEAL_WRITE) != 0);
    vd_secd_page_done(&page);
}
