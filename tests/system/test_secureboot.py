#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Secure Boot from the firmware to Linux, and every refusal on the way, in QEMU.

Prints TAP. One image is built once; each refusal changes one thing of it.
`test_secureboot.py [CASE…]` runs the named cases only.
"""
import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import bootimage  # noqa: E402

ROOT = os.environ.get("VD_SOURCE_ROOT") or os.path.join(os.path.dirname(__file__), "../..")
BOOT_VM = os.path.join(ROOT, "image", "boot-vm")
VARIABLES = os.path.join(os.environ.get("VD_OVMF") or "/usr/share/OVMF", "OVMF_VARS_4M.fd")
KERNEL = os.path.join(os.environ.get("VD_KERNEL_PRIMARY", ""), "vmlinuz")
BOOTLOADER = os.path.join(os.environ.get("VD_BUILD_ROOT", ""), "bootloader", "veridian.efi")
VERIDIAN = os.path.join(os.environ.get("VD_BUILD_ROOT", ""), "bin", "veridian")
BUSYBOX = "/bin/busybox"

SECURE_BOOT, MEASURED_BOOT, ROLLBACK = 1, 2, 16
CMDLINE = b"console=ttyS0 quiet panic=-1"
STAGES = ["bootloader", "verified", "measured", "handoff", "ready"]
# The guest's whole user space: it exports its event log and PCR values.
INIT = b"""#!/bin/sh
mount -t sysfs none /sys
mount -t securityfs none /sys/kernel/security
mount -t devtmpfs none /dev
stty -F /dev/ttyS1 raw -echo
exec 3<>/dev/ttyS1
echo hello >&3
read -r nonce <&3
mkdir /out
for pcr in 4 8 9 11; do
    echo "$pcr $(cat /sys/class/tpm/tpm0/pcr-sha256/$pcr)" >>/out/pcrs.txt
