# SPDX-License-Identifier: MIT OR Apache-2.0
"""The cases of test_selinux_kernel. Each lays down its policies, questions and steps, and
returns what is to be judged when the guest has spoken: (title, judge) each."""
import os
import re

from selinux_machine import differs, if_version, loaded, same
from selinux_te import INITIAL, KernelPolicy, OldPolicy, PlainPolicy

POLICIES = int(os.environ.get("VD_SELINUX_POLICIES", "10"))
QUESTIONS = int(os.environ.get("VD_SELINUX_QUESTIONS", "800"))
VERSIONS = range(30, 36)
COMMON = 33 # as far as every kernel of the image reads
EACCES, EINVAL, ENOTTY = 13, 22, 25


def random_case(machine, policy, questions, *options):
    """The kernel's answers under the default booleans and under others."""
    source = machine.source(policy.text())
    compiled = machine.compile(source)
    name = machine.load(machine.selinux(source, *options))
    asked = [policy.question() for _ in range(questions)]
    plain = machine.compare(asked, machine.engine(compiled, asked))
    switched = {name: policy.rng.randrange(2) for name in policy.bools}
    machine.set_bools(switched)
    other = machine.compare(asked, machine.engine(compiled, asked, switched))

    def judge(said):
        return "\n".join(filter(None, (part(said) for part in (
            loaded(name), same(plain, questions), same(other, questions)))))
    return judge


def case_first(machine):
    """From here on the kernel enforces: a transition to what is no context is refused."""
    machine.step("show", "policyvers")
    machine.load(machine.selinux(machine.source(PlainPolicy(1000).text())))
    machine.step("enforce", "1")

    def reads(said):
        told = said.one("show", "policyvers")
        return "" if told.isdigit() and int(told) >= COMMON else f"policyvers: {told}"

    return [(f"the kernel reads version {COMMON}", reads)]


def case_versions(machine):
    made = []
    for version in VERSIONS:
        kind = KernelPolicy if version >= 32 else OldPolicy
        made.append((f"version {version}: as the engine", if_version(version, random_case(
            machine, kind(version), QUESTIONS, "--selinux-version", str(version)))))
    return made


def case_random(machine):
    kinds = (KernelPolicy, KernelPolicy, PlainPolicy)
    return [(f"random policy {seed}, {2 * QUESTIONS} answers: as the engine",
             random_case(machine, kinds[seed % 3](seed), QUESTIONS)) for seed in range(POLICIES)]


def case_spread(machine):
    """Every layer and every outcome has come up in the random policies."""
    wanted = ["missing-by=T\n", "TC", "R\n", "B\n", "allowed={}", "create context=",
              "create error=invalid", "member context=", "change context=", "error=context",
              "valid=0", "valid=1", "validatetrans=0", "validatetrans=1", "permissive=0",
              "permissive=1"]
    text = "\n".join(machine.answers) + "\n"
    lacking = [word for word in wanted if word not in text]
    return [("every kind of answer came up", lambda _: f"lacking: {lacking}" if lacking else "")]


def without(start):
    return lambda lines: [line for line in lines if not line.startswith(start)]


