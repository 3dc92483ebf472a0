#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Reading SELinux's binary policies: checkpolicy's binary of each version answers as
our own compile of the same source and as libsepol; so does what we write ourselves; a
policy read and written again is the same to seinfo and sediff; and wrong bytes are
refused with their offset. Prints TAP.

VD_READ_POLICIES, VD_READ_QUESTIONS: random policies, and questions each."""
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.environ.get("VD_SOURCE_ROOT", "."), "tests", "support"))
import selinux_binary as binary  # noqa: E402
import every_statement  # noqa: E402
from random_te import Policy  # noqa: E402
from tap import Tap  # noqa: E402

BUILD = os.environ.get("VD_BUILD_ROOT", "build")
VERIDIAN = os.path.abspath(os.path.join(BUILD, "bin", "veridian"))
ASK = os.path.join(BUILD, "tests", "integration", "sepol_ask")
POLICIES = int(os.environ.get("VD_READ_POLICIES", "2"))
QUESTIONS = int(os.environ.get("VD_READ_QUESTIONS", "1500"))
VERSIONS = range(30, 34)
PEER = os.path.exists(ASK) and shutil.which("checkpolicy") is not None
SETOOLS = shutil.which("seinfo") is not None and shutil.which("sediff") is not None

tap = Tap()
check = tap.check


def skip(name, why):
    check(f"{name} # SKIP {why}", True)


def run(command, text=None):
    done = subprocess.run(command, input=text, text=True, capture_output=True, check=False,
                          timeout=120)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}\n"
                           f"{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def compile_to(out, *arguments):
    run([VERIDIAN, "policy", "compile", "-o", out, *arguments])
    return out


def checkpolicy(source, version, *flags):
    out = f"{source}.theirs.{version}"
    run(["checkpolicy", *flags, "-c", str(version), "-o", out, source])
    return out


def query(policy, text):
    return run([VERIDIAN, "policy", "query", policy, "--batch"], text).splitlines()


def different(questions, want, got):
    lines = [f"{q}\nexpected: {a}\nread: {b}" for q, a, b in zip(questions, want, got) if a != b]
    return lines if len(want) == len(got) == len(questions) else lines + ["lines are missing"]


def compare(name, source, questions, *flags):
    """libsepol, our compile of the source, and what is read from every binary agree."""
    text = "\n".join(questions) + "\n"
    want = run([ASK, checkpolicy(source, 33, *flags)], text).splitlines()
    wrong = different(questions, want, query(compile_to(source + ".vpol", source), text))
    check(f"{name}: our compile answers as libsepol", wrong == [], "\n".join(wrong[:3]))
    for version in VERSIONS:
        wrong = different(questions, want, query(checkpolicy(source, version, *flags), text))
        check(f"{name}: checkpolicy's version {version} is read and answers alike", wrong == [],
              "\n".join(wrong[:3]))
        mine = compile_to(f"{source}.ours.{version}", "--format", "selinux", "--selinux-version",
                          str(version), source)
        wrong = different(questions, want, query(mine, text))
        check(f"{name}: our version {version} is read and answers alike", wrong == [],
              "\n".join(wrong[:3]))


def normal(line):
    """Names inside braces in alphabetical order: setools prints them in any."""
    return re.sub(r"\{([^{}]*)\}", lambda m: "{ " + " ".join(sorted(m.group(1).split())) + " }",
                  re.sub(r"\s+", " ", line).strip())


def seinfo(path):
    """What seinfo lists, without the file's name and version."""
    return sorted(normal(line) for line in run(["seinfo", path, "--all", "-x"]).splitlines()
                  if line.strip() and not re.match(r"(Statistics|Policy Version)", line))


def sediff(one, other):
    """Lines that say what was added, removed or changed; names in another order are none."""
    lines = [normal(line) for line in run(["sediff", one, other]).splitlines()]
    added = sorted(line[2:] for line in lines if line.startswith("+ "))
    removed = sorted(line[2:] for line in lines if line.startswith("- "))
    return "\n".join(line for line in lines if line.startswith("* ")) + \
        "\n".join(x for x in added if x not in removed) + \
        "\n".join(x for x in removed if x not in added)


