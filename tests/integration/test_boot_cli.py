#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""`veridian boot …` as a user calls it. Prints TAP.

What the tool writes is read back here by code of its own, and by sbverify,
pesign and virt-fw-vars where they are at hand."""
import hashlib
import json
import os
import shutil
import stat
import struct
import subprocess
import sys
import tempfile

BUILD = os.environ.get("VD_BUILD_ROOT", "build")
VERIDIAN = os.path.join(BUILD, "bin", "veridian")
KEYS = ("PK", "KEK", "db", "root", "image")
PARTS = {"kernel": "<Q64 <Q48", "initrd": "<Q72 <Q80", "cmdline": "<I88 <I92",
         "policy": "<I96 <I100", "certificates": "<I24 <I28", "signature": "<I16 <I20"}
CMDLINE = "console=ttyS0 quiet"
ROOT_HASH = "00" * 31 + "07"
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def boot(*args, code=0):
    run = subprocess.run([VERIDIAN, "boot", *map(str, args)], capture_output=True, text=True)
    assert run.returncode == code, f"{args}: exit {run.returncode}, {run.stdout}{run.stderr}"
    return run


def read(path):
    with open(path, "rb") as f:
        return f.read()


def write(path, data):
    with open(path, "wb") as f:
        f.write(data)
    return path


def field(image, spec):
    return struct.unpack_from(spec[:2], image, int(spec[2:]))[0]


def part(image, name):
    offset, size = (field(image, spec) for spec in PARTS[name].split())
    return image[offset:offset + size]


def build(directory, out, *extra, code=0, **changed):
    args = {"keys": f"{directory}/keys", "kernel": f"{directory}/kernel",
            "initrd": f"{directory}/initrd", "cmdline": CMDLINE, "root-hash": ROOT_HASH, "out": out}
    args.update(changed)
    call = [x for name, value in args.items() if value is not None for x in (f"--{name}", value)]
    return boot("build", *call, *extra, code=code)


def setup(directory):
    write(f"{directory}/kernel", bytes(range(256)) * 137)
    write(f"{directory}/initrd", os.urandom(54321))
    boot("keys", "--out", f"{directory}/keys")
    build(directory, f"{directory}/out")


@test
def keys_are_private_and_never_overwritten(d):
    for name in KEYS:
        mode = stat.S_IMODE(os.stat(f"{d}/keys/{name}.key").st_mode)
        assert mode == 0o600, f"{name}.key has mode {mode:o}"
        assert read(f"{d}/keys/{name}.crt").startswith(b"-----BEGIN CERTIFICATE-----")
    before = {n: read(f"{d}/keys/{n}") for n in os.listdir(f"{d}/keys")}
    assert len(before) == 15
    run = boot("keys", "--out", f"{d}/keys", code=2)
    assert "exists" in run.stderr
    assert before == {n: read(f"{d}/keys/{n}") for n in os.listdir(f"{d}/keys")}
    # one file of them is enough to refuse, and nothing is left beside it
    os.mkdir(f"{d}/one")
    write(f"{d}/one/db.der", b"mine")
    boot("keys", "--out", f"{d}/one", code=2)
    assert os.listdir(f"{d}/one") == ["db.der"]


@test
def image_holds_the_payloads_as_they_are(d):
    image = read(f"{d}/out/veridian.img")
    assert image[:8] == b"VERIDIAN" and struct.unpack_from("<II", image, 8) == (2, 512)
    assert part(image, "kernel") == read(f"{d}/kernel")
    assert part(image, "initrd") == read(f"{d}/initrd")
    assert part(image, "cmdline") == CMDLINE.encode()
    assert part(image, "policy") == b""
    assert part(image, "certificates") == read(f"{d}/keys/image.der")
    assert image[112:144].hex() == ROOT_HASH
    for at, name in ((144, "kernel"), (176, "initrd"), (208, "cmdline"), (240, "policy")):
        assert image[at:at + 32] == hashlib.sha256(part(image, name)).digest(), name
    assert image[276:512] == bytes(236)


@test
def openssl_verifies_the_signature(d):
    image = read(f"{d}/out/veridian.img")
    signature = part(image, "signature")

    def integer(raw):
        raw = raw.lstrip(b"\0")
        raw = b"\0" + raw if raw[0] & 0x80 else raw
        return b"\x02" + bytes([len(raw)]) + raw

    body = integer(signature[:48]) + integer(signature[48:])
    write(f"{d}/sig", b"\x30" + bytes([len(body)]) + body)
    write(f"{d}/header", image[:512])
    write(f"{d}/pub", subprocess.run(["openssl", "x509", "-in", f"{d}/keys/image.crt", "-noout", "-pubkey"],
                                     capture_output=True, check=True).stdout)
    subprocess.run(["openssl", "dgst", "-sha384", "-verify", f"{d}/pub", "-signature", f"{d}/sig",
                    f"{d}/header"], check=True, capture_output=True)
    subprocess.run(["openssl", "verify", "-x509_strict", "-CAfile", f"{d}/keys/root.crt",
                    f"{d}/keys/image.crt"], check=True, capture_output=True)


@test
def builds_are_equal_and_leave_nothing_else(d):
    build(d, f"{d}/again")
    names = ["BOOTX64.EFI", "esp.img", "vars.fd", "veridian.img"]
    assert sorted(os.listdir(f"{d}/again")) == names
    for name in names:
        assert read(f"{d}/out/{name}") == read(f"{d}/again/{name}"), name


@test
def a_failed_build_leaves_nothing(d):
    for changed, code in (({"kernel": f"{d}/none"}, 2), ({"keys": f"{d}/none"}, 2),
                          ({"virt-fw-vars": "/nonexistent/virt-fw-vars"}, 3),
                          ({"bootloader": f"{d}/kernel"}, 2), ({"cmdline": "caf\u00e9"}, 2), ({"cmdline": "initrd=x"}, 2),
                          ({"root-hash": "12"}, 2), ({"cmdline": "x" * 4097}, 2),
                          ({"vars-template": f"{d}/none"}, 3)):
        build(d, f"{d}/failed", code=code, **changed)
        assert not os.path.exists(f"{d}/failed"), changed
    before = read(f"{d}/again/veridian.img")
    build(d, f"{d}/again", code=2, kernel=f"{d}/none")
    assert read(f"{d}/again/veridian.img") == before and len(os.listdir(f"{d}/again")) == 4


@test
def verify_names_the_reason(d):
    image = bytearray(read(f"{d}/out/veridian.img"))
    root = f"{d}/keys/root.crt"
    assert boot("verify", "--root", root, f"{d}/out/veridian.img").stdout.startswith("verified")
    boot("verify", "--root", f"{d}/keys/root.der", f"{d}/out/veridian.img")
    boot("keys", "--out", f"{d}/others")
    cases = [("digest-kernel", 600), ("digest-initrd", field(image, "<Q72") + 9),
             ("digest-cmdline", field(image, "<I88") + 1), ("signature", 60),
             ("signature", len(image) - 1), ("version", 8), ("header-size", 12), ("reserved", 500)]
    for reason, at in cases:
        image[at] ^= 1
        run = boot("verify", "--root", root, write(f"{d}/bad.img", image), code=1)
        assert run.stdout == f"refused {reason}\n", (reason, at, run.stdout)
        image[at] ^= 1
    run = boot("verify", "--root", f"{d}/others/root.crt", f"{d}/out/veridian.img", code=1)
    assert run.stdout == "refused untrusted\n"
    run = boot("verify", "--root", root, write(f"{d}/bad.img", image[:-1]), code=1)
    assert run.stdout == "refused truncated\n"
    run = boot("verify", "--root", root, "--dbx", f"{d}/out/veridian.img", f"{d}/out/veridian.img", code=1)
    assert run.stdout == "refused forbidden\n"
    run = boot("verify", "--json", "--root", root, write(f"{d}/bad.img", image + b"x"), code=1)
    assert json.loads(run.stdout)["reason"] == "trailing"
    for data in (b"", b"VERI", b"\x7fELF" + bytes(600)):
        boot("verify", "--root", root, write(f"{d}/bad.img", data), code=2)
    boot("verify", "--root", root, f"{d}/none", code=2)
    boot("verify", "--root", f"{d}/kernel", f"{d}/out/veridian.img", code=2)


@test
def verify_forbids_what_the_bootloader_forbids(d):
    """Beside image, kernel file and chain also the root, and the kernel's Authenticode digest."""
    root, image = f"{d}/keys/root.crt", f"{d}/out/veridian.img"
    run = boot("verify", "--root", root, "--dbx", root, image, code=1)
    assert run.stdout == "refused forbidden\n", run.stdout
    # of a file with two certificates only the first would be forbidden
    both = write(f"{d}/both.crt", read(f"{d}/keys/db.crt") + read(f"{d}/keys/image.crt"))
    assert "not one certificate" in boot("verify", "--root", root, "--dbx", both, image, code=2).stderr
    efi = f"{d}/out/BOOTX64.EFI"
    build(d, f"{d}/efi", kernel=efi)
    image = f"{d}/efi/veridian.img"
    boot("verify", "--root", root, "--dbx", "00" * 32, image)
    run = boot("verify", "--root", root, "--dbx", efi, image, code=1)
    assert run.stdout == "refused forbidden\n", run.stdout


