/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A staged directory's way into its place. */
#include "tools/veridian/boot/files.h"
#include "tests/harness.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const names[] = {"a.key", "b.key", NULL};

static void store(const char *dir, const char *name, const char *text)
{
    char path[PATH_MAX];

    VD_EXPECT_EQ(vd_boot_path(path, dir, name, NULL), VD_OK);
    VD_EXPECT_EQ(vd_boot_file_store_new(path, 0600, text, strlen(text), NULL), VD_OK);
}

static void expect_text(const char *dir, const char *name, const char *text)
{
    char path[PATH_MAX];
    struct vd_bytes bytes = {};

    VD_EXPECT_EQ(vd_boot_path(path, dir, name, NULL), VD_OK);
    VD_EXPECT_EQ(vd_file_load(path, 100, &bytes, NULL), VD_OK);
    VD_EXPECT_STR((const char *)bytes.data, text);
    vd_bytes_free(&bytes);
}

static void begin(const char *name, char final[PATH_MAX], struct vd_boot_stage *stage)
{
    snprintf(final, PATH_MAX, "%s/%s", vd_test_tmpdir(), name);
    VD_EXPECT_EQ(vd_boot_stage_init(stage, final, NULL), VD_OK);
    store(stage->dir, "a.key", "new a");
    store(stage->dir, "b.key", "new b");
}

VD_TEST(boot_files_commit_replaces)
{
    struct vd_boot_stage stage;
    char final[PATH_MAX];

    begin("replaces", final, &stage);
    store(final, "b.key", "old b");
    VD_EXPECT_EQ(vd_boot_stage_commit(&stage, names, NULL), VD_OK);
    vd_boot_stage_done(&stage);
    expect_text(final, "a.key", "new a");
    expect_text(final, "b.key", "new b");
}

/* Another program's files may appear after ours were begun. */
VD_TEST(boot_files_commit_new_never_replaces)
{
    struct vd_boot_stage stage;
    char final[PATH_MAX];
    char path[PATH_MAX];
    struct stat st;

    begin("never", final, &stage);
    store(final, "a.key", "old a");
    VD_EXPECT_EQ(vd_boot_stage_commit_new(&stage, names, NULL), VD_E_EXISTS);
    vd_boot_stage_done(&stage);
    expect_text(final, "a.key", "old a");
    VD_EXPECT_EQ(vd_boot_path(path, final, "b.key", NULL), VD_OK);
    VD_EXPECT(lstat(path, &st) != 0);
    /* nor follows or replaces a link that leads nowhere */
    begin("link", final, &stage);
    VD_EXPECT_EQ(vd_boot_path(path, final, "a.key", NULL), VD_OK);
    VD_EXPECT_EQ(symlink("/nonexistent/elsewhere", path), 0);
    VD_EXPECT_EQ(vd_boot_stage_commit_new(&stage, names, NULL), VD_E_EXISTS);
    vd_boot_stage_done(&stage);
    VD_EXPECT(lstat(path, &st) == 0 && S_ISLNK(st.st_mode));
}

VD_TEST(boot_files_commit_new_moves_all)
{
    struct vd_boot_stage stage;
    char final[PATH_MAX];
    struct stat st;

    begin("all", final, &stage);
    char staged[PATH_MAX];
    snprintf(staged, sizeof(staged), "%s", stage.dir);
    VD_EXPECT_EQ(vd_boot_stage_commit_new(&stage, names, NULL), VD_OK);
    vd_boot_stage_done(&stage);
    expect_text(final, "a.key", "new a");
    expect_text(final, "b.key", "new b");
    VD_EXPECT(lstat(staged, &st) != 0);
    VD_EXPECT(stat(final, &st) == 0 && (st.st_mode & 07777) == 0700);
}
