/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tests/harness.h"
#include "tools/analysis/record.h"

#include <string.h>

#define TAIL "scontext=u:r:a_t:s0 tcontext=u:object_r:b_t:s0 tclass=file"
/* An expectation that says which row broke it. */
#define EXPECT_ROW(condition, ...)                         \
    do {                                                   \
        if (!(condition))                                  \
            vd_test_fail(__FILE__, __LINE__, __VA_ARGS__); \
    } while (0)

#define AVC "avc:  denied  { read } for pid=1 "

#define A            "u:r:a_t:s0"
#define B            "u:object_r:b_t:s0"
#define MORE_THAN_32 "1 2 3 4 5 6 7 8 9 a b c d e f g h i j k l m n o p q r s t u v w x"
#define OWN(perms, result)                                                                    \
    "{\"subject\":{\"context\":\"u:r:a_t\"},\"object\":{\"context\":\"u:r:b_t\"},\"action\":" \
    "{\"class\":\"dir\"," perms "},\"result\":{" result "}}"

/* What is accepted, permissions joined by ','. */
static const struct {
    const char *line, *perms, *source, *target, *class;
    struct vd_record want;
} accepted[] = {
    {"type=AVC msg=audit(1.2:3): avc:  denied  { read open } for  pid=1 comm=\"cat\" "
     "scontext=u:r:a_t:s0:c1,c2 tcontext=u:object_r:b_t:s0-s1:c0.c5 tclass=file permissive=0",
     "read,open",
     "u:r:a_t:s0:c1,c2",
     "u:object_r:b_t:s0-s1:c0.c5",
     "file",
     {.permissive = VD_RECORD_PERMISSIVE_NO}},
    {"[  1.2] audit: type=1400 audit(1.2:3): avc:  granted  { ioctl } for ioctlcmd=0x5401 " TAIL,
     "ioctl",
     A,
     B,
     "file",
     {.granted = true, .extended = VD_RECORD_IOCTL, .command = 0x5401}},
    {AVC "nl-msgtype=18 permissive=1 " TAIL,
     "read",
     A,
     B,
     "file",
     {.permissive = VD_RECORD_PERMISSIVE_YES, .extended = VD_RECORD_NLMSG, .command = 18}},
    {"type=USER_AVC msg='avc:  denied  { start } for path=\"/a scontext=x\" " TAIL
     " permissive=1 exe=\"/x\" addr=?' tclass=dir",
     "start",
     A,
     B,
     "file",
     {.permissive = VD_RECORD_PERMISSIVE_YES}},
    {AVC TAIL "\x1dscontext=other", "read", A, B, "file", {}},
    {" " OWN("\"requested\":[\"x\",\"y\"],\"denied\":[\"y\"]",
             "\"verdict\":\"denied\",\"permissive\":true"),
     "y",
     "u:r:a_t",
     "u:r:b_t",
     "dir",
     {.permissive = VD_RECORD_PERMISSIVE_YES}},
    {OWN("\"requested\":[\"x\",\"y\"]", "\"verdict\":\"allowed\""),
     "x,y",
     "u:r:a_t",
     "u:r:b_t",
     "dir",
     {.granted = true, .permissive = VD_RECORD_PERMISSIVE_NO}},
    {"{\"MESSAGE\":\"" AVC TAIL "\"}", "read", A, B, "file", {}},
};

/* What is passed over, and what is damaged. */
static const struct {
    const char *line;
    vd_status status;
} refused[] = {
    {"", VD_E_NOT_FOUND},
    {"type=SYSCALL msg=audit(1.2:3): arch=c000003e " TAIL, VD_E_NOT_FOUND},
    {"avc:  op=setenforce enforcing=1", VD_E_NOT_FOUND},
    {"avc:  deniedly { read } " TAIL, VD_E_NOT_FOUND},
    {"{\"id\":1}", VD_E_NOT_FOUND},
    {"{\"result\":{\"verdict\":\"denied\"}}", VD_E_NOT_FOUND},
    {"avc:  denied  read for " TAIL, VD_E_SYNTAX},
    {"avc:  denied  { read for " TAIL, VD_E_SYNTAX},
    {"avc:  denied  { } for " TAIL, VD_E_SYNTAX},
    {"avc:  denied  { " MORE_THAN_32 " } for " TAIL, VD_E_LIMIT},
    {AVC "tcontext=u:r:b_t tclass=file", VD_E_SYNTAX},
    {AVC "scontext=u:r:a_t tclass=file", VD_E_SYNTAX},
    {AVC "scontext=u:r:a_t tcontext=u:r:b_t", VD_E_SYNTAX},
    {AVC "scontext= tcontext=u:r:b_t tclass=file", VD_E_SYNTAX},
    {AVC "scontext=u:r:other_t " TAIL, VD_E_SYNTAX},
    {AVC TAIL " tclass=dir", VD_E_SYNTAX},
    {AVC TAIL " permissive=2", VD_E_SYNTAX},
    {AVC TAIL " permissive=0 permissive=1", VD_E_SYNTAX},
    {AVC TAIL " ioctlcmd=0x10000", VD_E_RANGE},
    {AVC TAIL " ioctlcmd=0xg", VD_E_RANGE},
    {AVC TAIL " ioctlcmd=", VD_E_RANGE},
    {AVC TAIL " ioctlcmd=0x1 nl-msgtype=1", VD_E_SYNTAX},
    {AVC TAIL " comm=\"cat", VD_E_SYNTAX},
    {"{\"a\":1", VD_E_SYNTAX},
    {"{\"a\":1,\"a\":2}", VD_E_SYNTAX},
    {OWN("\"denied\":[1]", "\"verdict\":\"denied\""), VD_E_SYNTAX},
};

