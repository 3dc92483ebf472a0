#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Small policies exhaustively: every question about every pair of their contexts (each user,
role and type with each of a few ranges) is answered as libsepol answers it. Prints TAP.

VD_SMALL_POLICIES: how many policies."""
import itertools
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.environ.get("VD_SOURCE_ROOT", ".")
sys.path.insert(0, os.path.join(ROOT, "tests", "integration"))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
from random_te import CLASSES, Policy  # noqa: E402
from tap import Tap  # noqa: E402

BUILD = os.environ.get("VD_BUILD_ROOT", "build")
VERIDIAN = os.path.join(BUILD, "bin", "veridian")
ASK = os.path.join(BUILD, "tests", "integration", "sepol_ask")
POLICIES = int(os.environ.get("VD_SMALL_POLICIES", "3"))
TYPES = 8  # and the five bounded ones
RANGES = ["s0", "s1:c0.c3", "s0-s2:c0.c11"]
VERBS = ["av", "transition", "change", "member"]

tap = Tap()


def run(command, text=None):
    done = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout


def differences(ask, questions):
    text = "\n".join(questions) + "\n"
    one, other = (run(command, text) for command in ask)
    if one == other:
        return []
    rows = list(zip(questions, one.splitlines(), other.splitlines()))
    if len(rows) != len(questions):
        return [f"{len(questions)} questions, {len(rows)} answers"]
    return [f"{question}\nveridian: {a}\nlibsepol: {b}" for question, a, b in rows if a != b]


def compare(directory, seed):
    policy = Policy(seed, TYPES)
    policy.users, policy.roles = policy.users[:2], policy.roles[:3]
    source = os.path.join(directory, f"{seed}.te")
    with open(source, "w", encoding="ascii") as file:
        file.write(policy.text())
    run(["checkpolicy", "-M", "-o", source + ".bin", source])
    run([VERIDIAN, "policy", "compile", "-o", source + ".vpol", source])
    switches = [word for name in policy.bools
                for word in ("--bool", f"{name}={policy.rng.randrange(2)}")]
    ask = ([VERIDIAN, "policy", "query", *switches, source + ".vpol", "--batch"],
           [ASK, *switches, source + ".bin"])
    every = [":".join(parts) for parts in itertools.product(
        policy.users, ["object_r", *policy.roles], policy.types + policy.children, RANGES)]
    found = differences(ask, [f"valid {context}" for context in every])
    contexts = [context for context, answer in zip(every, run(ask[1], "".join(
        f"valid {context}\n" for context in every)).splitlines()) if answer == "valid=1"]
    count = len(every)
    for i, one in enumerate(contexts):
        task = contexts[(7 * i + seed) % len(contexts)]
        questions = [f"{verb} {one} {other} {name}" for other in contexts for name in CLASSES
                     for verb in VERBS]
        questions += [f"validatetrans {one} {other} {task} {name}" for other in contexts
                      for name in CLASSES]
        found += differences(ask, questions)
        count += len(questions)
    tap.check(f"policy {seed}: {len(contexts)} contexts, all {count} questions alike", not found,
              "\n".join(found[:5]))


def main():
    if shutil.which("checkpolicy") is None or not os.path.exists(ASK):
        print("1..0 # SKIP checkpolicy or libsepol's headers are not installed")
        return 0
    with tempfile.TemporaryDirectory() as directory:
        for seed in range(501, 501 + POLICIES):
            compare(directory, seed)
    print(f"1..{tap.number}")
    return 1 if tap.failed else 0


sys.exit(main())
