#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""vd_ct_equal neither branches on the bytes it compares nor uses them as an
address: valgrind watches it on memory without a value. Prints TAP."""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.environ.get("VD_SOURCE_ROOT", "."), "tests", "support"))
import tap  # noqa: E402

PROBE = os.path.join(os.environ.get("VD_BUILD_ROOT", "build"), "tests", "integration",
                     "ct_probe")
FOUND = 99


def watch(kind):
    if shutil.which("valgrind") is None:
        raise tap.Skip("valgrind is not installed")
    done = subprocess.run(["valgrind", "-q", f"--error-exitcode={FOUND}", PROBE, kind],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stderr


def case_an_early_leave_is_seen():
    code, text = watch("plain")
    assert code == FOUND and "uninitialised" in text, (code, text)


def case_ct_equal_depends_on_nothing():
    code, text = watch("own")
    assert code == 0, text


if __name__ == "__main__":
    sys.exit(tap.run())
