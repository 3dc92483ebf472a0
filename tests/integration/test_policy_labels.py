#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Labelling statements: the compiled policy answers them, and the binary policy for
SELinux has them as checkpolicy's (seinfo and sediff find no difference). Prints TAP."""
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.environ.get("VD_SOURCE_ROOT", "."), "tests", "support"))
from tap import Tap  # noqa: E402

VERIDIAN = os.path.abspath(os.path.join(os.environ.get("VD_BUILD_ROOT", "build"), "bin", "veridian"))
PEERS = all(shutil.which(name) for name in ("checkpolicy", "seinfo", "sediff"))

HEAD = """class process class file class dir class blk_file class chr_file class lnk_file
class fifo_file class sock_file
sid kernel sid unlabeled sid port sid netif sid node
class process { transition } class file { read } class dir { read } class blk_file { read }
class chr_file { read } class lnk_file { read } class fifo_file { read } class sock_file { read }
@MLS@
type a_t; type b_t; type c_t; type d_t;
role r; role r types { a_t b_t };
allow a_t b_t:file read;
user u roles r@USER@;
sid kernel @D@ sid unlabeled @D@ sid port @D@ sid netif @D@ sid node @D@
"""
LABELS = """fscon 2 3 @A@ @B@
fscon 255 16 @B@ @B@
fs_use_xattr ext4 @A@; fs_use_trans devpts @B@; fs_use_task pipefs @C@; fs_use_xattr btrfs @A@;
genfscon sysfs / @A@
genfscon proc / -d @A@
genfscon proc /net -- @B@
genfscon proc /abc @B@
genfscon proc /abc/def -l @C@
genfscon proc /abc/def -s @B@
genfscon proc /abc/deg -b @B@
genfscon proc /abc/deh -c @B@
genfscon proc /abc/dei -p @B@
genfscon proc "/quoted/path.x-y_z" @C@
genfscon cgroup2 / @C@
portcon tcp 80 @A@
portcon udp 100-200 @B@
portcon tcp 1-1023 @B@
portcon dccp 0x10 - 0x20 @B@
portcon sctp 1024-65535 @B@
netifcon lo @A@ @B@
netifcon eth0 @B@ @C@
netifcon eth0.5 @B@ @C@
nodecon 10.0.0.0 255.0.0.0 @A@
nodecon 127.0.0.1 255.255.255.255 @A@
nodecon 10.1.0.0 255.255.0.0 @B@
nodecon 10.2.0.0 255.255.0.0 @B@
nodecon 10.2.128.0 255.255.128.0 @C@
nodecon 0.0.0.0 0.0.0.0 @C@
nodecon ::1 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff @A@
nodecon fe80:: ffff:: @B@
nodecon ::ffff:127.0.0.1 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff @C@
"""
INFINIBAND = """ibpkeycon fe80:: 0xFFFF @A@
ibpkeycon fe80:: 0-0x10 @B@
ibendportcon mlx4_0 2 @A@
ibendportcon mlx5_0 1 @B@
"""
# What is asked, the letter of the type, what else is answered.
ANSWERS = [
    ("fs_use ext4", "a", " behaviour=xattr"), ("fs_use devpts", "b", " behaviour=trans"),
    ("fs_use pipefs", "c", " behaviour=task"), ("fs_use proc", "a", " behaviour=genfs"),
    ("fs_use cgroup2", "c", " behaviour=genfs"),
    ("fs_use vfat", "d", " initial=unlabeled behaviour=none"),
    ("genfs proc / dir", "a", ""), ("genfs proc / file", "d", " initial=unlabeled"),
    ("genfs proc /net file", "b", ""), ("genfs proc /abc/def lnk_file", "a", ""),
    ("genfs proc /abc/def sock_file", "b", ""), ("genfs proc /abc/def", "b", ""),
    ("genfs proc /quoted/path.x-y_z/1", "c", ""), ("genfs sysfs /any/thing", "a", ""),
    ("port tcp 80", "a", ""), ("port tcp 443", "b", ""), ("port udp 200", "b", ""),
    ("port udp 201", "d", " initial=port"), ("port dccp 32", "b", ""), ("port sctp 65535", "b", ""),
    ("netif lo", "a", " packets=@B@"), ("netif eth0.5", "b", " packets=@C@"),
    ("netif wlan0", "d", " initial=netif"),
    ("node 10.3.0.1", "a", ""), ("node 10.2.1.1", "b", ""), ("node 10.2.200.1", "c", ""),
    ("node 127.0.0.1", "a", ""), ("node 127.0.0.2", "c", ""), ("node ::1", "a", ""),
    ("node fe80:1::", "b", ""), ("node ::ffff:127.0.0.1", "c", ""), ("node ::2", "d", " initial=node"),
    ("ibpkey fe80:: 65535", "a", ""), ("ibpkey fe80:: 16", "b", ""),
    ("ibpkey fe80:: 17", "d", " initial=unlabeled"), ("ibendport mlx5_0 1", "b", ""),
    ("ibendport mlx5_0 2", "d", " initial=unlabeled"),
]

