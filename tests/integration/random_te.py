# SPDX-License-Identifier: MIT OR Apache-2.0
"""Random policies in SELinux's language, with something of every statement, and
random questions about them. As a program: random_te.py SEED TYPES > FILE."""
import random
import sys

CLASSES = {
    "process": ["transition", "dyntransition", "fork", "sigchld"],
    "file": ["read", "write", "execute", "entrypoint", "open", "ioctl"],
    "dir": ["read", "write", "search", "add_name"],
    "fd": ["use"],
    "tcp_socket": ["connect", "bind", "ioctl"],
    "db_table": ["read", "write", "select", "insert", "drop"],
}
PLAIN = ["fork", "sigchld"]
IOCTL = [name for name, perms in CLASSES.items() if "ioctl" in perms]
FILE_NAMES = ["resolv.conf", "passwd", "log", "x", "a-b_c.1"]
CATEGORIES = 12


def level(rng, sens, top=False):
    picked = sorted(rng.sample(range(CATEGORIES), CATEGORIES if top else rng.randrange(0, 4)))
    name = f"s{sens}"
    runs = []
    for number in picked:
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    if runs:
        name += ":" + ",".join(f"c{a}" if a == b else f"c{a}.c{b}" for a, b in runs)
    return name


class Policy:
    def __init__(self, seed, types=40):
        self.rng = random.Random(seed)
        self.types = [f"t{i}_t" for i in range(types)]
        # Bounded type, its parent. No chains: libsepol 3.4 writes through a null pointer there.
        self.bounds = [(f"child{i}_t", f"t{i}_t") for i in range(3, 8)]
        self.children = [child for child, _ in self.bounds]
        # A small policy has few attributes of many types, a large one many of about thirty.
        self.share = min(0.25, 30 / types)
        self.scale = max(1, types // 40)
        self.attributes = [f"attr{i}" for i in range(max(8, types // 15))]
        self.roles = [f"r{i}_r" for i in range(5)]
        self.users = [f"u{i}_u" for i in range(4)]
        self.bools = [f"bool{i}" for i in range(5)]

    def pick(self, *pools):
        return self.rng.choice(self.rng.choice(pools))

    def some(self, pool, most=3):
        chosen = self.rng.sample(pool, self.rng.randint(1, min(most, len(pool))))
        return "{ " + " ".join(chosen) + " }"

    def perms(self, name):
        return self.some(CLASSES[name], 4)

    def declarations(self):
        yield from (f"class {name}" for name in CLASSES)
        yield "sid kernel"
        yield "common base { read write }"
        for name, perms in CLASSES.items():
            if perms[:2] == ["read", "write"]:
                yield f"class {name} inherits base {{ {' '.join(perms[2:])} }}"
            else:
                yield f"class {name} {{ {' '.join(perms)} }}"
        yield from (f"sensitivity s{i};" for i in range(4))
        yield "dominance { s0 s1 s2 s3 }"
        yield from (f"category c{i};" for i in range(CATEGORIES))
        yield from (f"level s{i}:c0.c{CATEGORIES - 1};" for i in range(4))

    def expression(self, mls, depth=0, third=False):
        rng = self.rng
        if depth < 3 and rng.random() < 0.55:
            kind = rng.choice(["and", "or", "not"])
            if kind == "not":
                return f"not ( {self.expression(mls, depth + 1, third)} )"
            return (f"( {self.expression(mls, depth + 1, third)} ) {kind} "
                    f"( {self.expression(mls, depth + 1, third)} )")
        if mls and rng.random() < 0.6:
            pair = rng.choice(["l1 {} l2", "l1 {} h2", "h1 {} l2", "h1 {} h2", "l1 {} h1",
                               "l2 {} h2"])
            return pair.format(rng.choice(["eq", "dom", "domby", "incomp", "!="]))
        who = rng.choice(["1", "2", "3"] if third else ["1", "2"])
        sign = rng.choice(["==", "!="])
        if not mls and rng.random() < 0.15: # checkpolicy does not know users before their part
            return f"u{who} {sign} {self.some(self.users)}"
        return rng.choice([
            f"u1 {sign} u2", f"t1 {sign} t2",
            f"r1 {rng.choice(['==', '!=', 'dom', 'domby', 'incomp'])} r2",
            f"r{who} {sign} {self.some(self.roles)}",
            f"t{who} {sign} {self.some(self.types + self.children, 20)}",
            f"t{who} {sign} {self.rng.choice(self.attributes)}"])

    def constraints(self, mls_only):
        word = "mls" if mls_only else ""
        for _ in range(10):
            name = self.rng.choice(list(CLASSES))
            yield f"{word}constrain {name} {self.perms(name)} ( {self.expression(mls_only)} );"
        if not mls_only:
            # What a bounded type may and the type that bounds it may not.
            parents = " ".join(parent for _, parent in self.bounds)
            yield f"constrain {{ file dir db_table }} write ( t1 != {{ {parents} }} or u1 != u2 );"
        for name in ("file", "dir"):
            yield f"{word}validatetrans {name} ( {self.expression(mls_only, 0, True)} );"

    def te_rule(self):
        name = self.rng.choice(list(CLASSES))
        target = "self" if self.rng.random() < 0.1 else self.pick(self.types, self.attributes)
        verb = self.rng.choice(["allow"] * 7 + ["auditallow", "dontaudit"])
        source = self.pick(self.types, self.attributes)
        if self.rng.random() < 0.1:
            source = f"{{ {self.rng.choice(self.attributes)} -{self.rng.choice(self.types)} }}"
        perms = self.rng.choice([self.perms(name), "*", "~" + self.rng.choice(CLASSES[name])])
        if name == "fd":
            perms = "use"
        return f"{verb} {source} {target}:{name} {perms};"

    def condition(self, depth=0):
        if depth < 2 and self.rng.random() < 0.5:
            return (f"({self.condition(depth + 1)}) {self.rng.choice(['&&', '||', '^', '==', '!='])} "
                    f"({self.condition(depth + 1)})")
        return self.rng.choice(["", "!"]) + self.rng.choice(self.bools)

    def bounded_rules(self):
        """What checkpolicy accepts: a child has no rule that its parents lack. So only a
        constraint on types makes a difference between them."""
        yield from (f"typebounds {parent} {child};" for child, parent in self.bounds)
        for child, parent in self.bounds:
            for _ in range(10):
                name = self.rng.choice(["file", "dir", "db_table"])
                target = self.rng.choice(self.types)
                perms = self.some(CLASSES[name], 4)
                yield from (f"allow {member} {target}:{name} {perms};" for member in (child, parent))
        for child in self.children:
            yield f"allow {self.rng.choice(self.types)} {child}:file {self.perms('file')};"

    def type_statements(self):
        yield from (f"attribute {name};" for name in self.attributes)
        yield from (f"bool {name} {self.rng.choice(['true', 'false'])};" for name in self.bools)
        yield from (f"type {name};" for name in self.types + self.children)
        yield from (f"typeattribute {name} {attribute};" for name in self.types
                    for attribute in self.attributes if self.rng.random() < self.share)
        yield f"typealias {self.types[0]} alias {{ alias_t other_t }};"
        yield f"permissive {self.types[1]};"
        for _ in range(220 * self.scale):
            yield self.te_rule()
        for _ in range(12 * self.scale):
            inner = " ".join(self.te_rule() for _ in range(3))
            other = " ".join(self.te_rule() for _ in range(2))
            yield f"if ({self.condition()}) {{ {inner} }} else {{ {other} }}"
        yield from self.bounded_rules()
        yield from self.named_rules()
        yield from self.xperm_rules()
        keys = set()
        for _ in range(60 * self.scale):
            key = self.transition_key()
            if key not in keys:
                keys.add(key)
                yield f"{key[0]} {key[1]} {key[2]}:{key[3]} {self.rng.choice(self.types)};"
        yield from self.conditional_transitions(keys)

    def named_rules(self):
        """Transitions by file name; checkpolicy refuses two for one source, target, class, name."""
        taken = set()
        for _ in range(40 * self.scale):
            name, kind = self.rng.choice(FILE_NAMES), self.rng.choice(["file", "dir"])
            sources = self.rng.sample(self.types, self.rng.randint(1, 6))
            targets = self.rng.sample(self.types, self.rng.randint(1, 4))
            keys = {(s, t, kind, name) for s in sources for t in targets}
            if keys & taken:
                continue
            taken |= keys
            yield (f"type_transition {{ {' '.join(sources)} }} {{ {' '.join(targets)} }}:{kind} "
                   f'{self.rng.choice(self.types)} "{name}";')

    def numbers(self):
        """ioctl commands: of few drivers, single ones, ranges, complements, whole drivers. None
        begins at 0 or ends at 0xffff: of such a range checkpolicy 3.4 gets the complement wrong."""
        parts = []
        for _ in range(self.rng.randint(1, 3)):
            low = self.rng.choice([0x100, 0x8900, 0x5400, 0xfe00]) + self.rng.randrange(256)
            kind = self.rng.random()
            if kind < 0.4:
                parts.append(f"0x{low:x}")
            elif kind < 0.8:
                parts.append(f"0x{low:x}-0x{min(0xfffe, low + self.rng.randrange(600)):x}")
            else:
                parts.append(f"0x{low & 0xff00:x}-0x{low | 0xff:x}")
        text = "{ " + " ".join(parts) + " }"
        return self.rng.choice(["", "", "", "~ "]) + text

    def xperm_rules(self):
        for _ in range(60 * self.scale):
            verb = self.rng.choice(["allowxperm"] * 3 + ["auditallowxperm", "dontauditxperm"])
            target = "self" if self.rng.random() < 0.1 else self.pick(self.types, self.attributes)
            yield (f"{verb} {self.pick(self.types, self.attributes)} {target}:"
                   f"{self.rng.choice(IOCTL)} ioctl {self.numbers()};")

    def xperm_question(self, first, second):
        number = self.rng.choice([0x100, 0x8900, 0x5400, 0xfe00]) + self.rng.randrange(256)
        if self.rng.random() < 0.2:
            number = self.rng.randrange(0x10000)
        return f"xperm {first} {second} {self.rng.choice(IOCTL)} ioctl 0x{number:x}"

    def conditional_transitions(self, taken):
        """type_transition and its kin inside if: each key in one condition only."""
        for _ in range(8 * self.scale):
            parts = []
            for _ in range(2):
                inner = ""
                for _ in range(3):
                    key = self.transition_key()
                    if key not in taken:
                        taken.add(key)
                        inner += f"{key[0]} {key[1]} {key[2]}:{key[3]} {self.rng.choice(self.types)}; "
                parts.append(inner)
            yield f"if ({self.condition()}) {{ {parts[0]}}} else {{ {parts[1]}}}"

    def transition_key(self):
        return (self.rng.choice(["type_transition", "type_member", "type_change"]),
                self.rng.choice(self.types), self.rng.choice(self.types),
                self.rng.choice(["process", "file", "dir", "tcp_socket"]))

    def role_statements(self):
        yield from (f"role {name};" for name in self.roles)
        for name in self.roles:
            yield f"role {name} types {self.some(self.types, 30)};"
            yield f"role {name} types {self.rng.choice(self.attributes)};"
            yield f"role {name} types {self.some(self.children, 4)};"
        for _ in range(8):
            yield f"allow {self.rng.choice(self.roles)} {self.some(self.roles, 2)};"
        keys = set()
        for _ in range(10):
            key = (self.rng.choice(self.roles), self.rng.choice(self.types))
            if key not in keys:
                keys.add(key)
                yield f"role_transition {key[0]} {key[1]} {self.rng.choice(self.roles)};"
        keys = set()
        for _ in range(20):
            key = (self.rng.choice(self.types), self.rng.choice(self.types),
                   self.rng.choice(["process", "file"]))
            if key not in keys:
                keys.add(key)
                yield (f"range_transition {key[0]} {key[1]}:{key[2]} "
                       f"s0 - {level(self.rng, self.rng.randrange(4), True)};")

    def users_statements(self):
        for i, name in enumerate(self.users):
            high = level(self.rng, 3 - i % 2, True)
            yield f"user {name} roles {self.some(self.roles, 4)} level s0 range s0 - {high};"

    def kernel(self):
        """A context that is always valid: object_r is every user's and type's."""
        return f"{self.users[0]}:object_r:{self.types[0]}:s0"

    def text(self):
        lines = list(self.declarations())
        lines += self.constraints(True)
        lines += self.type_statements()
        lines += self.role_statements()
        lines += self.users_statements()
        lines += self.constraints(False)
        lines.append(f"sid kernel {self.kernel()}")
        return "\n".join(lines) + "\n"

    def context(self, role=None):
        low = level(self.rng, self.rng.randrange(4))
        text = f"{self.rng.choice(self.users)}:{role or self.rng.choice(self.roles)}:"
        pool = self.children if self.rng.random() < 0.3 else self.types
        text += f"{self.rng.choice(pool)}:{low}"
        if self.rng.random() < 0.4:
            text += f"-{level(self.rng, 3, True)}"
        return text

    def question(self):
        verb = self.rng.choice(["av"] * 6 + ["transition", "transition", "member", "change",
                                             "valid", "validatetrans", "xperm", "xperm"])
        first = self.context(self.rng.choice([None, "object_r"]))
        second = self.context(self.rng.choice([None, "object_r"]))
        if verb == "xperm":
            return self.xperm_question(first, second)
        if verb == "valid":
            return f"valid {self.context()}"
        third = f" {self.context()}" if verb == "validatetrans" else ""
        name = ""
        if verb == "transition" and self.rng.random() < 0.6:
            name = " " + self.rng.choice(FILE_NAMES + ["no_such"])
        return f"{verb} {first} {second}{third} {self.rng.choice(list(CLASSES))}{name}"


if __name__ == "__main__":
    sys.stdout.write(Policy(int(sys.argv[1]), int(sys.argv[2])).text())
