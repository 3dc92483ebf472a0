#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Debian's reference policy, whole, compiled by this project and by checkpolicy: a million
random questions answered as libsepol answers them, under switched booleans, by our policy
and by checkpolicy's as we read it; and setools sees no difference between the two binary
policies, nor to checkpolicy's read and written again. `test_refpolicy.py mcs|mls`. Prints TAP.

VD_REFPOLICY_QUESTIONS: how many. VD_REFPOLICY_SEED: which ones."""
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.environ.get("VD_SOURCE_ROOT", ".")
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
from refpolicy import Questions, need_setools, refpolicy  # noqa: E402
from setools_view import sediff, seinfo  # noqa: E402
from tap import Skip, Tap  # noqa: E402

BUILD = os.environ.get("VD_BUILD_ROOT", "build")
VERIDIAN = os.path.abspath(os.path.join(BUILD, "bin", "veridian"))
ASK = os.path.join(BUILD, "tests", "integration", "sepol_ask")
QUESTIONS = int(os.environ.get("VD_REFPOLICY_QUESTIONS", "1000000"))
SEED = int(os.environ.get("VD_REFPOLICY_SEED", "1"))
BATCH = 10000
SHOWN = 10
# What must come up among the answers; else the questions were too tame.
WANTED = ["allowed={}", "missing-by=T\n", "missing-by=C\n", "missing-by=TC\n", "auditallow={}",
          "transition context=", "transition error=invalid", "change context=", "member context=",
          "valid=0", "valid=1", "validatetrans=1"]

tap = Tap()


def run(command, text=None):
    done = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command[:4])}: exit {done.returncode}\n"
                           f"{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def compile_to(out, source, *more):
    """True if it was written; the messages go into the report if not."""
    done = subprocess.run([VERIDIAN, "policy", "compile", "-o", out, *more, source], text=True,
                          capture_output=True, check=False)
    tap.check(f"{os.path.basename(out)} is compiled", done.returncode == 0, done.stderr[-4000:])
    return done.returncode == 0


def differences(questions, name, mine, theirs):
    rows = list(zip(questions, mine.splitlines(), theirs.splitlines()))
    lines = [f"{question}\n{name}: {a}\nlibsepol: {b}" for question, a, b in rows if a != b]
    if len(rows) < len(questions):
        lines.append(f"{len(questions)} questions to {name}, {len(rows)} answers")
    return lines


def compare_answers(mine, theirs):
    """Ours is asked, and checkpolicy's binary as we read it; libsepol reads that one too."""
    asked = Questions(theirs, SEED)
    different, count, missing = [], 0, set(WANTED)
    while count < QUESTIONS and len(different) < SHOWN:
        questions = asked.batch(min(BATCH, QUESTIONS - count))
        switches = asked.switches()
        text = "\n".join(questions) + "\n"
        want = run([ASK, *switches, theirs], text)
        missing = {word for word in missing if word not in want}
        count += len(questions)
        for name, policy in (("compiled", mine), ("read", theirs)):
            got = run([VERIDIAN, "policy", "query", *switches, policy, "--batch"], text)
            if got != want:
                different += differences(questions, name, got, want)
    tap.check(f"{count} questions answered as by libsepol", not different and count == QUESTIONS,
              "\n".join(different[:SHOWN]))
    tap.check("every kind of answer came up", not missing, sorted(missing))


def compare_setools(mine, theirs):
    one, other = seinfo(theirs), seinfo(mine)
    lines = [f"- {x}" for x in one if x not in set(other)] + [f"+ {x}" for x in other
                                                              if x not in set(one)]
    tap.check("seinfo finds no difference", one == other, "\n".join(lines[:100]))
    found = sediff(theirs, mine)
    tap.check("sediff finds no difference", found == "", found[:10000])


def compare(directory, kind):
    policy = refpolicy(kind)
    source, theirs = os.path.join(policy, "policy.conf"), os.path.join(policy, "policy.bin")
    mine = os.path.join(directory, f"{kind}.vpol")
    if compile_to(mine, source):
        compare_answers(mine, theirs)
    mine = os.path.join(directory, f"{kind}.selinux")
    if compile_to(mine, source, "--format", "selinux", "--mls", "yes"):
        compare_setools(mine, theirs)
    again = os.path.join(directory, f"{kind}.again")
    if compile_to(again, theirs, "--format", "selinux"):
        compare_setools(again, theirs)


def main():
    need_setools()
    for program in ("checkpolicy", "seinfo", "sediff"):
        if shutil.which(program) is None:
            print(f"1..0 # SKIP {program} is not installed")
            return 0
    with tempfile.TemporaryDirectory() as directory:
        try:
            compare(directory, sys.argv[1])
        except Skip as reason:
            print(f"1..0 # SKIP {reason}")
            return 0
    print(f"1..{tap.number}")
    return 1 if tap.failed else 0


sys.exit(main())
