/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "tools/veridian/key/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/mem.h"
#include "lib/cli/cli.h"
#include "lib/diagf.h"

#define TIME_MAX 253402300799u /* the end of the year 9999 */

struct row {
    uint32_t number;
    const char *name;
};

#define ROW(number, name, text) {number, text},
static const struct row types[] = {VD_ALG_TYPE_TABLE(ROW){}};
static const struct row mechanisms[] = {VD_ALG_MECHANISM_TABLE(ROW){}};
#undef ROW
#define ROW(bit, name, text) {1u << (bit), text},
static const struct row usages[] = {VD_ALG_USAGE_TABLE(ROW){}};
#undef ROW
static const struct row states[] = {
    {VD_KEY_ACTIVE, "active"},
    {VD_KEY_DOOMED, "to be destroyed"},
    {VD_KEY_DESTROYED, "destroyed"},
    {},
};

static const char *name_of(const struct row *row, uint32_t number)
{
    for (; row->name != NULL; row++)
        if (row->number == number)
            return row->name;
    return "?";
}

const char *vd_key_type_name(uint32_t type)
{
    return name_of(types, type);
}

const char *vd_key_usage_name(uint32_t bit)
{
    return name_of(usages, bit);
}

const char *vd_key_state_name(uint32_t state)
{
    return name_of(states, state);
}

const char *vd_key_state_told(const struct vd_key_info *info)
{
    uint64_t now = (uint64_t)time(NULL);

    if (info->state == VD_KEY_ACTIVE && info->attributes.not_after != 0 &&
        now > info->attributes.not_after)
        return "expired";
    if (info->state == VD_KEY_ACTIVE && now < info->attributes.not_before)
        return "not yet";
    return vd_key_state_name(info->state);
}

static const char *next_name(const void *ctx, uint32_t i)
{
    return ((const struct row *)ctx)[i].name;
}

/* As many of the names as a hint holds. */
static void hint_all(const struct row *rows, struct vd_diag *diag)
{
    char all[sizeof(diag->hint)];
    size_t used = 0;

    all[0] = '\0';
    for (const struct row *row = rows; row->name != NULL; row++) {
        size_t size = strlen(row->name) + 2;
        if (used + size + sizeof("one of , …") > sizeof(all)) {
            vd_diagf_hint(diag, "one of %s, …", all);
            return;
        }
        snprintf(all + used, sizeof(all) - used, "%s%s", used != 0 ? ", " : "", row->name);
        used = strlen(all);
    }
    vd_diagf_hint(diag, "one of %s", all);
}

static vd_status find(const struct row *rows, const char *what, const char *name, uint32_t *ret,
                      struct vd_diag *diag)
{
    const char *near;

    for (const struct row *row = rows; row->name != NULL; row++) {
        if (strcmp(row->name, name) == 0) {
            *ret = row->number;
            return VD_OK;
        }
    }
    near = vd_cli_nearest(name, next_name, rows);
    if (near != NULL)
        vd_diagf_hint(diag, "did you mean '%s'?", near);
    else
        hint_all(rows, diag);
    return vd_diagf(diag, VD_E_USAGE, "there is no %s '%s'", what, name);
}

vd_status vd_key_type_find(const char *name, uint16_t *ret, struct vd_diag *diag)
{
    uint32_t number = 0;

    VD_TRY(find(types, "type of keys", name, &number, diag));
    *ret = (uint16_t)number;
    return VD_OK;
}

vd_status vd_key_mechanism_find(const char *name, uint16_t *ret, struct vd_diag *diag)
{
    uint32_t number = 0;

    if (name != NULL)
        VD_TRY(find(mechanisms, "mechanism", name, &number, diag));
    *ret = (uint16_t)number;
    return VD_OK;
}

vd_status vd_key_usages_parse(const char *list, uint32_t *ret, struct vd_diag *diag)
{
    uint32_t set = 0;

    for (const char *at = list; *at != '\0';) {
        size_t size = strcspn(at, ",");
        char word[64];
        uint32_t bit = 0;
        if (size >= sizeof(word))
            return vd_diag_fail(diag, VD_E_USAGE, "a usage is longer than any there is");
        vd_copy(word, at, size);
        word[size] = '\0';
        VD_TRY(find(usages, "usage", word, &bit, diag));
        set |= bit;
        at += size;
        if (*at == ',' && *++at == '\0')
            return vd_diag_fail(diag, VD_E_USAGE, "the list of usages ends with a comma");
    }
    *ret = set;
    return VD_OK;
}

