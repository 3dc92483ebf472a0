#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Debian's reference policy (scripts/refpolicy): compiling it against checkpolicy, whole and
after a change of one module, and the engine on it (bench_mac). JSON lines as `make bench`
takes them; CPU time and peak memory are those of the child process.

usage: bench_mac_refpolicy.py BENCH_MAC"""
import json
import os
import statistics
import subprocess
import sys
import tempfile

ROOT = os.environ.get("VD_SOURCE_ROOT", ".")
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
from refpolicy import refpolicy, split_modules  # noqa: E402
from tap import Skip  # noqa: E402

VERIDIAN = os.path.join(os.environ.get("VD_BUILD_ROOT", "build"), "bin", "veridian")
PAIRS = int(os.environ.get("VD_BENCH_PAIRS", "7"))


def cost(command):
    """CPU seconds and peak MiB of a program, which must succeed. A child's peak begins with
    that of its parent: this program must stay smaller than what it measures."""
    with open(os.devnull, "wb") as null, subprocess.Popen(command, stdout=null, stderr=null) as child:
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise RuntimeError(f"{' '.join(command[:6])}: exit {child.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def report(name, unit, pairs):
    """A line from (own, peer) figures."""
    own, peer = zip(*pairs)
    print(json.dumps({"name": name, "value": round(statistics.median(own), 4), "unit": unit,
                      "peer": "checkpolicy", "peer_value": round(statistics.median(peer), 4),
                      "ratio": round(statistics.median(a / b for a, b in pairs), 4),
                      "runs": len(pairs)}), flush=True)


def bench_compile(kind, source, directory):
    out = os.path.join(directory, f"{kind}.vpol")
    pairs = [(cost([VERIDIAN, "policy", "compile", "--cache", "no", "-o", out, source]),
              cost(["checkpolicy", "-M", "-o", os.path.join(directory, "peer.bin"), source]))
             for _ in range(PAIRS)]
    report(f"mac.compile.{kind}", "s", [(own[0], peer[0]) for own, peer in pairs])
    report(f"mac.compile.{kind}.memory", "MiB", [(own[1], peer[1]) for own, peer in pairs])
    return out


def bench_module(kind, source, directory):
    """A rule comes and goes in one of several hundred files; the peer knows only whole policies."""
    files = subprocess.run([sys.executable, __file__, "--split", source,
                            os.path.join(directory, kind)], check=True, capture_output=True,
                           text=True).stdout.split()
    changed = files[len(files) // 2]
    out = os.path.join(directory, f"{kind}.modules.vpol")
    command = [VERIDIAN, "policy", "compile", "-o", out, *files]
    with open(changed, encoding="utf-8") as file:
        text = file.read()
    cost(command)
    pairs = []
    for i in range(PAIRS):
        with open(changed, "w", encoding="utf-8") as file:
            file.write(text + ("allow init_t etc_t:file { read ioctl };\n" if i % 2 == 0 else ""))
        pairs.append((cost(command)[0],
                      cost(["checkpolicy", "-M", "-o", os.path.join(directory, "peer.bin"), source])[0]))
    report(f"mac.compile.{kind}.one_module", "s", pairs)


def main():
    if sys.argv[1] == "--split":
        print("\n".join(split_modules(sys.argv[2], sys.argv[3])))
        return 0
    with tempfile.TemporaryDirectory() as directory:
        for kind in ("mcs", "mls"):
            try:
                policy = refpolicy(kind)
            except Skip as reason:
                print(f"# {reason}")
                return 0
            source = os.path.join(policy, "policy.conf")
            out = bench_compile(kind, source, directory)
            subprocess.run([sys.argv[1], out, os.path.join(policy, "policy.bin"), kind], check=True)
            bench_module(kind, source, directory)
    return 0


sys.exit(main())
