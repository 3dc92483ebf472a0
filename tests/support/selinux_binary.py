# SPDX-License-Identifier: MIT OR Apache-2.0
"""A small binary policy of SELinux's kernel, byte by byte, with something in every part.

Each field has a label. `Policy(edits)` writes `edits[label]` in its place, whatever the
field is (a number, a name, or a list of rows, for which a function of this file serves),
and `at[label]` is the offset of what was written: so a test says which field it makes
wrong, and where the reader must find it."""
import struct

MAGIC = 0xf97cff8c
PROCESS, FILE, DIR = 1, 2, 3
OBJECT_R, ROLE, OTHER_ROLE = 1, 2, 4 # 3 has no name
A, B, C, ATTRIBUTE = 1, 2, 3, 4


class Policy:
    def __init__(self, edits=None, version=33, mls=True):
        self.edits, self.version, self.mls = dict(edits or {}), version, mls
        self.out, self.at = bytearray(), {}
        self.whole()
        unused = set(self.edits) - set(self.at)
        assert not unused, f"no such label: {unused}"

    def value(self, label, value):
        self.at.setdefault(label, len(self.out))
        return self.edits.get(label, value)

    def u8(self, label, value):
        self.out += struct.pack("<B", self.value(label, value))

    def u16(self, label, value):
        self.out += struct.pack("<H", self.value(label, value))

    def u32(self, label, value):
        self.out += struct.pack("<I", self.value(label, value))

    def raw(self, label, value):
        self.out += self.value(label, value)

    def text(self, label, value):
        """A name whose length stands before it."""
        self.u32(label + ".size", len(self.edits.get(label, value)))
        self.raw(label, value)

    def head(self, label, name, *numbers):
        """A symbol: length of its name, numbers, the name."""
        self.u32(label + ".size", len(self.edits.get(label, name)))
        for key, number in numbers:
            self.u32(f"{label}.{key}", number)
        self.raw(label, name)

    def bitmap(self, label, bits):
        words = {}
        for bit in self.value(label, bits):
            words[bit // 64] = words.get(bit // 64, 0) | 1 << bit % 64
        self.u32(label + ".unit", 64)
        self.u32(label + ".end", (max(words) + 1) * 64 if words else 0)
        self.u32(label + ".count", len(words))
        for index in sorted(words):
            self.u32(f"{label}.first{index}", index * 64)
            self.raw(f"{label}.word{index}", struct.pack("<Q", words[index]))

    def level(self, label, sens=1, cats=()):
        self.u32(label + ".sens", sens if self.mls else 0)
        self.bitmap(label + ".cats", cats if self.mls else ())

    def range(self, label, low=1, high=2, cats=((0,), (0, 1))):
        levels = self.value(label + ".levels", 2 if self.mls else 1)
        self.u32(label + ".levels", levels)
        self.u32(label + ".low", low if self.mls else 0)
        if levels == 2:
            self.u32(label + ".high", high)
        self.bitmap(label + ".low_cats", cats[0] if self.mls else ())
        if levels == 2:
            self.bitmap(label + ".high_cats", cats[1])

    def context(self, label, user=1, role=OBJECT_R, kind=A):
        self.u32(label + ".user", user)
        self.u32(label + ".role", role)
        self.u32(label + ".type", kind)
        self.range(label + ".range")

    def table(self, label, highest, count):
        self.u32(label + ".highest", highest)
        self.u32(label + ".count", count)

    def perm(self, label, name, number):
        self.head(label, name, ("number", number))

    def nodes(self, label, perms, rows):
        """Rows of a constraint: kind, part, relation; with names their numbers."""
        rows = self.value(label + ".rows", rows)
        self.u32(label + ".perms", perms)
        self.u32(label + ".nodes", len(rows))
        for i, (kind, part, relation, *names) in enumerate(rows):
            self.u32(f"{label}.kind{i}", kind)
            self.u32(f"{label}.part{i}", part)
            self.u32(f"{label}.relation{i}", relation)
            if kind == 5:
                self.bitmap(f"{label}.names{i}", [n - 1 for n in names])
                self.bitmap(f"{label}.written{i}", [])
                self.bitmap(f"{label}.minus{i}", [])
                self.u32(f"{label}.flags{i}", 0)

    def classes(self):
        self.table("commons", 1, 1)
        self.head("common", b"base", ("number", 1), ("highest", 2), ("perms", 2))
        self.perm("common.read", b"read", 1)
        self.perm("common.write", b"write", 2)
        self.table("classes", 3, 3)
        for label, name, inherits, own in (
                ("process", b"process", b"", [b"transition"]), ("file", b"file", b"base", [b"ioctl"]),
                ("dir", b"dir", b"base", [])):
            first = 2 if inherits else 0
            self.u32(label + ".size", len(self.edits.get(label, name)))
            self.u32(label + ".inherits_size", len(self.edits.get(label + ".inherits", inherits)))
            self.u32(label + ".number", {"process": PROCESS, "file": FILE, "dir": DIR}[label])
            self.u32(label + ".highest", first + len(own))
            self.u32(label + ".own", len(own))
            self.u32(label + ".constraints", 1 if label == "file" else 0)
            self.raw(label, name)
            self.raw(label + ".inherits", inherits)
            for i, perm in enumerate(own):
                self.perm(f"{label}.perm{i}", perm, first + i + 1)
            if label == "file": # u1 == u2 or t1 == { a_t }
                self.nodes("constraint", 1, [(4, 1, 1), (5, 4, 1, A), (3, 0, 0)])
            self.u32(label + ".validatetrans", 1 if label == "file" else 0)
            if label == "file":
                self.nodes("transition", 0, [(5, 0x12, 1, ROLE), (1, 0, 0)])
            for default in ("user", "role", "range", "type"):
                self.u32(f"{label}.default_{default}", 0)

    def roles(self):
        self.table("roles", 4, 3)
        self.head("object_r", b"object_r", ("number", OBJECT_R), ("bounds", 0))
        self.bitmap("object_r.dominates", [])
        self.bitmap("object_r.types", [])
        self.head("role", b"r_r", ("number", ROLE), ("bounds", 0))
        self.bitmap("role.dominates", [ROLE - 1])
        self.bitmap("role.types", [A - 1, B - 1])
        self.head("other_role", b"o_r", ("number", OTHER_ROLE), ("bounds", ROLE))
        self.bitmap("other_role.dominates", [ROLE - 1, OTHER_ROLE - 1])
        self.bitmap("other_role.types", [A - 1])

    def types(self):
        self.table("types", 4, 5)
        for label, name, number, properties, bounds in (
                ("a", b"a_t", A, 1, 0), ("b", b"b_t", B, 1, A), ("c", b"c_t", C, 1, 0),
                ("attribute", b"attr", ATTRIBUTE, 3, 0), ("alias", b"a_old_t", A, 0, 0)):
            self.head("type." + label, name, ("number", number), ("properties", properties),
                      ("bounds", bounds))

    def users(self):
        self.table("users", 2, 2)
        for label, name, number, bounds in (("user", b"u_u", 1, 0), ("other_user", b"o_u", 2, 1)):
            self.head(label, name, ("number", number), ("bounds", bounds))
            self.bitmap(label + ".roles", [ROLE - 1])
            self.range(label + ".range")
            self.level(label + ".level", 1, (0,))

    def levels(self):
        self.table("sens", 2 if self.mls else 0, 3 if self.mls else 0)
        for label, name, number, alias in (("s0", b"s0", 1, 0), ("s1", b"s1", 2, 0),
                                           ("low", b"low", 1, 1)):
            if self.mls:
                self.head(label, name, ("alias", alias))
                self.level(label + ".level", number, (0, 1))
        self.table("cats", 2 if self.mls else 0, 3 if self.mls else 0)
        for label, name, number, alias in (("c0", b"c0", 1, 0), ("c1", b"c1", 2, 0),
                                           ("zero", b"zero", 1, 1)):
            if self.mls:
                self.head(label, name, ("number", number), ("alias", alias))

    def rule(self, label, kind, data, source=A, target=B, cls=FILE):
        self.u16(label + ".source", source)
        self.u16(label + ".target", target)
        self.u16(label + ".class", cls)
        self.u16(label + ".kind", kind)
        if kind & 0x700:
            self.u8(label + ".form", 1)
            self.u8(label + ".driver", 0x54)
            self.raw(label + ".bits", data)
        else:
            self.u32(label + ".data", data)

    def rules(self):
        self.u32("rules.count", 5)
        self.rule("allow", 1, 3)
        self.rule("audit", 2, 1)
        self.rule("deny_audit", 4, 0xfffffffe)
        self.rule("gives", 0x10, C)
        self.rule("calls", 0x100, b"\1" + bytes(31))
        self.u32("conditions.count", 1)
        nodes = self.value("condition.rows", [(1, 1), (2, 0)])
        self.u32("condition.value", 0)
        self.u32("condition.nodes", len(nodes))
        for n, (kind, number) in enumerate(nodes):
            self.u32(f"condition.kind{n}", kind)
            self.u32(f"condition.bool{n}", number)
        for branch, enabled in (("then", 0), ("else", 0x8000)):
            rows = self.value(f"condition.{branch}", [(1, 4)])
            self.u32(f"condition.{branch}.count", len(rows))
            for n, (kind, data) in enumerate(rows):
                self.rule(f"condition.{branch}{n}", kind | enabled, data)

    def role_rules(self):
        count = self.value("role_transitions", 1)
        self.u32("role_transitions.count", count)
        for i in range(count):
            label = f"role_transition{i}"
            self.u32(label + ".role", ROLE)
            self.u32(label + ".type", B)
            self.u32(label + ".new", OTHER_ROLE)
            self.u32(label + ".class", PROCESS)
        self.u32("role_allows.count", 1)
        self.u32("role_allow.from", ROLE)
        self.u32("role_allow.to", OTHER_ROLE)

    def named(self):
        count = self.value("named", 1)
        self.u32("named.count", count)
        for i in range(count):
            label = f"named{i}"
            self.text(label + ".name", b"a file")
            if self.version < 33:
                self.u32(label + ".source", A)
            self.u32(label + ".target", B)
            self.u32(label + ".class", FILE)
            if self.version < 33:
                self.u32(label + ".new", [C, B][i % 2])
                continue
            results = self.value(label + ".results", [[A - 1]])
            self.u32(label + ".results.count", len(results))
            for n, sources in enumerate(results):
                self.bitmap(f"{label}.sources{n}", sources)
                self.u32(f"{label}.new{n}", [C, B][n % 2])

    def contexts(self):
        numbers = self.value("initial", [1, 3])
        self.u32("initial.count", len(numbers))
        for i, number in enumerate(numbers):
            self.u32(f"initial{i}", number)
            self.context(f"initial{i}.context")
        self.u32("fs.count", 1)
        self.text("fs", b"dev")
        self.context("fs.context0")
        self.context("fs.context1")
        self.u32("ports.count", 1)
        self.u32("port.protocol", 6)
        self.u32("port.low", 80)
        self.u32("port.high", 443)
        self.context("port.context")
        self.u32("netifs.count", 1)
        self.text("netif", b"eth0")
        self.context("netif.context0")
        self.context("netif.context1")
        self.u32("nodes.count", 1)
        self.raw("node", bytes([127, 0, 0, 1, 255, 0, 0, 0]))
        self.context("node.context")
        self.u32("fs_uses.count", 1)
        self.u32("fs_use.kind", 1)
        self.text("fs_use", b"ext4")
        self.context("fs_use.context")
        self.u32("nodes6.count", 1)
        self.raw("node6", bytes(31) + b"\0")
        self.context("node6.context")
        if self.version >= 31:
            self.u32("keys.count", 1)
            self.raw("key.prefix", bytes(8))
            self.u32("key.low", 1)
            self.u32("key.high", 2)
            self.context("key.context")
            self.u32("ib_ports.count", 1)
            self.u32("ib_port.size", 4)
            self.u32("ib_port.port", 1)
            self.raw("ib_port", b"mlx5")
            self.context("ib_port.context")
        self.genfs()

    def genfs(self):
        systems = self.value("genfs", [b"proc"])
        self.u32("genfs.count", len(systems))
        for i, name in enumerate(systems):
            self.text(f"genfs{i}", name)
            self.u32(f"genfs{i}.count", 1)
            self.text(f"genfs{i}.path", b"/sys")
            self.u32(f"genfs{i}.class", FILE)
            self.context(f"genfs{i}.context")

    def range_transitions(self):
        count = self.value("range_transitions", 1 if self.mls else 0)
        self.u32("range_transitions.count", count)
        for i in range(count):
            label = f"range_transition{i}"
            self.u32(label + ".source", A)
            self.u32(label + ".target", B)
            self.u32(label + ".class", PROCESS)
            self.range(label + ".range")

    def whole(self):
        self.u32("magic", MAGIC)
        self.text("target", b"SE Linux")
        self.u32("version", self.version)
        self.u32("flags", 1 if self.mls else 0)
        self.u32("tables", 8)
        self.u32("lists", 9 if self.version >= 31 else 7)
        self.bitmap("policycaps", [1])
        self.bitmap("permissive", [B])
        if self.version >= 35:
            self.bitmap("neveraudit", [A])
        self.classes()
        self.roles()
        self.types()
        self.users()
        self.table("bools", 1, 1)
        self.u32("bool.number", 1)
        self.u32("bool.value", 1)
        self.text("bool", b"flag")
        self.levels()
        self.at["rules"] = len(self.out)
        self.rules()
        self.role_rules()
        self.named()
        self.contexts()
        self.range_transitions()
        for number in range(1, 5):
            self.bitmap(f"attributes{number}",
                        [number - 1, ATTRIBUTE - 1] if number < 3 else [number - 1])
        self.raw("end", b"")
