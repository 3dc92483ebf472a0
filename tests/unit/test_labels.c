/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* File contexts and file system contexts: what they match, and every way to be wrong. */
#include "kernel/loader/labels.h"
#include "tests/harness.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static vd_status parse(const char *text, struct vd_label_rules **ret, struct vd_diag *diag)
{
    return vd_label_rules_parse(text, strlen(text), "file_contexts", ret, diag);
}

VD_TEST(labels_match)
{
    static const struct {
        const char *path;
        mode_t mode;
        const char *context;
    } rows[] = {
        {"/etc/passwd", S_IFREG, "u:r:etc_t"}, {"/etc", S_IFDIR, "u:r:etc_t"},
        {"/etcetera", S_IFREG, NULL},          {"/etc/shadow", S_IFREG, "u:r:shadow_t"},
        {"/etc/shadow", S_IFDIR, "u:r:etc_t"}, {"/etc/none", S_IFREG, NULL},
        {"/dev/x", S_IFCHR, "u:r:char_t"},     {"/dev/x", S_IFBLK, "u:r:block_t"},
        {"/x/etc/passwd", S_IFREG, NULL},
    };
    struct vd_label_rules *rules = NULL;
    struct vd_diag diag = {};

    VD_EXPECT_EQ(parse("# comment\n\n/etc(/.*)? u:r:etc_t # the rest\n/etc/shadow -- u:r:shadow_t\n"
                       "/etc/none <<none>>\n/dev/.* -c u:r:char_t\n/dev/.* -b u:r:block_t",
                       &rules, &diag),
                 VD_OK);
    VD_EXPECT_EQ(vd_label_rules_count(rules), 5);
    for (size_t i = 0; i < VD_COUNT(rows); i++) {
        const char *got = vd_label_rules_match(rules, rows[i].path, rows[i].mode);
        VD_EXPECT_STR(got == NULL ? "none" : got,
                      rows[i].context == NULL ? "none" : rows[i].context);
    }
    vd_label_rules_free(rules);
}

VD_TEST(labels_refused)
{
    static const struct {
        const char *text;
        uint32_t line;
        vd_status status;
    } rows[] = {
        {"/a\n", 1, VD_E_SYNTAX},
        {"/a -- u:r:t more\n", 1, VD_E_SYNTAX},
        {"/a u:r:t\n/b -x u:r:t\n", 2, VD_E_SYNTAX},
        {"/a( u:r:t\n", 1, VD_E_SYNTAX},
        {"1 2 3 4 5 6\n", 1, VD_E_SYNTAX},
        {"/a++ u:r:t\n", 1, VD_E_LIMIT},
        {"/a(b)+? u:r:t\n", 1, VD_E_LIMIT},
        {"/a{2} u:r:t\n", 1, VD_E_LIMIT},
        {"/(a)\\1 u:r:t\n", 1, VD_E_LIMIT},
        {"/a\\ u:r:t\n", 1, VD_E_LIMIT},
        {"/[]{]x{ u:r:t\n", 1, VD_E_LIMIT},
        {"/(((((((((a))))))))) u:r:t\n", 1, VD_E_LIMIT},
    };

    for (size_t i = 0; i < VD_COUNT(rows); i++) {
        struct vd_label_rules *rules = NULL;
        struct vd_diag diag = {};
        VD_EXPECT_EQ(parse(rows[i].text, &rules, &diag), rows[i].status);
        VD_EXPECT_EQ(diag.line, rows[i].line);
        VD_EXPECT_STR(diag.file, "file_contexts");
        VD_EXPECT(rules == NULL);
    }
}

/* What looks like a repetition inside brackets or behind a backslash is none. */
VD_TEST(labels_expressions_within_the_bounds)
{
    static const char *const rows[] = {"/[]*+?{]+", "/[^]*+]?x",           "/\\+\\*+",
                                       "/\\{+",     "/((((((((a))))))))+", "/(a+b)*(c?)+"};

    for (size_t i = 0; i < VD_COUNT(rows); i++) {
        struct vd_label_rules *rules = NULL;
        struct vd_diag diag = {};
        char text[64];
        snprintf(text, sizeof(text), "%s u:r:t\n", rows[i]);
        VD_EXPECT_EQ(parse(text, &rules, &diag), VD_OK);
        vd_label_rules_free(rules);
    }
}

