# SPDX-License-Identifier: MIT OR Apache-2.0
"""Reads the guest's console and recognises the outcome lines."""
import codecs
import re
import time

ESCAPES = re.compile(r"\x1b(\[[0-9;?=]*[A-Za-z]|[()][0-9A-B]|[=>])")
NEWLINE = re.compile(r"[\r\n]+")
MAX_LINE = 4096  # characters; a longer line is taken in pieces
READY = re.compile(r"VERIDIAN: ready\b")
REFUSED = re.compile(r"VERIDIAN: refused (\S+).*")
# What the firmware prints for a boot option that Secure Boot refuses, and when nothing is left to try.
FIRMWARE = re.compile(
    r"BdsDxe: failed to (?:load|start) .*(?:Access Denied|Security Violation)|BdsDxe: No bootable option"
)
PANIC = re.compile(r"Kernel panic - not syncing: .*")
STAGES = (
    ("firmware", re.compile(r"BdsDxe: loading|VERIDIAN: bootloader")),
    ("bootloader", re.compile(r"VERIDIAN: bootloader")),
    ("verified", re.compile(r"VERIDIAN: image verified")),
    ("measured", re.compile(r"VERIDIAN: measured")),
    ("handoff", re.compile(r"VERIDIAN: starting linux")),
    ("linux", re.compile(r"\] Linux version|^Linux version")),
    ("init", re.compile(r"VERIDIAN: init\b")),
    ("policy", re.compile(r"VERIDIAN: (?:policy loaded|step policy-first)")),
    ("ready", READY),
)


class Result:
    """How a boot ended."""

    def __init__(self, outcome, exit_code, line):
        self.outcome = outcome  # ready, refused, until, panic, ended, timeout
        self.exit_code = exit_code
        self.line = line
        self.reason = None
        self.stages = {}
        self.cpu_seconds = None
        self.exports = []

    def as_dict(self):
        return {
            "outcome": self.outcome,
            "reason": self.reason,
            "line": self.line,
            "exit": self.exit_code,
            "stages_s": self.stages,
            "cpu_s": self.cpu_seconds,
            "exports": self.exports,
        }


def refusal(reason, line):
    result = Result("refused", 1, line)
    result.reason = reason
    return result


class Watcher:
    """Takes the console's bytes, keeps the text by lines, notes stages, finds the outcome."""

    def __init__(self, log, until=None, echo=None):
        self.log = log
        self.echo = echo
        self.until = until
        self.started = time.monotonic()
        self.stages = {}
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.pending = ""
        self.result = None

    def feed(self, data):
        self.pending += self.decoder.decode(data)
        *lines, self.pending = NEWLINE.split(self.pending)
        if len(self.pending) > MAX_LINE:
            lines.append(self.pending)
            self.pending = ""
        for line in lines:
            self.line(ESCAPES.sub("", line).strip())

    def finish(self):
        """The console has ended: judge its last line, complete or not."""
        self.line(ESCAPES.sub("", self.pending).strip())
        self.pending = ""

    def line(self, line):
        if not line:
            return
        for stream in (self.log, self.echo):
            if stream:
                stream.write(line + "\n")
                stream.flush()
        for name, pattern in STAGES:
            if name not in self.stages and pattern.search(line):
                self.stages[name] = round(time.monotonic() - self.started, 3)
        if self.result is None:
            self.result = self.judge(line)

    def judge(self, line):
        refused = REFUSED.search(line)
        if refused:
            return refusal(refused.group(1), refused.group(0))
        if READY.search(line):
            return Result("ready", 0, "VERIDIAN: ready")
        if FIRMWARE.search(line):
            return refusal("firmware", "VERIDIAN: refused firmware")
        if PANIC.search(line):
            return Result("panic", 4, line)
        if self.until and self.until.search(line):
            return Result("until", 0, line)
        return None
