# SPDX-License-Identifier: MIT OR Apache-2.0
"""The showcase's report: one line a step, and the same as JSON."""
import json
import os
import sys
import time


class StepFailed(Exception):
    """A step did not show what it should; the text says what was seen."""


class Report:
    def __init__(self, out=sys.stdout):
        self.out = out
        self.rows = []
        self.started = time.monotonic()

    def add(self, title, good, text, seconds):
        self.rows.append({"title": title, "ok": good, "text": text, "seconds": round(seconds, 2)})
        self.out.write(f"{'ok  ' if good else 'FAIL'}  {title}: {text} ({seconds:.1f} s)\n")
        self.out.flush()

    def step(self, title, function, *args):
        """Runs one step; a failure is a row, not an end. Returns the step's value, None on failure."""
        begun = time.monotonic()
        try:
            text, value = function(*args)
        except StepFailed as e:
            self.add(title, False, str(e), time.monotonic() - begun)
            return None
        except (OSError, ValueError, KeyError) as e:
            self.add(title, False, f"{type(e).__name__}: {e}", time.monotonic() - begun)
            return None
        self.add(title, True, text, time.monotonic() - begun)
        return value

    def skip(self, title, reason):
        """A step that could not be tried counts as failed: nothing is left out in silence."""
        self.add(title, False, f"not tried: {reason}", 0.0)

    @property
    def failed(self):
        return sum(not row["ok"] for row in self.rows)

    def close(self, path, environment):
        good = len(self.rows) - self.failed
        result = {
            "ok": good,
            "failed": self.failed,
            "seconds": round(time.monotonic() - self.started, 1),
            "environment": environment,
            "steps": self.rows,
        }
        with open(path + ".new", "w", encoding="utf-8") as f:
            json.dump(result, f, indent=2)
            f.write("\n")
        os.replace(path + ".new", path)
        self.out.write(f"report: {good} ok, {self.failed} failed\n")
        self.out.flush()
        return result
