#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""`veridian policy diff`: what it prints, and on random policies and changed ones the same
differences as sediff of setools finds between checkpolicy's binaries. Prints TAP."""
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.environ.get("VD_SOURCE_ROOT", "."), "tests", "support"))
sys.path.insert(0, os.path.join(os.environ.get("VD_SOURCE_ROOT", "."), "tests", "integration"))
import tap  # noqa: E402
from policy_text import Types, parse  # noqa: E402
from random_te import Policy  # noqa: E402

VERIDIAN = os.path.join(os.environ.get("VD_BUILD_ROOT", "build"), "bin", "veridian")
HERE = os.path.dirname(os.path.abspath(__file__))
POLICIES = int(os.environ.get("VD_DIFF_POLICIES", "3"))
T = tap.Tap()

ONE = """class file class dir class chr_file class process sid kernel sid file
class file { read write } class dir { search } class chr_file { ioctl } class process { transition }
sensitivity s0; sensitivity s1; dominance { s0 s1 } category c0; category c1;
level s0:c0.c1; level s1:c0.c1;
mlsconstrain file { read write } ( l1 dom l2 or t1 == domain );
attribute domain;
type a_t, domain; type b_t, domain; type x_t; type y_t; type z_t;
typealias x_t alias old_t; permissive a_t;
bool on true;
role r; role r types { a_t b_t }; role s; allow r s;
allow domain { x_t y_t }:file read;
allow a_t z_t:dir search;
dontaudit b_t x_t:file write;
if (on) { allow a_t x_t:file write; } else { auditallow b_t y_t:file read; }
type_transition a_t x_t:process b_t;
type_transition a_t x_t:file y_t "name";
allowxperm a_t x_t:chr_file ioctl { 0x10-0x20 0x5401 };
if (on) { allowxperm b_t x_t:chr_file ioctl 0x7-0x8; }
user u roles r level s0 range s0 - s1:c0.c1;
sid kernel u:r:a_t:s0
sid file u:r:b_t:s0
fs_use_xattr ext4 u:object_r:x_t:s0;
genfscon proc / u:object_r:x_t:s0
portcon tcp 80 u:object_r:x_t:s0
nodecon 10.0.0.0 255.0.0.0 u:object_r:x_t:s0
"""
CHANGES = [
    ("category c1;", "category c1; category c2;"), ("level s1:c0.c1;", "level s1:c0.c2;"),
    ("class dir { search }", "class dir { search add_name }"), ("l1 dom l2 or", "l1 eq l2 or"),
    ("type z_t;", "type z_t; type n_t, domain;"), (" alias old_t", " alias older_t"),
    ("permissive a_t;", "permissive b_t;"), ("bool on true", "bool on false"),
    ("role r types { a_t b_t }", "role r types a_t"), ("allow r s;", "allow s r;"),
    ("allow domain { x_t y_t }:file read;", "allow domain x_t:file { read write };"),
    ("allow a_t z_t:dir search;", "allow a_t { z_t y_t }:dir { search add_name };"),
    ("dontaudit b_t", "dontaudit a_t"), ("allow a_t x_t:file write; }", "allow a_t y_t:file write; }"),
    ("0x20 0x5401", "0x21"), ("0x7-0x8;", "0x7-0x9;"),
    ("process b_t;", "process a_t;"), ('"name"', '"other"'),
    ("range s0 - s1:c0.c1", "range s0 - s1:c0"), ("sid file u:r:b_t:s0", "sid file u:r:a_t:s0"),
    ("ext4 u", "ext3 u"), ("proc / ", "proc /x "), ("tcp 80 ", "tcp 80-81 "),
    ("10.0.0.0 ", "11.0.0.0 "),
]


