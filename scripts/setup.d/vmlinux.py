#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Extracts the ELF kernel (with its BTF) from a compressed vmlinuz.

usage: vmlinux.py VMLINUZ OUT
"""
import subprocess
import sys

# First bytes of a compressed stream, and what unpacks it (data after its end is ignored).
FORMATS = (
    (b"\x28\xb5\x2f\xfd", ["zstd", "-dcq"]),
    (b"\xfd7zXZ\x00", ["xz", "-dcq"]),
    (b"\x02\x21\x4c\x18", ["lz4", "-dcq"]),
    (b"\x1f\x8b\x08", ["gzip", "-dcq"]),
)
MIN_KERNEL_BYTES = 1 << 20


def candidates(data):
    for magic, command in FORMATS:
        at = data.find(magic)
        while at >= 0:
            yield data[at:], command
            at = data.find(magic, at + 1)


def extract(data):
    for tail, command in candidates(data):
        out = subprocess.run(command, input=tail, capture_output=True, check=False).stdout
        if out[:4] == b"\x7fELF" and len(out) >= MIN_KERNEL_BYTES:
            return out
    return None


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1], "rb") as f:
        kernel = extract(f.read())
    if kernel is None:
        sys.exit(f"{sys.argv[1]}: no compressed kernel found")
    with open(sys.argv[2], "wb") as f:
        f.write(kernel)


main()
