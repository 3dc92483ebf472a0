#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""`veridian policy flow`: what it prints, and on random policies the same paths as setools'
analyses of information flow and domain transitions find in checkpolicy's binary. Prints TAP."""
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.environ.get("VD_SOURCE_ROOT", "."), "tests", "support"))
import tap  # noqa: E402

VERIDIAN = os.path.join(os.environ.get("VD_BUILD_ROOT", "build"), "bin", "veridian")
HERE = os.path.dirname(os.path.abspath(__file__))
POLICIES = int(os.environ.get("VD_FLOW_POLICIES", "3"))
T = tap.Tap()

CLASSES = {
    "process": ["transition", "dyntransition", "setexec", "setcurrent", "ptrace", "signal"],
    "file": ["read", "write", "execute", "entrypoint", "getattr"],
    "dir": ["search", "add_name", "read"],
    "socket": ["sendto", "recvfrom"],
}
MAP = """4
# how the test's classes carry information
class process 6
 transition n 1
 dyntransition n 1
 setexec n 1
 setcurrent u 1
 ptrace b 10
 signal w 2
class file 5
 read r 10
 write w 10
 execute r 1
 entrypoint n 1
 getattr r 7
class dir 3
 search r 1
 add_name w 5
 read r 10
class socket 2
 sendto w 10 # comment
 recvfrom r 10
"""
HEAD = ["".join(f"class {name} " for name in CLASSES), "sid kernel"] + [
    f"class {name} {{ {' '.join(perms)} }}" for name, perms in CLASSES.items()]
FIXED = """attribute domain;
type a_t, domain; type b_t, domain; type c_t, domain; type e_t; type f_t; type g_t;
bool debug false;
role r; role r types domain;
allow a_t f_t:file { read write };
allow b_t f_t:file read;
allow b_t g_t:file write;
allow c_t g_t:file read;
if (debug) { allow a_t g_t:file write; }
allow a_t e_t:file execute;
allow b_t e_t:file entrypoint;
allow a_t b_t:process transition;
type_transition a_t e_t:process b_t;
allow b_t c_t:process dyntransition;
allow domain self:process setcurrent;
user u roles r;
sid kernel u:r:a_t
"""


def run(*words, code=None):
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=240)
    if code is not None and done.returncode != code:
        raise RuntimeError(f"{words}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def flow(policy, *words):
    return run(VERIDIAN, "policy", "flow", *words[:-2], policy, *words[-2:])


def paths(policy, *words):
    done = flow(policy, "--json", *words)
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)["paths"]


def names(path):
    return [path["steps"][0]["from"]] + [step["to"] for step in path["steps"]]


