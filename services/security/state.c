/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "services/security/state.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/crc64.h"
#include "core/base/mem.h"
#include "core/base/reader.h"

#define VERSION   1u
#define CRC_BYTES 8u

void vd_secd_state_done(struct vd_secd_state *state)
{
    free(state->bools);
    *state = (struct vd_secd_state){};
}

vd_status vd_secd_state_copy(const struct vd_secd_state *state, struct vd_secd_state *ret)
{
    struct vd_secd_bool *bools = calloc(state->bool_count + 1, sizeof(*bools));

    if (bools == NULL)
        return VD_E_NO_MEMORY;
    if (state->bool_count != 0)
        vd_copy(bools, state->bools, state->bool_count * sizeof(*bools));
    *ret = *state;
    ret->bools = bools;
    return VD_OK;
}

const struct vd_secd_bool *vd_secd_state_find(const struct vd_secd_state *state, const char *name)
{
    for (uint32_t i = 0; i < state->bool_count; i++) {
        if (strcmp(state->bools[i].name, name) == 0)
            return &state->bools[i];
    }
    return NULL;
}

vd_status vd_secd_state_set(struct vd_secd_state *state, const char *name, bool value,
                            bool persistent)
{
    struct vd_secd_bool *found = (struct vd_secd_bool *)(uintptr_t)vd_secd_state_find(state, name);
    size_t len = strlen(name);

    if (len == 0 || len > VD_PDB_MAX_NAME)
        return VD_E_INVALID;
    if (found == NULL) {
        if (state->bool_count >= VD_PDB_MAX_BOOLS)
            return VD_E_LIMIT;
        found = realloc(state->bools, (state->bool_count + 1) * sizeof(*found));
        if (found == NULL)
            return VD_E_NO_MEMORY;
        state->bools = found;
        found += state->bool_count++;
        *found = (struct vd_secd_bool){};
        vd_copy(found->name, name, len);
    }
    found->value = value;
    found->persistent = persistent;
    return VD_OK;
}

void vd_secd_state_push(struct vd_secd_state *state, uint64_t number)
{
    if (state->active != 0) {
        uint32_t kept =
            state->history_count < VD_SECD_HISTORY ? state->history_count : VD_SECD_HISTORY - 1;
        memmove(&state->history[1], &state->history[0], kept * sizeof(state->history[0]));
        state->history[0] = state->active;
        state->history_count = kept + 1;
    }
    state->active = number;
}

vd_status vd_secd_state_pop(struct vd_secd_state *state)
{
    if (state->history_count == 0)
        return VD_E_NOT_FOUND;
    state->active = state->history[0];
    state->history_count--;
    memmove(&state->history[0], &state->history[1],
            state->history_count * sizeof(state->history[0]));
    state->history[state->history_count] = 0;
    return VD_OK;
}

bool vd_secd_state_refers(const struct vd_secd_state *state, uint64_t number)
{
    bool refers = number == state->active || number == state->staged;

    for (uint32_t i = 0; i < state->history_count; i++)
        refers = refers || number == state->history[i];
    return refers;
}

static uint32_t persistent_count(const struct vd_secd_state *state)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < state->bool_count; i++)
        count += state->bools[i].persistent;
    return count;
}

void vd_secd_state_encode(const struct vd_secd_state *state, struct vd_writer *w)
{
    size_t start = w->len;

    vd_write_bytes(w, VD_SECD_STATE_MAGIC, sizeof(VD_SECD_STATE_MAGIC) - 1);
    vd_write_le32(w, VERSION);
    vd_write_le32(w, state->sequence);
    vd_write_le64(w, state->next);
    vd_write_le64(w, state->active);
    vd_write_le64(w, state->staged);
    vd_write_le32(w, state->history_count);
    for (uint32_t i = 0; i < VD_SECD_HISTORY; i++)
        vd_write_le64(w, i < state->history_count ? state->history[i] : 0);
    vd_write_le32(w, state->unconfirmed);
    vd_write_le64(w, state->unconfirmed ? state->deadline_ns : 0);
    vd_write_bytes(w, state->boot_id, sizeof(state->boot_id));
    vd_write_le32(w, persistent_count(state));
    for (uint32_t i = 0; i < state->bool_count; i++) {
        size_t len = strlen(state->bools[i].name);
        if (!state->bools[i].persistent)
            continue;
        vd_write_u8(w, state->bools[i].value);
        vd_write_u8(w, (uint8_t)len);
        vd_write_bytes(w, state->bools[i].name, len);
    }
    if (!w->full)
        vd_write_le64(w, vd_crc64(0, w->buf + start, w->len - start));
}

