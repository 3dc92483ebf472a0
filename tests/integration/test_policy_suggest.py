#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""`veridian policy suggest` on random policies and logs: what it prints is appended
to the policy, which must compile; every denial that counts as solved must then be
allowed, and what is forbidden must be what a neverallow forbids. Prints TAP."""
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

POLICY = """class file class process sid kernel
class file { read write open }
class process { transition fork }
attribute domain; attribute trusted;
type a_t, domain; type b_t, domain; type c_t; type d_t;
bool x false;
if (x) { allow a_t c_t:file { read open }; } else { allow a_t c_t:file write; }
allow b_t c_t:file read;
neverallow { domain -trusted } d_t:file write;
neverallow trusted c_t:file write;
constrain file open ( t1 == trusted or u1 == u2 );
role sys_r; role sys_r types { a_t b_t };
role new_r; role new_r types b_t;
user sys_u roles { sys_r new_r }; user other_u roles sys_r;
sid kernel sys_u:sys_r:a_t
"""
RECORD = "avc:  denied  {{ {} }} for pid=1 scontext={} tcontext={} tclass={} permissive=0"
A, B = "sys_u:sys_r:a_t", "sys_u:sys_r:b_t"
C, D = "sys_u:object_r:c_t", "sys_u:object_r:d_t"
OTHER = "other_u:object_r:c_t"

# Denials, options, exit code, booleans, statements, outcomes.
TABLE = [
    ([("read", A, C, "file")], "", 0, {"x": 1}, [], ["boolean"]),
    ([("read", A, C, "file")], "--rules-only", 0, {}, ["allow a_t c_t:file read;"], ["statement"]),
    ([("read", A, C, "file")], "--bool x=1", 0, {}, [], ["allowed"]),
    ([("read", B, C, "file")], "", 0, {}, [], ["allowed"]),
    ([("read", A, C, "file"), ("write", A, C, "file")], "", 0, {}, ["allow a_t c_t:file read;"],
     ["statement"]),
    ([("write", B, C, "file"), ("open", B, C, "file"), ("write", B, C, "file")], "", 0, {},
     ["allow b_t c_t:file { write open };"], ["statement"]),
    ([("read", B, D, "file"), ("read", B, B, "file")], "", 0, {},
     ["allow b_t { self d_t }:file read;"], ["statement"] * 2),
    ([("write", B, D, "file")], "", 1, {}, [], ["forbidden"]),
    ([("transition", A, "sys_u:new_r:b_t", "process")], "", 0, {},
     ["allow sys_r new_r;", "allow a_t b_t:process transition;"], ["statement"]),
    ([("open", B, OTHER, "file")], "", 0, {}, ["typeattribute b_t trusted;", "allow b_t c_t:file open;"],
     ["statement"]),
    # Each alone can be had, but not both: an attribute of one forbids the rule of the other.
    ([("open", B, OTHER, "file"), ("write", B, C, "file")], "", 1, {},
     ["typeattribute b_t trusted;", "allow b_t c_t:file open;"], ["statement", "forbidden"]),
    ([("write", B, C, "file"), ("open", B, OTHER, "file")], "", 1, {}, ["allow b_t c_t:file write;"],
     ["statement", "forbidden"]),
    ([("write", B, D, "file"), ("read", A, C, "file")], "--dontaudit", 0, {},
     ["dontaudit a_t c_t:file read;", "dontaudit b_t d_t:file write;"], ["statement"] * 2),
]

TAP = tap.Tap()


def veridian(*arguments, text=None):
    return subprocess.run([VERIDIAN, "policy", *map(str, arguments)], input=text, text=True,
                          capture_output=True, check=False, cwd=WORK)


def compile_to(text, name, *options):
    (WORK / f"{name}.te").write_text(text, encoding="utf-8")
    return veridian("compile", *options, "-o", f"{name}.vpol", f"{name}.te")


def build(text, name="p"):
    done = compile_to(text, name)
    assert done.returncode == 0, done.stderr
    return f"{name}.vpol"


def decide(policy, question, bools=()):
    """The permissions that the engine allows, and those whose denial is recorded."""
    options = [word for name, value in bools for word in ("--bool", f"{name}={value}")]
    done = veridian("query", *options, policy, *question)
    match = re.match(r"av allowed=\{([^}]*)\}.* auditdeny=\{([^}]*)\}", done.stdout)
    assert match, done
    return set(match[1].split(",")) - {""}, set(match[2].split(",")) - {""}


def table():
    policy = build(POLICY)
    for denials, options, code, bools, statements, outcomes in TABLE:
        log = "".join(RECORD.format(*row) + "\n" for row in denials)
        done = veridian("suggest", "--json", *options.split(), policy, text=log)
        got = json.loads(done.stdout)
        name = "; ".join(" ".join(row) for row in denials)
        TAP.check(f"table: {name} {options}",
                  (done.returncode, got["booleans"], got["statements"],
                   [g["outcome"] for g in got["groups"]]) == (code, bools, statements, outcomes) and
                  got["denials"] == len(denials), done)
        text = veridian("suggest", *options.split(), policy, text=log).stdout
        TAP.check("table: the text is source that compiles, with the same statements",
                  [t for t in text.split("\n") if t and t[0] != "#"] == statements and
                  compile_to(POLICY + text, "more").returncode == 0, text)


def texts():
    policy = build(POLICY)
    log = "\n".join(["noise", RECORD.format("write", B, D, "file"), RECORD.format("read", A, C, "file"),
                     RECORD.format("read", A, C, "file"), RECORD.format("read", A, C, "window"),
                     RECORD.format("read", A, C, "file").replace("denied", "granted"),
                     RECORD.format("read", A, "x", "file"), "avc: denied { read } for"])
    (WORK / "log").write_text(log, encoding="utf-8")
    done = veridian("suggest", "--log", "log", policy)
    for part in ["# 5 denials, 2 different\n", "# 2 speak of what this policy does not have\n",
                 "# Booleans to switch: x=1\n#", "a_t c_t:file read (2 denials, first in line 3)\n",
                 "# Not proposed: a neverallow forbids every change:\n",
                 "b_t d_t:file write (1 denial, first in line 2)\n#     p.te:9: neverallow "]:
        TAP.check(f"text: {part!r}", part in done.stdout and done.returncode == 1, done)
    TAP.check("what is damaged or unknown is told with its place",
              "log:8:" in done.stderr and "1 damaged record passed over" in done.stderr and
              'log:5: warning: the policy has no class "window"' in done.stderr, done)
    rows = json.loads(veridian("suggest", "--json", "--log", "log", policy).stdout)
    TAP.check("json: the neverallow and its place", rows["unknown"] == 2 and
              rows["groups"][0]["refused"]["place"] == "p.te:9", rows)
    numbers = POLICY.replace("read write open", "read write open ioctl") + """
