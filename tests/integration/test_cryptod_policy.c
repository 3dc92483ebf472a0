/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The key service under a policy and with records: real security server, real audit daemon. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/abi/auditring.h"

#include "lib/file.h"
#include "tests/harness.h"
#include "tests/support/auditd.h"
#include "tests/support/cryptod.h"
#include "tests/support/securityd.h"

#define UID   4711
#define KEY   "system_u:object_r:key_t"
#define OTHER "system_u:object_r:secret_t"

static struct vd_keyclient *client;
static struct vd_diag diag;
static uint8_t out[512];

#define EXPECT(call, expected)                                                             \
    do {                                                                                   \
        diag = (struct vd_diag){};                                                         \
        vd_status status_ = (call);                                                        \
        if (status_ != (expected))                                                         \
            vd_test_fail(__FILE__, __LINE__, "%s: %s: %s", #call, vd_status_name(status_), \
                         diag.text);                                                       \
    } while (0)

static const char *policy(const char *rules)
{
    static char text[16384];

    snprintf(text, sizeof(text),
             "class security\nclass key\nsid kernel\nsid security\nsid unlabeled\n"
             "class security { compute_av compute_create check_context load_policy setbool }\n"
             "class key { view read write search link setattr create encrypt decrypt sign verify "
             "derive encapsulate decapsulate wrap unwrap export import rotate destroy manage }\n"
             "type admin_t; type user_t; type key_t; type secret_t; type security_t;\n"
             "role system_r; role user_r;\n"
             "role system_r types admin_t; role user_r types user_t;\n"
             "allow admin_t { key_t secret_t }:key *;\n"
             "%s\n"
             "user system_u roles system_r;\nuser user_u roles user_r;\n"
             "sid kernel system_u:system_r:admin_t\nsid security system_u:object_r:security_t\n"
             "sid unlabeled system_u:object_r:secret_t\n",
             rules);
    return text;
}

static const char *web_path(void)
{
    static char path[160];

    snprintf(path, sizeof(path), "%s/web", cryptod.dir);
    return path;
}

static void start_with(const char *rules, const char *audit_socket)
{
    static char peers[160];
    size_t count = 0;

    securityd_prepare(policy(rules));
    securityd_start();
    cryptod_prepare();
    snprintf(peers, sizeof(peers), "%s/peers", cryptod.dir);
    EXPECT(vd_file_store(peers, "0 " ADMIN "\n4711 " USER "\n",
                         strlen("0 " ADMIN "\n4711 " USER "\n"), 0644, &diag),
           VD_OK);
    const char *const options[] = {
        "--mac",          "require", "--peers", peers,    "--security-socket",
        securityd.socket, "--label", KEY,       "--rest", web_path()};
    const char *const more[] = {"--audit", "required", "--audit-socket", audit_socket};
    for (size_t i = 0; i < VD_COUNT(options); i++)
        cryptod.options[count++] = options[i];
    for (size_t i = 0; audit_socket != NULL && i < VD_COUNT(more); i++)
        cryptod.options[count++] = more[i];
    cryptod_start();
    client = cryptod_client();
}

static void start_under(const char *rules)
{
    start_with(rules, NULL);
}

static void tear_down(void)
{
    vd_keyclient_free(client);
    cryptod_stop();
}

static vd_status create(const char *name, const char *label)
{
    struct vd_key_attributes a = {.type = VD_ALG_AES_256_GCM};
    uint8_t id[VD_KEY_ID_SIZE];

    snprintf(a.name, sizeof(a.name), "%s", name);
    snprintf(a.label, sizeof(a.label), "%s", label);
    return vd_keyclient_create(client, &a, id, &diag);
}

static vd_status operate(struct vd_keyclient_key *key, enum vd_key_verb verb, const void *text,
                         size_t *inout_size)
{
    struct vd_keyclient_op op = {
        .key = key, .text = {text, *inout_size}, .out = {out, sizeof(out), 0}};
    vd_status status = vd_keyclient_operate(client, verb, &op, &diag);

    *inout_size = op.out.size;
    return status;
}

