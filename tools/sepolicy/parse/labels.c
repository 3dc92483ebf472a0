/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Labelling statements: contexts of file systems, ports, interfaces, network
 * addresses and InfiniBand's keys and ports. File systems, paths, addresses and
 * devices are words of their own shape, not names of the language.
 */
#include "tools/sepolicy/parse/parser.h"

#include <arpa/inet.h>
#include <string.h>

/*
 * The word that begins with the parser's next token, up to the next white
 * space, or a string; `what` as "a file system". What follows must stand behind
 * a blank.
 */
static bool take_word(struct vd_sp_parser *parser, const char *what, uint32_t max,
                      struct vd_sp_item *ret)
{
    struct vd_sp *sp = parser->sp;
    struct vd_sp_token word = parser->token;
    uint32_t kind = word.kind;

    if (kind == VD_SP_TOKEN_BAD || kind == VD_SP_TOKEN_END || kind == ';' || kind == '}')
        return vd_sp_unexpected(parser, what);
    if (kind != VD_SP_TOKEN_STRING) {
        parser->lexer.at = parser->lexer.start + (word.place - parser->lexer.first);
        vd_sp_lex_word(&parser->lexer, &word);
    }
    if (sp->names.list.data[word.name].size > max) {
        vd_sp_error(&sp->messages, word.place, "%s has at most %u bytes", what, max);
        return false;
    }
    *ret = (struct vd_sp_item){.name = word.name, .place = word.place & VD_SP_PLACE_MASK};
    vd_sp_next(parser);
    return true;
}

/* NUMBER or NUMBER - NUMBER, up to `max`. */
static bool take_range(struct vd_sp_parser *parser, const char *what, uint64_t max,
                       struct vd_sp_label *label)
{
    struct vd_sp *sp = parser->sp;
    uint32_t place = parser->token.place;

    label->low = parser->token.number;
    if (!vd_sp_expect(parser, VD_SP_TOKEN_NUMBER, what))
        return false;
    label->high = label->low;
    if (vd_sp_accept(parser, '-')) {
        label->high = parser->token.number;
        if (!vd_sp_expect(parser, VD_SP_TOKEN_NUMBER, what))
            return false;
    }
    if (label->low > max || label->high > max) {
        vd_sp_error(&sp->messages, place, "expected %s up to %llu", what, (unsigned long long)max);
        return false;
    }
    if (label->low > label->high) {
        vd_sp_error(&sp->messages, place, "this range runs backwards");
        return false;
    }
    return true;
}

/* The contexts, and the ';' that only fs_use_… has to have. */
static bool finish(struct vd_sp_parser *parser, struct vd_sp_label *label, uint32_t contexts)
{
    for (uint32_t i = 0; i < contexts; i++) {
        if (!vd_sp_parse_context(parser, &label->contexts[i]))
            return false;
    }
    label->place = parser->start;
    label->block = parser->block;
    *VD_SP_PUSH(&parser->sp->arena, &parser->sp->labels) = *label;
    if (label->kind == VD_SP_LABEL_FS_USE)
        return vd_sp_end_statement(parser);
    (void)vd_sp_accept(parser, ';');
    return true;
}

/* fs_use_xattr|fs_use_trans|fs_use_task FILESYSTEM CONTEXT; */
bool vd_sp_st_fs_use(struct vd_sp_parser *parser)
{
    struct vd_sp_label label = {.kind = VD_SP_LABEL_FS_USE, .detail = VD_FS_USE_XATTR};

    if (parser->keyword == VD_SP_KW_FS_USE_TRANS)
        label.detail = VD_FS_USE_TRANS;
    else if (parser->keyword == VD_SP_KW_FS_USE_TASK)
        label.detail = VD_FS_USE_TASK;
    return take_word(parser, "a file system", VD_PDB_MAX_NAME, &label.name) &&
           finish(parser, &label, 1);
}

