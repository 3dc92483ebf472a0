#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The documents against what is built: every verb and option has its place in a
manual page, every page is well-formed and installed, every file, function, make
target and map that the documents name exists. Prints TAP."""
import os
import re
import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

ROOT = Path(os.environ.get("VD_SOURCE_ROOT", ".")).resolve()
BUILD = Path(os.environ.get("VD_BUILD_ROOT", "build")).resolve()
sys.path.insert(0, str(ROOT / "tests" / "support"))
import tap  # noqa: E402

BIN, MAN = BUILD / "bin", ROOT / "docs" / "man"
DAEMONS = ("veridian-auditd", "veridian-cryptod", "veridian-securityd")
TOP = ("core", "bootloader", "kernel", "lib", "hardware", "services", "tools", "policy", "image",
       "tests", "fuzz", "bench", "docs", "scripts")
FOLDERS_OF_NAMES = ("", "core/mac", "core/boot", "docs", "docs/formats", "kernel/bpf", "image",
                    "tests/integration", "tests/unit", "policy/image")


def call(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          stdin=subprocess.DEVNULL, timeout=60, check=False)


def commands(program, path=()):
    """(path, options) of the command and all below it, from --help."""
    text = call(str(program), *path, "--help").stdout
    options = set(re.findall(r"^ {2}(?:-\w, | {4})(--[a-z][a-z_-]*)", text, re.M))
    yield path, options - {"--help", "--version"}
    below = re.search(r"^Commands:\n((?:  .*\n)+)", text, re.M)
    for line in below[1].splitlines() if below else []:
        yield from commands(program, (*path, line.split()[0]))


def plain(page):
    """A page's source with option and font marks as they are read."""
    text = (MAN / page).read_text(encoding="utf-8")
    text = re.sub(r"\\f[BIRP]|\\&", "", text).replace("\\-", "-")
    return re.sub(r"\bFl (-?[a-z])", r"-\1", re.sub(r"\bFl (\w) , -", r"-\1 , --", text))


def lacks(page, word):
    return not re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", plain(page))


def case_every_verb_and_option_stands_in_its_page():
    bad = []
    for path, options in commands(BIN / "veridian"):
        if not path:
            continue
        page = "veridian.1" if path[0] == "help" else f"veridian-{path[0]}.1"
        if not (MAN / page).exists():
            bad.append(f"no page {page}")
            continue
        bad += [f"{page}: {word} of `veridian {' '.join(path)}` is missing"
                for word in (*path[1:], *sorted(options)) if lacks(page, word)]
        if lacks("veridian.1", path[0]):
            bad.append(f"veridian.1: area {path[0]} is missing")
    for daemon in DAEMONS:
        for _, options in commands(BIN / daemon):
            bad += [f"{daemon}.8: {word} is missing" for word in sorted(options)
                    if lacks(f"{daemon}.8", word)]
    assert not bad, "\n".join(bad)


def case_no_page_names_an_option_that_is_not_there():
    known = {}
    for path, options in commands(BIN / "veridian"):
        known.setdefault(f"veridian-{path[0]}.1" if path else "veridian.1", set()).update(options)
    for daemon in DAEMONS:
        known[f"{daemon}.8"] = {o for _, os_ in commands(BIN / daemon) for o in os_}
    # what pages say of their neighbours
    everywhere = {"--help", "--version", "--json"}
    everything = everywhere.union(*known.values())
    bad = []
    for page in sorted(p.name for p in MAN.iterdir()):
        named = set(re.findall(r"(?<![\w-])--[a-z][a-z_-]*", plain(page)))
        allowed = everything if page in ("veridian.1", "veridian-init.8") else \
            known[page] | everywhere
        bad += [f"{page}: no option {o}" for o in sorted(named - allowed)]
    assert not bad, "\n".join(bad)


def case_pages_are_well_formed_and_installed():
    build = (ROOT / "docs" / "meson.build").read_text(encoding="utf-8")
    for page in sorted(MAN.iterdir()):
        assert f"'man/{page.name}'" in build, f"{page.name} is not installed"
    if shutil.which("mandoc"):
        command = ["mandoc", "-T", "lint", "-W", "warning"]
    elif shutil.which("groff"):
        command = ["groff", "-mandoc", "-ww", "-z", "-Tascii", "-Kutf8"]
    else:
        raise tap.Skip("neither mandoc nor groff is here")
    for page in sorted(MAN.iterdir()):
        done = call(*command, str(page))
        assert done.returncode == 0 and not (done.stdout + done.stderr).strip(), \
            f"{page.name}: {done.stdout}{done.stderr}"


