"""GRUB's NTFS driver through grub-fstest: one process a directory and a file, hence for small trees."""

import re
import tempfile
from collections import Counter
from collections.abc import Collection
from pathlib import Path

from tests.oracle.model import (
    CHUNK,
    SYSTEM_NAMES,
    Entry,
    Geometry,
    Reader,
    Reading,
    Tree,
    is_system,
    lone_surrogates,
    sha256_of,
)
from tests.oracle.tools import decode_name, last_lines, run

ENTRIES_MAX = 150
LINE = re.compile(rb"(?P<size>DIR|\d+) +\d+ (?P<name>.*?)/?", re.S)


def read(image: Path) -> Reading:
    reading = Reading(entries={})
    assert reading.entries is not None
    pending = [""]
    while pending:
        prefix = pending.pop()
        listed = _list(image, prefix, reading)
        reading.entries |= listed
        pending += [path + "/" for path, entry in listed.items() if entry.kind == "dir"]
    return reading


def _list(image: Path, prefix: str, reading: Reading) -> Tree:
    done = run(["grub-fstest", image.absolute(), "ls", "--", "-la", f"(loop0)/{prefix}"])
    if done.returncode or b"error:" in done.stdout:
        reading.complaints.append(f"ls {prefix}: {last_lines(done.stdout)}")
    listed: Tree = {}
    for line in done.stdout.split(b"\n"):
        found = LINE.fullmatch(line)
        if not found:
            if line:
                reading.complaints.append(f"ls {prefix}: unexpected line {line!r}")
            continue
        path = prefix + decode_name(found["name"])
        if found["name"] not in (b".", b"..") and not is_system(path):
            listed[path] = _entry(image, path, found["size"], reading)
    return listed


def _entry(image: Path, path: str, size: bytes, reading: Reading) -> Entry:
    if size == b"DIR":
        return Entry(kind="dir")
    with tempfile.NamedTemporaryFile(prefix="grub-") as out:
        done = run(["grub-fstest", image.absolute(), "cp", "--", f"(loop0)/{path}", out.name])
        if done.returncode or done.stdout:
            reading.complaints.append(f"cp {path}: {last_lines(done.stdout)}")
        digest = sha256_of(iter(lambda: out.read(CHUNK), b""))
    return Entry(kind="file", size=int(size), sha256=digest)


def refuses(geometry: Geometry, paths: Collection[str]) -> str | None:
    if geometry.cluster > geometry.sector * 128:
        return "takes sectors per cluster above 128 for a plain number"
    if len(paths) > ENTRIES_MAX:
        return f"starts a process for every file; not asked about more than {ENTRIES_MAX}"
    if any(path.rpartition("/")[2].startswith("..") for path in paths):
        return "hides names that start with two dots"
    if any("\n" in path for path in paths):
        return "lists one name a line"
    if max(Counter(path.upper() for path in [*paths, *SYSTEM_NAMES]).values()) > 1:
        return "looks names up without regard to case"
    return lone_surrogates(paths)


READERS = (Reader("GRUB", ("grub-fstest",), read, refuses),)
