# SPDX-License-Identifier: MIT OR Apache-2.0
"""A key service for a test in a directory of its own, the command `veridian key`,
and OpenSSL as second opinion."""
import os
import shutil
import signal
import subprocess
import tempfile

BUILD = os.environ["VD_BUILD_ROOT"]
VERIDIAN = os.path.join(BUILD, "bin", "veridian")
CRYPTOD = os.path.join(BUILD, "bin", "veridian-cryptod")
PREFIX = os.environ.get("VD_OPENSSL_PREFIX", "")
OPENSSL = os.path.join(PREFIX, "bin", "openssl") if PREFIX else "openssl"


class Keyd:
    """The service; `stop` or `kill` ends it, `start` starts it again over its store."""

    def __init__(self, *options, program=CRYPTOD):
        """`options`: more words for its command line; @ stands for the directory."""
        self.options, self.program = options, program
        self.dir = tempfile.mkdtemp(prefix="veridian-keys.")
        os.mkdir(self.path("store"), 0o700)
        with open(self.path("pass"), "w", encoding="ascii") as f:
            os.chmod(f.fileno(), 0o600)
            f.write("a passphrase for tests\n")
        self.process = None
        self.start()

    def path(self, name):
        return os.path.join(self.dir, name)

    def start(self):
        reader, writer = os.pipe()
        self.process = subprocess.Popen(
            [self.program, "--store", self.path("store"), "--socket", self.path("key.sock"), "--root",
             "passphrase", "--passphrase-file", self.path("pass"), "--mac", "off", "--audit",
             "off", "--foreground", "--ready-fd", str(writer)] +
            [o.replace("@", self.dir) for o in self.options],
            pass_fds=[writer], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        os.close(writer)
        ready = os.read(reader, 16)
        os.close(reader)
        if not ready:
            raise RuntimeError(self.process.communicate()[1].decode())

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.communicate(timeout=60)

    def kill(self):
        self.stop(signal.SIGKILL)

    def done(self):
        if self.process.poll() is None:
            self.stop()
        shutil.rmtree(self.dir)

    def key(self, *args, code=0, data=None):
        """Runs `veridian key`; its standard output as bytes, or that and the messages if it
        was to fail."""
        env = dict(os.environ, VERIDIAN_CRYPTO_SOCKET=self.path("key.sock"))
        ran = subprocess.run([VERIDIAN, "key", *args], input=data if data is not None else b"",
                             capture_output=True, timeout=120, env=env, cwd=self.dir, check=False)
        assert ran.returncode == code, (args, ran.returncode, ran.stdout[:500], ran.stderr.decode())
        return ran.stdout if code == 0 else (ran.stdout, ran.stderr.decode())

    def openssl(self, *args, code=0, data=None):
        env = dict(os.environ)
        if PREFIX:
            env["LD_LIBRARY_PATH"] = os.path.join(PREFIX, "lib")
        ran = subprocess.run([OPENSSL, *args], input=data, capture_output=True, timeout=120,
                             env=env, cwd=self.dir, check=False)
        assert (ran.returncode == 0) == (code == 0), (args, ran.returncode, ran.stdout, ran.stderr)
        return ran.stdout

    def write(self, name, data):
        with open(self.path(name), "wb") as f:
            f.write(data)
        return name

    def read(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()