/* What a user may do who may view and encrypt; the exit code says which step was wrong. */
static int as_user(void)
{
    struct vd_key_info infos[VD_KEY_LIST_MAX];
    struct vd_keyclient_page page = {.infos = infos};
    struct vd_keyclient_key *key, *other;
    struct vd_key_attributes a = {};
    uint8_t sealed[512];
    size_t size = 4;

    client = cryptod_client();
    if (vd_keyclient_open(client, "open", &key, &diag) != VD_OK)
        return 1;
    if (operate(key, VD_KEY_ENCRYPT, "text", &size) != VD_OK)
        return 2;
    memcpy(sealed, out, size);
    if (operate(key, VD_KEY_DECRYPT, sealed, &size) != VD_E_DENIED)
        return 3;
    if (vd_keyclient_open(client, "hidden", &other, &diag) != VD_E_DENIED)
        return 4;
    if (vd_keyclient_list(client, &page, &diag) != VD_OK || page.count != 1 ||
        strcmp(infos[0].attributes.name, "open") != 0)
        return 5;
    if (vd_keyclient_set(key, VD_KEY_SET_NOT_AFTER, &a, NULL, &diag) != VD_E_DENIED ||
        vd_keyclient_destroy(key, 0, 0, NULL, &diag) != VD_E_DENIED ||
        vd_keyclient_rotate(key, &page.count, &diag) != VD_E_DENIED)
        return 6;
    if (create("mine", KEY) != VD_E_DENIED || create("mine", "nobody:knows:this") != VD_E_DENIED)
        return 7;
    vd_keyclient_key_free(key);
    vd_keyclient_free(client);
    return 0;
}

VD_TEST(the_policy_decides)
{
    struct vd_keyclient_key *key;
    size_t size = 4;

    start_under("allow user_t key_t:key { view encrypt };");
    EXPECT(create("open", KEY), VD_OK);
    EXPECT(create("hidden", OTHER), VD_OK);
    EXPECT(vd_keyclient_open(client, "hidden", &key, &diag), VD_OK);
    EXPECT(operate(key, VD_KEY_ENCRYPT, "text", &size), VD_OK);
    VD_EXPECT_EQ(securityd_as_user(UID, as_user), 0);
    vd_keyclient_key_free(key);
    tear_down();
}

/* Posts to the web interface; the answer with its head is in `reply`. */
static char reply[4096];
static int post(const char *path, const char *body)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd VD_AUTO(vd_fd_close) = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t size = 0;
    ssize_t got;

    memcpy(address.sun_path, web_path(), strlen(web_path()) + 1);
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
        return -1;
    dprintf(fd,
            "POST /v1/transit/%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            "Content-Length: %zu\r\n\r\n%s",
            path, strlen(body), body);
    while (size < sizeof(reply) - 1 && (got = read(fd, reply + size, sizeof(reply) - 1 - size)) > 0)
        size += (size_t)got;
    reply[size] = '\0';
    return size > 12 ? atoi(reply + 9) : -1;
}

/* The front process is not whom the policy is asked about: its client is. */
static int as_web_user(void)
{
    char body[512];
    const char *text;

    if (post("encrypt/open", "{\"plaintext\":\"YQ==\"}") != 200)
        return 1;
    text = strstr(reply, "vault:v1:");
    if (text == NULL)
        return 2;
    snprintf(body, sizeof(body), "{\"ciphertext\":\"%.*s\"}", (int)strcspn(text, "\""), text);
    if (post("decrypt/open", body) != 403 || strstr(reply, "key:decrypt") == NULL)
        return 3;
    if (post("encrypt/hidden", "{\"plaintext\":\"YQ==\"}") != 403)
        return 4;
    return post("keys/open/rotate", "{}") == 403 ? 0 : 5;
}

VD_TEST(the_policy_decides_on_web_requests)
{
    start_under("allow user_t key_t:key { view encrypt };");
    EXPECT(create("open", KEY), VD_OK);
    EXPECT(create("hidden", OTHER), VD_OK);
    VD_EXPECT_EQ(securityd_as_user(UID, as_web_user), 0);
    /* Another caller by the same front: what was refused is the caller's lack. */
    VD_EXPECT_EQ(post("encrypt/hidden", "{\"plaintext\":\"YQ==\"}"), 200);
    VD_EXPECT_EQ(post("keys/open/rotate", "{}"), 200);
    tear_down();
}

/* The control: without the policy's part the same user would have been served. */
static int gets_everything(void)
{
    struct vd_keyclient_key *key;
    size_t size = 4;

    client = cryptod_client();
    if (vd_keyclient_open(client, "hidden", &key, &diag) != VD_OK)
        return 1;
    return operate(key, VD_KEY_ENCRYPT, "text", &size) == VD_OK ? 0 : 2;
}

static int is_nobody(void)
{
    client = cryptod_client();
    return vd_keyclient_connect(client, &diag) == VD_E_DENIED ? 0 : 1;
}

