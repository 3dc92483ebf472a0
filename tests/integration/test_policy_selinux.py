#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""`veridian policy compile --format selinux` against SELinux's own tools: libsepol loads
every version of the format and answers as from checkpolicy's binary, and setools
(seinfo, sediff) sees no difference between the two. Prints TAP.

VD_SELINUX_POLICIES, VD_SELINUX_QUESTIONS: random policies, and questions each."""
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.environ.get("VD_SOURCE_ROOT", "."), "tests", "support"))
from every_statement import EVERYTHING, MLS, PLAIN, every_question  # noqa: E402
from random_te import Policy  # noqa: E402
from setools_view import sediff, seinfo  # noqa: E402
from tap import Tap  # noqa: E402

ROOT = os.environ.get("VD_SOURCE_ROOT", ".")
BUILD = os.environ.get("VD_BUILD_ROOT", "build")
VERIDIAN = os.path.abspath(os.path.join(BUILD, "bin", "veridian"))
ASK = os.path.join(BUILD, "tests", "integration", "sepol_ask")
POLICIES = int(os.environ.get("VD_SELINUX_POLICIES", "8"))
QUESTIONS = int(os.environ.get("VD_SELINUX_QUESTIONS", "1500"))
VERSIONS = range(30, 34)
PEER = os.path.exists(ASK) and shutil.which("checkpolicy") is not None
SETOOLS = shutil.which("seinfo") is not None and shutil.which("sediff") is not None

tap = Tap()
check = tap.check


def skip(name, why):
    check(f"{name} # SKIP {why}", True)


def run(command, text=None, good=(0,)):
    done = subprocess.run(command, input=text, text=True, capture_output=True, check=False,
                          timeout=120)
    if done.returncode not in good:
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}\n"
                           f"{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def compile_to(*arguments):
    return subprocess.run([VERIDIAN, "policy", "compile", *arguments], text=True,
                          capture_output=True, check=False, timeout=120)


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def ours(source, version, *more):
    out = f"{source}.ours.{version}"
    done = compile_to("--format", "selinux", "--selinux-version", str(version), "-o", out, *more,
                      source)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return out


def compare_setools(name, theirs, mine):
    title = f"{name}: seinfo and sediff find no difference"
    if not SETOOLS:
        skip(title, "setools is not installed")
        return
    one, other = seinfo(theirs), seinfo(mine)
    lines = [f"- {x}" for x in one if x not in other] + [f"+ {x}" for x in other if x not in one]
    check(title, one == other and sediff(theirs, mine) == "",
          "\n".join(lines) + "\n" + sediff(theirs, mine))


def compare_answers(name, source, theirs, questions):
    """Every version is loaded by libsepol and answers as checkpolicy's binary."""
    text = "\n".join(questions) + "\n"
    want = run([ASK, theirs], text).splitlines()
    for version in VERSIONS:
        got = run([ASK, ours(source, version)], text).splitlines()
        different = [f"{q}\nchecked: {a}\nours: {b}" for q, a, b in zip(questions, want, got)
                     if a != b]
        check(f"{name}: libsepol answers {len(questions)} questions alike, version {version}",
              len(got) == len(questions) == len(want) and different == [],
              "\n".join(different[:3]))


def random_policies(directory):
    for seed in range(101, 101 + POLICIES):
        policy = Policy(seed)
        source = os.path.join(directory, f"{seed}.te")
        write(source, policy.text())
        run(["checkpolicy", "-M", "-o", source + ".theirs", source])
        compare_answers(f"policy {seed}", source, source + ".theirs",
                        [policy.question() for _ in range(QUESTIONS)])
        if seed < 104:
            compare_setools(f"policy {seed}", source + ".theirs", ours(source, 33))


def every_statement(directory):
    for name, parts, level, flags in (("mls", MLS, ":s0:c1", ["-M"]), ("plain", PLAIN, "", [])):
        text = EVERYTHING
        for mark, part in parts.items():
            text = text.replace(mark, part)
        source = os.path.join(directory, name + ".te")
        write(source, text)
        for unknown in ("deny", "reject", "allow"):
            run(["checkpolicy", *flags, "-U", unknown, "-o", source + "." + unknown, source])
        compare_answers(f"every statement, {name}", source, source + ".deny",
                        list(every_question(level)))
        for unknown in ("deny", "reject", "allow"):
            compare_setools(f"every statement, {name}, unknown {unknown}", source + "." + unknown,
                            ours(source, 33, "--handle-unknown", unknown))


