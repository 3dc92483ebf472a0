# SPDX-License-Identifier: MIT OR Apache-2.0
"""A key service for a test: its own store, a passphrase for its root key."""
import os
import subprocess
import tempfile

BUILD = os.environ.get("VD_BUILD_ROOT", "build")


class Cryptod:
    """A started veridian-cryptod; `socket` is where it listens."""

    def __init__(self, top, *options, mac="off", audit="off", root=("--root", "passphrase")):
        self.top = tempfile.mkdtemp(prefix="cryptod", dir=top)
        self.store = f"{self.top}/store"
        self.socket = f"{self.top}/socket"
        self.passphrase = f"{self.top}/passphrase"
        with open(self.passphrase, "w", encoding="ascii") as f:
            f.write("only for a test\n")
        os.chmod(self.passphrase, 0o600)
        self.options = [*root, "--passphrase-file", self.passphrase, "--mac", mac, "--audit", audit,
                        *options]
        self.process = None
        self.start()

    def start(self, *more):
        """Starts it and waits until it is ready."""
        read, write = os.pipe()
        with open(f"{self.top}/log", "ab") as log:
            self.process = subprocess.Popen(
                [f"{BUILD}/bin/veridian-cryptod", "--store", self.store, "--socket", self.socket,
                 "--foreground", "--ready-fd", str(write), *self.options, *more],
                pass_fds=[write], stdout=log, stderr=log)
        os.close(write)
        with os.fdopen(read, "rb") as ready:
            if not ready.read():
                self.process.wait()
                raise AssertionError(f"the key service does not start: {self.log()}")

    def log(self):
        with open(f"{self.top}/log", encoding="utf-8", errors="replace") as f:
            return f.read()

    def kill(self):
        """As kill -9 does."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.terminate()
        return self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()
