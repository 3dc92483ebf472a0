#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""image/boot-vm: every way a boot can end, with a stock kernel started directly. Prints TAP."""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.environ.get("VD_SOURCE_ROOT", os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "tests/support"))
from tap import Tap  # noqa: E402

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
*end=link*)
    echo hello >/dev/ttyS1
    busybox mkdir /out
    busybox ln -s /etc/passwd /out/eventlog.bin
    busybox tar -c -C /out -f - . >/dev/ttyS1
    echo "VERIDIAN: ready" ;;
*end=ready*) echo "VERIDIAN: ready" ;;
*end=refused*) echo "VERIDIAN: refused digest-kernel at byte 144" ;;
*end=panic*) exit 1 ;;
*end=off*) busybox poweroff -f ;;
*) echo "here we are"; busybox sleep 600 ;;
esac
busybox poweroff -f
"""


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


def command_line(work, end, *options):
    return [BOOT_VM, "--kernel", KERNEL, "--initrd", f"{work}/initrd", "--json", "--tpm-interface", "none",
            "--append", f"console=ttyS0 panic=-1 end={end}", "--log", f"{work}/log", *options]


def boot(work, end, *options):
    done = subprocess.run(command_line(work, end, *options), capture_output=True, text=True, check=False)
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


def no_export(tap, work):
    """A boot without the event log that was asked for fails, and leaves no older one to be mistaken for it."""
    log = f"{work}/log.bin"
    for end in ("link", "ready"):
        with open(log, "wb") as f:
            f.write(b"older")
        code, result, err = boot(work, end, "--event-log", log)
        tap.check(f"boot_vm_no_event_log_{end}",
                  (code, result.get("outcome"), os.path.exists(log)) == (4, "ready", False), f"{code} {result} {err}")


def limits(tap, work):
    started = time.monotonic()
    code, result, err = boot(work, "sleep", "--until", "here we are", "--timeout", "120")
    good = code == 0 and result.get("outcome") == "until"
    tap.check("boot_vm_until", good, f"{code} {result} {err}")
    tap.check("boot_vm_does_not_wait_for_the_limit", good and time.monotonic() - started < 115)
    code, result, err = boot(work, "sleep", "--timeout", "2")
    tap.check("boot_vm_time_limit", code == 4 and result.get("outcome") == "timeout", f"{code} {result} {err}")


def processes_with(text):
    """Running processes with this text in their arguments."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                if text.encode() in f.read():
                    found.append(int(pid))
        except OSError:
            pass  # ended meanwhile
    return found


def wait_until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


def killed(tap, work):
    """Whatever signal ends boot-vm, QEMU and the TPM end too."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL):
        temporary = os.path.join(work, number.name)
        os.mkdir(temporary)
        child = subprocess.Popen([*command_line(work, "sleep"), "--tpm-interface", "crb"], stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL, env={**os.environ, "TMPDIR": temporary})
        # Its temporary directory stands in the arguments of QEMU and of swtpm.
        started = wait_until(lambda: len(processes_with(temporary)) >= 2)
        child.send_signal(number)
        code = child.wait(30)
        tap.check(f"boot_vm_{number.name}_ends_its_children",
                  started and wait_until(lambda: not processes_with(temporary)), f"{started} {processes_with(temporary)}")
        if number != signal.SIGKILL:
            tap.check(f"boot_vm_{number.name}_leaves_nothing", (code, os.listdir(temporary)) == (4, []),
                      f"{code} {os.listdir(temporary)}")


def faults(tap, work):
    done = subprocess.run([BOOT_VM, "--kernel", BOOT_VM, "--tpm-interface", "none"], capture_output=True, text=True, check=False)
    tap.check("boot_vm_says_why_qemu_did_not_start", done.returncode == 4 and "kernel" in done.stderr, done)
    # A machine with Python and no QEMU.
    only_python = os.path.join(work, "path")
    os.mkdir(only_python)
    os.symlink(sys.executable, os.path.join(only_python, "python3"))
    done = subprocess.run(command_line(work, "off"), env={**os.environ, "PATH": only_python}, capture_output=True,
                          text=True, check=False)
    tap.check("boot_vm_names_the_missing_package", done.returncode == 3 and "qemu-system-x86" in done.stderr, done)


CALLS = (
    ("nothing", []),
    ("no_file", ["--kernel", "/nonexistent"]),
    ("both", ["--kernel", BUSYBOX, "--esp", BUSYBOX, "--vars", BUSYBOX]),
    ("vars_without_firmware", ["--kernel", BUSYBOX, "--vars", BUSYBOX]),
    ("append_to_an_image", ["--esp", BUSYBOX, "--vars", BUSYBOX, "--append", "x"]),
    ("nonce_no_hex", ["--kernel", BUSYBOX, "--nonce", "xyz"]),
    ("nonce_half_a_byte", ["--kernel", BUSYBOX, "--nonce", "abc"]),
    ("bad_regex", ["--kernel", BUSYBOX, "--until", "("]),
    ("no_time", ["--kernel", BUSYBOX, "--timeout", "0"]),
    ("no_directory", ["--kernel", BUSYBOX, "--log", "/nonexistent/log"]),
)


def calls(tap):
    for name, arguments in CALLS:
        done = subprocess.run([BOOT_VM, *arguments], capture_output=True, text=True, check=False)
        tap.check(f"boot_vm_call_{name}", done.returncode == 2 and "error: " in done.stderr, done)


def main():
    if not os.path.exists(KERNEL) or not os.path.exists(BUSYBOX) or shutil.which("qemu-system-x86_64") is None:
        print("ok 1 - boot_vm # SKIP no kernel, busybox or QEMU (scripts/setup brings them)\n1..1")
        return 0
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="veridian-test-") as work:
        make_initrd(f"{work}/initrd", work)
        calls(tap)
        faults(tap, work)
        export_and_nonce(tap, work)
        no_export(tap, work)
        outcomes(tap, work)
        limits(tap, work)
        killed(tap, work)
    print(f"1..{tap.number}")
    return 1 if tap.failed else 0


sys.exit(main())
