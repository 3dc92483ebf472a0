# SPDX-License-Identifier: MIT OR Apache-2.0
"""What two binary policies say differently, by setools' PolicyDifference (what `sediff` prints),
as JSON: a program for the interpreter that has setools. setools_diff.py ONE OTHER.

"rules": unconditional rules and transitions, as sediff compares them; "conditional": compared
here, as our policies leave out of a condition what holds without it."""
import itertools
import json
import sys

import setools

ONE, OTHER = setools.SELinuxPolicy(sys.argv[1]), setools.SELinuxPolicy(sys.argv[2])
DIFF = setools.PolicyDifference(ONE, OTHER)
BOOLS = sorted({str(b) for p in (ONE, OTHER) for b in p.bools()})
KINDS = ("allows", "auditallows", "dontaudits")
facts = []


def fact(sign, *words):
    facts.append([sign, " ".join(str(word) for word in words)])


def both(name, *words):
    for sign, side in (("-", "removed"), ("+", "added")):
        for item in getattr(DIFF, f"{side}_{name}"):
            fact(sign, *words, item)


def symbols():
    for name, words in (("types", ["type"]), ("type_attributes", ["attribute"]),
                        ("roles", ["role"]), ("users", ["user"]), ("classes", ["class"]),
                        ("polcaps", ["policycap"]), ("categories", ["category"]),
                        ("sensitivities", ["sensitivity"])):
        both(name, *words)
    for name, change in DIFF.modified_types.items():
        for alias in change.added_aliases:
            fact("+", "typealias", name, "alias", alias)
        for alias in change.removed_aliases:
            fact("-", "typealias", name, "alias", alias)
        if change.modified_permissive:
            fact("-" if change.permissive else "+", "permissive", name)
    for name, change in DIFF.modified_type_attributes.items():
        for sign, types in (("+", change.added_types), ("-", change.removed_types)):
            for member in types:
                fact(sign, "typeattribute", member, name)
    for sign, attributes in (("+", DIFF.added_type_attributes), ("-", DIFF.removed_type_attributes)):
        for attribute in attributes:
            for member in attribute.expand():
                fact(sign, "typeattribute", member, attribute)
    for name, change in DIFF.modified_roles.items():
        for sign, types in (("+", change.added_types), ("-", change.removed_types)):
            for member in types:
                fact(sign, "role", name, "types", member)
    for name, change in DIFF.modified_users.items():
        for sign, roles in (("+", change.added_roles), ("-", change.removed_roles)):
            for role in roles:
                fact(sign, "user", name, "roles", role)
    for name, change in DIFF.modified_booleans.items():
        fact("-", "bool", name, str(change.removed_state).lower())
        fact("+", "bool", name, str(change.added_state).lower())
    for sign, bools in (("+", DIFF.added_booleans), ("-", DIFF.removed_booleans)):
        for name in bools:
            fact(sign, "bool", name, str(name.state).lower())


def roles_and_ranges():
    for sign, side in (("+", "added"), ("-", "removed")):
        for rule in getattr(DIFF, f"{side}_role_allows"):
            fact(sign, "allow", rule.source, rule.target)
        for rule in getattr(DIFF, f"{side}_role_transitions"):
            fact(sign, "role_transition", rule.source, f"{rule.target}:{rule.tclass}", rule.default)
        for rule in getattr(DIFF, f"{side}_range_transitions"):
            fact(sign, "range_transition", rule.source, f"{rule.target}:{rule.tclass}", rule.default)
    for name in ("role_transitions", "range_transitions"):
        for change in getattr(DIFF, f"modified_{name}"):
            rule = change.rule
            words = [name[:-1], rule.source, f"{rule.target}:{rule.tclass}"]
            fact("+", *words, change.added_default)
            fact("-", *words, change.removed_default)


def unconditional(rule):
    try:
        return rule.conditional is None
    except setools.exception.RuleNotConditional:
        return True


def rules():
    found = []

    def note(sign, kind, rule, perms):
        if unconditional(rule):
            found.extend([sign, kind, str(rule.source), str(rule.target), str(rule.tclass), str(p)]
                         for p in perms)
    for name in KINDS:
        for rule in getattr(DIFF, f"added_{name}"):
            note("+", name[:-1], rule, rule.perms)
        for rule in getattr(DIFF, f"removed_{name}"):
            note("-", name[:-1], rule, rule.perms)
        for change in getattr(DIFF, f"modified_{name}"):
            note("+", name[:-1], change.rule, change.added_perms)
            note("-", name[:-1], change.rule, change.removed_perms)
    for name in ("type_transition", "type_change", "type_member"):
        for sign, side in (("+", "added"), ("-", "removed")):
            for rule in getattr(DIFF, f"{side}_{name}s"):
                note(sign, name, rule, [text(rule, rule.default)])
        for change in getattr(DIFF, f"modified_{name}s"):
            note("+", name, change.rule, [text(change.rule, change.added_default)])
            note("-", name, change.rule, [text(change.rule, change.removed_default)])
    return found


def text(rule, default):
    try:
        return f"{default}{rule.filename}"
    except (setools.exception.TERuleNoFilename, setools.exception.RuleUseError):
        return str(default)


def conditional(policy):
    """What holds under conditions, without what holds always: with the settings it holds under."""
    always, found = set(), set()
    for rule in policy.terules():
        if str(rule.ruletype) not in ("allow", "auditallow", "dontaudit"):
            continue
        for one in rule.expand():
            facts_of = [(str(rule.ruletype), str(one.source), str(one.target), str(one.tclass), perm)
                        for perm in one.perms]
            if unconditional(rule):
                always.update(facts_of)
            else:
                when = tuple(rule.conditional.evaluate(**dict(zip(BOOLS, values)))
                             == rule.conditional_block
                             for values in itertools.product((False, True), repeat=len(BOOLS)))
                found.update(f + (when,) for f in facts_of)
    return {f for f in found if f[:-1] not in always}


def xperms(policy):
    """The calls of unconditional extended rules as bits, by rule kind, types and class."""
    found = {}
    for rule in policy.terules():
        if not str(rule.ruletype).endswith("xperm") or not unconditional(rule):
            continue
        bits = sum(1 << int(call) for call in set(rule.perms))
        for one in rule.expand():
            key = (str(rule.ruletype), str(one.source), str(one.target), str(one.tclass),
                   str(rule.xperm_type))
            found[key] = found.get(key, 0) | bits
    return found


def xperm_differences():
    one, other = xperms(ONE), xperms(OTHER)
    for key in set(one) | set(other):
        before, after = one.get(key, 0), other.get(key, 0)
        for sign, bits in (("-", before & ~after), ("+", after & ~before)):
            if bits:
                yield [sign, *key, hex(bits)]


symbols()
roles_and_ranges()
CONDITIONAL = [conditional(ONE), conditional(OTHER)]
json.dump({"facts": facts, "rules": rules(), "bools": BOOLS,
           "conditional": [["-", *f] for f in CONDITIONAL[0] - CONDITIONAL[1]]
           + [["+", *f] for f in CONDITIONAL[1] - CONDITIONAL[0]],
           "xperms": list(xperm_differences()), "both": list(CONDITIONAL[0] & CONDITIONAL[1])}, sys.stdout)
