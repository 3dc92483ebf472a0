#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The README's commands: the lines of its `sh` blocks run one after another in one
shell, each with the exit code that its comment names (0 without one). ./run and
./test are left to the showcase test and to whoever runs this one. Then the paths
that ARCHITECTURE.md names: there, or planned. Prints TAP."""
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.realpath(os.environ.get("VD_SOURCE_ROOT") or os.path.join(os.path.dirname(__file__), "../.."))
BUILD = os.environ.get("VD_BUILD_ROOT") or os.path.join(ROOT, "build")
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+)\)")
EXIT = re.compile(r"# exit (\d)")
TOP = ("bench", "bootloader", "core", "docs", "fuzz", "hardware", "image", "kernel", "lib", "policy", "scripts",
       "services", "tests", "tools")
MARK = re.compile(r"^@(\d+) (\d+)$", re.MULTILINE)


def commands(text):
    lines = [line for block in BLOCK.findall(text) for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith(("#", "./"))]


def run(lines, work):
    """The exit code of each line, in order; short if the shell ended early."""
    script = "".join(f"{line}\necho \"@{number} $?\"\n" for number, line in enumerate(lines))
    done = subprocess.run(["sh"], input=script, cwd=work, capture_output=True, text=True, check=False)
    return [int(code) for _, code in MARK.findall(done.stdout)], done.stderr


def architecture_paths(text):
    """Each backticked path, with whether it is marked planned. A bare file name in a row of the
    table stands in the folder of the path before it."""
    fence = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
    for line in fence.sub("", text).splitlines():
        folder = ""
        for name in re.finditer(r"`([\w./-]+)`([^`|;]*)", line):
            path, after = name.group(1), name.group(2)
            if "/" in path:
                folder = os.path.dirname(path)
            elif re.search(r"\.[ch]$", path) and folder:
                path = f"{folder}/{path}"
            else:
                continue
            if path.split("/")[0] in TOP:
                yield path, "planned" in after


def tree_paths(text):
    """The folders of the drawing: two levels by their indentation."""
    top = ""
    for line in re.search(r"^```\n(core/.*?)^```$", text, re.MULTILINE | re.DOTALL).group(1).splitlines():
        name = re.match(r"( *)([\w-]+)/", line)
        if name and not name.group(1):
            top = name.group(2)
        if name:
            yield (f"{top}/" if name.group(1) else "") + name.group(2)


def work_directory(work):
    """What the commands expect where they run: the repository and its build."""
    for name in ("policy", "image"):
        os.symlink(os.path.join(ROOT, name), os.path.join(work, name))
    os.symlink(BUILD, os.path.join(work, "build"))


def main():
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as f:
        text = f.read()
    number = failed = 0
    with tempfile.TemporaryDirectory(prefix="veridian-readme-") as work:
        work_directory(work)
        lines = commands(text)
        codes, errors = run(lines, work)
        for line, code in zip(lines, codes + [None] * (len(lines) - len(codes))):
            number += 1
            wanted = EXIT.search(line)
            good = code == (int(wanted.group(1)) if wanted else 0)
            failed += not good
            if not good:
                print(f"# exit {code}", *("# " + e for e in errors.splitlines()[-5:]), sep="\n")
            print(f"{'' if good else 'not '}ok {number} - {line.split(' #')[0].strip()}")
    for target in sorted(set(LINK.findall(text))):
        number += 1
        good = os.path.exists(os.path.join(ROOT, target))
        failed += not good
        print(f"{'' if good else 'not '}ok {number} - link_{target}")
    with open(os.path.join(ROOT, "ARCHITECTURE.md"), encoding="utf-8") as f:
        architecture = f.read()
    named = dict(architecture_paths(architecture)) | {path: False for path in tree_paths(architecture)}
    for path, planned in sorted(named.items()):
        number += 1
        good = planned or os.path.exists(os.path.join(ROOT, path))
        failed += not good
        print(f"{'' if good else 'not '}ok {number} - architecture_{path}")
    print(f"1..{number}")
    return 1 if failed or number == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