@test
def policies_have_places_and_verdicts(d):
    root, image = f"{d}/keys/root.crt", f"{d}/out/veridian.img"
    policy = write(f"{d}/policy", b"# demands\nrequire = secure-boot attestation\nmin-security-version = 2\n")
    run = boot("verify", "--root", root, "--policy", policy, image, code=1)
    assert run.stdout == "refused security-version\n" and "required 2, found 1" in run.stderr
    build(d, f"{d}/v2", "--security-version", "2", "--image-policy", policy, "--policy", policy)
    boot("verify", "--root", root, "--policy", policy, f"{d}/v2/veridian.img")
    embedded = part(read(f"{d}/v2/veridian.img"), "policy")
    assert embedded == b"VDBOOTPL" + struct.pack("<6I", 1, 32, 9, 2, 0, 0)
    assert embedded in read(f"{d}/v2/BOOTX64.EFI")
    boot("verify", "--root", root, "--policy", write(f"{d}/binary", embedded), f"{d}/v2/veridian.img")
    # the shipped policy is the one that is built in
    shipped = os.path.join(os.environ.get("VD_SOURCE_ROOT", "."), "policy", "boot", "default.policy")
    build(d, f"{d}/default", policy=shipped)
    assert read(f"{d}/default/BOOTX64.EFI") == read(f"{d}/out/BOOTX64.EFI")
    for text, place in ((b"\nrequire = magic\n", ":2:11:"), (b"min-security-version = 4294967296", ":1:24:"),
                        (b"  speed = 1", ":1:3:"), (b"min-security-version 1", ":1:22:"),
                        (b"require =\nrequire =\n", ":2:1:"), (b"min-signer-generation = 1 2", ":1:27:"),
                        (b"min-signer-generation = 1x", ":1:26:")):
        run = boot("verify", "--root", root, "--policy", write(f"{d}/bad", text), image, code=2)
        assert f"{d}/bad{place} error:" in run.stderr, run.stderr


