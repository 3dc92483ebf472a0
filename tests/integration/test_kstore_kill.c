/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The key store under SIGKILL at any moment: a child makes, rotates, destroys and reserves in a
 * loop and writes into shared memory what was acknowledged; after each kill everything is there
 * and opens to its bytes, and the change that was under way is done or not done, never half.
 * VD_KILLS: how many (500 unless set).
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/kstore.h"

#define NAMES      8u
#define VERSIONS   12u  /* of a key; then it is destroyed */
#define CHANGES    6u   /* up to so many before a kill */
#define OPEN_US    5000 /* the longest time to a kill, from the start */
#define CHANGE_US  2000 /* from a change that was acknowledged */
#define STORE_LIFE 200u /* kills; destroyed keys stay, so a store ends at some time */

enum operation {
    NOTHING,
    OPEN,
    CREATE,
    ROTATE,
    ERASE,
    SET,
    RESERVE,
    ATTACH,
    SCHEDULE,
    UNDO,
    PURGE,
    ROOT,
    OPERATIONS,
};

struct slot {
    uint32_t state; /* of enum vd_kstore_state; 0: never made */
    uint32_t versions;
    uint32_t erased; /* bit v - 1 */
    uint32_t label;
    uint32_t serial;
    uint64_t used;
};

struct model {
    struct slot slots[NAMES];
    uint32_t root;
};

/* Survives the child's death at any instruction. */
struct shared {
    struct vd_kst_counter counter;
    struct model models[2]; /* all that was acknowledged: the one that `current` says */
    uint32_t current;
    uint32_t operation, slot, argument, opened;
    uint64_t acknowledged[OPERATIONS];
};

static struct vd_kst t;
static struct shared *shared;
static uint64_t seed = 20261125;

static struct model *acknowledged(void)
{
    return &shared->models[shared->current];
}

static void name_of(uint32_t slot, char ret[16])
{
    snprintf(ret, 16, "key-%u", slot);
}

/* What an operation makes of the model. */
static void apply(struct model *m, uint32_t operation, uint32_t at, uint32_t argument)
{
    struct slot *s = &m->slots[at];

    switch (operation) {
    case CREATE:
        *s = (struct slot){.state = VD_KSTORE_ACTIVE, .versions = 1};
        break;
    case ROTATE:
        s->versions++;
        break;
    case ERASE:
        s->erased |= 1u << (argument - 1);
        break;
    case SET:
        s->label = argument;
        break;
    case RESERVE:
        s->used += argument;
        break;
    case ATTACH:
        s->serial = argument;
        break;
    case SCHEDULE:
        s->state = VD_KSTORE_SCHEDULED;
        break;
    case UNDO:
        s->state = VD_KSTORE_ACTIVE;
        break;
    case PURGE:
        for (uint32_t i = 0; i < NAMES; i++) {
            if (m->slots[i].state == VD_KSTORE_SCHEDULED)
                m->slots[i] =
                    (struct slot){.state = VD_KSTORE_DESTROYED, .versions = m->slots[i].versions};
        }
        break;
    case ROOT:
        m->root ^= 1;
        break;
    default:
        break;
    }
}

static struct vd_kstore_attributes attributes_of(const char *name, uint32_t label)
{
    struct vd_kstore_attributes a = vd_kst_attributes(name);

    a.usage_limit = 1u << 30;
    /* Of any length, so that rows move. */
    snprintf(a.label, sizeof(a.label), "%0*u", (int)(label * 37 % 200 + 1), label);
    return a;
}

static void set_root(struct vd_secret *ret, uint32_t root)
{
    uint8_t bytes[32];

    memset(bytes, root == 0 ? 0x5a : 0xa5, sizeof(bytes));
    vd_secret_done(ret);
    VD_EXPECT(vd_secret_set(ret, bytes, sizeof(bytes), NULL) == VD_OK);
}

