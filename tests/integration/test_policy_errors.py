#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Every error of the policy compiler: a source that has it, its exact place and text. The
last check reads the compiler's own sources and fails for an error that no case brings
about. Prints TAP.

tests/data/policy-errors/cases.txt: `== [options]`, the source, `-> [LINE:COLUMN ]MESSAGE`;
<<N|text>> stands for N times the text, with $ the number from 0 on. BASE follows each
source: the order of statements does not matter to the compiler."""
import glob
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.environ.get("VD_SOURCE_ROOT", ".")
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
from tap import Tap  # noqa: E402

VERIDIAN = os.path.abspath(os.path.join(os.environ.get("VD_BUILD_ROOT", "build"), "bin", "veridian"))
CASES = os.path.join(ROOT, "tests", "data", "policy-errors", "cases.txt")
SOURCES = os.path.join(ROOT, "tools", "sepolicy", "**", "*.c")
BASE = """type a_t, domain; type b_t, domain; type f_t, file_type; attribute domain; attribute file_type;
bool on true; bool off false; role r types { a_t b_t }; user u roles r;
"""
# The argument that is the format, and the one that says what was expected.
FORMATS = {"vd_sp_error": 2, "vd_sp_error_hint": 3}
EXPECTED = {"vd_sp_unexpected": 1, "vd_sp_expect": 2, "vd_sp_expect_word": 2, "vd_sp_expect_name": 1,
            "vd_sp_parse_set": 1, "vd_sp_parse_scratch": 1, "take_word": 1, "take_range": 1}

tap = Tap()
check = tap.check


def expand(text):
    def times(match):
        piece = re.sub(r"\\(.)", r"\1", match[2])
        return "".join(piece.replace("$", str(i)) for i in range(int(match[1])))
    return re.sub(r"<<(\d+)\|((?:[^>\\]|\\.|>(?!>))*)>>", times, text)


def read_cases():
    with open(CASES, encoding="utf-8") as file:
        for part in re.split(r"^== ?", file.read(), flags=re.M)[1:]:
            options, rest = part.split("\n", 1)
            source, expected = rest.rsplit("\n-> ", 1)
            yield options.split(), source, expected.rstrip("\n")


def run_case(directory, options, source, expected):
    """The message that the case has brought about."""
    path, out = os.path.join(directory, "case.te"), os.path.join(directory, "case.out")
    with open(path, "w", encoding="ascii") as file:
        file.write(expand(source) + "\n" + BASE)
    done = subprocess.run([VERIDIAN, "policy", "compile", *options, "-o", out, path], text=True,
                          capture_output=True, check=False, timeout=120)
    lines = [line for line in done.stderr.splitlines() if "error: " in line]
    place = re.match(r"(\d+:\d+) (.*)", expected)
    want = f"{path}:{place[1]}: error: {place[2]}" if place else f"error: {expected}"
    check(f"{source.splitlines()[0][:60]} {' '.join(options)}",
          done.returncode == 2 and lines[:1] == [want] and not os.path.exists(out),
          (want, done.returncode, done.stderr[:1000]))
    return place[2] if place else expected


def arguments(text, start):
    """The arguments of the call whose '(' is at `start`."""
    depth, at, piece, found = 0, start, "", []
    while True:
        char = text[at]
        if char in "\"'":
            end = at + 1
            while text[end] != char:
                end += 2 if text[end] == "\\" else 1
            piece += text[at:end + 1]
            at = end + 1
            continue
        depth += (char in "([{") - (char in ")]}")
        if depth == 0:
            return found + [piece]
        if char == "," and depth == 1:
            found.append(piece)
            piece = ""
        elif char != "(" or depth > 1:
            piece += char
        at += 1


def literals(argument):
    """Strings of an argument: one, or those of both sides of a `?`."""
    for part in re.split(r'[?:](?=(?:[^"]*"[^"]*")*[^"]*$)', argument):
        pieces = re.findall(r'"((?:[^"\\]|\\.)*)"', part)
        if pieces:
            yield re.sub(r"\\(.)", r"\1", "".join(pieces))


def call_sites():
    """(kind, text, file and line) of every error that the compiler can report. The reader of
    binary policies reports what its pieces say; its own test damages every byte."""
    for path in sorted(glob.glob(SOURCES, recursive=True)):
        if os.path.basename(path).startswith("read"):
            continue
        with open(path, encoding="utf-8") as file:
            text = re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m[0]), file.read(),
                          flags=re.S)
        for call in re.finditer(r"\b(\w+)\(", text):
            for kind, table in (("format", FORMATS), ("expected", EXPECTED)):
                parts = arguments(text, call.end() - 1) if call[1] in table else []
                if len(parts) <= table.get(call[1], 99):
                    continue
                where = f"{os.path.relpath(path, ROOT)}:{text.count(chr(10), 0, call.start()) + 1}"
                for literal in literals(parts[table[call[1]]]):
                    yield kind, literal, where


def pattern(text):
    """What a printf format can become."""
    pieces = re.split(r"%(?:l{0,2}u|zu|d|s|0?\d*x|%)", text)
    return ".*".join(re.escape(piece) for piece in pieces)


def every_error_has_a_case(messages):
    wanted = {}
    for kind, text, where in call_sites():
        wanted.setdefault((kind, text), []).append(where)
    check("the compiler's sources have error messages", len(wanted) > 100, len(wanted))
    for (kind, text), places in sorted(wanted.items()):
        regex = re.compile(pattern(text) if kind == "format" else
                           f"expected {re.escape(text)}(, found | up to ).*")
        count = sum(regex.fullmatch(message) is not None for message in messages)
        # A text that stands in several places needs as many cases.
        need = len(places) if kind == "format" else 1
        check(f"a case for: {text}", count >= need, f"{count} of {need} cases: {', '.join(places)}")


def main():
    messages = []
    with tempfile.TemporaryDirectory() as directory:
        for options, source, expected in read_cases():
            messages.append(run_case(directory, options, source, expected))
    every_error_has_a_case(messages)
    print(f"1..{tap.number}")
    return tap.failed != 0


sys.exit(main())
