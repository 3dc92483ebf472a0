# SPDX-License-Identifier: MIT OR Apache-2.0
"""What setools (seinfo, sediff) sees in SELinux's binary policies."""
import re
import subprocess


def run(command, good=(0,)):
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    if done.returncode not in good:
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout


def normal(line):
    """Sets in one order: setools prints and compares them as Python hashes them, and
    lists a type's attributes by their numbers."""
    line = re.sub(r"\{([^{}]*)\}", lambda m: "{ " + " ".join(sorted(m[1].split())) + " }",
                  " ".join(line.split()))
    if line.startswith("type "):
        first, *rest = line.rstrip(";").split(", ")
        line = ", ".join([first, *sorted(rest)]) + ";"
    return line


def sediff(one, other):
    """What sediff finds; a statement added and removed in another order of its set is none."""
    added, removed = [], []
    for line in run(["sediff", one, other], good=(0, 1)).splitlines():
        text = line.strip()
        if text.startswith("+ "):
            added.append(normal(text[2:]))
        elif text.startswith("- "):
            removed.append(normal(text[2:]))
        elif text.startswith("* "):
            added.append(text)
    if sorted(added) == sorted(removed):
        return ""
    return "\n".join([f"+ {x}" for x in added] + [f"- {x}" for x in removed])


def seinfo(path):
    """All that seinfo knows of a policy, but its name, in one order."""
    lines = run(["seinfo", "--all", "-x", path]).splitlines()
    return sorted(normal(line) for line in lines if path not in line)
