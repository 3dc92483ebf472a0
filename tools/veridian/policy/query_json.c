/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/policy/query_json.h"

#include <string.h>

/* "{A,B}" without its braces, which is cut in place. */
static json_t *list_of(char *text)
{
    json_t *list = json_array();
    char *rest = text + 1, *word;

    text[strlen(text) - 1] = '\0';
    while ((word = strtok_r(NULL, ",", &rest)) != NULL)
        json_array_append_new(list, json_string(word));
    return list;
}

static json_t *value_of(char *text)
{
    if (text[0] == '{')
        return list_of(text);
    if ((text[0] == '0' || text[0] == '1') && text[1] == '\0')
        return json_boolean(text[0] == '1');
    return json_string(text);
}

json_t *vd_policy_query_json(char *line)
{
    json_t *object = json_object();
    char *rest = line, *word;

    while ((word = strtok_r(NULL, " \n", &rest)) != NULL) {
        char *value = strchr(word, '=');

        if (value == NULL) {
            json_object_set_new(object, "query", json_string(word));
            continue;
        }
        *value++ = '\0';
        for (char *dash = word; (dash = strchr(dash, '-')) != NULL;)
            *dash = '_';
        json_object_set_new(object, word, value_of(value));
    }
    return object;
}
