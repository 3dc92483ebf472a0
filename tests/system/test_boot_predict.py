#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""What `veridian boot` builds boots in QEMU, with the PCR values it predicted;
what `boot enroll --dbx` forbids does not. Prints TAP."""
import json
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import bootimage  # noqa: E402
from test_secureboot import BOOT_VM, BUSYBOX, KERNEL, VERIDIAN, make_initrd  # noqa: E402


def boot(*args):
    return subprocess.run([VERIDIAN, "boot", *args], check=True, capture_output=True, text=True).stdout


def boot_vm(*args):
    run = subprocess.run([BOOT_VM, "--json", *args], capture_output=True, text=True, check=False)
    return run.returncode, json.loads(run.stdout or "{}")


def build(d):
    bootimage.write(f"{d}/initrd", make_initrd())
    boot("keys", "--out", f"{d}/keys")
    boot("build", "--keys", f"{d}/keys", "--kernel", KERNEL, "--initrd", f"{d}/initrd",
         "--cmdline", "console=ttyS0 quiet panic=-1", "--out", f"{d}/out")


def predicted_is_measured(d):
    code, result = boot_vm("--image", f"{d}/out", "--export", f"{d}/export")
    assert code == 0, result
    expected = json.loads(boot("predict", "--json", f"{d}/out"))["pcrs"]["sha256"]
    with open(f"{d}/export/pcrs.txt", encoding="ascii") as f:
        measured = dict(line.lower().split() for line in f)
    assert expected == {pcr: measured[pcr] for pcr in expected}, (expected, measured)
    assert set(expected) == {"4", "8", "9", "11"}


def forbidden_image_is_refused(d):
    boot("enroll", "--keys", f"{d}/keys", "--dbx", f"{d}/out/veridian.img", "--out", f"{d}/dbx.fd")
    code, result = boot_vm("--esp", f"{d}/out/esp.img", "--vars", f"{d}/dbx.fd")
    assert (code, result.get("reason")) == (1, "forbidden"), result


def main():
    needed = [VERIDIAN, KERNEL, BUSYBOX]
    absent = [path for path in needed if not os.path.exists(path)]
    if absent:
        print(f"1..0 # SKIP {', '.join(absent)} missing")
        return 0
    failed = 0
    tests = (predicted_is_measured, forbidden_image_is_refused)
    with tempfile.TemporaryDirectory(prefix="veridian-boot-predict-") as d:
        build(d)
        for number, test in enumerate(tests, 1):
            try:
                test(d)
                print(f"ok {number} - {test.__name__}", flush=True)
            except (AssertionError, subprocess.CalledProcessError, OSError) as error:
                failed += 1
                print("# " + str(error).replace("\n", "\n# "))
                print(f"not ok {number} - {test.__name__}", flush=True)
    print(f"1..{len(tests)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