static vd_status create_key(const char *name)
{
    VD_AUTO(vd_secret_done) struct vd_secret material = {};
    struct vd_kstore_attributes a = attributes_of(name, 0);
    struct vd_kstore_new new = {.attributes = &a,
                                .material = &material,
                                .public_part = name,
                                .public_size = strlen(name),
                                .now = t.now};
    uint8_t id[1][VD_KSTORE_ID_SIZE];

    vd_kst_material(name, 1, &material, 32);
    return vd_kstore_create(t.store, &new, 1, id, &t.diag);
}

static vd_status perform(uint32_t operation, uint32_t at, uint32_t argument)
{
    static struct vd_secret roots[2]; /* the store borrows one of them */
    struct vd_kstore_attributes a;
    struct vd_kstore_key key = {};
    struct vd_kstore_attach attach;
    uint64_t granted;
    size_t count;
    char name[16];

    name_of(at, name);
    if (operation != CREATE && operation != PURGE && operation != ROOT)
        VD_TRY(vd_kstore_find(t.store, name, &key));
    switch (operation) {
    case CREATE:
        return create_key(name);
    case ROTATE:
        return vd_kst_rotate(&t, name);
    case ERASE:
        return vd_kstore_destroy_version(t.store, key.id, argument, t.now, &t.diag);
    case SET:
        a = attributes_of(name, argument);
        return vd_kstore_set(t.store, key.id, &a, t.now, &t.diag);
    case RESERVE:
        return vd_kstore_reserve(t.store, key.id, argument, &granted, &t.diag);
    case ATTACH:
        attach = vd_kst_attachment(VD_KSTORE_PUT, 1, "serial", &argument, sizeof(argument));
        return vd_kst_attach(&t, key.id, &attach, 1);
    case SCHEDULE:
        return vd_kstore_schedule(t.store, key.id, t.now + 1, t.now, &t.diag);
    case UNDO:
        return vd_kstore_undo(t.store, key.id, t.now, &t.diag);
    case PURGE:
        return vd_kstore_purge(t.store, t.now + 1, &count, &t.diag);
    case ROOT:
        argument = acknowledged()->root ^ 1;
        set_root(&roots[argument], argument);
        return vd_kstore_change_root(t.store, &roots[argument], t.now, &t.diag);
    default:
        return VD_E_BUG;
    }
}

static bool any_scheduled(const struct model *m)
{
    bool any = false;

    for (uint32_t i = 0; i < NAMES; i++)
        any = any || m->slots[i].state == VD_KSTORE_SCHEDULED;
    return any;
}

/* The next operation that can be done. */
static uint32_t choose(uint32_t *at, uint32_t *argument)
{
    static const uint8_t active[] = {ROTATE, ROTATE,   SET,   RESERVE,
                                     ATTACH, SCHEDULE, ERASE, RESERVE};
    const struct slot *s;

    *at = (uint32_t)(vd_test_random(&seed) % NAMES);
    *argument = (uint32_t)(vd_test_random(&seed) % 1000) + 1;
    s = &acknowledged()->slots[*at];
    if (vd_test_random(&seed) % 40 == 0)
        return ROOT;
    if (s->state == VD_KSTORE_SCHEDULED || any_scheduled(acknowledged())) {
        if (vd_test_random(&seed) % 4 == 0)
            return PURGE;
    }
    if (s->state == VD_KSTORE_SCHEDULED)
        return UNDO;
    if (s->state != VD_KSTORE_ACTIVE)
        return CREATE;
    if (s->versions == VERSIONS)
        return SCHEDULE;
    switch (active[vd_test_random(&seed) % VD_COUNT(active)]) {
    case ERASE:
        *argument = *argument % s->versions + 1;
        return *argument == s->versions || (s->erased >> (*argument - 1) & 1) != 0 ? ROTATE : ERASE;
    case SET:
        return SET;
    case RESERVE:
        return RESERVE;
    case ATTACH:
        return ATTACH;
    case SCHEDULE:
        return SCHEDULE;
    default:
        return ROTATE;
    }
}

