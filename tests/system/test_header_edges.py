#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Every size and offset of the image header at its edges, refused by the bootloader
in QEMU with the reason that the host names for the same file.

Prints TAP. One boot a case, so this is in the suite `long` (`make test-long`); the unit
tests of the parser try the same edges, and all the values between, at full speed.
`test_header_edges.py [FIELD…]` runs the cases of the named fields only.
"""
import struct
import sys
import tempfile

sys.dont_write_bytecode = True
import test_secureboot as secureboot  # noqa: E402

# name: (offset, struct's letter), as docs/formats/image.md has them
FIELDS = {
    "header_size": (12, "I"),
    "signature_offset": (16, "I"),
    "signature_size": (20, "I"),
    "certificate_offset": (24, "I"),
    "certificate_size": (28, "I"),
    "entry_point": (32, "Q"),
    "load_address": (40, "Q"),
    "kernel_size": (48, "Q"),
    "kernel_offset": (64, "Q"),
    "initrd_offset": (72, "Q"),
    "initrd_size": (80, "Q"),
    "cmdline_offset": (88, "I"),
    "cmdline_size": (92, "I"),
    "policy_offset": (96, "I"),
    "policy_size": (100, "I"),
    "root_hash_size": (104, "I"),
}


def edges(image, field):
    """(name of the edge, changed image) for each edge of a field that is not its value."""
    offset, letter = FIELDS[field]
    (value,) = struct.unpack_from("<" + letter, image, offset)
    largest = (1 << 8 * struct.calcsize(letter)) - 1
    for name, edge in (("zero", 0), ("next", value + 1), ("file-size", len(image)), ("largest", largest)):
        if edge == value:
            continue
        changed = bytearray(image)
        struct.pack_into("<" + letter, changed, offset, edge)
        yield name, bytes(changed)


def check(material, program, variables, image):
    """The bootloader's reason; a Failure unless the host gives the same one."""
    code, words = secureboot.host_verdict(material, image)
    secureboot.expect(code == 1 and words[:1] == ["refused"], f"the host says {code} {words}")
    secureboot.expect_refusal(secureboot.boot(material, program, image, variables), words[1])
    return words[1]


def main():
    fields = [field for field in FIELDS if not sys.argv[1:] or field in sys.argv[1:]]
    lacking = secureboot.missing()
    if lacking:
        print(f"1..0 # SKIP not on this machine: {', '.join(lacking)}")
        return 0
    number = failed = 0
    with tempfile.TemporaryDirectory(prefix="veridian-edges-") as directory:
        material = secureboot.Material(directory)
        program = material.sign(material.bootloader(), material.db)
        variables = material.variables()
        for field in fields:
            for edge, image in edges(material.image, field):
                number += 1
                try:
                    reason = check(material, program, variables, image)
                    print(f"ok {number} - {field}-{edge}-{reason}", flush=True)
                except secureboot.Failure as failure:
                    failed += 1
                    print(f"not ok {number} - {field}-{edge}\n# {failure}", flush=True)
    print(f"1..{number}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
