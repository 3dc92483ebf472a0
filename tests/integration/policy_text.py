# SPDX-License-Identifier: MIT OR Apache-2.0
"""Rules as `veridian policy search` and setools print them, taken apart so that the two can
be compared: expanded to types, conditions as the settings of booleans they hold under."""
import itertools
import re

TOKEN = re.compile(r"\s*(&&|\|\||==|!=|[!^()]|[\w.]+)")
BINARY = {"||": 1, "^": 2, "&&": 3, "==": 4, "!=": 4}


class Condition:
    """An expression as the text of `[ … ]`; NOT binds tightest."""

    def __init__(self, text):
        self.tokens = TOKEN.findall(text)
        self.at = 0
        self.run = self.binary(0)
        assert self.at == len(self.tokens), text

    def next(self):
        self.at += 1
        return self.tokens[self.at - 1]

    def unary(self):
        word = self.next()
        if word == "!":
            inner = self.unary()
            return lambda values: not inner(values)
        if word == "(":
            inner = self.binary(0)
            assert self.next() == ")"
            return inner
        return lambda values: values[word]

    def binary(self, least):
        left = self.unary()
        while self.at < len(self.tokens) and BINARY.get(self.tokens[self.at], 0) > least:
            word = self.next()
            right = self.binary(BINARY[word])
            left = self.apply(word, left, right)
        return left

    @staticmethod
    def apply(word, a, b):
        return {"||": lambda v: a(v) or b(v), "&&": lambda v: a(v) and b(v),
                "==": lambda v: a(v) == b(v)}.get(word, lambda v: a(v) != b(v))


def settings(text, branch, names, exact=False):
    """The settings of the booleans `names` under which a branch is in force. setools prints
    longer expressions without the parentheses they need: of these only who is in them, unless
    `exact` says that the text is ours."""
    if text is None:
        return "always"
    used = frozenset(re.findall(r"\w+", text))
    if len(used) > 1 and not exact:
        return used
    run = Condition(text).run
    return tuple(run(dict(zip(names, values))) == (branch == "True")
                 for values in itertools.product((False, True), repeat=len(names)))


def words(text):
    """'a_t' or '{ a b -c }' as a list of words."""
    return text.strip("{} ").split() if text.startswith("{") else [text]


class Types:
    """What the names of a policy's source stand for."""

    def __init__(self, source):
        self.types = set(re.findall(r"^type (\w+)[,;]", source, re.M))
        self.attributes = {name: set() for name in re.findall(r"^attribute (\w+);", source, re.M)}
        for name, attribute in re.findall(r"^typeattribute (\w+) (\w+);", source, re.M):
            self.attributes[attribute].add(name)

    def one(self, name):
        return self.attributes.get(name, {name})

    def expand(self, names):
        plus = set()
        for name in names:
            if name == "*":
                plus |= self.types
            elif not name.startswith("-"):
                plus |= self.one(name)
        for name in names:
            if name.startswith("-"):
                plus -= self.one(name[1:])
        return plus


SET = r"(~?\{[^}]*\}|[^\s:;]+)"
RULE = re.compile(rf"^(\w+) {SET} {SET}(?::(\w+) ([^;]*))?;(.*)$")


def parse(line, types, bools, only=(None, None), exact=False):
    """The triples (kind, source, target, class, what, condition) of one printed rule, those
    alone whose source and target are in the sets `only` (None: any). `exact`: see settings."""
    match = RULE.match(line)
    assert match, line
    kind, source, target, tclass, rest, tail = match.groups()
    condition = re.search(r"\[ (.*) \]:(True|False)", tail)
    when = settings(*(condition.groups() if condition else (None, None)), bools, exact)
    role = (tclass is None and kind == "allow") or kind == "role_transition"
    sources = set(words(source)) if role else expand(types, source)
    names = words(target)
    targets = set(names) if kind == "allow" and role else expand(types, target)
    if kind.endswith("_transition") or kind in ("type_member", "type_change"):
        what = [rest.replace(" ", "").replace('"', "")]  # setools prints names bare
    elif kind.endswith("xperm"):
        what = [calls(rest)]
    else:
        what = words(rest) if rest is not None else [""]
    pairs = [(s, t) for s in sources for t in targets]
    if "self" in names:
        pairs += [(s, s) for s in sources]
    return {(kind, s, t, tclass, w, when) for s, t in pairs for w in what
            if (only[0] is None or s in only[0]) and (only[1] is None or t in only[1])}


def expand(types, text):
    names = [name for name in words(text.lstrip("~")) if name not in ("self", "-self")]
    found = types.expand(names)
    return types.types - found if text.startswith("~") else found


def calls(text):
    """'ioctl { 0x1-0x3 0x7 }' as ("ioctl", the bits of the calls)."""
    kind, rest = text.split(" ", 1)
    found = 0
    for span in words(rest):
        low, _, high = span.partition("-")
        low, high = int(low, 16), int(high or low, 16)
        found |= ((1 << (high - low + 1)) - 1) << low
    return kind, found


def join(triples):
    """Extended rules of the same types, class and condition as one: setools has a rule for each
    driver, ours are as written."""
    found, joined = set(), {}
    for kind, s, t, tclass, what, when in triples:
        if isinstance(what, tuple):
            key = (kind, s, t, tclass, what[0], when)
            joined[key] = joined.get(key, 0) | what[1]
        else:
            found.add((kind, s, t, tclass, what, when))
    return found | {key[:4] + ((key[4], bits), key[5]) for key, bits in joined.items()}
