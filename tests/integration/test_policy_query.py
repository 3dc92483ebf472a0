#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""`veridian policy query` on the small policy of tests/support: answers, batch
mode, booleans, exit codes. Prints TAP."""
import json
import os
import subprocess
import sys
import tempfile

ROOT = os.environ.get("VD_SOURCE_ROOT", ".")
BUILD = os.environ.get("VD_BUILD_ROOT", "build")
VERIDIAN = os.path.join(BUILD, "bin", "veridian")
DIRECTORY = tempfile.TemporaryDirectory()
POLICY = os.path.join(DIRECTORY.name, "small")
subprocess.run([os.path.join(BUILD, "tests", "integration", "small_policy_file"), POLICY],
               check=True)

INIT = "system_u:system_r:init_t:s0"
APP = "system_u:system_r:app_t:s0"
SECRET = "system_u:object_r:secret_t:s0"
PUBLIC = "system_u:object_r:public_t:s0"

# query, answer
ANSWERS = [
    (f"{APP} {PUBLIC} file",
     "av allowed={read,open} auditallow={read} auditdeny={read,execute,open,relabelfrom} missing-by=T"),
    (f"av {INIT} system_u:object_r:secret_t:s1 file",
     "av allowed={open,relabelfrom} auditallow={} auditdeny={read,write,execute,open,relabelfrom}"
     " missing-by=TC"),
    (f"{INIT} system_u:admin_r:app_t:s0 process",
     "av allowed={} auditallow={} auditdeny={transition,dyntransition,fork,sigchld} missing-by=TR"),
    (f"system_u:system_r:child_t:s0 {PUBLIC} file",
     "av allowed={read,open} auditallow={} auditdeny={read,write,execute,open,relabelfrom}"
     " missing-by=TB"),
    (f"{APP} {APP} socket",
     "av allowed={read,write} auditallow={} auditdeny={read,write} missing-by="),
    (f"transition {INIT} system_u:object_r:app_exec_t:s0 process",
     "transition context=system_u:app_r:app_t:s0"),
    (f"transition {APP} {PUBLIC} socket", "transition context=system_u:object_r:public_t:s0"),
    (f"create {APP} {PUBLIC} socket", f"create context={APP}"),
    (f"create {APP} {PUBLIC} file name", "create context=system_u:object_r:tmp_t:s0"),
    (f"transition {APP} {PUBLIC} file name", "transition context=system_u:object_r:tmp_t:s0"),
    (f"transition {APP} system_u:system_r:app_t:s0 node",
     "transition context=system_u:system_r:app_t:s0"),
    (f"transition {APP} app_u:object_r:tmp_t:s0:c1.c3 file",
     "transition context=system_u:object_r:tmp_t:s0"),
    (f"member {APP} app_u:object_r:public_t:s0 file", "member context=app_u:object_r:secret_t:s0"),
    (f"change {APP} system_u:object_r:tmp_t:s0 file", "change context=system_u:object_r:public_t:s0"),
    (f"valid {APP}", "valid=1"),
    ("valid app_u:system_r:app_t:s0", "valid=0"),
    ("valid nonsense", "valid=0"),
    (f"permissive {APP}", "permissive=0"),
    ("permissive nonsense", "error=context"),
    (f"validatetrans {SECRET} {PUBLIC} {INIT} file", "validatetrans=1"),
    (f"validatetrans {SECRET} {PUBLIC} {APP} file", "validatetrans=0"),
    (f"{APP} no_u:object_r:public_t:s0 file", "error=context"),
    (f"{APP} {PUBLIC} window", "error=class"),
    (f"grant {APP} {PUBLIC} file", "error=verb"),
    (f"av {APP} {PUBLIC}", "error=verb"),
    (f"{APP} {PUBLIC} file read", "error=verb"),
    ("a b c d e f g h i j", "error=verb"),
    (f"valid {APP}\0", "error=verb"),
    (f"xperm {APP} {PUBLIC} file ioctl 0x10000", "error=argument"),
    (f"xperm {APP} {PUBLIC} file ioctl 0x8910x", "error=argument"),
    (f"xperm {APP} {PUBLIC} file read 1", "error=argument"),
    (f"xperm {APP} {PUBLIC} file ioctl 1", "error=class"),
    (f"xperm {APP} {PUBLIC} file ioctl", "error=verb"),
    (f"xperm {APP} {PUBLIC} window ioctl 1", "error=class"),
    ("label fs_use ext4", f"label context={INIT} behaviour=xattr"),
    ("label fs_use proc", f"label context={INIT} behaviour=genfs"),
    ("label fs_use none", "label error=none behaviour=none"),
    ("label genfs proc /net file", f"label context={INIT}"),
    ("label genfs sysfs /", "label error=none"),
    ("label genfs proc net", "error=argument"),
    ("label genfs proc / window", "error=argument"),
    ("label port tcp 0x50", f"label context={INIT}"),
    ("label port tcp 79", "label error=none"),
    ("label port tcp 65536", "error=argument"),
    ("label port tcp -1", "error=argument"),
    ("label port icmp 1", "error=argument"),
    ("label node 10.1.2.3", f"label context={INIT}"),
    ("label node fe80::1", f"label context={INIT}"),
    ("label node 11.1.2.3", "label error=none"),
    ("label node x", "error=argument"),
    ("label netif lo", f"label context={INIT} packets={INIT}"),
    ("label netif eth0", "label error=none"),
    ("label ibpkey fe80:: 7", f"label context={INIT}"),
    ("label ibpkey fe80:: 65536", "error=argument"),
    ("label ibpkey x 7", "error=argument"),
    ("label ibendport mlx4_0 2", f"label context={INIT}"),
    ("label ibendport mlx4_0 256", "error=argument"),
    ("label ibendport mlx4_0", "error=verb"),
    ("label", "error=verb"),
    ("label port tcp 1 2", "error=verb"),
]

number = failed = 0


def check(name, good, detail=""):
    global number, failed
    number += 1
    failed += not good
    if not good:
        print("# " + str(detail).replace("\n", "\n# "))
    print(f"{'' if good else 'not '}ok {number} - {name}")


def run(*arguments, text=None):
    return subprocess.run([VERIDIAN, "policy", "query", *arguments], input=text, text=True,
                          capture_output=True, check=False)


def batch():
    lines = "".join(f"# a comment\n\n  {query}\r\n" for query, _ in ANSWERS)
    done = run(POLICY, "--batch", text=lines)
    got = done.stdout.split("\n")
    for i, (query, answer) in enumerate(ANSWERS):
        check(f"batch: {query!r}", i < len(got) and got[i] == answer, got[i:i + 1])
    check("batch: nothing else", got[len(ANSWERS):] == [""] and done.returncode == 0 and
          done.stderr == "", (got[len(ANSWERS):], done.returncode, done.stderr))
    check("batch: the last line needs no end",
          run(POLICY, "--batch", text=f"valid {APP}").stdout == "valid=1\n")
    long = run(POLICY, "--batch", text="valid x\n" + "x" * 70000)
    check("batch: a line too long is refused with its number",
          long.returncode == 2 and long.stdout == "valid=0\n" and "2" in long.stderr, long)


def conversation():
    """Each answer comes before the next question: nothing waits in a buffer."""
    with subprocess.Popen([VERIDIAN, "policy", "query", POLICY, "--batch"], text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        good = True
        for query, answer in ANSWERS[:4]:
            program.stdin.write(query + "\n")
            program.stdin.flush()
            good = good and program.stdout.readline() == answer + "\n"
        program.stdin.close()
        check("batch: answers as it is asked", good and program.wait() == 0)


def single():
    done = run(POLICY, APP, PUBLIC, "file")
    check("single: allowed", done.returncode == 0 and done.stdout == ANSWERS[0][1] + "\n", done)
    done = run(POLICY, PUBLIC.replace("object_r", "object_r"), APP, "file")
    check("single: nothing allowed is 1", done.returncode == 1, done)
    done = run(POLICY, APP, "system_u:object_r:publi_t:s0", "file")
    check("single: an unknown type is 2 and named with its place", done.returncode == 2 and
          done.stdout == "error=context\n" and "publi_t" in done.stderr and "18" in done.stderr, done)
    check("single: an unknown class is 2", run(POLICY, APP, PUBLIC, "window").returncode == 2)
    check("single: too few words is 2", run(POLICY, APP).returncode == 2)
    check("single: no query and no --batch is 2", run(POLICY).returncode == 2)
    check("both is 2", run(POLICY, "--batch", APP, PUBLIC, "file").returncode == 2)


def as_json():
    for words, code, answer in [
            ((APP, PUBLIC, "file"), 0,
             {"query": "av", "allowed": ["read", "open"], "auditallow": ["read"],
              "auditdeny": ["read", "execute", "open", "relabelfrom"], "missing_by": "T"}),
            ((APP, APP, "socket"), 0,
             {"query": "av", "allowed": ["read", "write"], "auditallow": [],
              "auditdeny": ["read", "write"], "missing_by": ""}),
            (("create", APP, PUBLIC, "socket"), 0, {"query": "create", "context": APP}),
            (("valid", "nonsense"), 1, {"valid": False}),
            (("label", "fs_use", "ext4"), 0,
             {"query": "label", "context": INIT, "behaviour": "xattr"})]:
        done = run(POLICY, *words, "--json")
        check(f"--json: {words}", done.returncode == code and json.loads(done.stdout) == answer, done)
    done = run(POLICY, APP, PUBLIC, "window", "--json")
    check("--json: what is unknown is 2 and a message alone", done.returncode == 2 and
          done.stdout == "" and "window" in done.stderr, done)
    check("--json with --batch is 2", run(POLICY, "--batch", "--json", text="").returncode == 2)


def booleans():
    query = (APP, SECRET, "file")
    off, on = run(POLICY, *query), run("--bool", "debug=1", POLICY, *query)
    check("a boolean changes the answer", "allowed={open}" in off.stdout and
          "allowed={read}" in on.stdout, (off, on))
    check("the policy file stays as it was", run(POLICY, *query).stdout == off.stdout)
    back = run("--bool", "debug=1", "--bool", "debug=0", POLICY, *query)
    check("the last value counts", back.stdout == off.stdout, back)
    for text in ("debu=1", "debug", "debug=2", "debug=", "=1"):
        done = run("--bool", text, POLICY, *query)
        check(f"--bool {text} is 2", done.returncode == 2 and done.stderr != "", done)


def files():
    with tempfile.TemporaryDirectory() as directory:
        with open(POLICY, "rb") as file:
            blob = bytearray(file.read())
        blob[700] ^= 1
        path = os.path.join(directory, "damaged")
        with open(path, "wb") as file:
            file.write(blob)
        done = run(path, APP, PUBLIC, "file")
        check("a damaged policy is 2 and named", done.returncode == 2 and path in done.stderr and
              "checksum" in done.stderr, done)
        done = run(os.path.join(directory, "none"), APP, PUBLIC, "file")
        check("a missing file is 2", done.returncode == 2, done)
        done = run(os.path.join(ROOT, "Makefile"), APP, PUBLIC, "file")
        check("another kind of file is 2, with advice", done.returncode == 2 and
              "compile" in done.stderr, done)


batch()
conversation()
single()
as_json()
booleans()
files()
print(f"1..{number}")
sys.exit(failed != 0)