VD_TEST(who_has_no_context_is_not_served)
{
    start_under("allow user_t { key_t secret_t }:key *;");
    EXPECT(create("hidden", OTHER), VD_OK);
    VD_EXPECT_EQ(securityd_as_user(UID, gets_everything), 0);
    VD_EXPECT_EQ(securityd_as_user(UID + 1, is_nobody), 0);
    tear_down();
    cryptod_prepare();
    cryptod_start(); /* without a policy: root and the service's user alone */
    VD_EXPECT_EQ(securityd_as_user(UID, is_nobody), 0);
    cryptod_stop();
}

VD_TEST(a_new_policy_is_in_force_at_once)
{
    struct vd_keyclient_key *key;
    size_t size = 4;

    start_under("");
    EXPECT(create("open", KEY), VD_OK);
    EXPECT(vd_keyclient_open(client, "open", &key, &diag), VD_OK);
    EXPECT(operate(key, VD_KEY_ENCRYPT, "text", &size), VD_OK);
    EXPECT(securityd_load(policy("neverallow user_t key_t:key *;"), &diag), VD_OK);
    size = 4;
    EXPECT(operate(key, VD_KEY_ENCRYPT, "text", &size), VD_OK);
    {
        char text[16384], *rule;
        snprintf(text, sizeof(text), "%s", policy(""));
        rule = strstr(text, "allow admin_t { key_t");
        VD_EXPECT(rule != NULL);
        memcpy(rule, "allow admin_t {       secret_t}:key *;", 38);
        EXPECT(securityd_load(text, &diag), VD_OK);
    }
    size = 4;
    EXPECT(operate(key, VD_KEY_ENCRYPT, "text", &size), VD_E_DENIED);
    /* Nobody decides: refused. */
    EXPECT(securityd_load(policy(""), &diag), VD_OK);
    EXPECT(operate(key, VD_KEY_ENCRYPT, "text", &size), VD_OK);
    securityd_kill();
    size = 4;
    EXPECT(operate(key, VD_KEY_ENCRYPT, "text", &size), VD_E_DENIED);
    securityd_start();
    size = 4;
    EXPECT(operate(key, VD_KEY_ENCRYPT, "text", &size), VD_OK);
    vd_keyclient_key_free(key);
    tear_down();
}

#define MANY 96u /* users, and types: more labels than any table takes */

/* A label of which the policy knows more than 9000. */
static const char *label_of(uint32_t i)
{
    static char label[64];

    snprintf(label, sizeof(label), "many%u:object_r:many%u_t", i / MANY, i % MANY);
    return label;
}

static const char *many_labels(void)
{
    static char text[8192];
    size_t size = (size_t)snprintf(text, sizeof(text), "allow user_t key_t:key view;\n");

    for (uint32_t i = 0; i < MANY; i++)
        size += (size_t)snprintf(text + size, sizeof(text) - size, "type many%u_t;\n", i);
    for (uint32_t i = 0; i < MANY; i++)
        size +=
            (size_t)snprintf(text + size, sizeof(text) - size, "user many%u roles user_r;\n", i);
    size += (size_t)snprintf(text + size, sizeof(text) - size,
                             "allow admin_t many%u_t:key { create view };\n", MANY - 1);
    return size < sizeof(text) ? text : "";
}

static int names_labels(void)
{
    client = cryptod_client();
    for (uint32_t i = 0; i < MANY * MANY - 1; i++)
        if (create("mine", label_of(i)) != VD_E_DENIED)
            return 1;
    vd_keyclient_free(client);
    return 0;
}

/* Whoever may do nothing with labels but name them cannot use up the room that there is for them. */
VD_TEST(labels_that_are_refused_take_no_room)
{
    struct vd_keyclient_key *key;

    start_under(many_labels());
    VD_EXPECT_EQ(securityd_as_user(UID, names_labels), 0);
    EXPECT(create("late", label_of(MANY * MANY - 1)), VD_OK);
    EXPECT(vd_keyclient_open(client, "late", &key, &diag), VD_OK);
    vd_keyclient_key_free(key);
    tear_down();
}

VD_TEST(without_a_security_server_it_does_not_start)
{
    cryptod_prepare();
    cryptod.options[0] = "--mac";
    cryptod.options[1] = "require";
    cryptod.options[2] = "--security-socket";
    cryptod.options[3] = "/nowhere";
    VD_EXPECT_EQ(cryptod_try_start(), 3);
    cryptod.options[0] = "--audit";
    cryptod.options[1] = "required";
    cryptod.options[2] = "--audit-socket";
    VD_EXPECT_EQ(cryptod_try_start(), 3);
}