def rewrite(name, binary):
    """A binary read and written again."""
    out = compile_to(binary + ".again", "--format", "selinux", "--selinux-version", "33", binary)
    title = f"{name}: read and written again, seinfo and sediff find no difference"
    if not SETOOLS:
        skip(title, "setools is not installed")
        return
    one, other = seinfo(binary), seinfo(out)
    lines = [f"- {x}" for x in one if x not in other] + [f"+ {x}" for x in other if x not in one]
    diff = sediff(binary, out)
    check(title, one == other and diff == "", "\n".join(lines[:20]) + "\n" + diff[:2000])


def random_policies(directory):
    for seed in range(301, 301 + POLICIES):
        policy = Policy(seed)
        source = os.path.join(directory, f"{seed}.te")
        with open(source, "w", encoding="ascii") as file:
            file.write(policy.text())
        compare(f"policy {seed}", source, [policy.question() for _ in range(QUESTIONS)], "-M")
        if seed < 303:
            rewrite(f"policy {seed}", source + ".theirs.33")


# A field, what is written there, the message, and where else than at the field it is found.
ONE_TYPE = [(0x10, binary.A)]
WRONG = [
    ("target", b"XenFlask", 'expected the target "SE Linux"', "target.size"),
    ("target.size", 7, 'expected the target "SE Linux"'),
    ("version", 29, "version 29; expected 30 to 35"),
    ("version", 36, "version 36; expected 30 to 35"),
    ("flags", 7, "unknown classes cannot be both rejected and allowed"),
    ("tables", 7, "7 symbol tables; expected 8"),
    ("lists", 7, "7 lists of contexts; version 33 has 9"),
    ("policycaps.unit", 32, "a bitmap of 32 bits a part; expected 64"),
    ("policycaps.end", 63, "the bitmap's end is 63; expected 64"),
    ("policycaps.count", 0x10000000, "do not fit in the"),
    ("policycaps.first0", 32, "first bit 32 is no multiple of 64"),
    ("policycaps.word0", bytes(8), "a part without any bit", "policycaps.first0"),
    ("permissive", [0], "permissive type 0 does not exist", "permissive.unit"),
    ("neveraudit", [9], "neveraudit type 9 does not exist", "neveraudit.unit"),
    ("permissive", [9], "permissive type 9 does not exist", "permissive.unit"),
    ("commons.highest", 0x10000, "numbers up to 65536; expected at most 65535"),
    ("commons.count", 0xffffffff, "do not fit in the"),
    ("common", b"", "a common set's name of 0 bytes; expected 1 to 255"),
    ("common", b"x" * 256, "a common set's name of 256 bytes"),
    ("common", b"ba:e", "byte 0x3a in a common set's name", "common+2"),
    ("common", b"ba\0e", "byte 0x00 in a common set's name", "common+2"),
    ("common.number", 2, "common permission set 'base' has number 2; expected 1 to 1", "common"),
    ("common.highest", 3, "2 permissions, 0 inherited and numbers up to 3"),
    ("common.read.number", 3, "permission 'read' has number 3; expected 1 to 2, each once"),
    ("common.write.number", 1, "permission 'write' has number 1; expected 1 to 2, each once"),
    ("common.write", b"read", "permission 'read' stands twice", "common.write.number"),
    ("file.number", 1, "class 'file' and 'process' have the same number 1", "file"),
    ("file", b"dir", "class 'dir' stands twice", "dir"),
    ("file.inherits", b"bass", "common permission set 'bass' does not exist"),
    ("file.highest", 33, "expected each number once, 32 at most"),
    ("dir.number", 4, "class 'dir' has number 4; expected 1 to 3", "dir"),
    ("process", b"proces", "expected a class 'process' with the permission", "roles.highest"),
    ("process.perm0", b"transitio", "expected a class 'process' with the permission",
     "roles.highest"),
    ("file.default_user", 3, "the default user is 3; expected 0 to 2"),
    ("file.default_role", 3, "the default role is 3; expected 0 to 2"),
    ("file.default_type", 3, "the default type is 3; expected 0 to 2"),
    ("file.default_range", 8, "the default range is 8; expected 0 to 7"),
    ("constraint.kind0", 6, "a constraint's node of kind 6; expected 1 to 5"),
    ("constraint.kind0", 3, "an operator of a constraint without its 2 values"),
    ("constraint.kind2", 1, "a constraint that leaves 2 values; expected 1", "constraint.perms"),
    ("constraint.part0", 3, "compares the parts 0x3, which cannot be compared", "constraint.kind0"),
    ("constraint.relation0", 3, "a constraint's relation 3 between these parts",
     "constraint.kind0"),
    ("constraint.part1", 0x14, "names the part 0x14, which does not exist here",
     "constraint.kind1"),
    ("constraint.relation1", 3, "a constraint's relation 3 to names", "constraint.kind1"),
    ("constraint.rows", [(4, 1, 1)] * 6 + [(3, 0, 0)] * 5, "needs more than 5 values at once",
     "constraint.kind5"),
    ("constraint.names1", [9], "name of a constraint 10 does not exist", "constraint.names1.unit"),
    ("object_r.number", 2, "role 'object_r' has number 2; object_r alone is role 1", "object_r"),
    ("role.number", 1, "role 'r_r' has number 1; object_r alone is role 1", "role"),
    ("role.bounds", 5, "role 5, which bounds 'r_r', does not exist"),
    ("role.bounds", 4, "role 'r_r' has types that its bound 'o_r' does not have", "role"),
    ("other_role.bounds", 4, "the bounds of role 'o_r' form a ring or more than 3 steps",
     "other_role"),
    ("role.dominates", [2], "dominated role 3 does not exist", "role.dominates.unit"),
    ("role.types", [3], "a role's type is the attribute 'attr'; expected a type",
     "role.types.unit"),
    ("constraint.rows", [(4, 1, 1)] + [(1, 0, 0)] * 4096,
     "the constraints of a class have more than 4096 parts", "constraint.perms"),
    ("role.types", [4], "type 5 does not exist", "role.types.unit"),
    ("type.b", b"self", "a type cannot be named 'self'"),
    ("type.b", b"a_t", "type 'a_t' stands twice"),
    ("type.alias", b"b_t", "type 'b_t' stands twice"),
    ("type.alias.number", 5, "type 5 does not exist; there are 1 to 4", "type.alias"),
    ("type.b.bounds", 5, "type 5 does not exist; there are 1 to 4", "type.b"),
    ("type.b.bounds", 4, "only types bound types, not attributes", "type.b"),
    ("type.b.bounds", 2, "the bounds of type 'b_t' form a ring", "type.b"),
    ("user.bounds", 3, "user 3, who bounds 'u_u', does not exist"),
    ("user.bounds", 1, "the bounds of user 'u_u' form a ring or more than 3 steps", "user"),
    ("other_user.roles", [1, 3], "user 'o_u' has roles that the bound 'u_u' does not have",
     "other_user"),
    ("user.roles", [2], "role 3 does not exist", "user.roles.unit"),
    ("user.range.levels", 3, "a range of 3 levels; expected 1 or 2"),
    ("user.range.high", 3, "sensitivity 3 does not exist"),
    ("user.range.low_cats.word0", b"\4" + bytes(7), "category 3 does not exist",
     "user.range.low_cats.unit"),
    ("user.level.sens", 0, "sensitivity 0 does not exist"),
    ("bool.value", 2, "boolean 'flag' is 2; expected 0 or 1"),
    ("bool.number", 0, "boolean 'flag' has number 0; expected 1 to 1", "bool"),
    ("s1.level.sens", 1, "sensitivity 's1' and 's0' have the same number 1", "s1"),
    ("c0.number", 2, "category 'c1' and 'c0' have the same number 2", "c1"),
    ("zero.number", 3, "category 3 does not exist", "zero"),
    ("rules.count", 0, "no rule outside of conditions"),
    ("rules.count", 0x7fffffff, "do not fit in the"),
    ("allow.source", 0, "source type 0 does not exist"),
    ("allow.target", 5, "target type 5 does not exist"),
    ("allow.class", 4, "class 4 does not exist"),
    ("allow.kind", 3, "a rule of kind 0x3; expected one kind"),
    ("audit.kind", 1, "another rule of this kind has the same source, target and class",
     "audit.source"),
    ("gives.source", 4, "a rule that gives a type, of an attribute; expected types"),
    ("gives.data", 4, "a rule that gives the attribute 'attr'; expected a type"),
    ("gives.data", 5, "type 5 does not exist"),
    ("calls.form", 4, "an extended permission of form 4; expected 1 to 3"),
    ("calls.bits", bytes(32), "an extended permission without any bit", "calls.form"),
    ("condition.value", 1, "a condition's value is 1; under the booleans it is 0"),
    ("condition.kind0", 8, "a condition's node of kind 8; expected 1 to 7"),
    ("condition.kind0", 2, "an operator without its values"),
    ("condition.bool0", 2, "boolean 2 does not exist"),
    ("condition.rows", [(1, 1)] * 2, "a condition that leaves 2 values; expected 1",
     "condition.value"),
    ("condition.rows", [(1, 1)] * 11 + [(4, 0)] * 10, "needs more than 10 values at once",
     "condition.kind10"),
    ("condition.then0.kind", 0x8001, "is in force, but its condition says otherwise"),
    ("condition.else0.kind", 1, "is out of force, but its condition says otherwise"),
    ("condition.then", ONE_TYPE, "outside of conditions gives a type for the same source",
     "condition.then0.source"),
    ("condition.then", [(0x20, binary.A)] * 2, "another conditional rule gives a type",
     "condition.then1.source"),
    ("condition.then", [(0x100, b"\1" + bytes(31))],
     "conditional extended permissions need version 34", "condition.then0.source"),
    ("role_transition0.role", 3, "role 3 does not exist"),
    ("role_transition0.type", 4, "type 4 is the attribute 'attr'; expected a type"),
    ("role_transition0.new", 0, "new role 0 does not exist"),
    ("role_transition0.class", 9, "class 9 does not exist"),
    ("role_transitions", 2, "another role transition has the same role, type and class",
     "role_transition1.role"),
    ("role_allow.from", 5, "role 5 does not exist"),
    ("role_allow.to", 3, "new role 3 does not exist"),
    ("named0.name", b"a/b", "a file name with a NUL or a '/'"),
    ("named0.name", b"", "a file name of 0 bytes; expected 1 to 255"),
    ("named0.target", 4, "target type 4 is the attribute 'attr'; expected a type"),
    ("named0.results", [], "a transition by file name without a result", "named0.name.size"),
    ("named0.results", [[3]], "a source is the attribute 'attr'; expected a type",
     "named0.sources0.unit"),
    ("named0.results", [[0], [0]], "gives another", None),
    ("named0.new0", 4, "new type 4 is the attribute 'attr'; expected a type"),
    ("initial", [28], "initial context 28; SELinux's kernel has 1 to 27", "initial0"),
    ("initial", [2, 2], "initial context 2 stands twice", "initial1"),
    ("initial0.context.user", 3, "user 3 does not exist"),
    ("initial0.context.role", 3, "role 3 does not exist"),
    ("initial0.context.type", 4, "type 4 is the attribute 'attr'; expected a type"),
    ("port.context.role", 4, "this context is not valid", None),
    ("port.context.range.high_cats", [1], "the range's high level does not dominate its low level", None),
    ("port.protocol", 5, "ports of protocol 5, which has none"),
    ("port.low", 444, "ports 444 to 443; expected a range up to 65535"),
    ("port.high", 65536, "ports 80 to 65536; expected a range up to 65535", "port.low"),
    ("netif", b"e\tth", "the control byte 0x09 in the name", "netif+1"),
    ("fs_use.kind", 4, "a file system labels in way 4; expected 1 to 3"),
    ("key.high", 65536, "partition keys 1 to 65536", "key.low"),
    ("ib_port.port", 0, "a device's port 0; expected 1 to 255"),
    ("ib_port.size", 64, "a device's name of 64 bytes; expected 1 to 63", "ib_port"),
    ("genfs", [b"proc", b"proc"], "the file system 'proc' stands twice", "genfs1"),
    ("genfs0.path", b"sys", "a path that begins with 0x73; expected '/'"),
    ("genfs0.class", binary.PROCESS, "a path's class is 'process', which is no class of files"),
    ("range_transitions", 2, "another range transition has the same source",
     "range_transition1.source"),
    ("range_transition0.source", 4, "source type 4 is the attribute 'attr'; expected a type"),
    ("range_transition0.range.high", 9, "sensitivity 9 does not exist"),
    ("attributes1", [2, 3], "'c_t' cannot be an attribute of 'a_t'", "attributes1.unit"),
    ("attributes1", [5], "attribute 6 does not exist", "attributes1.unit"),
    ("end", b"x", "bytes after the policy's end"),
]


