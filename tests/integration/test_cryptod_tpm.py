# SPDX-License-Identifier: MIT OR Apache-2.0
"""The key service on a software TPM: started in its state, refused in another, old stores noticed."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.environ["VD_SOURCE_ROOT"], "tests", "support"))
import tap  # noqa: E402
from swtpm import Swtpm  # noqa: E402

BIN = os.path.join(os.environ["VD_BUILD_ROOT"], "bin")
VERIDIAN = os.path.join(BIN, "veridian")
DAEMON = os.path.join(BIN, "veridian-cryptod")


class Machine:
    def __init__(self):
        self.dir = tempfile.TemporaryDirectory()
        self.tpm = Swtpm(self.dir.name)
        self.store = self / "store"
        self.socket = self / "socket"
        self.daemon = None

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()
        self.tpm.close()
        self.dir.cleanup()

    def __truediv__(self, name):
        return os.path.join(self.dir.name, name)

    def start(self, *more, code=None):
        """Starts the service; with `code` it must not become ready and end so."""
        read, write = os.pipe()
        self.daemon = subprocess.Popen(
            [DAEMON, "--foreground", "--store", self.store, "--socket", self.socket, "--root", "tpm",
             "--tpm", self.tpm.name, "--mac", "off", "--audit", "off", "--ready-fd", str(write),
             *more], pass_fds=[write], stderr=subprocess.PIPE, text=True)
        os.close(write)
        ready = os.read(read, 16)
        os.close(read)
        if code is None:
            assert ready, self.daemon.communicate()
            return ""
        message = self.daemon.communicate(timeout=60)[1]
        assert not ready and self.daemon.returncode == code, (self.daemon.returncode, message)
        self.daemon = None
        return message

    def stop(self):
        if self.daemon is not None:
            self.daemon.terminate()
            self.daemon.communicate(timeout=60)
            self.daemon = None

    def key(self, *args, code=0):
        done = subprocess.run([VERIDIAN, "key", *args, "--socket", self.socket], timeout=60,
                              capture_output=True, text=True)
        assert done.returncode == code, (args, done)
        return done.stdout + done.stderr

    def tpm2(self, *args):
        subprocess.run(args, check=True, timeout=60, capture_output=True,
                       env=dict(os.environ, TPM2TOOLS_TCTI=self.tpm.name))


def make(m):
    m.start("--pcrs", "16")
    m.key("create", "a", "--type", "aes-256-gcm")
    with open(m / "text", "wb") as f:
        f.write(b"a text")
    m.key("encrypt", "a", "--in", m / "text", "--out", m / "sealed")


def check(m):
    m.key("decrypt", "a", "--in", m / "sealed", "--out", m / "back")
    with open(m / "back", "rb") as f:
        assert f.read() == b"a text"


def case_the_state_decides_whether_it_starts():
    with Machine() as m:
        make(m)
        m.stop()
        m.start()
        check(m)
        m.stop()
        m.tpm2("tpm2_pcrextend", "16:sha256=" + "11" * 32)
        message = m.start(code=1)
        assert "16" in message and "--authority" in message, message
        m.tpm2("tpm2_pcrreset", "16")
        m.start()
        check(m)


def case_an_older_store_is_noticed():
    with Machine() as m:
        make(m)
        m.stop()
        shutil.copytree(m.store, m / "old")
        m.start()
        m.key("destroy", "a", "--grace", "0", "--yes")
        m.stop()
        shutil.rmtree(m.store)
        shutil.copytree(m / "old", m.store)
        assert "--accept-restored-store" in m.start(code=1)
        m.start("--accept-restored-store")
        check(m)


def case_another_tpm_or_no_root_key():
    with Machine() as m:
        make(m)
        m.stop()
        os.rename(os.path.join(m.store, "root.key"), m / "root.key")
        assert "root key" in m.start(code=2)
        os.rename(m / "root.key", os.path.join(m.store, "root.key"))
        with Swtpm(m.dir.name) as other:
            own, m.tpm = m.tpm, other
            assert m.start(code=1) != ""
            m.tpm = own
        m.start()
        check(m)


def case_what_is_missing_is_named():
    """Which service is to be started, or which option is meant, when the start is refused."""
    with Machine() as m:
        base = [DAEMON, "--store", m.store, "--socket", m.socket]
        tpm = ["--root", "tpm", "--tpm", m.tpm.name]
        for more, code, text in (
                ([*tpm, "--audit-socket", m / "none"], 3, "start veridian-auditd"),
                ([*tpm, "--audit", "off", "--security-socket", m / "none"], 3,
                 "start veridian-securityd"),
                (["--root", "passphrase", "--passphrase-file", m / "word"], 2, "--root tpm")):
            with open(m / "word", "w", encoding="ascii") as f:
                f.write("a passphrase\n")
            ran = subprocess.run([*base, *more], capture_output=True, text=True, timeout=60, check=False)
            assert ran.returncode == code and text in ran.stderr, (more, ran.returncode, ran.stderr)


def case_a_pin_that_is_not_given_is_asked_for():
    with Machine() as m:
        with open(m / "pin", "w", encoding="ascii") as f:
            os.chmod(f.fileno(), 0o600)
            f.write("246810\n")
        m.start("--pin-file", m / "pin")
        m.stop()
        assert "--pin-file" in m.start(code=1)
        m.start("--pin-file", m / "pin")


def case_a_new_store_is_told():
    """Keys that somebody removed, or a wrong --store."""
    with Machine() as m:
        for new in (True, False, True):
            m.start()
            m.daemon.terminate()
            assert ("a new store is made" in m.daemon.communicate(timeout=60)[1]) == new
            m.daemon = None
            if not new:
                os.unlink(os.path.join(m.store, "keys.db"))


def case_the_tpm_goes_away():
    with Machine() as m:
        make(m)
        m.key("create", "b", "--type", "ed25519")
        m.tpm.stop()
        check(m)
        m.key("destroy", "b", "--grace", "0", "--yes", code=3)
        check(m)
        m.tpm.start()
        m.key("create", "c", "--type", "ed25519")
        m.key("destroy", "c", "--grace", "0", "--yes")
        check(m)
        names = [row["name"] for row in json.loads(m.key("list", "--json"))
                 if row["state"] == "active"]
        assert "a" in names and "c" not in names, names


if __name__ == "__main__":
    sys.exit(tap.run())
