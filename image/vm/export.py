# SPDX-License-Identifier: MIT OR Apache-2.0
"""The export channel: the guest's second serial port.

The guest writes `hello\\n`; the host answers `nonce HEX\\n` (an empty HEX where
there is none); before its outcome line the guest writes a ustar stream. What
stands before the greeting (the firmware writes its console there) is dropped.
The guest may be hostile: the stream's size is bounded, and vm.ustar is strict.
"""
import os

from vm import ustar

MAX_STREAM_BYTES = 64 << 20
HELLO = b"hello\n"


class Channel:
    def __init__(self, connection, nonce):
        self.connection = connection
        self.nonce = nonce or ""
        self.data = bytearray()
        self.greeted = False
        self.overflow = False

    def feed(self, data):
        if len(self.data) + len(data) > MAX_STREAM_BYTES:
            self.overflow = True
            return
        self.data += data
        if not self.greeted:
            self.greet()

    def greet(self):
        _, hello, after = self.data.partition(HELLO)
        if not hello:
            # A greeting cut in two at most is kept.
            self.data = self.data[-len(HELLO) :]
            return
        self.data = after
        self.greeted = True
        try:
            self.connection.sendall(f"nonce {self.nonce}\n".encode())
        except OSError:
            pass  # QEMU is gone: the console's end tells

    def files(self):
        """The exported files, {name: bytes}; empty where nothing was exported. Raises ustar.Damaged."""
        if self.overflow:
            raise ustar.Damaged(f"the guest exports more than {MAX_STREAM_BYTES} bytes")
        if not self.greeted or not self.data:
            return {}
        return ustar.read(self.data)


def store_file(path, data):
    with open(path + ".new", "wb") as f:
        f.write(data)
    os.replace(path + ".new", path)


def store(files, directory):
    os.makedirs(directory, exist_ok=True)
    for name, data in files.items():
        path = os.path.join(directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        store_file(path, data)
