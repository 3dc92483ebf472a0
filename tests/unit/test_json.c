/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "lib/file.h"
#include "lib/json.h"
#include "tests/harness.h"

#include <stdio.h>

static vd_status load(const char *text, json_t **ret, struct vd_diag *diag)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/value.json", vd_test_tmpdir());
    VD_EXPECT_EQ(vd_file_store(path, text, strlen(text), 0600, NULL), VD_OK);
    return vd_json_load(path, 1000, ret, diag);
}

VD_TEST(json_load_good)
{
    json_t *value = NULL;

    VD_EXPECT_EQ(load(" {\"a\": [1, 2]} \n", &value, NULL), VD_OK);
    VD_EXPECT_EQ(json_array_size(json_object_get(value, "a")), 2);
    json_decref(value);
}

VD_TEST(json_load_refuses_with_the_line)
{
    static const struct {
        const char *text;
        uint32_t line;
    } rows[] = {
        {"", 1}, {"{\n\"a\": }", 2}, {"{\"a\":1,\n\"a\":2}", 2}, {"{}\n{}", 2}, {"{\"a\":1", 1},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct vd_diag diag = {};
        json_t *value = NULL;
        VD_EXPECT_EQ(load(rows[i].text, &value, &diag), VD_E_SYNTAX);
        VD_EXPECT(value == NULL);
        VD_EXPECT_EQ(diag.line, rows[i].line);
        VD_EXPECT(diag.file[0] != '\0');
    }
}

VD_TEST(json_print_of_nothing)
{
    VD_EXPECT_EQ(vd_json_print(NULL, NULL), VD_E_NO_MEMORY);
}
