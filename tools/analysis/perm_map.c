/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/analysis/perm_map.h"

#include <stdlib.h>
#include <string.h>

#include "lib/diagf.h"

#define LINE_MAX_BYTES 256u

/*
 * The standard map: by the permission's name in any class, unless a row for the
 * class itself (its name or its beginning, ending with '*') stands before.
 */
static const struct row {
    const char *class; /* NULL: any */
    const char *perms; /* separated by blanks */
    uint8_t read, write;
} standard[] = {
    /* Of the object's own class, where the name means something else elsewhere. */
    {"dir", "search", 1, 0},
    {"dir", "add_name remove_name reparent rmdir", 0, 5},
    {"process", "ptrace", 10, 10},
    {"process", "share", 10, 10},
    {"process", "getsched getsession getpgid getcap getrlimit getattr", 3, 0},
    {"process", "setsched setpgid setcap setrlimit", 0, 3},
    {"process", "transition dyntransition", 0, 1},
    {"process", "signal sigkill sigstop signull sigchld siginh rlimitinh", 0, 1},
    {"process", "*", 0, 0},
    {"capability*", "*", 0, 0},
    {"cap_userns", "*", 0, 0},
    {"cap2_userns", "*", 0, 0},
    {"security", "*", 0, 0},
    {"filesystem", "getattr quotaget", 1, 0},
    {"filesystem", "quotamod", 0, 1},
    {"filesystem", "*", 0, 0},
    {"system", "syslog_read ipc_info", 7, 0},
    {"system", "syslog_mod", 0, 1},
    {"system", "*", 0, 0},
    {"fd", "use", 1, 1},
    {"shm", "lock", 0, 1},
    {"nscd", "*", 7, 0},
    {"dbus", "send_msg", 0, 10},
    {"binder", "call transfer", 0, 10},
    {"binder", "impersonate set_context_mgr", 0, 1},
    {"association", "sendto", 0, 10},
    {"association", "recvfrom", 10, 0},
    {"key", "search link", 1, 0},
    {"service", "status", 1, 0},
    {"service", "start stop reload enable disable", 0, 1},
    {"bpf", "map_read", 10, 0},
    {"bpf", "map_write prog_load", 0, 10},
    {"peer", "recv", 10, 0},
    {"packet", "recv flow_in forward_in", 10, 0},
    {"packet", "send flow_out forward_out", 0, 10},
    /* The content. */
    {NULL, "read", 10, 0},
    {NULL, "write append", 0, 10},
    {NULL, "execute", 10, 0},
    {NULL, "execute_no_trans entrypoint", 1, 0},
    {NULL, "relabelfrom", 10, 0},
    {NULL, "relabelto", 0, 10},
    {NULL, "recv recvfrom recv_msg receive unix_read", 10, 0},
    {NULL, "send sendto send_msg enqueue unix_write", 0, 10},
    {NULL, "tcp_recv udp_recv dccp_recv rawip_recv ingress", 10, 0},
    {NULL, "tcp_send udp_send dccp_send rawip_send egress", 0, 10},
    {NULL, "connectto", 10, 10},
    {NULL, "nlmsg_read nlmsg_readpriv", 10, 0},
    {NULL, "nlmsg_write nlmsg_relay nlmsg_tty_audit", 0, 10},
    {NULL, "nlmsg", 10, 10},
    {NULL, "select copy export get get_value get_param getcrl", 10, 0},
    {NULL, "update insert delete import set set_value set_param paste", 0, 10},
    {NULL, "mmap view", 10, 0},
    {NULL, "watch watch_reads watch_mount watch_sb watch_with_perm", 5, 0},
    /* What is known about it. */
    {NULL, "getattr list list_child list_property get_property", 7, 0},
    {NULL, "setattr set_property add_child remove_child", 0, 7},
    {NULL, "getopt accept listen", 1, 0},
    {NULL, "setopt connect bind shutdown", 0, 1},
    {NULL, "create unlink link rename destroy drop", 0, 1},
};

