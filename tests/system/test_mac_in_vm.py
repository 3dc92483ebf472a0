#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The decision engine compiled to BPF against its host build, inside the kernels of
the image: the same program and questions as the integration test mac_bpf, in QEMU.
Prints TAP: the guest's cases, with the kernel's name before them.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import bootimage  # noqa: E402

ROOT = os.environ.get("VD_SOURCE_ROOT") or os.path.join(os.path.dirname(__file__), "../..")
BUILD = os.environ.get("VD_BUILD_ROOT", "")
BOOT_VM = os.path.join(ROOT, "image", "boot-vm")
PROGRAM = os.path.join(BUILD, "tests/integration/test_mac_bpf")
POLICIES = [os.path.join(BUILD, "tests/integration", name) for name in ("seed.vpol", "image.vpol")]
KERNELS = [(name, os.environ.get(variable, "")) for name, variable in
           (("primary", "VD_KERNEL_PRIMARY"), ("fallback", "VD_KERNEL_FALLBACK"))]
BUSYBOX = "/bin/busybox"
QUERIES = 100000
CASE = re.compile(r"^(not )?ok \d+ - (\w+)(?: # SKIP (.*))?$")
INIT = f"""#!/bin/sh
mount -t proc none /proc
mount -t sysfs none /sys
mount -t tmpfs none /tmp
export VD_MAC_POLICIES=/policies VD_MAC_QUERIES={QUERIES}
/test_mac_bpf
echo "guest status $?"
poweroff -f
"""


def initrd():
    directory, program, link = 0o040755, 0o100755, 0o120777
    entries = [(name, directory, b"", 0, 0) for name in ("bin", "dev", "proc", "sys", "tmp", "policies")]
    entries += [("dev/console", 0o020600, b"", 5, 1), ("init", program, INIT.encode(), 0, 0),
                ("bin/busybox", program, bootimage.read(BUSYBOX), 0, 0),
                ("test_mac_bpf", program, bootimage.read(PROGRAM), 0, 0)]
    entries += [("bin/" + tool, link, b"busybox", 0, 0) for tool in ("sh", "mount", "poweroff")]
    entries += [("policies/" + os.path.basename(path), 0o100644, bootimage.read(path), 0, 0) for path in POLICIES]
    return bootimage.cpio(entries)


def missing():
    paths = [BUSYBOX, PROGRAM, *POLICIES, *(os.path.join(kernel, "vmlinuz") for _, kernel in KERNELS)]
    return [p for p in paths if not os.path.exists(p)] + [
        t for t in ("qemu-system-x86_64",) if not shutil.which(t)]


def boot(kernel, archive, log):
    subprocess.run([BOOT_VM, "--kernel", os.path.join(kernel, "vmlinuz"), "--initrd", archive, "--log", log,
                    "--tpm-interface", "none", "--append", "console=ttyS0 quiet panic=-1",
                    "--until", "guest status", "--timeout", "500"], stdout=subprocess.DEVNULL, check=False)
    return bootimage.read(log).decode("utf-8", "replace").splitlines()


def main():
    lacking = missing()
    if lacking:
        print(f"1..0 # SKIP not on this machine: {', '.join(lacking)}")
        return 0
    number = failed = 0
    with tempfile.TemporaryDirectory(prefix="veridian-mac-") as work:
        archive = bootimage.write(os.path.join(work, "initrd"), initrd())
        for name, kernel in KERNELS:
            lines = boot(kernel, archive, os.path.join(work, "log"))
            found = [m for m in (CASE.match(line.strip()) for line in lines) if m]
            cases = [(m.group(1), f"{name}_{m.group(2)}", m.group(3)) for m in found]
            if "guest status 0" not in (line.strip() for line in lines):
                cases.append(("not ", f"{name}_ends_well", None))
                print("\n".join("# " + line for line in lines[-15:]))
            for bad, title, skip in cases:
                number += 1
                failed += bool(bad)
                print(f"{bad or ''}ok {number} - {title}" + (f" # SKIP {skip}" if skip else ""), flush=True)
    print(f"1..{number}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