static _Noreturn void child(void)
{
    /* A forked process has none of the other's secrets. */
    t.root = (struct vd_secret){};
    set_root(&t.root, acknowledged()->root);
    shared->operation = OPEN;
    if (vd_kst_open(&t) != VD_OK) {
        fprintf(stderr, "# child: open: %s\n", t.diag.text);
        _exit(1);
    }
    shared->acknowledged[OPEN]++;
    shared->operation = NOTHING;
    __atomic_store_n(&shared->opened, 1, __ATOMIC_SEQ_CST);
    /* The time of one purge has passed for the whole store. */
    t.now = vd_kstore_now(t.store, t.now);
    for (;;) {
        uint32_t at, argument, operation = choose(&at, &argument);

        t.now = vd_kstore_now(t.store, t.now);
        shared->slot = at;
        shared->argument = argument;
        __atomic_store_n(&shared->operation, operation, __ATOMIC_SEQ_CST);
        if (perform(operation, at, argument) != VD_OK) {
            fprintf(stderr, "# child: operation %u: %s\n", operation, t.diag.text);
            _exit(1);
        }
        struct model *next = &shared->models[shared->current ^ 1];
        *next = *acknowledged();
        apply(next, operation, at, argument);
        shared->acknowledged[operation]++;
        /* Killed between these two, the model has what is also under way. */
        __atomic_store_n(&shared->current, shared->current ^ 1, __ATOMIC_SEQ_CST);
        __atomic_store_n(&shared->operation, NOTHING, __ATOMIC_SEQ_CST);
    }
}

/* What the store holds of a name, every key opened. */
static struct slot read_slot(uint32_t at)
{
    struct slot s = {};
    struct vd_kstore_key key;
    struct vd_kstore_attach what = vd_kst_attachment(VD_KSTORE_PUT, 1, "serial", NULL, 0);
    VD_AUTO(vd_bytes_free) struct vd_bytes serial = {};
    char name[16];

    name_of(at, name);
    if (vd_kstore_find(t.store, name, &key) != VD_OK)
        return s;
    s.state = key.state;
    s.versions = key.versions;
    if (key.state == VD_KSTORE_DESTROYED)
        return s;
    VD_KST_OK(t, vd_kst_check(&t, name));
    for (uint32_t v = 1; v <= key.versions; v++) {
        struct vd_kstore_version version;
        VD_KST_OK(t, vd_kstore_version(t.store, key.id, v, &version));
        s.erased |= (uint32_t)version.destroyed << (v - 1);
    }
    s.label = (uint32_t)strtoul(key.attributes.label, NULL, 10);
    s.used = key.used;
    if (vd_kstore_attached(t.store, key.id, &what.what, &serial, NULL) == VD_OK)
        memcpy(&s.serial, serial.data, sizeof(s.serial));
    return s;
}

static bool same(const struct model *a, const struct model *b)
{
    for (uint32_t i = 0; i < NAMES; i++) {
        const struct slot *x = &a->slots[i], *y = &b->slots[i];
        if (x->state != y->state || x->versions != y->versions || x->erased != y->erased ||
            x->label != y->label || x->serial != y->serial || x->used != y->used)
            return false;
    }
    return a->root == b->root;
}

static void expect_no_litter(void)
{
    DIR *dir = opendir(t.directory);

    VD_EXPECT(dir != NULL);
    for (const struct dirent *e; (e = readdir(dir)) != NULL;)
        VD_EXPECT(e->d_name[0] == '.' || strcmp(e->d_name, "keys.db") == 0 ||
                  strcmp(e->d_name, "keys.lock") == 0);
    closedir(dir);
}

