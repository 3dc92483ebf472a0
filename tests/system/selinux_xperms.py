# SPDX-License-Identifier: MIT OR Apache-2.0
"""Extended permissions in test_selinux_kernel: processes in the policy's domains try ioctl
commands on files of its types and send netlink messages; what the kernel lets through and
what it records is what the engine says."""
import random

from selinux_cases import SMALL_TYPES, numbers, runs, small
from selinux_machine import differs, if_version, loaded, same

COMMANDS = ["1200-123f", "88f0-89ff", "8ff0-900f", "fe80-ff0f"] # hexadecimal; none does anything
MESSAGES = ["10-7f", "f0-10f", "8900-891f"]
PLACES = {"ioctl": [0x1200, 0x8900, 0x9000, 0xfe00], "nlmsg": [0x10, 0x20, 0x100, 0x8900]}
CLASSES = {"ioctl": "file", "nlmsg": "netlink_route_socket"}


def some_numbers(rng, kind):
    parts = []
    for _ in range(rng.randint(1, 3)):
        low = rng.choice(PLACES[kind]) + rng.randrange(250)
        shape = rng.random()
        if shape < 0.4:
            parts.append(f"0x{low:x}")
        elif shape < 0.8:
            parts.append(f"0x{low:x}-0x{min(0xfffe, low + rng.randrange(600)):x}")
        else: # whole drivers
            parts.append(f"0x{low & 0xff00:x}-0x{low | 0xff:x}")
    return ("~" if rng.random() < 0.25 else "") + "{ " + " ".join(parts) + " }"


def rule(rng, kind):
    verb = rng.choice(["allowxperm"] * 4 + ["auditallowxperm", "dontauditxperm"])
    pools = [*SMALL_TYPES, *SMALL_TYPES, "any"]
    return (f"{verb} {rng.choice(pools)} {rng.choice([*pools, 'self'])}:{CLASSES[kind]} {kind} "
            f"{some_numbers(rng, kind)};")


def policy(seed, kind, conditional):
    """The permission itself for most pairs, rules that narrow it for most of those."""
    rng = random.Random(f"{seed} {kind} {conditional}")
    name = CLASSES[kind]
    lines = [f"allow {source} {target}:{name} {kind};" for source in SMALL_TYPES
             for target in SMALL_TYPES if rng.random() < 0.85]
    lines += [f"{verb} {source} {target}:{name} {kind};" for source in SMALL_TYPES
              for target in SMALL_TYPES for verb in ("auditallow", "dontaudit")
              if rng.random() < (0.6 if verb == "auditallow" else 0.15)]
    lines += [rule(rng, kind) for _ in range(rng.randint(4, 9))]
    more = ""
    if kind == "nlmsg":
        lines.append(f"allow any any:{name} write;")
        more = "policycap netlink_xperm;\n"
    if conditional:
        more += "bool one true; bool two false;\n"
        lines += [f"if ({condition}) {{ {rule(rng, kind)} {rule(rng, kind)} }} else "
                  f"{{ {rule(rng, kind)} allow a_t c_t:{name} {kind}; }}"
                  for condition in ("one", "two && one", "two")]
    return small(rules="\n".join(lines), more=more, file="ioctl", socket="nlmsg")


def in_its_words(kind, rows):
    """Of (number, "xperm allowed=A auditallow=B dontaudit=C"): what goes through, and what is
    recorded: what is granted where the policy wants it, what is denied unless it does not."""
    sets = {"allowed": [], "granted": [], "denied": []}
    for number, line in rows:
        allowed, audited, silent = (word.endswith("=1") for word in line.split()[1:])
        if allowed:
            sets["allowed"].append(number)
        if audited if allowed else not silent:
            sets["granted" if allowed else "denied"].append(number)
    return kind + "".join(f" {title}={{{runs(some)}}}" for title, some in sets.items())


def tried(machine, compiled, kind, bools=None):
    """Questions to the kernel for each pair of types, and the engine's answers in its words."""
    ranges = COMMANDS if kind == "ioctl" else MESSAGES
    pairs = [(f"u:r:{source}", f"u:r:{target}") for source in SMALL_TYPES for target in SMALL_TYPES]
    every = numbers(ranges)
    told = iter(machine.engine(compiled, [
        f"xperm {source} {target} {CLASSES[kind]} {kind} 0x{number:x}"
        for source, target in pairs for number in every], bools))
    answers = []
    for _ in pairs:
        rows = [(number, next(told)) for number in every]
        answers.append(in_its_words(kind, rows))
    return [f"{kind} {source} {target} {' '.join(ranges)}" for source, target in pairs], answers


def case_ioctl(machine):
    judges = []
    for seed in range(3):
        source = machine.source(policy(seed, "ioctl", False))
        name = machine.load(machine.selinux(source, "--handle-unknown", "allow"))
        questions, answers = tried(machine, machine.compile(source), "ioctl")
        compared = machine.compare(questions, answers)
        judges += [(f"ioctl commands, policy {seed}: loaded", loaded(name)),
                   (f"ioctl commands, policy {seed}: as the engine", same(compared, len(answers)))]
    other = tried(machine, machine.compile(machine.source(policy(9, "ioctl", False))), "ioctl")
    compared = machine.compare(*other)
    judges.append(("ioctl commands of another policy are found to differ",
                   differs(compared, len(other[0]))))
    return judges


def case_conditional(machine):
    """Inside if, which version 34 of the format has and Linux before 6.14 does not read."""
    judges = []
    for seed in range(2):
        source = machine.source(policy(seed, "ioctl", True))
        compiled = machine.compile(source)
        name = machine.load(machine.selinux(source, "--handle-unknown", "allow",
                                            "--selinux-version", "34"))
        for one, two in ((1, 0), (0, 1), (1, 1)):
            bools = {"one": one, "two": two}
            questions, answers = tried(machine, compiled, "ioctl", bools)
            machine.set_bools(bools)
            compared = machine.compare(questions, answers)
            judges.append((f"conditional ioctl commands, policy {seed}, {one}{two}: as the engine",
                           if_version(34, lambda said, n=name, c=compared, a=answers:
                                      loaded(n)(said) or same(c, len(a))(said))))
    return judges


def case_nlmsg(machine):
    judges = []
    for seed in range(2):
        source = machine.source(policy(seed, "nlmsg", False))
        name = machine.load(machine.selinux(source, "--handle-unknown", "allow"))
        questions, answers = tried(machine, machine.compile(source), "nlmsg")
        compared = machine.compare(questions, answers)
        judges.append((f"netlink messages, policy {seed}: as the engine",
                       if_version(34, lambda said, n=name, c=compared, a=answers:
                                  loaded(n)(said) or same(c, len(a))(said))))
    return judges


CASES = [case_ioctl, case_conditional, case_nlmsg]
