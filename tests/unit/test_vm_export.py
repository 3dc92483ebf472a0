#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""image/vm: the export channel against hostile guests, the console's lines. Prints TAP."""
import os
import sys

ROOT = os.environ.get("VD_SOURCE_ROOT") or os.path.join(os.path.dirname(os.path.realpath(__file__)), "../..")
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "image"))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
from tap import Tap  # noqa: E402
from vm import console, export, ustar  # noqa: E402

END = bytes(1024)


def header(name=b"a", size=b"%011o\0" % 0, kind=b"0", magic=b"ustar\00000", checksum=None):
    block = bytearray(512)
    block[: len(name)] = name
    block[124 : 124 + len(size)] = size
    block[156:157] = kind
    block[257:265] = magic
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % (sum(block) if checksum is None else checksum)
    return bytes(block)


def file(name, content):
    return header(name, b"%011o\0" % len(content)) + content + bytes(-len(content) % 512)


GOOD = header(b"./", kind=b"5") + file(b"./pcrs.txt", b"x" * 513) + file(b"log/a-1.bin", b"") + END

# (name, stream, a word of the message)
DAMAGED = [
    ("no_end", file(b"a", b"x"), "end mark"),
    ("magic", header(magic=b"USTAR\00000") + END, "ustar"),
    ("checksum", header(checksum=1) + END, "checksum"),
    ("symbolic_link", header(kind=b"2") + END, "type"),
    ("hard_link", header(kind=b"1") + END, "type"),
    ("device", header(kind=b"3") + END, "type"),
    ("sparse", header(kind=b"S") + END, "type"),
    ("pax", header(kind=b"x") + END, "type"),
    ("size_huge", header(size=b"77777777777\0") + END, "cut short"),
    ("size_base256", header(size=b"\x80" + bytes(11)) + END, "octal"),
    ("size_negative", header(size=b"-0000000001\0") + END, "octal"),
    ("size_empty", header(size=bytes(12)) + END, "octal"),
    ("name_empty", header(name=b"") + END, "plain"),
    ("name_up", header(name=b"../a") + END, "plain"),
    ("name_up_inside", header(name=b"a/..") + END, "plain"),
    ("name_absolute", header(name=b"/etc") + END, "plain"),
    ("name_deep", header(name=b"a/b/c") + END, "plain"),
    ("name_option", header(name=b"-rf") + END, "plain"),
    ("name_hidden", header(name=b".profile") + END, "plain"),
    ("name_control", header(name=b"a\x1b[2J") + END, "plain"),
    ("twice", file(b"a", b"1") + file(b"./a", b"2") + END, "twice"),
    ("file_then_folder", file(b"a", b"1") + file(b"a/b", b"2") + END, "twice"),
    ("folder_then_file", file(b"a/b", b"1") + file(b"a", b"2") + END, "twice"),
    ("too_many", b"".join(file(b"f%d" % i, b"") for i in range(ustar.MAX_FILES + 1)) + END, "more than"),
]


class Connection:
    """What the host sends to the guest."""

    def __init__(self):
        self.sent = b""

    def sendall(self, data):
        self.sent += data


def message(stream):
    """Why the stream is refused; None if it is not."""
    try:
        ustar.read(stream)
    except ustar.Damaged as e:
        return str(e)
    return None


def streams(tap):
    found = ustar.read(GOOD)
    tap.check("ustar_good", found == {"pcrs.txt": b"x" * 513, "log/a-1.bin": b""}, found)
    for name, stream, word in DAMAGED:
        said = message(stream)
        tap.check(f"ustar_{name}", said is not None and said.startswith("byte ") and word in said, said)
    whole = len(GOOD) - 512  # one block of zeros ends it
    kept = [cut for cut in range(whole) if message(GOOD[:cut]) is None]
    tap.check("ustar_cut_at_every_length", not kept, f"taken when cut at {kept[:8]}")


def channel(tap):
    talk = export.Channel(Connection(), "c0ffee")
    for byte in b"BdsDxe: firmware says hel\r\nhello\n" + GOOD:
        talk.feed(bytes([byte]))
    tap.check("channel_byte_by_byte", len(talk.files()) == 2 and talk.connection.sent == b"nonce c0ffee\n",
              talk.connection.sent)
    silent = export.Channel(Connection(), None)
    silent.feed(GOOD)
    tap.check("channel_no_greeting_no_files", silent.files() == {} and silent.connection.sent == b"")
    flood = export.Channel(Connection(), None)
    flood.feed(b"hello\n")
    for _ in range(65):
        flood.feed(bytes(1 << 20))
    try:
        flood.files()
        said = None
    except ustar.Damaged as e:
        said = str(e)
    tap.check("channel_flood", said is not None and len(flood.data) <= export.MAX_STREAM_BYTES, said)


def outcome(data, size, until=None):
    watcher = console.Watcher(None, until)
    for at in range(0, len(data), size):
        watcher.feed(data[at : at + size])
    watcher.finish()
    return watcher.result and (watcher.result.outcome, watcher.result.reason, watcher.result.exit_code)


CONSOLES = [
    ("ready", b"\x1b[2J\x1b[01;01HVERIDIAN: \x1b[0mready\r\n", ("ready", None, 0)),
    ("refused", b"VERIDIAN: refused digest-kernel\r\nVERIDIAN: ready\r\n", ("refused", "digest-kernel", 1)),
    ("firmware", b'BdsDxe: failed to load Boot0001 "x" from PciRoot(0x0): Access Denied\r\n', ("refused", "firmware", 1)),
    ("nothing_to_boot", b"BdsDxe: No bootable option or device was found.\r\n", ("refused", "firmware", 1)),
    ("panic", b"[ 1.0] Kernel panic - not syncing: VFS\n", ("panic", None, 4)),
    ("utf8", "[ 1.0] \u2013 VERIDIAN: ready".encode(), ("ready", None, 0)),
    ("nothing", b"VERIDIAN: readying\r\nVERIDIAN: refused\r\n\xff\xfe\n", None),
    ("endless_line", b"x" * 100000 + b"\nVERIDIAN: ready\n", ("ready", None, 0)),
]


def consoles(tap):
    for name, data, expected in CONSOLES:
        for size in (1, 7, len(data)):
            got = outcome(data, size)
            tap.check(f"console_{name}_by_{size}", got == expected, got)


def main():
    tap = Tap()
    streams(tap)
    channel(tap)
    consoles(tap)
    print(f"1..{tap.number}")
    return 1 if tap.failed else 0


sys.exit(main())
