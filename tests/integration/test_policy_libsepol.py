#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The engine against libsepol: random policies are compiled by this project and by
checkpolicy, and both engines are asked the same questions. Prints TAP.

VD_LIBSEPOL_POLICIES, VD_LIBSEPOL_QUESTIONS: how many policies, and questions each."""
import os
import shutil
import subprocess
import sys
import tempfile

from random_te import Policy

BUILD = os.environ.get("VD_BUILD_ROOT", "build")
VERIDIAN = os.path.join(BUILD, "bin", "veridian")
ASK = os.path.join(BUILD, "tests", "integration", "sepol_ask")
POLICIES = int(os.environ.get("VD_LIBSEPOL_POLICIES", "12"))
QUESTIONS = int(os.environ.get("VD_LIBSEPOL_QUESTIONS", "4000"))
SETTINGS = 3 # of the booleans besides the default, for a quarter of the questions


def run(command, text=None):
    done = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}\n"
                           f"{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def compare(directory, seed):
    """What differs, None if nothing; and how the answers were spread."""
    policy = Policy(seed)
    source = os.path.join(directory, f"{seed}.te")
    ours, theirs = source + ".vpol", source + ".bin"
    with open(source, "w", encoding="ascii") as file:
        file.write(policy.text())
    run(["checkpolicy", "-M", "-o", theirs, source])
    run([VERIDIAN, "policy", "compile", "-o", ours, source])
    questions = [policy.question() for _ in range(QUESTIONS)]
    difference, answers = ask_both(ours, theirs, [], questions)
    for _ in range(SETTINGS):
        bools = [word for name in policy.bools
                 for word in ("--bool", f"{name}={policy.rng.randrange(2)}")]
        if difference is None:
            difference, again = ask_both(ours, theirs, bools, questions[:QUESTIONS // 4])
            answers += ["a boolean matters"] if again != answers[:QUESTIONS // 4] else []
    return difference, answers + named_matters(ours, questions, answers)


def ask_both(ours, theirs, bools, questions):
    """What differs, None if nothing; and the answers."""
    text = "\n".join(questions) + "\n"
    one = run([VERIDIAN, "policy", "query", ours, *bools, "--batch"], text).splitlines()
    other = run([ASK, *bools, theirs], text).splitlines()
    if len(one) != len(questions) or len(other) != len(questions):
        return f"{len(questions)} questions, {len(one)} and {len(other)} answers", one
    for question, a, b in zip(questions, one, other):
        if a != b:
            return f"{' '.join(bools)} {question}\nveridian: {a}\nlibsepol: {b}", one
    return None, one


def named_matters(ours, questions, answers):
    """A line if some new file's name made a difference."""
    named = [(q.rsplit(" ", 1)[0], a) for q, a in zip(questions, answers)
             if q.startswith("transition ") and q.count(" ") == 4]
    plain = run([VERIDIAN, "policy", "query", ours, "--batch"],
                "\n".join(q for q, _ in named) + "\n").splitlines()
    return ["a name matters"] if [a for _, a in named] != plain else []


def spread(answers):
    """Every layer and every outcome came up."""
    wanted = ["missing-by=T\n", "TC", "R\n", "B\n", "allowed={}", "allowed={", "context=",
              "error=invalid", "valid=0", "valid=1", "validatetrans=0", "validatetrans=1",
              "a name matters", "a boolean matters"] + [
                  f"xperm allowed={a} auditallow={b} dontaudit={c}" for a in "01" for b in "01"
                  for c in "01" if a == "0" or b == "0" or c == "0"]
    text = "\n".join(answers) + "\n"
    return [word for word in wanted if word not in text]


def main():
    if not os.path.exists(ASK):
        print("1..0 # SKIP libsepol's headers are not installed (libsepol-dev)")
        return 0
    if shutil.which("checkpolicy") is None:
        print("1..0 # SKIP checkpolicy is not installed")
        return 0
    failed = 0
    everything = []
    with tempfile.TemporaryDirectory() as directory:
        for seed in range(1, POLICIES + 1):
            difference, answers = compare(directory, seed)
            everything += answers
            failed += difference is not None
            if difference is not None:
                print("# " + difference.replace("\n", "\n# "))
            print(f"{'not ' if difference else ''}ok {seed} - policy {seed}: "
                  f"{QUESTIONS} questions alike")
    missing = spread(everything)
    print(f"{'not ' if missing else ''}ok {POLICIES + 1} - every kind of answer came up {missing or ''}")
    print(f"1..{POLICIES + 1}")
    return failed != 0 or missing != []


sys.exit(main())
