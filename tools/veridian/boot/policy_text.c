/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/boot/policy_text.h"

#include "lib/diagf.h"
#include "lib/file.h"

#include <string.h>

enum setting {
    SETTING_REQUIRE,
    SETTING_VERSION,
    SETTING_GENERATION,
    SETTING_COUNT,
};

static const char *const setting_names[SETTING_COUNT] = {
    [SETTING_REQUIRE] = "require",
    [SETTING_VERSION] = "min-security-version",
    [SETTING_GENERATION] = "min-signer-generation",
};

struct parser {
    const char *pos;
    const char *end; /* of the current line */
    const char *line_start;
    uint32_t line;
    struct vd_diag *diag;
    struct vd_boot_policy policy;
    bool seen[SETTING_COUNT];
};

struct word {
    const char *at;
    size_t size;
};

static vd_status fail(struct parser *p, const char *at, const char *text)
{
    return vd_diagf_line(p->diag, VD_E_SYNTAX, p->line, (uint32_t)(at - p->line_start) + 1, "%s",
                         text);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static void skip_blank(struct parser *p)
{
    while (p->pos < p->end && is_blank(*p->pos))
        p->pos++;
}

static struct word take_word(struct parser *p)
{
    struct word w;

    skip_blank(p);
    w.at = p->pos;
    while (p->pos < p->end && !is_blank(*p->pos) && *p->pos != '=' && *p->pos != '#')
        p->pos++;
    w.size = (size_t)(p->pos - w.at);
    return w;
}

static bool equals(struct word w, const char *name)
{
    return strlen(name) == w.size && memcmp(w.at, name, w.size) == 0;
}

static vd_status parse_number(struct parser *p, uint32_t *ret)
{
    struct word w = take_word(p);
    uint64_t value = 0;

    if (w.size == 0)
        return fail(p, w.at, "expected a number");
    for (size_t i = 0; i < w.size; i++) {
        if (w.at[i] < '0' || w.at[i] > '9')
            return fail(p, w.at + i, "expected a decimal number");
        value = value * 10 + (uint64_t)(w.at[i] - '0');
        if (value > UINT32_MAX)
            return fail(p, w.at, "the number is larger than 4294967295");
    }
    *ret = (uint32_t)value;
    return VD_OK;
}

static vd_status parse_capabilities(struct parser *p, uint32_t *ret)
{
    for (;;) {
        struct word w = take_word(p);
        unsigned bit = 0;

        if (w.size == 0)
            return VD_OK;
        while (vd_boot_capability_name(bit) != NULL && !equals(w, vd_boot_capability_name(bit)))
            bit++;
        if (vd_boot_capability_name(bit) == NULL) {
            vd_diag_hint(p->diag, "known: secure-boot measured-boot encrypted-storage attestation "
                                  "rollback-protection");
            return fail(p, w.at, "unknown capability");
        }
        *ret |= 1u << bit;
    }
}

static vd_status parse_value(struct parser *p, enum setting setting)
{
    switch (setting) {
    case SETTING_REQUIRE:
        return parse_capabilities(p, &p->policy.required_capabilities);
    case SETTING_VERSION:
        return parse_number(p, &p->policy.min_security_version);
    default:
        return parse_number(p, &p->policy.min_signer_generation);
    }
}

static vd_status parse_line(struct parser *p)
{
    struct word name = take_word(p);
    size_t setting = 0;

    if (name.size == 0 && (p->pos == p->end || *p->pos == '#'))
        return VD_OK;
    while (setting < SETTING_COUNT && !equals(name, setting_names[setting]))
        setting++;
    if (setting == SETTING_COUNT) {
        vd_diag_hint(p->diag, "known: require, min-security-version, min-signer-generation");
        return fail(p, name.at, "unknown setting");
    }
    if (p->seen[setting])
        return fail(p, name.at, "the setting stands twice");
    p->seen[setting] = true;
    skip_blank(p);
    if (p->pos == p->end || *p->pos != '=')
        return fail(p, p->pos, "expected '='");
    p->pos++;
    VD_TRY(parse_value(p, (enum setting)setting));
    skip_blank(p);
    if (p->pos < p->end && *p->pos != '#')
        return fail(p, p->pos, "unexpected text after the value");
    return VD_OK;
}

vd_status vd_boot_policy_read(const char *data, size_t size, struct vd_boot_policy *ret,
                              struct vd_diag *diag)
{
    struct parser p = {.pos = data, .diag = diag};
    const char *end = data + size;

    if (size >= 8 && memcmp(data, VD_BOOT_POLICY_MAGIC, 8) == 0)
        return vd_boot_policy_parse(data, size, ret, diag);
    while (p.pos < end) {
        const char *newline = memchr(p.pos, '\n', (size_t)(end - p.pos));

        p.line++;
        p.line_start = p.pos;
        p.end = newline != NULL ? newline : end;
        VD_TRY(parse_line(&p));
        p.pos = newline != NULL ? newline + 1 : end;
    }
    *ret = p.policy;
    return VD_OK;
}

vd_status vd_boot_policy_load(const char *path, struct vd_boot_policy *ret, struct vd_diag *diag)
{
    VD_AUTO(vd_bytes_free) struct vd_bytes file = {};
    vd_status status;

    VD_TRY(vd_file_load(path, VD_BOOT_POLICY_TEXT_MAX_BYTES, &file, diag));
    status = vd_boot_policy_read((const char *)file.data, file.size, ret, diag);
    if (status != VD_OK)
        vd_diag_file(diag, path);
    return status;
}