def ask(path):
    return subprocess.run([VERIDIAN, "policy", "query", path, "valid", "u_u:object_r:a_t:s0"],
                          text=True, capture_output=True, check=False, timeout=60)


SEARCHED = """\
allow a_t b_t:file { read write };
auditallow a_t b_t:file read;
dontaudit a_t b_t:file read;
allowxperm a_t b_t:file ioctl { 0x5400 };
allow a_t b_t:file ioctl; [ ! flag ]:True
allow a_t b_t:file ioctl; [ ! flag ]:False
type_transition a_t b_t:file c_t;
type_transition a_t b_t:file c_t "a file";
range_transition a_t b_t:process s0:c0 - s1:c0,c1;
role_transition r_r b_t:process o_r;
allow r_r o_r;
constrain file read ( u1 == u2 or t1 == a_t );
validatetrans file ( not ( r3 == r_r ) );
typebounds a_t b_t;
"""


def searched(directory):
    """The rules of a binary policy, as `policy search` writes them; it has no places."""
    path = os.path.join(directory, "searched")
    with open(path, "wb") as file:
        file.write(binary.Policy().out)
    found = run([VERIDIAN, "policy", "search", path])
    lines = sorted(" ".join(line.replace(" # ", " ").split()) for line in found.splitlines())
    check("policy search finds each rule of a binary policy", lines == sorted(
        SEARCHED.splitlines()), "\n".join(lines))


