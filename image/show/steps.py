# SPDX-License-Identifier: MIT OR Apache-2.0
"""The showcase's steps. Each returns (what was shown, value for later steps)."""
import glob
import json
import os
import re
import secrets
import shutil

from show.report import StepFailed
from show.workspace import IMAGE, ROOT

BOOT_TIMEOUT_S = "240"
COMMAND_LINE = "console=ttyS0 loglevel=6 panic=-1 lsm=lockdown,capability,landlock,bpf lockdown=integrity veridian.mac="
SECURITY_VERSION = "2"
QUOTED_PCRS = ("4", "7", "8", "9", "11")
GUEST_STEP = re.compile(r"VERIDIAN: step (\S+) (ok|FAIL) (.*)")


def policy(space):
    """Compiles the image's mandatory policy."""
    sources = sorted(glob.glob(os.path.join(ROOT, "policy/image/*.te")))
    out = space.path("policy.vpol")
    space.must(space.veridian, "policy", "compile", "-o", out, *sources)
    return f"{len(sources)} sources compiled to {os.path.getsize(out)} bytes", out


def initrd(space, blob, name="initrd.img", add=()):
    """The initial file system; `add` are more files, GUEST=HOST."""
    out = space.path(name)
    more = [word for pair in add for word in ("--add", pair)]
    space.must(os.path.join(IMAGE, "build-initrd"), "--build", space.build, "--policy", blob, "--out", out, *more)
    return f"{os.path.getsize(out) >> 10} KiB", out


def keys(space):
    """Makes the owner's keys once; they stay for later runs."""
    out = space.path("keys")
    if os.path.isdir(out):
        return "the keys of an earlier run", out
    space.must(space.veridian, "boot", "keys", "--out", out)
    private = [f for f in os.listdir(out) if os.stat(os.path.join(out, f)).st_mode & 0o077 == 0]
    return f"made; {len(private)} private files with mode 0600", out


def image(space, key_dir, initrd_path, mode, name=None):
    """Builds one signed image with its ESP and firmware variables."""
    out = space.path("image-" + (name or mode))
    shutil.rmtree(out, ignore_errors=True)
    space.must(space.veridian, "boot", "build", "--keys", key_dir, "--kernel", space.kernel, "--initrd", initrd_path,
               "--cmdline", COMMAND_LINE + mode, "--security-version", SECURITY_VERSION, "--out", out)
    space.must(space.veridian, "boot", "verify", "--root", root_certificate(key_dir), os.path.join(out, "veridian.img"))
    return f"{os.path.getsize(os.path.join(out, 'veridian.img')) >> 10} KiB, signature verified on the host", out


def root_certificate(key_dir):
    return os.path.join(key_dir, "root.crt")


def predict(space, image_dir):
    out = space.must(space.veridian, "boot", "predict", "--json", image_dir)
    path = space.write(os.path.basename(image_dir) + "-predicted.json", out.encode())
    registers = sorted(json.loads(out)["pcrs"]["sha256"], key=int)
    return f"PCRs {', '.join(registers)} from the files alone", path