/* The letter behind the '-' of a file kind. */
static bool take_file_kind(struct vd_sp_parser *parser, uint8_t *ret)
{
    static const struct {
        char letter[2];
        enum vd_sp_file_kind kind;
    } kinds[] = {{"b", VD_SP_FILE_BLOCK}, {"c", VD_SP_FILE_CHAR}, {"d", VD_SP_FILE_DIR},
                 {"p", VD_SP_FILE_FIFO},  {"l", VD_SP_FILE_LINK}, {"s", VD_SP_FILE_SOCKET}};

    if (vd_sp_accept(parser, '-')) {
        *ret = VD_SP_FILE_REGULAR;
        return true;
    }
    for (size_t i = 0; i < VD_COUNT(kinds) && parser->token.kind == VD_SP_TOKEN_NAME; i++) {
        if (strcmp(vd_sp_str(parser->sp, parser->token.name), kinds[i].letter) == 0) {
            *ret = kinds[i].kind;
            vd_sp_next(parser);
            return true;
        }
    }
    return vd_sp_unexpected(parser, "a kind of file: -b, -c, -d, -p, -l, -s or --");
}

/* genfscon FILESYSTEM PATH [-b|-c|-d|-p|-l|-s|--] CONTEXT */
bool vd_sp_st_genfscon(struct vd_sp_parser *parser)
{
    struct vd_sp_label label = {.kind = VD_SP_LABEL_GENFS};

    if (!take_word(parser, "a file system", VD_PDB_MAX_NAME, &label.name) ||
        !take_word(parser, "a path", VD_PDB_MAX_PATH, &label.path))
        return false;
    if (vd_sp_str(parser->sp, label.path.name)[0] != '/') {
        vd_sp_error(&parser->sp->messages, label.path.place, "a path begins with '/'");
        return false;
    }
    if (vd_sp_accept(parser, '-') && !take_file_kind(parser, &label.detail))
        return false;
    return finish(parser, &label, 1);
}

/* fscon MAJOR MINOR CONTEXT CONTEXT: read as checkpolicy does; no kernel uses it */
bool vd_sp_st_fscon(struct vd_sp_parser *parser)
{
    struct vd_sp_label label = {.kind = VD_SP_LABEL_FSCON};
    uint32_t major = parser->token.number, minor;
    const char *text;

    if (!vd_sp_expect(parser, VD_SP_TOKEN_NUMBER, "a device's major number"))
        return false;
    minor = parser->token.number;
    if (!vd_sp_expect(parser, VD_SP_TOKEN_NUMBER, "a device's minor number"))
        return false;
    text = vd_sp_text(&parser->sp->arena, "%02x:%02x", major, minor);
    label.name.name = vd_sp_name(&parser->sp->names, text, strlen(text));
    label.name.place = parser->start & VD_SP_PLACE_MASK;
    return finish(parser, &label, 2);
}

/* portcon tcp|udp|dccp|sctp PORT[-PORT] CONTEXT */
bool vd_sp_st_portcon(struct vd_sp_parser *parser)
{
    static const struct {
        const char *lower, *upper;
        enum vd_pdb_protocol number;
    } protocols[] = {{"tcp", "TCP", VD_PROTOCOL_TCP},
                     {"udp", "UDP", VD_PROTOCOL_UDP},
                     {"dccp", "DCCP", VD_PROTOCOL_DCCP},
                     {"sctp", "SCTP", VD_PROTOCOL_SCTP}};
    struct vd_sp_label label = {.kind = VD_SP_LABEL_PORT};

    for (size_t i = 0; i < VD_COUNT(protocols) && parser->token.kind == VD_SP_TOKEN_NAME; i++) {
        const char *word = vd_sp_str(parser->sp, parser->token.name);

        if (strcmp(word, protocols[i].lower) == 0 || strcmp(word, protocols[i].upper) == 0)
            label.detail = (uint8_t)protocols[i].number;
    }
    if (label.detail == 0)
        return vd_sp_unexpected(parser, "a protocol: tcp, udp, dccp or sctp");
    vd_sp_next(parser);
    return take_range(parser, "a port", VD_PDB_MAX_PORT, &label) && finish(parser, &label, 1);
}

/* netifcon INTERFACE CONTEXT CONTEXT: of the interface, of what it receives */
bool vd_sp_st_netifcon(struct vd_sp_parser *parser)
{
    struct vd_sp_label label = {.kind = VD_SP_LABEL_NETIF};

    return take_word(parser, "an interface", VD_PDB_MAX_NAME, &label.name) &&
           finish(parser, &label, 2);
}

static bool bad_address(struct vd_sp_parser *parser, const struct vd_sp_item *word,
                        const char *what)
{
    vd_sp_error(&parser->sp->messages, word->place, "'%s' is not %s",
                vd_sp_str(parser->sp, word->name), what);
    return false;
}