/* Records of the log by their verb. */
struct seen {
    const char *verb, *extra;
    uint32_t count;
};

static vd_status look(void *ctx, uint64_t segment, const struct vd_audit_frame *frame,
                      const struct vd_audit_record *record)
{
    struct seen *seen = ctx;
    bool fits = seen->extra == NULL;

    if (record == NULL || !vd_audit_has(record, VD_AUDIT_TAG_MESSAGE) ||
        record->message.size != strlen(seen->verb) ||
        memcmp(record->message.data, seen->verb, record->message.size) != 0)
        return VD_OK;
    for (uint32_t i = 0; i < record->extra_count && !fits; i++)
        fits = record->extra[i].value.size == strlen(seen->extra) &&
               memcmp(record->extra[i].value.data, seen->extra, strlen(seen->extra)) == 0;
    seen->count += fits;
    return VD_OK;
}

static uint32_t records(const char *verb, const char *extra)
{
    struct seen seen = {verb, extra, 0};
    struct vd_audit_report report;

    auditd_read(auditd.log, look, &seen, &report);
    return seen.count;
}

static struct vd_keyclient_key *start_recorded(void)
{
    struct vd_keyclient_key *key;

    auditd_prepare();
    auditd_start();
    cryptod_prepare();
    cryptod.options[0] = "--audit";
    cryptod.options[1] = "required";
    cryptod.options[2] = "--audit-socket";
    cryptod.options[3] = auditd.socket;
    cryptod_start();
    client = cryptod_client();
    EXPECT(create("recorded", KEY), VD_OK);
    EXPECT(vd_keyclient_open(client, "recorded", &key, &diag), VD_OK);
    return key;
}

VD_TEST(operations_are_recorded)
{
    struct vd_keyclient_key *key = start_recorded();
    struct vd_keyclient_op ops[3];
    size_t size;

    /* On the disk before the answer. */
    VD_EXPECT_EQ(records("create", "begin"), 1);
    VD_EXPECT_EQ(records("create", "done"), 1);
    for (int i = 0; i < 5; i++) {
        size = 4;
        EXPECT(operate(key, VD_KEY_ENCRYPT, "text", &size), VD_OK);
    }
    for (size_t i = 0; i < 3; i++)
        ops[i] = (struct vd_keyclient_op){
            .key = key, .text = {"text", 4}, .out = {out + i * 128, 128, 0}};
    EXPECT(vd_keyclient_batch(client, VD_KEY_ENCRYPT, ops, 3, &diag), VD_OK);
    size = 4;
    EXPECT(operate(key, VD_KEY_SIGN, "text", &size), VD_E_KEY_USAGE);
    size = 100;
    EXPECT(operate(key, VD_KEY_DECRYPT, out, &size), VD_E_TAG);
    EXPECT(vd_keyclient_destroy(key, 0, 0, NULL, &diag), VD_OK);
    /* Killed at once: what was acknowledged is in the log all the same. */
    cryptod_kill();
    VD_EXPECT_EQ(auditd_end(SIGTERM), 0);
    VD_EXPECT_EQ(records("encrypt", NULL), 6);
    VD_EXPECT_EQ(records("encrypt", "3"), 1);
    VD_EXPECT_EQ(records("sign", "E_KEY_USAGE"), 1);
    VD_EXPECT_EQ(records("decrypt", "E_TAG"), 1);
    VD_EXPECT_EQ(records("destroy", "done"), 1);
    vd_keyclient_key_free(key);
    vd_keyclient_free(client);
}

