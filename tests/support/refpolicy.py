# SPDX-License-Identifier: MIT OR Apache-2.0
"""Debian's reference policy (scripts/refpolicy), and random questions about a policy in
SELinux's binary form: contexts that are valid, pairs that a rule is about and pairs that
none may be about. setools reads the policy for it."""
import importlib.util
import os
import random
import shutil
import subprocess
import sys
from collections import defaultdict

from tap import Skip

ROOT = os.environ.get("VD_SOURCE_ROOT", ".")
MISSING = 3  # exit code of scripts/refpolicy
RULES_A_BATCH = 1200
SWITCHES = 60  # the command line takes 64 options of a kind


def need_setools():
    """Goes on under the Python of setools' programs where this one does not have it: it is a
    part of theirs, for their version of Python."""
    program = shutil.which("seinfo")
    if importlib.util.find_spec("setools") is not None or program is None:
        return
    with open(program, encoding="utf-8") as file:
        python = file.readline().removeprefix("#!").split()[0]
    if os.path.realpath(python) != os.path.realpath(sys.executable):
        os.execv(python, [python, *sys.argv])


def refpolicy(kind):
    """The directory with policy.conf and policy.bin; Skip where it cannot be built."""
    done = subprocess.run([os.path.join(ROOT, "scripts", "refpolicy"), kind], text=True,
                          capture_output=True, check=False)
    if done.returncode == MISSING:
        raise Skip(done.stderr.strip())
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return done.stdout.strip()


def categories(text):
    """Numbers of "c0.c3,c5"."""
    found = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition(".")
        found.update(range(int(first[1:]), int((last or first)[1:]) + 1))
    return found


def level(text):
    sens, _, cats = text.partition(":")
    return int(sens[1:]), categories(cats)


def level_text(sens, cats):
    """The level as SELinux writes it: a run of two is written "c1,c2"."""
    parts, run = [], []
    for number in sorted(cats) + [None]:
        if run and number != run[-1] + 1:
            parts.append(f"c{run[0]}" if len(run) == 1 else
                         f"c{run[0]}{',' if len(run) == 2 else '.'}c{run[-1]}")
            run = []
        run.append(number)
    return f"s{sens}" + (":" + ",".join(parts) if parts else "")


