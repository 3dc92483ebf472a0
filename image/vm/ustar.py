# SPDX-License-Identifier: MIT OR Apache-2.0
"""Reads a ustar stream (POSIX.1-1988, "ustar Interchange Format") from a hostile writer.

Only what a guest exports: regular files and folders, no links, no extensions
(pax, GNU long names, sparse files), one folder deep at most. Memory is bounded
by the stream itself.
"""

BLOCK = 512
MAX_FILES = 256
FILES, FOLDER = b"0\0", b"5"
PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


class Damaged(ValueError):
    """The text says at which byte, and what was wrong."""


def read(data):
    """The files of a stream, {relative name: bytes}. Raises Damaged."""
    found = {}
    at = 0
    while True:
        header = data[at : at + BLOCK]
        if len(header) < BLOCK:
            raise Damaged(f"byte {at}: the stream ends before its end mark")
        if not any(header):
            return found
        try:
            name, size = entry(header)
            if name is not None:
                add(found, name, data[at + BLOCK : at + BLOCK + size], size)
        except Damaged as e:
            raise Damaged(f"byte {at}: {e}") from None
        at += BLOCK + -(-size // BLOCK) * BLOCK


def entry(header):
    """(name, size) of a file, (None, 0) of a folder."""
    if header[257:262] != b"ustar":
        raise Damaged("not a ustar header")
    if sum(header[:148]) + 8 * ord(" ") + sum(header[156:]) != octal(header[148:156], "checksum"):
        raise Damaged("the header's checksum is wrong")
    kind = header[156:157]
    if kind == FOLDER:
        return None, 0
    if kind not in (FILES[:1], FILES[1:]):
        raise Damaged(f"an entry of type {kind!r}, expected a file or a folder")
    return plain_name(header[:100]), octal(header[124:136], "size")


def octal(field, what):
    digits = field.split(b"\0", 1)[0].strip(b" ")
    if not digits or digits.strip(b"01234567"):
        raise Damaged(f"the {what} is no octal number")
    return int(digits, 8)


def plain_name(field):
    """NAME or FOLDER/NAME in letters that mean nothing to a shell or a terminal."""
    text = field.split(b"\0", 1)[0].decode("latin-1")
    parts = text.removeprefix("./").split("/")
    if len(parts) > 2 or not all(part and part[0] not in ".-" and PLAIN.issuperset(part) for part in parts):
        raise Damaged(f"the name {text!a} is not plain")
    return "/".join(parts)


def add(found, name, content, size):
    if len(content) != size:
        raise Damaged(f"{name} is cut short: {len(content)} of {size} bytes")
    if len(found) >= MAX_FILES:
        raise Damaged(f"more than {MAX_FILES} files")
    folders = {other.split("/")[0] for other in found if "/" in other}
    if name in found or name in folders or ("/" in name and name.split("/")[0] in found):
        raise Damaged(f"{name} is there twice")
    found[name] = bytes(content)
