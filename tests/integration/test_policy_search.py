#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""`veridian policy search`: what it prints, and on random policies the same rules as sesearch
of setools finds in checkpolicy's binary. Prints TAP."""
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
from policy_text import Types, join, parse  # noqa: E402
from random_te import Policy  # noqa: E402

VERIDIAN = os.path.join(os.environ.get("VD_BUILD_ROOT", "build"), "bin", "veridian")
POLICIES = int(os.environ.get("VD_SEARCH_POLICIES", "2"))
PEERS = all(shutil.which(name) for name in ("checkpolicy", "sesearch"))
T = tap.Tap()

SOURCE = """class file class process class chr_file sid kernel
class file { read write } class process { transition } class chr_file { ioctl read }
attribute domain; attribute exec;
type a_t, domain; type b_t, domain; type x_t, exec;
bool on true; bool off false;
role r1; role r2; role r1 types { a_t b_t };
allow { domain -b_t } { x_t self }:file { read write };
allow domain x_t:{ file process } *;
#line 70 "other.te"
dontaudit a_t ~{ domain }:file read;
if (on && !off) { auditallow a_t x_t:file read; } else { allow b_t x_t:file write; }
neverallow b_t a_t:file write;
type_transition a_t x_t:process b_t;
role_transition r1 exec:process r2;
allow r1 r2;
constrain file { read } ( u1 == u2 );
user u roles { r1 r2 };
sid kernel u:r1:a_t
"""


