# SPDX-License-Identifier: MIT OR Apache-2.0
"""A secret sealed on a software TPM, for the tests of sealing and of policies."""
import os
import subprocess
import tempfile

from swtpm import Swtpm

VERIDIAN = os.path.join(os.environ["VD_BUILD_ROOT"], "bin", "veridian")
SECRET = b"a planted secret"


def run(*args, code=0, **kwargs):
    done = subprocess.run(args, capture_output=True, text=True, timeout=60, **kwargs)
    if code is not None and done.returncode != code:
        raise AssertionError(f"{' '.join(args)}: exit {done.returncode}, expected {code}\n"
                             f"{done.stdout}{done.stderr}")
    return done


def read(path):
    with open(path, "rb") as f:
        return f.read()


def write(path, data):
    with open(path, "wb") as f:
        f.write(data)
    return path


class Place:
    """A directory with a secret sealed to PCRs 7 and 16 of a fresh TPM."""

    def __init__(self):
        self.dir = tempfile.TemporaryDirectory()
        self.tpm = Swtpm(self.dir.name)
        self.secret = write(self / "secret", SECRET)
        self.sealed = self / "sealed"

    def __enter__(self):
        try:
            self.seal()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc):
        self.tpm.close()
        self.dir.cleanup()

    def __truediv__(self, name):
        return os.path.join(self.dir.name, name)

    def seal(self, *more, policy=("--pcrs", "7,16"), tpm=None, code=0):
        return run(VERIDIAN, "tpm", "seal", *policy, "--in", self.secret, "--out", self.sealed,
                   "--tpm", tpm or self.tpm.name, *more, code=code)

    def unseal(self, *more, code=0, sealed=None, tpm=None):
        out = self / "out"
        if os.path.exists(out):
            os.unlink(out)
        done = run(VERIDIAN, "tpm", "unseal", "--in", sealed or self.sealed, "--out", out,
                   "--tpm", tpm or self.tpm.name, *more, code=code)
        return done, read(out) if os.path.exists(out) else None

    def tool(self, *args, code=0):
        return run(*args, code=code, env=dict(os.environ, TPM2TOOLS_TCTI=self.tpm.name),
                   cwd=self.dir.name)

    def extend(self, pcr, byte):
        self.tool("tpm2_pcrextend", f"{pcr}:sha256={bytes([byte] * 32).hex()}")
