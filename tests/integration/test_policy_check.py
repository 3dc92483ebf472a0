#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""`veridian policy check`: the language of assertions, its messages, and, on random
policies, every verdict against what `policy query` answers under all settings of
the booleans. Prints TAP."""
import itertools
import json
import os
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(os.environ.get("VD_SOURCE_ROOT", ".")).resolve()
VERIDIAN = Path(os.environ.get("VD_BUILD_ROOT", "build")).resolve() / "bin" / "veridian"
sys.path.insert(0, str(ROOT / "tests" / "support"))
sys.path.insert(0, str(ROOT / "tests" / "integration"))
import random_te  # noqa: E402
import tap  # noqa: E402

POLICY = """
class file class process sid kernel
class file { read write open }
class process { transition fork dyntransition setcurrent }
attribute domain;
type a_t, domain; type b_t, domain; type c_t alias other_t; type d_t; type child_t;
typebounds a_t child_t;
bool x false; bool y true;
allow a_t c_t:file { read open };
allow child_t c_t:file { read write };
allow domain d_t:file read;
allow domain self:process fork;
if (x && y) { allow a_t d_t:file write; } else { allow b_t c_t:file read; }
role sys_r; role sys_r types { a_t b_t };
role new_r; role new_r types b_t;
user sys_u roles { sys_r new_r };
constrain file open ( t1 == a_t or u1 != u2 );
allow b_t c_t:file open; allow a_t b_t:process { transition dyntransition };
allow a_t self:process setcurrent;
deny d_t c_t:file open;
sid kernel sys_u:sys_r:a_t
"""
A, B = '"sys_u:sys_r:a_t"', '"sys_u:sys_r:b_t"'
C = '"sys_u:object_r:c_t"'

# Assertion, does it hold, a part of the counterexample's text.
TABLE = [
    ("must-allow a_t c_t:file { read open };", True, ""),
    ("must-allow a_t other_t:file ~write;", True, ""),
    ("must-allow a_t c_t:file *;", False, "a_t c_t:file write is not allowed"),
    ("must-allow domain self:process fork;", True, ""),
    ("must-allow { domain -b_t } d_t:file read;", True, ""),
    ("must-allow ~{ domain child_t } d_t:file read;", False, "c_t d_t:file read is not allowed"),
    ("must-allow { a_t b_t c_t d_t } d_t:file read;", False, "and 1 more"),
    ("must-deny b_t c_t:file read;", False, "b_t c_t:file read is allowed"),
    ("must-deny b_t c_t:file read under x=1;", True, ""),
    ("must-deny b_t c_t:file read under x=1 y=0;", False, "is allowed under x=1 y=0"),
    ("must-deny a_t d_t:file write;", True, ""),
    ("must-deny a_t d_t:file write always;", False, "is allowed under x=1\n"),
    ("must-deny a_t d_t:file write ever;", True, ""),
    ("must-allow a_t d_t:file write ever;", True, ""),
    ("must-allow b_t c_t:file read ever;", True, ""),
    ("must-allow b_t c_t:file read always;", False, "not allowed under x=1\n"),
    ("must-allow a_t c_t:file read always;", True, ""),
    ("must-deny * *:file write;", True, ""),
    ("must-deny * *:file write always;", False, "a_t d_t:file write"),
    ("must-deny * { self -a_t }:file *;", True, ""),
    ("must-deny domain { domain -self }:process fork;", True, ""),
    ("must-deny domain domain:process fork;", False, "a_t a_t:process fork"),
    ("must-deny d_t *:{ file process } *;", True, ""),
    ("must-deny child_t c_t:file write;", True, ""),
    ("must-allow child_t c_t:file read;", True, ""),
    ("must-allow b_t c_t:file open;", True, ""),
    (f"must-allow {B} {C}:file open;", False, "b_t c_t:file open is not allowed"),
    (f"must-allow {A} {C}:file open;", True, ""),
    (f"must-allow {A} self:process {{ fork setcurrent }};", True, ""),
    (f"must-allow {A} {B}:process transition;", True, ""),
    (f'must-deny {A} "sys_u:new_r:b_t":process transition;', True, ""),
    ("must-deny b_t c_t:file read;", False, "#     allow b_t c_t:file read; # p.te:13, [ x && y ]:False\n"),
    ("must-deny b_t c_t:file read under x=1 y=0;", False, "#     allow b_t c_t:file read; # p.te:13,"),
    ("must-allow a_t d_t:file write;", False, "#     allow a_t d_t:file write; # p.te:13, [ x && y ]:True\n"),
    ("must-deny d_t c_t:file open;", True, ""),
    ("must-allow d_t c_t:file open;", False, "#     deny d_t c_t:file open; # p.te:20\n"),
    ("no-flow c_t d_t;", True, ""),
    ("no-flow c_t d_t under x=1;", False,
     "# counterexample: c_t -> a_t -> d_t\n#   c_t -> a_t\n#     allow a_t c_t:file { read open }; # p.te:9\n"
     "#   a_t -> d_t\n#     allow a_t d_t:file write; # p.te:13, [ x && y ]:True\n"),
    ("no-flow c_t d_t always;", False, "c_t -> a_t -> d_t"),
    ("no-flow c_t d_t except a_t always;", True, ""),
    ("no-flow c_t d_t except { a_t c_t d_t } always;", True, ""),
    ("no-flow { c_t d_t } { c_t d_t };", True, ""),
    ("no-flow d_t domain;", False, "d_t -> a_t\n"),
    ("no-flow d_t domain weight 10;", False, "and 1 more\n"),
    ("no-domain-flow a_t b_t;", False,
     "a_t -> b_t\n#   a_t -> b_t\n#     allow a_t b_t:process { transition dyntransition };"),
    ("no-domain-flow b_t a_t;", True, ""),
    ("must-allow a_t # c_t:file\n  c_t :\tfile\n read ;", True, ""),
]

# Text, what the messages must hold, in this order.
WRONG = [
    ("", ["f:1:1: error: the file holds no assertion"]),
    ("# nothing\n", ["f:2:1: error: the file holds no assertion"]),
    ("must-alow a_t c_t:file read;", ["f:1:1: error: expected must-allow", "\n^\n",
                                      "did you mean 'must-allow'?"]),
    (";", ["f:1:1: error: expected must-allow", "found ';'"]),
    ("must-deny a_t c_t:file read", ["f:1:28: error: expected ';', found the end of the text"]),
    ("must-deny\n a_t c_tt:file read;", ["f:2:6: error: the policy has no type or attribute 'c_tt'",
                                        "\n a_t c_tt:file read;\n     ^\n", "did you mean 'c_t'?"]),
    ("must-deny a_t c_t:fil read;", ["f:1:19: error: the policy has no class 'fil'", "'file'?"]),
    ("must-deny a_t c_t:file { read rea };", ["f:1:31: error: class 'file' has no permission 'rea'",
                                              "'read'?"]),
    ("must-deny a_t c_t:{ file process } read;", ["f:1:36: error: class 'process' has no permission"]),
    ("must-deny a_t c_t:file ~*;", ["f:1:25: error: expected a permission"]),
    ("must-deny a_t c_t:file ~{ read write open };", ["f:1:24: error: this names no permission"]),
    ("must-deny self c_t:file read;", ["f:1:11: error: 'self' stands for the source"]),
    ("must-deny a_t ~self:file read;", ["f:1:16: error: 'self' stands for the source"]),
    ("must-deny a_t c_t file read;", ["f:1:19: error: expected ':' and the classes, found 'file'"]),
    ("must-deny { a_t c_t:file read;", ["f:1:20: error: expected a type"]),
    ("must-deny a_t c_t:file read under z=1;", ["f:1:35: error: the policy has no boolean 'z'"]),
    ("must-deny a_t c_t:file read under x=2;", ["f:1:37: error: expected 0 or 1, found the number 2"]),
    ("must-deny a_t c_t:file read under x;", ["f:1:36: error: expected '=' and 0 or 1, found ';'"]),
    ("must-deny a_t c_t:file read never;", ["f:1:29: error: expected ';', found 'never'"]),
    (f"must-deny {A} c_t:file read;", ["f:1:11: error: one side is a whole context", "hint: give both"]),
    (f"must-deny a_t {C}:file read;", ["f:1:11: error: one side is a whole context"]),
    (f"must-deny {A} {{ self c_t }}:file read;", ["f:1:11: error: one side is a whole context"]),
    ('must-deny "sys_u:sys_r:none_t" self:file read;',
     ['f:1:24: error: the policy has no type "none_t"']),
    ('must-deny "sys_u:sys_r:d_t" self:file read;', ["f:1:12: error: the policy does not allow this"]),
    ('must-deny "sys_u:sys_r:a_t self:file read;', ["f:1:11: error: this string has no closing"]),
    ("no-flow a_t c_t:file;", ["f:1:16: error: expected ';', found ':'"]),
    ("no-flow a_t self;", ["f:1:13: error: 'self' stands for the source"]),
    ("no-flow a_t c_t except x_t;", ["f:1:24: error: the policy has no type or attribute 'x_t'"]),
    ("no-flow a_t c_t weight 0;", ["f:1:24: error: expected a weight from 1 to 10, found the number 0"]),
    ("no-flow a_t c_t weight 11;", ["f:1:24: error: expected a weight from 1 to 10"]),
    ("no-domain-flow a_t b_t weight 3;", ["f:1:24: error: expected ';', found 'weight'"]),
    ("no-flow a_t c_t ever;", ["f:1:1: error: of a flow it cannot be asked", "hint: name the setting"]),
    (f"no-flow {A} {C};", ["f:1:1: error: flows are decided by types"]),
    ("must-deny a_t c_t:file \x01;", ["f:1:24: error: the byte 0x01 has no meaning here"]),
    ("must-deny a_x c_t:file read;\nmust-allow a_t c_x:file read;",
     ["f:1:11: error:", "f:2:16: error:", "the assertions have errors; none was checked"]),
]

TAP = tap.Tap()


def veridian(*arguments, text=None):
    return subprocess.run([VERIDIAN, "policy", *map(str, arguments)], input=text, text=True,
                          capture_output=True, check=False, cwd=WORK)


def build(text, name="p"):
    (WORK / f"{name}.te").write_text(text, encoding="utf-8")
    done = veridian("compile", "-o", f"{name}.vpol", f"{name}.te")
    assert done.returncode == 0, done.stderr
    return f"{name}.vpol"


def table():
    policy = build(POLICY)
    for text, holds, example in TABLE:
        (WORK / "f").write_text(text, encoding="utf-8")
        done = veridian("check", policy, "f")
        first = "ok 1 - " if holds else "not ok 1 - "
        good = (done.returncode == (0 if holds else 1) and done.stdout.startswith(first) and
                example in done.stdout and ("counterexample" in done.stdout) != holds)
        TAP.check(f"table: {' '.join(text.split())}", good, done)
    (WORK / "f").write_text("\n".join(row[0] for row in TABLE), encoding="utf-8")
    done = veridian("check", "--json", policy, "f")
    rows = json.loads(done.stdout)
    TAP.check("json: every verdict and the sums",
              done.returncode == 1 and [r["holds"] for r in rows["assertions"]] ==
              [r[1] for r in TABLE] and rows["hold"] == sum(r[1] for r in TABLE) and
              rows["hold"] + rows["fail"] == len(TABLE), done.stdout[:2000])
    last = rows["assertions"][-1]
    TAP.check("json: the place and the text on one line",
              last["line"] == len(TABLE) and last["column"] == 1 and
              last["assertion"] == "must-allow a_t c_t : file read ;", last)
    example = rows["assertions"][11]["counterexample"]
    TAP.check("json: the counterexample", example == {
        "source": "a_t", "target": "d_t", "class": "file", "permissions": ["write"],
        "booleans": {"x": 1}, "rules": example["rules"]} and
              [(r["file"], r["line"]) for r in example["rules"]] == [("p.te", 13)], example)
    done = veridian("check", "--bool", "x=1", policy, "f")
    TAP.check("--bool changes the policy's own setting",
              "not ok 11 - f:11: must-deny a_t d_t:file write;" in done.stdout, done.stdout)


def wrong():
    policy = build(POLICY)
    for text, parts in WRONG:
        (WORK / "f").write_text(text, encoding="utf-8")
        done = veridian("check", policy, "f")
        at = 0
        for part in parts:
            at = done.stderr.find(part, at) + 1 if at >= 0 else at
            at = -1 if at == 0 else at
        TAP.check(f"wrong: {text!r}", done.returncode == 2 and done.stdout == "" and at > 0, done)
    (WORK / "f").write_text("must-deny a_t c_t:file write;", encoding="utf-8")
    for arguments, code, part in [
            (("p.te", "f"), 2, "p.te: error at byte"), (("missing", "f"), 2, "missing: error"),
            ((policy, "missing"), 2, "missing: error"), ((policy,), 2, "hint: usage"),
            (("--bool", "zz=1", policy, "f"), 2, "no boolean"), ((policy, "f"), 0, "")]:
        done = veridian("check", *arguments)
        TAP.check(f"call: {arguments}", done.returncode == code and part in done.stderr, done)


def query(policy, questions, setting):
    """The allowed permissions of each question under one setting."""
    options = [word for name, value in setting.items() for word in ("--bool", f"{name}={value}")]
    done = veridian("query", *options, policy, "--batch", text="\n".join(questions) + "\n")
    rows = re.findall(r"^av allowed=\{([^}]*)\}", done.stdout, re.M)
    assert len(rows) == len(questions), done
    return [set(row.split(",")) - {""} for row in rows]


def verdict(kind, when, answers, setting, perms):
    """Whether the assertion holds, given the answers under each setting."""
    chosen = {"": [answers[setting]], "always": answers.values(), "ever": answers.values()}[when]
    one = [perms <= a if kind == "must-allow" else not perms & a for a in chosen]
    if when == "ever":
        # Each permission for itself.
        one = [any(p in a if kind == "must-allow" else p not in a for a in chosen) for p in perms]
    return all(one)


def random_assertions(seed, types_only):
    """Assertions on one policy, each verdict checked against the engine's answers."""
    rng = random.Random(seed)
    made = random_te.Policy(seed)
    text = made.text()
    if types_only:
        text = "\n".join(line for line in text.split("\n") if "constrain" not in line)
    policy = build(text, "r")
    settings = [dict(zip(made.bools, values))
                for values in itertools.product([0, 1], repeat=len(made.bools))]
    own = {m[1]: int(m[2] == "true") for m in re.finditer(r"^bool (\w+) (\w+);", text, re.M)}
    questions = []
    while len(questions) < 80:
        if types_only:
            pair = [f"u0_u:object_r:{rng.choice(made.types + made.children)}:s0" for _ in "st"]
        else:
            pair = [made.context(rng.choice([None, "object_r"])) for _ in "st"]
        name = rng.choice(list(random_te.CLASSES))
        answer = veridian("query", policy, *pair, name).stdout
        if answer.startswith("av"):
            questions.append((*pair, name))
    lines = [" ".join(q) for q in questions]
    answers = [query(policy, lines, s) for s in settings]
    text, expected = [], []
    for i, (source, target, name) in enumerate(questions):
        by_setting = {n: answers[n][i] for n in range(len(settings))}
        kind = rng.choice(["must-allow", "must-deny"])
        when = rng.choice(["", "always", "ever", "under"])
        setting = rng.randrange(len(settings)) if when == "under" else settings.index(own)
        pool = sorted(set().union(*by_setting.values())) or random_te.CLASSES[name]
        perms = set(rng.sample(pool, rng.randint(1, min(2, len(pool)))))
        if rng.random() < 0.3:
            perms.add(rng.choice(random_te.CLASSES[name]))
        expected.append(verdict(kind, when.replace("under", ""), by_setting, setting, perms))
        sides = [c.split(":")[2] if types_only else f'"{c}"' for c in (source, target)]
        tail = when
        if when == "under":
            tail += "".join(f" {b}={v}" for b, v in settings[setting].items())
        text.append(f"{kind} {sides[0]} {sides[1]}:{name} {{ {' '.join(sorted(perms))} }} {tail};")
    (WORK / "f").write_text("\n".join(text), encoding="utf-8")
    done = veridian("check", "--json", policy, "f")
    got = [row["holds"] for row in json.loads(done.stdout)["assertions"]]
    wrong_rows = [line for line, e, g in zip(text, expected, got) if e != g]
    TAP.check(f"random policy {seed}, {'types' if types_only else 'contexts'}: "
              f"{len(got)} verdicts, {sum(expected)} hold",
              got == expected and 0 < sum(expected) < len(expected),
              "\n".join(wrong_rows) + done.stderr)