VD_TEST(what_cannot_be_recorded_is_refused)
{
    struct vd_keyclient_key *key = start_recorded();
    size_t size = 4;

    EXPECT(operate(key, VD_KEY_ENCRYPT, "text", &size), VD_OK);
    (void)auditd_end(SIGKILL);
    size = 4;
    memset(out, 0, sizeof(out));
    EXPECT(operate(key, VD_KEY_ENCRYPT, "text", &size), VD_E_NOT_RECORDED);
    VD_EXPECT_EQ(out[0], 0);
    EXPECT(create("other", KEY), VD_E_NOT_RECORDED);
    EXPECT(vd_keyclient_destroy(key, 0, 0, NULL, &diag), VD_E_NOT_RECORDED);
    auditd_start();
    /* Refused means not done. The ring is found again within a second. */
    for (int i = 0; i < 100; i++) {
        size = 4;
        if (operate(key, VD_KEY_ENCRYPT, "text", &size) == VD_OK)
            break;
        usleep(100'000);
    }
    size = 4;
    EXPECT(operate(key, VD_KEY_ENCRYPT, "text", &size), VD_OK);
    EXPECT(create("other", KEY), VD_OK);
    vd_keyclient_key_free(key);
    tear_down();
    VD_EXPECT_EQ(auditd_end(SIGTERM), 0);
}

static vd_status count_denials(void *ctx, uint64_t segment, const struct vd_audit_frame *frame,
                               const struct vd_audit_record *record)
{
    if (record != NULL && vd_audit_has(record, VD_AUDIT_TAG_VERDICT))
        *(uint32_t *)ctx += record->verdict == VD_EVENT_DENIED;
    return VD_OK;
}

/* What the policy takes away from one who has a handle and a stream: refused, recorded. */
VD_TEST(denials_of_what_was_open_are_recorded)
{
    const char *label = "system_u:object_r:third_t";
    struct vd_keyclient_op op = {.out = {out, sizeof(out), 0}};
    struct vd_keyclient_bytes text = {"text", 4};
    struct vd_keyclient_stream *stream;
    struct vd_audit_report report;
    uint32_t denials = 0;

    auditd_prepare();
    auditd_start();
    start_with("type third_t;\nallow admin_t third_t:key { create view encrypt };", auditd.socket);
    EXPECT(create("third", label), VD_OK);
    EXPECT(vd_keyclient_open(client, "third", &op.key, &diag), VD_OK);
    EXPECT(vd_keyclient_stream_seal(client, &op, &stream, &diag), VD_OK);
    EXPECT(securityd_load(policy("type third_t;\nallow admin_t third_t:key create;"), &diag),
           VD_OK);
    op.out = (struct vd_keyclient_buffer){out, sizeof(out), 0};
    EXPECT(vd_keyclient_public(op.key, 0, VD_ALG_FORM_SPKI, &op.out, &diag), VD_E_DENIED);
    EXPECT(vd_keyclient_stream_next(stream, true, &text, &op.out, &diag), VD_E_DENIED);
    vd_keyclient_stream_free(stream);
    vd_keyclient_key_free(op.key);
    tear_down();
    VD_EXPECT_EQ(auditd_end(SIGTERM), 0);
    auditd_read(auditd.log, count_denials, &denials, &report);
    VD_EXPECT_EQ(denials, 2);
    VD_EXPECT_EQ(records("public", "E_DENIED"), 1);
    VD_EXPECT_EQ(records("stream-seal", "E_DENIED"), 1);
}

/* The daemon finds nonsense in the ring and gives it up: refused at first, then there is a new one. */
VD_TEST(a_ring_that_was_given_up_is_replaced)
{
    struct vd_keyclient_key *key = start_recorded();
    struct vd_auditring_head *ring = MAP_FAILED;
    char path[300], target[64];
    struct dirent *entry;
    bool refused = false;
    vd_status status = VD_OK;
    size_t size = 4;
    DIR *dir;

    EXPECT(operate(key, VD_KEY_ENCRYPT, "text", &size), VD_OK);
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)cryptod.pid);
    dir = opendir(path);
    VD_EXPECT(dir != NULL);
    while ((entry = readdir(dir)) != NULL) {
        ssize_t got = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
        if (got <= 0 || strncmp(target, "/memfd:veridian-audit", 21) != 0)
            continue;
        int fd = openat(dirfd(dir), entry->d_name, O_RDWR | O_CLOEXEC);
        ring = mmap(NULL, sizeof(*ring), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
    }
    closedir(dir);
    VD_EXPECT(ring != MAP_FAILED);
    __atomic_fetch_add(&ring->head, 1ull << 40, __ATOMIC_SEQ_CST);
    for (int i = 0; i < 200 && !(refused && status == VD_OK); i++) {
        size = 4;
        diag = (struct vd_diag){};
        status = operate(key, VD_KEY_ENCRYPT, "text", &size);
        refused |= status == VD_E_NOT_RECORDED;
        usleep(50'000);
    }
    VD_EXPECT(refused);
    EXPECT(status, VD_OK);
    EXPECT(create("other", KEY), VD_OK);
    VD_EXPECT_EQ(records("create", "done"), 2);
    munmap(ring, sizeof(*ring));
    vd_keyclient_key_free(key);
    tear_down();
    VD_EXPECT_EQ(auditd_end(SIGTERM), 0);
}