done
cat /sys/kernel/security/tpm0/binary_bios_measurements >/out/eventlog.bin
tar -c -C /out -f - eventlog.bin pcrs.txt >&3
echo "VERIDIAN: ready"
poweroff -f
"""


class Failure(Exception):
    pass


def expect(condition, text):
    if not condition:
        raise Failure(text)


def missing():
    """What this test needs and the machine lacks; empty if nothing."""
    tools = ["qemu-system-x86_64", "swtpm", "sbsign", "mformat", "mcopy", "openssl"]
    return [path for path in (BOOTLOADER, VERIDIAN, KERNEL, BUSYBOX, VARIABLES)
            if not os.path.exists(path)] + [tool for tool in tools if not shutil.which(tool)]


class Material:
    """Keys, the good image and the good bootloader: made once."""

    def __init__(self, directory):
        self.directory = directory
        self.db = bootimage.make_db_key(directory, "db")
        self.other_db = bootimage.make_db_key(directory, "other-db")
        self.pk = bootimage.make_db_key(directory, "PK")
        self.signer = bootimage.Signer(directory, "product")
        self.other = bootimage.Signer(directory, "stranger")
        self.kernel = bootimage.read(KERNEL)
        self.initrd = make_initrd()
        self.program = bootimage.read(BOOTLOADER)
        self.policy = bootimage.boot_policy(SECURE_BOOT | MEASURED_BOOT, 3)
        self.image, self.offsets = self.build(self.signer, 5)

    def build(self, signer, version, policy=b""):
        return bootimage.image(signer, self.kernel, self.initrd, CMDLINE, version, policy)

    def bootloader(self):
        return bootimage.fill_trust_block(self.program, self.signer.root, self.policy)

    def sign(self, program, key):
        path = bootimage.write(os.path.join(self.directory, "unsigned.efi"), program)
        bootimage.run("sbsign", "--key", key + ".key", "--cert", key + ".crt", "--output",
                      path + ".signed", path)
        return bootimage.read(path + ".signed")

    def variables(self, dbx=None):
        return bootimage.variables(bootimage.read(VARIABLES), *(
            bootimage.read(key + ".cer") for key in (self.pk, self.pk, self.db)), dbx=dbx)


def make_initrd():
    tools = ["sh", "mount", "cat", "mkdir", "stty", "tar", "poweroff"]
    directory, program, link, device = 0o040755, 0o100755, 0o120777, 0o020600
    entries = [(name, directory, b"", 0, 0) for name in ("bin", "dev", "sys")]
    entries += [("dev/console", device, b"", 5, 1), ("init", program, INIT, 0, 0),
                ("bin/busybox", program, bootimage.read(BUSYBOX), 0, 0)]
    entries += [("bin/" + tool, link, b"busybox", 0, 0) for tool in tools]
    return bootimage.cpio(entries)


class Result:
    """What boot-vm said and stored."""

    def __init__(self, said, lines, files):
        self.__dict__.update(said)
        self.lines = lines
        self.files = files

    def shows(self, text):
        return any(text in line for line in self.lines)

    def tail(self):
        return "\n".join("# " + line for line in self.lines[-12:])


def boot(material, program, image, variables, tpm="crb"):
    with tempfile.TemporaryDirectory(dir=material.directory) as directory:
        join = lambda name: os.path.join(directory, name)
        bootimage.write(join("boot.efi"), program)
        if image is not None:
            bootimage.write(join("veridian.img"), image)
        bootimage.esp(join("esp.img"), join("boot.efi"),
                      join("veridian.img") if image is not None else None)
        bootimage.write(join("vars.fd"), variables)
        return boot_directory(directory, tpm)


def boot_directory(directory, tpm="crb"):
    """Boots the esp.img and vars.fd of a directory; logs and exports go there too."""
    log, out = (os.path.join(directory, name) for name in ("log", "exported"))
    run = subprocess.run([BOOT_VM, "--json", "--image", directory, "--log", log, "--export", out,
                          "--tpm-interface", tpm], stdout=subprocess.PIPE, check=False)
    expect(run.returncode in (0, 1) and run.stdout.startswith(b"{"),
           f"boot-vm ended with {run.returncode}: {run.stdout}")
    lines = bootimage.read(log).decode("utf-8", "replace").splitlines()
    files = {name: bootimage.read(os.path.join(out, name))
             for name in (os.listdir(out) if os.path.isdir(out) else [])}
    return Result(json.loads(run.stdout), [line.strip() for line in lines], files)


def host_verdict(material, image):
    """What `veridian boot verify` says of the same image: (exit code, words)."""
    directory = material.directory
    root = bootimage.write(os.path.join(directory, "verify-root.der"), material.signer.root)
    policy = bootimage.write(os.path.join(directory, "verify-policy"), material.policy)
    path = bootimage.write(os.path.join(directory, "verify.img"), image)
    run = subprocess.run([VERIDIAN, "boot", "verify", "--root", root, "--policy", policy, path],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    return run.returncode, run.stdout.decode().split()[:2]


def expect_refusal(result, reason):
    expect(result.outcome == "refused" and result.reason == reason,
           f"{result.line}, expected refused {reason}\n{result.tail()}")
    expect(not result.shows("VERIDIAN: starting linux"), "Linux was started all the same")
    if reason == "firmware":
        expect(not result.shows("VERIDIAN: bootloader"), "the bootloader ran all the same")
        return
    at = next(i for i, line in enumerate(result.lines) if "VERIDIAN: refused" in line)
    # The details, and nothing behind them: the firmware got no second try.
    rest = [line for line in result.lines[at + 1:] if line]
    expect(len(rest) == 1 and rest[0].startswith("VERIDIAN: "), f"after the refusal: {rest}")


# The positive boot ------------------------------------------------------------

def parse_log(log):
    """The events of a crypto-agile TCG log as (pcr, type, SHA-256 digest, data)."""
    position = 32 + struct.unpack_from("<I", log, 28)[0]
    sizes = {0x4: 20, 0xb: 32, 0xc: 48, 0xd: 64}
    events = []
    while position < len(log):
        pcr, kind, count = struct.unpack_from("<III", log, position)
        position, digest = position + 12, None
        for _ in range(count):
            algorithm = struct.unpack_from("<H", log, position)[0]
            if algorithm == 0xb:
                digest = log[position + 2:position + 34]
            position += 2 + sizes[algorithm]
        size = struct.unpack_from("<I", log, position)[0]
        events.append((pcr, kind, digest, log[position + 4:position + 4 + size]))
        position += 4 + size
    return events


def expected_events(material):
    """What the bootloader measures, as docs/formats/image.md says."""
    kernel, initrd = (bootimage.sha256(part) for part in (material.kernel, material.initrd))
    return [
        (11, 6, struct.pack("<II", 0x56440001, 512) + material.image[:512]),
        (11, 6, struct.pack("<II", 0x56440002, 32) + material.policy),
        (4, 6, struct.pack("<II", 0x56440003, 32) + kernel),
        (8, 0xd, b"veridian cmdline: " + CMDLINE),
        (9, 0xd, b"veridian initrd: sha256 " + initrd.hex().encode()),
    ]


def check_measurements(material, files):
    log = parse_log(files["eventlog.bin"])
    expected = expected_events(material)
    found = [(pcr, kind, data) for pcr, kind, digest, data in log
             if (pcr, kind, data) in expected and digest == bootimage.sha256(data)]
    expect(found == expected, "the event log has not our five events in order, but of PCRs "
           f"{[pcr for pcr, _, _ in found]}")
    # Linux' EFI stub measures what it was handed over, behind ours.
    handed = [CMDLINE.decode().encode("utf-16-le") + b"\0\0", material.initrd]
    in_9 = [digest for pcr, _, digest, _ in log if pcr == 9]
    expect(in_9[1:] == [bootimage.sha256(data) for data in handed], "Linux got something else")
    values = exported_pcrs(files)
    for number in ("4", "8", "9", "11"):
        value = bytes(32)
        for pcr, _, digest, _ in log:
            if pcr == int(number):
                value = hashlib.sha256(value + digest).digest()
        expect(value.hex() == values.get(number), f"PCR {number} is not what its log says")


def case_boots(material):
    result = boot(material, material.sign(material.bootloader(), material.db), material.image,
                  material.variables())
    expect(result.outcome == "ready", f"{result.line}\n{result.tail()}")
    times = [result.stages_s.get(stage) for stage in STAGES]
    expect(None not in times and times == sorted(times), f"the stages were {times}")
    expect(result.shows("VERIDIAN: image verified security-version 5"), "the version is not shown")
    expect(result.shows("VERIDIAN: measured pcr 4 8 9 11"), "the PCRs are not shown")
    check_measurements(material, result.files)
    verdict = host_verdict(material, material.image)
    expect(verdict[0] == 0 and verdict[1][:1] == ["verified"], f"the host says {verdict}")
    for stage, at in zip(STAGES, times):
        print(f"# {at:6.2f} s  {stage}")


def exported_pcrs(files):
    return dict(line.lower().split() for line in files["pcrs.txt"].decode().splitlines())


def case_tools(material):
    """What the product's own tools build boots, to the PCR values that they predict."""
    directory = os.path.join(material.directory, "tools")
    keys, out = os.path.join(directory, "keys"), os.path.join(directory, "out")
    os.makedirs(directory)
    initrd = bootimage.write(os.path.join(directory, "initrd"), material.initrd)
    bootimage.run(VERIDIAN, "boot", "keys", "--out", keys)
    bootimage.run(VERIDIAN, "boot", "build", "--keys", keys, "--kernel", KERNEL, "--initrd", initrd,
                  "--cmdline", CMDLINE.decode(), "--security-version", "7", "--out", out)
    result = boot_directory(out)
    expect(result.outcome == "ready", f"{result.line}\n{result.tail()}")
    expect(result.shows("VERIDIAN: image verified security-version 7"), "the version is not shown")
    predicted = json.loads(bootimage.run(VERIDIAN, "boot", "predict", "--json", out))
    values = exported_pcrs(result.files)
    for pcr, value in values.items():
        expect(predicted["pcrs"]["sha256"].get(pcr) == value,
               f"PCR {pcr} is {value}, predicted {predicted['pcrs']['sha256'].get(pcr)}")
    expect(len(values) == 4, f"PCR values of {sorted(values)}")