def case_every_page_has_its_exit_codes():
    for page in sorted(MAN.iterdir()):
        assert re.search(r"^\.S[Hh] EXIT STATUS", page.read_text(encoding="utf-8"), re.M), page.name


def documents():
    return [p for p in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")) if p.is_file()]


@lru_cache
def code():
    """All C, Python, shell and Meson text, where names are looked up."""
    files = [f for top in TOP for f in sorted((ROOT / top).rglob("*")) if f.is_file()]
    return "\n".join(f.read_text(encoding="utf-8", errors="replace") for f in files
                     if f.suffix in (".c", ".h", ".py", ".sh", ".build"))


def there(path, document):
    """A path, or the stem of one, from the root or beside the document."""
    for folder in (ROOT, document.parent):
        if "*" in path:
            if list(folder.glob(path)):
                return True
        elif (folder / path).exists() or list(folder.glob(path + ".*")):
            return True
    return False


def case_files_that_documents_name_exist():
    bad = []
    for document in documents():
        for line in document.read_text(encoding="utf-8").splitlines():
            if "planned" in line:
                continue
            for path in re.findall(r"`([\w./*-]+)`", line):
                ours = path.split("/")[0] in TOP and "/" in path
                if ours and not there(path, document):
                    bad.append(f"{document.relative_to(ROOT)}: `{path}`")
                elif re.fullmatch(r"[\w-]+(\.bpf)?\.(c|h|te|py|md)", path) and not any(
                        (ROOT / f / path).exists() for f in FOLDERS_OF_NAMES) and not list(
                            ROOT.glob(f"*/**/{path}")):
                    bad.append(f"{document.relative_to(ROOT)}: `{path}`")
            for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", line):
                if not (document.parent / target).exists():
                    bad.append(f"{document.relative_to(ROOT)}: link to {target}")
    assert not bad, "\n".join(bad)


def case_functions_that_documents_name_exist():
    bad = []
    for document in documents():
        text = document.read_text(encoding="utf-8")
        for name in set(re.findall(r"`(?:struct |enum )?(vd_\w+|VD_[A-Z]\w+)`", text)):
            if not re.search(rf"\b{name}\b", code()):
                bad.append(f"{document.relative_to(ROOT)}: {name}")
    assert not bad, "\n".join(sorted(bad))


def case_commands_that_documents_name_exist():
    known = {" ".join(path) for path, _ in commands(BIN / "veridian")}
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    bad = []
    for document in documents():
        for line in document.read_text(encoding="utf-8").splitlines():
            if "planned" in line:
                continue
            for words in re.findall(r"`veridian ([a-z]+(?: [a-z]+)?)\b(?!:)", line):
                area = words.split()[0]
                verb = re.match(rf"{area} \w+", words) and any(k.startswith(area + " ") for k in known)
                if (words if verb else area) not in known:
                    bad.append(f"{document.relative_to(ROOT)}: veridian {words}")
            for target in re.findall(r"`make ([a-z-]+)", line):
                if target not in targets:
                    bad.append(f"{document.relative_to(ROOT)}: make {target}")
    assert not bad, "\n".join(bad)


def case_every_map_of_the_kernel_has_its_row():
    text = (ROOT / "docs" / "formats" / "kernel.md").read_text(encoding="utf-8")
    described = set(re.findall(r"^\| `(\w+)` \|", text, re.M))
    declared = {name for path in ROOT.glob("kernel/bpf/*.bpf.*")
                for name in re.findall(r"\} vd_(\w+) SEC\(\"\.maps\"\)", path.read_text(encoding="utf-8"))}
    assert declared and described == declared, \
        f"docs/formats/kernel.md lacks {declared - described}, has too many {described - declared}"


def case_every_magic_has_its_page():
    pages = "\n".join(p.read_text(encoding="utf-8") for p in ROOT.glob("docs/formats/*.md"))
    magics = set(re.findall(r"#define VD_\w*MAGIC\s+\"([A-Z0-9]{7,8})", code()))
    assert len(magics) >= 3, magics
    for magic in magics:
        assert f"`{magic}`" in pages, f"no page in docs/formats names the magic {magic}"


if __name__ == "__main__":
    sys.exit(tap.run())
