#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""`veridian policy compile` with a cache beside its output against the same without: the
policy is the same bytes after any change of the sources, whatever became of the cache, and
wherever the compiler was killed. Prints TAP.

VD_CACHE_STEPS: changes of each random policy. VD_CACHE_KILLS: how often it is killed."""
import os
import random
import stat
import struct
import subprocess
import sys
import tempfile
import time

ROOT = os.environ.get("VD_SOURCE_ROOT", ".")
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
sys.path.insert(0, os.path.join(ROOT, "tests", "integration"))
from random_te import Policy  # noqa: E402
from tap import run  # noqa: E402

VERIDIAN = os.path.abspath(os.path.join(os.environ.get("VD_BUILD_ROOT", "build"), "bin", "veridian"))
STEPS = int(os.environ.get("VD_CACHE_STEPS", "40"))
KILLS = int(os.environ.get("VD_CACHE_KILLS", "60"))
FILES = 6


def read(path):
    with open(path, "rb") as file:
        return file.read()


def command(out, cache, files):
    return [VERIDIAN, "policy", "compile", "-o", out, "--cache", cache, *files]


def compile_to(out, cache, files):
    done = subprocess.run(command(out, cache, files), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


class Sources:
    """A random policy in several files, and ways to change it that leave it valid."""

    def __init__(self, directory, seed):
        self.directory, self.rng = directory, random.Random(seed)
        self.policy = Policy(seed, 120)
        lines = self.policy.text().splitlines()
        first = next(i for i, line in enumerate(lines) if line.startswith("attribute "))
        last = next(i for i, line in enumerate(lines) if line.startswith("role "))
        self.head, self.tail = lines[:first], lines[last:]
        middle = lines[first:last]
        size = len(middle) // FILES + 1
        self.parts = [middle[i:i + size] for i in range(0, len(middle), size)]
        self.number = 0
        self.shift = [0] * (FILES + 2)  # by file: words of its first line that the one before ends with

    def rule_lines(self):
        return [(p, i) for p, part in enumerate(self.parts) for i, line in enumerate(part)
                if line.startswith(("allow ", "auditallow ", "dontaudit ", "if "))]

    def add_rule(self):
        part = self.rng.choice(self.parts)
        part.insert(self.rng.randint(0, len(part)), self.policy.te_rule())

    def remove_rule(self):
        rows = [(p, i) for p, i in self.rule_lines() if "child" not in self.parts[p][i]]
        part, line = self.rng.choice(rows)
        del self.parts[part][line]

    def add_type(self):
        self.number += 1
        self.rng.choice(self.parts).append(f"type new{self.number}_t, attr0; "
                                           f"allow new{self.number}_t attr1:file read;")

    def add_member(self):
        name = self.rng.choice(self.policy.types)
        self.rng.choice(self.parts).append(
            f"typeattribute {name} {self.rng.choice(self.policy.attributes)};")

    def switch_boolean(self):
        rows = [(p, i) for p, part in enumerate(self.parts) for i, line in enumerate(part)
                if line.startswith("bool ")]
        part, line = self.rng.choice(rows)
        text = self.parts[part][line]
        self.parts[part][line] = text.replace("true", "\0").replace("false", "true").replace(
            "\0", "false")

    def add_boolean(self):
        self.number += 1
        part = self.rng.choice(self.parts)
        part.insert(0, f"bool more{self.number} true; if (!more{self.number}) "
                       f"{{ {self.policy.te_rule()} }}")

    def deny(self):
        self.rng.choice(self.parts).append(
            f"deny {self.rng.choice(self.policy.types)} {self.rng.choice(self.policy.types)}:file read;")

    def reorder(self):
        self.rng.shuffle(self.parts)

    def move_lines(self):
        """A file less: its lines go to another one."""
        if len(self.parts) > 2:
            part = self.parts.pop(self.rng.randrange(len(self.parts)))
            self.rng.choice(self.parts).extend(part)

    def twist(self):
        """Statements that end in another file, marks, lines without a statement, capitals, blocks."""
        part = self.rng.choice(self.parts)
        name, other = self.rng.choice(self.policy.types), self.rng.choice(self.policy.types)
        self.shift = [self.rng.choice([0, 0, 1, 2, 3]) for _ in range(FILES + 2)]
        part.insert(self.rng.randint(0, len(part)), self.rng.choice([
            f'#line {self.rng.randint(1, 99)} "made/up.te"', "", "# nothing", "\t",
            f"ALLOW {name} {other}:file {{ read }};",
            f"optional {{ require {{ type {name}, {other}; class file {{ read }}; }} "
            f"allow {name} {other}:file read; }}",
            f"optional {{ require {{ type {name}, none_t; }} allow {name} {other}:file read; }} "
            f"else {{ allow {other} {name}:file read; }}"]))

    def change(self):
        self.rng.choice([self.add_rule] * 4 + [self.remove_rule] * 4 + [
            self.add_type, self.add_member, self.switch_boolean, self.add_boolean, self.deny,
            self.reorder, self.move_lines])()
        if self.rng.random() < 0.4:
            self.twist()

    def write(self):
        files = []
        texts = ["\n".join(part) + "\n" for part in [self.head, *self.parts, self.tail]]
        for number in range(1, len(texts)):
            line, rest = texts[number].split("\n", 1)
            words = line.split(" ")
            if line.startswith("allow ") and len(words) > self.shift[number]:
                moved, kept = words[:self.shift[number]], words[self.shift[number]:]
                texts[number - 1] += " ".join(moved)
                texts[number] = " ".join(kept) + "\n" + rest
        for number, text in enumerate(texts):
            files.append(os.path.join(self.directory, f"{number}.te"))
            if os.path.exists(files[-1]) and read(files[-1]).decode() == text:
                continue
            with open(files[-1], "w", encoding="ascii") as file:
                file.write(text)
        return files


def spoil(rng, out):
    """Something happens to the cache or to the policy it belongs to."""
    cache = out + ".cache"
    what = rng.randrange(6)
    if what == 0 and os.path.exists(cache):
        os.unlink(cache)
    elif what in (1, 2) and os.path.exists(cache):
        data = bytearray(read(cache))
        if what == 1:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        with open(cache, "wb") as file:
            file.write(data if what == 1 else data[:rng.randrange(len(data))])
    elif what == 3:
        os.unlink(out)
    elif what == 4:
        with open(out, "r+b") as file:
            file.seek(rng.randrange(os.path.getsize(out)))
            file.write(b"\x5a")


def case_same_bytes_after_random_changes():
    for seed in (41, 42):
        with tempfile.TemporaryDirectory() as directory:
            sources = Sources(directory, seed)
            out, plain = os.path.join(directory, "with.vpol"), os.path.join(directory, "plain.vpol")
            for step in range(STEPS):
                files = sources.write()
                compile_to(out, "yes", files)
                compile_to(plain, "no", files)
                assert read(out) == read(plain), f"seed {seed}, step {step}"
                if step % 5 == 4:
                    spoil(sources.rng, out)
                for _ in range(sources.rng.randint(1, 3)):
                    sources.change()


def case_files_that_rest():
    """Files that were not changed just now are mapped, not copied: the same bytes."""
    with tempfile.TemporaryDirectory() as directory:
        sources = Sources(directory, 47)
        out, plain = os.path.join(directory, "with.vpol"), os.path.join(directory, "plain.vpol")
        files = sources.write()
        latest = max(os.stat(file).st_ctime for file in files)
        while time.time() < latest + 3:  # their time stamps cannot be set: they have to age
            time.sleep(0.1)
        for change in (None, sources.add_rule, sources.add_type, sources.twist):
            if change is not None:
                change()
            files = sources.write()
            compile_to(out, "yes", files)
            compile_to(plain, "no", files)
            assert read(out) == read(plain), change


def case_killed_anywhere():
    rng = random.Random(7)
    with tempfile.TemporaryDirectory() as directory:
        sources = Sources(directory, 43)
        out, plain = os.path.join(directory, "with.vpol"), os.path.join(directory, "plain.vpol")
        compile_to(out, "yes", sources.write())
        for step in range(KILLS):
            sources.change()
            files = sources.write()
            with subprocess.Popen(command(out, "yes", files), stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL) as child:
                try:
                    child.wait(timeout=rng.random() * 0.04)
                except subprocess.TimeoutExpired:
                    child.kill()
            if step % 2 == 0:
                compile_to(out, "yes", files)
                compile_to(plain, "no", files)
                assert read(out) == read(plain), f"step {step}"


def case_only_where_asked():
    with tempfile.TemporaryDirectory() as directory:
        files = Sources(directory, 44).write()
        out = os.path.join(directory, "small.vpol")
        compile_to(out, "auto", files)
        assert not os.path.exists(out + ".cache"), "a small policy needs no cache"
        compile_to(out, "yes", files)
        assert os.path.exists(out + ".cache")
        done = subprocess.run(command("/dev/null", "yes", files), capture_output=True, text=True,
                              check=False)
        assert done.returncode == 0 and not os.path.exists("/dev/null.cache"), done.stderr


def case_cache_that_cannot_be_written():
    """The policy is what counts: it is there, and a warning says what is not."""
    with tempfile.TemporaryDirectory() as directory:
        files = Sources(directory, 45).write()
        out = os.path.join(directory, "p.vpol")
        os.mkdir(out + ".cache")
        done = subprocess.run(command(out, "yes", files), capture_output=True, text=True, check=False)
        assert done.returncode == 0 and "p.vpol.cache is not written" in done.stderr, done.stderr
        assert os.path.exists(out)


FORGED = """class file class process sid kernel class file { read write } class process { fork }
type a_t; type c_t; allow a_t c_t:file read; neverallow a_t c_t:file write;
role r_r; role r_r types a_t; user u_u roles r_r; sid kernel u_u:r_r:a_t
"""
LEAVES, HEADER, READ, WRITE = 17, 64, 1, 2  # of the compiled policy: docs/formats/policy.md


def crc64(data):
    crc = 2 ** 64 - 1
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xc96c5795d7870f42 if crc & 1 else 0)
    return crc ^ 2 ** 64 - 1


def forge(out):
    """Gives a_t in the former policy what its neverallow forbids, and makes the cache fit."""
    data, cache = bytearray(read(out)), bytearray(read(out + ".cache"))
    blob = data[:struct.unpack_from("<I", data, 16)[0]]
    offset, _, count = struct.unpack_from("<3I", blob, HEADER + 16 * LEAVES)
    for leaf in range(offset, offset + 40 * count, 40):
        if struct.unpack_from("<I", blob, leaf)[0] == READ:
            for field in (leaf, leaf + 20):
                struct.pack_into("<I", blob, field, READ | WRITE)
    blob[24:32] = bytes(8)
    checksum = crc64(blob)
    struct.pack_into("<Q", blob, 24, checksum)
    struct.pack_into("<Q", cache, 32, checksum)
    cache[16:24] = bytes(8)
    struct.pack_into("<Q", cache, 16, crc64(cache))
    for path, content in ((out, blob), (out + ".cache", cache)):
        with open(path, "wb") as file:
            file.write(content)


def case_what_others_may_write_is_not_used():
    """Rows of a former policy are taken as they are: only from files that are the caller's own."""
    def strange(path):
        os.chown(path, 65534, -1)

    changes = [None, lambda path: os.chmod(path, 0o664), lambda path: os.chmod(path, 0o646)]
    changes += [strange] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory() as directory:
        source, out, plain = (os.path.join(directory, name) for name in ("p.te", "p.vpol", "n.vpol"))
        with open(source, "w", encoding="ascii") as file:
            file.write(FORGED)
        compile_to(plain, "no", [source])
        for change in changes:
            for suffix in ("", ".cache"):
                compile_to(out, "yes", [source])
                forge(out)
                if change is not None:
                    change(out + suffix)
                compile_to(out, "yes", [source])
                # Forged by the caller it is taken, else this test would show nothing.
                assert (read(out) == read(plain)) == (change is not None), (change, suffix)
                os.unlink(out)
                os.unlink(out + ".cache")


def case_keys_that_nobody_can_foretell():
    with tempfile.TemporaryDirectory() as directory:
        files = Sources(directory, 46).write()
        caches = []
        for name in ("a", "b", "a"):
            out = os.path.join(directory, name)
            compile_to(out, "yes", files)
            caches.append(read(out + ".cache"))
            assert stat.S_IMODE(os.stat(out + ".cache").st_mode) == 0o600
        assert caches[0] == caches[2], "a cache that is used keeps its secret"
        counts = [struct.unpack_from("<I", cache, 12)[0] for cache in caches[:2]]
        rows = [struct.iter_unpack("<IIQQ", cache[96:96 + 24 * count])
                for cache, count in zip(caches, counts)]
        same = [(a, b) for a, b in zip(*rows) if a[0] != b[0] or a[2] == b[2] or a[3] == b[3]]
        assert len(caches[0]) > 1000 and not same, same[:3]


sys.exit(run())
