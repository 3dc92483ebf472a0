#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""A real SELinux kernel as the judge: it loads what `veridian policy compile --format
selinux` writes, in a virtual machine, and is asked the questions of `veridian policy
query`, whose answers from Veridian's own format have to be the same. One boot a kernel
of the image; many policies in it, loaded one after the other. Prints TAP.

VD_SELINUX_POLICIES, VD_SELINUX_QUESTIONS: random policies, and questions each."""
import os
import sys
import tempfile

sys.dont_write_bytecode = True
ROOT = os.environ.get("VD_SOURCE_ROOT") or os.path.join(os.path.dirname(__file__), "../..")
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
import selinux_cases  # noqa: E402
import selinux_xperms  # noqa: E402
from selinux_machine import Machine  # noqa: E402
from tap import Tap  # noqa: E402

KERNELS = [(name, os.environ.get(variable, "")) for name, variable in
           (("primary", "VD_KERNEL_PRIMARY"), ("fallback", "VD_KERNEL_FALLBACK"))]


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="veridian-selinux-") as work:
        machine = Machine(work)
        lacking = machine.missing([kernel for _, kernel in KERNELS])
        if lacking:
            print(f"1..0 # SKIP not on this machine: {', '.join(lacking)}")
            return 0
        checks = [case(machine) for case in selinux_cases.CASES + selinux_xperms.CASES]
        for name, kernel in KERNELS:
            said = machine.boot(kernel)
            for title, judge in (pair for case in checks for pair in case):
                wrong = judge(said)
                tap.check(f"{name}: {title}", not wrong, wrong)
            tap.check(f"{name}: the guest ended by itself and understood all", said.whole(),
                      said.last())
    print(f"1..{tap.number}")
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