static void join(const struct vd_record *r, char *buf, size_t size)
{
    struct vd_text text;

    vd_text_init(&text, buf, size);
    for (uint32_t i = 0; i < r->perm_count; i++) {
        vd_text_str(&text, i == 0 ? "" : ",");
        vd_text_foreign(&text, r->perms[i].data, r->perms[i].size);
    }
}

static bool text_is(struct vd_record_text text, const char *word)
{
    return text.size == strlen(word) && memcmp(text.data, word, text.size) == 0;
}

VD_TEST(records_are_read)
{
    for (size_t i = 0; i < VD_COUNT(accepted); i++) {
        const struct vd_record *want = &accepted[i].want;
        struct vd_record r = {};
        struct vd_diag diag = {};
        char perms[256];
        vd_status status = vd_record_parse(accepted[i].line, strlen(accepted[i].line), &r, &diag);

        EXPECT_ROW(status == VD_OK, "row %zu: %s (%s)", i, vd_status_name(status), diag.text);
        join(&r, perms, sizeof(perms));
        EXPECT_ROW(strcmp(perms, accepted[i].perms) == 0, "row %zu: %s", i, perms);
        EXPECT_ROW(text_is(r.source, accepted[i].source), "row %zu: source", i);
        EXPECT_ROW(text_is(r.target, accepted[i].target), "row %zu: target", i);
        EXPECT_ROW(text_is(r.class, accepted[i].class), "row %zu: class", i);
        EXPECT_ROW(r.granted == want->granted && r.permissive == want->permissive &&
                       r.extended == want->extended && r.command == want->command,
                   "row %zu: flags", i);
        vd_record_done(&r);
    }
}

VD_TEST(other_lines_are_refused_with_their_place)
{
    for (size_t i = 0; i < VD_COUNT(refused); i++) {
        struct vd_record r = {};
        struct vd_diag diag = {};
        size_t size = strlen(refused[i].line);
        vd_status status = vd_record_parse(refused[i].line, size, &r, &diag);

        EXPECT_ROW(status == refused[i].status, "row %zu: %s", i, vd_status_name(status));
        EXPECT_ROW(diag.status == (status == VD_E_NOT_FOUND ? VD_OK : status), "row %zu", i);
        EXPECT_ROW(diag.offset <= size && r.json == NULL, "row %zu", i);
    }
}

/* Cut at every length a record is refused or passed over, or says no more than the whole. */
VD_TEST(cut_lines_never_invent)
{
    const char *line = "avc:  denied  { read } for ioctlcmd=0x12 " TAIL " permissive=0";
    size_t needed =
        strlen(line) - strlen("file permissive=0") + 1; /* a first letter of the class */

    for (size_t size = 0; size < strlen(line); size++) {
        struct vd_record r = {};
        vd_status status = vd_record_parse(line, size, &r, NULL);
        EXPECT_ROW(size >= needed ? status == VD_OK || status == VD_E_SYNTAX : status != VD_OK,
                   "cut at %zu: %s", size, vd_status_name(status));
        vd_record_done(&r);
    }
}

VD_TEST(long_lines_are_refused)
{
    static char line[VD_RECORD_MAX_LINE + 1];
    struct vd_record r = {};

    memset(line, 'x', sizeof(line));
    VD_EXPECT(vd_record_parse(line, sizeof(line) - 1, &r, NULL) == VD_E_NOT_FOUND);
    VD_EXPECT(vd_record_parse(line, sizeof(line), &r, NULL) == VD_E_LIMIT);
}

static vd_status count(void *arg, const struct vd_record *record, uint64_t line)
{
    uint64_t *sum = arg;

    *sum = *sum * 100 + line;
    return record->granted ? VD_E_DENIED : VD_OK;
}

VD_TEST(a_log_is_read_to_its_end)
{
    const char *log =
        "noise\n" AVC TAIL "\r\navc: denied {\n" AVC TAIL "\navc: denied { a\n" AVC TAIL;
    struct vd_record_counts counts;
    uint64_t lines = 0;

    VD_EXPECT(vd_record_log(log, strlen(log), count, &lines, &counts) == VD_OK);
    VD_EXPECT(lines == 2 * 10000 + 4 * 100 + 6);
    VD_EXPECT(counts.lines == 6 && counts.records == 3 && counts.damaged == 2);
    VD_EXPECT(counts.first.status == VD_E_SYNTAX && counts.first.line == 3 &&
              counts.first.column == 14);
    log = AVC TAIL "\navc: granted { a } " TAIL "\n" AVC TAIL;
    lines = 0;
    VD_EXPECT(vd_record_log(log, strlen(log), count, &lines, &counts) == VD_E_DENIED);
    VD_EXPECT(lines == 1 * 100 + 2);
}