def run(*words, code=None):
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    if code is not None and done.returncode != code:
        raise RuntimeError(f"{words}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def expect(policy, words, lines, code=0):
    done = run(VERIDIAN, "policy", "search", *words.split(), policy)
    T.check(f"search {words}", done.returncode == code and done.stdout.splitlines() == lines,
            f"exit {done.returncode}\n{done.stdout}{done.stderr}")


def printed(directory):
    source, policy = os.path.join(directory, "t.te"), os.path.join(directory, "t.vpol")
    with open(source, "w", encoding="ascii") as file:
        file.write(SOURCE)
    run(VERIDIAN, "policy", "compile", "-o", policy, source, code=0)
    at = f"# {source}:"
    expect(policy, "-A -s b_t", [f"allow domain x_t:file {{ read write }}; {at}8",
                                 f"allow domain x_t:process transition; {at}8",
                                 "allow b_t x_t:file write; # other.te:71, [ on && ! off ]:False"])
    expect(policy, "-A -t a_t", [f"allow {{ domain -b_t }} self:file {{ read write }}; {at}7"])
    expect(policy, "-A -t a_t -s b_t", [], 1)
    expect(policy, "-A -s domain -ds -c process", [f"allow domain x_t:process transition; {at}8"])
    expect(policy, "-A -s b_t -ds",
           ["allow b_t x_t:file write; # other.te:71, [ on && ! off ]:False"])
    expect(policy, "-A -t exec -dt", [], 1)
    expect(policy, "-s ^b -rs -t x -rt -p write",
           [f"allow domain x_t:file {{ read write }}; {at}8",
            "allow b_t x_t:file write; # other.te:71, [ on && ! off ]:False"])
    expect(policy, "--dontaudit", ["dontaudit a_t ~domain:file read; # other.te:70"])
    expect(policy, "--neverallow", ["neverallow b_t a_t:file write; # other.te:72"])
    expect(policy, "-T -D b_t", ["type_transition a_t x_t:process b_t; # other.te:73"])
    expect(policy, "--role_trans", ["role_transition r1 exec:process r2; # other.te:74"])
    expect(policy, "--role_allow -s r1", ["allow r1 r2; # other.te:75"])
    expect(policy, "--constrain", ["constrain file { read } ( u1 == u2 ); # other.te:76"])
    expect(policy, "-b on -eb", [], 1)
    expect(policy, "-b on,off -eb --auditallow",
           ["auditallow a_t x_t:file read; # other.te:71, [ on && ! off ]:True"])
    expect(policy, "-p write -ep", ["allow b_t x_t:file write; # other.te:71, [ on && ! off ]:False",
                                    "neverallow b_t a_t:file write; # other.te:72"])
    expect(policy, "-p read,write -Sp -s b_t -c file",
           [f"allow domain x_t:file {{ read write }}; {at}8"])
    rows = json.loads(run(VERIDIAN, "policy", "search", "-A", "-b", "on", "--json", "--set", "on=0",
                          policy, code=0).stdout)
    T.check("--json", rows == [{
        "kind": "allow", "source": ["b_t"], "target": ["x_t"], "class": "file",
        "permissions": ["write"], "condition": "on && ! off", "branch": False, "in_force": True,
        "file": "other.te", "line": 71}], rows)
    stripped = os.path.join(directory, "s.vpol")
    run(VERIDIAN, "policy", "compile", "--strip", "-o", stripped, source, code=0)
    done = run(VERIDIAN, "policy", "search", "-A", stripped)
    T.check("a stripped policy is 2", done.returncode == 2 and "--strip" in done.stderr, done)
    with open(policy, "r+b") as file:
        file.seek(-2, os.SEEK_END)
        file.write(b"x")
    done = run(VERIDIAN, "policy", "search", "-A", policy)
    T.check("a damaged rulebook is 2, with its place", done.returncode == 2 and
            re.search(r"at byte \d+: the checksum", done.stderr), done)


def wrong(directory):
    policy = os.path.join(directory, "t.vpol")
    run(VERIDIAN, "policy", "compile", "-o", policy, os.path.join(directory, "t.te"), code=0)
    for words, text in [("-s a_tt", 'no type or attribute "a_tt"'), ("-c fil", 'no class "fil"'),
                        ("-p red", 'no class has a permission "red"'),
                        ("-c process -p read", "no class asked for has"),
                        ("-b onn", 'no boolean "onn"'), ("-s ( -rs", "regular expression"),
                        ("-dx", "one letter of"), ("-r st", "one letter of"),
                        ("-x 0x10000", "up to 0xffff"), ("-x 5-1", "does not end"),
                        ("-x 5;6", "expected ','"), ("-c ,", 'no class ""'),
                        ("-s " + "a" * 2000 + " -rs", "more than 1024 bytes")]:
        done = run(VERIDIAN, "policy", "search", *words.split(), policy)
        T.check(f"search {words[:30]} is 2", done.returncode == 2 and text in done.stderr and
                done.stdout == "", done)


QUERIES = ["-A", "--auditallow --dontaudit", "-A -s {type}", "-A -t {type}", "-A -s {attribute}",
           "-A -s {type} -t {attribute}", "-A -c {class} -p {perm}", "-A -s {type} -ds",
           "-A -t {type} -dt", "-A -s ^t[1-3] -rs", "-A -b {bool}", "-T -s {type}", "-T",
           "--type_change --type_member", "-T -D {type}", "-A -t {attribute} -c {class}"]


def normal(triples, words):
    """checkpolicy merges rules of the same types and class, and writes `self` of an attribute
    as its types: of what is found for it by permission or directly, both see other rules."""
    if "-p" in words:
        triples = {t for t in triples if t[4] == words[words.index("-p") + 1] or
                   isinstance(t[4], tuple)}
    if "-ds" in words or "-dt" in words:
        triples = {t for t in triples if t[1] != t[2]}
    return triples


def compare(directory, seed):
    policy = Policy(seed)
    rng = random.Random(seed)
    text = policy.text()
    source = os.path.join(directory, f"{seed}.te")
    with open(source, "w", encoding="ascii") as file:
        file.write(text)
    run("checkpolicy", "-M", "-o", source + ".bin", source, code=0)
    run(VERIDIAN, "policy", "compile", "-o", source + ".vpol", source, code=0)
    types = Types(text)
    for query in QUERIES + ["--role_allow", "--role_trans", "--range_trans"]:
        tclass = rng.choice(["file", "dir", "db_table"])
        names = {"type": rng.choice(policy.types), "attribute": rng.choice(policy.attributes),
                 "class": tclass, "perm": "read", "bool": rng.choice(policy.bools)}
        words = query.format(**names).split()
        ours = run(VERIDIAN, "policy", "search", *words, source + ".vpol")
        theirs = run("sesearch", *words, source + ".bin", code=0)
        only = [None, None]
        for i, letter in enumerate("st"):
            if f"-{letter}" in words:
                name = words[words.index(f"-{letter}") + 1]
                only[i] = {t for t in types.types if re.search(name, t)} if "-rs" in words \
                    else types.one(name)
        sets = [normal(join(set().union(*(parse(line, types, policy.bools, only)
                                          for line in done.stdout.splitlines()))), words)
                for done in (ours, theirs)]
        T.check(f"policy {seed}: {' '.join(words)}: {len(sets[1])} triples alike",
                sets[0] == sets[1] and (sets[1] == set()) == (ours.returncode == 1),
                f"only ours: {sorted(sets[0] - sets[1], key=str)[:5]}\n"
                f"only theirs: {sorted(sets[1] - sets[0], key=str)[:5]}\n{ours.stderr}")


def main():
    with tempfile.TemporaryDirectory() as directory:
        printed(directory)
        wrong(directory)
        for seed in range(1, POLICIES + 1):
            if PEERS:
                compare(directory, seed)
            else:
                T.check(f"policy {seed} # SKIP sesearch or checkpolicy is not installed", True)
    print(f"1..{T.number}")
    return T.failed != 0


sys.exit(main())