class Questions:
    """Random questions about one policy; the same seed asks the same."""

    def __init__(self, path, seed):
        import setools  # a program's part, not on the search path of every Python
        policy = setools.SELinuxPolicy(path)
        self.rng = random.Random(seed)
        self.types = sorted(str(t) for t in policy.types())
        self.members = {str(t): [str(t)] for t in policy.types()}
        self.members.update((str(a), sorted(str(t) for t in a)) for a in policy.typeattributes())
        self.classes = sorted(str(c) for c in policy.classes())
        self.bools = sorted(str(b) for b in policy.bools())
        self.roles = sorted(str(r) for r in policy.roles())
        self.users = {}
        self.roles_of = defaultdict(set)
        for user in policy.users():
            low, _, high = str(user.mls_range).partition(" - ")
            self.users[str(user)] = ({str(r) for r in user.roles}, level(low), level(high or low))
        for role in policy.roles():
            for name in role.types():
                self.roles_of[str(name)].add(str(role))
        self.rules, self.transitions = [], []
        for rule in policy.terules():
            row = (str(rule.source), str(rule.target), str(rule.tclass))
            if str(rule.ruletype).startswith("type_"):
                named = type(rule).__name__ == "FileNameTERule"
                self.transitions.append((*row, str(rule.filename) if named else None))
            else:
                self.rules.append(row)
        self.contexts = {}

    def level_within(self, low, high):
        sens = self.rng.randint(low[0], high[0])
        count = self.rng.choice([0, 0, 1, 2, 5, None])
        if count is None:
            return sens, high[1]
        # libsepol prints a run that ends with such a category wrongly (…, c638,c639, c706 as
        # c638,c703,c706).
        free = sorted(n for n in high[1] - low[1] if n % 64 != 63)
        count = min(len(free), count)
        return sens, low[1] | set(self.rng.sample(free, count))

    def valid_context(self, name):
        """A context with this type: as a process' where a role has it, else an object's."""
        pairs = [(user, role) for role in sorted(self.roles_of[name]) for user in sorted(self.users)
                 if role in self.users[user][0]]
        if pairs and self.rng.random() < 0.85:
            user, role = self.rng.choice(pairs)
        else:
            user, role = self.rng.choice(sorted(self.users)), "object_r"
        _, low, high = self.users[user]
        top = self.level_within(low, high)
        bottom = self.level_within(low, top)
        text = level_text(*bottom)
        if bottom != top:
            text += "-" + level_text(*top)
        return f"{user}:{role}:{name}:{text}"

    def context(self, name):
        """One of two for each type and batch: libsepol searches its contexts one by one."""
        known = self.contexts.setdefault(name, [])
        if len(known) < 2 and (not known or self.rng.random() < 0.3):
            known.append(self.valid_context(name))
        return self.rng.choice(known)

    def any_context(self):
        """A context that may or may not be valid."""
        top, bottom = (level_text(self.rng.randrange(18), self.level_within((0, set()),
                       (0, set(range(1024))))[1]) for _ in range(2))
        text = bottom + ("-" + top if self.rng.random() < 0.5 else "")
        return (f"{self.rng.choice(sorted(self.users))}:{self.rng.choice(self.roles)}:"
                f"{self.rng.choice(self.types)}:{text}")

    def pair_of(self, rule):
        source, target = self.members[rule[0]], self.members.get(rule[1], self.types)
        if not source or not target:
            return None
        return self.context(self.rng.choice(source)), self.context(self.rng.choice(target))

    def from_rule(self, rules):
        pair = None
        while pair is None:
            rule = self.rng.choice(rules)
            pair = self.pair_of(rule)
        return pair, rule

    def arbitrary(self):
        pool = self.pool
        return self.context(self.rng.choice(pool)), self.context(self.rng.choice(pool))

    def question(self):
        kind = self.rng.random()
        if kind < 0.45:
            (one, other), rule = self.from_rule(self.some_rules)
            return f"av {one} {other} {rule[2]}"
        if kind < 0.60:
            return "av {} {} {}".format(*self.arbitrary(), self.rng.choice(self.classes))
        if kind < 0.80:
            (one, other), rule = self.from_rule(self.some_transitions)
            verb = self.rng.choice(["transition"] * 6 + ["change", "member"])
            name = rule[3] or self.rng.choice(self.names)
            end = f" {name}" if verb == "transition" and self.rng.random() < 0.7 else ""
            return f"{verb} {one} {other} {rule[2]}{end}"
        if kind < 0.88:
            verb = self.rng.choice(["transition", "change", "member"])
            return "{} {} {} {}".format(verb, *self.arbitrary(), self.rng.choice(self.classes))
        if kind < 0.94:
            return f"valid {self.rng.choice([self.any_context, self.known_context])()}"
        return "validatetrans {} {} {} {}".format(*self.arbitrary(), self.arbitrary()[0],
                                                  self.rng.choice(self.classes))

    def known_context(self):
        return self.context(self.rng.choice(self.pool))

    def batch(self, count):
        """`count` questions over a few thousand contexts."""
        self.contexts = {}
        self.some_rules = self.rng.sample(self.rules, min(RULES_A_BATCH, len(self.rules)))
        self.some_transitions = self.rng.sample(self.transitions,
                                                min(RULES_A_BATCH, len(self.transitions)))
        self.names = [rule[3] for rule in self.some_transitions if rule[3]] + ["no_such_name"]
        self.pool = self.rng.sample(self.types, min(500, len(self.types)))
        return [self.question() for _ in range(count)]

    def switches(self):
        """Options that set some booleans at random."""
        chosen = self.rng.sample(self.bools, min(SWITCHES, len(self.bools)))
        return [word for name in chosen for word in ("--bool", f"{name}={self.rng.randrange(2)}")]


def split_modules(source, directory):
    """Cuts a monolithic policy.conf where its modules begin; the files in their order."""
    os.makedirs(directory, exist_ok=True)
    parts = [[]]
    with open(source, encoding="utf-8") as file:
        for line in file:
            if line.startswith('#line 1 "policy/modules/'):
                parts.append([])
            parts[-1].append(line)
    files = []
    for number, lines in enumerate(parts):
        files.append(os.path.join(directory, f"{number:03}.conf"))
        with open(files[-1], "w", encoding="utf-8") as file:
            file.writelines(lines)
    return files