/* An address without a length; 4, 6, or 0 if it is none. */
static uint8_t read_address(const char *text, uint8_t ret[16])
{
    memset(ret, 0, 16);
    if (inet_pton(AF_INET, text, ret) == 1)
        return 4;
    return inet_pton(AF_INET6, text, ret) == 1 ? 6 : 0;
}

/* ADDRESS/LENGTH; false: reported. */
static bool read_cidr(struct vd_sp_parser *parser, const struct vd_sp_item *word,
                      struct vd_sp_label *label)
{
    const char *text = vd_sp_str(parser->sp, word->name);
    const char *slash = strchr(text, '/');
    const char *address = vd_sp_text(&parser->sp->arena, "%.*s", (int)(slash - text), text);
    uint32_t bits = 0, max, beyond = 0;
    const char *p = slash + 1;

    label->detail = read_address(address, label->address);
    max = label->detail == 6 ? 128 : 32;
    for (; *p >= '0' && *p <= '9' && bits <= max; p++)
        bits = bits * 10 + (uint32_t)(*p - '0');
    if (label->detail == 0 || p == slash + 1 || *p != '\0' || bits > max)
        return bad_address(parser, word, "an address with the length of its network");
    for (uint32_t i = 0; i < bits; i++)
        label->mask[i / 8] |= (uint8_t)(0x80u >> (i % 8));
    for (uint32_t i = 0; i < sizeof(label->mask); i++) {
        beyond |= label->address[i] & ~(uint32_t)label->mask[i];
        label->address[i] &= label->mask[i];
    }
    if (beyond != 0)
        vd_sp_warning(&parser->sp->messages, word->place, NULL,
                      "the bits of this address behind its first %u do not count", bits);
    return true;
}

/* nodecon ADDRESS MASK CONTEXT; nodecon ADDRESS/LENGTH CONTEXT */
bool vd_sp_st_nodecon(struct vd_sp_parser *parser)
{
    struct vd_sp_label label = {.kind = VD_SP_LABEL_NODE};
    struct vd_sp_item mask;

    if (!take_word(parser, "an address", VD_PDB_MAX_NAME, &label.name))
        return false;
    if (strchr(vd_sp_str(parser->sp, label.name.name), '/') != NULL)
        return read_cidr(parser, &label.name, &label) && finish(parser, &label, 1);
    label.detail = read_address(vd_sp_str(parser->sp, label.name.name), label.address);
    if (label.detail == 0)
        return bad_address(parser, &label.name, "an IPv4 or IPv6 address");
    if (!take_word(parser, "a mask", VD_PDB_MAX_NAME, &mask))
        return false;
    if (read_address(vd_sp_str(parser->sp, mask.name), label.mask) != label.detail)
        return bad_address(parser, &mask, label.detail == 4 ? "an IPv4 mask" : "an IPv6 mask");
    return finish(parser, &label, 1);
}

/* ibpkeycon PREFIX KEY[-KEY] CONTEXT */
bool vd_sp_st_ibpkeycon(struct vd_sp_parser *parser)
{
    static const uint8_t zero[8];
    struct vd_sp_label label = {.kind = VD_SP_LABEL_IBPKEY};

    if (!take_word(parser, "a subnet prefix", VD_PDB_MAX_NAME, &label.name))
        return false;
    if (read_address(vd_sp_str(parser->sp, label.name.name), label.address) != 6 ||
        memcmp(label.address + 8, zero, sizeof(zero)) != 0)
        return bad_address(parser, &label.name,
                           "a subnet prefix: an IPv6 address whose last 64 bits are 0");
    return take_range(parser, "a partition key", VD_PDB_MAX_PKEY, &label) &&
           finish(parser, &label, 1);
}

/* ibendportcon DEVICE PORT CONTEXT */
bool vd_sp_st_ibendportcon(struct vd_sp_parser *parser)
{
    struct vd_sp_label label = {.kind = VD_SP_LABEL_IBENDPORT};
    uint32_t place;

    if (!take_word(parser, "an InfiniBand device", VD_PDB_MAX_IB_DEVICE, &label.name))
        return false;
    place = parser->token.place;
    label.low = label.high = parser->token.number;
    if (!vd_sp_expect(parser, VD_SP_TOKEN_NUMBER, "a port"))
        return false;
    if (label.low == 0 || label.low > VD_PDB_MAX_IB_PORT) {
        vd_sp_error(&parser->sp->messages, place, "an InfiniBand port is a number from 1 to %u",
                    VD_PDB_MAX_IB_PORT);
        return false;
    }
    return finish(parser, &label, 1);
}
