# SPDX-License-Identifier: MIT OR Apache-2.0
"""A software TPM for a test, and somebody on the bus between it and its user."""
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time

from tap import Skip


class Swtpm:
    """A fresh, started swtpm; `name` is what --tpm and TPM2TOOLS_TCTI take."""

    def __init__(self, top, tools=("swtpm", "tpm2_pcrextend")):
        for tool in tools:
            if shutil.which(tool) is None:
                raise Skip(f"{tool} is not installed")
        self.state = tempfile.mkdtemp(prefix="tpm", dir=top)
        self.path = f"{self.state}/data"
        self.name = f"swtpm:path={self.path}"
        self.start()

    def start(self):
        """Also again, after stop(): the machine was switched off and on."""
        self.process = subprocess.Popen(
            ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self.state}",
             "--server", f"type=unixio,path={self.path}",
             "--ctrl", f"type=unixio,path={self.path}.ctrl",
             "--flags", "not-need-init,startup-clear"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        limit = time.monotonic() + 30
        while not (os.path.exists(f"{self.path}.ctrl") and self._listens()):
            if self.process.poll() is not None or time.monotonic() > limit:
                self.close()
                raise AssertionError("swtpm does not start")
            time.sleep(0.01)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def _listens(self):
        """A socket's file is there before somebody listens."""
        with socket.socket(socket.AF_UNIX) as sock:
            try:
                sock.connect(self.path)
            except OSError:
                return False
        return True

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        for path in (self.path, f"{self.path}.ctrl"):
            if os.path.exists(path):
                os.unlink(path)

    def reset(self):
        """A reset of the TPM alone: connections stay, all that was loaded is gone."""
        subprocess.run(["swtpm_ioctl", "--unix", f"{self.path}.ctrl", "-i"], check=True,
                       stdout=subprocess.DEVNULL, timeout=30)

    def close(self):
        self.process.terminate()
        self.process.wait(20)


class Bus:
    """Forwards commands to a TPM and its responses back; keeps both, may change a response.

    `meddle(code, command)` may give a response instead of the TPM's, or "cut-before" or
    "cut-after": the connection ends without the TPM having seen the command, or having seen it.
    """

    def __init__(self, tpm):
        self.tpm = tpm
        self.path = f"{tpm.state}/bus{id(self)}"
        self.name = f"swtpm:path={self.path}"
        self.commands, self.responses = [], []
        self.flip = None  # (number of the response, byte in it)
        self.meddle = None
        self.line = None
        os.symlink(f"{tpm.path}.ctrl", f"{self.path}.ctrl")  # tpm2-tools want it
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(20)

    def forget(self, flip=None):
        self.commands, self.responses, self.flip = [], [], flip

    @staticmethod
    def _message(sock):
        data = b""
        while len(data) < 10 or len(data) < int.from_bytes(data[2:6], "big"):
            more = sock.recv(4096)
            if not more:
                return None
            data += more
        return data

    def say(self, command):
        """A command of somebody else on the client's connection, while that one is silent."""
        self.line.sendall(command)
        return self._message(self.line)

    def _one(self, client):
        with socket.socket(socket.AF_UNIX) as tpm:
            tpm.connect(self.tpm.path)
            self.line = tpm
            while (command := self._message(client)) is not None:
                self.commands.append(command)
                act = self.meddle(int.from_bytes(command[6:10], "big"), command) \
                    if self.meddle else None
                if act == "cut-before":
                    return
                if isinstance(act, bytes):
                    client.sendall(act)
                    continue
                tpm.sendall(command)
                response = bytearray(self._message(tpm))
                if act == "cut-after":
                    return
                if self.flip is not None and self.flip[0] == len(self.responses) and \
                        self.flip[1] < len(response):
                    response[self.flip[1]] ^= 0x01
                self.responses.append(bytes(response))
                client.sendall(response)
                if len(response) != int.from_bytes(response[2:6], "big"):
                    return  # the client would wait for the rest

    def _serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with client:
                try:
                    self._one(client)
                except (OSError, TypeError):
                    pass  # one side is gone: the next client starts afresh
