# SPDX-License-Identifier: MIT OR Apache-2.0
"""What setools' analyses find between all types of a binary policy, as JSON: a program for the
interpreter that has setools. setools_flow.py POLICY MAP LENGTH."""
import json
import sys

import setools

policy = setools.SELinuxPolicy(sys.argv[1])
types = sorted(str(name) for name in policy.types())
information = setools.InfoFlowAnalysis(policy, setools.PermissionMap(sys.argv[2]), min_weight=3)
domains = setools.DomainTransitionAnalysis(policy)
found = {}
for kind, analysis in (("information", information), ("domain", domains)):
    for source in types:
        for target in types:
            if source == target:
                continue
            found[f"{kind} {source} {target} 0"] = sorted(
                [source] + [str(step.target) for step in path]
                for path in analysis.all_shortest_paths(source, target))
        target = types[0]
        if source != target:
            found[f"{kind} {source} {target} {sys.argv[3]}"] = sorted(
                [source] + [str(step.target) for step in path]
                for path in analysis.all_paths(source, target, int(sys.argv[3])))
json.dump(found, sys.stdout)