def own_language(directory):
    """What checkpolicy does not take: as the engine of this project answers."""
    source = os.path.join(directory, "deny.te")
    text = EVERYTHING + "deny domain d_t:file { write execute };\ndeny a_t self:dir read;\n" \
                        "deny { a_t b_t } c_t:file read;\n" \
                        "allow ~{ a_t b_t } *:socket bind;\ndontaudit * ~domain:dir write;\n" \
                        "allow domain { domain -self }:process dyntransition;\n" \
                        "constrain socket bind ( t1 != { domain -a_t } or t2 == ~{ a_t b_t } );\n"
    for mark, part in MLS.items():
        text = text.replace(mark, part)
    write(source, text)
    run([VERIDIAN, "policy", "compile", "-o", source + ".vpol", source])
    questions = [q for q in every_question(":s0:c1") if q.startswith("av ")]
    lines = "\n".join(questions) + "\n"
    want = run([VERIDIAN, "policy", "query", source + ".vpol", "--batch"], lines)
    plain = run([ASK, ours(os.path.join(directory, "mls.te"), 33)], lines)
    check("deny rules, and sets that only this project's language has, are written as they mean",
          run([ASK, ours(source, 33)], lines) == want and plain != want)


def conditions(directory):
    """Conditions over the same booleans, named in another order, are not joined unless they
    mean the same (libsepol's own comparison joins the first two)."""
    source = os.path.join(directory, "conditions.te")
    write(source, "class file\nsid kernel\nclass file { read write open lock }\ntype a_t;\n"
          "bool x true; bool y false;\nallow a_t a_t:file open;\n"
          "if (x && !y) { allow a_t a_t:file read; }\nif (y && !x) { allow a_t a_t:file write; }\n"
          "if (!y && x) { allow a_t a_t:file lock; }\n"
          "role r types a_t;\nuser u roles r;\nsid kernel u:r:a_t\n")
    answer = run([ASK, ours(source, 33)], "av u:r:a_t u:r:a_t file\n")
    check("only the conditions that hold add their rules",
          answer.startswith("av allowed={read,open,lock} "), answer)
    if SETOOLS:
        check("two conditions are written for three", any(
            re.search(r"Cond\. Expr\.: 2$", line) for line in seinfo(ours(source, 33))))
    else:
        skip("two conditions are written for three", "setools is not installed")


def glblub(directory):
    source = os.path.join(directory, "glblub.te")
    text = "default_range file glblub;\n" + "type a_t; type b_t; role r types a_t;\n" \
        "user u roles r level s0 range s0 - s15:c0.c1023;\nallow a_t b_t:file read;\n"
    write(source, text)
    for version in (30, 31):
        done = compile_to("--format", "selinux", "--selinux-version", str(version),
                          "-o", source + ".no", source)
        check(f"glblub is an error in version {version}, at its place",
              done.returncode == 2 and f"{source}:1:1: error: version {version}" in done.stderr and
              not os.path.exists(source + ".no"), done)
    for version in (32, 33):
        check(f"glblub is written in version {version}", len(read(ours(source, version))) > 0)


def conditional_xperms(directory):
    """Version 34, which libsepol 3.4 does not know: read back by this project's reader."""
    source = os.path.join(directory, "xperms.te")
    write(source, "class file class netlink_route_socket class process\nsid kernel\n"
          "class file { read ioctl } class netlink_route_socket { nlmsg } "
          "class process { transition }\n"
          "type a_t; bool x true; bool y false;\nallow a_t self:file ioctl;\n"
          "auditallow a_t self:file ioctl;\n"
          "allow a_t self:netlink_route_socket nlmsg;\n"
          "if (x) { allowxperm a_t self:file ioctl { 1 0x100-0x2ff }; }\n"
          "else { dontauditxperm a_t self:file ioctl ~0x5; }\n"
          "if (!y) { auditallowxperm a_t self:file ioctl 1; }\n"
          "allowxperm a_t self:netlink_route_socket nlmsg { 0x10-0x13 0x200-0x3ff };\n"
          "role r types a_t;\nuser u roles r;\nsid kernel u:r:a_t\n")
    run([VERIDIAN, "policy", "compile", "-o", source + ".vpol", source])
    questions = [f"xperm u:r:a_t u:r:a_t {name} 0x{number:x}" for number in
                 (0, 1, 2, 5, 0x10, 0x13, 0x14, 0xff, 0x100, 0x1ff, 0x2ff, 0x300, 0xffff)
                 for name in ("file ioctl", "netlink_route_socket nlmsg")]
    lines, answers = "\n".join(questions) + "\n", set()
    for setting in range(4):
        bools = ["--bool", f"x={setting & 1}", "--bool", f"y={setting >> 1}"]
        want = run([VERIDIAN, "policy", "query", *bools, source + ".vpol", "--batch"], lines)
        got = run([VERIDIAN, "policy", "query", *bools, ours(source, 34), "--batch"], lines)
        answers.add(want)
        check(f"conditional extended permissions, setting {setting}: version 34 answers alike",
              want == got and len(want.splitlines()) == len(questions), want + got)
    check("the booleans make a difference", len(answers) == 4)