tap = Tap()
check = tap.check


def fill(text, level):
    mls = "sensitivity s0; sensitivity s1; dominance { s0 s1 } category c0; level s0:c0; " \
        "level s1:c0;\nmlsconstrain file read ( l1 dom l2 );" if level else ""
    text = text.replace("@MLS@", mls).replace("@USER@",
                                              " level s0 range s0 - s1:c0" if level else "")
    for letter in "ABCD":
        text = text.replace(f"@{letter}@", f"u:object_r:{letter.lower()}_t{level}")
    return text


def run(*command, text=None):
    return subprocess.run(command, input=text, text=True, capture_output=True, check=False,
                          timeout=60)


def answers(source, level):
    done = run(VERIDIAN, "policy", "compile", "-o", source + ".vpol", source)
    check(f"compiles without a warning, levels {bool(level)}",
          done.returncode == 0 and done.stderr == "", done)
    got = run(VERIDIAN, "policy", "query", source + ".vpol", "--batch",
              text="".join(f"label {question}\n" for question, _, _ in ANSWERS)).stdout.splitlines()
    for i, (question, letter, more) in enumerate(ANSWERS):
        want = fill(f"label context=@{letter.upper()}@{more}", level)
        check(f"label {question}, levels {bool(level)}", got[i:i + 1] == [want], (want, got[i:i + 1]))


def binary(path):
    return sorted(line.strip() for line in run("seinfo", "--all", "-x", path).stdout.splitlines()
                  if "con " in line or "fs_use" in line or line.strip().startswith("sid "))


def peers(source, level, version):
    name = f"version {version}, levels {bool(level)}"
    theirs, ours = f"{source}.theirs.{version}", f"{source}.ours.{version}"
    one = run("checkpolicy", *(["-M"] if level else []), "-c", str(version), "-o", theirs, source)
    two = run(VERIDIAN, "policy", "compile", "--format", "selinux", "--selinux-version",
              str(version), "-o", ours, source)
    check(f"both compile it, {name}", (one.returncode, two.returncode) == (0, 0), (one, two))
    check(f"seinfo shows the same labels, {name}", binary(theirs) == binary(ours) != [],
          (binary(theirs), binary(ours)))
    done = run("sediff", theirs, ours)
    check(f"sediff finds no difference, {name}", done.returncode == 0, done)
    for policy in (theirs, ours):
        reads(policy, level, version)


def reads(policy, level, version):
    """A binary policy labels as its source. Initial contexts have the kernel's names there, by
    number, so what falls back to one is left out."""
    asked = [row for row in ANSWERS if "initial=" not in row[2] and
             (version > 30 or not row[0].startswith("ib"))]
    got = run(VERIDIAN, "policy", "query", policy, "--batch",
              text="".join(f"label {question}\n" for question, _, _ in asked)).stdout.splitlines()
    want = [fill(f"label context=@{letter.upper()}@{more}", level) for _, letter, more in asked]
    check(f"{os.path.basename(policy)} is read and labels alike, levels {bool(level)}",
          got == want, [(a, b) for a, b in zip(got, want) if a != b][:5] or got)


def infiniband_needs_version_31(source):
    done = run(VERIDIAN, "policy", "compile", "--format", "selinux", "--selinux-version", "30",
               "-o", source + ".no", source)
    check("InfiniBand's contexts are an error in version 30, at their place",
          done.returncode == 2 and ":43:1: error: version 30" in done.stderr, done)


def main():
    with tempfile.TemporaryDirectory() as directory:
        for level in ("", ":s0"):
            source = os.path.join(directory, "labels" + level[1:] + ".te")
            with open(source, "w", encoding="ascii") as file:
                file.write(fill(HEAD + LABELS + INFINIBAND, level))
            answers(source, level)
            if level == "":
                infiniband_needs_version_31(source)
            if not PEERS:
                check("the binary policy against checkpolicy's # SKIP setools or checkpolicy is "
                      "missing", True)
                continue
            for version in (31, 33):
                peers(source, level, version)
            with open(source, "w", encoding="ascii") as file:
                file.write(fill(HEAD + LABELS, level))
            peers(source, level, 30)
    print(f"1..{tap.number}")
    return tap.failed != 0


sys.exit(main())
