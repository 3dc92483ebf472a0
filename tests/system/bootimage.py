# SPDX-License-Identifier: MIT OR Apache-2.0
"""A second, independent writer of everything a boot test needs: VERIDIAN image
(docs/formats/image.md), trust block, signature lists, OVMF variable store, initrd.

Written from the formats and not from the product's code, so that a fault on
either side shows.
"""
import hashlib
import os
import struct
import subprocess
import uuid

GLOBAL = uuid.UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c")
DATABASE = uuid.UUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f")
SECURE_BOOT_ENABLE = uuid.UUID("f0a30bc7-af08-4556-99c4-001009c93a44")
OWNER = uuid.UUID("5ee2f1c4-6a2e-4c4e-9a43-4d2f7c0f3b11")
SHA256_LIST = uuid.UUID("c1c41626-504c-4092-aca9-41f936934328")
X509_LIST = uuid.UUID("a5c059a1-94e4-4aa7-87b5-ab155c2bf072")
X509_SHA256_LIST = uuid.UUID("3bd2a492-96c0-4079-b420-fcf98ef103ed")


def run(*command, **options):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          **options).stdout


def sha256(data):
    return hashlib.sha256(data).digest()


# Keys and certificates --------------------------------------------------------

def make_db_key(directory, name):
    """An RSA key with a certificate, as firmware wants it: name.key, name.crt, name.cer."""
    base = os.path.join(directory, name)
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", base + ".key", "-out",
        base + ".crt", "-subj", "/CN=" + name, "-days", "3650", "-sha256")
    run("openssl", "x509", "-in", base + ".crt", "-outform", "DER", "-out", base + ".cer")
    return base


class Signer:
    """A root and a signing certificate under it, both P-384."""

    def __init__(self, directory, name):
        base = os.path.join(directory, name)
        self.key = base + "-signer.key"
        for part in ("root", "signer"):
            run("openssl", "ecparam", "-genkey", "-name", "secp384r1", "-noout", "-out",
                f"{base}-{part}.key")
            run("openssl", "req", "-new", "-key", f"{base}-{part}.key", "-subj", f"/CN={name} {part}",
                "-out", f"{base}-{part}.csr")
        self._certify(base, "root", "critical,CA:TRUE", "keyCertSign",
                      ["-signkey", base + "-root.key"])
        self._certify(base, "signer", "critical,CA:FALSE", "digitalSignature",
                      ["-CA", base + "-root.pem", "-CAkey", base + "-root.key", "-CAcreateserial"])
        self.root = read(base + "-root.der")
        self.certificate = read(base + "-signer.der")

    @staticmethod
    def _certify(base, part, constraints, usage, issuer):
        path = f"{base}-{part}"
        write(path + ".ext",
              f"basicConstraints={constraints}\nkeyUsage=critical,{usage}\n".encode())
        run("openssl", "x509", "-req", "-in", path + ".csr", "-sha384", "-days", "3650", "-extfile",
            path + ".ext", "-out", path + ".pem", *issuer)
        run("openssl", "x509", "-in", path + ".pem", "-outform", "DER", "-out", path + ".der")

    def sign(self, message):
        """The raw ECDSA signature, r || s."""
        der = run("openssl", "dgst", "-sha384", "-sign", self.key, input=message)
        position, raw = 2, b""
        for _ in range(2):
            size = der[position + 1]
            raw += der[position + 2:position + 2 + size].lstrip(b"\0").rjust(48, b"\0")
            position += 2 + size
        return raw


# The image and the trust block ------------------------------------------------

def boot_policy(capabilities=0, security_version=0, signer_generation=0):
    return b"VDBOOTPL" + struct.pack("<IIIIII", 1, 32, capabilities, security_version,
                                     signer_generation, 0)


def image(signer, kernel, initrd, cmdline, security_version, policy=b""):
    """Returns the file and the parts' offsets by name."""
    parts = [("kernel", kernel), ("initrd", initrd), ("cmdline", cmdline), ("policy", policy),
             ("certificates", signer.certificate), ("signature", bytes(96))]
    offsets, end = {}, 512
    for name, data in parts:
        offsets[name] = (end + 7) // 8 * 8 if data else 0
        end = offsets[name] + len(data) if data else end
    header = struct.pack("<8sIIIIIIQQQIIQQQIIIIII", b"VERIDIAN", 2, 512, offsets["signature"], 96,
                         offsets["certificates"], len(signer.certificate), 0, 0, len(kernel), 0,
                         security_version, offsets["kernel"], offsets["initrd"], len(initrd),
                         offsets["cmdline"], len(cmdline), offsets["policy"], len(policy), 0, 1)
    header += bytes(32) + b"".join(sha256(data) for _, data in parts[:4])
    header = header.ljust(512, b"\0")
    file = bytearray(end)
    file[:512] = header
    for name, data in parts[:5]:
        file[offsets[name]:offsets[name] + len(data)] = data
    file[offsets["signature"]:] = signer.sign(header)
    return bytes(file), offsets


