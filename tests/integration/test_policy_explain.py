#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""`veridian policy explain` on random policies. What it claims is tried out: rules
that allow are taken away, changes are applied and compiled, refused ones must not
compile, what a change opens is counted over all pairs of types. Prints TAP."""
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
class file { read write open ioctl }
class process { transition fork }
attribute domain; attribute exempt; attribute reader;
type a_t, domain; type b_t, domain; type c_t; type d_t; type e_t; type child_t, domain;
typebounds b_t child_t;
bool x false; bool y true;
allow a_t c_t:file { read open };
allow domain d_t:file read;
if (x && y) { allow a_t d_t:file write; }
allow reader c_t:file read;
allow reader c_t:process fork;
allow { domain -b_t } self:process fork;
allow a_t b_t:process transition;
allow child_t c_t:file write;
dontaudit b_t d_t:file write;
permissive d_t;
deny b_t d_t:file open;
neverallow domain c_t:file write;
constrain file open ( t1 == exempt or u1 != u2 );
role sys_r; role sys_r types { a_t b_t d_t child_t };
role new_r; role new_r types b_t;
user sys_u roles { sys_r new_r };
sid kernel sys_u:sys_r:a_t
allow domain e_t:file ioctl; allowxperm a_t e_t:file ioctl { 0x10-0x20 0x5401 };
if (x) { allowxperm a_t e_t:file ioctl 0x42; }
neverallowxperm a_t { e_t d_t }:file ioctl 0x777;
neverallow d_t c_t:process fork;
neverallow child_t c_t:file read;
class lnk_file class lnk_file { lock }
attribute first; attribute second; type f_t, first, second; type g_t, first, second;
allow a_t c_t:lnk_file lock;
attribute none; attribute one; type h_t, one;
constrain lnk_file lock ( t1 == second or t1 == none or t1 == one or t1 == h_t or u1 != u2 );
""".replace("neverallow domain c_t:file write;", "neverallow { domain -child_t } c_t:file write;")

