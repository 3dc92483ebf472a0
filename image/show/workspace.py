# SPDX-License-Identifier: MIT OR Apache-2.0
"""Where the showcase's files are, and how its commands are run."""
import os
import subprocess
import sys

from show.report import StepFailed

IMAGE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
ROOT = os.path.dirname(IMAGE)


def read_env(path):
    """KEY=value lines as scripts/setup writes them."""
    with open(path, encoding="utf-8") as f:
        return dict(line.rstrip("\n").split("=", 1) for line in f if "=" in line)


class Workspace:
    def __init__(self, build, verbose=False):
        self.build = os.path.abspath(build)
        self.dir = os.path.join(self.build, "run")
        self.deps = read_env(os.path.join(self.build, "deps.env"))
        self.verbose = verbose
        os.makedirs(self.dir, exist_ok=True)

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    @property
    def veridian(self):
        return os.path.join(self.build, "bin/veridian")

    @property
    def kernel(self):
        return os.path.join(self.deps["VD_KERNEL_PRIMARY"], "vmlinuz")

    def run(self, *command):
        """Runs a command; returns (exit code, standard output, standard error)."""
        if self.verbose:
            print("+", *command, file=sys.stderr)
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT,
                              stdin=subprocess.DEVNULL, env={**os.environ, **self.deps})
        if self.verbose and done.stderr:
            sys.stderr.write(done.stderr)
        return done.returncode, done.stdout, done.stderr

    def must(self, *command):
        """Runs a command that has to succeed; returns its standard output."""
        code, out, err = self.run(*command)
        if code != 0:
            last = (err.strip() or out.strip() or "no message").splitlines()[-1]
            raise StepFailed(f"{os.path.basename(command[0])} {command[1] if len(command) > 1 else ''}: exit {code}: {last}")
        return out

    def write(self, name, data):
        with open(self.path(name), "wb") as f:
            f.write(data)
        return self.path(name)