def wrong_fields(directory):
    """Each field that can be wrong is refused at its offset with what was expected."""
    path = os.path.join(directory, "wrong")
    for label, value, message, *where in WRONG:
        policy = binary.Policy({label: value}, version=35 if label == "neveraudit" else 33)
        with open(path, "wb") as file:
            file.write(policy.out)
        done = ask(path)
        field = where[0] if where else label
        want = "error at byte "
        if field is not None:
            name, _, more = field.partition("+")
            want += f"{policy.at[name] + int(more or 0)}: "
        shown = value if len(repr(value)) < 40 else repr(value)[:37] + "..."
        check(f"{label} {shown}: {message}", done.returncode == 2 and want in done.stderr and
              message in done.stderr, f"expected {want}\n{done.stdout}{done.stderr}")


def right_fields(directory):
    """The policy that these are made of is right, in every version, and says what it should."""
    path = os.path.join(directory, "right")
    for version in range(30, 36):
        for mls in (False, True):
            level = ":s0:c0" if mls else ""
            with open(path, "wb") as file:
                file.write(binary.Policy(version=version, mls=mls).out)
            questions = [f"av u_u:r_r:a_t{level} u_u:object_r:b_t{level} file",
                         f"transition u_u:r_r:a_t{level} u_u:object_r:b_t{level} file",
                         f"transition u_u:r_r:a_t{level} u_u:object_r:b_t{level} file a",
                         f"xperm u_u:r_r:a_t{level} u_u:object_r:b_t{level} file ioctl 0x5400",
                         f"xperm u_u:r_r:a_t{level} u_u:object_r:b_t{level} file ioctl 0x5401",
                         f"valid u_u:o_r:b_t{level}"]
            audited = ("auditallow={read} auditdeny={write,ioctl}" if version < 35 else
                       "auditallow={} auditdeny={}")  # a_t is neveraudit there
            want = [f"av allowed={{read,write,ioctl}} {audited} missing-by=", f"transition context=u_u:object_r:c_t{level}",
                    f"transition context=u_u:object_r:c_t{level}",
                    f"xperm allowed=1 auditallow=0 dontaudit={version >= 35:d}",
                    f"xperm allowed=0 auditallow=0 dontaudit={version >= 35:d}", "valid=0"]
            got = query(path, "\n".join(questions) + "\n")
            check(f"version {version}, {'MLS' if mls else 'plain'}: read and answered",
                  got == want, "\n".join(got))


def every_part(directory):
    for name, parts, level, flags in (("mls", every_statement.MLS, ":s0:c1", ["-M"]),
                                      ("plain", every_statement.PLAIN, "", [])):
        source = os.path.join(directory, name + ".te")
        with open(source, "w", encoding="ascii") as file:
            # An expanded attribute has no types in the binary: a constraint that names it is
            # read as the types it meant, which is no other policy, but another text.
            file.write(re.sub(r"expandattribute [^;]*;", "", every_statement.text(parts)))
        compare(f"every statement, {name}", source, list(every_statement.every_question(level)),
                *flags)
        rewrite(f"every statement, {name}", source + ".theirs.33")


def main():
    with tempfile.TemporaryDirectory() as directory:
        right_fields(directory)
        searched(directory)
        wrong_fields(directory)
        if PEER:
            every_part(directory)
            random_policies(directory)
        else:
            skip("libsepol and checkpolicy as peers", "libsepol-dev or checkpolicy is missing")
    print(f"1..{tap.number}")
    return tap.failed != 0


sys.exit(main())