allow domain d_t:file ioctl; allowxperm a_t d_t:file ioctl 0x10; neverallowxperm b_t c_t:file ioctl 0x77;
"""
    log = "\n".join(RECORD.format("ioctl", *row[:2], "file") + f" ioctlcmd={row[2]}" for row in [
        (A, D, "0x11"), (A, D, "0x10"), (A, D, "0x12"), (B, D, "0x11"), (B, C, "0x1"), (B, C, "0x77")])
    done = veridian("suggest", "--json", build(numbers, "n"), text=log)
    got = json.loads(done.stdout)
    TAP.check("ioctl commands are proposed one by one",
              [g["outcome"] for g in got["groups"]] ==
              ["statement", "allowed", "statement", "allowed", "statement", "forbidden"] and
              got["statements"] == [f"allowxperm {rule};" for rule in (
                  "a_t d_t:file ioctl 0x11", "a_t d_t:file ioctl 0x12", "b_t c_t:file ioctl 0x1")] +
              ["allow b_t c_t:file ioctl;"] and
              compile_to(numbers + "\n".join(got["statements"]), "more").returncode == 0, done)
    many = [f"m{i}_t" for i in range(100)]
    policy_of_many = build(POLICY + "".join(f"type {name};\n" for name in many), "m")
    log = "\n".join(RECORD.format("read", A, f"sys_u:object_r:{name}", "file") for name in many)
    done = veridian("suggest", "--json", policy_of_many, text=log)
    TAP.check("a hundred targets of one source are one rule", done.returncode == 0 and
              json.loads(done.stdout)["statements"] == [
                  f"allow a_t {{ {' '.join(many)} }}:file read;"], done)
    joint()
    binary()
    done = veridian("suggest", policy, text="nothing\n")
    TAP.check("an empty log", done.returncode == 0 and done.stdout == "# 0 denials, 0 different\n", done)
    compile_to(POLICY, "stripped", "--strip")
    for arguments, part in [((), "hint: usage"), (("missing",), "missing: error: cannot open"),
                            (("p.te",), "p.te: error at byte"), (("stripped.vpol",), "--strip"),
                            ((policy, "--log", "missing"), "missing: error: cannot open"),
                            ((policy, "--bool", "z=1"), "no boolean"), ((policy, "x"), "hint: usage")]:
        done = veridian("suggest", *arguments, text="")
        TAP.check(f"wrong: {arguments}", done.returncode == 2 and part in done.stderr and
                  done.stdout == "", done)


def binary():
    """SELinux's binary form has no neverallow rules: what is proposed is not held against them."""
    text = POLICY.replace("attribute domain;", "attribute domain; attribute unused;")
    done = compile_to(text, "s", "--format", "selinux")
    log = RECORD.format("write", B, D, "file") + "\n"
    answers = {name: veridian("suggest", name, text=log) for name in ("s.vpol", build(text, "t"))}
    TAP.check("a binary policy's lost neverallow rules are told", done.returncode == 0 and
              "allow b_t d_t:file write;" in answers["s.vpol"].stdout and
              "keeps no neverallow rules" in answers["s.vpol"].stderr and
              answers["t.vpol"].stderr == "" and "allow b_t" not in answers["t.vpol"].stdout, answers)