REFUSED = [
    ("a policy without a rule", "", "error: SELinux's kernel does not take a policy without any"),
    ("a constraint of six values",
     "allow a_t a_t:file read;\nconstrain file read ( u1 == u2 or ( r1 == r2 or ( t1 == t2 or ("
     " u1 != u2 or ( r1 != r2 or t1 != t2 )))));\n",
     ":5:1: error: this expression needs 6 values at once; SELinux's kernel takes 5"),
    ("a conditional extended permission", "allow a_t a_t:file ioctl;\n"
     "if (x) { allowxperm a_t a_t:file ioctl 1; }\n",
     ":5:10: error: version 33 of SELinux's format has no extended permissions inside an if"),
    ("a transition under two conditions",
     "allow a_t a_t:file read;\nbool y true;\nif (x) { type_change a_t a_t:file a_t; }\n"
     "if (y) { type_change a_t a_t:file a_t; }\n",
     ":7:10: error: SELinux's kernel takes such a rule under one condition only"),
    ("a condition of eleven values",
     "allow a_t a_t:file read;\nif (" + "x && (" * 10 + "x" + ")" * 10 +
     ") { allow a_t a_t:file write; }\n",
     ":5:1: error: this condition needs 11 values at once; SELinux's kernel takes 10"),
]


def refused(directory):
    source, out = os.path.join(directory, "bad.te"), os.path.join(directory, "bad.out")
    for name, text, message in REFUSED:
        write(source, "type a_t; bool x true;\nrole r types a_t;\nuser u roles r;\n" + text)
        write(out, "before")
        done = compile_to("--format", "selinux", "-o", out, source)
        check(f"{name} is 2 and has its place", done.returncode == 2 and message in done.stderr,
              done)
        check(f"{name}: the old output stays", read(out) == b"before")
        done = compile_to("-o", out, source)
        check(f"{name} is no error of Veridian's own format", done.returncode == 0, done)


def calls(directory):
    source, out = os.path.join(directory, "call.te"), os.path.join(directory, "call.out")
    write(source, "type a_t; role r types a_t; user u roles r;\nallow a_t a_t:file read;\n")
    for version in ("29", "36", "33x", "-1"):
        done = compile_to("--format", "selinux", "--selinux-version", version, "-o", out, source)
        check(f"version {version} is 2", done.returncode == 2 and "selinux-version" in done.stderr,
              done)
    done = compile_to("--selinux-version", "33", "-o", out, source)
    check("a version without --format selinux is 2", done.returncode == 2 and
          "goes with --format selinux" in done.stderr, done)
    done = compile_to("--format", "selinux", "--target", "xen", "-o", out, source)
    check("--target xen is 3", done.returncode == 3 and "xen" not in done.stdout, done)
    check("nothing was written by all these", not os.path.exists(out))
    done = subprocess.run([VERIDIAN, "policy", "compile", "--format", "selinux", source],
                          cwd=directory, capture_output=True, check=False, timeout=60)
    default = os.path.join(directory, "policy.33")
    check("the default is version 33 in policy.33", done.returncode == 0 and
          read(default)[:20] == struct.pack("<II8sI", 0xf97cff8c, 8, b"SE Linux", 33), done)
    check("the same source gives the same bytes", read(default) == read(ours(source, 33)))
    check("each version is named in its file", all(
        struct.unpack_from("<I", read(ours(source, v)), 16)[0] == v for v in VERSIONS))


def every_word_is_used():
    """Each word that begins a statement stands in the sources of this test or of the labels'."""
    def text(path):
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            return file.read()
    words = dict(re.findall(r'X\((\w+), "(\w+)"\)', text("tools/sepolicy/keywords.h")))
    used = "".join(text(f"tests/{path}.py") for path in (
        "support/every_statement", "integration/test_policy_selinux",
        "integration/test_policy_labels"))
    for name, function in re.findall(r"\[VD_SP_KW_(\w+)\] = \{(\w+),",
                                     text("tools/sepolicy/parse/parser.c")):
        # Refused ones have negative tests; neveraudit, of version 35, has a unit test.
        if function not in ("vd_sp_st_module", "vd_sp_st_xen") and name != "NEVERAUDIT":
            check(f"a source has the statement {words[name]}",
                  re.search(rf"(?:^|[;{{}}\"\n]|sid \w+|class \w+)\s*{words[name]}\b", used,
                            re.I | re.M) is not None)


def main():
    every_word_is_used()
    with tempfile.TemporaryDirectory() as directory:
        calls(directory)
        refused(directory)
        glblub(directory)
        conditional_xperms(directory)
        if PEER:
            every_statement(directory)
            own_language(directory)
            conditions(directory)
            random_policies(directory)
        else:
            skip("libsepol and checkpolicy as peers", "libsepol-dev or checkpolicy is missing")
    print(f"1..{tap.number}")
    return tap.failed != 0


sys.exit(main())