@test
def bootloader_is_signed_and_holds_the_root(d):
    efi = read(f"{d}/out/BOOTX64.EFI")
    assert read(f"{d}/keys/root.der") in efi
    if shutil.which("sbverify"):
        subprocess.run(["sbverify", "--cert", f"{d}/keys/db.crt", f"{d}/out/BOOTX64.EFI"], check=True,
                       capture_output=True)
        other = subprocess.run(["sbverify", "--cert", f"{d}/others/db.crt", f"{d}/out/BOOTX64.EFI"],
                               capture_output=True)
        assert other.returncode != 0
    run = build(d, f"{d}/twice", code=2, bootloader=f"{d}/out/BOOTX64.EFI")
    assert "placeholder" in run.stderr


@test
def inspect_shows_every_byte_of_the_header(d):
    image = read(f"{d}/out/veridian.img")
    shown = json.loads(boot("inspect", "--json", f"{d}/out/veridian.img").stdout)
    end = 0
    for row in shown["fields"]:
        assert row["offset"] == end, row
        end += row["size"]
        raw = image[row["offset"]:end]
        value = row["value"]
        if isinstance(value, int):
            assert value == int.from_bytes(raw, "little"), row
        else:
            assert value in (raw.hex(), raw.decode("latin-1")), row
    assert end == 276
    assert {p["name"]: p["sha256"] for p in shown["parts"]}["initrd"] == \
        hashlib.sha256(read(f"{d}/initrd")).hexdigest()
    assert CMDLINE in boot("inspect", f"{d}/out/veridian.img").stdout
    bad = bytearray(image)
    bad[63] = 1
    bad[56] = 1
    run = boot("inspect", write(f"{d}/bad.img", bad), code=2)
    assert "security_version" in run.stdout and "byte 56" in run.stderr
    assert boot("inspect", f"{d}/kernel", code=2).stdout == ""