def joint():
    """An attribute for one denial and a number for another, which a neverallowxperm on the
    attribute forbids together, in either order."""
    text = POLICY.replace("read write open", "read write open ioctl") + """
allow b_t c_t:file ioctl; allowxperm b_t c_t:file ioctl 0x5; allowxperm trusted c_t:file ioctl 0x6;
neverallowxperm trusted c_t:file ioctl 0x77;
"""
    number = RECORD.format("ioctl", B, C, "file") + " ioctlcmd=0x77\n"
    attribute = RECORD.format("open", B, OTHER, "file") + "\n"
    for log, outcomes in [(number + attribute, ["statement", "forbidden"]),
                          (attribute + number, ["statement", "forbidden"])]:
        done = veridian("suggest", "--json", build(text, "j"), text=log)
        got = json.loads(done.stdout)
        TAP.check("a number and an attribute that a neverallowxperm forbids together",
                  [g["outcome"] for g in got["groups"]] == outcomes and
                  compile_to(text + "\n".join(got["statements"]), "more").returncode == 0, done)


def with_neverallows(made, text, rng):
    """The policy and neverallow rules that it keeps to."""
    kept = ""
    for _ in range(25):
        name = rng.choice(["file", "dir", "process"])
        rule = (f"neverallow {made.pick(made.types, made.attributes)} "
                f"{made.pick(made.types, made.attributes)}:{name} {made.perms(name)};\n")
        if compile_to(text + kept + rule, "try").returncode == 0:
            kept += rule
    return text + kept


