#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""vd_ct_equal, loading keys, X-Wing's combination, derivation and encryption neither
branch on secret bytes nor use them as an address: valgrind watches them on memory
without a value. Prints TAP."""
import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

sys.path.insert(0, os.path.join(os.environ.get("VD_SOURCE_ROOT", "."), "tests", "support"))
import tap  # noqa: E402

PROBE = os.path.join(os.environ.get("VD_BUILD_ROOT", "build"), "tests", "integration",
                     "ct_probe")
KEYS = os.path.join(os.path.dirname(PROBE), "ct_keys")
FOUND = 99
# Where valgrind's own copy of memcmp and the like, or libc's, is the place: the caller counts.
HELPERS = ("vgpreload", "libc.so")


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


def own_faults(kind):
    """The functions of ours that branch on a secret or use it as an address."""
    if shutil.which("valgrind") is None:
        raise tap.Skip("valgrind is not installed")
    with tempfile.TemporaryDirectory() as place:
        log = os.path.join(place, "log.xml")
        done = subprocess.run(["valgrind", "--xml=yes", f"--xml-file={log}", "--error-limit=no",
                               KEYS, kind], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, check=False)
        assert done.returncode == 0, done.stderr
        document = ElementTree.parse(log)
    places = set()
    for error in document.iter("error"):
        if not error.findtext("kind").startswith("Uninit"):
            continue
        frames = [f for f in error.find("stack").iter("frame")
                  if not any(h in (f.findtext("obj") or "") for h in HELPERS)]
        if frames and os.path.basename(frames[0].findtext("obj") or "") == "ct_keys":
            places.add(f"{frames[0].findtext('fn')} {frames[0].findtext('line')}")
    return places


def case_a_leak_of_a_key_is_seen():
    assert any(p.startswith("leak ") for p in own_faults("leak"))


def case_keys_are_used_in_constant_time():
    places = own_faults("own")
    assert not places, places


if __name__ == "__main__":
    sys.exit(tap.run())
