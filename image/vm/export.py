# SPDX-License-Identifier: MIT OR Apache-2.0
"""The export channel: the guest's second serial port.

The guest writes `hello\\n`; the host answers `nonce HEX\\n` (an empty HEX where
there is none); at its end the guest writes a ustar stream of regular files.
The guest may be hostile: a name is a plain one, or one folder and a plain one;
everything else is left out; sizes are bounded.
"""
import io
import os
import tarfile

MAX_STREAM_BYTES = 64 << 20
MAX_FILES = 256
HELLO = b"hello\n"


class Channel:
    def __init__(self, connection, nonce):
        self.connection = connection
        self.nonce = nonce or ""
        self.data = bytearray()
        self.greeted = False

    def feed(self, data):
        if len(self.data) + len(data) > MAX_STREAM_BYTES:
            raise ValueError(f"the guest exports more than {MAX_STREAM_BYTES} bytes")
        self.data += data
        at = self.data.find(HELLO)
        if not self.greeted and at >= 0:
            del self.data[: at + len(HELLO)]
            self.greeted = True
            self.connection.sendall(f"nonce {self.nonce}\n".encode())

    def files(self):
        """The exported files, {name: bytes}; empty where nothing was exported."""
        found = {}
        if not self.greeted or not self.data:
            return found
        with tarfile.open(fileobj=io.BytesIO(bytes(self.data)), mode="r:", ignore_zeros=False) as tar:
            for member in tar:
                name = safe_name(member.name)
                if member.isreg() and name and len(found) < MAX_FILES:
                    found[name] = tar.extractfile(member).read()
        return found


def safe_name(name):
    """The name relative to the export folder; None for one that is not plain."""
    parts = [part for part in name.split("/") if part != "."]
    plain = all(part not in ("", "..") and part.isprintable() for part in parts)
    return "/".join(parts) if plain and 1 <= len(parts) <= 2 else None


def store(files, directory):
    for name, data in files.items():
        path = os.path.join(directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path + ".new", "wb") as f:
            f.write(data)
        os.replace(path + ".new", path)
