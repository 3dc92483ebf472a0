#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Enforcement in the kernel, hook by hook, in a virtual machine. Prints TAP.

Each attempt is made three times as root with every capability: in a domain
without a rule (refused, and the log names class and permission), in a domain
with one (let through), and with the policy off (let through: so it was the
policy that refused). On the primary kernel and on the fallback. Labels on a
disk, and permissive mode, besides.
"""
import glob
import json
import lzma
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.environ.get("VD_SOURCE_ROOT", os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "tests/support"))
from tap import Tap  # noqa: E402

BUILD = os.environ.get("VD_BUILD_ROOT", os.path.join(ROOT, "build"))
VERIDIAN = os.path.join(BUILD, "bin/veridian")
PROBE = os.path.join(BUILD, "image/veridian-probe")
HERE = os.path.dirname(os.path.realpath(__file__))
STEP = re.compile(r"VERIDIAN: step (\S+) (?:ok|FAIL) code (-?\d+)")
EPERM, EACCES, EBADF = 1, 13, 9
PINS = "/sys/fs/bpf/veridian"
MKE2FS, DEBUGFS = (shutil.which(n, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") for n in ("mke2fs", "debugfs"))
CONFINED, TESTER, TRUSTED, NOFORK = (f"/srv/{p}" for p in ("showcase/probe", "test/tester", "showcase/probe-trusted", "test/nofork"))
VICTIM = "system_u:object_r:victim_t"

CONTEXTS = f"""
/srv/test          -d system_u:object_r:public_t
/srv/test/tester   -- system_u:object_r:tester_exec_t
/srv/test/script   -- system_u:object_r:tester_exec_t
/srv/test/nofork   -- system_u:object_r:nofork_exec_t
/srv/test/auditd   -- system_u:object_r:auditd_exec_t
/srv/test/tool     -- system_u:object_r:tool_exec_t
/srv/test/victim   -- {VICTIM}
"""

# Made by the tester before the attempts: objects in /tmp under a foreign label.
PREPARE = [
    ("make-victim", TESTER, "create /tmp/victim"), ("label-victim", TESTER, f"relabel /tmp/victim {VICTIM}"),
    ("make-vdir", TESTER, "mkdir /tmp/vdir"), ("label-vdir", TESTER, f"relabel /tmp/vdir {VICTIM}"),
    ("make-mnt", TESTER, "mkdir /tmp/mnt"), ("make-sleeper", TESTER, "sleeper"),
]

# name, attempt, class, permission in the record of the refusal
ATTEMPTS = [
    ("read", "read /srv/showcase/secret", "file", "read"),
    ("write", "write /srv/showcase/public", "file", "write"),
    ("append", "append /srv/showcase/public", "file", "append"),
    ("truncate", "truncate /srv/showcase/public", "file", "write"),
    ("open-truncate", "open-truncate /srv/showcase/public", "file", "write"),
    ("open-neither", "open-neither /srv/showcase/public", "file", "write"),
    ("chmod", "chmod /srv/showcase/public", "file", "setattr"),
    ("chattr", "chattr /srv/showcase/public", "file", "setattr"),
    ("ioctl", "ioctl /srv/showcase/public", "file", "ioctl"),
    ("watch", "watch /srv/showcase/public", "file", "watch"),
    ("console", "write /dev/console", "chr_file", "write"),
    ("create", "create /run/new", "dir", "add_name"),
    ("mkdir", "mkdir /run/newdir", "dir", "add_name"),
    ("rmdir-parent", "rmdir /run/newdir", "dir", "remove_name"),
    ("symlink", "symlink /run/newlink", "dir", "add_name"),
    ("mknod", "mknod /run/newfifo", "dir", "add_name"),
    ("link", "link /tmp/victim /tmp/hard", "file", "link"),
    ("rename", "rename /tmp/victim /tmp/moved", "file", "rename"),
    ("unlink", "unlink /tmp/moved", "file", "unlink"),
    ("rmdir", "rmdir /tmp/vdir", "dir", "rmdir"),
    ("exec", "exec /srv/showcase/probe-trusted", "file", "execute"),
    ("map-exec", "map-exec /srv/showcase/probe-trusted", "file", "execute"),
    ("execmem", "execmem", "process", "execmem"),
    ("mprotect", "mprotect", "process", "execmem"),
    ("memfd-exec", "memfd-exec /srv/showcase/probe-trusted", "file", "execute"),
    ("mount", "mount /tmp/mnt", "dir", "mounton"),
    ("remount", "remount /tmp/mnt", "filesystem", "remount"),
    ("umount", "umount /tmp/mnt", "filesystem", "unmount"),
    ("fsmount", "fsmount tmpfs", "filesystem", "mount"),
    ("reconfigure", "reconfigure /tmp", "filesystem", "remount"),
    ("bpf-map", "bpf-map", "bpf", "map_create"),
    ("bpf-prog", "bpf-prog", "bpf", "prog_load"),
    ("ptrace", "ptrace 1", "process", "ptrace"),
    ("mem", "write /proc/1/mem", "file", "write"),
    ("kill", "kill 1 0", "process", "signull"),
    ("setrlimit", "setrlimit sleeper", "process", "setrlimit"),
    ("setsched", "setsched sleeper", "process", "setsched"),
    ("setnice", "setnice sleeper", "process", "setsched"),
    ("sigio", "sigio sleeper", "process", "sigkill"),
    ("module", "module", "system", "module_load"),
    ("kernel-memory", "read /proc/kcore", "system", "module_load"),
    ("ports", "ports", "system", "module_load"),
]

# Refused whoever asks or for want of one rule: name, program, attempt, class, permission in the record
ALWAYS = [
    ("unlabelled", TRUSTED, "exec /srv/showcase/unlabelled", "file", "execute"),
    ("interpreter", TESTER, "exec /srv/test/script", "file", "execute"),
    ("unlabel", TRUSTED, "unlabel /srv/showcase/secret", "file", "relabelto"),
    ("relabel-unknown", TRUSTED, "relabel /srv/showcase/secret no:such:label", "file", "relabelto"),
    ("relabel", CONFINED, f"relabel /srv/showcase/public {VICTIM}", "file", "relabelfrom"),
    ("guard-map", TESTER, f"bpf-get {PINS}/config", "security", "load_policy"),
    ("guard-map-id", TESTER, "bpf-map-id", "security", "load_policy"),
    ("guard-prog-id", TESTER, "bpf-prog-id", "security", "load_policy"),
    ("guard-prog", TESTER, f"bpf-get {PINS}/prog_file_open", "security", "load_policy"),
    ("guard-unlink", TESTER, f"unlink {PINS}/link_file_open", "dir", "remove_name"),
    ("guard-umount", TESTER, "umount /sys/fs/bpf", "filesystem", "unmount"),
    ("guard-cover", TESTER, "mount /sys/fs/bpf", "dir", "mounton"),
    ("guard-bind", TESTER, f"bind /tmp {PINS}", "dir", "mounton"),
    ("nnp", TRUSTED, "--no-new-privs exec /srv/showcase/probe", "process2", "nnp_transition"),
    ("fork", NOFORK, "fork", "process", "fork"),
]
# Let through although nearby things are refused: the policy has rules for these.
ALLOWED = [
    ("allowed-read", CONFINED, "read /srv/showcase/public"),
    ("allowed-create", CONFINED, "create /tmp/own"),
    ("allowed-append", CONFINED, "append /tmp/own"),
    ("allowed-unlink", CONFINED, "unlink /tmp/own"),
    ("allowed-fork", CONFINED, "fork"),
    ("allowed-transition", TRUSTED, "exec /srv/showcase/probe"),
    ("allowed-guard-map", TRUSTED, f"bpf-get {PINS}/config"),
]

# An ext4 disk: files' labels; None: no attribute.
DISK = {"public": "system_u:object_r:public_t", "secret": "system_u:object_r:secret_t", "unknown": "no:such:label",
        "none": None, "probe": "system_u:object_r:probe_exec_t"}
MOUNT_DISK = "mount-disk ext4 /dev/vda /tmp/disk"
# Name, program, attempt, code where the kernel reads labels from disks, and where it does not (Linux 6.12)
DISK_STEPS = [
    ("module", TRUSTED, "module-file /lib/modules/virtio_blk.ko", 0, 0),
    ("directory", TRUSTED, "mkdir /tmp/disk", 0, 0),
    ("mount", TRUSTED, MOUNT_DISK, 0, 0),
    ("allowed label", CONFINED, "read /tmp/disk/public", 0, EACCES),
    ("forbidden label", CONFINED, "read /tmp/disk/secret", EACCES, EACCES),
    ("forbidden label for another domain", TRUSTED, "read /tmp/disk/secret", 0, EACCES),
    ("label that the policy lacks", TRUSTED, "read /tmp/disk/unknown", EACCES, EACCES),
    ("no label", TRUSTED, "read /tmp/disk/none", EACCES, EACCES),
    ("program in its domain", "/tmp/disk/probe", "read /srv/showcase/public", 0, -EACCES),
    ("program confined", "/tmp/disk/probe", "read /srv/showcase/secret", EACCES, -EACCES),
    ("raw device", CONFINED, "write /dev/vda", EACCES, EACCES),
    ("relabel", TRUSTED, "relabel /tmp/disk/public system_u:object_r:secret_t", 0, 0),
    ("new label at once", CONFINED, "read /tmp/disk/public", EACCES, EACCES),
    ("unmount", TRUSTED, "umount /tmp/disk", 0, 0),
    ("mount again", TRUSTED, MOUNT_DISK, 0, 0),
    ("new label from the disk", CONFINED, "read /tmp/disk/public", EACCES, EACCES),
    ("new label from the disk for another domain", TRUSTED, "read /tmp/disk/public", 0, EACCES),
]
# From each domain that is not trusted, the services' own included: no way to the enforcement, PID 1 or the kernel.
SERVICES = {"probe": CONFINED, "auditd": "/srv/test/auditd", "tool": "/srv/test/tool"}
ATTACKS = [
    *(f"append /proc/sys/kernel/{n}" for n in ("core_pattern", "modprobe", "sysrq", "randomize_va_space")),
    *(f"append {f}" for f in ("/proc/sysrq-trigger", "/proc/1/mem", "/proc/1/oom_score_adj", "/proc/self/mem", "/proc/1/root/init",
                              "/sys/kernel/mm/ksm/run", "/sys/module/firmware_class/parameters/path",
                              "/dev/mem", "/dev/kmsg", "/etc/veridian/policy.vpol", "/usr/bin/veridian", "/lib/modules/virtio_blk.ko")),
    *(f"read {f}" for f in ("/proc/kcore", "/proc/1/fd/0", "/srv/showcase/secret", f"{PINS}/config")),
    *(f"truncate {f}" for f in ("/usr/bin/veridian", "/etc/veridian/policy.vpol")),
    "open-truncate /srv/showcase/public", "chmod /init", "chattr /srv/showcase/public", "watch /",
    "create /lib/new.so", "create /etc/ld.so.preload", "symlink /tmp/loop", "mknod /tmp/fifo", "mkdir /tmp/audit-forged",
    "link /srv/showcase/secret /srv/hard", "link /init /hard", "rename /init /init2", "rename /tmp /tmp2", "unlink /init",
    f"relabel /srv/showcase/secret {VICTIM}", "unlabel /srv/showcase/secret", "relabel /tmp system_u:object_r:init_exec_t",
    "exec /srv/showcase/probe-trusted", "exec /init", "exec /srv/test/script", "map-exec /srv/showcase/public",
    "memfd-exec /srv/showcase/public", "execmem", "mprotect",
    *(f"fsmount {t}" for t in ("tmpfs", "proc", "sysfs", "bpf", "tracefs", "debugfs", "cgroup2", "devtmpfs", "ramfs")),
    "mount /tmp", "bind /tmp /proc", f"bind /tmp {PINS}", "remount /proc", "reconfigure /run", "umount /sys/fs/bpf", "umount /proc",
    "pivot /tmp", f"unlink {PINS}/link_bpf", f"rename {PINS}/link_bpf {PINS}/gone", f"rmdir {PINS}", f"mkdir {PINS}/new",
    f"bpf-get {PINS}/config", f"bpf-get {PINS}/prog_bpf", f"bpf-get {PINS}/policy_outer", "bpf-map", "bpf-prog", "bpf-prog-id",
    "bpf-link-id", "ptrace 1", *(f"kill 1 {n}" for n in (0, 9, 15, 19)), "setrlimit init", "setsched init", "setnice init",
    "module", "module-file /lib/modules/virtio_blk.ko", "ports",
]
PERMISSIVE = [("read", CONFINED, "read /srv/showcase/secret"), ("unlabelled", TRUSTED, "exec /srv/showcase/unlabelled"),
              ("relabel", CONFINED, f"relabel /srv/showcase/public {VICTIM}")]


def steps_text(mode):
    if mode == "permissive":
        return "".join(f"permissive-{n} {prog} {what}\n" for n, prog, what in PERMISSIVE)
    lines = [f"prepare-{n} {prog} {what}" for n, prog, what in PREPARE]
    for name, what, _, _ in ATTEMPTS:
        if mode == "enforcing":
            lines.append(f"confined-{name} {CONFINED} {what}")
        lines.append(f"tester-{name} {TESTER if mode == 'enforcing' else CONFINED} {what}")
    if mode == "enforcing":
        lines += [f"always-{n} {prog} {what}" for n, prog, what, _, _ in ALWAYS]
        lines += [f"ok-{n} {prog} {what}" for n, prog, what in ALLOWED] + [f"stdin {CONFINED} stdin"]
        lines += [f"attack-{n}-{i} {program} {what}" for n, program in SERVICES.items() for i, what in enumerate(ATTACKS)]
        lines += [f"disk-{i} {step[1]} {step[2]}" for i, step in enumerate(DISK_STEPS)]
    else:
        lines.append(f"ok-unlabelled {TRUSTED} exec /srv/showcase/unlabelled")
        lines.append(f"ok-fork {NOFORK} fork")
    return "\n".join(lines) + "\n"


def must(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"Bail out! {' '.join(command)}: exit {done.returncode}: {done.stderr.strip()}")
        sys.exit(1)
    return done.stdout


def write(path, text, mode=0o644):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, mode)
    return path


def make_disk(work):
    """An ext4 image; debugfs sets the attributes, which needs no privilege."""
    disk, files, commands = (os.path.join(work, n) for n in ("disk", "files", "commands"))
    os.mkdir(files)
    for name in DISK:
        write(os.path.join(files, name), f"{name}\n")
    with open(PROBE, "rb") as f, open(os.path.join(files, "probe"), "wb") as to:
        to.write(f.read())
    os.chmod(os.path.join(files, "probe"), 0o755)
    must(MKE2FS, "-q", "-t", "ext4", "-d", files, disk, "16M")
    write(commands, "".join(f"ea_set /{n} security.bpf.veridian {label}\n" for n, label in DISK.items() if label))
    must(DEBUGFS, "-w", "-f", commands, disk)
    found = must(DEBUGFS, "-R", "ea_get /secret security.bpf.veridian", disk)
    if DISK["secret"] not in found:
        print(f"Bail out! debugfs did not set the attribute: {found}")
        sys.exit(1)
    return disk


def disk_module(work, kernel):
    """The driver of the disk, unpacked."""
    packed = glob.glob(os.path.join(os.path.dirname(kernel), "modules/**/virtio_blk.ko.xz"), recursive=True)
    out = os.path.join(work, "virtio_blk.ko")
    with lzma.open(packed[0]) as f, open(out, "wb") as to:
        to.write(f.read())
    return out


def make_initrd(work, mode, kernel):
    image = os.path.join(ROOT, "policy/image")
    policy = os.path.join(work, "policy.vpol")
    must(VERIDIAN, "policy", "compile", "-o", policy, os.path.join(image, "image.te"), os.path.join(HERE, "enforcement/tester.te"))
    with open(os.path.join(image, "file_contexts"), encoding="utf-8") as f:
        contexts = write(os.path.join(work, "file_contexts"), f.read() + CONTEXTS)
    script = write(os.path.join(work, "script"), "#!/srv/showcase/unlabelled\n", 0o755)
    steps = write(os.path.join(work, "steps"), steps_text(mode))
    out = os.path.join(work, "initrd")
    must(os.path.join(ROOT, "image/build-initrd"), "--build", BUILD, "--policy", policy, "--file-contexts", contexts, "--no-compress",
         "--kernel-dir", "", "--out", out, *(f"--add={guest}={host}" for guest, host in (
             ("srv/test/tester", PROBE), ("srv/test/nofork", PROBE), ("srv/test/auditd", PROBE), ("srv/test/tool", PROBE), ("srv/test/script", script), ("etc/veridian/steps", steps),
             ("lib/modules/virtio_blk.ko", disk_module(work, kernel)))))
    return out


def boot(work, kernel, mode, disk):
    """Boots once; returns ({step: code}, audit records, console)."""
    initrd = make_initrd(work, mode, kernel)
    log, export = os.path.join(work, "console"), os.path.join(work, "export")
    done = subprocess.run([os.path.join(ROOT, "image/boot-vm"), "--kernel", kernel, "--initrd", initrd, "--root", disk, "--tpm-interface", "none",
                           "--append", f"console=ttyS0 quiet panic=-1 lsm=capability,landlock,bpf veridian.mac={mode}", "--log", log,
                           "--export", export, "--timeout", "300"], capture_output=True, text=True, check=False)
    with open(log, encoding="utf-8", errors="replace") as f:
        console = f.read()
    if done.returncode != 0:
        print("\n".join("# " + line for line in (done.stdout + done.stderr + console[-3000:]).splitlines()))
        return None, [], console
    records = []
    if mode != "off":
        text = must(VERIDIAN, "audit", "search", "--log", os.path.join(export, "audit"), "--json")
        records = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return {name: int(code) for name, code in STEP.findall(console)}, records, console


def recorded(records, kind, perm, domain):
    """True if a refusal of that permission on that class, asked by the domain, is in the log."""
    return any(r.get("action", {}).get("class") == kind and perm in r["action"].get("denied", [])
               and r.get("subject", {}).get("context", "").endswith(":" + domain) for r in records)


DOMAINS = {CONFINED: "probe_t", TESTER: "tester_t", TRUSTED: "init_t", NOFORK: "nofork_t"}


def check_enforcing(tap, label, codes, records):
    for name, _, kind, perm in ATTEMPTS:
        got = codes.get(f"confined-{name}")
        tap.check(f"{label}: {name} without a rule is refused", got in (EACCES, EPERM), f"code {got}")
        tap.check(f"{label}: {name} is recorded as {kind} {perm}", recorded(records, kind, perm, "probe_t"))
        got = codes.get(f"tester-{name}")
        tap.check(f"{label}: {name} with a rule is let through", got == 0, f"code {got}")
    for name, program, _, kind, perm in ALWAYS:
        got = codes.get(f"always-{name}")
        tap.check(f"{label}: {name} is refused", got in (EACCES, EPERM), f"code {got}")
        tap.check(f"{label}: {name} is recorded as {kind} {perm}", recorded(records, kind, perm, DOMAINS[program]))
    tap.check(f"{label}: standard input is not the console", codes.get("stdin") == EBADF, f"code {codes.get('stdin')}")
    for name, _, _ in ALLOWED:
        tap.check(f"{label}: {name}", codes.get(f"ok-{name}") == 0, f"code {codes.get(f'ok-{name}')}")


def check_attacks(tap, label, codes):
    """No attempt needs a rule here that any of these domains has; ESRCH, ENOENT and the like count as let through."""
    for domain in SERVICES:
        through = [(what, codes.get(f"attack-{domain}-{i}")) for i, what in enumerate(ATTACKS)
                   if codes.get(f"attack-{domain}-{i}") not in (EACCES, EPERM)]
        tap.check(f"{label}: {len(ATTACKS)} attempts in {domain}_t are refused", not through, through)


def check_disk(tap, label, codes, records, readable):
    for i, (name, _, _, primary, fallback) in enumerate(DISK_STEPS):
        want, got = primary if readable else fallback, codes.get(f"disk-{i}")
        tap.check(f"{label}: disk: {name}", got == want, f"code {got}, expected {want}")
    refused = [r for r in records if r.get("object", {}).get("path") == "/tmp/disk/secret" and r["subject"]["context"].endswith(":probe_t")]
    context = refused[0]["object"].get("context") if refused else None
    tap.check(f"{label}: disk: the refusal names the label", bool(refused) and context == (DISK["secret"] if readable else None), refused)


def check_permissive(tap, label, codes, records):
    for name, _, _ in PERMISSIVE:
        got = codes.get(f"permissive-{name}")
        tap.check(f"{label}: permissive: {name} is let through", got == 0, f"code {got}")
    told = [r for r in records if r.get("object", {}).get("path") == "/srv/showcase/secret" and "read" in r["action"].get("denied", [])]
    tap.check(f"{label}: permissive: the read is recorded as one", bool(told) and all(r["result"]["permissive"] for r in told), told)


def check_off(tap, label, codes):
    for name, _, _, _ in ATTEMPTS:
        got = codes.get(f"tester-{name}")
        tap.check(f"{label}: {name} without the policy is let through", got == 0, f"code {got}")
    for name in ("unlabelled", "fork"):
        tap.check(f"{label}: {name} without the policy is let through", codes.get(f"ok-{name}") == 0, f"code {codes.get(f'ok-{name}')}")


def main():
    tap = Tap()
    kernels = [(name, os.path.join(os.environ.get(var, ""), "vmlinuz"))
               for name, var in (("primary kernel", "VD_KERNEL_PRIMARY"), ("fallback kernel", "VD_KERNEL_FALLBACK"))]
    missing = [path for path in [VERIDIAN, PROBE, *(k for _, k in kernels)] if not os.path.exists(path)]
    missing += [name for name, path in (("mke2fs", MKE2FS), ("debugfs", DEBUGFS)) if path is None]
    if missing:
        print(f"1..0 # SKIP not built or not fetched: {', '.join(missing)}")
        return 0
    boots = [(*kernels[0], "enforcing"), (*kernels[1], "enforcing"), (*kernels[0], "permissive"), (*kernels[0], "off"), (*kernels[1], "off")]
    with tempfile.TemporaryDirectory(prefix="veridian-enforcement-") as work:
        disk = make_disk(work)
        for label, kernel, mode in boots:
            codes, records, _ = boot(work, kernel, mode, disk)
            tap.check(f"{label}: boot, policy {mode}", codes is not None)
            if codes is None:
                continue
            if mode == "enforcing":
                check_enforcing(tap, label, codes, records)
                check_attacks(tap, label, codes)
                check_disk(tap, label, codes, records, label == "primary kernel")
            elif mode == "permissive":
                check_permissive(tap, label, codes, records)
            else:
                check_off(tap, label, codes)
    print(f"1..{tap.number}")
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