def fill_trust_block(program, root, policy):
    """The bootloader with its .vdtrust section filled."""
    pe = struct.unpack_from("<I", program, 0x3c)[0]
    count, optional = struct.unpack_from("<H", program, pe + 6)[0], \
        struct.unpack_from("<H", program, pe + 20)[0]
    block = b"VDTRUST1" + struct.pack("<IIIIQ", 1, 8192, len(root), len(policy), 0) + root + policy
    for i in range(count):
        at = pe + 24 + optional + 40 * i
        if program[at:at + 8] == b".vdtrust":
            offset = struct.unpack_from("<I", program, at + 20)[0]
            return program[:offset] + block.ljust(8192, b"\0") + program[offset + 8192:]
    raise ValueError("the bootloader has no section .vdtrust")


def authenticode_sha256(program):
    """What firmware and dbx call an EFI program by: its digest without checksum and signatures."""
    optional = struct.unpack_from("<I", program, 0x3c)[0] + 24
    checksum, directory = optional + 64, optional + 112 + 4 * 8
    certificates = struct.unpack_from("<I", program, directory)[0] or len(program)
    return sha256(program[:checksum] + program[checksum + 4:directory] +
                  program[directory + 8:certificates])


def flip(data, offset, bit=0):
    changed = bytearray(data)
    changed[offset] ^= 1 << bit
    return bytes(changed)


# Firmware variables -----------------------------------------------------------

def signature_list(kind, entries):
    size = 16 + len(entries[0])
    return kind.bytes_le + struct.pack("<III", 28 + size * len(entries), 0, size) + b"".join(
        OWNER.bytes_le + entry for entry in entries)


def variables(template, pk=None, kek=None, db=None, dbx=None):
    """An OVMF variable store with these keys (DER) enrolled; with none, in setup mode.

    The store is EDK2's: a firmware volume header, a store header, then variables with
    their time stamp, each aligned to 4 bytes.
    """
    store = bytearray(template)
    header_size = struct.unpack_from("<H", store, 0x30)[0]
    position = end = header_size + 28
    while struct.unpack_from("<H", store, position)[0] == 0x55aa:
        name_size, data_size = struct.unpack_from("<II", store, position + 36)
        end = position + 60 + name_size + data_size
        position = (end + 3) // 4 * 4
    enrolled = []
    if pk:
        enrolled = [("PK", GLOBAL, signature_list(X509_LIST, [pk]), 0x27),
                    ("KEK", GLOBAL, signature_list(X509_LIST, [kek]), 0x27),
                    ("db", DATABASE, signature_list(X509_LIST, [db]), 0x27),
                    ("SecureBootEnable", SECURE_BOOT_ENABLE, b"\1", 0x3)]
    if dbx:
        enrolled.append(("dbx", DATABASE, dbx, 0x27))
    for name, vendor, data, attributes in enrolled:
        wide = name.encode("utf-16-le") + b"\0\0"
        time = struct.pack("<HBBBBBBIhBB", 2020, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0) \
            if attributes & 0x20 else bytes(16)
        record = struct.pack("<HBBIQ", 0x55aa, 0x3f, 0, attributes, 0) + time + struct.pack(
            "<III", 0, len(wide), len(data)) + vendor.bytes_le + wide + data
        store[position:position + len(record)] = record
        position = (position + len(record) + 3) // 4 * 4
    return bytes(store)


# Files ------------------------------------------------------------------------

def cpio(entries):
    """A newc archive of (name, mode, data, major, minor)."""
    archive = bytearray()
    for inode, (name, mode, data, major, minor) in enumerate(
            entries + [("TRAILER!!!", 0, b"", 0, 0)], start=1):
        encoded = name.encode() + b"\0"
        fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, major, minor, len(encoded), 0)
        archive += b"070701" + b"".join(b"%08x" % field for field in fields) + encoded
        archive += bytes(-len(archive) % 4) + data
        archive += bytes(-len(archive) % 4)
    return bytes(archive)


def esp(path, bootloader, image_file=None):
    """A FAT file system with the bootloader where the firmware looks for it."""
    with open(path, "wb") as file:
        file.truncate(64 << 20)
    run("mformat", "-i", path, "-F", "::")
    run("mmd", "-i", path, "::/EFI", "::/EFI/BOOT")
    run("mcopy", "-i", path, bootloader, "::/EFI/BOOT/BOOTX64.EFI")
    if image_file:
        run("mcopy", "-i", path, image_file, "::/veridian.img")


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)
    return path