def extend(pcr, *digests):
    for digest in digests:
        pcr = hashlib.sha256(pcr + digest).digest()
    return pcr.hex()


@test
def predict_is_what_the_formats_say(d):
    image = read(f"{d}/out/veridian.img")
    shown = json.loads(boot("predict", "--json", f"{d}/out").stdout)
    policy = b"VDBOOTPL" + struct.pack("<6I", 1, 32, 3, 0, 0, 0)
    sha = lambda data: hashlib.sha256(data).digest()
    tag = lambda number, data: sha(struct.pack("<II", number, len(data)) + data)
    zero = bytes(32)
    expected = {
        "8": extend(zero, sha(b"veridian cmdline: " + CMDLINE.encode())),
        "9": extend(zero, sha(b"veridian initrd: sha256 " + sha(read(f"{d}/initrd")).hex().encode()),
                    sha(CMDLINE.encode("utf-16-le") + b"\0\0"), sha(read(f"{d}/initrd"))),
        "11": extend(zero, tag(0x56440001, image[:512]), tag(0x56440002, policy)),
    }
    if shutil.which("pesign"):
        out = subprocess.run(["pesign", "-h", "-P", "-i", f"{d}/out/BOOTX64.EFI"], capture_output=True,
                             text=True, check=True).stdout
        loader = bytes.fromhex(out.split()[1] if out.startswith("hash:") else out.split()[0])
        expected["4"] = extend(zero, sha(b"Calling EFI Application from Boot Option"), sha(bytes(4)), loader,
                               tag(0x56440003, sha(read(f"{d}/kernel"))))
    for pcr, value in expected.items():
        assert shown["pcrs"]["sha256"][pcr] == value, pcr
    assert set(shown["pcrs"]["sha256"]) == {"4", "8", "9", "11"}
    assert {"pcr", "type", "digest", "text"} <= set(shown["events"][0])
    boot("predict", f"{d}/keys", code=2)


@test
def enroll_writes_the_variables(d):
    sha = "ab" * 32
    boot("enroll", "--keys", f"{d}/keys", "--out", f"{d}/own.fd", "--dbx", sha, "--dbx",
         f"{d}/out/veridian.img", "--dbx", f"{d}/keys/db.crt")
    store = read(f"{d}/own.fd")
    owner = bytes.fromhex("495245564944")
    for name in ("PK", "KEK", "db"):
        assert read(f"{d}/keys/{name}.der") in store, name
    assert store.count(read(f"{d}/keys/db.der")) == 2
    assert bytes.fromhex(sha) in store and owner in store
    assert hashlib.sha256(read(f"{d}/out/veridian.img")[:512]).digest() in store
    boot("enroll", "--keys", f"{d}/keys", "--out", f"{d}/bad.fd", "--dbx", f"{d}/initrd", code=2)
    assert not os.path.exists(f"{d}/bad.fd")


def main():
    if not os.path.exists(VERIDIAN) or subprocess.run([VERIDIAN, "boot", "--help"], capture_output=True).returncode:
        print("1..0 # SKIP veridian boot is not built (mbedTLS is missing)")
        return 0
    failed = 0
    with tempfile.TemporaryDirectory(prefix="veridian-boot-cli-") as directory:
        setup(directory)
        for number, function in enumerate(TESTS, 1):
            try:
                function(directory)
                print(f"ok {number} - {function.__name__}")
            except (AssertionError, subprocess.CalledProcessError, OSError) as error:
                failed += 1
                print("# " + f"{error}".replace("\n", "\n# "))
                print(f"not ok {number} - {function.__name__}")
    print(f"1..{len(TESTS)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