# The refusals: (name, reason, what is changed) ---------------------------------

def changed_bootloader(change):
    return lambda m: (change(m), m.image, m.variables())


def changed_image(change):
    return lambda m: (m.sign(m.bootloader(), m.db), change(m), m.variables())


def flipped_part(part, offset):
    return changed_image(lambda m: bootimage.flip(m.image, m.offsets[part] + offset))


def with_dbx(make):
    return lambda m: (m.sign(m.bootloader(), m.db), m.image, m.variables(make(m)))


def tbs_sha256(certificate):
    """The digest of the part that the issuer signed: the first element of the outer SEQUENCE."""
    size = struct.unpack_from(">H", certificate, 6)[0] + 4
    assert certificate[4:6] == b"\x30\x82"
    return bootimage.sha256(certificate[4:4 + size])


REFUSALS = [
    ("bootloader-unsigned", "firmware", changed_bootloader(lambda m: m.bootloader())),
    ("bootloader-other-key", "firmware",
     changed_bootloader(lambda m: m.sign(m.bootloader(), m.other_db))),
    ("bootloader-flipped-bit", "firmware",
     changed_bootloader(lambda m: bootimage.flip(m.sign(m.bootloader(), m.db), 0x800))),
    ("bootloader-empty-trust-block", "trust-block",
     changed_bootloader(lambda m: m.sign(m.program, m.db))),
    ("image-missing", "file", changed_image(lambda m: None)),
    ("header-flipped-magic", "magic", changed_image(lambda m: bootimage.flip(m.image, 0))),
    ("header-flipped-version", "signature", changed_image(lambda m: bootimage.flip(m.image, 60, 3))),
    ("kernel-flipped-bit", "digest-kernel", flipped_part("kernel", 1 << 20)),
    ("initrd-flipped-bit", "digest-initrd", flipped_part("initrd", 1 << 16)),
    ("cmdline-flipped-bit", "digest-cmdline", flipped_part("cmdline", 0)),
    ("signature-flipped-bit", "signature", flipped_part("signature", 95)),
    ("image-other-chain", "untrusted", changed_image(lambda m: m.build(m.other, 5)[0])),
    ("image-old", "security-version", changed_image(lambda m: m.build(m.signer, 2)[0])),
    ("image-own-policy", "rollback",
     changed_image(lambda m: m.build(m.signer, 5, bootimage.boot_policy(ROLLBACK))[0])),
    ("dbx-image", "forbidden", with_dbx(lambda m: bootimage.signature_list(
        bootimage.SHA256_LIST, [bytes(32), bootimage.sha256(m.image[:512])]))),
    ("dbx-kernel", "forbidden", with_dbx(lambda m: bootimage.signature_list(
        bootimage.SHA256_LIST, [bootimage.authenticode_sha256(m.kernel)]))),
    ("dbx-signer", "forbidden", with_dbx(lambda m: bootimage.signature_list(
        bootimage.X509_SHA256_LIST, [tbs_sha256(m.signer.certificate) + bytes(16)]))),
    ("dbx-root", "forbidden", with_dbx(lambda m: bootimage.signature_list(
        bootimage.X509_LIST, [m.signer.root]))),
    ("secure-boot-off", "secure-boot-off",
     lambda m: (m.bootloader(), m.image, bootimage.variables(bootimage.read(VARIABLES)))),
]