def run(*words, code=None):
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=240)
    if code is not None and done.returncode != code:
        raise RuntimeError(f"{words}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def compiled(path, text, *options):
    with open(path + ".te", "w", encoding="ascii") as file:
        file.write(text)
    run(VERIDIAN, "policy", "compile", *options, "-o", path + ".vpol", path + ".te", code=0)
    return path + ".vpol"


def diff(*words):
    return run(VERIDIAN, "policy", "diff", *words)


def changed():
    text = ONE
    for before, after in CHANGES:
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    return text


EXPECTED = {
    "classes": ["+ class dir { add_name };"],
    "types": ["- permissive a_t;", "+ permissive b_t;", "+ type n_t;",
              "- typealias x_t alias old_t;", "+ typealias x_t alias older_t;"],
    "attributes": ["+ typeattribute n_t domain;"],
    "roles": ["- allow r s;", "+ allow s r;", "- role r types b_t;"],
    "users": ["- user u level s0 range s0 - s1:c0,c1;", "+ user u level s0 range s0 - s1:c0;"],
    "booleans": ["+ bool on false;", "- bool on true;"],
    "levels": ["+ category c2;", "- level s1:c0.c1;", "+ level s1:c0.c2;"],
    "constraints": ["+ constrain file { read write } (l1 == l2 or t1 == domain);",
                    "- constrain file { read write } (l1 dom l2 or t1 == domain);"],
    "transitions": ['- type_transition a_t x_t:file y_t "name";',
                    '+ type_transition a_t x_t:file y_t "other";',
                    "+ type_transition a_t x_t:process a_t;",
                    "- type_transition a_t x_t:process b_t;"],
    "labels": ["+ fs_use_xattr ext3 u:object_r:x_t:s0;", "- fs_use_xattr ext4 u:object_r:x_t:s0;",
               "- genfscon proc / u:object_r:x_t:s0;", "+ genfscon proc /x u:object_r:x_t:s0;",
               "- nodecon 10.0.0.0 255.0.0.0 u:object_r:x_t:s0;",
               "+ nodecon 11.0.0.0 255.0.0.0 u:object_r:x_t:s0;",
               "- portcon tcp 80 u:object_r:x_t:s0;", "+ portcon tcp 80-81 u:object_r:x_t:s0;",
               "+ sid file u:r:a_t:s0;", "- sid file u:r:b_t:s0;"],
    "rules": ["- allow a_t y_t:file read;", "+ allow a_t x_t:file write;",
              "- allow a_t x_t:file write; [ on ]:True", "+ allow a_t y_t:file write; [ on ]:True",
              "+ dontaudit a_t x_t:file write;",
              "- allow b_t y_t:file read;", "- dontaudit b_t x_t:file write;",
              "+ allow b_t x_t:file write;", "+ allow n_t x_t:file { read write };",
              "+ allow a_t z_t:dir add_name;", "+ allow a_t y_t:dir { search add_name };",
              "- allowxperm a_t x_t:chr_file ioctl { 0x0010-0x0020 0x5401 };",
              "+ allowxperm a_t x_t:chr_file ioctl { 0x0010-0x0021 };",
              "- allowxperm b_t x_t:chr_file ioctl { 0x0007-0x0008 }; [ on ]:True",
              "+ allowxperm b_t x_t:chr_file ioctl { 0x0007-0x0009 }; [ on ]:True"],
}


def printed(directory):
    one = compiled(os.path.join(directory, "one"), ONE)
    other = compiled(os.path.join(directory, "other"), changed())
    done = diff(one, other)
    parts = {}
    for line in done.stdout.splitlines():
        if line.startswith("# "):
            part = parts.setdefault(line[2:], [])
        else:
            part.append(line)
    T.check("the parts that differ", done.returncode == 1 and list(parts) == list(EXPECTED), done)
    for name, lines in EXPECTED.items():
        same = parts.get(name) == lines if name != "rules" else \
            sorted(parts.get(name, [])) == sorted(lines)
        T.check(f"{name}: {len(lines)} differences", same, "\n".join(parts.get(name, [])))
    back = diff(other, one)
    turned = {line.translate(str.maketrans("+-", "-+"))[0] + line[1:]
              for line in back.stdout.splitlines()}
    T.check("the other way round it is the same, turned", turned == set(done.stdout.splitlines()),
            back)
    whole = json.loads(diff("--json", one, other).stdout)
    T.check("--json", whole["equal"] is False and
            sorted(("+ " if d["change"] == "added" else "- ") + d["text"]
                   for d in whole["differences"]) == sorted(sum(EXPECTED.values(), [])), whole)
    counts = json.loads(diff("--json", "--stats", one, other).stdout)["counts"]
    T.check("--stats --json", counts["labels"] == {"removed": 5, "added": 5} and
            counts["properties"] == {"removed": 0, "added": 0}, counts)
    done = diff("--stats", "--only", "roles", one, other)
    T.check("--stats --only", done.returncode == 1 and
            done.stdout.split() == ["roles", "2", "removed", "1", "added"], done)
    done = diff("--only", "properties", one, other)
    T.check("a part that is equal is 0", done.returncode == 0 and done.stdout == "", done)
    stripped = compiled(os.path.join(directory, "stripped"), ONE, "--strip", "--handle-unknown",
                        "allow")
    done = diff(one, stripped)
    T.check("a stripped policy can be compared", done.returncode == 1 and done.stdout ==
            "# properties\n+ handle_unknown allow;\n- handle_unknown deny;\n", done)
    lines = ONE.splitlines()
    lines[6] = "type z_t; type y_t; type x_t; type b_t, domain; type a_t, domain;"
    turned = compiled(os.path.join(directory, "turned"), "\n".join(lines) + "\n")
    done = diff(one, turned)
    T.check("another order is no difference", done.returncode == 0 and done.stdout == "", done)
    done = json.loads(diff("--json", one, turned).stdout)
    T.check("--json of equal ones", done == {"differences": [], "equal": True}, done)
    done = diff("--only", "typs", one, other)
    T.check("--only with another word is 2", done.returncode == 2 and 'no part "typs"' in
            done.stderr and done.stdout == "", done)


def change(text, seed):
    """A changed policy: statements left out and added, types in another order."""
    rng = random.Random(seed)
    lines, types, out = text.splitlines(), [], []
    for line in lines:
        if re.match(r"(allow|auditallow|dontaudit|allowxperm|typeattribute|type_|range_|role_|permissive|if)",
                    line) and rng.random() < 0.06 and \
                not re.match(r"allow (child|t[3-7]_t)", line):  # what bounds need
            continue
        if re.match(r"type_transition \S+ \S+ \w+;$", line) and rng.random() < 0.1:
            line = line.rsplit(" ", 1)[0] + " t5_t;"
        if line.startswith("bool ") and rng.random() < 0.4:
            line = line.replace("true", "other").replace("false", "true").replace("other", "false")
        if re.match(r"type \w+;$", line):
            types.append(line)
            continue
        out.append(line)
    rng.shuffle(types)
    at = max(i for i, line in enumerate(out) if line.startswith("bool ")) + 1
    added = ["type new_t;", "typeattribute new_t attr1;", "typealias t1_t alias name_t;"]
    policy = Policy(seed + 1000)
    more = [policy.te_rule() for _ in range(15)] + ["allow new_t t1_t:file read;",
                                                   "allow t1_t new_t:{ file dir } read;"]
    end = max(i for i, line in enumerate(out) if line.startswith("allow ")) + 1
    return "\n".join(out[:at] + types + added + out[at:end] + more + out[end:]) + "\n"


def our_differences(one, other, types, bools):
    """Facts and triples of what we print, as setools_diff.py has them."""
    facts, rules, conditional, masks = set(), set(), set(), {}
    for item in json.loads(diff("--json", one, other).stdout)["differences"]:
        sign = "+" if item["change"] == "added" else "-"
        text = item["text"]
        if item["part"] in ("constraints", "levels", "labels", "properties") or \
                text.startswith("typebounds"):
            continue
        if item["part"] == "rules" or text.startswith(("type_transition", "type_member",
                                                       "type_change")):
            for triple in parse(text, types, bools, exact=True):
                if isinstance(triple[4], tuple):
                    if triple[5] == "always":
                        key = triple[:4] + (triple[4][0],)
                        masks.setdefault(key, {"-": 0, "+": 0})[sign] |= triple[4][1]
                elif triple[5] == "always":
                    rules.add((sign,) + triple[:5])
                elif item["part"] == "rules":
                    conditional.add((sign,) + triple)
        else:
            facts.add((sign, text.rstrip(";")))
    # What changed of an extended rule is printed as it was and as it is.
    xperms = {(sign, *key, hex(bits[sign] & ~bits["-+".replace(sign, "")]))
              for key, bits in masks.items() for sign in "-+"
              if bits[sign] & ~bits["-+".replace(sign, "")]}
    return facts, rules, conditional, xperms


def compare(directory, seed, interpreter):
    texts = [Policy(seed).text()]
    texts.append(change(texts[0], seed))
    paths = [os.path.join(directory, f"{seed}.{name}") for name in ("one", "other")]
    ours = [compiled(path, text) for path, text in zip(paths, texts)]
    for path in paths:
        run("checkpolicy", "-M", "-o", path + ".bin", path + ".te", code=0)
    theirs = json.loads(run(interpreter, os.path.join(HERE, "setools_diff.py"),
                            *(path + ".bin" for path in paths), code=0).stdout)
    types = Types(texts[1])
    facts, rules, conditional, xperms = our_differences(*ours, types, theirs["bools"])
    # Two conditions may hold under the same settings: by settings such a rule is in both.
    both = {tuple(f[:5]) + (tuple(f[5]),) for f in theirs["both"]}
    conditional = {f for f in conditional if f[1:] not in both}
    wanted = [{tuple(f) for f in theirs["facts"]}, {tuple(f) for f in theirs["rules"]},
              {tuple(f[:6]) + (tuple(f[6]),) for f in theirs["conditional"]},
              {tuple(f) for f in theirs["xperms"]}]
    for name, found, want in zip(("facts", "rules", "conditional rules", "extended rules"),
                                 (facts, rules, conditional, xperms), wanted):
        T.check(f"policy {seed}: {len(want)} {name} as sediff finds them",
                found == want and len(want) > 5,
                f"only ours: {sorted(found - want, key=str)[:6]}\n"
                f"only theirs: {sorted(want - found, key=str)[:6]}")


def setools_interpreter():
    for path in ("/usr/bin/python3", sys.executable):
        if shutil.which(path) and run(path, "-c", "import setools").returncode == 0:
            return path
    return None


def main():
    interpreter = setools_interpreter()
    with tempfile.TemporaryDirectory() as directory:
        printed(directory)
        for seed in range(1, POLICIES + 1):
            if interpreter and shutil.which("checkpolicy"):
                compare(directory, seed, interpreter)
            else:
                T.check(f"policy {seed} # SKIP setools or checkpolicy is not installed", True)
    print(f"1..{T.number}")
    return T.failed != 0


sys.exit(main())