# Source type, target (type, or role:type), class, permissions; code; parts of the text.
TABLE = [
    ("a_t", "c_t", "file", "read", 0,
     ["allowed: sys_u:sys_r:a_t sys_u:object_r:c_t file read\n", "p.te:8: allow a_t c_t:file"]),
    ("a_t", "d_t", "file", "read", 0, ["p.te:9: allow domain d_t:file read;", "a_t is in domain"]),
    ("a_t", "sys_r:a_t", "process", "fork", 0, ["p.te:13: allow { domain -b_t } self:process fork;"]),
    ("a_t", "d_t", "file", "write", 1,
     ["  T no rule allows a_t d_t:file write\n", "p.te:10: allow a_t d_t:file write;",
      "if x && y is true, which it is not", "boolean x=1 (opens 1)", "allow a_t d_t:file write; (opens 1)"]),
    ("a_t", "d_t", "file", "write --bool x=1", 0, ["if x && y is true, which it is\n"]),
    ("a_t", "c_t", "file", "open", 1,
     ["  C a constraint forbids open\n", "p.te:20: constrain file open ( t1 == exempt or u1 != u2 )",
      "u1 != u2 is false: u1 = sys_u, u2 = sys_u", "typeattribute a_t exempt;"]),
    ("b_t", "c_t", "file", "read", 1,
     ["allow b_t c_t:file read; (opens 1)", "typeattribute b_t reader; (opens 2)"]),
    ("b_t", "c_t", "file", "write", 1, ["a neverallow forbids the change that would allow it",
                                         "refused: p.te:19: neverallow { domain -child_t }"]),
    ("d_t", "c_t", "file", "read", 1,
     ["1. allow d_t c_t:file read; (opens 1)\n  a neverallow forbids 1 more (--refused lists it)\n"]),
    ("child_t", "c_t", "file", "read", 1,
     ["a neverallow forbids each of the 3 changes that would allow it (--refused lists them); the first:\n"
      "        refused: p.te:29: neverallow child_t c_t:file read; forbids child_t c_t:file read\n"]),
    # Of two attributes with the same types the one that was written.
    ("a_t", "c_t", "lnk_file", "lock", 1, ["      t1 == second is false: t1 = a_t\n", "      t1 == none is false: t1 = a_t\n",
                                            "      t1 == one is false: t1 = a_t\n"]),
    ("b_t", "c_t", "file", "write --refused", 1,
     ["refused: p.te:19: neverallow { domain -child_t } c_t:file write; forbids b_t c_t:file write"]),
    ("b_t", "d_t", "file", "write", 1, ["the denial is not recorded:", "p.te:16: dontaudit b_t d_t:file"]),
    ("b_t", "d_t", "file", "open", 1, ["p.te:18: deny b_t d_t:file open; takes it away"]),
    ("d_t", "c_t", "file", "read", 1, ["d_t is permissive"]),
    ("a_t", "new_r:b_t", "process", "transition", 1,
     ["  R role sys_r may not become role new_r", "allow sys_r new_r;"]),
    ("child_t", "c_t", "file", "write", 1,
     ["  B no rule allows the bounding types b_t c_t:file write", "p.te:15: allow child_t"]),
    ("a_t", "c_t", "file", "read,open", 1, ["denied: ", "file open\n", "  allowed are read\n"]),
    ("a_t", "c_t", "window", "move", 1, ['denied: the policy has no class "window"; handle_unknown is deny']),
    ("a_t", "c_t", "file", "lock", 1, ['class file has no permission "lock"; handle_unknown is deny']),
    ("a_t", "e_t", "file", "ioctl --number 0x5401", 0,
     ["  number 0x5401\n", "p.te:25: allowxperm a_t e_t:file ioctl { 0x0010-0x0020 0x5401 };"]),
    ("a_t", "e_t", "file", "ioctl --number 66", 1,
     ["  X its number 0x42 is not among those", "boolean x=1 ", "allowxperm a_t e_t:file ioctl 0x42; (opens 1)"]),
    ("a_t", "e_t", "file", "ioctl --number 66 --bool x=1", 0, ["p.te:26: allowxperm"]),
    ("a_t", "e_t", "file", "ioctl --number 0x777 --refused", 1,
     ["refused: p.te:27: neverallowxperm a_t { e_t d_t }:file ioctl"]),
    ("a_t", "d_t", "file", "ioctl --number 1 --refused", 1,
     ["1. allow a_t d_t:file ioctl; allowxperm a_t d_t:file ioctl 0x1; (opens 1)\n   2. allow a_t d_t:file ioctl; ",
      "refused: p.te:27: neverallowxperm"]),
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


def contexts(source, target):
    target = target if ":" in target else f"object_r:{target}"
    return f"sys_u:sys_r:{source}", f"sys_u:{target}"


def table():
    policy = build(POLICY)
    for source, target, name, words, code, parts in TABLE:
        done = veridian("explain", policy, *contexts(source, target), name, *words.split())
        TAP.check(f"table: {source} {target} {name} {words}",
                  done.returncode == code and all(p in done.stdout for p in parts) and
                  done.stderr == "", done)
    record = ("type=AVC msg=audit(1.2:3): avc:  denied  { open } for pid=1 comm=\"x\" "
              "scontext=sys_u:sys_r:a_t tcontext=sys_u:object_r:c_t tclass=file permissive=0")
    one = veridian("explain", policy, "--record", record)
    words = veridian("explain", policy, *contexts("a_t", "c_t"), "file", "open")
    TAP.check("a record is explained as its words are", one.stdout == words.stdout != "", one)
    log = "\n".join(["noise", record, record, record.replace("{ open }", "{ read }"),
                     record.replace("denied", "granted"), record.replace("a_t", "none_t"),
                     record.replace("tclass=file", ""), record.replace("=file", "=window")])
    done = veridian("explain", policy, "--log", "-", text=log)
    TAP.check("a log: each denial once, the rest told", done.returncode == 1 and
              done.stdout.count("denied: ") == 2 and done.stdout.count("allowed: ") == 1 and
              "none_t" in done.stderr and "-:7:" in done.stderr and
              "1 damaged record passed over" in done.stderr, done)
    rows = json.loads(veridian("explain", policy, "--json", "--log", "-", text=log).stdout)
    TAP.check("a log as JSON", [r["verdict"] for r in rows] == ["denied", "allowed", "denied"], rows)
    done = veridian("explain", policy, "--log", "-", text="nothing\n")
    TAP.check("a log without denials", done.returncode == 0 and done.stdout == "no denials\n", done)


def wrong():
    policy = build(POLICY)
    good = [*contexts("a_t", "c_t"), "file", "read"]
    build(POLICY, "stripped")
    compile_to(POLICY, "stripped", "--strip")
    for arguments, part in [
            ((), "hint: usage"), ((policy,), "expected POLICY and SCON TCON CLASS PERM"),
            ((policy, *good[:3]), "expected POLICY and"), ((policy, *good, "--log", "x"), "expected POLICY"),
            (("missing", *good), "missing: error: cannot open"), (("p.te", *good), "p.te: error at byte"),
            (("stripped.vpol", *good), "--strip"), ((policy, *good, "--bool", "z=1"), "no boolean"),
            ((policy, *good[:3], ","), "expected a permission"),
            ((policy, *good, "--number", "1"), "--number goes with the permission ioctl or nlmsg"),
            ((policy, *good[:3], "ioctl", "--number", "65536"), "expected a number up to 0xffff"),
            ((policy, *good[:3], "ioctl", "--number", "1x"), "expected a number up to 0xffff"),
            ((policy, *good[:3], "read," * 33), "more than 32 permissions"),
            ((policy, "sys_u:sys_r:none_t", *good[1:]), 'the policy has no type "none_t"'),
            ((policy, good[0] + "x", *good[1:]), 'hint: did you mean "'),
            ((policy, good[0], "x", *good[2:]), "the target's context x"),
            ((policy, "--record", "nonsense"), "holds no audit record"),
            ((policy, "--record", "avc: denied { read } for x"), "the record has no scontext"),
            ((policy, "--log", "missing"), "missing: error: cannot open")]:
        done = veridian("explain", *arguments)
        TAP.check(f"wrong: {arguments}", done.returncode == 2 and part in done.stderr and
                  done.stdout == "", done)


def allowed(policy, question, bools=(), number=None):
    """The permissions that the engine allows, and the layers it names; or for one ioctl command."""
    options = [word for name, value in bools for word in ("--bool", f"{name}={value}")]
    done = veridian("query", *options, policy, *question)
    match = re.match(r"av allowed=\{([^}]*)\}.* missing-by=(\w*)", done.stdout)
    assert match, done
    have = set(match[1].split(",")) - {""}
    if number:
        done = veridian("query", *options, policy, "xperm", *question, "ioctl", number)
        assert done.stdout.startswith("xperm allowed="), done
        have = {"ioctl"} if done.stdout.startswith("xperm allowed=1") else set()
    return have, match[2]


def with_neverallows(made, text, rng):
    """The policy and a few neverallow rules that it keeps to."""
    kept = ""
    for _ in range(12):
        name = rng.choice(["file", "dir", "process"])
        rule = (f"neverallow {made.pick(made.types, made.attributes)} "
                f"{made.pick(made.types, made.attributes)}:{name} {made.perms(name)};\n")
        if compile_to(text + kept + rule, "try").returncode == 0:
            kept += rule
    return text + kept


class Claims:
    """The claims of one policy's explanations, tried out."""

    def __init__(self, seed, text, made, rng):
        self.text, self.made, self.rng = text, made, rng
        self.policy = build(text, "r")
        self.count = dict.fromkeys(["questions", "removed", "applied", "refused", "counted", "numbers", "X"], 0)
        self.bad = []

    def expect(self, good, *what):
        if not good:
            self.bad.append(" ".join(map(str, what)))

    def question(self):
        while True:
            rng = self.rng
            pair = [self.made.context(rng.choice([None, "object_r"])) for _ in "st"]
            name = rng.choice(list(random_te.CLASSES))
            perms = rng.sample(random_te.CLASSES[name], rng.randint(1, min(2, len(random_te.CLASSES[name]))))
            if not veridian("query", self.policy, *pair, name).stdout.startswith("av"):
                continue
            if "ioctl" in random_te.CLASSES[name] and rng.random() < 0.5:
                number = rng.choice([0x100, 0x8900, 0x5400, 0xfe00]) + rng.randrange(256)
                return (*pair, name), ["ioctl"], str(number)
            return (*pair, name), perms, None

    def try_question(self):
        question, perms, number = self.question()
        options = ["--number", number] if number else []
        done = veridian("explain", "--json", "--refused", *options, self.policy, *question, *perms)
        answer = json.loads(done.stdout)
        have, layers = allowed(self.policy, question, (), number)
        self.count["numbers"] += number is not None
        self.count["questions"] += 1
        self.expect(done.returncode == (0 if set(perms) <= have else 1), "code", done)
        self.expect(set(answer["denied"]) == set(perms) - have, "denied", answer, have)
        named = {o["layer"] for o in answer["obstacles"]}
        if answer["denied"]:
            self.expect(named, "a denial without an obstacle", answer)
        else:
            self.expect(not named and not answer["changes"], "obstacles of what is allowed", answer)
        self.expect(named - {"C", "X"} <= set(layers) | {"B", "R"}, "layers", named, layers, question)
        self.count["X"] += "X" in named
        for perm in perms:
            self.remove_rules(answer, question, perm)
        for change in self.some_changes(answer["changes"]):
            self.apply(change, question, perms, number)

    def some_changes(self, changes):
        """A few of each sort: the first, the last, refused ones."""
        good = [c for c in changes if not c["refused"]]
        bad = [c for c in changes if c["refused"]]
        self.expect([c["opens"] for c in good] == sorted(c["opens"] for c in good), "order", good)
        return good[:3] + good[3:][-1:] + bad[:2]

    def remove_rules(self, answer, question, perm):
        """Without the rules that are said to allow it, it is denied; with any one alone it is not."""
        lines = {int(r["place"].split(":")[1]) for r in answer["rules"]
                 if r["in_force"] and perm in r["permissions"]}
        missing = any(o["layer"] == "T" and perm in o["permissions"] for o in answer["obstacles"])
        self.expect(missing != bool(lines), "rules and the layer T", perm, answer)
        if not lines:
            return
        keep = self.rng.choice(sorted(lines))
        for left, expected in ((set(), True), ({keep}, False)):
            text = self.without(lines - left)
            done = compile_to(text, "removed")
            self.expect(done.returncode == 0, done.stderr)
            rows = json.loads(veridian("explain", "--json", "removed.vpol", *question, perm).stdout)
            lacks = any(o["layer"] == "T" for o in rows["obstacles"])
            self.expect(lacks == expected, "rules", perm, question, lines, left)
        self.count["removed"] += 1

    def without(self, lines):
        rows = self.text.split("\n")
        for line in lines:
            rows[line - 1] = ""
        return "\n".join(rows)

    def apply(self, change, question, perms, number):
        text = self.text + "\n".join(change["statements"]) + "\n"
        done = compile_to(text, "applied")
        if change["refused"]:
            place = re.escape(change["refused"]["place"].replace("r.te", "applied.te"))
            self.expect(done.returncode == 2 and re.search(place + r"\b", done.stderr),
                        "refused, but", change, done)
            self.count["refused"] += 1
            return
        self.expect(done.returncode == 0, "does not compile:", change, done)
        if done.returncode == 0:
            have, _ = allowed("applied.vpol", question, change["booleans"].items(), number)
            self.expect(set(perms) <= have, "does not help:", change, question, perms, have)
            self.count["applied"] += 1
            self.measure(change)

    def cells(self, policy, bools):
        """Everything that is allowed by types: one user and role, no constraints."""
        types = self.made.types + self.made.children
        names = [f"u0_u:object_r:{t}:s0" for t in types]
        lines = [f"{s} {t} {c}" for s in names for t in names for c in random_te.CLASSES]
        options = [word for name, value in bools for word in ("--bool", f"{name}={value}")]
        done = veridian("query", *options, policy, "--batch", text="\n".join(lines) + "\n")
        return [set(row.split(",")) - {""}
                for row in re.findall(r"^av allowed=\{([^}]*)\}", done.stdout, re.M)]

    def measure(self, change):
        if "constrain" in self.text or self.count["counted"] >= 6 or any(
                "allowxperm" in s or ":" not in s and s.startswith("allow")
                for s in change["statements"]):
            return # between contexts of one role a role allow opens nothing; numbers are no cells
        if not hasattr(self, "before"):
            self.before = self.cells(self.policy, ())
        after = self.cells("applied.vpol", change["booleans"].items())
        opened = sum(len(b - a) for a, b in zip(self.before, after))
        self.expect(opened == change["opens"], "opens", opened, "not", change)
        self.count["counted"] += 1


def random_policy(seed, constraints, rounds):
    rng = random.Random(seed)
    made = random_te.Policy(seed)
    text = made.text()
    if not constraints:
        text = "\n".join(line for line in text.split("\n") if "constrain" not in line and
                         not line.startswith("typebounds")) + "\n"
    claims = Claims(seed, with_neverallows(made, text, rng), made, rng)
    for _ in range(rounds):
        claims.try_question()
    TAP.check(f"random policy {seed}: {claims.count}", not claims.bad, "\n".join(claims.bad[:5]))
    return claims.count


def main():
    table()
    wrong()
    counts = [random_policy(seed, seed % 2 == 0, 12) for seed in range(8)]
    sums = {key: sum(count[key] for count in counts) for key in counts[0]}
    TAP.check(f"every sort of claim was tried: {sums}", all(sums.values()))
    print(f"1..{TAP.number}")
    return 1 if TAP.failed else 0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        WORK = Path(folder)
        sys.exit(main())