def random_denials(made, text, policy, rng):
    """Questions and permissions that the policy denies, some twice, some for a neverallow."""
    rows = []
    for rule in re.findall(r"^neverallow (\S+) (\S+):(\S+) \{ (\S+)", text, re.M):
        if set(rule[:2]) <= set(made.types):
            rows.append((*(f"u0_u:object_r:{name}:s0" for name in rule[:2]), *rule[2:]))
    while len(rows) < 30:
        pair = [made.context(rng.choice([None, "object_r"])) for _ in "st"]
        name = rng.choice(list(random_te.CLASSES))
        if not veridian("query", policy, *pair, name).stdout.startswith("av"):
            continue
        denied = sorted(set(random_te.CLASSES[name]) - decide(policy, (*pair, name))[0])
        if denied:
            rows.append((*pair, name, rng.choice(denied)))
            if len(denied) > 1 and rng.random() < 0.3:
                rows.append((*pair, name, rng.choice(denied)))
    return rows


def judge(text, policy, rows, options):
    """What is wrong with the answer to a log, and how many denials had each outcome."""
    log = "".join(RECORD.format(perm, s, t, c) + "\n" for s, t, c, perm in rows)
    answer = json.loads(veridian("suggest", "--json", *options, policy, text=log).stdout)
    plain = veridian("suggest", *options, policy, text=log).stdout
    applied = compile_to(text + plain, "applied")
    bad, counts = [], {}
    if applied.returncode != 0:
        return [f"does not compile: {applied.stderr} {plain}"], counts
    outcomes = {row: next(g["outcome"] for g in answer["groups"] if
                          (g["source_type"], g["target_type"], g["class"]) ==
                          (row[0].split(":")[2], row[1].split(":")[2], row[2]) and
                          row[3] in g["permissions"] and rows[g["line"] - 1][:3] == row[:3])
                for row in rows}
    for row, outcome in outcomes.items():
        counts[outcome] = counts.get(outcome, 0) + 1
        have, recorded = decide("applied.vpol", row[:3], answer["booleans"].items())
        if "--dontaudit" in options:
            good = row[3] not in recorded
        elif outcome == "forbidden":
            source, target = (c.split(":")[2] for c in row[:2])
            group = next(g for g in answer["groups"] if g["outcome"] == outcome and
                         rows[g["line"] - 1][:3] == row[:3] and row[3] in g["permissions"])
            # With the plain rule it does not compile, or a constraint stands against it all the same.
            rule = f"allow {source} {target}:{row[2]} {{ {' '.join(group['permissions'])} }};\n"
            done = compile_to(text + plain + rule, "forbidden")
            good = "neverallow" in done.stderr if done.returncode else \
                row[3] not in decide("forbidden.vpol", row[:3], answer["booleans"].items())[0]
        else:
            good = (row[3] in have) == (outcome != "stuck")
        if not good:
            bad.append(f"{row} is {outcome}, allowed {sorted(have)}\n{plain}")
    if "--rules-only" in options and answer["booleans"]:
        bad.append("booleans with --rules-only")
    return bad, counts


def random_logs():
    total = {}
    for seed in range(8):
        rng = random.Random(seed)
        made = random_te.Policy(seed)
        text = made.text()
        if seed % 2:
            text = "\n".join(line for line in text.split("\n") if "constrain" not in line) + "\n"
        text = with_neverallows(made, text, rng)
        policy = build(text, "r")
        rows = random_denials(made, text, policy, rng)
        for options in ([], ["--rules-only"], ["--dontaudit"]):
            bad, counts = judge(text, policy, rows, options)
            for outcome, count in counts.items():
                total[outcome] = total.get(outcome, 0) + count
            TAP.check(f"random policy {seed} {' '.join(options)}: {counts}", not bad, "\n".join(bad[:3]))
    TAP.check(f"every outcome was seen: {total}",
              {"boolean", "statement", "forbidden", "stuck"} <= total.keys(), total)


def main():
    table()
    texts()
    random_logs()
    print(f"1..{TAP.number}")
    return 1 if TAP.failed else 0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        WORK = Path(folder)
        sys.exit(main())