/* Compares, and takes over what of the interrupted change is there. */
static void verify(uint32_t kill_number)
{
    struct model next = *acknowledged(), found = {};
    vd_status status;

    apply(&next, shared->operation, shared->slot, shared->argument);
    found.root = acknowledged()->root;
    set_root(&t.root, found.root);
    status = vd_kst_open(&t);
    if (status == VD_E_SIGNATURE && shared->operation == ROOT) {
        found.root ^= 1;
        set_root(&t.root, found.root);
        status = vd_kst_open(&t);
    }
    if (status != VD_OK)
        vd_test_fail(__FILE__, __LINE__, "kill %u in operation %u: %s: %s", kill_number,
                     shared->operation, vd_status_name(status), t.diag.text);
    for (uint32_t i = 0; i < NAMES; i++)
        found.slots[i] = read_slot(i);
    vd_kst_close(&t);
    if (!same(&found, acknowledged()) && !same(&found, &next))
        vd_test_fail(__FILE__, __LINE__,
                     "kill %u in operation %u of key-%u: neither what was nor what was to be",
                     kill_number, shared->operation, shared->slot);
    *acknowledged() = found;
    expect_no_litter();
}

static void fresh_store(void)
{
    vd_kst_done(&t);
    vd_kst_init(&t, true);
    shared->counter = t.memory;
    *acknowledged() = (struct model){};
    /* The counter outlives the child as a TPM does. */
    t.shared_counter = &shared->counter;
}

static uint64_t changes(void)
{
    uint64_t sum = 0;

    for (uint32_t i = CREATE; i < OPERATIONS; i++)
        sum += __atomic_load_n(&shared->acknowledged[i], __ATOMIC_RELAXED);
    return sum;
}

/* Now and then the kill comes while the store opens, else after some changes and a while. */
static void wait_for_the_moment(pid_t pid)
{
    struct timespec poll = {.tv_nsec = 20000}, delay = {};
    uint64_t until = changes() + vd_test_random(&seed) % CHANGES;
    siginfo_t info = {};

    if (vd_test_random(&seed) % 5 == 0) {
        delay.tv_nsec = (long)(vd_test_random(&seed) % (OPEN_US * 1000ull));
        nanosleep(&delay, NULL);
        return;
    }
    while (shared->opened == 0 || changes() < until) {
        if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0)
            return; /* it ended by itself */
        nanosleep(&poll, NULL);
    }
    delay.tv_nsec = (long)(vd_test_random(&seed) % (CHANGE_US * 1000ull));
    nanosleep(&delay, NULL);
}

static void kill_once(uint32_t number)
{
    int status;
    pid_t pid;

    seed += number; /* the child goes its own way each time */
    shared->opened = 0;
    pid = fork();
    VD_EXPECT(pid >= 0);
    if (pid == 0)
        child();
    wait_for_the_moment(pid);
    VD_EXPECT(kill(pid, SIGKILL) == 0);
    VD_EXPECT(waitpid(pid, &status, 0) == pid);
    if (!WIFSIGNALED(status))
        vd_test_fail(__FILE__, __LINE__, "the child ended by itself, kill %u", number);
    verify(number);
}

VD_TEST(killed_at_any_moment)
{
    const char *kills = getenv("VD_KILLS");
    uint32_t count = kills != NULL ? (uint32_t)strtoul(kills, NULL, 10) : 500;
    uint64_t during[OPERATIONS] = {}, all = 0;

    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    VD_EXPECT(shared != MAP_FAILED);
    for (uint32_t i = 0; i < count; i++) {
        if (i % STORE_LIFE == 0)
            fresh_store();
        kill_once(i);
        during[shared->operation]++;
        shared->operation = NOTHING;
    }
    for (uint32_t i = OPEN; i < OPERATIONS; i++) {
        printf("# operation %u: %llu acknowledged, killed in %llu\n", i,
               (unsigned long long)shared->acknowledged[i], (unsigned long long)during[i]);
        all += i == OPEN ? 0 : shared->acknowledged[i];
        VD_EXPECT(shared->acknowledged[i] != 0);
    }
    printf("# %u kills, %llu changes acknowledged\n", count, (unsigned long long)all);
    VD_EXPECT(all > count / 2);
    vd_kst_done(&t);
}