# What is done to a policy, so that the engine's answers are no longer the kernel's.
WRONG = [
    ("allow rules are missing", lambda lines: without("allow")(lines[:len(lines) // 3])
     + lines[len(lines) // 3:]),
    ("constraints are missing", without("constrain ")),
    ("constraints on levels are missing", without("mlsconstrain ")),
    ("validatetrans is missing", lambda lines: without("validatetrans")(without("mlsvalid")(lines))),
    ("bounds are missing", without("typebounds ")),
    ("permissive types are others", without("permissive ")),
    ("type transitions are missing", without("type_transition ")),
    ("names of files are missing", lambda lines: [line for line in lines if '"' not in line]),
    ("range transitions are missing", without("range_transition ")),
    ("role transitions are missing", without("role_transition ")),
    ("defaults are missing", without("default_")),
    ("dontaudit rules are missing", without("dontaudit ")),
    ("conditions are missing", without("if ")),
]


def case_wrong(machine):
    """That this test can fail: the engine answers from a policy that is not the kernel's."""
    policy = KernelPolicy(77)
    text = policy.text()
    right = machine.source(text)
    name = machine.load(machine.selinux(right))
    asked = [policy.question() for _ in range(3 * QUESTIONS)]
    plain = machine.compare(asked, machine.engine(machine.compile(right), asked))
    made = [("the right policy differs nowhere", same(plain, len(asked))),
            ("it is loaded", loaded(name))]
    for title, change in WRONG:
        wrong = machine.compile(machine.source("\n".join(change(text.splitlines())) + "\n"))
        compared = machine.compare(asked, machine.engine(wrong, asked))
        made.append((f"differences are found where {title}", differs(compared, len(asked))))
    return made


def case_kept_booleans(machine):
    """A load keeps the booleans' values by name; the questions come out as before it."""
    policy = KernelPolicy(55)
    text = policy.text()
    source = machine.source(text)
    data = machine.selinux(source)
    compiled = machine.compile(source)
    asked = [policy.question() for _ in range(QUESTIONS)]
    switched = {name: 1 - (f"bool {name} true;" in text) for name in policy.bools}
    first = machine.load(data)
    machine.set_bools(switched)
    second = machine.load(data)
    kept = machine.compare(asked, machine.engine(compiled, asked, switched))
    fresh = machine.compare(asked, machine.engine(compiled, asked))
    return [("both loads", loaded(first, second)),
            ("a load keeps the booleans", same(kept, len(asked))),
            ("they are not the defaults", differs(fresh, len(asked)))]


def read_back(machine, policy, questions):
    """The kernel's own copy, written by it under switched booleans, says the same."""
    source = machine.source(policy.text())
    machine.load(machine.selinux(source))
    switched = {name: policy.rng.randrange(2) for name in policy.bools}
    machine.set_bools(switched)
    name = machine.dump()
    asked = [policy.question() for _ in range(questions)]
    asked += [f"label genfs selinuxfs {path}" for path in ("/", "/enforce")]
    want = machine.engine(machine.compile(source), asked, switched)

    def judge(said):
        path = os.path.join(machine.work, name + ".bin")
        with open(path, "wb") as file:
            file.write(said.dumped(name))
        found = machine.engine(path, asked)
        return "\n".join(f"{question}\nwritten: {a}\nread back: {b}" for question, a, b in
                         zip(asked, want, found) if a != b)[:3000]
    return judge


def case_read_back(machine):
    """/sys/fs/selinux/policy, read by this project's reader of that format."""
    return [(f"read back from the kernel, {title}: as written", read_back(
        machine, kind(800), QUESTIONS)) for title, kind in
            (("with levels", KernelPolicy), ("without levels", PlainPolicy))]


SMALL_TYPES = ("a_t", "b_t", "c_t")
# A small policy of these; the marks are what a case adds.
SMALL = """class process class file class dir class lnk_file class filesystem class netlink_route_socket class tcp_socket
@SIDS@
class process { transition dyntransition fork }
class file { read write @FILE@ }
class dir { read }
class lnk_file { read }
class filesystem { associate }
class netlink_route_socket { read write @SOCKET@ }
class tcp_socket { name_bind node_bind }
@MORE@
type kernel_t; permissive kernel_t;
type a_t; type b_t; type c_t;
attribute any; typeattribute a_t any; typeattribute b_t any; typeattribute c_t any;
@RULES@
allow any any:file { read write };
allow any any:filesystem associate;
role r; role r types { kernel_t a_t b_t c_t };
user u roles r;
@CONTEXTS@
@LABELS@
"""


def small(**parts):
    text = SMALL
    parts["sids"] = " ".join(f"sid {name}" for name in INITIAL)
    parts["contexts"] = "\n".join(f"sid {name} u:r:kernel_t" for name in INITIAL)
    for mark in re.findall("@([A-Z]+)@", SMALL):
        text = text.replace(f"@{mark}@", parts.get(mark.lower(), ""))
    return text


def case_unknown(machine):
    """Classes and permissions that the kernel has and the policy lacks."""
    source = machine.source(small())
    made = []
    for kind, deny, reject, outcome in (
            ("deny", 1, 0, (EACCES, EACCES)), ("allow", 0, 0, (0, ENOTTY))):
        name = machine.load(machine.selinux(source, "--handle-unknown", kind))
        machine.step("mark", name)
        machine.step("show", "deny_unknown")
        machine.step("show", "reject_unknown")
        machine.step("unknown", "u:r:a_t")
        want = [f"show deny_unknown {deny}", f"show reject_unknown {reject}",
                f"unknown class={outcome[0]} perm={outcome[1]}"]
        made += [(f"--handle-unknown {kind} is loaded", loaded(name)),
                 (f"--handle-unknown {kind} is what the kernel does", follows(name, want))]
    name = machine.load(machine.selinux(source, "--handle-unknown", "reject"))
    made.append(("--handle-unknown reject: the kernel does not load a policy without its classes",
                 lambda said: "" if said.one("load", name) == str(EINVAL) else said.one("load", name)))
    text = "".join(f"sid {name}\n" for name in INITIAL) + BUILT_IN
    whole = machine.load(machine.selinux(machine.source(text), "--handle-unknown", "reject"))
    made.append(("--handle-unknown reject: it loads one with the built-in classes", loaded(whole)))
    return made


# A policy without classes of its own.
BUILT_IN = """type kernel_t; permissive kernel_t;
allow kernel_t kernel_t:file read;
role r types kernel_t;
user u roles r level s0 range s0;
""" + "".join(f"sid {name} u:r:kernel_t:s0\n" for name in INITIAL)


def follows(name, want):
    """Judges the lines that come right after the mark `name`."""
    def judge(said):
        found = said.after(name, len(want))
        return "" if found == want else f"expected {want}\nfound {found}"
    return judge


GENFS = """genfscon proc / u:r:kernel_t
genfscon proc /sys u:r:a_t
genfscon proc /sys/kernel -d u:r:b_t
genfscon proc /sys/kernel -- u:r:c_t
genfscon proc /sys/kernel/host u:r:a_t
genfscon proc /f u:r:b_t
genfscon proc /file u:r:c_t
genfscon proc /mounts -l u:r:a_t
genfscon proc /cpuinfo -d u:r:a_t
genfscon proc /m -- u:r:c_t
"""
GENFS_PATHS = [("/", "dir"), ("/sys", "dir"), ("/sys/net", "dir"), ("/sys/kernel", "dir"),
               ("/sys/kernel/osrelease", "file"), ("/sys/kernel/hostname", "file"),
               ("/sys/kernel/random", "dir"), ("/fs", "dir"), ("/filesystems", "file"),
               ("/cpuinfo", "file"), ("/meminfo", "file"), ("/mounts", "lnk_file"),
               ("/modules", "file")]
PORTS = """portcon udp 1-200 u:object_r:a_t
portcon tcp 80 u:object_r:a_t
portcon tcp 90-99 u:object_r:c_t
portcon tcp 1-1023 u:object_r:b_t
portcon tcp 2000-3000 u:object_r:c_t
portcon tcp 8080 u:object_r:a_t
"""
TRIED = ["1-600", "7d0-c00", "1f90"] # hexadecimal: 1 to 1536, 2000 to 3072, 8080
NODES = """nodecon 10.0.0.0 255.0.0.0 u:object_r:a_t
nodecon 10.1.0.0 255.255.0.0 u:object_r:b_t
nodecon 127.0.0.1 255.255.255.255 u:object_r:c_t
nodecon ::1 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff u:object_r:a_t
nodecon fe80:: ffff:: u:object_r:b_t
nodecon fe80:1:: ffff:ffff:: u:object_r:c_t
"""
ADDRESSES = ["10.0.0.1", "10.1.2.3", "10.2.1.0", "127.0.0.1", "127.0.0.2", "192.0.2.1", "::1",
             "::2", "fe80::1", "fe80:1::1", "fe80:2::1", "2001:db8::1"]


def runs(numbers):
    """"1-3,8" in hexadecimal digits."""
    parts, rest = [], sorted(numbers)
    while rest:
        last = 0
        while last + 1 < len(rest) and rest[last + 1] == rest[last] + 1:
            last += 1
        parts.append(f"{rest[0]:x}" + (f"-{rest[last]:x}" if last else ""))
        rest = rest[last + 1:]
    return ",".join(parts)


def numbers(ranges):
    return [n for part in ranges for first, _, last in [part.partition("-")]
            for n in range(int(first, 16), int(last or first, 16) + 1)]


def case_labels(machine):
    """Each domain may bind to one type of port, or of address: the kernel's label is the
    engine's if the domains get through exactly where the engine's label is theirs."""
    binds = "allow any any:tcp_socket {0}; allow any kernel_t:tcp_socket {0};\n" \
            "allow a_t a_t:tcp_socket {1}; allow b_t b_t:tcp_socket {1}; allow c_t c_t:tcp_socket {1};"
    judges = []
    for title, free, bound, labels in (("ports", "node_bind", "name_bind", GENFS + PORTS),
                                       ("addresses", "name_bind", "node_bind", NODES)):
        source = machine.source(small(rules=binds.format(free, bound), labels=labels))
        compiled = machine.compile(source)
        name = machine.load(machine.selinux(source, "--handle-unknown", "allow"))
        questions, answers = [], []
        if title == "ports":
            asked = [f"label genfs proc {path} {kind}" for path, kind in GENFS_PATHS]
            questions += asked
            answers += machine.engine(compiled, asked)
            tried = numbers(TRIED)
            told = machine.engine(compiled, [f"label port tcp {n}" for n in tried])
        else:
            told = machine.engine(compiled, [f"label node {address}" for address in ADDRESSES])
        for domain in ("a_t", "b_t", "c_t"):
            fits = [f":{domain}" in line for line in told]
            if title == "ports":
                questions.append(f"bind u:r:{domain} 127.0.0.1 {' '.join(TRIED)}")
                answers.append(f"bind allowed={{{runs(n for n, fit in zip(tried, fits) if fit)}}}")
            else:
                questions += [f"bind u:r:{domain} {address} 50" for address in ADDRESSES]
                answers += ["bind allowed={" + "50" * fit + "}" for fit in fits]
        compared = machine.compare(questions, answers)
        judges += [(f"a policy with labels of {title} is loaded", loaded(name)),
                   (f"labels of {title}: as the engine's", same(compared, len(questions)))]
    return judges


CAPABILITIES = [
    "network_peer_controls", "open_perms", "extended_socket_class", "always_check_network",
    "cgroup_seclabel", "nnp_nosuid_transition", "genfs_seclabel_symlinks", "ioctl_skip_cloexec",
    "userspace_initial_context", "netlink_xperm", "netif_wildcard", "genfs_seclabel_wildcard",
    "functionfs_seclabel", "memfd_class", "bpf_token_perms"]
OLD = 9 # as many does every kernel of the image know


def case_capabilities(machine):
    """Every second one, then the others: each is the kernel's own under the same name."""
    judges = []
    for odd in (0, 1):
        wanted = CAPABILITIES[odd::2]
        name = machine.load(machine.selinux(machine.source(small(
            more="\n".join(f"policycap {word};" for word in wanted)))))
        machine.step("mark", name)
        for word in CAPABILITIES:
            machine.step("show", f"policy_capabilities/{word}")

        def judge(said, name=name, wanted=wanted):
            rows = said.after(name, len(CAPABILITIES))
            want = [f"show policy_capabilities/{word} {int(word in wanted)}" for word in CAPABILITIES]
            known = [row for row in rows if row.endswith((" 0", " 1"))]
            good = len(known) >= OLD and known == want[:len(known)] and said.one("load", name) == "0"
            return "" if good else f"expected {want}\nfound {rows}"
        judges.append((f"policy capabilities, set {odd + 1}, are those meant", judge))
    return judges


WILD = """genfscon proc / u:r:kernel_t
genfscon proc /sys/kernel/host* u:r:a_t
genfscon proc /sys/*/random* u:r:b_t
genfscon proc /?ilesystems u:r:c_t
genfscon proc /m*s u:r:b_t
"""


def case_wildcards(machine):
    source = machine.source(small(labels=WILD, more="policycap genfs_seclabel_wildcard;\n"
                                  "policycap genfs_seclabel_symlinks;"))
    name = machine.load(machine.selinux(source, "--handle-unknown", "allow"))
    asked = [f"label genfs proc {path} {kind}" for path, kind in GENFS_PATHS]
    compared = machine.compare(asked, machine.engine(machine.compile(source), asked))
    machine.step("mark", compared)
    machine.step("show", "policy_capabilities/genfs_seclabel_wildcard")

    def judge(said):
        if "No such file" in "".join(said.after(compared, 1)): # a kernel without wildcards
            return loaded(name)(said)
        return loaded(name)(said) or same(compared, len(asked))(said)
    return [("wildcards in genfscon: as the engine's, where the kernel has them", judge)]


# Contexts that are written oddly: a user, a role, a type and a range of that policy, and more.
ODD = ["u:r:a_t", "u:r:a_t:", "u:r:a_t:s0:", "u:r:a_t:s0:c1,", "u:r:a_t:s0:,c1", "u:r:a_t:s0-",
       "u:r:a_t:-s0", "u:r:a_t:s0-s0", "u:r:a_t:s0-s1", "u:r:a_t:s1-s0", "u:r:a_t:s0-s1-s1",
       "u:r:a_t:s0:c1.c3", "u:r:a_t:s0:c3.c1", "u:r:a_t:s0:c1.c1", "u:r:a_t:s0:c1,c1",
       "u:r:a_t:s0:c3,c1", "u:r:a_t:s0:c1.", "u:r:a_t:s0:.c1", "u:r:a_t:s0:c1.c2.c3",
       "u:r:a_t:s0:c1:c2", "u:r:a_t:s0:c9", "u:r:a_t:s9", "u:r:a_t:low", "u:r:a_t:low:zero.c2",
       "u:r:a_t:s0:c1.c3-s1:c1.c3", "u:r:a_t:s0:c1.c3-s1:c1.c2", "u:r:a_t:s0:c0-s0:c0,c1",
       "u:r:a_t:s1:c3", "u:r:a_t:s0:c3", "u:r:old_t:s0", "u:r:any:s0", "any:r:a_t:s0", "u:any:a_t:s0",
       "u:object_r:a_t:s0", "u:object_r:kernel_t:s0", "r:u:a_t:s0", "u", "u:r", ":r:a_t:s0",
       "u::a_t:s0", "u:r::s0", "u:r:a_t:s0 ", "U:r:a_t:s0", "u:r:a_t:S0", "w:r:a_t:s0",
       "w:r:a_t:s1", "w:s:a_t:s1", "w:s:b_t:s1", "u:r:a_t:s0:c1\\n", "u:r:a_t:s0:c01"]
LEVELLED = """sensitivity s0 alias low; sensitivity s1; dominance { s0 s1 }
category c0 alias zero; category c1; category c2; category c3;
level s0:c0.c3; level s1:c0.c2;
mlsconstrain file write ( l1 eq l2 );
"""


def case_odd_contexts(machine):
    """What is a context, and in which words it comes back."""
    judges = []
    for title, user, level, more, options in (
            ("with levels", " level s0 range s0 - s1:c0.c2", ":s0", LEVELLED, ()),
            ("without levels", "", "", "", ("--mls", "no"))):
        text = small(more=more, rules="typealias a_t alias old_t; role s; role s types b_t;")
        text = text.replace("user u roles r;", f"user u roles r{user}; user w roles s{user};")
        text = re.sub("(u:r:kernel_t)$", r"\1" + level, text, flags=re.M)
        source = machine.source(text)
        name = machine.load(machine.selinux(source, *options))
        odd = [context.strip() for context in ODD]
        base = "u:r:a_t" + level
        asked = [f"valid {context}" for context in odd]
        asked += [f"create {one} {other} {kind}" for context in odd for kind in ("process", "file")
                  for one, other in ((context, base), (base, context))]
        compared = machine.compare(asked, machine.engine(machine.compile(source, *options), asked))
        judges += [(f"odd contexts {title}: loaded", loaded(name)),
                   (f"odd contexts {title}: as the engine", same(compared, len(asked)))]
    return judges


def case_damaged(machine):
    """What the kernel says of bytes that are no policy: its load is no rubber stamp."""
    data = machine.selinux(machine.source(small()))
    names = [machine.load(data[:len(data) // 2]), machine.load(data[:16] + b"\xff" + data[17:])]

    def judge(said):
        told = [said.one("load", name) for name in names]
        return "" if "0" not in told and all(t.isdigit() for t in told) else f"load: {told}"
    return [("half a policy and an unknown version are refused", judge)]


CASES = [value for name, value in list(globals().items()) if name.startswith("case_")]