def put(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    return path


def expect(policy, words, text, code=0):
    done = flow(policy, *words.split())
    T.check(f"flow {words}", done.returncode == code and done.stdout == text,
            f"exit {done.returncode}\n{done.stdout}{done.stderr}")


def printed(directory):
    source = put(os.path.join(directory, "t.te"), "\n".join(HEAD) + "\n" + FIXED)
    policy = os.path.join(directory, "t.vpol")
    run(VERIDIAN, "policy", "compile", "-o", policy, source, code=0)
    at = f"# {source}:"
    expect(policy, "a_t c_t", f"""path 1: 4 steps
  a_t -> f_t
    allow a_t f_t:file {{ read write }}; {at}11
  f_t -> b_t
    allow b_t f_t:file read; {at}12
  b_t -> g_t
    allow b_t g_t:file write; {at}13
  g_t -> c_t
    allow c_t g_t:file read; {at}14
""")
    for words in ("--bool debug=1", "--any-booleans"):
        expect(policy, words + " a_t c_t", f"""path 1: 2 steps
  a_t -> g_t
    allow a_t g_t:file write; {at}15, [ debug ]:True
  g_t -> c_t
    allow c_t g_t:file read; {at}14
""")
    expect(policy, "--exclude f_t a_t c_t", "no path from a_t to c_t\n", 1)
    expect(policy, "--exclude domain a_t g_t", "no path from a_t to g_t\n", 1)
    expect(policy, "--max-length 3 a_t c_t", "no path from a_t to c_t\n", 1)
    expect(policy, "c_t a_t", "no path from c_t to a_t\n", 1)
    expect(policy, "a_t a_t", "no path from a_t to a_t\n", 1)
    expect(policy, "--domain a_t c_t", f"""path 1: 2 steps
  a_t -> b_t
    allow a_t b_t:process transition; {at}18
    type_transition a_t e_t:process b_t; {at}19
    allow a_t e_t:file execute; {at}16
    allow b_t e_t:file entrypoint; {at}17
  b_t -> c_t
    allow b_t c_t:process dyntransition; {at}20
    allow domain self:process setcurrent; {at}21
""")
    expect(policy, "--domain --exclude b_t a_t c_t", "no path from a_t to c_t\n", 1)
    found = paths(policy, "--domain", "a_t", "b_t")
    T.check("--json names the program", [rule.get("program") for rule in
                                         found[0]["steps"][0]["rules"]] == [None] + 3 * ["e_t"],
            found)
    done = flow(policy, "--rules", "1", "--domain", "a_t", "b_t")
    T.check("--rules", "# and 3 more rules" in done.stdout, done)


def hint(directory):
    """An attribute's types hide other paths: the attribute is named, where it is of use."""
    source = put(os.path.join(directory, "h.te"), "\n".join(HEAD) + """
attribute busy; attribute all;
type a_t, all; type z_t, all; type u_t, busy, all; type v_t, busy, all; type w_t, all;
allow busy a_t:file read;
allow busy z_t:file write;
allow w_t a_t:file read;
allow w_t z_t:file write;
role r; role r types all; user u roles r; sid kernel u:r:a_t
""")
    policy = os.path.join(directory, "h.vpol")
    run(VERIDIAN, "policy", "compile", "-o", policy, source, code=0)
    told = ("# 2 of these 2 paths lead through the 2 types of busy: --exclude busy leaves them out\n")
    done = flow(policy, "--limit", "2", "a_t", "z_t")
    T.check("the attribute that all paths lead through", done.stdout.endswith(told), done)
    done = flow(policy, "a_t", "z_t")
    T.check("two paths of three are not enough", "--exclude" not in done.stdout, done)
    done = flow(policy, "--exclude", "busy", "a_t", "z_t")
    T.check("without them the third", done.stdout.startswith("path 1: 2 steps\n  a_t -> w_t\n") and
            "path 2" not in done.stdout and "--exclude" not in done.stdout, done)


def wrong(directory):
    policy = os.path.join(directory, "t.vpol")
    stripped = os.path.join(directory, "s.vpol")
    run(VERIDIAN, "policy", "compile", "--strip", "-o", stripped, os.path.join(directory, "t.te"),
        code=0)
    done = flow(stripped, "a_t", "b_t")
    T.check("a stripped policy is 2", done.returncode == 2 and "--strip" in done.stderr, done)
    for words, text in [("a_t nosuch_t", 'no type or attribute "nosuch_t"'),
                        ("domain a_t", '"domain" is an attribute'),
                        ("--exclude x a_t b_t", 'no type or attribute "x"'),
                        ("--min-weight 0 a_t b_t", "--min-weight is 1 to 10"),
                        ("--min-weight 11 a_t b_t", "--min-weight is 1 to 10"),
                        ("--max-length 65 a_t b_t", "--max-length is at most 64"),
                        ("--domain --map x a_t b_t", "does not go with --domain")]:
        done = flow(policy, *words.split())
        T.check(f"flow {words} is 2", done.returncode == 2 and text in done.stderr and
                done.stdout == "", done)
    for text, line, what in [("", 0, "number of classes"), ("x\n", 1, "number of classes"),
                             ("1 2\n", 1, "number of classes"), ("1\n", 1, "class NAME COUNT"),
                             ("1\n\nclass file 2\nread r\n", 4, "in the middle of a class"),
                             ("1\nclass file 1\nread x\n", 3, "r|w|b|n|u"),
                             ("1\nclass file 1\nread r 11\n", 3, "weight is 1 to 10"),
                             ("1\nclass file 1\nread r 0\n", 3, "weight is 1 to 10"),
                             ("1\nclass file 0\n", 2, "class NAME COUNT"),
                             ("1\nclass file 1\nread r\nmore\n", 4, "after the last class"),
                             ("1\nclass file 1\na b c d\n", 3, "too many words"),
                             ("1\nclass " + 300 * "x" + " 1\n", 2, "more than 255 bytes")]:
        path = put(os.path.join(directory, "map"), text)
        done = flow(policy, "--map", path, "a_t", "b_t")
        place = f"{path}:{line}: error" if line else f"{path}: error"
        T.check(f"a map with {what!r} wrong, line {line}", done.returncode == 2 and
                place in done.stderr and what in done.stderr, done)


def policy_text(rng):
    types = [f"t{i}_t" for i in range(12)]
    attributes = ["attr0", "attr1"]
    lines = list(HEAD) + [f"attribute {name};" for name in attributes]
    lines += [f"type {name};" for name in types] + ["bool b0 true; bool b1 false;"]
    lines += [f"typeattribute {name} {attribute};" for name in types for attribute in attributes
              if rng.random() < 0.2]
    lines += ["role r; role r types t0_t;"]

    def rule():
        name = rng.choice(list(CLASSES))
        perms = rng.sample(CLASSES[name], rng.randint(1, 2))
        source = rng.choice(types * 2 + attributes)
        target = rng.choice(types * 2 + attributes + ["self"])
        if "setexec" in perms or "setcurrent" in perms:
            target = "self"  # setools takes the right over another process for it too
        return f"allow {source} {target}:{name} {{ {' '.join(perms)} }};"
    for _ in range(45):
        lines.append(rule())
    for name in types:  # so that domains have transitions at all
        program, to = rng.choice(types), rng.choice(types)
        lines += [f"allow {name} {to}:process transition;", f"allow {name} {program}:file execute;",
                  f"allow {to} {program}:file entrypoint;"]
        if rng.random() < 0.7:
            lines.append(f"type_transition {name} {program}:process {to};")
    lines += [f"if ({name}) {{ {rule()} }} else {{ {rule()} }}" for name in ("b0", "b1")]
    return "\n".join(lines + ["user u roles r;", "sid kernel u:r:t0_t"]) + "\n"


def compare(directory, seed, interpreter):
    rng = random.Random(seed)
    source = put(os.path.join(directory, f"{seed}.te"), policy_text(rng))
    where = put(os.path.join(directory, "map"), MAP)
    run("checkpolicy", "-o", source + ".bin", source, code=0)
    run(VERIDIAN, "policy", "compile", "-o", source + ".vpol", source, code=0)
    theirs = json.loads(run(interpreter, os.path.join(HERE, "setools_flow.py"), source + ".bin",
                            where, "4", code=0).stdout)
    questions = rng.sample(sorted(key for key in theirs if key.endswith(" 0")), 90) + \
        [key for key in theirs if not key.endswith(" 0")]
    different, total = [], 0
    for key in questions:
        kind, start, end, length = key.split()
        words = ["--domain"] if kind == "domain" else ["--map", where]
        words += ["--any-booleans", "--limit", "0"]
        words += ["--max-length", length] if length != "0" else []
        found = paths(source + ".vpol", *words, start, end)
        total += len(found)
        lengths = [path["length"] for path in found]
        if sorted(names(path) for path in found) != sorted(theirs[key]) or \
                lengths != sorted(lengths) or \
                any(step["rules"] == [] for path in found for step in path["steps"]):
            different.append((key, found, theirs[key]))
    T.check(f"policy {seed}: {len(questions)} questions, {total} paths as setools finds them",
            different == [] and total > 50, f"{len(different)}: {different[:1]}")


def setools_interpreter():
    for path in ("/usr/bin/python3", sys.executable):
        if shutil.which(path) and run(path, "-c", "import setools, networkx").returncode == 0:
            return path
    return None


def main():
    interpreter = setools_interpreter()
    with tempfile.TemporaryDirectory() as directory:
        printed(directory)
        hint(directory)
        wrong(directory)
        for seed in range(1, POLICIES + 1):
            if interpreter and shutil.which("checkpolicy"):
                compare(directory, seed, interpreter)
            else:
                T.check(f"policy {seed} # SKIP setools or checkpolicy is not installed", True)
    print(f"1..{T.number}")
    return T.failed != 0


sys.exit(main())