class Boot:
    """What one boot left behind."""

    def __init__(self, space, name, nonce):
        self.nonce = nonce
        self.log = space.path(name + ".log")
        self.exports = space.path(name)
        self.result = {}

    def guest_steps(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return [m.groups() for m in map(GUEST_STEP.search, f) if m]

    def export(self, name):
        return os.path.join(self.exports, name)


def boot(space, image_dir, name, *options):
    """Boots an image whatever the outcome; returns a Boot."""
    done = Boot(space, name, secrets.token_hex(20))
    shutil.rmtree(done.exports, ignore_errors=True)
    code, out, err = space.run(os.path.join(IMAGE, "boot-vm"), "--image", image_dir, "--ovmf", space.deps["VD_OVMF"],
                               "--log", done.log, "--nonce", done.nonce, "--export", done.exports,
                               "--timeout", BOOT_TIMEOUT_S, "--json", *options)
    if not out.startswith("{"):
        raise StepFailed(f"boot-vm: exit {code}: {err.strip()}")
    done.result = json.loads(out)
    return done


def boot_ready(space, image_dir, name):
    done = boot(space, image_dir, name, "--tpm", space.path("tpm"))
    if done.result["outcome"] != "ready":
        raise StepFailed(f"{done.result['line']} (console: {done.log})")
    stages = done.result["stages_s"]
    if "bootloader" not in stages or "linux" not in stages:
        raise StepFailed(f"the console lacks stages: {stages}")
    text = f"bootloader at {stages['bootloader']:.1f} s, Linux at {stages['linux']:.1f} s, ready at {stages['ready']:.1f} s"
    return text, done


def refused(space, image_dir, name, reason, *options):
    done = boot(space, image_dir, name, *options)
    if done.result["outcome"] != "refused" or done.result["reason"] != reason:
        raise StepFailed(f"expected refused {reason}, saw: {done.result['line']} (console: {done.log})")
    return done.result["line"].removeprefix("VERIDIAN: "), done


def flip_bit(source, target, offset):
    with open(source, "rb") as f:
        data = bytearray(f.read())
    data[offset] ^= 1
    with open(target, "wb") as f:
        f.write(data)


def copy_esp(space, image_dir, name):
    """A copy of an image's directory to be damaged."""
    out = space.path(name)
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(image_dir, out)
    return out


def replace_on_esp(space, image_dir, path, on_esp):
    space.must("mcopy", "-o", "-i", os.path.join(image_dir, "esp.img"), path, "::" + on_esp)


def flipped_initrd(space, image_dir):
    """One bit of the initrd changed on the disk: the bootloader refuses."""
    out = copy_esp(space, image_dir, "image-flipped")
    header = json.loads(space.must(space.veridian, "boot", "inspect", "--json", os.path.join(out, "veridian.img")))
    flip_bit(os.path.join(image_dir, "veridian.img"), os.path.join(out, "veridian.img"), field(header, "initrd_offset") + 4096)
    replace_on_esp(space, out, os.path.join(out, "veridian.img"), "/veridian.img")
    return refused(space, out, "boot-flipped", "digest-initrd")


def field(header, name):
    for row in header["fields"]:
        if row["name"] == name:
            return int(row["value"])
    raise StepFailed(f"boot inspect shows no field {name}")


def flipped_bootloader(space, image_dir):
    """One bit of the bootloader changed on the disk: the firmware refuses."""
    out = copy_esp(space, image_dir, "image-bootloader")
    loader = os.path.join(out, "BOOTX64.EFI")
    flip_bit(os.path.join(image_dir, "BOOTX64.EFI"), loader, os.path.getsize(loader) // 2)
    replace_on_esp(space, out, loader, "/EFI/BOOT/BOOTX64.EFI")
    return refused(space, out, "boot-bootloader", "firmware")


def attest(space, done, *, nonce, log, expected, key):
    """`veridian attest verify`; returns its exit code and verdict line."""
    code, out, err = space.run(space.veridian, "attest", "verify", "--quote", done.exports, "--nonce", nonce,
                               "--ak", key, "--event-log", log, "--expected", expected)
    lines = (out + err).strip().splitlines()
    return code, lines[0] if lines else ""


def quote_verified(space, done, expected, key):
    code, text = attest(space, done, nonce=done.nonce, log=done.export("eventlog.bin"), expected=expected, key=key)
    if code != 0:
        raise StepFailed(f"exit {code}: {text}")
    with open(expected, encoding="utf-8") as f:
        registers = sorted(json.load(f)["pcrs"]["sha256"], key=int)
    return f"{text.removeprefix('verified: ')}; {', '.join(registers)} as predicted from the files", True


def quote_refused(space, done, expected, key):
    """A wrong nonce, a changed log and another image: each must be refused."""
    log = done.export("eventlog.bin")
    changed = space.path("eventlog-changed.bin")
    flip_bit(log, changed, os.path.getsize(log) - 8)
    tries = {
        "wrong nonce": {"nonce": secrets.token_hex(20), "log": log, "expected": expected},
        "changed log": {"nonce": done.nonce, "log": changed, "expected": expected},
        "another image": {"nonce": done.nonce, "log": log, "expected": space.path("image-off-predicted.json")},
    }
    for name, how in tries.items():
        code, text = attest(space, done, key=key, **how)
        if code not in (1, 2) or (code == 2 and name != "changed log"):
            raise StepFailed(f"{name}: exit {code}: {text}")
    return ", ".join(tries) + ": each refused", True


def other_image(space, key_dir, blob, done):
    """Another initial file system, signed by the same owner, with the key store of that boot in it."""
    store = [f"srv/keys/{name}={done.export(name)}" for name in ("root.key", "keys.db")]
    _, archive = initrd(space, blob, "initrd-other.img", store)
    return image(space, key_dir, archive, "enforcing", "other")


def log_verified(space, done):
    """The exported audit log verifies here too, outside the guest."""
    out = space.must(space.veridian, "audit", "verify", "--log", done.export("audit"))
    return out.strip().splitlines()[0].removeprefix("verified: "), True
