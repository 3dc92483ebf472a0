#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Debian's reference policy, mcs and mls, in a real SELinux kernel: what `veridian policy
compile --format selinux` makes of it is loaded in a virtual machine, and the kernel answers
random questions as the engine does from Veridian's own format, under switched booleans.
Prints TAP.

VD_REFPOLICY_QUESTIONS: how many of each. VD_REFPOLICY_SEED: which ones."""
import os
import random
import re
import shutil
import sys
import tempfile

sys.dont_write_bytecode = True
ROOT = os.environ.get("VD_SOURCE_ROOT") or os.path.join(os.path.dirname(__file__), "../..")
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
from refpolicy import Questions, need_setools, refpolicy  # noqa: E402
from selinux_machine import Machine, differs, loaded, same  # noqa: E402
from selinux_te import in_kernel  # noqa: E402
from tap import Skip, Tap  # noqa: E402

KERNEL = os.environ.get("VD_KERNEL_PRIMARY", "")
QUESTIONS = int(os.environ.get("VD_REFPOLICY_QUESTIONS", "40000"))
SEED = int(os.environ.get("VD_REFPOLICY_SEED", "1"))
BATCHES = 8
# Classes that this kernel does not know: there they are no sockets.
NO_SOCKET = re.compile(r"(?<=^create )(\S+ \S+) (?:obsolete_\w+|dccp_socket)\b")
# The guest's own domain must do its work whatever the policy says.
KERNEL_TYPE = re.compile(rb"^\s*type kernel_t[ ,;]", re.M)


def source(work, kind):
    with open(os.path.join(refpolicy(kind), "policy.conf"), "rb") as file:
        text = file.read()
    place = text.index(b"\n", KERNEL_TYPE.search(text).start()) + 1
    path = os.path.join(work, kind + ".conf")
    with open(path, "wb") as file:
        file.write(text[:place] + b"permissive kernel_t;\n" + text[place:])
    return path


def case(machine, kind, before=None):
    """Loads the policy and asks in batches, each under other values of the same booleans. The
    last batch of the policy before it, asked of this one, must not come out the same."""
    path = source(machine.work, kind)
    compiled = machine.compile(path, "--mls", "yes")
    name = machine.load(machine.selinux(path, "--mls", "yes"))
    if before is None:
        machine.step("enforce", "1")
    asked = Questions(os.path.join(refpolicy(kind), "policy.bin"), SEED)
    rng = random.Random(SEED)
    chosen = rng.sample(asked.bools, 60)
    judges = [(f"{kind} is loaded", loaded(name))]
    if before is not None:
        compared = machine.compare(*before)
        judges.append(("another policy's answers are found to differ",
                       differs(compared, len(before[0]))))
    for number in range(BATCHES):
        questions = [NO_SOCKET.sub(r"\1 file", in_kernel(question))
                     for question in asked.batch(QUESTIONS // BATCHES)]
        bools = {boolean: rng.randrange(2) for boolean in chosen}
        machine.set_bools(bools)
        answers = machine.engine(compiled, questions, bools)
        compared = machine.compare(questions, answers)
        judges.append((f"{kind}, batch {number + 1}: {len(questions)} answers as the engine's",
                       same(compared, len(questions))))
    return judges, (questions, answers)


def main():
    need_setools()
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="veridian-selinux-") as work:
        machine = Machine(work)
        lacking = machine.missing([KERNEL]) + [p for p in ("seinfo",) if not shutil.which(p)]
        if lacking:
            print(f"1..0 # SKIP not on this machine: {', '.join(lacking)}")
            return 0
        try:
            judges, last = case(machine, "mcs")
            judges += case(machine, "mls", last)[0]
        except Skip as reason:
            print(f"1..0 # SKIP {reason}")
            return 0
        said = machine.boot(KERNEL, timeout=1000)
        for title, judge in judges:
            wrong = judge(said)
            tap.check(title, not wrong, wrong)
        tap.check("the guest ended by itself and understood all", said.whole(), said.last())
    print(f"1..{tap.number}")
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