# Reasons that lie in the image alone: the host must give the same.
IMAGE_REASONS = {"magic", "signature", "digest-kernel", "digest-initrd", "digest-cmdline",
                 "untrusted", "security-version"}


def refusal_case(reason, make, tpm="crb"):
    def case(material):
        program, image, variables = make(material)
        expect_refusal(boot(material, program, image, variables, tpm), reason)
        if reason in IMAGE_REASONS:
            wanted = (2, []) if reason == "magic" else (1, ["refused", reason])
            found = host_verdict(material, image)
            expect(found == wanted, f"the host says {found}, expected {wanted}")
    return case


CASES = [("boots", case_boots), ("boots-what-the-tools-build", case_tools)]
CASES += [(name, refusal_case(reason, make)) for name, reason, make in REFUSALS]
CASES += [("no-tpm", refusal_case("measured-boot-off", changed_image(lambda m: m.image), "none"))]


def main():
    chosen = [case for case in CASES if not sys.argv[1:] or case[0] in sys.argv[1:]]
    lacking = missing()
    if lacking:
        print(f"1..0 # SKIP not on this machine: {', '.join(lacking)}")
        return 0
    print(f"1..{len(chosen)}", flush=True)
    failed = 0
    with tempfile.TemporaryDirectory(prefix="veridian-secureboot-") as directory:
        material = Material(directory)
        for number, (name, case) in enumerate(chosen, start=1):
            try:
                case(material)
                print(f"ok {number} - {name}", flush=True)
            except Failure as failure:
                failed += 1
                first, *rest = str(failure).split("\n")
                print(f"not ok {number} - {name}\n# {first}", *rest, sep="\n", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
