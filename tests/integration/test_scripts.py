#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The test runner and the checks must be able to fail: each is shown a sample of
what it exists to find. Prints TAP."""
import importlib.machinery
import importlib.util
import os
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(os.environ.get("VD_SOURCE_ROOT", ".")).resolve()
sys.path.insert(0, str(ROOT / "tests" / "support"))
sys.dont_write_bytecode = True
import tap  # noqa: E402


def script(name):
    loader = importlib.machinery.SourceFileLoader(name.replace("-", "_"), str(ROOT / "scripts" / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    sys.modules[loader.name] = module
    loader.exec_module(module)
    return module


RUN_TESTS, CHECK = script("run-tests"), script("check")
import check_c  # noqa: E402  (beside scripts/check)

# TAP, exit code, result, protocol → passed, failed, skipped
JUDGED = [
    ("ok 1 - a\nok 2 - b\n1..2\n", 0, "OK", "tap", (2, 0, 0)),
    ("1..2\nok 1 - a\nok 2 - b\n", 0, "OK", "tap", (2, 0, 0)),
    ("ok 1 - a # SKIP no kernel\n1..1\n", 0, "OK", "tap", (0, 0, 1)),
    ("1..0 # SKIP nothing here\n", 0, "SKIP", "tap", (0, 0, 1)),
    ("not ok 1 - a\nok 2 - b\n1..2\n", 1, "FAIL", "tap", (1, 1, 0)),
    ("not ok 1 - a # TO" "DO later\n1..1\n", 0, "OK", "tap", (0, 1, 0)),
    ("ok 1 - a\n", 0, "OK", "tap", (1, 1, 0)),                  # no plan
    ("ok 1 - a\n", -11, "ERROR", "tap", (1, 1, 0)),             # crashed
    ("", -6, "ERROR", "tap", (0, 1, 0)),
    ("ok 1 - a\n1..2\n", 0, "ERROR", "tap", (1, 1, 0)),         # planned more
    ("ok 1 - a\nok 2 - b\n1..1\n", 0, "ERROR", "tap", (2, 1, 0)),
    ("ok 1 - a\n1..1\n", 3, "ERROR", "tap", (1, 1, 0)),         # a sanitizer spoke at the end
    ("ok 1 - a\nBail out! no disk\n", 1, "ERROR", "tap", (1, 1, 0)),
    ("ok 1 - a\n1..1\n", 0, "TIMEOUT", "tap", (1, 1, 0)),
    ("", 0, "OK", "exitcode", (1, 0, 0)),
    ("", 1, "FAIL", "exitcode", (0, 1, 0)),
    ("no TPM\n", 77, "SKIP", "exitcode", (0, 0, 1)),
]


def case_runner_counts_what_happened():
    for stdout, code, result, protocol, want in JUDGED:
        out = RUN_TESTS.judge({"stdout": stdout, "returncode": code, "result": result}, protocol)
        got = (out.passed, len(out.failed), len(out.skipped))
        assert got == want, f"{stdout!r} exit {code} {result}: {got}, expected {want}"


def case_runner_keeps_output_and_reasons():
    out = RUN_TESTS.judge({"stdout": "# before\nok 1 - a\n# x.c:3: wrong\nnot ok 2 - b\n"
                                     "ok 3 - c # SKIP no kernel\n1..3\n", "returncode": 1,
                           "result": "FAIL", "stderr": "said\n"}, "tap")
    assert out.failed == [("b", ["# x.c:3: wrong", "said"])], out.failed
    assert out.skipped == [("c", "no kernel")], out.skipped


SAMPLE = '''
/* int in_comment(int a) { return a; } */
#define MACRO(x) \\
    { x }
static const char *text = "{ (not code) {";
struct pair { int (*call)(int a, int b); };
static const struct pair table[] = {{0}, {0}};
enum [[nodiscard]] kind { A, B = (1) };
VD_PRINTF(1, 2)
static void three(const char *f, int (*call)(int a, int b), ...)
{
    if (f) {
        call(1, '{');
    }
}
__attribute__((constructor)) static void none(void)
{
}
int BPF_PROG(hook, struct file *file, int ret)
{
    return (struct pair){}.call == 0;
}
VD_TEST(a_case)
{
}
int declared(int a, int b, int c, int d, int e, int f);
'''


def case_functions_of_c_are_found():
    found = [(f.name, f.line, f.lines, f.parameters) for f in check_c.functions(SAMPLE)]
    assert found == [("three", 10, 6, 2), ("none", 16, 3, 0), ("hook", 19, 4, 2),
                     ("a_case", 23, 3, 0)], found


class Tree:
    """What scripts/check sees of a tree of files (path → text)."""

    def __init__(self, text):
        self.text, self.files = text, sorted(text)
        self.c = [f for f in self.files if f.endswith((".c", ".h"))]

    scripts = CHECK.Sources.scripts


def bad(check, files, exceptions=""):
    """What a check finds in the files."""
    with tempfile.TemporaryDirectory() as tmp:
        path = Path(tmp) / "check-exceptions"
        path.write_text(exceptions, encoding="utf-8")
        return check(Tree(files), SimpleNamespace(build=ROOT / "build"), CHECK.Exceptions(path))


def case_layers():
    headers = {f"{d}/x.h": "" for d in ("core/base", "bootloader", "kernel/loader", "lib", "hardware/tpm",
                                        "services/audit", "services/crypto", "tools/veridian", "tests")}
    rows = [
        ("core/a.c", "lib/x.h", False), ("core/a.c", "core/base/x.h", True),
        ("lib/a.c", "core/base/x.h", True), ("lib/a.c", "hardware/tpm/x.h", False),
        ("bootloader/a.c", "lib/x.h", False), ("kernel/bpf/a.c", "lib/x.h", False),
        ("kernel/loader/a.c", "lib/x.h", True), ("hardware/tpm/a.c", "services/audit/x.h", False),
        ("services/audit/a.c", "services/audit/x.h", True),
        ("services/audit/a.c", "services/crypto/x.h", False),
        ("services/audit/a.c", "hardware/tpm/x.h", True),
        ("tools/veridian/a.c", "services/audit/x.h", True),
        ("lib/a.c", "tools/veridian/x.h", False), ("lib/a.c", "tests/x.h", False),
        ("tests/a.c", "tools/veridian/x.h", True), ("elsewhere/a.c", "core/base/x.h", False),
    ]
    for path, target, allowed in rows:
        found = bad(CHECK.check_layers, {**headers, path: f'#include "{target}"\n'})
        assert (not found) == allowed, f"{path} includes {target}: {found}"
    assert bad(CHECK.check_layers, {"core/a.c": "#include <string.h>\n"})
    assert not bad(CHECK.check_layers, {"core/a.c": "#include <stdint.h>\n"})
    assert bad(CHECK.check_layers, {**headers, "services/audit/a.c": '#include "../crypto/x.h"\n'})


def case_tests_apart():
    for path in ("lib/test_x.c", "core/tests/x.c", "services/audit/fuzz_x.c", "lib/x_test.c"):
        assert bad(CHECK.check_tests_apart, {path: ""}), path
    assert not bad(CHECK.check_tests_apart, {"tests/unit/test_x.c": "", "lib/testament.c": ""})


def case_sizes_and_their_exceptions():
    def function(lines, parameters=1):
        names = ", ".join(f"int p{i}" for i in range(parameters))
        return f"int f({names})\n{{\n" + "    p0++;\n" * (lines - 3) + "}\n"
    assert not bad(CHECK.check_sizes, {"lib/a.c": function(80, 5)})
    assert bad(CHECK.check_sizes, {"lib/a.c": function(81)})
    assert bad(CHECK.check_sizes, {"lib/a.c": function(10, 6)})
    assert not bad(CHECK.check_sizes, {"lib/a.c": "\n" * 600})
    assert bad(CHECK.check_sizes, {"lib/a.c": "\n" * 601})
    assert not bad(CHECK.check_sizes, {"lib/a.c": function(90)}, "function-lines lib/a.c:f 90 table\n")
    assert bad(CHECK.check_sizes, {"lib/a.c": function(91)}, "function-lines lib/a.c:f 90 table\n")
    assert bad(CHECK.check_sizes, {"lib/a.c": function(80)}, "function-lines lib/a.c:f 90 table\n")


def case_licence_words_blanks():
    mark = "SPDX-License-Identifier" + ": MIT OR Apache-2.0"
    assert bad(CHECK.check_spdx, {"lib/a.c": "int a;\n"})
    assert bad(CHECK.check_spdx, {"run": "#!/bin/sh\nset -eu\n"})
    assert not bad(CHECK.check_spdx, {"lib/a.c": f"/* {mark} */\n", "README.md": "text\n"})
    for word in ("TO" + "DO", "FIX" + "ME", "X" + "XX", "/wo" + "rk/main/x", "/home" + "/me/src"):
        assert bad(CHECK.check_words, {"lib/a.c": f"/* {word} */\n"}), word
    assert not bad(CHECK.check_words, {"lib/a.c": "/* XXXXXX network/main */\n"})
    for text in ("a \n", "a\t\nb\n", "a\r\n", "a"):
        assert bad(CHECK.check_blanks, {"lib/a.c": text}), repr(text)
    assert not bad(CHECK.check_blanks, {"lib/a.c": "a\n", "lib/b.c": ""})


def case_format_shell_python_analyzer():
    """These run tools on files of the tree, so a bad file is put into one."""
    with tempfile.TemporaryDirectory() as tmp:
        kept, CHECK.ROOT = CHECK.ROOT, Path(tmp)
        try:
            (Path(tmp) / "core").mkdir()
            (Path(tmp) / ".clang-format").write_bytes((ROOT / ".clang-format").read_bytes())
            files = {
                "core/a.c": "int f(int *p);\nint f(int *p)\n{\n    int *q = p;\n    if (p == 0)\n"
                            "        return *q;\n    return 0;\n}\n",
                "core/b.c": "int   g(void) {return 0;}\n",
                "a.sh": "#!/bin/sh\nif true; then\n",
                "b.sh": "#!/bin/sh\nif true; then :; fi\n",
                "a.py": "#!/usr/bin/env python3\ndef f(:\n",
            }
            for name, text in files.items():
                (Path(tmp) / name).write_text(text, encoding="utf-8")
            for check, path in ((CHECK.check_shell, "a.sh"), (CHECK.check_python, "a.py"),
                                (CHECK.check_analyzer, "core/a.c"), (CHECK.check_format, "core/b.c")):
                try:
                    found = bad(check, files)
                except CHECK.Skip as reason:
                    print(f"# {check.__name__}: {reason}")
                    continue
                assert found and all(path in line for line in found), (check.__name__, found)
        finally:
            CHECK.ROOT = kept


def case_help():
    with tempfile.TemporaryDirectory() as tmp:
        program = Path(tmp) / "bin" / "veridian"
        program.parent.mkdir()
        program.write_text("#!/bin/sh\ncase \"$1\" in\n"
                           "--help) printf 'Usage: veridian\\n\\nCommands:\\n  good  x\\n  bad  y\\n';;\n"
                           "good) echo Usage: good;;\n*) exit 3;;\nesac\n", encoding="utf-8")
        program.chmod(0o755)
        found = CHECK.check_help(None, SimpleNamespace(build=Path(tmp)), None)
        assert found == ["veridian bad --help: exit 3, 0 bytes"], found


if __name__ == "__main__":
    sys.exit(tap.run())