static vd_status read_fixed(struct vd_reader *r, struct vd_secd_state *s, uint32_t *ret_bools)
{
    uint32_t unconfirmed;

    VD_TRY(vd_read_le32(r, &s->sequence));
    VD_TRY(vd_read_le64(r, &s->next));
    VD_TRY(vd_read_le64(r, &s->active));
    VD_TRY(vd_read_le64(r, &s->staged));
    VD_TRY(vd_read_le32(r, &s->history_count));
    for (uint32_t i = 0; i < VD_SECD_HISTORY; i++)
        VD_TRY(vd_read_le64(r, &s->history[i]));
    VD_TRY(vd_read_le32(r, &unconfirmed));
    VD_TRY(vd_read_le64(r, &s->deadline_ns));
    VD_TRY(vd_read_copy(r, s->boot_id, sizeof(s->boot_id)));
    VD_TRY(vd_read_le32(r, ret_bools));
    s->unconfirmed = unconfirmed != 0;
    return unconfirmed > 1 ? VD_E_INVALID : VD_OK;
}

/* Numbers below `next`, each in one place, no gap in the history. */
static bool numbers_fit(const struct vd_secd_state *s)
{
    if (s->history_count > VD_SECD_HISTORY || s->next == 0 || s->active >= s->next ||
        s->staged >= s->next || (s->unconfirmed && s->history_count == 0) ||
        (s->active == 0 && s->history_count != 0) || (s->staged != 0 && s->staged == s->active))
        return false;
    for (uint32_t i = 0; i < VD_SECD_HISTORY; i++) {
        if ((s->history[i] != 0) != (i < s->history_count) || s->history[i] >= s->next)
            return false;
    }
    return true;
}

static vd_status read_bool(struct vd_reader *r, struct vd_secd_state *s)
{
    char name[VD_PDB_MAX_NAME + 1] = {};
    const uint8_t *bytes;
    uint8_t value, len;

    VD_TRY(vd_read_u8(r, &value));
    VD_TRY(vd_read_u8(r, &len));
    VD_TRY(vd_read_bytes(r, len, &bytes));
    if (value > 1 || memchr(bytes, '\0', len) != NULL)
        return VD_E_INVALID;
    vd_copy(name, bytes, len);
    if (vd_secd_state_find(s, name) != NULL)
        return VD_E_EXISTS;
    return vd_secd_state_set(s, name, value != 0, true);
}

static vd_status read_body(struct vd_reader *r, struct vd_secd_state *s)
{
    uint32_t bools;

    VD_TRY(read_fixed(r, s, &bools));
    if (!numbers_fit(s))
        return VD_E_INVALID;
    if (bools > VD_PDB_MAX_BOOLS)
        return VD_E_LIMIT;
    for (uint32_t i = 0; i < bools; i++)
        VD_TRY(read_bool(r, s));
    return vd_read_done(r);
}

vd_status vd_secd_state_parse(const void *data, size_t size, struct vd_secd_state *ret,
                              struct vd_diag *diag)
{
    struct vd_secd_state state = {};
    const uint8_t *magic;
    uint32_t version;
    uint64_t crc = 0;
    struct vd_reader r, tail;
    vd_status status;

    if (size < sizeof(VD_SECD_STATE_MAGIC) - 1 + sizeof(version) + CRC_BYTES)
        return vd_diag_fail_at(diag, VD_E_TRUNCATED, size, "the state ends within its header");
    vd_reader_init(&r, data, size - CRC_BYTES);
    vd_reader_init(&tail, (const uint8_t *)data + size - CRC_BYTES, CRC_BYTES);
    VD_TRY(vd_read_bytes(&r, sizeof(VD_SECD_STATE_MAGIC) - 1, &magic));
    VD_TRY(vd_read_le32(&r, &version));
    VD_TRY(vd_read_le64(&tail, &crc));
    if (memcmp(magic, VD_SECD_STATE_MAGIC, sizeof(VD_SECD_STATE_MAGIC) - 1) != 0)
        return vd_diag_fail_at(diag, VD_E_MAGIC, 0, "this is no state of the security server");
    if (version != VERSION)
        return vd_diag_fail_at(diag, VD_E_VERSION, 8, "this version of the state is not known");
    if (vd_crc64(0, data, size - CRC_BYTES) != crc)
        return vd_diag_fail_at(diag, VD_E_CHECKSUM, size - CRC_BYTES, "the state is damaged");
    status = read_body(&r, &state);
    if (status != VD_OK) {
        vd_secd_state_done(&state);
        return vd_diag_fail_at(diag, status, vd_reader_offset(&r), "the state is not valid");
    }
    *ret = state;
    return VD_OK;
}