static vd_status bad_time(const char *text, struct vd_diag *diag)
{
    vd_diag_hint(diag, "as in 2027-01-31T12:00:00Z, 2027-01-31, +30d, +12h, +1y, none");
    return vd_diagf(diag, VD_E_USAGE, "'%s' is no time", text);
}

static uint64_t unit_of(char letter)
{
    switch (letter) {
    case 's':
    case '\0':
        return 1;
    case 'm':
        return 60;
    case 'h':
        return 3600;
    case 'd':
        return 86400;
    case 'w':
        return 7 * 86400;
    case 'y':
        return 365 * 86400;
    default:
        return 0;
    }
}

static bool duration(const char *text, uint64_t *ret)
{
    uint64_t number = 0, unit;

    if (*text < '0' || *text > '9')
        return false;
    for (; *text >= '0' && *text <= '9'; text++) {
        number = number * 10 + (uint64_t)(*text - '0');
        if (number > TIME_MAX)
            return false;
    }
    unit = unit_of(*text);
    if (unit == 0 || (*text != '\0' && text[1] != '\0') || number > TIME_MAX / unit)
        return false;
    *ret = number * unit;
    return true;
}

vd_status vd_key_duration_parse(const char *text, uint64_t *ret, struct vd_diag *diag)
{
    if (duration(text, ret))
        return VD_OK;
    vd_diag_hint(diag, "as in 7d, 12h, 30m, 0");
    return vd_diagf(diag, VD_E_USAGE, "'%s' is no length of time", text);
}

static uint64_t now(void)
{
    return (uint64_t)time(NULL);
}

/* "+01:00", "-05:30" or "Z" in seconds. */
static bool zone(const char *text, int64_t *ret)
{
    int hours, minutes, end = 0;

    *ret = 0;
    if ((text[0] == 'Z' || text[0] == 'z') && text[1] == '\0')
        return true;
    if ((text[0] != '+' && text[0] != '-') ||
        sscanf(text + 1, "%2d:%2d%n", &hours, &minutes, &end) != 2 || end != 5 || text[6] != '\0' ||
        hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
        return false;
    *ret = (hours * 3600 + minutes * 60) * (text[0] == '-' ? -1 : 1);
    return true;
}

/* strptime takes what no calendar has: what comes back must be the same day. */
static bool calendar(const char *text, uint64_t *ret)
{
    struct tm tm = {}, again;
    const char *end = strptime(text, "%Y-%m-%d", &tm);
    int64_t offset = 0, seconds;
    time_t at;

    if (end != NULL && end - text != 10)
        return false;
    if (end != NULL && (*end == 'T' || *end == 't'))
        end = strptime(end + 1, "%H:%M:%S", &tm);
    else if (end != NULL && *end != '\0')
        return false;
    if (end == NULL || (*end != '\0' && !zone(end, &offset)) || (*end == '\0' && strlen(text) > 10))
        return false;
    again = tm;
    at = timegm(&again);
    if (again.tm_mday != tm.tm_mday || again.tm_mon != tm.tm_mon || again.tm_sec != tm.tm_sec)
        return false;
    seconds = (int64_t)at - offset;
    if (seconds <= 0 || seconds > (int64_t)TIME_MAX)
        return false;
    *ret = (uint64_t)seconds;
    return true;
}

vd_status vd_key_time_parse(const char *text, uint64_t *ret, struct vd_diag *diag)
{
    uint64_t seconds = 0;

    if (strcmp(text, "none") == 0) {
        *ret = 0;
        return VD_OK;
    }
    if (text[0] == '+') {
        if (!duration(text + 1, &seconds) || seconds > TIME_MAX - now())
            return bad_time(text, diag);
        *ret = now() + seconds;
        return VD_OK;
    }
    return calendar(text, ret) ? VD_OK : bad_time(text, diag);
}

void vd_key_time_print(uint64_t seconds, char ret[VD_KEY_TIME_SIZE])
{
    time_t at = (time_t)seconds;
    struct tm tm;

    if (gmtime_r(&at, &tm) == NULL ||
        strftime(ret, VD_KEY_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        (void)snprintf(ret, VD_KEY_TIME_SIZE, "%llu s", (unsigned long long)seconds);
}
