/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/sepolicy/gen/book.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/crc64.h"

uint32_t vd_sp_book_text(struct vd_sp_book *book, const char *text, size_t size)
{
    struct vd_sp_arena *arena = &book->image->c->sp->arena;
    uint32_t start = book->strings.count;

    for (size_t i = 0; i < size; i++)
        *VD_SP_PUSH(arena, &book->strings) = text[i];
    *VD_SP_PUSH(arena, &book->strings) = '\0';
    return start;
}

/* The row of the file with this name, which is added if it is new. */
static uint32_t file_row(struct vd_sp_book *book, const char *file, size_t size)
{
    struct vd_sp *sp = book->image->c->sp;
    uint32_t name;

    if (size > VD_RULEBOOK_MAX_TEXT)
        size = VD_RULEBOOK_MAX_TEXT;
    name = vd_sp_name(&sp->names, file, size);
    while (book->file_of.count <= name)
        *VD_SP_PUSH(&sp->arena, &book->file_of) = 0;
    if (book->file_of.data[name] == 0) {
        uint32_t text = vd_sp_book_text(book, file, size);

        book->file_of.data[name] = book->files.count;
        *VD_SP_PUSH(&sp->arena, &book->files) = text;
    }
    book->last_name = name;
    return book->file_of.data[name];
}

/* Keeps for the next compilation which line a rule stands on. */
static void note(struct vd_sp_book *book, struct vd_sp_rule_note *ret,
                 const struct vd_sp_line *line)
{
    if (line->column > UINT16_MAX)
        return;
    ret->line = line->line;
    ret->column = (uint16_t)line->column;
    ret->file = line->marked ? book->last_name : 0;
}

/* Works out the row's place and adds it to the rules; rows come in the order of their places. */
static void add(struct vd_sp_book *book, const struct vd_sp_book_row *row)
{
    struct vd_sp *sp = book->image->c->sp;
    struct vd_rule *rule = VD_SP_PUSH(&sp->arena, &book->rules);
    struct vd_sp_line line;

    *rule = row->rule;
    if (!vd_sp_find_line(&sp->messages, row->place, &line))
        return;
    if (book->last_file == 0 ||
        strcmp(book->strings.data + book->files.data[book->last_file], line.file) != 0)
        book->last_file = file_row(book, line.file, strlen(line.file));
    rule->file = book->last_file;
    rule->line = line.line;
    if (row->av != 0 && sp->options->keep_cache)
        note(book, &sp->rule_notes.data[row->av - 1], &line);
}

/* The access vectors, which are in the order of their places, and the rest as one list. */
static void merge(struct vd_sp_book *book)
{
    const struct vd_sp_book_row *other = book->others.data;
    uint32_t left = book->others.count;
    struct vd_sp_book_row row = {};

    for (uint32_t i = 0; i < book->image->c->avs.count; i++) {
        vd_sp_book_av(book, i, &row);
        for (; left > 0 && other->place <= row.place; left--)
            add(book, other++);
        add(book, &row);
    }
    for (; left > 0; left--)
        add(book, other++);
}

struct part {
    const void *data;
    uint32_t rows;
    uint32_t row_size;
};

#define PART(vec)                                    \
    (struct part)                                    \
    {                                                \
        (vec).data, (vec).count, sizeof(*(vec).data) \
    }

static vd_status lay_out(const struct part *parts, struct vd_rulebook_header *head)
{
    uint64_t end = VD_RULEBOOK_HEADER_SIZE;

    for (uint32_t i = 0; i < VD_BOOK_SECTIONS; i++) {
        uint64_t size = (uint64_t)parts[i].rows * parts[i].row_size;

        if (end + size + VD_PDB_ALIGN > VD_RULEBOOK_MAX_SIZE)
            return VD_E_LIMIT;
        head->sections[i] = (struct vd_pdb_section_row){
            .offset = (uint32_t)end, .size = (uint32_t)size, .count = parts[i].rows};
        end = (end + size + VD_PDB_ALIGN - 1) & ~(uint64_t)(VD_PDB_ALIGN - 1);
    }
    head->total_size = (uint32_t)end;
    return VD_OK;
}

vd_status vd_sp_book_append(struct vd_sp_image *image, uint8_t **blob, size_t *size)
{
    struct vd_sp_arena *arena = &image->c->sp->arena;
    struct vd_sp_book book = {.image = image};
    struct vd_rulebook_header head = {.version = VD_RULEBOOK_VERSION,
                                      .header_size = VD_RULEBOOK_HEADER_SIZE};
    const struct vd_pdb_header *blob_head = (const void *)*blob;
    struct part parts[VD_BOOK_SECTIONS];
    uint8_t *whole, *start;

    vd_sp_book_fill(&book);
    merge(&book);
    VD_SP_VEC_RELEASE(arena, &book.others);
    VD_SP_VEC_RELEASE(arena, &image->c->avs);
    if (!image->c->sp->options->keep_cache)
        VD_SP_VEC_RELEASE(arena, &image->c->sp->rules);
    if (book.rules.count > VD_RULEBOOK_MAX_RULES || book.sets.count > VD_RULEBOOK_MAX_SETS)
        return VD_E_LIMIT;
    parts[VD_BOOK_STRINGS] = PART(book.strings);
    parts[VD_BOOK_FILES] = PART(book.files);
    parts[VD_BOOK_SETS] = PART(book.sets);
    parts[VD_BOOK_ITEMS] = PART(book.items);
    parts[VD_BOOK_CONDS] = PART(book.conds);
    parts[VD_BOOK_COND_NODES] = PART(book.cond_nodes);
    parts[VD_BOOK_SPANS] = PART(book.spans);
    parts[VD_BOOK_RULES] = PART(book.rules);
    VD_TRY(lay_out(parts, &head));
    memcpy(head.magic, VD_PDB_RULEBOOK_MAGIC, sizeof(head.magic));
    head.blob_checksum = blob_head->checksum;
    head.blob_size = blob_head->total_size;
    whole = realloc(*blob, *size + head.total_size);
    if (whole == NULL)
        return VD_E_NO_MEMORY;
    *blob = whole;
    start = whole + *size;
    memset(start, 0, head.sections[VD_BOOK_RULES].offset);
    memset(start + head.total_size - VD_PDB_ALIGN, 0, VD_PDB_ALIGN); /* padding */
    for (uint32_t i = 0; i < VD_BOOK_RULES; i++) {
        if (head.sections[i].size > 0)
            memcpy(start + head.sections[i].offset, parts[i].data, head.sections[i].size);
    }
    vd_sp_drain(start + head.sections[VD_BOOK_RULES].offset, book.rules.data,
                head.sections[VD_BOOK_RULES].size,
                (size_t)book.rules.room * sizeof(*book.rules.data));
    memcpy(start, &head, sizeof(head));
    head.checksum = vd_crc64(0, start, head.total_size);
    memcpy(start, &head, sizeof(head));
    *size += head.total_size;
    return VD_OK;
}
