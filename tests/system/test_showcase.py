#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""`make run` as a test: every step of the showcase's report is a case. Prints TAP."""
import json
import os
import re
import subprocess
import sys

ROOT = os.environ.get("VD_SOURCE_ROOT") or os.path.join(os.path.dirname(__file__), "../..")
BUILD = os.environ.get("VD_BUILD_ROOT") or os.path.join(ROOT, "build")


def main():
    if not os.path.exists(os.path.join(BUILD, "image/veridian-init")):
        print("1..0 # SKIP the image's programs are not built (no vmlinux.h, or a sanitizer build)")
        return 0
    done = subprocess.run([os.path.join(ROOT, "image/run"), "--build", BUILD, "--json"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)
    if not done.stdout.startswith("{"):
        print(f"not ok 1 - showcase\n# exit {done.returncode}: {done.stderr}\n1..1")
        return 1
    report = json.loads(done.stdout)
    for number, step in enumerate(report["steps"], start=1):
        title = re.sub(r"\W+", "_", step["title"])
        if not step["ok"]:
            print(f"# {step['text']}")
        print(f"{'' if step['ok'] else 'not '}ok {number} - showcase_{title}")
    print(f"1..{len(report['steps'])}")
    return 0 if done.returncode == 0 and report["failed"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
