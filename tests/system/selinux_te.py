# SPDX-License-Identifier: MIT OR Apache-2.0
"""Random policies that a running kernel can be given: what tests/integration/random_te.py
makes, with a permissive domain for the kernel and its first process, the initial contexts
in the kernel's order, and what libsepol cannot judge: more permissive types, and bounded
types that have rules which their parents lack."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../integration"))
from random_te import CLASSES, Policy  # noqa: E402

INITIAL = ("kernel", "security", "unlabeled", "fs", "file", "file_labels", "init", "any_socket",
           "port", "netif", "netmsg", "node") # by the kernel's numbers
LEVEL = re.compile(r":s\d[^ ;]*")
COMPUTED = re.compile(r"^(?:type_|range_)(\w+) (\w+) (\w+):(\w+) ", re.M)
NAMED = re.compile(r"^type_transition \{ (.*) \} \{ (.*) \}:(\w+) \w+ \"(.*)\";", re.M)
ROLES = re.compile(r"^role_transition (\w+) (\w+) ", re.M)
LEVELS = [f"{side} {part}" for side in ("source", "target") for part in ("low", "high", "low-high")]


def in_kernel(question):
    """libsepol's answer about new sockets is not the kernel's: `create` is by its rule."""
    verb, *rest = question.split(" ")
    if verb == "xperm": # which takes a process that tries (selinux_xperms)
        verb, rest = "av", rest[:3]
    elif verb == "transition":
        verb = "create"
    elif verb in ("change", "member") and rest[2].endswith("socket"):
        rest[2] = "file"
    return " ".join([verb, *rest])


class KernelPolicy(Policy):
    """With multi-level security."""
    glblub = True # which versions before 32 cannot say

    def __init__(self, seed, types=40):
        super().__init__(seed, types)
        # The kernel keeps the values of booleans over a load, by their names.
        self.bools = [f"p{seed}_{name}" for name in self.bools]
        self.bounds += [("grandchild_t", self.children[0]), ("greatgrandchild_t", "grandchild_t")]
        self.children = [child for child, _ in self.bounds]

    def defaults(self):
        for name in CLASSES:
            for part in ("user", "role", "type"):
                if self.rng.random() < 0.4:
                    yield f"default_{part} {{ {name} }} {self.rng.choice(['source', 'target'])};"
            if self.rng.random() < 0.6:
                yield f"default_range {name} {self.rng.choice(LEVELS + ['glblub'] * self.glblub)};"

    def declarations(self):
        defaults = list(self.defaults())
        for line in super().declarations():
            if line == "sensitivity s0;":
                yield from defaults
            if line == "sid kernel":
                yield from (f"sid {name}" for name in INITIAL)
            else:
                yield line

    def bounded_rules(self):
        """Children with rules that their parents lack: the kernel masks what these do not allow."""
        yield from super().bounded_rules()
        for _ in range(60):
            name = self.rng.choice(list(CLASSES))
            target = self.pick(self.types, self.children)
            yield f"allow {self.rng.choice(self.children)} {target}:{name} {self.perms(name)};"

    def type_statements(self):
        yield from super().type_statements()
        yield "type kernel_t;"
        yield from (f"permissive {name};" for name in ["kernel_t", *self.rng.sample(self.types[2:], 8)])

    def kernel(self):
        return f"{self.users[0]}:object_r:kernel_t:s0"

    def context(self, role=None):
        text = super().context(role)
        return text.replace(":t0_t", ":alias_t") if self.rng.random() < 0.5 else text

    def text(self):
        end = "".join(f"sid {name} {self.kernel()}\n" for name in INITIAL[1:])
        # Without it Linux 6.12 does not load a policy that has booleans.
        end += f"genfscon selinuxfs / {self.kernel()}\n"
        text = super().text() + end
        self.named = [("transition", source, target, f"{kind} {name}")
                      for sources, targets, kind, name in NAMED.findall(text)
                      for source in sources.split() for target in targets.split()]
        self.computed = COMPUTED.findall(text)
        self.role_changes = ROLES.findall(text)
        return text

    def directed(self):
        """A question that a transition, member or change rule answers."""
        verb, source, target, name = self.rng.choice(self.computed)
        user, role = self.rng.choice(self.users), "object_r"
        if self.rng.random() < 0.3:
            role, target = self.rng.choice(self.role_changes)
            verb, name = "transition", "process"
        elif self.rng.random() < 0.5:
            role = self.rng.choice(self.roles)
        level = self.rng.choice(["s0", "s0", "s0:c1", "s1"])
        if verb == "transition" and self.rng.random() < 0.4:
            verb, source, target, name = self.rng.choice(self.named)
        return in_kernel(f"{verb} {user}:{role}:{source}:{level} {self.rng.choice(self.users)}:object_r:"
                f"{target}:{level} {name}")

    def question(self):
        if self.rng.random() < 0.3:
            return self.directed()
        if self.rng.random() < 0.08:
            return f"permissive {self.context('object_r')}"
        return in_kernel(super().question())


class OldPolicy(KernelPolicy):
    glblub = False


class PlainPolicy(KernelPolicy):
    """Without multi-level security."""
    glblub = False

    def defaults(self):
        return (line for line in super().defaults() if "default_range" not in line)

    def declarations(self):
        return (line for line in super().declarations()
                if line.split()[0] not in ("sensitivity", "dominance", "category", "level"))

    def constraints(self, mls_only):
        return () if mls_only else super().constraints(False)

    def role_statements(self):
        return (line for line in super().role_statements() if "range_transition" not in line)

    def users_statements(self):
        return (line.split(" level ")[0] + ";" for line in super().users_statements())

    def kernel(self):
        return LEVEL.sub("", super().kernel())

    def directed(self):
        return LEVEL.sub("", super().directed())

    def context(self, role=None):
        return LEVEL.sub("", super().context(role))
