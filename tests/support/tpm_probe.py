# SPDX-License-Identifier: MIT OR Apache-2.0
"""The program tpm_probe: a long-lived user of a TPM, a command a line."""
import os
import subprocess


class Probe:
    def __init__(self, tpm):
        program = os.path.join(os.environ["VD_BUILD_ROOT"], "tests", "integration", "tpm_probe")
        self.process = subprocess.Popen([program, tpm], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()
        if exc[0] is None:
            assert self.process.returncode == 0, self.process.returncode

    def send(self, *words):
        self.process.stdin.write("\t".join(str(w) for w in words) + "\n")
        self.process.stdin.flush()

    def answer(self):
        return self.process.stdout.readline().rstrip("\n")

    def ask(self, *words):
        """The answer's text; fails unless it is "ok"."""
        self.send(*words)
        answer = self.answer()
        assert answer.startswith("ok"), (words, answer)
        return answer[3:]

    def refused(self, *words, status=None):
        self.send(*words)
        answer = self.answer()
        assert answer and not answer.startswith("ok"), (words, answer)
        assert status is None or answer.startswith(status + ":"), (words, answer)
        return answer
