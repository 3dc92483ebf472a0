#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""image/boot-vm: every way a boot can end, with a stock kernel started directly. Prints TAP."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.environ.get("VD_SOURCE_ROOT", os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__)))))
BOOT_VM = os.path.join(ROOT, "image/boot-vm")
KERNEL = os.path.join(os.environ.get("VD_KERNEL_PRIMARY", ""), "vmlinuz")
BUSYBOX = "/bin/busybox"

# The guest's whole user space; the kernel command line picks the end.
INIT = r"""#!/bin/busybox sh
busybox mkdir -p /proc /dev
busybox mount -t proc proc /proc
busybox mount -t devtmpfs dev /dev
busybox stty -F /dev/ttyS1 raw -echo
case "$(busybox cat /proc/cmdline)" in
*end=export*)
    exec 3<>/dev/ttyS1
    echo hello >&3
    read -r nonce <&3
    busybox mkdir -p /out/log
    echo "$nonce" >/out/log/answer.txt
    echo log >/out/eventlog.bin
    busybox tar -c -C /out -f - . >&3
    echo "VERIDIAN: ready" ;;
*end=refused*) echo "VERIDIAN: refused digest-kernel at byte 144" ;;
*end=panic*) exit 1 ;;
*end=off*) busybox poweroff -f ;;
*) echo "here we are"; busybox sleep 600 ;;
esac
busybox poweroff -f
"""


class Tap:
    def __init__(self):
        self.number = 0
        self.failed = 0

    def check(self, name, good, detail=""):
        self.number += 1
        if not good:
            self.failed += 1
            print("\n".join(f"# {line}" for line in str(detail).splitlines()))
        print(f"{'' if good else 'not '}ok {self.number} - {name}", flush=True)


def make_initrd(path, work):
    root = os.path.join(work, "root")
    os.makedirs(os.path.join(root, "bin"))
    shutil.copy(BUSYBOX, os.path.join(root, "bin/busybox"))
    with open(os.path.join(root, "init"), "w", encoding="utf-8") as f:
        f.write(INIT)
    os.chmod(os.path.join(root, "init"), 0o755)
    names = "bin\nbin/busybox\ninit\n"
    with open(path, "wb") as out:
        subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], input=names.encode(), cwd=root, stdout=out, check=True)


def boot(work, end, *options):
    command = [BOOT_VM, "--kernel", KERNEL, "--initrd", f"{work}/initrd", "--json", "--tpm-interface", "none",
               "--append", f"console=ttyS0 panic=-1 end={end}", "--log", f"{work}/log", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    result = json.loads(done.stdout) if done.stdout.startswith("{") else {}
    return done.returncode, result, done.stderr


def outcomes(tap, work):
    for end, code, outcome, reason in (
        ("refused", 1, "refused", "digest-kernel"),
        ("panic", 4, "panic", None),
        ("off", 4, "ended", None),
    ):
        got, result, err = boot(work, end)
        tap.check(f"boot_vm_{end}", (got, result.get("outcome"), result.get("reason")) == (code, outcome, reason),
                  f"{got} {result} {err}")


def export_and_nonce(tap, work):
    code, result, err = boot(work, "export", "--nonce", "c0ffee", "--export", f"{work}/out",
                             "--event-log", f"{work}/log.bin")
    good = code == 0 and result.get("outcome") == "ready"
    tap.check("boot_vm_ready", good, f"{code} {result} {err}")
    answer = open(f"{work}/out/log/answer.txt", encoding="utf-8").read() if good else ""
    tap.check("boot_vm_nonce_reaches_the_guest", answer == "nonce c0ffee\n", answer)
    tap.check("boot_vm_event_log", good and open(f"{work}/log.bin", "rb").read() == b"log\n")


def limits(tap, work):
    started = time.monotonic()
    code, result, err = boot(work, "sleep", "--until", "here we are", "--timeout", "120")
    tap.check("boot_vm_until", code == 0 and result.get("outcome") == "until", f"{code} {result} {err}")
    tap.check("boot_vm_does_not_wait_for_the_limit", time.monotonic() - started < 115)
    code, result, err = boot(work, "sleep", "--timeout", "2")
    tap.check("boot_vm_time_limit", code == 4 and result.get("outcome") == "timeout", f"{code} {result} {err}")


def calls(tap):
    for name, arguments in (("nothing", []), ("no_file", ["--kernel", "/nonexistent"]),
                            ("both", ["--kernel", BUSYBOX, "--esp", BUSYBOX, "--vars", BUSYBOX]),
                            ("bad_nonce", ["--kernel", BUSYBOX, "--nonce", "xyz"])):
        code = subprocess.run([BOOT_VM, *arguments], capture_output=True, check=False).returncode
        tap.check(f"boot_vm_call_{name}", code == 2, code)


def main():
    if not os.path.exists(KERNEL) or not os.path.exists(BUSYBOX) or shutil.which("qemu-system-x86_64") is None:
        print("ok 1 - boot_vm # SKIP no kernel, busybox or QEMU (scripts/setup brings them)\n1..1")
        return 0
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="veridian-test-") as work:
        make_initrd(f"{work}/initrd", work)
        calls(tap)
        export_and_nonce(tap, work)
        outcomes(tap, work)
        limits(tap, work)
    print(f"1..{tap.number}")
    return 1 if tap.failed else 0


sys.exit(main())