static bool has_word(const char *list, const char *word)
{
    size_t len = strlen(word);

    if (strcmp(list, "*") == 0)
        return true;
    for (const char *at = list; (at = strstr(at, word)) != NULL; at += len) {
        if ((at == list || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
            return true;
    }
    return false;
}

static bool is_class(const char *pattern, const char *class)
{
    size_t len = pattern == NULL ? 0 : strlen(pattern);

    if (pattern == NULL)
        return true;
    return pattern[len - 1] == '*' ? strncmp(pattern, class, len - 1) == 0
                                   : strcmp(pattern, class) == 0;
}

static vd_status map_init(const struct vd_policydb *db, struct vd_perm_map *ret)
{
    ret->classes = vd_policydb_header(db)->classes;
    ret->of = calloc(ret->classes, sizeof(*ret->of));
    return ret->of == NULL ? VD_E_NO_MEMORY : VD_OK;
}

vd_status vd_perm_map_standard(const struct vd_policydb *db, struct vd_perm_map *ret)
{
    struct vd_perm_map map;

    VD_TRY(map_init(db, &map));
    for (uint32_t class = 1; class < map.classes; class ++) {
        const char *class_name = vd_policydb_name(db, VD_SYM_CLASS, class);

        for (uint32_t bit = 0; bit < VD_PDB_MAX_PERMS; bit++) {
            const char *name = vd_policydb_perm_name(db, class, bit);

            for (size_t i = 0; name != NULL && i < VD_COUNT(standard); i++) {
                if (!is_class(standard[i].class, class_name) || !has_word(standard[i].perms, name))
                    continue;
                map.of[class][bit] =
                    (struct vd_perm_weight){.read = standard[i].read, .write = standard[i].write};
                break;
            }
        }
    }
    *ret = map;
    return VD_OK;
}

/* ------------------------------------------------------------------ files */

struct parser {
    const struct vd_policydb *db;
    const char *at, *end;
    uint32_t line;
    struct vd_perm_map *map;
    struct vd_diag *diag;
};

/* The words of the next line that has some; 0: the end. At most `max`; more is an error. */
static vd_status next_line(struct parser *p, char *buf, char **words, uint32_t max,
                           uint32_t *ret_count)
{
    *ret_count = 0;
    while (*ret_count == 0 && p->at < p->end) {
        const char *eol = memchr(p->at, '\n', (size_t)(p->end - p->at));
        size_t len = (size_t)((eol == NULL ? p->end : eol) - p->at);
        char *rest = buf, *word;

        p->line++;
        if (len >= LINE_MAX_BYTES && p->at[0] != '#')
            return vd_diagf_line(p->diag, VD_E_LIMIT, p->line, 0, "a line of more than %u bytes",
                                 LINE_MAX_BYTES - 1);
        len = len < LINE_MAX_BYTES ? len : 0;
        memcpy(buf, p->at, len);
        buf[len] = '\0';
        buf[strcspn(buf, "#")] = '\0';
        p->at = eol == NULL ? p->end : eol + 1;
        while ((word = strtok_r(NULL, " \t\r", &rest)) != NULL) {
            if (*ret_count == max)
                return vd_diagf_line(p->diag, VD_E_SYNTAX, p->line, 0, "too many words");
            words[(*ret_count)++] = word;
        }
    }
    return VD_OK;
}

static bool parse_count(const char *word, uint32_t min, uint32_t max, uint32_t *ret)
{
    char *end;
    unsigned long value;

    if (*word < '0' || *word > '9')
        return false;
    value = strtoul(word, &end, 10);
    if (*end != '\0' || value < min || value > max)
        return false;
    *ret = (uint32_t)value;
    return true;
}

static vd_status parse_perm(struct parser *p, uint32_t class)
{
    char buf[LINE_MAX_BYTES], *words[3];
    uint32_t count, weight = VD_PERM_MAP_MAX, mask;

    VD_TRY(next_line(p, buf, words, 3, &count));
    if (count == 0)
        return vd_diagf_line(p->diag, VD_E_TRUNCATED, p->line, 0,
                             "the map ends in the middle of a class");
    if (count < 2 || words[1][1] != '\0' || strchr("rwbnu", words[1][0]) == NULL)
        return vd_diagf_line(p->diag, VD_E_SYNTAX, p->line, 0,
                             "expected PERMISSION r|w|b|n|u [WEIGHT]");
    if (count == 3 && !parse_count(words[2], 1, VD_PERM_MAP_MAX, &weight))
        return vd_diagf_line(p->diag, VD_E_RANGE, p->line, 0, "the weight is 1 to %u",
                             VD_PERM_MAP_MAX);
    if (class == 0 ||
        vd_policydb_find_perm(p->db, class, words[0], strlen(words[0]), &mask) != VD_OK)
        return VD_OK;
    p->map->of[class][__builtin_ctz(mask)] =
        (struct vd_perm_weight){.read = strchr("rb", words[1][0]) != NULL ? (uint8_t)weight : 0,
                                .write = strchr("wb", words[1][0]) != NULL ? (uint8_t)weight : 0};
    return VD_OK;
}

static vd_status parse_class(struct parser *p)
{
    char buf[LINE_MAX_BYTES], *words[3];
    uint32_t count, perms, class = 0;

    VD_TRY(next_line(p, buf, words, 3, &count));
    if (count != 3 || strcmp(words[0], "class") != 0 || !parse_count(words[2], 1, 1024, &perms))
        return vd_diagf_line(p->diag, count == 0 ? VD_E_TRUNCATED : VD_E_SYNTAX, p->line, 0,
                             "expected class NAME COUNT");
    (void)!vd_policydb_find(p->db, VD_SYM_CLASS, words[1], strlen(words[1]), &class);
    for (uint32_t i = 0; i < perms; i++)
        VD_TRY(parse_perm(p, class));
    return VD_OK;
}

static vd_status parse_all(struct parser *p)
{
    char buf[LINE_MAX_BYTES], *words[3];
    uint32_t count, classes;

    VD_TRY(next_line(p, buf, words, 3, &count));
    if (count != 1 || !parse_count(words[0], 1, 4096, &classes))
        return vd_diagf_line(p->diag, VD_E_SYNTAX, p->line, 0, "expected the number of classes");
    for (uint32_t i = 0; i < classes; i++)
        VD_TRY(parse_class(p));
    VD_TRY(next_line(p, buf, words, 3, &count));
    if (count != 0)
        return vd_diagf_line(p->diag, VD_E_TRAILING, p->line, 0,
                             "there is something after the last class");
    return VD_OK;
}

vd_status vd_perm_map_parse(const struct vd_policydb *db, const char *text, size_t size,
                            struct vd_perm_map *ret, struct vd_diag *diag)
{
    struct vd_perm_map map;
    struct parser p = {.db = db, .at = text, .end = text + size, .map = &map, .diag = diag};
    vd_status status;

    if (map_init(db, &map) != VD_OK)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    status = parse_all(&p);
    if (status == VD_OK)
        *ret = map;
    else
        vd_perm_map_done(&map);
    return status;
}

void vd_perm_map_done(struct vd_perm_map *map)
{
    free(map->of);
    *map = (struct vd_perm_map){};
}

uint32_t vd_perm_map_mask(const struct vd_perm_map *map, uint32_t class, bool write,
                          uint32_t min_weight)
{
    uint32_t mask = 0;

    for (uint32_t bit = 0; bit < VD_PDB_MAX_PERMS; bit++) {
        const struct vd_perm_weight *w = &map->of[class][bit];

        if ((write ? w->write : w->read) >= (min_weight == 0 ? 1 : min_weight))
            mask |= 1u << bit;
    }
    return mask;
}
