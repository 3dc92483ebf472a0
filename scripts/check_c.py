# SPDX-License-Identifier: MIT OR Apache-2.0
"""Just enough of C for scripts/check: include lines and functions with their sizes."""
import re
from dataclasses import dataclass

TOKEN = re.compile(
    r"""(?P<comment>/\*.*?\*/|//[^\n]*)
      | (?P<string>"(?:\\.|[^"\\\n])*"|(?<![0-9a-zA-Z])'(?:\\.|[^'\\\n])+')
      | (?P<directive>^[ \t]*\#(?:[^\n\\]|\\.|\\\n)*)""",
    re.S | re.M | re.X)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)')
# A macro that takes the function's own name first: its first argument is no parameter.
NAMING_MACROS = {"BPF_PROG", "VD_TEST"}


@dataclass
class Function:
    name: str
    line: int        # of the name, 1-based
    lines: int       # from the name to the closing brace
    parameters: int


def code_only(text):
    """The text with comments, directives and the inside of strings blanked, newlines kept."""
    def blank(match):
        kept = re.sub(r"[^\n]", " ", match[0])
        return '"' + kept[2:] + '"' if match["string"] else kept
    return TOKEN.sub(blank, text)


def includes(text):
    """(line, quoted, name) of each include; those in comments are not meant."""
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match[1] is not None, match[1] or match[2]


def matching_open(code, close):
    """The index of the parenthesis that `close` closes, or -1."""
    depth = 0
    for i in range(close, -1, -1):
        if code[i] == ")":
            depth += 1
        elif code[i] == "(":
            depth -= 1
            if depth == 0:
                return i
    return -1


def split_parameters(text):
    """The parameters between the parentheses of a definition."""
    depth, parts, current = 0, [], ""
    for c in text:
        if c == "," and depth == 0:
            parts.append(current)
            current = ""
            continue
        depth += c in "([{"
        depth -= c in ")]}"
        current += c
    parts.append(current)
    return [p for p in (p.strip() for p in parts) if p not in ("", "void", "...")]


def head_of(code, start, brace):
    """(index of the name, name, parameters) if a function's body opens at `brace`."""
    head = code[start:brace].rstrip()
    if not head.endswith(")"):
        return None
    close = start + len(head) - 1
    opening = matching_open(code, close)
    match = re.search(r"(\w+)\s*$", code[start:opening]) if opening > start else None
    if match is None or "=" in code[start:opening]:
        return None
    name, parameters = match[1], split_parameters(code[opening + 1:close])
    if name in NAMING_MACROS and parameters:
        name, parameters = parameters[0], parameters[1:]
    return start + match.start(1), name, len(parameters)


def functions(text):
    """The functions that a C file defines."""
    code = code_only(text)
    depth, start, open_head, found = 0, 0, None, []
    for i, c in enumerate(code):
        if c == "{":
            if depth == 0:
                open_head = head_of(code, start, i)
            depth += 1
        elif c == "}":
            depth -= 1
            if depth == 0:
                if open_head:
                    first = code.count("\n", 0, open_head[0]) + 1
                    last = code.count("\n", 0, i) + 1
                    found.append(Function(open_head[1], first, last - first + 1, open_head[2]))
                start = i + 1
        elif c == ";" and depth == 0:
            start = i + 1
    return found
