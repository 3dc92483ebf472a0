#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The bootloader built twice, from another directory, with mbedTLS' source at
another path, in another time zone and language: equal bit for bit. Prints TAP."""
import os
import shutil
import struct
import subprocess
import sys
import tempfile

ROOT = os.environ.get("VD_SOURCE_ROOT", "")
FIRST = os.path.join(os.environ.get("VD_BUILD_ROOT", ""), "bootloader", "veridian.efi")
MBEDTLS = os.environ.get("VD_MBEDTLS_SRC", "")


def not_source(directory, names):
    """Build directories of the tree's root, and what git and Python keep."""
    top = os.path.realpath(directory) == os.path.realpath(ROOT)
    return [n for n in names if n in (".git", "__pycache__") or (top and n.startswith("build"))]


def build_elsewhere(directory):
    source, build = os.path.join(directory, "a longer path/source"), os.path.join(directory, "b")
    mbedtls = os.path.join(directory, "crypto-source")
    shutil.copytree(ROOT, source, ignore=not_source)
    os.symlink(MBEDTLS, mbedtls)
    environment = dict(os.environ, TZ="Pacific/Auckland", LC_ALL="C")
    for command in (["meson", "setup", "-Dmbedtls_src=" + mbedtls, build, source],
                    ["ninja", "-C", build, "bootloader/veridian.efi"]):
        run = subprocess.run(command, env=environment, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, check=False)
        if run.returncode != 0:
            raise RuntimeError(run.stdout.decode("utf-8", "replace")[-2000:])
    with open(os.path.join(build, "bootloader", "veridian.efi"), "rb") as file:
        return file.read()


def first_difference(a, b):
    return next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))


def main():
    if not os.path.exists(FIRST) or not MBEDTLS:
        print("1..0 # SKIP the bootloader is not built (clang, lld or mbedTLS is missing)")
        return 0
    with open(FIRST, "rb") as file:
        first = file.read()
    print("1..2")
    try:
        with tempfile.TemporaryDirectory(prefix="veridian-reproducible-") as directory:
            second = build_elsewhere(directory)
    except RuntimeError as error:
        print(f"# {error}".replace("\n", "\n# "))
        second = b""
    same = first == second
    if not same:
        print(f"# {len(first)} and {len(second)} bytes, first difference at "
              f"{first_difference(first, second):#x}")
    stamp = struct.unpack_from("<I", first, struct.unpack_from("<I", first, 0x3c)[0] + 8)[0]
    print(f"{'' if same else 'not '}ok 1 - two builds are equal")
    print(f"{'' if stamp == 0 else 'not '}ok 2 - the time stamp is zero")
    return 0 if same and stamp == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
