/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Sources that are read in pieces give the policy and the messages of sources in memory.
 */
#include "tests/harness.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/support/policy_text.h"
#include "tools/sepolicy/source.h"

#define TEXT_MAX (3u * VD_SP_WINDOW)

struct piece_source {
    const char *text;
    size_t size;
    size_t fail_from; /* reading beyond this offset fails */
    uint32_t reads;
};

static bool read_piece(void *arg, size_t offset, char *buf, size_t size)
{
    struct piece_source *from = arg;

    from->reads++;
    VD_EXPECT(size <= from->size && offset <= from->size - size);
    if (offset + size > from->fail_from)
        return false;
    memcpy(buf, from->text + offset, size);
    return true;
}

static vd_status compile_pieces(struct piece_source *from)
{
    struct vd_sepolicy_source source = {
        .name = "t.te", .size = from->size, .read = read_piece, .read_arg = from};

    from->reads = 0;
    return pt_compile_sources(&source, 1, &(struct vd_sepolicy_options){});
}

/*
 * A policy longer than a piece. `shift` bytes of blanks before it move every token over the
 * border of the first piece; `tail` is the last statement.
 */
static size_t write_policy(char *text, uint32_t shift, const char *filler, const char *tail)
{
    size_t len = (size_t)snprintf(text, TEXT_MAX, "%*s\nattribute e; type aa_t; type bb_t;\n",
                                  (int)shift, "");

    while (len < VD_SP_WINDOW + 2 * VD_SP_LOOKAHEAD)
        len += (size_t)snprintf(text + len, TEXT_MAX - len, "%s", filler);
    return len + (size_t)snprintf(text + len, TEXT_MAX - len, "%s", tail);
}

/* The same text in memory and in pieces; true if all that can be seen is equal. */
static bool same(const char *text, size_t size)
{
    static char messages[sizeof(pt_messages.all)];
    struct piece_source from = {.text = text, .size = size, .fail_from = SIZE_MAX};
    vd_status status = pt_compile_with(text, size, &(struct vd_sepolicy_options){});
    size_t blob_size = status == VD_OK ? pt_size : 0;
    uint8_t *blob = malloc(blob_size + 1);
    bool equal;

    if (blob == NULL)
        abort();
    memcpy(messages, pt_messages.all, sizeof(messages));
    if (blob_size > 0)
        memcpy(blob, pt_db.base, blob_size);
    equal = compile_pieces(&from) == status && strcmp(messages, pt_messages.all) == 0 &&
            (status != VD_OK || (pt_size == blob_size && memcmp(blob, pt_db.base, blob_size) == 0));
    free(blob);
    return equal && from.reads > 1;
}

VD_TEST(source_in_pieces_is_the_same_text)
{
    static const char *const fillers[] = {
        "allow aa_t bb_t:file { read write };\n",
        "# a comment with a word or two, allow nothing\n",
        "allow e bb_t:file read; # nothing\n#line 3 \"other.te\"\n",
    };
    static const char *const tails[] = {
        "allow bb_t aa_t:dir search;\n",
        "allow bb_t no_t:dir search;\n",
        "allow bb_t aa_t:dir serach",
        "# the last comment has no end",
    };
    char *text = malloc(TEXT_MAX);

    if (text == NULL)
        abort();
    for (uint32_t shift = 1; shift < 60; shift++) {
        for (size_t f = 0; f < VD_COUNT(fillers); f++) {
            const char *tail = tails[shift % VD_COUNT(tails)];
            size_t size = write_policy(text, shift, fillers[f], tail);

            if (!same(text, size))
                vd_test_fail(__FILE__, __LINE__, "shift %u, filler %zu", shift, f);
        }
    }
    free(text);
}

VD_TEST(source_that_cannot_be_read_ends_the_compilation)
{
    char *text = malloc(TEXT_MAX);
    struct piece_source from = {.text = text};

    if (text == NULL)
        abort();
    from.size = write_policy(text, 1, "allow aa_t bb_t:file read;\n", "");
    VD_EXPECT_EQ(compile_pieces(&from), VD_E_IO);
    from.fail_from = VD_SP_WINDOW;
    VD_EXPECT_EQ(compile_pieces(&from), VD_E_IO);
    VD_EXPECT(from.reads > 1);
    from.fail_from = SIZE_MAX;
    VD_EXPECT_EQ(compile_pieces(&from), VD_OK);
    free(text);
}

VD_TEST(source_with_many_useless_rules_costs_no_memory_for_each)
{
    static const struct vd_sepolicy_options how = {.memory = 24u << 20};
    char *text = malloc(TEXT_MAX);
    struct piece_source from = {.text = text, .fail_from = SIZE_MAX};
    struct vd_sepolicy_source source = {.name = "t.te", .read = read_piece, .read_arg = &from};

    if (text == NULL)
        abort();
    from.size = source.size = write_policy(text, 1, "allow e bb_t:file read;\n", "");
    VD_EXPECT_EQ(pt_compile_sources(&source, 1, &how), VD_OK);
    VD_EXPECT(pt_messages.warnings > 0);
    free(text);
}