def random_flows(seed):
    """No-flow and no-domain-flow against what `policy flow` finds."""
    rng = random.Random(seed)
    made = random_te.Policy(seed)
    # A fraction of the rules: with all of them nearly everything reaches everything.
    lines = [line for line in made.text().split("\n") if "constrain" not in line and
             (not re.match(r"(allow \S+ \S+:|if )", line) or rng.random() < 0.12)]
    policy = build("\n".join(lines) + "\n", "r")
    text, expected = [], []
    for _ in range(40):
        source, target, but = rng.sample(made.types, 3)
        kind, options = rng.choice([("no-flow", []), ("no-domain-flow", ["--domain"])])
        line = f"{kind} {source} {target}"
        if rng.random() < 0.4:
            line += f" except {but}"
            options = [*options, "--exclude", but]
        if kind == "no-flow" and rng.random() < 0.4:
            line += f" weight {(weight := rng.choice([1, 5, 10]))}"
            options = [*options, "--min-weight", weight]
        when = rng.choice(["", "always", "under"])
        if when == "always":
            options = [*options, "--any-booleans"]
        if when == "under":
            name, value = rng.choice(made.bools), rng.randrange(2)
            when += f" {name}={value}"
            options = [*options, "--bool", f"{name}={value}"]
        done = veridian("flow", "--limit", 1, *options, policy, source, target)
        assert done.returncode in (0, 1), done
        text.append(f"{line} {when};")
        expected.append(done.returncode == 1)
    (WORK / "f").write_text("\n".join(text), encoding="utf-8")
    done = veridian("check", "--json", policy, "f")
    got = [row["holds"] for row in json.loads(done.stdout)["assertions"]]
    wrong_rows = [line for line, e, g in zip(text, expected, got) if e != g]
    TAP.check(f"random policy {seed}, flows: {len(got)} verdicts, {sum(expected)} hold",
              got == expected and 0 < sum(expected) < len(expected),
              "\n".join(wrong_rows) + done.stderr)


def stripped():
    build(POLICY, "s")
    assert veridian("compile", "--strip", "-o", "s.vpol", "s.te").returncode == 0
    (WORK / "f").write_text("must-deny a_t c_t:file read;\nno-flow c_t a_t;", encoding="utf-8")
    done = veridian("check", "s.vpol", "f")
    TAP.check("without a rulebook: verdicts, no rules", done.returncode == 1 and
              done.stdout.count("not ok") == 2 and "allow a_t" not in done.stdout, done)
    (WORK / "f").write_text("no-domain-flow a_t b_t;", encoding="utf-8")
    done = veridian("check", "s.vpol", "f")
    TAP.check("without a rulebook domain flows are refused with the place",
              done.returncode == 2 and "f:1:1: error: domain transitions need" in done.stderr, done)


def main():
    table()
    wrong()
    stripped()
    for seed in range(3):
        random_flows(seed)
    for seed in range(5):
        random_assertions(seed, seed % 2 == 0)
    print(f"1..{TAP.number}")
    return 1 if TAP.failed else 0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        WORK = Path(folder)
        sys.exit(main())
