#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The time of each stage of a boot in the virtual machine, as the console shows
them: medians over RUNS boots of the system image, JSON lines. There is no peer;
the figures are the emulator's, so compare them with each other only."""
import json
import os
import statistics
import sys

sys.dont_write_bytecode = True
ROOT = os.environ["VD_SOURCE_ROOT"]
sys.path.insert(0, os.path.join(ROOT, "image"))

from show import steps  # noqa: E402
from show.workspace import Workspace  # noqa: E402

RUNS = 3
# name, the console's stage at which it begins (None: power-on) and ends
STAGES = (
    ("firmware", None, "bootloader"),
    ("verify", "bootloader", "verified"),
    ("measure", "verified", "measured"),
    ("handoff", "measured", "linux"),
    ("linux", "linux", "init"),
    ("policy", "init", "policy"),
    ("showcase", "policy", "ready"),
    ("total", None, "ready"),
)


def image(space):
    _, key_dir = steps.keys(space)
    _, blob = steps.policy(space)
    _, initrd = steps.initrd(space, blob)
    return steps.image(space, key_dir, initrd, "enforcing")[1]


def main():
    space = Workspace(os.environ["VD_BUILD_ROOT"])
    directory = image(space)
    boots = [steps.boot_ready(space, directory, "boot-bench")[1].result for _ in range(RUNS)]
    for name, begin, end in STAGES:
        times = [b["stages_s"][end] - (b["stages_s"][begin] if begin else 0) for b in boots]
        row = {"name": f"boot.stage.{name}", "value": round(statistics.median(times), 3), "unit": "s"}
        print(json.dumps({**row, "peer": None, "peer_value": None, "ratio": None, "runs": RUNS}), flush=True)
    cpu = statistics.median(b["cpu_s"] for b in boots)
    print(json.dumps({"name": "boot.cpu", "value": cpu, "unit": "s", "peer": None, "peer_value": None,
                      "ratio": None, "runs": RUNS}), flush=True)


main()
