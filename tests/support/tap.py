# SPDX-License-Identifier: MIT OR Apache-2.0
"""Runs a module's functions case_… in their order and prints TAP.

A case fails by an exception (an assert has its message printed) and is skipped
by raising Skip with a reason.
"""
import sys
import traceback


class Skip(Exception):
    """The case cannot be done here."""


class Tap:
    """For tests whose cases come up as they go: counts what `check` is told."""

    def __init__(self):
        self.number = self.failed = 0

    def check(self, name, good, detail=""):
        self.number += 1
        self.failed += not good
        if not good:
            print("\n".join(f"# {line}" for line in str(detail).splitlines()))
        print(f"{'' if good else 'not '}ok {self.number} - {name}", flush=True)

    def skip(self, name, reason):
        self.number += 1
        print(f"ok {self.number} - {name} # SKIP {reason}", flush=True)


def run(module_name="__main__"):
    """Runs every case; the process' exit code: 1 if one failed or there is none."""
    cases = [(n, f) for n, f in vars(sys.modules[module_name]).items() if n.startswith("case_")]
    failed = 0
    for number, (name, case) in enumerate(cases, 1):
        title = name.removeprefix("case_")
        try:
            case()
            print(f"ok {number} - {title}", flush=True)
        except Skip as reason:
            print(f"ok {number} - {title} # SKIP {reason}", flush=True)
        except Exception:  # whatever it is, the case failed
            failed += 1
            for line in traceback.format_exc().splitlines():
                print(f"# {line}")
            print(f"not ok {number} - {title}", flush=True)
    print(f"1..{len(cases)}")
    return 1 if failed or not cases else 0