VD_TEST(labels_context_length)
{
    char text[512];
    struct vd_label_rules *rules = NULL;
    struct vd_diag diag = {};

    snprintf(text, sizeof(text), "/a %0*d\n", (int)VD_LABEL_TEXT_SIZE - 1, 0);
    VD_EXPECT_EQ(parse(text, &rules, &diag), VD_OK);
    vd_label_rules_free(rules);
    snprintf(text, sizeof(text), "/a %0*d\n", (int)VD_LABEL_TEXT_SIZE, 0);
    VD_EXPECT_EQ(parse(text, &rules, &diag), VD_E_LIMIT);
}

VD_TEST(labels_filesystems)
{
    static const char text[] = "proc u:r:proc_t\n# no\nmemfd u:r:memfd_t\n";
    struct vd_fs_labels labels;
    struct vd_diag diag = {};

    VD_EXPECT_EQ(vd_fs_labels_parse(text, strlen(text), "fs", &labels, &diag), VD_OK);
    VD_EXPECT_EQ(labels.count, 2);
    VD_EXPECT_EQ(labels.rows[0].key.magic, 0x9fa0);
    VD_EXPECT_EQ(labels.rows[0].key.kernel_mount, 0);
    VD_EXPECT_EQ(labels.rows[1].key.kernel_mount, 1);
    VD_EXPECT_STR(labels.rows[1].context, "u:r:memfd_t");
    VD_EXPECT_EQ(vd_fs_labels_parse("ext4 u:r:t\n", 11, "fs", &labels, &diag), VD_E_NOT_FOUND);
    VD_EXPECT_EQ(labels.count, 0);
    VD_EXPECT_EQ(vd_fs_labels_parse("proc\n", 5, "fs", &labels, NULL), VD_E_SYNTAX);
}

struct seen {
    char paths[512];
    vd_status answer;
};

static vd_status note(void *arg, int fd, const char *path, const char *context,
                      struct vd_diag *diag)
{
    struct seen *seen = arg;

    (void)fd;
    (void)diag;
    snprintf(seen->paths + strlen(seen->paths), sizeof(seen->paths) - strlen(seen->paths), "%s ",
             strrchr(path, '/') + 1);
    VD_EXPECT_STR(context, "u:r:t");
    return seen->answer;
}

VD_TEST(labels_walk)
{
    static const char text[] = "/.*/(one|link|sub) u:r:t\n";
    struct vd_fs_labels none = {};
    struct seen seen = {};
    struct vd_label_walk walk = {.fs = &none, .apply = note, .arg = &seen};
    struct vd_label_rules *rules = NULL;
    const char *dir = vd_test_tmpdir();
    struct vd_diag diag = {};
    char path[512];
    FILE *file;

    VD_EXPECT_EQ(parse(text, &rules, &diag), VD_OK);
    walk.rules = rules;
    snprintf(path, sizeof(path), "%s/sub", dir);
    VD_EXPECT_EQ(mkdir(path, 0755), 0);
    snprintf(path, sizeof(path), "%s/sub/one", dir);
    file = fopen(path, "w");
    VD_EXPECT(file != NULL);
    fclose(file);
    snprintf(path, sizeof(path), "%s/sub/link", dir);
    VD_EXPECT_EQ(symlink("/", path), 0); /* followed, the walk would see the whole system */
    VD_EXPECT_EQ(vd_label_tree(&walk, dir, &diag), VD_OK);
    VD_EXPECT_EQ(walk.files, 4);
    VD_EXPECT_EQ(walk.unmatched, 1);
    VD_EXPECT(strstr(seen.paths, "one ") != NULL && strstr(seen.paths, "link ") != NULL);
    seen.answer = VD_E_IO;
    VD_EXPECT_EQ(vd_label_tree(&walk, dir, &diag), VD_E_IO);
    vd_label_rules_free(rules);
}
