/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "lib/peers.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/abi/security.h"
#include "lib/diagf.h"
#include "lib/file.h"

void vd_peers_done(struct vd_peers *peers)
{
    free(peers->text);
    free(peers->rows);
    *peers = (struct vd_peers){};
}

const char *vd_peers_find(const struct vd_peers *peers, uint32_t uid)
{
    for (uint32_t i = 0; i < peers->count; i++) {
        if (peers->rows[i].uid == uid)
            return peers->rows[i].context;
    }
    return peers->otherwise;
}

/* Cuts the next word off `*inout`; empty at the end of the line. */
static char *next_word(char **inout)
{
    char *start = *inout + strspn(*inout, " \t\r");
    char *end = start + strcspn(start, " \t\r");

    *inout = end;
    if (*end != '\0') {
        *end = '\0';
        *inout = end + 1;
    }
    return start;
}

static bool parse_uid(const char *word, uint32_t *ret)
{
    char *end;
    unsigned long long uid;

    errno = 0;
    uid = strtoull(word, &end, 10);
    *ret = (uint32_t)uid;
    return isdigit((unsigned char)word[0]) && *end == '\0' && errno == 0 && uid < UINT32_MAX;
}

static bool known(const struct vd_peers *peers, uint32_t uid)
{
    for (uint32_t i = 0; i < peers->count; i++) {
        if (peers->rows[i].uid == uid)
            return true;
    }
    return false;
}

static vd_status parse_line(struct vd_peers *peers, char *line, uint32_t number,
                            struct vd_diag *diag)
{
    char *who = next_word(&line);
    char *context = next_word(&line);
    bool other = strcmp(who, "*") == 0;
    uint32_t uid = 0;

    if (who[0] == '\0' || who[0] == '#')
        return VD_OK;
    if (!other && !parse_uid(who, &uid))
        return vd_diagf_line(diag, VD_E_SYNTAX, number, 1, "\"%s\" is no user id and not *", who);
    if (context[0] == '\0' || next_word(&line)[0] != '\0')
        return vd_diagf_line(diag, VD_E_SYNTAX, number, 0, "expected UID CONTEXT");
    if (strlen(context) > VD_SEC_CONTEXT_MAX)
        return vd_diagf_line(diag, VD_E_LIMIT, number, 0, "the context is too long");
    if (other ? peers->otherwise != NULL : known(peers, uid))
        return vd_diagf_line(diag, VD_E_EXISTS, number, 0, "%s has a line already", who);
    if (other) {
        peers->otherwise = context;
        return VD_OK;
    }
    if (peers->count >= VD_PEERS_MAX)
        return vd_diagf_line(diag, VD_E_LIMIT, number, 0, "more than %u lines", VD_PEERS_MAX);
    peers->rows[peers->count++] = (struct vd_peer_row){uid, context};
    return VD_OK;
}

vd_status vd_peers_load(const char *path, struct vd_peers *ret, struct vd_diag *diag)
{
    struct vd_bytes bytes = {};
    struct vd_peers peers = {};
    vd_status status = VD_OK;
    char *line;

    VD_TRY(vd_file_load(path, VD_PEERS_MAX_BYTES, &bytes, diag));
    peers.text = (char *)bytes.data;
    peers.rows = calloc(VD_PEERS_MAX, sizeof(*peers.rows));
    line = peers.text;
    if (peers.rows == NULL)
        status = VD_E_NO_MEMORY;
    else if (memchr(bytes.data, '\0', bytes.size) != NULL)
        status = vd_diagf(diag, VD_E_SYNTAX, "this is no text file");
    for (uint32_t number = 1; status == VD_OK && line != NULL; number++) {
        char *end = strchr(line, '\n');
        if (end != NULL)
            *end = '\0';
        status = parse_line(&peers, line, number, diag);
        line = end == NULL ? NULL : end + 1;
    }
    if (status != VD_OK) {
        vd_diag_file(diag, path);
        vd_peers_done(&peers);
        return status;
    }
    *ret = peers;
    return VD_OK;
}
