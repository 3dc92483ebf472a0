#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""`veridian policy compile` as a command: what it writes and when, messages,
exit codes, booleans of a compiled policy through `policy query`. Prints TAP."""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.environ.get("VD_SOURCE_ROOT", "."), "tests", "support"))
from tap import Tap  # noqa: E402

ROOT = os.environ.get("VD_SOURCE_ROOT", ".")
VERIDIAN = os.path.abspath(os.path.join(os.environ.get("VD_BUILD_ROOT", "build"),
                                        "bin", "veridian"))
SEED = os.path.abspath(os.path.join(ROOT, "policy/example/seed.te"))
IMAGE = os.path.abspath(os.path.join(ROOT, "policy/image/image.te"))

tap = Tap()
check = tap.check


def run(*arguments, directory=None):
    return subprocess.run([VERIDIAN, "policy", *arguments], cwd=directory, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def shipped(directory):
    done = run("compile", SEED, directory=directory)
    default = os.path.join(directory, "policy.vpol")
    check("the seed's policy compiles without a word",
          done.returncode == 0 and done.stdout == "" and done.stderr == "", done)
    check("the default output is policy.vpol", os.path.exists(default))
    out = os.path.join(directory, "again.vpol")
    done = run("compile", "-o", out, SEED)
    check("the same source gives the same bytes", read(default) == read(out))
    done = run("compile", "--out", out, IMAGE)
    check("the image's policy compiles without a word", done.returncode == 0 and
          done.stderr == "", done)


def errors(directory):
    source, out = os.path.join(directory, "bad.te"), os.path.join(directory, "out.vpol")
    write(source, "type a_t;\nallow a_t b_t:file read;\n")
    write(out, "before")
    done = run("compile", "-o", out, source)
    check("an error is 2", done.returncode == 2, done)
    check("it has its place", done.stderr.startswith(
        f"{source}:2:11: error: unknown type or attribute 'b_t'\n"
        "allow a_t b_t:file read;\n"
        "          ^\n"), done.stderr)
    check("nothing is written then", read(out) == b"before" and
          sorted(os.listdir(directory)).count("out.vpol") == 1)
    done = run("compile", "-o", out, os.path.join(directory, "none.te"))
    check("a missing source is 2 and named", done.returncode == 2 and "none.te" in done.stderr,
          done)
    done = run("compile", "-o", os.path.join(directory, "no", "out"), SEED)
    check("a missing output directory is 2", done.returncode == 2, done)
    check("no source at all is 2", run("compile").returncode == 2)
    check("a wrong choice is 2", run("compile", "--mls", "maybe", SEED).returncode == 2)
    check("--mls no with levels is 2", run("compile", "--mls", "no", SEED).returncode == 2)
    for extra in (("--format", "selinux", "--target", "xen"), ("--target", "xen")):
        done = run("compile", *extra, "-o", out, SEED)
        check(f"{' '.join(extra)} is 3 for now", done.returncode == 3 and
              "supported" in done.stderr and read(out) == b"before", done)


def several_files(directory):
    parts = []
    for i, text in enumerate(("type a_t; type f_t; role r types a_t; user u roles",
                              " r; bool on false;\n",
                              "if (on) { allow a_t f_t:file read; }\nallow a_t f_t:file write;\n")):
        parts.append(os.path.join(directory, f"part{i}.te"))
        write(parts[-1], text)
    out = os.path.join(directory, "parts.vpol")
    done = run("compile", "-o", out, *parts)
    check("several files are one text", done.returncode == 0, done)
    question = ("u:r:a_t", "u:object_r:f_t", "file")
    done = run("query", out, *question)
    check("without the boolean", done.stdout.startswith("av allowed={write} "), done)
    done = run("query", "--bool", "on=1", out, *question)
    check("with the boolean", done.stdout.startswith("av allowed={read,write} "), done)


with tempfile.TemporaryDirectory() as tmp:
    shipped(tmp)
    errors(tmp)
    several_files(tmp)
print(f"1..{tap.number}")
sys.exit(tap.failed != 0)
